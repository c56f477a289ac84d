#!/usr/bin/env python3
"""Conformance tests of HTTP/1.1 over loopback: each response byte, and the state of the connection after it.

  tests/conformance/run.py              run all tests
  tests/conformance/run.py host chunk   run only the rules whose file name begins with one of these texts

The test vectors are in vectors/, one file per rule; vectors.py describes their format. Each vector runs three times
(server.cpp): with whole sends, with single bytes, and split at random points, which are the same in each run. The
responses must not depend on how requests are split. The project's parser and h11 parse each response (responses.py).

The tests of proxy.py, slow_clients.py and tests/bench/crowds.py follow.
"""

import concurrent.futures
import contextlib
import os
import pathlib
import random
import select
import socket
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
import crowds  # noqa: E402
import proxy  # noqa: E402
import responses  # noqa: E402
import server_process  # noqa: E402
import slow_clients  # noqa: E402
import vectors  # noqa: E402
from kit import Tally, load  # noqa: E402
from responses import ProtocolError, Request  # noqa: E402

TIMEOUT = 5             # seconds for each response, on an idle machine
MAX_CONNECTIONS = 8     # vectors that run concurrently; most of their time is waiting
TEST_REQUEST = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"


# --- splitting of a send ----------------------------------------------------------------------------------------------

def whole(data, _):
    return [data]


def single_bytes(data, generator):
    """Single bytes; more than 600 bytes would take too long and are split at random points."""
    if len(data) > 600:
        return random_points(data, generator)
    return [data[index:index + 1] for index in range(len(data))]


def random_points(data, generator):
    points = []
    if len(data) > 1:
        points = sorted(generator.randrange(1, len(data)) for _ in range(generator.randint(1, 12)))
    return [data[begin:end] for begin, end in zip([0, *points], [*points, len(data)]) if begin < end]


SPLITS = (whole, single_bytes, random_points)


# --- one vector -------------------------------------------------------------------------------------------------------

class Connection:
    """A client connection: the received bytes that are not parsed yet, and the parsed responses."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT * load())
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream, self.ended, self.responses = b"", False, []
        self.send_error = None

    def send(self, parts):
        try:
            for part in parts:
                self.socket.sendall(part)
                if len(parts) > 1:
                    time.sleep(0.0001)          # so that the server receives the parts one by one
        except OSError as error:                # a response that the server sent before can still be received
            self.send_error = error

    def receive_more(self):
        try:
            data = self.socket.recv(256 * 1024)
        except socket.timeout:
            raise ProtocolError(f"no data for {self.socket.gettimeout():.0f} s, after {self.stream[-80:]!r}") from None
        except ConnectionError as error:
            raise ProtocolError(f"the connection was reset ({error}), after {self.stream[-80:]!r}") from None
        self.stream += data
        self.ended = not data

    def receive_response(self, request):
        """Returns the next response, and leaves its bytes in the stream."""
        while True:
            response = responses.parse_response(self.stream, request, self.ended)
            if response:
                return response
            if self.ended:
                raise ProtocolError(f"the connection ended within a response: {self.stream[-80:]!r}")
            self.receive_more()

    def receive(self, step):
        request = Request("HEAD" if step.head else "GET", step.minor)
        start = time.monotonic()
        if step.truncated:
            return self.receive_truncated(step, request)
        for _ in range(step.times):
            response = self.receive_response(request)
            if step.optional and response.status != step.status:
                return
            self.stream = self.stream[len(response.raw):]
            self.responses.append(response)
            check_response(step, response)
        if step.max_seconds and time.monotonic() - start > step.max_seconds:
            raise ProtocolError(f"{step.status} arrived after {time.monotonic() - start:.2f} s")

    def receive_truncated(self, step, request):
        while not self.ended:
            self.receive_more()
        if responses.parse_response(self.stream, request, True):
            raise ProtocolError("a truncated response appears to be complete")
        status, _ = responses.parse_head(self.stream.partition(b"\r\n\r\n")[0])
        if status != step.status:
            raise ProtocolError(f"{status} instead of {step.status}")
        self.stream = b""

    def check_no_data(self, seconds):
        if self.stream or select.select([self.socket], [], [], seconds)[0]:
            self.receive_more()
            data = self.stream[:80]
            raise ProtocolError(f"too early: {data!r}" if data else "the connection ended too early")

    def check_end(self, end_state):
        final = [response for response in self.responses if not response.informational]
        if any(response.closes for response in final[:-1]):
            raise ProtocolError("Connection: close in a response before the last one")
        closes = bool(final) and final[-1].closes
        if end_state == "closes or stays open":
            end_state = "closes" if closes else "stays open"
        if closes != (end_state == "closes"):
            raise ProtocolError("an unexpected Connection: close" if closes else "Connection: close is missing")
        if end_state == "stays open":
            self.send([TEST_REQUEST])
            self.receive(vectors.Receive(200, body=b"hello"))
            self.socket.shutdown(socket.SHUT_WR)
        while not self.ended:
            self.receive_more()
        if self.stream:
            raise ProtocolError(f"data after the last response: {self.stream[:80]!r}")
        self.check_reset()

    def check_reset(self):
        """A reset is an error: on Linux, data received before a reset can still be read, but Windows discards it."""
        code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        error = self.send_error or code and os.strerror(code)
        if error:
            raise ProtocolError(f"the server closed the connection while the client was sending: {error} "
                                "(RFC 9112 §9.6)")


def check_response(step, response):
    if response.status != step.status:
        raise ProtocolError(f"{response.status} instead of {step.status}: {response.body[:120]!r}")
    if step.body is not None and response.body != step.body:
        raise ProtocolError(f"{response.status} with {response.body[:80]!r} instead of {step.body[:80]!r}")
    for name, value in step.fields:
        values = response.values(name)
        if value is None and values:
            raise ProtocolError(f"{response.status} with {name}: {values[0]}")
        if value is not None and values != [value]:
            found = ", ".join(values) or "no value"
            raise ProtocolError(f"{response.status} with {name}: {found}, instead of {value}")


def run_vector(vector, port, split, h11):
    """Returns (error message, the final responses in comparable form)."""
    generator = random.Random(f"{vector.rule}, {vector.name}, {split.__name__}")
    connection = Connection(port)
    try:
        with contextlib.closing(connection.socket):
            for step in vector.steps:
                if isinstance(step, vectors.Send):
                    connection.send(split(step.data, generator))
                elif isinstance(step, vectors.CloseSending):
                    connection.socket.shutdown(socket.SHUT_WR)
                elif isinstance(step, vectors.NoData):
                    connection.check_no_data(step.seconds)
                else:
                    connection.receive(step)
            connection.check_end(vector.end_state)
        error = responses.check_with_h11(h11, connection.responses, ended=True) if h11 else ""
    except (ProtocolError, OSError) as exception:
        error = str(exception) or type(exception).__name__
    return error, [responses.normalized(response) for response in connection.responses if not response.informational]


def difference(first, second):
    for a, b in zip([*first, b""], [*second, b""]):
        if a != b:
            return f"{a[:400]!r}\n{b[:400]!r}"
    return ""


# --- tests without vectors --------------------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nDate: " + time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()).encode() + b"\r\n"

# Responses that the parser must reject; each differs in one point from a valid response.
INVALID_RESPONSES = {
    "a bare line feed": HEAD + b"X: y\nContent-Length: 0\r\n\r\n",
    "a space before the colon": HEAD + b"Content-Length : 0\r\n\r\n",
    "a folded line": HEAD + b"X: y\r\n z\r\nContent-Length: 0\r\n\r\n",
    "another version": HEAD.replace(b"1.1", b"1.0") + b"Content-Length: 0\r\n\r\n",
    "no Date": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "two Date fields": HEAD + HEAD.split(b"\r\n", 1)[1] + b"Content-Length: 0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "an invalid length": HEAD + b"Content-Length: +0\r\n\r\n",
    "a length and chunks": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another coding": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "an invalid chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    "a chunk longer than its size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "204 with a length": HEAD.replace(b"200 OK", b"204 No Content") + b"Content-Length: 0\r\n\r\n",
    "405 without Allow": HEAD.replace(b"200 OK", b"405 No") + b"Content-Length: 0\r\n\r\n",
    "neither a length nor close": HEAD + b"\r\n",
}


def check_parser(tally):
    def is_rejected(stream):
        try:
            responses.parse_response(stream, Request(), True)
        except ProtocolError:
            return True
        return False

    accepted = [name for name, stream in INVALID_RESPONSES.items() if not is_rejected(stream)]
    valid = responses.parse_response(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nrest", Request())
    tally.check(f"our parser rejects {len(INVALID_RESPONSES)} invalid responses, and accepts a valid one",
                not accepted and valid and valid.body == b"ab" and valid.raw.endswith(b"0\r\n\r\n"),
                f"it accepts: {accepted}")


def check_write_timeout(tally, program):
    """A client requests more than the socket buffers can contain, and does not read."""
    count = 64
    with server_process.running(program, "--write-ms", "300") as server, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(TIMEOUT * load())
        client.connect(("127.0.0.1", server.port))
        client.sendall(b"GET /large HTTP/1.1\r\nHost: t\r\n\r\n" * count)
        time.sleep(1.5)
        received = 0
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 20):
                received += len(data)
    tally.check("write timeout: the connection of a client that does not read is closed",
                received < count << 20 and server.exit_code == 0,
                f"{received} bytes received, exit code of the server {server.exit_code}")


def check_crowds(tally, program):
    """A twentieth of the crowds: 500 event streams, 250 slow bodies, 500 idle connections and 25 slow heads at once."""
    with server_process.running(program) as server:
        error, text = crowds.measure(crowds.load.Server(server.process, server.port), 0.05, 2, max_mib=30)
    tally.check(f"crowds: {text}", not error, error)


# ----------------------------------------------------------------------------------------------------------------------

def run_vectors(tally, program, rules, h11):
    """Runs all vectors, with a server for each set of options, and reports failures last."""
    all_vectors = [vector for rule in rules for vector in rule.vectors]
    servers, results = {}, {}
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file = folder / "letters.txt"
        file.write_text("abcdefghijklmnopqrstuvwxyz")
        os.utime(file, (1_000_000_000, 1_000_000_000))      # Sun, 09 Sep 2001 01:46:40 GMT
        for options in {vector.options for vector in all_vectors}:
            servers[options] = stack.enter_context(
                server_process.running(program, "--file", file, *options))
        jobs = [(vector, split) for vector in all_vectors for split in SPLITS]
        with concurrent.futures.ThreadPoolExecutor(max_workers=MAX_CONNECTIONS) as pool:
            outcomes = pool.map(lambda job: run_vector(job[0], servers[job[0].options].port, job[1], h11), jobs)
            for (vector, split), outcome in zip(jobs, outcomes):
                results[id(vector), split] = outcome

    checks = []
    for rule in rules:
        checks += [(f"{rule.name}: {vector.name}",
                    errors_of(vector, [results[id(vector), split] for split in SPLITS]))
                   for vector in rule.vectors]
    for name, error in sorted(checks, key=lambda check: bool(check[1])):
        tally.check(name, not error, error)
    codes = [server.exit_code for server in servers.values()]
    tally.check("the servers exit with 0 when their standard input is closed", not any(codes), f"exit codes {codes}")


def errors_of(vector, results):
    """The errors of a vector; the results are in the order of SPLITS."""
    errors = [f"{description(split)}: {error}" for split, (error, _) in zip(SPLITS, results) if error]
    if not errors and vector.end_state != "closes or stays open":
        errors = [f"{description(split)}: the responses differ from those to whole sends\n{found}"
                  for split, (_, received) in zip(SPLITS, results) if (found := difference(results[0][1], received))]
    return "\n".join(errors)


def description(split):
    return split.__name__.replace("_", " ")


def main():
    tally = Tally()
    rules = [rule for rule in vectors.all_rules()
             if len(sys.argv) == 1 or any(rule.name.startswith(prefix) for prefix in sys.argv[1:])]
    if not rules:
        tally.check("there are vectors", False, f"no file in vectors/ begins with {', '.join(sys.argv[1:])}")
        tally.finish()
    h11 = responses.load_h11()
    if not h11:
        tally.skip("parsing by h11", "python3-h11 is not installed; tools/deps installs it")
    check_parser(tally)                                     # first, because its responses have the current date
    program, output = server_process.build()
    if not program:
        tally.check("the server builds", False, output)
        tally.finish()

    start = time.monotonic()
    run_vectors(tally, program, rules, h11)
    count = sum(len(rule.vectors) for rule in rules)
    print(f"        {count} vectors in {time.monotonic() - start:.1f} s", flush=True)
    if len(sys.argv) == 1:
        check_write_timeout(tally, program)
        proxy.check_all(tally, program)
        slow_clients.check_all(tally, program)
        check_crowds(tally, program)
    tally.finish()


if __name__ == "__main__":
    main()
