// ways: clang-mingw -DUNICODE -D_UNICODE -DWINSVC_JSON=0
// <windows.h> comes later, whole, with UNICODE as its project has it.
#include <winsvc.hpp>

#include <windows.h>

#include "app.hpp"

HANDLE handle_of_theirs = ::CreateEvent(nullptr, TRUE, FALSE, TEXT("theirs"));
