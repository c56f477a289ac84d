// What `status` shows: the SCM's view of the service and what the service left of itself, as a screen for a person and
// as JSON for a machine. Pure; host/manage.hpp gathers it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "winsvc/base/json_text.hpp"
#include "winsvc/base/text.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/model/codes.hpp"
#include "winsvc/model/state_file.hpp"
#include "winsvc/os/service_manager.hpp"

namespace winsvc {
inline namespace WINSVC_ABI {
namespace host {

/// What `status` knows.
struct service_report {
  std::string name;
  bool installed = false;
  os::service_process process;
  os::service_config config;
  model::service_state left;  ///< what the service itself left; its url only while it is the running process's
};

/// `status` for a person, and for a machine.
[[nodiscard]] std::string status_text(const service_report& r);
[[nodiscard]] std::string status_json(const service_report& r);
/// 0 running, 3 not running, 4 not installed.
[[nodiscard]] inline int status_exit(const service_report& r) noexcept {
  if (!r.installed) return model::exits::not_installed;
  return r.process.status.current == model::state::running ? model::exits::ok : model::exits::not_running;
}

// ---------------------------------------------------------------------------------------------------------------------

inline std::string status_text(const service_report& r) {
  if (!r.installed) return r.name + ": not installed\n";
  const auto& s = r.process.status;
  std::string out = r.name + ": " + std::string(model::name(s.current));
  if (r.process.pid != 0) out += ", pid " + std::to_string(r.process.pid);
  if (!r.left.since.empty()) out += ", since " + r.left.since;
  out += '\n';
  if (!r.left.url.empty()) out += "  url      " + r.left.url + '\n';
  out += "  startup  " + std::string(name(r.config.startup)) + "\n  binary   " + r.config.binary + '\n';
  if (s.current == model::state::stopped && s.exit.failed()) {
    const auto* row = model::explain(s.exit.code());
    out += "  exit     " + std::to_string(s.exit.code()) + (row ? ", " + std::string(row->said) : "") + '\n';
  }
  if (!r.left.failure.empty()) out += "  failure  " + r.left.failure + '\n';
  return out;
}

inline std::string status_json(const service_report& r) {
  const auto& s = r.process.status;
  std::string state = r.installed ? std::string(model::name(s.current)) : "not installed";
  std::replace(state.begin(), state.end(), ' ', '_');

  text::json_object out;
  const auto put = [&out, &r](std::string_view field, const std::string& value, bool known = true) {
    out.put(field, r.installed && known ? value : "null");
  };
  const auto put_text = [&put](std::string_view field, std::string_view value) {
    put(field, text::json_quoted(value), !value.empty());
  };
  out.put_text("name", r.name).put("installed", r.installed ? "true" : "false").put_text("state", state);
  put("pid", std::to_string(r.process.pid));
  put("exit_code", std::to_string(s.exit.code()));
  put_text("startup", name(r.config.startup));
  put_text("display_name", r.config.display_name);
  put_text("binary", r.config.binary);
  put_text("url", r.left.url);
  put_text("since", r.left.since);
  put_text("failure", r.left.failure);
  return out.text() + '\n';
}

}  // namespace host
}  // inline namespace WINSVC_ABI
}  // namespace winsvc
