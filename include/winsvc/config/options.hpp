// Every knob a user can turn, with its default and its price. Define one before the include, the same in every
// translation unit.
//
//   WINSVC_HTTPLIB    the header that is cpp-httplib. Default <httplib.h>; cpp-httplib 0.41 or newer.
//   WINSVC_JSON       1 where <nlohmann/json.hpp> is found: handlers may take and return winsvc::json. Define it 0 to
//                     keep that header out, which costs compile time; all else works without it. If a file of a program
//                     has 1, the file with the bodies needs it too: text_of_json and parse_json are there.
//   WINSVC_AUTOLINK   1 on MSVC: the system libraries are linked by #pragma comment(lib, ...). Define it 0 to name them
//                     yourself: ws2_32 and advapi32 (elsewhere -lws2_32 is all there is to add).
//   WINSVC_SEPARATE   1: the file only sees declarations, and another file has the bodies (config/form.hpp). Default 0.
//   WINSVC_IMPLEMENTATION   1, or defined without a value: this file has the bodies. Default 0.
//   WINSVC_ASSERT     what checks our own promises; default assert from <cassert>.
#pragma once

#include <cassert>

#include "winsvc/config/compiler.hpp"
#include "winsvc/config/form.hpp"

#ifndef WINSVC_HTTPLIB
  #define WINSVC_HTTPLIB <httplib.h>
#endif

#ifndef WINSVC_JSON
  #if __has_include(<nlohmann/json.hpp>)
    #define WINSVC_JSON 1
  #else
    #define WINSVC_JSON 0
  #endif
#endif

#ifndef WINSVC_AUTOLINK
  #if WINSVC_COMPILER_MSVC  // not its name as our value: it is gone after the include, and this is not
    #define WINSVC_AUTOLINK 1
  #else
    #define WINSVC_AUTOLINK 0
  #endif
#endif

#ifndef WINSVC_ASSERT
  #define WINSVC_ASSERT(condition) assert(condition)
#endif

// What cpp-httplib is built with changes the layout of its types.
#if defined(CPPHTTPLIB_OPENSSL_SUPPORT) || defined(CPPHTTPLIB_MBEDTLS_SUPPORT) || defined(CPPHTTPLIB_WOLFSSL_SUPPORT)
  #define WINSVC_TLS 1
#else
  #define WINSVC_TLS 0
#endif
#if defined(CPPHTTPLIB_ZLIB_SUPPORT) || defined(CPPHTTPLIB_BROTLI_SUPPORT) || defined(CPPHTTPLIB_ZSTD_SUPPORT)
  #define WINSVC_COMPRESSES 1
#else
  #define WINSVC_COMPRESSES 0
#endif
