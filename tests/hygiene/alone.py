"""Each header includes what it needs: the part `alone` of tests/hygiene/run.py.

clang compiles all headers as one module, of which each header is a submodule. With
-fmodules-local-submodule-visibility, a submodule has only the names and macros of the headers that it includes,
directly or not, so a missing include is an error as in a file that includes the header alone. Each header is parsed
once: 13 s for a system in place of 200 s.

The standard library is another module, whose headers are visible together. tools/standard_audit.py checks which of
them a header includes. Other headers, <windows.h> and <httplib.h> too, are a part of the header that includes them.
"""

import pathlib
import re

from kit import ROOT, Ninja, headers, run, write

OTHER_SYSTEM = {"clang++": "winsvc/os/win/", "clang-mingw": "winsvc/os/posix/"}


def standard_headers(folder, command):
    """The paths of the standard headers that our headers include: those without an ending."""
    texts = [(ROOT / "include" / name).read_text(encoding="utf-8") for name in headers()]
    names = {found for text in texts for found in re.findall(r"^\s*#\s*include <(\w+)>", text, re.MULTILINE)}
    source = write(folder / "standard.cpp", "".join(f"#include <{name}>\n" for name in sorted(names)))
    code, output = run([*command, "-M", source])
    paths = {}
    for path in sorted(output.split(), key=len, reverse=True):
        paths[pathlib.Path(path).name] = path               # the shortest: <map>, not <debug/map>
    if code != 0 or not names <= set(paths):
        raise RuntimeError(f"not found: {sorted(names - set(paths))}\n{output}")
    return [paths[name] for name in sorted(names)]


def module(ninja, name, command, modules):
    """Compiles the last module; the others are those that it imports. modules: {name: [[headers of a submodule]]}"""
    text = ""
    for title, submodules in modules.items():
        lines = []
        for number, paths in enumerate(submodules):
            named = " ".join(f'header "{path}"' for path in paths)
            lines.append(f"  module s{number} {{ {named} export * }}\n")
        text += f"module {title} {{\n{''.join(lines)}}}\n"
    source = write(ninja.folder / f"{name}.modulemap", text)
    # The file is compiled as a module map: -x of the compiler itself comes last.
    words = [*command, "-fmodules", "-fno-implicit-module-maps", f"-fmodule-map-file={source}",
             f"-fmodule-name={title}", f"-fmodules-cache-path={ninja.folder / f'{name}.cache'}",
             "-Xclang", "-fmodules-local-submodule-visibility", "-ferror-limit=0", "-Xclang", "-emit-module",
             "-x", "c++", "-Xclang", "-x", "-Xclang", "c++-module-map"]
    return ninja.compile(f"{name}.pcm", source, words)


def errors_of(output, path):
    """The errors in a header."""
    found = re.findall(rf"^{re.escape(str(path))}:\d.*(?:error|warning): .*$", output, re.MULTILINE)
    return "\n".join(dict.fromkeys(found))


def finds_what_is_missing(tally, name, command):
    """A name and a macro of a header that is not included are errors."""
    ninja = Ninja(f"hygiene-missing-{name}")
    first = write(ninja.folder / "first.hpp", "#pragma once\n#define OF_FIRST 1\nstruct in_first {};\n")
    good = write(ninja.folder / "good.hpp",
                 '#pragma once\n#include "first.hpp"\ninline in_first made() { return {}; }\n')
    bad = write(ninja.folder / "bad.hpp", "#pragma once\ninline in_first made_again() { return {}; }\n"
                "#ifndef OF_FIRST\n#error OF_FIRST is not defined\n#endif\n")
    module(ninja, "missing", command, {"headers": [[first], [good], [bad]]})
    _, output = ninja.build()
    found = errors_of(output, bad)
    tally.check(f"a missing include is an error ({name})", "'in_first'" in found and "OF_FIRST is not" in found and
                not errors_of(output, good), output)


def alone(tally, commands):
    """commands: {system: the command of the compiler, or an empty list}"""
    ninja, made = Ninja("hygiene-alone"), {}
    for name, command in commands.items():
        if not command:
            tally.skip("the headers of Windows alone", "no mingw headers for clang")
            continue
        finds_what_is_missing(tally, name, command)
        ours = [header for header in headers() if not header.startswith(OTHER_SYSTEM[name])]
        made[name] = ours, module(ninja, name, command, {
            "standard": [standard_headers(ninja.folder / name, command)],
            "winsvc": [[ROOT / "include" / header] for header in ours]})
    _, output = ninja.build()
    for name, (ours, compiled) in made.items():
        for header in ours:
            wrong = errors_of(output, ROOT / "include" / header)
            if wrong or compiled.exists():
                tally.check(f"{header} alone ({name})", not wrong, wrong)
        tally.check(f"{len(ours)} headers were compiled ({name})", compiled.exists(), output[:3000])
