// The version of winsvc, defined only here. CMake, Meson and the changelog test read the first four macros.
//
//   #if WINSVC_VERSION >= 200      // 0.2.0 or later
//
// WINSVC_VERSION is the number major * 10000 + minor * 100 + patch, which the preprocessor can compare.
#pragma once

#define WINSVC_VERSION_MAJOR 0
#define WINSVC_VERSION_MINOR 1
#define WINSVC_VERSION_PATCH 0
#define WINSVC_VERSION_STRING "0.1.0"

#define WINSVC_VERSION (WINSVC_VERSION_MAJOR * 10000 + WINSVC_VERSION_MINOR * 100 + WINSVC_VERSION_PATCH)
