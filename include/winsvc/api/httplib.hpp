// Requests and responses: the types of cpp-httplib. This is the only header that includes <httplib.h>.
//
//   svc.get("/raw", [](const winsvc::request& req, winsvc::response& res) {
//     res.set_content(req.get_param_value("q"), "text/plain");
//   });
//
// https://github.com/yhirose/cpp-httplib documents the types. WINSVC_HTTPLIB (config/options.hpp) names the header;
// cpp-httplib 0.41 or newer is required. Clients cannot reach the lenient parser of cpp-httplib: the head parser
// (wire/head_parser.hpp) parses each head.
//
// In the separate form (config/form.hpp), this header only declares the types, which saves most of the compile time of
// an app. A file that uses members of a request or a response includes <httplib.h> itself, before <winsvc.hpp>.
#pragma once

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/wire/grammar.hpp"
#include "winsvc/os/win/windows_headers.hpp"  // includes windows.h before cpp-httplib does, with our macros

#if WINSVC_SEES_SERVER

#if !__has_include(WINSVC_HTTPLIB)
  #error "winsvc needs httplib.h of cpp-httplib 0.41 or newer: run tools/deps or download it from https://github.com/yhirose/cpp-httplib/releases, then add its folder with -I (cl: /I) or name the file in WINSVC_HTTPLIB"
  #include <httplib.h of cpp-httplib 0.41 or newer>  // ends the compilation: g++ continues after #error
#endif

#if WINSVC_OS_WINDOWS && !defined(NOMINMAX)
  #define WINSVC_HAD_NO_NOMINMAX
#endif

// With a TLS library, cpp-httplib 0.41 calls functions that it marks as deprecated.
#if WINSVC_COMPILER_MSVC
  #pragma warning(push)
  #pragma warning(disable : 4996)
#else
  #pragma GCC diagnostic push
  #pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#endif

// cpp-httplib has enumerators Success and None, which are macros in X11. The macros are restored after the include.
#pragma push_macro("Success")
#pragma push_macro("None")
#undef Success
#undef None

// cpp-httplib declares the virtual functions of its server and its client in the classes, and defines them as inline
// functions later. For GCC and clang the first one is the key function of its class (Itanium C++ ABI, section 5.2.3),
// so each file that includes httplib.h contains both classes with all that they call, std::regex too. Functions that
// are declared inline are compiled only if they are used: hello has 210 KB less code, and compiles in nine tenths of
// the time. Standard headers that contain `virtual` are included before, so that they do not change.
#if !WINSVC_COMPILER_MSVC
  #include <chrono>
  #include <condition_variable>
  #include <fstream>
  #include <functional>
  #include <iomanip>
  #include <iostream>
  #include <memory>
  #include <mutex>
  #include <random>
  #include <regex>
  #include <sstream>
  #include <system_error>
  #include <thread>
  #if defined(__clang__)
    #pragma GCC diagnostic ignored "-Wkeyword-macro"
  #endif
  #define virtual inline virtual
#endif
// A side effect of cpp-httplib remains: its macros stay defined.
#include WINSVC_HTTPLIB
#if !WINSVC_COMPILER_MSVC
  #undef virtual
#endif

#pragma pop_macro("None")
#pragma pop_macro("Success")

#ifndef CPPHTTPLIB_VERSION_NUM
  #error "winsvc needs cpp-httplib 0.41 or newer: this httplib.h is older; download it from https://github.com/yhirose/cpp-httplib/releases"
  #include <httplib.h of cpp-httplib 0.41 or newer>
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

/// A request: method, target, headers, params, body, remote_addr ...
using request = httplib::Request;

namespace detail::http {
struct exchange;
}

namespace detail::api {
/// The exchange that sends a response. It belongs to the object and not to its value: a copy has none, and an
/// assignment keeps that of the target.
class exchange_link {
 public:
  exchange_link() noexcept = default;
  exchange_link(const exchange_link&) noexcept {}
  exchange_link& operator=(const exchange_link&) noexcept { return *this; }
  void attach(http::exchange& exchange) noexcept { exchange_ = &exchange; }
  /// Null unless winsvc has made the response for a request.
  [[nodiscard]] http::exchange* exchange() const noexcept { return exchange_; }

 private:
  http::exchange* exchange_ = nullptr;
};
}  // namespace detail::api

#if WINSVC_SEES_SERVER || defined(CPPHTTPLIB_HTTPLIB_H)
/// A response: cpp-httplib's type with its members (status, headers, body, ...). The functions that set a header throw
/// std::invalid_argument if its name is not a token or its value contains a line break or another control character.
/// The exception becomes a logged 500. In cpp-httplib, these functions ignore such a header silently.
struct response : httplib::Response {
  /// Adds a header. Blanks around the value are removed.
  void set_header(const std::string& name, const std::string& value);
  /// Sets Location and the status; 302 replaces a status that is not 300 to 399.
  void set_redirect(const std::string& target, int status = 302);
  /// Sets the body and its Content-Type.
  void set_content(const char* bytes, std::size_t size, const std::string& content_type);
  void set_content(const std::string& body, const std::string& content_type);
  void set_content(std::string&& body, const std::string& content_type);
  /// Sets a function that provides a body of this length, or of unknown length.
  void set_content_provider(std::size_t length, const std::string& content_type, httplib::ContentProvider provider,
                            httplib::ContentProviderResourceReleaser releaser = nullptr);
  void set_content_provider(const std::string& content_type, httplib::ContentProviderWithoutLength provider,
                            httplib::ContentProviderResourceReleaser releaser = nullptr);
  void set_chunked_content_provider(const std::string& content_type, httplib::ContentProviderWithoutLength provider,
                                    httplib::ContentProviderResourceReleaser releaser = nullptr);
  /// Sends a file. Without a type, Content-Type follows from the extension.
  void set_file_content(const std::string& path, const std::string& content_type);
  void set_file_content(const std::string& path);

  detail::api::exchange_link link;  ///< for winsvc
  std::string_view result_type;     ///< for winsvc; see api::content_type_of
};
#else
struct response;  // incomplete: to use its members, include <httplib.h> before <winsvc.hpp>
#endif

namespace detail::api {

#if WINSVC_SEES_SERVER
/// CPPHTTPLIB_VERSION_NUM as a number (0x002900 is 0.41.0). In cpp-httplib it is a string literal, which the
/// preprocessor cannot compare.
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
#endif

/// The version of cpp-httplib that the server is compiled with, for example "0.41.0".
[[nodiscard]] std::string_view httplib_version_text() noexcept;
/// The versions of winsvc and of cpp-httplib: "winsvc 0.1.0, cpp-httplib 0.41.0".
[[nodiscard]] std::string library_versions();

/// True if a response can have this header: the name is a token, the value has no CR, LF or other control character
/// (RFC 9110 sections 5.1 and 5.5).
[[nodiscard]] bool is_valid_header(std::string_view name, std::string_view value) noexcept;
/// Error text for an invalid header: "set the response header 'X-A' to ...: the value contains ...".
[[nodiscard]] std::string invalid_header_text(std::string_view name, std::string_view value);
/// Throws std::invalid_argument if the header is invalid, so that the log has it.
void check_header(std::string_view name, std::string_view value);

/// Replaces all headers of this name by one. (`set_header` adds another header.) Throws std::invalid_argument if the
/// header is invalid.
void replace_header(response& res, std::string_view name, std::string_view value);
/// Adds a header that the response does not have and that is known to be valid (http/header_pool.hpp).
void insert_header(response& res, std::string_view name, std::string_view value);

/// All values of this header, in the order in which they were set.
[[nodiscard]] std::vector<std::string> header_values(const response& res, const std::string& name);
/// True if the headers of one name are stored in the reverse order, as in libstdc++'s unordered containers.
[[nodiscard]] bool has_reverse_order();

/// The value of the first header of this name; null if it is missing. A linear search, because a response has few
/// headers and comparing them is faster than hashing the name.
[[nodiscard]] const std::string* find_header(const response& res, std::string_view name) noexcept;

/// The Content-Type of the response; empty if it has none. It is a header, or `response::result_type`, the type of a
/// result that winsvc has written: a constant text, which costs less than a header. Code of the app sees the type as a
/// header: write_content_type() is called before a middleware or an error handler of the app receives the response.
[[nodiscard]] std::string_view content_type_of(const response& res) noexcept;
/// Sets the header Content-Type from `response::result_type`.
void write_content_type(response& res);

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

WINSVC_INLINE std::string_view httplib_version_text() noexcept { return CPPHTTPLIB_VERSION; }
WINSVC_INLINE std::string library_versions() {
  return "winsvc " WINSVC_VERSION_STRING ", cpp-httplib " + std::string(httplib_version_text());
}

WINSVC_INLINE bool is_valid_header(std::string_view name, std::string_view value) noexcept {
  if (!wire::is_token(name)) return false;
  for (std::size_t i = wire::find_control(value, 0); i < value.size(); i = wire::find_control(value, i + 1)) {
    if (value[i] != '\t') return false;
  }
  return true;
}
WINSVC_INLINE std::string invalid_header_text(std::string_view name, std::string_view value) {
  if (!wire::is_token(name)) {
    return "set the response header " + base::json_quoted(base::truncate(name, 80)) +
           ": the name is not a token (RFC 9110); use letters, digits and '-'";
  }
  return "set the response header '" + std::string(base::truncate(name, 80)) + "' to " +
         base::json_quoted(base::truncate(value, 80)) +
         ": the value contains a line break or another control character; remove it";
}
WINSVC_INLINE void check_header(std::string_view name, std::string_view value) {
  if (!is_valid_header(name, value)) throw std::invalid_argument(invalid_header_text(name, value));
}

WINSVC_INLINE void replace_header(response& res, std::string_view name, std::string_view value) {
  check_header(name, value);
  if (find_header(res, name)) {
    const std::string copy(value);  // `value` may be a part of the header that is replaced
    res.headers.erase(std::string(name));
    return insert_header(res, name, copy);
  }
  insert_header(res, name, value);
}
/// Fields of one name must keep their order (RFC 9110 section 5.3), but an unordered container does not promise one.
WINSVC_INLINE bool has_reverse_order() {
  static const bool reverse = [] {
    httplib::Headers headers;
    for (const char* value : {"1", "2", "3"}) headers.emplace("a", value);
    return headers.begin()->second == "3";
  }();
  return reverse;
}
WINSVC_INLINE std::vector<std::string> header_values(const response& res, const std::string& name) {
  std::vector<std::string> values;
  const auto [begin, end] = res.headers.equal_range(name);
  for (auto field = begin; field != end; ++field) values.push_back(field->second);
  if (has_reverse_order()) std::reverse(values.begin(), values.end());
  return values;
}
WINSVC_INLINE const std::string* find_header(const response& res, std::string_view name) noexcept {
  for (const auto& [known_name, value] : res.headers) {
    if (base::equal_nocase(known_name, name)) return &value;
  }
  return nullptr;
}

WINSVC_INLINE std::string_view content_type_of(const response& res) noexcept {
  const std::string* const header = res.headers.empty() ? nullptr : find_header(res, "Content-Type");
  return header ? std::string_view(*header) : res.result_type;
}
WINSVC_INLINE void write_content_type(response& res) {
  const auto type = std::exchange(res.result_type, {});
  if (!type.empty() && !find_header(res, "Content-Type")) insert_header(res, "Content-Type", type);
}

}  // namespace detail::api

WINSVC_INLINE void response::set_header(const std::string& name, const std::string& value) {
  const std::string_view trimmed = detail::base::trim(value);
  detail::api::check_header(name, trimmed);
  detail::api::insert_header(*this, name, trimmed);
}
WINSVC_INLINE void response::set_redirect(const std::string& target, int redirect_status) {
  set_header("Location", target);
  status = redirect_status >= 300 && redirect_status < 400 ? redirect_status : 302;
}
WINSVC_INLINE void response::set_content(const char* bytes, std::size_t size, const std::string& content_type) {
  detail::api::check_header("Content-Type", content_type);
  httplib::Response::set_content(bytes, size, content_type);
}
WINSVC_INLINE void response::set_content(const std::string& text, const std::string& content_type) {
  set_content(text.data(), text.size(), content_type);
}
WINSVC_INLINE void response::set_content(std::string&& text, const std::string& content_type) {
  detail::api::check_header("Content-Type", content_type);
  httplib::Response::set_content(std::move(text), content_type);
}
WINSVC_INLINE void response::set_content_provider(std::size_t length, const std::string& content_type,
                                                  httplib::ContentProvider provider,
                                                  httplib::ContentProviderResourceReleaser releaser) {
  detail::api::check_header("Content-Type", content_type);
  httplib::Response::set_content_provider(length, content_type, std::move(provider), std::move(releaser));
}
WINSVC_INLINE void response::set_content_provider(const std::string& content_type,
                                                  httplib::ContentProviderWithoutLength provider,
                                                  httplib::ContentProviderResourceReleaser releaser) {
  detail::api::check_header("Content-Type", content_type);
  httplib::Response::set_content_provider(content_type, std::move(provider), std::move(releaser));
}
WINSVC_INLINE void response::set_chunked_content_provider(const std::string& content_type,
                                                          httplib::ContentProviderWithoutLength provider,
                                                          httplib::ContentProviderResourceReleaser releaser) {
  detail::api::check_header("Content-Type", content_type);
  httplib::Response::set_chunked_content_provider(content_type, std::move(provider), std::move(releaser));
}
WINSVC_INLINE void response::set_file_content(const std::string& path, const std::string& content_type) {
  detail::api::check_header("Content-Type", content_type);
  httplib::Response::set_file_content(path, content_type);
}
WINSVC_INLINE void response::set_file_content(const std::string& path) { httplib::Response::set_file_content(path); }

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
