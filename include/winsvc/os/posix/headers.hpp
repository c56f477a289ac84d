// POSIX system headers. Only this file includes them.
#pragma once

#include "winsvc/config/compiler.hpp"

#if !WINSVC_OS_WINDOWS

  #include <arpa/inet.h>
  #include <csignal>
  #include <dirent.h>
  #include <fcntl.h>
  #include <netdb.h>
  #include <netinet/in.h>
  #include <netinet/tcp.h>
  #include <poll.h>
  #include <pthread.h>
  #include <sys/file.h>
  #include <sys/mman.h>
  #include <sys/resource.h>
  #include <sys/socket.h>
  #include <sys/stat.h>
  #include <sys/statvfs.h>
  #include <sys/types.h>
  #include <sys/uio.h>
  #include <sys/un.h>
  #include <termios.h>
  #include <unistd.h>

  #if WINSVC_OS_LINUX
    #include <linux/filter.h>
    #include <malloc.h>
    #include <sched.h>
    #include <sys/epoll.h>
    #include <sys/eventfd.h>
    #include <sys/inotify.h>
    #include <sys/syscall.h>
  #endif

#endif  // !WINSVC_OS_WINDOWS
