// Windows system headers. Only this file includes <windows.h>. It defines WIN32_LEAN_AND_MEAN and NOMINMAX and
// undefines them afterwards, unless the program has defined them.
//
// winsock2.h must precede windows.h, which would otherwise include the old winsock.h. cpp-httplib needs the Windows 10
// API.
//
// aclapi.h and shellapi.h are not included: aclapi.h includes rpcndr.h, which defines `small` and `hyper` as macros.
// The files that call functions of these headers declare the types, with the layout and the values of the SDK.
#pragma once

#include "winsvc/config/compiler.hpp"
#include "winsvc/config/options.hpp"

#if WINSVC_OS_WINDOWS && WINSVC_SEES_ALL  // in the separate form, the files of the app do not need it

  #if (defined(_WINSOCKAPI_) || defined(_WINSOCK_H)) && !defined(_WINSOCK2API_) && !defined(_WINSOCK2_H)
    #error "winsock.h came before winsvc.hpp: include winsvc.hpp or winsock2.h first, or define WIN32_LEAN_AND_MEAN"
  #endif

  #ifndef _WIN32_WINNT
    #define _WIN32_WINNT 0x0A00
  #elif _WIN32_WINNT < 0x0A00
    #error "winsvc needs Windows 10 or newer: remove _WIN32_WINNT, or define it as 0x0A00"
  #endif
  #ifndef NOMINMAX
    #define NOMINMAX
    #define WINSVC_DEFINED_NOMINMAX
  #endif
  #ifndef WIN32_LEAN_AND_MEAN
    #define WIN32_LEAN_AND_MEAN
    #define WINSVC_DEFINED_LEAN
  #endif

  #include <winsock2.h>
  #include <ws2tcpip.h>
  #include <windows.h>

  #include <iphlpapi.h>
  #include <mswsock.h>
  #include <sddl.h>
  #include <winsvc.h>
  #if defined(_MSC_VER) && defined(_DEBUG)
    #include <crtdbg.h>
  #endif

  #ifdef WINSVC_DEFINED_NOMINMAX
    #undef NOMINMAX
    #undef WINSVC_DEFINED_NOMINMAX
  #endif
  #ifdef WINSVC_DEFINED_LEAN
    #undef WIN32_LEAN_AND_MEAN
    #undef WINSVC_DEFINED_LEAN
  #endif

  #if WINSVC_AUTOLINK
    #pragma comment(lib, "ws2_32.lib")
    #pragma comment(lib, "advapi32.lib")
  #endif

#endif  // WINSVC_OS_WINDOWS && WINSVC_SEES_ALL
