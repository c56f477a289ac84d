// Printing, and being interrupted.
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

namespace {

/// Counts, and lets a test wait for a count.
class counter {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  [[nodiscard]] bool reaches(int n) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, waiting::limit(), [&] { return count_ >= n; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

/// Standard input, for as long as it lives.
class input_from_pipe {
 public:
  explicit input_from_pipe(std::string_view content) {
#if defined(_WIN32)
    HANDLE read = nullptr, write = nullptr;
    REQUIRE(::CreatePipe(&read, &write, nullptr, 65536));
    CHECK(os::write_all(write, content));
    ::CloseHandle(write);
    before_ = ::GetStdHandle(STD_INPUT_HANDLE);
    pipe_ = os::unique_handle(read);
    ::SetStdHandle(STD_INPUT_HANDLE, read);
  }
  ~input_from_pipe() { ::SetStdHandle(STD_INPUT_HANDLE, before_); }

 private:
  HANDLE before_;
  os::unique_handle pipe_;
#else
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    CHECK(os::write_all(ends[1], content));
    ::close(ends[1]);
    before_ = ::dup(STDIN_FILENO);
    ::dup2(ends[0], STDIN_FILENO);
    ::close(ends[0]);
  }
  ~input_from_pipe() {
    ::dup2(before_, STDIN_FILENO);
    ::close(before_);
  }

 private:
  int before_;
#endif
};

}  // namespace

TEST_CASE("printing nothing is no harm, and a program that prints knows it has somebody to print to") {
  os::write_stdout("");
  os::write_stderr("");
  CHECK(os::has_standard_output());
  if (os::is_stdout_terminal()) CHECK(os::has_standard_output());
}

TEST_CASE("a line is what stands before its end, without the mark that PowerShell puts before the first") {
  CHECK(os::without_line_end("secret") == "secret");
  CHECK(os::without_line_end("secret\r") == "secret");
  CHECK(os::without_line_end("\xEF\xBB\xBFsecret\r") == "secret");
  CHECK(os::without_line_end("").empty());
  CHECK(os::without_line_end("\r").empty());
  CHECK(os::without_line_end(" a\r\r") == " a\r");
}

TEST_CASE("lines are read from standard input one by one, and no byte beyond them") {
  input_from_pipe input("first\r\n\nZ\xC3\xBCrich\nlast without an end");
  CHECK(os::read_input_line() == "first");
  CHECK(os::read_input_line() == "");
  CHECK(os::read_input_line() == "Z\xC3\xBCrich");
  CHECK(os::read_input_line() == "last without an end");
  CHECK_FALSE(os::read_input_line());
}

TEST_CASE("a secret is not read from what is no terminal") {
  input_from_pipe input("secret\n");
  const auto secret = os::read_secret("password: ");
  REQUIRE_FALSE(secret);
  CHECK(secret.error() != 0);
  CHECK(os::read_input_line() == "secret");
}

TEST_CASE("a guard against interrupts comes and goes, any number of times") {
  counter calls;
  for (int i = 0; i < 5; ++i) {
    const os::interrupts guard([&calls](os::interruption) { calls.add(); });
  }
}

#if !defined(_WIN32)

namespace {

/// A terminal with a person before it who types what the test says; standard input for as long as it lives.
class input_from_terminal {
 public:
  input_from_terminal() : person_(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK)), before_(::dup(STDIN_FILENO)) {
    REQUIRE(person_ >= 0);
    REQUIRE(::grantpt(person_) == 0);
    REQUIRE(::unlockpt(person_) == 0);
    const int terminal = ::open(::ptsname(person_), O_RDWR | O_NOCTTY);
    REQUIRE(terminal >= 0);
    ::dup2(terminal, STDIN_FILENO);
    ::close(terminal);
  }
  ~input_from_terminal() {
    ::dup2(before_, STDIN_FILENO);
    ::close(before_);
    ::close(person_);
  }
  input_from_terminal(const input_from_terminal&) = delete;
  input_from_terminal& operator=(const input_from_terminal&) = delete;

  /// Once the terminal no longer shows what is typed; what was typed before is thrown away.
  void type_unseen(std::string_view text) {
    waiting::wait_until([this] { return !shows(); }, "the prompt to hide the input");
    CHECK(os::write_all(person_, text));
  }
  [[nodiscard]] bool shows() const {
    termios now{};
    ::tcgetattr(STDIN_FILENO, &now);
    return (now.c_lflag & ECHO) != 0;
  }
  /// What the person sees.
  [[nodiscard]] std::string seen() const {
    char text[256];
    const auto n = ::read(person_, text, sizeof text);
    return n > 0 ? std::string(text, static_cast<std::size_t>(n)) : std::string();
  }

 private:
  int person_, before_;
};

}  // namespace

TEST_CASE("a secret is typed into a terminal that does not show it, and shows what comes after it") {
  input_from_terminal terminal;
  waiting::scoped_thread person("the thread that types", [&] { terminal.type_unseen("Z\xC3\xBCrich 8001\n"); });
  const auto secret = waiting::call_within_deadline("the prompt", [] { return os::read_secret(""); });
  person.join();
  REQUIRE(secret);
  CHECK(*secret == "Z\xC3\xBCrich 8001");
  CHECK(terminal.seen().find("8001") == std::string::npos);
  CHECK(terminal.shows());
}

TEST_CASE("who gives up at the prompt with Ctrl-C or Ctrl-D gets a terminal back that shows") {
  for (const char* given_up : {"half\x03", "\x04"}) {
    input_from_terminal terminal;
    waiting::scoped_thread person("the thread that types", [&] { terminal.type_unseen(given_up); });
    const auto secret = waiting::call_within_deadline("the prompt", [] { return os::read_secret(""); });
    person.join();
    REQUIRE_FALSE(secret);
    CHECK(secret.error() == ECANCELED);
    CHECK(terminal.shows());
  }
}

TEST_CASE("Ctrl-C, a terminate and a hang-up are calls from a thread of its own, as often as they come") {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    CAPTURE(signal);
    counter calls;
    std::atomic<bool> elsewhere{true};
    const auto here = std::this_thread::get_id();
    const os::interrupts guard([&](os::interruption why) {
      CHECK(why == os::interruption::stop_requested);
      if (std::this_thread::get_id() == here) elsewhere = false;
      calls.add();
    });

    ::raise(signal);
    CHECK(calls.reaches(1));
    ::raise(signal);

    CHECK(calls.reaches(2));
    CHECK(elsewhere.load());
  }
}

TEST_CASE("what handled the signals before handles them afterwards") {
  static std::atomic<int> seen{0};
  struct sigaction own = {}, before[2] = {};
  own.sa_handler = [](int) { ++seen; };
  const int signals[] = {SIGINT, SIGTERM};
  for (int i = 0; i < 2; ++i) ::sigaction(signals[i], &own, &before[i]);
  const scope_exit restore([&] {
    for (int i = 0; i < 2; ++i) ::sigaction(signals[i], &before[i], nullptr);
  });

  counter calls;
  {
    const os::interrupts guard([&calls](os::interruption) { calls.add(); });
    ::raise(SIGTERM);
    CHECK(calls.reaches(1));
  }
  CHECK(seen.load() == 0);
  ::raise(SIGTERM);
  ::raise(SIGINT);

  CHECK(seen.load() == 2);
}

TEST_CASE("a signal that came just before the end is not lost") {
  for (int i = 0; i < 20; ++i) {
    counter calls;
    {
      const os::interrupts guard([&calls](os::interruption) { calls.add(); });
      ::raise(SIGINT);
    }
    CHECK(calls.reaches(1));
  }
}

TEST_CASE("a handler does not disturb the errno of the code it interrupts") {
  counter calls;
  const os::interrupts guard([&calls](os::interruption) { calls.add(); });
  errno = 4711;
  ::raise(SIGINT);
  CHECK(errno == 4711);
  CHECK(calls.reaches(1));
}

#endif

#if !defined(_WIN32)
TEST_CASE("colours are for a terminal, and not for a person who does not want them") {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || ::grantpt(terminal) != 0 || ::unlockpt(terminal) != 0) return;  // a container without /dev/pts
  const char* const name = ::ptsname(terminal);
  const int other_end = name ? ::open(name, O_RDWR | O_NOCTTY) : -1;
  if (other_end < 0) return;
  const int before = ::dup(STDERR_FILENO);
  const char* const kind = std::getenv("TERM");
  const std::string kept = kind ? kind : "";
  const scope_exit restore([&] {
    ::dup2(before, STDERR_FILENO);
    for (const int file : {before, terminal, other_end}) ::close(file);
    ::unsetenv("NO_COLOR");
    if (kind) ::setenv("TERM", kept.c_str(), 1);
    else ::unsetenv("TERM");
  });
  const auto coloured = [](const char* unwanted, const char* term) {
    ::setenv("NO_COLOR", unwanted, 1);
    ::setenv("TERM", term, 1);
    return os::stderr_colors().on();
  };

  ::dup2(other_end, STDERR_FILENO);
  CHECK(os::is_stderr_terminal());
  CHECK(coloured("", "xterm"));
  CHECK_FALSE(coloured("1", "xterm"));
  CHECK_FALSE(coloured("", "dumb"));
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  ::dup2(pipe[1], STDERR_FILENO);
  CHECK_FALSE(os::is_stderr_terminal());
  CHECK_FALSE(coloured("", "xterm"));
  ::close(pipe[0]);
  ::close(pipe[1]);
}
#endif
