// Settings from a TOML file: `toml.toml` next to the program `toml` replaces `toml.ini`. With toml++ (Debian:
// libtomlplusplus-dev).
//
// winsvc.o is the compiled part of winsvc; the comment in hello.cpp has its command line.
//
//   g++ -std=c++17 -O2 -DWINSVC_SEPARATE=1 -Isingle_include -Iadapters -Ibuild/deps/include examples/toml/app.cpp winsvc.o -o toml
//
//   $ cat toml.toml
//   title = "Weekly report"
//   recipients = ["anna@example.com", "Berg, Carl"]
//   [page]
//   rows = 50
//   $ ./toml debug &
//   $ curl http://127.0.0.1:5023/
//   Weekly report: 50 rows per page, for anna@example.com; Berg, Carl
//   $ ./toml config --init             writes a file with all settings, if there is none
//
// For Windows, put the headers of toml++ next to this file, and compile as hello.cpp shows.
#include <winsvc.hpp>
#include <winsvc/toml.hpp>  // adapters/winsvc/toml.hpp

#include <string>
#include <vector>

void App(winsvc::service& svc) {
  svc.name("reporter").listen("127.0.0.1", 5023);
  svc.settings_format(winsvc::adapters::toml_settings());  // before the first setting
  auto title = svc.setting("title", "Report", "the title of each page");
  auto recipients = svc.setting<std::vector<std::string>>("recipients", {}, "addresses that get the report");
  auto rows = svc.setting<int>("page.rows", 20, "rows per page", winsvc::between(1, 500));
  svc.reload_on_change();

  svc.get("/", [=] {
    std::string text = *title + ": " + std::to_string(*rows) + " rows per page, for ";
    const auto names = *recipients;
    for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : "; ") + names[i];
    return text + "\n";
  });
}
WINSVC_MAIN(App)
