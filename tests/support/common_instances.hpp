// Template instantiations that many test files have in common: of doctest's assertions, and of std::future.
//
// No test includes this header. tests/units.py adds it to the precompiled header, so clang compiles these functions once
// per program and not once per file. A test file compiles without it too.
#pragma once

#include "wait.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <future>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace common_instances {

/// A value for an unevaluated use: no function here is ever called.
template <typename Value>
Value&& value() {
  std::abort();
}

/// The assertion CHECK(left == right) for values of these types.
template <typename Left, typename Right>
void equal() {
  CHECK(value<Left>() == value<Right>());
}

/// The same for an rvalue, an lvalue and a constant on the left side.
template <typename Left, typename Right>
void each_equal() {
  equal<Left, Right>();
  equal<Left&, Right>();
  equal<const Left&, Right>();
}

template <std::size_t... Lengths>
void equal_literals(std::index_sequence<Lengths...>) {
  (equal<std::string, const char (&)[Lengths + 1]>(), ...);
}

inline void assertions() {
  CHECK(value<bool>());
  CHECK_FALSE(value<bool>());
  CHECK(value<bool&>());
  CHECK(value<const bool&>());
  equal_literals(std::make_index_sequence<32>());
  equal<std::string, std::string>();
  equal<std::string, const std::string&>();
  equal<std::vector<std::string>, std::vector<std::string>>();
  each_equal<int, int>();
  each_equal<std::size_t, int>();
  equal<std::size_t, std::size_t>();
  equal<std::size_t, const std::size_t&>();
  equal<std::uint32_t, int>();
  equal<bool, bool>();
  CHECK(value<std::size_t>() != value<const std::size_t&>());
  CHECK(value<std::string>() != value<const std::string&>());
  equal<const nlohmann::json&, nlohmann::json>();
  equal<const nlohmann::json&, const char (&)[5]>();
  equal<const nlohmann::json&, int>();
  equal<const nlohmann::json&, bool>();
  INFO(value<std::string&>(), value<const std::string&>(), value<const char*>(), value<int>(), value<std::size_t>());
}

inline void standard_library() {
  std::map<std::string, std::uint32_t>()[std::string()] = 0;
  std::async(std::launch::async, [] {}).wait_for(std::chrono::milliseconds(1));
  std::async(std::launch::async, [] { return true; }).get();
}

}  // namespace common_instances
