// The verb `prove`: runs the checks (diagnose/prove.hpp) and prints their results.
//
//   C:\Program Files\hello> hello prove --report report.html
//
// The checks install a temporary service, an instance of this program. If `prove` was killed, `remove --instance NAME`
// removes that service.
#pragma once

#include <string>
#include <utility>

#include "winsvc/base/attempt.hpp"
#include "winsvc/base/clock.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/cli/run_verb.hpp"
#include "winsvc/commandline/command.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/diagnose/proof.hpp"
#include "winsvc/diagnose/prove.hpp"
#include "winsvc/os/exclusive_file.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::cli {

/// Runs `prove`. Returns 0, 1 if a claim does not hold, or the code of the error that prevented the checks.
[[nodiscard]] int prove(const commandline::command& command, const program_dependencies& dependencies);

}  // namespace detail::cli
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_CLI

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::cli {

/// Returns a port that is free now.
WINSVC_INLINE std::uint16_t find_free_port() {
  const auto listener = os::tcp_socket::listen("127.0.0.1", 0);
  return listener ? listener->local().port : 0;
}

WINSVC_INLINE int prove(const commandline::command& command, const program_dependencies& dependencies) {
  scm::service_spec app_spec;
  app_spec.name = dependencies.program();
  app_spec.preshutdown = std::chrono::seconds(30);
  app_spec.recovery = scm::recovery_options{{restart_after(std::chrono::seconds(2))}, std::chrono::hours(24)};
  const std::string instance = std::string(diagnose::prove_instance_prefix) + std::to_string(os::process_id());
  const scm::service_spec spec = scm::spec_of_instance(std::move(app_spec), instance);
  const auto folder = dependencies.data_folder(spec.name);
  if (!folder)
    return dependencies.print_error(base::error_with_explanation(folder.error(), "find the data folder of", spec.name));

  const auto state = [&folder]() -> std::optional<scm::saved_state> {
    const auto content = os::read_file(os::path_join(*folder, "state.json"));
    return content ? scm::parse_saved_state(*content) : std::nullopt;
  };
  manage::install_defaults defaults;
  defaults.executable = dependencies.executable;
  defaults.program_folder = os::folder_of(dependencies.executable);
  defaults.data_folder = *folder;
  defaults.preshutdown = std::chrono::seconds(25);
  manage::verb_context::verb_dependencies parts{*dependencies.scm, dependencies.time, {}, state, defaults};
  use_data_folder(parts, *folder);
  manage::verb_context context(spec, std::move(parts));
  if (const auto manager = context.open_manager("prove with", os::access_rights::manager_create); !manager)
    return dependencies.print_error(manager.error());

  const auto print = [&](const diagnose::proof& proof) {
    if (!command.report.json) dependencies.err(std::string(name(proof.verdict)) + ": " + proof.claim + '\n');
  };
  diagnose::proof_report report{os::system_name(), dependencies.executable,
                                iso_time(dependencies.time.system_now()), {}};
  const auto remove_logs = [&folder] {
    const auto logs = os::path_join(*folder, "logs");
    const auto files = os::list_files(logs);
    if (!files) return;
    for (const auto& file : *files) os::remove_file(os::path_join(logs, file));
  };
  {  // removes it if a check failed or threw before the removal; absent is a success
    const scope_exit remove_service([&]() noexcept {
      base::attempt([&context] { static_cast<void>(manage::remove(context, {})); });
      base::attempt(remove_logs);
    });
    report.proofs = diagnose::prover(context, *folder, find_free_port()).run(print);
  }

  dependencies.out(command.report.json ? diagnose::proof_json(report) : diagnose::proof_text(report));
  if (command.report.file) {
    const std::string path = os::absolute_path(*command.report.file);
    os::remove_file(path);
    auto file = os::exclusive_file::create(path);
    auto done = file ? file->write(diagnose::proof_html(report)) : os::sys_result<void>(os::sys_failure(file.error()));
    if (done) done = file->close();
    if (!done) return dependencies.print_error(base::error_with_explanation(done.error(), "write the report", path));
  }
  return count(report.proofs, diagnose::verdict::no) == 0 ? base::exit_codes::ok : 1;
}

}  // namespace detail::cli
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_CLI
