"""flipside update-image killed at any moment: what is on the disk is safe, and the next attempt installs. FLIPSIDE_KILLS times."""
import os
import random
import signal
import subprocess
import time
import unittest

from lab import FLIPSIDE
from powercut import Host

KILLS = int(os.environ.get("FLIPSIDE_KILLS", "30"))
SEED = int(os.environ.get("FLIPSIDE_SEED", "1"))


class Kill(unittest.TestCase):
    def setUp(self):
        self.host = Host()
        self.addCleanup(self.host.close)
        self.running = self.host.digest_of_set("A")

    def start(self):
        argv = [FLIPSIDE, "--config", self.host.dir / "flipside.conf", "update-image", "--quiet", "--image", "1.1.0"]
        return subprocess.Popen([str(a) for a in argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def assert_staged(self):
        host = self.host
        self.assertEqual(host.bits(), ((2, 0, 1), (0, 1, 0)))
        self.assertEqual(host.version_in("B"), "1.1.0")
        host.veritysetup_verify("B", host.root_hash("1.1.0"))

    def test_killed_and_tried_again(self):
        host, rng = self.host, random.Random(SEED)
        began = time.monotonic()
        self.assertEqual(self.start().wait(), 0)
        takes = time.monotonic() - began
        seen, n_killed, n_tried = {}, 0, 0
        while n_killed < KILLS:
            n_tried += 1
            self.assertLess(n_tried, 4 * KILLS, "most runs end before they are killed")
            host.restore(host.dir / "start.img", host.dir / "start-state")
            p = self.start()
            time.sleep(rng.uniform(0, takes))
            p.send_signal(signal.SIGKILL)
            was_killed = p.wait() == -signal.SIGKILL
            takes *= 1.02 if was_killed else 0.9  # the machine has other things to do as well, now more, now less
            n_killed += was_killed
            bits = host.gpt().bits("B")
            with self.subTest(n=n_tried, bits=bits):
                seen[bits] = seen.get(bits, 0) + 1
                self.assertEqual(host.gpt().bits("A"), (2, 0, 1))
                self.assertIn(bits, ((1, 0, 1), (0, 0, 0), (0, 1, 0)))
                if bits == (0, 1, 0):
                    self.assert_staged()
                host.flipside("update-image", "--quiet", "--image", "1.1.0")
                self.assert_staged()
                host.flipside("update-apply")  # if all was staged, it is the first to write, and repairs a torn copy of the table
                self.assertEqual(host.bits(), ((1, 0, 1), (2, 1, 0)))
                host.sgdisk_verify()
                self.assertEqual(host.digest_of_set("A"), self.running)
        print(f"{n_killed} of {n_tried} killed before the end; bits of the set then: {seen}", flush=True)
        self.assertGreater(len(seen), 1, "all killed in the same phase")


if __name__ == "__main__":
    unittest.main()
