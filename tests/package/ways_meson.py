"""winsvc as users get it: Meson, and pkg-config of an installation by Meson."""

import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import (ARCHIVER, GC_SECTIONS_MINGW, MINGW, ROOT, clang_for_mingw, fast_mingw_link,  # noqa: E402
                 httplib_folder, winsvc_object, wine_prefix)
from steps import (CONSUMER, CROSS_FILE, LIBRARY_FLAGS, SEPARATE, Broken, built_with_pkg_config,  # noqa: E402
                   consumer_in, fails, fresh, has_resources, installed_by_cmake, must_say,
                   runs_as_consumer, runs_as_hello, source_tree, step, version, winsvc_o)

WHOLE_OBJECT = pathlib.Path(__file__).resolve().parent / "whole_object.py"


def pkg_config_from_meson():
    folder = consumer_in("pkg_config_from_meson")
    step("meson", "setup", folder / "winsvc", ROOT, "--prefix", folder / "installed",
         WINSVC_HTTPLIB_DIR=str(httplib_folder()))
    step("meson", "install", "-C", folder / "winsvc", "--no-rebuild")
    built_with_pkg_config(folder, folder / "installed")


def meson_subproject():
    folder = consumer_in("meson_subproject")
    source_tree(folder / "subprojects" / "winsvc")
    step("meson", "setup", "build", "--buildtype=plain", "-Db_staticpic=false", f"-Dcpp_args={LIBRARY_FLAGS}",
         cwd=folder)
    step("ninja", "-C", "build", cwd=folder)
    runs_as_consumer(folder / "build" / "consumer")


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


def missing_httplib_in_meson():
    folder = consumer_in("missing_httplib_in_meson")
    source_tree(folder / "subprojects" / "winsvc")
    for project, name in ((folder, "build1"), (folder / "subprojects" / "winsvc", "build2")):
        output = fails("meson", "setup", folder / name, project, WINSVC_HTTPLIB_DIR="")
        must_say(output, "cannot find httplib.h", "-Dcpp_args=-I", "meson wrap install cpp-httplib")
    (folder / "old").mkdir()
    (folder / "old" / "httplib.h").write_text('#define CPPHTTPLIB_VERSION "0.40.3"\n')
    output = fails("meson", "setup", folder / "build3", folder, f"-Dcpp_args=-I{folder / 'old'}", WINSVC_HTTPLIB_DIR="")
    must_say(output, "0.40.3", "0.41 or newer")


def our_meson_with_mingw():
    """The cross file, with another compiler: clang++ and lld take a third of the time of mingw g++. The bodies come
    from the object that other stages link too."""
    folder = fresh("our_meson_with_mingw")
    before, after = fast_mingw_link()
    compiler = [str(WHOLE_OBJECT), *clang_for_mingw(), *before[2:]]
    (folder / "clang.ini").write_text(f"[binaries]\ncpp = {compiler}\nar = '{shutil.which(ARCHIVER)}'\n"
                                      f"[built-in options]\ncpp_link_args = {[*GC_SECTIONS_MINGW, *after]}\n")
    step("meson", "setup", folder / "build", ROOT, "--cross-file", CROSS_FILE, "--cross-file", folder / "clang.ini",
         "--buildtype=plain", WINSVC_HTTPLIB_DIR=str(httplib_folder()))
    folder /= "build"
    step("ninja", "-C", folder, "hello.exe", WINSVC_WHOLE_OBJECT=str(winsvc_object(MINGW)))
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
    has_resources(folder / "empty.exe", "4.5.6", "Example", "greeter")


WAYS = (pkg_config_from_meson, meson_subproject, meson_subproject_installs_nothing, meson_dependency,
        missing_httplib_in_meson, our_meson_with_mingw, meson_resources)
