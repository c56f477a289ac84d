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
[[nodiscard]] bool read_upload(request& req, const body_source& read, const upload_bounds& bounds,
                               upload& into);

// ---------------------------------------------------------------------------------------------------------------------

class upload_reader {
 public:
  upload_reader(request& req, const upload_bounds& bounds, upload& into) : req_(req), bounds_(bounds), into_(into) {
    const std::string type = req.get_header_value("Content-Type");
    urlencoded_ = is_urlencoded(req);
    if (const auto boundary = wire::multipart_boundary(type)) decoder_.emplace(*boundary);
    else if (text::starts_with_nocase(type, "multipart/form-data"))
      winsvc::abort(400, "the form has no boundary in its Content-Type");
  }

  /// The next bytes of the body. False: no more of it is wanted, and finish() says why.
  [[nodiscard]] bool take(std::string_view bytes) {
    if (bytes.size() > bounds_.body - seen_)
      return refuse(413, "the body is larger than " + std::to_string(bounds_.body) + " bytes");
    seen_ += bytes.size();
    if (decoder_) return take_form(bytes);
    if (urlencoded_) return take_text(req_.body, bytes);
    return take_file(bytes, {}, {}, req_.get_header_value("Content-Type"));
  }

  /// When the body has ended, or take() has. `whole`: it has arrived.
  void finish(bool whole) {
    if (fault_ != 0) throw upload_error({fault_, doing_, place_, os::system_words(fault_), {}});
    if (status_ != 0) winsvc::abort(status_, std::move(why_));
    if (!whole) return;
    if (decoder_ && decoder_->next() != wire::multipart_decoder::step::done)
      winsvc::abort(400, "the form ends before its last part does");
    if (urlencoded_) take_urlencoded(req_);
    if (!close_file()) finish(whole);
  }

 private:
  using step = wire::multipart_decoder::step;
  static constexpr std::size_t most_parts = 1024;            // each costs memory, however little is in it
  static constexpr std::uint64_t most_text = 1024 * 1024;  // of all fields: what is larger is a file

  bool refuse(int status, std::string why) {
    status_ = status;
    why_ = std::move(why);
    return false;
  }
  bool fail(std::uint32_t code, const char* doing, const std::string& place) {
    fault_ = code == 0 ? 1 : code;
    doing_ = doing;
    place_ = place;
    return false;
  }

  bool take_form(std::string_view bytes) {
    decoder_->feed(bytes);
    for (;;) {
      switch (decoder_->next()) {
        case step::more:
        case step::done: return true;
        case step::bad: return refuse(400, "the body is no form as its Content-Type says");
        case step::part:
          if (!begin_part(decoder_->part())) return false;
          break;
        case step::data: {
          const auto& part = decoder_->part();
          const bool good = field_ ? take_text(*field_, decoder_->data())
                                   : take_file(decoder_->data(), part.name, part.file_name, part.content_type);
          if (!good) return false;
        }
      }
    }
  }

  bool begin_part(const wire::part_head& part) {
    if (!close_file()) return false;
    if (++parts_ > most_parts) return refuse(413, "the form has more than " + std::to_string(most_parts) + " parts");
    field_ = nullptr;
    if (!part.is_file) {
      httplib::FormField field;
      field.name = part.name;
      if (!part.content_type.empty()) field.headers.emplace("Content-Type", part.content_type);
      field_ = &req_.form.fields.emplace(part.name, std::move(field))->second.content;
      return take_text(*field_, {});
    }
    // A file field that was not filled in comes with neither name nor content, and is none.
    return part.file_name.empty() || take_file({}, part.name, part.file_name, part.content_type);
  }

  bool take_text(std::string& into, std::string_view bytes) {
    if (bytes.size() > most_text - text_) {
      return refuse(413, "the form's fields are larger than 1 MiB together; what is large is sent as a file of a "
                         "multipart/form-data body, or as a body of another type");
    }
    text_ += bytes.size();
    into += bytes;
    return true;
  }

  bool take_file(std::string_view bytes, const std::string& name, const std::string& file_name,
                 const std::string& type) {
    if (!file_.is_open() && !open_file(name, file_name, type)) return false;
    auto& file = into_.files().back();
    if (bytes.size() > bounds_.file - file.size())
      return refuse(413, "the file '" + file.file_name() + "' is larger than " + std::to_string(bounds_.file) +
                             " bytes");
    if (bytes.empty()) return true;
    const auto written = file_.write(bytes);
    if (!written) return fail(written.error(), "write the uploaded file", file.path());
    file.grow(bytes.size());
    return true;
  }

  bool open_file(const std::string& name, const std::string& file_name, const std::string& type) {
    if (!bounds_.folder.empty()) {
      if (const auto made = os::make_private_folder(bounds_.folder); !made)
        return fail(made.error(), "make the folder for uploads", bounds_.folder);
    }
    const std::string folder = bounds_.folder.empty() ? os::temporary_folder() : bounds_.folder;
    const std::string path = os::path_join(folder, temporary_name());
    auto& entry = into_.files().emplace_back(name, wire::safe_file_name(file_name), type, path);
    auto made = os::new_file::create(path);
    if (!made) return fail(made.error(), "make the file", path);
    entry.made();
    file_ = std::move(*made);
    return true;
  }

  bool close_file() {
    if (!file_.is_open()) return true;
    const auto closed = file_.close();
    return closed || fail(closed.error(), "write the uploaded file", into_.files().back().path());
  }

  request& req_;
  const upload_bounds& bounds_;
  upload& into_;
  std::optional<wire::multipart_decoder> decoder_;  // of a form
  bool urlencoded_ = false;
  os::new_file file_;              // the one that is arriving, the last of into_
  std::string* field_ = nullptr;   // or the field
  std::uint64_t seen_ = 0, text_ = 0;
  std::size_t parts_ = 0;
  int status_ = 0;
  std::string why_;
  std::uint32_t fault_ = 0;
  const char* doing_ = "";
  std::string place_;
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_FEATURES

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE bool read_upload(request& req, const body_source& read, const upload_bounds& bounds, upload& into) {
  upload files;  // removed after the reader has closed the last of them: Windows does not remove what is open
  upload_reader reader(req, bounds, files);
  const bool whole = read([&reader](const char* bytes, std::size_t count) { return reader.take({bytes, count}); });
  reader.finish(whole);
  if (whole) into = std::move(files);
  return whole;
}

WINSVC_INLINE const upload_receiver& the_upload_receiver() noexcept {
  static const upload_receiver one{
      [](exchange& x, request& req, const body_source& read, const upload_bounds& bounds) {
        upload files;
        if (!read_upload(req, read, bounds, files)) return false;
        leave_upload(x, std::move(files));
        return true;
      }};
  return one;
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_FEATURES
