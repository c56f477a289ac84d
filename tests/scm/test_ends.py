"""Processes that end without a stop: each leaves its exit code, and the request or hook that was running."""

import contextlib

import wine


class Ended(wine.ServiceTest):
    def check_end(self, service, *texts):
        """Checks that the process ends, and that `status` and `why` print all texts."""
        self.assertTrue(wine.eventually(lambda: not service.unix_pids()))
        for verb in ("status", "why"):
            printed = service.run(verb).out
            for text in texts:
                self.assertIn(text, printed, verb)
        self.assertEqual(service.status()["state"], "stopped")

    def test_a_request_that_ends_the_process_is_named_with_the_exit_code(self):
        service = self.install("leaves")
        ends = {"/exit": 3, "/exit-now": 5}                     # the C runtime of mingw has no quick_exit
        if wine.MSVC_ABI:
            ends["/quick-exit"] = 4
        for path, code in ends.items():
            with self.subTest(path):
                self.assert_succeeds(service.run("start"))
                with self.assertRaises(OSError):
                    service.get(path)
                sentence = f"the process called exit({code}) while running GET {path}"
                self.check_end(service, sentence)
                self.assertIn("ERROR " + sentence, service.log())

    def test_a_killed_process_names_its_request(self):
        service = self.install_and_start("leaves")
        with contextlib.closing(service.connection()) as connection:
            connection.request("GET", "/longest")
            self.assertTrue(wine.eventually(lambda: b"GET /longest" in self.activities(service)))
            self.kill(service)
        self.check_end(service, "GET /longest")

    def test_a_process_that_is_killed_in_a_start_hook_names_the_hook(self):
        service = self.install("lingers")
        self.assert_succeeds(service.run("start", "--no-wait"))
        self.assertTrue(wine.eventually(lambda: "second hook" in service.log(), 60))    # it waits after this line
        self.kill(service)
        self.check_end(service, "start hook")

    def activities(self, service):
        """The content of the files of the data folder, one of which has the activities."""
        return b"".join(path.read_bytes() for path in service.data_folder.glob("*") if path.is_file())

    def kill(self, service):
        (pid,) = service.unix_pids()
        wine.kill(pid)
