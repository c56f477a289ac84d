// ways: mingw -Wfatal-errors
// expect: winsock.h came before winsvc.hpp
// <windows.h> came first and brought the old winsock.h: that cannot be mended, so it is explained.
#include <windows.h>

#include <winsvc.hpp>
