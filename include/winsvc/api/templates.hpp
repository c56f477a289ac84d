// Templates: pages from the files of a template engine, which an adapter header connects to winsvc.
//
//   #include <winsvc.hpp>
//   #include <winsvc/ctemplate.hpp>                            // or another adapter
//
//   svc.templates(std::make_shared<winsvc::ctemplate_engine>("templates"));
//   svc.get("/", [](winsvc::template_engine& pages) { return pages.render("index.html", {{"title", "Posts"}}); });
//
// winsvc does not contain a template engine. All templates are checked at start: if one is malformed, the start fails
// and the log has all errors. Choose an engine that escapes by default.
#pragma once

#include <string>
#include <vector>

#include "winsvc/api/html.hpp"
#include "winsvc/api/json.hpp"
#include "winsvc/config/abi.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {

/// Interface of a template engine. All functions are called concurrently.
class template_engine {
 public:
  virtual ~template_engine() = default;

#if WINSVC_JSON
  /// Renders the template `name` with the members of a JSON object. An exception becomes 500, as in a handler.
  [[nodiscard]] html render(const std::string& name, const winsvc::json& data) const {
    return html::trusted(render_text(name, data));
  }
#endif
  /// Reads all templates and returns their errors, one per text, with the name of the file. Called at start.
  [[nodiscard]] virtual std::vector<std::string> find_errors() const = 0;

#if WINSVC_JSON
 protected:
  /// Returns the page. Throws std::runtime_error if there is no such template.
  [[nodiscard]] virtual std::string render_text(const std::string& name, const winsvc::json& data) const = 0;
#endif
};

}  // inline namespace WINSVC_ABI
}  // namespace winsvc
