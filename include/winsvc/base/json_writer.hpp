// json_object_writer, json_array: write JSON text. Handlers use nlohmann::json instead.
//
//   base::json_object_writer o;
//   o.put("pid", "7").put_text("name", "a \"b\"").put_text_if_set("hint", "");      // an empty hint is omitted
//   o.text()                                                                       // {"pid":7,"name":"a \"b\""}
//
// Members keep the order of the calls. Duplicate names are not detected. There is no parser here.
#pragma once

#include <string>
#include <string_view>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

/// Builds a JSON object, member by member.
class json_object_writer {
 public:
  /// Adds a member. `value` is JSON text: a number, `true`, `null`, the `text()` of another writer.
  json_object_writer& put(std::string_view name, std::string_view value) {
    text_ += text_.size() == 1 ? "" : ",";
    text_ += json_quoted(name) + ':';
    text_ += value;
    return *this;
  }
  /// Adds a member with a JSON string.
  json_object_writer& put_text(std::string_view name, std::string_view value) { return put(name, json_quoted(value)); }
  json_object_writer& put_text_if_set(std::string_view name, std::string_view value) {
    return value.empty() ? *this : put_text(name, value);
  }
  [[nodiscard]] std::string text() const { return text_ + '}'; }

 private:
  std::string text_ = "{";
};

/// `[a,b]`: calls `to_json` for each item. `separator` is a comma, and may add line breaks.
template <class List, class F>
[[nodiscard]] std::string json_array(const List& items, F to_json, std::string_view separator = ",") {
  std::string out = "[";
  for (const auto& item : items) {
    if (out.size() > 1) out += separator;
    out += to_json(item);
  }
  return out + ']';
}

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
