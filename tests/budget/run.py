#!/usr/bin/env python3
"""The cost of one request: instructions, system calls and memory allocations of the server.

  tests/budget/run.py [--update] [SCENARIO...]

The engine (tests/bench/servers/ours.cpp) runs under valgrind and under strace. Each scenario sends requests on one
connection. The cost of a request is the difference between a long run and a short run, divided by the number of
additional requests. Unlike times, these figures repeat on a busy machine.

tests/budget/bars.json has the stored figures. A figure far above its stored figure (GROWTH) is a failure. --update stores
the figures of this run.
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
# The number of instructions depends on how the threads alternate: two runs of one program differ by up to 30 %.
GROWTH = {"instructions": 1.5, "system calls": 1.1, "allocations": 1.1}
# A call at the end of a run may be counted in one run and not in the other.
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
    "route": head("/r999/7"),
    "reply": head("/json"),
    "body": body_request(),
}


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
    for _ in range(count):
        connection.sendall(request)
        response = b""
        while b"\r\n\r\n" not in response:
            response += received(connection)
        length = int(re.search(rb"(?i)content-length: (\d+)", response).group(1))
        missing = length - len(response.split(b"\r\n\r\n", 1)[1])
        while missing > 0:
            missing -= len(received(connection))
        if not response.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"unexpected response: {response[:200]!r}")


def received(connection):
    data = connection.recv(65536)
    if not data:
        raise RuntimeError("the server closed the connection")
    return data


def serve(command, request, count):
    """Runs the server under a tool, sends the requests, and ends the server. Returns what the tool printed."""
    port = load.free_port()
    process = subprocess.Popen([*map(str, command), str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        with connect(port) as connection:
            send_requests(connection, request, count)
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


def counted(program, request, count):
    """{figure: total of one run}"""
    profile = FOLDER / "callgrind.out"
    output = serve(["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}", program], request, count)
    instructions = re.search(r"Collected : (\d+)", output)
    calls = serve(["strace", "-f", "-c", "-U", "calls,name", "-e", f"trace={COUNTED_CALLS}", program], request, count)
    total = re.search(r"^\s*(\d+)\s+total$", calls, re.MULTILINE)
    if not (instructions and total):
        raise RuntimeError(f"a tool printed no figure:\n{output}\n{calls}")
    return {"instructions": int(instructions.group(1)), "system calls": int(total.group(1)),
            "allocations": calls_of_malloc(profile.read_text(encoding="utf-8"))}


def calls_of_malloc(profile):
    """The number of calls of malloc in a profile of callgrind, which names a function only at its first mention."""
    numbers = set(re.findall(r"fn=\((\d+)\) malloc$", profile, re.MULTILINE))
    calls = re.findall(r"^cfn=\((\d+)\).*\n(?:cfi=.*\n|cfl=.*\n)?calls=(\d+)", profile, re.MULTILINE)
    return sum(int(count) for number, count in calls if number in numbers)


def cost_of_request(program, request):
    short, long = counted(program, request, SHORT), counted(program, request, LONG)
    return {figure: (long[figure] - short[figure]) / (LONG - SHORT) for figure in short}


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
        for figure, value in cost_of_request(program, SCENARIOS[name]).items():
            key = f"{name}: {figure}"
            bar = stored.get(key)
            if "--update" in sys.argv:
                stored[key] = round(value, 2)
                tally.check(key, True, "")
            else:
                within = bar is not None and value <= bar * GROWTH[figure] + SLACK[figure]
                tally.check(f"{key} {value:.2f}, stored {bar}", within, f"more than {GROWTH[figure]} times the stored figure")
    if "--update" in sys.argv:
        BARS.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
    tally.finish()


if __name__ == "__main__":
    main()
