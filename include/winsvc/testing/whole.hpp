// <winsvc.hpp> with all declarations: tests look at what is inside, also in the separate form (config/form.hpp).
#pragma once

#ifndef WINSVC_VERSION
  #define WINSVC_TESTING 1
#elif WINSVC_SEPARATE && !WINSVC_IMPLEMENTATION && !WINSVC_TESTING
  #error "winsvc: in the separate form, include <winsvc/testing.hpp> before <winsvc.hpp>"
#endif

#include "winsvc.hpp"
