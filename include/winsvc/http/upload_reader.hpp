// Reads a body into files while it arrives (api/upload.hpp has what comes of it): a form's files each into one of its
// own, its fields into memory, a body of another type into one file.
//
// The form is parsed here (wire/multipart.hpp), because cpp-httplib keeps bytes that it does not use: it would hold a form
// without a first delimiter in memory.
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
namespace http {

/// Reads all of it. False: it did not arrive, or is not framed or coded as it says. Throws abort_error for an upload
/// that is too large or no form, upload_error for a file that cannot be written. Whatever the end, what `into` does not
/// hold is not on the disk.
[[nodiscard]] bool read_upload(request& req, const body_source& read, const upload_limits& bounds,
                               upload& upload);

// ---------------------------------------------------------------------------------------------------------------------

class upload_reader {
 public:
  upload_reader(request& req, const upload_limits& bounds, upload& upload) : req_(req), limits_(bounds), upload_(upload) {
    const std::string type = req.get_header_value("Content-Type");
    urlencoded_ = is_urlencoded(req);
    if (const auto boundary = wire::multipart_boundary(type)) decoder_.emplace(*boundary);
    else if (strings::starts_with_nocase(type, "multipart/form-data"))
      winsvc::abort(400, "the form has no boundary in its Content-Type");
  }

  /// The next bytes of the body. False: no more of it is wanted, and finish() says why.
  [[nodiscard]] bool consume(std::string_view bytes) {
    if (bytes.size() > limits_.body - body_bytes_)
      return reject(413, "the body is larger than " + std::to_string(limits_.body) + " bytes");
    body_bytes_ += bytes.size();
    if (decoder_) return consume_form(bytes);
    if (urlencoded_) return consume_text(req_.body, bytes);
    return consume_file(bytes, {}, {}, req_.get_header_value("Content-Type"));
  }

  /// When the body has ended, or take() has. `whole`: it has arrived.
  void finish(bool whole) {
    if (error_code_ != 0) throw upload_error({error_code_, operation_, error_path_, os::system_error_message(error_code_), {}});
    if (status_ != 0) winsvc::abort(status_, std::move(reject_reason_));
    if (!whole) return;
    if (decoder_ && decoder_->next() != wire::multipart_decoder::step::done)
      winsvc::abort(400, "the form ends before its last part does");
    if (urlencoded_) parse_urlencoded(req_);
    if (!close_file()) finish(whole);
  }

 private:
  using step = wire::multipart_decoder::step;
  static constexpr std::size_t max_parts = 1024;            // each costs memory, however little is in it
  static constexpr std::uint64_t max_text_bytes = 1024 * 1024;  // of all fields: what is larger is a file

  bool reject(int status, std::string reason) {
    status_ = status;
    reject_reason_ = std::move(reason);
    return false;
  }
  bool fail_write(std::uint32_t code, const char* operation, const std::string& place) {
    error_code_ = code == 0 ? 1 : code;
    operation_ = operation;
    error_path_ = place;
    return false;
  }

  bool consume_form(std::string_view bytes) {
    decoder_->feed(bytes);
    for (;;) {
      switch (decoder_->next()) {
        case step::more:
        case step::done: return true;
        case step::bad: return reject(400, "the body is no form as its Content-Type says");
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
    if (++parts_ > max_parts) return reject(413, "the form has more than " + std::to_string(max_parts) + " parts");
    field_ = nullptr;
    if (!part.is_file) {
      httplib::FormField field;
      field.name = part.name;
      if (!part.content_type.empty()) field.headers.emplace("Content-Type", part.content_type);
      field_ = &req_.form.fields.emplace(part.name, std::move(field))->second.content;
      return consume_text(*field_, {});
    }
    // A file field that was not filled in comes with neither name nor content, and is none.
    return part.file_name.empty() || consume_file({}, part.name, part.file_name, part.content_type);
  }

  bool consume_text(std::string& output, std::string_view bytes) {
    if (bytes.size() > max_text_bytes - text_) {
      return reject(413, "the form's fields are larger than 1 MiB together; what is large is sent as a file of a "
                         "multipart/form-data body, or as a body of another type");
    }
    text_ += bytes.size();
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
      if (const auto made = os::make_private_folder(limits_.folder); !made)
        return fail_write(made.error(), "make the folder for uploads", limits_.folder);
    }
    const std::string folder = limits_.folder.empty() ? os::temporary_folder() : limits_.folder;
    const std::string path = os::path_join(folder, temporary_name());
    auto& entry = upload_.files().emplace_back(name, wire::safe_file_name(file_name), type, path);
    auto made = os::exclusive_file::create(path);
    if (!made) return fail_write(made.error(), "make the file", path);
    entry.create();
    file_ = std::move(*made);
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
  std::optional<wire::multipart_decoder> decoder_;  // of a form
  bool urlencoded_ = false;
  os::exclusive_file file_;              // the one that is arriving, the last of into_
  std::string* field_ = nullptr;   // or the field
  std::uint64_t body_bytes_ = 0, text_ = 0;
  std::size_t parts_ = 0;
  int status_ = 0;
  std::string reject_reason_;
  std::uint32_t error_code_ = 0;
  const char* operation_ = "";
  std::string error_path_;
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_FEATURES

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE bool read_upload(request& req, const body_source& read, const upload_limits& bounds, upload& result) {
  upload files;  // removed after the reader has closed the last of them: Windows does not remove what is open
  upload_reader reader(req, bounds, files);
  const bool whole = read([&reader](const char* bytes, std::size_t count) { return reader.consume({bytes, count}); });
  reader.finish(whole);
  if (whole) result = std::move(files);
  return whole;
}

WINSVC_INLINE const upload_receiver& the_upload_receiver() noexcept {
  static const upload_receiver one{
      [](exchange& exchange, request& req, const body_source& read, const upload_limits& bounds) {
        upload files;
        if (!read_upload(req, read, bounds, files)) return false;
        attach_upload(exchange, std::move(files));
        return true;
      }};
  return one;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_FEATURES
