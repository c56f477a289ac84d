"""Functions that the ways of tests/package/run.py share: folders, commands, and what a program must print."""

import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import BUILD, CLANG, GXX, JOBS, ROOT, httplib_folder, run, winsvc_object  # noqa: E402

CONSUMER = ROOT / "tests" / "package" / "consumer"
PACKAGE = BUILD / "test" / "package"
CROSS_FILE = ROOT / "tools" / "meson" / "mingw-w64.ini"
SHARED_OBJECTS, SHARED_COMPILER = PACKAGE / "objects", CONSUMER.parent / "shared_compiler.py"
LIBRARY_FLAGS = f"-isystem {httplib_folder()} -isystem {BUILD / 'deps' / 'include'}"
SEPARATE = "-DWINSVC_SEPARATE=1"


class Broken(Exception):
    """A step that failed, with what it printed."""


def build_environment(program, changes):
    """clang++ for CMake and Meson, with the options that Meson adds, so that both compile the same text."""
    compiler = f"{SHARED_COMPILER} {CLANG}" if program == "meson" else CLANG
    return {**os.environ, "CC": "clang", "CXX": compiler, "CXXFLAGS": "-pthread -D_FILE_OFFSET_BITS=64",
            "CMAKE_CXX_COMPILER_LAUNCHER": str(SHARED_COMPILER), "WINSVC_SHARED_OBJECTS": str(SHARED_OBJECTS),
            **changes}


def step(*command, cwd=None, timeout=400, **environment):
    if command[0] == "ninja":                               # cmake reads CMAKE_BUILD_PARALLEL_LEVEL
        command = ["ninja", "-j", JOBS, *command[1:]]
    code, output = run(command, timeout=timeout, cwd=cwd, env=build_environment(command[0], environment))
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
    code, output = run(command, timeout=400, cwd=cwd, env=build_environment(command[0], environment))
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


def installed_by_cmake(folder, *options):
    step("cmake", "-G", "Ninja", "-S", ROOT, "-B", folder / "winsvc", "-DWINSVC_BUILD_TESTS=OFF",
         "-DWINSVC_BUILD_EXAMPLES=OFF", f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}",
         f"-DCMAKE_INSTALL_PREFIX={folder / 'installed'}", *options)
    step("cmake", "--build", folder / "winsvc")
    step("cmake", "--install", folder / "winsvc")
    return folder / "installed"


COMPILING_WINSVC = threading.Lock()


@functools.cache
def compiled_winsvc():
    return winsvc_object(GXX)


def winsvc_o():
    """winsvc.o; the ways that link it wait for it."""
    with COMPILING_WINSVC:
        return compiled_winsvc()


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


def has_resources(program, *texts):
    must_say(step("wrestool", "-l", program), "--type=14 ", "--type=16 ", "--type=24 ")    # icon, version, manifest
    version_resource = subprocess.run(["wrestool", "-x", "--raw", "-t16", program], capture_output=True).stdout
    must_say(version_resource.decode("utf-16-le", "replace"), *texts)
    must_say(run(["wrestool", "-x", "--raw", "-t24", program])[1], "longPathAware", "UTF-8")
