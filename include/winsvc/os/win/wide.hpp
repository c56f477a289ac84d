// to_wide and to_utf8: convert between UTF-8 and the wide (UTF-16) strings and string lists of Win32. unique_handle:
// owns a kernel handle.
//
//   const unique_handle event(::CreateEventW(nullptr, TRUE, FALSE, to_wide(name).c_str()));
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/win/windows_headers.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

[[nodiscard]] std::wstring to_wide(std::string_view utf8);
[[nodiscard]] std::string to_utf8(std::wstring_view utf16);
[[nodiscard]] std::string to_utf8(const wchar_t* utf16);

/// Converts to the list format of the service manager and the registry (REG_MULTI_SZ): each string ends with a NUL, and
/// the list ends with another NUL. An empty list is two NULs, as documented. Empty strings are left out, because an
/// empty string would end the list.
[[nodiscard]] std::wstring to_wide_list(const std::vector<std::string>& items);
/// Converts from that format; null is an empty list.
[[nodiscard]] std::vector<std::string> from_wide_list(const wchar_t* list);

/// Converts a path for the wide functions. A path of 240 or more characters gets the prefix \\?\, because the limit
/// without it is 260.
[[nodiscard]] std::wstring wide_path(const std::string& path);

/// Owns a kernel handle and closes it. INVALID_HANDLE_VALUE is stored as null. Movable.
class unique_handle {
 public:
  unique_handle() = default;
  explicit unique_handle(HANDLE h) noexcept : handle_(h == INVALID_HANDLE_VALUE ? nullptr : h) {}
  unique_handle(unique_handle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  unique_handle& operator=(unique_handle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~unique_handle() {
    if (handle_) ::CloseHandle(handle_);
  }
  explicit operator bool() const noexcept { return handle_ != nullptr; }
  [[nodiscard]] HANDLE get() const noexcept { return handle_; }

 private:
  HANDLE handle_ = nullptr;
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::wstring to_wide(std::string_view utf8) {
  const std::u16string units = base::to_utf16(utf8);
  return std::wstring(units.begin(), units.end());
}
WINSVC_INLINE std::string to_utf8(std::wstring_view utf16) {
  return base::to_utf8(std::u16string(utf16.begin(), utf16.end()));
}
WINSVC_INLINE std::string to_utf8(const wchar_t* utf16) {
  return utf16 ? to_utf8(std::wstring_view(utf16)) : std::string();
}
WINSVC_INLINE std::wstring to_wide_list(const std::vector<std::string>& items) {
  std::wstring out;
  for (const auto& item : items) {
    const std::wstring units = to_wide(item);
    if (!units.empty()) out += units + L'\0';
  }
  if (out.empty()) out += L'\0';
  return out + L'\0';
}
WINSVC_INLINE std::vector<std::string> from_wide_list(const wchar_t* list) {
  std::vector<std::string> out;
  for (; list && *list; list += std::wstring_view(list).size() + 1) out.push_back(to_utf8(list));
  return out;
}
WINSVC_INLINE std::wstring wide_path(const std::string& path) {
  std::wstring out = to_wide(path);
  if (out.size() < 240 || out.compare(0, 4, L"\\\\?\\") == 0) return out;
  std::replace(out.begin(), out.end(), L'/', L'\\');  // after the prefix, a slash is not a separator
  if (out.size() > 2 && out[1] == L':') return L"\\\\?\\" + out;
  if (out.compare(0, 2, L"\\\\") == 0) return L"\\\\?\\UNC" + out.substr(1);
  return out;
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
