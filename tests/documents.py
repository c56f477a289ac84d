#!/usr/bin/env python3
"""Checks text that users copy: the command lines in the heads of the examples, and the blocks of README.md and docs/.

  tests/documents.py examples [NAME...]
  tests/documents.py readme

An example's head holds its command lines, each on a separate line:

  //   g++ -std=c++17 ... examples/hello.cpp -o hello
  //   x86_64-w64-mingw32-g++-posix ... examples/hello.cpp -o hello.exe -lws2_32

All must build without a warning, and the programs must run; some get the requests that their head shows
(tests/example_requests.py). The lines that compile winsvc.cpp are compared, and copy the object that other stages link too
(kit.winsvc_object). The lines for mingw g++ run with clang++ and mingw's headers, which is faster (WITH_MINGW: as they are
written). The others run without optimization: the stage budget compiles and runs a header-only program with g++ -O2.
Lines for other compilers (cl) are not run.

In these pages, a ```cpp block compiles (a fragment as the body of an App), a ```sh block holds commands we know, a compile
line is one of the examples', a relative link leads somewhere.
"""

import concurrent.futures
import pathlib
import re
import shlex
import shutil
import sys

import claims
import example_requests
import line_counts
import terminal
from kit import (BUILD, CLANG, GC_SECTIONS_MINGW, GXX, JOBS, LESS_COLLECTION, MINGW, ROOT, SEPARATE_WITH_INTERNALS,
                 STANDARD, TEST_CLANG, Ninja, Tally, clang_for_mingw, fast_mingw_link, httplib_folder, library_includes,
                 run, winsvc_object, wine_prefix)

COMPILE_LINE = re.compile(r"^(?://)?\s*((?:g\+\+|clang\+\+|x86_64-w64-mingw32-g\+\+-posix)\s.*)$")
# The stage chroot runs the blocks of these pages.
RUN_BY_CHROOT = ("docs/getting-started.md", "docs/shipping.md")
# In a command line of an example that has no line for mingw: Debian has no package of the library for mingw.
LINUX_LIBRARIES = ("-lssl", "-lspdlog", "-lctemplate", "-lsqlite3", "examples/toml/app.cpp", "-lopentelemetry_trace")
# Examples of libraries that are not in Debian, and a header of each. CPATH and LIBRARY_PATH, variables of g++, name the
# folders of such a library.
NOT_IN_DEBIAN = {"opentelemetry": "opentelemetry/version.h"}
KNOWN_COMMANDS = {
    "app.exe", "cd", "cmake", "ctest", "curl", "git", "hello", "hello.exe", "./hello", "./hello.exe", "meson", "ninja",
    "sc.exe", "rest", "rest.exe", "./rest", "./tested_service_test", "tools/amalgamate", "tools/demo", "tools/deps", "tools/test", "wine",
    GXX, CLANG, MINGW,
}


def compile_lines(text):
    """The command lines of a text, continuations joined."""
    text = re.sub(r"\\\n(?://)?\s*", "", text)
    return [found.group(1).strip() for found in map(COMPILE_LINE.match, text.split("\n")) if found]


def head_of(path):
    """The comment an example begins with."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return "\n".join(lines[:next((i for i, line in enumerate(lines) if not line.startswith("//")), len(lines))])


# --- examples ---------------------------------------------------------------------------------------------------------

def all_examples():
    """(name, the file whose head has the command lines): one file, or a folder with an app.cpp and other files."""
    folder = ROOT / "examples"
    return sorted([(path.stem, path) for path in folder.glob("*.cpp")] +
                  [(path.parent.name, path) for path in folder.glob("*/app.cpp")])


WORK = BUILD / "test" / "examples"


def make_work_folder():
    """A folder in which the lines run: next to the sources, and what they make is not written into the source tree."""
    shutil.rmtree(WORK, ignore_errors=True)
    (WORK / "build" / "deps" / "include").mkdir(parents=True)
    for tree in ("include", "single_include", "adapters", "examples"):
        (WORK / tree).symlink_to(ROOT / tree)
    for header in [*(BUILD / "deps" / "include").iterdir(), httplib_folder() / "httplib.h"]:
        link = WORK / "build" / "deps" / "include" / header.name
        link.unlink(missing_ok=True)
        link.symlink_to(header)


def output_of(line):
    words = shlex.split(line)
    return words[words.index("-o") + 1]


# Lines for mingw g++ that run as they are written.
WITH_MINGW = re.compile(r" examples/hello\.cpp ")
# Lines for g++ that clang++ compiles: they have all function bodies, but their options exclude winsvc.o.
WITH_CLANG = re.compile(r" -DCPPHTTPLIB_OPENSSL_SUPPORT ")
MOST_BYTES = 2_000_000          # of the program that the command of README.md for Windows makes, stripped
COMPILES_WINSVC = "{} -std=c++17 -O2 -Isingle_include -Ibuild/deps/include -c single_include/winsvc.cpp -o {}"


def as_tested(line):
    """The commands that build what a line builds."""
    words = shlex.split(line)
    if words[0] == MINGW and WITH_MINGW.search(line):
        return [[*words, *LESS_COLLECTION]]
    words = [word for word in words if not word.startswith("-O")]
    if WITH_CLANG.search(line):
        return [[TEST_CLANG, *words[1:]]]
    if words[0] != MINGW:
        return [[*words, *LESS_COLLECTION]]
    at = words.index("-o")
    objects, sources = ([word for word in words if word.endswith(ending)] for ending in (".o", ".cpp"))
    options = [word for word in words[1:at] if word not in (*objects, *sources, "-static")]
    compiled = [f"{words[at + 1]}-{pathlib.Path(source).stem}.o" for source in sources]
    before, after = fast_mingw_link()
    return [*([*clang_for_mingw(TEST_CLANG), *options, "-c", source, "-o", out] for source, out in zip(sources, compiled)),
            [*before, *compiled, *objects, "-o", words[at + 1], *GC_SECTIONS_MINGW, *after]]


def build(line):
    """Builds what the line of an example builds. Returns the output and the exit code; empty if it succeeds without output."""
    for words in as_tested(line):
        code, output = run(words, timeout=400, cwd=WORK)
        if code != 0 or output.strip():
            return f"$ {shlex.join(words)}\n{output}exit code {code}"
    return ""


def build_library(line):
    """The same for a line that compiles winsvc.cpp."""
    compiler, out = line.split()[0], output_of(line)
    if line != COMPILES_WINSVC.format(compiler, out):
        return f"expected: {COMPILES_WINSVC.format(compiler, out)}\nfound:    {line}"
    try:
        shutil.copy(winsvc_object(compiler), WORK / out)
    except RuntimeError as error:
        return str(error)
    return ""


def program_of(line):
    """Copies the program that the line built into a separate folder and returns its path."""
    folder = WORK / f"run-{output_of(line)}"
    folder.mkdir()
    return pathlib.Path(shutil.copy(WORK / output_of(line), folder))


def check_program(job):
    """Returns the error of the program of one command line of one example; empty if it runs."""
    name, line, wrong, windows = job
    if wrong:
        return wrong
    program = program_of(line)
    words = shlex.split(line)
    # A program of tests runs them; any other prints its version.
    arguments, expected = (["--no-colors=true"], "Status: SUCCESS") if "-DTESTS" in words else (["version"], "winsvc")
    command = ["wine", program, *arguments] if words[0] == MINGW else [program, *arguments]
    code, output = run(command, env=windows if words[0] == MINGW else None)
    if code != 0 or expected not in output:
        return f"{program.name} {arguments}: {output}exit code {code}"
    if line.startswith(f"{MINGW} -std=c++17 -Os "):
        run(["x86_64-w64-mingw32-strip", program])
        size = program.stat().st_size
        if size > MOST_BYTES:
            return f"{program.name}, stripped, has {size} bytes; the limit is {MOST_BYTES}"
    if words[0] != GXX or "-DTESTS" in words:
        return ""
    return (example_requests.check_example(name, program) or
            (terminal.check_terminal(program) if name == "operated" else ""))


def examples(tally, names):
    lines = [(name, line) for name, path in all_examples() for line in compile_lines(head_of(path))]
    for name, path in all_examples():
        of_it = [line for other, line in lines if other == name]
        only_here = any(library in line for line in of_it for library in LINUX_LIBRARIES)
        for compiler in (GXX,) if only_here else (GXX, MINGW):
            if not any(line.split()[0] == compiler for line in of_it):
                tally.check(f"{name}: its head has a line for {compiler}", False, "no line begins with `//   " + compiler)
        for line in of_it:
            if ("-o" not in line.split() or re.search(r"[<>|&;]", line) or
                    (line.startswith(MINGW) and " -c " not in line and not line.endswith(" -lws2_32"))):
                tally.check(f"{name}: its line can be pasted", False, line)
                return

    make_work_folder()
    for name, header in NOT_IN_DEBIAN.items():
        if run([GXX, "-E", "-include", header, "-x", "c++", "/dev/null"])[0] != 0:
            tally.skip(name, f"{header} is not found, and Debian does not have it")
            lines = [line for line in lines if line[0] != name]
    libraries = [line for _, line in lines if " -c " in line]
    lines = [(name, line) for name, line in lines if " -c " not in line and (not names or name in names)]
    workers = max(2, int(JOBS))                             # no stage takes longer than this one
    with concurrent.futures.ThreadPoolExecutor(workers) as pool, wine_prefix("examples") as windows:
        for line, wrong in zip(libraries, pool.map(build_library, libraries)):
            tally.check(f"{output_of(line)} by its {line.split()[0]} line", not wrong, wrong)
        faults = list(pool.map(build, [line for _, line in lines]))
        jobs = [(name, line, wrong, windows) for (name, line), wrong in zip(lines, faults)]
        for (name, line, *_), wrong in zip(jobs, pool.map(check_program, jobs)):
            tally.check(f"{name} by its {line.split()[0]} line: {output_of(line)}", not wrong, wrong)
    if names and "openapi" not in names:
        return
    if example_requests.VALIDATOR.exists():                 # it has validated the document of the example already
        document = (ROOT / "tests" / "addons" / "openapi.json").read_text(encoding="utf-8")
        wrong = example_requests.validation_errors(document)
        tally.check("openapi: every oddity is valid", not wrong, wrong)
    else:
        tally.skip("openapi: documents before a validator", "tools/deps could not fetch that")


# --- README.md --------------------------------------------------------------------------------------------------------

def blocks(text):
    """(line number, language, body) of every fenced block."""
    return [(text[:found.start()].count("\n") + 1, found.group(1), found.group(2))
            for found in re.finditer(r"^```(\w+)[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


def readme(tally, _):
    path = ROOT / "README.md"
    if not tally.check("there is a README.md", path.exists()):
        return
    count = path.read_text(encoding="utf-8").count("\n")
    tally.check("it has fewer than 300 lines", count < 300, f"{count} lines")
    ninja = Ninja("readme")
    # The blocks are only parsed: the separate form, with the headers that the header-only form includes, has all they name.
    command = [TEST_CLANG, *STANDARD, *SEPARATE_WITH_INTERNALS, *library_includes()]
    use, first, _ = ninja.precompile("precompiled.hpp", "#include <winsvc.hpp>\n#include <winsvc/testing.hpp>\n", command,
                                     generate=False)
    # docs/api.md is generated: it has declarations, and examples that tests/api/examples.cpp compiles and runs.
    pages = [path, *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "api.md")]
    compiled = {page: blocks_to_compile(ninja, page, [*command, *use], first) for page in pages}
    _, output = ninja.build()
    for page in pages:
        for number, target in compiled[page]:
            tally.check(f"{page.relative_to(ROOT).as_posix()}:{number}: the block compiles", target.exists(), output)
        check_page(tally, page)
    events_of_the_table(tally)
    tests_of_the_facts(tally)
    line_counts.check(tally)
    lines_of_prove(tally)


def tests_of_the_facts(tally):
    """docs/windows-facts.md names tests and witnesses; each test is there, and each claim has a known witness."""
    page = claims.FACTS.read_text(encoding="utf-8").split(claims.HEADING)[0]
    rows = re.findall(r"^\| .* \| (`.*?) \| [^|`]* \|$", page, re.MULTILINE)
    lines = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| |")]
    unproven = [line for line in lines if not re.search(rf"` \| {claims.WITNESS}(?:, {claims.WITNESS})* \|$", line)]
    tally.check("each claim of the facts has a witness", len(lines) == len(rows) and not unproven,
                "\n".join(unproven))
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    there = set()
    for path in [*(ROOT / "tests").glob("*/*.cpp"), *(ROOT / "tests" / "scm").glob("*.py")]:
        text = path.read_text(encoding="utf-8")
        there.update(name.replace("\\\\", "\\") for name in re.findall(r'TEST_CASE\("(.*)"\)', text))
        there.update(re.findall(r"def (test_\w+)\(", text))
    tally.check("the facts name tests", len(named) > 40, f"{len(named)}")
    missing = [name for name in named if name not in there]
    tally.check("every test that the facts name is there", not missing, "\n".join(missing))


def lines_of_prove(tally):
    """docs/witness/README.md names the lines of `prove`, for the statements of README.md about Windows."""
    source = (ROOT / "include/winsvc/diagnose/prove.hpp").read_text(encoding="utf-8")
    claims = {claim.strip() for claim in re.findall(r'prove\("\w+", "([^"]+)"', source)}
    page = (ROOT / "docs" / "witness" / "README.md").read_text(encoding="utf-8")
    named = {line.strip() for line in re.findall(r"^\| .* \| (.*) \|$", page, re.MULTILINE)} - {"line of the report"}
    tally.check("each line of prove that docs/witness names is there", claims and named <= claims, f"{named - claims}")
    tally.check("docs/witness names each line of prove", claims <= named, f"{claims - named}")


def events_of_the_table(tally):
    """docs/services.md shows the events as scm/events.hpp has them."""
    source = (ROOT / "include/winsvc/scm/events.hpp").read_text(encoding="utf-8")
    numbers = dict(re.findall(r"(\w+) = (\d+)", source[source.index("enum class service_event :"):].split("};")[0]))
    rows = re.findall(r'\{service_event::(\w+), event_level::(\w+), "([\w ]+)",\s+"([^"]+)"\}', source)
    page = (ROOT / "docs" / "services.md").read_text(encoding="utf-8")
    tally.check("the table of events was found", len(rows) == len(numbers) > 0, f"{rows} {numbers}")
    for event, level, name, when in rows:
        line = f"| {numbers[event]} | {level} | {name} | {when} |"
        tally.check(f"docs/services.md has event {name}", line in page, line)


def blocks_to_compile(ninja, path, command, first):
    """[(line number, target)] of the C++ blocks of a page; a fragment is compiled as the body of an App."""
    targets = []
    for number, language, body in blocks(path.read_text(encoding="utf-8")):
        if language in ("cpp", "c++"):
            whole = body if "#include" in body else ("#include <winsvc.hpp>\nusing namespace std::chrono_literals;\n\n"
                                                     "void App(winsvc::service& svc) {\n" + body + "}\n")
            source = ninja.folder / path.stem / f"line{number}.cpp"
            source.parent.mkdir(exist_ok=True)
            if not source.exists() or source.read_text(encoding="utf-8") != whole:
                source.write_text(whole, encoding="utf-8")
            targets.append((number, ninja.syntax_only(f"{path.stem}/line{number}.ok", source, command, first)))
    return targets


def check_page(tally, path):
    text = path.read_text(encoding="utf-8")
    page = path.relative_to(ROOT).as_posix()
    for number, language, body in blocks(text):
        if language in ("sh", "bash", "console") and page not in RUN_BY_CHROOT:
            wrong = unknown_commands(body)
            tally.check(f"{page}:{number}: its commands are known", not wrong, "\n".join(wrong))

    of_examples = {line for _, example in all_examples() for line in compile_lines(head_of(example))}
    pasted = [body for _, language, body in blocks(text) if language != "cpp" and page not in RUN_BY_CHROOT]
    for line in compile_lines("\n".join(pasted)):
        tally.check(f"an example's own line: {line[:60]} ...", line in of_examples, line)

    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)   # code holds lambdas: [](int)
    for link in re.findall(r"\]\(((?!https?:|mailto:|#)[^)#\s]+)", prose):
        tally.check(f"{page}: link to {link}", (path.parent / link).exists(), "it leads nowhere")


def unknown_commands(body):
    wrong = []
    for line in re.sub(r"\\\n\s*", " ", body).split("\n"):
        line = re.sub(r"^\$ ", "", line.strip())
        if not line or line.startswith("#"):
            continue
        word = next((w for w in line.split() if "=" not in w), "")
        if word not in KNOWN_COMMANDS:
            wrong.append(f"'{word}' is no command we know: {line}")
        elif word.startswith("tools/") and not (ROOT / word).exists():
            wrong.append(f"{word} does not exist")
    return wrong


# ----------------------------------------------------------------------------------------------------------------------

def main():
    parts = {"examples": examples, "readme": readme}
    if len(sys.argv) < 2 or sys.argv[1] not in parts:
        sys.exit(__doc__)
    tally = Tally()
    parts[sys.argv[1]](tally, sys.argv[2:])
    tally.finish()


if __name__ == "__main__":
    main()
