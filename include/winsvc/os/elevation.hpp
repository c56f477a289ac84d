// Elevation: runs this program again with administrator rights and returns its output and its exit code.
//
//   if (auto code = run_elevated({"install"}, {}, print)) return *code;     // print(stream, text)
//
// Windows prompts the user for consent (UAC); the window of the child process is hidden. Parent and child communicate
// through a named pipe that only this user and administrators can open. The child opens it with SECURITY_ANONYMOUS, so
// that the owner of the pipe cannot impersonate it. On POSIX: 50 (not supported).
//
// Source: ShellExecuteExW with the verb "runas", CreateNamedPipeW and SECURITY_ANONYMOUS in the Win32 documentation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "winsvc/config/abi.hpp"
#include "winsvc/os/console.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

/// Receives a text and the stream for which it was written.
using output_receiver = std::function<void(output_stream, std::string_view)>;

/// Runs this executable with `arguments`, elevated, in the current folder, and waits for it. Returns its exit code;
/// fails with 1223 if the user refuses. `input`: the text that `connect_to_parent` returns in the child (a password,
/// which must not be on a command line). `on_output` receives each text that the child writes, in its order, on this
/// thread.
///
/// A child that ends without `connect_to_parent` is not an error: its exit code is returned. Ctrl-C ends only this
/// process; the child completes its work.
[[nodiscard]] sys_result<std::uint32_t> run_elevated(std::vector<std::string> arguments, const std::string& input,
                                                     const output_receiver& on_output);

inline constexpr std::size_t elevated_input_limit = 65'536;  ///< bytes; longer input fails with 87

/// The option that `run_elevated` appends to the arguments: `--elevated PIPE`.
inline constexpr std::string_view elevated_option = "--elevated";

/// Connects the child to its parent and returns the input of the parent. Call it before the child prints: from then on,
/// write_stdout and write_stderr of os/console.hpp send to the parent (the C and C++ streams keep their handles). Fails
/// with 123 if `pipe` is not the name of such a pipe.
[[nodiscard]] sys_result<std::string> connect_to_parent(const std::string& pipe);

/// The bytes that precede a text on the pipe: its stream, and its length as 4 bytes, little-endian.
[[nodiscard]] std::string output_header(output_stream stream, std::size_t size);
/// Returns a length of 4 bytes, little-endian.
[[nodiscard]] std::size_t decode_length(std::string_view bytes) noexcept;

/// Splits the bytes of the pipe into texts.
class output_decoder {
 public:
  explicit output_decoder(const output_receiver& receiver) : receiver_(receiver) {}
  /// Passes on each text that is complete.
  void add(std::string_view bytes);
  /// Passes on the part of a text that has arrived before the child ended.
  void finish();

 private:
  static constexpr std::size_t header_size = 5;
  void pass_on(std::size_t size);

  const output_receiver& receiver_;
  std::string pending_;
};

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_OS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::os {

WINSVC_INLINE std::string output_header(output_stream stream, std::size_t size) {
  std::string out(1, stream == output_stream::error ? '\2' : '\1');
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(size >> shift & 0xFFu);
  return out;
}
WINSVC_INLINE std::size_t decode_length(std::string_view bytes) noexcept {
  std::size_t size = 0;
  for (std::size_t i = 4; i-- > 0;) size = size << 8 | static_cast<unsigned char>(bytes[i]);
  return size;
}

WINSVC_INLINE void output_decoder::add(std::string_view bytes) {
  pending_.append(bytes);
  while (pending_.size() >= header_size) {
    const std::size_t size = decode_length(std::string_view(pending_).substr(1, 4));
    if (pending_.size() - header_size < size) return;
    pass_on(size);
  }
}
WINSVC_INLINE void output_decoder::finish() {
  if (pending_.size() > header_size) pass_on(pending_.size() - header_size);
}
WINSVC_INLINE void output_decoder::pass_on(std::size_t size) {
  const auto stream = pending_[0] == '\2' ? output_stream::error : output_stream::standard;
  receiver_(stream, std::string_view(pending_).substr(header_size, size));
  pending_.erase(0, header_size + size);
}

}  // namespace detail::os
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_OS
