// Activity file: what each thread of a service was doing (a hook, a request, a worker) when the process crashed or was
// killed. It is a memory-mapped file: the system writes the pages of a dead process.
//
//   open_activity_file(path_join(folder, "activity"));
//   const activity running("GET /orders/7");                     // until the end of the scope
//   read_activities(content)                                     // {"GET /orders/7"}: text of the file
//
// Without an open file an activity costs one load. A process has one activity file. A thread that finds no free entry
// has no activity.
// Source: CreateFileMappingW in the Win32 documentation; mmap(2).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/scope.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/process.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Opens the file of this process and clears it. Returns the system's error code; without a file, activities are not
/// recorded. Call it once, before the threads start.
sys_result<void> open_activity_file(const std::string& path);
/// Ends the recording and unmaps the file, because Windows does not delete a mapped file. The mapping remains if an
/// activity is running, for example on an abandoned thread.
void close_activity_file() noexcept;
/// Text of all running activities, that of the calling thread first, joined by commas; empty without activities.
[[nodiscard]] std::string running_activities();
/// The activities in the content of a file, in the order of its entries.
[[nodiscard]] std::vector<std::string> read_activities(std::string_view content);

/// An activity of the calling thread, until its destruction.
class activity {
 public:
  explicit activity(std::string_view text) noexcept : activity(text, {}) {}
  /// The text is `text`, a blank and `more`, without line ends, at most 200 bytes.
  activity(std::string_view text, std::string_view more) noexcept;
  ~activity();
  activity(const activity&) = delete;
  activity& operator=(const activity&) = delete;

 private:
  std::size_t entry_;      // index in the file; max_activities: none
  char* begin_ = nullptr;  // of the entry
};

/// Maps `size` bytes of a file, which is created or extended, for reading and writing; null on an error, which
/// `code` receives. The mapping exists until unmap_shared_file(). CreateFileMappingW; mmap(2).
[[nodiscard]] char* map_shared_file(const std::string& path, std::size_t size, std::uint32_t& code);
void unmap_shared_file(char* memory, std::size_t size) noexcept;

/// Size of an entry in the file. The first byte is 1 if the entry is in use; the text follows, filled up with zeros.
inline constexpr std::size_t activity_bytes = 256, max_activities = 64;

/// Entries of this process.
struct activity_table {
  std::atomic<char*> memory{nullptr};
  // Thread ID of the owner of each entry, 0 if it is free.
  std::array<std::atomic<std::uint32_t>, max_activities> owners{};
  std::atomic<std::size_t> readers{0};
  // All three have the default order: a thread registers as owner or reader before it loads `memory`, and
  // close_activity_file() clears `memory` before it looks for owners and readers. So no thread uses an unmapped file.

  static activity_table& instance() noexcept {
    static activity_table table;
    return table;
  }
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE sys_result<void> open_activity_file(const std::string& path) {
  std::uint32_t code = 0;
  char* const memory = map_shared_file(path, activity_bytes * max_activities, code);
  if (!memory) return sys_failure(code);
  std::memset(memory, 0, activity_bytes * max_activities);
  activity_table::instance().memory.store(memory);
  return {};
}

WINSVC_INLINE void close_activity_file() noexcept {
  auto& table = activity_table::instance();
  char* const memory = table.memory.exchange(nullptr);
  const auto in_use = [](const std::atomic<std::uint32_t>& owner) { return owner.load() != 0; };
  if (!memory || table.readers != 0 || std::any_of(table.owners.begin(), table.owners.end(), in_use)) return;
  unmap_shared_file(memory, activity_bytes * max_activities);
}

WINSVC_INLINE activity::activity(std::string_view text, std::string_view more) noexcept : entry_(max_activities) {
  auto& table = activity_table::instance();
  if (!table.memory.load(std::memory_order_relaxed)) return;
  const std::uint32_t thread = (std::max)(thread_id(), 1u);
  for (std::size_t i = 0; i < max_activities && entry_ == max_activities; ++i) {
    const std::size_t candidate = (thread + i) % max_activities;
    std::uint32_t free = 0;
    if (table.owners[candidate].compare_exchange_strong(free, thread)) entry_ = candidate;
  }
  if (entry_ == max_activities) return;
  char* const memory = table.memory.load();
  if (!memory) {
    table.owners[std::exchange(entry_, max_activities)].store(0);
    return;
  }
  char* const begin = begin_ = memory + entry_ * activity_bytes;
  std::size_t length = 1;
  const auto append = [&](std::string_view part) {
    for (const char c : part.substr(0, 201 - length)) begin[length++] = static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  };
  append(text);
  if (!more.empty() && length < 200) begin[length++] = ' ';
  append(more);
  begin[length] = '\0';
  begin[0] = 1;
}

WINSVC_INLINE activity::~activity() {
  if (entry_ == max_activities) return;
  begin_[0] = 0;
  activity_table::instance().owners[entry_].store(0);
}

WINSVC_INLINE std::vector<std::string> read_activities(std::string_view content) {
  std::vector<std::string> out;
  for (; content.size() >= activity_bytes; content.remove_prefix(activity_bytes)) {
    const auto text = content.substr(1, activity_bytes - 1);
    if (content[0] == 1) out.emplace_back(text.substr(0, text.find('\0')));
  }
  return out;
}

WINSVC_INLINE std::string running_activities() {
  auto& table = activity_table::instance();
  ++table.readers;
  const scope_exit unregister([&table] { --table.readers; });
  const char* const memory = table.memory.load();
  if (!memory) return {};
  const std::uint32_t thread = (std::max)(thread_id(), 1u);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < max_activities; ++i) {
    const auto found = read_activities({memory + i * activity_bytes, activity_bytes});
    if (found.empty()) continue;
    const bool is_own = table.owners[i].load(std::memory_order_relaxed) == thread;
    texts.insert(is_own ? texts.begin() : texts.end(), found.front());
  }
  return base::join(texts, ", ");
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
