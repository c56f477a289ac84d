// ways: g++ -std=c++23, clang-mingw -DUNICODE -D_UNICODE
// A program has min and max as macros, as <windows.h> defines them: our headers compile and do not undefine them. The headers
// of other projects come first; on Windows, those of COM too. Both umbrellas compile; g++ has a later standard.
#include "others.hpp"
#ifdef _WIN32
  #include <objbase.h>
  #include <ole2.h>
  #include <rpcndr.h>
#endif

#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))

#include <winsvc.hpp>
#include <winsvc.hpp>
#include <winsvc/testing.hpp>
#include <winsvc/testing.hpp>

#if !defined(min) || !defined(max)
  #error "winsvc undefined a macro of another project"
#endif

#include "app.hpp"

static_assert(min(1, 2) == 1 && max(1, 2) == 2, "the macros have their meaning");
