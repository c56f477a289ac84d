// Tests of the settings of a running service under the simulated SCM: settings file, sources, reload.
#include "support.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace support;
using winsvc::service;
using winsvc::setup_error;

namespace {

void write_file(const folder& data, const std::string& content) {
  std::ofstream(data.path + "/hello.ini", std::ios::binary) << content;
}

/// Replaces the file in one step. std::ofstream empties the file first, and the service may read it at that time.
void replace(const folder& data, const std::string& content) {
  REQUIRE(winsvc::detail::os::replace_file(data.path + "/hello.ini", content));
}
/// Writes the file in place and in one step; the content must not be shorter than before.
void overwrite(const folder& data, const std::string& content) {
  std::fstream(data.path + "/hello.ini", std::ios::binary | std::ios::in | std::ios::out) << content;
}

/// A service whose settings file is `hello.ini` in its data folder.
struct configured {
  folder data;
  simulated_scm scm;
  configured() {
    scm.data_folder = data.path;
    scm.launch.config = data.path + "/hello.ini";
  }
  bool logged(std::string_view text) {
    return eventually([&] { return data.log().find(text) != std::string::npos; });
  }
};

const auto app = [](service& svc) {
  auto greeting = svc.setting("greeting", "hello", "text of the greeting");
  auto workers = svc.setting<int>("workers", 4, "threads", winsvc::between(1, 64), winsvc::at_start);
  auto token = svc.setting("store.token", "", "token of the store", winsvc::secret);
  svc.get("/", [=] { return *greeting + ' ' + std::to_string(*workers) + ' ' + *token; });
};

}  // namespace

TEST_CASE("a list setting takes a braced default, a path is a setting, and -> reaches the members of a value") {
  auto first_app = [](service& svc) {
    auto scales = svc.setting<std::vector<std::string>>("scales", {"s1", "s2"}, "the scales to read");
    auto token = svc.setting("token", "", "of the store", winsvc::secret);
    auto place = svc.setting<std::filesystem::path>("place", "C:\\data", "where");
    svc.get("/", [=] {
      return std::to_string(scales->size()) + (token->empty() ? " none " : " some ") + place->u8string();
    });
  };
  configured c;
  write_file(c.data, "scales = a, b, c\n");

  c.scm.start(first_app);

  CHECK(get(c.scm, "/").body == "3 none C:\\data");
  CHECK(c.scm.stop() == 0);
}

TEST_CASE("literals of each integer type are defaults and limits of a setting") {
  configured c;
  write_file(c.data, "long = 1500000000\nunsigned = 7\n");
  auto with_literals = [](service& svc) {
    auto number = svc.setting("long", 64L, "a long", winsvc::between(1L, 2'000'000'000L));
    auto longer = svc.setting("longer", 10LL, "a long long", winsvc::between(1, 100));
    auto positive = svc.setting("unsigned", 1UL, "an unsigned long", winsvc::between(0UL, 9UL));
    auto typed = svc.setting<long>("typed", 1, "a long with limits of int", winsvc::between(1, 5));
    svc.get("/", [number, longer, positive, typed] {
      return std::to_string(*number) + ' ' + std::to_string(*longer) + ' ' + std::to_string(*positive) + ' ' +
             std::to_string(*typed);
    });
  };
  c.scm.start(with_literals);
  CHECK(get(c.scm, "/").body == "1500000000 10 7 1");
  CHECK(c.scm.stop() == 0);
}

TEST_CASE("a handler reads the values of the file, and after a reload the new values; the log has the changes") {
  configured c;
  write_file(c.data, "greeting = hi\n[store]\ntoken = s3cret\n");
  c.scm.start(app);
  CHECK(get(c.scm, "/").body == "hi 4 s3cret");

  write_file(c.data, "greeting = good day\nworkers = 8\n[store]\ntoken = n3w\n");
  CHECK(c.scm.reload() == 0);

  CHECK(c.logged("setting greeting: 'good day', was 'hi' (hello.ini:1)"));
  CHECK(c.logged("setting store.token (hello.ini:4)"));
  CHECK(c.logged("setting workers: '8', was '4' (hello.ini:2) takes effect at the next start"));
  CHECK(eventually([&] { return has(c.scm.events(), "7 simulated reloaded"); }));
  CHECK(get(c.scm, "/").body == "good day 4 n3w");
  const auto pending = [&c] {
    const auto live = winsvc::detail::base::parse_flat_object(winsvc::detail::diagnose::query_live_status(
        winsvc::detail::os::control_channel_address("simulated", c.data.path), winsvc::detail::os::process_id()));
    return live ? winsvc::detail::base::text_of(*live, "pending_restart") : std::string("no response");
  };
  CHECK(pending() == "setting workers");
  write_file(c.data, "greeting = good day\nworkers = 4\n[store]\ntoken = n3w\n");
  CHECK(c.scm.reload() == 0);
  CHECK(eventually([&] { return pending().empty(); }));
  CHECK(c.scm.stop() == 0);
  CHECK(c.scm.wait() == 0);
  CHECK(c.data.log().find("s3cret") == std::string::npos);
  CHECK(c.scm.violations().empty());
}

TEST_CASE("a damaged settings file changes no setting, and the error is logged") {
  configured c;
  write_file(c.data, "greeting = hi\n");
  diary d;
  auto hooked = [&](service& svc) {
    app(svc);
    svc.on_reload([&] { d.note("reload"); });
  };
  c.scm.start(hooked);

  write_file(c.data, std::string("greeting = good day\nwork\0\0\0\0", 28));
  CHECK(c.scm.reload() == 0);

  CHECK(c.logged("reload: read 'hello.ini:2': it contains a zero byte; the file is damaged or not a text file (13); "
                 "save it as UTF-8; no setting was changed"));
  CHECK(get(c.scm, "/").body == "hi 4 ");
  CHECK(d.text().empty());  // no reload hook runs after an error
  std::filesystem::remove(c.data.path + "/hello.ini");
  CHECK(c.scm.reload() == 0);
  CHECK(c.logged("the file was not found (2); check the path; no setting was changed"));
  CHECK(get(c.scm, "/").body == "hi 4 ");
  write_file(c.data, "greeting = good day\n");
  CHECK(c.scm.reload() == 0);
  CHECK(eventually([&] { return d.text() == "reload"; }));
  CHECK(get(c.scm, "/").body == "good day 4 ");
}

TEST_CASE("invalid settings fail the start, and the message has a line for each error, in file order") {
  configured c;
  write_file(c.data, "workers = 100\ngreting = hi\n");

  c.scm.start(app);

  CHECK(c.scm.wait() == 13);
  const std::string sentence =
      "read 'hello.ini:1': 'workers' must lie between 1 and 64, but is '100' (13)\nread 'hello.ini:2': there is "
      "no setting 'greting' (13); did you mean 'greeting'?";
  CHECK(c.data.left().failure == sentence);
  for (const auto line : winsvc::detail::base::split(sentence, '\n'))
    CHECK(c.data.log().find("ERROR " + std::string(line) + '\n') != std::string::npos);
  CHECK(has(c.scm.events(), "3 " + sentence));
  CHECK(c.scm.violations().empty());
}

TEST_CASE("a missing settings file fails the start if it was named; the default file is optional") {
  configured c;
  c.scm.start(app);
  CHECK(c.scm.wait() == 2);
  CHECK(c.data.left().failure.find("read the settings '" + c.data.path) == 0);

  simulated_scm without;
  without.start(app);
  CHECK(get(without, "/").body == "hello 4 ");
}

TEST_CASE("host and port are settings, and the command line has precedence") {
  configured c;
  write_file(c.data, "host = 127.0.0.1\nport = 0\n");
  c.scm.launch.host.reset();
  c.scm.launch.port.reset();
  auto elsewhere = [](service& svc) { svc.listen("192.0.2.1", 1); };
  c.scm.start(elsewhere);
  CHECK(get(c.scm, "/livez").status == 200);
  CHECK(c.scm.stop() == 0);
  CHECK(c.scm.wait() == 0);

  configured other;
  write_file(other.data, "host = 192.0.2.1\nport = 1\n");
  other.scm.start(app);
  CHECK(get(other.scm, "/livez").status == 200);
}

TEST_CASE("the log level is a setting that a reload can change") {
  configured c;
  write_file(c.data, "log_level = warn\n");
  auto logging = [](service& svc) {
    svc.get("/{text}", [&svc](const std::string& text) {
      svc.log().debug("debug " + text);
      svc.log().info("info " + text);
      svc.log().warn("warn " + text);
      return "";
    });
  };
  c.scm.start(logging);
  get(c.scm, "/one");
  write_file(c.data, "log_level = debug\n");
  CHECK(c.scm.reload() == 0);
  CHECK(c.logged("setting log_level: 'debug', was 'warn' (hello.ini:1)"));
  get(c.scm, "/two");

  CHECK(c.logged("warn two"));
  const std::string log = c.data.log();
  CHECK(log.find("info one") == std::string::npos);
  CHECK(log.find("warn one") != std::string::npos);
  CHECK(log.find("debug two") != std::string::npos);
}

TEST_CASE("the app can read a setting after its declaration") {
  configured c;
  write_file(c.data, "route = /there\n");
  auto reads = [](service& svc) {
    const auto route = svc.setting("route", "/here", "path of the route", winsvc::at_start);
    svc.get(*route, [] { return "yes"; });
  };
  c.scm.start(reads);
  CHECK(get(c.scm, "/there").body == "yes");
}

TEST_CASE("the prefix of environment variables is the service name without the instance") {
  for (const auto* name : {"hello", "hello$blue"}) {
    winsvc::detail::host::service_definition definition;
    definition.spec.name = name;
    winsvc::detail::scm::launch_options launch;
    launch.instance = "blue";
    winsvc::detail::host::load_setting_sources(definition, launch, "/apps/hello");
    CHECK(definition.settings.sources().prefix == "HELLO");
    CHECK(definition.settings.sources().file_name == "hello-blue.ini");
  }
}

TEST_CASE("an invalid declaration of a setting throws setup_error") {
  const auto error_of = [](void (*describe)(service&)) -> std::string {
    winsvc::detail::host::service_definition definition;
    service svc(definition);
    try {
      describe(svc);
    } catch (const setup_error& e) {
      return e.what();
    }
    return "no error";
  };
  CHECK(error_of([](service& svc) { svc.setting("a", 1); svc.setting("A", 2); })
            .find("already declared at app_settings.cpp:") != std::string::npos);
  CHECK(error_of([](service& svc) { svc.setting("a b", 1); }).find("a name consists of letters") != std::string::npos);
  CHECK(error_of([](service& svc) { svc.setting("a", 0, "", winsvc::between(1, 2)); })
            .find("its default must lie between 1 and 2") != std::string::npos);
  CHECK(error_of([](service& svc) {
          svc.setting("a", 3, "", winsvc::satisfies([](int n) { return n % 2 == 0; }, "be even"));
        }).find("its default must be even") != std::string::npos);
  CHECK(error_of([](service& svc) { svc.setting("a", 1); svc.name("x"); }).find("call name() before setting()") !=
        std::string::npos);
  CHECK(error_of([](service& svc) { svc.name("x"); svc.setting("a", 1); }) == "no error");
}

TEST_CASE("an app cannot declare a built-in setting, or one that has the environment variable of a built-in setting") {
  winsvc::detail::host::service_definition declared;
  winsvc::detail::host::declare_builtin_settings(declared);
  const auto error_of = [](const std::string& name) -> std::string {
    winsvc::detail::host::service_definition definition;
    service svc(definition);
    try {
      svc.setting(name, "x");
    } catch (const setup_error& e) {
      return e.what();
    }
    return "no error";
  };
  std::vector<std::string> names;
  for (const auto& builtin : declared.settings.settings()) {
    const std::string name = builtin->name();
    std::string upper = name, dotted = name;
    names.push_back(name);
    CAPTURE(name);

    CHECK(error_of(name).find("setting '" + name + "' (app_settings.cpp:") == 0);
    CHECK(error_of(name).find("): built-in setting; use another name") != std::string::npos);
    for (char& c : upper) c = winsvc::detail::base::to_upper(c);
    CHECK(error_of(upper) == error_of(name));
    std::replace(dotted.begin(), dotted.end(), '_', '.');
    if (dotted != name)
      CHECK(error_of(dotted).find("it has the same environment variable as the built-in setting '" + name + '\'') !=
            std::string::npos);
  }

  CHECK(names == std::vector<std::string>{"host", "port", "bind_timeout", "allowed_hosts", "log_level", "log_format"});
  CHECK(error_of("port").find("set the default of 'port' with listen()") != std::string::npos);
  CHECK(error_of("bind_timeout").find("set the default") == std::string::npos);
  CHECK(error_of("ports") == "no error");
}

TEST_CASE("an exception of a validation function during a reload is an error of the file") {
  configured c;
  write_file(c.data, "pattern = a\n");
  auto validated = [](service& svc) {
    auto pattern = svc.setting("pattern", "x", "pattern of the search", winsvc::satisfies([](const std::string& s) {
      if (s[0] == '(') throw std::runtime_error("mismatched '('");
      return true;
    }, "be a regular expression"));
    svc.get("/", [=] { return *pattern; });
  };
  c.scm.start(validated);
  write_file(c.data, "pattern = (a\n");
  CHECK(c.scm.reload() == 0);

  CHECK(c.logged("hello.ini:1': 'pattern' must be a regular expression (mismatched '('), but is '(a'"));
  CHECK(get(c.scm, "/").body == "a");
  CHECK(c.scm.stop() == 0);
  CHECK(c.scm.wait() == 0);
}

TEST_CASE("changes by a reload are logged at each log level") {
  configured c;
  write_file(c.data, "greeting = hi\nlog_level = error\n");
  c.scm.start(app);
  write_file(c.data, "greeting = good day\nlog_level = error\n");
  CHECK(c.scm.reload() == 0);
  CHECK(c.logged("setting greeting: 'good day', was 'hi'"));
  CHECK(c.scm.stop() == 0);
  CHECK(c.scm.wait() == 0);
}

TEST_CASE("with reload_on_change a changed file is reloaded; other files and unchanged content are ignored") {
  configured c;
  write_file(c.data, "greeting = hi\n");
  diary d;
  auto watched = [&](service& svc) {
    app(svc);
    svc.reload_on_change();
    svc.on_reload([&] { d.note("reload"); });
  };
  c.scm.start(watched);

  overwrite(c.data, "greeting = hi\n");
  std::ofstream(c.data.path + "/other.ini") << "greeting = no\n";
  std::this_thread::sleep_for(winsvc::detail::host::settings_watcher::settle_time * 3);
  CHECK(d.text().empty());

  overwrite(c.data, "greeting = good day\n");
  CHECK(eventually([&] { return get(c.scm, "/").body == "good day 4 "; }));
  CHECK(c.logged("hello.ini has changed"));

  std::ofstream(c.data.path + "/hello.ini.new", std::ios::binary) << "greeting = renamed\n";
  std::filesystem::rename(c.data.path + "/hello.ini.new", c.data.path + "/hello.ini");
  CHECK(eventually([&] { return get(c.scm, "/").body == "renamed 4 "; }));
  CHECK(eventually([&] { return d.text() == "reload reload"; }));
  CHECK(c.scm.stop() == 0);
  CHECK(c.scm.wait() == 0);
  CHECK(c.scm.violations().empty());
}

TEST_CASE("a change during the start hooks is detected, and an incomplete file changes no setting") {
  configured c;
  write_file(c.data, "greeting = hi\n");
  auto watched = [&](service& svc) {
    app(svc);
    svc.reload_on_change().on_start([&] { replace(c.data, "greeting = late\n"); });
  };
  c.scm.start(watched);
  CHECK(eventually([&] { return get(c.scm, "/").body == "late 4 "; }));

  replace(c.data, "greeting = half\nworkers");
  CHECK(c.logged("no setting was changed"));
  CHECK(get(c.scm, "/").body == "late 4 ");

  replace(c.data, "greeting = half\nworkers = 9\n");
  CHECK(eventually([&] { return get(c.scm, "/").body == "half 4 "; }));
  CHECK(c.scm.stop() == 0);
  CHECK(c.scm.wait() == 0);
}

#ifndef _WIN32  // Windows does not allow deleting a folder that is watched
TEST_CASE("if the folder of the settings file is deleted, the log reports that changes are not detected") {
  configured c;
  const std::string folder = c.data.path + "/settings";
  std::filesystem::create_directories(folder);
  c.scm.launch.config = folder + "/hello.ini";
  std::ofstream(folder + "/hello.ini") << "greeting = hi\n";
  auto watched = [&](service& svc) {
    app(svc);
    svc.reload_on_change();
  };
  c.scm.start(watched);

  REQUIRE(winsvc::detail::os::replace_file(folder + "/hello.ini", "greeting = hello\n"));
  REQUIRE(eventually([&] { return get(c.scm, "/").body == "hello 4 "; }));  // it is watched
  std::filesystem::remove_all(folder);

  CHECK(c.logged("hello.ini are not detected any more; use 'reload' to apply them"));
  CHECK(get(c.scm, "/").body == "hello 4 ");
  CHECK(c.scm.stop() == 0);
  CHECK(c.scm.wait() == 0);
}
#endif

namespace {

/// The format `name: value`; `config --init` writes values in angle brackets.
winsvc::settings_format colons() {
  const auto parse = [](std::string_view content) {
    winsvc::settings_file file;
    std::size_t number = 0;
    for (const auto line : winsvc::detail::base::split(content, '\n')) {
      ++number;
      const auto colon = line.find(": ");
      if (colon != line.npos)
        file.rows.push_back({std::string(line.substr(0, colon)), std::string(line.substr(colon + 2)), number, true});
      else if (!line.empty())
        file.errors.push_back({number, "the line has no ': '", "write name: value"});
    }
    return file;
  };
  return {"conf", parse, [](const std::string& value, const std::string&) { return '<' + value + '>'; }};
}

const auto colon_app = [](service& svc) {
  svc.settings_format(colons());
  app(svc);
};

}  // namespace

TEST_CASE("an app reads its settings file in another format, at the start and at a reload") {
  configured c;
  write_file(c.data, "Greeting: \"hi\"\nstore.token: s\n");
  c.scm.start(colon_app);
  CHECK(get(c.scm, "/").body == "\"hi\" 4 s");  // the quotes belong to a literal value

  write_file(c.data, "greeting: bye\nbad line\n");
  CHECK(c.scm.reload() == 0);
  CHECK(c.logged("hello.ini:2"));
  CHECK(get(c.scm, "/").body == "\"hi\" 4 s");

  write_file(c.data, "greeting: bye\n");
  CHECK(c.scm.reload() == 0);
  CHECK(c.logged("setting greeting: 'bye'"));
  CHECK(get(c.scm, "/").body == "bye 4 ");
}

TEST_CASE("the settings file of another format has its extension, unless --config names a file") {
  folder data;
  winsvc::detail::host::service_definition definition;
  winsvc::detail::host::load_setting_sources(definition, {}, data.path + "/hello.exe");
  CHECK(definition.settings.sources().file_name == "hello.ini");

  winsvc::detail::host::use_settings_format(definition, colons());
  CHECK(definition.settings.sources().file_name == "hello.conf");
  CHECK_FALSE(definition.settings.sources().file_error);

  winsvc::detail::scm::launch_options launch;
  launch.config = data.path + "/other.txt";
  winsvc::detail::host::load_setting_sources(definition, launch, data.path + "/hello.exe");  // as `config` does
  CHECK(definition.settings.sources().file_name == "other.txt");
  CHECK(definition.settings.sources().file_error);
}

TEST_CASE("names of another format are normalized, and invalid or repeated names are errors") {
  const auto file = winsvc::detail::settings::check_settings_file(
      {{{"Cache-Size", "1", 1, false}, {"cache_size", "2", 2, false}, {"a b", "3", 3, false}}, {{1, "broken", ""}}});
  REQUIRE(file.rows.size() == 1);
  CHECK(file.rows[0].name == "cache_size");
  REQUIRE(file.errors.size() == 3);
  CHECK(file.errors[1].message == "'cache_size' is already set in line 1");
  CHECK(file.errors[2].message == "'a b' is not a setting name");
}

TEST_CASE("a template of another format has its values") {
  const auto text =
      winsvc::detail::settings::settings_file_text({}, {{"greeting", "hello", "a text", ""}}, colons().write);
  CHECK(text.find("#greeting = <hello>\n") != std::string::npos);
}

TEST_CASE("a format after the first setting fails the start") {
  configured c;
  const auto late = [](service& svc) {
    app(svc);
    svc.settings_format(colons());
  };
  c.scm.start(late);
  CHECK(c.scm.wait() != 0);
  CHECK(c.logged("settings_format must be called before the first setting"));
}
