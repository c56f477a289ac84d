// Drain of a service: completes the requests in flight, then joins the workers, within the deadlines of the stop. The
// rest is aborted, and each handler and worker that did not return is reported as soon as its limit has passed.
//
//   drainer drain(definition, *engine, workers.get(), deadlines, report_progress, report_incomplete);
//   drain.run();                          // on the service thread
//   drain.shorten();                      // from any thread, after deadlines.shorten()
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/duration.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/host/definition.hpp"
#include "winsvc/host/stop_deadlines.hpp"
#include "winsvc/host/worker_pool.hpp"
#include "winsvc/server/engine.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

class drainer {
 public:
  /// `workers` is null if the start failed before the workers. `on_progress` is called when a connection has closed
  /// after further responses, when the drain has ended, and when a worker has returned. `on_incomplete` receives a
  /// sentence for each handler or worker that did not return; its thread continues, so the objects that it uses must
  /// exist until the process ends.
  drainer(service_definition& definition, server::engine& engine, worker_pool* workers, const stop_deadlines& deadlines,
          std::function<void()> on_progress, std::function<void(std::string)> on_incomplete)
      : definition_(definition),
        engine_(engine),
        workers_(workers),
        stop_deadlines_(deadlines),
        on_progress_(std::move(on_progress)),
        on_incomplete_(std::move(on_incomplete)) {}

  /// Drains. Calls `on_incomplete` for the handlers before it waits for the workers, because the SCM may end the
  /// process first.
  void run();
  /// The deadlines were shortened: a drain and a join that are running end earlier. Safe to call from any thread.
  void shorten();

 private:
  void drain_engine();
  void join_workers();
  /// The part of the limit that has passed: less than the limit if a second stop request has shortened it.
  [[nodiscard]] std::string elapsed_text() const {
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(definition_.time->now() - start_time_);
    return base::duration_text((std::min)(limit_, elapsed));
  }

  service_definition& definition_;
  server::engine& engine_;
  worker_pool* const workers_;
  const stop_deadlines& stop_deadlines_;
  std::function<void()> on_progress_;
  std::function<void(std::string)> on_incomplete_;
  const clock::time_point start_time_ = definition_.time->now();
  const std::chrono::milliseconds limit_ = stop_deadlines_.next_step();
};

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::host {

WINSVC_INLINE void drainer::run() {
  drain_engine();
  if (workers_) join_workers();
}

WINSVC_INLINE void drainer::shorten() {
  const auto remaining = stop_deadlines_.next_step();
  engine_.shorten_drain(remaining);
  if (workers_) workers_->shorten_deadline(definition_.time->now() + remaining + std::chrono::seconds(1));
}

WINSVC_INLINE void drainer::drain_engine() {
  const auto drained = engine_.drain(limit_, on_progress_);
  on_progress_();
  base::attempt([&] {
    if (drained.completed == 0 && drained.aborted == 0) return;
    std::string summary =
        "drained " + std::to_string(drained.completed) + ", aborted " + std::to_string(drained.aborted);
    for (const auto& request : drained.aborted_requests)
      summary += (&request == &drained.aborted_requests.front() ? ": " : ", ") + request;
    definition_.log.info(std::move(summary));
  });
  if (drained.stuck_threads == 0) return;
  engine_.abandon_threads();
  std::string reason;
  base::attempt([&] {
    reason = base::counted(drained.stuck_threads, "request handler") + " did not return within " + elapsed_text();
  });
  on_incomplete_(std::move(reason));
}

/// A worker has until the deadline of the drain, and at least one second after the drain.
WINSVC_INLINE void drainer::join_workers() {
  const auto deadline = (std::min)(
      (std::max)(start_time_ + limit_, definition_.time->now() + std::chrono::seconds(1)), stop_deadlines_.end());
  workers_->join(deadline, on_progress_, [this](const worker& stuck) {
    std::string reason;
    base::attempt([&] { reason = "worker '" + stuck.name + "' did not return within " + elapsed_text(); });
    on_incomplete_(std::move(reason));
  });
}

}  // namespace detail::host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
