// Upload receiver: pointer to the function that reads a body into files (http/upload_reader.hpp). Only a route whose
// handler takes an upload has one. So the linker omits the upload reader from a program without uploads.
#pragma once

#include <cstdint>
#include <string>

#include "winsvc/api/httplib.hpp"
#include "winsvc/api/upload.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/body_reader.hpp"
#include "winsvc/http/exchange.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::http {

/// Maximum sizes of an upload in decompressed bytes, and the folder of its files.
struct upload_limits {
  std::uint64_t body;
  std::uint64_t file;
  std::string folder;  ///< empty: the temporary folder of the system
};

struct upload_receiver {
  /// Reads the body to its end and stores the upload for the handler. Returns false if the body did not arrive, or if
  /// its framing or coding is invalid.
  bool (*receive)(exchange& exchange, request& req, const body_source& read, const upload_limits& limits);
};

}  // namespace detail::http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
