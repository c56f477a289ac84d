// Part of the test service: restores the event type that Wine does not transfer. Windows calls a control handler with
// an event type, "logon" or "suspend"; the control pipe of Wine 8 has no field for it, so the handler always receives
// 0. control_pipe.cpp sends the type as the first four bytes of the data, and this file passes them to winsvc as the
// type. It defines the symbol through which the linker would find the function in advapi32.dll.
#include <windows.h>

namespace {

using register_function = SERVICE_STATUS_HANDLE(WINAPI*)(LPCWSTR, LPHANDLER_FUNCTION_EX, LPVOID);

LPHANDLER_FUNCTION_EX real_handler;

DWORD WINAPI handle_with_type(DWORD control, DWORD type, void* data, void* context) {
  const bool has_type = control == SERVICE_CONTROL_SESSIONCHANGE || control == SERVICE_CONTROL_POWEREVENT;
  if (!has_type || !data) return real_handler(control, type, data, context);
  auto* words = static_cast<DWORD*>(data);
  return real_handler(control, words[0], words + 1, context);
}

SERVICE_STATUS_HANDLE WINAPI register_with_type(LPCWSTR name, LPHANDLER_FUNCTION_EX handler, void* context) {
  real_handler = handler;
  const auto real = reinterpret_cast<register_function>(reinterpret_cast<void*>(
      ::GetProcAddress(::GetModuleHandleW(L"advapi32.dll"), "RegisterServiceCtrlHandlerExW")));
  return real(name, &handle_with_type, context);
}

}  // namespace

extern "C" {
extern register_function __imp_RegisterServiceCtrlHandlerExW;
register_function __imp_RegisterServiceCtrlHandlerExW = &register_with_type;
}
