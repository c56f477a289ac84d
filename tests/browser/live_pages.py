"""The pages of a running service in a real browser: the page of the API, an error page and the dashboard.

The service is examples/items.cpp. run.py calls check_live_pages(); with a folder for screenshots, it saves one of each
page in each view.
"""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import urllib.request

from kit import CLANG, GXX, ROOT, SEPARATE, STANDARD, Ninja, eventually, library_includes, winsvc_object

VIEWS = [(scheme, width) for scheme in ("light", "dark") for width in (1280, 390)]

# The summaries of the page: ["get /items", ...]
OPERATIONS = """[...document.querySelectorAll("#operations summary")].map(e =>
  e.querySelector(".method").dataset.method + " " + e.querySelector("code").innerText)"""
WIDTHS = "[document.documentElement.scrollWidth, innerWidth]"


def build():
    """Returns (the program, the output of the compiler); the program is None if it does not build."""
    ninja = Ninja("browser")
    source = ROOT / "examples" / "items.cpp"
    compiled = ninja.compile("items.o", source, [CLANG, *STANDARD, "-O0", *SEPARATE, *library_includes()])
    program = ninja.link("items", [compiled, winsvc_object(GXX)], ([CLANG], ["-pthread"]))
    _, output = ninja.build()
    return (program if program.exists() else None), output


def read(url):
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as response:
        return response.read()
    return b""


@contextlib.contextmanager
def running(program):
    """Runs the service on a free port. Yields its URL; empty if it does not start."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen([program, "debug", "--port", str(port)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=home,
                                   env={**os.environ, "HOME": home})
        try:
            yield url if eventually(lambda: read(url + "/openapi.json")) else ""
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def check_view(tally, page, name, checks, screenshot):
    """Checks that hold for each page: no horizontal scroll, sufficient contrast, no error."""
    widths = page.evaluate(WIDTHS)
    tally.check(f"{name}: no horizontal scroll", widths[0] <= widths[1], str(widths))
    overflowing = page.evaluate(checks["overflowing"])
    tally.check(f"{name}: no element overflows", not overflowing, "\n".join(overflowing))
    contrast = page.evaluate(checks["contrast"])
    tally.check(f"{name}: each text has a contrast of at least 4.5", not contrast["found"] and contrast["pairs"] > 0,
                "\n".join(contrast["found"]))
    # The browser reports each response with an error status, and also requests an icon.
    errors = [text for text in page.errors() if "Failed to load resource" not in text]
    tally.check(f"{name}: no error and no violation of the content security policy", not errors, "\n".join(errors))
    if screenshot:
        page.save_screenshot(screenshot)


def try_operation(page, summary, values=None):
    """Opens an operation, writes `values` (by label) into its fields and sends it. Returns [status, response text]."""
    page.evaluate(f"""(() => {{
      const all = [...document.querySelectorAll("#operations details")];
      const operation = all.find(e => e.querySelector("summary").innerText.replace(/\\s+/g, " ").toLowerCase()
                                       .startsWith({json.dumps(summary)}));
      for (const other of all) other.open = other === operation;
      for (const [label, value] of Object.entries({json.dumps(values or {})}))
        operation.querySelector(`[aria-label="${{label}}"]`).value = value;
      window.tried = operation;
      operation.querySelector("button").click();
    }})()""")
    page.wait("!!window.tried.querySelector('.status') || /failed/.test(window.tried.innerText)")
    return page.evaluate("[window.tried.querySelector('.status')?.innerText, "
                         "[...window.tried.querySelectorAll('[role=status] pre')].map(e => e.innerText).join('\\n')]")


def check_api_page(tally, browser, url, checks, screenshots):
    document = json.loads(read(url + "/openapi.json"))
    expected = sorted(f"{method} {path}" for path, methods in document["paths"].items() for method in methods)
    for scheme, width in VIEWS:
        name = f"API page, {scheme}, {width} px"
        page = browser.page(width=width, height=900, scheme=scheme)
        page.go(url + "/openapi")
        page.wait(f"document.querySelectorAll('#operations summary').length >= {len(expected)}")
        listed = page.evaluate(OPERATIONS)
        tally.check(f"{name}: it lists the {len(expected)} operations of the document", sorted(listed) == expected,
                    f"{listed}\n{expected}")
        status, text = try_operation(page, "post /items", {"Body": '{"name": "tea", "price": 2.5}'})
        tally.check(f"{name}: a request with a body is sent", status == "201 Created" and '"name": "tea"' in text,
                    f"{status} {text}")
        status, text = try_operation(page, "put /items/{id}", {"id": "1", "Body": '{"name": "", "price": -1}'})
        tally.check(f"{name}: an error is shown", str(status).startswith("4"), f"{status} {text}")
        check_view(tally, page, name, checks, screenshots and screenshots / f"api-open-{scheme}-{width}.png")
        page.evaluate("for (const e of document.querySelectorAll('#operations details')) e.open = true")
        check_view(tally, page, name + ", all open", checks,
                   screenshots and screenshots / f"api-all-{scheme}-{width}.png")
        page.evaluate("for (const e of document.querySelectorAll('#operations details')) e.open = false")
        check_view(tally, page, name + ", all closed", checks,
                   screenshots and screenshots / f"api-{scheme}-{width}.png")
        page.close()


def check_error_page(tally, browser, url, checks, screenshots):
    for scheme, width in VIEWS:
        name = f"error page, {scheme}, {width} px"
        page = browser.page(width=width, height=500, scheme=scheme)
        page.go(url + "/" + "missing" * 20)
        page.wait("document.readyState === 'complete' && !!document.querySelector('h1')")
        heading = page.evaluate("document.querySelector('h1').innerText")
        tally.check(f"{name}: its heading is the status", heading == "404 Not Found", heading)
        check_view(tally, page, name, checks, screenshots and screenshots / f"error-{scheme}-{width}.png")
        page.go(url + "/%zz")                               # an error with a detail
        page.wait("document.querySelector('h1')?.innerText === '400 Bad Request'")
        tally.check(f"{name}: its detail is shown", page.evaluate("document.querySelector('p').innerText") != "")
        check_view(tally, page, name + " with a detail", checks, None)
        page.close()


def check_live_pages(tally, browser, checks, screenshots):
    """`checks`: the expressions for {"overflowing", "contrast"}."""
    program, output = build()
    if not tally.check("examples/items.cpp builds", program, output):
        return
    with running(program) as url:
        if tally.check("examples/items.cpp runs", url):
            check_api_page(tally, browser, url, checks, screenshots)
            check_error_page(tally, browser, url, checks, screenshots)
