// Simulates the service manager for one installed service. A test can send controls that Wine does not send, and read
// the return value of the handler, which Wine does not report:
//
//   control_pipe.exe NAME LIMIT        LIMIT: seconds after which the process and this program end
//
// It creates the next control pipe like Wine's services.exe, starts the installed command line, and then executes the
// lines of the standard input. Each line has one line of output:
//
//   0 WORD...               start, with these start arguments (UTF-8)      its result
//   CONTROL                 any control, as a number                       the return value of the handler
//   CONTROL HEX             with these bytes of event data                 the return value of the handler
//   (end of the input)      wait for the process to end                    exit CODE
//
// or `broken CODE` with the error code of Windows if the service does not receive the line or does not respond.
//
// The states of the service go to the real services.exe, which accepts them: `status` shows the state, though with
// pid 0, and the trace contains them. But services.exe has no process to control: the verb `stop` fails with 1061.
//
// The messages of Wine's pipe have no field for an event type (SESSIONCHANGE's "logon", POWEREVENT's "suspend"): the
// handler receives 0. The test program takes the type from the first four bytes of the data instead (event_type.cpp);
// the event data follows them. Example, a logon in session 3:
//
//   14 05000000 0800000003000000        type WTS_SESSION_LOGON; WTSSESSION_NOTIFICATION is its size and the session
//
// Blanks between the bytes are allowed. This works only on Wine: the pipe of Windows has another name and protocol.
#include <windows.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

namespace {

constexpr DWORD magic = 0x57494e45;

[[noreturn]] void fail(const char* operation, DWORD code) {
  std::printf("cannot %s (%lu)\n", operation, code);
  std::fflush(stdout);
  ::ExitProcess(1);
}

void print_number(const char* prefix, DWORD number) {
  std::printf("%s%lu\n", prefix, number);
  std::fflush(stdout);
}

std::wstring wide(const std::string& text) {
  std::wstring result(text.size(), L'\0');
  const int length = ::MultiByteToWideChar(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), &result[0],
                                           static_cast<int>(result.size()));
  result.resize(static_cast<std::size_t>(length));
  return result;
}

std::wstring installed_command_line(const wchar_t* name) {
  const SC_HANDLE manager = ::OpenSCManagerW(nullptr, nullptr, SC_MANAGER_CONNECT);
  const SC_HANDLE service = ::OpenServiceW(manager, name, SERVICE_QUERY_CONFIG);
  if (!service) fail("open the service", ::GetLastError());
  alignas(QUERY_SERVICE_CONFIGW) static BYTE buffer[8192];
  auto* config = reinterpret_cast<QUERY_SERVICE_CONFIGW*>(buffer);
  DWORD needed = 0;
  if (!::QueryServiceConfigW(service, config, sizeof buffer, &needed)) fail("read the service", ::GetLastError());
  ::CloseServiceHandle(service);
  ::CloseServiceHandle(manager);
  return config->lpBinaryPathName;
}

/// Creates the pipe to which the next process connects that calls StartServiceCtrlDispatcher.
HANDLE next_pipe() {
  HKEY key = nullptr;
  DWORD number = 0, size = sizeof number;
  if (const LSTATUS error = ::RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"SYSTEM\\CurrentControlSet\\Control\\ServiceCurrent",
                                            0, KEY_QUERY_VALUE | KEY_SET_VALUE, &key)) {
    fail("open the pipe's number", static_cast<DWORD>(error));
  }
  ::RegQueryValueExW(key, nullptr, nullptr, nullptr, reinterpret_cast<BYTE*>(&number), &size);
  ++number;
  ::RegSetValueExW(key, nullptr, 0, REG_DWORD, reinterpret_cast<const BYTE*>(&number), sizeof number);
  ::RegCloseKey(key);

  const std::wstring name = L"\\\\.\\pipe\\net\\NtControlPipe" + std::to_wstring(number);
  const HANDLE pipe = ::CreateNamedPipeW(name.c_str(), PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED,
                                         PIPE_TYPE_BYTE | PIPE_WAIT, 1, 4096, 4096, 10000, nullptr);
  if (pipe == INVALID_HANDLE_VALUE) fail("create the pipe", ::GetLastError());
  return pipe;
}

/// Starts a process like the service manager: without a console and without standard handles.
HANDLE start(std::wstring command_line) {
  STARTUPINFOW startup{};
  startup.cb = sizeof startup;
  PROCESS_INFORMATION created{};
  if (!::CreateProcessW(nullptr, &command_line[0], nullptr, nullptr, FALSE, DETACHED_PROCESS, nullptr, L"C:\\windows",
                        &startup, &created)) {
    fail("start the process", ::GetLastError());
  }
  ::CloseHandle(created.hThread);
  return created.hProcess;
}

struct time_limit {
  HANDLE process;
  DWORD milliseconds;
  std::atomic<bool> expired = false;
};

DWORD WINAPI end_process_at_limit(void* user_data) {
  time_limit& limit = *static_cast<time_limit*>(user_data);
  ::Sleep(limit.milliseconds);
  limit.expired = true;
  ::TerminateProcess(limit.process, 1460);
  ::WaitForSingleObject(limit.process, 2000);
  fail("wait any longer", ERROR_TIMEOUT);
}

class pipe_connection {
 public:
  pipe_connection(HANDLE pipe, HANDLE process) : pipe_(pipe), process_(process) {
    io_.hEvent = ::CreateEventW(nullptr, TRUE, FALSE, nullptr);
  }

  bool connect() { return finished(::ConnectNamedPipe(pipe_, &io_)); }

  bool send(const std::wstring& name, DWORD control, const std::string& data, DWORD& response) {
    const auto bytes = static_cast<DWORD>((name.size() + 1) * sizeof(wchar_t));
    const DWORD head[] = {magic, static_cast<DWORD>(sizeof(DWORD) * 4 + bytes + data.size()),
                          static_cast<DWORD>(name.size() + 1), control};
    std::string message(reinterpret_cast<const char*>(head), sizeof head);
    message.append(reinterpret_cast<const char*>(name.c_str()), bytes);
    message += data;
    return finished(::WriteFile(pipe_, message.data(), static_cast<DWORD>(message.size()), nullptr, &io_)) &&
           finished(::ReadFile(pipe_, &response, sizeof response, nullptr, &io_)) && count_ == sizeof response;
  }

  [[nodiscard]] DWORD reason() const { return reason_; }

 private:
  bool finished(BOOL succeeded) {
    reason_ = succeeded ? ERROR_SUCCESS : ::GetLastError();
    if (reason_ == ERROR_PIPE_CONNECTED) return true;
    if (reason_ == ERROR_IO_PENDING) {
      // A process that ends before it connects does not break the pipe.
      const HANDLE handles[] = {io_.hEvent, process_};
      if (::WaitForMultipleObjects(2, handles, FALSE, INFINITE) != WAIT_OBJECT_0) {
        reason_ = ERROR_PROCESS_ABORTED;
        return false;
      }
    } else if (reason_ != ERROR_SUCCESS) {
      return false;
    }
    reason_ = ::GetOverlappedResult(pipe_, &io_, &count_, FALSE) ? ERROR_SUCCESS : ::GetLastError();
    return reason_ == ERROR_SUCCESS;
  }

  HANDLE pipe_, process_;
  OVERLAPPED io_{};
  DWORD count_ = 0, reason_ = 0;
};

std::vector<std::string> split_words(const std::string& line) {
  std::vector<std::string> words(1);
  for (const char c : line) {
    if (c == '\r') continue;
    if (c == ' ') words.emplace_back();
    else words.back() += c;
  }
  return words;
}

/// Data of a message after the name: start arguments, each and the list terminated by NUL, or bytes.
std::string data_of(DWORD control, const std::wstring& name, const std::vector<std::string>& words) {
  std::string data;
  if (control == 0) {
    std::wstring text = name + L'\0';
    for (std::size_t i = 1; i < words.size(); ++i) text += wide(words[i]) + L'\0';
    text += L'\0';
    data.assign(reinterpret_cast<const char*>(text.data()), text.size() * sizeof(wchar_t));
    return data;
  }
  std::string digits;
  for (std::size_t i = 1; i < words.size(); ++i) digits += words[i];
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    data += static_cast<char>(std::strtoul(digits.substr(i, 2).c_str(), nullptr, 16));
  return data;
}

}  // namespace

int wmain(int count, wchar_t** arguments) {
  if (count != 3) fail("run without a name and a limit", ERROR_INVALID_PARAMETER);
  const std::wstring name = arguments[1];

  const HANDLE pipe = next_pipe();
  const HANDLE process = start(installed_command_line(arguments[1]));
  time_limit limit{process, static_cast<DWORD>(std::wcstoul(arguments[2], nullptr, 10)) * 1000};
  ::CloseHandle(::CreateThread(nullptr, 0, &end_process_at_limit, &limit, 0, nullptr));

  pipe_connection connection(pipe, process);
  if (!connection.connect()) fail("connect", connection.reason());
  for (std::string line; std::getline(std::cin, line);) {
    const auto words = split_words(line);
    const auto control = static_cast<DWORD>(std::strtoul(words[0].c_str(), nullptr, 10));
    DWORD response = 0;
    if (connection.send(name, control, data_of(control, name, words), response)) print_number("", response);
    else print_number("broken ", connection.reason());
  }

  ::WaitForSingleObject(process, INFINITE);  // end_process_at_limit ends a process that hangs
  if (limit.expired) ::Sleep(INFINITE);       // it prints the error
  DWORD code = 0;
  ::GetExitCodeProcess(process, &code);
  print_number("exit ", code);
  return 0;
}
