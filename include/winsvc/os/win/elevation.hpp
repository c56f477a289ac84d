// Elevation on Windows (os/elevation.hpp): starts the program again with administrator rights, and passes its input and
// output through a named pipe.
//
// The pipe has a random name and one instance, which must be the first of that name. Only this user and administrators
// may open it: the administrator who gives consent can be another user. The parent sends the length of the input (4
// bytes, little-endian), then the input. The child sends the texts that it writes, each with its stream
// (output_decoder). The end of the child closes the pipe, also after a crash; the parent waits for the pipe and for the
// process, so it cannot block forever.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/quote.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/base/token.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/elevation.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/console.hpp"
#include "winsvc/os/win/file.hpp"
#include "winsvc/os/win/system_library.hpp"
#include "winsvc/os/win/security.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

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

/// `winsvc-` and 128 random bits as hexadecimal digits.
[[nodiscard]] std::string random_pipe_name();
/// True if `name` has the form of random_pipe_name. The elevated child rejects other names, because they could lead to
/// any pipe, for example on another computer.
[[nodiscard]] bool is_pipe_name(std::string_view name) noexcept;

/// The elevated child process and the parent's end of the pipe.
class elevated_child {
 public:
  /// Requests consent from the user (UAC) and starts the child; call `connect` next.
  static sys_result<elevated_child> start(std::vector<std::string> arguments) {
    elevated_child out;
    const std::string name = random_pipe_name();
    if (const DWORD code = out.listen(name); code != 0) return sys_failure(code);
    arguments.insert(arguments.end(), {std::string(elevated_option), name});
    if (const DWORD code = out.launch(arguments); code != 0) return sys_failure(code);
    return out;
  }

  /// Waits for the connection. Returns false if the client of the pipe is not the child process.
  bool connect() {
    if (!run_overlapped([&](OVERLAPPED* o) { return ::ConnectNamedPipe(pipe_.get(), o); }) &&
        ::GetLastError() != ERROR_PIPE_CONNECTED) {
      return false;
    }
    ULONG client = 0;
    return ::GetNamedPipeClientProcessId(pipe_.get(), &client) && client == ::GetProcessId(process_.get());
  }
  bool write(const std::string& bytes) {
    return run_overlapped([&](OVERLAPPED* o) {
      return ::WriteFile(pipe_.get(), bytes.data(), static_cast<DWORD>(bytes.size()), nullptr, o);
    });
  }
  /// Returns the next bytes; empty at the end of the output.
  std::string_view read() {
    const bool result = run_overlapped(
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
    const auto sid = current_user_sid();
    if (!sid) return sid.error();
    const auto descriptor = descriptor_of("D:P(A;;GRGW;;;" + *sid + ")(A;;GRGW;;;BA)");
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
    constexpr DWORD apartment = 0x2, no_ole1 = 0x4;  // COINIT_...: ShellExecuteExW may call shell extensions
    const bool is_com_initialized = SUCCEEDED(begin_com(nullptr, apartment | no_ole1));
    const scope_exit end([&] {
      if (is_com_initialized) end_com();
    });

    const std::wstring program = to_wide(executable_path());
    std::string command_line;
    for (const auto& argument : arguments)
      command_line += (command_line.empty() ? "" : " ") + base::quote_argument(argument);
    const std::wstring parameters = to_wide(command_line);
    std::wstring folder(32'768, L'\0');  // without a folder the child starts in System32, and relative paths fail
    folder.resize(::GetCurrentDirectoryW(static_cast<DWORD>(folder.size()), folder.data()));

    constexpr ULONG returns_process = 0x40, waits_for_start = 0x100, without_dialogs = 0x400;  // SEE_MASK_
    shell_execute_info info{};
    info.size = sizeof info;
    info.mask = returns_process | waits_for_start | without_dialogs;
    info.window = ::GetConsoleWindow();  // without it, the consent prompt only flashes in the taskbar
    info.verb = L"runas";
    info.file = program.c_str();
    info.parameters = parameters.c_str();
    info.folder = folder.c_str();
    info.show = SW_HIDE;
    if (!shell_execute(&info)) return ::GetLastError();
    process_ = unique_handle(info.process);
    return process_ ? 0 : ERROR_INVALID_HANDLE;
  }

  /// Starts an operation on the pipe and waits until it completes or the child has ended.
  template <class Operation>
  bool run_overlapped(Operation begin) {
    OVERLAPPED operation{};
    operation.hEvent = event_.get();
    transferred_ = 0;
    if (!begin(&operation) && ::GetLastError() != ERROR_IO_PENDING) return false;
    const HANDLE handles[] = {event_.get(), process_.get()};
    if (::WaitForMultipleObjects(2, handles, FALSE, INFINITE) != WAIT_OBJECT_0) {
      // The child has ended; its last output may still be in the pipe.
      ::WaitForSingleObject(event_.get(), 200);
    }
    ::CancelIoEx(pipe_.get(), &operation);  // no effect if the operation is complete
    return ::GetOverlappedResult(pipe_.get(), &operation, &transferred_, TRUE) != 0;
  }

  unique_handle pipe_, event_, process_;
  DWORD transferred_ = 0;
  std::vector<char> buffer_ = std::vector<char>(buffer_size);
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::string random_pipe_name() {
  return "winsvc-" + base::random_hex(32);
}
WINSVC_INLINE bool is_pipe_name(std::string_view name) noexcept {
  return name.size() == 39 && base::starts_with(name, "winsvc-") &&
         name.find_first_not_of("0123456789abcdef", 7) == std::string_view::npos;
}

WINSVC_INLINE sys_result<std::uint32_t> run_elevated(std::vector<std::string> arguments, const std::string& input,
                                                     const output_receiver& on_output) {
  if (input.size() > elevated_input_limit) return sys_failure(ERROR_INVALID_PARAMETER);
  auto child = elevated_child::start(std::move(arguments));
  if (!child) return sys_failure(child.error());

  const std::string length = output_header(output_stream::standard, input.size()).substr(1);
  if (child->connect() && child->write(length + input)) {
    output_decoder decoder(on_output);
    for (auto chunk = child->read(); !chunk.empty(); chunk = child->read()) decoder.add(chunk);
    decoder.finish();
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
  if (!length) return failure{length.error()};
  const std::size_t size = decode_length(*length);
  if (size > elevated_input_limit) return sys_failure(ERROR_INVALID_DATA);
  auto input = read_exactly(size);
  if (!input) return input;

  write_to_parent(parent);  // never closed here: the end of this process closes it
  return input;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
