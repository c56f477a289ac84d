// text_pattern: a regular expression that a whole text must match, in time proportional to the length of the text.
//
//   const text_pattern number("[A-Z]{2}-\\d+");
//   number.matches("AB-17")      // true
//   number.matches("AB-17x")     // false: the whole text must match
//
// The syntax is the part of ECMAScript's that has no back reference and no assertion: characters, `.`, `[a-z]`,
// `[^a-z]`, `\d \w \s` and their negations, `( )`, `(?: )`, `|`, `* + ? {m} {m,} {m,n}`. A leading `^` and a final `$`
// are allowed and have no effect. The class is used instead of std::regex, whose matcher recurses once per character:
// 5,000 characters overflow a stack of 1 MiB. It simulates a nondeterministic automaton (Thompson 1968).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

class text_pattern {
 public:
  /// Throws setup_error for a malformed pattern, and for one with more than 10,000 instructions.
  explicit text_pattern(std::string_view pattern);
  /// True if the whole text matches. Thread-safe.
  [[nodiscard]] bool matches(std::string_view text) const;
  /// The pattern with the anchors that a JSON Schema requires: `^(?:...)$`.
  [[nodiscard]] std::string anchored() const { return "^(?:" + pattern_ + ")$"; }
  [[nodiscard]] const std::string& pattern() const noexcept { return pattern_; }

 private:
  friend class text_pattern_parser;
  /// One step of the automaton. Jumps are relative, so that a repeated part can be copied.
  struct instruction {
    enum class kind { characters, split, jump } step = kind::jump;
    std::ptrdiff_t first = 1, second = 1;                     ///< targets of a jump (first) or a split (both)
    std::vector<std::pair<char32_t, char32_t>> ranges = {};   ///< characters: the accepted ranges
    bool negated = false;                                     ///< characters: all except `ranges`
    [[nodiscard]] bool accepts(char32_t c) const noexcept {
      for (const auto& [from, to] : ranges) {
        if (c >= from && c <= to) return !negated;
      }
      return negated;
    }
  };
  using program = std::vector<instruction>;

  void add_thread(std::size_t start, std::vector<std::size_t>& threads, std::vector<bool>& visited) const;

  std::string pattern_;
  program program_;
};

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_BASE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

/// Recursive-descent parser of a pattern.
class text_pattern_parser {
 public:
  using instruction = text_pattern::instruction;
  using program = text_pattern::program;

  explicit text_pattern_parser(std::string_view pattern) : pattern_(pattern) {
    for (std::size_t position = 0; position < pattern.size();)
      characters_.push_back(next_code_point(pattern, position));
    if (!characters_.empty() && characters_.front() == U'^') position_ = 1;
    if (has_final_anchor()) characters_.pop_back();
  }

  program parse() {
    program result = alternatives(0);
    if (position_ != characters_.size()) reject("it has a ')' without '('");
    return result;
  }

 private:
  static constexpr std::size_t max_instructions = 10'000, max_depth = 50;

  [[noreturn]] void reject(const char* reason) const {
    throw setup_error("pattern '" + std::string(pattern_) + "': " + reason);
  }
  [[nodiscard]] bool has_final_anchor() const {
    std::size_t backslashes = 0;
    if (characters_.size() <= position_ || characters_.back() != U'$') return false;
    for (std::size_t i = characters_.size() - 1; i > 0 && characters_[i - 1] == U'\\'; --i) ++backslashes;
    return backslashes % 2 == 0;
  }
  [[nodiscard]] bool at_end() const noexcept { return position_ == characters_.size(); }
  [[nodiscard]] char32_t peek() const noexcept { return at_end() ? U'\0' : characters_[position_]; }
  bool accept(char32_t c) {
    if (at_end() || characters_[position_] != c) return false;
    ++position_;
    return true;
  }
  static void append(program& target, const program& tail) { target.insert(target.end(), tail.begin(), tail.end()); }
  void check_size(std::size_t size) const {
    if (size > max_instructions) reject("it is too long");
  }
  static std::ptrdiff_t length(const program& part) { return static_cast<std::ptrdiff_t>(part.size()); }

  program alternatives(std::size_t depth) {
    if (depth > max_depth) reject("its groups are nested too deep");
    program left = sequence(depth);
    while (accept(U'|')) {
      const program right = sequence(depth);
      program both{{instruction::kind::split, 1, length(left) + 2}};
      append(both, left);
      both.push_back({instruction::kind::jump, length(right) + 1});
      append(both, right);
      check_size(both.size());
      left = std::move(both);
    }
    return left;
  }
  program sequence(std::size_t depth) {
    program result;
    while (!at_end() && peek() != U'|' && peek() != U')') {
      append(result, repeated(atom(depth)));
      check_size(result.size());
    }
    return result;
  }
  program repeated(program part) {
    for (;;) {
      if (accept(U'*')) part = repeat(part, 0, unlimited);
      else if (accept(U'+')) part = repeat(part, 1, unlimited);
      else if (accept(U'?')) part = repeat(part, 0, 1);
      else if (accept(U'{')) part = counted(part);
      else return part;
    }
  }
  program counted(const program& part) {
    const std::size_t at_least = number();
    std::size_t at_most = at_least;
    if (accept(U',')) at_most = peek() == U'}' ? unlimited : number();
    if (!accept(U'}')) reject("a '{' has no '}'");
    if (at_most < at_least) reject("the limits of a repetition are reversed");
    return repeat(part, at_least, at_most);
  }
  std::size_t number() {
    if (peek() < U'0' || peek() > U'9') reject("a '{' is not followed by a number");
    std::size_t value = 0;
    while (peek() >= U'0' && peek() <= U'9') {
      value = value * 10 + (characters_[position_++] - U'0');
      check_size(value);
    }
    return value;
  }
  program repeat(const program& part, std::size_t at_least, std::size_t at_most) const {
    program result;
    check_size((part.size() + 2) * (at_most == unlimited ? at_least + 1 : at_most));
    for (std::size_t i = 0; i < at_least; ++i) append(result, part);
    if (at_most == unlimited) {
      result.push_back({instruction::kind::split, 1, length(part) + 2});
      append(result, part);
      result.push_back({instruction::kind::jump, -(length(part) + 1)});
    } else {
      for (std::size_t i = at_least; i < at_most; ++i) {
        result.push_back({instruction::kind::split, 1, length(part) + 1});
        append(result, part);
      }
    }
    return result;
  }
  program atom(std::size_t depth) {
    const char32_t c = characters_[position_++];
    switch (c) {
      case U'(': {
        if (accept(U'?') && !accept(U':')) reject("a group starts with '(?', but only '(?:' is supported");
        program group = alternatives(depth + 1);
        if (!accept(U')')) reject("a '(' has no ')'");
        return group;
      }
      case U'[': return {character_class()};
      case U'.': return {characters({{U'\n', U'\n'}, {U'\r', U'\r'}}, true)};
      case U'\\': return {escape()};
      case U'*':
      case U'+':
      case U'?':
      case U'{': reject("a repetition has nothing to repeat");
      case U'^':
      case U'$': reject("'^' is allowed only at the start and '$' only at the end");
      default: return {one(c)};
    }
  }
  static instruction characters(std::vector<std::pair<char32_t, char32_t>> ranges, bool negated) {
    return {instruction::kind::characters, {}, {}, std::move(ranges), negated};  // it has no targets
  }
  static instruction one(char32_t c) { return characters({{c, c}}, false); }
  instruction escape() {
    if (at_end()) reject("it ends with a backslash");
    const char32_t c = characters_[position_++];
    const bool negated = c == U'D' || c == U'W' || c == U'S';
    switch (c) {
      case U'd':
      case U'D': return characters({{U'0', U'9'}}, negated);
      case U'w':
      case U'W':
        return characters({{U'0', U'9'}, {U'A', U'Z'}, {U'_', U'_'}, {U'a', U'z'}}, negated);
      case U's':
      case U'S': return characters({{U'\t', U'\r'}, {U' ', U' '}}, negated);
      case U'n': return one(U'\n');
      case U'r': return one(U'\r');
      case U't': return one(U'\t');
      default: break;
    }
    const bool is_word = (c >= U'0' && c <= U'9') || (c >= U'A' && c <= U'Z') || (c >= U'a' && c <= U'z');
    if (is_word) reject("it has an escape that is not supported");
    return one(c);
  }
  instruction character_class() {
    instruction result = characters({}, accept(U'^'));
    for (bool first = true;; first = false) {
      if (at_end()) reject("a '[' has no ']'");
      if (!first && accept(U']')) return result;
      char32_t from = characters_[position_++];
      if (from == U'\\') {
        const instruction escaped = escape();
        if (escaped.negated) reject("a negated escape in '[ ]' is not supported");
        result.ranges.insert(result.ranges.end(), escaped.ranges.begin(), escaped.ranges.end());
        if (escaped.ranges.size() != 1 || escaped.ranges[0].first != escaped.ranges[0].second) continue;
        from = escaped.ranges[0].first;
      }
      char32_t to = from;
      const bool is_range = peek() == U'-' && position_ + 1 < characters_.size() && characters_[position_ + 1] != U']';
      if (is_range) {
        ++position_;
        to = characters_[position_++];
        if (to == U'\\') to = escape().ranges[0].first;
        if (to < from) reject("the limits of a range in '[ ]' are reversed");
      }
      result.ranges.emplace_back(from, to);
    }
  }

  static constexpr std::size_t unlimited = ~std::size_t{0};
  std::string_view pattern_;
  std::vector<char32_t> characters_;
  std::size_t position_ = 0;
};

WINSVC_INLINE text_pattern::text_pattern(std::string_view pattern)
    : pattern_(pattern), program_(text_pattern_parser(pattern).parse()) {}

/// Adds the character step at `start`, or those that follow it without a character. The end of the program is the
/// thread `program_.size()`.
WINSVC_INLINE void text_pattern::add_thread(std::size_t start, std::vector<std::size_t>& threads,
                                            std::vector<bool>& visited) const {
  std::vector<std::size_t> pending{start};
  while (!pending.empty()) {
    const std::size_t position = pending.back();
    pending.pop_back();
    if (visited[position]) continue;
    visited[position] = true;
    if (position == program_.size() || program_[position].step == instruction::kind::characters) {
      threads.push_back(position);
      continue;
    }
    const auto target = [&](std::ptrdiff_t distance) {
      return static_cast<std::size_t>(static_cast<std::ptrdiff_t>(position) + distance);
    };
    pending.push_back(target(program_[position].first));
    if (program_[position].step == instruction::kind::split) pending.push_back(target(program_[position].second));
  }
}

WINSVC_INLINE bool text_pattern::matches(std::string_view text) const {
  std::vector<std::size_t> threads, next_threads;
  std::vector<bool> visited(program_.size() + 1);
  add_thread(0, threads, visited);
  for (std::size_t position = 0; position < text.size() && !threads.empty();) {
    const char32_t c = next_code_point(text, position);
    next_threads.clear();
    visited.assign(visited.size(), false);
    for (const std::size_t thread : threads) {
      if (thread < program_.size() && program_[thread].accepts(c)) add_thread(thread + 1, next_threads, visited);
    }
    threads.swap(next_threads);
  }
  for (const std::size_t thread : threads) {
    if (thread == program_.size()) return true;
  }
  return false;
}

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_BASE
