// Files that a request brings, on disk before the handler runs and never in memory whole, however large they are.
//
//   svc.post("/photos", [folder](winsvc::upload form) {
//     auto& photo = form.file("photo");                       // 400 "the file 'photo' is missing"
//     photo.save_to(folder + "/" + photo.file_name());        // what nobody saves is removed
//     return winsvc::reply::redirect("/photos", 303);
//   }).limit_body(200 << 20).limit_file(50 << 20);
//   svc.put("/backups/{name}", [](std::string name, winsvc::upload sent) { sent.body().save_to(...); });
//
// A handler that takes `winsvc::upload` gets the parts of a form (multipart/form-data) that are files as files, and a
// body of any other type as one file. The form's fields are values as ever (api/values.hpp: `winsvc::form<T>(req,
// ...)`). It runs when all of it has arrived; middleware before it can refuse it first, which costs no upload.
//
// The limits: the route's `limit_body` for all of it (default: the app's `limits().body_bytes`, 8 MiB), `limit_file`
// for each file (default: none of its own), 1,024 parts, 1 MiB of fields: more is 413. No room on the disk is 507, with
// a line in the log. Files lie in the service's data folder, in `uploads`, which is for the service alone; in debug in
// the same place; in tests, and where there is no data folder, in the system's temporary folder. A file that is not
// saved is removed with the last of its uploaded_file: when the handler returns or throws, when the client leaves. What
// a process that was killed has left there is removed at the next start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/api/abort.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// A file of an upload could not be written or moved: what was being done, to what, and what the system said. One that
/// leaves a handler is a 507 when there is no room, else a 500; the log has its words.
class upload_error : public std::runtime_error {
 public:
  explicit upload_error(const error& e);
  /// The system's own code.
  [[nodiscard]] std::uint32_t code() const noexcept { return code_; }
  /// Is the disk full, or a quota used up?
  [[nodiscard]] bool is_disk_full() const noexcept { return no_room_; }

 private:
  std::uint32_t code_;
  bool no_room_;
};

/// One file that has arrived. It can be moved, and so outlive its request. Used by one thread at a time.
class uploaded_file {
 public:
  uploaded_file(uploaded_file&& other) noexcept { *this = std::move(other); }
  uploaded_file& operator=(uploaded_file&& other) noexcept {
    std::swap(name_, other.name_), std::swap(file_name_, other.file_name_);
    std::swap(content_type_, other.content_type_), std::swap(path_, other.path_);
    std::swap(size_, other.size_), std::swap(temporary_, other.temporary_);
    return *this;
  }
  ~uploaded_file();

  /// Of the form's field; "" for a file that is the body.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// As the client calls it, made safe (wire/file_name.hpp): never a path, "file" where there is none. Two clients may
  /// choose the same.
  [[nodiscard]] const std::string& file_name() const noexcept { return file_name_; }
  /// What the client says it is: believe it as far as you believe the client.
  [[nodiscard]] const std::string& content_type() const noexcept { return content_type_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// Where it lies now, closed: a temporary place until it is saved.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// Gives it its place, in a folder that is there, and in that of a file which has the name already: whoever reads
  /// sees the old one or the new one, whole. At once in the same volume; from another it is copied beside it first. The
  /// file stays readable by the service alone where files have modes. Throws upload_error, and is still temporary then.
  void save_to(const std::string& path);

  /// For who receives it (http/upload_reader.hpp): a file that is about to be made at `path`.
  uploaded_file(std::string name, std::string file_name, std::string content_type, std::string path)
      : name_(std::move(name)),
        file_name_(std::move(file_name)),
        content_type_(content_type.empty() ? "application/octet-stream" : std::move(content_type)),
        path_(std::move(path)) {}
  void create() noexcept { temporary_ = true; }
  void add_size(std::uint64_t bytes) noexcept { size_ += bytes; }

 private:
  std::string name_, file_name_, content_type_, path_;
  std::uint64_t size_ = 0;
  bool temporary_ = false;
};

/// What a request brought. A handler takes it by value, as its last argument.
class upload {
 public:
  /// All of them, in the order they were sent.
  [[nodiscard]] std::vector<uploaded_file>& files() noexcept { return files_; }
  [[nodiscard]] const std::vector<uploaded_file>& files() const noexcept { return files_; }

  /// The first file of the form's field with this name; null where there is none, or none was chosen.
  [[nodiscard]] uploaded_file* find_file(std::string_view name) noexcept {
    for (auto& one : files_) {
      if (one.name() == name) return &one;
    }
    return nullptr;
  }
  /// The same, and where there is none, 400 with a sentence.
  [[nodiscard]] uploaded_file& file(const std::string& name) {
    auto* const found = name.empty() ? nullptr : find_file(name);
    if (!found) abort(400, "the file '" + name + "' is missing; it is sent as a part of a multipart/form-data body");
    return *found;
  }
  /// The body as one file, where it was sent as no form. 400 where it was, or was empty.
  [[nodiscard]] uploaded_file& body() {
    auto* const found = find_file({});
    if (!found) abort(400, "the file is missing; it is sent as the body, and not as a form");
    return *found;
  }

 private:
  std::vector<uploaded_file> files_;
};

namespace http {

/// The upload of the request that this thread handles, for its handler; empty where no body came.
[[nodiscard]] upload make_upload();

/// How a body becomes an upload (http/upload_receiver.hpp). A route whose handler takes one names it, so that a program
/// without such a route does not link it.
struct upload_receiver;
[[nodiscard]] const upload_receiver& the_upload_receiver() noexcept;

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
