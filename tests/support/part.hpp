// Runs this test program again as a child process that executes one named part instead of the tests.
//
//   const part hello("hello", [] { os::write_stdout("hello"); return 7; });   // at namespace scope
//   CHECK(run_part("hello") == 7);                                                // in a test
#pragma once

#include "winsvc/base/quote.hpp"
#include "winsvc/os/native.hpp"

#include "wait.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>
#if !defined(_WIN32)
  #include <signal.h>
  #include <sys/resource.h>
  #include <sys/wait.h>
#endif

/// The command-line arguments of this process.
inline std::vector<std::string> program_arguments() {
#if defined(_WIN32)
  return winsvc::detail::os::arguments(0, nullptr);
#else
  const std::string text = winsvc::detail::os::read_file("/proc/self/cmdline").value_or("");
  std::vector<std::string> arguments;
  for (std::size_t position = 0; position < text.size(); position = text.find('\0', position) + 1)
    arguments.emplace_back(text.c_str() + position);
  if (!arguments.empty()) arguments.erase(arguments.begin());
  return arguments;
#endif
}

/// A namespace-scope variable that runs `run` before main if the arguments are `--part NAME`. The process then ends
/// with the exit code that `run` returns.
struct part {
  part(const char* name, int (*run)()) {
    const std::vector<std::string> arguments = program_arguments();
    if (arguments.size() < 2 || arguments[0] != "--part" || arguments[1] != name) return;
    const int code = run();
    std::fflush(nullptr);
    std::_Exit(code);
  }
};

#if !defined(_WIN32)
/// Starts a part in a child process and returns the process id; -1: no process could be created. The child executes this
/// program again, because after a fork alone it may not use what another thread of this process had locked.
inline pid_t start_part(const std::string& name, const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"--part", name};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const std::string program = winsvc::detail::os::executable_path();
  std::vector<char*> pointers = {const_cast<char*>(program.c_str())};
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::execv(program.c_str(), pointers.data());
    std::_Exit(127);
  }
  return child;
}
#endif

/// Runs a part in a child process, waits for its end and returns its exit code. On POSIX, if a signal ended the
/// process, returns 128 + the signal. `more`: further arguments.
inline std::uint32_t run_part(const std::string& name, const std::vector<std::string>& more = {}) {
#if defined(_WIN32)
  std::vector<std::string> arguments = {"--part", name};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const std::string program = winsvc::detail::os::executable_path();
  std::wstring command_line = winsvc::detail::os::to_wide(winsvc::detail::base::command_line(program, arguments));
  STARTUPINFOW startup{};
  startup.cb = sizeof startup;
  PROCESS_INFORMATION info{};
  if (!::CreateProcessW(nullptr, command_line.data(), nullptr, nullptr, FALSE, 0, nullptr, nullptr, &startup, &info))
    return 0xBAD;
  const winsvc::detail::os::unique_handle process(info.hProcess), thread(info.hThread);
  DWORD code = 0xBAD;
  const auto limit = static_cast<DWORD>(2 * waiting::limit().count());
  if (::WaitForSingleObject(process.get(), limit) == WAIT_OBJECT_0) ::GetExitCodeProcess(process.get(), &code);
  return code;
#else
  const pid_t child = start_part(name, more);
  int status = 0;
  if (child < 0) return 0xBAD;
  pid_t ended = 0;
  const auto deadline = waiting::steady::now() + 2 * waiting::limit();
  while (ended == 0 && waiting::steady::now() < deadline) {
    ended = ::waitpid(child, &status, WNOHANG);
    if (ended == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (ended == 0) {
    ::kill(child, SIGKILL);
    ended = ::waitpid(child, &status, 0);
    FAIL_CHECK("part '" << name << "': the process did not end within the limit and was killed");
  }
  if (ended != child) return 0xBAD;
  return static_cast<std::uint32_t>(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
#endif
}
