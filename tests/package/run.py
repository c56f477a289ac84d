#!/usr/bin/env python3
"""winsvc as people get hold of it: a copied header, CMake both ways, pkg-config, a Meson subproject, our own build.

  tests/package/run.py [WAY...]

Every way builds tests/package/consumer (our own build: examples/hello.cpp) in build/test/package/WAY and runs it. The
Windows program of CMake is compiled by mingw g++, all others by clang++ in half the time: the ways differ in how the
header is found, not in how it is compiled. The examples build programs with g++ by one command.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import (BUILD, CLANG, JOBS, ROOT, Tally, clang_for_mingw, fast_mingw_link, httplib_folder,  # noqa: E402
                 run, wine_prefix)

CONSUMER = ROOT / "tests" / "package" / "consumer"
PACKAGE = BUILD / "test" / "package"
TOOLCHAIN = ROOT / "tools" / "cmake" / "mingw-w64.cmake"
CROSS_FILE = ROOT / "tools" / "meson" / "mingw-w64.ini"
LIBRARY_FLAGS = f"-isystem {httplib_folder()} -isystem {BUILD / 'deps' / 'include'}"


class Broken(Exception):
    """A step that failed, with what it printed."""


def step(*command, cwd=None, timeout=400, **environment):
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
    for name in ("include", "single_include", "tools", "tests", "examples"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("CMakeLists.txt", "meson.build", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


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
    """Two headers and a source in one folder, one command."""
    folder = fresh("copied_header")
    for file in (ROOT / "single_include" / "winsvc.hpp", httplib_folder() / "httplib.h", CONSUMER / "main.cpp"):
        shutil.copy(file, folder)
    step(CLANG, "-std=c++17", "-I.", "main.cpp", "-o", "consumer", "-pthread", cwd=folder)
    runs_as_consumer(folder / "consumer")


def add_subdirectory():
    """The compiled form, in the build of the consumer."""
    folder = consumer_in("add_subdirectory")
    step("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build", f"-DWINSVC_SOURCE={ROOT}",
         f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}")
    step("cmake", "--build", folder / "build")
    runs_as_consumer(folder / "build" / "consumer")


def installed_by_cmake(folder, *options):
    step("cmake", "-G", "Ninja", "-S", ROOT, "-B", folder / "winsvc", "-DWINSVC_BUILD_TESTS=OFF",
         "-DWINSVC_BUILD_EXAMPLES=OFF", f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}",
         f"-DCMAKE_INSTALL_PREFIX={folder / 'installed'}", *options)
    step("cmake", "--build", folder / "winsvc")
    step("cmake", "--install", folder / "winsvc")
    return folder / "installed"


def find_package():
    """Installed with the single header, then found. The consumer is header-only and runs, which takes a third of the time
    of the compiled form. That form, which add_subdirectory() links, compiles one of its parts and has all others.
    """
    folder = consumer_in("find_package")
    installed = installed_by_cmake(folder, "-DWINSVC_SINGLE_HEADER=ON")
    targets = (installed / "share" / "cmake" / "winsvc" / "winsvc-targets.cmake").read_text(encoding="utf-8")
    must_say(targets, "COMPILE_LANG_AND_ID:CXX,MSVC>:/bigobj", "PLATFORM_ID:Windows>>:-Wa,-mbig-obj")
    step("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={installed}",
         f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}", "-DWINSVC_FORM=winsvc")
    step("cmake", "--build", folder / "build", "--target", "consumer")
    runs_as_consumer(folder / "build" / "consumer")
    step("cmake", folder / "build", "-DWINSVC_FORM=compiled")
    known = step("ninja", "-C", folder / "build", "-t", "targets", "all")
    parts = re.findall(r"^(\S*/winsvc_part_(\d)\.cpp\.o): CXX_COMPILER", known, re.MULTILINE)
    if [number for _, number in sorted(parts, key=lambda part: part[1])] != list("1234567"):
        raise Broken(f"winsvc::compiled has the parts {parts}:\n{known}")
    step("ninja", "-C", folder / "build", *(target for target, number in parts if number == "2"),
         "CMakeFiles/consumer.dir/main.cpp.o")


def built_with_pkg_config(folder, installed, separate=False):
    path = str(installed / "share" / "pkgconfig")
    flags = step("pkg-config", "--cflags", "--libs", "winsvc", PKG_CONFIG_PATH=path).split()
    if step("pkg-config", "--modversion", "winsvc", PKG_CONFIG_PATH=path).strip() != version():
        raise Broken("winsvc.pc has another version")
    for name, option in (("msvc_cflags", "/bigobj"), ("mingw_cflags", "-Wa,-mbig-obj")):
        must_say(step("pkg-config", f"--variable={name}", "winsvc", PKG_CONFIG_PATH=path), option)
    if separate:
        source = step("pkg-config", "--variable=source", "winsvc", PKG_CONFIG_PATH=path).strip()
        sources = ["-DWINSVC_SEPARATE=1", folder / "main.cpp", source]
    else:
        sources = [folder / "main.cpp"]
    step(CLANG, "-std=c++17", *sources, "-o", folder / "consumer", *LIBRARY_FLAGS.split(), *flags)
    runs_as_consumer(folder / "consumer")


def pkg_config_from_cmake():
    folder = consumer_in("pkg_config_from_cmake")
    built_with_pkg_config(folder, installed_by_cmake(folder))


def pkg_config_from_meson():
    folder = consumer_in("pkg_config_from_meson")
    step("meson", "setup", folder / "winsvc", ROOT, "--prefix", folder / "installed",
         WINSVC_HTTPLIB_DIR=str(httplib_folder()))
    step("meson", "install", "-C", folder / "winsvc", "--no-rebuild")
    built_with_pkg_config(folder, folder / "installed", separate=True)


def meson_subproject():
    folder = consumer_in("meson_subproject")
    source_tree(folder / "subprojects" / "winsvc")
    step("meson", "setup", "build", f"-Dcpp_args={LIBRARY_FLAGS}", cwd=folder)
    step("ninja", "-C", "build", cwd=folder)
    runs_as_consumer(folder / "build" / "consumer")


def fetch_content():
    """Without an httplib.h, CMake fetches one. The tests have no network: an option names the copy that is already here."""
    folder = fresh("fetch_content")
    source_tree(folder / "winsvc")
    shutil.copytree(httplib_folder(), folder / "fetched", symlinks=True)
    output = step("cmake", "-G", "Ninja", "-S", folder / "winsvc", "-B", folder / "build", "-DWINSVC_BUILD_TESTS=OFF",
                  f"-DFETCHCONTENT_SOURCE_DIR_CPP-HTTPLIB={folder / 'fetched'}", WINSVC_HTTPLIB_DIR="")
    must_say(output, "winsvc: httplib.h from ")


def our_cmake_with_mingw():
    """The toolchain file: Windows programs, Wine as their emulator."""
    folder = fresh("our_cmake_with_mingw")
    step("cmake", "-G", "Ninja", "-S", ROOT, "-B", folder, f"-DCMAKE_TOOLCHAIN_FILE={TOOLCHAIN}",
         "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O1",   # GNU ld is slow without -O
         f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}")
    step("ninja", "-C", folder, "hello")
    with wine_prefix("package_cmake") as environment:
        runs_as_hello(folder / "hello.exe", "wine", **environment)


def our_meson_with_mingw():
    """The cross file, with another compiler: clang++ and lld take a third of the time, and mingw g++ has the way before."""
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


WAYS = (copied_header, add_subdirectory, find_package, pkg_config_from_cmake, pkg_config_from_meson, meson_subproject,
        fetch_content, our_cmake_with_mingw, our_meson_with_mingw)


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
