// Greeter: a service with one setting and one route. main.cpp runs it, greeter_test.cpp tests it.
#pragma once

#include <winsvc.hpp>

void App(winsvc::service& svc);
