#!/usr/bin/env python3
"""What people copy works: the examples by the command lines in their heads, and the blocks of README.md and docs/.

  tests/documents.py examples [NAME...]
  tests/documents.py readme

An example's head holds its command lines, each on a line of its own:

  //   g++ -std=c++17 ... examples/hello.cpp -o hello
  //   x86_64-w64-mingw32-g++-posix ... examples/hello.cpp -o hello.exe -lws2_32

They are run as they stand, but that <httplib> is the folder of httplib.h; they must build without a word, and what they
built must run; some are asked then what their head shows (tests/asking.py). Lines for other compilers (cl) are not run
here.

In these pages, a ```cpp block compiles (a fragment as the body of an App), a ```sh block holds commands we know, a compile
line is one of the examples', a relative link leads somewhere.
"""

import concurrent.futures
import os
import re
import shlex
import shutil
import sys

import asking
from kit import (BUILD, CLANG, GXX, JOBS, MINGW, ROOT, STANDARD, Ninja, Tally, httplib_folder, library_includes, run,
                 wine_prefix)

COMPILE_LINE = re.compile(r"^(?://)?\s*((?:g\+\+|clang\+\+|x86_64-w64-mingw32-g\+\+-posix)\s.*)$")
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
    """(name, the file whose head has the command lines): one file, or a folder with an app.cpp and others beside it."""
    folder = ROOT / "examples"
    return sorted([(path.stem, path) for path in folder.glob("*.cpp")] +
                  [(path.parent.name, path) for path in folder.glob("*/app.cpp")])


def attempt(job):
    """What is wrong with one command line of one example; empty when it builds in silence and what it built runs."""
    name, line = job
    words = shlex.split(line.replace("<httplib>", "@httplib@"))
    if "-o" not in words:
        return f"{line}: it has no -o"
    folder = BUILD / "test" / "examples" / f"{words[words.index('-o') + 1]}-{words[0]}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for tree in ("include", "single_include", "examples"):  # what it builds lies beside these, not in the source tree
        (folder / tree).symlink_to(ROOT / tree)
    words = [word.replace("@httplib@", str(httplib_folder())) for word in words]
    if os.environ.get("WINSVC_HTTPLIB_DIR"):
        words += ["-I", str(BUILD / "deps" / "include")]     # nlohmann, which that folder may not hold

    code, output = run(words, timeout=300, cwd=folder)
    if code != 0 or output.strip():
        return f"$ {line}\n{output}exit code {code}"
    program = folder / words[words.index("-o") + 1]
    # A program of tests runs them; any other tells its version.
    arguments, expected = (["--no-colors=true"], "Status: SUCCESS") if "-DTESTS" in words else (["version"], "winsvc")
    if words[0] == MINGW:
        with wine_prefix("example-" + name) as environment:
            code, output = run(["wine", program, *arguments], env=environment)
    else:
        code, output = run([program, *arguments])
    if code != 0 or expected not in output:
        return f"{program.name} {arguments}: {output}exit code {code}"
    if words[0] != GXX or "-DTESTS" in words:
        return ""
    return asking.ask(name, program) or (
        (asking.at_a_terminal(program) or asking.rude_terminals(program)) if name == "operated" else "")


def examples(tally, names):
    jobs = []
    for name, path in all_examples():
        if names and name not in names:
            continue
        lines = compile_lines(head_of(path))
        # The distribution has no package of these for mingw.
        only_here = any(library in line for line in lines for library in ("-lssl", "-lspdlog"))
        for compiler in (GXX,) if only_here else (GXX, MINGW):
            if not any(line.split()[0] == compiler for line in lines):
                tally.check(f"{name}: its head has a line for {compiler}", False, "none begins with `//   " + compiler)
        jobs += [(name, line) for line in lines]
    with concurrent.futures.ThreadPoolExecutor(max_workers=int(JOBS)) as pool:
        for (name, line), wrong in zip(jobs, pool.map(attempt, jobs)):
            what = line.split(" -o ")[-1].split()[0]
            tally.check(f"{name} by its {line.split()[0]} line: {what}", not wrong, wrong)
    if names and "openapi" not in names:
        return
    if asking.VALIDATOR.exists():                           # the document of the example was seen by it already
        wrong = asking.validated((ROOT / "tests" / "web" / "openapi.json").read_text(encoding="utf-8"))
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
    tally.check("it has 300 lines at most", count <= 300, f"{count} lines")
    for page in [path, *sorted((ROOT / "docs").glob("*.md"))]:
        check_page(tally, page)
    events_of_the_table(tally)
    tests_of_the_facts(tally)


def tests_of_the_facts(tally):
    """docs/windows-facts.md names tests; each is there."""
    page = (ROOT / "docs" / "windows-facts.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| .* \| (`.*) \|$", page, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    there = set()
    for path in [*(ROOT / "tests").glob("*/*.cpp"), *(ROOT / "tests" / "scm").glob("*.py")]:
        text = path.read_text(encoding="utf-8")
        there.update(name.replace("\\\\", "\\") for name in re.findall(r'TEST_CASE\("(.*)"\)', text))
        there.update(re.findall(r"def (test_\w+)\(", text))
    tally.check("the facts name tests", len(named) > 40, f"{len(named)}")
    missing = [name for name in named if name not in there]
    tally.check("every test that the facts name is there", not missing, "\n".join(missing))


def events_of_the_table(tally):
    """docs/services.md shows the events as model/events.hpp has them."""
    source = (ROOT / "include/winsvc/model/events.hpp").read_text(encoding="utf-8")
    numbers = dict(re.findall(r"(\w+) = (\d+)", source[source.index("enum class event :"):].split("};")[0]))
    rows = re.findall(r'\{event::(\w+), event_level::(\w+), "([\w ]+)", "([^"]+)"\}', source)
    page = (ROOT / "docs" / "services.md").read_text(encoding="utf-8")
    tally.check("the table of events was found", len(rows) == len(numbers) > 0, f"{rows} {numbers}")
    for event, level, name, when in rows:
        line = f"| {numbers[event]} | {level} | {name} | {when} |"
        tally.check(f"docs/services.md has event {name}", line in page, line)


def check_page(tally, path):
    text = path.read_text(encoding="utf-8")
    page = path.relative_to(ROOT).as_posix()
    ninja = Ninja("readme-" + path.stem)
    for number, language, body in blocks(text):
        if language in ("cpp", "c++"):
            whole = body if "#include" in body else "#include <winsvc.hpp>\nusing namespace std::chrono_literals;\n\nvoid App(winsvc::service& svc) {\n" + body + "}\n"
            source = ninja.folder / f"line{number}.cpp"
            if not source.exists() or source.read_text(encoding="utf-8") != whole:
                source.write_text(whole, encoding="utf-8")
            ninja.syntax_only(f"line{number}.ok", source,
                              [CLANG, *STANDARD, f"-I{ROOT / 'single_include'}", *library_includes()])
        elif language in ("sh", "bash", "console"):
            wrong = unknown_commands(body)
            tally.check(f"{page}:{number}: its commands are known", not wrong, "\n".join(wrong))
    _, output = ninja.build() if ninja.targets else (True, "")
    for target in ninja.targets:
        tally.check(f"{page}:{target.stem[len('line'):]}: the block compiles", target.exists(), output)

    of_examples = {line for _, example in all_examples() for line in compile_lines(head_of(example))}
    for line in compile_lines("\n".join(body for _, language, body in blocks(text) if language != "cpp")):
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
