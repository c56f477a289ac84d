// Each allocation of an object with threads, sockets or files fails once. Afterwards the object works, and no
// descriptor is lost.
#include <winsvc/testing.hpp>

#include "../support/failing_allocations.hpp"
#include "../support/test_folder.hpp"

#if defined(__linux__) && !defined(WITH_OPERATOR_NEW_OF_SANITIZER)

  #include <doctest/doctest.h>

  #include <atomic>
  #include <chrono>
  #include <cstdint>
  #include <filesystem>
  #include <list>
  #include <memory>
  #include <string>
  #include <string_view>
  #include <system_error>

using namespace std::chrono_literals;
using failing_allocations::descriptors;
using failing_allocations::each_failure;
using failing_allocations::fixed_sink;
using failing_allocations::missing;
using failing_allocations::outcome;
using failing_allocations::sweep;
namespace hosts = winsvc::detail::host;
namespace os = winsvc::detail::os;
namespace scm = winsvc::detail::scm;

namespace {

const std::string long_text(40, 'x');

struct nothing {};

/// A sweep of an operation without an object, which may lose descriptors.
template <class Operation>
void sweep_descriptors(const std::string& name, const Operation& operation) {
  operation();  // what it initializes once stays
  sweep(name, [] { return std::make_unique<nothing>(); }, [&](nothing&) { return operation(); },
        [](nothing&) { return descriptors(); });
}

struct test_engine {
  winsvc::detail::http::router router;
  winsvc::detail::wire::limits limits;
  winsvc::logger log;
  std::unique_ptr<winsvc::detail::server::engine> engine;
  test_engine() {
    router.add(winsvc::detail::route::method::get, "/", [] { return "hello"; }, winsvc::source_location::current());
    router.add(winsvc::detail::route::method::get, "/timeout", [] { return "hello"; },
               winsvc::source_location::current());
    router.mutable_table(1, "timeout").metadata(1).timeout = 1h;
    log.add_sink(std::make_shared<fixed_sink>());
    engine = std::make_unique<winsvc::detail::server::engine>(router, limits, log);
  }
  [[nodiscard]] std::string respond() const {
    auto socket = os::tcp_socket::connect(engine->address(), waiting::limit());
    if (!socket) return "no connection";
    const std::string request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static_cast<void>(socket->send(request.data(), request.size(), waiting::limit()));
    std::string response;
    char part[4096];
    std::size_t count = 0;
    while (socket->receive(part, sizeof part, count, waiting::limit()) == os::transfer::done)
      response.append(part, count);
    return response.substr(0, 15);
  }
};

/// A port that is free now.
std::uint16_t free_port() {
  test_engine engine;
  REQUIRE(engine.engine->bind("127.0.0.1", 0));
  return engine.engine->address().port;
}

}  // namespace

TEST_CASE("no descriptor is lost if an allocation fails") {
  const test_folder folder("host-sweep");
  const std::string file = folder.name(long_text), inner = folder.name("inner");
  REQUIRE(os::replace_file(file, std::string(20'000, 'x')));
  sweep_descriptors("read_file", [&] { static_cast<void>(os::read_file(file)); });
  sweep_descriptors("list_files", [&] { static_cast<void>(os::list_files(folder.path.string())); });
  sweep_descriptors("input_file::open", [&] { static_cast<void>(os::input_file::open(file)); });
  sweep_descriptors("replace_file", [&] { static_cast<void>(os::replace_file(file, long_text)); });
  sweep_descriptors("remove_folder", [&] {
    std::filesystem::create_directories(inner + '/' + long_text);
    static_cast<void>(os::remove_folder(inner));
  });
  sweep_descriptors("interrupts", [] { const os::interrupts handled([](os::interruption) {}); });
  sweep_descriptors("crash_handler", [] { const os::crash_handler handler({}); });
  sweep_descriptors("control_channel::open", [address = folder.name("control.sock")] {
    return static_cast<bool>(os::control_channel::open(address, [](const auto&, const auto& write) { write("x"); }));
  });
}

TEST_CASE("an engine listens on its port and starts after a failed allocation") {
  const std::uint16_t port = free_port();
  sweep("engine::bind", [] { return std::make_unique<test_engine>(); },
        [&](test_engine& e) { return static_cast<bool>(e.engine->bind("localhost", port)); },
        [](test_engine& e) { return e.engine->address().text(); });
  const auto bound = [] {
    auto made = std::make_unique<test_engine>();
    REQUIRE(made->engine->bind("127.0.0.1", 0));
    return made;
  };
  sweep("engine::start", bound,
        [](test_engine& e) {
          try {
            e.engine->start();
          } catch (const std::system_error&) {  // no thread
            return false;
          }
          return true;
        },
        [](test_engine& e) { return e.respond(); });
}

TEST_CASE("a hook, a worker and a queue of controls work after a failed allocation") {
  sweep("hook_thread::run", [] { return std::make_unique<hosts::hook_thread>(winsvc::clock::system()); },
        [](hosts::hook_thread& hooks) { static_cast<void>(hooks.run([text = long_text] {}, 10s)); },
        [](hosts::hook_thread& hooks) {
          bool has_run = false;
          const auto result = hooks.run([&] { has_run = true; }, waiting::limit());
          const bool completed = has_run && result.outcome == hosts::hook_result::completed;
          return std::string(completed ? "completed" : "not completed");
        });

  struct test_workers {
    winsvc::stop_source begun;
    hosts::worker definition{long_text, [this](winsvc::stop_token stop) {
                               begun.request_stop();
                               stop.wait();
                             }};
    hosts::worker_pool workers{[](const hosts::worker&, const std::string&) {}, winsvc::clock::system()};
    ~test_workers() { stop(); }
    int stop() {
      int joined = 0;
      workers.request_stop();
      workers.join(winsvc::clock::system().now() + waiting::limit(), [&] { ++joined; }, [](const hosts::worker&) {});
      return joined;
    }
  };
  each_failure("worker_pool::start", [] { return std::make_unique<test_workers>(); },
               [](test_workers& w) { w.workers.start(w.definition); },
               [](test_workers& w, outcome result) {
                 if (result != outcome::completed) w.workers.start(w.definition);
                 return std::string(w.begun.token().wait_for(waiting::limit()) ? "" : "the worker has not begun");
               });

  sweep("control_results::add", [] { return std::make_unique<hosts::control_results>(); },
        [](hosts::control_results& results) { results.add(200, 5); },
        [](hosts::control_results& results) { return std::to_string(results.last(200).count); });
}

TEST_CASE("a stop that arrives before the runtime needs no memory") {
  hosts::control_forwarder controls;
  bool reached = false;
  const scm::control_event stop{static_cast<std::uint32_t>(scm::control::stop), 0, 0, {}, {}};
  const auto result = failing_allocations::run_with_failures(
      1, 1, [&] { static_cast<void>(controls.control(stop)); }, reached);

  CHECK(result == outcome::completed);
  CHECK_FALSE(reached);
}

TEST_CASE("the last failed request of the dashboard is one request if an allocation fails") {
  struct test_statistics {
    winsvc::detail::route::table table;
    hosts::route_statistics statistics{table};
    void record(const std::string& target, std::chrono::milliseconds time) {
      winsvc::detail::http::access_record record;
      record.method = target;
      record.target = target;
      record.id = target;
      record.status = 500;
      statistics.record(record, time);
    }
  };
  const auto with_failure = [] {
    auto made = std::make_unique<test_statistics>();
    made->record(std::string(40, 'a'), 1ms);
    return made;
  };
  const std::string next(40, 'b');
  each_failure("route_statistics::record", with_failure, [&](test_statistics& s) { s.record(next, 2ms); },
               [](test_statistics& s, outcome) {
                 const auto last = s.statistics.last_failure();
                 return last && last->method == last->target && last->target == last->id ? std::string() : last->target;
               });
}

TEST_CASE("a state file has the whole old state or the whole new state if an allocation fails") {
  struct test_state {
    test_folder folder{"host-sweep"};
    hosts::state_file file{winsvc::clock::system()};
    test_state() {
      file.set_folder(folder.path.string());
      file.write_end("an old failure that is longer than a short string", "");
    }
    ~test_state() { os::close_activity_file(); }
    [[nodiscard]] std::string content() const { return folder.content("state.json"); }
  };
  const std::string failure = "a new failure that is longer than a short string";
  each_failure("state_file::write_end", [] { return std::make_unique<test_state>(); },
               [&](test_state& s) { s.file.write_end(failure, ""); },
               [&](test_state& s, outcome result) {
                 if (result == outcome::threw) return missing(s.content(), "an old failure");
                 return missing(s.content(), failure);
               });
  each_failure("state_file::open", [] { return std::make_unique<test_state>(); },
               [](test_state& s) { s.file.open(); },
               [&](test_state& s, outcome result) {
                 if (result == outcome::threw) s.file.open();
                 return missing(s.content(), "an old failure");
               });
}

TEST_CASE("a changed settings file is reloaded although an allocation of the watcher failed") {
  /// Lets allocations of its thread fail from the first call on. The watcher calls it again after a failure.
  struct failing_clock final : winsvc::clock {
    failing_clock(long number, long failures) : first(number), count(failures) {}
    [[nodiscard]] time_point now() const noexcept override {
      failing_allocations::first_failing = calls++ == 0 ? first : 0;
      failing_allocations::failing_count = count;
      return winsvc::clock::now();
    }
    long first, count;
    mutable std::atomic<int> calls{0};
  };
  struct test_watcher {
    test_folder folder;
    failing_clock time;
    winsvc::stop_source reloaded;
    std::unique_ptr<hosts::settings_watcher> watcher;

    test_watcher(long number, long failures)
        : folder("watcher-sweep-" + std::to_string(number) + '-' + std::to_string(failures)), time(number, failures) {
      REQUIRE(os::replace_file(folder.name("hello.ini"), long_text));
      hosts::settings_watcher::callbacks functions;
      functions.reload = [this] {
        const std::string text = "reload " + long_text;
        reloaded.request_stop();
        return !text.empty();
      };
      watcher = std::make_unique<hosts::settings_watcher>(folder.name("hello.ini"), "old", std::move(functions), time);
    }
  };
  constexpr long beyond_last = 12;
  std::list<test_watcher> watchers;  // all at the same time, because one waits for 2 s after a failure
  for (const long failures : {1L, 30L}) {
    for (long number = 1; number <= beyond_last; ++number) watchers.emplace_back(number, failures);
  }
  for (auto& each : watchers) REQUIRE(each.watcher->start());
  for (auto& each : watchers) {
    INFO(each.folder.path.string());
    CHECK(each.reloaded.token().wait_for(waiting::limit()));
    if (each.time.first == 1) CHECK(each.time.calls == 2);
    if (each.time.first == beyond_last) CHECK(each.time.calls == 1);
  }
}

TEST_CASE("the sinks of a service receive its lines after a failed allocation") {
  struct test_definition {
    hosts::service_definition definition;
    std::shared_ptr<fixed_sink> sink = std::make_shared<fixed_sink>();
  };
  sweep("service::log_to", [] { return std::make_unique<test_definition>(); },
        [](test_definition& d) { winsvc::service(d.definition).log_to(d.sink); },
        [](test_definition& d) {
          d.definition.attach_log_sinks();
          d.definition.log.info(long_text);
          d.definition.log.flush();
          return d.sink->text();
        });
}

#endif
