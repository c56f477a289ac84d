"""winsvc as users get it: copied files, CMake, pkg-config of an installation by CMake."""

import json
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import CLANG, GXX, ROOT, httplib_folder  # noqa: E402
from steps import (CONSUMER, LIBRARY_FLAGS, SEPARATE, Broken, built_with_pkg_config, consumer_in,  # noqa: E402
                   fails, fresh, installed_by_cmake, must_say, runs_as_consumer, source_tree, step, winsvc_o)


def copied_files():
    """Two headers, winsvc.cpp and a source in one folder. The separate form compiles and runs. The copies that take half a
    minute to compile must be the text that other stages compile, after the preprocessor: winsvc.cpp that of winsvc.o, and
    the header-only form that of examples/hello.cpp."""
    folder = fresh("copied_files")
    for file in (ROOT / "single_include" / "winsvc.hpp", ROOT / "single_include" / "winsvc.cpp",
                 httplib_folder() / "httplib.h", CONSUMER / "main.cpp", ROOT / "examples" / "hello.cpp"):
        shutil.copy(file, folder)
    preprocess = [GXX, "-std=c++17", "-DNDEBUG", "-E", "-P"]    # assert contains the folder
    for name, source in (("winsvc.cpp", "single_include"), ("hello.cpp", "examples")):
        copy = step(*preprocess, "-I.", name, cwd=folder)
        compiled = step(*preprocess, f"-I{ROOT / 'single_include'}", *LIBRARY_FLAGS.split(), ROOT / source / name)
        if copy != compiled:
            raise Broken(f"the copied {name} differs from the one that is compiled, after the preprocessor")
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


def add_subdirectory():
    """The compiled form, in the build of the consumer."""
    folder = consumer_in("add_subdirectory")
    step("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build", f"-DWINSVC_SOURCE={ROOT}",
         f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}")
    step("cmake", "--build", folder / "build")
    runs_as_consumer(folder / "build" / "consumer")


def builds_a_part(build):
    """The build folder has a rule for each part of the compiled form and for the object of the consumer. Builds that
    object and part 2, which does not include cpp-httplib. No other way has this text, so no object is shared."""
    known = step("ninja", "-C", build, "-t", "targets", "all")
    parts = re.findall(r"^(\S*winsvc_part_(\d)\.cpp\.o): ", known, re.MULTILINE)
    if sorted(number for _, number in parts) != list("1234567"):
        raise Broken(f"the compiled form has the parts {parts}:\n{known}")
    step("ninja", "-C", build, *(target for target, number in parts if number == "2"),
         "CMakeFiles/consumer.dir/main.cpp.o", WINSVC_SHARED_OBJECTS="")


def find_package():
    """Installed with the single header, then found, in the header-only form and in the compiled form. The header-only
    program gets its function bodies from winsvc.o. One part of the compiled form is built; the next way links all."""
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


def find_package_compiled():
    """Installed with the separate headers, then found, in the compiled form."""
    folder = consumer_in("find_package_compiled")
    installed = installed_by_cmake(folder)
    step("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build", f"-DCMAKE_PREFIX_PATH={installed}",
         f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}")
    step("cmake", "--build", folder / "build")
    runs_as_consumer(folder / "build" / "consumer")


def pkg_config_from_cmake():
    folder = consumer_in("pkg_config_from_cmake")
    built_with_pkg_config(folder, installed_by_cmake(folder))


def fetched_httplib():
    """Without an httplib.h, CMake fetches one. The tests have no network: an option names the copy that is here."""
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
    whole = fails("cmake", "-G", "Ninja", "-S", folder / "winsvc", "-B", folder / "build1",
                  "-DWINSVC_FETCH_HTTPLIB=OFF", WINSVC_HTTPLIB_DIR="")
    part = fails("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build2", f"-DWINSVC_SOURCE={folder / 'winsvc'}",
                 WINSVC_HTTPLIB_DIR="")
    installed = installed_by_cmake(folder)
    found = fails("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build3", f"-DCMAKE_PREFIX_PATH={installed}",
                  WINSVC_HTTPLIB_DIR="")
    for output in (whole, part, found):
        must_say(output, *BOTH_WAYS)


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
    (package / "httplibConfigVersion.cmake").write_text(
        'set(PACKAGE_VERSION "0.53.1")\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n')
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
        (folder / name / f"{name}.cpp").write_text(
            "#include <winsvc.hpp>\n"
            f"void {name}(winsvc::service& svc) {{ svc.get(\"/{name}\", [] {{ return 1; }}); }}\n")
    (folder / "main.cpp").write_text(
        "#include <winsvc.hpp>\nvoid one(winsvc::service&);\nvoid two(winsvc::service&);\n"
        "void App(winsvc::service& svc) { one(svc); two(svc); }\nWINSVC_MAIN(App)\n")
    output = step("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build",
                  f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}")
    must_say(output, f"{folder / 'two' / 'winsvc'} is not used, because the build has winsvc from {folder / 'one'}")
    step("cmake", "--build", folder / "build", "--target", "user")
    must_say(step(folder / "build" / "user", "routes"), "/one", "/two")


WAYS = (copied_files, copied_file_with_httplib, add_subdirectory, find_package,
        find_package_compiled, pkg_config_from_cmake, fetched_httplib, missing_httplib_in_cmake,
        installed_httplib_package, two_vendored_copies)
