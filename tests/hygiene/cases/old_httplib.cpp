// ways: clang++ -DNUMBER="0x002800" -Wfatal-errors, g++ -DNUMBER="0x002800" -Wfatal-errors
// expect: winsvc needs cpp-httplib 0.41 or newer: this httplib.h is older
// cpp-httplib 0.40 defines CPPHTTPLIB_VERSION_NUM as a string.
#define WINSVC_HTTPLIB "old_httplib.hpp"
#include <winsvc.hpp>
