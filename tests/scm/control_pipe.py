"""A simulated service manager: sends any control to a real service process, and returns the result of its handler.

  with control_pipe.Manager(service) as scm:          # the service is installed and not running
      scm.start("one", "two words")                   # start arguments
      scm.wait_until_running()
      self.assertEqual(scm.control(control_pipe.PARAMCHANGE), 0)
      self.assertEqual(scm.control(*control_pipe.session_change(control_pipe.LOGON, session=3)), 0)
      scm.control(control_pipe.SHUTDOWN)
      self.assertEqual(scm.wait_for_exit(), 0)        # the exit code of the process

The program services/control_pipe.cpp sends the controls; its leading comment lists the differences to the real service
manager. The process always ends with the block. If it was still running, the machine is rebooted, because services.exe
still reports the service as running. `service.status_histories()` contains the reported statuses as usual.
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

LOGON, LOGOFF, LOCK, UNLOCK = 5, 6, 7, 8                                    # events of SESSIONCHANGE
SUSPEND, RESUME, POWERSETTINGCHANGE = 0x4, 0x7, 0x8013                      # events of POWEREVENT

LIMIT = 60                                                                  # seconds until the process is killed


def session_change(event, session):
    """(control, event type, data): a WTSSESSION_NOTIFICATION with its size and the session."""
    return SESSIONCHANGE, event, struct.pack("<II", 8, session)


def power_setting(setting, value):
    """(control, event type, data): a POWERBROADCAST_SETTING with the GUID, the length of the value, and the value."""
    return POWEREVENT, POWERSETTINGCHANGE, uuid.UUID(setting).bytes_le + struct.pack("<I", len(value)) + value


class Manager:
    """The service manager of one installed service."""

    def __init__(self, service, limit=LIMIT):
        self.service, self.machine, self.ended = service, service.machine, False
        self.trace_position = self.machine.trace_size()
        limit = int(limit * wine.load())
        with open(self.machine.trace_path, "ab") as trace:
            self.process = subprocess.Popen(["wine", self.machine.control_pipe_exe, service.name, str(limit)],
                                            env=self.machine.traced_environment, cwd=wine.FOLDER,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=trace)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if not self.ended:                              # under Wine, a service ends when its manager ends
            self.process.kill()
            self.close_pipes()
            for pid in self.service.unix_pids():
                wine.kill(pid)
        # services.exe did not start the process and does not detect its end: it reports "running" until the next boot.
        if self.state() not in (wine.STOPPED, None):
            self.machine.reboot()

    def state(self):
        """The last state that the service reported; None before the first one. `status` of a service that services.exe
        did not start shows "stopped", because services.exe knows no process of it."""
        histories = self.service.status_histories(self.trace_position)
        return histories[-1][-1].state if histories else None

    def start(self, *arguments):
        response = self.send("0", *arguments)
        if response != "0":
            raise AssertionError("the service was not started: " + response)

    def control(self, number, event_type=None, data=b""):
        """Sends a control; returns the result of the control handler."""
        if event_type is not None:
            data = struct.pack("<I", event_type) + data     # event_type.cpp extracts it
        response = self.send(str(number), data.hex())
        if not response.isdigit():
            raise AssertionError(f"no result for control {number}: {response}")
        return int(response)

    def wait_for_exit(self):
        """Waits until the process ends; returns its exit code."""
        self.process.stdin.close()
        line = self.read_line()
        self.close_pipes()
        if not line.startswith("exit "):
            raise AssertionError("the service did not end: " + line)
        self.ended = True
        return int(line.split()[1])

    def close_pipes(self):
        with self.process:
            pass

    def send(self, *arguments):
        """Writes one line; returns the line that the program responds with."""
        self.process.stdin.write(" ".join(arguments).encode() + b"\n")
        self.process.stdin.flush()
        return self.read_line()

    def read_line(self):
        return self.process.stdout.readline().decode("utf-8").strip()

    def wait_until_running(self):
        if not wine.eventually(lambda: self.state() == wine.RUNNING):
            raise AssertionError(f"the service does not run: {self.service.status()}")

    def connection(self):
        """An HTTP connection to the service. The address is in its state file; `status` reports none for pid 0."""
        state = json.loads((self.service.data_folder / "state.json").read_text(encoding="utf-8"))
        address = urllib.parse.urlsplit(state["url"])
        return http.client.HTTPConnection(address.hostname, address.port, timeout=30)
