// Tests of byte_block.
#include "winsvc/base/byte_block.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

using winsvc::detail::base::byte_block;

TEST_CASE("a block keeps its bytes while it grows, and its memory when it is cleared") {
  byte_block block;
  CHECK(block.empty());
  CHECK(block.capacity() == 0);
  CHECK(block.free_space() == 0);
  CHECK(block.view() == "");
  block.append("GET /");
  block.append(" HTTP/1.1");
  CHECK(block.view() == "GET / HTTP/1.1");
  block.append("");
  CHECK(block.size() == 14);
  block.reserve(100);
  CHECK(block.capacity() == 100);
  CHECK(block.free_space() == 86);
  CHECK(block.view() == "GET / HTTP/1.1");
  block.reserve(50);
  CHECK(block.capacity() == 100);
  block.append(std::string(87, 'x'));
  CHECK(block.capacity() == 200);  // doubled
  CHECK(block.view() == "GET / HTTP/1.1" + std::string(87, 'x'));
  block.append(std::string(1000, 'y'));
  CHECK(block.capacity() == 1101);  // more than doubled
  block.clear();
  CHECK(block.empty());
  CHECK(block.capacity() == 1101);
}

TEST_CASE("literals and numbers grow a block as other bytes do") {
  byte_block block;
  block.append_literal("length: ");
  CHECK(block.capacity() == 8);
  block.append_number(0);
  block.append_literal(", ");
  block.append_number(UINT64_MAX);
  CHECK(block.view() == "length: 0, 18446744073709551615");
}

TEST_CASE("bytes that are written to the end of a block belong to it after extend()") {
  byte_block block;
  block.append("ab");
  block.reserve(8);
  std::memcpy(block.end(), "cdef", 4);
  block.extend(4);
  CHECK(block.view() == "abcdef");
  block.erase_front(2);
  CHECK(block.view() == "cdef");
  CHECK(block.capacity() == 8);
  block.erase_front(4);
  CHECK(block.empty());
}

TEST_CASE("a view of a block stays valid when the block is moved or swapped") {
  byte_block first, second;
  first.append("x");
  const std::string_view view = first.view();
  first.swap(second);
  CHECK(first.empty());
  CHECK(second.view().data() == view.data());
  byte_block third(std::move(second));
  CHECK(third.view().data() == view.data());
  second = std::move(third);
  CHECK(second.view().data() == view.data());
  CHECK(view == "x");
  CHECK(third.capacity() == 0);
  byte_block empty;
  second = std::move(empty);
  CHECK(second.capacity() == 0);
}
