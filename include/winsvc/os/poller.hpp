// Poller (epoll, I/O completion port, poll): a few threads wait for many sockets; each event is returned to one of the
// waiting threads.
//
//   poller events;
//   events.add(registration, socket.native(), &connection);   // once
//   events.arm(registration, poll_for::readable);             // each time after a receive would block
//   void* user_data[8];
//   for (std::size_t i = 0, n = events.wait(user_data, 8); i < n; ++i) serve(user_data[i]);
//
// `poller` is epoll on Linux (posix/epoll.hpp), an I/O completion port on Windows (win/iocp.hpp), and poll() on other
// systems (poll_poller.hpp, which runs on all systems). All three have these members; any thread may call them:
//
//   is_open()                        false if the system could not create it: see socket_api::last_error()
//   add(registration, s, user_data)  registers socket `s`; the caller stores the registration. False: system limit
//   arm(registration, event, bytes)  requests `event`. `bytes`: the data to send next, which a completion port sends
//   supports_write_wait              if false, arm(..., poll_for::writable, bytes) needs bytes that are not empty
//   is_sending(registration)         the poller still sends those bytes: nothing else may be sent
//   take_sent_bytes(registration)    number of bytes that the poller has sent; call it once after an event
//   has_hung_up(registration)        the peer may have closed; no event follows: receive until the end of the stream
//   remove(registration)             call it before the socket is closed. False: events are pending; the registration
//                                    can be reused when has_no_pending(registration) is true after an event
//   wait_for_pending()               waits until no event is pending; call it before registrations are freed
//   add_listener(registration, listener, user_data)   registers a listener
//   accept(registration)             accepts a client; call it until it would block, then call arm_accept(registration)
//   arm_accept(registration)         false: the system has no socket or memory for the next client; try again later
//   wait(user_data, capacity)        blocks until a socket is ready; returns at most `capacity` events. 0 after wake()
//                                    or notify()
//   wake()                           ends all calls of wait, now and later
//   notify()                         ends at least one call of wait, now or later
//
// The caller arms a registration after a receive or a send would have blocked; each later change is reported at least
// once. An event can arrive while another thread works on the socket; that thread must try again. An event can also
// arrive late, for a socket that was removed, after the registration was reused. So registrations are reused, but freed
// only after the poller, and an event is only a hint: the thread tries to receive or send.
#pragma once

#include "winsvc/config/abi.hpp"
#include "winsvc/os/poll_poller.hpp"
#include "winsvc/os/posix/epoll.hpp"
#include "winsvc/os/win/iocp.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

#if WINSVC_OS_LINUX
using poller = epoll_poller;
#elif WINSVC_OS_WINDOWS
using poller = iocp_poller;
#else
using poller = poll_poller;
#endif

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
