// Plays the service manager to one installed service, so that a test can send what Wine's own never sends, and read
// what the service's handler returned, which Wine's own tells nobody:
//
//   control_pipe.exe NAME LIMIT        LIMIT: after so many seconds everything is ended, come what may
//
// It takes the next control pipe as Wine's services.exe does, starts the installed command line, and then obeys what
// comes on the standard input, a line at a time, with one line of answer each:
//
//   0 WORD…                 start, with these start arguments (UTF-8)      its result
//   CONTROL                 any control, as a number                       what the handler returned
//   CONTROL HEX             with these bytes of event data                 what the handler returned
//   (the end of the input)  wait for the process to end                    exit CODE
//
// or `broken CODE` when the service is not there to hear or answer, CODE being Windows' reason.
//
// The statuses of the service go to the real services.exe, which believes them: `status` shows the state, though with
// pid 0, and the machine's trace has them. But it has no process to control: the verb `stop` fails with 1061.
//
// Wine has no place for an event type (SESSIONCHANGE's "logon", POWEREVENT's "suspend") in what it writes to the pipe:
// the handler gets 0. The test program takes it from the first four bytes of the data instead (event_type.cpp), and
// then what follows is the data proper. As an example, a log-on in session 3:
//
//   14 05000000 0800000003000000        type WTS_SESSION_LOGON; WTSSESSION_NOTIFICATION is its own size and the session
//
// Blanks between the bytes are for the reader. It is for Wine alone: Windows' pipe has another name and language.
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

void say(const char* word, DWORD number) {
  std::printf("%s%lu\n", word, number);
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

/// The pipe that the next process to call StartServiceCtrlDispatcher connects to.
HANDLE next_pipe() {
  HKEY key = nullptr;
  DWORD number = 0, size = sizeof number;
  if (const LSTATUS refused = ::RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"SYSTEM\\CurrentControlSet\\Control\\ServiceCurrent",
                                              0, KEY_QUERY_VALUE | KEY_SET_VALUE, &key)) {
    fail("open the pipe's number", static_cast<DWORD>(refused));
  }
  ::RegQueryValueExW(key, nullptr, nullptr, nullptr, reinterpret_cast<BYTE*>(&number), &size);
  ++number;
  ::RegSetValueExW(key, nullptr, 0, REG_DWORD, reinterpret_cast<const BYTE*>(&number), sizeof number);
  ::RegCloseKey(key);

  const std::wstring name = L"\\\\.\\pipe\\net\\NtControlPipe" + std::to_wstring(number);
  const HANDLE pipe = ::CreateNamedPipeW(name.c_str(), PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED,
                                         PIPE_TYPE_BYTE | PIPE_WAIT, 1, 4096, 4096, 10000, nullptr);
  if (pipe == INVALID_HANDLE_VALUE) fail("make the pipe", ::GetLastError());
  return pipe;
}

/// As the service manager starts it: of nobody's console, without standard handles.
HANDLE start(std::wstring command_line) {
  STARTUPINFOW how{};
  how.cb = sizeof how;
  PROCESS_INFORMATION made{};
  if (!::CreateProcessW(nullptr, &command_line[0], nullptr, nullptr, FALSE, DETACHED_PROCESS, nullptr, L"C:\\windows",
                        &how, &made)) {
    fail("start the process", ::GetLastError());
  }
  ::CloseHandle(made.hThread);
  return made.hProcess;
}

struct ending {
  HANDLE process;
  DWORD milliseconds;
  std::atomic<bool> come = false;
};

DWORD WINAPI end_in_time(void* user_data) {
  ending& e = *static_cast<ending*>(user_data);
  ::Sleep(e.milliseconds);
  e.come = true;
  ::TerminateProcess(e.process, 1460);
  ::WaitForSingleObject(e.process, 2000);
  fail("wait any longer", ERROR_TIMEOUT);
}

class conversation {
 public:
  conversation(HANDLE pipe, HANDLE process) : pipe_(pipe), process_(process) {
    io_.hEvent = ::CreateEventW(nullptr, TRUE, FALSE, nullptr);
  }

  bool connect() { return finished(::ConnectNamedPipe(pipe_, &io_)); }

  bool send(const std::wstring& name, DWORD control, const std::string& data, DWORD& answer) {
    const auto bytes = static_cast<DWORD>((name.size() + 1) * sizeof(wchar_t));
    const DWORD head[] = {magic, static_cast<DWORD>(sizeof(DWORD) * 4 + bytes + data.size()),
                          static_cast<DWORD>(name.size() + 1), control};
    std::string message(reinterpret_cast<const char*>(head), sizeof head);
    message.append(reinterpret_cast<const char*>(name.c_str()), bytes);
    message += data;
    return finished(::WriteFile(pipe_, message.data(), static_cast<DWORD>(message.size()), nullptr, &io_)) &&
           finished(::ReadFile(pipe_, &answer, sizeof answer, nullptr, &io_)) && count_ == sizeof answer;
  }

  [[nodiscard]] DWORD reason() const { return reason_; }

 private:
  bool finished(BOOL succeeded) {
    reason_ = succeeded ? ERROR_SUCCESS : ::GetLastError();
    if (reason_ == ERROR_PIPE_CONNECTED) return true;
    if (reason_ == ERROR_IO_PENDING) {
      const HANDLE either[] = {io_.hEvent, process_};  // a process that ended before it connected breaks no pipe
      if (::WaitForMultipleObjects(2, either, FALSE, INFINITE) != WAIT_OBJECT_0) {
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

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words(1);
  for (const char c : line) {
    if (c == '\r') continue;
    if (c == ' ') words.emplace_back();
    else words.back() += c;
  }
  return words;
}

/// What a line asks to send after the name: start arguments with a NUL after each and after all, or bytes.
std::string data_of(DWORD control, const std::wstring& name, const std::vector<std::string>& words) {
  std::string data;
  if (control == 0) {
    std::wstring all = name + L'\0';
    for (std::size_t i = 1; i < words.size(); ++i) all += wide(words[i]) + L'\0';
    all += L'\0';
    data.assign(reinterpret_cast<const char*>(all.data()), all.size() * sizeof(wchar_t));
    return data;
  }
  std::string digits;
  for (std::size_t i = 1; i < words.size(); ++i) digits += words[i];
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    data += static_cast<char>(std::strtoul(digits.substr(i, 2).c_str(), nullptr, 16));
  return data;
}

}  // namespace

int wmain(int count, wchar_t** message) {
  if (count != 3) fail("do without a name and a limit", ERROR_INVALID_PARAMETER);
  const std::wstring name = message[1];

  const HANDLE pipe = next_pipe();
  const HANDLE process = start(installed_command_line(message[1]));
  ending at_last{process, static_cast<DWORD>(std::wcstoul(message[2], nullptr, 10)) * 1000};
  ::CloseHandle(::CreateThread(nullptr, 0, &end_in_time, &at_last, 0, nullptr));

  conversation conversation(pipe, process);
  if (!conversation.connect()) fail("connect", conversation.reason());
  for (std::string line; std::getline(std::cin, line);) {
    const auto reply = words_of(line);
    const auto control = static_cast<DWORD>(std::strtoul(reply[0].c_str(), nullptr, 10));
    DWORD answer = 0;
    if (conversation.send(name, control, data_of(control, name, reply), answer)) say("", answer);
    else say("broken ", conversation.reason());
  }

  ::WaitForSingleObject(process, INFINITE);  // what never ends, end_in_time ends
  if (at_last.come) ::Sleep(INFINITE);       // and says so
  DWORD code = 0;
  ::GetExitCodeProcess(process, &code);
  say("exit ", code);
  return 0;
}
