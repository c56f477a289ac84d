// ways: clang++ -std=c++20 -DORDERED_FIELDS -DFOREIGN_COMMON -DFOREIGN_QT -DFOREIGN_X11, clang-mingw --target=i686-w64-mingw32 -nostdlibinc -isystem /usr/x86_64-w64-mingw32/include -DFOREIGN_COMMON -DFOREIGN_QT -DWINSVC_JSON=0 -DUNICODE -D_UNICODE
// The macros of a desktop program precede all headers, with a later standard on Linux, and for 32 bits without JSON on Windows.
// X11 only on Linux: <windows.h> uses the name `Status`. The program includes <windows.h> after winsvc.hpp, with UNICODE.
#include "foreign_macros.hpp"

#ifdef ORDERED_FIELDS  // the headers of requests and responses have the type that they have since cpp-httplib 0.52
  #define WINSVC_HTTPLIB "ordered_httplib.h"
#endif

#include <winsvc.hpp>

#if !defined(signals) || (defined(FOREIGN_X11) && (!defined(Success) || !defined(None)))
  #error "winsvc.hpp undefined a macro of another project"
#endif

#ifdef _WIN32
  #include <windows.h>
#endif

#include "app.hpp"

#ifdef _WIN32
static_assert(sizeof(void*) == 4, "the target has 32 bits");
HANDLE event_of_program = ::CreateEvent(nullptr, TRUE, FALSE, TEXT("program"));
#else
static_assert(Success == 0 && None == 0L, "winsvc.hpp changed a macro of X11");
#endif
