// Includes <winsvc.hpp> with all declarations for tests, which use internal names. In the separate form
// (config/form.hpp), <winsvc.hpp> alone has only the declarations for apps.
#pragma once

#ifndef WINSVC_VERSION
  #define WINSVC_TESTING 1
#elif WINSVC_SEPARATE && !WINSVC_IMPLEMENTATION && !WINSVC_TESTING
  #error "winsvc: in the separate form, include <winsvc/testing.hpp> before <winsvc.hpp>"
#endif

#include "winsvc.hpp"
