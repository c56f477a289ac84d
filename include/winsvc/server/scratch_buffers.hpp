// Scratch buffers: blocks of memory of a thread, which a connection uses while the thread runs a step of it.
//
//   scratch_buffers buffers;                          // one for each thread
//   const auto next = c.advance(buffers, {});         // the connection keeps the blocks whose bytes it still needs
//
// So an idle connection holds no block, and a request needs no allocation.
#pragma once

#include <vector>

#include "winsvc/api/httplib.hpp"
#include "winsvc/base/byte_block.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/exchange_stream.hpp"
#include "winsvc/http/header_pool.hpp"
#include "winsvc/wire/head.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

/// The bytes that a step of a connection uses: received bytes, the head of the request, the response.
struct step_blocks {
  http::receive_buffer input;
  base::byte_block head_block;  // memory of the views in the head
  base::byte_block output;
};

/// Memory blocks for one step. Each thread has one set for all connections, so that an idle connection holds no block.
struct scratch_buffers {
  scratch_buffers() {
    for (auto* block : {&blocks.input.bytes, &blocks.head_block, &blocks.output}) block->reserve(16 * 1024);
    fields.reserve(32);
  }
  step_blocks blocks;               // empty between two steps, with reserved capacity
  std::vector<wire::field> fields;  // empty, with the capacity for a browser's head
  http::header_pool headers;
};

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
