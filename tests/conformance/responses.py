"""Strict parsing of HTTP/1.1 responses, by a parser of this project and by h11; both must agree.

  response = parse_response(stream, request)      # the first response in these bytes; None if it is incomplete
  error = check_with_h11(h11, responses, ended=True)

The first parser also checks rules beyond the grammar: a Date is required, a response without content has no
Content-Length, and `Connection: close` is sent exactly if the server closes. h11 is an independent implementation. A
browser is not used, because it accepts invalid responses.
"""

import dataclasses
import email.utils
import re
import sys
import time

DEBIAN_PACKAGES = "/usr/lib/python3/dist-packages"       # has python3-h11, for another Python


def load_h11():
    """The h11 module, or None."""
    try:
        import h11
    except ImportError:
        sys.path.append(DEBIAN_PACKAGES)
        try:
            import h11
        except ImportError:
            return None
        finally:
            sys.path.remove(DEBIAN_PACKAGES)
    return h11


class ProtocolError(Exception):
    """A violation of HTTP/1.1 by the server."""


@dataclasses.dataclass(frozen=True)
class Request:
    """Properties of the request that decide how its response is parsed."""
    method: str = "GET"
    minor: int = 1          # the HTTP version is 1.minor


@dataclasses.dataclass(frozen=True)
class Response:
    request: Request
    status: int
    fields: tuple           # (name, value)
    body: bytes
    raw: bytes
    ends_with_connection: bool      # the end of the connection ends the body

    def values(self, name):
        return [value for field_name, value in self.fields if field_name.lower() == name.lower()]

    @property
    def closes(self):
        return "close" in options(self.values("Connection"))

    @property
    def informational(self):
        return self.status < 200


def options(values):
    return [option.strip().lower() for value in values for option in value.split(",")]


TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [\t \x21-\x7e]*")   # RFC 9112 §4: a space after the status
VALUE = rb"(?:[^\x00-\x20\x7f](?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?"
FIELD_LINE = re.compile(rb"(" + TOKEN + rb"):[ \t]*(" + VALUE + rb")[ \t]*")
DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3]\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
                  r"[0-2]\d:[0-5]\d:[0-6]\d GMT")                           # RFC 9110 §5.6.7
MAY_REPEAT = {"set-cookie", "vary", "cache-control", "www-authenticate", "link", "warning"}


def parse_response(stream, request, ended=False):
    """The first response in `stream`, or None if it is incomplete. `ended`: the connection ended after these bytes."""
    head_end = stream.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    status, fields = parse_head(stream[:head_end])
    response = Response(request, status, fields, b"", b"", False)
    check_fields(response)
    begin = head_end + 4
    body, end, ends_with_connection = parse_body(stream, begin, response, ended)
    if end is None:
        return None
    return Response(request, status, fields, body, stream[:end], ends_with_connection)


def parse_head(text):
    first, *lines = text.split(b"\r\n")
    match = STATUS_LINE.fullmatch(first)
    if not match:
        raise ProtocolError(f"invalid status line: {first[:80]!r}")
    fields = []
    for line in lines:
        field = FIELD_LINE.fullmatch(line)
        if not field:
            raise ProtocolError(f"invalid field line: {line[:80]!r}")
        fields.append((field.group(1).decode(), field.group(2).decode("latin-1")))
    return int(match.group(1)), tuple(fields)


def check_fields(response):
    names = [name.lower() for name, _ in response.fields]
    for name in set(names) - MAY_REPEAT:
        if names.count(name) > 1:
            raise ProtocolError(f"{response.status} with {name} more than once")
    if response.informational:
        if names and response.status != 101:
            raise ProtocolError(f"{response.status} with the fields {names}")
        return

    date = (response.values("Date") or [""])[0]
    if not DATE.fullmatch(date):
        raise ProtocolError(f"{response.status} with the date {date!r} (RFC 9110 §6.6.1)")
    if abs(email.utils.parsedate_to_datetime(date).timestamp() - time.time()) > 60:
        raise ProtocolError(f"{response.status} with a date that differs from the current time: {date}")
    length, coding = response.values("Content-Length"), response.values("Transfer-Encoding")
    if length and not re.fullmatch(r"[0-9]+", length[0]):
        raise ProtocolError(f"Content-Length: {length[0]}")
    if coding and coding[0].lower() != "chunked":
        raise ProtocolError(f"Transfer-Encoding: {coding[0]}")
    if length and coding:
        raise ProtocolError("Content-Length with Transfer-Encoding (RFC 9112 §6.2)")
    if coding and response.request.minor == 0:
        raise ProtocolError("Transfer-Encoding in a response to HTTP/1.0 (RFC 9112 §6.1)")
    if response.status in (204, 304) and (length or coding):
        raise ProtocolError(f"{response.status} with Content-Length or Transfer-Encoding (RFC 9110 §8.6, "
                            "RFC 9112 §6.1)")
    if response.status == 405 and not response.values("Allow"):
        raise ProtocolError("405 without Allow (RFC 9110 §15.5.6)")
    persists = "keep-alive" in options(response.values("Connection"))
    if response.request.minor == 0 and not response.closes and not persists:
        raise ProtocolError("a response to HTTP/1.0 with neither close nor keep-alive (RFC 9112 §9.3)")


def parse_body(stream, begin, response, ended):
    """Returns (body, its end or None, whether the end of the connection ends it), in the order of RFC 9112 §6.3."""
    if response.request.method == "HEAD" or response.informational or response.status in (204, 304):
        return b"", begin, False
    if response.values("Transfer-Encoding"):
        body, end = chunked_body(stream, begin)
        return body, end, False
    if response.values("Content-Length"):
        end = begin + int(response.values("Content-Length")[0])
        return stream[begin:end], end if len(stream) >= end else None, False
    if not response.closes:
        raise ProtocolError(f"{response.status} with neither Content-Length, Transfer-Encoding nor Connection: close")
    return stream[begin:], len(stream) if ended else None, True


SIZE_LINE = re.compile(rb"[0-9A-Fa-f]{1,8}")


def chunked_body(stream, position):
    body = b""
    while True:
        line_end = stream.find(b"\r\n", position)
        if line_end < 0:
            return body, None
        line = stream[position:line_end]
        if not SIZE_LINE.fullmatch(line):
            raise ProtocolError(f"invalid chunk size: {line[:40]!r}")
        size, begin = int(line, 16), line_end + 2
        position = begin + size + 2                   # for the last chunk: the empty trailer section
        if len(stream) < position:
            return body, None
        if stream[position - 2:position] != b"\r\n":
            raise ProtocolError(f"{stream[position - 2:position]!r} at the end of a chunk")
        body += stream[begin:position - 2]
        if size == 0:
            return body, position


def check_with_h11(h11, responses, ended):
    """Parses the responses of one connection with h11 as the client. Returns an error message; empty on success."""
    client = h11.Connection(h11.CLIENT)
    client.receive_data(b"".join(response.raw for response in responses))
    if ended:
        client.receive_data(b"")
    remaining = sum(len(response.raw) for response in responses)
    informational = 0
    for number, response in enumerate(responses):
        remaining -= len(response.raw)
        if response.informational:
            informational += 1
            continue
        try:
            error = check_response_with_h11(h11, client, response, informational, remaining)
            if error:
                return error
            if number + 1 < len(responses):
                client.start_next_cycle()
        except h11.ProtocolError as error:
            return f"h11 rejects the response {response.status}: {error}"
        informational = 0
    return ""


def check_response_with_h11(h11, client, response, informational, remaining):
    """Parses one final response and the interim responses before it; `remaining` bytes follow."""
    client.send(h11.Request(method=response.request.method, target="/", headers=[("Host", "t")]))
    client.send(h11.EndOfMessage())
    status, body, interim_count = None, b"", 0
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA or event is h11.PAUSED:
            return f"h11 requires more data for the response {response.status}"
        if isinstance(event, h11.InformationalResponse):
            interim_count += 1
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            break
        else:
            return f"for h11, the connection ends within the response {response.status}"
    trailing = len(client.trailing_data[0])
    if (status, body, interim_count, trailing) == (response.status, response.body, informational, remaining):
        return ""
    return (f"h11 parses {interim_count} interim responses, {status} with {len(body)} bytes, {trailing} bytes remain; "
            f"our parser: {informational}, {response.status}, {len(response.body)} and {remaining}")


REQUEST_ID = re.compile(rb"\b[0-9a-f]{6}-[0-9]+\b")


def normalized(response):
    """Its bytes without the parts that differ between requests: the date, and the request ID in a 500."""
    head, body = response.raw.split(b"\r\n\r\n", 1)
    head = re.sub(rb"\r\nDate: [^\r]*", b"\r\nDate: removed", head)
    line, *fields = head.split(b"\r\n")       # the order of fields is irrelevant (RFC 9110 §5.3)
    head = b"\r\n".join([line, *sorted(fields, key=lambda field: field.split(b":")[0])])
    length_with_id = len(body)
    body = REQUEST_ID.sub(b"id", body)
    if len(body) != length_with_id:
        head = re.sub(rb"\r\nContent-Length: [0-9]+", b"\r\nContent-Length: " + str(len(body)).encode(), head)
    head = REQUEST_ID.sub(b"id", head)
    return head + b"\r\n\r\n" + body
