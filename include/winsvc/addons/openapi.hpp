// OpenAPI 3.1 document of the app's routes, for client generators, test tools and documentation viewers.
//
//   svc.openapi("/openapi.json");                                  // not available by default
//   svc.get("/users/{id}", show).name("user").summary("One user").returns(200, "The user");
//
// The handlers determine paths, parameter types and whether there is a request body. Descriptions, schemas and examples
// come from the route metadata (api/route_builder.hpp); names become operation ids. `{path...}` is written as `{path}`,
// because OpenAPI has no tail parameters. A route for `any` method is listed under GET, POST, PUT, PATCH and DELETE;
// HEAD and OPTIONS are not listed, because each path supports them. Error responses of winsvc are described once, as
// problem details. Hidden routes are omitted: health checks, metrics, this document, and routes marked `hidden`.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/base/json_writer.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/route/table.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::addons {

struct api_info {
  std::string title, version, description;
  std::string path_prefix;  ///< of the proxy that the reader came through, as in /app; empty: none
};

/// Returns the document as JSON in UTF-8 (OpenAPI Specification 3.1, JSON Schema 2020-12). Equal routes give equal
/// bytes.
/// `security_of` returns the authentication schemes of a route by its ID: "basic", "bearer".
[[nodiscard]] std::string openapi_document(
    const route::table& routes, const api_info& info,
    const std::function<std::vector<std::string>(std::size_t route_id)>& security_of = {});

// ---------------------------------------------------------------------------------------------------------------------

/// An operation in the sense of OpenAPI: one method of one path.
struct operation {
  const route::route_entry* route;
  route::method method;  ///< the method of the route, or one of the methods that `any` includes
  std::string id;
};

}  // namespace detail::addons
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_ADDONS

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::addons {

using base::json_array;
using base::json_object_writer;

/// One path with its operations.
struct path_item {
  const route::route_entry* first;    ///< the route that provides the parameter names of the path
  std::vector<operation> operations;  ///< in the order of the methods
};

inline constexpr std::array listed_methods = {route::method::get, route::method::post, route::method::put,
                                              route::method::patch, route::method::del};

/// Returns a text that is equal for paths that OpenAPI does not distinguish: the names of parameters are ignored, and a
/// tail parameter is treated as a parameter.
WINSVC_INLINE std::string shape_of(const route::pattern& path) {
  std::string shape;
  for (const auto& segment : path.segments) {
    const bool literal = segment.kind == route::segment::segment_kind::literal;
    shape += '/' + (literal ? route::percent_encode_segment(segment.text) : "{}");
  }
  return shape;
}

/// Groups the routes into paths. If several routes have the same shape and method, the one with precedence is listed.
WINSVC_INLINE std::vector<path_item> path_items(const route::table& routes) {
  std::vector<path_item> items;
  std::map<std::string, std::size_t> by_shape;
  std::multimap<int, const route::route_entry*> order;  // by rank; keeps the order of the entries of one rank
  const auto rank = [](const route::route_entry& e) {   // the order in which the route table tries them
    return (e.path.segments.back().kind == route::segment::segment_kind::tail ? 2 : 0) +
           (e.method_id == route::method::any ? 1 : 0);
  };
  for (const auto& e : routes.entries()) {
    const bool is_listed = std::find(listed_methods.begin(), listed_methods.end(), e.method_id) != listed_methods.end();
    if (e.metadata.hidden || (!is_listed && e.method_id != route::method::any)) continue;
    order.emplace(rank(e), &e);
    if (by_shape.emplace(shape_of(e.path), items.size()).second) items.push_back({&e, {}});
  }

  for (const auto& [entry_rank, e] : order) {
    auto& operations = items[by_shape.at(shape_of(e->path))].operations;
    for (const auto method : listed_methods) {
      if (e->method_id != method && e->method_id != route::method::any) continue;
      const auto position = std::find_if(operations.begin(), operations.end(),
                                         [&](const operation& o) { return o.method >= method; });
      if (position == operations.end() || position->method != method) operations.insert(position, {e, method, {}});
    }
  }
  return items;
}

WINSVC_INLINE std::string method_key(route::method method) { return base::to_lower(route::name(method)); }

/// Returns `get_users_id` for GET /users/{id}.
WINSVC_INLINE std::string default_operation_id(const operation& o) {
  std::string id = method_key(o.method);
  for (const auto& segment : o.route->path.segments) {
    if (!segment.text.empty()) id += '_';
    for (const char c : segment.text) {
      const bool is_word = base::is_digit(c) || (base::to_lower(c) >= 'a' && base::to_lower(c) <= 'z');
      id += is_word ? c : '_';
    }
  }
  return id;
}

/// Assigns unique ids: the name of the route, with the method in front if several operations have this name, or an id
/// from the path. Operations with a name get their ids first.
WINSVC_INLINE void assign_operation_ids(std::vector<path_item>& items) {
  std::map<std::string_view, int> uses;
  for (const auto& item : items) {
    for (const auto& o : item.operations) ++uses[o.route->metadata.name];
  }
  std::set<std::string> assigned;
  for (const bool named : {true, false}) {
    for (auto& item : items) {
      for (auto& o : item.operations) {
        const std::string& name = o.route->metadata.name;
        if (name.empty() == named) continue;
        const std::string base = !named            ? default_operation_id(o)
                                 : uses[name] == 1 ? name
                                                   : method_key(o.method) + '_' + name;
        o.id = base;
        for (int n = 2; !assigned.insert(o.id).second; ++n) o.id = base + '_' + std::to_string(n);
      }
    }
  }
}

WINSVC_INLINE std::string content_of(const route::body_metadata& b, const std::string& media_type) {
  base::json_object_writer content;
  if (!b.schema.empty()) content.put("schema", b.schema);
  if (!b.example.empty()) content.put("example", b.example);
  return base::json_object_writer().put(media_type, content.text()).text();
}

WINSVC_INLINE std::string parameters_of(const operation& o, const route::pattern& names) {
  const route::route_metadata& metadata = o.route->metadata;
  std::vector<std::string> items;
  const bool has_tail = o.route->path.segments.back().kind == route::segment::segment_kind::tail;
  for (std::size_t i = 0; i < names.names.size(); ++i) {
    base::json_object_writer p;
    p.put_text("name", names.names[i]).put_text("in", "path").put("required", "true");
    if (has_tail && i + 1 == names.names.size())
      p.put_text("description", "The rest of the path, which may contain slashes.");
    const auto kind = i < metadata.parameters.size() ? metadata.parameters[i] : route::value_kind::text;
    p.put("schema", route::value_schema(kind));
    items.push_back(p.text());
  }
  for (const auto& value : metadata.values) {
    if (value.source == "form" || value.source == "file" || value.source == "client") continue;
    base::json_object_writer p;
    p.put_text("name", value.name).put_text("in", value.source).put_text_if_set("description", value.description);
    p.put("required", value.required ? "true" : "false").put("schema", value.schema);
    items.push_back(p.text());
  }
  return items.empty() ? std::string() : base::json_array(items, [](const std::string& p) { return p; });
}

/// The schema of a form whose fields are arguments of the handler; empty if the handler has no such argument.
/// `has_files`: set to true if a field is a file.
WINSVC_INLINE std::string form_schema_of(const route::route_metadata& metadata, bool& has_files) {
  base::json_object_writer properties;
  std::vector<std::string> required;
  bool has_fields = false;
  for (const auto& value : metadata.values) {
    const bool is_file = value.source == "file";
    if ((!is_file && value.source != "form") || value.name.empty()) continue;
    has_fields = true;
    has_files = has_files || is_file;
    base::json_object_writer description;
    description.put_text_if_set("description", value.description);
    const std::string members = description.text();
    properties.put(value.name, route::with_schema_members(value.schema, members.substr(1, members.size() - 2)));
    if (value.required) required.push_back(value.name);
  }
  if (!has_fields) return {};
  base::json_object_writer schema;
  schema.put_text("type", "object").put("properties", properties.text());
  if (!required.empty())
    schema.put("required", base::json_array(required, [](const std::string& name) { return base::json_quoted(name); }));
  return schema.text();
}

WINSVC_INLINE std::string request_body_of(const operation& o, route::schema_set& schemas) {
  const route::route_metadata& metadata = o.route->metadata;
  // A body has no meaning in a GET (RFC 9110 section 9.3.1), so a route for any method lists it for the other methods.
  const bool is_any_get = o.route->method_id == route::method::any && o.method == route::method::get;
  bool has_files = metadata.accepts_upload;
  const std::string form = form_schema_of(metadata, has_files);
  if (is_any_get || (!metadata.request_body && !metadata.accepts_json && !has_files && form.empty())) return {};
  const char* const type = has_files       ? "multipart/form-data"
                           : !form.empty() ? "application/x-www-form-urlencoded"
                                           : "application/json";
  route::body_metadata b = metadata.request_body.value_or(route::body_metadata{{}, type, {}, {}});
  if (b.schema.empty()) b.schema = form;
  if (b.schema.empty() && metadata.body_schema) b.schema = metadata.body_schema(schemas);
  base::json_object_writer body;
  body.put_text_if_set("description", b.description).put("required", "true");
  return body.put("content", content_of(b, b.media_type)).text();
}

WINSVC_INLINE std::string response_headers_of(const route::body_metadata& response) {
  base::json_object_writer headers;
  for (const auto& [name, description] : response.headers) {
    base::json_object_writer header;
    header.put_text_if_set("description", description);
    headers.put(name, header.put("schema", R"({"type":"string"})").text());
  }
  return headers.text();
}

WINSVC_INLINE std::string responses_of(const route::route_metadata& metadata, bool is_secured,
                                       route::schema_set& schemas) {
  using route::response_kind;
  std::map<std::string, std::string> responses;  // by status; "default" is last
  const auto media_type = [&metadata](const route::body_metadata& b) -> std::string {
    if (!b.media_type.empty()) return b.media_type;
    if (metadata.response == route::response_kind::text) return "text/plain";
    if (metadata.response == route::response_kind::html) return "text/html";
    const bool is_json = metadata.response == route::response_kind::json || !b.schema.empty() || !b.example.empty();
    return is_json ? "application/json" : "";
  };
  const auto add = [&](const std::string& status, route::body_metadata b) {
    const bool is_success = status[0] == '2' && (b.media_type.empty() || b.media_type == "application/json");
    if (is_success && b.schema.empty() && metadata.response_schema) b.schema = metadata.response_schema(schemas);
    base::json_object_writer r;
    r.put_text("description", b.description.empty() ? "Success" : b.description);
    if (!b.headers.empty()) r.put("headers", response_headers_of(b));
    const bool empty = status == "204" || status == "304" || status[0] == '1';
    if (const auto type = media_type(b); !empty && !type.empty()) r.put("content", content_of(b, type));
    responses.emplace(status, r.text());
  };
  bool has_success = false;
  for (const auto& [status, body] : metadata.responses) {
    add(std::to_string(status), body);
    has_success = has_success || status < 400;
  }
  if (!has_success) add(metadata.sets_status ? "2XX" : "200", {});

  const std::string problem = R"({"$ref":"#/components/responses/problem"})";
  const auto kinds = metadata.parameters;
  const bool converts = std::any_of(kinds.begin(), kinds.end(), [](auto k) { return k != route::value_kind::text; });
  const auto has = [&metadata](bool argument) {
    return std::any_of(metadata.values.begin(), metadata.values.end(),
                       [argument](const auto& value) { return value.is_argument == argument; });
  };
  if (has(false) || metadata.accepts_json || metadata.accepts_upload) responses.emplace("400", problem);
  if (is_secured) responses.emplace("401", problem);
  if (metadata.returns_optional || converts) responses.emplace("404", problem);
  if (metadata.accepts_json || has(true)) responses.emplace("422", problem);
  responses.emplace("default", problem);

  base::json_object_writer out;
  for (const auto& [status, r] : responses) out.put(status, r);
  return out.text();
}

WINSVC_INLINE std::string operation_text(const operation& o, const route::pattern& names,
                                         const std::vector<std::string>& security, route::schema_set& schemas) {
  const route::route_metadata& metadata = o.route->metadata;
  base::json_object_writer out;
  out.put_text("operationId", o.id).put_text_if_set("summary", metadata.summary);
  out.put_text_if_set("description", metadata.description);
  if (!metadata.tags.empty())
    out.put("tags", base::json_array(metadata.tags, [](auto& tag) { return base::json_quoted(tag); }));
  if (metadata.deprecated) out.put("deprecated", "true");
  if (const auto parameters = parameters_of(o, names); !parameters.empty()) out.put("parameters", parameters);
  if (const auto body = request_body_of(o, schemas); !body.empty()) out.put("requestBody", body);
  if (!security.empty()) {  // one object: all of the schemes are required
    base::json_object_writer all;
    for (const auto& scheme : security) all.put(scheme, "[]");
    out.put("security", '[' + all.text() + ']');
  }
  return out.put("responses", responses_of(metadata, !security.empty(), schemas)).text();
}

/// Returns the path template: `/users/{id}`; a tail parameter has no dots.
WINSVC_INLINE std::string template_of(const route::pattern& path) {
  std::string out;
  for (const auto& segment : path.segments) {
    const bool literal = segment.kind == route::segment::segment_kind::literal;
    out += '/' + (literal ? route::percent_encode_segment(segment.text) : '{' + segment.text + '}');
  }
  return out;
}

/// Schema of problem details, as http::write_error writes them.
inline constexpr std::string_view problem_schema =
    R"({"type":"object","description":"RFC 9457","properties":{"title":{"type":"string"},)"
    R"("status":{"type":"integer"},"detail":{"type":"string"},"request_id":{"type":"string",)"
    R"("description":"Id of the request in the log of the service."},"errors":{"type":"array",)"
    R"("items":{"type":"object","properties":{"in":{"type":"string"},"name":{"type":"string"},)"
    R"("pointer":{"type":"string"},)"
    R"("detail":{"type":"string"}}}}},"required":["title","status"]})";
inline constexpr std::string_view problem_response =
    R"({"problem":{"description":"An error","content":{"application/problem+json":)"
    R"({"schema":{"$ref":"#/components/schemas/problem"}}}}})";

WINSVC_INLINE std::string openapi_document(
    const route::table& routes, const api_info& info,
    const std::function<std::vector<std::string>(std::size_t route_id)>& security_of) {
  auto items = path_items(routes);
  assign_operation_ids(items);
  std::set<std::string> schemes;

  route::schema_set schemas;
  schemas.add("problem", std::string(problem_schema));
  base::json_object_writer paths;
  std::vector<std::string> tags;
  for (const auto& item : items) {
    base::json_object_writer path;
    for (const auto& o : item.operations) {
      const auto id = static_cast<std::size_t>(o.route - routes.entries().data());
      const auto security = security_of ? security_of(id) : std::vector<std::string>();
      schemes.insert(security.begin(), security.end());
      path.put(method_key(o.method), operation_text(o, item.first->path, security, schemas));
      for (const auto& tag : o.route->metadata.tags) {
        if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tags.push_back(tag);
      }
    }
    paths.put(template_of(item.first->path), path.text());
  }

  base::json_object_writer info_object;
  info_object.put_text("title", info.title).put_text("version", info.version.empty() ? "0" : info.version);
  info_object.put_text_if_set("description", info.description);
  base::json_object_writer out, components;
  components.put("schemas", schemas.text()).put("responses", problem_response);
  base::json_object_writer security_schemes;
  for (const auto& scheme : schemes)
    security_schemes.put(scheme, base::json_object_writer().put_text("type", "http").put_text("scheme", scheme).text());
  if (!schemes.empty()) components.put("securitySchemes", security_schemes.text());
  out.put_text("openapi", "3.1.0").put("info", info_object.text());
  const std::string server = base::json_object_writer().put_text("url", info.path_prefix + '/').text();
  out.put("servers", '[' + server + ']');
  if (!tags.empty()) {
    out.put("tags",
            base::json_array(tags, [](auto& tag) { return base::json_object_writer().put_text("name", tag).text(); }));
  }
  return out.put("paths", paths.text()).put("components", components.text()).text() + '\n';
}

}  // namespace detail::addons
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ADDONS
