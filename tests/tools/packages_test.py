#!/usr/bin/env python3
"""Tests of tools/service/make_packages.cmake with a command that signs. A script takes the place of WiX; the stage
package makes real packages.

  python3 tests/tools/packages_test.py
"""

import hashlib
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PASSWORD = "open-sesame"
PROJECT = f"""cmake_minimum_required(VERSION 3.18)
project(greeter LANGUAGES NONE)
include("{ROOT}/tools/cmake/winsvc-add-service.cmake")
add_executable(greeter IMPORTED)
set_target_properties(greeter PROPERTIES IMPORTED_LOCATION "${{CMAKE_SOURCE_DIR}}/greeter.exe")
function(package target)
  set(arg_VERSION 1.0.0)
  foreach(field COMPANY DESCRIPTION PRODUCT)
    set(arg_${{field}} ${{target}})
  endforeach()
  set(service_folder "{ROOT}/tools/service")
  set(folder "${{CMAKE_BINARY_DIR}}/winsvc-${{target}}")
  winsvc_add_packages(${{target}})
endfunction()
package(greeter)
"""
WIX = '#!/bin/sh\nif [ "$1" = build ]; then cp package.wxs "$5"; fi\n'
# Signs each file whose suffix is not in the file `refused`.
SIGN = f"""#!/bin/sh
[ "$1 $2" = "--password {PASSWORD}" ] || exit 9
if grep -q "${{3##*.}}" "$(dirname "$0")/refused"; then echo "the token is locked"; exit 7; fi
echo signed >>"$3"
"""


@unittest.skipIf(os.name == "nt", "the scripts are for sh")
class Packages(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name, text in (("CMakeLists.txt", PROJECT), ("greeter.exe", "program"), ("wix.sh", WIX), ("sign.sh", SIGN),
                           ("refused", "")):
            (self.folder / name).write_text(text, encoding="utf-8")
            (self.folder / name).chmod(0o755)
        code, output = self.run_cmake("-G", "Ninja", "-S", self.folder, "-B", self.folder / "build",
                                      f"-DWINSVC_WIX={self.folder}/wix.sh",
                                      f"-DWINSVC_SIGN={self.folder}/sign.sh;--password;{PASSWORD}")
        self.assertEqual(code, 0, output)
        self.msi = self.folder / "build" / "packages" / "greeter-1.0.0-x64.msi"
        self.manifest = self.msi.parent / "winget-greeter-1.0.0" / "greeter.greeter.installer.yaml"

    def run_cmake(self, *arguments):
        result = subprocess.run(["cmake", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return result.returncode, result.stdout

    def make(self):
        return self.run_cmake("--build", self.folder / "build", "--target", "greeter_package")

    def test_the_winget_manifest_has_the_checksum_of_the_signed_msi(self):
        code, output = self.make()
        self.assertEqual(code, 0, output)
        self.assertTrue(self.msi.read_text(encoding="utf-8").endswith("signed\n"))
        digest = hashlib.sha256(self.msi.read_bytes()).hexdigest().upper()
        self.assertIn(f"InstallerSha256: {digest}\n", self.manifest.read_text(encoding="utf-8"))

    def test_after_a_failed_signature_no_msi_and_no_checksum_remain(self):
        self.assertEqual(self.make()[0], 0)
        self.assertTrue(self.manifest.exists())
        (self.folder / "refused").write_text("msi", encoding="utf-8")
        code, output = self.make()
        self.assertNotEqual(code, 0, output)
        self.assertFalse(self.msi.exists())
        self.assertFalse(self.manifest.exists())

    def test_the_message_of_a_failed_signature_has_the_reason_and_no_password(self):
        for suffix in ("exe", "msi"):
            (self.folder / "refused").write_text(suffix, encoding="utf-8")
            code, output = self.make()
            self.assertNotEqual(code, 0, output)
            self.assertIn("sign.sh' failed (7):", " ".join(output.split()))
            self.assertIn("the token is locked", output)
            self.assertNotIn(PASSWORD, output)


if __name__ == "__main__":
    unittest.main()
