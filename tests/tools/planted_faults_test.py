#!/usr/bin/env python3
"""The headers contain each text that a planted fault replaces. The programs that plant them are not in the suite."""

import pathlib
import shutil
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "mutate"), str(TESTS / "scm")]
import planted_faults  # noqa: E402
import simulation_faults  # noqa: E402


class PlantedFaults(unittest.TestCase):
    def test_faults_for_prove(self):
        self.assertIn("is_planted", planted_faults.planted_header())

    def test_faults_for_the_simulation(self):
        with tempfile.TemporaryDirectory() as folder:
            for description, replacements in simulation_faults.FAULTS.values():
                tree = pathlib.Path(folder) / "include"
                shutil.copytree(TESTS.parent / "include", tree)
                simulation_faults.plant(tree, replacements)
                shutil.rmtree(tree)


if __name__ == "__main__":
    unittest.main()
