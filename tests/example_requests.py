"""Runs the examples with `debug` and sends them the requests that their leading comments show.

EXAMPLES has a function for each example. It gets the port, sends the requests and returns an error message, which is
empty or None on success. Afterwards Ctrl-C stops the program, which must exit with 0. tests/terminal.py has the tests
of `debug` in a terminal.
"""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from kit import BUILD, ROOT, Limit, eventually, load, started

sys.path.insert(0, str(ROOT / "tests" / "browser"))
import chromium  # noqa: E402
from generated_client.run import client_errors, is_installed as generator_is_installed  # noqa: E402


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def check_example(name, program):
    """Returns an error message; empty if the example passes, or has no function in EXAMPLES."""
    send_requests = EXAMPLES.get(name)
    if not send_requests:
        return ""
    port = free_port()
    PREPARE.get(name, lambda folder: None)(program.parent)
    with open(program.parent / "debug.log", "w+b") as log:
        process = started([program, "debug", "--port", str(port)], stdin=subprocess.DEVNULL, stdout=log,
                          stderr=subprocess.STDOUT, cwd=program.parent, start_new_session=True,
                          env=dict(os.environ, XDG_STATE_HOME=str(program.parent / "state"), **ENVIRONMENT))
        try:
            error = "" if listens(port, process) else "it does not listen\n"
            error = error or send_requests(port) or ""
        except (OSError, ValueError, http.client.HTTPException) as e:
            error = f"{type(e).__name__}: {e}\n"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGINT)
            try:
                code = process.wait(timeout=30 * load())
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
        if code != 0:
            error += f"exit code {code}\n"
        log.seek(0)
        return error and f"{program.name} debug: {error}{log.read().decode('utf-8', 'replace')}"


def listens(port, process):
    def connects_or_has_ended():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
        return process.poll() is not None

    return eventually(connects_or_has_ended, 20) and process.poll() is None


def get(connection, path):
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read().decode("utf-8")


# --- WebSockets -------------------------------------------------------------------------------------------------------

class WebSocketClient:
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

    def send_text(self, text):
        self.send(1, text.encode())

    def close(self, code=1000):
        self.send(8, struct.pack("!H", code))

    def receive(self):
        """The next message, for example ("text", "hello") or ("close", 1000); ("end", "") if the connection ended."""
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
    rooms = ("/chat/kitchen", "/chat/kitchen", "/chat/garden")
    first, second, other = (WebSocketClient(port, room) for room in rooms)
    first.send_text("hello")
    received = [first.receive(), second.receive()]
    other.send_text("quiet here")
    received.append(other.receive())
    if received != [("text", "hello"), ("text", "hello"), ("text", "quiet here")]:
        return f"received messages: {received}\n"
    first.close()
    closing = [first.receive(), first.receive()]
    if closing != [("close", 1000), ("end", "")]:
        return f"after the close frame: {closing}\n"
    cross_site = WebSocketClient(port, "/chat/kitchen", "Origin: http://elsewhere.example\r\n")
    return f"status for a page of another site: {cross_site.status}\n" if cross_site.status != 403 else ""


# --- OpenAPI, metrics -------------------------------------------------------------------------------------------------

VALIDATOR = BUILD / "deps" / "node" / "node_modules"      # tools/deps installs @apidevtools/swagger-parser
VALIDATE = """require("@apidevtools/swagger-parser").validate(JSON.parse(require("fs").readFileSync(0))).then(
  api => console.log(Object.keys(api.paths).length + " paths"), e => { console.log(e.message); process.exit(1); });"""


def validation_errors(document):
    """Errors that the validators report for an OpenAPI document; empty if the document is valid."""
    environment = dict(os.environ, NODE_PATH=str(VALIDATOR), REDOCLY_TELEMETRY="off",
                       REDOCLY_SUPPRESS_UPDATE_NOTICE="true")
    process = subprocess.run(["node", "-e", VALIDATE], input=document.encode(), capture_output=True,
                             timeout=60 * load(), env=environment)
    second = VALIDATOR / ".bin" / "redocly"                 # a second opinion; tools/deps installs @redocly/cli
    if process.returncode == 0 and second.exists():
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "openapi.json"
            path.write_text(document, encoding="utf-8")
            process = subprocess.run([second, "lint", "--extends=spec", path], capture_output=True, cwd=folder,
                                     timeout=60 * load(), env=environment)
    return "" if process.returncode == 0 else (process.stdout + process.stderr).decode("utf-8", "replace")


def openapi(port):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    reservations = []
    for user in ("anna", "bert", "carl"):
        client.request("POST", "/products/cad/seats", json.dumps({"user": user}), {"Content-Type": "application/json"})
        response = client.getresponse()
        reservations.append((response.status, response.getheader("Location")))
        response.read()
    if reservations != [(201, "/products/cad/seats/1"), (201, "/products/cad/seats/2"), (409, None)]:
        return f"three reservations for two seats: {reservations}\n"
    _, products = get(client, "/products?free=true")
    if [product["seats"] for product in json.loads(products)] != ["/products/render/seats"]:
        return f"products with free seats: {products}\n"
    status, page = get(client, "/products?free=perhaps")
    if status != 400 or "'free'" not in page:
        return f"GET /products?free=perhaps: {status} {page}\n"

    status, document = get(client, "/openapi.json")
    paths = json.loads(document)["paths"].values()
    ids = sorted(operation["operationId"] for operations in paths for operation in operations.values())
    if status != 200 or ids != ["give_back", "products", "seat", "seats"]:
        return f"GET /openapi.json: {status}, {ids}\n"
    if VALIDATOR.exists() and (error := validation_errors(document)):
        return f"the OpenAPI document is invalid: {error}\n{document}\n"

    status, page = get(client, "/metrics")
    for line in ('http_requests_total{method="POST",route="/products/{product}/seats",status="201"} 2',
                 'http_requests_total{method="POST",route="/products/{product}/seats",status="409"} 1',
                 'http_request_duration_seconds_bucket{route="/products/{product}/seats",le="+Inf"} 3',
                 'http_request_duration_seconds_count{route="/products/{product}/seats"} 3',
                 "http_requests_in_flight 1", "http_connections 1"):
        if status != 200 or line not in page.split("\n"):
            return f"GET /metrics has no line {line}: {status}\n{page}\n"
    return ""


# --- TLS --------------------------------------------------------------------------------------------------------------

def create_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "key.pem",
                    "-out", "cert.pem", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   cwd=folder, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    create_certificate.path = folder / "cert.pem"


def tls(port):
    context = ssl.create_default_context(cafile=create_certificate.path)
    status, text = get(http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context), "/")
    if (status, text) != (200, "hello, quietly"):
        return f"GET /: {status} {text}\n"
    login = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    login.request("GET", "/login")
    cookie = login.getresponse().getheader("Set-Cookie", "")
    if "; Secure" not in cookie:
        return f"the cookie is not secure: {cookie}\n"
    status, text = get(http.client.HTTPConnection("127.0.0.1", port, timeout=10), "/")
    return f"a request without TLS: {status} {text}\n" if status != 400 or "https://" not in text else ""


# --- static files -----------------------------------------------------------------------------------------------------

def create_static_files(folder):
    (folder / "public").mkdir(exist_ok=True)
    (folder / "public" / "index.html").write_text("<h1>It works</h1>\n")
    (folder / "public" / "data.csv").write_text("a,b\n1,2\n")


def files(port):
    """Sends the requests with curl, as the comment of the example does."""
    def curl(*arguments):
        process = subprocess.run(["curl", "-sS", "-i", "--max-time", "10", *arguments], capture_output=True, text=True,
                                 timeout=20)
        head, _, body = process.stdout.partition("\n\n")
        return (int(head.split()[1]) if head else 0), head.lower(), body

    url = f"http://127.0.0.1:{port}"
    status, head, body = curl(url + "/")
    etag = next((line.split(": ")[1] for line in head.split("\n") if line.startswith("etag: ")), "")
    if (status, body) != (200, "<h1>It works</h1>\n") or not etag:
        return f"GET /: {head}\n{body}\n"
    for arguments, expected, text in ((("-H", f"If-None-Match: {etag}"), 304, ""), (("-r", "0-3"), 206, "<h1>"),
                                      (("-r", "100-"), 416, None), (("-I",), 200, "")):
        status, head, body = curl(*arguments, url + "/")
        if status != expected or text not in (None, body):
            return f"{arguments}: {head}\n{body}\n"
    for path, expected in (("/any/page", 200), ("/none.css", 404), ("/../files", 404), ("/%2e%2e/files", 404)):
        status, head, _ = curl("--path-as-is", url + path)
        if status != expected:
            return f"{path}: {head}\n"
    status, head, body = curl(url + "/report")
    if status != 200 or 'content-disposition: attachment; filename="report.csv"' not in head or body != "a,b\n1,2\n":
        return f"/report: {head}\n{body}\n"
    return ""


# --- uploads ----------------------------------------------------------------------------------------------------------

def create_upload_files(folder):
    (folder / "large.bin").write_bytes(bytes(range(256)) * 65536)     # 16 MiB: more than the limit of 8 MiB
    (folder / "a & b.txt").write_text("hello", encoding="utf-8")
    create_upload_files.folder = folder


def upload(port):
    folder, url = create_upload_files.folder, f"http://127.0.0.1:{port}/"
    process = subprocess.run(["curl", "-sS", "-o", os.devnull, "-w", "%{http_code}", "-F", "file=@large.bin", "-F",
                              "file=@a & b.txt;filename=../../a & b.txt", url],
                             cwd=folder, capture_output=True, timeout=60, text=True)
    if process.stdout != "303":
        return f"curl -F: {process.stdout} {process.stderr}\n"
    inbox = sorted((folder / "state" / "upload" / "inbox").iterdir(), key=lambda entry: entry.stat().st_size)
    if [entry.name.split("-", 2)[-1] for entry in inbox] != ["a & b.txt", "large.bin"]:
        return f"files in the inbox: {inbox}\n"
    if inbox[1].read_bytes() != (folder / "large.bin").read_bytes():
        return "the large file differs from the uploaded one\n"
    if leftover := list((folder / "state" / "upload" / "uploads").iterdir()):
        return f"temporary files remain: {leftover}\n"
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    status, page = get(client, "/")
    if status != 200 or "a &amp; b.txt, 5 bytes" not in page or "large.bin, 16777216 bytes" not in page:
        return f"GET /: {status}\n{page}\n"
    client.request("POST", "/", b"--B\r\nno form", {"Content-Type": "multipart/form-data; boundary=B"})
    response = client.getresponse()
    return f"an invalid form: {response.status}\n" if response.status != 400 else ""


# --- logins -----------------------------------------------------------------------------------------------------------

def forwarded(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    error = "" if get(connection, "/") == (200, "hello\n") else "GET / does not return hello\n"
    expected = (r"\[\d\d:\d\d:\d\d\.\d+\] \[info\] listening on .*\n(.*\n)*"
                r".*\[warning\] a client requested the greeting\n")
    if eventually(lambda: re.search(expected, get(connection, "/last")[1])):        # the sink is called asynchronously
        return error
    return error + f"GET /last: {get(connection, '/last')[1]}\n"


def auth(port):
    """Sends requests as a trusted proxy does, for different client addresses."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def request(method, path, client_address, **fields):
        client.request(method, path, headers={"X-Forwarded-For": client_address, **fields})
        response = client.getresponse()
        return response.status, response.read().decode("utf-8"), response.headers

    password = {"Authorization": "Basic " + base64.b64encode(b"anna:secret").decode()}
    status, body, fields = request("GET", "/account", "203.0.113.1")
    if status != 401 or not fields["WWW-Authenticate"]:
        return f"GET /account: {status} {fields}\n"
    statuses = [request("POST", "/login", "203.0.113.2")[0] for _ in range(6)]
    if statuses != [401] * 5 + [429]:
        return f"six failed logins: {statuses}\n"
    status, body, fields = request("POST", "/login", "203.0.113.1", **password)
    cookie = fields["Set-Cookie"] or ""
    if (status, body) != (200, "welcome, anna\n") or not {" Secure", " HttpOnly"} <= set(cookie.split(";")):
        return f"POST /login: {status} {body} {fields}\n"
    status, body, _ = request("GET", "/account", "203.0.113.1", Cookie=cookie.split(";")[0])
    return f"GET /account: {status} {body}\n" if (status, body) != (200, "anna's account\n") else ""


# --- events -----------------------------------------------------------------------------------------------------------

def events(port):
    def first_id(last):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        client.request("GET", "/events", headers={"Last-Event-ID": last} if last else {})
        line = client.getresponse().readline().decode("utf-8").strip()
        client.close()
        return line

    new = first_id("")                                      # the next event
    if not re.fullmatch(r"id: \d+", new):
        return f"first event: {new}\n"
    first_id("")                                            # so that the history has one more event
    last = new.removeprefix("id: ")
    for known, expected in ((last, f"id: {int(last) + 1}"), ("unknown", "id: 1")):
        if (line := first_id(known)) != expected:
            return f"first event after Last-Event-ID {known}: {line}, expected: {expected}\n"
    return check_event_page(port) if chromium.program() else ""


def check_event_page(port):
    """Loads the page in a browser; its script must receive an event."""
    return check_in_browser(f"http://127.0.0.1:{port}/", r'<output id="degrees">\d+\.\d</output>')


def check_in_browser(url, expected):
    """Returns an error message; empty if the script of the page produces the expected content without errors."""
    with chromium.Browser() as browser:
        page = browser.page()
        page.go(url)
        content = ""
        limit = Limit(20)
        while not re.search(expected, content, re.DOTALL) and not limit.passed():
            time.sleep(0.1)
            with contextlib.suppress(RuntimeError):          # no document exists while a page loads
                content = page.evaluate("document.documentElement.outerHTML")
        if not re.search(expected, content, re.DOTALL):
            return f"{url} does not have {expected}: {content}\n"
        errors = [entry for entry in page.errors() if "/favicon.ico" not in entry]  # the browser always requests it
    return f"the browser reports for {url}: {errors}\n" if errors else ""


# --- dashboard --------------------------------------------------------------------------------------------------------

def operated(port):
    """Loads the dashboard in a browser; it must show the settings, but no secret."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    if get(client, "/") != (200, "hello world\n"):
        return f"GET /: {get(client, '/')}\n"
    status, data = get(client, "/_service/data.json")
    settings = {setting["name"] for setting in json.loads(data)["settings"]} if status == 200 else set()
    if not settings >= {"greeting", "recipient", "token", "port"}:
        return f"GET /_service/data.json: {status} {data}\n"
    if not chromium.program():
        return ""
    return check_in_browser(f"http://127.0.0.1:{port}/_service",
                            r'<h1 id="title">Operated</h1>.*data-state="running">Running<.*'
                            r'<path class="blue" d="M.*>GET<.*>/<.*>greeting<.*text of the greeting')


# --- views ------------------------------------------------------------------------------------------------------------

def views(port):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    client.request("POST", "/todos", json.dumps({"task": "learn"}), {"Content-Type": "application/json"})
    response = client.getresponse()
    created = response.status, response.getheader("Location"), json.loads(response.read())
    if created != (201, "/todos/1", {"id": 1, "task": "learn"}):
        return f"POST /todos: {created}\n"
    for path, expected in (("/", "1 to do"), ("/todos", '[{"id":1,"task":"learn"}]'),
                           ("/todos/1", '{"id":1,"task":"learn"}')):
        if get(client, path) != (200, expected):
            return f"GET {path}: {get(client, path)}\n"
    client.request("DELETE", "/todos/1")
    response = client.getresponse()
    response.read()
    statuses = response.status, get(client, "/todos/1")[0]
    return f"DELETE, GET /todos/1: {statuses}\n" if statuses != (204, 404) else ""


def copy_templates(folder):
    shutil.copytree(ROOT / "examples" / "pages" / "templates", folder / "templates")


def create_toml_file(folder):
    create_toml_file.path = folder / "toml.toml"
    create_toml_file.path.write_text('title = "Weekly report"\nrecipients = ["anna@example.com", "Berg, Carl"]\n'
                                     '[page]\nrows = 50\n')


def toml(port):
    client = Browser(port)
    expected = "Weekly report: 50 rows per page, for anna@example.com; Berg, Carl\n"
    if client.open("/") != (200, expected):
        return f"GET /: {client.open('/')}\n"
    path = create_toml_file.path

    def replace(text):                                      # in one step: the service may read the file at any time
        path.with_suffix(".new").write_text(text)
        path.with_suffix(".new").replace(path)

    replace('title = "Broken"\n[page]\nrows = 7000\n')       # no value of it is applied
    time.sleep(1.5)
    if client.open("/") != (200, expected):
        return f"GET / after an invalid value: {client.open('/')}\n"
    replace('title = \'"Daily"\'\nrecipients = []\npage.rows = 5\n')
    if not eventually(lambda: client.open("/") == (200, '"Daily": 5 rows per page, for \n')):
        return f"GET / after a change of the file: {client.open('/')}\n"
    program, template = path.parent / "toml", path.parent / "template.toml"
    subprocess.run([program, "config", "--init", "--config", template], check=True, capture_output=True)
    text = re.sub(r"^#(\w+ = )", r"\1", template.read_text(), flags=re.MULTILINE)
    template.write_text(text)                               # each setting with its default is valid TOML
    shown = subprocess.run([program, "config", "--config", template], capture_output=True, text=True)
    is_complete = all(re.search(line, text) for line in ("title = [\"']Report[\"']\n", "\nrows = 20\n"))
    return "" if shown.returncode == 0 and is_complete else f"{text}\n{shown.stdout}{shown.stderr}"


def remember_log(folder):
    remember_log.path = folder / "debug.log"


def opentelemetry(port):
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    headers = {"traceparent": f"00-{trace}-{parent}-01"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/greet/anna", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        body = response.read().decode()
    if body != "hello anna\n":
        return body
    span = re.compile(rf"name +: GET /greet/{{name}}\n +trace_id +: {trace}\n +span_id +: (\w+)\n[^\n]*\n"
                      rf" +parent_span_id: {parent}\n.*span kind +: Server\n.*response.status_code: 200\n", re.DOTALL)

    def is_complete():
        text = remember_log.path.read_text()
        found = span.search(text)
        return found and f"trace={trace} span={found.group(1)} greeting" in text

    return "" if eventually(is_complete) else remember_log.path.read_text()


PREPARE = {"files": create_static_files, "pages": copy_templates, "tls": create_certificate,  # before the start
           "opentelemetry": remember_log, "toml": create_toml_file, "upload": create_upload_files}
ENVIRONMENT = {"AUTH_PASSWORD": "secret", "AUTH_KEY": "sixteen-bytes-or-more"}


# --- flaskr, items ----------------------------------------------------------------------------------------------------

class Browser:
    """Keeps cookies and follows redirects."""

    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}"
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    def open(self, path, data=None, headers=None, method=None):
        """The status and the text of a response. `data`: the fields of a form, or JSON as text."""
        headers = dict(headers or {})
        if isinstance(data, dict):
            data = urllib.parse.urlencode(data)
        elif data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.base + path, data and data.encode(), headers, method=method)
        try:
            with self.opener.open(request, timeout=20) as response:
                return response.status, response.read().decode("utf-8")
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode("utf-8")

    def send_form(self, page, path=None, **fields):
        """Loads a page and sends its form, with the token that is in the page."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.open(page)[1]).group(1)
        return self.open(path or page, {**fields, "csrf_token": token})


def flaskr(port):
    anna, bob = Browser(port), Browser(port)
    steps = [
        ("without a session", anna.open("/blog/create"), 200, "Log In"),
        ("register", anna.send_form("/auth/register", name="anna", password="secret"), 200, "Log In"),
        ("register again", bob.send_form("/auth/register", name="anna", password="x"), 200, "is already registered."),
        ("wrong password", anna.send_form("/auth/login", name="anna", password="x"), 200, "Incorrect username"),
        ("log in", anna.send_form("/auth/login", name="anna", password="secret"), 200, "Log Out"),
        ("no title", anna.send_form("/blog/create", title="", body="x"), 200, "Title is required."),
        ("create", anna.send_form("/blog/create", title="<b>", body="first"), 200, "<h2>&lt;b&gt;</h2><p>by anna"),
        ("no token", anna.open("/blog/create", {"title": "a", "body": "b"}), 403, "the form is too old"),
        ("edit", anna.send_form("/blog/1/update", title="new", body="second"), 200, "<h2>new</h2>"),
        ("second user", bob.send_form("/auth/register", name="bob", password="b"), 200, "Log In"),
        ("second log in", bob.send_form("/auth/login", name="bob", password="b"), 200, "Log Out"),
        ("another user's post", bob.open("/blog/1/update"), 403, "another user"),
        ("a missing post", bob.open("/blog/9/update"), 404, "does not exist"),
        ("delete", anna.send_form("/", "/blog/1/delete"), 200, "Posts"),
        ("log out", anna.open("/auth/logout"), 200, "Register"),
    ]
    return "".join(f"{name}: {status} {text}\n" for name, (status, text), wanted, part in steps
                   if status != wanted or part not in text)


def items(port):
    client, token = Browser(port), {"X-Token": "fake-super-secret-token"}
    steps = [
        ("create", client.open("/items", '{"name":"tea","price":2.5}'), 201,
         '{"id":1,"name":"tea","price":2.5,"tags":[]}'),
        ("two faults", client.open("/items", '{"name":"","price":-1}'), 422, '"pointer":"/price"'),
        ("an image", client.open("/items", '{"name":"a","price":1,"images":[{"url":"x","name":"y"}]}'), 422,
         "/images/0/url must match the pattern"),
        ("find", client.open("/items?q=te&sort=price&limit=5"), 200, '[{"id":1,'),
        ("no limit", client.open("/items?limit=0&skip=x"), 422, "must lie between 1 and 100"),
        ("one", client.open("/items/1"), 200, '"name":"tea"'),
        ("missing", client.open("/items/9"), 404, ""),
        ("no token", client.open("/items/1", '{"name":"b","price":1}', method="PUT"), 400, "X-Token header invalid"),
        ("change", client.open("/items/1", '{"name":"b","price":1}', token, "PUT"), 200, '"name":"b"'),
        ("agent", client.open("/agent", headers={"Cookie": "ads_id=7"}), 200, '"ads":"7"'),
        ("form", client.open("/login", {"username": "anna", "password": "x"}), 200, '{"username":"anna"}'),
        ("delete", client.open("/items/1", headers=token, method="DELETE"), 204, ""),
        ("page", client.open("/openapi"), 200, "openapi/page.js"),
    ]
    errors = "".join(f"{name}: {status} {text}\n" for name, (status, text), wanted, part in steps
                     if status != wanted or part not in text)
    document = client.open("/openapi.json")[1]
    errors += validation_errors(document) if VALIDATOR.exists() else ""
    return errors + (client_errors(document, port) if generator_is_installed() else "")


def larger(port):
    client, token = Browser(port), {"X-Token": "fake-super-secret-token"}
    steps = [
        ("no query token", client.open("/users"), 400, "'token' is missing"),
        ("wrong query token", client.open("/?token=x"), 400, "No Jessica token provided"),
        ("root", client.open("/?token=jessica"), 200, '{"message":"Hello Bigger Applications!"}'),
        ("users", client.open("/users?token=jessica"), 200, '[{"username":"Rick"},{"username":"Morty"}]'),
        ("me", client.open("/users/me?token=jessica"), 200, "fakecurrentuser"),
        ("user", client.open("/users/Summer?token=jessica"), 200, '{"username":"Summer"}'),
        ("no header", client.open("/items?token=jessica"), 400, "X-Token header invalid"),
        ("items", client.open("/items?token=jessica", headers=token), 200, '"gun":{"name":"Portal Gun"}'),
        ("item", client.open("/items/gun?token=jessica", headers=token), 200, '"item_id":"gun"'),
        ("missing", client.open("/items/x?token=jessica", headers=token), 404, ""),
        ("forbidden", client.open("/items/gun?token=jessica", "{}", token, "PUT"), 403, "only update the item"),
        ("update", client.open("/items/plumbus?token=jessica", "{}", token, "PUT"), 200, "The great Plumbus"),
        ("admin", client.open("/admin?token=jessica", "{}", token, "POST"), 200, "Admin getting schwifty"),
    ]
    return "".join(f"{name}: {status} {text}\n" for name, (status, text), wanted, part in steps
                   if status != wanted or part not in text)


def pages(port):
    client = Browser(port)
    client.open("/", {"name": "<anna>", "link": "javascript:alert(1)"})
    status, text = client.open("/", {"name": "bert", "link": "https://example.org/?a=1&b=2"})
    parts = ("<h1>Names &amp; links</h1>", '<li><a href="#">&lt;anna&gt;</a>',
             '<li><a href="https://example.org/?a=1&amp;b=2">bert</a>')
    if status != 200 or any(part not in text for part in parts):
        return f"GET /: {status} {text}\n"
    status, text = client.open("/", {"name": ""})
    return f"POST / without a name: {status} {text}\n" if status != 422 else ""


def notes(port):
    client = Browser(port)
    steps = [
        ("create", client.open("/notes", '{"title":"tea","text":"two minutes"}'), 201,
         '{"id":1,"title":"tea","text":"two minutes"}'),
        ("a quote", client.open("/notes", '{"title":"it\'s; DROP TABLE notes"}'), 201, '"id":2'),
        ("no title", client.open("/notes", '{"title":""}'), 422, "/title must have at least 1 character"),
        ("read", client.open("/notes/2"), 200, '{"id":2,"title":"it\'s; DROP TABLE notes","text":""}'),
        ("update", client.open("/notes/1", '{"title":"tea","text":"three minutes"}', method="PUT"), 200, "three"),
        ("find", client.open("/notes?q=tea"), 200, '[{"id":1,"title":"tea","text":"three minutes"}]'),
        ("delete", client.open("/notes/1", method="DELETE"), 204, ""),
        ("delete again", client.open("/notes/1", method="DELETE"), 404, ""),
        ("update nothing", client.open("/notes/1", '{"title":"x"}', method="PUT"), 404, ""),
        ("all", client.open("/notes"), 200, '[{"id":2,'),
        ("ready", client.open("/readyz"), 200, ""),
    ]
    return "".join(f"{name}: {status} {text}\n" for name, (status, text), wanted, part in steps
                   if status != wanted or part not in text)


EXAMPLES = {"auth": auth, "events": events, "files": files, "flaskr": flaskr, "forwarded": forwarded, "items": items,
            "larger": larger, "notes": notes, "openapi": openapi, "operated": operated, "opentelemetry": opentelemetry,
            "pages": pages, "tls": tls,
            "toml": toml, "upload": upload, "views": views, "websocket": websocket}
