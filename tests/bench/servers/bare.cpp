// The server of cpp-httplib, for tests/bench/engine.py: `bare PORT`. It has 64 threads, and TCP_NODELAY is set.
#include <httplib.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>

int main(int, char** arguments) {
  using httplib::Request;
  using httplib::Response;
  httplib::Server server;
  server.new_task_queue = [] { return new httplib::ThreadPool(64); };
  server.set_tcp_nodelay(true);
  server.set_keep_alive_max_count(1'000'000'000);
  const std::string large(1024 * 1024, 'x');
  server.Get("/", [](const Request&, Response& res) { res.set_content("hello world", "text/plain; charset=utf-8"); });
  server.Get("/json",
             [](const Request&, Response& res) { res.set_content("{\"hello\":\"world\"}", "application/json"); });
  server.Post("/body", [](const Request& req, Response& res) {
    res.set_content(std::to_string(req.body.size()), "text/plain; charset=utf-8");
  });
  server.Get("/large", [&](const Request&, Response& res) { res.set_content(large, "text/plain; charset=utf-8"); });
  server.Get("/sleep", [](const Request&, Response& res) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    res.set_content("slept", "text/plain; charset=utf-8");
  });
  server.Get("/compute", [](const Request&, Response& res) {
    const auto cpu_time = [] {
      timespec time{};
      ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
      return time.tv_sec * 1'000'000'000L + time.tv_nsec;
    };
    for (const auto deadline = cpu_time() + 500'000; cpu_time() < deadline;) {}
    res.set_content("computed", "text/plain; charset=utf-8");
  });
  std::puts("ready");
  std::fflush(stdout);
  server.listen("127.0.0.1", std::atoi(arguments[1]));
}
