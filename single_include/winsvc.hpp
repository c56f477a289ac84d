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
//    189  config/version.hpp          The version of winsvc: the one place that knows it.
//    206  config/compiler.hpp         What is compiling us.
//    241  config/knobs.hpp            Every knob a user can turn, with its default and its price.
//    281  config/abi.hpp              The inline namespace that everything lives in.
//    306  base/error.hpp              An error is a sentence for a tired person.
//    366  base/result.hpp             A value or the reason there is none.
//    441  base/source.hpp             Where in the user's program a call was written.
//    475  base/scope.hpp              Runs a callable when a scope is left, on every path out of it.
//    506  base/text.hpp               Text as the rest of winsvc needs it: everything inside is UTF-8 in std::string.
//    769  base/json_text.hpp          JSON, written: for what winsvc says to machines.
//    823  base/encoding.hpp           Bytes as text and back, and the comparison of secrets.
//    922  base/sha256.hpp             SHA-256 and HMAC, for signed cookies.
//   1011  base/quote.hpp              Windows has no argument list, only one command line that each program cuts ...
//   1126  base/duration.hpp           Durations as people write them: `250ms`, `30s`, `5m`, `2h`, `1d`.
//   1196  base/clock.hpp              Time as a thing that is passed in, so that no test ever sleeps.
//   1299  base/timer_wheel.hpp        Deadlines of very many things, each set and moved in constant time.
//   1436  base/stop.hpp               A request to stop, remembered for ever: whoever looks later still sees it.
//   1517  base/log.hpp                The log that a service keeps.
//   1628  model/state.hpp             The words that a service and the Service Control Manager (SCM) share.
//   1773  model/lifecycle.hpp         The life of a service as a pure state machine.
//   1874  model/decision.hpp          What a control means in a state.
//   1943  model/events.hpp            What the service writes into the Windows event log, as a table.
//   1996  model/codes.hpp             What system codes mean to the person who meets them.
//   2114  model/control_event.hpp     What comes with a control: the session that changed, the power that went.
//   2184  model/recovery.hpp          What the SCM does when the service fails.
//   2305  model/account.hpp           The account a service runs as.
//   2421  model/security.hpp          Who may do what, as text.
//   2616  model/levels.hpp            What ChangeServiceConfig2W sets, level by level.
//   2709  model/spec.hpp              What is to be installed.
//   2858  model/verbs.hpp             The command line as two tables.
//   3047  model/command.hpp           From argv to what is asked: pure, by the tables of model/verbs.hpp.
//   3385  model/installation.hpp      What is installed, what is to be, and what lies between the two.
//   3693  model/state_file.hpp        What the running service leaves for `status` to find.
//   3806  route/method.hpp            The request methods that routes are made of, and small sets of them.
//   3898  route/path.hpp              The path of a request, cut into segments.
//   4009  route/pattern.hpp           The paths a route serves, as one line of text, and how two of them relate.
//   4187  route/facts.hpp             What is known of a route beside its pattern.
//   4312  route/table.hpp             The routes of an app as a tree of segments.
//   4615  route/url.hpp               A pattern and its values back into a path: the other way round than a table goes.
//   4762  wire/limits.hpp             How much a client may send, and how long it may take.
//   4831  wire/grammar.hpp            The few words of HTTP's grammar that the gate and the chunked decoder are ...
//   4909  wire/head.hpp               A request head that has passed the gate (wire/gate.hpp).
//   5080  wire/gate.hpp               The gate: decides whether the bytes a client sent are one valid HTTP/1.1 ...
//   5438  wire/chunked.hpp            Decodes a chunked body (RFC 9112 §7.1) as it arrives, strictly.
//   5586  wire/fields.hpp             Names and values as queries and forms have them ...
//   5677  wire/cookie.hpp             A cookie as text: with all its attributes, and signed so that a client cannot ...
//   5873  wire/ip.hpp                 IP addresses as bytes, ranges of them, and which of those that proxies name ...
//   6073  wire/file_name.hpp          The name a client gives to a file it sends, as a name that can be given to ...
//   6139  wire/file_path.hpp          From the tail of a route to the path of a file below a folder, or a refusal.
//   6196  wire/conditional.hpp        Requests with conditions.
//   6327  wire/representation.hpp     Which form of a file a client gets: its media type, by the ending of its name.
//   6437  wire/multipart.hpp          A form with files (multipart/form-data, RFC 7578), taken apart while it arrives.
//   6672  wire/websocket.hpp          The WebSocket protocol as values.
//   7039  os/posix/door.hpp           The door to POSIX: the one file that includes its system headers.
//   7069  os/service_manager.hpp      The Service Control Manager as seen by who manages services, and what an ...
//   7209  os/socket.hpp               TCP as the engine needs it.
//   7350  os/posix/socket_calls.hpp   What differs between POSIX' sockets and Windows', for os/tcp.hpp.
//   7459  os/file.hpp                 The few things done with files.
//   7529  os/process.hpp              This process and its surroundings.
//   7614  os/win/door.hpp             The door to Windows: the one file that includes <windows.h>.
//   7668  os/win/wide.hpp             Windows' own strings, lists of strings and handles.
//   7749  os/win/socket_calls.hpp     What differs between Windows' sockets and POSIX', for os/tcp.hpp.
//   7892  os/tcp.hpp                  os/socket.hpp on every platform.
//   8135  os/poll_poller.hpp          os/poller.hpp over poll() and WSAPoll.
//   8288  os/posix/epoll.hpp          os/poller.hpp on Linux.
//   8399  os/win/iocp.hpp             os/poller.hpp on Windows: an I/O completion port.
//   8630  os/poller.hpp               Waiting for many sockets with few threads.
//   8680  os/console.hpp              The terminal: writing to it, asking for a secret, and the ways a person ends ...
//   8743  os/posix/console.hpp        os/console.hpp on POSIX.
//   8868  os/crash.hpp                What is left of a process that crashes.
//   8983  os/posix/crash.hpp          os/crash.hpp on POSIX.
//   9165  os/elevation.hpp            The same program once more, elevated.
//   9227  os/posix/elevation.hpp      os/elevation.hpp on POSIX: there is nobody to ask.
//   9255  os/posix/file.hpp           os/file.hpp on POSIX.
//   9374  os/new_file.hpp             A file that comes into being.
//   9436  os/posix/new_file.hpp       os/new_file.hpp on POSIX.
//   9520  os/dispatcher.hpp           The Service Control Manager as seen by the service itself.
//   9560  os/event_log.hpp            The Windows event log: one report, one line.
//   9603  os/posix/process.hpp        os/process.hpp, os/event_log.hpp and the service side of the seam on POSIX ...
//   9758  os/source_file.hpp          A file that is read from any place of it: what a static folder is served from.
//   9817  os/posix/source_file.hpp    os/source_file.hpp on POSIX.
//   9885  os/win/console.hpp          os/console.hpp on Windows.
//  10048  os/win/file.hpp             os/file.hpp on Windows.
//  10176  os/win/library.hpp          Functions of Windows' own libraries, found at run time.
//  10213  os/win/security.hpp         Security descriptors and SIDs as Windows holds them, and as text: SDDL and S-1-…
//  10313  os/win/crash.hpp            os/crash.hpp on Windows.
//  10595  os/win/dispatcher.hpp       The real dispatcher: ServiceMain and the control handler, which Windows calls ...
//  10694  os/win/elevation.hpp        os/elevation.hpp on Windows.
//  10907  os/win/new_file.hpp         os/new_file.hpp on Windows.
//  10990  os/win/process.hpp          os/process.hpp and os/event_log.hpp on Windows.
//  11111  os/win/source_file.hpp      os/source_file.hpp on Windows.
//  11198  os/win/install.hpp          What an install touches beside the Service Control Manager.
//  11429  os/win/levels.hpp           model/levels.hpp as Windows has it.
//  11564  os/win/service_manager.hpp  The real Service Control Manager.
//  11797  os/native.hpp               The operating system, whole: the seam and this platform's bodies for it.
//  11803  http/httplib.hpp            The door to cpp-httplib: the one file that includes it.
//  11880  http/transport.hpp          What a connection reads from and writes to.
//  12026  http/exchange.hpp           One request and its answer on their way through cpp-httplib.
//  12337  http/stream.hpp             An answer that is written while it is made.
//  12446  http/abort.hpp              A way out of the middle of a handler or a middleware.
//  12479  http/file_answer.hpp        A file as an answer: sent in pieces from the open file, never whole in ...
//  12604  http/reply.hpp              What a handler may answer with, beyond plain text.
//  12819  http/json_body.hpp          A request's body as a T, from JSON, and the sentence for one that is none.
//  12985  http/upload.hpp             Files that a request brings, on disk before the handler runs and never in ...
//  13179  http/handler.hpp            What a lambda may take and return, and how it is called.
//  13514  http/websocket.hpp          WebSockets: a route whose handler talks with a page for as long as both like.
//  13975  http/middleware.hpp         What runs around handlers: one shape for all of it.
//  14021  http/errors.hpp             What an error looks like to the client, where the app wants to say it itself.
//  14097  http/router.hpp             The routes of an app with their handlers.
//  14269  http/route_handle.hpp       A route that was registered, at hand for what else there is to say of it.
//  14455  http/url_for.hpp            The path of a named route, from within a handler.
//  14490  http/resource.hpp           A class as a resource: which of its members are handlers, found at compile time.
//  14577  http/folder.hpp             A folder of files below a prefix.
//  14698  http/group.hpp              Routes, as an app or a part of it registers them.
//  14901  http/context.hpp            What travels with a request.
//  14964  http/body_reader.hpp        Reads the body of a request when a handler is about to be called, and not before.
//  15055  http/watchdog.hpp           Time-outs of handlers: somebody who looks at the clock while a handler runs.
//  15155  http/upload_reader.hpp      Reads a body into files while it arrives (http/upload.hpp has what comes of it).
//  15358  http/guard.hpp              What becomes of everything that goes wrong between a request and its answer.
//  15501  http/traffic.hpp            What the connections of one engine have in common.
//  15583  http/direct.hpp             The direct way of a plain request.
//  15706  http/core.hpp               cpp-httplib at work for one request.
//  16096  http/connection.hpp         One connection, from its first byte to its close, in steps.
//  16517  http/crew.hpp               The engine's threads, few and busy.
//  16935  http/guests.hpp             The clients that are connected, and who of the crew is at which of them.
//  17088  http/tls.hpp                TLS between a socket and HTTP, where cpp-httplib is built with a library for ...
//  17450  http/engine.hpp             The engine: listens, accepts, serves, drains.
//  17909  web/values.hpp              What a request says beside its path, as a value of a type.
//  18019  web/cookies.hpp             Cookies of requests and answers.
//  18054  web/auth.hpp                Who asks: HTTP basic and bearer authentication as middleware.
//  18162  web/cors.hpp                Cross-origin requests.
//  18256  web/same_origin.hpp         Requests that change something, from pages of this service alone.
//  18293  web/rate_limit.hpp          How often one client may ask.
//  18402  web/proxies.hpp             The client behind a proxy: who asked, as far as proxies that we trust can say.
//  18455  web/headers.hpp             Small middleware for headers and sizes.
//  18509  web/openapi.hpp             The app's routes as an OpenAPI 3.1 document.
//  18792  web/metrics.hpp             What the service has answered, and what it costs, in Prometheus' text format ...
//  19021  host/hooks.hpp              The hooks of a service as the app writes them, each brought to one shape for ...
//  19181  host/blueprint.hpp          Everything App said, as a value: what the runtime and the verbs read.
//  19255  host/service.hpp            What App receives: the description of a service.
//  19631  host/own_routes.hpp         What a service can tell of itself, where the app asks for it.
//  19706  host/app.hpp                What App may be: a function, a global callable object, or a type ...
//  19749  host/reporter.hpp           Publishes what the lifecycle gives, in its order.
//  19814  host/file_log.hpp           The log file: appended to, rotated by size, so many kept.
//  19895  host/health.hpp             Liveness and readiness.
//  19953  host/hook_thread.hpp        The thread that hooks run on, one after the other, and the patience with them.
//  20107  host/hook_runner.hpp        Runs the app's hooks on their thread and waits beside it.
//  20202  host/duties.hpp             What controls ask for, beside a stop.
//  20396  host/worker_pool.hpp        The app's workers while they run.
//  20493  host/runtime.hpp            The one order of start, serve, drain and stop, the same in a terminal and ...
//  20931  host/console_host.hpp       `debug`: the service in a terminal.
//  21007  host/service_host.hpp       `run-service`: the service under the Service Control Manager.
//  21280  host/wait.hpp               Waiting until the SCM says that a service has got where it was sent.
//  21343  host/status.hpp             What `status` shows: the SCM's view of the service and what the service left ...
//  21423  host/desk.hpp               What every verb that manages the service stands on.
//  21545  host/manage.hpp             The verbs that bring an installed service up and down.
//  21831  host/send.hpp               The verbs that send a running service a control.
//  21957  host/folders.hpp            The folders that a service needs, opened to its own SID and to nothing else ...
//  22072  host/survey.hpp             What is installed, read with query rights alone.
//  22146  host/install.hpp            install and update: look at what there is (host/survey.hpp), plan ...
//  22478  host/remove.hpp             remove: stop, wait, delete, close, wait until it is gone, and take back what ...
//  22557  host/managing.hpp           The verbs that manage, by their words.
//  22705  host/run.hpp                From main to a verb: what WINSVC_MAIN calls, and what anyone may call instead.
//  22824  main.hpp                    The macro: a main for an App.
//  22837  config/undef.hpp            The end: every internal macro is taken back here, so that a program is left ...

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

#if defined(__linux__)
  #define WINSVC_OS_LINUX 1
#else
  #define WINSVC_OS_LINUX 0
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
  T operator*() && { return std::move(*check(std::get_if<0>(&held_))); }  // no reference into what is about to go
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

inline bool starts_with_nocase(std::string_view s, std::string_view prefix) noexcept {
  return equal_nocase(s.substr(0, prefix.size()), prefix);
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
// base/json_text.hpp
// =====================================================================================================================

// JSON, written: for what winsvc says to machines. (What a handler answers in JSON is nlohmann's.)
//
//   text::json_object o;
//   o.put("pid", "7").put_text("name", "a \"b\"").put_some("hint", "");      // left out where it is empty
//   o.text()                                                                 // {"pid":7,"name":"a \"b\""}
//
// Members stay in the order they were put; nobody checks that a name is put once. It reads nothing.

#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace text {

/// An object while it grows.
class json_object {
 public:
  /// `value` is JSON itself: a number, `true`, `null`, what another one's `text` gave.
  json_object& put(std::string_view name, std::string_view value) {
    text_ += text_.size() == 1 ? "" : ",";
    text_ += json_quoted(name) + ':';
    text_ += value;
    return *this;
  }
  json_object& put_text(std::string_view name, std::string_view value) { return put(name, json_quoted(value)); }
  json_object& put_some(std::string_view name, std::string_view value) {
    return value.empty() ? *this : put_text(name, value);
  }
  [[nodiscard]] std::string text() const { return text_ + '}'; }

 private:
  std::string text_ = "{";
};

/// `[a,b]`, of what `one` makes of each; `between` instead of the comma alone, to break lines.
template <class List, class F>
[[nodiscard]] std::string json_list(const List& all, F one, std::string_view between = ",") {
  std::string out = "[";
  for (const auto& item : all) {
    if (out.size() > 1) out += between;
    out += one(item);
  }
  return out + ']';
}

}  // namespace text
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// base/encoding.hpp
// =====================================================================================================================

// Bytes as text and back, and the comparison of secrets.
//
//   from_base64("aGVsbG8=")                  // "hello"; nothing for what is no base64 (RFC 4648, section 4)
//   equal_secret(given, expected)            // takes the same time wherever they differ

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace text {

[[nodiscard]] std::string to_base64(std::string_view bytes);
/// The same with '-' and '_' and without padding: fit for cookies and paths (RFC 4648, section 5).
[[nodiscard]] std::string to_base64url(std::string_view bytes);
/// Either alphabet, padding or not; nothing else, and no bits left over.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view s);

}  // namespace text

/// Are they equal? The time depends on the length of `given` alone, so that nobody learns a secret by trying.
[[nodiscard]] bool equal_secret(std::string_view given, std::string_view expected) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

namespace text {

inline std::string base64_with(std::string_view bytes, const char (&digits)[65], bool padded) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) {
      if (k <= count) out += digits[group >> (18 - 6 * k) & 63];
      else if (padded) out += '=';
    }
  }
  return out;
}

inline std::string to_base64(std::string_view bytes) {
  return base64_with(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true);
}
inline std::string to_base64url(std::string_view bytes) {
  return base64_with(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false);
}

inline std::optional<std::string> from_base64(std::string_view s) {
  const auto value = [](char c) -> int {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
  };
  if (s.size() % 4 == 0) {
    for (int i = 0; i < 2 && !s.empty() && s.back() == '='; ++i) s.remove_suffix(1);
  }
  if (s.size() % 4 == 1) return std::nullopt;
  std::string out;
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : s) {
    const int v = value(c);
    if (v < 0) return std::nullopt;
    bits = (bits << 6 | static_cast<std::uint32_t>(v)) & 0xFFFFu;
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out += static_cast<char>(bits >> have & 0xFFu);
  }
  if ((bits & ((1u << have) - 1)) != 0) return std::nullopt;  // two texts for one value would be two keys for one door
  return out;
}

}  // namespace text

inline bool equal_secret(std::string_view given, std::string_view expected) noexcept {
  volatile unsigned char different = given.size() == expected.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char against = expected.empty() ? '\0' : expected[i % expected.size()];
    different = static_cast<unsigned char>(
        different | (static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(against)));
  }
  return different == 0;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// base/sha256.hpp
// =====================================================================================================================

// SHA-256 and HMAC, for signed cookies: cpp-httplib brings none without a TLS library.
//
//   hmac_sha256(key, "text")          // 32 bytes
//
// Source: FIPS 180-4 and RFC 2104; tested with the vectors of RFC 4231.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {

/// 32 bytes.
[[nodiscard]] std::string sha256(std::string_view bytes);
/// 32 bytes.
[[nodiscard]] std::string hmac_sha256(std::string_view key, std::string_view bytes);

// ---------------------------------------------------------------------------------------------------------------------

inline void sha256_block(std::array<std::uint32_t, 8>& state, const unsigned char* block) noexcept {
  // The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
  static constexpr std::uint32_t k[64] = {
      0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
      0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
      0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
      0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
      0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
      0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
      0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
      0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
  const auto right = [](std::uint32_t v, unsigned n) { return v >> n | v << (32 - n); };
  std::uint32_t w[64];
  for (std::size_t i = 0; i < 16; ++i) {
    w[i] = static_cast<std::uint32_t>(block[4 * i]) << 24 | static_cast<std::uint32_t>(block[4 * i + 1]) << 16 |
           static_cast<std::uint32_t>(block[4 * i + 2]) << 8 | block[4 * i + 3];
  }
  for (std::size_t i = 16; i < 64; ++i) {
    const std::uint32_t s0 = right(w[i - 15], 7) ^ right(w[i - 15], 18) ^ w[i - 15] >> 3;
    const std::uint32_t s1 = right(w[i - 2], 17) ^ right(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (std::size_t i = 0; i < 64; ++i) {
    const std::uint32_t one = h + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i];
    const std::uint32_t two = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
  }
  const std::uint32_t added[8] = {a, b, c, d, e, f, g, h};
  for (std::size_t i = 0; i < 8; ++i) state[i] += added[i];
}

inline std::string sha256(std::string_view bytes) {
  std::array<std::uint32_t, 8> state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::string all(bytes);
  all += static_cast<char>(0x80);
  while (all.size() % 64 != 56) all += '\0';
  const std::uint64_t bits = static_cast<std::uint64_t>(bytes.size()) * 8;
  for (int shift = 56; shift >= 0; shift -= 8) all += static_cast<char>(bits >> shift & 0xFFu);
  for (std::size_t at = 0; at < all.size(); at += 64)
    sha256_block(state, reinterpret_cast<const unsigned char*>(all.data()) + at);
  std::string out;
  for (const std::uint32_t word : state) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(word >> shift & 0xFFu);
  }
  return out;
}

inline std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  std::string padded = key.size() > 64 ? sha256(key) : std::string(key);
  padded.resize(64, '\0');
  std::string inner, outer;
  for (const char c : padded) {
    inner += static_cast<char>(c ^ 0x36);
    outer += static_cast<char>(c ^ 0x5c);
  }
  return sha256(outer + sha256(inner + std::string(bytes)));
}

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
// base/timer_wheel.hpp
// =====================================================================================================================

// Deadlines of very many things, each set and moved in constant time: a wheel of slots, one turn of which is 65 s.
//
//   timer_wheel wheel(now);
//   wheel.set(connection.timer, now + 10s);             // moves it when it was set before
//   wheel.advance(now, [](timer_wheel::entry& e) { … });    // those whose time has come
//   sleep_until(wheel.next());
//
// It is coarse, and never early: an entry is handed out up to 64 ms after its time. One that lies further ahead than a
// turn is kept until it is near. It knows no clock and no threads; whoever shares it brings a lock.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace winsvc {
inline namespace WINSVC_ABI {

class timer_wheel {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// A place on the wheel, part of what it is the deadline of. It must stay where it is while it is set.
  struct entry {
    entry* before = nullptr;  // null: not on the wheel
    entry* after = nullptr;
    std::int64_t due = 0;  // in slots since the clock's beginning
    void* owner = nullptr;  ///< what it is the deadline of; for the user
  };

  explicit timer_wheel(time_point now) noexcept : now_(slot_of(now)) {
    for (auto& s : slots_) s.before = s.after = &s;
  }
  timer_wheel(const timer_wheel&) = delete;
  timer_wheel& operator=(const timer_wheel&) = delete;

  void set(entry& e, time_point when) noexcept;
  void clear(entry& e) noexcept;
  [[nodiscard]] static bool is_set(const entry& e) noexcept { return e.before != nullptr; }

  /// Calls `f` for each entry whose time has come; it is off the wheel by then, and may be set again.
  template <class F>
  void advance(time_point now, const F& f);
  /// When to look again: nothing is due before. time_point::max() when the wheel is empty.
  [[nodiscard]] time_point next() const noexcept;

  static constexpr std::chrono::milliseconds slot_time{64};

 private:
  static constexpr std::size_t slots = 1024;
  using in_slots = std::chrono::duration<std::int64_t, std::ratio<64, 1000>>;

  [[nodiscard]] static std::int64_t slot_of(time_point when) noexcept {
    return std::chrono::floor<in_slots>(when.time_since_epoch()).count();
  }
  void link(entry& e) noexcept;
  static void unlink(entry& e) noexcept;

  std::array<entry, slots> slots_;
  std::size_t count_ = 0;
  std::int64_t now_;  // all slots up to this one have been handed out
};

// ---------------------------------------------------------------------------------------------------------------------

inline void timer_wheel::link(entry& e) noexcept {
  // At the latest in the slot that is looked at last: an entry that is due in a later turn is put there again.
  auto at = e.due <= now_ ? now_ + 1 : e.due;
  if (at > now_ + static_cast<std::int64_t>(slots)) at = now_ + static_cast<std::int64_t>(slots);
  entry& head = slots_[static_cast<std::size_t>(at) % slots];
  e.before = head.before;
  e.after = &head;
  head.before->after = &e;
  head.before = &e;
}

inline void timer_wheel::unlink(entry& e) noexcept {
  e.before->after = e.after;
  e.after->before = e.before;
  e.before = e.after = nullptr;
}

inline void timer_wheel::set(entry& e, time_point when) noexcept {
  if (is_set(e)) unlink(e);
  else ++count_;
  e.due = slot_of(when) + 1;  // the slot that begins after it: never early
  link(e);
}

inline void timer_wheel::clear(entry& e) noexcept {
  if (!is_set(e)) return;
  unlink(e);
  --count_;
}

template <class F>
void timer_wheel::advance(time_point now, const F& f) {
  const auto target = slot_of(now);
  if (target > now_ + static_cast<std::int64_t>(slots)) now_ = target - static_cast<std::int64_t>(slots);
  while (now_ < target && count_ > 0) {
    ++now_;
    entry& head = slots_[static_cast<std::size_t>(now_) % slots];
    entry* const last = head.before;  // what is set again meanwhile goes behind it
    for (entry* e = head.after; e != &head;) {
      entry& one = *e;
      const bool at_end = e == last;
      e = e->after;
      unlink(one);
      if (one.due > now_) {
        link(one);
      } else {
        --count_;
        f(one);
      }
      if (at_end) break;
    }
  }
  if (now_ < target) now_ = target;
}

inline timer_wheel::time_point timer_wheel::next() const noexcept {
  if (count_ == 0) return (time_point::max)();
  for (std::int64_t ahead = 1; ahead <= static_cast<std::int64_t>(slots); ++ahead) {
    const entry& head = slots_[static_cast<std::size_t>(now_ + ahead) % slots];
    if (head.after != &head)
      return time_point(std::chrono::duration_cast<time_point::duration>(in_slots(now_ + ahead)));
  }
  return (time_point::max)();
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

#include <bitset>
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
  std::bitset<128> custom;  ///< 128 to 255

  [[nodiscard]] bool has_custom(std::uint32_t control) const noexcept {
    return control >= 128 && control <= 255 && custom[control - 128];
  }
};

/// The one function that computes the mask of accepted controls: nothing in a pending state and in STOPPED. With
/// PRESHUTDOWN accepted, Windows delivers no SHUTDOWN, so exactly one of the two is asked for.
[[nodiscard]] inline std::uint32_t accepted_controls(state s, const hooked& h) noexcept {
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

/// What happened, or is asked for. `refused`: a pause or continue hook threw, and things are as they were before.
enum class step { start, progress, ready, pause, paused, resume, resumed, refused, stop, finished };

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
    {state::pause_pending, step::refused, state::running},
    {state::pause_pending, step::stop, state::stop_pending},
    {state::paused, step::resume, state::continue_pending},
    {state::paused, step::stop, state::stop_pending},
    {state::continue_pending, step::progress, state::continue_pending},
    {state::continue_pending, step::resumed, state::running},
    {state::continue_pending, step::refused, state::paused},
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
// model/decision.hpp
// =====================================================================================================================

// What a control means in a state: the answer for the SCM, the status to publish at once, and what is left to do for
// the service's own thread. Pure: the control handler asks, publishes, hands on and returns.
//
//   decide(state::running, hooks, 2 /* pause */)     // {0, step::pause, duty::pause}
//   decide(state::paused, hooks, 99)                 // {120}: the service does not know it
//
// Source: HandlerEx and "Service Control Handler Function" in the Win32 documentation.

#include <cstdint>
#include <optional>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// What a control leaves to be done.
enum class duty { nothing, stop, pause, resume, reload, power, session, time, custom };

struct decision {
  std::uint32_t answer = 0;     ///< the handler's return value; of `custom` the hook's comes in its place
  std::optional<step> publish;  ///< applied to the lifecycle before anything else happens
  duty then = duty::nothing;
};

/// Decides. Whatever comes, even what the SCM should not have sent, has an answer and does no harm.
[[nodiscard]] decision decide(state now, const hooked& h, std::uint32_t control) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

inline decision decide(state now, const hooked& h, std::uint32_t what) noexcept {
  constexpr decision unknown{120, {}, duty::nothing};      // ERROR_CALL_NOT_IMPLEMENTED
  constexpr decision not_now{1061, {}, duty::nothing};     // ERROR_SERVICE_CANNOT_ACCEPT_CTRL
  constexpr decision done_already{0, {}, duty::nothing};
  const bool working = now == state::running || now == state::paused;
  const auto if_hooked = [&](bool is_hooked, duty then) {
    return !is_hooked ? unknown : !working ? not_now : decision{0, {}, then};
  };

  switch (static_cast<control>(what)) {
    case control::interrogate: return done_already;  // the SCM has our last status, which is true
    case control::stop:
    case control::shutdown:
    case control::preshutdown:
      if (now == state::stop_pending || now == state::stopped) return done_already;
      return {0, step::stop, duty::stop};
    case control::pause:
      if (!h.pause_continue) return unknown;
      if (now == state::paused || now == state::pause_pending) return done_already;
      return now == state::running ? decision{0, step::pause, duty::pause} : not_now;
    case control::resume:
      if (!h.pause_continue) return unknown;
      if (now == state::running || now == state::continue_pending) return done_already;
      return now == state::paused ? decision{0, step::resume, duty::resume} : not_now;
    case control::param_change: return if_hooked(h.param_change, duty::reload);
    case control::power_event: return if_hooked(h.power_event, duty::power);
    case control::session_change: return if_hooked(h.session_change, duty::session);
    case control::time_change: return if_hooked(h.time_change, duty::time);
    default: return if_hooked(h.has_custom(what), duty::custom);
  }
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// model/events.hpp
// =====================================================================================================================

// What the service writes into the Windows event log, as a table: the ID to filter by, the level, when it is written.
// `docs/services.md` shows it, and a test compares the two. An ID keeps its meaning for ever.
//
// Source: "Event Identifiers" in the Win32 documentation. IDs 1 to 1000 are what the message file (EventCreate.exe)
// has.

#include <cstdint>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

enum class event_level : std::uint16_t { error = 1, warning = 2, information = 4 };  // EVENTLOG_*_TYPE

enum class event : std::uint32_t {
  started = 1, stopped = 2, failed = 3, degraded = 4, paused = 5, continued = 6, reloaded = 7, crashed = 8, cut = 9,
};

struct event_row {
  event id;
  event_level level;
  std::string_view name;
  std::string_view when;
};

inline constexpr event_row event_table[] = {
    {event::started, event_level::information, "started", "the service runs; the text has its address"},
    {event::stopped, event_level::information, "stopped", "it has stopped as it was asked to"},
    {event::failed, event_level::error, "failed", "it could not start, or stopped because something failed"},
    {event::degraded, event_level::warning, "degraded", "it runs, and something of it does not: the log, say"},
    {event::paused, event_level::information, "paused", "it is paused: requests get 503"},
    {event::continued, event_level::information, "continued", "it serves again"},
    {event::reloaded, event_level::information, "reloaded", "the reload hooks have run"},
    {event::crashed, event_level::error, "crashed", "the process crashed; the text has the minidump's path"},
    {event::cut, event_level::warning, "cut", "it has stopped, and cut what did not end in time"},
};

[[nodiscard]] constexpr const event_row& row(event e) noexcept {
  for (const auto& r : event_table) {
    if (r.id == e) return r;
  }
  return event_table[0];
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
inline constexpr std::uint32_t access_denied = 5, not_supported = 50, call_not_implemented = 120, invalid_level = 124,
                               io_pending = 997, dependent_services_running = 1051, invalid_service_control = 1052,
                               service_request_timeout = 1053, service_already_running = 1056,
                               invalid_service_account = 1057, service_disabled = 1058, service_does_not_exist = 1060,
                               service_cannot_accept_control = 1061, service_not_active = 1062,
                               failed_controller_connect = 1063, service_marked_for_delete = 1072,
                               service_exists = 1073, cancelled = 1223, timeout = 1460, invalid_tag = 1733,
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
    {120, "the service does not handle this control", "hook it in the app, with on_control"},
    {123, "the name is not valid", "use 1 to 256 characters without '/' and '\\'"},
    {124, "this system does not know the setting", ""},
    {997, "the service has taken it and is still at work", "look into its log for the end of it"},
    {1051, "other services that depend on it are running", "stop them first, or add --force"},
    {1052, "the service does not take this control", "pause, continue and reload need hooks of the app"},
    {1053, "the service did not respond to the start in time", "read its log and the event log"},
    {1055, "the service database is locked", "try again in a moment"},
    {1056, "it is running already", "restart it where it has to begin anew"},
    {1057, "the account or its password is not valid", "check the name, with its domain, and the password"},
    {1058, "the service is disabled", "install it with --startup auto or --startup manual"},
    {1059, "its dependencies lead back to it", "give others with --depends"},
    {1060, "it is not installed", "install it first"},
    {1061, "the service cannot take a control now", "wait until it has started or stopped, then try again"},
    {1062, "it is not running", "start it first"},
    {1063, "this process was not started by the service control manager",
     "use the start verb, or debug for a terminal"},
    {1064, "an exception was thrown in the service", "read its log"},
    {1066, "the service ended with an error of its own", "read its log"},
    {1067, "the process ended unexpectedly", "read its log and the event log"},
    {1068, "a service it depends on did not start", "start that one first, or look into its log"},
    {1069, "the account could not log on",
     "give its password anew with update --username ACCOUNT, which also gives the right to log on as a service"},
    {1072, "the service is marked for deletion",
     "close the Services window and Task Manager, which hold it open, then try again"},
    {1073, "a service of that name exists", "use update, or give the app another name"},
    {1075, "a service it depends on is not installed", "install that one first, or give others with --depends"},
    {1077, "it was not started since the machine was", "start it"},
    {1078, "the display name is taken by another service", "choose another with --display-name"},
    {1223, "the elevation was refused", "say yes to the question, or run from an elevated prompt"},
    {1297, "its account lacks a privilege that the app asks for", "give the account that privilege, or use another"},
    {1326, "the account's name or password is wrong", "give the password anew with update --username ACCOUNT"},
    {1332, "there is no account of that name", "check the name, with its domain"},
    {1385, "the account may not log on as a service",
     "run update --username ACCOUNT, or see whether a group policy denies it"},
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
// model/control_event.hpp
// =====================================================================================================================

// What comes with a control: the session that changed, the power that went. Typed, so that a hook need not look up
// numbers.
//
//   svc.on_session_change([](const winsvc::session_change& c) { if (c.what == winsvc::session_change::lock) … });
//   svc.on_power([](const winsvc::power_event& p) { if (p.what == winsvc::power_event::suspend) … });
//
// Source: HandlerEx, WM_WTSSESSION_CHANGE and WM_POWERBROADCAST in the Win32 documentation.

#include <cstdint>
#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {

/// A person's session on this machine changed.
struct session_change {
  /// WTS_*, with Windows' values; what is not listed here may come as its number.
  enum kind : std::uint32_t {
    console_connect = 1, console_disconnect = 2, remote_connect = 3, remote_disconnect = 4, logon = 5, logoff = 6,
    lock = 7, unlock = 8, remote_control = 9, created = 10, terminated = 11,
  };
  kind what = logon;
  std::uint32_t session = 0;
};

/// The machine's power changed.
struct power_event {
  /// PBT_*, with Windows' values. `setting_changed` comes only to who has registered for a setting with Windows.
  enum kind : std::uint32_t {
    suspend = 0x4, resume = 0x7, status_changed = 0xA, resume_automatic = 0x12, setting_changed = 0x8013,
  };
  kind what = status_changed;
  std::string setting;  ///< of setting_changed: the GUID, `{02731015-4510-4526-99e6-e5a17ebd1aea}`
  std::string data;     ///< and its bytes
};

[[nodiscard]] constexpr std::string_view name(session_change::kind k) noexcept {
  constexpr std::string_view names[] = {"",       "console connect", "console disconnect", "remote connect",
                                        "remote disconnect", "logon", "logoff", "lock", "unlock", "remote control",
                                        "created", "terminated"};
  return k >= 1 && k <= 11 ? names[k] : "unknown";
}
[[nodiscard]] constexpr std::string_view name(power_event::kind k) noexcept {
  return k == power_event::suspend            ? "suspend"
         : k == power_event::resume           ? "resume"
         : k == power_event::status_changed   ? "status changed"
         : k == power_event::resume_automatic ? "resume automatic"
         : k == power_event::setting_changed  ? "setting changed"
                                              : "unknown";
}

namespace model {

/// A control as the dispatcher hands it on, its event data copied out of Windows' memory.
struct control_event {
  std::uint32_t control = 0;
  std::uint32_t type = 0;     ///< dwEventType
  std::uint32_t session = 0;  ///< of SESSION_CHANGE
  std::string setting, data;  ///< of POWER_EVENT with a setting
};

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// model/recovery.hpp
// =====================================================================================================================

// What the SCM does when the service fails: a list of actions, one a failure, the last one for all that follow, and how
// long without a failure begins the list anew.
//
//   svc.recovery({restart_after(5s), restart_after(30s), no_action()}, 24h);
//   hello install --recovery restart/5s,restart/30s,none --recovery-reset 1d
//
// A failure is a process that ends without STOPPED, and, by the flag that install sets as well, a STOPPED with an exit
// code. Source: SERVICE_FAILURE_ACTIONSW and SERVICE_FAILURE_ACTIONS_FLAG in the Win32 documentation.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {

/// One action after one failure.
struct recovery_action {
  /// SC_ACTION_TYPE. reboot and run are never set here, but may be found.
  enum class kind : std::uint32_t { none = 0, restart = 1, reboot = 2, run = 3 };
  kind what = kind::none;
  std::chrono::milliseconds delay{0};

  friend bool operator==(const recovery_action& a, const recovery_action& b) noexcept {
    return a.what == b.what && a.delay == b.delay;
  }
};
[[nodiscard]] inline recovery_action restart_after(std::chrono::milliseconds delay) noexcept {
  return {recovery_action::kind::restart, delay};
}
[[nodiscard]] inline recovery_action no_action() noexcept { return {}; }
/// Windows counts delays in milliseconds of 32 bits: 49 days.
inline constexpr std::chrono::milliseconds longest_recovery_delay{0xFFFFFFFF};

namespace model {

struct recovery_plan {
  std::vector<recovery_action> actions;
  std::chrono::seconds reset{24 * 3600};  ///< so long without a failure, and the next one is the first again

  friend bool operator==(const recovery_plan& a, const recovery_plan& b) noexcept {
    return a.actions == b.actions && a.reset == b.reset;
  }
};

/// What an install sets where nobody says otherwise: the service comes back, ever more slowly.
[[nodiscard]] inline recovery_plan default_recovery() {
  using namespace std::chrono_literals;
  return {{restart_after(5s), restart_after(30s), restart_after(2min)}, std::chrono::hours(24)};
}

/// `restart/5s,restart/30s,none`; `none` alone and the empty text: no action at all. Nothing for anything else, and for
/// a delay that Windows cannot say.
[[nodiscard]] std::optional<std::vector<recovery_action>> parse_recovery(std::string_view s);
/// The same back; kinds that cannot be asked for as `reboot/…` and `run/…`.
[[nodiscard]] std::string recovery_text(const std::vector<recovery_action>& actions);

// ---------------------------------------------------------------------------------------------------------------------

/// 5s, 2m, 1d: the largest unit that says it exactly, as parse_duration reads it.
[[nodiscard]] inline std::string exact_duration(std::chrono::milliseconds d) {
  struct unit {
    std::int64_t ms;
    const char* name;
  };
  for (const unit u : {unit{86'400'000, "d"}, unit{3'600'000, "h"}, unit{60'000, "m"}, unit{1000, "s"}}) {
    if (d.count() != 0 && d.count() % u.ms == 0) return std::to_string(d.count() / u.ms) + u.name;
  }
  return d.count() == 0 ? "0s" : std::to_string(d.count()) + "ms";
}

inline std::optional<std::vector<recovery_action>> parse_recovery(std::string_view s) {
  std::vector<recovery_action> actions;
  if (text::trimmed(s).empty()) return actions;
  bool acts = false;
  while (true) {
    const auto comma = s.find(',');
    const std::string_view one = text::trimmed(s.substr(0, comma));
    const auto slash = one.find('/');
    const std::string_view word = one.substr(0, slash);
    recovery_action action;
    if (text::equal_nocase(word, "restart")) {
      const auto delay =
          slash == one.npos ? std::optional(std::chrono::milliseconds(0)) : parse_duration(one.substr(slash + 1));
      if (!delay || *delay > longest_recovery_delay) return std::nullopt;
      action = restart_after(*delay);
      acts = true;
    } else if (!text::equal_nocase(word, "none") || slash != one.npos) {
      return std::nullopt;
    }
    actions.push_back(action);
    if (comma == s.npos) break;
    s.remove_prefix(comma + 1);
  }
  if (!acts) actions.clear();  // nothing but "none" is no plan at all
  return actions;
}

inline std::string recovery_text(const std::vector<recovery_action>& actions) {
  constexpr std::string_view words[] = {"none", "restart", "reboot", "run"};
  std::string out;
  for (const auto& a : actions) {
    const auto i = static_cast<std::uint32_t>(a.what);
    if (!out.empty()) out += ',';
    out += i < 4 ? std::string(words[i]) : "action " + std::to_string(i);
    if (a.what != recovery_action::kind::none) out += '/' + exact_duration(a.delay);
  }
  return out.empty() ? "none" : out;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// model/account.hpp
// =====================================================================================================================

// The account a service runs as: how it is spelled, what Windows calls it, and what it gives up.
//
//   parse_account("virtual", "hello")->name      // NT SERVICE\hello, the default: an account of its own, no password
//   parse_account("system", "hello")->name       // LocalSystem
//   parse_account("CORP\\anna", "hello")->name   // a person's: needs a password and the right to log on as a service
//
// Source: "Service User Accounts" and lpServiceStartName, lpPassword of CreateServiceW in the Win32 documentation.

#include <optional>
#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

enum class account_kind { virtual_account, local_system, local_service, network_service, managed, person };

struct account {
  account_kind kind = account_kind::virtual_account;
  std::string name;  ///< lpServiceStartName

  /// Has it a password of its own that must be asked for?
  [[nodiscard]] bool needs_password() const noexcept { return kind == account_kind::person; }
  /// lpPassword where none is asked for: NULL for virtual and managed accounts, "" for the built-in ones.
  [[nodiscard]] std::optional<std::string> fixed_password() const {
    const bool null = kind == account_kind::virtual_account || kind == account_kind::managed;
    return null ? std::nullopt : std::optional(std::string());
  }
  /// Must it be given SeServiceLogonRight? Built-in and virtual accounts have it.
  [[nodiscard]] bool needs_logon_right() const noexcept {
    return kind == account_kind::person || kind == account_kind::managed;
  }
  /// What is lost against an account of the service's own; empty for that one.
  [[nodiscard]] std::string_view gives_up() const noexcept;
};

/// `virtual`, `system`, `local-service`, `network-service`, their Windows names, `DOMAIN\name$` (a managed account),
/// `DOMAIN\name`, `name@domain`, `name` (of this machine). Another service's virtual account is refused.
[[nodiscard]] result<account> parse_account(std::string_view s, std::string_view service_name);

/// The name as LookupAccountNameW knows it: `.\` is a word of the SCM alone, and a bare name is this machine's first.
[[nodiscard]] inline std::string name_to_look_up(std::string_view name) {
  return std::string(text::starts_with(name, ".\\") ? name.substr(2) : name);
}

// ---------------------------------------------------------------------------------------------------------------------

inline std::string_view account::gives_up() const noexcept {
  switch (kind) {
    case account_kind::virtual_account: return {};
    case account_kind::local_system:
      return "LocalSystem may do anything on this machine: whoever takes over the service takes over the machine";
    case account_kind::local_service:
    case account_kind::network_service:
      return "this account is shared with other services, which can read and stop what this one does";
    case account_kind::managed: return {};
    case account_kind::person:
      return "a person's account has a password, and when that is changed it has to be given here anew";
  }
  return {};
}

inline result<account> parse_account(std::string_view s, std::string_view service_name) {
  struct known {
    std::string_view word;
    account_kind kind;
    std::string_view name;
  };
  constexpr known table[] = {
      {"system", account_kind::local_system, "LocalSystem"},
      {"LocalSystem", account_kind::local_system, "LocalSystem"},
      {".\\LocalSystem", account_kind::local_system, "LocalSystem"},
      {"NT AUTHORITY\\SYSTEM", account_kind::local_system, "LocalSystem"},
      {"local-service", account_kind::local_service, "NT AUTHORITY\\LocalService"},
      {"LocalService", account_kind::local_service, "NT AUTHORITY\\LocalService"},
      {"NT AUTHORITY\\LocalService", account_kind::local_service, "NT AUTHORITY\\LocalService"},
      {"NT AUTHORITY\\LOCAL SERVICE", account_kind::local_service, "NT AUTHORITY\\LocalService"},
      {"network-service", account_kind::network_service, "NT AUTHORITY\\NetworkService"},
      {"NetworkService", account_kind::network_service, "NT AUTHORITY\\NetworkService"},
      {"NT AUTHORITY\\NetworkService", account_kind::network_service, "NT AUTHORITY\\NetworkService"},
      {"NT AUTHORITY\\NETWORK SERVICE", account_kind::network_service, "NT AUTHORITY\\NetworkService"},
  };
  const auto refuse = [&](std::string said, std::string hint) {
    return failure{error{1057, "use the account", std::string(s), std::move(said), std::move(hint)}};
  };
  s = text::trimmed(s);
  if (s.empty()) return refuse("it is empty", "give virtual, system, local-service, network-service or DOMAIN\\name");
  const std::string own = "NT SERVICE\\" + std::string(service_name);
  if (text::equal_nocase(s, "virtual") || text::equal_nocase(s, own)) {
    return account{account_kind::virtual_account, own};
  }
  for (const auto& k : table) {
    if (text::equal_nocase(s, k.word)) return account{k.kind, std::string(k.name)};
  }
  if (text::starts_with_nocase(s, "NT SERVICE\\")) {
    return refuse("it is the virtual account of another service", "'virtual' is this one's own: " + own);
  }
  const auto slash = s.find('\\');
  if (slash == 0 || slash + 1 == s.size() || (slash != s.npos && s.find('\\', slash + 1) != s.npos)) {
    return refuse("it is no account name", "write DOMAIN\\name, .\\name for this machine, or name@domain");
  }
  const account_kind kind = s.back() == '$' ? account_kind::managed : account_kind::person;
  if (slash != s.npos || s.find('@') != s.npos) return account{kind, std::string(s)};
  if (kind == account_kind::managed) return refuse("a managed account has a domain", "write DOMAIN\\" + std::string(s));
  return account{kind, ".\\" + std::string(s)};
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// model/security.hpp
// =====================================================================================================================

// Who may do what, as text: security descriptors in SDDL, changed without Windows, so that install is tested entry by
// entry.
//
//   with_entry("D:(A;;FA;;;SY)", "(A;OICI;0x1200a9;;;S-1-5-80-1)")   // the entry is put into the DACL, once
//   without_account(sddl, "S-1-5-80-1")                              // every entry of that SID is taken out
//
// Source: "Security Descriptor String Format" and "ACE Strings" in the Win32 documentation.

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// A SID as Windows writes it into SDDL: the well-known ones have two letters. (An entry that is spelled otherwise than
/// Windows reads it back would be added at every install anew.)
[[nodiscard]] std::string trustee(std::string_view sid);

/// Read and execute, for the folder and what is in it: what a service needs of its executable's folder.
[[nodiscard]] inline std::string read_entry(std::string_view sid) { return "(A;OICI;0x1200a9;;;" + trustee(sid) + ")"; }
/// Modify: what it needs of its data folder.
[[nodiscard]] inline std::string modify_entry(std::string_view sid) {
  return "(A;OICI;0x1301bf;;;" + trustee(sid) + ")";
}
/// The right to look at the service, start, stop, pause and continue it and send it its own controls; not to change it.
[[nodiscard]] inline std::string control_entry(std::string_view sid) {
  return "(A;;CCLCSWRPWPDTLOCRRC;;;" + trustee(sid) + ")";
}
/// The data folder: the system and administrators all, the service modify, users read what lies in it directly (the
/// state that `status` shows) and none of its folders (the log). Protected: nothing is inherited, because everyone may
/// create files in ProgramData. Owned by administrators: whoever owns a folder may open it again.
[[nodiscard]] inline std::string data_folder_security(std::string_view service_sid) {
  return "O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)" + modify_entry(service_sid) +
         "(A;;0x1200a9;;;BU)(A;OINPIO;0x120089;;;BU)";
}
/// The same for a folder that is there already with `sddl`: what an administrator made of one that is closed stays.
[[nodiscard]] std::string data_folder_security(std::string_view sddl, std::string_view service_sid);
/// Is it owned by administrators or the system, and inherits nothing? Anybody may have made a folder of our name before
/// we came.
[[nodiscard]] bool is_closed(std::string_view sddl) noexcept;
/// `sddl` from its DACL on: to give a folder back its rights and leave its owner alone.
[[nodiscard]] std::string without_owner(std::string_view sddl);

[[nodiscard]] bool has_entry(std::string_view sddl, std::string_view entry) noexcept;
/// `sddl` with this entry in its DACL, before what is inherited; unchanged when it has it, and where no DACL means that
/// everyone may do everything (NO_ACCESS_CONTROL). A missing DACL is begun.
[[nodiscard]] std::string with_entry(std::string_view sddl, std::string_view entry);
/// `sddl` without any entry of this SID in its DACL.
[[nodiscard]] std::string without_account(std::string_view sddl, std::string_view sid);

/// Why a service's right to its executable's folder is not written there; empty where it is. Entries are handed down to
/// all that is in a folder, so they belong to one that is the program's own.
[[nodiscard]] std::string_view not_a_folder_of_ones_own(std::string_view path) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

inline std::string trustee(std::string_view sid) {
  struct known {
    std::string_view sid, letters;
  };
  constexpr known table[] = {
      {"S-1-1-0", "WD"},       {"S-1-5-4", "IU"},       {"S-1-5-6", "SU"},       {"S-1-5-11", "AU"},
      {"S-1-5-18", "SY"},      {"S-1-5-19", "LS"},      {"S-1-5-20", "NS"},      {"S-1-5-32-544", "BA"},
      {"S-1-5-32-545", "BU"},  {"S-1-5-32-546", "BG"},  {"S-1-5-32-547", "PU"},
  };
  for (const auto& k : table) {
    if (text::equal_nocase(k.sid, sid)) return std::string(k.letters);
  }
  return std::string(sid);
}

/// Where the entries of the DACL begin and end in `sddl`; {npos, npos} without a DACL.
struct dacl_extent {
  std::size_t begin = std::string_view::npos, end = std::string_view::npos;
};
inline dacl_extent find_dacl(std::string_view sddl) noexcept {
  // A part begins with its letter and a colon outside of parentheses: O: G: D: S:
  int depth = 0;
  dacl_extent found;
  for (std::size_t i = 0; i < sddl.size(); ++i) {
    if (sddl[i] == '(') ++depth;
    if (sddl[i] == ')') --depth;
    if (depth != 0 || i + 1 >= sddl.size() || sddl[i + 1] != ':') continue;
    if (found.begin != sddl.npos) {
      found.end = i;
      return found;
    }
    if (sddl[i] == 'D') found.begin = i + 2;
  }
  if (found.begin != sddl.npos) found.end = sddl.size();
  return found;
}

inline std::string_view dacl_of(std::string_view sddl) noexcept {
  const dacl_extent dacl = find_dacl(sddl);
  return dacl.begin == sddl.npos ? std::string_view() : sddl.substr(dacl.begin, dacl.end - dacl.begin);
}
/// The letters between `D:` and its first entry.
inline std::string_view dacl_flags(std::string_view sddl) noexcept {
  const std::string_view dacl = dacl_of(sddl);
  return dacl.substr(0, dacl.find('('));
}

inline bool has_entry(std::string_view sddl, std::string_view entry) noexcept {
  return dacl_of(sddl).find(entry) != sddl.npos;
}

inline std::string with_entry(std::string_view sddl, std::string_view entry) {
  const dacl_extent dacl = find_dacl(sddl);
  if (dacl.begin == sddl.npos) return std::string(sddl) + "D:" + std::string(entry);
  const bool open_to_all = dacl_flags(sddl).find("NO_ACCESS_CONTROL") != sddl.npos;
  if (open_to_all || has_entry(sddl, entry)) return std::string(sddl);
  const std::string_view entries = dacl_of(sddl);
  // Windows wants what was inherited (flag ID) behind what was not.
  std::size_t at = dacl.end;
  for (auto open = entries.find('('); open != entries.npos && at == dacl.end; open = entries.find('(', open + 1)) {
    const auto flags = entries.find(';', open);
    const auto after = flags == entries.npos ? flags : entries.find(';', flags + 1);
    if (after != entries.npos && entries.substr(flags + 1, after - flags - 1).find("ID") != entries.npos)
      at = dacl.begin + open;
  }
  return std::string(sddl.substr(0, at)) + std::string(entry) + std::string(sddl.substr(at));
}

inline std::string without_account(std::string_view sddl, std::string_view sid) {
  const dacl_extent dacl = find_dacl(sddl);
  if (dacl.begin == sddl.npos) return std::string(sddl);
  const auto is_of = [](std::string_view one, const std::string& whom) {
    const std::string ending = ";" + whom + ")";
    return one.size() >= ending.size() && text::equal_nocase(one.substr(one.size() - ending.size()), ending);
  };
  const std::string whole(sid), letters = trustee(sid);
  std::string out(sddl.substr(0, dacl.begin));
  std::string_view rest = dacl_of(sddl);
  while (!rest.empty()) {
    const auto open = rest.find('(');
    out += rest.substr(0, open);  // the DACL's flags
    if (open == rest.npos) break;
    const auto close = rest.find(')', open);
    const std::string_view one = rest.substr(open, close == rest.npos ? close : close - open + 1);
    if (!is_of(one, whole) && !is_of(one, letters)) out += one;
    rest.remove_prefix(open + one.size());
  }
  return out + std::string(sddl.substr(dacl.end));
}

inline std::string data_folder_security(std::string_view sddl, std::string_view service_sid) {
  return is_closed(sddl) ? with_entry(sddl, modify_entry(service_sid)) : data_folder_security(service_sid);
}

inline bool is_closed(std::string_view sddl) noexcept {
  bool owned = false;
  for (const std::string_view owner : {"O:BA", "O:SY", "O:S-1-5-32-544", "O:S-1-5-18"}) {
    const auto after = sddl.substr((std::min)(owner.size(), sddl.size()), 2);
    owned = owned || (text::starts_with(sddl, owner) && (after == "D:" || after == "G:"));
  }
  return owned && text::starts_with(dacl_flags(sddl), "P");  // P, PAI, PARAI
}

inline std::string without_owner(std::string_view sddl) {
  const dacl_extent dacl = find_dacl(sddl);
  return dacl.begin == sddl.npos ? std::string() : std::string(sddl.substr(dacl.begin - 2));
}

inline std::string_view not_a_folder_of_ones_own(std::string_view path) noexcept {
  const auto slash = [](char c) { return c == '\\' || c == '/'; };
  while (!path.empty() && slash(path.back())) path.remove_suffix(1);
  if (text::starts_with(path, "\\\\?\\") && path.size() > 5 && path[5] == ':') path.remove_prefix(4);  // \\?\C:\...
  if (path.size() >= 2 && slash(path[0]) && slash(path[1])) return "it lies on another machine";
  if (path.size() >= 2 && path[1] == ':') path.remove_prefix(2);
  if (path.empty() || path == ".") return "it is the root of a drive";
  path.remove_prefix(slash(path[0]) ? 1 : 0);

  std::size_t end = 0;
  while (end < path.size() && !slash(path[end])) ++end;
  const std::string_view first = path.substr(0, end);
  if (text::equal_nocase(first, "Windows")) return "it is a folder of Windows itself";
  if (end < path.size()) return {};
  for (const std::string_view shared : {"Program Files", "Program Files (x86)", "ProgramData", "Users"}) {
    if (text::equal_nocase(first, shared)) return "it is a folder of everybody's";
  }
  return {};
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// model/levels.hpp
// =====================================================================================================================

// What ChangeServiceConfig2W sets, level by level. A level's number is its place in `config_level`, counted from 1.
//
//   change_level(service, model::failure_flag{true});     // SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, 4
//
// Systems differ in the levels they know: a refusal with 120, 124 or 1733 is a warning, not a failure.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

struct description_text {
  std::string text;
};
/// An automatic start some two minutes after the others.
struct delayed_start {
  bool on = false;
};
/// Is a STOPPED with an exit code a failure too? Without it recovery acts on crashes alone.
struct failure_flag {
  bool on = false;
};
/// SERVICE_SID_TYPE_*: with `unrestricted` the process's token holds the SID of `NT SERVICE\<name>`, whatever account
/// it runs as, so that files can be opened to this service and to no other.
struct sid_type {
  std::uint32_t value = 0;
  static constexpr std::uint32_t none = 0, unrestricted = 1, restricted = 3;
};
/// The privileges that stay in the process's token; the SCM takes the others out. Empty: all that the account has.
struct required_privileges {
  std::vector<std::string> names;
};
/// How long the SCM waits for the service before the machine shuts down.
struct preshutdown_timeout {
  std::chrono::milliseconds limit{0};
};

using config_level = std::variant<description_text,      // 1 SERVICE_CONFIG_DESCRIPTION
                                  recovery_plan,         // 2 SERVICE_CONFIG_FAILURE_ACTIONS
                                  delayed_start,         // 3 SERVICE_CONFIG_DELAYED_AUTO_START_INFO
                                  failure_flag,          // 4 SERVICE_CONFIG_FAILURE_ACTIONS_FLAG
                                  sid_type,              // 5 SERVICE_CONFIG_SERVICE_SID_INFO
                                  required_privileges,   // 6 SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO
                                  preshutdown_timeout>;  // 7 SERVICE_CONFIG_PRESHUTDOWN_INFO

namespace level {
inline constexpr std::uint32_t description = 1, failure_actions = 2, delayed_start = 3, failure_flag = 4, sid_type = 5,
                               required_privileges = 6, preshutdown = 7;
}
[[nodiscard]] inline std::uint32_t number(const config_level& l) noexcept {
  return static_cast<std::uint32_t>(l.index()) + 1;
}
/// As an install plan shows it.
[[nodiscard]] std::string text_of(const config_level& l);

// ---------------------------------------------------------------------------------------------------------------------

inline std::string text_of(const config_level& l) {
  struct writer {
    std::string operator()(const description_text& v) const { return v.text; }
    std::string operator()(const recovery_plan& v) const {
      return recovery_text(v.actions) + ", reset " + exact_duration(v.reset);
    }
    std::string operator()(const delayed_start& v) const { return v.on ? "yes" : "no"; }
    std::string operator()(const failure_flag& v) const { return v.on ? "yes" : "no"; }
    std::string operator()(const sid_type& v) const {
      return v.value == sid_type::none           ? "none"
             : v.value == sid_type::unrestricted ? "unrestricted"
             : v.value == sid_type::restricted   ? "restricted"
                                                 : std::to_string(v.value);
    }
    std::string operator()(const required_privileges& v) const {
      return v.names.empty() ? "all that the account has" : text::join(v.names, ", ");
    }
    std::string operator()(const preshutdown_timeout& v) const { return exact_duration(v.limit); }
  };
  return std::visit(writer{}, l);
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// model/spec.hpp
// =====================================================================================================================

// What is to be installed: the app's own description, and what an install adds to it. Pure values, with which
// model/installation.hpp plans; host/install.hpp turns the plan into calls.

#include <chrono>
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

/// What the ImagePath carries from install to every start, as far as it was said.
struct launch_options {
  std::optional<std::string> instance;
  std::optional<std::string> host;
  std::optional<std::uint16_t> port;
  std::optional<std::chrono::milliseconds> preshutdown;

  /// These, and from `older` what these leave open.
  [[nodiscard]] launch_options over(const launch_options& older) const {
    return {instance ? instance : older.instance, host ? host : older.host, port ? port : older.port,
            preshutdown ? preshutdown : older.preshutdown};
  }
};

/// The app's identity, and what it asks to be installed with. What is not set is defaulted at creation and left alone
/// in an update.
struct service_spec {
  std::string name;
  std::optional<std::string> display_name;               ///< default: the name
  std::optional<std::string> description;                ///< default: none
  std::optional<winsvc::startup> startup;                ///< default: automatic
  std::optional<std::string> account;                    ///< default: virtual (model/account.hpp)
  std::optional<std::vector<std::string>> depends_on;    ///< default: nothing
  std::optional<recovery_plan> recovery;                 ///< default: default_recovery()
  std::optional<std::chrono::milliseconds> preshutdown;  ///< default: SHUTDOWN is taken instead
  std::vector<std::string> privileges;                   ///< beside SeChangeNotifyPrivilege
};

/// The name of an instance of a service, as Windows' own instances are called: `hello$blue`.
[[nodiscard]] inline std::string instance_name(std::string_view service, std::string_view instance) {
  return std::string(service) + '$' + std::string(instance);
}
/// 1 to 64 letters, digits, '-', '_' and '.'.
[[nodiscard]] result<void> check_instance(std::string_view instance);
/// What is installed for an instance: another name, and a display name that says which, "Hello service (blue)".
[[nodiscard]] service_spec of_instance(service_spec spec, const std::optional<std::string>& instance);

/// The word in the ImagePath that tells the process it was started by the SCM. It is explicit, so that nothing has to
/// be guessed from parent process, session or handles.
inline constexpr std::string_view run_service_word = "run-service";

/// The ImagePath: the quoted executable, the word, the options that were given at install.
[[nodiscard]] std::string image_path(std::string_view executable, const launch_options& launch);

/// A service name as CreateService takes it: 1 to 256 characters (UTF-16 units), no slash of either kind.
[[nodiscard]] result<void> check_name(std::string_view name);
/// The service name as a folder and file name: what Windows does not take in one becomes '_'. Names that differ in such
/// characters alone share a folder.
[[nodiscard]] std::string folder_name(std::string_view service_name);
/// A display name: up to 256 characters.
[[nodiscard]] result<void> check_display_name(std::string_view display_name);

// ---------------------------------------------------------------------------------------------------------------------

inline std::string image_path(std::string_view executable, const launch_options& launch) {
  std::vector<std::string> arguments{std::string(run_service_word)};
  if (launch.instance) arguments.insert(arguments.end(), {"--instance", *launch.instance});
  if (launch.host) arguments.insert(arguments.end(), {"--host", *launch.host});
  if (launch.port) arguments.insert(arguments.end(), {"--port", std::to_string(*launch.port)});
  if (launch.preshutdown) arguments.insert(arguments.end(), {"--preshutdown", exact_duration(*launch.preshutdown)});
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

inline result<void> check_instance(std::string_view instance) {
  bool good = !instance.empty() && instance.size() <= 64;
  for (const char c : instance) {
    const bool letter = text::to_lower(c) >= 'a' && text::to_lower(c) <= 'z';
    good = good && (letter || text::is_digit(c) || c == '-' || c == '_' || c == '.');
  }
  if (good) return {};
  return failure{error{123, "use the instance name", std::string(text::cut(instance, 80)),
                       "it is not 1 to 64 letters, digits, '-', '_' and '.'", "choose another, such as blue"}};
}

inline service_spec of_instance(service_spec spec, const std::optional<std::string>& instance) {
  if (!instance) return spec;
  spec.display_name = spec.display_name.value_or(spec.name) + " (" + *instance + ')';
  spec.name = instance_name(spec.name, *instance);
  return spec;
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

enum class verb {
  help, version, install, update, remove, start, stop, restart, pause, resume, reload, control, status, debug, routes,
  run_service
};

struct verb_row {
  verb id;
  std::string_view word;
  std::string_view also;       ///< a second spelling, or empty
  std::string_view arguments;  ///< what it takes beside options, as the help shows it
  std::string_view summary;    ///< one line of help; empty hides the verb
  std::string_view details;    ///< what `help VERB` adds
};

inline constexpr verb_row verb_table[] = {
    {verb::install, "install", "", "", "create the service, or bring an existing one to what is asked",
     "Needs an elevated prompt, or asks for one. What is given here is kept with the service, so that it holds at\n"
     "every start; an existing service keeps what is not given anew. What fails half-way is taken back."},
    {verb::update, "update", "", "", "bring an existing service to what is asked",
     "As install, for a service that is there already."},
    {verb::remove, "remove", "uninstall", "", "stop the service, delete it, wait until it is gone",
     "Needs an elevated prompt, or asks for one. A service that is not installed is no error. Its data folder stays."},
    {verb::start, "start", "", "[-- ARGUMENTS]", "start the service and wait until it serves",
     "A service that runs already is no error. What stands behind -- reaches the start hooks, this time alone."},
    {verb::stop, "stop", "", "", "stop the service and wait until it has answered every request",
     "A service that is stopped already is no error. Exit code 1460: it has stopped, and cut what did not end."},
    {verb::restart, "restart", "", "[-- ARGUMENTS]", "stop, then start",
     "With --force the services that depend on it are stopped before and started after it."},
    {verb::pause, "pause", "", "", "pause the service: it stays, and requests get 503", "Needs a hook of the app."},
    {verb::resume, "continue", "", "", "let a paused service go on", "Needs a hook of the app."},
    {verb::reload, "reload", "", "", "tell the service to read anew what has changed", "Needs a hook of the app."},
    {verb::control, "control", "", "N", "send the service a control of its own, 128 to 255",
     "Needs a hook of the app, whose answer is the exit code."},
    {verb::status, "status", "", "", "what the service is doing, and where it listens",
     "Exit code: 0 running, 3 installed and not running, 4 not installed."},
    {verb::debug, "debug", "run", "", "serve in this terminal; Ctrl-C drains and stops",
     "Needs no installation. Attach a debugger, or start the program in one. Routes, requests and the log are shown."},
    {verb::routes, "routes", "", "", "method, pattern, name and source line of every route", ""},
    {verb::help, "help", "", "[VERB]", "this, or the help of one verb", ""},
    {verb::version, "version", "", "", "the version of the program and of winsvc", ""},
    {verb::run_service, "run-service", "", "", "",
     "How the service control manager starts this program. Not for a person."},
};

enum class option {
  startup, display_name, description, username, password_stdin, depends, recovery, recovery_reset, preshutdown,
  environment, allow_control, host, port, instance, then_start, plan, force, wait, no_wait, json, no_elevate, elevated,
  argument
};

/// A set of verbs, one bit each.
constexpr std::uint32_t bit(verb v) noexcept { return 1u << static_cast<int>(v); }
template <class... Verbs>
constexpr std::uint32_t bits(Verbs... v) noexcept {
  return (bit(v) | ...);
}
inline constexpr std::uint32_t verbs_that_install = bits(verb::install, verb::update);
inline constexpr std::uint32_t verbs_that_wait =
    verbs_that_install |
    bits(verb::remove, verb::start, verb::stop, verb::restart, verb::pause, verb::resume);
/// Those that Windows may refuse to who is not elevated.
inline constexpr std::uint32_t verbs_that_manage = verbs_that_wait | bits(verb::reload, verb::control);
inline constexpr std::uint32_t verbs_that_listen = verbs_that_install | bits(verb::debug, verb::run_service);

struct option_row {
  option id;
  std::string_view word;
  std::string_view value;    ///< what it takes, as the help shows it; empty for a switch
  std::uint32_t verbs;       ///< who takes it
  std::string_view summary;  ///< empty hides the option
};

inline constexpr option_row option_table[] = {
    {option::startup, "--startup", "auto|delayed|manual|disabled", verbs_that_install,
     "when the system starts it; default auto"},
    {option::display_name, "--display-name", "TEXT", verbs_that_install, "the name that the Services window shows"},
    {option::description, "--description", "TEXT", verbs_that_install, "the line under it"},
    {option::username, "--username", "ACCOUNT", verbs_that_install,
     "whom it runs as: virtual, system, local-service, network-service, DOMAIN\\name; default virtual"},
    {option::password_stdin, "--password-stdin", "", verbs_that_install,
     "the account's password is the first line of standard input; without it, a prompt asks for it"},
    {option::depends, "--depends", "A,B", verbs_that_install, "services that must run before it; +G is a group"},
    {option::recovery, "--recovery", "ACTION,...", verbs_that_install,
     "what follows each failure: restart/5s, none; the last one repeats; default restart/5s,restart/30s,restart/2m"},
    {option::recovery_reset, "--recovery-reset", "TIME", verbs_that_install,
     "so long without a failure, and the next is the first again; default 1d"},
    {option::preshutdown, "--preshutdown", "TIME", verbs_that_install | bit(verb::run_service),
     "have the machine wait so long for it before it shuts down"},
    {option::environment, "--env", "NAME=VALUE", verbs_that_install,
     "a variable of its environment (may be repeated); NAME= takes it out"},
    {option::allow_control, "--allow-control", "USER", verbs_that_install,
     "let this user or group start and stop it without elevation (may be repeated)"},
    {option::host, "--host", "ADDRESS", verbs_that_listen, "the address to listen on"},
    {option::port, "--port", "N", verbs_that_listen, "the port to listen on; 0 picks a free one"},
    {option::instance, "--instance", "NAME",
     verbs_that_manage | bits(verb::status, verb::debug, verb::run_service),
     "this one of several instances, each a service with a name, settings and data of its own"},
    {option::then_start, "--start", "", verbs_that_install, "start it afterwards"},
    {option::plan, "--plan", "", verbs_that_install, "show what would be changed, and change nothing"},
    {option::force, "--force", "", bits(verb::stop, verb::restart, verb::remove),
     "stop the services that depend on it, too"},
    {option::wait, "--wait", "SECONDS", verbs_that_wait, "how long to wait for it; default 60"},
    {option::no_wait, "--no-wait", "", bits(verb::start, verb::stop), "ask, and do not wait"},
    {option::json, "--json", "", bits(verb::status, verb::routes), "for a machine to read"},
    {option::no_elevate, "--no-elevate", "", verbs_that_manage,
     "fail where elevation is needed, and do not ask for it"},
    {option::elevated, "--elevated", "PIPE", verbs_that_manage, ""},  // this is the elevated one (os/elevation.hpp)
    {option::argument, "--argument", "TEXT", bits(verb::start, verb::restart), ""},  // as one behind --
};

/// Options that people look for, and why there are none.
struct absent_option {
  std::string_view word;
  bool has_value;
  std::string_view said, hint;
};
inline constexpr absent_option absent_options[] = {
    {"--password", true, "a command line is no place for a password: every user of the machine can read it",
     "leave it out, and a prompt asks; or pipe it in, with --password-stdin"},
    {"--interactive", false, "services have had no desktop since Windows Vista", "leave it out"},
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
    if ((o.verbs & bit(v)) == 0 || o.summary.empty()) continue;
    const std::string spelled = std::string(o.word) + (o.value.empty() ? "" : " " + std::string(o.value));
    options += "  " + spelled + "\n      " + std::string(o.summary) + '\n';
  }
  if (!options.empty()) out += " [options]";
  if (!r.arguments.empty()) out += ' ' + std::string(r.arguments);
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
// Verbs and options are case-blind; `--opt value` and `--opt=value` are the same; options may stand before the verb, as
// pywin32's did. A mistake is an error without a code
// (the exit code is 2) that suggests the nearest word. No words at all is `help`, with `bare` set, so that the program
// can try the service control manager first where there is no terminal.

#include <algorithm>
#include <chrono>
#include <cstddef>
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
  bool bare = false;                 ///< there were no words at all
  std::optional<model::verb> topic;  ///< help VERB
  launch_options launch;

  // install, update
  std::optional<winsvc::startup> startup;
  std::optional<std::string> display_name;
  std::optional<std::string> description;
  std::optional<std::string> username;
  bool password_stdin = false;
  std::optional<std::vector<std::string>> depends_on;
  std::optional<std::vector<recovery_action>> recovery;
  std::optional<std::chrono::seconds> recovery_reset;
  std::vector<std::string> environment;    ///< NAME=value; NAME= takes it out
  std::vector<std::string> allow_control;  ///< users and groups
  bool then_start = false;
  bool plan = false;

  // the others
  std::vector<std::string> arguments;  ///< start, restart: what stands behind --
  std::uint32_t control = 0;           ///< control N
  bool force = false;
  bool no_wait = false;
  std::chrono::milliseconds wait{60'000};
  bool json = false;
  bool no_elevate = false;
  std::optional<std::string> elevated;  ///< this process is the elevated one, and that its parent's pipe
};

/// `words` is argv without the program's name, in UTF-8.
[[nodiscard]] result<command> parse_command(const std::vector<std::string>& words);

/// The words for the elevated process: the same, but nothing behind a `--`, where an option added at the end would be
/// taken for an argument.
[[nodiscard]] std::vector<std::string> elevated_words(const std::vector<std::string>& words);

/// What an earlier install left in an ImagePath (model::image_path made it); nothing where it is not one of ours.
[[nodiscard]] launch_options launch_options_in(const std::string& image_path);

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
    if (taken && !o.summary.empty()) known.push_back(o.word);
  }
  for (const auto& o : absent_options) {
    if (text::equal_nocase(o.word, word))
      return usage_error("there is no " + std::string(o.word) + ": " + std::string(o.said), std::string(o.hint));
  }
  return usage_error("unknown option '" + std::string(word) + "'",
                     suggestion(word, known, "'help " + std::string(v.word) + "' lists the options"));
}

/// `A,B`: no piece may be empty; the empty text is no piece at all.
inline std::optional<std::vector<std::string>> parse_list(std::string_view s) {
  std::vector<std::string> pieces;
  if (text::trimmed(s).empty()) return pieces;
  for (const auto& piece : text::split(s, ',')) {
    pieces.emplace_back(text::trimmed(piece));
    if (pieces.back().empty() || pieces.back() == "+") return std::nullopt;
  }
  return pieces;
}

/// Puts one option's value where it belongs; false where it is none that the option takes.
inline bool take_value(command& into, option o, std::string_view value) {
  const auto text_into = [&](std::optional<std::string>& field) {
    field = std::string(value);
    return !value.empty();
  };
  switch (o) {
    case option::startup: return (into.startup = parse_startup(value)).has_value();
    case option::display_name: into.display_name = std::string(value); return true;
    case option::description: into.description = std::string(value); return true;
    case option::username: return text_into(into.username);
    case option::password_stdin: return into.password_stdin = true;
    case option::depends: return (into.depends_on = parse_list(value)).has_value();
    case option::recovery: return (into.recovery = parse_recovery(value)).has_value();
    case option::recovery_reset: {
      const auto reset = parse_duration(value);
      if (!reset || reset->count() % 1000 != 0) return false;
      into.recovery_reset = std::chrono::duration_cast<std::chrono::seconds>(*reset);
      return true;
    }
    case option::preshutdown:
      into.launch.preshutdown = parse_duration(value);
      return into.launch.preshutdown && *into.launch.preshutdown <= std::chrono::hours(24);
    case option::environment:
      into.environment.emplace_back(value);
      return value.find('=') != 0 && value.find('=') != value.npos;
    case option::allow_control: into.allow_control.emplace_back(value); return !value.empty();
    case option::host: return text_into(into.launch.host);
    case option::port: {
      std::uint64_t port = 0;
      if (!text::parse_number(value, 65'535, port)) return false;
      into.launch.port = static_cast<std::uint16_t>(port);
      return true;
    }
    case option::instance: return text_into(into.launch.instance) && check_instance(value);
    case option::then_start: return into.then_start = true;
    case option::plan: return into.plan = true;
    case option::force: return into.force = true;
    case option::wait: {
      const auto wait = parse_duration(value);
      if (wait) into.wait = *wait;
      return wait.has_value();
    }
    case option::no_wait: return into.no_wait = true;
    case option::json: return into.json = true;
    case option::no_elevate: return into.no_elevate = true;
    case option::elevated: return text_into(into.elevated);
    case option::argument: into.arguments.emplace_back(value); return true;
  }
  return false;
}

/// What would have been taken.
inline std::string taken_values(const option_row& o) {
  switch (o.id) {
    case option::startup: return "it is one of " + std::string(o.value);
    case option::username: return "give virtual, system, local-service, network-service or DOMAIN\\name";
    case option::depends: return "give service names with commas between them; \"\" is none";
    case option::recovery: return "give restart/TIME and none with commas between, such as restart/5s,restart/1m,none";
    case option::recovery_reset: return "give whole seconds, such as 1d";
    case option::preshutdown: return "give a time of up to a day, such as 30s";
    case option::environment: return "write NAME=VALUE, or NAME= to take it out";
    case option::allow_control: return "give a user or a group, such as DOMAIN\\name";
    case option::host: return "give an address, such as 127.0.0.1 or 0.0.0.0";
    case option::port: return "a port is a number from 0 to 65535";
    case option::instance: return "give 1 to 64 letters, digits, '-', '_' and '.', such as blue";
    case option::wait: return "give seconds, such as 30, or 2m";
    default: return "write " + std::string(o.word) + ' ' + std::string(o.value);
  }
}

inline result<void> apply_option(command& into, const option_row& o, std::string_view value) {
  if (o.id == option::display_name) {
    if (const auto good = check_display_name(value); !good)
      return usage_error(std::string(o.word) + ": " + good.error().said, good.error().hint);
  }
  if (take_value(into, o.id, value)) return {};
  return usage_error(std::string(o.word) + " does not take '" + std::string(text::cut(value, 80)) + "'",
                     taken_values(o));
}

/// A word that is no option: the topic of help, the number of control.
inline result<void> apply_word(command& into, const verb_row& v, std::string_view word) {
  if (v.id == verb::help && !into.topic) {
    const auto topic = verb_of(word);
    if (!topic) return failure{topic.error()};
    into.topic = (*topic)->id;
    return {};
  }
  if (v.id == verb::control && into.control == 0) {
    std::uint64_t number = 0;
    if (!text::parse_number(word, 255, number) || number < 128)
      return usage_error("'" + std::string(word) + "' is no control of a service's own", "they are 128 to 255");
    into.control = static_cast<std::uint32_t>(number);
    return {};
  }
  return usage_error("'" + std::string(v.word) + "' takes no argument '" + std::string(word) + "'",
                     "options begin with --; 'help " + std::string(v.word) + "' lists them");
}

inline bool has_value(std::string_view option) noexcept {
  for (const auto& o : option_table) {
    if (text::equal_nocase(o.word, option)) return !o.value.empty();
  }
  for (const auto& o : absent_options) {
    if (text::equal_nocase(o.word, option)) return o.has_value;
  }
  return false;
}

/// pywin32 has options before the verb: `app --startup auto install`. The verb comes to the front.
inline std::vector<std::string> verb_first(std::vector<std::string> words) {
  if (asks_for_help(words[0]) || text::equal_nocase(words[0], "--version")) return words;
  for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    if (words[i].size() < 2 || words[i][0] != '-') {
      std::rotate(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(i),
                  words.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      break;
    }
    if (has_value(words[i])) ++i;  // which is no verb
  }
  return words;
}

inline result<command> parse_command(const std::vector<std::string>& as_written) {
  command asked;
  if (as_written.empty()) {
    asked.bare = true;
    return asked;
  }
  const auto words = verb_first(as_written);
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
    if (word == "--" && (bit(v.id) & bits(verb::start, verb::restart)) != 0) {
      asked.arguments.insert(asked.arguments.end(), words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      break;
    }
    if (word.size() < 2 || word[0] != '-') {
      if (auto taken = apply_word(asked, v, word); !taken) return failure{taken.error()};
      continue;
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
  if (asked.verb == verb::control && asked.control == 0)
    return usage_error("'control' needs a number", "write control N, N being 128 to 255");
  return asked;
}

inline std::vector<std::string> elevated_words(const std::vector<std::string>& words) {
  const auto mark = std::find(words.begin(), words.end(), "--");
  std::vector<std::string> out(words.begin(), mark);
  if (mark == words.end()) return out;
  for (auto it = mark + 1; it != words.end(); ++it) out.push_back("--argument=" + *it);
  return out;
}

inline launch_options launch_options_in(const std::string& image_path) {
  // Pair by pair, so that an option of another version costs nothing but itself.
  const auto words = split_command_line(image_path);
  launch_options found;
  if (words.size() < 2 || words[1] != run_service_word) return found;
  for (std::size_t i = 2; i + 1 < words.size(); ++i) {
    const auto asked = parse_command({std::string(run_service_word), words[i], words[i + 1]});
    if (asked) found = asked->launch.over(found);
  }
  return found;
}

}  // namespace model
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// model/installation.hpp
// =====================================================================================================================

// What is installed, what is to be, and what lies between the two: values in, a list of changes out, which `--plan`
// shows and host/install.hpp carries out.
//
//   const auto wanted = wanted_installation(asked, spec, there ? &*there : nullptr, ours);
//   const install_plan plan = plan_install(there ? &*there : nullptr, *wanted);
//   plan_text("hello", plan);     // "'hello' is installed; these change:\n  startup       manual -> auto\n"
//
// What counts, strongest first: what is asked on the command line, what the app says, what there is, the default.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace model {

/// All that an install sets. What is empty is unknown in what there is, and left alone in what is wanted.
struct installation {
  std::optional<winsvc::startup> startup;
  std::optional<std::string> binary;
  std::optional<std::string> display_name;
  std::optional<model::account> account;
  std::optional<std::vector<std::string>> dependencies;
  std::map<std::uint32_t, config_level> levels;  ///< by number; without delayed_start, which `startup` says
  std::optional<std::vector<std::string>> environment;
  std::map<std::string, bool> may_control;  ///< by user, those who were asked about
  std::optional<bool> reads_program;        ///< the service its executable's folder
  std::optional<bool> modifies_data;        ///< and its data folder
  bool new_password = false;                ///< one must be asked for
};

/// What an install takes from the program and not from a person.
struct install_defaults {
  std::string executable;
  std::string program_folder;                     ///< the executable's
  std::string data_folder;                        ///< empty: there is none
  std::chrono::milliseconds preshutdown{25'000};  ///< its stop limit and a little
};

enum class item {
  startup, binary, display_name, account, password, dependencies, description, recovery, failure_flag, service_sid,
  privileges, preshutdown, environment, event_source, control, logon_right, program_folder, data_folder
};

/// The levels of `installation::levels`, as the plan shows them.
struct level_row {
  std::uint32_t number;
  item what;
  std::string_view name;
};
inline constexpr level_row level_rows[] = {
    {level::description, item::description, "description"},
    {level::failure_actions, item::recovery, "recovery"},
    {level::failure_flag, item::failure_flag, "on errors too"},
    {level::sid_type, item::service_sid, "service SID"},
    {level::required_privileges, item::privileges, "privileges"},
    {level::preshutdown, item::preshutdown, "preshutdown"},
};

struct change {
  item what;
  std::string name;  ///< as the plan shows it
  std::string from;  ///< empty in a service that is not there yet
  std::string to;
};

struct install_plan {
  bool creates = false;
  std::vector<change> changes;

  [[nodiscard]] bool has(item what) const noexcept {
    for (const auto& c : changes) {
      if (c.what == what) return true;
    }
    return false;
  }
  /// For what turned out not to be possible.
  void drop(item what) {
    changes.erase(std::remove_if(changes.begin(), changes.end(), [what](const change& c) { return c.what == what; }),
                  changes.end());
  }
};

/// `there`: null where nothing is installed. Fails where the account is none.
[[nodiscard]] result<installation> wanted_installation(const command& asked, const service_spec& spec,
                                                       const installation* there, const install_defaults& ours);
[[nodiscard]] install_plan plan_install(const installation* there, const installation& wanted,
                                        const install_defaults& ours);
[[nodiscard]] std::string plan_text(std::string_view service, const install_plan& plan);
/// The list alone, a line each, indented.
[[nodiscard]] std::string changes_text(const install_plan& plan);

/// The account of a service that is there: any name that Windows gives.
[[nodiscard]] account known_account(std::string_view name, std::string_view service);

/// The environment with what is asked: NAME=value sets, NAME= takes out; names are case-blind.
[[nodiscard]] std::vector<std::string> merged_environment(std::vector<std::string> there,
                                                          const std::vector<std::string>& asked);

/// What goes without, where the system refuses a level that is optional: for a warning.
[[nodiscard]] std::string_view lost_without(std::uint32_t level) noexcept;
/// 120, 124 and 1733: the system does not know the level.
[[nodiscard]] constexpr bool is_unknown_level(std::uint32_t code) noexcept {
  return code == code::call_not_implemented || code == code::invalid_level || code == code::invalid_tag;
}

// ---------------------------------------------------------------------------------------------------------------------

inline account known_account(std::string_view name, std::string_view service) {
  if (auto known = parse_account(name, service)) return *std::move(known);
  const bool another = text::starts_with_nocase(name, "NT SERVICE\\");
  return {another ? account_kind::virtual_account : account_kind::person, std::string(name)};
}

inline std::vector<std::string> merged_environment(std::vector<std::string> there,
                                                   const std::vector<std::string>& asked) {
  const auto name_of = [](const std::string& s) { return std::string_view(s).substr(0, s.find('=')); };
  for (const auto& one : asked) {
    const auto same = std::find_if(there.begin(), there.end(),
                                   [&](const std::string& s) { return text::equal_nocase(name_of(s), name_of(one)); });
    const bool out = one.size() == name_of(one).size() + 1;
    if (same == there.end()) {
      if (!out) there.push_back(one);
    } else if (out) {
      there.erase(same);
    } else {
      *same = one;
    }
  }
  return there;
}

inline std::string_view lost_without(std::uint32_t l) noexcept {
  switch (l) {
    case level::description:
      return "the Services window shows no description";
    case level::failure_actions:
      return "it is not started again after a failure";
    case level::delayed_start:
      return "it starts without delay";
    case level::failure_flag:
      return "it is started again after a crash alone, not after it stopped with an error";
    case level::sid_type:
      return "files cannot be opened to this service alone";
    case level::required_privileges:
      return "its process keeps every privilege of its account";
    case level::preshutdown:
      return "the system's own time-out counts when the machine shuts down";
    default:
      return {};
  }
}

inline std::optional<config_level> level_of(const installation& i, std::uint32_t number) {
  const auto found = i.levels.find(number);
  return found == i.levels.end() ? std::nullopt : std::optional(found->second);
}

/// What follows a failure; nothing: leave it as it is.
inline std::optional<recovery_plan> wanted_recovery(const command& asked, const service_spec& spec,
                                                    const installation* there) {
  if (there && !asked.recovery && !asked.recovery_reset && !spec.recovery) return std::nullopt;
  const auto old = there ? level_of(*there, level::failure_actions) : std::nullopt;
  recovery_plan wanted = spec.recovery ? *spec.recovery : old ? std::get<recovery_plan>(*old) : default_recovery();
  if (asked.recovery) wanted.actions = *asked.recovery;
  if (asked.recovery_reset) wanted.reset = *asked.recovery_reset;
  for (auto& action : wanted.actions)
    action.delay = std::clamp(action.delay, std::chrono::milliseconds(0), longest_recovery_delay);
  return wanted;
}

inline result<installation> wanted_installation(const command& asked, const service_spec& spec,
                                                const installation* there, const install_defaults& ours) {
  installation wanted;
  const auto default_of = [there](auto value) { return there ? std::nullopt : std::optional(std::move(value)); };
  const auto first_of = [](const auto& a, const auto& b, auto otherwise) { return a ? a : b ? b : otherwise; };

  wanted.startup = first_of(asked.startup, spec.startup, default_of(startup::automatic));
  wanted.display_name = first_of(asked.display_name, spec.display_name, default_of(spec.name));
  wanted.dependencies = first_of(asked.depends_on, spec.depends_on, default_of(std::vector<std::string>()));
  const launch_options older = there && there->binary ? launch_options_in(*there->binary) : launch_options();
  const launch_options launch = asked.launch.over(older);
  wanted.binary = image_path(ours.executable, launch);

  const auto name = first_of(asked.username, spec.account, default_of(std::string("virtual")));
  if (name) {
    auto parsed = parse_account(*name, spec.name);
    if (!parsed) return failure{parsed.error()};
    wanted.account = *std::move(parsed);
  } else if (asked.password_stdin) {
    wanted.account = there->account;
  }
  if (wanted.account && wanted.account->needs_password()) {
    const bool same = there && there->account && text::equal_nocase(there->account->name, wanted.account->name);
    wanted.new_password = !same || asked.username || asked.password_stdin;
  }

  const auto description = first_of(asked.description, spec.description, std::optional<std::string>());
  const auto set = [&wanted](config_level l) { wanted.levels.insert_or_assign(number(l), std::move(l)); };
  if (description && (there || !description->empty())) set(description_text{*description});
  if (auto recovery = wanted_recovery(asked, spec, there)) set(*std::move(recovery));
  set(failure_flag{true});
  const auto old_type = there ? level_of(*there, level::sid_type) : std::nullopt;
  const bool stricter = old_type && std::get<sid_type>(*old_type).value == sid_type::restricted;  // an administrator's
  set(sid_type{stricter ? sid_type::restricted : sid_type::unrestricted});
  required_privileges privileges{{"SeChangeNotifyPrivilege"}};
  for (const auto& p : spec.privileges) {
    if (!text::equal_nocase(p, privileges.names[0])) privileges.names.push_back(p);
  }
  set(std::move(privileges));
  set(preshutdown_timeout{first_of(launch.preshutdown, spec.preshutdown, std::optional(ours.preshutdown)).value()});

  if (!asked.environment.empty()) {
    wanted.environment = merged_environment(
        there && there->environment ? *there->environment : std::vector<std::string>(), asked.environment);
  }
  for (const auto& user : asked.allow_control) wanted.may_control[user] = true;
  if (not_a_folder_of_ones_own(ours.program_folder).empty()) wanted.reads_program = true;
  if (!ours.data_folder.empty()) wanted.modifies_data = true;
  return wanted;
}

inline install_plan plan_install(const installation* there, const installation& wanted, const install_defaults& ours) {
  install_plan plan;
  plan.creates = there == nullptr;
  const auto put = [&](item what, std::string name, const std::optional<std::string>& from,
                       const std::string& to) {
    if (there && from && *from == to) return;
    const auto word = [](const std::string& s) { return s.empty() ? "none" : s; };
    const std::string before = !there ? std::string() : from ? word(*from) : "unknown";
    plan.changes.push_back({what, std::move(name), before, word(to)});
  };
  const auto shown = [](const auto& field, auto text_of_it) {
    return field ? std::optional<std::string>(text_of_it(*field)) : std::nullopt;
  };
  const auto list = [](const std::vector<std::string>& l) {
    return l.empty() ? std::string("none") : text::join(l, ", ");
  };
  const auto same = [](const std::string& s) { return s; };
  const installation old = there ? *there : installation();

  if (wanted.startup) {
    const auto word = [](winsvc::startup s) { return std::string(winsvc::name(s)); };
    put(item::startup, "startup", shown(old.startup, word), word(*wanted.startup));
  }
  if (wanted.binary) put(item::binary, "binary", shown(old.binary, same), *wanted.binary);
  if (wanted.display_name) put(item::display_name, "display name", shown(old.display_name, same), *wanted.display_name);
  if (wanted.account && !(old.account && text::equal_nocase(old.account->name, wanted.account->name))) {
    put(item::account, "account", shown(old.account, [](const account& a) { return a.name; }), wanted.account->name);
  }
  if (wanted.new_password) put(item::password, "password", std::nullopt, "the one that is given");
  if (wanted.dependencies) {
    if (there || !wanted.dependencies->empty())
      put(item::dependencies, "depends on", shown(old.dependencies, list), list(*wanted.dependencies));
  }
  for (const auto& row : level_rows) {
    if (const auto to = level_of(wanted, row.number))
      put(row.what, std::string(row.name), shown(level_of(old, row.number), text_of), text_of(*to));
  }
  if (wanted.environment && (there || !wanted.environment->empty()))
    put(item::environment, "environment", shown(old.environment, list), list(*wanted.environment));
  if (!there) put(item::event_source, "event source", std::nullopt, "registered");

  const auto right = [&put](item what, std::string name, std::optional<bool> has, const std::string& to) {
    if (!has.value_or(false)) put(what, std::move(name), has ? std::optional<std::string>("none") : std::nullopt, to);
  };
  for (const auto& [user, may] : wanted.may_control) {
    const auto has = old.may_control.find(user);
    right(item::control, "rights of " + user,
          has == old.may_control.end() ? std::nullopt : std::optional<bool>(has->second), "start and stop it");
  }
  if (wanted.account && wanted.account->needs_logon_right() && (plan.has(item::account) || wanted.new_password))
    put(item::logon_right, "log-on right", std::nullopt, "as a service");
  if (wanted.reads_program) right(item::program_folder, "may read", old.reads_program, ours.program_folder);
  if (wanted.modifies_data) right(item::data_folder, "may modify", old.modifies_data, ours.data_folder);
  return plan;
}

inline std::string changes_text(const install_plan& plan) {
  std::string out;
  for (const auto& c : plan.changes) {
    out += "  " + padded(c.name, 14) + (c.from.empty() ? "" : c.from + " -> ") + c.to + '\n';
  }
  return out;
}

inline std::string plan_text(std::string_view service, const install_plan& plan) {
  const std::string quoted = '\'' + std::string(service) + '\'';
  if (plan.creates) return quoted + " is not installed; install creates it:\n" + changes_text(plan);
  if (plan.changes.empty()) return quoted + " is installed as it is asked for; nothing changes\n";
  return quoted + " is installed; these change:\n" + changes_text(plan);
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
  text::json_object o;
  o.put("pid", std::to_string(s.pid)).put_text("url", s.url).put_text("since", s.since).put_text("failure", s.failure);
  return o.text() + '\n';
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
// route/facts.hpp
// =====================================================================================================================

// What is known of a route beside its pattern: its name, what it takes and answers, and what the app says about it.
//
//   facts f;
//   f.name = "user", f.summary = "One user", f.parameters = {value_kind::int32};
//
// The parts that follow from the handler's type are filled when it is registered, the rest by
// `http/route_handle.hpp`. It serves nothing: url_for, the `routes` verb, the OpenAPI document and the limits read it.

#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace route {

/// What a value in a path or a query is, as far as descriptions go.
enum class value_kind { text, int32, int64, uint32, uint64, number, boolean };

template <class T>
[[nodiscard]] constexpr value_kind kind_of_value() noexcept {
  if constexpr (std::is_same_v<T, bool>) return value_kind::boolean;
  else if constexpr (std::is_floating_point_v<T>) return value_kind::number;
  else if constexpr (!std::is_integral_v<T>) return value_kind::text;
  else if constexpr (sizeof(T) > 4) return std::is_unsigned_v<T> ? value_kind::uint64 : value_kind::int64;
  else return std::is_unsigned_v<T> ? value_kind::uint32 : value_kind::int32;
}

/// "a whole number", for sentences.
[[nodiscard]] std::string_view words(value_kind k) noexcept;

/// Would a path parameter of this kind take this text?
[[nodiscard]] bool fits(value_kind k, std::string_view value) noexcept;

/// A value of the query, as `winsvc::query` and its kin read it.
struct query_facts {
  std::string name, about;
  value_kind kind = value_kind::text;
  bool required = false;
  std::string otherwise;  ///< the default as JSON; empty when there is none
};

/// A body, of a request or of an answer.
struct body_facts {
  std::string about;
  std::string media_type;       ///< empty: what the handler's type says
  std::string schema, example;  ///< JSON; empty when there is none
};

/// What a handler's type says about its answer.
enum class answer_kind { unknown, text, json };

struct facts {
  // From the handler's type.
  std::vector<value_kind> parameters;  ///< of the path, in order; empty where the handler reads them itself
  bool takes_json = false;             ///< it has a body<T>
  bool takes_upload = false;           ///< its body goes into files
  answer_kind answers = answer_kind::unknown;
  bool may_be_missing = false;  ///< it returns an optional: 404
  bool chooses_status = false;  ///< it returns a reply or a pair, or works on the response

  // What the app says.
  std::string name;  ///< for url_for; unique but among the routes of one resource
  std::string summary, description;
  std::vector<std::string> tags;
  std::vector<query_facts> query;
  std::optional<body_facts> takes;
  std::vector<std::pair<int, body_facts>> returns;  ///< by status, in the order they were said
  bool deprecated = false;
  bool hidden = false;                     ///< not in the description
  std::optional<std::uint64_t> body_limit;  ///< bytes, in place of the app's limit
  std::optional<std::uint64_t> file_limit;  ///< bytes of each file of an upload
  std::optional<std::chrono::milliseconds> time_limit;  ///< of the handler; then the client gets 503
};

// ---------------------------------------------------------------------------------------------------------------------

inline std::string_view words(value_kind k) noexcept {
  switch (k) {
    case value_kind::int32:
    case value_kind::int64: return "a whole number, or is too large";
    case value_kind::uint32:
    case value_kind::uint64: return "a whole number from 0 on, or is too large";
    case value_kind::number: return "a number";
    case value_kind::boolean: return "true or false";
    case value_kind::text: break;
  }
  return "text";
}

template <class T>
bool reads_as(std::string_view value) noexcept {
  T to{};
  const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), to);
  return failed == std::errc() && end == value.data() + value.size();
}

inline bool fits(value_kind k, std::string_view value) noexcept {
  switch (k) {
    case value_kind::int32: return reads_as<std::int32_t>(value);
    case value_kind::int64: return reads_as<std::int64_t>(value);
    case value_kind::uint32: return reads_as<std::uint32_t>(value);
    case value_kind::uint64: return reads_as<std::uint64_t>(value);
    case value_kind::number: return reads_as<double>(value);
    case value_kind::boolean: return value == "true" || value == "false";
    case value_kind::text: break;
  }
  return true;
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
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace route {

/// The answers: serve it, 404, 405 (or 204 to OPTIONS) with Allow, 400, and 503 while the service is paused (which the
/// table itself never says).
enum class outcome { found, not_found, method_not_allowed, bad_path, paused };

struct match_result {
  outcome what = outcome::not_found;
  std::size_t id = 0;                ///< of the route, when found
  std::vector<std::string> values;   ///< of its parameters, decoded, in their order, when found
  method_set allowed;                ///< what this path can be asked for, when method_not_allowed
  std::optional<std::size_t> beside;  ///< a route of this path for another method, when method_not_allowed
};

/// A registered route, as `app.exe routes` lists it.
struct entry {
  method verb;
  pattern path;
  std::size_t id;
  source where;
  facts about;

  /// `GET /users/{id} (main.cpp:12)`, for sentences.
  [[nodiscard]] std::string text() const {
    return std::string(name(verb)) + ' ' + path.text + " (" + where.text() + ')';
  }
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
  /// What is known of the route that was added as the index-th.
  [[nodiscard]] facts& about(std::size_t index) noexcept { return entries_[index].about; }

  /// Names the routes from `first` up to `last`, which have one pattern. Throws setup_error when the name is empty or
  /// that of other routes (both places are named), or when they have one already.
  void name_routes(std::size_t first, std::size_t last, std::string name);
  /// The first route of this name; null when there is none.
  [[nodiscard]] const entry* named(std::string_view name) const noexcept;
  [[nodiscard]] std::vector<std::string_view> names() const;

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
    std::size_t met = none;  ///< the first route of another method
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
  std::map<std::string, std::size_t, std::less<>> names_;  // to the first entry that has it
  method_set all_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline void table::check_conflicts(method verb, const pattern& path, source where) const {
  for (const auto& old : entries_) {
    const bool equal = old.verb == verb;
    if (!equal && old.verb != method::any && verb != method::any) continue;
    const relation how = compare(path, old.path);
    if (how != relation::overlap && !(how == relation::same && equal)) continue;

    throw setup_error(entry{verb, path, 0, where, {}}.text() + " conflicts with " + old.text() +
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
  entries_.push_back({verb, std::move(path), id, where, {}});
}

inline void table::name_routes(std::size_t first, std::size_t last, std::string name) {
  const entry& one = entries_[first];
  if (name.empty()) throw setup_error(one.text() + ": its name is empty");
  if (!one.about.name.empty()) {
    throw setup_error(one.text() + ": it is named '" + one.about.name + "' already, and now '" + name + "'");
  }
  const auto [at, fresh] = names_.emplace(name, first);
  if (!fresh) {
    throw setup_error(one.text() + " and " + entries_[at->second].text() + " are both named '" + name +
                      "'; a name is one route's, so that url_for knows which");
  }
  for (std::size_t i = first; i < last; ++i) entries_[i].about.name = name;
}

inline const entry* table::named(std::string_view name) const noexcept {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : &entries_[found->second];
}

inline std::vector<std::string_view> table::names() const {
  std::vector<std::string_view> all;
  for (const auto& [name, index] : names_) all.push_back(name);
  return all;
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
  if (s.found != none) return true;
  for (const auto other : end.by_method) s.met = (std::min)(s.met, other);
  return false;
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
    result.beside = entries_[s.met].id;
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
// route/url.hpp
// =====================================================================================================================

// A pattern and its values back into a path: the other way round than a table goes.
//
//   build_path(parse_pattern("/users/{id}"), {"7"})               // "/users/7"
//   build_path(parse_pattern("/files/{path...}"), {"a b/c"})      // "/files/a%20b/c": a tail keeps its slashes
//   with_query("/users", {{"page", 2}, {"q", "a&b"}})             // "/users?page=2&q=a%26b"
//
// What it builds, `table::match` takes apart into the same values. Values that no path can carry are refused: an empty
// segment, a NUL, and "." and "..", which clients resolve before they ask (RFC 3986 §5.2.4, escaped ones too).

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {

/// A value for a URL: text, an integer, a floating point number (the shortest text that reads back), a bool.
class url_value {
 public:
  url_value(std::string value) : text_(std::move(value)) {}
  url_value(std::string_view value) : text_(value) {}
  url_value(const char* value) : text_(value) {}
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  url_value(T value) {
    static_assert(!std::is_same_v<T, char>, "winsvc: a char in a URL is a number or a letter? give an int or a string");
    if constexpr (std::is_same_v<T, bool>) {
      text_ = value ? "true" : "false";
    } else {
      char digits[64];
      text_.assign(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
    }
  }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

/// A URL with values behind its '?', percent-encoded; where it has some already, behind those.
[[nodiscard]] std::string with_query(std::string url,
                                     std::initializer_list<std::pair<std::string_view, url_value>> values);

namespace route {

/// The path of a route, percent-encoded (RFC 3986). Throws setup_error: the wrong number of values, or one that no
/// path could carry or that this route would not take.
[[nodiscard]] std::string build_path(const entry& of, const std::vector<url_value>& values);

/// The same by the route's name. Throws setup_error for a name that is none, too, with the nearest that is one.
[[nodiscard]] std::string build_path(const table& routes, std::string_view name, const std::vector<url_value>& values);

}  // namespace route

// ---------------------------------------------------------------------------------------------------------------------

namespace route {

/// A piece of the query: only what is neither reserved nor a blank stays as it is (RFC 3986 §2.3), so that '+', '&' and
/// '=' mean themselves wherever it is read.
inline std::string percent_encode_value(std::string_view value) {
  std::string out;
  for (const char c : percent_encode_segment(value)) {
    constexpr std::string_view reserved = "!$&'()*+,;=:@";
    if (reserved.find(c) == std::string_view::npos) out += c;
    else out += "%" + std::string(1, "0123456789ABCDEF"[c >> 4]) + "0123456789ABCDEF"[c & 15];
  }
  return out;
}

/// One decoded segment of a path: what is wrong with it, or nothing.
inline std::string_view unfit_segment(std::string_view value) noexcept {
  if (value.find('\0') != std::string_view::npos) return "holds a NUL, which no path may";
  if (value == "." || value == "..") return "would be resolved by the client, and not reach this route";
  return {};
}

inline std::string build_path(const entry& of, const std::vector<url_value>& values) {
  const auto refuse = [&of](const std::string& why) { throw setup_error("url_for " + of.text() + ": " + why); };
  const auto& names = of.path.names;
  if (values.size() != names.size()) {
    refuse("the pattern has " + std::to_string(names.size()) + " parameter" + (names.size() == 1 ? "" : "s") + ", " +
           std::to_string(values.size()) + (values.size() == 1 ? " value was" : " values were") + " given");
  }

  std::string path;
  std::size_t next = 0;
  for (const auto& piece : of.path.segments) {
    if (piece.kind == segment::sort::literal) {
      path += '/' + percent_encode_segment(piece.text);
      continue;
    }
    const std::string& value = values[next].text();
    const bool tail = piece.kind == segment::sort::tail;
    const std::string shown = "the parameter '" + piece.text + "'";
    if (!tail && value.empty()) refuse(shown + " is empty, which a segment of a path is not");
    if (next < of.about.parameters.size() && !fits(of.about.parameters[next], value)) {
      refuse(shown + " is not " + std::string(words(of.about.parameters[next])) + ": '" +
             std::string(text::cut(value, 80)) + "'");
    }
    for (const std::string_view part : tail ? text::split(value, '/') : std::vector<std::string_view>{value}) {
      if (const auto why = unfit_segment(part); !why.empty()) refuse(shown + " " + std::string(why));
      path += '/' + percent_encode_segment(part);
    }
    ++next;
  }
  // To a browser that is a host, not a path (RFC 3986 §4.2).
  if (path.size() > 1 && path[1] == '/') refuse("it would begin with '//', which names a host");
  return path;
}

inline std::string build_path(const table& routes, std::string_view name, const std::vector<url_value>& values) {
  if (const entry* found = routes.named(name)) return build_path(*found, values);
  const auto names = routes.names();
  const auto near_one = text::nearest(name, names);
  throw setup_error("url_for '" + std::string(name) + "': no route has this name" +
                    (near_one.empty() ? names.empty() ? ": none has one yet; say .name(\"…\") behind a route" : ""
                                      : "; did you mean '" + std::string(near_one) + "'?"));
}

}  // namespace route

inline std::string with_query(std::string url,
                              std::initializer_list<std::pair<std::string_view, url_value>> values) {
  const auto hash = (std::min)(url.find('#'), url.size());
  const std::string fragment = url.substr(hash);
  url.resize(hash);
  for (const auto& [name, value] : values) {
    if (url.find('?') == std::string::npos) url += '?';
    else if (url.back() != '?' && url.back() != '&') url += '&';
    url += route::percent_encode_value(name) + '=' + route::percent_encode_value(value.text());
  }
  return url + fragment;
}

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
  std::size_t field_bytes = 8000;      ///< of one name; cpp-httplib refuses a line of more than 8192; else 431
  std::size_t fields = 100;            ///< field lines; cpp-httplib refuses more than 100; else 431

  // The body (RFC 9112 §6, §7.1).
  std::uint64_t body_bytes = 8 * 1024 * 1024;  ///< it is kept in memory: 8 MiB times some clients still fits; else 413
  std::size_t chunk_digits = 8;                ///< hex digits of a chunk size: 4 GiB, never near an overflow
  std::size_t chunk_extension_bytes = 4096;    ///< of all chunks of a body together: nobody uses them, CVE-2023-39326
  std::size_t trailer_bytes = 8192;            ///< the trailer section; it is dropped, so it need not be large

  /// Plain requests pass by cpp-httplib's parser and writer (http/direct.hpp). Off: all go through them.
  bool direct_path = true;

  // The clock.
  std::chrono::milliseconds head_time = std::chrono::seconds(10);   ///< first byte to empty line: slowloris
  std::chrono::milliseconds idle_time = std::chrono::seconds(60);   ///< between two requests: browsers hold 60 to 120 s
  std::chrono::milliseconds body_time = std::chrono::seconds(20);   ///< for a body; the rate adds to it
  std::uint64_t body_bytes_per_second = 1024;                       ///< the slowest client that is not an attack
  std::chrono::milliseconds write_time = std::chrono::seconds(20);  ///< without progress: a client that stopped reading

  // The crowd.
  std::size_t connections = 10'000;          ///< open at once; else 503
  std::size_t connections_per_address = 0;   ///< of one client; 0: any. Else 429. Behind a proxy all have its address
  std::size_t threads = 256;                 ///< in handlers at once; long answers and WebSockets are not counted
  std::size_t queue = 1000;                  ///< requests that wait for one of them; else 503

  // WebSockets.
  std::size_t websockets = 1000;                     ///< open at once, each with a thread of its own; else 503
  std::size_t websocket_message_bytes = 1024 * 1024; ///< it is kept in memory until it is whole; else close code 1009
  std::chrono::milliseconds websocket_ping = std::chrono::seconds(30);  ///< of silence, then a ping asks for life
  std::chrono::milliseconds websocket_pong = std::chrono::seconds(20);  ///< of silence after that: the client is gone
  std::chrono::milliseconds websocket_close = std::chrono::seconds(2);  ///< for the client's half of the goodbye

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

// A request head that has passed the gate (wire/gate.hpp): what it says, and the one form in which it is handed on.
//
//   for_each_canonical(h, [](std::string_view name, std::string&& value) { … });
//   const std::string text = canonical_head(h, escape_percent);      // the same, for a parser to read
//
// What passes is written anew, so that whoever reads it, whichever its version, has nothing left to interpret.

#include <algorithm>
#include <cstddef>
#include <cstdint>
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
  bool repeats = false;          ///< some name is there twice
  bool upgrade = false;          ///< a switch of protocol is asked for, and may be granted (RFC 9110 §7.8)
  route::method verb = route::method::get;

  /// The value of the first field of this name in any case; nothing when there is none.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
};

/// Calls `f(name, value)` for the fields as they are handed on: no hop-by-hop ones (RFC 9110 §7.6.1), the framing and the
/// fate of the connection stated once, by us.
///
/// Lines of one name become one, in their order (RFC 9110 §5.3): "a" and "b" are "a, b", and "a; b" for Cookie. Before
/// 0.53 cpp-httplib keeps them in no order that it promises, and whoever wrote the last line matters in some:
/// X-Forwarded-For. A Range that is there twice is left out, as §14.2 allows.
template <class F>
void for_each_canonical(const head& h, const F& f);

/// The head in the only form that cpp-httplib shall read: an origin-form target, and the fields from above. To hand a
/// decoded chunked body over, set `framing` and `content_length` of a copy before.
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

/// Fields that are about the connection or the framing: canonical_head states them itself.
[[nodiscard]] inline bool is_restated(std::string_view name) noexcept {
  constexpr std::string_view names[] = {"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding",
                                        "Content-Length", "Expect", "TE", "Trailer", "Upgrade"};
  return std::any_of(std::begin(names), std::end(names), [&](auto n) { return text::equal_nocase(n, name); });
}
/// Range means something to GET, in bytes and once alone, and is to be ignored otherwise (RFC 9110 §14.2); cpp-httplib
/// would answer 416.
[[nodiscard]] inline bool is_passed_on(const head& h, const field& f) noexcept {
  if (text::equal_nocase(f.name, "Upgrade")) return h.upgrade;
  if (text::equal_nocase(f.name, "Range")) {
    return (h.verb == route::method::get || h.verb == route::method::head) &&
           text::equal_nocase(f.value.substr(0, 6), "bytes=") &&
           std::none_of(h.fields.begin(), h.fields.end(), [&f](const field& other) {
             return &other != &f && text::equal_nocase(other.name, f.name);
           });
  }
  return !is_restated(f.name);
}
/// Calls `f(name, values)` for the fields that are passed on, in the order of each name's first line. At least one
/// value; of more, none is empty, as an empty member of a list is none (RFC 9110 §5.6.1).
template <class F>
void for_each_name(const head& h, F&& f) {
  std::vector<std::string_view> values;
  for (auto at = h.fields.begin(); at != h.fields.end(); ++at) {
    const auto has_name = [at](const field& other) { return text::equal_nocase(other.name, at->name); };
    if (!is_passed_on(h, *at) || std::any_of(h.fields.begin(), at, has_name)) continue;
    values.clear();
    for (auto line = at; line != h.fields.end(); ++line) {
      if (!line->value.empty() && has_name(*line)) values.push_back(line->value);
    }
    if (values.empty()) values.emplace_back();
    f(at->name, values);
  }
}
[[nodiscard]] inline std::string_view between_values(std::string_view name) noexcept {
  return text::equal_nocase(name, "Cookie") ? "; " : ", ";  // RFC 6265 §4.2.1
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

template <class F>
void for_each_canonical(const head& h, const F& f) {
  if (!h.host.empty() && !h.find("Host")) f("Host", std::string(h.host));  // an absolute-form target in 1.0
  if (!h.repeats) {
    for (const auto& one : h.fields) {
      if (is_passed_on(h, one)) f(one.name, std::string(one.value));
    }
  } else {
    for_each_name(h, [&f](std::string_view name, const std::vector<std::string_view>& values) {
      std::string joined(values[0]);
      for (std::size_t i = 1; i < values.size(); ++i) joined.append(between_values(name)).append(values[i]);
      f(name, std::move(joined));
    });
  }
  if (h.framing == framing::chunked) f("Transfer-Encoding", std::string("chunked"));
  else if (h.framing == framing::length || states_no_body(h)) f("Content-Length", std::to_string(h.content_length));
  if (states_connection(h))
    f("Connection", std::string(!h.keep_alive ? "close" : h.upgrade ? "Upgrade" : "Keep-Alive"));
}

inline std::string canonical_head(const head& h, bool escape_percent) {
  std::string out;
  out.reserve(512);
  out.append(h.method).append(" ").append(h.path);
  if (!h.query.empty()) out.append("?").append(h.query);
  out.append(h.minor == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  for_each_canonical(h, [&](std::string_view name, std::string_view value) {
    // cpp-httplib before 0.44 decodes the values of all fields but these two.
    const bool escaped =
        escape_percent && !text::equal_nocase(name, "Location") && !text::equal_nocase(name, "Referer");
    out.append(name).append(": ");
    for (auto mark = value.find('%'); escaped && mark != value.npos; mark = value.find('%')) {
      out.append(value.substr(0, mark)).append("%25");
      value.remove_prefix(mark + 1);
    }
    out.append(value).append("\r\n");
  });
  return out.append("\r\n");
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// wire/gate.hpp
// =====================================================================================================================

// The gate: decides whether the bytes a client sent are one valid HTTP/1.1 request head, before cpp-httplib sees any.
//
//   std::size_t scanned = 0;
//   auto got = parse_head(buffer, bounds, &scanned);       // again with a longer buffer while got.step is more
//   if (got.step == head_result::reject) answer(got.status, got.reason), close();
//   if (got.step == head_result::complete) hand_over(canonical_head(got.value, escape_percent));
//
// What is malformed or can be read in two ways is rejected, at the first byte that proves it, with the status to
// answer; the connection is closed after that. The verdict on some bytes is the same whether they came at once or
// singly. A head as browsers send it costs one allocation, for its fields.
//
// It does not read bodies (wire/chunked.hpp), does not decode the path (route/path.hpp), and does not hold a body's
// length against `limits::body_bytes`: a 404 or 401 comes before the 413, so that is the caller's next question.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

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

// ---------------------------------------------------------------------------------------------------------------------

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
  void note_name(std::string_view name) noexcept;
  [[nodiscard]] fault content_length(std::string_view value);
  [[nodiscard]] fault transfer_encoding(std::string_view value);

  const limits& bounds_;
  head& out_;
  std::string_view authority_;  // of an absolute-form target
  std::uint64_t names_ = 0;     // a bit for each that was met, shared by some
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
  const auto method_end = line.find(' ');
  const auto target_end = method_end == line.npos ? line.npos : line.find(' ', method_end + 1);
  if (target_end == line.npos) return {400, "malformed request line"};
  const auto method = line.substr(0, method_end), target_text = line.substr(method_end + 1, target_end - method_end - 1),
             version = line.substr(target_end + 1);
  if (!is_token(method) || target_text.empty() || version.find(' ') != version.npos)
    return {400, "malformed request line"};

  const bool shaped = version.size() == 8 && text::starts_with(version, "HTTP/") && text::is_digit(version[5]) &&
                      version[6] == '.' && text::is_digit(version[7]);
  if (!shaped) return {400, "malformed HTTP version"};
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return {505, "HTTP version not supported"};
  out_.minor = version[7] - '0';

  const auto verb = route::parse_method(method);
  if (!verb) return {501, "method not implemented"};
  out_.verb = *verb;
  out_.method = method;
  out_.fields.reserve(16);  // what a browser sends
  return target(target_text);
}

/// The three forms of RFC 9112 §3.2 that an origin server can be sent; the fourth belongs to CONNECT.
inline fault head_reader::target(std::string_view text) {
  out_.target = text;
  // RFC 3986 §2 knows no bytes beyond ASCII. The few ASCII marks it lacks ("{", "|", …) come from browsers, and pass.
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7F) return {400, "invalid character in target"};
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
  note_name(f.name);
  out_.fields.push_back(f);
  return known_field(f);
}

/// Names that differ in length, first or last letter need no comparing.
inline void head_reader::note_name(std::string_view name) noexcept {
  const auto letter = [](char c) { return static_cast<unsigned>(text::to_lower(c)); };
  const auto bit = std::uint64_t{1} << ((name.size() * 7 + letter(name.front()) * 5 + letter(name.back())) % 64);
  if ((names_ & bit) != 0 && out_.find(name)) out_.repeats = true;
  names_ |= bit;
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
    for (auto rest = f.value; !rest.empty();) {
      const auto end = (std::min)(rest.find(','), rest.size());
      const auto option = text::trimmed(rest.substr(0, end));
      rest.remove_prefix((std::min)(end + 1, rest.size()));
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

  // What canonical_head writes is counted by cpp-httplib again: the lines, and the bytes of each.
  constexpr std::size_t most_added = 3;
  if (!out_.repeats && out_.fields.size() + most_added <= bounds_.fields) return {};
  bool short_enough = true;
  for_each_name(out_, [&](std::string_view name, const std::vector<std::string_view>& values) {
    if (values.size() == 1) return;  // was measured when it came
    std::size_t bytes = name.size();
    for (const auto value : values) bytes += value.size() + 2;
    if (bytes > bounds_.field_bytes) short_enough = false;
  });
  if (!short_enough) return {431, "fields of one name too long"};
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
// wire/fields.hpp
// =====================================================================================================================

// Names and values as queries and forms have them, application/x-www-form-urlencoded: `a=1&b=x+y`.
//
//   find_field("a=1&b=x+y", "b")          // "x y"; nothing when there is none of this name
//   find_fields("a=1&b=2&a=1", "a")       // "1", "1": each as often as it is there
//   field_count("a=1&b=x+y")              // 2 at the most
//
// A name is looked for where it is, and nothing is kept of the others: many fields cost no memory. What is no escape
// means itself, as browsers have it: "100%" is "100%".
// Source: the URL standard, section "application/x-www-form-urlencoded parsing".

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// The value of the first field of this name, decoded.
[[nodiscard]] std::optional<std::string> find_field(std::string_view fields, std::string_view name);
/// Those of all of them, in their order.
[[nodiscard]] std::vector<std::string> find_fields(std::string_view fields, std::string_view name);
/// No more fields than this are there; the empty ones between two '&' count.
[[nodiscard]] std::size_t field_count(std::string_view fields) noexcept;

/// What is behind the '?' of a target.
[[nodiscard]] std::string_view query_of(std::string_view target) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

[[nodiscard]] inline std::string decode_field(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  for (std::size_t at = 0; at < raw.size(); ++at) {
    const int byte = raw[at] == '%' ? route::escaped_byte(raw, at) : -1;
    if (byte >= 0) at += 2;
    out += byte >= 0 ? static_cast<char>(static_cast<unsigned char>(byte)) : raw[at] == '+' ? ' ' : raw[at];
  }
  return out;
}

/// Calls `f(raw value)` for each field of the name, until it returns false.
template <class F>
void for_each_field(std::string_view fields, std::string_view name, F&& f) {
  while (!fields.empty()) {
    const auto pair = fields.substr(0, fields.find('&'));
    fields.remove_prefix((std::min)(pair.size() + 1, fields.size()));
    if (pair.empty()) continue;
    const auto key = pair.substr(0, pair.find('='));
    const bool plain = key.find_first_of("%+") == std::string_view::npos;
    if (!(plain ? key == name : decode_field(key) == name)) continue;
    if (!f(pair.substr((std::min)(key.size() + 1, pair.size())))) return;
  }
}

inline std::optional<std::string> find_field(std::string_view fields, std::string_view name) {
  std::optional<std::string> found;
  for_each_field(fields, name, [&found](std::string_view raw) {
    found = decode_field(raw);
    return false;
  });
  return found;
}
inline std::vector<std::string> find_fields(std::string_view fields, std::string_view name) {
  std::vector<std::string> found;
  for_each_field(fields, name, [&found](std::string_view raw) {
    found.push_back(decode_field(raw));
    return true;
  });
  return found;
}
inline std::size_t field_count(std::string_view fields) noexcept {
  return fields.empty() ? 0 : 1 + static_cast<std::size_t>(std::count(fields.begin(), fields.end(), '&'));
}

inline std::string_view query_of(std::string_view target) noexcept {
  const auto mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// wire/cookie.hpp
// =====================================================================================================================

// A cookie as text: with all its attributes, and signed so that a client cannot change what it keeps for us.
//
//   cookie("theme", "dark").max_age(24h * 30).text()        // the value of Set-Cookie
//   const auto text = sign("user", "anna", key, 8h);
//   unsign("user", text, key)                               // "anna", for eight hours
//
// By default a cookie is `Path=/; HttpOnly; SameSite=Lax`; `secure()` adds Secure, and should where there is TLS.
// A signature hides nothing: the client can read the value. web/cookies.hpp reads and sets cookies of requests.
// Source: RFC 6265 and its successor draft for SameSite.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {

/// A cookie to set. A name or value that RFC 6265 does not allow throws setup_error: encode it (`text::to_base64url`).
class cookie {
 public:
  cookie(std::string name, std::string value);

  cookie& path(std::string p) { return keep(path_, std::move(p)); }
  cookie& domain(std::string d) { return keep(domain_, std::move(d)); }
  /// How long the browser keeps it. Without: until it is closed. 0: it is deleted.
  cookie& max_age(std::chrono::seconds age) {
    max_age_ = age;
    return *this;
  }
  cookie& secure(bool on = true) {
    secure_ = on;
    return *this;
  }
  /// Scripts of the page see it when this is off.
  cookie& http_only(bool on) {
    http_only_ = on;
    return *this;
  }
  /// "Strict", "Lax" or "None"; with "None" browsers want `secure` too.
  cookie& same_site(std::string value);

  /// The value of Set-Cookie.
  [[nodiscard]] std::string text() const;

 private:
  cookie& keep(std::string& into, std::string value);
  std::string name_, value_, path_ = "/", domain_, same_site_ = "Lax";
  std::optional<std::chrono::seconds> max_age_;
  bool secure_ = false, http_only_ = true;
};

/// `value` with its end and a signature behind it, fit for a cookie. It holds for this name alone, so that no cookie is
/// passed off as another, and for `lifetime` from now on. `key`: at least 16 bytes that nobody else knows, else
/// setup_error.
[[nodiscard]] std::string sign(std::string_view name, std::string_view value, std::string_view key,
                               std::chrono::seconds lifetime, const clock& time = clock::system());
/// The value again; nothing when there is none, when its time is over, or when it is not what `sign` made with this
/// name and key. Never throws but for memory.
[[nodiscard]] std::optional<std::string> unsign(std::string_view name, std::optional<std::string_view> signed_value,
                                                std::string_view key, const clock& time = clock::system());

namespace wire {

/// The value of the first cookie of this name in a Cookie header, without quotes around it.
[[nodiscard]] std::optional<std::string_view> cookie_in(std::string_view header, std::string_view name);
/// Would the second value of Set-Cookie replace the first in a browser? Name, Domain and Path are a cookie's identity.
[[nodiscard]] bool same_cookie(std::string_view one, std::string_view other);

}  // namespace wire

// ---------------------------------------------------------------------------------------------------------------------

namespace wire {

[[nodiscard]] inline bool fits_cookie(std::string_view s) noexcept {
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u >= 0x7F || c == '"' || c == ',' || c == ';' || c == '\\') return false;
  }
  return true;
}

inline constexpr std::size_t least_key_bytes = 16;

/// What is signed: no two triples give the same text.
[[nodiscard]] inline std::string cookie_signature(std::string_view name, std::string_view value, std::string_view until,
                                                  std::string_view key) {
  std::string all = std::to_string(name.size()) + ' ' + std::string(until) + ' ';
  all += name;
  all += value;
  return text::to_base64url(hmac_sha256(key, all));
}
[[nodiscard]] inline std::int64_t unix_seconds(const clock& time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.wall().time_since_epoch()).count();
}

}  // namespace wire

inline cookie::cookie(std::string name, std::string value) : name_(std::move(name)), value_(std::move(value)) {
  if (!wire::is_token(name_)) throw setup_error("cookie '" + name_ + "': the name is no token (RFC 6265)");
  if (!wire::fits_cookie(value_)) {
    throw setup_error("cookie '" + name_ +
                      "': its value has a blank, quote, comma, semicolon, backslash or a byte that is "
                      "not ASCII; encode it, with text::to_base64url say");
  }
}
inline cookie& cookie::keep(std::string& into, std::string value) {
  for (const char c : value) {
    if (static_cast<unsigned char>(c) < 0x20 || c == ';' || c == 0x7F)
      throw setup_error("cookie '" + name_ + "': an attribute has a semicolon or a control character");
  }
  into = std::move(value);
  return *this;
}
inline cookie& cookie::same_site(std::string value) {
  if (value != "Strict" && value != "Lax" && value != "None")
    throw setup_error("cookie '" + name_ + "': SameSite is Strict, Lax or None");
  same_site_ = std::move(value);
  return *this;
}
inline std::string cookie::text() const {
  std::string out = name_ + '=' + value_;
  if (!path_.empty()) out += "; Path=" + path_;
  if (!domain_.empty()) out += "; Domain=" + domain_;
  if (max_age_) out += "; Max-Age=" + std::to_string(max_age_->count());
  if (secure_) out += "; Secure";
  if (http_only_) out += "; HttpOnly";
  return out + "; SameSite=" + same_site_;
}

inline std::string sign(std::string_view name, std::string_view value, std::string_view key,
                        std::chrono::seconds lifetime, const clock& time) {
  if (key.size() < wire::least_key_bytes)
    throw setup_error("sign: the key is shorter than 16 bytes; anybody could guess it");
  constexpr std::int64_t longest = std::int64_t{1} << 40;  // 34,000 years: no sum overflows
  const auto now = (std::max)(std::int64_t{0}, wire::unix_seconds(time));
  const auto until = std::to_string(now + (std::clamp)(std::int64_t{lifetime.count()}, -now, longest));
  return text::to_base64url(value) + '.' + until + '.' + wire::cookie_signature(name, value, until, key);
}

inline std::optional<std::string> unsign(std::string_view name, std::optional<std::string_view> signed_value,
                                         std::string_view key, const clock& time) {
  if (!signed_value || key.size() < wire::least_key_bytes) return std::nullopt;
  const auto parts = text::split(*signed_value, '.');
  if (parts.size() != 3) return std::nullopt;
  auto value = text::from_base64(parts[0]);
  if (!value || text::to_base64url(*value) != parts[0]) return std::nullopt;  // one text a value
  if (!equal_secret(parts[2], wire::cookie_signature(name, *value, parts[1], key))) return std::nullopt;
  std::uint64_t until = 0;  // ours from here on, as it was signed
  if (!text::parse_number(parts[1], UINT64_MAX, until)) return std::nullopt;
  if (wire::unix_seconds(time) >= static_cast<std::int64_t>(until)) return std::nullopt;
  return value;
}

namespace wire {

inline std::optional<std::string_view> cookie_in(std::string_view header, std::string_view name) {
  for (const std::string_view part : text::split(header, ';')) {
    const std::string_view pair = text::trimmed(part);
    const auto equals = pair.find('=');
    if (equals == pair.npos || text::trimmed(pair.substr(0, equals)) != name) continue;
    std::string_view value = text::trimmed(pair.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    return value;
  }
  return std::nullopt;
}

inline bool same_cookie(std::string_view one, std::string_view other) {
  const auto attribute = [](std::string_view of, std::string_view name) {
    std::string_view found;
    for (const auto part : text::split(of, ';')) {
      const auto pair = text::trimmed(part);
      if (text::equal_nocase(pair.substr(0, pair.find('=')), name))
        found = pair.substr((std::min)(name.size() + 1, pair.size()));
    }
    return found;
  };
  const auto name = [](std::string_view of) { return text::trimmed(of.substr(0, of.find_first_of("=;"))); };
  return name(one) == name(other) && attribute(one, "Path") == attribute(other, "Path") &&
         text::equal_nocase(attribute(one, "Domain"), attribute(other, "Domain"));
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// wire/ip.hpp
// =====================================================================================================================

// IP addresses as bytes, ranges of them, and which of those that proxies name is the client's.
//
//   parse_ip("::ffff:10.0.0.1") == parse_ip("10.0.0.1")
//   ip_range::parse("10.0.0.0/8")->contains(*parse_ip("10.1.2.3"))
//   client_behind("127.0.0.1", "1.1.1.1, 203.0.113.9", {*ip_range::parse("127.0.0.1")})      // "203.0.113.9"
//
// Zones ("fe80::1%eth0") are no part of an address here.
// Source: RFC 4291 section 2.2, RFC 4632 section 3.1.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {

/// An IP address as 16 bytes; IPv4 as ::ffff:a.b.c.d.
using ip_bytes = std::array<unsigned char, 16>;
[[nodiscard]] std::optional<ip_bytes> parse_ip(std::string_view s);

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, or one address. One of IPv6 has IPv4 addresses in it only when it
/// says so, with 96 bits or more: "::/0" is not everybody.
class ip_range {
 public:
  /// Nothing for what is none, and for one with bits behind its length: is `10.0.0.1/8` one address or a network?
  [[nodiscard]] static std::optional<ip_range> parse(std::string_view s);
  [[nodiscard]] bool contains(const ip_bytes& a) const noexcept;

 private:
  ip_bytes first_{};
  unsigned bits_ = 128;
};

namespace wire {

/// The client's address behind trusted proxies: `forwarded_for` (the values of X-Forwarded-For in their order) is read
/// from the right while whoever wrote it is trusted, beginning with the peer. Ports and brackets are taken off; at what
/// is no address it ends.
[[nodiscard]] std::string_view client_behind(std::string_view peer, std::string_view forwarded_for,
                                             const std::vector<ip_range>& trusted);

/// What one subscriber has: the address itself, and of IPv6 its /64. What is no address is "::".
[[nodiscard]] ip_bytes subscriber(std::string_view address);

}  // namespace wire

// ---------------------------------------------------------------------------------------------------------------------

[[nodiscard]] inline bool is_v4(const ip_bytes& a) noexcept {
  return a[10] == 0xFF && a[11] == 0xFF && std::all_of(a.begin(), a.begin() + 10, [](auto byte) { return byte == 0; });
}

inline std::optional<ip_bytes> parse_ip(std::string_view s) {
  ip_bytes out{};
  const auto number = [](std::string_view digits, std::uint64_t most, std::uint64_t& value) {
    return digits.size() <= 3 && (digits.size() < 2 || digits[0] != '0') && text::parse_number(digits, most, value);
  };
  const auto dotted = [&](std::string_view four, std::size_t at) {
    const auto parts = text::split(four, '.');
    if (parts.size() != 4) return false;
    for (std::size_t i = 0; i < 4; ++i) {
      std::uint64_t value = 0;
      if (!number(parts[i], 255, value)) return false;
      out[at + i] = static_cast<unsigned char>(value);
    }
    return true;
  };
  if (s.find(':') == s.npos) {
    out[10] = out[11] = 0xFF;
    return dotted(s, 12) ? std::optional(out) : std::nullopt;
  }

  // Groups before and behind "::", which stands for as many zeros as are missing.
  std::vector<std::uint16_t> head, tail;
  const auto gap = s.find("::");
  const auto groups = [&](std::string_view part, std::vector<std::uint16_t>& into) {
    if (part.empty()) return true;
    const auto all = text::split(part, ':');
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i + 1 == all.size() && all[i].find('.') != std::string_view::npos) {  // the last 32 bits, dotted
        if (!dotted(all[i], 12)) return false;
        into.push_back(static_cast<std::uint16_t>(out[12] << 8 | out[13]));
        into.push_back(static_cast<std::uint16_t>(out[14] << 8 | out[15]));
        return true;
      }
      if (all[i].empty() || all[i].size() > 4) return false;
      unsigned value = 0;
      for (const char c : all[i]) {
        const char low = text::to_lower(c);
        const int digit = text::is_digit(c) ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
        if (digit < 0) return false;
        value = value * 16 + static_cast<unsigned>(digit);
      }
      into.push_back(static_cast<std::uint16_t>(value));
    }
    return true;
  };
  if (!groups(s.substr(0, gap), head)) return std::nullopt;
  if (gap != s.npos && !groups(s.substr(gap + 2), tail)) return std::nullopt;
  const std::size_t have = head.size() + tail.size();
  if (gap == s.npos ? have != 8 : have > 7) return std::nullopt;
  out = {};
  for (std::size_t i = 0; i < head.size(); ++i)
    out[2 * i] = static_cast<unsigned char>(head[i] >> 8), out[2 * i + 1] = static_cast<unsigned char>(head[i] & 0xFF);
  for (std::size_t i = 0; i < tail.size(); ++i) {
    const std::size_t at = 2 * (8 - tail.size() + i);
    out[at] = static_cast<unsigned char>(tail[i] >> 8);
    out[at + 1] = static_cast<unsigned char>(tail[i] & 0xFF);
  }
  return out;
}

/// Of the byte that the bit is in, the bits of a network of so many bits.
[[nodiscard]] inline unsigned network_mask(unsigned byte, unsigned bits) noexcept {
  const unsigned left = bits <= 8 * byte ? 0 : (std::min)(bits - 8 * byte, 8u);
  return 0xFF00u >> left & 0xFFu;
}

inline std::optional<ip_range> ip_range::parse(std::string_view s) {
  const auto slash = s.find('/');
  const auto address = parse_ip(s.substr(0, slash));
  if (!address) return std::nullopt;
  ip_range range;
  range.first_ = *address;
  if (slash == s.npos) return range;
  const bool v4 = s.find(':') == s.npos;
  std::uint64_t bits = 0;
  if (!text::parse_number(s.substr(slash + 1), v4 ? 32 : 128, bits)) return std::nullopt;
  range.bits_ = static_cast<unsigned>(bits) + (v4 ? 96 : 0);
  for (unsigned i = 0; i < 16; ++i) {
    if ((range.first_[i] & ~network_mask(i, range.bits_) & 0xFFu) != 0) return std::nullopt;
  }
  return range;
}

inline bool ip_range::contains(const ip_bytes& a) const noexcept {
  if (bits_ < 96 && is_v4(a)) return false;
  for (unsigned i = 0; i < 16; ++i) {
    if (((a[i] ^ first_[i]) & network_mask(i, bits_)) != 0) return false;
  }
  return true;
}

namespace wire {

/// `203.0.113.9:4711`, `[2001:db8::1]:4711`, `[2001:db8::1]`: the address in it. Nothing when there is none.
[[nodiscard]] inline std::string_view address_in(std::string_view hop) {
  auto address = hop;
  std::string_view behind;
  if (!hop.empty() && hop.front() == '[') {
    const auto end = hop.find(']');
    if (end == hop.npos) return {};
    address = hop.substr(1, end - 1);
    behind = hop.substr(end + 1);
    if (address.find(':') == address.npos) return {};
  } else if (std::count(hop.begin(), hop.end(), ':') == 1) {  // an IPv6 address has two at least
    address = hop.substr(0, hop.find(':'));
    behind = hop.substr(address.size());
  }
  std::uint64_t port = 0;
  if (!behind.empty() && !(behind.front() == ':' && text::parse_number(behind.substr(1), 65535, port))) return {};
  return parse_ip(address) ? address : std::string_view();
}

inline std::string_view client_behind(std::string_view peer, std::string_view forwarded_for,
                                      const std::vector<ip_range>& trusted) {
  const auto is_trusted = [&trusted](std::string_view address) {
    const auto bytes = parse_ip(address);
    return bytes && std::any_of(trusted.begin(), trusted.end(), [&](const auto& r) { return r.contains(*bytes); });
  };
  auto hops = text::split(forwarded_for, ',');
  auto client = peer;
  for (; !hops.empty() && is_trusted(client); hops.pop_back()) {
    const auto hop = text::trimmed(hops.back());
    if (hop.empty()) continue;  // no member of the list (RFC 9110, section 5.6.1)
    const auto address = address_in(hop);
    if (address.empty()) break;
    client = address;
  }
  return client;
}

inline ip_bytes subscriber(std::string_view address) {
  auto bytes = parse_ip(address).value_or(ip_bytes{});
  if (!is_v4(bytes)) std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
  return bytes;
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// wire/file_name.hpp
// =====================================================================================================================

// The name a client gives to a file it sends, as a name that can be given to one here.
//
//   safe_file_name("C:\\Users\\anna\\photo.jpg")   // "photo.jpg"
//   safe_file_name("../../etc/passwd")             // "passwd"
//   safe_file_name("con.txt")                      // "_con.txt": Windows opens a device by that name
//
// The result is one component of a path on every system: never empty, never "." or "..", never hidden, never a device,
// never another stream of a file. It may be the name of a file that is there already.

#include <cstddef>
#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// UTF-8 in and out, at most 200 bytes; "file" where nothing is left.
[[nodiscard]] std::string safe_file_name(std::string_view from_client);

// ---------------------------------------------------------------------------------------------------------------------

/// Names that Windows takes for devices in every folder, whatever follows the first dot (CreateFileW, "Naming Files,
/// Paths, and Namespaces"); with the superscript digits that it takes for 1, 2 and 3.
[[nodiscard]] inline bool is_device_name(std::string_view name) {
  std::string stem = text::lowered(name.substr(0, name.find('.')));
  while (!stem.empty() && stem.back() == ' ') stem.pop_back();
  for (const char* one : {"con", "prn", "aux", "nul", "conin$", "conout$"}) {
    if (stem == one) return true;
  }
  if (stem.compare(0, 3, "com") != 0 && stem.compare(0, 3, "lpt") != 0) return false;
  const std::string digit = stem.substr(3);
  return (digit.size() == 1 && text::is_digit(digit[0])) || digit == "\xC2\xB9" || digit == "\xC2\xB2" ||
         digit == "\xC2\xB3";
}

inline std::string safe_file_name(std::string_view from_client) {
  constexpr std::size_t most = 200;  // file systems take 255 bytes or units; there is room for a suffix
  const auto slash = from_client.find_last_of("/\\");
  if (slash != std::string_view::npos) from_client.remove_prefix(slash + 1);

  std::string name = text::to_utf8(text::to_utf16(from_client));  // what is not UTF-8 becomes U+FFFD
  for (char& c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || std::string_view("<>:\"|?*").find(c) != std::string_view::npos) c = '_';
  }
  const auto first = name.find_first_not_of(". ");
  name.erase(0, first == std::string::npos ? name.size() : first);
  if (name.size() > most) {  // the end stays, where it says what the file is
    const auto dot = name.rfind('.');
    const std::string ending = dot != std::string::npos && name.size() - dot <= 20 ? name.substr(dot) : std::string();
    name = std::string(text::cut(name, most - ending.size())) + ending;
  }
  while (!name.empty() && (name.back() == '.' || name.back() == ' ')) name.pop_back();  // Windows would drop them
  if (name.empty()) return "file";
  return is_device_name(name) ? "_" + name : name;
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// wire/file_path.hpp
// =====================================================================================================================

// From the tail of a route to the path of a file below a folder, or a refusal: nothing that a client writes may lead
// out of the folder, to a device, to another stream of a file, or to a file that is hidden.
//
//   file_path("css/site.css")     // "css/site.css"
//   file_path("../secret")        // nothing
//
// The rules are Windows' on every system, so that a folder that works on one works on all.

#include <optional>
#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

struct file_path_rules {
  bool hidden = false;  ///< are names that begin with a dot served?
};

/// `tail` is decoded. The path has '/' between its names, and none at its end; "" is the folder itself.
[[nodiscard]] std::optional<std::string> file_path(std::string_view tail, file_path_rules rules = {});

// ---------------------------------------------------------------------------------------------------------------------

/// May this be a name in the path? (Naming Files, Paths, and Namespaces: reserved characters and names, and that a dot
/// or a blank at the end is dropped, so that two names are one file.)
[[nodiscard]] inline bool is_file_name(std::string_view name, file_path_rules rules) {
  if (name.empty() || name == "." || name == "..") return false;
  if (name.front() == '.' && !rules.hidden) return false;
  if (name.back() == '.' || name.back() == ' ') return false;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || std::string_view("\\/:*?\"<>|").find(c) != std::string_view::npos) return false;
  }
  return !is_device_name(name);
}

inline std::optional<std::string> file_path(std::string_view tail, file_path_rules rules) {
  if (tail.empty()) return std::string();
  if (tail.back() == '/') tail.remove_suffix(1);
  for (std::string_view rest = tail;;) {
    const auto slash = rest.find('/');
    if (!is_file_name(rest.substr(0, slash), rules)) return std::nullopt;
    if (slash == rest.npos) return std::string(tail);
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// wire/conditional.hpp
// =====================================================================================================================

// Requests with conditions: is what the client has still what there is, and may it be changed? (RFC 9110, section 13)
//
//   evaluate({"", "\"a-1\"", "", ""}, {"\"a-1\"", modified}, true)      // not_modified: If-None-Match names it
//
// Pure: header fields in, the decision out. Dates are seconds since 1970, in UTC.

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// The moment of a date field; nothing for what is none. All three forms that a recipient has to take: the present one
/// (`Sun, 06 Nov 1994 08:49:37 GMT`), RFC 850's, and asctime's (section 5.6.7).
[[nodiscard]] std::optional<std::int64_t> parse_http_date(std::string_view text);

/// Does this list of entity tags (`*` is any) name the tag? Strongly: two weak tags (`W/"…"`) never do (section
/// 8.8.3.2).
[[nodiscard]] bool names_tag(std::string_view list, std::string_view tag, bool strongly);

/// What a request asks about; empty where it does not.
struct conditions {
  std::string_view if_match, if_none_match, if_modified_since, if_unmodified_since;
};
/// What there is.
struct validators {
  std::string_view tag;       ///< with its quotes
  std::int64_t modified = 0;
};
enum class verdict { serve, not_modified, failed };

/// In the order of section 13.2.2: 304 only for GET and HEAD (`reads`), 412 where a condition does not hold.
[[nodiscard]] verdict evaluate(const conditions& asked, const validators& there, bool reads);

/// Is a Range to be served, or the whole in its place? (`If-Range`, section 13.1.5) It holds a strong tag or a date.
[[nodiscard]] bool range_applies(std::string_view if_range, const validators& there);

// ---------------------------------------------------------------------------------------------------------------------

/// Days from 1970-01-01 to a date of the Gregorian calendar, whose year is counted from March, so that the leap day is
/// the last of its year.
[[nodiscard]] constexpr std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) noexcept {
  if (month <= 2) --year;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + static_cast<std::int64_t>(day_of_era) - 719'468;
}

inline std::optional<std::int64_t> parse_http_date(std::string_view text) {
  const std::string line(text::trimmed(text));
  char month_name[4] = {}, zone[4] = {};
  unsigned day = 0, hour = 0, minute = 0, second = 0;
  int year = 0, end = -1;
  const auto whole = [&] { return end == static_cast<int>(line.size()); };
  const bool present = std::sscanf(line.c_str(), "%*3[A-Za-z], %2u %3[A-Za-z] %4d %2u:%2u:%2u %3[A-Z]%n", &day,
                                   month_name, &year, &hour, &minute, &second, zone, &end) == 7 && whole();
  bool known = present;
  if (!known) {
    end = -1;
    known = std::sscanf(line.c_str(), "%*9[A-Za-z], %2u-%3[A-Za-z]-%2d %2u:%2u:%2u %3[A-Z]%n", &day, month_name, &year,
                        &hour, &minute, &second, zone, &end) == 7 && whole();
    if (known) year += year < 70 ? 2000 : 1900;  // two digits: the nearest century, as it has been read since 1994
  }
  if (!known) {
    end = -1;
    known = std::sscanf(line.c_str(), "%*3[A-Za-z] %3[A-Za-z] %2u %2u:%2u:%2u %4d%n", month_name, &day, &hour, &minute,
                        &second, &year, &end) == 6 && whole();
    std::snprintf(zone, sizeof zone, "GMT");
  }
  if (!known || std::string_view(zone) != "GMT") return std::nullopt;

  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto at = std::string_view(month_name).size() == 3 ? months.find(month_name) : months.npos;
  if (at == months.npos || at % 3 != 0 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60 || year < 1)
    return std::nullopt;
  return days_from_civil(year, static_cast<unsigned>(at / 3) + 1, day) * 86'400 + hour * 3600 + minute * 60 + second;
}

inline bool names_tag(std::string_view list, std::string_view tag, bool strongly) {
  const auto weak = [](std::string_view t) { return t.substr(0, 2) == "W/"; };
  const auto opaque = [&](std::string_view t) { return weak(t) ? t.substr(2) : t; };
  list = text::trimmed(list);
  if (list == "*") return true;
  while (!list.empty()) {
    const auto open = list.find('"');
    const auto close = open == list.npos ? list.npos : list.find('"', open + 1);
    if (close == list.npos) return false;
    const auto begin = open >= 2 && list.substr(open - 2, 2) == "W/" ? open - 2 : open;
    const auto one = list.substr(begin, close + 1 - begin);
    if (opaque(one) == opaque(tag) && !(strongly && (weak(one) || weak(tag)))) return true;
    list.remove_prefix(close + 1);
  }
  return false;
}

inline verdict evaluate(const conditions& asked, const validators& there, bool reads) {
  if (!asked.if_match.empty()) {
    if (!names_tag(asked.if_match, there.tag, true)) return verdict::failed;
  } else if (const auto since = parse_http_date(asked.if_unmodified_since)) {
    if (there.modified > *since) return verdict::failed;
  }
  if (!asked.if_none_match.empty()) {
    if (names_tag(asked.if_none_match, there.tag, false)) return reads ? verdict::not_modified : verdict::failed;
  } else if (const auto since = parse_http_date(asked.if_modified_since); since && reads) {
    if (there.modified <= *since) return verdict::not_modified;
  }
  return verdict::serve;
}

inline bool range_applies(std::string_view if_range, const validators& there) {
  if_range = text::trimmed(if_range);
  if (if_range.empty()) return true;
  if (if_range.find('"') != if_range.npos) return if_range != "*" && names_tag(if_range, there.tag, true);
  const auto date = parse_http_date(if_range);
  return date && *date == there.modified;
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// wire/representation.hpp
// =====================================================================================================================

// Which form of a file a client gets: its media type, by the ending of its name; compressed, if it accepts that; the
// parts of it that it asked for.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// "text/html; charset=utf-8" for "index.html"; "application/octet-stream" for an ending that is not known.
[[nodiscard]] std::string_view media_type(std::string_view file_name);

/// Does this Accept-Encoding take the coding? (RFC 9110, section 12.5.3) What it does not name and has no `*` for it
/// does not, and neither does one with a weight of 0.
[[nodiscard]] bool accepts_coding(std::string_view accept_encoding, std::string_view coding);

/// First and last byte each, counted from 0; -1 for what was not said (`bytes=5-`: 5, -1; `bytes=-5`: -1, 5).
template <class Number>
using byte_ranges = std::vector<std::pair<Number, Number>>;

/// Those that lie in a file of this size, cut to it, with both ends (RFC 9110, section 14.1.2): none where no byte of
/// them does, and the answer is 416.
template <class Number>
[[nodiscard]] byte_ranges<Number> satisfiable(const byte_ranges<Number>& asked, Number size);

// ---------------------------------------------------------------------------------------------------------------------

inline std::string_view media_type(std::string_view file_name) {
  struct row {
    std::string_view ending, type;
  };
  constexpr row rows[] = {
      {"html", "text/html; charset=utf-8"},        {"htm", "text/html; charset=utf-8"},
      {"css", "text/css; charset=utf-8"},          {"js", "text/javascript; charset=utf-8"},
      {"mjs", "text/javascript; charset=utf-8"},   {"json", "application/json"},
      {"map", "application/json"},                 {"webmanifest", "application/manifest+json"},
      {"txt", "text/plain; charset=utf-8"},        {"log", "text/plain; charset=utf-8"},
      {"md", "text/markdown; charset=utf-8"},      {"csv", "text/csv; charset=utf-8"},
      {"xml", "application/xml"},                  {"svg", "image/svg+xml"},
      {"png", "image/png"},                        {"jpg", "image/jpeg"},
      {"jpeg", "image/jpeg"},                      {"gif", "image/gif"},
      {"webp", "image/webp"},                      {"avif", "image/avif"},
      {"bmp", "image/bmp"},                        {"ico", "image/vnd.microsoft.icon"},
      {"woff", "font/woff"},                       {"woff2", "font/woff2"},
      {"ttf", "font/ttf"},                         {"otf", "font/otf"},
      {"mp3", "audio/mpeg"},                       {"ogg", "audio/ogg"},
      {"wav", "audio/wav"},                        {"mp4", "video/mp4"},
      {"webm", "video/webm"},                      {"pdf", "application/pdf"},
      {"zip", "application/zip"},                  {"gz", "application/gzip"},
      {"tar", "application/x-tar"},                {"wasm", "application/wasm"},
      {"rtf", "application/rtf"},                  {"epub", "application/epub+zip"},
  };
  const auto dot = file_name.rfind('.');
  if (dot != file_name.npos) {
    const std::string ending = text::lowered(file_name.substr(dot + 1));
    for (const auto& r : rows) {
      if (r.ending == ending) return r.type;
    }
  }
  return "application/octet-stream";
}

inline bool accepts_coding(std::string_view accept_encoding, std::string_view coding) {
  bool any = false;
  while (!accept_encoding.empty()) {
    const auto comma = accept_encoding.find(',');
    const auto element = accept_encoding.substr(0, comma);
    accept_encoding.remove_prefix(comma == accept_encoding.npos ? accept_encoding.size() : comma + 1);

    const auto semicolon = element.find(';');
    const auto name = text::trimmed(element.substr(0, semicolon));
    bool taken = true;
    if (semicolon != element.npos) {
      const auto weight = text::trimmed(element.substr(semicolon + 1));
      taken = weight.substr(0, 2) != "q=" || weight.find_first_of("123456789") != weight.npos;
    }
    if (text::equal_nocase(name, coding)) return taken;
    if (name == "*") any = taken;
  }
  return any;
}

template <class Number>
byte_ranges<Number> satisfiable(const byte_ranges<Number>& asked, Number size) {
  byte_ranges<Number> out;
  for (auto [first, last] : asked) {
    if (first < 0) {  // so many from the end
      if (last <= 0) continue;
      first = last < size ? size - last : 0;
      last = size - 1;
    }
    if (last < 0 || last >= size) last = size - 1;
    if (first <= last) out.emplace_back(first, last);
  }
  return out;
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// wire/multipart.hpp
// =====================================================================================================================

// A form with files (multipart/form-data, RFC 7578), taken apart while it arrives: what is kept is a part's head or the
// length of a delimiter, however large the parts are and however malformed the rest is.
//
//   multipart_decoder decoder(*multipart_boundary(content_type));
//   decoder.feed(bytes);
//   while (true) switch (decoder.next()) {
//     case multipart_decoder::step::part: …decoder.part()…     // a part begins
//     case multipart_decoder::step::data: …decoder.data()…     // a piece of its content
//     case multipart_decoder::step::more: …                    // feed it
//     case multipart_decoder::step::done: …  case multipart_decoder::step::bad: …
//   }
//
// Strict where it costs nothing (every line ends with CR LF, every part has a name), lenient where clients differ: how
// quotes in names are written, and names that RFC 5987 encodes.

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// What stands at the head of a part.
struct part_head {
  std::string name;          ///< of the form's field
  std::string file_name;     ///< as the client says it: see safe_file_name
  std::string content_type;  ///< "" where it says none
  bool is_file = false;      ///< it has a file name, though that may be empty: a file field that was not filled in
};

/// The boundary that this Content-Type names; nothing when it is no multipart/form-data, or its boundary is none
/// (RFC 2046 §5.1.1: 1 to 70 characters).
[[nodiscard]] std::optional<std::string> multipart_boundary(std::string_view content_type);

/// A part's head, its lines without the empty one at the end. Nothing when it is malformed or has no name.
[[nodiscard]] std::optional<part_head> parse_part_head(std::string_view lines);

class multipart_decoder {
 public:
  enum class step { more, part, data, done, bad };

  static constexpr std::size_t most_head = 8 * 1024;  ///< bytes of a part's head: as of a request's field

  explicit multipart_decoder(std::string_view boundary) : delimiter_("\r\n--" + std::string(boundary)) {}

  /// More of the body. Call it after `more` alone.
  void feed(std::string_view bytes) {
    buffer_.erase(0, at_);
    at_ = 0;
    if (where_ != place::end) buffer_ += bytes;  // what stands behind the last delimiter means nothing
  }
  [[nodiscard]] step next();
  /// The head of the part that began last.
  [[nodiscard]] const part_head& part() const noexcept { return part_; }
  /// After `data`, until the next call of anything here.
  [[nodiscard]] std::string_view data() const noexcept { return data_; }

 private:
  enum class place { preamble, delimiter, head, content, end, lost };

  [[nodiscard]] std::string_view rest() const noexcept { return std::string_view(buffer_).substr(at_); }
  step lose() noexcept {
    where_ = place::lost;
    return step::bad;
  }

  std::string delimiter_;
  std::string buffer_ = "\r\n";  // the first delimiter may be the body's first line
  std::size_t at_ = 0;
  place where_ = place::preamble;
  part_head part_;
  std::string_view data_;
};

// ---------------------------------------------------------------------------------------------------------------------

/// Takes `; name=value` off the front of `rest`, the value a token or quoted. False where there is none.
inline bool take_parameter(std::string_view& rest, std::string& name, std::string& value) {
  const auto skip = [&rest] {
    while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\t')) rest.remove_prefix(1);
  };
  skip();
  if (rest.empty() || rest[0] != ';') return false;
  rest.remove_prefix(1);
  skip();
  const auto equals = rest.find('=');
  if (equals == rest.npos || !is_token(rest.substr(0, equals))) return false;
  name = text::lowered(rest.substr(0, equals));
  rest.remove_prefix(equals + 1);
  value.clear();
  if (rest.empty() || rest[0] != '"') {
    const auto end = rest.find_first_of("; \t");
    value = rest.substr(0, end);
    rest.remove_prefix(value.size());
    return !value.empty();
  }
  for (std::size_t at = 1; at < rest.size(); ++at) {
    if (rest[at] == '"') {
      rest.remove_prefix(at + 1);
      return true;
    }
    // A quoted pair, but only of what would need one: old browsers send C:\folder\name as it stands.
    if (rest[at] == '\\' && at + 1 < rest.size() && (rest[at + 1] == '"' || rest[at + 1] == '\\')) ++at;
    value += rest[at];
  }
  return false;
}

/// How browsers write what a quoted name cannot hold (the HTML standard's "multipart/form-data encoding algorithm").
inline std::string without_form_escapes(std::string_view from) {
  std::string out;
  for (std::size_t at = 0; at < from.size(); ++at) {
    const int byte = from[at] == '%' ? route::escaped_byte(from, at) : -1;
    if (byte == '"' || byte == '\r' || byte == '\n') {
      out += static_cast<char>(byte);
      at += 2;
    } else {
      out += from[at];
    }
  }
  return out;
}

inline std::optional<std::string> multipart_boundary(std::string_view content_type) {
  constexpr std::string_view type = "multipart/form-data";
  const auto end = (std::min)(content_type.find(';'), content_type.size());
  if (!text::equal_nocase(text::trimmed(content_type.substr(0, end)), type)) return std::nullopt;
  std::string_view rest = content_type.substr(end);
  std::string name, value;
  while (take_parameter(rest, name, value)) {
    if (name == "boundary" && !value.empty() && value.size() <= 70 && value.find_first_of("\r\n") == value.npos)
      return value;
  }
  return std::nullopt;
}

inline std::optional<part_head> parse_part_head(std::string_view lines) {
  part_head head;
  bool named = false;
  while (!lines.empty()) {
    const auto end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == lines.npos ? lines.size() : end + 2);
    const auto colon = line.find(':');
    if (colon == line.npos || !is_token(line.substr(0, colon))) return std::nullopt;
    if (std::any_of(line.begin(), line.end(), is_control)) return std::nullopt;
    const std::string_view field = line.substr(0, colon), value = text::trimmed(line.substr(colon + 1));
    if (text::equal_nocase(field, "Content-Type")) head.content_type = value;
    if (!text::equal_nocase(field, "Content-Disposition")) continue;

    const auto semicolon = (std::min)(value.find(';'), value.size());
    if (named || !text::equal_nocase(text::trimmed(value.substr(0, semicolon)), "form-data")) return std::nullopt;
    std::string_view rest = value.substr(semicolon);
    std::string name, said, encoded;
    while (take_parameter(rest, name, said)) {
      if (name == "name") head.name = without_form_escapes(said), named = true;
      if (name == "filename") head.file_name = without_form_escapes(said), head.is_file = true;
      if (name == "filename*") encoded = said;  // RFC 7578 §4.2 forbids it, Python's requests sends it
    }
    if (!text::trimmed(rest).empty() && text::trimmed(rest) != ";") return std::nullopt;
    if (text::starts_with_nocase(encoded, "utf-8''")) {
      std::string decoded;
      if (!route::decode_segment(std::string_view(encoded).substr(7), decoded)) return std::nullopt;
      head.file_name = decoded, head.is_file = true;
    }
  }
  return named ? std::optional(std::move(head)) : std::nullopt;
}

inline multipart_decoder::step multipart_decoder::next() {
  for (;;) {
    const std::string_view here = rest();
    switch (where_) {
      case place::preamble:
      case place::content: {
        const auto found = here.find(delimiter_);
        const std::size_t whole = found != here.npos                ? found
                                  : here.size() < delimiter_.size() ? 0
                                                                    : here.size() - delimiter_.size() + 1;
        const bool wanted = where_ == place::content && whole != 0;
        if (wanted) data_ = here.substr(0, whole);
        at_ += whole;
        if (found == here.npos) return wanted ? step::data : step::more;
        at_ += delimiter_.size();
        where_ = place::delimiter;
        if (wanted) return step::data;
        break;
      }
      case place::delimiter: {
        constexpr std::size_t most_padding = 64;  // "transport padding" (RFC 2046 §5.1.1), which nobody sends
        if (here.size() < 2) return step::more;
        if (here.substr(0, 2) == "--") {
          where_ = place::end;
          break;
        }
        const auto end = (std::min)(here.find_first_not_of(" \t"), here.size());
        if (end > most_padding) return lose();
        if (here.size() - end < 2) return step::more;
        if (here.substr(end, 2) != "\r\n") return lose();
        at_ += end;  // its CR LF stays, so that a head without lines ends as every other does
        where_ = place::head;
        break;
      }
      case place::head: {
        const auto end = here.find("\r\n\r\n");
        const auto looked_at = here.size() - (std::min)(std::size_t{3}, here.size());  // it may begin in the last 3
        if ((std::min)(end, looked_at) > most_head) return lose();
        if (end == here.npos) return step::more;
        auto head = parse_part_head(here.substr((std::min)(std::size_t{2}, end), end > 2 ? end - 2 : 0));
        if (!head) return lose();
        part_ = std::move(*head);
        at_ += end + 4;
        where_ = place::content;
        return step::part;
      }
      case place::end:
        at_ = buffer_.size();
        return step::done;
      case place::lost: return step::bad;
    }
  }
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// wire/websocket.hpp
// =====================================================================================================================

// The WebSocket protocol as values: is a request a handshake, what do the bytes behind it say, how is a frame spelled.
//
//   const auto asked = wire::judge_handshake(head, {"chat.v2"}, {});        // 101, or the status that refuses it
//   wire::frame_decoder frames(1024 * 1024);
//   switch (frames.feed(buffer, used)) { case frame_decoder::event::message: handle(frames.data()); … }
//   send(wire::frame(wire::opcode::text, "hello"));
//
// Strict, as the gate is: frames of clients are masked, control frames are short and whole, text is refused at the
// first byte that is no UTF-8, a message is measured before room is made for it. What is wrong has the close code to
// answer with. No extensions: a browser that offers compression is told of none.
// Source: RFC 6455.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace wire {

/// Why a connection is closed (RFC 6455 §7.4.1); an app's own are 4000 to 4999.
namespace close_code {
inline constexpr int normal = 1000, going_away = 1001, protocol_error = 1002, invalid_text = 1007, policy = 1008,
                     too_big = 1009, internal_error = 1011;
inline constexpr int none = 1005;  ///< what a Close without a code stands for; never sent
}  // namespace close_code
/// May an endpoint send it?
[[nodiscard]] constexpr bool is_close_code(int code) noexcept {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

enum class opcode : unsigned char { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// A whole frame as a server sends it: final, not masked.
[[nodiscard]] std::string frame(opcode what, std::string_view payload);
/// What a Close frame carries: a control frame has room for 123 bytes of reason, which is cut at a character.
[[nodiscard]] std::string close_payload(int code, std::string_view reason);

/// UTF-8 that comes in pieces: no overlong form, no surrogate, nothing above U+10FFFF (RFC 3629).
class utf8_check {
 public:
  /// False from the first byte on that no text can have there.
  bool take(std::string_view bytes) noexcept;
  /// Does it end with a whole character?
  [[nodiscard]] bool whole() const noexcept { return missing_ == 0; }

 private:
  int missing_ = 0;
  unsigned char low_ = 0x80, high_ = 0xBF;  ///< of the next byte, where one is missing
};
[[nodiscard]] inline bool is_utf8(std::string_view bytes) noexcept {
  utf8_check check;
  return check.take(bytes) && check.whole();
}

/// From a client's bytes to its messages and control frames.
class frame_decoder {
 public:
  explicit frame_decoder(std::size_t most_bytes) noexcept : most_(most_bytes) {}

  enum class event { more, message, ping, pong, close, wrong };
  /// Takes bytes until something is complete, or all of them. After `close` and `wrong` nothing is taken any more.
  event feed(std::string_view bytes, std::size_t& consumed);

  /// Of `message`: taken out, so that the next one begins empty.
  [[nodiscard]] std::string take_message() noexcept { return std::exchange(message_, {}); }
  [[nodiscard]] bool is_binary() const noexcept { return binary_; }
  /// Of `ping` and `pong`; of `close` the reason.
  [[nodiscard]] const std::string& payload() const noexcept { return control_; }
  /// Of `close`: the peer's code, or close_code::none. Of `wrong`: the code to close with.
  [[nodiscard]] int code() const noexcept { return code_; }
  /// Of `wrong`: why.
  [[nodiscard]] std::string_view reason() const noexcept { return reason_; }
  /// Has a frame or message begun that is not complete?
  [[nodiscard]] bool pending() const noexcept { return header_size_ != 0 || in_message_; }
  /// Bytes of the message so far.
  [[nodiscard]] std::size_t received() const noexcept { return message_.size(); }

 private:
  [[nodiscard]] bool read_header(std::string_view& bytes);
  [[nodiscard]] event begin_frame();
  [[nodiscard]] event end_frame();
  [[nodiscard]] event end_close();
  event wrong(int code, std::string_view reason) noexcept;

  std::size_t most_;
  unsigned char header_[14] = {};
  std::size_t header_size_ = 0;
  bool in_frame_ = false;  ///< the header is complete
  opcode what_ = opcode::text;
  bool final_ = false;
  std::uint64_t left_ = 0;  ///< of the frame's payload
  std::size_t masked_ = 0;  ///< bytes of it that were unmasked
  bool in_message_ = false, binary_ = false;
  utf8_check text_;
  std::string message_, control_;
  bool over_ = false;
  int code_ = 0;
  std::string_view reason_;
};

/// What a request for a WebSocket gets (RFC 6455 §4.2).
struct handshake {
  int status = 101;           ///< or 400, 403, 426
  std::string_view reason;    ///< of a refusal
  std::string_view key;       ///< 101: Sec-WebSocket-Key
  std::string_view protocol;  ///< 101: the subprotocol chosen, or ""
};

/// `protocols`: what the server speaks, the best first; the first that the client offers too is chosen, and none is no
/// reason to refuse. `origins`: pages of which other sites may connect; see origin_is_allowed.
[[nodiscard]] handshake judge_handshake(const head& value, const std::vector<std::string>& protocols,
                                        const std::vector<std::string>& origins);

/// A browser sends Origin, lets any page connect anywhere, and adds the user's cookies: without this check a page of
/// another site would talk to the service as the user (RFC 6455 §10.2). The service's own pages may, which are those
/// whose Origin names the host that was asked; the scheme is not compared, because a proxy may have ended TLS.
/// `origins`: others that may, `https://host[:port]` each, or "*".
[[nodiscard]] bool origin_is_allowed(std::string_view origin, std::string_view host,
                                     const std::vector<std::string>& origins) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

inline std::string frame(opcode what, std::string_view payload) {
  const std::uint64_t size = payload.size();
  std::string out;
  out.reserve(payload.size() + 10);
  out += static_cast<char>(0x80 | static_cast<unsigned char>(what));
  const int more = size < 126 ? 0 : size <= 0xFFFF ? 2 : 8;
  out += static_cast<char>(more == 0 ? size : more == 2 ? 126 : 127);
  for (int i = more - 1; i >= 0; --i) out += static_cast<char>(size >> (8 * i) & 0xFF);
  out += payload;
  return out;
}

inline std::string close_payload(int code, std::string_view reason) {
  constexpr std::size_t most = 123;
  if (reason.size() > most) {
    auto end = most;
    while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xC0) == 0x80) --end;
    reason = reason.substr(0, end);
  }
  std::string out;
  out += static_cast<char>(code >> 8 & 0xFF);
  out += static_cast<char>(code & 0xFF);
  if (is_utf8(reason)) out += reason;
  return out;
}

inline bool utf8_check::take(std::string_view bytes) noexcept {
  for (const char c : bytes) {
    const auto b = static_cast<unsigned char>(c);
    if (missing_ > 0) {
      if (b < low_ || b > high_) return false;
      --missing_;
      low_ = 0x80, high_ = 0xBF;
    } else if (b >= 0x80) {  // RFC 3629, section 4: the table of the second byte
      if (b < 0xC2 || b > 0xF4) return false;
      missing_ = b < 0xE0 ? 1 : b < 0xF0 ? 2 : 3;
      low_ = b == 0xE0 ? 0xA0 : b == 0xF0 ? 0x90 : 0x80;
      high_ = b == 0xED ? 0x9F : b == 0xF4 ? 0x8F : 0xBF;
    }
  }
  return true;
}

inline frame_decoder::event frame_decoder::wrong(int code, std::string_view reason) noexcept {
  over_ = true;
  code_ = code;
  reason_ = reason;
  return event::wrong;
}

/// Collects the header: 2 bytes, 0, 2 or 8 of the length, 4 of the mask. True: it is complete. Without the mask bit two
/// bytes are enough to judge it.
inline bool frame_decoder::read_header(std::string_view& bytes) {
  const auto size = [this]() -> std::size_t {
    if (header_size_ < 2 || (header_[1] & 0x80) == 0) return 2;
    const unsigned length = header_[1] & 0x7F;
    return length == 126 ? 8 : length == 127 ? 14 : 6;
  };
  while (header_size_ < size()) {
    if (bytes.empty()) return false;
    header_[header_size_++] = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
  }
  return true;
}

inline frame_decoder::event frame_decoder::begin_frame() {
  using close_code::protocol_error;
  final_ = (header_[0] & 0x80) != 0;
  what_ = static_cast<opcode>(header_[0] & 0x0F);
  if ((header_[0] & 0x70) != 0) return wrong(protocol_error, "reserved bits");
  if ((header_[1] & 0x80) == 0) return wrong(protocol_error, "frame without a mask");

  const unsigned length = header_[1] & 0x7F;
  const int more = length == 126 ? 2 : length == 127 ? 8 : 0;
  left_ = more == 0 ? length : 0;
  for (int i = 0; i < more; ++i) left_ = left_ << 8 | header_[2 + i];
  if ((more == 2 && left_ < 126) || (more == 8 && (left_ <= 0xFFFF || left_ >> 63 != 0)))
    return wrong(protocol_error, "length in the wrong form");
  masked_ = 0;
  in_frame_ = true;

  switch (what_) {
    case opcode::close:
    case opcode::ping:
    case opcode::pong:
      control_.clear();
      if (!final_) return wrong(protocol_error, "fragmented control frame");
      if (left_ > 125) return wrong(protocol_error, "control frame too long");
      return event::more;
    case opcode::continuation:
      if (!in_message_) return wrong(protocol_error, "continuation of nothing");
      break;
    case opcode::text:
    case opcode::binary:
      if (in_message_) return wrong(protocol_error, "message within a message");
      in_message_ = true;
      binary_ = what_ == opcode::binary;
      text_ = {};
      break;
    default: return wrong(protocol_error, "unknown opcode");
  }
  if (left_ > most_ - message_.size()) return wrong(close_code::too_big, "message too large");
  return event::more;
}

inline frame_decoder::event frame_decoder::end_frame() {
  in_frame_ = false;
  header_size_ = 0;
  switch (what_) {
    case opcode::ping: return event::ping;
    case opcode::pong: return event::pong;
    case opcode::close: return end_close();
    default: break;
  }
  if (!final_) return event::more;
  if (!binary_ && !text_.whole()) return wrong(close_code::invalid_text, "text that is not UTF-8");
  in_message_ = false;
  return event::message;
}

inline frame_decoder::event frame_decoder::end_close() {
  over_ = true;
  code_ = close_code::none;
  if (control_.empty()) return event::close;
  if (control_.size() == 1) return wrong(close_code::protocol_error, "close code of one byte");
  code_ = static_cast<unsigned char>(control_[0]) << 8 | static_cast<unsigned char>(control_[1]);
  control_.erase(0, 2);
  if (!is_close_code(code_)) return wrong(close_code::protocol_error, "close code out of range");
  if (!is_utf8(control_)) return wrong(close_code::invalid_text, "close reason that is not UTF-8");
  return event::close;
}

inline frame_decoder::event frame_decoder::feed(std::string_view bytes, std::size_t& consumed) {
  const std::size_t all = bytes.size();
  auto what = over_ ? event::wrong : event::more;
  while (what == event::more) {
    if (!in_frame_) {
      if (!read_header(bytes)) break;
      what = begin_frame();
      if (what != event::more) break;
    }
    const auto count = static_cast<std::size_t>(left_ < bytes.size() ? left_ : bytes.size());
    auto& into = static_cast<unsigned char>(what_) >= 8 ? control_ : message_;
    const std::size_t begin = into.size();
    into.append(bytes.data(), count);
    bytes.remove_prefix(count);
    const unsigned char* const mask = header_ + header_size_ - 4;
    for (std::size_t i = begin; i < into.size(); ++i)
      into[i] = static_cast<char>(static_cast<unsigned char>(into[i]) ^ mask[masked_++ % 4]);
    left_ -= count;

    if (&into == &message_ && !binary_ && !text_.take(std::string_view(message_).substr(begin)))
      what = wrong(close_code::invalid_text, "text that is not UTF-8");
    else if (left_ == 0)
      what = end_frame();
    else
      break;
  }
  consumed = all - bytes.size();
  return what;
}

// -- the handshake --

/// Calls `f` for each element of a list field, all fields of the name together (RFC 9110 §5.6.1).
template <class F>
void for_each_listed(const head& value, std::string_view name, F f) {
  for (const auto& field : value.fields) {
    if (!text::equal_nocase(field.name, name)) continue;
    for (const auto piece : text::split(field.value, ',')) {
      if (const auto one = text::trimmed(piece); !one.empty()) f(one);
    }
  }
}
[[nodiscard]] inline std::size_t count_fields(const head& value, std::string_view name) noexcept {
  std::size_t count = 0;
  for (const auto& field : value.fields) count += text::equal_nocase(field.name, name) ? 1 : 0;
  return count;
}

inline handshake judge_handshake(const head& value, const std::vector<std::string>& protocols,
                                 const std::vector<std::string>& origins) {
  const auto refused = [](int status, std::string_view reason) {
    handshake h;
    h.status = status;
    h.reason = reason;
    return h;
  };
  bool asked = false;
  for_each_listed(value, "Upgrade", [&](std::string_view one) {
    asked = asked || text::equal_nocase(one, "websocket");
  });
  if (!value.upgrade || !asked || value.verb != route::method::get)
    return refused(426, "this is a WebSocket: ask with GET and Upgrade: websocket");
  if (count_fields(value, "Sec-WebSocket-Version") != 1 || value.find("Sec-WebSocket-Version") != "13")
    return refused(426, "version 13 of the WebSocket protocol is spoken here");

  handshake h;
  h.key = value.find("Sec-WebSocket-Key").value_or("");
  const auto nonce = h.key.size() == 24 ? text::from_base64(h.key) : std::nullopt;
  if (count_fields(value, "Sec-WebSocket-Key") != 1 || !nonce || nonce->size() != 16)
    return refused(400, "Sec-WebSocket-Key is not 16 bytes in base64");

  if (const auto origin = value.find("Origin");
      count_fields(value, "Origin") > 1 || (origin && !origin_is_allowed(*origin, value.host, origins)))
    return refused(403, "pages of this origin may not connect");

  for (const auto& known : protocols) {
    for_each_listed(value, "Sec-WebSocket-Protocol", [&](std::string_view one) {
      if (h.protocol.empty() && one == known) h.protocol = one;
    });
  }
  return h;
}

inline bool origin_is_allowed(std::string_view origin, std::string_view host,
                              const std::vector<std::string>& origins) noexcept {
  for (const auto& one : origins) {
    if (one == "*" || text::equal_nocase(one, origin)) return true;
  }
  const auto scheme_end = origin.find("://");
  if (scheme_end == origin.npos) return false;  // "null", the origin of a page that hides its own
  const auto scheme = origin.substr(0, scheme_end);
  origin.remove_prefix(scheme_end + 3);
  const std::string_view usual = text::equal_nocase(scheme, "https") ? ":443" : ":80";
  const auto bare = [usual](std::string_view authority) {
    const bool ends = authority.size() > usual.size() && authority.substr(authority.size() - usual.size()) == usual;
    return ends ? authority.substr(0, authority.size() - usual.size()) : authority;
  };
  return !host.empty() && text::equal_nocase(bare(origin), bare(host));
}

}  // namespace wire
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// os/posix/door.hpp
// =====================================================================================================================

// The door to POSIX: the one file that includes its system headers.

#if !WINSVC_OS_WINDOWS

  #include <arpa/inet.h>
  #include <csignal>
  #include <dirent.h>
  #include <fcntl.h>
  #include <netdb.h>
  #include <netinet/in.h>
  #include <netinet/tcp.h>
  #include <poll.h>
  #include <pthread.h>
  #include <sys/socket.h>
  #include <sys/stat.h>
  #include <sys/types.h>
  #include <termios.h>
  #include <unistd.h>

  #if WINSVC_OS_LINUX
    #include <sys/epoll.h>
    #include <sys/eventfd.h>
  #endif

#endif  // !WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/service_manager.hpp
// =====================================================================================================================

// The Service Control Manager as seen by who manages services, and what an install touches beside it: one member
// function for one Win32 call, in neutral types. Windows answers through os/win/service_manager.hpp and
// os/win/install.hpp, the simulated one of winsvc/testing.hpp on any platform, so that the logic of install, start and
// remove (host/install.hpp, host/manage.hpp) is tested call by call, argument by argument.
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
                               start = 0x10, stop = 0x20, pause_continue = 0x40, interrogate = 0x80,
                               user_control = 0x100, remove = 0x10000, read_security = 0x20000,
                               write_security = 0x40000;
}  // namespace access

/// QUERY_SERVICE_CONFIGW, as far as it is used.
struct service_config {
  winsvc::startup startup = startup::automatic;
  std::string binary;        ///< ImagePath: executable and arguments, quoted
  std::string display_name;
  std::string account;
  std::vector<std::string> dependencies;  ///< Wine tells none
};

/// The arguments of CreateServiceW and ChangeServiceConfigW. Empty optionals are NULL or SERVICE_NO_CHANGE.
struct service_settings {
  std::optional<winsvc::startup> startup;
  std::optional<std::string> binary;
  std::optional<std::string> display_name;
  std::optional<std::string> account;   ///< model::account::name
  std::optional<std::string> password;  ///< beside `account` only: NULL and "" mean different accounts
  /// Always the whole list: Windows reads NULL as "leave them", Wine as "none". A name with '+' before it is a group.
  std::optional<std::vector<std::string>> dependencies;
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
  /// ChangeServiceConfig2W, QueryServiceConfig2W.
  virtual sys_result<void> change_level(raw_handle service, const model::config_level& value) = 0;
  virtual sys_result<model::config_level> query_level(raw_handle service, std::uint32_t level) = 0;
  virtual sys_result<service_config> query_config(raw_handle service) = 0;
  virtual sys_result<service_process> query_status(raw_handle service) = 0;
  virtual sys_result<void> start_service(raw_handle service, const std::vector<std::string>& arguments) = 0;
  virtual sys_result<void> control_service(raw_handle service, std::uint32_t control) = 0;
  /// EnumDependentServicesW, the active ones: in the order in which they are to be stopped.
  virtual sys_result<std::vector<std::string>> active_dependents(raw_handle service) = 0;
  /// QueryServiceObjectSecurity and SetServiceObjectSecurity: the DACL in SDDL.
  virtual sys_result<std::string> query_security(raw_handle service) = 0;
  virtual sys_result<void> change_security(raw_handle service, const std::string& sddl) = 0;
  virtual sys_result<void> delete_service(raw_handle service) = 0;
  virtual void close(raw_handle handle) noexcept = 0;

  // -- beside the SCM --

  /// The registry key that lets the Event Viewer show a source's messages. Adding twice, removing what is not there:
  /// success.
  virtual sys_result<void> add_event_source(const std::string& source) = 0;
  virtual sys_result<void> remove_event_source(const std::string& source) = 0;
  /// `Environment` in the service's registry key, which the SCM adds to the environment of its process: `NAME=value`
  /// each. An empty list takes the value out. A service that is not there: 2.
  virtual sys_result<std::vector<std::string>> query_environment(const std::string& service_name) = 0;
  virtual sys_result<void> change_environment(const std::string& service_name, const std::vector<std::string>& all) = 0;
  /// LookupAccountNameW: the SID of an account, a group or a service (`NT SERVICE\name`) as text; 1332 for nobody.
  virtual sys_result<std::string> account_sid(const std::string& account) = 0;
  /// LsaAddAccountRights: the right to log on as a service.
  virtual sys_result<void> add_logon_right(const std::string& sid) = 0;
  /// The owner and DACL of a folder in SDDL; 2 or 3 when there is none. Changing it creates the folder when it is not
  /// there, with this security from its first moment (folders above it as any other), and hands what can be inherited
  /// down to what is in it; `D:P` keeps out what the folder above hands down, `O:` gives it an owner. A link in the
  /// folder's place is not followed: 4395. No DACL would be a folder open to everyone: 1336.
  virtual sys_result<std::string> query_folder_security(const std::string& path) = 0;
  virtual sys_result<void> change_folder_security(const std::string& path, const std::string& sddl) = 0;
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
  bool tls = false;  ///< what is spoken there, where that is known

  /// `127.0.0.1:8080`, `[::1]:8080`.
  [[nodiscard]] std::string text() const {
    const bool six = host.find(':') != std::string::npos;
    return (six ? '[' + host + ']' : host) + ':' + std::to_string(port);
  }
  /// As a client on this machine can open it: an "any" address is no address to connect to.
  [[nodiscard]] std::string url() const {
    const std::string to = host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host;
    return (tls ? "https://" : "http://") + endpoint{to, port}.text();
  }
};

/// What became of a receive or a send.
enum class transfer { done, closed, timed_out, failed };

/// What a socket waits for in a poller. An error, and the peer's end, count as each.
enum class poll_for : std::uint8_t { nothing, bytes, room };

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
  /// What there is room for now: `sent` bytes. `timed_out`: not all of it.
  transfer send_some(const char* from, std::size_t count, std::size_t& sent) noexcept;
  /// Waits until there is something to receive, or room to send; an error counts as both. False: not in that time.
  [[nodiscard]] bool wait_readable(std::chrono::milliseconds limit) const noexcept;
  [[nodiscard]] bool wait_writable(std::chrono::milliseconds limit) const noexcept;
  /// The first byte that is here already; it stays. False: there is none.
  [[nodiscard]] bool peek(char& first) const noexcept;
  /// Has the peer closed its end, or is the connection gone? Looks, and takes nothing.
  [[nodiscard]] bool peer_closed() const noexcept;
  /// The peer reads the end of the stream; we can still receive.
  void shutdown_send() noexcept;
  /// Both ways, from any thread: whoever waits on this socket wakes and sees it closed.
  void shutdown_both() noexcept;
  void close() noexcept;

 private:
  native_handle native_ = -1;
};

/// Something to wait for beside sockets, which any thread can make ready.
class bell {
 public:
  bell();
  ~bell();
  bell(const bell&) = delete;
  bell& operator=(const bell&) = delete;

  /// Could it be made? Without it nobody would ever wake.
  [[nodiscard]] bool is_open() const noexcept { return ends_[0] != -1; }
  /// What can be read once it was rung, until it is silenced.
  [[nodiscard]] tcp_socket::native_handle native() const noexcept { return ends_[0]; }
  void ring() noexcept;
  void silence() noexcept;

 private:
  tcp_socket::native_handle ends_[2] = {-1, -1};
};

/// Wakes whoever waits in `wait_for`, now and ever after.
class waker {
 public:
  void wake() noexcept { bell_.ring(); }
  [[nodiscard]] bool is_open() const noexcept { return bell_.is_open(); }

  enum class outcome { ready, woken, timed_out, failed };
  /// Waits until the socket can be read or accepted from (ready), `wake` was called, also before (woken), or the time
  /// is over. Any number of threads may wait on one waker.
  [[nodiscard]] outcome wait_for(const tcp_socket& socket, std::chrono::milliseconds limit) noexcept;

  /// For `wait_for`: no limit.
  static constexpr std::chrono::milliseconds no_limit{-1};

 private:
  bell bell_;
};

/// A connection that waits to be taken by a listener, non-blocking; else the system's code.
[[nodiscard]] sys_result<tcp_socket> accept_from(tcp_socket::native_handle listener) noexcept;

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

[[nodiscard]] inline socket_type accept(socket_type listener) noexcept {
  #if WINSVC_OS_LINUX
  return ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  #else
  const int s = ::accept(listener, nullptr, nullptr);
  if (s != -1) no_inherit(s), set_nonblocking(s);
  return s;
  #endif
}

inline void open_bell(tcp_socket::native_handle (&ends)[2]) noexcept {
  int pair[2] = {-1, -1};
  if (::pipe(pair) != 0) return;
  for (int i = 0; i < 2; ++i) {
    no_inherit(pair[i]);
    set_nonblocking(pair[i]);
    ends[i] = pair[i];
  }
}
inline void close_bell(tcp_socket::native_handle (&ends)[2]) noexcept {
  for (const auto end : ends) close(static_cast<int>(end));
}
inline void ring(tcp_socket::native_handle end) noexcept {
  static_cast<void>(!::write(static_cast<int>(end), "w", 1));  // a full pipe wakes as well
}
inline void silence(tcp_socket::native_handle end) noexcept {
  char sink[256];
  while (::read(static_cast<int>(end), sink, sizeof sink) > 0) {}
}

}  // namespace calls

inline std::string port_owner(const endpoint&) { return {}; }

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // !WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/file.hpp
// =====================================================================================================================

// The few things done with files: append, read whole, replace whole, rename, list, make folders. Paths are UTF-8;
// nothing is inherited by child processes.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
/// The names of the files in a folder, in the order of their bytes; not of the folders in it.
[[nodiscard]] sys_result<std::vector<std::string>> list_files(const std::string& folder);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// os/process.hpp
// =====================================================================================================================

// This process and its surroundings: where its executable is, what it was called with, where it may keep data, and what
// the system says a code means. All text is UTF-8.

#include <chrono>
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
/// Does it lead there from anywhere? `\x` and `C:x` do not, but neither is meant relative to a folder of ours.
[[nodiscard]] inline bool is_absolute(std::string_view path) {
  const bool drive = path.size() > 1 && path[1] == ':' && path_separator == '\\';
  return !path.empty() && (path[0] == '/' || (path[0] == '\\' && path_separator == '\\') || drive);
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

/// What this process has used, and since when.
struct process_usage {
  std::chrono::milliseconds started{0};  ///< since 1970, UTC
  std::chrono::microseconds cpu{0};      ///< of all its threads, in the program and in the system
  std::uint64_t resident = 0;            ///< bytes in memory
};
/// GetProcessTimes and K32GetProcessMemoryInfo; /proc and the process' own clock. What cannot be had stays 0.
[[nodiscard]] process_usage usage() noexcept;
/// A service starts in System32; relative paths are meant relative to the executable.
bool change_directory(const std::string& folder) noexcept;

/// Ends this process at once: nothing is destroyed, nothing waited for. TerminateProcess, because ExitProcess takes the
/// loader's lock, which a thread that hangs may hold; _Exit.
[[noreturn]] void end_process(int code) noexcept;

/// Does somebody hold this process at a breakpoint, or may he? IsDebuggerPresent; TracerPid of /proc/self/status.
[[nodiscard]] bool debugger_attached() noexcept;

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

  #include <aclapi.h>
  #include <iphlpapi.h>
  #include <mswsock.h>
  #include <sddl.h>
  #include <shellapi.h>
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

// Windows' own strings, lists of strings and handles: UTF-8 in, UTF-16 out, and a handle that closes itself.

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

/// Strings as the service manager and the registry want a list: each ends with a NUL, and the list with one more. An
/// empty list is two NULs, as the documentation writes it. An empty string would end the list early: it is left out.
[[nodiscard]] inline std::wstring wide_list(const std::vector<std::string>& all) {
  std::wstring out;
  for (const auto& one : all) {
    const std::wstring units = wide(one);
    if (!units.empty()) out += units + L'\0';
  }
  if (out.empty()) out += L'\0';
  return out + L'\0';
}
/// And back; null is the empty list.
[[nodiscard]] inline std::vector<std::string> narrow_list(const wchar_t* list) {
  std::vector<std::string> out;
  for (; list && *list; list += std::wstring_view(list).size() + 1) out.push_back(narrow(list));
  return out;
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

[[nodiscard]] inline socket_type accept(socket_type listener) noexcept {
  const SOCKET s = ::accept(listener, nullptr, nullptr);
  if (s != INVALID_SOCKET) no_inherit(s), set_nonblocking(s);
  return s;
}

/// A pair of connected sockets to wake a poll with: WSAPoll takes sockets only, so it is a UDP socket that talks to
/// itself.
inline void open_bell(tcp_socket::native_handle (&ends)[2]) noexcept {
  const SOCKET s =
      ::WSASocketW(AF_INET, SOCK_DGRAM, IPPROTO_UDP, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  sockaddr_in self{};
  self.sin_family = AF_INET;
  self.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int length = sizeof self;
  const bool made = s != INVALID_SOCKET && set_nonblocking(s) && ::bind(s, reinterpret_cast<sockaddr*>(&self), length) == 0 &&
                    ::getsockname(s, reinterpret_cast<sockaddr*>(&self), &length) == 0 &&
                    ::connect(s, reinterpret_cast<sockaddr*>(&self), length) == 0;
  if (made) ends[0] = ends[1] = static_cast<tcp_socket::native_handle>(s);
  else if (s != INVALID_SOCKET) close(s);
}
inline void close_bell(tcp_socket::native_handle (&ends)[2]) noexcept { close(static_cast<SOCKET>(ends[0])); }
inline void ring(tcp_socket::native_handle end) noexcept { ::send(static_cast<SOCKET>(end), "w", 1, 0); }
inline void silence(tcp_socket::native_handle end) noexcept {
  char sink[64];
  while (::recv(static_cast<SOCKET>(end), sink, sizeof sink, 0) > 0) {}
}

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

inline sys_result<tcp_socket> accept_from(tcp_socket::native_handle listener) noexcept {
  const auto s = calls::accept(calls::raw(listener));
  if (calls::is_none(s)) return sys_failure(calls::last_error());
  // An answer leaves in one send; waiting for more would only delay it.
  calls::set_option(s, IPPROTO_TCP, TCP_NODELAY, 1);
  return calls::owned(s);
}
inline sys_result<tcp_socket> tcp_socket::accept() const { return accept_from(native_); }

inline bool tcp_socket::wait_readable(std::chrono::milliseconds limit) const noexcept {
  return calls::wait_ready(calls::raw(native_), POLLIN, limit);
}
inline bool tcp_socket::wait_writable(std::chrono::milliseconds limit) const noexcept {
  return calls::wait_ready(calls::raw(native_), POLLOUT, limit);
}
inline bool tcp_socket::peek(char& first) const noexcept {
  return ::recv(calls::raw(native_), &first, 1, MSG_PEEK) == 1;  // sockets here never block
}

inline bool tcp_socket::peer_closed() const noexcept {
  const auto s = calls::raw(native_);
  char one = 0;
  const auto n = ::recv(s, &one, 1, MSG_PEEK);  // sockets here never block
  return n == 0 || (n < 0 && !calls::would_block(calls::last_error()));
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
    if (limit.count() <= 0 || !calls::wait_ready(s, POLLIN, limit)) return transfer::timed_out;
  }
}

inline transfer tcp_socket::send_some(const char* from, std::size_t count, std::size_t& sent) noexcept {
  const auto s = calls::raw(native_);
  for (sent = 0; sent < count;) {
    const auto most = (std::min)(count - sent, std::size_t{1} << 30);
    const auto n = ::send(s, from + sent, static_cast<calls::size_type>(most), calls::send_flags);
    if (n <= 0) return calls::would_block(calls::last_error()) ? transfer::timed_out : transfer::failed;
    sent += static_cast<std::size_t>(n);
  }
  return transfer::done;
}

inline transfer tcp_socket::send(const char* from, std::size_t count, std::chrono::milliseconds limit) noexcept {
  for (std::size_t sent = 0;; from += sent, count -= sent) {
    const auto what = send_some(from, count, sent);
    if (what != transfer::timed_out) return what;
    if (limit.count() <= 0 || !calls::wait_ready(calls::raw(native_), POLLOUT, limit)) return transfer::timed_out;
  }
}

inline void tcp_socket::shutdown_send() noexcept { ::shutdown(calls::raw(native_), calls::sending); }
inline void tcp_socket::shutdown_both() noexcept { ::shutdown(calls::raw(native_), calls::both_ways); }
inline void tcp_socket::close() noexcept {
  if (native_ != -1) calls::close(calls::raw(std::exchange(native_, -1)));
}

inline bell::bell() {
  calls::start_up();
  calls::open_bell(ends_);
}
inline bell::~bell() {
  if (is_open()) calls::close_bell(ends_);
}
inline void bell::ring() noexcept {
  if (is_open()) calls::ring(ends_[1]);
}
inline void bell::silence() noexcept {
  if (is_open()) calls::silence(ends_[0]);
}

inline waker::outcome waker::wait_for(const tcp_socket& socket, std::chrono::milliseconds limit) noexcept {
  calls::poll_entry entries[2] = {};
  entries[0].fd = calls::raw(bell_.native());
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
// os/poll_poller.hpp
// =====================================================================================================================

// os/poller.hpp over poll() and WSAPoll: for systems that have nothing better, and for a second opinion in the tests. One
// thread waits in the call at a time, and each call costs by the number of sockets that are armed.

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string_view>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

class poll_poller {
 public:
  struct place {
    tcp_socket::native_handle socket = -1;
    void* who = nullptr;
    poll_for armed = poll_for::nothing;
    std::uint64_t armed_as = 0;  ///< tells this arming from those before: places are used again
    std::size_t index = 0;       ///< among all, while it is there
  };

  static constexpr bool waits_for_room = true;

  [[nodiscard]] bool is_open() const noexcept { return bell_.is_open(); }

  bool add(place& at, tcp_socket::native_handle s, void* who) noexcept try {
    const std::lock_guard lock(mutex_);
    places_.push_back(&at);
    at = place{s, who, poll_for::nothing, 0, places_.size() - 1};
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
  void arm(place& at, poll_for what, std::string_view = {}) noexcept {
    const std::lock_guard lock(mutex_);
    at.armed = what;
    at.armed_as = ++armings_;
    if (asleep_) bell_.ring();
  }
  [[nodiscard]] bool is_sending(const place&) const noexcept { return false; }
  [[nodiscard]] std::size_t sent(place&) noexcept { return 0; }
  [[nodiscard]] bool has_hung_up(const place&) const noexcept { return false; }  // it would be told again
  [[nodiscard]] bool is_quiet(const place&) const noexcept { return true; }
  void settle() noexcept {}
  [[nodiscard]] bool remove(place& at) noexcept {
    const std::lock_guard lock(mutex_);
    if (at.socket == -1) return true;
    places_[at.index] = places_.back();
    places_[at.index]->index = at.index;
    places_.pop_back();
    at.socket = -1;
    at.armed = poll_for::nothing;
    if (asleep_) bell_.ring();
    return true;
  }

  bool add_listener(place& at, tcp_socket& listener, void* who) noexcept {
    if (!add(at, listener.native(), who)) return false;
    arm_accept(at);
    return true;
  }
  void arm_accept(place& at) noexcept { arm(at, poll_for::bytes); }
  [[nodiscard]] sys_result<tcp_socket> accept(place& at) noexcept { return accept_from(at.socket); }

  std::size_t wait(void** who, std::size_t room) noexcept;
  void wake() noexcept {
    const std::lock_guard lock(mutex_);
    over_ = true;
    bell_.ring();
    turn_.notify_all();
  }

 private:
  struct watched {
    place* at;
    std::uint64_t armed_as;
  };
  void look();

  std::mutex mutex_;
  std::condition_variable turn_;
  std::vector<place*> places_;
  std::deque<void*> ready_;
  std::uint64_t armings_ = 0;
  bool waiting_ = false;  // somebody has the turn
  bool asleep_ = false;   // in the call
  bool over_ = false;
  bell bell_;
  std::vector<calls::poll_entry> entries_;  // of whoever has the turn
  std::vector<watched> watched_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline std::size_t poll_poller::wait(void** who, std::size_t room) noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    turn_.wait(lock, [this] { return over_ || !waiting_ || !ready_.empty(); });
    if (over_) return 0;
    if (!ready_.empty()) break;
    waiting_ = true;
    try {
      entries_.clear();
      watched_.clear();
      entries_.push_back({});
      entries_.back().fd = calls::raw(bell_.native());
      entries_.back().events = POLLIN;
      for (place* at : places_) {
        if (at->armed == poll_for::nothing) continue;
        watched_.push_back({at, at->armed_as});
        entries_.push_back({});
        entries_.back().fd = calls::raw(at->socket);
        entries_.back().events = at->armed == poll_for::bytes ? POLLIN : POLLOUT;
      }
      asleep_ = true;
      lock.unlock();
      static_cast<void>(calls::poll_any(entries_.data(), entries_.size(), -1));
      lock.lock();
      asleep_ = false;
      if (entries_[0].revents != 0) bell_.silence();
      for (std::size_t i = 0; i < watched_.size(); ++i) {
        place& at = *watched_[i].at;
        if (entries_[i + 1].revents == 0 || at.armed_as != watched_[i].armed_as || at.armed == poll_for::nothing)
          continue;
        at.armed = poll_for::nothing;
        ready_.push_back(at.who);
      }
    } catch (const std::bad_alloc&) {  // again, when somebody has given memory back
    }
    waiting_ = false;
  }
  std::size_t told = 0;
  for (; told < room && !ready_.empty(); ++told) {
    who[told] = ready_.front();
    ready_.pop_front();
  }
  turn_.notify_one();  // the next may wait while this one is at work
  return told;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// os/posix/epoll.hpp
// =====================================================================================================================

// os/poller.hpp on Linux. Edge-triggered, so that a connection that is served again and again costs no call but its
// receive and its send: what it waits for stays what it was.
// Source: epoll(7), epoll_ctl(2).

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>

#if WINSVC_OS_LINUX
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

class epoll_poller {
 public:
  struct place {
    tcp_socket::native_handle socket = -1;
    std::atomic<void*> who{nullptr};  // read for reports that come late
    poll_for armed = poll_for::nothing;  // what the kernel was told last
    std::atomic<bool> hung_up{false};
  };

  epoll_poller() noexcept : poll_(::epoll_create1(EPOLL_CLOEXEC)), stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    epoll_event one{};
    one.events = EPOLLIN;  // by level, and never read: awake for good
    if (is_open()) ::epoll_ctl(poll_, EPOLL_CTL_ADD, stop_, &one);
  }
  ~epoll_poller() {
    if (poll_ != -1) ::close(poll_);
    if (stop_ != -1) ::close(stop_);
  }
  epoll_poller(const epoll_poller&) = delete;
  epoll_poller& operator=(const epoll_poller&) = delete;

  static constexpr bool waits_for_room = true;

  [[nodiscard]] bool is_open() const noexcept { return poll_ != -1 && stop_ != -1; }

  bool add(place& at, tcp_socket::native_handle s, void* who) noexcept {
    at.socket = s;
    at.who = who;
    at.armed = poll_for::bytes;
    at.hung_up.store(false, std::memory_order_relaxed);
    return tell(at, EPOLL_CTL_ADD);
  }
  void arm(place& at, poll_for what, std::string_view = {}) noexcept {
    if (at.armed == what) return;  // an edge since the last look is kept, whoever it was told to
    at.armed = what;
    tell(at, EPOLL_CTL_MOD);
  }
  [[nodiscard]] bool is_sending(const place&) const noexcept { return false; }
  [[nodiscard]] std::size_t sent(place&) noexcept { return 0; }
  [[nodiscard]] bool has_hung_up(const place& at) const noexcept { return at.hung_up.load(); }
  [[nodiscard]] bool is_quiet(const place&) const noexcept { return true; }
  void settle() noexcept {}
  [[nodiscard]] bool remove(place& at) noexcept {
    if (at.socket != -1) ::epoll_ctl(poll_, EPOLL_CTL_DEL, static_cast<int>(at.socket), nullptr);
    at.socket = -1;
    return true;
  }

  bool add_listener(place& at, tcp_socket& listener, void* who) noexcept { return add(at, listener.native(), who); }
  /// Tells the kernel again: who accepted may have stopped before there was nobody left.
  void arm_accept(place& at) noexcept { tell(at, EPOLL_CTL_MOD); }
  [[nodiscard]] sys_result<tcp_socket> accept(place& at) noexcept { return accept_from(at.socket); }

  std::size_t wait(void** who, std::size_t room) noexcept {
    constexpr std::size_t most = 16;
    epoll_event events[most];
    int count = 0;
    do count = ::epoll_wait(poll_, events, static_cast<int>((std::min)(room, most)), -1);
    while (count < 0 && errno == EINTR);
    std::size_t told = 0;
    for (int i = 0; i < count; ++i) {
      if (events[i].data.ptr == nullptr) return 0;
      auto& at = *static_cast<place*>(events[i].data.ptr);
      if ((events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) at.hung_up.store(true);
      who[told++] = at.who.load(std::memory_order_relaxed);
    }
    return told;
  }
  void wake() noexcept {
    const std::uint64_t one = 1;
    if (stop_ != -1) static_cast<void>(!::write(stop_, &one, sizeof one));
  }

 private:
  bool tell(place& at, int how) noexcept {
    epoll_event one{};
    one.data.ptr = &at;
    one.events = EPOLLET | EPOLLRDHUP;
    if (at.armed == poll_for::bytes) one.events |= EPOLLIN;
    if (at.armed == poll_for::room) one.events |= EPOLLOUT;
    return ::epoll_ctl(poll_, how, static_cast<int>(at.socket), &one) == 0;
  }

  int poll_, stop_;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_LINUX

// =====================================================================================================================
// os/win/iocp.hpp
// =====================================================================================================================

// os/poller.hpp on Windows: an I/O completion port. It tells of operations that are over, not of sockets that are ready;
// so a wait for bytes is a receive of none, a wait for room is a send of some, and a wait for a client is an AcceptEx.
//
// An operation belongs to the system until it is over, also when its socket is closed: the place it is part of has to
// stay until then. Closing the socket makes it be over soon.
// Source: CreateIoCompletionPort, GetQueuedCompletionStatusEx, WSARecv, WSASend, AcceptEx.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

class iocp_poller {
 public:
  struct place;

  /// One operation under way. The system knows it by its first member.
  struct operation {
    OVERLAPPED over{};
    place* at = nullptr;
  };
  struct place {
    tcp_socket::native_handle socket = -1;
    std::atomic<void*> who{nullptr};
    std::atomic<int> pending{0};          // operations that are not over
    std::atomic<bool> receiving{false}, sending{false};
    std::atomic<std::size_t> sent{0};
    operation receive, send, accept;
    std::string leaving;                  // the bytes that are being sent: the caller's may go meanwhile
    tcp_socket next;                      // whom AcceptEx makes a client of
    std::atomic<bool> accepting{false};
    char addresses[2 * (sizeof(sockaddr_storage) + 16)] = {};
  };

  /// A place that wants room without saying for which bytes cannot be waited for.
  static constexpr bool waits_for_room = false;

  iocp_poller() noexcept {
    calls::start_up();
    port_ = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0);
  }
  ~iocp_poller() {
    settle();
    if (port_) ::CloseHandle(port_);
  }
  iocp_poller(const iocp_poller&) = delete;
  iocp_poller& operator=(const iocp_poller&) = delete;

  [[nodiscard]] bool is_open() const noexcept { return port_ != nullptr; }

  bool add(place& at, tcp_socket::native_handle s, void* who) noexcept {
    at.socket = s;
    at.who.store(who);
    at.sent.store(0);
    at.receive.at = at.send.at = at.accept.at = &at;
    return ::CreateIoCompletionPort(reinterpret_cast<HANDLE>(s), port_, 0, 0) != nullptr;
  }
  void arm(place& at, poll_for what, std::string_view bytes = {}) noexcept;
  [[nodiscard]] std::size_t sent(place& at) noexcept { return at.sent.exchange(0); }
  [[nodiscard]] bool is_sending(const place& at) const noexcept { return at.sending.load(); }
  [[nodiscard]] bool has_hung_up(const place&) const noexcept { return false; }  // it is told again
  [[nodiscard]] bool is_quiet(const place& at) const noexcept { return at.pending.load() == 0; }
  [[nodiscard]] bool remove(place& at) noexcept {
    at.socket = -1;
    return is_quiet(at);
  }

  bool add_listener(place& at, tcp_socket& listener, void* who) noexcept;
  void arm_accept(place& at) noexcept;
  [[nodiscard]] sys_result<tcp_socket> accept(place& at) noexcept;

  std::size_t wait(void** who, std::size_t room) noexcept;
  void wake() noexcept {
    over_.store(true);
    ::PostQueuedCompletionStatus(port_, 0, 0, nullptr);
  }
  /// Waits, for a moment, until all operations are over: before their places go.
  void settle() noexcept;

 private:
  [[nodiscard]] static SOCKET raw(const place& at) noexcept { return static_cast<SOCKET>(at.socket); }
  void begin(place& at) noexcept {
    ++at.pending;
    ++pending_;
  }
  /// It could not be begun, which is told like its end: whoever looks finds out why.
  void failed(operation& one) noexcept { ::PostQueuedCompletionStatus(port_, 0, 0, &one.over); }
  void is_over(operation& one, std::size_t bytes) noexcept;

  HANDLE port_ = nullptr;
  std::atomic<int> pending_{0};
  std::atomic<bool> over_{false};
  LPFN_ACCEPTEX accept_ex_ = nullptr;
  int family_ = AF_INET;
};

// ---------------------------------------------------------------------------------------------------------------------

inline void iocp_poller::arm(place& at, poll_for what, std::string_view bytes) noexcept {
  if (what == poll_for::bytes && !at.receiving.exchange(true)) {
    begin(at);
    at.receive.over = OVERLAPPED{};
    WSABUF none{0, nullptr};
    DWORD got = 0, flags = 0;
    if (::WSARecv(raw(at), &none, 1, &got, &flags, &at.receive.over, nullptr) != 0 &&
        ::WSAGetLastError() != WSA_IO_PENDING)
      failed(at.receive);
  }
  if (what == poll_for::room && !at.sending.exchange(true)) {
    begin(at);
    at.send.over = OVERLAPPED{};
    constexpr std::size_t most = 64 * 1024;
    try {
      at.leaving.assign(bytes.substr(0, most));
    } catch (...) {  // no memory: looked at again at once, by who may have some
      return failed(at.send);
    }
    WSABUF some{static_cast<ULONG>(at.leaving.size()), &at.leaving[0]};
    DWORD sent = 0;
    if (::WSASend(raw(at), &some, 1, &sent, 0, &at.send.over, nullptr) != 0 && ::WSAGetLastError() != WSA_IO_PENDING)
      failed(at.send);
  }
}

inline void iocp_poller::is_over(operation& one, std::size_t bytes) noexcept {
  place& at = *one.at;
  if (&one == &at.receive) at.receiving.store(false);
  if (&one == &at.send) {
    std::string().swap(at.leaving);
    at.sent.fetch_add(bytes);
    at.sending.store(false);
  }
  --pending_;
  --at.pending;
}

inline std::size_t iocp_poller::wait(void** who, std::size_t room) noexcept {
  constexpr std::size_t most = 16;
  OVERLAPPED_ENTRY entries[most];
  for (;;) {
    ULONG count = 0;
    if (!::GetQueuedCompletionStatusEx(port_, entries, static_cast<ULONG>((std::min)(room, most)), &count, INFINITE,
                                       FALSE))
      count = 0;
    std::size_t told = 0;
    for (ULONG i = 0; i < count; ++i) {
      if (!entries[i].lpOverlapped) continue;  // woken
      auto& one = *reinterpret_cast<operation*>(entries[i].lpOverlapped);
      void* const whose = one.at->who.load();
      is_over(one, entries[i].dwNumberOfBytesTransferred);
      who[told++] = whose;
    }
    if (over_.load()) ::PostQueuedCompletionStatus(port_, 0, 0, nullptr);  // for the next who waits
    if (told > 0 || over_.load()) return told;
  }
}

inline void iocp_poller::settle() noexcept {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (port_ && pending_.load() > 0 && std::chrono::steady_clock::now() < until) {
    OVERLAPPED_ENTRY one{};
    ULONG count = 0;
    constexpr DWORD a_moment = 20;
    if (!::GetQueuedCompletionStatusEx(port_, &one, 1, &count, a_moment, FALSE) || count == 0 || !one.lpOverlapped)
      continue;
    is_over(*reinterpret_cast<operation*>(one.lpOverlapped), one.dwNumberOfBytesTransferred);
  }
}

// --- accepting -------------------------------------------------------------------------------------------------------

inline bool iocp_poller::add_listener(place& at, tcp_socket& listener, void* who) noexcept {
  if (!add(at, listener.native(), who)) return false;
  sockaddr_storage address{};
  int length = sizeof address;
  if (::getsockname(raw(at), reinterpret_cast<sockaddr*>(&address), &length) == 0) family_ = address.ss_family;
  GUID which = WSAID_ACCEPTEX;
  DWORD bytes = 0;
  return ::WSAIoctl(raw(at), SIO_GET_EXTENSION_FUNCTION_POINTER, &which, sizeof which, &accept_ex_, sizeof accept_ex_,
                    &bytes, nullptr, nullptr) == 0;
}

inline void iocp_poller::arm_accept(place& at) noexcept {
  if (at.pending.load() > 0) return;
  begin(at);
  at.accept.over = OVERLAPPED{};
  at.next = calls::owned(calls::open(family_));
  DWORD got = 0;
  constexpr DWORD each = sizeof at.addresses / 2;
  at.accepting.store(at.next.is_open());
  if (!at.next.is_open() || (!accept_ex_(raw(at), calls::raw(at.next.native()), at.addresses, 0, each, each, &got,
                                         &at.accept.over) && ::WSAGetLastError() != ERROR_IO_PENDING)) {
    at.accepting.store(false);
    failed(at.accept);
  }
}

inline sys_result<tcp_socket> iocp_poller::accept(place& at) noexcept {
  if (at.accepting.load() && HasOverlappedIoCompleted(&at.accept.over) && at.accepting.exchange(false)) {
    tcp_socket client = std::move(at.next);
    const SOCKET s = calls::raw(client.native());
    const SOCKET listener = raw(at);
    if (at.accept.over.Internal == 0 &&
        ::setsockopt(s, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, reinterpret_cast<const char*>(&listener),
                     sizeof listener) == 0) {
      calls::set_nonblocking(s);
      calls::set_option(s, IPPROTO_TCP, TCP_NODELAY, 1);
      return client;
    }
  }
  return accept_from(at.socket);  // whoever came meanwhile
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/poller.hpp
// =====================================================================================================================

// Waiting for many sockets with few threads: which of them has bytes, or room for more, is told to one of the threads
// that wait.
//
//   poller p;
//   p.add(place, socket, &connection);             // once; then, each time there is nothing to do:
//   p.arm(place, poll_for::bytes);
//   void* who[8];
//   for (std::size_t i = 0, n = p.wait(who, 8); i < n; ++i) serve(who[i]);
//
// There is one in a program: epoll on Linux (posix/epoll.hpp), an I/O completion port on Windows (win/iocp.hpp), poll()
// elsewhere (poll_poller.hpp, which runs everywhere). They have the same members, and everything from any thread:
//
//   is_open()               could it be made? else calls::last_error()
//   add(place, s, who)      `place` is the socket's part of the poller, kept by its user; false: the system has no more
//   arm(place, what, some)  what to wait for. `some`: the bytes that want room; a completion port sends them by itself
//   waits_for_room          else `some` must not be empty
//   is_sending(place)       those are on their way: nothing else may be sent
//   sent(place)             how many of them have left that way; once, after a report
//   has_hung_up(place)      the peer may have closed its end, and that is not told again: receive until it says so
//   remove(place)           before the socket is closed; false: reports are to come yet, and the place is free for the
//                           next socket when is_quiet(place) after one
//   settle()                before places go: no report is to come any more
//   add_listener(place, listener, who), accept(place) until it would block, arm_accept(place)
//   wait(who, room)         up to so many that are ready; waits for one. 0: `wake` was called, and every wait ends
//
// Whoever arms a place has just found nothing to receive, or no room; what changes from then on is told at least once.
// It may be told while somebody is at work on the socket: he looks once more then. It may be told late, of a socket that
// was removed and whose place is another's by now: so places are used again, but not freed before the poller is, and
// whoever is told of a socket looks, and does not believe.

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

#if WINSVC_OS_LINUX
using poller = epoll_poller;
#elif WINSVC_OS_WINDOWS
using poller = iocp_poller;
#else
using poller = poll_poller;
#endif

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// os/console.hpp
// =====================================================================================================================

// The terminal: writing to it, asking for a secret, and the ways a person ends a program that runs in it.
//
//   if (auto password = read_secret("password: ")) use(*password);
//
// A service has no standard handles; `write_out` and `write_err` then do nothing.

#include <functional>
#include <optional>
#include <string>
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

/// Writes `prompt` to standard error and reads a line from the terminal that is not shown while it is typed. A code
/// when standard input is no terminal (whoever pipes a secret says so: read_input_line), or when the person gave up
/// with Ctrl-C.
[[nodiscard]] sys_result<std::string> read_secret(std::string_view prompt);
/// One line of standard input, UTF-8, without its line end and without the mark that PowerShell puts before the first;
/// nothing at the end. It takes no byte beyond the line.
[[nodiscard]] std::optional<std::string> read_input_line();

/// What was read up to a '\n', as a line.
[[nodiscard]] inline std::string as_line(std::string read) {
  if (!read.empty() && read.back() == '\r') read.pop_back();
  return read.compare(0, 3, "\xEF\xBB\xBF") == 0 ? read.substr(3) : read;
}

/// Whether a person asks, or the system does, which ends the process about 5 s later whatever it is doing.
enum class interruption { asked, closing };

/// While it lives, Ctrl-C and its kin are a call of `on_interrupt` (from a thread of its own, any number of times) and
/// no longer the end of the process. Windows: Ctrl-C, Ctrl-Break, and the closing of the console, logoff and shutdown;
/// for the last three the process ends when their handler returns, so it is held until this object is destroyed. POSIX:
/// SIGINT, SIGTERM, SIGHUP. One at a time.
class interrupts {
 public:
  explicit interrupts(std::function<void(interruption)> on_interrupt);
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
// os/posix/console.hpp
// =====================================================================================================================

// os/console.hpp on POSIX: signals, led through a pipe to a thread, because a signal handler may do next to nothing.

#include <cerrno>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
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

inline std::optional<std::string> read_input_line() {
  std::string line;
  for (char byte = 0;;) {
    const auto n = ::read(STDIN_FILENO, &byte, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 && line.empty()) return std::nullopt;
    if (n <= 0 || byte == '\n') return as_line(std::move(line));
    line += byte;
  }
}

inline sys_result<std::string> read_secret(std::string_view prompt) {
  termios before{};
  if (::tcgetattr(STDIN_FILENO, &before) != 0) return sys_failure(static_cast<std::uint32_t>(errno));
  // Ctrl-C would end the process and leave a terminal behind that shows nothing: it ends the line instead.
  const char interrupt = static_cast<char>(before.c_cc[VINTR]);
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
  silent.c_cc[VEOL] = before.c_cc[VINTR];
  if (::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) != 0) return sys_failure(static_cast<std::uint32_t>(errno));
  const scope_exit restore([&] {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    write_err("\n");  // the Enter was not shown either
  });
  write_err(prompt);
  std::string line;
  for (char byte = 0; byte != '\n' && byte != interrupt;) {
    const auto n = ::read(STDIN_FILENO, &byte, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) byte = interrupt;  // the end of the file: nobody answers
    line += byte;
  }
  if (line.back() == interrupt) return sys_failure(ECANCELED);
  line.pop_back();
  return line;
}

struct interrupts::state {
  static constexpr int signals[3] = {SIGINT, SIGTERM, SIGHUP};
  int pipe[2] = {-1, -1};
  struct sigaction before[3] = {};
  std::function<void(interruption)> on_interrupt;
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

inline interrupts::interrupts(std::function<void(interruption)> on_interrupt) : state_(new state) {
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
        s->on_interrupt(interruption::asked);
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
// os/crash.hpp
// =====================================================================================================================

// What is left of a process that crashes: a minidump for a debugger, and a last word for the log.
//
//   crash_guard::settings s;
//   s.folder = log_folder;
//   s.name = "hello";
//   s.tell = [&](const crash_report& r) { log.error(r.what); };
//   const crash_guard guard(std::move(s));
//
// It catches a structured exception that nobody handles (an access violation, a stack overflow), std::terminate (an
// exception that left a thread or a noexcept function) and abort(). The process ends with a code after that, without
// STOPPED, which the SCM counts as a failure. What ends a process at once leaves nothing: TerminateProcess, and the
// fail-fast by which Windows answers a damaged heap or stack cookie.
//
// On POSIX there is no dump of ours (the system's core is what there is): std::terminate and the fatal signals get
// their last word, and what they would have done without us happens then. A stack overflow is caught there on the
// thread that made the guard alone, because a signal's own stack belongs to one thread.
//
// Source: SetUnhandledExceptionFilter and MiniDumpWriteDump in the Win32 documentation; sigaltstack(2).

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// The last word.
struct crash_report {
  std::string what;              ///< "an access violation at 0x…", "std::terminate: no such device"
  std::uint32_t code = 0;        ///< what the process ends with: the exception's, 1064; on POSIX 128 + the signal
  std::string dump;              ///< the minidump's path; empty: none was written
  std::uint32_t dump_fault = 0;  ///< and why not; 0: none was wanted
};

/// While it lives, a crash of any thread leaves a dump and calls `tell`. One at a time.
class crash_guard {
 public:
  struct settings {
    std::string folder;  ///< of the dumps; empty: none
    std::string name;    ///< they are called `<name>-20260131-080509-1234.dmp`, in UTC and with the process's id
    int kept = 3;        ///< with the new one; older ones of that name are deleted
    /// Once, on a thread of the guard's own: the crashing one may have no stack left, or be in the middle of what it
    /// would need, the log for one. The process ends when it returns, or after `patience`.
    std::function<void(const crash_report&)> tell;
    std::chrono::milliseconds patience{5'000};
  };
  explicit crash_guard(settings s);
  ~crash_guard();
  crash_guard(const crash_guard&) = delete;
  crash_guard& operator=(const crash_guard&) = delete;

 private:
  struct state;
  state* state_;
};

// ---------------------------------------------------------------------------------------------------------------------

/// What the exception says that is being handled or about to end the process; empty when there is none.
[[nodiscard]] inline std::string current_exception_words() {
  const std::exception_ptr current = std::current_exception();
  if (!current) return {};
  try {
    std::rethrow_exception(current);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}
[[nodiscard]] inline std::string terminate_words() {
  const std::string words = current_exception_words();
  return words.empty() ? "std::terminate" : "std::terminate: " + words;
}

/// Is it a dump of this name, and not of one that begins with it?
[[nodiscard]] inline bool is_dump_of(std::string_view name, std::string_view file) {
  if (!text::starts_with(file, name)) return false;
  file.remove_prefix(name.size());
  constexpr std::string_view shape = "-########-######-", ending = ".dmp";
  if (file.size() <= shape.size() + ending.size() || file.substr(file.size() - ending.size()) != ending) return false;
  file.remove_suffix(ending.size());
  for (std::size_t i = 0; i < file.size(); ++i) {
    const bool digit = i >= shape.size() || shape[i] == '#';
    if (digit ? !text::is_digit(file[i]) : file[i] != shape[i]) return false;
  }
  return true;
}
/// Which of a folder's files (in order) are dumps of this name beyond the newest `kept`.
[[nodiscard]] inline std::vector<std::string> dumps_too_many(const std::vector<std::string>& files,
                                                             std::string_view name, int kept) {
  std::vector<std::string> dumps;
  for (const auto& file : files) {
    if (is_dump_of(name, file)) dumps.push_back(file);
  }
  const auto stay = static_cast<std::size_t>((std::max)(kept, 1));  // the one that was just written, at least
  dumps.resize(dumps.size() - (std::min)(dumps.size(), stay));
  return dumps;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// os/posix/crash.hpp
// =====================================================================================================================

// os/crash.hpp on POSIX. A signal handler may do next to nothing: it writes a byte to a pipe, waits for one to come
// back, and lets happen what would have happened without it. The last word is spoken by a thread that waits for it from
// the beginning.

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

struct crash_guard::state {
  struct fatal {
    int number;
    const char* words;
  };
  static constexpr fatal signals[] = {
      {SIGSEGV, "a segmentation fault (SIGSEGV)"}, {SIGBUS, "a bus error (SIGBUS)"},
      {SIGFPE, "an arithmetic error (SIGFPE)"},    {SIGILL, "an illegal instruction (SIGILL)"},
      {SIGABRT, "abort() (SIGABRT)"},
  };

  settings with;
  int crashed[2] = {-1, -1}, told[2] = {-1, -1};
  std::thread teller;
  pthread_t teller_id{};
  struct sigaction before[std::size(signals)] = {};
  std::terminate_handler terminate_before = nullptr;
  std::vector<char> stack;  // the handlers'
  pthread_t stack_owner{};

  // Written by the crashing thread before the byte in the pipe, read by the teller after it.
  std::string terminated;  // the words of std::terminate, when it is that
  int signal = 0;
  const void* address = nullptr;
  std::atomic<bool> taken{false}, finished{false};

  static std::atomic<state*>& current() noexcept {
    static std::atomic<state*> one{nullptr};
    return one;
  }

  /// On the crashing thread; returns when the word is spoken. Whoever crashes meanwhile waits here for the end, but not
  /// the teller itself, for which everybody would wait.
  void tell(int number, const void* where) noexcept {
    if (taken.exchange(true)) {
      while (!finished && !::pthread_equal(::pthread_self(), teller_id)) ::poll(nullptr, 0, 20);
      return;
    }
    signal = number;
    address = where;
    static_cast<void>(!::write(crashed[1], "c", 1));
    pollfd answer = {told[0], POLLIN, 0};
    while (::poll(&answer, 1, static_cast<int>(with.patience.count())) < 0 && errno == EINTR) {
    }
    finished = true;
  }

  void wait_and_speak() {
    char byte = 0;
    while (::read(crashed[0], &byte, 1) < 0 && errno == EINTR) {
    }
    if (byte != 'c') return;
    try {
      crash_report report;
      report.what = terminated.empty() ? words_of_signal() : terminated;
      report.code = 128 + static_cast<std::uint32_t>(signal);
      if (with.tell) with.tell(report);
    } catch (...) {  // the process ends in any case
    }
    static_cast<void>(!::write(told[1], "t", 1));
  }

  std::string words_of_signal() const {
    std::string words;
    for (const auto& s : signals) {
      if (s.number == signal) words = s.words;
    }
    char where[32];
    std::snprintf(where, sizeof where, " at %p", address);
    return signal == SIGABRT ? words : words + where;
  }

  static void on_signal(int number, siginfo_t* info, void*) noexcept {
    const int saved = errno;
    state* const s = current();
    if (!s) {  // somebody kept our handler for longer than we live
      std::signal(number, SIG_DFL);
      return;
    }
    s->tell(number, info->si_addr);
    for (std::size_t i = 0; i < std::size(signals); ++i) {
      if (signals[i].number == number) ::sigaction(number, &s->before[i], nullptr);
    }
    // A fault comes again when its instruction does, on return from here; what was sent must be sent again.
    if (info->si_code <= 0) ::raise(number);
    errno = saved;
  }

  [[noreturn]] static void on_terminate() noexcept {
    if (state* const s = current()) {
      if (!s->taken) s->terminated = terminate_words();
      s->tell(SIGABRT, nullptr);
      if (s->terminate_before) s->terminate_before();
    }
    std::abort();
  }
};

inline crash_guard::crash_guard(settings s) : state_(new state) {
  state_->with = std::move(s);
  if (::pipe(state_->crashed) != 0 || ::pipe(state_->told) != 0) return;
  for (const int end : {state_->crashed[0], state_->crashed[1], state_->told[0], state_->told[1]}) {
    ::fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  state_->teller = std::thread([state = state_] { state->wait_and_speak(); });
  state_->teller_id = state_->teller.native_handle();

  stack_t now = {};
  if (::sigaltstack(nullptr, &now) == 0 && (now.ss_flags & SS_DISABLE) != 0) {  // a sanitizer brings its own
    state_->stack.resize(64 * 1024);
    stack_t ours = {};
    ours.ss_sp = state_->stack.data();
    ours.ss_size = state_->stack.size();
    ::sigaltstack(&ours, nullptr);
    state_->stack_owner = ::pthread_self();
  }
  state::current() = state_;
  struct sigaction action = {};
  action.sa_sigaction = &state::on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (std::size_t i = 0; i < std::size(state::signals); ++i) {
    ::sigaction(state::signals[i].number, &action, &state_->before[i]);
  }
  state_->terminate_before = std::set_terminate(&state::on_terminate);
}

inline crash_guard::~crash_guard() {
  if (state_->teller.joinable()) {
    // What somebody has put over ours since stays.
    const auto terminate_found = std::set_terminate(state_->terminate_before);
    if (terminate_found != &state::on_terminate) std::set_terminate(terminate_found);
    for (std::size_t i = 0; i < std::size(state::signals); ++i) {
      struct sigaction found = {};
      ::sigaction(state::signals[i].number, nullptr, &found);
      if ((found.sa_flags & SA_SIGINFO) != 0 && found.sa_sigaction == &state::on_signal)
        ::sigaction(state::signals[i].number, &state_->before[i], nullptr);
    }
    state::current() = nullptr;
    if (!state_->stack.empty() && ::pthread_equal(state_->stack_owner, ::pthread_self())) {
      stack_t none = {};
      none.ss_flags = SS_DISABLE;
      ::sigaltstack(&none, nullptr);
    }
    static_cast<void>(!::write(state_->crashed[1], "q", 1));
    state_->teller.join();
  }
  for (const int end : {state_->crashed[0], state_->crashed[1], state_->told[0], state_->told[1]}) {
    if (end != -1) ::close(end);
  }
  delete state_;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // !WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/elevation.hpp
// =====================================================================================================================

// The same program once more, elevated: Windows asks the person, the window stays hidden, what it prints and its exit
// code come back here.
//
//   if (auto code = run_elevated({"install"}, {}, [](std::string_view out) { write_out(out); })) return *code;
//
// Parent and child talk through a named pipe that only this user can open; the child opens it so that the pipe's owner
// cannot act in its name. Elsewhere: 50 (not supported).
//
// Source: ShellExecuteExW with the verb "runas", CreateNamedPipeW and SECURITY_ANONYMOUS in the Win32 documentation.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// Runs this executable with `words`, elevated, in the current folder, and waits for it. `input` is what `join_parent`
/// returns there (a password, which must not be on a command line). `on_output` gets what it writes, in pieces of whole
/// characters, on this thread. The exit code; or 1223 when the person said no.
///
/// A child that ends without `join_parent` is no error: its exit code is all there is. Ctrl-C ends this process alone;
/// the child brings to its end what it began.
[[nodiscard]] sys_result<std::uint32_t> run_elevated(std::vector<std::string> words, const std::string& input,
                                                     const std::function<void(std::string_view)>& on_output);

inline constexpr std::size_t elevated_input_limit = 65'536;  ///< longer input is refused with 87

/// The option that `run_elevated` puts behind the words: `--elevated PIPE`.
inline constexpr std::string_view elevated_option = "--elevated";

/// In the child, before anything is printed: from here on, what write_out and write_err of os/console.hpp are given
/// goes to the parent (the C and C++ streams keep the handles that they began with). Returns the parent's input; 123
/// for what is not the name of such a pipe.
[[nodiscard]] sys_result<std::string> join_parent(const std::string& pipe);

// ---------------------------------------------------------------------------------------------------------------------

/// How many bytes at the beginning are whole characters, where a pipe may have cut the last one. What is no UTF-8
/// counts as whole: nothing will mend it.
[[nodiscard]] inline std::size_t whole_characters(std::string_view s) noexcept {
  for (std::size_t back = 1; back <= 3 && back <= s.size(); ++back) {
    const auto byte = static_cast<unsigned char>(s[s.size() - back]);
    if ((byte & 0xC0u) == 0x80u) continue;  // inside of a character
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? s.size() - back : s.size();
  }
  return s.size();
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// os/posix/elevation.hpp
// =====================================================================================================================

// os/elevation.hpp on POSIX: there is nobody to ask. What needs more rights is run with sudo.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

inline sys_result<std::uint32_t> run_elevated(std::vector<std::string>, const std::string&,
                                              const std::function<void(std::string_view)>&) {
  return sys_failure(50);  // ERROR_NOT_SUPPORTED
}
inline sys_result<std::string> join_parent(const std::string&) { return sys_failure(50); }

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // !WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/posix/file.hpp
// =====================================================================================================================

// os/file.hpp on POSIX.

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

inline sys_result<std::vector<std::string>> list_files(const std::string& folder) {
  DIR* const open = ::opendir(folder.c_str());
  if (!open) return errno_failure();
  std::vector<std::string> names;
  for (errno = 0; const dirent* one = ::readdir(open);) {
    struct stat info = {};
    if (::fstatat(::dirfd(open), one->d_name, &info, 0) == 0 && S_ISREG(info.st_mode)) names.emplace_back(one->d_name);
    errno = 0;
  }
  const int code = errno;
  ::closedir(open);
  if (code != 0) return sys_failure(static_cast<std::uint32_t>(code));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // !WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/new_file.hpp
// =====================================================================================================================

// A file that comes into being: written once from front to back, for nobody but this service, and then given its place.
//
//   auto file = os::new_file::create(os::path_join(folder, name));   // fails where one is
//   file->write(bytes), file->close();
//   os::move_file(path, final_path);                                 // a reader sees the old one or the new one

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

class new_file {
 public:
  new_file() = default;
  new_file(new_file&& other) noexcept : native_(std::exchange(other.native_, -1)) {}
  new_file& operator=(new_file&& other) noexcept {
    std::swap(native_, other.native_);
    return *this;
  }
  ~new_file() { static_cast<void>(close()); }

  /// For its owner alone where modes are (0600); on Windows with the rights of its folder. A link is not followed.
  [[nodiscard]] static sys_result<new_file> create(const std::string& path);
  [[nodiscard]] bool is_open() const noexcept { return native_ != -1; }
  sys_result<void> write(std::string_view bytes) noexcept;
  /// What the system took and could not keep may come out only here.
  sys_result<void> close() noexcept;

 private:
  std::intptr_t native_ = -1;  // a HANDLE, or a file descriptor
};

/// Over an existing target. From another volume it is copied beside the target first, so that here too a reader sees
/// all of it or nothing.
sys_result<void> move_file(const std::string& from, const std::string& to);
/// With all parents; where modes are, the last one is for its owner alone (0700).
sys_result<void> make_private_folder(const std::string& path);
/// GetTempPathW; $TMPDIR or /tmp.
[[nodiscard]] std::string temporary_folder();
/// Does this code say that there is no room: on the disk, in a quota, for so large a file?
[[nodiscard]] bool means_full(std::uint32_t code) noexcept;
/// Is there such a process? True also where that is not for us to know.
[[nodiscard]] bool process_exists(std::uint32_t id) noexcept;

/// Where a file is put together before it has its place: beside it, by a name that nobody else uses.
[[nodiscard]] inline std::string place_beside(const std::string& from, const std::string& to) {
  const auto slash = from.find_last_of("/\\");
  return to + '-' + (slash == std::string::npos ? from : from.substr(slash + 1));
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// os/posix/new_file.hpp
// =====================================================================================================================

// os/new_file.hpp on POSIX.

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

inline sys_result<new_file> new_file::create(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return errno_failure();
  new_file out;
  out.native_ = file;
  return out;
}

inline sys_result<void> new_file::write(std::string_view bytes) noexcept {
  if (!write_all(static_cast<int>(native_), bytes)) return errno_failure();
  return {};
}

inline sys_result<void> new_file::close() noexcept {
  if (native_ != -1 && ::close(static_cast<int>(std::exchange(native_, -1))) != 0) return errno_failure();
  return {};
}

inline sys_result<void> copy_to_new(const std::string& from, const std::string& to) {
  const int source = ::open(from.c_str(), O_RDONLY | O_CLOEXEC);
  if (source < 0) return errno_failure();
  const scope_exit closed([source] { ::close(source); });
  auto target = new_file::create(to);
  if (!target) return sys_failure(target.error());
  for (char piece[64 * 1024];;) {
    const auto got = ::read(source, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_failure();
    if (got == 0) return target->close();
    if (auto written = target->write({piece, static_cast<std::size_t>(got)}); !written) return written;
  }
}

inline sys_result<void> move_file(const std::string& from, const std::string& to) {
  if (rename_file(from, to)) return {};
  if (errno != EXDEV) return errno_failure();
  const std::string beside = place_beside(from, to);
  auto done = copy_to_new(from, beside);
  if (done && !rename_file(beside, to)) done = errno_failure();
  if (!done) remove_file(beside);
  else remove_file(from);
  return done;
}

inline sys_result<void> make_private_folder(const std::string& path) {
  const auto made = make_folders(path);
  if (made && ::chmod(path.c_str(), 0700) != 0) return errno_failure();
  return made;
}

inline std::string temporary_folder() {
  const char* said = std::getenv("TMPDIR");
  return said && *said ? said : "/tmp";
}

inline bool means_full(std::uint32_t code) noexcept { return code == ENOSPC || code == EDQUOT || code == EFBIG; }

inline bool process_exists(std::uint32_t id) noexcept {
  return ::kill(static_cast<pid_t>(id), 0) == 0 || errno != ESRCH;
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
  /// A control and what came with it; returns the Win32 code for the SCM. Runs on the thread that called `run`, one at
  /// a time; it must return at once, because the SCM serves no other service meanwhile.
  using control_handler = std::function<std::uint32_t(const model::control_event& event)>;

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

/// Never throws, never blocks for long; a report that cannot be made is dropped, because the log file has it too.
void report_event(const std::string& source, model::event_level level, std::uint32_t id,
                  std::string_view text) noexcept;

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
// os/posix/process.hpp
// =====================================================================================================================

// os/process.hpp, os/event_log.hpp and the service side of the seam on POSIX, where there is no Service Control
// Manager: its calls answer 50 (not supported).

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
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

/// The first bytes of a file of /proc, which are there at once; empty where there is none.
inline std::string_view read_proc(const char* path, char* into, std::size_t room) noexcept {
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  const auto count = ::read(file, into, room);
  ::close(file);
  return count <= 0 ? std::string_view() : std::string_view(into, static_cast<std::size_t>(count));
}

/// The n-th word from 0 on as a number; 0 where it is none.
inline std::uint64_t number_at(std::string_view words, int n) noexcept {
  for (; n > 0 && !words.empty(); --n) words.remove_prefix((std::min)(words.find(' '), words.size() - 1) + 1);
  std::uint64_t value = 0;
  static_cast<void>(text::parse_number(words.substr(0, words.find_first_of(" \n")), ~std::uint64_t{0}, value));
  return value;
}

inline process_usage usage() noexcept {
  using namespace std::chrono;
  const auto now = [](clockid_t which) {
    timespec t{};
    return ::clock_gettime(which, &t) == 0 ? seconds(t.tv_sec) + nanoseconds(t.tv_nsec) : nanoseconds(0);
  };
  process_usage u;
  u.cpu = duration_cast<microseconds>(now(CLOCK_PROCESS_CPUTIME_ID));
  char room[4096];
  u.resident = number_at(read_proc("/proc/self/statm", room, sizeof room), 1) *
               static_cast<std::uint64_t>((std::max)(::sysconf(_SC_PAGESIZE), 0L));
#if defined(__linux__)
  // proc(5): field 22 is the start in ticks since boot. The second is the name, which may hold blanks and brackets.
  const std::string_view stat = read_proc("/proc/self/stat", room, sizeof room);
  const auto ticks_a_second = static_cast<std::uint64_t>((std::max)(::sysconf(_SC_CLK_TCK), 1L));
  if (const auto name_end = stat.rfind(") "); name_end != stat.npos) {
    const std::uint64_t ticks = number_at(stat.substr(name_end + 2), 19);
    const auto boot = duration_cast<milliseconds>(now(CLOCK_REALTIME) - now(CLOCK_BOOTTIME));
    u.started = boot + milliseconds(ticks * 1000 / ticks_a_second);
  }
#endif
  return u;
}

inline void end_process(int code) noexcept { std::_Exit(code); }

inline bool debugger_attached() noexcept {
  char room[4096];
  const std::string_view status = read_proc("/proc/self/status", room, sizeof room);
  constexpr std::string_view field = "TracerPid:\t";
  const auto at = status.find(field);
  return at != status.npos && status.substr(at + field.size(), 1) != "0";
}

inline bool change_directory(const std::string& folder) noexcept { return ::chdir(folder.c_str()) == 0; }

inline sys_result<std::string> data_folder(const std::string& service_name) {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  const std::string root =
      state && *state ? std::string(state) : (home && *home ? std::string(home) : "/tmp") + "/.local/state";
  return path_join(root, model::folder_name(service_name));
}

inline std::string system_words(std::uint32_t code) { return std::strerror(static_cast<int>(code)); }

inline void report_event(const std::string&, model::event_level, std::uint32_t, std::string_view) noexcept {}

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
  sys_result<void> change_level(raw_handle, const model::config_level&) override { return sys_failure(none); }
  sys_result<model::config_level> query_level(raw_handle, std::uint32_t) override { return sys_failure(none); }
  sys_result<service_config> query_config(raw_handle) override { return sys_failure(none); }
  sys_result<service_process> query_status(raw_handle) override { return sys_failure(none); }
  sys_result<void> start_service(raw_handle, const std::vector<std::string>&) override { return sys_failure(none); }
  sys_result<void> control_service(raw_handle, std::uint32_t) override { return sys_failure(none); }
  sys_result<void> delete_service(raw_handle) override { return sys_failure(none); }
  void close(raw_handle) noexcept override {}
  sys_result<void> add_event_source(const std::string&) override { return sys_failure(none); }
  sys_result<void> remove_event_source(const std::string&) override { return sys_failure(none); }
  sys_result<std::vector<std::string>> active_dependents(raw_handle) override { return sys_failure(none); }
  sys_result<std::string> query_security(raw_handle) override { return sys_failure(none); }
  sys_result<void> change_security(raw_handle, const std::string&) override { return sys_failure(none); }
  sys_result<std::vector<std::string>> query_environment(const std::string&) override { return sys_failure(none); }
  sys_result<void> change_environment(const std::string&, const std::vector<std::string>&) override {
    return sys_failure(none);
  }
  sys_result<std::string> account_sid(const std::string&) override { return sys_failure(none); }
  sys_result<void> add_logon_right(const std::string&) override { return sys_failure(none); }
  sys_result<std::string> query_folder_security(const std::string&) override { return sys_failure(none); }
  sys_result<void> change_folder_security(const std::string&, const std::string&) override { return sys_failure(none); }

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
// os/source_file.hpp
// =====================================================================================================================

// A file that is read from any place of it: what a static folder is served from.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// Open for reading; others may write, rename and delete it meanwhile. Movable.
class source_file {
 public:
  source_file() = default;
  source_file(source_file&& other) noexcept { *this = std::move(other); }
  source_file& operator=(source_file&& other) noexcept {
    std::swap(native_, other.native_);
    std::swap(size_, other.size_);
    std::swap(modified_, other.modified_);
    std::swap(real_path_, other.real_path_);
    return *this;
  }
  ~source_file();

  /// A regular file; a folder or a device is refused.
  [[nodiscard]] static sys_result<source_file> open(const std::string& path);

  /// As they were when it was opened.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] clock::wall_point modified() const noexcept { return modified_; }
  /// Absolute, links followed, in the spelling of the disk: where the file really is.
  [[nodiscard]] const std::string& real_path() const noexcept { return real_path_; }

  /// From any thread: how many bytes from `at` on are in `into` now; 0 at its end; nothing after an error.
  [[nodiscard]] std::optional<std::size_t> read(std::uint64_t at, char* into, std::size_t room) const noexcept;

 private:
  std::intptr_t native_ = -1;  // a HANDLE, or a file descriptor
  std::uint64_t size_ = 0;
  clock::wall_point modified_;
  std::string real_path_;
};

/// Does this code of a failed open mean that there is no such file?
[[nodiscard]] bool is_missing(std::uint32_t code) noexcept;

/// Where a folder really is, as source_file::real_path; nothing where there is no folder of that name.
[[nodiscard]] std::optional<std::string> real_folder(const std::string& path);

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// os/posix/source_file.hpp
// =====================================================================================================================

// os/source_file.hpp on POSIX.

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#if !WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

inline std::optional<std::string> real_path_of(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real ? std::optional<std::string>(real.get()) : std::nullopt;
}

inline bool is_missing(std::uint32_t code) noexcept { return code == ENOENT || code == ENOTDIR; }

inline std::optional<std::string> real_folder(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return std::nullopt;
  return real_path_of(path);
}

inline sys_result<source_file> source_file::open(const std::string& path) {
  auto real = real_path_of(path);
  if (!real) return errno_failure();
  // A link that takes the file's place from here on is not followed, and a pipe without a writer is not waited for.
  const int file = ::open(real->c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return errno_failure();
  source_file out;
  out.native_ = file;
  struct stat info = {};
  if (::fstat(file, &info) != 0) return errno_failure();
  if (!S_ISREG(info.st_mode)) return sys_failure(S_ISDIR(info.st_mode) ? EISDIR : EACCES);
  out.size_ = static_cast<std::uint64_t>(info.st_size);
  const auto since = std::chrono::seconds(info.st_mtim.tv_sec) + std::chrono::nanoseconds(info.st_mtim.tv_nsec);
  out.modified_ = clock::wall_point(std::chrono::duration_cast<clock::wall_point::duration>(since));
  out.real_path_ = *std::move(real);
  return out;
}

inline source_file::~source_file() {
  if (native_ != -1) ::close(static_cast<int>(native_));
}

inline std::optional<std::size_t> source_file::read(std::uint64_t at, char* into, std::size_t room) const noexcept {
  for (;;) {
    const auto n = ::pread(static_cast<int>(native_), into, room, static_cast<off_t>(at));
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) return std::nullopt;
  }
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // !WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/win/console.hpp
// =====================================================================================================================

// os/console.hpp on Windows.

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
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
      while (!left.empty()) {
        const auto piece = static_cast<DWORD>((std::min)(left.size(), std::size_t{8192}));
        if (!::WriteConsoleW(handle, left.data(), piece, &written, nullptr) || written == 0) break;
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

/// A line of a console, as it was typed; empty at the end (Ctrl-Z), and a code when Ctrl-C broke it off.
[[nodiscard]] inline sys_result<std::string> read_console_line(HANDLE console) {
  std::wstring line;
  for (wchar_t piece[256];;) {
    DWORD got = 0;
    ::SetLastError(ERROR_SUCCESS);
    if (!::ReadConsoleW(console, piece, 256, &got, nullptr)) return sys_failure(::GetLastError());
    // Ctrl-C: the call succeeds with nothing, and this is the only sign of it.
    if (got == 0 && ::GetLastError() == ERROR_OPERATION_ABORTED) return sys_failure(ERROR_CANCELLED);
    line.append(piece, got);
    if (got == 0 || line.back() == L'\n' || line.front() == L'\x1A') return narrow(line);
  }
}

inline std::optional<std::string> read_input_line() {
  const HANDLE input = ::GetStdHandle(STD_INPUT_HANDLE);
  if (!input || input == INVALID_HANDLE_VALUE) return std::nullopt;
  std::string line;
  DWORD mode = 0, got = 0;
  if (::GetConsoleMode(input, &mode)) {
    auto typed = read_console_line(input);
    if (!typed || typed->empty() || typed->front() == '\x1A') return std::nullopt;
    line = std::move(*typed);
  } else {
    for (char byte = 0; byte != '\n' && ::ReadFile(input, &byte, 1, &got, nullptr) && got == 1;) line += byte;
    if (line.empty()) return std::nullopt;
  }
  if (line.back() == '\n') line.pop_back();
  return as_line(std::move(line));
}

inline sys_result<std::string> read_secret(std::string_view prompt) {
  const HANDLE input = ::GetStdHandle(STD_INPUT_HANDLE);
  DWORD before = 0;
  if (!::GetConsoleMode(input, &before)) return sys_failure(::GetLastError());
  ::FlushConsoleInputBuffer(input);  // what was typed before it was asked for is no answer
  if (!::SetConsoleMode(input, ENABLE_LINE_INPUT | ENABLE_PROCESSED_INPUT)) return sys_failure(::GetLastError());
  const scope_exit restore([&] {
    ::SetConsoleMode(input, before);
    write_err("\r\n");  // the Enter was not shown either
  });
  write_err(prompt);
  auto typed = read_console_line(input);
  if (!typed) return typed;
  if (typed->empty() || typed->front() == '\x1A') return sys_failure(ERROR_CANCELLED);
  while (!typed->empty() && (typed->back() == '\n' || typed->back() == '\r')) typed->pop_back();
  return typed;
}

struct interrupts::state {
  std::mutex mutex;
  std::condition_variable drained;
  std::function<void(interruption)> on_interrupt;
  bool alive = false;

  static state& one() noexcept {
    static state s;
    return s;
  }

  static BOOL WINAPI handler(DWORD event) noexcept {
    state& s = one();
    std::unique_lock lock(s.mutex);
    if (!s.alive) return FALSE;
    const bool closing = event == CTRL_CLOSE_EVENT || event == CTRL_LOGOFF_EVENT || event == CTRL_SHUTDOWN_EVENT;
    try {
      s.on_interrupt(closing ? interruption::closing : interruption::asked);
    } catch (...) {
      return FALSE;  // let the system end us, as it would have
    }
    // For these the process ends as soon as we return: stay here until everything is drained. Windows gives us about
    // 5 s for a closed console, 20 s for shutdown, and ends the process then.
    if (closing) {
      s.drained.wait(lock, [&s] { return !s.alive; });
    }
    return TRUE;
  }
};

inline interrupts::interrupts(std::function<void(interruption)> on_interrupt) : state_(&state::one()) {
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
#include <vector>

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

inline sys_result<std::vector<std::string>> list_files(const std::string& folder) {
  WIN32_FIND_DATAW found{};
  const HANDLE search = ::FindFirstFileW(wide_path(path_join(folder, "*")).c_str(), &found);
  if (search == INVALID_HANDLE_VALUE) return sys_failure(::GetLastError());
  std::vector<std::string> names;
  do {
    if ((found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0) names.push_back(narrow(found.cFileName));
  } while (::FindNextFileW(search, &found));
  const DWORD code = ::GetLastError();
  ::FindClose(search);
  if (code != ERROR_NO_MORE_FILES) return sys_failure(code);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/win/library.hpp
// =====================================================================================================================

// Functions of Windows' own libraries, found at run time: a program then links none but ws2_32 and what every program
// links, and starts without loading what most services never touch.
//
//   using free_memory = void(WINAPI*)(void*);
//   if (const auto release = system_library("ole32.dll").find<free_memory>("CoTaskMemFree")) release(memory);

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// From System32 alone: beside the executable a stranger may have put one of that name. It stays loaded.
class system_library {
 public:
  explicit system_library(const char* file) noexcept
      : module_(::LoadLibraryExA(file, nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32)) {}

  /// Null when there is none.
  template <class Function>
  [[nodiscard]] Function find(const char* name) const noexcept {
    if (!module_) return nullptr;
    return reinterpret_cast<Function>(reinterpret_cast<void*>(::GetProcAddress(module_, name)));
  }

 private:
  HMODULE module_;
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/win/security.hpp
// =====================================================================================================================

// Security descriptors and SIDs as Windows holds them, and as text: SDDL and S-1-…
//
//   const auto d = descriptor_of("D:P(A;;GA;;;BA)");   // d->get() goes into a SECURITY_ATTRIBUTES
//   sid_of_account("Administrators")                   // S-1-5-32-544
//
// Source: ConvertStringSecurityDescriptorToSecurityDescriptorW, ConvertSidToStringSidW, LookupAccountNameW and
// GetTokenInformation in the Win32 documentation.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// Memory that the system allocated with LocalAlloc: a descriptor, a SID, a text.
class local_memory {
 public:
  explicit local_memory(void* held) noexcept : held_(held) {}
  local_memory(local_memory&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
  local_memory& operator=(local_memory&& other) noexcept {
    std::swap(held_, other.held_);
    return *this;
  }
  ~local_memory() {
    if (held_) ::LocalFree(held_);
  }
  [[nodiscard]] void* get() const noexcept { return held_; }

 private:
  void* held_;
};

[[nodiscard]] inline sys_result<local_memory> descriptor_of(const std::string& sddl) {
  void* descriptor = nullptr;
  if (!::ConvertStringSecurityDescriptorToSecurityDescriptorW(wide(sddl).c_str(), SDDL_REVISION_1, &descriptor,
                                                              nullptr)) {
    return sys_failure(::GetLastError());
  }
  return local_memory(descriptor);
}

/// The DACL of a descriptor, in SDDL, and what else is asked for.
[[nodiscard]] inline sys_result<std::string> dacl_text(void* descriptor, DWORD also = 0) {
  wchar_t* text = nullptr;
  if (!::ConvertSecurityDescriptorToStringSecurityDescriptorW(descriptor, SDDL_REVISION_1,
                                                              DACL_SECURITY_INFORMATION | also, &text, nullptr)) {
    return sys_failure(::GetLastError());
  }
  const local_memory held(text);
  return narrow(text);
}

[[nodiscard]] inline sys_result<std::string> sid_text(void* sid) {
  wchar_t* text = nullptr;
  if (!::ConvertSidToStringSidW(sid, &text)) return sys_failure(::GetLastError());
  const local_memory held(text);
  return narrow(text);
}

[[nodiscard]] inline sys_result<std::string> sid_of_account(const std::string& account) {
  std::vector<std::uint64_t> sid(16);  // a SID is 68 bytes at most; 64-bit words align it
  std::wstring domain(256, L'\0');
  for (;;) {
    auto sid_size = static_cast<DWORD>(sid.size() * 8);
    auto domain_size = static_cast<DWORD>(domain.size());
    SID_NAME_USE kind{};
    if (::LookupAccountNameW(nullptr, wide(account).c_str(), sid.data(), &sid_size, domain.data(), &domain_size, &kind))
      return sid_text(sid.data());
    const DWORD code = ::GetLastError();
    const bool grows = sid_size > sid.size() * 8 || domain_size > domain.size();
    if (code != ERROR_INSUFFICIENT_BUFFER || !grows) return sys_failure(code);
    if (sid_size > sid.size() * 8) sid.resize(sid_size / 8 + 1);
    if (domain_size > domain.size()) domain.resize(domain_size);
  }
}

/// Whom this process runs as.
[[nodiscard]] inline sys_result<std::string> own_sid() {
  HANDLE opened = nullptr;
  if (!::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY, &opened)) return sys_failure(::GetLastError());
  const unique_handle token(opened);
  std::uint64_t user[32] = {};  // a TOKEN_USER and the SID behind it
  DWORD size = 0;
  if (!::GetTokenInformation(token.get(), TokenUser, user, sizeof user, &size)) return sys_failure(::GetLastError());
  return sid_text(reinterpret_cast<TOKEN_USER*>(user)->User.Sid);
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/win/crash.hpp
// =====================================================================================================================

// os/crash.hpp on Windows.
//
// The crashing thread may have no stack left and may hold any lock, the heap's too. So it does next to nothing: it says
// where it stands and waits, with a limit, for a thread that was made for this in time and writes the dump before it
// asks for any memory. Then the process ends, whatever became of that.
//
// Source: SetUnhandledExceptionFilter, MiniDumpWriteDump, EXCEPTION_RECORD, set_terminate in the Win32 and C runtime
// documentation.

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// `an access violation at 0x7ff6a1c01234 (hello.exe+0x1234), reading 0x10`
[[nodiscard]] inline std::string exception_words(const EXCEPTION_RECORD& record) {
  struct known {
    DWORD code;
    const char* words;
  };
  constexpr known table[] = {
      {0xC0000005, "an access violation"},         {0xC00000FD, "a stack overflow"},
      {0xC0000094, "an integer division by zero"}, {0xC0000095, "an integer overflow"},
      {0xC000001D, "an illegal instruction"},      {0xC0000096, "a privileged instruction"},
      {0xC0000006, "a page that cannot be read"},  {0xC000008C, "an array index out of bounds"},
      {0x80000002, "a misaligned access"},         {0x80000003, "a breakpoint"},
      {0xC000008E, "a division by zero"},          {0xC0000090, "an invalid floating-point operation"},
  };
  char text[64];
  std::snprintf(text, sizeof text, "exception 0x%08lX", static_cast<unsigned long>(record.ExceptionCode));
  std::string out = text;
  for (const auto& k : table) {
    if (k.code == record.ExceptionCode) out = k.words;
  }

  std::snprintf(text, sizeof text, " at %p", record.ExceptionAddress);
  out += text;
  HMODULE module = nullptr;
  wchar_t file[MAX_PATH];
  if (::GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                           static_cast<const wchar_t*>(record.ExceptionAddress), &module) &&
      ::GetModuleFileNameW(module, file, MAX_PATH) != 0) {
    const std::string path = narrow(file);
    const auto offset = static_cast<const char*>(record.ExceptionAddress) - reinterpret_cast<const char*>(module);
    std::snprintf(text, sizeof text, "+0x%llx)", static_cast<unsigned long long>(offset));
    out += " (" + path.substr(path.find_last_of("/\\") + 1) + text;
  }

  if (record.ExceptionCode == EXCEPTION_ACCESS_VIOLATION && record.NumberParameters >= 2) {
    const ULONG_PTR how = record.ExceptionInformation[0];
    std::snprintf(text, sizeof text, ", %s 0x%llx", how == 0 ? "reading" : how == 1 ? "writing" : "executing",
                  static_cast<unsigned long long>(record.ExceptionInformation[1]));
    out += text;
  }
  return out;
}

struct crash_guard::state {
#pragma pack(push, 4)
  struct dump_exception {  // MINIDUMP_EXCEPTION_INFORMATION: <dbghelp.h> would bring all its macros for this one struct
    DWORD thread;
    EXCEPTION_POINTERS* pointers;
    BOOL in_the_reader;
  };
#pragma pack(pop)
  using write_dump = BOOL(WINAPI*)(HANDLE process, DWORD id, HANDLE file, int type, const dump_exception*, const void*,
                                   const void*);
  static constexpr std::uint32_t exception_in_service = 1064;

  settings with;
  write_dump write = nullptr;
  std::wstring path;        // of the dump, with room for digits
  std::size_t digits = 0;   // where they begin
  local_memory security{nullptr};  // whom it is open to
  unique_handle crashed, written, told;
  std::thread witness;
  std::atomic<DWORD> witness_id{0};
  LPTOP_LEVEL_EXCEPTION_FILTER filter_before = nullptr;
  std::terminate_handler terminate_before = nullptr;
  void (*abort_before)(int) = SIG_DFL;

  // Said by the crashing thread before `crashed` is set, read by the witness after it.
  std::string words;  // empty: those of the exception
  DWORD code = 0, thread = 0;
  EXCEPTION_POINTERS* pointers = nullptr;
  std::atomic<bool> taken{false}, over{false};

  static std::atomic<state*>& current() noexcept {
    static std::atomic<state*> one{nullptr};
    return one;
  }

  // -- on the crashing thread --

  /// Whoever crashes second waits for the end that the first one brings; but for the witness everybody would wait.
  [[noreturn]] void end(DWORD with_code, EXCEPTION_POINTERS* where) noexcept {
    code = with_code;
    pointers = where;
    thread = ::GetCurrentThreadId();
    ::SetEvent(crashed.get());
    ::WaitForSingleObject(written.get(), 30'000);
    ::WaitForSingleObject(told.get(), static_cast<DWORD>(with.patience.count()));
    for (;;) ::TerminateProcess(::GetCurrentProcess(), code);
  }
  void take() noexcept {
    if (!taken.exchange(true)) return;
    if (::GetCurrentThreadId() == witness_id) ::TerminateProcess(::GetCurrentProcess(), code);
    ::Sleep(INFINITE);
  }
  /// Where there is no exception of the system's: one is made up, so that a debugger opens the dump at this place.
  [[noreturn]] void end_here() noexcept {
    CONTEXT context{};
    ::RtlCaptureContext(&context);
    EXCEPTION_RECORD record{};
    record.ExceptionCode = 0x40000015;  // STATUS_FATAL_APP_EXIT
    EXCEPTION_POINTERS here{&record, &context};
    end(exception_in_service, &here);
  }

  static LONG WINAPI on_exception(EXCEPTION_POINTERS* where) noexcept {
    const EXCEPTION_RECORD& record = *where->ExceptionRecord;
    // A throw of libgcc's that nobody catches: told to go on, it comes back to __cxa_throw, which calls std::terminate.
    constexpr DWORD gnu_throw = 0x20474343, gnu_mask = 0x20FFFFFF, microsoft_throw = 0xE06D7363;
    const bool may_go_on = (record.ExceptionFlags & EXCEPTION_NONCONTINUABLE) == 0;
    if ((record.ExceptionCode & gnu_mask) == gnu_throw && may_go_on) return EXCEPTION_CONTINUE_EXECUTION;
    state* const s = current();
    if (!s) return EXCEPTION_CONTINUE_SEARCH;  // somebody kept our filter for longer than we live
    s->take();
    if (record.ExceptionCode == microsoft_throw) {
      s->words = terminate_words();
      s->end(exception_in_service, where);
    }
    s->end(record.ExceptionCode, where);
  }

  [[noreturn]] static void on_terminate() noexcept {
    state* const s = current();
    if (!s) std::abort();
    s->take();
    s->words = terminate_words();
    s->end_here();
  }

  /// Microsoft's set_terminate is for one thread: an exception that leaves another one ends in abort(), and here.
  static void on_abort(int) noexcept {
    state* const s = current();
    if (!s) return;
    s->take();
    const std::string said = current_exception_words();
    s->words = said.empty() ? "abort()" : "abort(): " + said;
    s->end_here();
  }

  // -- on the witness --

  void wait_and_speak() {
    ::WaitForSingleObject(crashed.get(), INFINITE);
    if (over) return;
    const std::uint32_t fault = digits != 0 ? dump() : 0;
    ::SetEvent(written.get());
    try {
      crash_report report;
      report.what = words.empty() ? exception_words(*pointers->ExceptionRecord) : words;
      report.code = code;
      report.dump_fault = fault;
      if (digits != 0 && fault == 0) report.dump = narrow(path);
      prune();
      if (with.tell) with.tell(report);
    } catch (...) {  // the process ends in any case
    }
    ::SetEvent(told.get());
  }

  /// Room for the largest name now, so that none has to be found then.
  void prepare_dump() {
    if (with.folder.empty()) return;
    // Memory holds secrets: a dump is the system's, administrators' and the service's own, wherever it lies.
    if (const auto me = own_sid()) {
      if (auto made = descriptor_of("D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;" + *me + ")")) security = *std::move(made);
    }
    write = system_library("dbghelp.dll").find<write_dump>("MiniDumpWriteDump");
    constexpr std::string_view largest = "-20260131-080509-4294967295.dmp";
    path = wide_path(path_join(with.folder, with.name + std::string(largest)));
    digits = path.size() - largest.size();
  }

  std::uint32_t dump() noexcept {
    if (!write) return ERROR_MOD_NOT_FOUND;
    SYSTEMTIME now{};
    ::GetSystemTime(&now);
    char name[64];
    const int length = std::snprintf(name, sizeof name, "-%04u%02u%02u-%02u%02u%02u-%lu.dmp", now.wYear, now.wMonth,
                                     now.wDay, now.wHour, now.wMinute, now.wSecond,
                                     static_cast<unsigned long>(::GetCurrentProcessId()));
    path.resize(digits);
    for (int i = 0; i < length; ++i) path += static_cast<wchar_t>(name[i]);

    DWORD fault = 0;
    {
      SECURITY_ATTRIBUTES closed{sizeof(SECURITY_ATTRIBUTES), security.get(), FALSE};
      const unique_handle file(
          ::CreateFileW(path.c_str(), GENERIC_WRITE, 0, &closed, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, nullptr));
      if (!file) return ::GetLastError();
      // What the stacks' pointers lead to, unloaded modules, and the threads' times: no whole heap.
      constexpr int indirect = 0x40, unloaded = 0x20, times = 0x1000;
      const dump_exception exception{thread, pointers, FALSE};
      if (write(::GetCurrentProcess(), ::GetCurrentProcessId(), file.get(), indirect | unloaded | times, &exception,
                nullptr, nullptr)) {
        return 0;
      }
      fault = ::GetLastError();
    }
    ::DeleteFileW(path.c_str());
    return fault != 0 ? fault : ERROR_WRITE_FAULT;
  }

  void prune() const {
    const auto files = list_files(with.folder);
    if (!files) return;
    for (const auto& file : dumps_too_many(*files, with.name, with.kept)) remove_file(path_join(with.folder, file));
  }
};

inline crash_guard::crash_guard(settings s) : state_(new state) {
  state_->with = std::move(s);
  state_->with.name = model::folder_name(state_->with.name);
  state_->prepare_dump();
  const auto event = [] { return unique_handle(::CreateEventW(nullptr, TRUE, FALSE, nullptr)); };
  state_->crashed = event();
  state_->written = event();
  state_->told = event();
  if (!state_->crashed || !state_->written || !state_->told) return;  // no one would hear of it: as if we were not there
  state_->witness = std::thread([state = state_] {
    state->witness_id = ::GetCurrentThreadId();
    state->wait_and_speak();
  });
  state::current() = state_;
  state_->filter_before = ::SetUnhandledExceptionFilter(&state::on_exception);
  state_->terminate_before = std::set_terminate(&state::on_terminate);
  state_->abort_before = std::signal(SIGABRT, &state::on_abort);
}

inline crash_guard::~crash_guard() {
  if (!state_->witness.joinable()) {
    delete state_;
    return;
  }
  // What somebody has put over ours since stays.
  const auto filter = ::SetUnhandledExceptionFilter(state_->filter_before);
  if (filter != &state::on_exception) ::SetUnhandledExceptionFilter(filter);
  const auto terminate = std::set_terminate(state_->terminate_before);
  if (terminate != &state::on_terminate) std::set_terminate(terminate);
  const auto abort = std::signal(SIGABRT, state_->abort_before);
  if (abort != &state::on_abort) std::signal(SIGABRT, abort);
  state::current() = nullptr;
  state_->over = true;
  ::SetEvent(state_->crashed.get());
  state_->witness.join();
  delete state_;
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

#include <cstdio>
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

  static DWORD WINAPI control_thunk(DWORD control, DWORD type, void* data, void* context) noexcept {
    try {
      return static_cast<native_dispatcher*>(context)->handler_(copied(control, type, data));
    } catch (...) {
      return ERROR_EXCEPTION_IN_SERVICE;
    }
  }

  /// The event's data is the system's memory, and gone when the handler returns.
  static model::control_event copied(DWORD control, DWORD type, void* data) {
    model::control_event event;
    event.control = control;
    event.type = type;
    if (data && control == SERVICE_CONTROL_SESSIONCHANGE) {
      event.session = static_cast<const DWORD*>(data)[1];  // WTSSESSION_NOTIFICATION: its size, then the session
    }
    if (data && control == SERVICE_CONTROL_POWEREVENT && type == PBT_POWERSETTINGCHANGE) {
      const auto* setting = static_cast<const POWERBROADCAST_SETTING*>(data);
      const GUID& id = setting->PowerSetting;
      char text[40];
      std::snprintf(text, sizeof text, "{%08lx-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x}",
                    static_cast<unsigned long>(id.Data1), id.Data2, id.Data3, id.Data4[0], id.Data4[1], id.Data4[2],
                    id.Data4[3], id.Data4[4], id.Data4[5], id.Data4[6], id.Data4[7]);
      event.setting = text;
      event.data.assign(reinterpret_cast<const char*>(setting->Data), setting->DataLength);
    }
    return event;
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
// os/win/elevation.hpp
// =====================================================================================================================

// os/elevation.hpp on Windows.
//
// The pipe has a name that nobody can guess, one instance, of which ours is the first, and is open to this user and to
// administrators alone: the person who agrees may be another than the one who asked. The parent sends the length of the
// input in four bytes, low one first, then the input; all that comes back is output. The child's end is closed by its
// end, also by a crash, and the parent waits for both: it cannot be left hanging.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// `winsvc-` and 128 random bits.
[[nodiscard]] inline std::string random_pipe_name() {
  std::random_device random;  // the system's generator, with every compiler for Windows
  std::string name = "winsvc-";
  for (int i = 0; i < 4; ++i) {
    char digits[9];
    std::snprintf(digits, sizeof digits, "%08x", static_cast<unsigned>(random()));
    name += digits;
  }
  return name;
}
/// Is it one of those? Any other could lead the elevated child anywhere, to another machine for one.
[[nodiscard]] inline bool is_pipe_name(std::string_view name) noexcept {
  return name.size() == 39 && text::starts_with(name, "winsvc-") &&
         name.find_first_not_of("0123456789abcdef", 7) == std::string_view::npos;
}

/// The parent's end, and the child it belongs to.
class elevated_child {
 public:
  /// Asks the person and starts it; not yet connected.
  static sys_result<elevated_child> start(std::vector<std::string> words) {
    elevated_child out;
    const std::string name = random_pipe_name();
    if (const DWORD code = out.listen(name); code != 0) return sys_failure(code);
    words.insert(words.end(), {std::string(elevated_option), name});
    if (const DWORD code = out.launch(words); code != 0) return sys_failure(code);
    return out;
  }

  /// True: the child is there, and nobody else who has come before it.
  bool connect() {
    if (!finished([&](OVERLAPPED* o) { return ::ConnectNamedPipe(pipe_.get(), o); }) &&
        ::GetLastError() != ERROR_PIPE_CONNECTED) {
      return false;
    }
    ULONG client = 0;
    return ::GetNamedPipeClientProcessId(pipe_.get(), &client) && client == ::GetProcessId(process_.get());
  }
  bool write(const std::string& bytes) {
    return finished([&](OVERLAPPED* o) {
      return ::WriteFile(pipe_.get(), bytes.data(), static_cast<DWORD>(bytes.size()), nullptr, o);
    });
  }
  /// Empty at the end.
  std::string_view read() {
    const bool got = finished(
        [&](OVERLAPPED* o) { return ::ReadFile(pipe_.get(), piece_.data(), buffer_size, nullptr, o); });
    return {piece_.data(), got ? moved_ : 0};
  }
  sys_result<std::uint32_t> exit_code() {
    DWORD code = 0;
    if (::WaitForSingleObject(process_.get(), INFINITE) != WAIT_OBJECT_0 ||
        !::GetExitCodeProcess(process_.get(), &code)) {
      return sys_failure(::GetLastError());
    }
    return code;
  }

 private:
  static constexpr DWORD buffer_size = 16'384;

  DWORD listen(const std::string& name) {
    const auto me = own_sid();
    if (!me) return me.error();
    const auto descriptor = descriptor_of("D:P(A;;GRGW;;;" + *me + ")(A;;GRGW;;;BA)");
    if (!descriptor) return descriptor.error();
    SECURITY_ATTRIBUTES attributes{sizeof attributes, descriptor->get(), FALSE};
    pipe_ = unique_handle(::CreateNamedPipeW(wide("\\\\.\\pipe\\" + name).c_str(),
                                             PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE | FILE_FLAG_OVERLAPPED,
                                             PIPE_TYPE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1, buffer_size,
                                             buffer_size, 0, &attributes));
    event_ = unique_handle(::CreateEventW(nullptr, TRUE, FALSE, nullptr));
    return pipe_ && event_ ? 0 : ::GetLastError();
  }

  DWORD launch(const std::vector<std::string>& words) {
    using execute = BOOL(WINAPI*)(SHELLEXECUTEINFOW*);
    using initialize = HRESULT(WINAPI*)(void*, DWORD);
    using uninitialize = void(WINAPI*)();
    const auto shell_execute = system_library("shell32.dll").find<execute>("ShellExecuteExW");
    const auto begin_com = system_library("ole32.dll").find<initialize>("CoInitializeEx");
    const auto end_com = system_library("ole32.dll").find<uninitialize>("CoUninitialize");
    if (!shell_execute || !begin_com || !end_com) return ERROR_PROC_NOT_FOUND;
    constexpr DWORD apartment = 0x2, no_ole1 = 0x4;  // COINIT_: the shell may ask an extension of its own
    const bool com = SUCCEEDED(begin_com(nullptr, apartment | no_ole1));
    const scope_exit end([&] {
      if (com) end_com();
    });

    const std::wstring program = wide(executable_path());
    std::string line;
    for (const auto& word : words) line += (line.empty() ? "" : " ") + quote_argument(word);
    const std::wstring parameters = wide(line);
    std::wstring folder(32'768, L'\0');  // without it the child would begin in System32, and relative paths lead there
    folder.resize(::GetCurrentDirectoryW(static_cast<DWORD>(folder.size()), folder.data()));

    SHELLEXECUTEINFOW info{};
    info.cbSize = sizeof info;
    info.fMask = SEE_MASK_NOCLOSEPROCESS | SEE_MASK_NOASYNC | SEE_MASK_FLAG_NO_UI;
    info.hwnd = ::GetConsoleWindow();  // or the question would only blink in the task bar
    info.lpVerb = L"runas";
    info.lpFile = program.c_str();
    info.lpParameters = parameters.c_str();
    info.lpDirectory = folder.c_str();
    info.nShow = SW_HIDE;
    if (!shell_execute(&info)) return ::GetLastError();
    process_ = unique_handle(info.hProcess);
    return process_ ? 0 : ERROR_INVALID_HANDLE;
  }

  /// Begins an operation on the pipe and waits until it is done or the child gone.
  template <class Call>
  bool finished(Call begin) {
    OVERLAPPED operation{};
    operation.hEvent = event_.get();
    moved_ = 0;
    if (!begin(&operation) && ::GetLastError() != ERROR_IO_PENDING) return false;
    const HANDLE either[] = {event_.get(), process_.get()};
    if (::WaitForMultipleObjects(2, either, FALSE, INFINITE) != WAIT_OBJECT_0) {
      // What it wrote is in the pipe all the same; what is not there by now will not come.
      ::WaitForSingleObject(event_.get(), 200);
    }
    ::CancelIoEx(pipe_.get(), &operation);  // nothing to cancel when it is done
    return ::GetOverlappedResult(pipe_.get(), &operation, &moved_, TRUE) != 0;
  }

  unique_handle pipe_, event_, process_;
  DWORD moved_ = 0;
  std::vector<char> piece_ = std::vector<char>(buffer_size);
};

inline sys_result<std::uint32_t> run_elevated(std::vector<std::string> words, const std::string& input,
                                              const std::function<void(std::string_view)>& on_output) {
  if (input.size() > elevated_input_limit) return sys_failure(ERROR_INVALID_PARAMETER);
  auto child = elevated_child::start(std::move(words));
  if (!child) return sys_failure(child.error());

  std::string message;
  for (int shift = 0; shift < 32; shift += 8) message += static_cast<char>(input.size() >> shift & 0xFFu);
  if (child->connect() && child->write(message + input)) {
    std::string held;  // a character whose last bytes are still to come
    for (auto piece = child->read(); !piece.empty(); piece = child->read()) {
      held.append(piece);
      const std::size_t whole = whole_characters(held);
      if (whole != 0) on_output(std::string_view(held).substr(0, whole));
      held.erase(0, whole);
    }
    if (!held.empty()) on_output(held);
  }
  return child->exit_code();
}

inline sys_result<std::string> join_parent(const std::string& pipe) {
  if (!is_pipe_name(pipe)) return sys_failure(ERROR_INVALID_NAME);
  const HANDLE parent = ::CreateFileW(wide("\\\\.\\pipe\\" + pipe).c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr,
                                      OPEN_EXISTING, SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS, nullptr);
  if (parent == INVALID_HANDLE_VALUE) return sys_failure(::GetLastError());
  const auto read_exactly = [&](std::size_t size) -> sys_result<std::string> {
    std::string bytes(size, '\0');
    for (std::size_t at = 0; at < size;) {
      DWORD got = 0;
      if (!::ReadFile(parent, bytes.data() + at, static_cast<DWORD>(size - at), &got, nullptr))
        return sys_failure(::GetLastError());
      if (got == 0) return sys_failure(ERROR_BROKEN_PIPE);
      at += got;
    }
    return bytes;
  };
  const auto length = read_exactly(4);
  if (!length) return length;
  std::size_t size = 0;
  for (int i = 3; i >= 0; --i) size = size << 8 | static_cast<unsigned char>((*length)[static_cast<std::size_t>(i)]);
  if (size > elevated_input_limit) return sys_failure(ERROR_INVALID_DATA);
  auto input = read_exactly(size);
  if (!input) return input;

  ::SetStdHandle(STD_OUTPUT_HANDLE, parent);  // never closed: its end is how the parent learns of ours
  ::SetStdHandle(STD_ERROR_HANDLE, parent);
  return input;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/win/new_file.hpp
// =====================================================================================================================

// os/new_file.hpp on Windows.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

inline sys_result<new_file> new_file::create(const std::string& path) {
  const HANDLE file = ::CreateFileW(wide_path(path).c_str(), GENERIC_WRITE, FILE_SHARE_READ, nullptr, CREATE_NEW,
                                    FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) return sys_failure(::GetLastError());
  new_file out;
  out.native_ = reinterpret_cast<std::intptr_t>(file);
  return out;
}

inline sys_result<void> new_file::write(std::string_view bytes) noexcept {
  if (!write_all(reinterpret_cast<HANDLE>(native_), bytes)) return sys_failure(::GetLastError());
  return {};
}

inline sys_result<void> new_file::close() noexcept {
  if (native_ != -1 && !::CloseHandle(reinterpret_cast<HANDLE>(std::exchange(native_, -1))))
    return sys_failure(::GetLastError());
  return {};
}

inline sys_result<void> move_file(const std::string& from, const std::string& to) {
  // Somebody may be reading the old one, or a scanner the new one, at this moment: that is over in an instant.
  const auto rename = [&to](const std::string& what) -> sys_result<void> {
    for (int attempt = 0;; ++attempt) {
      if (rename_file(what, to)) return {};
      const DWORD code = ::GetLastError();
      if ((code != ERROR_ACCESS_DENIED && code != ERROR_SHARING_VIOLATION) || attempt == 10) return sys_failure(code);
      ::Sleep(10);
    }
  };
  auto done = rename(from);
  if (done || done.error() != ERROR_NOT_SAME_DEVICE) return done;
  const std::string beside = place_beside(from, to);
  if (::CopyFileW(wide_path(from).c_str(), wide_path(beside).c_str(), TRUE)) done = rename(beside);
  else done = sys_failure(::GetLastError());
  if (!done) remove_file(beside);
  else remove_file(from);
  return done;
}

inline sys_result<void> make_private_folder(const std::string& path) { return make_folders(path); }

inline std::string temporary_folder() {
  wchar_t path[MAX_PATH + 1];
  const DWORD length = ::GetTempPathW(MAX_PATH + 1, path);
  std::string folder = length == 0 || length > MAX_PATH ? std::string("C:\\") : narrow(std::wstring_view(path, length));
  if (folder.size() > 3 && folder.back() == '\\') folder.pop_back();
  return folder;
}

inline bool means_full(std::uint32_t code) noexcept {
  constexpr std::uint32_t quota_exceeded = 1295;  // ERROR_DISK_QUOTA_EXCEEDED, which not all headers have
  return code == ERROR_DISK_FULL || code == ERROR_HANDLE_DISK_FULL || code == quota_exceeded ||
         code == ERROR_FILE_TOO_LARGE;
}

inline bool process_exists(std::uint32_t id) noexcept {
  const unique_handle process(::OpenProcess(SYNCHRONIZE, FALSE, id));
  if (!process) return ::GetLastError() != ERROR_INVALID_PARAMETER;
  return ::WaitForSingleObject(process.get(), 0) == WAIT_TIMEOUT;  // it may have ended, and be held by somebody
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/win/process.hpp
// =====================================================================================================================

// os/process.hpp and os/event_log.hpp on Windows.

#include <chrono>
#include <cstdint>
#include <cstdlib>
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

inline process_usage usage() noexcept {
  using namespace std::chrono;
  const auto hundred_nanoseconds = [](const FILETIME& t) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(t.dwHighDateTime) << 32 | t.dwLowDateTime);
  };
  process_usage u;
  FILETIME began{}, ended{}, in_system{}, in_program{};
  if (::GetProcessTimes(::GetCurrentProcess(), &began, &ended, &in_system, &in_program)) {
    constexpr std::int64_t from_1601_to_1970 = 11'644'473'600'000;
    u.started = milliseconds(hundred_nanoseconds(began) / 10'000 - from_1601_to_1970);
    u.cpu = microseconds((hundred_nanoseconds(in_system) + hundred_nanoseconds(in_program)) / 10);
  }
  struct memory_counters {  // PROCESS_MEMORY_COUNTERS of psapi.h
    DWORD size, page_faults;
    SIZE_T peak_resident, resident, quota[4], page_file, peak_page_file;
  };
  using get_memory = BOOL(WINAPI*)(HANDLE, memory_counters*, DWORD);
  memory_counters memory{};
  memory.size = sizeof memory;
  const auto get = system_library("kernel32.dll").find<get_memory>("K32GetProcessMemoryInfo");
  if (get && get(::GetCurrentProcess(), &memory, sizeof memory)) u.resident = memory.resident;
  return u;
}

inline void end_process(int code) noexcept {
  ::TerminateProcess(::GetCurrentProcess(), static_cast<UINT>(code));
  std::_Exit(code);  // not reached; the compiler cannot know
}

inline bool debugger_attached() noexcept { return ::IsDebuggerPresent() != 0; }

inline bool change_directory(const std::string& folder) noexcept {
  return ::SetCurrentDirectoryW(wide(folder).c_str()) != 0;
}

inline sys_result<std::string> data_folder(const std::string& service_name) {
  using get_folder = HRESULT(WINAPI*)(const GUID&, DWORD, HANDLE, wchar_t**);
  using free_memory = void(WINAPI*)(void*);
  const GUID program_data = {0x62AB5D82, 0xFDC1, 0x4DC3, {0xA9, 0xDD, 0x07, 0x0D, 0x1D, 0x49, 0x5D, 0x97}};
  const auto known_folder = system_library("shell32.dll").find<get_folder>("SHGetKnownFolderPath");
  const auto release = system_library("ole32.dll").find<free_memory>("CoTaskMemFree");
  if (!known_folder || !release) return sys_failure(ERROR_PROC_NOT_FOUND);

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

inline void report_event(const std::string& source, model::event_level level, std::uint32_t id,
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
// os/win/source_file.hpp
// =====================================================================================================================

// os/source_file.hpp on Windows.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// Without the \\?\ that GetFinalPathNameByHandleW puts before it.
inline std::optional<std::string> real_path_of(HANDLE file) {
  std::wstring path(512, L'\0');
  for (;;) {
    const DWORD length = ::GetFinalPathNameByHandleW(file, &path[0], static_cast<DWORD>(path.size()), VOLUME_NAME_DOS);
    if (length == 0) return std::nullopt;
    const bool fits = length < path.size();  // else it is the size that is needed
    path.resize(length);
    if (fits) break;
  }
  std::string out = narrow(path);
  if (out.compare(0, 8, "\\\\?\\UNC\\") == 0) return "\\\\" + out.substr(8);
  if (out.compare(0, 4, "\\\\?\\") == 0) out.erase(0, 4);
  return out;
}

inline bool is_missing(std::uint32_t code) noexcept {
  return code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND || code == ERROR_INVALID_NAME;
}

inline std::optional<std::string> real_folder(const std::string& path) {
  const unique_handle folder(::CreateFileW(wide_path(path).c_str(), 0, share_all, nullptr, OPEN_EXISTING,
                                           FILE_FLAG_BACKUP_SEMANTICS, nullptr));  // the flag that opens folders
  BY_HANDLE_FILE_INFORMATION info{};
  if (!folder || !::GetFileInformationByHandle(folder.get(), &info)) return std::nullopt;
  return (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0 ? real_path_of(folder.get()) : std::nullopt;
}

inline sys_result<source_file> source_file::open(const std::string& path) {
  const HANDLE file = ::CreateFileW(wide_path(path).c_str(), GENERIC_READ, share_all, nullptr, OPEN_EXISTING,
                                    FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) return sys_failure(::GetLastError());
  source_file out;
  out.native_ = reinterpret_cast<std::intptr_t>(file);
  BY_HANDLE_FILE_INFORMATION info{};
  if (::GetFileType(file) != FILE_TYPE_DISK) return sys_failure(ERROR_ACCESS_DENIED);
  if (!::GetFileInformationByHandle(file, &info)) return sys_failure(::GetLastError());
  auto real = real_path_of(file);
  if (!real) return sys_failure(::GetLastError());
  out.real_path_ = *std::move(real);
  out.size_ = std::uint64_t{info.nFileSizeHigh} << 32 | info.nFileSizeLow;
  // 100 ns since 1601-01-01.
  const auto ticks = std::uint64_t{info.ftLastWriteTime.dwHighDateTime} << 32 | info.ftLastWriteTime.dwLowDateTime;
  constexpr std::int64_t to_1970 = 116'444'736'000'000'000;
  using hundred_ns = std::chrono::duration<std::int64_t, std::ratio<1, 10'000'000>>;
  out.modified_ = clock::wall_point(std::chrono::duration_cast<clock::wall_point::duration>(
      hundred_ns(static_cast<std::int64_t>(ticks) - to_1970)));
  return out;
}

inline source_file::~source_file() {
  if (native_ != -1) ::CloseHandle(reinterpret_cast<HANDLE>(native_));
}

inline std::optional<std::size_t> source_file::read(std::uint64_t at, char* into, std::size_t room) const noexcept {
  OVERLAPPED place{};  // the handle is synchronous: this only says where
  place.Offset = static_cast<DWORD>(at);
  place.OffsetHigh = static_cast<DWORD>(at >> 32);
  DWORD got = 0;
  const auto count = static_cast<DWORD>((std::min)(room, std::size_t{1} << 30));
  if (::ReadFile(reinterpret_cast<HANDLE>(native_), into, count, &got, &place)) return got;
  return ::GetLastError() == ERROR_HANDLE_EOF ? std::optional<std::size_t>(0) : std::nullopt;
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/win/install.hpp
// =====================================================================================================================

// What an install touches beside the Service Control Manager: the registry (event source, environment), the right to
// log on as a service, the security of folders. The bodies of those members of the service_manager.
//
// Source: RegSetValueExW, LsaAddAccountRights, "Automatic Propagation of Inheritable ACEs", SetSecurityInfo and
// FILE_FLAG_OPEN_REPARSE_POINT of CreateFileW in the Win32 documentation.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

sys_result<void> add_event_source(const std::string& source);
sys_result<void> remove_event_source(const std::string& source);
[[nodiscard]] sys_result<std::vector<std::string>> query_environment(const std::string& service_name);
sys_result<void> change_environment(const std::string& service_name, const std::vector<std::string>& all);
sys_result<void> add_logon_right(const std::string& sid);
[[nodiscard]] sys_result<std::string> query_folder_security(const std::string& path);
sys_result<void> change_folder_security(const std::string& path, const std::string& sddl);

// ---------------------------------------------------------------------------------------------------------------------

/// A key below HKEY_LOCAL_MACHINE, closed at the end.
class registry_key {
 public:
  static sys_result<registry_key> open(const std::wstring& path, REGSAM rights) {
    HKEY key = nullptr;
    const LSTATUS status = ::RegOpenKeyExW(HKEY_LOCAL_MACHINE, path.c_str(), 0, rights, &key);
    if (status != ERROR_SUCCESS) return sys_failure(static_cast<std::uint32_t>(status));
    return registry_key(key);
  }
  static sys_result<registry_key> create(const std::wstring& path, REGSAM rights) {
    HKEY key = nullptr;
    const LSTATUS status =
        ::RegCreateKeyExW(HKEY_LOCAL_MACHINE, path.c_str(), 0, nullptr, 0, rights, nullptr, &key, nullptr);
    if (status != ERROR_SUCCESS) return sys_failure(static_cast<std::uint32_t>(status));
    return registry_key(key);
  }
  registry_key(registry_key&& other) noexcept : key_(std::exchange(other.key_, nullptr)) {}
  registry_key& operator=(registry_key&& other) noexcept {
    std::swap(key_, other.key_);
    return *this;
  }
  ~registry_key() {
    if (key_) ::RegCloseKey(key_);
  }

  /// `text` goes in as it is, NULs included, and one more behind it.
  sys_result<void> set(const wchar_t* name, DWORD type, const std::wstring& text) {
    return set(name, type, text.c_str(), (text.size() + 1) * sizeof(wchar_t));
  }
  sys_result<void> set(const wchar_t* name, DWORD type, const void* data, std::size_t size) {
    return done(::RegSetValueExW(key_, name, 0, type, static_cast<const BYTE*>(data), static_cast<DWORD>(size)));
  }
  /// Not there: success.
  sys_result<void> remove(const wchar_t* name) {
    const LSTATUS status = ::RegDeleteValueW(key_, name);
    return done(status == ERROR_FILE_NOT_FOUND ? ERROR_SUCCESS : status);
  }
  /// A REG_MULTI_SZ; empty when it is not there.
  [[nodiscard]] sys_result<std::vector<std::string>> list(const wchar_t* name) const {
    std::vector<wchar_t> text(1024);
    for (;;) {
      auto size = static_cast<DWORD>(text.size() * sizeof(wchar_t));
      // RegGetValueW ends the list as a list must end, also where whoever wrote it did not.
      const LSTATUS status = ::RegGetValueW(key_, nullptr, name, RRF_RT_REG_MULTI_SZ, nullptr, text.data(), &size);
      if (status == ERROR_FILE_NOT_FOUND) return std::vector<std::string>();
      if (status == ERROR_SUCCESS) return narrow_list(text.data());
      if (status != ERROR_MORE_DATA) return sys_failure(static_cast<std::uint32_t>(status));
      text.resize(text.size() * 2);
    }
  }

 private:
  explicit registry_key(HKEY key) noexcept : key_(key) {}
  static sys_result<void> done(LSTATUS status) {
    if (status != ERROR_SUCCESS) return sys_failure(static_cast<std::uint32_t>(status));
    return {};
  }
  HKEY key_;
};

[[nodiscard]] inline std::wstring services_key(std::string_view below) {
  return L"SYSTEM\\CurrentControlSet\\Services\\" + wide(below);
}

inline sys_result<void> add_event_source(const std::string& source) {
  auto key = registry_key::create(services_key("EventLog\\Application\\" + source), KEY_SET_VALUE);
  if (!key) return sys_failure(key.error());
  const DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
  auto done = key->set(L"EventMessageFile", REG_EXPAND_SZ, L"%SystemRoot%\\System32\\EventCreate.exe");
  if (done) done = key->set(L"TypesSupported", REG_DWORD, &types, sizeof types);
  return done;
}

inline sys_result<void> remove_event_source(const std::string& source) {
  const LSTATUS status =
      ::RegDeleteKeyW(HKEY_LOCAL_MACHINE, services_key("EventLog\\Application\\" + source).c_str());
  if (status != ERROR_SUCCESS && status != ERROR_FILE_NOT_FOUND)
    return sys_failure(static_cast<std::uint32_t>(status));
  return {};
}

inline sys_result<std::vector<std::string>> query_environment(const std::string& service_name) {
  const auto key = registry_key::open(services_key(service_name), KEY_QUERY_VALUE);
  if (!key) return sys_failure(key.error());
  return key->list(L"Environment");
}

inline sys_result<void> change_environment(const std::string& service_name, const std::vector<std::string>& all) {
  auto key = registry_key::open(services_key(service_name), KEY_SET_VALUE);
  if (!key) return sys_failure(key.error());
  if (all.empty()) return key->remove(L"Environment");
  const std::wstring list = wide_list(all);
  return key->set(L"Environment", REG_MULTI_SZ, list.data(), list.size() * sizeof(wchar_t));
}

inline sys_result<void> add_logon_right(const std::string& sid) {
  // <ntsecapi.h> quarrels with <winternl.h>, which a program may want: its three structs are written out here.
  struct lsa_text {
    USHORT bytes, room;
    wchar_t* text;
  };
  struct lsa_attributes {
    ULONG size;
    HANDLE root;
    lsa_text* name;
    ULONG attributes;
    void *security, *quality;
  };
  using open_policy = LONG(NTAPI*)(lsa_text*, lsa_attributes*, ACCESS_MASK, void**);
  using add_rights = LONG(NTAPI*)(void*, PSID, lsa_text*, ULONG);
  using close_policy = LONG(NTAPI*)(void*);
  using to_win32 = ULONG(NTAPI*)(LONG);
  const system_library advapi("advapi32.dll");
  const auto open = advapi.find<open_policy>("LsaOpenPolicy");
  const auto add = advapi.find<add_rights>("LsaAddAccountRights");
  const auto close = advapi.find<close_policy>("LsaClose");
  const auto win32 = advapi.find<to_win32>("LsaNtStatusToWinError");
  if (!open || !add || !close || !win32) return sys_failure(ERROR_PROC_NOT_FOUND);

  PSID parsed = nullptr;
  if (!::ConvertStringSidToSidW(wide(sid).c_str(), &parsed)) return sys_failure(::GetLastError());
  const local_memory held(parsed);
  constexpr ACCESS_MASK lookup_names = 0x800, create_account = 0x10;
  lsa_attributes none{};
  void* policy = nullptr;
  LONG status = open(nullptr, &none, lookup_names | create_account, &policy);
  if (status != 0) return sys_failure(win32(status));
  wchar_t name[] = L"SeServiceLogonRight";
  lsa_text right{sizeof name - sizeof(wchar_t), sizeof name, name};
  status = add(policy, parsed, &right, 1);
  close(policy);
  if (status != 0) return sys_failure(win32(status));
  return {};
}

/// The folder itself, and never what a link in its place leads to: everyone may put one into ProgramData, and an
/// installer that follows it gives System32 away.
[[nodiscard]] inline sys_result<unique_handle> open_folder(const std::string& path, DWORD rights) {
  constexpr DWORD link_in_its_place = 4395;  // ERROR_REPARSE_POINT_ENCOUNTERED
  unique_handle folder(::CreateFileW(wide_path(path).c_str(), rights | FILE_READ_ATTRIBUTES,
                                     FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr, OPEN_EXISTING,
                                     FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, nullptr));
  if (!folder) return sys_failure(::GetLastError());
  BY_HANDLE_FILE_INFORMATION info{};
  if (!::GetFileInformationByHandle(folder.get(), &info)) return sys_failure(::GetLastError());
  if ((info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) return sys_failure(link_in_its_place);
  if ((info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0) return sys_failure(ERROR_DIRECTORY);
  return folder;
}

inline sys_result<std::string> query_folder_security(const std::string& path) {
  const auto folder = open_folder(path, READ_CONTROL);
  if (!folder) return sys_failure(folder.error());
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  const DWORD code =
      ::GetSecurityInfo(folder->get(), SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, nullptr,
                        nullptr, nullptr, nullptr, &descriptor);
  if (code != ERROR_SUCCESS) return sys_failure(code);
  const local_memory held(descriptor);
  return dacl_text(descriptor, OWNER_SECURITY_INFORMATION);
}

inline sys_result<void> change_folder_security(const std::string& path, const std::string& sddl) {
  const auto descriptor = descriptor_of(sddl);
  if (!descriptor) return sys_failure(descriptor.error());
  PACL dacl = nullptr;
  PSID owner = nullptr;
  SECURITY_DESCRIPTOR_CONTROL control = 0;
  BOOL has_dacl = FALSE, defaulted = FALSE;
  DWORD revision = 0;
  if (!::GetSecurityDescriptorDacl(descriptor->get(), &has_dacl, &dacl, &defaulted) ||
      !::GetSecurityDescriptorOwner(descriptor->get(), &owner, &defaulted) ||
      !::GetSecurityDescriptorControl(descriptor->get(), &control, &revision)) {
    return sys_failure(::GetLastError());
  }
  if (!has_dacl || !dacl) return sys_failure(ERROR_INVALID_ACL);  // a missing DACL would open the folder to everyone

  if (auto parent = make_folders(folder_of(path)); !parent) return parent;
  // Made with it, so that there is no moment in which somebody else may open what is not yet closed to him.
  SECURITY_ATTRIBUTES attributes{sizeof attributes, descriptor->get(), FALSE};
  if (::CreateDirectoryW(wide_path(path).c_str(), &attributes)) return {};
  if (const DWORD code = ::GetLastError(); code != ERROR_ALREADY_EXISTS) return sys_failure(code);

  const auto folder = open_folder(path, READ_CONTROL | WRITE_DAC | (owner ? WRITE_OWNER : 0));
  if (!folder) return sys_failure(folder.error());
  const DWORD what = DACL_SECURITY_INFORMATION | (owner ? OWNER_SECURITY_INFORMATION : 0) |
                     ((control & SE_DACL_PROTECTED) != 0 ? PROTECTED_DACL_SECURITY_INFORMATION
                                                         : UNPROTECTED_DACL_SECURITY_INFORMATION);
  // Of the two ways to set a DACL this is the one that hands down to what is in the folder what can be inherited.
  const DWORD code = ::SetSecurityInfo(folder->get(), SE_FILE_OBJECT, what, owner, nullptr, dacl, nullptr);
  if (code != ERROR_SUCCESS) return sys_failure(code);
  return {};
}

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS

// =====================================================================================================================
// os/win/levels.hpp
// =====================================================================================================================

// model/levels.hpp as Windows has it: a value becomes the struct that ChangeServiceConfig2W takes, and what
// QueryServiceConfig2W filled in becomes a value. No call is made here, so that each field is tested where the service
// manager forgets what it was told.
//
//   native_level level(model::preshutdown_timeout{30s});
//   ::ChangeServiceConfig2W(service, level.number(), level.data());
//
// Source: ChangeServiceConfig2W and the pages of the SERVICE_… structures in the Win32 documentation.

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// The struct of one level, and the memory that its pointers lead to.
class native_level {
 public:
  explicit native_level(const model::config_level& value);
  native_level(const native_level&) = delete;
  native_level& operator=(const native_level&) = delete;

  [[nodiscard]] DWORD number() const noexcept { return number_; }
  /// For ChangeServiceConfig2W, which wants it without const and leaves it alone.
  [[nodiscard]] void* data() noexcept { return &native_; }

 private:
  void set(const model::description_text& v);
  void set(const model::recovery_plan& v);
  void set(const model::delayed_start& v) { native_.delayed.fDelayedAutostart = v.on ? TRUE : FALSE; }
  void set(const model::failure_flag& v) { native_.flag.fFailureActionsOnNonCrashFailures = v.on ? TRUE : FALSE; }
  void set(const model::sid_type& v) { native_.sid.dwServiceSidType = v.value; }
  void set(const model::required_privileges& v);
  void set(const model::preshutdown_timeout& v);

  union structs {
    SERVICE_DESCRIPTIONW description;
    SERVICE_FAILURE_ACTIONSW failure;
    SERVICE_DELAYED_AUTO_START_INFO delayed;
    SERVICE_FAILURE_ACTIONS_FLAG flag;
    SERVICE_SID_INFO sid;
    SERVICE_REQUIRED_PRIVILEGES_INFOW privileges;
    SERVICE_PRESHUTDOWN_INFO preshutdown;
  };
  DWORD number_;
  structs native_{};
  std::wstring text_;
  std::vector<SC_ACTION> actions_;
};

/// What QueryServiceConfig2W filled in for a level from 1 to 7.
[[nodiscard]] model::config_level level_value(std::uint32_t number, const void* native);

// ---------------------------------------------------------------------------------------------------------------------

/// A time as a DWORD, which cannot say more than 49 days in milliseconds.
template <class Unit>
[[nodiscard]] constexpr DWORD as_dword(Unit time) noexcept {
  constexpr std::int64_t most = 0xFFFFFFFF;  // INFINITE
  const std::int64_t count = time.count();
  return static_cast<DWORD>(count < 0 ? 0 : count > most ? most : count);
}

inline native_level::native_level(const model::config_level& value) : number_(model::number(value)) {
  std::visit([this](const auto& v) { set(v); }, value);
}

inline void native_level::set(const model::description_text& v) {
  text_ = wide(v.text);
  native_.description.lpDescription = text_.data();  // "" takes the description out, where NULL would leave it
}

inline void native_level::set(const model::recovery_plan& v) {
  for (const auto& a : v.actions) actions_.push_back({static_cast<SC_ACTION_TYPE>(a.what), as_dword(a.delay)});
  native_.failure.cActions = static_cast<DWORD>(actions_.size());
  // No action with a pointer that is not NULL takes them out; with NULL the call would leave them, and so it does with
  // the message and the command, which are not ours.
  if (actions_.empty()) actions_.push_back({SC_ACTION_NONE, 0});
  native_.failure.lpsaActions = actions_.data();
  native_.failure.dwResetPeriod = as_dword(v.reset);  // seconds here, milliseconds in the actions
}

inline void native_level::set(const model::required_privileges& v) {
  text_ = wide_list(v.names);
  native_.privileges.pmszRequiredPrivileges = text_.data();
}

inline void native_level::set(const model::preshutdown_timeout& v) {
  native_.preshutdown.dwPreshutdownTimeout = as_dword(v.limit);
}

inline model::config_level level_value(std::uint32_t number, const void* native) {
  switch (number) {
    case model::level::description:
      return model::description_text{narrow(static_cast<const SERVICE_DESCRIPTIONW*>(native)->lpDescription)};
    case model::level::failure_actions: {
      const auto* s = static_cast<const SERVICE_FAILURE_ACTIONSW*>(native);
      model::recovery_plan plan;
      plan.reset = std::chrono::seconds(s->dwResetPeriod);
      for (DWORD i = 0; s->lpsaActions && i < s->cActions; ++i) {
        plan.actions.push_back({static_cast<recovery_action::kind>(s->lpsaActions[i].Type),
                                std::chrono::milliseconds(s->lpsaActions[i].Delay)});
      }
      return plan;
    }
    case model::level::delayed_start:
      return model::delayed_start{static_cast<const SERVICE_DELAYED_AUTO_START_INFO*>(native)->fDelayedAutostart != 0};
    case model::level::failure_flag:
      return model::failure_flag{
          static_cast<const SERVICE_FAILURE_ACTIONS_FLAG*>(native)->fFailureActionsOnNonCrashFailures != 0};
    case model::level::sid_type:
      return model::sid_type{static_cast<const SERVICE_SID_INFO*>(native)->dwServiceSidType};
    case model::level::required_privileges:
      return model::required_privileges{
          narrow_list(static_cast<const SERVICE_REQUIRED_PRIVILEGES_INFOW*>(native)->pmszRequiredPrivileges)};
    default:
      return model::preshutdown_timeout{
          std::chrono::milliseconds(static_cast<const SERVICE_PRESHUTDOWN_INFO*>(native)->dwPreshutdownTimeout)};
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
// What stands beside it is in os/win/install.hpp.
//
// Source: the pages of OpenSCManagerW, CreateServiceW, ChangeServiceConfigW, ChangeServiceConfig2W,
// QueryServiceConfigW, QueryServiceConfig2W, QueryServiceStatusEx, StartServiceW, ControlService,
// EnumDependentServicesW, QueryServiceObjectSecurity and DeleteService in the Win32 documentation.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
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

/// service_settings as the two calls take them: NULL where nothing was said.
class native_settings {
 public:
  explicit native_settings(const service_settings& s)
      : binary_(optional_wide(s.binary)),
        display_(optional_wide(s.display_name)),
        account_(optional_wide(s.account)),
        password_(optional_wide(s.password)) {
    if (s.dependencies) dependencies_ = wide_list(*s.dependencies);
    if (s.startup) {
      start_type_ = *s.startup == startup::manual     ? SERVICE_DEMAND_START
                    : *s.startup == startup::disabled ? SERVICE_DISABLED
                                                      : SERVICE_AUTO_START;
    }
  }
  native_settings(const native_settings&) = delete;
  native_settings& operator=(const native_settings&) = delete;

  [[nodiscard]] DWORD start_type() const noexcept { return start_type_; }  ///< or SERVICE_NO_CHANGE
  [[nodiscard]] const wchar_t* binary() const noexcept { return or_null(binary_); }
  [[nodiscard]] const wchar_t* display_name() const noexcept { return or_null(display_); }
  [[nodiscard]] const wchar_t* account() const noexcept { return or_null(account_); }
  [[nodiscard]] const wchar_t* password() const noexcept { return or_null(password_); }
  [[nodiscard]] const wchar_t* dependencies() const noexcept { return or_null(dependencies_); }

 private:
  using text = std::optional<std::wstring>;
  static text optional_wide(const std::optional<std::string>& s) { return s ? text(wide(*s)) : std::nullopt; }
  static const wchar_t* or_null(const text& t) noexcept { return t ? t->c_str() : nullptr; }
  DWORD start_type_ = SERVICE_NO_CHANGE;
  text binary_, display_, account_, password_, dependencies_;
};

class native_service_manager final : public service_manager {
 public:
  sys_result<raw_handle> open_manager(std::uint32_t rights) override {
    return handle_or_error(::OpenSCManagerW(nullptr, nullptr, rights));
  }

  sys_result<raw_handle> create_service(raw_handle manager, const std::string& name, std::uint32_t rights,
                                        const service_settings& s) override {
    const native_settings with(s);
    const DWORD start = s.startup ? with.start_type() : SERVICE_AUTO_START;
    const std::wstring as = wide(name);
    return handle_or_error(::CreateServiceW(native(manager), as.c_str(),
                                            s.display_name ? with.display_name() : as.c_str(), rights,
                                            SERVICE_WIN32_OWN_PROCESS, start, SERVICE_ERROR_NORMAL,
                                            s.binary ? with.binary() : L"", nullptr, nullptr, with.dependencies(),
                                            with.account(), with.password()));
  }

  sys_result<raw_handle> open_service(raw_handle manager, const std::string& name, std::uint32_t rights) override {
    return handle_or_error(::OpenServiceW(native(manager), wide(name).c_str(), rights));
  }

  sys_result<void> change_config(raw_handle service, const service_settings& s) override {
    const native_settings with(s);
    return ok_or_error(::ChangeServiceConfigW(native(service), SERVICE_NO_CHANGE, with.start_type(), SERVICE_NO_CHANGE,
                                              with.binary(), nullptr, nullptr, with.dependencies(), with.account(),
                                              with.password(), with.display_name()));
  }

  sys_result<void> change_level(raw_handle service, const model::config_level& value) override {
    native_level level(value);
    return ok_or_error(::ChangeServiceConfig2W(native(service), level.number(), level.data()));
  }

  sys_result<model::config_level> query_level(raw_handle service, std::uint32_t level) override {
    if (level < model::level::description || level > model::level::preshutdown) return sys_failure(ERROR_INVALID_LEVEL);
    std::vector<std::uint64_t> buffer(8192 / 8);  // 8 KiB is the most the call ever wants; 64-bit words align it
    DWORD needed = 0;
    if (!::QueryServiceConfig2W(native(service), level, reinterpret_cast<BYTE*>(buffer.data()), 8192, &needed))
      return sys_failure(::GetLastError());
    return level_value(level, buffer.data());
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
    out.dependencies = narrow_list(config->lpDependencies);

    if (out.startup == startup::automatic) {
      const auto level = query_level(service, model::level::delayed_start);
      if (level && std::get<model::delayed_start>(*level).on) out.startup = startup::delayed;
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

  sys_result<std::vector<std::string>> active_dependents(raw_handle service) override {
    std::vector<std::uint64_t> buffer(1024 / 8);
    for (;;) {
      const auto found = reinterpret_cast<ENUM_SERVICE_STATUSW*>(buffer.data());
      DWORD needed = 0, count = 0;
      if (::EnumDependentServicesW(native(service), SERVICE_ACTIVE, found, static_cast<DWORD>(buffer.size() * 8),
                                   &needed, &count)) {
        std::vector<std::string> names;
        for (DWORD i = 0; i < count; ++i) names.push_back(narrow(found[i].lpServiceName));
        return names;
      }
      if (::GetLastError() != ERROR_MORE_DATA) return sys_failure(::GetLastError());
      buffer.resize((std::max)(buffer.size() * 2, std::size_t{needed} / 8 + 1));  // more may have been started since
    }
  }

  sys_result<std::string> query_security(raw_handle service) override {
    std::vector<std::uint64_t> descriptor(1024 / 8);
    for (;;) {
      DWORD needed = 0;
      if (::QueryServiceObjectSecurity(native(service), DACL_SECURITY_INFORMATION, descriptor.data(),
                                       static_cast<DWORD>(descriptor.size() * 8), &needed)) {
        return dacl_text(descriptor.data());
      }
      if (::GetLastError() != ERROR_INSUFFICIENT_BUFFER || needed <= descriptor.size() * 8)
        return sys_failure(::GetLastError());
      descriptor.resize(needed / 8 + 1);
    }
  }

  sys_result<void> change_security(raw_handle service, const std::string& sddl) override {
    const auto descriptor = descriptor_of(sddl);
    if (!descriptor) return sys_failure(descriptor.error());
    return ok_or_error(::SetServiceObjectSecurity(native(service), DACL_SECURITY_INFORMATION, descriptor->get()));
  }

  sys_result<void> delete_service(raw_handle service) override { return ok_or_error(::DeleteService(native(service))); }

  void close(raw_handle handle) noexcept override { ::CloseServiceHandle(native(handle)); }

  // -- beside the SCM: os/win/install.hpp --

  sys_result<void> add_event_source(const std::string& source) override { return os::add_event_source(source); }
  sys_result<void> remove_event_source(const std::string& source) override { return os::remove_event_source(source); }
  sys_result<std::vector<std::string>> query_environment(const std::string& service_name) override {
    return os::query_environment(service_name);
  }
  sys_result<void> change_environment(const std::string& service_name, const std::vector<std::string>& all) override {
    return os::change_environment(service_name, all);
  }
  sys_result<std::string> account_sid(const std::string& account) override { return sid_of_account(account); }
  sys_result<void> add_logon_right(const std::string& sid) override { return os::add_logon_right(sid); }
  sys_result<std::string> query_folder_security(const std::string& path) override {
    return os::query_folder_security(path);
  }
  sys_result<void> change_folder_security(const std::string& path, const std::string& sddl) override {
    return os::change_folder_security(path, sddl);
  }

 private:
  static SC_HANDLE native(raw_handle h) noexcept { return static_cast<SC_HANDLE>(h); }
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

// With a TLS library, cpp-httplib calls functions that it deprecates itself (0.41).
#if WINSVC_COMPILER_MSVC
  #pragma warning(push)
  #pragma warning(disable : 4996)
#else
  #pragma GCC diagnostic push
  #pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#endif

// It does to the program what it always does: its constructor ignores SIGPIPE on POSIX, and its own macros stay.
#include WINSVC_HTTPLIB

#if WINSVC_COMPILER_MSVC
  #pragma warning(pop)
#else
  #pragma GCC diagnostic pop
#endif

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
// http/transport.hpp
// =====================================================================================================================

// What a connection reads from and writes to: a socket in production, memory in the test client. The bytes take the
// same way through everything above.
//
// Most of the time nobody waits here: a connection takes what has come, sends what there is room for, and lets go of the
// thread. What lasts is done on a thread of its own, which waits: an answer that is streamed, a large body, a WebSocket.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <thread>
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

/// What ended a wait beside an answer that is being streamed.
enum class watched { quiet, gone, draining };

class transport {
 public:
  virtual ~transport() = default;
  /// Waits for bytes up to `limit`, which may be 0; see os::tcp_socket::receive.
  virtual os::transfer receive(char* into, std::size_t room, std::size_t& got,
                               std::chrono::milliseconds limit) noexcept = 0;
  /// Would `receive` certainly find nothing now? False where that is not known.
  [[nodiscard]] virtual bool is_drained() const noexcept { return false; }
  /// Waits for the first byte of a request, the only wait that a drain ends early: `timed_out` then too, unless bytes
  /// are there already.
  virtual os::transfer receive_idle(char* into, std::size_t room, std::size_t& got,
                                    std::chrono::milliseconds limit) noexcept = 0;
  virtual os::transfer send(const char* from, std::size_t count, std::chrono::milliseconds limit) noexcept = 0;
  /// What there is room for; see os::tcp_socket::send_some.
  virtual os::transfer send_some(const char* from, std::size_t count, std::size_t& sent) noexcept = 0;
  /// What the last receive or send that timed out was short of: room, and not bytes?
  [[nodiscard]] virtual bool wants_room(bool after_send) const noexcept { return after_send; }
  /// Is there nothing to be asked yet: does a handshake come first?
  [[nodiscard]] virtual bool is_fresh() const noexcept { return false; }
  /// This thread is going to wait here, for the rest of what it does with the connection.
  virtual void hold() noexcept {}
  /// Waits while an answer is streamed: until the client has closed its end, a drain begins, or the time is over.
  virtual watched watch(std::chrono::milliseconds limit) noexcept = 0;
  /// No more will be sent. How it is to be left: as `how` says, or with more care.
  virtual parting finish(parting how) noexcept = 0;
  /// From any thread: whoever waits here wakes and finds it closed.
  virtual void cut() noexcept {}
  /// Does nobody between here and the other end see what is sent?
  [[nodiscard]] virtual bool encrypted() const noexcept { return false; }
  [[nodiscard]] virtual os::endpoint local() const = 0;
  [[nodiscard]] virtual os::endpoint peer() const = 0;
};

/// Whom a transport tells that a thread is held.
class thread_lender {
 public:
  virtual void lend_thread() noexcept = 0;
  /// Has the poller seen that the peer may have closed its end? It does not tell twice.
  [[nodiscard]] virtual bool has_hung_up() const noexcept = 0;

 protected:
  ~thread_lender() = default;
};

class socket_transport : public transport {
 public:
  /// `drain` wakes a wait for a new request; it is shared by all connections of an engine and outlives them.
  socket_transport(os::tcp_socket socket, os::waker& drain) noexcept : socket_(std::move(socket)), drain_(&drain) {}
  /// Who lends a thread to whoever holds it.
  void lender(thread_lender* of) noexcept { lender_ = of; }

  os::transfer receive(char* into, std::size_t room, std::size_t& got,
                       std::chrono::milliseconds limit) noexcept override {
    const auto what = socket_.receive(into, room, got, limit);
    drained_ = what == os::transfer::timed_out || (what == os::transfer::done && got < room);
    return what;
  }
  [[nodiscard]] bool is_drained() const noexcept override {
    return drained_ && !(lender_ && lender_->has_hung_up());
  }
  void hold() noexcept override {
    if (lender_) lender_->lend_thread();
  }
  os::transfer send_some(const char* from, std::size_t count, std::size_t& sent) noexcept override {
    return socket_.send_some(from, count, sent);
  }
  os::transfer receive_idle(char* into, std::size_t room, std::size_t& got,
                            std::chrono::milliseconds limit) noexcept override {
    static_cast<void>(drain_->wait_for(socket_, limit));  // whatever ended the wait
    return socket_.receive(into, room, got, std::chrono::milliseconds(0));  // what has arrived is served, even so late
  }
  os::transfer send(const char* from, std::size_t count, std::chrono::milliseconds limit) noexcept override {
    return socket_.send(from, count, limit);
  }
  watched watch(std::chrono::milliseconds limit) noexcept override {
    const auto until = std::chrono::steady_clock::now() + limit;
    for (;;) {
      const auto what = drain_->wait_for(socket_, limit);
      if (what == os::waker::outcome::woken) return watched::draining;
      if (what == os::waker::outcome::timed_out) return watched::quiet;
      if (what == os::waker::outcome::failed || socket_.peer_closed()) return watched::gone;
      // The next request has come already, and makes the socket readable for good: look now and then.
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      if (left.count() <= 0) return watched::quiet;
      limit = (std::min)(left, std::chrono::milliseconds(100));
      std::this_thread::sleep_for(limit);
    }
  }
  parting finish(parting how) noexcept override {
    socket_.shutdown_send();
    return how;
  }
  [[nodiscard]] bool wait_writable(std::chrono::milliseconds limit) const noexcept {
    return socket_.wait_writable(limit);
  }
  [[nodiscard]] os::tcp_socket::native_handle native() const noexcept { return socket_.native(); }
  [[nodiscard]] os::endpoint local() const override { return socket_.local(); }
  [[nodiscard]] os::endpoint peer() const override { return socket_.peer(); }

  /// Once `serve` has returned.
  void close() noexcept { socket_.close(); }
  /// Before `close`.
  void cut() noexcept override { socket_.shutdown_both(); }

 protected:
  os::tcp_socket socket_;
  os::waker* drain_;
  thread_lender* lender_ = nullptr;
  bool drained_ = false;
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
#include <functional>
#include <map>
#include <memory>
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
  /// What is answered is put behind `out`, and is there to be sent when the exchange is over; see `close`.
  exchange_stream(transport& wire, receive_buffer& buffer, std::string& out, const wire::head& head,
                  const wire::limits& bounds)
      : wire_(wire),
        buffer_(buffer),
        out_(out),
        framing_(head.framing),
        left_(head.framing == wire::framing::length ? head.content_length : 0),
        wants_continue_(head.expect_continue),
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
  /// The most bytes of a body that comes in chunks, in place of the app's limit. Before it is read.
  void limit_body(std::uint64_t most) { decoder_ = wire::chunked_decoder(bounds_, most); }
  /// The body is not wanted any more: reads fail from here on. What is unread ends the connection.
  void refuse_body() noexcept { refused_ = true; }
  /// The status for what was wrong with the body: 400, 408, 413; 0 for nothing; -1 when the client is gone.
  [[nodiscard]] int body_fault() const noexcept { return fault_; }
  /// What cpp-httplib is to read as the head.
  void hand_over(std::string canonical) noexcept { canonical_ = std::move(canonical); }
  /// All of a body of known length, which is here.
  void take_body(std::string& into) {
    const auto count = static_cast<std::size_t>(left_);
    into.assign(buffer_.rest().substr(0, count));
    buffer_.consume(count);
    left_ = 0;
    framing_ = wire::framing::none;
  }
  [[nodiscard]] std::string& out() noexcept { return out_; }
  /// When the request came, for the deadline of its body.
  void began(std::chrono::steady_clock::time_point when) noexcept { began_ = when; }
  /// From here on every write leaves at once.
  void unbuffered() noexcept { unbuffered_ = true; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  /// For whoever speaks another protocol from here on: what has come of it already is in the buffer.
  [[nodiscard]] transport& wire() noexcept { return wire_; }
  [[nodiscard]] receive_buffer& buffer() noexcept { return buffer_; }
  [[nodiscard]] const wire::limits& bounds() const noexcept { return bounds_; }
  /// Waits beside the answer; see transport::watch.
  watched watch(std::chrono::milliseconds limit) noexcept {
    constexpr std::chrono::milliseconds none{0}, most = std::chrono::hours(24 * 365);  // no sum with it overflows
    if (broken_) return watched::gone;
    if (limit > none) wire_.hold();
    return wire_.watch((std::max)(none, (std::min)(limit, most)));
  }

  /// From another thread, while a handler runs: sends this as the answer. What the handler answers then is dropped.
  /// False when the answer is on its way already.
  bool answer_in_place(const std::string& whole) noexcept {
    auto nobody = speaker::nobody;
    if (!speaks_.compare_exchange_strong(nobody, speaker::another)) return false;
    static_cast<void>(wire_.send(whole.data(), whole.size(), std::chrono::milliseconds(0)));
    sent_ = whole.size();
    return true;
  }
  [[nodiscard]] bool answered_in_place() const noexcept { return speaks_.load() == speaker::another; }

  /// Everything has been answered. False: nothing more can be sent, and what is left of the answer is dropped.
  bool close() noexcept {
    auto nobody = speaker::nobody;
    if (!speaks_.compare_exchange_strong(nobody, speaker::handler) && nobody == speaker::another) broken_ = true;
    if (broken_) out_.clear();
    return !broken_;
  }
  /// Sends what there is, and waits until it has left.
  bool flush() noexcept {
    if (!close() || out_.empty()) return !broken_;
    std::size_t sent = 0;
    auto what = wire_.send_some(out_.data(), out_.size(), sent);
    if (what == os::transfer::timed_out) {
      wire_.hold();
      what = wire_.send(out_.data() + sent, out_.size() - sent, bounds_.write_time);
    }
    broken_ = what != os::transfer::done;
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
    constexpr std::size_t most_kept = 16 * 1024 * 1024;
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
    auto what = wire_.receive(piece, sizeof piece, got, std::chrono::milliseconds(0));
    if (what == os::transfer::timed_out && limit.count() > 0) {
      wire_.hold();
      what = wire_.receive(piece, sizeof piece, got, limit);
    }
    if (what == os::transfer::done) {
      buffer_.bytes.append(piece, got);
      return true;
    }
    fault_ = what == os::transfer::timed_out ? 408 : -1;
    return false;
  }

  enum class speaker { nobody, handler, another };

  transport& wire_;
  receive_buffer& buffer_;
  std::string& out_;
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
  std::uint64_t sent_ = 0;
  int fault_ = 0;
  bool refused_ = false;
  bool unbuffered_ = false;
  bool broken_ = false;
  std::atomic<speaker> speaks_{speaker::nobody};
};

/// What the hooks around one handler share.
struct exchange {
  exchange(const wire::head& h, exchange_stream& s, std::string request_id, const std::atomic<bool>& drains)
      : head(h), stream(s), draining(drains), id(std::move(request_id)) {}

  const wire::head& head;
  exchange_stream& stream;
  const std::atomic<bool>& draining;  ///< may become true while the handler runs
  route::match_result match;
  const route::table* routes = nullptr;  ///< that it was matched with
  std::string id;            ///< of the request, in the log and in a 500
  std::function<bool()> read_body;  ///< reads it now; empty when there is none
  bool body_too_large = false;
  std::uint64_t body_limit = ~std::uint64_t{0};  ///< of this request; the app's own holds beside it
  response* done = nullptr;                      ///< what the handler has answered already, to be written
  const request* req = nullptr;                  ///< cpp-httplib's, while it is handled
  std::map<const void*, std::shared_ptr<void>> values;  ///< of winsvc::context, by type
  std::string path, method;  ///< of the request, while cpp-httplib routes it to POST /_ for its body
  bool closing = false;      ///< the connection ends with this answer
  bool closed = false;       ///< cpp-httplib wants it to
  bool ours = false;         ///< the answer is the handler's or our own, not cpp-httplib's
  int status = 0;            ///< what was answered
  std::string_view pattern;  ///< of the route, for the access log
  std::string client;        ///< the address that asked, where a trusted proxy named it
  std::atomic<std::size_t>* websockets = nullptr;  ///< open in this engine; null where there can be none
  /// Serves the connection once a 101 has left: the protocol has been switched. Throws what its handler throws.
  std::function<void(logger&)> upgraded;
};

/// The exchange that this thread is in. cpp-httplib's hooks are shared by all connections and have no other way to it.
inline exchange*& current_exchange() noexcept {
  static thread_local exchange* one = nullptr;
  return one;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/stream.hpp
// =====================================================================================================================

// An answer that is written while it is made: a stream of bytes, and server-sent events over one.
//
//   svc.get("/numbers", [] {
//     return winsvc::reply::stream("text/plain", [](winsvc::stream& out) {
//       for (int i = 0; i < 1000 && out.write(std::to_string(i) + "\n"); ++i) {}
//     });
//   });
//   svc.get("/ticks", [] {
//     return winsvc::reply::events([](winsvc::event_stream& out) {
//       while (out.wait_for(1s)) out.send("tick");
//     });
//   });
//
// Both hold a thread of the engine's while they last. `wait_for` ends early, and says so, when the client has left and
// when the service stops: return then.
// Source of the events' form: the HTML standard, section "Server-sent events".

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {

/// Used on the thread that writes the answer.
class stream {
 public:
  stream(httplib::DataSink& sink, http::exchange& x) noexcept : sink_(sink), exchange_(x) {}

  /// False when the client is gone: there is nobody to write for.
  bool write(std::string_view bytes) { return open_ = open_ && sink_.write(bytes.data(), bytes.size()); }
  /// Waits that long. False at once when the client has left or the service stops: then a last word may still be sent.
  bool wait_for(std::chrono::milliseconds how_long) {
    if (!open_) return false;
    const auto seen = exchange_.stream.watch(how_long);
    open_ = seen != http::watched::gone;
    return seen == http::watched::quiet;
  }
  /// Is there a reason to go on: a client, and a service that does not stop?
  [[nodiscard]] bool is_open() const noexcept { return open_ && !exchange_.draining.load(); }

 private:
  httplib::DataSink& sink_;
  http::exchange& exchange_;
  bool open_ = true;
};

/// Server-sent events: what an EventSource in a page reads.
class event_stream {
 public:
  explicit event_stream(stream& out, std::string last_id) : out_(out), last_id_(std::move(last_id)) {}

  /// One event. `name`: its type, default "message"; `id`: what the client sends as Last-Event-ID when it comes back.
  bool send(std::string_view data, std::string_view name = {}, std::string_view id = {});
  /// How long the client waits before it comes back after the connection was lost.
  bool retry_after(std::chrono::milliseconds pause) {
    return out_.write("retry: " + std::to_string(pause.count()) + "\n\n");
  }
  /// As stream's. A comment goes out every 15 s, so that proxies and vanished clients are not waited for.
  bool wait_for(std::chrono::milliseconds how_long);
  [[nodiscard]] bool is_open() const noexcept { return out_.is_open(); }
  /// Of the last event that the client got before it came back; "" at first.
  [[nodiscard]] const std::string& last_id() const noexcept { return last_id_; }

 private:
  stream& out_;
  std::string last_id_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline bool event_stream::send(std::string_view data, std::string_view name, std::string_view id) {
  const auto one_line = [](std::string_view field, std::string_view value) {
    std::string line(field);
    for (const char c : value) {
      if (c != '\n' && c != '\r' && c != '\0') line += c;
    }
    return line + '\n';
  };
  std::string text;
  if (!id.empty()) text += one_line("id: ", id);
  if (!name.empty()) text += one_line("event: ", name);
  for (;;) {  // each line of the data is a field; \n, \r and \r\n all end one
    const auto end = data.find_first_of("\r\n");
    text += "data: " + std::string(data.substr(0, end)) + '\n';
    if (end == data.npos) break;
    data.remove_prefix(end + (data.substr(end, 2) == "\r\n" ? 2 : 1));
  }
  return out_.write(text + '\n');
}

inline bool event_stream::wait_for(std::chrono::milliseconds how_long) {
  constexpr std::chrono::milliseconds quiet_for{15'000};
  for (; how_long > quiet_for; how_long -= quiet_for) {
    if (!out_.wait_for(quiet_for) || !out_.write(": still here\n\n")) return false;
  }
  return out_.wait_for(how_long);
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/abort.hpp
// =====================================================================================================================

// A way out of the middle of a handler or a middleware.
//
//   if (id < 0) winsvc::abort(400, "ids start at 0");

#include <exception>
#include <string>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {

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

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/file_answer.hpp
// =====================================================================================================================

// A file as an answer: sent in pieces from the open file, never whole in memory, with what lets a client ask again only
// for what it has not got (RFC 9110, sections 8.8, 13 and 14): ETag, Last-Modified, 304, 412, ranges, 416.
//
// The ETag is made of the size and the time of the last change, in the resolution of the file system. A file that
// becomes shorter while it is sent ends the connection: the client sees that something is missing.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// What there is to say of the file's content.
struct file_form {
  std::string type;           ///< media type
  std::string coding;         ///< Content-Encoding; empty: as it is
  std::string cache_control;  ///< empty: no header
};

/// Writes the answer. The status of the response is the one it answers with where all of the file is sent.
void answer_with_file(const request& req, response& res, os::source_file file, const file_form& form);
/// By its path. Aborts with 404 where there is no such file; throws where it cannot be read.
void answer_with_file(const request& req, response& res, const std::string& path, const std::string& save_as);

/// What a browser saves an answer as (RFC 6266): a name of ASCII, and beside it the real one where that is not.
[[nodiscard]] std::string attachment(std::string_view file_name);

// ---------------------------------------------------------------------------------------------------------------------

inline std::string attachment(std::string_view file_name) {
  std::string plain;
  bool ascii = true;
  for (const char c : file_name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) ascii = false;
    if (byte >= 0x80 && byte < 0xC0) continue;  // one mark for each letter
    plain += byte < 0x20 || byte >= 0x7F || c == '"' || c == '\\' ? '_' : c;
  }
  std::string out = "attachment; filename=\"" + plain + '"';
  if (!ascii) {  // RFC 8187; percent_encode_segment leaves more marks than an ext-value may have
    out += "; filename*=UTF-8''";
    for (const char c : route::percent_encode_segment(file_name)) {
      constexpr std::string_view marks = "'()*,;=:@";
      char text[4] = {c};
      if (marks.find(c) != marks.npos) std::snprintf(text, sizeof text, "%%%02X", static_cast<unsigned>(c));
      out += text;
    }
  }
  return out;
}

inline void answer_with_file(const request& req, response& res, os::source_file file, const file_form& form) {
  using namespace std::chrono;
  const auto since = file.modified().time_since_epoch();
  char tag[64];
  std::snprintf(tag, sizeof tag, "\"%llx-%llx%s\"", static_cast<unsigned long long>(file.size()),
                static_cast<unsigned long long>(duration_cast<nanoseconds>(since).count()),
                form.coding.empty() ? "" : ("-" + form.coding).c_str());
  const wire::validators there{tag, duration_cast<seconds>(since).count()};
  replace_header(res, "ETag", tag);
  replace_header(res, "Last-Modified", http_date(file.modified()));
  if (!form.cache_control.empty()) replace_header(res, "Cache-Control", form.cache_control);

  const auto field = [&req](const char* name) { return req.get_header_value(name); };
  const std::string match = field("If-Match"), none_match = field("If-None-Match"),
                    modified = field("If-Modified-Since"), unmodified = field("If-Unmodified-Since");
  const bool reads = req.method == "GET" || req.method == "HEAD";
  switch (wire::evaluate({match, none_match, modified, unmodified}, there, reads)) {
    case wire::verdict::not_modified: res.status = 304; return;
    case wire::verdict::failed: abort(412, "the file is not the one that the request is about");
    case wire::verdict::serve: break;
  }

  auto& ranges = const_cast<request&>(req).ranges;  // cpp-httplib's own, which it cuts the file by
  if (req.method != "GET" || !wire::range_applies(field("If-Range"), there) || ranges.size() > 16) ranges.clear();
  if (!ranges.empty()) {
    ranges = wire::satisfiable(ranges, static_cast<ssize_t>(file.size()));
    if (ranges.empty()) {
      replace_header(res, "Content-Range", "bytes */" + std::to_string(file.size()));
      abort(416, "the file has " + std::to_string(file.size()) + " bytes");
    }
    res.status = 206;
  }

  replace_header(res, "Accept-Ranges", "bytes");
  replace_header(res, "X-Content-Type-Options", "nosniff");
  if (!form.coding.empty()) replace_header(res, "Content-Encoding", form.coding);
  if (file.size() == 0) return res.set_content("", form.type);
  const auto size = static_cast<std::size_t>(file.size());
  res.set_content_provider(size, form.type, [from = std::make_shared<os::source_file>(std::move(file))](
                                                std::size_t at, std::size_t length, httplib::DataSink& sink) {
    char piece[64 * 1024];
    const auto got = from->read(at, piece, (std::min)(length, sizeof piece));
    return got && *got != 0 && sink.write(piece, *got);
  });
}

inline void answer_with_file(const request& req, response& res, const std::string& path, const std::string& save_as) {
  auto file = os::source_file::open(path);
  if (!file) {
    if (!os::is_missing(file.error()) && !os::real_folder(path))
      throw std::runtime_error("open '" + path + "': " + os::system_words(file.error()));
    abort(404);
  }
  if (!save_as.empty()) replace_header(res, "Content-Disposition", attachment(save_as));
  answer_with_file(req, res, *std::move(file), {std::string(wire::media_type(path)), {}, {}});
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

#include <cstddef>
#include <exception>
#include <functional>
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

namespace http {

/// Does it stay beside others of its name? Set-Cookie is a line a cookie (RFC 6265 §3), Vary what each layer looked at.
[[nodiscard]] inline bool adds_up(std::string_view name) noexcept {
  return text::equal_nocase(name, "Set-Cookie") || text::equal_nocase(name, "Vary");
}

/// Into an answer that may have headers already: added or in their place, whichever the name asks for.
inline void add_header(response& res, const std::string& name, const std::string& value) {
  if (!adds_up(name)) return replace_header(res, name, value);
  const bool cookie = text::equal_nocase(name, "Set-Cookie");
  // Which of two lines a browser sees last is not ours to say: cpp-httplib keeps no order that it promises. What stays
  // is collected and set again, because its versions differ in which iterators an erase leaves valid.
  std::vector<std::string> others;
  const auto [begin, end] = res.headers.equal_range(name);
  for (auto at = begin; at != end; ++at) {
    if (!(cookie ? wire::same_cookie(at->second, value) : at->second == value)) others.push_back(at->second);
  }
  res.headers.erase(name);
  for (const std::string& other : others) res.set_header(name, other);
  res.set_header(name, value);
}

}  // namespace http

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
  /// Bytes that are written while they are made (http/stream.hpp); `write(stream&)` runs on the request's thread after
  /// the head was sent.
  [[nodiscard]] static reply stream(std::string content_type, std::function<void(winsvc::stream&)> write) {
    reply r;
    r.content_type_ = std::move(content_type);
    r.write_ = std::move(write);
    return r;
  }
  /// Server-sent events (http/stream.hpp).
  [[nodiscard]] static reply events(std::function<void(event_stream&)> write) {
    auto r = stream("text/event-stream", [write = std::move(write)](winsvc::stream& out) {
      const auto* req = http::current_exchange()->req;
      event_stream events(out, req ? req->get_header_value("Last-Event-ID") : std::string());
      write(events);
    });
    // A proxy that collects an answer before it passes it on would keep the events back.
    return std::move(r).header("Cache-Control", "no-store").header("X-Accel-Buffering", "no");
  }
  /// To another place: 302, or 301, 303, 307, 308 (RFC 9110, section 15.4).
  [[nodiscard]] static reply redirect(const std::string& location, int status = 302) {
    return reply(status).header("Location", location);
  }
  /// A file (http/file_answer.hpp): its type by its ending, with conditions and ranges. A relative path begins at the
  /// executable's folder. `save_as`: what a browser saves it as, instead of showing it. 404 where there is none.
  [[nodiscard]] static reply file(std::string path, std::string save_as = {}) {
    reply r;
    r.file_ = std::move(path);
    r.save_as_ = std::move(save_as);
    return r;
  }
  /// Bytes of a type of your own.
  [[nodiscard]] static reply with(std::string body, std::string content_type, int status = 200) {
    reply r(status);
    r.body_ = std::move(body);
    r.content_type_ = std::move(content_type);
    return r;
  }

  /// Sets a header, in the place of one of this name that is there already, a middleware's too. Set-Cookie and Vary are
  /// added to those that are there: each of them says something of its own.
  reply& header(std::string name, std::string value) & {
    for (auto& [known, held] : headers_) {
      if (text::equal_nocase(known, name) && !http::adds_up(name)) {
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
  /// Sets a cookie, in the place of one of the same name, path and domain.
  reply& cookie(const winsvc::cookie& c) & { return header("Set-Cookie", c.text()); }
  reply&& cookie(const winsvc::cookie& c) && { return std::move(cookie(c)); }
  reply& status(int code) & {
    status_ = code;
    return *this;
  }
  reply&& status(int code) && { return std::move(status(code)); }

  /// Writes it into httplib's response.
  void apply(response& res) && {
    res.status = status_;
    for (const auto& [name, value] : headers_) http::add_header(res, name, value);
    if (!file_.empty()) return http::answer_with_file(*http::current_exchange()->req, res, file_, save_as_);
    if (write_) {
      const auto run = [write = std::move(write_)](std::size_t, httplib::DataSink& sink) {
        winsvc::stream out(sink, *http::current_exchange());
        write(out);
        sink.done();
        return true;
      };
      res.set_chunked_content_provider(content_type_, run);
    } else if (!content_type_.empty()) {
      res.set_content(std::move(body_), content_type_);
    }
  }

 private:
  int status_ = 200;
  std::string body_;
  std::string content_type_;
  std::string file_, save_as_;
  std::function<void(winsvc::stream&)> write_;
  std::vector<std::pair<std::string, std::string>> headers_;
};

namespace http {

/// What would have been written while it is made is not, and is cleaned up.
inline void drop_stream(response& res) {
  if (res.content_provider_resource_releaser_) res.content_provider_resource_releaser_(false);
  res.content_provider_resource_releaser_ = nullptr;
  res.content_provider_ = nullptr;
  res.is_chunked_content_provider_ = false;
  res.content_length_ = 0;
  res.headers.erase("Transfer-Encoding");
}

/// Takes back what a handler began to answer with, but for its status and the headers that are not about the body.
inline void drop_body(response& res) {
  drop_stream(res);
  res.body.clear();
  for (const char* name : {"Content-Type", "Content-Length", "Content-Encoding", "Content-Disposition",
                           "ETag", "Last-Modified"})
    res.headers.erase(name);
}

/// An error as application/problem+json (RFC 9457): title from the status, detail for the person.
/// `id`: the request id that the log has, or empty.
inline void write_problem(response& res, int status, std::string_view detail, std::string_view id = {}) {
  text::json_object body;
  body.put_text("title", httplib::status_message(status)).put("status", std::to_string(status));
  body.put_some("detail", detail).put_some("request_id", id);
  drop_body(res);
  res.status = status;
  res.set_content(body.text() + '\n', "application/problem+json");
}

/// Does the client want text, and not JSON? Text is named in Accept, JSON and `*/*` are not.
[[nodiscard]] inline bool asks_for_text(const request& req) {
  const std::string accept = text::lowered(req.get_header_value("Accept"));
  const auto names = [&](std::string_view type) { return accept.find(type) != std::string::npos; };
  return names("text/plain") && !names("json") && !names("*/*");
}

/// The same as a line of text.
inline void write_text_problem(response& res, int status, std::string_view detail, std::string_view id = {}) {
  std::string body = std::to_string(status) + ' ' + httplib::status_message(status);
  if (!detail.empty()) body += ": " + std::string(detail);
  if (!id.empty()) body += " (request " + std::string(id) + ")";
  drop_body(res);
  res.status = status;
  res.set_content(body + "\n", "text/plain; charset=utf-8");
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/json_body.hpp
// =====================================================================================================================

// A request's body as a T, from JSON, and the sentence for one that is none: 415 for what does not say it is JSON, 400
// for what is not JSON (the offset is named), 422 for JSON that is no T (the place in it is named).
//
// The type of the content is asked for because a page of another site can make a browser send any text without asking
// this service first, but not with `application/json` (the Fetch standard's "CORS-safelisted request-header").

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// application/json, text/json, or a type that ends with +json (RFC 6839), whatever its parameters.
[[nodiscard]] bool is_json_type(std::string_view content_type);

/// How deep arrays and objects are nested in this text, if it is JSON.
[[nodiscard]] std::size_t json_depth(std::string_view json) noexcept;

/// Deeper documents are refused: what reads, copies and destroys them calls itself once for each level, and a thread's
/// stack is 1 MiB on Windows.
constexpr std::size_t most_json_depth = 128;

/// The body of this request as a T. Aborts with 415, 400 or 422.
template <class T>
[[nodiscard]] T body_from_json(const request& req);

// ---------------------------------------------------------------------------------------------------------------------

inline bool is_json_type(std::string_view content_type) {
  const std::string type = text::lowered(text::trimmed(content_type.substr(0, content_type.find(';'))));
  return type == "application/json" || type == "text/json" ||
         (type.size() > 5 && type.compare(type.size() - 5, 5, "+json") == 0);
}

inline std::size_t json_depth(std::string_view json) noexcept {
  std::size_t depth = 0, most = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (quoted) {
      if (c == '\\') ++i;
      else if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > most) most = depth;
    } else if ((c == ']' || c == '}') && depth != 0) {
      --depth;
    }
  }
  return most;
}

#if WINSVC_JSON
/// Finds the value that a conversion did not like: nlohmann's exception says its kind, not its place. Each value of
/// that kind is made one of another kind for a moment; where the complaint is then about that other kind, it was the
/// one.
template <class T>
class json_culprit {
 public:
  explicit json_culprit(json& document) : document_(document) {}

  /// As a JSON pointer (RFC 6901) with a colon behind it; "" where it was not found, or is the document itself.
  std::string place_of(const std::string& complaint) {
    constexpr std::string_view tell = "but is ";
    const auto at = complaint.rfind(tell);
    if (at == complaint.npos) return {};
    kind_ = complaint.substr(at + tell.size());
    if (kind_ == "null") other_ = false;
    wanted_ = complaint.substr(0, at + tell.size()) + other_.type_name();
    return find(document_, json::json_pointer()) && !place_.empty() ? place_.to_string() + ": " : std::string();
  }

 private:
  bool find(json& at, const json::json_pointer& place) {
    if (at.type_name() == kind_ && is_it(at)) {
      place_ = place;
      return true;
    }
    if (at.is_object()) {
      for (auto it = at.begin(); it != at.end(); ++it) {
        if (find(it.value(), place / it.key())) return true;
      }
    } else if (at.is_array()) {
      for (std::size_t i = 0; i < at.size(); ++i) {
        if (find(at[i], place / i)) return true;
      }
    }
    return false;
  }
  bool is_it(json& value) {
    if (tries_ == 0) return false;  // a conversion each: a large document is not worth it
    --tries_;
    json kept = other_;
    std::swap(kept, value);
    bool found = false;
    try {
      static_cast<void>(document_.get<T>());
    } catch (const json::exception& e) {
      found = e.what() == wanted_;
    } catch (...) {  // it got further than before: this was not what it stopped at
    }
    std::swap(kept, value);
    return found;
  }

  json& document_;
  json other_ = nullptr;
  std::string kind_, wanted_;
  json::json_pointer place_;
  int tries_ = 64;
};
#endif

template <class T>
T body_from_json([[maybe_unused]] const request& req) {
#if WINSVC_JSON
  if (!is_json_type(req.get_header_value("Content-Type"))) {
    winsvc::abort(415, "the body has to be JSON; send it with 'Content-Type: application/json'");
  }
  if (json_depth(req.body) > most_json_depth) {
    winsvc::abort(400, "the body is JSON that is nested deeper than " + std::to_string(most_json_depth) + " levels");
  }
  json parsed;
  try {
    parsed = json::parse(req.body);
  } catch (const json::parse_error& e) {
    winsvc::abort(400, "the body is not JSON: error at byte " + std::to_string(e.byte));
  } catch (const json::exception&) {  // a number such as 1e999
    winsvc::abort(400, "the body is JSON that cannot be held: a number in it is out of range");
  }
  if constexpr (std::is_same_v<T, json>) {
    return parsed;
  } else {
    const auto refuse = [](std::string_view why) {
      winsvc::abort(422, "the body does not have the expected shape: " + std::string(why));
    };
    try {
      return parsed.get<T>();
    } catch (const json::exception& e) {
      const std::string complaint = e.what();  // "[json.exception.type_error.302] type must be ..."
      const std::string place = json_culprit<T>(parsed).place_of(complaint);
      const auto bracket = complaint.find("] ");
      refuse(place + complaint.substr(bracket == complaint.npos ? 0 : bracket + 2));
    } catch (const std::invalid_argument& e) {  // how a from_json says that a value of the right type will not do
      refuse(e.what());
    }
    throw std::logic_error("refuse returned");
  }
#else
  static_assert(sizeof(T) == 0, "winsvc: body<T> needs nlohmann's json: put <nlohmann/json.hpp> on the include path");
#endif
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/upload.hpp
// =====================================================================================================================

// Files that a request brings, on disk before the handler runs and never in memory whole, however large they are.
//
//   svc.post("/photos", [folder](winsvc::upload form) {
//     auto& photo = form.file("photo");                       // 400 "the file 'photo' is missing"
//     photo.save_to(folder + "/" + photo.file_name());        // what nobody saves is removed
//     return winsvc::reply::redirect("/photos", 303);
//   }).limit_body(200 << 20).limit_file(50 << 20);
//   svc.put("/backups/{name}", [](std::string name, winsvc::upload sent) { sent.body().save_to(…); });
//
// A handler that takes `winsvc::upload` gets the parts of a form (multipart/form-data) that are files as files, and a
// body of any other type as one file. The form's fields are values as ever (web/values.hpp: `winsvc::form<T>(req, …)`).
// It runs when all of it has arrived; middleware before it can refuse it first, which costs no upload.
//
// The limits: the route's `limit_body` for all of it (default: the app's `limits().body_bytes`, 8 MiB), `limit_file`
// for each file (default: none of its own), 1,024 parts, 1 MiB of fields: more is 413. No room on the disk is 507, with
// a line in the log. Files lie in the service's data folder, in `uploads`, which is for the service alone; in debug in
// the same place; in tests, and where there is no data folder, in the system's temporary folder. A file that is not
// saved is removed with the last of its uploaded_file: when the handler returns or throws, when the client leaves. What
// a process that was killed has left there is removed at the next start.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {

/// A file of an upload could not be written or moved: what was being done, to what, and what the system said. One that
/// leaves a handler is a 507 when there is no room, else a 500; the log has its words.
class upload_error : public std::runtime_error {
 public:
  explicit upload_error(const error& e) : std::runtime_error(e.sentence()), code_(e.code) {}
  /// The system's own code.
  [[nodiscard]] std::uint32_t code() const noexcept { return code_; }
  /// Is the disk full, or a quota used up?
  [[nodiscard]] bool no_room() const noexcept { return os::means_full(code_); }

 private:
  std::uint32_t code_;
};

/// One file that has arrived. It can be moved, and so outlive its request. Used by one thread at a time.
class uploaded_file {
 public:
  uploaded_file(uploaded_file&& other) noexcept { *this = std::move(other); }
  uploaded_file& operator=(uploaded_file&& other) noexcept {
    std::swap(name_, other.name_), std::swap(file_name_, other.file_name_);
    std::swap(content_type_, other.content_type_), std::swap(path_, other.path_);
    std::swap(size_, other.size_), std::swap(temporary_, other.temporary_);
    return *this;
  }
  ~uploaded_file() {
    if (temporary_) os::remove_file(path_);
  }

  /// Of the form's field; "" for a file that is the body.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// As the client calls it, made safe (wire/file_name.hpp): never a path, "file" where there is none. Two clients may
  /// choose the same.
  [[nodiscard]] const std::string& file_name() const noexcept { return file_name_; }
  /// What the client says it is: believe it as far as you believe the client.
  [[nodiscard]] const std::string& content_type() const noexcept { return content_type_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// Where it lies now, closed: a temporary place until it is saved.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// Gives it its place, in a folder that is there, and in that of a file which has the name already: whoever reads
  /// sees the old one or the new one, whole. At once in the same volume; from another it is copied beside it first. The
  /// file stays readable by the service alone where files have modes. Throws upload_error, and is still temporary then.
  void save_to(const std::string& path) {
    if (const auto moved = os::move_file(path_, path); !moved)
      throw upload_error({moved.error(), "save the uploaded file as", path, os::system_words(moved.error()), {}});
    path_ = path;
    temporary_ = false;
  }

  /// For who receives it (http/upload_reader.hpp): a file that is about to be made at `path`.
  uploaded_file(std::string name, std::string file_name, std::string content_type, std::string path)
      : name_(std::move(name)),
        file_name_(std::move(file_name)),
        content_type_(content_type.empty() ? "application/octet-stream" : std::move(content_type)),
        path_(std::move(path)) {}
  void made() noexcept { temporary_ = true; }
  void grow(std::uint64_t bytes) noexcept { size_ += bytes; }

 private:
  std::string name_, file_name_, content_type_, path_;
  std::uint64_t size_ = 0;
  bool temporary_ = false;
};

/// What a request brought. A handler takes it by value, as its last argument.
class upload {
 public:
  /// All of them, in the order they were sent.
  [[nodiscard]] std::vector<uploaded_file>& files() noexcept { return files_; }
  [[nodiscard]] const std::vector<uploaded_file>& files() const noexcept { return files_; }

  /// The first file of the form's field with this name; null where there is none, or none was chosen.
  [[nodiscard]] uploaded_file* find_file(std::string_view name) noexcept {
    for (auto& one : files_) {
      if (one.name() == name) return &one;
    }
    return nullptr;
  }
  /// The same, and where there is none, 400 with a sentence.
  [[nodiscard]] uploaded_file& file(const std::string& name) {
    auto* const found = name.empty() ? nullptr : find_file(name);
    if (!found) abort(400, "the file '" + name + "' is missing; it is sent as a part of a multipart/form-data body");
    return *found;
  }
  /// The body as one file, where it was sent as no form. 400 where it was, or was empty.
  [[nodiscard]] uploaded_file& body() {
    auto* const found = find_file({});
    if (!found) abort(400, "the file is missing; it is sent as the body, and not as a form");
    return *found;
  }

 private:
  std::vector<uploaded_file> files_;
};

namespace http {

/// A name for a file that is arriving: whose it is, and unlike all others.
[[nodiscard]] std::string temporary_name();
/// Removes what processes that are gone have left in this folder.
void drop_old_uploads(const std::string& folder) noexcept;

/// The upload of the request that this thread handles, for its handler; empty where no body came.
[[nodiscard]] upload take_upload();
/// Leaves it there.
void leave_upload(exchange& x, upload u);

// ---------------------------------------------------------------------------------------------------------------------

inline constexpr std::string_view upload_prefix = "upload-", upload_ending = ".part";

inline std::string temporary_name() {
  static const std::uint32_t salt = std::random_device{}();
  static std::atomic<std::uint64_t> count{0};  // relaxed: only its uniqueness matters
  char text[64];
  std::snprintf(text, sizeof text, "%lu-%08lx-%llu", static_cast<unsigned long>(os::process_id()),
                static_cast<unsigned long>(salt),
                static_cast<unsigned long long>(count.fetch_add(1, std::memory_order_relaxed) + 1));
  return std::string(upload_prefix) + text + std::string(upload_ending);
}

inline void drop_old_uploads(const std::string& folder) noexcept {
  try {
    const auto names = os::list_files(folder);
    if (!names) return;
    for (const auto& name : *names) {
      if (!text::starts_with(name, upload_prefix)) continue;
      const std::string_view rest = std::string_view(name).substr(upload_prefix.size());
      std::uint64_t owner = 0;
      if (!text::parse_number(rest.substr(0, rest.find('-')), 0xFFFFFFFF, owner)) continue;
      // A file with our own number is of one that had it before us: this is called before the first upload.
      const auto id = static_cast<std::uint32_t>(owner);
      if (id == os::process_id() || !os::process_exists(id)) os::remove_file(os::path_join(folder, name));
    }
  } catch (...) {  // out of memory: they are removed at another start
  }
}

inline const void* upload_key() noexcept {
  static const char one = 0;
  return &one;
}
inline upload take_upload() {
  auto& values = current_exchange()->values;
  const auto found = values.find(upload_key());
  if (found == values.end()) return {};
  const auto held = std::static_pointer_cast<upload>(found->second);
  values.erase(found);
  return std::move(*held);
}
inline void leave_upload(exchange& x, upload u) { x.values[upload_key()] = std::make_shared<upload>(std::move(u)); }

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
// pattern (int, long, long long and their unsigned kin, double, std::string), `body<T>` or `upload` (http/upload.hpp).
// Returns: nothing (the response is as the handler left it), text, json, reply, std::optional<T> (empty is 404),
// std::pair<int, T> (status and value).
//
// A path parameter that does not convert is 404: `/users/{id}` with an int has no `/users/bob`. A body that is not
// JSON is 400, one that is not a T is 422 (RFC 9110, section 15.5.21), one that does not say it is JSON is 415.

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
  bool takes_response = false;
  bool takes_body = false;
  bool takes_upload = false;
  const route::value_kind* kinds = nullptr;  ///< of the path parameters, so many
  route::answer_kind answers = route::answer_kind::unknown;
  bool may_be_missing = false;  ///< it returns an optional
  bool chooses_status = false;  ///< by a pair or a reply
};

template <class T>
struct is_body : std::false_type {};
template <class T>
struct is_body<body<T>> : std::true_type {};

enum class argument_kind { request, response, parameter, body, upload, unsupported };

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
  } else if constexpr (std::is_same_v<plain, winsvc::upload>) {
    return mutable_reference ? argument_kind::unsupported : argument_kind::upload;
  } else if constexpr (std::is_same_v<plain, bool> || std::is_same_v<plain, char>) {
    return argument_kind::unsupported;
  } else if constexpr (std::is_integral_v<plain> || std::is_same_v<plain, double> ||
                       std::is_same_v<plain, std::string>) {
    return mutable_reference ? argument_kind::unsupported : argument_kind::parameter;
  } else {
    return argument_kind::unsupported;
  }
}

/// Request before response before parameters before a body of either kind, nothing twice but parameters.
template <class... Arguments>
constexpr bool in_order() noexcept {
  argument_kind last = argument_kind::request;
  bool first = true, ok = true;
  [[maybe_unused]] const auto next = [&](argument_kind k) {
    if (!first && (k < last || last >= argument_kind::body || (k == last && k != argument_kind::parameter))) ok = false;
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
  if (!value) winsvc::abort(404);
  write_result(res, std::move(*value));
}
template <class T>
void write_result(response& res, std::pair<int, T>&& value) {
  write_result(res, std::move(value.second));
  res.status = value.first;
}

/// What a return type says of the answer.
template <class R>
struct answer_of {
  static constexpr bool optional = false, chooses = std::is_same_v<R, reply>;
  static constexpr auto kind = std::is_void_v<R> || chooses ? route::answer_kind::unknown
                               : is_nlohmann<R>::value      ? route::answer_kind::json
                                                            : route::answer_kind::text;
};
template <class T>
struct answer_of<std::optional<T>> : answer_of<T> {
  static constexpr bool optional = true;
};
template <class T>
struct answer_of<std::pair<int, T>> : answer_of<T> {
  static constexpr bool chooses = true;
};

/// Everything about a handler that follows from its signature: made once for all lambdas that have the same one, for it
/// is most of what a route costs to compile.
template <class R, class... Arguments>
class signature {
  static_assert(
      ((kind_of<Arguments>() != argument_kind::unsupported) && ...),
      "winsvc: a handler takes const request&, response&, path parameters (integers, double, std::string) and "
      "body<T> or upload, by value or const reference");
  static_assert(
      in_order<Arguments...>(),
      "winsvc: a handler takes its arguments in this order: const request&, response&, path parameters, body<T> or "
      "upload");

 public:
  /// Calls the lambda at `f`.
  using entrance = R (*)(const void* f, Arguments...);

  static constexpr handler_shape shape() noexcept {
    handler_shape s;
    s.parameters = (std::size_t{0} + ... + (kind_of<Arguments>() == argument_kind::parameter ? 1 : 0));
    s.takes_request = ((kind_of<Arguments>() == argument_kind::request) || ...);
    s.takes_response = ((kind_of<Arguments>() == argument_kind::response) || ...);
    s.takes_body = ((kind_of<Arguments>() == argument_kind::body) || ...);
    s.takes_upload = ((kind_of<Arguments>() == argument_kind::upload) || ...);
    // Parameters are together, behind the request and the response.
    s.kinds = kinds_ + (s.takes_request ? 1 : 0) + (s.takes_response ? 1 : 0);
    using answer = answer_of<std::remove_cv_t<std::remove_reference_t<R>>>;
    s.answers = answer::kind;
    s.may_be_missing = answer::optional;
    s.chooses_status = answer::chooses;
    return s;
  }

  static void call(const invocation& with, const void* f, entrance enter) {
    call(with, f, enter, std::index_sequence_for<Arguments...>());
  }

 private:
  template <class A>
  using plain = std::remove_cv_t<std::remove_reference_t<A>>;
  static constexpr route::value_kind kinds_[] = {route::kind_of_value<plain<Arguments>>()..., route::value_kind::text};
  /// What an argument is kept in between its conversion and the call.
  template <class A>
  using held =
      std::conditional_t<kind_of<A>() == argument_kind::parameter || kind_of<A>() == argument_kind::upload, plain<A>,
                         std::conditional_t<kind_of<A>() == argument_kind::body, std::optional<plain<A>>, char>>;

  template <std::size_t... I>
  static void call(const invocation& with, const void* f, entrance enter, std::index_sequence<I...>) {
    std::tuple<held<Arguments>...> values;
    [[maybe_unused]] std::size_t next = 0;
    if (!(load<Arguments>(with, std::get<I>(values), next) && ...)) winsvc::abort(404);
    if constexpr (std::is_void_v<R>) {
      enter(f, pass<Arguments>(with, std::get<I>(values))...);
    } else {
      write_result(with.res, enter(f, pass<Arguments>(with, std::get<I>(values))...));
    }
  }

  template <class A>
  static bool load(const invocation& with, held<A>& into, std::size_t& next) {
    if constexpr (kind_of<A>() == argument_kind::parameter) {
      return next < with.values.size() && convert(with.values[next++], into);
    } else if constexpr (kind_of<A>() == argument_kind::body) {
      into.emplace(
          plain<A>{body_from_json<std::remove_reference_t<decltype(*std::declval<plain<A>&>())>>(with.req)});
    } else if constexpr (kind_of<A>() == argument_kind::upload) {
      into = take_upload();
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
};

/// What is left for each lambda.
template <class F, class R, class... Arguments>
class bound_handler final : public handler {
 public:
  explicit bound_handler(F f) : f_(std::move(f)) {}
  static constexpr handler_shape shape() noexcept { return signature<R, Arguments...>::shape(); }
  void call(const invocation& with) const override { signature<R, Arguments...>::call(with, &f_, &enter); }

 private:
  static R enter(const void* f, Arguments... arguments) {
    return (*static_cast<const F*>(f))(std::forward<Arguments>(arguments)...);
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

/// A lambda with its type forgotten, and its shape.
struct made_handler {
  std::unique_ptr<handler> call;
  handler_shape shape;
};
template <class F>
made_handler make_handler(F f) {
  using bound = typename bind_handler<F>::type;
  return {std::unique_ptr<handler>(new bound(std::move(f))), bound::shape()};
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/websocket.hpp
// =====================================================================================================================

// WebSockets: a route whose handler talks with a page for as long as both like.
//
//   svc.websocket("/chat/{room}", [](winsvc::websocket& ws, std::string room) {
//     while (auto message = ws.receive()) ws.send(room + ": " + message->data);
//   });
//
// Middleware runs before, as for any GET, and can refuse; what it sets goes with the 101. The handler has the
// connection's thread to itself while it lasts, up to `limits().websockets` of them, beyond which there is 503.
// `receive` answers pings, sends them to a client that is silent, and ends when the client leaves, when it broke the
// protocol, and when the service stops: return then. The closing handshake is done for the handler, with 1000, with
// 1001 when the service stops, with 1011 when it threw, with 1008 when it called abort.
//
// cpp-httplib writes the 101 and no more. Its own WebSockets (0.41 to 0.53) close a connection over a frame header that
// came in two packets, send no close code for what was wrong, and give each connection a second thread for pings; so
// the frames are ours (wire/websocket.hpp).
// Source: RFC 6455. No extensions, so no compression.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {

struct websocket_options {
  /// Pages of which other sites may connect: `https://host[:port]` each, or "*". The service's own may, and programs,
  /// which send no Origin. Behind a proxy that asks under another Host, the name that browsers see goes here.
  std::vector<std::string> origins;
  /// Subprotocols the handler speaks, the best first; see websocket::protocol.
  std::vector<std::string> protocols;
};

namespace http {
class websocket_session;
}

/// A handle: copies are the same connection. Keep them where you like; once the handler has returned, they are closed.
class websocket {
 public:
  struct message {
    std::string data;
    bool binary = false;  ///< otherwise UTF-8, checked
  };

  /// The next message; nothing when there will be none. On the handler's thread.
  [[nodiscard]] std::optional<message> receive() const;
  /// Nothing too when none came in that time; `is_open` tells which.
  [[nodiscard]] std::optional<message> receive(std::chrono::milliseconds limit) const;

  // From any thread.

  /// False when there is nobody to send to any more. Waits while a client takes nothing, and cuts it off after
  /// `limits().write_time`. Throws std::invalid_argument for what is not UTF-8.
  bool send(std::string_view text) const;
  bool send(const message& m) const { return m.binary ? send_binary(m.data) : send(m.data); }
  bool send_binary(std::string_view bytes) const;
  /// JSON, as text.
  template <class Json, std::enable_if_t<http::is_nlohmann<Json>::value, int> = 0>
  bool send(const Json& value) const {
    return send(value.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  /// Says goodbye; `receive` ends, the client's answer is waited for behind the handler. Throws std::invalid_argument
  /// for a code that must not be sent: 1000 to 1003, 1007 to 1014 and 3000 to 4999 may.
  void close(int code = wire::close_code::normal, std::string_view reason = {}) const;
  /// Is there a reason to go on: a client, and a service that does not stop?
  [[nodiscard]] bool is_open() const noexcept;

  /// What the client closed with: 1005 without a code, 1006 when it just went; 0 while it has not.
  [[nodiscard]] int close_code() const noexcept;
  /// The request that it began as.
  [[nodiscard]] const winsvc::request& request() const noexcept;
  /// Of the request, as the log has it.
  [[nodiscard]] const std::string& id() const noexcept;
  /// The subprotocol that was agreed on, or "".
  [[nodiscard]] const std::string& protocol() const noexcept;

  friend bool operator==(const websocket& a, const websocket& b) noexcept { return a.session_ == b.session_; }
  friend bool operator!=(const websocket& a, const websocket& b) noexcept { return a.session_ != b.session_; }

  explicit websocket(std::shared_ptr<http::websocket_session> s) noexcept : session_(std::move(s)) {}

 private:
  std::shared_ptr<http::websocket_session> session_;
};

// ---------------------------------------------------------------------------------------------------------------------

namespace http {

class websocket_session {
 public:
  using steady = std::chrono::steady_clock;
  static constexpr const char* stopping = "the service stops";

  websocket_session(exchange& x, const request& req, std::string_view protocol)
      : wire_(&x.stream.wire()),
        buffer_(x.stream.buffer()),
        bounds_(x.stream.bounds()),
        draining_(&x.draining),
        frames_(bounds_.websocket_message_bytes),
        heard_(steady::now()),
        req_(req),
        id_(x.id),
        protocol_(protocol) {
    req_.is_connection_closed = [this] { return !is_open(); };
  }

  std::optional<websocket::message> receive(steady::time_point until);
  bool send(wire::opcode what, std::string_view payload);
  void close(int code, std::string_view reason);
  [[nodiscard]] bool is_open() const noexcept;
  /// Behind the handler: says goodbye if nobody has, and waits for the client's. No copy reaches the wire after it.
  void finish(int code, std::string_view reason);

  [[nodiscard]] int peer_code() const noexcept { return peer_code_.load(); }
  [[nodiscard]] const request& req() const noexcept { return req_; }
  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] const std::string& protocol() const noexcept { return protocol_; }

 private:
  using event = wire::frame_decoder::event;
  event next_event();
  os::transfer more(std::chrono::milliseconds limit, bool wakes_for_drain);
  [[nodiscard]] bool wait(steady::time_point until);
  bool put(wire::opcode what, std::string_view payload);
  void send_close(int code, std::string_view reason);
  void lost() noexcept;

  // Held over a send, which may take its time: frames of several threads must not mix, and none may follow a Close.
  mutable std::mutex mutex_;
  transport* wire_;  // null: the connection is not ours any more
  std::atomic<bool> close_sent_{false}, broken_{false};  // written under mutex_ or by the reader, read by anybody

  // Of the handler's thread.
  receive_buffer& buffer_;
  const wire::limits& bounds_;
  const std::atomic<bool>* draining_;
  wire::frame_decoder frames_;
  steady::time_point heard_, pinged_at_;
  steady::duration waited_{0};  ///< for the message that has begun, in all
  bool pinged_ = false, was_pending_ = false;

  std::atomic<int> peer_code_{0};
  request req_;
  std::string id_, protocol_;
};

/// One frame to the wire; under mutex_.
inline bool websocket_session::put(wire::opcode what, std::string_view payload) {
  if (!wire_ || close_sent_.load() || broken_.load()) return false;
  const std::string bytes = wire::frame(what, payload);
  if (wire_->send(bytes.data(), bytes.size(), bounds_.write_time) == os::transfer::done) return true;
  broken_.store(true);
  wire_->cut();  // it may hold half a frame; and whoever waits to receive shall know
  return false;
}

inline void websocket_session::send_close(int code, std::string_view reason) {
  const std::lock_guard lock(mutex_);
  const bool empty = code == wire::close_code::none;
  static_cast<void>(put(wire::opcode::close, empty ? std::string() : wire::close_payload(code, reason)));
  close_sent_.store(true);
}

inline bool websocket_session::send(wire::opcode what, std::string_view payload) {
  const std::lock_guard lock(mutex_);
  return wire_ && !draining_->load() && peer_code_.load() == 0 && put(what, payload);
}

inline void websocket_session::close(int code, std::string_view reason) {
  if (!wire::is_close_code(code))
    throw std::invalid_argument("websocket: close code " + std::to_string(code) + " must not be sent (RFC 6455, 7.4)");
  send_close(code, reason);
}

inline bool websocket_session::is_open() const noexcept {
  if (close_sent_.load() || broken_.load() || peer_code_.load() != 0) return false;
  // Not waited for: a reader must not stand behind a sender whose client takes nothing. Whoever holds it has the wire.
  const std::unique_lock lock(mutex_, std::try_to_lock);
  return !lock || (wire_ && !draining_->load());
}

/// The client went without a goodbye.
inline void websocket_session::lost() noexcept {
  constexpr int abnormal = 1006;
  int none = 0;
  peer_code_.compare_exchange_strong(none, abnormal);
  broken_.store(true);
}

/// What the bytes say that are here; answers what needs no handler.
inline websocket_session::event websocket_session::next_event() {
  for (;;) {
    std::size_t used = 0;
    const auto what = frames_.feed(buffer_.rest(), used);
    buffer_.consume(used);
    const bool pending = frames_.pending();
    if (!was_pending_) waited_ = steady::duration(0);
    was_pending_ = pending && what != event::message;
    switch (what) {
      case event::ping: {
        const std::lock_guard lock(mutex_);
        static_cast<void>(put(wire::opcode::pong, frames_.payload()));
        continue;
      }
      case event::pong: continue;
      case event::close:
        peer_code_.store(frames_.code());
        send_close(frames_.code(), frames_.payload());
        return what;
      case event::wrong:
        send_close(frames_.code(), frames_.reason());
        lost();
        return what;
      default: return what;
    }
  }
}

inline os::transfer websocket_session::more(std::chrono::milliseconds limit, bool wakes_for_drain) {
  char piece[16 * 1024];
  std::size_t got = 0;
  limit = (std::max)(limit, std::chrono::milliseconds(0));
  const auto what = wakes_for_drain ? wire_->receive_idle(piece, sizeof piece, got, limit)
                                    : wire_->receive(piece, sizeof piece, got, limit);
  if (what == os::transfer::done) {
    buffer_.bytes.append(piece, got);
    heard_ = steady::now();
    pinged_ = false;
  } else if (what != os::transfer::timed_out) {
    lost();
  }
  return what;
}

/// Waits for bytes, and does what a clock asks for meanwhile. False: none came.
inline bool websocket_session::wait(steady::time_point until) {
  const auto began = steady::now();
  // A message has its time as a whole, as a body has: neither a byte now and then nor empty fragments keep it alive.
  auto late = (steady::time_point::max)();
  if (was_pending_) late = began + (bounds_.time_for_body(frames_.received()) - waited_);
  if (began >= late) {
    send_close(wire::close_code::policy, "the message did not arrive in time");
    lost();
    return false;
  }
  const auto alive = pinged_ ? pinged_at_ + bounds_.websocket_pong : heard_ + bounds_.websocket_ping;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>((std::min)({until, late, alive}) - began);
  const auto what = more(left + std::chrono::milliseconds(1), true);  // rounded up: no turns of no time
  const auto now = steady::now();
  waited_ += now - began;
  if (what != os::transfer::timed_out) return what == os::transfer::done;

  if (now >= alive && pinged_) {
    lost();
  } else if (now >= alive) {
    pinged_ = true;
    pinged_at_ = now;
    const std::lock_guard lock(mutex_);
    static_cast<void>(put(wire::opcode::ping, {}));
  }
  return false;
}

inline std::optional<websocket::message> websocket_session::receive(steady::time_point until) {
  for (;;) {
    // A drain ends the wait below: the goodbye leaves here and now, not when the handler is done.
    if (draining_->load()) send_close(wire::close_code::going_away, stopping);
    if (!is_open()) return std::nullopt;
    const auto what = next_event();
    if (what == event::message) return websocket::message{frames_.take_message(), frames_.is_binary()};
    if (what == event::more && !wait(until) && steady::now() >= until) return std::nullopt;
  }
}

inline void websocket_session::finish(int code, std::string_view reason) {
  const scope_exit over([this]() noexcept {
    const std::lock_guard lock(mutex_);
    wire_ = nullptr;
  });
  send_close(code, reason);
  const auto until = steady::now() + bounds_.websocket_close;
  while (peer_code_.load() == 0 && !broken_.load()) {
    const auto what = next_event();
    if (what == event::message) static_cast<void>(frames_.take_message());  // sent before the client saw our Close
    if (what != event::more) continue;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - steady::now());
    if (left.count() <= 0 || more(left, false) != os::transfer::done) return;
  }
}

/// One WebSocket among those that an engine may have open.
class websocket_place {
 public:
  explicit websocket_place(std::atomic<std::size_t>& open) noexcept : open_(open) { ++open_; }
  ~websocket_place() { --open_; }
  websocket_place(const websocket_place&) = delete;
  websocket_place& operator=(const websocket_place&) = delete;

 private:
  std::atomic<std::size_t>& open_;
};

/// Serves a connection that has been told 101.
inline void serve_websocket(exchange& x, const std::shared_ptr<websocket_session>& session, logger& log,
                            const std::function<void(websocket&)>& handler) {
  int code = wire::close_code::normal;
  std::string reason;
  const auto failed = [&](const std::string& words) {
    log.error("request " + x.id + ": " + std::string(x.head.path) + ": websocket handler of " + std::string(x.pattern) +
              " threw: " + words);
    code = wire::close_code::internal_error;
    reason = "the handler failed; the log has the reason under " + x.id;
  };
  x.req = &session->req();  // for winsvc::context
  current_exchange() = &x;
  try {
    websocket ws(session);
    handler(ws);
    if (x.draining.load()) code = wire::close_code::going_away, reason = websocket_session::stopping;
  } catch (const abort_error& e) {
    code = wire::close_code::policy, reason = e.what();
  } catch (const std::exception& e) {
    failed(e.what());
  } catch (...) {
    failed("something that is no std::exception");
  }
  current_exchange() = nullptr;
  session->finish(code, reason);
  if (log.wants(log_level::debug))
    log.debug("request " + x.id + ": websocket over, client's close code " + std::to_string(session->peer_code()));
}

/// Answers the handshake: 101 into the response, and what follows it into the exchange; or leaves with a refusal.
inline void accept_websocket(const invocation& with, const websocket_options& options,
                             std::function<void(websocket&)> handler) {
  exchange& x = *current_exchange();
  const auto asked = wire::judge_handshake(x.head, options.protocols, options.origins);
  if (asked.status == 426) {  // RFC 9110 §15.5.22, RFC 6455 §4.4
    replace_header(with.res, "Upgrade", "websocket");
    replace_header(with.res, "Sec-WebSocket-Version", "13");
  }
  if (asked.status != 101) abort(asked.status, std::string(asked.reason));
  if (!x.websockets) abort(501, "there are no WebSockets here");

  auto place = std::make_shared<websocket_place>(*x.websockets);
  if (x.draining.load() || x.websockets->load() > x.stream.bounds().websockets) {
    replace_header(with.res, "Retry-After", "10");
    abort(503, x.draining.load() ? websocket_session::stopping : "too many WebSockets are open");
  }
  with.res.status = 101;
  replace_header(with.res, "Upgrade", "websocket");
  // RFC 6455 §4.2.2. Not cpp-httplib's own function: its base64 of 0.41 shifts negative numbers.
  const std::string proof = std::string(asked.key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  replace_header(with.res, "Sec-WebSocket-Accept", text::to_base64(httplib::detail::sha1(proof)));
  if (!asked.protocol.empty())
    replace_header(with.res, "Sec-WebSocket-Protocol", std::string(asked.protocol));
  auto session = std::make_shared<websocket_session>(x, with.req, asked.protocol);
  x.upgraded = [&x, session, place, handler = std::move(handler)](logger& log) {
    serve_websocket(x, session, log, handler);
  };
}

/// A handler with its options, on its way to the router.
template <class F>
struct websocket_route {
  F handler;
  websocket_options options;
};

template <class F, class First, class... Parameters>
class websocket_handler final : public handler {
  static_assert(std::is_same_v<std::remove_cv_t<std::remove_reference_t<First>>, websocket> &&
                    ((kind_of<Parameters>() == argument_kind::parameter) && ...),
                "winsvc: a websocket handler takes winsvc::websocket& and the path parameters (integers, double, "
                "std::string)");

 public:
  explicit websocket_handler(websocket_route<F> of) : f_(std::move(of.handler)), options_(std::move(of.options)) {}

  static constexpr handler_shape shape() noexcept {
    handler_shape s;
    s.parameters = sizeof...(Parameters);
    s.kinds = kinds_;
    s.chooses_status = true;
    return s;
  }

  void call(const invocation& with) const override { call(with, std::index_sequence_for<Parameters...>()); }

 private:
  template <class A>
  using plain = std::remove_cv_t<std::remove_reference_t<A>>;
  static constexpr route::value_kind kinds_[] = {route::kind_of_value<plain<Parameters>>()..., route::value_kind::text};

  template <std::size_t... I>
  void call(const invocation& with, std::index_sequence<I...>) const {
    std::tuple<plain<Parameters>...> values;
    if (!(convert(with.values[I], std::get<I>(values)) && ...)) winsvc::abort(404);
    accept_websocket(with, options_, [this, values](websocket& ws) {
      std::apply([&](const auto&... value) { f_(ws, value...); }, values);
    });
  }

  F f_;
  websocket_options options_;
};

template <class F, class Bound>
struct bind_websocket {
  static_assert(sizeof(F) == 0, "winsvc: a websocket handler takes winsvc::websocket& first, then the path parameters");
};
template <class F, class R, class First, class... A>
struct bind_websocket<F, bound_handler<F, R, First, A...>> {
  static_assert(std::is_void_v<R>, "winsvc: a websocket handler returns nothing: it sends");
  using type = websocket_handler<F, First, A...>;
};
template <class F>
struct bind_handler<websocket_route<F>, void> : bind_websocket<F, typename bind_handler<F>::type> {};

}  // namespace http

inline std::optional<websocket::message> websocket::receive() const {
  return session_->receive((http::websocket_session::steady::time_point::max)());
}
inline std::optional<websocket::message> websocket::receive(std::chrono::milliseconds limit) const {
  return session_->receive(http::websocket_session::steady::now() + limit);
}
inline bool websocket::send(std::string_view text) const {
  if (!wire::is_utf8(text))
    throw std::invalid_argument("websocket: a text message is UTF-8; send_binary takes any bytes");
  return session_->send(wire::opcode::text, text);
}
inline bool websocket::send_binary(std::string_view bytes) const { return session_->send(wire::opcode::binary, bytes); }
inline void websocket::close(int code, std::string_view reason) const { session_->close(code, reason); }
inline bool websocket::is_open() const noexcept { return session_->is_open(); }
inline int websocket::close_code() const noexcept { return session_->peer_code(); }
inline const winsvc::request& websocket::request() const noexcept { return session_->req(); }
inline const std::string& websocket::id() const noexcept { return session_->id(); }
inline const std::string& websocket::protocol() const noexcept { return session_->protocol(); }

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/middleware.hpp
// =====================================================================================================================

// What runs around handlers: one shape for all of it.
//
//   svc.use([](const winsvc::request& req, winsvc::response& res, const winsvc::next& next) {
//     const auto began = std::chrono::steady_clock::now();
//     next();                                   // the rest of the chain, and the handler
//     res.set_header("Server-Timing", …);       // what it answered can be read and changed here
//   });
//
// A middleware that does not call `next` has answered itself. One that calls it sees a finished answer afterwards, that
// of an exception or an abort behind it included. It runs before the body of the request is read, so that a refusal
// costs no upload; the body is there when the handler is. Middlewares run in the order of their registration, the app's
// before a group's, on the request's thread, many at once.

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {

/// The rest of the chain. Call it at most once; valid during the middleware's call only.
class next {
 public:
  void operator()() const { go_(); }
  explicit next(const std::function<void()>& go) noexcept : go_(go) {}

 private:
  const std::function<void()>& go_;
};

using middleware = std::function<void(const request&, response&, const next&)>;

namespace http {

/// Middlewares in their order. Shared, because many routes have the same.
using chain = std::vector<std::shared_ptr<const middleware>>;

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/errors.hpp
// =====================================================================================================================

// What an error looks like to the client, where the app wants to say it itself: by status, by type of exception.
//
//   svc.on_error(404, [](const winsvc::request& req, winsvc::response& res) { res.set_content(…); });
//   svc.on_exception<no_such_user>([](const no_such_user& e) { return winsvc::reply::text(e.what(), 404); });
//
// `on_error` is for answers that winsvc gives (no route, 405, abort, 413, 500 …), not for a status that a handler
// returned on its own. The status stays what it was unless the function changes it.

#include <exception>
#include <functional>
#include <map>
#include <type_traits>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

using error_page = std::function<void(const request&, response&)>;
/// True: it was of the type, and is answered.
using exception_page = std::function<bool(std::exception_ptr, const request&, response&)>;

struct error_pages {
  std::map<int, error_page> by_status;
  std::vector<exception_page> by_exception;  ///< the first that knows the type answers

  /// Lets the exception's page answer; false where there is none.
  bool answer(const std::exception_ptr& thrown, const request& req, response& res) const {
    for (const auto& page : by_exception) {
      if (page(thrown, req, res)) return true;
    }
    return false;
  }
  /// Lets the status' page answer.
  void answer(const request& req, response& res) const {
    const auto page = by_status.find(res.status);
    if (page != by_status.end()) page->second(req, res);
  }
};

template <class E, class F>
exception_page make_exception_page(F f) {
  constexpr bool whole = std::is_invocable_v<const F&, const E&, const request&, response&>;
  static_assert(whole || std::is_invocable_v<const F&, const E&>,
                "winsvc: on_exception<E> takes a callable with const E&, or with const E&, const request&, response&");
  return [f = std::move(f)](const std::exception_ptr& thrown, const request& req, response& res) {
    try {
      std::rethrow_exception(thrown);
    } catch (const E& e) {
      if constexpr (whole) {
        f(e, req, res);
      } else {
        using returned = std::invoke_result_t<const F&, const E&>;
        if constexpr (std::is_void_v<returned>) {
          f(e);
          res.status = 500;
        } else {
          write_result(res, f(e));
        }
      }
      return true;
    } catch (...) {
      return false;
    }
  };
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

#include <algorithm>
#include <cstddef>
#include <cstdint>
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
  /// `links`: the middleware around it. Returns the route's id.
  template <class F>
  std::size_t add(route::method verb, std::string_view pattern, F f, source where,
                  std::shared_ptr<const chain> links = std::make_shared<chain>()) {
    return add(verb, pattern, make_handler(std::move(f)), where, std::move(links));
  }
  std::size_t add(route::method verb, std::string_view pattern, made_handler made, source where,
                  std::shared_ptr<const chain> links);

  /// The app's own middleware, for what no route serves. Throws setup_error after start.
  void outer(std::shared_ptr<const chain> links, source where);
  /// The middleware around whatever answers this match: the route's, or the app's where there is none. An OPTIONS that
  /// has no route runs through that of the path's other methods: CORS in a group has to see what a browser asks first.
  [[nodiscard]] const chain& around(const route::match_result& m, route::method verb) const noexcept {
    if (m.what == route::outcome::found) return *handlers_[m.id].links;
    const bool asks_first = m.what == route::outcome::method_not_allowed && verb == route::method::options;
    return asks_first && m.beside ? *handlers_[*m.beside].links : *outer_;
  }
  error_pages pages;          ///< filled before start
  std::string upload_folder;  ///< set before start; "": the system's temporary one

  /// A folder that is served, for who looks at start whether it is there.
  struct folder_entry {
    std::string prefix, folder;
    source where;
  };
  std::vector<folder_entry> folders;

  [[nodiscard]] const route::table& routes() const noexcept { return table_; }
  /// The routes, to say `what` of the one with this id. Throws setup_error after start.
  [[nodiscard]] route::table& describe(std::size_t id, std::string_view what);
  /// Is there a route of exactly this pattern text?
  [[nodiscard]] bool has(std::string_view pattern) const noexcept;
  void freeze() noexcept { frozen_ = true; }
  /// The route added last answers while the service is paused, as liveness must, and is not the app's own.
  void keep_while_paused() noexcept {
    handlers_.back().while_paused = true;
    table_.about(handlers_.size() - 1).hidden = true;
  }
  [[nodiscard]] bool serves_paused(const route::match_result& m) const noexcept {
    return m.what == route::outcome::found && handlers_[m.id].while_paused;
  }

  /// The most bytes of a body: the route's own limit, or the app's.
  [[nodiscard]] std::uint64_t body_limit(const route::match_result& m, std::uint64_t of_app) const noexcept {
    return m.what == route::outcome::found ? entry(m.id).about.body_limit.value_or(of_app) : of_app;
  }

  /// Does any route take uploads?
  [[nodiscard]] bool takes_uploads() const noexcept {
    const auto& all = table_.entries();
    return std::any_of(all.begin(), all.end(), [](const route::entry& e) { return e.about.takes_upload; });
  }

  /// Calls the handler of a match. Whatever it throws passes through.
  void call(const route::match_result& match, request& req, response& res) const;

  [[nodiscard]] const route::entry& entry(std::size_t id) const noexcept { return table_.entries()[id]; }

 private:
  struct held {
    std::unique_ptr<handler> call;
    bool wants_names;
    std::shared_ptr<const chain> links;
    bool while_paused = false;
  };
  route::table table_;
  std::vector<held> handlers_;  // by id, which is the order of registration
  std::shared_ptr<const chain> outer_ = std::make_shared<chain>();
  bool frozen_ = false;
};

// ---------------------------------------------------------------------------------------------------------------------

inline bool router::has(std::string_view pattern) const noexcept {
  for (const auto& e : table_.entries()) {
    if (e.path.text == pattern) return true;
  }
  return false;
}

inline void router::outer(std::shared_ptr<const chain> links, source where) {
  if (frozen_) {
    throw setup_error("use (" + where.text() +
                      "): the service has started; add middleware in the app, not in a handler or hook");
  }
  outer_ = std::move(links);
}

inline route::table& router::describe(std::size_t id, std::string_view what) {
  if (frozen_) {
    throw setup_error("route " + entry(id).text() + ": " + std::string(what) +
                      ": the service has started; describe routes in the app, not in a handler or hook");
  }
  return table_;
}

inline std::size_t router::add(route::method verb, std::string_view pattern, made_handler made, source where,
                               std::shared_ptr<const chain> links) {
  const handler_shape& shape = made.shape;
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
  const std::size_t id = handlers_.size();
  table_.add(verb, pattern, id, where);
  handlers_.push_back({std::move(made.call), shape.takes_request, std::move(links)});

  auto& about = table_.about(id);
  about.parameters.assign(shape.kinds, shape.kinds + shape.parameters);
  about.takes_json = shape.takes_body;
  about.takes_upload = shape.takes_upload;
  about.answers = shape.answers;
  about.may_be_missing = shape.may_be_missing;
  about.chooses_status = shape.chooses_status || shape.takes_response;
  return id;
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
// http/route_handle.hpp
// =====================================================================================================================

// A route that was registered, at hand for what else there is to say of it.
//
//   svc.get("/users", list).name("users").summary("All users").query("page", "which page", 1).tag("users");
//   svc.put("/users/{id}", change).limit_body(4096).returns(200, "The user as it is now").returns(201, "It is new");
//
//   const auto todo = svc.resource<todo_item>("/todos/{id}").name("todo").tag("todos");     // of all its methods
//   todo.on(winsvc::route::method::get).summary("One to-do");                                // of one
//
// `limit_body` and `time_out` change what the route does, `name` serves url_for, all else describes it: the OpenAPI
// document shows it (web/openapi.hpp), nothing checks that the handler keeps it. A handle is a light value; it is of
// use while the app is described, and throws setup_error afterwards.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {

class route_handle {
 public:
  /// The routes with ids from `first` up to `last`; they have one pattern.
  route_handle(http::router& of, std::size_t first, std::size_t last) noexcept
      : router_(&of), first_(first), last_(last) {}

  /// For url_for, `routes` and the description. Unique; the routes of one resource share theirs.
  route_handle name(std::string text) const {
    router_->describe(first_, "name").name_routes(first_, last_, std::move(text));
    return *this;
  }
  /// The most bytes of a body, in place of the app's `limits().body_bytes`: less, or more. A larger one gets 413; where
  /// it says its length, before it is read.
  route_handle limit_body(std::uint64_t bytes) const {
    return say("limit_body", [&](route::facts& f) { f.body_limit = bytes; });
  }
  /// How long its handler may take, from the body's end until it returns; no limit is the default. A client whose
  /// handler takes longer gets 503 and the connection ends. The handler itself goes on, for nothing can end a thread
  /// that is in it; it may ask `winsvc::context(req).timed_out()` between two steps. A stream is written after the
  /// handler, and has no limit.
  route_handle time_out(std::chrono::milliseconds limit) const {
    if (limit.count() <= 0)
      throw setup_error("route " + router_->entry(first_).text() + ": time_out: a handler needs some time");
    return say("time_out", [&](route::facts& f) { f.time_limit = limit; });
  }

  /// The most bytes of each file of an upload (http/upload.hpp); a larger one gets 413. Default: that of the body.
  route_handle limit_file(std::uint64_t bytes) const {
    return say("limit_file", [&](route::facts& f) { f.file_limit = bytes; });
  }

  /// One line.
  route_handle summary(const std::string& text) const {
    return say("summary", [&](route::facts& f) { f.summary = text; });
  }
  /// As much as there is to say; Markdown.
  route_handle description(const std::string& text) const {
    return say("description", [&](route::facts& f) { f.description = text; });
  }
  /// What it belongs to. Any number.
  route_handle tag(const std::string& text) const {
    return say("tag", [&](route::facts& f) { f.tags.push_back(text); });
  }
  route_handle deprecated() const {
    return say("deprecated", [](route::facts& f) { f.deprecated = true; });
  }
  /// Not in the description.
  route_handle hidden() const {
    return say("hidden", [](route::facts& f) { f.hidden = true; });
  }

  /// What its handler reads from the query, spelled as it reads it (web/values.hpp): without a default it is required.
  template <class T>
  route_handle query(const std::string& name, const std::string& about) const {
    return add_query({name, about, route::kind_of_value<T>(), true, {}});
  }
  template <class T>
  route_handle query(const std::string& name, const std::string& about, const T& otherwise) const {
    constexpr bool is_text = !std::is_arithmetic_v<T>;
    constexpr auto kind = is_text ? route::value_kind::text : route::kind_of_value<T>();
    const std::string value = url_value(otherwise).text();
    return add_query({name, about, kind, false, is_text ? text::json_quoted(value) : value});
  }
  template <class T>
  route_handle find_query(const std::string& name, const std::string& about) const {
    return add_query({name, about, route::kind_of_value<T>(), false, {}});
  }

  /// The body of the request. A handler with body<T> is known to take JSON; others may say what they read.
  route_handle takes(const std::string& about, const std::string& media_type = "application/json") const {
    return say("takes", [&](route::facts& f) { f.takes = route::body_facts{about, media_type, {}, {}}; }, in_request);
  }
  /// An answer. Those of winsvc's own (404, 422, …) are described without it. `media_type`: default is what the
  /// handler's type says.
  route_handle returns(int status, const std::string& about, const std::string& media_type = {}) const {
    if (status < 100 || status > 599)
      throw setup_error("route " + router_->entry(first_).text() + ": returns: " + std::to_string(status) +
                        " is no status; they are 100 to 599");
    return say("returns", [&](route::facts& f) {
      for (const auto& [known, body] : f.returns) {
        if (known == status)
          throw setup_error("route " + router_->entry(first_).text() + ": returns: " + std::to_string(status) +
                            " is said already");
      }
      f.returns.emplace_back(status, route::body_facts{about, media_type, {}, {}});
    }, status);
  }
#if WINSVC_JSON
  /// The JSON Schema (2020-12) of the body that `takes` or `returns` named right before. It is written by hand: C++17
  /// cannot ask a type for its members.
  route_handle schema(const winsvc::json& value) const {
    return say("schema", [&](route::facts& f) { last_body(f, "schema").schema = dumped(value); }, last_said_);
  }
  /// An example of it.
  route_handle example(const winsvc::json& value) const {
    return say("example", [&](route::facts& f) { last_body(f, "example").example = dumped(value); }, last_said_);
  }
#endif

  /// Of the routes of a resource, the one for this method. Throws setup_error where there is none.
  [[nodiscard]] route_handle on(route::method verb) const;

 private:
  static constexpr int nothing = -1, in_request = 0;  // else the status of an answer

  template <class F>
  route_handle say(std::string_view what, F into, int said = nothing) const {
    auto& table = router_->describe(first_, what);
    for (std::size_t id = first_; id < last_; ++id) into(table.about(id));
    route_handle again = *this;
    again.last_said_ = said;
    return again;
  }
  [[nodiscard]] route_handle add_query(route::query_facts q) const;
  [[nodiscard]] route::body_facts& last_body(route::facts& f, std::string_view what) const;
#if WINSVC_JSON
  static std::string dumped(const winsvc::json& value) {
    return value.dump(-1, ' ', false, winsvc::json::error_handler_t::replace);
  }
#endif

  http::router* router_;
  std::size_t first_, last_;
  int last_said_ = nothing;
};

// ---------------------------------------------------------------------------------------------------------------------

inline route_handle route_handle::on(route::method verb) const {
  std::string there;
  for (std::size_t id = first_; id < last_; ++id) {
    const auto& one = router_->entry(id);
    if (one.verb == verb) return {*router_, id, id + 1};
    there += (there.empty() ? "" : ", ") + std::string(route::name(one.verb));
  }
  throw setup_error("route " + router_->entry(first_).text() + ": on " + std::string(route::name(verb)) +
                    ": this resource has " + there);
}

inline route_handle route_handle::add_query(route::query_facts q) const {
  return say("query", [&](route::facts& f) {
    for (const auto& known : f.query) {
      if (known.name == q.name)
        throw setup_error("route " + router_->entry(first_).text() + ": query: '" + q.name + "' is said already");
    }
    f.query.push_back(q);
  });
}

inline route::body_facts& route_handle::last_body(route::facts& f, std::string_view what) const {
  if (last_said_ == in_request && f.takes) return *f.takes;
  if (last_said_ != nothing && !f.returns.empty()) return f.returns.back().second;
  throw setup_error("route " + router_->entry(first_).text() + ": " + std::string(what) +
                    ": of which body? it stands right behind takes or returns");
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/url_for.hpp
// =====================================================================================================================

// The path of a named route, from within a handler.
//
//   svc.get("/users/{id}", show).name("user");
//   svc.post("/users", [](const winsvc::request& req) {
//     return winsvc::reply(201).header("Location", winsvc::url_for(req, "user", 7));      // /users/7
//   });
//
//   winsvc::with_query(winsvc::url_for(req, "users"), {{"page", 2}})                      // /users?page=2
//
// A pattern then stands in one place, and may change there. What is built is a path: host and scheme are the client's
// to know. See route/url.hpp for what values may be.

#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {

/// Throws setup_error: a name that no route has, values that its pattern does not take, a request that this thread does
/// not handle. Uncaught it is a logged 500.
template <class... Values>
[[nodiscard]] std::string url_for(const request& req, std::string_view name, const Values&... values) {
  const auto* const x = http::current_exchange();
  if (!x || x->req != &req || !x->routes)
    throw setup_error("url_for: the request belongs to the thread that handles it, while it does");
  return route::build_path(*x->routes, name, {url_value(values)...});
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/resource.hpp
// =====================================================================================================================

// A class as a resource: which of its members are handlers, found at compile time.

#include <memory>
#include <type_traits>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// A const member function and its object, as a callable with exactly its parameters.
template <class Member>
struct member_call {
  static_assert(sizeof(Member) == 0,
                "winsvc: a resource's get, post, put, patch and del are const member functions, because they are called "
                "from many threads at once");
};
template <class T, class R, class... A>
struct member_call<R (T::*)(A...) const> {
  std::shared_ptr<const T> object;
  R (T::*member)(A...) const;
  R operator()(A... arguments) const { return (object.get()->*member)(std::forward<A>(arguments)...); }
};
template <class T, class R, class... A>
struct member_call<R (T::*)(A...) const noexcept> {
  std::shared_ptr<const T> object;
  R (T::*member)(A...) const noexcept;
  R operator()(A... arguments) const { return (object.get()->*member)(std::forward<A>(arguments)...); }
};

// For each name: is there one member of it, more than one, or none? A class that inherits a second one of the name is
// ambiguous exactly when the first is there, overloaded or not.
#define WINSVC_RESOURCE_MEMBER(word)                                                                            \
  template <class T, class = void>                                                                              \
  struct single_##word : std::false_type {};                                                                    \
  template <class T>                                                                                            \
  struct single_##word<T, std::void_t<decltype(&T::word)>> : std::true_type {};                                 \
  struct with_##word {                                                                                          \
    int word;                                                                                                   \
  };                                                                                                            \
  template <class T>                                                                                            \
  struct both_##word : T, with_##word {};                                                                       \
  template <class T, class = void>                                                                              \
  struct named_##word : std::true_type {};                                                                      \
  template <class T>                                                                                            \
  struct named_##word<T, std::void_t<decltype(&both_##word<T>::word)>> : std::false_type {};                    \
  template <class T, class F>                                                                                   \
  void each_##word(const std::shared_ptr<T>& object, route::method verb, F& found) {                            \
    if constexpr (single_##word<T>::value) {                                                                    \
      found(verb, member_call<decltype(&T::word)>{object, &T::word});                                           \
    } else {                                                                                                    \
      static_assert(!named_##word<T>::value,                                                                    \
                    "winsvc: a resource's " #word " is one public member function, not overloaded and no template"); \
      static_cast<void>(object), static_cast<void>(verb), static_cast<void>(found);                             \
    }                                                                                                           \
  }
WINSVC_RESOURCE_MEMBER(get)
WINSVC_RESOURCE_MEMBER(post)
WINSVC_RESOURCE_MEMBER(put)
WINSVC_RESOURCE_MEMBER(patch)
WINSVC_RESOURCE_MEMBER(del)
#undef WINSVC_RESOURCE_MEMBER

template <class T>
inline constexpr bool is_resource = single_get<T>::value || single_post<T>::value || single_put<T>::value ||
                                    single_patch<T>::value || single_del<T>::value;

/// Calls `found(method, handler)` for each of them.
template <class T, class F>
void for_each_member(const std::shared_ptr<T>& object, F found) {
  static_assert(std::is_class_v<T> && !std::is_final_v<T>, "winsvc: a resource is a class that is not final");
  each_get(object, route::method::get, found);
  each_post(object, route::method::post, found);
  each_put(object, route::method::put, found);
  each_patch(object, route::method::patch, found);
  each_del(object, route::method::del, found);
  static_assert(is_resource<T>, "winsvc: a resource has at least one of the members get, post, put, patch, del");
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/folder.hpp
// =====================================================================================================================

// A folder of files below a prefix.
//
//   svc.files("/", "public");                                   // beside the executable
//   svc.files("/app", "dist", {/*index*/ "index.html", /*fall_back*/ "index.html"});
//
// `name.gz` beside `name` is sent in its place to clients that accept gzip. A folder is answered with its index, below
// a path that ends with a slash; without it the client is sent there. With a fall-back, paths that no file has are
// answered with that file, for pages that route in the browser; but for paths whose last name has an ending, which were
// meant for a file. Names that begin with a dot are not there, and neither is anything that a link leads to outside of
// the folder.

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {

struct file_options {
  std::string index = "index.html";  ///< of a folder; empty: folders have no page
  std::string fall_back = {};        ///< for what no file has; empty: 404
  std::string cache_control = {};    ///< for all of them: `no-cache`, `public, max-age=3600`; empty: none
  bool hidden = false;               ///< are names that begin with a dot served?
};

namespace http {

class file_folder {
 public:
  /// A relative path begins at the executable's folder, which is the current directory while the service runs.
  file_folder(std::string path, file_options how) : path_(std::move(path)), how_(std::move(how)) {}

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// `tail`: what comes behind the prefix, decoded. Aborts with 404.
  void answer(const request& req, response& res, std::string_view tail) const;
  /// The prefix without its slash: to it.
  static void send_behind_slash(const request& req, response& res);

 private:
  bool send(const request& req, response& res, const std::string& root, const std::string& relative) const;
  bool send_form(const request& req, response& res, const std::string& root, const std::string& relative,
                 const std::string& on_disk, const char* coding) const;
  [[nodiscard]] bool is_within(const std::string& root, const std::string& real) const;

  std::string path_;
  file_options how_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline void file_folder::send_behind_slash(const request& req, response& res) {
  // Relative, so that it is right behind a proxy that has cut a prefix off; "./" so that a colon is no scheme.
  const auto query = req.target.find('?');
  const std::string_view path = std::string_view(req.target).substr(0, query);
  const std::string_view last = path.substr(path.rfind('/') + 1);
  reply::redirect("./" + std::string(last) + "/" + (query == req.target.npos ? "" : req.target.substr(query)), 308)
      .apply(res);
}

inline void file_folder::answer(const request& req, response& res, std::string_view tail) const {
  const auto root = os::real_folder(path_);
  const auto relative = wire::file_path(tail, {how_.hidden});
  if (!root) abort(404);
  if (relative) {
    const bool names_folder = tail.empty() || tail.back() == '/';
    if (names_folder) {
      const std::string index = relative->empty() ? how_.index : *relative + '/' + how_.index;
      if (!how_.index.empty() && send(req, res, *root, index)) return;
    } else {
      if (send(req, res, *root, *relative)) return;
      const auto inner = os::real_folder(os::path_join(*root, *relative));
      if (inner && is_within(*root, *inner) && !how_.index.empty()) return send_behind_slash(req, res);
    }
    const std::string_view last = std::string_view(*relative).substr(relative->rfind('/') + 1);
    const bool meant_for_a_file = last.find('.') != last.npos;
    if (!how_.fall_back.empty() && !meant_for_a_file && send(req, res, *root, how_.fall_back)) return;
  }
  abort(404);
}

/// The file in the form that the client takes; false where there is none.
inline bool file_folder::send(const request& req, response& res, const std::string& root,
                              const std::string& relative) const {
  const bool packed = wire::accepts_coding(req.get_header_value("Accept-Encoding"), "gzip");
  const std::string on_disk = os::path_join(root, relative);
  if (packed && send_form(req, res, root, relative, on_disk + ".gz", "gzip")) return true;
  return send_form(req, res, root, relative, on_disk, "");
}

inline bool file_folder::send_form(const request& req, response& res, const std::string& root,
                                   const std::string& relative, const std::string& on_disk, const char* coding) const {
  auto file = os::source_file::open(on_disk);
  if (!file || !is_within(root, file->real_path())) return false;
  replace_header(res, "Vary", "Accept-Encoding");
  res.status = 200;
  answer_with_file(req, res, *std::move(file), {std::string(wire::media_type(relative)), coding, how_.cache_control});
  return true;
}

/// By where it really is: a link, or another spelling of a name, may have led out, or to what is hidden.
inline bool file_folder::is_within(const std::string& root, const std::string& real) const {
  const bool ends = !root.empty() && (root.back() == '/' || root.back() == '\\');  // C:\, or /
  const std::string inside = ends ? root : root + os::path_separator;
  if (real.compare(0, inside.size(), inside) != 0) return false;
  std::string rest = real.substr(inside.size());
  for (char& c : rest) {
    if (c == os::path_separator) c = '/';
  }
  return wire::file_path(rest, {how_.hidden}).has_value();
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/group.hpp
// =====================================================================================================================

// Routes, as an app or a part of it registers them: methods, groups under a prefix, middleware, resources.
//
//   void users(winsvc::route_group& g) {                          // in a file of its own
//     g.use(winsvc::basic_auth(…));
//     g.get("/", [] { … });
//     g.get("/{id}", [](int id) { … });
//   }
//   svc.group("/users", users);                             // /users and /users/{id}
//
//   struct todo {
//     winsvc::json get(int id) const;
//     void put(int id, winsvc::body<item> i) const;
//   };
//   svc.resource<todo>("/todos/{id}");                      // any subset of get, post, put, patch, del
//
// A route that was registered is at hand for what else there is to say of it (http/route_handle.hpp):
//
//   svc.get("/users/{id}", show).name("user").summary("One user");
//   svc.url_for("user", 7)                                  // "/users/7"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {

class route_group;

namespace http {

/// What `service` and `group` have in common; `Self` is which of them it is.
template <class Self>
class route_registrar {
 public:
  /// Each of these: a pattern (route/pattern.hpp) and what answers it (http/handler.hpp).
  template <class F>
  route_handle get(std::string_view pattern, F handler, source where = source::here()) {
    return add(route::method::get, pattern, make_handler(std::move(handler)), where);
  }
  template <class F>
  route_handle post(std::string_view pattern, F handler, source where = source::here()) {
    return add(route::method::post, pattern, make_handler(std::move(handler)), where);
  }
  template <class F>
  route_handle put(std::string_view pattern, F handler, source where = source::here()) {
    return add(route::method::put, pattern, make_handler(std::move(handler)), where);
  }
  template <class F>
  route_handle patch(std::string_view pattern, F handler, source where = source::here()) {
    return add(route::method::patch, pattern, make_handler(std::move(handler)), where);
  }
  /// HTTP DELETE, a word that C++ and Windows' headers both have taken.
  template <class F>
  route_handle del(std::string_view pattern, F handler, source where = source::here()) {
    return add(route::method::del, pattern, make_handler(std::move(handler)), where);
  }
  template <class F>
  route_handle options(std::string_view pattern, F handler, source where = source::here()) {
    return add(route::method::options, pattern, make_handler(std::move(handler)), where);
  }
  /// Whatever the method is; a route for the method itself goes before it.
  template <class F>
  route_handle any(std::string_view pattern, F handler, source where = source::here()) {
    return add(route::method::any, pattern, make_handler(std::move(handler)), where);
  }
  template <class F>
  route_handle route(route::method verb, std::string_view pattern, F handler, source where = source::here()) {
    return add(verb, pattern, make_handler(std::move(handler)), where);
  }

  /// A WebSocket (http/websocket.hpp): `f(winsvc::websocket&, path parameters…)`.
  template <class F>
  route_handle websocket(std::string_view pattern, F handler, websocket_options options = {},
                         source where = source::here()) {
    websocket_route<F> with{std::move(handler), std::move(options)};
    return add(route::method::get, pattern, make_handler(std::move(with)), where).returns(101, "A WebSocket");
  }

  /// A class whose members `get`, `post`, `put`, `patch`, `del` (any of them, const, not overloaded) are handlers of
  /// one pattern. One object serves all requests; it is made with the default constructor, or given. What is said of
  /// the handle is said of all of them, and of one with `on`.
  template <class T>
  route_handle resource(std::string_view pattern, source where = source::here()) {
    return resource<T>(pattern, std::make_shared<T>(), where);
  }
  template <class T>
  route_handle resource(std::string_view pattern, std::shared_ptr<T> object, source where = source::here()) {
    const auto first = router_->routes().entries().size();
    for_each_member(std::move(object), [&](route::method verb, auto handler) {
      this->route(verb, pattern, std::move(handler), where);
    });
    return {*router_, first, router_->routes().entries().size()};
  }

  /// The files of a folder below a prefix (http/folder.hpp): GET and HEAD. The folder need not be there yet; the log
  /// says so at start, and its paths are 404 until it is.
  Self& files(std::string_view prefix, std::string folder, file_options how = {}, source where = source::here());

  /// Adds a middleware for the routes that are registered after it, here and in groups of this one.
  Self& use(middleware m, source where = source::here()) {
    auto longer = std::make_shared<chain>(*links_);
    longer->push_back(std::make_shared<const middleware>(std::move(m)));
    links_ = std::move(longer);
    used(links_, where);
    return self();
  }

  /// Routes under a common prefix, with this one's middleware and their own. `describe(winsvc::route_group&)` is called
  /// here and now; a pattern of "/" in it is the prefix itself.
  template <class F>
  Self& group(std::string_view prefix, F&& describe, source where = source::here());

  /// The path of the route with this name, percent-encoded, its parameters filled with the values; of routes that were
  /// registered before. In a handler it is winsvc::url_for (http/url_for.hpp). Throws setup_error as that does.
  template <class... Values>
  [[nodiscard]] std::string url_for(std::string_view name, const Values&... values) const {
    return route::build_path(router_->routes(), name, {url_value(values)...});
  }

 protected:
  route_registrar(router& to, std::string prefix, std::shared_ptr<const chain> links)
      : router_(&to), prefix_(std::move(prefix)), links_(std::move(links)) {}
  ~route_registrar() = default;

 private:
  route_handle add(route::method verb, std::string_view pattern, made_handler made, source where) {
    const auto id = router_->add(verb, prefix_ + std::string(pattern_below(pattern)), std::move(made), where, links_);
    return {*router_, id, id + 1};
  }
  Self& self() noexcept { return static_cast<Self&>(*this); }
  [[nodiscard]] std::string_view pattern_below(std::string_view pattern) const noexcept {
    return !prefix_.empty() && pattern == "/" ? std::string_view() : pattern;
  }
  /// The app's own middleware runs for what no route serves too.
  void used(const std::shared_ptr<const chain>& links, source where) {
    if constexpr (!std::is_same_v<Self, winsvc::route_group>) router_->outer(links, where);
    else static_cast<void>(links), static_cast<void>(where);
  }

  router* router_;
  std::string prefix_;
  std::shared_ptr<const chain> links_;
};

}  // namespace http

class route_group : public http::route_registrar<route_group> {
 public:
  route_group(http::router& to, std::string prefix, std::shared_ptr<const http::chain> links)
      : route_registrar(to, std::move(prefix), std::move(links)) {}
};

// ---------------------------------------------------------------------------------------------------------------------

namespace http {

template <class Self>
Self& route_registrar<Self>::files(std::string_view prefix, std::string folder, file_options how, source where) {
  if (folder.empty())
    throw setup_error("files '" + std::string(prefix) + "' (" + where.text() + "): no folder is named");
  router_->folders.push_back({prefix_ + std::string(prefix), folder, where});
  const auto served = std::make_shared<file_folder>(std::move(folder), std::move(how));
  const auto root = [served](const request& req, response& res) { served->answer(req, res, {}); };
  const auto below = [served](const request& req, response& res, const std::string& path) {
    served->answer(req, res, path);
  };
  const auto at_pattern = [&](const std::string& pattern, auto handler) {
    const auto id = router_->add(route::method::get, pattern, make_handler(handler), where, links_);
    winsvc::route_handle(*router_, id, id + 1).hidden();
  };
  const std::string full = prefix_ + (prefix == "/" ? std::string() : std::string(prefix));
  if (!full.empty()) at_pattern(full, &file_folder::send_behind_slash);
  at_pattern(full + "/", root);
  at_pattern(full + "/{path...}", below);
  return self();
}

template <class Self>
template <class F>
Self& route_registrar<Self>::group(std::string_view prefix, F&& describe, source where) {
  static_assert(std::is_invocable_v<F&, winsvc::route_group&>,
                "winsvc: group takes a callable with winsvc::route_group&");
  if (prefix.empty() || prefix.front() != '/' || prefix.back() == '/') {
    throw setup_error("group '" + std::string(prefix) + "' (" + where.text() +
                      "): a prefix begins with '/' and does not end with it");
  }
  winsvc::route_group inner(*router_, prefix_ + std::string(prefix), links_);
  describe(inner);
  return self();
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/context.hpp
// =====================================================================================================================

// What travels with a request: its id, and values that middleware leaves for whoever comes behind it.
//
//   winsvc::context(req).set(user{"anna"});              // in a middleware
//   const user* who = winsvc::context(req).get<user>();  // in the handler; null when nobody left one
//   winsvc::context(req).id()                            // as the log and a 500 have it
//
// One value of each type. On the request's own thread, while it is handled.

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {

class context {
 public:
  /// Throws setup_error for a request that is not the one this thread handles.
  explicit context(const request& req) : exchange_(http::current_exchange()) {
    if (!exchange_ || exchange_->req != &req)
      throw setup_error("context: it belongs to the thread that handles the request, while it does");
  }

  [[nodiscard]] const std::string& id() const noexcept { return exchange_->id; }
  /// Did it come over TLS? To this process, that is: a proxy before it may have had TLS, and ended it.
  [[nodiscard]] bool encrypted() const noexcept { return exchange_->stream.wire().encrypted(); }

  template <class T>
  void set(T value) const {
    exchange_->values[key<T>()] = std::make_shared<T>(std::move(value));
  }
  template <class T>
  [[nodiscard]] T* get() const noexcept {
    const auto found = exchange_->values.find(key<T>());
    return found == exchange_->values.end() ? nullptr : static_cast<T*>(found->second.get());
  }

  /// Has its route's time-out passed? The client has its 503 then, and whatever the handler still does is for nobody.
  [[nodiscard]] bool timed_out() const noexcept { return exchange_->stream.answered_in_place(); }

  /// The most bytes of a body that are read for this request, when that is less than the app's limit.
  void limit_body(std::uint64_t bytes) const noexcept {
    if (bytes < exchange_->body_limit) exchange_->body_limit = bytes;
  }

 private:
  /// An address a type: no RTTI is needed. Not const: linkers may put equal constants into one place (MSVC's /OPT:ICF).
  template <class T>
  static const void* key() noexcept {
    static char one = 0;
    return &one;
  }
  http::exchange* exchange_;
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/body_reader.hpp
// =====================================================================================================================

// Reads the body of a request when a handler is about to be called, and not before: what was refused in front of it
// cost no upload. Forms become params and form fields, as cpp-httplib has them; anything else is the body.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// `most`: bytes of it, decompressed, that are kept. False: it did not arrive, or is not what it says. Throws
/// abort_error for a form of more than `most_fields`.
[[nodiscard]] bool read_body(request& req, const httplib::ContentReader& read, std::uint64_t most, bool& too_large);

/// Each costs memory, however little is in it.
inline constexpr std::size_t most_fields = 1024;

/// Is its body a form that is written as a query is?
[[nodiscard]] bool is_urlencoded(const request& req);
/// Such a body into params, as cpp-httplib has them. Throws abort_error for more than `most_fields`.
void take_urlencoded(request& req);

// ---------------------------------------------------------------------------------------------------------------------

[[noreturn]] inline void refuse_fields() {
  winsvc::abort(413, "the form has more than " + std::to_string(most_fields) + " fields");
}

inline bool read_multipart(request& req, const httplib::ContentReader& read, std::uint64_t most, bool& too_large) {
  std::string* content = nullptr;
  std::size_t parts = 0;
  std::uint64_t kept = 0;
  const bool whole = read(
      [&](const httplib::FormData& part) {
        if (++parts > most_fields) return false;
        if (part.filename.empty()) {
          httplib::FormField field;
          field.name = part.name;
          field.headers = part.headers;
          content = &req.form.fields.emplace(part.name, std::move(field))->second.content;
        } else {
          content = &req.form.files.emplace(part.name, part)->second.content;
        }
        return true;
      },
      [&](const char* bytes, std::size_t count) {
        if (count > most - kept) return !(too_large = true);
        kept += count;
        content->append(bytes, count);
        return true;
      });
  if (parts > most_fields) {
    current_exchange()->closing = true;  // the rest of it is still to come
    refuse_fields();
  }
  return whole;
}

inline bool is_urlencoded(const request& req) {
  const std::string type = req.get_header_value("Content-Type");
  return text::equal_nocase(text::trimmed(std::string_view(type).substr(0, type.find(';'))),
                            "application/x-www-form-urlencoded");
}

inline void take_urlencoded(request& req) {
  if (wire::field_count(req.body) > most_fields) refuse_fields();
  httplib::detail::parse_query_text(req.body, req.params);
}

inline bool read_body(request& req, const httplib::ContentReader& read, std::uint64_t most, bool& too_large) {
  if (req.is_multipart_form_data()) return read_multipart(req, read, most, too_large);
  const bool whole = read([&](const char* bytes, std::size_t count) {
    if (count > most - req.body.size()) return !(too_large = true);  // it may have grown by decompression
    req.body.append(bytes, count);
    return true;
  });
  if (!whole) return false;
  if (is_urlencoded(req)) take_urlencoded(req);
  return true;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/watchdog.hpp
// =====================================================================================================================

// Time-outs of handlers: somebody who looks at the clock while a handler runs.
//
//   watchdog dog;
//   { const watchdog::watch until(dog, 5s, [&] { … }); handler(); }     // called once the handler has had 5 s
//
// One thread for all of them, begun by the first. Nothing can end a handler: what is called here answers in its place.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class watchdog {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  watchdog() = default;
  ~watchdog();
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;

  class watch {
   public:
    /// `late` is called on the watchdog's thread, and must be quick: the others wait. It must not throw.
    watch(watchdog& by, std::chrono::milliseconds limit, std::function<void()> late);
    /// It is not called any more, and not being called.
    ~watch();
    watch(const watch&) = delete;
    watch& operator=(const watch&) = delete;

   private:
    watchdog& by_;
    std::multimap<time_point, std::function<void()>>::iterator place_;
  };

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<time_point, std::function<void()>> watched_;  // empty functions: those that were called
  std::thread thread_;
  bool over_ = false;
};

// ---------------------------------------------------------------------------------------------------------------------

inline watchdog::watch::watch(watchdog& by, std::chrono::milliseconds limit, std::function<void()> late) : by_(by) {
  const std::lock_guard lock(by_.mutex_);
  if (!by_.thread_.joinable()) by_.thread_ = std::thread([dog = &by_] { dog->run(); });
  place_ = by_.watched_.emplace(std::chrono::steady_clock::now() + limit, std::move(late));
  if (place_ == by_.watched_.begin()) by_.changed_.notify_one();
}

inline watchdog::watch::~watch() {
  const std::lock_guard lock(by_.mutex_);
  by_.watched_.erase(place_);
}

inline void watchdog::run() {
  std::unique_lock lock(mutex_);
  while (!over_) {
    // Those that were called stay until their handlers return, and are passed over.
    auto next = watched_.begin();
    while (next != watched_.end() && !next->second) ++next;
    if (next == watched_.end()) {
      changed_.wait(lock);
    } else if (const auto when = next->first; std::chrono::steady_clock::now() < when) {
      changed_.wait_until(lock, when);
    } else {
      std::exchange(next->second, nullptr)();
    }
  }
}

inline watchdog::~watchdog() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_one();
  }
  thread_.join();
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/upload_reader.hpp
// =====================================================================================================================

// Reads a body into files while it arrives (http/upload.hpp has what comes of it): a form's files each into one of its
// own, its fields into memory, a body of another type into one file.
//
// cpp-httplib frames and decompresses; the form is taken apart here (wire/multipart.hpp), because cpp-httplib keeps
// what it has no use for: a form whose first delimiter never comes would be in memory whole.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// How much of an upload is taken, in bytes, decompressed, and where to.
struct upload_bounds {
  std::uint64_t body;
  std::uint64_t file;
  std::string folder;  ///< "": the system's temporary one
};

/// Reads all of it. False: it did not arrive, or is not framed or coded as it says. Throws abort_error for an upload
/// that is too large or no form, upload_error for a file that cannot be written. Whatever the end, what `into` does not
/// hold is not on the disk.
[[nodiscard]] bool read_upload(request& req, const httplib::ContentReader& read, const upload_bounds& bounds,
                               upload& into);

// ---------------------------------------------------------------------------------------------------------------------

class upload_reader {
 public:
  upload_reader(request& req, const upload_bounds& bounds, upload& into) : req_(req), bounds_(bounds), into_(into) {
    const std::string type = req.get_header_value("Content-Type");
    urlencoded_ = is_urlencoded(req);
    if (const auto boundary = wire::multipart_boundary(type)) decoder_.emplace(*boundary);
    else if (text::starts_with_nocase(type, "multipart/form-data"))
      winsvc::abort(400, "the form has no boundary in its Content-Type");
  }

  /// The next bytes of the body. False: no more of it is wanted, and finish() says why.
  [[nodiscard]] bool take(std::string_view bytes) {
    if (bytes.size() > bounds_.body - seen_)
      return refuse(413, "the body is larger than " + std::to_string(bounds_.body) + " bytes");
    seen_ += bytes.size();
    if (decoder_) return take_form(bytes);
    if (urlencoded_) return take_text(req_.body, bytes);
    return take_file(bytes, {}, {}, req_.get_header_value("Content-Type"));
  }

  /// When the body has ended, or take() has. `whole`: it has arrived.
  void finish(bool whole) {
    if (fault_ != 0) throw upload_error({fault_, doing_, place_, os::system_words(fault_), {}});
    if (status_ != 0) winsvc::abort(status_, std::move(why_));
    if (!whole) return;
    if (decoder_ && decoder_->next() != wire::multipart_decoder::step::done)
      winsvc::abort(400, "the form ends before its last part does");
    if (urlencoded_) take_urlencoded(req_);
    if (!close_file()) finish(whole);
  }

 private:
  using step = wire::multipart_decoder::step;
  static constexpr std::size_t most_parts = 1024;            // each costs memory, however little is in it
  static constexpr std::uint64_t most_text = 1024 * 1024;  // of all fields: what is larger is a file

  bool refuse(int status, std::string why) {
    status_ = status;
    why_ = std::move(why);
    return false;
  }
  bool fail(std::uint32_t code, const char* doing, const std::string& place) {
    fault_ = code == 0 ? 1 : code;
    doing_ = doing;
    place_ = place;
    return false;
  }

  bool take_form(std::string_view bytes) {
    decoder_->feed(bytes);
    for (;;) {
      switch (decoder_->next()) {
        case step::more:
        case step::done: return true;
        case step::bad: return refuse(400, "the body is no form as its Content-Type says");
        case step::part:
          if (!begin_part(decoder_->part())) return false;
          break;
        case step::data: {
          const auto& part = decoder_->part();
          const bool good = field_ ? take_text(*field_, decoder_->data())
                                   : take_file(decoder_->data(), part.name, part.file_name, part.content_type);
          if (!good) return false;
        }
      }
    }
  }

  bool begin_part(const wire::part_head& part) {
    if (!close_file()) return false;
    if (++parts_ > most_parts) return refuse(413, "the form has more than " + std::to_string(most_parts) + " parts");
    field_ = nullptr;
    if (!part.is_file) {
      httplib::FormField field;
      field.name = part.name;
      if (!part.content_type.empty()) field.headers.emplace("Content-Type", part.content_type);
      field_ = &req_.form.fields.emplace(part.name, std::move(field))->second.content;
      return take_text(*field_, {});
    }
    // A file field that was not filled in comes with neither name nor content, and is none.
    return part.file_name.empty() || take_file({}, part.name, part.file_name, part.content_type);
  }

  bool take_text(std::string& into, std::string_view bytes) {
    if (bytes.size() > most_text - text_) {
      return refuse(413, "the form's fields are larger than 1 MiB together; what is large is sent as a file of a "
                         "multipart/form-data body, or as a body of another type");
    }
    text_ += bytes.size();
    into += bytes;
    return true;
  }

  bool take_file(std::string_view bytes, const std::string& name, const std::string& file_name,
                 const std::string& type) {
    if (!file_.is_open() && !open_file(name, file_name, type)) return false;
    auto& file = into_.files().back();
    if (bytes.size() > bounds_.file - file.size())
      return refuse(413, "the file '" + file.file_name() + "' is larger than " + std::to_string(bounds_.file) +
                             " bytes");
    if (bytes.empty()) return true;
    const auto written = file_.write(bytes);
    if (!written) return fail(written.error(), "write the uploaded file", file.path());
    file.grow(bytes.size());
    return true;
  }

  bool open_file(const std::string& name, const std::string& file_name, const std::string& type) {
    if (!bounds_.folder.empty()) {
      if (const auto made = os::make_private_folder(bounds_.folder); !made)
        return fail(made.error(), "make the folder for uploads", bounds_.folder);
    }
    const std::string folder = bounds_.folder.empty() ? os::temporary_folder() : bounds_.folder;
    const std::string path = os::path_join(folder, temporary_name());
    auto& entry = into_.files().emplace_back(name, wire::safe_file_name(file_name), type, path);
    auto made = os::new_file::create(path);
    if (!made) return fail(made.error(), "make the file", path);
    entry.made();
    file_ = std::move(*made);
    return true;
  }

  bool close_file() {
    if (!file_.is_open()) return true;
    const auto closed = file_.close();
    return closed || fail(closed.error(), "write the uploaded file", into_.files().back().path());
  }

  request& req_;
  const upload_bounds& bounds_;
  upload& into_;
  std::optional<wire::multipart_decoder> decoder_;  // of a form
  bool urlencoded_ = false;
  os::new_file file_;              // the one that is arriving, the last of into_
  std::string* field_ = nullptr;   // or the field
  std::uint64_t seen_ = 0, text_ = 0;
  std::size_t parts_ = 0;
  int status_ = 0;
  std::string why_;
  std::uint32_t fault_ = 0;
  const char* doing_ = "";
  std::string place_;
};

inline bool read_upload(request& req, const httplib::ContentReader& read, const upload_bounds& bounds, upload& into) {
  upload files;  // removed after the reader has closed the last of them: Windows does not remove what is open
  upload_reader reader(req, bounds, files);
  bool whole = false;
  {
    // cpp-httplib would take a form apart itself.
    const auto type = req.headers.find("Content-Type");
    const bool hides = req.is_multipart_form_data();
    const std::string kept = hides ? std::exchange(type->second, std::string()) : std::string();
    const scope_exit show([&] {
      if (hides) type->second = kept;
    });
    whole = read([&reader](const char* bytes, std::size_t count) { return reader.take({bytes, count}); });
  }
  reader.finish(whole);
  if (whole) into = std::move(files);
  return whole;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/guard.hpp
// =====================================================================================================================

// What becomes of everything that goes wrong between a request and its answer: one shape for errors, in the form that
// the client asked for, with the app's own page where it has one, and a line in the log for what nobody expected.
//
//   guard_.run(x, req, res, "handler", [&] { … });       // whatever it throws becomes an answer
//   guard_.refuse(req, res, 405, {});                    // an error of ours
//
// Nothing leaves it as an exception: cpp-httplib's own handling would answer without our shape, and without a log line.

#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class guard {
 public:
  guard(const router& routes, logger& log) : routes_(routes), log_(log) {}

  /// Calls it. After an exception the headers are as they were before the call, and the answer is the exception's:
  /// abort's own, the page's of that type of exception, or a logged 500. Headers that were set before an abort stay:
  /// `WWW-Authenticate` goes with a 401.
  template <class F>
  void run(exchange& x, const request& req, response& res, const char* what, const F& call) const;

  /// An error of ours: problem+json, or text for a client that asked for it, or the app's page for this status.
  void refuse(const exchange& x, const request& req, response& res, int status, std::string_view detail,
              std::string_view id = {}) const;

  /// A status that no answer can have becomes a logged 500.
  void check_status(const exchange& x, const request& req, response& res) const;

 private:
  void answer(const exchange& x, const request& req, response& res, const char* what) const;
  void failed(const exchange& x, const request& req, response& res, const char* what, std::string_view words) const;
  void log(const exchange& x, const char* what, std::string_view words) const;

  const router& routes_;
  logger& log_;
};

/// The words of the exception that is being handled.
[[nodiscard]] std::string words_of_exception();

// ---------------------------------------------------------------------------------------------------------------------

inline std::string words_of_exception() {
  try {
    throw;
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "something that is no std::exception";
  }
}

/// Is the exception that is being handled, if any, an upload's that found the disk full?
inline bool no_room_is_thrown() {
  if (!std::current_exception()) return false;
  try {
    throw;
  } catch (const upload_error& e) {
    return e.no_room();
  } catch (...) {
    return false;
  }
}

template <class F>
void guard::run(exchange& x, const request& req, response& res, const char* what, const F& call) const {
  const httplib::Headers before = res.headers;
  try {
    call();
  } catch (const abort_error& e) {
    refuse(x, req, res, e.status(), e.what());
  } catch (...) {
    response empty;  // what was begun goes, its content provider's clean-up included
    empty.headers = before;
    std::swap(res, empty);
    answer(x, req, res, what);
  }
}

/// In a handler of the exception.
inline void guard::answer(const exchange& x, const request& req, response& res, const char* what) const {
  const std::exception_ptr thrown = std::current_exception();
  try {
    if (!routes_.pages.answer(thrown, req, res)) return failed(x, req, res, what, words_of_exception());
    // A page that says nothing of its own leaves it to the common shape.
    if (res.status >= 400 && res.body.empty() && !res.content_provider_) refuse(x, req, res, res.status, {});
  } catch (const abort_error& e) {
    refuse(x, req, res, e.status(), e.what());
  } catch (...) {
    failed(x, req, res, "page for an exception", words_of_exception());
  }
}

inline void guard::refuse(const exchange& x, const request& req, response& res, int status, std::string_view detail,
                          std::string_view id) const {
  const auto plain = [&] {
    if (asks_for_text(req)) write_text_problem(res, status, detail, id);
    else write_problem(res, status, detail, id);
  };
  plain();
  try {
    routes_.pages.answer(req, res);
  } catch (...) {
    log(x, "page for an error", words_of_exception());
    plain();
  }
}

inline void guard::check_status(const exchange& x, const request& req, response& res) const {
  const bool upgrades = res.status == 101 && x.upgraded;
  if (res.status == -1 || upgrades || (res.status >= 200 && res.status <= 599)) return;
  failed(x, req, res, "handler", "it answered with status " + std::to_string(res.status) + ", which is none");
}

inline void guard::failed(const exchange& x, const request& req, response& res, const char* what,
                          std::string_view words) const {
  // The text is for the log: it may hold a path, a query, a password. The client gets the id to ask about.
  log(x, what, words);
  if (no_room_is_thrown()) refuse(x, req, res, 507, "there is no room to keep what was sent", x.id);
  else refuse(x, req, res, 500, "the request failed; the log has the reason under this id", x.id);
}

inline void guard::log(const exchange& x, const char* what, std::string_view words) const {
  const std::string place =
      x.match.what == route::outcome::found ? " at " + routes_.entry(x.match.id).where.text() : std::string();
  log_.error("request " + x.id + ": " + std::string(x.head.method) + ' ' + std::string(x.head.path) + ": " + what +
             place + " threw: " + std::string(words));
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/traffic.hpp
// =====================================================================================================================

// What the connections of one engine have in common: what they count, who hears of each answer, and whether new requests
// are wanted.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// One answered request, for the access log.
struct access_entry {
  /// Valid during the call only. Of a request that the gate refused: "refused:" and why, no pattern.
  std::string_view method, target, pattern;
  os::endpoint peer;  ///< the client that a trusted proxy named (port 0), or whoever is connected
  int status = 0;
  std::uint64_t bytes = 0;  ///< head and body of the answer
  std::chrono::microseconds took{0};
  std::optional<std::size_t> route_id = {};        ///< that matched, also where a middleware answered
  std::optional<winsvc::route::method> verb = {};  ///< nothing of a request that the gate refused
  std::string_view id = {};                        ///< of the request; empty for what the gate refused

  /// `GET /users/7  200  151 B  88 us`
  [[nodiscard]] std::string line() const {
    return std::string(method) + ' ' + std::string(target) + "  " + std::to_string(status) + "  " +
           std::to_string(bytes) + " B  " + std::to_string(took.count()) + " us";
  }
};

struct traffic {
  std::atomic<bool> draining{false};
  std::atomic<bool> paused{false};        ///< requests get 503, but for the routes that are kept
  std::atomic<std::size_t> in_flight{0};  ///< requests whose head is complete and whose answer has not left
  std::atomic<std::size_t> websockets{0};  ///< open ones; their requests have been answered
  std::atomic<std::uint64_t> answered{0};
  /// Set before the first connection; called on whichever thread serves it.
  std::vector<std::function<void(const access_entry&)>> on_answered;

  void tell(const access_entry& answered_one) const {
    for (const auto& f : on_answered) f(answered_one);
  }
};

/// What the requests of a route are like: how long they take, roughly (the recent ones count most). From any thread.
class pace {
 public:
  /// Too long to make others wait behind it.
  [[nodiscard]] bool is_slow() const noexcept { return average_.load(std::memory_order_relaxed) > slow; }
  void note(std::chrono::steady_clock::duration took) noexcept {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    const auto now = static_cast<std::uint32_t>(us < most ? us : most);
    const auto before = average_.load(std::memory_order_relaxed);
    const auto after = before - before / 8 + now / 8;
    if (after != before) average_.store(after, std::memory_order_relaxed);
  }
  /// Are its answers streams?
  [[nodiscard]] bool streams() const noexcept { return streams_.load(std::memory_order_relaxed); }
  void note_stream() noexcept { streams_.store(true, std::memory_order_relaxed); }
  /// One of them is at it, and has been for too long already.
  void is_found_slow() noexcept { average_.store(most, std::memory_order_relaxed); }

 private:
  static constexpr std::uint32_t slow = 150, most = 10'000;  // microseconds
  std::atomic<std::uint32_t> average_{0};
  std::atomic<bool> streams_{false};
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/direct.hpp
// =====================================================================================================================

// The direct way of a plain request: from the gate's head straight into cpp-httplib's Request, and from its Response
// straight onto the wire. Most requests are plain, and theirs is half the way: nothing is written down for a parser that
// reads it again.
//
// What is not plain (a body that is still to come or comes in parts, a range, an upgrade, a coding) is cpp-httplib's own
// to read and write; and so is an answer that turns out to be a stream. Both ways give the same answers:
// tests/conformance holds them against each other, and `limits().direct_path` closes this one.

#include <string>
#include <string_view>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// Is all of the request here, and nothing in it that only cpp-httplib knows how to do?
[[nodiscard]] bool is_plain(const wire::head& h, const exchange_stream& stream);

/// The request as cpp-httplib would have read it. False: it would have refused it, and shall.
[[nodiscard]] bool fill_request(request& req, const wire::head& h, const os::endpoint& peer, const os::endpoint& local);

/// Is the answer all there, so that it can be written here?
[[nodiscard]] inline bool is_whole(const response& res) noexcept {
  return !res.content_provider_ && res.file_content_path_.empty();
}
/// The headers that cpp-httplib adds before the post-routing hook.
void complete_headers(response& res);
/// Line and headers behind what is in `out`, and the body, unless that is not asked for: HEAD.
void write_answer(const response& res, bool with_body, std::string& out);

// ---------------------------------------------------------------------------------------------------------------------

#if defined(CPPHTTPLIB_ZLIB_SUPPORT) || defined(CPPHTTPLIB_BROTLI_SUPPORT) || defined(CPPHTTPLIB_ZSTD_SUPPORT)
inline constexpr bool httplib_compresses = true;
#else
inline constexpr bool httplib_compresses = false;
#endif

inline bool is_plain(const wire::head& h, const exchange_stream& stream) {
  if (h.upgrade || h.expect_continue || h.framing == wire::framing::chunked || !stream.body_here()) return false;
  for (const auto& f : h.fields) {
    switch (f.name.size()) {  // few names have these lengths, and fewer are compared
      case 5:
        if (text::equal_nocase(f.name, "Range")) return false;
        break;
      case 12:
        if (text::equal_nocase(f.name, "Content-Type") &&
            text::equal_nocase(f.value.substr(0, 10), "multipart/"))
          return false;
        break;
      case 15:
        if (httplib_compresses && text::equal_nocase(f.name, "Accept-Encoding")) return false;
        break;
      case 16:
        if (text::equal_nocase(f.name, "Content-Encoding")) return false;
        break;
      default: break;
    }
  }
  return true;
}

inline bool fill_request(request& req, const wire::head& h, const os::endpoint& peer, const os::endpoint& local) {
  req.method = h.method;
  req.version = h.minor == 0 ? "HTTP/1.0" : "HTTP/1.1";
  req.target = h.path;
  if (!h.query.empty()) {
    req.target += '?';
    req.target += h.query;
    httplib::detail::parse_query_text(h.query.data(), h.query.size(), req.params);
  }
  req.path = h.path.find('%') == h.path.npos ? std::string(h.path)
                                             : httplib::decode_path_component(std::string(h.path));
  req.remote_addr = peer.host;
  req.remote_port = peer.port;
  req.local_addr = local.host;
  req.local_port = local.port;

  bool acceptable = true;
  wire::for_each_canonical(h, [&](std::string_view name, std::string&& value) {
    if (name.size() == 6 && text::equal_nocase(name, "Accept"))
      acceptable = httplib::detail::parse_accept_header(value, req.accept_content_types);
    req.headers.emplace(std::string(name), std::move(value));
  });
  return acceptable;
}

inline void complete_headers(response& res) {
  if (!res.body.empty()) {
    if (!res.has_header("Content-Type")) res.set_header("Content-Type", "text/plain");
    replace_header(res, "Content-Length", std::to_string(res.body.size()));
  } else if (!res.has_header("Content-Length")) {
    res.set_header("Content-Length", "0");
  }
}

inline void write_answer(const response& res, bool with_body, std::string& out) {
  const auto put = [&out](std::string_view piece) { out.append(piece.data(), piece.size()); };
  out.reserve(out.size() + 256 + (with_body ? res.body.size() : 0));
  put("HTTP/1.1 ");
  put(std::to_string(res.status));
  put(" ");
  put(httplib::status_message(res.status));
  put("\r\n");
  for (const auto& [name, value] : res.headers) {
    put(name);
    put(": ");
    put(value);
    put("\r\n");
  }
  put("\r\n");
  if (with_body) put(res.body);
}

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

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class core final : public httplib::Server {
 public:
  core(const router& routes, const wire::limits& bounds, logger& log);

  /// Runs one request that the gate has let through, and leaves its answer in the stream's `out`, as far as that has
  /// not left already. False: the connection is of no further use behind it.
  bool process(exchange& x, const os::endpoint& peer, const os::endpoint& local);

  /// Serves a connection whose request was answered with 101, until it is over.
  void process_upgraded(exchange& x) { x.upgraded(log_); }

  /// How long requests like this take.
  [[nodiscard]] pace& pace_of(const route::match_result& m) noexcept {
    return paces_[m.what == route::outcome::found ? m.id : paces_.size() - 1];
  }
  [[nodiscard]] bool is_slow(const route::match_result& m) noexcept { return pace_of(m).is_slow(); }

  /// The routes, for whoever matches before the body is read.
  [[nodiscard]] const router& routes() const noexcept { return routes_; }
  /// A request id: short, and unlike those of the run before.
  [[nodiscard]] std::string next_id();

 private:
  bool process_by_library(exchange& x, const os::endpoint& peer, const os::endpoint& local);
  bool process_directly(exchange& x, const os::endpoint& peer, const os::endpoint& local);
  void route(exchange& x, request& req, response& res);
  void dispatch(exchange& x, request& req, response& res);
  void call_handler(exchange& x, request& req, response& res);
  [[nodiscard]] bool takes_upload(const exchange& x) const { return routes_.entry(x.match.id).about.takes_upload; }
  bool receive_upload(exchange& x, request& req, const httplib::ContentReader& read, std::uint64_t most) const;
  void run_link(exchange& x, std::size_t at, request& req, response& res);
  void drop_late_body(exchange& x);
  [[nodiscard]] std::uint64_t body_limit(const exchange& x) const noexcept {
    return (std::min)(routes_.body_limit(x.match, bounds_.body_bytes), x.body_limit);
  }
  void answer_late_handler(exchange& x, const request& req, std::chrono::milliseconds limit) noexcept;
  void before_write(exchange& x, const request& req, response& res);

  const router& routes_;
  const wire::limits& bounds_;
  logger& log_;
  const guard guard_;
  watchdog watchdog_;
  std::vector<pace> paces_;  // by route, and the last for what has none
  std::uint32_t salt_;
  std::atomic<std::uint64_t> count_{0};  // relaxed: only its uniqueness matters
};

/// The Date of an answer. Written anew once a second, on each thread.
[[nodiscard]] inline const std::string& date_of_now() {
  struct kept {
    std::int64_t second = -1;
    std::string text;
  };
  static thread_local kept last;
  const auto now = clock::system().wall();
  const auto second = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  if (second != last.second) {
    last.text = http_date(now);
    last.second = second;
  }
  return last.text;
}

/// What was wrong with a body, by the status it got.
[[nodiscard]] constexpr std::string_view body_problem(int status) noexcept {
  return status == 408   ? "the body did not arrive in time"
         : status == 413 ? "the body is too large"
         : status == 415 ? "the body is in a coding that is not known here"
                         : "the body is not framed as it says";
}

/// An answer that nobody else writes, the connection closing.
[[nodiscard]] std::string whole_answer(response& res, bool with_body = true);
/// The same for what the gate refuses.
[[nodiscard]] std::string refusal(int status, std::string_view reason, bool with_body = true);

// ---------------------------------------------------------------------------------------------------------------------

inline core::core(const router& routes, const wire::limits& bounds, logger& log)
    : routes_(routes), bounds_(bounds), log_(log), guard_(routes, log), paces_(routes.routes().entries().size() + 1), salt_(std::random_device{}() & 0xFFFFFFu) {
  // Content providers stop as soon as this is INVALID_SOCKET, which to cpp-httplib means "stopped".
  svr_sock_ = static_cast<socket_t>(0);
  set_payload_max_length((std::numeric_limits<std::size_t>::max)());  // ours count; its own would blank our answer

  set_pre_routing_handler([this](const request& req, response& res) {
    // cpp-httplib hands out its own non-const objects as const; casting that away is well defined.
    auto& r = const_cast<request&>(req);
    exchange& x = *current_exchange();
    if (x.done) {  // it was made on the direct way; what is left to do is to write it
      res = std::move(*x.done);
      r.ranges.clear();
      return HandlerResponse::Handled;
    }
    x.req = &req;
    r.is_connection_closed = [&x] { return x.stream.watch(std::chrono::milliseconds(0)) == watched::gone; };
    if (r.method != "GET" && r.method != "HEAD") r.ranges.clear();  // a range is defined for GET alone (RFC 9110 §14.2)

    if (x.match.what == route::outcome::found && !x.stream.body_done() && r.method != "HEAD") {
      // On to the handler below, which cpp-httplib gives the body's reader, as it does for some methods only.
      x.path = std::exchange(r.path, "/_");
      x.method = std::exchange(r.method, "POST");
      return HandlerResponse::Unhandled;
    }
    route(x, r, res);
    return HandlerResponse::Handled;
  });

  // With a reader cpp-httplib lets us say when the body is read: after the middleware, before the handler.
  const HandlerWithContentReader late = [this](const request& req, response& res, const httplib::ContentReader& read) {
    exchange& x = *current_exchange();
    auto& r = const_cast<request&>(req);
    r.path = std::move(x.path);
    r.method = std::move(x.method);
    r.path_params.clear();
    x.read_body = [this, &x, &r, &read] {
      const std::uint64_t most = body_limit(x);
      x.body_too_large = x.head.framing == wire::framing::length && x.head.content_length > most;
      if (x.body_too_large) return false;
      return takes_upload(x) ? receive_upload(x, r, read, most) : http::read_body(r, read, most, x.body_too_large);
    };
    route(x, r, res);
    x.read_body = nullptr;
  };
  Post("/:_", late);

  set_error_handler([this](const request& req, response& res) {
    exchange& x = *current_exchange();
    if (x.ours || !res.body.empty()) return HandlerResponse::Unhandled;
    guard_.refuse(x, req, res, res.status, "the request could not be read");  // cpp-httplib's own refusals have no text
    return HandlerResponse::Handled;
  });

  set_post_routing_handler([this](const request& req, response& res) { before_write(*current_exchange(), req, res); });
}

inline std::string core::next_id() {
  char text[32];
  char* at = text;
  for (int shift = 20; shift >= 0; shift -= 4) *at++ = "0123456789abcdef"[(salt_ >> shift) & 0xF];
  *at++ = '-';
  at = std::to_chars(at, text + sizeof text, count_.fetch_add(1, std::memory_order_relaxed) + 1).ptr;
  return std::string(text, at);
}

inline bool core::process(exchange& x, const os::endpoint& peer, const os::endpoint& local) {
  exchange* const outer = std::exchange(current_exchange(), &x);  // of a handler that asks another engine
  bool ok = false;
  try {
    const bool direct = bounds_.direct_path && !pace_of(x.match).streams() && is_plain(x.head, x.stream) &&
                        !(x.match.what == route::outcome::found && takes_upload(x));
    ok = (direct && process_directly(x, peer, local)) || process_by_library(x, peer, local);
  } catch (const std::exception& e) {
    // Content providers, hooks and the writer run outside cpp-httplib's own try block.
    log_.error("request " + x.id + ": the answer failed while it was written: " + e.what());
  } catch (...) {
    log_.error("request " + x.id + ": the answer failed while it was written");
  }
  current_exchange() = outer;
  if (x.stream.answered_in_place()) x.status = 503;
  return x.stream.close() && ok && !x.closing && x.stream.body_done();
}

inline bool core::process_by_library(exchange& x, const os::endpoint& peer, const os::endpoint& local) {
  x.stream.hand_over(wire::canonical_head(x.head, httplib_decodes_headers));
  return process_request(x.stream, peer.host, peer.port, local.host, local.port, x.closing, x.closed, nullptr);
}

/// False: nothing has been answered, and the other way is the one.
inline bool core::process_directly(exchange& x, const os::endpoint& peer, const os::endpoint& local) {
  request req;
  if (!fill_request(req, x.head, peer, local)) return false;
  response res;
  x.req = &req;
  req.is_connection_closed = [&x] { return x.stream.watch(std::chrono::milliseconds(0)) == watched::gone; };
  struct here {
    const core& of;
    exchange& x;
    request& req;
  } all{*this, x, req};
  if (x.match.what == route::outcome::found && !x.stream.body_done() && req.method != "HEAD") {
    x.read_body = [&all] {
      const std::uint64_t most = all.of.body_limit(all.x);
      all.x.body_too_large = all.x.head.content_length > most;
      if (all.x.body_too_large) return false;
      all.x.stream.take_body(all.req.body);
      if (is_urlencoded(all.req)) take_urlencoded(all.req);
      return true;
    };
  }
  route(x, req, res);
  x.read_body = nullptr;
  if (!is_whole(res)) {  // from now on such requests go the other way at once
    pace_of(x.match).note_stream();
    x.done = &res;
    const bool ok = process_by_library(x, peer, local);
    x.done = nullptr;
    x.req = nullptr;
    return ok;
  }
  if (!x.stream.body_done() && x.stream.body_here()) {
    std::string unread;
    x.stream.take_body(unread);
  }
  complete_headers(res);
  before_write(x, req, res);
  write_answer(res, req.method != "HEAD", x.stream.out());
  x.req = nullptr;
  return true;
}

/// The middleware, and in its middle the handler or the refusal.
inline void core::route(exchange& x, request& req, response& res) {
  x.ours = true;
  if (x.match.what == route::outcome::found) x.pattern = routes_.entry(x.match.id).path.text;
  run_link(x, 0, req, res);
  guard_.check_status(x, req, res);
  if (text::equal_nocase(res.get_header_value("Connection"), "close")) x.closing = true;  // somebody's own wish
  if (res.status == -1) res.status = 200;     // left at -1, a Range would turn it into 206
  if (res.status != 206) req.ranges.clear();  // cpp-httplib would make it 416 where they reach past the answer's end
  if (res.has_header("Content-Encoding")) req.headers.erase("Accept-Encoding");  // cpp-httplib would encode it again
  drop_late_body(x);
}

/// One middleware, which is given the rest as `next`; each in a guard of its own, so that whoever called `next` sees a
/// finished answer whatever went wrong behind it.
inline void core::run_link(exchange& x, std::size_t at, request& req, response& res) {
  const chain& links = routes_.around(x.match, x.head.verb);
  if (at == links.size()) return dispatch(x, req, res);
  bool called = false;
  const std::function<void()> rest = [&] {
    if (std::exchange(called, true)) throw std::logic_error("a middleware called next() a second time");
    run_link(x, at + 1, req, res);
    if (res.status == -1) res.status = 200;
  };
  guard_.run(x, req, res, "middleware", [&] { (*links[at])(req, res, next(rest)); });
}

/// A body that has arrived with its head is dropped, and the connection lives on. One that would have to be waited for
/// is not worth it: the answer leaves now, and the connection ends.
inline void core::drop_late_body(exchange& x) {
  if (x.stream.body_here() && x.stream.body_fault() == 0) return;
  x.closing = true;
  x.stream.refuse_body();
}

inline void core::dispatch(exchange& x, request& req, response& res) {
  switch (x.match.what) {
    case route::outcome::found: return call_handler(x, req, res);
    case route::outcome::bad_path: return guard_.refuse(x, req, res, 400, "the path is not well formed");
    case route::outcome::not_found: return guard_.refuse(x, req, res, 404, {});
    case route::outcome::paused:
      replace_header(res, "Retry-After", "10");
      return guard_.refuse(x, req, res, 503, "the service is paused");
    case route::outcome::method_not_allowed:
      replace_header(res, "Allow", x.match.allowed.allow());
      if (x.head.verb == route::method::options) res.status = 204;
      else guard_.refuse(x, req, res, 405, {});
  }
}

inline bool core::receive_upload(exchange& x, request& req, const httplib::ContentReader& read,
                                 std::uint64_t most) const {
  upload files;
  const bool closing = std::exchange(x.closing, true);  // unless it is read to its end, nothing can follow it
  const std::uint64_t of_file = routes_.entry(x.match.id).about.file_limit.value_or(most);
  if (!read_upload(req, read, {most, of_file, routes_.upload_folder}, files)) return false;
  x.closing = closing;
  leave_upload(x, std::move(files));
  return true;
}

inline void core::call_handler(exchange& x, request& req, response& res) {
  guard_.run(x, req, res, "handler", [&] {
    if (x.read_body && !x.read_body()) {
      const int fault = x.stream.body_fault();
      const int status = x.body_too_large ? 413 : fault > 0 ? fault : res.status >= 400 ? res.status : 400;
      x.closing = true;
      winsvc::abort(status, x.body_too_large ? "the body is larger than " + std::to_string(body_limit(x)) + " bytes"
                                             : std::string(body_problem(status)));
    }
    std::optional<watchdog::watch> until;
    if (const auto limit = routes_.entry(x.match.id).about.time_limit)
      until.emplace(watchdog_, *limit, [this, &x, &req, limit = *limit] { answer_late_handler(x, req, limit); });
    routes_.call(x.match, req, res);
  });
}

/// On the watchdog's thread. The request is only read here, as it is in the handler.
inline void core::answer_late_handler(exchange& x, const request& req, std::chrono::milliseconds limit) noexcept {
  try {
    response res;
    const std::string detail = "no answer within " + duration_text(limit);
    if (asks_for_text(req)) write_text_problem(res, 503, detail, x.id);
    else write_problem(res, 503, detail, x.id);
    if (!x.stream.answer_in_place(whole_answer(res))) return;
    log_.warn("request " + x.id + ": " + std::string(x.head.method) + ' ' + std::string(x.head.path) + ": handler at " +
              routes_.entry(x.match.id).where.text() + ": " + detail + "; the client was told so with 503, and the "
              "handler goes on");
  } catch (...) {  // no memory: the handler may still answer
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
  const bool bodiless = res.status < 200 || res.status == 204 || res.status == 304;
  if (res.content_provider_ && (bodiless || !res.body.empty())) {  // a stream that was replaced
    drop_stream(res);
    replace_header(res, "Content-Length", std::to_string(res.body.size()));
  }
  if (res.content_provider_) x.stream.unbuffered();
  // RFC 9110 §8.6: no Content-Length in a 1xx or 204; a 304's would be that of the answer it stands for.
  if (bodiless) {
    res.body.clear();
    res.headers.erase("Content-Length");
    if (res.status != 304) res.headers.erase("Content-Type");
  }
  if (req.method == "HEAD") res.headers.erase("Accept-Ranges");  // cpp-httplib promises ranges on HEAD alone
  res.headers.erase("Keep-Alive");
  res.headers.erase("Connection");
  const bool switches = res.has_header("Upgrade");  // or tells what to switch to: 101 and 426
  if (x.closing && res.status != 101) {
    res.set_header("Connection", switches ? "Upgrade, close" : "close");
  } else if (switches) {
    res.set_header("Connection", "Upgrade");
  } else if (x.head.minor == 0) {
    res.set_header("Connection", "keep-alive");
  }
  if (!res.has_header("Date")) res.set_header("Date", date_of_now());
}

inline std::string whole_answer(response& res, bool with_body) {
  replace_header(res, "Date", date_of_now());
  replace_header(res, "Connection", "close");
  complete_headers(res);
  std::string out;
  write_answer(res, with_body, out);
  return out;
}

inline std::string refusal(int status, std::string_view reason, bool with_body) {
  response res;
  write_problem(res, status, reason);
  if (status == 503 || status == 429) replace_header(res, "Retry-After", "10");
  return whole_answer(res, with_body);
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/connection.hpp
// =====================================================================================================================

// One connection, from its first byte to its close, in steps: read a head, let the gate judge it, find the route, have
// it answered, send the answer; again. A step takes what is there and never waits for more, so nobody's slowness holds
// a thread:
//
//   connection c(wire, core, traffic, limits);
//   for (;;) {
//     const auto next = c.advance(desk, {});
//     if (next.what == wants::nothing) break;      // else wait for it, until next.until at the most
//   }
//
// It knows neither sockets nor other connections; what it shares with them is in `traffic`, what it borrows for a step
// in `desk`.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// The blocks of memory that a step works in. A thread has one desk for all connections, so that one that has nothing
/// to say costs next to none.
struct desk {
  desk() {
    for (auto* block : {&bytes, &head, &out}) block->reserve(16 * 1024);
  }
  std::string bytes, head, out;  // empty, with room
};

/// How a step is taken.
struct visit {
  bool late = false;      ///< the time that was waited for is over
  bool quick = false;     ///< go into no handler that is known to be slow
  bool too_busy = false;  ///< nor into any other: there is nobody for it
  /// Where to write whose pace it is that the step depends on; null: nobody asks.
  std::atomic<pace*>* whose = nullptr;
};

/// What a connection waits for.
enum class wants : std::uint8_t { bytes, room, worker, nothing };

struct awaited {
  wants what = wants::nothing;
  std::chrono::steady_clock::time_point until = (std::chrono::steady_clock::time_point::max)();
};

class connection {
 public:
  using steady = std::chrono::steady_clock;

  connection(transport& wire, core& server, traffic& shared, const wire::limits& bounds)
      : wire_(wire), server_(server), shared_(shared), bounds_(bounds), peer_(wire.peer()), local_(wire.local()) {
    reset_clock(wire_.is_fresh() ? bounds_.head_time : bounds_.idle_time);
  }
  ~connection() { answered(); }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  /// What a new one waits for.
  [[nodiscard]] awaited first() const noexcept { return wait(wants::bytes); }
  /// As far as it goes without waiting. On any thread, one at a time. Never throws.
  [[nodiscard]] awaited advance(desk& with, const visit& how) noexcept;

  /// What it is busy with: `GET /report 21 s`, or nothing. From any thread.
  [[nodiscard]] std::string doing() const;
  /// What waits to be sent begins with this.
  [[nodiscard]] std::string_view unsent() const noexcept { return std::string_view(out_).substr(out_at_); }
  /// So much of it has left.
  void was_sent(std::size_t count) noexcept { out_at_ += count, reset_clock(bounds_.write_time); }

 private:
  enum class stage : std::uint8_t { head, body, ready, answer, linger, over };
  class borrowed;

  [[nodiscard]] std::optional<awaited> read_head(const visit& how);
  [[nodiscard]] std::optional<awaited> read_body(const visit& how);
  [[nodiscard]] std::optional<awaited> send_answer(const visit& how);
  [[nodiscard]] std::optional<awaited> linger(const visit& how);
  void take_head(wire::head_result&& got);
  void find_route();
  void handle(const visit& how);
  void refuse(int status, std::string_view reason);
  void close(parting how) noexcept;
  void answered() noexcept;
  os::transfer receive();
  [[nodiscard]] awaited wait(wants what) const noexcept { return {what, until_}; }
  void reset_clock(std::chrono::milliseconds limit) noexcept { until_ = steady::now() + limit; }

  transport& wire_;
  core& server_;
  traffic& shared_;
  const wire::limits& bounds_;
  os::endpoint peer_, local_;

  stage stage_ = stage::head;
  steady::time_point until_;  // what is waited for has to be there
  receive_buffer buffer_;
  std::size_t scanned_ = 0;  // of a head that is not complete

  // Of the request that is being served.
  bool in_flight_ = false, alive_ = false, unread_ = false;
  std::string head_block_;  // what the views of head_ point into
  wire::head head_;
  route::match_result match_;
  steady::time_point began_;
  access_entry told_;
  std::string id_, client_;
  std::string out_;  // of the answer, not yet sent
  std::size_t out_at_ = 0, lingered_ = 0;

  mutable std::mutex doing_mutex_;
  bool doing_ = false;  // head_ may be read by others
};

// ---------------------------------------------------------------------------------------------------------------------

/// Gives a connection the desk's blocks for a step. What it still needs afterwards, it keeps.
class connection::borrowed {
 public:
  borrowed(connection& of, desk& with) noexcept : of_(of), with_(with) {
    lend(of_.buffer_.bytes, with_.bytes);
    lend(of_.head_block_, with_.head);
    lend(of_.out_, with_.out);
  }
  ~borrowed() {
    if (const auto rest = of_.buffer_.rest(); rest.size() <= few) keep_few(rest);
    if (!of_.in_flight_) of_.head_block_.clear();
    take_back(of_.head_block_, with_.head);
    take_back(of_.out_, with_.out);
  }
  borrowed(const borrowed&) = delete;
  borrowed& operator=(const borrowed&) = delete;

 private:
  static constexpr std::size_t few = 2048;

  /// The beginning of a request needs no whole block.
  void keep_few(std::string_view rest) noexcept {
    try {
      std::string kept(rest);
      of_.buffer_.bytes.clear();
      of_.buffer_.used = 0;
      take_back(of_.buffer_.bytes, with_.bytes);
      of_.buffer_.bytes = std::move(kept);
    } catch (...) {  // no memory: then it keeps the block
    }
  }
  static void lend(std::string& mine, std::string& theirs) noexcept {
    if (mine.empty()) mine.swap(theirs);
  }
  static void take_back(std::string& mine, std::string& theirs) noexcept {
    constexpr std::size_t largest = 256 * 1024;  // a block that a large answer grew is not kept for small ones
    if (mine.empty() && mine.capacity() > theirs.capacity() && mine.capacity() <= largest) mine.swap(theirs);
    else if (mine.empty()) std::string().swap(mine);
  }

  connection& of_;
  desk& with_;
};

inline awaited connection::advance(desk& with, const visit& how) noexcept {
  try {
    const borrowed blocks(*this, with);
    visit now = how;
    for (;; now.late = false) {
      std::optional<awaited> until;
      switch (stage_) {
        case stage::head: until = read_head(now); break;
        case stage::body: until = read_body(now); break;
        case stage::ready:
          if (now.too_busy) refuse(503, "the service is too busy");
          else if (now.quick && server_.is_slow(match_)) return wait(wants::worker);
          else handle(now);
          break;
        case stage::answer: until = send_answer(now); break;
        case stage::linger: until = linger(now); break;
        case stage::over: return {};
      }
      if (until) return *until;
    }
  } catch (...) {  // out of memory in our own hands: this connection ends, the others go on
    stage_ = stage::over;
    return {};
  }
}

/// Up to a block of what has come, behind what is there.
inline os::transfer connection::receive() {
  constexpr std::size_t piece = 16 * 1024;
  auto& into = buffer_.bytes;
  const auto before = into.size();
  if (into.capacity() - before < piece) {
    if (buffer_.used > 0) into.erase(0, std::exchange(buffer_.used, 0));
  }
  char block[piece];
  std::size_t got = 0;
  const auto what = wire_.receive(block, sizeof block, got, std::chrono::milliseconds(0));
  if (what == os::transfer::done) into.append(block, got);
  return what;
}

inline std::optional<awaited> connection::read_head(const visit& how) {
  const bool begun = !buffer_.rest().empty();
  if (begun) {
    auto got = wire::parse_head(buffer_.rest(), bounds_, &scanned_);
    if (got.step != wire::head_result::more) {
      scanned_ = 0;
      if (got.step == wire::head_result::reject) refuse(got.status, got.reason);
      else take_head(std::move(got));
      return std::nullopt;
    }
  }
  const auto what = receive();  // what has arrived is served, even so late
  if (what == os::transfer::done) {
    if (!begun) reset_clock(bounds_.head_time);
    return std::nullopt;
  }
  if (what != os::transfer::timed_out) return close(parting::idle), std::nullopt;
  if (!begun) {
    if (how.late || shared_.draining.load()) return close(parting::idle), std::nullopt;
    return wait(wire_.wants_room(false) ? wants::room : wants::bytes);
  }
  if (how.late || steady::now() >= until_) return refuse(408, "the request head did not arrive in time"), std::nullopt;
  // A drain does not wait for a head that is slow to come: it has a last moment, and is refused then.
  constexpr std::chrono::milliseconds last_moment{500};
  if (shared_.draining.load()) until_ = (std::min)(until_, steady::now() + last_moment);
  return wait(wire_.wants_room(false) ? wants::room : wants::bytes);
}

inline void connection::take_head(wire::head_result&& got) {
  began_ = steady::now();
  ++shared_.in_flight;
  in_flight_ = true;

  // The head's views point into the buffer, which the body's bytes would move: the block they are in is set aside, and
  // the two blocks take turns from request to request.
  head_block_.clear();
  std::swap(head_block_, buffer_.bytes);
  buffer_.bytes.assign(head_block_, buffer_.used + got.consumed);
  buffer_.used = 0;
  head_ = std::move(got.value);
  find_route();

  // A small body is waited for here, where that holds no thread. Not one that the client sends only when it is told to,
  // nor where the answer does not depend on it.
  constexpr std::uint64_t small = 64 * 1024;
  const bool waits = head_.framing == wire::framing::length && head_.content_length <= small &&
                     !head_.expect_continue && match_.what == route::outcome::found &&
                     head_.content_length <= server_.routes().body_limit(match_, bounds_.body_bytes);
  stage_ = waits ? stage::body : stage::ready;
}

inline void connection::find_route() {
  const auto& routes = server_.routes();
  match_ = {};
  if (head_.path == "*") {
    match_.what = route::outcome::method_not_allowed;
    match_.allowed = routes.routes().all_methods();
  } else {
    match_ = routes.routes().match(head_.verb, head_.path);
  }
  if (shared_.paused.load() && !routes.serves_paused(match_)) match_.what = route::outcome::paused;
}

/// What is wrong with a body that did not come is found by whoever reads it: he answers, and logs.
inline std::optional<awaited> connection::read_body(const visit& how) {
  const auto have = buffer_.rest().size();
  if (have >= head_.content_length || how.late) return stage_ = stage::ready, std::nullopt;
  const auto what = receive();
  if (what == os::transfer::done) return std::nullopt;
  if (what != os::transfer::timed_out) return stage_ = stage::ready, std::nullopt;
  // The deadline is for the whole body: each byte that came buys the time it is worth, and no more.
  until_ = began_ + bounds_.time_for_body(have);
  if (steady::now() >= until_) return stage_ = stage::ready, std::nullopt;
  return wait(wire_.wants_room(false) ? wants::room : wants::bytes);
}

inline void connection::handle(const visit& how) {
  exchange_stream stream(wire_, buffer_, out_, head_, bounds_);
  stream.began(began_);
  exchange x(head_, stream, server_.next_id(), shared_.draining);
  x.websockets = &shared_.websockets;
  x.routes = &server_.routes().routes();
  x.match = std::move(match_);
  if (head_.framing == wire::framing::chunked)
    stream.limit_body(server_.routes().body_limit(x.match, bounds_.body_bytes));
  x.closing = !head_.keep_alive;
  if (how.whose) how.whose->store(&server_.pace_of(x.match), std::memory_order_relaxed);
  {
    const std::lock_guard lock(doing_mutex_);
    doing_ = true;
  }
  const auto from = steady::now();
  alive_ = server_.process(x, peer_, local_);
  const auto to = steady::now();
  {
    const std::lock_guard lock(doing_mutex_);
    doing_ = false;
  }
  if (how.whose) how.whose->store(nullptr, std::memory_order_relaxed);
  server_.pace_of(x.match).note(to - from);

  id_ = std::move(x.id);
  client_ = std::move(x.client);
  told_.pattern = x.pattern;
  told_.status = x.status;
  told_.bytes = stream.sent();
  told_.route_id.reset();
  if (x.match.what == route::outcome::found) told_.route_id = x.match.id;

  if (alive_ && x.status == 101 && x.upgraded) {
    wire_.hold();
    alive_ = stream.flush();
    told_.bytes = stream.sent();
    answered();  // from here on it is no request
    if (alive_) server_.process_upgraded(x);
    return close(parting::answered);
  }
  unread_ = !stream.body_done();
  out_at_ = 0;
  until_ = to + bounds_.write_time;
  stage_ = stage::answer;
}

inline std::optional<awaited> connection::send_answer(const visit& how) {
  if (how.late) return close(parting::idle), std::nullopt;
  std::size_t sent = 0;
  const auto what = wire_.send_some(out_.data() + out_at_, out_.size() - out_at_, sent);
  out_at_ += sent;
  if (what == os::transfer::timed_out) {
    if (sent > 0) reset_clock(bounds_.write_time);  // it is for a stretch without progress
    return wait(wire_.wants_room(true) ? wants::room : wants::bytes);
  }
  if (what == os::transfer::done) told_.bytes += out_.size();
  out_.clear();
  out_at_ = 0;
  answered();
  if (what != os::transfer::done) return close(parting::idle), std::nullopt;
  if (!alive_) return close(unread_ ? parting::unread : parting::answered), std::nullopt;
  std::vector<wire::field>().swap(head_.fields);
  stage_ = stage::head;
  until_ = steady::now() + bounds_.idle_time;
  if (buffer_.rest().empty() && wire_.is_drained() && !shared_.draining.load()) return wait(wants::bytes);
  return std::nullopt;
}

/// The request is over, whatever became of it.
inline void connection::answered() noexcept {
  if (!std::exchange(in_flight_, false)) return;
  --shared_.in_flight;
  if (told_.bytes == 0) return;  // nobody got an answer
  ++shared_.answered;
  if (shared_.on_answered.empty()) return;
  told_.method = head_.method;
  told_.target = head_.target;
  told_.verb = head_.verb;
  told_.id = id_;
  told_.peer = peer_;
  if (!client_.empty()) told_.peer.host = client_, told_.peer.port = 0;
  told_.took = std::chrono::duration_cast<std::chrono::microseconds>(steady::now() - began_);
  shared_.tell(told_);
}

/// What the gate refuses, or nobody has time for. It ends the connection.
inline void connection::refuse(int status, std::string_view reason) {
  // Of a head that is none it is known at least whether a body may follow (RFC 9110 §9.3.2).
  auto asked = in_flight_ ? std::string_view(head_block_) : buffer_.rest();
  while (text::starts_with(asked, "\r\n")) asked.remove_prefix(2);
  out_ = refusal(status, reason, !text::starts_with(asked, "HEAD "));
  out_at_ = 0;
  alive_ = false;
  unread_ = true;
  shared_.tell({"refused:", reason, {}, peer_, status, out_.size(), {}});
  if (std::exchange(in_flight_, false)) --shared_.in_flight;
  reset_clock(bounds_.write_time);
  stage_ = stage::answer;
}

/// After an answer, what the client still sends is taken for a moment, because closing over it makes Windows reset the
/// connection, and the client never sees the answer (RFC 9112 §9.6). A client that has all it wants ends that moment at
/// once.
inline void connection::close(parting how) noexcept {
  answered();
  how = wire_.finish(buffer_.rest().empty() ? how : parting::unread);
  reset_clock(std::chrono::milliseconds(how == parting::unread ? 500 : 100));
  stage_ = how == parting::idle ? stage::over : stage::linger;
}

inline std::optional<awaited> connection::linger(const visit& how) {
  constexpr std::size_t most = 1024 * 1024;
  buffer_.bytes.clear();
  buffer_.used = 0;
  const auto what = how.late ? os::transfer::closed : receive();
  lingered_ += buffer_.bytes.size();
  if (what == os::transfer::timed_out) return wait(wants::bytes);
  if (what != os::transfer::done || lingered_ > most) stage_ = stage::over;
  return std::nullopt;
}

inline std::string connection::doing() const {
  const std::lock_guard lock(doing_mutex_);
  if (!doing_) return {};
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(steady::now() - began_);
  return std::string(head_.method) + ' ' + std::string(head_.path) + ' ' + std::to_string(age.count()) + " s";
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/crew.hpp
// =====================================================================================================================

// The engine's threads, few and busy.
//
// In front stand as many as there are cores. Each waits in the poller, and serves what it is told of right there: for a
// handler that is quick, nothing is cheaper than the thread that has the request in its cache. What is known to be slow
// goes through a queue to those at the back. They are few too, become more while handlers block, and fewer again.
//
// Somebody in front who does not come back from a handler is found out by the clerk, the one thread that looks at the
// clock: what he had still to serve goes to the back, he stays there himself, and another stands in front. The clerk
// keeps the deadlines as well. While nothing happens he sleeps, as all others do: an idle crew makes no wake-up.
//
// Whoever is going to wait for one client for long (a stream, a WebSocket, a large body) leaves the crew before, and
// comes back after: he is not counted, and a place at the back is free for another.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

struct crew_limits {
  std::size_t front = 1;     ///< threads that wait for clients
  std::size_t few = 4;       ///< threads that stay, those in front among them
  std::size_t many = 256;    ///< threads while handlers block
  std::size_t queue = 1000;  ///< requests that wait for one of them
};

class crew {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  enum class post { front, back };

  /// What the crew works for. All of it is called by the crew's threads.
  class employer {
   public:
    /// Up to `room` things that can be served; waits for one. 0 once `wake` was called.
    virtual std::size_t wait(void** into, std::size_t room) noexcept = 0;
    virtual void wake() noexcept = 0;
    /// Is it free to be served? From here on it is the caller's.
    virtual bool claim(void* what) noexcept = 0;
    virtual void serve(void* what, post at) noexcept = 0;
    /// It is served in front, and takes long.
    virtual void is_slow(void* what) noexcept = 0;
    /// Does what is due; says when something is next.
    virtual time_point look_at_clock(time_point now) noexcept = 0;

   protected:
    ~employer() = default;
  };

  crew(employer& whose, const crew_limits& bounds) : whose_(whose), bounds_(bounds) {}
  /// Waits for all.
  ~crew() { stop(); }
  crew(const crew&) = delete;
  crew& operator=(const crew&) = delete;

  /// Throws std::system_error when not even one thread is to be had.
  void start();
  /// Ends all threads, and waits for those that serve.
  void stop();
  /// Lets go of those that serve; the crew must stay as it is until the process ends.
  void abandon();

  /// For the back, once claimed. False: so many wait already, unless it `must` be.
  bool give(void* what, bool must);
  /// Are as many threads in handlers as there may be? Then nobody in front should go into one.
  [[nodiscard]] bool is_full() const noexcept { return full_.load(std::memory_order_relaxed); }
  /// The clerk shall ask for the time sooner than he was told.
  void look_again();

  /// On a thread of the crew: see above. Each `leave` has its `come_back`.
  void leave();
  void come_back();
  /// Is this thread one of the crew?
  [[nodiscard]] bool is_member() const noexcept { return self() && self()->of == this; }

  /// Threads of the crew; those that left are not among them.
  [[nodiscard]] std::size_t size() const;

 private:
  static constexpr std::size_t batch = 8;
  static constexpr std::chrono::milliseconds tick{2};

  struct member {
    std::thread thread;
    crew* of = nullptr;
    std::atomic<bool> in_front{false};       // written under mutex_
    std::atomic<std::uint64_t> turns{0};     // odd while it serves
    std::atomic<void*> serves{nullptr};
    std::atomic<std::uint64_t> cursor{0};    // of the batch: which one, how many, the next
    std::atomic<void*> told[batch] = {};
    std::uint64_t seen = 0;                  // the clerk's: turns at his last look
    bool ended = false;                      // under mutex_
  };
  static member*& self() noexcept {
    static thread_local member* one = nullptr;
    return one;
  }

  void work(member& m) noexcept;
  void stand_in_front(member& m) noexcept;
  bool stand_at_back(member& m) noexcept;
  void serve(member& m, void* what, post at) noexcept;
  [[nodiscard]] static void* take(member& m) noexcept;
  void hand_over(member& m);
  bool hire(bool in_front);
  void see_to_front();
  void see_to_queue();
  void count();
  void keep_watch() noexcept;
  void clerk() noexcept;
  bool look_around();
  void send_clerk_home();

  employer& whose_;
  const crew_limits bounds_;

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::list<member> members_;
  std::deque<void*> queue_;
  std::size_t size_ = 0, front_ = 0, idle_ = 0, gone_ = 0;  // gone_: left for a while
  std::uint64_t taken_ = 0, taken_before_ = 0;              // from the queue
  bool over_ = false;
  std::atomic<bool> full_{false};

  std::mutex clerk_mutex_;
  std::condition_variable clerk_wakes_;
  std::thread clerk_;
  std::atomic<bool> watching_{false};
  bool asked_ = false, clerk_over_ = false;
};

// ---------------------------------------------------------------------------------------------------------------------

inline void crew::start() {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < (std::max)(bounds_.front, std::size_t{1}); ++i) {
    if (!hire(true) && i == 0) throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
  }
  clerk_ = std::thread([this] { clerk(); });
}

/// Under mutex_. One thread more; false when the system has none.
inline bool crew::hire(bool in_front) {
  if (over_) return false;
  for (auto it = members_.begin(); it != members_.end();) {
    const auto here = it++;
    if (!here->ended) continue;
    here->thread.join();
    members_.erase(here);
  }
  try {
    member& m = members_.emplace_back();
    m.of = this;
    m.in_front.store(in_front);
    try {
      m.thread = std::thread([this, &m] { work(m); });
    } catch (...) {
      members_.pop_back();
      throw;
    }
  } catch (const std::exception&) {  // no thread, or no memory for one: those that are there go on
    return false;
  }
  ++size_;
  if (in_front) ++front_;
  count();
  return true;
}

/// Under mutex_.
inline void crew::count() { full_.store(size_ >= bounds_.many, std::memory_order_relaxed); }

inline void crew::work(member& m) noexcept {
  self() = &m;
  do stand_in_front(m);
  while (stand_at_back(m));
  const std::lock_guard lock(mutex_);
  m.ended = true;
}

inline void crew::serve(member& m, void* what, post at) noexcept {
  m.serves.store(what, std::memory_order_relaxed);
  m.turns.store(m.turns.load(std::memory_order_relaxed) + 1);
  if (!watching_.load()) keep_watch();
  whose_.serve(what, at);
  m.turns.store(m.turns.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

/// The next of the batch, for whoever asks first: the one who was told, or who takes it over from him.
inline void* crew::take(member& m) noexcept {
  auto at = m.cursor.load(std::memory_order_acquire);
  for (;;) {
    const auto count = (at >> 8) & 0xFF, next = at & 0xFF;
    if (next >= count) return nullptr;
    void* const what = m.told[next].load(std::memory_order_relaxed);
    if (m.cursor.compare_exchange_weak(at, at + 1, std::memory_order_acq_rel, std::memory_order_acquire)) return what;
  }
}

inline void crew::stand_in_front(member& m) noexcept {
  std::uint64_t number = 0;
  while (m.in_front.load(std::memory_order_acquire)) {
    void* got[batch];
    const std::size_t count = whose_.wait(got, batch);
    if (count == 0) {
      const std::lock_guard lock(mutex_);
      if (!over_) continue;
      if (m.in_front.exchange(false)) --front_;
      return;
    }
    for (std::size_t i = 0; i < count; ++i) m.told[i].store(got[i], std::memory_order_relaxed);
    m.cursor.store((++number << 16) | (count << 8), std::memory_order_release);
    while (void* const what = take(m)) {
      if (whose_.claim(what)) serve(m, what, post::front);
    }
  }
}

/// True: it is to stand in front.
inline bool crew::stand_at_back(member& m) noexcept {
  constexpr auto patience = std::chrono::seconds(10);
  std::unique_lock lock(mutex_);
  for (;;) {
    if (over_ && queue_.empty()) break;
    if (!over_ && front_ < bounds_.front) {
      ++front_;
      m.in_front.store(true);
      return true;
    }
    if (queue_.empty()) {
      ++idle_;
      const auto something = [this] { return over_ || !queue_.empty() || front_ < bounds_.front; };
      bool called = true;
      if (size_ > bounds_.few) called = work_.wait_for(lock, patience, something);
      else work_.wait(lock, something);
      --idle_;
      if (!called && size_ > bounds_.few) break;  // nobody needed this one for a while
      continue;
    }
    void* const what = queue_.front();
    queue_.pop_front();
    ++taken_;
    lock.unlock();
    serve(m, what, post::back);
    lock.lock();
  }
  --size_;
  count();
  return false;
}

inline bool crew::give(void* what, bool must) {
  {
    const std::lock_guard lock(mutex_);
    if (!must && queue_.size() >= bounds_.queue) return false;
    queue_.push_back(what);
    see_to_queue();
  }
  if (!watching_.load()) keep_watch();
  return true;
}

/// Under mutex_: somebody for what waits.
inline void crew::see_to_queue() {
  if (queue_.empty()) return;
  if (idle_ > 0) work_.notify_one();
  else if (size_ < bounds_.few || size_ == front_) hire(false);
}
/// Under mutex_: somebody who stands in front.
inline void crew::see_to_front() {
  if (over_ || front_ >= bounds_.front) return;
  if (idle_ > 0) work_.notify_one();
  else hire(true);
}

/// Under mutex_: it is going to be long where it is. What it has not begun goes to the back.
inline void crew::hand_over(member& m) {
  if (!m.in_front.exchange(false)) return;
  --front_;
  while (void* const what = take(m)) {
    if (whose_.claim(what)) queue_.push_back(what);
  }
  see_to_front();
  see_to_queue();
}

inline void crew::leave() {
  member& m = *self();
  const std::lock_guard lock(mutex_);
  --size_;
  ++gone_;
  count();
  hand_over(m);
  see_to_queue();
}

inline void crew::come_back() {
  const std::lock_guard lock(mutex_);
  --gone_;
  ++size_;
  count();
}

inline std::size_t crew::size() const {
  const std::lock_guard lock(mutex_);
  return size_;
}

// --- the clerk -------------------------------------------------------------------------------------------------------

inline void crew::keep_watch() noexcept {
  if (!watching_.exchange(true)) look_again();
}

inline void crew::look_again() {
  const std::lock_guard lock(clerk_mutex_);
  asked_ = true;
  clerk_wakes_.notify_one();
}

inline void crew::clerk() noexcept {
  constexpr int enough = 10;  // ticks without anything to see
  for (int quiet = 0;;) {
    const auto now = std::chrono::steady_clock::now();
    auto next = whose_.look_at_clock(now);
    if (watching_.load()) {
      quiet = look_around() ? 0 : quiet + 1;
      if (quiet >= enough) {
        watching_.store(false);
        if (look_around()) watching_.store(true);  // it began just now, and whoever began saw us watching
        quiet = 0;
      }
      if (watching_.load()) next = (std::min)(next, now + tick);
    }
    std::unique_lock lock(clerk_mutex_);
    const auto called = [this] { return asked_ || clerk_over_; };
    if (next == (time_point::max)()) clerk_wakes_.wait(lock, called);
    else clerk_wakes_.wait_until(lock, next, called);
    asked_ = false;
    if (clerk_over_) return;
  }
}

/// Is there anything to watch?
inline bool crew::look_around() {
  bool busy = false;
  const std::lock_guard lock(mutex_);
  for (auto& m : members_) {
    if (!m.in_front.load(std::memory_order_relaxed)) continue;
    const auto turns = m.turns.load();
    const bool moved = turns != std::exchange(m.seen, turns);
    busy = busy || moved || turns % 2 == 1;
    if (moved || turns % 2 == 0) continue;
    whose_.is_slow(m.serves.load(std::memory_order_relaxed));
    hand_over(m);
  }
  if (!queue_.empty()) {
    busy = true;
    // Nobody took anything since the last look: all are in handlers that block.
    if (taken_ == taken_before_ && size_ < bounds_.many && idle_ == 0) hire(false);
  }
  taken_before_ = taken_;
  return busy;
}

inline void crew::send_clerk_home() {
  if (!clerk_.joinable()) return;
  {
    const std::lock_guard lock(clerk_mutex_);
    clerk_over_ = true;
    clerk_wakes_.notify_one();
  }
  clerk_.join();
}

inline void crew::stop() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    work_.notify_all();
  }
  whose_.wake();
  send_clerk_home();
  for (auto& m : members_) {
    if (m.thread.joinable()) m.thread.join();
  }
  members_.clear();
}

inline void crew::abandon() {
  send_clerk_home();
  const std::lock_guard lock(mutex_);
  over_ = true;
  for (auto& m : members_) {
    if (m.thread.joinable()) m.thread.detach();
  }
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/guests.hpp
// =====================================================================================================================

// The clients that are connected, and who of the crew is at which of them.
//
// A seat is somebody's place: it waits (parked), or one thread is busy with it. Whoever wants to serve it claims it
// first; who comes while it is busy leaves word, and the busy one looks again before he goes. So no event is lost, and
// no client is served twice at once, without a lock. Seats are used again, and not freed before the engine is.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class seat {
 public:
  seat() noexcept { timer_.owner = this; }
  seat(const seat&) = delete;
  seat& operator=(const seat&) = delete;
  /// Parked to busy. Otherwise whoever is busy with it will look again.
  bool claim() noexcept {
    auto now = state_.load(std::memory_order_relaxed);
    for (;;) {
      if (now == state::parked) {
        if (state_.compare_exchange_weak(now, state::busy, std::memory_order_acq_rel)) return true;
      } else if (now != state::busy) {
        return false;  // empty, or told already
      } else if (state_.compare_exchange_weak(now, state::again, std::memory_order_acq_rel)) {
        return false;
      }
    }
  }
  /// Busy to parked. False: somebody left word; it is still the caller's.
  bool park() noexcept {
    auto now = state::busy;
    if (state_.compare_exchange_strong(now, state::parked, std::memory_order_acq_rel)) return true;
    state_.store(state::busy, std::memory_order_relaxed);
    return false;
  }
  /// From empty, as the caller's.
  void take() noexcept { state_.store(state::busy, std::memory_order_release); }
  void leave() noexcept { state_.store(state::empty, std::memory_order_release); }
  /// It is over, but the poller has something to report of it. Whoever hears the last of it empties the seat, once.
  void begin_to_leave() noexcept { state_.store(state::leaving); }
  bool end_to_leave() noexcept {
    auto now = state::leaving;
    return state_.compare_exchange_strong(now, state::empty);
  }
  [[nodiscard]] bool is_leaving() const noexcept { return state_.load() == state::leaving; }

  // When somebody has to look, though nothing came.
  std::atomic<bool> late{false};

 private:
  friend class deadlines;
  enum class state : std::uint8_t { empty, parked, busy, again, leaving };
  std::atomic<state> state_{state::empty};

  std::atomic<std::int64_t> until_{never}, looked_at_{never};  // in the clock's ticks
  timer_wheel::entry timer_;                                   // under the deadlines' lock
  static constexpr std::int64_t never = (std::numeric_limits<std::int64_t>::max)();
};

/// When which seat is to be looked at. Setting a later time, which is what an answered request does, takes no lock: the
/// wheel comes to the earlier one, finds that it has moved, and puts the seat there.
class deadlines {
 public:
  using steady = std::chrono::steady_clock;
  using time_point = steady::time_point;

  /// Of whoever is busy with the seat. True: it comes before all others.
  bool set(seat& s, time_point until) {
    const auto when = until.time_since_epoch().count();
    s.until_.store(when);
    if (when >= s.looked_at_.load()) return false;
    const std::lock_guard lock(mutex_);
    const auto before = wheel_.next();
    wheel_.set(s.timer_, until);
    s.looked_at_.store(when);
    return until < before;
  }
  void clear(seat& s) noexcept {
    s.until_.store(seat::never);
    const std::lock_guard lock(mutex_);
    wheel_.clear(s.timer_);
    s.looked_at_.store(seat::never);
  }
  /// Calls `f` for each that is parked and late, claimed. When to come again.
  template <class F>
  time_point advance(time_point now, const F& f) {
    const std::lock_guard lock(mutex_);
    wheel_.advance(now, [&](timer_wheel::entry& e) {
      seat& s = of(e);
      s.looked_at_.store(seat::never);  // before its time is read: whoever sets an earlier one from here on comes to us
      const auto until = s.until_.load();
      if (until == seat::never) return;
      if (until > now.time_since_epoch().count()) {
        s.looked_at_.store(until);
        wheel_.set(e, time_point(steady::duration(until)));
        return;
      }
      auto parked = seat::state::parked;  // who is busy with it sets another time
      if (!s.state_.compare_exchange_strong(parked, seat::state::busy, std::memory_order_acq_rel)) return;
      s.late.store(true);
      f(s);
    });
    return wheel_.next();
  }

 private:
  static seat& of(timer_wheel::entry& e) noexcept { return *static_cast<seat*>(e.owner); }
  std::mutex mutex_;
  timer_wheel wheel_{steady::now()};
};

/// One client.
struct guest final : seat, thread_lender {
  guest(os::poller& by, crew& of) noexcept : poller(by), staff(of) {}

  os::poller& poller;
  crew& staff;
  os::poller::place place;
  std::atomic<pace*> whose{nullptr};  // whose pace its request goes
  std::string address;                // of the client, where they are counted
  bool lent = false;                  // of whoever is busy with it: the thread has left the crew

  std::mutex mutex;  // of the two: they are closed by one thread, and may be looked at by another
  std::unique_ptr<socket_transport> wire;
  std::optional<connection> talk;

  void lend_thread() noexcept override {
    if (std::exchange(lent, true)) return;
    poller.arm(place, os::poll_for::nothing);
    staff.leave();
  }
  [[nodiscard]] bool has_hung_up() const noexcept override { return poller.has_hung_up(place); }
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// http/tls.hpp
// =====================================================================================================================

// TLS between a socket and HTTP, where cpp-httplib is built with a library for it (OpenSSL or Mbed TLS).
//
//   svc.tls("cert.pem", "key.pem");     // beside the executable; -DCPPHTTPLIB_OPENSSL_SUPPORT … -lssl -lcrypto
//
// TLS 1.2 or newer. The certificate file holds the service's own and those between it and the authority; the key has no
// passphrase, because nobody is there to type it: let the file be readable for the service's account alone. A reload
// (PARAMCHANGE) reads both again, for connections from then on; what cannot be used is logged, and the old ones stay.
//
// The handshake has the deadline of a request head. Whoever speaks plain HTTP here is told so in plain HTTP.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {

struct tls_options {
  /// Certificates of authorities, in one file: clients must bring a certificate that one of them has signed. Empty:
  /// clients bring none.
  std::string client_authorities;
};

namespace http {

#ifdef CPPHTTPLIB_SSL_ENABLED
inline constexpr bool has_tls = true;
#else
inline constexpr bool has_tls = false;
#endif

/// Where a service's certificate is: PEM files, their paths absolute.
struct tls_files {
  std::string certificate, key, client_authorities;
};

/// Certificate and key as the library has them: shared by the connections that began with them.
class tls_identity {
 public:
  /// The error names the file and what to do about it.
  [[nodiscard]] static result<std::shared_ptr<tls_identity>> load(const tls_files& from);
  ~tls_identity();
  tls_identity(const tls_identity&) = delete;
  tls_identity& operator=(const tls_identity&) = delete;

  [[nodiscard]] void* native() const noexcept { return native_; }

 private:
  explicit tls_identity(void* native) noexcept : native_(native) {}
  void* native_;
};

/// A connection's end, plain or, with an identity, behind TLS.
[[nodiscard]] std::unique_ptr<socket_transport> make_transport(os::tcp_socket socket, os::waker& drain,
                                                               std::shared_ptr<tls_identity> identity);

// ---------------------------------------------------------------------------------------------------------------------

#ifdef CPPHTTPLIB_SSL_ENABLED

/// The errors of this thread: one that somebody left there would be taken for ours. Their first, in words.
inline std::string take_tls_errors() {
  std::string first;
  for (int i = 0; i < 16; ++i) {  // OpenSSL's queue has so many
    const auto code = httplib::tls::get_error();
    if (code == 0) break;
    if (first.empty()) first = httplib::tls::error_string(code);
  }
  return first;
}

inline tls_identity::~tls_identity() { httplib::tls::free_context(native_); }

inline result<std::shared_ptr<tls_identity>> tls_identity::load(const tls_files& from) {
  constexpr std::uint32_t not_found = 2, not_valid = 13;  // ERROR_FILE_NOT_FOUND, ERROR_INVALID_DATA
  const auto refused = [](std::uint32_t code, const char* doing, const std::string& path, std::string said,
                          std::string hint) {
    return failure{error{code, doing, path, std::move(said), std::move(hint)}};
  };
  constexpr const char* check = "check the path, and that the service's account may read it";

  const auto certificate = os::read_file(from.certificate);
  if (!certificate) return refused(not_found, "read certificate", from.certificate, "it cannot be read", check);
  const auto key = os::read_file(from.key);
  if (!key) return refused(not_found, "read key", from.key, "it cannot be read", check);
  if (certificate->find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    return refused(not_valid, "read certificate", from.certificate, "there is no certificate in PEM form in it",
                   "openssl x509 -inform der -in FILE -out cert.pem converts one");
  }
  if (key->find("ENCRYPTED") != std::string::npos) {  // OpenSSL would ask the terminal for the passphrase, and wait
    return refused(not_valid, "read key", from.key, "it has a passphrase, and nobody is there to type it",
                   "openssl pkey -in FILE -out key.pem takes it off; let the service's account alone read that file");
  }
  if (key->find("PRIVATE KEY-----") == std::string::npos) {
    return refused(not_valid, "read key", from.key, "there is no private key in PEM form in it",
                   "give the file that was made with the certificate");
  }

  take_tls_errors();
  const auto words = [](const char* otherwise) {
    std::string said = take_tls_errors();
    return said.empty() ? std::string(otherwise) : said;
  };
  std::shared_ptr<tls_identity> made(new tls_identity(httplib::tls::create_server_context()));
  if (!made->native())
    return refused(not_valid, "prepare TLS for", from.certificate, words("the library refused"), {});
  {
    // From memory first, which checks that the two belong together; the second time with the chain.
    const tls_identity trial(httplib::tls::create_server_context());
    if (!httplib::tls::set_server_cert_pem(trial.native(), certificate->c_str(), key->c_str(), "")) {
      return refused(not_valid, "use certificate", from.certificate, words("the library refused it"),
                     "is '" + from.key + "' its key, and are both files whole?");
    }
  }
  if (!httplib::tls::set_min_version(made->native(), httplib::tls::Version::TLS1_2) ||
      !httplib::tls::set_server_cert_file(made->native(), from.certificate.c_str(), from.key.c_str(), "")) {
    return refused(not_valid, "use certificate", from.certificate, words("the library refused it"),
                   "are all certificates in it whole, the service's own first?");
  }
  if (!from.client_authorities.empty()) {
    if (!httplib::tls::set_client_ca_file(made->native(), from.client_authorities.c_str(), nullptr)) {
      return refused(not_valid, "read client authorities", from.client_authorities, words("it cannot be read"),
                     "give a file of their certificates in PEM form");
    }
    httplib::tls::set_verify_client(made->native(), true);
  #ifdef CPPHTTPLIB_OPENSSL_SUPPORT
    // Without a name for its sessions OpenSSL refuses a client that comes back with one and was verified.
    constexpr unsigned char name[] = {'w', 'i', 'n', 's', 'v', 'c'};
    SSL_CTX_set_session_id_context(static_cast<SSL_CTX*>(made->native()), name, sizeof name);
  #endif
  }
  take_tls_errors();
  return made;
}

class tls_transport final : public socket_transport {
 public:
  tls_transport(os::tcp_socket socket, os::waker& drain, std::shared_ptr<tls_identity> identity)
      : socket_transport(std::move(socket), drain),
        identity_(std::move(identity)),
        session_(httplib::tls::create_session(identity_->native(), static_cast<socket_t>(socket_.native()))) {}
  ~tls_transport() override { httplib::tls::free_session(session_); }

  os::transfer receive(char* into, std::size_t room, std::size_t& got,
                       std::chrono::milliseconds limit) noexcept override {
    const auto until = steady::now() + limit;
    for (;;) {
      const auto what = read(into, room, got);
      if (what != need::read && what != need::write) return outcome(what);
      const auto left = left_of(until);
      if (left.count() <= 0) return os::transfer::timed_out;
      const bool ready = what == need::read ? socket_.wait_readable(left) : socket_.wait_writable(left);
      if (!ready) return os::transfer::timed_out;
    }
  }
  [[nodiscard]] bool is_drained() const noexcept override { return false; }  // the library keeps some for itself
  [[nodiscard]] bool wants_room(bool) const noexcept override { return short_of_ == need::write; }
  [[nodiscard]] bool is_fresh() const noexcept override { return state_ == state::fresh; }

  os::transfer receive_idle(char* into, std::size_t room, std::size_t& got,
                            std::chrono::milliseconds limit) noexcept override {
    const auto until = steady::now() + limit;
    for (bool last = false;; ) {  // a record may come in pieces: none of them ends the wait
      const auto what = read(into, room, got);
      if (what != need::read && what != need::write) return outcome(what);
      if (last) return os::transfer::timed_out;
      if (what == need::write) {
        last = !socket_.wait_writable(left_of(until));
      } else {
        last = drain_->wait_for(socket_, left_of(until)) != os::waker::outcome::ready;
      }
    }
  }

  os::transfer send(const char* from, std::size_t count, std::chrono::milliseconds limit) noexcept override {
    for (std::size_t sent = 0;; from += sent, count -= sent) {
      const auto what = send_some(from, count, sent);
      if (what != os::transfer::timed_out) return what;
      const bool ready =
          short_of_ == need::write ? socket_.wait_writable(limit) : socket_.wait_readable(limit);
      if (!ready) {
        state_ = state::broken;  // half a record may have left
        return os::transfer::timed_out;
      }
    }
  }
  os::transfer send_some(const char* from, std::size_t count, std::size_t& sent) noexcept override {
    constexpr std::size_t record = 16 * 1024;  // a reader gets its turn between two
    for (sent = 0; sent < count;) {
      std::size_t took = 0;
      // Tried again, it has to be the same bytes.
      const auto what = write(from + sent, (std::min)(count - sent, record), took);
      if (what == need::read || what == need::write) return os::transfer::timed_out;
      if (what != need::nothing) return outcome(what);
      sent += took;
    }
    return os::transfer::done;
  }

  watched watch(std::chrono::milliseconds limit) noexcept override {
    const auto until = steady::now() + limit;
    for (;;) {
      const auto woken = drain_->wait_for(socket_, left_of(until));
      if (woken == os::waker::outcome::woken) return watched::draining;
      if (woken == os::waker::outcome::timed_out) return watched::quiet;
      if (woken == os::waker::outcome::failed || socket_.peer_closed()) return watched::gone;
      // Readable may mean the client's goodbye, which is a record like others: it has to be read to be known.
      if (early_size_ == 0) {
        const auto what = read(early_, sizeof early_, early_size_);
        if (what == need::over || what == need::failed) return watched::gone;
        if (what == need::read && left_of(until).count() > 0) continue;
      }
      // The next request has come already, and makes the socket readable for good: look now and then.
      const auto left = left_of(until);
      if (left.count() <= 0) return watched::quiet;
      std::this_thread::sleep_for((std::min)(left, std::chrono::milliseconds(100)));
    }
  }

  parting finish(parting how) noexcept override {
    if (state_ == state::ready) {
      const std::lock_guard lock(mutex_);
      take_tls_errors();
      httplib::tls::shutdown(session_, true);
    }
    // Of a handshake that failed, the client shall see the reason.
    return socket_transport::finish(state_ != state::ready && how == parting::idle ? parting::answered : how);
  }

  [[nodiscard]] os::endpoint local() const override {
    auto here = socket_transport::local();
    here.tls = true;
    return here;
  }
  [[nodiscard]] bool encrypted() const noexcept override { return true; }

 private:
  using steady = std::chrono::steady_clock;
  enum class need { nothing, read, write, over, failed };
  enum class state { fresh, ready, broken };

  [[nodiscard]] static std::chrono::milliseconds left_of(steady::time_point until) noexcept {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - steady::now());
    return (std::max)(left, std::chrono::milliseconds(0));
  }
  [[nodiscard]] static os::transfer outcome(need what) noexcept {
    return what == need::nothing ? os::transfer::done
           : what == need::over  ? os::transfer::closed
                                 : os::transfer::failed;
  }
  [[nodiscard]] need judged(const httplib::tls::TlsError& e) noexcept {
    using httplib::tls::ErrorCode;
    switch (e.code) {
      case ErrorCode::Success: return need::nothing;
      case ErrorCode::WantRead: return short_of_ = need::read;
      case ErrorCode::WantWrite: return short_of_ = need::write;
      case ErrorCode::PeerClosed: return need::over;
      default: state_ = state::broken; return need::failed;
    }
  }

  need read(char* into, std::size_t room, std::size_t& got) noexcept {
    got = 0;
    if (early_size_ > 0 && into != early_) {
      got = (std::min)(room, early_size_);
      std::copy(early_, early_ + got, into);
      std::copy(early_ + got, early_ + early_size_, early_);
      early_size_ -= got;
      return need::nothing;
    }
    const std::lock_guard lock(mutex_);
    if (state_ == state::fresh) {
      if (const auto what = shake_hands(); what != need::nothing) return what;
    }
    if (state_ != state::ready) return need::failed;
    take_tls_errors();
    httplib::tls::TlsError e;
    const auto n = httplib::tls::read(session_, into, room, e);
    if (n <= 0) return n == 0 ? need::over : judged(e);
    got = static_cast<std::size_t>(n);
    return need::nothing;
  }
  need write(const char* from, std::size_t count, std::size_t& took) noexcept {
    const std::lock_guard lock(mutex_);
    if (state_ != state::ready) return need::failed;
    take_tls_errors();
    httplib::tls::TlsError e;
    const auto n = httplib::tls::write(session_, from, count, e);
    if (n <= 0) return n == 0 ? need::over : judged(e);
    took = static_cast<std::size_t>(n);
    return need::nothing;
  }

  /// As far as it goes without waiting, before the first request.
  need shake_hands() noexcept {
    char first = 0;
    if (!greeted_ && !socket_.peek(first)) return socket_.peer_closed() ? need::over : short_of_ = need::read;
    if (!greeted_ && first >= 'A' && first <= 'Z') {  // a record of TLS begins with 22
      state_ = state::broken;
      refuse_plain_http();
      return need::over;
    }
    greeted_ = true;
    take_tls_errors();
    const auto what = session_ ? judged(httplib::tls::accept(session_)) : need::failed;
    if (what == need::nothing) state_ = state::ready;
    else if (what != need::read && what != need::write) state_ = state::broken;
    return what;
  }
  void refuse_plain_http() noexcept {
    try {
      const std::string answer = refusal(400, "this port speaks HTTPS: ask with https://");
      static_cast<void>(socket_.send(answer.data(), answer.size(), std::chrono::milliseconds(0)));
    } catch (...) {  // out of memory: it is just closed
    }
  }

  std::shared_ptr<tls_identity> identity_;  // outlives the session
  std::mutex mutex_;  // a session takes one call at a time, and a WebSocket sends while it receives
  httplib::tls::session_t session_;
  std::atomic<state> state_{state::fresh};
  need short_of_ = need::read;
  bool greeted_ = false;
  char early_[1024];  // read by a watch, not asked for yet
  std::size_t early_size_ = 0;
};

inline std::unique_ptr<socket_transport> make_transport(os::tcp_socket socket, os::waker& drain,
                                                        std::shared_ptr<tls_identity> identity) {
  if (!identity) return std::make_unique<socket_transport>(std::move(socket), drain);
  return std::make_unique<tls_transport>(std::move(socket), drain, std::move(identity));
}

#else

inline tls_identity::~tls_identity() = default;
inline result<std::shared_ptr<tls_identity>> tls_identity::load(const tls_files& from) {
  return failure{error{model::code::not_supported, "use certificate", from.certificate,
                       "cpp-httplib is built without TLS", "define CPPHTTPLIB_OPENSSL_SUPPORT"}};
}
inline std::unique_ptr<socket_transport> make_transport(os::tcp_socket socket, os::waker& drain,
                                                        std::shared_ptr<tls_identity>) {
  return std::make_unique<socket_transport>(std::move(socket), drain);
}

#endif

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
// Who is connected and says nothing sits in the poller, with a deadline, and costs some hundred bytes. When there is
// something to read, a thread of the crew takes one step of that connection (http/connection.hpp), and the seat goes
// back to the poller. When the engine drains, the listener is closed after what had connected was taken, connections
// that wait are closed at once, and requests in flight are answered with `Connection: close`.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// How a drain went.
struct drain_report {
  std::size_t answered = 0;  ///< requests in flight that got their answer
  std::size_t cut = 0;       ///< requests and WebSockets that were still at work at the deadline
  std::size_t stuck = 0;     ///< threads that are in a handler even after that: the process has to end over them
  std::vector<std::string> cut_ones;  ///< what some of them were: `GET /report 21 s`
};

class engine final : private crew::employer {
 public:
  engine(const router& routes, const wire::limits& bounds, logger& log);
  /// Drains without patience if nobody did before, and waits for handlers that still run.
  ~engine();
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  /// Binds and listens, exclusively; clients can connect from here on, and wait. The error names the owner of a taken
  /// port where that can be found out.
  [[nodiscard]] result<void> bind(const std::string& host, std::uint16_t port);
  /// Where it listens, with the real port; after bind.
  [[nodiscard]] os::endpoint address() const { return address_; }

  /// What new connections speak TLS with; null: plain HTTP. From any thread; the first time before `bind`.
  void tls(std::shared_ptr<tls_identity> identity);

  /// Called after each answer, on the thread that served it, beside those that were given before. Give it before
  /// `accept`.
  void on_answered(std::function<void(const access_entry&)> f) { shared_.on_answered.push_back(std::move(f)); }

  /// Starts to serve. Throws std::system_error when the system has no thread for it.
  void accept();
  /// While paused, requests get 503 with Retry-After; connections stay. From any thread.
  void pause(bool paused) noexcept { shared_.paused.store(paused); }
  /// Stops: see above. `progress` is called, on the calling thread, whenever requests were answered meanwhile.
  drain_report drain(std::chrono::milliseconds limit, const std::function<void()>& progress = {});

  /// Lets go of threads that a drain found stuck. The engine must stay as it is until the process ends.
  void abandon() { crew_.abandon(); }

  /// Requests being handled, WebSockets and connections open, threads: for status.
  [[nodiscard]] std::size_t in_flight() const noexcept { return shared_.in_flight.load(); }
  [[nodiscard]] std::size_t websockets() const noexcept { return shared_.websockets.load(); }
  [[nodiscard]] std::size_t connections() const noexcept { return open_.load(); }
  [[nodiscard]] std::size_t threads() const { return crew_.size(); }

  /// Serves one connection on the calling thread, without a listener: the way of the test client.
  void serve(transport& wire);

 private:
  static crew_limits crew_for(const wire::limits& bounds);

  // For the crew.
  std::size_t wait(void** into, std::size_t room) noexcept override { return poller_.wait(into, room); }
  void wake() noexcept override { poller_.wake(); }
  bool claim(void* what) noexcept override;
  void serve(void* what, crew::post at) noexcept override;
  void is_slow(void* what) noexcept override;
  crew::time_point look_at_clock(crew::time_point now) noexcept override;

  void accept_some(bool all) noexcept;
  void admit(os::tcp_socket socket);
  void turn_away(os::tcp_socket socket, int status, const char* why, const std::string& whom);
  guest& seat_for(os::tcp_socket socket);
  void attend(guest& g, bool in_front) noexcept;
  bool wait_for(guest& g, const awaited& next) noexcept;
  void say_goodbye(guest& g) noexcept;
  void free_seat(guest& g) noexcept;
  void look_at_all();
  void warn(std::atomic<std::int64_t>& last, const std::string& text);

  const wire::limits bounds_;
  logger& log_;
  core core_;
  traffic shared_;
  os::endpoint address_;
  os::tcp_socket listener_;
  os::waker drain_;
  os::poller poller_;
  deadlines deadlines_;

  seat door_;  // the listener's
  os::poller::place door_place_;
  std::mutex door_mutex_;  // of whoever accepts
  std::atomic<std::int64_t> warned_fault_{0}, warned_full_{0}, warned_busy_{0};

  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::deque<guest> guests_;
  std::vector<guest*> free_;
  std::map<std::string, std::size_t> by_address_;
  std::atomic<std::size_t> open_{0};  // changes under mutex_
  std::shared_ptr<tls_identity> identity_;
  bool serving_ = false;
  crew crew_;  // the last: it is gone before what it works on
};

// ---------------------------------------------------------------------------------------------------------------------

inline crew_limits engine::crew_for(const wire::limits& bounds) {
  const auto cores = (std::max)(std::thread::hardware_concurrency(), 1u);
  crew_limits of;
  of.front = cores;
  of.few = (std::max)(std::size_t{cores} + 2, std::size_t{4});
  of.many = (std::max)(bounds.threads, of.few);
  of.queue = bounds.queue;
  return of;
}

inline engine::engine(const router& routes, const wire::limits& bounds, logger& log)
    : bounds_(bounds), log_(log), core_(routes, bounds_, log), crew_(*this, crew_for(bounds)) {}

inline engine::~engine() {
  static_cast<void>(drain(std::chrono::milliseconds(0)));
  crew_.stop();
  poller_.settle();
}

inline result<void> engine::bind(const std::string& host, std::uint16_t port) {
  if (!drain_.is_open() || !poller_.is_open()) {
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
  address_.tls = identity_ != nullptr;
  return {};
}

inline void engine::tls(std::shared_ptr<tls_identity> identity) {
  const std::lock_guard lock(mutex_);
  identity_ = std::move(identity);
}

inline void engine::accept() {
  door_.take();
  serving_ = true;
  crew_.start();
  poller_.add_listener(door_place_, listener_, &door_);
  if (!door_.park()) static_cast<void>(crew_.give(&door_, true));
  else poller_.arm_accept(door_place_);
}

inline void engine::serve(transport& wire) {
  connection one(wire, core_, shared_, bounds_);
  desk with;
  visit how;
  // Nothing more comes by waiting, so what would be waited for is late.
  for (auto next = one.advance(with, how); next.what != wants::nothing; next = one.advance(with, how)) how.late = true;
}

inline bool engine::claim(void* what) noexcept {
  auto* const s = static_cast<seat*>(what);
  if (s->claim()) return true;
  if (s != &door_ && s->is_leaving()) free_seat(*static_cast<guest*>(s));
  return false;
}

inline void engine::is_slow(void* what) noexcept {
  if (what == &door_) return;
  if (pace* const whose = static_cast<guest*>(static_cast<seat*>(what))->whose.load()) whose->is_found_slow();
}

inline crew::time_point engine::look_at_clock(crew::time_point now) noexcept {
  return deadlines_.advance(now, [this](seat& s) { static_cast<void>(crew_.give(&s, true)); });
}

inline void engine::serve(void* what, crew::post at) noexcept {
  if (what == &door_) return accept_some(false);
  attend(*static_cast<guest*>(static_cast<seat*>(what)), at == crew::post::front);
}

/// One step of a connection after the other, until it has to wait for something.
inline void engine::attend(guest& g, bool in_front) noexcept {
  static thread_local desk mine;
  visit how;
  how.whose = &g.whose;
  for (;;) {
    how.late = g.late.exchange(false);
    if (poller_.is_sending(g.place) && !how.late) {  // what it has to say is on its way
      if (g.park()) return;
      continue;
    }
    if (const auto sent = poller_.sent(g.place); sent > 0) g.talk->was_sent(sent);
    how.quick = in_front && !g.lent;
    const auto next = g.talk->advance(mine, how);
    how.too_busy = false;
    if (g.lent) {
      g.lent = false;
      in_front = false;
      crew_.come_back();
    }
    if (next.what == wants::nothing) return say_goodbye(g);
    if (next.what == wants::worker) {
      if (crew_.give(static_cast<seat*>(&g), false)) return;
      warn(warned_busy_, "too many requests wait for a thread; some are told so with 503");
      how.too_busy = true;
      continue;
    }
    if (!os::poller::waits_for_room && next.what == wants::room && g.wire->encrypted()) {  // only its library can send
      g.lend_thread();
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(next.until - connection::steady::now());
      if (!g.wire->wait_writable(left)) g.late.store(true);
      continue;
    }
    if (wait_for(g, next)) return;
  }
}

/// False: something has happened already.
inline bool engine::wait_for(guest& g, const awaited& next) noexcept {
  if (deadlines_.set(g, next.until)) crew_.look_again();
  poller_.arm(g.place, next.what == wants::room ? os::poll_for::room : os::poll_for::bytes, g.talk->unsent());
  return g.park();
}

// --- who comes and goes ----------------------------------------------------------------------------------------------

/// Takes those who have connected. Not all at once: those who are here already wait meanwhile.
inline void engine::accept_some(bool all) noexcept {
  const std::unique_lock lock(door_mutex_);
  constexpr int a_few = 64, most = 4096;  // without end they may come as fast as they are taken
  bool fault = false;
  for (int i = 0; i < (all ? most : a_few) && listener_.is_open(); ++i) {
    auto got = poller_.accept(door_place_);
    if (!got && os::calls::would_block(got.error())) break;
    try {
      if (got) {
        admit(std::move(*got));
        continue;
      }
      // The client left before it was taken, or the process is out of descriptors: say it, breathe, go on. A listener
      // that gives up on a fault is a service that is RUNNING and dead.
      warn(warned_fault_, "a connection could not be accepted: " + os::system_words(got.error()) + " (" +
                              std::to_string(got.error()) + ")");
    } catch (const std::exception&) {  // no memory for a seat: this client is lost, those here are not
    }
    fault = true;
    break;
  }
  if (all) return;
  constexpr std::chrono::milliseconds breath{20};
  do {
    if (!listener_.is_open()) return door_.leave();
    if (fault) {
      if (deadlines_.set(door_, deadlines::steady::now() + breath)) crew_.look_again();
    } else {
      poller_.arm_accept(door_place_);
    }
  } while (!door_.park());
}

inline void engine::warn(std::atomic<std::int64_t>& last, const std::string& text) {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::steady_clock::now().time_since_epoch()).count();
  auto before = last.load();
  if (now - before < 1000 || !last.compare_exchange_strong(before, now)) return;  // once a second is enough to know
  log_.warn(text);
}

inline void engine::admit(os::tcp_socket socket) {
  std::string address;
  if (bounds_.connections_per_address > 0) {
    address = socket.peer().host;
    const std::lock_guard lock(mutex_);
    if (by_address_[address] >= bounds_.connections_per_address)
      return turn_away(std::move(socket), 429, "too many connections from one client", address);
  }
  if (open_.load() >= bounds_.connections)
    return turn_away(std::move(socket), 503, "too many connections are open", {});

  guest& g = seat_for(std::move(socket));
  if (!address.empty()) {
    const std::lock_guard lock(mutex_);
    ++by_address_[g.address = address];
  }
  if (!poller_.add(g.place, g.wire->native(), static_cast<seat*>(&g))) return say_goodbye(g);
  if (!wait_for(g, g.talk->first())) static_cast<void>(crew_.give(static_cast<seat*>(&g), true));
}

/// A seat that is taken, with its connection.
inline guest& engine::seat_for(os::tcp_socket socket) {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) {
    free_.reserve(guests_.size() + 1);  // so that nobody who leaves needs memory for it
    free_.push_back(&guests_.emplace_back(poller_, crew_));
  }
  guest& g = *free_.back();
  g.wire = make_transport(std::move(socket), drain_, identity_);
  g.wire->lender(&g);
  try {
    g.talk.emplace(*g.wire, core_, shared_, bounds_);
  } catch (...) {
    g.wire.reset();
    throw;
  }
  free_.pop_back();
  ++open_;
  g.take();
  return g;
}

/// Without a seat: told in one send, and closed.
inline void engine::turn_away(os::tcp_socket socket, int status, const char* why, const std::string& whom) {
  warn(warned_full_, std::string(why) + (whom.empty() ? "" : ": " + whom) + "; new ones are told so with " +
                         std::to_string(status));
  if (!identity_) {
    const std::string answer = refusal(status, why);
    static_cast<void>(socket.send(answer.data(), answer.size(), std::chrono::milliseconds(0)));
  }
  socket.shutdown_send();
  char sink[4096];  // what it has asked already: left there, it would make the system take the answer back
  std::size_t got = 0;
  static_cast<void>(socket.receive(sink, sizeof sink, got, std::chrono::milliseconds(0)));
}

inline void engine::say_goodbye(guest& g) noexcept {
  deadlines_.clear(g);
  const bool free_now = poller_.remove(g.place);
  {
    const std::lock_guard lock(g.mutex);
    g.talk.reset();
    if (g.wire) g.wire->close();
    g.wire.reset();
  }
  if (free_now) {
    g.leave();
  } else {
    g.begin_to_leave();
  }
  const std::lock_guard lock(mutex_);
  if (!g.address.empty()) {
    const auto at = by_address_.find(g.address);
    if (at != by_address_.end() && --at->second == 0) by_address_.erase(at);
    g.address.clear();
  }
  if (free_now) free_.push_back(&g);
  --open_;
  ended_.notify_all();
  if (!free_now && poller_.is_quiet(g.place) && g.end_to_leave()) free_.push_back(&g);
}

/// After the last that the poller has to say of it.
inline void engine::free_seat(guest& g) noexcept {
  if (!poller_.is_quiet(g.place) || !g.end_to_leave()) return;
  const std::lock_guard lock(mutex_);
  free_.push_back(&g);
}

// --- the end ---------------------------------------------------------------------------------------------------------

/// Whoever waits gets a visit.
inline void engine::look_at_all() {
  std::vector<guest*> all;
  {
    const std::lock_guard lock(mutex_);
    for (auto& g : guests_) all.push_back(&g);
  }
  for (auto* g : all) {
    if (g->claim()) static_cast<void>(crew_.give(static_cast<seat*>(g), true));
  }
}

inline drain_report engine::drain(std::chrono::milliseconds limit, const std::function<void()>& progress) {
  drain_report report;
  const auto answered_before = shared_.answered.load();
  shared_.draining.store(true);  // before the listener goes: whoever is taken from here on is told to close
  if (std::exchange(serving_, false)) accept_some(true);  // who connected before we stopped is served
  {
    const std::lock_guard lock(door_mutex_);
    if (listener_.is_open()) static_cast<void>(poller_.remove(door_place_));
    listener_.close();
  }
  drain_.wake();
  look_at_all();

  auto answered_now = answered_before;
  const auto until = std::chrono::steady_clock::now() + limit;
  const auto all_ended = [this] { return open_.load() == 0; };
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
    report.cut = shared_.in_flight.load() + shared_.websockets.load();
    constexpr std::size_t a_few = 10;
    for (auto& g : guests_) {
      const std::lock_guard its(g.mutex);
      if (!g.wire) continue;
      const std::string what = report.cut_ones.size() < a_few ? g.talk->doing() : std::string();
      if (!what.empty()) report.cut_ones.push_back(what);
      g.wire->cut();
    }
    // Whoever waits on the network wakes at once; whoever computes gets a last moment.
    constexpr auto last_moment = std::chrono::milliseconds(500);
    ended_.wait_for(lock, last_moment, all_ended);
  }
  report.answered = static_cast<std::size_t>(shared_.answered.load() - answered_before);
  report.stuck = open_.load();
  lock.unlock();

  if (report.stuck == 0) crew_.stop();
  return report;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// web/values.hpp
// =====================================================================================================================

// What a request says beside its path, as a value of a type: query, form and header. A value that does not convert is a
// 400 that names it.
//
//   const int page = winsvc::query(req, "page", 1);                    // 1 when it is not there
//   const auto q = winsvc::query<std::string>(req, "q");               // 400 "the query parameter 'q' is missing"
//   const auto tags = winsvc::query_all<std::string>(req, "tag");      // ?tag=a&tag=b
//   const auto size = winsvc::form<int>(req, "size");                  // of a form's field
//
// The query is what stands in the target, and a form what stands in the body: neither is looked for in the other.
// cpp-httplib's `params` has both.
//
// Types: those of path parameters, and bool (true, false, 1, 0, yes, no, on, off).

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

template <class T>
T value_of(const std::string& from, const char* what, const std::string& name) {
  static_assert(std::is_same_v<T, bool> || kind_of<T>() == argument_kind::parameter,
                "winsvc: a value is an integer, double, bool or std::string");
  T to{};
  if constexpr (std::is_same_v<T, bool>) {
    for (const char* yes : {"true", "1", "yes", "on"}) {
      if (text::equal_nocase(from, yes)) return true;
    }
    for (const char* no : {"false", "0", "no", "off"}) {
      if (text::equal_nocase(from, no)) return false;
    }
  } else {
    if (convert(from, to)) return to;
  }
  constexpr const char* kind = std::is_same_v<T, bool>     ? "true or false"
                               : std::is_same_v<T, double> ? "a number"
                               : std::is_unsigned_v<T>     ? "a whole number from 0 on, or is too large"
                                                           : "a whole number, or is too large";
  abort(400, std::string(what) + " '" + name + "' is not " + kind + ": '" + std::string(text::cut(from, 80)) + "'");
}

/// A string literal as a default means text.
template <class T>
using value_type = std::conditional_t<std::is_convertible_v<T, std::string_view>, std::string, T>;

inline std::optional<std::string> form_text(const request& req, const std::string& name) {
  if (req.is_multipart_form_data())
    return req.form.has_field(name) ? std::optional(req.form.get_field(name)) : std::nullopt;
  return is_urlencoded(req) ? wire::find_field(req.body, name) : std::nullopt;
}

}  // namespace http

template <class T>
[[nodiscard]] std::optional<T> find_query(const request& req, const std::string& name) {
  const auto text = wire::find_field(wire::query_of(req.target), name);
  if (!text) return std::nullopt;
  return http::value_of<T>(*text, "the query parameter", name);
}
template <class T>
[[nodiscard]] T query(const request& req, const std::string& name) {
  auto found = find_query<T>(req, name);
  if (!found) abort(400, "the query parameter '" + name + "' is missing");
  return std::move(*found);
}
template <class T>
[[nodiscard]] http::value_type<T> query(const request& req, const std::string& name, T otherwise) {
  auto found = find_query<http::value_type<T>>(req, name);
  return found ? std::move(*found) : http::value_type<T>(std::move(otherwise));
}
template <class T>
[[nodiscard]] std::vector<T> query_all(const request& req, const std::string& name) {
  std::vector<T> all;
  for (const std::string& text : wire::find_fields(wire::query_of(req.target), name))
    all.push_back(http::value_of<T>(text, "the query parameter", name));
  return all;
}

/// A field of a form, urlencoded or multipart.
template <class T>
[[nodiscard]] std::optional<T> find_form(const request& req, const std::string& name) {
  const auto text = http::form_text(req, name);
  if (!text) return std::nullopt;
  return http::value_of<T>(*text, "the form field", name);
}
template <class T>
[[nodiscard]] T form(const request& req, const std::string& name) {
  auto found = find_form<T>(req, name);
  if (!found) abort(400, "the form field '" + name + "' is missing");
  return std::move(*found);
}

template <class T>
[[nodiscard]] std::optional<T> find_header(const request& req, const std::string& name) {
  if (!req.has_header(name)) return std::nullopt;
  return http::value_of<T>(req.get_header_value(name), "the header", name);
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// web/cookies.hpp
// =====================================================================================================================

// Cookies of requests and answers: read, set, and signed so that a client cannot change what it keeps for us.
//
//   if (auto theme = winsvc::find_cookie(req, "theme")) …
//   winsvc::set_cookie(res, winsvc::cookie("theme", "dark").max_age(24h * 30).same_site("Lax"));
//   winsvc::set_cookie(res, winsvc::cookie("user", winsvc::sign("user", "anna", key, 8h)).max_age(8h));
//   auto user = winsvc::unsign("user", winsvc::find_cookie(req, "user"), key);     // nothing when there is none, or it
//                                                                               // was changed, or its time is over
//
// What a cookie is: wire/cookie.hpp. A reply sets one with `reply::cookie`.

#include <optional>
#include <string>
#include <string_view>

namespace winsvc {
inline namespace WINSVC_ABI {

/// Adds it to the answer, in the place of one of the same name, path and domain.
inline void set_cookie(response& res, const cookie& c) { http::add_header(res, "Set-Cookie", c.text()); }

/// The first cookie of this name, without quotes around it.
[[nodiscard]] inline std::optional<std::string> find_cookie(const request& req, std::string_view name) {
  // One header, however many lines there were: canonical_head has put them together in their order.
  const std::string header = req.get_header_value("Cookie");
  const auto found = wire::cookie_in(header, name);
  return found ? std::optional<std::string>(*found) : std::nullopt;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// web/auth.hpp
// =====================================================================================================================

// Who asks: HTTP basic and bearer authentication as middleware.
//
//   svc.use(winsvc::basic_auth("hello", {{"anna", "secret"}}));
//   svc.use(winsvc::bearer_auth("hello", [&](std::string_view token) { return user_of(token); }));
//   winsvc::context(req).get<winsvc::identity>()->name                  // in the handler
//
// Without TLS both send the secret in the clear: on a loopback address, or behind a proxy that has TLS.
// Source: RFC 9110 section 11, RFC 7617 (basic), RFC 6750 (bearer).

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {

/// Whoever has been authenticated; middleware leaves it in the request's context.
struct identity {
  std::string name;
};

/// `check(user, password)`; on the request's thread. Compare with `equal_secret`.
[[nodiscard]] middleware basic_auth(std::string realm, std::function<bool(std::string_view, std::string_view)> check);
/// Users and their passwords, compared in constant time. Throws setup_error for a password that is empty: it comes from
/// a setting that is not there, and would let everybody in.
[[nodiscard]] middleware basic_auth(std::string realm, std::map<std::string, std::string> users);
/// `check(token)`: the name it belongs to, or nothing.
[[nodiscard]] middleware bearer_auth(std::string realm,
                                     std::function<std::optional<std::string>(std::string_view token)> check);

// ---------------------------------------------------------------------------------------------------------------------

namespace http {

/// What comes behind the scheme in Authorization; nothing when it is another scheme, or not there.
inline std::optional<std::string> credentials(const request& req, std::string_view scheme) {
  const std::string header = req.get_header_value("Authorization");
  const auto blank = header.find(' ');
  if (blank == std::string::npos || !text::equal_nocase(std::string_view(header).substr(0, blank), scheme))
    return std::nullopt;
  return std::string(text::trimmed(std::string_view(header).substr(blank)));
}

[[noreturn]] inline void challenge(response& res, const std::string& what, std::string_view detail) {
  replace_header(res, "WWW-Authenticate", what);
  winsvc::abort(401, std::string(detail));
}

inline std::string quoted_realm(std::string_view realm) {
  std::string out = "\"";
  for (const char c : realm) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + '"';
}

}  // namespace http

inline middleware basic_auth(std::string realm, std::function<bool(std::string_view, std::string_view)> check) {
  const std::string ask = "Basic realm=" + http::quoted_realm(realm) + ", charset=\"UTF-8\"";
  return [ask, check = std::move(check)](const request& req, response& res, const next& go_on) {
    const auto given = http::credentials(req, "Basic");
    const auto plain = given ? text::from_base64(*given) : std::nullopt;
    const auto colon = plain ? plain->find(':') : std::string::npos;
    if (colon == std::string::npos) return http::challenge(res, ask, "a user and a password are needed");
    const auto user = std::string_view(*plain).substr(0, colon);
    if (!check(user, std::string_view(*plain).substr(colon + 1)))
      return http::challenge(res, ask, "the user or the password is wrong");
    context(req).set(identity{std::string(user)});
    go_on();
  };
}

inline middleware basic_auth(std::string realm, std::map<std::string, std::string> users) {
  for (const auto& [user, password] : users) {
    if (password.empty()) throw setup_error("basic_auth: the password of '" + user + "' is empty");
  }
  return basic_auth(std::move(realm), [users = std::move(users)](std::string_view user, std::string_view password) {
    const auto found = users.find(std::string(user));
    // The same work for a user that there is not, so that the time does not tell.
    const bool right = equal_secret(password, found == users.end() ? std::string_view("no such user") : found->second);
    return right && found != users.end();
  });
}

inline middleware bearer_auth(std::string realm, std::function<std::optional<std::string>(std::string_view)> check) {
  const std::string ask = "Bearer realm=" + http::quoted_realm(realm);
  return [ask, check = std::move(check)](const request& req, response& res, const next& go_on) {
    const auto token = http::credentials(req, "Bearer");
    if (!token || token->empty()) return http::challenge(res, ask, "a token is needed");
    auto name = check(*token);
    if (!name) return http::challenge(res, ask + ", error=\"invalid_token\"", "the token is not valid");
    context(req).set(identity{std::move(*name)});
    go_on();
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// web/cors.hpp
// =====================================================================================================================

// Cross-origin requests: which pages of other sites a browser lets read the answers.
//
//   svc.use(winsvc::cors({"https://app.example"}));
//   winsvc::cors_policy policy{{"*"}};
//   policy.headers = {"Content-Type", "X-Token"};
//   svc.use(winsvc::cors(policy));
//
// Preflights are answered here; put it before authentication, which they carry none of. An origin that is not allowed
// gets its answer without the headers: it is the browser that refuses.
// Source: the Fetch standard, section "CORS protocol".

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {

struct cors_policy {
  std::vector<std::string> origins{};  ///< `https://host[:port]` each, as browsers write it, or one "*"
  std::vector<std::string> methods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
  std::vector<std::string> headers{};  ///< of requests, beyond what needs no permission; empty: any that are asked
  std::vector<std::string> exposed{};  ///< of answers, for scripts to read
  bool credentials = false;          ///< cookies and Authorization; not with "*"
  std::chrono::seconds max_age{600}; ///< how long a browser remembers a preflight
};

/// Throws setup_error for "*" with credentials, which browsers refuse, and for an origin that no browser sends: with a
/// path, or with the port that its scheme has anyway.
[[nodiscard]] middleware cors(cors_policy policy);
[[nodiscard]] inline middleware cors(std::vector<std::string> origins) {
  cors_policy policy;
  policy.origins = std::move(origins);
  return cors(std::move(policy));
}

// ---------------------------------------------------------------------------------------------------------------------

namespace http {

/// RFC 6454 §6.2: the port that a scheme has anyway is no part of an origin's text.
[[nodiscard]] inline bool states_usual_port(std::string_view origin) noexcept {
  const auto port = origin.substr(origin.find_last_of(":]"));  // "]" ends an IPv6 address
  const auto scheme = origin.substr(0, origin.find(':'));
  return port == ":" || (port == ":80" && text::equal_nocase(scheme, "http")) ||
         (port == ":443" && text::equal_nocase(scheme, "https"));
}

}  // namespace http

inline middleware cors(cors_policy policy) {
  const bool any = policy.origins.size() == 1 && policy.origins[0] == "*";
  if (any && policy.credentials)
    throw setup_error("cors: \"*\" with credentials is refused by browsers; name the origins");
  for (const auto& o : policy.origins) {
    if (any) break;
    const auto scheme = o.find("://");
    const bool is_one = scheme != std::string::npos && wire::is_token(o.substr(0, scheme)) &&
                        wire::is_authority(o.substr(scheme + 3));
    if (!is_one)
      throw setup_error("cors: '" + o + "' is no origin; write https://host or https://host:port");
    if (http::states_usual_port(o)) throw setup_error("cors: browsers send '" + o + "' without its port");
  }
  return [policy = std::move(policy), any](const request& req, response& res, const next& go_on) {
    const std::string origin = req.get_header_value("Origin");
    bool allowed = any;
    for (const auto& o : policy.origins) allowed = allowed || text::equal_nocase(o, origin);
    if (!any) http::add_header(res, "Vary", "Origin");  // a cache must not give one origin's answer to another
    if (origin.empty() || !allowed) return go_on();

    res.set_header("Access-Control-Allow-Origin", any ? "*" : origin);
    if (policy.credentials) res.set_header("Access-Control-Allow-Credentials", "true");
    if (req.method != "OPTIONS" || !req.has_header("Access-Control-Request-Method")) {
      if (!policy.exposed.empty()) res.set_header("Access-Control-Expose-Headers", text::join(policy.exposed, ", "));
      return go_on();
    }
    res.status = 204;
    res.set_header("Access-Control-Allow-Methods", text::join(policy.methods, ", "));
    const std::string asked = req.get_header_value("Access-Control-Request-Headers");
    const std::string headers = policy.headers.empty() ? asked : text::join(policy.headers, ", ");
    if (!headers.empty()) res.set_header("Access-Control-Allow-Headers", headers);
    res.set_header("Access-Control-Max-Age", std::to_string(policy.max_age.count()));
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// web/same_origin.hpp
// =====================================================================================================================

// Requests that change something, from pages of this service alone.
//
//   svc.use(winsvc::same_origin());
//
// A page of any site can make a browser send a form to a service on this machine or in this network, with the cookies
// and the passwords that the browser keeps for it: cross-site request forgery. Browsers say where such a request comes
// from (`Sec-Fetch-Site`, Fetch Metadata; `Origin`, RFC 6454), pages cannot forge that. What says nothing is no
// browser's and is let through, as are GET, HEAD and OPTIONS, which should change nothing.

#include <string>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {

/// 403 for the others. `origins`: pages of which other sites may send as well, `https://host[:port]` each. Behind a
/// proxy that changes Host, the service's own origin has to be among them.
[[nodiscard]] inline middleware same_origin(std::vector<std::string> origins = {}) {
  return [origins = std::move(origins)](const request& req, response&, const next& go_on) {
    if (req.method == "GET" || req.method == "HEAD" || req.method == "OPTIONS") return go_on();
    const std::string origin = req.get_header_value("Origin"), site = req.get_header_value("Sec-Fetch-Site");
    // "none": the person did it, by a bookmark or the address bar.
    const bool own = site == "same-origin" || site == "none" || (site.empty() && origin.empty());
    if (!own && !wire::origin_is_allowed(origin, site.empty() ? req.get_header_value("Host") : std::string(), origins))
      abort(403, "a page of another site may not send this");
    go_on();
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// web/rate_limit.hpp
// =====================================================================================================================

// How often one client may ask: a bucket of tokens for each address, one token a request, refilled steadily.
//
//   svc.use(winsvc::rate_limit(10, 20));     // ten requests a second, twenty at once
//
// More get 429 with Retry-After. An IPv6 client is its /64, which is what one subscriber has. Behind a proxy put
// `trusted_proxies` before it, or all clients are one.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace winsvc {
inline namespace WINSVC_ABI {

/// The buckets by themselves. Safe to use from any thread.
class token_buckets {
 public:
  /// `most`: so many clients have a bucket of their own; one that is full again is forgotten, and costs its client
  /// nothing by it. Whoever comes when all are in use shares one bucket with the others who do, so that an attack from
  /// many addresses frees nobody.
  token_buckets(double per_second, double burst, std::size_t most = 10'000, const clock& time = clock::system())
      : per_second_(per_second), burst_(burst), most_(most), time_(time), newcomers_{burst, time.now()} {
    if (!(per_second > 0) || !(burst >= 1))
      throw setup_error("rate_limit: it needs a rate above 0 and a burst of 1 or more");
  }

  /// Takes a token: 0, or how long until there is one.
  std::chrono::milliseconds take(const ip_bytes& client);
  /// How many clients have a bucket.
  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return all_.size();
  }

 private:
  struct bucket {
    double tokens;
    clock::time_point when;
  };
  [[nodiscard]] bucket& bucket_of(const ip_bytes& client, clock::time_point now);
  void forget_full_ones(clock::time_point now);
  [[nodiscard]] double tokens_in(const bucket& b, clock::time_point now) const {
    return (std::min)(burst_, b.tokens + std::chrono::duration<double>(now - b.when).count() * per_second_);
  }

  double per_second_, burst_;
  std::size_t most_;
  const clock& time_;
  mutable std::mutex mutex_;
  std::map<ip_bytes, bucket> all_;
  bucket newcomers_;
  clock::time_point look_again_{};
};

/// `per_second` requests a second from one client, up to `burst` at once.
[[nodiscard]] middleware rate_limit(double per_second, double burst);

// ---------------------------------------------------------------------------------------------------------------------

inline std::chrono::milliseconds token_buckets::take(const ip_bytes& client) {
  const auto now = time_.now();
  const std::lock_guard lock(mutex_);
  bucket& b = bucket_of(client, now);
  b.tokens = tokens_in(b, now);
  b.when = now;
  if (b.tokens >= 1) {
    b.tokens -= 1;
    return {};
  }
  return std::chrono::milliseconds(1 + static_cast<long long>((1 - b.tokens) / per_second_ * 1000));
}

inline token_buckets::bucket& token_buckets::bucket_of(const ip_bytes& client, clock::time_point now) {
  if (const auto known = all_.find(client); known != all_.end()) return known->second;
  if (all_.size() >= most_) forget_full_ones(now);
  if (all_.size() >= most_) return newcomers_;
  return all_.try_emplace(client, bucket{burst_, now}).first->second;
}

/// Once a second at the most: a look at all of them for each newcomer would be an attack by itself.
inline void token_buckets::forget_full_ones(clock::time_point now) {
  if (now < look_again_) return;
  look_again_ = now + std::chrono::seconds(1);
  for (auto it = all_.begin(); it != all_.end();)
    it = tokens_in(it->second, now) >= burst_ ? all_.erase(it) : std::next(it);
}

inline middleware rate_limit(double per_second, double burst) {
  const auto buckets = std::make_shared<token_buckets>(per_second, burst);
  return [buckets](const request& req, response& res, const next& go_on) {
    const auto wait = buckets->take(wire::subscriber(req.remote_addr));
    if (wait.count() == 0) return go_on();
    http::replace_header(res, "Retry-After", std::to_string((wait.count() + 999) / 1000));
    abort(429, "too many requests from this address");
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// web/proxies.hpp
// =====================================================================================================================

// The client behind a proxy: who asked, as far as proxies that we trust can say.
//
//   svc.use(winsvc::trusted_proxies({"127.0.0.1", "10.0.0.0/8", "fd00::/8"}));
//   req.remote_addr                           // from here on the client's address, for the rate limit and for handlers
//
// X-Forwarded-For is read from the right, and only while the one who wrote it is trusted: what stands further left
// anybody can write. From a peer that is not trusted it is ignored. Ports that proxies write behind addresses are
// taken off.

#include <string>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {

/// Throws setup_error for a range that is none (`ip_range::parse` in wire/ip.hpp).
[[nodiscard]] middleware trusted_proxies(const std::vector<std::string>& ranges);

// ---------------------------------------------------------------------------------------------------------------------

inline middleware trusted_proxies(const std::vector<std::string>& ranges) {
  std::vector<ip_range> trusted;
  for (const auto& r : ranges) {
    const auto range = ip_range::parse(r);
    if (!range) {
      throw setup_error("trusted_proxies: '" + r +
                        "' is no address, and no range such as 10.0.0.0/8 with zeros behind its first bits");
    }
    trusted.push_back(*range);
  }
  return [trusted = std::move(trusted)](const request& req, response&, const next& go_on) {
    // One header, however many lines there were: canonical_head has put them together in their order.
    const std::string hops = req.get_header_value("X-Forwarded-For");
    std::string client(wire::client_behind(req.remote_addr, hops, trusted));
    if (client != req.remote_addr) {
      // cpp-httplib hands out its own non-const object as const; casting that away is well defined.
      auto& own = const_cast<request&>(req);
      own.remote_addr = client;
      own.remote_port = -1;  // the proxy's
      if (auto* x = http::current_exchange()) x->client = std::move(client);
    }
    go_on();
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// web/headers.hpp
// =====================================================================================================================

// Small middleware for headers and sizes.
//
//   svc.use(winsvc::request_id());            // X-Request-Id, the id that the log has
//   svc.use(winsvc::security_headers());      // what browsers should be told
//   g.use(winsvc::body_limit(64 * 1024));     // less than the app's limit, for this group

#include <cstdint>
#include <string>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {

/// Puts the request's id into the answer.
[[nodiscard]] inline middleware request_id(std::string header = "X-Request-Id") {
  return [header = std::move(header)](const request& req, response& res, const next& go_on) {
    res.set_header(header, context(req).id());
    go_on();
  };
}

/// nosniff, no frames, no referrer, and a Content-Security-Policy of one's own pages alone. A header that the handler
/// sets itself stays as it set it.
[[nodiscard]] inline middleware security_headers(std::string content_security_policy = "default-src 'self'") {
  return [csp = std::move(content_security_policy)](const request&, response& res, const next& go_on) {
    go_on();
    const auto unless_set = [&res](const char* name, const std::string& value) {
      if (!res.has_header(name)) res.set_header(name, value);
    };
    unless_set("X-Content-Type-Options", "nosniff");
    unless_set("X-Frame-Options", "DENY");
    unless_set("Referrer-Policy", "no-referrer");
    if (!csp.empty()) unless_set("Content-Security-Policy", csp);
  };
}

/// 413 for a body that announces more, or turns out to be more. It cannot raise the app's own limit
/// (`svc.limits().body_bytes`).
[[nodiscard]] inline middleware body_limit(std::uint64_t bytes) {
  return [bytes](const request& req, response&, const next& go_on) {
    if (req.has_header("Content-Length") && req.get_header_value_u64("Content-Length") > bytes)
      abort(413, "the body is larger than " + std::to_string(bytes) + " bytes");
    context(req).limit_body(bytes);
    go_on();
  };
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// web/openapi.hpp
// =====================================================================================================================

// The app's routes as an OpenAPI 3.1 document: what a client generator, a tester or a person with a browser reads.
//
//   svc.openapi("/openapi.json");                                  // off unless asked for
//   svc.get("/users/{id}", show).name("user").summary("One user").returns(200, "The user");
//
// Paths, parameters with their types, and whether a body is taken follow from the handlers; words, schemas and examples
// are what was said of a route (http/route_handle.hpp). Names become operation ids. `{path...}` is written `{path}`,
// because OpenAPI has no tails; a route for `any` method stands under GET, POST, PUT, PATCH and DELETE; HEAD and
// OPTIONS are not listed, since every path has them. Errors of winsvc's own are described once, as problem+json.
// Routes that no client asks for by hand (health, metrics, this document) are left out, as `hidden` ones are.

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace web {

struct api_info {
  std::string title, version, description;
};

/// The document, JSON in UTF-8 (OpenAPI Specification 3.1, schemas in JSON Schema 2020-12). Pure: the same routes give
/// the same bytes.
[[nodiscard]] std::string openapi_document(const route::table& routes, const api_info& info);

// ---------------------------------------------------------------------------------------------------------------------

using text::json_list;
using text::json_object;

inline std::string schema_of(route::value_kind kind, std::string_view otherwise = {}) {
  using route::value_kind;
  json_object s;
  switch (kind) {
    case value_kind::int32: s.put_text("type", "integer").put_text("format", "int32"); break;
    case value_kind::int64: s.put_text("type", "integer").put_text("format", "int64"); break;
    case value_kind::uint32: s.put_text("type", "integer").put("minimum", "0").put("maximum", "4294967295"); break;
    case value_kind::uint64: s.put_text("type", "integer").put("minimum", "0"); break;
    case value_kind::number: s.put_text("type", "number").put_text("format", "double"); break;
    case value_kind::boolean: s.put_text("type", "boolean"); break;
    case value_kind::text: s.put_text("type", "string"); break;
  }
  if (!otherwise.empty()) s.put("default", otherwise);
  return s.text();
}

/// One method of one path.
struct operation {
  const route::entry* route;
  route::method verb;  ///< the route's own, or one of those that `any` stands for
  std::string id;
};

/// One path with its operations.
struct path_item {
  const route::entry* first;           ///< whose parameter names the path has
  std::vector<operation> operations;   ///< in the order of the methods
};

inline constexpr std::array listed_methods = {route::method::get, route::method::post, route::method::put,
                                              route::method::patch, route::method::del};

/// What paths have in common that OpenAPI takes for one: `{id}` is as good as `{name}`, and as a tail.
inline std::string shape_of(const route::pattern& path) {
  std::string shape;
  for (const auto& piece : path.segments) {
    const bool literal = piece.kind == route::segment::sort::literal;
    shape += '/' + (literal ? route::percent_encode_segment(piece.text) : "{}");
  }
  return shape;
}

/// Groups the routes into paths. Where two have one shape and method, the one that is served first is listed.
inline std::vector<path_item> path_items(const route::table& routes) {
  std::vector<path_item> items;
  std::map<std::string, std::size_t> by_shape;
  std::vector<const route::entry*> order;
  for (const auto& e : routes.entries()) {
    const bool listed = std::find(listed_methods.begin(), listed_methods.end(), e.verb) != listed_methods.end();
    if (e.about.hidden || (!listed && e.verb != route::method::any)) continue;
    order.push_back(&e);
    if (by_shape.emplace(shape_of(e.path), items.size()).second) items.push_back({&e, {}});
  }
  const auto rank = [](const route::entry* e) {  // as the table tries them
    return (e->path.segments.back().kind == route::segment::sort::tail ? 2 : 0) +
           (e->verb == route::method::any ? 1 : 0);
  };
  std::stable_sort(order.begin(), order.end(), [&](auto* a, auto* b) { return rank(a) < rank(b); });

  for (const auto* e : order) {
    auto& there = items[by_shape.at(shape_of(e->path))].operations;
    for (const auto verb : listed_methods) {
      if (e->verb != verb && e->verb != route::method::any) continue;
      const auto at = std::find_if(there.begin(), there.end(), [&](const operation& o) { return o.verb >= verb; });
      if (at == there.end() || at->verb != verb) there.insert(at, {e, verb, {}});
    }
  }
  return items;
}

inline std::string method_word(route::method verb) { return text::lowered(route::name(verb)); }

/// `get_users_id` of GET /users/{id}.
inline std::string derived_id(const operation& o) {
  std::string id = method_word(o.verb);
  for (const auto& piece : o.route->path.segments) {
    if (!piece.text.empty()) id += '_';
    for (const char c : piece.text) {
      const bool word = text::is_digit(c) || (text::to_lower(c) >= 'a' && text::to_lower(c) <= 'z');
      id += word ? c : '_';
    }
  }
  return id;
}

/// The name where it is one operation's, with the method before it where it is several', and else made of the path.
/// Those with a name get theirs before the others do.
inline void give_ids(std::vector<path_item>& items) {
  std::map<std::string_view, int> bearers;
  for (const auto& item : items) {
    for (const auto& o : item.operations) ++bearers[o.route->about.name];
  }
  std::set<std::string> taken;
  for (const bool named : {true, false}) {
    for (auto& item : items) {
      for (auto& o : item.operations) {
        const std::string& name = o.route->about.name;
        if (name.empty() == named) continue;
        const std::string wish = !named ? derived_id(o) : bearers[name] == 1 ? name : method_word(o.verb) + '_' + name;
        o.id = wish;
        for (int n = 2; !taken.insert(o.id).second; ++n) o.id = wish + '_' + std::to_string(n);
      }
    }
  }
}

inline std::string content_of(const route::body_facts& b, const std::string& media_type) {
  json_object inner;
  if (!b.schema.empty()) inner.put("schema", b.schema);
  if (!b.example.empty()) inner.put("example", b.example);
  return json_object().put(media_type, inner.text()).text();
}

inline std::string parameters_of(const operation& o, const route::pattern& names) {
  const route::facts& about = o.route->about;
  std::vector<std::string> all;
  const bool tail = o.route->path.segments.back().kind == route::segment::sort::tail;
  for (std::size_t i = 0; i < names.names.size(); ++i) {
    json_object p;
    p.put_text("name", names.names[i]).put_text("in", "path").put("required", "true");
    if (tail && i + 1 == names.names.size()) p.put_text("description", "The rest of the path; it may hold slashes.");
    p.put("schema", schema_of(i < about.parameters.size() ? about.parameters[i] : route::value_kind::text));
    all.push_back(p.text());
  }
  for (const auto& q : about.query) {
    json_object p;
    p.put_text("name", q.name).put_text("in", "query").put_some("description", q.about);
    p.put("required", q.required ? "true" : "false").put("schema", schema_of(q.kind, q.otherwise));
    all.push_back(p.text());
  }
  return all.empty() ? std::string() : json_list(all, [](const std::string& p) { return p; });
}

inline std::string request_body_of(const operation& o) {
  const route::facts& about = o.route->about;
  // A body has no meaning in a GET (RFC 9110 §9.3.1): a route for any method reads one where there is one.
  const bool none = o.route->verb == route::method::any && o.verb == route::method::get;
  if (none || (!about.takes && !about.takes_json && !about.takes_upload)) return {};
  const char* const type = about.takes_upload ? "multipart/form-data" : "application/json";
  const route::body_facts b = about.takes.value_or(route::body_facts{{}, type, {}, {}});
  json_object body;
  body.put_some("description", b.about).put("required", "true");
  return body.put("content", content_of(b, b.media_type)).text();
}

inline std::string responses_of(const route::facts& about) {
  using route::answer_kind;
  std::map<std::string, std::string> all;  // by status, which sorts them, "default" last
  const auto media_type = [&about](const route::body_facts& b) -> std::string {
    if (!b.media_type.empty()) return b.media_type;
    if (about.answers == answer_kind::text) return "text/plain";
    return about.answers == answer_kind::json || !b.schema.empty() || !b.example.empty() ? "application/json" : "";
  };
  const auto add = [&](const std::string& status, const route::body_facts& b) {
    json_object r;
    r.put_text("description", b.about.empty() ? "Success" : b.about);
    const bool empty = status == "204" || status == "304" || status[0] == '1';
    if (const auto type = media_type(b); !empty && !type.empty()) r.put("content", content_of(b, type));
    all.emplace(status, r.text());
  };
  bool success = false;
  for (const auto& [status, body] : about.returns) {
    add(std::to_string(status), body);
    success = success || status < 400;
  }
  if (!success) add(about.chooses_status ? "2XX" : "200", {});

  const std::string problem = R"({"$ref":"#/components/responses/problem"})";
  const auto kinds = about.parameters;
  const bool converts = std::any_of(kinds.begin(), kinds.end(), [](auto k) { return k != route::value_kind::text; });
  if (!about.query.empty() || about.takes_json || about.takes_upload) all.emplace("400", problem);
  if (about.may_be_missing || converts) all.emplace("404", problem);
  if (about.takes_json) all.emplace("422", problem);
  all.emplace("default", problem);

  json_object out;
  for (const auto& [status, r] : all) out.put(status, r);
  return out.text();
}

inline std::string operation_text(const operation& o, const route::pattern& names) {
  const route::facts& about = o.route->about;
  json_object out;
  out.put_text("operationId", o.id).put_some("summary", about.summary).put_some("description", about.description);
  if (!about.tags.empty()) out.put("tags", json_list(about.tags, [](auto& tag) { return text::json_quoted(tag); }));
  if (about.deprecated) out.put("deprecated", "true");
  if (const auto parameters = parameters_of(o, names); !parameters.empty()) out.put("parameters", parameters);
  if (const auto body = request_body_of(o); !body.empty()) out.put("requestBody", body);
  return out.put("responses", responses_of(about)).text();
}

/// `/users/{id}`, a tail without its dots.
inline std::string template_of(const route::pattern& path) {
  std::string out;
  for (const auto& piece : path.segments) {
    const bool literal = piece.kind == route::segment::sort::literal;
    out += '/' + (literal ? route::percent_encode_segment(piece.text) : '{' + piece.text + '}');
  }
  return out;
}

/// http::write_problem writes what this describes.
inline constexpr std::string_view problem_components =
    R"({"schemas":{"problem":{"type":"object","description":"RFC 9457","properties":{"title":{"type":"string"},)"
    R"("status":{"type":"integer"},"detail":{"type":"string"},"request_id":{"type":"string",)"
    R"("description":"What the log of the service has about it."}},"required":["title","status"]}},)"
    R"("responses":{"problem":{"description":"An error","content":{"application/problem+json":)"
    R"({"schema":{"$ref":"#/components/schemas/problem"}}}}}})";

inline std::string openapi_document(const route::table& routes, const api_info& info) {
  auto items = path_items(routes);
  give_ids(items);

  json_object paths;
  std::vector<std::string> tags;
  for (const auto& item : items) {
    json_object path;
    for (const auto& o : item.operations) {
      path.put(method_word(o.verb), operation_text(o, item.first->path));
      for (const auto& tag : o.route->about.tags) {
        if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tags.push_back(tag);
      }
    }
    paths.put(template_of(item.first->path), path.text());
  }

  json_object about;
  about.put_text("title", info.title).put_text("version", info.version.empty() ? "0" : info.version);
  about.put_some("description", info.description);
  json_object out;
  out.put_text("openapi", "3.1.0").put("info", about.text());
  if (!tags.empty()) {
    out.put("tags", json_list(tags, [](auto& tag) { return json_object().put_text("name", tag).text(); }));
  }
  return out.put("paths", paths.text()).put("components", problem_components).text() + '\n';
}

}  // namespace web
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// web/metrics.hpp
// =====================================================================================================================

// What the service has answered, and what it costs, in Prometheus' text format 0.0.4.
//
//   svc.metrics("/metrics");                                       // off unless asked for
//
//   http_requests_total{method="GET",route="/users/{id}",status="200"} 12
//   http_request_duration_seconds_bucket{route="/users/{id}",le="0.005"} 11
//
// A route's label is its pattern, "none" where no route matched, so that no client can make series. What was refused
// before it was a request has method "none" too, and no duration. A series begins with its first request. An answer
// that streams lasts until it ends; a WebSocket until it is open.
//
// Counting is four additions to atomics of the route's own, without lock or allocation; off, it is nothing.

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace web {

/// What is measured when it is asked for, and not counted.
struct gauges {
  std::size_t in_flight = 0, connections = 0, websockets = 0;
  os::process_usage process;
  std::vector<std::pair<std::string, std::string>> build;  ///< labels of winsvc_build_info
};

/// Requests by route, method and status, and how long they took. `count` from any thread.
class request_counts {
 public:
  explicit request_counts(const route::table& routes);

  /// One that was answered. `id`: of the route, nothing where none matched. `verb`: nothing where there was no request
  /// either; it has no duration.
  void count(std::optional<std::size_t> id, std::optional<route::method> verb, int status,
             std::chrono::microseconds took) noexcept;

  /// The whole page.
  [[nodiscard]] std::string text(const gauges& now) const;

 private:
  /// Upper bounds of the histogram: a service on this machine answers in microseconds, one that asks a database in
  /// milliseconds.
  struct bound {
    std::int64_t microseconds;
    const char* seconds;
  };
  static constexpr std::array<bound, 14> bounds = {{
      {500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"}, {10000, "0.01"},
      {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
      {1000000, "1"},   {2500000, "2.5"}, {5000000, "5"},   {10000000, "10"},
  }};

  // All of it relaxed: a page that is read while requests are counted is one of many possible moments. A slot's key is
  // written once, and its count means nothing to anyone before that.
  using counter = std::atomic<std::uint64_t>;
  struct slot {
    std::atomic<std::uint32_t> key{0};  ///< method and status; 0 is free
    counter answered{0};
  };
  /// Of one pattern. A handler that answers with more than this many different statuses gets the rest in one sum.
  struct route_counts {
    std::array<slot, 48> slots;
    counter others{0};
    std::array<counter, bounds.size() + 1> took{};  ///< by the first bound it is not above; the last is for the rest
    counter microseconds{0};
  };

  std::vector<std::string> labels_;               // [0] is "none"
  std::vector<std::size_t> by_id_;                // into labels_: routes of one pattern share theirs
  std::unique_ptr<route_counts[]> counts_;        // one for each label
};

// ---------------------------------------------------------------------------------------------------------------------

inline request_counts::request_counts(const route::table& routes) : labels_{"none"} {
  std::map<std::string, std::size_t> known;
  for (const auto& e : routes.entries()) {
    const auto [at, fresh] = known.emplace(e.path.text, labels_.size());
    if (fresh) labels_.push_back(e.path.text);
    by_id_.push_back(at->second);
  }
  counts_ = std::make_unique<route_counts[]>(labels_.size());
}

inline void request_counts::count(std::optional<std::size_t> id, std::optional<route::method> verb, int status,
                                  std::chrono::microseconds took) noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  route_counts& to = counts_[id && *id < by_id_.size() ? by_id_[*id] : 0];

  const std::uint32_t method = verb ? static_cast<std::uint32_t>(*verb) + 1 : 0;
  const std::uint32_t key = method << 16 | (static_cast<std::uint32_t>(status) & 0xFFFFu) | 1u << 31;
  counter* answered = &to.others;
  for (auto& s : to.slots) {
    std::uint32_t there = s.key.load(relaxed);
    if (there == 0 && s.key.compare_exchange_strong(there, key, relaxed)) there = key;
    if (there != key) continue;  // somebody else's, perhaps since a moment ago
    answered = &s.answered;
    break;
  }
  answered->fetch_add(1, relaxed);
  if (!verb) return;

  std::size_t bucket = 0;
  while (bucket < bounds.size() && took.count() > bounds[bucket].microseconds) ++bucket;
  to.took[bucket].fetch_add(1, relaxed);
  to.microseconds.fetch_add(static_cast<std::uint64_t>(took.count() < 0 ? 0 : took.count()), relaxed);
}

/// The text format, line by line.
class prometheus_text {
 public:
  using labels = std::vector<std::pair<std::string_view, std::string>>;

  void family(std::string_view name, std::string_view type, std::string_view help) {
    out += "# HELP " + std::string(name) + ' ' + std::string(help) + "\n# TYPE " + std::string(name) + ' ' +
           std::string(type) + '\n';
  }
  void sample(std::string_view name, const labels& with, std::string_view value) {
    out += name;
    char before = '{';
    for (const auto& [label, text] : with) {
      out += before + std::string(label) + "=\"" + escaped(text) + '"';
      before = ',';
    }
    if (!with.empty()) out += '}';
    out += ' ' + std::string(value) + '\n';
  }
  /// A family of one sample without labels.
  void single(std::string_view name, std::string_view type, std::string_view help, std::string_view value) {
    family(name, type, help);
    sample(name, {}, value);
  }

  /// A label's value: backslash, quote and line feed escaped, malformed UTF-8 replaced.
  static std::string escaped(std::string_view value) {
    std::string text;
    for (std::size_t at = 0; at < value.size();) {
      const char32_t c = text::next_code_point(value, at);
      if (c == U'\\' || c == U'"') text += '\\';
      if (c == U'\n') text += "\\n";
      else text::append_utf8(text, c);
    }
    return text;
  }
  /// A count of microseconds as seconds, without a locale's idea of a decimal point.
  static std::string seconds(std::uint64_t microseconds) {
    std::string fraction = std::to_string(microseconds % 1'000'000);
    fraction.insert(0, 6 - fraction.size(), '0');
    return std::to_string(microseconds / 1'000'000) + '.' + fraction;
  }

  std::string out;
};

inline std::string request_counts::text(const gauges& now) const {
  constexpr auto relaxed = std::memory_order_relaxed;
  prometheus_text page;

  page.family("http_requests_total", "counter", "Answers, by method, pattern of the route, and status.");
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    const auto put = [&](const std::string& method, const std::string& status, std::uint64_t value) {
      if (value == 0) return;
      page.sample("http_requests_total", {{"method", method}, {"route", labels_[i]}, {"status", status}},
                  std::to_string(value));
    };
    for (const auto& s : counts_[i].slots) {
      const std::uint32_t key = s.key.load(relaxed), method = key >> 16 & 0x7FFFu;
      put(method == 0 ? "none" : std::string(route::name(static_cast<route::method>(method - 1))),
          std::to_string(key & 0xFFFFu), s.answered.load(relaxed));
    }
    put("other", "other", counts_[i].others.load(relaxed));
  }

  page.family("http_request_duration_seconds", "histogram", "From a request's head to its answer's end, by route.");
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    const route_counts& of = counts_[i];
    std::array<std::uint64_t, bounds.size() + 1> up_to{};
    std::uint64_t sum = 0;
    for (std::size_t b = 0; b < up_to.size(); ++b) up_to[b] = sum += of.took[b].load(relaxed);
    if (sum == 0) continue;
    for (std::size_t b = 0; b < up_to.size(); ++b) {
      page.sample("http_request_duration_seconds_bucket",
                  {{"route", labels_[i]}, {"le", b < bounds.size() ? bounds[b].seconds : "+Inf"}},
                  std::to_string(up_to[b]));
    }
    page.sample("http_request_duration_seconds_sum", {{"route", labels_[i]}},
                prometheus_text::seconds(of.microseconds.load(relaxed)));
    page.sample("http_request_duration_seconds_count", {{"route", labels_[i]}}, std::to_string(sum));
  }

  page.single("http_requests_in_flight", "gauge", "Requests that are being answered, this one too.",
              std::to_string(now.in_flight));
  page.single("http_connections", "gauge", "Open connections.", std::to_string(now.connections));
  page.single("http_websockets", "gauge", "Open WebSockets.", std::to_string(now.websockets));
  const auto number = [](auto d) { return static_cast<std::uint64_t>(d.count() < 0 ? 0 : d.count()); };
  if (now.process.started.count() != 0) {
    page.single("process_start_time_seconds", "gauge", "When the process was started, since 1970.",
                prometheus_text::seconds(number(now.process.started) * 1000));
  }
  page.single("process_cpu_seconds_total", "counter", "Time of processors that the process has used.",
              prometheus_text::seconds(number(now.process.cpu)));
  if (now.process.resident != 0) {
    page.single("process_resident_memory_bytes", "gauge", "Memory of the process that is in RAM.",
                std::to_string(now.process.resident));
  }
  page.family("winsvc_build_info", "gauge", "What this is; always 1.");
  page.sample("winsvc_build_info", {now.build.begin(), now.build.end()}, "1");
  return std::move(page.out);
}

}  // namespace web
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/hooks.hpp
// =====================================================================================================================

// The hooks of a service as the app writes them, each brought to one shape for the runtime.
//
//   svc.on_start("open store", [](winsvc::start_context& start) { …; return [] { close_store(); }; });
//   svc.on_stop("flush cache", [](winsvc::stop_context& stop) { …; stop.progress("half of it"); });
//   svc.on_control(200, [](std::uint32_t) { return 0; });
//
// A hook is named by the text it was given, or by where it was written: the log and a failure have to tell them apart.

#include <cstddef>
#include <cstdint>
#include <functional>
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
  /// "opening store", 2 of 5: goes to the log, and tells the SCM that the start is alive. A hook that makes none for
  /// the start limit (`service::start_limit`, 30 s) is taken for hung, so call it when something has been achieved, and
  /// only then.
  void progress(std::string_view what, unsigned step = 0, unsigned of = 0) const { progress_(what, step, of); }
  /// A stop was asked for meanwhile: return soon, the service will not run.
  [[nodiscard]] bool stop_requested() const { return stop_.stop_requested(); }
  [[nodiscard]] const stop_token& stop() const noexcept { return stop_; }
  /// What came with the start (`start -- words…`), without the service's name. Empty in debug.
  [[nodiscard]] const std::vector<std::string>& arguments() const noexcept { return arguments_; }

  using progress_function = std::function<void(std::string_view, unsigned, unsigned)>;
  start_context(progress_function progress, stop_token stop, std::vector<std::string> arguments)
      : progress_(std::move(progress)), stop_(std::move(stop)), arguments_(std::move(arguments)) {}

 private:
  progress_function progress_;
  stop_token stop_;
  std::vector<std::string> arguments_;
};

/// What a stop, pause, continue or reload hook may be given. Used on the thread that runs the hook.
class stop_context {
 public:
  /// As in start_context; the limit is `service::stop_limit`, 20 s, and 3 s when the machine shuts down.
  void progress(std::string_view what, unsigned step = 0, unsigned of = 0) const { progress_(what, step, of); }
  explicit stop_context(start_context::progress_function progress) : progress_(std::move(progress)) {}

 private:
  start_context::progress_function progress_;
};

namespace host {

/// A start hook returns what undoes it, or nothing.
using undo = std::function<void(stop_context&)>;

/// What is called when the service pauses, continues, reloads or stops.
struct named_hook {
  std::string name;
  source where;
  undo body;

  [[nodiscard]] std::string text() const { return name.empty() ? "hook at " + where.text() : "hook '" + name + "'"; }
};

/// One entry of the list that is walked forwards at start and backwards at stop: a start hook or a stop hook.
struct hook {
  std::function<undo(start_context&)> start;
  named_hook stop;  ///< its name and place are the start hook's too
};

/// Of a control of the app's own; the result goes to the sender.
struct control_hook {
  std::uint32_t code = 0;
  source where;
  std::function<std::uint32_t(std::uint32_t)> body;
};

/// A hook of events: `session_change` or `power_event`.
template <class Event>
struct event_hook {
  source where;
  std::function<void(const Event&)> body;
};

// ---------------------------------------------------------------------------------------------------------------------

template <class F>
undo stop_hook(F f) {
  if constexpr (std::is_invocable_v<F&, stop_context&>) {
    return [f = std::move(f)](stop_context& context) mutable { static_cast<void>(f(context)); };
  } else {
    return [f = std::move(f)](stop_context&) mutable { static_cast<void>(f()); };
  }
}

template <class F>
inline constexpr bool is_stop_hook = std::is_invocable_v<F&> || std::is_invocable_v<F&, stop_context&>;
template <>
inline constexpr bool is_stop_hook<void> = false;

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
    static_assert(std::is_void_v<returned> || is_stop_hook<std::decay_t<returned>>,
                  "winsvc: an on_start hook returns nothing, or a callable that undoes it at stop");
    if constexpr (std::is_void_v<returned>) {
      call();
      return {};
    } else {
      auto back = call();
      if constexpr (std::is_assignable_v<decltype(back)&, std::nullptr_t>) {  // a std::function, which may be empty
        if (!back) return {};
      }
      return stop_hook(std::move(back));
    }
  };
}

template <class F>
std::function<std::uint32_t(std::uint32_t)> make_control_hook(F f) {
  constexpr bool with_code = std::is_invocable_v<F&, std::uint32_t>;
  static_assert(with_code || std::is_invocable_v<F&>,
                "winsvc: on_control takes a callable without arguments, or with the control's number");
  return [f = std::move(f)](std::uint32_t code) mutable -> std::uint32_t {
    const auto call = [&]() -> decltype(auto) {
      if constexpr (with_code) return f(code);
      else return static_cast<void>(code), f();
    };
    using returned = decltype(call());
    static_assert(std::is_void_v<returned> || std::is_convertible_v<returned, std::uint32_t>,
                  "winsvc: an on_control hook returns nothing, or a Win32 code for who sent the control");
    if constexpr (std::is_void_v<returned>) {
      call();
      return 0;
    } else {
      return static_cast<std::uint32_t>(call());
    }
  };
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/blueprint.hpp
// =====================================================================================================================

// Everything App said, as a value: what the runtime and the verbs read. `service` (host/service.hpp) fills it.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

struct worker {
  std::string name;
  std::function<void(stop_token)> body;
};
struct ready_check {
  std::string name;
  std::function<bool()> check;
};

struct blueprint {
  model::service_spec spec;
  std::optional<std::string> instance;  ///< of this run; set before App is called
  std::string version;
  std::string data_folder;              ///< of this run, where its host knows; see folder()
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  std::chrono::milliseconds start_limit = std::chrono::seconds(30), stop_limit = std::chrono::seconds(20);
  std::string live_path = "/livez", ready_path = "/readyz";
  wire::limits limits;
  std::optional<http::tls_files> tls;
  http::router router;
  bool access_log = false;                                     ///< every request has a line
  std::vector<std::function<void(http::engine&)>> on_engine;  ///< when the engine has been made, before it accepts
  std::vector<hook> hooks;
  std::vector<named_hook> pause_hooks, continue_hooks, reload_hooks, time_hooks;
  std::vector<event_hook<session_change>> session_hooks;
  std::vector<event_hook<power_event>> power_hooks;
  std::vector<control_hook> control_hooks;
  std::vector<worker> workers;
  std::vector<ready_check> ready_checks;
  logger log;
  bool frozen = false;

  /// Where it keeps its data. Nobody has made it yet, perhaps. "" where the system does not say.
  [[nodiscard]] std::string folder() const {
    if (!data_folder.empty()) return data_folder;
    const auto usual = os::data_folder(instance ? model::instance_name(spec.name, *instance) : spec.name);
    return usual ? *usual : std::string();
  }
  /// What the SCM may send: exactly what there is a hook for.
  [[nodiscard]] model::hooked accepts() const {
    model::hooked h;
    h.pause_continue = !pause_hooks.empty() || !continue_hooks.empty();
    h.param_change = !reload_hooks.empty() || tls.has_value();
    h.power_event = !power_hooks.empty();
    h.session_change = !session_hooks.empty();
    h.time_change = !time_hooks.empty();
    h.preshutdown = spec.preshutdown.has_value();
    for (const auto& c : control_hooks) h.custom.set(c.code - 128);
    return h;
  }
};

}  // namespace host
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
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {

class service : public http::route_registrar<service> {
 public:
  explicit service(host::blueprint& plan)
      : route_registrar(plan.router, {}, std::make_shared<http::chain>()), plan_(plan) {}
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
  /// Which instance this is (`--instance blue`), or "". The SCM's name of one is `name$instance`.
  [[nodiscard]] std::string instance() const { return plan_.instance.value_or(std::string()); }

  /// When the system starts it. Default: automatic.
  service& startup(winsvc::startup when);
  /// Whom it runs as: `virtual`, `system`, `local-service`, `network-service`, `DOMAIN\name`. Default: virtual, an
  /// account of the service's own without a password. A password is asked for at install.
  service& account(std::string text);
  /// What has to run before it: service names, groups with a '+' before them. Default: nothing.
  service& depends_on(std::vector<std::string> services);
  /// What the SCM does after a failure, one action a failure, the last one for all that follow; after `reset` without
  /// a failure the first again. Default: restart after 5 s, 30 s, 2 min; 1 day. An empty list: nothing.
  service& recovery(std::vector<recovery_action> actions, std::chrono::seconds reset = std::chrono::hours(24));
  /// Takes PRESHUTDOWN in the place of SHUTDOWN: the machine waits this long for the service before it shuts down.
  /// Default: SHUTDOWN, for which the system leaves some 5 s.
  service& preshutdown(std::chrono::milliseconds limit);
  /// Privileges its process keeps beside SeChangeNotifyPrivilege ("SeImpersonatePrivilege", …). The SCM takes all
  /// others out of its token; one that its account has not makes the start fail.
  service& privileges(std::vector<std::string> names);

  // -- listening --

  /// Default: 127.0.0.1:8080. Port 0 picks a free one, which `status` shows. The command line has the last word
  /// (`--host`, `--port`). "0.0.0.0" listens on all IPv4 addresses, "::" on all.
  service& listen(std::string host, std::uint16_t port);
  /// HTTPS, and no plain HTTP, with a certificate and its key: PEM files, relative to the executable's folder. They are
  /// read at start, which fails when they cannot be used, and again at `reload`. See http/tls.hpp.
  template <bool Built = http::has_tls>
  service& tls(std::string certificate, std::string key, tls_options options = {}) {
    static_assert(Built,
                  "winsvc: tls needs cpp-httplib built with a TLS library: compile with -DCPPHTTPLIB_OPENSSL_SUPPORT "
                  "and link -lssl -lcrypto");
    set_tls({std::move(certificate), std::move(key), std::move(options.client_authorities)});
    return *this;
  }
  /// Sizes and time-outs of the wire, each with its default in wire/limits.hpp.
  [[nodiscard]] wire::limits& limits() noexcept { return plan_.limits; }

  // -- routes: see http/group.hpp for all of them, route/pattern.hpp for patterns, http/handler.hpp for handlers --

  /// What an answer of winsvc's own with this status looks like (404, 405, 413, 500, `abort`…).
  service& on_error(int status, http::error_page page, source where = source::here());
  /// 404, said your way.
  service& not_found(http::error_page page, source where = source::here()) {
    return on_error(404, std::move(page), where);
  }
  /// What becomes of an exception of this type that leaves a handler or a middleware: `f(const E&)`, which returns what
  /// a handler may return, or `f(const E&, const request&, response&)`. It is not logged then. The first that fits.
  template <class E, class F>
  service& on_exception(F f) {
    check_open("on_exception");
    plan_.router.pages.by_exception.push_back(http::make_exception_page<E>(std::move(f)));
    return *this;
  }

  /// Answers GET at this path with the OpenAPI 3.1 document of the routes (web/openapi.hpp), with the middleware that
  /// was added before. Default: there is none.
  service& openapi(std::string_view path = "/openapi.json", source where = source::here());
  /// Answers GET at this path with counts of requests in Prometheus' text format (web/metrics.hpp), also while the
  /// service is paused, with the middleware that was added before. Default: there is none, and nothing is counted.
  service& metrics(std::string_view path = "/metrics", source where = source::here());
  /// Writes a line to the log for every request that was answered, or refused before it had a route: peer, id, method
  /// and target, status, bytes, microseconds, the route's pattern. `debug` shows a shorter one in any case.
  service& access_log();

  // -- lifecycle: all hooks on one thread, which is none of the requests', one at a time --

  /// Before the port is bound, in the order of registration. `f()` or `f(start_context&)`; what it returns, if
  /// anything, is called at stop, in reverse order, as on_stop's are. An exception fails the start with its text, and
  /// so does a hook that makes no progress for the start limit. `name`: what the log calls it; default: where it is
  /// written.
  template <class F>
  service& on_start(F f, source where = source::here()) {
    return on_start(std::string(), std::move(f), where);
  }
  template <class F>
  service& on_start(std::string name, F f, source where = source::here()) {
    check_open("on_start");
    plan_.hooks.push_back({host::start_hook(std::move(f)), {std::move(name), where, {}}});
    return *this;
  }
  /// After the last request was answered, in reverse order of registration, among what on_start hooks returned; only
  /// when all hooks registered before it have started. `f()` or `f(stop_context&)`. An exception is logged, and the
  /// other hooks still run; a hook that makes no progress for the stop limit is named in the log and given up, and the
  /// process ends. Not run when a handler or worker did not return in time, because it may still use what the hook
  /// would close.
  template <class F>
  service& on_stop(F f, source where = source::here()) {
    return on_stop(std::string(), std::move(f), where);
  }
  template <class F>
  service& on_stop(std::string name, F f, source where = source::here()) {
    check_open("on_stop");
    static_assert(host::is_stop_hook<F>,
                  "winsvc: on_stop takes a callable without arguments, or with winsvc::stop_context&");
    plan_.hooks.push_back({{}, {std::move(name), where, host::stop_hook(std::move(f))}});
    return *this;
  }
  /// Pause and continue, accepted when either is hooked. While it is paused the listener stays and requests get 503
  /// with Retry-After (`/livez` still answers); workers go on. Paused is reported when all pause hooks have returned.
  /// When one throws the service goes on running (or stays paused); hooks that had run before it are not called back.
  template <class F>
  service& on_pause(F f, source where = source::here()) {
    return add(plan_.pause_hooks, "on_pause", std::move(f), where);
  }
  template <class F>
  service& on_continue(F f, source where = source::here()) {
    return add(plan_.continue_hooks, "on_continue", std::move(f), where);
  }
  /// PARAMCHANGE (`reload`): read what has changed. An exception is logged; the service goes on as it was.
  template <class F>
  service& on_reload(F f, source where = source::here()) {
    return add(plan_.reload_hooks, "on_reload", std::move(f), where);
  }
  /// The machine's clock was set.
  template <class F>
  service& on_time_change(F f, source where = source::here()) {
    return add(plan_.time_hooks, "on_time_change", std::move(f), where);
  }
  /// A control of your own, 128 to 255 (`control 200`). `f()` or `f(code)`; it returns a Win32 code for the sender, or
  /// nothing, which is 0. The sender gets it when it comes within 500 ms, and 997 (still at work) otherwise, because
  /// the SCM serves no one else meanwhile; 1064 when the hook throws.
  template <class F>
  service& on_control(std::uint32_t code, F f, source where = source::here()) {
    auto made = host::make_control_hook(std::move(f));
    add_control({code, where, std::move(made)});
    return *this;
  }
  /// Somebody logged on, locked the screen, …
  service& on_session_change(std::function<void(const session_change&)> f, source where = source::here());
  /// The machine suspends or resumes, its battery changed, …
  service& on_power(std::function<void(const power_event&)> f, source where = source::here());

  /// How long a start hook may make no progress, up to a day. Default: 30 s.
  service& start_limit(std::chrono::milliseconds limit);
  /// How long a stop waits for requests in flight, and for a hook that makes no progress, up to a day. Default: 20 s;
  /// 3 s when the machine shuts down, which waits no longer.
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

  /// Where the service keeps its data: `%ProgramData%\<name>`, which its own account and administrators may change;
  /// `$XDG_STATE_HOME/<name>` elsewhere. It is made here where it is not there yet, so ask in a hook or a handler; the
  /// verbs only describe the app. Throws std::runtime_error where it cannot be made.
  [[nodiscard]] std::string data_folder() const;
  /// The service's log: a file as a service, the terminal in debug.
  [[nodiscard]] logger& log() noexcept { return plan_.log; }

 private:
  template <class F>
  service& add(std::vector<host::named_hook>& list, const char* what, F f, source where) {
    check_open(what);
    static_assert(host::is_stop_hook<F>,
                  "winsvc: this hook takes a callable without arguments, or with winsvc::stop_context&");
    list.push_back({{}, where, host::stop_hook(std::move(f))});
    return *this;
  }
  void add_control(host::control_hook h);
  void set_tls(http::tls_files files);
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

inline void service::set_tls(http::tls_files files) {
  check_open("tls");
  if (files.certificate.empty() || files.key.empty()) throw setup_error("tls: it takes two files, certificate and key");
  const auto folder = os::folder_of(os::executable_path());  // not the current one: a hook may change that
  for (auto* path : {&files.certificate, &files.key, &files.client_authorities}) {
    if (!path->empty() && !os::is_absolute(*path)) *path = os::path_join(folder, *path);
  }
  plan_.tls = std::move(files);
}
inline std::string service::data_folder() const {
  const std::string folder = plan_.folder();
  if (const auto made = os::make_folders(folder); !made)
    throw std::runtime_error(
        error{made.error(), "make the data folder", folder, os::system_words(made.error()), {}}.sentence());
  return folder;
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
inline std::chrono::milliseconds up_to_a_day(std::chrono::milliseconds limit) {
  return std::clamp(limit, std::chrono::milliseconds(0), std::chrono::milliseconds(std::chrono::hours(24)));
}
inline service& service::start_limit(std::chrono::milliseconds limit) {
  check_open("start_limit");
  plan_.start_limit = up_to_a_day(limit);
  return *this;
}
inline service& service::stop_limit(std::chrono::milliseconds limit) {
  check_open("stop_limit");
  plan_.stop_limit = up_to_a_day(limit);
  return *this;
}
inline service& service::account(std::string text) {
  check_open("account");
  if (const auto good = model::parse_account(text, plan_.spec.name); !good) throw setup_error(good.error().sentence());
  plan_.spec.account = std::move(text);
  return *this;
}
inline service& service::depends_on(std::vector<std::string> services) {
  check_open("depends_on");
  plan_.spec.depends_on = std::move(services);
  return *this;
}
inline service& service::recovery(std::vector<recovery_action> actions, std::chrono::seconds reset) {
  check_open("recovery");
  plan_.spec.recovery = model::recovery_plan{std::move(actions), reset};
  return *this;
}
inline service& service::preshutdown(std::chrono::milliseconds limit) {
  check_open("preshutdown");
  plan_.spec.preshutdown = up_to_a_day(limit);
  return *this;
}
inline service& service::privileges(std::vector<std::string> names) {
  check_open("privileges");
  plan_.spec.privileges = std::move(names);
  return *this;
}
inline service& service::on_session_change(std::function<void(const session_change&)> f, source where) {
  check_open("on_session_change");
  plan_.session_hooks.push_back({where, std::move(f)});
  return *this;
}
inline service& service::on_power(std::function<void(const power_event&)> f, source where) {
  check_open("on_power");
  plan_.power_hooks.push_back({where, std::move(f)});
  return *this;
}
inline void service::add_control(host::control_hook h) {
  check_open("on_control");
  const std::string what = "on_control " + std::to_string(h.code) + " (" + h.where.text() + "): ";
  if (h.code < 128 || h.code > 255) throw setup_error(what + "controls of your own are 128 to 255");
  for (const auto& other : plan_.control_hooks) {
    if (other.code == h.code)
      throw setup_error(what + "it is hooked at " + other.where.text() + ", and has one result only");
  }
  plan_.control_hooks.push_back(std::move(h));
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
inline service& service::on_error(int status, http::error_page page, source where) {
  check_open("on_error");
  if (!plan_.router.pages.by_status.emplace(status, std::move(page)).second)
    throw setup_error("on_error " + std::to_string(status) + " (" + where.text() + "): it is said already");
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
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/own_routes.hpp
// =====================================================================================================================

// What a service can tell of itself, where the app asks for it: the description of its routes, its counts, and a line
// for each request.

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {

inline service& service::openapi(std::string_view path, source where) {
  check_open("openapi");
  struct document {
    std::once_flag made;
    std::string text;
  };
  // Made when it is first asked for: the app says its version and the last of its routes when it likes.
  get(path, [&plan = plan_, one = std::make_shared<document>()] {
    std::call_once(one->made, [&] {
      const auto& spec = plan.spec;
      one->text = web::openapi_document(plan.router.routes(), {spec.display_name.value_or(spec.name), plan.version,
                                                               spec.description.value_or(std::string())});
    });
    return reply::with(one->text, "application/json");
  }, where).hidden();
  return *this;
}
inline service& service::metrics(std::string_view path, source where) {
  check_open("metrics");
  struct measured {
    std::optional<web::request_counts> counts;
    const http::engine* engine = nullptr;
  };
  const auto m = std::make_shared<measured>();
  plan_.on_engine.push_back([&plan = plan_, m](http::engine& e) {  // now that all routes are known
    m->counts.emplace(plan.router.routes());
    m->engine = &e;
    e.on_answered([m](const http::access_entry& a) { m->counts->count(a.route_id, a.verb, a.status, a.took); });
  });
  get(path, [&plan = plan_, m] {
    const web::gauges now{m->engine->in_flight(), m->engine->connections(), m->engine->websockets(), os::usage(),
                          {{"service", plan.spec.name},
                           {"version", plan.version},
                           {"winsvc", WINSVC_VERSION_STRING},
                           {"httplib", CPPHTTPLIB_VERSION}}};
    return reply::with(m->counts->text(now), "text/plain; version=0.0.4; charset=utf-8");
  }, where);
  plan_.router.keep_while_paused();
  return *this;
}
inline service& service::access_log() {
  check_open("access_log");
  if (std::exchange(plan_.access_log, true)) return *this;
  plan_.on_engine.push_back([&plan = plan_](http::engine& e) {
    e.on_answered([&plan](const http::access_entry& a) {
      std::string line = a.peer.host + ' ';
      if (!a.id.empty()) line += std::string(a.id) + ' ';
      line += a.line();
      if (!a.pattern.empty()) line += "  " + std::string(a.pattern);
      plan.log.info(line);
    });
  });
  return *this;
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

  /// What may be sent from RUNNING on; known when the app has been described.
  void accepts(model::hooked hooks) {
    const std::lock_guard lock(mutex_);
    hooks_ = hooks;
    life_.hooks(hooks);
  }

  /// Makes the move and publishes it; false where it is not legal from here, and nothing was published.
  bool apply(model::step what, std::chrono::milliseconds wait_hint = {}, model::exit_status exit = {}) {
    const std::lock_guard lock(mutex_);
    return publish(what, wait_hint, exit);
  }

  /// Decides what a control means now, and publishes what follows from it, in one step: no other status comes between.
  model::decision take(std::uint32_t control, std::chrono::milliseconds wait_hint) {
    const std::lock_guard lock(mutex_);
    const auto decided = model::decide(life_.now().current, hooks_, control);
    if (decided.publish) publish(*decided.publish, wait_hint, {});
    return decided;
  }

  [[nodiscard]] model::service_status now() const {
    const std::lock_guard lock(mutex_);
    return life_.now();
  }

 private:
  bool publish(model::step what, std::chrono::milliseconds wait_hint, model::exit_status exit) {
    const auto status = life_.apply(what, wait_hint, exit);
    if (status && publish_) publish_(*status);
    return status.has_value();
  }

  mutable std::mutex mutex_;
  model::lifecycle life_;
  model::hooked hooks_;
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

/// What readiness depends on beside the checks.
enum class phase { starting, serving, paused, stopping };

/// `now` changes with the first moment of a pause and of a stop. It and the plan outlive the router's last call.
inline void add_health_routes(blueprint& plan, const std::atomic<phase>& now) {
  const source where = source::here();
  const auto free = [&plan](const std::string& path) { return !path.empty() && !plan.router.has(path); };
  if (free(plan.live_path)) {
    plan.router.add(route::method::get, plan.live_path, [] { return "live\n"; }, where);
    plan.router.keep_while_paused();
  }
  if (!free(plan.ready_path)) return;

  plan.router.add(route::method::get, plan.ready_path, [&plan, &now]() -> reply {
    switch (now.load()) {
      case phase::starting: return reply::text("starting\n", 503);
      case phase::paused: return reply::text("paused\n", 503);
      case phase::stopping: return reply::text("stopping\n", 503);
      case phase::serving: break;
    }
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
  plan.router.keep_while_paused();
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/hook_thread.hpp
// =====================================================================================================================

// The thread that hooks run on, one after the other, and the patience with them. Whoever runs a hook waits beside it,
// so that one that hangs can be named and given up.
//
//   hook_thread hooks;
//   auto how = hooks.run([&] { open_store(); }, 30s);
//   if (how.what == ending::silent) …          // no progress() for 30 s: the thread is left to itself
//
// All hooks of a service run on this one thread, because what one opens (a COM apartment, a window) another may have to
// close on the same. It begins with the first hook.

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// How a hook ended, for the one who waited.
struct ending {
  enum kind { done, threw, silent };
  kind what = done;
  std::string words;  ///< of the exception
};

class hook_thread {
 public:
  using milliseconds = std::chrono::milliseconds;
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr milliseconds no_limit = (milliseconds::max)();

  hook_thread() = default;
  ~hook_thread();
  hook_thread(const hook_thread&) = delete;
  hook_thread& operator=(const hook_thread&) = delete;

  /// Runs `body` on the thread and waits: until it ends, or has made no progress for `allowance`. After `silent`
  /// nothing more can be run, and what the body uses must stay until the process ends. Under a debugger nothing is
  /// silent: somebody may be at a breakpoint.
  ending run(std::function<void()> body, milliseconds allowance);
  /// From any thread: the hook that runs now is alive; its time begins anew.
  void progress() noexcept;
  /// From any thread: whatever runs now has this long from here on, if it had longer, and so has what is run later; and
  /// nothing has longer than `all_by`, whatever progress it makes.
  void hurry(milliseconds allowance, time_point all_by = (time_point::max)()) noexcept;

 private:
  /// What both threads look at. It outlives a thread that was given up.
  struct desk {
    std::mutex mutex;
    std::condition_variable changed;
    std::function<void()> body;  // to run, or running
    bool running = false, closing = false;
    ending how;
    milliseconds most = std::chrono::hours(24 * 365);  // for ever; more would overflow where it is added to a time
    milliseconds allowance{0};
    time_point until, all_by = (time_point::max)();

    void patience(milliseconds allowed) {
      allowance = (std::min)(allowed, most);
      until = (std::min)(std::chrono::steady_clock::now() + allowance, all_by);
    }
    void work();
  };

  std::shared_ptr<desk> desk_ = std::make_shared<desk>();
  std::thread thread_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline void hook_thread::desk::work() {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return running || closing; });
    if (!running) return;
    lock.unlock();
    ending ended;
    try {
      body();
    } catch (const std::exception& e) {
      ended = {ending::threw, e.what()};
    } catch (...) {
      ended = {ending::threw, "something that is no std::exception"};
    }
    lock.lock();
    how = std::move(ended);
    running = false;
    changed.notify_all();
  }
}

inline ending hook_thread::run(std::function<void()> body, milliseconds allowance) {
  if (!thread_.joinable()) thread_ = std::thread([shared = desk_] { shared->work(); });
  std::unique_lock lock(desk_->mutex);
  desk_->body = std::move(body);
  desk_->running = true;
  desk_->patience(allowance);
  desk_->changed.notify_all();
  while (desk_->running) {
    const auto until = desk_->until;  // progress and hurry move it
    if (desk_->changed.wait_until(lock, until) == std::cv_status::timeout && desk_->running &&
        std::chrono::steady_clock::now() >= desk_->until) {
      if (os::debugger_attached()) {
        desk_->patience(desk_->allowance);
        continue;
      }
      thread_.detach();  // it may come back or not; nobody waits for it any more
      return {ending::silent, {}};
    }
  }
  desk_->body = nullptr;
  return std::move(desk_->how);
}

inline void hook_thread::progress() noexcept {
  const std::lock_guard lock(desk_->mutex);
  desk_->patience(desk_->allowance);
}

inline void hook_thread::hurry(milliseconds allowance, time_point all_by) noexcept {
  const std::lock_guard lock(desk_->mutex);
  desk_->most = (std::min)(allowance, desk_->most);
  desk_->all_by = (std::min)(all_by, desk_->all_by);
  if (desk_->allowance <= desk_->most && desk_->until <= desk_->all_by) return;
  desk_->patience((std::min)(desk_->most, desk_->allowance));
  desk_->changed.notify_all();
}

inline hook_thread::~hook_thread() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(desk_->mutex);
    desk_->closing = true;
    desk_->changed.notify_all();
  }
  thread_.join();
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/hook_runner.hpp
// =====================================================================================================================

// Runs the app's hooks on their thread and waits beside it: with the limits of the app, with a way for a hook to say
// that it gets on, and with one place that hears of a hook that hangs.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class hook_runner {
 public:
  using milliseconds = std::chrono::milliseconds;
  /// `doing` what, which hook, and how long it had been silent.
  using hung_function = std::function<void(const std::string& doing, const std::string& hook, milliseconds limit)>;

  hook_runner(blueprint& plan, reporter& report, hung_function hung)
      : plan_(plan), report_(report), hung_(std::move(hung)) {}

  /// From any thread: whatever runs has this long from here on, and what is run after it too.
  void hurry(milliseconds limit, hook_thread::time_point all_by) noexcept { thread_.hurry(limit, all_by); }

  /// What the hooks that are run next may say progress with, and the wait hint that the SCM is given then.
  void announce(const char* doing, std::function<milliseconds()> hint);
  /// The same for start hooks.
  void announce_start(std::function<milliseconds()> hint, stop_token stop, std::vector<std::string> arguments);

  /// Runs one hook. `silent` was told to `hung` when this returns.
  ending call(const std::string& doing, const std::string& hook, std::function<void()> body, milliseconds limit);
  ending call(const std::string& doing, const named_hook& hook, milliseconds limit) {
    return call(doing, hook.text(), [this, &hook] { hook.body(*pending_); }, limit);
  }
  /// Runs a start hook; `back` becomes what undoes it.
  ending call(const hook& h, undo& back, milliseconds limit);

 private:
  start_context::progress_function progress(const char* doing, std::function<milliseconds()> hint);

  blueprint& plan_;
  reporter& report_;
  hung_function hung_;
  std::optional<start_context> start_;   // here and not in a frame: a hook that was given up still uses it
  std::optional<stop_context> pending_;
  hook_thread thread_;                   // last: it ends before what hooks use
};

// ---------------------------------------------------------------------------------------------------------------------

inline start_context::progress_function hook_runner::progress(const char* doing, std::function<milliseconds()> hint) {
  return [this, doing, hint = std::move(hint)](std::string_view what, unsigned step, unsigned of) {
    std::string line = std::string(doing) + ": " + std::string(what);
    if (of != 0) line += " (" + std::to_string(step) + " of " + std::to_string(of) + ")";
    plan_.log.info(std::move(line));
    thread_.progress();
    report_.apply(model::step::progress, hint());
  };
}

inline void hook_runner::announce(const char* doing, std::function<milliseconds()> hint) {
  pending_.emplace(progress(doing, std::move(hint)));
}

inline void hook_runner::announce_start(std::function<milliseconds()> hint, stop_token stop,
                                        std::vector<std::string> arguments) {
  start_.emplace(progress("starting", std::move(hint)), std::move(stop), std::move(arguments));
}

inline ending hook_runner::call(const std::string& doing, const std::string& hook, std::function<void()> body,
                                milliseconds limit) {
  ending how = thread_.run(std::move(body), limit);
  if (how.what == ending::silent) hung_(doing, hook, limit);
  return how;
}

inline ending hook_runner::call(const hook& h, undo& back, milliseconds limit) {
  const auto made = std::make_shared<undo>();  // shared: see start_
  ending how = call("start", h.stop.text(), [this, &h, made] { *made = h.start(*start_); }, limit);
  if (how.what == ending::done) back = std::move(*made);
  return how;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/duties.hpp
// =====================================================================================================================

// What controls ask for, beside a stop: pause, continue, reload, events, and controls of the app's own. The control
// handler queues it, the service's thread does it, one after the other.
//
// A hook that throws here is logged and ends nothing. One that hangs ends the service (host/hook_runner.hpp tells it).

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// The result of a control of the app's own, on its way from the hook to the sender.
class awaited_result {
 public:
  void give(std::uint32_t code) {
    const std::lock_guard lock(mutex_);
    code_ = code;
    given_.notify_all();
  }
  /// The code; `otherwise` when it does not come in time.
  std::uint32_t wait(std::chrono::milliseconds limit, std::uint32_t otherwise) {
    std::unique_lock lock(mutex_);
    given_.wait_for(lock, limit, [this] { return code_.has_value(); });
    return code_.value_or(otherwise);
  }

 private:
  std::mutex mutex_;
  std::condition_variable given_;
  std::optional<std::uint32_t> code_;
};

/// One control on its way.
struct task {
  model::duty what = model::duty::nothing;
  model::control_event event;
  std::shared_ptr<awaited_result> result;  ///< of a control of the app's own
};

class duties {
 public:
  using event_function = std::function<void(model::event, const std::string&)>;

  /// `now` and the engine follow a pause.
  duties(const blueprint& plan, logger& log, reporter& report, hook_runner& hooks, http::engine& engine,
         std::atomic<phase>& now, event_function on_event)
      : plan_(plan),
        log_(log),
        report_(report),
        hooks_(hooks),
        engine_(engine),
        now_(now),
        on_event_(std::move(on_event)) {}

  void perform(task& next);

  /// How long a pending state may be silent before the SCM should worry, beyond what the app allows.
  static constexpr std::chrono::milliseconds margin{5'000};

 private:
  void pause();
  void resume();
  void answer(task& next);
  bool run(const char* doing, const std::vector<named_hook>& hooks);
  bool read_certificates();
  template <class Event>
  void run(const char* doing, const std::vector<event_hook<Event>>& hooks, Event event);
  void tell(model::event what, const char* words);
  [[nodiscard]] std::chrono::milliseconds hint() const { return plan_.stop_limit + margin; }

  const blueprint& plan_;
  logger& log_;
  reporter& report_;
  hook_runner& hooks_;
  http::engine& engine_;
  std::atomic<phase>& now_;
  event_function on_event_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline void duties::perform(task& next) {
  switch (next.what) {
    case model::duty::pause: return pause();
    case model::duty::resume: return resume();
    case model::duty::reload:
      if (run("reload", plan_.reload_hooks) && read_certificates()) tell(model::event::reloaded, "reloaded");
      return;
    case model::duty::time: run("time change", plan_.time_hooks); return;
    case model::duty::session:
      return run("session change", plan_.session_hooks,
                 session_change{static_cast<session_change::kind>(next.event.type), next.event.session});
    case model::duty::power:
      return run("power event", plan_.power_hooks,
                 power_event{static_cast<power_event::kind>(next.event.type), next.event.setting, next.event.data});
    case model::duty::custom: return answer(next);
    case model::duty::stop:
    case model::duty::nothing: return;
  }
}

inline void duties::pause() {
  report_.apply(model::step::progress, hint());  // what stood before it in the queue is done
  engine_.pause(true);
  now_.store(phase::paused);
  const bool good = run("pause", plan_.pause_hooks);
  if (!good) {
    now_.store(phase::serving);
    engine_.pause(false);
  }
  // Not legal any more when a stop came meanwhile: it has the word then.
  if (report_.apply(good ? model::step::paused : model::step::refused) && good) tell(model::event::paused, "paused");
}

inline void duties::resume() {
  report_.apply(model::step::progress, hint());
  if (!run("continue", plan_.continue_hooks)) {
    report_.apply(model::step::refused);
    return;
  }
  now_.store(phase::serving);
  engine_.pause(false);
  if (report_.apply(model::step::resumed)) tell(model::event::continued, "continued");
}

inline void duties::answer(task& next) {
  std::uint32_t code = model::code::exception_in_service;
  for (const auto& hook : plan_.control_hooks) {
    if (hook.code != next.event.control) continue;
    const auto got = std::make_shared<std::uint32_t>(0);  // shared: a hook that was given up may still write it
    const std::string name = "on_control " + std::to_string(hook.code) + " at " + hook.where.text();
    const ending how = hooks_.call("control", name, [&hook, got] { *got = hook.body(hook.code); }, plan_.stop_limit);
    if (how.what == ending::done) code = *got;
    if (how.what == ending::threw) log_.error(name + " threw: " + how.words);
  }
  next.result->give(code);
}

/// In the order of registration. False: one threw, or hung; those behind it are not run.
inline bool duties::run(const char* doing, const std::vector<named_hook>& hooks) {
  hooks_.announce(doing, [h = hint()] { return h; });  // by value: a hook that was given up may outlive us
  bool first = true;
  for (const auto& hook : hooks) {
    if (!std::exchange(first, false)) report_.apply(model::step::progress, hint());  // the one before is done
    const ending how = hooks_.call(doing, hook, plan_.stop_limit);
    if (how.what == ending::threw) log_.error(std::string(doing) + ": " + hook.text() + " threw: " + how.words);
    if (how.what != ending::done) return false;
  }
  return true;
}

/// Anew, for connections from now on. False: they cannot be used, and those that could be stay.
inline bool duties::read_certificates() {
  if (!plan_.tls) return true;
  auto identity = http::tls_identity::load(*plan_.tls);
  if (identity) engine_.tls(*identity);
  else log_.error("reload: " + identity.error().sentence() + "; the certificate from before is used on");
  return static_cast<bool>(identity);
}

template <class Event>
void duties::run(const char* doing, const std::vector<event_hook<Event>>& hooks, Event event) {
  const auto shared = std::make_shared<const Event>(std::move(event));
  for (const auto& hook : hooks) {
    const std::string name = "hook at " + hook.where.text();
    const ending how = hooks_.call(doing, name, [&hook, shared] { hook.body(*shared); }, plan_.stop_limit);
    if (how.what == ending::threw) log_.error(std::string(doing) + ": " + name + " threw: " + how.words);
    if (how.what == ending::silent) return;
  }
}

inline void duties::tell(model::event what, const char* words) {
  log_.info(words);
  if (on_event_) on_event_(what, plan_.spec.name + ' ' + words);
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/worker_pool.hpp
// =====================================================================================================================

// The app's workers while they run: a thread each, asked to stop when the drain begins, joined before the stop hooks.

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class worker_pool {
 public:
  /// On the worker's thread, with the words of the exception that left it.
  using failed_function = std::function<void(const worker&, const std::string& words)>;

  explicit worker_pool(failed_function failed) : failed_(std::move(failed)) {}
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  /// Starts one thread; throws std::system_error when there is none to be had.
  void start(const worker& w);
  void request_stop() noexcept { stop_.request_stop(); }
  /// Joins all that end until then, calling `ended` after each. The names of those that did not: their threads stay,
  /// and so must all that they use, until the process ends.
  std::vector<std::string> join(std::chrono::steady_clock::time_point until, const std::function<void()>& ended);

 private:
  struct running {
    const worker* what = nullptr;
    std::thread thread;
    bool ended = false;  // under mutex_
  };

  failed_function failed_;
  stop_source stop_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::list<running> all_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline void worker_pool::start(const worker& w) {
  auto& mine = all_.emplace_back();
  mine.what = &w;
  try {
    mine.thread = std::thread([this, &mine] {
      try {
        mine.what->body(stop_.token());
      } catch (const std::exception& e) {
        failed_(*mine.what, e.what());
      } catch (...) {
        failed_(*mine.what, "something that is no std::exception");
      }
      const std::lock_guard lock(mutex_);
      mine.ended = true;
      ended_.notify_all();
    });
  } catch (...) {
    all_.pop_back();  // `join` waits for those that run, and for no other
    throw;
  }
}

inline std::vector<std::string> worker_pool::join(std::chrono::steady_clock::time_point until,
                                                  const std::function<void()>& ended) {
  std::vector<std::string> left;
  for (auto& one : all_) {
    std::unique_lock lock(mutex_);
    const bool in_time = ended_.wait_until(lock, until, [&one] { return one.ended; });
    lock.unlock();
    if (in_time) {
      one.thread.join();
      ended();
    } else {
      one.thread.detach();
      left.push_back(one.what->name);
    }
  }
  return left;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/runtime.hpp
// =====================================================================================================================

// The one order of start, serve, drain and stop, the same in a terminal and under the SCM. A host gives it a reporter,
// controls, and a thread; what differs between hosts is only where a stop comes from.
//
//   START_PENDING → start hooks → bind → RUNNING → accept, workers → controls, one after the other
//   STOP_PENDING → /readyz 503 → listener closed → requests answered → workers joined → stop hooks in reverse → done
//
// The host reports the STOPPED that follows, as its last act. The thread that calls `run` never runs a hook itself: it
// waits beside the one that does (host/hook_runner.hpp), so that a hook that hangs is named and not waited for for
// ever.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What a host gives a run beside the blueprint.
struct run_settings {
  model::launch_options launch;        ///< from the command line: goes before what App said
  std::vector<std::string> arguments;  ///< of StartService
  std::function<void(const os::endpoint&)> on_listening;  ///< bound, not yet RUNNING
  std::function<void(const os::endpoint&)> on_running;    ///< RUNNING was reported
  std::function<void(const http::access_entry&)> on_answered;
  std::function<void(model::event, const std::string&)> on_event;  ///< paused, continued, reloaded
  /// How long an address that this machine has not got is waited for: at boot it may be on its way (10049).
  std::chrono::milliseconds address_patience{0};
  std::chrono::milliseconds address_pause{500};  ///< between two attempts
};

/// How a run ended.
struct run_result {
  model::exit_status exit;
  std::optional<error> why;  ///< of a failure
  std::optional<error> cut;  ///< the stop was asked for and came, and this did not end in time
  /// A hook, handler or worker did not return. The process must end without waiting for it, and the runtime, the
  /// blueprint and the app's object must stay as they are until it does.
  bool stuck = false;
};

class runtime {
 public:
  using milliseconds = std::chrono::milliseconds;
  using time_point = std::chrono::steady_clock::time_point;

  runtime(blueprint& plan, reporter& report, run_settings settings)
      : plan_(plan), report_(report), settings_(std::move(settings)), limit_(plan.stop_limit),
        hooks_(plan, report, [this](const std::string& doing, const std::string& hook, milliseconds limit) {
          gave_up(doing, hook, limit);
        }) {}
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Runs until a stop is requested or something fails. Call once.
  run_result run();

  /// A control of the SCM's: publishes what follows from it, hands the work on and returns, at the latest after
  /// `control_patience`. From any thread.
  std::uint32_t control(const model::control_event& event);
  /// From any thread, any number of times; the first counts. STOP_PENDING is published before anything is signalled.
  /// `limit`: how long requests in flight and each hook may take, default the app's stop_limit; `in_all`: everything.
  void request_stop(std::string_view why, std::optional<milliseconds> limit = {},
                    std::optional<milliseconds> in_all = {});

  /// When the machine shuts down or the console is closed, Windows ends us about 5 s later, whatever we are doing.
  static constexpr milliseconds hurried_limit{3'000}, hurried_in_all{4'500};

  /// How long the sender of a control of the app's own waits for its result.
  static constexpr milliseconds control_patience{500};
  /// And what it gets when the result is later than that: ERROR_IO_PENDING.
  static constexpr std::uint32_t still_at_work = 997;

 private:
  void fail(error why);
  bool start();
  bool run_start_hooks();
  bool bind();
  void start_workers();
  void serve();
  void gave_up(const std::string& doing, const std::string& hook, milliseconds limit);
  void drain();
  void run_stop_hooks();
  void was_cut(std::string what);

  void note_stop(std::string_view why, milliseconds limit, std::optional<milliseconds> in_all);  // under mutex_
  void signal_stop();
  [[nodiscard]] milliseconds start_hint() const { return plan_.start_limit + duties::margin; }
  [[nodiscard]] milliseconds stop_hint() const { return limit_.load() + duties::margin; }
  /// How long requests and each hook have, and all of it together.
  struct stop_limits {
    milliseconds each;
    std::optional<milliseconds> in_all;
  };
  [[nodiscard]] stop_limits limits_for(std::uint32_t control) const;
  [[nodiscard]] static milliseconds left_of(time_point until) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - std::chrono::steady_clock::now());
    return (std::max)(left, milliseconds(0));
  }

  blueprint& plan_;
  reporter& report_;
  run_settings settings_;
  stop_source stop_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<task> tasks_;               // under mutex_
  bool stop_asked_ = false;              // under mutex_
  std::optional<error> failure_;         // under mutex_; the first one
  std::string stop_reason_;              // under mutex_
  std::atomic<milliseconds> limit_;      // set again at most once, before stop_ is requested
  std::atomic<time_point> all_by_{(time_point::max)()};  // likewise
  std::atomic<phase> phase_{phase::starting};
  std::unique_ptr<http::engine> engine_;
  std::unique_ptr<worker_pool> workers_;
  std::vector<named_hook> undos_;        // in the order they are to be run backwards
  std::vector<std::string> cut_;
  bool stuck_ = false;
  hook_runner hooks_;                    // last: its thread ends before what hooks use
};

// ---------------------------------------------------------------------------------------------------------------------

// -- from any thread --

inline std::uint32_t runtime::control(const model::control_event& event) {
  std::shared_ptr<awaited_result> result;
  {
    const std::lock_guard lock(mutex_);
    const stop_limits limits = limits_for(event.control);
    const auto decided = report_.take(event.control, limits.each + duties::margin);
    if (decided.then == model::duty::nothing) return decided.answer;
    if (decided.then == model::duty::stop) {
      note_stop(event.control == static_cast<std::uint32_t>(model::control::stop)
                    ? "the service control manager asked for it"
                    : "the machine shuts down",
                limits.each, limits.in_all);
    } else {
      if (decided.then == model::duty::custom) result = std::make_shared<awaited_result>();
      tasks_.push_back({decided.then, event, result});
      wake_.notify_all();
    }
  }
  if (!result) {
    signal_stop();
    return 0;
  }
  return result->wait(control_patience, still_at_work);
}

/// The system ends us some 5 s after SHUTDOWN, and at the end of our time after PRESHUTDOWN, whatever we are doing:
/// requests get a part of it, so that hooks and the log have theirs.
inline runtime::stop_limits runtime::limits_for(std::uint32_t control) const {
  switch (static_cast<model::control>(control)) {
    case model::control::shutdown: return {(std::min)(plan_.stop_limit, hurried_limit), hurried_in_all};
    case model::control::preshutdown: {
      const milliseconds all = plan_.spec.preshutdown.value_or(plan_.stop_limit);
      return {(std::min)(plan_.stop_limit, all * 3 / 5), all * 9 / 10};
    }
    default: return {plan_.stop_limit, {}};
  }
}

inline void runtime::request_stop(std::string_view why, std::optional<milliseconds> limit,
                                  std::optional<milliseconds> in_all) {
  {
    const std::lock_guard lock(mutex_);
    if (stop_asked_) return;
    // Not legal before START_PENDING or in a stop: then there is nothing to publish, and the request is remembered.
    report_.apply(model::step::stop, limit.value_or(plan_.stop_limit) + duties::margin);
    note_stop(why, limit.value_or(plan_.stop_limit), in_all);
  }
  signal_stop();
}

inline void runtime::note_stop(std::string_view why, milliseconds limit, std::optional<milliseconds> in_all) {
  if (stop_asked_) return;
  stop_asked_ = true;
  if (in_all) all_by_ = std::chrono::steady_clock::now() + *in_all;
  stop_reason_ = why;
  limit_ = limit;
  wake_.notify_all();
}

/// Outside the lock: a hook may be waiting for it, or for the token.
inline void runtime::signal_stop() {
  {
    const std::lock_guard lock(mutex_);
    if (!stop_asked_) return;
  }
  hooks_.hurry(limit_, all_by_);
  stop_.request_stop();
}

inline void runtime::fail(error why) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = why;
  }
  plan_.log.error(why.sentence());
}

// -- the run --

inline run_result runtime::run() {
  plan_.frozen = true;
  try {
    if (start()) serve();
  } catch (const std::exception& e) {  // no memory, no thread to be had
    fail({model::code::exception_in_service, "start", plan_.spec.name, e.what(), {}});
  } catch (...) {
    fail({model::code::exception_in_service, "start", plan_.spec.name, "something that is no std::exception was thrown",
          {}});
  }
  report_.apply(model::step::stop, stop_hint());  // after a failure nobody has asked for it
  if (engine_) drain();
  run_stop_hooks();

  run_result result;
  {
    const std::lock_guard lock(mutex_);
    result.why = failure_;
  }
  if (result.why) result.exit = model::failure_status(result.why->code);
  else if (!cut_.empty()) result.cut = error{model::code::timeout, "stop", plan_.spec.name, text::join(cut_, "; "), {}};
  result.stuck = stuck_;
  plan_.log.info(result.why ? "stopped after a failure" : "stopped");
  plan_.log.flush();
  return result;
}

/// Uploads arrive in the data folder, where what they hold is as closed to others as all else of the service.
inline void prepare_uploads(blueprint& plan) {
  const std::string folder = plan.folder();
  if (folder.empty()) return;
  plan.router.upload_folder = os::path_join(folder, "uploads");
  http::drop_old_uploads(plan.router.upload_folder);
}

/// True: RUNNING. False: a hook or the bind failed, or a stop came first.
inline bool runtime::start() {
  add_health_routes(plan_, phase_);
  if (plan_.router.takes_uploads()) prepare_uploads(plan_);
  plan_.router.freeze();
  report_.accepts(plan_.accepts());
  report_.apply(model::step::progress, start_hint());  // the app is described: from here on its own limit counts
  if (!run_start_hooks() || stop_.token().stop_requested() || !bind()) return false;
  if (settings_.on_answered) engine_->on_answered(settings_.on_answered);
  const os::endpoint address = engine_->address();
  if (settings_.on_listening) settings_.on_listening(address);  // before RUNNING: who waits for that may ask at once

  phase_.store(phase::serving);
  if (!report_.apply(model::step::ready)) return false;  // a stop came between: STOP_PENDING was published
  plan_.log.info(std::string("listening on ") + (address.tls ? "https://" : "http://") + address.text());
  if (settings_.on_running) settings_.on_running(address);
  engine_->accept();
  start_workers();
  return true;
}

inline bool runtime::run_start_hooks() {
  hooks_.announce_start([this] { return stop_.token().stop_requested() ? stop_hint() : start_hint(); }, stop_.token(),
                        settings_.arguments);
  bool first = true;
  for (auto& hook : plan_.hooks) {
    if (stop_.token().stop_requested()) return false;
    if (hook.stop.body) undos_.push_back(hook.stop);
    if (!hook.start) continue;
    if (!std::exchange(first, false)) report_.apply(model::step::progress, start_hint());  // the one before is done

    undo back;
    const ending how = hooks_.call(hook, back, plan_.start_limit);
    if (how.what == ending::silent) return false;
    if (how.what == ending::threw) {
      const std::string said = hook.stop.text() + " threw: " + how.words;
      // Of a start that is to stop, an exception is one way of leaving.
      if (stop_.token().stop_requested()) plan_.log.warn("the start was cancelled: " + said);
      else fail({model::code::exception_in_service, "start", plan_.spec.name, said, {}});
      return false;
    }
    if (back) undos_.push_back({hook.stop.name, hook.stop.where, std::move(back)});
  }
  return true;
}

/// Binds. An address that is not there yet is tried again for a while; each attempt is a checkpoint.
inline bool runtime::bind() {
  engine_ = std::make_unique<http::engine>(plan_.router, plan_.limits, plan_.log);
  for (const auto& tell : plan_.on_engine) tell(*engine_);
  for (const auto& f : plan_.router.folders) {
    if (!os::real_folder(f.folder))
      plan_.log.warn("files '" + f.prefix + "' (" + f.where.text() + "): the folder '" + f.folder +
                     "' is not there; its paths are 404 until it is");
  }
  if (plan_.tls) {
    auto identity = http::tls_identity::load(*plan_.tls);
    if (!identity) {
      fail(identity.error());
      return false;
    }
    engine_->tls(*identity);
  }
  const auto until = std::chrono::steady_clock::now() + settings_.address_patience;
  for (bool first = true;; first = false) {
    const auto bound =
        engine_->bind(settings_.launch.host.value_or(plan_.host), settings_.launch.port.value_or(plan_.port));
    if (bound) return true;
    if (bound.error().code != model::code::address_not_available || std::chrono::steady_clock::now() >= until) {
      fail(bound.error());
      return false;
    }
    if (first) {
      plan_.log.warn(bound.error().sentence() + "; it may come with the network: trying again for up to " +
                     duration_text(settings_.address_patience));
    }
    report_.apply(model::step::progress, start_hint());
    if (stop_.token().wait_for(settings_.address_pause)) return false;
  }
}

inline void runtime::start_workers() {
  workers_ = std::make_unique<worker_pool>([this](const worker& w, const std::string& words) {
    fail({model::code::exception_in_service, "run worker", w.name, "it threw: " + words, {}});
    request_stop("worker '" + w.name + "' failed");
  });
  for (const auto& w : plan_.workers) workers_->start(w);
}

/// Does what controls ask for, one after the other, until a stop is asked for.
inline void runtime::serve() {
  duties work(plan_, plan_.log, report_, hooks_, *engine_, phase_, settings_.on_event);
  for (;;) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stop_asked_ || !tasks_.empty(); });
    if (stop_asked_) return;
    task next = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    work.perform(next);
  }
}

// -- hooks that hang --

/// A hook hangs: nothing can be run on its thread any more, so the service ends, and says over what.
inline void runtime::gave_up(const std::string& doing, const std::string& hook, milliseconds limit) {
  stuck_ = true;
  if (stop_.token().stop_requested()) {
    const bool out_of_time = std::chrono::steady_clock::now() >= all_by_.load();
    return was_cut(hook + (out_of_time ? " was still running when the machine waited no longer"
                                       : " made no progress for " + duration_text(limit_)));
  }
  fail({model::code::service_request_timeout, doing, plan_.spec.name,
        hook + " made no progress for " + duration_text(limit),
        "let it call progress() when something is done, or raise " +
            std::string(doing == "start" ? "start_limit" : "stop_limit")});
  request_stop(hook + " hangs");
}

// -- the stop --

inline void runtime::was_cut(std::string what) {
  plan_.log.error("stopping: " + what);
  cut_.push_back(std::move(what));
}

inline void runtime::drain() {
  phase_.store(phase::stopping);
  std::deque<task> left;
  {
    const std::lock_guard lock(mutex_);
    if (!stop_reason_.empty()) plan_.log.info("stopping: " + stop_reason_);
    left.swap(tasks_);
  }
  for (auto& one : left) {
    if (one.result) one.result->give(model::code::service_cannot_accept_control);
  }
  if (workers_) workers_->request_stop();
  const auto progress = [this] { report_.apply(model::step::progress, stop_hint()); };
  progress();  // whatever ran when the stop came is done
  const auto now = std::chrono::steady_clock::now();
  const milliseconds limit = (std::min)(limit_.load(), left_of(all_by_));
  const auto until = now + limit;
  const auto drained = engine_->drain(limit, progress);
  progress();
  if (drained.answered != 0 || drained.cut != 0) {
    std::string what = "drained " + std::to_string(drained.answered) + ", cut " + std::to_string(drained.cut);
    for (const auto& one : drained.cut_ones) what += (&one == &drained.cut_ones.front() ? ": " : ", ") + one;
    plan_.log.info(what);
  }
  if (drained.stuck != 0) {
    stuck_ = true;
    engine_->abandon();
    was_cut(std::to_string(drained.stuck) + " request handler(s) did not return within " + duration_text(limit));
  }

  if (!workers_) return;
  const auto one_second_more =
      (std::min)((std::max)(until, std::chrono::steady_clock::now() + std::chrono::seconds(1)), all_by_.load());
  for (const auto& name : workers_->join(one_second_more, progress)) {
    stuck_ = true;
    was_cut("worker '" + name + "' did not return within " + duration_text(limit));
  }
}

inline void runtime::run_stop_hooks() {
  if (stuck_) {  // they would tear down what a hook, handler or worker still stands on
    if (!undos_.empty()) plan_.log.error("the stop hooks are not run: a hook, handler or worker still does");
    return;
  }
  hooks_.announce("stopping", [this] { return stop_hint(); });
  for (; !undos_.empty() && !stuck_; undos_.pop_back()) {
    const named_hook& back = undos_.back();
    const ending how = hooks_.call("stop", back, (std::min)(limit_.load(), left_of(all_by_)));
    // It is logged and does not make a stop that was asked for a failure: the SCM would start the service again.
    if (how.what == ending::threw) plan_.log.error("stopping: " + back.text() + " threw: " + how.words);
    if (how.what == ending::silent) return;
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

/// `GET    /users/{id}   user   main.cpp:12`, a line a route; the names are there where a route has one.
[[nodiscard]] inline std::string routes_text(const route::table& routes) {
  std::size_t path = 0, name = 0;
  for (const auto& e : routes.entries()) {
    path = (std::max)(path, e.path.text.size());
    name = (std::max)(name, e.about.name.size());
  }
  std::string out;
  for (const auto& e : routes.entries()) {
    out += model::padded(route::name(e.verb), 8) + model::padded(e.path.text, path + 2) +
           (name != 0 ? model::padded(e.about.name, name + 2) : std::string()) + e.where.text() + '\n';
  }
  return out;
}

/// Serves until Ctrl-C, and drains; `app` is the app's object, which ends before this returns. The exit code of the
/// process.
inline int run_in_console(blueprint& plan, std::shared_ptr<void> app, const model::launch_options& launch) {
  plan.log.add_sink(std::make_shared<console_log>());
  os::write_err(routes_text(plan.router.routes()));

  run_settings settings;
  settings.launch = launch;
  settings.on_running = [&plan](const os::endpoint& address) {
    os::write_err(plan.spec.name + ": " + address.url() + "   Ctrl-C stops\n");
  };
  if (!plan.access_log) settings.on_answered = [&plan](const http::access_entry& a) { plan.log.info(a.line()); };
  reporter report({});
  report.apply(model::step::start);
  auto service = std::make_unique<runtime>(plan, report, std::move(settings));
  int code = 0;
  {
    // A closing console is held until this scope ends, so everything that must be undone is undone in it.
    const os::interrupts interrupts([&service](os::interruption why) {
      if (why == os::interruption::asked) service->request_stop("Ctrl-C");
      else service->request_stop("the terminal is closed", runtime::hurried_limit, runtime::hurried_in_all);
    });
    const run_result ended = service->run();
    report.apply(model::step::finished, {}, ended.exit);
    code = os::exit_code(ended.exit.code());
    if (code == 0 && ended.cut) code = os::exit_code(ended.cut->code);
    if (ended.stuck) os::end_process(code);  // a thread still runs user code: nothing may be pulled from under it
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
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What a service host needs from outside, so that a simulated SCM can stand in for the real one.
struct service_surroundings {
  os::dispatcher& dispatcher;
  std::function<os::sys_result<std::string>(const std::string& service_name)> data_folder = os::data_folder;
  std::function<void(const std::string& source, model::event_level, std::uint32_t id, std::string_view)> report_event =
      os::report_event;
  std::function<void(const os::endpoint&)> listening = {};  ///< where, before RUNNING
  bool guards_crashes = true;                               ///< not in a test's process, which is not ours
  std::function<void(int code)> end_process = [](int code) { os::end_process(code); };
};

/// For what a thread may still use that nobody waits for any more. It stays reachable, so that a leak checker does not
/// take it for lost.
inline void keep_until_the_end(std::shared_ptr<void> what) {
  static auto& mutex = *new std::mutex;
  static auto& kept = *new std::vector<std::shared_ptr<void>>;
  const std::lock_guard lock(mutex);
  kept.push_back(std::move(what));
}

class service_host {
 public:
  service_host(app_factory app, model::launch_options launch, service_surroundings around)
      : app_(std::move(app)), launch_(std::move(launch)), around_(std::move(around)) {}

  /// Blocks until the service has stopped. The exit code of the process: the service's own, or the dispatcher's code
  /// when this process was not started by the SCM (1063).
  int run();

 private:
  /// Until the app has been described, and its own limit is known.
  static constexpr std::chrono::milliseconds start_hint{30'000};

  void service_main(const std::vector<std::string>& arguments);
  run_result serve(const std::vector<std::string>& arguments);
  void open_log(logger& log);
  void crashed(logger& log, const os::crash_report& what);
  void leave_state(const std::string& url, const std::string& failure);
  std::uint32_t control(const model::control_event& what);
  void event(model::event what, std::string_view text) {
    around_.report_event(name_, model::row(what).level, static_cast<std::uint32_t>(what), text);
  }

  app_factory app_;
  model::launch_options launch_;
  service_surroundings around_;
  std::string name_;
  std::string state_file_;  // empty: nowhere to leave a state
  std::string data_folder_;
  std::string log_folder_;  // empty: nowhere to leave a dump
  reporter report_{[this](const model::service_status& s) { static_cast<void>(around_.dispatcher.set_status(s)); }};
  std::mutex mutex_;
  std::condition_variable left_control_;
  int in_control_ = 0;                     // under mutex_: controls that are on their way through the runtime
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
      around_.dispatcher.register_handler(name_, [this](const model::control_event& e) { return control(e); });
  if (refused != 0) {  // without a handler no status can be reported: the event log is all there is, and then the end
    event(model::event::failed,
          model::explained(refused, "register the control handler of", name_, os::system_words(refused)).sentence());
    ended_.exit = model::failure_status(refused);
    around_.end_process(os::exit_code(ended_.exit.code()));
    return;
  }
  report_.apply(model::step::start, start_hint);
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
    event(model::event::failed, ended_.why->sentence());
  } else if (ended_.cut) {
    event(model::event::cut, ended_.cut->sentence());
  } else {
    event(model::event::stopped, name_ + " stopped");
  }
  leave_state({}, ended_.why ? ended_.why->sentence() : ended_.cut ? ended_.cut->sentence() : std::string());
  // The process may end before this returns. From RUNNING, where only an exception leads here, STOPPED is two steps
  // away.
  if (!report_.apply(model::step::finished, {}, ended_.exit)) {
    report_.apply(model::step::stop, start_hint);
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
    data_folder_ = *folder;
    const std::string logs = os::path_join(*folder, "logs");
    if (const auto made = os::make_folders(logs); !made) fault = made.error();
    else log_folder_ = logs;
    state_file_ = os::path_join(*folder, "state.json");
    auto file = std::make_shared<file_log>(os::path_join(logs, model::folder_name(name_)));
    if (!file->is_open()) fault = file->fault();
    log.add_sink(std::move(file));
  } else {
    fault = folder.error();
  }
  if (fault == 0) return;
  event(model::event::degraded, "the log file cannot be written: " + os::system_words(fault));
}

/// The last word of a process that crashes, on a thread that may hold anything: each line of it goes as far as it can.
inline void service_host::crashed(logger& log, const os::crash_report& what) {
  const std::string dump = !what.dump.empty()      ? "; the dump is " + what.dump
                           : what.dump_fault != 0 ? "; no dump: " + os::system_words(what.dump_fault)
                                                  : std::string();
  const std::string sentence = "crashed: " + what.what + dump;
  event(model::event::crashed, name_ + ' ' + sentence);
  leave_state({}, sentence);
  log.error(sentence);
  log.flush();
}

inline run_result service_host::serve(const std::vector<std::string>& arguments) {
  os::change_directory(os::folder_of(os::executable_path()));  // it is System32 until now

  auto plan = std::make_unique<blueprint>();
  plan->spec.name = name_;
  plan->instance = launch_.instance;
  open_log(plan->log);  // before App, so that what App says or throws is kept
  plan->data_folder = data_folder_;
  std::shared_ptr<os::crash_guard> guard;
  if (around_.guards_crashes) {
    os::crash_guard::settings how;
    how.folder = log_folder_;
    how.name = model::folder_name(name_);
    how.tell = [this, &log = plan->log](const os::crash_report& what) { crashed(log, what); };
    guard = std::make_shared<os::crash_guard>(std::move(how));
  }
  leave_state({}, {});  // what an earlier run left is no news of this one

  std::shared_ptr<void> app;
  auto svc = std::make_unique<service>(*plan);  // handlers and hooks may have caught it by reference
  const auto threw = [&](const std::string& what) {
    run_result failed;
    failed.why = error{model::code::exception_in_service, "describe", name_, what, {}};
    plan->log.error(failed.why->sentence());
    return failed;
  };
  try {
    app = app_(*svc);
  } catch (const std::exception& e) {
    return threw(e.what());
  } catch (...) {
    return threw("something that is no std::exception was thrown");
  }
  plan->spec.name = name_;
  if (launch_.preshutdown) plan->spec.preshutdown = launch_.preshutdown;

  run_settings settings;
  settings.launch = launch_;
  if (arguments.size() > 1) settings.arguments.assign(arguments.begin() + 1, arguments.end());
  settings.address_patience = std::chrono::seconds(45);  // less than `start` waits: it hears the reason
  settings.on_listening = [this](const os::endpoint& address) {
    leave_state(address.url(), {});
    if (around_.listening) around_.listening(address);
  };
  settings.on_running = [this](const os::endpoint& address) {
    event(model::event::started, name_ + " listens on " + address.url());
  };
  settings.on_event = [this](model::event what, const std::string& text) { event(what, text); };

  auto service_runtime = std::make_unique<runtime>(*plan, report_, std::move(settings));
  const scope_exit forget([this] {  // and no control is in it any more, or about to be
    std::unique_lock lock(mutex_);
    runtime_ = nullptr;
    left_control_.wait(lock, [this] { return in_control_ == 0; });
  });
  {
    const std::lock_guard lock(mutex_);
    runtime_ = service_runtime.get();
    if (pending_) pending_(*runtime_);
  }
  const run_result result = service_runtime->run();
  if (result.stuck) {  // a thread still runs user code: what it stands on stays, until the process ends
    keep_until_the_end(std::move(service_runtime));
    keep_until_the_end(std::move(svc));
    keep_until_the_end(std::move(plan));
    keep_until_the_end(std::move(app));
    keep_until_the_end(std::move(guard));
  }
  return result;
}

inline std::uint32_t service_host::control(const model::control_event& what) {
  runtime* running = nullptr;
  {
    const std::lock_guard lock(mutex_);
    running = runtime_;
    if (!running) {  // App is being described, or all is over
      const auto decided = model::decide(model::state::start_pending, {}, what.control);
      if (decided.then == model::duty::stop) pending_ = [what](runtime& r) { static_cast<void>(r.control(what)); };
      return decided.answer;
    }
    ++in_control_;
  }
  const std::uint32_t answer = running->control(what);
  const std::lock_guard lock(mutex_);
  --in_control_;
  left_control_.notify_all();
  return answer;
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

// What `status` shows: the SCM's view of the service and what the service left of itself, as a screen for a person and
// as JSON for a machine. Pure; host/manage.hpp gathers it.

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

  text::json_object out;
  const auto put = [&out, &r](std::string_view field, const std::string& value, bool known = true) {
    out.put(field, r.installed && known ? value : "null");
  };
  const auto put_text = [&put](std::string_view field, std::string_view value) {
    put(field, text::json_quoted(value), !value.empty());
  };
  out.put_text("name", r.name).put("installed", r.installed ? "true" : "false").put_text("state", state);
  put("pid", std::to_string(r.process.pid));
  put("exit_code", std::to_string(s.exit.code()));
  put_text("startup", name(r.config.startup));
  put_text("display_name", r.config.display_name);
  put_text("binary", r.config.binary);
  put_text("url", r.left.url);
  put_text("since", r.left.since);
  put_text("failure", r.left.failure);
  return out.text() + '\n';
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/desk.hpp
// =====================================================================================================================

// What every verb that manages the service stands on: the way to it with the rights that are needed, the sentence when
// there is none, and the person who is told.
//
//   const auto service = desk.open("stop", os::access::stop | os::access::query_status);
//   if (!service) return failure{service.error()};      // stop 'hello': it is not installed (1060); install it first

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class desk {
 public:
  using raw_handle = os::service_manager::raw_handle;

  struct surroundings {
    os::service_manager& scm;
    clock& time;
    std::function<void(const std::string&)> say;                 ///< gets the lines for the person
    std::function<std::optional<model::service_state>()> state;  ///< what the service left in its data folder
    model::install_defaults ours;
    std::function<result<std::string>()> ask_password = no_one_to_ask;  ///< the account's
  };
  desk(model::service_spec spec, surroundings around) : spec_(std::move(spec)), around_(std::move(around)) {}

  [[nodiscard]] const model::service_spec& spec() const noexcept { return spec_; }
  [[nodiscard]] const std::string& name() const noexcept { return spec_.name; }
  [[nodiscard]] std::string quoted() const { return '\'' + spec_.name + '\''; }
  [[nodiscard]] os::service_manager& scm() const noexcept { return around_.scm; }
  [[nodiscard]] clock& time() const noexcept { return around_.time; }
  [[nodiscard]] const model::install_defaults& ours() const noexcept { return around_.ours; }
  [[nodiscard]] std::optional<model::service_state> state() const {
    return around_.state ? around_.state() : std::nullopt;
  }
  [[nodiscard]] result<std::string> ask_password() const { return around_.ask_password(); }

  void say(const std::string& line) const {
    if (around_.say) around_.say(line);
  }
  void warn(const std::string& what) const { say("warning: " + what); }

  /// The error for a code that a call answered.
  [[nodiscard]] failure<error> failed(std::string doing, std::uint32_t code) {
    return failed(std::move(doing), name(), code);
  }
  [[nodiscard]] failure<error> failed(std::string doing, std::string subject, std::uint32_t code);
  /// Has Windows refused a call for want of rights? (A service that ends with 5 has not.)
  [[nodiscard]] bool denied() const noexcept { return denied_; }

  result<os::service_handle> open_manager(const std::string& doing, std::uint32_t rights);
  result<os::service_handle> open(const std::string& doing, std::uint32_t rights) {
    return open(doing, name(), rights);
  }
  result<os::service_handle> open(const std::string& doing, const std::string& service, std::uint32_t rights);

  /// Ours is what has our word in its command line, wherever the executable was then, and what runs this executable.
  /// Any other service that happens to have the name is left alone.
  [[nodiscard]] result<void> check_ours(const std::string& doing, const std::string& binary) const;

 private:
  static result<std::string> no_one_to_ask() {
    return failure{error{model::code::invalid_service_account,
                         "ask for the password",
                         {},
                         "there is nobody to ask",
                         "pipe it in, with --password-stdin"}};
  }
  model::service_spec spec_;
  surroundings around_;
  bool denied_ = false;
};

// ---------------------------------------------------------------------------------------------------------------------

inline failure<error> desk::failed(std::string doing, std::string subject, std::uint32_t code) {
  if (code == model::code::access_denied) denied_ = true;
  return {model::explained(code, std::move(doing), std::move(subject), os::system_words(code))};
}

inline result<os::service_handle> desk::open_manager(const std::string& doing, std::uint32_t rights) {
  const auto handle = around_.scm.open_manager(rights);
  if (!handle) {
    auto why = failed(doing, handle.error());
    if (handle.error() == model::code::not_supported) {
      why.reason.said = "services are a thing of Windows";
      why.reason.hint = "'debug' serves in the terminal on every system";
    }
    return why;
  }
  return os::service_handle(around_.scm, *handle);
}

inline result<os::service_handle> desk::open(const std::string& doing, const std::string& service,
                                             std::uint32_t rights) {
  const auto manager = open_manager(doing, os::access::manager_connect);
  if (!manager) return failure{manager.error()};
  const auto handle = around_.scm.open_service(manager->get(), service, rights);
  if (!handle) return failed(doing, service, handle.error());
  return os::service_handle(around_.scm, *handle);
}

inline result<void> desk::check_ours(const std::string& doing, const std::string& binary) const {
  const auto words = split_command_line(binary);
  const bool has_word = words.size() > 1 && words[1] == model::run_service_word;
  if (has_word || (!words.empty() && text::equal_nocase(words[0], around_.ours.executable))) return {};
  return failure{error{model::code::service_exists, doing, name(), "another program's service has that name: " + binary,
                       "give the app another name"}};
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/manage.hpp
// =====================================================================================================================

// The verbs that bring an installed service up and down: start, stop, restart, and status, which looks. Each is a short
// program over the seam in os/service_manager.hpp that asks for the least rights it needs; nothing here knows Windows.
//
// A verb that finds the work done already (stopped, running) has succeeded.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class manager {
 public:
  explicit manager(desk& at) noexcept : desk_(at) {}

  result<void> start(const model::command& asked);
  /// Fails with 1460 when the service has stopped, and says that it cut something on its way.
  result<void> stop(const model::command& asked);
  result<void> restart(const model::command& asked);
  result<service_report> status();

  /// How a stop ended. A service that is not running has stopped well.
  struct stopped {
    bool was_running = false;             ///< and was waited for
    std::uint32_t code = 0;               ///< 0: well
    std::string sentence;                 ///< what the service says of it, where it was not well
    std::vector<std::string> dependents;  ///< those that were stopped before it, in that order
  };
  /// What the handle for it has to allow.
  static constexpr std::uint32_t stop_rights =
      os::access::stop | os::access::query_status | os::access::enumerate_dependents;
  /// Stops it, and with `asked.force` what depends on it before, and waits unless told not to.
  result<stopped> stop_and_wait(desk::raw_handle service, const model::command& asked, const std::string& doing);

 private:
  result<void> stop_one(desk::raw_handle service, const std::string& name, const model::command& asked, bool wait,
                        const std::string& doing, os::service_process* ended);
  result<std::vector<std::string>> stop_dependents(desk::raw_handle service, const model::command& asked,
                                                   const std::string& doing);
  result<void> start_again(const std::vector<std::string>& stopped_ones, const model::command& asked);
  [[nodiscard]] stopped how_it_ended(const model::service_status& status,
                                     const std::optional<model::service_state>& before) const;
  [[nodiscard]] error failed_start(const model::service_status& status,
                                   const std::optional<model::service_state>& before) const;

  desk& desk_;
};

// ---------------------------------------------------------------------------------------------------------------------

// -- start --

inline result<void> manager::start(const model::command& asked) {
  const auto service = desk_.open("start", os::access::start | os::access::query_status);
  if (!service) return failure{service.error()};
  const auto before = desk_.state();
  for (bool first = true;; first = false) {
    const auto started = desk_.scm().start_service(service->get(), asked.arguments);
    if (started) break;
    if (started.error() != model::code::service_already_running) return desk_.failed("start", started.error());
    const auto now = desk_.scm().query_status(service->get());
    if (now && now->status.current == model::state::running) {
      desk_.say(desk_.quoted() + " is running already");
      if (!asked.arguments.empty()) desk_.warn("the arguments did not reach it: use restart");
      return {};
    }
    if (!first || !now || now->status.current != model::state::stop_pending) break;
    // It is on its way down from an earlier stop: let it get there, and start it then.
    const auto settled =
        wait_until_settled(desk_.scm(), service->get(), desk_.time(), {}, asked.wait, "start", desk_.name());
    if (!settled) return failure{settled.error()};
  }
  if (asked.no_wait) return {};

  const auto settled = wait_until_settled(desk_.scm(), service->get(), desk_.time(), {model::state::running},
                                          asked.wait, "start", desk_.name());
  if (!settled) return failure{settled.error()};
  if (settled->status.current != model::state::running) return failure{failed_start(settled->status, before)};
  const auto left = desk_.state();
  const bool known = left && left->pid == settled->pid && !left->url.empty();
  desk_.say("started " + desk_.quoted() + (known ? ": " + left->url : ""));
  return {};
}

/// The service's own sentence where it left one: "the port is taken by pid 7" helps, "10048" alone does not.
/// `before`: what lay there before this start, which is no news of it.
inline error manager::failed_start(const model::service_status& status,
                                   const std::optional<model::service_state>& before) const {
  const std::uint32_t code = status.exit.failed() ? status.exit.code() : model::code::service_request_timeout;
  error why = model::explained(code, "start", desk_.name(), os::system_words(code));
  if (const auto left = desk_.state(); left && !left->failure.empty() && (!before || left->pid != before->pid)) {
    why.said = left->failure;
    why.hint.clear();
  } else if (!status.exit.failed()) {
    why.said = "it stopped as soon as it had started";
    why.hint = "read its log";
  }
  return why;
}

// -- stop --

inline result<void> manager::stop(const model::command& asked) {
  const auto service = desk_.open("stop", stop_rights);
  if (!service) return failure{service.error()};
  const auto now = desk_.scm().query_status(service->get());
  if (now && now->status.current == model::state::stopped) {
    desk_.say(desk_.quoted() + " is not running");
    return {};
  }
  const auto ended = stop_and_wait(service->get(), asked, "stop");
  if (!ended) return failure{ended.error()};
  if (asked.no_wait) {
    desk_.say("asked " + desk_.quoted() + " to stop");
    return {};
  }
  if (ended->code != 0)
    return failure{error{ended->code, {}, {}, "stopped " + desk_.quoted() + ", but: " + ended->sentence, {}}};
  desk_.say("stopped " + desk_.quoted());
  return {};
}

inline result<void> manager::restart(const model::command& asked) {
  stopped ended;
  {
    const auto service = desk_.open("restart", stop_rights);
    if (!service) return failure{service.error()};
    auto stopping = stop_and_wait(service->get(), asked, "restart");
    if (!stopping) return failure{stopping.error()};
    ended = *std::move(stopping);
  }
  if (ended.code != 0)
    desk_.warn("stopped " + desk_.quoted() + ", but: " + ended.sentence);
  else
    desk_.say(ended.was_running ? "stopped " + desk_.quoted() : desk_.quoted() + " is not running");
  if (auto started = start(asked); !started) return started;
  return start_again(ended.dependents, asked);
}

inline result<manager::stopped> manager::stop_and_wait(desk::raw_handle service, const model::command& asked,
                                                       const std::string& doing) {
  const auto before = desk_.state();
  const bool wait = !asked.no_wait;
  stopped ended;
  os::service_process last;
  auto done = stop_one(service, desk_.name(), asked, wait, doing, &last);
  if (!done && done.error().code == model::code::dependent_services_running) {
    auto dependents = stop_dependents(service, asked, doing);
    if (!dependents) return failure{dependents.error()};
    ended.dependents = *std::move(dependents);
    done = stop_one(service, desk_.name(), asked, wait, doing, &last);
  }
  if (!done) return failure{done.error()};
  if (last.status.current != model::state::stopped) return ended;  // it was not running, or is not waited for
  auto how = how_it_ended(last.status, before);
  how.dependents = std::move(ended.dependents);
  return how;
}

/// One service, ours or a dependent. `ended` is what it was at last, where there was a stop to wait for.
inline result<void> manager::stop_one(desk::raw_handle service, const std::string& name, const model::command& asked,
                                      bool wait, const std::string& doing, os::service_process* ended) {
  const auto began = desk_.time().now(), until = began + asked.wait;
  for (;;) {
    const auto done = desk_.scm().control_service(service, static_cast<std::uint32_t>(model::control::stop));
    if (done) break;
    if (done.error() == model::code::service_not_active) return {};
    const auto now = desk_.scm().query_status(service);
    // Windows says 1061 of a service between two states, Wine 1052, which is also what one says that never takes a
    // stop. A state that has just changed is asked about once more; one that stays is no reason to wait.
    const bool refused = done.error() == model::code::service_cannot_accept_control ||
                         done.error() == model::code::invalid_service_control;
    if (!refused) return desk_.failed(doing, name, done.error());
    if (now && now->status.current == model::state::stop_pending) break;

    // It is starting, say. Let it get there; the stop is then asked for again.
    const bool pending = now && model::is_pending(now->status.current);
    if (!pending && desk_.time().now() >= (std::min)(until, began + std::chrono::seconds(1)))
      return desk_.failed(doing, name, done.error());
    if (pending && desk_.time().now() >= until) {
      error late = model::explained(model::code::timeout, doing, name);
      late.said = "it is still '" + std::string(model::name(now->status.current)) + '\'';
      return failure{std::move(late)};
    }
    desk_.time().sleep(std::chrono::milliseconds(50));
  }
  if (!wait) return {};
  const auto settled = wait_until_settled(desk_.scm(), service, desk_.time(), {}, asked.wait, doing, name);
  if (!settled) return failure{settled.error()};
  if (ended) *ended = *settled;
  return {};
}

inline result<std::vector<std::string>> manager::stop_dependents(desk::raw_handle service, const model::command& asked,
                                                                 const std::string& doing) {
  auto dependents = desk_.scm().active_dependents(service);
  if (!dependents) return desk_.failed(doing, dependents.error());
  if (!asked.force) {
    auto why = desk_.failed(doing, model::code::dependent_services_running);
    if (!dependents->empty()) why.reason.said += ": " + text::join(*dependents, ", ");
    return why;
  }
  for (const auto& name : *dependents) {
    const auto one = desk_.open(doing, name, os::access::stop | os::access::query_status);
    if (!one) return failure{one.error()};
    if (auto done = stop_one(one->get(), name, asked, true, doing, nullptr); !done) return failure{done.error()};
    desk_.say("stopped '" + name + "', which depends on it");
  }
  return *std::move(dependents);
}

/// What restart stopped before ours comes back after it, the last one first.
inline result<void> manager::start_again(const std::vector<std::string>& stopped_ones, const model::command& asked) {
  for (auto name = stopped_ones.rbegin(); name != stopped_ones.rend(); ++name) {
    const auto one = desk_.open("start", *name, os::access::start | os::access::query_status);
    if (!one) return failure{one.error()};
    const auto started = desk_.scm().start_service(one->get(), {});
    if (!started && started.error() != model::code::service_already_running)
      return desk_.failed("start", *name, started.error());
    const auto settled =
        wait_until_settled(desk_.scm(), one->get(), desk_.time(), {model::state::running}, asked.wait, "start", *name);
    if (!settled) return failure{settled.error()};
    if (settled->status.current != model::state::running)
      return failure{model::explained(settled->status.exit.code(), "start", *name, "it did not stay")};
    desk_.say("started '" + *name + "' again");
  }
  return {};
}

/// A stop that had to cut a request or a hook ends with 0, because recovery must not follow it, and with a sentence.
inline manager::stopped manager::how_it_ended(const model::service_status& status,
                                              const std::optional<model::service_state>& before) const {
  stopped how;
  how.was_running = true;
  const auto left = desk_.state();
  const bool news =
      left && !left->failure.empty() && (!before || before->pid != left->pid || before->failure != left->failure);
  if (status.exit.failed()) {
    how.code = status.exit.code();
    const auto* row = model::explain(how.code);
    how.sentence = news ? left->failure : row ? std::string(row->said) : os::system_words(how.code);
  } else if (news) {
    how.code = model::code::timeout;
    how.sentence = left->failure;
  }
  return how;
}

// -- status --

inline result<service_report> manager::status() {
  service_report r;
  r.name = desk_.name();
  const auto service = desk_.open("query", os::access::query_status | os::access::query_config);
  if (!service) {
    if (service.error().code == model::code::service_does_not_exist) return r;
    return failure{service.error()};
  }
  r.installed = true;
  const auto process = desk_.scm().query_status(service->get());
  if (!process) return desk_.failed("query", process.error());
  r.process = *process;
  const auto config = desk_.scm().query_config(service->get());
  if (!config) return desk_.failed("query", config.error());
  r.config = *config;
  if (auto left = desk_.state()) {
    r.left = *left;
    if (r.left.pid != r.process.pid || r.process.pid == 0) r.left.url.clear(), r.left.since.clear();
  }
  return r;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/send.hpp
// =====================================================================================================================

// The verbs that send a running service a control: pause, continue, reload, control N. What they cannot do is told in
// terms of the app's hooks, because that is where it is mended.

#include <chrono>
#include <cstdint>
#include <string>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Both wait until it is there; a service that is there already is a success.
result<void> pause(desk& at, const model::command& asked);
result<void> resume(desk& at, const model::command& asked);
/// PARAMCHANGE: asked, and not waited for.
result<void> reload(desk& at);
/// 128 to 255. The code of its error is the hook's answer, where the hook has one.
result<void> send_control(desk& at, const model::command& asked);

// ---------------------------------------------------------------------------------------------------------------------

inline failure<error> no_hook(const desk& at, const char* doing, std::uint32_t code, const std::string& hook) {
  return {error{code, doing, at.name(), "the service has no " + hook + " hook", {}}};
}

/// Pause and continue, which mirror each other.
struct turn_row {
  const char* doing;
  model::control control;
  model::state wanted, from;
  const char* done;
  const char* hook;
};

inline result<void> turn(desk& at, const model::command& asked, const turn_row& row) {
  const auto service = at.open(row.doing, os::access::pause_continue | os::access::query_status);
  if (!service) return failure{service.error()};
  const auto until = at.time().now() + asked.wait;
  for (;;) {
    const auto now = at.scm().query_status(service->get());
    if (!now) return at.failed(row.doing, now.error());
    if (now->status.current == row.wanted) {
      at.say(at.quoted() + " is " + row.done + " already");
      return {};
    }
    const auto done = at.scm().control_service(service->get(), static_cast<std::uint32_t>(row.control));
    if (done) break;
    if (done.error() == model::code::invalid_service_control && !model::is_pending(now->status.current))
      return no_hook(at, row.doing, done.error(), row.hook);
    const bool between = done.error() == model::code::service_cannot_accept_control ||
                         done.error() == model::code::invalid_service_control;
    if (!between || at.time().now() >= until) return at.failed(row.doing, done.error());
    at.time().sleep(std::chrono::milliseconds(50));
  }

  // The handler has published the pending state before the control returned: where it is as it was, a hook has failed.
  const auto settled =
      wait_until_settled(at.scm(), service->get(), at.time(), {row.wanted, row.from}, asked.wait, row.doing, at.name());
  if (!settled) return failure{settled.error()};
  if (settled->status.current == row.wanted) {
    at.say(at.quoted() + " is " + row.done);
    return {};
  }
  if (settled->status.current == model::state::stopped) return at.failed(row.doing, model::code::service_not_active);
  return failure{error{model::code::exception_in_service, row.doing, at.name(),
                       "its " + std::string(row.hook) + " hook failed; it is still '" +
                           std::string(model::name(settled->status.current)) + '\'',
                       "read its log"}};
}

inline result<void> reload(desk& at) {
  const auto service = at.open("reload", os::access::pause_continue);  // PARAMCHANGE has no right of its own
  if (!service) return failure{service.error()};
  const auto done = at.scm().control_service(service->get(), static_cast<std::uint32_t>(model::control::param_change));
  if (!done) {
    if (done.error() == model::code::invalid_service_control) return no_hook(at, "reload", done.error(), "on_reload");
    return at.failed("reload", done.error());
  }
  at.say("told " + at.quoted() + " to reload");
  return {};
}

inline result<void> send_control(desk& at, const model::command& asked) {
  const auto service = at.open("control", os::access::user_control);
  if (!service) return failure{service.error()};
  const std::string number = std::to_string(asked.control);
  const auto done = at.scm().control_service(service->get(), asked.control);
  if (done) {
    at.say(at.quoted() + " has done control " + number);
    return {};
  }
  switch (done.error()) {
    case model::code::io_pending:
      at.say(at.quoted() + " has taken control " + number + " and is still at work");
      return {};
    case model::code::call_not_implemented:
    case model::code::invalid_service_control: return no_hook(at, "control", done.error(), "on_control " + number);
    case model::code::service_request_timeout:
    case model::code::service_cannot_accept_control:
    case model::code::service_not_active: return at.failed("control", done.error());
    default: break;
  }
  // The handle was opened with the right to send it, so this is the hook's own answer, and not the system's.
  return failure{error{done.error(), "control", at.name(),
                       "the hook for " + number + " answered: " + os::system_words(done.error()), {}}};
}

inline result<void> pause(desk& at, const model::command& asked) {
  return turn(at, asked,
              {"pause", model::control::pause, model::state::paused, model::state::running, "paused", "on_pause"});
}

inline result<void> resume(desk& at, const model::command& asked) {
  return turn(at, asked,
              {"continue", model::control::resume, model::state::running, model::state::paused, "running",
               "on_continue"});
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/folders.hpp
// =====================================================================================================================

// The folders that a service needs, opened to its own SID and to nothing else of it: read and execute where its
// executable lies, modify where its data does. What fails here is a warning, with the command's words for a remedy: the
// service is installed, and may well have these rights already by what it inherits.

#include <optional>
#include <string>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What the service may do there now; left unknown where that cannot be seen.
void look_at_folders(desk& at, model::installation& there);
/// Does what is planned for the folders, and drops from the plan what cannot be done. `there`: as it was before, whose
/// executable may have lain elsewhere.
void open_folders(desk& at, model::install_plan& plan, const std::optional<model::installation>& there);
/// Takes what belongs to that SID out of the rights to the folder of `binary`, an ImagePath.
void close_folder(desk& at, const std::string& sid, const std::string& binary);

/// The SID of the service itself, whatever account it runs as. Known only while the service is installed.
[[nodiscard]] inline os::sys_result<std::string> service_sid(desk& at) {
  return at.scm().account_sid("NT SERVICE\\" + at.name());
}

// ---------------------------------------------------------------------------------------------------------------------

inline bool is_not_there(std::uint32_t code) noexcept { return code == 2 || code == 3; }

inline std::string folder_of_binary(const std::string& binary) {
  const auto words = split_command_line(binary);
  return words.empty() ? std::string() : os::folder_of(words[0]);
}

inline void look_at_folders(desk& at, model::installation& there) {
  const auto sid = service_sid(at);
  if (!sid) return;
  const auto has = [&at](const std::string& folder, const std::string& entry, bool closed) -> std::optional<bool> {
    const auto security = at.scm().query_folder_security(folder);
    if (security) return model::has_entry(*security, entry) && (!closed || model::is_closed(*security));
    return is_not_there(security.error()) ? std::optional(false) : std::nullopt;
  };
  there.reads_program = has(at.ours().program_folder, model::read_entry(*sid), false);
  there.modifies_data = has(at.ours().data_folder, model::modify_entry(*sid), true);
}

inline std::string code_text(std::uint32_t code) { return os::system_words(code) + " (" + std::to_string(code) + ")"; }

/// Adds one entry to a folder's rights; the data folder is made where it is not there.
inline bool open_folder(desk& at, model::item what, const std::string& folder, const std::string& sid) {
  const bool data = what == model::item::data_folder;
  const std::string right = data ? "modify" : "read", who = "'NT SERVICE\\" + at.name() + '\'';
  const auto now = at.scm().query_folder_security(folder);
  if (!now && !(data && is_not_there(now.error()))) {  // what cannot be read must not be overwritten
    at.warn("the rights to '" + folder + "' cannot be read: " + code_text(now.error()) + "; give " + who +
            " the right to " + right + " it by hand");
    return false;
  }
  const std::string sddl = !data ? model::with_entry(model::without_owner(*now), model::read_entry(sid))
                           : now ? model::data_folder_security(*now, sid)
                                 : model::data_folder_security(sid);
  if (const auto done = at.scm().change_folder_security(folder, sddl); !done) {
    at.warn("the right to " + right + " '" + folder + "' is not set: " + code_text(done.error()) + "; give it to " +
            who + " by hand");
    return false;
  }
  return true;
}

inline void open_folders(desk& at, model::install_plan& plan, const std::optional<model::installation>& there) {
  const auto& ours = at.ours();
  if (const auto why = model::not_a_folder_of_ones_own(ours.program_folder);
      !why.empty() && (plan.creates || plan.has(model::item::binary))) {
    at.warn("the service gets no right to '" + ours.program_folder + "', because " + std::string(why) +
            "; put the program into a folder of its own");
  }
  const bool program = plan.has(model::item::program_folder), data = plan.has(model::item::data_folder);
  const std::string old_folder = there && there->binary ? folder_of_binary(*there->binary) : std::string();
  const bool moved = !old_folder.empty() && !text::equal_nocase(old_folder, ours.program_folder);
  if (!program && !data && !moved) return;

  const auto sid = service_sid(at);
  if (!sid && (program || data)) {
    at.warn("the service's own SID is not to be had: " + code_text(sid.error()) + "; give 'NT SERVICE\\" + at.name() +
            "' the right to" + (program ? " read '" + ours.program_folder + '\'' : "") +
            (program && data ? " and" : "") + (data ? " modify '" + ours.data_folder + '\'' : "") + " by hand");
  }
  const auto open = [&](model::item what, const std::string& folder) {
    if (!sid || !open_folder(at, what, folder, *sid)) plan.drop(what);
  };
  if (program) open(model::item::program_folder, ours.program_folder);
  if (data) open(model::item::data_folder, ours.data_folder);
  if (moved && sid) close_folder(at, *sid, *there->binary);
}

inline void close_folder(desk& at, const std::string& sid, const std::string& binary) {
  const std::string folder = folder_of_binary(binary);
  if (folder.empty() || !model::not_a_folder_of_ones_own(folder).empty()) return;
  const auto now = at.scm().query_folder_security(folder);
  if (!now) return;  // it is gone, perhaps with the program
  const std::string before = model::without_owner(*now), without = model::without_account(before, sid);
  if (without == before) return;
  if (const auto done = at.scm().change_folder_security(folder, without); !done) {
    at.warn("the rights of " + sid + " to '" + folder + "' are still there: " + code_text(done.error()) +
            "; take them out by hand");
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/survey.hpp
// =====================================================================================================================

// What is installed, read with query rights alone: what install plans with, and all that `--plan` needs.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

struct surveyed {
  std::optional<model::installation> there;  ///< nothing: it is not installed
  std::map<std::string, std::string> sids;   ///< of the users of --allow-control
};

/// Fails where it cannot be seen, where another program's service has the name, and where a user is not known.
[[nodiscard]] result<surveyed> survey(desk& at, const model::command& asked, const std::string& doing);

// ---------------------------------------------------------------------------------------------------------------------

inline result<surveyed> survey(desk& at, const model::command& asked, const std::string& doing) {
  auto& scm = at.scm();
  surveyed found;
  for (const auto& user : asked.allow_control) {
    const auto sid = scm.account_sid(model::name_to_look_up(user));
    if (!sid) return at.failed("find the account", user, sid.error());
    found.sids[user] = *sid;
  }

  const std::uint32_t security_right = found.sids.empty() ? 0 : os::access::read_security;
  const auto service = at.open(doing, os::access::query_config | security_right);
  if (!service) {
    if (service.error().code == model::code::service_does_not_exist) return found;
    return failure{service.error()};
  }
  const auto config = scm.query_config(service->get());
  if (!config) return at.failed(doing, config.error());
  if (auto mine = at.check_ours(doing, config->binary); !mine) return failure{mine.error()};

  model::installation& there = found.there.emplace();
  there.startup = config->startup;
  there.binary = config->binary;
  there.display_name = config->display_name;
  there.account = model::known_account(config->account, at.name());
  there.dependencies = config->dependencies;
  for (const auto& row : model::level_rows) {
    auto value = scm.query_level(service->get(), row.number);
    if (value) there.levels.insert_or_assign(row.number, *std::move(value));
  }
  if (!asked.environment.empty()) {  // or what is there and not asked for would be lost
    auto all = scm.query_environment(at.name());
    if (!all) return at.failed("read the environment of", all.error());
    there.environment = *std::move(all);
  }
  if (!found.sids.empty()) {
    const auto security = scm.query_security(service->get());
    if (!security) return at.failed("read the rights of", security.error());
    for (const auto& [user, sid] : found.sids)
      there.may_control[user] = model::has_entry(*security, model::control_entry(sid));
  }
  look_at_folders(at, there);
  return found;
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/install.hpp
// =====================================================================================================================

// install and update: look at what there is (host/survey.hpp), plan (model/installation.hpp), and carry the plan out
// step by step, with the least rights that it needs; what was done is undone when a step that must not fail does.
//
// What must not fail: the service itself, what was asked for, the event source, the right to log on. Warnings: levels
// that the system does not know, and the service's rights to folders.
//
// Source: "Installing, Removing, and Enumerating Services" and "Service Security and Access Rights" in the Win32
// documentation.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Undoes what was done, the last step first, unless all went well.
class undo_list {
 public:
  undo_list() = default;
  undo_list(const undo_list&) = delete;
  undo_list& operator=(const undo_list&) = delete;
  ~undo_list() {
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) (*step)();
  }
  void add(std::function<void()> step) { steps_.push_back(std::move(step)); }
  void all_is_well() noexcept { steps_.clear(); }

 private:
  std::vector<std::function<void()>> steps_;
};

class installer {
 public:
  explicit installer(desk& at) noexcept : desk_(at) {}

  /// `asked.verb` says whether an absent service is created (install) or an error (update).
  result<void> run(const model::command& asked);
  /// Would `run` ask for a password? As far as can be seen without rights: for who asks before it is run elevated.
  bool needs_password(const model::command& asked);

 private:
  /// One install on its way.
  struct job {
    const model::command& asked;
    std::string doing;
    std::optional<model::installation> there;
    std::map<std::string, std::string> sids;  ///< of the users who may control it
    model::installation wanted;
    model::install_plan plan;
    std::optional<std::string> password;
  };

  result<job> plan(const model::command& asked);
  result<void> ask_password(job& j);
  result<void> create(job& j);
  result<void> change(job& j);
  // The steps of both; what a step has done is added to the list.
  result<void> change_settings(job& j, desk::raw_handle service, undo_list& trail);
  result<void> change_account(const job& j, desk::raw_handle service, undo_list& trail);
  result<void> change_levels(job& j, desk::raw_handle service, undo_list& trail);
  result<void> change_level(job& j, desk::raw_handle service, const std::optional<model::config_level>& from,
                            const model::config_level& to, undo_list& trail);
  result<void> change_surroundings(const job& j, desk::raw_handle service, undo_list& trail);
  result<void> give_logon_right(const job& j);
  void tell(const job& j) const;

  /// The rights that what is planned needs on the service's handle.
  [[nodiscard]] static std::uint32_t rights_for(const job& j);

  desk& desk_;
};

// ---------------------------------------------------------------------------------------------------------------------

inline result<void> installer::run(const model::command& asked) {
  auto planned = plan(asked);
  if (!planned) return failure{planned.error()};
  job& j = *planned;
  if (asked.plan) {
    std::string text = model::plan_text(desk_.name(), j.plan);
    text.pop_back();
    desk_.say(text);
    return {};
  }

  if (!j.plan.creates && j.plan.changes.empty()) {
    desk_.say(desk_.quoted() + " is installed as it is asked for");
  } else {
    if (auto done = j.plan.creates ? create(j) : change(j); !done) return done;
    open_folders(desk_, j.plan, j.there);
    tell(j);
  }
  if (!asked.then_start) return {};
  return manager(desk_).start(asked);
}

inline bool installer::needs_password(const model::command& asked) {
  if (const auto planned = plan(asked)) return planned->wanted.new_password;
  const auto wanted = model::wanted_installation(asked, desk_.spec(), nullptr, desk_.ours());  // as if it were new
  return wanted && wanted->new_password;
}

// -- what there is, and what is wanted --

inline result<installer::job> installer::plan(const model::command& asked) {
  job j{asked, std::string(model::row(asked.verb).word), {}, {}, {}, {}, {}};
  auto found = survey(desk_, asked, j.doing);
  if (!found) return failure{found.error()};
  j.there = std::move(found->there);
  j.sids = std::move(found->sids);
  if (!j.there && asked.verb == model::verb::update) return desk_.failed(j.doing, model::code::service_does_not_exist);

  const model::installation* old = j.there ? &*j.there : nullptr;
  auto wanted = model::wanted_installation(asked, desk_.spec(), old, desk_.ours());
  if (!wanted) return failure{wanted.error()};
  j.wanted = *std::move(wanted);
  j.plan = model::plan_install(old, j.wanted, desk_.ours());
  return j;
}

// -- the steps --

inline std::uint32_t installer::rights_for(const job& j) {
  const auto restarts = [](const std::optional<model::config_level>& l) {
    if (!l) return false;
    for (const auto& action : std::get<model::recovery_plan>(*l).actions) {
      if (action.what == recovery_action::kind::restart) return true;
    }
    return false;
  };
  std::uint32_t rights = os::access::change_config | (j.plan.creates ? os::access::remove : 0);
  if (j.plan.has(model::item::recovery)) {  // who lets the SCM start it must be allowed to; the undoing included
    const auto old = j.there ? model::level_of(*j.there, model::level::failure_actions) : std::nullopt;
    if (restarts(model::level_of(j.wanted, model::level::failure_actions)) || restarts(old))
      rights |= os::access::start;
  }
  if (j.plan.has(model::item::control)) rights |= os::access::read_security | os::access::write_security;
  return rights;
}

/// Only now that the manager was opened with the rights that it takes: nobody types a password for an error 5.
inline result<void> installer::ask_password(job& j) {
  if (!j.wanted.account) return {};
  j.password = j.wanted.account->fixed_password();
  if (!j.wanted.new_password) return {};
  auto given = desk_.ask_password();
  if (!given) return failure{given.error()};
  j.password = *std::move(given);
  return {};
}

inline result<void> installer::create(job& j) {
  auto& scm = desk_.scm();
  const auto manager = desk_.open_manager(j.doing, os::access::manager_connect | os::access::manager_create);
  if (!manager) return failure{manager.error()};
  if (auto asked = ask_password(j); !asked) return asked;

  os::service_settings settings;
  settings.startup = j.wanted.startup;
  settings.binary = j.wanted.binary;
  settings.display_name = j.wanted.display_name;
  settings.account = j.wanted.account->name;
  settings.password = j.password;
  settings.dependencies = j.wanted.dependencies;
  const auto created = scm.create_service(manager->get(), desk_.name(), rights_for(j), settings);
  if (!created) return desk_.failed(j.doing, created.error());
  const os::service_handle service(scm, *created);

  undo_list trail;  // behind the handle, which it needs
  trail.add([&] { static_cast<void>(scm.delete_service(service.get())); });
  if (j.wanted.startup == startup::delayed) {
    if (auto done = change_level(j, service.get(), {}, model::delayed_start{true}, trail); !done) return done;
  }
  if (auto done = change_levels(j, service.get(), trail); !done) return done;
  if (auto done = change_surroundings(j, service.get(), trail); !done) return done;
  if (auto done = give_logon_right(j); !done) return done;
  trail.all_is_well();
  return {};
}

inline result<void> installer::change(job& j) {
  const auto service = desk_.open(j.doing, rights_for(j));
  if (!service) return failure{service.error()};
  if (auto asked = ask_password(j); !asked) return asked;

  undo_list trail;
  if (auto done = change_settings(j, service->get(), trail); !done) return done;
  if (auto done = change_levels(j, service->get(), trail); !done) return done;
  if (auto done = change_surroundings(j, service->get(), trail); !done) return done;
  // Last, because an old account that has a password cannot be put back, nor can the right to log on be taken away from
  // one that may have had it before.
  if (auto done = change_account(j, service->get(), trail); !done) return done;
  if (auto done = give_logon_right(j); !done) return done;
  trail.all_is_well();
  return {};
}

/// What one ChangeServiceConfigW changes, but for the account.
inline result<void> installer::change_settings(job& j, desk::raw_handle service, undo_list& trail) {
  auto& scm = desk_.scm();
  os::service_settings to, back;
  if (j.plan.has(model::item::startup)) to.startup = j.wanted.startup, back.startup = j.there->startup;
  if (j.plan.has(model::item::binary)) to.binary = j.wanted.binary, back.binary = j.there->binary;
  if (j.plan.has(model::item::display_name))
    to.display_name = j.wanted.display_name, back.display_name = j.there->display_name;
  if (!to.startup && !to.binary && !to.display_name && !j.plan.has(model::item::dependencies)) return {};
  back.dependencies = j.there->dependencies;
  to.dependencies = j.wanted.dependencies ? j.wanted.dependencies : j.there->dependencies;

  // A delay belongs to an automatic start: it is taken away while there still is one, and set when there is.
  const bool was_delayed = to.startup && j.there->startup == startup::delayed;
  if (was_delayed) {
    const model::config_level off = model::delayed_start{false}, on = model::delayed_start{true};
    if (auto done = change_level(j, service, on, off, trail); !done) return done;
  }
  if (auto changed = scm.change_config(service, to); !changed) return desk_.failed(j.doing, changed.error());
  trail.add([&scm, service, back] { static_cast<void>(scm.change_config(service, back)); });
  if (to.startup == startup::delayed) {
    const model::config_level off = model::delayed_start{false}, on = model::delayed_start{true};
    if (auto done = change_level(j, service, off, on, trail); !done) return done;
  }
  return {};
}

inline result<void> installer::change_account(const job& j, desk::raw_handle service, undo_list& trail) {
  if (!j.plan.has(model::item::account) && !j.plan.has(model::item::password)) return {};
  auto& scm = desk_.scm();
  os::service_settings to, back;
  to.account = j.wanted.account->name;
  to.password = j.password;
  to.dependencies = j.wanted.dependencies ? j.wanted.dependencies : j.there->dependencies;
  if (auto changed = scm.change_config(service, to); !changed) return desk_.failed(j.doing, changed.error());
  if (j.there->account->needs_password()) return {};
  back.account = j.there->account->name;
  back.password = j.there->account->fixed_password();
  back.dependencies = to.dependencies;
  trail.add([&scm, service, back] { static_cast<void>(scm.change_config(service, back)); });
  return {};
}

inline result<void> installer::change_levels(job& j, desk::raw_handle service, undo_list& trail) {
  for (const auto& [number, to] : j.wanted.levels) {
    const auto from = j.there ? model::level_of(*j.there, number) : std::nullopt;
    if (from && model::text_of(*from) == model::text_of(to)) continue;
    if (auto done = change_level(j, service, from, to, trail); !done) return done;
  }
  return {};
}

inline result<void> installer::change_level(job& j, desk::raw_handle service,
                                            const std::optional<model::config_level>& from,
                                            const model::config_level& to, undo_list& trail) {
  auto& scm = desk_.scm();
  const std::uint32_t number = model::number(to);
  if (auto done = scm.change_level(service, to); !done) {
    if (!model::is_unknown_level(done.error())) return desk_.failed("configure", done.error());
    desk_.warn("this system does not know setting " + std::to_string(number) + " (" + std::to_string(done.error()) +
               "): " + std::string(model::lost_without(number)));
    for (const auto& row : model::level_rows) {
      if (row.number == number) j.plan.drop(row.what);
    }
    return {};
  }
  if (from) trail.add([&scm, service, from] { static_cast<void>(scm.change_level(service, *from)); });
  return {};
}

/// What lies beside the SCM's own settings: environment, event source, the rights to the service itself.
inline result<void> installer::change_surroundings(const job& j, desk::raw_handle service, undo_list& trail) {
  auto& scm = desk_.scm();
  if (j.plan.has(model::item::environment)) {
    if (auto done = scm.change_environment(desk_.name(), *j.wanted.environment); !done)
      return desk_.failed("set the environment of", done.error());
    if (j.there) {  // of a new one it goes with the service
      trail.add([&scm, name = desk_.name(), back = *j.there->environment] {
        static_cast<void>(scm.change_environment(name, back));
      });
    }
  }
  if (j.plan.has(model::item::control)) {
    const auto security = scm.query_security(service);
    if (!security) return desk_.failed("read the rights of", security.error());
    std::string to = *security;
    for (const auto& [user, sid] : j.sids) to = model::with_entry(to, model::control_entry(sid));
    if (auto done = scm.change_security(service, to); !done) return desk_.failed("change the rights of", done.error());
    trail.add([&scm, service, back = *security] { static_cast<void>(scm.change_security(service, back)); });
  }
  // Added to an existing service as well, because it may have lost it; that is never undone.
  if (j.plan.creates) trail.add([&scm, name = desk_.name()] { static_cast<void>(scm.remove_event_source(name)); });
  if (auto done = scm.add_event_source(desk_.name()); !done)
    return desk_.failed("register the event source", done.error());
  return {};
}

/// Without it the start fails with 1069, and it is nothing that the Services window would show.
inline result<void> installer::give_logon_right(const job& j) {
  if (!j.plan.has(model::item::logon_right)) return {};
  const auto sid = desk_.scm().account_sid(model::name_to_look_up(j.wanted.account->name));
  if (!sid) return desk_.failed("find the account", j.wanted.account->name, sid.error());
  if (auto done = desk_.scm().add_logon_right(*sid); !done)
    return desk_.failed("give the right to log on as a service to", j.wanted.account->name, done.error());
  return {};
}

inline void installer::tell(const job& j) const {
  if (j.plan.creates) {
    desk_.say("installed " + desk_.quoted() + " (" + std::string(name(*j.wanted.startup)) + "): " + *j.wanted.binary);
  } else if (j.plan.changes.empty()) {
    desk_.say(desk_.quoted() + " is installed as far as this system can have it");
  } else {
    std::string text = "updated " + desk_.quoted() + ":\n" + model::changes_text(j.plan);
    text.pop_back();
    desk_.say(text);
  }
  const auto& account = j.wanted.account ? j.wanted.account : j.there->account;
  if (const auto given_up = account->gives_up(); !given_up.empty()) desk_.say("note: " + std::string(given_up));
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/remove.hpp
// =====================================================================================================================

// remove: stop, wait, delete, close, wait until it is gone, and take back what an install left beside it. What is gone
// already is a success.
//
// An open handle keeps a deleted service alive (1072), the one of a Services window as well, so its end is waited for.

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// The data folder stays: what is in it is the user's.
result<void> remove(desk& at, const model::command& asked);

// ---------------------------------------------------------------------------------------------------------------------

inline result<void> wait_until_gone(desk& at, std::chrono::milliseconds limit) {
  const auto until = at.time().now() + limit;
  for (auto pause = std::chrono::milliseconds(10);; pause = (std::min)(pause * 2, std::chrono::milliseconds(1000))) {
    {
      const auto there = at.open("remove", os::access::query_status);
      if (!there && there.error().code == model::code::service_does_not_exist) return {};
      if (!there && there.error().code != model::code::service_marked_for_delete) return failure{there.error()};
    }  // our handle would keep it there
    if (at.time().now() >= until) return at.failed("remove", model::code::service_marked_for_delete);
    at.time().sleep(pause);
  }
}

inline result<void> remove(desk& at, const model::command& asked) {
  bool was_there = false;
  std::string binary;
  std::optional<std::string> sid;
  {
    const auto service = at.open("remove", os::access::query_config | os::access::remove | manager::stop_rights);
    if (service) {
      was_there = true;
      const auto config = at.scm().query_config(service->get());
      if (!config) return at.failed("remove", config.error());
      if (auto mine = at.check_ours("remove", config->binary); !mine) return mine;
      binary = config->binary;
      if (const auto known = service_sid(at)) sid = *known;  // as long as there is a service of that name

      model::command waiting = asked;
      waiting.no_wait = false;
      const auto stopped = manager(at).stop_and_wait(service->get(), waiting, "remove");
      if (!stopped) return failure{stopped.error()};
      if (stopped->code != 0) at.warn("stopped " + at.quoted() + ", but: " + stopped->sentence);
      if (auto deleted = at.scm().delete_service(service->get());
          !deleted && deleted.error() != model::code::service_marked_for_delete) {
        return at.failed("remove", deleted.error());
      }
    } else if (service.error().code == model::code::service_marked_for_delete) {
      was_there = true;  // somebody has deleted it; it goes when the last handle does
    } else if (service.error().code != model::code::service_does_not_exist) {
      return failure{service.error()};
    }
  }  // our handle goes before we wait: it would keep the service there
  if (was_there) {
    if (auto gone = wait_until_gone(at, asked.wait); !gone) return gone;
  }
  if (auto removed = at.scm().remove_event_source(at.name()); !removed)
    return at.failed("remove the event source of", removed.error());
  if (sid) close_folder(at, *sid, binary);
  at.say(was_there ? "removed " + at.quoted() : at.quoted() + " is not installed");
  return {};
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// =====================================================================================================================
// host/managing.hpp
// =====================================================================================================================

// The verbs that manage, by their words: what each prints, what it exits with, where a password comes from, and once
// more elevated where Windows says no.
//
// An error 5 begins the same program anew, elevated and hidden (os/elevation.hpp): the person is asked once, by
// Windows, and what it prints and its exit code are this program's. `--no-elevate` leaves it at the error.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What a program needs from outside, so that a test can stand in for it.
struct program_surroundings {
  std::shared_ptr<os::service_manager> scm = std::make_shared<os::native_service_manager>();
  clock& time = clock::system();
  std::string executable = os::executable_path();
  std::function<void(std::string_view)> out = os::write_out;
  std::function<void(std::string_view)> err = os::write_err;
  std::function<os::sys_result<std::string>(const std::string& service_name)> data_folder = os::data_folder;
  std::function<os::sys_result<std::string>(std::string_view prompt)> read_secret = os::read_secret;
  std::function<std::optional<std::string>()> read_input_line = os::read_input_line;
  std::function<os::sys_result<std::uint32_t>(std::vector<std::string> words, const std::string& input,
                                              const std::function<void(std::string_view)>& on_output)>
      run_elevated = os::run_elevated;
  std::function<os::sys_result<std::string>(const std::string& pipe)> join_parent = os::join_parent;

  [[nodiscard]] std::string program() const { return os::program_name(executable); }
  /// Prints an error as `program: sentence` and gives the exit code for it: the system's; 2 for a usage error, which
  /// has none.
  [[nodiscard]] int complain(const error& why) const {
    err(program() + ": " + why.sentence() + '\n');
    return why.code == 0 ? model::exits::usage : os::exit_code(why.code);
  }
};

/// Runs a verb that manages. `words` is what the command line said, `from_parent` what the parent of this elevated
/// process gave it. The exit code.
[[nodiscard]] int manage(const blueprint& plan, const model::command& asked, const std::vector<std::string>& words,
                         const program_surroundings& around, const std::optional<std::string>& from_parent = {});

// ---------------------------------------------------------------------------------------------------------------------

/// Asked once, however often it is wanted.
inline std::function<result<std::string>()> password_source(const model::command& asked,
                                                            const program_surroundings& around,
                                                            const std::optional<std::string>& from_parent) {
  return [&asked, &around, &from_parent, given = from_parent]() mutable -> result<std::string> {
    const std::string whom = asked.username.value_or("the service's account");
    if (from_parent && from_parent->empty()) {
      return failure{error{model::code::cancelled, "get the password of", whom, "the elevated process was given none",
                           "run from an elevated prompt"}};
    }
    if (given) return *given;
    if (asked.password_stdin) {
      given = around.read_input_line();
      if (given) return *given;
      return failure{error{0, "read the password of", whom, "standard input is at its end", "pipe it in, as a line"}};
    }
    const auto typed = around.read_secret("password of " + whom + ": ");
    if (!typed) {
      return failure{error{model::code::cancelled, "ask for the password of", whom,
                           "there is nobody who gives it: " + os::system_words(typed.error()),
                           "type it, or pipe it in with --password-stdin"}};
    }
    given = *typed;
    return *given;
  };
}

/// What the verb does, but for status, which has exit codes of its own.
inline result<void> perform(desk& at, const model::command& asked) {
  switch (asked.verb) {
    case model::verb::install:
    case model::verb::update: return installer(at).run(asked);
    case model::verb::remove: return remove(at, asked);
    case model::verb::start: return manager(at).start(asked);
    case model::verb::stop: return manager(at).stop(asked);
    case model::verb::restart: return manager(at).restart(asked);
    case model::verb::pause: return pause(at, asked);
    case model::verb::resume: return resume(at, asked);
    case model::verb::reload: return reload(at);
    case model::verb::control: return send_control(at, asked);
    default: return failure{error{model::code::not_supported, "manage", at.name(), "there is no such verb", {}}};
  }
}

/// The same words in an elevated process. `denied`: why.
inline int elevate(desk& at, const model::command& asked, const std::vector<std::string>& words,
                   const program_surroundings& around, const error& denied) {
  std::string input;
  const bool installs = (model::bit(asked.verb) & model::verbs_that_install) != 0;
  if (installs && installer(at).needs_password(asked)) {  // the hidden window is no place to type it
    auto given = at.ask_password();
    if (!given) return around.complain(given.error());
    input = *std::move(given);
  }
  const auto code = around.run_elevated(model::elevated_words(words), input, around.out);
  if (code) return static_cast<int>(*code);
  if (code.error() != model::code::cancelled) return around.complain(denied);
  return around.complain(model::explained(code.error(), denied.doing, denied.subject));
}

inline int manage(const blueprint& plan, const model::command& asked, const std::vector<std::string>& words,
                  const program_surroundings& around, const std::optional<std::string>& from_parent) {
  const model::service_spec spec = model::of_instance(plan.spec, asked.launch.instance);
  if (const auto good = model::check_name(spec.name); !good) return around.complain(good.error());
  const auto folder = around.data_folder(spec.name);
  const auto state = [&folder]() -> std::optional<model::service_state> {
    const auto content = folder ? os::read_file(os::path_join(*folder, "state.json")) : std::nullopt;
    return content ? model::parse_service_state(*content) : std::nullopt;
  };
  const auto say = [&around](const std::string& line) { around.out(line + '\n'); };
  model::install_defaults ours;
  ours.executable = around.executable;
  ours.program_folder = os::folder_of(around.executable);
  ours.data_folder = folder ? *folder : std::string();
  ours.preshutdown = plan.stop_limit + std::chrono::seconds(5);
  desk at(spec, {*around.scm, around.time, say, state, ours, password_source(asked, around, from_parent)});

  if (asked.verb == model::verb::status) {
    const auto report = manager(at).status();
    if (!report) return around.complain(report.error());
    around.out(asked.json ? status_json(*report) : status_text(*report));
    return status_exit(*report);
  }
  const auto done = perform(at, asked);
  if (done) return model::exits::ok;
  const bool may_elevate = !asked.no_elevate && !asked.elevated && !asked.plan;
  if (at.denied() && done.error().code == model::code::access_denied && may_elevate)
    return elevate(at, asked, words, around, done.error());
  return around.complain(done.error());
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
// goes to the dispatcher at once. The exit code: 0, 2 for a usage error, otherwise the system's code. The verbs that
// manage the service are in host/managing.hpp.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

inline std::string routes_json(const route::table& routes) {
  const auto one = [](const route::entry& e) {
    text::json_object o;
    o.put_text("method", route::name(e.verb)).put_text("pattern", e.path.text);
    o.put("name", e.about.name.empty() ? "null" : text::json_quoted(e.about.name));
    return o.put_text("source", e.where.text()).text();
  };
  return text::json_list(routes.entries(), one, ",\n ") + '\n';
}

inline int run_service(app_factory app, const model::launch_options& launch) {
  os::native_dispatcher dispatcher;
  return service_host(std::move(app), launch, {dispatcher}).run();
}

/// Everything that main does.
inline int run(const app_factory& app, const std::vector<std::string>& words, const program_surroundings& around = {}) {
  const std::string program = around.program();
  const auto asked = model::parse_command(words);
  if (!asked) return around.complain(asked.error());
  if (asked->verb == model::verb::run_service) {
    const int code = run_service(app, asked->launch);
    if (code == os::exit_code(model::code::failed_controller_connect)) {
      return around.complain(
          model::explained(model::code::failed_controller_connect, "run the service", program));
    }
    return code;
  }
  // A service that was registered by hand, without the word, has neither a word nor anybody to show the help to.
  if (asked->bare && !os::has_standard_output()) return run_service(app, {});

  std::optional<std::string> from_parent;
  if (asked->elevated) {  // before anything is printed, which nobody would see
    const auto joined = around.join_parent(*asked->elevated);
    if (!joined) {
      return around.complain(model::explained(joined.error(), "join the program that asked for elevation", program,
                                              os::system_words(joined.error())));
    }
    from_parent = *joined;
  }
  if (asked->verb == model::verb::debug)
    os::change_directory(os::folder_of(around.executable));  // as the service does, before App

  blueprint plan;
  plan.spec.name = program;
  plan.instance = asked->launch.instance;
  std::shared_ptr<void> object;
  service svc(plan);
  try {
    object = app(svc);
  } catch (const setup_error& e) {
    return around.complain({0, {}, {}, e.what(), {}});
  } catch (const std::exception& e) {
    return around.complain({model::code::exception_in_service, "describe", plan.spec.name, e.what(),
                            "open things in on_start: the app is described for every verb"});
  } catch (...) {
    return around.complain({model::code::exception_in_service, "describe", plan.spec.name,
                            "something that is no std::exception was thrown", {}});
  }

  switch (asked->verb) {
    case model::verb::help: {
      const std::string about = plan.spec.display_name.value_or(plan.spec.name) +
                                (plan.spec.description ? ": " + *plan.spec.description : "");
      around.out(asked->topic ? model::help_text(program, *asked->topic) : model::help_text(program, about));
      return model::exits::ok;
    }
    case model::verb::version:
      around.out(plan.spec.name + ' ' + (plan.version.empty() ? "(no version)" : plan.version) +
                 ", winsvc " WINSVC_VERSION_STRING ", cpp-httplib " CPPHTTPLIB_VERSION "\n");
      return model::exits::ok;
    case model::verb::routes:
      around.out(asked->json ? routes_json(plan.router.routes()) : routes_text(plan.router.routes()));
      return model::exits::ok;
    case model::verb::debug:
      plan.spec = model::of_instance(std::move(plan.spec), plan.instance);
      return run_in_console(plan, std::move(object), asked->launch);
    default: return manage(plan, *asked, words, around, from_parent);
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
#undef WINSVC_OS_LINUX
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
