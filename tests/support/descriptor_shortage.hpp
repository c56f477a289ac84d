// descriptor_shortage: while it exists, the process cannot open another file descriptor. Not for Windows.
#pragma once

#include <doctest/doctest.h>

#include <vector>

#include <sys/resource.h>
#include <unistd.h>

class descriptor_shortage {
 public:
  descriptor_shortage() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit_) == 0);
    rlimit reduced = limit_;
    reduced.rlim_cur = 200;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &reduced) == 0);
    for (int fd = ::dup(0); fd != -1; fd = ::dup(0)) descriptors_.push_back(fd);
  }
  ~descriptor_shortage() {
    for (const int fd : descriptors_) ::close(fd);
    ::setrlimit(RLIMIT_NOFILE, &limit_);
  }
  descriptor_shortage(const descriptor_shortage&) = delete;
  descriptor_shortage& operator=(const descriptor_shortage&) = delete;

 private:
  rlimit limit_{};
  std::vector<int> descriptors_;
};
