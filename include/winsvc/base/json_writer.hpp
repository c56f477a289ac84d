// JSON, written: for what winsvc says to machines. (What a handler answers in JSON is nlohmann's.)
//
//   text::json_object_writer o;
//   o.put("pid", "7").put_text("name", "a \"b\"").put_text_if_set("hint", "");      // left out where it is empty
//   o.text()                                                                 // {"pid":7,"name":"a \"b\""}
//
// Members stay in the order they were put; nobody checks that a name is put once. It reads nothing.
#pragma once

#include <string>
#include <string_view>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace strings {

/// An object while it grows.
class json_object_writer {
 public:
  /// `value` is JSON itself: a number, `true`, `null`, what another one's `text` gave.
  json_object_writer& put(std::string_view name, std::string_view value) {
    text_ += text_.size() == 1 ? "" : ",";
    text_ += json_quoted(name) + ':';
    text_ += value;
    return *this;
  }
  json_object_writer& put_text(std::string_view name, std::string_view value) { return put(name, json_quoted(value)); }
  json_object_writer& put_text_if_set(std::string_view name, std::string_view value) {
    return value.empty() ? *this : put_text(name, value);
  }
  [[nodiscard]] std::string text() const { return text_ + '}'; }

 private:
  std::string text_ = "{";
};

/// `[a,b]`, of what `one` makes of each; `between` instead of the comma alone, to break lines.
template <class List, class F>
[[nodiscard]] std::string json_array(const List& all, F one, std::string_view between = ",") {
  std::string out = "[";
  for (const auto& item : all) {
    if (out.size() > 1) out += between;
    out += one(item);
  }
  return out + ']';
}

}  // namespace text
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
