// How the server hands a body to whatever reads it into files, without naming that (http/upload_reader.hpp).
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
namespace http {

/// How much of an upload is taken, in bytes, decompressed, and where to.
struct upload_limits {
  std::uint64_t body;
  std::uint64_t file;
  std::string folder;  ///< "": the system's temporary one
};

struct upload_receiver {
  /// Reads all of the body and leaves the upload for the handler. False: it did not arrive, or is not framed or coded
  /// as it says.
  bool (*receive)(exchange& exchange, request& req, const body_source& read, const upload_limits& bounds);
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
