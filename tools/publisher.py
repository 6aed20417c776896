"""A release engineer with a repository, and hosts that follow it, for tests of the publisher's side through the real programs.

FLIPSIDE_BUILD names the build folder.
"""
import atexit
import functools
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from lab import ARCH, BUILD, OK, REPO, make_image, run

TUFCLIENT = BUILD / "tuf/tufclient"
NOW = "2026-11-22T04:00:00Z"
ROLES = ("root", "targets", "snapshot", "timestamp")


@functools.cache
def key_pool():
    """A folder for keys, which are made once for all tests of a program."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="flipside-keys-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def pem(name):
    path = key_pool() / f"{name}.pem"
    run(REPO, "key", "new", path)
    return path


@functools.cache
def key_id(name):
    return json.loads(run(REPO, "key", "show", "--json", pem(name)).stdout)["keyid"]


def public(name, folder):
    """The public part alone, as a key holder hands it out."""
    path = folder / f"{name}.pub"
    path.write_text(run(REPO, "key", "show", pem(name)).stdout)
    return path


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="flipside-publish-"))
        self.addCleanup(shutil.rmtree, self.dir)
        self.repo = self.dir / "repo"
        self.keys = {"root": ["root"], "targets": ["targets"], "snapshot": ["snapshot"], "timestamp": ["timestamp"]}
        self.now = NOW

    def tool(self, *args, expect=OK, **kw):
        return run(REPO, *args, "--now", self.now, expect=expect, **kw)

    def init(self, **thresholds):
        options = [x for r in ROLES for k in self.keys[r] for x in (f"--{r}-key", pem(k))]
        options += [x for r, n in thresholds.items() for x in (f"--{r}-threshold", n)]
        self.tool("root", "init", self.repo, *options)

    def signing(self, *roles):
        return [x for r in roles for k in self.keys[r] for x in (f"--{r}-key", pem(k))]

    def publish(self, *more, roles=("targets", "snapshot", "timestamp"), expect=OK):
        return self.tool("publish", self.repo, *self.signing(*roles), *more, expect=expect)

    def add_target(self, name, text=None, *more, expect=OK):
        path = self.dir / name
        path.write_text(text or f"this is {name}\n")
        self.tool("target", "add", self.repo, path, "-q", *more, expect=expect)
        return path

    def client(self, name, root=None, where=None):
        """A host with the given root, which has not asked for anything yet."""
        return Client(self, name, root or self.repo / "metadata/1.root.json", where or f"file://{self.repo}")

    def metadata(self, name):
        return json.loads((self.repo / "metadata" / name).read_text())

    def check(self, *args, expect=None):
        p = self.tool("check", *args, "--json", expect=expect)
        report = json.loads(p.stdout)
        return p.returncode, {f["name"] for f in report["findings"]}, report


class Client:
    def __init__(self, case, name, root, where):
        self.case, self.dir = case, case.dir / f"client-{name}"
        self.out = self.dir / "targets"
        self.out.mkdir(parents=True)
        self.where = where
        self.call("init", root)

    def call(self, *args, expect=OK):
        return run(TUFCLIENT, "--metadata-dir", self.dir / "store", "--metadata-url", f"{self.where}/metadata", "--time", self.case.now,
                   *args, expect=expect)

    def refresh(self, expect=OK):
        return self.call("refresh", expect=expect)

    def version(self, role):
        return json.loads((self.dir / f"store/{role}.json").read_text())["signed"]["version"]

    def download(self, *names, expect=OK):
        return self.call("--target-dir", self.out, "--target-base-url", f"{self.where}/targets",
                         *[x for n in names for x in ("--target-name", n)], "download", expect=expect)


def served(case, folder):
    """The folder over HTTP, until the test ends."""
    p = subprocess.Popen([str(REPO), "serve", str(folder), "--port", "0"], stdout=subprocess.PIPE, text=True)
    case.addCleanup(lambda: (p.terminate(), p.wait(), p.stdout.close()))
    return re.search(r"http://[0-9.:]+", p.stdout.readline()).group(0)


class Versions(Case):
    """A repository with two versions, a migration, a delegated role."""

    def setUp(self):
        super().setUp()
        self.init()
        self.tool("delegation", "add", self.repo, "--name", "docs", "--key", pem("docs"), "--path", "*.md")
        self.add_target("a.md", None, "--role", "docs")
        self.add_target("loose.txt")
        for i, version in enumerate(("1.0.0", "1.1.0")):
            self.add_version(version)
        (self.dir / "step").write_text("#!/bin/sh\n")
        self.tool("migration", "add", self.repo, "--from", "1.0.0", "--to", "1.1.0", self.dir / "step", "-q")
        self.publish("--role-key", f"docs={pem('docs')}")

    def add_version(self, version):
        for role, size in (("root", 64 * 1024), ("boot", 8 * 1024)):
            make_image(self.dir / f"{role}.img", size, f"{role} {version}")
        self.tool("image", "add", self.repo, "--variant", "demo", "--arch", ARCH, "--version", version, "--name", "demo", "-q",
                  "--root", self.dir / "root.img", "--boot", self.dir / "boot.img")
        self.tool("update", "add", self.repo, "--variant", "demo", "--arch", ARCH, "--version", version)
