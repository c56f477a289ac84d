#!/usr/bin/env python3
"""Makes the pictures of README: the dashboard, and the terminal of `debug`.

  tests/browser/pictures.py PROGRAM         # a build of examples/operated.cpp

Writes docs/pictures/dashboard.png and docs/pictures/debug.png with a headless Chromium. It sends requests for five
minutes, the time that the diagrams of the dashboard show.
"""

import html
import math
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from chromium import Browser  # noqa: E402
from kit import ROOT, eventually  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
STYLE = "body{margin:0;background:#1b1f24;color:#d7dde4;font:14px/1.45 monospace}pre{margin:0;padding:18px}"


def responds(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


def send_requests(url, seconds):
    """Between 4 and 20 requests a second, in waves; some are 404."""
    began, number = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        number += 1
        responds(url + ("/missing" if number % 40 == 0 else "/"))
        time.sleep(1 / (12 + 8 * math.sin(passed / 18)))


def main():
    program, port = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2] if len(sys.argv) > 2 else "17701"
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as output, Browser() as browser:
        process = subprocess.Popen([program, "debug", "--port", port], stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=output)
        try:
            eventually(lambda: responds(url + "/"))
            page = browser.page(width=1100, height=760)
            page.go(url + "/_service")                      # the page requests its data once a second
            send_requests(url, 300)
            page.save_screenshot(PICTURES / "dashboard.png", full_page=False)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
        output.seek(0)
        lines = output.read().decode().splitlines()
        shown = "\n".join(["$ ./operated debug", *lines[:14], "...", *lines[-3:]])
        with tempfile.NamedTemporaryFile("w", suffix=".html") as terminal:
            terminal.write(f"<meta charset=utf-8><style>{STYLE}</style><pre>{html.escape(shown)}</pre>")
            terminal.flush()
            page = browser.page(width=1100, height=460)
            page.go("file://" + terminal.name)
            page.save_screenshot(PICTURES / "debug.png", full_page=False)


if __name__ == "__main__":
    main()
