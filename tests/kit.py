"""Functions that the stages of tests/run.py share: paths, compilers, limits, Wine prefixes, counters.

A stage is a program that prints what it finds and, as its last line, `N passed, N failed` (and `, N skipped`).
"""

import contextlib
import errno
import fcntl
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
JOBS = os.environ.get("WINSVC_TEST_JOBS", "2")

GXX, CLANG, MINGW = "g++", "clang++", "x86_64-w64-mingw32-g++-posix"
# Compiles the tests, in 9/10 of the time of clang 14, which is Debian 12's `clang++` and compiles what a user compiles.
TEST_CLANG = "clang++-19"
ARCHIVER = shutil.which("llvm-ar") or "ar"                  # GNU ar takes a minute for the COFF objects of all parts
STANDARD = ["-std=c++17"]
# For g++: to free memory during a compilation would take 5 to 8 % of its time.
LESS_COLLECTION = ["--param", "ggc-min-expand=300", "--param", "ggc-min-heapsize=4000000"]
# An app's file in the separate form; winsvc_object() has the bodies.
SEPARATE = ["-DWINSVC_SEPARATE=1", f"-I{ROOT / 'single_include'}"]
# The same for a file that uses internal names, or members of the types of cpp-httplib.
SEPARATE_WITH_INTERNALS = [*SEPARATE, "-DWINSVC_TESTING=1"]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]

# As the example's command lines write it: everything a Windows program needs beyond the compiler's own.
WINDOWS_LIBRARIES = ["-static", "-lws2_32"]

# An object that holds all functions of a header refers to one that libstdc++ 12 declares and does not export, in a
# constructor of std::filesystem::path. No program calls that constructor. GNU ld takes minutes over such an object.
GC_SECTIONS = ["-fuse-ld=lld", "-Wl,--gc-sections"]
# lld for Windows looks for a missing function before it drops unused sections, so the function gets a definition.
GC_SECTIONS_MINGW = ["-Wl,-Xlink=/alternatename:_ZNSt10filesystem7__cxx114path5_List4typeENS1_5_TypeE=abort"]


def fast_mingw_link():
    """(before the objects, after them): what mingw g++ compiled, linked by lld in a second. GNU ld takes six minutes over
    as many inline functions as a test program has, and g++ can be given no other linker; so clang calls it."""
    library = run([MINGW, "-print-libgcc-file-name"])[1].strip()
    folder = os.path.dirname(library)
    runtime = ["-lstdc++", "-lpthread", "-lmingw32", "-lgcc", "-lgcc_eh", "-lmoldname", "-lmingwex", "-lmsvcrt"]
    return ([TEST_CLANG, "--target=x86_64-w64-mingw32", "-fuse-ld=lld", f"-L{folder}", f"-B{folder}"],
            [*WINDOWS_LIBRARIES, *runtime])


def clang_for_mingw(clang=CLANG):
    """clang with mingw's headers, as the first words of a command; empty if the headers are missing.

    clang does not find mingw's libstdc++, so its folders are named. -femulated-tls is how that library was compiled:
    without it, std::call_once and std::future do not link. The macro keeps type_info::operator== out of line, as it is in
    the library: an object made of a precompiled header would define it a second time.
    """
    found = sorted(pathlib.Path("/usr/lib/gcc/x86_64-w64-mingw32").glob("*-posix/include/c++"))
    if not found:
        return []
    folder = found[-1]
    return [clang, "--target=x86_64-w64-mingw32", "-nostdinc++", "-isystem", str(folder), "-isystem",
            str(folder / "x86_64-w64-mingw32"), "-isystem", str(folder / "backward"), "-femulated-tls",
            "-D__GXX_TYPEINFO_EQUALITY_INLINE=0", "-Wno-unused-command-line-argument"]


def httplib_folder():
    """Where httplib.h is: WINSVC_HTTPLIB_DIR, or what tools/deps fetched."""
    return pathlib.Path(os.environ.get("WINSVC_HTTPLIB_DIR") or BUILD / "deps" / "include").resolve()


def library_includes():
    """Other people's headers, whose warnings are not ours: httplib.h, and for mingw doctest and nlohmann as well."""
    folders = dict.fromkeys([httplib_folder(), (BUILD / "deps" / "include").resolve()])
    return [argument for folder in folders for argument in ("-isystem", str(folder))]


def write(path, text):
    """Writes a file if it has another text, so that Ninja does not compile the same text again. Returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return path


def headers():
    """Every header, by the name it is included with."""
    folder = ROOT / "include"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.hpp"))


# --- limits -----------------------------------------------------------------------------------------------------------

CORES = len(os.sched_getaffinity(0))
LOAD_AT_MOST = 8.0      # a limit is never stretched by more than this


def load():
    """How many times longer than on an idle machine a program may take: the processes per core that want to run."""
    return min(max(1.0, os.getloadavg()[0] / CORES), LOAD_AT_MOST)


def eventually(holds, seconds=10.0):
    """Calls `holds` until it returns something true, for at most `seconds` of an idle machine; returns its last result."""
    limit = Limit(seconds)
    while not (seen := holds()) and not limit.passed():
        time.sleep(0.02)
    return seen


class Limit:
    """A time limit that a busy machine does not break: `seconds` of an idle machine.

    A second counts as 1 / load() of a second. A program that computes without end is stopped by its processor time, which
    may be `seconds` on each core: its own threads raise the load.
    """

    def __init__(self, seconds, clock=time.monotonic, load=load):
        self.seconds, self.clock, self.load = seconds, clock, load
        self.began = self.seen = clock()
        self.used = 0.0

    def passed(self, processor_seconds=0.0):
        """Empty, or why the time is over. To be called about once a second: the load is read at each call."""
        now = self.clock()
        self.used += (now - self.seen) / self.load()
        self.seen = now
        if self.used > self.seconds:
            return (f"stopped after {now - self.began:.0f} s: the limit is {self.seconds:g} s on an idle machine, and the "
                    f"load was {(now - self.began) / self.used:.1f} per core")
        if processor_seconds > self.seconds * CORES:
            return f"stopped after {processor_seconds:.0f} s of processor time: the limit is {self.seconds * CORES:g} s"
        return ""


def session_of(leader):
    """{pid: processor seconds} of the processes in a session, with those of their children that have ended."""
    found = {}
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            fields = pathlib.Path("/proc", entry, "stat").read_text().rpartition(")")[2].split() if entry.isdigit() else []
            if fields and int(fields[3]) == leader:
                found[int(entry)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return found


def run(command, timeout=120, **options):
    """Runs without a terminal: (exit code, both streams as one text). See measured()."""
    return measured(command, timeout, **options)[:2]


def measured(command, timeout=120, **options):
    """Runs without a terminal: (exit code, both streams as one text, processor seconds).

    `timeout` is in seconds of an idle machine (Limit). When it has passed, the program and all processes of its session
    are killed; the exit code is -1, and the text ends with the reason. The text goes through a file: a process that the
    program leaves running would keep a pipe open.
    """
    with tempfile.TemporaryFile() as text:
        process = started([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=text,
                          stderr=subprocess.STDOUT, start_new_session=True, **options)
        limit, stopped, pause, looked = Limit(timeout), "", 0.001, time.monotonic()
        try:
            while True:
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    break
                time.sleep(pause)
                pause = min(2 * pause, 0.05)
                if not stopped and time.monotonic() - looked > 1:
                    looked = time.monotonic()
                    stopped = limit.passed(sum(session_of(process.pid).values()))
                    if stopped:
                        kill_session(process.pid)
        except BaseException:                               # Ctrl-C: the program is in another session and does not get it
            kill_session(process.pid)
            raise
        process.returncode = -1 if stopped else os.waitstatus_to_exitcode(status)
        text.seek(0)
        output = text.read().decode("utf-8", "replace").replace("\r\n", "\n")
    return process.returncode, output + (f"\n{stopped}\n" if stopped else ""), usage.ru_utime + usage.ru_stime


def started(command, **options):
    """Starts a program. A program that has just been written may be "busy" for a moment: a child that another thread
    has forked inherits the descriptor that wrote it, until it executes another program."""
    for _ in range(50):
        try:
            return subprocess.Popen(command, **options)
        except OSError as error:
            if error.errno != errno.ETXTBSY:
                raise
            time.sleep(0.1)
    return subprocess.Popen(command, **options)


def kill_session(leader):
    while members := session_of(leader):
        living = 0
        for pid in members:
            with contextlib.suppress(OSError):
                if "\nState:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text():
                    os.kill(pid, signal.SIGKILL)
                    living += 1
        if not living:
            return
        time.sleep(0.01)


# --- counting ---------------------------------------------------------------------------------------------------------

class Tally:
    """Counts checks, and prints each one with the details of a failure."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, name, holds, detail=""):
        if holds:
            self.passed += 1
            print(f"  ok    {name}", flush=True)
        else:
            self.failed += 1
            print(f"  FAIL  {name}", flush=True)
            if detail:
                print("        " + detail.rstrip().replace("\n", "\n        "), flush=True)
        return holds

    def skip(self, name, why):
        self.skipped += 1
        print(f"  skip  {name}: {why}", flush=True)

    def finish(self):
        """The closing line, and the program's end. Nothing found is a failure: a test that does not run proves nothing."""
        if self.passed + self.failed + self.skipped == 0:
            self.check("there are tests", False, "none were found")
        print(closing_line(self.passed, self.failed, self.skipped), flush=True)
        sys.exit(1 if self.failed else 0)


def closing_line(passed, failed, skipped):
    return f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")


def parse_closing_line(line):
    found = re.fullmatch(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?", line.strip())
    return tuple(int(part or 0) for part in found.groups()) if found else None


# --- compiling --------------------------------------------------------------------------------------------------------

class Ninja:
    """A build.ninja, written at each run: ninja itself finds what is up to date, by command and by file."""

    def __init__(self, name):
        self.folder = BUILD / "test" / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.text = ["ninja_required_version = 1.8", "builddir = " + str(self.folder),
                     # The output goes first: what is there after the build is what succeeded.
                     "rule compile", "  command = rm -f $out && $do", "  depfile = $out.d", "  deps = gcc",
                     "  description = $in",
                     "rule generate", "  command = rm -f $out && $do", "  description = $out",
                     "rule link", "  command = rm -f $out && $do", "  description = $out"]
        self.targets = []

    def compile(self, output, source, command, implicit=()):
        """`command` as a list, without -c, -o and the source. Returns the object."""
        out = self.folder / output
        words = [*command, "-MD", "-MF", f"{out}.d", "-c", str(source), "-o", str(out)]
        return self._edge("compile", out, [source], words, implicit)

    def syntax_only(self, output, source, command, implicit=()):
        """Compiles without generating code; the output is an empty file, created after success."""
        out = self.folder / output
        words = [*command, "-fsyntax-only", "-MD", "-MF", f"{out}.d", "-MT", str(out), str(source)]
        return self._edge("compile", out, [source], words, implicit, then=f" && touch {out}")

    def precompile(self, name, text, command, generate=True):
        """Precompiles a header that many sources include first.

        Returns (the options that use it, what a source has to wait for, the objects to link).

        With clang, the functions of the header are compiled once, into an object (-fpch-codegen); a source then compiles
        only its own functions: 1 s in place of 14 s. That object needs --gc-sections when it is linked (see GC_SECTIONS).
        g++ has no such option: with it, a precompiled header saves only the time to parse. generate=False is for sources
        that are only parsed.
        """
        header = write(self.folder / name, text)
        clang = "clang" in command[0]
        out = pathlib.Path(f"{header}.pch" if clang else f"{header}.gch")
        codegen = ["-fpch-instantiate-templates", *(["-fpch-codegen"] if generate else [])] if clang else []
        words = [*command, *codegen, "-MD", "-MF", f"{out}.d", "-x", "c++-header", str(header), "-o", str(out)]
        precompiled = self._edge("compile", out, [header], words, ())
        if not clang:
            return ["-Winvalid-pch", "-include", str(header)], [precompiled], []
        if not generate:
            return ["-include-pch", str(out)], [precompiled], []
        compiled = pathlib.Path(f"{out}.o")
        words = [*command, "-Wno-unused-command-line-argument", "-ffunction-sections", "-fdata-sections", "-c", str(out),
                 "-o", str(compiled)]
        return ["-include-pch", str(out)], [precompiled], [self._edge("generate", compiled, [out], words, ())]

    def link(self, output, objects, command):
        out = self.folder / output
        before, after = command
        return self._edge("link", out, objects, [*before, *map(str, objects), "-o", str(out), *after], ())

    def copy_without_main(self, output, compiled):
        """A copy of an object file in which main() has another name."""
        out = self.folder / output
        return self._edge("generate", out, [compiled],
                          ["objcopy", "--redefine-sym", "main=main_of_tests", str(compiled), str(out)], ())

    def archive(self, output, objects):
        """A static library. The rule removes an older one first, so no object of an earlier run stays in it."""
        out = self.folder / output
        return self._edge("generate", out, objects, [ARCHIVER, "rcs", str(out), *map(str, objects)], ())

    def _edge(self, rule, out, inputs, words, implicit, then=""):
        out.parent.mkdir(parents=True, exist_ok=True)
        needs = " | " + " ".join(map(str, implicit)) if implicit else ""
        self.text += [f"build {out}: {rule} {' '.join(map(str, inputs))}{needs}",
                      f"  do = {' '.join(map(shlex.quote, words))}{then}"]
        self.targets.append(out)
        return out

    def build(self, targets=None):
        """Builds as much as can be; returns what ninja printed. Ask `target.exists()` which came out."""
        text = "\n".join(self.text) + "\n"
        (self.folder / "stage").write_text(os.environ.get("WINSVC_STAGE", self.folder.name))
        path = self.folder / "build.ninja"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        wanted = [str(target) for target in (self.targets if targets is None else targets)]
        code, output = run(["ninja", "-f", path, "-j", JOBS, "-k", "0", *wanted], timeout=1500)
        return code == 0, re.sub(r"^\[\d+/\d+\] .*\n", "", output, flags=re.MULTILINE)   # what went well is not worth a line


# Without optimization, names of sections in the object of mingw g++ need more than COFF allows (10 MB).
OPTIMIZED_LEAST = {GXX: "-Og", MINGW: "-Og"}


def winsvc_object(compiler):
    """single_include/winsvc.cpp compiled by g++ or mingw g++: the object file that several stages link. To compile it takes
    a minute. Raises if it does not compile."""
    name = {GXX: "winsvc.o", MINGW: "winsvc-mingw.o"}[compiler]
    with open(BUILD / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)                    # two stages may want it at the same moment
        ninja = Ninja(f"object-{name}")
        made = ninja.compile(name, ROOT / "single_include" / "winsvc.cpp",
                             [compiler, *STANDARD, OPTIMIZED_LEAST[compiler], *LESS_COLLECTION, *WARNINGS,
                              f"-I{ROOT / 'single_include'}", *library_includes()])
        built, output = ninja.build()
        if not built:
            raise RuntimeError(f"{name} does not compile:\n{output}")
        return made


def slowest_files(stages, since, most=10):
    """[(seconds, stage, file)] of the files that took the longest to compile, of those that these stages built since then."""
    found = {}
    for log in (BUILD / "test").glob("*/.ninja_log"):
        stage = (log.parent / "stage").read_text() if (log.parent / "stage").exists() else log.parent.name
        for line in log.read_text().split("\n")[1:]:
            fields = line.split("\t")
            if stage in stages and len(fields) == 5 and os.path.exists(fields[3]) and os.path.getmtime(fields[3]) >= since:
                found[fields[3]] = (int(fields[1]) - int(fields[0])) / 1000, stage, os.path.relpath(fields[3], log.parent)
    return sorted(found.values(), reverse=True)[:most]


def doctest_counts(output):
    """(passed, failed, skipped) test cases of a doctest program; None if it did not come to its end."""
    found = re.findall(r"test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed\s*\|\s*(\d+) skipped", output)
    if not found or "[doctest] Status: " not in output:
        return None
    return tuple(int(part) for part in found[-1][1:])


# --- Wine -------------------------------------------------------------------------------------------------------------

# With WINSVC_WINE=wine10, the commands of build/wine10/bin run, which `tools/deps --wine10` makes; run.py sets both.
WINE10 = BUILD / "wine10"
WINE = WINE10 / "prefixes" if os.environ.get("WINSVC_WINE") == "wine10" else BUILD / "wine"


def wine_environment(prefix):
    """An environment in which Wine behaves: UTF-8 arguments, no debugger, no Mono or Gecko to ask for."""
    environment = dict(os.environ)
    environment.update(LC_ALL="C.UTF-8", WINEARCH="win64", WINEPREFIX=str(prefix), WINEDEBUG="-all",
                       WINEDLLOVERRIDES="mscoree,mshtml=;winedbg.exe=d")
    environment.pop("DISPLAY", None)
    return environment


def wineserver(prefix, *options):
    program = shutil.which("wineserver") or "/usr/lib/wine/wineserver"
    return run([program, *options], env=wine_environment(prefix))


def wine_template():
    """A prefix that booted once, build/wine/template: making one takes 10 s, copying it a tenth of a second."""
    WINE.mkdir(parents=True, exist_ok=True)
    template, new = WINE / "template", WINE / "template.new"
    with open(WINE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)                    # two stages may want it at the same moment
        if not template.exists():
            shutil.rmtree(new, ignore_errors=True)
            code, output = run(["wine", "wineboot", "-i"], timeout=240, env=wine_environment(new))
            wineserver(new, "-k")
            if code != 0 or not (new / "system.reg").exists():
                raise RuntimeError("wineboot failed: " + output)
            new.rename(template)
    return template


@contextlib.contextmanager
def wine_prefix(name):
    """A private prefix for as long as the block runs: its files are links to the template's, its registry is its own."""
    template, prefix = wine_template(), WINE / name
    remove_prefix(prefix)
    subprocess.run(["cp", "-al", str(template), str(prefix)], check=True)
    for registry in template.glob("*.reg"):
        (prefix / registry.name).unlink()
        shutil.copy(registry, prefix / registry.name)
    try:
        yield wine_environment(prefix)
    finally:
        remove_prefix(prefix)


def remove_prefix(prefix):
    if prefix.exists():
        wineserver(prefix, "-k")
        shutil.rmtree(prefix, ignore_errors=True)
