"""Tests of the verbs: install, start, a request, stop, remove, repeated verbs, and errors."""

import json
import urllib.request

import wine


class RoundTrip(wine.ServiceTest):
    def test_a_program_installs_itself_serves_and_is_removed_completely(self):
        service = self.service("plain")
        self.assertEqual(service.run("status").code, 4)
        absent = service.status()
        self.assertEqual((absent["name"], absent["installed"], absent["state"]), ("plain", False, "not_installed"))

        self.assert_succeeds(service.run("install"))
        self.assertEqual(service.run("status").code, 3)
        before = service.status()
        self.assertEqual((before["state"], before["pid"], before["url"]), ("stopped", 0, None))

        started = self.assert_succeeds(service.run("start"))
        self.assertEqual(service.get().body, "hello from plain")
        running = service.status()
        self.assertIn(running["url"], started.out)
        self.assertEqual(service.run("status").code, 0)
        self.assertGreater(running["pid"], 0)
        self.assertEqual(len(service.unix_pids()), 1)

        self.assert_succeeds(service.run("stop"))
        after = service.status()
        self.assertEqual((after["state"], after["pid"], after["exit_code"], after["failure"]), ("stopped", 0, 0, None))
        self.assertIsNone(after["url"])

        self.assert_succeeds(service.run("remove"))
        self.assertEqual(service.run("status").code, 4)
        self.assertIsNone(self.machine.registry(service.key))
        self.assertIsNone(self.machine.registry(service.source_key))

    def test_the_service_accepts_requests_when_start_returns(self):
        service = self.install("prompt")
        for _ in range(5):
            output = self.assert_succeeds(service.run("start")).out
            with urllib.request.urlopen(output.split()[-1], timeout=10) as response:
                self.assertEqual(response.read().decode(), "hello from prompt")
            self.assert_succeeds(service.run("stop"))

    def test_status_prints_the_same_as_text_and_as_json_with_the_actual_port(self):
        service = self.install_and_start("shown", "--port", "0")
        as_text, as_json = service.run("status"), service.run("status", "--json")
        self.assertEqual((as_text.code, as_json.code), (0, 0))
        status = json.loads(as_json.out)
        expected = {"name": "shown", "installed": True, "state": "running", "exit_code": 0, "startup": "auto",
                    "binary": f'"{service.windows_path}" run-service --port 0'}
        self.assertEqual({name: status[name] for name in expected}, expected)
        self.assertRegex(status["url"], r"^http://127\.0\.0\.1:[1-9]\d+$")
        for text in ("shown: running", str(status["pid"]), status["url"], status["binary"]):
            self.assertIn(text, as_text.out)

    def test_restart_creates_a_new_process(self):
        service = self.install_and_start("again")
        first = service.status()["pid"]
        self.assert_succeeds(service.run("restart"))
        self.assertNotEqual(service.status()["pid"], first)
        self.assertEqual(service.get().body, "hello from again")

    def test_restart_of_a_stopped_service_starts_it(self):
        service = self.install("fresh")
        self.assert_succeeds(service.run("restart"))
        self.assertEqual(service.get().body, "hello from fresh")

    def test_remove_stops_a_running_service_first(self):
        service = self.install_and_start("busy")
        self.assert_succeeds(service.run("remove"))
        self.assertEqual(service.run("status").code, 4)
        self.assertEqual(wine.eventually(lambda: not service.unix_pids()), True)

    def test_the_current_folder_of_a_service_is_that_of_the_executable(self):
        service = self.install_and_start("at home")
        self.assertEqual(service.get("/folder").body, service.windows_path.rsplit("\\", 1)[0])

    def test_start_arguments_of_sc_reach_the_start_hooks(self):
        service = self.install("words")
        self.assertEqual(self.machine.run("sc", "start", "words", "one", "two words").code, 0)
        self.assertTrue(wine.eventually(lambda: "second hook [one] [two words]" in service.log()), service.log())


class WindowsTools(wine.ServiceTest):
    def test_net_starts_and_stops_the_service(self):
        service = self.install("ordinary")
        self.assertEqual(self.machine.run("net", "start", "ordinary").code, 0)
        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "running"))    # `net start` does not wait
        self.assertEqual(service.get().status, 200)
        self.assertEqual(self.machine.run("net", "stop", "ordinary").code, 0)
        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "stopped"))

    def test_a_service_that_was_created_by_sc_without_arguments_works(self):
        service = self.service("by hand")
        result = self.machine.run("sc", "create", "by hand", "binPath=", f'"{service.windows_path}"',
                                  "start=", "demand")
        self.assertEqual(result.code, 0)
        self.assert_succeeds(service.run("start"))
        self.assertEqual(service.get().body, "hello from by hand")
        self.assert_succeeds(service.run("stop"))

    def test_a_service_of_another_program_with_the_same_name_is_not_changed(self):
        service = self.service("foreign")
        self.machine.run("sc", "create", "foreign", "binPath=", "C:\\elsewhere\\program.exe", "start=", "demand")
        before = self.machine.registry(service.key)
        for verb in ("install", "remove", "start", "stop", "restart", "pause", "reload", "status", "show", "why",
                     "logs", "config"):
            self.assert_fails(service.run(verb), f"{verb} 'foreign'", "another program", "C:\\elsewhere\\program.exe",
                              "(1073)")
        self.assertEqual(self.machine.registry(service.key), before)
        self.assertIsNone(self.machine.registry(service.source_key))
        self.assertEqual(self.machine.run("sc", "delete", "foreign").code, 0)


class Install(wine.ServiceTest):
    def test_the_image_path_is_quoted_and_contains_the_given_options(self):
        service = self.install("quoted", "--host", "127.0.0.1", "--port", "0", folder="Program Files")
        values = self.machine.registry(service.key)
        self.assertEqual(values["ImagePath"], f'"{service.windows_path}" run-service --host 127.0.0.1 --port 0')
        self.assertEqual((values["Start"], values["Type"]), (2, 0x10))

    def test_the_event_source_uses_a_message_file_of_windows(self):
        service = self.install("events")
        values = self.machine.registry(service.source_key)
        self.assertIn("EventCreate.exe", values["EventMessageFile"])
        self.assertEqual(values["TypesSupported"], 7)

    def test_a_second_install_changes_only_the_given_options(self):
        service = self.install("kept", "--port", "0", "--startup", "manual", "--display-name", "First",
                               "--description", "One")
        self.assert_succeeds(service.run("install", "--host", "127.0.0.1", "--display-name", "Größe & Zwei"))
        values = self.machine.registry(service.key)
        self.assertEqual(values["ImagePath"], f'"{service.windows_path}" run-service --host 127.0.0.1 --port 0')
        self.assertEqual((values["Start"], values["DisplayName"], values["Description"]), (3, "Größe & Zwei", "One"))

    def test_a_second_install_can_change_the_startup_type(self):
        service = self.install("startup")
        for startup, number in (("manual", 3), ("disabled", 4), ("auto", 2)):
            self.assert_succeeds(service.run("install", "--startup", startup))
            self.assertEqual(self.machine.registry(service.key)["Start"], number)
            self.assertEqual(service.status()["startup"], startup)

    def test_install_updates_the_path_of_a_moved_program(self):
        old = self.install("moved", "--port", "0", folder="old")
        new = self.service("moved", folder="new")
        output = self.assert_succeeds(new.run("install")).out
        self.assertIn(old.windows_path, output)
        self.assertEqual(self.machine.registry(new.key)["ImagePath"], f'"{new.windows_path}" run-service --port 0')

    def test_install_of_a_running_service_leaves_it_running(self):
        service = self.install_and_start("updated")
        pid = service.status()["pid"]
        self.assert_succeeds(service.run("install", "--description", "new"))
        self.assertEqual((service.status()["pid"], service.get().status), (pid, 200))

    def test_a_display_name_in_use_is_an_error_and_is_rolled_back(self):
        self.install("owner", "--display-name", "Taken")
        second = self.service("second")
        self.assert_fails(second.run("install", "--display-name", "Taken"), "install 'second'", "(1078)",
                          "--display-name")
        self.assertEqual(second.status()["installed"], False)
        self.assertIsNone(self.machine.registry(second.source_key))


class RepeatedVerbs(wine.ServiceTest):
    def test_a_second_start_succeeds_and_changes_nothing(self):
        service = self.install_and_start("twice")
        pid = service.status()["pid"]
        self.assertIn("already running", self.assert_succeeds(service.run("start")).out)
        self.assertEqual(service.status()["pid"], pid)

    def test_a_second_stop_succeeds(self):
        service = self.install_and_start("twice")
        self.assert_succeeds(service.run("stop"))
        self.assertIn("not running", self.assert_succeeds(service.run("stop")).out)

    def test_a_second_remove_succeeds(self):
        service = self.install("twice")
        self.assert_succeeds(service.run("remove"))
        self.assertIn("not installed", self.assert_succeeds(service.run("remove")).out)


class RejectedVerbs(wine.ServiceTest):
    def test_a_service_that_is_not_installed_cannot_be_started_or_stopped(self):
        service = self.service("nowhere")
        for verb in ("start", "stop", "restart"):
            result = self.assert_fails(service.run(verb), "'nowhere'", "not installed (1060)", "install it first")
            self.assertEqual(result.code, 1060 & 255)           # Unix exit codes have 8 bits

    def test_start_of_a_disabled_service_names_the_remedy(self):
        service = self.install("off", "--startup", "disabled")
        self.assert_fails(service.run("start"), "start 'off'", "disabled (1058)", "--startup auto")
        self.assertEqual(service.run("status").code, 3)
        self.assert_succeeds(service.run("install", "--startup", "manual"))
        self.assert_succeeds(service.run("start"))

    def test_an_unknown_verb_is_a_usage_error_with_a_suggestion(self):
        result = self.assert_fails(self.service("usage").run("instal"), "unknown verb 'instal'",
                                   "did you mean 'install'?")
        self.assertEqual(result.code, 2)

    def test_an_unknown_option_is_a_usage_error_with_a_suggestion(self):
        service = self.service("usage")
        result = self.assert_fails(service.run("install", "--prot", "80"), "unknown option '--prot'",
                                   "did you mean '--port'?")
        self.assertEqual(result.code, 2)
        self.assertEqual(service.status()["installed"], False)

    def test_run_service_in_a_terminal_is_an_error_with_a_remedy(self):
        self.assert_fails(self.service("by hand").run("run-service"), "(1063)", "use 'start'")
