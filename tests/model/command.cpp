// From the words of the command line to what is asked, by the tables.
#include "winsvc/model/command.hpp"

#include <doctest/doctest.h>

using namespace winsvc;
using namespace winsvc::model;
using namespace std::chrono_literals;
using words = std::vector<std::string>;

namespace {

/// A value that the option takes.
std::string sample(const option_row& o) {
  switch (o.id) {
    case option::startup: return "manual";
    case option::display_name: return "Hello service";
    case option::description: return "Says hello";
    case option::host: return "0.0.0.0";
    case option::port: return "5001";
    case option::wait: return "90";
    default: return {};
  }
}

bool applied(const command& c, option o) {
  switch (o) {
    case option::startup: return c.startup == winsvc::startup::manual;
    case option::display_name: return c.display_name == "Hello service";
    case option::description: return c.description == "Says hello";
    case option::host: return c.launch.host == "0.0.0.0";
    case option::port: return c.launch.port == 5001;
    case option::wait: return c.wait == 90s;
    case option::no_wait: return c.no_wait;
    case option::json: return c.json;
  }
  return false;
}

std::string shouted(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = text::to_upper(c);
  return out;
}

std::string sentence(const words& w) {
  const auto got = parse_command(w);
  if (got) return "accepted";
  CHECK(got.error().code == 0);  // a usage error is ours, and the exit code 2 is given above
  return got.error().sentence();
}

bool holds(const std::string& s, std::string_view part) { return s.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("every verb takes the options that the table gives it, in both forms and any case, and no other") {
  for (const auto& v : verb_table) {
    for (const auto& o : option_table) {
      CAPTURE(v.word);
      CAPTURE(o.word);
      const std::string verb(v.word), option(o.word), value = sample(o);
      std::vector<words> forms;
      for (const std::string& as : {option, shouted(option)}) {
        if (o.value.empty()) {
          forms.push_back({verb, as});
        } else {
          forms.push_back({verb, as, value});
          forms.push_back({shouted(verb), as + "=" + value});
        }
      }
      for (const auto& form : forms) {
        const auto got = parse_command(form);
        if ((o.verbs & bit(v.id)) != 0) {
          REQUIRE(got);
          CHECK(got->verb == v.id);
          CHECK(applied(*got, o.id));
        } else {
          REQUIRE_FALSE(got);
          CHECK(got.error().code == 0);
          CHECK(holds(got.error().said, "takes no option"));
          CHECK(holds(got.error().hint, "help " + verb));
        }
      }
    }
  }
}

TEST_CASE("every verb is known by its words in any case, and alone asks for nothing more") {
  for (const auto& v : verb_table) {
    for (const std::string_view word : {v.word, v.also}) {
      if (word.empty()) continue;
      for (const std::string& spelled : {std::string(word), shouted(word)}) {
        const auto got = parse_command({spelled});
        REQUIRE(got);
        CHECK(got->verb == v.id);
        CHECK_FALSE(got->bare);
        CHECK_FALSE(got->topic);
        CHECK_FALSE(got->listen.host);
        CHECK_FALSE(got->listen.port);
        CHECK_FALSE(got->startup);
        CHECK_FALSE(got->no_wait);
        CHECK_FALSE(got->json);
        CHECK(got->wait == 60s);
      }
    }
  }
}

TEST_CASE("no words at all is help, marked as bare") {
  const auto got = parse_command({});
  REQUIRE(got);
  CHECK(got->verb == verb::help);
  CHECK(got->bare);
}

TEST_CASE("options come in any number and order, and the last one counts") {
  const auto got = parse_command({"install", "--port", "1", "--host=::1", "--startup", "Delayed", "--port=2",
                                  "--display-name", "A = B", "--description="});
  REQUIRE(got);
  CHECK(*got->listen.port == 2);
  CHECK(*got->listen.host == "::1");
  CHECK(*got->startup == startup::delayed);
  CHECK(*got->display_name == "A = B");
  CHECK(got->description->empty());
  CHECK(*parse_command({"install", "--description=a=b"})->description == "a=b");
}

TEST_CASE("help is asked for in every way that people ask for it") {
  for (const std::string word : {"help", "HELP", "--help", "--Help", "-h", "-H", "/?", "-?"}) {
    CAPTURE(word);
    const auto got = parse_command({word});
    REQUIRE(got);
    CHECK(got->verb == verb::help);
    CHECK_FALSE(got->topic);
  }
  for (const auto& v : verb_table) {
    for (const words& w :
         {words{"help", std::string(v.word)}, words{std::string(v.word), "--help"}, words{std::string(v.word), "-h"},
          words{std::string(v.word), "/?"}, words{std::string(v.word), "-?"}, words{std::string(v.word), "--HELP"}}) {
      CAPTURE(text::join(w, " "));
      const auto got = parse_command(w);
      REQUIRE(got);
      CHECK(got->verb == verb::help);
      CHECK(got->topic == v.id);
    }
  }
  const auto behind = parse_command({"install", "--port", "80", "--help"});
  REQUIRE(behind);
  CHECK(behind->topic == verb::install);
  CHECK(parse_command({"--version"})->verb == verb::version);
  CHECK(parse_command({"--VERSION"})->verb == verb::version);
}

TEST_CASE("an unknown word suggests the nearest, or where to look") {
  CHECK(sentence({"instal"}) == "unknown verb 'instal'; did you mean 'install'?");
  CHECK(sentence({"STRAT"}) == "unknown verb 'STRAT'; did you mean 'start'?");
  CHECK(sentence({"banana"}) == "unknown verb 'banana'; 'help' lists the verbs");
  CHECK(sentence({"run-servic"}) == "unknown verb 'run-servic'; 'help' lists the verbs");  // no word for a person
  CHECK(sentence({""}) == "unknown verb ''; 'help' lists the verbs");
  CHECK(sentence({"help", "instal"}) == "unknown verb 'instal'; did you mean 'install'?");
  CHECK(sentence({"install", "--prot", "80"}) == "unknown option '--prot'; did you mean '--port'?");
  CHECK(sentence({"install", "--prot=80"}) == "unknown option '--prot'; did you mean '--port'?");
  CHECK(sentence({"install", "--banana"}) == "unknown option '--banana'; 'help install' lists the options");
  CHECK(sentence({"install", "--"}) == "unknown option '--'; 'help install' lists the options");
  // An option that this verb does not take is never suggested.
  CHECK(sentence({"version", "--jsn"}) == "unknown option '--jsn'; 'help version' lists the options");
}

TEST_CASE("a value that an option does not take is refused, with what it takes") {
  struct row { words w; const char* hint; };
  const row rows[] = {
      {{"install", "--port", "-1"}, "a port is a number from 0 to 65535"},
      {{"install", "--port", "65536"}, "a port is a number from 0 to 65535"},
      {{"install", "--port", "99999999999999999999"}, "a port is a number from 0 to 65535"},
      {{"install", "--port", ""}, "a port is a number from 0 to 65535"},
      {{"install", "--port=http"}, "a port is a number from 0 to 65535"},
      {{"install", "--port", "--host"}, "a port is a number from 0 to 65535"},
      {{"debug", "--host="}, "give an address"},
      {{"install", "--startup", "boot"}, "auto|delayed|manual|disabled"},
      {{"start", "--wait", "soon"}, "give seconds"},
      {{"start", "--wait=-1"}, "give seconds"},
      {{"install", "--display-name", std::string(257, 'x')}, "shorten it"},
  };
  for (const auto& r : rows) {
    CAPTURE(text::join(r.w, " "));
    const auto got = parse_command(r.w);
    REQUIRE_FALSE(got);
    CHECK(holds(got.error().hint, r.hint));
  }
  CHECK(sentence({"install", "--port", "-1"}) == "--port does not take '-1'; a port is a number from 0 to 65535");
  CHECK(*parse_command({"install", "--port", "0"})->listen.port == 0);
  CHECK(*parse_command({"install", "--port", "65535"})->listen.port == 65535);
}

TEST_CASE("a usage error has no system code, whatever was wrong") {
  CHECK(sentence({"install", "--display-name", std::string(257, 'x')}) ==
        "--display-name: it is longer than 256 characters; shorten it");
  CHECK(parse_command({"install", "--display-name", std::string(256, 'x')}));
}

TEST_CASE("a missing value, a value too many, and a stray word are named") {
  CHECK(sentence({"install", "--port"}) == "--port needs a value; write --port N");
  CHECK(sentence({"stop", "--no-wait=1"}) == "--no-wait takes no value; write it alone");
  CHECK(sentence({"status", "--json="}) == "--json takes no value; write it alone");
  CHECK(sentence({"install", "hello"}) ==
        "'install' takes no argument 'hello'; options begin with --; 'help install' lists them");
  CHECK(sentence({"install", ""}) ==
        "'install' takes no argument ''; options begin with --; 'help install' lists them");
  CHECK(sentence({"install", "-"}) ==
        "'install' takes no argument '-'; options begin with --; 'help install' lists them");
  CHECK(sentence({"help", "install", "remove"}) ==
        "'help' takes no argument 'remove'; options begin with --; 'help help' lists them");
}

TEST_CASE("waiting is given in seconds or with a unit") {
  CHECK(parse_command({"start", "--wait", "5"})->wait == 5s);
  CHECK(parse_command({"start", "--wait=2m"})->wait == 2min);
  CHECK(parse_command({"remove", "--wait", "0"})->wait == 0s);
}
