// Fuzz test of cookies: a forged value is rejected, a signed value is returned for its own name and key only, and no
// cookie adds a line or a second cookie to the header. The first line of the input is a name, the rest a value.
#include "winsvc/base/error.hpp"
#include "winsvc/wire/cookie.hpp"

#include "require.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

using namespace winsvc;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto line_end = text.find('\n');
  const std::string_view name = text.substr(0, line_end);
  const std::string_view value = line_end == text.npos ? std::string_view() : text.substr(line_end + 1);
  const std::string key = "a key of at least 16 bytes", other_key = "another key of 16 bytes";

  require(!unsign(name, value, key), "a forged value is rejected");
  const std::string signed_value = sign(name, value, key, std::chrono::hours(1));
  const auto opened = unsign(name, signed_value, key);
  require(opened && *opened == value, "a signed value is returned");
  require(!unsign(name, signed_value, other_key), "another key is rejected");
  require(!unsign(std::string(name) + 'x', signed_value, key), "another name is rejected");
  for (std::size_t i = 0; i < signed_value.size(); i += 5) {
    std::string changed = signed_value;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    const auto result = unsign(name, changed, key);
    require(!result || *result == value, "a changed value is rejected");
  }

  static_cast<void>(detail::wire::cookie_in(value, name));
  require(detail::wire::same_cookie(name, value) == detail::wire::same_cookie(value, name), "same_cookie is symmetric");
  try {
    const cookie made{std::string(name), std::string(value)};
    const std::string header = made.to_string();
    require(header.find_first_of("\r\n") == header.npos, "a cookie is one line");
    require(detail::wire::cookie_in(std::string(name) + '=' + std::string(value) + "; z=1", name) == value,
            "a cookie that can be set is found");
  } catch (const setup_error&) {  // the name or the value is not allowed
  }
  return 0;
}
