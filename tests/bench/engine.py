#!/usr/bin/env python3
"""Benchmark of the engine: processor time per request, rate and latency, compared with other servers.

  tests/bench/engine.py                        all scenarios, five rounds: 15 minutes
  tests/bench/engine.py --quick                two short rounds, to check that the benchmark works
  tests/bench/engine.py --only plain,browser   some scenarios (--list prints all)
  tests/bench/engine.py --peer drogon="/path/server PORT"      also measure another server with the same routes

The servers: limit (the minimum: one receive, one send), limit-2 (limit with a second thread that does nothing), ours
(the engine) and bare (cpp-httplib's own server). It requires g++ and wrk.

In each round, the servers are measured one after the other, so that other load on the machine affects all of them. A
ratio is computed for each round; the median of the rounds is the result. The table is written to build/bench/engine.md,
the values of each round to engine.json, and a chart to engine.svg.
"""

import argparse
import json
import shlex
import shutil
import statistics
import sys
import time

import load
from bar_chart import bar_chart

IDLE_CLIENTS, SLOW_CLIENTS = 10_000, 500
HEAD = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
# {scenario: (options of load.start_wrk, servers)}
REQUESTS = {
    "plain": ({"connections": 16}, "limit limit-2 ours bare peers"),
    "plain-128": ({"connections": 128}, "limit ours bare peers"),
    "json": ({"path": "/json"}, "ours bare peers"),
    "browser": ({"headers": load.BROWSER_FIELDS}, "limit ours bare peers"),
    "browser-request": ({"path": "/request", "headers": load.BROWSER_FIELDS}, "ours"),  # its handler takes the request
    "small-body": ({"body_bytes": 100}, "ours bare peers"),
    "body": ({"body_bytes": 10240}, "ours bare peers"),
    "first-route": ({"path": "/r0/7"}, "ours"),
    "last-route": ({"path": "/r999/7"}, "ours"),
}
# {scenario: (number of clients, data that each sends at first, data that each sends every two seconds)}
MANY_CLIENTS = {
    "idle": (IDLE_CLIENTS, HEAD, b""),
    "slowloris": (SLOW_CLIENTS, b"GET / HTTP/1.1\r\nX: ", b"x"),
    "unread": (SLOW_CLIENTS, b"GET /large HTTP/1.1\r\nHost: t\r\n\r\n", b""),
}
# {scenario: path of the slow handler}
SLOW_HANDLERS = {"with-sleep": "/sleep", "with-compute": "/compute"}

# The targets of the engine: (name, scenario, figure, server to compare with, comparison, limit of the ratio). The server
# has the same scenario, or it is given as (scenario, server). `uws` is uWebSockets, measured with --peer uws=COMMAND.
TARGETS = (
    ("processor time of a plain request, relative to limit", "plain", "cpu", "limit", "at most", 1.10),
    ("processor time of a plain request, relative to bare", "plain", "cpu", "bare", "at most", 0.54),
    ("processor time of a plain request, relative to uWebSockets", "plain", "cpu", "uws", "at most", 1.05),
    ("processor time with a browser's head, relative to uWebSockets", "browser", "cpu", "uws", "at most", 1.15),
    ("processor time with a browser's head and a handler that takes the request, relative to bare", "browser-request",
     "cpu", ("browser", "bare"), "at most", 0.40),
    ("processor time of a small POST, relative to uWebSockets", "small-body", "cpu", "uws", "at most", 1.2),
    ("p99 with 16 connections, relative to limit", "plain", "p99", "limit", "at most", 1.5),
    ("p99 with 128 connections, relative to limit", "plain-128", "p99", "limit", "at most", 1.5),
    ("rate with sleeping handlers, relative to bare", "with-sleep", "rate", "bare", "at least", 0.8),
    ("rate with computing handlers, relative to bare", "with-compute", "rate", "bare", "at least", 1.0),
)


class Benchmark:
    def __init__(self, options):
        self.options = options
        self.commands, self.program_facts = {}, {}
        for name in ("limit", "ours", "bare"):
            program, seconds, size = load.build(name)
            self.commands[name] = [program, "PORT"]
            self.program_facts[name] = {"compile time in s": round(seconds, 1), "stripped KiB": size // 1024}
        self.commands["limit-2"] = [*self.commands["limit"], "thread"]
        for peer in options.peer:
            name, _, command = peer.partition("=")
            self.commands[name] = shlex.split(command)
        self.peers = [peer.partition("=")[0] for peer in options.peer]
        self.results = {}       # {(scenario, server): [figures of each round]}

    def add_result(self, scenario, server, figures):
        self.results.setdefault((scenario, server), []).append(figures)
        text = ", ".join(f"{name} {value:.3g}" for name, value in figures.items())
        print(f"  {scenario:15} {server:12} {text}", flush=True)

    def run_requests(self, scenario):
        options, servers = REQUESTS[scenario]
        for name in servers.replace("peers", " ".join(self.peers)).split():
            with load.running(self.commands[name]) as server:
                self.add_result(scenario, name, load.measure(server, self.options.seconds, **options))

    def run_many_clients(self, scenario):
        count, data, repeated = MANY_CLIENTS[scenario]
        with load.running(self.commands["ours"]) as server:
            alone = load.measure(server, self.options.seconds)
            threads = server.threads()
            with load.many_clients(server, count, data, repeated) as clients:
                if clients is None:
                    return print(f"  {scenario:15} skipped: the limit of descriptors is too low for {count} clients")
                loaded = load.measure(server, self.options.seconds)
                self.add_result(scenario, "ours", {
                    "rate, relative": loaded["rate"] / alone["rate"], "p99, relative": loaded["p99"] / alone["p99"],
                    "additional threads": server.threads() - threads, "resident MiB": server.resident()})
        return None

    def run_slow_handlers(self, scenario):
        for name in ("ours", "bare", *self.peers):
            with load.running(self.commands[name]) as server:
                slow = load.start_wrk(server, SLOW_HANDLERS[scenario], 16, self.options.seconds + 2)
                time.sleep(1)
                _, rate, p50, p99 = load.result_of(load.start_wrk(server, "/", 4, self.options.seconds))
                load.result_of(slow)
                self.add_result(scenario, name, {"rate": rate, "p50": p50, "p99": p99})

    def run_start(self):
        for name in ("ours", "bare"):
            start = time.monotonic()
            with load.running(self.commands[name]) as server:
                self.add_result("start", name, {"ms to a connection": (time.monotonic() - start) * 1000,
                                                "resident MiB": server.resident()})

    def run(self, scenario):
        if scenario in REQUESTS:
            self.run_requests(scenario)
        elif scenario in MANY_CLIENTS:
            self.run_many_clients(scenario)
        elif scenario in SLOW_HANDLERS:
            self.run_slow_handlers(scenario)
        else:
            self.run_start()

    # --- results ------------------------------------------------------------------------------------------------------

    def ratios(self, figure, first, second):
        """The ratio for each round. `first` and `second` are (scenario, server); empty if one was not measured."""
        return [a[figure] / b[figure] for a, b in zip(self.results.get(first, ()), self.results.get(second, ()))]

    def table(self):
        lines = ["| scenario | server | figure | median | minimum | maximum |", "|---|---|---|---:|---:|---:|"]
        units = {"cpu": "µs of processor time per request", "rate": "requests per second", "p50": "p50, ms",
                 "p99": "p99, ms"}
        for (scenario, server), rounds in self.results.items():
            for figure in rounds[0]:
                values = [figures[figure] for figures in rounds]
                lines.append(f"| {scenario} | {server} | {units.get(figure, figure)} | {statistics.median(values):.4g} "
                             f"| {min(values):.4g} | {max(values):.4g} |")
        lines += ["", "| target | median | range | limit | met |", "|---|---:|---|---|---|"]
        for name, scenario, figure, server, comparison, limit in TARGETS:
            other = server if isinstance(server, tuple) else (scenario, server)
            if ratios := self.ratios(figure, (scenario, "ours"), other):
                median = statistics.median(ratios)
                is_met = median <= limit if comparison == "at most" else median >= limit
                lines.append(f"| {name} | {median:.2f} | {min(ratios):.2f} to {max(ratios):.2f} | {comparison} {limit} "
                             f"| {'yes' if is_met else 'no'} |")
        for server, other in (("limit-2", "limit"), ("ours", "limit-2")):
            if ratios := self.ratios("cpu", ("plain", server), ("plain", other)):
                lines.append(f"| processor time of a plain request, {server} relative to {other} "
                             f"| {statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} | | |")
        if ratios := self.ratios("cpu", ("last-route", "ours"), ("first-route", "ours")):
            median = statistics.median(ratios)
            lines.append(f"| processor time of the last of 1,000 routes, relative to the first | {median:.2f} "
                         f"| {min(ratios):.2f} to {max(ratios):.2f} | within 5 % "
                         f"| {'yes' if abs(median - 1) <= 0.05 else 'no'} |")
        lines += ["", *(f"- {name}: {facts}" for name, facts in self.program_facts.items())]
        return "\n".join(lines)

    def chart(self):
        rows = []
        for scenario in ("plain", "browser", "small-body", "body"):
            for server in ("limit", "ours", "bare", *self.peers):
                if rounds := self.results.get((scenario, server)):
                    rows.append((scenario, server, [figures["cpu"] for figures in rounds]))
        title = "Processor time per request in microseconds (median, minimum and maximum)"
        return bar_chart(title, rows) if rows else ""


def main():
    scenarios = [*REQUESTS, *MANY_CLIENTS, *SLOW_HANDLERS, "start"]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two rounds of one second")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="duration of each measurement (default 3)")
    parser.add_argument("--only", default=",".join(scenarios), help="scenarios, separated by commas")
    parser.add_argument("--list", action="store_true", help="print the scenarios")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND",
                        help="also measure this server; PORT in the command is replaced")
    options = parser.parse_args()
    if options.list:
        return print("\n".join(scenarios))
    if options.quick:
        options.rounds, options.seconds = 2, 1
    if not shutil.which("wrk"):
        return sys.exit("wrk is not installed: apt-get install wrk")
    if unknown := [name for name in options.only.split(",") if name not in scenarios]:
        return sys.exit(f"unknown scenario '{unknown[0]}'; --list prints all")

    benchmark = Benchmark(options)
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", flush=True)
        for scenario in options.only.split(","):
            benchmark.run(scenario)
    (load.FOLDER / "engine.md").write_text(benchmark.table() + "\n", encoding="utf-8")
    (load.FOLDER / "engine.svg").write_text(benchmark.chart(), encoding="utf-8")
    (load.FOLDER / "engine.json").write_text(json.dumps(
        [{"scenario": scenario, "server": server, "rounds": rounds}
         for (scenario, server), rounds in benchmark.results.items()], indent=1), encoding="utf-8")
    return print(benchmark.table())


if __name__ == "__main__":
    main()
