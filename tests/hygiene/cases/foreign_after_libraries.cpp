// ways: clang-mingw
// All macros of tools/foreign_macros.txt are defined, after the headers of the libraries, because some use these names.
#include "others.hpp"

#define FOREIGN_COMMON
#define FOREIGN_QT
#define FOREIGN_WINDOWS
#define FOREIGN_X11
#include "foreign_macros.hpp"

#include <winsvc.hpp>

#if !defined(small) || !defined(signals) || !defined(Success) || !defined(check)
  #error "winsvc.hpp undefined a macro of another project"
#endif

#include "app.hpp"
