"""The publisher's side over years: keys replaced, lost and revoked, signatures made at different places, delegations, keys in tokens.
Judged by tufclient.
"""
import hashlib
import json
import os
import shutil
import sys
import unittest

from lab import FORMAT, MISSING, OK, REPO, STATE, TRUST, USAGE, run
from publisher import Case, key_id, pem, public

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
ENGINE = "/usr/lib/x86_64-linux-gnu/engines-3/pkcs11.so"


class Rotation(Case):
    def rotate(self, *options, root=None, then=()):
        """One new root: `root` names the keys that sign it, `then` the roles whose keys it changes."""
        self.tool("root", "rotate", self.repo, *options)
        for k in root:
            self.tool("root", "sign", self.repo, "--key", pem(k))
        p = self.tool("root", "publish", self.repo, "--json")
        self.assertEqual(set(json.loads(p.stdout)["to_publish"]), set(then))
        if then:
            self.publish("--extend", roles=then)

    def swap(self, role, old, new):
        self.keys[role] = [new if k == old else k for k in self.keys[role]]
        return [f"--add-{role}-key", public(new, self.dir), f"--remove-{role}-key", key_id(old)]

    def test_fifteen_rotations(self):
        self.init()
        want = self.add_target("first.txt")
        self.publish()
        old, middle = self.client("old"), None
        old.refresh()
        all_roles = ("targets", "snapshot", "timestamp")
        self.rotate(*self.swap("root", "root", "root-b"), root=["root", "root-b"])                                # 2: replaced
        self.rotate(*self.swap("timestamp", "timestamp", "ts-b"), root=["root-b"], then=["timestamp"])            # 3
        self.rotate(*self.swap("snapshot", "snapshot", "sn-b"), root=["root-b"], then=["snapshot", "timestamp"])  # 4
        self.rotate(*self.swap("targets", "targets", "ta-b"), root=["root-b"], then=all_roles)                    # 5: revoked
        self.rotate("--add-root-key", public("root-c", self.dir), root=["root-b"])                                # 6: a spare key
        self.rotate("--remove-root-key", key_id("root-b")[:12], root=["root-c"])                                  # 7: root-b is lost
        self.rotate("--add-root-key", public("root-d", self.dir), "--root-threshold", 2, root=["root-c", "root-d"])  # 8
        middle = self.client("middle", self.repo / "metadata/8.root.json")
        self.rotate(*self.swap("timestamp", "ts-b", "ts-c"), root=["root-c", "root-d"], then=["timestamp"])       # 9
        self.rotate("--expires", "in 26 weeks", root=["root-c", "root-d"])                                        # 10: expiry only
        self.keys["targets"].append("ta-c")
        self.rotate("--add-targets-key", public("ta-c", self.dir), "--targets-threshold", 2, root=["root-c", "root-d"], then=all_roles)  # 11
        self.rotate(*self.swap("targets", "ta-b", "ta-d"), root=["root-c", "root-d"], then=all_roles)             # 12
        self.rotate("--root-threshold", 1, root=["root-d", "root-c"])                                             # 13
        self.rotate("--remove-root-key", key_id("root-c"), *self.swap("snapshot", "sn-b", "sn-c"), root=["root-d"],
                    then=["snapshot", "timestamp"])                                                               # 14
        self.rotate(*self.swap("root", "root-d", "root-e"), root=["root-d", "root-e"])                            # 15
        self.rotate(*self.swap("timestamp", "ts-c", "ts-d"), *self.swap("snapshot", "sn-c", "sn-d"), root=["root-e"],
                    then=["snapshot", "timestamp"])                                                               # 16
        last = self.add_target("last.txt")
        self.publish()
        for c in (old, middle, self.client("new")):
            c.refresh()
            self.assertEqual(c.version("root"), 16)
            c.download("first.txt", "last.txt")
            self.assertEqual((c.out / "last.txt").read_bytes(), last.read_bytes())
            self.assertEqual((c.out / "first.txt").read_bytes(), want.read_bytes())
        code, names, _ = self.check(self.repo)
        self.assertEqual(code, MISSING, names)  # no manifest, and nothing else
        self.assertEqual(names, {"manifest-missing", "threshold-one"})

    def test_host_fails_between_root_and_its_roles(self):
        """What is told as to be published is what hosts wait for."""
        self.init()
        self.add_target("a.txt")
        self.publish()
        c = self.client("c")
        c.refresh()
        self.tool("root", "rotate", self.repo, *self.swap("timestamp", "timestamp", "ts-b"))
        self.tool("root", "sign", self.repo, "--key", pem("root"))
        self.tool("root", "publish", self.repo)
        c.refresh(expect=1)
        self.tool("refresh", self.repo, "--timestamp-key", pem("timestamp"), expect=TRUST)
        self.publish(roles=(), expect=USAGE)
        self.tool("refresh", self.repo, "--timestamp-key", pem("ts-b"))
        c.refresh()

    def test_root_and_roles_at_once(self):
        self.init()
        self.add_target("a.txt")
        self.publish()
        self.add_target("draft.txt")
        self.tool("root", "rotate", self.repo, *self.swap("snapshot", "snapshot", "sn-b"))
        self.tool("root", "sign", self.repo, "--key", pem("root"))
        self.tool("root", "publish", self.repo, *self.signing("snapshot", "timestamp"))
        c = self.client("c")
        c.refresh()
        self.assertEqual((c.version("snapshot"), c.version("timestamp"), c.version("targets")), (2, 2, 1))
        self.assertTrue((self.repo / "staging/targets/draft.txt").exists())

    def test_root_tells_what_to_publish(self):
        """A key is added without being needed: nothing is stale. A threshold of two makes targets stale, and all that lists it."""
        self.init()
        self.add_target("a.txt")
        self.publish()
        self.rotate("--add-targets-key", public("ta-b", self.dir), root=["root"])
        self.keys["targets"].append("ta-b")
        self.rotate("--targets-threshold", 2, root=["root"], then=("targets", "snapshot", "timestamp"))
        c = self.client("c")
        c.refresh()
        self.assertEqual((c.version("root"), c.version("targets")), (3, 2))
        self.publish("--extend")
        self.assertEqual(self.publish("--extend", "--targets-key", pem("targets"), expect=None).returncode, USAGE)  # given twice
        self.keys["targets"] = ["targets"]
        self.publish("--extend", expect=TRUST)


class CoSigning(Case):
    def setUp(self):
        super().setUp()
        self.keys.update(root=["root", "root-b"], targets=["targets", "ta-b"])
        self.init(root=2, targets=2)
        self.add_target("a.txt")
        self.publish()

    def test_root_signed_at_two_places(self):
        self.tool("root", "rotate", self.repo, "--add-root-key", public("root-c", self.dir), "--remove-root-key", key_id("root-b"))
        pending = self.repo / "staging/pending.root.json"
        before = json.loads(pending.read_text())["signed"]
        places = []
        for k in ("root", "root-b", "root-c"):
            place = self.dir / f"at-{k}"
            place.mkdir()
            shutil.copy(pending, place / "root.json")
            shutil.copy(self.repo / "metadata/1.root.json", place / "1.root.json")
            more = ["--previous", place / "1.root.json"]
            if k == "root-b":  # a key of the old root alone needs that root to be known as such
                self.tool("root", "sign", place / "root.json", "--key", pem(k), expect=TRUST)
            out = self.tool("root", "sign", place / "root.json", "--key", pem(k), *more).stdout
            self.assertRegex(out, r"1 of 2 of the old" if k != "root-c" else r"0 of 2 of the old, 1 of 2 of the new")
            places.append(place / "root.json")
        self.tool("root", "publish", self.repo, expect=TRUST)
        self.tool("root", "merge", pending, *places[:2])
        self.tool("root", "publish", self.repo, expect=TRUST)  # 2 of the old, 1 of the new
        self.tool("root", "merge", pending, places[2])
        shown = json.loads(self.tool("root", "show", self.repo, "--json").stdout)
        self.assertEqual((shown["old"]["signatures"], shown["new"]["signatures"]), (2, 2))
        self.assertEqual(json.loads(pending.read_text())["signed"], before)
        published = pending.read_bytes()
        self.tool("root", "publish", self.repo)
        self.assertFalse(pending.exists())
        self.assertEqual(self.client("c").refresh().returncode, 0)
        pending.write_bytes(published)
        was = (self.repo / "metadata/2.root.json").read_bytes()
        for verb in ("publish", "sign"):
            self.tool("root", verb, self.repo, *(["--key", pem("root")] if verb == "sign" else []), expect=STATE)
        self.assertEqual((self.repo / "metadata/2.root.json").read_bytes(), was)

    def test_targets_signed_at_two_places(self):
        self.add_target("b.txt")
        self.keys["targets"] = ["targets"]
        self.publish(expect=TRUST)
        self.tool("role", "prepare", self.repo)
        pending = self.repo / "staging/pending.targets.json"
        files = []
        for k in ("targets", "ta-b"):
            files.append(self.dir / f"{k}.json")
            shutil.copy(pending, files[-1])
            self.tool("role", "sign", files[-1], "--key", pem(k), "--root", self.repo / "metadata/1.root.json")
        self.tool("role", "sign", files[0], "--key", pem("stranger"), "--root", self.repo / "metadata/1.root.json", expect=TRUST)
        self.tool("role", "sign", self.repo, "--key", pem("stranger"), expect=TRUST)
        self.publish(roles=("snapshot", "timestamp"), expect=TRUST)
        self.tool("role", "merge", pending, files[0])
        self.publish(roles=("snapshot", "timestamp"), expect=TRUST)
        self.tool("role", "merge", pending, files[1])
        self.publish(roles=("snapshot", "timestamp"))
        self.assertFalse(pending.exists())
        c = self.client("c")
        c.refresh()
        c.download("a.txt", "b.txt")
        self.assertEqual(len(self.metadata("2.targets.json")["signatures"]), 2)

    def test_pending_targets_with_the_last_key_at_publication(self):
        self.add_target("b.txt")
        self.tool("role", "prepare", self.repo)
        self.tool("role", "sign", self.repo, "--key", pem("ta-b"))
        self.keys["targets"] = ["targets"]
        self.publish()
        self.client("c").refresh()

    def test_draft_changed_after_prepare(self):
        self.add_target("b.txt")
        self.tool("role", "prepare", self.repo)
        for k in self.keys["targets"]:
            self.tool("role", "sign", self.repo, "--key", pem(k))
        self.add_target("c.txt")
        self.publish(roles=("snapshot", "timestamp"), expect=STATE)
        self.assertFalse((self.repo / "metadata/2.targets.json").exists())

    def test_refused(self):
        rotate = lambda *a, expect: self.tool("root", "rotate", self.repo, *a, expect=expect)
        rotate("--remove-root-key", "00" * 32, expect=MISSING)
        rotate("--remove-root-key", key_id("root")[:7], expect=MISSING)
        rotate("--remove-root-key", key_id("root"), expect=USAGE)  # one key for a threshold of two
        rotate("--root-threshold", 3, expect=USAGE)
        rotate("--root-threshold", 0, expect=USAGE)
        rotate("--expires", "2026-11-22T03:59:59Z", expect=USAGE)
        rotate("--add-root-key", self.dir / "nothing.pem", expect=MISSING)
        self.assertFalse((self.repo / "staging/pending.root.json").exists())
        self.tool("root", "publish", self.repo, expect=MISSING)
        rotate("--expires", "in 2 weeks", expect=OK)
        self.tool("root", "sign", self.repo, "--key", pem("stranger"), expect=TRUST)
        a, b = self.dir / "a.json", self.repo / "staging/pending.root.json"
        shutil.copy(b, a)
        rotate("--expires", "in 3 weeks", expect=OK)
        self.tool("root", "merge", b, a, expect=TRUST)
        self.tool("role", "merge", b, self.repo / "metadata/timestamp.json", expect=TRUST)
        self.tool("role", "sign", b, "--key", pem("root"), expect=USAGE)
        self.tool("root", "sign", self.repo / "metadata/timestamp.json", "--key", pem("root"), expect=TRUST)

    def test_editing_drops_signatures_and_bad_ones_are_left_out(self):
        pending = self.repo / "staging/pending.root.json"
        self.tool("root", "rotate", self.repo, "--expires", "in 2 weeks")
        self.tool("root", "sign", self.repo, "--key", pem("root"), "--key", pem("root-b"))
        self.tool("root", "rotate", self.repo, "--add-timestamp-key", public("ts-b", self.dir))
        self.assertEqual(json.loads(pending.read_text())["signatures"], [])
        self.tool("root", "sign", self.repo, "--key", pem("root"), "--key", pem("root-b"))
        j = json.loads(pending.read_text())
        j["signatures"] += [{"keyid": "ab" * 32, "sig": "00" * 64}, {"keyid": key_id("timestamp"), "sig": ""}]
        pending.write_text(json.dumps(j))
        self.tool("root", "publish", self.repo)
        self.assertEqual(len(self.metadata("2.root.json")["signatures"]), 2)


class Refresh(Case):
    def setUp(self):
        super().setUp()
        self.init()
        self.add_target("a.txt")
        self.publish()

    def files(self):
        return {str(p.relative_to(self.repo)): (p.read_bytes(), p.stat().st_mtime_ns) for p in self.repo.rglob("*")
                if p.is_file() and p.name != "lock"}

    def test_replaces_the_timestamp_alone(self):
        self.add_target("draft.txt")
        before = self.files()
        self.now = "2026-11-23T04:00:00Z"
        self.tool("refresh", self.repo, "--timestamp-key", pem("timestamp"))
        after = self.files()
        self.assertEqual({n for n in before | after if before.get(n) != after.get(n)}, {"metadata/timestamp.json"})
        self.assertEqual(self.metadata("timestamp.json")["signed"]["version"], 2)
        self.assertEqual(self.metadata("timestamp.json")["signed"]["expires"], "2026-11-30T04:00:00Z")
        self.client("c").refresh()

    def test_refused(self):
        before = self.files()
        self.tool("refresh", self.repo, expect=USAGE)
        self.tool("refresh", self.repo, "--timestamp-key", pem("snapshot"), expect=TRUST)
        self.tool("refresh", self.repo, "--timestamp-key", pem("timestamp"), "--expires-timestamp", "2026-11-22T04:00:00Z", expect=USAGE)
        # The snapshot expires at 2026-12-06T04:00:00Z.
        self.tool("refresh", self.repo, "--timestamp-key", pem("timestamp"), "--expires-timestamp", "2026-12-06T04:00:01Z", expect=STATE)
        self.assertEqual(self.files(), before)
        p = self.tool("refresh", self.repo, "--timestamp-key", pem("timestamp"), "--expires-timestamp", "2026-12-06T04:00:00Z")
        self.assertIn("snapshot expires", p.stderr)

    def test_extend(self):
        self.add_target("draft.txt")
        self.now = "2026-12-05T04:00:00Z"
        self.tool("refresh", self.repo, "--timestamp-key", pem("timestamp"), expect=STATE)
        self.publish("--extend", roles=("snapshot", "timestamp"))
        self.assertEqual(self.metadata("2.snapshot.json")["signed"]["expires"], "2026-12-19T04:00:00Z")
        self.assertFalse((self.repo / "metadata/2.targets.json").exists())
        self.publish("--extend")
        self.assertEqual(set(self.metadata("2.targets.json")["signed"]["targets"]), {"a.txt"})
        self.publish()
        self.assertEqual(set(self.metadata("3.targets.json")["signed"]["targets"]), {"a.txt", "draft.txt"})


class Delegation(Case):
    def setUp(self):
        super().setUp()
        self.init()

    def test_bins(self):
        self.tool("delegation", "bins", self.repo, "--bits", 3, "--key", public("bins", self.dir), "--name", "bin")
        names = [f"file-{i}.txt" for i in range(20)]
        for n in names:
            self.add_target(n, None, "--role", "bin")
        self.publish(expect=USAGE)
        self.publish("--role-key", f"bin={pem('stranger')}", expect=TRUST)
        self.publish("--role-key", f"bin={pem('bins')}")
        for n in names:  # the place of each by the rule of TAP 15
            role = f"bin-{hashlib.sha256(n.encode()).digest()[0] >> 5:x}"
            self.assertIn(n, self.metadata(f"1.{role}.json")["signed"]["targets"])
        c = self.client("c")
        c.refresh()
        c.download(*names)
        self.assertEqual((c.out / "file-7.txt").read_text(), "this is file-7.txt\n")
        self.add_target("one-more.txt", None, "--role", "bin")
        role = f"bin-{hashlib.sha256(b'one-more.txt').digest()[0] >> 5:x}"
        self.publish("--role-key", f"bin={pem('bins')}", roles=("snapshot", "timestamp"))
        self.assertEqual([p.name for p in (self.repo / "metadata").glob("2.bin-*.json")], [f"2.{role}.json"])
        c.refresh()
        c.download("one-more.txt")
        self.publish("--extend", "--role-key", f"bin={pem('bins')}", roles=("snapshot", "timestamp"))
        self.assertEqual(len(list((self.repo / "metadata").glob("2.bin-*.json"))), 8)

    def test_paths_threshold_and_order(self):
        self.tool("delegation", "add", self.repo, "--name", "docs", "--key", public("d1", self.dir), "--key", public("d2", self.dir),
                  "--threshold", 2, "--path", "*.md", "--terminating")
        self.tool("delegation", "add", self.repo, "--name", "rest", "--key", public("d3", self.dir), "--hash-prefix", "")
        self.add_target("a.md", None, "--role", "docs")
        self.add_target("a.txt", None, "--role", "rest")
        self.publish("--role-key", f"docs={pem('d1')}", "--role-key", f"rest={pem('d3')}", expect=TRUST)
        self.tool("role", "prepare", self.repo, "--role", "docs")
        elsewhere = self.dir / "docs.json"
        shutil.copy(self.repo / "staging/pending.docs.json", elsewhere)
        self.tool("role", "sign", elsewhere, "--key", pem("d2"))
        self.tool("role", "merge", self.repo / "staging/pending.docs.json", elsewhere)
        self.publish("--role-key", f"docs={pem('d1')}", "--role-key", f"rest={pem('d3')}")
        c = self.client("c")
        c.refresh()
        c.download("a.md", "a.txt")
        roles = self.metadata("1.targets.json")["signed"]["delegations"]["roles"]
        self.assertEqual([(r["name"], r["terminating"], r["threshold"]) for r in roles], [("docs", True, 2), ("rest", False, 1)])

    def test_revoked_and_removed(self):
        add = ["delegation", "add", self.repo, "--name", "docs", "--path", "*.md"]
        self.tool(*add, "--key", public("d1", self.dir))
        self.add_target("a.md", None, "--role", "docs")
        self.publish("--role-key", f"docs={pem('d1')}")
        self.tool(*add, "--key", public("d2", self.dir))
        self.publish("--role-key", f"docs={pem('d1')}", expect=TRUST)
        self.publish(expect=USAGE)
        self.publish("--role-key", f"docs={pem('d2')}")
        self.assertEqual(list(self.metadata("2.targets.json")["signed"]["delegations"]["keys"]), [key_id("d2")])
        c = self.client("c")
        c.refresh()
        c.download("a.md")
        self.tool("delegation", "remove", self.repo, "--name", "docs")
        self.publish()
        self.assertNotIn("delegations", self.metadata("3.targets.json")["signed"])
        self.assertIn("docs.json", self.metadata("3.snapshot.json")["signed"]["meta"])  # or hosts would call it a rollback
        c.refresh()
        c.download("a.md", expect=1)
        self.tool(*add, "--key", public("d1", self.dir))
        self.publish("--role-key", f"docs={pem('d1')}")
        self.assertEqual(self.metadata("4.snapshot.json")["signed"]["meta"]["docs.json"]["version"], 3)
        c.refresh()

    def test_refused(self):
        key = ["--key", pem("d1")]
        bad = lambda *a, expect=USAGE: self.tool("delegation", *a, expect=expect)
        bad("add", self.repo, "--name", "docs", "--path", "*.md")
        bad("add", self.repo, "--name", "docs", *key)
        bad("add", self.repo, "--name", "docs", "--path", "*", "--hash-prefix", "0", *key)
        bad("add", self.repo, "--name", "docs", "--hash-prefix", "0X", *key)
        bad("add", self.repo, "--name", "a/b", "--path", "*", *key)
        bad("add", self.repo, "--name", "docs", "--path", "*", "--threshold", 2, *key)
        bad("add", self.repo, "--name", "snapshot", "--path", "*", *key, expect=FORMAT)
        for bits, expect in ((0, USAGE), (13, USAGE), (12, OK)):
            bad("bins", self.repo, "--bits", bits, *key, expect=expect)
        bad("add", self.repo, "--name", "docs", "--path", "*.md", *key, expect=STATE)
        bad("remove", self.repo, "--name", "docs", expect=MISSING)
        bad("remove", self.repo, "--name", "bin", expect=OK)
        p = bad("add", self.repo, "--name", "docs", "--path", "[ab]*.md", *key, expect=OK)
        self.assertIn("clients differ", p.stderr)
        bad("bins", self.repo, "--bits", 2, *key, expect=STATE)
        self.add_target("a.txt", None, "--role", "docs")
        self.publish("--role-key", f"docs={pem('d1')}", expect=STATE)  # not covered
        self.publish("--role-key", f"other={pem('d1')}", expect=STATE)
        self.publish("--role-key", "docs", expect=USAGE)


@unittest.skipUnless(shutil.which("softhsm2-util") and os.path.exists(SOFTHSM) and os.path.exists(ENGINE),
                     "softhsm2 or libengine-pkcs11-openssl is not installed")
class Token(Case):
    def setUp(self):
        super().setUp()
        tokens = self.dir / "tokens"
        tokens.mkdir()
        conf = self.dir / "softhsm2.conf"
        conf.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.env = os.environ | {"SOFTHSM2_CONF": str(conf), "PKCS11_MODULE_PATH": SOFTHSM}
        run("softhsm2-util", "--init-token", "--free", "--label", "flip", "--pin", "1234", "--so-pin", "1234", env=self.env)
        for label, algorithm in (("ec", ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]), ("rsa", ["RSA", "-pkeyopt", "rsa_keygen_bits:3072"])):
            path = self.dir / f"{label}.pem"
            run("openssl", "genpkey", "-algorithm", *algorithm, "-out", path)
            run("softhsm2-util", "--import", path, "--token", "flip", "--label", label, "--id", "01" if label == "ec" else "02", "--pin",
                "1234", env=self.env)
        self.pin = self.dir / "pin"
        self.pin.write_text("1234\n")

    @staticmethod
    def uri(label):
        return f"pkcs11:token=flip;object={label};type=private"

    def test_keys_in_a_token(self):
        pin = ["--passphrase-file", self.pin]
        online = [x for r in ("snapshot", "timestamp") for x in (f"--{r}-key", pem(r))]
        self.tool("root", "init", self.repo, "--root-key", self.uri("ec"), "--targets-key", self.uri("rsa"), *online, *pin, env=self.env)
        self.add_target("a.txt")
        self.tool("publish", self.repo, "--targets-key", self.uri("rsa"), *online, *pin, env=self.env)
        c = self.client("c")
        c.refresh()
        self.tool("root", "rotate", self.repo, "--add-root-key", public("root", self.dir))
        self.tool("root", "sign", self.repo, "--key", self.uri("ec"), *pin, env=self.env)
        self.tool("root", "publish", self.repo)
        c.refresh()
        c.download("a.txt")
        self.assertEqual(c.version("root"), 2)

    def test_refused(self):
        for uri, pin in ((self.uri("none"), "1234"), (self.uri("ec"), "9999")):
            p = run(REPO, "key", "show", uri, env=self.env | {"FLIPSIDE_REPO_PASSPHRASE": pin}, expect=None)
            self.assertNotEqual(p.returncode, OK)
            self.assertNotIn(pin, p.stdout + p.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
