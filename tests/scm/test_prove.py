"""The verb `prove` under Wine: it holds for what Wine can show, names the rest, and leaves nothing."""

import json

import wine

SEEN = ("install", "shutdown", "start", "port", "controls", "pause", "restart", "drain", "events", "failure", "crash",
        "remove")


class Prove(wine.ServiceTest):
    def is_crash(self, line):
        return super().is_crash(line) and "$winsvc-prove-" not in line      # since Wine 10, it makes its service crash

    def test_prove_finds_no_fault_and_leaves_no_service(self):
        service = self.service("proven")
        report = service.exe.parent / "report.html"

        result = service.run("prove", "--json", "--report", "Z:" + str(report).replace("/", "\\"))
        self.trace_position = self.machine.trace_size()     # after the crashes of its service

        self.assertEqual(result.code, 0, result)
        proofs = json.loads(result.out)
        self.assertEqual(proofs["no"], 0, result.out)
        self.assertTrue(proofs["system"].startswith("Wine "), proofs["system"])
        seen = {proof["topic"] for proof in proofs["proofs"] if proof["verdict"] == "yes"}
        self.assertEqual(seen & set(SEEN), set(SEEN))
        for proof in proofs["proofs"]:
            self.assertEqual("reason" in proof, proof["verdict"] == "cannot be seen here", proof)
            if proof["topic"] == "crash":
                self.assertEqual(proof["verdict"], "yes", proof)
        page = report.read_text(encoding="utf-8")
        self.assertEqual(page.count("<tr>"), len(proofs["proofs"]) + 1)
        found = self.machine.run("reg", "query", r"HKLM\System\CurrentControlSet\Services")
        self.assertNotIn("winsvc-prove", found.out)

    def test_the_app_does_not_run(self):
        service = self.service("throws_proven")             # its start hook throws

        result = service.run("prove", "--json")
        self.trace_position = self.machine.trace_size()

        self.assertEqual(json.loads(result.out)["no"], 0, result.out)
        self.assertEqual(service.log(), "")
