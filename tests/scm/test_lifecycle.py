"""The service manager's view: which statuses in which order, how long they take, and what a stop waits for."""

import concurrent.futures
import statistics
import time

import wine

ACCEPTED = wine.ACCEPT_STOP | wine.ACCEPT_SHUTDOWN | wine.ACCEPT_PARAMCHANGE


class Statuses(wine.Case):
    def life(self, name):
        """The statuses of one whole run."""
        since = self.box.now()
        service = self.started(name)
        self.succeeds(service.run("stop"))
        (life,) = service.lives(since)
        return life

    def assert_rising(self, checkpoints):
        self.assertEqual(checkpoints, list(range(1, len(checkpoints) + 1)))

    def test_a_life_is_start_pending_running_stop_pending_stopped(self):
        life = self.life("ordered")
        states = [status.state for status in life]
        self.assertEqual(list(dict.fromkeys(states)), [wine.START_PENDING, wine.RUNNING, wine.STOP_PENDING, wine.STOPPED])
        self.assertEqual(states, sorted(states, key=[wine.START_PENDING, wine.RUNNING, wine.STOP_PENDING, wine.STOPPED].index))
        self.assertEqual((states.count(wine.RUNNING), states.count(wine.STOPPED)), (1, 1))
        self.assertEqual((life[-1].exit_code, life[-1].specific), (0, 0))

    def test_controls_are_accepted_while_running_and_never_else(self):
        for status in self.life("accepts"):
            self.assertEqual(status.accepted, ACCEPTED if status.state == wine.RUNNING else 0, status)

    def test_pending_states_carry_rising_checkpoints_and_a_hint_and_others_none(self):
        life = self.life("pending")
        for state in (wine.START_PENDING, wine.STOP_PENDING):
            self.assert_rising([status.checkpoint for status in life if status.state == state])
        for status in life:
            pending = status.state in (wine.START_PENDING, wine.STOP_PENDING)
            self.assertEqual((status.checkpoint > 0, status.hint > 0), (pending, pending), status)

    def test_each_progress_of_a_start_hook_is_a_checkpoint(self):
        def pending(name):
            found = [status.checkpoint for status in self.life(name) if status.state == wine.START_PENDING]
            self.assert_rising(found)
            return len(found)
        self.assertEqual(pending("steps") - pending("strides"), 4)

    def test_a_stop_of_a_starting_service_waits_for_it_and_stops_it(self):
        service = self.installed("steps")
        self.succeeds(service.run("start", "--no-wait"))
        self.assertEqual(service.status()["state"], "start_pending")
        self.assertIn("stopped", self.succeeds(service.run("stop")).out)
        (life,) = service.lives(self.trace_start)
        self.assertEqual(life[-1][1:4], (wine.STOPPED, 0, 0))

    def test_a_wait_that_is_too_short_is_an_error_and_the_start_goes_on(self):
        service = self.installed("steps")
        self.fails(service.run("start", "--wait", "200ms"), "start 'steps'", "still 'start pending'", "(1460)", "--wait")
        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "running"))

    def test_hooks_run_in_order_and_are_undone_in_reverse(self):
        service = self.started("hooks")
        self.succeeds(service.run("stop"))
        told = [line.split(" INFO  ")[1] for line in service.log().splitlines() if "hook" in line]
        self.assertEqual(told, ["first hook", "second hook", "second hook undone", "stop hook", "first hook undone"])

    def test_twenty_starts_and_stops_in_a_row_are_all_clean(self):
        service = self.installed("tireless")
        for _ in range(20):
            self.succeeds(service.run("start"))
            self.succeeds(service.run("stop"))
            self.assertEqual(service.status()["exit_code"], 0)


class Drain(wine.Case):
    def test_a_request_in_flight_is_answered_in_full_before_stopped(self):
        service = self.started("drains")
        connection = service.connection()
        with concurrent.futures.ThreadPoolExecutor() as aside:
            answered = aside.submit(lambda: (wine.get(connection, "/slow"), time.monotonic()))      # takes 2 s
            time.sleep(0.5)
            self.assertFalse(answered.done())
            self.succeeds(service.run("stop"))
            stopped_at = time.monotonic()
            answer, answered_at = answered.result()

        self.assertEqual((answer.status, answer.headers["Connection"]), (200, "close"))
        self.assertEqual(answer.body, "x" * 100_000 + " and that is all")
        self.assertLess(answered_at, stopped_at)
        status = service.status()
        self.assertEqual((status["state"], status["exit_code"]), ("stopped", 0))

        # Nothing but the request held it: STOPPED is as late as the answer, and it was not silent about it.
        (life,) = service.lives(self.trace_start)
        asked, stopped = next(s for s in life if s.state == wine.STOP_PENDING), life[-1]
        print(f"\n  stop with a request in flight: STOP_PENDING to STOPPED {1000 * (stopped.at - asked.at):.0f} ms", end="")
        self.assertGreater(stopped.at - asked.at, 1.0)
        self.assertLess(stopped.at - asked.at, 2.0 * wine.load())

    def test_nobody_is_let_in_while_it_drains(self):
        service = self.started("closed")
        busy, late = service.connection(), service.connection()
        with concurrent.futures.ThreadPoolExecutor() as aside:
            answered = aside.submit(wine.get, busy, "/slow")
            time.sleep(0.3)
            self.succeeds(service.run("stop", "--no-wait"))
            self.assertEqual(service.status()["state"], "stop_pending")
            with self.assertRaises(OSError):
                late.connect()
            self.assertEqual(answered.result().status, 200)
        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "stopped"))

    def test_idle_connections_do_not_hold_a_stop(self):
        service = self.started("idle")
        connections = [service.connection() for _ in range(5)]
        for connection in connections:
            self.assertEqual(wine.get(connection).status, 200)          # and kept alive

        stopped = self.succeeds(service.run("stop"))
        self.assertLess(stopped.took, 1.0 * wine.load())
        for connection in connections:
            connection.close()


class Timing(wine.Case):
    LIMIT = 300                                                 # ms, on a machine that does nothing else

    def test_start_to_running_and_stop_to_stopped_take_less_than_300_ms(self):
        service = self.installed("quick")
        starts, stops, waits = [], [], []
        for _ in range(5):
            since = self.box.now()
            waits.append(service.run("start").took)
            waits.append(service.run("stop").took)
            (life,) = service.lives(since)
            first = {status.state: status.at for status in reversed(life)}
            starts.append(1000 * (first[wine.RUNNING] - service.asked_to_start(since)))
            stops.append(1000 * (first[wine.STOPPED] - first[wine.STOP_PENDING]))

        limit = self.LIMIT * wine.load()
        print(f"\n  start to RUNNING {self.shown(starts)}, stop to STOPPED {self.shown(stops)} (limit {limit:.0f} ms); "
              f"the verbs took {self.shown(1000 * wait for wait in waits)}", end="")
        self.assertLess(statistics.median(starts), limit)
        self.assertLess(statistics.median(stops), limit)

    @staticmethod
    def shown(milliseconds):
        values = sorted(milliseconds)
        return f"{statistics.median(values):.0f} ms ({values[0]:.0f} to {values[-1]:.0f})"
