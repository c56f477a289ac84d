// Implementation of server/thread_pool.hpp: the loops of the pool threads and their roles.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "winsvc/base/clock.hpp"
#include "winsvc/base/scope.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/os/native.hpp"
#include "winsvc/os/thread_starter.hpp"
#include "winsvc/server/thread_load.hpp"
#include "winsvc/server/thread_pool.hpp"
#include "winsvc/server/work_queue.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_SERVER

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

/// Starts one thread. Requires mutex_. Returns false if the system cannot create it; the monitor then tries again.
WINSVC_INLINE bool thread_pool::start_thread(bool as_io_thread) noexcept {
  if (stopping_) return false;
  // Blocking threads and stream threads leave this much memory for the requests; it is not touched. Larger than 32 MiB,
  // up to which glibc would adapt its threshold for the use of mmap. A call of the function, which no compiler removes.
  constexpr std::size_t memory_margin = 40 * 1024 * 1024;
  void* const margin = as_io_thread ? nullptr : ::operator new(memory_margin, std::nothrow);
  const scope_exit release([margin]() noexcept { ::operator delete(margin); });
  try {
    if (!as_io_thread && !margin) throw std::bad_alloc();
    pool_thread& thread = threads_.emplace_back();
    thread.pool = this;
    thread.is_io.store(as_io_thread);
    try {
      thread.handle = starter_.start([this, &thread] { thread_main(thread); });
    } catch (...) {
      threads_.pop_back();
      throw;
    }
  } catch (const std::exception&) {  // no thread or no memory: the existing threads continue
    if (!std::exchange(shortage_, true)) start_scanning();
    if (io_count_ > wanted_io_threads()) {
      surplus_io_.store(true);
      source_.notify();
    }
    return false;
  }
  shortage_ = false;
  ++thread_count_;
  ++(as_io_thread ? io_count_ : starting_count_);
  return true;
}

/// Joins the threads that have ended. Called on the monitor thread.
WINSVC_INLINE void thread_pool::join_finished() {
  const auto is_finished = [](const pool_thread& thread) { return thread.finished; };
  for (;;) {
    std::thread ended;  // one at a time: a list of them would need memory with some standard libraries
    {
      const std::lock_guard lock(mutex_);
      const auto found = std::find_if(threads_.begin(), threads_.end(), is_finished);
      if (found == threads_.end()) return;
      ended = std::move(found->handle);
      threads_.erase(found);
    }
    ended.join();
  }
}

WINSVC_INLINE void thread_pool::thread_main(pool_thread& thread) noexcept {
  current_thread() = &thread;
  thread.cpu_clock.attach();
  if (!thread.is_io.load()) {
    const std::lock_guard lock(mutex_);
    --starting_count_;
  }
  do run_io_loop(thread);
  while (run_blocking_loop(thread));
  {
    const std::lock_guard lock(mutex_);
    thread.finished = true;
    if (stopping_) return;
  }
  wake_monitor();  // it joins this thread
}

/// The reserve thread: waits in the poller while no other thread does.
WINSVC_INLINE void thread_pool::reserve_main(pool_thread& thread) noexcept {
  current_thread() = &thread;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (io_count_ > 0) {
      time_.wait_until(reserve_needed_, lock, (time_point::max)());
      continue;
    }
    lock.unlock();
    work_item* items[batch_size];
    const std::size_t count = source_.wait_ready(items, batch_size);
    for (std::size_t i = 0; i < count; ++i) {
      if (source_.claim(*items[i])) serve_item(thread, *items[i], thread_role::reserve);
    }
    serve_io_items(thread, thread_role::reserve);
    lock.lock();
    if (io_count_ > 0) source_.notify();  // an event may have been meant for the other thread
  }
}

WINSVC_INLINE void thread_pool::serve_item(pool_thread& thread, work_item& item, thread_role role) noexcept {
  thread.current_item.store(&item, std::memory_order_release);
  thread.sequence.store(thread.sequence.load(std::memory_order_relaxed) + 1);
  if (!scanning_.load()) start_scanning();
  source_.serve(item, role, thread.thread_context);
  thread.sequence.store(thread.sequence.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

/// Serves some submitted items of the class `io`. If more remain, notifies another thread.
WINSVC_INLINE void thread_pool::serve_io_items(pool_thread& thread, thread_role role) noexcept {
  for (std::size_t served = 0; io_item_count_.load() > 0; ++served) {
    if (served == batch_size || (role == thread_role::io && !thread.is_io.load())) return source_.notify();
    work_item* item = nullptr;
    {
      const std::lock_guard lock(mutex_);
      item = io_items_.pop_front();
      io_item_count_.store(io_items_.size());
    }
    if (item) serve_item(thread, *item, role);
  }
}

/// Takes the next item of a batch. Its own thread calls it, and any thread that offloads the batch.
WINSVC_INLINE work_item* thread_pool::next_in_batch(pool_thread& thread) noexcept {
  auto cursor = thread.batch_cursor.load();
  for (;;) {
    const auto count = (cursor >> 8) & 0xFF, next = cursor & 0xFF;
    if (next >= count) return nullptr;
    work_item* const item = thread.batch[next].load(std::memory_order_relaxed);
    if (thread.batch_cursor.compare_exchange_weak(cursor, cursor + 1, std::memory_order_acq_rel,
                                                  std::memory_order_acquire))
      return item;
  }
}

WINSVC_INLINE void thread_pool::run_io_loop(pool_thread& thread) noexcept {
  std::uint64_t batch_number = 0;
  for (bool is_extra = false; !is_extra && thread.is_io.load(std::memory_order_acquire);) {
    if (surplus_io_.load(std::memory_order_relaxed) && leave_surplus_role(thread)) return;
    work_item* items[batch_size];
    const std::size_t count = source_.wait_ready(items, batch_size);
    if (count == 0) {
      {
        const std::lock_guard lock(mutex_);
        if (stopping_) break;
      }
      if (thread.is_io.load()) serve_io_items(thread, thread_role::io);
      else source_.notify();  // for another thread
      continue;
    }
    // This thread takes the first item; the others are published. A batch of one item has nothing to offload.
    if (count > 1) {
      for (std::size_t i = 1; i < count; ++i) thread.batch[i].store(items[i], std::memory_order_relaxed);
      thread.batch_cursor.store((++batch_number << 16) | (count << 8) | 1);
    }
    if ((is_extra = !thread.is_io.load())) promote(thread);
    work_item* item = items[0];
    do {
      if (source_.claim(*item)) serve_item(thread, *item, thread_role::io);
    } while (count > 1 && (item = next_in_batch(thread)) != nullptr);
    if (io_item_count_.load() > 0) serve_io_items(thread, thread_role::io);
    if (is_extra) demote(thread);
  }
  demote(thread);
}

/// Demotes the thread between two batches if there are more I/O threads than wanted_io_threads(); returns true then.
WINSVC_INLINE bool thread_pool::leave_surplus_role(pool_thread& thread) {
  const std::lock_guard lock(mutex_);
  surplus_io_.store(false);
  if (stopping_ || io_count_ <= wanted_io_threads() || !thread.is_io.exchange(false)) return false;
  if (--io_count_ == 0) reserve_needed_.notify_one();
  return true;
}

/// Makes a demoted thread an I/O thread for one batch, as an extra one. The monitor demoted it when its last item had
/// just ended and the thread was in the poller again: it then has a new batch, which the monitor must observe.
WINSVC_INLINE void thread_pool::promote(pool_thread& thread) {
  const std::lock_guard lock(mutex_);
  ++io_count_;
  thread.is_io.store(true);
}

WINSVC_INLINE void thread_pool::demote(pool_thread& thread) {
  const std::lock_guard lock(mutex_);
  if (thread.is_io.exchange(false) && --io_count_ == 0) reserve_needed_.notify_one();
}

/// Takes the next item for a blocking thread and sets the role in which to serve it. Requires mutex_.
WINSVC_INLINE work_item* thread_pool::take_item(thread_role& role) {
  role = thread_role::blocking;
  if (stopping_) {  // no I/O thread serves these items
    if (work_item* const item = io_items_.pop_front()) {
      io_item_count_.store(io_items_.size());
      return item;
    }
  }
  // The stream first: the pool has started a thread for it, but the queue of handlers may be full of requests that wait
  // for handlers which compute or hang.
  if (stream_items_.empty() || !can_take_stream()) return blocking_items_.pop_front();
  role = thread_role::stream;
  return stream_items_.pop_front();
}

/// True if another thread remains for handlers; starts one if necessary. Requires mutex_.
WINSVC_INLINE bool thread_pool::can_take_stream() {
  return stopping_ || idle_count_ + starting_count_ > 0 || (!shortage_ && start_thread(false));
}

/// Serves queued items. Returns true if the thread must become an I/O thread, false if it must end.
WINSVC_INLINE bool thread_pool::run_blocking_loop(pool_thread& thread) noexcept {
  constexpr auto idle_timeout = std::chrono::seconds(10);
  std::unique_lock lock(mutex_);
  for (;;) {
    if (stopping_ && io_items_.empty() && blocking_items_.empty() && stream_items_.empty()) break;
    if (!stopping_ && io_count_ < wanted_io_threads()) {
      ++io_count_;
      thread.is_io.store(true);
      return true;
    }
    auto role = thread_role::blocking;
    if (work_item* const item = take_item(role)) {
      ++dequeued_count_;
      lock.unlock();
      serve_item(thread, *item, role);
      lock.lock();
      continue;
    }
    ++idle_count_;
    const auto is_needed = [this] {
      return stopping_ || !blocking_items_.empty() || io_count_ < wanted_io_threads() ||
             (!stream_items_.empty() && (idle_count_ > 1 || !shortage_));
    };
    const auto deadline = time_.now() + idle_timeout;
    bool is_superfluous = false;
    while (!is_needed() && !is_superfluous) {
      const bool may_end = thread_count_ > limits_.min_threads && stream_items_.empty();
      time_.wait_until(work_available_, lock, may_end ? deadline : (time_point::max)());
      is_superfluous = may_end && time_.now() >= deadline;
    }
    --idle_count_;
    if (is_superfluous && !is_needed()) break;
  }
  --thread_count_;
  return false;
}

/// Demotes an I/O thread that will not return soon and submits the rest of its batch. Requires mutex_.
WINSVC_INLINE void thread_pool::offload_batch(pool_thread& thread) {
  if (!thread.is_io.exchange(false)) return;
  --io_count_;
  while (work_item* const item = next_in_batch(thread)) {
    if (source_.claim(*item)) enqueue_io_item(*item);
  }
  ensure_io_threads();
  ensure_blocking_threads();
  if (!io_items_.empty() && !stopping_) source_.notify();  // this thread may have taken the last notification
}

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_SERVER
