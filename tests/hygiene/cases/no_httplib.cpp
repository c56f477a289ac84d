// ways: g++, clang++
// expect: winsvc needs httplib.h of cpp-httplib 0.41 or newer: run tools/deps or download it
// The error names two ways to get the file, and the macro for another file.
#define WINSVC_HTTPLIB <missing/httplib.h>
#include <winsvc.hpp>
