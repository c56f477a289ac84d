#!/usr/bin/env python3
"""Runs a command under User Mode Linux, a kernel in a process, with more descriptors than this system allows.

  tests/bench/user_mode_linux.py KERNEL COMMAND...     KERNEL: linux.uml of Debian's package user-mode-linux

The command sees the files of this system, with the rights of the user, an empty /tmp, and one processor. A system call
takes many times as long as on this system. The exit code is that of the command. The memory is a file in /dev/shm.
"""

import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "build" / "bench"
MEMORY = "6G"
DESCRIPTORS = 200_000
SETTINGS = {"fs/nr_open": 1_000_000, "fs/file-max": 1_000_000, "net/core/somaxconn": 65_535,
            "net/ipv4/tcp_max_syn_backlog": 65_535, "net/ipv4/ip_local_port_range": "10000 64999"}


def script(command, code):
    """The first process of the system: runs the command, writes its exit code, and ends the system."""
    names = ("PATH", "HOME", "LANG", "LC_ALL")
    lines = [*(f"export {name}={shlex.quote(os.environ[name])}" for name in names if name in os.environ),
             "mount -t proc proc /proc", "mount -t sysfs sys /sys", "mount -t tmpfs tmp /tmp", "ip link set lo up",
             *(f"echo {value} > /proc/sys/{name}" for name, value in SETTINGS.items()),
             f"ulimit -n {DESCRIPTORS}", f"cd {shlex.quote(os.getcwd())}", shlex.join(command), f"echo $? > {code}",
             "poweroff -f"]
    return "#!/bin/sh\n" + "\n".join(lines) + "\n"


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    kernel, *command = sys.argv[1:]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory, tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
        init, code = pathlib.Path(scratch, "init"), pathlib.Path(scratch, "code")
        init.write_text(script(command, code))
        init.chmod(0o755)
        subprocess.run([kernel, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", f"mem={MEMORY}", "quiet",
                        f"init={init}", "con0=null,fd:1", "con=null", "ssl=null"],
                       stdin=subprocess.DEVNULL, env={**os.environ, "TMPDIR": memory}, check=False)
        sys.exit(int(code.read_text()) if code.exists() else "the kernel did not run the command")


if __name__ == "__main__":
    main()
