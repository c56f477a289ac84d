// Forwarded: what the service logs goes to spdlog as well, where the rest of a program may log already.
//
// winsvc.o and winsvc-mingw.o hold what winsvc compiles once; the head of hello.cpp has their command lines.
//
//   g++ -std=c++17 -O2 -DSPDLOG_COMPILED_LIB -DSPDLOG_FMT_EXTERNAL -DWINSVC_SEPARATE=1 -Isingle_include -Ibuild/deps/include examples/forwarded.cpp winsvc.o -o forwarded -lspdlog -lfmt
//
//   $ ./forwarded debug
//   $ curl http://127.0.0.1:5016/
//   hello
//   $ curl http://127.0.0.1:5016/last          what spdlog made of the log's last lines
//   [12:00:00.250] [info] listening on http://127.0.0.1:5016
//   [12:00:03.117] [warning] somebody said hello
//   [12:00:03.117] [info] GET /  200  122 B  247 us
//
// The sink is called by a thread of its own, never by a request's: spdlog may be as slow as it likes. With a compiler
// for Windows, and spdlog's headers beside this file, leave out both -D and both -l.
#include <winsvc.hpp>

#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <exception>
#include <memory>
#include <string>
#include <utility>

/// Any log of your own is a class like this one.
class to_spdlog final : public winsvc::log_sink {
 public:
  explicit to_spdlog(std::shared_ptr<spdlog::logger> to) : to_(std::move(to)) {}

  void write(const winsvc::log_entry& entry) noexcept override {
    try {
      to_->log(entry.time, {}, level(entry.level), spdlog::string_view_t(entry.text));
    } catch (const std::exception&) {  // the log file has the line
    }
  }

 private:
  static spdlog::level::level_enum level(winsvc::log_level l) {
    switch (l) {
      case winsvc::log_level::debug: return spdlog::level::debug;
      case winsvc::log_level::info: return spdlog::level::info;
      case winsvc::log_level::warn: return spdlog::level::warn;
      case winsvc::log_level::error: break;
    }
    return spdlog::level::err;
  }
  std::shared_ptr<spdlog::logger> to_;
};

void App(winsvc::service& svc) {
  svc.name("forwarded").listen("127.0.0.1", 5016);
  auto last = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(20);
  auto screen = std::make_shared<spdlog::sinks::stdout_color_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("forwarded", spdlog::sinks_init_list{last, screen});
  logger->set_pattern("[%T.%e] [%l] %v");
  svc.log_to(std::make_shared<to_spdlog>(logger));

  auto& log = svc.log();
  svc.get("/", [&log] {
    log.warn("somebody said hello");
    return "hello\n";
  });
  svc.get("/last", [last] {
    std::string lines;
    for (const auto& line : last->last_formatted()) lines += line;
    return lines;
  });
}
WINSVC_MAIN(App)
