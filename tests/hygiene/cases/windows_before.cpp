// ways: clang-mingw
// <windows.h> came first, the lean way: nothing of it is in our way, and what was defined stays defined.
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <winsock2.h>
#include <windows.h>

#include <winsvc.hpp>

#if !defined(WIN32_LEAN_AND_MEAN) || !defined(NOMINMAX)
  #error "winsvc took back a macro that was not its own"
#endif

#include "app.hpp"
