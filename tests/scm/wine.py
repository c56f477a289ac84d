"""A Wine prefix with a real service manager, for the tests in this folder.

  class Install(wine.Case):
      def test_something(self):
          service = self.service("plain")             # a program of its own, removed at the end
          self.succeeds(service.run("install"))
          self.assertEqual(service.status()["state"], "stopped")

One machine is booted for all tests, and ended with the last of them. It is started by a command with WINEDEBUG set, so
that every status that a service reports is in the machine's trace: `service.lives()` reads it. A test fails when any
of its commands or services crashed, whatever else it looked at.
"""

import atexit
import collections
import contextlib
import functools
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))

import kit                                              # noqa: E402
from kit import eventually, load                        # noqa: E402

FOLDER = kit.BUILD / "test" / "scm"
PROGRAMS = FOLDER / "run"                               # every copy of the program, and nothing else, runs from here
CRASH = re.compile(r"wine: unhandled |terminate called|assertion fail|ReportEventW L\".* crashed: ", re.IGNORECASE)

STOPPED, START_PENDING, STOP_PENDING, RUNNING, CONTINUE_PENDING, PAUSE_PENDING, PAUSED = range(1, 8)
ACCEPT_STOP, ACCEPT_SHUTDOWN, ACCEPT_PARAMCHANGE, ACCEPT_PRESHUTDOWN = 0x1, 0x4, 0x8, 0x100

Answer = collections.namedtuple("Answer", "code out err took")      # of a command
Response = collections.namedtuple("Response", "status headers body")
Status = collections.namedtuple("Status", "at state accepted exit_code specific checkpoint hint")


def kill(pid):
    """Ends a process of ours, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def programs():
    """The test program, built once, against the single header if it is up to date; and the program of the control pipe."""
    fresh = subprocess.run([kit.ROOT / "tools" / "amalgamate", "--check"], capture_output=True).returncode == 0
    ours = kit.ROOT / ("single_include" if fresh else "include")
    ninja = kit.Ninja("scm")
    plain = [kit.MINGW, *kit.STANDARD, "-O1", *kit.WARNINGS]
    sources = kit.ROOT / "tests/scm/services"
    service = [ninja.compile("behaviour.o", sources / "behaviour.cpp", [*plain, f"-I{ours}", *kit.library_includes()]),
               ninja.compile("event_type.o", sources / "event_type.cpp", plain)]
    pipe = ninja.compile("control_pipe.o", sources / "control_pipe.cpp", plain)
    link = ([kit.MINGW], kit.WINDOWS_LIBRARIES)
    built = (ninja.link("behaviour.exe", service, link),
             ninja.link("control_pipe.exe", [pipe], ([kit.MINGW, "-municode"], kit.WINDOWS_LIBRARIES)))
    good, said = ninja.build()
    if not good:
        raise RuntimeError("the test programs do not build:\n" + said)
    return built


@functools.cache
def machine_or_trouble():
    try:
        return Machine()
    except Exception as trouble:                        # kept: no test would fare better, and each would take as long
        return trouble


def machine():
    box = machine_or_trouble()
    if isinstance(box, Exception):
        raise box
    return box


class Machine:
    def __init__(self):
        self.exe, self.pipe_exe = programs()
        shutil.rmtree(PROGRAMS, ignore_errors=True)
        PROGRAMS.mkdir(parents=True)
        self.trace_path = FOLDER / "trace.log"
        self.trace_path.write_bytes(b"")
        life = contextlib.ExitStack()
        atexit.register(life.close)
        self.environment = life.enter_context(kit.wine_prefix("scm"))
        self.traced = dict(self.environment, WINEDEBUG="-all,+timestamp,+pid,+service,+eventlog")
        self.prefix = pathlib.Path(self.environment["WINEPREFIX"])
        life.callback(self.halt)
        self.boot()
        # The service manager reads it when it starts: on a busy machine, a process may need more than 10 s to appear.
        self.wine("reg", "add", r"HKLM\System\CurrentControlSet\Control", "/v", "ServicesPipeTimeout", "/d", "60000", "/f")
        self.reboot()

    def reboot(self):
        self.halt()
        self.boot()

    def boot(self):
        """Starts the service manager, and with it what starts automatically."""
        with open(self.trace_path, "ab") as trace:
            for command in (["wineserver", "-p300"], ["wine", "cmd", "/c", "exit"]):
                subprocess.run(command, env=self.traced, stdin=subprocess.DEVNULL, stdout=trace, stderr=trace,
                               timeout=120 * load(), check=True)

    def halt(self):
        for option in ("-k", "-w"):
            subprocess.run(["wineserver", option], env=self.environment, timeout=60 * load(),
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wine(self, *command):
        answer = self.wine_once(*command)
        if answer[:3] == (1, "", ""):
            # Once in some thousand commands, Wine exits with 1 before it starts the program. Our verbs do not exit with 1,
            # and they print a message when they fail.
            print(f"\n  Wine did not run {command}; it is run again", end="")
            answer = self.wine_once(*command)
        if CRASH.search(answer.err):
            raise AssertionError(f"it crashed: {answer}")
        return answer

    def wine_once(self, *command, timeout=90):
        # Files, not pipes: whatever a command leaves running would hold a pipe open.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            began = time.monotonic()
            code = subprocess.run(["wine", *map(str, command)], env=self.environment, cwd=FOLDER, stdin=subprocess.DEVNULL,
                                  stdout=out, stderr=err, timeout=timeout * load()).returncode
            took = time.monotonic() - began
            texts = []
            for stream in (out, err):
                stream.seek(0)
                texts.append(stream.read().decode("utf-8", "replace").replace("\r\n", "\n"))
        return Answer(code, *texts, took)

    def now(self):
        """A place in the trace."""
        return self.trace_path.stat().st_size

    def trace(self, since):
        with open(self.trace_path, "rb") as file:
            file.seek(since)
            return file.read().decode("utf-8", "replace")

    def registry(self, key):
        """The values of a key as {name: text or number}; None if there is no such key."""
        path = FOLDER / "key.reg"
        path.unlink(missing_ok=True)
        if self.wine("reg", "export", "HKEY_LOCAL_MACHINE\\" + key, path.name, "/y").code != 0:
            return None
        values = {}
        body = path.read_text(encoding="utf-16").split("\n\n")[1]           # the key itself, without its sub-keys
        for name, value in re.findall(r'^"((?:[^"\\]|\\.)*)"=(.*)$', body.replace("\\\n", ""), re.MULTILINE):
            values[name] = registry_value(value)
        return values


def registry_value(written):
    """A value as `reg export` writes it: "text", dword:0000001f, hex(2):25,00,00,00."""
    if written.startswith("dword:"):
        return int(written[6:], 16)
    if written.startswith("hex"):
        data = bytes(int(pair, 16) for pair in re.findall(r"[0-9a-f]{2}(?=,|\s|$)", written.split(":", 1)[1]))
        return data.decode("utf-16-le").rstrip("\0")
    return re.sub(r"\\(.)", r"\1", written[1:-1])


def processes():
    """{Unix pid: command line} of every program of ours that runs, services and others, without those that have ended."""
    found = {}
    where = "\\" + str(PROGRAMS.relative_to("/")).replace("/", "\\") + "\\"
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace") if entry.name.isdigit() else ""
            if where in line.replace("/", "\\") and "\nState:\tZ" not in (entry / "status").read_text():
                found[int(entry.name)] = line.strip()
    return found


def get(connection, path="/"):
    connection.request("GET", path)
    answer = connection.getresponse()
    return Response(answer.status, answer.headers, answer.read().decode())


class Service:
    """One service: a copy of the test program, by whose name it is called and behaves."""

    def __init__(self, box, name, folder=""):
        self.box, self.name = box, name
        self.exe = PROGRAMS / folder / (name + ".exe")
        self.exe.parent.mkdir(parents=True, exist_ok=True)
        self.exe.unlink(missing_ok=True)
        os.link(box.exe, self.exe)
        self.windows_path = "Z:" + str(self.exe).replace("/", "\\")
        self.data = box.prefix / "drive_c/ProgramData" / name
        self.key = "System\\CurrentControlSet\\Services\\" + name
        self.source_key = "System\\CurrentControlSet\\Services\\EventLog\\Application\\" + name

    def run(self, *words):
        return self.box.wine(self.exe, *words)

    def status(self):
        return json.loads(self.run("status", "--json").out)

    def connection(self):
        """A connection to the address that `status` reports."""
        address = urllib.parse.urlsplit(self.status()["url"])
        return http.client.HTTPConnection(address.hostname, address.port, timeout=30)

    def get(self, path="/"):
        with contextlib.closing(self.connection()) as connection:
            return get(connection, path)

    def unix_pids(self):
        """The pids of its service process, not of its verbs."""
        return [pid for pid, line in processes().items() if f"\\{self.name}.exe" in line and "run-service" in line]

    def log(self):
        time.sleep(0.1)                                       # a background thread writes it, some milliseconds later
        path = self.data / "logs" / (self.name + ".log")
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def lives(self, since):
        """The statuses that services reported to the service manager, by process, in order. (Wine's own are not of this type, 0x10.)

        A life begins where the handler is registered: Windows gives the number of a process that has ended to the next.
        """
        lives, of = [], {}
        line = (r"^ *([\d.]+):([0-9a-f]{4}):[0-9a-f]{4}:trace:service:"
                r"(?:(RegisterServiceCtrlHandlerExW)|SetServiceStatus \S+ 0x10" + r" (\S+)" * 6 + "$)")
        for at, pid, registered, *numbers in re.findall(line, self.box.trace(since), re.MULTILINE):
            if registered:
                of[pid] = []
            else:
                if not of.setdefault(pid, []):
                    lives.append(of[pid])
                of[pid].append(Status(float(at), *(int(number, 16) for number in numbers)))
        return lives

    def asked_to_start(self, since):
        """The time of the start request to the service manager, before there is a process."""
        return float(re.search(r"^ *([\d.]+):.*:trace:service:svcctl_StartServiceW", self.box.trace(since), re.MULTILINE)[1])


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.box = machine()
        self.trace_start = self.box.now()
        self.addCleanup(self.nothing_crashed)           # the last of the clean-ups
        self.addCleanup(self.nothing_is_left)

    def service(self, name, folder=""):
        service = Service(self.box, name, folder)
        self.addCleanup(lambda: self.succeeds(service.run("remove", "--wait", "30")))
        return service

    def installed(self, name, *options, folder=""):
        service = self.service(name, folder)
        self.succeeds(service.run("install", *options))
        return service

    def started(self, name, *options, folder=""):
        service = self.installed(name, *options, folder=folder)
        self.succeeds(service.run("start"))
        return service

    def succeeds(self, answer):
        self.assertEqual(answer.code, 0, answer)
        self.assertEqual(answer.err, "")
        return answer

    def fails(self, answer, *words):
        """With a sentence on the error stream in which all the words are."""
        self.assertNotEqual(answer.code, 0, answer)
        self.assertEqual(len(answer.err.splitlines()), 1, answer.err)
        for word in words:
            self.assertIn(str(word), answer.err)
        return answer

    def nothing_crashed(self):
        found = [line for line in self.box.trace(self.trace_start).split("\n") if CRASH.search(line)]
        self.assertEqual(found, [])

    def nothing_is_left(self):
        eventually(lambda: not processes())
        left = processes()
        for pid in left:
            kill(pid)                           # or every test after this one would find it as well
        self.assertEqual(left, {})
