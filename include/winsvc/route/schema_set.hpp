// schema_set: the named JSON Schemas of an OpenAPI document, each written once.
//
//   set.reference(key, "item", [&] { return schema_of_item(set); })     // {"$ref":"#/components/schemas/item"}
//
// A type may refer to itself: its name is known before its schema is made. Two types with the same name get the names
// `item` and `item_2`.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "winsvc/base/json_writer.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

class schema_set {
 public:
  /// A schema that refers to the schema `name`. `key` identifies the type; the first call for it calls `make`.
  [[nodiscard]] std::string reference(const void* key, const std::string& name,
                                      const std::function<std::string()>& make);
  /// Adds a schema that is complete.
  void add(const std::string& name, std::string schema) { schemas_.emplace_back(name, std::move(schema)); }
  /// The object with all schemas.
  [[nodiscard]] std::string text() const;

 private:
  std::map<const void*, std::size_t> positions_;
  std::vector<std::pair<std::string, std::string>> schemas_;
};

/// Returns the schema of a type; named types are added to the set.
using schema_function = std::string (*)(schema_set& set);

}  // namespace detail::route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_ROUTE

namespace winsvc {
inline namespace WINSVC_ABI {
namespace detail::route {

WINSVC_INLINE std::string schema_set::reference(const void* key, const std::string& name,
                                                const std::function<std::string()>& make) {
  const auto [known, is_new] = positions_.emplace(key, schemas_.size());
  const std::size_t position = known->second;
  if (is_new) {
    const auto is_taken = [this](const std::string& candidate) {
      for (const auto& [other, schema] : schemas_) {
        if (other == candidate) return true;
      }
      return false;
    };
    std::string unique = name;
    for (int n = 2; is_taken(unique); ++n) unique = name + '_' + std::to_string(n);
    schemas_.emplace_back(std::move(unique), std::string());
    std::string schema = make();
    schemas_[position].second = std::move(schema);
  }
  return base::json_object_writer().put_text("$ref", "#/components/schemas/" + schemas_[position].first).text();
}

WINSVC_INLINE std::string schema_set::text() const {
  base::json_object_writer out;
  for (const auto& [name, schema] : schemas_) out.put(name, schema);
  return out.text();
}

}  // namespace detail::route
}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_ROUTE
