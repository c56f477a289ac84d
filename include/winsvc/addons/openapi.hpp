// The app's routes as an OpenAPI 3.1 document: what a client generator, a tester or a person with a browser reads.
//
//   svc.openapi("/openapi.json");                                  // off unless asked for
//   svc.get("/users/{id}", show).name("user").summary("One user").returns(200, "The user");
//
// Paths, parameters with their types, and whether a body is taken follow from the handlers; words, schemas and examples
// are what was said of a route (api/route_builder.hpp). Names become operation ids. `{path...}` is written `{path}`,
// because OpenAPI has no tails; a route for `any` method stands under GET, POST, PUT, PATCH and DELETE; HEAD and
// OPTIONS are not listed, since every path has them. Errors of winsvc's own are described once, as problem+json.
// Routes that no client asks for by hand (health, metrics, this document) are left out, as `hidden` ones are.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
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
namespace web {

struct api_info {
  std::string title, version, description;
};

/// The document, JSON in UTF-8 (OpenAPI Specification 3.1, schemas in JSON Schema 2020-12). Pure: the same routes give
/// the same bytes.
[[nodiscard]] std::string openapi_document(const route::table& routes, const api_info& info);

// ---------------------------------------------------------------------------------------------------------------------

/// One method of one path.
struct operation {
  const route::route_entry* route;
  route::method verb;  ///< the route's own, or one of those that `any` stands for
  std::string id;
};

}  // namespace web
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#if WINSVC_BODIES_WEB

namespace winsvc {
inline namespace WINSVC_ABI {
namespace web {

using strings::json_array;
using strings::json_object_writer;

WINSVC_INLINE std::string schema_of(route::value_kind kind, std::string_view otherwise = {}) {
  using route::value_kind;
  json_object_writer s;
  switch (kind) {
    case value_kind::int32: s.put_text("type", "integer").put_text("format", "int32"); break;
    case value_kind::int64: s.put_text("type", "integer").put_text("format", "int64"); break;
    case value_kind::uint32: s.put_text("type", "integer").put("minimum", "0").put("maximum", "4294967295"); break;
    case value_kind::uint64: s.put_text("type", "integer").put("minimum", "0"); break;
    case value_kind::number: s.put_text("type", "number").put_text("format", "double"); break;
    case value_kind::boolean: s.put_text("type", "boolean"); break;
    case value_kind::text: s.put_text("type", "string"); break;
  }
  if (!otherwise.empty()) s.put("default", otherwise);
  return s.text();
}

/// One path with its operations.
struct path_item {
  const route::route_entry* first;           ///< whose parameter names the path has
  std::vector<operation> operations;   ///< in the order of the methods
};

inline constexpr std::array listed_methods = {route::method::get, route::method::post, route::method::put,
                                              route::method::patch, route::method::del};

/// What paths have in common that OpenAPI takes for one: `{id}` is as good as `{name}`, and as a tail.
WINSVC_INLINE std::string shape_of(const route::pattern& path) {
  std::string shape;
  for (const auto& segment : path.segments) {
    const bool literal = segment.kind == route::segment::segment_kind::literal;
    shape += '/' + (literal ? route::percent_encode_segment(segment.text) : "{}");
  }
  return shape;
}

/// Groups the routes into paths. Where two have one shape and method, the one that is served first is listed.
WINSVC_INLINE std::vector<path_item> path_items(const route::table& routes) {
  std::vector<path_item> items;
  std::map<std::string, std::size_t> by_shape;
  std::vector<const route::route_entry*> order;
  for (const auto& e : routes.entries()) {
    const bool listed = std::find(listed_methods.begin(), listed_methods.end(), e.method_id) != listed_methods.end();
    if (e.metadata.hidden || (!listed && e.method_id != route::method::any)) continue;
    order.push_back(&e);
    if (by_shape.emplace(shape_of(e.path), items.size()).second) items.push_back({&e, {}});
  }
  const auto rank = [](const route::route_entry* e) {  // as the table tries them
    return (e->path.segments.back().kind == route::segment::segment_kind::tail ? 2 : 0) +
           (e->method_id == route::method::any ? 1 : 0);
  };
  std::stable_sort(order.begin(), order.end(), [&](auto* a, auto* b) { return rank(a) < rank(b); });

  for (const auto* e : order) {
    auto& existing = items[by_shape.at(shape_of(e->path))].operations;
    for (const auto verb : listed_methods) {
      if (e->method_id != verb && e->method_id != route::method::any) continue;
      const auto at = std::find_if(existing.begin(), existing.end(), [&](const operation& o) { return o.verb >= verb; });
      if (at == existing.end() || at->verb != verb) existing.insert(at, {e, verb, {}});
    }
  }
  return items;
}

WINSVC_INLINE std::string method_word(route::method verb) { return strings::to_lower(route::name(verb)); }

/// `get_users_id` of GET /users/{id}.
WINSVC_INLINE std::string default_operation_id(const operation& o) {
  std::string id = method_word(o.verb);
  for (const auto& segment : o.route->path.segments) {
    if (!segment.text.empty()) id += '_';
    for (const char c : segment.text) {
      const bool word = strings::is_digit(c) || (strings::to_lower(c) >= 'a' && strings::to_lower(c) <= 'z');
      id += word ? c : '_';
    }
  }
  return id;
}

/// The name where it is one operation's, with the method before it where it is several', and else made of the path.
/// Those with a name get theirs before the others do.
WINSVC_INLINE void assign_operation_ids(std::vector<path_item>& items) {
  std::map<std::string_view, int> bearers;
  for (const auto& item : items) {
    for (const auto& o : item.operations) ++bearers[o.route->metadata.name];
  }
  std::set<std::string> taken;
  for (const bool named : {true, false}) {
    for (auto& item : items) {
      for (auto& o : item.operations) {
        const std::string& name = o.route->metadata.name;
        if (name.empty() == named) continue;
        const std::string wish = !named ? default_operation_id(o) : bearers[name] == 1 ? name : method_word(o.verb) + '_' + name;
        o.id = wish;
        for (int n = 2; !taken.insert(o.id).second; ++n) o.id = wish + '_' + std::to_string(n);
      }
    }
  }
}

WINSVC_INLINE std::string content_of(const route::body_metadata& b, const std::string& media_type) {
  json_object_writer inner;
  if (!b.schema.empty()) inner.put("schema", b.schema);
  if (!b.example.empty()) inner.put("example", b.example);
  return json_object_writer().put(media_type, inner.text()).text();
}

WINSVC_INLINE std::string parameters_of(const operation& o, const route::pattern& names) {
  const route::route_metadata& about = o.route->metadata;
  std::vector<std::string> items;
  const bool tail = o.route->path.segments.back().kind == route::segment::segment_kind::tail;
  for (std::size_t i = 0; i < names.names.size(); ++i) {
    json_object_writer p;
    p.put_text("name", names.names[i]).put_text("in", "path").put("required", "true");
    if (tail && i + 1 == names.names.size()) p.put_text("description", "The rest of the path; it may hold slashes.");
    p.put("schema", schema_of(i < about.parameters.size() ? about.parameters[i] : route::value_kind::text));
    items.push_back(p.text());
  }
  for (const auto& q : about.query) {
    json_object_writer p;
    p.put_text("name", q.name).put_text("in", "query").put_text_if_set("description", q.description);
    p.put("required", q.required ? "true" : "false").put("schema", schema_of(q.kind, q.default_json));
    items.push_back(p.text());
  }
  return items.empty() ? std::string() : json_array(items, [](const std::string& p) { return p; });
}

WINSVC_INLINE std::string request_body_of(const operation& o) {
  const route::route_metadata& about = o.route->metadata;
  // A body has no meaning in a GET (RFC 9110 section 9.3.1): a route for any method reads one where there is one.
  const bool none = o.route->method_id == route::method::any && o.verb == route::method::get;
  if (none || (!about.request_body && !about.accepts_json && !about.accepts_upload)) return {};
  const char* const type = about.accepts_upload ? "multipart/form-data" : "application/json";
  const route::body_metadata b = about.request_body.value_or(route::body_metadata{{}, type, {}, {}});
  json_object_writer body;
  body.put_text_if_set("description", b.description).put("required", "true");
  return body.put("content", content_of(b, b.media_type)).text();
}

WINSVC_INLINE std::string responses_of(const route::route_metadata& about) {
  using route::response_kind;
  std::map<std::string, std::string> all;  // by status, which sorts them, "default" last
  const auto media_type = [&about](const route::body_metadata& b) -> std::string {
    if (!b.media_type.empty()) return b.media_type;
    if (about.response == response_kind::text) return "text/plain";
    return about.response == response_kind::json || !b.schema.empty() || !b.example.empty() ? "application/json" : "";
  };
  const auto add = [&](const std::string& status, const route::body_metadata& b) {
    json_object_writer r;
    r.put_text("description", b.description.empty() ? "Success" : b.description);
    const bool empty = status == "204" || status == "304" || status[0] == '1';
    if (const auto type = media_type(b); !empty && !type.empty()) r.put("content", content_of(b, type));
    all.emplace(status, r.text());
  };
  bool success = false;
  for (const auto& [status, body] : about.responses) {
    add(std::to_string(status), body);
    success = success || status < 400;
  }
  if (!success) add(about.sets_status ? "2XX" : "200", {});

  const std::string problem = R"({"$ref":"#/components/responses/problem"})";
  const auto kinds = about.parameters;
  const bool converts = std::any_of(kinds.begin(), kinds.end(), [](auto k) { return k != route::value_kind::text; });
  if (!about.query.empty() || about.accepts_json || about.accepts_upload) all.emplace("400", problem);
  if (about.returns_optional || converts) all.emplace("404", problem);
  if (about.accepts_json) all.emplace("422", problem);
  all.emplace("default", problem);

  json_object_writer out;
  for (const auto& [status, r] : all) out.put(status, r);
  return out.text();
}

WINSVC_INLINE std::string operation_text(const operation& o, const route::pattern& names) {
  const route::route_metadata& about = o.route->metadata;
  json_object_writer out;
  out.put_text("operationId", o.id).put_text_if_set("summary", about.summary).put_text_if_set("description", about.description);
  if (!about.tags.empty()) out.put("tags", json_array(about.tags, [](auto& tag) { return strings::json_quoted(tag); }));
  if (about.deprecated) out.put("deprecated", "true");
  if (const auto parameters = parameters_of(o, names); !parameters.empty()) out.put("parameters", parameters);
  if (const auto body = request_body_of(o); !body.empty()) out.put("requestBody", body);
  return out.put("responses", responses_of(about)).text();
}

/// `/users/{id}`, a tail without its dots.
WINSVC_INLINE std::string template_of(const route::pattern& path) {
  std::string out;
  for (const auto& segment : path.segments) {
    const bool literal = segment.kind == route::segment::segment_kind::literal;
    out += '/' + (literal ? route::percent_encode_segment(segment.text) : '{' + segment.text + '}');
  }
  return out;
}

/// http::write_problem writes what this describes.
inline constexpr std::string_view problem_components =
    R"({"schemas":{"problem":{"type":"object","description":"RFC 9457","properties":{"title":{"type":"string"},)"
    R"("status":{"type":"integer"},"detail":{"type":"string"},"request_id":{"type":"string",)"
    R"("description":"What the log of the service has about it."}},"required":["title","status"]}},)"
    R"("responses":{"problem":{"description":"An error","content":{"application/problem+json":)"
    R"({"schema":{"$ref":"#/components/schemas/problem"}}}}}})";

WINSVC_INLINE std::string openapi_document(const route::table& routes, const api_info& info) {
  auto items = path_items(routes);
  assign_operation_ids(items);

  json_object_writer paths;
  std::vector<std::string> tags;
  for (const auto& item : items) {
    json_object_writer path;
    for (const auto& o : item.operations) {
      path.put(method_word(o.verb), operation_text(o, item.first->path));
      for (const auto& tag : o.route->metadata.tags) {
        if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tags.push_back(tag);
      }
    }
    paths.put(template_of(item.first->path), path.text());
  }

  json_object_writer about;
  about.put_text("title", info.title).put_text("version", info.version.empty() ? "0" : info.version);
  about.put_text_if_set("description", info.description);
  json_object_writer out;
  out.put_text("openapi", "3.1.0").put("info", about.text());
  if (!tags.empty()) {
    out.put("tags", json_array(tags, [](auto& tag) { return json_object_writer().put_text("name", tag).text(); }));
  }
  return out.put("paths", paths.text()).put("components", problem_components).text() + '\n';
}

}  // namespace web
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_WEB
