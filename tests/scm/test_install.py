"""What an install sets, changes and shows, as the registry has it; instances; and the verbs that send controls."""

import json
import urllib.request

import wine

VIRTUAL = "NT SERVICE\\"


def body_of(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


class Installed(wine.Case):
    def values(self, service):
        return self.box.registry(service.key)

    def test_what_an_install_sets_unless_told_otherwise(self):
        service = self.installed("defaults")
        values = self.values(service)
        self.assertEqual(values["ObjectName"], VIRTUAL + "defaults")
        self.assertEqual((values["Start"], values["Type"]), (2, 0x10))
        self.assertEqual(values["ImagePath"], f'"{service.windows_path}" run-service')
        self.assertEqual(values["PreshutdownTimeout"], 25000)
        self.assertNotIn("DependOnService", values)
        self.assertNotIn("Environment", values)
        source = self.box.registry(service.source_key)
        self.assertTrue(source["EventMessageFile"].endswith("EventCreate.exe"))
        self.assertEqual(source["TypesSupported"], 7)

    def test_what_is_asked_for_is_in_the_registry(self):
        service = self.installed("asked", "--startup", "manual", "--depends", "Eventlog,+TDI", "--env", "GREETING=grüß dich",
                                 "--env", "EMPTY_NOT=1", "--preshutdown", "30s", "--description", "says it",
                                 "--display-name", "Asked for", "--username", "local-service", "--port", "0")
        values = self.values(service)
        self.assertEqual(values["Start"], 3)
        self.assertEqual(values["DependOnService"].split("\0"), ["Eventlog"])
        self.assertEqual(values["DependOnGroup"].split("\0"), ["TDI"])
        self.assertEqual(values["Environment"].split("\0"), ["GREETING=grüß dich", "EMPTY_NOT=1"])
        self.assertEqual(values["PreshutdownTimeout"], 30000)
        self.assertEqual((values["DisplayName"], values["Description"]), ("Asked for", "says it"))
        self.assertEqual(values["ObjectName"], "NT AUTHORITY\\LocalService")
        self.assertEqual(values["ImagePath"], f'"{service.windows_path}" run-service --port 0 --preshutdown 30s')

    def test_what_wine_does_not_know_is_a_warning_and_what_an_account_gives_up_a_note(self):
        service = self.service("warned")
        said = self.succeeds(service.run("install", "--username", "system")).out
        for number in (4, 5, 6):
            self.assertIn(f"warning: this system does not know setting {number} (124)", said)
        self.assertIn("note: LocalSystem may do anything on this machine", said)

    def test_a_plan_shows_what_would_change_and_changes_nothing(self):
        service = self.service("planned")
        created = self.succeeds(service.run("install", "--plan", "--port", "0")).out
        self.assertIn("'planned' is not installed; install creates it:", created)
        self.assertEqual(service.run("status").code, 4)

        self.succeeds(service.run("install", "--port", "0"))
        before = self.values(service)
        plan = self.succeeds(service.run("update", "--plan", "--startup", "manual", "--env", "A=1")).out
        self.assertRegex(plan, r"startup +auto -> manual")
        self.assertRegex(plan, r"environment +none -> A\n")
        self.assertEqual(self.values(service), before)

    def test_an_update_changes_what_is_asked_and_nothing_else(self):
        service = self.installed("changed", "--port", "0", "--env", "A=1", "--env", "B=2", "--depends", "Eventlog")
        said = self.succeeds(service.run("update", "--startup", "manual", "--env", "A=", "--env", "b=3",
                                         "--depends", "Eventlog")).out
        self.assertRegex(said, r"startup +auto -> manual")
        values = self.values(service)
        self.assertEqual(values["Start"], 3)
        self.assertEqual(values["Environment"].split("\0"), ["b=3"])
        self.assertEqual(values["DependOnService"].split("\0"), ["Eventlog"])
        self.assertEqual(values["ImagePath"], f'"{service.windows_path}" run-service --port 0')
        self.assertEqual(values["ObjectName"], VIRTUAL + "changed")

    def test_an_update_of_what_is_not_there_is_an_error(self):
        self.fails(self.service("absent").run("update"), "update 'absent'", "not installed", "(1060)")

    def test_install_can_start_it_at_once(self):
        service = self.service("eager")
        self.assertIn("started 'eager': http://", self.succeeds(service.run("install", "--start")).out)
        self.assertEqual(service.get().body, "hello from eager")

    def test_words_behind_two_dashes_reach_the_start_hooks(self):
        service = self.installed("worded")
        self.succeeds(service.run("start", "--", "one", "--port", "zwei drei"))
        self.assertIn("second hook [one] [--port] [zwei drei]", service.log())


class Instances(wine.Case):
    def test_two_instances_of_one_program_stand_side_by_side(self):
        service = self.service("twin")
        for colour in ("blue", "green"):
            self.addCleanup(lambda c=colour: self.succeeds(service.run("remove", "--instance", c)))
            self.succeeds(service.run("install", "--instance", colour, "--port", "0"))
        urls = {}
        for colour in ("blue", "green"):
            said = self.succeeds(service.run("start", "--instance", colour)).out
            self.assertIn(f"started 'twin${colour}'", said)
            urls[colour] = said.split()[-1]
        self.assertNotEqual(urls["blue"], urls["green"])
        self.assertEqual({body_of(url) for url in urls.values()}, {"hello from twin"})

        values = self.box.registry(service.key + "$blue")
        self.assertEqual(values["ImagePath"], f'"{service.windows_path}" run-service --instance blue --port 0')
        self.assertEqual((values["DisplayName"], values["ObjectName"]), ("twin (blue)", VIRTUAL + "twin$blue"))
        for colour in ("blue", "green"):
            log = self.box.prefix / f"drive_c/ProgramData/twin${colour}/logs/twin${colour}.log"
            self.assertIn("listening on " + urls[colour], log.read_text(encoding="utf-8"))

        self.succeeds(service.run("stop", "--instance", "blue"))
        self.assertEqual(json.loads(service.run("status", "--json", "--instance", "blue").out)["state"], "stopped")
        self.assertEqual(json.loads(service.run("status", "--json", "--instance", "green").out)["state"], "running")
        self.assertEqual(body_of(urls["green"]), "hello from twin")
        self.assertEqual(service.run("status").code, 4)         # the one without an instance is another one


class Sent(wine.Case):
    def test_pause_continue_reload_and_a_control_of_its_own_by_their_verbs(self):
        service = self.started("hooked by verb", "--port", "0")
        self.assertIn("paused", self.succeeds(service.run("pause")).out)
        self.assertEqual(service.status()["state"], "paused")
        refused = service.get()
        self.assertEqual((refused.status, refused.headers["Retry-After"]), (503, "10"))
        self.assertEqual(service.get("/livez").status, 200)
        self.succeeds(service.run("pause"))                     # already
        self.succeeds(service.run("continue"))
        self.assertEqual(service.get().body, "hello from hooked by verb")
        self.succeeds(service.run("reload"))
        self.succeeds(service.run("control", "200"))
        for hook in ("pause hook", "continue hook", "reload hook", "control hook"):
            self.assertTrue(wine.eventually(lambda: hook in service.log()), hook)

    def test_a_service_without_the_hook_says_which_one_is_missing(self):
        service = self.started("mute")
        self.fails(service.run("pause"), "pause 'mute'", "no on_pause", "(1052)")
        self.succeeds(service.run("reload"))  # which has settings to read anew in any service

    def test_a_control_out_of_range_is_a_usage_error(self):
        service = self.installed("ranged")
        self.assertEqual(self.fails(service.run("control", "5"), "128 to 255").code, 2)
