// Byte block: bytes that are received or sent, in one block of allocated memory, which is reused.
//
//   byte_block block;
//   block.reserve(16 * 1024);
//   const auto count = receive(block.end(), block.free_space());   // into memory that is not initialized
//   block.extend(count);
//
// A string would initialize the memory before the receive, and keep few bytes in itself: a view of them would dangle
// after a swap.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

class byte_block {
 public:
  byte_block() noexcept = default;
  byte_block(byte_block&& other) noexcept { swap(other); }
  byte_block& operator=(byte_block&& other) noexcept {
    byte_block(std::move(other)).swap(*this);
    return *this;
  }
  void swap(byte_block& other) noexcept {
    memory_.swap(other.memory_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  [[nodiscard]] std::string_view view() const noexcept { return {memory_.get(), size_}; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] char* data() noexcept { return memory_.get(); }
  [[nodiscard]] char* end() noexcept { return memory_.get() + size_; }
  [[nodiscard]] std::size_t free_space() const noexcept { return capacity_ - size_; }

  /// Adds the `count` bytes at end(), which the caller has written.
  void extend(std::size_t count) noexcept { size_ += count; }
  void clear() noexcept { size_ = 0; }  // keeps the memory
  /// Makes the capacity at least `capacity`, and exactly this if it must grow.
  void reserve(std::size_t capacity);
  /// Makes the free space at least `count` bytes.
  void reserve_free(std::size_t count) {
    if (count > free_space()) grow(count);
  }
  /// Appends a copy. The capacity at least doubles if it must grow.
  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    if (bytes.size() > free_space()) grow(bytes.size());
    std::memcpy(end(), bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  template <std::size_t N>
  void append_literal(const char (&literal)[N]) {  // the compiler knows the size
    if (N - 1 > free_space()) grow(N - 1);
    std::memcpy(end(), literal, N - 1);
    size_ += N - 1;
  }
  void append_number(std::uint64_t number) {
    constexpr std::size_t max_digits = 20;
    if (max_digits > free_space()) grow(max_digits);
    size_ = static_cast<std::size_t>(std::to_chars(end(), end() + max_digits, number).ptr - memory_.get());
  }
  void erase_front(std::size_t count) noexcept;

 private:
  void grow(std::size_t added);

  std::unique_ptr<char[]> memory_;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

WINSVC_INLINE void byte_block::reserve(std::size_t capacity) {
  if (capacity <= capacity_) return;
  std::unique_ptr<char[]> larger(new char[capacity]);  // not make_unique, which initializes the memory
  if (size_ > 0) std::memcpy(larger.get(), memory_.get(), size_);
  memory_ = std::move(larger);
  capacity_ = capacity;
}

WINSVC_INLINE void byte_block::grow(std::size_t added) { reserve((std::max)(size_ + added, 2 * capacity_)); }

WINSVC_INLINE void byte_block::erase_front(std::size_t count) noexcept {
  size_ -= count;
  if (size_ > 0) std::memmove(memory_.get(), memory_.get() + count, size_);
}

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
