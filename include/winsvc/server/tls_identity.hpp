// The certificate and the key of an HTTPS listener, as cpp-httplib's TLS library has them (server/tls.hpp).
#pragma once

#include <memory>

#include "winsvc/api/tls_options.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

/// Certificate and key as the library has them: shared by the connections that began with them.
class tls_identity {
 public:
  /// The error names the file and what to do about it.
  [[nodiscard]] static result<std::shared_ptr<tls_identity>> load(const tls_files& from);
  ~tls_identity();
  tls_identity(const tls_identity&) = delete;
  tls_identity& operator=(const tls_identity&) = delete;

  [[nodiscard]] void* native() const noexcept { return native_; }

 private:
  explicit tls_identity(void* native) noexcept : native_(native) {}
  void* native_;
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
