// Error messages and remedies for system error codes. Every error message about services and sockets takes its reason
// and its remedy from this table.
//
//   explain(1072)->message   // "the service is marked for deletion"
//   explain(1072)->hint      // "close the Services window and Task Manager, ..."
//
// A code that is not in the table has the message of the system and no remedy.
// Source: "System Error Codes" and "Windows Sockets Error Codes" in the Win32 documentation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

/// Exit codes of the verbs. Any other value except 0 is an error code of the system.
namespace exit_codes {
inline constexpr int ok = 0;
inline constexpr int usage = 2;
inline constexpr int not_running = 3;    // status
inline constexpr int not_installed = 4;  // status
}  // namespace exit_codes

/// System error codes that the program tests for.
namespace win32_error {
inline constexpr std::uint32_t file_not_found = 2, path_not_found = 3, access_denied = 5, not_enough_memory = 8,
                               invalid_data = 13,
                               not_supported = 50, call_not_implemented = 120, invalid_name = 123, invalid_level = 124,
                               already_exists = 183, io_pending = 997,
                               dependent_services_running = 1051, invalid_service_control = 1052,
                               service_request_timeout = 1053, service_already_running = 1056,
                               invalid_service_account = 1057, service_disabled = 1058,
                               circular_dependency = 1059, service_does_not_exist = 1060,
                               service_cannot_accept_control = 1061, service_not_active = 1062,
                               failed_controller_connect = 1063, process_aborted = 1067,
                               service_marked_for_delete = 1072, service_exists = 1073, duplicate_service_name = 1078,
                               cancelled = 1223, none_mapped = 1332, timeout = 1460, invalid_tag = 1733,
                               reparse_point_encountered = 4395,  // the path is a link
                               access_to_address = 10013, family_not_supported = 10047, address_in_use = 10048,
                               address_not_available = 10049, host_not_found = 11001,
                               host_has_no_address = 11004;
}  // namespace win32_error

/// One row of the table. Message and hint are parts of a sentence; the hint may be empty.
struct explanation {
  std::uint32_t win32_error;
  std::string_view message;
  std::string_view hint;
};

/// All rows, in ascending order of the codes.
inline constexpr explanation explanations[] = {
    {2, "the file was not found", "check the path"},
    {3, "the folder was not found", "check the path"},
    {5, "access denied", "run from an elevated prompt"},
    {50, "not supported on this system", ""},
    {87, "a parameter is not valid", ""},
    {109, "the other end of the pipe was closed; its process may have ended",
     "check with 'status' whether the service still runs"},
    {120, "the service does not handle this control", "add a hook in the app with on_control"},
    {123, "the name is not valid", "use 1 to 256 characters without '/' and '\\'"},
    {124, "this system does not support the setting", ""},
    {232, "the other end of the pipe was closed; its process may have ended",
     "check with 'status' whether the service still runs"},
    {233, "no process is at the other end of the pipe", "check with 'status' whether the service still runs"},
    {997, "the service has accepted the control and its hook is still running", "read its log for the result"},
    {1051, "other services that depend on it are running", "stop them first, or add --force"},
    {1052, "the service does not accept this control", "pause and continue need hooks in the app"},
    {1053, "the service did not respond to the start in time", "read its log and the event log"},
    {1055, "the service database is locked", "try again in a moment"},
    {1056, "it is already running", "use 'restart' to restart it"},
    {1057, "the account or its password is not valid", "check the name, with its domain, and the password"},
    {1058, "the service is disabled", "install it with --startup auto or --startup manual"},
    {1059, "its dependencies form a cycle", "specify others with --depends"},
    {1060, "it is not installed", "install it first"},
    {1061, "the service cannot accept a control now", "wait until it has started or stopped, then try again"},
    {1062, "it is not running", "start it first"},
    {1063, "this process was not started by the service control manager",
     "use 'start' to start the service, or 'debug' to run it in a terminal"},
    {1064, "an exception was thrown in the service", "read its log"},
    {1066, "the service ended with a service-specific error", "read its log"},
    {1067, "the process ended unexpectedly", "read its log and the event log"},
    {1068, "a service it depends on did not start", "start that service first, or read its log"},
    {1069, "the account could not log on",
     "set its password with update --username ACCOUNT, which also grants the right to log on as a service"},
    {1072, "the service is marked for deletion",
     "close the Services window and Task Manager, which hold it open, then try again"},
    {1073, "a service with that name exists", "use 'update', or give the app another name"},
    {1075, "a service it depends on is not installed", "install that service first, or specify others with --depends"},
    {1077, "it has not been started since boot", "start it"},
    {1078, "another service has this display name", "choose another with --display-name"},
    {1223, "the elevation was refused", "accept the elevation request, or run from an elevated prompt"},
    {1297, "its account lacks a privilege that the app requires",
     "grant the privilege to the account, or use another account"},
    {1326, "the account's name or password is wrong", "set the password with update --username ACCOUNT"},
    {1332, "there is no account with that name", "check the name, with its domain"},
    {1385, "the account has no right to log on as a service",
     "run update --username ACCOUNT, or check whether a group policy denies the right"},
    {1460, "the timeout expired", "check it with 'status'; allow more time with --wait SECONDS"},
    {10013, "the port is in a range that Windows has reserved, or another program uses it exclusively",
     "choose another port; 'netsh int ipv4 show excludedportrange tcp' lists the ranges"},
    {10048, "the port is taken", "stop the program that uses it, or choose another port with --port"},
    {10049, "the address does not belong to this machine", "use an address that 'ipconfig' shows, or 0.0.0.0 for all"},
    {11001, "the host name is not known", "use an address, or check the name"},
};

/// Returns the row of a code, or null.
[[nodiscard]] constexpr const explanation* explain(std::uint32_t code) noexcept {
  for (const auto& row : explanations) {
    if (row.win32_error == code) return &row;
  }
  return nullptr;
}

/// Returns the error for a code: message and remedy from the table, or `system_error_message` without a remedy.
[[nodiscard]] error error_with_explanation(std::uint32_t code, std::string operation, std::string subject,
                                           std::string system_error_message = {});

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

WINSVC_INLINE error error_with_explanation(std::uint32_t code, std::string operation, std::string subject,
                                           std::string system_error_message) {
  if (const explanation* row = explain(code)) {
    return {code, std::move(operation), std::move(subject), std::string(row->message), std::string(row->hint)};
  }
  return {code, std::move(operation), std::move(subject), std::move(system_error_message), {}};
}

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
