// The handle that closes itself, and the manager of this platform.
#include "winsvc/scm/account.hpp"
#include "winsvc/os/native.hpp"

#include <doctest/doctest.h>

using namespace winsvc;
using os::access_rights::manager_connect;

namespace {

/// Remembers what was closed; nothing else is asked of it.
class closing final : public os::service_manager {
 public:
  os::sys_result<raw_handle> open_manager(std::uint32_t) override { return os::sys_failure(50); }
  os::sys_result<raw_handle> create_service(raw_handle, const std::string&, std::uint32_t,
                                            const os::service_config_change&) override {
    return os::sys_failure(50);
  }
  os::sys_result<raw_handle> open_service(raw_handle, const std::string&, std::uint32_t) override {
    return os::sys_failure(50);
  }
  os::sys_result<void> change_config(raw_handle, const os::service_config_change&) override { return {}; }
  os::sys_result<void> change_level(raw_handle, const model::config_level&) override { return {}; }
  os::sys_result<model::config_level> query_level(raw_handle, std::uint32_t) override { return os::sys_failure(50); }
  os::sys_result<os::service_config> query_config(raw_handle) override { return os::sys_failure(50); }
  os::sys_result<os::service_process_status> query_status(raw_handle) override { return os::sys_failure(50); }
  os::sys_result<void> start_service(raw_handle, const std::vector<std::string>&) override { return {}; }
  os::sys_result<void> control_service(raw_handle, std::uint32_t) override { return {}; }
  os::sys_result<std::vector<std::string>> active_dependents(raw_handle) override { return os::sys_failure(50); }
  os::sys_result<std::string> query_security(raw_handle) override { return os::sys_failure(50); }
  os::sys_result<void> change_security(raw_handle, const std::string&) override { return {}; }
  os::sys_result<void> delete_service(raw_handle) override { return {}; }
  void close(raw_handle handle) noexcept override { closed.push_back(handle); }
  os::sys_result<void> add_event_source(const std::string&) override { return {}; }
  os::sys_result<void> remove_event_source(const std::string&) override { return {}; }
  os::sys_result<std::vector<std::string>> query_environment(const std::string&) override {
    return os::sys_failure(50);
  }
  os::sys_result<void> change_environment(const std::string&, const std::vector<std::string>&) override { return {}; }
  os::sys_result<std::string> account_sid(const std::string&) override { return os::sys_failure(50); }
  os::sys_result<void> add_logon_right(const std::string&) override { return {}; }
  os::sys_result<bool> query_logon_right(const std::string&) override { return false; }
  os::sys_result<bool> query_event_source(const std::string&) override { return false; }
  os::sys_result<bool> query_delete_mark(const std::string&) override { return false; }
  os::sys_result<std::string> query_folder_security(const std::string&) override { return os::sys_failure(50); }
  os::sys_result<void> change_folder_security(const std::string&, const std::string&) override { return {}; }
  std::vector<raw_handle> closed;
};

using closed = std::vector<os::service_manager::raw_handle>;

}  // namespace

TEST_CASE("a handle is closed once, by its last owner") {
  closing scm;
  int a = 0, b = 0;
  {
    os::service_handle first(scm, &a);
    os::service_handle second(std::move(first));
    CHECK(second.get() == &a);
    os::service_handle third(scm, &b);
    third = std::move(second);
    CHECK(scm.closed == closed{&b});
    CHECK(third.get() == &a);
    auto& same = third;
    third = std::move(same);
    CHECK(third.get() == &a);
  }
  CHECK(scm.closed == closed{&b, &a});
}

TEST_CASE("a handle can be closed early, and no handle is never closed") {
  closing scm;
  int a = 0;
  {
    os::service_handle handle(scm, &a);
    handle.reset();
    handle.reset();
    const os::service_handle none(scm, nullptr);
  }
  CHECK(scm.closed == closed{&a});
}

#if !defined(_WIN32)

TEST_CASE("where there is no service control manager, its calls say so") {
  os::native_service_manager scm;
  CHECK(scm.open_manager(manager_connect).error() == 50);
  CHECK(scm.open_service(nullptr, "hello", os::access_rights::query_status).error() == 50);
  CHECK(scm.change_level(nullptr, model::failure_flag{true}).error() == 50);
  CHECK(scm.query_level(nullptr, model::config_level_id::failure_flag).error() == 50);
  CHECK(scm.active_dependents(nullptr).error() == 50);
  CHECK(scm.add_event_source("hello").error() == 50);
  CHECK(scm.change_environment("hello", {"A=b"}).error() == 50);
  CHECK(scm.account_sid("Administrators").error() == 50);
  CHECK(scm.query_folder_security("/").error() == 50);
  scm.close(nullptr);
  os::native_dispatcher dispatcher;
  CHECK(dispatcher.run([](const std::vector<std::string>&) {}) == model::win32_error::failed_controller_connect);
}

#else

namespace {

/// A service of this process's own that is never started, gone at the end of the test.
class made_service {
 public:
  explicit made_service(const os::service_config_change& settings = {}) {
    const auto opened = scm.open_manager(manager_connect | os::access_rights::manager_create);
    if (!opened && opened.error() == model::win32_error::access_denied) return;  // needs an elevated prompt
    REQUIRE(opened);
    const os::service_handle manager(scm, *opened);
    const auto created = scm.create_service(manager.get(), name, 0xF01FF, settings);
    REQUIRE(created);
    handle = *created;
  }
  ~made_service() {
    if (!handle) return;
    CHECK(scm.delete_service(handle));
    scm.close(handle);
  }
  made_service(const made_service&) = delete;
  made_service& operator=(const made_service&) = delete;

  /// A value of its registry key as it is stored: what the SCM does not tell is there.
  [[nodiscard]] std::wstring stored(const wchar_t* value) const {
    std::wstring text(512, L'\0');
    auto size = static_cast<DWORD>(text.size() * sizeof(wchar_t));
    const std::wstring key = os::services_key(name);
    if (::RegGetValueW(HKEY_LOCAL_MACHINE, key.c_str(), value, RRF_RT_ANY, nullptr, text.data(), &size) != 0) return {};
    text.resize(size / sizeof(wchar_t));
    return text;
  }

  os::native_service_manager scm;
  std::string name = "winsvc-test-Z\xC3\xBCrich-" + std::to_string(os::process_id());
  os::service_manager::raw_handle handle = nullptr;
};

os::service_config_change created_as(startup when, const std::string& binary, const std::string& display) {
  os::service_config_change s;
  s.startup = when;
  s.binary = binary;
  s.display_name = display;
  return s;
}

/// Of levels 3 to 6 Wine says that it does not know them.
bool unknown(const os::sys_result<void>& r) { return !r && r.error() == 124; }

}  // namespace

TEST_CASE("a service that is not installed is 1060, a name that cannot be is 123") {
  os::native_service_manager scm;
  const auto opened = scm.open_manager(manager_connect);
  REQUIRE(opened);
  const os::service_handle manager(scm, *opened);
  CHECK(scm.open_service(manager.get(), "winsvc-there-is-none", os::access_rights::query_status).error() == 1060);
  CHECK(scm.open_service(manager.get(), "a/b", os::access_rights::query_status).error() == 123);
}

TEST_CASE("what is created is found again as it was asked for, changed, and gone after deletion") {
  const std::string binary = model::image_path("C:\\My tools\\app.exe", {{}, "::1", 5001, {}});
  const std::string display = "Z\xC3\xBCrich " + std::to_string(os::process_id());
  std::string name;
  {
    made_service made(created_as(startup::manual, binary, display));
    if (!made.handle) return;
    name = made.name;

    auto config = made.scm.query_config(made.handle);
    REQUIRE(config);
    CHECK(config->binary == binary);
    CHECK(config->display_name == display);
    CHECK(config->startup == startup::manual);
    const auto status = made.scm.query_status(made.handle);
    REQUIRE(status);
    CHECK(status->status.current == model::state::stopped);
    CHECK(status->pid == 0);
    CHECK(made.scm.control_service(made.handle, 1).error() == model::win32_error::service_not_active);

    os::service_config_change only_start;
    only_start.startup = startup::disabled;
    CHECK(made.scm.change_config(made.handle, only_start));
    config = made.scm.query_config(made.handle);
    REQUIRE(config);
    CHECK(config->startup == startup::disabled);
    CHECK(config->binary == binary);
    CHECK(config->display_name == display);
    CHECK(made.scm.start_service(made.handle, {}).error() == model::win32_error::service_disabled);
  }
  os::native_service_manager scm;
  const auto opened = scm.open_manager(manager_connect);
  REQUIRE(opened);
  const os::service_handle manager(scm, *opened);
  CHECK(scm.open_service(manager.get(), name, os::access_rights::query_status).error() == 1060);
}

TEST_CASE("a second service of a name is 1073, and of a display name 1078") {
  made_service made(created_as(startup::manual, "x", "Z\xC3\xBCrich " + std::to_string(os::process_id())));
  if (!made.handle) return;
  const auto opened = made.scm.open_manager(manager_connect | os::access_rights::manager_create);
  REQUIRE(opened);
  const os::service_handle manager(made.scm, *opened);
  const auto again = [&](const std::string& name, const std::string& display) {
    return made.scm.create_service(manager.get(), name, 1, created_as(startup::manual, "x", display)).error();
  };
  CHECK(again(made.name, "another") == 1073);
  CHECK(again(made.name + "2", "Z\xC3\xBCrich " + std::to_string(os::process_id())) == 1078);
}

TEST_CASE("what nobody said is NULL or SERVICE_NO_CHANGE, a list ends with two NULs, an empty password is not NULL") {
  const os::native_settings nothing({});
  CHECK(nothing.start_type() == SERVICE_NO_CHANGE);
  CHECK(nothing.binary() == nullptr);
  CHECK(nothing.display_name() == nullptr);
  CHECK(nothing.account() == nullptr);
  CHECK(nothing.password() == nullptr);
  CHECK(nothing.dependencies() == nullptr);

  os::service_config_change all = created_as(startup::delayed, "app", "App");
  all.account = "NT AUTHORITY\\LocalService";
  all.password = "";
  all.dependencies = {{"Tcpip", "+TDI"}};
  const os::native_settings reply(all);
  CHECK(reply.start_type() == SERVICE_AUTO_START);
  CHECK(reply.binary() == std::wstring(L"app"));
  CHECK(reply.display_name() == std::wstring(L"App"));
  CHECK(reply.account() == std::wstring(L"NT AUTHORITY\\LocalService"));
  REQUIRE(reply.password() != nullptr);
  CHECK(reply.password() == std::wstring());
  CHECK(std::wstring(reply.dependencies(), 12) == std::wstring(L"Tcpip\0+TDI\0", 11) + L'\0');

  all.password.reset();
  all.dependencies = std::vector<std::string>();
  const os::native_settings cleared(all);
  CHECK(cleared.password() == nullptr);
  REQUIRE(cleared.dependencies() != nullptr);
  CHECK(std::wstring(cleared.dependencies(), 2) == std::wstring(2, L'\0'));
}

TEST_CASE("account and dependencies arrive in the service's registry key, and an empty list clears") {
  os::service_config_change settings = created_as(startup::manual, "x", "winsvc dependencies");
  settings.account = "NT AUTHORITY\\LocalService";
  settings.password = "";
  settings.dependencies = {{"Tcpip", "Afd"}};
  made_service made(settings);
  if (!made.handle) return;

  auto config = made.scm.query_config(made.handle);
  REQUIRE(config);
  CHECK(model::parse_account(config->account, made.name)->name == "NT AUTHORITY\\LocalService");
  const bool reported = !config->dependencies.empty();  // Wine keeps them and tells nobody
  if (reported) CHECK(config->dependencies == std::vector<std::string>{"Tcpip", "Afd"});
  CHECK(os::from_wide_list(made.stored(L"DependOnService").c_str()) == std::vector<std::string>{"Tcpip", "Afd"});

  os::service_config_change none;
  none.dependencies = std::vector<std::string>();
  CHECK(made.scm.change_config(made.handle, none));
  CHECK(os::from_wide_list(made.stored(L"DependOnService").c_str()).empty());
}

TEST_CASE("the description is set, read, and taken out by an empty text") {
  made_service made(created_as(startup::manual, "x", "winsvc description"));
  if (!made.handle) return;
  const auto read = [&] {
    const auto level = made.scm.query_level(made.handle, model::config_level_id::description);
    REQUIRE(level);
    return std::get<model::description_text>(*level).text;
  };
  CHECK(read().empty());
  CHECK(made.scm.change_level(made.handle, model::description_text{"Gr\xC3\xBC\xC3\x9F" "e"}));
  CHECK(read() == "Gr\xC3\xBC\xC3\x9F" "e");
  CHECK(made.scm.change_level(made.handle, model::description_text{""}));
  CHECK(read().empty());
}

TEST_CASE("the time before a shutdown is kept to the millisecond") {
  made_service made(created_as(startup::manual, "x", "winsvc preshutdown"));
  if (!made.handle) return;
  CHECK(made.scm.change_level(made.handle, model::preshutdown_timeout{std::chrono::milliseconds(12'345)}));
  const auto level = made.scm.query_level(made.handle, model::config_level_id::preshutdown);
  REQUIRE(level);
  CHECK(std::get<model::preshutdown_timeout>(*level).limit == std::chrono::milliseconds(12'345));
}

TEST_CASE("failure actions are taken, by Wine without keeping them") {
  made_service made(created_as(startup::manual, "x", "winsvc recovery"));
  if (!made.handle) return;
  CHECK(made.scm.change_level(made.handle, model::default_recovery()));
  const auto level = made.scm.query_level(made.handle, model::config_level_id::failure_actions);
  if (level) CHECK(std::get<model::recovery_plan>(*level) == model::default_recovery());
  else CHECK(level.error() == 124);
  CHECK(made.scm.change_level(made.handle, model::recovery_plan{}));
}

TEST_CASE("the levels that came later are kept, or refused as a level that is not known") {
  made_service made(created_as(startup::automatic, "x", "winsvc levels"));
  if (!made.handle) return;
  const model::config_level levels[] = {model::delayed_start{true}, model::failure_flag{true},
                                        model::sid_type{model::sid_type::unrestricted},
                                        model::required_privileges{{"SeChangeNotifyPrivilege"}}};
  for (const auto& level : levels) {
    CAPTURE(model::number(level));
    const auto done = made.scm.change_level(made.handle, level);
    if (unknown(done)) {
      CHECK(made.scm.query_level(made.handle, model::number(level)).error() == 124);
      continue;
    }
    CHECK(done);
    const auto read = made.scm.query_level(made.handle, model::number(level));
    REQUIRE(read);
    CHECK(model::format_config_level(*read) == model::format_config_level(level));
  }
  CHECK(made.scm.query_level(made.handle, 0).error() == 124);
  CHECK(made.scm.query_level(made.handle, 8).error() == 124);
}

TEST_CASE("a service that nobody needs has no dependents") {
  made_service made(created_as(startup::manual, "x", "winsvc dependents"));
  if (!made.handle) return;
  const auto names = made.scm.active_dependents(made.handle);
  REQUIRE(names);
  CHECK(names->empty());
}

TEST_CASE("a service's security is read as SDDL, and what is no SDDL is refused before the call") {
  made_service made(created_as(startup::manual, "x", "winsvc security"));
  if (!made.handle) return;
  const auto before = made.scm.query_security(made.handle);
  REQUIRE(before);
  CHECK(before->substr(0, 2) == "D:");  // Wine: that, and no entry, whatever was set
  CHECK(made.scm.change_security(made.handle, "D:(A;;GA;;;BA)"));
  CHECK_FALSE(made.scm.change_security(made.handle, "nonsense"));
}

#endif
