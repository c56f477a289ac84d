#!/usr/bin/env python3
"""The dashboard's page in a real browser: what it shows of scripted answers, how it looks, what it survives.

  tests/browser/run.py                    the checks; half a minute
  tests/browser/run.py --pictures FOLDER  pictures of it as well, to be looked at

A small C++ program prints the three files out of the header; a server of Python's sends them as the service does, with
the same policy, and a data.json that the test says. The browser is Chromium (chromium.py); without one all is skipped.
"""

import argparse
import contextlib
import http.server
import json
import math
import pathlib
import random
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import chromium  # noqa: E402
from kit import BUILD, GXX, ROOT, STANDARD, WARNINGS, Tally, run  # noqa: E402

FOLDER = BUILD / "test" / "browser"
TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
PRINTER = """#include "winsvc/web/dashboard_page.hpp"
#include "winsvc/web/dashboard_script.hpp"
#include "winsvc/web/dashboard_style.hpp"
#include <cstdio>
int main(int, char** argv) {
  namespace web = winsvc::web;
  const std::string_view parts[] = {web::dashboard_html, web::dashboard_css, web::dashboard_js, web::dashboard_policy};
  const std::string_view part = parts[argv[1][0] - '0'];
  std::fwrite(part.data(), 1, part.size(), stdout);
}
"""


def assets(tally):
    """{"html": text, ...} as a program has them that includes the header; None if it does not compile."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    source, printer = FOLDER / "print.cpp", FOLDER / "print"
    source.write_text(PRINTER, encoding="utf-8")
    code, output = run([GXX, *STANDARD, *WARNINGS, f"-I{ROOT / 'include'}", source, "-o", printer])
    if not tally.check("the header compiles alone", code == 0, output):
        return None
    texts = [run([printer, str(part)])[1] for part in range(4)]
    return dict(zip(("html", "css", "js", "policy"), texts))


# --- what the service says --------------------------------------------------------------------------------------------

NOW = 1_790_000_100_000     # milliseconds; the page's clock is the service's


def fresh():
    """A service that was started eight seconds ago and was never asked anything."""
    return {"name": "hello", "display_name": "Hello service", "version": "1.2", "state": "running", "pid": 123,
            "address": "http://127.0.0.1:5001", "since": NOW - 8000, "now": NOW, "in_flight": 0, "connections": 0,
            "websockets": 0, "threads": 4, "answered": 0, "seconds": [], "routes": [], "at_work": [], "log": [],
            "settings": []}


def busy():
    """One that has work: a wave of requests, a spike of slowness, some errors, a quiet minute."""
    dice = random.Random(7)
    last, seconds = NOW // 1000 - 1, []
    for t in range(last - 299, last + 1):
        ago = last - t
        if 200 < ago < 215:
            continue                                        # nobody asked anything
        n = round(120 + 60 * math.sin(t / 23) + dice.gauss(0, 9))
        slow = 30 if 80 < ago < 100 else 1
        p50 = round(88 * dice.uniform(0.9, 1.15) * (slow ** 0.4))
        seconds.append({"t": t, "n": max(1, n), "e": dice.randrange(3, 14) if 82 < ago < 97 else 0, "p50": p50,
                        "p99": round(p50 * dice.uniform(3.5, 6) * slow)})
    seconds[-1].update(n=137, e=0, p50=91, p99=412)
    routes = [("GET", "/users/{id}", 84210, 3, 90, 480, 21400), ("GET", "/report", 312, 0, 184000, 2310000, 8420000),
              ("POST", "/orders", 5120, 41, 1240, 18400, 96000), ("GET", "/", 1290331, 0, 41, 120, 5100),
              ("DELETE", "/users/{id}/sessions/{session}", 17, 0, 350, 900, 900),
              ("GET", "/files/{path...}", 40110, 12, 210, 7400, 310000),
              ("PUT", "/users/{id}", 990, 2, 830, 4100, 12000)]
    say = [("info", "hello 1.2 is running on http://127.0.0.1:5001"), ("debug", "settings read from /etc/hello.ini"),
           ("info", "reports: 12 customers loaded in 84 ms"), ("warn", "orders: the database answered after 2.1 s"),
           ("error", "POST /orders: the database closed the connection (8f3a21c0)"),
           ("info", "orders: connected to the database again"), ("info", "127.0.0.1 GET /users/17 200 91 us")]
    return {**fresh(), "since": NOW - 15_132_000, "in_flight": 3, "connections": 14, "websockets": 2,
            "answered": 1421090, "seconds": seconds,
            "routes": [dict(zip(("method", "pattern", "n", "e", "p50", "p99", "max"), r)) for r in routes],
            "at_work": [{"method": "GET", "target": "/report?year=2026", "us": 2_100_000},
                        {"method": "GET", "target": "/users/17", "us": 85},
                        {"method": "POST", "target": "/orders", "us": 18_400}],
            "log": [{"n": i + 1, "t": NOW - 60_000 + i * 8123, "level": level, "text": text}
                    for i, (level, text) in enumerate(say)],
            "settings": [{"name": "greeting", "value": "hi", "source": "hello.ini:3", "help": "What to say to people."},
                         {"name": "database", "value": "postgres://db.internal/orders", "source": "HELLO_DATABASE",
                          "help": "Where orders are kept."},
                         {"name": "database-password", "value": "\u2022" * 6, "source": "/etc/hello/secret:1", "help":
                          "Of the user 'hello'."},
                         {"name": "threads", "value": "4", "source": "default",
                          "help": "How many requests at a time."}]}


def crowded():
    """Very many routes, requests and settings, with long names and large numbers."""
    long = "/a-very-long-segment-without-any-place-to-break" * 4
    return {**busy(), "in_flight": 4000, "connections": 123456, "websockets": 99999, "answered": 98765432100,
            "display_name": "Thequickbrownfoxjumpsoverthelazydog" * 3, "address": "http://[2001:db8::1]:5001" + long,
            "version": "1.2.3-rc.4+" + "0123456789" * 6,
            "routes": [{"method": "OPTIONS", "pattern": f"/r{i}{long}", "n": 10 ** (i % 11), "e": i,
                        "p50": 10 ** (i % 9), "p99": i, "max": 999_999_999} for i in range(300)],
            "at_work": [{"method": "OPTIONS", "target": long * 20, "us": 3_600_000_000} for _ in range(500)],
            "settings": [{"name": "name" * 40, "value": "v" * 3000, "source": "C:\\" + "folder\\" * 40,
                          "help": "h" * 900}]}


HOSTILE = ["<script>window.broken = 1</script><img src=x onerror='window.broken = 1'>", "tab\there\nsecond line",
           "\x1b[31mred\x1b[0m \x00 bell\x07 \x7f \x9b", "\u202etxt.exe \u2066 \u2028 \ud83d\ude00", "w" * 100_000,
           "</li></ol></body><!-- ", "&lt;not an entity&gt;"]


def hostile():
    """Texts that want to be more than texts, wherever there is one."""
    bad = HOSTILE[0]
    return {**busy(), "name": bad, "display_name": bad, "version": bad, "address": bad,
            "routes": [{"method": bad, "pattern": bad, "n": 1, "e": 0, "p50": 1, "p99": 1, "max": 1}],
            "at_work": [{"method": bad, "target": bad, "us": 1}],
            "log": [{"n": i + 1, "t": NOW, "level": bad if i == 5 else "info", "text": text}
                    for i, text in enumerate(HOSTILE)],
            "settings": [{"name": bad, "value": bad, "source": bad, "help": bad}]}


class Service:
    """Serves the page at /_service and `say`, a dict, as its data.json; keeps what was asked for."""

    def __init__(self, files):
        self.files, self.say, self.status, self.body, self.asked = files, fresh(), 200, None, []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path, _, query = self.path.partition("?")
                name = path[len("/_service/"):]
                status, kind, body = 404, "text/plain", b"not here"
                if path == "/_service" or name in ("page.css", "page.js"):
                    ending = name.rpartition(".")[2] or "html"
                    status, kind, body = 200, TYPES[ending], service.files[ending].encode()
                    if ending == "html":
                        body = body.replace(b"@", b"_service")
                elif name == "data.json":
                    service.asked.append(query)
                    text = json.dumps(service.after(query)) if service.body is None else service.body
                    status, kind, body = service.status, "application/json", text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Security-Policy", service.files["policy"])
                self.send_header("X-Content-Type-Options", "nosniff")
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # a page that was closed meanwhile
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.handler, self.port, self.server = Handler, 0, None
        self.begin()

    def after(self, query):
        """What it says, without what the page has."""
        has = {name: int(values[0]) for name, values in urllib.parse.parse_qs(query).items()}
        return {**self.say, "seconds": [one for one in self.say["seconds"] if one["t"] > has.get("after", 0)],
                "log": [one for one in self.say["log"] if one["n"] > has.get("log", 0)]}

    def begin(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), self.handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def end(self):
        self.server.shutdown()
        self.server.server_close()

    def url(self):
        return f"http://127.0.0.1:{self.port}/_service"


# --- what is asked of the page ----------------------------------------------------------------------------------------

TEXT_OF = "document.getElementById({!r}).innerText"
HEARD = "document.getElementById('pid').textContent !== '\\u2013'"

# Elements that stick out of the window, or scroll sideways without being made for it.
TOO_WIDE = """[...document.querySelectorAll("body, body *")].filter(e => {
  const box = e.getBoundingClientRect();
  return box.width > 0 && !e.closest("svg") && !e.closest(".settings thead") &&
         (box.right > innerWidth + 0.5 || box.left < -0.5 || e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0);
}).map(e => `${e.tagName}.${e.className} ${e.id} ${e.scrollWidth}/${e.clientWidth}`).slice(0, 5)"""

# WCAG's contrast of every text that is seen with the first opaque colour behind it.
LOW_CONTRAST = """(() => {
  const parts = c => c.match(/[\\d.]+/g).map(Number);
  const light = c => parts(c).slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
                             .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const found = [], seen = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walk.nextNode();) {
    const e = node.parentElement;
    if (!node.data.trim() || !e.getClientRects().length || ["NOSCRIPT", "SCRIPT"].includes(e.tagName)) continue;
    let behind = e;
    while (behind && (parts(getComputedStyle(behind).backgroundColor)[3] ?? 1) < 1) behind = behind.parentElement;
    const style = getComputedStyle(e), front = e.closest("svg") ? style.fill : style.color;
    const back = getComputedStyle(behind || document.documentElement).backgroundColor;
    const a = light(front), b = light(back), ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    seen.add(front + back);
    const name = `${e.tagName}.${e.getAttribute("class")} ${node.data.slice(0, 30)}`;
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${name}`);
  }
  return {found: [...new Set(found)].slice(0, 8), pairs: seen.size};
})()"""


def text_of(page, name):
    return page.evaluate(TEXT_OF.format(name))


def opened(browser, service, say, **look):
    service.say, service.status, service.body = say, 200, None
    page = browser.page(**look)
    page.go(service.url())
    page.wait(HEARD)
    return page


def quiet(tally, what, page):
    found = page.complaints()
    tally.check(f"{what}: no error, no breach of the policy", not found, "\n".join(found))


def the_files(tally, files):
    for name in ("html", "css", "js"):
        size = len(files[name].encode())
        print(f"        {name}: {size} bytes", flush=True)
        tally.check(f"the {name} is ASCII", files[name].isascii())
    tally.check("the policy is the one that was agreed", files["policy"] == POLICY, files["policy"])
    text = "".join((ROOT / f"include/winsvc/web/dashboard_{part}.hpp").read_text(encoding="utf-8")
                   for part in ("page", "style", "script"))
    pieces = [part.split(f'){kind}"')[0] for kind in TYPES for part in text.split(f'R"{kind}(')[1:]]
    tally.check("no piece is too long for MSVC", len(pieces) >= 4 and max(map(len, pieces)) < 15_000,
                str([len(piece) for piece in pieces]))
    tally.check("no trigraph, no line that begins with #",
                not any("??" + c in text for c in "=/'()!<>-") and
                not any(line.startswith("#") for piece in pieces for line in piece.split("\n")))


def a_fresh_service(tally, browser, service):
    page = opened(browser, service, fresh())
    tally.check("fresh: the name is the heading", text_of(page, "title") == "Hello service")
    tally.check("fresh: running, in words", text_of(page, "state") == "Running")
    tally.check("fresh: so says the title of the tab", page.evaluate("document.title") ==
                "Hello service \u2013 running")
    tally.check("fresh: it is up for 8 s", text_of(page, "uptime") == "8 s", text_of(page, "uptime"))
    whole = page.evaluate("document.body.innerText")
    for sentence in ("No route has been asked yet.", "Nothing at the moment.", "Nothing to show yet.",
                     "This service has no settings."):
        tally.check(f"fresh: {sentence}", sentence in whole, whole)
    quiet(tally, "fresh", page)
    page.close()


def a_busy_service(tally, browser, service):
    page = opened(browser, service, busy())
    for name, wanted in (("name", "hello"), ("version", "1.2"), ("pid", "123"), ("address", "http://127.0.0.1:5001"),
                         ("uptime", "4 h 12 min"), ("in_flight", "3"), ("connections", "14"), ("websockets", "2"),
                         ("threads", "4"), ("answered", "1,421,090")):
        tally.check(f"busy: {name} is {wanted}", text_of(page, name) == wanted, text_of(page, name))
    for name, wanted in (("rate", ["137", "0"]), ("latency", ["412 \u00b5s", "91 \u00b5s"])):
        there = page.evaluate(f"[...document.querySelectorAll('#{name} b')].map(e => e.innerText)")
        tally.check(f"busy: current values of {name}: {wanted}", there == wanted, str(there))
        label = page.evaluate(f"document.querySelector('#{name} svg').getAttribute('aria-label')")
        tally.check(f"busy: the curve of {name} is told to who cannot see it", all(v in label for v in wanted), label)
    first = page.evaluate("[...document.querySelectorAll('#routes tbody tr:first-child > *')].map(e => e.innerText)")
    tally.check("busy: the slowest route is first",
                first == ["GET", "/report", "312", "184 ms", "2.31 s", "8.42 s", "0"], str(first))
    page.evaluate("document.querySelector('#routes th:nth-child(3) button').click()")
    tally.check("busy: a click on Requests puts the most asked first, and says so",
                page.evaluate("document.querySelector('#routes tbody tr').cells[1].innerText") == "/" and
                page.evaluate("document.querySelector('#routes th:nth-child(3)').ariaSort") == "descending")
    work = page.evaluate("[...document.querySelectorAll('#work tbody tr:first-child > *')].map(e => e.innerText)")
    tally.check("busy: what takes longest is first", work == ["GET", "/report?year=2026", "2.10 s"], str(work))
    lines = page.evaluate("[...document.querySelectorAll('#lines li')].map("
                          "e => e.className + ' ' + e.lastChild.innerText)")
    tally.check("busy: seven lines of the log", len(lines) == 7 and lines[3].startswith("warn orders:"), str(lines))
    tally.check("busy: settings, the secret as it came", "\u2022" * 6 in text_of(page, "settings") and
                "hello.ini:3" in text_of(page, "settings"))

    page.evaluate("document.querySelector('#rate svg').focus()")
    for _ in range(90):
        page.evaluate("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft'}))")
    said = page.evaluate("document.querySelector('#latency figcaption').innerText")
    tally.check("busy: arrow keys go back to the spike, in both curves", "now" not in said and " ms" in said, said)
    page.evaluate("document.activeElement.blur()")

    tally.check("busy: it asks for what is new alone",
                page.wait("true") and wait_for(lambda: service.asked[-1] == f"after={NOW // 1000 - 1}&log=7"),
                str(service.asked[-3:]))
    roles = page.evaluate("['header', 'main', 'h1'].map(n => document.querySelectorAll(n).length)")
    tally.check("busy: one header, one main, one first heading", roles == [1, 1, 1], str(roles))
    unnamed = page.evaluate("[...document.querySelectorAll('section, table, svg, [tabindex], select, button')].filter("
                            "e => !e.ariaLabel && !e.getAttribute('aria-labelledby') && !(e.labels && e.labels.length)"
                            " && !e.textContent.trim()).map(e => e.outerHTML)")
    tally.check("busy: whatever can be reached has a name", not unnamed, "\n".join(unnamed))
    quiet(tally, "busy", page)
    page.close()


def the_log(tally, browser, service):
    page = opened(browser, service, busy())
    page.evaluate("{ const s = document.getElementById('least'); s.value = '2'; s.onchange(); }")
    shown = "[...document.querySelectorAll('#lines li')].filter(e => e.offsetHeight).map(e => e.className)"
    tally.check("log: warnings and errors alone", page.evaluate(shown) == ["warn", "error"], str(page.evaluate(shown)))
    page.evaluate("{ const s = document.getElementById('least'); s.value = '0'; s.onchange(); }")
    page.evaluate("document.getElementById('pause').click()")
    service.say = {**busy(), "log": [{"n": 8, "t": NOW, "level": "info", "text": "the eighth"}]}
    tally.check("log: paused, it counts what comes",
                page.wait("document.getElementById('pause').innerText.includes('1 new')"))
    tally.check("log: and does not show it", "the eighth" not in text_of(page, "lines"))
    page.evaluate("document.getElementById('pause').click()")
    tally.check("log: going on, it shows it once", text_of(page, "lines").count("the eighth") == 1)
    service.say = {**busy(), "log": [{"n": 100 + i, "t": NOW + i, "level": "info", "text": f"line {i}"}
                                     for i in range(700)]}
    page.wait("document.getElementById('lines').lastChild.innerText.includes('line 699')")
    there = page.evaluate("[document.getElementById('lines').children.length, "
                          "(e => e.scrollHeight - e.scrollTop - e.clientHeight)(document.getElementById('log'))]")
    tally.check("log: 500 lines at most, the newest in sight", there[0] == 500 and there[1] < 2, str(there))
    page.evaluate("document.getElementById('log').scrollTop = 0")
    service.say = {**busy(), "log": [{"n": 900, "t": NOW, "level": "info", "text": "the last"}]}
    page.wait("document.getElementById('lines').lastChild.innerText.includes('the last')")
    tally.check("log: who reads further up stays there",
                page.evaluate("document.getElementById('log').scrollTop") < 200)
    quiet(tally, "log", page)
    page.close()


def a_crowded_one(tally, browser, service):
    page = opened(browser, service, crowded(), width=360, height=740)
    tally.check("crowded: ten routes at first",
                page.evaluate("document.querySelectorAll('#routes tbody tr').length") == 10)
    page.evaluate("document.getElementById('all_routes').click()")
    tally.check("crowded: all 300 when asked for",
                page.evaluate("document.querySelectorAll('#routes tbody tr').length") == 300)
    for width in (360, 700, 1280):
        page.look(width, 740, "light")
        time.sleep(0.2)
        wide = page.evaluate(TOO_WIDE)
        tally.check(f"crowded: nothing sticks out at {width} px", not wide, "\n".join(wide))
    quiet(tally, "crowded", page)
    page.close()


def hostile_texts(tally, browser, service):
    page = opened(browser, service, hostile(), width=360, height=740)
    tally.check("hostile: nothing became markup", page.evaluate("window.broken === undefined && "
                "document.querySelectorAll('script').length === 1 && !document.querySelector('img')"))
    lines = page.evaluate("[...document.querySelectorAll('#lines p')].map(e => e.textContent)")
    tally.check("hostile: a script is shown as it is written", lines[0] == HOSTILE[0], lines[0])
    tally.check("hostile: lines and tabs stay", lines[1] == HOSTILE[1], lines[1])
    tally.check("hostile: control characters are seen",
                lines[2] == "\u241b[31mred\u241b[0m \u2400 bell\u2407 \ufffd \ufffd", ascii(lines[2]))
    tally.check("hostile: nothing turns the writing around", lines[3] == "\ufffdtxt.exe \ufffd \ufffd \U0001f600",
                ascii(lines[3]))
    tally.check("hostile: a very long line is cut and says so", lines[4].endswith("w \u2026 (100,000 characters)") and
                len(lines[4]) < 4100)
    tally.check("hostile: entities are no entities", lines[6] == HOSTILE[6], lines[6])
    wide = page.evaluate(TOO_WIDE)
    tally.check("hostile: nothing sticks out at 360 px", not wide, "\n".join(wide))
    quiet(tally, "hostile", page)
    page.close()


def wait_for(holds, seconds=10):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.05)
    return False


def one_that_goes_away(tally, browser, service):
    page = opened(browser, service, busy())
    news = "document.getElementById('news').innerText"
    service.status = 503
    tally.check("gone: a status that is no answer is told", page.wait(f"{news}.includes('service answered 503')"))
    service.status, service.body = 200, "<html>please sign in</html>"
    tally.check("gone: so is something else than data", page.wait(f"{news}.includes('something else')"))
    service.body = None
    tally.check("gone: and is forgotten when it answers", page.wait("document.getElementById('news').hidden"))
    service.say = {**busy(), "state": "stopping"}
    tally.check("gone: stopping, first", page.wait("document.getElementById('state').innerText === 'Stopping'"))
    quietly = [one for one in page.complaints() if "503" not in one]
    tally.check("gone: no error until then but the 503", not quietly, "\n".join(quietly))

    service.end()
    tally.check("gone: said plainly",
                page.wait(f"{news}.includes('No answer since') && {news}.includes('cannot be reached')"))
    tally.check("gone: the chip and the tab say it", text_of(page, "state") == "No answer" and
                page.evaluate("document.title").endswith("no answer"))
    tally.check("gone: the news is an alert", page.evaluate("document.getElementById('news').role") == "alert")
    tally.check("gone: what it last said is still there", text_of(page, "answered") == "1,421,090")
    low = page.evaluate(LOW_CONTRAST)
    tally.check("gone: still to be read", not low["found"], "\n".join(low["found"]))

    service.say = {**fresh(), "pid": 456, "since": NOW + 1, "now": NOW + 60_000,
                   "log": [{"n": 1, "t": NOW + 5, "level": "info", "text": "started anew"}]}
    service.asked.clear()
    service.begin()
    tally.check("gone: it finds its way back by itself",
                page.wait("document.getElementById('pid').innerText === '456'"))
    tally.check("gone: after a restart it asks for everything", "" in service.asked, str(service.asked))
    tally.check("gone: and shows nothing of before", text_of(page, "lines").count("\n") < 4 and
                "started anew" in text_of(page, "lines"), text_of(page, "lines"))
    page.close()


def one_that_nobody_looks_at(tally, browser, service):
    page = opened(browser, service, busy())
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => window.away}); window.away = true;"
                  "document.dispatchEvent(new Event('visibilitychange')); 0")
    time.sleep(0.3)
    before = len(service.asked)
    time.sleep(2.2)
    tally.check("hidden: it asks nothing", len(service.asked) <= before, f"{before} {len(service.asked)}")
    page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange')); 0")
    tally.check("hidden: seen again, it asks at once", wait_for(lambda: len(service.asked) > before, 0.9))
    page.close()


def how_it_looks(tally, browser, service, pictures):
    backs = {}
    for scheme in ("light", "dark"):
        for device, width, height in (("desktop", 1280, 900), ("phone", 360, 740)):
            page = opened(browser, service, busy(), width=width, height=height, scheme=scheme)
            page.wait("!!document.querySelector('#rate svg path')")
            backs[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
            low = page.evaluate(LOW_CONTRAST)
            tally.check(f"{device} {scheme}: every text has a contrast of 4.5 or more",
                        not low["found"] and low["pairs"] > 5, "\n".join(low["found"]) or str(low))
            wide = page.evaluate(TOO_WIDE)
            tally.check(f"{device} {scheme}: nothing sticks out", not wide, "\n".join(wide))
            if pictures:
                page.picture(pictures / f"{device}-{scheme}.png")
            page.close()
    tally.check("dark and light differ", backs["dark"] != backs["light"], str(backs))

    page = opened(browser, service, busy())
    page.wait("document.querySelectorAll('#lines li').length === 7")
    boxes = ("[...document.querySelectorAll('section, figure, thead tr, #routes *, .tiles dd, b, svg')].map(e => {"
             " const b = e.getBoundingClientRect(); return [e.tagName, b.left, b.top, b.width, b.height].join() })")
    before = page.evaluate(boxes)
    last = busy()["seconds"][-1]
    other = [{**one, "n": one["n"] + 7, "p50": one["p50"] * 7, "p99": one["p99"] * 7, "max": one["max"] * 7}
             for one in busy()["routes"]]
    service.say = {**busy(), "now": NOW + 1000, "in_flight": 128, "connections": 9999, "routes": other, "at_work": [],
                   "seconds": [{**last, "t": last["t"] + 1, "n": 9, "e": 3, "p50": 1234, "p99": 2_345_678}]}
    page.wait("document.getElementById('in_flight').innerText === '128'")
    after = page.evaluate(boxes)
    tally.check("nothing moves when numbers change", before == after,
                str([pair for pair in zip(before, after) if pair[0] != pair[1]][:5]))
    page.close()
    if not pictures:
        return

    page = opened(browser, service, fresh())
    page.picture(pictures / "empty.png")
    page.close()
    page = opened(browser, service, crowded(), width=360, height=740)
    page.picture(pictures / "phone-crowded.png")
    page.close()
    page = opened(browser, service, hostile())
    page.picture(pictures / "hostile.png")
    page.close()
    page = opened(browser, service, busy())
    page.evaluate("document.querySelector('#rate svg').focus()")
    for _ in range(90):
        page.evaluate("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft'}))")
    page.picture(pictures / "pointed.png")
    service.end()
    page.wait("!document.getElementById('news').hidden")
    page.evaluate("document.activeElement.blur()")
    page.picture(pictures / "gone.png")
    page.look(360, 740, "dark")
    time.sleep(0.2)
    page.picture(pictures / "gone-phone-dark.png", whole=False)
    page.close()
    service.begin()


def main():
    parser = argparse.ArgumentParser(prog="tests/browser/run.py", description=__doc__.split("\n")[0])
    parser.add_argument("--pictures", type=pathlib.Path, metavar="FOLDER", help="leave pictures there")
    options = parser.parse_args()
    tally = Tally()
    files = assets(tally)
    if files:
        the_files(tally, files)
    if files and not chromium.program():
        tally.skip("the page in a browser", "there is no chromium")
    elif files:
        if options.pictures:
            options.pictures.mkdir(parents=True, exist_ok=True)
        service = Service(files)
        with chromium.Browser() as browser:
            for part in (a_fresh_service, a_busy_service, the_log, a_crowded_one, hostile_texts, one_that_goes_away,
                         one_that_nobody_looks_at):
                part(tally, browser, service)
            how_it_looks(tally, browser, service, options.pictures)
        service.end()
    tally.finish()


if __name__ == "__main__":
    main()
