// ways: clang-mingw
// The door to Windows takes back the two macros it defined for itself (cpp-httplib, a floor above, keeps its own).
#include <string>
#undef NOMINMAX  // mingw's libstdc++ defines it

#include "winsvc/os/native.hpp"

#if defined(WIN32_LEAN_AND_MEAN) || defined(NOMINMAX)
  #error "the windows door left a macro behind"
#endif

int main() {}
