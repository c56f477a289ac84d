// The bodies of api/route_builder.hpp: what is said of a route goes into the router's table.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/api/route_builder.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/http/router.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

// ---------------------------------------------------------------------------------------------------------------------

template <class F>
route_builder route_builder::set(std::string_view what, F output, int code) const {
  auto& table = router_->mutable_routes(first_, what);
  for (std::size_t id = first_; id < last_; ++id) output(table.metadata(id));
  route_builder again = *this;
  again.current_body_status_ = code;
  return again;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE route_builder route_builder::name(std::string text) const {
  router_->mutable_routes(first_, "name").name_routes(first_, last_, std::move(text));
  return *this;
}

WINSVC_INLINE route_builder route_builder::limit_body(std::uint64_t bytes) const {
  return set("limit_body", [&](route::route_metadata& f) { f.body_limit = bytes; });
}

WINSVC_INLINE route_builder route_builder::timeout(std::chrono::milliseconds limit) const {
  if (limit.count() <= 0)
    throw setup_error("route " + router_->entry(first_).text() + ": timeout: a handler needs some time");
  return set("timeout", [&](route::route_metadata& f) { f.time_limit = limit; });
}

WINSVC_INLINE route_builder route_builder::limit_file(std::uint64_t bytes) const {
  return set("limit_file", [&](route::route_metadata& f) { f.file_limit = bytes; });
}

WINSVC_INLINE route_builder route_builder::summary(const std::string& text) const {
  return set("summary", [&](route::route_metadata& f) { f.summary = text; });
}

WINSVC_INLINE route_builder route_builder::description(const std::string& text) const {
  return set("description", [&](route::route_metadata& f) { f.description = text; });
}

WINSVC_INLINE route_builder route_builder::tag(const std::string& text) const {
  return set("tag", [&](route::route_metadata& f) { f.tags.push_back(text); });
}

WINSVC_INLINE route_builder route_builder::deprecated() const {
  return set("deprecated", [](route::route_metadata& f) { f.deprecated = true; });
}

WINSVC_INLINE route_builder route_builder::hidden() const {
  return set("hidden", [](route::route_metadata& f) { f.hidden = true; });
}

WINSVC_INLINE route_builder route_builder::takes(const std::string& about, const std::string& media_type) const {
  return set("takes", [&](route::route_metadata& f) { f.request_body = route::body_metadata{about, media_type, {}, {}}; }, request_body);
}

WINSVC_INLINE route_builder route_builder::returns(int status, const std::string& about, const std::string& media_type) const {
  if (status < 100 || status > 599)
    throw setup_error("route " + router_->entry(first_).text() + ": returns: " + std::to_string(status) +
                      " is no status; they are 100 to 599");
  return set("returns", [&](route::route_metadata& f) {
    for (const auto& [known, body] : f.responses) {
      if (known == status)
        throw setup_error("route " + router_->entry(first_).text() + ": returns: " + std::to_string(status) +
                          " is said already");
    }
    f.responses.emplace_back(status, route::body_metadata{about, media_type, {}, {}});
  }, status);
}

WINSVC_INLINE route_builder route_builder::schema_text(std::string_view text) const {
  return set("schema", [&](route::route_metadata& f) { current_body(f, "schema").schema = text; }, current_body_status_);
}
WINSVC_INLINE route_builder route_builder::example_text(std::string_view text) const {
  return set("example", [&](route::route_metadata& f) { current_body(f, "example").example = text; }, current_body_status_);
}

WINSVC_INLINE route_builder route_builder::on(route::method verb) const {
  std::string existing;
  for (std::size_t id = first_; id < last_; ++id) {
    const auto& one = router_->entry(id);
    if (one.method_id == verb) return {*router_, id, id + 1};
    existing += (existing.empty() ? "" : ", ") + std::string(route::name(one.method_id));
  }
  throw setup_error("route " + router_->entry(first_).text() + ": on " + std::string(route::name(verb)) +
                    ": this resource has " + existing);
}

WINSVC_INLINE route_builder route_builder::add_query(route::query_metadata q) const {
  return set("query", [&](route::route_metadata& f) {
    for (const auto& known : f.query) {
      if (known.name == q.name)
        throw setup_error("route " + router_->entry(first_).text() + ": query: '" + q.name + "' is said already");
    }
    f.query.push_back(q);
  });
}

WINSVC_INLINE route::body_metadata& route_builder::current_body(route::route_metadata& f, std::string_view what) const {
  if (current_body_status_ == request_body && f.request_body) return *f.request_body;
  if (current_body_status_ != no_body && !f.responses.empty()) return f.responses.back().second;
  throw setup_error("route " + router_->entry(first_).text() + ": " + std::string(what) +
                    ": of which body? it stands right behind takes or returns");
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
