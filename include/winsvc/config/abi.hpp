// The inline namespace that contains all names of winsvc. Its name contains everything that changes the layout of the
// types: the version, the form (config/form.hpp) and the options of cpp-httplib. Two files that are compiled
// differently then fail to link, and the names in the linker's message show the difference.
//
// You write `winsvc::service`; the linker sees `winsvc::v0_1_separate_tls::service`.
#pragma once

#include "winsvc/config/options.hpp"
#include "winsvc/config/version.hpp"

#define WINSVC_JOIN_NOW(a, b, c, d, e, f) v##a##_##b##c##d##e##f
#define WINSVC_JOIN(a, b, c, d, e, f) WINSVC_JOIN_NOW(a, b, c, d, e, f)
#define WINSVC_QUOTE_NOW(text) #text
#define WINSVC_QUOTE(text) WINSVC_QUOTE_NOW(text)

#if WINSVC_SEPARATE
  #define WINSVC_ABI_FORM _separate
#else
  #define WINSVC_ABI_FORM
#endif
#if WINSVC_TLS
  #define WINSVC_ABI_TLS _tls
#else
  #define WINSVC_ABI_TLS
#endif
#if defined(CPPHTTPLIB_ZLIB_SUPPORT)
  #define WINSVC_ABI_ZLIB _zlib
#else
  #define WINSVC_ABI_ZLIB
#endif
#if defined(CPPHTTPLIB_BROTLI_SUPPORT) && defined(CPPHTTPLIB_ZSTD_SUPPORT)
  #define WINSVC_ABI_CODINGS _brotli_zstd
#elif defined(CPPHTTPLIB_BROTLI_SUPPORT)
  #define WINSVC_ABI_CODINGS _brotli
#elif defined(CPPHTTPLIB_ZSTD_SUPPORT)
  #define WINSVC_ABI_CODINGS _zstd
#else
  #define WINSVC_ABI_CODINGS
#endif
#define WINSVC_ABI                                                                                       \
  WINSVC_JOIN(WINSVC_VERSION_MAJOR, WINSVC_VERSION_MINOR, WINSVC_ABI_FORM, WINSVC_ABI_TLS, WINSVC_ABI_ZLIB, \
              WINSVC_ABI_CODINGS)

#if WINSVC_COMPILER_MSVC  // the linker compares the two values and prints both
  #pragma detect_mismatch("winsvc", WINSVC_QUOTE(WINSVC_ABI))
#endif

namespace winsvc {
inline namespace WINSVC_ABI {}
}  // namespace winsvc
