"""A server with the dashboard page and scripted data, in place of a service, for tests/browser/run.py."""

import contextlib
import http.server
import json
import math
import random
import threading
import urllib.parse

TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}


# --- sample data ------------------------------------------------------------------------------------------------------

NOW = 1_790_000_100_000     # milliseconds; the page uses the clock of the service


def idle_service():
    """A service that started eight seconds ago and has received no request."""
    return {"name": "hello", "display_name": "Hello service", "version": "1.2", "state": "running", "pid": 123,
            "address": "http://127.0.0.1:5001", "since": NOW - 8000, "now": NOW, "in_flight": 0, "connections": 0,
            "websockets": 0, "threads": 4, "answered": 0, "libraries": "winsvc 0.1.0, cpp-httplib 0.53.1",
            "host": "BUILD-7", "cpu_us": 40_000, "processors": 8, "memory": 9_437_184, "seconds": [], "routes": [], "active_requests": [], "log": [],
            "settings": []}


def busy_service():
    """A service under load: a varying request rate, a latency spike, some errors, a pause without requests."""
    generator = random.Random(7)
    last, seconds = NOW // 1000 - 1, []
    for t in range(last - 299, last + 1):
        age = last - t
        if 200 < age < 215:
            continue                                        # no requests
        count = round(120 + 60 * math.sin(t / 23) + generator.gauss(0, 9))
        slow = 30 if 80 < age < 100 else 1
        p50 = round(88 * generator.uniform(0.9, 1.15) * (slow ** 0.4))
        seconds.append({"t": t, "n": max(1, count), "c": 2 if age % 37 == 0 else 0,
                        "e": generator.randrange(3, 14) if 82 < age < 97 else 0, "p50": p50,
                        "p99": round(p50 * generator.uniform(3.5, 6) * slow)})
    seconds[-1].update(n=137, c=1, e=0, p50=91, p99=412)
    routes = [("GET", "/users/{id}", 84210, 310, 3, 90, 480, 21400),
              ("GET", "/report", 312, 0, 0, 184000, 2310000, 8420000),
              ("POST", "/orders", 5120, 18, 41, 1240, 18400, 96000), ("GET", "/", 1290331, 0, 0, 41, 120, 5100),
              ("DELETE", "/users/{id}/sessions/{session}", 17, 0, 0, 350, 900, 900),
              ("GET", "/files/{path...}", 40110, 12, 0, 210, 7400, 310000),
              ("PUT", "/users/{id}", 990, 4, 2, 830, 4100, 12000), ("", "no route", 77, 77, 0, 12, 30, 90)]
    lines = [("info", "hello 1.2 is running on http://127.0.0.1:5001"), ("debug", "settings read from /etc/hello.ini"),
           ("info", "reports: 12 customers loaded in 84 ms"), ("warn", "orders: the database answered after 2.1 s"),
           ("error", "POST /orders: the database closed the connection (8f3a21c0)"),
           ("info", "orders: connected to the database again"), ("info", "127.0.0.1 GET /users/17 200 91 us")]
    return {**idle_service(), "since": NOW - 15_132_000, "in_flight": 3, "connections": 14, "websockets": 2,
            "answered": 1421090, "seconds": seconds, "cpu_us": 1_513_200_000, "memory": 23_488_102,
            "last_failure": {"t": NOW - 82_000, "method": "POST", "target": "/orders", "status": 500, "id": "8f3a21c0"},
            "routes": [dict(zip(("method", "pattern", "n", "c", "e", "p50", "p99", "max"), r)) for r in routes],
            "active_requests": [{"method": "GET", "target": "/report?year=2026", "us": 2_100_000},
                        {"method": "GET", "target": "/users/17", "us": 85},
                        {"method": "POST", "target": "/orders", "us": 18_400}],
            "log": [{"n": i + 1, "t": NOW - 60_000 + i * 8123, "level": level, "text": text}
                    for i, (level, text) in enumerate(lines)],
            "settings": [{"name": "greeting", "value": "hi", "source": "hello.ini:3", "help": "What to say to people."},
                         {"name": "database", "value": "postgres://db.internal/orders", "source": "HELLO_DATABASE",
                          "help": "Where orders are kept."},
                         {"name": "database-password", "value": "\u2022" * 6, "source": "/etc/hello/secret:1", "help":
                          "Of the user 'hello'."},
                         {"name": "threads", "value": "4", "source": "default",
                          "help": "How many requests at a time."}]}


def large_service():
    """A service with many routes, requests and settings, long names and large numbers."""
    long = "/a-very-long-segment-without-any-place-to-break" * 4
    return {**busy_service(), "in_flight": 4000, "connections": 123456, "websockets": 99999, "answered": 98765432100,
            "display_name": "Thequickbrownfoxjumpsoverthelazydog" * 3, "address": "http://[2001:db8::1]:5001" + long,
            "version": "1.2.3-rc.4+" + "0123456789" * 6, "host": "H" * 63, "memory": 98_765_432_100,
            "last_failure": {"t": NOW, "method": "OPTIONS", "target": long * 20, "status": 500, "id": "i" * 200},
            "log_failure": "the log file C:\\" + "folder\\" * 40 + " cannot be written: disk full (112)",
            "routes": [{"method": "OPTIONS", "pattern": f"/r{i}{long}", "n": 10 ** (i % 11), "c": i, "e": i,
                        "p50": 10 ** (i % 9), "p99": i, "max": 999_999_999} for i in range(300)],
            "active_requests": [{"method": "OPTIONS", "target": long * 20, "us": 3_600_000_000} for _ in range(500)],
            "settings": [{"name": "name" * 40, "value": "v" * 3000, "source": "C:\\" + "folder\\" * 40,
                          "help": "h" * 900}]}


HOSTILE_TEXTS = ["<script>window.broken = 1</script><img src=x onerror='window.broken = 1'>", "tab\there\nsecond line",
           "\x1b[31mred\x1b[0m \x00 bell\x07 \x7f \x9b", "\u202etxt.exe \u2066 \u2028 \ud83d\ude00", "w" * 100_000,
           "</li></ol></body><!-- ", "&lt;not an entity&gt;"]


def hostile_service():
    """A service whose texts contain markup and control characters."""
    markup = HOSTILE_TEXTS[0]
    return {**busy_service(), "name": markup, "display_name": markup, "version": markup, "address": markup, "host": markup,
            "libraries": markup, "log_failure": markup,
            "last_failure": {"t": NOW, "method": markup, "target": markup, "status": 500, "id": markup},
            "routes": [{"method": markup, "pattern": markup, "n": 1, "c": 0, "e": 0, "p50": 1, "p99": 1, "max": 1}],
            "active_requests": [{"method": markup, "target": markup, "us": 1}],
            "log": [{"n": i + 1, "t": NOW, "level": markup if i == 5 else "info", "text": text}
                    for i, text in enumerate(HOSTILE_TEXTS)],
            "settings": [{"name": markup, "value": markup, "source": markup, "help": markup}]}


class FakeService:
    """Serves the page at /_service and `data` as its data.json. `queries` has the query of each request for data."""

    def __init__(self, files):
        self.files, self.data, self.status, self.body, self.queries = files, idle_service(), 200, None, []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path, _, query = self.path.partition("?")
                name = path[len("/_service/"):]
                status, content_type, body = 404, "text/plain", b"not here"
                if path == "/_service" or name in ("page.css", "page.js"):
                    extension = name.rpartition(".")[2] or "html"
                    status, content_type, body = 200, TYPES[extension], service.files[extension].encode()
                    if extension == "html":
                        body = body.replace(b"@", b"_service")
                elif name == "data.json":
                    service.queries.append(query)
                    text = json.dumps(service.new_data(query)) if service.body is None else service.body
                    status, content_type, body = service.status, "application/json", text.encode()
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Security-Policy", service.files["policy"])
                self.send_header("X-Content-Type-Options", "nosniff")
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # the page has been closed
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.handler, self.port, self.server = Handler, 0, None
        self.start()

    def new_data(self, query):
        """`data` without the entries that the page already has."""
        known = {name: int(values[0]) for name, values in urllib.parse.parse_qs(query).items()}
        return {**self.data, "seconds": [entry for entry in self.data["seconds"] if entry["t"] > known.get("after", 0)],
                "log": [entry for entry in self.data["log"] if entry["n"] > known.get("log", 0)]}

    def start(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), self.handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def url(self):
        return f"http://127.0.0.1:{self.port}/_service"
