// ways: clang-mingw --target=i686-w64-mingw32 -nostdlibinc -isystem /usr/x86_64-w64-mingw32/include
// A 32-bit program for Windows compiles. The headers of MinGW are the same for both targets.
#include <winsvc.hpp>

#include "app.hpp"

static_assert(sizeof(void*) == 4, "the target has 32 bits");
