// Dump writer: starts a second process that writes the minidump. MiniDumpWriteDump suspends all threads of the crashed
// process, and it can deadlock if it runs inside that process, for example at the lock of the loader.
//
//   dump_writer writer(folder, name, timeout);                    // allocates everything that a crash needs
//   const DWORD error = writer.write(thread_id, pointers, code);  // starts a process and waits for it
//
// The second process is the same executable with the arguments `write-crash-dump PROCESS FILE THREAD POINTERS CODE
// TIMEOUT`; the first two are inherited handles. If the dump is not written within the timeout, the second process ends
// the crashed process, whose threads may be suspended, with CODE.
//
// Source: MiniDumpWriteDump ("should be called from a separate process if at all possible"),
// MINIDUMP_EXCEPTION_INFORMATION and PROC_THREAD_ATTRIBUTE_HANDLE_LIST in the Win32 documentation.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/crash.hpp"
#include "winsvc/os/file.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/thread.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/file.hpp"
#include "winsvc/os/win/security.hpp"
#include "winsvc/os/win/system_library.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

inline constexpr std::string_view dump_writer_argument = "write-crash-dump";

/// Starts the second process. `write` is called once.
class dump_writer {
 public:
  /// `folder`: existing folder of the dump. `name`: first part of the file name.
  dump_writer(const std::string& folder, const std::string& name, std::chrono::milliseconds timeout);

  /// Writes the dump of this process and waits for it. Returns 0 or a system code. `code`: exit code of this process.
  [[nodiscard]] DWORD write(DWORD thread, const EXCEPTION_POINTERS* pointers, DWORD code) noexcept;
  /// The path of the dump, after `write`.
  [[nodiscard]] std::string path() const { return to_utf8(path_); }

 private:
  void complete_path() noexcept;
  [[nodiscard]] unique_handle start_process(HANDLE file, DWORD thread, const void* pointers, DWORD code) noexcept;

  std::chrono::milliseconds timeout_;
  std::wstring path_;            // allocated with the length of the longest name
  std::size_t name_length_ = 0;  // length of path_ without time and process ID
  std::wstring executable_, command_line_;
  std::vector<std::uint64_t> attributes_;  // memory of the attribute list of CreateProcessW
  local_memory security_{nullptr};         // security descriptor of the dump
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Space for the numbers on the command line: six of at most 20 digits, with separators.
inline constexpr std::size_t dump_writer_numbers_length = 6 * 21 + 1;

WINSVC_INLINE dump_writer::dump_writer(const std::string& folder, const std::string& name,
                                       std::chrono::milliseconds timeout)
    : timeout_(timeout) {
  // Memory contains secrets: only the system, administrators and this account may read a dump, in any folder.
  if (const auto sid = current_user_sid()) {
    if (auto descriptor = descriptor_of("D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;" + *sid + ")"))
      security_ = *std::move(descriptor);
  }
  constexpr std::string_view longest = "-20260131-080509-4294967295.dmp";
  path_ = wide_path(path_join(folder, name + std::string(longest)));
  name_length_ = path_.size() - longest.size();
  executable_ = wide_path(executable_path());
  command_line_ = L'"' + executable_ + L"\" " + to_wide(dump_writer_argument);
  command_line_.reserve(command_line_.size() + dump_writer_numbers_length);
  SIZE_T size = 0;
  ::InitializeProcThreadAttributeList(nullptr, 1, 0, &size);  // fails and returns the size
  attributes_.resize(size / sizeof(std::uint64_t) + 1);
}

WINSVC_INLINE void dump_writer::complete_path() noexcept {
  SYSTEMTIME now{};
  ::GetSystemTime(&now);
  char name[64];
  const int length = std::snprintf(name, sizeof name, "-%04u%02u%02u-%02u%02u%02u-%lu.dmp", now.wYear, now.wMonth,
                                   now.wDay, now.wHour, now.wMinute, now.wSecond,
                                   static_cast<unsigned long>(::GetCurrentProcessId()));
  path_.resize(name_length_);
  for (int i = 0; i < length; ++i) path_ += static_cast<wchar_t>(name[i]);
}

WINSVC_INLINE unique_handle dump_writer::start_process(HANDLE file, DWORD thread, const void* pointers,
                                                       DWORD code) noexcept {
  HANDLE self = nullptr;
  if (!::DuplicateHandle(::GetCurrentProcess(), ::GetCurrentProcess(), ::GetCurrentProcess(), &self, 0, TRUE,
                         DUPLICATE_SAME_ACCESS))
    return {};
  const unique_handle process(self);
  const auto number = [this](unsigned long long value) {
    char digits[24];
    const int length = std::snprintf(digits, sizeof digits, " %llu", value);
    for (int i = 0; i < length; ++i) command_line_ += static_cast<wchar_t>(digits[i]);
  };
  number(reinterpret_cast<std::uintptr_t>(self));
  number(reinterpret_cast<std::uintptr_t>(file));
  number(thread);
  number(reinterpret_cast<std::uintptr_t>(pointers));
  number(code);
  number(static_cast<unsigned long long>(timeout_.count()));

  // Only these two handles: sockets and files are inheritable too.
  HANDLE inherited[] = {self, file};
  STARTUPINFOEXW startup{};
  startup.StartupInfo.cb = sizeof startup;
  startup.lpAttributeList = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(attributes_.data());
  SIZE_T size = attributes_.size() * sizeof(std::uint64_t);
  if (!::InitializeProcThreadAttributeList(startup.lpAttributeList, 1, 0, &size)) return {};
  constexpr DWORD_PTR handle_list = 0x00020002;  // PROC_THREAD_ATTRIBUTE_HANDLE_LIST
  PROCESS_INFORMATION started{};
  const bool ok = ::UpdateProcThreadAttribute(startup.lpAttributeList, 0, handle_list, inherited, sizeof inherited,
                                              nullptr, nullptr) &&
                  ::CreateProcessW(executable_.c_str(), command_line_.data(), nullptr, nullptr, TRUE,
                                   CREATE_NO_WINDOW | EXTENDED_STARTUPINFO_PRESENT, nullptr, nullptr,
                                   &startup.StartupInfo, &started);
  const DWORD error = ::GetLastError();
  ::DeleteProcThreadAttributeList(startup.lpAttributeList);
  ::SetLastError(error);
  if (!ok) return {};
  ::CloseHandle(started.hThread);
  return unique_handle(started.hProcess);
}

WINSVC_INLINE DWORD dump_writer::write(DWORD thread, const EXCEPTION_POINTERS* pointers, DWORD code) noexcept {
  complete_path();
  DWORD error = 0;
  {
    SECURITY_ATTRIBUTES attributes{sizeof attributes, security_.get(), TRUE};
    constexpr DWORD right_to_delete = 0x10000;
    const unique_handle file(::CreateFileW(path_.c_str(), GENERIC_WRITE | right_to_delete, FILE_SHARE_DELETE,
                                           &attributes, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, nullptr));
    if (!file) return ::GetLastError();
    const unique_handle process = start_process(file.get(), thread, pointers, code);
    // The margin is for the second process, which ends this one at the timeout.
    const auto limit = static_cast<DWORD>(timeout_.count()) + 2'000;
    if (!process) {
      error = ::GetLastError();
    } else if (::WaitForSingleObject(process.get(), limit) != WAIT_OBJECT_0 ||
               !::GetExitCodeProcess(process.get(), &error)) {
      error = ERROR_TIMEOUT;
    } else if (error == 0) {
      return 0;
    }
  }
  ::DeleteFileW(path_.c_str());
  return error != 0 ? error : ERROR_WRITE_FAULT;
}

/// After the timeout, removes the incomplete dump and ends both processes.
WINSVC_INLINE void end_process_after(HANDLE process, HANDLE file, std::chrono::milliseconds timeout, DWORD code) {
  ::Sleep(static_cast<DWORD>(timeout.count()));
  FILE_DISPOSITION_INFO disposition{TRUE};
  ::SetFileInformationByHandle(file, FileDispositionInfo, &disposition, sizeof disposition);
  ::CloseHandle(file);  // the crashed process has the other handle: the file disappears when that process ends
  ::TerminateProcess(process, code);
  ::TerminateProcess(::GetCurrentProcess(), ERROR_TIMEOUT);
}

WINSVC_INLINE std::optional<int> run_dump_writer(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments[0] != dump_writer_argument) return std::nullopt;
  std::uint64_t numbers[6] = {};
  if (arguments.size() != 7) return static_cast<int>(ERROR_INVALID_PARAMETER);
  for (std::size_t i = 0; i < 6; ++i) {
    if (!base::parse_number(arguments[i + 1], UINT64_MAX, numbers[i])) return static_cast<int>(ERROR_INVALID_PARAMETER);
  }
  const auto to_handle = [](std::uint64_t value) {
    return reinterpret_cast<HANDLE>(static_cast<std::uintptr_t>(value));
  };
  const HANDLE process = to_handle(numbers[0]), file = to_handle(numbers[1]);
  const auto code = static_cast<DWORD>(numbers[4]);
  const std::chrono::milliseconds timeout(numbers[5]);
  ::SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
  start_thread([=] { end_process_after(process, file, timeout, code); }).detach();

#pragma pack(push, 4)
  struct dump_exception {  // MINIDUMP_EXCEPTION_INFORMATION; <dbghelp.h> is not included because of its macros
    DWORD thread;
    EXCEPTION_POINTERS* pointers;
    BOOL client_pointers;
  };
#pragma pack(pop)
  using write_dump_function = BOOL(WINAPI*)(HANDLE process, DWORD id, HANDLE file, int type, const dump_exception*,
                                            const void*, const void*);
  const auto write_dump = system_library("dbghelp.dll").find<write_dump_function>("MiniDumpWriteDump");
  if (!write_dump) end_process(static_cast<int>(ERROR_MOD_NOT_FOUND));
  const dump_exception exception{static_cast<DWORD>(numbers[2]),
                                 static_cast<EXCEPTION_POINTERS*>(to_handle(numbers[3])), TRUE};
  // MINIDUMP_TYPE: memory that the stacks refer to, unloaded modules and thread times, but not the complete heap.
  constexpr int indirect = 0x40, unloaded = 0x20, times = 0x1000;
  const bool ok = write_dump(process, ::GetProcessId(process), file, indirect | unloaded | times, &exception, nullptr,
                             nullptr) != 0;
  const DWORD error = ok ? 0 : ::GetLastError();
  // Without destructors: the other thread sleeps. The code of a failure may be an HRESULT.
  end_process(static_cast<int>(ok ? 0 : error != 0 ? error : ERROR_WRITE_FAULT));
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
