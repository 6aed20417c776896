"""Every compression installs; every one of them cut or with a byte too many is refused."""
import gzip
import hashlib
import lzma
import subprocess
import unittest

from lab import FORMAT, Lab, REPO, TRUST, run

CUTS = 20


def compressed(kind, data):
    """By the reference tools, not by ours."""
    if kind == "gzip":
        return gzip.compress(data, 6)
    if kind == "xz":
        return lzma.compress(data, preset=1)
    return subprocess.run([kind, "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


class Formats(unittest.TestCase):
    def install_each(self, kind):
        lab = Lab()
        self.addCleanup(lab.close)
        lab.add_version("1.1.0", compress=kind, migrations_from="1.0.0")
        lab.flipside("update-image", "--quiet")
        self.assertEqual(lab.bits()[1], (0, 1, 0))
        image = (lab.dir / "root-1.1.0.img").read_bytes()
        padded = image + bytes(-len(image) % 4096)
        self.assertEqual(lab.read_partition("B", "root")[:len(padded)], padded)
        root_hash = lab.manifest()["updates"][0]["verity"]["root_hash"]
        lab.veritysetup_verify("B", root_hash)

    def damage_each(self, kind):
        """Streams that are damaged before they are signed: the digest is right, so the decompressor has to notice."""
        lab = Lab(root_size=64 * 1024)
        self.addCleanup(lab.close)
        data = hashlib.sha256(kind.encode()).digest() * 2000 + bytes(range(256)) * 100
        good = compressed(kind, data)
        cases = {f"cut at {i}": good[:len(good) * i // CUTS] for i in range(1, CUTS)}
        cases["cut by one byte"] = good[:-1]
        cases["a byte appended"] = good + b"\x7f"
        minor = 0
        for name, content in cases.items():
            minor += 1
            version = f"1.{minor}.0"
            boot = lab.dir / f"boot-{version}.bin"
            boot.write_bytes(content)
            lab.add_version(version, images={"boot": boot}, compress="none", publish=False)
            run(REPO, "migration", "add", lab.repo, "--from", "1.0.0", "--to", version)
        lab.publish()
        before = lab.digest_of_set("A")
        for n, name in enumerate(cases, 1):
            with self.subTest(f"{kind}: {name}"):
                p = lab.flipside("update-image", "--quiet", "--image", f"1.{n}.0", expect=None)
                self.assertIn(p.returncode, (FORMAT, TRUST), p.stderr)
                self.assertIn("boot", p.stderr)
                self.assertEqual(lab.bits()[1], (0, 0, 0))
        self.assertEqual(lab.digest_of_set("A"), before)


for kind in ("gzip", "xz", "zstd", "lz4"):
    setattr(Formats, f"test_install_{kind}", lambda self, kind=kind: self.install_each(kind))
    setattr(Formats, f"test_damage_{kind}", lambda self, kind=kind: self.damage_each(kind))

if __name__ == "__main__":
    unittest.main()
