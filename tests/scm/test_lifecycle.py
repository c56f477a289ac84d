"""Tests of the statuses that a service reports: their order and timing, and requests in flight during a stop."""

import concurrent.futures
import statistics
import time

import wine

STATES = [wine.START_PENDING, wine.RUNNING, wine.STOP_PENDING, wine.STOPPED]
ACCEPTED = wine.ACCEPT_STOP | wine.ACCEPT_SHUTDOWN | wine.ACCEPT_PARAMCHANGE


class Statuses(wine.ServiceTest):
    def run_once(self, name):
        """Starts and stops a service; returns its statuses."""
        position = self.machine.trace_size()
        service = self.install_and_start(name)
        self.assert_succeeds(service.run("stop"))
        (history,) = service.status_histories(position)
        return history

    def assert_consecutive(self, checkpoints):
        self.assertEqual(checkpoints, list(range(1, len(checkpoints) + 1)))

    def test_a_run_reports_start_pending_running_stop_pending_stopped(self):
        history = self.run_once("ordered")
        states = [status.state for status in history]
        self.assertEqual(list(dict.fromkeys(states)), STATES)
        self.assertEqual(states, sorted(states, key=STATES.index))
        self.assertEqual((states.count(wine.RUNNING), states.count(wine.STOPPED)), (1, 1))
        self.assertEqual((history[-1].exit_code, history[-1].specific_code), (0, 0))

    def test_controls_are_accepted_only_while_running(self):
        for status in self.run_once("accepts"):
            self.assertEqual(status.accepted, ACCEPTED if status.state == wine.RUNNING else 0, status)

    def test_only_pending_states_have_checkpoints_and_a_wait_hint(self):
        history = self.run_once("pending")
        for state in (wine.START_PENDING, wine.STOP_PENDING):
            self.assert_consecutive([status.checkpoint for status in history if status.state == state])
        for status in history:
            is_pending = status.state in (wine.START_PENDING, wine.STOP_PENDING)
            self.assertEqual((status.checkpoint > 0, status.wait_hint > 0), (is_pending, is_pending), status)

    def test_each_progress_report_of_a_start_hook_is_a_checkpoint(self):
        def pending_count(name):
            checkpoints = [status.checkpoint for status in self.run_once(name) if status.state == wine.START_PENDING]
            self.assert_consecutive(checkpoints)
            return len(checkpoints)
        self.assertEqual(pending_count("steps") - pending_count("strides"), 4)

    def test_stop_during_start_waits_for_the_start_and_stops_the_service(self):
        service = self.install("steps")
        self.assert_succeeds(service.run("start", "--no-wait"))
        self.assertEqual(service.status()["state"], "start_pending")
        self.assertIn("stopped", self.assert_succeeds(service.run("stop")).out)
        (history,) = service.status_histories(self.trace_position)
        self.assertEqual(history[-1][1:4], (wine.STOPPED, 0, 0))

    def test_a_wait_timeout_is_an_error_and_the_start_continues(self):
        service = self.install("steps")
        self.assert_fails(service.run("start", "--wait", "200ms"), "start 'steps'", "still 'start pending'",
                          "(1460)", "--wait")
        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "running"))

    def test_hooks_run_in_order_and_cleanup_functions_in_reverse(self):
        service = self.install_and_start("hooks")
        self.assert_succeeds(service.run("stop"))
        lines = [line.split(" INFO  ")[1] for line in service.log().splitlines() if "hook" in line]
        self.assertEqual(lines, ["first hook", "second hook", "second hook undone", "stop hook", "first hook undone"])

    def test_twenty_consecutive_starts_and_stops_succeed(self):
        service = self.install("tireless")
        for _ in range(20):
            self.assert_succeeds(service.run("start"))
            self.assert_succeeds(service.run("stop"))
            self.assertEqual(service.status()["exit_code"], 0)


class Drain(wine.ServiceTest):
    def test_a_request_in_flight_completes_before_stopped(self):
        service = self.install_and_start("drains")
        connection = service.connection()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            future = pool.submit(lambda: (wine.get(connection, "/slow"), time.monotonic()))      # 2 s
            time.sleep(0.5)
            self.assertFalse(future.done())
            self.assert_succeeds(service.run("stop"))
            stop_time = time.monotonic()
            response, response_time = future.result()

        self.assertEqual((response.status, response.headers["Connection"]), (200, "close"))
        self.assertEqual(response.body, "x" * 100_000 + " and that is all")
        self.assertLess(response_time, stop_time)
        status = service.status()
        self.assertEqual((status["state"], status["exit_code"]), ("stopped", 0))

        # Only the request delays the stop: STOPPED follows directly after the response.
        (history,) = service.status_histories(self.trace_position)
        stop_pending, stopped = next(status for status in history if status.state == wine.STOP_PENDING), history[-1]
        seconds = stopped.time - stop_pending.time
        print(f"\n  stop with a request in flight: STOP_PENDING to STOPPED {1000 * seconds:.0f} ms", end="")
        self.assertGreater(seconds, 1.0)
        self.assertLess(seconds, 2.0 * wine.load())

    def test_new_connections_are_refused_during_a_drain(self):
        service = self.install_and_start("closed")
        busy, late = service.connection(), service.connection()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            future = pool.submit(wine.get, busy, "/slow")
            time.sleep(0.3)
            self.assert_succeeds(service.run("stop", "--no-wait"))
            self.assertEqual(service.status()["state"], "stop_pending")
            with self.assertRaises(OSError):
                late.connect()
            self.assertEqual(future.result().status, 200)
        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "stopped"))

    def test_idle_connections_do_not_delay_a_stop(self):
        service = self.install_and_start("idle")
        connections = [service.connection() for _ in range(5)]
        for connection in connections:
            self.assertEqual(wine.get(connection).status, 200)          # and stays open

        stopped = self.assert_succeeds(service.run("stop"))
        self.assertLess(stopped.seconds, 1.0 * wine.load())
        for connection in connections:
            connection.close()


class Timing(wine.ServiceTest):
    LIMIT = 300                                                 # ms, on an idle machine

    def test_start_to_running_and_stop_to_stopped_take_less_than_300_ms(self):
        service = self.install("quick")
        starts, stops, verb_times = [], [], []
        for _ in range(5):
            position = self.machine.trace_size()
            verb_times.append(service.run("start").seconds)
            verb_times.append(service.run("stop").seconds)
            (history,) = service.status_histories(position)
            first_times = {status.state: status.time for status in reversed(history)}
            starts.append(1000 * (first_times[wine.RUNNING] - service.start_request_time(position)))
            stops.append(1000 * (first_times[wine.STOPPED] - first_times[wine.STOP_PENDING]))

        limit = self.LIMIT * wine.load()
        print(f"\n  start to RUNNING {self.median_and_range(starts)}, stop to STOPPED {self.median_and_range(stops)} "
              f"(limit {limit:.0f} ms); the verbs took {self.median_and_range(1000 * s for s in verb_times)}", end="")
        self.assertLess(statistics.median(starts), limit)
        self.assertLess(statistics.median(stops), limit)

    @staticmethod
    def median_and_range(milliseconds):
        values = sorted(milliseconds)
        return f"{statistics.median(values):.0f} ms ({values[0]:.0f} to {values[-1]:.0f})"
