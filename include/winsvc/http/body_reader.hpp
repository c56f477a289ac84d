// Reads the body of a request when a handler is about to be called, and not before: what was refused in front of it
// cost no upload. Forms become params and form fields, as cpp-httplib has them; anything else is the body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/abort.hpp"
#include "winsvc/api/values.hpp"
#include "winsvc/wire/fields.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// `most`: bytes of it, decompressed, that are kept. False: it did not arrive, or is not what it says. Throws
/// abort_error for a form of more than `most_fields`.
[[nodiscard]] bool read_body(request& req, const httplib::ContentReader& read, std::uint64_t most, bool& too_large);

/// Each costs memory, however little is in it.
inline constexpr std::size_t most_fields = 1024;

/// Is its body a form that is written as a query is?
[[nodiscard]] bool is_urlencoded(const request& req);
/// Such a body into params, as cpp-httplib has them. Throws abort_error for more than `most_fields`.
void take_urlencoded(request& req);

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE void refuse_fields() {
  winsvc::abort(413, "the form has more than " + std::to_string(most_fields) + " fields");
}

WINSVC_INLINE bool read_multipart(request& req, const httplib::ContentReader& read, std::uint64_t most, bool& too_large) {
  std::string* content = nullptr;
  std::size_t parts = 0;
  std::uint64_t kept = 0;
  const bool whole = read(
      [&](const httplib::FormData& part) {
        if (++parts > most_fields) return false;
        if (part.filename.empty()) {
          httplib::FormField field;
          field.name = part.name;
          field.headers = part.headers;
          content = &req.form.fields.emplace(part.name, std::move(field))->second.content;
        } else {
          content = &req.form.files.emplace(part.name, part)->second.content;
        }
        return true;
      },
      [&](const char* bytes, std::size_t count) {
        if (count > most - kept) return !(too_large = true);
        kept += count;
        content->append(bytes, count);
        return true;
      });
  if (parts > most_fields) {
    current_exchange()->closing = true;  // the rest of it is still to come
    refuse_fields();
  }
  return whole;
}

WINSVC_INLINE bool is_urlencoded(const request& req) {
  const std::string type = req.get_header_value("Content-Type");
  return text::equal_nocase(text::trimmed(std::string_view(type).substr(0, type.find(';'))),
                            "application/x-www-form-urlencoded");
}

WINSVC_INLINE std::optional<std::string> form_text(const request& req, const std::string& name) {
  if (req.is_multipart_form_data())
    return req.form.has_field(name) ? std::optional(req.form.get_field(name)) : std::nullopt;
  return is_urlencoded(req) ? wire::find_field(req.body, name) : std::nullopt;
}

WINSVC_INLINE void take_urlencoded(request& req) {
  if (wire::field_count(req.body) > most_fields) refuse_fields();
  httplib::detail::parse_query_text(req.body, req.params);
}

WINSVC_INLINE bool read_body(request& req, const httplib::ContentReader& read, std::uint64_t most, bool& too_large) {
  if (req.is_multipart_form_data()) return read_multipart(req, read, most, too_large);
  const bool whole = read([&](const char* bytes, std::size_t count) {
    if (count > most - req.body.size()) return !(too_large = true);  // it may have grown by decompression
    req.body.append(bytes, count);
    return true;
  });
  if (!whole) return false;
  if (is_urlencoded(req)) take_urlencoded(req);
  return true;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
