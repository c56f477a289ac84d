// Events of a channel as a subscriber of the simulation receives them.
//
//   event_reader reader(3, 4);                     // the first event is number 3 or 4
//   const std::string problem = reader.feed(input);  // removes what it has read; empty: each event came once, in order
#pragma once

#include <cstddef>
#include <cstdlib>
#include <string>

namespace simulation {

/// The text of event `number`, with `size` further bytes.
inline std::string event_data(std::size_t number, std::size_t size) {
  return std::to_string(number) + ' ' + std::string(size, 'x');
}

class event_reader {
 public:
  event_reader(std::size_t first_low, std::size_t first_high) : first_low_(first_low), first_high_(first_high) {}

  /// Reads the complete chunks of a chunked body and checks the events in them.
  std::string feed(std::string& input) {
    for (;;) {
      const auto end = input.find("\r\n");
      if (end == std::string::npos) return {};
      const auto size = static_cast<std::size_t>(std::strtoull(input.c_str(), nullptr, 16));
      if (input.size() < end + 2 + size + 2) return {};
      text_.append(input, end + 2, size);
      input.erase(0, end + 2 + size + 2);
      received_bytes_ += size;
      if (size == 0) has_ended_ = true;
      if (std::string problem = read_events(); !problem.empty()) return problem;
    }
  }
  /// True if the event was received, or the subscription began after it.
  [[nodiscard]] bool has(std::size_t number) const noexcept {
    return number < first_high_ || (has_first_ && number < next_);
  }
  [[nodiscard]] bool has_ended() const noexcept { return has_ended_; }
  [[nodiscard]] std::size_t received_bytes() const noexcept { return received_bytes_; }

 private:
  std::string read_events() {
    for (std::size_t end = 0; (end = text_.find("\n\n")) != std::string::npos;) {
      const std::string event = text_.substr(0, end);
      text_.erase(0, end + 2);
      if (event.compare(0, 1, ":") == 0) continue;  // a comment keeps the connection open
      const auto number = static_cast<std::size_t>(std::atoll(event.c_str() + event.find(' ')));
      const std::string begin = "id: " + std::to_string(number) + "\ndata: " + std::to_string(number) + ' ';
      if (event.compare(0, begin.size(), begin) != 0) return "a damaged event: " + event.substr(0, 40);
      if (!has_first_ && (number < first_low_ || number > first_high_))
        return "event " + std::to_string(number) + " is the first, not " + std::to_string(first_high_);
      if (has_first_ && number != next_)
        return "event " + std::to_string(number) + " came in place of " + std::to_string(next_);
      has_first_ = true;
      next_ = number + 1;
    }
    return {};
  }

  const std::size_t first_low_, first_high_;
  std::size_t next_ = 0, received_bytes_ = 0;
  bool has_first_ = false, has_ended_ = false;
  std::string text_;
};

}  // namespace simulation
