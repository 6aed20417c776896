"""Every power cut in a cycle of the real programs. FLIPSIDE_SAMPLES is how many random states each moment gets."""
import os
import random
import shutil
import unittest

from lab import Gpt, TRUST, run
from powercut import Host, Recording, update_again

SAMPLES = int(os.environ.get("FLIPSIDE_SAMPLES", "8000"))
AGAIN_EVERY = int(os.environ.get("FLIPSIDE_AGAIN_EVERY", "9"))
# Changes of the partition table in a cycle, counted from 0: those of the two installations, and all.
CLEARING, STAGING, N_COMMITS = (0, 7), (1, 8), 13
SEED = int(os.environ.get("FLIPSIDE_SEED", "1"))


def setUpModule():
    global host, direct, cached, torn
    host = Host()
    unittest.addModuleCleanup(host.close)
    direct = Recording(host, "direct").cycle()
    cached = Recording(host, "cached", cached=True).cycle()
    torn = {copy: Recording(host, f"torn-{copy}", start=with_torn(copy)).install() for copy in ("primary", "backup")}


def with_torn(copy):
    """The disk that a cut during a change of the table leaves: one copy's entries and header disagree."""
    path = host.dir / f"torn-{copy}.img"
    shutil.copy(host.dir / "start.img", path)
    with open(path, "r+b") as f:
        f.seek(2 * 512 + 300 if copy == "primary" else -33 * 512 + 300, os.SEEK_SET if copy == "primary" else os.SEEK_END)
        b = f.read(1)
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([b[0] ^ 1]))
    return path


class Cuts(unittest.TestCase):
    def judge(self, recording, at_least):
        p = recording.replay("--samples", SAMPLES, "--seed", SEED)
        print(f"{recording.log.stem}: {p.stdout.strip()}", flush=True)
        self.assertGreater(p.distinct, at_least)

    def test_past_the_page_cache(self):
        self.judge(direct, 2.5 * SAMPLES)

    def test_through_the_page_cache(self):
        self.judge(cached, 2.5 * SAMPLES)

    def test_one_copy_torn_before(self):
        for recording in torn.values():
            self.judge(recording, 1.2 * SAMPLES)

    def test_update_again(self):
        """From a sample of the states, with the programs: sgdisk reads what we read, the rule's set boots, another update installs."""
        rng = random.Random(SEED)
        for recording in (direct, cached, torn["primary"]):
            for disk, step, expected in recording.keep_states(every=AGAIN_EVERY, seed=SEED):
                with self.subTest(recording=recording.log.stem, step=step, disk=disk.name):
                    self.sgdisk_agrees(disk)
                    update_again(recording, disk, step, expected, rng)
                disk.unlink()

    def sgdisk_agrees(self, disk):
        """sgdisk goes on with the primary's entries when only their CRC is wrong, which the UEFI specification forbids: what firmware
        has to pass over is blanked before it looks."""
        judged = host.dir / "judged.img"
        shutil.copy(disk, judged)
        gpt = Gpt(disk)
        self.assertTrue(gpt.entries, "no valid copy")
        with open(judged, "r+b") as f:
            for copy, at, whence in (("primary", 512, os.SEEK_SET), ("backup", -512, os.SEEK_END)):
                if not gpt.copies[copy]:
                    f.seek(at, whence)
                    f.write(bytes(512))
        for name in "AB":
            number, attributes = gpt.entry(name, "boot")[0], gpt.entry(name, "boot")[4]
            self.assertIn(f"Attribute flags: {attributes:016X}", run("sgdisk", "--info", number, judged).stdout)
        self.assertIn("No problems found" if gpt.equal() else "problem", run("sgdisk", "--verify", judged).stdout)


class Wrong(unittest.TestCase):
    """The same judgement finds each of these faults, so it is worth something."""

    def caught(self, recording, fault, *why):
        p = recording.replay("--samples", 100, fault=fault, expect=TRUST)
        self.assertRegex(p.stderr, "|".join(why))

    def test_flushes_left_out(self):
        for recording in (direct, cached):
            for n in range(N_COMMITS) if recording is direct else STAGING:
                self.caught(recording, f"between:{n}", "no valid partition table")
            # Harmless where something else flushes before the table changes again, and at the end: the backup says it all.
            for n in set(range(N_COMMITS - 1)) - set(CLEARING) if recording is direct else STAGING:
                self.caught(recording, f"last:{n}", "no valid partition table", "no legal state")
            for n in STAGING:
                self.caught(recording, f"data:{n}", "not whole")

    def test_wrong_order(self):
        for recording in (direct, cached):
            for n in STAGING:
                self.caught(recording, f"early:{n}", "not whole")
                self.caught(recording, f"late:{n}", "not whole", "no record")
                self.caught(recording, f"record:{n}", "no record")

    def test_only_valid_copy_first(self):
        for recording in torn.values():
            self.caught(recording, "swap:0", "no valid partition table")

    def test_wrong_builds(self):
        """Programs that were linked with a fault; they end well, and only the replayer knows."""
        backup_torn = host.dir / "torn-backup.img"
        for name, options, why in (
                ("primary_first", {"start": backup_torn}, "no valid partition table"),
                ("table_unflushed", {}, "no valid partition table"),
                ("data_unflushed", {"cached": True}, "not whole"),
                ("flip_first", {"cached": True}, "not whole")):
            with self.subTest(name):
                wrong = Recording(host, name, programs={"flipside": f"flipside-{name}"}, **options).install()
                p = wrong.replay("--samples", 100, expect=TRUST)
                self.assertIn(why, p.stderr)

    def test_single_flushes(self):
        """Of the flushes of one update, those that can be left out alone: their writes are made durable by the next one in time."""
        n_caught = sum(direct.replay("--samples", 50, fault=f"flush:{n}", expect=None).returncode == TRUST for n in range(12))
        self.assertGreaterEqual(n_caught, 3)


if __name__ == "__main__":
    unittest.main()
