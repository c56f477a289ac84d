"""The ZIP of a service under Wine: the `cmd` blocks of docs/shipping.md. msi.py makes the packages and calls check_zip.
"""

import pathlib
import re
import shlex
import sys
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import ROOT, eventually  # noqa: E402


def blocks():
    """The four blocks of the page: install, upgrade, go back, remove. Each is a list of lines."""
    page = (ROOT / "docs" / "shipping.md").read_text(encoding="utf-8")
    return [block.strip().split("\n") for block in re.findall(r"^```cmd\n(.*?)^```", page, re.MULTILINE | re.DOTALL)]


class User:
    """Runs the lines in the folder of the packages. Wine has no tar, so Python extracts."""

    def __init__(self, machine, packages):
        self.machine, self.packages = machine, packages

    def extract(self, line):
        words = shlex.split(line.replace("\\", "/"))
        archive, folder, names = words[2], words[4], words[5:] or None
        if words[:2] != ["tar", "-xf"] or words[3] != "-C":
            return 1, f"not a command of the test: {line}"
        with zipfile.ZipFile(self.packages / archive) as source:
            source.extractall(self.machine.prefix / "drive_c" / folder.removeprefix("C:/"), names)
        return 0, ""

    def follow(self, lines):
        """(exit code of the last line, what all lines printed); a line before the last one must succeed."""
        printed = ""
        for line in lines:
            code, output = self.extract(line) if line.startswith("tar ") else self.machine.run_line(line)
            printed += f"> {line}\n{output}"
            if code != 0:
                break
        return (code if line == lines[-1] else -1), printed


def follow_page(tally, machine, packages):
    """The lines of docs/shipping.md that install and remove, as written, in the folder of the packages."""
    user, (install, _, _, remove) = User(machine, packages), blocks()
    machine.port = 5080
    code, output = user.follow(install)
    tally.check("ZIP: the block installs the service", code == 0 and machine.greeting() == "hello anna\n", output)
    code, output = user.follow(remove)
    tally.check("ZIP: the block removes the service", code == 0 and not machine.folder.exists(), output)

    page = (ROOT / "docs" / "shipping.md").read_text(encoding="utf-8")
    install, remove = re.findall(r"^msiexec /qn .*$", page, re.MULTILINE)
    machine.port = int(re.search(r"--port (\d+)", install).group(1))
    code, output = machine.run_line(install)
    tally.check("MSI: the line installs the service", code == 0 and machine.greeting() == "hi anna\n", output)
    code, output = machine.run_line(remove)
    tally.check("MSI: the line removes the service", code == 0 and "greeter.exe" not in machine.files(), output)


def check_zip(tally, machine, packages):
    user = User(machine, packages)
    if not tally.check("docs/shipping.md has four blocks for the ZIP", len(blocks()) == 4):
        return
    install, upgrade, go_back, remove = blocks()

    code, output = user.follow([*install[:-1], f"{install[-1]} --port {machine.port} --set greeting=hi"])
    tally.check("ZIP: the block installs and starts the service", code == 0, output)
    tally.check("ZIP: the service has the options of install", machine.greeting() == "hi anna\n", machine.greeting())
    settings = machine.folder / "greeter.ini"
    settings.write_text("log_level = debug\n")

    code, output = user.follow(upgrade)
    tally.check("ZIP: the block upgrades the service", code == 0, output)
    tally.check("ZIP: the new program runs", "greeter 1.1.0," in machine.version(), machine.version())
    tally.check("ZIP: the upgrade keeps the options", machine.greeting() == "hi anna\n", machine.greeting())
    tally.check("ZIP: the upgrade keeps the settings file", settings.read_text() == "log_level = debug\n")

    code, output = user.follow([line.replace("1.1.0", "1.2.0") for line in upgrade])
    tally.check("ZIP: an upgrade whose service does not start fails", code > 0 and "no license" in output, output)
    code, output = user.follow(go_back)
    tally.check("ZIP: the block goes back to the old program", code == 0, output)
    tally.check("ZIP: the old program is back", "greeter 1.1.0," in machine.version(), machine.version())
    tally.check("ZIP: the old service serves with its options", eventually(lambda: machine.greeting() == "hi anna\n"),
                machine.greeting())

    code, output = user.follow(remove)
    tally.check("ZIP: the block removes the service", code == 0, output)
    tally.check("ZIP: no file is left", not machine.folder.exists(), f"{machine.files()}")
    code, output = machine.run("reg", "query", r"HKLM\System\CurrentControlSet\Services\greeter")
    tally.check("ZIP: no service is left", code != 0, output)
    tally.check("ZIP: nothing answers", machine.greeting().startswith("no response"), machine.greeting())
