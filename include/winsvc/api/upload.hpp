// Uploads: request bodies that are written to files while they arrive, so that large files do not occupy memory.
//
//   svc.post("/photos", [folder](winsvc::upload form) {
//     auto& photo = form.file("photo");                       // 400 "the file 'photo' is missing ..."
//     photo.save_to(folder + "/" + photo.file_name());        // files that are not saved are removed
//     return winsvc::reply::redirect("/photos", 303);
//   }).limit_body(200 << 20).limit_file(50 << 20);
//   svc.put("/backups/{name}", [](std::string name, winsvc::upload backup) { backup.body().save_to(...); });
//
// A handler with a `winsvc::upload` parameter receives the files of a form (multipart/form-data, RFC 7578), or a body
// of any other type as one file. The other fields of the form are available with `winsvc::form<T>(req, ...)`
// (api/values.hpp). The handler runs when the body is complete. Middleware runs before the body is read, so a rejected
// request does not cost an upload.
//
// Limits, otherwise 413: `limit_body` of the route for the body (default: `limits().body_bytes` of the app, 8 MiB),
// `limit_file` for each file (default: the limit of the body), 1,024 parts, 1 MiB for all fields. If the disk is full,
// the response is 507 and the log has a line.
//
// Temporary files are in the folder `uploads` in the data folder, to which only the service has access; in tests, and
// without a data folder, in the temporary folder of the system. The destructor of uploaded_file removes a file that was
// not saved, for example when the handler returns, when it throws, or when the client disconnects. Files of a process
// that was killed are removed at the next start.
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

/// A file of an upload could not be written or moved. The message contains the operation, the path and the message of
/// the system. If it leaves a handler, it is logged, and the response is 507 if the disk is full, otherwise 500.
class upload_error : public std::runtime_error {
 public:
  explicit upload_error(const error& e);
  /// Error code of the system: a Win32 error code or errno.
  [[nodiscard]] std::uint32_t code() const noexcept { return code_; }
  /// True if the disk is full or the quota is exceeded.
  [[nodiscard]] bool is_disk_full() const noexcept { return is_disk_full_; }

 private:
  std::uint32_t code_;
  bool is_disk_full_;
};

/// A file of an upload. Movable, so it can outlive the request. Not thread-safe: use it from one thread at a time.
class uploaded_file {
 public:
  uploaded_file(uploaded_file&& other) noexcept { *this = std::move(other); }
  uploaded_file& operator=(uploaded_file&& other) noexcept {
    std::swap(name_, other.name_);
    std::swap(file_name_, other.file_name_);
    std::swap(content_type_, other.content_type_);
    std::swap(path_, other.path_);
    std::swap(size_, other.size_);
    std::swap(temporary_, other.temporary_);
    return *this;
  }
  ~uploaded_file();

  /// Name of the form field; empty if the file is the body.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// File name that the client sent, sanitized (wire/file_name.hpp): it never contains a path, and is "file" if the
  /// client sent no name. It is not unique.
  [[nodiscard]] const std::string& file_name() const noexcept { return file_name_; }
  /// Content-Type that the client sent, not verified. Default: application/octet-stream.
  [[nodiscard]] const std::string& content_type() const noexcept { return content_type_; }
  /// Size in bytes.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// Path of the file, which is closed: a temporary path until the file is saved.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// Moves the file to `path` in an existing folder, and replaces an existing file atomically. On another volume, the
  /// file is first copied to a temporary file in the target folder. On POSIX systems, only the account of the service
  /// can read the file. Throws upload_error; the file is then still temporary.
  void save_to(const std::string& path);

  // For http/upload_reader.hpp, which writes the file.

  /// A file that will be created at `path`.
  uploaded_file(std::string name, std::string file_name, std::string content_type, std::string path)
      : name_(std::move(name)),
        file_name_(std::move(file_name)),
        content_type_(content_type.empty() ? "application/octet-stream" : std::move(content_type)),
        path_(std::move(path)) {}
  /// Marks the file as existing; the destructor then removes it unless it is saved.
  void create() noexcept { temporary_ = true; }
  void add_size(std::uint64_t bytes) noexcept { size_ += bytes; }

 private:
  std::string name_, file_name_, content_type_, path_;
  std::uint64_t size_ = 0;
  bool temporary_ = false;
};

/// The files of a request. A handler takes it by value, as its last parameter.
class upload {
 public:
  /// All files, in the order in which the client sent them.
  [[nodiscard]] std::vector<uploaded_file>& files() noexcept { return files_; }
  [[nodiscard]] const std::vector<uploaded_file>& files() const noexcept { return files_; }

  /// The first file of the form field with this name; null if the field is missing or the user selected no file.
  [[nodiscard]] uploaded_file* find_file(std::string_view name) noexcept {
    for (auto& file : files_) {
      if (file.name() == name) return &file;
    }
    return nullptr;
  }
  /// The first file of the form field with this name; aborts with 400 if there is no such file.
  [[nodiscard]] uploaded_file& file(const std::string& name) {
    auto* const found = name.empty() ? nullptr : find_file(name);
    if (!found) abort(400, "the file '" + name + "' is missing; send it as a part of a multipart/form-data body");
    return *found;
  }
  /// The body as a file; aborts with 400 if the body is a form or empty.
  [[nodiscard]] uploaded_file& body() {
    auto* const found = find_file({});
    if (!found) abort(400, "the file is missing; send it as the request body, not as a form");
    return *found;
  }

 private:
  std::vector<uploaded_file> files_;
};

namespace detail::http {
struct exchange;
struct upload_receiver;
}

namespace detail::api {

/// Moves the upload out of the exchange; empty if the request has no body.
[[nodiscard]] upload extract_upload(http::exchange& exchange);

/// Writes a body to files (http/upload_receiver.hpp). Only routes with an `upload` parameter refer to it, so that a
/// program without such a route does not link the code.
[[nodiscard]] const http::upload_receiver& the_upload_receiver() noexcept;

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
