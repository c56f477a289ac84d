#!/usr/bin/env python3
"""The headers: each alone, the umbrella twice, next to <windows.h>, with other macros defined, and no macro left over.

  tests/hygiene/run.py [PART...]

alone    each header includes the headers of ours that it needs, and compiles with all warnings as errors (alone.py)
cases    tests/hygiene/cases/*.cpp, compiled in each of the ways its first line names; `// expect: text` must be an error
twice    two translation units link (the second is a copy of the first)
macros   the include defines exactly the public macros
keyword  a keyword that is redefined for httplib.h has its usual meaning in all other headers

A translation unit that includes httplib.h takes 4 to 7 s, and one that includes winsvc.hpp 15 s, so there are few, and only
`twice` generates code. clang++ compiles all headers, for Linux, Windows or both, because it is the fastest and uses the same
standard library as g++. The case `min_max` compiles all headers with g++; the stage examples does so with mingw g++.
"""

import functools
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import alone  # noqa: E402
from kit import (BUILD, CLANG, GXX, MINGW, ROOT, STANDARD, WARNINGS, Ninja, Tally, clang_for_mingw,  # noqa: E402
                 headers, httplib_folder, library_includes, run, write)

HERE = ROOT / "tests" / "hygiene"
GENERATED = BUILD / "test" / "hygiene-cases"
INCLUDE = [f"-I{ROOT / 'include'}", f"-I{HERE / 'cases'}", f"-I{GENERATED}", *library_includes()]

COMPILERS = {"g++": [GXX], "clang++": [CLANG], "mingw": [MINGW], "clang-mingw": clang_for_mingw()}


def command(way):
    """`mingw -DUNICODE` as a command: options given later win, so a way may name another standard."""
    name, *options = way.split()
    shadow = ["-Wshadow-all"] if name.startswith("clang") else []
    return [*COMPILERS[name], *STANDARD, *WARNINGS, *shadow, *INCLUDE, *options]


# --- alone ------------------------------------------------------------------------------------------------------------

def each_alone(tally):
    alone.alone(tally, {name: COMPILERS[name] and command(name) for name in ("clang++", "clang-mingw")})


def said_about(output, out):
    """Ninja's words about one output: from its FAILED line to the next one, as much as one reads."""
    found = re.search(r"FAILED: " + re.escape(str(out)) + r".*?(?=\nFAILED: |\nninja: |\Z)", output, re.DOTALL)
    return "\n".join(found.group().split("\n")[:24]) if found else "what it needs was not built"


# --- cases ------------------------------------------------------------------------------------------------------------

def cases(tally):
    ninja = Ninja("hygiene-cases")
    write(GENERATED / "foreign_macros.hpp", run([sys.executable, ROOT / "tools" / "amalgamate", "--foreign"])[1])
    write_ordered_httplib(tally)
    good = []
    for source in sorted((HERE / "cases").glob("*.cpp")):
        text = source.read_text(encoding="utf-8")
        ways = re.search(r"^// ways: (.*)", text)
        expected = re.search(r"^// expect: (.*)", text, re.MULTILINE)
        if not ways:
            tally.check(source.stem, False, "its first line is not `// ways: ...`")
            continue
        for way in ways.group(1).split(", "):
            what = f"{source.stem} ({way})"
            if not COMPILERS[way.split()[0]]:
                tally.skip(what, "no mingw headers for clang")
            elif expected:
                must_fail(tally, what, [*command(way), "-fsyntax-only", source], expected.group(1))
            else:
                good.append((what, ninja.syntax_only(f"{source.stem}/{way.replace(' ', '')}.ok", source, command(way))))
    _, output = ninja.build([out for _, out in good])
    for what, out in good:
        tally.check(what, out.exists(), said_about(output, out))


def write_ordered_httplib(tally):
    """A copy of httplib.h whose Headers are those of cpp-httplib 0.52 and newer (ordered_fields.hpp)."""
    text = (httplib_folder() / "httplib.h").read_text(encoding="utf-8")
    text, count = re.subn(r"using Headers =\s+(?:std::unordered_multimap|detail::insertion_ordered_multimap)<.*?>;",
                          "using Headers = ordered_fields<detail::case_ignore::equal_to>;", text, flags=re.DOTALL)
    tally.check("httplib.h has a type for headers", count == 1, f"{count} definitions")
    write(GENERATED / "ordered_httplib.h",
          f'#pragma GCC system_header\n#include "{HERE / "ordered_fields.hpp"}"\n{text}')


def must_fail(tally, what, words, expected):
    """The expected error is the first: what follows from it does not matter, what precedes it would hide it."""
    code, output = run(words)
    errors = re.findall(r"error: .*", output)
    tally.check(what, code != 0 and bool(errors) and expected in errors[0], f"wanted first: {expected}\n{output[:3000]}")
    if "-Wfatal-errors" not in words:
        tally.check(f"{what}: and the compilation ends", len(errors) <= 2, output[:3000])


# --- twice ------------------------------------------------------------------------------------------------------------

def twice(tally):
    """Against the single header, which is what people include in two files.

    The second translation unit is the object of the first one with another name for `main`: all that comes from the headers
    is there twice. To compile it again takes 24 s. The object also shows what is compiled although nothing uses it.
    """
    ninja = Ninja("hygiene-twice")
    options = [CLANG, *STANDARD, *WARNINGS, "-O0", f"-I{ROOT / 'single_include'}", *library_includes()]
    first = ninja.compile("first.o", HERE / "twice.cpp", options)
    second, program = ninja.folder / "second.o", ninja.folder / "twice"
    built, output = ninja.build()
    for command in (["objcopy", "--redefine-sym", "main=main_of_the_second", first, second],
                    [CLANG, "-fuse-ld=lld", first, second, "-pthread", "-o", program]):
        code, said = run(command) if built else (1, "")
        built, output = code == 0, output + said
    if first.exists():
        code, said = run(["nm", "-C", first])
        weak = re.findall(r" [WV] (.*)", said)
        unused = [name for name in weak if re.match(r"(?:vtable for )?httplib::(?:Server|ClientImpl)\b", name)]
        tally.check("an object does not contain the server and the client of cpp-httplib",
                    code == 0 and len(weak) > 0 and not unused,
                    "\n".join(unused[:20]) or f"nm: exit code {code}, {len(weak)} weak symbols\n{said[-1000:]}")
    if tally.check("two translation units link", built, output):
        code, said = run([program, "routes"])
        tally.check("and the program runs", code == 0 and "/second" in said, said)


# --- macros -----------------------------------------------------------------------------------------------------------

def defined_after(way, text):
    """{name: definition} of every macro at the end of a translation unit."""
    source = ROOT / "build" / "test" / "hygiene-macros.cpp"
    write(source, text)
    code, output = run([*command(way), "-dM", "-E", source])
    if code != 0:
        raise RuntimeError(output)
    return dict(re.match(r"#define (\w+)(.*)", line).groups() for line in output.split("\n") if line.startswith("#define "))


def system_headers():
    """Every <...> that our headers include, wherever: their macros are not ours."""
    found = set()
    for name in headers():
        text = (ROOT / "include" / name).read_text(encoding="utf-8")
        found |= set(re.findall(r"^\s*#\s*include\s*(<(?!w)[^>]+>)", text, re.MULTILINE))
    return sorted(found)


def macros(tally):
    code, output = run([sys.executable, ROOT / "tools" / "amalgamate", "--macros"])
    public = set(output.split())
    others = '#include "others.hpp"\n' + "".join(
        f"#if __has_include({name})\n#include {name}\n#endif\n" for name in system_headers())
    for way in ("g++", "clang++", "mingw"):
        before = defined_after(way, others)
        after = defined_after(way, others + "#include <winsvc.hpp>\n")
        new, gone = set(after) - set(before), set(before) - set(after)
        changed = {name for name in before if name in after and before[name] != after[name]}
        tally.check(f"the public macros are there, and no other ({way})", new == public,
                    f"too many: {sorted(new - public)}\nmissing: {sorted(public - new)}")
        tally.check(f"no macro of others is lost or changed ({way})", not gone and not changed,
                    f"lost: {sorted(gone)}\nchanged: {sorted(changed)}")


@functools.lru_cache(maxsize=None)
def read_header(name):
    return pathlib.Path(name).read_text(encoding="utf-8", errors="replace")


def changed_keyword(tally):
    """api/httplib.hpp defines `virtual` while it includes httplib.h. No other header may see the definition."""
    for way in ("g++", "clang++", "mingw"):
        source = ROOT / "build" / "test" / "hygiene-keyword.cpp"
        write(source, "#include <winsvc.hpp>\n")
        code, output = run([*command(way), "-E", source])
        file, found = "", set()
        for line in output.split("\n"):
            marker = re.match(r'# \d+ "([^"]*)"', line)
            file = marker.group(1) if marker else file
            if "inline virtual" in line and "inline virtual" not in read_header(file):
                found.add(pathlib.Path(file).name)
        tally.check(f"`virtual` has another meaning in httplib.h only ({way})", code == 0 and found == {"httplib.h"},
                    output[:2000] if code else f"in {sorted(found)}")


# ----------------------------------------------------------------------------------------------------------------------

PARTS = {"cases": cases, "macros": macros, "keyword": changed_keyword, "twice": twice, "alone": each_alone}


def main():
    tally = Tally()
    for name in sys.argv[1:] or PARTS:
        if name not in PARTS:
            sys.exit(__doc__)
        PARTS[name](tally)
    tally.finish()


if __name__ == "__main__":
    main()
