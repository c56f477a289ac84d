// Dispatcher on Windows (os/dispatcher.hpp): forwards ServiceMain and the control handler to the callables of the host.
//
// The thunks are noexcept or catch: an exception must not pass through Windows code, which would end the process
// without a message.
//
// Source: "Writing a ServiceMain Function", HandlerEx, SetServiceStatus in the Win32 documentation.
#pragma once

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/attempt.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/dispatcher.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// One object per process, because a process may call StartServiceCtrlDispatcherW only once.
class native_dispatcher final : public dispatcher {
 public:
  std::uint32_t run(service_main entry) override {
    entry_ = std::move(entry);
    current() = this;
    wchar_t no_name[] = L"";  // ignored for SERVICE_WIN32_OWN_PROCESS
    const SERVICE_TABLE_ENTRYW table[] = {{no_name, &service_main_thunk}, {nullptr, nullptr}};
    return ::StartServiceCtrlDispatcherW(table) ? 0 : ::GetLastError();
  }

  std::uint32_t register_handler(const std::string& service_name, control_handler handler) override {
    handler_ = std::move(handler);
    std::wstring name;
    base::attempt([&] { name = to_wide(service_name); });  // not checked for SERVICE_WIN32_OWN_PROCESS
    status_ = ::RegisterServiceCtrlHandlerExW(name.c_str(), &control_thunk, this);
    return status_ ? 0 : ::GetLastError();
  }

  std::uint32_t set_status(const scm::service_status& s) noexcept override {
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
    static native_dispatcher* instance = nullptr;
    return instance;
  }

  /// ServiceMain has no context parameter, so it uses `current`.
  static void WINAPI service_main_thunk(DWORD count, wchar_t** values) noexcept {
    std::vector<std::string> arguments;
    base::attempt([&] {  // out of memory: the service starts without the last arguments
      for (DWORD i = 0; i < count; ++i) arguments.push_back(to_utf8(values[i]));
    });
    current()->entry_(arguments);
  }

  static DWORD WINAPI control_thunk(DWORD control, DWORD type, void* data, void* context) noexcept {
    try {
      return static_cast<native_dispatcher*>(context)->handler_(copy_event(control, type, data));
    } catch (...) {
      return ERROR_EXCEPTION_IN_SERVICE;
    }
  }

  /// Copies the event data, which the system frees when the handler returns.
  static scm::control_event copy_event(DWORD control, DWORD type, void* data) {
    scm::control_event event;
    event.control = control;
    event.type = type;
    if (data && control == SERVICE_CONTROL_SESSIONCHANGE) {
      event.session = static_cast<const DWORD*>(data)[1];  // WTSSESSION_NOTIFICATION: cbSize, dwSessionId
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

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif  // WINSVC_OS_WINDOWS
