// ways: g++ -fno-exceptions, clang++ -fno-exceptions
// expect: winsvc needs exceptions: remove -fno-exceptions
// Without this error, the compiler would report each `try`.
#include <winsvc.hpp>
