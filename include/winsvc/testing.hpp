// For tests of your own services, on any platform: a client without a socket, a simulated Service Control Manager, a
// database of services in memory, a clock that is moved by hand.
//
//   #include <winsvc/testing.hpp>
//
//   winsvc::testing::client client(App);
//   CHECK(client.get("/").body == "hello world");
//
// Opt-in: it is no part of <winsvc.hpp>, which it includes.
#pragma once

#include "winsvc/testing/client.hpp"
#include "winsvc/testing/clock.hpp"
#include "winsvc/testing/status_rules.hpp"
#include "winsvc/testing/scm.hpp"
#include "winsvc/testing/service_database.hpp"
