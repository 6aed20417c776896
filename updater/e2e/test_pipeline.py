"""The image pipeline: the same bytes with any number of workers, and the same memory for any size of image."""
import os
import pathlib
import re
import subprocess
import time
import unittest

from lab import FLIPSIDE, FORMAT, Lab, MIB

MEMORY_MIB = 48


def sanitized():
    return b"__asan_init" in FLIPSIDE.read_bytes()


def peak_mib(*argv):
    """Runs a program to success; the most memory that it had at once, of its own: rusage would count this interpreter's before the exec."""
    p = subprocess.Popen([str(a) for a in argv], stderr=subprocess.PIPE)
    peak = 0
    while p.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{p.pid}/status").read_text()
        except OSError:
            break
        m = re.search(r"VmHWM:\s*(\d+) kB", status)
        if m and "Name:\tflipside\n" in status:
            peak = int(m.group(1)) / 1024
        time.sleep(0.002)
    error = p.stderr.read()
    p.stderr.close()
    assert p.wait() == 0, error
    return peak


class Pipeline(unittest.TestCase):
    def lab(self, **kw):
        lab = Lab(**kw)
        self.addCleanup(lab.close)
        return lab

    def test_any_number_of_workers(self):
        lab = self.lab()
        lab.add_version("1.1.0", migrations_from="1.0.0")
        root_hash = lab.manifest()["updates"][0]["verity"]["root_hash"]
        seen = set()
        for workers in (1, 2, 3, 16):
            for read_back in ("true", "false"):
                with self.subTest(workers=workers, read_back=read_back):
                    lab.write_config(workers=workers, read_back=read_back)
                    lab.fill_set("B", workers)
                    lab.flipside("update-image", "--quiet")
                    self.assertEqual(lab.bits()[1], (0, 1, 0))
                    lab.veritysetup_verify("B", root_hash)
                    seen.add(lab.read_partition("B", "root")[:lab.root_size])
                    lab.signpost("clear-inactive")
        self.assertEqual(len(seen), 1)

    def test_workers_out_of_bounds(self):
        lab = self.lab()
        for value in ("0", "17", "-1", "many"):
            with self.subTest(value):
                lab.write_config(workers=value)
                self.assertIn("workers", lab.flipside("status", expect=FORMAT).stderr)

    def peak(self, root_mib):
        lab = self.lab(root_mib=root_mib, hash_mib=root_mib // 100 + 1, root_size=root_mib * MIB)
        root = lab.dir / "sparse.img"
        with open(root, "wb") as f:
            f.truncate(root_mib * MIB)
            for i in range(0, root_mib, 16):
                f.seek(i * MIB)
                f.write(os.urandom(512 * 1024))
        lab.add_version("1.1.0", images={"root": root}, migrations_from="1.0.0", more=("--level", 1))
        lab.write_config(workers=2)
        return peak_mib(FLIPSIDE, "--config", lab.dir / "flipside.conf", "update-image", "--quiet")

    def test_memory(self):
        if sanitized():
            self.skipTest("a sanitizer's memory is its own")
        small, large = self.peak(64), self.peak(256)
        self.assertGreater(small, 4, "was it measured?")
        self.assertLess(large, MEMORY_MIB)
        print(f"peak: {small:.1f} and {large:.1f} MiB")
        self.assertLess(abs(large - small), 4, f"{small} MiB for 64 MiB, {large} for 256")

    def test_memory_of_a_large_image(self):
        if sanitized():
            self.skipTest("a sanitizer's memory is its own")
        if not os.environ.get("FLIPSIDE_SLOW"):
            self.skipTest("4 GiB to write: set FLIPSIDE_SLOW")
        self.assertLess(self.peak(4096), MEMORY_MIB)


if __name__ == "__main__":
    unittest.main()
