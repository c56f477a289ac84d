"""Package managers, and products of users: examples/starter, its resources with clang-cl."""

import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
import types
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import CLANG, ROOT, httplib_folder, run  # noqa: E402
from steps import (LIBRARY_FLAGS, SEPARATE, Broken, consumer_in, fails, fresh, has_resources,  # noqa: E402
                   must_say, runs_as_consumer, source_tree, step, version)


def same_tests_in_cmake_and_meson():
    """Both run the same tests, with the same source files."""
    folder = fresh("same_tests_in_cmake_and_meson")
    step("cmake", "-G", "Ninja", "-S", ROOT, "-B", folder / "cmake", "-DWINSVC_BUILD_EXAMPLES=OFF",
         f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}")
    step("meson", "setup", folder / "meson", ROOT, WINSVC_HTTPLIB_DIR=str(httplib_folder()))
    in_cmake = re.findall(r"Test +#\d+: (\S+)", step("ctest", "-N", "--test-dir", folder / "cmake"))
    listed = step("meson", "test", "--list", "-C", folder / "meson").splitlines()
    in_meson = [line.split()[-1].split(":")[-1] for line in listed]
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
         f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}")
    step("cmake", "--build", folder / "build")
    runs_as_consumer(folder / "build" / "consumer")
    must_say(step("ninja", "-C", folder / "build", "-t", "commands", "consumer"), str(packages / "include"))


def without_conan(patterns):
    """Modules that the recipes import, because Conan is not in Debian. `copy` adds its pattern to the list."""
    names = {"conan": {"ConanFile": object}, "conan.tools": {}, "conan.tools.build": {"can_run": None},
             "conan.tools.cmake": {"CMake": None, "CMakeToolchain": None, "cmake_layout": None},
             "conan.tools.files": {"copy": lambda recipe, pattern, *folders: patterns.append(pattern)}}
    for name, members in names.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(members)


def conan_recipe():
    """Both recipes can be imported. The one of winsvc finds the version, and each pattern of its exported files matches
    files. With Conan, it is also inspected and exported."""
    recipe = ROOT / "tools" / "packaging" / "conan" / "conanfile.py"
    patterns, scope = [], {}
    without_conan(patterns)
    for path in (recipe.parent / "test_package" / "conanfile.py", recipe):
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), scope)
    made = scope["Winsvc"]()
    made.recipe_folder, made.export_sources_folder = str(recipe.parent), ""
    made.set_version()
    made.export_sources()
    unmatched = [pattern for pattern in patterns if not any(ROOT.glob(pattern))]
    if made.version != version() or unmatched or not patterns:
        raise Broken(f"the recipe has the version {made.version}; no file matches {unmatched} of {patterns}")
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
    """A copy of examples/starter, which fetches winsvc from a local folder, builds, tests, and serves. It is outside
    the tree, so that nothing of the tree is found by chance."""
    with tempfile.TemporaryDirectory(prefix="winsvc-starter-") as name:
        starter_in(pathlib.Path(name))


def starter_in(folder):
    shutil.copytree(ROOT / "examples" / "starter", folder / "copy")
    source_tree(folder / "copy" / "winsvc")
    step("cmake", "-G", "Ninja", "-S", folder / "copy", "-B", folder / "build",
         f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}")
    step("cmake", "--build", folder / "build")
    step("ctest", "--test-dir", folder / "build", "--output-on-failure")
    must_say(step(folder / "build" / "greeter", "version"), "greeter 1.0.0,", version())
    step(sys.executable, ROOT / "tests" / "package" / "haproxy.py", folder / "build" / "greeter")
    with_symbols = [CLANG, "-std=c++17", "-g", "-fstandalone-debug", SEPARATE, f"-I{ROOT / 'include'}",
                    *LIBRARY_FLAGS.split(), "greeter.cpp", "main.cpp"]
    step(*with_symbols, *folder.glob("build/**/libwinsvc_compiled.a"), "-o", "debugged", "-pthread",
         cwd=folder / "copy")
    step(sys.executable, ROOT / "tests" / "package" / "debugger.py", folder / "copy" / "debugged")


# A toolchain file for clang-cl, with one file of Debian's clang. There are no libraries of Microsoft, so nothing links.
CLANG_CL = """set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR AMD64)
set(CMAKE_CXX_COMPILER {folder}/clang-cl)
set(CMAKE_CXX_COMPILER_TARGET x86_64-pc-windows-msvc)
set(CMAKE_LINKER lld-link)
set(CMAKE_RC_COMPILER llvm-rc)
set(CMAKE_MT llvm-mt)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
"""


def clang_cl():
    """examples/starter, configured for clang-cl: the commands, and a program with the resources of llvm-rc."""
    folder = fresh("clang_cl")
    shutil.copytree(ROOT / "examples" / "starter", folder / "copy")
    project = folder / "copy" / "CMakeLists.txt"
    project.write_text(project.read_text(encoding="utf-8").replace("this machine", "K\u00f6ln"), encoding="utf-8")
    (folder / "clang-cl").symlink_to(shutil.which("clang"))
    (folder / "clang-cl.cmake").write_text(CLANG_CL.format(folder=folder))
    for configuration, runtime in (("Debug", "-MTd"), ("Release", "-MT")):
        step("cmake", "-G", "Ninja", "-S", folder / "copy", "-B", folder / "build",
             f"-DCMAKE_BUILD_TYPE={configuration}", f"-DCMAKE_TOOLCHAIN_FILE={folder / 'clang-cl.cmake'}",
             f"-DFETCHCONTENT_SOURCE_DIR_WINSVC={ROOT}",
             f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}", CXXFLAGS="", CMAKE_CXX_COMPILER_LAUNCHER="")
        commands = step("ninja", "-C", folder / "build", "-t", "commands", "greeter").split("\n")
        compiles = [f" {line} " for line in commands if " -c -- " in line]
        if len(compiles) != 9:                              # main.cpp, greeter.cpp, seven parts
            raise Broken("\n".join(commands))
        for command in compiles:
            must_say(command, f" {runtime} ", " /Zi ", " /EHsc ", " -DWINSVC_SEPARATE=1 ")
    must_say(next(line for line in compiles if "main.cpp" in line), " /utf-8 ", r'-DWINSVC_APP_VERSION=\"1.0.0\"')
    (link,) = [line for line in commands if "/out:greeter.exe" in line]
    must_say(link, "/MANIFEST:NO", "/DEBUG", "/OPT:REF", "/pdb:greeter.pdb", "ws2_32.lib", "advapi32.lib")

    resources = "CMakeFiles/greeter.dir/winsvc-greeter/app.rc.res"
    step("ninja", "-C", folder / "build", resources)
    (folder / "empty.c").write_text("int start(void) { return 0; }\n")
    step(folder / "clang-cl", "--target=x86_64-pc-windows-msvc", "/nologo", "/c", "/GS-", "empty.c", "/Foempty.obj",
         cwd=folder)
    step("lld-link", "/nologo", "/nodefaultlib", "/entry:start", "/subsystem:console", "/manifest:no", "empty.obj",
         folder / "build" / resources, "/out:empty.exe", cwd=folder)
    has_resources(folder / "empty.exe", "1.0.0", "Example", "greeter", "K\u00f6ln")


def wrong_files():
    """FILES that cannot be installed next to the program are errors at configure time."""
    folder = fresh("wrong_files")
    shutil.copytree(ROOT / "examples" / "starter", folder / "copy")
    (folder / "copy" / "other").mkdir()
    (folder / "copy" / "other" / "Greeter.ini").write_text("")
    project = folder / "copy" / "CMakeLists.txt"
    text = project.read_text(encoding="utf-8")
    for files, message in (("other", "is a folder"), ("missing.ini", "does not exist"),
                           ("greeter.ini other/Greeter.ini", "two FILES have the name greeter.ini")):
        changed = text.replace("FILES greeter.ini", f"FILES {files}")
        if changed == text:
            raise Broken("examples/starter has other FILES")
        project.write_text(changed, encoding="utf-8")
        must_say(fails("cmake", "-G", "Ninja", "-S", folder / "copy", "-B", folder / "build",
                       f"-DFETCHCONTENT_SOURCE_DIR_WINSVC={ROOT}", f"-DWINSVC_HTTPLIB_DIR={httplib_folder()}"), message)


WAYS = (starter, clang_cl, wrong_files, same_tests_in_cmake_and_meson, same_names_in_natvis, vcpkg_port, conan_recipe,
        presets)
