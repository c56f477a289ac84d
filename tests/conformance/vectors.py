r"""The vectors: what a client sends, byte for byte, and what it must hear. One file for each rule, in vectors/.

  Bare line feeds end nothing                       the rule, in a sentence
  RFC 9112 §2.2                                     where it is written
  Two parsers that disagree on ...                  why; as long as it takes
  with: --head-ms 300                               options of the server, where the rule needs some

  --- a request line that ends with LF              one vector: its name,
  > GET / HTTP/1.1\n                                what is sent; lines in a row are one send, without more
  > Host: t\r\n\r\n
  < 400                                             an answer
  = closes                                          how it ends

In what is sent, and in bodies: \r \n \t \0 \\ \xHH, and \(text*3) for texttexttext.

Steps, in the order in which they happen:

  > bytes         the client sends this
  .               the client will send no more, and says so by closing its half
  ~ 100 ms        for so long nothing comes
  < 200           an answer of this status is next. Behind it, in this order and each of them optional:
                    to HEAD, to 1.0    what it is an answer to, where that matters: its body, and how it may be framed
                    times 20           so many of them
                    perhaps            it may be missing: the interim 100 of a body that was there already
                    cut                it breaks off: the connection ends before its body is whole
                    within 400 ms      it comes that soon after the step before it
                    | hello            this is its body
  <   Allow: GET    the answer above has this field
  <   no Allow      and not that one

Endings:

  = closes        the last answer says `Connection: close`, and the connection ends right behind it, without a reset
  = ends          the connection ends, and no answer said so: there was none, or the client ended it
  = serves on     the connection answers another request
  = as it says    one of the two, whichever the last answer said: where it depends on how much had arrived

An answer before the last one never says close. What every answer must have in common is in answers.py.
"""

import dataclasses
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parent / "vectors"
ENDINGS = ("closes", "ends", "serves on", "as it says")


@dataclasses.dataclass
class Send:
    data: bytes


@dataclasses.dataclass
class Leave:
    """The client's half is closed."""


@dataclasses.dataclass
class Quiet:
    seconds: float


@dataclasses.dataclass
class Hear:
    status: int
    head: bool = False
    minor: int = 1
    times: int = 1
    perhaps: bool = False
    cut: bool = False
    within: float = 0
    body: object = None                                     # bytes, or None where any will do
    fields: list = dataclasses.field(default_factory=list)  # of (name, value), or (name, None) for one that must not be


@dataclasses.dataclass
class Vector:
    rule: str
    name: str
    options: tuple
    steps: list = dataclasses.field(default_factory=list)
    ending: str = ""


@dataclasses.dataclass
class Rule:
    name: str               # of the file
    title: str
    source: str
    vectors: list


SIMPLE = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
REPEATED = re.compile(r"\*(\d+)\)")


def unescape(text):
    """The bytes that a line of a vector stands for."""
    out, _ = unescape_from(text, 0, False)
    return out


def unescape_from(text, at, within):
    """(bytes, where they end): the end of the text, or `within` a repetition what closes it."""
    out = b""
    while at < len(text):
        if within and (closing := REPEATED.match(text, at)):
            return out * int(closing.group(1)), closing.end()
        if text[at] != "\\":
            piece, at = text[at].encode("ascii"), at + 1
        elif text[at + 1] in SIMPLE:
            piece, at = SIMPLE[text[at + 1]], at + 2
        elif text[at + 1] == "x":
            piece, at = bytes([int(text[at + 2:at + 4], 16)]), at + 4
        elif text[at + 1] == "(":
            piece, at = unescape_from(text, at + 2, True)
        else:
            raise ValueError(f"unknown escape: {text[at:at + 2]}")
        out += piece
    if within:
        raise ValueError("a repetition that is not closed")
    return out, at


HEAR = re.compile(r"(?P<status>[1-5]\d\d)(?: to (?P<to>HEAD|1\.0|HEAD 1\.0))?(?: times (?P<times>\d+))?"
                  r"(?P<perhaps> perhaps)?(?P<cut> cut)?(?: within (?P<within>\d+) ms)?(?: \| ?(?P<body>.*))?")
FIELD = re.compile(r"(?:no (?P<absent>[\w-]+)|(?P<name>[\w-]+): (?P<value>.*))")


def hear(text):
    found = HEAR.fullmatch(text)
    if not found:
        raise ValueError(f"no answer: {text}")
    to = found["to"] or ""
    return Hear(status=int(found["status"]), head="HEAD" in to, minor=0 if "1.0" in to else 1,
                times=int(found["times"] or 1), perhaps=bool(found["perhaps"]), cut=bool(found["cut"]),
                within=int(found["within"] or 0) / 1000,
                body=None if found["body"] is None else unescape(found["body"]))


def take_line(vector, line):
    """One line of a vector. Throws ValueError for what is none."""
    mark, rest = line[0], line[1:].strip() if line[0] != ">" else line[2:]
    last = vector.steps[-1] if vector.steps else None
    if vector.ending:
        raise ValueError(f"something behind the ending: {line}")
    if mark == ">":
        if isinstance(last, Send):
            last.data += unescape(rest)
        else:
            vector.steps.append(Send(unescape(rest)))
    elif mark == "<" and line.startswith("<   "):
        found = FIELD.fullmatch(rest)
        if not found or not isinstance(last, Hear):
            raise ValueError(f"no field of an answer: {line}")
        last.fields.append((found["absent"] or found["name"], found["value"]))
    elif mark == "<":
        vector.steps.append(hear(rest))
    elif mark == "~":
        vector.steps.append(Quiet(int(re.fullmatch(r"(\d+) ms", rest).group(1)) / 1000))
    elif line == ".":
        vector.steps.append(Leave())
    elif mark == "=" and rest in ENDINGS:
        vector.ending = rest
    else:
        raise ValueError(f"neither a step nor an ending: {line}")


def read_rule(path):
    lines = path.read_text(encoding="utf-8").split("\n")
    title, source = lines[0], lines[1]
    if not source.startswith("RFC "):
        raise ValueError(f"{path.name}:2: names no RFC")
    options, vectors = (), []
    for number, line in enumerate(lines[2:], 3):
        try:
            if line.startswith("--- "):
                vectors.append(Vector(path.stem, line[4:], options))
            elif vectors and line:
                take_line(vectors[-1], line)
            elif line.startswith("with: "):
                options = tuple(line[6:].split())
        except (ValueError, IndexError, AttributeError) as error:
            raise ValueError(f"{path.name}:{number}: {error}") from None
    for vector in vectors:
        if not vector.ending or not vector.steps and vector.ending != "ends":
            raise ValueError(f"{path.name}: '{vector.name}' has no ending")
    return Rule(path.stem, title, source, vectors)


def all_rules():
    return [read_rule(path) for path in sorted(FOLDER.glob("*.txt"))]
