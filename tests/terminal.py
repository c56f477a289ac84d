"""Tests of `debug` in a terminal: keys, a crash, output that is not read, and job control.

Each test starts the program in a pseudo-terminal and returns an error message, which is empty on success.
"""

import contextlib
import http.client
import os
import pty
import re
import select
import signal
import sys
import termios
import time

from example_requests import get
from kit import Limit, load


def check_terminal(program):
    """Runs all tests; returns the first error message."""
    return (check_keys(program) or check_crash(program) or check_unread_output(program) or check_job_control(program))


def check_keys(program):
    """Presses each key of `debug` and checks its effect."""
    pid, master = pty.fork()
    if pid == 0:
        os.execve(program, [str(program), "debug", "--port", "0"], dict(os.environ, TERM="xterm"))
    output = ""

    def is_printed(expected):
        nonlocal output
        limit = Limit(30)
        while expected not in output and not limit.passed():
            if select.select([master], [], [], 0.1)[0]:
                try:
                    output += os.read(master, 65536).decode("utf-8", "replace")
                except OSError:                              # the process has ended
                    break
        return expected in output

    steps = [("", "q stop"), ("", " responses/s, "), ("l", "warn and above"), ("l", "error and above"),
             ("l", "debug and above"), ("s", "in the last minute"),
             ("p", "register a hook for it"), ("q", "stopping: q"), ("", "stopped")]
    missing = ""
    for key, expected in steps:
        os.write(master, key.encode())
        if not is_printed(expected):
            missing = f"'{expected}' is not printed after the key '{key}': {output!r}\n"
            os.kill(pid, signal.SIGKILL)
            break
    _, status = os.waitpid(pid, 0)
    os.close(master)
    return missing or (f"wait status {status}: {output!r}\n" if status != 0 else "")


def start_in_terminal(command):
    """Starts a command in a pseudo-terminal and waits until it serves; returns (pid, master, match of its address)."""
    pid, master = pty.fork()
    if pid == 0:
        os.execve(command[0], command, dict(os.environ, TERM="xterm"))
    output, limit = "", Limit(30)
    while "q stop" not in output and not limit.passed():
        if select.select([master], [], [], 0.1)[0]:
            output += os.read(master, 65536).decode("utf-8", "replace")
    return pid, master, re.search(r"http://127\.0\.0\.1:(\d+)", output)


def wait_for_exit(pid, seconds):
    """Returns the wait status of a process. Kills it and returns None if it is still running after `seconds`."""
    limit = Limit(seconds)
    while not limit.passed():
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


# A minimal shell with job control: it runs a job in the foreground, then in the background, and stops it. It waits for
# changes of the terminal mode by the job, for at most the seconds in its last argument. During the two fixed pauses,
# the job must not change the terminal; on a slow machine, a change may come too late, and the test does not detect it.
SHELL = """
import os, signal, sys, termios, time
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
end = time.monotonic() + float(sys.argv[2])

def wait(holds):
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()

def raw():
    return termios.tcgetattr(0)[3] & termios.ICANON == 0

job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    wait(lambda: os.tcgetpgrp(0) == os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], [sys.argv[1], "debug", "--port", "0"])
os.setpgid(job, job)
os.tcsetpgrp(0, job)
wait(raw)
os.tcsetpgrp(0, os.getpgrp())
print("type x", flush=True)
time.sleep(0.5)
typed = os.read(0, 1)
time.sleep(0.7)
mode = termios.tcgetattr(0)                                 # to the foreground again, in the mode of a shell
mode[3] |= termios.ICANON | termios.ECHO
termios.tcsetattr(0, termios.TCSANOW, mode)
os.tcsetpgrp(0, job)
again = wait(raw)
os.tcsetpgrp(0, os.getpgrp())
stopped = os.waitpid(job, os.WNOHANG | os.WUNTRACED)[0]
os.kill(job, signal.SIGTERM)
pid, status = 0, None
while not pid and time.monotonic() < end:
    pid, status = os.waitpid(job, os.WNOHANG | os.WUNTRACED)
    time.sleep(0.02)
if not pid:
    os.kill(job, signal.SIGKILL)
print("job", typed, again, stopped, pid and status, flush=True)
"""


def check_crash(program):
    """A crash restores the terminal mode."""
    pid, master, _ = start_in_terminal([str(program), "debug", "--port", "0"])
    raw = termios.tcgetattr(master)[3]
    os.kill(pid, signal.SIGABRT)
    status = wait_for_exit(pid, 10)
    after = termios.tcgetattr(master)[3]
    os.close(master)
    if raw & termios.ICANON or not after & termios.ICANON or not after & termios.ECHO or status != signal.SIGABRT:
        return f"a crash does not restore the terminal: modes {raw} {after}, wait status {status}\n"
    return ""


def check_unread_output(program):
    """The program exits on SIGTERM while its terminal is full, because nothing reads it."""
    pid, master, address = start_in_terminal([str(program), "debug", "--port", "0"])
    client = http.client.HTTPConnection("127.0.0.1", int(address.group(1)), timeout=10)
    for _ in range(400):                                     # each request prints a line; the test does not read it
        get(client, "/")
    os.kill(pid, signal.SIGTERM)
    status = wait_for_exit(pid, 30)
    os.close(master)
    return f"it does not exit while its terminal is not read: {status}\n" if status != 0 else ""


def check_job_control(program):
    """The program runs as a background job of a shell, without changing the terminal mode."""
    pid, master = pty.fork()
    if pid == 0:
        command = [sys.executable, "-c", SHELL, str(program), str(40 * load())]
        os.execve(sys.executable, command, dict(os.environ, TERM="xterm"))
    output, limit, typed = "", Limit(60), False
    with contextlib.suppress(OSError):
        while not re.search(r"job b.*\n", output) and not limit.passed():
            if select.select([master], [], [], 0.1)[0]:
                output += os.read(master, 65536).decode("utf-8", "replace")
            if not typed and "type x" in output:
                typed = bool(os.write(master, b"x\n"))      # input for the shell
    wait_for_exit(pid, 10)
    os.close(master)
    return "" if "job b'x' True 0 0" in output else f"a job in the background is stopped or does not exit: {output!r}\n"
