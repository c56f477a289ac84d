"""Tests of install and update, with the resulting registry values; of instances; and of verbs that send controls."""

import json
import urllib.request

import wine

VIRTUAL = "NT SERVICE\\"


def body_of(url):
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.read().decode()


class Installed(wine.ServiceTest):
    def values(self, service):
        return self.machine.registry(service.key)

    def test_install_writes_the_default_configuration(self):
        service = self.install("defaults")
        values = self.values(service)
        self.assertEqual(values["ObjectName"], VIRTUAL + "defaults")
        self.assertEqual((values["Start"], values["Type"]), (2, 0x10))
        self.assertEqual(values["ImagePath"], f'"{service.windows_path}" run-service')
        self.assertEqual(values["PreshutdownTimeout"], 25000)
        self.assertNotIn("DependOnService", values)
        self.assertNotIn("Environment", values)
        source = self.machine.registry(service.source_key)
        self.assertTrue(source["EventMessageFile"].endswith("EventCreate.exe"))
        self.assertEqual(source["TypesSupported"], 7)

    def test_install_writes_its_options_to_the_registry(self):
        service = self.install("options", "--startup", "manual", "--depends", "Eventlog,+TDI",
                               "--env", "GREETING=grüß dich", "--env", "SECOND=1", "--preshutdown", "30s",
                               "--description", "A description", "--display-name", "A name",
                               "--username", "local-service", "--port", "0")
        values = self.values(service)
        self.assertEqual(values["Start"], 3)
        self.assertEqual(values["DependOnService"].split("\0"), ["Eventlog"])
        self.assertEqual(values["DependOnGroup"].split("\0"), ["TDI"])
        self.assertEqual(values["Environment"].split("\0"), ["GREETING=grüß dich", "SECOND=1"])
        self.assertEqual(values["PreshutdownTimeout"], 30000)
        self.assertEqual((values["DisplayName"], values["Description"]), ("A name", "A description"))
        self.assertEqual(values["ObjectName"], "NT AUTHORITY\\LocalService")
        self.assertEqual(values["ImagePath"], f'"{service.windows_path}" run-service --port 0 --preshutdown 30s')

    def test_install_prints_one_warning_about_wine_and_notes_a_privileged_account(self):
        service = self.service("warned")
        result = self.assert_succeeds(service.run("install", "--username", "system"))
        self.assertEqual(result.err.count("warning: "), 1)
        self.assertIn("warning: Wine has no service SIDs, failure flag, privileges or folder rights", result.err)
        self.assertNotIn("warning: ", result.out)
        self.assertIn("note: LocalSystem can do anything on this machine", result.out)

    def test_plan_prints_the_changes_and_makes_none(self):
        service = self.service("planned")
        created = self.assert_succeeds(service.run("install", "--plan", "--port", "0")).out
        self.assertIn("'planned' is not installed; install creates it:", created)
        self.assertEqual(service.run("status").code, 4)

        self.assert_succeeds(service.run("install", "--port", "0"))
        before = self.values(service)
        plan = self.assert_succeeds(service.run("update", "--plan", "--startup", "manual", "--env", "A=1")).out
        self.assertRegex(plan, r"startup +auto -> manual")
        self.assertRegex(plan, r"environment +none -> A\n")
        self.assertEqual(self.values(service), before)

    def test_update_changes_only_the_given_options(self):
        service = self.install("changed", "--port", "0", "--env", "A=1", "--env", "B=2", "--depends", "Eventlog")
        output = self.assert_succeeds(service.run("update", "--startup", "manual", "--env", "A=", "--env", "b=3",
                                                  "--depends", "Eventlog")).out
        self.assertRegex(output, r"startup +auto -> manual")
        values = self.values(service)
        self.assertEqual(values["Start"], 3)
        self.assertEqual(values["Environment"].split("\0"), ["b=3"])
        self.assertEqual(values["DependOnService"].split("\0"), ["Eventlog"])
        self.assertEqual(values["ImagePath"], f'"{service.windows_path}" run-service --port 0')
        self.assertEqual(values["ObjectName"], VIRTUAL + "changed")

    def test_update_of_a_service_that_is_not_installed_is_an_error(self):
        self.assert_fails(self.service("absent").run("update"), "update 'absent'", "not installed", "(1060)")

    def test_install_with_start_starts_the_service(self):
        service = self.service("eager")
        self.assertIn("started 'eager': http://", self.assert_succeeds(service.run("install", "--start")).out)
        self.assertEqual(service.get().body, "hello from eager")

    def test_arguments_after_two_dashes_reach_the_start_hooks(self):
        service = self.install("worded")
        self.assert_succeeds(service.run("start", "--", "one", "--port", "zwei drei"))
        self.assertIn("second hook [one] [--port] [zwei drei]", service.log())


class Instances(wine.ServiceTest):
    def test_two_instances_of_one_program_run_independently(self):
        service = self.service("twin")
        for color in ("blue", "green"):
            self.addCleanup(lambda c=color: self.assert_succeeds(service.run("remove", "--instance", c)))
            self.assert_succeeds(service.run("install", "--instance", color, "--port", "0"))
        urls = {}
        for color in ("blue", "green"):
            output = self.assert_succeeds(service.run("start", "--instance", color)).out
            self.assertIn(f"started 'twin${color}'", output)
            urls[color] = output.split()[-1]
        self.assertNotEqual(urls["blue"], urls["green"])
        self.assertEqual({body_of(url) for url in urls.values()}, {"hello from twin"})

        values = self.machine.registry(service.key + "$blue")
        self.assertEqual(values["ImagePath"], f'"{service.windows_path}" run-service --instance blue --port 0')
        self.assertEqual((values["DisplayName"], values["ObjectName"]), ("twin (blue)", VIRTUAL + "twin$blue"))
        for color in ("blue", "green"):
            log = self.machine.prefix / f"drive_c/ProgramData/twin${color}/logs/twin${color}.log"
            self.assertIn("listening on " + urls[color], log.read_text(encoding="utf-8"))

        self.assert_succeeds(service.run("stop", "--instance", "blue"))
        self.assertEqual(json.loads(service.run("status", "--json", "--instance", "blue").out)["state"], "stopped")
        self.assertEqual(json.loads(service.run("status", "--json", "--instance", "green").out)["state"], "running")
        self.assertEqual(body_of(urls["green"]), "hello from twin")
        self.assertEqual(service.run("status").code, 4)         # the service without an instance is not installed


class ControlVerbs(wine.ServiceTest):
    def test_verbs_send_pause_continue_reload_and_a_custom_control(self):
        service = self.install_and_start("hooked by verb", "--port", "0")
        self.assertIn("paused", self.assert_succeeds(service.run("pause")).out)
        self.assertEqual(service.status()["state"], "paused")
        refused = service.get()
        self.assertEqual((refused.status, refused.headers["Retry-After"]), (503, "10"))
        self.assertEqual(service.get("/livez").status, 200)
        self.assert_succeeds(service.run("pause"))              # already paused
        self.assert_succeeds(service.run("continue"))
        self.assertEqual(service.get().body, "hello from hooked by verb")
        self.assert_succeeds(service.run("reload"))
        self.assert_succeeds(service.run("control", "200"))
        for hook in ("pause hook", "continue hook", "reload hook", "control hook"):
            self.assertTrue(wine.eventually(lambda: hook in service.log()), hook)

    def test_pause_of_a_service_without_the_hook_names_the_missing_hook(self):
        service = self.install_and_start("mute")
        self.assert_fails(service.run("pause"), "pause 'mute'", "no on_pause", "(1052)")
        self.assert_succeeds(service.run("reload"))             # needs no hook: each service reloads its settings

    def test_a_control_out_of_range_is_a_usage_error(self):
        service = self.install("ranged")
        self.assertEqual(self.assert_fails(service.run("control", "5"), "128 to 255").code, 2)
