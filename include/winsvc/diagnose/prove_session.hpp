// Session of the verb `prove`: controls the temporary service and records the result of each check.
//
//   prove("port", "no second program can bind the port", [this] { return yes_if(!probe_.can_listen(port_), ...); });
//
// The class prover (diagnose/prove.hpp) has the checks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/commandline/command.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/diagnose/proof.hpp"
#include "winsvc/diagnose/prove_probe.hpp"
#include "winsvc/manage/start_stop.hpp"
#include "winsvc/manage/verb_context.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

class prove_session {
 protected:
  prove_session(manage::verb_context& context, std::string data_folder, std::uint16_t port, prove_probe probe)
      : context_(context), data_folder_(std::move(data_folder)), port_(port), probe_(std::move(probe)) {}

  /// The result of a check. `text` is the observation, or the reason if nothing can be seen.
  struct outcome {
    diagnose::verdict verdict = diagnose::verdict::no;
    std::string text;
  };
  static outcome yes(std::string text) { return {verdict::yes, std::move(text)}; }
  static outcome no(std::string text) { return {verdict::no, std::move(text)}; }
  static outcome hidden(std::string reason) { return {verdict::not_observable, std::move(reason)}; }
  /// `yes` if the condition holds, otherwise `no`, with the same text.
  static outcome yes_if(bool holds, std::string text) { return holds ? yes(std::move(text)) : no(std::move(text)); }

  /// Runs one check, records its result and calls on_proof_.
  void prove(const char* topic, std::string claim, const std::function<outcome()>& observe);

  result<os::service_handle> open(std::uint32_t rights) { return context_.open("prove", rights); }
  os::service_process_status query();
  bool wait_for(scm::state state, std::chrono::seconds limit);
  /// Waits until recovery has started the service again. Wine does not run recovery actions.
  void wait_for_recovery() {
    if (!has_wine()) wait_for(scm::state::running, std::chrono::seconds(20));
  }
  result<void> start();
  result<void> start_unless_running();
  result<void> stop();
  [[nodiscard]] bool has_wine() const noexcept { return !probe_.wine.empty(); }

  manage::verb_context& context_;
  std::string data_folder_;
  std::uint16_t port_;
  prove_probe probe_;
  commandline::control_options options_;
  std::vector<proof> proofs_;
  std::function<void(const proof&)> on_proof_;
};

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_DIAGNOSE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::diagnose {

WINSVC_INLINE void prove_session::prove(const char* topic, std::string claim, const std::function<outcome()>& observe) {
  const auto begin = context_.time().now();
  const outcome seen = observe();
  proof p{topic, std::move(claim), seen.verdict, {}, {}, 0};
  (seen.verdict == verdict::not_observable ? p.reason : p.observed) = seen.text;
  p.milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(context_.time().now() - begin).count();
  proofs_.push_back(p);
  if (on_proof_) on_proof_(proofs_.back());
}

WINSVC_INLINE os::service_process_status prove_session::query() {
  const auto service = open(os::access_rights::query_status);
  if (!service) return {};
  const auto status = context_.scm().query_status(service->get());
  return status ? *status : os::service_process_status{};
}

WINSVC_INLINE bool prove_session::wait_for(scm::state state, std::chrono::seconds limit) {
  const auto deadline = context_.time().now() + limit;
  while (query().status.current != state) {
    if (context_.time().now() > deadline) return false;
    context_.time().sleep(std::chrono::milliseconds(50));
  }
  return true;
}

WINSVC_INLINE result<void> prove_session::start() { return manage::service_controller(context_).start(options_); }
/// A process that has ended does not count, although Wine 8 shows its service as running.
WINSVC_INLINE result<void> prove_session::start_unless_running() {
  const auto now = query();
  if (now.status.current == scm::state::running && !context_.scm().exit_code_of(now.pid)) return {};
  return start();
}
WINSVC_INLINE result<void> prove_session::stop() { return manage::service_controller(context_).stop(options_); }

}  // namespace detail::diagnose
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_DIAGNOSE
