// Sourced handler: a handler together with the sources of its arguments (api/parameter.hpp): query, header, cookie.
//
//   make_sourced_handler(f, winsvc::query("q"), winsvc::header("X-Key"));     // for svc.get(pattern, sources..., f)
//
// api/handler.hpp has the handler without sources; it also converts the arguments.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "winsvc/api/handler.hpp"
#include "winsvc/api/parameter.hpp"
#include "winsvc/api/text_value.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/metadata.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

/// A handler with sources. `F` is its function object.
template <class F, class Sources, class R, class... Arguments>
class sourced_handler;
template <class F, class... Given, class R, class... Arguments>
class sourced_handler<F, std::tuple<Given...>, R, Arguments...> final : public handler {
  using values = value_arguments<Arguments...>;
  static constexpr std::size_t count = sizeof...(Given), total = std::tuple_size_v<values>;
  static_assert(total >= count,
                "winsvc: the handler needs one argument for each source (query, header, form ...), after the path "
                "parameters and in the order of the sources");
  static constexpr std::size_t path_count = total >= count ? total - count : 0;

  template <std::size_t Index>
  using argument = std::tuple_element_t<path_count + Index, values>;
  template <class Indices>
  struct source_tuple;
  template <std::size_t... Index>
  struct source_tuple<std::index_sequence<Index...>> {
    using type = std::tuple<typed_source<stored_value<typename single_value<argument<Index>>::type>>...>;
  };
  using sources = typename source_tuple<std::make_index_sequence<count>>::type;

 public:
  sourced_handler(F f, const Given&... given)
      : function_(std::move(f)), sources_(bind(std::make_index_sequence<count>(), given...)) {}

  static constexpr handler_shape shape() noexcept { return signature<path_count, R, Arguments...>::shape(); }
  [[nodiscard]] std::vector<route::parameter_metadata> describe() const {
    return describe(std::make_index_sequence<count>());
  }
  void call(const invocation& invocation) const override {
    signature<path_count, R, Arguments...>::call(invocation, &function_, &invoke, sources_);
  }

 private:
  template <std::size_t... Index>
  static sources bind(std::index_sequence<Index...>, const Given&... given) {
    return {make_typed_source<stored_value<typename single_value<argument<Index>>::type>>(given)...};
  }
  template <std::size_t... Index>
  std::vector<route::parameter_metadata> describe(std::index_sequence<Index...>) const {
    return {describe_source<argument<Index>>(std::get<Index>(sources_))...};
  }
  static R invoke(const void* f, Arguments... arguments) {
    return (*static_cast<const F*>(f))(std::forward<Arguments>(arguments)...);
  }

  F function_;
  sources sources_;
};

template <class Bound, class Sources>
struct bind_sources;
template <class F, class R, class... Arguments, class Sources>
struct bind_sources<typed_handler<F, R, Arguments...>, Sources> {
  using type = sourced_handler<F, Sources, R, Arguments...>;
};

/// True for the last argument of a registration: the handler, not a source.
template <class T>
inline constexpr bool is_source = false;
template <class... Options>
inline constexpr bool is_source<parameter<Options...>> = true;

template <class F, class... Given>
erased_handler make_sourced_handler(F f, const Given&... given) {
  static_assert((is_source<Given> && ...) && !is_source<F>,
                "winsvc: a route takes its pattern, then sources (query, header, cookie_value, form, file, "
                "client_address), then the handler");
  using bound = typename bind_sources<typename bind_handler<F>::type, std::tuple<Given...>>::type;
  auto made = std::make_unique<bound>(std::move(f), given...);
  auto parameters = made->describe();
  return {std::move(made), bound::shape(), std::move(parameters)};
}
/// Makes a handler from sources and a function, which is the last element.
template <class Tuple, std::size_t... Index>
erased_handler make_handler_of(Tuple& given, std::index_sequence<Index...>) {
  return make_sourced_handler(std::move(std::get<sizeof...(Index)>(given)), std::get<Index>(given)...);
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
