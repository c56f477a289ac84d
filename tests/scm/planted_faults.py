#!/usr/bin/env python3
"""`prove` under Wine finds each fault that is planted in a build of winsvc.

  tests/scm/planted_faults.py [NAME...]     # the names are those of FAULTS

Each fault changes a copy of the single header in a few places, so that the code misbehaves if the program has the name
of the fault. All faults are in one build; a copy of the program with the name of a fault runs `prove`, which must report
"no" for the claim of that fault. The copy with the name `sound` must have no "no".

Wine does not show all claims: recovery actions, rights, the event log and a shared port. tests/diagnose/prove.cpp plants
such faults in a simulated machine.
"""

import collections
import json
import os
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import (BUILD, MINGW, ROOT, STANDARD, Ninja, Tally, fast_mingw_link, library_includes, run,  # noqa: E402
                 wine_prefix, wineserver)

FOLDER = BUILD / "test" / "faults"
Fault = collections.namedtuple("Fault", "name claim changes")

# (text of the header, its replacement); FAULT is true in the program with the name of the fault
FAULTS = (
    Fault("serving-late", "RUNNING means serving: a request directly after start gets a response", [
        ("if (!run_start_hooks() || !open_listener()) return false;",
         "if (!run_start_hooks()) return false;\n"
         "  if (FAULT) {\n"
         "    status_reporter_.apply(scm::lifecycle_event::ready);\n"
         "    std::this_thread::sleep_for(std::chrono::seconds(2));\n"
         "  }\n"
         "  if (!open_listener()) return false;"),
        ("if (!status_reporter_.apply(scm::lifecycle_event::ready)) return false;",
         "if (!status_reporter_.apply(scm::lifecycle_event::ready) && !FAULT) return false;")]),
    Fault("requests-cut", "a stop completes the requests in flight", [
        ("const auto drained = engine_.drain(limit_, on_progress_);",
         "const auto drained = engine_.drain(FAULT ? decltype(limit_)(0) : limit_, on_progress_);")]),
    Fault("stopped-early", "STOPPED means that nothing accepts connections", [
        ("  if (engine_) {\n    step([this] { settings_watcher_.reset(); });\n",
         "  if (FAULT) {\n"
         "    status_reporter_.apply(scm::lifecycle_event::finished, {}, {});\n"
         "    std::this_thread::sleep_for(std::chrono::seconds(3));\n"
         "  }\n"
         "  if (engine_) {\n    step([this] { settings_watcher_.reset(); });\n")]),
    Fault("event-text-lost", "the event source is registered", [
        ("WINSVC_INLINE sys_result<void> add_event_source(const std::string& source) {\n",
         "WINSVC_INLINE sys_result<void> add_event_source(const std::string& source) {\n  if (FAULT) return {};\n")]),
    Fault("crash-without-dump", "a crash writes a minidump and its reason, and ends the process: access-violation", [
        ("options.folder = folder_;", "options.folder = FAULT ? std::string() : folder_;")]),
    Fault("crash-without-reason", "a crash writes a minidump and its reason, and ends the process: access-violation", [
        ("  base::attempt([this] { state_.write_failure(sentence_); });\n",
         "  if (FAULT) return;\n  base::attempt([this] { state_.write_failure(sentence_); });\n"),
        ("  const bool is_written = !report.dump.empty();\n",
         "  const bool is_written = !report.dump.empty();\n  if (FAULT) return;\n")]),
    Fault("exit-code-lost", "a service that fails stops with an exit code other than 0", [
        ("return failure ? scm::failure_status(failure->code) : scm::exit_status{};",
         "return failure && !FAULT ? scm::failure_status(failure->code) : scm::exit_status{};")]),
    Fault("reason-lost", "a start that fails returns its reason and an exit code", [
        ("const std::string failure = result_.failure_text();",
         "const std::string failure = FAULT ? std::string() : result_.failure_text();")]),
    Fault("pause-ignored", "a paused service sends 503, a resumed one 200", [
        ("  engine_.pause(true);\n", "  if (!FAULT) engine_.pause(true);\n")]),
    Fault("control-lost", "a custom control reaches its hook", [
        ("if (hook.code != task.event.control) continue;", "if (hook.code != task.event.control || FAULT) continue;")]),
    Fault("source-left", "remove leaves no service, no event source, no state file and no open port", [
        ("WINSVC_INLINE sys_result<void> remove_event_source(const std::string& source) {\n",
         "WINSVC_INLINE sys_result<void> remove_event_source(const std::string& source) {\n  if (FAULT) return {};\n")]),
    Fault("system-account", "the account is a virtual account, and the path is quoted", [
        ("config.account(), config.password()));\n  }\n\n  sys_result<raw_handle> open_service",
         "FAULT ? nullptr : config.account(), config.password()));\n  }\n\n  sys_result<raw_handle> open_service")]),
    Fault("shutdown-time-lost", "Windows waits for the service before it shuts down", [
        ("    native_level level(value);\n",
         "    if (FAULT && scm::number(value) == scm::config_level_id::preshutdown) return {};\n"
         "    native_level level(value);\n")]),
    Fault("wrong-folder", "the current directory is the folder of the program", [
        ("os::change_directory(os::folder_of(os::executable_path()));  // it is System32 at first",
         "if (!FAULT) os::change_directory(os::folder_of(os::executable_path()));")]),
)
DECLARATION = "\nbool is_planted(const char* name);\n"
PROGRAM = """#include "winsvc.hpp"

void App(winsvc::service& svc) { svc.get("/", [] { return "hello"; }); }
bool is_planted(const char* name) {
  static const std::string program = winsvc::detail::os::program_name(winsvc::detail::os::executable_path());
  return program == name;
}
WINSVC_MAIN(App)
"""


def planted_header():
    """The single header with all faults. Each text occurs once in it; a fault whose text has changed is an error."""
    text = (ROOT / "single_include" / "winsvc.hpp").read_text(encoding="utf-8")
    text = text.replace("#pragma once\n", "#pragma once\n" + DECLARATION, 1)
    for fault in FAULTS:
        for old, new in fault.changes:
            if text.count(old) != 1:
                raise ValueError(f"{fault.name}: the header contains this text {text.count(old)} times: {old}")
            text = text.replace(old, new.replace("FAULT", f'is_planted("{fault.name}")'))
    return text


def write_if_changed(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def build():
    """One program with all faults. g++, because Wine writes no minidump for code of clang; -O1, because the assembler of
    MinGW fails on an object of this size without optimization."""
    write_if_changed(FOLDER / "winsvc.hpp", planted_header())
    write_if_changed(FOLDER / "program.cpp", PROGRAM)
    ninja = Ninja("faults")
    command = [MINGW, *STANDARD, "-O1", f"-I{FOLDER}", *library_includes()]
    program = ninja.link("program.exe", [ninja.compile("program.o", FOLDER / "program.cpp", command)], fast_mingw_link())
    _, output = ninja.build()
    return program, output


def proofs(program, name, environment):
    """Runs `prove` of a copy with this name; returns (error, the claims with the verdict no)."""
    copy = FOLDER / "run" / f"{name}.exe"
    copy.parent.mkdir(exist_ok=True)
    copy.unlink(missing_ok=True)
    os.link(program, copy)
    code, output = run(["wine", copy, "prove", "--json"], timeout=240, env=environment)
    start = output.find('{"winsvc"')
    if start < 0:
        return f"exit code {code}, no report: {output}", {}
    report = json.loads(output[start:])
    found = {proof["claim"]: proof["observed"] for proof in report["proofs"] if proof["verdict"] == "no"}
    if (code == 0) != (not found):
        return f"exit code {code} with {len(found)} claims that do not hold", found
    return "", found


def main():
    tally = Tally()
    program, output = build()
    if not tally.check("the program with the faults builds", program.exists(), output):
        tally.finish()
    shutil.rmtree(FOLDER / "run", ignore_errors=True)
    with wine_prefix("faults") as environment:
        wineserver(environment["WINEPREFIX"], "-p300")      # services end with the last Wine program otherwise
        wrong, found = proofs(program, "sound", environment)
        tally.check("prove finds no fault in a sound program", not wrong and not found, f"{wrong}\n{found}")
        for fault in FAULTS:
            if len(sys.argv) > 1 and fault.name not in sys.argv[1:]:
                continue
            wrong, found = proofs(program, fault.name, environment)
            tally.check(f"prove finds {fault.name}", not wrong and fault.claim in found, f"{wrong}\nfound: {found}")
    tally.finish()


if __name__ == "__main__":
    main()
