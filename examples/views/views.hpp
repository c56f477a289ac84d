// The views of the service, each from a file of its own.
#pragma once

#include <winsvc.hpp>

void todos(winsvc::service& svc);
