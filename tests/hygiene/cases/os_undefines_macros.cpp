// ways: clang-mingw
// os/win/windows_headers.hpp undefines the two macros that it defines. (cpp-httplib does not undefine its macros.)
#include <string>
#undef NOMINMAX  // mingw's libstdc++ defines it

#include "winsvc/os/native.hpp"

#if defined(WIN32_LEAN_AND_MEAN) || defined(NOMINMAX)
  #error "os/win/windows_headers.hpp did not undefine a macro"
#endif

int main() {}
