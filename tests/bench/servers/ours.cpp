// The engine, for tests/bench/engine.py and tests/budget/run.py:
//
//   ours PORT [access-log | json-access-log | metrics | host-check]
//
// It serves until its standard input closes. /allocations returns the number of allocations so far, except for those of
// the thread that writes the access log to its file.
#include <winsvc.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace {

std::atomic<long> allocations{0};
thread_local bool is_counted = true;  // false on the thread of the log

/// Writes the access log as a service does: through a queue to a file.
void add_access_log(winsvc::detail::server::engine& engine, winsvc::logger& log, winsvc::log_format format) {
  using namespace winsvc::detail;
  const std::string name = "access-log-" + std::to_string(os::process_id()) + ".log";
  const std::string path = os::path_join(os::temporary_folder(), name);
  winsvc::log_file_options options;
  options.format = format;
  log::async_sink::async_sink_options queue_options;
  queue_options.start_thread = [](std::function<void()> run) {
    return std::thread([run] {
      is_counted = false;
      run();
    });
  };
  auto queue = std::make_shared<log::async_sink>(std::move(queue_options));
  queue->add_sink(std::make_shared<log::rotating_file_sink>(path, options));
  os::remove_file(path);  // the open file stays writable
  log.add_sink(std::move(queue));
  engine.on_response([&log, format](const http::access_record& record) {
    host::log_response(log, record, host::access_log_form::with_client, format);
  });
}

void add_metrics(winsvc::detail::server::engine& engine, const winsvc::detail::route::table& routes) {
  const auto counts = std::make_shared<winsvc::detail::addons::request_counts>(routes);
  engine.on_response([counts](const winsvc::detail::http::access_record& record) {
    counts->count(record.route_id, record.method_id, record.status, record.duration);
  });
}

}  // namespace

void* operator new(std::size_t size) {
  if (is_counted) allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

int main(int count, char** arguments) {
  using winsvc::request;
  using winsvc::detail::route::method;
  const auto here = winsvc::source_location::current();
  winsvc::detail::http::router routes;
  winsvc::detail::wire::limits bounds;
  bounds.connections = 40'000;

  const std::string large(1024 * 1024, 'x');
  routes.add(method::get, "/", [] { return "hello world"; }, here);
  routes.add(
      method::get, "/json", [] { return winsvc::reply::with("{\"hello\":\"world\"}", "application/json"); }, here);
  routes.add(method::post, "/body", [](const request& req) { return std::to_string(req.body.size()); }, here);
  routes.add(method::get, "/allocations", [] { return std::to_string(allocations.load()); }, here);
  routes.add(method::get, "/request", [](const request& req) { return req.method; }, here);
  routes.add(method::get, "/item/{id}",
             winsvc::detail::api::make_sourced_handler(
                 [](int id, int page) { return std::to_string(id + page); }, winsvc::query("page")),
             here, std::make_shared<winsvc::detail::api::middleware_chain>());
  routes.add(method::get, "/large", [&large] { return large; }, here);
  winsvc::event_channel ticks;
  routes.add(method::get, "/events", [&ticks] { return winsvc::reply::events(ticks); }, here);
  routes.add(method::get, "/sleep", [] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return "slept";
  }, here);
  routes.add(method::get, "/compute", [] {  // 500 us of processor time
    const auto used = [] {
      timespec t{};
      ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
      return t.tv_sec * 1'000'000'000L + t.tv_nsec;
    };
    for (const auto deadline = used() + 500'000; used() < deadline;) {}
    return "computed";
  }, here);
  for (int i = 0; i < 1000; ++i) {
    routes.add(method::get, "/r" + std::to_string(i) + "/{id}", [](int id) { return std::to_string(id); }, here);
  }
  const std::string_view option = count > 2 ? arguments[2] : "";
  if (option == "host-check") routes.check_hosts(winsvc::detail::addons::host_names);  // as on a loopback address
  routes.freeze();

  winsvc::logger log;
  winsvc::detail::server::engine engine(routes, bounds, log);
  if (option == "access-log") add_access_log(engine, log, winsvc::log_format::text);
  if (option == "json-access-log") add_access_log(engine, log, winsvc::log_format::json);
  if (option == "metrics") add_metrics(engine, routes.table());
  const auto port = static_cast<std::uint16_t>(std::atoi(arguments[1]));
  if (const auto bound = engine.bind("127.0.0.1", port); !bound) {
    std::fprintf(stderr, "%s\n", bound.error().to_string().c_str());
    return 1;
  }
  engine.start();
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() != EOF) {}
}
