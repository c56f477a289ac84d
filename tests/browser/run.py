#!/usr/bin/env python3
"""Tests of the pages in a real browser: the dashboard (content, layout, accessibility, errors of the service), and the
pages of a running service (live_pages.py).

  tests/browser/run.py                    run the tests; half a minute
  tests/browser/run.py --pictures FOLDER  also save screenshots

A small C++ program prints the HTML, CSS and JavaScript of the header. A server (fake_service.py) sends them with the
same content security policy as the service, and a data.json that the test sets. The browser is Chromium (chromium.py);
without Chromium, the tests are skipped.
"""

import argparse
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import chromium  # noqa: E402
import live_pages  # noqa: E402
from fake_service import (HOSTILE_TEXTS, NOW, TYPES, FakeService,  # noqa: E402
                          busy_service, hostile_service, idle_service, large_service)
from kit import BUILD, GXX, ROOT, STANDARD, WARNINGS, Tally, run  # noqa: E402

FOLDER = BUILD / "test" / "browser"
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
PRINTER = """#include "winsvc/addons/dashboard_page.hpp"
#include "winsvc/addons/dashboard_script.hpp"
#include "winsvc/addons/dashboard_style.hpp"
#include <cstdio>
int main(int, char** argv) {
  namespace page = winsvc::detail::addons;
  const std::string_view parts[] = {page::dashboard_html, page::dashboard_css, page::dashboard_js, page::dashboard_policy};
  const std::string_view part = parts[argv[1][0] - '0'];
  std::fwrite(part.data(), 1, part.size(), stdout);
}
"""


def assets(tally):
    """The files of the page in the header: {"html": text, ...}; None if the header does not compile."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    source, printer = FOLDER / "print.cpp", FOLDER / "print"
    source.write_text(PRINTER, encoding="utf-8")
    code, output = run([GXX, *STANDARD, *WARNINGS, f"-I{ROOT / 'include'}", source, "-o", printer])
    if not tally.check("the header compiles alone", code == 0, output):
        return None
    texts = [run([printer, str(part)])[1] for part in range(4)]
    return dict(zip(("html", "css", "js", "policy"), texts))


# --- checks -----------------------------------------------------------------------------------------------------------

TEXT_OF = "document.getElementById({!r}).innerText"
HAS_DATA = "document.getElementById('pid').textContent !== '\\u2013'"

# Elements that are wider than the window, or that scroll horizontally but should not.
OVERFLOWING = """[...document.querySelectorAll("body, body *")].filter(e => {
  const box = e.getBoundingClientRect();
  return box.width > 0 && !e.closest("svg") && !e.closest(".settings thead") &&
         (box.right > innerWidth + 0.5 || box.left < -0.5 || e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0);
}).map(e => `${e.tagName}.${e.className} ${e.id} ${e.scrollWidth}/${e.clientWidth}`).slice(0, 5)"""

# Contrast of each visible text with its first opaque background, as WCAG defines it.
LOW_CONTRAST = """(() => {
  const parts = c => c.match(/[\\d.]+/g).map(Number);
  const luminance = c => parts(c).slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
                                 .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const canvas = document.createElement("p");
  canvas.style.backgroundColor = "Canvas";                  // of a page without a background
  document.body.append(canvas);
  const page_color = getComputedStyle(canvas).backgroundColor;
  canvas.remove();
  const found = [], seen = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walk.nextNode();) {
    const e = node.parentElement;
    if (!node.data.trim() || !e.getClientRects().length || ["NOSCRIPT", "SCRIPT"].includes(e.tagName)) continue;
    let parent = e;
    while (parent && (parts(getComputedStyle(parent).backgroundColor)[3] ?? 1) < 1) parent = parent.parentElement;
    const style = getComputedStyle(e), color = e.closest("svg") ? style.fill : style.color;
    const background = parent ? getComputedStyle(parent).backgroundColor : page_color;
    const a = luminance(color), b = luminance(background), ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    seen.add(color + background);
    const name = `${e.tagName}.${e.getAttribute("class")} ${node.data.slice(0, 30)}`;
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${name}`);
  }
  return {found: [...new Set(found)].slice(0, 8), pairs: seen.size};
})()"""


def text_of(page, name):
    return page.evaluate(TEXT_OF.format(name))


def open_page(browser, service, data, **view):
    service.data, service.status, service.body = data, 200, None
    page = browser.page(**view)
    page.go(service.url())
    page.wait(HAS_DATA)
    return page


def check_errors(tally, name, page):
    errors = page.errors()
    tally.check(f"{name}: no error and no violation of the content security policy", not errors, "\n".join(errors))


def check_files(tally, files):
    for name in ("html", "css", "js"):
        size = len(files[name].encode())
        print(f"        {name}: {size} bytes", flush=True)
        tally.check(f"the {name} is ASCII", files[name].isascii())
    tally.check("the content security policy is the expected one", files["policy"] == POLICY, files["policy"])
    text = "".join((ROOT / f"include/winsvc/addons/dashboard_{part}.hpp").read_text(encoding="utf-8")
                   for part in ("page", "style", "script"))
    literals = [part.split(f'){mark}"')[0] for mark in TYPES for part in text.split(f'R"{mark}(')[1:]]
    tally.check("no string literal is too long for MSVC", len(literals) >= 4 and max(map(len, literals)) < 15_000,
                str([len(literal) for literal in literals]))
    tally.check("no trigraph and no line that begins with #",
                not any("??" + c in text for c in "=/'()!<>-") and
                not any(line.startswith("#") for literal in literals for line in literal.split("\n")))


def check_idle_service(tally, browser, service):
    page = open_page(browser, service, idle_service())
    tally.check("idle: the name is the heading", text_of(page, "title") == "Hello service")
    tally.check("idle: the state is Running", text_of(page, "state") == "Running")
    tally.check("idle: the title of the tab contains the state", page.evaluate("document.title") ==
                "Hello service \u2013 running")
    tally.check("idle: the uptime is 8 s", text_of(page, "uptime") == "8 s", text_of(page, "uptime"))
    page_text = page.evaluate("document.body.innerText")
    for sentence in ("No requests yet.", "No requests in progress.", "No log lines.", "This service has no settings."):
        tally.check(f"idle: {sentence}", sentence in page_text, page_text)
    check_errors(tally, "idle", page)
    page.close()


def check_busy_service(tally, browser, service):
    page = open_page(browser, service, busy_service())
    for name, expected in (("name", "hello"), ("version", "1.2"), ("pid", "123"), ("address", "http://127.0.0.1:5001"),
                         ("uptime", "4 h 12 min"), ("in_flight", "3"), ("connections", "14"), ("websockets", "2"),
                         ("threads", "4"), ("answered", "1,421,090"), ("host", "BUILD-7"), ("memory", "23.5 MB"),
                         ("libraries", "winsvc 0.1.0, cpp-httplib 0.53.1"), ("client_errors", "17"),
                         ("cpu_window", "since the start, 8 CPUs")):
        tally.check(f"busy: {name} is {expected}", text_of(page, name) == expected, text_of(page, name))
    for name, expected in (("rate", ["137", "1", "0"]), ("latency", ["412 \u00b5s", "91 \u00b5s"])):
        actual = page.evaluate(f"[...document.querySelectorAll('#{name} b')].map(e => e.innerText)")
        tally.check(f"busy: current values of {name}: {expected}", actual == expected, str(actual))
        label = page.evaluate(f"document.querySelector('#{name} svg').getAttribute('aria-label')")
        tally.check(f"busy: the chart of {name} has a label for screen readers",
                    all(value in label for value in expected), label)
    first = page.evaluate("[...document.querySelectorAll('#routes tbody tr:first-child > *')].map(e => e.innerText)")
    tally.check("busy: the slowest route is first",
                first == ["GET", "/report", "312", "184 ms", "2.31 s", "8.42 s", "0", "0"], str(first))
    page.evaluate("document.querySelector('#routes th:nth-child(3) button').click()")
    tally.check("busy: a click on Requests sorts by requests, and sets aria-sort",
                page.evaluate("document.querySelector('#routes tbody tr').cells[1].innerText") == "/" and
                page.evaluate("document.querySelector('#routes th:nth-child(3)').ariaSort") == "descending")
    request = page.evaluate("[...document.querySelectorAll('#work tbody tr:first-child > *')].map(e => e.innerText)")
    tally.check("busy: the longest running request is first",
                request == ["GET", "/report?year=2026", "2.10 s"], str(request))
    lines = page.evaluate("[...document.querySelectorAll('#lines li')].map("
                          "e => e.className + ' ' + e.lastChild.innerText)")
    tally.check("busy: seven log lines", len(lines) == 7 and lines[3].startswith("warn orders:"), str(lines))
    tally.check("busy: settings and their sources; the secret stays masked",
                "\u2022" * 6 in text_of(page, "settings") and "hello.ini:3" in text_of(page, "settings"))

    rows = page.evaluate("[...document.querySelectorAll('#routes tbody tr')].map(e => e.cells[1].innerText)")
    tally.check("busy: requests without a route have a row", "(no route)" in rows, str(rows))
    tally.check("busy: the last failed request is shown", "POST /orders, status 500" in text_of(page, "last_failure_text"))
    page.evaluate("document.querySelector('#rate svg').focus()")
    for _ in range(90):
        page.evaluate("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft'}))")
    caption = page.evaluate("document.querySelector('#latency figcaption').innerText")
    tally.check("busy: arrow keys move to the spike in both charts", "now" not in caption and " ms" in caption, caption)
    page.evaluate("document.activeElement.blur()")

    tally.check("busy: it requests only new data",
                page.wait("true") and wait_for(lambda: service.queries[-1] == f"after={NOW // 1000 - 1}&log=7"),
                str(service.queries[-3:]))
    roles = page.evaluate("['header', 'main', 'h1'].map(n => document.querySelectorAll(n).length)")
    tally.check("busy: one header, one main, one first heading", roles == [1, 1, 1], str(roles))
    unnamed = page.evaluate("[...document.querySelectorAll('section, table, svg, [tabindex], select, button')].filter("
                            "e => !e.ariaLabel && !e.getAttribute('aria-labelledby') && !(e.labels && e.labels.length)"
                            " && !e.textContent.trim()).map(e => e.outerHTML)")
    tally.check("busy: each section, table and control has an accessible name", not unnamed, "\n".join(unnamed))
    check_errors(tally, "busy", page)
    page.close()


def check_start(tally, browser, service):
    """Shortly after the start, the charts are one minute wide and the CPU time is that since the start."""
    data = idle_service()
    data["seconds"] = [{"t": NOW // 1000 - 1 - age, "n": 3, "c": 0, "e": 0, "p50": 90, "p99": 120} for age in range(6)]
    page = open_page(browser, service, data)
    labels = page.evaluate("[...document.querySelectorAll('#rate svg text')].map(e => e.textContent)")
    tally.check("start: the chart is one minute wide", "60 s" in labels and "5 min" not in labels, str(labels))
    tally.check("start: the CPU time is a part of all processors", text_of(page, "cpu") == "0.1 %", text_of(page, "cpu"))
    service.data = {**data, "now": NOW + 1000, "cpu_us": 2_040_000}
    tally.check("start: then the CPU time of the last second",
                page.wait("document.getElementById('cpu').innerText === '25.0 %'"), text_of(page, "cpu"))
    check_errors(tally, "start", page)
    page.close()


def check_filter(tally, browser, service):
    """A route leads to its log lines, and the last failed request to its own."""
    texts = ["127.0.0.1 GET /users/17  200  5 B  91 us", "127.0.0.1 GET /users/17?x=1  200  5 B  91 us",
             "127.0.0.1 GET /users/17/orders  200  5 B  91 us", "127.0.0.1 PUT /users/17  200  5 B  91 us",
             "127.0.0.1 GET /files/a/b.txt  200  5 B  91 us", "POST /orders: closed (8f3a21c0)", "a (b) [c] {d}"]
    data = busy_service()
    data["log"] = [{"n": i + 1, "t": NOW, "level": "info", "text": text} for i, text in enumerate(texts)]
    page = open_page(browser, service, data)
    page.wait("document.querySelectorAll('#lines li').length === 7")
    shown = "[...document.querySelectorAll('#lines li')].filter(e => e.offsetHeight).map(e => e.lastChild.innerText)"

    def lines_of(pattern, method):
        page.evaluate(f"[...document.querySelectorAll('#routes tbody tr')].find(e => e.cells[1].innerText === '{pattern}' "
                      f"&& e.cells[0].innerText === '{method}').querySelector('button').click()")
        return page.evaluate(shown)

    tally.check("filter: a route with a parameter shows its lines", lines_of("/users/{id}", "GET") == texts[:2],
                str(page.evaluate(shown)))
    tally.check("filter: a route with a tail shows its lines", lines_of("/files/{path...}", "GET") == texts[4:5],
                str(page.evaluate(shown)))
    page.evaluate("document.getElementById('last_failure_log').click()")
    tally.check("filter: the last failed request shows its lines", page.evaluate(shown) == texts[5:6],
                str(page.evaluate(shown)))
    for typed, expected in (("(B) [C]", texts[6:]), ("", texts), ("nothing", [])):
        page.evaluate(f"{{ const f = document.getElementById('filter'); f.value = '{typed}'; f.oninput(); }}")
        tally.check(f"filter: '{typed}' is a text without case", page.evaluate(shown) == expected,
                    str(page.evaluate(shown)))
    tally.check("filter: a row without a route has no button",
                page.evaluate("[...document.querySelectorAll('#routes tbody tr')].filter("
                              "e => !e.cells[0].innerText && e.querySelector('button')).length") == 0)
    check_errors(tally, "filter", page)
    page.close()


def check_log(tally, browser, service):
    page = open_page(browser, service, busy_service())
    page.evaluate("{ const s = document.getElementById('min_level'); s.value = '2'; s.onchange(); }")
    shown = "[...document.querySelectorAll('#lines li')].filter(e => e.offsetHeight).map(e => e.className)"
    tally.check("log: only warnings and errors", page.evaluate(shown) == ["warn", "error"], str(page.evaluate(shown)))
    page.evaluate("{ const s = document.getElementById('min_level'); s.value = '0'; s.onchange(); }")
    page.evaluate("document.getElementById('pause').click()")
    service.data = {**busy_service(), "log": [{"n": 8, "t": NOW, "level": "info", "text": "the eighth"}]}
    tally.check("log: paused, it counts new lines",
                page.wait("document.getElementById('pause').innerText.includes('1 new')"))
    tally.check("log: paused, it does not show new lines", "the eighth" not in text_of(page, "lines"))
    page.evaluate("document.getElementById('pause').click()")
    tally.check("log: resumed, it shows the new line once", text_of(page, "lines").count("the eighth") == 1)
    service.data = {**busy_service(), "log": [{"n": 100 + i, "t": NOW + i, "level": "info", "text": f"line {i}"}
                                     for i in range(700)]}
    page.wait("document.getElementById('lines').lastChild.innerText.includes('line 699')")
    actual = page.evaluate("[document.getElementById('lines').children.length, "
                          "(e => e.scrollHeight - e.scrollTop - e.clientHeight)(document.getElementById('log'))]")
    tally.check("log: at most 500 lines, the newest is visible", actual[0] == 500 and actual[1] < 2, str(actual))
    page.evaluate("document.getElementById('log').scrollTop = 0")
    service.data = {**busy_service(), "log": [{"n": 900, "t": NOW, "level": "info", "text": "the last"}]}
    page.wait("document.getElementById('lines').lastChild.innerText.includes('the last')")
    tally.check("log: a new line does not change the scroll position of a reader",
                page.evaluate("document.getElementById('log').scrollTop") < 200)
    hidden = "document.getElementById('log_failure').hidden"
    tally.check("log: without a failure, no line reports one", page.evaluate(hidden))
    service.data = {**busy_service(), "log_failure": "the log file cannot be written since noon (3 lines lost): full"}
    tally.check("log: a line reports a file that cannot be written",
                page.wait("document.getElementById('log_failure').innerText.includes('3 lines lost')"))
    service.data = busy_service()
    tally.check("log: the line disappears after the failure", page.wait(hidden))
    check_errors(tally, "log", page)
    page.close()


def check_large_service(tally, browser, service):
    page = open_page(browser, service, large_service(), width=360, height=740)
    tally.check("large: ten routes at first",
                page.evaluate("document.querySelectorAll('#routes tbody tr').length") == 10)
    page.evaluate("document.getElementById('all_routes').click()")
    tally.check("large: all 300 routes after a click",
                page.evaluate("document.querySelectorAll('#routes tbody tr').length") == 300)
    for width in (360, 700, 1280):
        page.set_view(width, 740, "light")
        time.sleep(0.2)
        overflowing = page.evaluate(OVERFLOWING)
        tally.check(f"large: no element overflows at {width} px", not overflowing, "\n".join(overflowing))
    check_errors(tally, "large", page)
    page.close()


def check_hostile_texts(tally, browser, service):
    page = open_page(browser, service, hostile_service(), width=360, height=740)
    tally.check("hostile: no text becomes markup", page.evaluate("window.broken === undefined && "
                "document.querySelectorAll('script').length === 1 && !document.querySelector('img')"))
    lines = page.evaluate("[...document.querySelectorAll('#lines p')].map(e => e.textContent)")
    tally.check("hostile: a script is shown as text", lines[0] == HOSTILE_TEXTS[0], lines[0])
    tally.check("hostile: line ends and tabs stay", lines[1] == HOSTILE_TEXTS[1], lines[1])
    tally.check("hostile: control characters are shown as symbols",
                lines[2] == "\u241b[31mred\u241b[0m \u2400 bell\u2407 \ufffd \ufffd", ascii(lines[2]))
    tally.check("hostile: bidi controls are replaced", lines[3] == "\ufffdtxt.exe \ufffd \ufffd \U0001f600",
                ascii(lines[3]))
    tally.check("hostile: a very long line is truncated and shows its length",
                lines[4].endswith("w \u2026 (100,000 characters)") and len(lines[4]) < 4100)
    tally.check("hostile: entities are shown as text", lines[6] == HOSTILE_TEXTS[6], lines[6])
    overflowing = page.evaluate(OVERFLOWING)
    tally.check("hostile: no element overflows at 360 px", not overflowing, "\n".join(overflowing))
    check_errors(tally, "hostile", page)
    page.close()


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def check_unreachable_service(tally, browser, service):
    page = open_page(browser, service, busy_service())
    message = "document.getElementById('news').innerText"
    service.status = 503
    tally.check("unreachable: an error status is shown", page.wait(f"{message}.includes('status 503')"))
    service.status, service.body = 200, "<html>please sign in</html>"
    tally.check("unreachable: a response without data is reported",
                page.wait(f"{message}.includes('not valid dashboard data')"))
    service.body = None
    tally.check("unreachable: the message is removed after the next valid response",
                page.wait("document.getElementById('news').hidden"))
    service.data = {**busy_service(), "state": "stopping"}
    tally.check("unreachable: the state is Stopping first",
                page.wait("document.getElementById('state').innerText === 'Stopping'"))
    other_errors = [entry for entry in page.errors() if "503" not in entry]
    tally.check("unreachable: no error except the 503", not other_errors, "\n".join(other_errors))

    service.stop()
    tally.check("unreachable: a message is shown",
                page.wait(f"{message}.includes('No response since') && {message}.includes('cannot be reached')"))
    tally.check("unreachable: the state and the tab title show it", text_of(page, "state") == "Unreachable" and
                page.evaluate("document.title").endswith("unreachable"))
    tally.check("unreachable: the message is an alert",
                page.evaluate("document.getElementById('news').role") == "alert")
    tally.check("unreachable: the last data is still shown", text_of(page, "answered") == "1,421,090")
    contrast = page.evaluate(LOW_CONTRAST)
    tally.check("unreachable: the contrast is sufficient", not contrast["found"], "\n".join(contrast["found"]))

    service.data = {**idle_service(), "pid": 456, "since": NOW + 1, "now": NOW + 60_000,
                   "log": [{"n": 1, "t": NOW + 5, "level": "info", "text": "started again"}]}
    service.queries.clear()
    service.start()
    tally.check("unreachable: it reconnects by itself",
                page.wait("document.getElementById('pid').innerText === '456'"))
    tally.check("unreachable: after a restart it requests all data", "" in service.queries, str(service.queries))
    tally.check("unreachable: after a restart it shows no old lines", text_of(page, "lines").count("\n") < 4 and
                "started again" in text_of(page, "lines"), text_of(page, "lines"))
    page.close()


def check_hidden_page(tally, browser, service):
    page = open_page(browser, service, busy_service())
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => window.away}); window.away = true;"
                  "document.dispatchEvent(new Event('visibilitychange')); 0")
    time.sleep(0.3)
    before = len(service.queries)
    time.sleep(2.2)
    tally.check("hidden: it sends no request", len(service.queries) <= before, f"{before} {len(service.queries)}")
    page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange')); 0")
    tally.check("hidden: visible again, it sends a request at once",
                wait_for(lambda: len(service.queries) > before, 0.9))
    page.close()


def check_layout(tally, browser, service, screenshots):
    backgrounds = {}
    for scheme in ("light", "dark"):
        for device, width, height in (("desktop", 1280, 900), ("phone", 360, 740)):
            page = open_page(browser, service, busy_service(), width=width, height=height, scheme=scheme)
            page.wait("!!document.querySelector('#rate svg path')")
            backgrounds[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
            contrast = page.evaluate(LOW_CONTRAST)
            tally.check(f"{device} {scheme}: each text has a contrast of at least 4.5",
                        not contrast["found"] and contrast["pairs"] > 5, "\n".join(contrast["found"]) or str(contrast))
            overflowing = page.evaluate(OVERFLOWING)
            tally.check(f"{device} {scheme}: no element overflows", not overflowing, "\n".join(overflowing))
            if screenshots:
                page.save_screenshot(screenshots / f"{device}-{scheme}.png")
            page.close()
    tally.check("the dark and light schemes differ", backgrounds["dark"] != backgrounds["light"], str(backgrounds))

    page = open_page(browser, service, busy_service())
    page.wait("document.querySelectorAll('#lines li').length === 7")
    boxes = ("[...document.querySelectorAll('section, figure, thead tr, #routes *, .tiles dd, b, svg')].map(e => {"
             " const b = e.getBoundingClientRect(); return [e.tagName, b.left, b.top, b.width, b.height].join() })")
    before = page.evaluate(boxes)
    last = busy_service()["seconds"][-1]
    routes = [{**route, "n": route["n"] + 7, "p50": route["p50"] * 7, "p99": route["p99"] * 7, "max": route["max"] * 7}
              for route in busy_service()["routes"]]
    service.data = {**busy_service(), "now": NOW + 1000, "in_flight": 128, "connections": 9999, "routes": routes,
                    "active_requests": [],
                    "seconds": [{**last, "t": last["t"] + 1, "n": 9, "c": 8, "e": 3, "p50": 1234, "p99": 2_345_678}]}
    page.wait("document.getElementById('in_flight').innerText === '128'")
    after = page.evaluate(boxes)
    tally.check("the layout does not change when numbers change", before == after,
                str([pair for pair in zip(before, after) if pair[0] != pair[1]][:5]))
    page.close()
    if not screenshots:
        return

    page = open_page(browser, service, idle_service())
    page.save_screenshot(screenshots / "idle.png")
    page.close()
    page = open_page(browser, service, large_service(), width=360, height=740)
    page.save_screenshot(screenshots / "phone-large.png")
    page.close()
    page = open_page(browser, service, hostile_service())
    page.save_screenshot(screenshots / "hostile.png")
    page.close()
    page = open_page(browser, service, busy_service())
    page.evaluate("document.querySelector('#rate svg').focus()")
    for _ in range(90):
        page.evaluate("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft'}))")
    page.save_screenshot(screenshots / "selected.png")
    service.stop()
    page.wait("!document.getElementById('news').hidden")
    page.evaluate("document.activeElement.blur()")
    page.save_screenshot(screenshots / "unreachable.png")
    page.set_view(360, 740, "dark")
    time.sleep(0.2)
    page.save_screenshot(screenshots / "phone-unreachable-dark.png", full_page=False)
    page.close()
    service.start()


def main():
    parser = argparse.ArgumentParser(prog="tests/browser/run.py", description=__doc__.split("\n")[0])
    parser.add_argument("--pictures", type=pathlib.Path, metavar="FOLDER", help="save screenshots in this folder")
    options = parser.parse_args()
    tally = Tally()
    files = assets(tally)
    if files:
        check_files(tally, files)
    if files and not chromium.program():
        tally.skip("the page in a browser", "chromium is not installed")
    elif files:
        if options.pictures:
            options.pictures.mkdir(parents=True, exist_ok=True)
        service = FakeService(files)
        with chromium.Browser() as browser:
            for check in (check_idle_service, check_start, check_busy_service, check_filter, check_log, check_large_service, check_hostile_texts,
                          check_unreachable_service, check_hidden_page):
                check(tally, browser, service)
            check_layout(tally, browser, service, options.pictures)
            live_pages.check_live_pages(tally, browser, {"overflowing": OVERFLOWING, "contrast": LOW_CONTRAST},
                                        options.pictures)
        service.stop()
    tally.finish()


if __name__ == "__main__":
    main()
