"""Parses the headers in include/: their preprocessor directives and the order in which they include each other.

Used by tools/amalgamate and the audits (tools/*_audit.py).
"""

import re

UMBRELLA = "winsvc.hpp"
TESTING = "winsvc/testing.hpp"
VERSION = "winsvc/config/version.hpp"
UNDEF = "winsvc/config/undef.hpp"
FORM = "winsvc/config/form.hpp"
IMPLEMENTATION = "winsvc/implementation.hpp"    # includes all headers that only the implementation needs, in one #if
COLD = "winsvc/config/cold.hpp"                  # may follow any header: it changes the functions after it


BODIES_LINE = "// " + "-" * 117     # in a header: separates the interface from the function bodies


class TreeError(Exception):
    """The source tree cannot be amalgamated."""


class Header:
    """One header: its lines and its preprocessor directives."""

    def __init__(self, name, text):
        self.name = name                # as in #include: winsvc/base/text.hpp
        self.lines = text.split("\n")
        if self.lines and self.lines[-1] == "":
            self.lines.pop()
        self.directives = []            # (line number, directive, arguments, #if depth, follows code)
        self.includes = []              # the #include directives: (line number, target, #if depth, follows code)
        self._scan()

    def _scan(self):
        depth, follows_code, in_comment = 0, False, False
        number = 0
        while number < len(self.lines):
            start = number + 1
            line = self.lines[number]
            while line.endswith("\\") and number + 1 < len(self.lines):
                number += 1
                line = line[:-1] + " " + self.lines[number]
            number += 1
            line, in_comment = strip_comments(line, in_comment)
            match = re.match(r"\s*#\s*(\w+)\s*(.*)", line)
            if not match:
                follows_code = follows_code or bool(line.strip())
                continue
            directive, arguments = match.group(1), match.group(2).strip()
            if directive == "endif":
                depth -= 1
            self.directives.append((start, directive, arguments, depth, follows_code))
            if directive == "include":
                self.includes.append((start, arguments, depth, follows_code))
            if directive in ("if", "ifdef", "ifndef"):
                depth += 1

    def project_includes(self):
        """Includes of project headers: [(line number, name)]."""
        return [(number, target[1:-1]) for number, target, _, _ in self.includes if target.startswith('"')]

    def macros_after(self, directive):
        return [(number, re.match(r"\w+", arguments).group())
                for number, name, arguments, _, _ in self.directives if name == directive]

    def defines(self):
        """Macros that the header defines: [(line number, macro)]."""
        return self.macros_after("define")

    def define_tokens(self):
        """Macro definitions: [(line number, macro, identifiers in the definition)]."""
        return [(number, re.match(r"\w+", arguments).group(), set(re.findall(r"\w+", arguments)))
                for number, directive, arguments, _, _ in self.directives if directive == "define"]

    def undefs(self):
        """Macros that the header undefines: [(line number, macro)]."""
        return self.macros_after("undef")

    def bodies_index(self):
        """Index of the line `#if WINSVC_BODIES_...`, which begins the last block of the file (possibly inside an #if
        for the platform); None if there is no such line."""
        starts = [number for number, directive, arguments, depth, _ in self.directives
                  if directive == "if" and depth <= 1 and re.fullmatch(r"WINSVC_BODIES_\w+", arguments)]
        return starts[-1] - 1 if starts else None

    def leading_comment(self):
        """The comment at the start of the file, without the slashes."""
        lines = []
        for line in self.lines:
            if not line.startswith("//"):
                break
            lines.append(line[2:][1:] if line[2:3] == " " else line[2:])
        return lines


TOKEN = re.compile(r"""//[^\n]*|/\*.*?\*/                      # comments
                     |R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"
                     |(?P<kept>\b\d[\w.']*)                  # numbers: 1'000 does not begin a character literal
                     |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", re.DOTALL | re.VERBOSE)


def code_lines(lines):
    """The lines without comments and literals. A raw string may span several lines and contain quotes."""
    def blank(match):
        return match.group() if match.group("kept") else " " + "\n" * match.group().count("\n")
    return TOKEN.sub(blank, "\n".join(lines)).split("\n")


def strip_comments(line, in_comment):
    """Returns (the line without comments, whether a comment continues on the next line). A // in a string stays."""
    kept, at = "", 0
    while at < len(line):
        if in_comment:
            end = line.find("*/", at)
            if end < 0:
                return kept, True
            at, in_comment = end + 2, False
            continue
        match = re.compile(r'//|/\*|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])+\'').search(line, at)
        if not match:
            return kept + line[at:], False
        kept += line[at:match.start()]
        if match.group() == "//":
            return kept, False
        if match.group() == "/*":
            in_comment = True
        else:
            kept += match.group()
        at = match.end()
    return kept, in_comment


def read_tree(root):
    """All headers in include/: {name as in #include: Header}."""
    folder = root / "include"
    headers = {}
    for path in sorted(folder.rglob("*.hpp")):
        name = path.relative_to(folder).as_posix()
        headers[name] = Header(name, path.read_bytes().decode("utf-8"))
    for name in (UMBRELLA, IMPLEMENTATION):
        if name not in headers:
            raise TreeError(f"include/{name} is missing: the single header starts from it")
    return headers


def include_order(headers, start, already=()):
    """The names of `start` and of all headers that it includes, directly or not; a header follows its includes."""
    done, order, path = set(already), [], []

    def visit(name, included_by):
        if name in path:
            raise TreeError("cycle: " + " -> ".join(path[path.index(name):] + [name]))
        if name in done:
            return
        if name not in headers:
            raise TreeError(f"{included_by}: include/{name} does not exist")
        path.append(name)
        for number, target in headers[name].project_includes():
            visit(target, f"include/{name}:{number}")
        path.pop()
        done.add(name)
        order.append(name)

    visit(start, "tools/amalgamate")
    return order


def app_headers(headers):
    """Headers that a source file of an app includes in the separate form: all except those of implementation.hpp."""
    return include_order(headers, UMBRELLA, already=(IMPLEMENTATION,))


def short_name(name):
    return name[len("winsvc/"):] if name.startswith("winsvc/") else name
