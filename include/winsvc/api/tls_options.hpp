// TLS options of a service: the file of certificate authorities (CA). A client must present a certificate that one of
// them has signed (mutual TLS).
//
//   winsvc::tls_options options;
//   options.client_authorities = "clients.pem";
//   svc.tls("cert.pem", "key.pem", options);
#pragma once

#include <string>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Options of `service::tls`.
struct tls_options {
  /// PEM file with the certificates of certificate authorities; a relative path starts at the folder of the executable.
  /// A client must present a certificate that one of them has signed. Default: empty, no client certificate is
  /// requested.
  std::string client_authorities;
};

namespace detail::api {

/// True if cpp-httplib is compiled with a TLS library.
#if WINSVC_TLS
inline constexpr bool has_tls = true;
#else
inline constexpr bool has_tls = false;
#endif

/// PEM files of a service, as absolute paths.
struct tls_files {
  std::string certificate, key, client_authorities;
};

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
