"""What goes wrong: the verb says a sentence, the service manager keeps a code, and nothing stays behind."""

import contextlib
import socket
import time

import wine

EXCEPTION = 1064


class FailedStart(wine.Case):
    def failed_start(self, service, code, *words):
        """The start fails with these words, and `status` knows it afterwards. Its statuses."""
        since = self.box.now()
        answer = self.fails(service.run("start"), f"start '{service.name}'", *words)
        self.assertEqual(answer.code, code & 255)               # as much of it as Unix has room for
        status = service.status()
        self.assertEqual((status["state"], status["pid"], status["exit_code"], status["url"]), ("stopped", 0, code, None))
        for word in words:
            self.assertIn(str(word), status["failure"] + f" ({code})")
            self.assertIn(str(word), service.log() + f" ({code})")
        self.assertEqual(service.run("status").code, 3)
        self.assertTrue(wine.eventually(lambda: not service.unix_pids()))
        (life,) = service.lives(since)
        return life

    def test_a_taken_port_is_named_and_keeps_its_code(self):
        with socket.create_server(("127.0.0.1", 0)) as owner:
            port = owner.getsockname()[1]
            service = self.installed("taken", "--port", port)
            life = self.failed_start(service, 10048, f"127.0.0.1:{port}", "(10048)")
        self.assertNotIn(wine.RUNNING, [status.state for status in life])
        self.assertEqual(life[-1][1:5], (wine.STOPPED, 0, 10048, 0))

        self.succeeds(service.run("start"))                     # the port is free now
        self.assertEqual(service.status()["url"], f"http://127.0.0.1:{port}")
        self.assertIsNone(service.status()["failure"])

    def test_a_start_hook_that_throws_fails_the_start_with_its_text(self):
        service = self.installed("throws")
        life = self.failed_start(service, EXCEPTION, "the cupboard is bare")
        self.assertEqual(life[-1][1:5], (wine.STOPPED, 0, EXCEPTION, 0))
        self.assertIn("first hook undone", service.log())       # what had started is undone, what had not is not
        self.assertNotIn("second hook undone", service.log())

    def test_a_failure_reaches_the_event_log(self):
        service = self.installed("throws")
        service.run("start")
        trace = self.box.trace(self.trace_start)
        self.assertIn("eventlog:ReportEventW", trace)
        self.assertIn("the cupboard is bare", trace)

    def test_a_service_that_was_never_started_has_no_failure_to_show(self):
        self.assertIsNone(self.installed("idle").status()["failure"])


class FailedRun(wine.Case):
    def test_a_worker_that_throws_stops_the_service_by_itself_as_failed(self):
        service = self.started("worker")

        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "stopped"))
        status = service.status()
        self.assertEqual(status["exit_code"], EXCEPTION)
        self.assertIn("the soup is cold", status["failure"])
        self.assertIn("the soup is cold", service.run("status").out)
        (life,) = service.lives(self.trace_start)
        self.assertEqual([(s.state, s.exit_code) for s in life[-2:]], [(wine.STOP_PENDING, 0), (wine.STOPPED, EXCEPTION)])
        self.assertEqual(service.log().count("hook undone"), 2)

        self.succeeds(service.run("start"))                     # and it can be started again

    def test_a_handler_that_does_not_return_keeps_nobody(self):
        service = self.started("stuck")
        connection = service.connection()
        connection.request("GET", "/longer")                    # 4 s; the service allows half a second
        time.sleep(0.2)

        stopped = self.fails(service.run("stop"), "stopped 'stuck', but", "1 request handler", "500 ms", "(1460)")
        connection.close()
        self.assertLess(stopped.took, 3 * wine.load())
        status = service.status()
        self.assertEqual((status["state"], status["exit_code"]), ("stopped", 0))    # or recovery would start it again
        self.assertTrue(wine.eventually(lambda: not service.unix_pids(), 2))
        (life,) = service.lives(self.trace_start)
        self.assertEqual(life[-1].state, wine.STOPPED)


class Crash(wine.Case):
    def test_after_a_crash_it_says_why_and_starts_again(self):
        service = self.started("faulty")
        with self.assertRaises(OSError):
            service.get("/crash")
        # Wine takes seconds to write a dump; on a machine at work many.
        self.assertTrue(wine.eventually(lambda: not service.unix_pids(), 60))
        self.assertIn("crashed: an illegal instruction", service.run("status").out)
        with self.assertRaisesRegex(AssertionError, "faulty crashed: an illegal instruction"):
            self.nothing_crashed()
        self.trace_start = self.box.now()

        self.succeeds(service.run("start"))
        self.assertEqual(service.get().body, "hello from faulty")
        self.assertIsNone(service.status()["failure"])

    def test_a_service_that_was_killed_starts_again_and_works_as_before(self):
        service = self.started("killed")
        for lives in (2, 3, 4):
            before = service.status()
            self.kill(service)
            self.succeeds(service.run("start"))
            now = service.status()
            self.assertEqual((now["state"], now["failure"]), ("running", None))
            self.assertNotEqual((now["pid"], now["url"]), (before["pid"], before["url"]))
            self.assertEqual(service.get().body, "hello from killed")
            self.assertEqual(len(service.unix_pids()), 1)
            self.assertEqual(service.log().count("listening on"), lives)            # nothing of the log is lost

        self.succeeds(service.run("stop"))
        self.assertEqual((service.status()["state"], service.status()["exit_code"]), ("stopped", 0))
        *killed, last = service.lives(self.trace_start)
        self.assertEqual([life[-1].state for life in killed], [wine.RUNNING] * 3)
        self.assertEqual(last[-1][1:5], (wine.STOPPED, 0, 0, 0))

    def test_a_service_that_was_killed_while_it_started_starts_again(self):
        service = self.installed("steps")
        self.succeeds(service.run("start", "--no-wait"))
        self.kill(service)
        self.succeeds(service.run("start"))
        self.assertEqual(service.get().status, 200)

    def test_a_service_that_was_killed_while_it_stopped_starts_again(self):
        service = self.started("drains")
        with contextlib.closing(service.connection()) as connection:
            connection.request("GET", "/longer")
            time.sleep(0.3)
            self.succeeds(service.run("stop", "--no-wait"))
            self.kill(service)
        self.succeeds(service.run("start"))
        self.assertEqual(service.get().status, 200)

    def kill(self, service):
        (pid,) = service.unix_pids()
        wine.kill(pid)
        self.assertTrue(wine.eventually(lambda: not service.unix_pids()))

    def test_verbs_speak_clearly_after_a_crash_and_the_next_boot_starts_the_service(self):
        service = self.started("crashed")
        self.kill(service)

        # Windows knows that it ended (1067); Wine believes in it and cannot reach it. Either way there is one sentence.
        stop = service.run("stop")
        if stop.code != 0:
            self.fails(stop, "stop 'crashed'", "(")

        self.box.reboot()
        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "running"))
        self.assertEqual(service.get().body, "hello from crashed")
        self.assertEqual(len(service.unix_pids()), 1)

    def test_only_automatic_services_start_with_the_machine(self):
        services = {word: self.installed("boots-" + word, "--startup", word) for word in ("auto", "manual", "disabled")}
        self.box.reboot()
        self.assertTrue(wine.eventually(lambda: services["auto"].status()["state"] == "running"))
        self.assertEqual(services["auto"].get().status, 200)
        self.assertEqual(services["manual"].status()["state"], "stopped")
        self.assertEqual(services["disabled"].status()["state"], "stopped")
