// The door to nlohmann's JSON: `winsvc::json` is its type, where its header is on the include path (WINSVC_JSON in
// config/knobs.hpp).
//
//   svc.get("/users/{id}", [](int id) { return winsvc::json{{"id", id}}; });
//
// A file that only sees declarations (config/form.hpp) gets <nlohmann/json_fwd.hpp>, and includes <nlohmann/json.hpp>
// itself if it makes or reads JSON. Text is made of it and read into it in the compiled part, so that such a file does not
// compile nlohmann's writer and parser.
#pragma once

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

namespace http {

/// Any of nlohmann's JSON types, ordered_json among them.
template <class T, class = void>
struct is_nlohmann : std::false_type {};
template <class T>
struct is_nlohmann<T, std::void_t<typename T::error_handler_t, decltype(std::declval<const T&>().dump())>>
    : std::true_type {};

}  // namespace http

#if WINSVC_JSON
using json = nlohmann::json;

namespace http {

/// JSON as text. Bytes that are not UTF-8 are replaced.
[[nodiscard]] std::string text_of_json(const json& value);
/// Reads JSON from text. Aborts with 400.
void parse_json(const std::string& text, json& output);
/// Where the value is that a conversion of the document refuses: a JSON pointer (RFC 6901) with ": " after it, or ""
/// if it was not found or is the document itself. `convert` repeats the conversion; `complaint` is the text of its
/// exception. The document is changed meanwhile, and is the same afterwards.
[[nodiscard]] std::string place_in_json(json& document, const std::string& complaint,
                                        const std::function<void()>& convert);

}  // namespace http
#endif

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

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
    winsvc::abort(400, "the body is JSON that cannot be held: a number in it is out of range");
  }
}

/// Finds the value that a conversion did not like: nlohmann's exception says its kind, not its place. Each value of
/// that kind is made one of another kind for a moment; where the complaint is then about that other kind, it was the
/// one.
class json_error_locator {
 public:
  json_error_locator(json& document, const std::function<void()>& convert) : document_(document), convert_(convert) {}

  /// As a JSON pointer (RFC 6901) with a colon behind it; "" where it was not found, or is the document itself.
  std::string locate(const std::string& complaint) {
    constexpr std::string_view notify = "but is ";
    const auto position = complaint.rfind(notify);
    if (position == complaint.npos) return {};
    kind_ = complaint.substr(position + notify.size());
    if (kind_ == "null") replacement_ = false;
    expected_error_ = complaint.substr(0, position + notify.size()) + replacement_.type_name();
    return find(document_, json::json_pointer()) && !place_.empty() ? place_.to_string() + ": " : std::string();
  }

 private:
  bool find(json& at, const json::json_pointer& place) {
    if (at.type_name() == kind_ && is_failing_value(at)) {
      place_ = place;
      return true;
    }
    if (at.is_object()) {
      for (auto it = at.begin(); it != at.end(); ++it) {
        if (find(it.value(), place / it.key())) return true;
      }
    } else if (at.is_array()) {
      for (std::size_t i = 0; i < at.size(); ++i) {
        if (find(at[i], place / i)) return true;
      }
    }
    return false;
  }
  bool is_failing_value(json& value) {
    if (attempts_left_ == 0) return false;  // a conversion each: a large document is not worth it
    --attempts_left_;
    json kept = replacement_;
    std::swap(kept, value);
    bool found = false;
    try {
      convert_();
    } catch (const json::exception& e) {
      found = e.what() == expected_error_;
    } catch (...) {  // it got further than before: this was not what it stopped at
    }
    std::swap(kept, value);
    return found;
  }

  json& document_;
  const std::function<void()>& convert_;
  json replacement_ = nullptr;
  std::string kind_, expected_error_;
  json::json_pointer place_;
  int attempts_left_ = 64;
};

WINSVC_INLINE std::string place_in_json(json& document, const std::string& complaint,
                                        const std::function<void()>& convert) {
  return json_error_locator(document, convert).locate(complaint);
}

#endif  // WINSVC_JSON

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
