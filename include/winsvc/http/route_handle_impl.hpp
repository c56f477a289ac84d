// The bodies of api/route_handle.hpp: what is said of a route goes into the router's table.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/api/route_handle.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/router.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

// ---------------------------------------------------------------------------------------------------------------------

template <class F>
route_handle route_handle::say(std::string_view what, F into, int said) const {
  auto& table = router_->describe(first_, what);
  for (std::size_t id = first_; id < last_; ++id) into(table.about(id));
  route_handle again = *this;
  again.last_said_ = said;
  return again;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE route_handle route_handle::name(std::string text) const {
  router_->describe(first_, "name").name_routes(first_, last_, std::move(text));
  return *this;
}

WINSVC_INLINE route_handle route_handle::limit_body(std::uint64_t bytes) const {
  return say("limit_body", [&](route::facts& f) { f.body_limit = bytes; });
}

WINSVC_INLINE route_handle route_handle::time_out(std::chrono::milliseconds limit) const {
  if (limit.count() <= 0)
    throw setup_error("route " + router_->entry(first_).text() + ": time_out: a handler needs some time");
  return say("time_out", [&](route::facts& f) { f.time_limit = limit; });
}

WINSVC_INLINE route_handle route_handle::limit_file(std::uint64_t bytes) const {
  return say("limit_file", [&](route::facts& f) { f.file_limit = bytes; });
}

WINSVC_INLINE route_handle route_handle::summary(const std::string& text) const {
  return say("summary", [&](route::facts& f) { f.summary = text; });
}

WINSVC_INLINE route_handle route_handle::description(const std::string& text) const {
  return say("description", [&](route::facts& f) { f.description = text; });
}

WINSVC_INLINE route_handle route_handle::tag(const std::string& text) const {
  return say("tag", [&](route::facts& f) { f.tags.push_back(text); });
}

WINSVC_INLINE route_handle route_handle::deprecated() const {
  return say("deprecated", [](route::facts& f) { f.deprecated = true; });
}

WINSVC_INLINE route_handle route_handle::hidden() const {
  return say("hidden", [](route::facts& f) { f.hidden = true; });
}

WINSVC_INLINE route_handle route_handle::takes(const std::string& about, const std::string& media_type) const {
  return say("takes", [&](route::facts& f) { f.takes = route::body_facts{about, media_type, {}, {}}; }, in_request);
}

WINSVC_INLINE route_handle route_handle::returns(int status, const std::string& about, const std::string& media_type) const {
  if (status < 100 || status > 599)
    throw setup_error("route " + router_->entry(first_).text() + ": returns: " + std::to_string(status) +
                      " is no status; they are 100 to 599");
  return say("returns", [&](route::facts& f) {
    for (const auto& [known, body] : f.returns) {
      if (known == status)
        throw setup_error("route " + router_->entry(first_).text() + ": returns: " + std::to_string(status) +
                          " is said already");
    }
    f.returns.emplace_back(status, route::body_facts{about, media_type, {}, {}});
  }, status);
}

WINSVC_INLINE route_handle route_handle::schema_text(std::string_view text) const {
  return say("schema", [&](route::facts& f) { last_body(f, "schema").schema = text; }, last_said_);
}
WINSVC_INLINE route_handle route_handle::example_text(std::string_view text) const {
  return say("example", [&](route::facts& f) { last_body(f, "example").example = text; }, last_said_);
}

WINSVC_INLINE route_handle route_handle::on(route::method verb) const {
  std::string there;
  for (std::size_t id = first_; id < last_; ++id) {
    const auto& one = router_->entry(id);
    if (one.verb == verb) return {*router_, id, id + 1};
    there += (there.empty() ? "" : ", ") + std::string(route::name(one.verb));
  }
  throw setup_error("route " + router_->entry(first_).text() + ": on " + std::string(route::name(verb)) +
                    ": this resource has " + there);
}

WINSVC_INLINE route_handle route_handle::add_query(route::query_facts q) const {
  return say("query", [&](route::facts& f) {
    for (const auto& known : f.query) {
      if (known.name == q.name)
        throw setup_error("route " + router_->entry(first_).text() + ": query: '" + q.name + "' is said already");
    }
    f.query.push_back(q);
  });
}

WINSVC_INLINE route::body_facts& route_handle::last_body(route::facts& f, std::string_view what) const {
  if (last_said_ == in_request && f.takes) return *f.takes;
  if (last_said_ != nothing && !f.returns.empty()) return f.returns.back().second;
  throw setup_error("route " + router_->entry(first_).text() + ": " + std::string(what) +
                    ": of which body? it stands right behind takes or returns");
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
