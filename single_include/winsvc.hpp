// winsvc: a router of lambdas becomes a Windows service.
//
//   #include <winsvc.hpp>
//
//   void App(winsvc::service& svc) {
//     svc.name("hello").listen("127.0.0.1", 5001);
//     svc.get("/", [] { return "hello world"; });
//   }
//   WINSVC_MAIN(App)
//
// The program installs, starts, stops, debugs, describes and removes itself: `hello help`. It needs cpp-httplib's
// <httplib.h> beside it and nothing else. The order below is the architecture: a file sees what stands above it here.
//
// winsvc 0.1.0. Copyright 2026 the winsvc authors. SPDX-License-Identifier: MIT (in full at the end)
//
// This file is made by tools/amalgamate out of include/: change it there, where each part below is a file.
//
// Contents, lower floors first; a part uses those above it alone:
//
//     98  config/version.hpp          The version of winsvc: the one place that knows it.
//    115  config/compiler.hpp         What is compiling us.
//    144  config/knobs.hpp            Every knob a user can turn, with its default and its price.
//    184  config/abi.hpp              The inline namespace that everything lives in.
//    209  base/error.hpp              An error is a sentence for a tired person.
//    269  base/result.hpp             A value or the reason there is none.
//    344  base/source.hpp             Where in the user's program a call was written.
//    378  base/scope.hpp              Runs a callable when a scope is left, on every path out of it.
//    409  base/text.hpp               Text as the rest of winsvc needs it: everything inside is UTF-8 in std::string.
//    668  base/quote.hpp              Windows has no argument list, only one command line that each program cuts ...
//    783  base/duration.hpp           Durations as people write them: `250ms`, `30s`, `5m`, `2h`, `1d`.
//    853  base/clock.hpp              Time as a thing that is passed in, so that no test ever sleeps.
//    956  base/stop.hpp               A request to stop, remembered for ever: whoever looks later still sees it.
//   1037  base/log.hpp                The log that a service keeps.
//   1148  model/state.hpp             The words that a service and the Service Control Manager (SCM) share.
//   1287  model/lifecycle.hpp         The life of a service as a pure state machine.
//   1386  model/codes.hpp             What system codes mean to the person who meets them.
//   1490  model/spec.hpp              What is to be installed.
//   1600  model/verbs.hpp             The command line as two tables.
//   1726  model/command.hpp           From argv to what is asked: pure, by the tables of model/verbs.hpp.
//   1930  model/state_file.hpp        What the running service leaves for `status` to find.
//   2042  route/method.hpp            The request methods that routes are made of, and small sets of them.
//   2134  route/path.hpp              The path of a request, cut into segments.
//   2245  route/pattern.hpp           The paths a route serves, as one line of text, and how two of them relate.
//   2423  route/table.hpp             The routes of an app as a tree of segments.
//   2681  wire/limits.hpp             How much a client may send, and how long it may take.
//   2734  wire/grammar.hpp            The few words of HTTP's grammar that the gate and the chunked decoder are ...
//   2812  wire/head.hpp               The gate: decides whether the bytes a client sent are one valid HTTP/1.1 ...
//   3255  wire/chunked.hpp            Decodes a chunked body (RFC 9112 §7.1) as it arrives, strictly.
//   3403  os/console.hpp              The terminal: writing to it, and the ways a person ends a program that runs ...
//   3445  os/posix/door.hpp           The door to POSIX: the one file that includes its system headers.
//   3467  os/posix/console.hpp        os/console.hpp on POSIX.
//   3552  os/service_manager.hpp      The Service Control Manager as seen by who manages services.
//   3662  os/file.hpp                 The few things done with files.
//   3729  os/posix/file.hpp           os/file.hpp on POSIX.
//   3828  os/dispatcher.hpp           The Service Control Manager as seen by the service itself.
//   3868  os/event_log.hpp            The Windows event log: one report, one line.
//   3917  os/process.hpp              This process and its surroundings.
//   3980  os/posix/process.hpp        os/process.hpp, os/event_log.hpp and the service side of the seam on POSIX ...
//   4069  os/socket.hpp               TCP as the engine needs it.
//   4181  os/posix/socket_calls.hpp   What differs between POSIX' sockets and Windows', for os/tcp.hpp.
//   4276  os/win/door.hpp             The door to Windows: the one file that includes <windows.h>.
//   4326  os/win/wide.hpp             Windows' own strings and handles.
//   4388  os/win/socket_calls.hpp     What differs between Windows' sockets and POSIX', for os/tcp.hpp.
//   4521  os/tcp.hpp                  os/socket.hpp on every platform.
//   4743  os/win/console.hpp          os/console.hpp on Windows.
//   4856  os/win/dispatcher.hpp       The real dispatcher: ServiceMain and the control handler, which Windows calls ...
//   4933  os/win/file.hpp             os/file.hpp on Windows.
//   5045  os/win/process.hpp          os/process.hpp and os/event_log.hpp on Windows.
//   5137  os/win/service_manager.hpp  The real Service Control Manager.
//   5308  os/native.hpp               The operating system, whole: the seam and this platform's bodies for it.
//   5314  http/httplib.hpp            The door to cpp-httplib: the one file that includes it.
//   5376  http/reply.hpp              What a handler may answer with, beyond plain text.
//   5500  http/handler.hpp            What a lambda may take and return, and how it is called.
//   5797  http/router.hpp             The routes of an app with their handlers.
//   5895  http/transport.hpp          What a connection reads from and writes to.
//   5980  http/exchange.hpp           One request and its answer on their way through cpp-httplib.
//   6212  http/core.hpp               cpp-httplib at work for one request.
//   6445  http/connection.hpp         One connection, from its first byte to its close.
//   6618  http/engine.hpp             The engine: listens, accepts, serves, drains.
//   6864  host/service.hpp            What App receives: the description of a service.
//   7169  host/app.hpp                What App may be: a function, a global callable object, or a type ...
//   7212  host/reporter.hpp           Publishes what the lifecycle gives, in its order.
//   7256  host/file_log.hpp           The log file: appended to, rotated by size, so many kept.
//   7337  host/health.hpp             Liveness and readiness.
//   7383  host/runtime.hpp            The one order of start, serve, drain and stop, the same in a terminal and ...
//   7692  host/console_host.hpp       `debug`: the service in a terminal.
//   7764  host/service_host.hpp       `run-service`: the service under the Service Control Manager.
//   7978  host/wait.hpp               Waiting until the SCM says that a service has got where it was sent.
//   8041  host/status.hpp             What `status` shows: the SCM's view of the service and what the service left ...
//   8121  host/manage.hpp             The verbs that manage the service: install, remove, start, stop, restart, status.
//   8449  host/run.hpp                From main to a verb: what WINSVC_MAIN calls, and what anyone may call instead.
//   8592  main.hpp                    The macro: a main for an App.
//   8605  config/undef.hpp            The end: every internal macro is taken back here, so that a program is left ...

#pragma once

// =====================================================================================================================
// config/version.hpp
// =====================================================================================================================

// The version of winsvc: the one place that knows it. CMake, Meson and the changelog test read these four lines.
//
//   #if WINSVC_VERSION >= 200      // 0.2.0 or later
//
// WINSVC_VERSION is a plain number, major * 10000 + minor * 100 + patch, so that the preprocessor can compare it.

#define WINSVC_VERSION_MAJOR 0
#define WINSVC_VERSION_MINOR 1
#define WINSVC_VERSION_PATCH 0
#define WINSVC_VERSION_STRING "0.1.0"

#define WINSVC_VERSION (WINSVC_VERSION_MAJOR * 10000 + WINSVC_VERSION_MINOR * 100 + WINSVC_VERSION_PATCH)

// =====================================================================================================================
// config/compiler.hpp
// =====================================================================================================================

// What is compiling us: the only file that asks which platform and compiler this is. Everything else receives an
// answer that is always 0 or 1. These names are internal and are taken back in config/undef.hpp.

#if defined(_MSVC_LANG)
  #define WINSVC_CPLUSPLUS _MSVC_LANG
#else
  #define WINSVC_CPLUSPLUS __cplusplus
#endif

#if WINSVC_CPLUSPLUS < 201703L
  #error "winsvc needs C++17: compile with -std=c++17 (g++, clang++) or /std:c++17 (cl)"
#endif

#if defined(_WIN32)
  #define WINSVC_OS_WINDOWS 1
#else
  #define WINSVC_OS_WINDOWS 0
#endif

#if defined(_MSC_VER)
  #define WINSVC_COMPILER_MSVC 1  // cl, and clang-cl in its dialect
#else
  #define WINSVC_COMPILER_MSVC 0
#endif

// =====================================================================================================================
// config/knobs.hpp
// =====================================================================================================================

// Every knob a user can turn, with its default and its price. Define one before the include, the same in every
// translation unit.
//
//   WINSVC_HTTPLIB    the header that is cpp-httplib. Default <httplib.h>; cpp-httplib 0.41 or newer.
//   WINSVC_JSON       1 where <nlohmann/json.hpp> is found: handlers may take and return winsvc::json. Define it 0 to
//                     keep that header out, which costs compile time; all else works without it.
//   WINSVC_AUTOLINK   1 on MSVC: the system libraries are linked by #pragma comment(lib, ...). Define it 0 to name them
//                     yourself: ws2_32 and advapi32 (elsewhere -lws2_32 is all there is to add).
//   WINSVC_ASSERT     what checks our own promises; default assert from <cassert>.

#include <cassert>

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

// =====================================================================================================================
// config/abi.hpp
// =====================================================================================================================

// The inline namespace that everything lives in. What changes the meaning of our types is spelled into its name, so two
// translation units built with different knobs fail at link time and not at three in the morning.
//
// `winsvc::service` is what you write; `winsvc::v0_json::service` is what the linker sees.

#if WINSVC_JSON
  #define WINSVC_ABI v0_json
  #define WINSVC_ABI_NAME "v0_json"
#else
  #define WINSVC_ABI v0
  #define WINSVC_ABI_NAME "v0"
#endif

#if WINSVC_COMPILER_MSVC
  #pragma detect_mismatch("winsvc", WINSVC_ABI_NAME)
#endif

namespace winsvc {
inline namespace WINSVC_ABI {}
}  // namespace winsvc

// =====================================================================================================================
// base/error.hpp
// =====================================================================================================================

// An error is a sentence for a tired person: what we were doing, to what, what the system said, what to try.
//
//   error{5, "install", "hello", "access denied", "run from an elevated prompt"}.sentence()
//   // install 'hello': access denied (5); run from an elevated prompt
//
// Operations on the world return `result<T>` (base/result.hpp) with an `error` in it. Mistakes of the programmer are
// thrown as `setup_error`. Requests fail with a status (winsvc::abort in http/reply.hpp). There is no fourth way.

#include <cstdint>
#include <stdexcept>
#include <string>

namespace winsvc {
inline namespace WINSVC_ABI {

/// What went wrong with an operation on the world. A value: copy it, store it, print it.
struct error {
  std::uint32_t code = 0;  ///< the system's own number (a Win32 code; errno elsewhere); becomes the exit code
  std::string doing;       ///< the verb: "install", "listen on"
  std::string subject;     ///< what it was done to, unquoted: the service, the address, the file
  std::string said;        ///< what the system answered, in words
  std::string hint;        ///< what to try; empty when we do not know better

  /// One line: `doing 'subject': said (code); hint`. Parts that are empty are left out, punctuation and
  /// all; a code that stands in `said` already is not repeated.
  [[nodiscard]] std::string sentence() const;
};

/// A mistake in how the app is described: a duplicate route, a parameter that the lambda does not take, a call after
/// start. Thrown at registration or at start-up, on the thread that made the call, with both places in its text.
class setup_error : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

// ---------------------------------------------------------------------------------------------------------------------

inline std::string error::sentence() const {
  std::string line = doing;
  if (!subject.empty()) {
    if (!line.empty()) line += ' ';
    line += '\'' + subject + '\'';
  }
  if (!said.empty()) {
    if (!line.empty()) line += ": ";
    line += said;
  }
  const std::string number = "(" + std::to_string(code) + ")";
  if (code != 0 && said.find(number) == std::string::npos) line += (line.empty() ? "" : " ") + number;
  if (!hint.empty()) line += (line.empty() ? "" : "; ") + hint;
  return line;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// base/result.hpp
// =====================================================================================================================

// A value or the reason there is none. What an operation on the world returns instead of throwing.
//
//   result<config> read(const path&);
//   if (auto got = read(p)) use(*got); else complain(got.error().sentence());
//
// `result<T, std::uint32_t>` is the same with a bare system code: the form the thin operating-system layer uses, whose
// callers know the sentence.

#include <cstdint>
#include <utility>
#include <variant>

namespace winsvc {
inline namespace WINSVC_ABI {

/// The failing side of a result: `return failure{error{...}};`
template <class E>
struct failure {
  E reason;
};
template <class E>
failure(E) -> failure<E>;

template <class T, class E = winsvc::error>
class [[nodiscard]] result {
 public:
  result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  result(failure<E> why) : held_(std::in_place_index<1>, std::move(why.reason)) {}

  explicit operator bool() const noexcept { return held_.index() == 0; }

  /// The value. Asking a failed result for it is a bug of the caller (asserted).
  T& operator*() & { return *check(std::get_if<0>(&held_)); }
  const T& operator*() const& { return *check(std::get_if<0>(&held_)); }
  T&& operator*() && { return std::move(*check(std::get_if<0>(&held_))); }
  T* operator->() { return check(std::get_if<0>(&held_)); }
  const T* operator->() const { return check(std::get_if<0>(&held_)); }

  /// The reason. Asking a result that succeeded for it is a bug of the caller (asserted).
  [[nodiscard]] const E& error() const { return *check(std::get_if<1>(&held_)); }

 private:
  template <class P>
  static P* check(P* held) {
    WINSVC_ASSERT(held != nullptr && "winsvc::result: asked for the side it does not hold");
    return held;
  }
  std::variant<T, E> held_;
};

/// Nothing, or the reason it failed: `return {};` is success.
template <class E>
class [[nodiscard]] result<void, E> {
 public:
  result() = default;
  result(failure<E> why) : reason_(std::move(why.reason)), ok_(false) {}

  explicit operator bool() const noexcept { return ok_; }
  [[nodiscard]] const E& error() const {
    WINSVC_ASSERT(!ok_ && "winsvc::result: asked for the error of a success");
    return reason_;
  }

 private:
  E reason_{};
  bool ok_ = true;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// base/source.hpp
// =====================================================================================================================

// Where in the user's program a call was written. Registration functions take one as their last, defaulted argument, so
// that a conflict can show both lines. (std::source_location is C++20; the built-ins below are in g++, clang and cl.)
//
//   void get(std::string pattern, F handler, source where = source::here());

#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {

struct source {
  const char* file = "";
  int line = 0;

  static constexpr source here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) noexcept {
    return {file, line};
  }

  /// `main.cpp:12`: the file's last component, which is what a person recognises.
  [[nodiscard]] std::string text() const {
    const std::string_view path = file;
    const auto slash = path.find_last_of("/\\");
    return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1)) + ':' + std::to_string(line);
  }
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// base/scope.hpp
// =====================================================================================================================

// Runs a callable when a scope is left, on every path out of it.
//
//   const scope_exit close([&] { ::fclose(file); });
//
// The callable must not throw. There is no `release`: a scope that may keep what it opened returns an owning type.

#include <type_traits>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {

template <class F>
class [[nodiscard]] scope_exit {
 public:
  explicit scope_exit(F at_exit) noexcept(std::is_nothrow_move_constructible_v<F>) : at_exit_(std::move(at_exit)) {}
  ~scope_exit() { at_exit_(); }
  scope_exit(const scope_exit&) = delete;
  scope_exit& operator=(const scope_exit&) = delete;

 private:
  F at_exit_;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// base/text.hpp
// =====================================================================================================================

// Text as the rest of winsvc needs it: everything inside is UTF-8 in std::string; UTF-16 exists only where Windows is
// called. Case is folded for ASCII alone, because verbs, options and header names are ASCII.
//
//   text::to_utf16("Zürich")      text::equal_nocase("Content-Type", "content-type")
//   text::nearest("instal", verbs)                                    // "install"
//
// It does no locale, no normalisation, no Unicode case.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace text {

/// UTF-8 to UTF-16. A malformed byte becomes U+FFFD, so that no input is refused and none passes unseen.
[[nodiscard]] std::u16string to_utf16(std::string_view utf8);
/// UTF-16 to UTF-8. A lone surrogate becomes U+FFFD.
[[nodiscard]] std::string to_utf8(std::u16string_view utf16);

[[nodiscard]] constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
[[nodiscard]] constexpr char to_upper(char c) noexcept {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
}
[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
[[nodiscard]] std::string lowered(std::string_view s);
[[nodiscard]] bool equal_nocase(std::string_view a, std::string_view b) noexcept;
[[nodiscard]] bool starts_with(std::string_view s, std::string_view prefix) noexcept;

/// The first bytes, at most so many, without cutting a character in two.
[[nodiscard]] std::string_view cut(std::string_view s, std::size_t most) noexcept;
/// Without the blanks and tabs at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view s) noexcept;
/// Cut at every `mark`; "" gives one empty piece, as "a," gives two.
[[nodiscard]] std::vector<std::string_view> split(std::string_view s, char mark);
[[nodiscard]] std::string join(const std::vector<std::string>& parts, std::string_view between);

/// A decimal number that is all of `s`, at most `most`; false otherwise, and `out` is untouched.
[[nodiscard]] bool parse_number(std::string_view s, std::uint64_t most, std::uint64_t& out) noexcept;

/// How many letters must be changed, added, dropped or swapped with their neighbour to turn one word into the other.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);
/// The word a person most likely meant; empty when none is near (within a third of its length, at least one).
[[nodiscard]] std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known);

/// `s` as a JSON string, quotes included (RFC 8259, section 7). Malformed UTF-8 becomes U+FFFD.
[[nodiscard]] std::string json_quoted(std::string_view s);

/// The next code point of `s` from `at`, which moves past it; U+FFFD for a malformed byte, which is one byte long.
[[nodiscard]] char32_t next_code_point(std::string_view s, std::size_t& at) noexcept;
void append_utf8(std::string& out, char32_t code_point);

// ---------------------------------------------------------------------------------------------------------------------

inline char32_t next_code_point(std::string_view s, std::size_t& at) noexcept {
  constexpr char32_t malformed = 0xFFFD;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char first = byte(at++);
  if (first < 0x80) return first;

  const int more = first >= 0xF0 && first <= 0xF4  ? 3
                   : first >= 0xE0 && first < 0xF0 ? 2
                   : first >= 0xC2 && first < 0xE0 ? 1
                                                   : 0;
  if (more == 0 || at + static_cast<std::size_t>(more) > s.size()) return malformed;

  char32_t value = first & (0x3Fu >> more);
  for (int i = 0; i < more; ++i) {
    const unsigned char next = byte(at + static_cast<std::size_t>(i));
    if ((next & 0xC0u) != 0x80u) return malformed;
    value = (value << 6) | (next & 0x3Fu);
  }
  constexpr char32_t least[] = {0, 0x80, 0x800, 0x10000};  // below: an overlong form
  if (value < least[more] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return malformed;
  at += static_cast<std::size_t>(more);
  return value;
}

inline void append_utf8(std::string& out, char32_t c) {
  const auto put = [&](char32_t bits) { out += static_cast<char>(static_cast<unsigned char>(bits)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

inline std::u16string to_utf16(std::string_view utf8) {
  std::u16string out;
  out.reserve(utf8.size());
  for (std::size_t at = 0; at < utf8.size();) {
    const char32_t c = next_code_point(utf8, at);
    if (c < 0x10000) {
      out += static_cast<char16_t>(c);
    } else {
      out += static_cast<char16_t>(0xD800 + ((c - 0x10000) >> 10));
      out += static_cast<char16_t>(0xDC00 + ((c - 0x10000) & 0x3FF));
    }
  }
  return out;
}

inline std::string to_utf8(std::u16string_view utf16) {
  std::string out;
  out.reserve(utf16.size());
  for (std::size_t i = 0; i < utf16.size(); ++i) {
    char32_t c = utf16[i];
    const bool high = c >= 0xD800 && c < 0xDC00;
    if (high && i + 1 < utf16.size() && utf16[i + 1] >= 0xDC00 && utf16[i + 1] < 0xE000) {
      c = 0x10000 + ((c - 0xD800) << 10) + (utf16[++i] - 0xDC00u);
    } else if (c >= 0xD800 && c < 0xE000) {
      c = 0xFFFD;
    }
    append_utf8(out, c);
  }
  return out;
}

inline std::string lowered(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = to_lower(c);
  return out;
}

inline bool equal_nocase(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return to_lower(x) == to_lower(y); });
}

inline bool starts_with(std::string_view s, std::string_view prefix) noexcept {
  return s.substr(0, prefix.size()) == prefix;
}

inline std::string_view cut(std::string_view s, std::size_t most) noexcept {
  if (s.size() <= most) return s;
  std::size_t end = most;
  while (end > 0 && most - end < 4 && (static_cast<unsigned char>(s[end]) & 0xC0u) == 0x80u) --end;
  return s.substr(0, end);
}

inline std::string_view trimmed(std::string_view s) noexcept {
  const auto first = s.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(" \t") - first + 1);
}

inline std::vector<std::string_view> split(std::string_view s, char mark) {
  std::vector<std::string_view> pieces;
  for (;;) {
    const auto cut = s.find(mark);
    pieces.push_back(s.substr(0, cut));
    if (cut == std::string_view::npos) return pieces;
    s.remove_prefix(cut + 1);
  }
}

inline std::string join(const std::vector<std::string>& parts, std::string_view between) {
  std::string out;
  for (const auto& part : parts) {
    if (&part != &parts.front()) out += between;
    out += part;
  }
  return out;
}

inline bool parse_number(std::string_view s, std::uint64_t most, std::uint64_t& out) noexcept {
  if (s.empty()) return false;
  std::uint64_t value = 0;
  for (const char c : s) {
    if (!is_digit(c)) return false;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (digit > most || value > (most - digit) / 10) return false;
    value = value * 10 + digit;
  }
  out = value;
  return true;
}

inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the usual table (optimal string alignment): swapped neighbours need the row before the last.
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before.swap(last);
    last.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = (std::min)({change, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = (std::min)(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

inline std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known) {
  const std::string low = lowered(word);
  std::string_view best;
  std::size_t best_distance = 0;
  for (const auto& candidate : known) {
    const std::size_t distance = edit_distance(low, lowered(candidate));
    if (distance > (std::max)(std::size_t{1}, candidate.size() / 3)) continue;
    if (best.empty() || distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

inline std::string json_quoted(std::string_view s) {
  constexpr char hex[] = "0123456789abcdef";
  std::string out = "\"";
  for (std::size_t at = 0; at < s.size();) {
    const char32_t c = next_code_point(s, at);
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (c < 0x20) {
          out += "\\u00";
          out += hex[c >> 4];
          out += hex[c & 15];
        } else {
          append_utf8(out, c);
        }
    }
  }
  return out + '"';
}

}  // namespace text
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// base/quote.hpp
// =====================================================================================================================

// Windows has no argument list, only one command line that each program cuts for itself. These two functions are the
// rules of CommandLineToArgvW and the Microsoft C runtime, in both directions. What is quoted here both read the same;
// they differ about `""` within quotes, where CommandLineToArgvW ends the quotes: there we cut as the runtime does.
//
//   quote_argument(R"(C:\My tools\app.exe)")     // "C:\My tools\app.exe"  with quotes
//   split_command_line(whole)                    // back again
//
// An unquoted path with a blank in a service's ImagePath lets `C:\My.exe` run in its place (CWE-428), so the executable
// is quoted always.
// Source: "Parsing C command-line arguments" and CommandLineToArgvW in the Win32 documentation.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {

/// When quotes are put around an argument: only where the rules demand them, or always.
enum class quoting { needed, always };

/// One argument, so that it comes out of `split_command_line` unchanged. It must not hold a NUL.
[[nodiscard]] std::string quote_argument(std::string_view argument, quoting when = quoting::needed);

/// `program` quoted always, then each argument quoted where needed: the form for an ImagePath.
[[nodiscard]] std::string command_line(std::string_view program, const std::vector<std::string>& arguments);

/// Cuts a command line by those rules. The first piece, the program, has rules of its own: a quote ends
/// only at the next quote, and backslashes are plain. An empty line gives an empty list.
[[nodiscard]] std::vector<std::string> split_command_line(std::string_view line);

// ---------------------------------------------------------------------------------------------------------------------

inline std::string quote_argument(std::string_view argument, quoting when) {
  const bool plain = !argument.empty() && argument.find_first_of(" \t\n\v\"") == std::string_view::npos;
  if (plain && when == quoting::needed) return std::string(argument);

  std::string out = "\"";
  std::size_t backslashes = 0;
  for (const char c : argument) {
    if (c == '\\') {
      ++backslashes;
      continue;
    }
    // Backslashes are plain characters except before a quote: there each counts double, and one more escapes the quote.
    out.append(c == '"' ? backslashes * 2 + 1 : backslashes, '\\');
    backslashes = 0;
    out += c;
  }
  out.append(backslashes * 2, '\\');  // the closing quote follows
  return out + '"';
}

inline std::string command_line(std::string_view program, const std::vector<std::string>& arguments) {
  std::string line = quote_argument(program, quoting::always);
  for (const auto& argument : arguments) line += ' ' + quote_argument(argument);
  return line;
}

inline std::vector<std::string> split_command_line(std::string_view line) {
  std::vector<std::string> pieces;
  if (line.empty()) return pieces;
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  std::size_t at = 0;

  std::string program;
  if (line[0] == '"') {
    const auto end = line.find('"', 1);
    program = line.substr(1, end == std::string_view::npos ? end : end - 1);
    at = end == std::string_view::npos ? line.size() : end + 1;
  } else {
    while (at < line.size() && !blank(line[at])) program += line[at++];
  }
  pieces.push_back(std::move(program));

  for (;;) {
    while (at < line.size() && blank(line[at])) ++at;
    if (at >= line.size()) return pieces;

    std::string piece;
    bool quoted = false;
    while (at < line.size() && (quoted || !blank(line[at]))) {
      std::size_t backslashes = 0;
      while (at < line.size() && line[at] == '\\') {
        ++backslashes;
        ++at;
      }
      if (at < line.size() && line[at] == '"') {
        piece.append(backslashes / 2, '\\');
        if (backslashes % 2 == 1) {
          piece += '"';
        } else if (quoted && at + 1 < line.size() && line[at + 1] == '"') {
          piece += '"';  // "" inside quotes is one quote, and the quotes go on
          ++at;
        } else {
          quoted = !quoted;
        }
        ++at;
        continue;
      }
      piece.append(backslashes, '\\');
      if (backslashes == 0) piece += line[at++];
    }
    pieces.push_back(std::move(piece));
  }
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// base/duration.hpp
// =====================================================================================================================

// Durations as people write them: `250ms`, `30s`, `5m`, `2h`, `1d`; a bare number is seconds.
//
//   parse_duration("1m30s")    // 90 s
//   duration_text(1500ms)      // "1.5 s"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {

/// One or more `number unit` pairs, largest unit not required first; nothing for anything else or beyond 10,000 days.
[[nodiscard]] inline std::optional<std::chrono::milliseconds> parse_duration(std::string_view s) {
  struct unit {
    std::string_view name;
    std::uint64_t ms;
  };
  constexpr unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}, {"", 1000}};
  constexpr std::uint64_t most = 10'000ull * 86'400'000ull;

  s = text::trimmed(s);
  if (s.empty()) return std::nullopt;
  std::uint64_t total = 0;
  while (!s.empty()) {
    const auto digits = (std::min)(s.find_first_not_of("0123456789"), s.size());
    std::uint64_t count = 0;
    if (!text::parse_number(s.substr(0, digits), most, count)) return std::nullopt;
    s.remove_prefix(digits);

    const auto name = s.substr(0, (std::min)(s.find_first_of("0123456789"), s.size()));
    const unit* found = nullptr;
    for (const auto& u : units) {
      if (text::equal_nocase(u.name, name)) found = &u;
    }
    if (!found || count > most / found->ms) return std::nullopt;
    s.remove_prefix(name.size());
    total += count * found->ms;
    if (total > most) return std::nullopt;
  }
  return std::chrono::milliseconds(total);
}

/// For a sentence: "350 ms", "1.5 s", "20 s", "3 min", "2 h 5 min", "4 d 1 h".
[[nodiscard]] inline std::string duration_text(std::chrono::milliseconds d) {
  const auto ms = d.count() < 0 ? 0 : d.count();
  const auto two = [](std::int64_t big, const char* big_name, std::int64_t rest, const char* rest_name) {
    std::string out = std::to_string(big) + big_name;
    if (rest != 0) out += ' ' + std::to_string(rest) + rest_name;
    return out;
  };
  if (ms < 1000) return std::to_string(ms) + " ms";
  if (ms < 60'000) {
    const auto tenths = ms / 100 % 10;
    return std::to_string(ms / 1000) + (tenths != 0 ? "." + std::to_string(tenths) : "") + " s";
  }
  if (ms < 3'600'000) return two(ms / 60'000, " min", ms / 1000 % 60, " s");
  if (ms < 86'400'000) return two(ms / 3'600'000, " h", ms / 60'000 % 60, " min");
  return two(ms / 86'400'000, " d", ms / 3'600'000 % 24, " h");
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// base/clock.hpp
// =====================================================================================================================

// Time as a thing that is passed in, so that no test ever sleeps: what waits in winsvc asks a `clock`, and
// winsvc/testing.hpp has one that is moved by hand.
//
//   const auto deadline = clock.now() + 20s;
//   while (!done() && clock.now() < deadline) clock.sleep(250ms);

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>

namespace winsvc {
inline namespace WINSVC_ABI {

class clock {
 public:
  using duration = std::chrono::steady_clock::duration;
  using time_point = std::chrono::steady_clock::time_point;
  using wall_point = std::chrono::system_clock::time_point;

  virtual ~clock() = default;
  [[nodiscard]] virtual time_point now() const noexcept { return std::chrono::steady_clock::now(); }
  [[nodiscard]] virtual wall_point wall() const noexcept { return std::chrono::system_clock::now(); }
  virtual void sleep(duration d) { std::this_thread::sleep_for(d); }

  /// The machine's own clock. Lives as long as the program.
  static clock& system() {
    static clock machine;
    return machine;
  }
};

/// A moment in UTC, cut into the fields that dates are written with.
struct utc_fields {
  std::int64_t year = 1970;
  unsigned month = 1, day = 1, hour = 0, minute = 0, second = 0, millisecond = 0;
  unsigned weekday = 4;  ///< 0 is Sunday
};
[[nodiscard]] utc_fields to_utc(clock::wall_point when) noexcept;

/// `2026-01-31T08:05:09.250Z` (RFC 3339).
[[nodiscard]] std::string iso_time(clock::wall_point when);
/// `Sat, 31 Jan 2026 08:05:09 GMT`, the form of the Date header (RFC 9110, section 5.6.7).
[[nodiscard]] std::string http_date(clock::wall_point when);

// ---------------------------------------------------------------------------------------------------------------------

inline utc_fields to_utc(clock::wall_point when) noexcept {
  using namespace std::chrono;
  const std::int64_t ms = floor<milliseconds>(when.time_since_epoch()).count();  // downwards before 1970 too
  std::int64_t days = ms / 86'400'000;
  std::int64_t rest = ms % 86'400'000;
  if (rest < 0) {
    rest += 86'400'000;
    --days;
  }
  utc_fields f;
  f.hour = static_cast<unsigned>(rest / 3'600'000);
  f.minute = static_cast<unsigned>(rest / 60'000 % 60);
  f.second = static_cast<unsigned>(rest / 1000 % 60);
  f.millisecond = static_cast<unsigned>(rest % 1000);
  f.weekday = static_cast<unsigned>(((days % 7) + 11) % 7);  // day 0 was a Thursday

  // Days to a date, counted in 400-year eras whose year begins in March, so that the leap day is the last of its year.
  // std::gmtime is not used: it shares one buffer between threads, and its safe forms differ between platforms.
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146'097);
  const unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned march_month = (5 * day_of_year + 2) / 153;
  f.day = day_of_year - (153 * march_month + 2) / 5 + 1;
  f.month = march_month < 10 ? march_month + 3 : march_month - 9;
  f.year = static_cast<std::int64_t>(year_of_era) + era * 400 + (f.month <= 2 ? 1 : 0);
  return f;
}

inline std::string iso_time(clock::wall_point when) {
  const utc_fields f = to_utc(when);
  char out[64];
  std::snprintf(out, sizeof out, "%04lld-%02u-%02uT%02u:%02u:%02u.%03uZ", static_cast<long long>(f.year), f.month,
                f.day, f.hour, f.minute, f.second, f.millisecond);
  return out;
}

inline std::string http_date(clock::wall_point when) {
  constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const utc_fields f = to_utc(when);
  char out[64];
  std::snprintf(out, sizeof out, "%s, %02u %s %04lld %02u:%02u:%02u GMT", days[f.weekday], f.day, months[f.month - 1],
                static_cast<long long>(f.year), f.hour, f.minute, f.second);
  return out;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// base/stop.hpp
// =====================================================================================================================

// A request to stop, remembered for ever: whoever looks later still sees it. What a worker waits on.
//
//   svc.worker("poller", [](winsvc::stop_token stop) {
//     while (!stop.wait_for(5s)) poll_once();
//   });
//
// It carries no reason and cannot be taken back. (std::stop_token is C++20 and has no timed wait of its own.)

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {

class stop_source;

/// The listening end. Copies listen to the same request. Safe to use from any thread.
class stop_token {
 public:
  [[nodiscard]] bool stop_requested() const {
    const std::lock_guard lock(state_->mutex);
    return state_->stopped;
  }

  /// Waits that long, or until a stop is requested. True: stop now. More than a year is for ever.
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> how_long) const {
    // hours::max() and its kin would overflow when added to the time that it is now, and not wait at all.
    if (std::chrono::duration<double>(how_long) > std::chrono::hours(24 * 365)) {
      wait();
      return true;
    }
    std::unique_lock lock(state_->mutex);
    return state_->changed.wait_for(lock, how_long, [this] { return state_->stopped; });
  }

  /// Waits until a stop is requested.
  void wait() const {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [this] { return state_->stopped; });
  }

 private:
  friend class stop_source;
  struct shared {
    std::mutex mutex;
    std::condition_variable changed;
    bool stopped = false;
  };
  explicit stop_token(std::shared_ptr<shared> state) : state_(std::move(state)) {}
  std::shared_ptr<shared> state_;
};

/// The asking end, owned by whoever decides.
class stop_source {
 public:
  [[nodiscard]] stop_token token() const { return stop_token(state_); }

  /// Any number of times, from any thread; the first one counts.
  void request_stop() const noexcept {
    {
      const std::lock_guard lock(state_->mutex);
      state_->stopped = true;
    }
    state_->changed.notify_all();
  }

 private:
  std::shared_ptr<stop_token::shared> state_ = std::make_shared<stop_token::shared>();
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// base/log.hpp
// =====================================================================================================================

// The log that a service keeps: lines with a time and a level, handed to sinks (the file, the console, the event log).
//
//   svc.log().info("store opened, 12 users");
//
// The text is written as it is; format it with what you like. A sink never throws and never stops the caller: a log
// that cannot be written must not end a service that can serve. What is logged before the first sink is there (in App,
// say) is kept and handed to it, up to 100 lines.

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {

enum class log_level { debug, info, warn, error };
[[nodiscard]] constexpr std::string_view name(log_level l) noexcept {
  constexpr std::string_view names[] = {"debug", "info", "warn", "error"};
  return names[static_cast<int>(l)];
}

struct log_entry {
  clock::wall_point when;
  log_level level = log_level::info;
  std::string text;

  /// `2026-01-31T08:05:09.250Z INFO  text`, without a line end. Line breaks in the text are indented, so that every
  /// line that starts with a digit starts an entry.
  [[nodiscard]] std::string line() const;
};

/// Where entries go. Called by one thread at a time, from any thread.
class log_sink {
 public:
  virtual ~log_sink() = default;
  virtual void write(const log_entry& entry) noexcept = 0;
  virtual void flush() noexcept {}
};

/// The front: safe to use from any thread.
class logger {
 public:
  explicit logger(const clock& time = clock::system()) : time_(&time) {}

  void debug(std::string text) { write(log_level::debug, std::move(text)); }
  void info(std::string text) { write(log_level::info, std::move(text)); }
  void warn(std::string text) { write(log_level::warn, std::move(text)); }
  void error(std::string text) { write(log_level::error, std::move(text)); }
  void write(log_level level, std::string text);

  /// Entries below it are dropped. Default: info.
  void threshold(log_level least) noexcept { least_.store(least, std::memory_order_relaxed); }
  [[nodiscard]] bool wants(log_level level) const noexcept { return level >= least_.load(std::memory_order_relaxed); }

  void add_sink(std::shared_ptr<log_sink> sink);
  void flush() noexcept;

 private:
  const clock* time_;
  std::atomic<log_level> least_{log_level::info};  // relaxed: a line more or less around a change of level is no harm
  std::mutex mutex_;
  std::vector<std::shared_ptr<log_sink>> sinks_;
  std::vector<log_entry> early_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline std::string log_entry::line() const {
  constexpr std::string_view padded[] = {"DEBUG ", "INFO  ", "WARN  ", "ERROR "};
  std::string out = iso_time(when) + ' ' + std::string(padded[static_cast<int>(level)]);
  for (const char c : text) {
    if (c == '\r') continue;
    out += c;
    if (c == '\n') out += "    ";
  }
  return out;
}

inline void logger::write(log_level level, std::string text) {
  if (!wants(level)) return;
  constexpr std::size_t kept_early = 100;
  const std::lock_guard lock(mutex_);
  log_entry entry{time_->wall(), level, std::move(text)};  // stamped under the lock: times in a file never go back
  for (const auto& sink : sinks_) sink->write(entry);
  if (sinks_.empty() && early_.size() < kept_early) early_.push_back(std::move(entry));
}

inline void logger::add_sink(std::shared_ptr<log_sink> sink) {
  const std::lock_guard lock(mutex_);
  for (const auto& entry : early_) sink->write(entry);
  early_.clear();
  sinks_.push_back(std::move(sink));
}

inline void logger::flush() noexcept {
  const std::lock_guard lock(mutex_);
  for (const auto& sink : sinks_) sink->flush();
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// model/state.hpp
// =====================================================================================================================

// The words that a service and the Service Control Manager (SCM) share: states, controls, statuses, exit codes. The
// numbers are Win32's own, so that the layer that talks to Windows copies them without a table.
//
// Source: SERVICE_STATUS, HandlerEx and SetServiceStatus in the Win32 documentation.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// dwCurrentState. `none` is before the first report, a state of ours.
enum class state : std::uint32_t {
  none = 0,
  stopped = 1,
  start_pending = 2,
  stop_pending = 3,
  running = 4,
  continue_pending = 5,
  pause_pending = 6,
  paused = 7,
};

[[nodiscard]] constexpr std::string_view name(state s) noexcept {
  constexpr std::string_view names[] = {"none",    "stopped",          "start pending", "stop pending",
                                        "running", "continue pending", "pause pending", "paused"};
  const auto i = static_cast<std::uint32_t>(s);
  return i < 8 ? names[i] : "unknown";
}

[[nodiscard]] constexpr bool is_pending(state s) noexcept {
  return s == state::start_pending || s == state::stop_pending || s == state::continue_pending ||
         s == state::pause_pending;
}

/// What the SCM sends to a service. 128 to 255 are the service's own.
enum class control : std::uint32_t {
  stop = 1,
  pause = 2,
  resume = 3,  // SERVICE_CONTROL_CONTINUE
  interrogate = 4,
  shutdown = 5,
  param_change = 6,
  device_event = 11,
  hardware_profile_change = 12,
  power_event = 13,
  session_change = 14,
  preshutdown = 15,
  time_change = 16,
};

/// dwControlsAccepted, one bit a kind of control.
namespace accept {
inline constexpr std::uint32_t stop = 0x1, pause_continue = 0x2, shutdown = 0x4, param_change = 0x8,
                               power_event = 0x40, session_change = 0x80, preshutdown = 0x100, time_change = 0x200;
}

/// How a service ended: dwWin32ExitCode, and dwServiceSpecificExitCode where the first is 1066.
struct exit_status {
  std::uint32_t win32 = 0;
  std::uint32_t specific = 0;

  [[nodiscard]] bool failed() const noexcept { return win32 != 0; }
  /// The number that tells the most: for the exit code of a process, for a person.
  [[nodiscard]] std::uint32_t code() const noexcept { return win32 == 1066 ? specific : win32; }
};

namespace code {
inline constexpr std::uint32_t exception_in_service = 1064;  // ERROR_EXCEPTION_IN_SERVICE
inline constexpr std::uint32_t service_specific = 1066;      // ERROR_SERVICE_SPECIFIC_ERROR
}  // namespace code

/// A failure as the SCM must be told it: never 0, which it reads as success and does not recover from, and never 1066
/// without a number, which Windows shows as "completed successfully".
[[nodiscard]] constexpr exit_status failure_status(std::uint32_t reason) noexcept {
  if (reason == 0 || reason == code::service_specific) return {code::exception_in_service, 0};
  return {reason, 0};
}

/// What is reported to the SCM: SERVICE_STATUS without its type field.
struct service_status {
  state current = state::none;
  std::uint32_t accepted = 0;
  exit_status exit;
  std::uint32_t checkpoint = 0;
  std::chrono::milliseconds wait_hint{0};
};

/// The controls that hooks are there for. What is not hooked is not advertised: the SCM then refuses it for us (1052).
struct hooked {
  bool pause_continue = false;
  bool param_change = false;
  bool power_event = false;
  bool session_change = false;
  bool time_change = false;
  bool preshutdown = false;
};

/// The one function that computes the mask of accepted controls: nothing in a pending state and in STOPPED. With
/// PRESHUTDOWN accepted, Windows delivers no SHUTDOWN, so exactly one of the two is asked for.
[[nodiscard]] constexpr std::uint32_t accepted_controls(state s, const hooked& h) noexcept {
  if (s != state::running && s != state::paused) return 0;
  std::uint32_t mask = accept::stop | (h.preshutdown ? accept::preshutdown : accept::shutdown);
  if (h.pause_continue) mask |= accept::pause_continue;
  if (h.param_change) mask |= accept::param_change;
  if (h.power_event) mask |= accept::power_event;
  if (h.session_change) mask |= accept::session_change;
  if (h.time_change) mask |= accept::time_change;
  return mask;
}

/// Would a service that accepts `mask` be handed this control? (INTERROGATE always, custom codes always.)
[[nodiscard]] constexpr bool is_accepted(std::uint32_t mask, control c) noexcept {
  switch (c) {
    case control::stop: return (mask & accept::stop) != 0;
    case control::pause:
    case control::resume: return (mask & accept::pause_continue) != 0;
    case control::shutdown: return (mask & accept::shutdown) != 0;
    case control::param_change: return (mask & accept::param_change) != 0;
    case control::power_event: return (mask & accept::power_event) != 0;
    case control::session_change: return (mask & accept::session_change) != 0;
    case control::preshutdown: return (mask & accept::preshutdown) != 0;
    case control::time_change: return (mask & accept::time_change) != 0;
    case control::interrogate: return true;
    default: return static_cast<std::uint32_t>(c) >= 128 && static_cast<std::uint32_t>(c) <= 255;
  }
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// model/lifecycle.hpp
// =====================================================================================================================

// The life of a service as a pure state machine: a table of legal moves, and for each move the status to publish.
//
//   lifecycle life({});
//   publish(*life.apply(step::start, 30s));     // START_PENDING, checkpoint 1
//   publish(*life.apply(step::ready));          // RUNNING
//   life.apply(step::ready);                    // nullopt: not legal from here, publish nothing
//
// It holds no thread, no clock and no handle: the host publishes what it is given, under one lock, in the order given.
// STOPPED is given once, and nothing after it, because the process may be ended the moment the SCM hears it.

#include <chrono>
#include <optional>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// What happened, or is asked for.
enum class step { start, progress, ready, pause, paused, resume, resumed, stop, finished };

/// One legal move. `progress` stays in its state and raises the checkpoint.
struct move {
  state from;
  step what;
  state to;
};

inline constexpr move legal_moves[] = {
    {state::none, step::start, state::start_pending},
    {state::start_pending, step::progress, state::start_pending},
    {state::start_pending, step::ready, state::running},
    {state::start_pending, step::stop, state::stop_pending},
    {state::start_pending, step::finished, state::stopped},
    {state::running, step::pause, state::pause_pending},
    {state::running, step::stop, state::stop_pending},
    {state::pause_pending, step::progress, state::pause_pending},
    {state::pause_pending, step::paused, state::paused},
    {state::pause_pending, step::stop, state::stop_pending},
    {state::paused, step::resume, state::continue_pending},
    {state::paused, step::stop, state::stop_pending},
    {state::continue_pending, step::progress, state::continue_pending},
    {state::continue_pending, step::resumed, state::running},
    {state::continue_pending, step::stop, state::stop_pending},
    {state::stop_pending, step::progress, state::stop_pending},
    {state::stop_pending, step::finished, state::stopped},
};

class lifecycle {
 public:
  explicit lifecycle(hooked hooks) noexcept : hooks_(hooks) {}

  [[nodiscard]] const service_status& now() const noexcept { return now_; }
  [[nodiscard]] bool ended() const noexcept { return now_.current == state::stopped; }

  /// Which controls are hooked; known only when the app has been described, which is after START_PENDING.
  void hooks(hooked h) noexcept { hooks_ = h; }

  /// Makes the move and returns what to publish, or nothing where the table has no such move.
  /// `wait_hint`: how long until the next report at the latest; for pending states only.
  /// `exit`: for step::finished only.
  std::optional<service_status> apply(step what, std::chrono::milliseconds wait_hint = {},
                                      exit_status exit = {}) noexcept;

 private:
  hooked hooks_;
  service_status now_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline std::optional<service_status> lifecycle::apply(step what, std::chrono::milliseconds wait_hint,
                                                      exit_status exit) noexcept {
  for (const auto& m : legal_moves) {
    if (m.from != now_.current || m.what != what) continue;

    service_status next;
    next.current = m.to;
    next.accepted = accepted_controls(m.to, hooks_);
    if (is_pending(m.to)) {
      next.checkpoint = m.from == m.to ? now_.checkpoint + 1 : 1;
      // A progress without a hint of its own keeps the last one; a pending state without any hint would let the SCM
      // give up after its own 2 s.
      next.wait_hint = wait_hint.count() > 0 || m.from != m.to ? wait_hint : now_.wait_hint;
    }
    if (m.to == state::stopped) next.exit = exit;
    now_ = next;
    return next;
  }
  return std::nullopt;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// model/codes.hpp
// =====================================================================================================================

// What system codes mean to the person who meets them: one table of words and remedies. Every error sentence about
// services and sockets takes its second half from here.
//
//   explain(1072)->said      // "the service is marked for deletion"
//   explain(1072)->hint      // "close the Services window and Task Manager, ..."
//
// A code that is not in the table gets the system's own words and no remedy.
// Source: "System Error Codes" and "Windows Sockets Error Codes" in the Win32 documentation.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// The exit codes of the verbs. Anything else that is not 0 is the system's own code.
namespace exits {
inline constexpr int ok = 0;
inline constexpr int usage = 2;
inline constexpr int not_running = 3;    // status
inline constexpr int not_installed = 4;  // status
}  // namespace exits

/// The system codes that decisions are made on.
namespace code {
inline constexpr std::uint32_t access_denied = 5, call_not_implemented = 120, invalid_service_control = 1052,
                               service_request_timeout = 1053, service_already_running = 1056, service_disabled = 1058,
                               service_does_not_exist = 1060, service_cannot_accept_control = 1061,
                               service_not_active = 1062, failed_controller_connect = 1063,
                               service_marked_for_delete = 1072, service_exists = 1073, timeout = 1460,
                               address_in_use = 10048, access_to_address = 10013, address_not_available = 10049;
}

struct explanation {
  std::uint32_t code;
  std::string_view said;
  std::string_view hint;
};

inline constexpr explanation explanations[] = {
    {2, "the file was not found", "check the path"},
    {3, "the folder was not found", "check the path"},
    {5, "access denied", "run from an elevated prompt"},
    {50, "not supported on this system", ""},
    {87, "a parameter is not valid", ""},
    {120, "the service does not handle this control", ""},
    {123, "the name is not valid", "use 1 to 256 characters without '/' and '\\'"},
    {1051, "other services that depend on it are running", "stop them first"},
    {1052, "the service does not take this control", ""},
    {1053, "the service did not respond to the start in time", "read its log and the event log"},
    {1056, "it is running already", ""},
    {1057, "the account or its password is not valid", "check the name, with its domain, and the password"},
    {1058, "the service is disabled", "install it with --startup auto or --startup manual"},
    {1060, "it is not installed", "install it first"},
    {1061, "the service cannot take a control now", "wait until it has started or stopped, then try again"},
    {1062, "it is not running", ""},
    {1063, "this process was not started by the service control manager",
     "use the start verb, or debug for a terminal"},
    {1064, "an exception was thrown in the service", "read its log"},
    {1066, "the service ended with an error of its own", "read its log"},
    {1067, "the process ended unexpectedly", "read its log and the event log"},
    {1068, "a service it depends on did not start", "start that one first, or look into its log"},
    {1069, "the account could not log on", "check the password and the right to log on as a service"},
    {1072, "the service is marked for deletion",
     "close the Services window and Task Manager, which hold it open, then try again"},
    {1073, "a service of that name exists", ""},
    {1077, "it was not started since the machine was", ""},
    {1078, "the display name is taken by another service", "choose another with --display-name"},
    {1460, "the time ran out", "look with the status verb; allow more with --wait SECONDS"},
    {10013, "the port is in a range the system keeps for others, or another program owns it exclusively",
     "choose another port; 'netsh int ipv4 show excludedportrange tcp' lists the ranges"},
    {10048, "the port is taken", "stop that program, or choose another port with --port"},
    {10049, "the address does not belong to this machine", "use an address that 'ipconfig' shows, or 0.0.0.0 for all"},
    {11001, "the host name is not known", "use an address, or check the name"},
};

/// The row for a code, or null.
[[nodiscard]] constexpr const explanation* explain(std::uint32_t code) noexcept {
  for (const auto& row : explanations) {
    if (row.code == code) return &row;
  }
  return nullptr;
}

/// The error for a code: words and remedy from the table, or the system's own words.
[[nodiscard]] inline error explained(std::uint32_t code, std::string doing, std::string subject,
                                     std::string system_words = {}) {
  if (const explanation* row = explain(code)) {
    return {code, std::move(doing), std::move(subject), std::string(row->said), std::string(row->hint)};
  }
  return {code, std::move(doing), std::move(subject), std::move(system_words), {}};
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// model/spec.hpp
// =====================================================================================================================

// What is to be installed: the app's own description, and what an install adds to it. Pure values; host/manage.hpp
// turns them into calls.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {

/// When the SCM starts the service.
enum class startup { automatic, delayed, manual, disabled };

[[nodiscard]] constexpr std::string_view name(startup s) noexcept {
  constexpr std::string_view names[] = {"auto", "delayed", "manual", "disabled"};
  return names[static_cast<int>(s)];
}
[[nodiscard]] inline std::optional<startup> parse_startup(std::string_view s) noexcept {
  for (const startup one : {startup::automatic, startup::delayed, startup::manual, startup::disabled}) {
    if (text::equal_nocase(s, name(one))) return one;
  }
  return text::equal_nocase(s, "automatic") ? std::optional(startup::automatic) : std::nullopt;
}

namespace model {

/// Where to listen, as far as it was said.
struct listen_options {
  std::optional<std::string> host;
  std::optional<std::uint16_t> port;

  /// These, and from `older` what these leave open.
  [[nodiscard]] listen_options over(const listen_options& older) const {
    return {host ? host : older.host, port ? port : older.port};
  }
};

/// The app's identity. What is not set is defaulted at creation and left alone in an update.
struct service_spec {
  std::string name;
  std::optional<std::string> display_name;  ///< default: the name
  std::optional<std::string> description;   ///< default: none
  std::optional<winsvc::startup> startup;   ///< default: automatic
};

/// The word in the ImagePath that tells the process it was started by the SCM. It is explicit, so that nothing has to
/// be guessed from parent process, session or handles.
inline constexpr std::string_view run_service_word = "run-service";

/// The ImagePath: the quoted executable, the word, the options that were given at install.
[[nodiscard]] std::string image_path(std::string_view executable, const listen_options& listen);

/// A service name as CreateService takes it: 1 to 256 characters (UTF-16 units), no slash of either kind.
[[nodiscard]] result<void> check_name(std::string_view name);
/// The service name as a folder and file name: what Windows does not take in one becomes '_'. Names that differ in such
/// characters alone share a folder.
[[nodiscard]] std::string folder_name(std::string_view service_name);
/// A display name: up to 256 characters.
[[nodiscard]] result<void> check_display_name(std::string_view display_name);

// ---------------------------------------------------------------------------------------------------------------------

inline std::string image_path(std::string_view executable, const listen_options& listen) {
  std::vector<std::string> arguments{std::string(run_service_word)};
  if (listen.host) arguments.insert(arguments.end(), {"--host", *listen.host});
  if (listen.port) arguments.insert(arguments.end(), {"--port", std::to_string(*listen.port)});
  return command_line(executable, arguments);
}

inline result<void> check_name(std::string_view name) {
  const auto refuse = [&](std::string said) {
    return failure{error{123, "use the service name", std::string(name), std::move(said),
                         "choose 1 to 256 characters without '/', '\\' and control characters"}};
  };
  if (name.empty()) return refuse("it is empty");
  if (text::to_utf16(name).size() > 256) return refuse("it is longer than 256 characters");
  for (const char c : name) {
    if (c == '/' || c == '\\') return refuse("it has a slash");
    if (static_cast<unsigned char>(c) < 0x20) return refuse("it has a control character");
  }
  return {};
}

inline std::string folder_name(std::string_view service_name) {
  std::string out(service_name);
  for (char& c : out) {
    if (std::string_view("<>:\"|?*/\\").find(c) != std::string_view::npos || static_cast<unsigned char>(c) < 0x20)
      c = '_';
  }
  // A dot or a blank at the end is dropped by Windows without a word; "." and ".." would be other folders.
  while (!out.empty() && (out.back() == '.' || out.back() == ' ')) out.back() = '_';
  return out;
}

inline result<void> check_display_name(std::string_view display_name) {
  if (text::to_utf16(display_name).size() <= 256) return {};
  return failure{error{123, "use the display name", std::string(text::cut(display_name, 40)) + "...",
                       "it is longer than 256 characters", "shorten it"}};
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// model/verbs.hpp
// =====================================================================================================================

// The command line as two tables: the verbs, and the options with the verbs that take them. The parser, the help and
// the suggestions all read these; there is no third list.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

enum class verb { help, version, install, remove, start, stop, restart, status, debug, routes, run_service };

struct verb_row {
  verb id;
  std::string_view word;
  std::string_view also;     ///< a second spelling, or empty
  std::string_view summary;  ///< one line of help; empty hides the verb
  std::string_view details;  ///< what `help VERB` adds
};

inline constexpr verb_row verb_table[] = {
    {verb::install, "install", "", "create the service, or bring an existing one to what is asked",
     "Needs an elevated prompt. What is given here is kept in the service's command line, so that it holds at\n"
     "every start; an existing service keeps what is not given anew."},
    {verb::remove, "remove", "uninstall", "stop the service, delete it, wait until it is gone",
     "Needs an elevated prompt. A service that is not installed is no error."},
    {verb::start, "start", "", "start the service and wait until it serves",
     "A service that runs already is no error."},
    {verb::stop, "stop", "", "stop the service and wait until it has answered every request",
     "A service that is stopped already is no error."},
    {verb::restart, "restart", "", "stop, then start", ""},
    {verb::status, "status", "", "what the service is doing, and where it listens",
     "Exit code: 0 running, 3 installed and not running, 4 not installed."},
    {verb::debug, "debug", "run", "serve in this terminal; Ctrl-C drains and stops",
     "Needs no installation. Attach a debugger, or start the program in one. Routes, requests and the log are shown."},
    {verb::routes, "routes", "", "method, pattern and source line of every route", ""},
    {verb::help, "help", "", "this, or the help of one verb", ""},
    {verb::version, "version", "", "the version of the program and of winsvc", ""},
    {verb::run_service, "run-service", "", "",
     "How the service control manager starts this program. Not for a person."},
};

enum class option { startup, display_name, description, host, port, wait, no_wait, json };

constexpr std::uint32_t bit(verb v) noexcept { return 1u << static_cast<int>(v); }

struct option_row {
  option id;
  std::string_view word;
  std::string_view value;  ///< what it takes, as the help shows it; empty for a switch
  std::uint32_t verbs;     ///< who takes it
  std::string_view summary;
};

inline constexpr option_row option_table[] = {
    {option::startup, "--startup", "auto|delayed|manual|disabled", bit(verb::install),
     "when the system starts it; default auto"},
    {option::display_name, "--display-name", "TEXT", bit(verb::install), "the name that the Services window shows"},
    {option::description, "--description", "TEXT", bit(verb::install), "the line under it"},
    {option::host, "--host", "ADDRESS", bit(verb::install) | bit(verb::debug) | bit(verb::run_service),
     "the address to listen on"},
    {option::port, "--port", "N", bit(verb::install) | bit(verb::debug) | bit(verb::run_service),
     "the port to listen on; 0 picks a free one"},
    {option::wait, "--wait", "SECONDS", bit(verb::start) | bit(verb::stop) | bit(verb::restart) | bit(verb::remove),
     "how long to wait for it; default 60"},
    {option::no_wait, "--no-wait", "", bit(verb::start) | bit(verb::stop), "ask, and do not wait"},
    {option::json, "--json", "", bit(verb::status) | bit(verb::routes), "for a machine to read"},
};

[[nodiscard]] inline const verb_row& row(verb v) noexcept {
  for (const auto& r : verb_table) {
    if (r.id == v) return r;
  }
  return verb_table[0];
}

/// The help screen. `program` is the name to show in examples; `about` the app's own line.
[[nodiscard]] std::string help_text(std::string_view program, std::string_view about);
/// The help of one verb, with its options.
[[nodiscard]] std::string help_text(std::string_view program, verb v);

// ---------------------------------------------------------------------------------------------------------------------

inline std::string padded(std::string_view s, std::size_t width) {
  return std::string(s) + std::string(s.size() < width ? width - s.size() : 1, ' ');
}

inline std::string help_text(std::string_view program, std::string_view about) {
  std::string out;
  if (!about.empty()) out += std::string(about) + "\n\n";
  out += "usage: " + std::string(program) + " VERB [options]\n\n";
  for (const auto& r : verb_table) {
    if (!r.summary.empty()) out += "  " + padded(r.word, 10) + std::string(r.summary) + '\n';
  }
  return out + "\n'" + std::string(program) + " help VERB' shows the options of a verb.\n";
}

inline std::string help_text(std::string_view program, verb v) {
  const verb_row& r = row(v);
  std::string out = "usage: " + std::string(program) + ' ' + std::string(r.word);
  std::string options;
  for (const auto& o : option_table) {
    if ((o.verbs & bit(v)) == 0) continue;
    const std::string spelled = std::string(o.word) + (o.value.empty() ? "" : " " + std::string(o.value));
    options += "  " + spelled + "\n      " + std::string(o.summary) + '\n';
  }
  if (v == verb::help) out += " [VERB]";
  if (!options.empty()) out += " [options]";
  out += "\n\n";
  if (!r.summary.empty())
    out += static_cast<char>(text::to_upper(r.summary[0])) + std::string(r.summary.substr(1)) + ".\n";
  if (!r.details.empty()) out += std::string(r.details) + '\n';
  if (!options.empty()) out += '\n' + options;
  return out;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// model/command.hpp
// =====================================================================================================================

// From argv to what is asked: pure, by the tables of model/verbs.hpp.
//
//   auto asked = parse_command({"install", "--port", "5001"});
//   if (asked) asked->verb == verb::install; *asked->listen.port == 5001;
//
// Verbs and options are case-blind; `--opt value` and `--opt=value` are the same. A mistake is an error without a code
// (the exit code is 2) that suggests the nearest word. No words at all is `help`, with `bare` set, so that the program
// can try the service control manager first where there is no terminal.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// What the command line asks for.
struct command {
  model::verb verb = model::verb::help;
  bool bare = false;                      ///< there were no words at all
  std::optional<model::verb> topic;       ///< help VERB
  std::optional<winsvc::startup> startup;
  std::optional<std::string> display_name;
  std::optional<std::string> description;
  listen_options listen;
  std::chrono::milliseconds wait{60'000};
  bool no_wait = false;
  bool json = false;
};

/// `words` is argv without the program's name, in UTF-8.
[[nodiscard]] result<command> parse_command(const std::vector<std::string>& words);

/// What an earlier install left in an ImagePath (model::image_path made it); nothing where it is not one of ours.
[[nodiscard]] listen_options listen_options_in(const std::string& image_path);

// ---------------------------------------------------------------------------------------------------------------------

inline failure<error> usage_error(std::string said, std::string hint) {
  return {error{0, {}, {}, std::move(said), std::move(hint)}};
}

/// "did you mean 'x'?", or where to look.
inline std::string suggestion(std::string_view word, const std::vector<std::string_view>& known,
                              std::string otherwise) {
  const auto best = text::nearest(word, known);
  return best.empty() ? otherwise : "did you mean '" + std::string(best) + "'?";
}

inline const verb_row* find_verb(std::string_view word) noexcept {
  for (const auto& r : verb_table) {
    if (text::equal_nocase(r.word, word) || (!r.also.empty() && text::equal_nocase(r.also, word))) return &r;
  }
  return nullptr;
}

inline bool asks_for_help(std::string_view word) noexcept {
  for (const std::string_view spelling : {"--help", "-h", "-?", "/?"}) {
    if (text::equal_nocase(word, spelling)) return true;
  }
  return false;
}

inline result<const verb_row*> verb_of(std::string_view word) {
  if (asks_for_help(word)) return &row(verb::help);
  if (text::equal_nocase(word, "--version")) return &row(verb::version);
  if (const auto* found = find_verb(word)) return found;

  std::vector<std::string_view> known;
  for (const auto& r : verb_table) {
    if (!r.summary.empty()) known.push_back(r.word);
  }
  return usage_error("unknown verb '" + std::string(word) + "'", suggestion(word, known, "'help' lists the verbs"));
}

inline result<const option_row*> option_of(std::string_view word, const verb_row& v) {
  std::vector<std::string_view> known;
  for (const auto& o : option_table) {
    const bool taken = (o.verbs & bit(v.id)) != 0;
    if (text::equal_nocase(o.word, word)) {
      if (taken) return &o;
      return usage_error("'" + std::string(v.word) + "' takes no option " + std::string(o.word),
                         "'help " + std::string(v.word) + "' lists the ones it takes");
    }
    if (taken) known.push_back(o.word);
  }
  return usage_error("unknown option '" + std::string(word) + "'",
                     suggestion(word, known, "'help " + std::string(v.word) + "' lists the options"));
}

/// Puts one option's value where it belongs.
inline result<void> apply_option(command& into, const option_row& o, std::string_view value) {
  const auto refuse = [&](std::string hint) {
    return usage_error(std::string(o.word) + " does not take '" + std::string(value) + "'", std::move(hint));
  };
  switch (o.id) {
    case option::startup:
      into.startup = parse_startup(value);
      if (!into.startup) return refuse("it is one of " + std::string(o.value));
      return {};
    case option::display_name:
      if (const auto good = check_display_name(value); !good) {
        return usage_error(std::string(o.word) + ": " + good.error().said, good.error().hint);
      }
      into.display_name = std::string(value);
      return {};
    case option::description: into.description = std::string(value); return {};
    case option::host:
      if (value.empty()) return refuse("give an address, such as 127.0.0.1 or 0.0.0.0");
      into.listen.host = std::string(value);
      return {};
    case option::port: {
      std::uint64_t port = 0;
      if (!text::parse_number(value, 65'535, port)) return refuse("a port is a number from 0 to 65535");
      into.listen.port = static_cast<std::uint16_t>(port);
      return {};
    }
    case option::wait: {
      const auto wait = parse_duration(value);
      if (!wait) return refuse("give seconds, such as 30, or 2m");
      into.wait = *wait;
      return {};
    }
    case option::no_wait: into.no_wait = true; return {};
    case option::json: into.json = true; return {};
  }
  return {};
}

inline result<command> parse_command(const std::vector<std::string>& words) {
  command asked;
  if (words.empty()) {
    asked.bare = true;
    return asked;
  }
  const auto verb_found = verb_of(words[0]);
  if (!verb_found) return failure{verb_found.error()};
  const verb_row& v = **verb_found;
  asked.verb = v.id;

  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (asks_for_help(word)) {
      asked.topic = asked.verb;
      asked.verb = verb::help;
      return asked;
    }
    if (word.size() < 2 || word[0] != '-') {
      if (v.id == verb::help && !asked.topic) {
        const auto topic = verb_of(word);
        if (!topic) return failure{topic.error()};
        asked.topic = (*topic)->id;
        continue;
      }
      return usage_error("'" + std::string(v.word) + "' takes no argument '" + std::string(word) + "'",
                         "options begin with --; 'help " + std::string(v.word) + "' lists them");
    }

    const auto equals = word.find('=');
    const auto o = option_of(word.substr(0, equals), v);
    if (!o) return failure{o.error()};
    std::string_view value;
    if ((*o)->value.empty()) {
      if (equals != std::string_view::npos)
        return usage_error(std::string((*o)->word) + " takes no value", "write it alone");
    } else if (equals != std::string_view::npos) {
      value = word.substr(equals + 1);
    } else {
      if (i + 1 == words.size()) {
        return usage_error(std::string((*o)->word) + " needs a value",
                           "write " + std::string((*o)->word) + ' ' + std::string((*o)->value));
      }
      value = words[++i];
    }
    if (auto applied = apply_option(asked, **o, value); !applied) return failure{applied.error()};
  }
  return asked;
}

inline listen_options listen_options_in(const std::string& image_path) {
  // Pair by pair, so that an option of another version costs nothing but itself.
  const auto words = split_command_line(image_path);
  listen_options found;
  if (words.size() < 2 || words[1] != run_service_word) return found;
  for (std::size_t i = 2; i + 1 < words.size(); ++i) {
    const auto asked = parse_command({std::string(run_service_word), words[i], words[i + 1]});
    if (asked) found = asked->listen.over(found);
  }
  return found;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// model/state_file.hpp
// =====================================================================================================================

// What the running service leaves for `status` to find: `state.json` in its data folder, a flat JSON object of texts
// and numbers.
//
//   {"pid":1234,"url":"http://127.0.0.1:5001","since":"2026-01-31T08:05:09.250Z","failure":""}
//
// It is a hint, not a truth: the SCM says whether the service runs, and the pid must be the SCM's for the rest to
// count.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

struct service_state {
  std::uint32_t pid = 0;
  std::string url;      ///< with the real port; empty before it listens and after it stopped
  std::string since;    ///< when it began to listen, RFC 3339
  std::string failure;  ///< the sentence of the last failure; empty after a clean stop
};

[[nodiscard]] inline std::string to_text(const service_state& s) {
  return "{\"pid\":" + std::to_string(s.pid) + ",\"url\":" + text::json_quoted(s.url) + ",\"since\":" +
         text::json_quoted(s.since) + ",\"failure\":" + text::json_quoted(s.failure) + "}\n";
}

/// Reads what `to_text` wrote, in any order, unknown names ignored. Nothing for anything else: a torn file is no file.
[[nodiscard]] std::optional<service_state> parse_service_state(std::string_view s);

// ---------------------------------------------------------------------------------------------------------------------

/// A JSON string at the front of `s`, which moves past it. The escapes that json_quoted writes, and no others.
inline std::optional<std::string> take_json_string(std::string_view& s) {
  if (s.empty() || s[0] != '"') return std::nullopt;
  std::string out;
  for (std::size_t i = 1; i < s.size(); ++i) {
    if (s[i] == '"') {
      s.remove_prefix(i + 1);
      return out;
    }
    if (s[i] != '\\') {
      out += s[i];
      continue;
    }
    if (++i == s.size()) return std::nullopt;
    switch (s[i]) {
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 't': out += '\t'; break;
      case '"':
      case '\\': out += s[i]; break;
      case 'u': {
        if (i + 4 >= s.size() || s.substr(i + 1, 2) != "00") return std::nullopt;
        const auto digit = [](char c) {
          return text::is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        };
        const int high = digit(s[i + 3]), low = digit(s[i + 4]);
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        i += 4;
        break;
      }
      default: return std::nullopt;
    }
  }
  return std::nullopt;
}

inline std::optional<service_state> parse_service_state(std::string_view s) {
  service_state out;
  while (!s.empty() && (s.back() == '\n' || s.back() == '\r')) s.remove_suffix(1);
  if (s.size() < 2 || s.front() != '{' || s.back() != '}') return std::nullopt;
  s = s.substr(1, s.size() - 2);

  while (!s.empty()) {
    const auto name = take_json_string(s);
    if (!name || s.empty() || s[0] != ':') return std::nullopt;
    s.remove_prefix(1);
    if (!s.empty() && s[0] == '"') {
      const auto value = take_json_string(s);
      if (!value) return std::nullopt;
      if (*name == "url") out.url = *value;
      if (*name == "since") out.since = *value;
      if (*name == "failure") out.failure = *value;
    } else {
      const auto digits = (std::min)(s.find(','), s.size());
      std::uint64_t number = 0;
      if (!text::parse_number(s.substr(0, digits), 0xFFFFFFFFu, number)) return std::nullopt;
      if (*name == "pid") out.pid = static_cast<std::uint32_t>(number);
      s.remove_prefix(digits);
    }
    if (s.empty()) break;
    if (s[0] != ',') return std::nullopt;
    s.remove_prefix(1);
    if (s.empty()) return std::nullopt;
  }
  return out;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// route/method.hpp
// =====================================================================================================================

// The request methods that routes are made of, and small sets of them.
//
//   parse_method("DELETE")                       // method::del
//   method_set set; set.add(method::get);
//   set.allow()                                  // "GET, HEAD, OPTIONS"
//
// It knows the seven methods that a route may serve. CONNECT and TRACE are HTTP too, but an origin server that is no
// proxy has no use for them: they are answered as unknown ones are, with 501.

#include <optional>
#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace route {

/// A method of RFC 9110 §9.3 (PATCH: RFC 5789), or `any`: a route for all of them, which no request ever carries.
/// `del` is DELETE, which Windows headers define as a macro.
enum class method { get, head, post, put, patch, del, options, any };

/// The method that a request line names. Case counts (RFC 9110 §9.1): "get" is no method, and "ANY" is not one either.
[[nodiscard]] std::optional<method> parse_method(std::string_view token) noexcept;

/// As it stands in a request line; `any` is "ANY", for messages only.
[[nodiscard]] std::string_view name(method m) noexcept;

/// What a resource can be asked for. `any` adds every method.
class method_set {
 public:
  void add(method m) noexcept;
  void add(method_set other) noexcept { bits_ |= other.bits_; }
  [[nodiscard]] bool has(method m) const noexcept;
  [[nodiscard]] bool empty() const noexcept { return bits_ == 0; }

  /// The value of an Allow field (RFC 9110 §10.2.1), in the order of the enumeration. GET brings HEAD along
  /// (RFC 9110 §9.3.2), and OPTIONS is always there, because whoever writes Allow answers OPTIONS with it.
  [[nodiscard]] std::string allow() const;

  friend bool operator==(method_set a, method_set b) noexcept { return a.bits_ == b.bits_; }
  friend bool operator!=(method_set a, method_set b) noexcept { return !(a == b); }

 private:
  unsigned bits_ = 0;
};

// ---------------------------------------------------------------------------------------------------------------------

inline constexpr std::string_view method_names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "ANY"};
inline constexpr unsigned method_count = 7;  // without `any`

inline std::optional<method> parse_method(std::string_view token) noexcept {
  for (unsigned i = 0; i < method_count; ++i) {
    if (token == method_names[i]) return static_cast<method>(i);
  }
  return std::nullopt;
}

inline std::string_view name(method m) noexcept { return method_names[static_cast<unsigned>(m)]; }

inline void method_set::add(method m) noexcept {
  bits_ |= m == method::any ? (1u << method_count) - 1 : 1u << static_cast<unsigned>(m);
}

inline bool method_set::has(method m) const noexcept {
  method_set one;
  one.add(m);
  return (bits_ & one.bits_) == one.bits_;
}

inline std::string method_set::allow() const {
  method_set listed = *this;
  if (has(method::get)) listed.add(method::head);
  listed.add(method::options);

  std::string out;
  for (unsigned i = 0; i < method_count; ++i) {
    if (!listed.has(static_cast<method>(i))) continue;
    if (!out.empty()) out += ", ";
    out += method_names[i];
  }
  return out;
}

}  // namespace route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// route/path.hpp
// =====================================================================================================================

// The path of a request, cut into segments: first cut, then decoded, in this order, so that an encoded slash stays
// inside its segment and can never make two of one.
//
//   decode_path("/a%2Fb/c")          // {"a/b", "c"}
//   decode_path("/users/")           // {"users", ""}: a trailing slash is its own path
//   decode_path("/%zz")              // nothing: 400
//   percent_encode_segment("a/b ü")  // "a%2Fb%20%C3%BC"
//
// It does not resolve "." and ".." (RFC 3986 §6.2.2.3 leaves that to whoever maps paths onto folders), does not take
// '+' for a blank, and does not ask for UTF-8.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace route {

/// The decoded segments of a raw path (RFC 9110 §4.2.1, RFC 3986 §3.3). Nothing when it does not begin with '/', holds
/// an escape that is not '%' and two hex digits (RFC 3986 §2.1), or a NUL, encoded or not.
[[nodiscard]] std::optional<std::vector<std::string>> decode_path(std::string_view raw_path);

/// Decodes one segment onto the end of `out`; false, with `out` in between, for an invalid escape or a NUL.
[[nodiscard]] bool decode_segment(std::string_view raw, std::string& out);

/// True when `decode_path` would give segments: for those who only need to know.
[[nodiscard]] bool path_is_valid(std::string_view raw_path) noexcept;

/// One segment as it is written into a URL: what is not a pchar (RFC 3986 §3.3) becomes %XX.
[[nodiscard]] std::string percent_encode_segment(std::string_view segment);

// ---------------------------------------------------------------------------------------------------------------------

/// The value of a hex digit, or -1.
[[nodiscard]] constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/// The byte that the escape at `raw[at]` stands for, or -1 when it is none.
[[nodiscard]] inline int escaped_byte(std::string_view raw, std::size_t at) noexcept {
  if (raw.size() - at < 3) return -1;
  const int high = hex_value(raw[at + 1]);
  const int low = hex_value(raw[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

inline bool decode_segment(std::string_view raw, std::string& out) {
  for (std::size_t at = 0; at < raw.size(); ++at) {
    int byte = static_cast<unsigned char>(raw[at]);
    if (raw[at] == '%') {
      byte = escaped_byte(raw, at);
      at += 2;
    }
    if (byte <= 0) return false;
    out += static_cast<char>(static_cast<unsigned char>(byte));
  }
  return true;
}

inline bool path_is_valid(std::string_view raw_path) noexcept {
  if (raw_path.empty() || raw_path[0] != '/') return false;
  if (raw_path.find('\0') != std::string_view::npos) return false;
  for (auto at = raw_path.find('%'); at != std::string_view::npos; at = raw_path.find('%', at + 3)) {
    if (escaped_byte(raw_path, at) <= 0) return false;
  }
  return true;
}

inline std::optional<std::vector<std::string>> decode_path(std::string_view raw_path) {
  if (raw_path.empty() || raw_path[0] != '/') return std::nullopt;
  std::vector<std::string> segments;
  std::string_view rest = raw_path.substr(1);
  for (;;) {
    const auto slash = rest.find('/');
    if (!decode_segment(rest.substr(0, slash), segments.emplace_back())) return std::nullopt;
    if (slash == std::string_view::npos) return segments;
    rest.remove_prefix(slash + 1);
  }
}

inline std::string percent_encode_segment(std::string_view segment) {
  constexpr char hex[] = "0123456789ABCDEF";
  constexpr std::string_view kept = "-._~!$&'()*+,;=:@";  // the marks among pchar
  std::string out;
  for (const char c : segment) {
    const auto byte = static_cast<unsigned char>(c);
    const bool word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (word || kept.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += hex[byte >> 4];
      out += hex[byte & 15];
    }
  }
  return out;
}

}  // namespace route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// route/pattern.hpp
// =====================================================================================================================

// The paths a route serves, as one line of text, and how two of them relate.
//
//   parse_pattern("/users/{id}")            // one segment, not empty:           /users/7
//   parse_pattern("/files/{path...}")       // all the rest, also an empty one:  /files/  /files/a/b  (not /files)
//   compare(a, b), witness(a, b)            // relation::overlap, "/x/y"
//
//   pattern   = 1*( "/" segment )           only the last segment may be empty: "/users/" is another path than "/users"
//   segment   = literal / "{" name "}" / "{" name "...}"          "..." in the last segment alone
//   name      = ( letter / "_" ) *( letter / digit / "_" )        each name once
//   literal   = decoded UTF-8 text without "/" "{" "}" "?" "#", controls, and escapes: write "ü", not "%C3%BC"
//
// It has no wildcards inside a segment, no optional parts and no regular expressions: with these three kinds, which of
// two patterns is meant for a path can be decided when they are registered.

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace route {

/// One piece between slashes.
struct segment {
  enum class sort { literal, parameter, tail };
  sort kind = sort::literal;
  std::string text;  ///< of a literal: what a decoded segment must equal; else the name
};

/// A parsed pattern. A value: copy it, compare it, print its `text`.
struct pattern {
  std::string text;
  std::vector<segment> segments;   ///< at least one: "/" is one empty literal
  std::vector<std::string> names;  ///< of the parameters, in their order; the tail's is the last
};

/// Parses, or throws a setup_error that shows the pattern, the offset and what is wrong there.
[[nodiscard]] pattern parse_pattern(std::string_view text);

/// How the paths of one pattern lie to those of another: equal, within, around, crossing, apart.
enum class relation { same, more_specific, more_general, overlap, disjoint };

[[nodiscard]] relation compare(const pattern& a, const pattern& b) noexcept;

/// A path that both match, percent-encoded as a client would send it; empty when there is none.
[[nodiscard]] std::string witness(const pattern& a, const pattern& b);

// ---------------------------------------------------------------------------------------------------------------------

[[noreturn]] inline void refuse_pattern(std::string_view text, std::size_t at, std::string_view what) {
  std::string shown(text);
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20) c = '?';  // a NUL would end the sentence here
  }
  throw setup_error("pattern '" + shown + "': " + std::string(what) + " (at offset " + std::to_string(at) + ")");
}

inline bool is_identifier(std::string_view s) noexcept {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !s.empty() && letter(s[0]) &&
         std::all_of(s.begin(), s.end(), [&](char c) { return letter(c) || text::is_digit(c); });
}

/// Characters that no segment may hold, wherever they stand.
inline void check_pattern_text(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t here = at;
    const char32_t c = text::next_code_point(text, at);
    if (c == '?' || c == '#') refuse_pattern(text, here, "a pattern is a path alone, without '?' and '#'");
    if (c < 0x20 || c == 0x7F) refuse_pattern(text, here, "control character");
    if (c == '%' && escaped_byte(text, here) >= 0) {
      refuse_pattern(text, here, "escape; write the character itself, patterns are compared decoded");
    }
    // U+FFFD is three bytes when it is really written; one byte is the mark of what is not UTF-8.
    if (c == 0xFFFD && at - here == 1) {
      refuse_pattern(text, here, "not UTF-8; save the file as UTF-8 (and compile with /utf-8)");
    }
  }
}

/// The segment `piece`, which stands at `at` in `text`.
inline segment parse_segment(std::string_view text, std::size_t at, std::string_view piece, bool last) {
  const auto open = piece.find('{');
  const auto close = piece.find('}');
  constexpr auto none = std::string_view::npos;
  if (open == none && close == none) {
    if (piece.empty() && !last) refuse_pattern(text, at, "empty segment; only the last one may be");
    return {segment::sort::literal, std::string(piece)};
  }
  if (open == none) refuse_pattern(text, at + close, "'}' without '{'");
  if (close == none) refuse_pattern(text, at + open, "'{' without '}'");
  if (open != 0 || close + 1 != piece.size()) {
    refuse_pattern(text, at, "a parameter is a whole segment, without text before or after its braces");
  }

  std::string_view name = piece.substr(1, piece.size() - 2);
  const bool tail = name.size() >= 3 && name.substr(name.size() - 3) == "...";
  if (tail) name.remove_suffix(3);
  if (name.empty()) refuse_pattern(text, at, "parameter without a name");
  if (!is_identifier(name)) refuse_pattern(text, at + 1, "a parameter's name is letters, digits and '_'");
  if (tail && !last) refuse_pattern(text, at, "'...' takes all the rest, so it must be the last segment");
  return {tail ? segment::sort::tail : segment::sort::parameter, std::string(name)};
}

inline pattern parse_pattern(std::string_view text) {
  if (text.empty() || text[0] != '/') refuse_pattern(text, 0, "a pattern begins with '/'");
  check_pattern_text(text);

  pattern parsed;
  parsed.text = text;
  for (std::size_t at = 1;;) {
    const auto slash = text.find('/', at);
    const bool last = slash == std::string_view::npos;
    segment next = parse_segment(text, at, text.substr(at, last ? slash : slash - at), last);
    if (next.kind != segment::sort::literal) {
      if (std::find(parsed.names.begin(), parsed.names.end(), next.text) != parsed.names.end()) {
        refuse_pattern(text, at + 1, "the name '" + next.text + "' is there already");
      }
      parsed.names.push_back(next.text);
    }
    parsed.segments.push_back(std::move(next));
    if (last) return parsed;
    at = slash + 1;
  }
}

/// What two segments say together with what the ones before them said.
constexpr relation combine(relation before, relation here) noexcept {
  if (before == relation::disjoint || here == relation::disjoint) return relation::disjoint;
  if (before == relation::same || before == here) return here;
  return here == relation::same ? before : relation::overlap;
}

inline relation compare(const segment& a, const segment& b) noexcept {
  using sort = segment::sort;
  if (a.kind == b.kind) return a.kind != sort::literal || a.text == b.text ? relation::same : relation::disjoint;
  if (a.kind == sort::tail) return relation::more_general;
  if (b.kind == sort::tail) return relation::more_specific;
  const segment& literal = a.kind == sort::literal ? a : b;
  if (literal.text.empty()) return relation::disjoint;  // a parameter is never empty
  return a.kind == sort::literal ? relation::more_specific : relation::more_general;
}

inline relation compare(const pattern& a, const pattern& b) noexcept {
  relation sum = relation::same;
  for (std::size_t i = 0; i < a.segments.size() && i < b.segments.size(); ++i) {
    sum = combine(sum, compare(a.segments[i], b.segments[i]));
    if (sum == relation::disjoint) return sum;
    const bool tail = a.segments[i].kind == segment::sort::tail || b.segments[i].kind == segment::sort::tail;
    if (tail) return sum;  // it covers whatever the other one still has
  }
  return a.segments.size() == b.segments.size() ? sum : relation::disjoint;
}

inline std::string witness(const pattern& a, const pattern& b) {
  if (compare(a, b) == relation::disjoint) return {};
  using sort = segment::sort;
  std::string path;
  for (std::size_t i = 0; i < (std::max)(a.segments.size(), b.segments.size()); ++i) {
    // The narrower of the two segments; beyond a tail, the other pattern's. A parameter is shown as its name.
    const segment* narrow = i < a.segments.size() ? &a.segments[i] : &b.segments[i];
    if (i < b.segments.size() && b.segments[i].kind < narrow->kind) narrow = &b.segments[i];
    path += '/' + percent_encode_segment(narrow->text);
    if (narrow->kind == sort::tail) break;
  }
  return path;
}

}  // namespace route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// route/table.hpp
// =====================================================================================================================

// The routes of an app as a tree of segments: which one serves a path, and if none does, what could be asked instead.
//
//   table routes;
//   routes.add(method::get, "/users/{id}", 0, source::here());
//   routes.add(method::get, "/users/me", 1, source::here());
//   routes.match(method::get, "/users/me")       // found, id 1: a literal beats a parameter beats a tail
//   routes.match(method::post, "/users/7")       // method_not_allowed, allowed.allow() == "GET, HEAD, OPTIONS"
//
// A match costs by the depth of the path, not by the number of routes, and one of a path without parameters allocates
// nothing. What is served does not depend on the order of registration: where two routes could claim one path with
// equal right, `add` throws. It holds ids, not handlers, and answers nothing itself.

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace route {

/// The answers: serve it, 404, 405 (or 204 to OPTIONS) with Allow, 400.
enum class outcome { found, not_found, method_not_allowed, bad_path };

struct match_result {
  outcome what = outcome::not_found;
  std::size_t id = 0;                ///< of the route, when found
  std::vector<std::string> values;   ///< of its parameters, decoded, in their order, when found
  method_set allowed;                ///< what this path can be asked for, when method_not_allowed
};

/// A registered route, as `app.exe routes` lists it.
struct entry {
  method verb;
  pattern path;
  std::size_t id;
  source where;
};

class table {
 public:
  table() : nodes_(1) {}

  /// Adds a route. Throws setup_error when the pattern is malformed, or when a route is there that serves the same
  /// method (or `any`) and claims some path with equal right: the same paths, or crossing ones. One pattern within the
  /// other is fine, the narrower wins; the same pattern once for a method and once for `any` too, the method wins.
  void add(method verb, std::string_view pattern_text, std::size_t id, source where);

  /// The route for a request. `raw_path` is as received: not decoded, without the query.
  ///
  /// Segment by segment from the left a literal is tried before a parameter before a tail; a branch without a route for
  /// the method is left again. HEAD is served by GET (RFC 9110 §9.3.2). OPTIONS without a route of its own (or `any`)
  /// is method_not_allowed: the caller answers it from `allowed` (RFC 9110 §9.3.7).
  ///
  /// The value of a tail is its decoded segments joined with '/'. An encoded slash in there would be lost among them,
  /// so a tail does not take such a path: when nothing else does either, it is bad_path.
  [[nodiscard]] match_result match(method verb, std::string_view raw_path) const;

  /// What a path can be asked for; empty where `match` would say not_found or bad_path.
  [[nodiscard]] method_set methods_at(std::string_view raw_path) const;
  /// What some path can be asked for: the answer to `OPTIONS *`.
  [[nodiscard]] method_set all_methods() const noexcept { return all_; }

  [[nodiscard]] bool any_route() const noexcept { return !entries_.empty(); }
  /// In the order of registration.
  [[nodiscard]] const std::vector<entry>& entries() const noexcept { return entries_; }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  /// The routes that end at one place: an index into entries_ for each method, `any` among them.
  struct leaf {
    leaf() { by_method.fill(none); }
    [[nodiscard]] std::size_t serving(method verb) const noexcept;
    std::array<std::size_t, method_count + 1> by_method;
    method_set methods;
  };
  struct node {
    std::vector<std::pair<std::string, std::size_t>> literals;  ///< sorted, for a binary search
    std::size_t parameter = none;
    leaf here;  ///< the path ends with this segment
    leaf rest;  ///< a tail takes what follows
  };
  /// One walk: what is asked, and what was met.
  struct search {
    std::optional<method> verb;  ///< nothing: collect `allowed` only
    std::size_t found = none;
    std::vector<std::string_view> values;  ///< raw
    method_set allowed;
    bool slash_in_tail = false;
  };

  void check_conflicts(method verb, const pattern& path, source where) const;
  std::size_t child(std::size_t parent, const segment& piece);
  [[nodiscard]] std::size_t literal(const node& parent, std::string_view raw) const;
  [[nodiscard]] bool walk(const node& from, std::string_view rest, search& s) const;
  [[nodiscard]] bool step(std::size_t to, std::string_view rest, std::size_t slash, search& s) const;
  [[nodiscard]] static bool take(const leaf& end, search& s) noexcept;

  std::vector<node> nodes_;  // [0] is the root, before the first segment
  std::vector<entry> entries_;
  method_set all_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline void table::check_conflicts(method verb, const pattern& path, source where) const {
  for (const auto& old : entries_) {
    const bool equal = old.verb == verb;
    if (!equal && old.verb != method::any && verb != method::any) continue;
    const relation how = compare(path, old.path);
    if (how != relation::overlap && !(how == relation::same && equal)) continue;

    const auto shown = [](method m, const pattern& p, source w) {
      return std::string(name(m)) + ' ' + p.text + " (" + w.text() + ')';
    };
    throw setup_error(shown(verb, path, where) + " conflicts with " + shown(old.verb, old.path, old.where) +
                      ": both match " + witness(path, old.path) +
                      (how == relation::same ? "; remove one" : "; make one of them narrower than the other"));
  }
}

inline void table::add(method verb, std::string_view pattern_text, std::size_t id, source where) {
  pattern path = parse_pattern(pattern_text);
  check_conflicts(verb, path, where);

  std::size_t at = 0;
  bool tail = false;
  for (const auto& piece : path.segments) {
    tail = piece.kind == segment::sort::tail;
    if (!tail) at = child(at, piece);
  }
  leaf& end = tail ? nodes_[at].rest : nodes_[at].here;
  end.by_method[static_cast<std::size_t>(verb)] = entries_.size();
  end.methods.add(verb);
  all_.add(verb);
  entries_.push_back({verb, std::move(path), id, where});
}

inline std::size_t table::child(std::size_t parent, const segment& piece) {
  const std::size_t fresh = nodes_.size();
  if (piece.kind == segment::sort::parameter) {
    if (nodes_[parent].parameter != none) return nodes_[parent].parameter;
    nodes_[parent].parameter = fresh;
  } else {
    auto& literals = nodes_[parent].literals;
    const auto at = std::lower_bound(literals.begin(), literals.end(), piece.text,
                                     [](const auto& have, const std::string& want) { return have.first < want; });
    if (at != literals.end() && at->first == piece.text) return at->second;
    literals.emplace(at, piece.text, fresh);
  }
  nodes_.emplace_back();
  return fresh;
}

inline std::size_t table::literal(const node& parent, std::string_view raw) const {
  std::string decoded;  // escapes are rare: without one, the request's own bytes are compared
  if (raw.find('%') != std::string_view::npos) {
    if (!decode_segment(raw, decoded)) return none;
    raw = decoded;
  }
  const auto& literals = parent.literals;
  const auto at = std::lower_bound(literals.begin(), literals.end(), raw,
                                   [](const auto& have, std::string_view want) { return have.first < want; });
  return at != literals.end() && at->first == raw ? at->second : none;
}

inline std::size_t table::leaf::serving(method verb) const noexcept {
  const auto own = by_method[static_cast<std::size_t>(verb)];
  if (own != none) return own;
  const auto get = by_method[static_cast<std::size_t>(method::get)];
  if (verb == method::head && get != none) return get;
  return by_method[static_cast<std::size_t>(method::any)];
}

inline bool table::take(const leaf& end, search& s) noexcept {
  s.allowed.add(end.methods);
  if (s.verb) s.found = end.serving(*s.verb);
  return s.found != none;
}

/// One segment further, to the node `to`: the path ends there, or is walked on behind its slash.
inline bool table::step(std::size_t to, std::string_view rest, std::size_t slash, search& s) const {
  if (slash == std::string_view::npos) return take(nodes_[to].here, s);
  return walk(nodes_[to], rest.substr(slash + 1), s);
}

/// `rest` is the raw path behind the slash that led to `from`. True when a route was found. Every node is reached by
/// one way only, so that backtracking visits none twice; the recursion is as deep as the deepest pattern, not as the
/// path.
inline bool table::walk(const node& from, std::string_view rest, search& s) const {
  const auto slash = rest.find('/');
  const std::string_view raw = rest.substr(0, slash);

  const std::size_t same = literal(from, raw);
  if (same != none && step(same, rest, slash, s)) return true;

  if (from.parameter != none && !raw.empty()) {
    s.values.push_back(raw);
    if (step(from.parameter, rest, slash, s)) return true;
    s.values.pop_back();
  }

  if (from.rest.methods.empty()) return false;
  if (rest.find("%2F") != std::string_view::npos || rest.find("%2f") != std::string_view::npos) {
    s.slash_in_tail = true;
    return false;
  }
  s.values.push_back(rest);
  if (take(from.rest, s)) return true;
  s.values.pop_back();
  return false;
}

inline match_result table::match(method verb, std::string_view raw_path) const {
  match_result result;
  if (!path_is_valid(raw_path)) {
    result.what = outcome::bad_path;
    return result;
  }

  search s;
  s.verb = verb;
  if (walk(nodes_[0], raw_path.substr(1), s)) {
    result.what = outcome::found;
    result.id = entries_[s.found].id;
    result.values.reserve(s.values.size());
    for (const auto raw : s.values) {
      // A tail is decoded in one go: it holds no encoded slash, so its slashes are the real ones. Valid, as checked.
      static_cast<void>(decode_segment(raw, result.values.emplace_back()));
    }
  } else if (!s.allowed.empty()) {
    result.what = outcome::method_not_allowed;
    result.allowed = s.allowed;
  } else if (s.slash_in_tail) {
    result.what = outcome::bad_path;
  }
  return result;
}

inline method_set table::methods_at(std::string_view raw_path) const {
  search s;
  if (path_is_valid(raw_path)) static_cast<void>(walk(nodes_[0], raw_path.substr(1), s));
  return s.allowed;
}

}  // namespace route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// wire/limits.hpp
// =====================================================================================================================

// How much a client may send, and how long it may take: every number of the wire in one place, each with its unit and
// its reason.
//
//   limits bounds;
//   bounds.body_bytes = 64 * 1024 * 1024;      // a service that takes uploads
//
// The time-outs are totals, not per receive: a client that sends one byte a second is as late as one that sends none.
// The one for writing alone is for each stretch without progress.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

struct limits {
  // The head (RFC 9112 §2.3, §3, §5; RFC 6585 §5 for 431). A service behind a browser sees 1 to 4 KiB.
  std::size_t head_bytes = 32 * 1024;  ///< the request head, first byte to empty line; else 431
  std::size_t method_bytes = 32;       ///< longer than any that is registered; else 501
  std::size_t target_bytes = 8000;     ///< RFC 9112 §3 asks for at least 8000 in a request line; else 414
  std::size_t field_bytes = 8000;      ///< one field line; cpp-httplib refuses a line of more than 8192; else 431
  std::size_t fields = 100;            ///< field lines; cpp-httplib refuses more than 100; else 431

  // The body (RFC 9112 §6, §7.1).
  std::uint64_t body_bytes = 8 * 1024 * 1024;  ///< it is kept in memory: 8 MiB times some clients still fits; else 413
  std::size_t chunk_digits = 8;                ///< hex digits of a chunk size: 4 GiB, never near an overflow
  std::size_t chunk_extension_bytes = 4096;    ///< of all chunks of a body together: nobody uses them, CVE-2023-39326
  std::size_t trailer_bytes = 8192;            ///< the trailer section; it is dropped, so it need not be large

  // The clock.
  std::chrono::milliseconds head_time = std::chrono::seconds(10);   ///< first byte to empty line: slowloris
  std::chrono::milliseconds idle_time = std::chrono::seconds(60);   ///< between two requests: browsers hold 60 to 120 s
  std::chrono::milliseconds body_time = std::chrono::seconds(20);   ///< for a body; the rate adds to it
  std::uint64_t body_bytes_per_second = 1024;                       ///< the slowest client that is not an attack
  std::chrono::milliseconds write_time = std::chrono::seconds(20);  ///< without progress: a client that stopped reading

  /// How long a body of `bytes` may take in all.
  [[nodiscard]] std::chrono::milliseconds time_for_body(std::uint64_t bytes) const noexcept {
    const auto rate = body_bytes_per_second == 0 ? 1 : body_bytes_per_second;
    return body_time + std::chrono::seconds(bytes / rate);
  }
};

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// wire/grammar.hpp
// =====================================================================================================================

// The few words of HTTP's grammar that the gate and the chunked decoder are written in.
//
//   is_token("Content-Type")          is_authority("[::1]:8080")          same_authority("H:80", "h")
//
// Each is a question about characters; none of them knows a request.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// tchar of RFC 9110 §5.6.2.
[[nodiscard]] constexpr bool is_token_char(char c) noexcept {
  if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return true;
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return marks.find(c) != std::string_view::npos;
}
[[nodiscard]] inline bool is_token(std::string_view s) noexcept {
  return !s.empty() && std::all_of(s.begin(), s.end(), is_token_char);
}
/// CTL but HTAB: in no line of a head (RFC 9110 §5.5). CR and LF are looked at before.
[[nodiscard]] constexpr bool is_control(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && byte != '\t') || byte == 0x7F;
}

/// `uri-host [ ":" port ]` (RFC 9110 §7.2, RFC 3986 §3.2.2), not empty and without a comma, which RFC 3986 would allow:
/// it is how a proxy joins two Host fields.
[[nodiscard]] inline bool is_authority(std::string_view s) noexcept {
  std::size_t end = 0;
  if (!s.empty() && s[0] == '[') {
    end = s.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    for (const char c : s.substr(1, end - 1)) {
      if (route::hex_value(c) < 0 && c != ':' && c != '.') return false;
    }
    ++end;
  } else {
    constexpr std::string_view marks = "-._~!$&'()*+;=";
    for (; end < s.size() && s[end] != ':'; ++end) {
      const char c = s[end];
      if (c == '%') {
        if (route::escaped_byte(s, end) <= 0) return false;
        end += 2;
      } else if (!text::is_digit(c) && !(text::to_lower(c) >= 'a' && text::to_lower(c) <= 'z') &&
                 marks.find(c) == std::string_view::npos) {
        return false;
      }
    }
    if (end == 0) return false;
  }
  if (end == s.size()) return true;
  std::uint64_t port = 0;
  return s[end] == ':' && (end + 1 == s.size() || text::parse_number(s.substr(end + 1), 65535, port));
}

/// Equal hosts, in any case and with the port 80 of "http" spelled out or not.
[[nodiscard]] inline bool same_authority(std::string_view a, std::string_view b) noexcept {
  const auto bare = [](std::string_view s) {
    if (s.size() >= 3 && s.substr(s.size() - 3) == ":80") return s.substr(0, s.size() - 3);
    if (!s.empty() && s.back() == ':') return s.substr(0, s.size() - 1);
    return s;
  };
  return text::equal_nocase(bare(a), bare(b));
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// wire/head.hpp
// =====================================================================================================================

// The gate: decides whether the bytes a client sent are one valid HTTP/1.1 request head, before cpp-httplib sees any.
//
//   std::size_t scanned = 0;
//   auto got = parse_head(buffer, bounds, &scanned);       // again with a longer buffer while got.step is more
//   if (got.step == head_result::reject) answer(got.status, got.reason), close();
//   if (got.step == head_result::complete) hand_over(canonical_head(got.value, escape_percent));
//
// What is malformed or can be read in two ways is rejected, at the first byte that proves it, with the status to
// answer; the connection is closed after that. What passes is written anew in one form, so that the parser behind,
// whichever its version, has nothing left to interpret. The verdict on some bytes is the same whether they came at
// once or singly.
//
// It does not read bodies (wire/chunked.hpp), does not decode the path (route/path.hpp), and does not hold a body's
// length against `limits::body_bytes`: a 404 or 401 comes before the 413, so that is the caller's next question.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// A field line (RFC 9112 §5): the name as sent, the value without the blanks around it.
struct field {
  std::string_view name;
  std::string_view value;
};

/// Where the body ends (RFC 9112 §6.3): there is none, after so many bytes, or with the last chunk.
enum class framing { none, length, chunked };

/// A valid request head. Its views point into the buffer that was parsed.
struct head {
  std::string_view method;  ///< as sent
  std::string_view target;  ///< as sent (RFC 9112 §3.2)
  std::string_view path;    ///< raw, of origin-form or absolute-form; "*" for a server-wide OPTIONS
  std::string_view query;   ///< raw, without its '?'
  std::string_view host;    ///< with the port if one was sent; empty in HTTP/1.0 only
  int minor = 1;            ///< HTTP/1.minor: 0 or 1
  std::vector<field> fields;
  wire::framing framing = wire::framing::none;
  std::uint64_t content_length = 0;
  bool keep_alive = true;        ///< the connection may serve another request (RFC 9112 §9.3)
  bool expect_continue = false;  ///< the body waits for our 100 (RFC 9110 §10.1.1)
  bool upgrade = false;          ///< a switch of protocol is asked for, and may be granted (RFC 9110 §7.8)
  route::method verb = route::method::get;

  /// The value of the first field of this name in any case; nothing when there is none.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
};

/// What the bytes so far are.
struct head_result {
  enum verdict { more, complete, reject };
  verdict step = more;
  std::size_t consumed = 0;  ///< complete: bytes of the head, empty lines before it included
  int status = 0;            ///< reject: what to answer
  std::string_view reason;   ///< reject: why, for the log and the answer
  head value;                ///< complete
};

/// Judges the buffer from its first byte. `scanned`, zero for a new head and kept by the caller while the buffer grows,
/// spares what was looked at before.
[[nodiscard]] head_result parse_head(std::string_view buffer, const limits& bounds, std::size_t* scanned = nullptr);

/// The head in the only form that cpp-httplib shall read: origin-form target, no hop-by-hop fields (RFC 9110 §7.6.1),
/// the framing and the fate of the connection stated once, by us. To hand a decoded chunked body over, set `framing`
/// and `content_length` of a copy before.
///
/// `escape_percent`: for cpp-httplib before 0.44, which percent-decodes values (all but Location and Referer), so that
/// `%0d%0a` would become a line break. A '%' is written as "%25" and comes out as it went in.
[[nodiscard]] std::string canonical_head(const head& value, bool escape_percent);

// ---------------------------------------------------------------------------------------------------------------------

inline std::optional<std::string_view> head::find(std::string_view name) const noexcept {
  for (const auto& f : fields) {
    if (text::equal_nocase(f.name, name)) return f.value;
  }
  return std::nullopt;
}

/// Why a head is refused; status 0 is none.
struct fault {
  int status = 0;
  std::string_view reason;
  explicit operator bool() const noexcept { return status != 0; }
};

/// Takes the lines of one head in their order. Every function returns the first fault it finds.
class head_reader {
 public:
  head_reader(const limits& bounds, head& out) noexcept : bounds_(bounds), out_(out) {}

  /// What is wrong with a line already, however it goes on. Asked for each line that is not complete, and before
  /// anything else of each that is: this keeps the verdict independent of how the bytes were cut into packets.
  [[nodiscard]] fault begun(std::string_view line, bool first) const noexcept;
  [[nodiscard]] fault request_line(std::string_view line);
  [[nodiscard]] fault field_line(std::string_view line);
  [[nodiscard]] fault finish();

 private:
  [[nodiscard]] fault target(std::string_view text);
  [[nodiscard]] fault known_field(const field& f);
  [[nodiscard]] fault content_length(std::string_view value);
  [[nodiscard]] fault transfer_encoding(std::string_view value);

  const limits& bounds_;
  head& out_;
  std::string_view authority_;  // of an absolute-form target
  bool host_ = false, length_ = false, coding_ = false, expect_ = false, upgrade_ = false;
  bool says_close_ = false, says_keep_alive_ = false, says_upgrade_ = false;
};

inline fault head_reader::begun(std::string_view line, bool first) const noexcept {
  constexpr auto none = std::string_view::npos;
  if (!first) {
    if (!line.empty() && (line[0] == ' ' || line[0] == '\t')) return {400, "folded or indented field line"};
    if (line.size() > bounds_.field_bytes) return {431, "field line too long"};
    return {};
  }
  const auto method_end = line.find(' ');
  if ((method_end == none ? line.size() : method_end) > bounds_.method_bytes) return {501, "method too long"};
  if (method_end == none) return {};
  const auto rest = line.substr(method_end + 1);
  const auto target_end = rest.find(' ');
  if ((target_end == none ? rest.size() : target_end) > bounds_.target_bytes) return {414, "target too long"};
  if (target_end == none) return {};
  constexpr std::string_view version = "HTTP/1.1";
  if (rest.size() - target_end - 1 > version.size()) return {400, "malformed request line"};
  return {};
}

inline fault head_reader::request_line(std::string_view line) {
  const auto split = text::split(line, ' ');
  if (split.size() != 3 || !is_token(split[0]) || split[1].empty()) return {400, "malformed request line"};

  const std::string_view version = split[2];
  const bool shaped = version.size() == 8 && text::starts_with(version, "HTTP/") && text::is_digit(version[5]) &&
                      version[6] == '.' && text::is_digit(version[7]);
  if (!shaped) return {400, "malformed HTTP version"};
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return {505, "HTTP version not supported"};
  out_.minor = version[7] - '0';

  const auto verb = route::parse_method(split[0]);
  if (!verb) return {501, "method not implemented"};
  out_.verb = *verb;
  out_.method = split[0];
  out_.fields.reserve(16);  // what a browser sends
  return target(split[1]);
}

/// The three forms of RFC 9112 §3.2 that an origin server can be sent; the fourth belongs to CONNECT.
inline fault head_reader::target(std::string_view text) {
  out_.target = text;
  // RFC 3986 §2 knows no bytes beyond ASCII. The few ASCII marks it lacks ("{", "|", …) come from browsers, and pass.
  for (const char c : text) {
    if (c <= 0x20 || c == 0x7F) return {400, "invalid character in target"};
    if (c == '#') return {400, "fragment in target"};
  }
  if (text == "*") {
    out_.path = text;
    return out_.verb == route::method::options ? fault{} : fault{400, "'*' is for OPTIONS"};
  }

  std::string_view rest = text;
  if (text[0] != '/') {
    const auto scheme_end = text.find("://");
    if (scheme_end == std::string_view::npos) return {400, "target is neither a path nor a URL"};
    const auto scheme = text.substr(0, scheme_end);
    if (!text::equal_nocase(scheme, "http") && !text::equal_nocase(scheme, "https")) return {400, "scheme not served"};
    rest.remove_prefix(scheme_end + 3);
    authority_ = rest.substr(0, rest.find_first_of("/?"));
    if (!is_authority(authority_)) return {400, "invalid authority in target"};
    rest.remove_prefix(authority_.size());
    if (rest.empty() && out_.verb == route::method::options) {  // RFC 9112 §3.2.4
      out_.path = "*";
      return {};
    }
  }
  const auto mark = rest.find('?');
  out_.path = rest.substr(0, mark);
  if (out_.path.empty()) out_.path = "/";  // RFC 9112 §3.2.1
  if (mark != std::string_view::npos) out_.query = rest.substr(mark + 1);
  return {};
}

inline fault head_reader::field_line(std::string_view line) {
  if (out_.fields.size() == bounds_.fields) return {431, "too many fields"};
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return {400, "field line without a colon"};
  const field f{line.substr(0, colon), text::trimmed(line.substr(colon + 1))};
  // RFC 9112 §5.1 names the blank before the colon: two parsers that disagree on it see two requests.
  if (!f.name.empty() && (f.name.back() == ' ' || f.name.back() == '\t')) return {400, "blank before the colon"};
  if (!is_token(f.name)) return {400, "invalid field name"};
  out_.fields.push_back(f);
  return known_field(f);
}

inline fault head_reader::known_field(const field& f) {
  const auto is = [&](std::string_view name) { return text::equal_nocase(f.name, name); };
  if (is("Host")) {
    if (host_) return {400, "Host twice"};
    host_ = true;
    out_.host = f.value;
    return is_authority(f.value) ? fault{} : fault{400, "invalid Host"};
  }
  if (is("Content-Length")) return content_length(f.value);
  if (is("Transfer-Encoding")) return transfer_encoding(f.value);
  if (is("Connection")) {
    for (const auto piece : text::split(f.value, ',')) {
      const auto option = text::trimmed(piece);
      if (text::equal_nocase(option, "close")) says_close_ = true;
      if (text::equal_nocase(option, "keep-alive")) says_keep_alive_ = true;
      if (text::equal_nocase(option, "upgrade")) says_upgrade_ = true;
    }
    return {};
  }
  if (is("Upgrade")) upgrade_ = true;
  if (is("Expect") && out_.minor == 1) {  // in 1.0 it is to be ignored (RFC 9110 §10.1.1)
    if (!text::equal_nocase(f.value, "100-continue")) return {417, "unknown expectation"};
    expect_ = true;
  }
  return {};
}

/// RFC 9112 §6.3: a length that is no number is an unrecoverable error. Two equal ones might be folded into one; nobody
/// honest sends them, so they are refused with the others.
inline fault head_reader::content_length(std::string_view value) {
  if (length_) return {400, "Content-Length twice"};
  length_ = true;
  constexpr std::size_t most_digits = 15;  // a petabyte; stays exact wherever a length is counted in a double
  if (value.size() > most_digits) return {400, "invalid Content-Length"};
  if (!text::parse_number(value, UINT64_MAX, out_.content_length)) return {400, "invalid Content-Length"};
  if (coding_) return {400, "Content-Length with Transfer-Encoding"};
  out_.framing = framing::length;
  return {};
}

/// RFC 9112 §6.1: 400 for what cannot be framed, 501 for a coding that we do not know.
inline fault head_reader::transfer_encoding(std::string_view value) {
  if (out_.minor == 0) return {400, "Transfer-Encoding in HTTP/1.0"};
  if (coding_) return {400, "Transfer-Encoding twice"};
  coding_ = true;
  if (!is_token(value)) return {400, "invalid Transfer-Encoding"};
  if (!text::equal_nocase(value, "chunked")) return {501, "transfer coding not implemented"};
  if (length_) return {400, "Content-Length with Transfer-Encoding"};
  out_.framing = framing::chunked;
  return {};
}

/// Fields that are about the connection or the framing: canonical_head states them itself.
[[nodiscard]] inline bool is_restated(std::string_view name) noexcept {
  constexpr std::string_view names[] = {"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding",
                                        "Content-Length", "Expect", "TE", "Trailer", "Upgrade"};
  return std::any_of(std::begin(names), std::end(names), [&](auto n) { return text::equal_nocase(n, name); });
}
/// Range means something to GET and in bytes alone, and is to be ignored otherwise (RFC 9110 §14.2); cpp-httplib would
/// answer 416.
[[nodiscard]] inline bool is_passed_on(const head& h, const field& f) noexcept {
  if (text::equal_nocase(f.name, "Upgrade")) return h.upgrade;
  if (text::equal_nocase(f.name, "Range")) {
    return (h.verb == route::method::get || h.verb == route::method::head) &&
           text::equal_nocase(f.value.substr(0, 6), "bytes=");
  }
  return !is_restated(f.name);
}
/// A body is expected, so its absence is to be stated: without a length, cpp-httplib waits 5 s for one.
[[nodiscard]] inline bool states_no_body(const head& h) noexcept {
  using route::method;
  return h.framing == framing::none &&
         (h.verb == method::post || h.verb == method::put || h.verb == method::patch || h.verb == method::del);
}
[[nodiscard]] inline bool states_connection(const head& h) noexcept {
  return !h.keep_alive || h.upgrade || h.minor == 0;
}

inline fault head_reader::finish() {
  if (!host_ && out_.minor == 1) return {400, "Host missing"};
  if (!authority_.empty()) {
    if (host_ && !same_authority(authority_, out_.host)) return {400, "Host and target disagree"};
    if (!host_) out_.host = authority_;
  }

  out_.keep_alive = !says_close_ && (out_.minor == 1 || says_keep_alive_);
  const bool content = out_.framing == framing::chunked || out_.content_length > 0;
  out_.expect_continue = expect_ && content;
  // Granted only where nothing else is going on: RFC 9110 §7.8 lets a server ignore any Upgrade, and 1.0 has none.
  out_.upgrade = upgrade_ && says_upgrade_ && out_.minor == 1 && out_.keep_alive && !content;

  // What canonical_head writes is counted by cpp-httplib again.
  const auto kept = std::count_if(out_.fields.begin(), out_.fields.end(), [&](const field& f) {
    return is_passed_on(out_, f);
  });
  const bool host_added = !host_ && !out_.host.empty();
  const int added = (out_.framing != framing::none || states_no_body(out_) ? 1 : 0) +
                    (states_connection(out_) ? 1 : 0) + (host_added ? 1 : 0);
  const bool fit = static_cast<std::size_t>(kept + added) <= bounds_.fields;
  return fit ? fault{} : fault{431, "too many fields"};
}

/// The bytes of the lines, before their meaning: where lines and head end, which byte is wrong.
struct head_scan {
  std::size_t line = 0;  ///< where the first incomplete line begins
  std::size_t end = 0;   ///< behind the empty line, when it is there
  std::size_t stop = 0;  ///< where the look ended: at the wrong byte, or behind the last one that needs no second look
  bool grown = false;    ///< a line was completed beyond what had been scanned before
  fault wrong;
};

/// `begin` is where the request line begins, `from` what was scanned before (at least `begin`).
inline head_scan scan_head(std::string_view bytes, std::size_t begin, std::size_t from) noexcept {
  head_scan s;
  const auto newline = from == 0 ? std::string_view::npos : bytes.rfind('\n', from - 1);
  s.line = newline == std::string_view::npos ? begin : (std::max)(begin, newline + 1);
  for (s.stop = from; s.stop < bytes.size(); ++s.stop) {
    const char c = bytes[s.stop];
    if (c == '\r') {
      if (s.stop + 1 == bytes.size()) return s;  // its LF is still to come
      if (bytes[s.stop + 1] != '\n') {
        s.wrong = {400, "bare CR"};
        return s;
      }
      const bool empty = s.stop == s.line;
      ++s.stop;
      s.line = s.stop + 1;
      s.grown = true;
      if (empty) {
        s.end = s.line;
        return s;
      }
    } else if (c == '\n') {
      s.wrong = {400, "bare LF"};
      return s;
    } else if (is_control(c)) {
      s.wrong = {400, "control character"};
      return s;
    }
  }
  return s;
}

inline head_result parse_head(std::string_view buffer, const limits& bounds, std::size_t* scanned) {
  head_result result;
  const auto rejected = [&](fault why) {
    result.step = head_result::reject;
    result.status = why.status;
    result.reason = why.reason;
    result.value = {};
    return std::move(result);
  };

  const std::string_view bytes = buffer.substr(0, bounds.head_bytes);
  // RFC 9112 §2.2: skip "at least one" empty line before a request. Some clients send one after a body; sixteen is an
  // endless stream of them.
  std::size_t begin = 0;
  while (begin < 32 && bytes.substr(begin, 2) == "\r\n") begin += 2;

  const head_scan seen = scan_head(bytes, begin, (std::max)(begin, scanned != nullptr ? *scanned : 0));
  if (scanned != nullptr) *scanned = seen.stop;

  // The lines come before the wrong byte, because they are before it on the wire.
  head_reader reader(bounds, result.value);
  if (seen.grown || seen.wrong || buffer.size() > bytes.size()) {
    for (std::size_t at = begin; at < seen.line;) {
      const auto line_end = bytes.find('\r', at);
      const auto line = bytes.substr(at, line_end - at);
      const bool first = at == begin;
      at = line_end + 2;
      if (line.empty() && !first) break;
      if (const fault why = reader.begun(line, first)) return rejected(why);
      if (const fault why = first ? reader.request_line(line) : reader.field_line(line)) return rejected(why);
    }
  }
  if (seen.end != 0) {
    if (const fault why = reader.finish()) return rejected(why);
    result.step = head_result::complete;
    result.consumed = seen.end;
    return result;
  }

  const auto partial = bytes.substr(seen.line, seen.stop - seen.line);
  if (const fault why = reader.begun(partial, seen.line == begin)) return rejected(why);
  if (seen.wrong) return rejected(seen.wrong);
  if (buffer.size() > bytes.size()) return rejected({431, "head too large"});
  result.value = {};
  return result;
}

inline std::string canonical_head(const head& value, bool escape_percent) {
  std::string out;
  out.reserve(256);
  const auto put = [&out](std::initializer_list<std::string_view> pieces) {
    for (const auto piece : pieces) out += piece;
  };

  put({value.method, " ", value.path});
  if (!value.query.empty()) put({"?", value.query});
  put({value.minor == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n"});

  const auto put_field = [&](std::string_view name, std::string_view content) {
    put({name, ": "});
    // cpp-httplib before 0.44 decodes the values of all fields but these two.
    const bool escaped =
        escape_percent && !text::equal_nocase(name, "Location") && !text::equal_nocase(name, "Referer");
    for (auto mark = content.find('%'); escaped && mark != std::string_view::npos; mark = content.find('%')) {
      put({content.substr(0, mark), "%25"});
      content.remove_prefix(mark + 1);
    }
    put({content, "\r\n"});
  };
  if (!value.host.empty() && !value.find("Host")) put_field("Host", value.host);  // an absolute-form target in 1.0
  for (const auto& f : value.fields) {
    if (is_passed_on(value, f)) put_field(f.name, f.value);
  }

  if (value.framing == framing::chunked) {
    put({"Transfer-Encoding: chunked\r\n"});
  } else if (value.framing == framing::length || states_no_body(value)) {
    put({"Content-Length: ", std::to_string(value.content_length), "\r\n"});
  }
  if (states_connection(value)) {
    put({"Connection: ", !value.keep_alive ? "close" : value.upgrade ? "Upgrade" : "Keep-Alive", "\r\n"});
  }
  put({"\r\n"});
  return out;
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// wire/chunked.hpp
// =====================================================================================================================

// Decodes a chunked body (RFC 9112 §7.1) as it arrives, strictly: what two parsers could read in two ways ends it.
//
//   chunked_decoder decoder(bounds, bounds.body_bytes);
//   std::size_t consumed = 0;
//   switch (decoder.feed(received, consumed, body)) {…}     // more; done: behind `consumed` is the next request
//
// Sizes are hex digits and nothing else, line ends are CRLF and nothing else. Extensions and the trailer section are
// checked, counted and dropped: nothing in a trailer may change a request that is already being handled (RFC 9112
// §7.1.2). It keeps no copy of what it was given.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

class chunked_decoder {
 public:
  /// more: feed on; done: the last empty line was read; bad: 400; too_large: 413. The last three are final.
  enum class step { more, done, bad, too_large };

  /// `body_bytes`: the most that the whole decoded body may be.
  chunked_decoder(const limits& bounds, std::uint64_t body_bytes) noexcept : bounds_(bounds), left_(body_bytes) {}

  /// Decodes from the front of `in` onto the end of `out`, and sets `consumed` to the bytes it took: all of them while
  /// it says more. A size that would exceed the limit is refused when it is announced, before its data arrives.
  [[nodiscard]] step feed(std::string_view in, std::size_t& consumed, std::string& out);

 private:
  enum class state {
    size,           // the first hex digit of a size
    size_more,      // the others, then CR, ';' or a blank
    blank,          // bad whitespace before ';', to be accepted (RFC 9112 §7.1.1)
    extension,      // up to CR
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer,        // the first byte of a trailer line, or the CR of the last empty one
    trailer_name,
    trailer_value,
    trailer_lf,
    last_lf,
  };

  [[nodiscard]] step take(char c) noexcept;
  [[nodiscard]] step size_digit(char c) noexcept;
  [[nodiscard]] step extension_byte(char c) noexcept;
  [[nodiscard]] step trailer_byte(bool allowed, state next) noexcept;
  [[nodiscard]] step go(state next) noexcept {
    state_ = next;
    return step::more;
  }
  [[nodiscard]] step expect(bool is, state next) noexcept { return is ? go(next) : step::bad; }

  limits bounds_;
  std::uint64_t left_;          // of the whole body
  std::uint64_t chunk_ = 0;     // its size while that is read; then what is still to come of it
  std::size_t digits_ = 0;
  std::size_t extensions_ = 0;  // bytes of all extensions so far
  std::size_t trailers_ = 0;    // bytes of the trailer section so far
  state state_ = state::size;
  step verdict_ = step::more;
};

// ---------------------------------------------------------------------------------------------------------------------

inline chunked_decoder::step chunked_decoder::feed(std::string_view in, std::size_t& consumed, std::string& out) {
  consumed = 0;
  while (verdict_ == step::more && consumed < in.size()) {
    if (state_ == state::data) {
      const auto here = static_cast<std::size_t>((std::min)(chunk_, std::uint64_t{in.size() - consumed}));
      out.append(in.substr(consumed, here));
      consumed += here;
      chunk_ -= here;
      if (chunk_ == 0) state_ = state::data_cr;
    } else {
      verdict_ = take(in[consumed++]);
    }
  }
  return verdict_;
}

/// One byte that is not data.
inline chunked_decoder::step chunked_decoder::take(char c) noexcept {
  switch (state_) {
    case state::size: chunk_ = 0; digits_ = 0; return size_digit(c);
    case state::size_more:
      if (c == '\r') return go(state::size_lf);
      if (c == ';' || c == ' ' || c == '\t') return extension_byte(c);
      return size_digit(c);
    case state::blank:
    case state::extension: return extension_byte(c);
    case state::size_lf:
      if (c != '\n') return step::bad;
      if (chunk_ == 0) return go(state::trailer);
      if (chunk_ > left_) return step::too_large;
      left_ -= chunk_;
      return go(state::data);
    case state::data: break;  // feed takes it whole
    case state::data_cr: return expect(c == '\r', state::data_lf);
    case state::data_lf: return expect(c == '\n', state::size);
    case state::trailer:
      if (c == '\r') return go(state::last_lf);
      return trailer_byte(is_token_char(c), state::trailer_name);  // a blank here would be a folded line
    case state::trailer_name:
      if (c == ':') return trailer_byte(true, state::trailer_value);
      return trailer_byte(is_token_char(c), state::trailer_name);
    case state::trailer_value:
      if (c == '\r') return go(state::trailer_lf);
      return trailer_byte(!is_control(c), state::trailer_value);
    case state::trailer_lf: return expect(c == '\n', state::trailer);
    case state::last_lf: return c == '\n' ? step::done : step::bad;
  }
  return step::bad;
}

/// No sign, no "0x", no blank, no more digits than fit: each of them has been a way to smuggle a request.
inline chunked_decoder::step chunked_decoder::size_digit(char c) noexcept {
  const int value = route::hex_value(c);
  if (value < 0 || ++digits_ > (std::min)(bounds_.chunk_digits, std::size_t{15})) return step::bad;
  chunk_ = chunk_ * 16 + static_cast<std::uint64_t>(value);
  return go(state::size_more);
}

inline chunked_decoder::step chunked_decoder::extension_byte(char c) noexcept {
  if (state_ == state::extension && c == '\r') return go(state::size_lf);
  if (is_control(c) || ++extensions_ > bounds_.chunk_extension_bytes) return step::bad;
  if (state_ == state::extension || c == ';') return go(state::extension);
  return expect(c == ' ' || c == '\t', state::blank);
}

inline chunked_decoder::step chunked_decoder::trailer_byte(bool allowed, state next) noexcept {
  return expect(allowed && ++trailers_ <= bounds_.trailer_bytes, next);
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// os/console.hpp
// =====================================================================================================================

// The terminal: writing to it, and the ways a person ends a program that runs in it.
//
// A service has no standard handles; `write_out` and `write_err` then do nothing.

#include <functional>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// UTF-8 to standard output or standard error; to a Windows console as UTF-16, whatever its code page is.
void write_out(std::string_view utf8) noexcept;
void write_err(std::string_view utf8) noexcept;
[[nodiscard]] bool out_is_terminal() noexcept;
/// Is there anybody to read what we print: a console, a pipe, a file?
[[nodiscard]] bool has_standard_output() noexcept;

/// While it lives, Ctrl-C and its kin are a call of `on_interrupt` (from a thread of its own, any number of times) and
/// no longer the end of the process. Windows: Ctrl-C, Ctrl-Break, and the closing of the console, logoff and shutdown;
/// for the last three the process ends when their handler returns, so it is held until this object is destroyed. POSIX:
/// SIGINT, SIGTERM, SIGHUP. One at a time.
class interrupts {
 public:
  explicit interrupts(std::function<void()> on_interrupt);
  ~interrupts();
  interrupts(const interrupts&) = delete;
  interrupts& operator=(const interrupts&) = delete;

 private:
  struct state;
  state* state_;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// os/posix/door.hpp
// =====================================================================================================================

// The door to POSIX: the one file that includes its system headers.

#if !WINSVC_OS_WINDOWS

  #include <arpa/inet.h>
  #include <csignal>
  #include <fcntl.h>
  #include <netdb.h>
  #include <netinet/in.h>
  #include <netinet/tcp.h>
  #include <poll.h>
  #include <sys/socket.h>
  #include <sys/stat.h>
  #include <sys/types.h>
  #include <unistd.h>

#endif  // !WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/posix/console.hpp
// =====================================================================================================================

// os/console.hpp on POSIX: signals, led through a pipe to a thread, because a signal handler may do next to nothing.

#include <cerrno>
#include <functional>
#include <string_view>
#include <thread>
#include <utility>

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

inline void write_descriptor(int descriptor, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const auto n = ::write(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}
inline void write_out(std::string_view utf8) noexcept { write_descriptor(STDOUT_FILENO, utf8); }
inline void write_err(std::string_view utf8) noexcept { write_descriptor(STDERR_FILENO, utf8); }
inline bool out_is_terminal() noexcept { return ::isatty(STDOUT_FILENO) == 1; }
inline bool has_standard_output() noexcept { return ::fcntl(STDOUT_FILENO, F_GETFD) != -1; }

struct interrupts::state {
  static constexpr int signals[3] = {SIGINT, SIGTERM, SIGHUP};
  int pipe[2] = {-1, -1};
  struct sigaction before[3] = {};
  std::function<void()> on_interrupt;
  std::thread listener;

  static int& write_end() noexcept {
    static int fd = -1;
    return fd;
  }
  static void handler(int) noexcept {
    const int saved = errno;
    static_cast<void>(!::write(write_end(), "i", 1));
    errno = saved;
  }
};

inline interrupts::interrupts(std::function<void()> on_interrupt) : state_(new state) {
  state_->on_interrupt = std::move(on_interrupt);
  if (::pipe(state_->pipe) != 0) return;
  for (const int end : state_->pipe) ::fcntl(end, F_SETFD, FD_CLOEXEC);
  state::write_end() = state_->pipe[1];
  state_->listener = std::thread([s = state_] {
    for (char byte = 0;;) {
      const auto n = ::read(s->pipe[0], &byte, 1);
      if (n < 0 && errno == EINTR) continue;
      if (n != 1 || byte != 'i') return;
      try {
        s->on_interrupt();
      } catch (...) {  // out of memory: the next Ctrl-C may have more luck
      }
    }
  });
  struct sigaction action = {};
  action.sa_handler = &state::handler;
  action.sa_flags = SA_RESTART;
  for (int i = 0; i < 3; ++i) ::sigaction(state::signals[i], &action, &state_->before[i]);
}

inline interrupts::~interrupts() {
  if (state_->listener.joinable()) {
    for (int i = 0; i < 3; ++i) ::sigaction(state::signals[i], &state_->before[i], nullptr);
    static_cast<void>(!::write(state_->pipe[1], "q", 1));
    state_->listener.join();
    for (const int end : state_->pipe) ::close(end);
  }
  delete state_;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // !WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/service_manager.hpp
// =====================================================================================================================

// The Service Control Manager as seen by who manages services: one member function for one Win32 call, in neutral
// types. Windows answers through os/win/service_manager.hpp, the simulated one of winsvc/testing.hpp on any platform,
// so that the logic of install, start and remove (host/manage.hpp) is tested call by call, argument by argument.
//
// Every function returns the Win32 code as it was; the sentences are made above, where it is known what was being done.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// A value or a bare system code.
template <class T>
using sys_result = result<T, std::uint32_t>;
[[nodiscard]] inline failure<std::uint32_t> sys_failure(std::uint32_t code) { return {code}; }

/// Access rights, with Win32's values. Ask for the least: with more than an account has, the open fails with 5.
namespace access {
inline constexpr std::uint32_t manager_connect = 0x1, manager_create = 0x2;
inline constexpr std::uint32_t query_config = 0x1, change_config = 0x2, query_status = 0x4, enumerate_dependents = 0x8,
                               start = 0x10, stop = 0x20, remove = 0x10000;
}  // namespace access

/// QUERY_SERVICE_CONFIGW, as far as it is used.
struct service_config {
  winsvc::startup startup = startup::automatic;
  std::string binary;        ///< ImagePath: executable and arguments, quoted
  std::string display_name;
  std::string account;
};

/// The arguments of CreateServiceW and ChangeServiceConfigW. Empty optionals are NULL or SERVICE_NO_CHANGE.
struct service_settings {
  std::optional<winsvc::startup> startup;
  std::optional<std::string> binary;
  std::optional<std::string> display_name;
};

/// SERVICE_STATUS_PROCESS.
struct service_process {
  model::service_status status;
  std::uint32_t pid = 0;
};

class service_manager {
 public:
  using raw_handle = void*;

  virtual ~service_manager() = default;
  virtual sys_result<raw_handle> open_manager(std::uint32_t rights) = 0;
  virtual sys_result<raw_handle> create_service(raw_handle manager, const std::string& name, std::uint32_t rights,
                                                const service_settings& settings) = 0;
  virtual sys_result<raw_handle> open_service(raw_handle manager, const std::string& name, std::uint32_t rights) = 0;
  virtual sys_result<void> change_config(raw_handle service, const service_settings& settings) = 0;
  virtual sys_result<void> change_description(raw_handle service, const std::string& description) = 0;
  virtual sys_result<void> change_delayed_start(raw_handle service, bool delayed) = 0;
  virtual sys_result<service_config> query_config(raw_handle service) = 0;
  virtual sys_result<service_process> query_status(raw_handle service) = 0;
  virtual sys_result<void> start_service(raw_handle service, const std::vector<std::string>& arguments) = 0;
  virtual sys_result<void> control_service(raw_handle service, std::uint32_t control) = 0;
  virtual sys_result<void> delete_service(raw_handle service) = 0;
  virtual void close(raw_handle handle) noexcept = 0;

  /// The registry key that lets the Event Viewer show a source's messages. Adding twice, removing what is not there:
  /// success.
  virtual sys_result<void> add_event_source(const std::string& source) = 0;
  virtual sys_result<void> remove_event_source(const std::string& source) = 0;
};

/// Owns a handle to the manager or to a service; closes it. An open handle keeps a deleted service alive (1072), so
/// these live short.
class service_handle {
 public:
  service_handle(service_manager& owner, service_manager::raw_handle handle) noexcept
      : owner_(&owner), handle_(handle) {}
  service_handle(service_handle&& other) noexcept
      : owner_(other.owner_), handle_(std::exchange(other.handle_, nullptr)) {}
  service_handle& operator=(service_handle&& other) noexcept {
    if (this != &other) {
      reset();
      owner_ = other.owner_;
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~service_handle() { reset(); }

  [[nodiscard]] service_manager::raw_handle get() const noexcept { return handle_; }
  void reset() noexcept {
    if (handle_) owner_->close(std::exchange(handle_, nullptr));
  }

 private:
  service_manager* owner_;
  service_manager::raw_handle handle_;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// os/file.hpp
// =====================================================================================================================

// The few things done with files: append, read whole, replace whole, rename, make folders. Paths are UTF-8; nothing is
// inherited by child processes.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

#if WINSVC_OS_WINDOWS
inline constexpr char path_separator = '\\';
#else
inline constexpr char path_separator = '/';
#endif

[[nodiscard]] inline std::string path_join(const std::string& folder, std::string_view name) {
  return folder + path_separator + std::string(name);
}

/// A file that is only ever added to. Others may read, rename and delete it meanwhile.
class append_file {
 public:
  append_file() = default;
  append_file(append_file&& other) noexcept : native_(std::exchange(other.native_, -1)), size_(other.size_) {}
  append_file& operator=(append_file&& other) noexcept {
    if (this != &other) {
      close();
      native_ = std::exchange(other.native_, -1);
      size_ = other.size_;
    }
    return *this;
  }
  ~append_file() { close(); }

  [[nodiscard]] static sys_result<append_file> open(const std::string& path);
  [[nodiscard]] bool is_open() const noexcept { return native_ != -1; }
  bool write(std::string_view bytes) noexcept;
  /// Bytes in the file: those found at opening and those written since.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  void close() noexcept;

 private:
  std::intptr_t native_ = -1;  // a HANDLE, or a file descriptor
  std::uint64_t size_ = 0;
};

[[nodiscard]] std::optional<std::string> read_file(const std::string& path);
/// Writes beside the file and renames over it, so that a reader sees the old text or the new, never half of it.
sys_result<void> replace_file(const std::string& path, std::string_view content);
/// Over an existing target.
bool rename_file(const std::string& from, const std::string& to) noexcept;
bool remove_file(const std::string& path) noexcept;
/// With all parents. Existing: success.
sys_result<void> make_folders(const std::string& path);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// os/posix/file.hpp
// =====================================================================================================================

// os/file.hpp on POSIX.

#include <cerrno>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

[[nodiscard]] inline failure<std::uint32_t> errno_failure() { return {static_cast<std::uint32_t>(errno)}; }

inline bool write_all(int file, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const auto n = ::write(file, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

inline sys_result<append_file> append_file::open(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return errno_failure();
  append_file out;
  out.native_ = file;
  struct stat info = {};
  if (::fstat(file, &info) == 0) out.size_ = static_cast<std::uint64_t>(info.st_size);
  return out;
}

inline bool append_file::write(std::string_view bytes) noexcept {
  if (!write_all(static_cast<int>(native_), bytes)) return false;
  size_ += bytes.size();
  return true;
}

inline void append_file::close() noexcept {
  if (native_ != -1) ::close(static_cast<int>(std::exchange(native_, -1)));
}

inline std::optional<std::string> read_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::string content;
  char piece[8192];
  for (;;) {
    const auto n = ::read(file, piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n > 0) {
      content.append(piece, static_cast<std::size_t>(n));
      continue;
    }
    ::close(file);
    return n == 0 ? std::optional(std::move(content)) : std::nullopt;
  }
}

inline bool rename_file(const std::string& from, const std::string& to) noexcept {
  return ::rename(from.c_str(), to.c_str()) == 0;
}
inline bool remove_file(const std::string& path) noexcept { return ::unlink(path.c_str()) == 0; }

inline sys_result<void> replace_file(const std::string& path, std::string_view content) {
  const std::string beside = path + ".new";
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return errno_failure();
  const bool written = write_all(file, content);
  if (::close(file) != 0 || !written || !rename_file(beside, path)) return errno_failure();
  return {};
}

inline sys_result<void> make_folders(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return {};
    return sys_failure(ENOTDIR);
  }
  const auto slash = path.find_last_of('/');
  if (slash != std::string::npos && slash > 0) {
    if (auto parent = make_folders(path.substr(0, slash)); !parent) return parent;
  }
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return errno_failure();
  return {};
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // !WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/dispatcher.hpp
// =====================================================================================================================

// The Service Control Manager as seen by the service itself: be dispatched, take controls, report a status. Windows
// answers through os/win/dispatcher.hpp, the simulated one of winsvc/testing.hpp on any platform.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

class dispatcher {
 public:
  /// ServiceMain's own arguments: [0] is the service's name, the rest came with StartService. Runs on a thread of the
  /// dispatcher's. They are not the command line.
  using service_main = std::function<void(const std::vector<std::string>& arguments)>;
  /// A control and its event type; returns the Win32 code for the SCM. Runs on the thread that called `run`, one at a
  /// time; it must return at once, because the SCM serves no other service meanwhile.
  using control_handler = std::function<std::uint32_t(std::uint32_t control, std::uint32_t event)>;

  virtual ~dispatcher() = default;

  /// StartServiceCtrlDispatcherW: blocks the calling thread until the service has stopped. 0, or the code: 1063 when
  /// this process was not started by the SCM.
  virtual std::uint32_t run(service_main entry) = 0;
  /// RegisterServiceCtrlHandlerExW: the first call in service_main.
  virtual std::uint32_t register_handler(const std::string& service_name, control_handler handler) = 0;
  /// SetServiceStatus. After STOPPED the process may be ended before the call returns.
  virtual std::uint32_t set_status(const model::service_status& status) noexcept = 0;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// os/event_log.hpp
// =====================================================================================================================

// The Windows event log: one report, one line. Elsewhere there is none, and a report is dropped.
//
// The source is registered at install (service_manager::add_event_source), because a service account may not do it. The
// message file is EventCreate.exe, whose message for IDs 1 to 1000 is "%1": one text reads well without a DLL of one's
// own.

#include <cstdint>
#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

enum class event_level : std::uint16_t { error = 1, warning = 2, information = 4 };  // EVENTLOG_*_TYPE

/// What is reported, with its ID in the Event Viewer.
namespace event_id {
inline constexpr std::uint32_t started = 1, stopped = 2, failed = 3, degraded = 4;
}

/// Never throws, never blocks for long; a report that cannot be made is dropped, because the log file has it too.
void report_event(const std::string& source, event_level level, std::uint32_t id, std::string_view text) noexcept;

/// `%` begins an insertion in the event log (`%1`, `%n`) where a letter, a digit, `%` or `!` follows: there a blank is
/// put behind it. Cut to 31,839 characters, the most that ReportEvent takes.
[[nodiscard]] inline std::string event_text(std::string_view text) {
  constexpr std::size_t most = 31'839;
  const auto begins_insertion = [](char c) {
    const char low = winsvc::text::to_lower(c);
    return (low >= 'a' && low <= 'z') || winsvc::text::is_digit(c) || c == '%' || c == '!';
  };
  std::string out;
  for (std::size_t i = 0; i < text.size() && out.size() <= most; ++i) {
    out += text[i];
    if (text[i] == '%' && i + 1 < text.size() && begins_insertion(text[i + 1])) out += ' ';
  }
  out.resize(winsvc::text::cut(out, most).size());
  return out;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// os/process.hpp
// =====================================================================================================================

// This process and its surroundings: where its executable is, what it was called with, where it may keep data, and what
// the system says a code means. All text is UTF-8.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// The running executable, absolute. GetModuleFileNameW with a buffer that grows; /proc/self/exe.
[[nodiscard]] std::string executable_path();
/// Everything before the last separator, without it; "." when there is none. A root keeps its separator: `C:` alone
/// would be whatever folder is current on that drive.
[[nodiscard]] inline std::string folder_of(std::string_view path) {
  const auto slash = path.find_last_of("/\\");
  if (slash == std::string_view::npos) return ".";
  const bool root = slash == 0 || (slash == 2 && path[1] == ':');
  return std::string(path.substr(0, root ? slash + 1 : slash));
}
/// The last component without `.exe`: what a person types.
[[nodiscard]] inline std::string program_name(std::string_view path) {
  const auto slash = path.find_last_of("/\\");
  std::string name(slash == std::string_view::npos ? path : path.substr(slash + 1));
  if (name.size() > 4 && text::equal_nocase(std::string_view(name).substr(name.size() - 4), ".exe"))
    name.resize(name.size() - 4);
  return name;
}

/// The words after the program's name. On Windows from GetCommandLineW, because main's argv is in the ANSI code page
/// and loses what that cannot say; elsewhere from argv.
[[nodiscard]] std::vector<std::string> arguments(int argc, char** argv);

[[nodiscard]] std::uint32_t process_id() noexcept;
/// A service starts in System32; relative paths are meant relative to the executable.
bool change_directory(const std::string& folder) noexcept;

/// `%ProgramData%\<name>` by the known-folder API; elsewhere `$XDG_STATE_HOME/<name>` or `~/.local/state/<name>`; the
/// name as model::folder_name makes it. Not created: who only asks for the status must not become the folder's owner.
[[nodiscard]] sys_result<std::string> data_folder(const std::string& service_name);

/// The system's own words for a code, one line, without a final dot. They differ between languages and versions: show
/// them, never compare them.
[[nodiscard]] std::string system_words(std::uint32_t code);

/// A system code as what main returns. POSIX keeps eight bits of it; a failure whose bits would be 0 there becomes 1.
[[nodiscard]] inline int exit_code(std::uint32_t code) noexcept {
#if !WINSVC_OS_WINDOWS
  if (code != 0 && (code & 0xFFu) == 0) return 1;
#endif
  return static_cast<int>(code);
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// os/posix/process.hpp
// =====================================================================================================================

// os/process.hpp, os/event_log.hpp and the service side of the seam on POSIX, where there is no Service Control
// Manager: its calls answer 50 (not supported).

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

inline std::string executable_path() {
  std::string path(256, '\0');
  for (;;) {
    const auto length = ::readlink("/proc/self/exe", path.data(), path.size());
    if (length < 0) return {};
    if (static_cast<std::size_t>(length) < path.size()) {
      path.resize(static_cast<std::size_t>(length));
      return path;
    }
    path.resize(path.size() * 2);
  }
}

inline std::vector<std::string> arguments(int argc, char** argv) {
  return argc > 1 ? std::vector<std::string>(argv + 1, argv + argc) : std::vector<std::string>();
}

inline std::uint32_t process_id() noexcept { return static_cast<std::uint32_t>(::getpid()); }

inline bool change_directory(const std::string& folder) noexcept { return ::chdir(folder.c_str()) == 0; }

inline sys_result<std::string> data_folder(const std::string& service_name) {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  const std::string root =
      state && *state ? std::string(state) : (home && *home ? std::string(home) : "/tmp") + "/.local/state";
  return path_join(root, model::folder_name(service_name));
}

inline std::string system_words(std::uint32_t code) { return std::strerror(static_cast<int>(code)); }

inline void report_event(const std::string&, event_level, std::uint32_t, std::string_view) noexcept {}

class native_service_manager final : public service_manager {
 public:
  sys_result<raw_handle> open_manager(std::uint32_t) override { return sys_failure(none); }
  sys_result<raw_handle> create_service(raw_handle, const std::string&, std::uint32_t,
                                        const service_settings&) override {
    return sys_failure(none);
  }
  sys_result<raw_handle> open_service(raw_handle, const std::string&, std::uint32_t) override {
    return sys_failure(none);
  }
  sys_result<void> change_config(raw_handle, const service_settings&) override { return sys_failure(none); }
  sys_result<void> change_description(raw_handle, const std::string&) override { return sys_failure(none); }
  sys_result<void> change_delayed_start(raw_handle, bool) override { return sys_failure(none); }
  sys_result<service_config> query_config(raw_handle) override { return sys_failure(none); }
  sys_result<service_process> query_status(raw_handle) override { return sys_failure(none); }
  sys_result<void> start_service(raw_handle, const std::vector<std::string>&) override { return sys_failure(none); }
  sys_result<void> control_service(raw_handle, std::uint32_t) override { return sys_failure(none); }
  sys_result<void> delete_service(raw_handle) override { return sys_failure(none); }
  void close(raw_handle) noexcept override {}
  sys_result<void> add_event_source(const std::string&) override { return sys_failure(none); }
  sys_result<void> remove_event_source(const std::string&) override { return sys_failure(none); }

 private:
  static constexpr std::uint32_t none = 50;  // ERROR_NOT_SUPPORTED
};

class native_dispatcher final : public dispatcher {
 public:
  std::uint32_t run(service_main) override { return model::code::failed_controller_connect; }
  std::uint32_t register_handler(const std::string&, control_handler) override { return 50; }
  std::uint32_t set_status(const model::service_status&) noexcept override { return 50; }
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // !WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/socket.hpp
// =====================================================================================================================

// TCP as the engine needs it: listen exclusively, accept, wait with a limit, receive, send, close. Blocking, with every
// wait bounded by the caller.
//
// Codes of the faults that a person meets are Windows' on every platform (10048 taken, 10013 forbidden, 10049 not
// ours), so that one table explains them; other codes are the system's own.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// A numeric address and a port.
struct endpoint {
  std::string host;
  std::uint16_t port = 0;

  /// `127.0.0.1:8080`, `[::1]:8080`.
  [[nodiscard]] std::string text() const {
    const bool six = host.find(':') != std::string::npos;
    return (six ? '[' + host + ']' : host) + ':' + std::to_string(port);
  }
  /// As a client on this machine can open it: an "any" address is no address to connect to.
  [[nodiscard]] std::string url() const {
    const std::string to = host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host;
    return "http://" + endpoint{to, port}.text();
  }
};

/// What became of a receive or a send.
enum class transfer { done, closed, timed_out, failed };

class tcp_socket {
 public:
  using native_handle = std::intptr_t;  // a SOCKET, or a file descriptor

  tcp_socket() = default;
  explicit tcp_socket(native_handle native) noexcept : native_(native) {}
  tcp_socket(tcp_socket&& other) noexcept : native_(std::exchange(other.native_, -1)) {}
  tcp_socket& operator=(tcp_socket&& other) noexcept {
    if (this != &other) {
      close();
      native_ = std::exchange(other.native_, -1);
    }
    return *this;
  }
  ~tcp_socket() { close(); }

  /// Binds and listens, alone: no other process can share or steal the port. SO_EXCLUSIVEADDRUSE on Windows, where
  /// SO_REUSEADDR would let a second program in; SO_REUSEADDR on POSIX, where it only forgives TIME_WAIT.
  [[nodiscard]] static sys_result<tcp_socket> listen(const std::string& host, std::uint16_t port);
  [[nodiscard]] static sys_result<tcp_socket> connect(const endpoint& to, std::chrono::milliseconds limit);

  [[nodiscard]] bool is_open() const noexcept { return native_ != -1; }
  [[nodiscard]] native_handle native() const noexcept { return native_; }
  [[nodiscard]] endpoint local() const;
  [[nodiscard]] endpoint peer() const;

  [[nodiscard]] sys_result<tcp_socket> accept() const;
  /// Up to `room` bytes; `got` says how many. `closed`: the peer sends no more.
  transfer receive(char* into, std::size_t room, std::size_t& got, std::chrono::milliseconds limit) noexcept;
  /// All of it; the limit is for each stretch without progress.
  transfer send(const char* from, std::size_t count, std::chrono::milliseconds limit) noexcept;
  /// The peer reads the end of the stream; we can still receive.
  void shutdown_send() noexcept;
  /// Both ways, from any thread: whoever waits on this socket wakes and sees it closed.
  void shutdown_both() noexcept;
  void close() noexcept;

 private:
  native_handle native_ = -1;
};

/// Wakes whoever waits in `wait_for`, now and ever after.
class waker {
 public:
  waker();
  ~waker();
  waker(const waker&) = delete;
  waker& operator=(const waker&) = delete;
  void wake() noexcept;

  /// Could it be made? Without it nobody would ever wake.
  [[nodiscard]] bool is_open() const noexcept { return ends_[0] != -1; }

  enum class outcome { ready, woken, timed_out, failed };
  /// Waits until the socket can be read or accepted from (ready), `wake` was called, also before (woken), or the time
  /// is over. Any number of threads may wait on one waker.
  [[nodiscard]] outcome wait_for(const tcp_socket& socket, std::chrono::milliseconds limit) noexcept;

  /// For `wait_for`: no limit.
  static constexpr std::chrono::milliseconds no_limit{-1};

 private:
  tcp_socket::native_handle ends_[2] = {-1, -1};
};

/// "pid 1234 (other.exe)" for the program that listens there, or nothing where that cannot be told.
[[nodiscard]] std::string port_owner(const endpoint& where);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// os/posix/socket_calls.hpp
// =====================================================================================================================

// What differs between POSIX' sockets and Windows', for os/tcp.hpp: names of calls, codes, options.

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {
namespace calls {

using socket_type = int;
using size_type = std::size_t;
using length_type = socklen_t;

inline void start_up() noexcept {}
[[nodiscard]] inline std::uint32_t last_error() noexcept { return static_cast<std::uint32_t>(errno); }
[[nodiscard]] inline bool would_block(std::uint32_t code) noexcept {
  return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}
/// What connect says of a non-blocking socket that has begun to.
[[nodiscard]] inline bool connecting(std::uint32_t code) noexcept { return code == EINPROGRESS || code == EINTR; }
/// The faults a person meets, under the numbers that the table of explanations has.
[[nodiscard]] inline std::uint32_t neutral(std::uint32_t code) noexcept {
  switch (code) {
    case EADDRINUSE: return model::code::address_in_use;
    case EACCES: return model::code::access_to_address;
    case EADDRNOTAVAIL: return model::code::address_not_available;
    default: return code;
  }
}
[[nodiscard]] inline std::uint32_t resolve_error(int) noexcept { return 11001; }  // WSAHOST_NOT_FOUND
inline int close(socket_type s) noexcept { return ::close(s); }
inline int poll_any(pollfd* fds, std::size_t count, int ms) noexcept {
  return ::poll(fds, static_cast<nfds_t>(count), ms);
}
using poll_entry = pollfd;
/// poll() wakes when another thread shuts the socket down, so it may wait as long as it is told.
inline constexpr std::chrono::milliseconds longest_poll{3'600'000};
[[nodiscard]] inline bool shut_down_by_us(socket_type) noexcept { return false; }
#ifdef MSG_NOSIGNAL
inline constexpr int send_flags = MSG_NOSIGNAL;  // a peer that went away is a code, not a SIGPIPE
#else
inline constexpr int send_flags = 0;
#endif
inline constexpr int both_ways = SHUT_RDWR, sending = SHUT_WR;

inline void no_inherit(socket_type s) noexcept { ::fcntl(s, F_SETFD, FD_CLOEXEC); }
[[nodiscard]] inline socket_type open(int family) noexcept {
  const int s = ::socket(family, SOCK_STREAM, IPPROTO_TCP);
  if (s != -1) no_inherit(s);
  return s;
}
inline bool set_nonblocking(socket_type s) noexcept {
  return ::fcntl(s, F_SETFL, ::fcntl(s, F_GETFL, 0) | O_NONBLOCK) == 0;
}

/// SO_REUSEADDR alone: it forgives the TIME_WAIT of an earlier run. SO_REUSEPORT would let a second program listen too.
inline bool be_exclusive(socket_type s) noexcept {
  const int on = 1;
  return ::setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
}

inline void open_waker(tcp_socket::native_handle (&ends)[2]) noexcept {
  int pair[2] = {-1, -1};
  if (::pipe(pair) != 0) return;
  for (int i = 0; i < 2; ++i) {
    no_inherit(pair[i]);
    set_nonblocking(pair[i]);
    ends[i] = pair[i];
  }
}
inline void close_waker(tcp_socket::native_handle (&ends)[2]) noexcept {
  for (const auto end : ends) close(static_cast<int>(end));
}
inline void wake(tcp_socket::native_handle end) noexcept {
  static_cast<void>(!::write(static_cast<int>(end), "w", 1));  // a full pipe wakes as well
}

}  // namespace calls

inline std::string port_owner(const endpoint&) { return {}; }

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // !WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/win/door.hpp
// =====================================================================================================================

// The door to Windows: the one file that includes <windows.h>. It asks for the lean version without min and max, and
// takes back the two macros if it was the one to define them.
//
// winsock2.h must come before windows.h, or the old winsock.h is in its place; cpp-httplib wants Windows 10's API.

#if WINSVC_OS_WINDOWS

  #if (defined(_WINSOCKAPI_) || defined(_WINSOCK_H)) && !defined(_WINSOCK2API_) && !defined(_WINSOCK2_H)
    #error "winsock.h came before winsvc.hpp: include winsvc.hpp before <windows.h>, or define WIN32_LEAN_AND_MEAN, or include <winsock2.h> first"
  #endif

  #ifndef _WIN32_WINNT
    #define _WIN32_WINNT 0x0A00
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
  #include <winsvc.h>

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

#endif  // WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/win/wide.hpp
// =====================================================================================================================

// Windows' own strings and handles: UTF-8 in, UTF-16 out, and a handle that closes itself.

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

[[nodiscard]] inline std::wstring wide(std::string_view utf8) {
  const std::u16string units = text::to_utf16(utf8);
  return std::wstring(units.begin(), units.end());
}
[[nodiscard]] inline std::string narrow(std::wstring_view utf16) {
  return text::to_utf8(std::u16string(utf16.begin(), utf16.end()));
}
[[nodiscard]] inline std::string narrow(const wchar_t* utf16) {
  return utf16 ? narrow(std::wstring_view(utf16)) : std::string();
}

/// A path as the wide calls take it: with the \\?\ prefix once it is long, where the old limit of 260 would refuse it.
[[nodiscard]] inline std::wstring wide_path(const std::string& path) {
  std::wstring out = wide(path);
  if (out.size() < 240 || out.compare(0, 4, L"\\\\?\\") == 0) return out;
  std::replace(out.begin(), out.end(), L'/', L'\\');  // behind the prefix a slash is a letter like any other
  if (out.size() > 2 && out[1] == L':') return L"\\\\?\\" + out;
  if (out.compare(0, 2, L"\\\\") == 0) return L"\\\\?\\UNC" + out.substr(1);
  return out;
}

/// A kernel handle, closed at the end. Null and INVALID_HANDLE_VALUE are both "none".
class unique_handle {
 public:
  unique_handle() = default;
  explicit unique_handle(HANDLE h) noexcept : handle_(h == INVALID_HANDLE_VALUE ? nullptr : h) {}
  unique_handle(unique_handle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  unique_handle& operator=(unique_handle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~unique_handle() {
    if (handle_) ::CloseHandle(handle_);
  }
  explicit operator bool() const noexcept { return handle_ != nullptr; }
  [[nodiscard]] HANDLE get() const noexcept { return handle_; }

 private:
  HANDLE handle_ = nullptr;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/win/socket_calls.hpp
// =====================================================================================================================

// What differs between Windows' sockets and POSIX', for os/tcp.hpp: names of calls, codes, options.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {
namespace calls {

using socket_type = SOCKET;
using size_type = int;
using length_type = int;

/// Winsock wants to be started once a process, and is left running: other code in the process may use it too.
inline void start_up() noexcept {
  static const int started = [] {
    WSADATA data;
    return ::WSAStartup(MAKEWORD(2, 2), &data);
  }();
  static_cast<void>(started);
}
[[nodiscard]] inline std::uint32_t last_error() noexcept { return static_cast<std::uint32_t>(::WSAGetLastError()); }
[[nodiscard]] inline bool would_block(std::uint32_t code) noexcept { return code == WSAEWOULDBLOCK; }
/// What connect says of a non-blocking socket that has begun to.
[[nodiscard]] inline bool connecting(std::uint32_t code) noexcept { return code == WSAEWOULDBLOCK; }
[[nodiscard]] inline std::uint32_t neutral(std::uint32_t code) noexcept { return code; }
[[nodiscard]] inline std::uint32_t resolve_error(int code) noexcept { return static_cast<std::uint32_t>(code); }
inline int close(socket_type s) noexcept { return ::closesocket(s); }
inline int poll_any(WSAPOLLFD* fds, std::size_t count, int ms) noexcept {
  return ::WSAPoll(fds, static_cast<ULONG>(count), ms);
}
using poll_entry = WSAPOLLFD;
/// WSAPoll may sleep on when another thread shuts the socket down (it does under Wine 8), so it is asked in between.
inline constexpr std::chrono::milliseconds longest_poll{100};
[[nodiscard]] inline bool shut_down_by_us(socket_type s) noexcept {
  char one = 0;
  return ::recv(s, &one, 1, MSG_PEEK) < 0 && ::WSAGetLastError() == WSAESHUTDOWN;
}
inline constexpr int send_flags = 0;
inline constexpr int both_ways = SD_BOTH, sending = SD_SEND;

[[nodiscard]] inline socket_type open(int family) noexcept {
  return ::WSASocketW(family, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}
inline bool set_nonblocking(socket_type s) noexcept {
  u_long on = 1;
  return ::ioctlsocket(s, static_cast<long>(FIONBIO), &on) == 0;
}
inline void no_inherit(socket_type s) noexcept {
  ::SetHandleInformation(reinterpret_cast<HANDLE>(s), HANDLE_FLAG_INHERIT, 0);
}

/// The port is ours alone. With SO_REUSEADDR another program could bind it too and take our clients; both together
/// fail.
inline bool be_exclusive(socket_type s) noexcept {
  const BOOL on = TRUE;
  return ::setsockopt(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, reinterpret_cast<const char*>(&on), sizeof on) == 0;
}

/// A pair of connected sockets to wake a poll with: WSAPoll takes sockets only, so it is a UDP socket that talks to
/// itself.
inline void open_waker(tcp_socket::native_handle (&ends)[2]) noexcept {
  const SOCKET s =
      ::WSASocketW(AF_INET, SOCK_DGRAM, IPPROTO_UDP, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  sockaddr_in self{};
  self.sin_family = AF_INET;
  self.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int length = sizeof self;
  const bool made = s != INVALID_SOCKET && ::bind(s, reinterpret_cast<sockaddr*>(&self), length) == 0 &&
                    ::getsockname(s, reinterpret_cast<sockaddr*>(&self), &length) == 0 &&
                    ::connect(s, reinterpret_cast<sockaddr*>(&self), length) == 0;
  if (made) ends[0] = ends[1] = static_cast<tcp_socket::native_handle>(s);
  else if (s != INVALID_SOCKET) close(s);
}
inline void close_waker(tcp_socket::native_handle (&ends)[2]) noexcept { close(static_cast<SOCKET>(ends[0])); }
inline void wake(tcp_socket::native_handle end) noexcept { ::send(static_cast<SOCKET>(end), "w", 1, 0); }

}  // namespace calls

/// From the table of TCP listeners on IPv4 with their processes. iphlpapi is loaded at run time: it is needed for a
/// sentence in a failure only, and no program should have to link it for that.
inline std::string port_owner(const endpoint& where) {
  in_addr address{};
  if (::inet_pton(AF_INET, where.host.c_str(), &address) != 1) return {};
  using get_table = DWORD(WINAPI*)(void*, DWORD*, BOOL, ULONG, TCP_TABLE_CLASS, ULONG);
  const auto library = ::LoadLibraryExW(L"iphlpapi.dll", nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (!library) return {};
  const auto table_of =
      reinterpret_cast<get_table>(reinterpret_cast<void*>(::GetProcAddress(library, "GetExtendedTcpTable")));
  DWORD pid = 0;
  if (table_of) {
    DWORD bytes = 0;
    table_of(nullptr, &bytes, FALSE, AF_INET, TCP_TABLE_OWNER_PID_LISTENER, 0);
    std::vector<std::uint64_t> buffer(bytes / 8 + 512);  // room for listeners that come between the two calls
    bytes = static_cast<DWORD>(buffer.size() * 8);
    if (table_of(buffer.data(), &bytes, FALSE, AF_INET, TCP_TABLE_OWNER_PID_LISTENER, 0) == NO_ERROR) {
      const auto* table = reinterpret_cast<const MIB_TCPTABLE_OWNER_PID*>(buffer.data());
      for (DWORD i = 0; i < table->dwNumEntries; ++i) {
        const auto& row = table->table[i];
        const bool same_port = ntohs(static_cast<u_short>(row.dwLocalPort)) == where.port;
        const bool overlaps =
            row.dwLocalAddr == address.s_addr || row.dwLocalAddr == INADDR_ANY || address.s_addr == INADDR_ANY;
        if (same_port && overlaps) pid = row.dwOwningPid;
      }
    }
  }
  ::FreeLibrary(library);
  if (pid == 0) return {};

  std::string owner = "pid " + std::to_string(pid);
  const unique_handle process(::OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid));
  wchar_t image[1024];
  DWORD length = 1024;
  if (process && ::QueryFullProcessImageNameW(process.get(), 0, image, &length)) {
    owner += " (" + program_name(narrow(std::wstring_view(image, length))) + ".exe)";
  }
  return owner;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/tcp.hpp
// =====================================================================================================================

// os/socket.hpp on every platform: Berkeley sockets are one API with two spellings, and the spelling is in
// win/socket_calls.hpp and posix/socket_calls.hpp.
//
// Every socket is non-blocking underneath: a call is tried first and waits in poll() only when it must, so that a ready
// socket costs one system call and a limit is always a limit.

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <string>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {
namespace calls {

[[nodiscard]] inline socket_type raw(tcp_socket::native_handle h) noexcept { return static_cast<socket_type>(h); }
[[nodiscard]] inline tcp_socket owned(socket_type s) noexcept {
  return tcp_socket(static_cast<tcp_socket::native_handle>(s));
}
/// "No socket" is -1 in both spellings once it is signed.
[[nodiscard]] inline bool is_none(socket_type s) noexcept { return static_cast<tcp_socket::native_handle>(s) == -1; }

inline void set_option(socket_type s, int level, int name, int value) noexcept {
  ::setsockopt(s, level, name, reinterpret_cast<const char*>(&value), sizeof value);
}

/// Waits for reading (POLLIN) or writing (POLLOUT). An error or a hang-up counts as ready: the call that follows tells.
[[nodiscard]] inline bool wait_ready(socket_type s, short events, std::chrono::milliseconds limit) noexcept {
  poll_entry entry{};
  entry.fd = s;
  entry.events = events;
  const auto until = std::chrono::steady_clock::now() + limit;
  for (auto left = limit;;) {
    const int ready = poll_any(&entry, 1, static_cast<int>((std::min)(left, longest_poll).count()));
    if (ready > 0) return true;
    if (ready < 0 && !would_block(last_error())) return true;
    if (shut_down_by_us(s)) return true;
    left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
  }
}

[[nodiscard]] inline endpoint to_endpoint(const sockaddr_storage& address) {
  char text[64] = "";
  if (address.ss_family == AF_INET6) {
    sockaddr_in6 six{};
    std::memcpy(&six, &address, sizeof six);
    if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
      ::inet_ntop(AF_INET, reinterpret_cast<const unsigned char*>(&six.sin6_addr) + 12, text, sizeof text);
    } else {
      ::inet_ntop(AF_INET6, &six.sin6_addr, text, sizeof text);
    }
    return {text, ntohs(six.sin6_port)};
  }
  if (address.ss_family != AF_INET) return {};
  sockaddr_in four{};
  std::memcpy(&four, &address, sizeof four);
  ::inet_ntop(AF_INET, &four.sin_addr, text, sizeof text);
  return {text, ntohs(four.sin_port)};
}

/// One address for a host: as a number when it is one, else the first the resolver gives.
[[nodiscard]] inline sys_result<std::pair<sockaddr_storage, std::size_t>> resolve(const std::string& host,
                                                                                  std::uint16_t port) {
  start_up();
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); code != 0) {
    return sys_failure(resolve_error(code));
  }
  sockaddr_storage address{};
  const std::size_t length = static_cast<std::size_t>(found->ai_addrlen);
  std::memcpy(&address, found->ai_addr, (std::min)(length, sizeof address));
  ::freeaddrinfo(found);
  return std::pair<sockaddr_storage, std::size_t>(address, length);
}

}  // namespace calls

inline sys_result<tcp_socket> tcp_socket::listen(const std::string& host, std::uint16_t port) {
  const auto where = calls::resolve(host, port);
  if (!where) return sys_failure(where.error());
  const auto& [address, length] = *where;

  tcp_socket listener = calls::owned(calls::open(address.ss_family));
  if (!listener.is_open()) return sys_failure(calls::last_error());
  const auto s = calls::raw(listener.native());
  if (!calls::be_exclusive(s)) return sys_failure(calls::last_error());
  if (address.ss_family == AF_INET6) calls::set_option(s, IPPROTO_IPV6, IPV6_V6ONLY, 0);  // :: listens for both

  if (::bind(s, reinterpret_cast<const sockaddr*>(&address), static_cast<calls::length_type>(length)) != 0 ||
      ::listen(s, SOMAXCONN) != 0 || !calls::set_nonblocking(s)) {
    return sys_failure(calls::neutral(calls::last_error()));
  }
  return listener;
}

inline sys_result<tcp_socket> tcp_socket::connect(const endpoint& to, std::chrono::milliseconds limit) {
  const auto where = calls::resolve(to.host, to.port);
  if (!where) return sys_failure(where.error());
  const auto& [address, length] = *where;

  tcp_socket client = calls::owned(calls::open(address.ss_family));
  if (!client.is_open()) return sys_failure(calls::last_error());
  const auto s = calls::raw(client.native());
  calls::set_nonblocking(s);
  calls::set_option(s, IPPROTO_TCP, TCP_NODELAY, 1);
  if (::connect(s, reinterpret_cast<const sockaddr*>(&address), static_cast<calls::length_type>(length)) == 0)
    return client;
  // Anything but "under way" is final: a poll would find such a socket ready and without an error.
  if (const auto code = calls::last_error(); !calls::connecting(code)) return sys_failure(code);
  if (!calls::wait_ready(s, POLLOUT, limit)) return sys_failure(model::code::timeout);

  int failed = 0;
  calls::length_type size = sizeof failed;
  ::getsockopt(s, SOL_SOCKET, SO_ERROR, reinterpret_cast<char*>(&failed), &size);
  if (failed != 0) return sys_failure(static_cast<std::uint32_t>(failed));
  return client;
}

inline endpoint tcp_socket::local() const {
  sockaddr_storage address{};
  calls::length_type length = sizeof address;
  ::getsockname(calls::raw(native_), reinterpret_cast<sockaddr*>(&address), &length);
  return calls::to_endpoint(address);
}

inline endpoint tcp_socket::peer() const {
  sockaddr_storage address{};
  calls::length_type length = sizeof address;
  ::getpeername(calls::raw(native_), reinterpret_cast<sockaddr*>(&address), &length);
  return calls::to_endpoint(address);
}

inline sys_result<tcp_socket> tcp_socket::accept() const {
  const auto s = ::accept(calls::raw(native_), nullptr, nullptr);
  if (calls::is_none(s)) return sys_failure(calls::last_error());
  tcp_socket client = calls::owned(s);
  calls::no_inherit(s);
  calls::set_nonblocking(s);
  calls::set_option(s, IPPROTO_TCP, TCP_NODELAY,
                    1);  // an answer leaves in one send; waiting for more would only delay it
  return client;
}

inline transfer tcp_socket::receive(char* into, std::size_t room, std::size_t& got,
                                    std::chrono::milliseconds limit) noexcept {
  got = 0;
  const auto s = calls::raw(native_);
  for (;;) {
    const auto n = ::recv(s, into, static_cast<calls::size_type>((std::min)(room, std::size_t{1} << 30)), 0);
    if (n > 0) {
      got = static_cast<std::size_t>(n);
      return transfer::done;
    }
    if (n == 0) return transfer::closed;
    if (!calls::would_block(calls::last_error())) return transfer::failed;
    if (!calls::wait_ready(s, POLLIN, limit)) return transfer::timed_out;
  }
}

inline transfer tcp_socket::send(const char* from, std::size_t count, std::chrono::milliseconds limit) noexcept {
  const auto s = calls::raw(native_);
  while (count > 0) {
    const auto n =
        ::send(s, from, static_cast<calls::size_type>((std::min)(count, std::size_t{1} << 30)), calls::send_flags);
    if (n > 0) {
      from += n;
      count -= static_cast<std::size_t>(n);
      continue;
    }
    if (!calls::would_block(calls::last_error())) return transfer::failed;
    if (!calls::wait_ready(s, POLLOUT, limit)) return transfer::timed_out;
  }
  return transfer::done;
}

inline void tcp_socket::shutdown_send() noexcept { ::shutdown(calls::raw(native_), calls::sending); }
inline void tcp_socket::shutdown_both() noexcept { ::shutdown(calls::raw(native_), calls::both_ways); }
inline void tcp_socket::close() noexcept {
  if (native_ != -1) calls::close(calls::raw(std::exchange(native_, -1)));
}

inline waker::waker() {
  calls::start_up();
  calls::open_waker(ends_);
}
inline waker::~waker() {
  if (is_open()) calls::close_waker(ends_);
}
inline void waker::wake() noexcept {
  if (is_open()) calls::wake(ends_[1]);
}

inline waker::outcome waker::wait_for(const tcp_socket& socket, std::chrono::milliseconds limit) noexcept {
  calls::poll_entry entries[2] = {};
  entries[0].fd = calls::raw(ends_[0]);
  entries[1].fd = calls::raw(socket.native());
  entries[0].events = entries[1].events = POLLIN;
  const auto most = std::chrono::milliseconds((std::numeric_limits<int>::max)());
  for (;;) {
    const int ready = calls::poll_any(entries, 2, static_cast<int>((std::min)(limit, most).count()));
    if (ready == 0) return outcome::timed_out;
    if (ready < 0 && !calls::would_block(calls::last_error())) return outcome::failed;
    if (ready > 0)
      return entries[0].revents != 0 ? outcome::woken : outcome::ready;  // its byte is never read: awake for good
  }
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// os/win/console.hpp
// =====================================================================================================================

// os/console.hpp on Windows.

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

inline void write_handle(DWORD which, std::string_view utf8) noexcept {
  const HANDLE handle = ::GetStdHandle(which);
  if (!handle || handle == INVALID_HANDLE_VALUE) return;
  DWORD written = 0;
  DWORD mode = 0;
  if (::GetConsoleMode(handle, &mode)) {
    try {
      const std::wstring text = wide(utf8);
      std::wstring_view left = text;  // a console takes 64 KiB at a time, and may take less
      while (!left.empty() &&
             ::WriteConsoleW(handle, left.data(), static_cast<DWORD>((std::min)(left.size(), std::size_t{8192})), &written,
                             nullptr) &&
             written != 0) {
        left.remove_prefix(written);
      }
    } catch (...) {  // out of memory: nothing can be said
    }
    return;
  }
  while (!utf8.empty() && ::WriteFile(handle, utf8.data(), static_cast<DWORD>(utf8.size()), &written, nullptr) &&
         written != 0) {
    utf8.remove_prefix(written);
  }
}

inline void write_out(std::string_view utf8) noexcept { write_handle(STD_OUTPUT_HANDLE, utf8); }
inline void write_err(std::string_view utf8) noexcept { write_handle(STD_ERROR_HANDLE, utf8); }

inline bool out_is_terminal() noexcept {
  DWORD mode = 0;
  return ::GetConsoleMode(::GetStdHandle(STD_OUTPUT_HANDLE), &mode) != 0;
}

inline bool has_standard_output() noexcept {
  const HANDLE handle = ::GetStdHandle(STD_OUTPUT_HANDLE);
  return ::GetConsoleWindow() != nullptr ||
         (handle && handle != INVALID_HANDLE_VALUE && ::GetFileType(handle) != FILE_TYPE_UNKNOWN);
}

struct interrupts::state {
  std::mutex mutex;
  std::condition_variable drained;
  std::function<void()> on_interrupt;
  bool alive = false;

  static state& one() noexcept {
    static state s;
    return s;
  }

  static BOOL WINAPI handler(DWORD event) noexcept {
    state& s = one();
    std::unique_lock lock(s.mutex);
    if (!s.alive) return FALSE;
    try {
      s.on_interrupt();
    } catch (...) {
      return FALSE;  // let the system end us, as it would have
    }
    // For these the process ends as soon as we return: stay here until everything is drained. Windows gives us about
    // 5 s for a closed console, 20 s for shutdown, and ends the process then.
    if (event == CTRL_CLOSE_EVENT || event == CTRL_LOGOFF_EVENT || event == CTRL_SHUTDOWN_EVENT) {
      s.drained.wait(lock, [&s] { return !s.alive; });
    }
    return TRUE;
  }
};

inline interrupts::interrupts(std::function<void()> on_interrupt) : state_(&state::one()) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->on_interrupt = std::move(on_interrupt);
    state_->alive = true;
  }
  ::SetConsoleCtrlHandler(nullptr, FALSE);  // a parent may have switched Ctrl-C off, and that is inherited
  ::SetConsoleCtrlHandler(&state::handler, TRUE);
}

inline interrupts::~interrupts() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->alive = false;
    state_->on_interrupt = nullptr;
  }
  state_->drained.notify_all();
  ::SetConsoleCtrlHandler(&state::handler, FALSE);
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/win/dispatcher.hpp
// =====================================================================================================================

// The real dispatcher: ServiceMain and the control handler, which Windows calls without a context of ours, led to the
// two callables that the host gave. No exception crosses either; Windows would end the process without a word.
//
// Source: "Writing a ServiceMain Function", HandlerEx, SetServiceStatus in the Win32 documentation.

#include <string>
#include <utility>
#include <vector>

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// One a process, because StartServiceCtrlDispatcher may be called once.
class native_dispatcher final : public dispatcher {
 public:
  std::uint32_t run(service_main entry) override {
    entry_ = std::move(entry);
    current() = this;
    wchar_t no_name[] = L"";  // ignored for SERVICE_WIN32_OWN_PROCESS: the SCM knows which service this is
    const SERVICE_TABLE_ENTRYW table[] = {{no_name, &service_main_thunk}, {nullptr, nullptr}};
    return ::StartServiceCtrlDispatcherW(table) ? 0 : ::GetLastError();
  }

  std::uint32_t register_handler(const std::string& service_name, control_handler handler) override {
    handler_ = std::move(handler);
    status_ = ::RegisterServiceCtrlHandlerExW(wide(service_name).c_str(), &control_thunk, this);
    return status_ ? 0 : ::GetLastError();
  }

  std::uint32_t set_status(const model::service_status& s) noexcept override {
    SERVICE_STATUS native{};
    native.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
    native.dwCurrentState = static_cast<DWORD>(s.current);
    native.dwControlsAccepted = s.accepted;
    native.dwWin32ExitCode = s.exit.win32;
    native.dwServiceSpecificExitCode = s.exit.specific;
    native.dwCheckPoint = s.checkpoint;
    native.dwWaitHint = static_cast<DWORD>(s.wait_hint.count());
    return ::SetServiceStatus(status_, &native) ? 0 : ::GetLastError();
  }

 private:
  static native_dispatcher*& current() noexcept {
    static native_dispatcher* one = nullptr;
    return one;
  }

  static void WINAPI service_main_thunk(DWORD count, wchar_t** words) noexcept {
    std::vector<std::string> arguments;
    for (DWORD i = 0; i < count; ++i) arguments.push_back(narrow(words[i]));
    current()->entry_(arguments);
  }

  static DWORD WINAPI control_thunk(DWORD control, DWORD event, void*, void* context) noexcept {
    try {
      return static_cast<native_dispatcher*>(context)->handler_(control, event);
    } catch (...) {
      return ERROR_EXCEPTION_IN_SERVICE;
    }
  }

  service_main entry_;
  control_handler handler_;
  SERVICE_STATUS_HANDLE status_ = nullptr;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/win/file.hpp
// =====================================================================================================================

// os/file.hpp on Windows: wide calls, shared so that others may read, rename and delete what we write.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

inline constexpr DWORD share_all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

inline bool write_all(HANDLE file, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const auto piece = static_cast<DWORD>((std::min)(bytes.size(), std::size_t{1} << 30));
    DWORD written = 0;
    if (!::WriteFile(file, bytes.data(), piece, &written, nullptr) || written == 0) return false;
    bytes.remove_prefix(written);
  }
  return true;
}

inline sys_result<append_file> append_file::open(const std::string& path) {
  const HANDLE file = ::CreateFileW(wide_path(path).c_str(), FILE_APPEND_DATA, share_all, nullptr, OPEN_ALWAYS,
                                    FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) return sys_failure(::GetLastError());
  append_file out;
  out.native_ = reinterpret_cast<std::intptr_t>(file);
  LARGE_INTEGER size{};
  if (::GetFileSizeEx(file, &size)) out.size_ = static_cast<std::uint64_t>(size.QuadPart);
  return out;
}

inline bool append_file::write(std::string_view bytes) noexcept {
  if (!write_all(reinterpret_cast<HANDLE>(native_), bytes)) return false;
  size_ += bytes.size();
  return true;
}

inline void append_file::close() noexcept {
  if (native_ != -1) ::CloseHandle(reinterpret_cast<HANDLE>(std::exchange(native_, -1)));
}

inline std::optional<std::string> read_file(const std::string& path) {
  const unique_handle file(::CreateFileW(wide_path(path).c_str(), GENERIC_READ, share_all, nullptr, OPEN_EXISTING,
                                         FILE_ATTRIBUTE_NORMAL, nullptr));
  if (!file) return std::nullopt;
  std::string content;
  char piece[8192];
  DWORD got = 0;
  while (::ReadFile(file.get(), piece, sizeof piece, &got, nullptr)) {
    if (got == 0) return content;
    content.append(piece, got);
  }
  return std::nullopt;
}

inline bool rename_file(const std::string& from, const std::string& to) noexcept {
  return ::MoveFileExW(wide_path(from).c_str(), wide_path(to).c_str(), MOVEFILE_REPLACE_EXISTING) != 0;
}
inline bool remove_file(const std::string& path) noexcept { return ::DeleteFileW(wide_path(path).c_str()) != 0; }

inline sys_result<void> replace_file(const std::string& path, std::string_view content) {
  const std::string beside = path + ".new";
  {
    const unique_handle file(::CreateFileW(wide_path(beside).c_str(), GENERIC_WRITE, 0, nullptr, CREATE_ALWAYS,
                                           FILE_ATTRIBUTE_NORMAL, nullptr));
    if (!file || !write_all(file.get(), content)) return sys_failure(::GetLastError());
  }
  // Somebody may be reading the old one at this moment, which forbids the rename: that is over in an instant.
  for (int attempt = 0;; ++attempt) {
    if (rename_file(beside, path)) return {};
    const DWORD code = ::GetLastError();
    const bool held = code == ERROR_ACCESS_DENIED || code == ERROR_SHARING_VIOLATION;
    if (!held || attempt == 10) {
      remove_file(beside);
      return sys_failure(code);
    }
    ::Sleep(10);
  }
}

inline sys_result<void> make_folders(const std::string& path) {
  const DWORD attributes = ::GetFileAttributesW(wide_path(path).c_str());
  if (attributes != INVALID_FILE_ATTRIBUTES) {
    if ((attributes & FILE_ATTRIBUTE_DIRECTORY) != 0) return {};
    return sys_failure(ERROR_ALREADY_EXISTS);  // a file is in its place
  }
  const auto slash = path.find_last_of("/\\");
  if (slash != std::string::npos && slash > 2) {
    if (auto parent = make_folders(path.substr(0, slash)); !parent) return parent;
  }
  if (!::CreateDirectoryW(wide_path(path).c_str(), nullptr) && ::GetLastError() != ERROR_ALREADY_EXISTS) {
    return sys_failure(::GetLastError());
  }
  return {};
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/win/process.hpp
// =====================================================================================================================

// os/process.hpp and os/event_log.hpp on Windows.

#include <string>
#include <vector>

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

inline std::string executable_path() {
  std::wstring path(MAX_PATH, L'\0');
  for (;;) {
    const DWORD length = ::GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size()));
    if (length < path.size()) {
      path.resize(length);
      return narrow(path);
    }
    path.resize(path.size() * 2);  // it was cut: the call fills the buffer and says nothing more
  }
}

inline std::vector<std::string> arguments(int, char**) {
  std::vector<std::string> words = split_command_line(narrow(::GetCommandLineW()));
  if (!words.empty()) words.erase(words.begin());
  return words;
}

inline std::uint32_t process_id() noexcept { return ::GetCurrentProcessId(); }

inline bool change_directory(const std::string& folder) noexcept {
  return ::SetCurrentDirectoryW(wide(folder).c_str()) != 0;
}

inline sys_result<std::string> data_folder(const std::string& service_name) {
  // Found at run time, so that a program need not link shell32 and ole32, which most services never touch otherwise.
  using get_folder = HRESULT(WINAPI*)(const GUID&, DWORD, HANDLE, wchar_t**);
  using free_memory = void(WINAPI*)(void*);
  const GUID program_data = {0x62AB5D82, 0xFDC1, 0x4DC3, {0xA9, 0xDD, 0x07, 0x0D, 0x1D, 0x49, 0x5D, 0x97}};
  const auto shell = ::LoadLibraryExW(L"shell32.dll", nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
  const auto ole = ::LoadLibraryExW(L"ole32.dll", nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (!shell || !ole) return sys_failure(::GetLastError());
  const auto known_folder =
      reinterpret_cast<get_folder>(reinterpret_cast<void*>(::GetProcAddress(shell, "SHGetKnownFolderPath")));
  const auto release = reinterpret_cast<free_memory>(reinterpret_cast<void*>(::GetProcAddress(ole, "CoTaskMemFree")));
  if (!known_folder || !release) return sys_failure(::GetLastError());

  wchar_t* path = nullptr;
  const HRESULT got = known_folder(program_data, 0, nullptr, &path);
  std::string folder = narrow(path);
  release(path);
  if (FAILED(got)) return sys_failure(static_cast<std::uint32_t>(got) & 0xFFFFu);

  return path_join(folder, model::folder_name(service_name));
}

inline std::string system_words(std::uint32_t code) {
  wchar_t* text = nullptr;
  const DWORD flags = FORMAT_MESSAGE_ALLOCATE_BUFFER | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS;
  const DWORD length = ::FormatMessageW(flags, nullptr, code, 0, reinterpret_cast<wchar_t*>(&text), 0, nullptr);
  if (length == 0) return "error";
  std::string words = narrow(std::wstring_view(text, length));
  ::LocalFree(text);
  while (!words.empty() &&
         (words.back() == '\n' || words.back() == '\r' || words.back() == ' ' || words.back() == '.')) {
    words.pop_back();
  }
  return words;
}

inline void report_event(const std::string& source, event_level level, std::uint32_t id,
                         std::string_view what) noexcept {
  try {
    const HANDLE log = ::RegisterEventSourceW(nullptr, wide(source).c_str());
    if (!log) return;
    const std::wstring message = wide(event_text(what));
    const wchar_t* insertions[] = {message.c_str()};
    ::ReportEventW(log, static_cast<WORD>(level), 0, id, nullptr, 1, 0, insertions, nullptr);
    ::DeregisterEventSource(log);
  } catch (...) {  // out of memory: the log file has the line as well
  }
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/win/service_manager.hpp
// =====================================================================================================================

// The real Service Control Manager: each function is one Win32 call, its arguments translated, its code handed back.
//
// Source: the pages of OpenSCManagerW, CreateServiceW, ChangeServiceConfigW, ChangeServiceConfig2W,
// QueryServiceConfigW, QueryServiceStatusEx, StartServiceW, ControlService and DeleteService in the Win32
// documentation.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

[[nodiscard]] inline model::service_status from_native(const SERVICE_STATUS_PROCESS& s) noexcept {
  model::service_status out;
  out.current = static_cast<model::state>(s.dwCurrentState);
  out.accepted = s.dwControlsAccepted;
  out.exit = {s.dwWin32ExitCode, s.dwServiceSpecificExitCode};
  out.checkpoint = s.dwCheckPoint;
  out.wait_hint = std::chrono::milliseconds(s.dwWaitHint);
  return out;
}

class native_service_manager final : public service_manager {
 public:
  sys_result<raw_handle> open_manager(std::uint32_t rights) override {
    return handle_or_error(::OpenSCManagerW(nullptr, nullptr, rights));
  }

  sys_result<raw_handle> create_service(raw_handle manager, const std::string& name, std::uint32_t rights,
                                        const service_settings& s) override {
    const std::wstring display = wide(s.display_name.value_or(name));
    const std::wstring binary = wide(s.binary.value_or(std::string()));
    return handle_or_error(::CreateServiceW(native(manager), wide(name).c_str(), display.c_str(), rights,
                                            SERVICE_WIN32_OWN_PROCESS,
                                            start_type(s.startup.value_or(startup::automatic)), SERVICE_ERROR_NORMAL,
                                            binary.c_str(), nullptr, nullptr, nullptr, nullptr, nullptr));
  }

  sys_result<raw_handle> open_service(raw_handle manager, const std::string& name, std::uint32_t rights) override {
    return handle_or_error(::OpenServiceW(native(manager), wide(name).c_str(), rights));
  }

  sys_result<void> change_config(raw_handle service, const service_settings& s) override {
    const std::wstring display = wide(s.display_name.value_or(std::string()));
    const std::wstring binary = wide(s.binary.value_or(std::string()));
    return ok_or_error(::ChangeServiceConfigW(native(service), SERVICE_NO_CHANGE,
                                              s.startup ? start_type(*s.startup) : SERVICE_NO_CHANGE, SERVICE_NO_CHANGE,
                                              s.binary ? binary.c_str() : nullptr, nullptr, nullptr, nullptr, nullptr,
                                              nullptr, s.display_name ? display.c_str() : nullptr));
  }

  sys_result<void> change_description(raw_handle service, const std::string& description) override {
    std::wstring text = wide(description);
    SERVICE_DESCRIPTIONW level{text.data()};
    return ok_or_error(::ChangeServiceConfig2W(native(service), SERVICE_CONFIG_DESCRIPTION, &level));
  }

  sys_result<void> change_delayed_start(raw_handle service, bool delayed) override {
    SERVICE_DELAYED_AUTO_START_INFO level{delayed ? TRUE : FALSE};
    return ok_or_error(::ChangeServiceConfig2W(native(service), SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &level));
  }

  sys_result<service_config> query_config(raw_handle service) override {
    std::vector<std::uint64_t> buffer(8192 / 8);  // 8 KiB is the most the call ever wants; 64-bit words align it
    const auto config = reinterpret_cast<QUERY_SERVICE_CONFIGW*>(buffer.data());
    DWORD needed = 0;
    if (!::QueryServiceConfigW(native(service), config, 8192, &needed)) return sys_failure(::GetLastError());

    service_config out;
    out.startup = config->dwStartType == SERVICE_DISABLED       ? startup::disabled
                  : config->dwStartType == SERVICE_DEMAND_START ? startup::manual
                                                                : startup::automatic;
    out.binary = narrow(config->lpBinaryPathName);
    out.display_name = narrow(config->lpDisplayName);
    out.account = narrow(config->lpServiceStartName);

    SERVICE_DELAYED_AUTO_START_INFO delayed{};
    if (out.startup == startup::automatic &&
        ::QueryServiceConfig2W(native(service), SERVICE_CONFIG_DELAYED_AUTO_START_INFO,
                               reinterpret_cast<BYTE*>(&delayed), sizeof delayed, &needed) &&
        delayed.fDelayedAutostart) {
      out.startup = startup::delayed;
    }
    return out;
  }

  sys_result<service_process> query_status(raw_handle service) override {
    SERVICE_STATUS_PROCESS status{};
    DWORD needed = 0;
    if (!::QueryServiceStatusEx(native(service), SC_STATUS_PROCESS_INFO, reinterpret_cast<BYTE*>(&status),
                                sizeof status, &needed)) {
      return sys_failure(::GetLastError());
    }
    return service_process{from_native(status), status.dwProcessId};
  }

  sys_result<void> start_service(raw_handle service, const std::vector<std::string>& arguments) override {
    std::vector<std::wstring> words;
    for (const auto& a : arguments) words.push_back(wide(a));
    std::vector<const wchar_t*> pointers;
    for (const auto& w : words) pointers.push_back(w.c_str());
    return ok_or_error(::StartServiceW(native(service), static_cast<DWORD>(pointers.size()),
                                       pointers.empty() ? nullptr : pointers.data()));
  }

  sys_result<void> control_service(raw_handle service, std::uint32_t control) override {
    SERVICE_STATUS status{};
    return ok_or_error(::ControlService(native(service), control, &status));
  }

  sys_result<void> delete_service(raw_handle service) override { return ok_or_error(::DeleteService(native(service))); }

  void close(raw_handle handle) noexcept override { ::CloseServiceHandle(native(handle)); }

  sys_result<void> add_event_source(const std::string& source) override {
    HKEY key = nullptr;
    LSTATUS status = ::RegCreateKeyExW(HKEY_LOCAL_MACHINE, source_key(source).c_str(), 0, nullptr, 0, KEY_SET_VALUE,
                                       nullptr, &key, nullptr);
    if (status != ERROR_SUCCESS) return sys_failure(static_cast<std::uint32_t>(status));

    constexpr wchar_t message_file[] = L"%SystemRoot%\\System32\\EventCreate.exe";
    const DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
    status = ::RegSetValueExW(key, L"EventMessageFile", 0, REG_EXPAND_SZ, reinterpret_cast<const BYTE*>(message_file),
                              sizeof message_file);
    if (status == ERROR_SUCCESS) {
      status =
          ::RegSetValueExW(key, L"TypesSupported", 0, REG_DWORD, reinterpret_cast<const BYTE*>(&types), sizeof types);
    }
    ::RegCloseKey(key);
    if (status != ERROR_SUCCESS) return sys_failure(static_cast<std::uint32_t>(status));
    return {};
  }

  sys_result<void> remove_event_source(const std::string& source) override {
    const LSTATUS status = ::RegDeleteKeyW(HKEY_LOCAL_MACHINE, source_key(source).c_str());
    if (status != ERROR_SUCCESS && status != ERROR_FILE_NOT_FOUND)
      return sys_failure(static_cast<std::uint32_t>(status));
    return {};
  }

 private:
  static SC_HANDLE native(raw_handle h) noexcept { return static_cast<SC_HANDLE>(h); }
  static std::wstring source_key(const std::string& source) {
    return L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\" + wide(source);
  }
  static DWORD start_type(startup s) noexcept {
    return s == startup::manual ? SERVICE_DEMAND_START : s == startup::disabled ? SERVICE_DISABLED : SERVICE_AUTO_START;
  }
  static sys_result<raw_handle> handle_or_error(SC_HANDLE handle) {
    if (!handle) return sys_failure(::GetLastError());
    return static_cast<raw_handle>(handle);
  }
  static sys_result<void> ok_or_error(BOOL ok) {
    if (!ok) return sys_failure(::GetLastError());
    return {};
  }
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/native.hpp
// =====================================================================================================================

// The operating system, whole: the seam and this platform's bodies for it. What the floors above include.

// =====================================================================================================================
// http/httplib.hpp
// =====================================================================================================================

// The door to cpp-httplib: the one file that includes it. `winsvc::request` and `winsvc::response` are its own types,
// so there is nothing new to learn: https://github.com/yhirose/cpp-httplib documents them.
//
//   svc.get("/raw", [](const winsvc::request& req, winsvc::response& res) {
//     res.set_content(req.get_param_value("q"), "text/plain");
//   });
//
// Which header is included: WINSVC_HTTPLIB (config/knobs.hpp). cpp-httplib 0.41 or newer. A service is not exposed to
// what its parser accepts: the gate in wire/ stands before it.

#include <string>
#include <string_view>

#if WINSVC_OS_WINDOWS && !defined(NOMINMAX)
  #define WINSVC_HAD_NO_NOMINMAX
#endif

// It does to the program what it always does: its constructor ignores SIGPIPE on POSIX, and its own macros stay.
#include WINSVC_HTTPLIB

#ifdef WINSVC_HAD_NO_NOMINMAX
  #undef NOMINMAX
  #undef WINSVC_HAD_NO_NOMINMAX
#endif

namespace winsvc {
inline namespace WINSVC_ABI {

using request = httplib::Request;    ///< method, target, headers, params, body, remote_addr …
using response = httplib::Response;  ///< status, headers, body, set_content(…) …

namespace http {

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
              "winsvc needs cpp-httplib 0.41 or newer: put a newer httplib.h on the include path");

/// Before 0.44, header values were percent-decoded while parsed, so "%0d%0a" became a line end.
inline constexpr bool httplib_decodes_headers = httplib_version() < 0x002C00;

/// `set_header` adds a second header of the same name; this leaves one.
inline void replace_header(response& res, const std::string& name, const std::string& value) {
  res.headers.erase(name);
  res.set_header(name, value);
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/reply.hpp
// =====================================================================================================================

// What a handler may answer with, beyond plain text: a reply with status and headers, JSON, and a way out of the
// middle.
//
//   svc.post("/users", [] { return winsvc::reply::text("made", 201).header("Location", "/users/7"); });
//   svc.get("/users/{id}", [](int id) -> winsvc::json { if (id < 0) winsvc::abort(400, "ids start at 0"); … });
//
// `winsvc::json` is nlohmann's json, there when <nlohmann/json.hpp> is (WINSVC_JSON in config/knobs.hpp).

#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if WINSVC_JSON
  #include <nlohmann/json.hpp>
#endif

namespace winsvc {
inline namespace WINSVC_ABI {

#if WINSVC_JSON
using json = nlohmann::json;
#endif

/// A whole answer as a value. Cheap to move.
class reply {
 public:
  /// An empty body.
  explicit reply(int status = 200) : status_(status) {}

  [[nodiscard]] static reply text(std::string body, int status = 200) {
    return with(std::move(body), "text/plain; charset=utf-8", status);
  }
  [[nodiscard]] static reply html(std::string body, int status = 200) {
    return with(std::move(body), "text/html; charset=utf-8", status);
  }
#if WINSVC_JSON
  [[nodiscard]] static reply json(const winsvc::json& value, int status = 200) {
    return with(value.dump(-1, ' ', false, winsvc::json::error_handler_t::replace), "application/json", status);
  }
#endif
  /// To another place: 302, or 301, 303, 307, 308 (RFC 9110, section 15.4).
  [[nodiscard]] static reply redirect(const std::string& location, int status = 302) {
    return reply(status).header("Location", location);
  }
  /// Bytes of a type of your own.
  [[nodiscard]] static reply with(std::string body, std::string content_type, int status = 200) {
    reply r(status);
    r.body_ = std::move(body);
    r.content_type_ = std::move(content_type);
    return r;
  }

  /// Sets a header; the same name again replaces it.
  reply& header(std::string name, std::string value) & {
    for (auto& [known, held] : headers_) {
      if (text::equal_nocase(known, name)) {
        held = std::move(value);
        return *this;
      }
    }
    headers_.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  reply&& header(std::string name, std::string value) && {
    return std::move(header(std::move(name), std::move(value)));
  }
  reply& status(int code) & {
    status_ = code;
    return *this;
  }
  reply&& status(int code) && { return std::move(status(code)); }

  /// Writes it into httplib's response.
  void apply(response& res) && {
    res.status = status_;
    for (const auto& [name, value] : headers_) http::replace_header(res, name, value);
    if (!content_type_.empty()) res.set_content(std::move(body_), content_type_);
  }

 private:
  int status_ = 200;
  std::string body_;
  std::string content_type_;
  std::vector<std::pair<std::string, std::string>> headers_;
};

/// What `abort` throws. Catch it only to rethrow.
class abort_error : public std::exception {
 public:
  abort_error(int status, std::string message) : status_(status), message_(std::move(message)) {}
  [[nodiscard]] int status() const noexcept { return status_; }
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

 private:
  int status_;
  std::string message_;
};

/// Leaves the handler with an error status; the client is shown the message, unlike that of any other exception.
[[noreturn]] inline void abort(int status, std::string message = {}) { throw abort_error(status, std::move(message)); }

namespace http {

/// An error as application/problem+json (RFC 9457): title from the status, detail for the person.
/// `id`: the request id that the log has, or empty.
inline void write_problem(response& res, int status, std::string_view detail, std::string_view id = {}) {
  std::string body =
      "{\"title\":" + text::json_quoted(httplib::status_message(status)) + ",\"status\":" + std::to_string(status);
  if (!detail.empty()) body += ",\"detail\":" + text::json_quoted(detail);
  if (!id.empty()) body += ",\"request_id\":" + text::json_quoted(id);
  res.status = status;
  res.set_content(body + "}\n", "application/problem+json");
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/handler.hpp
// =====================================================================================================================

// What a lambda may take and return, and how it is called.
//
//   [] { return "text"; }
//   [](int id) { return winsvc::json{{"id", id}}; }
//   [](const winsvc::request& req, winsvc::response& res, std::string name, winsvc::body<todo> item) { … }
//
// Takes, in this order, each of them optional: `const request&`, `response&`, the path parameters in the order of the
// pattern (int, long, long long and their unsigned kin, double, std::string), `body<T>`.
// Returns: nothing (the response is as the handler left it), text, json, reply, std::optional<T> (empty is 404),
// std::pair<int, T> (status and value).
//
// A path parameter that does not convert is 404: `/users/{id}` with an int has no `/users/bob`. A body that is not
// JSON is 400, one that is not a T is 422 (RFC 9110, section 15.5.21).

#include <charconv>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {

/// The request's body as a T, from JSON, by nlohmann's `from_json`. Read it with `*` and `->`.
template <class T>
struct body {
  T value;
  T& operator*() noexcept { return value; }
  const T& operator*() const noexcept { return value; }
  T* operator->() noexcept { return &value; }
  const T* operator->() const noexcept { return &value; }
};

namespace http {

/// One call of a handler: what it is given.
struct invocation {
  const request& req;
  response& res;
  const std::vector<std::string>& values;  ///< of the path parameters, decoded
};

/// A lambda with its type forgotten. One small class for all of them: std::function for each of 200 lambdas costs twice
/// the compile time.
class handler {
 public:
  virtual ~handler() = default;
  virtual void call(const invocation& with) const = 0;
};

/// What registration has to know of a lambda's parameters.
struct handler_shape {
  std::size_t parameters = 0;  ///< how many path parameters it takes
  bool takes_request = false;  ///< and could look at `path_params` itself
};

template <class T>
struct is_body : std::false_type {};
template <class T>
struct is_body<body<T>> : std::true_type {};

enum class argument_kind { request, response, parameter, body, unsupported };

template <class Argument>
constexpr argument_kind kind_of() noexcept {
  using plain = std::remove_cv_t<std::remove_reference_t<Argument>>;
  constexpr bool mutable_reference =
      std::is_lvalue_reference_v<Argument> && !std::is_const_v<std::remove_reference_t<Argument>>;
  if constexpr (std::is_same_v<plain, winsvc::request>) {
    return mutable_reference || !std::is_reference_v<Argument> ? argument_kind::unsupported : argument_kind::request;
  } else if constexpr (std::is_same_v<plain, winsvc::response>) {
    return mutable_reference ? argument_kind::response : argument_kind::unsupported;
  } else if constexpr (is_body<plain>::value) {
    return mutable_reference ? argument_kind::unsupported : argument_kind::body;
  } else if constexpr (std::is_same_v<plain, bool> || std::is_same_v<plain, char>) {
    return argument_kind::unsupported;
  } else if constexpr (std::is_integral_v<plain> || std::is_same_v<plain, double> ||
                       std::is_same_v<plain, std::string>) {
    return mutable_reference ? argument_kind::unsupported : argument_kind::parameter;
  } else {
    return argument_kind::unsupported;
  }
}

/// Request before response before parameters before body, nothing twice but parameters.
template <class... Arguments>
constexpr bool in_order() noexcept {
  argument_kind last = argument_kind::request;
  bool first = true, ok = true;
  [[maybe_unused]] const auto next = [&](argument_kind k) {
    if (!first && (k < last || (k == last && k != argument_kind::parameter))) ok = false;
    last = k;
    first = false;
  };
  (next(kind_of<Arguments>()), ...);
  return ok;
}

/// A path parameter's text as a T; false where it is none.
template <class T>
bool convert(const std::string& from, T& to) {
  if constexpr (std::is_same_v<T, std::string>) {
    to = from;
    return true;
  } else {
    const auto [end, failed] = std::from_chars(from.data(), from.data() + from.size(), to);
    if constexpr (std::is_same_v<T, double>) {
      if (!(to - to == 0)) return false;  // "inf" and "nan" convert, and are no numbers of a path
    }
    return failed == std::errc() && end == from.data() + from.size() && !from.empty();
  }
}

template <class T>
[[nodiscard]] T body_from_json([[maybe_unused]] const std::string& from) {
#if WINSVC_JSON
  winsvc::json parsed;
  try {
    parsed = winsvc::json::parse(from);
  } catch (const winsvc::json::parse_error& e) {
    winsvc::abort(400, "the body is not JSON: error at byte " + std::to_string(e.byte));
  } catch (const winsvc::json::exception&) {  // a number such as 1e999
    winsvc::abort(400, "the body is JSON that cannot be held: a number in it is out of range");
  }
  try {
    return parsed.get<T>();
  } catch (const winsvc::json::exception& e) {
    std::string_view what = e.what();  // "[json.exception.type_error.302] type must be ..."
    const auto bracket = what.find("] ");
    winsvc::abort(422, "the body does not have the expected shape: " +
                           std::string(bracket == what.npos ? what : what.substr(bracket + 2)));
  }
#else
  static_assert(sizeof(T) == 0, "winsvc: body<T> needs nlohmann's json: put <nlohmann/json.hpp> on the include path");
#endif
}

/// Any of nlohmann's JSON types, ordered_json among them.
template <class T, class = void>
struct is_nlohmann : std::false_type {};
template <class T>
struct is_nlohmann<T, std::void_t<typename T::error_handler_t, decltype(std::declval<const T&>().dump())>>
    : std::true_type {};

/// A handler's answer into the response. A status that the handler set on the response itself stays.
template <class R>
void write_result(response& res, R&& value) {
  using plain = std::remove_cv_t<std::remove_reference_t<R>>;
  [[maybe_unused]] const auto text_of = [&](std::string text) {
    const int status = res.status;
    reply::text(std::move(text), status == -1 ? 200 : status).apply(res);
  };
  if constexpr (std::is_same_v<plain, reply>) {
    reply(std::forward<R>(value)).apply(res);
  } else if constexpr (is_nlohmann<plain>::value) {  // before text: json converts to a string, by throwing
    std::string text = value.dump(-1, ' ', false, plain::error_handler_t::replace);
    reply::with(std::move(text), "application/json", res.status == -1 ? 200 : res.status).apply(res);
  } else if constexpr (std::is_convertible_v<R, std::string>) {
    text_of(std::string(std::forward<R>(value)));
  } else if constexpr (std::is_same_v<plain, std::string_view>) {
    text_of(std::string(value));
  } else {
    static_assert(sizeof(plain) == 0,
                  "winsvc: a handler returns nothing, text, winsvc::json (with <nlohmann/json.hpp>), winsvc::reply, "
                  "std::optional of one of these, or std::pair<int, one of these>");
  }
}
template <class T>
void write_result(response& res, std::optional<T>&& value) {
  if (!value) return write_problem(res, 404, {});
  write_result(res, std::move(*value));
}
template <class T>
void write_result(response& res, std::pair<int, T>&& value) {
  write_result(res, std::move(value.second));
  res.status = value.first;
}

template <class F, class R, class... Arguments>
class bound_handler final : public handler {
  static_assert(
      ((kind_of<Arguments>() != argument_kind::unsupported) && ...),
      "winsvc: a handler takes const request&, response&, path parameters (integers, double, std::string) and "
      "body<T>, by value or const reference");
  static_assert(
      in_order<Arguments...>(),
      "winsvc: a handler takes its arguments in this order: const request&, response&, path parameters, body<T>");

 public:
  explicit bound_handler(F f) : f_(std::move(f)) {}

  static constexpr handler_shape shape() noexcept {
    handler_shape s;
    s.parameters = (std::size_t{0} + ... + (kind_of<Arguments>() == argument_kind::parameter ? 1 : 0));
    s.takes_request = ((kind_of<Arguments>() == argument_kind::request) || ...);
    return s;
  }

  void call(const invocation& with) const override { call(with, std::index_sequence_for<Arguments...>()); }

 private:
  template <class A>
  using plain = std::remove_cv_t<std::remove_reference_t<A>>;
  /// What an argument is kept in between its conversion and the call.
  template <class A>
  using held =
      std::conditional_t<kind_of<A>() == argument_kind::parameter, plain<A>,
                         std::conditional_t<kind_of<A>() == argument_kind::body, std::optional<plain<A>>, char>>;

  template <std::size_t... I>
  void call(const invocation& with, std::index_sequence<I...>) const {
    std::tuple<held<Arguments>...> values;
    [[maybe_unused]] std::size_t next = 0;
    if (!(load<Arguments>(with, std::get<I>(values), next) && ...)) return write_problem(with.res, 404, {});
    if constexpr (std::is_void_v<R>) {
      f_(pass<Arguments>(with, std::get<I>(values))...);
    } else {
      write_result(with.res, f_(pass<Arguments>(with, std::get<I>(values))...));
    }
  }

  template <class A>
  static bool load(const invocation& with, held<A>& into, std::size_t& next) {
    if constexpr (kind_of<A>() == argument_kind::parameter) {
      return next < with.values.size() && convert(with.values[next++], into);
    } else if constexpr (kind_of<A>() == argument_kind::body) {
      into.emplace(
          plain<A>{body_from_json<std::remove_reference_t<decltype(*std::declval<plain<A>&>())>>(with.req.body)});
    }
    static_cast<void>(with), static_cast<void>(into), static_cast<void>(next);
    return true;
  }

  template <class A>
  static decltype(auto) pass(const invocation& with, held<A>& from) {
    static_cast<void>(with), static_cast<void>(from);
    if constexpr (kind_of<A>() == argument_kind::request) {
      return (with.req);
    } else if constexpr (kind_of<A>() == argument_kind::response) {
      return (with.res);
    } else if constexpr (kind_of<A>() == argument_kind::body) {
      return std::move(*from);
    } else {
      return std::move(from);
    }
  }

  F f_;
};

// From a callable to its parameter list.
template <class F, class Member>
struct from_member;
template <class F, class C, class R, class... A>
struct from_member<F, R (C::*)(A...)> {
  static_assert(sizeof(C) == 0,
                "winsvc: a handler is called from many threads at once, so its call operator must be const "
                "(a lambda without `mutable`)");
};
template <class F, class C, class R, class... A>
struct from_member<F, R (C::*)(A...) const> { using type = bound_handler<F, R, A...>; };
template <class F, class C, class R, class... A>
struct from_member<F, R (C::*)(A...) const noexcept> { using type = bound_handler<F, R, A...>; };

template <class F, class = void>
struct bind_handler {
  static_assert(sizeof(F) == 0,
                "winsvc: a handler is a function or a lambda whose parameter types are written out (no `auto`)");
};
template <class F>
struct bind_handler<F, std::void_t<decltype(&F::operator())>> : from_member<F, decltype(&F::operator())> {};
template <class R, class... A>
struct bind_handler<R (*)(A...), void> { using type = bound_handler<R (*)(A...), R, A...>; };
template <class R, class... A>
struct bind_handler<R (*)(A...) noexcept, void> { using type = bound_handler<R (*)(A...) noexcept, R, A...>; };

/// The erased handler of a lambda, and its shape.
template <class F>
std::pair<std::unique_ptr<handler>, handler_shape> make_handler(F f) {
  using bound = typename bind_handler<F>::type;
  return {std::make_unique<bound>(std::move(f)), bound::shape()};
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/router.hpp
// =====================================================================================================================

// The routes of an app with their handlers: registration, and the call of the one that matches.
//
// It serves nothing by itself: the engine asks it for every request, the test client and the `routes` verb ask it too.
// Filled while the app is described, frozen at start, read from many threads after that without a lock.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class router {
 public:
  /// Adds a route. Throws setup_error: a malformed pattern, a duplicate or a conflict (both places are named), a
  /// parameter count that does not match the lambda, a call after start.
  template <class F>
  void add(route::method verb, std::string_view pattern, F f, source where) {
    auto [made, shape] = make_handler(std::move(f));
    add(verb, pattern, std::move(made), shape, where);
  }

  [[nodiscard]] const route::table& routes() const noexcept { return table_; }
  /// Is there a route of exactly this pattern text?
  [[nodiscard]] bool has(std::string_view pattern) const noexcept;
  void freeze() noexcept { frozen_ = true; }

  /// Calls the handler of a match. Whatever it throws passes through.
  void call(const route::match_result& match, request& req, response& res) const;

  [[nodiscard]] const route::entry& entry(std::size_t id) const noexcept { return table_.entries()[id]; }

 private:
  void add(route::method verb, std::string_view pattern, std::unique_ptr<handler> h, handler_shape shape, source where);

  struct held {
    std::unique_ptr<handler> call;
    bool wants_names;
  };
  route::table table_;
  std::vector<held> handlers_;  // by id, which is the order of registration
  bool frozen_ = false;
};

// ---------------------------------------------------------------------------------------------------------------------

inline bool router::has(std::string_view pattern) const noexcept {
  for (const auto& e : table_.entries()) {
    if (e.path.text == pattern) return true;
  }
  return false;
}

inline void router::add(route::method verb, std::string_view pattern, std::unique_ptr<handler> h, handler_shape shape,
                        source where) {
  const auto what = [&] {
    return std::string(route::name(verb)) + " " + std::string(pattern) + " (" + where.text() + ")";
  };
  if (frozen_) {
    throw setup_error("route " + what() +
                      ": the service has started; register routes in the app, not in a handler or hook");
  }
  std::size_t names = 0;
  try {
    names = route::parse_pattern(pattern).names.size();
  } catch (const setup_error& e) {  // it knows the pattern, not where that was written
    throw setup_error("route " + std::string(route::name(verb)) + " (" + where.text() + "): " + e.what());
  }
  const bool reads_them_itself = shape.parameters == 0 && shape.takes_request;
  if (names != shape.parameters && !reads_them_itself) {
    throw setup_error("route " + what() + ": the pattern has " + std::to_string(names) + " parameter" +
                      (names == 1 ? "" : "s") + ", the handler takes " + std::to_string(shape.parameters));
  }
  table_.add(verb, pattern, handlers_.size(), where);
  handlers_.push_back({std::move(h), shape.takes_request});
}

inline void router::call(const route::match_result& match, request& req, response& res) const {
  const auto& route = table_.entries()[match.id];
  req.matched_route = route.path.text;
  if (handlers_[match.id].wants_names) {
    req.path_params.clear();
    for (std::size_t i = 0; i < match.values.size(); ++i) req.path_params.emplace(route.path.names[i], match.values[i]);
  }
  handlers_[match.id].call->call({req, res, match.values});
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/transport.hpp
// =====================================================================================================================

// What a connection reads from and writes to: a socket in production, memory in the test client. The bytes take the
// same way through everything above.

#include <chrono>
#include <cstddef>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// How a connection comes to its end.
enum class parting {
  idle,      ///< nothing was sent that the client could still miss
  answered,  ///< with an answer that said so
  unread,    ///< with an answer, over something the client was still sending
};

class transport {
 public:
  virtual ~transport() = default;
  /// Waits for bytes up to `limit`; see os::tcp_socket::receive.
  virtual os::transfer receive(char* into, std::size_t room, std::size_t& got,
                               std::chrono::milliseconds limit) noexcept = 0;
  /// Waits for the first byte of a request, the only wait that a drain ends early: `timed_out` then too, unless bytes
  /// are there already.
  virtual os::transfer receive_idle(char* into, std::size_t room, std::size_t& got,
                                    std::chrono::milliseconds limit) noexcept = 0;
  virtual os::transfer send(const char* from, std::size_t count, std::chrono::milliseconds limit) noexcept = 0;
  /// No more will be sent. After an answer, what the client still sends is taken for a moment, because closing over it
  /// makes Windows reset the connection, and the client never sees the answer (RFC 9112 §9.6). A client that has all it
  /// wants ends that moment at once.
  virtual void finish(parting how) noexcept = 0;
  [[nodiscard]] virtual os::endpoint local() const = 0;
  [[nodiscard]] virtual os::endpoint peer() const = 0;
};

class socket_transport final : public transport {
 public:
  /// `drain` wakes a wait for a new request; it is shared by all connections of an engine and outlives them.
  socket_transport(os::tcp_socket socket, os::waker& drain) noexcept : socket_(std::move(socket)), drain_(&drain) {}

  os::transfer receive(char* into, std::size_t room, std::size_t& got,
                       std::chrono::milliseconds limit) noexcept override {
    return socket_.receive(into, room, got, limit);
  }
  os::transfer receive_idle(char* into, std::size_t room, std::size_t& got,
                            std::chrono::milliseconds limit) noexcept override {
    static_cast<void>(drain_->wait_for(socket_, limit));  // whatever ended the wait
    return socket_.receive(into, room, got, std::chrono::milliseconds(0));  // what has arrived is served, even so late
  }
  os::transfer send(const char* from, std::size_t count, std::chrono::milliseconds limit) noexcept override {
    return socket_.send(from, count, limit);
  }
  void finish(parting how) noexcept override {
    socket_.shutdown_send();
    if (how == parting::idle) return;
    constexpr std::size_t most = 1024 * 1024;
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(how == parting::unread ? 500 : 100);
    char sink[8192];
    for (std::size_t total = 0, got = 0; total < most && std::chrono::steady_clock::now() < until; total += got) {
      if (socket_.receive(sink, sizeof sink, got, std::chrono::milliseconds(100)) != os::transfer::done) return;
    }
  }
  [[nodiscard]] os::endpoint local() const override { return socket_.local(); }
  [[nodiscard]] os::endpoint peer() const override { return socket_.peer(); }

  /// Once `serve` has returned.
  void close() noexcept { socket_.close(); }
  /// From any thread, before `close`: whoever waits on this connection wakes and finds it closed.
  void cut() noexcept { socket_.shutdown_both(); }

 private:
  os::tcp_socket socket_;
  os::waker* drain_;
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/exchange.hpp
// =====================================================================================================================

// One request and its answer on their way through cpp-httplib: the stream it reads the canonical head and the body from
// and writes the answer to, and the few facts that the hooks around the handler share.
//
// The stream is where the wire's promises are kept: a body is framed by our own decoder and counted, it has a deadline
// as a whole, and `100 Continue` leaves only when a handler wants the body (RFC 9110 §10.1.1). Head and body of an
// answer leave in one send; a streamed one leaves as it comes.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// Bytes received and not yet used: the head is parsed in place here, the body follows it, and the next request that.
struct receive_buffer {
  std::string bytes;
  std::size_t used = 0;

  [[nodiscard]] std::string_view rest() const noexcept { return std::string_view(bytes).substr(used); }
  void consume(std::size_t count) {
    used += count;
    if (used == bytes.size()) {
      bytes.clear();
      used = 0;
    }
  }
};

class exchange_stream final : public httplib::Stream {
 public:
  /// `buffer` begins with the body's first byte.
  exchange_stream(transport& wire, receive_buffer& buffer, const wire::head& head, std::string canonical,
                  const wire::limits& bounds)
      : wire_(wire),
        buffer_(buffer),
        framing_(head.framing),
        left_(head.framing == wire::framing::length ? head.content_length : 0),
        wants_continue_(head.expect_continue),
        canonical_(std::move(canonical)),
        bounds_(bounds),
        decoder_(bounds, bounds.body_bytes),
        began_(std::chrono::steady_clock::now()) {
    if (framing_ == wire::framing::length && left_ == 0) framing_ = wire::framing::none;
  }

  /// Has all of the body been read?
  [[nodiscard]] bool body_done() const noexcept { return framing_ == wire::framing::none; }
  /// Could the rest of it be read without waiting for the client?
  [[nodiscard]] bool body_here() const noexcept {
    return body_done() || (framing_ == wire::framing::length && left_ <= buffer_.rest().size());
  }
  /// The body is not wanted any more: reads fail from here on. What is unread ends the connection.
  void refuse_body() noexcept { refused_ = true; }
  /// The status for what was wrong with the body: 400, 408, 413; 0 for nothing; -1 when the client is gone.
  [[nodiscard]] int body_fault() const noexcept { return fault_; }
  /// From here on every write leaves at once.
  void unbuffered() noexcept { unbuffered_ = true; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }

  bool flush() noexcept {
    if (out_.empty()) return !broken_;
    if (!broken_ && wire_.send(out_.data(), out_.size(), bounds_.write_time) != os::transfer::done) broken_ = true;
    if (!broken_) sent_ += out_.size();
    out_.clear();
    return !broken_;
  }

  // What cpp-httplib calls. Without `override`, because its versions differ in what they declare: this is the union.
  bool is_readable() const { return !refused_ && (at_ < canonical_.size() || !body_done()); }
  bool wait_readable() const { return is_readable(); }
  bool wait_writable() const { return !broken_; }
  bool is_peer_alive() const { return !broken_; }
  time_t duration() const { return 0; }
  socket_t socket() const { return INVALID_SOCKET; }
  void get_remote_ip_and_port(std::string& ip, int& port) const { ip = wire_.peer().host, port = wire_.peer().port; }
  void get_local_ip_and_port(std::string& ip, int& port) const { ip = wire_.local().host, port = wire_.local().port; }

  ssize_t read(char* into, size_t room) {
    if (at_ < canonical_.size()) {
      const auto count = (std::min)(room, canonical_.size() - at_);
      std::memcpy(into, canonical_.data() + at_, count);
      at_ += count;
      return static_cast<ssize_t>(count);
    }
    if (refused_ || fault_ != 0) return -1;
    return framing_ == wire::framing::chunked || !decoded_.empty() ? read_chunked(into, room) : read_plain(into, room);
  }

  ssize_t write(const char* from, size_t count) {
    constexpr std::size_t most_kept = 256 * 1024;
    if (broken_) return -1;
    out_.append(from, count);
    if ((unbuffered_ || out_.size() > most_kept) && !flush()) return -1;
    return static_cast<ssize_t>(count);
  }
  using httplib::Stream::write;

  // From 0.52 on the head is scanned in place, which halves the instructions of a small request.
  const char* buffered_data(size_t& size) const {
    size = canonical_.size() - at_;
    return size != 0 ? canonical_.data() + at_ : nullptr;  // a line reader takes anything else for a line begun
  }
  void consume_buffered(size_t size) { at_ += size; }

 private:
  ssize_t read_plain(char* into, size_t room) {
    if (left_ == 0) return 0;
    if (!fill()) return -1;
    const auto have = buffer_.rest();
    const auto count =
        (std::min)({room, have.size(), static_cast<std::size_t>((std::min)(left_, std::uint64_t{1} << 30))});
    std::memcpy(into, have.data(), count);
    buffer_.consume(count);
    took_ += count;
    left_ -= count;
    if (left_ == 0) framing_ = wire::framing::none;
    return static_cast<ssize_t>(count);
  }

  /// Hands decoded chunks on in chunks of our own spelling, so that no parser behind us meets the client's.
  ssize_t read_chunked(char* into, size_t room) {
    while (decoded_at_ == decoded_.size()) {
      if (framing_ == wire::framing::none) return 0;
      if (!fill()) return -1;
      std::string data;
      std::size_t consumed = 0;
      using wire::chunked_decoder;
      const auto step = decoder_.feed(buffer_.rest(), consumed, data);
      buffer_.consume(consumed);
      took_ += consumed;
      if (step == chunked_decoder::step::bad) return fail(400);
      if (step == chunked_decoder::step::too_large) return fail(413);

      decoded_.clear();
      decoded_at_ = 0;
      if (!data.empty()) {
        char size[32];
        std::snprintf(size, sizeof size, "%zx\r\n", data.size());
        decoded_ = size + data + "\r\n";
      }
      if (step == chunked_decoder::step::done) {
        decoded_ += "0\r\n\r\n";
        framing_ = wire::framing::none;
      }
    }
    const auto count = (std::min)(room, decoded_.size() - decoded_at_);
    std::memcpy(into, decoded_.data() + decoded_at_, count);
    decoded_at_ += count;
    return static_cast<ssize_t>(count);
  }

  ssize_t fail(int status) noexcept {
    fault_ = status;
    return -1;
  }

  /// At least one byte of the body in the buffer.
  bool fill() {
    if (!buffer_.rest().empty()) return true;
    if (std::exchange(wants_continue_, false)) {
      constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      wire_.send(go_on.data(), go_on.size(), bounds_.write_time);
    }
    // The deadline is for the whole body: each byte that came buys the time it is worth, and no more.
    const auto until = began_ + bounds_.time_for_body(took_);
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    char piece[16 * 1024];
    std::size_t got = 0;
    const auto what = limit.count() <= 0 ? os::transfer::timed_out : wire_.receive(piece, sizeof piece, got, limit);
    if (what == os::transfer::done) {
      buffer_.bytes.append(piece, got);
      return true;
    }
    fault_ = what == os::transfer::timed_out ? 408 : -1;
    return false;
  }

  transport& wire_;
  receive_buffer& buffer_;
  wire::framing framing_;
  std::uint64_t left_;
  bool wants_continue_;
  std::string canonical_;
  std::size_t at_ = 0;
  const wire::limits& bounds_;
  wire::chunked_decoder decoder_;
  std::string decoded_;
  std::size_t decoded_at_ = 0;
  std::uint64_t took_ = 0;
  std::chrono::steady_clock::time_point began_;
  std::string out_;
  std::uint64_t sent_ = 0;
  int fault_ = 0;
  bool refused_ = false;
  bool unbuffered_ = false;
  bool broken_ = false;
};

/// What the hooks around one handler share.
struct exchange {
  exchange(const wire::head& h, exchange_stream& s, std::string request_id, const std::atomic<bool>& drains)
      : head(h), stream(s), draining(drains), id(std::move(request_id)) {}

  const wire::head& head;
  exchange_stream& stream;
  const std::atomic<bool>& draining;  ///< may become true while the handler runs
  route::match_result match;
  std::string id;            ///< of the request, in the log and in a 500
  std::string path;          ///< of the request, while cpp-httplib routes it to "/_" for its body
  bool closing = false;      ///< the connection ends with this answer
  bool closed = false;       ///< cpp-httplib wants it to
  bool ours = false;         ///< the answer is the handler's or our own, not cpp-httplib's
  int status = 0;            ///< what was answered
  std::string_view pattern;  ///< of the route, for the access log
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/core.hpp
// =====================================================================================================================

// cpp-httplib at work for one request: the subclass that reaches its parser and writer, and the hooks that put our
// router in the place of its own.
//
// cpp-httplib parses, frames, compresses and writes; this decides what is called, and what an answer must and must not
// carry. It uses what a subclass is offered (process_request, svr_sock_) and public hooks, and never calls listen() or
// stop().

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <random>
#include <string>
#include <string_view>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class core final : public httplib::Server {
 public:
  core(const router& routes, const wire::limits& bounds, logger& log);

  /// Runs one request that the gate has let through. False: the connection is of no further use.
  bool process(exchange& x, const os::endpoint& peer, const os::endpoint& local);

  /// The routes, for whoever matches before the body is read.
  [[nodiscard]] const router& routes() const noexcept { return routes_; }
  /// A request id: short, and unlike those of the run before.
  [[nodiscard]] std::string next_id();

 private:
  void route(exchange& x, request& req, response& res);
  void call_handler(exchange& x, request& req, response& res);
  void before_write(exchange& x, const request& req, response& res);

  /// The exchange that this thread is in. cpp-httplib's hooks are shared by all connections and have no other way to
  /// it.
  static exchange*& current() noexcept {
    static thread_local exchange* one = nullptr;
    return one;
  }

  const router& routes_;
  const wire::limits& bounds_;
  logger& log_;
  std::uint32_t salt_;
  std::atomic<std::uint64_t> count_{0};  // relaxed: only its uniqueness matters
};

/// An answer without cpp-httplib, for what the gate refuses: the whole response, connection closing.
[[nodiscard]] std::string refusal(int status, std::string_view reason);

// ---------------------------------------------------------------------------------------------------------------------

inline core::core(const router& routes, const wire::limits& bounds, logger& log)
    : routes_(routes), bounds_(bounds), log_(log), salt_(std::random_device{}() & 0xFFFFFFu) {
  // Content providers stop as soon as this is INVALID_SOCKET, which to cpp-httplib means "stopped".
  svr_sock_ = static_cast<socket_t>(0);
  set_payload_max_length(static_cast<std::size_t>(bounds.body_bytes));

  set_pre_routing_handler([this](const request& req, response& res) {
    // cpp-httplib hands out its own non-const objects as const; casting that away is well defined.
    auto& r = const_cast<request&>(req);
    exchange& x = *current();
    r.is_connection_closed = [&x] { return !x.stream.is_peer_alive(); };
    if (r.method != "GET" && r.method != "HEAD") r.ranges.clear();  // a range is defined for GET alone (RFC 9110 §14.2)

    const bool has_body = !x.stream.body_done();
    if (x.match.what == route::outcome::found && has_body) {
      if (x.head.framing == wire::framing::length && x.head.content_length > bounds_.body_bytes) {
        x.closing = true;
        x.ours = true;
        x.stream.refuse_body();
        write_problem(res, 413, "the body is larger than " + std::to_string(bounds_.body_bytes) + " bytes");
        return HandlerResponse::Handled;
      }
      x.path = std::exchange(r.path, "/_");  // on to the handlers below, called once cpp-httplib has read the body
      return HandlerResponse::Unhandled;
    }
    route(x, r, res);
    return HandlerResponse::Handled;
  });

  const Handler with_body = [this](const request& req, response& res) {
    exchange& x = *current();
    auto& r = const_cast<request&>(req);
    r.path = std::move(x.path);
    r.path_params.clear();
    route(x, r, res);
  };
  Get("/:_", with_body).Post("/:_", with_body).Put("/:_", with_body).Patch("/:_", with_body);
  Delete("/:_", with_body).Options("/:_", with_body);

  set_error_handler([](const request&, response& res) {
    exchange& x = *current();
    const int fault = x.stream.body_fault();
    if (fault <= 0) {
      if (x.ours || !res.body.empty()) return HandlerResponse::Unhandled;
      write_problem(res, res.status, "the request could not be read");  // cpp-httplib's own refusals have no text
      return HandlerResponse::Handled;
    }
    x.closing = true;
    write_problem(res, fault, fault == 408   ? "the body did not arrive in time"
                              : fault == 413 ? "the body is too large"
                                             : "the body is not framed as it says");
    return HandlerResponse::Handled;
  });

  set_post_routing_handler([this](const request& req, response& res) { before_write(*current(), req, res); });
}

inline std::string core::next_id() {
  char text[32];
  std::snprintf(text, sizeof text, "%06x-%llu", salt_,
                static_cast<unsigned long long>(count_.fetch_add(1, std::memory_order_relaxed) + 1));
  return text;
}

inline bool core::process(exchange& x, const os::endpoint& peer, const os::endpoint& local) {
  current() = &x;
  bool ok = false;
  try {
    ok = process_request(x.stream, peer.host, peer.port, local.host, local.port, x.closing, x.closed, nullptr);
  } catch (const std::exception& e) {
    // Content providers, hooks and the writer run outside cpp-httplib's own try block.
    log_.error("request " + x.id + ": the answer failed while it was written: " + e.what());
  } catch (...) {
    log_.error("request " + x.id + ": the answer failed while it was written");
  }
  current() = nullptr;
  return ok && x.stream.flush() && !x.closing && x.stream.body_done();
}

inline void core::route(exchange& x, request& req, response& res) {
  x.ours = true;
  const auto reject = [&](int status, std::string_view detail) {
    // A body that has arrived with its head is dropped, and the connection lives on. One that would have to be waited
    // for is not worth it: the answer leaves now, and the connection ends.
    if (!x.stream.body_here()) {
      x.closing = true;
      x.stream.refuse_body();
    }
    write_problem(res, status, detail);
  };

  switch (x.match.what) {
    case route::outcome::found: return call_handler(x, req, res);
    case route::outcome::bad_path: return reject(400, "the path is not well formed");
    case route::outcome::not_found: return reject(404, {});
    case route::outcome::method_not_allowed:
      if (x.head.verb == route::method::options) {
        res.status = 204;
      } else {
        reject(405, {});
      }
      replace_header(res, "Allow", x.match.allowed.allow());
  }
}

inline void core::call_handler(exchange& x, request& req, response& res) {
  const auto& route = routes_.entry(x.match.id);
  x.pattern = route.path.text;
  const auto failed = [&](const std::string& what) {
    // The text is for the log: it may hold a path, a query, a password. The client gets the id to ask about.
    log_.error("request " + x.id + ": " + std::string(x.head.method) + ' ' + std::string(x.head.path) +
               ": handler at " + route.where.text() + " threw: " + what);
    response blank;  // what the handler had begun goes with it, its content provider's clean-up included
    std::swap(res, blank);
    write_problem(res, 500, "the request failed; the log has the reason under this id", x.id);
  };
  try {
    routes_.call(x.match, req, res);
    if (text::equal_nocase(res.get_header_value("Connection"), "close")) x.closing = true;  // the handler's own wish
    if (res.status == -1) res.status = 200;  // left at -1, a Range would turn it into 206
    if (res.status != 206) req.ranges.clear();  // cpp-httplib would make it 416 where they reach past the answer's end
  } catch (const abort_error& e) {
    write_problem(res, e.status(), e.what());
  } catch (const std::exception& e) {
    failed(e.what());
  } catch (...) {
    failed("something that is no std::exception");
  }
}

/// Runs when cpp-httplib has put the headers together and before it writes them.
inline void core::before_write(exchange& x, const request& req, response& res) {
  x.status = res.status;
  if (res.is_chunked_content_provider_ && x.head.minor == 0) {  // HTTP/1.0 knows no chunks: the end is the end
    res.is_chunked_content_provider_ = false;
    res.headers.erase("Transfer-Encoding");
    x.closing = true;
  }
  // Looked at now and not when the request came: the drain may have begun while the handler ran.
  if (x.draining.load() || x.closed || (!x.stream.body_done() && x.stream.body_fault() != 0)) x.closing = true;
  if (res.content_provider_) x.stream.unbuffered();

  const bool bodiless = res.status == 204 || res.status == 304;
  if (bodiless) {  // RFC 9110 §8.6: no Content-Length in a 204; a 304's would be that of the answer it stands for
    res.body.clear();
    res.headers.erase("Content-Length");
    if (res.status == 204) res.headers.erase("Content-Type");
  }
  if (req.method == "HEAD") res.headers.erase("Accept-Ranges");  // cpp-httplib promises ranges on HEAD alone
  res.headers.erase("Keep-Alive");
  res.headers.erase("Connection");
  if (x.closing) {
    res.set_header("Connection", "close");
  } else if (x.head.minor == 0) {
    res.set_header("Connection", "keep-alive");
  }
  if (!res.has_header("Date")) res.set_header("Date", http_date(clock::system().wall()));
}

inline std::string refusal(int status, std::string_view reason) {
  response res;
  write_problem(res, status, reason);
  return "HTTP/1.1 " + std::to_string(status) + ' ' + httplib::status_message(status) +
         "\r\nDate: " + http_date(clock::system().wall()) +
         "\r\nContent-Type: application/problem+json\r\nContent-Length: " + std::to_string(res.body.size()) +
         "\r\nConnection: close\r\n\r\n" + res.body;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/connection.hpp
// =====================================================================================================================

// One connection, from its first byte to its close: read a head, let the gate judge it, find the route, hand it to
// cpp-httplib, again.
//
// It runs on whichever thread calls `serve` and knows neither sockets nor other connections; what it shares with them
// is in `traffic`.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// One answered request, for the access log.
struct access_entry {
  /// Valid during the call only. Of a request that the gate refused: "refused:" and why, no pattern.
  std::string_view method, target, pattern;
  os::endpoint peer;
  int status = 0;
  std::uint64_t bytes = 0;  ///< head and body of the answer
  std::chrono::microseconds took{0};
};

/// What the connections of one engine have in common.
struct traffic {
  std::atomic<bool> draining{false};
  std::atomic<std::size_t> in_flight{0};  ///< requests whose head is complete and whose answer is not
  std::atomic<std::uint64_t> answered{0};
  std::function<void(const access_entry&)> on_answered;  ///< set before the first connection; called on its thread
};

class connection {
 public:
  connection(transport& wire, core& server, traffic& shared, const wire::limits& bounds)
      : wire_(wire), server_(server), shared_(shared), bounds_(bounds), peer_(wire.peer()), local_(wire.local()) {
    for (auto* block : {&buffer_.bytes, &head_block_}) block->reserve(8 * 1024);  // on the heap: a swap moves no byte
  }

  /// Serves until the client, an error, a time-out or a drain ends it. Never throws.
  void serve() noexcept;

 private:
  [[nodiscard]] bool read_head(wire::head_result& got);
  /// Nothing: another request may come.
  [[nodiscard]] std::optional<parting> serve_one();
  void refuse(int status, std::string_view reason);

  transport& wire_;
  core& server_;
  traffic& shared_;
  const wire::limits& bounds_;
  os::endpoint peer_, local_;
  receive_buffer buffer_;
  std::string head_block_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline void connection::serve() noexcept {
  std::optional<parting> how;
  try {
    while (!how) how = serve_one();
  } catch (...) {  // out of memory in our own hands: this connection ends, the others go on
    how = parting::idle;
  }
  wire_.finish(buffer_.rest().empty() ? *how : parting::unread);
}

/// True: `got` is complete or rejected. False: there is nothing to answer.
inline bool connection::read_head(wire::head_result& got) {
  std::size_t scanned = 0;
  auto until = (std::chrono::steady_clock::time_point::max)();  // runs from the first byte
  for (;;) {
    if (!buffer_.rest().empty()) {
      got = wire::parse_head(buffer_.rest(), bounds_, &scanned);
      if (got.step != wire::head_result::more) return true;
      if (until == (std::chrono::steady_clock::time_point::max)())
        until = std::chrono::steady_clock::now() + bounds_.head_time;
    }
    char piece[8 * 1024];
    std::size_t bytes = 0;
    os::transfer what;
    if (buffer_.rest().empty()) {
      what = wire_.receive_idle(piece, sizeof piece, bytes, bounds_.idle_time);
      if (what == os::transfer::timed_out) return false;  // an idle connection just ends
    } else {
      const auto limit =
          std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      // A drain does not wait for a head that is slow to come: it has a last moment, and is refused then.
      constexpr std::chrono::milliseconds last_moment{500};
      what = limit.count() <= 0 ? os::transfer::timed_out : wire_.receive_idle(piece, sizeof piece, bytes, limit);
      if (what == os::transfer::timed_out && shared_.draining.load() && limit > last_moment) {
        what = wire_.receive(piece, sizeof piece, bytes, last_moment);
      }
      if (what == os::transfer::timed_out) {
        got.step = wire::head_result::reject;
        got.status = 408;
        got.reason = "the request head did not arrive in time";
        return true;
      }
    }
    if (what != os::transfer::done) return false;
    buffer_.bytes.append(piece, bytes);
  }
}

inline void connection::refuse(int status, std::string_view reason) {
  const std::string answer = refusal(status, reason);
  wire_.send(answer.data(), answer.size(), bounds_.write_time);
  if (shared_.on_answered) shared_.on_answered({"refused:", reason, {}, peer_, status, answer.size(), {}});
}

inline std::optional<parting> connection::serve_one() {
  wire::head_result got;
  if (!read_head(got)) return parting::idle;
  if (got.step == wire::head_result::reject) {
    refuse(got.status, got.reason);
    return parting::unread;
  }

  struct counted {
    std::atomic<std::size_t>& count;
    explicit counted(std::atomic<std::size_t>& c) : count(c) { ++count; }
    ~counted() { --count; }
  };
  const auto began = std::chrono::steady_clock::now();
  const counted in_flight(shared_.in_flight);

  // The head's views point into the buffer, which the body's bytes would move: the block they are in is set aside, and
  // the two blocks take turns from request to request.
  head_block_.clear();
  std::swap(head_block_, buffer_.bytes);
  buffer_.bytes.append(head_block_, buffer_.used + got.consumed);
  buffer_.used = 0;
  const wire::head& head = got.value;

  exchange_stream stream(wire_, buffer_, head, wire::canonical_head(head, httplib_decodes_headers), bounds_);
  exchange x(head, stream, server_.next_id(), shared_.draining);
  if (head.path == "*") {
    x.match.what = route::outcome::method_not_allowed;
    x.match.allowed = server_.routes().routes().all_methods();
  } else {
    x.match = server_.routes().routes().match(head.verb, head.path);
  }
  x.closing = !head.keep_alive;
  const bool alive = server_.process(x, peer_, local_);

  if (stream.sent() > 0) {
    ++shared_.answered;
    if (shared_.on_answered) {
      const auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
      shared_.on_answered({head.method, head.target, x.pattern, peer_, x.status, stream.sent(), took});
    }
  }
  if (alive) return std::nullopt;
  return stream.body_done() ? parting::answered : parting::unread;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/engine.hpp
// =====================================================================================================================

// The engine: listens, accepts, serves, drains. What the runtime starts and stops, and all it knows of HTTP.
//
//   engine e(router, limits, log);
//   if (auto bound = e.bind("127.0.0.1", 0); !bound) return bound.error();
//   e.accept();                                // serving, on threads of its own
//   auto report = e.drain(20s, [] { … });      // every accepted request answered, or counted as cut
//
// A connection has a thread of its own here. When it drains, the listener is closed after what had connected was taken,
// waiting connections are closed at once, and requests in flight are answered with `Connection: close`.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// How a drain went.
struct drain_report {
  std::size_t answered = 0;  ///< requests in flight that got their answer
  std::size_t cut = 0;       ///< requests that were still running at the deadline
  std::size_t stuck = 0;     ///< threads that are in a handler even after that: the process has to end over them
};

class engine {
 public:
  engine(const router& routes, const wire::limits& bounds, logger& log)
      : bounds_(bounds), log_(log), core_(routes, bounds_, log) {}
  /// Drains without patience if nobody did before, and waits for handlers that still run.
  ~engine();
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  /// Binds and listens, exclusively; clients can connect from here on, and wait. The error names the owner of a taken
  /// port where that can be found out.
  [[nodiscard]] result<void> bind(const std::string& host, std::uint16_t port);
  /// Where it listens, with the real port; after bind.
  [[nodiscard]] os::endpoint address() const { return address_; }

  /// Called on a connection's thread after each answer. Set before `accept`.
  void on_answered(std::function<void(const access_entry&)> f) { shared_.on_answered = std::move(f); }

  /// Starts to serve.
  void accept();
  /// Stops: see above. `progress` is called, on the calling thread, whenever requests were answered meanwhile.
  drain_report drain(std::chrono::milliseconds limit, const std::function<void()>& progress = {});

  /// Requests being handled, connections open: for status.
  [[nodiscard]] std::size_t in_flight() const noexcept { return shared_.in_flight.load(); }
  [[nodiscard]] std::size_t connections() const;

  /// Serves one connection on the calling thread, without a listener: the way of the test client.
  void serve(transport& wire) { connection(wire, core_, shared_, bounds_).serve(); }

 private:
  struct client {
    client(os::tcp_socket socket, os::waker& drain) : wire(std::move(socket), drain) {}
    socket_transport wire;
    std::thread thread;
    bool ended = false;  // under mutex_
  };

  void accept_loop();
  void take(os::tcp_socket socket);
  void reap();

  wire::limits bounds_;
  logger& log_;
  core core_;
  traffic shared_;
  os::endpoint address_;
  os::tcp_socket listener_;
  os::waker stop_accepting_, drain_;
  std::thread acceptor_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::list<client> clients_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline engine::~engine() {
  static_cast<void>(drain(std::chrono::milliseconds(0)));
  for (auto& c : clients_) c.thread.join();
}

inline result<void> engine::bind(const std::string& host, std::uint16_t port) {
  if (!stop_accepting_.is_open() || !drain_.is_open()) {
    const auto code = os::calls::last_error();
    return failure{
        model::explained(code, "prepare to listen on", os::endpoint{host, port}.text(), os::system_words(code))};
  }
  auto listening = os::tcp_socket::listen(host, port);
  if (!listening) {
    const auto code = listening.error();
    error why = model::explained(code, "listen on", os::endpoint{host, port}.text(), os::system_words(code));
    if (code == model::code::address_in_use || code == model::code::access_to_address) {
      if (const auto owner = os::port_owner({host, port}); !owner.empty()) why.said += ": " + owner + " has it";
    }
    return failure{std::move(why)};
  }
  listener_ = std::move(*listening);
  address_ = listener_.local();
  return {};
}

inline void engine::accept() {
  acceptor_ = std::thread([this] { accept_loop(); });
}

inline void engine::accept_loop() {
  std::uint32_t last_fault = 0;
  for (;;) {
    const auto waited = stop_accepting_.wait_for(listener_, os::waker::no_limit);
    if (waited == os::waker::outcome::woken) break;
    auto got = listener_.accept();
    if (got) {
      last_fault = 0;
      take(std::move(*got));
    } else if (!os::calls::would_block(got.error())) {
      // The client left before it was taken, or the process is out of descriptors: say it once, breathe, go on. A
      // listener that gives up on the first fault is a service that is RUNNING and dead.
      if (got.error() != last_fault) {
        last_fault = got.error();
        log_.warn("a connection could not be accepted: " + os::system_words(last_fault) + " (" +
                  std::to_string(last_fault) + ")");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  // Who connected before we stopped is served. Not without end: clients may come as fast as they are taken.
  constexpr int most_waiting = 1000;
  for (int i = 0; i < most_waiting; ++i) {
    auto got = listener_.accept();
    if (got) take(std::move(*got));
    else if (os::calls::would_block(got.error())) break;
  }
  listener_.close();
}

inline void engine::take(os::tcp_socket socket) {
  reap();
  const std::lock_guard lock(mutex_);
  clients_.emplace_back(std::move(socket), drain_);
  auto& c = clients_.back();
  try {
    c.thread = std::thread([this, &c] {
      try {
        serve(c.wire);
      } catch (...) {  // out of memory before it had begun: this connection ends, the others go on
      }
      const std::lock_guard ending(mutex_);
      c.wire.close();  // now, not at the next reap: the client would wait for its end until then
      c.ended = true;
      ended_.notify_all();
    });
  } catch (const std::system_error&) {  // no more threads to be had: this client is turned away, the others are served
    const std::string answer = refusal(503, "the service is too busy");
    c.wire.send(answer.data(), answer.size(), std::chrono::milliseconds(0));
    clients_.pop_back();
  }
}

/// Joins the threads of connections that have ended.
inline void engine::reap() {
  std::list<client> done;
  {
    const std::lock_guard lock(mutex_);
    for (auto it = clients_.begin(); it != clients_.end();) {
      const auto here = it++;
      if (here->ended) done.splice(done.end(), clients_, here);
    }
  }
  for (auto& c : done) c.thread.join();
}

inline std::size_t engine::connections() const {
  const std::lock_guard lock(mutex_);
  std::size_t open = 0;
  for (const auto& c : clients_) open += c.ended ? 0 : 1;
  return open;
}

inline drain_report engine::drain(std::chrono::milliseconds limit, const std::function<void()>& progress) {
  drain_report report;
  const auto answered_before = shared_.answered.load();
  shared_.draining.store(true);  // before the listener goes: whoever is taken from here on is told to close
  stop_accepting_.wake();
  if (acceptor_.joinable()) acceptor_.join();
  listener_.close();

  auto answered_now = answered_before;
  drain_.wake();
  const auto until = std::chrono::steady_clock::now() + limit;
  const auto all_ended = [this] {
    for (const auto& c : clients_) {
      if (!c.ended) return false;
    }
    return true;
  };

  std::unique_lock lock(mutex_);
  const auto tell = [&] {
    const auto now = shared_.answered.load();
    if (now == answered_now || !progress) return;
    answered_now = now;
    lock.unlock();
    progress();
    lock.lock();
  };
  while (!all_ended() && ended_.wait_until(lock, until) != std::cv_status::timeout) tell();
  tell();  // of those that were done before we waited
  if (!all_ended()) {
    report.cut = shared_.in_flight.load();
    for (auto& c : clients_) {
      if (!c.ended) c.wire.cut();
    }
    // Whoever waits on the network wakes at once; whoever computes gets a last moment.
    constexpr auto last_moment = std::chrono::milliseconds(500);
    ended_.wait_for(lock, last_moment, all_ended);
  }
  report.answered = static_cast<std::size_t>(shared_.answered.load() - answered_before);
  for (const auto& c : clients_) report.stuck += c.ended ? 0 : 1;
  lock.unlock();

  if (report.stuck == 0) reap();
  return report;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/service.hpp
// =====================================================================================================================

// What App receives: the description of a service. App says what there is; nothing happens until a verb makes it
// happen.
//
//   void App(winsvc::service& svc) {
//     svc.name("hello").display_name("Hello service").listen("127.0.0.1", 5001);
//     svc.get("/users/{id}", [](int id) { return "user " + std::to_string(id); });
//     svc.on_start([] { open_store(); return [] { close_store(); }; });
//     svc.worker("poller", [](winsvc::stop_token stop) { while (!stop.wait_for(5s)) poll(); });
//   }
//
// App runs for every verb, `help` included: what takes time or can fail belongs in `on_start`.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {

/// What a start hook is given. Used on the thread that runs the hook.
class start_context {
 public:
  /// "opening store", 2 of 5: goes to the log, and tells the SCM that the start is alive. Windows takes a start for
  /// hung after 30 s without one, so call it when something has been achieved, and only then.
  void progress(std::string_view what, unsigned step = 0, unsigned of = 0) const { progress_(what, step, of); }
  /// A stop was asked for meanwhile: return soon, the service will not run.
  [[nodiscard]] bool stop_requested() const { return stop_.stop_requested(); }
  [[nodiscard]] const stop_token& stop() const noexcept { return stop_; }
  /// What came with the start (`sc start NAME words…`), without the service's name. Empty in debug.
  [[nodiscard]] const std::vector<std::string>& arguments() const noexcept { return arguments_; }

  using progress_function = std::function<void(std::string_view, unsigned, unsigned)>;
  start_context(progress_function progress, stop_token stop, std::vector<std::string> arguments)
      : progress_(std::move(progress)), stop_(std::move(stop)), arguments_(std::move(arguments)) {}

 private:
  progress_function progress_;
  stop_token stop_;
  std::vector<std::string> arguments_;
};

namespace host {

/// A start hook returns what undoes it, or nothing.
using undo = std::function<void()>;
/// One entry of the list that is walked forwards at start and backwards at stop: a start hook or a stop hook.
struct hook {
  std::function<undo(start_context&)> start;
  undo stop;
  source where;
};
struct worker {
  std::string name;
  std::function<void(stop_token)> body;
};
struct ready_check {
  std::string name;
  std::function<bool()> check;
};

/// Everything App said, as a value: what the runtime and the verbs read.
struct blueprint {
  model::service_spec spec;
  std::string version;
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  std::chrono::milliseconds stop_limit = std::chrono::seconds(20);
  std::string live_path = "/livez", ready_path = "/readyz";
  wire::limits limits;
  http::router router;
  std::vector<hook> hooks;
  std::vector<worker> workers;
  std::vector<ready_check> ready_checks;
  logger log;
  bool frozen = false;
};

template <class R>
inline constexpr bool is_undo_or_void = std::is_void_v<R> || std::is_invocable_v<R>;

template <class F>
std::function<undo(start_context&)> start_hook(F f) {
  constexpr bool with_context = std::is_invocable_v<F&, start_context&>;
  static_assert(with_context || std::is_invocable_v<F&>,
                "winsvc: on_start takes a callable without arguments, or with winsvc::start_context&");
  return [f = std::move(f)](start_context& context) mutable -> undo {
    const auto call = [&]() -> decltype(auto) {
      if constexpr (with_context) return f(context);
      else return static_cast<void>(context), f();
    };
    using returned = decltype(call());
    static_assert(is_undo_or_void<returned>,
                  "winsvc: an on_start hook returns nothing, or a callable that undoes it at stop");
    if constexpr (std::is_void_v<returned>) {
      call();
      return {};
    } else {
      return undo(call());
    }
  };
}

}  // namespace host

class service {
 public:
  explicit service(host::blueprint& plan) noexcept : plan_(plan) {}
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  // -- identity, and what to install --

  /// The name the SCM knows, 1 to 256 characters without slashes; also of the data folder and the event source.
  /// Default: the executable's name.
  service& name(std::string text);
  /// What the Services window shows. Default: the name.
  service& display_name(std::string text);
  service& description(std::string text);
  /// The app's own version, for the `version` verb.
  service& version(std::string text);
  /// When the system starts it. Default: automatic.
  service& startup(winsvc::startup when);

  // -- listening --

  /// Default: 127.0.0.1:8080. Port 0 picks a free one, which `status` shows. The command line has the last word
  /// (`--host`, `--port`). "0.0.0.0" listens on all IPv4 addresses, "::" on all.
  service& listen(std::string host, std::uint16_t port);
  /// Sizes and time-outs of the wire, each with its default in wire/limits.hpp.
  [[nodiscard]] wire::limits& limits() noexcept { return plan_.limits; }

  // -- routes: patterns in route/pattern.hpp, handlers in http/handler.hpp --

  template <class F>
  service& get(std::string_view pattern, F handler, source where = source::here()) {
    return route(route::method::get, pattern, std::move(handler), where);
  }
  template <class F>
  service& post(std::string_view pattern, F handler, source where = source::here()) {
    return route(route::method::post, pattern, std::move(handler), where);
  }
  template <class F>
  service& put(std::string_view pattern, F handler, source where = source::here()) {
    return route(route::method::put, pattern, std::move(handler), where);
  }
  template <class F>
  service& patch(std::string_view pattern, F handler, source where = source::here()) {
    return route(route::method::patch, pattern, std::move(handler), where);
  }
  /// HTTP DELETE, a word that C++ and Windows' headers both have taken.
  template <class F>
  service& del(std::string_view pattern, F handler, source where = source::here()) {
    return route(route::method::del, pattern, std::move(handler), where);
  }
  template <class F>
  service& options(std::string_view pattern, F handler, source where = source::here()) {
    return route(route::method::options, pattern, std::move(handler), where);
  }
  /// Whatever the method is; a route for the method itself goes before it.
  template <class F>
  service& any(std::string_view pattern, F handler, source where = source::here()) {
    return route(route::method::any, pattern, std::move(handler), where);
  }
  template <class F>
  service& route(route::method verb, std::string_view pattern, F handler, source where = source::here()) {
    plan_.router.add(verb, pattern, std::move(handler), where);
    return *this;
  }

  // -- lifecycle: all on the service's main thread, none of them at the same time --

  /// Before the port is bound, in the order of registration. `f()` or `f(start_context&)`; what it returns, if
  /// anything, is called at stop, in reverse order. An exception fails the start with its text.
  template <class F>
  service& on_start(F f, source where = source::here()) {
    add_hook("on_start", {host::start_hook(std::move(f)), {}, where});
    return *this;
  }
  /// After the last request was answered, in reverse order of registration, among what on_start hooks returned; only
  /// when all hooks registered before it have started. An exception is logged, and the other hooks still run. Not run
  /// when a handler or worker did not return in time, because it may still use what the hook would close.
  template <class F>
  service& on_stop(F f, source where = source::here()) {
    static_assert(std::is_invocable_v<F&>, "winsvc: on_stop takes a callable without arguments");
    add_hook("on_stop", {{}, std::move(f), where});
    return *this;
  }
  /// How long a stop waits for requests in flight, up to a day. Default: 20 s; 4 s when the machine shuts down, which
  /// waits no longer.
  service& stop_limit(std::chrono::milliseconds limit);

  /// A thread of its own from RUNNING to the end of the drain: owned, and joined before the stop hooks run. An
  /// exception that escapes it stops the service as failed, with its text.
  service& worker(std::string name, std::function<void(stop_token)> body, source where = source::here());

  // -- health --

  /// Is the service ready for work? Asked, on a request's thread, whenever `/readyz` is; false or an exception makes
  /// it 503.
  service& ready(std::string name, std::function<bool()> check);
  /// Where liveness and readiness are asked. Default: /livez, /readyz; empty switches one off.
  service& health_paths(std::string live, std::string ready, source where = source::here());

  /// The service's log: a file as a service, the terminal in debug.
  [[nodiscard]] logger& log() noexcept { return plan_.log; }

 private:
  void add_hook(std::string_view what, host::hook h);
  void check_open(std::string_view what) const;
  host::blueprint& plan_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline void service::check_open(std::string_view what) const {
  if (plan_.frozen) {
    throw setup_error(std::string(what) +
                      ": the service has started; describe it in the app, not in a handler or hook");
  }
}

inline service& service::name(std::string text) {
  check_open("name");
  if (const auto good = model::check_name(text); !good) throw setup_error(good.error().sentence());
  plan_.spec.name = std::move(text);
  return *this;
}
inline service& service::display_name(std::string text) {
  check_open("display_name");
  if (const auto good = model::check_display_name(text); !good) throw setup_error(good.error().sentence());
  plan_.spec.display_name = std::move(text);
  return *this;
}
inline service& service::description(std::string text) {
  check_open("description");
  plan_.spec.description = std::move(text);
  return *this;
}
inline service& service::version(std::string text) {
  check_open("version");
  plan_.version = std::move(text);
  return *this;
}
inline service& service::startup(winsvc::startup when) {
  check_open("startup");
  plan_.spec.startup = when;
  return *this;
}
inline service& service::listen(std::string host, std::uint16_t port) {
  check_open("listen");
  plan_.host = std::move(host);
  plan_.port = port;
  return *this;
}
inline service& service::stop_limit(std::chrono::milliseconds limit) {
  check_open("stop_limit");
  plan_.stop_limit = std::clamp(limit, std::chrono::milliseconds(0), std::chrono::milliseconds(std::chrono::hours(24)));
  return *this;
}
inline service& service::worker(std::string name, std::function<void(stop_token)> body, source where) {
  check_open("worker");
  for (const auto& w : plan_.workers) {
    if (w.name == name)
      throw setup_error("worker '" + name + "' (" + where.text() +
                        "): there is one of that name; the log could not tell them apart");
  }
  plan_.workers.push_back({std::move(name), std::move(body)});
  return *this;
}
inline service& service::ready(std::string name, std::function<bool()> check) {
  check_open("ready");
  plan_.ready_checks.push_back({std::move(name), std::move(check)});
  return *this;
}
inline service& service::health_paths(std::string live, std::string ready, source where) {
  check_open("health_paths");
  for (const auto& path : {live, ready}) {
    if (!path.empty() && !route::parse_pattern(path).names.empty()) {
      throw setup_error("health path " + path + " (" + where.text() +
                        "): it has a parameter, which nothing would read");
    }
  }
  plan_.live_path = std::move(live);
  plan_.ready_path = std::move(ready);
  return *this;
}
inline void service::add_hook(std::string_view what, host::hook h) {
  check_open(what);
  plan_.hooks.push_back(std::move(h));
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/app.hpp
// =====================================================================================================================

// What App may be: a function, a global callable object, or a type constructible from `winsvc::service&`, whose object
// then lives for the whole run. All three become one factory.

#include <functional>
#include <memory>
#include <type_traits>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Describes the service; what it returns lives until the run has ended.
using app_factory = std::function<std::shared_ptr<void>(service&)>;

template <class T>
app_factory app_of_type() {
  static_assert(
      std::is_constructible_v<T, service&>,
      "winsvc: App is a function void(winsvc::service&), a global callable object of that shape, or a type with a "
      "constructor that takes winsvc::service&");
  return [](service& svc) -> std::shared_ptr<void> { return std::make_shared<T>(svc); };
}

template <class F>
app_factory app_of_callable(F& f) {
  static_assert(
      std::is_invocable_v<F&, service&>,
      "winsvc: App is a function void(winsvc::service&), a global callable object of that shape, or a type with a "
      "constructor that takes winsvc::service&");
  return [&f](service& svc) -> std::shared_ptr<void> {
    f(svc);
    return nullptr;
  };
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/reporter.hpp
// =====================================================================================================================

// Publishes what the lifecycle gives, in its order: one lock around the decision and the publishing, so that no late
// status ever overtakes STOP_PENDING or follows STOPPED.

#include <chrono>
#include <functional>
#include <mutex>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class reporter {
 public:
  /// `publish` is called under the lock, from any thread; it must not call back.
  explicit reporter(std::function<void(const model::service_status&)> publish)
      : life_({}), publish_(std::move(publish)) {}

  /// Makes the move and publishes it; false where it is not legal from here, and nothing was published.
  bool apply(model::step what, std::chrono::milliseconds wait_hint = {}, model::exit_status exit = {}) {
    const std::lock_guard lock(mutex_);
    const auto status = life_.apply(what, wait_hint, exit);
    if (status && publish_) publish_(*status);
    return status.has_value();
  }
  [[nodiscard]] model::service_status now() const {
    const std::lock_guard lock(mutex_);
    return life_.now();
  }

 private:
  mutable std::mutex mutex_;
  model::lifecycle life_;
  std::function<void(const model::service_status&)> publish_;
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/file_log.hpp
// =====================================================================================================================

// The log file: appended to, rotated by size, so many kept. `hello.log` is the newest, then `hello.1.log`,
// `hello.2.log`.
//
// Trouble with the file never reaches the service: a write that fails is tried again on a file opened anew, once, and
// dropped then.

#include <cstdint>
#include <string>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class file_log final : public log_sink {
 public:
  struct rotation {
    std::uint64_t bytes = 10 * 1024 * 1024;  ///< a file that would grow over it is set aside
    int kept = 5;                            ///< files in all, the current one included
  };

  /// `path` without its `.log`.
  file_log(std::string path, rotation limits) : path_(std::move(path)), limits_(limits) { reopen(); }
  explicit file_log(std::string path) : file_log(std::move(path), rotation{}) {}

  [[nodiscard]] bool is_open() const noexcept { return file_.is_open(); }
  /// Why it could not be opened.
  [[nodiscard]] std::uint32_t fault() const noexcept { return fault_; }

  void write(const log_entry& entry) noexcept override {
    try {
      const std::string line = entry.line() + '\n';
      if (file_.is_open() && file_.size() > 0 && file_.size() + line.size() > full_at_) rotate();
      if (file_.is_open() && file_.write(line)) return;
      reopen();
      if (file_.is_open()) file_.write(line);
    } catch (...) {  // out of memory: the line is lost, the service is not
    }
  }

 private:
  [[nodiscard]] std::string name(int age) const { return path_ + (age == 0 ? "" : "." + std::to_string(age)) + ".log"; }

  void reopen() {
    auto opened = os::append_file::open(name(0));
    fault_ = opened ? 0 : opened.error();
    if (opened) file_ = std::move(*opened);
  }

  void rotate() {
    file_.close();
    // The current file first: if somebody holds it, the older ones stay where they are, and it grows a while longer.
    const std::string aside = path_ + ".aside.log";
    if (os::rename_file(name(0), aside)) {
      os::remove_file(name(limits_.kept - 1));
      for (int age = limits_.kept - 2; age >= 1; --age) os::rename_file(name(age), name(age + 1));
      if (limits_.kept > 1) os::rename_file(aside, name(1));
      else os::remove_file(aside);
      reopen();
      full_at_ = limits_.bytes;
    } else {
      reopen();
      full_at_ = file_.size() + limits_.bytes / 10;
    }
  }

  std::string path_;
  rotation limits_;
  os::append_file file_;
  std::uint64_t full_at_ = limits_.bytes;
  std::uint32_t fault_ = 0;
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/health.hpp
// =====================================================================================================================

// Liveness and readiness: `/livez` says that requests are answered, `/readyz` that they should be sent.
//
//   svc.ready("store", [] { return store.is_open(); });     // 503 "not ready: store" until it is
//
// Both are routes like any other; an app that has routes of its own at these paths keeps them.

#include <atomic>
#include <exception>
#include <string>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// `serving`: false from the first moment of a stop. It and the plan outlive the router's last call.
inline void add_health_routes(blueprint& plan, const std::atomic<bool>& serving) {
  const source where = source::here();
  const auto free = [&plan](const std::string& path) { return !path.empty() && !plan.router.has(path); };
  if (free(plan.live_path)) plan.router.add(route::method::get, plan.live_path, [] { return "live\n"; }, where);
  if (!free(plan.ready_path)) return;

  plan.router.add(route::method::get, plan.ready_path, [&plan, &serving]() -> reply {
    if (!serving.load()) return reply::text("stopping\n", 503);
    for (const auto& r : plan.ready_checks) {
      bool good = false;
      try {
        good = r.check();
      } catch (const std::exception& e) {
        plan.log.warn("ready check '" + r.name + "' threw: " + e.what());
      } catch (...) {
        plan.log.warn("ready check '" + r.name + "' threw something that is no std::exception");
      }
      if (!good) return reply::text("not ready: " + r.name + "\n", 503);
    }
    return reply::text("ready\n");
  }, where);
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/runtime.hpp
// =====================================================================================================================

// The one order of start, serve, drain and stop, the same in a terminal and under the SCM. A host gives it a reporter,
// a way to ask for a stop, and a thread; what differs between hosts is only where a stop comes from.
//
//   START_PENDING → start hooks → bind → RUNNING → accept, workers
//   STOP_PENDING → /readyz 503 → listener closed → requests answered → workers joined → stop hooks in reverse → done
//
// The host reports the STOPPED that follows, as its last act.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What a host gives a run beside the blueprint.
struct run_settings {
  model::listen_options listen;        ///< from the command line: goes before what App said
  std::vector<std::string> arguments;  ///< of StartService
  std::function<void(const os::endpoint&)> on_listening;  ///< bound, not yet RUNNING
  std::function<void(const os::endpoint&)> on_running;    ///< RUNNING was reported
  std::function<void(const http::access_entry&)> on_answered;
};

/// How a run ended.
struct run_result {
  model::exit_status exit;
  std::optional<error> why;  ///< of a failure
  /// A handler or a worker did not return. The process must end without waiting for it, and the runtime, the blueprint
  /// and the app's object must stay as they are until it does.
  bool stuck = false;
};

class runtime {
 public:
  runtime(blueprint& plan, reporter& report, run_settings settings)
      : plan_(plan), report_(report), settings_(std::move(settings)), limit_(plan.stop_limit) {}
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Runs until a stop is requested or something fails. Call once.
  run_result run();

  /// From any thread, any number of times; the first counts. STOP_PENDING is published before anything is signalled,
  /// and nothing is written or waited for: it may be the control handler's thread.
  /// `limit`: how long requests in flight may take; default the app's stop_limit.
  void request_stop(std::string_view why, std::optional<std::chrono::milliseconds> limit = {});

  /// How long a start may be silent before the SCM should worry: Windows takes 30 s for hung.
  static constexpr std::chrono::milliseconds start_hint{30'000};

 private:
  void fail(error why);
  void start_guarded();
  bool start();
  bool run_start_hooks();
  void start_workers();
  void drain();
  void run_stop_hooks();
  std::chrono::milliseconds stop_hint() const { return limit_.load() + std::chrono::seconds(5); }

  struct running_worker {
    const worker* what = nullptr;
    std::thread thread;
    bool ended = false;  // under mutex_
  };

  blueprint& plan_;
  reporter& report_;
  run_settings settings_;
  stop_source stop_;          // of the service
  stop_source worker_stop_;   // of the workers: they work until the drain has begun
  std::mutex mutex_;
  std::condition_variable worker_ended_;
  std::optional<error> failure_;                      // under mutex_; the first one
  bool stop_asked_ = false;                           // under mutex_
  std::string stop_reason_;                           // under mutex_
  std::atomic<std::chrono::milliseconds> limit_;      // set again at most once, before stop_ is requested
  std::atomic<bool> ready_{false};
  std::unique_ptr<http::engine> engine_;
  std::list<running_worker> workers_;
  std::vector<std::pair<undo, source>> undos_;        // in the order they are to be run backwards
  bool stuck_ = false;
};

// ---------------------------------------------------------------------------------------------------------------------

inline void runtime::request_stop(std::string_view why, std::optional<std::chrono::milliseconds> limit) {
  {
    const std::lock_guard lock(mutex_);
    if (stop_asked_) return;
    stop_reason_ = why;
    stop_asked_ = true;
    if (limit) limit_ = *limit;
    // Not legal before START_PENDING or in a stop: then there is nothing to publish, and the request is remembered.
    report_.apply(model::step::stop, stop_hint());
  }
  stop_.request_stop();
}

inline void runtime::fail(error why) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = why;
  }
  plan_.log.error(why.sentence());
}

inline run_result runtime::run() {
  plan_.frozen = true;
  start_guarded();
  report_.apply(model::step::stop, stop_hint());  // after a failure nobody has asked for it
  if (engine_) drain();
  run_stop_hooks();

  run_result result;
  {
    const std::lock_guard lock(mutex_);
    result.why = failure_;
  }
  if (result.why) result.exit = model::failure_status(result.why->code);
  result.stuck = stuck_;
  plan_.log.info(result.why ? "stopped after a failure" : "stopped");
  plan_.log.flush();
  return result;
}

/// From the start to the request to stop, or to the first failure.
inline void runtime::start_guarded() {
  try {
    if (!start()) return;
    stop_.token().wait();
  } catch (const std::exception& e) {  // no memory, no thread to be had
    fail({model::code::exception_in_service, "start", plan_.spec.name, e.what(), {}});
  } catch (...) {
    fail({model::code::exception_in_service,
          "start",
          plan_.spec.name,
          "something that is no std::exception was thrown",
          {}});
  }
}

/// True: RUNNING. False: a hook or the bind failed, or a stop came first.
inline bool runtime::start() {
  add_health_routes(plan_, ready_);
  plan_.router.freeze();
  if (!run_start_hooks() || stop_.token().stop_requested()) return false;

  engine_ = std::make_unique<http::engine>(plan_.router, plan_.limits, plan_.log);
  if (auto bound =
          engine_->bind(settings_.listen.host.value_or(plan_.host), settings_.listen.port.value_or(plan_.port));
      !bound) {
    fail(bound.error());
    return false;
  }
  if (settings_.on_answered) engine_->on_answered(settings_.on_answered);
  const os::endpoint address = engine_->address();
  if (settings_.on_listening)
    settings_.on_listening(address);  // before RUNNING: who waited for that may ask where at once

  ready_.store(true);
  if (!report_.apply(model::step::ready)) return false;  // a stop came between: STOP_PENDING was published
  plan_.log.info("listening on http://" + address.text());
  if (settings_.on_running) settings_.on_running(address);
  engine_->accept();
  start_workers();
  return true;
}

inline bool runtime::run_start_hooks() {
  start_context context(
      [this](std::string_view what, unsigned step, unsigned of) {
        std::string line = "starting: " + std::string(what);
        if (of != 0) line += " (" + std::to_string(step) + " of " + std::to_string(of) + ")";
        plan_.log.info(std::move(line));
        report_.apply(model::step::progress, start_hint);
      },
      stop_.token(), settings_.arguments);

  for (auto& hook : plan_.hooks) {
    if (stop_.token().stop_requested()) return false;
    if (hook.stop) undos_.emplace_back(hook.stop, hook.where);
    if (!hook.start) continue;
    const auto threw = [&](const std::string& what) {
      fail({model::code::exception_in_service,
            "start",
            plan_.spec.name,
            "on_start at " + hook.where.text() + " threw: " + what,
            {}});
      return false;
    };
    try {
      if (undo back = hook.start(context)) undos_.emplace_back(std::move(back), hook.where);
    } catch (const std::exception& e) {
      return threw(e.what());
    } catch (...) {
      return threw("something that is no std::exception");
    }
  }
  return true;
}

inline void runtime::start_workers() {
  for (const auto& w : plan_.workers) {
    auto& mine = workers_.emplace_back();
    mine.what = &w;
    const auto body = [this, &mine] {
      const auto threw = [&](const std::string& what) {
        fail({model::code::exception_in_service, "run worker", mine.what->name, "it threw: " + what, {}});
        request_stop("worker '" + mine.what->name + "' failed");
      };
      try {
        mine.what->body(worker_stop_.token());
      } catch (const std::exception& e) {
        threw(e.what());
      } catch (...) {
        threw("something that is no std::exception");
      }
      const std::lock_guard lock(mutex_);
      mine.ended = true;
      worker_ended_.notify_all();
    };
    try {
      mine.thread = std::thread(body);
    } catch (...) {
      workers_.pop_back();  // the drain joins those that run, and no other
      throw;
    }
  }
}

inline void runtime::drain() {
  ready_.store(false);
  {
    const std::lock_guard lock(mutex_);
    if (!stop_reason_.empty()) plan_.log.info("stopping: " + stop_reason_);
  }
  worker_stop_.request_stop();
  const auto progress = [this] { report_.apply(model::step::progress, stop_hint()); };
  const std::chrono::milliseconds limit = limit_;
  const auto until = std::chrono::steady_clock::now() + limit;
  const auto drained = engine_->drain(limit, progress);
  if (drained.answered != 0 || drained.cut != 0) {
    plan_.log.info("drained: " + std::to_string(drained.answered) + " answered, " + std::to_string(drained.cut) +
                   " cut");
  }
  if (drained.stuck != 0) {
    stuck_ = true;
    plan_.log.error(std::to_string(drained.stuck) + " request handler(s) did not return within " +
                    duration_text(limit));
  }

  const auto one_second_more = (std::max)(until, std::chrono::steady_clock::now() + std::chrono::seconds(1));
  for (auto& w : workers_) {
    std::unique_lock lock(mutex_);
    const bool ended = worker_ended_.wait_until(lock, one_second_more, [&w] { return w.ended; });
    lock.unlock();
    if (ended) {
      w.thread.join();
      progress();
    } else {
      stuck_ = true;
      plan_.log.error("worker '" + w.what->name + "' did not return within " + duration_text(limit));
    }
  }
}

inline void runtime::run_stop_hooks() {
  if (stuck_ && !undos_.empty()) {  // they would tear down what a handler or worker still stands on
    plan_.log.error("the stop hooks are not run: a handler or worker still does");
    return;
  }
  for (; !undos_.empty(); undos_.pop_back()) {
    const auto& [back, where] = undos_.back();
    const auto threw = [&, at = where](const std::string& what) {
      // It is logged and does not make a stop that was asked for a failure: the SCM would start the service again.
      plan_.log.error("stop hook of " + at.text() + " threw: " + what);
    };
    try {
      back();
    } catch (const std::exception& e) {
      threw(e.what());
    } catch (...) {
      threw("something that is no std::exception");
    }
    report_.apply(model::step::progress, stop_hint());
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/console_host.hpp
// =====================================================================================================================

// `debug`: the service in a terminal. The same runtime in the same order as under the SCM; a stop is a Ctrl-C, the log
// is the screen, and what was answered is shown.

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class console_log final : public log_sink {
 public:
  void write(const log_entry& entry) noexcept override {
    try {
      os::write_err(entry.line() + '\n');
    } catch (...) {  // out of memory: the line is lost
    }
  }
};

/// `GET    /users/{id}   main.cpp:12`, a line a route.
[[nodiscard]] inline std::string routes_text(const route::table& routes) {
  std::size_t widest = 0;
  for (const auto& e : routes.entries()) widest = (std::max)(widest, e.path.text.size());
  std::string out;
  for (const auto& e : routes.entries()) {
    out += model::padded(route::name(e.verb), 8) + model::padded(e.path.text, widest + 2) + e.where.text() + '\n';
  }
  return out;
}

/// Serves until Ctrl-C, and drains; `app` is the app's object, which ends before this returns. The exit code of the
/// process.
inline int run_in_console(blueprint& plan, std::shared_ptr<void> app, const model::listen_options& listen) {
  plan.log.add_sink(std::make_shared<console_log>());
  os::write_err(routes_text(plan.router.routes()));

  run_settings settings;
  settings.listen = listen;
  settings.on_running = [&plan](const os::endpoint& address) {
    os::write_err(plan.spec.name + ": " + address.url() + "   Ctrl-C stops\n");
  };
  settings.on_answered = [&plan](const http::access_entry& a) {
    plan.log.info(std::string(a.method) + ' ' + std::string(a.target) + "  " + std::to_string(a.status) + "  " +
                  std::to_string(a.bytes) + " B  " + std::to_string(a.took.count()) + " us");
  };
  reporter report({});
  report.apply(model::step::start, runtime::start_hint);
  auto service = std::make_unique<runtime>(plan, report, std::move(settings));
  int code = 0;
  {
    // A closing console is held until this scope ends, so everything that must be undone is undone in it.
    const os::interrupts interrupts([&service] { service->request_stop("Ctrl-C"); });
    const run_result ended = service->run();
    report.apply(model::step::finished, {}, ended.exit);
    code = os::exit_code(ended.exit.code());
    if (ended.stuck) std::_Exit(code);  // a thread still runs user code: nothing may be pulled from under it
    app.reset();
  }
  return code;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/service_host.hpp
// =====================================================================================================================

// `run-service`: the service under the Service Control Manager. The dispatcher at once, the handler registered and
// START_PENDING reported before anything else, App and the runtime after that, STOPPED once and last.
//
// Source: "Writing a Service Program's main Function" and "Service State Transitions" in the Win32 documentation. The
// process has 30 s from its start to the dispatcher, and the SCM serves no one else while a control handler runs.

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What a service host needs from outside, so that a simulated SCM can stand in for the real one.
struct service_surroundings {
  os::dispatcher& dispatcher;
  std::function<os::sys_result<std::string>(const std::string& service_name)> data_folder = os::data_folder;
  std::function<void(const std::string& source, os::event_level, std::uint32_t id, std::string_view)> report_event =
      os::report_event;
  std::function<void(int code)> end_process = [](int code) { std::_Exit(code); };
};

class service_host {
 public:
  service_host(app_factory app, model::listen_options listen, service_surroundings around)
      : app_(std::move(app)), listen_(std::move(listen)), around_(std::move(around)) {}

  /// Blocks until the service has stopped. The exit code of the process: the service's own, or the dispatcher's code
  /// when this process was not started by the SCM (1063).
  int run();

 private:
  void service_main(const std::vector<std::string>& arguments);
  run_result serve(const std::vector<std::string>& arguments);
  void open_log(logger& log);
  void leave_state(const std::string& url, const std::string& failure);
  std::uint32_t control(std::uint32_t what);
  void event(os::event_level level, std::uint32_t id, std::string_view text) {
    around_.report_event(name_, level, id, text);
  }

  app_factory app_;
  model::listen_options listen_;
  service_surroundings around_;
  std::string name_;
  std::string state_file_;  // empty: nowhere to leave a state
  reporter report_{[this](const model::service_status& s) { static_cast<void>(around_.dispatcher.set_status(s)); }};
  std::mutex mutex_;
  runtime* runtime_ = nullptr;             // under mutex_
  std::function<void(runtime&)> pending_;  // under mutex_: a stop that came before there was a runtime
  run_result ended_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline int service_host::run() {
  // The dispatcher returns as soon as STOPPED is known, while service_main may still be on its way out of reporting it:
  // what it stands on (this object) must not go before. A stop_source shares its state, so its last touch is safe too.
  const stop_source left;
  const std::uint32_t code = around_.dispatcher.run([this, left](const std::vector<std::string>& arguments) {
    service_main(arguments);
    const stop_source last = left;
    last.request_stop();
  });
  if (code != 0) return os::exit_code(code);
  left.token().wait();
  const int exit = os::exit_code(ended_.exit.code());
  if (ended_.stuck)
    around_.end_process(exit);  // a thread still runs user code; destructors would pull the floor from under it
  return exit;
}

inline void service_host::service_main(const std::vector<std::string>& arguments) {
  name_ = arguments.empty() ? std::string() : arguments[0];
  const auto refused =
      around_.dispatcher.register_handler(name_, [this](std::uint32_t what, std::uint32_t) { return control(what); });
  if (refused != 0) {  // without a handler no status can be reported: the event log is all there is, and then the end
    event(os::event_level::error, os::event_id::failed,
          model::explained(refused, "register the control handler of", name_, os::system_words(refused)).sentence());
    ended_.exit = model::failure_status(refused);
    around_.end_process(os::exit_code(ended_.exit.code()));
    return;
  }
  report_.apply(model::step::start, runtime::start_hint);
  try {
    ended_ = serve(arguments);
  } catch (const std::exception& e) {
    ended_.why = error{model::code::exception_in_service, "run", name_, e.what(), {}};
  } catch (...) {
    ended_.why =
        error{model::code::exception_in_service, "run", name_, "something that is no std::exception was thrown", {}};
  }
  if (ended_.why) {
    ended_.exit = model::failure_status(ended_.why->code);
    event(os::event_level::error, os::event_id::failed, ended_.why->sentence());
  } else {
    event(os::event_level::information, os::event_id::stopped, name_ + " stopped");
  }
  leave_state({}, ended_.why ? ended_.why->sentence() : std::string());
  // The process may end before this returns. From RUNNING, where only an exception leads here, STOPPED is two steps
  // away.
  if (!report_.apply(model::step::finished, {}, ended_.exit)) {
    report_.apply(model::step::stop, runtime::start_hint);
    report_.apply(model::step::finished, {}, ended_.exit);
  }
}

/// For `start` and `status`. That it could not be written is no reason to stop, and `start` says less then.
inline void service_host::leave_state(const std::string& url, const std::string& failure) {
  if (state_file_.empty()) return;
  const std::string since = url.empty() ? std::string() : iso_time(clock::system().wall());
  static_cast<void>(os::replace_file(state_file_, model::to_text({os::process_id(), url, since, failure})));
}

/// Opens the log in the service's data folder. The SCM knows our name; App need not have said it yet.
inline void service_host::open_log(logger& log) {
  std::uint32_t fault = 0;
  if (const auto folder = around_.data_folder(name_)) {
    const std::string logs = os::path_join(*folder, "logs");
    if (const auto made = os::make_folders(logs); !made) fault = made.error();
    state_file_ = os::path_join(*folder, "state.json");
    auto file = std::make_shared<file_log>(os::path_join(logs, model::folder_name(name_)));
    if (!file->is_open()) fault = file->fault();
    log.add_sink(std::move(file));
  } else {
    fault = folder.error();
  }
  if (fault == 0) return;
  event(os::event_level::warning, os::event_id::degraded, "the log file cannot be written: " + os::system_words(fault));
}

inline run_result service_host::serve(const std::vector<std::string>& arguments) {
  os::change_directory(os::folder_of(os::executable_path()));  // it is System32 until now

  auto plan = std::make_unique<blueprint>();
  plan->spec.name = name_;
  open_log(plan->log);  // before App, so that what App says or throws is kept
  leave_state({}, {});  // what an earlier run left is no news of this one

  std::shared_ptr<void> app;
  service svc(*plan);
  const auto threw = [&](const std::string& what) {
    run_result failed;
    failed.why = error{model::code::exception_in_service, "describe", name_, what, {}};
    plan->log.error(failed.why->sentence());
    return failed;
  };
  try {
    app = app_(svc);
  } catch (const std::exception& e) {
    return threw(e.what());
  } catch (...) {
    return threw("something that is no std::exception was thrown");
  }
  plan->spec.name = name_;

  run_settings settings;
  settings.listen = listen_;
  if (arguments.size() > 1) settings.arguments.assign(arguments.begin() + 1, arguments.end());
  settings.on_listening = [this](const os::endpoint& address) { leave_state(address.url(), {}); };
  settings.on_running = [this](const os::endpoint& address) {
    event(os::event_level::information, os::event_id::started, name_ + " listens on " + address.url());
  };

  auto service_runtime = std::make_unique<runtime>(*plan, report_, std::move(settings));
  const scope_exit forget([this] {
    const std::lock_guard lock(mutex_);
    runtime_ = nullptr;
  });
  {
    const std::lock_guard lock(mutex_);
    runtime_ = service_runtime.get();
    if (pending_) pending_(*runtime_);
  }
  const run_result result = service_runtime->run();
  if (result.stuck) {  // a thread still runs user code: what it stands on stays, until the process ends
    static_cast<void>(service_runtime.release());
    static_cast<void>(plan.release());
    static_cast<void>(new std::shared_ptr<void>(std::move(app)));
  }
  return result;
}

inline std::uint32_t service_host::control(std::uint32_t what) {
  const auto stop = [this](std::string_view why, std::optional<std::chrono::milliseconds> limit) {
    const std::lock_guard lock(mutex_);
    if (runtime_) runtime_->request_stop(why, limit);
    else pending_ = [why, limit](runtime& r) { r.request_stop(why, limit); };
    return std::uint32_t{0};
  };
  switch (static_cast<model::control>(what)) {
    case model::control::interrogate: return 0;  // the SCM has our last status, which is true
    case model::control::stop: return stop("the service control manager asked for it", {});
    // The system ends us after 5 to 20 s, whatever we are doing: leave some of it to the hooks.
    case model::control::shutdown: return stop("the machine shuts down", std::chrono::seconds(4));
    default: return model::code::call_not_implemented;
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/wait.hpp
// =====================================================================================================================

// Waiting until the SCM says that a service has got where it was sent: quick looks at first, then ever fewer, and an
// end to patience when it makes no progress.
//
// Source: "Starting a Service" in the Win32 documentation: poll at a tenth of the wait hint, at least 1 s, at most 10
// s. Most services need milliseconds, so here a pause is also no more than a tenth of what has been waited, or 100 ms.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Looks until the service is in one of the states `wanted`, of which `stopped` is always one. A stall of 30 s, or of
/// the wait hint where that is longer, ends it before `limit` does: the SCM itself calls that hung.
[[nodiscard]] inline result<os::service_process> wait_until_settled(os::service_manager& scm,
                                                                    os::service_manager::raw_handle service,
                                                                    clock& time,
                                                                    std::initializer_list<model::state> wanted,
                                                                    std::chrono::milliseconds limit,
                                                                    const std::string& doing, const std::string& name) {
  using namespace std::chrono;
  const auto began = time.now();
  auto progressed = began;
  std::uint32_t checkpoint = 0;
  milliseconds pause{10};
  for (;;) {
    const auto seen = scm.query_status(service);
    if (!seen) return failure{model::explained(seen.error(), doing, name, os::system_words(seen.error()))};
    const auto& status = seen->status;
    const bool there = std::find(wanted.begin(), wanted.end(), status.current) != wanted.end();
    if (there || status.current == model::state::stopped) return *seen;

    const auto now = time.now();
    if (status.checkpoint != checkpoint) {
      checkpoint = status.checkpoint;
      progressed = now;
    }
    const auto patience = (std::max)(status.wait_hint, milliseconds(30'000));
    if (now - began >= limit || now - progressed >= patience) {
      error late = model::explained(model::code::timeout, doing, name);
      late.said = "it is still '" + std::string(model::name(status.current)) + "' after " +
                  duration_text(duration_cast<milliseconds>(now - began));
      return failure{std::move(late)};
    }
    time.sleep((std::min)(pause, duration_cast<milliseconds>(limit - (now - began)) + milliseconds(1)));
    const auto slowest = std::clamp(status.wait_hint / 10, milliseconds(1000), milliseconds(10'000));
    const auto tenth = (std::max)(duration_cast<milliseconds>(time.now() - began) / 10, milliseconds(100));
    pause = (std::min)({pause * 2, slowest, tenth});
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/status.hpp
// =====================================================================================================================

// What `status` shows: the SCM's view of the service and what the service left of itself, as a screen for a person and as
// JSON for a machine. Pure; host/manage.hpp gathers it.

#include <algorithm>
#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What `status` knows.
struct service_report {
  std::string name;
  bool installed = false;
  os::service_process process;
  os::service_config config;
  model::service_state left;  ///< what the service itself left; its url only while it is the running process's
};

/// `status` for a person, and for a machine.
[[nodiscard]] std::string status_text(const service_report& r);
[[nodiscard]] std::string status_json(const service_report& r);
/// 0 running, 3 not running, 4 not installed.
[[nodiscard]] inline int status_exit(const service_report& r) noexcept {
  if (!r.installed) return model::exits::not_installed;
  return r.process.status.current == model::state::running ? model::exits::ok : model::exits::not_running;
}

// ---------------------------------------------------------------------------------------------------------------------

inline std::string status_text(const service_report& r) {
  if (!r.installed) return r.name + ": not installed\n";
  const auto& s = r.process.status;
  std::string out = r.name + ": " + std::string(model::name(s.current));
  if (r.process.pid != 0) out += ", pid " + std::to_string(r.process.pid);
  if (!r.left.since.empty()) out += ", since " + r.left.since;
  out += '\n';
  if (!r.left.url.empty()) out += "  url      " + r.left.url + '\n';
  out += "  startup  " + std::string(name(r.config.startup)) + "\n  binary   " + r.config.binary + '\n';
  if (s.current == model::state::stopped && s.exit.failed()) {
    const auto* row = model::explain(s.exit.code());
    out += "  exit     " + std::to_string(s.exit.code()) + (row ? ", " + std::string(row->said) : "") + '\n';
  }
  if (!r.left.failure.empty()) out += "  failure  " + r.left.failure + '\n';
  return out;
}

inline std::string status_json(const service_report& r) {
  const auto& s = r.process.status;
  std::string state = r.installed ? std::string(model::name(s.current)) : "not installed";
  std::replace(state.begin(), state.end(), ' ', '_');

  std::string out = "{\"name\":" + text::json_quoted(r.name);
  const auto put = [&out, &r](std::string_view field, const std::string& value, bool known = true) {
    out += ",\"" + std::string(field) + "\":" + (r.installed && known ? value : "null");
  };
  const auto put_text = [&put](std::string_view field, std::string_view value) {
    put(field, text::json_quoted(value), !value.empty());
  };
  out += std::string(",\"installed\":") + (r.installed ? "true" : "false") + ",\"state\":" + text::json_quoted(state);
  put("pid", std::to_string(r.process.pid));
  put("exit_code", std::to_string(s.exit.code()));
  put_text("startup", name(r.config.startup));
  put_text("display_name", r.config.display_name);
  put_text("binary", r.config.binary);
  put_text("url", r.left.url);
  put_text("since", r.left.since);
  put_text("failure", r.left.failure);
  return out + "}\n";
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/manage.hpp
// =====================================================================================================================

// The verbs that manage the service: install, remove, start, stop, restart, status. Each is a short program over the
// seam in os/service_manager.hpp that asks for the least rights it needs; nothing here knows Windows.
//
// A verb that finds the work done already (stopped, gone, running) has succeeded.

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class manager {
 public:
  using raw_handle = os::service_manager::raw_handle;

  /// `say` gets the lines for the person; `state` reads what the service left in its data folder.
  struct surroundings {
    os::service_manager& scm;
    clock& time;
    std::function<void(const std::string&)> say;
    std::function<std::optional<model::service_state>()> state;
    std::string executable;
  };
  manager(model::service_spec spec, surroundings around) : spec_(std::move(spec)), around_(std::move(around)) {}

  result<void> install(const model::command& asked);
  result<void> remove(std::chrono::milliseconds limit);
  result<void> start(std::chrono::milliseconds limit, bool wait);
  result<void> stop(std::chrono::milliseconds limit, bool wait);
  result<service_report> status();

 private:
  [[nodiscard]] failure<error> failed(std::string doing, std::uint32_t code) const {
    return {model::explained(code, std::move(doing), spec_.name, os::system_words(code))};
  }
  result<os::service_handle> open(const std::string& doing, std::uint32_t rights,
                                  std::uint32_t manager_rights = os::access::manager_connect);
  result<os::service_handle> open_manager(const std::string& doing, std::uint32_t rights);
  result<void> create(const model::command& asked);
  result<void> change(const model::command& asked, os::service_handle service);
  result<void> finish_install(raw_handle service, const os::service_settings& settings,
                              const std::optional<std::string>& description);
  result<void> stop_and_wait(raw_handle service, std::chrono::milliseconds limit, bool wait, const std::string& doing);
  result<void> wait_until_gone(std::chrono::milliseconds limit);
  [[nodiscard]] result<void> check_ours(const std::string& doing, const os::service_config& found) const;
  [[nodiscard]] error failed_start(const model::service_status& status,
                                   const std::optional<model::service_state>& before) const;
  void say(const std::string& line) const {
    if (around_.say) around_.say(line);
  }

  model::service_spec spec_;
  surroundings around_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline result<os::service_handle> manager::open_manager(const std::string& doing, std::uint32_t rights) {
  const auto handle = around_.scm.open_manager(rights);
  if (!handle) {
    auto why = failed(doing, handle.error());
    if (handle.error() == 50) {
      why.reason.said = "services are a thing of Windows";
      why.reason.hint = "'debug' serves in the terminal on every system";
    }
    return why;
  }
  return os::service_handle(around_.scm, *handle);
}

inline result<os::service_handle> manager::open(const std::string& doing, std::uint32_t rights,
                                                std::uint32_t manager_rights) {
  const auto scm = open_manager(doing, manager_rights);
  if (!scm) return failure{scm.error()};
  const auto handle = around_.scm.open_service(scm->get(), spec_.name, rights);
  if (!handle) return failed(doing, handle.error());
  return os::service_handle(around_.scm, *handle);
}

// -- install --

inline result<void> manager::install(const model::command& asked) {
  auto existing = open("install", os::access::query_config | os::access::change_config);
  if (existing) return change(asked, std::move(*existing));
  if (existing.error().code != model::code::service_does_not_exist) return failure{existing.error()};
  return create(asked);
}

inline result<void> manager::create(const model::command& asked) {
  const auto scm = open_manager("install", os::access::manager_connect | os::access::manager_create);
  if (!scm) return failure{scm.error()};

  os::service_settings settings;
  settings.startup = asked.startup ? asked.startup : spec_.startup.value_or(startup::automatic);
  settings.display_name = asked.display_name ? asked.display_name : spec_.display_name.value_or(spec_.name);
  settings.binary = model::image_path(around_.executable, asked.listen);
  const auto created =
      around_.scm.create_service(scm->get(), spec_.name, os::access::change_config | os::access::remove, settings);
  if (!created) return failed("install", created.error());

  const os::service_handle service(around_.scm, *created);
  if (auto finished =
          finish_install(service.get(), settings, asked.description ? asked.description : spec_.description);
      !finished) {
    static_cast<void>(around_.scm.delete_service(service.get()));  // a half-installed service is worse than none
    static_cast<void>(around_.scm.remove_event_source(spec_.name));
    return finished;
  }
  say("installed '" + spec_.name + "' (" + std::string(name(*settings.startup)) + "): " + *settings.binary);
  return {};
}

inline result<void> manager::change(const model::command& asked, os::service_handle service) {
  const auto before = around_.scm.query_config(service.get());
  if (!before) return failed("install", before.error());
  if (auto mine = check_ours("install", *before); !mine) return mine;

  os::service_settings settings;
  settings.startup = asked.startup ? asked.startup : spec_.startup;
  settings.display_name = asked.display_name ? asked.display_name : spec_.display_name;
  settings.binary = model::image_path(around_.executable, asked.listen.over(model::listen_options_in(before->binary)));
  if (auto changed = around_.scm.change_config(service.get(), settings); !changed)
    return failed("install", changed.error());
  if (auto finished =
          finish_install(service.get(), settings, asked.description ? asked.description : spec_.description);
      !finished)
    return finished;
  say("'" + spec_.name + "' was installed already and is updated: " + *settings.binary);
  if (before->binary != *settings.binary) say("  it was: " + before->binary);
  return {};
}

/// Ours is what has our word in its command line, wherever the executable was then, and what runs this executable. Any
/// other service that happens to have the name is left alone.
inline result<void> manager::check_ours(const std::string& doing, const os::service_config& found) const {
  const auto words = split_command_line(found.binary);
  const bool has_word = words.size() > 1 && words[1] == model::run_service_word;
  if (has_word || (!words.empty() && text::equal_nocase(words[0], around_.executable))) return {};
  return failure{error{model::code::service_exists, doing, spec_.name,
                       "another program's service has that name: " + found.binary, "give the app another name"}};
}

/// What creation and update have in common.
inline result<void> manager::finish_install(raw_handle service, const os::service_settings& settings,
                                            const std::optional<std::string>& description) {
  if (description) {
    if (auto done = around_.scm.change_description(service, *description); !done)
      return failed("describe", done.error());
  }
  if (settings.startup && (*settings.startup == startup::delayed || *settings.startup == startup::automatic)) {
    const bool delayed = *settings.startup == startup::delayed;
    // Refused by systems that do not know the level (120, 124): an ordinary automatic start is what is left.
    if (auto done = around_.scm.change_delayed_start(service, delayed); !done && delayed) {
      say("warning: a delayed start is not supported here (" + std::to_string(done.error()) +
          "); the service starts without delay");
    }
  }
  if (auto done = around_.scm.add_event_source(spec_.name); !done)
    return failed("register the event source", done.error());
  return {};
}

// -- remove --

inline result<void> manager::remove(std::chrono::milliseconds limit) {
  bool was_there = false;
  {
    const auto service =
        open("remove", os::access::query_config | os::access::query_status | os::access::stop | os::access::remove);
    if (service) {
      was_there = true;
      const auto config = around_.scm.query_config(service->get());
      if (!config) return failed("remove", config.error());
      if (auto mine = check_ours("remove", *config); !mine) return mine;
      if (auto stopped = stop_and_wait(service->get(), limit, true, "remove"); !stopped) return stopped;
      if (auto deleted = around_.scm.delete_service(service->get());
          !deleted && deleted.error() != model::code::service_marked_for_delete) {
        return failed("remove", deleted.error());
      }
    } else if (service.error().code == model::code::service_marked_for_delete) {
      was_there = true;  // somebody has deleted it; it goes when the last handle does
    } else if (service.error().code != model::code::service_does_not_exist) {
      return failure{service.error()};
    }
  }  // our handle goes before we wait: it would keep the service there
  if (was_there) {
    if (auto gone = wait_until_gone(limit); !gone) return gone;
  }
  if (auto removed = around_.scm.remove_event_source(spec_.name); !removed)
    return failed("remove the event source of", removed.error());
  say(was_there ? "removed '" + spec_.name + "'" : "'" + spec_.name + "' is not installed");
  return {};
}

inline result<void> manager::wait_until_gone(std::chrono::milliseconds limit) {
  const auto until = around_.time.now() + limit;
  for (auto pause = std::chrono::milliseconds(10);; pause = (std::min)(pause * 2, std::chrono::milliseconds(1000))) {
    const auto there = open("remove", os::access::query_status);
    if (!there && there.error().code == model::code::service_does_not_exist) return {};
    if (!there && there.error().code != model::code::service_marked_for_delete) return failure{there.error()};
    if (around_.time.now() >= until) return failed("remove", model::code::service_marked_for_delete);
    around_.time.sleep(pause);
  }
}

// -- start, stop --

inline result<void> manager::start(std::chrono::milliseconds limit, bool wait) {
  const auto service = open("start", os::access::start | os::access::query_status);
  if (!service) return failure{service.error()};
  const auto before = around_.state();
  for (bool first = true;; first = false) {
    const auto started = around_.scm.start_service(service->get(), {});
    if (started) break;
    if (started.error() != model::code::service_already_running) return failed("start", started.error());
    const auto now = around_.scm.query_status(service->get());
    if (now && now->status.current == model::state::running) {
      say("'" + spec_.name + "' is running already");
      return {};
    }
    if (!first || !now || now->status.current != model::state::stop_pending) break;
    // It is on its way down from an earlier stop: let it get there, and start it then.
    const auto stopped = wait_until_settled(around_.scm, service->get(), around_.time, {}, limit, "start", spec_.name);
    if (!stopped) return failure{stopped.error()};
  }
  if (!wait) return {};

  const auto settled = wait_until_settled(around_.scm, service->get(), around_.time, {model::state::running}, limit,
                                          "start", spec_.name);
  if (!settled) return failure{settled.error()};
  if (settled->status.current != model::state::running) return failure{failed_start(settled->status, before)};
  const auto left = around_.state();
  say("started '" + spec_.name + "'" + (left && left->pid == settled->pid ? ": " + left->url : ""));
  return {};
}

/// The service's own sentence where it left one: "the port is taken by pid 7" helps, "10048" alone does not.
/// `before`: what lay there before this start, which is no news of it.
inline error manager::failed_start(const model::service_status& status,
                                   const std::optional<model::service_state>& before) const {
  const std::uint32_t code = status.exit.failed() ? status.exit.code() : model::code::service_request_timeout;
  error why = model::explained(code, "start", spec_.name, os::system_words(code));
  if (const auto left = around_.state(); left && !left->failure.empty() && (!before || left->pid != before->pid)) {
    why.said = left->failure;
    why.hint.clear();
  } else if (!status.exit.failed()) {
    why.said = "it stopped as soon as it had started";
    why.hint = "read its log";
  }
  return why;
}

inline result<void> manager::stop(std::chrono::milliseconds limit, bool wait) {
  const auto service = open("stop", os::access::stop | os::access::query_status);
  if (!service) return failure{service.error()};
  const auto now = around_.scm.query_status(service->get());
  if (now && now->status.current == model::state::stopped) {
    say("'" + spec_.name + "' is not running");
    return {};
  }
  if (auto stopped = stop_and_wait(service->get(), limit, wait, "stop"); !stopped) return stopped;
  say(wait ? "stopped '" + spec_.name + "'" : "asked '" + spec_.name + "' to stop");
  return {};
}

inline result<void> manager::stop_and_wait(raw_handle service, std::chrono::milliseconds limit, bool wait,
                                           const std::string& doing) {
  const auto until = around_.time.now() + limit;
  for (;;) {
    const auto asked = around_.scm.control_service(service, static_cast<std::uint32_t>(model::control::stop));
    if (asked) break;
    if (asked.error() == model::code::service_not_active) return {};
    const auto now = around_.scm.query_status(service);
    // Windows says 1061 of a service between two states, Wine 1052, which is also what one says that never takes a
    // stop.
    const bool between =
        asked.error() == model::code::service_cannot_accept_control ||
        (asked.error() == model::code::invalid_service_control && now && model::is_pending(now->status.current));
    if (!between) return failed(doing, asked.error());

    // It is starting, or stopping already. Let it get there; a start is then asked again.
    if (now && now->status.current == model::state::stop_pending) break;
    if (around_.time.now() >= until) return failed(doing, asked.error());
    around_.time.sleep(std::chrono::milliseconds(50));
  }
  if (!wait) return {};
  const auto settled = wait_until_settled(around_.scm, service, around_.time, {}, limit, doing, spec_.name);
  if (!settled) return failure{settled.error()};
  return {};
}

// -- status --

inline result<service_report> manager::status() {
  service_report r;
  r.name = spec_.name;
  const auto service = open("query", os::access::query_status | os::access::query_config);
  if (!service) {
    if (service.error().code == model::code::service_does_not_exist) return r;
    return failure{service.error()};
  }
  r.installed = true;
  const auto process = around_.scm.query_status(service->get());
  if (!process) return failed("query", process.error());
  r.process = *process;
  const auto config = around_.scm.query_config(service->get());
  if (!config) return failed("query", config.error());
  r.config = *config;
  if (auto left = around_.state()) {
    r.left = *left;
    if (r.left.pid != r.process.pid || r.process.pid == 0) r.left.url.clear(), r.left.since.clear();
  }
  return r;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/run.hpp
// =====================================================================================================================

// From main to a verb: what WINSVC_MAIN calls, and what anyone may call instead.
//
//   int main(int argc, char** argv) { return winsvc::run<App>(argc, argv); }
//
// Words are parsed before anything else, so that no verb waits for a dispatcher that is not there, and `run-service`
// goes to the dispatcher at once. The exit code: 0, 2 for a usage error, otherwise the system's code.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Prints an error as `program: sentence` and gives the exit code for it: the system's; 2 for a usage error, which has
/// none.
inline int complain(const std::string& program, const error& why) {
  os::write_err(program + ": " + why.sentence() + '\n');
  return why.code == 0 ? model::exits::usage : os::exit_code(why.code);
}

inline std::string routes_json(const route::table& routes) {
  std::string out = "[";
  for (const auto& e : routes.entries()) {
    if (out.size() > 1) out += ",\n ";
    out += "{\"method\":" + text::json_quoted(route::name(e.verb)) + ",\"pattern\":" + text::json_quoted(e.path.text) +
           ",\"source\":" + text::json_quoted(e.where.text()) + "}";
  }
  return out + "]\n";
}

/// The verbs that talk to the SCM.
inline int manage(const std::string& program, const blueprint& plan, const model::command& asked) {
  os::native_service_manager scm;
  const auto say = [](const std::string& line) { os::write_out(line + '\n'); };
  const auto state = [&plan]() -> std::optional<model::service_state> {
    const auto folder = os::data_folder(plan.spec.name);
    const auto content = folder ? os::read_file(os::path_join(*folder, "state.json")) : std::nullopt;
    return content ? model::parse_service_state(*content) : std::nullopt;
  };
  manager m(plan.spec, {scm, clock::system(), say, state, os::executable_path()});

  const auto code_of = [&](const result<void>& done) {
    return done ? model::exits::ok : complain(program, done.error());
  };
  switch (asked.verb) {
    case model::verb::install: return code_of(m.install(asked));
    case model::verb::remove: return code_of(m.remove(asked.wait));
    case model::verb::start: return code_of(m.start(asked.wait, !asked.no_wait));
    case model::verb::stop: return code_of(m.stop(asked.wait, !asked.no_wait));
    case model::verb::restart: {
      if (const auto stopped = m.stop(asked.wait, true); !stopped) return complain(program, stopped.error());
      return code_of(m.start(asked.wait, true));
    }
    default: break;
  }
  const auto report = m.status();
  if (!report) return complain(program, report.error());
  os::write_out(asked.json ? status_json(*report) : status_text(*report));
  return status_exit(*report);
}

inline int run_service(app_factory app, const model::listen_options& listen) {
  os::native_dispatcher dispatcher;
  return service_host(std::move(app), listen, {dispatcher}).run();
}

inline int run(const app_factory& app, const std::vector<std::string>& words) {
  const std::string executable = os::executable_path();
  const std::string program = os::program_name(executable);
  const auto asked = model::parse_command(words);
  if (!asked) return complain(program, asked.error());
  if (asked->verb == model::verb::run_service) {
    const int code = run_service(app, asked->listen);
    if (code == os::exit_code(model::code::failed_controller_connect)) {
      return complain(program, model::explained(model::code::failed_controller_connect, "run the service", program));
    }
    return code;
  }
  // A service that was registered by hand, without the word, has neither a word nor anybody to show the help to.
  if (asked->bare && !os::has_standard_output()) return run_service(app, {});

  if (asked->verb == model::verb::debug)
    os::change_directory(os::folder_of(executable));  // as the service does, before App

  blueprint plan;
  plan.spec.name = program;
  std::shared_ptr<void> object;
  service svc(plan);
  try {
    object = app(svc);
  } catch (const setup_error& e) {
    return complain(program, {0, {}, {}, e.what(), {}});
  } catch (const std::exception& e) {
    return complain(program, {model::code::exception_in_service, "describe", plan.spec.name, e.what(),
                              "open things in on_start: the app is described for every verb"});
  } catch (...) {
    return complain(program, {model::code::exception_in_service, "describe", plan.spec.name,
                              "something that is no std::exception was thrown", {}});
  }

  switch (asked->verb) {
    case model::verb::help: {
      const std::string about = plan.spec.display_name.value_or(plan.spec.name) +
                                (plan.spec.description ? ": " + *plan.spec.description : "");
      os::write_out(asked->topic ? model::help_text(program, *asked->topic) : model::help_text(program, about));
      return model::exits::ok;
    }
    case model::verb::version:
      os::write_out(plan.spec.name + ' ' + (plan.version.empty() ? "(no version)" : plan.version) +
                    ", winsvc " WINSVC_VERSION_STRING ", cpp-httplib " CPPHTTPLIB_VERSION "\n");
      return model::exits::ok;
    case model::verb::routes:
      os::write_out(asked->json ? routes_json(plan.router.routes()) : routes_text(plan.router.routes()));
      return model::exits::ok;
    case model::verb::debug: return run_in_console(plan, std::move(object), asked->listen);
    default: return manage(program, plan, *asked);
  }
}

}  // namespace host

/// Runs the verb that the command line asks for, with an App that is a type.
template <class App>
int run(int argc, char** argv) {
  return host::run(host::app_of_type<App>(), os::arguments(argc, argv));
}
/// The same with an App that is a function or a global callable object.
template <auto& App>
int run(int argc, char** argv) {
  return host::run(host::app_of_callable(App), os::arguments(argc, argv));
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// main.hpp
// =====================================================================================================================

// The macro: a main for an App. It is one line over winsvc::run, which you can call from a main of your own.
//
//   WINSVC_MAIN(App)

/// Defines main. App: a function void(winsvc::service&), a global callable object, or a type with a constructor that
/// takes winsvc::service&.
#define WINSVC_MAIN(App) \
  int main(int argc, char** argv) { return ::winsvc::run<App>(argc, argv); }

// =====================================================================================================================
// config/undef.hpp
// =====================================================================================================================

// The end: every internal macro is taken back here, so that a program is left with our namespace and the public
// WINSVC_ names alone (`tools/amalgamate --audit` compares this list with what is defined).

#undef WINSVC_CPLUSPLUS
#undef WINSVC_OS_WINDOWS
#undef WINSVC_COMPILER_MSVC
#undef WINSVC_ABI
#undef WINSVC_ABI_NAME

// =====================================================================================================================
// MIT License
//
// Copyright (c) 2026 the winsvc authors
//
// Permission is hereby granted, free of charge, to any person obtaining a copy
// of this software and associated documentation files (the "Software"), to deal
// in the Software without restriction, including without limitation the rights
// to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
// copies of the Software, and to permit persons to whom the Software is
// furnished to do so, subject to the following conditions:
//
// The above copyright notice and this permission notice shall be included in all
// copies or substantial portions of the Software.
//
// THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
// IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
// FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
// AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
// LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
// OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
// SOFTWARE.
// =====================================================================================================================
