// Log sink that keeps the texts of entries in memory, for tests of what the server logs.
//
//   auto sink = std::make_shared<log_support::memory_sink>();
//   sink->contains("the route");   sink->count("has closed");
#pragma once

#include <winsvc/testing.hpp>

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace log_support {

class memory_sink final : public winsvc::log_sink {
 public:
  void write(const winsvc::log_entry& entry) noexcept override {
    const std::lock_guard lock(mutex_);
    texts_.push_back(entry.text);
  }
  /// The number of entries whose text contains `part`.
  std::size_t count(std::string_view part) {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(
        texts_.begin(), texts_.end(), [part](const std::string& text) { return text.find(part) != text.npos; }));
  }
  bool contains(std::string_view part) { return count(part) > 0; }
  /// The texts, one on each line.
  std::string all() {
    const std::lock_guard lock(mutex_);
    std::string lines;
    for (const auto& text : texts_) lines += text + '\n';
    return lines;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> texts_;
};

}  // namespace log_support
