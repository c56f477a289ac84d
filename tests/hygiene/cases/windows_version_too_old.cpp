// ways: mingw -D_WIN32_WINNT=0x0601 -Wfatal-errors
// expect: winsvc needs Windows 10 or newer: remove _WIN32_WINNT
// Without this error, the names of newer functions are unknown.
#include <winsvc.hpp>
