// A minimal server, for tests/bench/engine.py: `limit PORT [thread]`. It has one thread with epoll, one receive and one
// send per request, and sends the same bytes to each request. No server with these system calls can be faster on one
// core. With `thread`, it has a second thread, which does nothing: the threads of a process share its descriptors, so
// each system call counts the use of its descriptor.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>

int main(int count, char** arguments) {
  if (count > 2 && std::string_view(arguments[2]) == "thread") {
    std::thread([] {
      for (;;) ::pause();
    }).detach();
  }
  constexpr std::string_view response =
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 11\r\n"
      "Date: Mon, 23 Nov 2026 08:00:00 GMT\r\n\r\nhello world";
  const int on = 1;
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<unsigned short>(std::atoi(arguments[1])));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, 4096) != 0) {
    std::perror("limit");
    return 1;
  }
  const int poller = ::epoll_create1(0);
  const auto add = [poller](int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
  };
  add(listener);
  std::puts("ready");
  std::fflush(stdout);
  for (;;) {
    epoll_event ready[64];
    const int ready_count = ::epoll_wait(poller, ready, 64, -1);
    for (int i = 0; i < ready_count; ++i) {
      const int fd = ready[i].data.fd;
      if (fd == listener) {
        for (int client; (client = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0; add(client))
          ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        continue;
      }
      char bytes[16 * 1024];
      const auto received = ::recv(fd, bytes, sizeof bytes, 0);
      if (received <= 0) ::close(fd);
      else if (std::string_view(bytes, static_cast<std::size_t>(received)).find("\r\n\r\n") != std::string_view::npos)
        static_cast<void>(::send(fd, response.data(), response.size(), MSG_NOSIGNAL));
    }
  }
}
