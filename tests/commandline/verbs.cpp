// Tables of verbs and options, and the help text.
#include "winsvc/commandline/verbs.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace winsvc;
using namespace winsvc::detail::commandline;

namespace {
bool contains(const std::string& s, std::string_view part) { return s.find(part) != std::string::npos; }
}  // namespace

TEST_CASE("each verb is in the table once, with unique names") {
  std::set<std::string> names;
  std::set<verb> ids;
  for (const auto& r : verb_table) {
    CAPTURE(r.word);
    CHECK(ids.insert(r.id).second);
    CHECK(names.insert(std::string(r.word)).second);
    if (!r.aliases.empty()) CHECK(names.insert(std::string(r.aliases)).second);
    CHECK(detail::base::to_lower(r.word) == r.word);
    CHECK(&info(r.id) == &r);
  }
  for (const verb v : {verb::help, verb::version, verb::install, verb::update, verb::remove, verb::start, verb::stop,
                       verb::restart, verb::pause, verb::resume, verb::reload, verb::control, verb::status, verb::debug,
                       verb::routes, verb::run_service}) {
    CHECK(ids.count(v) == 1);
  }
}

TEST_CASE("each option is in the table once and belongs to a verb") {
  std::set<std::string> names;
  std::uint32_t every_verb = 0;
  for (const auto& r : verb_table) every_verb |= verb_bit(r.id);
  for (const auto& o : option_table) {
    CAPTURE(o.word);
    CHECK(names.insert(std::string(o.word)).second);
    CHECK((o.word.substr(0, 2) == "--" || (o.word.size() == 2 && o.word[0] == '-')));
    CHECK(detail::base::to_lower(o.word) == o.word);
    CHECK(o.verbs != 0);
    CHECK((o.verbs & ~every_verb) == 0);
    if (!o.summary.empty()) CHECK(o.summary.back() != '.');
  }
  for (const auto& o : rejected_options) CHECK(names.insert(std::string(o.word)).second);
}

TEST_CASE("the help of a verb shows only the options of the verb") {
  for (const auto& r : verb_table) {
    const std::string help = help_text("app", r.id);
    CAPTURE(help);
    CHECK(help.rfind("usage: app " + std::string(r.word), 0) == 0);
    CHECK(help.back() == '\n');
    for (const auto& o : option_table) {
      const bool is_accepted = (o.verbs & verb_bit(r.id)) != 0 && !o.summary.empty();
      const std::string value = o.value.empty() ? "" : " " + std::string(o.value);
      CHECK(contains(help, "  " + std::string(o.word) + value + "\n") == is_accepted);
      if (is_accepted) CHECK(contains(help, o.summary));
    }
    if (!r.details.empty()) CHECK(contains(help, r.details));
  }
}

TEST_CASE("the help screen shows the description of the app and each verb that is not hidden") {
  const std::string help = help_text("app", "Hello service");
  CHECK(help.rfind("Hello service\n", 0) == 0);
  for (const auto& r : verb_table) {
    CAPTURE(r.word);
    const bool shown = !r.summary.empty();
    CHECK(contains(help, "\n  " + std::string(r.word) + " ") == shown);
    if (shown) CHECK(contains(help, r.summary));
  }
  CHECK(contains(help, "\n\nusage: app VERB [options]\n\n  install   create the service, or update an existing one\n"));
  CHECK(contains(help, "\n\n'app help VERB' shows the options of a verb.\n"));
  CHECK(help_text("app", "").rfind("usage: app", 0) == 0);
}

TEST_CASE("the help of a verb shows its arguments") {
  CHECK(help_text("app", verb::control).rfind("usage: app control [options] N\n", 0) == 0);
  CHECK(help_text("app", verb::start).rfind("usage: app start [options] [-- ARGUMENTS]\n", 0) == 0);
  CHECK(help_text("app", verb::help).rfind("usage: app help [VERB]\n", 0) == 0);
  CHECK(help_text("app", verb::version).rfind("usage: app version [options]\n", 0) == 0);
}

TEST_CASE("the help of a verb has its usage, its summary, its details and its options") {
  CHECK(help_text("app", verb::version) ==
        "usage: app version [options]\n\nShow the version of the program and of winsvc.\n\n"
        "  --json\n      print JSON; for install and update, with --plan\n");
  CHECK(help_text("app", verb::update).find(
            "usage: app update [options]\n\nUpdate an existing service.\n"
            "Does the same as install, but fails if the service is not installed.\n\n"
            "  --startup auto|delayed|manual|disabled\n      start type of the service (default auto)\n") == 0);
  CHECK(help_text("app", verb::help) == "usage: app help [VERB]\n\nShow this help, or the help of a verb.\n");
}

TEST_CASE("each verb for a service accepts --instance, and each verb that may need elevation --no-elevate") {
  const auto accepts = [](verb v, std::string_view word) {
    for (const auto& o : option_table) {
      if (o.word == word) return (o.verbs & verb_bit(v)) != 0;
    }
    return false;
  };
  for (const auto& v : verb_table) {
    CAPTURE(v.word);
    const bool needs_no_service =
        (verb_bit(v.id) & verb_bits(verb::help, verb::version, verb::routes, verb::prove)) != 0;
    constexpr std::uint32_t never_elevated =
        verb_bits(verb::status, verb::debug, verb::config, verb::logs, verb::level, verb::doctor, verb::why,
                  verb::show, verb::run_service);
    const bool may_elevate = !needs_no_service && (verb_bit(v.id) & never_elevated) == 0;
    CHECK(accepts(v.id, "--instance") == !needs_no_service);
    CHECK(accepts(v.id, "--no-elevate") == accepts(v.id, "--elevated"));
    CHECK(accepts(v.id, "--no-elevate") == may_elevate);
  }
}

TEST_CASE("help fits a terminal of 120 columns") {
  std::string text = help_text("app", "");
  for (const auto& r : verb_table) text += help_text("app", r.id);
  for (const auto line : detail::base::split(text, '\n')) CHECK(line.size() <= 120);
}

TEST_CASE("the help of a verb has its summary as a sentence") {
  for (const auto& row : verb_table) {
    if (row.summary.empty()) continue;
    std::string sentence(row.summary);
    sentence[0] = detail::base::to_upper(sentence[0]);
    CAPTURE(sentence);
    CHECK(contains(help_text("app", row.id), "\n\n" + sentence + ".\n"));
  }
}
