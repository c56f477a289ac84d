#!/usr/bin/env python3
"""A compiler that compiles the bodies of the compiled form once for all ways of tests/package/run.py.

  shared_compiler.py COMPILER ARGUMENT...     # WINSVC_SHARED_OBJECTS: the folder of the objects

A file with the bodies of all parts is preprocessed with the arguments of a part, once for each build folder, so a wrong
path or macro fails or gives another text. The first way with this text and these options compiles part 2, which does
not include cpp-httplib, with its own command, and then the file with all bodies, whose object takes the place of
part 2. The other ways copy that object. The other parts are empty, because to compile them takes a minute: the stage
forms compiles each part, for Windows. All other commands run unchanged.
"""

import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

PART = re.compile(r"(.*/)?winsvc_part_(\d)\.cpp")

WITH_ALL_PARTS = b"#define WINSVC_IMPLEMENTATION\n#include <winsvc.hpp>\n"
NAMES_A_FILE = ("-o", "-MF", "-MT", "-MQ")


def arguments_of(command):
    """The arguments of a part that all parts have."""
    words = [word for before, word in zip(command, command[1:]) if before not in NAMES_A_FILE]
    return [word for word in words if word not in (*NAMES_A_FILE, "-c", "-MD") and not PART.fullmatch(word)]


def digest_of_all_parts(command, output):
    """It depends on the preprocessed text of all parts, without the folders of headers, on the options that change the
    code, and on the compiler."""
    arguments = arguments_of(command)
    release = subprocess.run([command[0], "--version"], stdout=subprocess.PIPE, check=True).stdout
    options = " ".join(word for word in arguments if re.match(r"-(std=|O|g|m|f(?!diagnostics|color))", word)).encode()
    name = hashlib.sha256(" ".join(arguments).encode()).hexdigest()
    stored = pathlib.Path(output).parent / f"shared-{name}"
    with open(f"{stored}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)                    # several parts need it at the same moment
        if not stored.exists():
            text = subprocess.run([command[0], *arguments, "-E", "-P", "-xc++", "-"], input=WITH_ALL_PARTS,
                                  stdout=subprocess.PIPE)
            if text.returncode != 0:
                sys.exit(text.returncode)
            same = re.sub(rb'"[^"\n]*/include/', b'"', text.stdout)    # in the messages of assert
            stored.write_text(hashlib.sha256(b"\0".join([release, options, same])).hexdigest())
        return stored.read_text()


def replace_part(command, source, output):
    """The command with another source and another output."""
    words = [str(source) if PART.fullmatch(word) else word for word in command[1:]]
    words[words.index("-o") + 1] = str(output)
    return [command[0], "-xc++", *words]


def compile_all_parts(command, shared):
    source = pathlib.Path(f"{shared}.cpp")
    source.write_bytes(WITH_ALL_PARTS)
    for words in (command, replace_part(command, source, f"{shared}.new")):
        code = subprocess.run(words).returncode
        if code != 0:
            sys.exit(code)
    os.replace(f"{shared}.new", shared)


def main():
    command = sys.argv[1:]
    folder = os.environ.get("WINSVC_SHARED_OBJECTS")
    (number,) = {found.group(2) for found in map(PART.fullmatch, command) if found} or {""}
    if not folder or "-c" not in command or "-o" not in command or not number:
        os.execvp(command[0], command)
    output = command[command.index("-o") + 1]
    shared = pathlib.Path(folder) / f"{digest_of_all_parts(command, output)}.o"
    if number != "2":
        words = replace_part(command, "/dev/null", output)
        os.execvp(words[0], words)
    with open(f"{shared}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)                    # two ways may need it at the same moment
        if not shared.exists():
            compile_all_parts(command, shared)
        os.utime(shared)                                    # run.py deletes what no way has used
    shutil.copyfile(shared, output)


if __name__ == "__main__":
    main()
