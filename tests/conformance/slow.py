#!/usr/bin/env python3
"""Clients that attack by being slow: 200 of them for ten seconds, while a plain one asks `/` ten times a second.

  tests/conformance/slow.py

The four attacks are slowhttptest's. They run two at a time, each against a server of its own: each attacker keeps half
a processor busy. A server has stayed available when every plain request was answered within two seconds, which on its
own takes a millisecond, and when slowhttptest's own probe says so too.
"""

import http.client
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import serving  # noqa: E402
from kit import Tally, run  # noqa: E402

# Its option, what it does, where to, and with what besides.
ATTACKS = (
    ("-H", "heads that do not end", "/", ("-i", "1")),
    ("-B", "bodies that do not end", "/echo", ("-i", "1")),
    ("-X", "answers that are read a few bytes a second", "/large", ("-n", "1", "-z", "32", "-w", "256", "-y", "512")),
    ("-R", "hundreds of ranges in one request", "/file", ("-t", "GET", "-a", "1", "-b", "700")),
)
BOUNDS = ("-c", "200", "-l", "10", "-r", "200", "-p", "3")      # clients, seconds, new ones a second, the probe's wait
ENOUGH = 2.0                                                     # seconds for `/`


class Asker(threading.Thread):
    """Asks `/` every 100 ms, on a connection of its own each time, until it is told to stop."""

    def __init__(self, port):
        super().__init__()
        self.port, self.done = port, threading.Event()
        self.asked, self.slowest, self.wrong = 0, 0.0, ""

    def run(self):
        while not self.done.wait(0.1):
            began = time.monotonic()
            self.asked += 1
            try:
                client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                client.request("GET", "/")
                answer = client.getresponse()
                if (answer.status, answer.read()) != (200, b"hello"):
                    self.wrong = self.wrong or f"request {self.asked} was answered with {answer.status}"
                client.close()
            except (OSError, http.client.HTTPException) as error:
                self.wrong = self.wrong or f"request {self.asked}: {type(error).__name__} {error}"
            self.slowest = max(self.slowest, time.monotonic() - began)


class Attack(threading.Thread):
    def __init__(self, program, file, option, target, more):
        super().__init__()
        self.program, self.file, self.option, self.target, self.more = program, file, option, target, more
        self.said, self.asker = "", None

    def run(self):
        with serving.running(self.program, "--file", self.file) as server:
            self.asker = Asker(server.port)
            self.asker.start()
            _, said = run(["slowhttptest", self.option, *BOUNDS, *self.more,
                           "-u", f"http://127.0.0.1:{server.port}{self.target}"], timeout=40)
            self.said = re.sub(r"\x1b\[[0-9;]*m", "", said)           # it paints, whoever reads
            self.asker.done.set()
            self.asker.join()

    @property
    def verdict(self):
        """slowhttptest's own: YES or NO, as it said it last."""
        found = re.findall(r"service available:\s*(YES|NO)", self.said)
        return found[-1] if found else "nothing"


def check_all(tally, program):
    if not shutil.which("slowhttptest"):
        tally.skip("slow clients", "slowhttptest is not there; tools/deps installs it")
        return
    for pair in (ATTACKS[:2], ATTACKS[2:]):
        attacks = [(what, Attack(program, __file__, option, target, more)) for option, what, target, more in pair]
        for _, attack in attacks:
            attack.start()
        for what, attack in attacks:
            attack.join()
            report(tally, what, attack)


def report(tally, what, attack):
    asker = attack.asker
    tally.check(f"slow clients: {what}: available, `/` {asker.asked} times in at most {asker.slowest * 1000:.0f} ms",
                attack.verdict == "YES" and asker.asked > 0 and not asker.wrong and asker.slowest < ENOUGH,
                f"slowhttptest said {attack.verdict}; {asker.wrong}\n{attack.said[-600:]}")


def main():
    tally = Tally()
    program, said = serving.build()
    if program:
        check_all(tally, program)
    else:
        tally.check("the server builds", False, said)
    tally.finish()


if __name__ == "__main__":
    main()
