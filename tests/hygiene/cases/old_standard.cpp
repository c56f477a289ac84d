// ways: g++ -std=c++14 -Wfatal-errors, clang++ -std=c++14 -Wfatal-errors
// expect: winsvc needs C++17: compile with -std=c++17
// The first thing a too old standard says.
#include <winsvc.hpp>
