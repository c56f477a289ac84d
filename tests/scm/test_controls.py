"""Controls that Wine never sends, and what the handler returned, which it never tells: through its own control pipe.

The services here are real processes that talk to the real services.exe; only who starts and controls them is a program
of ours (control_pipe.py). So the order of statuses is in the trace, and `status` shows the state, though with pid 0.
"""

import concurrent.futures
import contextlib
import itertools
import time

import control_pipe
import wine
from control_pipe import INTERROGATE, NETBINDADD, SHUTDOWN, STOP

CALL_NOT_IMPLEMENTED, IO_PENDING, EXCEPTION = 120, 997, 1064

ALL_ACCEPTED = 0x1 | 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x200     # stop, pause, shutdown, paramchange, power, session, time


class Played(wine.Case):
    def played(self, name, *words):
        """(the service, its manager): running."""
        service, manager = self.waiting(name)
        manager.start(*words)
        manager.until_running()
        return service, manager

    def waiting(self, name, *options):
        """(the service, its manager): a process that is not started yet."""
        service = self.installed(name, "--startup", "manual", *options)
        return service, self.enterContext(control_pipe.Manager(service))

    def connection(self, manager):
        return self.enterContext(contextlib.closing(manager.connection()))

    def the_life(self, service):
        lives = service.lives(self.trace_start)
        self.assertLessEqual(len(lives), 1)
        return lives[0] if lives else []

    def assert_stopped_well(self, service, manager):
        self.assertEqual(manager.end(), 0)
        life = self.the_life(service)
        self.assertEqual(life[-1][1:5], (wine.STOPPED, 0, 0, 0))
        self.assertEqual([status.state for status in life].count(wine.STOPPED), 1)
        status = service.status()
        self.assertEqual((status["state"], status["exit_code"], status["failure"]), ("stopped", 0, None))


class Answers(Played):
    def test_start_arguments_arrive_as_they_do_from_the_real_one(self):
        service, manager = self.played("words", "one", "zwei")
        self.assertIn("second hook [one] [zwei]", service.log())
        self.assertEqual(manager.control(STOP), 0)
        self.assert_stopped_well(service, manager)

    def test_interrogate_is_0_and_changes_nothing(self):
        service, manager = self.played("asked")
        before = len(self.the_life(service))
        self.assertEqual([manager.control(INTERROGATE) for _ in range(3)], [0, 0, 0])
        self.assertEqual(len(self.the_life(service)), before)
        self.assertEqual(service.status()["state"], "running")
        self.assertEqual(manager.control(STOP), 0)
        self.assert_stopped_well(service, manager)

    def test_what_is_unknown_or_not_hooked_is_120_and_does_no_harm(self):
        service, manager = self.played("deaf")
        accepted = self.the_life(service)[-1]
        for number in (control_pipe.PAUSE, control_pipe.CONTINUE, NETBINDADD, 9, 10,
                       control_pipe.DEVICEEVENT, control_pipe.TIMECHANGE, 17, 0x60, 127, 128, 200, 255, 256, 0xFFFFFFFF):
            self.assertEqual(manager.control(number), CALL_NOT_IMPLEMENTED, number)
        for event in (control_pipe.session_change(control_pipe.LOGON, 1), (control_pipe.POWEREVENT, control_pipe.SUSPEND)):
            self.assertEqual(manager.control(*event), CALL_NOT_IMPLEMENTED, event)
        self.assertEqual(self.the_life(service)[-1], accepted)
        self.assertEqual(wine.get(self.connection(manager)).body, "hello from deaf")
        self.assertEqual(manager.control(STOP), 0)
        self.assert_stopped_well(service, manager)


class Hooked(Played):
    """Controls that are accepted because there is a hook."""

    def hooked(self, name):
        service, manager = self.played(name)
        self.assertEqual(self.the_life(service)[-1].accepted, ALL_ACCEPTED)
        return service, manager

    def logged(self, service, words):
        self.assertTrue(wine.eventually(lambda: words in service.log()), service.log())

    def test_pause_and_continue_are_pending_until_the_hooks_have_run(self):
        service, manager = self.hooked("hooked")
        connection = self.connection(manager)
        self.assertEqual(manager.control(control_pipe.PAUSE), 0)
        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "paused"))
        answer = wine.get(connection)
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "10"))
        self.assertEqual(manager.control(control_pipe.PAUSE), 0)                    # done already
        self.assertEqual(manager.control(INTERROGATE), 0)

        self.assertEqual(manager.control(control_pipe.CONTINUE), 0)
        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "running"))
        self.assertEqual(wine.get(connection).status, 200)
        self.assertEqual(manager.control(STOP), 0)
        self.assert_stopped_well(service, manager)

        life = self.the_life(service)
        self.assertEqual([state for state, _ in itertools.groupby(status.state for status in life)],
                         [wine.START_PENDING, wine.RUNNING, wine.PAUSE_PENDING, wine.PAUSED, wine.CONTINUE_PENDING,
                          wine.RUNNING, wine.STOP_PENDING, wine.STOPPED])
        for status in life:
            settled = status.state in (wine.RUNNING, wine.PAUSED)
            self.assertEqual(status.accepted, ALL_ACCEPTED if settled else 0, status)

    def test_a_pause_hook_that_throws_leaves_it_running(self):
        service, manager = self.hooked("hooked unwilling")
        self.assertEqual(manager.control(control_pipe.PAUSE), 0)
        self.logged(service, "not now")
        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "running"))
        self.assertEqual(wine.get(self.connection(manager)).status, 200)
        self.assertEqual(manager.control(STOP), 0)
        self.assert_stopped_well(service, manager)

    def test_a_paused_service_can_be_shut_down(self):
        service, manager = self.hooked("hooked")
        self.assertEqual(manager.control(control_pipe.PAUSE), 0)
        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "paused"))
        self.assertEqual(manager.control(SHUTDOWN), 0)
        self.assert_stopped_well(service, manager)

    def test_reload_and_time_change_run_their_hooks(self):
        service, manager = self.hooked("hooked")
        self.assertEqual(manager.control(control_pipe.PARAMCHANGE), 0)
        self.logged(service, "reload hook")
        self.assertEqual(manager.control(control_pipe.TIMECHANGE), 0)
        self.logged(service, "time hook")
        self.assertEqual(manager.control(STOP), 0)
        self.assert_stopped_well(service, manager)

    def test_session_changes_arrive_with_what_and_where(self):
        service, manager = self.hooked("hooked")
        for what, word in ((control_pipe.LOGON, "logon"), (control_pipe.LOCK, "lock"), (control_pipe.UNLOCK, "unlock"),
                           (control_pipe.LOGOFF, "logoff")):
            self.assertEqual(manager.control(*control_pipe.session_change(what, session=7)), 0)
            self.logged(service, f"session hook: {word} in 7")
        self.assertEqual(manager.control(STOP), 0)
        self.assert_stopped_well(service, manager)

    def test_power_events_arrive_and_settings_with_their_bytes(self):
        service, manager = self.hooked("hooked")
        for what, word in ((control_pipe.SUSPEND, "suspend"), (control_pipe.RESUME, "resume")):
            self.assertEqual(manager.control(control_pipe.POWEREVENT, what), 0)
            self.logged(service, f"power hook: {word} ")
        display = "02731015-4510-4526-99e6-e5a17ebd1aea"
        self.assertEqual(manager.control(*control_pipe.power_setting(display, b"\x01\x00\xff\x2a")), 0)
        self.logged(service, f"power hook: setting changed {{{display}}} 0100ff2a")
        self.assertEqual(manager.control(STOP), 0)
        self.assert_stopped_well(service, manager)

    def test_a_control_of_its_own_gives_its_hooks_result(self):
        service, manager = self.hooked("hooked")
        self.assertEqual(manager.control(200), 0)
        self.logged(service, "control hook")
        self.assertEqual(manager.control(201), 1201)
        self.assertEqual(manager.control(203), EXCEPTION)
        self.logged(service, "the spoon is bent")
        self.assertEqual(manager.control(204), CALL_NOT_IMPLEMENTED)
        began = time.monotonic()
        self.assertEqual(manager.control(202), IO_PENDING)                          # takes 1.5 s
        self.assertLess(time.monotonic() - began, 1.0 * wine.load())
        self.logged(service, "slow control hook")
        self.assertEqual(manager.control(STOP), 0)
        self.assert_stopped_well(service, manager)


class Preshutdown(Played):
    def test_preshutdown_is_accepted_in_the_place_of_shutdown_and_drains(self):
        service, manager = self.played("preshutdown")
        self.assertEqual(self.the_life(service)[-1].accepted, wine.ACCEPT_STOP | wine.ACCEPT_PARAMCHANGE | wine.ACCEPT_PRESHUTDOWN)
        with concurrent.futures.ThreadPoolExecutor() as aside:
            answered = aside.submit(wine.get, self.connection(manager), "/longest") # 8 s: more than SHUTDOWN would leave
            time.sleep(0.5)
            self.assertEqual(manager.control(control_pipe.PRESHUTDOWN), 0)
            self.assertEqual(manager.control(SHUTDOWN), 0)                          # which Windows would not send
            answer = answered.result()
        self.assertEqual((answer.status, answer.body), (200, "much too late"))
        self.assert_stopped_well(service, manager)


class Shutdown(Played):
    def test_shutdown_ends_the_service_in_order_and_with_0(self):
        service, manager = self.played("halting")
        self.assertEqual(manager.control(SHUTDOWN), 0)
        self.assert_stopped_well(service, manager)

        states = [status.state for status in self.the_life(service)]
        self.assertEqual(list(dict.fromkeys(states)), [wine.START_PENDING, wine.RUNNING, wine.STOP_PENDING, wine.STOPPED])
        self.assertIn("the machine shuts down", service.log())
        self.assertEqual(service.log().count("hook undone"), 2)

    def test_shutdown_answers_what_is_in_flight(self):
        service, manager = self.played("drains")
        with concurrent.futures.ThreadPoolExecutor() as aside:
            answered = aside.submit(wine.get, self.connection(manager), "/slow")                  # 2 s
            time.sleep(0.5)
            began = time.monotonic()
            self.assertEqual(manager.control(SHUTDOWN), 0)
            self.assertLess(time.monotonic() - began, 0.3 * wine.load())            # the handler waits for nothing
            self.assert_stopped_well(service, manager)
            answer = answered.result()
        self.assertEqual((answer.status, answer.headers["Connection"]), (200, "close"))
        self.assertEqual(answer.body, "x" * 100_000 + " and that is all")

    def test_shutdown_cuts_what_takes_longer_than_the_machine_waits(self):
        service, manager = self.played("patient")
        self.connection(manager).request("GET", "/longest")                         # 8 s; a stop would wait for it
        time.sleep(0.5)
        began = time.monotonic()
        self.assertEqual(manager.control(SHUTDOWN), 0)
        manager.end()
        self.assertLess(time.monotonic() - began, 6 * wine.load())
        self.assertEqual(self.the_life(service)[-1].state, wine.STOPPED)

    def test_a_second_shutdown_or_a_stop_meanwhile_is_0_and_does_no_harm(self):
        service, manager = self.played("twice")
        with concurrent.futures.ThreadPoolExecutor() as aside:
            answered = aside.submit(wine.get, self.connection(manager), "/slow")
            time.sleep(0.3)
            self.assertEqual([manager.control(what) for what in (SHUTDOWN, SHUTDOWN, STOP, INTERROGATE)], [0, 0, 0, 0])
            self.assertEqual(answered.result().status, 200)
        self.assert_stopped_well(service, manager)
        self.assertEqual([s.checkpoint for s in self.the_life(service) if s.state == wine.STOP_PENDING][:1], [1])

    def test_a_shutdown_while_it_starts_is_remembered(self):
        service, manager = self.waiting("steps")
        manager.start()
        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "start_pending"))
        self.assertEqual(manager.control(SHUTDOWN), 0)
        self.assert_stopped_well(service, manager)

    def test_an_address_that_is_not_there_yet_is_waited_for_and_a_shutdown_ends_that(self):
        service, manager = self.waiting("elsewhere", "--host", "192.0.2.1", "--port", "8080")
        manager.start()
        self.assertTrue(wine.eventually(lambda: len(self.the_life(service)) > 3))   # one an attempt, every half second
        checkpoints = [status.checkpoint for status in self.the_life(service)]
        self.assertEqual(checkpoints, list(range(1, len(checkpoints) + 1)))
        for word in ("192.0.2.1:8080", "(10049)", "trying again"):
            self.assertTrue(wine.eventually(lambda: word in service.log()), word)  # a thread of its own writes it
        self.assertEqual(service.status()["state"], "start_pending")

        self.assertEqual(manager.control(SHUTDOWN), 0)
        self.assert_stopped_well(service, manager)


class Crash(Played):
    """How the process ends, which the service manager of Windows sees and Wine's does not."""

    def crashed(self, path, code, *words):
        service, manager = self.played("faulty")
        with self.assertRaises(OSError):
            wine.get(self.connection(manager), path)
        self.assertEqual(manager.end(), code)
        self.assertNotIn(wine.STOPPED, [status.state for status in self.the_life(service)])
        for word in words:
            self.assertIn(word, service.log().splitlines()[-1])
            self.assertIn(word, service.status()["failure"])
        (dump,) = service.data.glob("logs/*.dmp")
        self.assertIn(dump.name, service.log())
        self.assertEqual(dump.read_bytes()[:4], b"MDMP")
        dump.unlink()
        with self.assertRaisesRegex(AssertionError, "faulty crashed: "):            # an event: these tests see a crash
            self.nothing_crashed()
        self.trace_start = self.box.now()

    def test_a_structured_exception_leaves_a_dump_its_reason_and_its_code(self):
        self.crashed("/crash", 0xC000001D, "crashed", "an illegal instruction", "faulty.exe+0x")

    def test_an_exception_that_leaves_a_thread_does_so_too(self):
        self.crashed("/terminate", EXCEPTION, "crashed", "std::terminate", "the roof is down")


class ThePipe(Played):
    """What these tests stand on."""

    def test_a_manager_that_goes_away_takes_the_service_with_it(self):
        service, manager = self.played("orphan")
        manager.__exit__()
        self.assertEqual(service.unix_pids(), [])
        self.assertEqual(service.status()["state"], "stopped")

    def test_everything_ends_in_time_even_when_the_service_does_not(self):
        service = self.installed("endless", "--startup", "manual")
        with control_pipe.Manager(service, limit=5) as manager:
            manager.start()
            with self.assertRaisesRegex(AssertionError, "cannot wait any longer"):
                manager.end()
            self.assertTrue(wine.eventually(lambda: not service.unix_pids()))
