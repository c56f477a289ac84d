// Adapter for inja (https://github.com/pantor/inja), a template engine with the syntax of Jinja. Opt-in: it is not part
// of winsvc.hpp.
//
//   #include <winsvc.hpp>
//   #include <winsvc/inja.hpp>                           // inja is a header; it needs nlohmann's JSON
//
//   svc.templates(std::make_shared<winsvc::inja_engine>("templates"));
//
// {{ name }} is escaped for HTML: use it in the text of elements and in quoted attributes. inja does not escape by
// context, so it is not safe in scripts, style sheets and URLs; for these, use ctemplate. inja does not escape an array
// or an object that is printed as a whole, so print its members.
//
// inja is not a Debian package, so no test of winsvc compiles this header. It was compiled with inja 3.5.
#pragma once

#include <winsvc.hpp>

#include <inja/inja.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace winsvc {

/// The templates of a folder. They are read once, at start. A relative path starts at the current folder, which is the
/// folder of the executable. `{% include "header.html" %}` and `{% extends "base.html" %}` name files of the folder.
class inja_engine final : public template_engine {
 public:
  explicit inja_engine(std::string folder) : folder_(std::move(folder)) {}

  [[nodiscard]] std::vector<std::string> find_errors() const override {
    const auto loaded = load();
    const std::lock_guard lock(mutex_);
    templates_ = loaded;
    return loaded->errors;
  }

 protected:
  [[nodiscard]] std::string render_text(const std::string& name, const json& data) const override {
    const auto loaded = templates();
    const auto page = loaded->pages.find(name);
    if (page == loaded->pages.end())
      throw std::runtime_error("template '" + name + "': there is no such file in '" + folder_ +
                               "', or it is malformed");
    return loaded->environment.render(page->second, data);
  }

 private:
  struct template_set {
    explicit template_set(const std::string& folder) : environment(std::filesystem::path(folder) / "") {
      environment.set_html_autoescape(true);
      environment.set_throw_at_missing_includes(true);
    }
    inja::Environment environment;  // `render` only reads it, so threads share it
    std::map<std::string, inja::Template> pages;
    std::vector<std::string> errors;
  };

  [[nodiscard]] std::shared_ptr<template_set> load() const {
    auto loaded = std::make_shared<template_set>(folder_);
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(folder_, failed)) {
      if (!entry.is_regular_file()) continue;
      const std::string name = entry.path().filename().string();
      try {
        loaded->pages.emplace(name, loaded->environment.parse_template(name));
      } catch (const std::exception& e) {
        loaded->errors.push_back(name + ": " + e.what());
      }
    }
    if (failed) loaded->errors.push_back("the folder '" + folder_ + "' cannot be read: " + failed.message());
    return loaded;
  }

  /// The templates that find_errors() has loaded; loads them if the app runs without a start, as in a test.
  [[nodiscard]] std::shared_ptr<template_set> templates() const {
    const std::lock_guard lock(mutex_);
    if (!templates_) templates_ = load();
    return templates_;
  }

  std::string folder_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<template_set> templates_;
};

}  // namespace winsvc
