// TLS identity: the certificate and the private key of an HTTPS listener.
//
//   const auto identity = tls_identity::load({"cert.pem", "key.pem", {}});
//   engine.tls(*identity);             // for new connections
//
// The certificate file contains the certificate of the service first, then those of the intermediate authorities. The
// key has no passphrase, because a service cannot prompt for one: restrict the file to the service account. A reload
// (PARAMCHANGE) reads both files again for new connections. If they are invalid, the error is logged and the old ones
// stay in use.
#pragma once

#include <memory>
#include <string>

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

/// Clears the error queue of the TLS library for this thread, so that an old error is not taken for a new one. Needs no
/// memory.
void clear_tls_errors() noexcept;
/// The same. Returns the first message.
[[nodiscard]] std::string pop_tls_errors();

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
