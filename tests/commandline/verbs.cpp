// The two tables of the command line, and the help that is made of them.
#include "winsvc/commandline/verbs.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace winsvc;
using namespace winsvc::model;

namespace {
bool holds(const std::string& s, std::string_view part) { return s.find(part) != std::string::npos; }
}  // namespace

TEST_CASE("every verb is in the table once, under words that no other has") {
  std::set<std::string> message;
  std::set<verb> ids;
  for (const auto& r : verb_table) {
    CAPTURE(r.word);
    CHECK(ids.insert(r.id).second);
    CHECK(message.insert(std::string(r.word)).second);
    if (!r.aliases.empty()) CHECK(message.insert(std::string(r.aliases)).second);
    CHECK(strings::to_lower(r.word) == r.word);
    CHECK(&info(r.id) == &r);
  }
  for (const verb v : {verb::help, verb::version, verb::install, verb::update, verb::remove, verb::start, verb::stop,
                       verb::restart, verb::pause, verb::resume, verb::reload, verb::control, verb::status, verb::debug,
                       verb::routes, verb::run_service}) {
    CHECK(ids.count(v) == 1);
  }
}

TEST_CASE("every option is in the table once, has a verb that takes it, and words for it") {
  std::set<std::string> message;
  std::uint32_t every_verb = 0;
  for (const auto& r : verb_table) every_verb |= verb_bit(r.id);
  for (const auto& o : option_table) {
    CAPTURE(o.word);
    CHECK(message.insert(std::string(o.word)).second);
    CHECK((o.word.substr(0, 2) == "--" || (o.word.size() == 2 && o.word[0] == '-')));
    CHECK(strings::to_lower(o.word) == o.word);
    CHECK(o.verbs != 0);
    CHECK((o.verbs & ~every_verb) == 0);
    if (!o.summary.empty()) CHECK(o.summary.back() != '.');
  }
  for (const auto& o : rejected_options) CHECK(message.insert(std::string(o.word)).second);
}

TEST_CASE("the help of a verb has its options and no other's") {
  for (const auto& r : verb_table) {
    const std::string help = help_text("app", r.id);
    CAPTURE(help);
    CHECK(help.rfind("usage: app " + std::string(r.word), 0) == 0);
    CHECK(help.back() == '\n');
    for (const auto& o : option_table) {
      const bool taken = (o.verbs & verb_bit(r.id)) != 0 && !o.summary.empty();
      CHECK(holds(help, "  " + std::string(o.word) + (o.value.empty() ? "\n" : " " + std::string(o.value) + "\n")) ==
            taken);
      if (taken) CHECK(holds(help, o.summary));
    }
    if (!r.details.empty()) CHECK(holds(help, r.details));
  }
}

TEST_CASE("the help screen has every verb that a person may use, with its line, and what the app says of itself") {
  const std::string help = help_text("app", "Hello service");
  CHECK(help.rfind("Hello service\n", 0) == 0);
  for (const auto& r : verb_table) {
    CAPTURE(r.word);
    const bool shown = !r.summary.empty();
    CHECK(holds(help, "\n  " + std::string(r.word) + " ") == shown);
    if (shown) CHECK(holds(help, r.summary));
  }
  CHECK(holds(help, "app help VERB"));
  CHECK(help_text("app", "").rfind("usage: app", 0) == 0);
}

TEST_CASE("the help of a verb shows what it takes beside options") {
  CHECK(help_text("app", verb::control).rfind("usage: app control [options] N\n", 0) == 0);
  CHECK(help_text("app", verb::start).rfind("usage: app start [options] [-- ARGUMENTS]\n", 0) == 0);
  CHECK(help_text("app", verb::help).rfind("usage: app help [VERB]\n", 0) == 0);
  CHECK(help_text("app", verb::version).rfind("usage: app version\n", 0) == 0);
}

TEST_CASE("every verb but those that only tell of the program takes an instance, and every one that may be refused a way out") {
  const auto takes = [](verb v, std::string_view word) {
    for (const auto& o : option_table) {
      if (o.word == word) return (o.verbs & verb_bit(v)) != 0;
    }
    return false;
  };
  for (const auto& v : verb_table) {
    CAPTURE(v.word);
    const bool tells = v.id == verb::help || v.id == verb::version || v.id == verb::routes;
    CHECK(takes(v.id, "--instance") == !tells);
    CHECK(takes(v.id, "--no-elevate") == takes(v.id, "--elevated"));
    CHECK(takes(v.id, "--no-elevate") == (!tells && v.id != verb::status && v.id != verb::debug && v.id != verb::config && v.id != verb::logs && v.id != verb::level && v.id != verb::doctor && v.id != verb::why && v.id != verb::run_service));
  }
}

TEST_CASE("help fits a terminal of 120 columns") {
  std::string text = help_text("app", "");
  for (const auto& r : verb_table) text += help_text("app", r.id);
  for (const auto line : strings::split(text, '\n')) CHECK(line.size() <= 120);
}
