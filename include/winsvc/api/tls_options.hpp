// The options of HTTPS: `svc.tls(certificate, key, options)`.
#pragma once

#include <string>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

struct tls_options {
  /// Certificates of authorities, in one file: clients must bring a certificate that one of them has signed. Empty:
  /// clients bring none.
  std::string client_authorities;
};

namespace http {

#if WINSVC_TLS
inline constexpr bool has_tls = true;
#else
inline constexpr bool has_tls = false;
#endif

/// Where a service's certificate is: PEM files, their paths absolute.
struct tls_files {
  std::string certificate, key, client_authorities;
};

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
