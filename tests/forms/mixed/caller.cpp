// Test of mixed forms: the translation unit that calls a function of winsvc and a function of the program. The bodies
// of both are in library.cpp.
#include <string>

#include "winsvc/base/encoding.hpp"
#include "winsvc/base/error.hpp"

std::string text_of(const winsvc::error& error);

int main() {
  const bool equal = winsvc::equal_secret("a", "a");
  return equal && text_of(winsvc::error{}).empty() ? 0 : 1;
}
