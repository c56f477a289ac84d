// Implementation of server/connection.hpp: one step, with the memory of its thread; receives bytes, closes.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/engine_state.hpp"
#include "winsvc/http/transport.hpp"
#include "winsvc/server/connection.hpp"
#include "winsvc/server/scratch_buffers.hpp"
#include "winsvc/wire/head.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SERVER

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

/// Lease of the thread's scratch buffers for one step. The connection keeps the blocks whose bytes it still needs.
class connection::buffer_lease {
 public:
  buffer_lease(connection& owner, scratch_buffers& buffers) noexcept : connection_(owner), buffers_(buffers) {
    step_blocks &kept = connection_.kept_, &shared = buffers_.blocks;
    if (connection_.keeps_bytes_) {
      if (!kept.input.bytes.empty()) std::swap(kept.input, shared.input);
      if (!kept.head_block.empty()) kept.head_block.swap(shared.head_block);
      if (!kept.output.empty()) kept.output.swap(shared.output);
    }
    connection_.blocks_ = &shared;
    if (connection_.head_.fields.empty()) connection_.head_.fields.swap(buffers_.fields);
  }
  ~buffer_lease() {
    step_blocks &kept = connection_.kept_, &shared = buffers_.blocks;
    if (shared.input.remaining().empty()) shared.input.clear();
    if (!connection_.in_flight_) {
      shared.head_block.clear();
      connection_.match_.values.clear();
      auto& fields = connection_.head_.fields;
      fields.clear();
      if (fields.capacity() > buffers_.fields.capacity()) fields.swap(buffers_.fields);
      else std::vector<wire::field>().swap(fields);
    }
    const bool keeps_bytes = !shared.input.bytes.empty() || !shared.head_block.empty() || !shared.output.empty();
    if (keeps_bytes || connection_.keeps_bytes_) {
      if (!shared.input.bytes.empty()) keep_input();
      keep(kept.input.bytes, shared.input.bytes);
      keep(kept.head_block, shared.head_block);
      keep(kept.output, shared.output);
      connection_.keeps_bytes_ = keeps_bytes;
    }
    for (auto* const block : {&shared.input.bytes, &shared.head_block, &shared.output}) {
      if (block->capacity() > max_kept_capacity) base::byte_block().swap(*block);
    }
    connection_.blocks_ = &kept;
  }
  buffer_lease(const buffer_lease&) = delete;
  buffer_lease& operator=(const buffer_lease&) = delete;

 private:
  /// Moves the received bytes to the connection: a small remainder to a block of its size, so that the thread keeps its
  /// own.
  void keep_input() noexcept {
    constexpr std::size_t max_copied_bytes = 2048;
    auto &kept = connection_.kept_.input, &shared = buffers_.blocks.input;
    const auto remaining = shared.remaining();
    if (remaining.size() <= (std::max)(max_copied_bytes, shared.bytes.capacity() / 2)) {
      try {
        base::byte_block copy;
        copy.append(remaining);
        shared.clear();
        if (kept.bytes.capacity() > shared.bytes.capacity()) kept.bytes.swap(shared.bytes);
        kept = {std::move(copy), 0};
        return;
      } catch (...) {  // out of memory: the connection keeps the block
      }
    }
    kept.consumed = std::exchange(shared.consumed, 0);
  }
  /// Moves the bytes of a block to the connection. Without bytes, the thread gets the larger memory.
  static void keep(base::byte_block& kept, base::byte_block& shared) noexcept {
    if (!shared.empty() || (kept.empty() && kept.capacity() > shared.capacity())) kept.swap(shared);
    if (kept.empty()) base::byte_block().swap(kept);
  }

  connection& connection_;
  scratch_buffers& buffers_;
};

WINSVC_INLINE wait_condition connection::advance(scratch_buffers& buffers, const step_options& options) noexcept {
  try {
    const buffer_lease lease(*this, buffers);
    now_ = current_time();
    constexpr int max_requests = 16;  // requests per step: a client may pipeline any number
    int served = 0;
    for (bool timed_out = options.timed_out; stage_ != stage::closed; timed_out = false) {
      if (stage_ == stage::head && served++ == max_requests) return wait_for(wait_reason::yield);
      if (const auto wait = run_stage(timed_out, options, buffers)) return *wait;
    }
    return {};
  } catch (...) {  // out of memory: this connection ends, the other connections continue
    stage_ = stage::closed;
    return {};
  }
}

WINSVC_INLINE std::optional<wait_condition> connection::run_stage(bool timed_out, const step_options& options,
                                                                  scratch_buffers& buffers) {
  switch (stage_) {
    case stage::head: return read_head(timed_out);
    case stage::body: return collect_body(timed_out);
    case stage::handler: return start_handler(options, buffers);
    case stage::response: return send_response(timed_out);
    case stage::events: return await_events(timed_out);
    case stage::lingering_close: return lingering_close(timed_out);
    case stage::closed: break;
  }
  return std::nullopt;
}

/// Receives at most one chunk of available bytes and appends them to the buffer.
WINSVC_INLINE os::transfer connection::receive() {
  constexpr std::size_t chunk_size = 16 * 1024;
  constexpr std::chrono::milliseconds no_wait{0};
  auto& bytes = blocks_->input.bytes;
  if (bytes.free_space() < chunk_size && blocks_->input.consumed > 0)
    bytes.erase_front(std::exchange(blocks_->input.consumed, 0));
  std::size_t received = 0;
  if (bytes.free_space() >= chunk_size) {
    const auto result = transport_.receive(bytes.end(), chunk_size, received, no_wait);
    if (result == os::transfer::done) bytes.extend(received);
    return result;
  }
  char chunk[chunk_size];
  const auto result = transport_.receive(chunk, sizeof chunk, received, no_wait);
  if (result != os::transfer::done) return result;
  // A large body grows by a quarter. append() would double its memory, and thousands of clients may send one.
  if (bytes.size() >= chunk_size && bytes.free_space() < received)
    bytes.reserve((std::max)(bytes.size() + received, body_memory(bytes.size())));
  bytes.append({chunk, received});
  return result;
}

/// After a response, input is read and discarded for 100 ms, or 500 ms if the client still sends: if a socket with
/// unread input is closed, Windows resets the connection and the client loses the response (RFC 9112 section 9.6). A
/// client that closes first ends this wait.
WINSVC_INLINE void connection::close(http::close_reason reason) noexcept {
  finish_request();
  reason = transport_.shutdown(blocks_->input.remaining().empty() ? reason : http::close_reason::unread_input);
  set_deadline(std::chrono::milliseconds(reason == http::close_reason::unread_input ? 500 : 100));
  stage_ = reason == http::close_reason::idle ? stage::closed : stage::lingering_close;
}

WINSVC_INLINE std::optional<wait_condition> connection::lingering_close(bool timed_out) {
  constexpr std::size_t limit = 1024 * 1024;
  blocks_->input.clear();
  const auto result = timed_out ? os::transfer::closed : receive();
  lingered_bytes_ += blocks_->input.bytes.size();
  if (result == os::transfer::timed_out) return wait_for(wait_reason::readable);
  if (result != os::transfer::done || lingered_bytes_ > limit) stage_ = stage::closed;
  return std::nullopt;
}

WINSVC_INLINE std::optional<http::active_request> connection::current_request() const {
  const std::lock_guard lock(current_request_mutex_);
  was_inspected_.store(true);  // before has_current_request_ is loaded
  const scope_exit clear([this]() noexcept { was_inspected_.store(false); });
  if (!has_current_request_.load()) return std::nullopt;
  return http::active_request{std::string(head_.method) + ' ' + std::string(head_.path),
                              current_time() - request_started_};
}

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SERVER
