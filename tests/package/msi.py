#!/usr/bin/env python3
"""The packages of a copy of examples/starter under Wine: the MSI with Wine's msiexec, and the ZIP (zipped.py).

  tests/package/msi.py             # all steps
  tests/package/msi.py FOLDER      # only the lines of docs/shipping.md that install and remove, with the packages there

Builds the copy with CMake and mingw g++ as version 1.0.0, then as 1.1.0, then as 1.2.0, which fails to start, and makes
the packages of each. Then fails to install, installs, requests, upgrades, fails to upgrade, fails to downgrade,
repairs, and removes. Also checks the resources of the program, and runs the blocks of docs/shipping.md about signatures
and symbols.
"""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import (ARCHIVER, BUILD, MINGW, ROOT, Tally, eventually, httplib_folder, run, wine_prefix,  # noqa: E402
                 wineserver, winsvc_object)
from zipped import check_zip, follow_page  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = BUILD / "test" / "package" / "msi"
COPY, OUTPUT = FOLDER / "copy", FOLDER / "build" / "packages"
TOOLCHAIN = ROOT / "tools" / "cmake" / "mingw-w64.cmake"
FAILED = (1603 % 256, 1627 % 256)                           # Windows: install failure; Wine: function failed
DESCRIPTION = 'Greets "everyone" & <others> in K\u00f6ln'        # characters that are special in .rc, XML and YAML
FAILING_HOOK = 'void App(winsvc::service& svc) {\n  svc.on_start([] { throw std::runtime_error("no license"); });'


def step(*command, **options):
    code, output = run(command, timeout=900, **options)
    if code != 0:
        sys.exit("$ " + " ".join(map(str, command)) + f"\n{output}\nexit code {code}\n0 passed, 1 failed")
    return output


def replace(file, old, new):
    text = file.read_text(encoding="utf-8")
    if old not in text:
        sys.exit(f"{file} does not contain '{old}'\n0 passed, 1 failed")
    file.write_text(text.replace(old, new), encoding="utf-8")


def make_packages():
    """Builds the three versions. The object that other stages link too has the bodies of the compiled form."""
    os.environ["WINSVC_WHOLE_OBJECT"] = str(winsvc_object(MINGW))
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.rmtree(FOLDER / "build", ignore_errors=True)     # ninja does not know the object
    shutil.copytree(ROOT / "examples" / "starter", COPY)
    replace(COPY / "CMakeLists.txt", "Greets the clients of this machine", DESCRIPTION.replace('"', '\\"'))
    replace(COPY / "CMakeLists.txt", 'COMPANY "Example"', 'COMPANY "Example, Inc."')
    step("cmake", "-G", "Ninja", "-S", COPY, "-B", FOLDER / "build", f"-DCMAKE_TOOLCHAIN_FILE={TOOLCHAIN}",
         "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O1", f"-DFETCHCONTENT_SOURCE_DIR_WINSVC={ROOT}",
         "-DBUILD_TESTING=OFF", f"-DWINSVC_SIGN={make_certificate()}", f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}",
         f"-DCMAKE_CXX_COMPILER_LAUNCHER={HERE / 'whole_object.py'}",
         f"-DCMAKE_CXX_LINKER_LAUNCHER={HERE / 'whole_object.py'}", f"-DCMAKE_AR={shutil.which(ARCHIVER)}")
    version = "1.0.0"
    for next_version in ("1.1.0", "1.2.0", None):
        step("cmake", "--build", FOLDER / "build", "--target", "greeter_package")
        shutil.copy(FOLDER / "build" / "greeter.exe", FOLDER / f"greeter-{version}.exe")
        if next_version:
            replace(COPY / "CMakeLists.txt", f"VERSION {version}", f"VERSION {next_version}")
            version = next_version
        if next_version == "1.2.0":
            replace(COPY / "greeter.cpp", "void App(winsvc::service& svc) {", FAILING_HOOK)


def msi(version):
    return OUTPUT / f"greeter-{version}-x64.msi"


def check_resources(tally):
    program = FOLDER / "greeter-1.0.0.exe"
    listed = run(["wrestool", "-l", program])[1]
    for name, number in (("an icon", 14), ("a version", 16), ("a manifest", 24)):
        tally.check(f"the program has {name}", f"--type={number} " in listed, listed)
    version = run(["wrestool", "-x", "--raw", "-t16", program])
    raw = subprocess.run(["wrestool", "-x", "--raw", "-t16", program], capture_output=True).stdout
    text = raw.decode("utf-16-le", "replace")
    for field in ("CompanyName", "Example, Inc.", "FileVersion", "1.0.0", DESCRIPTION, "greeter.exe", "Greeter"):
        tally.check(f"the version resource contains {field}", field in text, f"{version[0]}: {text!r}")
    manifest = run(["wrestool", "-x", "--raw", "-t24", program])[1]
    for word in ("asInvoker", ">true</longPathAware>", ">UTF-8</activeCodePage>",
                 "{8e0f7a12-bfb3-4fe8-b9a5-48fd50a15a9a}"):
        tally.check(f"the manifest contains {word}", word in manifest, manifest)
    symbols = run(["x86_64-w64-mingw32-nm", program])[1]
    tally.check("the optimized program is stripped", "no symbols" in symbols, symbols[:300])
    imports = run(["x86_64-w64-mingw32-objdump", "-p", program])[1]
    foreign = [name for name in re.findall(r"DLL Name: (\S+)", imports) if name.lower().startswith("lib")]
    tally.check("the program needs no library of the compiler", not foreign, f"{foreign}")


def check_zip_and_winget(tally):
    with zipfile.ZipFile(OUTPUT / "greeter-1.0.0-x64.zip") as archive:
        tally.check("the ZIP has the program and its settings file",
                    sorted(archive.namelist()) == ["greeter.exe", "greeter.ini"], f"{archive.namelist()}")
    folder = OUTPUT / "winget-greeter-1.0.0"
    files = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    expected = [f"ExampleInc.Greeter{end}.yaml" for end in (".installer", ".locale.en-US", "")]
    tally.check("the winget manifest has three files", sorted(files) == expected, f"{sorted(files)}")
    digest = step("sha256sum", msi("1.0.0")).split()[0].upper()
    text = files.get("ExampleInc.Greeter.installer.yaml", "")
    tally.check("the winget manifest has the checksum of the signed MSI", f"InstallerSha256: {digest}\n" in text, text)
    text = files.get("ExampleInc.Greeter.locale.en-US.yaml", "")
    tally.check("the winget manifest has the description", f"ShortDescription: '{DESCRIPTION}'\n" in text, text)


def check_version_of_msi(tally):
    (FOLDER / "sign.cmake").write_text("")
    for version in ("256.0.0", "1.256.0"):
        code, output = run(["cmake", f"-DPROGRAM={FOLDER / 'greeter-1.0.0.exe'}", f"-DOUTPUT={FOLDER / 'rejected'}",
                            "-DNAME=greeter", "-DWIXL=wixl", f"-DMSI_VERSION={version}",
                            f"-DSIGN_FILE={FOLDER / 'sign.cmake'}", "-P",
                            ROOT / "tools" / "service" / "make_packages.cmake"])
        rejected = code != 0 and f"version {version}" in " ".join(output.split())
        tally.check(f"no MSI is made of version {version}", rejected, output)


def block_of_page(begins, ends):
    """A part of an `sh` block of docs/shipping.md: the lines from `begins` to `ends`."""
    page = (ROOT / "docs" / "shipping.md").read_text(encoding="utf-8")
    found = re.search(f"^```sh\n({begins}.*?^{ends}.*?\n)", page, re.MULTILINE | re.DOTALL)
    return found.group(1) if found else f"echo 'docs/shipping.md has no block that begins with {begins}'; exit 1"


def make_certificate():
    """The commands of docs/shipping.md: a certificate, and a command that signs a file in place with it. They show that
    the program can be signed, not that Windows trusts it."""
    step("bash", "-ec", block_of_page("openssl req", "chmod"), cwd=FOLDER)
    return FOLDER / "sign.sh"


def verified(file):
    """(exit code, output) of the verification of a signature."""
    return run(["osslsigncode", "verify", "-CAfile", FOLDER / "certificate.pem", "-in", file])


def check_signature(tally):
    with zipfile.ZipFile(OUTPUT / "greeter-1.0.0-x64.zip") as archive:
        archive.extract("greeter.exe", FOLDER / "from-zip")
    for name, source in (("program of the ZIP", FOLDER / "from-zip" / "greeter.exe"), ("MSI", msi("1.0.0"))):
        code, output = verified(source)
        tally.check(f"the {name} has a signature that verifies", code == 0 and "verification: ok" in output, output)
        data = bytearray(source.read_bytes())
        data[len(data) // 2] ^= 1
        (FOLDER / "changed").write_bytes(data)
        code, output = verified(FOLDER / "changed")
        tally.check(f"the signature of a changed {name} does not verify", code != 0, output)


class Machine:
    """A Wine prefix, the port of the service, and the folder in which the MSI installs."""

    def __init__(self, environment):
        self.environment = environment
        self.prefix = pathlib.Path(environment["WINEPREFIX"])
        self.folder = self.prefix / "drive_c" / "Program Files" / "Greeter"
        with contextlib.closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def run(self, *command):
        return run(["wine", *command], timeout=180, env=self.environment)

    def run_line(self, line):
        """Runs a line as a user types it in the Command Prompt."""
        script = self.prefix / "drive_c" / "line.bat"
        script.write_text(f"@{line}\n@exit %ERRORLEVEL%\n")
        return self.run("cmd", "/c", r"C:\line.bat")

    def install(self, version, *properties):
        return self.run("msiexec", "/qn", "/i", msi(version), *properties)

    def greeting(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/greet/anna", timeout=10) as response:
                return response.read().decode()
        except OSError as error:
            return f"no response: {error}"

    def version(self):
        return self.run(self.folder / "greeter.exe", "version")[1]

    def products(self):
        """What "Installed apps" shows: the versions of the installed products."""
        return re.findall(r"DisplayVersion\s+REG_SZ\s+(\S+)", self.run(
            "reg", "query", r"HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall", "/s")[1])

    def files(self):
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []


def check_failing_installation(tally, machine):
    code, output = machine.install("1.2.0", f"INSTALLOPTIONS=--port {machine.port}")
    tally.check("a first installation whose service does not start fails", code in FAILED, f"{code}: {output}")
    reason = "start 'greeter': hook at greeter.cpp:7 threw: no license"
    tally.check("it shows the reason", f"greeter: {reason}" in output, output)
    log = machine.prefix / "drive_c" / "ProgramData" / "greeter" / "logs" / "greeter.log"
    text = log.read_text(encoding="utf-8") if log.exists() else "no log"
    tally.check("the log has the reason", f"ERROR {reason}" in text, text)
    code, output = machine.run("reg", "query", r"HKLM\System\CurrentControlSet\Services\greeter")
    tally.check("it leaves no service", code != 0, output)
    tally.check("it leaves no product", machine.products() == [], f"{machine.products()}")
    # Windows deletes each new file in a rollback. Wine keeps the settings file, because its component is permanent.
    tally.check("it leaves no program", machine.files() in ([], ["greeter.ini"]), f"{machine.files()}")


def check_repair(tally, machine):
    program = machine.folder / "greeter.exe"
    machine.run(program, "stop")
    program.unlink()
    code, output = machine.install("1.1.0", "REINSTALL=ALL")
    tally.check("a repair installs a deleted program", code == 0 and "greeter 1.1.0," in machine.version(), output)
    tally.check("the repaired service serves", machine.greeting() == "hi anna\n", machine.greeting())
    machine.run(program, "remove")
    code, output = machine.install("1.1.0", "REINSTALL=ALL", f"INSTALLOPTIONS=--port {machine.port}")
    tally.check("a repair installs a removed service", code == 0 and machine.greeting().endswith(" anna\n"), output)


def check_installer(tally, machine):
    code, output = machine.install("1.0.0", f"INSTALLOPTIONS=--port {machine.port} --set greeting=hi")
    tally.check("msiexec /qn installs and starts the service", code == 0, f"{code}: {output}")
    code, output = verified(machine.folder / "greeter.exe")
    tally.check("the installed program has a signature that verifies", code == 0, output)
    tally.check("the service has the options of INSTALLOPTIONS", machine.greeting() == "hi anna\n", machine.greeting())
    tally.check("`greeter version` shows the version of the project", "greeter 1.0.0," in machine.version())
    tally.check("the product is registered", machine.products() == ["1.0.0"], f"{machine.products()}")

    settings = machine.folder / "greeter.ini"
    settings.unlink()                                       # the prefix may have a link to a file of the MSI
    settings.write_text("log_level = debug\n")
    code, output = machine.install("1.1.0")
    tally.check("a newer version upgrades it", code == 0, f"{code}: {output}")
    tally.check("the upgraded program runs", "greeter 1.1.0," in machine.version(), machine.version())
    tally.check("the upgrade keeps the options of the service", machine.greeting() == "hi anna\n", machine.greeting())
    tally.check("the upgrade keeps the settings file", settings.read_text() == "log_level = debug\n")
    tally.check("the old product is gone", machine.products() == ["1.1.0"], f"{machine.products()}")
    tally.check("the copy of the old program is gone", machine.files() == ["greeter.exe", "greeter.ini"],
                f"{machine.files()}")

    code, output = machine.install("1.2.0")
    tally.check("an upgrade whose service does not start fails", code in FAILED, f"{code}: {output}")
    tally.check("the old program is back", "greeter 1.1.0," in machine.version(), machine.version())
    tally.check("the old service serves again", eventually(lambda: machine.greeting() == "hi anna\n"),
                machine.greeting())
    tally.check("the old product is still registered", machine.products() == ["1.1.0"], f"{machine.products()}")
    tally.check("the rollback leaves no copy", machine.files() == ["greeter.exe", "greeter.ini"], f"{machine.files()}")

    code, output = machine.install("1.0.0")
    tally.check("an older version is rejected", code != 0, f"{code}: {output}")
    tally.check("the service runs on", machine.greeting() == "hi anna\n", machine.greeting())

    check_repair(tally, machine)
    code, output = machine.run("msiexec", "/qn", "/x", msi("1.1.0"))
    tally.check("msiexec /qn removes it", code == 0, f"{code}: {output}")
    tally.check("no program is left", "greeter.exe" not in machine.files(), f"{machine.files()}")
    tally.check("no product is left", machine.products() == [], f"{machine.products()}")
    code, output = machine.run("reg", "query", r"HKLM\System\CurrentControlSet\Services\greeter")
    tally.check("no service is left", code != 0, output)
    tally.check("nothing answers", machine.greeting().startswith("no response"), machine.greeting())


def check_symbols(tally):
    folder = FOLDER / "symbols" / "build" / "mingw"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(FOLDER / "greeter-1.0.0.exe", folder / "greeter.exe")
    step("bash", "-ec", block_of_page("cd build/mingw", "x86_64-w64-mingw32-objcopy --add"), cwd=FOLDER / "symbols")
    sections = run(["x86_64-w64-mingw32-objdump", "-h", folder / "greeter.exe"])[1]
    tally.check("the block about symbols links the program to the file of its symbols",
                ".gnu_debuglink" in sections and (folder / "greeter.debug").exists(), sections)


@contextlib.contextmanager
def new_machine():
    with wine_prefix("msi") as environment:
        wineserver(environment["WINEPREFIX"], "-p300")      # services end with the last Wine program otherwise
        yield Machine(environment)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    tally = Tally()
    if len(sys.argv) > 1:
        packages = pathlib.Path(sys.argv[1]).resolve()
        os.chdir(packages)
        with new_machine() as machine:
            follow_page(tally, machine, packages)
    else:
        make_packages()
        check_resources(tally)
        check_zip_and_winget(tally)
        check_version_of_msi(tally)
        check_signature(tally)
        check_symbols(tally)
        with new_machine() as machine:
            check_zip(tally, machine, OUTPUT)
            check_failing_installation(tally, machine)
            check_installer(tally, machine)
    tally.finish()


if __name__ == "__main__":
    main()
