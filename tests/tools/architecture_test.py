#!/usr/bin/env python3
"""Tests that the pages of docs/ name files that exist, and that docs/architecture.md names functions that they have.

  python3 tests/tools/architecture_test.py
"""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HEADERS = ROOT / "include" / "winsvc"
sys.path.insert(0, str(ROOT / "tools"))

from header_audit import FLOORS  # noqa: E402

PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
# docs/api.md is generated, and tools/amalgamate --check compares it with the headers.
PAGES += [page for page in sorted((ROOT / "docs").rglob("*.md")) if page.name != "api.md"]
# Names of files that stand for any file.
PATTERNS = ("api/x.hpp", "http/x_impl.hpp")

PATH = re.compile(r"`([\w./-]+/[\w.-]+\.(?:hpp|cpp|py|txt|cmake|ini))`")
# A function, a type or a member; a constant of a script in capital letters.
IDENTIFIER = re.compile(r"`([a-z_]+(?:::[a-z_]+)*|[A-Z]+(?:_[A-Z]+)+)(?:\(\))?`")
# Files that decide as a whole, or of which a row names a part in words.
WHOLE_FILES = {
    "config/undef.hpp", "diagnose/doctor_files_impl.hpp", "diagnose/finding.hpp", "diagnose/proof.hpp",
    "diagnose/prove_app.hpp", "diagnose/prove_probe.hpp", "os/win/crash.hpp",
}
# Identifiers in architecture.md that are not in a header or script.
OTHER_NAMES = ("main", "run-service", "readme")


def is_ours(path):
    """True if the path begins with a folder of the project: a page may also name a file of another project."""
    if path in PATTERNS or re.search(r"\b(?:FOLDER|NAME)\b", path):
        return False
    return any((folder / path.split("/")[0]).is_dir() for folder in (ROOT, HEADERS, HEADERS.parent, ROOT / "docs", ROOT / "adapters"))


def exists(path):
    return any((folder / path).exists() for folder in (ROOT, HEADERS, HEADERS.parent, ROOT / "docs", ROOT / "adapters"))


def items(page):
    """The list items with their inner lists, the table rows and the paragraphs of a page."""
    return re.split(r"\n(?=(?:[-*|]|\d+\.)\s)|\n\n", page)


def texts(paths, folder):
    """The text of each file by its path in the folder."""
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def is_defined(identifier, text):
    """True if the text defines or declares a function, type or constant of this name, and names its class."""
    *scopes, name = identifier.split("::")
    # Words before the name, which are its type: a call has none, or a keyword, a dot or an assignment.
    declaration = rf"^(?!\s*(?:return|else|throw)\b)[^/(=.\n]*\w[^/(=.\n]*[\s&*:]{name}(?:\(|\{{|\[| =(?!=))"
    constant = rf"^{name} = "  # of a script
    return (re.search(rf"{declaration}|{constant}|\b(?:class|struct|namespace) {name}\b", text, re.MULTILINE)
            and all(re.search(rf"\b{scope}\b", text) for scope in scopes))


def last_part(identifier):
    return identifier.split("::")[-1]


class pages(unittest.TestCase):
    def test_each_file_that_a_page_names_exists(self):
        count = 0
        for page in PAGES:
            for path in PATH.findall(page.read_text(encoding="utf-8")):
                if is_ours(path):
                    count += 1
                    self.assertTrue(exists(path), f"{page.relative_to(ROOT)}: there is no file {path}")
        self.assertGreater(count, 100)


class architecture(unittest.TestCase):
    maxDiff = None
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    headers = texts(HEADERS.rglob("*.hpp"), HEADERS)
    scripts = texts((ROOT / "tools").glob("*.py"), ROOT)

    def test_each_function_is_in_a_file_of_its_item(self):
        count, missing = 0, []
        files = {**self.headers, **self.scripts}
        whole = "\n".join(files.values())
        for item in items(self.page):
            named = [files[path] for path in PATH.findall(item) if path in files]
            text = "\n".join(named) if named else whole
            for identifier in IDENTIFIER.findall(item):
                count += 1
                if identifier not in OTHER_NAMES and not re.search(rf"\b{last_part(identifier)}\b", text):
                    missing.append(f"{identifier}, in the item: {item.strip()}")
        self.assertEqual(missing, [])
        self.assertGreater(count, 60)

    def test_each_walk_has_numbered_steps_that_name_files(self):
        walks = re.split(r"\n## ", self.page)
        walks = [walk for walk in walks if walk.startswith("Walk ")]
        self.assertEqual(len(walks), 5)
        for walk in walks:
            steps = re.findall(r"^\d+\. .*(?:\n(?!\d+\. |\n).*)*", walk, re.MULTILINE)
            self.assertGreaterEqual(len(steps), 5, walk.split("\n")[0])
            self.assertTrue(PATH.search("".join(steps)), walk.split("\n")[0])

    def test_each_row_has_one_question_and_the_file_that_decides_it(self):
        section = self.page.split("## Where is it decided?")[1].split("\n## ")[0]
        rows = [[cell.strip() for cell in line.strip("|").split("|")]
                for line in section.split("\n") if re.match(r"\| [^-]", line)]
        rows = [row for row in rows if row[0] != "question"]
        whole, missing = set(), []
        for row in rows:
            self.assertEqual(len(row), 3, row)
            for part in row[2].split("; "):  # files, then the functions of these files
                paths = PATH.findall(part)
                self.assertTrue(paths, f"no file in '{part}': {row}")
                text = "\n".join({**self.headers, **self.scripts}[path] for path in paths)
                names = IDENTIFIER.findall(re.sub(r"\([^)]*\)", "", part))  # in parentheses: what the function uses
                missing += [f"'{name}', {paths}: {row[0]}" for name in names if not is_defined(name, text)]
                whole |= set() if names else set(paths)
        self.assertEqual(missing, [])
        self.assertEqual(whole, WHOLE_FILES, "rows without a function")
        self.assertEqual(len(rows), len({row[0] for row in rows}), "two rows have the same question")
        self.assertGreater(len(rows), 100)

    def test_the_drawing_has_each_folder_and_header_with_its_floor(self):
        floors = dict(re.findall(r"^ *(\d+)  (.*)$", self.page.split("```")[1], re.MULTILINE))
        for name, number in FLOORS.items():
            if name != "os/win/windows_headers.hpp":  # an exception, below the drawing
                self.assertRegex(floors[str(number)], rf"(?<![\w.]){re.escape(name)}(?![\w.])")
        folders = {path.split("/")[0] for path in self.headers if "/" in path}
        self.assertEqual(folders - set(FLOORS), set())


if __name__ == "__main__":
    unittest.main()
