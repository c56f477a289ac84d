// Each allocation of a registration or of a reload of settings fails once. Afterwards all of it has taken effect, or
// nothing.
#include <winsvc/testing.hpp>

#include "../support/failing_allocations.hpp"

#if defined(__linux__) && !defined(WITH_OPERATOR_NEW_OF_SANITIZER)

  #include <doctest/doctest.h>

  #include <memory>
  #include <string>

using failing_allocations::each_failure;
using failing_allocations::outcome;
using failing_allocations::sweep;
namespace settings = winsvc::detail::settings;
namespace route = winsvc::detail::route;

namespace {

const std::string long_text(30, 'x'), second_text(30, 'y');

}  // namespace

TEST_CASE("a reload of settings applies all values or none if an allocation fails") {
  struct test_settings {
    std::shared_ptr<settings::typed_setting<std::string>> first =
        std::make_shared<settings::typed_setting<std::string>>("first", long_text, "");
    std::shared_ptr<settings::typed_setting<std::string>> second =
        std::make_shared<settings::typed_setting<std::string>>("second", long_text, "");
    settings::setting_registry registry;
    [[nodiscard]] std::string text() const {
      std::string text = first->get() + ' ' + second->get();
      for (const auto& view : registry.views()) text += ' ' + view.source;
      for (const auto& name : registry.pending_names()) text += ' ' + name;
      for (const auto& error : registry.errors()) text += ' ' + error.to_string();
      return text + (registry.sources().file ? " file" : "");
    }
  };
  const auto declared = [] {
    auto made = std::make_unique<test_settings>();
    made->second->needs_restart = true;
    made->registry.declare(made->first);
    made->registry.declare(made->second);
    return made;
  };
  const std::string before = declared()->text();
  const auto file = settings::parse_settings_file("first = " + second_text + "\nsecond = " + second_text + '\n');
  std::string after;
  each_failure("setting_registry::reload", declared, [&](test_settings& s) { s.registry.reload(file); },
               [&](test_settings& s, outcome result) {
                 if (after.empty()) {
                   auto fresh = declared();
                   fresh->registry.reload(file);
                   after = fresh->text();
                 }
                 if (result == outcome::threw && s.text() != before) return "changed: " + s.text();
                 s.registry.reload(file);
                 return s.text() == after ? std::string() : s.text();
               });
  sweep("setting_registry::declare", [] { return std::make_unique<test_settings>(); },
        [](test_settings& s) { s.registry.declare(s.first); }, [](test_settings& s) { return s.text(); });
}

TEST_CASE("a route table has all of a route or nothing of it if an allocation fails") {
  const auto here = winsvc::source_location::current();
  const auto with_route = [&] {
    auto made = std::make_unique<route::table>();
    made->add(route::method::get, "/a/{b}", 0, here);
    return made;
  };
  const auto matches = [](const route::table& table) {
    std::string text = std::to_string(table.entries().size());
    for (const char* path : {"/a/1", "/a/1/c", "/a/1/d", "/a", "/x/y/z"}) {
      for (const auto method : {route::method::get, route::method::other}) {
        const auto match = table.match(method, path, "REPORT");
        text += ' ' + std::to_string(static_cast<int>(match.outcome)) + ' ' + std::to_string(match.route_id);
      }
    }
    return text + ' ' + (table.all_methods().has_other("REPORT") ? "REPORT" : "");
  };
  const std::string before = matches(*with_route());
  for (const char* pattern : {"/a/{b}/c", "/a/1/{d}", "/x/{tail...}"}) {
    for (const auto method : {route::method::put, route::method::other}) {
      const auto add = [&](route::table& table) { table.add(method, pattern, 1, here, "REPORT"); };
      auto complete = with_route();
      add(*complete);
      each_failure(std::string("route::table::add ") + pattern, with_route, add,
                   [&](route::table& table, outcome result) {
                     if (result == outcome::threw && matches(table) != before) return "changed: " + matches(table);
                     if (result == outcome::threw) add(table);
                     return matches(table) == matches(*complete) ? std::string() : matches(table);
                   });
    }
  }
  sweep("route::table::name_routes", with_route,
        [](route::table& table) { table.name_routes(0, 1, std::string(30, 'n')); },
        [](route::table& table) { return std::string(table.names().front()) + table.entries()[0].metadata.name; });
}

TEST_CASE("a service has all of a registration or nothing of it if an allocation fails") {
  struct test_service {
    winsvc::detail::host::service_definition definition;
    winsvc::service svc{definition};
    [[nodiscard]] std::string text() const {
      const auto& router = definition.router;
      std::string text = std::to_string(definition.on_engine_created.size());
      for (const char* path : {"/a", "/b", "/group/x"}) {
        route::match_result match;
        router.match(route::method::get, path, {}, match);
        text += ' ' + std::to_string(static_cast<int>(match.outcome)) + ' ' +
                std::to_string(router.middleware_for(match, route::method::get, path).size());
      }
      return text;
    }
  };
  const auto registered = [] {
    auto made = std::make_unique<test_service>();
    made->svc.get("/a", [] { return "a"; });
    return made;
  };
  const auto pass = [large = std::string(40, 'x')](const winsvc::request&, winsvc::response&,
                                                   const winsvc::next_handler& next) { next(); };
  const auto text = [](test_service& s) { return s.text(); };
  sweep("service::get", registered, [](test_service& s) { s.svc.get("/b", [] { return "b"; }); }, text);
  sweep("service::use", registered, [&](test_service& s) { s.svc.use(pass); },
        [](test_service& s) {
          s.svc.get("/b", [] { return "b"; });
          return s.text();
        });
  sweep("route_builder::use", registered,
        [&](test_service& s) {
          winsvc::route_builder(s.definition.router, 0, 1).use(pass);
        }, text);
  sweep("route_group::use", registered,
        [&](test_service& s) { s.svc.group("/group", [&](winsvc::route_group& g) { g.use(pass); }); }, text);
  sweep("service::access_log", registered, [](test_service& s) { s.svc.access_log(); }, text);
}

#endif
