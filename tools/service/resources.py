#!/usr/bin/env python3
"""Writes the resources of a service program: NAME.rc and NAME.manifest. Meson's counterpart of winsvc_add_service.

  resources.py --name greeter --version 1.4.2 [--icon greeter.ico] [--description TEXT] [--company TEXT]
               [--copyright TEXT] [--product TEXT] --output FOLDER

Version, icon and manifest come from the same templates as in CMake: app.rc.in and app.manifest.in in this folder.
docs/shipping.md shows a meson.build that calls it.
"""

import argparse
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent


def version_numbers(version):
    """The four numbers of a version: "1.4.2-rc1" is "1,4,2,0"."""
    found = re.fullmatch(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.(\d+))?(?:[-+].*)?", version)
    if not found:
        sys.exit(f"resources.py: '{version}' is not a version; write up to four numbers, such as 1.4.2 or 1.4.2-rc1")
    numbers = [int(number or 0) for number in found.groups()]
    if max(numbers) > 65535:
        sys.exit(f"resources.py: '{version}' has a number greater than 65535, the limit of Windows")
    return ",".join(map(str, numbers))


def escaped(text):
    return text.replace("\\", "\\\\").replace('"', '""')


def main():
    parser = argparse.ArgumentParser(prog="resources.py", description=__doc__.split("\n")[0])
    for option in ("name", "version", "output"):
        parser.add_argument("--" + option, required=True)
    for option in ("icon", "description", "company", "copyright", "product"):
        parser.add_argument("--" + option, default="")
    options = parser.parse_args()

    folder = pathlib.Path(options.output).resolve()
    manifest = folder / f"{options.name}.manifest"
    icon = f'1 ICON "{pathlib.Path(options.icon).resolve().as_posix()}"' if options.icon else ""
    values = {
        "MANIFEST": manifest.as_posix(), "ICON": icon, "NUMBERS": version_numbers(options.version),
        "COMPANY": escaped(options.company or options.name), "NAME": options.name,
        "DESCRIPTION": escaped(options.description or options.name), "VERSION": escaped(options.version),
        "COPYRIGHT": escaped(options.copyright), "PRODUCT": escaped(options.product or options.name),
    }
    text = (HERE / "app.rc.in").read_text(encoding="utf-8")
    text = re.sub(r"@WINSVC_RC_(\w+)@", lambda found: values[found.group(1)], text)
    manifest.write_text((HERE / "app.manifest.in").read_text(encoding="utf-8"), encoding="utf-8")
    (folder / f"{options.name}.rc").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
