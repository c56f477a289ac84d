"""A service manager in the test's hands: any control to a real service process, and what its handler returned.

  with control_pipe.Manager(service) as scm:          # the service is installed, not started
      scm.start("one", "two words")                   # start arguments
      scm.until_running()
      self.assertEqual(scm.control(control_pipe.PARAMCHANGE), 0)
      self.assertEqual(scm.control(*control_pipe.session_change(control_pipe.LOGON, session=3)), 0)
      scm.control(control_pipe.SHUTDOWN)
      self.assertEqual(scm.end(), 0)                  # the process' exit code

The program services/control_pipe.cpp does it; its prose says what is real about it. Whatever happens, the process ends
with the block; if it had not ended before, the machine is booted anew, because services.exe believes in it. What the
service reports is in the machine's trace as ever: `service.lives(since)`.
"""

import http.client
import json
import struct
import subprocess
import urllib.parse
import uuid

import wine

STOP, PAUSE, CONTINUE, INTERROGATE, SHUTDOWN, PARAMCHANGE, NETBINDADD = 1, 2, 3, 4, 5, 6, 7
DEVICEEVENT, POWEREVENT, SESSIONCHANGE, PRESHUTDOWN, TIMECHANGE = 11, 13, 14, 15, 16

LOGON, LOGOFF, LOCK, UNLOCK = 5, 6, 7, 8                                    # of SESSIONCHANGE
SUSPEND, RESUME, POWERSETTINGCHANGE = 0x4, 0x7, 0x8013                      # of POWEREVENT

LIMIT = 60                                                                  # s: what takes longer is ended


def session_change(what, session):
    """(control, type, data) with a WTSSESSION_NOTIFICATION: its size, and the session."""
    return SESSIONCHANGE, what, struct.pack("<II", 8, session)


def power_setting(setting, value):
    """(control, type, data) with a POWERBROADCAST_SETTING: which (a GUID), the value's length, the value."""
    return POWEREVENT, POWERSETTINGCHANGE, uuid.UUID(setting).bytes_le + struct.pack("<I", len(value)) + value


class Manager:
    def __init__(self, service, limit=LIMIT):
        self.service, self.box, self.ended = service, service.box, False
        limit = int(limit * wine.load())
        with open(self.box.trace_path, "ab") as trace:
            self.process = subprocess.Popen(["wine", self.box.pipe_exe, service.name, str(limit)], env=self.box.traced,
                                            cwd=wine.FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=trace)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if not self.ended:                              # without its manager, a service of Wine's ends at once
            self.process.kill()
            self.finish()
            for pid in self.service.unix_pids():
                wine.kill(pid)
        # Of a process that is not its own, services.exe knows only what that said: until the next boot, "running".
        if self.service.status()["state"] != "stopped":
            self.box.reboot()

    def start(self, *words):
        answer = self.ask("0", *words)
        if answer != "0":
            raise AssertionError("it was not started: " + answer)

    def control(self, number, type=None, data=b""):
        """What the handler returned."""
        if type is not None:
            data = struct.pack("<I", type) + data       # event_type.cpp takes it out again
        answer = self.ask(str(number), data.hex())
        if not answer.isdigit():
            raise AssertionError(f"no answer to control {number}: {answer}")
        return int(answer)

    def end(self):
        """Waits for the process to end: its exit code."""
        self.process.stdin.close()
        said = self.said()
        self.finish()
        if not said.startswith("exit "):
            raise AssertionError("it did not end: " + said)
        self.ended = True
        return int(said.split()[1])

    def finish(self):
        with self.process:
            pass

    def ask(self, *words):
        """One line, and the line that answers it."""
        self.process.stdin.write(" ".join(words).encode() + b"\n")
        self.process.stdin.flush()
        return self.said()

    def said(self):
        return self.process.stdout.readline().decode("utf-8").strip()

    def until_running(self):
        if not wine.eventually(lambda: self.service.status()["state"] == "running"):
            raise AssertionError(f"it does not run: {self.service.status()}")

    def connection(self):
        """To where the service says that it listens. `status` does not tell: the process is not its service manager's."""
        left = json.loads((self.service.data / "state.json").read_text(encoding="utf-8"))
        address = urllib.parse.urlsplit(left["url"])
        return http.client.HTTPConnection(address.hostname, address.port, timeout=30)
