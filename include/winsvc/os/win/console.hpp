// Console input and output on Windows (os/console.hpp): WriteConsoleW, ReadConsoleW, SetConsoleCtrlHandler.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/console.hpp"
#include "winsvc/os/elevation.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

void write_stream(output_stream stream, std::string_view utf8) noexcept;
/// From now on, write_stream sends each text to this pipe, with its stream (os/elevation.hpp).
void write_to_parent(HANDLE pipe) noexcept;

/// Reads a line from a console, with its line end. Fails with ERROR_CANCELLED if the user pressed Ctrl-C. A line that
/// starts with Ctrl-Z (0x1A) is the end of the input.
[[nodiscard]] sys_result<std::string> read_console_line(HANDLE console);

struct interrupts::state {
  std::mutex mutex;
  std::condition_variable destroyed;
  std::function<void(interruption)> on_interrupt;
  bool is_active = false;

  static state& instance() noexcept {
    static state s;
    return s;
  }

  static BOOL WINAPI handler(DWORD event) noexcept {
    state& s = instance();
    std::unique_lock lock(s.mutex);
    if (!s.is_active) return FALSE;
    const bool closing = event == CTRL_CLOSE_EVENT || event == CTRL_LOGOFF_EVENT || event == CTRL_SHUTDOWN_EVENT;
    try {
      s.on_interrupt(closing ? interruption::console_closing : interruption::stop_requested);
    } catch (...) {  // out of memory: ignore this Ctrl-C, because the default handler would end the process
    }
    // The process ends when this handler returns from one of the closing events: wait for the graceful stop. Windows
    // ends the process after about 5 s for a closed console and 20 s for a shutdown.
    if (closing) {
      s.destroyed.wait(lock, [&s] { return !s.is_active; });
    }
    return TRUE;
  }
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// The pipe to the parent of an elevated process; nullptr in every other process.
WINSVC_INLINE std::atomic<HANDLE>& parent_pipe() noexcept {
  static std::atomic<HANDLE> pipe{nullptr};
  return pipe;
}
WINSVC_INLINE void write_to_parent(HANDLE pipe) noexcept { parent_pipe() = pipe; }

WINSVC_INLINE void write_bytes(HANDLE handle, std::string_view bytes) noexcept {
  DWORD written = 0;
  while (!bytes.empty() && ::WriteFile(handle, bytes.data(), static_cast<DWORD>(bytes.size()), &written, nullptr) &&
         written != 0) {
    bytes.remove_prefix(written);
  }
}

WINSVC_INLINE void write_stream(output_stream stream, std::string_view utf8) noexcept {
  try {  // out of memory: the text is lost
    if (const HANDLE pipe = parent_pipe()) {
      write_bytes(pipe, output_header(stream, utf8.size()).append(utf8));
      return;
    }
    const HANDLE handle = ::GetStdHandle(stream == output_stream::error ? STD_ERROR_HANDLE : STD_OUTPUT_HANDLE);
    if (!handle || handle == INVALID_HANDLE_VALUE) return;
    DWORD mode = 0;
    if (!::GetConsoleMode(handle, &mode)) {
      write_bytes(handle, utf8);
      return;
    }
    const std::wstring text = to_wide(utf8);
    std::wstring_view remaining = text;  // a console accepts at most 64 KiB per call, and may write less
    while (!remaining.empty()) {
      const auto chunk_size = static_cast<DWORD>((std::min)(remaining.size(), std::size_t{8192}));
      DWORD written = 0;
      if (!::WriteConsoleW(handle, remaining.data(), chunk_size, &written, nullptr) || written == 0) break;
      remaining.remove_prefix(written);
    }
  } catch (...) {
  }
}

WINSVC_INLINE void write_stdout(std::string_view utf8) noexcept { write_stream(output_stream::standard, utf8); }
WINSVC_INLINE void write_stderr(std::string_view utf8) noexcept { write_stream(output_stream::error, utf8); }

WINSVC_INLINE bool is_stdout_terminal() noexcept {
  DWORD mode = 0;
  return ::GetConsoleMode(::GetStdHandle(STD_OUTPUT_HANDLE), &mode) != 0;
}

WINSVC_INLINE bool is_stderr_writable() noexcept { return true; }
WINSVC_INLINE bool is_stderr_terminal() noexcept {
  DWORD mode = 0;
  return ::GetConsoleMode(::GetStdHandle(STD_ERROR_HANDLE), &mode) != 0;
}

WINSVC_INLINE stderr_colors::stderr_colors() noexcept {
  const HANDLE console = ::GetStdHandle(STD_ERROR_HANDLE);
  DWORD mode = 0;
  wchar_t no_color[2];
  if (!::GetConsoleMode(console, &mode) || ::GetEnvironmentVariableW(L"NO_COLOR", no_color, 2) != 0) return;
  constexpr DWORD ansi_mode = 0x0004;  // ENABLE_VIRTUAL_TERMINAL_PROCESSING, Windows 10 1511; older consoles reject it
  on_ = (mode & ansi_mode) != 0;
  if (on_ || !::SetConsoleMode(console, mode | ansi_mode)) return;
  on_ = true;
  restore_mode_ = [mode] { ::SetConsoleMode(::GetStdHandle(STD_ERROR_HANDLE), mode); };
}

WINSVC_INLINE bool has_standard_output() noexcept {
  const HANDLE handle = ::GetStdHandle(STD_OUTPUT_HANDLE);
  return ::GetConsoleWindow() != nullptr ||
         (handle && handle != INVALID_HANDLE_VALUE && ::GetFileType(handle) != FILE_TYPE_UNKNOWN);
}
WINSVC_INLINE sys_result<std::string> read_console_line(HANDLE console) {
  std::wstring line;
  for (wchar_t buffer[256];;) {
    DWORD received = 0;
    ::SetLastError(ERROR_SUCCESS);
    if (!::ReadConsoleW(console, buffer, 256, &received, nullptr)) return sys_failure(::GetLastError());
    // After Ctrl-C the call succeeds with 0 characters and this last error.
    if (received == 0 && ::GetLastError() == ERROR_OPERATION_ABORTED) return sys_failure(ERROR_CANCELLED);
    line.append(buffer, received);
    if (received == 0 || line.back() == L'\n' || line.front() == L'\x1A') return to_utf8(line);
  }
}

WINSVC_INLINE std::optional<std::string> read_input_line() {
  const HANDLE input = ::GetStdHandle(STD_INPUT_HANDLE);
  if (!input || input == INVALID_HANDLE_VALUE) return std::nullopt;
  std::string line;
  DWORD mode = 0, received = 0;
  if (::GetConsoleMode(input, &mode)) {
    auto typed = read_console_line(input);
    if (!typed || typed->empty() || typed->front() == '\x1A') return std::nullopt;
    line = std::move(*typed);
  } else {
    for (char byte = 0; byte != '\n' && ::ReadFile(input, &byte, 1, &received, nullptr) && received == 1;) line += byte;
    if (line.empty()) return std::nullopt;
  }
  if (line.back() == '\n') line.pop_back();
  return without_line_end(std::move(line));
}

WINSVC_INLINE sys_result<std::string> read_secret(std::string_view prompt) {
  const HANDLE input = ::GetStdHandle(STD_INPUT_HANDLE);
  DWORD saved_mode = 0;
  if (!::GetConsoleMode(input, &saved_mode)) return sys_failure(::GetLastError());
  ::FlushConsoleInputBuffer(input);  // discard keys that were pressed before the prompt
  if (!::SetConsoleMode(input, ENABLE_LINE_INPUT | ENABLE_PROCESSED_INPUT)) return sys_failure(::GetLastError());
  const scope_exit restore([&] {
    ::SetConsoleMode(input, saved_mode);
    write_stderr("\r\n");  // the console did not echo Enter
  });
  write_stderr(prompt);
  auto typed = read_console_line(input);
  if (!typed) return typed;
  if (typed->empty() || typed->front() == '\x1A') return sys_failure(ERROR_CANCELLED);
  while (!typed->empty() && (typed->back() == '\n' || typed->back() == '\r')) typed->pop_back();
  return typed;
}

WINSVC_INLINE interrupts::interrupts(std::function<void(interruption)> on_interrupt) : state_(&state::instance()) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->on_interrupt = std::move(on_interrupt);
    state_->is_active = true;
  }
  ::SetConsoleCtrlHandler(nullptr, FALSE);  // the process may have inherited "ignore Ctrl-C" from its parent
  ::SetConsoleCtrlHandler(&state::handler, TRUE);
}

WINSVC_INLINE interrupts::~interrupts() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_active = false;
    state_->on_interrupt = nullptr;
  }
  state_->destroyed.notify_all();
  ::SetConsoleCtrlHandler(&state::handler, FALSE);
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
