// Upload reader: writes a body to files while it arrives. Each file of a form becomes one file and its fields stay in
// memory; a body of another type becomes one file. api/upload.hpp has the result.
//
//   upload files;
//   if (!read_upload(req, source, limits, files)) ...   // the body did not arrive
//
// The form is parsed by wire/multipart.hpp, because cpp-httplib keeps bytes that it does not use: it would hold a form
// without a first boundary in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/body_reader.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/http/upload_folder.hpp"
#include "winsvc/http/upload_impl.hpp"
#include "winsvc/http/upload_receiver.hpp"
#include "winsvc/api/httplib.hpp"
#include "winsvc/api/upload.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/wire/file_name.hpp"
#include "winsvc/wire/multipart.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Reads the body to its end. Returns false if it did not arrive, or if its framing or coding is invalid. Throws
/// abort_error for an upload that is too large or a malformed form, and upload_error for a file that cannot be written.
/// If it fails, no file remains on the disk.
[[nodiscard]] bool read_upload(request& req, const body_source& read, const upload_limits& limits, upload& result);

// ---------------------------------------------------------------------------------------------------------------------

class upload_reader {
 public:
  upload_reader(request& req, const upload_limits& limits, upload& upload)
      : req_(req), limits_(limits), upload_(upload) {
    const std::string type = req.get_header_value("Content-Type");
    urlencoded_ = is_urlencoded(req);
    if (const auto boundary = wire::multipart_boundary(type)) decoder_.emplace(*boundary);
    else if (base::starts_with_nocase(type, "multipart/form-data"))
      winsvc::abort(400, no_boundary_message);
  }

  /// Receives the next bytes of the body. Returns false to stop reading; finish() then throws the reason.
  [[nodiscard]] bool consume(std::string_view bytes) {
    if (bytes.size() > limits_.body - body_bytes_)
      return reject(413, body_limit_message(limits_.body));
    body_bytes_ += bytes.size();
    if (decoder_) return consume_form(bytes);
    if (urlencoded_) return consume_text(req_.body, bytes);
    return consume_file(bytes, {}, {}, req_.get_header_value("Content-Type"));
  }

  /// Called when the body has ended or consume() returned false. `complete`: the body arrived to its end.
  void finish(bool complete) {
    if (error_code_ != 0)
      throw upload_error({error_code_, operation_, error_path_, os::system_error_message(error_code_), {}});
    if (status_ != 0) winsvc::abort(status_, std::move(reject_reason_));
    if (!complete) return;
    if (decoder_ && decoder_->next() != wire::multipart_decoder::step::done)
      winsvc::abort(400, incomplete_form_message);
    if (urlencoded_) parse_urlencoded(req_);
    if (!close_file()) finish(complete);
  }

 private:
  using step = wire::multipart_decoder::step;
  static constexpr std::uint64_t max_text_bytes = 1024 * 1024;  // of all fields together

  bool reject(int status, std::string reason) {
    status_ = status;
    reject_reason_ = std::move(reason);
    return false;
  }
  bool fail_write(std::uint32_t code, const char* operation, const std::string& path) {
    error_code_ = code == 0 ? 1 : code;
    operation_ = operation;
    error_path_ = path;
    return false;
  }

  bool consume_form(std::string_view bytes) {
    decoder_->feed(bytes);
    for (;;) {
      switch (decoder_->next()) {
        case step::more:
        case step::done: return true;
        case step::bad: return reject(400, malformed_form_message);
        case step::part:
          if (!start_part(decoder_->part())) return false;
          break;
        case step::data: {
          const auto& part = decoder_->part();
          const bool good = field_ ? consume_text(*field_, decoder_->data())
                                   : consume_file(decoder_->data(), part.name, part.file_name, part.content_type);
          if (!good) return false;
        }
      }
    }
  }

  bool start_part(const wire::part_head& part) {
    if (!close_file()) return false;
    if (++parts_ > max_form_fields)
      return reject(413, "the form has more than " + std::to_string(max_form_fields) + " parts");
    field_ = nullptr;
    if (!part.is_file) {
      httplib::FormField field;
      field.name = part.name;
      if (!part.content_type.empty()) field.headers.emplace("Content-Type", part.content_type);
      field_ = &req_.form.fields.emplace(part.name, std::move(field))->second.content;
      return consume_text(*field_, {});
    }
    // A file field without a selected file has neither a file name nor content: ignore it.
    return part.file_name.empty() || consume_file({}, part.name, part.file_name, part.content_type);
  }

  bool consume_text(std::string& output, std::string_view bytes) {
    if (bytes.size() > max_text_bytes - text_bytes_) {
      return reject(413, "the form fields are larger than 1 MiB in total; send large data as a file in a "
                         "multipart/form-data body, or as a body of another type");
    }
    text_bytes_ += bytes.size();
    output += bytes;
    return true;
  }

  bool consume_file(std::string_view bytes, const std::string& name, const std::string& file_name,
                    const std::string& type) {
    if (!file_.is_open() && !open_file(name, file_name, type)) return false;
    auto& file = upload_.files().back();
    if (bytes.size() > limits_.file - file.size())
      return reject(413, "the file '" + file.file_name() + "' is larger than " + std::to_string(limits_.file) +
                             " bytes");
    if (bytes.empty()) return true;
    const auto written = file_.write(bytes);
    if (!written) return fail_write(written.error(), "write the uploaded file", file.path());
    file.add_size(bytes.size());
    return true;
  }

  bool open_file(const std::string& name, const std::string& file_name, const std::string& type) {
    if (!limits_.folder.empty()) {
      if (const auto created = os::make_private_folder(limits_.folder); !created)
        return fail_write(created.error(), "create the folder for uploads", limits_.folder);
    }
    const std::string folder = limits_.folder.empty() ? os::temporary_folder() : limits_.folder;
    const std::string path = os::path_join(folder, temporary_upload_name());
    auto& entry = upload_.files().emplace_back(name, wire::safe_file_name(file_name), type, path);
    auto file = os::exclusive_file::create(path);
    if (!file) return fail_write(file.error(), "create the file", path);
    entry.create();
    file_ = std::move(*file);
    return true;
  }

  bool close_file() {
    if (!file_.is_open()) return true;
    const auto closed = file_.close();
    return closed || fail_write(closed.error(), "write the uploaded file", upload_.files().back().path());
  }

  request& req_;
  const upload_limits& limits_;
  upload& upload_;
  std::optional<wire::multipart_decoder> decoder_;  // for a multipart form
  bool urlencoded_ = false;
  os::exclusive_file file_;       // the file that is being received, the last of upload_
  std::string* field_ = nullptr;  // the field that is being received
  std::uint64_t body_bytes_ = 0, text_bytes_ = 0;
  std::size_t parts_ = 0;
  int status_ = 0;
  std::string reject_reason_;
  std::uint32_t error_code_ = 0;
  const char* operation_ = "";
  std::string error_path_;
};

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_FEATURES

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

WINSVC_INLINE bool read_upload(request& req, const body_source& read, const upload_limits& limits, upload& result) {
  upload files;  // declared before the reader: Windows cannot remove a file that the reader has open
  upload_reader reader(req, limits, files);
  const bool complete =
      read([&reader](const char* bytes, std::size_t count) { return reader.consume({bytes, count}); });
  reader.finish(complete);
  if (complete) result = std::move(files);
  return complete;
}

}  // namespace detail::http

namespace detail::api {

WINSVC_INLINE const http::upload_receiver& the_upload_receiver() noexcept {
  static const http::upload_receiver receiver{
      [](http::exchange& exchange, request& req, const http::body_source& read, const http::upload_limits& limits) {
        upload files;
        if (!http::read_upload(req, read, limits, files)) return false;
        attach_upload(exchange, std::move(files));
        return true;
      }};
  return receiver;
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_FEATURES
