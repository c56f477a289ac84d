"""Checks the structure of the headers in include/, for `tools/amalgamate --audit`.

The rules: floors, includes of add-ons, include cycles, unreachable headers, form of includes, wrapper headers, ASCII,
leading comments, the separate form (config/form.hpp), namespaces, names without an include, line width, atomics,
and retired words. tools/macro_audit.py has the rules for macros, tools/clock_audit.py the one for clocks,
tools/standard_audit.py the one for names of the standard library.
"""

import itertools
import re

from clock_audit import audit_clock
from header_tree import (BODIES_LINE, COLD, FORM, IMPLEMENTATION, TESTING, UMBRELLA, UNDEF, TreeError,
                         app_headers, code_lines, include_order, short_name, strip_comments)
from macro_audit import audit_foreign_macros, audit_macros
from standard_audit import audit_standard_names

# The layers. A header may include headers of its own folder and of lower floors, but not of other folders on its floor.
# An entry for a single file overrides the entry for its folder.
FLOORS = {
    "config": 0, "os/win/windows_headers.hpp": 1, "base": 1, "settings": 2, "route": 2, "wire": 2, "scm": 3,
    "commandline": 4, "api": 5, "os": 5, "log": 6, "addons": 6, "http": 7, "server": 8, "host": 9, "manage": 10,
    "diagnose": 11, "cli": 12, "implementation.hpp": 13, "testing": 14, "testing.hpp": 15, "winsvc.hpp": 16,
}

WIDTH = 120

# An add-on includes only these folders, which is what an app can use, and the headers below, each for a reason.
ADDON_FOLDERS = ("addons", "api", "base", "config")
ADDON_EXCEPTIONS = {
    "addons/allowed_hosts.hpp": {"wire/host_name.hpp": "the syntax of Host"},
    "addons/cors.hpp": {"wire/grammar.hpp": "the syntax of an origin"},
    "addons/metrics.hpp": {"route/table.hpp": "the routes of the counters", "os/process.hpp": "memory and CPU time"},
    "addons/openapi.hpp": {"route/table.hpp": "the routes of the document"},
    "addons/proxies.hpp": {"wire/forwarded.hpp": "the fields of a proxy", "wire/grammar.hpp": "the syntax of an ID",
                           "wire/ip.hpp": "address ranges"},
    "addons/rate_limit.hpp": {"wire/ip.hpp": "the network of an IPv6 address"},
    "addons/same_origin.hpp": {"wire/origin.hpp": "the comparison of origins, as for WebSockets"},
}

# The only exception, in one direction: a request head contains a method and a path.
SAME_FLOOR = {("wire", "route")}

# Platform and library headers that only one header may include: {include target: its wrapper header}.
WRAPPER_HEADERS = {
    "<windows.h>": "winsvc/os/win/windows_headers.hpp",
    "<winsock2.h>": "winsvc/os/win/windows_headers.hpp",
    "<winsvc.h>": "winsvc/os/win/windows_headers.hpp",
    "<httplib.h>": "winsvc/api/httplib.hpp",
    "WINSVC_HTTPLIB": "winsvc/api/httplib.hpp",
    "<nlohmann/json.hpp>": "winsvc/api/json.hpp",
    "<nlohmann/json_fwd.hpp>": "winsvc/api/json.hpp",
}

# Windows headers that include rpcndr.h, which defines small and hyper, or basetyps.h, which defines interface.
RPCNDR_HEADERS = {
    "<accctrl.h>", "<aclapi.h>", "<objbase.h>", "<ole2.h>", "<rpc.h>", "<rpcndr.h>", "<shellapi.h>", "<shlobj.h>",
    "<wtypes.h>",
}


# --- the rules --------------------------------------------------------------------------------------------------------

def floor_and_folder(name):
    """Returns (3, "os") for winsvc/os/file.hpp; the floor is None if FLOORS has no entry."""
    folder = short_name(name).split("/")[0]
    return FLOORS.get(short_name(name), FLOORS.get(folder)), folder


def is_test_header(name):
    return floor_and_folder(name)[1] in ("testing", "testing.hpp")


def audit_floors(headers):
    for name, header in headers.items():
        floor, folder = floor_and_folder(name)
        if floor is None:
            yield f"include/{name}:1: folder '{folder}' has no floor: add it to FLOORS in tools/header_audit.py"
            continue
        for number, target in header.project_includes():
            other_floor, other_folder = floor_and_folder(target)
            if is_test_header(name) and target == UMBRELLA:
                continue                                    # test headers may include the umbrella header
            if other_floor is None or other_floor < floor or other_folder == folder:
                continue
            if (folder, other_folder) not in SAME_FLOOR:
                position = "on the same floor" if other_floor == floor else "on a higher floor"
                yield (f"include/{name}:{number}: {folder} (floor {floor}) includes {target}, which is {position} "
                       f"(floor {other_floor})")


def audit_addons(headers):
    """An add-on uses what api/ offers, as an app does."""
    used = set()
    for name, header in headers.items():
        if floor_and_folder(name)[1] != "addons":
            continue
        exceptions = ADDON_EXCEPTIONS.get(short_name(name), {})
        for number, target in header.project_includes():
            if floor_and_folder(target)[1] in ADDON_FOLDERS:
                continue
            if short_name(target) in exceptions:
                used.add((short_name(name), short_name(target)))
            else:
                yield (f"include/{name}:{number}: an add-on includes {target}: use api/, or add it to ADDON_EXCEPTIONS "
                       "in tools/header_audit.py with its reason")
    if any(floor_and_folder(name)[1] == "addons" for name in headers):
        for name, targets in ADDON_EXCEPTIONS.items():
            for target in targets:
                if f"winsvc/{name}" in headers and (name, target) not in used:
                    yield f"tools/header_audit.py: {name} does not include {target}: remove it from ADDON_EXCEPTIONS"


def audit_umbrella(headers):
    umbrella = headers[UMBRELLA]
    project_includes = umbrella.project_includes()
    for name in (UMBRELLA, IMPLEMENTATION):
        last = 0
        listed = headers[name].project_includes()
        for number, target in listed[:-1] if listed and listed[-1][1] == UNDEF else listed:
            floor, _ = floor_and_folder(target)
            if floor is not None and floor < last and target != COLD:
                yield (f"include/{name}:{number}: {target} (floor {floor}) follows floor {last}: sort the includes by "
                       "floor")
            last = max(last, floor or 0)
    if UNDEF in headers and (not project_includes or project_includes[-1][1] != UNDEF):
        yield f"include/{UMBRELLA}:1: the last include must be {UNDEF}, which undefines the internal macros"
    in_comment = False
    for number, line in enumerate(umbrella.lines, start=1):
        code, in_comment = strip_comments(line, in_comment)
        if code.strip() and not re.match(r'\s*#\s*(pragma once|include ")', code):
            yield (f"include/{UMBRELLA}:{number}: the umbrella header may contain only includes and comments; this "
                   "line would be lost")


def audit_cycles(headers):
    try:
        for name in headers:
            include_order(headers, name)
    except TreeError as error:
        yield str(error)


def audit_unreachable(headers):
    try:
        reachable = set(include_order(headers, UMBRELLA))
        if TESTING in headers:
            reachable |= set(include_order(headers, TESTING))
    except TreeError:
        return                                              # audit_cycles reports it
    for name in headers:
        if name not in reachable:
            yield f"include/{name}:1: no include leads to it from {UMBRELLA} or {TESTING}"


def audit_include_form(headers):
    for name, header in headers.items():
        first = header.directives[0] if header.directives else (1, "", "", 0, True)
        if (first[1], first[2]) != ("pragma", "once") or first[4]:
            yield f"include/{name}:{first[0]}: '#pragma once' must follow the leading comment"
        for number, target, depth, follows_code in header.includes:
            if target.startswith("<winsvc") and target != "<winsvc.h>":
                yield f"include/{name}:{number}: include project headers in quotes, not as {target}"
            if not target.startswith('"'):
                continue
            is_full_path = target.startswith('"winsvc/') or (is_test_header(name) and target == f'"{UMBRELLA}"')
            if not is_full_path or ".." in target:
                yield f"include/{name}:{number}: {target} is not a full path: write \"winsvc/folder/file.hpp\""
            if depth > 0 and name != IMPLEMENTATION:
                yield f"include/{name}:{number}: {target} inside #if: put the #if into the included file"
            if follows_code:
                yield f"include/{name}:{number}: {target} after code: move it to the top"


def audit_wrapper_headers(headers):
    for name, header in headers.items():
        for number, target, _, _ in header.includes:
            wrapper = WRAPPER_HEADERS.get(target.lower() if target.startswith("<") else target)
            if wrapper and wrapper != name:
                yield f"include/{name}:{number}: include {target} only in its wrapper header {wrapper}"
            if target.lower() in RPCNDR_HEADERS:
                yield f"include/{name}:{number}: {target} defines small or interface: load its functions at run time"


def audit_leading_comments(headers):
    for name, header in headers.items():
        comment = header.leading_comment()
        if not comment or not re.search(r"[A-Za-z].*[.!?:]", " ".join(comment)):
            yield f"include/{name}:1: a header must begin with a comment that describes it in one sentence"


# Matches an inline function defined at the left margin, except templates and constexpr functions: these must stay in
# the interface.
DEFINITION = re.compile(r"(?:\[\[\w+\]\] )*inline (?!constexpr |namespace )(?:[^=;(]|operator\s*[=!<>]+)*\(")
APP_FLOORS = ("config", "base", "settings", "route", "wire", "scm", "api", "addons")


def audit_forms(headers):
    """The rules of the separate form (config/form.hpp)."""
    try:
        app_names = app_headers(headers)
    except TreeError:
        return                                              # audit_cycles reports it
    for name in app_names:
        floor, folder = floor_and_folder(name)
        if floor is not None and name not in (UMBRELLA, WRAPPER_HEADERS["<windows.h>"]) and folder not in APP_FLOORS:
            yield (f"include/{name}:1: apps include it in the separate form, which is allowed only for "
                   f"{', '.join(APP_FLOORS)}")
    parts = {macro for name in headers if floor_and_folder(name)[1] == "config" for _, macro in headers[name].defines()
             if macro.startswith("WINSVC_BODIES_")}
    for name, header in headers.items():
        _, folder = floor_and_folder(name)
        if is_test_header(name) or name in (UMBRELLA, IMPLEMENTATION) or folder == "config":
            continue
        begin = header.bodies_index()
        for number, directive, arguments, _, _ in header.directives:
            if directive == "if" and arguments.startswith("WINSVC_BODIES_") and arguments not in parts:
                yield f"include/{name}:{number}: no header of config/ defines {arguments}: the bodies would be lost"
        for number, line in enumerate(header.lines):
            if DEFINITION.match(line):
                yield (f"include/{name}:{number + 1}: an inline function: write WINSVC_INLINE, and move its body into "
                       f"`#if WINSVC_BODIES_{folder.upper()}` at the end")
            if "WINSVC_INLINE " in line and (begin is None or number < begin):
                yield f"include/{name}:{number + 1}: this body is above `#if WINSVC_BODIES_{folder.upper()}`"
        if begin is not None:
            above = [line for line in header.lines[:begin] if line]
            if BODIES_LINE not in above:
                yield f"include/{name}:{begin + 1}: put a line `// ---...` (120 columns) above the function bodies"


def audit_ascii(headers):
    """MSVC decodes bytes above 0x7F in the code page of the machine."""
    for name, header in headers.items():
        for number, line in enumerate(header.lines, start=1):
            match = re.search(r"[^\t\x20-\x7e]", line)
            if match:
                yield (f"include/{name}:{number}: U+{ord(match.group()):04X} is not ASCII: replace it; in a "
                       "string literal write \\x escapes of its UTF-8 bytes")


NAMESPACE = re.compile(r"namespace (\w[\w:]*) \{")
FORWARD_DECLARATION = re.compile(r"(?:struct|class|enum class) \w+[^{]*;|template <.*>|//.*|")


def audit_namespaces(headers):
    """Internal names are in winsvc::detail::<folder>. Two exceptions: forward declarations, and functions of api/ whose
    bodies are on a higher floor."""
    for name, header in headers.items():
        _, folder = floor_and_folder(name)
        if is_test_header(name) or folder in (None, "config") or name in (UMBRELLA, IMPLEMENTATION):
            continue
        for number, line in enumerate(header.lines):
            match = NAMESPACE.fullmatch(line)
            if not match or match.group(1) in ("winsvc", f"detail::{folder}", "httplib", "nlohmann"):
                continue
            if not match.group(1).startswith("detail::") and "::" not in match.group(1):
                outer = [NAMESPACE.fullmatch(l) for l in header.lines[:number]]
                if any(m and m.group(1) == f"detail::{folder}" for m in outer):
                    continue                                # a namespace inside that of the folder, for constants
            end = header.lines.index("}", number) if "}" in header.lines[number:] else len(header.lines)
            if all(FORWARD_DECLARATION.fullmatch(l) for l in header.lines[number + 1:end]):
                continue
            if match.group(1) == "detail::api" and (header.bodies_index() or len(header.lines)) < number:
                continue
            yield (f"include/{name}:{number + 1}: namespace {match.group(1)} in the folder {folder}: write "
                   f"detail::{folder}, or move the declaration")


def audit_width(headers):
    for name, header in headers.items():
        for number, line in enumerate(header.lines, start=1):
            if len(line) > WIDTH and not re.match(r"\s*#\s*error", line):
                yield f"include/{name}:{number}: {len(line)} columns; a line has at most {WIDTH}"


ATOMIC_MEMBER = re.compile(r"\bstd::atomic<.*>\s+\w.*[;{]$")


def audit_atomics(headers):
    """Each atomic has a reason: a comment on its line, or above it in the same block of declarations."""
    for name, header in headers.items():
        for index, line in enumerate(header.lines):
            if not ATOMIC_MEMBER.search(line.split("//")[0].rstrip()):
                continue
            block = itertools.takewhile(lambda above: above.strip() and not above.rstrip().endswith("private:"),
                                        reversed(header.lines[:index + 1]))
            if not any("//" in above for above in block):
                yield (f"include/{name}:{index + 1}: an atomic without a reason: add a comment with its purpose and "
                       "memory order, or use a mutex")


# Words that docs/glossary.md retires, as identifiers or in comments.
RETIRED = re.compile(r"\b\w*?(?:crew|clerk|seat|visitor|inquir(?:y|ies)|employer|culprit|blueprint|sieve)\w*\b|"
                     r"\b(?:desk|duty|duties|parting|pulse|anew|whoever|beside)\b", re.IGNORECASE)


def audit_retired_words(headers):
    for name, header in headers.items():
        for number, line in enumerate(header.lines, start=1):
            match = RETIRED.search(line)
            if match:
                yield f"include/{name}:{number}: '{match.group()}' is a retired word: docs/glossary.md has the new one"


def audit_names(headers):
    """A header that names folder::name includes, directly or not, a header of the folder that declares the name. Hygiene
    compiles each header alone; this rule finds a missing include of ours without a compiler."""
    code = {name: [line for line in code_lines(header.lines) if not line.endswith("\\")] for name, header in headers.items()}
    declaring = {}                                          # (folder, name) -> the headers that declare it
    for header, lines in code.items():
        folder = floor_and_folder(header)[1]
        for line in lines:
            if re.match(r"[\w\[]", line):                   # not indented: a declaration in a namespace
                for name in re.findall(r"\b(?:struct|class|enum|union|using|namespace)\s+(\w+)|(\w+)\s*(?=[(={;[])", line):
                    declaring.setdefault((folder, name[0] or name[1]), set()).add(header)
                forward = re.match(r"(?:struct|class|enum class) (\w+)[^{]*;", line)
                if forward:                                 # in the namespace of another folder
                    declaring.setdefault(("", forward.group(1)), set()).add(header)
    folders = sorted({folder for folder, _ in declaring if folder})
    qualified = re.compile(rf"(?<!using namespace )\b({'|'.join(folders)})::(\w+)")
    for header, lines in code.items():
        if header in (UMBRELLA, IMPLEMENTATION) or is_test_header(header):
            continue
        try:
            seen = set(include_order(headers, header))
        except TreeError:
            return                                          # audit_cycles reports it
        for number, line in enumerate(lines, start=1):
            for folder, name in qualified.findall(line):
                declared_by = declaring.get((folder, name), set())
                if declared_by and not (declared_by | declaring.get(("", name), set())) & seen:
                    yield (f"include/{header}:{number}: {folder}::{name} without an include of "
                           f"{' or '.join(sorted(declared_by)[:2])}")


AUDITS = (audit_floors, audit_addons, audit_forms, audit_umbrella, audit_cycles, audit_unreachable, audit_include_form,
          audit_wrapper_headers, audit_macros, audit_foreign_macros, audit_ascii, audit_leading_comments,
          audit_namespaces, audit_names, audit_standard_names, audit_width, audit_clock, audit_atomics, audit_retired_words)


def audit(headers):
    """All violations; each message begins with the file and line."""
    return [violation for rule in AUDITS for violation in rule(headers)]
