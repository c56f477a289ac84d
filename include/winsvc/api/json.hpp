// JSON: `winsvc::json` is nlohmann::json. This is the only header that includes nlohmann's library.
//
//   svc.get("/users/{id}", [](int id) { return winsvc::json{{"id", id}}; });
//
// `winsvc::json` exists if <nlohmann/json.hpp> is on the include path (WINSVC_JSON in config/options.hpp). In the
// separate form (config/form.hpp), an app includes only <nlohmann/json_fwd.hpp> here; a file that creates or reads JSON
// includes <nlohmann/json.hpp> itself. Such a file does not compile nlohmann's writer and parser: text_of_json and
// parse_json are in the compiled part.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "winsvc/api/abort.hpp"
#include "winsvc/config/abi.hpp"

#if WINSVC_JSON && !WINSVC_SEES_SERVER && __has_include(<nlohmann/json_fwd.hpp>)
  #include <nlohmann/json_fwd.hpp>
#elif WINSVC_JSON
  #include <nlohmann/json.hpp>
#endif

namespace winsvc {
inline namespace WINSVC_ABI {

namespace detail::api {

/// True for nlohmann's JSON types, including ordered_json.
template <class T, class = void>
struct is_nlohmann : std::false_type {};
template <class T>
struct is_nlohmann<T, std::void_t<typename T::error_handler_t, decltype(std::declval<const T&>().dump())>>
    : std::true_type {};

}  // namespace detail::api

#if WINSVC_JSON
/// nlohmann::json, documented at https://json.nlohmann.me.
using json = nlohmann::json;

namespace detail::api {

/// JSON as text. Bytes that are not UTF-8 are replaced.
[[nodiscard]] std::string text_of_json(const json& value);
/// Parses JSON text. Aborts with 400 if the text is not JSON, or if a number is out of range.
void parse_json(const std::string& text, json& output);
/// Locates the value that the conversion of a type rejects, or the key that it misses: a JSON pointer (RFC 6901), or ""
/// if it was not found or is the document itself. `message` is the message of nlohmann's exception, `convert` repeats
/// the conversion for a changed copy.
[[nodiscard]] std::string locate_json_error(const json& document, const std::string& message,
                                            const std::function<void(const json&)>& convert);

}  // namespace detail::api
#endif

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

#if WINSVC_JSON

WINSVC_INLINE std::string text_of_json(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

WINSVC_INLINE void parse_json(const std::string& text, json& output) {
  try {
    output = json::parse(text);
  } catch (const json::parse_error& e) {
    winsvc::abort(400, "the body is not JSON: error at byte " + std::to_string(e.byte));
  } catch (const json::exception&) {  // a number such as 1e999
    winsvc::abort(400, "the JSON body contains a number that is out of range");
  }
}

/// Finds the value that a conversion rejects. The exception of nlohmann names the type of the value, not its position,
/// and a type with from_json does not show its members. So the locator makes copies of the document, each with one
/// value of that type replaced by a value of another type. If the exception then names the other type, the replaced
/// value is the rejected one. For a missing key, it adds the key to one object of the copy: if the exception changes,
/// the key was missing there.
class json_error_locator {
 public:
  json_error_locator(const json& document, const std::function<void(const json&)>& convert)
      : document_(document), convert_(convert) {}

  std::string locate(const std::string& message) {
    constexpr std::string_view before_key = "key '", after_key = "' not found", separator = "but is ";
    const auto begin = message.find(before_key), end = message.rfind(after_key);
    if (begin != message.npos && end != message.npos && begin + before_key.size() <= end) {
      const auto key = begin + before_key.size();
      missing_key_ = message.substr(key, end - key);
      expected_error_ = message;
      return find_missing(document_, json::json_pointer()) ? pointer_.to_string() : std::string();
    }
    const auto position = message.rfind(separator);
    if (position == message.npos) return {};
    type_name_ = message.substr(position + separator.size());
    if (type_name_ == "null") replacement_ = false;
    expected_error_ = message.substr(0, position + separator.size()) + replacement_.type_name();
    return find(document_, json::json_pointer()) ? pointer_.to_string() : std::string();
  }

 private:
  bool find(const json& value, const json::json_pointer& pointer) {
    if (value.type_name() == type_name_ && is_failing_value(pointer)) {
      pointer_ = pointer;
      return true;
    }
    if (value.is_object()) {
      for (auto it = value.begin(); it != value.end(); ++it) {
        if (find(it.value(), pointer / it.key())) return true;
      }
    } else if (value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        if (find(value[i], pointer / i)) return true;
      }
    }
    return false;
  }
  bool find_missing(const json& value, const json::json_pointer& pointer) {
    if (value.is_object() && !value.contains(missing_key_) && attempts_left_-- > 0) {
      json changed = document_;
      changed[pointer][missing_key_] = nullptr;
      bool was_missing = true;
      try {
        convert_(changed);
      } catch (const json::exception& e) {
        was_missing = e.what() != expected_error_;
      } catch (...) {  // another error: the conversion has passed this place
      }
      pointer_ = pointer / missing_key_;
      if (was_missing) return true;
    }
    if (!value.is_structured()) return false;
    std::size_t index = 0;
    for (auto it = value.begin(); it != value.end(); ++it, ++index) {
      if (find_missing(*it, value.is_object() ? pointer / it.key() : pointer / index)) return true;
    }
    return false;
  }
  bool is_failing_value(const json::json_pointer& pointer) {
    if (attempts_left_ == 0) return false;  // each attempt copies and converts, which is expensive for a large document
    --attempts_left_;
    json changed = document_;
    changed[pointer] = replacement_;
    try {
      convert_(changed);
    } catch (const json::exception& e) {
      return e.what() == expected_error_;
    } catch (...) {  // the conversion passed this value and failed later, so this value is valid
    }
    return false;
  }

  const json& document_;
  const std::function<void(const json&)>& convert_;
  json replacement_ = nullptr;
  std::string type_name_, expected_error_, missing_key_;
  json::json_pointer pointer_;
  int attempts_left_ = 64;
};

WINSVC_INLINE std::string locate_json_error(const json& document, const std::string& message,
                                            const std::function<void(const json&)>& convert) {
  return json_error_locator(document, convert).locate(message);
}

#endif  // WINSVC_JSON

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
