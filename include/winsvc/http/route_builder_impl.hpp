// Implementation of api/route_builder.hpp: writes the metadata of routes into the router's table.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
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
route_builder route_builder::set(std::string_view operation, F change, int status) const {
  auto& table = router_->mutable_table(first_, operation);
  for (std::size_t id = first_; id < last_; ++id) change(table.metadata(id));
  route_builder result = *this;
  result.current_body_status_ = status;
  return result;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE route_builder route_builder::name(std::string text) const {
  router_->mutable_table(first_, "name").name_routes(first_, last_, std::move(text));
  return *this;
}

WINSVC_INLINE route_builder route_builder::add_middleware(middleware m) const {
  router_->add_middleware(first_, last_, std::make_shared<const middleware>(std::move(m)));
  return *this;
}

WINSVC_INLINE route_builder route_builder::limit_body(std::uint64_t bytes) const {
  return set("limit_body", [&](detail::route::route_metadata& metadata) { metadata.body_limit = bytes; });
}

WINSVC_INLINE route_builder route_builder::timeout(std::chrono::milliseconds limit) const {
  if (limit.count() <= 0)
    throw setup_error("route " + router_->entry(first_).text() + ": timeout: the time must be more than 0");
  return set("timeout", [&](detail::route::route_metadata& metadata) { metadata.timeout = limit; });
}

WINSVC_INLINE route_builder route_builder::limit_file(std::uint64_t bytes) const {
  return set("limit_file", [&](detail::route::route_metadata& metadata) { metadata.file_limit = bytes; });
}

WINSVC_INLINE route_builder route_builder::summary(const std::string& text) const {
  return set("summary", [&](detail::route::route_metadata& metadata) { metadata.summary = text; });
}

WINSVC_INLINE route_builder route_builder::description(const std::string& text) const {
  return set("description", [&](detail::route::route_metadata& metadata) { metadata.description = text; });
}

WINSVC_INLINE route_builder route_builder::tag(const std::string& text) const {
  return set("tag", [&](detail::route::route_metadata& metadata) { metadata.tags.push_back(text); });
}

WINSVC_INLINE route_builder route_builder::deprecated() const {
  return set("deprecated", [](detail::route::route_metadata& metadata) { metadata.deprecated = true; });
}

WINSVC_INLINE route_builder route_builder::hidden() const {
  return set("hidden", [](detail::route::route_metadata& metadata) { metadata.hidden = true; });
}

WINSVC_INLINE route_builder route_builder::takes(const std::string& description, const std::string& media_type) const {
  const auto change = [&](detail::route::route_metadata& metadata) {
    metadata.request_body = detail::route::body_metadata{description, media_type, {}, {}};
  };
  return set("takes", change, request_body);
}

WINSVC_INLINE route_builder route_builder::returns(int status, const std::string& description,
                                                   const std::string& media_type) const {
  if (status < 100 || status > 599)
    throw setup_error("route " + router_->entry(first_).text() + ": returns: " + std::to_string(status) +
                      " is not an HTTP status (100 to 599)");
  return set("returns", [&](detail::route::route_metadata& metadata) {
    for (const auto& [known, body] : metadata.responses) {
      if (known == status)
        throw setup_error("route " + router_->entry(first_).text() + ": returns: " + std::to_string(status) +
                          " is described already");
    }
    metadata.responses.emplace_back(status, detail::route::body_metadata{description, media_type, {}, {}});
  }, status);
}

WINSVC_INLINE route_builder route_builder::schema_text(std::string_view text) const {
  const auto change = [&](detail::route::route_metadata& metadata) { current_body(metadata, "schema").schema = text; };
  return set("schema", change, current_body_status_);
}
WINSVC_INLINE route_builder route_builder::example_text(std::string_view text) const {
  const auto change = [&](detail::route::route_metadata& metadata) {
    current_body(metadata, "example").example = text;
  };
  return set("example", change, current_body_status_);
}

WINSVC_INLINE route_builder route_builder::returns_header(const std::string& name,
                                                          const std::string& description) const {
  if (!detail::wire::is_token(name))
    throw setup_error("route " + router_->entry(first_).text() + ": returns_header: '" + name +
                      "' is not a valid name of a header");
  const auto change = [&](detail::route::route_metadata& metadata) {
    if (current_body_status_ == no_body || current_body_status_ == request_body)
      throw setup_error("route " + router_->entry(first_).text() +
                        ": returns_header: call it directly after returns()");
    current_body(metadata, "returns_header").headers.emplace_back(name, description);
  };
  return set("returns_header", change, current_body_status_);
}

WINSVC_INLINE route_builder route_builder::on(detail::route::method method) const {
  std::string existing;
  for (std::size_t id = first_; id < last_; ++id) {
    const auto& entry = router_->entry(id);
    if (entry.method_id == method) return {*router_, id, id + 1};
    existing += (existing.empty() ? "" : ", ") + std::string(entry.method_name());
  }
  throw setup_error("route " + router_->entry(first_).text() + ": on " + std::string(detail::route::name(method)) +
                    ": this resource has only " + existing);
}

WINSVC_INLINE route_builder route_builder::add_query(detail::route::parameter_metadata parameter) const {
  return set("query", [&](detail::route::route_metadata& metadata) {
    for (const auto& known : metadata.values) {
      if (known.source == "query" && known.name == parameter.name)
        throw setup_error("route " + router_->entry(first_).text() + ": query: '" + parameter.name +
                          "' is described already");
    }
    metadata.values.push_back(parameter);
  });
}

WINSVC_INLINE detail::route::body_metadata& route_builder::current_body(detail::route::route_metadata& metadata,
                                                                std::string_view operation) const {
  if (current_body_status_ == request_body && metadata.request_body) return *metadata.request_body;
  if (current_body_status_ != no_body && !metadata.responses.empty()) return metadata.responses.back().second;
  throw setup_error("route " + router_->entry(first_).text() + ": " + std::string(operation) +
                    ": call it directly after takes() or returns()");
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
