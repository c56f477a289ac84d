// The life of a service while allocations fail: it starts or reports why not, serves, and stops. The process does not
// end early.
//
// It replaces operator new, which the sanitizers do too, so it does not run with them.
#include <winsvc/testing.hpp>

#include "../support/failing_allocations.hpp"

#if defined(__linux__) && !defined(WITH_OPERATOR_NEW_OF_SANITIZER)

  #include "../support/wait.hpp"

  #include <doctest/doctest.h>

  #include <arpa/inet.h>
  #include <fcntl.h>
  #include <sys/socket.h>
  #include <sys/wait.h>
  #include <unistd.h>

  #include <atomic>
  #include <chrono>
  #include <csignal>
  #include <cstdint>
  #include <cstdlib>
  #include <filesystem>
  #include <iterator>
  #include <memory>
  #include <new>
  #include <string>
  #include <string_view>
  #include <system_error>
  #include <thread>
  #include <utility>
  #include <vector>

namespace {

using namespace std::chrono_literals;
namespace scm = winsvc::detail::scm;

/// The allocations number `first_failing` to `last_failing` of this process fail. A child process sets them.
std::atomic<long> allocations{0}, first_failing{-1}, last_failing{-1};
std::atomic<bool> counts_allocations{true};
/// One of this number of allocations fails, at random; 0: none. A child process sets it.
std::atomic<std::uint32_t> failing_share{0};
/// Start value of the random numbers, and number of threads that have used it.
std::atomic<std::uint32_t> random_seed{0}, random_threads{0};

bool fails_at_random() noexcept {
  const auto share = failing_share.load(std::memory_order_relaxed);
  if (share == 0) return false;
  static thread_local std::uint32_t random = 0;
  if (random == 0) random = (random_seed + 0x9E3779B9u * ++random_threads) | 1u;
  random ^= random << 13;
  random ^= random >> 17;
  random ^= random << 5;
  return random % share == 0;
}

void* allocate(std::size_t size) {
  if (fails_at_random() || failing_allocations::fails_now()) return nullptr;
  if (const long last = last_failing.load(std::memory_order_relaxed); last >= 0 && counts_allocations) {
    const long number = allocations.fetch_add(1) + 1;
    if (number >= first_failing && number <= last) return nullptr;
  }
  return std::malloc(size == 0 ? 1 : size);
}

/// Sends a GET request and discards the response. It allocates no memory.
void request(int port) {
  const int s = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  constexpr char bytes[] = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  char response[4096];
  if (::connect(s, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(s, bytes, sizeof bytes - 1, MSG_NOSIGNAL) > 0) {
    while (::recv(s, response, sizeof response, 0) > 0) {}
  }
  ::close(s);
}

/// Starts a service, sends it a request and stops it.
void run_service() {
  const auto app = [](winsvc::service& svc) {
    svc.name("a service with a long name").listen("127.0.0.1", 0);
    svc.get("/", [] { return std::string(100, 'x'); });
    svc.on_start("the start hook", [](winsvc::start_context&) {});
    svc.on_stop("the stop hook", [] {});
    svc.worker("the worker", [](winsvc::stop_token stop) { stop.wait(); });
  };
  try {
    winsvc::host host(app);
    host.start();
    if (host.wait_until_serving(20s)) {
      const std::string url = host.url();
      const int port = std::atoi(url.c_str() + url.rfind(':') + 1);
      for (int i = 0; i < 3; ++i) request(port);
    }
    host.stop("a reason that is longer than a short string");
    static_cast<void>(host.wait());
  } catch (const std::exception&) {  // of the calls of this function, which may throw; the destructor stops the service
  }
}

/// Runs the verb `debug` of a service whose worker sends SIGTERM. An exception would end the process.
void run_in_terminal() noexcept {
  const auto app = [](winsvc::service& svc) {
    svc.name("a service with a long name").listen("127.0.0.1", 0);
    svc.get("/", [] { return "hello"; });
    svc.on_stop("the stop hook", [] {});
    svc.worker("the worker", [](winsvc::stop_token stop) {
      ::kill(::getpid(), SIGTERM);
      stop.wait();
    });
  };
  char name[] = "program", verb[] = "debug";
  char* arguments[] = {name, verb, nullptr};
  static_cast<void>(winsvc::run(2, arguments, app));
}

/// A dispatcher that keeps the handler of controls and the last reported state.
struct state_dispatcher : winsvc::detail::os::dispatcher {
  std::uint32_t register_handler(const std::string&, control_handler handler) override {
    handler_ = std::move(handler);
    return 0;
  }
  std::uint32_t set_status(const scm::service_status& status) noexcept override {
    last_state = status.current;
    return 0;
  }

 protected:
  control_handler handler_;
  std::atomic<scm::state> last_state{scm::state::none};
};

/// A dispatcher that sends STOP when the service is RUNNING. It allocates no memory after the service has started.
struct stopping_dispatcher final : state_dispatcher {
  std::uint32_t run(service_main entry) override {
    const std::vector<std::string> arguments{"a service with a long name"};
    waiting::scoped_thread sender("the sender of STOP", [this] {
      while (last_state != scm::state::running && last_state != scm::state::stopped) std::this_thread::sleep_for(1ms);
      if (last_state == scm::state::running)
        handler_({static_cast<std::uint32_t>(scm::control::stop), 0, 0, {}, {}});
    });
    counts_allocations = true;  // not those of this test
    entry(arguments);
    counts_allocations = false;
    if (last_state != scm::state::stopped) ::_exit(2);
    return 0;
  }
};

/// Dependencies of a service host without the files and the event log of the system.
winsvc::detail::host::service_host_dependencies dependencies_for(winsvc::detail::os::dispatcher& dispatcher,
                                                                 const std::string& data_folder) {
  winsvc::detail::host::service_host_dependencies dependencies{dispatcher};
  dependencies.data_folder = [data_folder](const std::string&) {
    return winsvc::detail::os::sys_result<std::string>(data_folder);
  };
  dependencies.report_event = [](const std::string&, scm::event_level, std::uint32_t, std::string_view) {};
  dependencies.service_environment = [](const std::string&) {
    return winsvc::detail::os::sys_result<std::vector<std::string>>(std::vector<std::string>());
  };
  dependencies.handle_crashes = false;
  dependencies.end_process = [](int) { ::_exit(3); };
  return dependencies;
}

/// Runs a service under a dispatcher; the process ends with 2 if the last state is not STOPPED. An exception ends it.
void run_under_dispatcher() noexcept {
  const winsvc::detail::api::app_factory app = [](winsvc::service& svc) -> std::shared_ptr<void> {
    svc.name("a service with a long name").listen("127.0.0.1", 0);
    svc.get("/", [] { return "hello"; });
    svc.on_start("the start hook", [](winsvc::start_context&) {});
    svc.on_stop("the stop hook", [] {});
    svc.worker("the worker", [](winsvc::stop_token stop) { stop.wait(); });
    return nullptr;
  };
  counts_allocations = false;
  stopping_dispatcher dispatcher;
  winsvc::detail::host::service_host host(app, {}, dependencies_for(dispatcher, ""));
  static_cast<void>(host.run());
}

/// Runs a function in a child process whose allocations `first` to `last` fail. Returns the status of waitpid();
/// `*count` is the number of allocations.
int run_in_child(void (*function)(), long first, long last, long* count) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::alarm(60);  // a child that hangs ends with SIGALRM
    const int discarded = ::open("/dev/null", O_WRONLY);
    ::dup2(discarded, STDOUT_FILENO);
    ::dup2(discarded, STDERR_FILENO);
    first_failing = first;
    last_failing = last;
    function();
    last_failing = -1;
    const long total = allocations;
    static_cast<void>(!::write(ends[1], &total, sizeof total));
    ::_exit(0);
  }
  ::close(ends[1]);
  static_cast<void>(!::read(ends[0], count, sizeof *count));
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

/// Socket between a test and its child process, and the folder of the child. The test sets them before the fork.
int child_socket = -1;
std::string child_folder;
std::chrono::seconds shortage_time{0};

/// A service with a route for each kind of response. Its hooks and its worker allocate no memory that they need.
void describe_busy_service(winsvc::service& svc) {
  svc.name("a service with a long name").listen("127.0.0.1", 0).access_log().metrics("/metrics");
  svc.log_file().max_file_bytes = 20'000;
  svc.log_file().daily = true;
  const auto greeting = svc.setting<std::string>("greeting", "a text that is longer than a short string", "a text");
  svc.get("/", [greeting] { return *greeting; });
  svc.group("/session", [](winsvc::route_group& group) {
    group.use(winsvc::sessions(std::string(32, 'k'))).use(winsvc::rate_limit(1e6, 1e6));
    group.get("", [](const winsvc::request& req) {
      winsvc::session::of(req).set("a name", "a value");
      return std::string(9000, 'x');
    });
  });
  svc.websocket("/websocket", [](winsvc::websocket& ws) {
    while (const auto message = ws.receive()) ws.send(message->data);
  });
  svc.post("/echo", [](const winsvc::request& req) { return req.body; });
  svc.post("/upload", [](winsvc::upload files) { return std::to_string(files.files().size()); });
  svc.get("/stream", [] {
    return winsvc::reply::stream("text/plain", [](winsvc::stream& out) {
      for (int i = 0; i < 3 && out.write("a part of a stream\n") && out.wait_for(1ms); ++i) {}
    });
  });
  static winsvc::event_channel channel;
  svc.get("/events", [] { return winsvc::reply::events(channel); });
  svc.on_pause([] {});
  svc.on_continue([] {});
  svc.on_reload([] {});
  svc.on_control(200, [] {});
  winsvc::logger& log = svc.log();
  svc.worker("the worker", [&log](winsvc::stop_token stop) {
    while (!stop.wait_for(5ms)) {
      try {
        log.info("a line that is longer than a short string");
        channel.send("an event that is longer than a short string");
      } catch (const std::bad_alloc&) {  // an exception in a worker would stop the service
      }
    }
  });
}

/// A dispatcher that makes allocations fail for `shortage_time` while it sends controls, then reports it to the test,
/// waits for the test and sends STOP.
struct shortage_dispatcher final : state_dispatcher {
  std::uint32_t run(service_main entry) override {
    const std::vector<std::string> arguments{"a service with a long name"};
    waiting::scoped_thread sender("the sender of controls", [this] { send_controls(); });
    entry(arguments);
    if (last_state != scm::state::stopped) ::_exit(2);
    return 0;
  }
  std::uint32_t set_status(const scm::service_status& status) noexcept override {
    if (status.current == scm::state::stopped && status.exit.code() != 0) ::_exit(4);
    return state_dispatcher::set_status(status);
  }

 private:
  void send(scm::control control) {
    try {
      handler_({static_cast<std::uint32_t>(control), 0, 0, {}, {}});
    } catch (const std::bad_alloc&) {  // the dispatcher of Windows catches it too
    }
  }
  void await(scm::state state) const {
    while (last_state != state && last_state != scm::state::stopped) std::this_thread::sleep_for(1ms);
  }
  void send_controls() {
    await(scm::state::running);
    char byte = 0;
    static_cast<void>(!::read(child_socket, &byte, 1));  // until the test has received a response
    failing_share = 50;
    constexpr scm::control controls[] = {scm::control::pause, scm::control::continue_control,
                                         scm::control::param_change, static_cast<scm::control>(200)};
    for (const auto end = waiting::steady::now() + shortage_time; waiting::steady::now() < end;) {
      for (const auto control : controls) {
        send(control);
        std::this_thread::sleep_for(30ms);
      }
    }
    failing_share = 0;
    if (last_state == scm::state::stopped) ::_exit(5);
    while (last_state != scm::state::running) {
      send(scm::control::continue_control);
      std::this_thread::sleep_for(10ms);
    }
    static_cast<void>(!::write(child_socket, &byte, 1));
    static_cast<void>(!::read(child_socket, &byte, 1));
    send(scm::control::stop);
  }
};

void run_in_shortage() noexcept {
  const winsvc::detail::api::app_factory app = [](winsvc::service& svc) -> std::shared_ptr<void> {
    describe_busy_service(svc);
    return nullptr;
  };
  shortage_dispatcher dispatcher;
  auto dependencies = dependencies_for(dispatcher, child_folder);
  dependencies.on_listening = [](const winsvc::detail::os::endpoint& address) {
    const std::uint16_t port = address.port;
    static_cast<void>(!::write(child_socket, &port, sizeof port));
  };
  winsvc::detail::host::service_host host(app, {}, std::move(dependencies));
  static_cast<void>(host.run());
}

/// Sends a request and receives until the response ends with a part of this text, or the connection ends. Returns the
/// bytes; "hung" if neither happens within 20 s.
std::string exchange(std::uint16_t port, const std::string& request, std::string_view end) {
  auto socket = winsvc::detail::os::tcp_socket::connect({"127.0.0.1", port}, 20s);
  if (!socket) return {};
  std::string response;
  if (socket->send(request.data(), request.size(), 20s) != winsvc::detail::os::transfer::done) return {};
  while (response.find(end) == response.npos) {
    char part[4096];
    std::size_t count = 0;
    const auto result = socket->receive(part, sizeof part, count, 20s);
    if (result == winsvc::detail::os::transfer::timed_out) return "hung";
    if (result != winsvc::detail::os::transfer::done) break;
    response.append(part, count);
  }
  return response;
}

}  // namespace

void* operator new(std::size_t size) {
  if (void* const memory = allocate(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

// All allocations one after the other: WINSVC_EACH_ALLOCATION=1. Otherwise about 40, different ones in each run.
TEST_CASE("while allocations fail, a service neither ends its process early nor hangs" * doctest::timeout(1800)) {
  struct scenario {
    const char* name;
    void (*function)();
  };
  for (const auto& each : {scenario{"host", run_service}, scenario{"debug", run_in_terminal},
                           scenario{"service", run_under_dispatcher}}) {
    long total = 0;
    REQUIRE(run_in_child(each.function, 0, 0, &total) == 0);  // none fails
    REQUIRE(total > 100);
    const long stride = std::getenv("WINSVC_EACH_ALLOCATION") ? 1 : 1 + total / 40;
    for (const long length : {1L, 30L}) {
      for (long first = 1 + ::getpid() % stride; first < total; first += stride) {
        long count = 0;
        const int status = run_in_child(each.function, first, first + length - 1, &count);
        CHECK_MESSAGE(status == 0, each.name, ": allocations ", first, " to ", first + length - 1, " of about ", total,
                      ": signal ", WTERMSIG(status), ", exit code ", WEXITSTATUS(status));
      }
    }
  }
}

// 5 s; WINSVC_MEMORY_SHORTAGE_SECONDS sets another time. A failure prints the seed of its random numbers;
// WINSVC_MEMORY_SHORTAGE_SEED repeats it. The order of the threads is not repeated.
TEST_CASE("while one of 50 allocations fails, a busy service with all controls does not stop, and serves afterwards") {
  const char* const seconds = std::getenv("WINSVC_MEMORY_SHORTAGE_SECONDS");
  shortage_time = std::chrono::seconds(seconds ? std::atoi(seconds) : 5);
  const char* const seed = std::getenv("WINSVC_MEMORY_SHORTAGE_SEED");
  random_seed = seed ? static_cast<std::uint32_t>(std::strtoul(seed, nullptr, 10))
                     : static_cast<std::uint32_t>(waiting::steady::now().time_since_epoch().count());
  INFO("WINSVC_MEMORY_SHORTAGE_SEED=", random_seed.load());
  child_folder = (std::filesystem::temp_directory_path() / ("winsvc-memory-" + std::to_string(::getpid()))).string();
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  child_socket = ends[1];
  pid_t child = ::fork();
  REQUIRE(child >= 0);
  const winsvc::scope_exit end_child([&]() noexcept {
    if (child > 0) {  // an assertion has failed
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
    std::error_code ignored;
    std::filesystem::remove_all(child_folder, ignored);
  });
  if (child == 0) {
    ::close(ends[0]);
    ::alarm(static_cast<unsigned>(shortage_time.count()) + 100);
    const int discarded = ::open("/dev/null", O_WRONLY);
    ::dup2(discarded, STDOUT_FILENO);
    run_in_shortage();
    ::_exit(0);
  }
  ::close(ends[1]);
  std::uint16_t port = 0;
  REQUIRE(::read(ends[0], &port, sizeof port) == sizeof port);

  const std::string fields = " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
  CHECK(exchange(port, "GET /livez" + fields + "\r\n", "\1").find("HTTP/1.1 200 ") == 0);
  static_cast<void>(!::send(ends[0], "s", 1, MSG_NOSIGNAL));

  std::atomic<bool> done{false};
  std::atomic<int> served{0}, hung{0};
  const std::string large(200'000, 'x');
  const auto post_request = [&](const std::string& target, const std::string& body) {
    return "POST " + target + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  const std::string frame = winsvc::testing::masked_frame(winsvc::detail::wire::opcode::text, large);
  const std::string websocket =
      "GET /websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
      frame + frame + winsvc::testing::masked_frame(winsvc::detail::wire::opcode::close, {});
  const std::pair<std::string, std::string> requests[] = {  // {request, the text after which its client leaves}
      {"GET /" + fields + "\r\n", "\1"},        {post_request("/echo", large), "\1"},
      {post_request("/upload", large), "\1"},   {"GET /stream" + fields + "\r\n", "\1"},
      {"GET /events" + fields + "\r\n", "data: "}, {"GET /readyz" + fields + "\r\n", "\1"},
      {"GET /missing" + fields + "\r\n", "\1"},  {"GET /metrics" + fields + "\r\n", "\1"},
      {"GET /session" + fields + "\r\n", "\1"},  {"GET /session" + fields + "Range: bytes=0-9,20-29\r\n\r\n", "\1"},
      {websocket, "\x88"}};
  {
    std::vector<waiting::scoped_thread> clients;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back("a client", [&, i] {
        for (std::size_t next = static_cast<std::size_t>(i); !done; ++next) {
          const auto& [request, end] = requests[next % std::size(requests)];
          const auto response = exchange(port, request, end);
          if (response == "hung") ++hung;
          if (response.find("HTTP/1.1 200 ") == 0) ++served;
        }
      });
    }
    char byte = 0;
    CHECK(::read(ends[0], &byte, 1) == 1);  // 0: the process has ended
    done = true;
  }
  CHECK(served > 50);
  CHECK(hung == 0);
  CHECK(exchange(port, "GET /livez" + fields + "\r\n", "\1").find("HTTP/1.1 200 ") == 0);
  CHECK(exchange(port, requests[1].first, "\1").find(large) != std::string::npos);
  static_cast<void>(!::send(ends[0], "s", 1, MSG_NOSIGNAL));
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  child = 0;
  ::close(ends[0]);
  CHECK_MESSAGE(status == 0, "signal ", WTERMSIG(status), ", exit code ", WEXITSTATUS(status));
}

#endif
