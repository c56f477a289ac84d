// Work queue: intrusive doubly linked list of work items. Each item contains its links, so the queue allocates nothing.
//
//   work_queue queue;
//   queue.push_back(item);                   // an item is in at most one queue
//   while (work_item* next = queue.pop_front()) serve(*next);
//   queue.remove(item);                      // from any position, in constant time
//
// It has no lock. The thread pool protects it with its mutex.
#pragma once

#include <cstddef>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::server {

class work_queue;

/// An object that a thread pool queues and serves. The pool uses nothing else of it. In the engine, each item is a
/// slot (server/engine_slot.hpp).
struct work_item {
  work_item() = default;
  work_item(const work_item&) = delete;
  work_item& operator=(const work_item&) = delete;

 protected:
  ~work_item() = default;

 private:
  friend class work_queue;
  work_item *next_ = nullptr, *previous_ = nullptr;
  work_queue* queue_ = nullptr;  // the queue that contains the item
};

class work_queue {
 public:
  work_queue() = default;
  work_queue(const work_queue&) = delete;
  work_queue& operator=(const work_queue&) = delete;

  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// Requires that the item is in no queue.
  void push_back(work_item& item) noexcept {
    item.queue_ = this;
    item.next_ = nullptr;
    item.previous_ = last_;
    (last_ ? last_->next_ : first_) = &item;
    last_ = &item;
    ++size_;
  }
  /// Removes and returns the first item; null if the queue is empty.
  [[nodiscard]] work_item* pop_front() noexcept {
    work_item* const item = first_;
    if (item) static_cast<void>(remove(*item));
    return item;
  }
  /// Returns false if the item is not in this queue.
  [[nodiscard]] bool remove(work_item& item) noexcept {
    if (item.queue_ != this) return false;
    (item.previous_ ? item.previous_->next_ : first_) = item.next_;
    (item.next_ ? item.next_->previous_ : last_) = item.previous_;
    item.next_ = item.previous_ = nullptr;
    item.queue_ = nullptr;
    --size_;
    return true;
  }

 private:
  work_item *first_ = nullptr, *last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace detail::server
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
