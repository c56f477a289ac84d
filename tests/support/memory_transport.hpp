// The part of a connection in memory that all tests share: the output is kept, and the addresses are fixed.
#pragma once

#include <winsvc/testing.hpp>

#include <chrono>
#include <cstddef>
#include <string>

class memory_transport : public winsvc::detail::http::transport {
 public:
  winsvc::detail::os::transfer receive_idle(char* buffer, std::size_t capacity, std::size_t& received,
                                            std::chrono::milliseconds limit) noexcept override {
    return receive(buffer, capacity, received, limit);
  }
  winsvc::detail::os::transfer send(const char* bytes, std::size_t count,
                                    std::chrono::milliseconds) noexcept override {
    output.append(bytes, count);
    return winsvc::detail::os::transfer::done;
  }
  [[nodiscard]] winsvc::detail::os::endpoint local() const override { return {"127.0.0.1", 80}; }
  [[nodiscard]] winsvc::detail::os::endpoint peer() const override { return {"127.0.0.1", 50000}; }

  std::string output;
};
