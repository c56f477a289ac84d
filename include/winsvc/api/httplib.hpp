// The door to cpp-httplib: the one file that includes it. `winsvc::request` and `winsvc::response` are its own types,
// so there is nothing new to learn: https://github.com/yhirose/cpp-httplib documents them.
//
//   svc.get("/raw", [](const winsvc::request& req, winsvc::response& res) {
//     res.set_content(req.get_param_value("q"), "text/plain");
//   });
//
// Which header is included: WINSVC_HTTPLIB (config/knobs.hpp). cpp-httplib 0.41 or newer. A service is not exposed to
// what its parser accepts: the gate in wire/ stands before it.
//
// A file that only sees declarations (config/form.hpp) does not include it: its types are declared and no more, which
// saves most of the time that such a file takes to compile. Such a file includes <httplib.h> itself, before or after
// <winsvc.hpp>, if it uses members of a request or a response.
#pragma once

#include <string>
#include <string_view>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/win/windows_headers.hpp"  // on Windows: windows.h must have come our way, before cpp-httplib asks for it

#if WINSVC_SEES_SERVER

#if !__has_include(WINSVC_HTTPLIB)
  #error "winsvc needs httplib.h of cpp-httplib 0.41 or newer: run tools/deps or download it from https://github.com/yhirose/cpp-httplib/releases, then add its folder with -I (cl: /I) or name the file in WINSVC_HTTPLIB"
#endif

#if WINSVC_OS_WINDOWS && !defined(NOMINMAX)
  #define WINSVC_HAD_NO_NOMINMAX
#endif

// With a TLS library, cpp-httplib calls functions that it deprecates itself (0.41).
#if WINSVC_COMPILER_MSVC
  #pragma warning(push)
  #pragma warning(disable : 4996)
#else
  #pragma GCC diagnostic push
  #pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#endif

// cpp-httplib names enumerators Success and None, which are macros of X11. The macros are restored after the include.
#pragma push_macro("Success")
#pragma push_macro("None")
#undef Success
#undef None

// It does to the program what it always does: its constructor ignores SIGPIPE on POSIX, and its own macros stay.
#include WINSVC_HTTPLIB

#pragma pop_macro("None")
#pragma pop_macro("Success")

#ifndef CPPHTTPLIB_VERSION_NUM
  #error "winsvc needs cpp-httplib 0.41 or newer: this httplib.h is older; download it from https://github.com/yhirose/cpp-httplib/releases"
#endif

#if WINSVC_COMPILER_MSVC
  #pragma warning(pop)
#else
  #pragma GCC diagnostic pop
#endif

#ifdef WINSVC_HAD_NO_NOMINMAX
  #undef NOMINMAX
  #undef WINSVC_HAD_NO_NOMINMAX
#endif

#else

namespace httplib {
struct Request;
struct Response;
class DataSink;
}  // namespace httplib

#endif  // WINSVC_SEES_SERVER

namespace winsvc {
inline namespace WINSVC_ABI {

using request = httplib::Request;    ///< method, target, headers, params, body, remote_addr ...
using response = httplib::Response;  ///< status, headers, body, set_content(...) ...

namespace http {

#if WINSVC_SEES_SERVER
/// CPPHTTPLIB_VERSION_NUM as a number (0x002900 is 0.41.0). It is a string literal there, of no use to the
/// preprocessor.
[[nodiscard]] constexpr unsigned httplib_version() noexcept {
  unsigned value = 0;
  for (const char c : std::string_view(CPPHTTPLIB_VERSION_NUM).substr(2)) {
    value = value * 16 + static_cast<unsigned>(c >= 'a' ? c - 'a' + 10 : c >= 'A' ? c - 'A' + 10 : c - '0');
  }
  return value;
}
static_assert(httplib_version() >= 0x002900,
              "winsvc needs cpp-httplib 0.41 or newer: this httplib.h is older; run tools/deps or download it from "
              "https://github.com/yhirose/cpp-httplib/releases");

/// Before 0.44, header values were percent-decoded while parsed, so "%0d%0a" became a line end.
inline constexpr bool httplib_decodes_headers = httplib_version() < 0x002C00;
#endif

/// The version of cpp-httplib that the server was compiled with: "0.41.0".
[[nodiscard]] std::string_view httplib_version_text() noexcept;

/// `set_header` adds a second header of the same name; this leaves one.
void replace_header(response& res, const std::string& name, const std::string& value);

/// The value of the first header of this name; null when there is none. Answers have few: looking at each is quicker
/// than hashing a name, as the map would.
[[nodiscard]] const std::string* find_header(const response& res, std::string_view name) noexcept;

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE std::string_view httplib_version_text() noexcept { return CPPHTTPLIB_VERSION; }

WINSVC_INLINE void replace_header(response& res, const std::string& name, const std::string& value) {
  res.headers.erase(name);
  res.set_header(name, value);
}
WINSVC_INLINE const std::string* find_header(const response& res, std::string_view name) noexcept {
  for (const auto& [other, value] : res.headers) {
    if (strings::equal_nocase(other, name)) return &value;
  }
  return nullptr;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
