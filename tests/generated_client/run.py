"""A TypeScript client that openapi-typescript generates from the OpenAPI document of a running example.

It must compile, with the strict rules of the compiler, and its requests must succeed. tools/deps installs the generator
and the compiler.
"""

import json
import os
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from kit import BUILD, run  # noqa: E402

MODULES = BUILD / "deps" / "node" / "node_modules"
SOURCE = pathlib.Path(__file__).resolve().parent / "client.ts"
EXPECTED = {"names": ["scone"], "price": 1.5, "refused": 422}


def is_installed():
    return all((MODULES / name).exists() for name in (".bin/openapi-typescript", ".bin/tsc", "openapi-fetch"))


def client_errors(document, port):
    """Returns an error message; empty if the client compiles and gets the expected responses."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "node_modules").symlink_to(MODULES)
        (folder / "package.json").write_text('{"type": "module"}\n')
        (folder / "openapi.json").write_text(document, encoding="utf-8")
        shutil.copy(SOURCE, folder)
        environment = dict(os.environ, REDOCLY_TELEMETRY="off", REDOCLY_SUPPRESS_UPDATE_NOTICE="true")
        (folder / "tsconfig.json").write_text(json.dumps({"files": ["client.ts", "globals.d.ts"], "compilerOptions": {
            "strict": True, "noUncheckedIndexedAccess": True, "exactOptionalPropertyTypes": True, "module": "nodenext",
            "target": "es2022", "lib": ["es2022", "dom"], "types": []}}))
        (folder / "globals.d.ts").write_text("declare const process: { argv: string[] };\n")
        for command in (["node_modules/.bin/openapi-typescript", "openapi.json", "-o", "schema.ts"],
                        ["node_modules/.bin/tsc"], ["node", "client.js", f"http://127.0.0.1:{port}"]):
            code, output = run(command, timeout=120, cwd=folder, env=environment)
            if code != 0:
                return f"$ {' '.join(command)}\n{output}exit code {code}\n"
    return "" if json.loads(output) == EXPECTED else f"the generated client printed {output}\n"
