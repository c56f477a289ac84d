"""Letters of every language, also those that take two units in UTF-16, in everything that a person may choose."""

import json

import wine

NAME = "größe 東京 🍜"
FOLDER = "mit Leerzeichen äöü ありがとう 🗄"


def as_traced(text):
    """As Wine's trace shows a string: UTF-16 units beyond ASCII by number."""
    units = text.encode("utf-16-be")
    numbers = [256 * high + low for high, low in zip(units[::2], units[1::2])]
    return "".join(chr(n) if n < 128 else f"\\{n:04x}" for n in numbers)


class Unicode(wine.Case):
    def test_name_folder_display_name_and_description_reach_the_service_manager(self):
        words = {"--display-name": "Größe & ¡Hola! Ω 🍲", "--description": "Überwacht 温度 “ganz” – genau 😀"}
        service = self.installed(NAME, *(word for pair in words.items() for word in pair), folder=FOLDER)
        values = self.box.registry(service.key)
        self.assertEqual(values["ImagePath"], f'"{service.windows_path}" run-service')
        self.assertEqual((values["DisplayName"], values["Description"]), tuple(words.values()))

        machine, person = service.status(), service.run("status").out
        self.assertEqual((machine["name"], machine["display_name"]), (NAME, words["--display-name"]))
        self.assertEqual(machine["binary"], values["ImagePath"])
        for shown in (NAME, values["ImagePath"]):
            self.assertIn(shown, person)

    def test_it_runs_and_its_folders_are_the_right_ones(self):
        service = self.started(NAME, folder=FOLDER)
        self.assertEqual(service.get().body, "hello from " + NAME)
        self.assertEqual(service.get("/folder").body, service.windows_path.rsplit("\\", 1)[0])
        self.assertIn("listening on", service.log())
        left = json.loads((service.data / "state.json").read_text(encoding="utf-8"))
        self.assertEqual(left["url"], service.status()["url"])
        self.succeeds(service.run("stop"))
        self.assertEqual(service.status()["exit_code"], 0)

    def test_start_arguments_arrive(self):
        service = self.installed(NAME)
        self.assertEqual(self.box.wine("sc", "start", NAME, "zwölf", "ありがとう 🍜").code, 0)
        self.assertTrue(wine.eventually(lambda: "second hook [zwölf] [ありがとう 🍜]" in service.log()), service.log())

    def test_the_event_source_and_the_events_have_the_name(self):
        service = self.started(NAME)
        self.assertIn("EventCreate.exe", self.box.registry(service.source_key)["EventMessageFile"])
        self.assertIn(f'eventlog:ReportEventW L"{as_traced(NAME)} listens on http://', self.box.trace(self.trace_start))
        self.succeeds(service.run("remove"))
        self.assertIsNone(self.box.registry(service.source_key))
        self.assertEqual(service.status()["state"], "not_installed")

    def test_errors_have_the_name(self):
        service = self.service(NAME, folder=FOLDER)
        self.fails(service.run("start"), f"start '{NAME}'", "(1060)")
        self.succeeds(service.run("install", "--startup", "disabled"))
        self.fails(service.run("start"), f"start '{NAME}'", "(1058)")

    def test_a_failure_in_every_script_is_kept(self):
        service = self.installed("throws 東京 🍜")
        self.fails(service.run("start"), "throws 東京 🍜", "the cupboard is bare")
        self.assertIn("the cupboard is bare", service.status()["failure"])
