// Fuzz test of the functions for security descriptors (SDDL): an entry that was added is found and added only once, and
// an entry that was removed is not found. The first line of the input is the SID, the rest is the descriptor.
#include "winsvc/scm/security.hpp"

#include "require.hpp"

#include <cstdint>
#include <string>
#include <string_view>

using namespace winsvc::detail::scm;

namespace {

/// True if each parenthesis has its partner, as in each descriptor of Windows. Other texts must only be accepted.
bool is_balanced(std::string_view sddl) {
  int depth = 0;
  for (const char c : sddl) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (depth < 0) return false;
  }
  return depth == 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto line_end = text.find('\n');
  const std::string_view sddl = line_end == text.npos ? text : text.substr(line_end + 1);
  const std::string_view given = line_end == text.npos ? std::string_view() : text.substr(0, line_end);

  static_cast<void>(is_restricted(sddl));
  static_cast<void>(shared_folder_reason(text));
  static_cast<void>(data_folder_security(sddl, "S-1-5-80-1-2-3-4-5"));
  const std::string dacl = without_owner(sddl);
  require(dacl.size() <= sddl.size(), "a part is not longer");

  const std::string sid = "S-1-5-80-" + std::to_string(given.size() + 1) + "-2-3-4-5";
  for (const std::string& entry : {read_ace(sid), modify_ace(sid), control_ace(sid)}) {
    const std::string added = add_ace(sddl, entry);
    static_cast<void>(remove_aces_of(added, sid));
    if (!is_balanced(sddl)) continue;
    require(added == sddl || has_ace(added, entry), "an entry that was added is found");
    require(add_ace(added, entry) == added, "an entry is added once");
    require(!has_ace(remove_aces_of(added, sid), entry), "the entries of a SID are removed");
  }
  return 0;
}
