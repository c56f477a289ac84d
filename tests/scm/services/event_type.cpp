// Part of the test program: puts back what Wine drops. Windows calls a control handler with an event type, "logon" or
// "suspend"; Wine 8 has no place for one in what goes through its control pipe, and always hands on 0. control_pipe.cpp
// sends the type as the first four bytes of the data, and here they become the type again, between Wine and winsvc,
// which notices nothing: this is the symbol through which the linker would have found the function in advapi32.dll.
#include <windows.h>

namespace {

using registering = SERVICE_STATUS_HANDLE(WINAPI*)(LPCWSTR, LPHANDLER_FUNCTION_EX, LPVOID);

LPHANDLER_FUNCTION_EX real_handler;

DWORD WINAPI with_type(DWORD control, DWORD type, void* data, void* context) {
  const bool has_type = control == SERVICE_CONTROL_SESSIONCHANGE || control == SERVICE_CONTROL_POWEREVENT;
  if (!has_type || !data) return real_handler(control, type, data, context);
  auto* words = static_cast<DWORD*>(data);
  return real_handler(control, words[0], words + 1, context);
}

SERVICE_STATUS_HANDLE WINAPI register_with_type(LPCWSTR name, LPHANDLER_FUNCTION_EX handler, void* context) {
  real_handler = handler;
  const auto real = reinterpret_cast<registering>(reinterpret_cast<void*>(
      ::GetProcAddress(::GetModuleHandleW(L"advapi32.dll"), "RegisterServiceCtrlHandlerExW")));
  return real(name, &with_type, context);
}

}  // namespace

extern "C" {
extern registering __imp_RegisterServiceCtrlHandlerExW;
registering __imp_RegisterServiceCtrlHandlerExW = &register_with_type;
}
