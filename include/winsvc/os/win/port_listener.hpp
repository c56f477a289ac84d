// Finds the process that listens on a TCP port, on Windows, as `netstat -ano` does (find_listener in os/socket.hpp).
//
// iphlpapi.dll is loaded at run time, because only an error message and the retry of a bind need it.
//
// Source: GetExtendedTcpTable, MIB_TCPTABLE_OWNER_PID and MIB_TCP6TABLE_OWNER_PID in the Win32 documentation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/socket.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/system_library.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

using get_tcp_table = DWORD(WINAPI*)(void*, DWORD*, BOOL, ULONG, TCP_TABLE_CLASS, ULONG);

/// Reads the table of the listeners of one address family, AF_INET or AF_INET6.
[[nodiscard]] sys_result<std::vector<std::uint64_t>> read_listeners(get_tcp_table get, ULONG family);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE sys_result<std::vector<std::uint64_t>> read_listeners(get_tcp_table get, ULONG family) {
  std::vector<std::uint64_t> buffer(512);
  for (int attempt = 0; attempt < 4; ++attempt) {  // listeners may start between two calls
    auto bytes = static_cast<DWORD>(buffer.size() * 8);
    const DWORD code = get(buffer.data(), &bytes, FALSE, family, TCP_TABLE_OWNER_PID_LISTENER, 0);
    if (code == NO_ERROR) return buffer;
    if (code != ERROR_INSUFFICIENT_BUFFER) return sys_failure(code);
    buffer.resize(bytes / 8 + 512);
  }
  return sys_failure(ERROR_INSUFFICIENT_BUFFER);
}

WINSVC_INLINE sys_result<std::optional<port_listener>> find_listener(const endpoint& address) {
  const auto get = system_library("iphlpapi.dll").find<get_tcp_table>("GetExtendedTcpTable");
  if (!get) return sys_failure(ERROR_PROC_NOT_FOUND);
  in_addr v4{};
  in6_addr v6{};
  const bool is_v4 = ::inet_pton(AF_INET, address.host.c_str(), &v4) == 1;
  const bool is_v6 = ::inet_pton(AF_INET6, address.host.c_str(), &v6) == 1;
  constexpr in6_addr any_v6{};
  const bool is_any_v6 = is_v6 && std::memcmp(&v6, &any_v6, sizeof v6) == 0;  // also accepts IPv4
  const auto is_port = [&address](DWORD port) { return ntohs(static_cast<u_short>(port)) == address.port; };

  std::optional<DWORD> pid;
  if (const auto v4_table = read_listeners(get, AF_INET)) {
    const auto* table = reinterpret_cast<const MIB_TCPTABLE_OWNER_PID*>(v4_table->data());
    for (DWORD i = 0; i < table->dwNumEntries; ++i) {
      const auto& row = table->table[i];
      const bool overlaps = !is_v6 && (!is_v4 || row.dwLocalAddr == v4.s_addr || row.dwLocalAddr == INADDR_ANY ||
                                       v4.s_addr == INADDR_ANY);
      if (is_port(row.dwLocalPort) && (overlaps || is_any_v6)) pid = row.dwOwningPid;
    }
  } else {
    return sys_failure(v4_table.error());
  }
  if (const auto v6_table = read_listeners(get, AF_INET6)) {
    const auto* table = reinterpret_cast<const MIB_TCP6TABLE_OWNER_PID*>(v6_table->data());
    for (DWORD i = 0; i < table->dwNumEntries; ++i) {
      const auto& row = table->table[i];
      const bool is_any = std::memcmp(row.ucLocalAddr, &any_v6, sizeof any_v6) == 0;
      const bool is_same = is_v6 && std::memcmp(row.ucLocalAddr, &v6, sizeof v6) == 0;
      const bool overlaps = is_any || is_any_v6 || is_same || (!is_v4 && !is_v6);
      if (is_port(row.dwLocalPort) && overlaps) pid = row.dwOwningPid;
    }
  } else {
    return sys_failure(v6_table.error());
  }
  if (!pid) return std::optional<port_listener>();

  port_listener listener;
  listener.pid = *pid;
  const unique_handle process(::OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, *pid));
  wchar_t image[1024];
  DWORD length = 1024;
  if (process && ::QueryFullProcessImageNameW(process.get(), 0, image, &length))
    listener.image = to_utf8(std::wstring_view(image, length));
  return std::optional(listener);
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
