"""Bad input of every kind: each ends with the exit code of its kind and one sentence, the inactive set at 0/0/0, the active set untouched."""
import http.server
import json
import shutil
import socket
import subprocess
import threading
import time
import unittest

from lab import BUILD, FORMAT, Lab, MIB, MISSING, NETWORK, REPO, SYSTEM, TRUST, run


def flip_byte(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        b = f.read(1)
        f.seek(at)
        f.write(bytes([b[0] ^ 0x40]))


class Base(unittest.TestCase):
    root_mib = 8

    def setUp(self):
        self.lab = Lab(root_mib=self.root_mib)
        self.addCleanup(self.lab.close)
        self.lab.add_version("1.1.0", migrations_from="1.0.0")
        self.before = self.lab.digest_of_set("A")

    def refused(self, kind, *words, verb="update-image", bits=(0, 0, 0)):
        """The verb fails with `kind` and one sentence that has all `words`."""
        lab = self.lab
        p = lab.flipside(verb, "--quiet", expect=kind, timeout=60)
        errors = [line for line in p.stderr.splitlines() if line]
        self.assertTrue(errors, "a failure without a word")
        for word in words:
            self.assertIn(word, errors[-1])
        self.assertEqual(lab.gpt().bits("B"), bits)
        self.assertEqual(lab.digest_of_set("A"), self.before, "the active set was touched")
        return errors[-1]


class Hostile(Base):
    """What lies in the repository, on the disk and in the configuration."""

    def edit_metadata(self, role, change):
        path = max((self.lab.repo / "metadata").glob(f"*{role}.json"), key=lambda p: int("0" + p.name.split(".")[0].replace(role, "")))
        doc = json.loads(path.read_text())
        change(doc)
        path.write_text(json.dumps(doc))

    def test_wrong_signature(self):
        for role in ("timestamp", "snapshot", "targets"):
            with self.subTest(role):
                saved = {p: p.read_bytes() for p in (self.lab.repo / "metadata").iterdir()}
                self.edit_metadata(role, lambda d: d["signatures"][0].update(sig="00" * 64))
                # A changed file no longer has the digest or length that the file above it lists: both are refusals.
                self.refused(TRUST, role)
                for p, content in saved.items():
                    p.write_bytes(content)
                shutil.rmtree(self.lab.dir / "state", ignore_errors=True)

    def test_missing_signature(self):
        self.edit_metadata("timestamp", lambda d: d["signatures"].clear())
        self.refused(TRUST, "timestamp", "signatures")

    def test_malformed(self):
        (self.lab.repo / "metadata/timestamp.json").write_text('{"signed": [1, 2')
        self.refused(FORMAT, "timestamp")

    def test_expired(self):
        self.lab.publish("--expires-timestamp", "2026-01-02T00:00:00Z", "--now", "2026-01-01T00:00:00Z")
        self.refused(TRUST, "timestamp", "expired")

    def test_rollback(self):
        old = (self.lab.repo / "metadata/timestamp.json").read_bytes()
        self.lab.publish()
        self.lab.flipside("check-update")
        (self.lab.repo / "metadata/timestamp.json").write_bytes(old)
        self.refused(TRUST, "timestamp")

    def test_threshold(self):
        """A root that wants two signatures of targets, of which one is there."""
        lab = Lab()
        self.addCleanup(lab.close)
        shutil.rmtree(lab.repo)
        run(REPO, "key", "new", lab.dir / "targets2.pem")
        run(REPO, "root", "init", lab.repo, *lab.role_keys("root", "targets", "snapshot", "timestamp"), "--targets-key",
            lab.dir / "targets2.pem", "--targets-threshold", 2, "--expires", "in 52 weeks")
        lab.add_version("1.1.0", publish=False)
        lab.publish(expect=TRUST)

    # Targets

    def test_damaged_target(self):
        for role in ("root", "boot"):
            with self.subTest(role):
                target = self.lab.image_target("1.1.0", role)
                good = target.read_bytes()
                flip_byte(target, len(good) // 2)
                self.refused(TRUST, role, "sha256")
                target.write_bytes(good)
        self.lab.flipside("update-image", "--quiet")
        self.assertEqual(self.lab.gpt().bits("B"), (0, 1, 0), "a second attempt behaves like a first")

    def test_wrong_length(self):
        target = self.lab.image_target("1.1.0", "root")
        good = target.read_bytes()
        target.write_bytes(good + b"x")
        self.refused(TRUST, "root", "bytes it should have")
        target.write_bytes(good[:-1])
        self.refused(TRUST, "root")

    def test_target_gone(self):
        self.lab.image_target("1.1.0", "boot").unlink()
        self.refused(MISSING, "boot")

    def test_hash_image_is_not_needed(self):
        """The signed parameters are enough: the tree is made from the data on its way, the same to the byte."""
        target = self.lab.image_target("1.1.0", "hash")
        image = subprocess.run(["zstd", "-dc", target], stdout=subprocess.PIPE, check=True).stdout
        target.unlink()
        self.lab.flipside("update-image", "--quiet")
        self.assertEqual(self.lab.read_partition("B", "hash")[:len(image)], image)

    def test_image_too_large(self):
        """More bytes than the partition holds: known from the signed sizes before anything is given up."""
        self.lab.flipside("update-image", "--quiet")
        self.lab.add_version("1.2.0", migrations_from="1.1.0", size=(self.root_mib + 1) * MIB)
        self.refused(FORMAT, "root", "bytes", bits=(0, 1, 0))

    def test_missing_migration(self):
        self.lab.add_version("1.2.0")
        self.refused(MISSING, "1.1.0")

    def test_no_space_for_metadata(self):
        if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
            self.skipTest("no mount namespaces here")
        lab, state = self.lab, self.lab.dir / "full"
        state.mkdir()
        lab.write_config(state_dir=state, metadata_dir=state / "metadata", migrations_dir=state / "migrations", lock_file=state / "lock")
        p = subprocess.run(["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o size=4k,nr_inodes=4 none {state} && "
                            f"exec {BUILD}/updater/flipside --config {lab.dir}/flipside.conf update-image --quiet"],
                           capture_output=True, text=True, timeout=60)
        self.assertEqual(p.returncode, SYSTEM, p.stderr)
        self.assertIn("No space left", p.stderr)
        self.assertEqual(lab.gpt().bits("B"), (0, 0, 0))

    # The disk

    def corrupt_gpt(self, *copies):
        size = self.lab.disk.stat().st_size
        for c in copies:
            flip_byte(self.lab.disk, 512 + 20 if c == "primary" else size - 512 + 20)

    def test_damaged_primary(self):
        self.corrupt_gpt("primary")
        p = self.lab.flipside("update-image")
        self.assertIn("primary", p.stderr)
        self.assertIn("backup", p.stderr)
        self.assertEqual(self.lab.bits(), ((1, 0, 1), (0, 1, 0)))
        self.assertTrue(self.lab.gpt().equal(), "the next write repairs the damaged copy")
        self.lab.sgdisk_verify()

    def test_damaged_backup(self):
        self.corrupt_gpt("backup")
        self.lab.flipside("update-image", "--quiet")
        self.assertTrue(self.lab.gpt().equal())

    def test_both_copies_damaged(self):
        self.corrupt_gpt("primary", "backup")
        p = self.lab.flipside("update-image", expect=FORMAT)
        self.assertIn(str(self.lab.disk), p.stderr)

    def test_not_two_sets(self):
        run("sgdisk", f"--delete={self.lab.gpt().entry('B', 'hash')[0]}", self.lab.disk)
        p = self.lab.flipside("update-image", expect=FORMAT)
        self.assertIn("hash", p.stderr)

    def test_no_table_at_all(self):
        self.lab.disk.write_bytes(bytes(MIB))
        self.lab.flipside("status", expect=FORMAT)

    # The configuration

    def test_bad_config(self):
        for key, value in (("active_set", "C"), ("seed", "-1"), ("metadata_base_url", "gopher://x"), ("idle_timeout", "soon"),
                           ("version_lock", "newest")):
            with self.subTest(key):
                saved = dict(self.lab.settings)
                self.lab.write_config(**{key: value})
                p = self.lab.flipside("status", expect=FORMAT)
                self.assertIn(key, p.stderr)
                self.assertRegex(p.stderr, r"flipside\.conf:\d+")
                self.lab.settings = saved
        self.lab.write_config()
        with open(self.lab.dir / "flipside.conf", "a") as f:
            f.write("[updates]\nno_such_key = 1\n")
        self.assertIn("no_such_key", self.lab.flipside("status").stderr)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer):
        self.requests = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.server.requests += 1
                answer(self)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class HostileServer(Base):
    """A server that misbehaves."""

    def setUp(self):
        super().setUp()
        self.lab.write_config(idle_timeout="1s")

    def against(self, answer):
        server = Server(answer)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.lab.metadata_url = self.lab.targets_url = f"http://127.0.0.1:{server.server_port}"
        self.lab.write_config()
        return server

    @staticmethod
    def status(code):
        def answer(r):
            r.send_response(code)
            r.send_header("Content-Length", "0")
            r.end_headers()
        return answer

    def test_server_404(self):
        self.against(self.status(404))
        self.refused(MISSING, "timestamp")

    def test_server_500(self):
        self.against(self.status(500))
        self.refused(NETWORK, "500")

    def test_server_redirects_for_ever(self):
        def answer(r):
            r.send_response(302)
            r.send_header("Location", r.path + "x")
            r.send_header("Content-Length", "0")
            r.end_headers()
        self.against(answer)
        self.refused(NETWORK, "redirect")

    def test_server_hangs(self):
        self.against(lambda r: time.sleep(30))
        started = time.monotonic()
        self.refused(NETWORK)
        self.assertLess(time.monotonic() - started, 45)

    def test_nobody_listens(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.lab.metadata_url = self.lab.targets_url = f"http://127.0.0.1:{port}"
        self.lab.write_config()
        self.refused(NETWORK)

    def test_endless_timestamp(self):
        def answer(r):
            if "timestamp" not in r.path:
                return self.status(404)(r)
            r.send_response(200)
            r.end_headers()
            try:
                while True:
                    r.wfile.write(b" " * 65536)
            except OSError:
                pass
            r.close_connection = True
        self.against(answer)
        self.refused(FORMAT, "timestamp")


if __name__ == "__main__":
    unittest.main()
