// `logs`: the end of the service's log, across the files that it is kept in, and what is written there from now on.
//
// It reads the files, so it works whether the service runs or not.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/model/log_query.hpp"
#include "winsvc/model/spec.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// Where a service's log is, without `.log`.
[[nodiscard]] inline std::string log_path(const std::string& data_folder, const std::string& service_name) {
  return os::path_join(os::path_join(data_folder, "logs"), model::folder_name(service_name));
}

/// The newest entries that are wanted, oldest first; of the newest file the first `upto` bytes. A code where the log is
/// not for us to read.
[[nodiscard]] os::sys_result<std::vector<std::string>> read_log(
    const std::string& path, const model::log_query& what,
    std::uint64_t upto = (std::numeric_limits<std::uint64_t>::max)());

/// What is written from here on, until `go_on` is false; it is asked some times a second. A file that is set aside is
/// read to its end before the new one.
class log_follower {
 public:
  log_follower(std::string path, const model::log_query& what) : path_(std::move(path) + ".log"), wanted_(what) {
    open();
    if (file_) at_ = file_->size();
  }
  /// Where it begins in the file that is there now.
  [[nodiscard]] std::uint64_t position() const noexcept { return at_; }
  void follow(const std::function<void(std::string_view)>& out, const std::function<bool()>& go_on, clock& time);
  /// What there is by now.
  void look(const std::function<void(std::string_view)>& out);

 private:
  void open() {
    auto opened = os::source_file::open(path_);
    at_ = 0;
    if (opened) file_ = *std::move(opened);
    else file_.reset();
  }
  void read(const std::function<void(std::string_view)>& out);

  std::string path_, line_;  // line_: as far as it is there
  model::log_filter wanted_;
  std::optional<os::source_file> file_;
  std::uint64_t at_ = 0;
};

// ---------------------------------------------------------------------------------------------------------------------

inline os::sys_result<std::vector<std::string>> read_log(const std::string& path, const model::log_query& what,
                                                         std::uint64_t upto) {
  std::vector<std::string> entries;
  for (int age = 0;; ++age) {
    auto content = os::read_file(path + (age == 0 ? "" : "." + std::to_string(age)) + ".log");
    if (!content) {
      const std::uint32_t code = os::calls::last_error();
      if (age == 0 && !os::is_missing(code)) return os::sys_failure(code);
      if (age != 0) return entries;
      continue;  // between two files there is a moment without the first
    }
    if (age == 0 && content->size() > upto) content->resize(static_cast<std::size_t>(upto));
    auto older = model::wanted_entries(*content, what, what.last - entries.size());
    entries.insert(entries.begin(), std::make_move_iterator(older.begin()), std::make_move_iterator(older.end()));
    const auto begins = model::first_entry(*content);
    if (entries.size() >= what.last || (what.since && begins && *begins < *what.since)) return entries;
  }
}

inline void log_follower::read(const std::function<void(std::string_view)>& out) {
  char piece[16 * 1024];
  for (;;) {
    const auto got = file_->read(at_, piece, sizeof piece);
    if (!got || *got == 0) return;
    at_ += *got;
    line_.append(piece, *got);
    std::string_view rest = line_;
    while (rest.find('\n') != rest.npos) {
      const auto line = model::take_line(rest);
      if (wanted_.takes(line)) out(line);
    }
    line_.erase(0, line_.size() - rest.size());
  }
}

inline void log_follower::look(const std::function<void(std::string_view)>& out) {
  if (!file_) open();
  if (!file_) return;
  read(out);
  if (file_->is_at(path_)) return;
  read(out);  // what came between the two
  open();
  if (file_) read(out);
}

inline void log_follower::follow(const std::function<void(std::string_view)>& out, const std::function<bool()>& go_on,
                                 clock& time) {
  while (go_on()) {
    look(out);
    time.sleep(std::chrono::milliseconds(200));
  }
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
