"""Wine with its real service manager, for the tests in this folder.

  class Install(wine.ServiceTest):
      def test_something(self):
          service = self.service("plain")             # a separate copy of the test program; removed after the test
          self.assert_succeeds(service.run("install"))
          self.assertEqual(service.status()["state"], "stopped")

A machine is a Wine prefix with running system services. All tests share one machine, which shuts down after the last
test. It starts with WINEDEBUG set, so that its trace contains each status that a service reports;
`service.status_histories()` parses the trace. A test fails if one of its commands or services crashes.
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
PROGRAMS = FOLDER / "run"                               # contains only the copies of the test program
MSVC_ABI = os.environ.get("WINSVC_ABI") == "msvc"
CRASH = re.compile(r"wine: unhandled |terminate called|assertion fail|ReportEventW L\".* crashed: ", re.IGNORECASE)

STOPPED, START_PENDING, STOP_PENDING, RUNNING, CONTINUE_PENDING, PAUSE_PENDING, PAUSED = range(1, 8)
ACCEPT_STOP, ACCEPT_SHUTDOWN, ACCEPT_PARAMCHANGE, ACCEPT_PRESHUTDOWN = 0x1, 0x4, 0x8, 0x100

CommandResult = collections.namedtuple("CommandResult", "code out err seconds")
Response = collections.namedtuple("Response", "status headers body")
Status = collections.namedtuple("Status", "time state accepted exit_code specific_code checkpoint wait_hint")


def kill(pid):
    """Kills a process of the tests, if it still exists."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def build_programs():
    """Builds the test program and the control pipe program. The test program links winsvc-mingw.o, or has the ABI of
    Microsoft in the stage scm-msvc."""
    ninja = kit.Ninja("scm")
    command = [kit.MINGW, *kit.STANDARD, "-O1", *kit.WARNINGS]
    sources = kit.ROOT / "tests/scm/services"
    pipe = ninja.compile("control_pipe.o", sources / "control_pipe.cpp", command)
    pipe = ninja.link("control_pipe.exe", [pipe], ([kit.MINGW, "-municode"], kit.WINDOWS_LIBRARIES))
    program = build_msvc_program(sources) if MSVC_ABI else ninja.link("behaviour.exe", [
        kit.winsvc_object(kit.MINGW),
        ninja.compile("behaviour.o", sources / "behaviour.cpp",
                      [*command, *kit.SEPARATE, *kit.library_includes()]),
        ninja.compile("event_type.o", sources / "event_type.cpp", command)], kit.fast_mingw_link())
    success, output = ninja.build()
    if not success:
        raise RuntimeError("the test programs do not build:\n" + output)
    return program, pipe


def build_msvc_program(sources):
    sys.path.append(str(kit.ROOT / "tests" / "msvc"))
    import toolchain                                    # only here: it needs headers that are not in the repository
    try:
        return toolchain.build_program("behaviour", [kit.ROOT / "single_include/winsvc.cpp", sources / "behaviour.cpp",
                                                     sources / "event_type.cpp"], ["-DWINSVC_SEPARATE=1"])
    except toolchain.Missing as reason:
        raise unittest.SkipTest(f"no program of Microsoft's ABI: {reason}") from reason


@functools.cache
def machine_or_error():
    try:
        return Machine()
    except Exception as error:                          # cached: later attempts would fail after the same time
        return error


def shared_machine():
    result = machine_or_error()
    if isinstance(result, Exception):
        raise result
    return result


NOTE_ABOUT_WINE = "warning: Wine has no service SIDs, failure flag, privileges or folder rights; Windows sets them\n"


class Machine:
    """A Wine prefix with running system services, and the trace of its service manager."""

    def __init__(self):
        self.exe, self.control_pipe_exe = build_programs()
        shutil.rmtree(PROGRAMS, ignore_errors=True)
        PROGRAMS.mkdir(parents=True)
        self.trace_path = FOLDER / "trace.log"
        self.trace_path.write_bytes(b"")
        cleanup = contextlib.ExitStack()
        atexit.register(cleanup.close)
        self.environment = cleanup.enter_context(kit.wine_prefix("scm"))
        self.traced_environment = dict(self.environment, WINEDEBUG="-all,+timestamp,+pid,+service,+eventlog")
        self.prefix = pathlib.Path(self.environment["WINEPREFIX"])
        cleanup.callback(self.shut_down)
        self.boot()
        # On a busy machine, a process may need more than 10 s to start. The service manager reads the value at boot.
        self.run("reg", "add", r"HKLM\System\CurrentControlSet\Control", "/v", "ServicesPipeTimeout", "/d", "60000",
                 "/f")
        self.reboot()

    def reboot(self):
        self.shut_down()
        self.boot()

    def boot(self):
        """Starts the service manager, which starts the automatic services."""
        with open(self.trace_path, "ab") as trace:
            for command in (["wineserver", "-p300"], ["wine", "cmd", "/c", "exit"]):
                subprocess.run(command, env=self.traced_environment, stdin=subprocess.DEVNULL, stdout=trace,
                               stderr=trace, timeout=120 * load(), check=True)

    def shut_down(self):
        for option in ("-k", "-w"):
            subprocess.run(["wineserver", option], env=self.environment, timeout=60 * load(),
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def run(self, *command):
        """Runs a Windows command under Wine; returns a CommandResult."""
        result = self.run_once(*command)
        if result[:3] == (1, "", ""):
            # In about one of 1,000 commands, Wine exits with 1 before it starts the program. The verbs of winsvc do not
            # exit with 1, and they print a message if they fail.
            print(f"\n  Wine did not start {command}; trying again", end="")
            result = self.run_once(*command)
        if CRASH.search(result.err):
            raise AssertionError(f"the command crashed: {result}")
        return result

    def run_once(self, *command, timeout=90):
        # Files, not pipes: a process that the command leaves running would keep a pipe open.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            start = time.monotonic()
            code = subprocess.run(["wine", *map(str, command)], env=self.environment, cwd=FOLDER,
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                  timeout=timeout * load()).returncode
            seconds = time.monotonic() - start
            texts = []
            for stream in (out, err):
                stream.seek(0)
                texts.append(stream.read().decode("utf-8", "replace").replace("\r\n", "\n"))
        return CommandResult(code, *texts, seconds)

    def trace_size(self):
        """The current end of the trace, as an argument for trace()."""
        return self.trace_path.stat().st_size

    def trace(self, position):
        with open(self.trace_path, "rb") as file:
            file.seek(position)
            return file.read().decode("utf-8", "replace")

    def registry(self, key):
        """The values of a key as {name: text or number}; None if the key does not exist."""
        path = FOLDER / "key.reg"
        path.unlink(missing_ok=True)
        if self.run("reg", "export", "HKEY_LOCAL_MACHINE\\" + key, path.name, "/y").code != 0:
            return None
        values = {}
        body = path.read_text(encoding="utf-16").split("\n\n")[1]           # without subkeys
        for name, value in re.findall(r'^"((?:[^"\\]|\\.)*)"=(.*)$', body.replace("\\\n", ""), re.MULTILINE):
            values[name] = registry_value(value)
        return values


def registry_value(text):
    """Parses a value of `reg export`: "text", dword:0000001f, hex(2):25,00,00,00."""
    if text.startswith("dword:"):
        return int(text[6:], 16)
    if text.startswith("hex"):
        data = bytes(int(pair, 16) for pair in re.findall(r"[0-9a-f]{2}(?=,|\s|$)", text.split(":", 1)[1]))
        return data.decode("utf-16-le").rstrip("\0")
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def processes():
    """The running copies of the test program, services and others: {Unix pid: command line}. Excludes zombies."""
    found = {}
    folder = "\\" + str(PROGRAMS.relative_to("/")).replace("/", "\\") + "\\"
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if not entry.name.isdigit():
                continue
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            if folder in line.replace("/", "\\") and "\nState:\tZ" not in (entry / "status").read_text():
                found[int(entry.name)] = line.strip()
    return found


def get(connection, path="/"):
    connection.request("GET", path)
    response = connection.getresponse()
    return Response(response.status, response.headers, response.read().decode())


class Service:
    """A service: a copy of the test program. The name of the copy is the service name, and selects the behavior."""

    def __init__(self, machine, name, folder=""):
        self.machine, self.name = machine, name
        self.exe = PROGRAMS / folder / (name + ".exe")
        self.exe.parent.mkdir(parents=True, exist_ok=True)
        self.exe.unlink(missing_ok=True)
        os.link(machine.exe, self.exe)
        self.windows_path = "Z:" + str(self.exe).replace("/", "\\")
        self.data_folder = machine.prefix / "drive_c/ProgramData" / name
        self.key = "System\\CurrentControlSet\\Services\\" + name
        self.source_key = "System\\CurrentControlSet\\Services\\EventLog\\Application\\" + name

    def run(self, *arguments):
        return self.machine.run(self.exe, *arguments)

    def status(self):
        return json.loads(self.run("status", "--json").out)

    def connection(self):
        """An HTTP connection to the address that `status` reports."""
        address = urllib.parse.urlsplit(self.status()["url"])
        return http.client.HTTPConnection(address.hostname, address.port, timeout=30)

    def get(self, path="/"):
        with contextlib.closing(self.connection()) as connection:
            return get(connection, path)

    def unix_pids(self):
        """Unix pids of its service process, without those of its verbs."""
        return [pid for pid, line in processes().items() if f"\\{self.name}.exe" in line and "run-service" in line]

    def log(self):
        time.sleep(0.1)                             # a background thread writes the file a few milliseconds later
        path = self.data_folder / "logs" / (self.name + ".log")
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def status_histories(self, position):
        """The statuses that services reported after this position of the trace: a list of Status for each process.

        Excludes Wine's own services, whose type is not 0x10. The registration of a control handler starts a new list,
        because Windows reuses process IDs.
        """
        histories, current = [], {}
        line = (r"^ *([\d.]+):([0-9a-f]{4}):[0-9a-f]{4}:trace:service:"
                r"(?:(RegisterServiceCtrlHandlerExW)|SetServiceStatus \S+ 0x10" + r" (\S+)" * 6 + "$)")
        for time_text, pid, registered, *numbers in re.findall(line, self.machine.trace(position), re.MULTILINE):
            if registered:
                current[pid] = []
            else:
                if not current.setdefault(pid, []):
                    histories.append(current[pid])
                current[pid].append(Status(float(time_text), *(int(number, 16) for number in numbers)))
        return histories

    def start_request_time(self, position):
        """Time at which the service manager received the start request, before it created the process."""
        trace = self.machine.trace(position)
        return float(re.search(r"^ *([\d.]+):.*:trace:service:svcctl_StartServiceW", trace, re.MULTILINE)[1])


class ServiceTest(unittest.TestCase):
    """Base class of the tests; removes the services of a test after it."""

    maxDiff = None

    def setUp(self):
        self.machine = shared_machine()
        self.trace_position = self.machine.trace_size()
        self.addCleanup(self.check_no_crash)            # runs last
        self.addCleanup(self.check_no_process)

    def service(self, name, folder=""):
        service = Service(self.machine, name, folder)
        self.addCleanup(lambda: self.assert_succeeds(service.run("remove", "--wait", "30")))
        return service

    def install(self, name, *options, folder=""):
        service = self.service(name, folder)
        self.assert_succeeds(service.run("install", *options))
        return service

    def install_and_start(self, name, *options, folder=""):
        service = self.install(name, *options, folder=folder)
        self.assert_succeeds(service.run("start"))
        return service

    def assert_succeeds(self, result):
        """Checks that the command succeeded, with nothing on the error stream but the note about Wine."""
        self.assertEqual(result.code, 0, result)
        self.assertIn(result.err, ("", NOTE_ABOUT_WINE))
        return result

    def assert_fails(self, result, *texts):
        """Checks that the command failed with one line on the error stream, which contains all texts."""
        self.assertNotEqual(result.code, 0, result)
        self.assertEqual(len(result.err.splitlines()), 1, result.err)
        for text in texts:
            self.assertIn(str(text), result.err)
        return result

    def check_no_crash(self):
        found = [line for line in self.machine.trace(self.trace_position).split("\n") if self.is_crash(line)]
        self.assertEqual(found, [])

    def is_crash(self, line):
        """True for a line of the trace that reports a crash. A test that makes a service crash overrides it."""
        return CRASH.search(line) is not None

    def check_no_process(self):
        eventually(lambda: not processes())
        remaining = processes()
        for pid in remaining:
            kill(pid)                           # so that later tests do not find it
        self.assertEqual(remaining, {})
