// Whatever the bytes: a form says the same however it was cut, nothing of it is collected but a head or a delimiter, and a
// file's name is one that can be given to a file.
#include "winsvc/wire/file_name.hpp"
#include "winsvc/wire/multipart.hpp"

#include "require.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

using namespace winsvc::wire;
using step = multipart_decoder::step;

namespace {

/// All that was said, one after the other.
std::string told(std::string_view bytes, std::size_t chunk_size) {
  multipart_decoder decoder("B");
  std::string out;
  for (;;) {
    const auto what = decoder.next();
    if (what == step::more) {
      if (bytes.empty()) return out + " cut";
      const auto now = bytes.substr(0, chunk_size);
      decoder.feed(now);
      bytes.remove_prefix(now.size());
      continue;
    }
    if (what == step::done) return out + " done";
    if (what == step::bad) {
      require(decoder.next() == step::bad, "what is malformed stays so");
      return out + " bad";
    }
    if (what == step::data) {
      require(!decoder.data().empty(), "data is some");
      out += decoder.data();
      continue;
    }
    const auto& part = decoder.part();
    out += "\n[" + part.name + '|' + part.file_name + '|' + part.content_type + ']';
    const std::string name = safe_file_name(part.file_name);
    require(!name.empty() && name.size() <= 201 && name[0] != '.', "there is a name, and it is not hidden");
    require(name.find_first_of("/\\:") == name.npos && name.find('\0') == name.npos, "it is no path, and no stream");
    require(name.back() != '.' && name.back() != ' ', "Windows keeps its end");
    require(!is_device_name(name), "it is no device");
    require(safe_file_name(name) == name, "what is safe stays as it is");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = told(bytes, bytes.size() + 1);
  for (const std::size_t chunk_size : {std::size_t{1}, std::size_t{2}, std::size_t{5}, std::size_t{64}})
    require(told(bytes, chunk_size) == whole, "it does not matter how it was cut");
  static_cast<void>(multipart_boundary(bytes));
  static_cast<void>(parse_part_head(bytes));
  static_cast<void>(safe_file_name(bytes));
  return 0;
}
