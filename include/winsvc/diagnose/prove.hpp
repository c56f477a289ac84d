// The verb `prove`: checks each claim of winsvc about Windows with a temporary service on this machine.
//
//   const auto proofs = prover(context, folder, {}).run();
//
// The service has its own name, port and data folder and runs the app of diagnose/prove_app.hpp. Each step uses the
// code of the verbs. At the end, and after a failure, the service is removed. Claims that the system cannot show get a
// reason: Wine keeps no event log, does not run recovery actions and does not check rights.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/commandline/command.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/diagnose/proof.hpp"
#include "winsvc/diagnose/prove_app.hpp"
#include "winsvc/diagnose/prove_probe.hpp"
#include "winsvc/diagnose/prove_session.hpp"
#include "winsvc/diagnose/finding.hpp"
#include "winsvc/diagnose/live_query.hpp"
#include "winsvc/manage/install.hpp"
#include "winsvc/manage/install_plan.hpp"
#include "winsvc/manage/remove.hpp"
#include "winsvc/manage/send_control.hpp"
#include "winsvc/manage/start_stop.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

class prover : private prove_session {
 public:
  /// `context` is that of the temporary service; `data_folder` is its data folder; `port` is a free port.
  prover(manage::verb_context& context, std::string data_folder, std::uint16_t port, prove_probe probe = {})
      : prove_session(context, std::move(data_folder), port, std::move(probe)) {}

  /// Checks each claim. `on_proof` is called after each one.
  std::vector<proof> run(const std::function<void(const proof&)>& on_proof = {});

 private:
  void prove_installation();
  void prove_service();
  void prove_stop();
  void prove_failures();
  void prove_removal();

  outcome level(std::uint32_t number, const std::string& expected);
  outcome folder_is_closed();
  outcome event_is_readable();
  outcome drain();
  outcome restarts();
  outcome fails_to_start();
  outcome stops_with_code();
  outcome crash(std::string_view way);
  outcome recovers(const char* path, std::chrono::seconds limit);
};

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_DIAGNOSE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

WINSVC_INLINE std::vector<proof> prover::run(const std::function<void(const proof&)>& on_proof) {
  on_proof_ = on_proof;
  prove_installation();
  if (proofs_.front().verdict == verdict::yes) {
    prove_service();
    prove_stop();
    prove_failures();
    prove_removal();
  }
  return std::move(proofs_);
}

// -- installation --

WINSVC_INLINE prover::outcome prover::level(std::uint32_t number, const std::string& expected) {
  const auto service = open(os::access_rights::query_config);
  if (!service) return no(service.error().to_string());
  const bool is_lost_in_wine = has_wine() && number != scm::config_level_id::preshutdown;
  const auto found = context_.scm().query_level(service->get(), number);
  if (!found) {
    const std::string text =
        "configuration level " + std::to_string(number) + ": error " + std::to_string(found.error());
    return manage::is_level_unsupported(found.error()) || is_lost_in_wine ? hidden(text) : no(text);
  }
  const std::string text = scm::format_config_level(*found);
  if (text != expected && is_lost_in_wine)
    return hidden("Wine does not store configuration level " + std::to_string(number));
  return yes_if(text == expected, text);
}

WINSVC_INLINE prover::outcome prover::folder_is_closed() {
  if (has_wine()) return hidden("Wine does not check the rights of files");
  const auto security = context_.scm().query_folder_security(data_folder_);
  if (!security) return no("query the security of the folder: error " + std::to_string(security.error()));
  const auto writers = scm::group_names(scm::untrusted_writers(*security));
  return yes_if(writers.empty(), writers.empty() ? *security : "writable for " + base::join(writers, ", "));
}

WINSVC_INLINE void prover::prove_installation() {
  prove("install", "install creates the service and reports no error", [this] {
    commandline::install_options install;
    install.request.launch.instance = context_.spec().name.substr(context_.spec().name.find('$') + 1);
    install.request.launch.port = port_;
    const auto done = manage::installer(context_).run(install, options_);
    return done ? yes("service '" + context_.name() + "'") : no(done.error().to_string());
  });
  if (proofs_.front().verdict != verdict::yes) return;
  prove("install", "the account is a virtual account, and the path is quoted", [this] {
    const auto service = open(os::access_rights::query_config);
    if (!service) return no(service.error().to_string());
    const auto config = context_.scm().query_config(service->get());
    if (!config) return no("query the configuration: error " + std::to_string(config.error()));
    return yes_if(base::equal_nocase(config->account, "NT SERVICE\\" + context_.name()) && config->binary[0] == '"',
                 config->account + ", " + config->binary);
  });
  prove("install", "install again changes nothing", [this] {
    commandline::install_options install;
    install.must_exist = true;
    const auto before = query();
    const auto done = manage::installer(context_).run(install, options_);
    const bool is_unchanged = query().status.current == before.status.current;
    return yes_if(done && is_unchanged, done ? "accepted" : done.error().to_string());
  });
  prove("recovery", "the recovery actions are stored", [this] {
    const auto recovery = context_.spec().recovery.value_or(scm::default_recovery());
    return level(scm::config_level_id::failure_actions, scm::format_config_level(recovery));
  });
  prove("recovery", "an exit code other than 0 is a failure", [this] { return level(4, "yes"); });
  prove("rights", "the service has its own SID", [this] { return level(5, "unrestricted"); });
  prove("rights", "the process keeps one privilege", [this] { return level(6, "SeChangeNotifyPrivilege"); });
  prove("shutdown", "Windows waits for the service before it shuts down", [this] { return level(7, "30s"); });
  prove("rights", "other users cannot write to the data folder", [this] { return folder_is_closed(); });
  prove("events", "the event source is registered", [this] {
    const auto source = context_.scm().query_event_source(context_.name());
    if (!source) return no("query the event source: error " + std::to_string(source.error()));
    return yes_if(*source, *source ? "EventLog\\Application\\" + context_.name() : "there is no such source");
  });
}

// -- a running service --

WINSVC_INLINE prover::outcome prover::event_is_readable() {
  if (has_wine()) return hidden("Wine keeps no event log");
  const auto events = probe_.application_events();
  if (!events) return no("read the event log: error " + std::to_string(events.error()));
  constexpr auto id = static_cast<std::uint32_t>(scm::service_event::started);
  const std::string text = context_.name() + " listens on ", port = ':' + std::to_string(port_);
  std::string other = "there is no event of this source";
  for (const auto& event : *events) {
    if (!base::equal_nocase(event.source, context_.name())) continue;
    const std::string found = event.insertion_strings.empty() ? std::string() : event.insertion_strings.back();
    const bool is_start = event.id == id && base::starts_with(found, text) && found.find(port) != found.npos;
    other = "event " + std::to_string(event.id) + ": " + found;
    if (is_start) return yes(other);
  }
  return no(other);
}

WINSVC_INLINE void prover::prove_service() {
  prove("start", "RUNNING means serving: a request directly after start gets a response", [this] {
    const auto done = start();
    if (!done) return no(done.error().to_string());
    const auto response = probe_.get(port_, "/");
    return yes_if(response.status == 200 && response.body == "hello",
                 response.error.empty() ? "status " + std::to_string(response.status) : response.error);
  });
  prove("start", "the current directory is the folder of the program", [this] {
    const std::string folder = probe_.get(port_, "/folder").body;
    return yes_if(base::equal_nocase(folder, context_.defaults().program_folder), folder);
  });
  prove("port", "no second program can bind the port", [this] {
    const bool bound = probe_.can_listen(port_);
    return yes_if(!bound, bound ? "a second listener was accepted" : "a second listener was rejected");
  });
  prove("events", "the start is an event that can be read back", [this] { return event_is_readable(); });
  prove("controls", "a custom control reaches its hook", [this] {
    auto options = options_;
    options.number = 200;
    const auto sent = manage::send_control(context_, options);
    if (!sent) return no(sent.error().to_string());
    std::string received;
    for (int attempt = 0; attempt < 40 && received != "1"; ++attempt) {
      received = probe_.get(port_, "/control").body;
      if (received != "1") context_.time().sleep(std::chrono::milliseconds(50));
    }
    return yes_if(received == "1", "received " + received + " time(s)");
  });
  prove("controls", "a control without a hook is rejected", [this] {
    auto options = options_;
    options.number = 201;
    const auto sent = manage::send_control(context_, options);
    if (sent && has_wine()) return hidden("Wine does not return the code of the control handler");
    return yes_if(!sent, sent ? "it was accepted" : sent.error().to_string());
  });
  prove("pause", "a paused service sends 503, a resumed one 200", [this] {
    if (const auto done = manage::pause(context_, options_); !done) return no(done.error().to_string());
    const int paused = probe_.get(port_, "/").status;
    if (const auto done = manage::resume(context_, options_); !done) return no(done.error().to_string());
    const int resumed = probe_.get(port_, "/").status;
    return yes_if(paused == 503 && resumed == 200, std::to_string(paused) + ", then " + std::to_string(resumed));
  });
}

// -- stop and restart --

WINSVC_INLINE prover::outcome prover::drain() {
  constexpr std::size_t clients = 8;
  std::vector<prove_response> responses(clients);
  std::vector<std::thread> threads;
  const auto join = [&threads]() noexcept {
    for (auto& thread : threads) {
      if (thread.joinable()) thread.join();
    }
  };
  const scope_exit join_all(join);  // after an exception
  for (auto& response : responses) {
    threads.emplace_back([this, &response] {
      if (!base::attempt([&] { response = probe_.get(port_, "/slow"); })) response.error = "no memory";
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // each request is in its handler
  const auto done = stop();
  join();
  std::size_t complete = 0;
  std::string first_error;
  for (const auto& response : responses) {
    if (response.status == 200 && response.body == "complete") ++complete;
    else if (first_error.empty())
      first_error = response.error.empty() ? std::to_string(response.status) : response.error;
  }
  std::string text = std::to_string(complete) + " of " + std::to_string(clients) + " requests in flight were completed";
  if (!first_error.empty()) text += ": " + first_error;
  if (!done) return no(text + "; " + done.error().to_string());
  return yes_if(complete == clients, text);
}

WINSVC_INLINE prover::outcome prover::restarts() {
  constexpr int times = 5;
  for (int i = 0; i < times; ++i) {
    std::vector<os::tcp_socket> held;
    for (int client = 0; client < 5; ++client) {
      auto socket = os::tcp_socket::connect({"127.0.0.1", port_, false}, std::chrono::seconds(5));
      if (socket) held.push_back(*std::move(socket));
    }
    if (const auto done = manage::service_controller(context_).restart(options_); !done)
      return no("restart " + std::to_string(i + 1) + ": " + done.error().to_string());
    if (const auto response = probe_.get(port_, "/"); response.status != 200)
      return no("no response after restart " + std::to_string(i + 1) + ": " + response.error);
  }
  return yes(std::to_string(times) + " restarts with 5 open connections each");
}

WINSVC_INLINE void prover::prove_stop() {
  prove("restart", "restart works while clients hold connections", [this] { return restarts(); });
  prove("drain", "a stop completes the requests in flight", [this] { return drain(); });
  prove("drain", "STOPPED means that nothing accepts connections", [this] {
    const auto state = query().status.current;
    const auto response = probe_.get(port_, "/");
    return yes_if(state == scm::state::stopped && response.status == 0 && probe_.can_listen(port_),
                 response.error.empty() ? "a response after STOPPED" : response.error);
  });
}

// -- failures --

/// A start hook that throws: the verb must return its reason, and the service must stop with an exit code.
WINSVC_INLINE prover::outcome prover::fails_to_start() {
  auto options = options_;
  options.arguments = {std::string(prove_argument_fail)};
  const auto done = manage::service_controller(context_).start(options);
  if (done) return no("the start succeeded");
  const std::string message = done.error().to_string();
  const auto exit = query().status.exit;  // before recovery starts the service again, 2 s after its failure
  wait_for_recovery();
  if (!exit.failed()) return no("exit code 0: " + message);
  return yes_if(message.find(prove_failure) != message.npos, message);
}

WINSVC_INLINE prover::outcome prover::stops_with_code() {
  if (const auto done = start_unless_running(); !done) return no(done.error().to_string());
  probe_.get(port_, "/fail");
  if (!wait_for(scm::state::stopped, std::chrono::seconds(20))) return no("it did not stop within 20 s");
  const auto exit = query().status.exit;
  wait_for_recovery();
  return yes_if(exit.failed(), "exit code " + std::to_string(exit.code()));
}

WINSVC_INLINE prover::outcome prover::recovers(const char* path, std::chrono::seconds limit) {
  if (has_wine()) return hidden("Wine does not run recovery actions");
  if (const auto done = start_unless_running(); !done) return no(done.error().to_string());
  const auto before = query().pid;
  probe_.get(port_, path);
  const auto deadline = context_.time().now() + limit;
  while (context_.time().now() < deadline) {
    const auto now = query();
    if (now.pid != 0 && now.pid != before && now.status.current == scm::state::running)
      return yes("process " + std::to_string(before) + " was replaced by " + std::to_string(now.pid));
    context_.time().sleep(std::chrono::milliseconds(100));
  }
  return no("it was not started again within " + std::to_string(limit.count()) + " s");
}

WINSVC_INLINE prover::outcome prover::crash(std::string_view way) {
  if (const auto done = start_unless_running(); !done) return no(done.error().to_string());
  const auto before = query().pid;
  const std::string logs = os::path_join(data_folder_, "logs");
  const std::vector<std::string> before_it = probe_.list_dumps(logs);
  static_cast<void>(context_.scm().exit_code_of(before));  // opens the process, which Wine 8 keeps as running
  probe_.get(port_, "/crash/" + std::string(way));
  const auto has_ended = [&] { return query().pid != before || context_.scm().exit_code_of(before); };
  const auto deadline = context_.time().now() + std::chrono::seconds(30);
  while (!has_ended() && context_.time().now() < deadline) context_.time().sleep(std::chrono::milliseconds(100));
  if (!has_ended()) return no("the process did not end within 30 s");
  // Three dumps are kept, so their number does not rise forever. The name of a dump has its time and process.
  std::string dump;
  for (const auto& file : probe_.list_dumps(logs)) {
    if (std::find(before_it.begin(), before_it.end(), file) == before_it.end()) dump = file;
  }
  wait_for_recovery();
  const auto saved = context_.state();  // recovery may have started the next run, which keeps the reason
  const std::string reason = !saved ? "" : saved->failure.empty() ? saved->previous_failure : saved->failure;
  const bool has_reason = reason.find("crashed: ") != reason.npos;
  return yes_if(!dump.empty() && has_reason, "new minidump: " + (dump.empty() ? "none" : dump) +
                                                 "; the saved reason: " + (has_reason ? reason : "none"));
}

WINSVC_INLINE void prover::prove_failures() {
  prove("start", "a start that fails returns its reason and an exit code", [this] { return fails_to_start(); });
  prove("failure", "a service that fails stops with an exit code other than 0", [this] { return stops_with_code(); });
  prove("recovery", "a killed service is started again", [this] { return recovers("/end", std::chrono::seconds(30)); });
  prove("recovery", "a service that fails with an exit code is started again",
        [this] { return recovers("/fail", std::chrono::seconds(40)); });
  for (const auto way : crash_ways) {
    prove("crash", "a crash writes a minidump and its reason, and ends the process: " + std::string(way),
          [this, way] { return crash(way); });
  }
}

WINSVC_INLINE void prover::prove_removal() {
  prove("remove", "remove leaves no service, no event source, no state file and no open port", [this] {
    if (const auto done = manage::remove(context_, options_); !done) return no(done.error().to_string());
    const auto service = open(os::access_rights::query_status);
    if (service || service.error().code != base::win32_error::service_does_not_exist)
      return no("the service still exists");
    const auto source = context_.scm().query_event_source(context_.name());
    if (source && *source) return no("the event source still exists");
    if (os::read_file(os::path_join(data_folder_, "state.json"))) return no("the state file still exists");
    return yes_if(probe_.can_listen(port_), "the service is gone, and its port is free");
  });
}

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_DIAGNOSE
