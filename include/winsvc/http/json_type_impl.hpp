// Implementation of api/json_type.hpp and api/json_library.hpp: reads a JSON document strictly into a described type.
// Also the json_library of nlohmann's parser.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "winsvc/api/abort.hpp"
#include "winsvc/api/handler.hpp"
#include "winsvc/api/json.hpp"
#include "winsvc/api/json_body.hpp"
#include "winsvc/api/json_compare.hpp"
#include "winsvc/api/json_library.hpp"
#include "winsvc/api/json_type.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HTTP

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::api {

WINSVC_INLINE std::string json_place::pointer() const {
  if (!parent) return {};
  std::string text = parent->pointer() + '/';
  if (is_element) return text + std::to_string(index);
  for (const char c : name) {
    if (c == '~') text += "~0";
    else if (c == '/') text += "~1";
    else text += c;
  }
  return text;
}

WINSVC_INLINE void write_number(double value, std::string& out) {
  if (!(value - value == 0)) {  // JSON has no infinity and no NaN
    out += "null";
    return;
  }
  char text[32];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

/// A value in a message: a number, a short text in quotes, or its kind.
WINSVC_INLINE std::string value_text(const json_library& library, json_library::value v) {
  switch (library.kind(v)) {
    case json_kind::null: return "null";
    case json_kind::boolean: return library.boolean(v) ? "true" : "false";
    case json_kind::integer: return std::to_string(library.integer(v));
    case json_kind::unsigned_integer: return std::to_string(library.unsigned_integer(v));
    case json_kind::text: return '\'' + std::string(base::truncate(library.text(v), 80)) + '\'';
    case json_kind::array: return "a list";
    case json_kind::object: return "an object";
    case json_kind::number: break;
  }
  std::string text;
  write_number(library.number(v), text);
  return text;
}

WINSVC_INLINE bool json_reader::reject(value v, const json_place& place, const std::string& requirement) const {
  if (faults.is_full()) faults.add_body({}, {});  // only counted
  else faults.add_body(place.pointer(), "must " + requirement + ", but is " + value_text(library, v));
  return false;
}

WINSVC_INLINE bool json_reader::check_kind(value v, const json_place& place, json_kind kind,
                                           const char* requirement) const {
  return library.kind(v) == kind || reject(v, place, requirement);
}

WINSVC_INLINE std::string whole_number_text(const std::string& lower, const std::string& upper) {
  return "be a whole number from " + lower + " to " + upper;
}

WINSVC_INLINE bool json_reader::read_signed(value v, const json_place& place, std::int64_t lower, std::int64_t upper,
                                            std::int64_t& out) const {
  const json_kind kind = library.kind(v);
  bool ok = kind == json_kind::integer;
  if (ok) {
    out = library.integer(v);
  } else if (kind == json_kind::number && is_exact_whole_number(library.number(v))) {  // 1.0 is an integer
    out = static_cast<std::int64_t>(library.number(v));
    ok = true;
  }
  return (ok && out >= lower && out <= upper) ||
         reject(v, place, whole_number_text(std::to_string(lower), std::to_string(upper)));
}

WINSVC_INLINE bool json_reader::read_unsigned(value v, const json_place& place, std::uint64_t upper,
                                              std::uint64_t& out) const {
  const json_kind kind = library.kind(v);
  bool ok = kind == json_kind::unsigned_integer || (kind == json_kind::integer && library.integer(v) >= 0);
  if (ok) {
    out = kind == json_kind::integer ? static_cast<std::uint64_t>(library.integer(v)) : library.unsigned_integer(v);
  } else if (kind == json_kind::number && library.number(v) >= 0 && is_exact_whole_number(library.number(v))) {
    out = static_cast<std::uint64_t>(library.number(v));
    ok = true;
  }
  return (ok && out <= upper) || reject(v, place, whole_number_text("0", std::to_string(upper)));
}

WINSVC_INLINE bool json_reader::read_number(value v, const json_place& place, double upper, double& out) const {
  const json_kind kind = library.kind(v);
  const bool is_number =
      kind == json_kind::number || kind == json_kind::integer || kind == json_kind::unsigned_integer;
  if (is_number) out = library.number(v);
  return (is_number && out >= -upper && out <= upper) || reject(v, place, "be a number");
}

WINSVC_INLINE std::string_view first_word(std::string_view text) noexcept {
  return base::trim(text.substr(0, text.find(',')));
}

WINSVC_INLINE bool described_type::read(const json_reader& reader, json_library::value v, void* object,
                                        const json_place& place) const {
  if (!reader.check_kind(v, place, json_kind::object, "be an object")) return false;
  bool ok = true;
  for (const described_member& member : members) {
    const json_place here{&place, member.name};
    const auto found = reader.library.member(v, member.name);
    void* const target = static_cast<char*>(object) + member.offset;
    if (!found) {
      if (!member.is_required) continue;
      reader.faults.add_body(here.pointer(), "is missing");
      ok = false;
    } else if (!member.operations->read(reader, found, target, here)) {
      ok = false;
    } else {
      for (const member_rule& rule : member.rules) {
        if (!rule.predicate(target)) ok = reader.reject(found, here, rule.requirement);
      }
    }
  }
  return ok;
}

WINSVC_INLINE void described_type::write(const void* object, std::string& out) const {
  out += '{';
  bool first = true;
  for (const described_member& member : members) {
    const void* const source = static_cast<const char*>(object) + member.offset;
    if (member.operations->is_missing && member.operations->is_missing(source)) continue;
    if (!std::exchange(first, false)) out += ',';
    out += base::json_quoted(member.name) + ':';
    member.operations->write(source, out);
  }
  out += '}';
}

WINSVC_INLINE std::string described_type::schema(route::schema_set& set) const {
  base::json_object_writer properties, schema;
  std::string required;
  for (const described_member& member : members) {
    std::string text = member.operations->schema(set);
    for (const member_rule& rule : member.rules) text = route::with_schema_members(text, rule.schema);
    properties.put(member.name, text);
    if (member.is_required) required += (required.empty() ? "" : ",") + base::json_quoted(member.name);
  }
  schema.put_text("type", "object").put("properties", properties.text());
  if (!required.empty()) schema.put("required", '[' + required + ']');
  return schema.text();
}

#if WINSVC_JSON

/// nlohmann's parser. A value is the address of a winsvc::json.
class nlohmann_library final : public json_library {
 public:
  std::shared_ptr<const void> parse(const std::string& text, std::string&) const override {
    auto document = std::make_shared<winsvc::json>();
    parse_json(text, *document);  // aborts with 400 and its own message
    return document;
  }
  json_kind kind(value v) const override {
    switch (of(v).type()) {
      case winsvc::json::value_t::boolean: return json_kind::boolean;
      case winsvc::json::value_t::number_integer: return json_kind::integer;
      case winsvc::json::value_t::number_unsigned:
        return of(v).get<std::uint64_t>() > 9223372036854775807ULL ? json_kind::unsigned_integer : json_kind::integer;
      case winsvc::json::value_t::number_float: return json_kind::number;
      case winsvc::json::value_t::string: return json_kind::text;
      case winsvc::json::value_t::array: return json_kind::array;
      case winsvc::json::value_t::object: return json_kind::object;
      default: return json_kind::null;
    }
  }
  bool boolean(value v) const override { return of(v).get<bool>(); }
  std::int64_t integer(value v) const override { return of(v).get<std::int64_t>(); }
  std::uint64_t unsigned_integer(value v) const override { return of(v).get<std::uint64_t>(); }
  double number(value v) const override { return of(v).get<double>(); }
  std::string_view text(value v) const override { return of(v).get_ref<const std::string&>(); }
  std::size_t size(value v) const override { return of(v).size(); }
  value element(value v, std::size_t index) const override { return &of(v)[index]; }
  value member(value v, std::string_view name) const override {
    const auto found = of(v).find(std::string(name));
    return found == of(v).end() ? nullptr : &*found;
  }
  void for_each_member(value v, const std::function<void(std::string_view, value)>& f) const override {
    for (const auto& [name, member] : of(v).items()) f(name, &member);
  }

 private:
  static const winsvc::json& of(value v) noexcept { return *static_cast<const winsvc::json*>(v); }
};

WINSVC_INLINE const json_library& default_json_library() {
  static const nlohmann_library library;
  return library;
}

#else

WINSVC_INLINE const json_library& default_json_library() {
  throw setup_error(
      "a JSON body requires <nlohmann/json.hpp>, or another parser: svc.provide<winsvc::json_library>(...)");
}

#endif  // WINSVC_JSON

WINSVC_INLINE const json_library& json_library_of(const invocation& call) {
  const void* const own = call.objects ? call.objects->find(type_key<json_library>()) : nullptr;
  return own ? *static_cast<const json_library*>(own) : default_json_library();
}

WINSVC_INLINE std::shared_ptr<const void> parse_body(const invocation& call) {
  const std::string& text = json_body_text(call.req);
  std::string reason;
  auto document = json_library_of(call).parse(text, reason);
  if (!document) winsvc::abort(400, "the body is not JSON: " + reason);
  return document;
}

WINSVC_INLINE void read_text(const std::string& text,
                             const std::function<void(const json_reader&, json_library::value)>& read) {
  fault_list faults;
  std::string reason = "it is nested too deep";
  std::shared_ptr<const void> document;
  try {
    if (json_depth(text) <= max_json_depth) document = default_json_library().parse(text, reason);
  } catch (const abort_error& e) {
    reason = e.what();
  }
  if (!document) throw std::invalid_argument("the text is not JSON: " + reason);
  read({default_json_library(), faults}, document.get());
  if (!faults.empty()) throw std::invalid_argument(faults.text());
}

}  // namespace detail::api
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HTTP
