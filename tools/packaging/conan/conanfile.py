"""Recipe of winsvc for Conan 2. It installs the CMake package of the source tree that contains it.

  conan create tools/packaging/conan

README.md in the parent folder lists the commands that have been run. If CONAN names the program, the stage `package`
inspects and exports the recipe.
"""

import pathlib
import re

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy


class Winsvc(ConanFile):
    name = "winsvc"
    license = "MIT"
    description = "Turns HTTP routes into a Windows service"
    topics = ("windows", "service", "http", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    no_copy_source = True

    def _tree(self):
        return pathlib.Path(self.recipe_folder).resolve().parents[2]

    def set_version(self):
        text = (self._tree() / "include/winsvc/config/version.hpp").read_text(encoding="utf-8")
        self.version = re.search(r'WINSVC_VERSION_STRING "([\d.]+)"', text).group(1)

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "include/*", "single_include/*", "adapters/*", "tools/cmake/*",
                        "tools/service/*", "tools/winsvc.natvis"):
            copy(self, pattern, str(self._tree()), self.export_sources_folder)

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        self.requires("cpp-httplib/[>=0.41 <1]", transitive_headers=True)

    def package_id(self):
        self.info.clear()                                 # only headers: one package for all settings

    def generate(self):
        toolchain = CMakeToolchain(self)
        for option in ("WINSVC_BUILD_TESTS", "WINSVC_BUILD_EXAMPLES", "WINSVC_FETCH_HTTPLIB"):
            toolchain.variables[option] = False
        folders = self.dependencies["cpp-httplib"].cpp_info.aggregated_components().includedirs
        toolchain.variables["WINSVC_HTTPLIB_DIR"] = pathlib.Path(folders[0]).as_posix()
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, str(pathlib.Path(self.package_folder) / "licenses"))

    def package_info(self):
        # The installed CMake package has winsvc::compiled and winsvc_add_service, which Conan cannot describe.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = ["share/cmake/winsvc"]
        self.cpp_info.bindirs, self.cpp_info.libdirs = [], []
        self.cpp_info.system_libs = ["ws2_32", "advapi32"] if self.settings.os == "Windows" else ["pthread"]
