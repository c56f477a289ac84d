// The log file: appended to, rotated by size, so many kept. `hello.log` is the newest, then `hello.1.log`,
// `hello.2.log`.
//
// Trouble with the file never reaches the service: a write that fails is tried again on a file opened anew, once, and
// dropped then.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "winsvc/base/log.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

class file_log final : public log_sink {
 public:
  struct rotation {
    std::uint64_t bytes = 10 * 1024 * 1024;  ///< a file that would grow over it is set aside
    int kept = 5;                            ///< files in all, the current one included
  };

  /// `path` without its `.log`.
  file_log(std::string path, rotation limits) : path_(std::move(path)), limits_(limits) { reopen(); }
  explicit file_log(std::string path) : file_log(std::move(path), rotation{}) {}

  [[nodiscard]] bool is_open() const noexcept { return file_.is_open(); }
  /// Why it could not be opened.
  [[nodiscard]] std::uint32_t fault() const noexcept { return fault_; }

  void write(const log_entry& entry) noexcept override {
    try {
      const std::string line = entry.line() + '\n';
      if (file_.is_open() && file_.size() > 0 && file_.size() + line.size() > full_at_) rotate();
      if (file_.is_open() && file_.write(line)) return;
      reopen();
      if (file_.is_open()) file_.write(line);
    } catch (...) {  // out of memory: the line is lost, the service is not
    }
  }

 private:
  [[nodiscard]] std::string name(int age) const { return path_ + (age == 0 ? "" : "." + std::to_string(age)) + ".log"; }

  void reopen() {
    auto opened = os::append_file::open(name(0));
    fault_ = opened ? 0 : opened.error();
    if (opened) file_ = std::move(*opened);
  }

  void rotate() {
    file_.close();
    // The current file first: if somebody holds it, the older ones stay where they are, and it grows a while longer.
    const std::string aside = path_ + ".aside.log";
    if (os::rename_file(name(0), aside)) {
      os::remove_file(name(limits_.kept - 1));
      for (int age = limits_.kept - 2; age >= 1; --age) os::rename_file(name(age), name(age + 1));
      if (limits_.kept > 1) os::rename_file(aside, name(1));
      else os::remove_file(aside);
      reopen();
      full_at_ = limits_.bytes;
    } else {
      reopen();
      full_at_ = file_.size() + limits_.bytes / 10;
    }
  }

  std::string path_;
  rotation limits_;
  os::append_file file_;
  std::uint64_t full_at_ = limits_.bytes;
  std::uint32_t fault_ = 0;
};

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
