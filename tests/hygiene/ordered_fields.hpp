// Fields in the order of insertion: the interface of httplib::Headers since cpp-httplib 0.52.
//
// Debian has no release as new as that. tests/hygiene/run.py writes a copy of httplib.h that has this type in place of
// std::unordered_multimap, for cases that are only parsed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

template <typename Equal>
class ordered_fields {
 public:
  using key_type = std::string;
  using mapped_type = std::string;
  using value_type = std::pair<std::string, std::string>;
  using size_type = std::size_t;
  using iterator = std::vector<value_type>::iterator;
  using const_iterator = std::vector<value_type>::const_iterator;

  ordered_fields() = default;
  ordered_fields(std::initializer_list<value_type> fields) : fields_(fields) {}
  template <typename Iterator>
  ordered_fields(Iterator first, Iterator last) : fields_(first, last) {}

  iterator begin() { return fields_.begin(); }
  iterator end() { return fields_.end(); }
  const_iterator begin() const { return fields_.begin(); }
  const_iterator end() const { return fields_.end(); }
  const_iterator cbegin() const { return fields_.begin(); }
  const_iterator cend() const { return fields_.end(); }
  bool empty() const { return fields_.empty(); }
  size_type size() const { return fields_.size(); }
  void clear() { fields_.clear(); }
  void swap(ordered_fields& other) { fields_.swap(other.fields_); }

  iterator insert(const value_type& field) { return fields_.insert(end(), field); }
  template <typename... Arguments>
  iterator emplace(Arguments&&... arguments) {
    return fields_.emplace(end(), std::forward<Arguments>(arguments)...);
  }
  iterator find(const std::string& name) { return std::find_if(begin(), end(), is(name)); }
  const_iterator find(const std::string& name) const { return std::find_if(begin(), end(), is(name)); }
  size_type count(const std::string& name) const {
    return static_cast<size_type>(std::count_if(begin(), end(), is(name)));
  }
  std::pair<iterator, iterator> equal_range(const std::string& name) { return {find(name), end()}; }
  std::pair<const_iterator, const_iterator> equal_range(const std::string& name) const { return {find(name), end()}; }
  size_type erase(const std::string& name) {
    const size_type before = size();
    fields_.erase(std::remove_if(begin(), end(), is(name)), end());
    return before - size();
  }
  iterator erase(const_iterator field) { return fields_.erase(field); }
  iterator erase(const_iterator first, const_iterator last) { return fields_.erase(first, last); }

 private:
  static auto is(const std::string& name) {
    return [&name](const value_type& field) { return Equal()(field.first, name); };
  }

  std::vector<value_type> fields_;
};
