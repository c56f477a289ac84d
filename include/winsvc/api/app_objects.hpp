// App objects (dependency injection): `svc.provide(object)` registers an object, and a handler receives it as a
// parameter `T&`.
//
//   svc.provide(std::make_shared<store>("items.db"));
//   svc.get("/items", [](store& items) { return items.all(); });
//
// There is one object of each type. Several threads use it at the same time, so it protects its own data.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

/// One address per type, so that RTTI is not required. Not const: a linker may merge equal constants (MSVC /OPT:ICF).
template <class T>
[[nodiscard]] const void* type_key() noexcept {
  static char character = 0;
  return &character;
}

/// The name of a type in the text that the compiler has for a function template, for messages.
[[nodiscard]] std::string type_name_in(std::string_view function_text);
template <class T>
[[nodiscard]] std::string type_name() {
#if WINSVC_COMPILER_MSVC
  return type_name_in(__FUNCSIG__);
#else
  return type_name_in(__PRETTY_FUNCTION__);
#endif
}

/// A type that a handler takes as `T&`.
struct required_object {
  const void* (*key)() noexcept;
  std::string (*type)();
};

/// The objects that the app provides. Filled while the app registers its routes, then only read.
class app_objects {
 public:
  /// Throws setup_error if there is an object of this type.
  void put(const void* key, const std::string& type, std::shared_ptr<void> object);
  /// Null if there is no object of this type. A linear search, because an app provides few objects.
  [[nodiscard]] void* find(const void* key) const noexcept {
    for (const auto& [known, object] : objects_) {
      if (known == key) return object.get();
    }
    return nullptr;
  }

 private:
  std::vector<std::pair<const void*, std::shared_ptr<void>>> objects_;
};

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

WINSVC_INLINE std::string type_name_in(std::string_view text) {
  // GCC and clang: "... [with T = store; ...]" or "... [T = store]"; MSVC: "... type_name<struct store>(void)".
  const auto equals = text.find("T = ");
  if (equals != text.npos) {
    text.remove_prefix(equals + 4);
    return std::string(text.substr(0, text.find_first_of(";]")));
  }
  const auto opening = text.find("type_name<");
  if (opening != text.npos) text.remove_prefix(opening + 10);
  text = text.substr(0, text.rfind(">("));
  for (const std::string_view keyword : {"struct ", "class ", "enum "}) {
    if (text.substr(0, keyword.size()) == keyword) text.remove_prefix(keyword.size());
  }
  return std::string(text);
}

WINSVC_INLINE void app_objects::put(const void* key, const std::string& type, std::shared_ptr<void> object) {
  if (!object) throw setup_error("provide: the object of type '" + type + "' is null");
  if (find(key)) throw setup_error("provide: the app provides two objects of type '" + type + "'");
  objects_.emplace_back(key, std::move(object));
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
