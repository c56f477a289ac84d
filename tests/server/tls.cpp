// HTTPS, with certificates that `openssl` makes here and a client that decides how its bytes are cut. In a program of
// its own, built with OpenSSL (the stage tls); without it, what is said then.
#include <winsvc/testing.hpp>

#include "../support/wait.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

#ifndef CPPHTTPLIB_OPENSSL_SUPPORT

TEST_CASE("without a TLS library, a certificate is refused in words") {
  const auto got = winsvc::http::tls_identity::load({"cert.pem", "key.pem", {}});

  REQUIRE_FALSE(got);
  CHECK(got.error().to_string() ==
        "use certificate 'cert.pem': cpp-httplib is built without TLS (50); define CPPHTTPLIB_OPENSSL_SUPPORT");
  CHECK_FALSE(winsvc::http::has_tls);
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
using winsvc::http::tls_files;
using winsvc::http::tls_identity;
using winsvc::os::transfer;
using winsvc::testing::parse_response;
using steady = std::chrono::steady_clock;

namespace {

/// Certificates of all kinds, made once, gone with the program.
struct certificates {
  std::filesystem::path folder;

  certificates() : folder(std::filesystem::temp_directory_path() / ("winsvc-tls-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder);
    authority("ca");
    leaf("one", "ca");
    leaf("two", "ca");
    leaf("anna", "ca");
    authority("other-ca");
    leaf("stranger", "other-ca");
    openssl("pkey -in one.key -aes128 -passout pass:x -out locked.key");
    openssl("rsa -in one.key -traditional -aes128 -passout pass:x -out locked-old.key");
    openssl("x509 -in one.pem -outform der -out one.der");
    openssl("ecparam -name prime256v1 -genkey -noout -out curve.key");
    write("words.key", "this is no key\n");
    write("chain.pem", read("one.pem") + read("ca.pem"));
    write("half-chain.pem", read("one.pem") + read("ca.pem").substr(0, 200));
  }
  ~certificates() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

  std::string path(const std::string& name) const { return (folder / name).string(); }
  tls_files files(const std::string& name) const { return {path(name + ".pem"), path(name + ".key"), {}}; }
  std::string read(const std::string& name) const { return winsvc::os::read_file(path(name)).value(); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }

 private:
  void openssl(const std::string& message) const {
    const std::string line = "cd '" + folder.string() + "' && openssl " + message + " >>log 2>&1";
    REQUIRE_MESSAGE(std::system(line.c_str()) == 0, message);
  }
  void authority(const std::string& name) const {
    openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -keyout " + name + ".key -out " + name + ".pem -subj /CN=" +
            name);
  }
  void leaf(const std::string& name, const std::string& by) const {
    openssl("req -newkey rsa:2048 -nodes -keyout " + name + ".key -out " + name + ".csr -subj /CN=" + name);
    openssl("x509 -req -in " + name + ".csr -CA " + by + ".pem -CAkey " + by + ".key -CAcreateserial -days 2 -out " +
            name + ".pem");
  }
};
const certificates& made() {
  static const certificates one;
  return one;
}

tls_files with_authorities(tls_files files, const std::string& name) {
  files.client_authorities = made().path(name);
  return files;
}

struct log_lines : winsvc::log_sink {
  void write(const winsvc::log_entry& e) noexcept override {
    const std::lock_guard lock(mutex);
    text += e.text + '\n';
  }
  std::string all() {
    const std::lock_guard lock(mutex);
    return text;
  }
  std::mutex mutex;
  std::string text;
};

struct served {
  winsvc::host::service_definition plan;
  std::unique_ptr<winsvc::http::engine> engine;

  explicit served(const std::function<void(service&)>& app, const tls_files& files = made().files("one")) {
    service svc(plan);
    app(svc);
    plan.router.freeze();
    engine = std::make_unique<winsvc::http::engine>(plan.router, plan.limits, plan.log);
    auto identity = tls_identity::load(files);
    REQUIRE(identity);
    engine->tls(*identity);
    REQUIRE(engine->bind("127.0.0.1", 0));
    engine->start();
  }
};

void hello(service& svc) {
  svc.get("/", [](const winsvc::request& req) {
    return winsvc::context(req).is_encrypted() ? "hello, quietly" : "hello, aloud";
  });
  svc.post("/echo", [](const winsvc::request& req) { return req.body; });
}

/// A client between whose TLS and whose socket stands memory, so that records can be cut anywhere.
struct speaker {
  winsvc::os::tcp_socket socket;
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL* ssl = nullptr;
  std::size_t piece = ~std::size_t{0};

  explicit speaker(const winsvc::os::endpoint& to) {
    auto opened = winsvc::os::tcp_socket::connect(to, 5s);
    REQUIRE(opened);
    socket = std::move(*opened);
    SSL_CTX_load_verify_locations(context, made().path("ca.pem").c_str(), nullptr);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }
  explicit speaker(const served& to) : speaker(to.engine->address()) {}
  ~speaker() {
    SSL_free(ssl);
    SSL_CTX_free(context);
  }
  speaker(const speaker&) = delete;
  speaker& operator=(const speaker&) = delete;

  void bring(const std::string& name) {
    SSL_CTX_use_certificate_file(context, made().path(name + ".pem").c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context, made().path(name + ".key").c_str(), SSL_FILETYPE_PEM);
  }
  /// False: the handshake failed.
  bool begin(SSL_SESSION* again = nullptr) {
    ssl = SSL_new(context);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (again) SSL_set_session(ssl, again);
    SSL_set_connect_state(ssl);
    return drive([this] { return SSL_do_handshake(ssl); }) == 1;
  }
  /// Runs a call of OpenSSL until it has what it wants, or the server has closed.
  int drive(const std::function<int()>& call) {
    for (;;) {
      ERR_clear_error();
      const int received = call();
      const int why = SSL_get_error(ssl, received);
      flush();
      if (received > 0 || why != SSL_ERROR_WANT_READ) return received;
      char bytes[16384];
      std::size_t count = 0;
      if (socket.receive(bytes, sizeof bytes, count, 10s) != transfer::done) return -1;
      BIO_write(SSL_get_rbio(ssl), bytes, static_cast<int>(count));
    }
  }
  void flush() {
    char bytes[16384];
    for (int n = 0; (n = BIO_read(SSL_get_wbio(ssl), bytes, sizeof bytes)) > 0;) {
      for (std::size_t position = 0, all = static_cast<std::size_t>(n); position < all;) {
        const auto count = (std::min)(piece, all - position);
        if (socket.send(bytes + position, count, 5s) != transfer::done) return;
        position += count;
        if (piece < all) std::this_thread::sleep_for(1ms);
      }
    }
  }
  void say(std::string_view text) {
    CHECK(drive([&] { return SSL_write(ssl, text.data(), static_cast<int>(text.size())); }) > 0);
  }
  /// At least one byte more; "" at the end.
  std::string hear() {
    char bytes[16384];
    const int n = drive([&] { return SSL_read(ssl, bytes, sizeof bytes); });
    return n > 0 ? std::string(bytes, static_cast<std::size_t>(n)) : std::string();
  }
  std::string hear_until(std::string_view mark) {
    std::string text;
    for (std::string more = hear(); !more.empty(); more = hear()) {
      text += more;
      if (text.find(mark) != std::string::npos) break;
    }
    return text;
  }
  bool said_goodbye() const { return (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0; }
  std::string peer_name() const {
    X509* const peer = SSL_get1_peer_certificate(ssl);
    char name[100] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, name, sizeof name);
    X509_free(peer);
    return name;
  }
};

const std::string get = "GET / HTTP/1.1\r\nHost: t\r\n\r\n";
const std::string last_get = "GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";

}  // namespace

TEST_CASE("a request is answered over TLS, and knows it; so does the address") {
  served s(hello);
  speaker c(s);
  REQUIRE(c.begin());

  c.say(get);
  std::string bytes = c.hear_until("hello");
  CHECK(parse_response(bytes).body == "hello, quietly");
  c.say(last_get);
  bytes = c.hear_until("hello");
  CHECK(parse_response(bytes).header("Connection") == "close");
  CHECK(c.hear().empty());
  CHECK(c.said_goodbye());
  CHECK(s.engine->address().url().find("https://127.0.0.1:") == 0);
}

TEST_CASE("records may come in any pieces, and many requests in one") {
  served s(hello);
  speaker c(s);
  c.piece = 3;
  REQUIRE(c.begin());

  c.say(get);
  std::string bytes = c.hear_until("quietly");
  CHECK(parse_response(bytes).status == 200);
  c.piece = ~std::size_t{0};
  c.say(get + get + last_get);
  for (std::string more = c.hear(); !more.empty(); more = c.hear()) bytes += more;
  for (int i = 0; i < 3; ++i) CHECK(parse_response(bytes).body == "hello, quietly");
}

TEST_CASE("megabytes go both ways") {
  served s(hello);
  speaker c(s);
  REQUIRE(c.begin());
  const std::string much(5'000'000, 'x');

  c.say("POST /echo HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: " + std::to_string(much.size()) +
        "\r\n\r\n");
  c.say(much);
  std::string bytes;
  for (std::string more = c.hear(); !more.empty(); more = c.hear()) bytes += more;
  CHECK(parse_response(bytes).body == much);
}

TEST_CASE("TLS 1.2 and 1.3 are spoken, nothing older") {
  served s(hello);
  for (const int version : {TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    speaker c(s);
    SSL_CTX_set_security_level(c.context, 0);
    SSL_CTX_set_min_proto_version(c.context, version);
    SSL_CTX_set_max_proto_version(c.context, version);
    CHECK(c.begin() == (version != TLS1_1_VERSION));
  }
}

TEST_CASE("plain HTTP is told, in plain HTTP, what is spoken here") {
  served s(hello);
  auto made_socket = winsvc::os::tcp_socket::connect(s.engine->address(), 5s);
  REQUIRE(made_socket);
  REQUIRE(made_socket->send(get.data(), get.size(), 5s) == transfer::done);

  std::string bytes;
  char buffer[1000];
  std::size_t count = 0;
  while (made_socket->receive(buffer, sizeof buffer, count, 5s) == transfer::done) bytes.append(buffer, count);
  const auto a = parse_response(bytes);
  CHECK(a.status == 400);
  CHECK(a.body.find("this port speaks HTTPS") != std::string::npos);
}

TEST_CASE("a client that says nothing, or half a greeting, or nonsense, is not waited for") {
  served s([](service& svc) {
    svc.limits().head_timeout = 200ms;
    hello(svc);
  });
  for (const auto& begin : {std::string(), std::string("\x16\x03\x01\x02", 4), std::string(600, '\x07')}) {
    const auto began = steady::now();
    auto opened = winsvc::os::tcp_socket::connect(s.engine->address(), 5s);
    REQUIRE(opened);
    if (!begin.empty()) opened->send(begin.data(), begin.size(), 5s);
    char buffer[1000];
    std::size_t count = 0;
    while (opened->receive(buffer, sizeof buffer, count, 5s) == transfer::done) {}
    CHECK(steady::now() - began < 3s);
  }
}

TEST_CASE("a drain does not wait for idle clients, and says goodbye to them") {
  served s(hello);
  speaker idle(s), shaking(s);
  REQUIRE(idle.begin());
  idle.say(get);
  idle.hear_until("quietly");

  const auto began = steady::now();
  const auto report = s.engine->drain(10s);
  CHECK(steady::now() - began < 2s);
  CHECK(report.aborted == 0);
  CHECK(idle.hear().empty());
  CHECK(idle.said_goodbye());
}

TEST_CASE("a stream notices a client that leaves with a goodbye") {
  std::atomic<bool> left{false};
  served s([&](service& svc) {
    svc.get("/", [&] {
      return winsvc::reply::events([&](winsvc::event_stream& out) {
        out.send("hello");
        while (out.wait_for(waiting::limit())) {}
        left = true;
      });
    });
  });
  speaker c(s);
  REQUIRE(c.begin());
  c.say(get);
  c.hear_until("hello");

  SSL_shutdown(c.ssl);
  c.flush();  // its socket stays open: the goodbye alone has to do
  waiting::wait_until([&] { return left.load(); }, "the stream to notice that the client has left");
}

TEST_CASE("a WebSocket sends while it receives, from two threads") {
  constexpr int rounds = 200;
  served s([&](service& svc) {
    svc.websocket("/", [&](winsvc::websocket& ws) {
      waiting::scoped_thread other("the thread that sends", [ws] {
        for (int i = 0; i < rounds; ++i) ws.send(std::string(2000, 'o'));
      });
      while (auto m = ws.receive()) ws.send(m->data);
      other.join();
    });
  });
  speaker c(s);
  REQUIRE(c.begin());
  c.say("GET / HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
  const std::string message("\x81\xFE\x03\xE8\0\0\0\0", 8);  // a mask of zeros
  for (int i = 0; i < rounds; ++i) c.say(message + std::string(1000, 'e'));

  std::string bytes;
  const std::size_t frames = rounds * (4 + 2000) + rounds * (4 + 1000);
  std::size_t head = std::string::npos;
  while (head == std::string::npos || bytes.size() < head + 4 + frames) {
    const std::string more = c.hear();
    REQUIRE_FALSE(more.empty());
    bytes += more;
    head = bytes.find("\r\n\r\n");
  }
  CHECK(std::count(bytes.begin() + static_cast<std::ptrdiff_t>(head), bytes.end(), 'o') == rounds * 2000);
  CHECK(std::count(bytes.begin() + static_cast<std::ptrdiff_t>(head), bytes.end(), 'e') == rounds * 1000);
}

TEST_CASE("clients bring a certificate where authorities are named, and may come back with their session") {
  served s(hello, with_authorities(made().files("one"), "ca.pem"));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    SSL_SESSION* session = nullptr;
    for (int i = 0; i < 2; ++i) {
      speaker anna(s);
      SSL_CTX_set_max_proto_version(anna.context, version);
      anna.bring("anna");
      REQUIRE(anna.begin(session));
      anna.say(last_get);
      CHECK(anna.hear_until("quietly").find(" 200 ") != std::string::npos);
      SSL_SESSION_free(std::exchange(session, SSL_get1_session(anna.ssl)));
    }
    SSL_SESSION_free(session);
    for (const char* const user : {"", "stranger"}) {
      speaker other(s);
      SSL_CTX_set_max_proto_version(other.context, version);
      if (*user != 0) other.bring(user);
      if (!other.begin()) continue;
      SSL_write(other.ssl, get.data(), static_cast<int>(get.size()));  // in 1.3 a client learns it after the handshake
      other.flush();
      CHECK(other.hear().empty());
    }
  }
}

TEST_CASE("the whole chain of a certificate file is sent") {
  served s(hello, {made().path("chain.pem"), made().path("one.key"), {}});
  speaker c(s);

  REQUIRE(c.begin());
  CHECK(sk_X509_num(SSL_get_peer_cert_chain(c.ssl)) == 2);
}

TEST_CASE("what cannot be used says which file, and what to do") {
  const auto& m = made();
  const struct { const char* name; tls_files files; const char* says; } cases[] = {
      {"no certificate", {m.path("none.pem"), m.path("one.key"), {}}, "none.pem': it cannot be read (2); check the"},
      {"no key", {m.path("one.pem"), m.path("none.key"), {}}, "none.key': it cannot be read (2); check the"},
      {"another's key", {m.path("one.pem"), m.path("two.key"), {}}, "its key, and are both files whole?"},
      {"a key of another kind", {m.path("one.pem"), m.path("curve.key"), {}}, "its key, and are both files whole?"},
      {"passphrase", {m.path("one.pem"), m.path("locked.key"), {}}, "it has a passphrase, and nobody is there to"},
      {"passphrase, old form", {m.path("one.pem"), m.path("locked-old.key"), {}}, "it has a passphrase"},
      {"DER", {m.path("one.der"), m.path("one.key"), {}}, "there is no certificate in PEM form in it"},
      {"words", {m.path("one.pem"), m.path("words.key"), {}}, "there is no private key in PEM form in it"},
      {"swapped", {m.path("one.key"), m.path("one.pem"), {}}, "there is no certificate in PEM form in it"},
      {"half a chain", {m.path("half-chain.pem"), m.path("one.key"), {}}, "are all certificates in it whole"},
      {"no authorities", with_authorities(m.files("one"), "none.pem"), "give a file of their certificates in PEM form"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.name);
    const auto result = tls_identity::load(c.files);
    REQUIRE_FALSE(result);
    CAPTURE(result.error().to_string());
    CHECK(result.error().to_string().find(c.says) != std::string::npos);
    CHECK(result.error().code != 0);
  }
}

TEST_CASE("a service with a certificate that cannot be used does not start, and says why") {
  auto lines = std::make_shared<log_lines>();
  auto app = [&](service& svc) {
    svc.name("t").listen("127.0.0.1", 0).tls(made().path("one.pem"), made().path("two.key"));
    svc.log().add_sink(lines);
  };
  winsvc::testing::simulated_scm scm;
  scm.start(app);

  CHECK(scm.wait() != 0);
  CHECK(lines->all().find("use certificate '" + made().path("one.pem")) != std::string::npos);
}

TEST_CASE("a reload takes new certificates for new connections, and keeps the old ones when they are no good") {
  const auto& m = made();
  m.write("now.pem", m.read("one.pem"));
  m.write("now.key", m.read("one.key"));
  auto lines = std::make_shared<log_lines>();
  auto app = [&](service& svc) {
    svc.name("t").listen("127.0.0.1", 0).tls(m.path("now.pem"), m.path("now.key"));
    svc.log().add_sink(lines);
    hello(svc);
  };
  winsvc::testing::simulated_scm scm;
  scm.start(app);
  const std::string url = scm.url();
  CHECK(url.find("https://") == 0);
  const winsvc::os::endpoint address{"127.0.0.1", static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)))};
  const auto wait_for = [&](const char* text) {
    return waiting::wait_until([&] { return lines->all().find(text) != std::string::npos; }, text);
  };
  speaker before(address);
  REQUIRE(before.begin());
  CHECK(before.peer_name() == "one");

  m.write("now.key", m.read("two.key"));  // the certificate is still the other one's
  CHECK(scm.reload() == 0);
  CHECK(wait_for("the certificate from before is used on"));
  speaker still(address);
  REQUIRE(still.begin());
  CHECK(still.peer_name() == "one");

  m.write("now.pem", m.read("two.pem"));
  CHECK(scm.reload() == 0);
  CHECK(wait_for("reloaded"));
  speaker after(address);
  REQUIRE(after.begin());
  CHECK(after.peer_name() == "two");
  before.say(last_get);
  CHECK(before.hear_until("quietly").find(" 200 ") != std::string::npos);
  scm.stop();
  CHECK(scm.wait() == 0);
}

TEST_CASE("paths are relative to the executable's folder") {
  winsvc::host::service_definition plan;
  service svc(plan);
  svc.tls("cert.pem", "/etc/key.pem");

  REQUIRE(plan.tls);
  CHECK(plan.tls->certificate ==
        winsvc::os::path_join(winsvc::os::folder_of(winsvc::os::executable_path()), "cert.pem"));
  CHECK(plan.tls->key == "/etc/key.pem");
  CHECK(plan.tls->client_authorities.empty());
  CHECK(plan.handled_controls().param_change);
  CHECK_THROWS_AS(svc.tls("cert.pem", ""), winsvc::setup_error);
}

#endif
