// ways: mingw -Wfatal-errors
// expect: winsock.h came before winsvc.hpp
// <windows.h> is included first and includes the old winsock.h. winsvc cannot repair this, so the error explains it.
#include <windows.h>

#include <winsvc.hpp>
