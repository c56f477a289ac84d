#!/usr/bin/env python3
"""Crowds of slow clients, all at once: threads, memory, and the latency of one more client.

  tests/bench/crowds.py                  a tenth of the full numbers
  tests/bench/crowds.py --scale 0.75     19,125 connections, for a system with 20,000 descriptors per process
  tests/bench/crowds.py --scale 1        all 25,500, if `ulimit -Hn` is at least 25,600; else see user_mode_linux.py
  tests/bench/crowds.py --wine           the server is a Windows program under Wine

The full numbers are 10,000 event streams, 5,000 slow bodies, 10,000 idle connections and 500 slow heads. The tool
measures the median of 100 requests of `/livez`, each with a new connection, and the largest number of threads and the
largest resident memory of the server. The limits are 50 ms, 300 MiB, and 39 threads on one or two processors, and one
thread more for each further processor. All connections of each kind must be accepted before the requests and after
them. The exit code is 1 if one is missing or was closed, a request was rejected, or a limit is exceeded.
"""

import argparse
import contextlib
import os
import pathlib
import resource
import socket
import statistics
import subprocess
import sys
import time

import load
from crowd_clients import KINDS
from kit import MINGW, ROOT, STANDARD, GXX, WINDOWS_LIBRARIES, httplib_folder, run, wine_prefix

BODY_BYTES = 20_000        # of a slow body, which ends after 10 s
MAX_MEDIAN_MS, MAX_MIB = 50, 300
ESTABLISHED = "01"          # in /proc/net/tcp
# The pool keeps a thread for each processor, and two others (winsvc/server/server.hpp, thread_pool_limits_for).
MAX_THREADS = 37 + max(2, len(os.sched_getaffinity(0)))
CLIENTS = pathlib.Path(__file__).resolve().with_name("crowd_clients.py")
OTHER_DESCRIPTORS = 100     # of the server, apart from connections


def request_time(port, time_factor):
    """Milliseconds of one request of `/livez`."""
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 10 * time_factor) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        response = client.recv(4096)
    if not response.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"/livez: {response[:80]!r}")
    return (time.monotonic() - start) * 1000


def connections(port):
    """{kind: addresses of the clients whose connection the server has accepted}. The system may list a connection twice
    if others change meanwhile."""
    kinds = {kind.network: name for name, kind in KINDS.items()}
    clients = {name: set() for name in KINDS}
    for fields in map(str.split, pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]):
        local, remote, state, inode = fields[1], fields[2], fields[3], fields[9]
        name = kinds.get(int(remote[4:6], 16))          # 127.NETWORK.0.1 is 0100NN7F
        if local.endswith(f":{port:04X}") and state == ESTABLISHED and inode != "0" and name:
            clients[name].add(remote)
    return clients


def await_connections(port, expected, seconds):
    """Counts the connections of each kind until none is missing, or until the time has passed. Returns the numbers."""
    end = time.monotonic() + seconds
    while True:
        present = {name: len(clients) for name, clients in connections(port).items()}
        if not missing(expected, present) or time.monotonic() > end:
            return present
        time.sleep(0.1)


def missing(expected, present):
    """Text for the kinds of which connections are missing."""
    return ", ".join(f"{count - present[name]} of {count} {name}" for name, count in expected.items()
                     if present[name] < count)


@contextlib.contextmanager
def crowd(port, *arguments, time_factor):
    """Runs the clients of one kind. Yields the process."""
    process = subprocess.Popen([sys.executable, CLIENTS, *map(str, (port, *arguments, time_factor))],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.stdin.close()
        try:
            process.wait(20 * time_factor)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def reports(crowds):
    """(connections that the server has closed, rejected requests) of all crowds so far."""
    for process in crowds:
        process.stdin.write("\n")
        process.stdin.flush()
    return [sum(numbers) for numbers in zip(*(map(int, process.stdout.readline().split()) for process in crowds))]


class Peaks:
    """The largest numbers of a server."""

    def __init__(self, server):
        self.server, self.threads, self.mib = server, 0, 0

    def sample(self):
        self.threads = max(self.threads, self.server.threads())
        self.mib = max(self.mib, self.server.resident())


def measure(server, scale, seconds, max_mib=MAX_MIB, body_bytes=BODY_BYTES, time_factor=1,
            show_progress=False):
    """Returns (error, text): all crowds on a load.Server, first for `seconds`, then during the requests."""
    peaks = Peaks(server)
    expected = {name: max(1, round(kind.count * scale)) for name, kind in KINDS.items()}
    with contextlib.ExitStack() as stack:
        crowds, start = [], time.monotonic()
        for name, count in expected.items():
            crowds.append(stack.enter_context(crowd(server.port, name, count, body_bytes, time_factor=time_factor)))
            if crowds[-1].stdout.readline() != "ready\n":
                return f"the clients did not connect: {name}", ""
            if show_progress:
                print(f"{count} {name} connected after {time.monotonic() - start:.0f} s", flush=True)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            peaks.sample()
            time.sleep(0.1)
        before = await_connections(server.port, expected, 10 * time_factor)
        if missing(expected, before):
            return f"before the requests, connections are missing: {missing(expected, before)}", ""
        times = []
        for _ in range(100):
            times.append(request_time(server.port, time_factor))
            peaks.sample()
        after = await_connections(server.port, expected, time_factor)
        if missing(expected, after):
            return f"after the requests, connections are missing: {missing(expected, after)}", ""
        closed, rejected = reports(crowds)
    median = statistics.median(times)
    counts = (", ".join(f"{count} {name}" for name, count in present.items()) for present in (before, after))
    text = (f"{'; after the requests '.join(counts)}; {closed} connections closed, {rejected} requests rejected; "
            f"median {median:.1f} ms, maximum {max(times):.1f} ms, {peaks.threads} threads, {peaks.mib:.0f} MiB")
    errors = [error for error, wrong in (
        (f"{closed} connections were closed by the server, {rejected} requests were rejected", closed or rejected),
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
    parser.add_argument("--time-factor", type=float, default=1, help="factor of the clients' timeouts, and of the time "
                        "between the parts that a client sends, for a slow kernel (default 1)")
    parser.add_argument("--program", help="the server, if it is already built")
    parser.add_argument("--wine", action="store_true", help="build for Windows and run under Wine")
    options = parser.parse_args()
    needed = sum(kind.count for kind in KINDS.values()) * options.scale + OTHER_DESCRIPTORS
    if (hard := resource.getrlimit(resource.RLIMIT_NOFILE)[1]) < needed:
        sys.exit(f"the server needs {needed:.0f} descriptors, and `ulimit -Hn` is {hard}")
    program = options.program or build(options.wine)
    with contextlib.ExitStack() as stack:
        environment = stack.enter_context(wine_prefix("crowds")) if options.wine else os.environ
        command = [*(["wine"] if options.wine else []), program, "debug", "--port", "PORT"]
        environment = dict(environment, XDG_STATE_HOME=str(load.FOLDER / "state"))
        server = stack.enter_context(load.running(
            command, listen_seconds=30 * options.time_factor, env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        error, text = measure(server, options.scale, options.seconds, body_bytes=options.body_bytes,
                              time_factor=options.time_factor, show_progress=True)
    print(text)
    sys.exit(error or 0)


if __name__ == "__main__":
    main()
