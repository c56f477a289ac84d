#!/usr/bin/env python3
"""The cost of one request: instructions, system calls and memory allocations of the server.

  tests/budget/run.py [--update] [SCENARIO...]

Each scenario sends requests on one connection to the engine (tests/bench/servers/ours.cpp). Unlike times, these figures
repeat on a busy machine.

instructions  of the steps of a connection, from the received head to the sent response, under callgrind. The poller and
              the other threads, whose work depends on the time, are not counted.
system calls  under strace
allocations   calls of operator new, counted by the server: the batch of requests with the fewest, because a request that
              a busy machine delays moves to another thread, which may allocate

The cost of a request is the difference between a long run and a short run, divided by the number of additional requests.

tests/budget/bars.json has the stored figures. A figure above its stored figure (GROWTH) is a failure. --update stores the
figures of this run.
"""

import contextlib
import json
import pathlib
import re
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE.parent / "bench"))
import load  # noqa: E402
from kit import BUILD, Tally  # noqa: E402

BARS = HERE / "bars.json"
FOLDER = BUILD / "test" / "budget"
SHORT, LONG = 50, 450          # requests of the two runs
BATCHES, BATCH = 20, 40        # requests for the number of allocations
# A step that waits for a thread costs more instructions, and its number depends on the load of the machine.
GROWTH = {"instructions": 1.2, "system calls": 1.1, "allocations": 1.0}
# A call at the end of a run may be counted in one run and not in the other. On a busy machine, the queue of the log grows
# by a line now and then, which is an allocation; an allocation of each request counts 1.
SLACK = {"instructions": 0, "system calls": 0.1, "allocations": 0.1}


def head(path, fields=()):
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in fields)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def body_request():
    body = b"x" * 100
    return b"POST /body HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


SCENARIOS = {
    "plain": head("/"),
    "browser": head("/", load.BROWSER_FIELDS.items()),
    "browser, request taken": head("/request", load.BROWSER_FIELDS.items()),
    "route": head("/r999/7"),
    "typed query": head("/item/7?page=2"),
    "reply": head("/json"),
    "body": body_request(),
    "access log": head("/"),
    "JSON access log": head("/"),
    "metrics": head("/"),
    "loopback address": head("/"),
}
# Arguments of the server for a scenario.
ARGUMENTS = {"access log": ["access-log"], "JSON access log": ["json-access-log"], "metrics": ["metrics"],
             "loopback address": ["host-check"]}


# --- the client -------------------------------------------------------------------------------------------------------

def connect(port):
    for _ in range(600):
        with contextlib.suppress(OSError):
            connection = socket.create_connection(("127.0.0.1", port), 30)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        time.sleep(0.05)
    raise RuntimeError("the server does not listen")


def send_requests(connection, request, count):
    """Sends the request `count` times. Returns the body of the last response."""
    body = b""
    for _ in range(count):
        connection.sendall(request)
        response = b""
        while b"\r\n\r\n" not in response:
            response += received(connection)
        length = int(re.search(rb"(?i)content-length: (\d+)", response).group(1))
        body = response.split(b"\r\n\r\n", 1)[1]
        while len(body) < length:
            body += received(connection)
        if not response.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"unexpected response: {response[:200]!r}")
    return body


def received(connection):
    data = connection.recv(65536)
    if not data:
        raise RuntimeError("the server closed the connection")
    return data


def serve(command, arguments, use):
    """Runs the server, calls `use` with a connection, and ends the server. Returns what the server and its tool printed."""
    port = load.free_port()
    process = subprocess.Popen([*map(str, command), str(port), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        with connect(port) as connection:
            use(connection)
        process.stdin.close()
        process.stdin = None
        _, errors = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return errors


# --- the figures ------------------------------------------------------------------------------------------------------

# The calls for a request. Threads that measure time or sleep make other calls, whose number depends on the machine's load.
COUNTED_CALLS = "recvfrom,recvmsg,read,readv,sendto,sendmsg,write,writev,accept4,shutdown,close,setsockopt,epoll_ctl"


def instructions_and_calls(program, arguments, request, count):
    """(instructions, system calls) of one run"""
    def send(connection):
        send_requests(connection, request, count)

    profile = FOLDER / "callgrind.out"
    output = serve(["valgrind", "--tool=callgrind", "--toggle-collect=*connection::advance*",
                    f"--callgrind-out-file={profile}", program], arguments, send)
    instructions = re.search(r"Collected : (\d+)", output)
    calls = serve(["strace", "-f", "-c", "-U", "calls,name", "-e", f"trace={COUNTED_CALLS}", program], arguments, send)
    total = re.search(r"^\s*(\d+)\s+total$", calls, re.MULTILINE)
    if not (instructions and total):
        raise RuntimeError(f"a tool printed no figure:\n{output}\n{calls}")
    return int(instructions.group(1)), int(total.group(1))


def allocations(program, arguments, request):
    """The allocations of one request: the smallest figure of the batches."""
    overheads, figures = [], []

    def send(connection):
        def total():
            return int(send_requests(connection, head("/allocations"), 1))

        send_requests(connection, request, BATCH)  # the first requests fill the memory that the others use
        for _ in range(BATCHES):
            first, second = total(), total()
            send_requests(connection, request, BATCH)
            overheads.append(second - first)
            figures.append(total() - second)

    serve([program], arguments, send)
    return (min(figures) - min(overheads)) / BATCH


def cost_of_request(program, arguments, request):
    short, long = (instructions_and_calls(program, arguments, request, count) for count in (SHORT, LONG))
    instructions, calls = ((b - a) / (LONG - SHORT) for a, b in zip(short, long))
    return {"instructions": instructions, "system calls": calls, "allocations": allocations(program, arguments, request)}


def main():
    names = [name for name in sys.argv[1:] if name != "--update"] or list(SCENARIOS)
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        sys.exit(f"there is no scenario {', '.join(unknown)}; the scenarios are {', '.join(SCENARIOS)}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    stored = json.loads(BARS.read_text(encoding="utf-8")) if BARS.exists() else {}
    program, _, _ = load.build("ours")
    tally = Tally()
    for name in names:
        for figure, value in cost_of_request(program, ARGUMENTS.get(name, []), SCENARIOS[name]).items():
            key = f"{name}: {figure}"
            bar = stored.get(key)
            if "--update" in sys.argv:
                stored[key] = round(value, 2)
                tally.check(key, True, "")
            else:
                within = bar is not None and value <= bar * GROWTH[figure] + SLACK[figure]
                tally.check(f"{key} {value:.2f}, stored {bar}", within,
                            "more than the stored figure allows (GROWTH)")
    if "--update" in sys.argv:
        BARS.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
    tally.finish()


if __name__ == "__main__":
    main()
