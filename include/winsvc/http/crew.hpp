// The engine's threads, few and busy.
//
// In front stand as many as there are cores. Each waits in the poller, and serves what it is told of right there: for a
// handler that is quick, nothing is cheaper than the thread that has the request in its cache. What is known to be slow
// goes through a queue to those at the back. They are few too, become more while handlers block, and fewer again.
//
// Somebody in front who does not come back from a handler is found out by the clerk, the one thread that looks at the
// clock: what he had still to serve goes to the back, he stays there himself, and another stands in front. The clerk
// keeps the deadlines as well. While nothing happens he sleeps, as all others do: an idle crew makes no wake-up.
//
// Whoever is going to wait for one client for long (a stream, a WebSocket, a large body) leaves the crew before, and
// comes back after: he is not counted, and a place at the back is free for another.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "winsvc/config/abi.hpp"
#include "winsvc/config/knobs.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

struct crew_limits {
  std::size_t front = 1;     ///< threads that wait for clients
  std::size_t few = 4;       ///< threads that stay, those in front among them
  std::size_t many = 256;    ///< threads while handlers block
  std::size_t queue = 1000;  ///< requests that wait for one of them
};

class crew {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  enum class post { front, back };

  /// What the crew works for. All of it is called by the crew's threads.
  class employer {
   public:
    /// Up to `room` things that can be served; waits for one. 0 once `wake` was called.
    virtual std::size_t wait(void** into, std::size_t room) noexcept = 0;
    virtual void wake() noexcept = 0;
    /// Is it free to be served? From here on it is the caller's.
    virtual bool claim(void* what) noexcept = 0;
    /// `tools`: empty at a thread's first; what is left there is there at its next. (A thread_local of its own would do,
    /// but for mingw, whose runtime may free one before it calls its destructor.)
    virtual void serve(void* what, post at, std::shared_ptr<void>& tools) noexcept = 0;
    /// It is served in front, and takes long.
    virtual void is_slow(void* what) noexcept = 0;
    /// Does what is due; says when something is next.
    virtual time_point look_at_clock(time_point now) noexcept = 0;

   protected:
    ~employer() = default;
  };

  crew(employer& whose, const crew_limits& bounds) : whose_(whose), bounds_(bounds) {}
  /// Waits for all.
  ~crew() { stop(); }
  crew(const crew&) = delete;
  crew& operator=(const crew&) = delete;

  /// Throws std::system_error when not even one thread is to be had.
  void start();
  /// Ends all threads, and waits for those that serve.
  void stop();
  /// Lets go of those that serve; the crew must stay as it is until the process ends.
  void abandon();

  /// For the back, once claimed. False: so many wait already, unless it `must` be.
  bool give(void* what, bool must) noexcept;
  /// The clerk shall ask for the time sooner than he was told.
  void look_again();

  /// On a thread of the crew: see above. Each `leave` has its `come_back`.
  void leave();
  void come_back();
  /// Is this thread one of the crew?
  [[nodiscard]] bool is_member() const noexcept { return self() && self()->of == this; }

  /// Threads of the crew; those that left are not among them.
  [[nodiscard]] std::size_t size() const;

 private:
  static constexpr std::size_t batch = 8;
  static constexpr std::chrono::milliseconds tick{2};

  struct member {
    std::thread thread;
    crew* of = nullptr;
    std::atomic<bool> in_front{false};       // written under mutex_
    std::atomic<std::uint64_t> turns{0};     // odd while it serves
    std::atomic<void*> serves{nullptr};
    std::atomic<std::uint64_t> cursor{0};    // of the batch: which one, how many, the next
    std::atomic<void*> told[batch] = {};
    std::atomic<std::uint32_t> number{0};    // the system's
    std::shared_ptr<void> tools;             // its own
    std::uint64_t seen = 0;                  // the clerk's: turns at his last look
    int looks = 0;                           // and for how many looks they have been the same
    bool ended = false;                      // under mutex_
  };
  static member*& self() noexcept {
    static thread_local member* one = nullptr;
    return one;
  }

  void work(member& m) noexcept;
  void stand_in_front(member& m) noexcept;
  bool stand_at_back(member& m) noexcept;
  void serve(member& m, void* what, post at) noexcept;
  [[nodiscard]] static void* take(member& m) noexcept;
  void step_forward(member& m);
  void step_back(member& m);
  void hand_over(member& m);
  bool hire(bool in_front) noexcept;
  bool put_in_queue(void* what) noexcept;
  void see_to_front();
  void see_to_queue();
  void keep_watch() noexcept;
  void clerk() noexcept;
  bool look_around();
  void send_clerk_home();
  [[nodiscard]] bool is_computing() const;

  employer& whose_;
  const crew_limits bounds_;

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::list<member> members_;
  std::deque<void*> queue_;
  std::size_t size_ = 0, front_ = 0, idle_ = 0, gone_ = 0;  // gone_: left for a while
  std::uint64_t taken_ = 0, taken_before_ = 0;              // from the queue
  bool over_ = false;

  std::mutex clerk_mutex_;
  std::condition_variable clerk_wakes_;
  std::thread clerk_;
  std::atomic<bool> watching_{false};
  bool asked_ = false, clerk_over_ = false;
};

// ---------------------------------------------------------------------------------------------------------------------

// --- the clerk -------------------------------------------------------------------------------------------------------

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE void crew::start() {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < (std::max)(bounds_.front, std::size_t{1}); ++i) {
    if (!hire(true) && i == 0) throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
  }
  clerk_ = std::thread([this] { clerk(); });
}

/// Under mutex_. One thread more; false when the system has none.
WINSVC_INLINE bool crew::hire(bool in_front) noexcept {
  if (over_) return false;
  for (auto it = members_.begin(); it != members_.end();) {
    const auto here = it++;
    if (!here->ended) continue;
    here->thread.join();
    members_.erase(here);
  }
  try {
    member& m = members_.emplace_back();
    m.of = this;
    m.in_front.store(in_front);
    try {
      m.thread = std::thread([this, &m] { work(m); });
    } catch (...) {
      members_.pop_back();
      throw;
    }
  } catch (const std::exception&) {  // no thread, or no memory for one: those that are there go on
    return false;
  }
  ++size_;
  if (in_front) ++front_;
  return true;
}

WINSVC_INLINE void crew::work(member& m) noexcept {
  self() = &m;
  m.number = os::thread_id();
  do stand_in_front(m);
  while (stand_at_back(m));
  const std::lock_guard lock(mutex_);
  m.ended = true;
}

WINSVC_INLINE void crew::serve(member& m, void* what, post at) noexcept {
  m.serves.store(what, std::memory_order_release);
  m.turns.store(m.turns.load(std::memory_order_relaxed) + 1);
  if (!watching_.load()) keep_watch();
  whose_.serve(what, at, m.tools);
  m.turns.store(m.turns.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

/// The next of the batch, for whoever asks first: the one who was told, or who takes it over from him.
WINSVC_INLINE void* crew::take(member& m) noexcept {
  auto at = m.cursor.load();
  for (;;) {
    const auto count = (at >> 8) & 0xFF, next = at & 0xFF;
    if (next >= count) return nullptr;
    void* const what = m.told[next].load(std::memory_order_relaxed);
    if (m.cursor.compare_exchange_weak(at, at + 1, std::memory_order_acq_rel, std::memory_order_acquire)) return what;
  }
}

WINSVC_INLINE void crew::stand_in_front(member& m) noexcept {
  std::uint64_t number = 0;
  for (bool too_many = false; !too_many && m.in_front.load(std::memory_order_acquire);) {
    void* got[batch];
    const std::size_t count = whose_.wait(got, batch);
    if (count == 0) {
      {
        const std::lock_guard lock(mutex_);
        if (!over_) continue;
      }
      return step_back(m);
    }
    for (std::size_t i = 0; i < count; ++i) m.told[i].store(got[i], std::memory_order_relaxed);
    m.cursor.store((++number << 16) | (count << 8));
    if ((too_many = !m.in_front.load())) step_forward(m);
    while (void* const what = take(m)) {
      if (whose_.claim(what)) serve(m, what, post::front);
    }
    if (too_many) step_back(m);
  }
}

/// The clerk sent this one to the back when it had just ended what he saw it at, and waited again: now it has a batch,
/// and nobody would watch over that. So it is in front once more, one too many, for this batch.
WINSVC_INLINE void crew::step_forward(member& m) {
  const std::lock_guard lock(mutex_);
  ++front_;
  m.in_front.store(true);
}
WINSVC_INLINE void crew::step_back(member& m) {
  const std::lock_guard lock(mutex_);
  if (m.in_front.exchange(false)) --front_;
}

/// True: it is to stand in front.
WINSVC_INLINE bool crew::stand_at_back(member& m) noexcept {
  constexpr auto patience = std::chrono::seconds(10);
  std::unique_lock lock(mutex_);
  for (;;) {
    if (over_ && queue_.empty()) break;
    if (!over_ && front_ < bounds_.front) {
      ++front_;
      m.in_front.store(true);
      return true;
    }
    if (queue_.empty()) {
      ++idle_;
      const auto something = [this] { return over_ || !queue_.empty() || front_ < bounds_.front; };
      bool called = true;
      if (size_ > bounds_.few) called = work_.wait_for(lock, patience, something);
      else work_.wait(lock, something);
      --idle_;
      if (!called && size_ > bounds_.few) break;  // nobody needed this one for a while
      continue;
    }
    void* const what = queue_.front();
    queue_.pop_front();
    ++taken_;
    lock.unlock();
    serve(m, what, post::back);
    lock.lock();
  }
  --size_;
  return false;
}

WINSVC_INLINE bool crew::give(void* what, bool must) noexcept {
  for (bool put = false; !put;) {
    {
      const std::lock_guard lock(mutex_);
      if (!must && queue_.size() >= bounds_.queue) return false;
      put = put_in_queue(what);
      if (put) see_to_queue();
    }
    if (!put && !must) return false;
    if (!put) std::this_thread::sleep_for(tick);  // until somebody has given memory back
  }
  if (!watching_.load()) keep_watch();
  return true;
}

/// Under mutex_. False: no memory.
WINSVC_INLINE bool crew::put_in_queue(void* what) noexcept {
  try {
    queue_.push_back(what);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

/// Under mutex_: somebody for what waits.
WINSVC_INLINE void crew::see_to_queue() {
  if (queue_.empty()) return;
  if (idle_ > 0) work_.notify_one();
  else if (size_ < bounds_.few || size_ == front_) hire(false);
}
/// Under mutex_: somebody who stands in front.
WINSVC_INLINE void crew::see_to_front() {
  if (over_ || front_ >= bounds_.front) return;
  if (idle_ > 0) work_.notify_one();
  else hire(true);
}

/// Under mutex_: it is going to be long where it is. What it has not begun goes to the back.
WINSVC_INLINE void crew::hand_over(member& m) {
  if (!m.in_front.exchange(false)) return;
  --front_;
  while (void* const what = take(m)) {
    if (!whose_.claim(what)) continue;
    while (!put_in_queue(what)) std::this_thread::sleep_for(tick);
  }
  see_to_front();
  see_to_queue();
}

WINSVC_INLINE void crew::leave() {
  member& m = *self();
  const std::lock_guard lock(mutex_);
  --size_;
  ++gone_;
  hand_over(m);
  see_to_queue();
}

WINSVC_INLINE void crew::come_back() {
  const std::lock_guard lock(mutex_);
  --gone_;
  ++size_;
}

WINSVC_INLINE std::size_t crew::size() const {
  const std::lock_guard lock(mutex_);
  return size_;
}

WINSVC_INLINE void crew::keep_watch() noexcept {
  if (!watching_.exchange(true)) look_again();
}

WINSVC_INLINE void crew::look_again() {
  const std::lock_guard lock(clerk_mutex_);
  asked_ = true;
  clerk_wakes_.notify_one();
}

WINSVC_INLINE void crew::clerk() noexcept {
  constexpr int enough = 10;  // ticks without anything to see
  for (int quiet = 0;;) {
    const auto now = std::chrono::steady_clock::now();
    auto next = whose_.look_at_clock(now);
    if (watching_.load()) {
      quiet = look_around() ? 0 : quiet + 1;
      if (quiet >= enough) {
        watching_.store(false);
        if (look_around()) watching_.store(true);  // it began just now, and whoever began saw us watching
        quiet = 0;
      }
      if (watching_.load()) next = (std::min)(next, now + tick);
    }
    std::unique_lock lock(clerk_mutex_);
    const auto called = [this] { return asked_ || clerk_over_; };
    if (next == (time_point::max)()) clerk_wakes_.wait(lock, called);
    else clerk_wakes_.wait_until(lock, next, called);
    asked_ = false;
    if (clerk_over_) return;
  }
}

/// Is there anything to watch?
WINSVC_INLINE bool crew::look_around() {
  bool busy = false;
  const std::lock_guard lock(mutex_);
  for (auto& m : members_) {
    if (!m.in_front.load(std::memory_order_relaxed)) continue;
    const auto turns = m.turns.load();
    const bool moved = turns != std::exchange(m.seen, turns);
    busy = busy || moved || turns % 2 == 1;
    m.looks = moved || turns % 2 == 0 ? 0 : m.looks + 1;
    if (m.looks == 0) continue;
    // One that only waits for a processor gains nothing by another who wants one too; one that has computed for long does.
    const bool asleep = os::is_asleep(m.number).value_or(m.looks > 1);
    if (!asleep && m.looks < 5) continue;
    whose_.is_slow(m.serves.load(std::memory_order_acquire));
    hand_over(m);
  }
  if (!queue_.empty()) {
    busy = true;
    // Nobody took anything since the last look: all are in handlers. If those block, one more is of use; if they compute,
    // he would only take their time.
    if (idle_ > 0) work_.notify_one();
    else if (taken_ == taken_before_ && size_ < bounds_.many && !is_computing()) hire(false);
  }
  taken_before_ = taken_;
  return busy;
}

/// Under mutex_: are the processors busy with those at the back?
WINSVC_INLINE bool crew::is_computing() const {
  std::size_t awake = 0;
  for (const auto& m : members_) {
    if (m.in_front.load(std::memory_order_relaxed) || m.turns.load() % 2 == 0) continue;
    if (!os::is_asleep(m.number).value_or(true) && ++awake >= (std::max)(bounds_.front, std::size_t{1})) return true;
  }
  return false;
}

WINSVC_INLINE void crew::send_clerk_home() {
  if (!clerk_.joinable()) return;
  {
    const std::lock_guard lock(clerk_mutex_);
    clerk_over_ = true;
    clerk_wakes_.notify_one();
  }
  clerk_.join();
}

WINSVC_INLINE void crew::stop() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    work_.notify_all();
  }
  whose_.wake();
  send_clerk_home();
  for (auto& m : members_) {
    if (m.thread.joinable()) m.thread.join();
  }
  members_.clear();
}

WINSVC_INLINE void crew::abandon() {
  send_clerk_home();
  const std::lock_guard lock(mutex_);
  over_ = true;
  for (auto& m : members_) {
    if (m.thread.joinable()) m.thread.detach();
  }
}

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
