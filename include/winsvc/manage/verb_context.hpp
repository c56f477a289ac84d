// Verb context: the parts that all service verbs share: opening the service with the required rights, error messages,
// and the output.
//   const auto service = context.open("stop", os::access_rights::stop | os::access_rights::query_status);
//   if (!service) return failure{service.error()};      // stop 'hello': it is not installed (1060); install it first
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/quote.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/base/error_codes.hpp"
#include "winsvc/manage/installation.hpp"
#include "winsvc/scm/spec.hpp"
#include "winsvc/scm/saved_state.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::manage {

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
  };
  verb_context(scm::service_spec spec, verb_dependencies dependencies)
      : spec_(std::move(spec)), dependencies_(std::move(dependencies)) {}

  [[nodiscard]] const scm::service_spec& spec() const noexcept { return spec_; }
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
  void warn(const std::string& message) const { print("warning: " + message); }

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

  /// Fails if `binary` belongs to another program that has the same service name. The service is ours if its command
  /// line has the `run-service` verb, at any path, or if it runs this executable.
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

WINSVC_INLINE result<void> verb_context::check_same_program(const std::string& operation,
                                                            const std::string& binary) const {
  const auto arguments = base::split_command_line(binary);
  const bool has_verb = arguments.size() > 1 && arguments[1] == scm::run_service_verb;
  if (has_verb || (!arguments.empty() && base::equal_nocase(arguments[0], dependencies_.defaults.executable)))
    return {};
  return failure{error{base::win32_error::service_exists, operation, name(),
                       "a service of another program has this name: " + binary, "rename the app"}};
}

}  // namespace detail::manage
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_MANAGE
