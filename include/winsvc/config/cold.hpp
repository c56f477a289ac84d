// Cold code: redefines WINSVC_INLINE with __attribute__((cold)) for the headers after this one. The compiler then
// optimizes their functions for size, because they run at start, at stop or for a verb, and not for each request.
//
// hello.exe of mingw g++ 12 -O2 is 4 % smaller this way. Lambdas and templates are not affected, so a callback that
// runs for each request keeps its speed.
#pragma once

#include "winsvc/config/compiler.hpp"
#include "winsvc/config/form.hpp"

#if !WINSVC_COMPILER_MSVC
  #undef WINSVC_INLINE
  #if WINSVC_SEPARATE
    #define WINSVC_INLINE __attribute__((cold))
  #else
    #define WINSVC_INLINE inline __attribute__((cold))
  #endif
#endif
