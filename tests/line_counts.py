#!/usr/bin/env python3
"""Counts the lines of code of the examples that docs/http-compared.md compares with programs of other frameworks.

  tests/line_counts.py              compares the page with the examples
  tests/line_counts.py FILE...      prints the number of each file (.cpp, .py, .html, .sql) and their sum

Blank lines, comments and docstrings do not count; templates and SQL do. The page states the number of each example and
of its original. The stated number of an example must be correct and at most that of the original, which was counted
with this program in the repository of the other framework.
"""

import ast
import io
import pathlib
import re
import sys
import tokenize

from kit import ROOT, Tally

PAGE = ROOT / "docs" / "http-compared.md"
# A row: the program with the path of the example, the number of its lines, and that of the original, if there is one.
ROW = re.compile(r"^\| .*?\]\(\.\./(examples/[\w/.]+)\).*? \| (\d+)\b[^|]* \| (?:(\d+)\b)?[^|]* \|$", re.MULTILINE)


def lines_without(pattern, text):
    return sum(1 for line in re.sub(pattern, "", text, flags=re.MULTILINE | re.DOTALL).splitlines() if line.strip())


def lines_of_python(text):
    counted, ignored = set(), {number for number, line in enumerate(text.splitlines(), 1) if not line.strip()}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and ast.get_docstring(node):
            ignored.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    layout = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in layout:
            counted.update(range(token.start[0], token.end[0] + 1))
    return len(counted - ignored)


def count(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return lines_of_python(text)
    return lines_without({".cpp": r"^\s*//[^\n]*", ".html": r"\{#.*?#\}|<!--.*?-->", ".sql": r"^\s*--[^\n]*"}[path.suffix],
                         text)


def check(tally):
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    tally.check(f"{PAGE.name} compares programs", sum(1 for row in rows if row[2]) >= 5, f"{rows}")
    for example, stated, original in rows:
        lines = count(ROOT / example)
        tally.check(f"{example} has the stated number of lines", lines == int(stated), f"{lines}, stated {stated}")
        if original:
            tally.check(f"{example} is not longer than the original", lines <= int(original), f"{lines}, {original}")


def main():
    if len(sys.argv) == 1:
        tally = Tally()
        check(tally)
        tally.finish()
    numbers = [count(pathlib.Path(name)) for name in sys.argv[1:]]
    for name, number in zip(sys.argv[1:], numbers):
        print(f"{number:5} {name}")
    print(f"{sum(numbers):5}")


if __name__ == "__main__":
    main()
