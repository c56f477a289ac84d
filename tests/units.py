#!/usr/bin/env python3
"""The doctest programs: built in one way, run, counted.

  tests/units.py PROGRAM WAY

PROGRAM  units      tests/{base,settings,route,wire,scm,commandline,os,log}: no httplib, so it builds in seconds
         http       the other folders that mirror include/winsvc; with `asan`, cpp-httplib has OpenSSL, zlib, brotli and zstd
         threads    the files of both that create threads (see WITHOUT_THREADS)
         separate   some files of http in the separate form: they declare, and the winsvc.o that g++ compiles has the bodies;
                    host/sequences with 20,000 sequences of controls, server/simulation with 10,000 seeds
         crash      tests/os/crash.cpp alone, with mingw g++; units with `windows` is without it, and runs it as well
         fuzz       tests/fuzz/*.cpp, each with its corpus; `http asan` has fuzz/connection.cpp, which needs all of winsvc
WAY      clang    clang 19, all warnings are errors
         asan     clang 19, address and undefined behaviour sanitizers
         tsan     clang 19, thread sanitizer
         mingw    mingw g++, run under Wine
         windows  clang 19 with mingw's headers and libraries, run under Wine: a fifth of the time of mingw
"""

import contextlib
import os
import queue
import re
import sys
import tempfile

from kit import (GC_SECTIONS, GC_SECTIONS_MINGW, GXX, JOBS, MINGW, ROOT, SEPARATE_WITH_INTERNALS, STANDARD,
                 TEST_CLANG, WARNINGS, WINDOWS_LIBRARIES, Ninja, Tally, clang_for_mingw, fast_mingw_link, library_includes,
                 load, run, wine_prefix, wineserver, winsvc_object, write)
from shards import run_shards, shards_of

UNITS = ("base", "settings", "route", "wire", "scm", "commandline", "os", "log")
HTTP = ("api", "addons", "http", "server", "host", "manage", "diagnose", "cli", "testing")
FOLDERS = {"units": UNITS, "http": HTTP, "threads": (*UNITS, *HTTP), "separate": HTTP, "crash": ("os",)}
# Options and libraries of cpp-httplib with OpenSSL and each content coding.
WITH_LIBRARIES = ([f"-DCPPHTTPLIB_{name}_SUPPORT" for name in ("OPENSSL", "ZLIB", "BROTLI", "ZSTD")],
                  ["-lssl", "-lcrypto", "-lz", "-lbrotlidec", "-lbrotlienc", "-lbrotlicommon", "-lzstd"])
# Its own `field` is ambiguous with the one of wire/head.hpp, which it does not include.
WITHOUT_PRECOMPILED = ("wire/multipart",)
# A file that creates threads: itself, or because it starts an engine, a service or prove. testing::client creates none.
CREATES_THREADS = re.compile(r"std::thread|scoped_thread|std::async|std::atomic|_engine|simulated_scm|embedded_host|fork\(|call_within|prove_probe")
# These files match because of an atomic or a name such as has_engine, and create no thread. tests/tools/units_test.py
# fails if CERTAIN_THREADS matches in one of them.
WITHOUT_THREADS = ("host/dashboard", "http/group", "os/exclusive_file", "scm/host_model")
CERTAIN_THREADS = re.compile(r"std::thread|scoped_thread|std::async|simulated_scm|embedded_host|winsvc::host\b|"
                             r"(test|attacked)_engine\b|\.start\(|fork\(|call_within|prove_probe")
# With the thread sanitizer it takes too long; host/embedded_host and testing/scm create the same threads.
TOO_LONG_WITH_TSAN = ("api/examples",)
# Conditions of the preprocessor that are false with the thread sanitizer: it replaces operator new, and has no OpenSSL.
FALSE_WITH_TSAN = re.compile(r"#if.*!defined\((WITH_OPERATOR_NEW_OF|SIMULATION_WITH)_SANITIZER\)|"
                             r"#if(def | .*(?<!!)defined\()CPPHTTPLIB_OPENSSL_SUPPORT")
TRUE_WITH_TSAN = "#ifndef CPPHTTPLIB_OPENSSL_SUPPORT"
# One file of a folder, the other umbrella, and what the sanitizers cannot run.
IN_SEPARATE_FORM = ("server/engine", "server/hostile_clients", "server/shortage", "server/simulation", "addons/middleware",
                    "host/allocation_sweep_host", "host/allocation_sweep_http", "host/allocation_sweep_log",
                    "host/allocation_sweep_setup", "host/hook_thread", "host/memory_shortage", "host/sequences",
                    "manage/send_control", "testing/scm", "testing/umbrella")
# In the separate form, this file includes both umbrellas in its own order, without a precompiled header.
WITH_ITS_INCLUDES = "testing/umbrella"
# The program `separate` has these.
LONG_RUNS = {"WINSVC_SEQUENCES": "20000", "WINSVC_SIMULATION_SEEDS": "10000"}
# An assertion is one function call, without a try block: a file compiles in 5/6 of the time. An exception in an assertion
# ends the test case.
FAST_ASSERTIONS = ["-DDOCTEST_CONFIG_SUPER_FAST_ASSERTS"]

FUZZ = ROOT / "tests" / "fuzz"
WHOLE_FUZZER = "connection"     # it needs all of winsvc

# compiler, its options, libraries
WAYS = {
    "clang": ([TEST_CLANG], ["-O0"], ["-pthread"]),
    "asan": ([TEST_CLANG], ["-O0", "-gline-tables-only", "-fno-omit-frame-pointer", "-fsanitize=address,undefined",
                     "-fno-sanitize-recover=all", "-D_GLIBCXX_ASSERTIONS"], ["-pthread"]),
    "tsan": ([TEST_CLANG], ["-O0", "-gline-tables-only", "-fsanitize=thread"], ["-pthread"]),
    "mingw": ([MINGW], ["-O0", "-Wa,-mbig-obj", "-D_GLIBCXX_ASSERTIONS"], WINDOWS_LIBRARIES),
    "windows": (clang_for_mingw(TEST_CLANG), ["-O0", "-D_GLIBCXX_ASSERTIONS"], WINDOWS_LIBRARIES),
}
# Checks of each pointer before its use. They take a third of the time to compile; `units` has them. The address sanitizer
# reports a null pointer too.
WITHOUT_POINTER_CHECKS = ["-fno-sanitize=null,alignment,vptr"]
UNDER_WINE = ("mingw", "windows")
RUNS_PER_JOB = 2        # most tests wait more than they compute
# Files of a folder that the compiler reads as one source: to load the precompiled header takes half a second, and files
# of a folder use the same instances of templates.
FILES_READ_TOGETHER = 8
# A file that must be outside of any namespace is a separate source.
NEEDS_GLOBAL_SCOPE = re.compile(r"^(template <>|void\* operator new)", re.MULTILINE)
FILES_UNDER_WINE = 4    # files in a shard: to start a program takes half a second there


def text_with_tsan(text):
    """The lines that the compiler sees with the thread sanitizer, as far as FALSE_WITH_TSAN decides it."""
    kept, conditions = [], []                       # one for each open #if: "true", "false" or "unknown"
    for line in text.splitlines():
        directive = re.sub(r"^\s*#\s*", "#", line)
        if directive.startswith("#if"):
            conditions.append("false" if FALSE_WITH_TSAN.match(directive) else
                              "true" if directive.startswith(TRUE_WITH_TSAN) else "unknown")
        elif directive.startswith("#else") and conditions:
            conditions[-1] = {"false": "true", "true": "false"}.get(conditions[-1], "unknown")
        elif directive.startswith("#endif") and conditions:
            conditions.pop()
        elif "false" not in conditions:
            kept.append(line)
    return "\n".join(kept) + "\n"


def sources(program, way):
    files = [path for folder in FOLDERS[program] for path in sorted((ROOT / "tests" / folder).glob("*.cpp"))]
    if program == "threads":
        return [path for path in files if CREATES_THREADS.search(text_with_tsan(path.read_text(encoding="utf-8")))
                and f"{path.parent.name}/{path.stem}" not in (*WITHOUT_THREADS, *TOO_LONG_WITH_TSAN)]
    if program == "crash" or (program, way) == ("units", "windows"):    # Wine writes no minidump for code of clang
        return [path for path in files if (path.stem == "crash") == (program == "crash")]
    if program == "separate":
        return [path for path in files if f"{path.parent.name}/{path.stem}" in IN_SEPARATE_FORM]
    return files


def included_by(files):
    """Text of a header that includes what these files include: standard headers, doctest, and ours.

    Hygiene proves that each header of ours can be included alone.
    """
    ours = re.compile(r'^#include (<\w+>|<doctest/doctest.h>|["<]winsvc[^">]*[">])', re.MULTILINE)
    found = {name for path in files for name in ours.findall(path.read_text(encoding="utf-8"))}
    return "".join(f"#include {name}\n" for name in sorted(found))


def precompiled_text(program, files):
    """The header that the files of a program have in common."""
    if program == "units":                                  # small files: common_instances.hpp would cost what it saves
        return included_by(files)
    return ("#include <winsvc/testing.hpp>\n#include <doctest/doctest.h>\n"
            f'#include "{ROOT / "tests" / "support" / "common_instances.hpp"}"\n')


def text_of(group):
    """A source that includes these files, each in a separate namespace, because they use the same names. It includes their
    headers first: in the namespace, the same #include then adds nothing."""
    # A condition may use a macro that the file defines; to define it twice in the same way is allowed.
    directive = re.compile(r"^[ \t]*#\s*(?:include|if|ifdef|ifndef|elif|else|endif|define)\b(?:.*\\\n)*.*", re.MULTILINE)
    headers, bodies = [], []
    for number, path in enumerate(group):
        for line in directive.findall(path.read_text(encoding="utf-8")):
            name = re.search(r'include "(.*)"', line)
            in_folder = name and (path.parent / name[1]).exists()
            headers.append(line.replace(name[1], str(path.parent / name[1])) if in_folder else line)
        bodies += [f"namespace file_{number} {{", f'#include "{path}"', "}"]
    return "\n".join([*headers, *bodies]) + "\n"


def command(way, tree):
    compiler, options, _ = WAYS[way]
    return [*compiler, *STANDARD, *options, *WARNINGS, *FAST_ASSERTIONS, f"-I{ROOT / tree}", *library_includes()]


def link(ninja, way, output, objects, more=()):
    compiler, options, libraries = WAYS[way]
    if way in UNDER_WINE:
        before, after = fast_mingw_link()
        after = [*GC_SECTIONS_MINGW, *after]
    else:
        before, after = [*compiler, *options, *(GC_SECTIONS if compiler == [TEST_CLANG] else [])], libraries
    return ninja.link(output, objects, (before, [*after, *more]))


def without_address_randomisation():
    """The thread sanitizer of clang 14 ended on kernels that randomise with 32 bits. Not every container may turn that
    off."""
    prefix = ["setarch", "-R"]
    return prefix if run([*prefix, "true"])[0] == 0 else []


@contextlib.contextmanager
def runner(way, program, name, jobs):
    """A function (arguments, limit) -> (exit code, output) that runs a built program, at most `jobs` at a time.

    Each run has a separate folder for temporary files. Under Wine, each of the `jobs` has a separate prefix, which is
    kept from run to run: to start a prefix takes 3 s.
    """
    before = ["wine"] if way in UNDER_WINE else without_address_randomisation() if way == "tsan" else []
    with contextlib.ExitStack() as prefixes:
        environments = queue.SimpleQueue()
        for job in range(jobs):
            environments.put(prefixes.enter_context(wine_prefix(f"{name}-{job}")) if way in UNDER_WINE else os.environ)

        def start(arguments, limit):
            environment = environments.get()
            try:
                with tempfile.TemporaryDirectory(prefix="winsvc-") as temporary:
                    code, output = run([*before, program, *arguments], timeout=limit, cwd=program.parent,
                                       env=dict(environment, TMPDIR=temporary, WINSVC_TEST_TIMEOUT_FACTOR=f"{load():.1f}"))
                if code == -1 and way in UNDER_WINE:        # what it started goes on, outside its session
                    wineserver(environment["WINEPREFIX"], "-k")
                return code, output
            finally:
                environments.put(environment)

        yield start


def sources_to_compile(ninja, files):
    """(name, path): the files that are compiled alone, and a source for each group of the others."""
    alone = [path for path in files if f"{path.parent.name}/{path.stem}" in (*WITHOUT_PRECOMPILED, WITH_ITS_INCLUDES)
             or NEEDS_GLOBAL_SCOPE.search(path.read_text(encoding="utf-8"))]
    yield from ((f"{path.parent.name}/{path.stem}", path) for path in alone)
    for group in shards_of([path for path in files if path not in alone], ROOT / "tests", FILES_READ_TOGETHER):
        name = f"{group.sources[0].parent.name}/{'-'.join(path.stem for path in group.sources)}"
        together = len(group.sources) > 1
        yield name, write(ninja.folder / f"{name}.cpp", text_of(group.sources)) if together else group.sources[0]


def doctest_program(tally, program, way):
    ninja = Ninja(f"{program}-{way}")
    found = sources(program, way)
    if not found:
        tally.check(f"{program}: there are tests", False, "no tests/*/*.cpp of this program was found")
        return
    do = command(way, "single_include" if program == "separate" else "include")
    options, libraries = SEPARATE_WITH_INTERNALS if program == "separate" else [], []
    if (program, way) == ("http", "asan"):
        options, libraries = [*WITH_LIBRARIES[0], *WITHOUT_POINTER_CHECKS], WITH_LIBRARIES[1]
    do += options
    use, first, precompiled = [], [], []
    if program != "crash":                                  # this is one file
        use, first, precompiled = ninja.precompile("precompiled.hpp", precompiled_text(program, found), do)
    objects = [*precompiled]
    if program == "separate":
        objects.append(winsvc_object(GXX))
    main_object = ninja.compile("main.o", ROOT / "tests" / "main.cpp", do)
    objects.append(main_object)
    for name, source in sources_to_compile(ninja, found):
        # With all of winsvc precompiled, a variable of a unit test may have the name of one in winsvc.
        more = ["-Wno-shadow"] if program == "threads" and source.parent.name in UNITS else []
        if name in WITHOUT_PRECOMPILED or (name, program) == (WITH_ITS_INCLUDES, "separate"):
            objects.append(ninja.compile(f"{name}.o", source, do))
        else:
            objects.append(ninja.compile(f"{name}.o", source, [*do, *use, *more], first))
    target = link(ninja, way, program + ".exe", objects, libraries)
    if (program, way) == ("http", "asan"):
        fuzzer = [ninja.compile(f"fuzz/{name}.o", FUZZ / f"{name}.cpp", [*do, *use], first)
                  for name in (WHOLE_FUZZER, "replay")]
        # The precompiled header refers to doctest, so a copy of main.o is linked, whose main has another name.
        fuzzer.append(ninja.copy_without_main("fuzz/doctest.o", main_object))
        replay = link(ninja, way, f"replay_{WHOLE_FUZZER}", [*fuzzer, *precompiled], libraries)
    built, output = ninja.build()
    if not built:
        tally.check(f"{program} builds ({way})", False, output)
        return

    if program == "separate":
        os.environ.update(LONG_RUNS)
    shards = shards_of(found, ROOT / "tests", FILES_UNDER_WINE if way in UNDER_WINE else 1)
    jobs = min(RUNS_PER_JOB * int(JOBS), len(shards))
    with runner(way, target, f"{program}-{way}", jobs) as start:
        run_shards(tally, shards, start, jobs)
    if (program, way) == ("http", "asan"):
        replay_corpus(tally, way, WHOLE_FUZZER, replay)


def fuzz_replay(tally, way):
    """Each fuzzer is one test: it builds, and no file of its corpus breaks its promise."""
    ninja = Ninja(f"fuzz-{way}")
    fuzzers = [path for path in sorted(FUZZ.glob("*.cpp")) if path.stem not in ("replay", WHOLE_FUZZER)]
    replay = ninja.compile("replay.o", FUZZ / "replay.cpp", command(way, "include"))
    programs = {}
    for source in fuzzers:
        compiled = ninja.compile(source.stem + ".o", source, command(way, "include"))
        programs[source.stem] = link(ninja, way, "replay_" + source.stem, [replay, compiled])
    _, output = ninja.build()
    for name, program in programs.items():
        if program.exists():
            replay_corpus(tally, way, name, program)
        else:
            tally.check(name, False, output)


def replay_corpus(tally, way, name, program):
    """Runs a fuzzer with each file of its corpus."""
    corpus = FUZZ / "corpus" / name
    if not corpus.is_dir():
        tally.check(name, False, f"tests/fuzz/corpus/{name} is missing")
        return
    with runner(way, program, name, 1) as start:
        code, said = start([corpus], 120)
    tally.check(f"{name}: {said.strip().splitlines()[-1] if said.strip() else ''}", code == 0, said)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in (*FOLDERS, "fuzz") or sys.argv[2] not in WAYS:
        sys.exit(__doc__)
    program, way = sys.argv[1:]
    tally = Tally()
    if program == "fuzz":
        fuzz_replay(tally, way)
    else:
        doctest_program(tally, program, way)
    if (program, way) == ("units", "windows"):
        doctest_program(tally, "crash", "mingw")
    tally.finish()


if __name__ == "__main__":
    main()
