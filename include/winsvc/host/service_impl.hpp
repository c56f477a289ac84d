// Implements `service` (api/service.hpp): each call checks its arguments and stores them in the service definition.
//
//   svc.name("hello").listen("127.0.0.1", 5001);      // definition.spec.name, definition.host, definition.port
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "winsvc/api/service.hpp"
#include "winsvc/host/builtin_settings.hpp"
#include "winsvc/host/definition.hpp"
#include "winsvc/base/error.hpp"
#include "winsvc/config/abi.hpp"
#include "winsvc/scm/account.hpp"
#include "winsvc/os/native.hpp"

// ---------------------------------------------------------------------------------------------------------------------

#if WINSVC_BODIES_HOST

namespace winsvc {
inline namespace WINSVC_ABI {

WINSVC_INLINE service::service(detail::host::service_definition& definition)
    : route_registrar(definition.router, {}, std::make_shared<detail::api::middleware_chain>()),
      definition_(definition) {}

WINSVC_INLINE std::string service::instance() const { return definition_.instance.value_or(std::string()); }
WINSVC_INLINE detail::wire::limits& service::limits() noexcept { return definition_.limits; }
WINSVC_INLINE logger& service::log() noexcept { return definition_.log; }
WINSVC_INLINE log_file_options& service::log_file() noexcept { return definition_.log_file; }

WINSVC_INLINE void service::add_exception_page(detail::api::exception_handler page) {
  definition_.router.error_handlers.by_exception.push_back(std::move(page));
}
WINSVC_INLINE void service::add_hook(detail::api::hook h) { definition_.hooks.push_back(std::move(h)); }
WINSVC_INLINE void service::add_named(hook_list list, detail::api::named_hook h) {
  auto& hooks = list == hook_list::on_pause      ? definition_.pause_hooks
                : list == hook_list::on_continue ? definition_.continue_hooks
                : list == hook_list::on_reload   ? definition_.reload_hooks
                                                 : definition_.time_hooks;
  hooks.push_back(std::move(h));
}

WINSVC_INLINE void service::add_object(const void* key, const std::string& type, std::shared_ptr<void> object) {
  open_definition("provide").router.objects.put(key, type, std::move(object));
}

WINSVC_INLINE service& service::templates(std::shared_ptr<template_engine> engine, source_location location) {
  const auto check_templates = [engine] {
    std::string errors;
    for (const std::string& error : engine->find_errors()) errors += (errors.empty() ? "" : "; ") + error;
    if (!errors.empty()) throw std::runtime_error("the templates have errors: " + errors);
  };
  provide(std::move(engine));
  return on_start("templates", check_templates, location);
}

WINSVC_INLINE void service::check_not_frozen(std::string_view function_name) const {
  if (definition_.is_frozen()) {
    throw setup_error(std::string(function_name) +
                      ": the service has started; describe it in the app, not in a handler or hook");
  }
}

WINSVC_INLINE detail::host::service_definition& service::open_definition(std::string_view function_name) const {
  check_not_frozen(function_name);
  return definition_;
}

WINSVC_INLINE void service::set_tls(detail::api::tls_files files) {
  check_not_frozen("tls");
  if (files.certificate.empty() || files.key.empty())
    throw setup_error("tls: the certificate or the key file is missing; give both");
  const auto folder = detail::os::folder_of(detail::os::executable_path());  // a hook may change the current folder
  for (auto* path : {&files.certificate, &files.key, &files.client_authorities}) {
    if (!path->empty() && !detail::os::is_absolute(*path)) *path = detail::os::path_join(folder, *path);
  }
  definition_.tls = std::move(files);
}
WINSVC_INLINE std::string service::data_folder() const {
  const std::string folder = definition_.resolve_data_folder();
  if (const auto created = detail::os::make_folders(folder); !created) {
    const auto code = created.error();
    throw std::runtime_error(
        error{code, "create the data folder", folder, detail::os::system_error_message(code), {}}.to_string());
  }
  return folder;
}
WINSVC_INLINE void service::declare(std::shared_ptr<detail::settings::setting_base> setting) {
  detail::host::reject_builtin_name(definition_, *setting);
  definition_.settings.declare(std::move(setting));
}
WINSVC_INLINE service& service::log_to_event_log(log_level min_level) {
  open_definition("log_to_event_log").event_log_level = min_level;
  return *this;
}
WINSVC_INLINE service& service::settings_format(winsvc::settings_format format) {
  check_not_frozen("settings_format");
  if (!definition_.settings.empty())
    throw setup_error("settings_format must be called before the first setting, whose value it determines");
  detail::host::use_settings_format(definition_, std::move(format));
  return *this;
}
WINSVC_INLINE service& service::reload_on_change() {
  open_definition("reload_on_change").reload_on_change = true;
  return *this;
}
WINSVC_INLINE service& service::log_to(std::shared_ptr<log_sink> sink) {
  open_definition("log_to").log_sinks.push_back(std::move(sink));
  return *this;
}
WINSVC_INLINE service& service::name(std::string text) {
  check_not_frozen("name");
  if (!definition_.settings.empty())
    throw setup_error("name '" + text + "': a setting was declared before, whose environment variable contains the "
                      "name of the service; call name() before setting()");
  if (const auto valid = detail::scm::check_name(text); !valid) throw setup_error(valid.error().to_string());
  definition_.spec.name = std::move(text);
  definition_.settings.set_service_name(definition_.spec.name);
  return *this;
}
WINSVC_INLINE service& service::display_name(std::string text) {
  check_not_frozen("display_name");
  if (const auto valid = detail::scm::check_display_name(text); !valid) throw setup_error(valid.error().to_string());
  definition_.spec.display_name = std::move(text);
  return *this;
}
WINSVC_INLINE service& service::description(std::string text) {
  open_definition("description").spec.description = std::move(text);
  return *this;
}
WINSVC_INLINE service& service::version(std::string text) {
  open_definition("version").version = std::move(text);
  return *this;
}
WINSVC_INLINE service& service::startup(winsvc::startup type) {
  open_definition("startup").spec.startup = type;
  return *this;
}
WINSVC_INLINE service& service::listen(std::string host, std::uint16_t port) {
  open_definition("listen").host = std::move(host);
  definition_.port = port;
  return *this;
}
WINSVC_INLINE std::chrono::milliseconds clamp_to_one_day(std::chrono::milliseconds limit) {
  return std::clamp(limit, std::chrono::milliseconds(0), std::chrono::milliseconds(std::chrono::hours(24)));
}
WINSVC_INLINE service& service::start_limit(std::chrono::milliseconds limit) {
  open_definition("start_limit").start_limit = clamp_to_one_day(limit);
  return *this;
}
WINSVC_INLINE service& service::stop_limit(std::chrono::milliseconds limit) {
  open_definition("stop_limit").stop_limit = clamp_to_one_day(limit);
  return *this;
}
WINSVC_INLINE service& service::account(std::string text) {
  check_not_frozen("account");
  const auto valid = detail::scm::parse_account(text, definition_.spec.name);
  if (!valid) throw setup_error(valid.error().to_string());
  definition_.spec.account = std::move(text);
  return *this;
}
WINSVC_INLINE service& service::depends_on(std::vector<std::string> services) {
  open_definition("depends_on").spec.depends_on = std::move(services);
  return *this;
}
WINSVC_INLINE service& service::recovery(std::vector<recovery_action> actions, std::chrono::seconds reset) {
  check_not_frozen("recovery");
  std::string command = definition_.spec.recovery ? definition_.spec.recovery->command : std::string();
  definition_.spec.recovery = detail::scm::recovery_options{std::move(actions), reset, std::move(command)};
  return *this;
}
WINSVC_INLINE service& service::recovery_command(std::string command_line) {
  check_not_frozen("recovery_command");
  if (!definition_.spec.recovery) definition_.spec.recovery = detail::scm::default_recovery();
  definition_.spec.recovery->command = std::move(command_line);
  return *this;
}
WINSVC_INLINE service& service::restart_limit(unsigned limit) {
  check_not_frozen("restart_limit");
  if (!definition_.spec.recovery) definition_.spec.recovery = detail::scm::default_recovery();
  auto& actions = definition_.spec.recovery->actions;
  actions = detail::scm::limit_restarts(std::move(actions), limit);
  return *this;
}
WINSVC_INLINE bool service::stop(std::string_view reason) {
  return definition_.stopping.call(std::string(reason), std::nullopt);
}
WINSVC_INLINE bool service::fail(std::uint32_t code, std::string_view reason) {
  constexpr std::uint32_t unknown = detail::scm::win32_error::exception_in_service;
  const error failure{code == 0 ? unknown : code, "run", definition_.spec.name, std::string(reason), {}};
  return definition_.stopping.call(std::string(reason), failure);
}
WINSVC_INLINE service& service::preshutdown(std::chrono::milliseconds limit) {
  open_definition("preshutdown").spec.preshutdown = clamp_to_one_day(limit);
  return *this;
}
WINSVC_INLINE service& service::privileges(std::vector<std::string> names) {
  open_definition("privileges").spec.privileges = std::move(names);
  return *this;
}
WINSVC_INLINE service& service::on_session_change(std::function<void(const session_change&)> f,
                                                  source_location location) {
  open_definition("on_session_change").session_hooks.push_back({location, std::move(f)});
  return *this;
}
WINSVC_INLINE service& service::on_power(std::function<void(const power_event&)> f, source_location location) {
  open_definition("on_power").power_hooks.push_back({location, std::move(f)});
  return *this;
}
WINSVC_INLINE void service::add_control(detail::api::control_hook h) {
  check_not_frozen("on_control");
  const std::string call = "on_control " + std::to_string(h.code) + " (" + h.location.to_string() + "): ";
  if (!detail::scm::is_custom_control(h.code))
    throw setup_error(call + "not a custom control; use a code from 128 to 255");
  for (const auto& other : definition_.control_hooks) {
    if (other.code == h.code)
      throw setup_error(call + "a hook exists (" + other.location.to_string() + "); a control can have only one hook");
  }
  definition_.control_hooks.push_back(std::move(h));
}
WINSVC_INLINE service& service::worker(std::string name, std::function<void(stop_token)> body,
                                       source_location location) {
  check_not_frozen("worker");
  for (const auto& w : definition_.workers) {
    if (w.name == name)
      throw setup_error("worker '" + name + "' (" + location.to_string() +
                        "): a worker of this name exists; use a different name for each worker");
  }
  definition_.workers.push_back({std::move(name), std::move(body)});
  return *this;
}
WINSVC_INLINE service& service::trailing_slash(winsvc::trailing_slash rule) {
  open_definition("trailing_slash").router.final_slash = rule;
  return *this;
}
WINSVC_INLINE service& service::on_error(int status, detail::api::error_handler page, source_location location) {
  check_not_frozen("on_error");
  if (!definition_.router.error_handlers.by_status.emplace(status, std::move(page)).second)
    throw setup_error("on_error " + std::to_string(status) + " (" + location.to_string() +
                      "): this status has a handler; remove one of the calls");
  return *this;
}
WINSVC_INLINE service& service::ready(std::string name, std::function<bool()> is_ready) {
  open_definition("ready").ready_checks.push_back({std::move(name), std::move(is_ready)});
  return *this;
}
WINSVC_INLINE service& service::health_paths(std::string live, std::string ready, source_location location) {
  check_not_frozen("health_paths");
  for (const auto& path : {live, ready}) {
    if (!path.empty() && !detail::route::parse_pattern(path).names.empty()) {
      throw setup_error("health path " + path + " (" + location.to_string() +
                        "): health paths have no parameters; remove the braces");
    }
  }
  definition_.live_path = std::move(live);
  definition_.ready_path = std::move(ready);
  return *this;
}

}  // inline namespace WINSVC_ABI
}  // namespace winsvc

#endif  // WINSVC_BODIES_HOST
