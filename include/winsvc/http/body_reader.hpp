// Reads the body of a request when a handler is about to be called, and not before: what was refused in front of it
// cost no upload. Forms become params and form fields, as cpp-httplib has them; anything else is the body. Forms with
// files are taken apart by wire/multipart.hpp, here as in an upload.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/abort.hpp"
#include "winsvc/api/values.hpp"
#include "winsvc/wire/fields.hpp"
#include "winsvc/wire/file_name.hpp"
#include "winsvc/wire/multipart.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// Takes a piece of the body; false: no more of it is wanted.
using body_receiver = std::function<bool(const char* bytes, std::size_t count)>;
/// Reads all of the body, decompressed; false: it did not arrive, or the receiver wants no more.
using body_source = std::function<bool(const body_receiver&)>;

/// `most`: bytes of it, decompressed, that are kept. False: it did not arrive, or is not what it says. Throws
/// abort_error for a form of more than `max_form_fields` parts, and for one that is malformed.
[[nodiscard]] bool read_body(request& req, const body_source& read, std::uint64_t limit, bool& too_large);

/// Each costs memory, however little is in it.
inline constexpr std::size_t max_form_fields = 1024;

/// True if the body says that it is a form with parts, in whatever case.
[[nodiscard]] bool is_multipart(const request& req);
/// Is its body a form that is written as a query is?
[[nodiscard]] bool is_urlencoded(const request& req);
/// Such a body into params, as cpp-httplib has them. Throws abort_error for more than `max_form_fields`.
void parse_urlencoded(request& req);

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

[[noreturn]] WINSVC_INLINE void reject_too_many_fields() {
  winsvc::abort(413, "the form has more than " + std::to_string(max_form_fields) + " fields");
}

/// A form whose files stay in memory: for handlers that take no upload.
class form_reader {
 public:
  form_reader(request& req, std::uint64_t limit) : req_(req), most_(limit) {
    const auto boundary = wire::multipart_boundary(req.get_header_value("Content-Type"));
    if (!boundary) winsvc::abort(400, "the form has no boundary in its Content-Type");
    decoder_.emplace(*boundary);
  }

  /// False: no more of it is wanted.
  bool take(std::string_view bytes) {
    using step = wire::multipart_decoder::step;
    decoder_->feed(bytes);
    for (;;) {
      switch (decoder_->next()) {
        case step::more:
        case step::done: return true;
        case step::bad: malformed_ = true; return false;
        case step::part:
          if (++parts_ > max_form_fields) return false;
          begin(decoder_->part());
          break;
        case step::data:
          if (decoder_->data().size() > most_ - kept_) return !(too_large_ = true);
          kept_ += decoder_->data().size();
          content_->append(decoder_->data());
      }
    }
  }

  /// When the body has ended, or take() has. `whole`: it has arrived.
  void finish(bool whole) {
    if (parts_ > max_form_fields || malformed_) current_exchange()->close_after_response = true;  // the rest of it is still to come
    if (parts_ > max_form_fields) reject_too_many_fields();
    if (malformed_) winsvc::abort(400, "the body is no form as its Content-Type says");
    if (whole && decoder_->next() != wire::multipart_decoder::step::done)
      winsvc::abort(400, "the form ends before its last part does");
  }
  [[nodiscard]] bool too_large() const noexcept { return too_large_; }

 private:
  void begin(const wire::part_head& part) {
    httplib::Headers headers;
    for (const auto& [name, value] : part.fields) headers.emplace(name, value);
    if (!part.is_file || part.file_name.empty()) {  // a file field that was not filled in is an empty field
      httplib::FormField field;
      field.name = part.name;
      field.headers = std::move(headers);
      content_ = &req_.form.fields.emplace(part.name, std::move(field))->second.content;
    } else {
      httplib::FormData file;
      file.name = part.name;
      file.filename = wire::safe_file_name(part.file_name);
      file.content_type = part.content_type;
      file.headers = std::move(headers);
      content_ = &req_.form.files.emplace(part.name, std::move(file))->second.content;
    }
  }

  request& req_;
  std::uint64_t most_, kept_ = 0;
  std::optional<wire::multipart_decoder> decoder_;
  std::string* content_ = nullptr;
  std::size_t parts_ = 0;
  bool too_large_ = false, malformed_ = false;
};

WINSVC_INLINE bool read_multipart(request& req, const body_source& read, std::uint64_t limit, bool& too_large) {
  form_reader form(req, limit);
  const bool whole =
      read([&](const char* bytes, std::size_t count) { return form.take(std::string_view(bytes, count)); });
  too_large = form.too_large();
  if (!too_large) form.finish(whole);
  return whole;
}

WINSVC_INLINE std::string media_type_of(const request& req) {
  const std::string type = req.get_header_value("Content-Type");
  return strings::to_lower(strings::trim(std::string_view(type).substr(0, type.find(';'))));
}

WINSVC_INLINE bool is_multipart(const request& req) { return media_type_of(req) == "multipart/form-data"; }

WINSVC_INLINE bool is_urlencoded(const request& req) {
  return media_type_of(req) == "application/x-www-form-urlencoded";
}

WINSVC_INLINE std::optional<std::string> form_text(const request& req, const std::string& name) {
  if (is_multipart(req))
    return req.form.has_field(name) ? std::optional(req.form.get_field(name)) : std::nullopt;
  return is_urlencoded(req) ? wire::find_field(req.body, name) : std::nullopt;
}

WINSVC_INLINE void parse_urlencoded(request& req) {
  if (wire::field_count(req.body) > max_form_fields) reject_too_many_fields();
  httplib::detail::parse_query_text(req.body, req.params);
}

WINSVC_INLINE bool read_body(request& req, const body_source& read, std::uint64_t limit, bool& too_large) {
  if (is_multipart(req)) return read_multipart(req, read, limit, too_large);
  const bool whole = read([&](const char* bytes, std::size_t count) {
    if (count > limit - req.body.size()) return !(too_large = true);  // it may have grown by decompression
    req.body.append(bytes, count);
    return true;
  });
  if (!whole) return false;
  if (is_urlencoded(req)) parse_urlencoded(req);
  return true;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
