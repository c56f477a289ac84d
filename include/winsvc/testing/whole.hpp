// Includes <winsvc.hpp> with all declarations, also in the separate form (config/form.hpp): tests use internal names.
#pragma once

#ifndef WINSVC_VERSION
  #define WINSVC_TESTING 1
#elif WINSVC_SEPARATE && !WINSVC_IMPLEMENTATION && !WINSVC_TESTING
  #error "winsvc: in the separate form, include <winsvc/testing.hpp> before <winsvc.hpp>"
#endif

#include "winsvc.hpp"
