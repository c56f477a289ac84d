#!/usr/bin/env python3
"""Checks that each sentence about Windows in README.md and docs/ is in docs/windows-facts.md, with its witness.

  tests/claims.py [--update]

A sentence is about Windows if it contains one of TERMS, also in inline code. Rows of tables and items of lists count
as sentences, blocks of code do not. The last section of docs/windows-facts.md has a table for each page: the first
words of each such sentence, its checksum, and a witness, `no claim`, or `not verified`. A sentence that contains the
words of UNVERIFIED needs no row. A page of the Win32 documentation is a witness only if docs/windows-facts.md lists it.

--update writes the checksum of each sentence into its row, and adds a row for each sentence that has none. It never
changes a witness: read the printed sentences, and correct their witnesses.
"""

import argparse
import hashlib
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from kit import ROOT, Tally  # noqa: E402

FACTS = ROOT / "docs" / "windows-facts.md"
HEADING = "## Sentences about Windows on other pages\n"
WITNESS = r"(?:page [\w-]+|calls|Wine 8|Wine 10|MSVC ABI|Windows)"
NO_WITNESS = "?"                                            # of a row that --update adds; the check rejects it
# Pages for maintainers, generated pages, definitions, and comparisons, whose footnotes name their sources.
OTHER_PAGES = {"api.md", "architecture.md", "engine.md", "glossary.md", "http-compared.md", "services-compared.md",
               "style.md", "testing.md", FACTS.name}
TERMS = re.compile(r"\b(?:Windows|SCM|service (?:control )?manager|Wine|LocalSystem|NT SERVICE|virtual account|"
                   r"Event Viewer|event log|ProgramData|UAC|elevat\w+|failure actions?|recovery|SIDs?|privileges?|"
                   r"registry|message box|(?:START|STOP)_PENDING|(?:PRE)?SHUTDOWN|log-off|minidumps?|PARAMCHANGE|"
                   r"shuts? down|boot|RUNNING|STOPPED|SERVICE_[A-Z_]+|CREATE_[A-Z_]+|"
                   r"(?:Create|Get|Report|Set|Start|Terminate)[A-Z]\w+|inherit\w*|Program Files|System32|"
                   r"[Mm]siexec|MSI|SmartScreen|[Aa]ntivirus|consoles?|Ctrl-C|Command Prompt|command lines|"
                   r"[Ss]essions?|(?:open|standard) handles?|handles? (?:of|to)|drives?|pipes?|DLLs?|VC\+\+|"
                   r"desktop|[Dd]ouble-click\w*|[Ff]irewalls?|reboot\w*|Defender|[Gg]roup [Pp]olic(?:y|ies)|"
                   r"Task Manager|taskbar|accounts?|ACLs?|UNC|log(?:s|ged)? o(?:n|ff)|[Ll]ogon|Explorer|PowerShell|"
                   r"suspends?|hibernat\w*|sharing violation|code pages?|kills?|"
                   r"administrators?|renamed|IDs|netsh|Hyper-V|997|10[5-7]\d|1460|1603|1722|100(?:13|48|49))\b|"
                   r"\b[A-Z]:\\|/M[DT]\b")
UNVERIFIED = re.compile(r"\bha(?:s|ve) not been (?:verified|tested|run)\b|\(not verified\)|\(not run\)")


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
    return [sentence for sentence in sentences(text) if TERMS.search(sentence) and not UNVERIFIED.search(sentence)]


def pages_of_users():
    """{page: its claims}."""
    return {page.relative_to(ROOT).as_posix(): claims(page.read_text(encoding="utf-8"))
            for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))] if page.name not in OTHER_PAGES}


def checksum(sentence):
    """8 digits, which change with each word of a sentence."""
    return hashlib.sha256(" ".join(sentence.split()).encode()).hexdigest()[:8]


def first_words(sentence, found):
    """The beginning of a sentence for a new row: at least 6 words, whole inline code, unique."""
    words = sentence.split()
    for count in range(6, len(words)):
        begin = " ".join(words[:count])
        if begin.count("`") % 2 == 0 and sum(claim.startswith(begin) for claim in found) == 1:
            return begin
    return sentence


def split_row(line):
    """(first words, checksum, witness) of a row of the last section, or None."""
    row = re.match(r"\| (.+) \| ([0-9a-f]{8}|-) \| ([^|]+) \|$", line)
    return row and row.groups()


def listed(facts):
    """{page: [(first words, checksum, witness)]} of the last section."""
    pages, rows = {}, None
    for line in facts.split(HEADING)[-1].splitlines():
        if heading := re.match(r"### (\S+)$", line):
            rows = pages.setdefault(heading[1], [])
        elif rows is not None and (row := split_row(line)):
            rows.append(row)
    return pages


def known_pages(facts):
    """The pages of the Win32 documentation that the list in docs/windows-facts.md has."""
    block = re.search(r"^The pages: (.*?)\n\n", facts, re.MULTILINE | re.DOTALL)
    return set(re.findall(r"`([\w-]+)`", block[1])) if block else set()


def unknown_pages(witness, known):
    return [page for page in re.findall(r"page ([\w-]+)", witness) if page not in known]


def faults_of_page(found, rows, known):
    """The faults in the rows of a page, for the claims that were found on it."""
    faults = [f"not in {FACTS.name}: {claim}" for claim in found
              if sum(claim.startswith(words) for words, _, _ in rows) != 1]
    for words, digits, witness in rows:
        begun = [claim for claim in found if claim.startswith(words)]
        if len(begun) != 1:
            faults.append(f"{len(begun)} sentences begin so: {words}")
        elif checksum(begun[0]) != digits:
            faults.append(f"the sentence has changed; check its witness, then run tests/claims.py --update: {begun[0]}")
        if not re.fullmatch(rf"no claim|not verified|{WITNESS}(?:, {WITNESS})*", witness):
            faults.append(f"unknown witness: {witness}")
        faults += [f"a page that {FACTS.name} does not list: {page}" for page in unknown_pages(witness, known)]
    return faults


def check(tally):
    pages, facts = pages_of_users(), FACTS.read_text(encoding="utf-8")
    rows, known = listed(facts), known_pages(facts)
    tally.check("sentences about Windows were found", sum(map(len, pages.values())) > 80, f"{pages}")
    for page, found in pages.items():
        faults = faults_of_page(found, rows.pop(page, []), known)
        tally.check(f"{page}: each sentence about Windows has a witness in docs/{FACTS.name}", not faults,
                    "\n".join(faults))
    tally.check("each page of the list is there", not rows, ", ".join(rows))
    named = set(re.findall(r"\bpage ([\w-]+)(?=[^|\n]* \|$)", facts, re.MULTILINE))
    tally.check("the pages of the Win32 documentation are those that the rows name", known and named == known,
                f"not listed: {named - known}, not named: {known - named}")
    check_planted_faults(tally)


def check_planted_faults(tally):
    planted = claims("Windows starts it twice. Text.\n\n| a | the SCM ends it |\n\nIt reads `C:\\a`.\n\n"
                     "It has not run on Windows.\n")
    tally.check("sentences, rows and inline code without a witness are found",
                len(planted) == 4 and len(faults_of_page(planted, [], set())) == 4, f"{planted}")
    tally.check("a sentence that has not been verified needs no witness",
                not claims("This has not been verified on Windows. Windows signs it (not verified)."))
    unlisted = ("A service shows nothing on the desktop.", "A double-click closes it.", "The firewall asks first.",
                "Files in use are replaced at the next reboot.", "Defender scans it.", "A group policy can prevent it.",
                "The account has no password.", "The system kills it after 30 s.")
    missed = [sentence for sentence in unlisted if not claims(sentence)]
    tally.check("sentences about Windows that do not name it are found", not missed, "\n".join(missed))
    row = ("Windows starts", checksum(planted[0]), "page known, calls")
    for name, changed, count in (("a correct row", row, 0), ("a changed sentence", (row[0], "00000000", row[2]), 1),
                                 ("a row without a witness", (*row[:2], NO_WITNESS), 1),
                                 ("a row of another sentence", ("Windows ends", *row[1:]), 2),
                                 ("an unknown page", (*row[:2], "page unknown"), 1)):
        faults = faults_of_page(planted[:1], [changed], {"known"})
        tally.check(f"{name} has {count} faults", len(faults) == count, "\n".join(faults))


def update():
    """Writes the checksums into docs/windows-facts.md, and adds the sentences that have no row."""
    facts, section = FACTS.read_text(encoding="utf-8").split(HEADING)
    lines = section.rstrip("\n").split("\n")
    for page, found in pages_of_users().items():
        if f"### {page}" not in lines:
            lines += ["", f"### {page}", "", "| begins with | checksum | witnesses |", "|---|---|---|"]
        begin = lines.index(f"### {page}") + 4
        end = next((number for number in range(begin, len(lines)) if not lines[number].startswith("|")), len(lines))
        rows = [row for line in lines[begin:end] if (row := split_row(line))]
        places = {}                                         # a new row follows the row of the sentence before it
        for words, digits, witness in rows:
            begun = [number for number, claim in enumerate(found) if claim.startswith(words)]
            places[words] = begun[0] if len(begun) == 1 else len(found)
        updated = []
        for words, digits, witness in rows:
            if places[words] < len(found):
                new_digits = checksum(found[places[words]])
                if new_digits != digits:
                    print(f"{page}, {witness}: {found[places[words]]}")
                digits = new_digits
            updated.append((places[words], words, digits, witness))
        for number, claim in enumerate(found):
            if number not in places.values():
                print(f"{page}, new: {claim}")
                updated.append((number, first_words(claim, found), checksum(claim), NO_WITNESS))
        lines[begin:end] = [f"| {words} | {digits} | {witness} |" for _, words, digits, witness in sorted(updated)]
    FACTS.write_text(facts + HEADING + "\n".join(lines) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--update", action="store_true", help="write the checksums, and add rows for new sentences")
    if parser.parse_args().update:
        return update()
    tally = Tally()
    check(tally)
    tally.finish()


if __name__ == "__main__":
    main()
