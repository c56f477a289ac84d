// TLS identity: the certificate and the private key of an HTTPS listener. server/tls.hpp loads them from their files.
#pragma once

#include <memory>

#include "winsvc/api/tls_options.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

/// Certificate and key in the form of the TLS library. Shared by the connections that started with them.
class tls_identity {
 public:
  /// Loads and checks the files. The error names the file and the remedy.
  [[nodiscard]] static result<std::shared_ptr<tls_identity>> load(const api::tls_files& files);
  ~tls_identity();
  tls_identity(const tls_identity&) = delete;
  tls_identity& operator=(const tls_identity&) = delete;

  /// Context of the TLS library, for example an SSL_CTX.
  [[nodiscard]] void* native() const noexcept { return native_; }

 private:
  explicit tls_identity(void* native) noexcept : native_(native) {}
  void* native_;
};

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
