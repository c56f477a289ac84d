"""Tests of Unicode names, paths, texts and arguments, including characters outside the BMP."""

import json

import wine

NAME = "größe 東京 🍜"
FOLDER = "mit Leerzeichen äöü ありがとう 🗄"


def as_traced(text):
    """The text as Wine's trace prints it: UTF-16 code units beyond ASCII as \\xxxx."""
    units = text.encode("utf-16-be")
    values = [256 * high + low for high, low in zip(units[::2], units[1::2])]
    return "".join(chr(unit) if unit < 128 else f"\\{unit:04x}" for unit in values)


class Unicode(wine.ServiceTest):
    def test_name_folder_display_name_and_description_reach_the_service_manager(self):
        options = {"--display-name": "Größe & ¡Hola! Ω 🍲", "--description": "Überwacht 温度 “ganz” – genau 😀"}
        service = self.install(NAME, *(argument for pair in options.items() for argument in pair), folder=FOLDER)
        values = self.machine.registry(service.key)
        self.assertEqual(values["ImagePath"], f'"{service.windows_path}" run-service')
        self.assertEqual((values["DisplayName"], values["Description"]), tuple(options.values()))

        status, text = service.status(), service.run("status").out
        self.assertEqual((status["name"], status["display_name"]), (NAME, options["--display-name"]))
        self.assertEqual(status["binary"], values["ImagePath"])
        for expected in (NAME, values["ImagePath"]):
            self.assertIn(expected, text)

    def test_a_unicode_service_runs_with_correct_folders(self):
        service = self.install_and_start(NAME, folder=FOLDER)
        self.assertEqual(service.get().body, "hello from " + NAME)
        self.assertEqual(service.get("/folder").body, service.windows_path.rsplit("\\", 1)[0])
        self.assertIn("listening on", service.log())
        state_file = json.loads((service.data_folder / "state.json").read_text(encoding="utf-8"))
        self.assertEqual(state_file["url"], service.status()["url"])
        self.assert_succeeds(service.run("stop"))
        self.assertEqual(service.status()["exit_code"], 0)

    def test_unicode_start_arguments_arrive(self):
        service = self.install(NAME)
        self.assertEqual(self.machine.run("sc", "start", NAME, "zwölf", "ありがとう 🍜").code, 0)
        self.assertTrue(wine.eventually(lambda: "second hook [zwölf] [ありがとう 🍜]" in service.log()), service.log())

    def test_the_event_source_and_events_have_the_name(self):
        service = self.install_and_start(NAME)
        self.assertIn("EventCreate.exe", self.machine.registry(service.source_key)["EventMessageFile"])
        self.assertIn(f'eventlog:ReportEventW L"{as_traced(NAME)} listens on http://',
                      self.machine.trace(self.trace_position))
        self.assert_succeeds(service.run("remove"))
        self.assertIsNone(self.machine.registry(service.source_key))
        self.assertEqual(service.status()["state"], "not_installed")

    def test_error_messages_contain_the_name(self):
        service = self.service(NAME, folder=FOLDER)
        self.assert_fails(service.run("start"), f"start '{NAME}'", "(1060)")
        self.assert_succeeds(service.run("install", "--startup", "disabled"))
        self.assert_fails(service.run("start"), f"start '{NAME}'", "(1058)")

    def test_a_failure_of_a_unicode_service_is_kept(self):
        service = self.install("throws 東京 🍜")
        self.assert_fails(service.run("start"), "throws 東京 🍜", "the cupboard is bare")
        self.assertIn("the cupboard is bare", service.status()["failure"])
