#!/usr/bin/env python3
"""Checks that each sentence about Windows in README.md and docs/ is in docs/windows-facts.md, with its witness.

A sentence is about Windows if it contains one of TERMS. Rows of tables and items of lists count as sentences, code does
not. The last section of docs/windows-facts.md has a table for each page: the first words of each such sentence, and a
witness, `no claim`, or `not verified`. A sentence that says that it was not verified needs no row.
"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from kit import ROOT, Tally  # noqa: E402

FACTS = ROOT / "docs" / "windows-facts.md"
HEADING = "## Sentences about Windows on other pages\n"
WITNESS = r"(?:page [\w-]+|calls|Wine 8|Wine 10|MSVC ABI|Windows)"
# Pages for maintainers, generated pages, definitions, and comparisons, whose footnotes name their sources.
OTHER_PAGES = {"api.md", "architecture.md", "engine.md", "glossary.md", "http-compared.md", "services-compared.md",
               "style.md", "testing.md", FACTS.name}
TERMS = re.compile(r"\b(?:Windows|SCM|service (?:control )?manager|Wine|LocalSystem|NT SERVICE|virtual account|"
                   r"Event Viewer|event log|ProgramData|UAC|elevat\w+|failure actions?|recovery|SIDs?|privileges?|"
                   r"registry|message box|(?:START|STOP)_PENDING|(?:PRE)?SHUTDOWN|log-off|minidumps?|PARAMCHANGE|shuts? down|boot|RUNNING|"
                   r"STOPPED)\b")
UNVERIFIED = re.compile(r"\bnot (?:been )?(?:verified|tested|run)\b|\bhas never run\b")


def sentences(text):
    """The sentences, rows of tables (the cells joined by commas) and items of lists of a page, each on one line."""
    found, block = [], []

    def end():
        found.extend(re.split(r"(?<=[.:!?])\s+(?=[A-Z`*\[])", " ".join(block)))
        block.clear()
    for line in re.sub(r"^```.*?^```\n?", "", text, flags=re.MULTILINE | re.DOTALL).split("\n"):
        is_row, item = line.startswith("|"), re.match(r"\s*(?:[-*]|\d+\.) ", line)
        if is_row or item or not line.strip() or line.startswith("#"):
            end()
        if is_row:
            found.append(", ".join(cell.strip() for cell in line.strip().strip("|").split(" | ")))
        elif not line.startswith("#"):
            block.append(line[item.end():] if item else line.strip())
    end()
    return [sentence.strip() for sentence in found if sentence.strip()]


def claims(text):
    return [sentence for sentence in sentences(text)
            if TERMS.search(re.sub(r"`[^`]*`", "", sentence)) and not UNVERIFIED.search(sentence)]


def listed(facts):
    """{page: [(first words, witness)]} of the last section."""
    pages, rows = {}, None
    for line in facts.split(HEADING)[-1].splitlines():
        if heading := re.match(r"### (\S+)$", line):
            rows = pages.setdefault(heading[1], [])
        row = re.match(r"\| (.+?) \| ([^|]+) \|$", line)
        if row and rows is not None and row[1] != "begins with":
            rows.append((row[1], row[2]))
    return pages


def faults_of_page(found, rows):
    """The faults in the rows of a page, for the claims that were found on it."""
    faults = [f"not in {FACTS.name}: {claim}" for claim in found
              if sum(claim.startswith(words) for words, _ in rows) != 1]
    for words, witness in rows:
        if not any(claim.startswith(words) for claim in found):
            faults.append(f"no sentence begins so: {words}")
        if not re.fullmatch(rf"no claim|not verified|{WITNESS}(?:, {WITNESS})*", witness):
            faults.append(f"unknown witness: {witness}")
    return faults


def check(tally):
    pages = {page.relative_to(ROOT).as_posix(): claims(page.read_text(encoding="utf-8"))
             for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))] if page.name not in OTHER_PAGES}
    rows = listed(FACTS.read_text(encoding="utf-8"))
    tally.check("sentences about Windows were found", sum(map(len, pages.values())) > 80, f"{pages}")
    for page, found in pages.items():
        faults = faults_of_page(found, rows.pop(page, []))
        tally.check(f"{page}: each sentence about Windows has a witness in docs/{FACTS.name}", not faults,
                    "\n".join(faults))
    tally.check("each page of the list is there", not rows, ", ".join(rows))
    planted = faults_of_page(claims("Windows starts it twice. Text.\n\n| a | the SCM ends it |\n"), [])
    tally.check("a sentence and a row without a witness are found", len(planted) == 2, "\n".join(planted))


def main():
    tally = Tally()
    check(tally)
    tally.finish()


if __name__ == "__main__":
    main()
