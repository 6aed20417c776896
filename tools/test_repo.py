"""flipside-repo from the first key to a served repository, through the real binary; judged by veritysetup, the compressors' own programs,
curl, tufclient, and python3-cryptography where it is installed.

usage: test_repo.py FLIPSIDE_REPO TUFCLIENT [slow]
"""
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

REPO, TUFCLIENT = map(os.path.abspath, sys.argv[1:3])
SLOW = "slow" in sys.argv[3:]
NOW = "2026-11-22T04:00:00Z"
SALT = "00112233445566778899aabbccddeeff" * 2
UUID = "12345678-9abc-4def-8123-456789abcdef"
OK, USAGE, STATE, BUSY, MISSING, FORMAT, TRUST, SYSTEM = 0, 2, 3, 4, 5, 7, 8, 9
BLOCK = 4096
UNPACKERS = {"zstd": ["zstd", "-dc"], "xz": ["xz", "-dc"], "gzip": ["gzip", "-dc"], "lz4": ["lz4", "-dc"], "none": ["cat"]}
SUFFIXES = {"zstd": ".zst", "xz": ".xz", "gzip": ".gz", "lz4": ".lz4", "none": ""}
V = ["--variant", "metal", "--arch", "x86_64"]


def tool(name):
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def canonical(value):
    """OLPC canonical JSON, written apart from the C encoder."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return "{" + ",".join(canonical(k) + ":" + canonical(value[k]) for k in sorted(value)) + "}"


def verifies(key, message, signature):
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
    public = key["keyval"]["public"]
    try:
        if key["keytype"] == "ed25519":
            ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signature, message)
        elif key["keytype"] == "rsa":
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            serialization.load_pem_public_key(public.encode()).verify(signature, message, pss, hashes.SHA256())
        else:
            serialization.load_pem_public_key(public.encode()).verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="flipside-repo-"))
        self.addCleanup(shutil.rmtree, self.dir)
        self.repo = self.dir / "repo"
        self.random = random.Random(7)

    def run_repo(self, *args, want=OK, env=None):
        p = subprocess.run([REPO, *map(str, args)], cwd=self.dir, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=300,
                           env={**os.environ, **(env or {})})
        self.assertEqual(p.returncode, want, f"{args}: {p.stdout}{p.stderr}")
        return p

    def key(self, name, *args):
        self.run_repo("key", "new", name, *args)
        return name

    def init(self, **more):
        for role in ("root", "targets", "snapshot", "timestamp"):
            self.key(f"{role}.pem")
        self.run_repo("root", "init", self.repo, "--now", NOW, *(a for r in ("root", "targets", "snapshot", "timestamp")
                                                                 for a in (f"--{r}-key", f"{r}.pem")))

    def publish(self, *more, want=OK, now=NOW, roles=("targets", "snapshot", "timestamp")):
        keys = [a for r in roles for a in (f"--{r}-key", f"{r}.pem")]
        return self.run_repo("publish", self.repo, "--now", now, *keys, *more, want=want)

    def image(self, name, n_bytes):
        path = self.dir / name
        path.write_bytes(self.random.randbytes(min(n_bytes, 50000)).ljust(n_bytes, b"\0"))
        return path

    def add(self, version, root, boot, *more, want=OK):
        p = self.run_repo("image", "add", self.repo, *V, "--version", version, "--root", root, "--boot", boot, "--quiet", "--json", *more,
                          want=want)
        return json.loads(p.stdout)

    def metadata(self, name):
        return json.loads((self.repo / "metadata" / name).read_text())

    def snapshot_of_served(self):
        return {p: p.read_bytes() for d in ("metadata", "targets") for p in (self.repo / d).iterdir()}


class Keys(Case):
    def test_types(self):
        for kind, bits, keytype in (("ed25519", (), "ed25519"), ("ecdsa", (), "ecdsa"), ("rsa", ("--bits", "3072"), "rsa")):
            with self.subTest(kind):
                made = self.run_repo("key", "new", f"{kind}.pem", "--type", kind, *bits).stdout.strip()
                self.assertEqual((self.dir / f"{kind}.pem").stat().st_mode & 0o777, 0o600)
                shown = json.loads(self.run_repo("key", "show", f"{kind}.pem").stdout)
                self.assertEqual(shown["keyid"], made)
                self.assertEqual(shown["key"]["keytype"], keytype)
                self.assertEqual(hashlib.sha256(canonical(shown["key"]).encode()).hexdigest(), made, "the key id of specification 4.2.1")

    def test_not_overwritten(self):
        self.key("a.pem")
        before = (self.dir / "a.pem").read_bytes()
        self.run_repo("key", "new", "a.pem", want=STATE)
        self.assertEqual((self.dir / "a.pem").read_bytes(), before)

    def test_failure_leaves_no_file(self):
        self.run_repo("key", "new", "a.pem", "--type", "rsa", "--bits", "1024", want=USAGE)
        self.run_repo("key", "new", "a.pem", "--type", "dsa", want=USAGE)
        self.run_repo("key", "new", "a.pem", "--bits", "4096", want=USAGE)
        self.assertFalse((self.dir / "a.pem").exists())

    def test_passphrase(self):
        (self.dir / "good").write_text("open sesame\n")
        (self.dir / "bad").write_text("open barley\n")
        self.key("a.pem", "--passphrase-file", "good")
        self.assertIn("ENCRYPTED", (self.dir / "a.pem").read_text())
        self.run_repo("key", "show", "a.pem", "--passphrase-file", "good")
        self.run_repo("key", "show", "a.pem", env={"FLIPSIDE_REPO_PASSPHRASE": "open sesame"})
        self.run_repo("key", "show", "a.pem", "--passphrase-file", "bad", want=USAGE)
        self.run_repo("key", "show", "a.pem", want=USAGE)
        self.run_repo("key", "show", "nothing.pem", want=MISSING)


class Root(Case):
    def args(self, *more):
        return ["root", "init", self.repo, "--now", NOW, "--root-key", "a.pem", "--root-key", "b.pem", "--targets-key", "a.pem",
                "--snapshot-key", "a.pem", "--timestamp-key", "a.pem", *more]

    def test_thresholds(self):
        self.key("a.pem")
        self.key("b.pem", "--type", "ecdsa")
        self.run_repo(*self.args("--root-threshold", "3"), want=USAGE)
        self.run_repo(*self.args("--root-threshold", "0"), want=USAGE)
        self.assertFalse(self.repo.exists())
        p = self.run_repo(*self.args("--root-threshold", "2", "--expires", "in 3 days"))
        self.assertIn("targets: threshold 1", p.stderr)
        self.assertNotIn("root: threshold 1", p.stderr)
        signed = self.metadata("1.root.json")["signed"]
        self.assertEqual(signed["expires"], "2026-11-25T04:00:00Z")
        self.assertEqual(signed["roles"]["root"]["threshold"], 2)
        self.assertEqual(len(signed["keys"]), 2)
        self.run_repo(*self.args(), want=STATE)

    def test_same_key_twice(self):
        self.key("a.pem")
        shutil.copy(self.dir / "a.pem", self.dir / "b.pem")
        self.run_repo(*self.args("--root-threshold", "2"), want=USAGE)

    def test_key_missing(self):
        self.key("a.pem")
        self.run_repo("root", "init", self.repo, "--root-key", "a.pem", want=USAGE)
        self.run_repo(*self.args(), want=MISSING)
        (self.dir / "b.pem").write_text("nonsense")
        self.run_repo(*self.args(), want=FORMAT)


class Images(Case):
    def veritysetup(self, data, hash_file):
        hash_file.write_bytes(b"")
        out = subprocess.run([tool("veritysetup"), "format", f"--salt={SALT}", f"--uuid={UUID}", data, hash_file], text=True,
                             capture_output=True, check=True).stdout
        return re.search(r"Root hash:\s*([0-9a-f]+)", out).group(1)

    def unpacked(self, record, compress):
        path = self.repo / "staging/targets" / record["target"]
        self.assertEqual(path.stat().st_size, record["length"])
        self.assertEqual(hashlib.sha256(path.read_bytes()).hexdigest(), record["sha256"])
        return subprocess.run([*UNPACKERS[compress], path], stdout=subprocess.PIPE, check=True).stdout

    def check(self, version, root, compress, *more):
        boot = self.image("boot.img", 70001)
        made = self.add(version, root, boot, "--salt", SALT, "--uuid", UUID, "--compress", compress, *more)
        padded = self.dir / "padded.img"
        shutil.copy(root, padded)
        os.truncate(padded, -(-padded.stat().st_size // BLOCK) * BLOCK)
        reference = self.dir / "reference.hash"
        self.assertEqual(made["root_hash"], self.veritysetup(padded, reference))
        self.assertEqual(hashlib.sha256(self.unpacked(made["root"], compress)).digest(), hashlib.sha256(padded.read_bytes()).digest())
        self.assertEqual(self.unpacked(made["hash"], compress), reference.read_bytes())
        self.assertEqual(self.unpacked(made["boot"], compress), boot.read_bytes())
        self.assertEqual(made["root"]["unpacked"], padded.stat().st_size)
        return made

    @unittest.skipIf(SLOW, "the quick ones run in the suite cli")
    def test_compressors(self):
        self.init()
        for i, compress in enumerate(UNPACKERS):
            with self.subTest(compress):
                made = self.check(f"1.{i}.0", self.image("root.img", 3 * 1024 * 1024 + 17), compress)
                self.assertEqual(made["root"]["target"], f"flipside-metal-x86_64-1.{i}.0-root.img{SUFFIXES[compress]}")
                self.assertEqual(made["hash"]["target"], f"flipside-metal-x86_64-1.{i}.0-root.verity{SUFFIXES[compress]}")

    @unittest.skipIf(SLOW, "the quick ones run in the suite cli")
    def test_tree_sizes(self):
        self.init()
        for n_blocks in (1, 2, 127, 128, 129, 16384, 16385):
            with self.subTest(n_blocks):
                self.check(f"1.0.{n_blocks}", self.image("root.img", n_blocks * BLOCK), "zstd", "--level", "1")
        for n_bytes in (1, BLOCK - 1, BLOCK + 1):
            with self.subTest(n_bytes):
                self.check(f"2.0.{n_bytes}", self.image("root.img", n_bytes), "none")

    @unittest.skipUnless(SLOW, "300 MiB: in the suite slow")
    def test_large(self):
        self.init()
        root = self.image("root.img", 50000)
        with open(root, "r+b") as f:
            for at in range(0, 300, 7):
                f.seek(at * 1024 * 1024)
                f.write(self.random.randbytes(65536))
            f.truncate(300 * 1024 * 1024)
        self.check("1.0.0", root, "zstd", "--level", "3")

    @unittest.skipIf(SLOW, "the quick ones run in the suite cli")
    def test_refused(self):
        self.init()
        root, boot = self.image("root.img", 9000), self.image("boot.img", 10)
        (self.dir / "empty").write_bytes(b"")
        for want, more in ((USAGE, ("--salt", "xyz")), (USAGE, ("--uuid", "1")), (USAGE, ("--compress", "bzip2")),
                           (USAGE, ("--level", "23")), (USAGE, ("--compress", "xz", "--level", "9")), (USAGE, ("--name", "a/b")),
                           (FORMAT, ("--root", "empty")), (MISSING, ("--root", "none.img")), (USAGE, ("--boot", "/dev/null")),
                           (USAGE, ("--version", "1.0"))):
            with self.subTest(more):
                self.run_repo("image", "add", self.repo, *V, "--version", "1.0.0", "--root", root, "--boot", boot, "--quiet", *more,
                              want=want)
        self.run_repo("image", "add", self.repo, "--version", "1.0.0", "--root", root, "--boot", boot, want=USAGE)
        self.add("1.0.0", root, boot)
        self.add("1.0.0", root, boot, want=STATE)
        self.run_repo("image", "remove", self.repo, *V, "--version", "1.0.0")
        self.assertEqual(list((self.repo / "staging/targets").iterdir()), [])
        self.run_repo("image", "remove", self.repo, *V, "--version", "1.0.0", want=MISSING)
        self.add("1.0.0", root, boot)


class Publish(Case):
    def one_version(self, version="1.0.0"):
        self.add(version, self.image("root.img", 40000), self.image("boot.img", 5000))
        self.run_repo("update", "add", self.repo, *V, "--version", version, "--wave-policy", "default", "--start-at", "2026-12-01T00:00:00Z")

    def check_signatures(self):
        root = self.metadata("1.root.json")["signed"]
        for path in (self.repo / "metadata").iterdir():
            document = json.loads(path.read_text())
            message = canonical(document["signed"]).encode()
            self.assertTrue(document["signatures"], path)
            for s in document["signatures"]:
                self.assertIn(s["keyid"], root["roles"][document["signed"]["_type"]]["keyids"], path)
                key = root["keys"][s["keyid"]]
                self.assertTrue(verifies(key, message, bytes.fromhex(s["sig"])), path)
                self.assertFalse(verifies(key, message + b" ", bytes.fromhex(s["sig"])), "the judge accepts anything")

    def test_twice(self):
        self.init()
        self.one_version()
        self.publish()
        first = self.snapshot_of_served()
        self.assertEqual(sorted(p.name for p in (self.repo / "metadata").iterdir()),
                         ["1.root.json", "1.snapshot.json", "1.targets.json", "timestamp.json"])
        self.assertEqual(self.metadata("timestamp.json")["signed"]["expires"], "2026-11-29T04:00:00Z")
        self.assertEqual(self.metadata("1.snapshot.json")["signed"]["expires"], "2026-12-06T04:00:00Z")
        self.assertEqual(self.metadata("1.targets.json")["signed"]["expires"], "2027-02-14T04:00:00Z")
        (self.dir / "step").write_text("#!/bin/sh\n")
        self.one_version("1.1.0")
        self.run_repo("migration", "add", self.repo, "--from", "1.0.0", "--to", "1.1.0", "step", "--quiet")
        self.publish("--expires-timestamp", "in 2 days")
        for path, content in first.items():
            if path.name != "timestamp.json":
                self.assertEqual(path.read_bytes(), content, f"{path.name} was changed")
        timestamp = self.metadata("timestamp.json")["signed"]
        self.assertEqual((timestamp["version"], timestamp["expires"]), (2, "2026-11-24T04:00:00Z"))
        self.assertEqual(self.metadata("2.snapshot.json")["signed"]["meta"]["targets.json"]["version"], 2)
        targets = self.metadata("2.targets.json")["signed"]["targets"]
        self.assertLess(set(self.metadata("1.targets.json")["signed"]["targets"]), set(targets))
        self.assertIn("migrate_v1.1.0_step.lz4", targets)
        for name, t in targets.items():
            content = (self.repo / "targets" / f"{t['hashes']['sha256']}.{name}").read_bytes()
            self.assertEqual((len(content), hashlib.sha256(content).hexdigest()), (t["length"], t["hashes"]["sha256"]), name)
        self.assertEqual(list((self.repo / "staging/targets").iterdir()), [])

    def test_signatures(self):
        try:
            import cryptography  # noqa: F401
        except ImportError:
            self.skipTest("python3-cryptography is not installed")
        for role, kind in (("root", "ed25519"), ("targets", "ecdsa"), ("snapshot", "rsa"), ("timestamp", "ed25519")):
            self.key(f"{role}.pem", "--type", kind)
        self.run_repo("root", "init", self.repo, "--now", NOW, *(a for r in ("root", "targets", "snapshot", "timestamp")
                                                                 for a in (f"--{r}-key", f"{r}.pem")))
        self.one_version()
        self.publish()
        self.check_signatures()

    def test_manifest(self):
        self.init()
        self.one_version()
        self.one_version("1.2.0")
        self.publish()
        updates = json.loads(self.run_repo("show", self.repo, "--json", "--now", NOW).stdout)["updates"]
        self.assertEqual([(u["version"], u["max_version"]) for u in updates], [("1.0.0", "1.2.0"), ("1.2.0", "1.2.0")])
        self.assertEqual(updates[0]["waves"]["20"], "2026-12-01T04:00:00Z")
        self.assertEqual(updates[0]["verity"]["data_blocks"], 10)
        self.assertEqual(updates[0]["sizes"], {"boot": 5000, "root": 40960, "hash": 8192})
        self.run_repo("update", "add", self.repo, *V, "--version", "1.2.0", want=STATE)
        self.run_repo("update", "add", self.repo, *V, "--version", "9.0.0", want=MISSING)
        self.run_repo("update", "max-version", self.repo, "1.5.0")
        self.run_repo("update", "remove", self.repo, *V, "--version", "1.0.0")
        self.run_repo("update", "remove", self.repo, *V, "--version", "1.0.0", want=MISSING)
        self.run_repo("migration", "add", self.repo, "--from", "2.0.0", "--to", "1.0.0", want=USAGE)
        self.publish()
        updates = json.loads(self.run_repo("show", self.repo, "--json", "--now", NOW).stdout)["updates"]
        self.assertEqual([(u["version"], u["max_version"]) for u in updates], [("1.2.0", "1.5.0")])

    def test_online_key_alone(self):
        self.init()
        self.one_version()
        self.publish(roles=("snapshot", "timestamp"), want=USAGE)
        self.publish()
        self.publish(roles=("timestamp",), now="2026-11-28T00:00:00Z")
        self.assertEqual(self.metadata("timestamp.json")["signed"]["version"], 2)
        self.assertEqual(self.metadata("timestamp.json")["signed"]["expires"], "2026-12-05T00:00:00Z")
        self.assertFalse((self.repo / "metadata/2.snapshot.json").exists())
        self.publish(roles=("targets", "timestamp"), want=USAGE)
        # The snapshot has expired by then, and hosts would refuse it.
        self.publish(roles=("timestamp",), now="2026-12-07T00:00:00Z", want=TRUST)
        self.publish(roles=("snapshot", "timestamp"), now="2026-12-07T00:00:00Z")

    def refused(self, *more, want, **kw):
        before = self.snapshot_of_served()
        self.publish(*more, want=want, **kw)
        self.assertEqual(self.snapshot_of_served(), before, "a refused publication changed what is served")

    def test_refused(self):
        self.run_repo("publish", self.repo, want=MISSING)
        self.init()
        self.key("stranger.pem")
        self.one_version()
        self.publish()
        self.one_version("1.1.0")
        keys = ["--snapshot-key", "snapshot.pem", "--timestamp-key", "timestamp.pem"]
        before = self.snapshot_of_served()
        self.run_repo("publish", self.repo, "--now", NOW, "--targets-key", "stranger.pem", *keys, want=TRUST)
        self.run_repo("publish", self.repo, "--now", NOW, "--targets-key", "timestamp.pem", *keys, want=TRUST)
        self.assertEqual(self.snapshot_of_served(), before)
        self.refused("--expires-timestamp", "in a while", want=USAGE)
        self.refused("--expires-timestamp", NOW, want=USAGE)
        self.refused(now="yesterday", want=USAGE)
        self.refused(now="2028-01-01T00:00:00Z", want=TRUST)  # root has expired
        staged = next((self.repo / "staging/targets").glob("*1.1.0-boot*"))
        good = staged.read_bytes()
        staged.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        timestamp = (self.repo / "metadata/timestamp.json").read_bytes()
        self.publish(want=TRUST)
        self.assertEqual((self.repo / "metadata/timestamp.json").read_bytes(), timestamp)
        staged.unlink()
        self.publish(want=MISSING)
        self.assertEqual((self.repo / "metadata/timestamp.json").read_bytes(), timestamp)
        staged.write_bytes(good)
        self.publish()
        self.assertEqual(self.metadata("timestamp.json")["signed"]["version"], 2)

    def test_threshold(self):
        for name in ("a", "b"):
            self.key(f"{name}.pem")
        self.run_repo("root", "init", self.repo, "--now", NOW, "--root-key", "a.pem", "--targets-key", "a.pem", "--targets-key", "b.pem",
                      "--targets-threshold", "2", "--snapshot-key", "a.pem", "--timestamp-key", "a.pem")
        (self.dir / "file").write_text("x")
        self.run_repo("target", "add", self.repo, "file", "--quiet")
        rest = ["--now", NOW, "--snapshot-key", "a.pem", "--timestamp-key", "a.pem"]
        self.run_repo("publish", self.repo, "--targets-key", "b.pem", *rest, want=TRUST)
        self.run_repo("publish", self.repo, "--targets-key", "b.pem", "--targets-key", "a.pem", *rest)
        self.assertEqual(len(self.metadata("1.targets.json")["signatures"]), 2)

    def test_published_names_stay(self):
        self.init()
        (self.dir / "file").write_text("x")
        self.run_repo("target", "add", self.repo, "file", "--quiet")
        self.publish()
        (self.dir / "file").write_text("y")
        self.run_repo("target", "add", self.repo, "file", "--quiet", want=STATE)
        self.run_repo("target", "add", self.repo, "none", "--quiet", want=MISSING)
        (self.dir / "manifest.json").write_text("{}")
        self.run_repo("target", "add", self.repo, "manifest.json", want=USAGE)

    def test_manifest_names_targets(self):
        self.init()
        self.one_version()
        manifest = self.repo / "staging/manifest.json"
        good = manifest.read_text()
        manifest.write_text(good.replace("-boot.img.zst", "-boot.img.zzz"))
        self.publish(want=MISSING)
        manifest.write_text(good[:-3])
        self.publish(want=FORMAT)
        manifest.write_text(good)
        self.publish()

    def test_damaged_metadata(self):
        self.init()
        self.one_version()
        self.publish()
        for name in ("1.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"):
            path = self.repo / "metadata" / name
            good = path.read_text()
            with self.subTest(name):
                path.write_text(good.replace('"version": 1', '"version": 7', 1))
                self.assertNotEqual(path.read_text(), good)
                self.publish(want=TRUST)
                path.write_text(good[:-9])
                self.assertIn(self.publish_code(), (FORMAT, TRUST))
            path.write_text(good)
        self.publish()

    def publish_code(self):
        return subprocess.run([REPO, "publish", self.repo, "--now", NOW, "--timestamp-key", "timestamp.pem"], cwd=self.dir,
                              capture_output=True).returncode

    def test_json_failure(self):
        self.init()
        p = self.run_repo("publish", self.repo, "--json", "--now", NOW, "--timestamp-key", "root.pem", want=TRUST)
        self.assertEqual(json.loads(p.stdout)["error"]["reason"], "key")

    def test_locked(self):
        import fcntl
        self.init()
        with open(self.repo / "staging/lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            fcntl_lock = subprocess.run([REPO, "publish", self.repo, "--timestamp-key", "timestamp.pem"], cwd=self.dir, capture_output=True)
        self.assertEqual(fcntl_lock.returncode, BUSY, fcntl_lock.stderr)


class Serve(Case):
    def start(self, *more):
        p = subprocess.Popen([REPO, "serve", self.repo, *more], cwd=self.dir, stdout=subprocess.PIPE, text=True)
        self.addCleanup(p.stdout.close)
        self.addCleanup(lambda: p.poll() is None and (p.kill(), p.wait()))
        return p, re.fullmatch(r"serving \S+ at (http://127\.0\.0\.1:\d+/)\n", p.stdout.readline()).group(1)

    def curl(self, url, *more):
        p = subprocess.run([tool("curl"), "-s", "--noproxy", "*", "--path-as-is", "-o", self.dir / "body", "-D", self.dir / "head", "-w", "%{http_code}",
                            *more, url], capture_output=True, text=True, check=True)
        body = self.dir / "body"
        return int(p.stdout), body.read_bytes() if body.exists() else b"", (self.dir / "head").read_text().lower()

    def fill(self):
        self.init()
        (self.dir / "file").write_bytes(self.random.randbytes(300000))
        self.run_repo("target", "add", self.repo, "file", "--quiet")
        self.publish()

    def test_files_and_ranges(self):
        self.fill()
        server, url = self.start("--verbose")
        content = (self.dir / "file").read_bytes()
        target = url + "targets/" + next((self.repo / "targets").iterdir()).name
        for path in (self.repo / "metadata").iterdir():
            self.assertEqual(self.curl(url + "metadata/" + path.name)[:2], (200, path.read_bytes()))
        self.assertEqual(self.curl(target + "?seed=5&version=1.0.0")[:2], (200, content))
        self.assertIn("content-length: 300000", self.curl(target, "-I")[2])
        for text, status, want in (("0-0", 206, content[:1]), ("10-19", 206, content[10:20]), ("299990-", 206, content[299990:]),
                                   ("-7", 206, content[-7:]), ("299999-400000", 206, content[-1:]), ("300000-", 416, b""), ("5-4", 200, content)):
            with self.subTest(text):
                got = self.curl(target, "-H", f"Range: bytes={text}")
                self.assertEqual(got[:2], (status, want))
                if status == 206:
                    first = 300000 - 7 if text == "-7" else int(text.split("-")[0])
                    self.assertIn(f"content-range: bytes {first}-{first + len(want) - 1}/300000", got[2])
                if status == 416:
                    self.assertIn("content-range: bytes */300000", got[2])
        self.assertEqual(self.curl(target, "-X", "DELETE")[0], 405)
        server.send_signal(signal.SIGTERM)
        self.assertEqual(server.wait(10), OK)

    def test_nothing_else_is_served(self):
        self.fill()
        _, url = self.start()
        self.assertTrue((self.repo / "staging/draft.json").exists())
        (self.repo / "targets/.hidden").write_text("x")
        (self.repo / "targets/link").symlink_to(self.repo / "staging/draft.json")
        (self.repo / "targets/folder").mkdir()
        for path in ("", "staging/draft.json", "metadata/../staging/draft.json", "metadata/%2e%2e/staging/draft.json",
                     "metadata/..%2fstaging%2fdraft.json", "metadata//1.root.json", "metadata/", "targets", "targets/.hidden", "targets/link",
                     "targets/folder", "metadata/1.root.json%00.txt", "metadata/1.root.json%00", "../repo/metadata/1.root.json", "metadata/2.root.json"):
            with self.subTest(path):
                self.assertEqual(self.curl(url + path)[:1], (404,))

    def test_refused(self):
        self.run_repo("serve", self.repo, want=MISSING)
        self.fill()
        self.run_repo("serve", self.repo, "--port", "65536", want=USAGE)
        self.run_repo("serve", self.repo, "--listen", "localhost", want=USAGE)
        _, url = self.start()
        self.run_repo("serve", self.repo, "--port", url.rstrip("/").rsplit(":")[-1], want=SYSTEM)

    def test_tufclient(self):
        self.fill()
        server, url = self.start("--rate-limit", "2000000")
        (self.dir / "store").mkdir()
        (self.dir / "out").mkdir()
        common = [TUFCLIENT, "--metadata-dir", self.dir / "store", "--time", NOW]
        subprocess.run([*common, "init", self.repo / "metadata/1.root.json"], check=True)
        for round_ in (1, 2):
            subprocess.run([*common, "--metadata-url", url + "metadata/", "--target-base-url", url + "targets/", "--target-name", "file",
                            "--target-dir", self.dir / "out", "download"], check=True)
            self.assertIn((self.dir / "file").read_bytes(), [p.read_bytes() for p in (self.dir / "out").rglob("*") if p.is_file()])
            self.assertEqual((self.dir / "store/timestamp.json").read_bytes(), (self.repo / "metadata/timestamp.json").read_bytes(), round_)
            self.publish()
        server.send_signal(signal.SIGINT)
        self.assertEqual(server.wait(10), OK)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *(["Images.test_large"] if SLOW else [])])
