"""A headless Chromium, controlled over two pipes (the DevTools protocol), with nothing but the standard library.

  with Browser() as browser:
      page = browser.page(width=360, height=740, scheme="dark")
      page.go("http://127.0.0.1:5001/")
      page.evaluate("document.title")
"""

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

from kit import Limit, load

PATIENCE = 10            # seconds of an idle machine for any one thing


def program():
    """Where a Chromium is, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """One process with a separate profile, which ends with the block."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="winsvc-browser-")
        to_it, self.write = os.pipe()
        self.read, from_it = os.pipe()

        def hand_over():                                    # Chromium reads descriptor 3 and writes to 4
            low, high = os.dup(to_it), os.dup(from_it)      # past 4, whatever these two were
            os.dup2(low, 3)
            os.dup2(high, 4)

        command = [program(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--no-first-run", "--disable-background-networking", "--disable-component-update",
                   "--no-proxy-server", "--hide-scrollbars", "--force-color-profile=srgb", "--remote-debugging-pipe",
                   f"--user-data-dir={self.folder}", "about:blank"]
        with open(os.path.join(self.folder, "said"), "wb") as said:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                            close_fds=False, preexec_fn=hand_over, start_new_session=True)
        os.close(to_it)
        os.close(from_it)
        self.number, self.rest, self.answers, self.events = 0, b"", {}, []
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.call("Browser.close")
        try:
            self.process.wait(PATIENCE * load())
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)     # its own process group
            self.process.wait()
        os.close(self.read)
        os.close(self.write)
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, session=None, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.write, data):]
        until = time.monotonic() + PATIENCE * load()
        while self.number not in self.answers:
            self.listen(until - time.monotonic(), method)
        answer = self.answers.pop(self.number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def listen(self, seconds, why):
        if not select.select([self.read], [], [], max(0, seconds))[0]:
            raise TimeoutError(f"the browser did not answer to {why}")
        data = os.read(self.read, 1 << 20)
        if not data:
            raise RuntimeError("the browser ended")
        *whole, self.rest = (self.rest + data).split(b"\0")
        for one in map(json.loads, whole):
            if "id" in one:
                self.answers[one["id"]] = one
            else:
                self.events.append(one)

    def page(self, **look):
        return Page(self, **look)


class Page:
    """A tab. `complaints` has the errors in it: exceptions, the console's errors, the browser's own."""

    def __init__(self, browser, width=1280, height=900, scheme="light"):
        self.browser = browser
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.look(width, height, scheme)

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def look(self, width, height, scheme):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def go(self, url):
        self.call("Page.navigate", url=url)

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(expression + ": " + json.dumps(answer["exceptionDetails"].get("exception")))
        return answer["result"].get("value")

    def wait(self, expression, seconds=PATIENCE):
        """Waits until the expression is true; True if it became true in time."""
        limit = Limit(seconds)
        while not limit.passed():
            with contextlib.suppress(RuntimeError):         # while a page loads, there is no document
                if self.evaluate(expression):
                    return True
            time.sleep(0.05)
        return False

    def picture(self, path, whole=True):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.call("Page.captureScreenshot", captureBeyondViewport=whole, **({"clip": clip} if whole else {}))
        with open(path, "wb") as file:
            file.write(base64.b64decode(data["data"]))

    def complaints(self):
        """Sentences about what went wrong in this tab so far."""
        self.evaluate("0")                                  # the events before it have arrived then
        found = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            what = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(what["exceptionDetails"].get("exception", {}).get("description", "exception"))
            if event["method"] == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning", "assert"):
                found.append(" ".join(str(one.get("value", one.get("description"))) for one in what["args"]))
            if event["method"] == "Log.entryAdded" and what["entry"]["level"] in ("error", "warning"):
                found.append(f"{what['entry']['text']} {what['entry'].get('url', '')}")
        return found

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)
