// Assertion of the fuzz tests. It is active in each build and aborts, which a fuzzing engine reports as a crash.
#pragma once

#include <cstdio>
#include <cstdlib>

inline void require(bool condition, const char* property) {
  if (condition) return;
  std::fprintf(stderr, "property violated: %s\n", property);
  std::abort();
}
