// related_objects: the objects of an installed service that are not in the service database, in memory: event sources,
// accounts, folders. It records the calls of the service_manager seam and can make them fail.
//
//   winsvc::testing::service_database scm;                 // derives from it
//   scm.folders["C:\\apps"] = "O:BAD:(A;;FA;;;BA)";
//   scm.fail_with["change_folder_security"] = 5;
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/testing/service_entry.hpp"
#include "winsvc/testing/whole.hpp"

namespace winsvc {
namespace testing {

class related_objects : public detail::os::service_manager {
 public:
  std::set<std::string> event_sources;
  std::set<std::string> logon_rights;           ///< SIDs that may log on as a service
  std::map<std::string, std::string> accounts;  ///< SIDs by name; installed services have one too
  std::map<std::string, std::string> folders;   ///< DACLs in SDDL, by path
  std::set<std::string> links;                  ///< paths that are links: their security cannot be read (4395)

  std::vector<std::string> calls;                       ///< the calls: `function(arguments)`, without passwords
  std::map<std::string, std::uint32_t> fail_with;       ///< error code by function
  std::map<std::size_t, std::uint32_t> fail_call_with;  ///< error code by number of the call, from 0

  // -- the seam --

  detail::os::sys_result<void> add_event_source(const std::string& source) override;
  detail::os::sys_result<void> remove_event_source(const std::string& source) override;
  detail::os::sys_result<bool> query_event_source(const std::string& source) override;
  detail::os::sys_result<std::string> account_sid(const std::string& account) override;
  detail::os::sys_result<std::string> account_name(const std::string& sid) override;
  detail::os::sys_result<void> add_logon_right(const std::string& sid) override;
  detail::os::sys_result<bool> query_logon_right(const std::string& sid) override;
  detail::os::sys_result<std::string> query_folder_security(const std::string& path) override;
  detail::os::sys_result<void> change_folder_security(const std::string& path, const std::string& sddl) override;
  detail::os::sys_result<void> create_folder(const std::string& path, const std::string& sddl) override;
  detail::os::sys_result<void> remove_empty_folder(const std::string& path) override;
  detail::os::sys_result<void> rename_folder(const std::string& from, const std::string& to) override;

 protected:
  /// Records a call. Returns its error code, or 0.
  std::uint32_t record_call(const std::string& function, const std::string& arguments) {
    calls.push_back(function + '(' + arguments + ')');
    if (const auto failure = fail_call_with.find(calls.size() - 1); failure != fail_call_with.end())
      return failure->second;
    const auto failure = fail_with.find(function);
    return failure == fail_with.end() ? 0 : failure->second;
  }
};

// ---------------------------------------------------------------------------------------------------------------------

inline detail::os::sys_result<void> related_objects::add_event_source(const std::string& source) {
  if (const auto code = record_call("add_event_source", source)) return detail::os::sys_failure(code);
  event_sources.insert(source);
  return {};
}

inline detail::os::sys_result<bool> related_objects::query_event_source(const std::string& source) {
  if (const auto code = record_call("query_event_source", source)) return detail::os::sys_failure(code);
  return event_sources.count(source) != 0;
}

inline detail::os::sys_result<void> related_objects::remove_event_source(const std::string& source) {
  if (const auto code = record_call("remove_event_source", source)) return detail::os::sys_failure(code);
  event_sources.erase(source);
  return {};
}

inline detail::os::sys_result<std::string> related_objects::account_sid(const std::string& account) {
  if (const auto code = record_call("account_sid", account)) return detail::os::sys_failure(code);
  if (const auto found = accounts.find(account); found != accounts.end()) return found->second;
  if (detail::scm::is_sid(account)) return account;
  const auto slash = account.find('\\');
  // The SID of a service depends on its name alone; it is also known before the service exists.
  if (detail::base::starts_with_nocase(account, "NT SERVICE\\")) return "S-1-5-80-" + account.substr(slash + 1);
  return detail::os::sys_failure(database::code::none_mapped);
}

inline detail::os::sys_result<std::string> related_objects::account_name(const std::string& sid) {
  if (const auto code = record_call("account_name", sid)) return detail::os::sys_failure(code);
  for (const auto& [name, known] : accounts)
    if (known == sid) return name;
  return detail::os::sys_failure(database::code::none_mapped);
}

inline detail::os::sys_result<void> related_objects::add_logon_right(const std::string& sid) {
  if (const auto code = record_call("add_logon_right", sid)) return detail::os::sys_failure(code);
  logon_rights.insert(sid);
  return {};
}

inline detail::os::sys_result<bool> related_objects::query_logon_right(const std::string& sid) {
  if (const auto code = record_call("query_logon_right", sid)) return detail::os::sys_failure(code);
  return logon_rights.count(sid) != 0;
}

inline detail::os::sys_result<std::string> related_objects::query_folder_security(const std::string& path) {
  if (const auto code = record_call("query_folder_security", path)) return detail::os::sys_failure(code);
  if (links.count(path) != 0) return detail::os::sys_failure(detail::base::win32_error::reparse_point_encountered);
  const auto found = folders.find(path);
  if (found == folders.end()) return detail::os::sys_failure(database::code::file_not_found);
  return found->second;
}

inline detail::os::sys_result<void> related_objects::change_folder_security(const std::string& path,
                                                                             const std::string& sddl) {
  if (const auto code = record_call("change_folder_security", path + ", " + sddl)) return detail::os::sys_failure(code);
  if (folders.count(path) == 0) return detail::os::sys_failure(database::code::file_not_found);
  folders[path] = sddl;
  return {};
}

inline detail::os::sys_result<void> related_objects::create_folder(const std::string& path, const std::string& sddl) {
  if (const auto code = record_call("create_folder", path + ", " + sddl)) return detail::os::sys_failure(code);
  if (!folders.emplace(path, sddl).second) return detail::os::sys_failure(database::code::already_exists);
  return {};
}

inline detail::os::sys_result<void> related_objects::remove_empty_folder(const std::string& path) {
  if (const auto code = record_call("remove_empty_folder", path)) return detail::os::sys_failure(code);
  if (const auto done = detail::os::remove_empty_folder(path); !done && !detail::os::is_missing(done.error()))
    return done;
  if (folders.erase(path) == 0) return detail::os::sys_failure(database::code::file_not_found);
  return {};
}

inline detail::os::sys_result<void> related_objects::rename_folder(const std::string& from, const std::string& to) {
  if (const auto code = record_call("rename_folder", from + ", " + to)) return detail::os::sys_failure(code);
  if (!detail::os::rename_file(from, to)) return detail::os::sys_failure(database::code::access_denied);
  if (auto moved = folders.extract(from)) {
    moved.key() = to;
    folders.insert(std::move(moved));
  }
  return {};
}

}  // namespace testing
}  // namespace winsvc
