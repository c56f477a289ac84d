// Registry keys below HKEY_LOCAL_MACHINE: open, create, read and write values.
//
//   auto key = registry_key::open(services_key("hello"), KEY_QUERY_VALUE);
//   if (key) use(key->number(L"DeleteFlag"));
//
// Source: RegSetValueExW, RegGetValueW, RegEnumValueW in the Win32 documentation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/service_manager.hpp"
#include "winsvc/os/win/windows_headers.hpp"
#include "winsvc/os/win/wide.hpp"

#if WINSVC_OS_WINDOWS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Owns a key below HKEY_LOCAL_MACHINE and closes it. Movable.
class registry_key {
 public:
  static sys_result<registry_key> open(const std::wstring& path, REGSAM rights) {
    HKEY key = nullptr;
    const LSTATUS status = ::RegOpenKeyExW(HKEY_LOCAL_MACHINE, path.c_str(), 0, rights, &key);
    if (status != ERROR_SUCCESS) return sys_failure(static_cast<std::uint32_t>(status));
    return registry_key(key);
  }
  static sys_result<registry_key> create(const std::wstring& path, REGSAM rights) {
    HKEY key = nullptr;
    const LSTATUS status =
        ::RegCreateKeyExW(HKEY_LOCAL_MACHINE, path.c_str(), 0, nullptr, 0, rights, nullptr, &key, nullptr);
    if (status != ERROR_SUCCESS) return sys_failure(static_cast<std::uint32_t>(status));
    return registry_key(key);
  }
  registry_key(registry_key&& other) noexcept : key_(std::exchange(other.key_, nullptr)) {}
  registry_key& operator=(registry_key&& other) noexcept {
    std::swap(key_, other.key_);
    return *this;
  }
  ~registry_key() {
    if (key_) ::RegCloseKey(key_);
  }

  /// Writes a string value: `text`, which may contain NULs, and a terminating NUL.
  sys_result<void> set(const wchar_t* name, DWORD type, const std::wstring& text) {
    return set(name, type, text.c_str(), (text.size() + 1) * sizeof(wchar_t));
  }
  sys_result<void> set(const wchar_t* name, DWORD type, const void* data, std::size_t size) {
    return to_result(::RegSetValueExW(key_, name, 0, type, static_cast<const BYTE*>(data), static_cast<DWORD>(size)));
  }
  /// Deletes a value. Succeeds if the value does not exist.
  sys_result<void> remove(const wchar_t* name) {
    const LSTATUS status = ::RegDeleteValueW(key_, name);
    return to_result(status == ERROR_FILE_NOT_FOUND ? ERROR_SUCCESS : status);
  }
  /// Reads a REG_DWORD value; nullopt if it does not exist.
  [[nodiscard]] std::optional<std::uint32_t> number(const wchar_t* name) const {
    DWORD value = 0, size = sizeof value;
    const LSTATUS status = ::RegGetValueW(key_, nullptr, name, RRF_RT_REG_DWORD, nullptr, &value, &size);
    return status == ERROR_SUCCESS ? std::optional<std::uint32_t>(value) : std::nullopt;
  }
  /// Reads a REG_MULTI_SZ value; empty if it does not exist.
  [[nodiscard]] sys_result<std::vector<std::string>> list(const wchar_t* name) const {
    std::vector<wchar_t> text(1024);
    for (;;) {
      auto size = static_cast<DWORD>(text.size() * sizeof(wchar_t));
      // RegGetValueW adds the terminating NULs if the stored value lacks them.
      const LSTATUS status = ::RegGetValueW(key_, nullptr, name, RRF_RT_REG_MULTI_SZ, nullptr, text.data(), &size);
      if (status == ERROR_FILE_NOT_FOUND) return std::vector<std::string>();
      if (status == ERROR_SUCCESS) return from_wide_list(text.data());
      if (status != ERROR_MORE_DATA) return sys_failure(static_cast<std::uint32_t>(status));
      text.resize(text.size() * 2);
    }
  }
  /// Reads all REG_SZ values, without their names.
  [[nodiscard]] sys_result<std::vector<std::string>> to_string_list() const {
    std::vector<std::string> items;
    std::vector<wchar_t> name(16'384), data(1024);  // 16,383 characters is the maximum of a name
    for (DWORD i = 0;;) {
      auto name_size = static_cast<DWORD>(name.size());
      auto size = static_cast<DWORD>(data.size() * sizeof(wchar_t));
      DWORD type = 0;
      const LSTATUS status = ::RegEnumValueW(key_, i, name.data(), &name_size, nullptr, &type,
                                             reinterpret_cast<BYTE*>(data.data()), &size);
      if (status == ERROR_NO_MORE_ITEMS) return items;
      if (status == ERROR_MORE_DATA) {
        data.resize(size / sizeof(wchar_t) + 2);
        continue;
      }
      if (status != ERROR_SUCCESS) return sys_failure(static_cast<std::uint32_t>(status));
      std::wstring_view text(data.data(), size / sizeof(wchar_t));
      if (type == REG_SZ) items.push_back(to_utf8(text.substr(0, text.find(L'\0'))));
      ++i;
    }
  }

 private:
  explicit registry_key(HKEY key) noexcept : key_(key) {}
  static sys_result<void> to_result(LSTATUS status) {
    if (status != ERROR_SUCCESS) return sys_failure(static_cast<std::uint32_t>(status));
    return {};
  }
  HKEY key_;
};

/// The path of a key below SYSTEM\CurrentControlSet\Services.
[[nodiscard]] std::wstring services_key(std::string_view subkey);

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::wstring services_key(std::string_view subkey) {
  return L"SYSTEM\\CurrentControlSet\\Services\\" + to_wide(subkey);
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // WINSVC_OS_WINDOWS
