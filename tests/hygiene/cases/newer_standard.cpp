// ways: clang++ -std=c++20, g++ -std=c++23 -DWINSVC_JSON=0
// Later standards, and a program without JSON.
#include <winsvc.hpp>

#include "app.hpp"
