// fault_list: collects the invalid values of a request, so that the client receives all of them in one 422 response.
//
//   fault_list faults;
//   faults.add("query", "limit", "must be at most 100, but is '200'");
//   faults.add_body("/price", "must be above 0, but is -1");
//   faults.abort_if_any();       // 422; problem details with the member "errors"
//
// api/parameter.hpp adds the faults of parameters, api/json_type.hpp those of a JSON body.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/api/abort.hpp"
#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

/// A fault of the JSON body as an element of the member "errors". `pointer`: as for fault_list::add_body.
[[nodiscard]] std::string body_fault_json(std::string_view pointer, std::string_view reason);

class fault_list {
 public:
  /// Adds a fault of a parameter. `source`: "query", "header", "cookie", "form" or "file".
  void add(std::string_view source, std::string_view name, std::string_view reason);
  /// Adds a fault of the JSON body. `pointer` is a JSON pointer (RFC 6901), empty for the body itself.
  void add_body(std::string_view pointer, std::string_view reason);
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  /// True if further faults are only counted, because the list is full.
  [[nodiscard]] bool is_full() const noexcept { return count_ >= max_faults; }
  /// All faults in one line.
  [[nodiscard]] std::string text() const;
  /// Ends the handler with 422 if there is a fault.
  void abort_if_any() const;

 private:
  static constexpr std::size_t max_faults = 50;  // a response is not much larger than the request that causes it

  void add(std::string text, std::string json);

  std::size_t count_ = 0;
  std::string text_;
  std::vector<std::string> json_;
};

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_API

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

WINSVC_INLINE std::string body_fault_json(std::string_view pointer, std::string_view reason) {
  base::json_object_writer json;
  json.put_text("in", "body").put_text("pointer", pointer).put_text("detail", reason);
  return json.text();
}

WINSVC_INLINE void fault_list::add(std::string text, std::string json) {
  if (++count_ > max_faults) return;
  text_ += (text_.empty() ? "" : "; ") + text;
  json_.push_back(std::move(json));
}

WINSVC_INLINE void fault_list::add(std::string_view source, std::string_view name, std::string_view reason) {
  const std::string kind = source == "query"  ? "the query parameter '"
                           : source == "form" ? "the form field '"
                                              : "the " + std::string(source) + " '";
  base::json_object_writer json;
  json.put_text("in", source).put_text("name", name).put_text("detail", reason);
  add(kind + std::string(name) + "' " + std::string(reason), json.text());
}

WINSVC_INLINE void fault_list::add_body(std::string_view pointer, std::string_view reason) {
  add((pointer.empty() ? std::string("the body") : std::string(pointer)) + ' ' + std::string(reason),
      body_fault_json(pointer, reason));
}

WINSVC_INLINE std::string fault_list::text() const {
  if (count_ <= max_faults) return text_;
  return text_ + "; and " + std::to_string(count_ - max_faults) + " more";
}

WINSVC_INLINE void fault_list::abort_if_any() const {
  if (!empty()) throw abort_error(422, text(), base::json_array(json_, [](const std::string& fault) { return fault; }));
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_API
