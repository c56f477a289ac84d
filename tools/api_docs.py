"""Generates docs/api.md from the `///` comments of the headers that a user sees.

The page lists, task by task, each public class and function of namespace winsvc with its comment. The example of a name
is the region `// [name]` to `// [/name]` of tests/api/examples.cpp, which the tests compile and run.
"""

import itertools
import re

from header_tree import TreeError

# Task: its title, one sentence, and its headers in the order of the page.
TASKS = (
    ("Describe a service", "Names, installation, listener, hooks, workers, health, data.",
     ("api/service.hpp", "api/app.hpp", "api/run.hpp", "api/host.hpp", "api/main.hpp", "api/tls_options.hpp", "wire/limits.hpp")),
    ("Register routes", "Methods, groups, resources, static folders; what a handler takes.",
     ("api/group.hpp", "api/trailing_slash.hpp", "api/resource.hpp", "api/route_builder.hpp", "api/handler.hpp",
      "api/handler_arguments.hpp", "api/parameter.hpp",
      "api/file_options.hpp", "api/url_for.hpp")),
    ("Read a request", "Query parameters, form fields, headers, cookies, JSON bodies, uploads.",
     ("api/httplib.hpp", "api/values.hpp", "api/cookies.hpp", "api/json_type.hpp", "api/json_library.hpp",
      "api/upload.hpp", "api/context.hpp")),
    ("Send a response", "Values, redirects, files, streams, errors.",
     ("api/reply.hpp", "api/abort.hpp", "api/json.hpp", "api/stream.hpp", "api/event_channel.hpp", "api/error_handlers.hpp")),
    ("Make pages", "Markup that is escaped, template engines, sessions, CSRF tokens.",
     ("api/html.hpp", "api/templates.hpp", "addons/session.hpp")),
    ("Use middleware", "Functions that run before and after the handler, and those that winsvc has.",
     ("api/middleware.hpp", "addons/auth.hpp", "addons/cors.hpp", "addons/same_origin.hpp", "addons/allowed_hosts.hpp", "addons/rate_limit.hpp",
      "addons/proxies.hpp", "addons/headers.hpp")),
    ("Open a WebSocket", "Messages in both directions.", ("api/websocket.hpp",)),
    ("React to the service manager", "The arguments of hooks and workers.",
     ("api/hooks.hpp", "base/stop.hpp", "scm/control_event.hpp", "scm/recovery.hpp", "scm/spec.hpp")),
    ("Declare settings", "Values that an operator can change.", ("api/setting.hpp", "api/settings_format.hpp", "settings/rule.hpp", "settings/setting_value.hpp")),
    ("Write to the log", "The logger, its entries and custom sinks.", ("base/log.hpp",)),
    ("Handle errors", "Error values and mistakes in the app.", ("base/error.hpp", "base/result.hpp")),
    ("Test an app",
     "Include <winsvc/testing.hpp>. A client without sockets, a simulated service manager, a manual clock.",
     ("testing/client.hpp", "testing/scm.hpp", "testing/clock.hpp")),
)
# Classes outside namespace winsvc that users see: the base class of service and route_group, limits, test doubles.
OTHER_CLASSES = ("route_registrar", "limits", "client", "client_response", "websocket_transcript", "simulated_scm",
                 "manual_clock")
# Documented declarations in namespace winsvc that only winsvc itself uses.
INTERNAL = ("level_column", "escape_log_text", "is_bidi_control", "max_recovery_delay", "token_buckets",
            "remove_full_buckets", "name", "parse_startup", "parse_response", "masked_frame", "parse_transcript",
            "memory_transport")
EXAMPLES = "tests/api/examples.cpp"
PAGE = "docs/api.md"
SOURCE_PARAMETER = re.compile(r",?\s*(?:winsvc::)?source_location \w+ = (?:winsvc::)?source_location::current\(\)")


class Entity:
    """A documented declaration: its text without body, its comment, and for a class its documented members."""

    def __init__(self, declaration, comment, name):
        self.declaration, self.comment, self.name, self.members = declaration, comment, name, []


def declaration_of(lines):
    """The declaration that begins in lines[0] without its body, and the number of lines up to its end."""
    text, depth = "", 0
    for count, line in enumerate(lines, 1):
        text += " " + re.sub(r"\s*//.*", "", line).strip()
        depth = text.count("(") - text.count(")")
        if depth == 0 and (text.rstrip().endswith((";", "{", "}", ",")) or "{" in text):
            break
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\) (?:: \w+_?\(.*|noexcept : .*)", ")", text) if re.search(r"\)(?: noexcept)? : \w", text) else text
    text = re.split(r"\s\{(?!\})", text)[0]
    text = re.sub(r"\s*\{\s*\}?$", "", text).rstrip("; {")
    text = SOURCE_PARAMETER.sub("", text)
    for word in ("[[nodiscard]] ", "inline ", "WINSVC_INLINE "):
        text = text.replace(word, "")
    return re.sub(r"\(\s+", "(", text), count


def name_of(declaration):
    text = re.sub(r"^(?:template <.*?>\s*)+(?=\w)", "", declaration)
    found = re.search(r"\b(?:class|struct|enum class|enum)\s+(?:\[\[\w+\]\] )?(\w+)", text)
    if found:
        return found.group(1)
    found = re.search(r"\busing (\w+) =", text) or re.search(r"(operator\s*\S+|~?\w+)\s*\(", text) or \
        re.search(r"(\w+)\s*(?:\{|=|$)", text)
    return found.group(1) if found else ""


def entities_of(text):
    """The documented declarations of a header, in namespace winsvc or in a class there.

    A class without a comment gets the comment of its header."""
    lines = text.split("\n// " + "-" * 117 + "\n")[0].split("\n")     # the interface, without the bodies
    header_comment = [re.sub(r"^// ?", "", line) for line in itertools.takewhile(lambda l: l.startswith("//"), lines)]
    namespaces, classes, found, comment, last = [], [], [], [], None
    index = 0
    while index < len(lines):
        line = lines[index]
        stripped = line.strip()
        index += 1
        opened = re.match(r"(?:inline )?namespace ([\w:]+) \{$", stripped)
        if opened:
            namespaces.append(opened.group(1))
            continue
        if re.match(r"\}  // (?:inline )?namespace", stripped) or (line == "}" and namespaces and not classes):
            if namespaces:
                namespaces.pop()
            comment = []
            continue
        if line.startswith("};") and classes:
            classes.pop()
            last = None
            continue
        if stripped.startswith("///") and not stripped.startswith("///<"):
            comment.append(stripped[3:][1:] if stripped[3:4] == " " else stripped[3:])
            continue
        access = re.match(r"(public|protected|private):$", stripped)
        if access and classes:
            classes[-1][1] = access.group(1)
            comment = []
            continue
        section = re.match(r"// -- (.*?) ?--", stripped)
        if section and classes and classes[-1][1] == "public" and classes[-1][0] is not None:
            classes[-1][0].members.append(section.group(1))
            comment = []
            continue
        if not stripped or stripped.startswith(("//", "#")):
            comment = [] if not stripped else comment
            continue
        declaration, count = declaration_of(lines[index - 1:])
        body = re.sub(r"template <.*?>\s*(?=class|struct|template)", "", "\n".join(lines[index - 1:index - 1 + count]))
        class_here = re.search(r"\b(class|struct) (?:\[\[\w+\]\] )?(\w+)[^;()]*\{\s*$", body)
        entity = None
        wanted = (not classes and namespaces == ["winsvc", "WINSVC_ABI"] or
                  class_here is not None and class_here.group(2) in OTHER_CLASSES)
        if class_here and not classes:
            if wanted and class_here.group(2) not in INTERNAL:
                entity = Entity(declaration, comment or header_comment, class_here.group(2))
                found.append(entity)
            classes.append([entity, "public" if class_here.group(1) == "struct" else "private"])
        elif classes and len(classes) == 1 and line.startswith("  ") and not line.startswith("   "):
            owner, access_now = classes[-1]
            if owner is not None and access_now == "public":
                trailing = re.search(r"///< (.*)", lines[index - 1])
                name = name_of(declaration)
                if comment or trailing:
                    owner.members.append(Entity(declaration, comment or [trailing.group(1)], name))
                elif owner.members and isinstance(owner.members[-1], Entity) and owner.members[-1].name == name:
                    owner.members[-1].declaration += "\n" + declaration
        elif wanted and comment and name_of(declaration) not in INTERNAL:
            last = Entity(declaration, comment, name_of(declaration))
            found.append(last)
        elif wanted and last is not None and last.name == name_of(declaration):
            last.declaration += "\n" + declaration
        comment = []
        index += end_of_body(lines, index - 1, count, bool(class_here) and not classes[1:]) - 1
    return found


def end_of_body(lines, begin, count, is_class):
    """The number of lines of a declaration with its body; of a class only its head."""
    if is_class:
        return count
    depth = 0
    for offset, line in enumerate(lines[begin:]):
        code = re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'|//.*', "", line)
        depth += code.count("{") - code.count("}")
        if offset + 1 >= count and depth <= 0:
            return offset + 1
    return count


def markdown_of(comment):
    """A comment as Markdown: indented lines become a code block."""
    output, code = [], False
    for line in comment:
        indented = line.startswith("  ")
        if indented != code:
            output.append("```" if code else "\n```text")
            code = indented
        output.append(line[2:] if indented else line)
    if code:
        output.append("```")
    return "\n".join(output)


def examples_of(text):
    """{name: code} of the regions of tests/api/examples.cpp. A region may belong to several names."""
    found = {}
    for names, code in re.findall(r"^ *// \[([\w ]+)\]\n(.*?)^ *// \[/\1\]$", text, re.MULTILINE | re.DOTALL):
        lines = code.rstrip("\n").split("\n")
        indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
        for name in names.split():
            found[name] = "\n".join(line[indent:] for line in lines)
    return found


def page_of(root):
    """The text of docs/api.md. Each example must belong to an entry."""
    examples = examples_of((root / EXAMPLES).read_text(encoding="utf-8"))
    output = ["# API by task", "",
              "Generated by `tools/amalgamate` from the comments of the headers; change it there. Each example is",
              "compiled and run by [tests/api/examples.cpp](../tests/api/examples.cpp). Registration functions have a",
              "last parameter `source_location`, by default the line of the call, which this page omits.", ""]
    body, shown = [], set()
    for title, sentence, headers in TASKS:
        anchor = re.sub(r"[^a-z ]", "", title.lower()).replace(" ", "-")
        output.append(f"- [{title}](#{anchor}): {sentence[0].lower() + sentence[1:]}")
        body += ["", f"## {title}", "", sentence]
        for header in headers:
            entities = entities_of((root / "include" / "winsvc" / header).read_text(encoding="utf-8"))
            for entity in entities:
                declaration = entity.declaration.replace("\n", ";\n") + ";"
                body += ["", f"### {entity.name}", "", f"`{header}`", "", "```cpp", declaration, "```", "",
                         markdown_of(entity.comment)]
                if entity.name in examples and entity.name not in shown:
                    body += ["", "```cpp", examples[entity.name], "```"]
                shown.add(entity.name)
                body += members_of(entity)
    for name in sorted(shown - set(examples)):
        raise TreeError(f"{EXAMPLES}: {name} has no example; add a region // [{name}]")
    for name in sorted(set(examples) - shown):
        raise TreeError(f"{EXAMPLES}: the example [{name}] has no entry in {PAGE}")
    return "\n".join(output + body).rstrip() + "\n"


def members_of(entity):
    output = []
    for member in entity.members:
        if isinstance(member, str):
            output += ["", f"**{member[0].upper() + member[1:]}**"]
            continue
        output += ["", "```cpp", member.declaration.replace("\n", ";\n") + ";", "```", "", markdown_of(member.comment)]
    return output
