// ways: g++, mingw
// A program that has min and max as macros, as <windows.h> defines them: our headers do not stumble, and do not undefine
// them. (The headers of others come first: theirs to answer for.)
#include "others.hpp"

#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))

#include <winsvc.hpp>

#if !defined(min) || !defined(max)
  #error "winsvc undefined somebody else's macro"
#endif

#include "app.hpp"

static_assert(min(1, 2) == 1 && max(1, 2) == 2, "and they still mean what they meant");
