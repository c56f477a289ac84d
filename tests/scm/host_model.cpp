// Exhaustive check of the order in which the host reports states: an abstract model of host/service_host.hpp,
// host/runtime.hpp and host/control_tasks.hpp over the real lifecycle and the real control policy. It visits each
// interleaving of the service thread, the senders of controls, a worker that fails and a hook that was abandoned, with
// each outcome of each hook. Each step takes no time or all the time that it may take.
//
// The model does not run the host: tests/host/sequences.cpp does. It shows that the order itself has no fault.
#include "winsvc/scm/control_policy.hpp"
#include "winsvc/scm/lifecycle.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

using namespace winsvc::detail::scm;
using std::chrono::milliseconds;

namespace {

// Limits in units of time, here 1 ms each.
constexpr int start_limit = 6, stop_limit = 4, margin = 1, first_hint = 8, max_quiet_time = 60;
constexpr int start_hint = start_limit + margin, stop_hint = stop_limit + margin;
constexpr int start_hooks = 2, stop_hooks = 2, queue_size = 2;

/// The next step of the service thread.
enum class step : std::uint8_t {
  start, app, runtime, accept, next_start_hook, run_start_hook, bind, ready, workers, serve, next_hook, hook, task_end,
  stop, drain, join, next_stop_hook, run_stop_hook, release, finish, end
};
enum class task : std::uint8_t { none, pause, resume, event, custom, reload };
enum class sender : std::uint8_t { idle, signals, awaits_result };
enum class worker : std::uint8_t { runs, failed, signals, ended };

struct model_state {
  lifecycle machine{handled_controls{}};
  step next = step::start;
  task current = task::none;
  std::array<task, queue_size> queue{};
  sender control_sender = sender::idle;
  worker app_worker = worker::runs;
  std::uint8_t hook = 0, queued = 0, quiet_time = 0;
  bool token = false, failed = false, stuck = false, stop_is_pending = false, has_engine = false, has_workers = false;
  bool hooks_known = false, engine_paused = false, has_result = false, has_progressed = false, has_ghost = false;

  [[nodiscard]] state current_state() const { return machine.status().current; }
  [[nodiscard]] bool is_stopping() const {
    return current_state() == state::stop_pending || current_state() == state::stopped;
  }
};

handled_controls hooks() {
  handled_controls h;
  h.pause_continue = h.param_change = h.session_change = h.preshutdown = true;
  h.custom.set(0);
  return h;
}

std::string key_of(const model_state& s) {
  const service_status& status = s.machine.status();
  const std::uint8_t bytes[] = {
      static_cast<std::uint8_t>(status.current), static_cast<std::uint8_t>((std::min)(status.checkpoint, 2u)),
      static_cast<std::uint8_t>(status.wait_hint.count()), static_cast<std::uint8_t>(s.next),
      static_cast<std::uint8_t>(s.current), static_cast<std::uint8_t>(s.queue[0]),
      static_cast<std::uint8_t>(s.queue[1]),
      static_cast<std::uint8_t>(s.control_sender), static_cast<std::uint8_t>(s.app_worker), s.hook, s.queued,
      s.quiet_time,
      static_cast<std::uint8_t>(s.token | s.failed << 1 | s.stuck << 2 | s.stop_is_pending << 3 | s.has_engine << 4 |
                                s.has_workers << 5 | s.hooks_known << 6 | s.engine_paused << 7),
      static_cast<std::uint8_t>(s.has_result | s.has_progressed << 1 | s.has_ghost << 2)};
  return std::string(reinterpret_cast<const char*>(bytes), sizeof bytes);
}

/// The search: the open states, the visited ones with their predecessor, and the broken rules.
class search {
 public:
  void run() {
    add(model_state{}, "the service is created");
    for (std::size_t i = 0; i < states_.size(); ++i) {
      current_ = i;
      const model_state s = states_[i];
      check_invariants(s);
      step_service(s);
      step_sender(s);
      step_worker(s);
      if (s.has_ghost) {
        model_state n = s;
        if (report(n, lifecycle_event::progress, stop_hint)) add(n, "an abandoned hook reports progress");
      }
    }
    check_reachability_of_the_end();
  }
  [[nodiscard]] std::size_t size() const { return states_.size(); }
  [[nodiscard]] const std::map<std::string, std::pair<long, std::string>>& broken() const { return broken_; }

 private:
  struct origin {
    std::size_t previous;
    const char* label;
  };

  void add(const model_state& s, const char* label) {
    const auto [entry, is_new] = index_.emplace(key_of(s), states_.size());
    if (is_new) {
      states_.push_back(s);
      origins_.push_back({current_, label});
      predecessors_.emplace_back();
    }
    predecessors_[entry->second].push_back(static_cast<std::uint32_t>(current_));
  }
  void check(bool holds, const std::string& rule) {
    if (holds) return;
    auto& entry = broken_[rule];
    if (entry.first++ != 0) return;
    for (std::size_t i = current_; i != 0; i = origins_[i].previous)
      entry.second = std::string(origins_[i].label) + " | " + entry.second;
  }

  bool report(model_state& s, lifecycle_event event, int hint = 0, exit_status exit = {}) {
    const service_status before = s.machine.status();
    const auto after = s.machine.apply(event, milliseconds(hint), exit);
    if (!after) return false;
    const std::string name_before(name(before.current));
    check(!is_pending(before.current) || s.quiet_time <= before.wait_hint.count(),
          "no status within the wait hint in " + name_before);
    check(before.current != state::stopped, "a status after STOPPED");
    check(after->current != before.current || is_pending(after->current), "a settled state was reported twice");
    s.quiet_time = 0;
    return true;
  }
  static void pass(model_state& s, int time) {
    s.quiet_time = static_cast<std::uint8_t>((std::min)(s.quiet_time + time, max_quiet_time));
  }

  static void request_stop(search& self, model_state& s) {  // runtime::request_stop, under its lock
    self.report(s, lifecycle_event::stop, stop_hint);
  }

  /// Each end of a hook: it returns or throws, at once or late, hangs, or reports progress and goes on.
  template <class Then>
  void end_hook(const model_state& s, int limit, int progress_hint, const Then& then) {
    enum outcome { returned, threw, hung };
    for (const outcome o : {returned, threw, hung}) {
      for (const bool late : {false, true}) {
        if (o == hung && !late) continue;
        model_state n = s;
        if (late) pass(n, limit);
        n.has_progressed = false;
        if (o == hung) {
          n.stuck = n.has_ghost = true;
          if (!n.token) {
            n.failed = true;
            request_stop(*this, n);
            n.token = true;
          }
        }
        then(n, o == returned, o == hung);
        add(n, o == returned ? "a hook returns" : o == threw ? "a hook throws" : "a hook hangs");
      }
    }
    if (progress_hint == 0 || s.has_progressed) return;
    for (const bool late : {false, true}) {
      model_state n = s;
      if (late) pass(n, limit);
      n.has_progressed = true;
      report(n, lifecycle_event::progress, progress_hint);
      add(n, "a hook reports progress");
    }
  }

  void step_service(const model_state& s) {
    model_state n = s;
    switch (s.next) {
      case step::start: report(n, lifecycle_event::start, first_hint); return go(n, step::app, "START_PENDING");
      case step::app:
        n.failed = true;
        go(n, step::finish, "the app throws");
        return go(s, step::runtime, "the app returns");
      case step::runtime:
        if (n.stop_is_pending && decide_control(n.current_state(), {}, 1).event) {
          report(n, lifecycle_event::stop, stop_hint);
          n.token = true;
        }
        return go(n, step::accept, "the runtime exists");
      case step::accept:
        n.machine.hooks(hooks());
        n.hooks_known = true;
        report(n, lifecycle_event::progress, n.is_stopping() ? stop_hint : start_hint);
        go(n, step::next_start_hook, "the routes are frozen");
        n = s;
        n.failed = true;
        return go(n, step::stop, "out of memory");
      case step::next_start_hook:
        if (s.token) return go(n, step::stop, "the start sees the stop");
        if (s.hook == start_hooks) return go(n, step::bind, "the start hooks have run");
        if (s.hook != 0) report(n, lifecycle_event::progress, start_hint);
        return go(n, step::run_start_hook, "a start hook starts");
      case step::run_start_hook:
        return end_hook(s, s.is_stopping() ? stop_limit : start_limit, s.token ? stop_hint : start_hint,
                        [](model_state& m, bool returned, bool) {
          if (returned) ++m.hook;
          else if (!m.token) m.failed = true;
          m.next = returned ? step::next_start_hook : step::stop;
        });
      case step::bind:
        if (s.token) return go(n, step::stop, "the bind sees the stop");
        n.has_engine = true;
        go(n, step::ready, "the listener is bound");
        report(n, lifecycle_event::progress, start_hint);
        pass(n, 1);
        go(n, step::bind, "the bind is tried again");
        n = s;
        n.failed = n.has_engine = true;
        return go(n, step::stop, "the bind fails");
      case step::ready: {
        const bool is_running = report(n, lifecycle_event::ready);
        return go(n, is_running ? step::workers : step::stop, "RUNNING, unless it stops");
      }
      case step::workers:
        n.failed = true;
        go(n, step::stop, "no thread for a worker");
        n = s;
        n.has_workers = true;
        return go(n, step::serve, "the workers start");
      case step::serve: return serve(s);
      case step::next_hook: return next_hook(s);
      case step::hook: return run_hook(s);
      case step::task_end:
        report(n, lifecycle_event::progress, stop_hint);
        n.current = task::none;
        n.hook = 0;
        return go(n, step::serve, "a task ends");
      default: return step_stop(s);
    }
  }
  void go(model_state s, step next, const char* label) {
    s.next = next;
    add(s, label);
  }

  void serve(const model_state& s) {
    model_state n = s;
    if (s.is_stopping()) return go(n, step::stop, "the service thread sees the stop");
    if (s.queued == 0) return;
    n.current = s.queue[0];
    n.queue = {s.queue[1], task::none};
    --n.queued;
    n.hook = 0;
    n.engine_paused = n.engine_paused || n.current == task::pause;
    go(n, step::next_hook, "a task starts");
  }
  [[nodiscard]] static int hook_count(task t) { return t == task::pause || t == task::event ? 2 : 1; }

  void next_hook(const model_state& s) {
    model_state n = s;
    const bool is_last = s.hook == hook_count(s.current);
    if (!is_last && !s.is_stopping()) {
      if (s.hook != 0) report(n, lifecycle_event::progress, stop_hint);
      return go(n, step::hook, "a hook of the task starts");
    }
    const bool succeeded = is_last;
    if (s.current == task::pause) {
      n.engine_paused = succeeded;
      report(n, succeeded ? lifecycle_event::paused : lifecycle_event::hook_failed);
    } else if (s.current == task::resume) {
      if (succeeded) n.engine_paused = false;
      report(n, succeeded ? lifecycle_event::resumed : lifecycle_event::hook_failed);
    } else if (s.current == task::custom) {
      n.has_result = true;
    }
    go(n, step::task_end, "the hooks of a task have run");
  }
  void run_hook(const model_state& s) {
    const bool can_progress = s.current == task::pause || s.current == task::resume || s.current == task::reload;
    end_hook(s, stop_limit, can_progress ? stop_hint : 0, [this](model_state& m, bool returned, bool hung) {
      // The hooks of an event are independent; any other task ends with a hook that throws.
      if (returned || (m.current == task::event && !hung)) {
        ++m.hook;
        m.next = step::next_hook;
        return;
      }
      if (m.current == task::pause) {
        m.engine_paused = false;
        report(m, lifecycle_event::hook_failed);
      } else if (m.current == task::resume) {
        report(m, lifecycle_event::hook_failed);
      } else if (m.current == task::custom) {
        m.has_result = true;
      }
      m.next = step::task_end;
    });
  }

  void step_stop(const model_state& s) {
    model_state n = s;
    n.hook = 0;
    switch (s.next) {
      case step::stop:
        if (!report(n, lifecycle_event::stop, stop_hint)) report(n, lifecycle_event::progress, stop_hint);
        return go(n, s.has_engine ? step::drain : step::next_stop_hook, "the stop begins");
      case step::drain:
        for (const task queued : s.queue) n.has_result = n.has_result || queued == task::custom;
        n.queue = {};
        n.queued = 0;
        for (const bool late : {false, true}) {
          model_state m = n;
          if (late) pass(m, stop_limit);
          report(m, lifecycle_event::progress, stop_hint);
          go(m, step::join, "the requests are complete");
          m.stuck = true;
          if (late) go(m, step::join, "a request handler hangs");
        }
        return;
      case step::join:
        if (!s.has_workers) return go(n, step::next_stop_hook, "there are no workers");
        for (const bool late : {false, true}) {
          model_state m = n;
          if (late) pass(m, stop_limit);
          if (late) {
            m.stuck = true;
            go(m, step::next_stop_hook, "a worker hangs");
            m.stuck = s.stuck;
          }
          report(m, lifecycle_event::progress, stop_hint);
          if (s.app_worker == worker::runs || s.app_worker == worker::ended)
            go(m, step::next_stop_hook, "the workers are joined");
        }
        return;
      case step::next_stop_hook:
        n.hook = s.hook;
        return go(n, s.stuck || s.hook == stop_hooks ? step::release : step::run_stop_hook, "the next stop hook");
      case step::run_stop_hook:
        return end_hook(s, stop_limit, stop_hint, [this](model_state& m, bool, bool hung) {
          ++m.hook;
          m.next = hung ? step::release : step::next_stop_hook;
          if (!hung) report(m, lifecycle_event::progress, stop_hint);
        });
      case step::release:  // waits until no control uses the runtime
        if (s.control_sender == sender::idle) go(n, step::finish, "the runtime is destroyed");
        return;
      case step::finish: {
        const exit_status exit = s.failed ? failure_status(0) : exit_status{};
        if (!report(n, lifecycle_event::finished, 0, exit)) {
          report(n, lifecycle_event::stop, first_hint);
          report(n, lifecycle_event::finished, 0, exit);
        }
        return go(n, step::end, "STOPPED");
      }
      default: return;
    }
  }

  void step_sender(const model_state& s) {
    if (s.control_sender != sender::idle) {
      model_state n = s;
      n.control_sender = sender::idle;
      if (s.control_sender == sender::signals) n.token = n.token || s.is_stopping();
      else n.has_result = false;  // the sender has its result, or does not wait longer
      return add(n, "the sender of a control returns");
    }
    if (s.next == step::start) return;
    const bool has_runtime = s.next >= step::accept && s.next <= step::release;
    for (const std::uint32_t number : {1u, 2u, 3u, 4u, 5u, 6u, 14u, 15u, 128u, 99u}) {
      model_state n = s;
      if (!has_runtime) {
        const bool is_stop = decide_control(state::start_pending, {}, number).action == control_action::stop;
        if (!is_stop || s.stop_is_pending || s.next > step::runtime) continue;
        n.stop_is_pending = true;
        add(n, "a stop arrives before the runtime exists");
        continue;
      }
      const service_status before = s.machine.status();
      const auto decision = decide_control(before.current, s.hooks_known ? hooks() : handled_controls{}, number);
      const bool is_sent = !is_pending(before.current) && is_accepted(before.accepted, static_cast<control>(number));
      check(!is_sent || number == 99 || decision.return_code == 0, "an accepted control was rejected");
      if (decision.event) check(report(n, *decision.event, stop_hint), "the event of a control was illegal");
      if (decision.action == control_action::nothing) continue;
      if (decision.action == control_action::stop) {
        n.control_sender = sender::signals;
        add(n, "a stop arrives");
        continue;
      }
      if (n.queued == queue_size) continue;  // the bound of the model
      const task t = decision.action == control_action::pause    ? task::pause
                     : decision.action == control_action::resume ? task::resume
                     : decision.action == control_action::reload ? task::reload
                     : decision.action == control_action::custom ? task::custom
                                                                 : task::event;
      n.queue[n.queued++] = t;
      n.has_result = n.has_result && t != task::custom;
      n.control_sender = t == task::custom ? sender::awaits_result : sender::signals;
      add(n, "a control is queued");
    }
  }

  void step_worker(const model_state& s) {
    if (!s.has_workers || s.next > step::join) return;
    model_state n = s;
    switch (s.app_worker) {
      case worker::runs:
        n.app_worker = worker::failed;
        n.failed = true;
        return add(n, "a worker throws");
      case worker::failed:
        n.app_worker = worker::signals;
        request_stop(*this, n);
        return add(n, "a worker requests the stop");
      case worker::signals:
        n.app_worker = worker::ended;
        n.token = true;
        return add(n, "a worker signals the stop");
      case worker::ended: return;
    }
  }

  void check_invariants(const model_state& s) {
    const state now = s.current_state();
    const auto is_queued = [&s](task t) { return s.current == t || s.queue[0] == t || s.queue[1] == t; };
    check(now != state::pause_pending || is_queued(task::pause), "nothing ends PAUSE_PENDING");
    check(now != state::continue_pending || is_queued(task::resume), "nothing ends CONTINUE_PENDING");
    check(!s.token || s.is_stopping(), "a stop was signaled and not reported");
    const bool idle = s.next == step::serve && s.queued == 0;
    check(!idle || s.is_stopping() || now == state::running || now == state::paused, "an idle service is pending");
    check(!idle || now != state::running || !s.engine_paused, "a RUNNING service rejects requests");
    check(!idle || now != state::paused || s.engine_paused, "a PAUSED service serves requests");
    if (s.next != step::end) return;
    check(now == state::stopped, "the service ends without STOPPED");
    check(s.failed == s.machine.status().exit.failed(), "the exit code does not match the failure");
  }

  void check_reachability_of_the_end() {
    std::vector<bool> ends(states_.size());
    std::deque<std::size_t> open;
    for (std::size_t i = 0; i < states_.size(); ++i) {
      if (states_[i].next != step::end || states_[i].control_sender != sender::idle) continue;
      ends[i] = true;
      open.push_back(i);
    }
    for (; !open.empty(); open.pop_front()) {
      for (const std::uint32_t previous : predecessors_[open.front()]) {
        if (ends[previous]) continue;
        ends[previous] = true;
        open.push_back(previous);
      }
    }
    for (std::size_t i = 0; i < states_.size(); ++i) {
      current_ = i;
      check(ends[i], "the service cannot end");
    }
  }

  std::deque<model_state> states_;
  std::vector<origin> origins_;
  std::vector<std::vector<std::uint32_t>> predecessors_;
  std::unordered_map<std::string, std::size_t> index_;
  std::map<std::string, std::pair<long, std::string>> broken_;
  std::size_t current_ = 0;
};

}  // namespace

TEST_CASE("no interleaving of controls, hooks, workers and time breaks a rule of Windows, and each one can end") {
  search model;

  model.run();

  MESSAGE(model.size() << " states");
  CHECK(model.size() > 10'000);
  for (const auto& [rule, entry] : model.broken())
    FAIL_CHECK(rule << " (" << entry.first << " times), first after: " << entry.second);
}
