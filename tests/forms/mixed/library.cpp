// Test of mixed forms: the translation unit with the bodies (WINSVC_IMPLEMENTATION) that caller.cpp needs. The
// header-only form emits equal_secret because its address is taken.
#include <string>

#include "winsvc/base/encoding.hpp"
#include "winsvc/base/error.hpp"

bool (*address_of_a_function)(std::string_view, std::string_view) noexcept = &winsvc::equal_secret;

std::string text_of(const winsvc::error& error) { return error.hint; }
