// Allocations of the TLS library fail while it loads a certificate and while an engine serves a connection. The engine
// closes a connection that has failed, leaks nothing and serves the next client. About 40 positions in each run,
// different ones each time; WINSVC_EACH_ALLOCATION=1 tries all.
#include <winsvc/testing.hpp>

#if defined(CPPHTTPLIB_OPENSSL_SUPPORT) && defined(__linux__)

  #include "../support/test_folder.hpp"
  #include "../support/wait.hpp"

  #include <doctest/doctest.h>

  #include <atomic>
  #include <cstddef>
  #include <cstdlib>
  #include <memory>
  #include <new>
  #include <string>

  #include <fcntl.h>
  #include <sys/socket.h>
  #include <sys/time.h>
  #include <unistd.h>

using winsvc::detail::os::tcp_socket;
using winsvc::detail::server::tls_identity;

namespace {

/// The allocations with the numbers from `first` to `last` fail. The threads of the test's clients do not count.
std::atomic<long> number{0}, first{0}, last{-1};
/// The blocks that the other threads have allocated and not released.
std::atomic<long> blocks{0};
thread_local bool is_client = false;

bool fails_now() noexcept {
  if (is_client) return false;
  const long current = ++number;
  return current >= first && current <= last;
}
void* allocate(std::size_t size, const char*, int) {
  if (fails_now()) return nullptr;
  if (!is_client) ++blocks;
  return std::malloc(size);
}
void* reallocate(void* memory, std::size_t size, const char*, int) {
  if (fails_now()) return nullptr;
  if (!memory && !is_client) ++blocks;
  return std::realloc(memory, size);
}
void release(void* memory, const char*, int) {
  if (memory && !is_client) --blocks;
  std::free(memory);
}
/// Before the library allocates something, it accepts other functions.
const bool is_replaced = CRYPTO_set_mem_functions(&allocate, &reallocate, &release) == 1;

/// Calls `function` while allocations fail. Returns the number of allocations.
template <class Function>
long with_failures(long begin, long count, const Function& function) {
  number = 0;
  first = begin;
  last = begin + count - 1;
  function();
  first = 0;
  last = -1;
  return number;
}

/// Calls `attempt(first, count)` for some or all of the allocations that one call of it has.
template <class Attempt>
void for_positions(const Attempt& attempt) {
  attempt(0, 0);  // what is initialized once stays
  const long total = attempt(0, 0);
  REQUIRE(total > 100);
  const long stride = std::getenv("WINSVC_EACH_ALLOCATION") ? 1 : 1 + total / 40;
  for (const long count : {1L, 30L}) {
    for (long position = 1 + ::getpid() % stride; position <= total; position += stride) {
      INFO(count, " from allocation ", position, " of ", total, " on");
      attempt(position, count);
    }
  }
}

struct certificate {
  test_folder folder{"tls-sweep"};
  certificate() {
    const std::string command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
                                "-subj /CN=localhost -keyout '" + folder.name("key.pem") + "' -out '" +
                                folder.name("cert.pem") + "' >'" + folder.name("log") + "' 2>&1";
    REQUIRE(std::system(command.c_str()) == 0);
  }
  [[nodiscard]] winsvc::result<std::shared_ptr<tls_identity>> load() const {
    return tls_identity::load({folder.name("cert.pem"), folder.name("key.pem"), {}});
  }
};

/// The bytes that a client receives for a request; "" if the handshake fails.
std::string respond(const winsvc::detail::os::endpoint& address) {
  auto socket = tcp_socket::connect(address, waiting::limit());
  REQUIRE(socket);
  const int native = static_cast<int>(socket->native());
  ::fcntl(native, F_SETFL, ::fcntl(native, F_GETFL) & ~O_NONBLOCK);
  const timeval limit{30, 0};
  ::setsockopt(native, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  const std::unique_ptr<SSL, void (*)(SSL*)> session(SSL_new(context.get()), &SSL_free);
  SSL_set_fd(session.get(), native);
  const auto has_timed_out = [&](int result) { return SSL_get_error(session.get(), result) == SSL_ERROR_WANT_READ; };
  if (const int result = SSL_connect(session.get()); result != 1) {
    CHECK_MESSAGE(!has_timed_out(result), "the server does not close a connection whose handshake failed");
    return {};
  }
  const std::string request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  SSL_write(session.get(), request.data(), static_cast<int>(request.size()));
  std::string response;
  char part[4096];
  int count = 0;
  while ((count = SSL_read(session.get(), part, sizeof part)) > 0)
    response.append(part, static_cast<std::size_t>(count));
  CHECK_MESSAGE(!has_timed_out(count), "the server does not close a connection that failed");
  return response.substr(0, 15);
}

}  // namespace

TEST_CASE("a certificate is loaded after a failed allocation of the TLS library" * doctest::timeout(1800)) {
  REQUIRE(is_replaced);
  const certificate files;
  for_positions([&](long begin, long count) {
    const long total = with_failures(begin, count, [&] {
      try {
        static_cast<void>(files.load());
      } catch (const std::bad_alloc&) {
      }
    });
    const auto identity = files.load();
    CHECK_MESSAGE(identity, (identity ? "" : identity.error().to_string()));
    return total;
  });
}

TEST_CASE("an engine serves the next client after a failed allocation of the TLS library" * doctest::timeout(1800)) {
  REQUIRE(is_replaced);
  is_client = true;
  const winsvc::scope_exit reset([]() noexcept { is_client = false; });
  const certificate files;
  winsvc::detail::http::router router;
  winsvc::detail::wire::limits limits;
  limits.head_timeout = 2 * waiting::limit();  // a connection that hangs is a fault
  winsvc::logger log;
  router.add(winsvc::detail::route::method::get, "/", [] { return "hello"; }, winsvc::source_location::current());
  winsvc::detail::server::engine engine(router, limits, log);
  const auto identity = files.load();
  REQUIRE(identity);
  engine.tls(*identity);
  REQUIRE(engine.bind("127.0.0.1", 0));
  engine.start();

  long blocks_before = 0;
  for_positions([&](long begin, long count) {
    std::string response;
    const long total = with_failures(begin, count, [&] {
      response = respond(engine.address());
      waiting::wait_until([&] { return engine.connections() == 0; }, "the end of the connection");
    });
    const std::string complete = "HTTP/1.1 200 OK";
    CHECK(complete.compare(0, response.size(), response) == 0);
    CHECK(respond(engine.address()) == complete);
    waiting::wait_until([&] { return engine.connections() == 0; }, "the end of the connection");
    if (begin == 0) blocks_before = blocks;
    return total;
  });
  // Each thread keeps the texts of its last errors, about 10 blocks.
  CHECK(blocks < blocks_before + 200);
}

#endif
