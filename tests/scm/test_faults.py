"""Faults that an operator sees: each test is one fault, from the command to what the verbs report about it."""

import json
import os
import shutil

import wine


class FailedStart(wine.ServiceTest):
    def test_the_error_of_a_failed_start_has_its_words_once(self):
        service = self.install("throws")
        result = self.assert_fails(service.run("start"), "hook", "threw: the cupboard is bare")
        self.assertEqual(result.err.count("start 'throws'"), 1, result.err)
        self.assertEqual(service.run("status").out.count("the cupboard is bare"), 1)

    def test_a_start_hook_that_calls_exit_is_reported_at_once_with_its_code(self):
        service = self.install("exits")
        result = self.assert_fails(service.run("start"), "exit(3)", "start hook")
        self.assertLess(result.seconds, 15 * wine.load())       # not after the 30 s without a checkpoint
        self.assertIn("exit(3)", service.log())
        for verb in ("why", "status"):
            self.assertIn("exit(3)", service.run(verb).out, verb)

    def test_an_old_failure_is_one_short_line_that_ends_with_a_clean_stop(self):
        service = self.install("repaired")
        settings = service.exe.with_suffix(".ini")
        self.addCleanup(lambda: settings.unlink(missing_ok=True))
        settings.write_text("bad line\n[cloud\nlanes = x\n")
        self.assertNotEqual(service.run("start").code, 0)
        settings.unlink()
        self.assert_succeeds(service.run("start"))
        (line,) = [line for line in service.run("status").out.splitlines() if "repaired.ini" in line]
        self.assertRegex(line, r"^  failed   \d{4}-\d\d-\d\dT")
        self.assertLess(len(line), 250)
        self.assert_succeeds(service.run("stop"))
        self.assertNotIn("failed", service.run("status").out)


class Answers(wine.ServiceTest):
    def test_a_control_without_a_hook_is_refused_and_not_sent(self):
        service = self.install_and_start("plain")
        position = self.machine.trace_size()
        self.assert_fails(service.run("control", "202"), "control 'plain'", "the service has no on_control 202 hook")
        self.assertNotIn("ControlService", self.machine.trace(position))

    def test_start_and_stop_without_waiting_print_what_they_sent(self):
        service = self.install("hasty")
        self.assertEqual(self.assert_succeeds(service.run("start", "--no-wait")).out, "sent 'start' to 'hasty'\n")
        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "running"))
        self.assertEqual(self.assert_succeeds(service.run("stop", "--no-wait")).out, "sent 'stop' to 'hasty'\n")
        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "stopped"))

    def test_an_update_of_a_running_service_is_pending_until_its_restart(self):
        service = self.install_and_start("pending")
        result = service.run("update", "--set", "log_level=debug")
        self.assertEqual(result.code, 0)
        self.assertIn("runs with the old values until it is restarted: binary", result.err)
        self.assertIn("pending  restart, for: binary", service.run("status").out)
        self.assertEqual(service.status()["pending_restart"], ["binary"])
        self.assertIn("until it is restarted: binary", service.run("doctor").out)
        self.assert_succeeds(service.run("restart"))
        self.assertNotIn("  pending  ", service.run("status").out)

    def test_a_program_file_that_was_replaced_is_pending_until_a_restart(self):
        service = self.install_and_start("replaced")
        old = service.exe.with_name("replaced-old.exe")
        service.exe.rename(old)
        self.addCleanup(old.unlink)
        shutil.copy(old, service.exe)
        self.assertEqual(service.status()["pending_restart"], ["program file"])
        self.assertIn("runs with the old values until it is restarted: program file", service.run("update").err)
        self.assert_succeeds(service.run("restart"))
        self.assertEqual(service.status()["pending_restart"], [])

    def test_an_update_after_a_start_that_died_has_no_warning_about_old_values(self):
        service = self.install("exits")
        service.run("start")
        self.assert_succeeds(service.run("update", "--set", "log_level=debug"))

    def test_a_declined_password_has_the_words_and_the_number_of_one_code(self):
        service = self.service("declined")
        result = self.assert_fails(service.run("install", "--username", "bob"))
        self.assertRegex(result.err, r"password of 'bob'.*Invalid handle \(6\); ")
        self.assertNotIn("1223", result.err)


class KilledProcess(wine.ServiceTest):
    def test_a_service_whose_process_was_killed_stays_stopped_after_two_stops_and_starts_again(self):
        service = self.install_and_start("plain")
        (pid,) = service.unix_pids()
        wine.kill(pid)
        for _ in range(2):
            self.assert_succeeds(service.run("stop"))
            self.assertEqual(service.status()["state"], "stopped")
        self.assert_succeeds(service.run("start"))
        self.assertEqual(service.status()["state"], "running")

    def test_status_describes_a_killed_run_and_why_returns_json(self):
        service = self.install_and_start("plain")
        self.assertIn("live", json.loads(service.run("why", "--json").out))
        (pid,) = service.unix_pids()
        wine.kill(pid)
        self.assertTrue(wine.eventually(lambda: "ended with" in service.run("status").out))
        self.assertIn("(pid ", service.status()["failure"])
        self.assertIsNone(json.loads(service.run("why", "--json").out)["live"])


class LogFile(wine.ServiceTest):
    def test_a_log_that_cannot_be_written_is_reported_by_each_verb(self):
        service = self.install_and_start("deafened")
        logs = service.data_folder / "logs"
        shutil.rmtree(logs)                                     # at once, and no line is written later
        logs.write_text("")                                     # a file in place of the folder
        self.addCleanup(lambda: os.path.isfile(logs) and os.unlink(logs))
        text = "the log file cannot be written since "
        self.assertTrue(wine.eventually(lambda: text in service.run("status").out))
        doctor = service.run("doctor")
        self.assertEqual(doctor.code, 1)
        self.assertIn(text, doctor.out)
        self.assertIn(text, service.run("logs").err)
        self.assertIn("Its log: " + text, service.run("why").out)
        self.assertIn(text, service.get("/readyz").body)


    def test_a_file_in_place_of_the_log_folder_is_reported_while_the_service_does_not_run(self):
        service = self.install_and_start("deafened")
        self.assert_succeeds(service.run("stop"))
        logs = service.data_folder / "logs"
        shutil.rmtree(logs)
        logs.write_text("")
        self.addCleanup(lambda: os.path.isfile(logs) and os.unlink(logs))
        text = "the folder of the log cannot be read: "
        self.assertIn("Its log cannot be read: " + text, service.run("why").out)
        self.assertIn(text, service.run("doctor").out)


class StopReason(wine.ServiceTest):
    def test_why_has_the_reason_of_a_stop_with_its_time_and_user(self):
        service = self.install_and_start("plain")
        self.assert_succeeds(service.run("stop", "--why", "new disk"))
        why = service.run("why").out
        self.assertRegex(why, r"It was stopped at \d{4}-\d\d-\d\dT[\d:.]+Z: new disk \(by .+\)\.")
        self.assertNotIn("Last warnings and errors", why)
        self.assertRegex(service.log(), r" INFO  stopping: requested by the service control manager: new disk \(by ")
        self.assertEqual(json.loads(service.run("why", "--json").out)["problems"], [])


class WineNote(wine.ServiceTest):
    def test_status_doctor_and_repair_print_at_most_one_note_about_wine(self):
        service = self.install_and_start("plain")
        note = wine.NOTE_ABOUT_WINE.split(": ")[1].strip()
        for verb in ("status", "show", "why", "doctor", "doctor --fix"):
            result = service.run(*verb.split())
            self.assertLessEqual((result.out + result.err).count(note), 1, verb)
            self.assertNotIn("warning: ", result.out, verb)
            self.assertIn(result.err, ("", wine.NOTE_ABOUT_WINE), verb)


class Environment(wine.ServiceTest):
    def test_a_variable_of_install_reaches_the_service_and_config_shows_it(self):
        service = self.install_and_start("seasoned", "--env", "KITCHEN=warm", "--env", "SEASONED_LOG_LEVEL=debug")
        self.assertEqual(service.get("/variable").body, "warm")
        self.assertIn("log_level = debug", service.run("config").out)
        self.assertIn("SEASONED_LOG_LEVEL", service.run("config").out)
