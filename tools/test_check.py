"""`check` finds each planted fault by its name. Faults are signed by the openssl program with a canonical form of our own, so that nothing
but the fault is wrong.
"""
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

from lab import FORMAT, MISSING, OK, REPO, TRUST, USAGE, run
from publisher import NOW, Versions, key_id, pem, served


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


class Forger:
    """Changes metadata of a repository and signs what it changed, so that only the planted fault is wrong."""

    def __init__(self, case):
        self.case, self.dir = case, case.repo / "metadata"

    def sign(self, body, keys):
        text = self.case.dir / "to-sign"
        text.write_bytes(canonical(body).encode())
        sigs = []
        for k in keys:
            sig = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", pem(k), "-in", text], capture_output=True,
                                 check=True).stdout
            sigs.append({"keyid": key_id(k), "sig": sig.hex()})
        return sigs

    def write(self, name, body, keys):
        (self.dir / name).write_text(json.dumps({"signed": body, "signatures": self.sign(body, keys)}))

    def edit(self, name, change, keys):
        body = json.loads((self.dir / name).read_text())["signed"]
        change(body)
        self.write(name, body, keys)

    def listed(self, name, version=1):
        raw = (self.dir / name).read_bytes()
        return {"version": version, "length": len(raw), "hashes": {"sha256": hashlib.sha256(raw).hexdigest()}}

    def relist(self, snapshot=True):
        """snapshot and timestamp list what is there now."""
        if snapshot:
            self.edit("1.snapshot.json", lambda b: b["meta"].update({
                r: self.listed("1." + r) for r in list(b["meta"]) if (self.dir / ("1." + r)).exists()}), ["snapshot"])
        self.edit("timestamp.json", lambda b: b["meta"].update({"snapshot.json": self.listed("1.snapshot.json")}), ["timestamp"])

    def targets(self, change, name="1.targets.json", key="targets"):
        self.edit(name, change, [key])
        self.relist()

    def root(self, change):
        self.edit("1.root.json", change, ["root"])

    def manifest(self, change):
        def into(body):
            old = body["targets"]["manifest.json"]["hashes"]["sha256"]
            m = json.loads((self.case.repo / f"targets/{old}.manifest.json").read_text())
            change(m)
            raw = json.dumps(m).encode()
            new = hashlib.sha256(raw).hexdigest()
            (self.case.repo / f"targets/{old}.manifest.json").unlink()
            (self.case.repo / f"targets/{new}.manifest.json").write_bytes(raw)
            body["targets"]["manifest.json"] = {"length": len(raw), "hashes": {"sha256": new}}
        self.targets(into)

    def target_file(self, end):
        return next((self.case.repo / "targets").glob("*" + end))

    def rotate(self, n):
        for _ in range(n):
            self.case.tool("root", "rotate", self.case.repo)
            self.case.tool("root", "sign", self.case.repo, "--key", pem("root"))
            self.case.tool("root", "publish", self.case.repo)


def put(*path, value):
    def change(body):
        for p in path[:-1]:
            body = body[p]
        body[path[-1]] = value
    return change


def expire(name, key, at="2026-11-22T04:00:00Z"):
    """Valid for the last time one second before: at this second it has expired."""
    def plant(f):
        f.edit(name, put("expires", value=at), [key])
        f.relist(snapshot=name != "1.snapshot.json")
    return plant


def rename_target(new):
    def plant(f):
        f.targets(lambda b: b["targets"].update({new: b["targets"].pop("loose.txt")}))
    return plant


def add_key(role, key, id=None):
    def change(body):
        name = id or hashlib.sha256(canonical(key).encode()).hexdigest()
        body["keys"][name] = key
        body["roles"][role]["keyids"].append(name)
    return change


def weak_rsa():
    private = subprocess.run(["openssl", "genrsa", "1024"], capture_output=True, check=True).stdout
    text = subprocess.run(["openssl", "rsa", "-pubout"], input=private, capture_output=True, check=True).stdout.decode()
    return {"keytype": "rsa", "scheme": "rsassa-pss-sha256", "keyval": {"public": text}}


def ed25519(name):
    return json.loads(run(REPO, "key", "show", pem(name)).stdout)["key"]


def first_update(change):
    def plant(f):
        f.manifest(lambda m: change(m["updates"][0]))
    return plant


def oversize(f):
    p = f.dir / "timestamp.json"
    p.write_bytes(p.read_bytes() + b" " * 16384)


def drop_root(v, n=3):
    def plant(f):
        f.rotate(n)
        (f.dir / f"{v}.root.json").unlink()
    return plant


def broken_chain(f):
    f.rotate(1)
    f.edit("2.root.json", add_key("root", ed25519("stranger")), ["stranger"])


def misnumbered(f):
    f.rotate(1)
    f.edit("2.root.json", put("version", value=7), ["root"])


def cut(f):
    p = f.dir / "1.snapshot.json"
    p.write_bytes(p.read_bytes()[:-40])
    f.relist(snapshot=False)


def twice(f):
    p = f.dir / "timestamp.json"
    j = json.loads(p.read_text())
    j["signatures"] *= 2
    p.write_text(json.dumps(j))


def wrong_type(f):
    body = json.loads((f.dir / "1.snapshot.json").read_text())["signed"]
    f.write("timestamp.json", body, ["timestamp"])


def unsign(name):
    def plant(f):
        body = json.loads((f.dir / name).read_text())["signed"]
        f.write(name, body, ["stranger"])
        if name != "timestamp.json":
            f.relist(snapshot=name != "1.snapshot.json")
    return plant


# What is planted: its name, what the check must say, the exit code of that kind (OK: a warning).
FAULTS = [
    ("root-chain-gap", drop_root(3), MISSING),
    ("old-root-missing", drop_root(1), MISSING),
    ("root-missing", lambda f: (f.dir / "1.root.json").unlink(), MISSING),
    ("root-chain-broken", broken_chain, TRUST),
    ("root-version", misnumbered, TRUST),
    ("root-expired", lambda f: f.root(put("expires", value=NOW)), TRUST),
    ("root-expires-soon", lambda f: f.root(put("expires", value="2026-12-22T03:59:59Z")), OK),
    ("threshold-unreachable", lambda f: f.root(put("roles", "snapshot", "threshold", value=2)), TRUST),
    ("key-shared-between-roles", lambda f: f.root(add_key("targets", ed25519("root"))), OK),
    ("weak-rsa", lambda f: f.root(add_key("targets", weak_rsa())), OK),
    ("unusable-key", lambda f: f.root(add_key("targets", {"keytype": "new", "scheme": "new", "keyval": {"public": ""}})), OK),
    ("key-missing", lambda f: f.root(lambda b: b["roles"]["targets"]["keyids"].append("ab" * 32)), OK),
    ("keyid-mismatch", lambda f: f.root(add_key("targets", ed25519("stranger"), id="cd" * 32)), OK),
    ("threshold-one", lambda f: None, OK),
    ("consistent-snapshot-off", lambda f: f.root(put("consistent_snapshot", value=False)), MISSING),  # its files have numbers
    ("timestamp-missing", lambda f: (f.dir / "timestamp.json").unlink(), MISSING),
    ("timestamp-expired", expire("timestamp.json", "timestamp"), TRUST),
    ("timestamp-expires-soon", expire("timestamp.json", "timestamp", "2026-11-23T03:59:59Z"), OK),
    ("timestamp-freeze-window-long", expire("timestamp.json", "timestamp", "2026-12-13T04:00:01Z"), OK),
    ("metadata-too-large", oversize, FORMAT),
    ("duplicate-signature", twice, TRUST),
    ("wrong-type", wrong_type, TRUST),
    ("threshold-unmet", unsign("timestamp.json"), TRUST),
    ("threshold-unmet", unsign("1.docs.json"), TRUST),
    ("snapshot-missing", lambda f: (f.dir / "1.snapshot.json").unlink(), MISSING),
    ("snapshot-expired", expire("1.snapshot.json", "snapshot"), TRUST),
    ("metadata-malformed", cut, FORMAT),
    ("metadata-digest", lambda f: f.edit("1.snapshot.json", put("expires", value="2026-12-07T04:00:00Z"), ["snapshot"]), TRUST),
    ("metadata-length", lambda f: (f.dir / "1.targets.json").write_text((f.dir / "1.targets.json").read_text() + "\n"), TRUST),
    ("metadata-version", lambda f: f.targets(put("version", value=2)), TRUST),
    ("snapshot-missing-role", lambda f: (f.edit("1.snapshot.json", lambda b: b["meta"].pop("docs.json"), ["snapshot"]), f.relist()), TRUST),
    ("targets-missing", lambda f: (f.dir / "1.targets.json").unlink(), MISSING),
    ("role-missing", lambda f: (f.dir / "1.docs.json").unlink(), MISSING),
    ("targets-expired", expire("1.targets.json", "targets"), TRUST),
    ("role-expired", expire("1.docs.json", "docs"), TRUST),
    ("target-missing", lambda f: f.target_file(".loose.txt").unlink(), MISSING),
    ("target-digest", lambda f: f.target_file(".loose.txt").write_text("THIS is loose.txt\n"), TRUST),
    ("target-length", lambda f: f.target_file(".loose.txt").write_text("this is loose\n"), TRUST),
    ("target-length", lambda f: f.target_file(".loose.txt").write_text("this is loose.txt, and long\n"), TRUST),
    ("target-without-digest", lambda f: f.targets(put("targets", "loose.txt", "hashes", value={"md5": "00" * 16})), TRUST),
    ("orphan-target", lambda f: (f.case.repo / "targets" / ("00" * 32 + ".nobody")).write_text("x"), OK),
    ("target-unreachable", lambda f: f.targets(lambda b: b["targets"].update({"a.txt": b["targets"]["a.md"]}), "1.docs.json", "docs"), MISSING),
    ("unsafe-name", rename_target("../loose.txt"), FORMAT),
    ("unsafe-name", rename_target("/etc/loose"), FORMAT),
    ("unsafe-name", rename_target("a\nb"), FORMAT),
    ("pattern-odd", lambda f: f.targets(lambda b: b["delegations"]["roles"][0]["paths"].append("{a,b}.md")), OK),
    ("manifest-missing", lambda f: f.targets(lambda b: b["targets"].pop("manifest.json")), MISSING),
    ("manifest-malformed", lambda f: f.manifest(lambda m: m.pop("updates")), FORMAT),
    ("manifest-target-missing", first_update(lambda u: u["images"].update(root="nothing.zst")), MISSING),
    ("migration-gap", lambda f: f.manifest(lambda m: m.update(migrations={})), MISSING),
    ("max-version-below", first_update(lambda u: u.update(max_version="0.9.0")), OK),
    ("waves-not-rising", first_update(lambda u: u.update(waves={"0": "2026-12-02T00:00:00Z", "512": "2026-12-01T00:00:00Z"})), FORMAT),
    ("verity-missing", first_update(lambda u: u.pop("verity")), OK),
]


class Check(Versions):
    def test_faults(self):
        whole = self.dir / "whole"
        self.repo.rename(whole)
        for i, (name, plant, code) in enumerate(FAULTS):
            with self.subTest(name, i=i):
                shutil.copytree(whole, self.repo)
                try:
                    plant(Forger(self))
                    got, names, _ = self.check(self.repo)
                    self.assertIn(name, names)
                    self.assertEqual(got, code, names)
                finally:
                    shutil.rmtree(self.repo)

    def test_names_are_documented(self):
        page = (pathlib.Path(__file__).resolve().parent.parent / "docs/man/flipside-repo.1").read_text()
        faults = page.split(".Sh FAULTS\n")[1].split("\n.Sh ")[0]
        listed = {n for line in re.findall(r"^\.It (.*)$", faults, re.M) for n in line.replace(",", " ").split()}
        self.assertEqual({name for name, _, _ in FAULTS} - listed, set())

    def test_good(self):
        code, names, report = self.check(self.repo)
        self.assertEqual((code, names), (OK, {"threshold-one"}))
        self.assertEqual([c["accepts"] for c in report["client"]], [True])
        self.assertEqual(report["roles"]["docs"]["version"], 1)
        text = self.tool("check", self.repo).stdout
        self.assertIn("accepts it", text)
        self.assertIn("warning: threshold-one: ", text)

    def test_at(self):
        for when, code, want in (("2026-11-29T03:59:59Z", OK, set()), ("2026-11-29T04:00:00Z", TRUST, {"timestamp"}),
                                 ("in 2 weeks", TRUST, {"timestamp", "snapshot"}), ("2028-01-01T00:00:00Z", TRUST,
                                                                                    {"timestamp", "snapshot", "targets", "root", "role"})):
            with self.subTest(when):
                got, names, report = self.check(self.repo, "--at", when)
                self.assertEqual(got, code)
                self.assertEqual({n[:-len("-expires-before-publish")] for n in names if n.endswith("-before-publish")}, want)
                self.assertEqual([c["accepts"] for c in report["client"]], [True, code == OK])
        self.tool("check", self.repo, "--at", "soon", expect=USAGE)

    def test_url(self):
        url = served(self, self.repo)
        urls = ["--metadata-url", f"{url}/metadata", "--targets-url", f"{url}/targets"]
        self.assertEqual(self.check(*urls)[:2], (OK, {"threshold-one"}))
        Forger(self).target_file(".loose.txt").write_text("THIS is loose.txt\n")
        self.assertEqual(self.check(*urls[:2])[0], OK)
        self.assertIn("target-digest", self.check(*urls)[1])
        drop_root(2)(Forger(self))
        self.assertIn("root-chain-gap", self.check(*urls)[1])
        code, names, _ = self.check(*urls[:2], "--root", self.repo / "metadata/3.root.json")
        self.assertIn("root-chain-gap", names)
        (self.repo / "metadata/1.root.json").unlink()
        self.assertIn("old-root-missing", self.check(*urls[:2], "--root", self.repo / "metadata/3.root.json")[1])

    def test_misuse(self):
        for args in ([], [self.repo, "--metadata-url", "file:///x"], [self.repo, "two"]):
            self.tool("check", *args, expect=USAGE)
        self.tool("check", self.dir / "nothing", expect=None)
        self.assertNotEqual(self.tool("check", self.dir / "nothing", expect=None).returncode, OK)
        self.tool("check", self.repo, "--root", self.repo / "metadata/timestamp.json", expect=TRUST)

    def test_without_json_two_documents_are_not_mixed(self):
        (self.repo / "metadata/timestamp.json").unlink()
        p = self.tool("check", self.repo, "--json", expect=MISSING)
        json.loads(p.stdout)
        self.assertEqual(p.stderr, "")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
