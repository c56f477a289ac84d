// json_library: interface of the JSON parser that reads types with WINSVC_TYPE (api/type_macros.hpp). nlohmann's parser
// is the default; an app can provide another one.
//
//   class glaze_library final : public winsvc::json_library { ... };
//   svc.provide<winsvc::json_library>(std::make_shared<glaze_library>());
//
// The library parses a text to a document and reports kind and content of its values. A value is an address that the
// library chooses; it is valid as long as the document. The interface does not write JSON; api/json_type.hpp does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// The kinds of JSON values. `integer`: a number without fraction that fits into std::int64_t; `unsigned_integer`: one
/// that fits only into std::uint64_t; `number`: any other number.
enum class json_kind { null, boolean, integer, unsigned_integer, number, text, array, object };

/// Interface of a JSON parser. All functions are called concurrently; they require a value of the right kind.
class json_library {
 public:
  using value = const void*;
  virtual ~json_library() = default;

  /// Parses a text. Returns the document, whose address is its root value, or null with a reason such as "error at byte
  /// 7". The text is nested at most 128 levels deep.
  [[nodiscard]] virtual std::shared_ptr<const void> parse(const std::string& text, std::string& reason) const = 0;
  [[nodiscard]] virtual json_kind kind(value v) const = 0;
  [[nodiscard]] virtual bool boolean(value v) const = 0;
  [[nodiscard]] virtual std::int64_t integer(value v) const = 0;
  [[nodiscard]] virtual std::uint64_t unsigned_integer(value v) const = 0;
  /// Any kind of number.
  [[nodiscard]] virtual double number(value v) const = 0;
  [[nodiscard]] virtual std::string_view text(value v) const = 0;
  /// Number of elements of an array.
  [[nodiscard]] virtual std::size_t size(value v) const = 0;
  [[nodiscard]] virtual value element(value v, std::size_t index) const = 0;
  /// Member of an object; null if it is missing.
  [[nodiscard]] virtual value member(value v, std::string_view name) const = 0;
  virtual void for_each_member(value v, const std::function<void(std::string_view name, value)>& f) const = 0;
};

namespace detail::api {

struct invocation;

/// The library of the app, or nlohmann's. Throws setup_error if there is neither.
[[nodiscard]] const json_library& json_library_of(const invocation& call);
/// nlohmann's library. Throws setup_error without <nlohmann/json.hpp>.
[[nodiscard]] const json_library& default_json_library();

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
