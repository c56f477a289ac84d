// ways: clang++ -DWINSVC_JSON=0
// WINSVC_HTTPLIB names the header to include.
#define WINSVC_HTTPLIB "others.hpp"
#include <winsvc/api/httplib.hpp>

#ifndef WINSVC_TEST_OTHERS
  #error "winsvc.hpp did not include WINSVC_HTTPLIB"
#endif

int main() {}
