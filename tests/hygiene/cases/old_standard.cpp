// ways: g++ -std=c++14, clang++ -std=c++14
// expect: winsvc needs C++17: compile with -std=c++17
// With an older standard, this error is the first.
#include <winsvc.hpp>
