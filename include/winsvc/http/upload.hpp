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
// body of any other type as one file. The form's fields are values as ever (web/values.hpp: `winsvc::form<T>(req,
// ...)`). It runs when all of it has arrived; middleware before it can refuse it first, which costs no upload.
//
// The limits: the route's `limit_body` for all of it (default: the app's `limits().body_bytes`, 8 MiB), `limit_file`
// for each file (default: none of its own), 1,024 parts, 1 MiB of fields: more is 413. No room on the disk is 507, with
// a line in the log. Files lie in the service's data folder, in `uploads`, which is for the service alone; in debug in
// the same place; in tests, and where there is no data folder, in the system's temporary folder. A file that is not
// saved is removed with the last of its uploaded_file: when the handler returns or throws, when the client leaves. What
// a process that was killed has left there is removed at the next start.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/http/reply.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// A file of an upload could not be written or moved: what was being done, to what, and what the system said. One that
/// leaves a handler is a 507 when there is no room, else a 500; the log has its words.
class upload_error : public std::runtime_error {
 public:
  explicit upload_error(const error& e) : std::runtime_error(e.sentence()), code_(e.code) {}
  /// The system's own code.
  [[nodiscard]] std::uint32_t code() const noexcept { return code_; }
  /// Is the disk full, or a quota used up?
  [[nodiscard]] bool no_room() const noexcept { return os::means_full(code_); }

 private:
  std::uint32_t code_;
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
  ~uploaded_file() {
    if (temporary_) os::remove_file(path_);
  }

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
  void save_to(const std::string& path) {
    if (const auto moved = os::move_file(path_, path); !moved)
      throw upload_error({moved.error(), "save the uploaded file as", path, os::system_words(moved.error()), {}});
    path_ = path;
    temporary_ = false;
  }

  /// For who receives it (http/upload_reader.hpp): a file that is about to be made at `path`.
  uploaded_file(std::string name, std::string file_name, std::string content_type, std::string path)
      : name_(std::move(name)),
        file_name_(std::move(file_name)),
        content_type_(content_type.empty() ? "application/octet-stream" : std::move(content_type)),
        path_(std::move(path)) {}
  void made() noexcept { temporary_ = true; }
  void grow(std::uint64_t bytes) noexcept { size_ += bytes; }

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

/// A name for a file that is arriving: whose it is, and unlike all others.
[[nodiscard]] std::string temporary_name();
/// Removes what processes that are gone have left in this folder.
void drop_old_uploads(const std::string& folder) noexcept;

/// The upload of the request that this thread handles, for its handler; empty where no body came.
[[nodiscard]] upload take_upload();
/// Leaves it there.
void leave_upload(exchange& x, upload u);

// ---------------------------------------------------------------------------------------------------------------------

inline constexpr std::string_view upload_prefix = "upload-", upload_ending = ".part";

inline std::string temporary_name() {
  static const std::uint32_t salt = std::random_device{}();
  static std::atomic<std::uint64_t> count{0};  // relaxed: only its uniqueness matters
  char text[64];
  std::snprintf(text, sizeof text, "%lu-%08lx-%llu", static_cast<unsigned long>(os::process_id()),
                static_cast<unsigned long>(salt),
                static_cast<unsigned long long>(count.fetch_add(1, std::memory_order_relaxed) + 1));
  return std::string(upload_prefix) + text + std::string(upload_ending);
}

inline void drop_old_uploads(const std::string& folder) noexcept {
  try {
    const auto names = os::list_files(folder);
    if (!names) return;
    for (const auto& name : *names) {
      if (!text::starts_with(name, upload_prefix)) continue;
      const std::string_view rest = std::string_view(name).substr(upload_prefix.size());
      std::uint64_t owner = 0;
      if (!text::parse_number(rest.substr(0, rest.find('-')), 0xFFFFFFFF, owner)) continue;
      // A file with our own number is of one that had it before us: this is called before the first upload.
      const auto id = static_cast<std::uint32_t>(owner);
      if (id == os::process_id() || !os::process_exists(id)) os::remove_file(os::path_join(folder, name));
    }
  } catch (...) {  // out of memory: they are removed at another start
  }
}

inline const void* upload_key() noexcept {
  static const char one = 0;
  return &one;
}
inline upload take_upload() {
  auto& values = current_exchange()->values;
  const auto found = values.find(upload_key());
  if (found == values.end()) return {};
  const auto held = std::static_pointer_cast<upload>(found->second);
  values.erase(found);
  return std::move(*held);
}
inline void leave_upload(exchange& x, upload u) { x.values[upload_key()] = std::make_shared<upload>(std::move(u)); }

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
