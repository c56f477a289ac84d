// Reads the body of a request when a handler is about to be called, and not before: what was refused in front of it cost
// no upload. Forms become params and form fields, as cpp-httplib has them; anything else is the body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/httplib.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// `most`: bytes of it, decompressed, that are kept. False: it did not arrive, or is not what it says.
[[nodiscard]] bool read_body(request& req, const httplib::ContentReader& read, std::uint64_t most, bool& too_large);

// ---------------------------------------------------------------------------------------------------------------------

inline bool read_multipart(request& req, const httplib::ContentReader& read, std::uint64_t most, bool& too_large) {
  constexpr std::size_t most_parts = 1024;  // each costs memory, however little is in it
  std::string* content = nullptr;
  std::size_t parts = 0;
  std::uint64_t kept = 0;
  return read(
      [&](const httplib::FormData& part) {
        if (++parts > most_parts) return false;
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
}

inline bool read_body(request& req, const httplib::ContentReader& read, std::uint64_t most, bool& too_large) {
  if (req.is_multipart_form_data()) return read_multipart(req, read, most, too_large);
  const bool whole = read([&](const char* bytes, std::size_t count) {
    if (count > most - req.body.size()) return !(too_large = true);  // it may have grown by decompression
    req.body.append(bytes, count);
    return true;
  });
  if (!whole) return false;
  if (text::starts_with_nocase(req.get_header_value("Content-Type"), "application/x-www-form-urlencoded"))
    httplib::detail::parse_query_text(req.body, req.params);
  return true;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
