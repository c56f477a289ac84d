// ways: g++ -fno-exceptions -Wfatal-errors, clang++ -fno-exceptions -Wfatal-errors
// expect: winsvc needs exceptions: remove -fno-exceptions
// Without this error, the compiler would report each `try`.
#include <winsvc.hpp>
