#!/usr/bin/env python3
"""Planted faults: puts each old fault of the server back into a copy of the headers and runs the simulation of
tests/server/simulation.cpp. A fault that the simulation does not find shows a missing rule. Run by hand;
docs/testing.md has the results.

  tests/mutate/simulation_faults.py [FAULT...] [--seeds N]

FAULT    a name from FAULTS; default: all
--seeds  number of seeds for each fault (default 2000)

A fault that no longer fits to the headers is an error: correct its replacement in FAULTS.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPILE = ["nice", "-n", "10", "clang++", "-std=c++17", "-O0", "-w", "-isystem",
           str(ROOT / "build" / "deps" / "include")]

# Name: (description, replacements (file, text, new text)).
FAULTS = {
    "watchdog": ("the timeout thread wakes for the first timeout only, also if that handler hangs", [
        ("http/handler_timeouts.hpp", "  if (pending_) owner_.timeouts_.erase(position_);",
         "  owner_.timeouts_.erase(position_);"),
        ("http/handler_timeouts.hpp", "    const auto next = timeouts_.begin();",
         "    auto next = timeouts_.begin();\n"
         "    while (next != timeouts_.end() && !next->second->pending_) ++next;"),
        ("http/handler_timeouts.hpp", "    timeouts_.erase(next);\n", ""),
    ]),
    "starvation": ("no thread waits in the poller while no thread can be created", [
        ("server/pool_threads_impl.hpp", "  while (!stopping_) {\n    if (io_count_ > 0) {",
         "  while (!stopping_) {\n    if (io_count_ > 0 || true) {"),
        ("server/pool_monitor_impl.hpp", "  if (now < next_retry_) return;", "  return;"),
    ]),
    "queue-timeout": ("a timeout runs from the start of the handler", [
        ("server/connection_request_impl.hpp", "  return limit ? complete_time_ + *limit : (clock::time_point::max)();",
         "  return (clock::time_point::max)();"),
        ("http/handler_call_impl.hpp", "exchange.complete_time + *limit + (now - read_start)", "now + *limit"),
    ]),
    "departed": ("handlers run for clients that have left", [
        ("server/connection_request_impl.hpp", "      transport_.has_peer_closed()) {", "      false) {"),
    ]),
    "lost-wakeup": ("the monitor is not notified of an earlier deadline", [
        ("server/server_serve_impl.hpp",
         "  if (deadlines_.set_before_park(slot, next.deadline)) thread_pool_.wake_monitor();\n  slot.is_idle",
         "  static_cast<void>(deadlines_.set_before_park(slot, next.deadline));\n  slot.is_idle"),
    ]),
    "late-body": ("the response to a late body waits for a thread", [
        ("server/connection_request_impl.hpp",
         "  if (!is_complete && result == os::transfer::timed_out && current_time() >= deadline_) {", "  if (false) {"),
    ]),
    "lost-edge": ("an interrupted recv counts as one without bytes", [
        ("os/tcp.hpp", "    if (socket_api::is_interrupted(socket_api::last_error())) continue;\n"
         "    if (!socket_api::would_block(", "    if (!socket_api::would_block("),
    ]),
    "deaf": ("a listener whose accept has failed does not try again", [
        ("server/server_accept_impl.hpp", "    if (failed && deadlines_.set(", "    if (false && deadlines_.set("),
    ]),
    "aborted-client": ("a client that has left before it was accepted ends the accepts of a stop", [
        ("os/posix/socket_api.hpp", " || last_error() == ECONNABORTED", ""),
    ]),
    "no-spare": ("a stop has no spare descriptor for a client", [
        ("server/server_accept_impl.hpp", "if (!spare_socket_.is_open()) return error;", "return error;"),
    ]),
    "unsent-timeout": ("the response of a timeout is lost if it cannot be sent at once", [
        ("http/exchange_stream.hpp", "std::chrono::milliseconds(0)) != os::transfer::done)\n"
         "      transport_.abort_connection();",
         "std::chrono::milliseconds(0)) != os::transfer::done) {}"),
    ]),
    "lost-event": ("an event does not wake the subscribers", [
        ("http/event_subscription.hpp", "const bool wakes = each->waits_ || each->lags();",
         "const bool wakes = each->lags();"),
    ]),
    "lagging": ("a subscriber that does not read stays connected", [
        ("http/event_subscription.hpp", "  return source_->end_->offset - taken_offset_ > max_lag_bytes;",
         "  return false;"),
    ]),
    "unsent-continue": ("a response 100 that cannot be sent is ignored", [
        ("http/exchange_stream.hpp",
         "        transport_.abort_connection();  // the client would wait, or has received a part\n"
         "        return fail(-1);\n",
         ""),
    ]),
}


def plant(tree, replacements):
    for name, text, new in replacements:
        path = tree / "winsvc" / name
        content = path.read_text(encoding="utf-8")
        if content.count(text) != 1:
            raise ValueError(f"{name}: the text to replace was found {content.count(text)} times: {text}")
        path.write_text(content.replace(text, new), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", metavar="FAULT")
    parser.add_argument("--seeds", type=int, default=2000)
    arguments = parser.parse_args()
    chosen = arguments.faults or list(FAULTS)
    if unknown := [name for name in chosen if name not in FAULTS]:
        parser.error(f"unknown fault: {unknown[0]}")

    missed = []
    with tempfile.TemporaryDirectory(prefix="winsvc-faults-") as folder:
        main_object = Path(folder) / "main.o"
        subprocess.run([*COMPILE, "-c", str(ROOT / "tests" / "main.cpp"), "-o", str(main_object)], check=True)
        for name in chosen:
            description, replacements = FAULTS[name]
            tree = Path(folder) / name
            shutil.copytree(ROOT / "include", tree)
            plant(tree, replacements)
            program = Path(folder) / (name + ".exe")
            subprocess.run([*COMPILE, f"-I{tree}", str(ROOT / "tests" / "server" / "simulation.cpp"), str(main_object),
                            "-o", str(program), "-fuse-ld=lld", "-Wl,--gc-sections", "-pthread"], check=True)
            done = subprocess.run([str(program), "--no-colors", "--test-case=*many seeds"], text=True, errors="replace",
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  env=dict(os.environ, WINSVC_SIMULATION_SEEDS=str(arguments.seeds)), check=False)
            found = re.search(r"seed \d+: .*", done.stdout)
            print(f"{name}: {description}\n  {found.group() if found else 'NOT FOUND'}", flush=True)
            if not found:
                missed.append(name)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
