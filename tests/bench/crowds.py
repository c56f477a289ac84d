#!/usr/bin/env python3
"""Crowds of slow clients, all at once: threads, memory, and the latency of one more client.

  tests/bench/crowds.py                  a tenth of the full numbers
  tests/bench/crowds.py --scale 0.75     19,125 connections, for a system with 20,000 descriptors per process
  tests/bench/crowds.py --wine           the server is a Windows program under Wine

The full numbers are 10,000 event streams, 5,000 slow bodies, 10,000 idle connections and 500 slow heads. The tool
measures the median of 100 requests of `/livez`, each with a new connection, and the largest number of threads and the
largest resident memory of the server. The limits are 50 ms, 300 MiB, and 39 threads on one or two processors, and one
thread more for each further processor. The exit code is 1 if one is exceeded.
"""

import argparse
import contextlib
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time

import load
from kit import MINGW, ROOT, STANDARD, GXX, WINDOWS_LIBRARIES, httplib_folder, run, wine_prefix

# {name: (number of clients, what each sends at first, what each sends every second)}
CROWDS = {
    "event streams": (10_000, b"GET /ticks HTTP/1.1\r\nHost: localhost\r\n\r\n", b""),
    "slow bodies": (5_000, b"POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", b"x" * 2048),
    "idle": (10_000, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b""),
    "slow heads": (500, b"GET / HTTP/1.1\r\nX: ", b"x"),
}
BODY_BYTES = 20_000        # of a slow body, which ends after 10 s
MAX_MEDIAN_MS, MAX_MIB = 50, 300
# The pool keeps a thread for each processor, and two others (winsvc/server/server.hpp, thread_pool_limits_for).
MAX_THREADS = 37 + max(2, len(os.sched_getaffinity(0)))
CLIENTS = pathlib.Path(__file__).resolve().with_name("crowd_clients.py")


def request_time(port):
    """Milliseconds of one request of `/livez`."""
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.settimeout(10)
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        response = client.recv(4096)
    if not response.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"/livez: {response[:80]!r}")
    return (time.monotonic() - start) * 1000


def connections(port):
    """Number of connections that the server has."""
    suffix, established = f":{port:04X}", "01"
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(fields[1].endswith(suffix) and fields[3] == established for fields in map(str.split, lines))


@contextlib.contextmanager
def crowd(port, name, scale, body_bytes):
    """Runs the clients of one crowd. Yields the process and the number of clients."""
    count, data, repeated = CROWDS[name]
    data = data % body_bytes if b"%d" in data else data
    count = max(1, round(count * scale))
    process = subprocess.Popen([sys.executable, CLIENTS, str(port), str(count), data.hex(), repeated.hex()],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process, count
    finally:
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


class Peaks:
    """The largest numbers of a server."""

    def __init__(self, server):
        self.server, self.threads, self.mib = server, 0, 0

    def sample(self):
        self.threads = max(self.threads, self.server.threads())
        self.mib = max(self.mib, self.server.resident())


def measure(server, scale, seconds, max_mib=MAX_MIB, body_bytes=BODY_BYTES):
    """Returns (error, text): all crowds on a load.Server, first for `seconds`, then during the requests."""
    peaks = Peaks(server)
    with contextlib.ExitStack() as stack:
        crowds = [stack.enter_context(crowd(server.port, name, scale, body_bytes)) for name in CROWDS]
        for process, _ in crowds:
            if process.stdout.readline() != b"ready\n":
                return "the clients of a crowd did not connect", ""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            peaks.sample()
            time.sleep(0.1)
        times = []
        for _ in range(100):
            times.append(request_time(server.port))
            peaks.sample()
        expected, present = sum(count for _, count in crowds), connections(server.port)
    median = statistics.median(times)
    text = (f"{present} connections: median {median:.1f} ms, maximum {max(times):.1f} ms, {peaks.threads} threads, "
            f"{peaks.mib:.0f} MiB")
    errors = [error for error, wrong in (
        (f"{expected} connections are expected", present < 0.95 * expected),
        (f"the median is over {MAX_MEDIAN_MS} ms", median > MAX_MEDIAN_MS),
        (f"more than {MAX_THREADS} threads", peaks.threads > MAX_THREADS),
        (f"more than {max_mib} MiB", peaks.mib > max_mib)) if wrong]
    return "; ".join(errors), text


def build(wine):
    """Returns the program."""
    load.FOLDER.mkdir(parents=True, exist_ok=True)
    program = load.FOLDER / ("crowd.exe" if wine else "crowd")
    compiler, libraries = (MINGW, ["-Wa,-mbig-obj", *WINDOWS_LIBRARIES]) if wine else (GXX, ["-pthread"])
    code, output = run([compiler, *STANDARD, "-O2", f"-I{ROOT / 'include'}", "-isystem", httplib_folder(),
                        load.HERE / "servers" / "crowd.cpp", "-o", program, *libraries], timeout=600)
    if code:
        sys.exit(output)
    return program


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.1, help="share of the full numbers (default 0.1)")
    parser.add_argument("--seconds", type=float, default=20, help="duration before the requests (default 20)")
    parser.add_argument("--body-bytes", type=int, default=BODY_BYTES, help=f"of a slow body (default {BODY_BYTES})")
    parser.add_argument("--wine", action="store_true", help="build for Windows and run under Wine")
    options = parser.parse_args()
    program = build(options.wine)
    with contextlib.ExitStack() as stack:
        environment = stack.enter_context(wine_prefix("crowds")) if options.wine else os.environ
        command = [*(["wine"] if options.wine else []), program, "debug", "--port", "PORT"]
        server = stack.enter_context(load.running(
            command, listen_seconds=30, env=dict(environment, XDG_STATE_HOME=str(load.FOLDER / "state")),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        error, text = measure(server, options.scale, options.seconds, body_bytes=options.body_bytes)
    print(text)
    sys.exit(error or 0)


if __name__ == "__main__":
    main()
