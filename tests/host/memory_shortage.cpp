// The life of a service while allocations fail: it starts or reports why not, serves, and stops. The process does not
// end early.
//
// It replaces operator new, which the sanitizers do too, so it does not run with them.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  #define WITH_OPERATOR_NEW_OF_SANITIZER
#elif defined(__has_feature)
  #if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    #define WITH_OPERATOR_NEW_OF_SANITIZER
  #endif
#endif

#if defined(__linux__) && !defined(WITH_OPERATOR_NEW_OF_SANITIZER)

  #include <winsvc/testing.hpp>

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
  #include <cstdlib>
  #include <memory>
  #include <new>
  #include <string>
  #include <string_view>
  #include <thread>
  #include <utility>
  #include <vector>

namespace {

using namespace std::chrono_literals;
namespace scm = winsvc::detail::scm;

/// The allocations number `first_failing` to `last_failing` of this process fail. A child process sets them.
std::atomic<long> allocations{0}, first_failing{-1}, last_failing{-1};
std::atomic<bool> counts_allocations{true};

void* allocate(std::size_t size) {
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

/// A dispatcher that sends STOP when the service is RUNNING, and keeps the last reported state. It allocates no memory
/// after the service has started.
struct stopping_dispatcher final : winsvc::detail::os::dispatcher {
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
  std::uint32_t register_handler(const std::string&, control_handler handler) override {
    handler_ = std::move(handler);
    return 0;
  }
  std::uint32_t set_status(const scm::service_status& status) noexcept override {
    last_state = status.current;
    return 0;
  }

 private:
  control_handler handler_;
  std::atomic<scm::state> last_state{scm::state::none};
};

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
  winsvc::detail::host::service_host_dependencies dependencies{dispatcher};
  dependencies.data_folder = [](const std::string&) {
    return winsvc::detail::os::sys_result<std::string>(std::string());
  };
  dependencies.report_event = [](const std::string&, scm::event_level, std::uint32_t, std::string_view) {};
  dependencies.service_environment = [](const std::string&) {
    return winsvc::detail::os::sys_result<std::vector<std::string>>(std::vector<std::string>());
  };
  dependencies.handle_crashes = false;
  dependencies.end_process = [](int) { ::_exit(3); };
  winsvc::detail::host::service_host host(app, {}, std::move(dependencies));
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

#endif
