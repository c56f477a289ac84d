"""From an executable to a service and back: install, start, ask, stop, remove, and each verb a second time."""

import json
import urllib.request

import wine


class TheRoad(wine.Case):
    def test_a_program_installs_itself_serves_and_leaves_nothing_behind(self):
        service = self.service("plain")
        self.assertEqual(service.run("status").code, 4)
        nothing = service.status()
        self.assertEqual((nothing["name"], nothing["installed"], nothing["state"]), ("plain", False, "not_installed"))

        self.succeeds(service.run("install"))
        self.assertEqual(service.run("status").code, 3)
        before = service.status()
        self.assertEqual((before["state"], before["pid"], before["url"]), ("stopped", 0, None))

        started = self.succeeds(service.run("start"))
        self.assertEqual(service.get().body, "hello from plain")
        now = service.status()
        self.assertIn(now["url"], started.out)
        self.assertEqual(service.run("status").code, 0)
        self.assertGreater(now["pid"], 0)
        self.assertEqual(len(service.unix_pids()), 1)

        self.succeeds(service.run("stop"))
        after = service.status()
        self.assertEqual((after["state"], after["pid"], after["exit_code"], after["failure"]), ("stopped", 0, 0, None))
        self.assertIsNone(after["url"])

        self.succeeds(service.run("remove"))
        self.assertEqual(service.run("status").code, 4)
        self.assertIsNone(self.box.registry(service.key))
        self.assertIsNone(self.box.registry(service.source_key))

    def test_the_port_answers_at_the_moment_that_start_returns(self):
        service = self.installed("prompt")
        for _ in range(5):
            said = self.succeeds(service.run("start")).out
            with urllib.request.urlopen(said.split()[-1], timeout=10) as answer:
                self.assertEqual(answer.read().decode(), "hello from prompt")
            self.succeeds(service.run("stop"))

    def test_status_shows_a_person_and_a_machine_the_same_with_the_real_port(self):
        service = self.started("shown", "--port", "0")
        text, machine = service.run("status"), service.run("status", "--json")
        said = json.loads(machine.out)

        self.assertEqual((text.code, machine.code), (0, 0))
        self.assertEqual({name: said[name] for name in ("name", "installed", "state", "exit_code", "startup", "binary")},
                         {"name": "shown", "installed": True, "state": "running", "exit_code": 0, "startup": "auto",
                          "binary": f'"{service.windows_path}" run-service --port 0'})
        self.assertRegex(said["url"], r"^http://127\.0\.0\.1:[1-9]\d+$")
        for shown in ("shown: running", str(said["pid"]), said["url"], said["binary"]):
            self.assertIn(shown, text.out)

    def test_restart_gives_a_new_process(self):
        service = self.started("again")
        first = service.status()["pid"]
        self.succeeds(service.run("restart"))
        self.assertNotEqual(service.status()["pid"], first)
        self.assertEqual(service.get().body, "hello from again")

    def test_restart_of_a_stopped_service_starts_it(self):
        service = self.installed("fresh")
        self.succeeds(service.run("restart"))
        self.assertEqual(service.get().body, "hello from fresh")

    def test_remove_stops_a_running_service_first(self):
        service = self.started("busy")
        self.succeeds(service.run("remove"))
        self.assertEqual(service.run("status").code, 4)
        self.assertEqual(wine.eventually(lambda: not service.unix_pids()), True)

    def test_the_services_folder_is_the_executables(self):
        service = self.started("at home")
        self.assertEqual(service.get("/folder").body, service.windows_path.rsplit("\\", 1)[0])

    def test_words_of_a_start_reach_the_hooks_that_ask(self):
        service = self.installed("words")
        self.assertEqual(self.box.wine("sc", "start", "words", "one", "two words").code, 0)
        self.assertTrue(wine.eventually(lambda: "second hook [one] [two words]" in service.log()), service.log())


class OtherTools(wine.Case):
    def test_windows_own_tools_start_and_stop_it(self):
        service = self.installed("ordinary")
        self.assertEqual(self.box.wine("net", "start", "ordinary").code, 0)
        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "running"))      # net does not wait
        self.assertEqual(service.get().status, 200)
        self.assertEqual(self.box.wine("net", "stop", "ordinary").code, 0)
        self.assertTrue(wine.eventually(lambda: service.status()["state"] == "stopped"))

    def test_a_service_that_was_registered_by_hand_without_any_word_works(self):
        service = self.service("by hand")
        self.assertEqual(self.box.wine("sc", "create", "by hand", "binPath=", f'"{service.windows_path}"', "start=", "demand").code, 0)
        self.succeeds(service.run("start"))
        self.assertEqual(service.get().body, "hello from by hand")
        self.succeeds(service.run("stop"))

    def test_another_programs_service_of_the_same_name_is_left_as_it_is(self):
        service = self.service("foreign")
        self.box.wine("sc", "create", "foreign", "binPath=", "C:\\elsewhere\\program.exe", "start=", "demand")
        before = self.box.registry(service.key)
        self.fails(service.run("install"), "install 'foreign'", "another program", "C:\\elsewhere\\program.exe", "(1073)")
        self.fails(service.run("remove"), "remove 'foreign'", "another program", "C:\\elsewhere\\program.exe", "(1073)")
        self.assertEqual(self.box.registry(service.key), before)
        self.assertIsNone(self.box.registry(service.source_key))
        self.assertEqual(self.box.wine("sc", "delete", "foreign").code, 0)


class Install(wine.Case):
    def test_the_image_path_is_quoted_and_keeps_what_was_given(self):
        service = self.installed("quoted", "--host", "127.0.0.1", "--port", "0", folder="Program Files")
        values = self.box.registry(service.key)
        self.assertEqual(values["ImagePath"], f'"{service.windows_path}" run-service --host 127.0.0.1 --port 0')
        self.assertEqual((values["Start"], values["Type"]), (2, 0x10))

    def test_the_event_source_is_registered_with_a_message_file_that_every_windows_has(self):
        service = self.installed("heard")
        values = self.box.registry(service.source_key)
        self.assertIn("EventCreate.exe", values["EventMessageFile"])
        self.assertEqual(values["TypesSupported"], 7)

    def test_a_second_install_changes_what_is_asked_and_keeps_the_rest(self):
        service = self.installed("kept", "--port", "0", "--startup", "manual", "--display-name", "First", "--description", "One")
        self.succeeds(service.run("install", "--host", "127.0.0.1", "--display-name", "Größe & Zwei"))
        values = self.box.registry(service.key)
        self.assertEqual(values["ImagePath"], f'"{service.windows_path}" run-service --host 127.0.0.1 --port 0')
        self.assertEqual((values["Start"], values["DisplayName"], values["Description"]), (3, "Größe & Zwei", "One"))

    def test_startup_can_be_changed_by_a_second_install(self):
        service = self.installed("startup")
        for word, number in (("manual", 3), ("disabled", 4), ("auto", 2)):
            self.succeeds(service.run("install", "--startup", word))
            self.assertEqual(self.box.registry(service.key)["Start"], number)
            self.assertEqual(service.status()["startup"], word)

    def test_a_program_that_moved_is_followed(self):
        old = self.installed("moved", "--port", "0", folder="old")
        new = self.service("moved", folder="new")
        said = self.succeeds(new.run("install")).out
        self.assertIn(old.windows_path, said)
        self.assertEqual(self.box.registry(new.key)["ImagePath"], f'"{new.windows_path}" run-service --port 0')

    def test_an_update_of_a_running_service_leaves_it_running(self):
        service = self.started("updated")
        pid = service.status()["pid"]
        self.succeeds(service.run("install", "--description", "new"))
        self.assertEqual((service.status()["pid"], service.get().status), (pid, 200))

    def test_a_taken_display_name_is_an_error_with_a_remedy_and_nothing_stays(self):
        self.installed("owner", "--display-name", "Taken")
        second = self.service("second")
        self.fails(second.run("install", "--display-name", "Taken"), "install 'second'", "(1078)", "--display-name")
        self.assertEqual(second.status()["installed"], False)
        self.assertIsNone(self.box.registry(second.source_key))


class WhatIsDoneAlready(wine.Case):
    def test_a_second_start_succeeds_and_changes_nothing(self):
        service = self.started("twice")
        pid = service.status()["pid"]
        self.assertIn("running already", self.succeeds(service.run("start")).out)
        self.assertEqual(service.status()["pid"], pid)

    def test_a_second_stop_succeeds(self):
        service = self.started("twice")
        self.succeeds(service.run("stop"))
        self.assertIn("not running", self.succeeds(service.run("stop")).out)

    def test_a_second_remove_succeeds(self):
        service = self.installed("twice")
        self.succeeds(service.run("remove"))
        self.assertIn("not installed", self.succeeds(service.run("remove")).out)


class WhatCannotBeDone(wine.Case):
    def test_a_service_that_is_not_installed_cannot_be_started_or_stopped(self):
        service = self.service("nowhere")
        for verb in ("start", "stop", "restart"):
            answer = self.fails(service.run(verb), "'nowhere'", "not installed (1060)", "install it first")
            self.assertEqual(answer.code, 1060 & 255)               # as much of it as Unix has room for

    def test_a_disabled_service_says_how_to_enable_it(self):
        service = self.installed("off", "--startup", "disabled")
        self.fails(service.run("start"), "start 'off'", "disabled (1058)", "--startup auto")
        self.assertEqual(service.run("status").code, 3)
        self.succeeds(service.run("install", "--startup", "manual"))
        self.succeeds(service.run("start"))

    def test_an_unknown_verb_is_a_usage_error_that_suggests_one(self):
        answer = self.fails(self.service("usage").run("instal"), "unknown verb 'instal'", "did you mean 'install'?")
        self.assertEqual(answer.code, 2)

    def test_an_unknown_option_is_a_usage_error_that_suggests_one(self):
        service = self.service("usage")
        answer = self.fails(service.run("install", "--prot", "80"), "unknown option '--prot'", "did you mean '--port'?")
        self.assertEqual(answer.code, 2)
        self.assertEqual(service.status()["installed"], False)

    def test_run_service_in_a_terminal_says_what_to_do_instead(self):
        self.fails(self.service("by hand").run("run-service"), "(1063)", "start verb")
