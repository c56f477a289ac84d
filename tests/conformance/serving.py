"""The server of the conformance tests: built once, and running for as long as a block does.

  program, said = serving.build()                     # None and the compiler's words, when it does not build
  with serving.running(program, "--head-ms", "300") as server:
      socket.create_connection(("127.0.0.1", server.port))
  assert server.code == 0
"""

import contextlib
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from kit import CLANG, ROOT, STANDARD, WARNINGS, Ninja, library_includes  # noqa: E402


class Server:
    def __init__(self, process):
        self.process = process
        self.port = int(process.stdout.readline() or 0)     # nothing: it could not start, and said why
        self.code = None


def build():
    """(the program or None, what the compiler said)"""
    ninja = Ninja("conformance")
    compiled = ninja.compile("server.o", HERE / "server.cpp",
                             [CLANG, *STANDARD, "-O0", *WARNINGS, f"-I{ROOT / 'include'}", *library_includes()])
    program = ninja.link("server", [compiled], ([CLANG], ["-pthread"]))
    _, said = ninja.build()
    return (program if program.exists() else None), said


@contextlib.contextmanager
def running(program, *arguments):
    """It is told to end by its standard input, as a client's test would tell it; who does not listen is killed."""
    process = subprocess.Popen([program, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    server = Server(process)
    try:
        yield server
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            server.code = process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            server.code = process.wait()
        process.stdout.close()
