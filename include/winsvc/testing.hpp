// Test support for your services, on any platform: a client without a socket, a simulated Service Control Manager, a
// service database in memory, a clock that the test advances.
//
//   #include <winsvc/testing.hpp>
//
//   winsvc::testing::client client(App);
//   CHECK(client.get("/").body == "hello world");
//
// <winsvc.hpp> does not include this header; this header includes <winsvc.hpp>.
#pragma once

#include "winsvc/testing/client.hpp"
#include "winsvc/testing/clock.hpp"
#include "winsvc/testing/status_rules.hpp"
#include "winsvc/testing/control_rules.hpp"
#include "winsvc/testing/recording_dispatcher.hpp"
#include "winsvc/testing/scm.hpp"
#include "winsvc/testing/service_database.hpp"
