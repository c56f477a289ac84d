// ways: clang-mingw
// All macros of tools/foreign_macros.txt are defined, after the headers of the libraries, because some use these names.
// The headers of COM come first too, and min and max are macros. Both umbrellas compile.
#include "others.hpp"
#include <objbase.h>
#include <ole2.h>
#include <rpcndr.h>

#define FOREIGN_COMMON
#define FOREIGN_QT
#define FOREIGN_WINDOWS
#define FOREIGN_X11
#include "foreign_macros.hpp"

#undef min
#undef max
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))

#include <winsvc.hpp>
#include <winsvc.hpp>
#include <winsvc/testing.hpp>
#include <winsvc/testing.hpp>

#if !defined(small) || !defined(signals) || !defined(Success) || !defined(check) || !defined(min) || !defined(max)
  #error "winsvc undefined a macro of another project"
#endif

#include "app.hpp"

static_assert(min(1, 2) == 1 && max(1, 2) == 2, "the macros have their meaning");
