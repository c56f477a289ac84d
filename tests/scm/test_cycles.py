"""Many times the whole life of a service: nothing fails, and nothing is left of any of them."""

import concurrent.futures
import contextlib
import http.client
import os
import pathlib
import re
import statistics
import time
import urllib.parse

import wine

CYCLES = 200
AT_ONCE = 2                     # services, each with its own name, one cycle after the other
VERBS = ("install", "start", "GET", "stop", "remove", "status")


class Cycles(wine.Case):
    def test_two_hundred_lives_leave_nothing_behind(self):
        services = [self.service(f"cycle-{number}") for number in range(AT_ONCE)]
        for service in services:                        # what Wine starts for the first of its kind is no leak of ours
            self.cycle(service)
        wine.eventually(lambda: not wine.processes())
        before = sorted(self.machines_processes())
        files = self.open_files()

        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as aside:
            lives = list(aside.map(lambda service: [self.cycle(service) for _ in range(CYCLES // AT_ONCE)], services))
        took = time.monotonic() - began

        cycles = [cycle for life in lives for cycle in life]
        self.assertEqual(len(cycles), CYCLES)
        wine.eventually(lambda: sorted(self.machines_processes()) == before)
        self.assertEqual(sorted(self.machines_processes()), before)
        self.assertLess(self.open_files() - files, CYCLES / 4)
        for service in services:
            self.assertIsNone(self.box.registry(service.key))
            self.assertIsNone(self.box.registry(service.source_key))
        # One process a cycle has reported, and each has reported a whole life.
        reported = services[0].lives(self.trace_start)[AT_ONCE:]
        self.assertEqual(len(reported), CYCLES)
        for life in reported:
            self.assertEqual((life[0].state, life[-1][1:5]), (wine.START_PENDING, (wine.STOPPED, 0, 0, 0)))

        medians = ", ".join(f"{verb} {1000 * statistics.median(each):.0f}" for verb, each in zip(VERBS, zip(*cycles)))
        print(f"\n  {CYCLES} cycles, {AT_ONCE} at once, in {took:.0f} s; medians in ms: {medians}; "
              f"wineserver's files: {files} before, {self.open_files()} after", end="")

    def cycle(self, service):
        """How long each step took."""
        marks = [time.monotonic()]

        def mark(condition, *seen):
            self.assertTrue(condition, seen)
            marks.append(time.monotonic())

        mark(self.succeeds(service.run("install", "--startup", "manual")))
        said = self.succeeds(service.run("start"))
        mark(url := re.search(r"http://\S+", said.out), said)
        address = urllib.parse.urlsplit(url[0])
        with contextlib.closing(http.client.HTTPConnection(address.hostname, address.port, timeout=30)) as connection:
            mark(wine.get(connection).body == "hello from " + service.name)
        mark(self.succeeds(service.run("stop")))
        mark(self.succeeds(service.run("remove")))
        gone = service.run("status")
        mark(gone.code == 4, gone)
        return [after - before for before, after in zip(marks, marks[1:])]

    def machines_processes(self):
        """{program and pid: its folder in /proc} of all that runs in this Windows, its own and ours."""
        ours = b"WINEPREFIX=" + os.fsencode(self.box.prefix)
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and ours in (entry / "environ").read_bytes().split(b"\0"):
                    found[(entry / "comm").read_text().strip() + " " + entry.name] = entry
        return found

    def open_files(self):
        """Of Wine's server, which has one for most handles of all processes."""
        (server,) = (entry for name, entry in self.machines_processes().items() if name.startswith("wineserver"))
        return len(list((server / "fd").iterdir()))
