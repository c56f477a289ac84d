// Verb context: opens the service with the rights that a verb needs, makes its error messages and prints its output.
//
//   const auto service = context.open("stop", os::access_rights::stop | os::access_rights::query_status);
//   if (!service) return failure{service.error()};      // stop 'hello': it is not installed (1060); install it first
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/quote.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/manage/installation.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/scm/saved_state.hpp"
#include "winsvc/os/activity.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

/// True if `binary`, an ImagePath, starts this executable, with or without quotes.
[[nodiscard]] bool starts_executable(const std::string& binary, const std::string& executable);
/// Fails if `binary`, the ImagePath of the service `name`, belongs to a program other than `executable`. The service is
/// ours if its command line has the `run-service` verb, at any path, or if it runs this executable, with or without
/// quotes.
[[nodiscard]] result<void> check_same_program(const std::string& binary, const std::string& executable,
                                              const std::string& name, const std::string& operation);
/// Fails if a service of this name is installed and belongs to another program. Succeeds if that is unknown.
[[nodiscard]] result<void> check_own_service(os::service_manager& scm, const std::string& name,
                                             const std::string& executable, const std::string& operation);

/// Service, system interfaces and output of one verb.
class verb_context {
 public:
  using raw_handle = os::service_manager::raw_handle;

  struct verb_dependencies {
    os::service_manager& scm;
    clock& time;
    std::function<void(const std::string&)> print;                        ///< prints a line
    std::function<std::optional<scm::saved_state>()> read_saved_state;  ///< the state file of the service
    manage::install_defaults defaults;
    std::function<result<std::string>()> read_password = no_password_source;  ///< the password of the account
    std::function<void(const std::string&)> warn = {};  ///< prints a warning; default: a line that `print` prints
    /// Sends a request to the running service (host/control_channel_server.hpp); nullopt if it does not respond.
    std::function<std::optional<std::string>(const std::string& request)> query_channel = {};
    std::function<std::uint32_t()> running_pid = {};  ///< process ID of the service; 0 if it does not run
    std::function<bool(const std::string& service)> is_installed = {};  ///< true also if this is unknown
    /// Reads and replaces a file of the data folder; an empty text removes it.
    std::function<std::optional<std::string>(const std::string& file)> read_data = {};
    std::function<os::sys_result<void>(const std::string& file, const std::string& text)> write_data = {};
    /// True if a file of the data folder certainly does not exist; false if that is unknown.
    std::function<bool(const std::string& file)> lacks_data = {};
    std::function<bool(const std::string& path)> lacks_file = {};  ///< true if the file certainly does not exist
    bool is_wine = false;
  };
  verb_context(scm::service_spec spec, verb_dependencies dependencies)
      : spec_(std::move(spec)), dependencies_(std::move(dependencies)) {}

  [[nodiscard]] const scm::service_spec& spec() const noexcept { return spec_; }
  /// For a second context, which differs in some of them.
  [[nodiscard]] const verb_dependencies& dependencies() const noexcept { return dependencies_; }
  [[nodiscard]] const std::string& name() const noexcept { return spec_.name; }
  [[nodiscard]] std::string quoted_name() const { return '\'' + spec_.name + '\''; }
  [[nodiscard]] os::service_manager& scm() const noexcept { return dependencies_.scm; }
  [[nodiscard]] clock& time() const noexcept { return dependencies_.time; }
  [[nodiscard]] const manage::install_defaults& defaults() const noexcept { return dependencies_.defaults; }
  [[nodiscard]] std::optional<scm::saved_state> state() const {
    return dependencies_.read_saved_state ? dependencies_.read_saved_state() : std::nullopt;
  }
  [[nodiscard]] result<std::string> read_password() const { return dependencies_.read_password(); }

  void print(const std::string& line) const {
    if (dependencies_.print) dependencies_.print(line);
  }
  /// Prints a warning, to standard error.
  void warn(const std::string& message) const {
    if (dependencies_.warn) dependencies_.warn(message);
    else print("warning: " + message);
  }
  /// Prints a warning about a missing part of the system. Under Wine, `warn_of_wine` prints one note for all of them.
  void warn_of_system(const std::string& message) {
    if (dependencies_.is_wine) lacks_part_ = true;
    else warn(message);
  }
  void warn_of_wine() {
    if (std::exchange(lacks_part_, false)) warn(std::string(wine_note));
  }
  static constexpr std::string_view wine_note =
      "Wine has no service SIDs, failure flag, privileges or folder rights; Windows sets them";
  [[nodiscard]] bool is_wine() const noexcept { return dependencies_.is_wine; }

  [[nodiscard]] std::optional<std::string> query_channel(const std::string& request) const {
    return dependencies_.query_channel ? dependencies_.query_channel(request) : std::nullopt;
  }
  /// Process ID of the service; 0 if it does not run. The service manager may still report a process that has ended.
  [[nodiscard]] std::uint32_t running_pid() const {
    const std::uint32_t pid = dependencies_.running_pid ? dependencies_.running_pid() : 0;
    return pid != 0 && dependencies_.scm.exit_code_of(pid) ? 0 : pid;
  }
  [[nodiscard]] bool is_installed(const std::string& service) const {
    return !dependencies_.is_installed || dependencies_.is_installed(service);
  }
  [[nodiscard]] std::optional<std::string> read_data(const std::string& file) const {
    return dependencies_.read_data ? dependencies_.read_data(file) : std::nullopt;
  }
  os::sys_result<void> write_data(const std::string& file, const std::string& text) const {
    return dependencies_.write_data ? dependencies_.write_data(file, text) : os::sys_result<void>();
  }
  /// The same for a file without which a verb succeeds: warns after an error. `effect` is what the user will notice.
  void try_write_data(const std::string& file, const std::string& text, const std::string& effect) const {
    if (const auto written = write_data(file, text); !written)
      warn("cannot " + std::string(text.empty() ? "remove" : "write") + " the file " + file + " in the data folder: " +
           os::system_error_message(written.error()) + "; " + effect);
  }
  /// True if a file of the data folder certainly does not exist.
  [[nodiscard]] bool lacks_data(const std::string& file) const {
    return dependencies_.lacks_data && dependencies_.lacks_data(file);
  }
  [[nodiscard]] bool lacks_file(const std::string& path) const {
    return dependencies_.lacks_file && dependencies_.lacks_file(path);
  }
  /// Activities of the last process when it ended, joined by commas.
  [[nodiscard]] std::string last_activities() const {
    return base::join(os::read_activities(read_data("activity").value_or(std::string())), ", ");
  }

  /// Builds the error of a failed call.
  [[nodiscard]] failure<error> make_error(std::string operation, std::uint32_t code) {
    return make_error(std::move(operation), name(), code);
  }
  [[nodiscard]] failure<error> make_error(std::string operation, std::string subject, std::uint32_t code);
  /// True if Windows denied a call of this verb. (The exit code 5 of a service does not count.)
  [[nodiscard]] bool denied() const noexcept { return access_denied_; }

  result<os::service_handle> open_manager(const std::string& operation, std::uint32_t rights);
  result<os::service_handle> open(const std::string& operation, std::uint32_t rights) {
    return open(operation, name(), rights);
  }
  result<os::service_handle> open(const std::string& operation, const std::string& service, std::uint32_t rights);

  /// Fails if the service of this name is installed and belongs to another program. Succeeds if that is unknown.
  [[nodiscard]] result<void> check_own_service(const std::string& operation);
  /// Fails if `binary` belongs to another program that has the same service name.
  [[nodiscard]] result<void> check_same_program(const std::string& operation, const std::string& binary) const;

 private:
  static result<std::string> no_password_source() {
    return failure{error{base::win32_error::invalid_service_account,
                         "read the password",
                         {},
                         "no password was given",
                         "pipe it with --password-stdin"}};
  }
  scm::service_spec spec_;
  verb_dependencies dependencies_;
  bool access_denied_ = false;
  bool lacks_part_ = false;
};

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_MANAGE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

WINSVC_INLINE failure<error> verb_context::make_error(std::string operation, std::string subject, std::uint32_t code) {
  if (code == base::win32_error::access_denied) access_denied_ = true;
  return {
      base::error_with_explanation(code, std::move(operation), std::move(subject), os::system_error_message(code))};
}

WINSVC_INLINE result<os::service_handle> verb_context::open_manager(const std::string& operation,
                                                                    std::uint32_t rights) {
  const auto handle = dependencies_.scm.open_manager(rights);
  if (!handle) {
    auto error = make_error(operation, handle.error());
    if (handle.error() == base::win32_error::not_supported) {
      error.error.message = "Windows services are not available on this system";
      error.error.hint = "use 'debug' to run in the terminal";
    }
    return error;
  }
  return os::service_handle(dependencies_.scm, *handle);
}

WINSVC_INLINE result<os::service_handle> verb_context::open(const std::string& operation, const std::string& service,
                                                            std::uint32_t rights) {
  const auto manager = open_manager(operation, os::access_rights::manager_connect);
  if (!manager) return failure{manager.error()};
  const auto handle = dependencies_.scm.open_service(manager->get(), service, rights);
  if (!handle) return make_error(operation, service, handle.error());
  return os::service_handle(dependencies_.scm, *handle);
}

WINSVC_INLINE result<void> verb_context::check_own_service(const std::string& operation) {
  return manage::check_own_service(dependencies_.scm, name(), dependencies_.defaults.executable, operation);
}

WINSVC_INLINE result<void> verb_context::check_same_program(const std::string& operation,
                                                            const std::string& binary) const {
  return manage::check_same_program(binary, dependencies_.defaults.executable, name(), operation);
}

WINSVC_INLINE bool starts_executable(const std::string& binary, const std::string& executable) {
  const auto arguments = base::split_command_line(scm::quoted_binary(binary, executable));
  return !arguments.empty() && base::equal_nocase(arguments[0], executable);
}

WINSVC_INLINE result<void> check_same_program(const std::string& binary, const std::string& executable,
                                              const std::string& name, const std::string& operation) {
  const auto arguments = base::split_command_line(scm::quoted_binary(binary, executable));
  const bool has_verb = arguments.size() > 1 && arguments[1] == scm::run_service_verb;
  if (has_verb || starts_executable(binary, executable)) return {};
  return failure{error{base::win32_error::service_exists, operation, name,
                       "a service of another program has this name: " + binary, "rename the app"}};
}

WINSVC_INLINE result<void> check_own_service(os::service_manager& scm, const std::string& name,
                                             const std::string& executable, const std::string& operation) {
  const auto manager = scm.open_manager(os::access_rights::manager_connect);
  if (!manager) return {};
  const os::service_handle manager_handle(scm, *manager);
  const auto opened = scm.open_service(*manager, name, os::access_rights::query_config);
  if (!opened) return {};
  const os::service_handle service(scm, *opened);
  const auto config = scm.query_config(service.get());
  return config ? check_same_program(config->binary, executable, name, operation) : result<void>();
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
