// ways: g++ -fno-exceptions -Wfatal-errors, clang++ -fno-exceptions -Wfatal-errors
// expect: winsvc needs exceptions: remove -fno-exceptions
// Without this error, each `try` gives one.
#include <winsvc.hpp>
