// ways: clang-mingw -DUNICODE -D_UNICODE -DWINSVC_JSON=0
// The full <windows.h> is included after winsvc.hpp, with UNICODE.
#include <winsvc.hpp>

#include <windows.h>

#include "app.hpp"

HANDLE event_of_program = ::CreateEvent(nullptr, TRUE, FALSE, TEXT("program"));
