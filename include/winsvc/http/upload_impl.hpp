// Implementation of api/upload.hpp: saves the files of an upload, and reads the upload of a request.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/api/handler.hpp"
#include "winsvc/api/upload.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Stores an upload in the exchange; extract_upload() moves it out for the handler.
void attach_upload(exchange& exchange, upload u);

}  // namespace detail::http

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_FEATURES

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE upload_error::upload_error(const error& e)
    : std::runtime_error(e.to_string()), code_(e.code), is_disk_full_(detail::os::is_disk_full_error(e.code)) {}

WINSVC_INLINE uploaded_file::~uploaded_file() {
  if (temporary_) detail::os::remove_file(path_);
}

WINSVC_INLINE void uploaded_file::save_to(const std::string& path) {
  std::string saved_path = path;
  if (const auto moved = detail::os::move_file(path_, path); !moved)
    throw upload_error(
        {moved.error(), "save the uploaded file as", path, detail::os::system_error_message(moved.error()), {}});
  temporary_ = false;
  path_.swap(saved_path);
}

namespace detail::http {

/// Key of the upload in exchange::values.
WINSVC_INLINE const void* upload_key() noexcept {
  static const char character = 0;
  return &character;
}

}  // namespace detail::http

namespace detail::api {

WINSVC_INLINE upload extract_upload(http::exchange& exchange) {
  auto& values = exchange.use_extras().values;
  const auto found = values.find(http::upload_key());
  if (found == values.end()) return {};
  const auto stored = std::static_pointer_cast<upload>(found->second);
  values.erase(found);
  return std::move(*stored);
}

WINSVC_INLINE std::vector<uploaded_file> take_files(argument_context& context, const std::string& name) {
  if (!context.files) context.files = extract_upload(context.call.exchange);
  std::vector<uploaded_file> taken;
  for (uploaded_file& file : context.files->files()) {
    if (file.name() == name && !file.path().empty()) taken.push_back(std::move(file));
  }
  return taken;
}

}  // namespace detail::api

namespace detail::http {

WINSVC_INLINE void attach_upload(exchange& exchange, upload u) {
  exchange.use_extras().values[upload_key()] = std::make_shared<upload>(std::move(u));
}

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_FEATURES
