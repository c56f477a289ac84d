"""Tests of controls that Wine does not send, and of the results of the control handler, which Wine does not report.

The services are real processes with a connection to the real services.exe, but a simulated service manager
(control_pipe.py) starts and controls them. The trace contains their statuses; `status` reports their state with pid 0.
"""

import concurrent.futures
import contextlib
import itertools
import time

import control_pipe
import wine
from control_pipe import INTERROGATE, NETBINDADD, SHUTDOWN, STOP

CALL_NOT_IMPLEMENTED, IO_PENDING, EXCEPTION = 120, 997, 1064

# Stop, pause, shutdown, paramchange, power, session, time.
ALL_ACCEPTED = 0x1 | 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x200


class ControlPipeTest(wine.ServiceTest):
    """Base class of tests with a simulated service manager."""

    def start_with_manager(self, name, *arguments):
        """Installs and starts a service; returns (service, manager)."""
        service, manager = self.install_with_manager(name)
        manager.start(*arguments)
        manager.wait_until_running()
        return service, manager

    def install_with_manager(self, name, *options):
        """Installs a service without starting it; returns (service, manager)."""
        service = self.install(name, "--startup", "manual", *options)
        return service, self.enterContext(control_pipe.Manager(service))

    def connection(self, manager):
        return self.enterContext(contextlib.closing(manager.connection()))

    def statuses(self, service):
        """The statuses that the service has reported in this test."""
        histories = service.status_histories(self.trace_position)
        self.assertLessEqual(len(histories), 1)
        return histories[0] if histories else []

    def assert_clean_stop(self, service, manager):
        self.assertEqual(manager.wait_for_exit(), 0)
        history = self.statuses(service)
        self.assertEqual(history[-1][1:5], (wine.STOPPED, 0, 0, 0))
        self.assertEqual([status.state for status in history].count(wine.STOPPED), 1)
        status = service.status()
        self.assertEqual((status["state"], status["exit_code"], status["failure"]), ("stopped", 0, None))


class Results(ControlPipeTest):
    def test_start_arguments_reach_the_start_hooks(self):
        service, manager = self.start_with_manager("words", "one", "zwei")
        self.assertIn("second hook [one] [zwei]", service.log())
        self.assertEqual(manager.control(STOP), 0)
        self.assert_clean_stop(service, manager)

    def test_interrogate_returns_0_and_changes_nothing(self):
        service, manager = self.start_with_manager("interrogated")
        before = len(self.statuses(service))
        self.assertEqual([manager.control(INTERROGATE) for _ in range(3)], [0, 0, 0])
        self.assertEqual(len(self.statuses(service)), before)
        self.assertEqual(manager.state(), wine.RUNNING)
        self.assertEqual(manager.control(STOP), 0)
        self.assert_clean_stop(service, manager)

    def test_a_control_without_a_hook_returns_120_and_changes_nothing(self):
        service, manager = self.start_with_manager("deaf")
        accepted = self.statuses(service)[-1]
        for number in (control_pipe.PAUSE, control_pipe.CONTINUE, NETBINDADD, 9, 10,
                       control_pipe.DEVICEEVENT, control_pipe.TIMECHANGE, 17, 0x60, 127, 128, 200, 255, 256,
                       0xFFFFFFFF):
            self.assertEqual(manager.control(number), CALL_NOT_IMPLEMENTED, number)
        for event in (control_pipe.session_change(control_pipe.LOGON, 1),
                      (control_pipe.POWEREVENT, control_pipe.SUSPEND)):
            self.assertEqual(manager.control(*event), CALL_NOT_IMPLEMENTED, event)
        self.assertEqual(self.statuses(service)[-1], accepted)
        self.assertEqual(wine.get(self.connection(manager)).body, "hello from deaf")
        self.assertEqual(manager.control(STOP), 0)
        self.assert_clean_stop(service, manager)


class HookedControls(ControlPipeTest):
    """Controls that are accepted if the app has a hook for them."""

    def start_hooked_service(self, name):
        service, manager = self.start_with_manager(name)
        self.assertEqual(self.statuses(service)[-1].accepted, ALL_ACCEPTED)
        return service, manager

    def assert_logged(self, service, text):
        self.assertTrue(wine.eventually(lambda: text in service.log()), service.log())

    def test_pause_and_continue_are_pending_until_the_hooks_have_run(self):
        service, manager = self.start_hooked_service("hooked")
        connection = self.connection(manager)
        self.assertEqual(manager.control(control_pipe.PAUSE), 0)
        self.assertTrue(wine.eventually(lambda: manager.state() == wine.PAUSED))
        response = wine.get(connection)
        self.assertEqual((response.status, response.headers["Retry-After"]), (503, "10"))
        self.assertEqual(manager.control(control_pipe.PAUSE), 0)                    # already paused
        self.assertEqual(manager.control(INTERROGATE), 0)

        self.assertEqual(manager.control(control_pipe.CONTINUE), 0)
        self.assertTrue(wine.eventually(lambda: manager.state() == wine.RUNNING))
        self.assertEqual(wine.get(connection).status, 200)
        self.assertEqual(manager.control(STOP), 0)
        self.assert_clean_stop(service, manager)

        history = self.statuses(service)
        self.assertEqual([state for state, _ in itertools.groupby(status.state for status in history)],
                         [wine.START_PENDING, wine.RUNNING, wine.PAUSE_PENDING, wine.PAUSED, wine.CONTINUE_PENDING,
                          wine.RUNNING, wine.STOP_PENDING, wine.STOPPED])
        for status in history:
            settled = status.state in (wine.RUNNING, wine.PAUSED)
            self.assertEqual(status.accepted, ALL_ACCEPTED if settled else 0, status)

    def test_a_pause_hook_that_throws_leaves_the_service_running(self):
        service, manager = self.start_hooked_service("hooked unwilling")
        self.assertEqual(manager.control(control_pipe.PAUSE), 0)
        self.assert_logged(service, "not now")
        self.assertTrue(wine.eventually(lambda: manager.state() == wine.RUNNING))
        self.assertEqual(wine.get(self.connection(manager)).status, 200)
        self.assertEqual(manager.control(STOP), 0)
        self.assert_clean_stop(service, manager)

    def test_a_paused_service_can_be_shut_down(self):
        service, manager = self.start_hooked_service("hooked")
        self.assertEqual(manager.control(control_pipe.PAUSE), 0)
        self.assertTrue(wine.eventually(lambda: manager.state() == wine.PAUSED))
        self.assertEqual(manager.control(SHUTDOWN), 0)
        self.assert_clean_stop(service, manager)

    def test_reload_and_time_change_run_their_hooks(self):
        service, manager = self.start_hooked_service("hooked")
        self.assertEqual(manager.control(control_pipe.PARAMCHANGE), 0)
        self.assert_logged(service, "reload hook")
        self.assertEqual(manager.control(control_pipe.TIMECHANGE), 0)
        self.assert_logged(service, "time hook")
        self.assertEqual(manager.control(STOP), 0)
        self.assert_clean_stop(service, manager)

    def test_session_changes_arrive_with_event_and_session(self):
        service, manager = self.start_hooked_service("hooked")
        for event, text in ((control_pipe.LOGON, "logon"), (control_pipe.LOCK, "lock"), (control_pipe.UNLOCK, "unlock"),
                            (control_pipe.LOGOFF, "logoff")):
            self.assertEqual(manager.control(*control_pipe.session_change(event, session=7)), 0)
            self.assert_logged(service, f"session hook: {text} in 7")
        self.assertEqual(manager.control(STOP), 0)
        self.assert_clean_stop(service, manager)

    def test_power_events_arrive_and_power_settings_with_their_data(self):
        service, manager = self.start_hooked_service("hooked")
        for event, text in ((control_pipe.SUSPEND, "suspend"), (control_pipe.RESUME, "resume")):
            self.assertEqual(manager.control(control_pipe.POWEREVENT, event), 0)
            self.assert_logged(service, f"power hook: {text} ")
        display = "02731015-4510-4526-99e6-e5a17ebd1aea"
        self.assertEqual(manager.control(*control_pipe.power_setting(display, b"\x01\x00\xff\x2a")), 0)
        self.assert_logged(service, f"power hook: setting changed {{{display}}} 0100ff2a")
        self.assertEqual(manager.control(STOP), 0)
        self.assert_clean_stop(service, manager)

    def test_a_custom_control_returns_the_result_of_its_hook(self):
        service, manager = self.start_hooked_service("hooked")
        self.assertEqual(manager.control(200), 0)
        self.assert_logged(service, "control hook")
        self.assertEqual(manager.control(201), 1201)
        self.assertEqual(manager.control(203), EXCEPTION)
        self.assert_logged(service, "the spoon is bent")
        self.assertEqual(manager.control(204), CALL_NOT_IMPLEMENTED)
        start = time.monotonic()
        self.assertEqual(manager.control(202), IO_PENDING)                          # takes 1.5 s
        self.assertLess(time.monotonic() - start, 1.0 * wine.load())
        self.assert_logged(service, "slow control hook")
        self.assertEqual(manager.control(STOP), 0)
        self.assert_clean_stop(service, manager)


class Preshutdown(ControlPipeTest):
    def test_preshutdown_is_accepted_instead_of_shutdown_and_drains(self):
        service, manager = self.start_with_manager("preshutdown")
        accepted = wine.ACCEPT_STOP | wine.ACCEPT_PARAMCHANGE | wine.ACCEPT_PRESHUTDOWN
        self.assertEqual(self.statuses(service)[-1].accepted, accepted)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            future = pool.submit(wine.get, self.connection(manager), "/longest")    # 8 s: too long for SHUTDOWN
            time.sleep(0.5)
            self.assertEqual(manager.control(control_pipe.PRESHUTDOWN), 0)
            self.assertEqual(manager.control(SHUTDOWN), 0)                          # Windows does not send it
            response = future.result()
        self.assertEqual((response.status, response.body), (200, "much too late"))
        self.assert_clean_stop(service, manager)


class Shutdown(ControlPipeTest):
    def test_shutdown_stops_the_service_in_order_and_with_exit_code_0(self):
        service, manager = self.start_with_manager("halting")
        self.assertEqual(manager.control(SHUTDOWN), 0)
        self.assert_clean_stop(service, manager)

        states = [status.state for status in self.statuses(service)]
        self.assertEqual(list(dict.fromkeys(states)),
                         [wine.START_PENDING, wine.RUNNING, wine.STOP_PENDING, wine.STOPPED])
        self.assertIn("Windows is shutting down", service.log())
        self.assertEqual(service.log().count("hook undone"), 2)

    def test_shutdown_completes_requests_in_flight(self):
        service, manager = self.start_with_manager("drains")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            future = pool.submit(wine.get, self.connection(manager), "/slow")       # 2 s
            time.sleep(0.5)
            start = time.monotonic()
            self.assertEqual(manager.control(SHUTDOWN), 0)
            self.assertLess(time.monotonic() - start, 0.3 * wine.load())            # the control handler does not wait
            self.assert_clean_stop(service, manager)
            response = future.result()
        self.assertEqual((response.status, response.headers["Connection"]), (200, "close"))
        self.assertEqual(response.body, "x" * 100_000 + " and that is all")

    def test_shutdown_aborts_requests_that_exceed_its_time_limit(self):
        service, manager = self.start_with_manager("patient")
        self.connection(manager).request("GET", "/longest")                         # 8 s; a stop waits for it
        time.sleep(0.5)
        start = time.monotonic()
        self.assertEqual(manager.control(SHUTDOWN), 0)
        manager.wait_for_exit()
        self.assertLess(time.monotonic() - start, 6 * wine.load())
        self.assertEqual(self.statuses(service)[-1].state, wine.STOPPED)

    def test_further_stop_controls_during_shutdown_return_0_and_change_nothing(self):
        service, manager = self.start_with_manager("twice")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            future = pool.submit(wine.get, self.connection(manager), "/slow")
            time.sleep(0.3)
            self.assertEqual([manager.control(event) for event in (SHUTDOWN, SHUTDOWN, STOP, INTERROGATE)],
                             [0, 0, 0, 0])
            self.assertEqual(future.result().status, 200)
        self.assert_clean_stop(service, manager)
        stop_pending = [status for status in self.statuses(service) if status.state == wine.STOP_PENDING]
        self.assertEqual(stop_pending[0].checkpoint, 1)

    def test_a_shutdown_during_start_stops_the_service(self):
        service, manager = self.install_with_manager("steps")
        manager.start()
        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "start_pending"))
        self.assertEqual(manager.control(SHUTDOWN), 0)
        self.assert_clean_stop(service, manager)

    def test_bind_is_retried_until_the_address_exists_or_the_machine_shuts_down(self):
        service, manager = self.install_with_manager("elsewhere", "--host", "192.0.2.1", "--port", "8080")
        manager.start()
        self.assertTrue(wine.eventually(lambda: len(self.statuses(service)) > 3))   # one per attempt, each 0.5 s
        checkpoints = [status.checkpoint for status in self.statuses(service)]
        self.assertEqual(checkpoints, list(range(1, len(checkpoints) + 1)))
        for text in ("192.0.2.1:8080", "(10049)", "trying again"):
            self.assertTrue(wine.eventually(lambda: text in service.log()), text)  # written by another thread
        self.assertEqual(service.status()["state"], "start_pending")

        self.assertEqual(manager.control(SHUTDOWN), 0)
        self.assert_clean_stop(service, manager)


class Crash(ControlPipeTest):
    """Exit code of a crashed process. The service manager of Windows receives it, but not the one of Wine."""

    def check_crash(self, path, code, *texts):
        service, manager = self.start_with_manager("faulty")
        with self.assertRaises(OSError):
            wine.get(self.connection(manager), path)
        self.assertEqual(manager.wait_for_exit(), code)
        self.assertNotIn(wine.STOPPED, [status.state for status in self.statuses(service)])
        for text in texts:
            self.assertIn(text, service.log())
            self.assertIn(text, service.status()["failure"])
        (dump,) = service.data_folder.glob("logs/*.dmp")
        self.assertIn(dump.name, service.log())
        self.assertEqual(dump.read_bytes()[:4], b"MDMP")
        dump.unlink()
        with self.assertRaisesRegex(AssertionError, "faulty crashed: "):            # the event in the trace
            self.check_no_crash()
        self.trace_position = self.machine.trace_size()

    def test_a_structured_exception_writes_a_dump_and_its_reason_and_exits_with_its_code(self):
        self.check_crash("/crash", 0xC000001D, "crashed", "an illegal instruction", "faulty.exe+0x")

    def test_an_uncaught_exception_in_a_thread_writes_a_dump_and_its_reason(self):
        self.check_crash("/terminate", EXCEPTION, "crashed", "std::terminate", "the roof is down")


class ControlPipe(ControlPipeTest):
    """Tests of the simulated service manager."""

    def test_the_service_ends_when_its_manager_ends(self):
        service, manager = self.start_with_manager("orphan")
        manager.__exit__()
        self.assertEqual(service.unix_pids(), [])
        self.assertEqual(service.status()["state"], "stopped")

    def test_the_time_limit_ends_a_service_that_does_not_stop(self):
        service = self.install("endless", "--startup", "manual")
        with control_pipe.Manager(service, limit=5) as manager:
            manager.start()
            try:
                code = manager.wait_for_exit()
            except AssertionError as error:
                self.assertIn("cannot wait any longer", str(error))
            else:
                self.fail(f"the process ended with {code} before the limit\n{service.log()}\n{self.statuses(service)}")
            self.assertTrue(wine.eventually(lambda: not service.unix_pids()))
