// What an install touches beside the service manager: registry, accounts, folders.
#include "winsvc/base/scope.hpp"
#include "winsvc/scm/security.hpp"
#include "winsvc/os/native.hpp"

#include <doctest/doctest.h>

#if defined(_WIN32)

using namespace winsvc;

namespace {

/// Without an elevated prompt nothing of this can be tried.
bool denied(const os::sys_result<void>& r) { return !r && r.error() == model::win32_error::access_denied; }

bool under_wine() { return ::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != nullptr; }

std::string beside_the_test(const std::string& name) {
  return os::path_join(os::folder_of(os::executable_path()), name + "-" + std::to_string(os::process_id()));
}

}  // namespace

TEST_CASE("an event source is added and removed, also twice") {
  os::native_service_manager scm;
  const std::string source = "winsvc-test-" + std::to_string(os::process_id());
  const auto added = scm.add_event_source(source);
  if (denied(added)) return;
  CHECK(added);
  CHECK(scm.add_event_source(source));
  CHECK(*scm.query_event_source(source));
  CHECK_FALSE(*scm.query_event_source(source + "-other"));

  const std::wstring path = os::services_key("EventLog\\Application\\" + source);
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
  CHECK_FALSE(os::registry_key::open(path, KEY_QUERY_VALUE));
}

TEST_CASE("a service's environment is a list of any length in its key; an empty list takes it out") {
  os::native_service_manager scm;
  const std::string name = "winsvc-test-environment-" + std::to_string(os::process_id());
  CHECK(scm.query_environment(name).error() == 2);
  CHECK(scm.change_environment(name, {"A=b"}).error() == 2);
  const auto key = os::registry_key::create(os::services_key(name), KEY_SET_VALUE);
  if (!key && key.error() == model::win32_error::access_denied) return;
  REQUIRE(key);
  const scope_exit gone([&] { ::RegDeleteKeyW(HKEY_LOCAL_MACHINE, os::services_key(name).c_str()); });

  CHECK(scm.query_environment(name)->empty());
  const std::vector<std::string> few = {"PORT=5001", "GREETING=Gr\xC3\xBC\xC3\x9F" "e", "EMPTY="};
  CHECK(scm.change_environment(name, few));
  CHECK(*scm.query_environment(name) == few);
  std::vector<std::string> many;
  for (int i = 0; i < 500; ++i) many.push_back("VARIABLE_" + std::to_string(i) + "=" + std::string(20, 'x'));
  CHECK(scm.change_environment(name, many));
  CHECK(*scm.query_environment(name) == many);
  CHECK(scm.change_environment(name, {}));
  CHECK(scm.change_environment(name, {}));
  CHECK(scm.query_environment(name)->empty());
}

TEST_CASE("an account's SID is found by its name, and one that there is not is 1332") {
  os::native_service_manager scm;
  CHECK(*scm.account_sid("BUILTIN\\Administrators") == "S-1-5-32-544");
  CHECK(*scm.account_sid("Administrators") == "S-1-5-32-544");
  CHECK(*scm.account_sid("NT AUTHORITY\\SYSTEM") == "S-1-5-18");
  CHECK(scm.account_sid("winsvc-there-is-nobody").error() == 1332);
  const auto own = os::current_user_sid();
  REQUIRE(own);
  CHECK(own->substr(0, 4) == "S-1-");
}

TEST_CASE("the right to log on is for a SID, and what is none is refused") {
  os::native_service_manager scm;
  CHECK(scm.add_logon_right("nobody").error() == ERROR_INVALID_SID);
  if (!under_wine()) return;  // it would really be given; Wine says yes and does nothing
  CHECK(scm.add_logon_right(*os::current_user_sid()));
}

TEST_CASE("whether an account may log on as a service is asked without changing it") {
  os::native_service_manager scm;
  CHECK(scm.query_logon_right("nobody").error() == ERROR_INVALID_SID);
  const auto own = scm.query_logon_right(*os::current_user_sid());
  if (!own) MESSAGE("it cannot be asked here: " << own.error());
  if (under_wine() && own) CHECK_FALSE(*own);  // it has no such database
}

TEST_CASE("a service that was deleted while it was open has a mark in its key") {
  os::native_service_manager scm;
  const std::string name = "winsvc-test-mark-" + std::to_string(os::process_id());
  CHECK(scm.query_delete_mark(name).error() == 2);
  auto key = os::registry_key::create(os::services_key(name), KEY_SET_VALUE);
  if (!key && key.error() == model::win32_error::access_denied) return;
  REQUIRE(key);
  const scope_exit gone([&] { ::RegDeleteKeyW(HKEY_LOCAL_MACHINE, os::services_key(name).c_str()); });

  CHECK_FALSE(*scm.query_delete_mark(name));
  const DWORD one = 1;
  REQUIRE(key->set(L"DeleteFlag", REG_DWORD, &one, sizeof one));
  CHECK(*scm.query_delete_mark(name));
}

TEST_CASE("the texts in a key are read whole, however long, and what is no text is left out") {
  const std::string name = "winsvc-test-texts-" + std::to_string(os::process_id());
  auto key = os::registry_key::create(os::services_key(name), KEY_SET_VALUE | KEY_QUERY_VALUE);
  if (!key && key.error() == model::win32_error::access_denied) return;
  REQUIRE(key);
  const scope_exit gone([&] { ::RegDeleteKeyW(HKEY_LOCAL_MACHINE, os::services_key(name).c_str()); });
  const std::wstring rule = L"v2.30|Action=Allow|Name=" + std::wstring(5000, L'x') + L'|';
  const DWORD number = 7;
  REQUIRE(key->set(L"{1}", REG_SZ, L"short"));
  REQUIRE(key->set(L"{2}", REG_DWORD, &number, sizeof number));
  REQUIRE(key->set(L"{3}", REG_SZ, rule));

  const auto texts = key->to_string_list();

  REQUIRE(texts);
  CHECK(*texts == std::vector<std::string>{"short", os::to_utf8(rule)});
}

TEST_CASE("the machine is looked at: a share is another machine's, a disk is not") {
  CHECK(os::is_on_network("\\\\server\\share\\hello.exe"));
  CHECK(os::is_on_network("\\\\?\\UNC\\server\\share\\hello.exe"));
  CHECK_FALSE(os::is_on_network("\\\\?\\C:\\apps\\hello.exe"));
  CHECK_FALSE(os::is_on_network("C:\\apps\\hello.exe"));
  CHECK_FALSE(os::is_on_network("hello.exe"));
  CHECK_FALSE(os::is_emulated());  // the tests have 64 bits
  const auto rules = os::firewall_rules();
  CHECK((rules || rules.error() == 2));  // Wine has none
}

TEST_CASE("a descriptor is the same after a journey through its binary form") {
  for (const char* sddl : {"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", "D:(A;;CCLCSWRPWPDTLOCRRC;;;S-1-5-80-1-2-3-4-5)",
                           "D:(A;OICIID;FA;;;SY)", "D:AI(A;OICI;0x1200a9;;;BU)"}) {
    const auto descriptor = os::descriptor_of(sddl);
    REQUIRE(descriptor);
    const auto text = os::dacl_text(descriptor->get());
    REQUIRE(text);
    CHECK(*text == sddl);
  }
  CHECK_FALSE(os::descriptor_of("nonsense"));
}

TEST_CASE("a folder is made with its security, and can be given another") {
  os::native_service_manager scm;
  const std::string above = beside_the_test("winsvc-folder"), folder = os::path_join(above, "Z\xC3\xBCrich");
  const scope_exit gone([&] {
    ::RemoveDirectoryW(os::to_wide(folder).c_str());
    ::RemoveDirectoryW(os::to_wide(above).c_str());
  });
  const auto security = [&](const std::string& path) {
    const auto sddl = scm.query_folder_security(path);
    REQUIRE(sddl);
    CHECK(sddl->substr(0, 2) == "O:");
    return *sddl;
  };
  const auto has = [](const std::string& sddl, std::string_view entry) { return sddl.find(entry) != sddl.npos; };
  // Wine keeps what Unix permissions can say, the owner and everyone, and lets a folder inherit that is protected: so
  // the one above is closed as well.
  const std::string closed = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", everyone = model::read_ace("WD");
  CHECK(scm.query_folder_security(folder).error() == 3);
  CHECK(scm.change_folder_security(above, closed));
  CHECK(scm.change_folder_security(folder, closed));
  CHECK(has(security(folder), "(A;OICI;FA;;;SY)"));
  CHECK_FALSE(has(security(folder), ";;;WD)"));

  CHECK(scm.change_folder_security(folder, model::add_ace(model::without_owner(security(folder)), everyone)));
  CHECK(has(security(folder), everyone));
  CHECK(scm.change_folder_security(folder, closed));
  CHECK_FALSE(has(security(folder), ";;;WD)"));
}

TEST_CASE("the folders above one whose security is set are made as any other") {
  os::native_service_manager scm;
  const std::string above = beside_the_test("winsvc-above"), folder = os::path_join(above, "in");
  const scope_exit gone([&] {
    ::RemoveDirectoryW(os::to_wide(folder).c_str());
    ::RemoveDirectoryW(os::to_wide(above).c_str());
  });
  CHECK(scm.change_folder_security(folder, "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"));
  CHECK(scm.query_folder_security(folder));
}

TEST_CASE("a folder's security must have a DACL, and a file or a link in its place is left alone") {
  os::native_service_manager scm;
  const std::string path = beside_the_test("winsvc-file");
  const scope_exit gone([&] { os::remove_file(path); });
  CHECK(os::replace_file(path, "x"));
  CHECK(scm.change_folder_security(path, "D:P(A;;FA;;;BA)").error() == ERROR_DIRECTORY);
  CHECK(scm.query_folder_security(path).error() == ERROR_DIRECTORY);
  CHECK(scm.change_folder_security(path, "O:BA").error() == ERROR_INVALID_ACL);
  CHECK_FALSE(scm.change_folder_security(path, "nonsense"));

  const std::wstring link = os::to_wide(path + "-link");
  ::CreateSymbolicLinkW(link.c_str(), os::to_wide(os::folder_of(path)).c_str(), SYMBOLIC_LINK_FLAG_DIRECTORY);
  const DWORD made = ::GetFileAttributesW(link.c_str());
  if (made == INVALID_FILE_ATTRIBUTES) return;  // an account may lack the right to; Wine only says that it did
  CHECK(scm.change_folder_security(path + "-link", "D:P(A;;FA;;;BA)").error() == 4395);
  ::RemoveDirectoryW(link.c_str());
}

#endif
