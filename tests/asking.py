"""Requests to the running examples, which run with `debug`, as their heads show them: EXAMPLES has a function per name.

A function gets the port, sends its requests, and returns a description of the failure, or nothing. After that the program
is stopped with Ctrl-C and must exit with 0.
"""

import base64
import contextlib
import http.client
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import termios
import time

from kit import BUILD, ROOT, Limit, eventually, load

sys.path.insert(0, str(ROOT / "tests" / "browser"))
import chromium  # noqa: E402


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def ask(name, program):
    """Returns a description of the failure; empty if the example has no function in EXAMPLES, or passed."""
    question = EXAMPLES.get(name)
    if not question:
        return ""
    port = free_port()
    BEFORE.get(name, lambda folder: None)(program.parent)
    with open(program.parent / "asked.log", "w+b") as log:
        running = subprocess.Popen([program, "debug", "--port", str(port)], stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, cwd=program.parent, start_new_session=True,
                                   env=dict(os.environ, XDG_STATE_HOME=str(program.parent / "state"), **ENVIRONMENT))
        try:
            wrong = "" if listens(port, running) else "it does not listen\n"
            wrong = wrong or question(port) or ""
        except (OSError, ValueError, http.client.HTTPException) as e:
            wrong = f"{type(e).__name__}: {e}\n"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(running.pid, signal.SIGINT)
            try:
                code = running.wait(timeout=30 * load())
            except subprocess.TimeoutExpired:
                running.kill()
                code = running.wait()
        if code != 0:
            wrong += f"it ended with {code}\n"
        log.seek(0)
        return wrong and f"{program.name} debug, asked: {wrong}{log.read().decode('utf-8', 'replace')}"


def listens(port, running):
    def connects_or_ended():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
        return running.poll() is not None

    return eventually(connects_or_ended, 20) and running.poll() is None


def get(connection, path):
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode("utf-8")


# --- WebSockets -------------------------------------------------------------------------------------------------------

class Talk:
    """A minimal WebSocket client: short texts, no fragments (RFC 6455, section 5)."""

    def __init__(self, port, path, fields=""):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.stream = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                             f"Upgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{fields}\r\n").encode())
        self.status = int(self.stream.readline().split()[1])
        while self.stream.readline() not in (b"\r\n", b""):
            pass

    def send(self, opcode, payload):
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.socket.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + masked)

    def say(self, text):
        self.send(1, text.encode())

    def close(self, code=1000):
        self.send(8, struct.pack("!H", code))

    def next(self):
        """("text", "hello"), ("close", 1000), ("end", "")"""
        head = self.stream.read(2)
        if len(head) < 2:
            return "end", ""
        payload = self.stream.read(head[1] & 0x7F)
        if head[0] & 0x0F == 8:
            return "close", struct.unpack("!H", payload[:2])[0]
        return "text", payload.decode("utf-8")


def websocket(port):
    status, page = get(http.client.HTTPConnection("127.0.0.1", port, timeout=10), "/")
    if status != 200 or "/page.js" not in page:
        return f"GET /: {status} {page}\n"
    anna, bert, other = Talk(port, "/chat/kitchen"), Talk(port, "/chat/kitchen"), Talk(port, "/chat/garden")
    anna.say("hello")
    heard = [anna.next(), bert.next()]
    other.say("quiet here")
    heard.append(other.next())
    if heard != [("text", "hello"), ("text", "hello"), ("text", "quiet here")]:
        return f"heard {heard}\n"
    anna.close()
    goodbye = [anna.next(), anna.next()]
    if goodbye != [("close", 1000), ("end", "")]:
        return f"the goodbye: {goodbye}\n"
    stranger = Talk(port, "/chat/kitchen", "Origin: http://elsewhere.example\r\n")
    return f"a page of another site got {stranger.status}\n" if stranger.status != 403 else ""


# --- OpenAPI, metrics -------------------------------------------------------------------------------------------------

VALIDATOR = BUILD / "deps" / "node" / "node_modules"      # tools/deps installs it: @apidevtools/swagger-parser
VALIDATE = """require("@apidevtools/swagger-parser").validate(JSON.parse(require("fs").readFileSync(0))).then(
  api => console.log(Object.keys(api.paths).length + " paths"), e => { console.log(e.message); process.exit(1); });"""


def validated(document):
    """The errors that the validator reports for an OpenAPI document; empty if it is valid."""
    ran = subprocess.run(["node", "-e", VALIDATE], input=document.encode(), capture_output=True, timeout=60,
                         env=dict(os.environ, NODE_PATH=str(VALIDATOR)))
    return "" if ran.returncode == 0 else (ran.stdout + ran.stderr).decode("utf-8", "replace")


def openapi(port):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    seats = []
    for user in ("anna", "bert", "carl"):
        client.request("POST", "/products/cad/seats", json.dumps({"user": user}), {"Content-Type": "application/json"})
        answer = client.getresponse()
        seats.append((answer.status, answer.getheader("Location")))
        answer.read()
    if seats != [(201, "/products/cad/seats/1"), (201, "/products/cad/seats/2"), (409, None)]:
        return f"three took seats: {seats}\n"
    _, products = get(client, "/products?free=true")
    if [p["seats"] for p in json.loads(products)] != ["/products/render/seats"]:
        return f"products with free seats: {products}\n"
    status, page = get(client, "/products?free=perhaps")
    if status != 400 or "'free'" not in page:
        return f"free=perhaps: {status} {page}\n"

    status, document = get(client, "/openapi.json")
    ids = sorted(o["operationId"] for path in json.loads(document)["paths"].values() for o in path.values())
    if status != 200 or ids != ["give_back", "products", "seat", "seats"]:
        return f"the document: {status}, {ids}\n"
    if VALIDATOR.exists() and (wrong := validated(document)):
        return f"the document is not OpenAPI: {wrong}\n{document}\n"

    status, page = get(client, "/metrics")
    for line in ('http_requests_total{method="POST",route="/products/{product}/seats",status="201"} 2',
                 'http_requests_total{method="POST",route="/products/{product}/seats",status="409"} 1',
                 'http_request_duration_seconds_bucket{route="/products/{product}/seats",le="+Inf"} 3',
                 'http_request_duration_seconds_count{route="/products/{product}/seats"} 3',
                 "http_requests_in_flight 1", "http_connections 1"):
        if status != 200 or line not in page.split("\n"):
            return f"the metrics have no line {line}: {status}\n{page}\n"
    return ""


# --- TLS --------------------------------------------------------------------------------------------------------------

def certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "key.pem",
                    "-out", "cert.pem", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   cwd=folder, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    certificate.made = folder / "cert.pem"


def tls(port):
    trust = ssl.create_default_context(cafile=certificate.made)
    status, text = get(http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=trust), "/")
    if (status, text) != (200, "hello, quietly"):
        return f"GET /: {status} {text}\n"
    login = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=trust)
    login.request("GET", "/login")
    cookie = login.getresponse().getheader("Set-Cookie", "")
    if "; Secure" not in cookie:
        return f"the cookie: {cookie}\n"
    status, text = get(http.client.HTTPConnection("127.0.0.1", port, timeout=10), "/")
    return f"plain HTTP: {status} {text}\n" if status != 400 or "https://" not in text else ""


# --- static files -----------------------------------------------------------------------------------------------------

def site(folder):
    (folder / "public").mkdir(exist_ok=True)
    (folder / "public" / "index.html").write_text("<h1>It works</h1>\n")
    (folder / "public" / "data.csv").write_text("a,b\n1,2\n")


def files(port):
    """With curl, as a person would."""
    def curl(*words):
        ran = subprocess.run(["curl", "-sS", "-i", "--max-time", "10", *words], capture_output=True, text=True, timeout=20)
        head, _, body = ran.stdout.partition("\n\n")
        return (int(head.split()[1]) if head else 0), head.lower(), body, ran.stderr

    at = f"http://127.0.0.1:{port}"
    status, head, body, _ = curl(at + "/")
    tag = next((line.split(": ")[1] for line in head.split("\n") if line.startswith("etag: ")), "")
    if (status, body) != (200, "<h1>It works</h1>\n") or not tag:
        return f"GET /: {head}\n{body}\n"
    for words, wanted, text in ((("-H", f"If-None-Match: {tag}"), 304, ""), (("-r", "0-3"), 206, "<h1>"),
                                (("-r", "100-"), 416, None), (("-I",), 200, "")):
        status, head, body, _ = curl(*words, at + "/")
        if status != wanted or text not in (None, body):
            return f"{words}: {head}\n{body}\n"
    for path, wanted in (("/any/page", 200), ("/none.css", 404), ("/../files", 404), ("/%2e%2e/files", 404)):
        status, head, _, _ = curl("--path-as-is", at + path)
        if status != wanted:
            return f"{path}: {head}\n"
    status, head, body, _ = curl(at + "/report")
    if status != 200 or 'content-disposition: attachment; filename="report.csv"' not in head or body != "a,b\n1,2\n":
        return f"/report: {head}\n{body}\n"
    return ""


# --- uploads ----------------------------------------------------------------------------------------------------------

def files_to_send(folder):
    (folder / "large.bin").write_bytes(bytes(range(256)) * 65536)                       # 16 MiB: more than 8
    (folder / "a & b.txt").write_text("hello", encoding="utf-8")
    files_to_send.folder = folder


def upload(port):
    folder, url = files_to_send.folder, f"http://127.0.0.1:{port}/"
    sent = subprocess.run(["curl", "-sS", "-o", os.devnull, "-w", "%{http_code}", "-F", "file=@large.bin", "-F",
                           "file=@a & b.txt;filename=../../a & b.txt", url],
                          cwd=folder, capture_output=True, timeout=60, text=True)
    if sent.stdout != "303":
        return f"curl -F: {sent.stdout} {sent.stderr}\n"
    inbox = sorted((folder / "state" / "upload" / "inbox").iterdir(), key=lambda one: one.stat().st_size)
    if [one.name.split("-", 2)[-1] for one in inbox] != ["a & b.txt", "large.bin"]:
        return f"the inbox has {inbox}\n"
    if inbox[1].read_bytes() != (folder / "large.bin").read_bytes():
        return "the large file is not what was sent\n"
    if left := list((folder / "state" / "upload" / "uploads").iterdir()):
        return f"left behind: {left}\n"
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    status, page = get(client, "/")
    if status != 200 or "a &amp; b.txt, 5 bytes" not in page or "large.bin, 16777216 bytes" not in page:
        return f"the page: {status}\n{page}\n"
    client.request("POST", "/", b"--B\r\nno form", {"Content-Type": "multipart/form-data; boundary=B"})
    answer = client.getresponse()
    return f"no form: {answer.status}\n" if answer.status != 400 else ""


# --- logins -----------------------------------------------------------------------------------------------------------

def forwarded(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    wrong = "" if get(connection, "/") == (200, "hello\n") else "GET / is no hello\n"
    expected = r"\[\d\d:\d\d:\d\d\.\d+\] \[info\] listening on .*\n(.*\n)*.*\[warning\] somebody said hello\n"
    if eventually(lambda: re.search(expected, get(connection, "/last")[1])):        # the sink is called a little later
        return wrong
    return wrong + f"GET /last: {get(connection, '/last')[1]}\n"


def auth(port):
    """Sends requests as a proxy in front of the service, each for another client."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def asked(method, path, who, **fields):
        client.request(method, path, headers={"X-Forwarded-For": who, **fields})
        answer = client.getresponse()
        return answer.status, answer.read().decode("utf-8"), answer.headers

    password = {"Authorization": "Basic " + base64.b64encode(b"anna:secret").decode()}
    status, body, fields = asked("GET", "/account", "203.0.113.1")
    if status != 401 or not fields["WWW-Authenticate"]:
        return f"GET /account: {status} {fields}\n"
    tries = [asked("POST", "/login", "203.0.113.2")[0] for _ in range(6)]
    if tries != [401] * 5 + [429]:
        return f"six tries: {tries}\n"
    status, body, fields = asked("POST", "/login", "203.0.113.1", **password)
    cookie = fields["Set-Cookie"] or ""
    if (status, body) != (200, "welcome, anna\n") or not {" Secure", " HttpOnly"} <= set(cookie.split(";")):
        return f"POST /login: {status} {body} {fields}\n"
    status, body, _ = asked("GET", "/account", "203.0.113.1", Cookie=cookie.split(";")[0])
    return f"GET /account: {status} {body}\n" if (status, body) != (200, "anna's account\n") else ""


# --- events -----------------------------------------------------------------------------------------------------------

def events(port):
    for last, expected in (("", "id: 1"), ("7", "id: 8"), (str(2**63 - 1), f"id: {2**63}"), ("x", "id: 1")):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        client.request("GET", "/events", headers={"Last-Event-ID": last} if last else {})
        first = client.getresponse().readline().decode("utf-8").strip()
        client.close()
        if first != expected:
            return f"after {last}: {first}\n"
    return page_of_events(port) if chromium.program() else ""


def page_of_events(port):
    """The page in a browser: its script has to have got an event."""
    return in_browser(f"http://127.0.0.1:{port}/", r'<output id="degrees">\d+\.\d</output>')


def in_browser(url, expected):
    """Returns a description of the failure; empty if the page gets the expected content from its script, and the browser
    reports no error."""
    with chromium.Browser() as browser:
        page = browser.page()
        page.go(url)
        content = ""
        limit = Limit(20)
        while not re.search(expected, content, re.DOTALL) and not limit.passed():
            time.sleep(0.1)
            with contextlib.suppress(RuntimeError):          # while a page loads, there is no document
                content = page.evaluate("document.documentElement.outerHTML")
        if not re.search(expected, content, re.DOTALL):
            return f"{url} does not have {expected}: {content}\n"
        complaints = [one for one in page.complaints() if "/favicon.ico" not in one]  # the browser requests it by itself
    return f"the browser says of {url}: {complaints}\n" if complaints else ""


# --- operated ---------------------------------------------------------------------------------------------------------

def operated(port):
    """The page of the service, as a browser shows it, with the settings and without a secret."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    if get(client, "/") != (200, "hello world\n"):
        return f"GET /: {get(client, '/')}\n"
    status, data = get(client, "/_service/data.json")
    if status != 200 or {s["name"] for s in json.loads(data)["settings"]} < {"greeting", "whom", "token", "port"}:
        return f"GET /_service/data.json: {status} {data}\n"
    if not chromium.program():
        return ""
    return in_browser(f"http://127.0.0.1:{port}/_service",
                      r'<h1 id="title">Operated</h1>.*data-state="running">Running<.*<path class="blue" d="M.*>GET<.*>/<'
                      r'.*>greeting<.*what to say')


def at_a_terminal(program):
    """`debug` at a terminal: it prints the keys, and each key has its effect."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(program, [str(program), "debug", "--port", "0"], dict(os.environ, TERM="xterm"))
    seen = ""

    def comes(expected):
        nonlocal seen
        limit = Limit(30)
        while expected not in seen and not limit.passed():
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    seen += os.read(terminal, 65536).decode("utf-8", "replace")
                except OSError:                              # it has ended
                    break
        return expected in seen

    wanted = [("", "q stop"), ("", " a second, "), ("l", "warn and above"), ("l", "error and above"),
              ("l", "debug and above"), ("s", "in the last minute"),
              ("p", "it needs a hook"), ("q", "stopping: q"), ("", "stopped")]
    missing = ""
    for key, expected in wanted:
        os.write(terminal, key.encode())
        if not comes(expected):
            missing = f"'{key}' does not bring '{expected}': {seen!r}\n"
            os.kill(child, signal.SIGKILL)
            break
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return missing or (f"it ended with {status}: {seen!r}\n" if status != 0 else "")


def in_a_terminal(what):
    """Starts a command in a separate pseudo-terminal; returns (pid, master, match of its address) when it serves."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(what[0], what, dict(os.environ, TERM="xterm"))
    seen, limit = "", Limit(30)
    while "q stop" not in seen and not limit.passed():
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 65536).decode("utf-8", "replace")
    return child, terminal, re.search(r"http://127\.0\.0\.1:(\d+)", seen)


def ended(child, seconds):
    """Its status, or nothing when it has not ended by then; then it is killed."""
    limit = Limit(seconds)
    while not limit.passed():
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


# A minimal shell with job control: it runs a job in the foreground, then in the background, and ends it. It waits for what
# the job does to the terminal, for at most the seconds in its last argument. The two fixed pauses are for what the
# job must not do; on a slow machine they prove less and fail no test.
SHELL = """
import os, signal, sys, termios, time
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
end = time.monotonic() + float(sys.argv[2])

def wait(holds):
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()

def raw():
    return termios.tcgetattr(0)[3] & termios.ICANON == 0

job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    wait(lambda: os.tcgetpgrp(0) == os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], [sys.argv[1], "debug", "--port", "0"])
os.setpgid(job, job)
os.tcsetpgrp(0, job)
wait(raw)
os.tcsetpgrp(0, os.getpgrp())
print("type x", flush=True)
time.sleep(0.5)
typed = os.read(0, 1)
time.sleep(0.7)
mode = termios.tcgetattr(0)                                 # and back, with the mode that a shell has for its own lines
mode[3] |= termios.ICANON | termios.ECHO
termios.tcsetattr(0, termios.TCSANOW, mode)
os.tcsetpgrp(0, job)
again = wait(raw)
os.tcsetpgrp(0, os.getpgrp())
stopped = os.waitpid(job, os.WNOHANG | os.WUNTRACED)[0]
os.kill(job, signal.SIGTERM)
pid, status = 0, None
while not pid and time.monotonic() < end:
    pid, status = os.waitpid(job, os.WNOHANG | os.WUNTRACED)
    time.sleep(0.02)
if not pid:
    os.kill(job, signal.SIGKILL)
print("job", typed, again, stopped, pid and status, flush=True)
"""


def rude_terminals(program):
    """Crashes the program in a terminal, does not read its output, and puts it into the background."""
    child, terminal, _ = in_a_terminal([str(program), "debug", "--port", "0"])
    raw = termios.tcgetattr(terminal)[3]
    os.kill(child, signal.SIGABRT)
    status = ended(child, 10)
    after = termios.tcgetattr(terminal)[3]
    os.close(terminal)
    if raw & termios.ICANON or not after & termios.ICANON or not after & termios.ECHO or status != signal.SIGABRT:
        return f"a crash leaves the terminal as it should not be: {raw} {after} {status}\n"

    child, terminal, found = in_a_terminal([str(program), "debug", "--port", "0"])
    client = http.client.HTTPConnection("127.0.0.1", int(found.group(1)), timeout=10)
    for _ in range(400):                                     # a line each; the test does not read them
        get(client, "/")
    os.kill(child, signal.SIGTERM)
    status = ended(child, 30)
    os.close(terminal)
    if status != 0:
        return f"where nobody reads the terminal it does not end: {status}\n"

    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-c", SHELL, str(program), str(40 * load())], dict(os.environ, TERM="xterm"))
    said, limit, typed = "", Limit(60), False
    with contextlib.suppress(OSError):
        while not re.search(r"job b.*\n", said) and not limit.passed():
            if select.select([terminal], [], [], 0.1)[0]:
                said += os.read(terminal, 65536).decode("utf-8", "replace")
            if not typed and "type x" in said:
                typed = bool(os.write(terminal, b"x\n"))    # for the shell
    ended(child, 10)
    os.close(terminal)
    return "" if "job b'x' True 0 0" in said else f"in the background it is stopped, or does not end: {said!r}\n"


# --- views ------------------------------------------------------------------------------------------------------------

def views(port):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    client.request("POST", "/todos", json.dumps({"task": "learn"}), {"Content-Type": "application/json"})
    answer = client.getresponse()
    made = answer.status, answer.getheader("Location"), json.loads(answer.read())
    if made != (201, "/todos/1", {"id": 1, "task": "learn"}):
        return f"POST /todos: {made}\n"
    for path, expected in (("/", "1 to do"), ("/todos", '[{"id":1,"task":"learn"}]'),
                           ("/todos/1", '{"id":1,"task":"learn"}')):
        if get(client, path) != (200, expected):
            return f"GET {path}: {get(client, path)}\n"
    client.request("DELETE", "/todos/1")
    answer = client.getresponse()
    answer.read()
    gone = answer.status, get(client, "/todos/1")[0]
    return f"DELETE, GET /todos/1: {gone}\n" if gone != (204, 404) else ""


BEFORE = {"files": site, "tls": certificate, "upload": files_to_send}     # files that must be next to the program
ENVIRONMENT = {"AUTH_PASSWORD": "secret", "AUTH_KEY": "sixteen-bytes-or-more"}
EXAMPLES = {"auth": auth, "events": events, "files": files, "forwarded": forwarded, "openapi": openapi,
            "operated": operated, "tls": tls, "upload": upload, "views": views, "websocket": websocket}
