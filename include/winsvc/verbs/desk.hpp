// What every verb that manages the service stands on: the way to it with the rights that are needed, the sentence when
// there is none, and the person who is told.
//
//   const auto service = desk.open("stop", os::access::stop | os::access::query_status);
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
#include "winsvc/model/codes.hpp"
#include "winsvc/model/installation.hpp"
#include "winsvc/model/spec.hpp"
#include "winsvc/model/state_file.hpp"
#include "winsvc/os/process.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class desk {
 public:
  using raw_handle = os::service_manager::raw_handle;

  struct surroundings {
    os::service_manager& scm;
    clock& time;
    std::function<void(const std::string&)> say;                 ///< gets the lines for the person
    std::function<std::optional<model::service_state>()> state;  ///< what the service left in its data folder
    model::install_defaults ours;
    std::function<result<std::string>()> ask_password = no_one_to_ask;  ///< the account's
  };
  desk(model::service_spec spec, surroundings around) : spec_(std::move(spec)), around_(std::move(around)) {}

  [[nodiscard]] const model::service_spec& spec() const noexcept { return spec_; }
  [[nodiscard]] const std::string& name() const noexcept { return spec_.name; }
  [[nodiscard]] std::string quoted() const { return '\'' + spec_.name + '\''; }
  [[nodiscard]] os::service_manager& scm() const noexcept { return around_.scm; }
  [[nodiscard]] clock& time() const noexcept { return around_.time; }
  [[nodiscard]] const model::install_defaults& ours() const noexcept { return around_.ours; }
  [[nodiscard]] std::optional<model::service_state> state() const {
    return around_.state ? around_.state() : std::nullopt;
  }
  [[nodiscard]] result<std::string> ask_password() const { return around_.ask_password(); }

  void say(const std::string& line) const {
    if (around_.say) around_.say(line);
  }
  void warn(const std::string& what) const { say("warning: " + what); }

  /// The error for a code that a call answered.
  [[nodiscard]] failure<error> failed(std::string doing, std::uint32_t code) {
    return failed(std::move(doing), name(), code);
  }
  [[nodiscard]] failure<error> failed(std::string doing, std::string subject, std::uint32_t code);
  /// Has Windows refused a call for want of rights? (A service that ends with 5 has not.)
  [[nodiscard]] bool denied() const noexcept { return denied_; }

  result<os::service_handle> open_manager(const std::string& doing, std::uint32_t rights);
  result<os::service_handle> open(const std::string& doing, std::uint32_t rights) {
    return open(doing, name(), rights);
  }
  result<os::service_handle> open(const std::string& doing, const std::string& service, std::uint32_t rights);

  /// Ours is what has our word in its command line, wherever the executable was then, and what runs this executable.
  /// Any other service that happens to have the name is left alone.
  [[nodiscard]] result<void> check_ours(const std::string& doing, const std::string& binary) const;

 private:
  static result<std::string> no_one_to_ask() {
    return failure{error{model::code::invalid_service_account,
                         "ask for the password",
                         {},
                         "there is nobody to ask",
                         "pipe it in, with --password-stdin"}};
  }
  model::service_spec spec_;
  surroundings around_;
  bool denied_ = false;
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_VERBS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

WINSVC_INLINE failure<error> desk::failed(std::string doing, std::string subject, std::uint32_t code) {
  if (code == model::code::access_denied) denied_ = true;
  return {model::explained(code, std::move(doing), std::move(subject), os::system_words(code))};
}

WINSVC_INLINE result<os::service_handle> desk::open_manager(const std::string& doing, std::uint32_t rights) {
  const auto handle = around_.scm.open_manager(rights);
  if (!handle) {
    auto why = failed(doing, handle.error());
    if (handle.error() == model::code::not_supported) {
      why.reason.said = "services are a thing of Windows";
      why.reason.hint = "'debug' serves in the terminal on every system";
    }
    return why;
  }
  return os::service_handle(around_.scm, *handle);
}

WINSVC_INLINE result<os::service_handle> desk::open(const std::string& doing, const std::string& service,
                                             std::uint32_t rights) {
  const auto manager = open_manager(doing, os::access::manager_connect);
  if (!manager) return failure{manager.error()};
  const auto handle = around_.scm.open_service(manager->get(), service, rights);
  if (!handle) return failed(doing, service, handle.error());
  return os::service_handle(around_.scm, *handle);
}

WINSVC_INLINE result<void> desk::check_ours(const std::string& doing, const std::string& binary) const {
  const auto words = split_command_line(binary);
  const bool has_word = words.size() > 1 && words[1] == model::run_service_word;
  if (has_word || (!words.empty() && text::equal_nocase(words[0], around_.ours.executable))) return {};
  return failure{error{model::code::service_exists, doing, name(), "another program's service has that name: " + binary,
                       "give the app another name"}};
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_VERBS
