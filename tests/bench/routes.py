#!/usr/bin/env python3
"""Benchmark of compile time: 200 routes of typed lambdas with g++ -O0, in addition to the header itself.

  tests/bench/routes.py [COUNT]

The lambdas have ten signatures. Prints seconds of processor time, which depend on the machine; the target is 3.5 s on a
machine that compiles the header alone in 8 s.
"""

import pathlib
import resource
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import GXX, ROOT, STANDARD, library_includes  # noqa: E402

HANDLERS = (
    "[] {{ return \"{n}\"; }}",
    "[](int id) {{ return std::to_string(id + {n}); }}",
    "[](std::string name) {{ return name + \"{n}\"; }}",
    "[](int id, std::string name) {{ return name + std::to_string(id + {n}); }}",
    "[](int id) {{ return winsvc::json{{{{\"id\", id + {n}}}}}; }}",
    "[](int id) -> std::optional<winsvc::json> {{ if (id != {n}) return std::nullopt; return winsvc::json(id); }}",
    "[](const winsvc::request& req) {{ return req.path + \"{n}\"; }}",
    "[](const winsvc::request&, winsvc::response& res, long long id) {{ res.status = id == {n} ? 200 : 201; }}",
    "[](winsvc::body<item> i) {{ return winsvc::reply::text(i->name + \"{n}\", 201); }}",
    "[](int id, winsvc::body<item> i) {{ return std::pair(201, i->name + std::to_string(id + {n})); }}",
)
PARAMETERS = ("", "/{a}", "/{a}", "/{a}/{b}", "/{a}", "/{a}", "", "/{a}", "", "/{a}")


def source(count):
    text = "#include <winsvc.hpp>\nstruct item { std::string name; };\nNLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(item, name)\n"
    text += "void App(winsvc::service& svc) {\n  svc.name(\"bench\");\n"
    for n in range(count):
        index = n % len(HANDLERS)
        text += f'  svc.post("/r{n}{PARAMETERS[index]}", {HANDLERS[index].format(n=n)});\n'
    return text + "}\n"


def seconds(count, folder):
    path = pathlib.Path(folder) / f"routes{count}.cpp"
    path.write_text(source(count), encoding="utf-8")
    command = [GXX, *STANDARD, "-O0", f"-I{ROOT / 'include'}", *library_includes(), "-c", path, "-o", f"{path}.o"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(command, check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        alone = min(seconds(0, folder) for _ in range(2))
        routes_only = min(seconds(count, folder) for _ in range(2)) - alone
    print(f"header {alone:.1f} s, {count} routes {routes_only:.1f} s more")


if __name__ == "__main__":
    main()
