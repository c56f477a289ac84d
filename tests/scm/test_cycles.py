"""Stress test: 200 cycles of install, start, request, stop and remove leave no process, file or registry key."""

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
CONCURRENT_SERVICES = 2         # each has its own name and runs one cycle after the other
STEPS = ("install", "start", "GET", "stop", "remove", "status")
# Wine's StartService has returned this code once, on a loaded machine. winsvc does not use it.
INTERNAL_ERROR = "Internal error (1359)"


class Cycles(wine.ServiceTest):
    def test_two_hundred_cycles_leave_no_process_or_registry_key(self):
        services = [self.service(f"cycle-{number}") for number in range(CONCURRENT_SERVICES)]
        self.internal_errors = 0
        for service in services:                        # processes that Wine starts once are not a leak
            self.run_cycle(service)
        wine.eventually(lambda: not wine.processes())
        before = sorted(self.wine_processes())
        files = self.open_files()

        start, count = time.monotonic(), CYCLES // CONCURRENT_SERVICES
        with concurrent.futures.ThreadPoolExecutor(CONCURRENT_SERVICES) as pool:
            results = list(pool.map(lambda service: [self.run_cycle(service) for _ in range(count)], services))
        seconds = time.monotonic() - start

        durations = [cycle for cycles in results for cycle in cycles]
        self.assertEqual(len(durations), CYCLES)
        wine.eventually(lambda: sorted(self.wine_processes()) == before)
        self.assertEqual(sorted(self.wine_processes()), before)
        self.assertLess(self.open_files() - files, CYCLES / 4)
        for service in services:
            self.assertIsNone(self.machine.registry(service.key))
            self.assertIsNone(self.machine.registry(service.source_key))
        self.assertLessEqual(self.internal_errors, 1)
        # Each cycle has one process, and each process has reported all statuses.
        histories = services[0].status_histories(self.trace_position)[CONCURRENT_SERVICES:]
        self.assertIn(len(histories), range(CYCLES, CYCLES + self.internal_errors + 1))
        for history in histories:
            self.assertEqual((history[0].state, history[-1][1:5]), (wine.START_PENDING, (wine.STOPPED, 0, 0, 0)))

        medians = ", ".join(f"{step} {1000 * statistics.median(values):.0f}"
                            for step, values in zip(STEPS, zip(*durations)))
        print(f"\n  {CYCLES} cycles, {CONCURRENT_SERVICES} concurrently, in {seconds:.0f} s; medians in ms: {medians}; "
              f"open files of wineserver: {files} before, {self.open_files()} after", end="")

    def run_cycle(self, service):
        """Runs one cycle; returns the duration of each step."""
        times = [time.monotonic()]

        def record(condition, *details):
            self.assertTrue(condition, details)
            times.append(time.monotonic())

        record(self.assert_succeeds(service.run("install", "--startup", "manual")))
        result = service.run("start")
        if INTERNAL_ERROR in result.err:
            self.internal_errors += 1
            wine.eventually(lambda: service.run("status").code == 3)
            result = service.run("start")
        self.assert_succeeds(result)
        record(url := re.search(r"http://\S+", result.out), result)
        address = urllib.parse.urlsplit(url[0])
        with contextlib.closing(http.client.HTTPConnection(address.hostname, address.port, timeout=30)) as connection:
            record(wine.get(connection).body == "hello from " + service.name)
        record(self.assert_succeeds(service.run("stop")))
        record(self.assert_succeeds(service.run("remove")))
        result = service.run("status")
        record(result.code == 4, result)
        return [after - before for before, after in zip(times, times[1:])]

    def wine_processes(self):
        """All processes in this Wine prefix: {program and pid: folder in /proc}."""
        variable = b"WINEPREFIX=" + os.fsencode(self.machine.prefix)
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and variable in (entry / "environ").read_bytes().split(b"\0"):
                    found[(entry / "comm").read_text().strip() + " " + entry.name] = entry
        return found

    def open_files(self):
        """Number of open files of wineserver, which has one for most handles of all processes."""
        (server,) = (entry for name, entry in self.wine_processes().items() if name.startswith("wineserver"))
        return len(list((server / "fd").iterdir()))
