"""Checks the macros of the headers in include/, for `tools/amalgamate --audit`.

The rules: a macro is public or is removed again, and no name is a macro of another project (tools/foreign_macros.txt).
"""

import collections
import pathlib
import re

from header_tree import FORM, UNDEF, code_lines

# WINSVC_TYPE and WINSVC_ENUM expand in the app, so the macros that they use remain defined.
MACROS_OF_TYPES = (
    "WINSVC_TYPE", "WINSVC_ENUM",
    *(f"WINSVC_DETAIL_{part}" for part in (
        "CLOSE", "DROP_WINSVC_DETAIL_OPEN", "EACH", "EXPAND", "MEMBER", "OPEN", "PASTE", "PICK", "VALUE", "VISIT",
        "VISIT_1", *range(1, 41))),
)
# The only macros that may be defined after #include <winsvc.hpp>.
PUBLIC_MACROS = (
    "WINSVC_APP_VERSION", "WINSVC_ASSERT", "WINSVC_AUTOLINK", "WINSVC_HTTPLIB", "WINSVC_IMPLEMENTATION", "WINSVC_JSON",
    "WINSVC_MAIN", "WINSVC_PART", "WINSVC_SEPARATE", "WINSVC_TESTING", "WINSVC_VERSION",
    "WINSVC_VERSION_MAJOR", "WINSVC_VERSION_MINOR", "WINSVC_VERSION_PATCH", "WINSVC_VERSION_STRING",
    *MACROS_OF_TYPES,
)
KEPT_PLATFORM_MACROS = {"_WIN32_WINNT"}  # selects the SDK version; the SDK headers have already used it

# Directives in which the preprocessor expands no macro, or which save and restore a macro.
UNEXPANDED_DIRECTIVES = ("include", "pragma", "error", "ifdef", "ifndef", "undef")

FOREIGN_MACROS_FILE = pathlib.Path(__file__).resolve().parent / "foreign_macros.txt"
ForeignMacro = collections.namedtuple("ForeignMacro", "part header name parameters body")


def foreign_macros():
    """The entries of tools/foreign_macros.txt, in the order of the file."""
    entries, part, header = [], "", ""
    for line in FOREIGN_MACROS_FILE.read_text(encoding="ascii").split("\n"):
        title = re.fullmatch(r"\[(\w+) (.*)\]", line)
        if title:
            part, header = title.groups()
        elif "=" in line and not line.startswith("#"):
            name, parameters, body = re.fullmatch(r"(\w+)(\(.*?\))?=(.*)", line).groups()
            entries.append(ForeignMacro(part, header, name, parameters, body))
        elif not line.startswith("#"):
            entries += [ForeignMacro(part, header, *match, None) for match in re.findall(r"(\w+)(\(\.\.\.\))?", line)]
    return entries


def foreign_defines():
    """The entries as preprocessor lines; each part is in an `#ifdef FOREIGN_<PART>`."""
    text, part = [], None
    for macro in foreign_macros():
        if macro.part != part:
            text += ["#endif"] * (part is not None) + [f"#ifdef FOREIGN_{macro.part.upper()}"]
            part = macro.part
        body = macro.body
        if body is None:
            body = f"a macro {macro.name} of {re.sub(r'[^a-zA-Z0-9]', '_', macro.header)}"
        text += [f"#undef {macro.name}", f"#define {macro.name}{macro.parameters or ''} {body}".rstrip()]
    return "\n".join(text + ["#endif"])


def audit_macros(headers):
    undefined_at_end = {macro for _, macro in headers[UNDEF].undefs()} if UNDEF in headers else set()
    defined = {}
    for name, header in headers.items():
        undefined_here = {macro for _, macro in header.undefs()}
        for number, macro in header.defines():
            defined.setdefault(macro, (name, number))
            place = f"include/{name}:{number}: {macro}"
            if not macro.startswith("WINSVC_"):
                if macro not in undefined_here and macro not in KEPT_PLATFORM_MACROS:
                    yield f"{place} has no WINSVC_ prefix and stays defined: #undef it in the same file"
            elif macro in PUBLIC_MACROS:
                if (macro in undefined_here and name != FORM) or macro in undefined_at_end:
                    yield f"{place} is public, but an #undef removes it"
            elif macro not in undefined_here and macro not in undefined_at_end:
                yield f"{place} is neither public (PUBLIC_MACROS in tools/macro_audit.py) nor undefined in {UNDEF}"
    for name, header in headers.items():
        for number, macro, tokens in header.define_tokens():
            for removed in sorted((tokens - {macro}) & undefined_at_end if macro in PUBLIC_MACROS else ()):
                yield f"include/{name}:{number}: {macro} is public, but its value is {removed}, which {UNDEF} undefines"
    for number, macro in headers[UNDEF].undefs() if UNDEF in headers else ():
        if macro not in defined:
            yield f"include/{UNDEF}:{number}: no header defines {macro}: remove its #undef"
    for macro in PUBLIC_MACROS:
        if macro not in defined:
            yield f"tools/macro_audit.py: no header defines {macro}: remove it from PUBLIC_MACROS"


def audit_foreign_macros(headers):
    """Names that a macro of another project replaces, if its header is included first."""
    macros = {macro.name: macro for macro in foreign_macros()}
    for name, header in headers.items():
        unexpanded_lines = {number for number, directive, _, _, _ in header.directives
                            if directive in UNEXPANDED_DIRECTIVES}
        for number, line in enumerate(code_lines(header.lines), start=1):
            for match in re.finditer(r"[A-Za-z_]\w*", line) if number not in unexpanded_lines else ():
                macro = macros.get(match.group())
                if macro and (not macro.parameters or line[match.end():].lstrip().startswith("(")):
                    remedy = (f"write ({macro.name})(...), or rename it" if macro.name in ("min", "max")
                              else "rename it")
                    yield f"include/{name}:{number}: '{macro.name}' is a macro of {macro.header}: {remedy}"
