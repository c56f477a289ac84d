// Registry, accounts and folder security: the members of service_manager that do not call the SCM.
#include "winsvc/base/scope.hpp"
#include "winsvc/scm/security.hpp"
#include "winsvc/os/native.hpp"

#include <doctest/doctest.h>

#if defined(_WIN32)

using namespace winsvc;
using namespace winsvc::detail::base;

namespace {

/// True if the test needs administrator rights and does not have them.
bool is_denied(const detail::os::sys_result<void>& r) {
  return !r && r.error() == detail::base::win32_error::access_denied;
}

bool is_wine() { return ::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != nullptr; }

std::string path_in_test_folder(const std::string& name) {
  return detail::os::path_join(detail::os::folder_of(detail::os::executable_path()),
                               name + "-" + std::to_string(detail::os::process_id()));
}

}  // namespace

TEST_CASE("an event source is added and removed; doing so twice succeeds") {
  detail::os::native_service_manager scm;
  const std::string source = "winsvc-test-" + std::to_string(detail::os::process_id());
  const auto added = scm.add_event_source(source);
  if (is_denied(added)) return;
  CHECK(added);
  CHECK(scm.add_event_source(source));
  CHECK(*scm.query_event_source(source));
  CHECK_FALSE(*scm.query_event_source(source + "-other"));

  const std::wstring path = detail::os::services_key("EventLog\\Application\\" + source);
  wchar_t file[128];
  DWORD size = sizeof file, types = 0, type = 0;
  CHECK(::RegGetValueW(HKEY_LOCAL_MACHINE, path.c_str(), L"EventMessageFile", RRF_RT_ANY | RRF_NOEXPAND, &type, file,
                       &size) == 0);
  CHECK(type == REG_EXPAND_SZ);
  CHECK(file == std::wstring(L"%SystemRoot%\\System32\\EventCreate.exe"));
  size = sizeof types;
  CHECK(::RegGetValueW(HKEY_LOCAL_MACHINE, path.c_str(), L"TypesSupported", RRF_RT_REG_DWORD, nullptr, &types,
                       &size) == 0);
  CHECK(types == 7);

  CHECK(scm.remove_event_source(source));
  CHECK(scm.remove_event_source(source));
  CHECK_FALSE(detail::os::registry_key::open(path, KEY_QUERY_VALUE));
}

TEST_CASE("the environment of a service is a registry list of any length; an empty list deletes it") {
  detail::os::native_service_manager scm;
  const std::string name = "winsvc-test-environment-" + std::to_string(detail::os::process_id());
  CHECK(scm.query_environment(name).error() == 2);
  CHECK(scm.change_environment(name, {"A=b"}).error() == 2);
  const auto key = detail::os::registry_key::create(detail::os::services_key(name), KEY_SET_VALUE);
  if (!key && key.error() == detail::base::win32_error::access_denied) return;
  REQUIRE(key);
  const scope_exit cleanup([&] { ::RegDeleteKeyW(HKEY_LOCAL_MACHINE, detail::os::services_key(name).c_str()); });

  CHECK(scm.query_environment(name)->empty());
  const std::vector<std::string> short_list = {"PORT=5001", "GREETING=Gr\xC3\xBC\xC3\x9F" "e", "EMPTY="};
  CHECK(scm.change_environment(name, short_list));
  CHECK(*scm.query_environment(name) == short_list);
  std::vector<std::string> long_list;
  for (int i = 0; i < 500; ++i) long_list.push_back("VARIABLE_" + std::to_string(i) + "=" + std::string(20, 'x'));
  CHECK(scm.change_environment(name, long_list));
  CHECK(*scm.query_environment(name) == long_list);
  CHECK(scm.change_environment(name, {}));
  CHECK(scm.change_environment(name, {}));
  CHECK(scm.query_environment(name)->empty());
}

TEST_CASE("account_sid returns the SID of an account, and fails with 1332 if it does not exist") {
  detail::os::native_service_manager scm;
  CHECK(*scm.account_sid("BUILTIN\\Administrators") == "S-1-5-32-544");
  CHECK(*scm.account_sid("Administrators") == "S-1-5-32-544");
  CHECK(*scm.account_sid("NT AUTHORITY\\SYSTEM") == "S-1-5-18");
  CHECK(scm.account_sid("winsvc-no-such-account").error() == 1332);
  const auto sid = detail::os::current_user_sid();
  REQUIRE(sid);
  CHECK(sid->substr(0, 4) == "S-1-");
}

TEST_CASE("account_name returns the name of a SID with its domain, and fails if the SID has no name") {
  detail::os::native_service_manager scm;
  CHECK(*scm.account_name("S-1-5-32-544") == "BUILTIN\\Administrators");
  CHECK(*scm.account_name("S-1-5-18") == "NT AUTHORITY\\SYSTEM");
  CHECK(*scm.account_name("S-1-1-0") == "Everyone");
  CHECK(scm.account_name("S-1-5-80-1-2-3-4-5").error() == 1332);
  CHECK_FALSE(scm.account_name("nonsense"));
}

TEST_CASE("add_logon_right rejects a text that is not a SID") {
  detail::os::native_service_manager scm;
  CHECK(scm.add_logon_right("no-sid").error() == ERROR_INVALID_SID);
  if (!is_wine()) return;  // Windows would grant the right; Wine succeeds without an effect
  CHECK(scm.add_logon_right(*detail::os::current_user_sid()));
}

TEST_CASE("query_logon_right reads the right of an account") {
  detail::os::native_service_manager scm;
  CHECK(scm.query_logon_right("no-sid").error() == ERROR_INVALID_SID);
  const auto has_right = scm.query_logon_right(*detail::os::current_user_sid());
  if (!has_right) MESSAGE("the logon right of this account cannot be queried: code " << has_right.error());
  if (is_wine() && has_right) CHECK_FALSE(*has_right);  // Wine has no LSA policy database
}

TEST_CASE("query_delete_mark is true if the registry key of the service has a DeleteFlag") {
  detail::os::native_service_manager scm;
  const std::string name = "winsvc-test-mark-" + std::to_string(detail::os::process_id());
  CHECK(scm.query_delete_mark(name).error() == 2);
  auto key = detail::os::registry_key::create(detail::os::services_key(name), KEY_SET_VALUE);
  if (!key && key.error() == detail::base::win32_error::access_denied) return;
  REQUIRE(key);
  const scope_exit cleanup([&] { ::RegDeleteKeyW(HKEY_LOCAL_MACHINE, detail::os::services_key(name).c_str()); });

  CHECK_FALSE(*scm.query_delete_mark(name));
  const DWORD flag = 1;
  REQUIRE(key->set(L"DeleteFlag", REG_DWORD, &flag, sizeof flag));
  CHECK(*scm.query_delete_mark(name));
}

TEST_CASE("to_string_list reads string values of any length and skips values of other types") {
  const std::string name = "winsvc-test-texts-" + std::to_string(detail::os::process_id());
  auto key = detail::os::registry_key::create(detail::os::services_key(name), KEY_SET_VALUE | KEY_QUERY_VALUE);
  if (!key && key.error() == detail::base::win32_error::access_denied) return;
  REQUIRE(key);
  const scope_exit cleanup([&] { ::RegDeleteKeyW(HKEY_LOCAL_MACHINE, detail::os::services_key(name).c_str()); });
  const std::wstring rule = L"v2.30|Action=Allow|Name=" + std::wstring(5000, L'x') + L'|';
  const DWORD number = 7;
  REQUIRE(key->set(L"{1}", REG_SZ, L"short"));
  REQUIRE(key->set(L"{2}", REG_DWORD, &number, sizeof number));
  REQUIRE(key->set(L"{3}", REG_SZ, rule));

  const auto strings_read = key->to_string_list();

  REQUIRE(strings_read);
  CHECK(*strings_read == std::vector<std::string>{"short", detail::os::to_utf8(rule)});
}

TEST_CASE("a UNC path is on the network and a local drive is not; firewall rules can be read") {
  CHECK(detail::os::is_on_network("\\\\server\\share\\hello.exe"));
  CHECK(detail::os::is_on_network("\\\\?\\UNC\\server\\share\\hello.exe"));
  CHECK_FALSE(detail::os::is_on_network("\\\\?\\C:\\apps\\hello.exe"));
  CHECK_FALSE(detail::os::is_on_network("C:\\apps\\hello.exe"));
  CHECK_FALSE(detail::os::is_on_network("hello.exe"));
  CHECK_FALSE(detail::os::is_emulated());  // the tests are 64-bit programs
  const auto rules = detail::os::firewall_rules();
  CHECK((rules || rules.error() == 2));  // Wine has none
}

TEST_CASE("after conversion to a descriptor and back, SDDL has the full SIDs and is unchanged otherwise") {
  const std::pair<std::string, std::string> texts[] = {
      {"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", "D:P(A;OICI;FA;;;S-1-5-18)(A;OICI;FA;;;S-1-5-32-544)"},
      {"D:(A;;CCLCSWRPWPDTLOCRRC;;;S-1-5-80-1-2-3-4-5)", "D:(A;;CCLCSWRPWPDTLOCRRC;;;S-1-5-80-1-2-3-4-5)"},
      {"D:(A;OICIID;FA;;;SY)", "D:(A;OICIID;FA;;;S-1-5-18)"},
      {"D:AI(A;OICI;0x1200a9;;;BU)", "D:AI(A;OICI;0x1200a9;;;S-1-5-32-545)"}};
  for (const auto& [sddl, expected] : texts) {
    const auto descriptor = detail::os::descriptor_of(sddl);
    REQUIRE(descriptor);
    const auto text = detail::os::dacl_text(descriptor->get());
    REQUIRE(text);
    CHECK(*text == expected);
  }
  CHECK_FALSE(detail::os::descriptor_of("nonsense"));
}

TEST_CASE("create_folder creates a folder with its security, and change_folder_security changes it later") {
  detail::os::native_service_manager scm;
  const std::string parent = path_in_test_folder("winsvc-folder"),
                    folder = detail::os::path_join(parent, "Z\xC3\xBCrich");
  const scope_exit cleanup([&] {
    ::RemoveDirectoryW(detail::os::to_wide(folder).c_str());
    ::RemoveDirectoryW(detail::os::to_wide(parent).c_str());
  });
  const auto security = [&](const std::string& path) {
    const auto sddl = scm.query_folder_security(path);
    REQUIRE(sddl);
    CHECK(sddl->substr(0, 2) == "O:");
    return *sddl;
  };
  const auto has = [](const std::string& sddl, std::string_view entry) { return detail::scm::has_ace(sddl, entry); };
  const auto names_everyone = [](const std::string& sddl) { return sddl.find(";;;S-1-1-0)") != sddl.npos; };
  // Wine stores only what Unix permissions can express (owner, everyone), and a protected folder inherits under Wine.
  // So the parent folder is closed too.
  const std::string closed = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", everyone = detail::scm::read_ace("WD");
  CHECK(scm.query_folder_security(folder).error() == 3);
  CHECK(scm.change_folder_security(parent, closed).error() == 2);
  CHECK(scm.create_folder(parent, closed));
  CHECK(scm.create_folder(folder, closed));
  CHECK(scm.create_folder(folder, closed).error() == 183);
  CHECK(has(security(folder), "(A;OICI;FA;;;SY)"));
  CHECK_FALSE(names_everyone(security(folder)));

  CHECK(
      scm.change_folder_security(folder, detail::scm::add_ace(detail::scm::without_owner(security(folder)), everyone)));
  CHECK(has(security(folder), everyone));
  CHECK(scm.change_folder_security(folder, closed));
  CHECK_FALSE(names_everyone(security(folder)));
}

TEST_CASE("create_folder creates missing parent folders, and fails without a DACL") {
  detail::os::native_service_manager scm;
  const std::string parent = path_in_test_folder("winsvc-parent"), folder = detail::os::path_join(parent, "in");
  const scope_exit cleanup([&] {
    ::RemoveDirectoryW(detail::os::to_wide(folder).c_str());
    ::RemoveDirectoryW(detail::os::to_wide(parent).c_str());
  });
  CHECK(scm.create_folder(folder, "O:BA").error() == ERROR_INVALID_ACL);
  CHECK_FALSE(scm.create_folder(folder, "nonsense"));
  CHECK(scm.create_folder(folder, "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"));
  CHECK(scm.query_folder_security(folder));
}

TEST_CASE("change_folder_security fails without a DACL, for a file and for a link; the rights of a file can be read") {
  detail::os::native_service_manager scm;
  const std::string path = path_in_test_folder("winsvc-file");
  const scope_exit cleanup([&] { detail::os::remove_file(path); });
  CHECK(detail::os::replace_file(path, "x"));
  CHECK(scm.change_folder_security(path, "D:P(A;;FA;;;BA)").error() == ERROR_DIRECTORY);
  CHECK(scm.query_folder_security(path));
  CHECK(scm.change_folder_security(path, "O:BA").error() == ERROR_INVALID_ACL);
  CHECK_FALSE(scm.change_folder_security(path, "nonsense"));

  const std::wstring link = detail::os::to_wide(path + "-link");
  ::CreateSymbolicLinkW(link.c_str(), detail::os::to_wide(detail::os::folder_of(path)).c_str(),
                        SYMBOLIC_LINK_FLAG_DIRECTORY);
  const DWORD attributes = ::GetFileAttributesW(link.c_str());
  if (attributes == INVALID_FILE_ATTRIBUTES) return;  // the account has no right to create links, or Wine created none
  CHECK(scm.change_folder_security(path + "-link", "D:P(A;;FA;;;BA)").error() == 4395);
  ::RemoveDirectoryW(link.c_str());
}

#endif
