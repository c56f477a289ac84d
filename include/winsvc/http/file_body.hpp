// Sets a file as the body of a response; the connection reads it in parts while it sends them.
//
//   set_file_body(res, std::move(file), "text/plain", "");   // ETag, Last-Modified, Content-Type and the bytes
//
// The part that the connection still has to send is a `file_part` (http/exchange.hpp).
//
// The ETag contains the size and the modification time, in the resolution of the file system. If the file becomes
// shorter while it is sent, the connection ends, so that the client detects the missing part.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "winsvc/api/abort.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/error_responder.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/wire/representation.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Makes an open file the body. `type`: Content-Type, unless the response has one. `coding`: Content-Encoding; empty:
/// none. An ETag or a Last-Modified of the app stays.
void set_file_body(response& res, os::input_file file, const std::string& type, const std::string& coding);

/// Content provider of a file. The connection sends such a body itself (response_delivery::file_to_send).
struct file_provider {
  std::shared_ptr<const os::input_file> file;
  bool operator()(std::size_t position, std::size_t length, httplib::DataSink& sink) const;
};

/// Throws the error of a file that cannot be opened: shortage_error (503) if descriptors or memory are exhausted, else
/// std::runtime_error (500).
[[noreturn]] void throw_open_error(const std::string& path, std::uint32_t code);

/// Opens a file. Aborts with 404 if it does not exist; else throws as throw_open_error does.
[[nodiscard]] os::input_file open_file(const std::string& path);

/// Makes the file of cpp-httplib's set_file_content the body.
void attach_file(response& res);

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE void set_file_body(response& res, os::input_file file, const std::string& type,
                                 const std::string& coding) {
  using namespace std::chrono;
  const auto since = file.modified().time_since_epoch();
  char tag[64];
  std::snprintf(tag, sizeof tag, "\"%llx-%llx%s\"", static_cast<unsigned long long>(file.size()),
                static_cast<unsigned long long>(duration_cast<nanoseconds>(since).count()),
                coding.empty() ? "" : ("-" + coding).c_str());
  const auto set_default = [&res](const char* name, const std::string& value) {
    if (!api::find_header(res, name)) api::replace_header(res, name, value);
  };
  set_default("ETag", tag);
  set_default("Last-Modified", http_date(file.modified()));
  set_default("Accept-Ranges", "bytes");
  set_default("Content-Type", type);
  if (!coding.empty()) api::replace_header(res, "Content-Encoding", coding);
  res.body.clear();
  res.file_content_path_.clear();
  res.content_provider_ = nullptr;
  res.content_length_ = static_cast<std::size_t>(file.size());
  res.is_chunked_content_provider_ = false;
  if (file.size() == 0) return;
  res.content_provider_ = file_provider{std::make_shared<os::input_file>(std::move(file))};
}

WINSVC_INLINE bool file_provider::operator()(std::size_t position, std::size_t length, httplib::DataSink& sink) const {
  char buffer[64 * 1024];
  const auto received = file->read(position, buffer, (std::min)(length, sizeof buffer));
  return received && *received != 0 && sink.write(buffer, *received);
}

[[noreturn]] WINSVC_INLINE void throw_open_error(const std::string& path, std::uint32_t code) {
  const std::string message = "open '" + path + "': " + os::system_error_message(code);
  if (os::is_resource_shortage(code)) throw shortage_error(message);
  throw std::runtime_error(message);
}

WINSVC_INLINE os::input_file open_file(const std::string& path) {
  auto file = os::input_file::open(path);
  if (file) return *std::move(file);
  if (!os::is_missing(file.error()) && !os::real_folder(path)) throw_open_error(path, file.error());
  abort(404);
}

WINSVC_INLINE void attach_file(response& res) {
  const std::string path = std::exchange(res.file_content_path_, std::string());
  const std::string type = res.file_content_content_type_.empty() ? std::string(wire::media_type(path))
                                                                  : res.file_content_content_type_;
  set_file_body(res, open_file(path), type, {});
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
