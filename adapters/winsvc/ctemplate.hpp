// Adapter for ctemplate (Debian: libctemplate-dev), a template engine that escapes by context. Opt-in: it is not part of
// winsvc.hpp.
//
//   #include <winsvc.hpp>
//   #include <winsvc/ctemplate.hpp>                      // link with -lctemplate
//
//   svc.templates(std::make_shared<winsvc::ctemplate_engine>("templates"));
//
// Each template starts with {{%AUTOESCAPE context="HTML"}}; the check at start requires it. A member of the JSON object
// with text or a number is {{NAME}}. An object is the section {{#NAME}}...{{/NAME}} once, an array is the section once
// per element, `true` shows the section, and false, null and an empty array do not. In the section of an
// array of texts or numbers, the element is {{ITEM}}. Names are case-sensitive, letters, digits and underscores.
#pragma once

#include <winsvc.hpp>

#include <ctemplate/template.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace winsvc {

/// The templates of a folder. A relative path starts at the current folder, which is the folder of the executable.
class ctemplate_engine final : public template_engine {
 public:
  explicit ctemplate_engine(std::string folder) : folder_(std::move(folder)) {
    cache_->SetTemplateRootDirectory(folder_);
  }

  [[nodiscard]] std::vector<std::string> find_errors() const override {
    std::vector<std::string> errors;
    std::error_code failed;
    const std::filesystem::path root(folder_);
    for (const auto& entry : std::filesystem::directory_iterator(root, failed)) {
      if (!entry.is_regular_file()) continue;
      const std::string name = entry.path().filename().string();
      std::ifstream file(entry.path());
      std::string line;
      std::getline(file, line);
      if (line.rfind("{{%AUTOESCAPE context=\"HTML\"", 0) != 0)
        errors.push_back(name + ": its first line is not {{%AUTOESCAPE context=\"HTML\"}}, so values are not escaped");
      else if (!cache_->LoadTemplate(name, ctemplate::DO_NOT_STRIP))
        errors.push_back(name + ": it is malformed; standard error has the position");
    }
    if (failed) errors.push_back("the folder '" + folder_ + "' cannot be read: " + failed.message());
    return errors;
  }

 protected:
  [[nodiscard]] std::string render_text(const std::string& name, const json& data) const override {
    ctemplate::TemplateDictionary dictionary(name);
    fill(dictionary, data);
    std::string out;
    if (!cache_->ExpandWithData(name, ctemplate::DO_NOT_STRIP, &dictionary, nullptr, &out))
      throw std::runtime_error("template '" + name + "': there is no such file in '" + folder_ +
                               "', or a template is malformed");
    return out;
  }

 private:
  static std::string text_of(const json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

  static void fill(ctemplate::TemplateDictionary& dictionary, const json& data) {
    for (const auto& [name, value] : data.items()) {
      if (value.is_object()) {
        fill(*dictionary.AddSectionDictionary(name), value);
      } else if (value.is_array()) {
        for (const auto& element : value) {
          auto& section = *dictionary.AddSectionDictionary(name);
          if (element.is_object()) fill(section, element);
          else section.SetValue("ITEM", text_of(element));
        }
      } else if (value.is_boolean()) {
        if (value.get<bool>()) dictionary.ShowSection(name);
      } else if (!value.is_null()) {
        dictionary.SetValue(name, text_of(value));
      }
    }
  }

  std::string folder_;
  std::unique_ptr<ctemplate::TemplateCache> cache_ = std::make_unique<ctemplate::TemplateCache>();
};

}  // namespace winsvc
