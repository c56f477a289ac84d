// os/elevation.hpp on Windows.
//
// The pipe has a name that nobody can guess, one instance, of which ours is the first, and is open to this user and to
// administrators alone: the person who agrees may be another than the one who asked. The parent sends the length of the
// input in four bytes, low one first, then the input; all that comes back is output. The child's end is closed by its
// end, also by a crash, and the parent waits for both: it cannot be left hanging.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/quote.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/elevation.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/file.hpp"
#include "winsvc/os/win/system_library.hpp"
#include "winsvc/os/win/security.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

/// SHELLEXECUTEINFOW of shellapi.h.
struct shell_execute_info {
  DWORD size;
  ULONG mask;
  HWND window;
  const wchar_t* verb;
  const wchar_t* file;
  const wchar_t* parameters;
  const wchar_t* folder;
  int show;
  HINSTANCE instance;
  void* id_list;
  const wchar_t* class_name;
  HKEY class_key;
  DWORD hot_key;
  HANDLE icon_or_monitor;
  HANDLE process;
};
static_assert(sizeof(shell_execute_info) == (sizeof(void*) == 8 ? 112 : 60), "layout of SHELLEXECUTEINFOW");

/// `winsvc-` and 128 random bits.
[[nodiscard]] std::string random_pipe_name();
/// Is it one of those? Any other could lead the elevated child anywhere, to another machine for one.
[[nodiscard]] bool is_pipe_name(std::string_view name) noexcept;

/// The parent's end, and the child it belongs to.
class elevated_child {
 public:
  /// Asks the person and starts it; not yet connected.
  static sys_result<elevated_child> start(std::vector<std::string> arguments) {
    elevated_child out;
    const std::string name = random_pipe_name();
    if (const DWORD code = out.listen(name); code != 0) return sys_failure(code);
    arguments.insert(arguments.end(), {std::string(elevated_option), name});
    if (const DWORD code = out.launch(arguments); code != 0) return sys_failure(code);
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
    const bool result = finished(
        [&](OVERLAPPED* o) { return ::ReadFile(pipe_.get(), buffer_.data(), buffer_size, nullptr, o); });
    return {buffer_.data(), result ? transferred_ : 0};
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
    const auto me = current_user_sid();
    if (!me) return me.error();
    const auto descriptor = descriptor_of("D:P(A;;GRGW;;;" + *me + ")(A;;GRGW;;;BA)");
    if (!descriptor) return descriptor.error();
    SECURITY_ATTRIBUTES attributes{sizeof attributes, descriptor->get(), FALSE};
    pipe_ = unique_handle(::CreateNamedPipeW(to_wide("\\\\.\\pipe\\" + name).c_str(),
                                             PIPE_ACCESS_DUPLEX | FILE_FLAG_FIRST_PIPE_INSTANCE | FILE_FLAG_OVERLAPPED,
                                             PIPE_TYPE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1, buffer_size,
                                             buffer_size, 0, &attributes));
    event_ = unique_handle(::CreateEventW(nullptr, TRUE, FALSE, nullptr));
    return pipe_ && event_ ? 0 : ::GetLastError();
  }

  DWORD launch(const std::vector<std::string>& arguments) {
    using execute = BOOL(WINAPI*)(shell_execute_info*);
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

    const std::wstring program = to_wide(executable_path());
    std::string line;
    for (const auto& word : arguments) line += (line.empty() ? "" : " ") + quote_argument(word);
    const std::wstring parameters = to_wide(line);
    std::wstring folder(32'768, L'\0');  // without it the child would begin in System32, and relative paths lead there
    folder.resize(::GetCurrentDirectoryW(static_cast<DWORD>(folder.size()), folder.data()));

    constexpr ULONG returns_process = 0x40, waits_for_start = 0x100, without_dialogs = 0x400;  // SEE_MASK_
    shell_execute_info info{};
    info.size = sizeof info;
    info.mask = returns_process | waits_for_start | without_dialogs;
    info.window = ::GetConsoleWindow();  // or the question would only blink in the task bar
    info.verb = L"runas";
    info.file = program.c_str();
    info.parameters = parameters.c_str();
    info.folder = folder.c_str();
    info.show = SW_HIDE;
    if (!shell_execute(&info)) return ::GetLastError();
    process_ = unique_handle(info.process);
    return process_ ? 0 : ERROR_INVALID_HANDLE;
  }

  /// Begins an operation on the pipe and waits until it is done or the child gone.
  template <class Call>
  bool finished(Call begin) {
    OVERLAPPED operation{};
    operation.hEvent = event_.get();
    transferred_ = 0;
    if (!begin(&operation) && ::GetLastError() != ERROR_IO_PENDING) return false;
    const HANDLE either[] = {event_.get(), process_.get()};
    if (::WaitForMultipleObjects(2, either, FALSE, INFINITE) != WAIT_OBJECT_0) {
      // What it wrote is in the pipe all the same; what is not there by now will not come.
      ::WaitForSingleObject(event_.get(), 200);
    }
    ::CancelIoEx(pipe_.get(), &operation);  // nothing to cancel when it is done
    return ::GetOverlappedResult(pipe_.get(), &operation, &transferred_, TRUE) != 0;
  }

  unique_handle pipe_, event_, process_;
  DWORD transferred_ = 0;
  std::vector<char> buffer_ = std::vector<char>(buffer_size);
};

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

WINSVC_INLINE std::string random_pipe_name() {
  std::random_device random;  // the system's generator, with every compiler for Windows
  std::string name = "winsvc-";
  for (int i = 0; i < 4; ++i) {
    char digits[9];
    std::snprintf(digits, sizeof digits, "%08x", static_cast<unsigned>(random()));
    name += digits;
  }
  return name;
}
WINSVC_INLINE bool is_pipe_name(std::string_view name) noexcept {
  return name.size() == 39 && strings::starts_with(name, "winsvc-") &&
         name.find_first_not_of("0123456789abcdef", 7) == std::string_view::npos;
}

WINSVC_INLINE sys_result<std::uint32_t> run_elevated(std::vector<std::string> arguments, const std::string& input,
                                              const std::function<void(std::string_view)>& on_output) {
  if (input.size() > elevated_input_limit) return sys_failure(ERROR_INVALID_PARAMETER);
  auto child = elevated_child::start(std::move(arguments));
  if (!child) return sys_failure(child.error());

  std::string message;
  for (int shift = 0; shift < 32; shift += 8) message += static_cast<char>(input.size() >> shift & 0xFFu);
  if (child->connect() && child->write(message + input)) {
    std::string held;  // a character whose last bytes are still to come
    for (auto chunk = child->read(); !chunk.empty(); chunk = child->read()) {
      held.append(chunk);
      const std::size_t whole = complete_utf8_prefix(held);
      if (whole != 0) on_output(std::string_view(held).substr(0, whole));
      held.erase(0, whole);
    }
    if (!held.empty()) on_output(held);
  }
  return child->exit_code();
}

WINSVC_INLINE sys_result<std::string> connect_to_parent(const std::string& pipe) {
  if (!is_pipe_name(pipe)) return sys_failure(ERROR_INVALID_NAME);
  const HANDLE parent = ::CreateFileW(to_wide("\\\\.\\pipe\\" + pipe).c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr,
                                      OPEN_EXISTING, SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS, nullptr);
  if (parent == INVALID_HANDLE_VALUE) return sys_failure(::GetLastError());
  const auto read_exactly = [&](std::size_t size) -> sys_result<std::string> {
    std::string bytes(size, '\0');
    for (std::size_t position = 0; position < size;) {
      DWORD received = 0;
      if (!::ReadFile(parent, bytes.data() + position, static_cast<DWORD>(size - position), &received, nullptr))
        return sys_failure(::GetLastError());
      if (received == 0) return sys_failure(ERROR_BROKEN_PIPE);
      position += received;
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

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
