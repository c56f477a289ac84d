"""Microsoft's ABI without Visual C++: clang-cl, the headers of the Windows SDK and the STL, lld-link, the DLLs of Wine.

  WINSVC_SDK         shared/, ucrt/ and um/ of a Windows SDK
  WINSVC_STL         the include folder of Visual C++, or a checkout of github.com/microsoft/STL
  WINSVC_VCRUNTIME   for a checkout: a folder with vcruntime.h and the other headers of the compiler that the STL
                     includes, which the checkout does not have

clang-cl is version 19 or newer (CLANG_CL names another program). A program is linked with the static part of the STL
out of a checkout, with runtime/startup.cpp, and with import libraries for the DLLs of Wine. So its code has Microsoft's
ABI, and the C runtime, the C++ runtime and the dispatch of exceptions are those of Wine.
"""

import json
import os
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import BUILD, ROOT, Ninja, httplib_folder, run  # noqa: E402

RUNTIME = ROOT / "tests" / "msvc" / "runtime"
VERSION = "1944"                                            # of Visual Studio 2022 17.14; the STL tests _MSC_VER
STANDARD_OPTIONS = ["/EHsc", "/permissive-", "/Zc:__cplusplus", f"-fmsc-version={VERSION}",
                    "-Wno-unused-command-line-argument"]
LINKER = "lld-link-19"
# The static part of the STL; also mutex and cond, because those of Wine have the layout of an older version.
STL_SOURCES = ("charconv", "cond", "filesystem", "locale0_implib", "mutex", "nothrow", "sharedmutex",
               "syserror_import_lib", "xcharconv_ryu_tables", "xcharconv_tables_double", "xonce2", "xtime")
DLLS = ("ucrtbase", "vcruntime140", "msvcp140", "kernel32", "advapi32", "ws2_32")


class Missing(Exception):
    """A reason to skip a stage."""


def folder_of(variable, parts):
    """The folder that an environment variable names, if it has these parts."""
    value = os.environ.get(variable)
    if not value:
        raise Missing(f"{variable} is not set")
    folder = pathlib.Path(value).resolve()
    for part in parts:
        if not (folder / part).exists():
            raise Missing(f"{variable}: {folder / part} does not exist")
    return folder


def program_of(variable, *names):
    """The first program that is installed, or the one that an environment variable names."""
    for name in [os.environ[variable]] if os.environ.get(variable) else names:
        if shutil.which(name):
            return name
    raise Missing(f"{names[0]} is not installed (Debian: clang-tools-19, lld-19)")


def overlay(sdk):
    """A file that makes the names in the SDK independent of case: its headers include each other in another case."""
    def contents(folder):
        return [{"name": path.name, "type": "directory", "contents": contents(path)} if path.is_dir()
                else {"name": path.name, "type": "file", "external-contents": str(path)}
                for path in sorted(folder.iterdir())]
    roots = [{"name": f"/winsdk/{part}", "type": "directory", "contents": contents(sdk / part)}
             for part in ("shared", "ucrt", "um")]
    path = BUILD / "test" / "msvc" / "overlay.yaml"
    text = json.dumps({"version": 0, "case-sensitive": "false", "roots": roots})
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return path


def system_folders():
    """The include folders of the compiler and the SDK, in their order, and the overlay."""
    sdk = folder_of("WINSVC_SDK", ("shared", "ucrt", "um"))
    stl = folder_of("WINSVC_STL", ())
    if (stl / "stl" / "inc").is_dir():
        folders = [folder_of("WINSVC_VCRUNTIME", ("vcruntime.h",)), stl / "stl" / "inc"]
    else:
        folders = [folder_of("WINSVC_STL", ("vector", "vcruntime.h"))]
    return [*folders, *(f"/winsdk/{part}" for part in ("ucrt", "shared", "um"))], overlay(sdk)


def compiler():
    """(clang-cl, the options for its include folders)"""
    folders, names = system_folders()
    folders += dict.fromkeys([httplib_folder(), (BUILD / "deps" / "include").resolve()])
    return program_of("CLANG_CL", "clang-cl-19", "clang-cl"), [
        "-Xclang", "-ivfsoverlay", "-Xclang", str(names),
        *(word for folder in folders for word in ("-imsvc", str(folder)))]


# --- linking ----------------------------------------------------------------------------------------------------------

def dlls_of_wine():
    for folder in sorted(pathlib.Path("/usr/lib").glob("*/wine/x86_64-windows")):
        if (folder / "ucrtbase.dll").exists():
            return folder
    raise Missing("the DLLs of Wine were not found in /usr/lib/*/wine/x86_64-windows")


def import_library(name, folder):
    """Writes an import library for a DLL of Wine, which has none; returns its path."""
    dll, definition = dlls_of_wine() / f"{name}.dll", folder / f"{name}.def"
    library = folder / f"{name}.lib"
    if library.exists() and library.stat().st_mtime > dll.stat().st_mtime:
        return library
    code, table = run(["x86_64-w64-mingw32-objdump", "-p", dll])
    names = table.split("[Ordinal/Name Pointer] Table")[-1]
    exports = re.findall(r"^\t\[ *\d+\] (?:\+base\[ *\d+\]  [0-9a-f]+ )?(\S+)$", names, re.MULTILINE)
    if code != 0 or not exports:
        raise RuntimeError(f"{dll} has no table of names:\n{table[:1000]}")
    definition.write_text(f"LIBRARY {name}.dll\nEXPORTS\n" + "".join(f'"{export}"\n' for export in exports))
    code, output = run([LINKER, "/lib", "/machine:x64", f"/def:{definition}", f"/out:{library}"])
    if code != 0:
        raise RuntimeError(output)
    return library


def build_program(name, sources, options=()):
    """Compiles sources, links them and returns the program build/test/msvc/NAME.exe. Raises Missing or RuntimeError."""
    program_of("", LINKER)
    stl = folder_of("WINSVC_STL", ("stl/src",))
    clang_cl, includes = compiler()
    ninja = Ninja("msvc")
    command = [clang_cl, "--target=x86_64-pc-windows-msvc", "/c", *STANDARD_OPTIONS, "/std:c++17", "/O1", "/MD",
               "-D_USE_STD_VECTOR_ALGORITHMS=0", *includes]             # they are not in the DLLs of Wine

    def compiled(output, source, words, system):
        # clang-cl reads /path as an option, and writes no list of headers.
        out = ninja.folder / output
        return ninja._edge("generate", out, [source], [*words, f"/Fo{out}", "--", str(source)], system)

    headers = sorted((ROOT / "single_include").rglob("*.?pp"))
    words = [*command, "/W4", "-I", str(ROOT / "single_include"), *options]
    objects = [compiled(f"{name}-{source.stem}.obj", source, words, headers) for source in sources]
    runtime = ["/w", "-D_AMD64_", "-I", str(RUNTIME)]
    objects.append(compiled("startup.obj", RUNTIME / "startup.cpp", [*command, *runtime, "/Zc:threadSafeInit-"], ()))
    for part in STL_SOURCES:
        objects.append(compiled(f"stl-{part}.obj", stl / "stl" / "src" / f"{part}.cpp", [
            *command, *runtime, "/std:c++latest", "-D_CRTBLD", "-D_VCRT_ALLOW_INTERNALS", "-D_STL_CONCRT_SUPPORT",
            "-D_HAS_OLD_IOSTREAMS_MEMBERS=1", "-DWIN32_LEAN_AND_MEAN", "-DNOMINMAX", "/FIinternal_shared.h",
            "-I", str(stl / "stl" / "src")],
            [RUNTIME / "internal_shared.h"]))
    libraries = [import_library(dll, ninja.folder) for dll in DLLS]
    program = ninja._edge("generate", ninja.folder / f"{name}.exe", objects, [
        LINKER, "/machine:x64", "/subsystem:console", "/nodefaultlib", "/entry:mainCRTStartup", "/opt:ref",
        "/ignore:4217,4286", f"/out:{ninja.folder / name}.exe", *map(str, objects), *map(str, libraries)], ())
    built, output = ninja.build()
    if not built:
        raise RuntimeError(f"{program.name} does not build:\n{output[:8000]}")
    return program
