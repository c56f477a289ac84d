// Console output, console input and interrupts.
#include "winsvc/base/scope.hpp"
#include "winsvc/os/native.hpp"

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

using namespace winsvc;
using namespace winsvc::detail::base;

namespace {

/// A counter; a test waits until it has reached a value.
class counter {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  [[nodiscard]] bool reaches(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, waiting::limit(), [&] { return count_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

/// Replaces standard input with a pipe during its lifetime.
class input_from_pipe {
 public:
  explicit input_from_pipe(std::string_view content) {
#if defined(_WIN32)
    HANDLE read = nullptr, write = nullptr;
    REQUIRE(::CreatePipe(&read, &write, nullptr, 65536));
    CHECK(detail::os::write_all(write, content));
    ::CloseHandle(write);
    saved_input_ = ::GetStdHandle(STD_INPUT_HANDLE);
    pipe_ = detail::os::unique_handle(read);
    ::SetStdHandle(STD_INPUT_HANDLE, read);
  }
  ~input_from_pipe() { ::SetStdHandle(STD_INPUT_HANDLE, saved_input_); }

 private:
  HANDLE saved_input_;
  detail::os::unique_handle pipe_;
#else
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    CHECK(detail::os::write_all(ends[1], content));
    ::close(ends[1]);
    saved_input_ = ::dup(STDIN_FILENO);
    ::dup2(ends[0], STDIN_FILENO);
    ::close(ends[0]);
  }
  ~input_from_pipe() {
    ::dup2(saved_input_, STDIN_FILENO);
    ::close(saved_input_);
  }

 private:
  int saved_input_;
#endif
};

}  // namespace

TEST_CASE("writing an empty text has no effect, and the test program has a standard output") {
  detail::os::write_stdout("");
  detail::os::write_stderr("");
  CHECK(detail::os::has_standard_output());
  if (detail::os::is_stdout_terminal()) CHECK(detail::os::has_standard_output());
}

TEST_CASE("a line is returned without its line end and without the byte order mark of PowerShell") {
  CHECK(detail::os::without_line_end("secret") == "secret");
  CHECK(detail::os::without_line_end("secret\r") == "secret");
  CHECK(detail::os::without_line_end("\xEF\xBB\xBFsecret\r") == "secret");
  CHECK(detail::os::without_line_end("").empty());
  CHECK(detail::os::without_line_end("\r").empty());
  CHECK(detail::os::without_line_end(" a\r\r") == " a\r");
}

TEST_CASE("read_input_line reads one line and leaves the following bytes unread") {
  input_from_pipe input("first\r\n\nZ\xC3\xBCrich\nlast without an end");
  CHECK(detail::os::read_input_line() == "first");
  CHECK(detail::os::read_input_line() == "");
  CHECK(detail::os::read_input_line() == "Z\xC3\xBCrich");
  CHECK(detail::os::read_input_line() == "last without an end");
  CHECK_FALSE(detail::os::read_input_line());
}

TEST_CASE("read_secret fails if standard input is not a terminal") {
  input_from_pipe input("secret\n");
  const auto secret = detail::os::read_secret("password: ");
  REQUIRE_FALSE(secret);
  CHECK(secret.error() != 0);
  CHECK(detail::os::read_input_line() == "secret");
}

TEST_CASE("interrupts can be created and destroyed several times") {
  counter calls;
  for (int i = 0; i < 5; ++i) {
    const detail::os::interrupts guard([&calls](detail::os::interruption) { calls.add(); });
  }
}

#if !defined(_WIN32)

namespace {

/// Replaces standard input with a pseudo terminal during its lifetime; the test writes to the other end (the master).
class input_from_terminal {
 public:
  input_from_terminal() : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK)), saved_input_(::dup(STDIN_FILENO)) {
    REQUIRE(master_ >= 0);
    REQUIRE(::grantpt(master_) == 0);
    REQUIRE(::unlockpt(master_) == 0);
    const int terminal = ::open(::ptsname(master_), O_RDWR | O_NOCTTY);
    REQUIRE(terminal >= 0);
    ::dup2(terminal, STDIN_FILENO);
    ::close(terminal);
  }
  ~input_from_terminal() {
    ::dup2(saved_input_, STDIN_FILENO);
    ::close(saved_input_);
    ::close(master_);
  }
  input_from_terminal(const input_from_terminal&) = delete;
  input_from_terminal& operator=(const input_from_terminal&) = delete;

  /// Types a text after the prompt has disabled the echo; the prompt discards earlier input.
  void type_without_echo(std::string_view text) {
    waiting::wait_until([this] { return !has_echo(); }, "the prompt to disable the echo");
    CHECK(detail::os::write_all(master_, text));
  }
  [[nodiscard]] bool has_echo() const {
    termios mode{};
    ::tcgetattr(STDIN_FILENO, &mode);
    return (mode.c_lflag & ECHO) != 0;
  }
  /// The text that the terminal displays.
  [[nodiscard]] std::string displayed() const {
    char text[256];
    const auto count = ::read(master_, text, sizeof text);
    return count > 0 ? std::string(text, static_cast<std::size_t>(count)) : std::string();
  }

 private:
  int master_, saved_input_;
};

}  // namespace

TEST_CASE("a secret is read without echo, and the echo is restored afterwards") {
  input_from_terminal terminal;
  waiting::scoped_thread typist("the thread that types",
                                [&] { terminal.type_without_echo("Z\xC3\xBCrich 8001\n"); });
  const auto secret = waiting::call_within_deadline("the prompt", [] { return detail::os::read_secret(""); });
  typist.join();
  REQUIRE(secret);
  CHECK(*secret == "Z\xC3\xBCrich 8001");
  CHECK(terminal.displayed().find("8001") == std::string::npos);
  CHECK(terminal.has_echo());
}

TEST_CASE("Ctrl-C and Ctrl-D cancel the prompt and restore the echo") {
  for (const char* canceled_input : {"half\x03", "\x04"}) {
    input_from_terminal terminal;
    waiting::scoped_thread typist("the thread that types", [&] { terminal.type_without_echo(canceled_input); });
    const auto secret = waiting::call_within_deadline("the prompt", [] { return detail::os::read_secret(""); });
    typist.join();
    REQUIRE_FALSE(secret);
    CHECK(secret.error() == ECANCELED);
    CHECK(terminal.has_echo());
  }
}

TEST_CASE("each SIGINT, SIGTERM and SIGHUP calls on_interrupt on a separate thread") {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    CAPTURE(signal);
    counter calls;
    std::atomic<bool> on_other_thread{true};
    const auto test_thread = std::this_thread::get_id();
    const detail::os::interrupts guard([&](detail::os::interruption cause) {
      CHECK(cause == detail::os::interruption::stop_requested);
      if (std::this_thread::get_id() == test_thread) on_other_thread = false;
      calls.add();
    });

    ::raise(signal);
    CHECK(calls.reaches(1));
    ::raise(signal);

    CHECK(calls.reaches(2));
    CHECK(on_other_thread.load());
  }
}

TEST_CASE("the previous signal handlers are restored") {
  static std::atomic<int> handled{0};
  struct sigaction action = {}, previous[2] = {};
  action.sa_handler = [](int) { ++handled; };
  const int signals[] = {SIGINT, SIGTERM};
  for (int i = 0; i < 2; ++i) ::sigaction(signals[i], &action, &previous[i]);
  const scope_exit restore([&] {
    for (int i = 0; i < 2; ++i) ::sigaction(signals[i], &previous[i], nullptr);
  });

  counter calls;
  {
    const detail::os::interrupts guard([&calls](detail::os::interruption) { calls.add(); });
    ::raise(SIGTERM);
    CHECK(calls.reaches(1));
  }
  CHECK(handled.load() == 0);
  ::raise(SIGTERM);
  ::raise(SIGINT);

  CHECK(handled.load() == 2);
}

TEST_CASE("a signal that arrives just before the destructor is not lost") {
  for (int i = 0; i < 20; ++i) {
    counter calls;
    {
      const detail::os::interrupts guard([&calls](detail::os::interruption) { calls.add(); });
      ::raise(SIGINT);
    }
    CHECK(calls.reaches(1));
  }
}

TEST_CASE("the signal handler preserves errno") {
  counter calls;
  const detail::os::interrupts guard([&calls](detail::os::interruption) { calls.add(); });
  errno = 4711;
  ::raise(SIGINT);
  CHECK(errno == 4711);
  CHECK(calls.reaches(1));
}

#endif

#if !defined(_WIN32)
TEST_CASE("colors need a terminal that supports them, and NO_COLOR disables them") {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || ::grantpt(terminal) != 0 || ::unlockpt(terminal) != 0) return;  // a container without /dev/pts
  const char* const name = ::ptsname(terminal);
  const int other_end = name ? ::open(name, O_RDWR | O_NOCTTY) : -1;
  if (other_end < 0) return;
  const int saved_stderr = ::dup(STDERR_FILENO);
  const char* const term = std::getenv("TERM");
  const std::string saved_term = term ? term : "";
  const scope_exit restore([&] {
    ::dup2(saved_stderr, STDERR_FILENO);
    for (const int file : {saved_stderr, terminal, other_end}) ::close(file);
    ::unsetenv("NO_COLOR");
    if (term) ::setenv("TERM", saved_term.c_str(), 1);
    else ::unsetenv("TERM");
  });
  const auto has_colors = [](const char* no_color, const char* kind) {
    ::setenv("NO_COLOR", no_color, 1);
    ::setenv("TERM", kind, 1);
    return detail::os::stderr_colors().on();
  };

  ::dup2(other_end, STDERR_FILENO);
  CHECK(detail::os::is_stderr_terminal());
  CHECK(has_colors("", "xterm"));
  CHECK_FALSE(has_colors("1", "xterm"));
  CHECK_FALSE(has_colors("", "dumb"));
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  ::dup2(pipe[1], STDERR_FILENO);
  CHECK_FALSE(detail::os::is_stderr_terminal());
  CHECK_FALSE(has_colors("", "xterm"));
  ::close(pipe[0]);
  ::close(pipe[1]);
}
#endif
