#!/usr/bin/env python3
"""What a request costs: the engine beside cpp-httplib's own server, and beside a server that does nothing.

  tests/bench/engine.py                        all scenarios, five rounds: a quarter of an hour
  tests/bench/engine.py --quick                two short rounds, to see that it works
  tests/bench/engine.py --only plain,browser   some of them (--list names all)
  tests/bench/engine.py --peer drogon="/path/server PORT"      another server beside them, with the same routes

It needs g++ and wrk. The servers take turns within a round, so that whatever else the machine does meets all of them;
a ratio is taken within each round, and its median is what counts. The table goes to build/bench/engine.md, the numbers
behind it to engine.json, and a picture to engine.svg.
"""

import argparse
import json
import shlex
import shutil
import statistics
import sys
import time

import measure
from picture import bars

IDLE, SLOW = 10_000, 500
HEAD = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
# scenario: (what wrk is told, which servers can)
ASKED = {
    "plain": ({"connections": 16}, "limit ours canonical bare peers"),
    "plain-128": ({"connections": 128}, "limit ours canonical bare peers"),
    "json": ({"path": "/json"}, "ours canonical bare peers"),
    "browser": ({"headers": measure.BROWSER}, "limit ours canonical bare peers"),
    "body": ({"script": "body"}, "ours canonical bare peers"),
    "first-route": ({"path": "/r0/7"}, "ours"),
    "last-route": ({"path": "/r999/7"}, "ours"),
}
CROWDS = {
    "idle": (IDLE, HEAD, b""),
    "slowloris": (SLOW, b"GET / HTTP/1.1\r\nX: ", b"x"),
    "unread": (SLOW, b"GET /large HTTP/1.1\r\nHost: t\r\n\r\n", b""),
}
NEIGHBOURS = {"beside-sleep": "/sleep", "beside-compute": "/compute"}

# What the engine is held to: (name, scenario, figure, ours over whose, at the most / at the least, how much)
TARGETS = (
    ("processor time of a plain request, of bare cpp-httplib's", "plain", "cpu", "bare", "most", 0.54),
    ("the same, of the limit's", "plain", "cpu", "limit", "most", 1.15),
    ("with a browser's head, of bare cpp-httplib's", "browser", "cpu", "bare", "most", 0.35),
    ("p99 at 16 connections, of the limit's", "plain", "p99", "limit", "most", 1.5),
    ("p99 at 128 connections, of the limit's", "plain-128", "p99", "limit", "most", 1.5),
    ("rate beside sleeping handlers, of bare's", "beside-sleep", "rate", "bare", "least", 0.8),
    ("rate beside computing handlers, of bare's", "beside-compute", "rate", "bare", "least", 1.0),
)


class Bench:
    def __init__(self, options):
        self.options = options
        self.commands, self.facts = {}, {}
        for name in ("limit", "ours", "bare"):
            program, took, size = measure.build(name)
            self.commands[name] = [program, "PORT"]
            self.facts[name] = {"compiled in s": round(took, 1), "stripped KiB": size // 1024}
        self.commands["canonical"] = [*self.commands["ours"], "--canonical"]
        for peer in options.peer:
            name, _, command = peer.partition("=")
            self.commands[name] = shlex.split(command)
        self.peers = [peer.partition("=")[0] for peer in options.peer]
        self.runs = {}      # (scenario, server) -> one dictionary a round; None where it could not be

    def keep(self, scenario, server, figures):
        self.runs.setdefault((scenario, server), []).append(figures)
        said = ", ".join(f"{name} {value:.3g}" for name, value in figures.items())
        print(f"  {scenario:15} {server:10} {said}", flush=True)

    def ask(self, scenario):
        told, who = ASKED[scenario]
        told = dict(told)
        if "script" in told:
            told["script"] = measure.body_script()
        for server in who.replace("peers", " ".join(self.peers)).split():
            with measure.serving(self.commands[server]) as running:
                self.keep(scenario, server, measure.ask(running, self.options.seconds, **told))

    def crowd(self, scenario):
        count, say, again = CROWDS[scenario]
        with measure.serving(self.commands["ours"]) as running:
            alone = measure.ask(running, self.options.seconds)
            threads = running.threads()
            with measure.crowd(running, count, say, again) as here:
                if here is None:
                    return print(f"  {scenario:15} skipped: too few descriptors are allowed for {count} clients")
                beside = measure.ask(running, self.options.seconds)
                self.keep(scenario, "ours", {
                    "rate, of alone": beside["rate"] / alone["rate"], "p99, of alone": beside["p99"] / alone["p99"],
                    "more threads": running.threads() - threads, "resident MiB": running.resident()})
        return None

    def neighbours(self, scenario):
        for server in ("ours", "bare", *self.peers):
            with measure.serving(self.commands[server]) as running:
                slow = measure.start_wrk(running, NEIGHBOURS[scenario], 16, self.options.seconds + 2)
                time.sleep(1)
                _, rate, p50, p99 = measure.result_of(measure.start_wrk(running, "/", 4, self.options.seconds))
                measure.result_of(slow)
                self.keep(scenario, server, {"rate": rate, "p50": p50, "p99": p99})

    def start(self):
        for server in ("ours", "bare"):
            begin = time.monotonic()
            with measure.serving(self.commands[server]) as running:
                self.keep("start", server, {"ms to a connection": (time.monotonic() - begin) * 1000,
                                            "resident MiB": running.resident()})

    def round(self, scenario):
        if scenario in ASKED:
            self.ask(scenario)
        elif scenario in CROWDS:
            self.crowd(scenario)
        elif scenario in NEIGHBOURS:
            self.neighbours(scenario)
        else:
            self.start()

    # --- what it comes to ---------------------------------------------------------------------------------------------

    def ratio(self, scenario, figure, server, other):
        """(median, least, most) of the rounds; None without both."""
        mine, theirs = self.runs.get((scenario, server)), self.runs.get((scenario, other))
        if not mine or not theirs:
            return None
        each = [a[figure] / b[figure] for a, b in zip(mine, theirs)]
        return statistics.median(each), min(each), max(each)

    def table(self):
        lines = ["| scenario | server | " + "figure | median | least | most |", "|---|---|---|---:|---:|---:|"]
        units = {"cpu": "µs of processor a request", "rate": "requests a second", "p50": "p50, ms", "p99": "p99, ms"}
        for (scenario, server), rounds in self.runs.items():
            for figure in rounds[0]:
                values = [one[figure] for one in rounds]
                lines.append(f"| {scenario} | {server} | {units.get(figure, figure)} | {statistics.median(values):.4g} "
                             f"| {min(values):.4g} | {max(values):.4g} |")
        lines += ["", "| held to | median | spread | wanted | |", "|---|---:|---|---|---|"]
        for name, scenario, figure, other, side, bound in TARGETS:
            found = self.ratio(scenario, figure, "ours", other)
            if found:
                median, least, most = found
                holds = median <= bound if side == "most" else median >= bound
                lines.append(f"| {name} | {median:.2f} | {least:.2f} to {most:.2f} | at the {side} {bound} "
                             f"| {'yes' if holds else 'no'} |")
        found = self.ratio("last-route", "cpu", "ours", "ours") and [
            b["cpu"] / a["cpu"] for a, b in zip(self.runs["first-route", "ours"], self.runs["last-route", "ours"])]
        if found:
            median = statistics.median(found)
            lines.append(f"| the last of 1,000 routes, of the first | {median:.2f} | {min(found):.2f} to {max(found):.2f} "
                         f"| within 5 % | {'yes' if abs(median - 1) <= 0.05 else 'no'} |")
        lines += ["", *(f"- {name}: {facts}" for name, facts in self.facts.items())]
        return "\n".join(lines)

    def picture(self):
        rows = []
        for scenario in ("plain", "browser", "body"):
            for server in ("limit", "ours", "canonical", "bare", *self.peers):
                if rounds := self.runs.get((scenario, server)):
                    rows.append((scenario, server, [one["cpu"] for one in rounds]))
        return bars("Processor time a request, microseconds (median, least and most)", rows) if rows else ""


def main():
    every = [*ASKED, *CROWDS, *NEIGHBOURS, "start"]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two rounds of one second")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--only", default=",".join(every), help="scenarios, separated by commas")
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND", help="PORT in it is replaced")
    options = parser.parse_args()
    if options.list:
        return print("\n".join(every))
    if options.quick:
        options.rounds, options.seconds = 2, 1
    if not shutil.which("wrk"):
        return sys.exit("wrk is not installed: apt-get install wrk")
    if unknown := [one for one in options.only.split(",") if one not in every]:
        return sys.exit(f"there is no scenario '{unknown[0]}'; --list names them")

    bench = Bench(options)
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", flush=True)
        for scenario in options.only.split(","):
            bench.round(scenario)
    (measure.FOLDER / "engine.md").write_text(bench.table() + "\n", encoding="utf-8")
    (measure.FOLDER / "engine.svg").write_text(bench.picture(), encoding="utf-8")
    (measure.FOLDER / "engine.json").write_text(json.dumps(
        [{"scenario": scenario, "server": server, "rounds": rounds} for (scenario, server), rounds in bench.runs.items()],
        indent=1), encoding="utf-8")
    return print(bench.table())


if __name__ == "__main__":
    main()
