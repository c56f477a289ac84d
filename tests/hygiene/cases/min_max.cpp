// ways: g++, mingw
// The program defines the macros min and max, as <windows.h> does. The headers of winsvc compile and do not undefine
// them. Other headers are included first, because they may not support these macros.
#include "others.hpp"

#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))

#include <winsvc.hpp>

#if !defined(min) || !defined(max)
  #error "winsvc.hpp undefined a macro of another project"
#endif

#include "app.hpp"

static_assert(min(1, 2) == 1 && max(1, 2) == 2, "winsvc.hpp changed min or max");
