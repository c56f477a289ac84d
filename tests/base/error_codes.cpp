// Messages and remedies for system error codes.
#include "winsvc/base/error_codes.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <iterator>
#include <string>

using namespace winsvc::detail::base;

TEST_CASE("the table is ordered by code, without duplicates") {
  for (std::size_t i = 1; i < std::size(explanations); ++i) {
    CAPTURE(explanations[i].win32_error);
    CHECK(explanations[i - 1].win32_error < explanations[i].win32_error);
  }
}

TEST_CASE("the table has the codes of Win32 that a caller may see, each with its text") {
  constexpr std::uint32_t codes[] = {2, 3, 5, 50, 87, 109, 120, 123, 124, 232, 233, 997,
                                     1051, 1052, 1053, 1055, 1056, 1057, 1058, 1059, 1060, 1061, 1062, 1063, 1064,
                                     1066, 1067, 1068, 1069, 1072, 1073, 1075, 1077, 1078, 1223, 1297, 1326, 1332,
                                     1385, 1460, 10013, 10048, 10049, 11001};
  REQUIRE(std::size(codes) == std::size(explanations));
  for (std::size_t i = 0; i < std::size(codes); ++i) CHECK(explanations[i].win32_error == codes[i]);
}

TEST_CASE("every code that a verb can print has a message and a remedy") {
  constexpr std::uint32_t codes[] = {2, 3, 5, 109, 232, 233, 997, 1051, 1052, 1053, 1055, 1056, 1057, 1058, 1059,
                                     1060, 1061, 1062, 1063, 1064, 1066, 1067, 1068, 1069, 1072, 1073, 1075, 1077,
                                     1078, 1223, 1297, 1326, 1332, 1385, 1460, 10013, 10048, 10049};
  for (const std::uint32_t code : codes) {
    CAPTURE(code);
    const explanation* e = explain(code);
    REQUIRE(e != nullptr);
    CHECK_FALSE(e->message.empty());
    CHECK_FALSE(e->hint.empty());
    const std::string sentence = error_with_explanation(code, "start", "hello").to_string();
    CHECK(sentence == "start 'hello': " + std::string(e->message) + " (" + std::to_string(code) + "); " +
                          std::string(e->hint));
  }
}

TEST_CASE("the codes have the numbers of winerror.h") {
  using namespace win32_error;
  struct { std::uint32_t code, number; } const rows[] = {
      {file_not_found, 2}, {path_not_found, 3}, {access_denied, 5}, {not_enough_memory, 8}, {invalid_data, 13},
      {not_supported, 50}, {call_not_implemented, 120}, {invalid_name, 123}, {invalid_level, 124},
      {already_exists, 183}, {io_pending, 997}, {dependent_services_running, 1051}, {invalid_service_control, 1052},
      {service_request_timeout, 1053}, {service_already_running, 1056}, {invalid_service_account, 1057},
      {service_disabled, 1058}, {circular_dependency, 1059}, {service_does_not_exist, 1060},
      {service_cannot_accept_control, 1061}, {service_not_active, 1062}, {failed_controller_connect, 1063},
      {process_aborted, 1067}, {service_marked_for_delete, 1072}, {service_exists, 1073},
      {duplicate_service_name, 1078}, {cancelled, 1223}, {none_mapped, 1332}, {timeout, 1460}, {invalid_tag, 1733},
      {reparse_point_encountered, 4395}, {access_to_address, 10013}, {family_not_supported, 10047},
      {address_in_use, 10048}, {address_not_available, 10049}, {host_not_found, 11001}, {host_has_no_address, 11004}};
  for (const auto& row : rows) CHECK(row.code == row.number);
}

TEST_CASE("messages and remedies start in lower case, end without a period, and have one line") {
  for (const auto& e : explanations) {
    for (const std::string_view part : {e.message, e.hint}) {
      if (part.empty()) continue;
      CAPTURE(e.win32_error);
      CHECK_FALSE((part.front() >= 'A' && part.front() <= 'Z'));
      CHECK(part.back() != '.');
      CHECK(part.back() != ' ');
      CHECK(part.front() != ' ');
      CHECK(part.find('\n') == std::string_view::npos);
    }
  }
}

TEST_CASE("a known code has the message of the table, an unknown code that of the system") {
  CHECK(error_with_explanation(5, "install", "hello", "Zugriff verweigert").to_string() ==
        "install 'hello': access denied (5); run from an elevated prompt");
  CHECK(error_with_explanation(4711, "install", "hello", "the stars are wrong").to_string() ==
        "install 'hello': the stars are wrong (4711)");
  CHECK(error_with_explanation(4711, "install", "hello").to_string() == "install 'hello' (4711)");
  CHECK(explain(0) == nullptr);
  CHECK(explain(0xFFFFFFFF) == nullptr);
  static_assert(explain(1072)->win32_error == 1072);
}

TEST_CASE("the exit codes of status and of usage errors have fixed values") {
  CHECK(winsvc::detail::base::exit_codes::ok == 0);
  CHECK(winsvc::detail::base::exit_codes::usage == 2);
  CHECK(winsvc::detail::base::exit_codes::not_running == 3);
  CHECK(winsvc::detail::base::exit_codes::not_installed == 4);
}

TEST_CASE("the names of error codes have the numbers of Win32") {
  CHECK(winsvc::detail::base::win32_error::access_denied == 5);
  CHECK(winsvc::detail::base::win32_error::not_supported == 50);
  CHECK(winsvc::detail::base::win32_error::call_not_implemented == 120);
  CHECK(winsvc::detail::base::win32_error::invalid_level == 124);
  CHECK(winsvc::detail::base::win32_error::io_pending == 997);
  CHECK(winsvc::detail::base::win32_error::dependent_services_running == 1051);
  CHECK(winsvc::detail::base::win32_error::invalid_service_control == 1052);
  CHECK(winsvc::detail::base::win32_error::service_request_timeout == 1053);
  CHECK(winsvc::detail::base::win32_error::service_already_running == 1056);
  CHECK(winsvc::detail::base::win32_error::invalid_service_account == 1057);
  CHECK(winsvc::detail::base::win32_error::service_disabled == 1058);
  CHECK(winsvc::detail::base::win32_error::service_cannot_accept_control == 1061);
  CHECK(winsvc::detail::base::win32_error::cancelled == 1223);
  CHECK(winsvc::detail::base::win32_error::timeout == 1460);
  CHECK(winsvc::detail::base::win32_error::invalid_tag == 1733);
  CHECK(winsvc::detail::base::win32_error::service_does_not_exist == 1060);
  CHECK(winsvc::detail::base::win32_error::service_not_active == 1062);
  CHECK(winsvc::detail::base::win32_error::failed_controller_connect == 1063);
  CHECK(winsvc::detail::base::win32_error::service_marked_for_delete == 1072);
  CHECK(winsvc::detail::base::win32_error::service_exists == 1073);
  CHECK(winsvc::detail::base::win32_error::address_in_use == 10048);
  CHECK(winsvc::detail::base::win32_error::access_to_address == 10013);
  CHECK(winsvc::detail::base::win32_error::address_not_available == 10049);
}
