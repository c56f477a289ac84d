// ways: clang-mingw -DWINSVC_JSON=0
// <windows.h> with WIN32_LEAN_AND_MEAN is included first. winsvc.hpp compiles and undefines no macro of the program.
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <winsock2.h>
#include <windows.h>

#include <winsvc.hpp>

#if !defined(WIN32_LEAN_AND_MEAN) || !defined(NOMINMAX)
  #error "winsvc.hpp undefined a macro of the program"
#endif

#include "app.hpp"
