// ways: clang++ -std=c++20, g++ -std=c++23 -DWINSVC_JSON=0
// The headers compile with later standards, with and without JSON.
#include <winsvc.hpp>

#include "app.hpp"
