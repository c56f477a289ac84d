#!/usr/bin/env python3
"""HTTP/1.1 over loopback: what the server answers to what, whether it serves on, and that every byte of it is in order.

  tests/conformance/run.py              everything
  tests/conformance/run.py host chunk   the rules whose file name begins so, and nothing else

The vectors are in vectors/, one file for each rule; vectors.py says how to read them. Each is played against both paths
of the engine (server.cpp), and three times against each: every send as a whole, in single bytes, and cut at random
points, which are the same in every run. The answers must not depend on how the requests were cut, and both paths have
to give the same bytes. Every answer is read by our own strict reader and by h11 as a client (answers.py).

slow.py follows: clients that attack by being slow.
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
import answers as wire  # noqa: E402
import serving  # noqa: E402
import slow  # noqa: E402
import vectors  # noqa: E402
from answers import Asked, Wrong  # noqa: E402
from kit import Tally, load  # noqa: E402

PATIENCE = 5            # seconds of an idle machine for any answer
AT_ONCE = 8             # conversations side by side: most of their time they wait
PROBE = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
PATHS = {"direct": (), "canonical": ("--canonical",)}


# --- how a send is cut ------------------------------------------------------------------------------------------------

def whole(data, _):
    return [data]


def single_bytes(data, chance):
    """What is as long as a head of 32 KiB would take longer than all the rest: it is cut at random points as well."""
    return [data[at:at + 1] for at in range(len(data))] if len(data) <= 600 else random_points(data, chance)


def random_points(data, chance):
    points = sorted(chance.randrange(1, len(data)) for _ in range(chance.randint(1, 12))) if len(data) > 1 else []
    return [data[begin:end] for begin, end in zip([0, *points], [*points, len(data)]) if begin < end]


CUTS = (whole, single_bytes, random_points)


# --- one conversation -------------------------------------------------------------------------------------------------

class Conversation:
    """A connection as a client sees it: what came, of it what is read, and the answers that were."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE * load())
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream, self.ended, self.answers = b"", False, []
        self.broken = None                      # why a send failed

    def send(self, pieces):
        try:
            for piece in pieces:
                self.socket.sendall(piece)
                if len(pieces) > 1:
                    time.sleep(0.0001)          # long enough for the server to take it before the next one comes
        except OSError as error:                # what the server said before that is still to be read
            self.broken = error

    def more(self):
        try:
            piece = self.socket.recv(256 * 1024)
        except socket.timeout:
            raise Wrong(f"nothing for {self.socket.gettimeout():.0f} s, after {self.stream[-80:]!r}") from None
        except ConnectionError as error:
            raise Wrong(f"the connection was reset ({error}), after {self.stream[-80:]!r}") from None
        self.stream += piece
        self.ended = not piece

    def next(self, asked):
        """The next answer, which stays in the stream."""
        while True:
            answer = wire.take(self.stream, asked, self.ended)
            if answer:
                return answer
            if self.ended:
                raise Wrong(f"the connection ended within an answer: {self.stream[-80:]!r}")
            self.more()

    def hear(self, step):
        asked = Asked("HEAD" if step.head else "GET", step.minor)
        began = time.monotonic()
        if step.cut:
            return self.hear_cut(step, asked)
        for _ in range(step.times):
            answer = self.next(asked)
            if step.perhaps and answer.status != step.status:
                return
            self.stream = self.stream[len(answer.raw):]
            self.answers.append(answer)
            check_answer(step, answer)
        if step.within and time.monotonic() - began > step.within:
            raise Wrong(f"{step.status} came after {time.monotonic() - began:.2f} s")

    def hear_cut(self, step, asked):
        while not self.ended:
            self.more()
        if wire.take(self.stream, asked, True):
            raise Wrong("an answer that broke off looks as if it were whole")
        status, _ = wire.head_of(self.stream.partition(b"\r\n\r\n")[0])
        if status != step.status:
            raise Wrong(f"{status} in place of {step.status}")
        self.stream = b""

    def quiet(self, seconds):
        if self.stream or select.select([self.socket], [], [], seconds)[0]:
            self.more()
            raise Wrong(f"too early: {self.stream[:80]!r}" if self.stream else "the connection ended too early")

    def end(self, ending):
        finals = [answer for answer in self.answers if not answer.informational]
        if any(answer.closing for answer in finals[:-1]):
            raise Wrong("Connection: close in an answer before the last one")
        closing = bool(finals) and finals[-1].closing
        if ending == "as it says":
            ending = "closes" if closing else "serves on"
        if closing != (ending == "closes"):
            raise Wrong("it said Connection: close" if closing else "it did not say Connection: close")
        if ending == "serves on":
            self.send([PROBE])
            self.hear(vectors.Hear(200, body=b"hello"))
            self.socket.shutdown(socket.SHUT_WR)
        while not self.ended:
            self.more()
        if self.stream:
            raise Wrong(f"behind the last answer: {self.stream[:80]!r}")
        self.check_reset()

    def check_reset(self):
        """Linux lets a client read what came before a reset, Windows drops it: a reset is a fault even so."""
        code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        why = self.broken or code and os.strerror(code)
        if why:
            raise Wrong(f"the connection was closed over what the client was sending: {why} (RFC 9112 §9.6)")


def check_answer(step, answer):
    if answer.status != step.status:
        raise Wrong(f"{answer.status} in place of {step.status}: {answer.body[:120]!r}")
    if step.body is not None and answer.body != step.body:
        raise Wrong(f"{answer.status} with {answer.body[:80]!r} in place of {step.body[:80]!r}")
    for name, value in step.fields:
        values = answer.values(name)
        if value is None and values:
            raise Wrong(f"{answer.status} with {name}: {values[0]}")
        if value is not None and values != [value]:
            raise Wrong(f"{answer.status} with {name}: {', '.join(values) or 'nothing'}, in place of {value}")


def play(vector, port, cut, h11):
    """(what was wrong, the answers as they can be compared)"""
    chance = random.Random(f"{vector.rule}, {vector.name}, {cut.__name__}")
    heard = Conversation(port)
    try:
        with contextlib.closing(heard.socket):
            for step in vector.steps:
                if isinstance(step, vectors.Send):
                    heard.send(cut(step.data, chance))
                elif isinstance(step, vectors.Leave):
                    heard.socket.shutdown(socket.SHUT_WR)
                elif isinstance(step, vectors.Quiet):
                    heard.quiet(step.seconds)
                else:
                    heard.hear(step)
            heard.end(vector.ending)
        wrong = wire.second_opinion(h11, heard.answers, ended=True) if h11 else ""
    except (Wrong, OSError) as error:
        wrong = str(error) or type(error).__name__
    return wrong, [wire.comparable(answer) for answer in heard.answers if not answer.informational]


def difference(one, other):
    for a, b in zip([*one, b""], [*other, b""]):
        if a != b:
            return f"{a[:400]!r}\n{b[:400]!r}"
    return ""


# --- what no vector can say -------------------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nDate: " + time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()).encode() + b"\r\n"

# Answers that the reader has to refuse, or it proves nothing; each is one step away from one that it takes.
BAD_ANSWERS = {
    "a line feed alone": HEAD + b"X: y\nContent-Length: 0\r\n\r\n",
    "a blank before the colon": HEAD + b"Content-Length : 0\r\n\r\n",
    "a folded line": HEAD + b"X: y\r\n z\r\nContent-Length: 0\r\n\r\n",
    "another version": HEAD.replace(b"1.1", b"1.0") + b"Content-Length: 0\r\n\r\n",
    "no Date": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "Date twice": HEAD + HEAD.split(b"\r\n", 1)[1] + b"Content-Length: 0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "a length that is no number": HEAD + b"Content-Length: +0\r\n\r\n",
    "a length beside chunks": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another coding": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a chunk size that is no number": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    "a chunk longer than its size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "204 with a length": HEAD.replace(b"200 OK", b"204 No Content") + b"Content-Length: 0\r\n\r\n",
    "405 without Allow": HEAD.replace(b"200 OK", b"405 No") + b"Content-Length: 0\r\n\r\n",
    "an end that nothing says": HEAD + b"\r\n",
}


def check_reader(tally):
    def refused(stream):
        try:
            wire.take(stream, Asked(), True)
        except Wrong:
            return True
        return False

    passed = [name for name, stream in BAD_ANSWERS.items() if not refused(stream)]
    good = wire.take(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nrest", Asked())
    tally.check(f"our reader refuses {len(BAD_ANSWERS)} bad answers, and takes a good one",
                not passed and good and good.body == b"ab" and good.raw.endswith(b"0\r\n\r\n"), f"it took: {passed}")


def check_write_deadline(tally, program, path):
    """A client that asks for more than fits into the socket's buffers, and does not read."""
    wanted = 64
    with serving.running(program, *PATHS[path], "--write-ms", "300") as server, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(PATIENCE * load())
        client.connect(("127.0.0.1", server.port))
        client.sendall(b"GET /large HTTP/1.1\r\nHost: t\r\n\r\n" * wanted)
        time.sleep(1.5)
        got = 0
        with contextlib.suppress(OSError):
            while piece := client.recv(1 << 20):
                got += len(piece)
    tally.check(f"write deadline: who stops reading is let go ({path})", got < wanted << 20 and server.code == 0,
                f"{got} bytes came, and the server ended with {server.code}")


# ----------------------------------------------------------------------------------------------------------------------

def play_all(tally, program, rules, h11):
    """Starts a server for each set of options and path, plays, and reports: what failed comes last."""
    played = [vector for rule in rules for vector in rule.vectors]
    servers, results = {}, {}
    with contextlib.ExitStack() as running:
        folder = pathlib.Path(running.enter_context(tempfile.TemporaryDirectory()))
        file = folder / "letters.txt"
        file.write_text("abcdefghijklmnopqrstuvwxyz")
        os.utime(file, (1_000_000_000, 1_000_000_000))      # Sun, 09 Sep 2001 01:46:40 GMT
        for options in {vector.options for vector in played}:
            for path, choice in PATHS.items():
                servers[options, path] = running.enter_context(
                    serving.running(program, "--file", file, *choice, *options))
        jobs = [(vector, path, cut) for vector in played for path in PATHS for cut in CUTS]
        with concurrent.futures.ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            outcomes = pool.map(lambda job: play(job[0], servers[job[0].options, job[1]].port, job[2], h11), jobs)
            for (vector, path, cut), outcome in zip(jobs, outcomes):
                results[id(vector), path, cut] = outcome

    verdicts = []
    for rule in rules:
        verdicts += [(f"{rule.name}: {vector.name} ({path})",
                      verdict_of(vector, *(results[id(vector), path, cut] for cut in CUTS)))
                     for vector in rule.vectors for path in PATHS]
        apart = [f"{vector.name}:\n{found}" for vector in rule.vectors
                 if (found := difference(*(results[id(vector), path, whole][1] for path in PATHS)))]
        verdicts.append((f"{rule.name}: both paths give the same bytes", "\n".join(apart)))
    for name, wrong in sorted(verdicts, key=lambda verdict: bool(verdict[1])):
        tally.check(name, not wrong, wrong)
    codes = [server.code for server in servers.values()]
    tally.check("the servers end with 0 when they are told to", not any(codes), f"they ended with {codes}")


def verdict_of(vector, *by_cut):
    """What was wrong with it on one path, in the order of CUTS."""
    wrong = [f"{spoken(cut)}: {said}" for cut, (said, _) in zip(CUTS, by_cut) if said]
    if not wrong and vector.ending != "as it says":
        wrong = [f"{spoken(cut)}: other bytes than as a whole\n{found}" for cut, (_, heard) in zip(CUTS, by_cut)
                 if (found := difference(by_cut[0][1], heard))]
    return "\n".join(wrong)


def spoken(cut):
    return cut.__name__.replace("_", " ")


def main():
    tally = Tally()
    rules = [rule for rule in vectors.all_rules()
             if len(sys.argv) == 1 or any(rule.name.startswith(word) for word in sys.argv[1:])]
    if not rules:
        tally.check("there are vectors", False, f"no file of vectors/ begins with {', '.join(sys.argv[1:])}")
        tally.finish()
    h11 = wire.load_h11()
    if not h11:
        tally.skip("the second reader", "python3-h11 is not there; tools/deps installs it")
    check_reader(tally)                                     # first: its answers have the date of this moment
    program, said = serving.build()
    if not program:
        tally.check("the server builds", False, said)
        tally.finish()

    began = time.monotonic()
    play_all(tally, program, rules, h11)
    print(f"        {sum(len(rule.vectors) for rule in rules)} vectors in {time.monotonic() - began:.1f} s", flush=True)
    if len(sys.argv) == 1:
        for path in PATHS:
            check_write_deadline(tally, program, path)
        slow.check_all(tally, program)
    tally.finish()


if __name__ == "__main__":
    main()
