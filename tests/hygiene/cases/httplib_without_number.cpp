// ways: clang++
// expect: winsvc needs cpp-httplib 0.41 or newer: this httplib.h is older
// An httplib.h without CPPHTTPLIB_VERSION_NUM is too old.
#define WINSVC_HTTPLIB "old_httplib.hpp"
#include <winsvc.hpp>
