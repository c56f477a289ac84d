"""Builds and runs the server of the conformance tests (server.cpp).

  program, output = server_process.build()            # (None, output of the compiler) if it does not build
  with server_process.running(program, "--head-ms", "300") as server:
      socket.create_connection(("127.0.0.1", server.port))
  assert server.exit_code == 0
"""

import contextlib
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from kit import (GXX, SEPARATE_WITH_INTERNALS, STANDARD, TEST_CLANG, WARNINGS, Ninja, Tally,  # noqa: E402
                 library_includes, winsvc_object)


class Server:
    """The running server. `exit_code` is None until it has ended."""

    def __init__(self, process):
        self.process = process
        self.port = int(process.stdout.readline() or 0)     # an empty line: the server printed an error and ended
        self.exit_code = None


def build():
    """Returns (program, output of the compiler); program is None if the server does not build."""
    ninja = Ninja("conformance")
    compiled = ninja.compile("server.o", HERE / "server.cpp",
                             [TEST_CLANG, *STANDARD, "-O0", *WARNINGS, *SEPARATE_WITH_INTERNALS, *library_includes()])
    program = ninja.link("server", [compiled, winsvc_object(GXX)], ([TEST_CLANG], ["-pthread"]))
    _, output = ninja.build()
    return (program if program.exists() else None), output


@contextlib.contextmanager
def running(program, *arguments):
    """Runs the server. At the end of the block, closes its standard input, which stops it; kills it after 15 s."""
    process = subprocess.Popen([program, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    server = Server(process)
    try:
        yield server
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            server.exit_code = process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            server.exit_code = process.wait()
        process.stdout.close()


def main(check_all):
    """Builds the server, calls `check_all(tally, program)` and ends the process with the counts."""
    tally = Tally()
    program, output = build()
    if program:
        check_all(tally, program)
    else:
        tally.check("the server builds", False, output)
    tally.finish()
