// reserve_one: makes the next push_back of a vector need no memory, so that several changes happen together, or none of
// them.
//
//   base::reserve_one(handlers_);      // the last call that can throw
//   table_.add(method, pattern);
//   handlers_.push_back(std::move(handler));
#pragma once

#include <vector>

#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::base {

template <class T>
void reserve_one(std::vector<T>& elements) {
  constexpr auto first_capacity = 16;
  if (elements.size() == elements.capacity()) elements.reserve(2 * elements.size() + first_capacity);
}

}  // namespace detail::base
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
