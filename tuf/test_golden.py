#!/usr/bin/env python3
"""tufclient against the repositories of test-fixtures/golden, which another implementation has made: over file:// URLs and from a plain
static web server, then with one byte changed in each file. TUFCLIENT names the program, GOLDEN the folder."""
import functools
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import unittest
from urllib.parse import quote, unquote

TUFCLIENT = os.environ["TUFCLIENT"]
GOLDEN = pathlib.Path(os.environ["GOLDEN"])
NAMES = sorted(p.stem for p in GOLDEN.glob("*.json") if p.stem != "canonical")
NOW = "2026-01-01T00:00:00Z"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


class Host:
    """A host with an empty metadata store, and a golden repository written out."""

    def __init__(self, name):
        fast = "/dev/shm"  # most of the time would go into fsync
        self.dir = pathlib.Path(tempfile.mkdtemp(dir=fast if os.access(fast, os.W_OK) else None))
        self.doc = json.loads((GOLDEN / f"{name}.json").read_text())
        self.repo = self.dir / "repo"
        for kind in ("metadata", "targets"):
            for file, text in self.doc[kind].items():
                # The server's disk has decoded names but for slashes, which are part of a role's name.
                path = self.repo / kind / (unquote(file.replace("%2F", "%252F")) if kind == "metadata" else file)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text.encode())
        self.url = self.repo.as_uri()
        self.server = None
        self.reset()

    def serve(self):
        # A request for %2F is one for a slash to this server, so a role name with one lies in a folder as well.
        for file in self.doc["metadata"]:
            path = self.repo / "metadata" / unquote(file)
            if "%2F" in file and path.resolve().is_relative_to(self.repo):
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(self.doc["metadata"][file].encode())
        handler = functools.partial(Quiet, directory=self.repo)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        shutil.rmtree(self.dir)

    def reset(self):
        for kind in ("store", "got"):
            shutil.rmtree(self.dir / kind, ignore_errors=True)
            (self.dir / kind).mkdir()

    def run(self, *args):
        env = {**os.environ, "no_proxy": "127.0.0.1"}
        return subprocess.run([TUFCLIENT, "--time", NOW, *args], env=env, capture_output=True, text=True, timeout=60)

    def init(self):
        root = self.dir / "root.json"
        root.write_bytes(self.doc["metadata"]["1.root.json"].encode())
        return self.run("--metadata-dir", self.dir / "store", "init", root)

    def refresh(self):
        return self.run("--metadata-dir", self.dir / "store", "--metadata-url", self.url + "/metadata", "refresh")

    def download(self, paths):
        names = [arg for path in paths for arg in ("--target-name", path)]
        return self.run("--metadata-dir", self.dir / "store", "--metadata-url", self.url + "/metadata", "--target-base-url",
                        self.url + "/targets", "--target-dir", self.dir / "got", *names, "download")

    def got(self):
        return {p.name: p.read_bytes().decode() for p in (self.dir / "got").iterdir()}


def change_a_byte(path):
    """In metadata the first digit of `expires`, which is signed; elsewhere the first byte, or one more where there is none."""
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"2096-', b'"3096-', 1) if b'"2096-' in data else bytes([data[0] ^ 1]) + data[1:] if data else b"x")


class Golden(unittest.TestCase):
    def host(self, name):
        host = Host(name)
        self.addCleanup(host.close)
        return host

    def ok(self, p):
        self.assertEqual((p.returncode, p.stderr), (0, ""))

    def test_there_are_some(self):
        self.assertGreaterEqual(len(NAMES), 8)

    def all_of(self, host):
        self.ok(host.init())
        self.ok(host.refresh())
        self.ok(host.download(host.doc["find"]))
        self.assertEqual(host.got(), {quote(path, "-_.~").replace("/", "%2F"): text for path, text in host.doc["find"].items()})
        for path in host.doc["absent"]:
            with self.subTest(absent=path):
                p = host.download([path])
                self.assertEqual(p.returncode, 1)
                self.assertIn("no trusted role lists it", p.stderr)

    def test_file(self):
        for name in NAMES:
            with self.subTest(name):
                self.all_of(self.host(name))

    def test_http(self):
        for name in NAMES:
            with self.subTest(name):
                host = self.host(name)
                host.serve()
                self.all_of(host)

    def test_stored_files_are_the_served_ones(self):
        for name in NAMES:
            host = self.host(name)
            self.ok(host.init())
            self.ok(host.download(host.doc["find"]))
            served = {text.encode() for text in host.doc["metadata"].values()}
            for path in (host.dir / "store").glob("*.json"):
                with self.subTest(name, file=path.name):
                    self.assertIn(path.read_bytes(), served)

    def test_verify(self):
        for name in NAMES:
            with self.subTest(name):
                host = self.host(name)
                p = host.run("--json", "verify", host.repo)
                self.ok(p)
                answer = json.loads(p.stdout)
                self.assertEqual(answer["targets"], sum(host.doc["roles"].values()))
                self.assertGreaterEqual(answer["metadata_files"], len(host.doc["metadata"]))
                self.assertEqual(answer["failures"], [])

    def test_expired(self):
        host = self.host("key_types")
        self.ok(host.init())
        p = host.run("--time", "2096-01-01T00:00:00Z", "--metadata-dir", host.dir / "store", "--metadata-url", host.url + "/metadata",
                     "refresh")
        self.assertEqual(p.returncode, 1)
        self.assertIn("expired", p.stderr)

    def metadata_files(self, host):
        return [p for p in sorted((host.repo / "metadata").iterdir()) if p.name != "1.root.json"]

    def test_a_byte_of_metadata(self):
        for name in NAMES:
            host = self.host(name)
            self.ok(host.init())
            self.ok(host.download(host.doc["find"]))
            stored = {p.read_bytes() for p in (host.dir / "store").glob("*.json")}
            for path in self.metadata_files(host):
                with self.subTest(name, file=path.name):
                    good = path.read_bytes()
                    change_a_byte(path)
                    self.assertEqual(host.run("verify", host.repo).returncode, 1)
                    if good in stored or path.name.endswith(".root.json"):  # roles that no search leads to are not asked for
                        host.reset()
                        self.ok(host.init())
                        p = host.download(host.doc["find"])
                        self.assertEqual(p.returncode, 1)
                        self.assertRegex(p.stderr, "signatures by the keys|is not the one listed")
                    path.write_bytes(good)

    def test_a_byte_of_the_first_root(self):
        for name in NAMES:
            with self.subTest(name):
                host = self.host(name)
                host.doc["metadata"]["1.root.json"] = host.doc["metadata"]["1.root.json"].replace('"2096-', '"3096-', 1)
                self.assertEqual(host.init().returncode, 1)
                self.assertEqual(host.refresh().returncode, 1)

    def test_a_byte_of_a_target(self):
        for name in NAMES:
            host = self.host(name)
            self.ok(host.init())
            for path in host.doc["find"]:
                with self.subTest(name, target=path):
                    changed = []
                    for file in (host.repo / "targets").rglob("*"):
                        last = path.rpartition("/")[2]
                        if file.is_file() and last in (file.name, file.name.partition(".")[2]):
                            changed.append((file, file.read_bytes()))
                            change_a_byte(file)
                    self.assertTrue(changed)
                    p = host.download([path])
                    self.assertEqual((p.returncode, host.got()), (1, {}))
                    for file, good in changed:
                        file.write_bytes(good)


if __name__ == "__main__":
    unittest.main()
