// Implementation of server/tls_identity.hpp: loads the certificate and the key with cpp-httplib's TLS library.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "winsvc/api/httplib.hpp"
#include "winsvc/api/tls_options.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/server/tls_identity.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SERVER
#if WINSVC_TLS
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

/// Removes the errors from the queue. Returns the first one; 0: the queue was empty.
WINSVC_INLINE std::uint64_t take_first_tls_error() noexcept {
  std::uint64_t first = 0;
  for (int i = 0; i < 16; ++i) {  // size of OpenSSL's queue
    const auto code = httplib::tls::get_error();
    if (code == 0) break;
    if (first == 0) first = code;
  }
  return first;
}

WINSVC_INLINE void clear_tls_errors() noexcept { static_cast<void>(take_first_tls_error()); }

WINSVC_INLINE std::string pop_tls_errors() {
  const auto first = take_first_tls_error();
  return first != 0 ? httplib::tls::error_string(first) : std::string();
}

WINSVC_INLINE tls_identity::~tls_identity() { httplib::tls::free_context(native_); }

WINSVC_INLINE result<std::shared_ptr<tls_identity>> tls_identity::load(const api::tls_files& files) {
  constexpr std::uint32_t not_found = base::win32_error::file_not_found, not_valid = base::win32_error::invalid_data;
  const auto fail = [](std::uint32_t code, const char* operation, const std::string& path, std::string message,
                          std::string hint) {
    return failure{error{code, operation, path, std::move(message), std::move(hint)}};
  };
  constexpr const char* read_hint = "check the path, and that the service account can read the file";

  const auto certificate = os::read_file(files.certificate);
  if (!certificate)
    return fail(not_found, "read certificate", files.certificate, "the file cannot be read", read_hint);
  const auto key = os::read_file(files.key);
  if (!key) return fail(not_found, "read key", files.key, "the file cannot be read", read_hint);
  if (certificate->find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    return fail(not_valid, "read certificate", files.certificate, "it contains no certificate in PEM format",
                "convert it: openssl x509 -inform der -in FILE -out cert.pem");
  }
  if (key->find("ENCRYPTED") != std::string::npos) {  // OpenSSL would prompt for the passphrase, and block
    return fail(not_valid, "read key", files.key, "the key has a passphrase, which a service cannot enter",
                "remove it: openssl pkey -in FILE -out key.pem; let only the service account read that file");
  }
  if (key->find("PRIVATE KEY-----") == std::string::npos) {
    return fail(not_valid, "read key", files.key, "it contains no private key in PEM format",
                "use the key file that was created with the certificate");
  }

  clear_tls_errors();
  const auto library_error = [](const char* default_message) {
    std::string message = pop_tls_errors();
    return message.empty() ? std::string(default_message) : message;
  };
  constexpr const char* rejected = "the TLS library rejected the file";
  std::shared_ptr<tls_identity> identity(new tls_identity(httplib::tls::create_server_context()));
  if (!identity->native())
    return fail(not_valid, "prepare TLS for", files.certificate, library_error("the TLS library failed"), {});
  {
    // First from memory, which checks that certificate and key match; below from the file, with the chain.
    const tls_identity trial(httplib::tls::create_server_context());
    if (!httplib::tls::set_server_cert_pem(trial.native(), certificate->c_str(), key->c_str(), "")) {
      return fail(not_valid, "use certificate", files.certificate, library_error(rejected),
                  "check that '" + files.key + "' is its key and that both files are complete");
    }
  }
  if (!httplib::tls::set_min_version(identity->native(), httplib::tls::Version::TLS1_2) ||
      !httplib::tls::set_server_cert_file(identity->native(), files.certificate.c_str(), files.key.c_str(), "")) {
    return fail(not_valid, "use certificate", files.certificate, library_error(rejected),
                "check that all certificates in it are complete and that the certificate of the service is the first");
  }
  if (!files.client_authorities.empty()) {
    if (!httplib::tls::set_client_ca_file(identity->native(), files.client_authorities.c_str(), nullptr)) {
      return fail(not_valid, "read client authorities", files.client_authorities, library_error(rejected),
                  "use a file with their certificates in PEM format");
    }
    httplib::tls::set_verify_client(identity->native(), true);
  #ifdef CPPHTTPLIB_OPENSSL_SUPPORT
    // Without a session id context, OpenSSL rejects a verified client that resumes its session.
    constexpr unsigned char name[] = {'w', 'i', 'n', 's', 'v', 'c'};
    SSL_CTX_set_session_id_context(static_cast<SSL_CTX*>(identity->native()), name, sizeof name);
  #endif
  }
  clear_tls_errors();
  return identity;
}

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#else
namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

WINSVC_INLINE void clear_tls_errors() noexcept {}
WINSVC_INLINE std::string pop_tls_errors() { return {}; }

WINSVC_INLINE tls_identity::~tls_identity() = default;

WINSVC_INLINE result<std::shared_ptr<tls_identity>> tls_identity::load(const api::tls_files& files) {
  return failure{error{base::win32_error::not_supported, "use certificate", files.certificate,
                       "cpp-httplib is built without TLS", "define CPPHTTPLIB_OPENSSL_SUPPORT"}};
}

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
#endif

#endif  // WINSVC_BODIES_SERVER
