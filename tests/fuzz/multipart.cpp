// Fuzz test of the decoder for forms with files: the result does not depend on how the bytes are split, and the safe
// file name of a part is valid.
#include "winsvc/wire/file_name.hpp"
#include "winsvc/wire/multipart.hpp"

#include "require.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

using namespace winsvc::detail::wire;
using step = multipart_decoder::step;

namespace {

/// Decodes the bytes in pieces and returns all results as text.
std::string decode(std::string_view bytes, std::size_t piece_size) {
  multipart_decoder decoder("B");
  std::string out;
  for (;;) {
    const auto result = decoder.next();
    if (result == step::more) {
      if (bytes.empty()) return out + " incomplete";
      const auto piece = bytes.substr(0, piece_size);
      decoder.feed(piece);
      bytes.remove_prefix(piece.size());
      continue;
    }
    if (result == step::done) return out + " done";
    if (result == step::bad) {
      require(decoder.next() == step::bad, "an error is final");
      return out + " bad";
    }
    if (result == step::data) {
      require(!decoder.data().empty(), "data is not empty");
      out += decoder.data();
      continue;
    }
    const auto& part = decoder.part();
    out += "\n[" + part.name + '|' + part.file_name + '|' + part.content_type + ']';
    const std::string name = safe_file_name(part.file_name);
    require(!name.empty() && name.size() <= 201 && name[0] != '.', "the name is neither empty nor hidden");
    require(name.find_first_of("/\\:") == name.npos && name.find('\0') == name.npos, "the name has no path or stream");
    require(name.back() != '.' && name.back() != ' ', "the name does not end with a dot or a blank");
    require(!is_device_name(name), "the name is not a device");
    require(safe_file_name(name) == name, "a safe name does not change");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string unsplit = decode(bytes, bytes.size() + 1);
  for (const std::size_t piece_size : {std::size_t{1}, std::size_t{2}, std::size_t{5}, std::size_t{64}})
    require(decode(bytes, piece_size) == unsplit, "the result does not depend on how the bytes are split");
  static_cast<void>(multipart_boundary(bytes));
  static_cast<void>(parse_part_head(bytes));
  static_cast<void>(safe_file_name(bytes));
  return 0;
}
