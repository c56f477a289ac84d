// Install request: the values that `install` and `update` set, from the command line or from a program. If a member
// is empty, its value comes from the app, the installed service or a default (manage/installation.hpp).
//
//   install_request request;
//   request.startup = startup::manual;
//   request.environment = {"HELLO_MODE=fast"};
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/scm/recovery.hpp"
#include "winsvc/scm/spec.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::scm {

struct install_request {
  launch_options launch;  ///< options that the ImagePath stores
  std::optional<winsvc::startup> startup;
  std::optional<std::string> display_name;
  std::optional<std::string> description;
  std::optional<std::string> username;
  bool reads_password = false;  ///< a new password is read, also for the installed account
  std::optional<std::vector<std::string>> depends_on;
  std::optional<std::vector<recovery_action>> recovery;
  std::optional<std::chrono::seconds> recovery_reset;
  std::optional<std::string> recovery_command;
  std::optional<unsigned> restart_limit;
  std::vector<std::string> environment;    ///< NAME=value; NAME= removes the variable
  std::vector<std::string> allow_control;  ///< users and groups
};

}  // namespace detail::scm
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
