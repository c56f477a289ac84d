// What a handler may answer with, beyond plain text: a reply with status and headers, JSON, and a way out of the
// middle.
//
//   svc.post("/users", [] { return winsvc::reply::text("made", 201).header("Location", "/users/7"); });
//   svc.get("/users/{id}", [](int id) -> winsvc::json { if (id < 0) winsvc::abort(400, "ids start at 0"); ... });
//
// `winsvc::json` is nlohmann's json, there when <nlohmann/json.hpp> is (WINSVC_JSON in config/knobs.hpp).
#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/json_text.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/abort.hpp"
#include "winsvc/http/file_answer.hpp"
#include "winsvc/http/httplib.hpp"
#include "winsvc/http/stream.hpp"
#include "winsvc/wire/cookie.hpp"

#if WINSVC_JSON
  #include <nlohmann/json.hpp>
#endif

namespace winsvc {
inline namespace WINSVC_ABI {

#if WINSVC_JSON
using json = nlohmann::json;
#endif

namespace http {

/// Does it stay beside others of its name? Set-Cookie is a line a cookie (RFC 6265 section 3), Vary what each layer
/// looked at.
[[nodiscard]] inline bool adds_up(std::string_view name) noexcept {
  return text::equal_nocase(name, "Set-Cookie") || text::equal_nocase(name, "Vary");
}

/// Into an answer that may have headers already: added or in their place, whichever the name asks for.
inline void add_header(response& res, const std::string& name, const std::string& value) {
  if (!adds_up(name)) return replace_header(res, name, value);
  const bool cookie = text::equal_nocase(name, "Set-Cookie");
  // Which of two lines a browser sees last is not ours to say: cpp-httplib keeps no order that it promises. What stays
  // is collected and set again, because its versions differ in which iterators an erase leaves valid.
  std::vector<std::string> others;
  const auto [begin, end] = res.headers.equal_range(name);
  for (auto at = begin; at != end; ++at) {
    if (!(cookie ? wire::same_cookie(at->second, value) : at->second == value)) others.push_back(at->second);
  }
  res.headers.erase(name);
  for (const std::string& other : others) res.set_header(name, other);
  res.set_header(name, value);
}

}  // namespace http

/// A whole answer as a value. Cheap to move.
class reply {
 public:
  /// An empty body.
  explicit reply(int status = 200) : status_(status) {}

  [[nodiscard]] static reply text(std::string body, int status = 200) {
    return with(std::move(body), "text/plain; charset=utf-8", status);
  }
  [[nodiscard]] static reply html(std::string body, int status = 200) {
    return with(std::move(body), "text/html; charset=utf-8", status);
  }
#if WINSVC_JSON
  [[nodiscard]] static reply json(const winsvc::json& value, int status = 200) {
    return with(value.dump(-1, ' ', false, winsvc::json::error_handler_t::replace), "application/json", status);
  }
#endif
  /// Bytes that are written while they are made (http/stream.hpp); `write(stream&)` runs on the request's thread after
  /// the head was sent.
  [[nodiscard]] static reply stream(std::string content_type, std::function<void(winsvc::stream&)> write) {
    reply r;
    r.content_type_ = std::move(content_type);
    r.write_ = std::move(write);
    return r;
  }
  /// Server-sent events (http/stream.hpp).
  [[nodiscard]] static reply events(std::function<void(event_stream&)> write) {
    auto r = stream("text/event-stream", [write = std::move(write)](winsvc::stream& out) {
      const auto* req = http::current_exchange()->req;
      event_stream events(out, req ? req->get_header_value("Last-Event-ID") : std::string());
      write(events);
    });
    // A proxy that collects an answer before it passes it on would keep the events back.
    return std::move(r).header("Cache-Control", "no-store").header("X-Accel-Buffering", "no");
  }
  /// To another place: 302, or 301, 303, 307, 308 (RFC 9110, section 15.4).
  [[nodiscard]] static reply redirect(const std::string& location, int status = 302) {
    return reply(status).header("Location", location);
  }
  /// A file (http/file_answer.hpp): its type by its ending, with conditions and ranges. A relative path begins at the
  /// executable's folder. `save_as`: what a browser saves it as, instead of showing it. 404 where there is none.
  [[nodiscard]] static reply file(std::string path, std::string save_as = {}) {
    reply r;
    r.file_ = std::move(path);
    r.save_as_ = std::move(save_as);
    return r;
  }
  /// Bytes of a type of your own.
  [[nodiscard]] static reply with(std::string body, std::string content_type, int status = 200) {
    reply r(status);
    r.body_ = std::move(body);
    r.content_type_ = std::move(content_type);
    return r;
  }

  /// Sets a header, in the place of one of this name that is there already, a middleware's too. Set-Cookie and Vary are
  /// added to those that are there: each of them says something of its own.
  reply& header(std::string name, std::string value) & {
    for (auto& [known, held] : headers_) {
      if (text::equal_nocase(known, name) && !http::adds_up(name)) {
        held = std::move(value);
        return *this;
      }
    }
    headers_.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  reply&& header(std::string name, std::string value) && {
    return std::move(header(std::move(name), std::move(value)));
  }
  /// Sets a cookie, in the place of one of the same name, path and domain.
  reply& cookie(const winsvc::cookie& c) & { return header("Set-Cookie", c.text()); }
  reply&& cookie(const winsvc::cookie& c) && { return std::move(cookie(c)); }
  reply& status(int code) & {
    status_ = code;
    return *this;
  }
  reply&& status(int code) && { return std::move(status(code)); }

  /// Writes it into httplib's response.
  void apply(response& res) && {
    res.status = status_;
    for (const auto& [name, value] : headers_) http::add_header(res, name, value);
    if (!file_.empty()) return http::answer_with_file(*http::current_exchange()->req, res, file_, save_as_);
    if (write_) {
      const auto run = [write = std::move(write_)](std::size_t, httplib::DataSink& sink) {
        winsvc::stream out(sink, *http::current_exchange());
        write(out);
        sink.done();
        return true;
      };
      res.set_chunked_content_provider(content_type_, run);
    } else if (!content_type_.empty()) {
      set_content(res);
    }
  }

 private:
  /// httplib's own looks at each character with the C library, and for a type that is there already.
  void set_content(response& res) {
    const bool plain = std::all_of(content_type_.begin(), content_type_.end(), [](char c) { return c >= ' ' && c < 127; });
    if (!plain || !res.headers.empty()) return res.set_content(std::move(body_), content_type_);
    res.body = std::move(body_);
    res.headers.emplace("Content-Type", std::move(content_type_));
  }

  int status_ = 200;
  std::string body_;
  std::string content_type_;
  std::string file_, save_as_;
  std::function<void(winsvc::stream&)> write_;
  std::vector<std::pair<std::string, std::string>> headers_;
};

namespace http {

/// What would have been written while it is made is not, and is cleaned up.
inline void drop_stream(response& res) {
  if (res.content_provider_resource_releaser_) res.content_provider_resource_releaser_(false);
  res.content_provider_resource_releaser_ = nullptr;
  res.content_provider_ = nullptr;
  res.is_chunked_content_provider_ = false;
  res.content_length_ = 0;
  res.headers.erase("Transfer-Encoding");
}

/// Takes back what a handler began to answer with, but for its status and the headers that are not about the body.
inline void drop_body(response& res) {
  drop_stream(res);
  res.body.clear();
  for (const char* name : {"Content-Type", "Content-Length", "Content-Encoding", "Content-Disposition",
                           "ETag", "Last-Modified"})
    res.headers.erase(name);
}

/// An error as application/problem+json (RFC 9457): title from the status, detail for the person.
/// `id`: the request id that the log has, or empty.
inline void write_problem(response& res, int status, std::string_view detail, std::string_view id = {}) {
  text::json_object body;
  body.put_text("title", httplib::status_message(status)).put("status", std::to_string(status));
  body.put_some("detail", detail).put_some("request_id", id);
  drop_body(res);
  res.status = status;
  res.set_content(body.text() + '\n', "application/problem+json");
}

/// Does the client want text, and not JSON? Text is named in Accept, JSON and `*/*` are not.
[[nodiscard]] inline bool asks_for_text(const request& req) {
  const std::string accept = text::lowered(req.get_header_value("Accept"));
  const auto names = [&](std::string_view type) { return accept.find(type) != std::string::npos; };
  return names("text/plain") && !names("json") && !names("*/*");
}

/// The same as a line of text.
inline void write_text_problem(response& res, int status, std::string_view detail, std::string_view id = {}) {
  std::string body = std::to_string(status) + ' ' + httplib::status_message(status);
  if (!detail.empty()) body += ": " + std::string(detail);
  if (!id.empty()) body += " (request " + std::string(id) + ")";
  drop_body(res);
  res.status = status;
  res.set_content(body + "\n", "text/plain; charset=utf-8");
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
