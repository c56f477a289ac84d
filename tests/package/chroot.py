#!/usr/bin/env python3
"""README.md, docs/getting-started.md and docs/shipping.md, followed as written, in an empty Debian.

  tests/package/chroot.py [SUITE...]      # as root, with debootstrap; default: bookworm trixie (Debian 12 and 13)
  tests/package/chroot.py SUITE --again REGEX     # after a failure: only the steps whose names it matches

For each suite, build/chroot/SUITE becomes an empty system (debootstrap --variant=minbase, from the mirror in the
configuration of apt) with a clone of this working tree in /srv/winsvc. Then `tools/demo` runs, and each `sh` block of
the pages, in the order of the pages. A block begins in the folder of the clone, or, in docs/shipping.md, in the copy of
examples/starter that docs/getting-started.md makes for Windows. The packages that docs/shipping.md makes are then
installed and removed under Wine, by the lines of this page.

Each program that a compile line of README.md makes, and each last line of a block that ends with `debug`, must serve:
it is started, its address is requested, and after Ctrl-C it must exit with 0. Only the commands that download have a
network.

After a failure, the system is kept for --again, which gives it the files of the working tree as they are now. A step
can need what an earlier one makes; REGEX must then match both.
"""

import argparse
import os
import pathlib
import re
import shlex
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import BUILD, ROOT, Tally, run  # noqa: E402

FOLDER = BUILD / "chroot"
PAGES = ("README.md", "docs/getting-started.md", "docs/shipping.md")
BEGIN = {"docs/shipping.md": "cd ../greeter-windows\n"}
INSTALL_PACKAGES = "python3 tests/package/msi.py ../greeter-windows/build/mingw/packages\n"
SUITES = ("bookworm", "trixie")
ENVIRONMENT = ["env", "-i", "HOME=/root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               "LANG=C.UTF-8", "TERM=dumb", "CMAKE_BUILD_PARALLEL_LEVEL=" + os.environ.get("WINSVC_TEST_JOBS", "2")]

# Starts the command "$@" as a person does in a terminal: requests its address, then presses Ctrl-C.
SERVES = """
serves() {
  echo "\\$ $*"
  rm -f /tmp/service.log                                    # of the service before
  set -m
  "$@" >/tmp/service.log 2>&1 </dev/null &
  local process=$! address=
  for _ in $(seq 6000); do                                  # tools/demo --page compiles first
    address=$(sed -n 's|.*listening on \\(http://[0-9.:]*\\).*|\\1|p' /tmp/service.log | head -n 1)
    [ -z "$address" ] || break
    kill -0 $process 2>/dev/null || break
    sleep 0.1
  done
  if ! curl -fsS --max-time 20 "$address/livez" >/tmp/answer 2>&1; then
    cat /tmp/service.log /tmp/answer
    return 1
  fi
  kill -INT $process
  wait $process || { cat /tmp/service.log; echo "exit code $?"; return 1; }
  echo "served $address"
}
"""


class Broken(Exception):
    """A step that failed, with its output."""


def step(*command, **options):
    code, output = run(command, timeout=1800, **options)
    if code != 0:
        raise Broken("$ " + " ".join(map(str, command)) + f"\n{output}\nexit code {code}")
    return output


def mirror():
    """The mirror of Debian in the configuration of apt."""
    targets = step("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").split()
    found = next((uri for uri in targets if "security" not in uri), None)
    if not found:
        raise Broken("apt has no package lists: run apt-get update first")
    return found


def download_options():
    """How apt downloads on this machine: its proxies, and whether it checks dates, which a frozen mirror fails."""
    lines = step("apt-config", "dump", "Acquire").splitlines()
    return "\n".join(line for line in lines if re.match(r"Acquire::(\w+::Proxy|Check-|Retries)", line)) + "\n"


class Machine:
    """An empty Debian in a folder."""

    def __init__(self, suite, again):
        self.suite, self.root, self.packages = suite, FOLDER / suite, FOLDER / f"{suite}.packages"
        if not again:
            self.make_empty()
        self.clone()

    def make_empty(self):
        suite, base = self.suite, FOLDER / f"{self.suite}.base"
        if not (base / "etc" / "winsvc-base").exists():
            shutil.rmtree(base, ignore_errors=True)
            step("debootstrap", "--variant=minbase", suite, base, mirror())
            (base / "etc" / "winsvc-base").write_text("complete\n")
        shutil.rmtree(self.root, ignore_errors=True)
        step("cp", "-a", base, self.root)
        self.packages.mkdir(exist_ok=True)                  # kept, so that a second run downloads nothing
        for name in ("resolv.conf", "hosts"):
            shutil.copy(f"/etc/{name}", self.root / "etc" / name)
        (self.root / "etc/apt/apt.conf.d/90machine").write_text(download_options())

    def clone(self):
        """Makes a repository of the files of this working tree, as `git clone` does."""
        clone = self.root / "srv" / "winsvc"
        files = step("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
        for name in files:
            if (ROOT / name).exists():
                (clone / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, clone / name)
        step("git", "init", "-q", cwd=clone)
        step("git", "add", "-A", cwd=clone)
        step("git", "-c", "user.name=tests", "-c", "user.email=tests@localhost", "commit", "-q", "--allow-empty",
             "-m", "clone", cwd=clone)
        step("chown", "-R", "root:root", clone)

    def delete_folders_of(self, script):
        """Deletes the folders next to the clone that the script will make."""
        for name in re.findall(r"^(?:mkdir(?: -p)?|cp -r \S+) \.\./([\w-]+)", script, re.MULTILINE):
            shutil.rmtree(self.root / "srv" / name, ignore_errors=True)

    def run(self, script, network=False):
        """Runs a bash script in the folder of the clone, with private mounts and processes, which end with it."""
        (self.root / "tmp" / "script").write_text("set -eo pipefail\ncd /srv/winsvc\n" + SERVES + script)
        root = shlex.quote(str(self.root))
        enter = [f"mount -t proc proc {root}/proc", f"mount --rbind /dev {root}/dev",
                 f"mount --bind {shlex.quote(str(self.packages))} {root}/var/cache/apt/archives",
                 f"exec chroot {root} {shlex.join(ENVIRONMENT)} bash /tmp/script"]
        if not network:
            enter.insert(0, "ip link set lo up")
        private = ["--mount", "--pid", "--fork", "--kill-child", *([] if network else ["--net"])]
        return step("unshare", *private, "sh", "-ec", "\n".join(enter))


def blocks(page):
    """(line number, text) of each `sh` block of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(text[:found.start()].count("\n") + 1, found.group(1))
            for found in re.finditer(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


def script_of(block):
    """The block, in which a service does not block the terminal."""
    lines = re.sub(r"\\\n\s*", "", block).rstrip().split("\n")
    if lines[-1].endswith(" debug"):
        lines[-1] = "serves " + lines[-1]
    else:
        for line in list(lines):
            words = shlex.split(line, comments=True)
            if words and words[0].endswith(("g++", "g++-posix")) and "-c" not in words and "-o" in words:
                program = words[words.index("-o") + 1]
                lines.append("serves " + ("wine " if program.endswith(".exe") else "") + f"./{program} debug")
    return "\n".join(lines) + "\n"


def is_output_of_demo(output):
    return "# all steps succeeded" in output and output.count("# note: Wine") <= 1 and "tools/demo --page" in output


def steps_of_pages():
    """(name, script, whether it has a network) of each step."""
    steps = [("tools/demo", "tools/demo\n", True), ("tools/demo --page", "serves tools/demo --page\n", False)]
    for page in PAGES:
        for number, block in blocks(page):
            steps.append((f"{page}:{number}", BEGIN.get(page, "") + script_of(block), "tools/deps" in block))
    steps.append(("docs/shipping.md: the packages are installed and removed", INSTALL_PACKAGES, False))
    return steps


def follow(tally, suite, again):
    """Runs all steps, also after a failure, because most of them are independent."""
    failed = tally.failed
    try:
        machine = Machine(suite, again)
    except Broken as broken:
        tally.check(f"{suite}: an empty system", False, str(broken))
        return
    for name, script, network in steps_of_pages():
        if again and not re.search(again, name):
            continue
        if again:
            machine.delete_folders_of(script)
        try:
            output = machine.run(script, network)
            wrong = output if name == "tools/demo" and not is_output_of_demo(output) else ""
        except Broken as broken:
            wrong = str(broken)
        tally.check(f"{suite}: {name}", not wrong, wrong)
    if tally.failed == failed:
        shutil.rmtree(machine.root, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("suites", nargs="*", default=SUITES)
    parser.add_argument("--again", metavar="REGEX")
    options = parser.parse_args()
    tally = Tally()
    missing = [name for name in ("debootstrap", "unshare", "ip") if not shutil.which(name)]
    if os.geteuid() != 0 or missing:
        sys.exit(f"chroot.py needs root and debootstrap, util-linux, iproute2; missing: {' '.join(missing) or 'root'}\n"
                 "0 passed, 1 failed")
    FOLDER.mkdir(parents=True, exist_ok=True)
    tally.check("README.md and docs/ have commands", sum(len(blocks(page)) for page in PAGES) > 6)
    for suite in options.suites:
        follow(tally, suite, options.again)
    tally.finish()


if __name__ == "__main__":
    main()
