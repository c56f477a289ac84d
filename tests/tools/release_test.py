#!/usr/bin/env python3
"""Tests of tools/release: the files of a release.

  python3 tests/tools/release_test.py
"""

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = {"winsvc.hpp", "winsvc.cpp", "testing.hpp", "include.zip", "NOTES.md", "SHA256SUMS"}


def release(folder, **environment):
    return subprocess.run([sys.executable, ROOT / "tools" / "release", folder], capture_output=True, text=True,
                          env=dict(os.environ, **environment))


class Release(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_two_runs_write_the_same_bytes(self):
        for name, zone in (("one", "UTC"), ("two", "Asia/Tokyo")):
            result = release(self.folder / name, TZ=zone, LC_ALL="C")
            self.assertEqual(result.returncode, 0, result.stderr)
        one, two = ({path.name: path.read_bytes() for path in (self.folder / name).iterdir()} for name in ("one", "two"))
        self.assertEqual(set(one), FILES)
        self.assertEqual(one, two)

    def test_the_checksums_are_those_of_the_files(self):
        release(self.folder / "one")
        for line in (self.folder / "one" / "SHA256SUMS").read_text().splitlines():
            digest, name = line.split("  ")
            self.assertEqual(hashlib.sha256((self.folder / "one" / name).read_bytes()).hexdigest(), digest, name)

    def test_the_archive_has_each_header_and_the_license(self):
        release(self.folder / "one")
        with zipfile.ZipFile(self.folder / "one" / "include.zip") as archive:
            names = archive.namelist()
        headers = {path.relative_to(ROOT).as_posix() for path in (ROOT / "include").rglob("*.hpp")}
        self.assertEqual(set(names), headers | {"LICENSE"})

    def test_the_notes_are_the_newest_section_of_the_changelog(self):
        release(self.folder / "one")
        notes = (self.folder / "one" / "NOTES.md").read_text(encoding="utf-8")
        self.assertTrue(notes.startswith("# winsvc "))
        self.assertNotIn("\n## ", notes)
        self.assertIn(notes.split("\n\n", 1)[1].strip(), (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))

    def test_a_folder_with_files_is_rejected(self):
        (self.folder / "old.txt").write_text("old")
        result = release(self.folder)
        self.assertEqual(result.returncode, 1)
        self.assertIn("is not empty", result.stderr)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["old.txt"])


if __name__ == "__main__":
    unittest.main()
