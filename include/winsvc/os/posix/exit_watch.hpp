// Detects that the program calls exit(), on POSIX (os/exit_watch.hpp): on_exit(3) with glibc, else atexit(3), which has
// no exit code. Also maps the activity file (os/activity.hpp) into memory with mmap(2).
//
// _exit(2) and a signal call neither function.
// Source: on_exit(3), atexit(3), mmap(2).
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/activity.hpp"
#include "winsvc/os/exit_watch.hpp"
#include "winsvc/os/posix/headers.hpp"

#if !WINSVC_OS_WINDOWS

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE void install_exit_notification() noexcept {
#ifdef __GLIBC__
  static_cast<void>(::on_exit([](int code, void*) { exit_watch::notify(code); }, nullptr));
#else
  static_cast<void>(std::atexit([] { exit_watch::notify(0); }));  // the exit code is unknown
#endif
}

WINSVC_INLINE char* map_shared_file(const std::string& path, std::size_t size, std::uint32_t& code) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  void* memory = MAP_FAILED;
  if (file >= 0 && ::ftruncate(file, static_cast<off_t>(size)) == 0)
    memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  code = memory == MAP_FAILED ? static_cast<std::uint32_t>(errno) : 0;
  if (file >= 0) ::close(file);
  return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
}

WINSVC_INLINE void unmap_shared_file(char* memory, std::size_t size) noexcept { ::munmap(memory, size); }

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS

#endif  // !WINSVC_OS_WINDOWS
