// Log files: the names and numbers of the rotated files of a log. Renames them, and deletes the oldest ones.
//
//   log_file_name("/data/logs/hello", 0)     // /data/logs/hello.log, the newest
//   log_file_name("/data/logs/hello", 2)     // /data/logs/hello.2.log, an older one
//
// A full file is renamed in two steps, because another program may have a file open (on Windows): first to a name
// without a number, then to number 1, after the older files got the next number. log/rotating_file_sink.hpp decides
// when.
#pragma once

#include <algorithm>
#include <string>

#include "winsvc/base/error_codes.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/scm/spec.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::log {

/// Path of a service's log without `.log`.
[[nodiscard]] std::string log_path(const std::string& data_folder, const std::string& service_name);

/// Returns why the folder of the log cannot be used, for example because a file has its name; empty if it can, if it
/// does not exist yet, or if access is denied.
[[nodiscard]] std::string log_folder_error(const std::string& data_folder);

/// Name of a log file; age 0 is the newest: `hello.log`, `hello.1.log`, ...
[[nodiscard]] std::string log_file_name(const std::string& path, int age);

/// Name of a rotated file that has no number yet, because another program has a numbered file open.
[[nodiscard]] std::string pending_rotation_name(const std::string& path);

/// Renames the pending rotation to number 1 and each older file to the next number, and deletes files from number
/// `max_files` on. True also if nothing is pending. False if another program has a file open (on Windows); the pending
/// rotation then waits for the next call.
bool number_pending_rotation(const std::string& path, int max_files);

/// Deletes the oldest numbered file, but not number 1. False if no other file exists, or if it cannot be deleted.
bool delete_oldest_log_file(const std::string& path);

}  // namespace detail::log
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_LOG

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::log {

WINSVC_INLINE std::string log_path(const std::string& data_folder, const std::string& service_name) {
  return os::path_join(os::path_join(data_folder, "logs"), scm::folder_name(service_name));
}
WINSVC_INLINE std::string log_folder_error(const std::string& data_folder) {
  const std::string path = os::path_join(data_folder, "logs");
  const auto files = os::list_files(path);
  if (files || files.error() == base::win32_error::access_denied) return {};
  const std::string error = "the folder of the log cannot be read: " + path + ": ";
  if (!os::is_missing(files.error())) return error + os::system_error_text(files.error());
  return os::file_id_of(path) ? error + "a file has its name" : std::string();
}
WINSVC_INLINE std::string log_file_name(const std::string& path, int age) {
  return path + (age == 0 ? "" : "." + std::to_string(age)) + ".log";
}
WINSVC_INLINE std::string pending_rotation_name(const std::string& path) { return path + ".pending.log"; }

/// Starts at the first free number, so that a retry after a partial attempt deletes nothing.
WINSVC_INLINE bool number_pending_rotation(const std::string& path, int max_files) {
  const std::string pending = pending_rotation_name(path);
  const auto name = [&path](int age) { return log_file_name(path, age); };
  if (!os::file_id_of(pending)) return true;
  int free = 1;
  while (free < max_files && os::file_id_of(name(free))) ++free;
  if (free >= max_files) --free;
  // Left from a run that kept more files.
  for (int age = (std::max)(max_files, 1); os::remove_file(name(age)); ++age) {}
  if (free < 1) return static_cast<bool>(os::remove_file(pending));  // only the current file is kept
  if (free == max_files - 1 && os::file_id_of(name(free)) && !os::remove_file(name(free))) return false;
  for (int age = free; age > 1; --age) {
    if (!os::rename_file(name(age - 1), name(age))) return false;
  }
  return static_cast<bool>(os::rename_file(pending, name(1)));
}

WINSVC_INLINE bool delete_oldest_log_file(const std::string& path) {
  int oldest = 1;
  while (os::file_id_of(log_file_name(path, oldest + 1))) ++oldest;
  return oldest != 1 && os::remove_file(log_file_name(path, oldest));
}

}  // namespace detail::log
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_LOG
