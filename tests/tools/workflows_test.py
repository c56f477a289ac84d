#!/usr/bin/env python3
"""Tests of the workflows of GitHub, which cannot run here: that they can be read, and that what they name exists.

  python3 tests/tools/workflows_test.py
"""

import json
import pathlib
import re
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
STARTER = ROOT / "examples" / "starter"
WORKFLOWS = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), *sorted(STARTER.glob(".github/workflows/*.yml"))]
HOSTS = {"raw.githubusercontent.com", "127.0.0.1:5080"}
# Programs of the systems and of the compilers, and the programs that an earlier line makes.
PROGRAMS = {"apt-get", "cl", "clang-cl", "cmake", "ctest", "curl", "dotnet", "exit", "g++", "hello.exe", "hello2.exe",
            "mkdir"}
FOLDERS = ("single_include", "include", "adapters", "examples", "tests", "tools", "docs")


def jobs():
    """(the folder that the workflow is for, workflow, job) of each job."""
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        for job in workflow["jobs"].values():
            yield (STARTER if STARTER in path.parents else ROOT), workflow, job


def commands():
    """(folder, workflow, job, step, line) of each line of a step that is not in PowerShell, once for each row of the
    matrix, with the values of the row."""
    for folder, workflow, job in jobs():
        for row in rows_of(job):
            for step in job["steps"]:
                if "run" in step and step.get("shell") != "pwsh":
                    for line in step["run"].strip().split("\n"):
                        yield folder, workflow, job, step, filled(line, row)


def rows_of(job):
    matrix = job.get("strategy", {}).get("matrix", {})
    if "include" in matrix:
        return matrix["include"]
    return [{name: value} for name, values in matrix.items() for value in values] or [{}]


def filled(text, row):
    return re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda found: str(row[found.group(1)]), text)


def words_of(line):
    return line.replace("\\", "/").split()


class Workflows(unittest.TestCase):
    def test_there_are_workflows_for_windows_linux_and_users(self):
        self.assertEqual([path.name for path in WORKFLOWS], ["linux.yml", "windows.yml", "build.yml"])

    def test_each_job_has_a_system_and_steps(self):
        for _, workflow, job in jobs():
            self.assertRegex(filled(job["runs-on"], rows_of(job)[0]), r"^(windows-(2022|2025|11-arm)|ubuntu-24\.04)$")
            self.assertEqual(workflow["permissions"], {"contents": "read"})
            for step in job["steps"]:
                self.assertEqual(len({"run", "uses"} & set(step)), 1, step)

    def test_each_action_is_pinned_to_a_commit_and_names_its_version(self):
        for path in WORKFLOWS:
            for line in path.read_text(encoding="utf-8").split("\n"):
                if "uses:" in line:
                    self.assertRegex(line, r"uses: [\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+$", path)

    def test_each_expression_has_a_value(self):
        for _, _, job in jobs():
            for row in rows_of(job):
                for name in re.findall(r"matrix\.(\w+)", yaml.safe_dump(job)):
                    self.assertIn(name, row)

    def test_each_host_is_known(self):
        for path in [*WORKFLOWS, *(ROOT / ".github").rglob("*.yml")]:
            for host in re.findall(r"https?://([^/\s\"')]+)", path.read_text(encoding="utf-8")):
                self.assertIn(host, HOSTS | {"github.com"}, path)

    def test_each_command_is_known_or_a_program_of_the_repository(self):
        for folder, _, _, step, line in commands():
            for command in re.split(r"\|\||&&|\bdo\b", line):
                words = words_of(command)
                is_command = words and words[0] != "for" and "=" not in words[0] and not words[0].startswith("/")
                if is_command and words[0] not in PROGRAMS:
                    self.assertTrue((folder / words[0]).is_file(), f"{words[0]} in {step}")

    def test_each_named_file_exists(self):
        checked = 0
        for folder, _, _, _, line in commands():
            for word in words_of(line):
                word = word.removeprefix("-I").removesuffix("/httplib.h")
                if word.split("/")[0] in FOLDERS and not word.endswith(("/msi", ".obj")):
                    self.assertTrue((folder / word).exists(), line)
                    checked += 1
        self.assertGreater(checked, 20)

    def test_each_preset_target_and_option_of_cmake_exists(self):
        names, ours = {}, "winsvc_add_service(all"
        for folder in (ROOT, STARTER):
            presets = json.loads((folder / "CMakePresets.json").read_text(encoding="utf-8"))
            names[folder] = {preset["name"] for preset in presets["configurePresets"]}
            ours += (folder / "CMakeLists.txt").read_text(encoding="utf-8")
        for folder, _, _, _, line in commands():
            for name in re.findall(r"(?:cmake|ctest) (?:--build )?--preset (\S+)", line):
                self.assertIn(name, names[folder], line)
            for target in re.findall(r"--target ([\w ]+)", line):
                for name in target.split():
                    self.assertIn(f"winsvc_add_service({name.removesuffix('_package')}", ours)
            for option in re.findall(r"-D(\w+)=", line):
                fetched = re.fullmatch(r"FETCHCONTENT_SOURCE_DIR_(\w+)", option)
                known = f"FetchContent_Declare({fetched.group(1).lower()}" in ours if fetched else (
                    option in ours or option.startswith("CMAKE_"))
                self.assertTrue(known, line)

    def test_each_verb_and_option_of_hello_exists(self):
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        verbs = re.findall(r"^  (\w+)   +\S", readme, re.MULTILINE)
        self.assertIn("prove", verbs)
        ran = set()
        for _, _, _, _, line in commands():
            for verb, options in re.findall(r"hello2?\.exe (\w+)(.*)", line):
                ran.add(verb)
                self.assertIn(verb, verbs)
                self.assertIn(options.split(" ")[1] if options else "", ("", "--report"))
        self.assertEqual(ran, {"prove", "version"})

    def test_the_compile_lines_of_readme_are_run(self):
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        lines = [words_of(line) for *_, line in commands()] + [
            words_of(filled(re.sub(r"\s*\n\s*", " ", step["run"]), row)) for _, _, job in jobs() for row in rows_of(job)
            for step in job["steps"] if "run" in step]
        with_cl = re.search(r"`(cl /std:[^`]*)`", readme).group(1)
        wanted = {word for word in words_of(with_cl) if word not in ("/I.", "hello.cpp")}
        self.assertTrue(any(wanted <= set(line) for line in lines), wanted)
        with_mingw = re.search(r"^x86_64-w64-mingw32-g\+\+-posix (.*)$", readme, re.MULTILINE).group(1)
        wanted = {word for word in words_of(with_mingw) if not word.startswith("-Ibuild")}
        self.assertTrue(any(wanted <= set(line) for line in lines), wanted)
        self.assertTrue(any({"/DWINSVC_SEPARATE=1", "winsvc.obj"} <= set(line) for line in lines))

    def test_httplib_has_the_version_that_cmake_fetches(self):
        version = re.search(r"GIT_TAG \w+  # (\S+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")).group(1)
        (windows,) = [workflow for _, workflow, _ in jobs() if "env" in workflow][:1]
        self.assertEqual(windows["env"], {"HTTPLIB": version})

    def test_linux_runs_the_ci_script_and_keeps_the_logs(self):
        (job,) = yaml.safe_load(WORKFLOWS[0].read_text(encoding="utf-8"))["jobs"].values()
        self.assertIn(".ci/run", [step.get("run") for step in job["steps"]])
        self.assertEqual(job["strategy"]["matrix"], {"debian": ["bookworm", "trixie"]})
        self.assertIn("build/log", [step.get("with", {}).get("path") for step in job["steps"]])

    def test_each_report_of_prove_is_kept(self):
        for _, _, job in jobs():
            text = yaml.safe_dump(job["steps"])
            if "--report" in text:
                kept = [step["with"]["path"] for step in job["steps"] if "with" in step and "path" in step["with"]]
                self.assertIn("prove-*.html", kept)
                self.assertTrue(all(name.startswith("prove-") for name in re.findall(r"--report (\S+)", text)))

    def test_wix_has_a_version_that_needs_no_accepted_license(self):
        for path in [*WORKFLOWS, ROOT / "docs" / "shipping.md", ROOT / "tools" / "service" / "make_packages.cmake"]:
            for line in re.findall(r"dotnet tool install.*", path.read_text(encoding="utf-8")):
                self.assertIn("wix --version 5.0.2", line, path)


if __name__ == "__main__":
    unittest.main()
