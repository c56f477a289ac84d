// TLS: certificates that `openssl` creates here, and a client that decides where its records are divided. A separate
// program, built with OpenSSL (stage http-asan); without OpenSSL, it tests the error.
#include <winsvc/testing.hpp>

#include "../support/memory_sink.hpp"
#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

#ifndef CPPHTTPLIB_OPENSSL_SUPPORT

TEST_CASE("without a TLS library, a certificate is rejected with an error message") {
  const auto identity = winsvc::detail::server::tls_identity::load({"cert.pem", "key.pem", {}});

  REQUIRE_FALSE(identity);
  CHECK(identity.error().to_string() ==
        "use certificate 'cert.pem': cpp-httplib is built without TLS (50); define CPPHTTPLIB_OPENSSL_SUPPORT");
  CHECK_FALSE(winsvc::detail::api::has_tls);
}

#else

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

using namespace std::chrono_literals;
using winsvc::service;
using winsvc::detail::api::tls_files;
using winsvc::detail::server::tls_identity;
using winsvc::detail::os::transfer;
using winsvc::testing::parse_response;
using steady = std::chrono::steady_clock;

namespace {

/// Certificates of all kinds, created once and removed at the end of the program.
struct certificates {
  std::filesystem::path folder;

  certificates() : folder(std::filesystem::temp_directory_path() / ("winsvc-tls-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder);
    authority("ca");
    leaf("one", "ca");
    leaf("two", "ca");
    leaf("anna", "ca");
    authority("other-ca");
    leaf("untrusted", "other-ca");
    openssl("pkey -in one.key -aes128 -passout pass:x -out locked.key");
    openssl("rsa -in one.key -traditional -aes128 -passout pass:x -out locked-old.key");
    openssl("x509 -in one.pem -outform der -out one.der");
    openssl("ecparam -name prime256v1 -genkey -noout -out curve.key");
    write("words.key", "this is not a key\n");
    write("chain.pem", read("one.pem") + read("ca.pem"));
    write("half-chain.pem", read("one.pem") + read("ca.pem").substr(0, 200));
  }
  ~certificates() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

  std::string path(const std::string& name) const { return (folder / name).string(); }
  tls_files files(const std::string& name) const { return {path(name + ".pem"), path(name + ".key"), {}}; }
  std::string read(const std::string& name) const { return winsvc::detail::os::read_file(path(name)).value(); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }

 private:
  void openssl(const std::string& arguments) const {
    const std::string command = "cd '" + folder.string() + "' && openssl " + arguments + " >>log 2>&1";
    REQUIRE_MESSAGE(std::system(command.c_str()) == 0, arguments);
  }
  void authority(const std::string& name) const {
    openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -keyout " + name + ".key -out " + name + ".pem -subj /CN=" +
            name);
  }
  void leaf(const std::string& name, const std::string& authority_name) const {
    openssl("req -newkey rsa:2048 -nodes -keyout " + name + ".key -out " + name + ".csr -subj /CN=" + name);
    openssl("x509 -req -in " + name + ".csr -CA " + authority_name + ".pem -CAkey " + authority_name +
            ".key -CAcreateserial -days 2 -out " + name + ".pem");
  }
};
const certificates& test_certificates() {
  static const certificates instance;
  return instance;
}

tls_files with_authorities(tls_files files, const std::string& name) {
  files.client_authorities = test_certificates().path(name);
  return files;
}

struct tls_server {
  winsvc::detail::host::service_definition definition;
  std::unique_ptr<winsvc::detail::server::engine> engine;

  explicit tls_server(const std::function<void(service&)>& app,
                      const tls_files& files = test_certificates().files("one")) {
    service svc(definition);
    app(svc);
    definition.router.freeze();
    engine = std::make_unique<winsvc::detail::server::engine>(definition.router, definition.limits, definition.log);
    auto identity = tls_identity::load(files);
    REQUIRE(identity);
    engine->tls(*identity);
    REQUIRE(engine->bind("127.0.0.1", 0));
    engine->start();
  }
};

void hello(service& svc) {
  svc.get("/", [](const winsvc::request& req) {
    return winsvc::context(req).is_encrypted() ? "hello, encrypted" : "hello, plain";
  });
  svc.post("/echo", [](const winsvc::request& req) { return req.body; });
}

/// A client with memory between its TLS library and its socket, so that records can be divided anywhere.
struct tls_client {
  winsvc::detail::os::tcp_socket socket;
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL* ssl = nullptr;
  std::size_t max_chunk = ~std::size_t{0};

  explicit tls_client(const winsvc::detail::os::endpoint& server) {
    auto opened = winsvc::detail::os::tcp_socket::connect(server, 5s);
    REQUIRE(opened);
    socket = std::move(*opened);
    SSL_CTX_load_verify_locations(context, test_certificates().path("ca.pem").c_str(), nullptr);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }
  explicit tls_client(const tls_server& server) : tls_client(server.engine->address()) {}
  ~tls_client() {
    SSL_free(ssl);
    SSL_CTX_free(context);
  }
  tls_client(const tls_client&) = delete;
  tls_client& operator=(const tls_client&) = delete;

  void use_certificate(const std::string& name) {
    SSL_CTX_use_certificate_file(context, test_certificates().path(name + ".pem").c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context, test_certificates().path(name + ".key").c_str(), SSL_FILETYPE_PEM);
  }
  /// Returns false if the handshake failed.
  bool handshake(SSL_SESSION* session = nullptr) {
    ssl = SSL_new(context);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (session) SSL_set_session(ssl, session);
    SSL_set_connect_state(ssl);
    return drive([this] { return SSL_do_handshake(ssl); }) == 1;
  }
  /// Repeats a call of OpenSSL until it succeeds or fails, or the server has closed.
  int drive(const std::function<int()>& call) {
    for (;;) {
      ERR_clear_error();
      const int result = call();
      const int error = SSL_get_error(ssl, result);
      flush();
      if (result > 0 || error != SSL_ERROR_WANT_READ) return result;
      char bytes[16384];
      std::size_t count = 0;
      if (socket.receive(bytes, sizeof bytes, count, 10s) != transfer::done) return -1;
      BIO_write(SSL_get_rbio(ssl), bytes, static_cast<int>(count));
    }
  }
  void flush() {
    char bytes[16384];
    for (int n = 0; (n = BIO_read(SSL_get_wbio(ssl), bytes, sizeof bytes)) > 0;) {
      for (std::size_t position = 0, size = static_cast<std::size_t>(n); position < size;) {
        const auto count = (std::min)(max_chunk, size - position);
        if (socket.send(bytes + position, count, 5s) != transfer::done) return;
        position += count;
        if (max_chunk < size) std::this_thread::sleep_for(1ms);
      }
    }
  }
  void send(std::string_view text) {
    CHECK(drive([&] { return SSL_write(ssl, text.data(), static_cast<int>(text.size())); }) > 0);
  }
  /// Receives at least one byte; returns "" at the end.
  std::string receive() {
    char bytes[16384];
    const int n = drive([&] { return SSL_read(ssl, bytes, sizeof bytes); });
    return n > 0 ? std::string(bytes, static_cast<std::size_t>(n)) : std::string();
  }
  std::string receive_until(std::string_view mark) {
    std::string text;
    for (std::string bytes = receive(); !bytes.empty(); bytes = receive()) {
      text += bytes;
      if (text.find(mark) != std::string::npos) break;
    }
    return text;
  }
  bool received_close_notify() const { return (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0; }
  std::string peer_name() const {
    X509* const peer = SSL_get1_peer_certificate(ssl);
    char name[100] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, name, sizeof name);
    X509_free(peer);
    return name;
  }
};

const std::string get = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const std::string last_get = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

}  // namespace

TEST_CASE("a request is served over TLS, and request and address show it") {
  tls_server s(hello);
  tls_client c(s);
  REQUIRE(c.handshake());

  c.send(get);
  std::string bytes = c.receive_until("hello");
  CHECK(parse_response(bytes).body == "hello, encrypted");
  c.send(last_get);
  bytes = c.receive_until("hello");
  CHECK(parse_response(bytes).header("Connection") == "close");
  CHECK(c.receive().empty());
  CHECK(c.received_close_notify());
  CHECK(s.engine->address().url().find("https://127.0.0.1:") == 0);
}

TEST_CASE("records may be divided anywhere, and one record may contain several requests") {
  tls_server s(hello);
  tls_client c(s);
  c.max_chunk = 3;
  REQUIRE(c.handshake());

  c.send(get);
  std::string bytes = c.receive_until("encrypted");
  CHECK(parse_response(bytes).status == 200);
  c.max_chunk = ~std::size_t{0};
  c.send(get + get + last_get);
  for (std::string part = c.receive(); !part.empty(); part = c.receive()) bytes += part;
  for (int i = 0; i < 3; ++i) CHECK(parse_response(bytes).body == "hello, encrypted");
}

TEST_CASE("bodies of 5 MB are received and sent") {
  tls_server s(hello);
  tls_client c(s);
  REQUIRE(c.handshake());
  const std::string large(5'000'000, 'x');

  c.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " +
         std::to_string(large.size()) + "\r\n\r\n");
  c.send(large);
  std::string bytes;
  for (std::string part = c.receive(); !part.empty(); part = c.receive()) bytes += part;
  CHECK(parse_response(bytes).body == large);
}

TEST_CASE("TLS 1.2 and 1.3 are accepted, older versions are rejected") {
  tls_server s(hello);
  for (const int version : {TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    tls_client c(s);
    SSL_CTX_set_security_level(c.context, 0);
    SSL_CTX_set_min_proto_version(c.context, version);
    SSL_CTX_set_max_proto_version(c.context, version);
    CHECK(c.handshake() == (version != TLS1_1_VERSION));
  }
}

TEST_CASE("a plain HTTP request to a TLS port receives a 400 in plain HTTP") {
  tls_server s(hello);
  auto made_socket = winsvc::detail::os::tcp_socket::connect(s.engine->address(), 5s);
  REQUIRE(made_socket);
  REQUIRE(made_socket->send(get.data(), get.size(), 5s) == transfer::done);

  std::string bytes;
  char buffer[1000];
  std::size_t count = 0;
  while (made_socket->receive(buffer, sizeof buffer, count, 5s) == transfer::done) bytes.append(buffer, count);
  const auto response = parse_response(bytes);
  CHECK(response.status == 400);
  CHECK(response.body.find("this port requires HTTPS") != std::string::npos);
}

TEST_CASE("a client that sends nothing, half a ClientHello or invalid bytes is closed after the head timeout") {
  tls_server s([](service& svc) {
    svc.limits().head_timeout = 200ms;
    hello(svc);
  });
  for (const auto& first_bytes : {std::string(), std::string("\x16\x03\x01\x02", 4), std::string(600, '\x07')}) {
    const auto start = steady::now();
    auto opened = winsvc::detail::os::tcp_socket::connect(s.engine->address(), 5s);
    REQUIRE(opened);
    if (!first_bytes.empty()) opened->send(first_bytes.data(), first_bytes.size(), 5s);
    char buffer[1000];
    std::size_t count = 0;
    while (opened->receive(buffer, sizeof buffer, count, 5s) == transfer::done) {}
    CHECK(steady::now() - start < 3s);
  }
}

TEST_CASE("a drain does not wait for idle clients, and sends them close_notify") {
  tls_server s(hello);
  tls_client idle(s), connecting(s);
  REQUIRE(idle.handshake());
  idle.send(get);
  idle.receive_until("encrypted");

  const auto start = steady::now();
  const auto report = s.engine->drain(10s);
  CHECK(steady::now() - start < 2s);
  CHECK(report.aborted == 0);
  CHECK(idle.receive().empty());
  CHECK(idle.received_close_notify());
}

TEST_CASE("a stream detects a client that sends close_notify") {
  std::atomic<bool> closed{false};
  tls_server s([&](service& svc) {
    svc.get("/", [&] {
      return winsvc::reply::events([&](winsvc::event_stream& out) {
        out.send("hello");
        while (out.wait_for(waiting::limit())) {}
        closed = true;
      });
    });
  });
  tls_client c(s);
  REQUIRE(c.handshake());
  c.send(get);
  c.receive_until("hello");

  SSL_shutdown(c.ssl);
  c.flush();  // its socket stays open: only the record shows the close
  waiting::wait_until([&] { return closed.load(); }, "the stream to notice that the client has closed");
}

TEST_CASE("a subscriber of an event channel receives encrypted events and the end of the stream") {
  winsvc::event_channel channel;
  tls_server s([&](service& svc) { svc.get("/", [&] { return winsvc::reply::events(channel); }); });
  tls_client c(s), leaves(s);
  for (auto* client : {&c, &leaves}) {
    REQUIRE(client->handshake());
    client->send(get);
    client->receive_until("text/event-stream");
  }
  waiting::wait_until([&] { return channel.subscribers() == 2; }, "both clients to subscribe");
  channel.send("one");
  c.receive_until("data: one\n\n");
  leaves.receive_until("data: one\n\n");
  SSL_shutdown(leaves.ssl);
  leaves.flush();  // its socket stays open: only the record shows the close
  waiting::wait_until([&] { return channel.subscribers() == 1; }, "the channel to lose the client that has closed");
  channel.send(std::string(100'000, 'x'));  // several records
  c.receive_until("xxx\n\n");
  CHECK(s.engine->drain(waiting::limit()).aborted == 0);
  c.receive_until("0\r\n\r\n");
}

TEST_CASE("a WebSocket sends while it receives, from two threads") {
  constexpr int rounds = 200;
  tls_server s([&](service& svc) {
    svc.websocket("/", [&](winsvc::websocket& ws) {
      waiting::scoped_thread other("the thread that sends", [ws] {
        for (int i = 0; i < rounds; ++i) ws.send(std::string(2000, 'o'));
      });
      while (auto m = ws.receive()) ws.send(m->data);
      other.join();
    });
  });
  tls_client c(s);
  REQUIRE(c.handshake());
  c.send("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
  const std::string message("\x81\xFE\x03\xE8\0\0\0\0", 8);  // a mask of zeros
  for (int i = 0; i < rounds; ++i) c.send(message + std::string(1000, 'e'));

  std::string bytes;
  const std::size_t frames = rounds * (4 + 2000) + rounds * (4 + 1000);
  std::size_t head = std::string::npos;
  while (head == std::string::npos || bytes.size() < head + 4 + frames) {
    const std::string part = c.receive();
    REQUIRE_FALSE(part.empty());
    bytes += part;
    head = bytes.find("\r\n\r\n");
  }
  CHECK(std::count(bytes.begin() + static_cast<std::ptrdiff_t>(head), bytes.end(), 'o') == rounds * 2000);
  CHECK(std::count(bytes.begin() + static_cast<std::ptrdiff_t>(head), bytes.end(), 'e') == rounds * 1000);
}

TEST_CASE("clients must present a certificate if authorities are configured, and can resume their session") {
  tls_server s(hello, with_authorities(test_certificates().files("one"), "ca.pem"));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    SSL_SESSION* session = nullptr;
    for (int i = 0; i < 2; ++i) {
      tls_client anna(s);
      SSL_CTX_set_max_proto_version(anna.context, version);
      anna.use_certificate("anna");
      REQUIRE(anna.handshake(session));
      anna.send(last_get);
      CHECK(anna.receive_until("encrypted").find(" 200 ") != std::string::npos);
      SSL_SESSION_free(std::exchange(session, SSL_get1_session(anna.ssl)));
    }
    SSL_SESSION_free(session);
    for (const char* const user : {"", "untrusted"}) {
      tls_client other(s);
      SSL_CTX_set_max_proto_version(other.context, version);
      if (*user != 0) other.use_certificate(user);
      if (!other.handshake()) continue;
      SSL_write(other.ssl, get.data(), static_cast<int>(get.size()));  // TLS 1.3 rejects after the client's handshake
      other.flush();
      CHECK(other.receive().empty());
    }
  }
}

TEST_CASE("the complete chain of a certificate file is sent") {
  tls_server s(hello, {test_certificates().path("chain.pem"), test_certificates().path("one.key"), {}});
  tls_client c(s);

  REQUIRE(c.handshake());
  CHECK(sk_X509_num(SSL_get_peer_cert_chain(c.ssl)) == 2);
}

TEST_CASE("the error for an unusable file names the file and the remedy") {
  const auto& m = test_certificates();
  const struct { const char* name; tls_files files; const char* message; } cases[] = {
      {"no certificate", {m.path("none.pem"), m.path("one.key"), {}}, "none.pem': the file cannot be read (2); check"},
      {"no key", {m.path("one.pem"), m.path("none.key"), {}}, "none.key': the file cannot be read (2); check the"},
      {"another's key", {m.path("one.pem"), m.path("two.key"), {}}, "is its key and that both files are complete"},
      {"other key type", {m.path("one.pem"), m.path("curve.key"), {}}, "is its key and that both files are complete"},
      {"passphrase", {m.path("one.pem"), m.path("locked.key"), {}}, "the key has a passphrase, which a service cannot"},
      {"passphrase, old format", {m.path("one.pem"), m.path("locked-old.key"), {}}, "the key has a passphrase"},
      {"DER", {m.path("one.der"), m.path("one.key"), {}}, "it contains no certificate in PEM format"},
      {"text", {m.path("one.pem"), m.path("words.key"), {}}, "it contains no private key in PEM format"},
      {"swapped", {m.path("one.key"), m.path("one.pem"), {}}, "it contains no certificate in PEM format"},
      {"half a chain", {m.path("half-chain.pem"), m.path("one.key"), {}}, "check that all certificates in it are"},
      {"no authorities", with_authorities(m.files("one"), "none.pem"), "use a file with their certificates in PEM"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    const auto result = tls_identity::load(c.files);
    REQUIRE_FALSE(result);
    CAPTURE(result.error().to_string());
    CHECK(result.error().to_string().find(c.message) != std::string::npos);
    CHECK(result.error().code != 0);
  }
}

TEST_CASE("a service with an unusable certificate does not start, and logs the error") {
  auto lines = std::make_shared<log_support::memory_sink>();
  auto app = [&](service& svc) {
    svc.name("t").listen("127.0.0.1", 0).tls(test_certificates().path("one.pem"), test_certificates().path("two.key"));
    svc.log().add_sink(lines);
  };
  winsvc::testing::simulated_scm scm;
  scm.start(app);

  CHECK(scm.wait() != 0);
  CHECK(lines->all().find("use certificate '" + test_certificates().path("one.pem")) != std::string::npos);
}

TEST_CASE("a reload uses new certificates for new connections, and keeps the old ones if the new ones are invalid") {
  const auto& m = test_certificates();
  m.write("now.pem", m.read("one.pem"));
  m.write("now.key", m.read("one.key"));
  auto lines = std::make_shared<log_support::memory_sink>();
  auto app = [&](service& svc) {
    svc.name("t").listen("127.0.0.1", 0).tls(m.path("now.pem"), m.path("now.key"));
    svc.log().add_sink(lines);
    hello(svc);
  };
  winsvc::testing::simulated_scm scm;
  scm.start(app);
  const std::string url = scm.url();
  CHECK(url.find("https://") == 0);
  const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  const winsvc::detail::os::endpoint address{"127.0.0.1", port};
  const auto wait_for_log = [&](const char* text) {
    return waiting::wait_until([&] { return lines->all().find(text) != std::string::npos; }, text);
  };
  tls_client before(address);
  REQUIRE(before.handshake());
  CHECK(before.peer_name() == "one");

  m.write("now.key", m.read("two.key"));  // does not match the certificate
  CHECK(scm.reload() == 0);
  CHECK(wait_for_log("the previous certificate stays in use"));
  tls_client second(address);
  REQUIRE(second.handshake());
  CHECK(second.peer_name() == "one");

  m.write("now.pem", m.read("two.pem"));
  CHECK(scm.reload() == 0);
  CHECK(wait_for_log("reloaded"));
  tls_client after(address);
  REQUIRE(after.handshake());
  CHECK(after.peer_name() == "two");
  before.send(last_get);
  CHECK(before.receive_until("encrypted").find(" 200 ") != std::string::npos);
  scm.stop();
  CHECK(scm.wait() == 0);
}

TEST_CASE("paths of certificates are relative to the executable's folder") {
  winsvc::detail::host::service_definition definition;
  service svc(definition);
  svc.tls("cert.pem", "/etc/key.pem");

  REQUIRE(definition.tls);
  CHECK(
      definition.tls->certificate ==
      winsvc::detail::os::path_join(winsvc::detail::os::folder_of(winsvc::detail::os::executable_path()), "cert.pem"));
  CHECK(definition.tls->key == "/etc/key.pem");
  CHECK(definition.tls->client_authorities.empty());
  CHECK(definition.handled_controls().param_change);
  CHECK_THROWS_AS(svc.tls("cert.pem", ""), winsvc::setup_error);
}

#endif
