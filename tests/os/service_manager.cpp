// Service handles and the service manager of this platform.
#include "winsvc/scm/account.hpp"
#include "winsvc/os/native.hpp"

#include <doctest/doctest.h>

using namespace winsvc;
using detail::os::access_rights::manager_connect;

namespace {

/// A service manager that records the handles that are closed.
class close_recorder final : public detail::os::service_manager {
 public:
  detail::os::sys_result<raw_handle> open_manager(std::uint32_t) override { return detail::os::sys_failure(50); }
  detail::os::sys_result<raw_handle> create_service(raw_handle, const std::string&, std::uint32_t,
                                            const detail::os::service_config_change&) override {
    return detail::os::sys_failure(50);
  }
  detail::os::sys_result<raw_handle> open_service(raw_handle, const std::string&, std::uint32_t) override {
    return detail::os::sys_failure(50);
  }
  detail::os::sys_result<void> change_config(raw_handle, const detail::os::service_config_change&) override {
    return {};
  }
  detail::os::sys_result<void> change_level(raw_handle, const detail::scm::config_level&) override { return {}; }
  detail::os::sys_result<detail::scm::config_level> query_level(raw_handle, std::uint32_t) override {
    return detail::os::sys_failure(50);
  }
  detail::os::sys_result<detail::os::service_config> query_config(raw_handle) override {
    return detail::os::sys_failure(50);
  }
  detail::os::sys_result<detail::os::service_process_status> query_status(raw_handle) override {
    return detail::os::sys_failure(50);
  }
  detail::os::sys_result<void> start_service(raw_handle, const std::vector<std::string>&) override { return {}; }
  detail::os::sys_result<void> control_service(raw_handle, std::uint32_t) override { return {}; }
  detail::os::sys_result<std::vector<std::string>> active_dependents(raw_handle) override {
    return detail::os::sys_failure(50);
  }
  detail::os::sys_result<std::string> query_security(raw_handle) override { return detail::os::sys_failure(50); }
  detail::os::sys_result<void> change_security(raw_handle, const std::string&) override { return {}; }
  detail::os::sys_result<void> delete_service(raw_handle) override { return {}; }
  detail::os::sys_result<std::vector<std::string>> list_services(raw_handle) override {
    return detail::os::sys_failure(50);
  }
  void close(raw_handle handle) noexcept override { closed.push_back(handle); }
  detail::os::sys_result<void> add_event_source(const std::string&) override { return {}; }
  detail::os::sys_result<void> remove_event_source(const std::string&) override { return {}; }
  detail::os::sys_result<std::vector<std::string>> query_environment(const std::string&) override {
    return detail::os::sys_failure(50);
  }
  detail::os::sys_result<void> change_environment(const std::string&, const std::vector<std::string>&) override {
    return {};
  }
  detail::os::sys_result<std::string> account_sid(const std::string&) override { return detail::os::sys_failure(50); }
  detail::os::sys_result<std::string> account_name(const std::string&) override { return detail::os::sys_failure(50); }
  detail::os::sys_result<void> add_logon_right(const std::string&) override { return {}; }
  detail::os::sys_result<bool> query_logon_right(const std::string&) override { return false; }
  detail::os::sys_result<bool> query_event_source(const std::string&) override { return false; }
  detail::os::sys_result<bool> query_delete_mark(const std::string&) override { return false; }
  detail::os::sys_result<std::string> query_folder_security(const std::string&) override {
    return detail::os::sys_failure(50);
  }
  detail::os::sys_result<void> change_folder_security(const std::string&, const std::string&) override { return {}; }
  detail::os::sys_result<void> create_folder(const std::string&, const std::string&) override { return {}; }
  detail::os::sys_result<void> remove_empty_folder(const std::string&) override { return {}; }
  detail::os::sys_result<void> rename_folder(const std::string&, const std::string&) override { return {}; }
  std::vector<raw_handle> closed;
};

using closed = std::vector<detail::os::service_manager::raw_handle>;

}  // namespace

TEST_CASE("a service_handle closes its handle once, after moves") {
  close_recorder scm;
  int a = 0, b = 0;
  {
    detail::os::service_handle first(scm, &a);
    detail::os::service_handle second(std::move(first));
    CHECK(second.get() == &a);
    detail::os::service_handle third(scm, &b);
    third = std::move(second);
    CHECK(scm.closed == closed{&b});
    CHECK(third.get() == &a);
    auto& same = third;
    third = std::move(same);
    CHECK(third.get() == &a);
  }
  CHECK(scm.closed == closed{&b, &a});
}

TEST_CASE("reset closes a handle once, and a null handle is not closed") {
  close_recorder scm;
  int a = 0;
  {
    detail::os::service_handle handle(scm, &a);
    handle.reset();
    handle.reset();
    const detail::os::service_handle null_handle(scm, nullptr);
  }
  CHECK(scm.closed == closed{&a});
}

#if !defined(_WIN32)

TEST_CASE("on POSIX all calls of the service manager fail with 50") {
  detail::os::native_service_manager scm;
  CHECK(scm.open_manager(manager_connect).error() == 50);
  CHECK(scm.open_service(nullptr, "hello", detail::os::access_rights::query_status).error() == 50);
  CHECK(scm.change_level(nullptr, detail::scm::failure_flag{true}).error() == 50);
  CHECK(scm.query_level(nullptr, detail::scm::config_level_id::failure_flag).error() == 50);
  CHECK(scm.active_dependents(nullptr).error() == 50);
  CHECK(scm.add_event_source("hello").error() == 50);
  CHECK(scm.change_environment("hello", {"A=b"}).error() == 50);
  CHECK(scm.account_sid("Administrators").error() == 50);
  CHECK(scm.query_folder_security("/").error() == 50);
  scm.close(nullptr);
  detail::os::native_dispatcher dispatcher;
  CHECK(dispatcher.run([](const std::vector<std::string>&) {}) == detail::base::win32_error::failed_controller_connect);
}

#else

namespace {

/// Creates a service that is never started; the destructor deletes it. `handle` is null without administrator rights.
class test_service {
 public:
  explicit test_service(const detail::os::service_config_change& settings = {}) {
    const auto opened = scm.open_manager(manager_connect | detail::os::access_rights::manager_create);
    if (!opened && opened.error() == detail::base::win32_error::access_denied) return;  // needs administrator rights
    REQUIRE(opened);
    const detail::os::service_handle manager(scm, *opened);
    const auto created = scm.create_service(manager.get(), name, 0xF01FF, settings);
    REQUIRE(created);
    handle = *created;
  }
  ~test_service() {
    if (!handle) return;
    CHECK(scm.delete_service(handle));
    scm.close(handle);
  }
  test_service(const test_service&) = delete;
  test_service& operator=(const test_service&) = delete;

  /// Reads a value of its registry key, for values that the SCM does not return.
  [[nodiscard]] std::wstring stored(const wchar_t* value) const {
    std::wstring text(512, L'\0');
    auto size = static_cast<DWORD>(text.size() * sizeof(wchar_t));
    const std::wstring key = detail::os::services_key(name);
    if (::RegGetValueW(HKEY_LOCAL_MACHINE, key.c_str(), value, RRF_RT_ANY, nullptr, text.data(), &size) != 0) return {};
    text.resize(size / sizeof(wchar_t));
    return text;
  }

  detail::os::native_service_manager scm;
  std::string name = "winsvc-test-Z\xC3\xBCrich-" + std::to_string(detail::os::process_id());
  detail::os::service_manager::raw_handle handle = nullptr;
};

detail::os::service_config_change make_config(startup start_type, const std::string& binary,
                                              const std::string& display) {
  detail::os::service_config_change s;
  s.startup = start_type;
  s.binary = binary;
  s.display_name = display;
  return s;
}

/// True if the level is not supported: Wine supports none of the levels 3 to 6.
bool is_unsupported_level(const detail::os::sys_result<void>& r) { return !r && r.error() == 124; }

}  // namespace

TEST_CASE("open_service fails with 1060 if the service is not installed and with 123 if the name is invalid") {
  detail::os::native_service_manager scm;
  const auto opened = scm.open_manager(manager_connect);
  REQUIRE(opened);
  const detail::os::service_handle manager(scm, *opened);
  CHECK(scm.open_service(manager.get(), "winsvc-not-installed", detail::os::access_rights::query_status).error() ==
        1060);
  CHECK(scm.open_service(manager.get(), "a/b", detail::os::access_rights::query_status).error() == 123);
}

TEST_CASE("a service can be created, queried, changed and deleted") {
  const std::string binary = detail::scm::image_path("C:\\My tools\\app.exe", {{}, "::1", 5001, {}});
  const std::string display = "Z\xC3\xBCrich " + std::to_string(detail::os::process_id());
  std::string name;
  {
    test_service service(make_config(startup::manual, binary, display));
    if (!service.handle) return;
    name = service.name;

    auto config = service.scm.query_config(service.handle);
    REQUIRE(config);
    CHECK(config->binary == binary);
    CHECK(config->display_name == display);
    CHECK(config->startup == startup::manual);
    const auto status = service.scm.query_status(service.handle);
    REQUIRE(status);
    CHECK(status->status.current == detail::scm::state::stopped);
    CHECK(status->pid == 0);
    CHECK(service.scm.control_service(service.handle, 1).error() == detail::base::win32_error::service_not_active);

    detail::os::service_config_change only_start;
    only_start.startup = startup::disabled;
    CHECK(service.scm.change_config(service.handle, only_start));
    config = service.scm.query_config(service.handle);
    REQUIRE(config);
    CHECK(config->startup == startup::disabled);
    CHECK(config->binary == binary);
    CHECK(config->display_name == display);
    CHECK(service.scm.start_service(service.handle, {}).error() == detail::base::win32_error::service_disabled);
  }
  detail::os::native_service_manager scm;
  const auto opened = scm.open_manager(manager_connect);
  REQUIRE(opened);
  const detail::os::service_handle manager(scm, *opened);
  CHECK(scm.open_service(manager.get(), name, detail::os::access_rights::query_status).error() == 1060);
}

TEST_CASE("create_service fails with 1073 for an existing name and with 1078 for an existing display name") {
  test_service service(make_config(startup::manual, "x", "Z\xC3\xBCrich " + std::to_string(detail::os::process_id())));
  if (!service.handle) return;
  const auto opened = service.scm.open_manager(manager_connect | detail::os::access_rights::manager_create);
  REQUIRE(opened);
  const detail::os::service_handle manager(service.scm, *opened);
  const auto create_again = [&](const std::string& name, const std::string& display) {
    return service.scm.create_service(manager.get(), name, 1, make_config(startup::manual, "x", display)).error();
  };
  CHECK(create_again(service.name, "another") == 1073);
  CHECK(create_again(service.name + "2", "Z\xC3\xBCrich " + std::to_string(detail::os::process_id())) == 1078);
}

TEST_CASE("an empty optional is NULL or SERVICE_NO_CHANGE, a list ends with two NULs, an empty password is not NULL") {
  const detail::os::native_config empty({});
  CHECK(empty.start_type() == SERVICE_NO_CHANGE);
  CHECK(empty.binary() == nullptr);
  CHECK(empty.display_name() == nullptr);
  CHECK(empty.account() == nullptr);
  CHECK(empty.password() == nullptr);
  CHECK(empty.dependencies() == nullptr);

  detail::os::service_config_change change = make_config(startup::delayed, "app", "App");
  change.account = "NT AUTHORITY\\LocalService";
  change.password = "";
  change.dependencies = {{"Tcpip", "+TDI"}};
  const detail::os::native_config complete(change);
  CHECK(complete.start_type() == SERVICE_AUTO_START);
  CHECK(complete.binary() == std::wstring(L"app"));
  CHECK(complete.display_name() == std::wstring(L"App"));
  CHECK(complete.account() == std::wstring(L"NT AUTHORITY\\LocalService"));
  REQUIRE(complete.password() != nullptr);
  CHECK(complete.password() == std::wstring());
  CHECK(std::wstring(complete.dependencies(), 12) == std::wstring(L"Tcpip\0+TDI\0", 11) + L'\0');

  change.password.reset();
  change.dependencies = std::vector<std::string>();
  const detail::os::native_config cleared(change);
  CHECK(cleared.password() == nullptr);
  REQUIRE(cleared.dependencies() != nullptr);
  CHECK(std::wstring(cleared.dependencies(), 2) == std::wstring(2, L'\0'));
}

TEST_CASE("account and dependencies are stored in the registry key of the service, and an empty list clears them") {
  detail::os::service_config_change settings = make_config(startup::manual, "x", "winsvc dependencies");
  settings.account = "NT AUTHORITY\\LocalService";
  settings.password = "";
  settings.dependencies = {{"Tcpip", "Afd"}};
  test_service service(settings);
  if (!service.handle) return;

  auto config = service.scm.query_config(service.handle);
  REQUIRE(config);
  CHECK(detail::scm::parse_account(config->account, service.name)->name == "NT AUTHORITY\\LocalService");
  const bool reported = !config->dependencies.empty();  // Wine stores them but does not return them
  if (reported) CHECK(config->dependencies == std::vector<std::string>{"Tcpip", "Afd"});
  CHECK(detail::os::from_wide_list(service.stored(L"DependOnService").c_str()) ==
        std::vector<std::string>{"Tcpip", "Afd"});

  detail::os::service_config_change no_dependencies;
  no_dependencies.dependencies = std::vector<std::string>();
  CHECK(service.scm.change_config(service.handle, no_dependencies));
  CHECK(detail::os::from_wide_list(service.stored(L"DependOnService").c_str()).empty());
}

TEST_CASE("a description is set and read, and an empty text deletes it") {
  test_service service(make_config(startup::manual, "x", "winsvc description"));
  if (!service.handle) return;
  const auto read = [&] {
    const auto level = service.scm.query_level(service.handle, detail::scm::config_level_id::description);
    REQUIRE(level);
    return std::get<detail::scm::description_text>(*level).text;
  };
  CHECK(read().empty());
  CHECK(service.scm.change_level(service.handle, detail::scm::description_text{"Gr\xC3\xBC\xC3\x9F" "e"}));
  CHECK(read() == "Gr\xC3\xBC\xC3\x9F" "e");
  CHECK(service.scm.change_level(service.handle, detail::scm::description_text{""}));
  CHECK(read().empty());
}

TEST_CASE("the preshutdown timeout is stored in milliseconds") {
  test_service service(make_config(startup::manual, "x", "winsvc preshutdown"));
  if (!service.handle) return;
  CHECK(service.scm.change_level(service.handle, detail::scm::preshutdown_timeout{std::chrono::milliseconds(12'345)}));
  const auto level = service.scm.query_level(service.handle, detail::scm::config_level_id::preshutdown);
  REQUIRE(level);
  CHECK(std::get<detail::scm::preshutdown_timeout>(*level).limit == std::chrono::milliseconds(12'345));
}

TEST_CASE("failure actions are accepted; Wine does not store them") {
  test_service service(make_config(startup::manual, "x", "winsvc recovery"));
  if (!service.handle) return;
  CHECK(service.scm.change_level(service.handle, detail::scm::default_recovery()));
  const auto level = service.scm.query_level(service.handle, detail::scm::config_level_id::failure_actions);
  if (level) CHECK(std::get<detail::scm::recovery_options>(*level) == detail::scm::default_recovery());
  else CHECK(level.error() == 124);
  CHECK(service.scm.change_level(service.handle, detail::scm::recovery_options{}));
}

TEST_CASE("the levels 3 to 6 are stored, or they fail with 124") {
  test_service service(make_config(startup::automatic, "x", "winsvc levels"));
  if (!service.handle) return;
  const detail::scm::config_level levels[] = {detail::scm::delayed_start{true}, detail::scm::failure_flag{true},
                                        detail::scm::sid_type{detail::scm::sid_type::unrestricted},
                                        detail::scm::required_privileges{{"SeChangeNotifyPrivilege"}}};
  for (const auto& level : levels) {
    CAPTURE(detail::scm::number(level));
    const auto result = service.scm.change_level(service.handle, level);
    if (is_unsupported_level(result)) {
      CHECK(service.scm.query_level(service.handle, detail::scm::number(level)).error() == 124);
      continue;
    }
    CHECK(result);
    const auto read = service.scm.query_level(service.handle, detail::scm::number(level));
    REQUIRE(read);
    CHECK(detail::scm::format_config_level(*read) == detail::scm::format_config_level(level));
  }
  CHECK(service.scm.query_level(service.handle, 0).error() == 124);
  CHECK(service.scm.query_level(service.handle, 8).error() == 124);
}

TEST_CASE("active_dependents is empty for a service without dependents") {
  test_service service(make_config(startup::manual, "x", "winsvc dependents"));
  if (!service.handle) return;
  const auto names = service.scm.active_dependents(service.handle);
  REQUIRE(names);
  CHECK(names->empty());
}

TEST_CASE("the security of a service is read as SDDL, and invalid SDDL is rejected") {
  test_service service(make_config(startup::manual, "x", "winsvc security"));
  if (!service.handle) return;
  const auto before = service.scm.query_security(service.handle);
  REQUIRE(before);
  CHECK(before->substr(0, 2) == "D:");  // Wine always returns an empty DACL
  CHECK(service.scm.change_security(service.handle, "D:(A;;GA;;;BA)"));
  CHECK_FALSE(service.scm.change_security(service.handle, "nonsense"));
}

#endif
