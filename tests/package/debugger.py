#!/usr/bin/env python3
"""gdb stops at a breakpoint in a handler of `debug`, as docs/recipes.md shows.

  tests/package/debugger.py PROGRAM     # examples/starter, compiled with -g; it serves on a free port

The commands of gdb are those of the page. After the breakpoint is hit, gdb must show the function and the argument, and
the client must get its response after `continue`.
"""

import concurrent.futures
import http.client
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from haproxy import free_port  # noqa: E402
from kit import ROOT, Tally, eventually, run  # noqa: E402


def commands_of_the_page():
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    block = re.search(r"```\n(gdb --args .*?)```", page, re.DOTALL).group(1)
    return re.findall(r"^\(gdb\) (.*)$", block, re.MULTILINE)


def greeting(port):
    """The response to a request; the first attempts may precede the listener."""
    def get():
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/greet/anna")
            return connection.getresponse().read().decode()
        except OSError:
            return ""
    return eventually(get, 60)


def main():
    tally = Tally()
    if not shutil.which("gdb"):
        tally.skip("a breakpoint in a handler", "gdb is not installed")
        tally.finish()
    program, port = pathlib.Path(sys.argv[1]).resolve(), free_port()
    commands = [argument for command in commands_of_the_page() for argument in ("-ex", command)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        client = pool.submit(greeting, port)
        # After the commands of the page, the request completes, and a signal ends the service.
        code, output = run(["gdb", "--batch", "-nx", "-ex", "set debuginfod enabled off", *commands, "-ex", "delete",
                            "-ex", "python import threading, os, signal; threading.Timer(3, lambda: os.kill("
                            "gdb.selected_inferior().pid, signal.SIGTERM)).start()",
                            "-ex", "handle SIGTERM nostop noprint pass", "-ex", "continue",
                            "--args", program, "debug", "--port", str(port)], timeout=120)
        response = client.result()
    tally.check("gdb stops in the handler", "hit Breakpoint 1" in output and "greeter.cpp:" in output, output)
    tally.check("gdb shows the argument of the handler", re.search(r'\$1 = "anna"', output), output)
    tally.check("the client gets its response after continue", response.endswith("anna\n"), f"{response}\n{output}")
    tally.check("the service ends in order", "exited normally" in output, f"{code}: {output}")
    tally.finish()


if __name__ == "__main__":
    main()
