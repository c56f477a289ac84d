#!/usr/bin/env python3
"""Crowds of slow clients at the same time: threads, memory, and the latency of one more client.

  tests/bench/crowds.py                 a tenth of the full numbers, about a minute
  tests/bench/crowds.py --scale 1       the full numbers; it requires 36,000 descriptors for each of two processes

The full numbers are 10,000 event streams, 5,000 slow bodies, 10,000 idle connections and 500 slow heads. Each crowd is
measured alone, then all together: the median of 100 requests of another client, the threads and the resident memory of
the server. The tool exits with 1 if a median is over 50 ms.
"""

import argparse
import contextlib
import socket
import statistics
import sys
import time

import load

CROWDS = {  # {name: (number of clients, data that each sends at first, data that each sends every two seconds)}
    "idle": (10_000, b"GET / HTTP/1.1\r\nHost: t\r\n\r\n", b""),
    "slow heads": (500, b"GET / HTTP/1.1\r\nX: ", b"x"),
    "slow bodies": (5_000, b"POST /body HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n", b"x" * 4096),
    "event streams": (10_000, b"GET /events HTTP/1.1\r\nHost: t\r\n\r\n", b""),
}
MAX_MEDIAN_MS = 50


def latency(server):
    """Median of 100 requests in milliseconds."""
    times = []
    for _ in range(100):
        start = time.monotonic()
        with socket.create_connection(("127.0.0.1", server.port), 10) as client:
            client.settimeout(10)
            client.sendall(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
            if not client.recv(4096).startswith(b"HTTP/1.1 200 "):
                sys.exit("a request of the additional client was not served")
        times.append((time.monotonic() - start) * 1000)
    return statistics.median(times)


def measure(program, names, scale):
    """Returns the median latency with these crowds."""
    with load.running([program, "PORT"]) as server, contextlib.ExitStack() as crowds:
        for name in names:
            count, data, repeated = CROWDS[name]
            clients = load.many_clients(server, max(1, round(count * scale)), data, repeated)
            if crowds.enter_context(clients) is None:
                sys.exit("the limit of open descriptors is too low; use a smaller --scale")
        time.sleep(3)
        median = latency(server)
        print(f"{' + '.join(names):60} median {median:6.1f} ms  {server.threads():5} threads  "
              f"{server.resident():5.0f} MiB", flush=True)
    return median


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.1, help="share of the full numbers (default 0.1)")
    options = parser.parse_args()
    program = load.build("ours")[0]
    medians = [measure(program, [name], options.scale) for name in CROWDS]
    medians.append(measure(program, list(CROWDS), options.scale))
    sys.exit(max(medians) > MAX_MEDIAN_MS)


if __name__ == "__main__":
    main()
