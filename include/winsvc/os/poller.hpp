// Waiting for many sockets with few threads: which of them has bytes, or room for more, is told to one of the threads
// that wait.
//
//   poller p;
//   p.add(place, socket, &connection);             // once; then, each time there is nothing to do:
//   p.arm(place, poll_for::bytes);
//   void* who[8];
//   for (std::size_t i = 0, n = p.wait(who, 8); i < n; ++i) serve(who[i]);
//
// There is one in a program: epoll on Linux (posix/epoll.hpp), an I/O completion port on Windows (win/iocp.hpp), poll()
// elsewhere (poll_poller.hpp, which runs everywhere). They have the same members, and everything from any thread:
//
//   is_open()               could it be made? else calls::last_error()
//   add(place, s, who)      `place` is the socket's part of the poller, kept by its user; false: the system has no more
//   arm(place, what, some)  what to wait for. `some`: the bytes that want room; a completion port sends them by itself
//   supports_write_wait          else `some` must not be empty
//   is_sending(place)       those are on their way: nothing else may be sent
//   take_sent_bytes(place)  how many of them have left that way; once, after a report
//   has_hung_up(place)      the peer may have closed its end, and that is not told again: receive until it says so
//   remove(place)           before the socket is closed; false: reports are to come yet, and the place is free for the
//                           next socket when has_no_pending(place) after one
//   settle()                before places go: no report is to come any more
//   add_listener(place, listener, who), accept(place) until it would block, arm_accept(place)
//   wait(who, room)         up to so many that are ready; waits for one. 0: `wake` was called, and every wait ends
//
// Whoever arms a place has just found nothing to receive, or no room; what changes from then on is told at least once.
// It may be told while somebody is at work on the socket: he looks once more then. It may be told late, of a socket that
// was removed and whose place is another's by now: so places are used again, but not freed before the poller is, and
// whoever is told of a socket looks, and does not believe.
#pragma once

#include "winsvc/config/abi.hpp"
#include "winsvc/os/poll_poller.hpp"
#include "winsvc/os/posix/epoll.hpp"
#include "winsvc/os/win/iocp.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace os {

#if WINSVC_OS_LINUX
using poller = epoll_poller;
#elif WINSVC_OS_WINDOWS
using poller = iocp_poller;
#else
using poller = poll_poller;
#endif

}  // namespace os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
