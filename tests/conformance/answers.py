"""The server's answers, read as strictly as HTTP/1.1 allows, by two readers that have to agree.

  answer = take(stream, asked)        # the first answer in these bytes; None: it is not whole yet
  disagreement = second_opinion(h11, answers, ended=True)

The first reader is ours and knows what this server has promised beside the grammar: a Date, no Content-Length where
there is no content, `Connection: close` when it closes and only then. The second is h11, which other people wrote. A
browser forgives what both of them refuse; that is why neither of them is a browser.
"""

import dataclasses
import email.utils
import re
import sys
import time

DEBIAN = "/usr/lib/python3/dist-packages"       # where python3-h11 is, for a Python that came from somewhere else


def load_h11():
    """The module, or None."""
    try:
        import h11
    except ImportError:
        sys.path.append(DEBIAN)
        try:
            import h11
        except ImportError:
            return None
        finally:
            sys.path.remove(DEBIAN)
    return h11


class Wrong(Exception):
    """What the server did, in a sentence."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """What an answer depends on beyond its own bytes."""
    method: str = "GET"
    minor: int = 1          # of the request's HTTP version


@dataclasses.dataclass(frozen=True)
class Answer:
    asked: Asked
    status: int
    fields: tuple           # of (name, value)
    body: bytes
    raw: bytes
    until_end: bool         # its body ended with the connection

    def values(self, name):
        return [value for known, value in self.fields if known.lower() == name.lower()]

    @property
    def closing(self):
        return "close" in options(self.values("Connection"))

    @property
    def informational(self):
        return self.status < 200


def options(values):
    return [word.strip().lower() for value in values for word in value.split(",")]


TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [\t \x21-\x7e]*")   # RFC 9112 §4: a blank after the status
VALUE = rb"(?:[^\x00-\x20\x7f](?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?"
FIELD_LINE = re.compile(rb"(" + TOKEN + rb"):[ \t]*(" + VALUE + rb")[ \t]*")
DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3]\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
                  r"[0-2]\d:[0-5]\d:[0-6]\d GMT")                           # RFC 9110 §5.6.7
MAY_REPEAT = {"set-cookie", "vary", "cache-control", "www-authenticate", "link", "warning"}


def take(stream, asked, ended=False):
    """The answer at the front of `stream`, or None while it is not whole. `ended`: nothing will follow these bytes."""
    head_end = stream.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    status, fields = head_of(stream[:head_end])
    answer = Answer(asked, status, fields, b"", b"", False)
    check_fields(answer)
    begin = head_end + 4
    body, end, until_end = body_of(stream, begin, answer, ended)
    if end is None:
        return None
    return Answer(asked, status, fields, body, stream[:end], until_end)


def head_of(text):
    first, *lines = text.split(b"\r\n")
    found = STATUS_LINE.fullmatch(first)
    if not found:
        raise Wrong(f"no status line of HTTP/1.1: {first[:80]!r}")
    fields = []
    for line in lines:
        parts = FIELD_LINE.fullmatch(line)
        if not parts:
            raise Wrong(f"no field line: {line[:80]!r}")
        fields.append((parts.group(1).decode(), parts.group(2).decode("latin-1")))
    return int(found.group(1)), tuple(fields)


def check_fields(answer):
    names = [name.lower() for name, _ in answer.fields]
    for name in set(names) - MAY_REPEAT:
        if names.count(name) > 1:
            raise Wrong(f"{answer.status} with {name} more than once")
    if answer.informational:
        if names and answer.status != 101:
            raise Wrong(f"{answer.status} with the fields {names}")
        return

    date = (answer.values("Date") or [""])[0]
    if not DATE.fullmatch(date):
        raise Wrong(f"{answer.status} with the date {date!r} (RFC 9110 §6.6.1)")
    if abs(email.utils.parsedate_to_datetime(date).timestamp() - time.time()) > 60:
        raise Wrong(f"{answer.status} with a date that is not now: {date}")
    length, coding = answer.values("Content-Length"), answer.values("Transfer-Encoding")
    if length and not re.fullmatch(r"[0-9]+", length[0]):
        raise Wrong(f"Content-Length: {length[0]}")
    if coding and coding[0].lower() != "chunked":
        raise Wrong(f"Transfer-Encoding: {coding[0]}")
    if length and coding:
        raise Wrong("Content-Length with Transfer-Encoding (RFC 9112 §6.2)")
    if coding and answer.asked.minor == 0:
        raise Wrong("Transfer-Encoding to HTTP/1.0 (RFC 9112 §6.1)")
    if answer.status in (204, 304) and (length or coding):
        raise Wrong(f"{answer.status} with Content-Length or Transfer-Encoding (RFC 9110 §8.6, RFC 9112 §6.1)")
    if answer.status == 405 and not answer.values("Allow"):
        raise Wrong("405 without Allow (RFC 9110 §15.5.6)")
    persists = "keep-alive" in options(answer.values("Connection"))
    if answer.asked.minor == 0 and not answer.closing and not persists:
        raise Wrong("an answer to HTTP/1.0 that says neither close nor keep-alive (RFC 9112 §9.3)")


def body_of(stream, begin, answer, ended):
    """(body, its end or None, whether it ended with the connection): RFC 9112 §6.3, in its order"""
    if answer.asked.method == "HEAD" or answer.informational or answer.status in (204, 304):
        return b"", begin, False
    if answer.values("Transfer-Encoding"):
        body, end = chunked_body(stream, begin)
        return body, end, False
    if answer.values("Content-Length"):
        end = begin + int(answer.values("Content-Length")[0])
        return stream[begin:end], end if len(stream) >= end else None, False
    if not answer.closing:
        raise Wrong(f"{answer.status} with neither Content-Length, Transfer-Encoding nor Connection: close")
    return stream[begin:], len(stream) if ended else None, True


SIZE_LINE = re.compile(rb"[0-9A-Fa-f]{1,8}")


def chunked_body(stream, at):
    body = b""
    while True:
        line_end = stream.find(b"\r\n", at)
        if line_end < 0:
            return body, None
        line = stream[at:line_end]
        if not SIZE_LINE.fullmatch(line):
            raise Wrong(f"no chunk size: {line[:40]!r}")
        size, begin = int(line, 16), line_end + 2
        at = begin + size + 2                   # the last chunk's data is the empty trailer section
        if len(stream) < at:
            return body, None
        if stream[at - 2:at] != b"\r\n":
            raise Wrong(f"{stream[at - 2:at]!r} at the end of a chunk")
        body += stream[begin:at - 2]
        if size == 0:
            return body, at


def second_opinion(h11, answers, ended):
    """What h11, as a client that had asked for them, finds wrong with these answers on one connection; or nothing."""
    client = h11.Connection(h11.CLIENT)
    client.receive_data(b"".join(answer.raw for answer in answers))
    if ended:
        client.receive_data(b"")
    left = sum(len(answer.raw) for answer in answers)
    informational = 0
    for number, answer in enumerate(answers):
        left -= len(answer.raw)
        if answer.informational:
            informational += 1
            continue
        try:
            wrong = one_opinion(h11, client, answer, informational, left)
            if wrong:
                return wrong
            if number + 1 < len(answers):
                client.start_next_cycle()
        except h11.ProtocolError as error:
            return f"h11 refuses the answer {answer.status}: {error}"
        informational = 0
    return ""


def one_opinion(h11, client, answer, informational, left):
    """The client is asked to read one final answer and what goes before it; `left` bytes are to follow."""
    client.send(h11.Request(method=answer.asked.method, target="/", headers=[("Host", "t")]))
    client.send(h11.EndOfMessage())
    status, body, before = None, b"", 0
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA or event is h11.PAUSED:
            return f"h11 waits for more of the answer {answer.status}"
        if isinstance(event, h11.InformationalResponse):
            before += 1
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            break
        else:
            return f"h11 saw the connection end within the answer {answer.status}"
    after = len(client.trailing_data[0])
    if (status, body, before, after) == (answer.status, answer.body, informational, left):
        return ""
    return (f"h11 read {before} interim answers, {status} with {len(body)} bytes, and {after} more; "
            f"we read {informational}, {answer.status} with {len(answer.body)}, and {left}")


REQUEST_ID = re.compile(rb"\b[0-9a-f]{6}-[0-9]+\b")


def comparable(answer):
    """Its bytes, but for what differs from one request to the next: the date, and the request id in a 500."""
    head, body = answer.raw.split(b"\r\n\r\n", 1)
    head = re.sub(rb"\r\nDate: [^\r]*", b"\r\nDate: then", head)
    line, *fields = head.split(b"\r\n")       # fields of different names have no order (RFC 9110 §5.3)
    head = b"\r\n".join([line, *sorted(fields, key=lambda field: field.split(b":")[0])])
    with_id = len(body)
    body = REQUEST_ID.sub(b"id", body)
    if len(body) != with_id:
        head = re.sub(rb"\r\nContent-Length: [0-9]+", b"\r\nContent-Length: " + str(len(body)).encode(), head)
    head = REQUEST_ID.sub(b"id", head)
    return head + b"\r\n\r\n" + body
