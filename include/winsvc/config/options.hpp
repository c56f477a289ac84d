// Compile-time options of winsvc: macros that a program may define, with their defaults. Define a macro before the
// include, with the same value in each translation unit.
//
//   WINSVC_HTTPLIB    the header of cpp-httplib, version 0.41 or newer. Default <httplib.h>.
//   WINSVC_JSON       1: handlers may take and return winsvc::json. Default 1 if <nlohmann/json.hpp> is found, else 0.
//                     Define it as 0 to save the compile time of that header; no other feature depends on it. If one
//                     file of a program has 1, the file with the bodies must have 1 too, because it defines
//                     text_of_json and parse_json.
//   WINSVC_AUTOLINK   1: link the system libraries with #pragma comment(lib, ...). Default 1 with MSVC, else 0. With 0,
//                     pass the libraries to the linker: ws2_32 and advapi32 with MSVC, -lws2_32 with MinGW.
//   WINSVC_SEPARATE   1: this file sees only declarations; another file has the bodies (config/form.hpp). Default 0.
//   WINSVC_IMPLEMENTATION   1, or defined without a value: this file has the bodies. Default 0.
//   WINSVC_APP_VERSION   a string literal: the version of the app, unless it calls service::version. It is read in the
//                     file that calls winsvc::run or WINSVC_MAIN. winsvc_add_service defines it. Default "": none.
//   WINSVC_ASSERT     checks the preconditions of winsvc's functions. Default: assert from <cassert>.
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
  #if WINSVC_COMPILER_MSVC  // not a copy of that macro: config/undef.hpp undefines it, but WINSVC_AUTOLINK remains
    #define WINSVC_AUTOLINK 1
  #else
    #define WINSVC_AUTOLINK 0
  #endif
#endif

#ifndef WINSVC_APP_VERSION
  #define WINSVC_APP_VERSION ""
#endif

#ifndef WINSVC_ASSERT
  #define WINSVC_ASSERT(condition) assert(condition)
#endif

// The options of cpp-httplib change the layout of its types.
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
