// Calls of the system that fail in a simulation, although the caller did nothing wrong.
//
//   system_faults faults(seed, 16, all_faults);    // one possible failure in 16 occurs
//   faults.enable(all_faults);
//   if (faults.occurs(fault::no_descriptor)) return errno = EMFILE, -1;
//
// Each fault is one that the manual page of the call permits.
// Source: accept(2), epoll_ctl(2), pthread_create(3), recv(2), send(2), signal(7).
#pragma once

#include "simulated_random.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>

namespace simulation {

enum class fault {
  short_send,      // send accepts a part of the bytes, and has room for more
  short_receive,   // recv returns a part of the bytes that have arrived
  interrupted,     // recv, send, accept, epoll_wait and poll: EINTR
  late_bytes,      // recv: EAGAIN after the socket was reported as readable; the bytes come some milliseconds later
  send_not_ready,  // send: EAGAIN with room in the buffer of the socket: the kernel has no memory
  no_send_memory,  // send: ENOBUFS or ENOMEM
  no_poll_memory,  // epoll_ctl: ENOMEM or ENOSPC for a new connection
  no_descriptor,   // accept: EMFILE or ENFILE
  client_aborted,  // accept: ECONNABORTED; other clients wait
  no_thread,       // pthread_create: EAGAIN
};
inline constexpr const char* fault_names[] = {"short send",     "short receive",  "interrupted call", "late bytes",
                                              "send not ready", "no send memory", "no poll memory",   "no descriptor",
                                              "client aborted", "no thread"};
inline constexpr std::size_t fault_count = std::size(fault_names);
using fault_counts = std::array<std::uint64_t, fault_count>;
inline constexpr std::uint32_t all_faults = (1u << fault_count) - 1;
[[nodiscard]] constexpr std::uint32_t mask_of(fault kind) noexcept { return 1u << static_cast<unsigned>(kind); }

inline std::string text_of_faults(std::uint32_t kinds) {
  std::string text;
  for (std::size_t i = 0; i < fault_count; ++i)
    if ((kinds >> i & 1u) != 0) text += (text.empty() ? "" : ", ") + std::string(fault_names[i]);
  return text;
}

class system_faults {
 public:
  /// One possible failure in `rate` occurs, of the kinds in the mask; 0: none.
  system_faults(std::uint64_t seed, std::size_t rate, std::uint32_t kinds)
      : random_(seed ^ 0xFA17), rate_(rate), kinds_(kinds) {}
  void enable(std::uint32_t kinds) noexcept { enabled_ = kinds; }
  [[nodiscard]] bool occurs(fault kind) noexcept {
    if (rate_ == 0 || (kinds_ & enabled_ & mask_of(kind)) == 0 || !random_.one_in(rate_)) return false;
    ++counts_[static_cast<std::size_t>(kind)];
    return true;
  }
  /// The part of `size` bytes that a short call transfers.
  [[nodiscard]] std::size_t part_of(std::size_t size) noexcept { return size < 2 ? size : 1 + random_.below(size - 1); }
  [[nodiscard]] random_numbers& random() noexcept { return random_; }
  [[nodiscard]] const fault_counts& counts() const noexcept { return counts_; }

 private:
  random_numbers random_;
  const std::size_t rate_;
  const std::uint32_t kinds_;
  std::uint32_t enabled_ = 0;
  fault_counts counts_{};
};

}  // namespace simulation
