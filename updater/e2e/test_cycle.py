"""The life of updates on one disk, bits and all: A to B, confirmed, B to A, and a fallback, judged by sgdisk and veritysetup."""
import fcntl
import json
import unittest

from lab import BUSY, FLIPSIDE, Lab, MISSING, STATE, run


def root_hash(lab, version):
    return next(u for u in lab.manifest()["updates"] if u["version"] == version)["verity"]["root_hash"]


class Cycle(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)

    def assert_bits(self, a, b, moment):
        self.assertEqual(self.lab.bits(), (a, b), moment)
        self.assertTrue(self.lab.gpt().equal(), f"{moment}: the two copies of the GPT differ")
        self.lab.sgdisk_verify()

    def status(self):
        return json.loads(self.lab.flipside("status", "--json").stdout)

    def test_there_and_back(self):
        lab = self.lab
        lab.add_version("1.0.0", publish=False)
        lab.add_version("1.1.0", migrations_from="1.0.0")
        before = lab.digest_of_set("A")
        self.assert_bits((1, 0, 1), (0, 0, 0), "fresh image")
        self.assertEqual(self.status()["update_state"], "Idle")

        self.assertEqual(lab.flipside("check-update").stdout, "demo 1.1.0\n")
        self.assert_bits((1, 0, 1), (0, 0, 0), "refresh")
        self.assertEqual(self.status()["update_state"], "Available")

        lab.flipside("update-image", "--quiet")
        self.assert_bits((1, 0, 1), (0, 1, 0), "staged")
        lab.veritysetup_verify("B", root_hash(lab, "1.1.0"))
        self.assertEqual(self.status()["update_state"], "Staged")
        self.assertEqual(self.status()["staging_partition"]["image"]["version"], "1.1.0")

        lab.flipside("update-apply")
        self.assert_bits((1, 0, 1), (2, 1, 0), "activated")
        lab.flipside("update-apply", expect=STATE)
        self.assert_bits((1, 0, 1), (2, 1, 0), "activated twice")
        lab.flipside("update-image", expect=STATE)
        self.assert_bits((1, 0, 1), (2, 1, 0), "no installation over an update that waits to boot")
        self.assertEqual(self.status()["update_state"], "Ready")

        lab.flipside("update-revert")
        self.assert_bits((2, 0, 1), (0, 1, 0), "activated, then cancelled")
        lab.flipside("update-apply")
        self.assert_bits((1, 0, 1), (2, 1, 0), "activated again")

        self.assertEqual(lab.power_on(), "B")
        self.assert_bits((1, 0, 1), (2, 0, 0), "the boot selector has started B")
        lab.write_os_release("1.1.0")
        lab.flipside("update-image", "--image", "1.0.0", expect=STATE)
        self.assert_bits((1, 0, 1), (2, 0, 0), "an unconfirmed system does not give up its only fallback")
        lab.signpost("mark-successful-boot")
        self.assert_bits((1, 0, 1), (2, 0, 1), "B confirmed")
        self.assertEqual(self.status()["update_state"], "Idle", "what was chosen is what runs")
        self.assertEqual(lab.digest_of_set("A"), before, "set A has changed while it was the running one")

        lab.add_version("1.2.0", migrations_from="1.1.0")
        before = lab.digest_of_set("B")
        lab.flipside("update-image", "--quiet")
        self.assert_bits((0, 1, 0), (2, 0, 1), "the next update from B is staged")
        lab.veritysetup_verify("A", root_hash(lab, "1.2.0"))
        lab.flipside("update-apply")
        self.assert_bits((2, 1, 0), (1, 0, 1), "the next update from B is activated")
        self.assertEqual(lab.power_on(), "A")
        lab.write_os_release("1.2.0")
        lab.signpost("mark-successful-boot")
        self.assert_bits((2, 0, 1), (1, 0, 1), "A confirmed")
        self.assertEqual(lab.digest_of_set("B"), before)
        lab.signpost("rollback-to-inactive")
        self.assert_bits((1, 0, 1), (2, 0, 1), "rolled back by hand")

    def test_fallback_is_remembered(self):
        lab = self.lab
        lab.add_version("1.1.0", migrations_from="1.0.0")
        lab.flipside("update", "--quiet")
        self.assert_bits((1, 0, 1), (2, 1, 0), "update is update-image and update-apply")
        self.assertEqual(lab.power_on(), "B")
        self.assertEqual(lab.power_on(), "A", "never marked successful")
        self.assert_bits((1, 0, 1), (2, 0, 0), "B failed, running A again")
        p = lab.flipside("check-update", expect=MISSING)
        self.assertIn("1.1.0", p.stderr)
        actions = [(h["action"], h.get("from")) for h in json.loads(lab.flipside("history", "--json").stdout)]
        self.assertEqual(actions.count(("fell-back", "1.1.0")), 1)
        lab.flipside("update-image", "--quiet")
        self.assert_bits((1, 0, 1), (2, 0, 0), "what fell back is not taken by itself")
        lab.flipside("update-image", "--quiet", "--image", "1.1.0")
        self.assert_bits((1, 0, 1), (0, 1, 0), "the operator may try it again")

    def test_staged_already_is_quick(self):
        lab = self.lab
        lab.add_version("1.1.0", migrations_from="1.0.0")
        lab.flipside("update-image", "--quiet")
        lab.image_target("1.1.0", "root").unlink()  # a second download would fail
        lab.flipside("update-image")
        self.assert_bits((1, 0, 1), (0, 1, 0), "staged stays staged")

    def test_no_network_needed_to_flip(self):
        lab = self.lab
        lab.add_version("1.1.0", migrations_from="1.0.0")
        lab.flipside("update-image", "--quiet")
        lab.metadata_url = lab.targets_url = "file:///nowhere"
        lab.write_config()
        lab.flipside("update-apply")
        lab.flipside("update-revert")
        lab.flipside("status")
        lab.flipside("update-apply")
        self.assert_bits((1, 0, 1), (2, 1, 0), "activated")

    def test_one_action_at_a_time(self):
        lab = self.lab
        lab.add_version("1.1.0", migrations_from="1.0.0")
        lab.flipside("status")
        with open(lab.dir / "state/lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for verb in ("check-update", "update-image", "update-apply"):
                lab.flipside(verb, expect=BUSY)
            lab.flipside("status")
        self.assert_bits((1, 0, 1), (0, 0, 0), "nothing was done")

    def test_outputs(self):
        lab = self.lab
        lab.add_version("1.1.0", migrations_from="1.0.0")
        update = json.loads(lab.flipside("check-update", "--json").stdout)
        self.assertEqual(list(update)[:6], ["variant", "arch", "version", "max_version", "waves", "images"])
        self.assertEqual([u["version"] for u in json.loads(lab.flipside("whats", "--all", "-j").stdout)], ["1.1.0"])
        self.assertIn("1.1.0", lab.flipside("whats", "--all").stdout)
        p = lab.flipside("update-image", "--json")
        self.assertEqual(json.loads(p.stdout)["version"], "1.1.0")
        self.assertEqual(p.stderr.count("%"), 0, "--json shows no progress")
        p = lab.flipside("check-update", "--variant", "other", "--json", expect=MISSING)
        self.assertEqual(json.loads(p.stdout)["error"]["kind"], "missing")
        for args in (("--nonsense",), ("frobnicate",), ("check-update", "extra"), ("check-update", "--image", "not-a-version")):
            lab.flipside(*args, expect=2)
        self.assertIn("update-image", run(FLIPSIDE, "--help").stdout)

    def test_config_shown(self):
        shown = json.loads(self.lab.flipside("config", "--json").stdout)
        self.assertEqual(shown["updates"]["seed"]["value"], "17")
        self.assertRegex(shown["updates"]["seed"]["from"], r"flipside\.conf:\d+$")
        self.assertEqual(shown["updates"]["version_lock"], {"value": "latest", "from": "default"})
        text = self.lab.flipside("config").stdout
        (self.lab.dir / "flipside.conf").write_text(text)
        self.assertEqual({s: {k: v["value"] for k, v in keys.items()} for s, keys in shown.items()},
                         {s: {k: v["value"] for k, v in keys.items()}
                          for s, keys in json.loads(self.lab.flipside("config", "--json").stdout).items()}, "it can be read again")

    def test_nothing_to_do(self):
        lab = self.lab
        lab.add_version("1.0.0")
        self.assertEqual(lab.flipside("update-image").stdout, "")
        lab.flipside("check-update", expect=MISSING)
        lab.flipside("update-apply", expect=STATE)
        lab.flipside("update-revert", expect=STATE)
        self.assert_bits((1, 0, 1), (0, 0, 0), "nothing was done")


if __name__ == "__main__":
    unittest.main()
