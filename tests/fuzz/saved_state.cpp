// Fuzz test of the state file and of flat JSON objects: a text that the writer produced is read again, and a text that
// is not one is rejected or read to a value that can be written.
#include "winsvc/base/flat_json.hpp"
#include "winsvc/scm/saved_state.hpp"

#include "require.hpp"

#include <cstdint>
#include <string>
#include <string_view>

using namespace winsvc::detail;

namespace {

void check_round_trip(const scm::saved_state& state) {
  const std::string text = scm::format_saved_state(state);
  require(text.find('\n') == text.size() - 1, "the file is one line");
  const auto again = scm::parse_saved_state(text);
  require(again.has_value(), "a state that was written is read");
  require(scm::format_saved_state(*again) == text, "a state that was read is written as the same text");
  for (std::size_t size = 0; size + 2 < text.size(); size += 7)
    require(!scm::parse_saved_state(std::string_view(text).substr(0, size)), "a truncated file is rejected");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(base::parse_flat_object(text));
  if (const auto state = scm::parse_saved_state(text)) {
    check_round_trip(*state);
    static_cast<void>(scm::last_failure(*state));
  }
  scm::saved_state state;
  state.pid = static_cast<std::uint32_t>(size);
  state.url = std::string(text.substr(0, size / 2));
  state.failure = std::string(text.substr(size / 2));
  check_round_trip(state);
  return 0;
}
