r"""Parses the test vectors: the bytes that a client sends, and the responses that it must receive. Each rule is a file.

  A line ends with CR LF                            the rule, in a sentence
  RFC 9112 §2.2                                     its source
  Two parsers that disagree on ...                  the reason, in any number of lines
  options: --head-ms 300                            options of the server, if the rule needs them

  --- a request line that ends with LF              a vector: its name,
  > GET / HTTP/1.1\n                                the bytes to send; consecutive lines are one send
  > Host: t\r\n\r\n
  < 400                                             a response
  = closes                                          the state of the connection at the end

Bytes to send, and bodies, have the escapes \r \n \t \0 \\ \xHH, and \(text*3) for texttexttext.

Steps, in the order in which they happen:

  > bytes         the client sends these bytes
  .               the client closes its sending direction
  ~ 100 ms        the server sends nothing for this time
  < 200           the next response has this status. Optional, in this order:
                    to HEAD, to 1.0    method or HTTP version of the request, which decide about body and framing
                    times 20           the number of such responses
                    optional           it may be missing (an interim 100, if the body has already arrived)
                    truncated          the connection ends before the body is complete
                    within 400 ms      maximum time after the previous step
                    | hello            its body
  <   Allow: GET    the last response has this field
  <   no Allow      the last response does not have this field

States at the end:

  = closes        the last response has `Connection: close`, and the connection ends after it, without a reset
  = ends          the connection ends, but no response has `Connection: close`
  = stays open    the connection serves another request
  = closes or stays open    as the last response states; for vectors that depend on the number of bytes received

Only the last response may have `Connection: close`. responses.py checks the rules for all responses.
"""

import dataclasses
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parent / "vectors"
END_STATES = ("closes", "ends", "stays open", "closes or stays open")


@dataclasses.dataclass
class Send:
    """The client sends bytes."""
    data: bytes


@dataclasses.dataclass
class CloseSending:
    """The client closes its sending direction."""


@dataclasses.dataclass
class NoData:
    """The server sends nothing for this time."""
    seconds: float


@dataclasses.dataclass
class Receive:
    """The client receives a response."""
    status: int
    head: bool = False      # a response to HEAD
    minor: int = 1          # HTTP version of the request: 1.minor
    times: int = 1
    optional: bool = False
    truncated: bool = False
    max_seconds: float = 0
    body: object = None                                     # bytes, or None for any body
    fields: list = dataclasses.field(default_factory=list)  # (name, value); None as the value if it must not exist


@dataclasses.dataclass
class Vector:
    rule: str
    name: str
    options: tuple
    steps: list = dataclasses.field(default_factory=list)
    end_state: str = ""


@dataclasses.dataclass
class Rule:
    name: str               # of the file
    title: str
    source: str
    vectors: list


SIMPLE_ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
REPETITION_END = re.compile(r"\*(\d+)\)")


def unescape(text):
    """The bytes that a line of a vector describes."""
    data, _ = unescape_from(text, 0, False)
    return data


def unescape_from(text, position, is_repetition):
    """Returns (bytes, end position). The end is the end of the text, or in a repetition its closing parenthesis."""
    data = b""
    while position < len(text):
        if is_repetition and (end := REPETITION_END.match(text, position)):
            return data * int(end.group(1)), end.end()
        if text[position] != "\\":
            unescaped, position = text[position].encode("ascii"), position + 1
        elif text[position + 1] in SIMPLE_ESCAPES:
            unescaped, position = SIMPLE_ESCAPES[text[position + 1]], position + 2
        elif text[position + 1] == "x":
            unescaped, position = bytes([int(text[position + 2:position + 4], 16)]), position + 4
        elif text[position + 1] == "(":
            unescaped, position = unescape_from(text, position + 2, True)
        else:
            raise ValueError(f"unknown escape: {text[position:position + 2]}")
        data += unescaped
    if is_repetition:
        raise ValueError("a repetition is not closed")
    return data, position


RESPONSE = re.compile(r"(?P<status>[1-5]\d\d)(?: to (?P<to>HEAD|1\.0|HEAD 1\.0))?(?: times (?P<times>\d+))?"
                      r"(?P<optional> optional)?(?P<truncated> truncated)?(?: within (?P<within>\d+) ms)?"
                      r"(?: \| ?(?P<body>.*))?")
FIELD = re.compile(r"(?:no (?P<absent>[\w-]+)|(?P<name>[\w-]+): (?P<value>.*))")


def parse_response(text):
    match = RESPONSE.fullmatch(text)
    if not match:
        raise ValueError(f"invalid response: {text}")
    to = match["to"] or ""
    return Receive(status=int(match["status"]), head="HEAD" in to, minor=0 if "1.0" in to else 1,
                   times=int(match["times"] or 1), optional=bool(match["optional"]), truncated=bool(match["truncated"]),
                   max_seconds=int(match["within"] or 0) / 1000,
                   body=None if match["body"] is None else unescape(match["body"]))


def parse_line(vector, line):
    """Adds one line to a vector. Raises ValueError if the line is invalid."""
    mark, text = line[0], line[1:].strip() if line[0] != ">" else line[2:]
    last = vector.steps[-1] if vector.steps else None
    if vector.end_state:
        raise ValueError(f"a line after the end state: {line}")
    if mark == ">":
        if isinstance(last, Send):
            last.data += unescape(text)
        else:
            vector.steps.append(Send(unescape(text)))
    elif mark == "<" and line.startswith("<   "):
        match = FIELD.fullmatch(text)
        if not match or not isinstance(last, Receive):
            raise ValueError(f"not a field of a response: {line}")
        last.fields.append((match["absent"] or match["name"], match["value"]))
    elif mark == "<":
        vector.steps.append(parse_response(text))
    elif mark == "~":
        vector.steps.append(NoData(int(re.fullmatch(r"(\d+) ms", text).group(1)) / 1000))
    elif line == ".":
        vector.steps.append(CloseSending())
    elif mark == "=" and text in END_STATES:
        vector.end_state = text
    else:
        raise ValueError(f"neither a step nor an end state: {line}")


def read_rule(path):
    lines = path.read_text(encoding="utf-8").split("\n")
    title, source = lines[0], lines[1]
    if not source.startswith("RFC "):
        raise ValueError(f"{path.name}:2: the source must be an RFC")
    options, vectors = (), []
    for number, line in enumerate(lines[2:], 3):
        try:
            if line.startswith("--- "):
                vectors.append(Vector(path.stem, line[4:], options))
            elif vectors and line:
                parse_line(vectors[-1], line)
            elif line.startswith("options: "):
                options = tuple(line[9:].split())
        except (ValueError, IndexError, AttributeError) as error:
            raise ValueError(f"{path.name}:{number}: {error}") from None
    for vector in vectors:
        if not vector.end_state or not vector.steps and vector.end_state != "ends":
            raise ValueError(f"{path.name}: the vector '{vector.name}' has no steps or no end state")
    return Rule(path.stem, title, source, vectors)


def all_rules():
    return [read_rule(path) for path in sorted(FOLDER.glob("*.txt"))]
