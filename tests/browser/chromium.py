"""A client for a headless Chromium: the DevTools protocol over two pipes, with only the standard library.

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

TIMEOUT = 10            # seconds for each operation, on an idle machine


def program():
    """Path of the Chromium program, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """A browser process with a separate profile; the `with` block ends it."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="winsvc-browser-")
        command_read, self.command_write = os.pipe()
        self.response_read, response_write = os.pipe()

        def duplicate_pipes():                              # Chromium reads descriptor 3 and writes to 4
            source, target = os.dup(command_read), os.dup(response_write)   # so that dup2 overwrites neither
            os.dup2(source, 3)
            os.dup2(target, 4)

        command = [program(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--no-first-run", "--disable-background-networking", "--disable-component-update",
                   "--no-proxy-server", "--hide-scrollbars", "--force-color-profile=srgb", "--remote-debugging-pipe",
                   f"--user-data-dir={self.folder}", "about:blank"]
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            close_fds=False, preexec_fn=duplicate_pipes, start_new_session=True)
        os.close(command_read)
        os.close(response_write)
        self.last_message_id, self.incomplete, self.responses, self.events = 0, b"", {}, []
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.call("Browser.close")
        try:
            self.process.wait(TIMEOUT * load())
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)     # its own process group
            self.process.wait()
        os.close(self.response_read)
        os.close(self.command_write)
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, session=None, **parameters):
        self.last_message_id += 1
        message = {"id": self.last_message_id, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.command_write, data):]
        deadline = time.monotonic() + TIMEOUT * load()
        while self.last_message_id not in self.responses:
            self.receive(deadline - time.monotonic(), method)
        response = self.responses.pop(self.last_message_id)
        if "error" in response:
            raise RuntimeError(f"{method}: {response['error']['message']}")
        return response["result"]

    def receive(self, seconds, method):
        if not select.select([self.response_read], [], [], max(0, seconds))[0]:
            raise TimeoutError(f"the browser did not respond to {method}")
        data = os.read(self.response_read, 1 << 20)
        if not data:
            raise RuntimeError("the browser ended")
        *complete, self.incomplete = (self.incomplete + data).split(b"\0")
        for message in map(json.loads, complete):
            if "id" in message:
                self.responses[message["id"]] = message
            else:
                self.events.append(message)

    def page(self, **view):
        return Page(self, **view)


class Page:
    """A tab. `errors` returns its errors: exceptions, errors on the console, errors that the browser logs."""

    def __init__(self, browser, width=1280, height=900, scheme="light"):
        self.browser = browser
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.set_view(width, height, scheme)

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def set_view(self, width, height, scheme):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def go(self, url):
        self.call("Page.navigate", url=url)

    def evaluate(self, expression):
        response = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in response:
            raise RuntimeError(expression + ": " + json.dumps(response["exceptionDetails"].get("exception")))
        return response["result"].get("value")

    def wait(self, expression, seconds=TIMEOUT):
        """Waits until the expression is true. True if it is true within `seconds`."""
        limit = Limit(seconds)
        while not limit.passed():
            with contextlib.suppress(RuntimeError):         # no document exists while a page loads
                if self.evaluate(expression):
                    return True
            time.sleep(0.05)
        return False

    def save_screenshot(self, path, full_page=True):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        options = {"clip": clip} if full_page else {}
        data = self.call("Page.captureScreenshot", captureBeyondViewport=full_page, **options)
        with open(path, "wb") as file:
            file.write(base64.b64decode(data["data"]))

    def errors(self):
        """Messages of all errors in this tab up to now."""
        self.evaluate("0")                                  # its response arrives after all earlier events
        errors = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            parameters = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                errors.append(parameters["exceptionDetails"].get("exception", {}).get("description", "exception"))
            if event["method"] == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
                errors.append(" ".join(str(argument.get("value", argument.get("description")))
                                       for argument in parameters["args"]))
            if event["method"] == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
                errors.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
        return errors

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)
