#!/usr/bin/env python3
"""Denial-of-service tests with slow clients: 200 attackers for 10 s, while a normal client requests `/` every 100 ms.

  tests/conformance/slow_clients.py

slowhttptest performs the four attacks. Two run at a time, each against a separate server, because each attack uses half
a processor. A server passes if each normal request is answered within 2 s (1 ms without an attack), and if the probe of
slowhttptest also reports it as available.
"""

import http.client
import pathlib
import re
import shutil
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import server_process  # noqa: E402
from kit import run  # noqa: E402

# (option of slowhttptest, description, target, further options)
ATTACKS = (
    ("-H", "heads that do not end", "/", ("-i", "1")),
    ("-B", "bodies that do not end", "/echo", ("-i", "1")),
    ("-X", "responses that are read a few bytes per second", "/large",
     ("-n", "1", "-z", "32", "-w", "256", "-y", "512")),
    ("-R", "hundreds of ranges in one request", "/file", ("-t", "GET", "-a", "1", "-b", "700")),
)
# Number of clients, seconds, new clients per second, timeout of the probe in seconds.
COMMON_OPTIONS = ("-c", "200", "-l", "10", "-r", "200", "-p", "3")
MAX_SECONDS = 2.0                                               # for a request of `/`


class NormalClient(threading.Thread):
    """Requests `/` every 100 ms, each time on a new connection, until `done` is set."""

    def __init__(self, port):
        super().__init__()
        self.port, self.done = port, threading.Event()
        self.count, self.max_seconds, self.error = 0, 0.0, ""

    def run(self):
        while not self.done.wait(0.1):
            start = time.monotonic()
            self.count += 1
            try:
                client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                client.request("GET", "/")
                response = client.getresponse()
                if (response.status, response.read()) != (200, b"hello"):
                    self.error = self.error or f"request {self.count}: status {response.status}"
                client.close()
            except (OSError, http.client.HTTPException) as error:
                self.error = self.error or f"request {self.count}: {type(error).__name__} {error}"
            self.max_seconds = max(self.max_seconds, time.monotonic() - start)


class Attack(threading.Thread):
    """One attack on a separate server, together with a normal client."""

    def __init__(self, program, file, option, target, options):
        super().__init__()
        self.program, self.file, self.option, self.target, self.options = program, file, option, target, options
        self.output, self.client = "", None

    def run(self):
        with server_process.running(self.program, "--file", self.file) as server:
            self.client = NormalClient(server.port)
            self.client.start()
            _, output = run(["slowhttptest", self.option, *COMMON_OPTIONS, *self.options,
                             "-u", f"http://127.0.0.1:{server.port}{self.target}"], timeout=40)
            self.output = re.sub(r"\x1b\[[0-9;]*m", "", output)     # it prints colors even to a pipe
            self.client.done.set()
            self.client.join()

    @property
    def availability(self):
        """The last result of slowhttptest's probe: YES or NO."""
        results = re.findall(r"service available:\s*(YES|NO)", self.output)
        return results[-1] if results else "unknown"


def check_all(tally, program):
    if not shutil.which("slowhttptest"):
        tally.skip("slow clients", "slowhttptest is not installed; tools/deps installs it")
        return
    for pair in (ATTACKS[:2], ATTACKS[2:]):
        attacks = [(description, Attack(program, __file__, option, target, options))
                   for option, description, target, options in pair]
        for _, attack in attacks:
            attack.start()
        for description, attack in attacks:
            attack.join()
            report(tally, description, attack)


def report(tally, description, attack):
    client = attack.client
    tally.check(f"slow clients: {description}: {client.count} requests of `/` in at most "
                f"{client.max_seconds * 1000:.0f} ms",
                attack.availability == "YES" and client.count > 0 and not client.error and
                client.max_seconds < MAX_SECONDS,
                f"slowhttptest reports available: {attack.availability}; {client.error}\n{attack.output[-600:]}")


if __name__ == "__main__":
    server_process.main(check_all)
