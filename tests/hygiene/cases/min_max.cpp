// ways: g++ -std=c++23
// A program has min and max as macros, as <windows.h> defines them: our headers compile and do not undefine them. The headers
// of other projects come first. Both umbrellas compile, with a later standard. foreign_after_libraries has the macros too, on
// Windows.
#include "others.hpp"

#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))

#include <winsvc.hpp>
#include <winsvc.hpp>
#include <winsvc/testing.hpp>
#include <winsvc/testing.hpp>

#if !defined(min) || !defined(max)
  #error "winsvc undefined a macro of another project"
#endif

#include "app.hpp"

static_assert(min(1, 2) == 1 && max(1, 2) == 2, "the macros have their meaning");
