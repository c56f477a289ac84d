// The server inside an engine (http/engine.hpp): listens, accepts, serves, drains.
//
// Who is connected and says nothing sits in the poller, with a deadline, and costs some hundred bytes. When there is
// something to read, a thread of the crew takes one step of that connection (http/connection.hpp), and the seat goes
// back to the poller. When the engine drains, the listener is closed after what had connected was taken, connections
// that wait are closed at once, and requests in flight are answered with `Connection: close`.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/log.hpp"
#include "winsvc/base/result.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/connection.hpp"
#include "winsvc/http/crew.hpp"
#include "winsvc/http/engine.hpp"
#include "winsvc/http/guests.hpp"
#include "winsvc/http/tls.hpp"
#include "winsvc/model/codes.hpp"
#include "winsvc/os/native.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

class server final : private crew::employer {
 public:
  server(const router& routes, const wire::limits& bounds, logger& log);
  /// Drains without patience if nobody did before, and waits for handlers that still run.
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Binds and listens, exclusively; clients can connect from here on, and wait. The error names the owner of a taken
  /// port where that can be found out.
  [[nodiscard]] result<void> bind(const std::string& host, std::uint16_t port);
  /// Where it listens, with the real port; after bind.
  [[nodiscard]] os::endpoint address() const { return address_; }

  /// What new connections speak TLS with; null: plain HTTP. From any thread; the first time before `bind`.
  void tls(std::shared_ptr<tls_identity> identity);

  /// Called after each answer, on the thread that served it, beside those that were given before. Give it before
  /// `accept`.
  void on_answered(std::function<void(const access_entry&)> f) { shared_.on_answered.push_back(std::move(f)); }

  /// Starts to serve. Throws std::system_error when the system has no thread for it.
  void accept();
  /// While paused, requests get 503 with Retry-After; connections stay. From any thread.
  void pause(bool paused) noexcept { shared_.paused.store(paused); }
  [[nodiscard]] bool is_paused() const noexcept { return shared_.paused.load(); }
  /// Stops: see above. `progress` is called, on the calling thread, whenever requests were answered meanwhile.
  drain_report drain(std::chrono::milliseconds limit, const std::function<void()>& progress = {});

  /// Lets go of threads that a drain found stuck. The engine must stay as it is until the process ends.
  void abandon() { crew_.abandon(); }

  /// Requests being handled, WebSockets and connections open, threads: for status.
  [[nodiscard]] std::size_t in_flight() const noexcept { return shared_.in_flight.load(); }
  [[nodiscard]] std::size_t websockets() const noexcept { return shared_.websockets.load(); }
  [[nodiscard]] std::size_t connections() const noexcept { return open_.load(); }
  [[nodiscard]] std::size_t threads() const { return crew_.size(); }
  /// Since it began, and how that went lately.
  [[nodiscard]] std::uint64_t answered() const noexcept { return shared_.answered.load(); }
  [[nodiscard]] http::pulse& pulse() noexcept { return shared_.pulse; }

  /// Requests that are being handled now, at most so many.
  [[nodiscard]] std::vector<work> at_work(std::size_t most);

  /// Serves one connection on the calling thread, without a listener: the way of the test client.
  void serve(transport& wire);

 private:
  static crew_limits crew_for(const wire::limits& bounds);

  // For the crew.
  std::size_t wait(void** into, std::size_t room) noexcept override { return poller_.wait(into, room); }
  void wake() noexcept override { poller_.wake(); }
  bool claim(void* what) noexcept override;
  void serve(void* what, crew::post at, std::shared_ptr<void>& tools) noexcept override;
  void is_slow(void* what) noexcept override;
  crew::time_point look_at_clock(crew::time_point now) noexcept override;

  void accept_some(bool all) noexcept;
  void admit(os::tcp_socket socket);
  void turn_away(os::tcp_socket socket, int status, const char* why, const std::string& whom);
  guest& seat_for(os::tcp_socket socket);
  void attend(guest& g, bool in_front, desk& mine) noexcept;
  bool wait_for(guest& g, const awaited& next) noexcept;
  void say_goodbye(guest& g) noexcept;
  void free_seat(guest& g) noexcept;
  void look_at_all();
  void warn(std::atomic<std::int64_t>& last, const std::string& text);

  const wire::limits bounds_;
  logger& log_;
  core core_;
  traffic shared_;
  os::endpoint address_;
  os::tcp_socket listener_;
  os::waker drain_;
  os::poller poller_;
  deadlines deadlines_;

  seat door_;  // the listener's
  os::poller::place door_place_;
  std::mutex door_mutex_;  // of whoever accepts
  std::atomic<std::int64_t> warned_fault_{0}, warned_full_{0}, warned_busy_{0};

  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::deque<guest> guests_;
  std::vector<guest*> free_;
  std::map<std::string, std::size_t> by_address_;
  std::atomic<std::size_t> open_{0};  // changes under mutex_
  std::shared_ptr<tls_identity> identity_;
  bool serving_ = false;
  crew crew_;  // the last: it is gone before what it works on
};

// ---------------------------------------------------------------------------------------------------------------------

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace http {

WINSVC_INLINE crew_limits server::crew_for(const wire::limits& bounds) {
  crew_limits of;
  of.front = os::processors();
  of.few = (std::max)(of.front + 2, std::size_t{4});
  of.many = (std::max)(bounds.threads, of.few);
  of.queue = bounds.queue;
  return of;
}

WINSVC_INLINE server::server(const router& routes, const wire::limits& bounds, logger& log) : bounds_(bounds), log_(log), core_(routes, bounds_, log), crew_(*this, crew_for(bounds)) {}

WINSVC_INLINE server::~server() {
  static_cast<void>(drain(std::chrono::milliseconds(0)));
  crew_.stop();
  poller_.settle();
}

WINSVC_INLINE result<void> server::bind(const std::string& host, std::uint16_t port) {
  if (!drain_.is_open() || !poller_.is_open()) {
    const auto code = os::calls::last_error();
    return failure{
        model::explained(code, "prepare to listen on", os::endpoint{host, port}.text(), os::system_words(code))};
  }
  auto listening = os::tcp_socket::listen(host, port);
  if (!listening) {
    const auto code = listening.error();
    error why = model::explained(code, "listen on", os::endpoint{host, port}.text(), os::system_words(code));
    if (code == model::code::address_in_use || code == model::code::access_to_address) {
      if (const auto owner = os::port_owner({host, port}); !owner.empty()) why.said += ": " + owner + " has it";
    }
    return failure{std::move(why)};
  }
  listener_ = std::move(*listening);
  address_ = listener_.local();
  address_.tls = identity_ != nullptr;
  return {};
}

WINSVC_INLINE void server::tls(std::shared_ptr<tls_identity> identity) {
  const std::lock_guard lock(mutex_);
  identity_ = std::move(identity);
}

WINSVC_INLINE void server::accept() {
  door_.take();
  serving_ = true;
  crew_.start();
  poller_.add_listener(door_place_, listener_, &door_);
  if (!door_.park()) static_cast<void>(crew_.give(&door_, true));
  else poller_.arm_accept(door_place_);
}

WINSVC_INLINE void server::serve(transport& wire) {
  connection one(wire, core_, shared_, bounds_);
  desk with;
  visit how;
  // Nothing more comes by waiting, so what would be waited for is late.
  for (auto next = one.advance(with, how); next.what != wants::nothing; next = one.advance(with, how))
    how.late = next.what != wants::turn;
}

WINSVC_INLINE bool server::claim(void* what) noexcept {
  auto* const s = static_cast<seat*>(what);
  if (s->claim()) return true;
  if (s != &door_ && s->is_leaving()) free_seat(*static_cast<guest*>(s));
  return false;
}

WINSVC_INLINE void server::is_slow(void* what) noexcept {
  if (what == &door_) return;
  if (pace* const whose = static_cast<guest*>(static_cast<seat*>(what))->whose.load()) whose->is_found_slow();
}

WINSVC_INLINE crew::time_point server::look_at_clock(crew::time_point now) noexcept {
  return deadlines_.advance(now, [this](seat& s) { static_cast<void>(crew_.give(&s, true)); });
}

WINSVC_INLINE void server::serve(void* what, crew::post at, std::shared_ptr<void>& tools) noexcept {
  if (what == &door_) return accept_some(false);
  guest& g = *static_cast<guest*>(static_cast<seat*>(what));
  try {
    if (!tools) tools = std::make_shared<desk>();
  } catch (const std::exception&) {  // no memory for a buffer: none for this client
    return say_goodbye(g);
  }
  attend(g, at == crew::post::front, *static_cast<desk*>(tools.get()));
}

/// One step of a connection after the other, until it has to wait for something.
WINSVC_INLINE void server::attend(guest& g, bool in_front, desk& mine) noexcept {
  visit how;
  how.whose = &g.whose;
  constexpr int share = 16;  // of looks at one client: others wait as well
  for (int looks = 0;; ++looks) {
    if (looks == share) return static_cast<void>(crew_.give(static_cast<seat*>(&g), true));
    how.late = g.late.exchange(false);
    if (poller_.is_sending(g.place) && !how.late) {  // what it has to say is on its way
      if (g.park()) return;
      continue;
    }
    if (const auto sent = poller_.sent(g.place); sent > 0) g.talk->was_sent(sent);
    how.quick = in_front && !g.lent;
    const auto next = g.talk->advance(mine, how);
    how.too_busy = false;
    if (g.lent) {
      g.lent = false;
      in_front = false;
      crew_.come_back();
    }
    if (next.what == wants::nothing) return say_goodbye(g);
    if (next.what == wants::turn) return static_cast<void>(crew_.give(static_cast<seat*>(&g), true));
    if (next.what == wants::worker) {
      if (crew_.give(static_cast<seat*>(&g), false)) return;
      warn(warned_busy_, "too many requests wait for a thread; some are told so with 503");
      how.too_busy = true;
      continue;
    }
    if (!os::poller::waits_for_room && next.what == wants::room && g.wire->encrypted()) {  // only its library can send
      g.lend_thread();
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(next.until - connection::steady::now());
      if (!g.wire->wait_writable(left)) g.late.store(true);
      continue;
    }
    if (wait_for(g, next)) return;
  }
}

/// False: something has happened already.
WINSVC_INLINE bool server::wait_for(guest& g, const awaited& next) noexcept {
  if (deadlines_.set(g, next.until)) crew_.look_again();
  poller_.arm(g.place, next.what == wants::room ? os::poll_for::room : os::poll_for::bytes, g.talk->unsent());
  return g.park();
}

/// Takes those who have connected. Not all at once: those who are here already wait meanwhile.
WINSVC_INLINE void server::accept_some(bool all) noexcept {
  const std::unique_lock lock(door_mutex_);
  constexpr int a_few = 64, most = 4096;  // without end they may come as fast as they are taken
  bool fault = false;
  for (int i = 0; i < (all ? most : a_few) && listener_.is_open(); ++i) {
    auto got = poller_.accept(door_place_);
    if (!got && os::calls::would_block(got.error())) break;
    try {
      if (got) {
        admit(std::move(*got));
        continue;
      }
      // The client left before it was taken, or the process is out of descriptors: say it, breathe, go on. A listener
      // that gives up on a fault is a service that is RUNNING and dead.
      warn(warned_fault_, "a connection could not be accepted: " + os::system_words(got.error()) + " (" +
                              std::to_string(got.error()) + ")");
    } catch (const std::exception&) {  // no memory for a seat: this client is lost, those here are not
    }
    fault = true;
    break;
  }
  if (all) return;
  constexpr std::chrono::milliseconds breath{20};
  do {
    if (!listener_.is_open()) return door_.leave();
    if (fault) {
      if (deadlines_.set(door_, deadlines::steady::now() + breath)) crew_.look_again();
    } else {
      poller_.arm_accept(door_place_);
    }
  } while (!door_.park());
}

WINSVC_INLINE void server::warn(std::atomic<std::int64_t>& last, const std::string& text) {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::steady_clock::now().time_since_epoch()).count();
  auto before = last.load();
  if (now - before < 1000 || !last.compare_exchange_strong(before, now)) return;  // once a second is enough to know
  log_.warn(text);
}

WINSVC_INLINE void server::admit(os::tcp_socket socket) {
  std::string address;
  if (bounds_.connections_per_address > 0) {
    address = socket.peer().host;
    const std::lock_guard lock(mutex_);
    if (by_address_[address] >= bounds_.connections_per_address)
      return turn_away(std::move(socket), 429, "too many connections from one client", address);
  }
  if (open_.load() >= bounds_.connections)
    return turn_away(std::move(socket), 503, "too many connections are open", {});

  guest& g = seat_for(std::move(socket));
  try {
    if (!address.empty()) {
      const std::lock_guard lock(mutex_);
      ++by_address_[address];
      g.address.swap(address);
    }
  } catch (...) {
    say_goodbye(g);
    throw;
  }
  if (!poller_.add(g.place, g.wire->native(), static_cast<seat*>(&g))) return say_goodbye(g);
  if (!wait_for(g, g.talk->first())) static_cast<void>(crew_.give(static_cast<seat*>(&g), true));
}

/// A seat that is taken, with its connection.
WINSVC_INLINE guest& server::seat_for(os::tcp_socket socket) {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) {
    free_.reserve(guests_.size() + 1);  // so that nobody who leaves needs memory for it
    free_.push_back(&guests_.emplace_back(poller_, crew_));
  }
  guest& g = *free_.back();
  g.wire = make_transport(std::move(socket), drain_, identity_);
  g.wire->lender(&g);
  try {
    g.talk.emplace(*g.wire, core_, shared_, bounds_);
  } catch (...) {
    g.wire.reset();
    throw;
  }
  free_.pop_back();
  ++open_;
  g.take();
  return g;
}

/// Without a seat: told in one send, and closed.
WINSVC_INLINE void server::turn_away(os::tcp_socket socket, int status, const char* why, const std::string& whom) {
  warn(warned_full_, std::string(why) + (whom.empty() ? "" : ": " + whom) + "; new ones are told so with " +
                         std::to_string(status));
  if (!identity_) {
    const std::string answer = refusal(status, why);
    static_cast<void>(socket.send(answer.data(), answer.size(), std::chrono::milliseconds(0)));
  }
  socket.shutdown_send();
  char sink[4096];  // what it has asked already: left there, it would make the system take the answer back
  std::size_t got = 0;
  static_cast<void>(socket.receive(sink, sizeof sink, got, std::chrono::milliseconds(0)));
}

WINSVC_INLINE void server::say_goodbye(guest& g) noexcept {
  deadlines_.clear(g);
  const bool free_now = poller_.remove(g.place);
  {
    const std::lock_guard lock(g.mutex);
    g.talk.reset();
    if (g.wire) g.wire->close();
    g.wire.reset();
  }
  if (free_now) {
    g.leave();
  } else {
    g.begin_to_leave();
  }
  const std::lock_guard lock(mutex_);
  if (!g.address.empty()) {
    const auto at = by_address_.find(g.address);
    if (at != by_address_.end() && --at->second == 0) by_address_.erase(at);
    g.address.clear();
  }
  if (free_now) free_.push_back(&g);
  --open_;
  ended_.notify_all();
  if (!free_now && poller_.is_quiet(g.place) && g.end_to_leave()) free_.push_back(&g);
}

/// After the last that the poller has to say of it.
WINSVC_INLINE void server::free_seat(guest& g) noexcept {
  if (!poller_.is_quiet(g.place) || !g.end_to_leave()) return;
  const std::lock_guard lock(mutex_);
  free_.push_back(&g);
}

WINSVC_INLINE std::vector<work> server::at_work(std::size_t most) {
  std::vector<work> out;
  const std::lock_guard lock(mutex_);
  for (auto& g : guests_) {
    if (out.size() == most) break;
    const std::lock_guard its(g.mutex);
    if (!g.wire || !g.talk) continue;
    if (auto one = g.talk->doing()) out.push_back(*std::move(one));
  }
  return out;
}

/// Whoever waits gets a visit.
WINSVC_INLINE void server::look_at_all() {
  std::vector<guest*> all;
  {
    const std::lock_guard lock(mutex_);
    for (auto& g : guests_) all.push_back(&g);
  }
  for (auto* g : all) {
    if (g->claim()) static_cast<void>(crew_.give(static_cast<seat*>(g), true));
  }
}

WINSVC_INLINE drain_report server::drain(std::chrono::milliseconds limit, const std::function<void()>& progress) {
  drain_report report;
  const auto answered_before = shared_.answered.load();
  shared_.draining.store(true);  // before the listener goes: whoever is taken from here on is told to close
  if (std::exchange(serving_, false)) accept_some(true);  // who connected before we stopped is served
  {
    const std::lock_guard lock(door_mutex_);
    if (listener_.is_open()) static_cast<void>(poller_.remove(door_place_));
    listener_.close();
  }
  drain_.wake();
  look_at_all();

  auto answered_now = answered_before;
  const auto until = std::chrono::steady_clock::now() + limit;
  const auto all_ended = [this] { return open_.load() == 0; };
  std::unique_lock lock(mutex_);
  const auto tell = [&] {
    const auto now = shared_.answered.load();
    if (now == answered_now || !progress) return;
    answered_now = now;
    lock.unlock();
    progress();
    lock.lock();
  };
  while (!all_ended() && ended_.wait_until(lock, until) != std::cv_status::timeout) tell();
  tell();  // of those that were done before we waited
  if (!all_ended()) {
    report.cut = shared_.in_flight.load() + shared_.websockets.load();
    constexpr std::size_t a_few = 10;
    for (auto& g : guests_) {
      const std::lock_guard its(g.mutex);
      if (!g.wire) continue;
      const auto one = report.cut_ones.size() < a_few ? g.talk->doing() : std::nullopt;
      if (one) {
        const auto age = std::chrono::duration_cast<std::chrono::seconds>(one->age).count();
        report.cut_ones.push_back(one->what + ' ' + std::to_string(age) + " s");
      }
      g.wire->cut();
    }
    // Whoever waits on the network wakes at once; whoever computes gets a last moment.
    constexpr auto last_moment = std::chrono::milliseconds(500);
    ended_.wait_for(lock, last_moment, all_ended);
  }
  report.answered = static_cast<std::size_t>(shared_.answered.load() - answered_before);
  report.stuck = open_.load();
  lock.unlock();

  if (report.stuck == 0) crew_.stop();
  return report;
}

// --- the handle ------------------------------------------------------------------------------------------------------

WINSVC_INLINE engine::engine(const router& routes, const wire::limits& bounds, logger& log)
    : server_(std::make_unique<server>(routes, bounds, log)) {}
WINSVC_INLINE engine::~engine() = default;

WINSVC_INLINE result<void> engine::bind(const std::string& host, std::uint16_t port) { return server_->bind(host, port); }
WINSVC_INLINE os::endpoint engine::address() const { return server_->address(); }
WINSVC_INLINE void engine::tls(std::shared_ptr<tls_identity> identity) { server_->tls(std::move(identity)); }
WINSVC_INLINE void engine::on_answered(std::function<void(const access_entry&)> f) {
  server_->on_answered(std::move(f));
}
WINSVC_INLINE void engine::accept() { server_->accept(); }
WINSVC_INLINE void engine::pause(bool paused) noexcept { server_->pause(paused); }
WINSVC_INLINE bool engine::is_paused() const noexcept { return server_->is_paused(); }
WINSVC_INLINE drain_report engine::drain(std::chrono::milliseconds limit, const std::function<void()>& progress) {
  return server_->drain(limit, progress);
}
WINSVC_INLINE void engine::abandon() { server_->abandon(); }
WINSVC_INLINE std::size_t engine::in_flight() const noexcept { return server_->in_flight(); }
WINSVC_INLINE std::size_t engine::websockets() const noexcept { return server_->websockets(); }
WINSVC_INLINE std::size_t engine::connections() const noexcept { return server_->connections(); }
WINSVC_INLINE std::size_t engine::threads() const { return server_->threads(); }
WINSVC_INLINE std::uint64_t engine::answered() const noexcept { return server_->answered(); }
WINSVC_INLINE http::pulse& engine::pulse() noexcept { return server_->pulse(); }
WINSVC_INLINE std::vector<work> engine::at_work(std::size_t most) { return server_->at_work(most); }
WINSVC_INLINE void engine::serve(transport& wire) { server_->serve(wire); }

}  // namespace http
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
