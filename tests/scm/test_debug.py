"""Tests of the verb `debug` under Wine: the service in a terminal, stopped with Ctrl-C."""

import concurrent.futures
import http.client
import re
import signal
import subprocess
import time

import wine


class Debug(wine.ServiceTest):
    def start_debug(self, name, *options):
        """Starts `debug`; returns (process, HTTP connection, function that returns the error stream up to now)."""
        service = self.service(name)
        path = wine.FOLDER / (name + ".debug")
        errors = open(path, "wb")
        process = subprocess.Popen(["wine", service.exe, "debug", *options], env=self.machine.environment,
                                   cwd=wine.FOLDER, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        errors.close()

        def end():
            if process.poll() is None:
                process.kill()
            process.wait()
        self.addCleanup(end)

        def log_text():
            return path.read_text(encoding="utf-8")
        url = wine.eventually(lambda: re.search(r"listening on http://([\d.]+):(\d+)", log_text()))
        self.assertTrue(url, log_text())
        connection = http.client.HTTPConnection(url[1], int(url[2]), timeout=30)
        self.addCleanup(connection.close)
        return process, connection, log_text

    def test_ctrl_c_completes_requests_in_flight_and_exits_with_0(self):
        process, connection, log_text = self.start_debug("drained", "--port", "0")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            future = pool.submit(wine.get, connection, "/slow")
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            response = future.result()
            code = process.wait(10)

        self.assertEqual((response.status, response.headers["Connection"]), (200, "close"))
        self.assertEqual(response.body, "x" * 100_000 + " and that is all")
        self.assertEqual(code, 0, log_text())
        for line in ("Ctrl-C", "second hook undone", "stop hook", "first hook undone", "INFO  stopped"):
            self.assertIn(line, log_text())

    def test_debug_prints_routes_requests_and_the_log(self):
        process, connection, log_text = self.start_debug("shows")
        self.assertEqual(wine.get(connection, "/").body, "hello from shows")
        self.assertTrue(wine.eventually(lambda: "GET /  200" in log_text()), log_text())
        for line in (r"^GET +/slow +behaviour\.cpp:\d+$", r"INFO  first hook$",
                     r"^shows: http://127\.0\.0\.1:\d+/?   Ctrl-C stops$"):
            self.assertRegex(log_text(), re.compile(line, re.MULTILINE))

    def test_the_current_folder_of_debug_is_that_of_the_executable(self):
        process, connection, log_text = self.start_debug("somewhere")
        self.assertEqual(wine.get(connection, "/folder").body, "Z:" + str(wine.PROGRAMS).replace("/", "\\"))

    def test_debug_writes_no_state_file_and_needs_no_installation(self):
        process, connection, log_text = self.start_debug("guest")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(10), 0, log_text())
        self.assertFalse((self.machine.prefix / "drive_c/ProgramData/guest/state.json").exists())

    def test_a_start_hook_that_throws_ends_debug_with_its_message(self):
        result = self.service("throws").run("debug")
        self.assertNotEqual(result.code, 0)
        self.assertIn("the cupboard is bare", result.err)


class Imports(wine.ServiceTest):
    def test_the_executable_imports_no_library_that_disables_console_events(self):
        # A process that has loaded user32.dll or gdi32.dll gets no event for a log-off and for a shutdown.
        table = wine.kit.run(["x86_64-w64-mingw32-objdump", "-p", self.machine.exe])[1]
        imports = {name.lower() for name in re.findall(r"^\s*DLL Name: (\S+)$", table, re.MULTILINE)}
        self.assertIn("kernel32.dll", imports)
        self.assertFalse(imports & {"user32.dll", "gdi32.dll", "shell32.dll", "ole32.dll", "oleaut32.dll"}, imports)
