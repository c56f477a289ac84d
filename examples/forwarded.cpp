// Log sink of another library: forwards the log of the service to spdlog.
//
// winsvc.o and winsvc-mingw.o are the compiled part of winsvc; the comment in hello.cpp has their command lines.
//
//   g++ -std=c++17 -O2 -DSPDLOG_COMPILED_LIB -DSPDLOG_FMT_EXTERNAL -DWINSVC_SEPARATE=1 -Isingle_include -Iadapters -Ibuild/deps/include examples/forwarded.cpp winsvc.o -o forwarded -lspdlog -lfmt
//
//   $ ./forwarded debug
//   $ curl http://127.0.0.1:5016/
//   hello
//   $ curl http://127.0.0.1:5016/last          the last lines of the log, as spdlog formats them
//   [12:00:00.250] [info] listening on http://127.0.0.1:5016
//   [12:00:03.117] [warning] a client requested the greeting
//   [12:00:03.117] [info] GET /  200  122 B  247 us
//
// A dedicated thread calls the sink, never a thread that serves requests, so a slow sink does not delay requests. To
// compile for Windows with spdlog as header-only library, put its headers next to this file and omit
// -DSPDLOG_COMPILED_LIB, -DSPDLOG_FMT_EXTERNAL, -lspdlog and -lfmt.
#include <winsvc.hpp>
#include <winsvc/spdlog.hpp>  // adapters/winsvc/spdlog.hpp

#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>

void App(winsvc::service& svc) {
  svc.name("forwarded").listen("127.0.0.1", 5016);
  auto recent_lines = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(20);
  auto console = std::make_shared<spdlog::sinks::stdout_color_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("forwarded", spdlog::sinks_init_list{recent_lines, console});
  logger->set_pattern("[%T.%e] [%l] %v");
  svc.log_to(std::make_shared<winsvc::adapters::spdlog_sink>(logger));

  auto& log = svc.log();
  svc.get("/", [&log] {
    log.warn("a client requested the greeting");
    return "hello\n";
  });
  svc.get("/last", [recent_lines] {
    std::string text;
    for (const auto& line : recent_lines->last_formatted()) text += line;
    return text;
  });
}
WINSVC_MAIN(App)
