#!/usr/bin/env python3
"""winsvc as users get it: copied files, CMake, pkg-config, Meson, the folder examples/starter.

  tests/package/run.py [WAY...]

Most ways build tests/package/consumer in build/test/package/WAY and run it, with clang++: the ways differ in how the
header is found, not in how it is compiled. To compile all function bodies takes 30 s, so few ways do it: starter (CMake's
compiled form) and our_meson_with_mingw (Meson's). The others compile the consumer in the separate form, and link the
winsvc.o that several stages share (kit.winsvc_object), or build one part. The copied files with function bodies are only
parsed; the stage examples compiles them.
tests/package/msi.py compiles a Windows program with CMake and mingw g++.
Ways whose name contains "missing", "same" or "two_vendored" only configure.
"""

import concurrent.futures
import functools
import json
import os
import pathlib
import re
import shutil
import sys
import threading
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import (BUILD, CLANG, GXX, JOBS, ROOT, Tally, clang_for_mingw, fast_mingw_link, httplib_folder,  # noqa: E402
                 run, wine_prefix, winsvc_object)

CONSUMER = ROOT / "tests" / "package" / "consumer"
PACKAGE = BUILD / "test" / "package"
CROSS_FILE = ROOT / "tools" / "meson" / "mingw-w64.ini"
LIBRARY_FLAGS = f"-isystem {httplib_folder()} -isystem {BUILD / 'deps' / 'include'}"


class Broken(Exception):
    """A step that failed, with what it printed."""


def step(*command, cwd=None, timeout=400, **environment):
    if command[0] == "ninja":                               # cmake reads CMAKE_BUILD_PARALLEL_LEVEL
        command = ["ninja", "-j", JOBS, *command[1:]]
    code, output = run(command, timeout=timeout, cwd=cwd, env=dict(os.environ, CC="clang", CXX=CLANG, **environment))
    if code != 0:
        raise Broken("$ " + " ".join(map(str, command)) + f"\n{output}\nexit code {code}")
    return output


def version():
    return step(sys.executable, ROOT / "tools" / "amalgamate", "--version").strip()


def fresh(way):
    folder = PACKAGE / way
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def consumer_in(way):
    folder = fresh(way)
    for file in CONSUMER.iterdir():
        shutil.copy(file, folder)
    return folder


def source_tree(folder):
    """Copies the files of a release, without build/, where something might be found by chance."""
    folder.mkdir(parents=True)
    for name in ("include", "single_include", "adapters", "tools", "tests", "examples"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("CMakeLists.txt", "meson.build", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


def fails(*command, cwd=None, **environment):
    """Runs a command that must fail; returns its output."""
    code, output = run(command, timeout=400, cwd=cwd, env=dict(os.environ, CC="clang", CXX=CLANG, **environment))
    if code == 0:
        raise Broken("$ " + " ".join(map(str, command)) + f"\n{output}\nsucceeded, and should have failed")
    return re.sub(r"\s+", " ", output)                      # CMake breaks the lines of a message


def must_say(output, *words):
    for word in words:
        if word not in output:
            raise Broken(f"'{word}' is missing in:\n{output}")


def runs_as_consumer(program, *before, **environment):
    must_say(step(*before, program, "version", **environment), "4.5.6", version())
    must_say(step(*before, program, "routes", **environment), "/hi", "main.cpp")


def runs_as_hello(program, *before, **environment):
    must_say(step(*before, program, "version", **environment), "hello", version())


# --- the ways ---------------------------------------------------------------------------------------------------------

def copied_header():
    """Two headers and a source in one folder, one command. It is only parsed."""
    folder = fresh("copied_header")
    for file in (ROOT / "single_include" / "winsvc.hpp", httplib_folder() / "httplib.h", CONSUMER / "main.cpp"):
        shutil.copy(file, folder)
    step(CLANG, "-std=c++17", "-I.", "-fsyntax-only", "main.cpp", cwd=folder)


COMPILING_WINSVC = threading.Lock()


@functools.cache
def compiled_winsvc():
    return winsvc_object(GXX)


def winsvc_o():
    """winsvc.o; the ways that link it wait for it."""
    with COMPILING_WINSVC:
        return compiled_winsvc()


SEPARATE = "-DWINSVC_SEPARATE=1"


def copied_for_two_steps():
    """The separate form, from copied files: winsvc.cpp, which is only parsed, and the app."""
    folder = fresh("copied_for_two_steps")
    for file in (ROOT / "single_include" / "winsvc.hpp", ROOT / "single_include" / "winsvc.cpp",
                 httplib_folder() / "httplib.h", CONSUMER / "main.cpp"):
        shutil.copy(file, folder)
    step(CLANG, "-std=c++17", "-I.", "-fsyntax-only", "winsvc.cpp", cwd=folder)
    step(CLANG, "-std=c++17", "-I.", SEPARATE, "main.cpp", winsvc_o(), "-o", "consumer", "-pthread", cwd=folder)
    runs_as_consumer(folder / "consumer")


def copied_file_with_httplib():
    """One file that contains cpp-httplib: tools/amalgamate --with-httplib. Its function bodies are only parsed."""
    folder = fresh("copied_file_with_httplib")
    step(sys.executable, ROOT / "tools" / "amalgamate", "--with-httplib", httplib_folder() / "httplib.h", "--output",
         folder / "winsvc.hpp")
    shutil.copy(CONSUMER / "main.cpp", folder)
    compiler = [CLANG, "-std=c++17", "-Wall", "-Wextra", "-I.", "main.cpp"]
    step(*compiler, "-fsyntax-only", cwd=folder)
    step(*compiler, SEPARATE, winsvc_o(), "-o", "consumer", "-pthread", cwd=folder)
    runs_as_consumer(folder / "consumer")


def builds_a_part(build, consumer="CMakeFiles/consumer.dir/main.cpp.o"):
    """The build folder has a rule for each part of the compiled form and for the consumer's object. Builds the consumer's
    object and part 2, which does not include cpp-httplib."""
    known = step("ninja", "-C", build, "-t", "targets", "all")
    parts = re.findall(r"^(\S*winsvc_part_(\d)\.cpp\.o): ", known, re.MULTILINE)
    if sorted(number for _, number in parts) != list("1234567"):
        raise Broken(f"the compiled form has the parts {parts}:\n{known}")
    step("ninja", "-C", build, *(target for target, number in parts if number == "2"), consumer)


def add_subdirectory():
    """The compiled form, in the build of the consumer. starter() links it."""
    folder = consumer_in("add_subdirectory")
    step("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build", f"-DWINSVC_SOURCE={ROOT}",
         f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}")
    builds_a_part(folder / "build")
    step("ninja", "-C", folder / "build", "-n", "consumer")


def installed_by_cmake(folder, *options):
    step("cmake", "-G", "Ninja", "-S", ROOT, "-B", folder / "winsvc", "-DWINSVC_BUILD_TESTS=OFF",
         "-DWINSVC_BUILD_EXAMPLES=OFF", f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}",
         f"-DCMAKE_INSTALL_PREFIX={folder / 'installed'}", *options)
    step("cmake", "--build", folder / "winsvc")
    step("cmake", "--install", folder / "winsvc")
    return folder / "installed"


def find_package():
    """Installed with the single header, then found, in the header-only form and in the compiled form. The header-only
    program gets its function bodies from winsvc.o."""
    folder = consumer_in("find_package")
    installed = installed_by_cmake(folder, "-DWINSVC_SINGLE_HEADER=ON")
    targets = (installed / "share" / "cmake" / "winsvc" / "winsvc-targets.cmake").read_text(encoding="utf-8")
    must_say(targets, "COMPILE_LANG_AND_ID:CXX,MSVC>:/bigobj", "PLATFORM_ID:Windows>>:-Wa,-mbig-obj")
    step("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={installed}",
         f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}", "-DWINSVC_FORM=winsvc", f"-DCMAKE_CXX_FLAGS={SEPARATE}",
         f"-DCMAKE_EXE_LINKER_FLAGS={winsvc_o()}")
    step("cmake", "--build", folder / "build", "--target", "consumer")
    runs_as_consumer(folder / "build" / "consumer")
    step("cmake", folder / "build", "-DWINSVC_FORM=compiled", "-DCMAKE_CXX_FLAGS=")
    builds_a_part(folder / "build")


def built_with_pkg_config(folder, installed):
    path = str(installed / "share" / "pkgconfig")
    flags = step("pkg-config", "--cflags", "--libs", "winsvc", PKG_CONFIG_PATH=path).split()
    if step("pkg-config", "--modversion", "winsvc", PKG_CONFIG_PATH=path).strip() != version():
        raise Broken("winsvc.pc has another version")
    if not (installed / "share" / "licenses" / "winsvc" / "LICENSE").exists():
        raise Broken("LICENSE is not installed")
    for name, option in (("msvc_cflags", "/bigobj"), ("mingw_cflags", "-Wa,-mbig-obj"), ("needs", "httplib.h")):
        must_say(step("pkg-config", f"--variable={name}", "winsvc", PKG_CONFIG_PATH=path), option)
    source = step("pkg-config", "--variable=source", "winsvc", PKG_CONFIG_PATH=path).strip()
    if pathlib.Path(source).read_bytes() != (ROOT / "single_include" / "winsvc.cpp").read_bytes():
        raise Broken(f"{source} differs from single_include/winsvc.cpp")
    compiler = [CLANG, "-std=c++17", *LIBRARY_FLAGS.split()]
    step(*compiler, SEPARATE, folder / "main.cpp", winsvc_o(), "-o", folder / "consumer", *flags)
    runs_as_consumer(folder / "consumer")


def pkg_config_from_cmake():
    folder = consumer_in("pkg_config_from_cmake")
    built_with_pkg_config(folder, installed_by_cmake(folder))


def pkg_config_from_meson():
    folder = consumer_in("pkg_config_from_meson")
    step("meson", "setup", folder / "winsvc", ROOT, "--prefix", folder / "installed",
         WINSVC_HTTPLIB_DIR=str(httplib_folder()))
    step("meson", "install", "-C", folder / "winsvc", "--no-rebuild")
    built_with_pkg_config(folder, folder / "installed")


def meson_subproject():
    folder = consumer_in("meson_subproject")
    source_tree(folder / "subprojects" / "winsvc")
    step("meson", "setup", "build", f"-Dcpp_args={LIBRARY_FLAGS}", cwd=folder)
    builds_a_part(folder / "build", "consumer.p/main.cpp.o")
    step("ninja", "-C", "build", "-n", "consumer", cwd=folder)


def meson_subproject_installs_nothing():
    """`meson install` of the user's project installs only what the user's project installs."""
    folder = fresh("meson_subproject_installs_nothing")
    source_tree(folder / "subprojects" / "winsvc")
    (folder / "meson.build").write_text("project('user', 'cpp', default_options: ['cpp_std=c++17'])\n"
                                        "subproject('winsvc')\ninstall_data('meson.build', install_dir: 'share')\n")
    step("meson", "setup", "build", f"-Dcpp_args={LIBRARY_FLAGS}", cwd=folder)
    step("meson", "install", "-C", "build", "--no-rebuild", "--destdir", folder / "installed", cwd=folder)
    files = [path.name for path in (folder / "installed").rglob("*") if path.is_file()]
    if files != ["meson.build"]:
        raise Broken(f"installed: {files}")


def meson_dependency():
    """An installed winsvc.pc, found by Meson."""
    folder = fresh("meson_dependency")
    installed = installed_by_cmake(folder)
    shutil.copy(CONSUMER / "main.cpp", folder)
    (folder / "meson.build").write_text("project('user', 'cpp', default_options: ['cpp_std=c++17'])\n"
                                        f"executable('consumer', 'main.cpp', cpp_args: '{SEPARATE}', "
                                        f"link_args: '{winsvc_o()}', dependencies: dependency('winsvc'))\n")
    step("meson", "setup", "build", f"-Dcpp_args={LIBRARY_FLAGS}", cwd=folder,
         PKG_CONFIG_PATH=str(installed / "share" / "pkgconfig"))
    step("ninja", "-C", "build", cwd=folder)
    runs_as_consumer(folder / "build" / "consumer")


def fetched_httplib():
    """Without an httplib.h, CMake fetches one. The tests have no network: an option names the copy that is already here."""
    folder = fresh("fetched_httplib")
    source_tree(folder / "winsvc")
    shutil.copytree(httplib_folder(), folder / "fetched", symlinks=True)
    output = step("cmake", "-G", "Ninja", "-S", folder / "winsvc", "-B", folder / "build", "-DWINSVC_BUILD_TESTS=OFF",
                  f"-DFETCHCONTENT_SOURCE_DIR_CPP-HTTPLIB={folder / 'fetched'}", WINSVC_HTTPLIB_DIR="")
    must_say(output, "winsvc: httplib.h from ")


BOTH_WAYS = ("cannot find httplib.h", "-DWINSVC_HTTPLIB_DIR=FOLDER", "httplib::httplib")


def missing_httplib_in_cmake():
    """As the whole project, as a part of one, and installed: the message names both ways to get it."""
    folder = consumer_in("missing_httplib_in_cmake")
    source_tree(folder / "winsvc")
    whole = fails("cmake", "-G", "Ninja", "-S", folder / "winsvc", "-B", folder / "build1", "-DWINSVC_FETCH_HTTPLIB=OFF",
                  WINSVC_HTTPLIB_DIR="")
    part = fails("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build2", f"-DWINSVC_SOURCE={folder / 'winsvc'}",
                 WINSVC_HTTPLIB_DIR="")
    installed = installed_by_cmake(folder)
    found = fails("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build3", f"-DCMAKE_PREFIX_PATH={installed}",
                  WINSVC_HTTPLIB_DIR="")
    for output in (whole, part, found):
        must_say(output, *BOTH_WAYS)


def missing_httplib_in_meson():
    folder = consumer_in("missing_httplib_in_meson")
    source_tree(folder / "subprojects" / "winsvc")
    for project, name in ((folder, "build1"), (folder / "subprojects" / "winsvc", "build2")):
        output = fails("meson", "setup", folder / name, project, WINSVC_HTTPLIB_DIR="")
        must_say(output, "cannot find httplib.h", "-Dcpp_args=-I", "meson wrap install cpp-httplib")


def installed_httplib_package():
    """find_package(winsvc) finds the package httplib, and passes its definitions for TLS and zlib to the consumer."""
    folder = consumer_in("installed_httplib_package")
    installed = installed_by_cmake(folder)
    package = folder / "installed" / "lib" / "cmake" / "httplib"
    package.mkdir(parents=True)
    (package / "httplibConfig.cmake").write_text(
        "add_library(httplib::httplib INTERFACE IMPORTED)\n"
        "set_target_properties(httplib::httplib PROPERTIES\n"
        f"  INTERFACE_INCLUDE_DIRECTORIES {httplib_folder()}\n"
        '  INTERFACE_COMPILE_DEFINITIONS "CPPHTTPLIB_OPENSSL_SUPPORT;CPPHTTPLIB_ZLIB_SUPPORT")\n')
    (package / "httplibConfigVersion.cmake").write_text('set(PACKAGE_VERSION "0.53.1")\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n')
    step("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={installed}",
         "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", WINSVC_HTTPLIB_DIR="")
    commands = json.loads((folder / "build" / "compile_commands.json").read_text(encoding="utf-8"))
    for command in commands:                                # the consumer and the parts of the compiled form
        must_say(command["command"], "-DCPPHTTPLIB_OPENSSL_SUPPORT", "-DCPPHTTPLIB_ZLIB_SUPPORT", str(httplib_folder()))
    if len(commands) != 8:
        raise Broken(f"{len(commands)} files")


def two_vendored_copies():
    """Two libraries of one build, each with a copy of winsvc: the first copy serves both."""
    folder = fresh("two_vendored_copies")
    source_tree(folder / "one" / "winsvc")
    shutil.copytree(folder / "one" / "winsvc", folder / "two" / "winsvc")
    (folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\nproject(user VERSION 2.0 LANGUAGES CXX)\n"
        "add_subdirectory(one)\nadd_subdirectory(two)\n"
        "winsvc_add_service(user SOURCES main.cpp)\ntarget_link_libraries(user PRIVATE one two)\n")
    for name in ("one", "two"):
        (folder / name / "CMakeLists.txt").write_text(
            f"add_subdirectory(winsvc)\nadd_library({name} STATIC {name}.cpp)\n"
            f"target_link_libraries({name} PUBLIC winsvc::compiled)\n")
        (folder / name / f"{name}.cpp").write_text("#include <winsvc.hpp>\n")
    shutil.copy(CONSUMER / "main.cpp", folder)
    output = step("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build",
                  f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}")
    must_say(output, f"{folder / 'two' / 'winsvc'} is not used, because the build has winsvc from {folder / 'one'}")
    step("ninja", "-C", folder / "build", "-n", "user")


def same_tests_in_cmake_and_meson():
    """Both run the same tests, with the same source files."""
    folder = fresh("same_tests_in_cmake_and_meson")
    step("cmake", "-G", "Ninja", "-S", ROOT, "-B", folder / "cmake", "-DWINSVC_BUILD_EXAMPLES=OFF",
         f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}")
    step("meson", "setup", folder / "meson", ROOT, WINSVC_HTTPLIB_DIR=str(httplib_folder()))
    in_cmake = re.findall(r"Test +#\d+: (\S+)", step("ctest", "-N", "--test-dir", folder / "cmake"))
    in_meson = [line.split()[-1].split(":")[-1] for line in step("meson", "test", "--list", "-C", folder / "meson").splitlines()]
    in_meson = [name for name in in_meson if name in in_cmake or re.fullmatch(r"[\w-]+", name)]
    if sorted(in_cmake) != sorted(set(in_meson)) or not in_cmake:
        raise Broken(f"CMake: {in_cmake}, Meson: {in_meson}")
    sources = []
    for build in ("cmake", "meson"):
        files = step("ninja", "-C", folder / build, "-t", "inputs", "winsvc_units", "winsvc_http")
        sources.append(set(re.findall(r"tests/(\w+/\w+\.cpp)$", files, re.MULTILINE)))
    if sources[0] != sources[1] or not sources[0]:
        raise Broken(f"in one of them only: {sorted(sources[0] ^ sources[1])}")


def same_names_in_natvis():
    """tools/winsvc.natvis names the inline namespace of this version."""
    text = (ROOT / "tools" / "winsvc.natvis").read_text(encoding="utf-8")
    expected = "v" + "_".join(version().split(".")[:2])
    found = set(re.findall(r"winsvc::(v\d+_\d+)", text))
    if found != {expected}:
        raise Broken(f"{found}, expected {expected}")
    xml.etree.ElementTree.fromstring(text)


def vcpkg_port():
    """The commands that the helper functions of vcpkg execute for the port, and find_package from the moved folder."""
    port = ROOT / "tools" / "packaging" / "vcpkg"
    manifest = json.loads((port / "vcpkg.json").read_text(encoding="utf-8"))
    if manifest["version"] != version():
        raise Broken(f"vcpkg.json has the version {manifest['version']}")
    folder = consumer_in("vcpkg_port")
    text = (port / "portfile.cmake").read_text(encoding="utf-8")
    options = re.search(r"OPTIONS ([^)]*)\)", text).group(1).split()
    packages = folder / "packages"
    step("cmake", "-G", "Ninja", "-S", ROOT, "-B", folder / "build-port", "-DCMAKE_BUILD_TYPE=Release", *options,
         f"-DCMAKE_INSTALL_PREFIX={packages}", f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}")
    step("cmake", "--build", folder / "build-port", "--target", "install")
    config = re.search(r"CONFIG_PATH (\S+)\)", text).group(1)
    (packages / "share" / "winsvc").mkdir(parents=True, exist_ok=True)
    for file in (packages / config).iterdir():              # vcpkg_cmake_config_fixup moves the files and their prefix
        shutil.move(file, packages / "share" / "winsvc" / file.name)
    targets = packages / "share" / "winsvc" / "winsvc-targets.cmake"
    up = 'get_filename_component(_IMPORT_PREFIX "${_IMPORT_PREFIX}" PATH)\n'
    targets.write_text(targets.read_text().replace(up * 3, up * 2))
    config = packages / "share" / "winsvc" / "winsvc-config.cmake"
    config.write_text(config.read_text().replace("/../../../", "/../../"))
    step("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build", f"-Dwinsvc_DIR={packages / 'share' / 'winsvc'}",
         f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}", "-DWINSVC_FORM=winsvc")
    step("ninja", "-C", folder / "build", "-n", "consumer")
    commands = step("ninja", "-C", folder / "build", "-t", "commands", "consumer")
    must_say(commands, str(packages / "include"))


def conan_recipe():
    """Conan is not in Debian: without it, the recipe is only compiled as Python."""
    recipe = ROOT / "tools" / "packaging" / "conan" / "conanfile.py"
    for path in (recipe, recipe.parent / "test_package" / "conanfile.py"):
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
    conan = os.environ.get("CONAN") or shutil.which("conan")
    if conan:
        home = str(fresh("conan_recipe"))
        must_say(step(conan, "inspect", recipe, CONAN_HOME=home), "winsvc", version())
        must_say(step(conan, "export", recipe, CONAN_HOME=home), f"winsvc/{version()}")


def presets():
    """CMakePresets.json of winsvc and of examples/starter can be read, and each preset has its build and its tests."""
    for folder in (ROOT, ROOT / "examples" / "starter"):
        step("cmake", "--list-presets=all", cwd=folder)
        text = json.loads((folder / "CMakePresets.json").read_text(encoding="utf-8"))
        names = [[p["name"] for p in text[key] if not p.get("hidden")]
                 for key in ("configurePresets", "buildPresets", "testPresets")]
        if not names[0] or names[0] != names[1] or names[0] != names[2]:
            raise Broken(f"{folder}: {names}")


def starter():
    """A copy of examples/starter outside the tree: it fetches winsvc from a local folder, builds, tests, and serves."""
    folder = fresh("starter")
    shutil.copytree(ROOT / "examples" / "starter", folder / "copy")
    source_tree(folder / "winsvc")
    step("cmake", "-G", "Ninja", "-S", folder / "copy", "-B", folder / "build",
         f"-DFETCHCONTENT_SOURCE_DIR_WINSVC={folder / 'winsvc'}", f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}")
    step("cmake", "--build", folder / "build")
    step("ctest", "--test-dir", folder / "build", "--output-on-failure")
    must_say(step(folder / "build" / "greeter", "version"), "greeter 1.0.0,", version())
    step(sys.executable, ROOT / "tests" / "package" / "haproxy.py", folder / "build" / "greeter")
    with_symbols = [CLANG, "-std=c++17", "-g", "-fstandalone-debug", SEPARATE, f"-I{ROOT / 'include'}",
                    *LIBRARY_FLAGS.split(), "greeter.cpp", "main.cpp"]
    step(*with_symbols, *folder.glob("build/**/libwinsvc_compiled.a"), "-o", "debugged", "-pthread", cwd=folder / "copy")
    step(sys.executable, ROOT / "tests" / "package" / "debugger.py", folder / "copy" / "debugged")


def our_meson_with_mingw():
    """The cross file, with another compiler: clang++ and lld take a third of the time of mingw g++."""
    folder = fresh("our_meson_with_mingw")
    before, after = fast_mingw_link()
    compiler = [*clang_for_mingw(), *before[2:]]
    (folder / "clang.ini").write_text(f"[binaries]\ncpp = {compiler}\n[built-in options]\ncpp_link_args = {after}\n")
    step("meson", "setup", folder / "build", ROOT, "--cross-file", CROSS_FILE, "--cross-file", folder / "clang.ini",
         "--buildtype=debug", WINSVC_HTTPLIB_DIR=str(httplib_folder()))
    folder /= "build"
    step("ninja", "-C", folder, "hello.exe")
    with wine_prefix("package_meson") as environment:
        runs_as_hello(folder / "hello.exe", "wine", **environment)


def meson_resources():
    """The block of docs/shipping.md with MinGW: the resources that Meson compiles have version, icon and manifest.

    They are linked to an empty program, because the program of the block takes minutes to compile.
    """
    folder = fresh("meson_resources")
    source_tree(folder / "subprojects" / "winsvc")
    page = (ROOT / "docs" / "shipping.md").read_text(encoding="utf-8")
    project = "project('user', 'cpp', version: '4.5.6', default_options: ['cpp_std=c++17'])\n"
    (folder / "meson.build").write_text(project + re.search(r"```meson\n(.*?)```", page, re.DOTALL).group(1))
    shutil.copy(CONSUMER / "main.cpp", folder)
    shutil.copy(ROOT / "examples" / "starter" / "greeter.ico", folder)
    step("meson", "setup", folder / "build", folder, "--cross-file", CROSS_FILE, f"-Dcpp_args={LIBRARY_FLAGS}")
    known = step("ninja", "-C", folder / "build", "-t", "targets", "all")
    (target,) = set(re.findall(r"^(\S*greeter\S*\.o): CUSTOM_COMMAND", known, re.MULTILINE))
    step("ninja", "-C", folder / "build", target)
    (folder / "empty.c").write_text("int main(void) { return 0; }\n")
    step("x86_64-w64-mingw32-gcc-posix", folder / "empty.c", folder / "build" / target, "-o", folder / "empty.exe")
    listed = step("wrestool", "-l", folder / "empty.exe")
    must_say(listed, "--type=14 ", "--type=16 ", "--type=24 ")    # icon, version, manifest
    version_resource = run(["wrestool", "-x", "--raw", "-t16", folder / "empty.exe"])[1].replace("\0", "")
    must_say(version_resource, "4.5.6", "Example", "greeter")
    must_say(run(["wrestool", "-x", "--raw", "-t24", folder / "empty.exe"])[1], "longPathAware", "UTF-8")


WAYS = (copied_header, copied_for_two_steps, copied_file_with_httplib, add_subdirectory, find_package,
        installed_httplib_package, pkg_config_from_cmake, pkg_config_from_meson, meson_subproject,
        meson_subproject_installs_nothing, meson_dependency, fetched_httplib, missing_httplib_in_cmake,
        missing_httplib_in_meson, two_vendored_copies, same_tests_in_cmake_and_meson, same_names_in_natvis, presets,
        vcpkg_port, conan_recipe,
        starter, meson_resources, our_meson_with_mingw)


def attempt(way):
    try:
        way()
        return ""
    except Exception as broken:
        return str(broken) or repr(broken)


def main():
    tally = Tally()
    wanted = [way for way in WAYS if len(sys.argv) == 1 or way.__name__ in sys.argv[1:]]
    with concurrent.futures.ThreadPoolExecutor(max_workers=int(JOBS)) as pool:
        for way, wrong in zip(wanted, pool.map(attempt, wanted)):
            tally.check(way.__name__.replace("_", " "), not wrong, wrong)
    tally.finish()


if __name__ == "__main__":
    main()
