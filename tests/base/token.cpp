// Tests of random tokens.
#include "winsvc/base/token.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

using winsvc::detail::base::random_hex;

TEST_CASE("a token has the requested number of digits") {
  for (const std::size_t digits : {0u, 1u, 2u, 31u, 32u}) CHECK(random_hex(digits).size() == digits);
}

TEST_CASE("a token has all hexadecimal digits in lower case, and no two tokens are equal") {
  const std::string token = random_hex(1000);
  CHECK(token.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(std::set<char>(token.begin(), token.end()).size() == 16);  // a digit is missing once in 10^26 tokens
  CHECK(random_hex(32) != random_hex(32));
}
