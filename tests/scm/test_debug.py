"""`debug` as a Windows program: the same service in a terminal, ended with Ctrl-C."""

import concurrent.futures
import http.client
import re
import signal
import subprocess
import time

import wine


class Debug(wine.Case):
    def debugged(self, name, *options):
        """A service in debug: (what runs it, a connection to it, its error stream so far)."""
        service = self.service(name)
        path = wine.FOLDER / (name + ".debug")
        errors = open(path, "wb")
        process = subprocess.Popen(["wine", service.exe, "debug", *options], env=self.box.environment, cwd=wine.FOLDER,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        errors.close()

        def end():
            if process.poll() is None:
                process.kill()
            process.wait()
        self.addCleanup(end)

        def said():
            return path.read_text(encoding="utf-8")
        url = wine.eventually(lambda: re.search(r"listening on http://([\d.]+):(\d+)", said()))
        self.assertTrue(url, said())
        connection = http.client.HTTPConnection(url[1], int(url[2]), timeout=30)
        self.addCleanup(connection.close)
        return process, connection, said

    def test_ctrl_c_answers_what_is_in_flight_and_ends_with_0(self):
        process, connection, said = self.debugged("drained", "--port", "0")
        with concurrent.futures.ThreadPoolExecutor() as aside:
            answered = aside.submit(wine.get, connection, "/slow")
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            answer = answered.result()
            code = process.wait(10)

        self.assertEqual((answer.status, answer.headers["Connection"]), (200, "close"))
        self.assertEqual(answer.body, "x" * 100_000 + " and that is all")
        self.assertEqual(code, 0, said())
        for line in ("Ctrl-C", "second hook undone", "stop hook", "first hook undone", "INFO  stopped"):
            self.assertIn(line, said())

    def test_routes_requests_and_the_log_are_shown(self):
        process, connection, said = self.debugged("shows")
        self.assertEqual(wine.get(connection, "/").body, "hello from shows")
        self.assertTrue(wine.eventually(lambda: "GET /  200" in said()), said())
        for line in (r"^GET +/slow +behaviour\.cpp:\d+$", r"INFO  first hook$", r"^shows: http://127\.0\.0\.1:\d+/?   Ctrl-C stops$"):
            self.assertRegex(said(), re.compile(line, re.MULTILINE))

    def test_the_current_folder_is_the_executables(self):
        process, connection, said = self.debugged("somewhere")
        self.assertEqual(wine.get(connection, "/folder").body, "Z:" + str(wine.PROGRAMS).replace("/", "\\"))

    def test_it_leaves_no_state_of_a_service_and_needs_no_installation(self):
        process, connection, said = self.debugged("guest")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(10), 0, said())
        self.assertFalse((self.box.prefix / "drive_c/ProgramData/guest/state.json").exists())

    def test_a_hook_that_throws_ends_it_with_its_sentence(self):
        answer = self.service("throws").run("debug")
        self.assertNotEqual(answer.code, 0)
        self.assertIn("the cupboard is bare", answer.err)
