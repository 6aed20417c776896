"""`clone`: mirrors of a repository, and hosts behind them."""
import json
import shutil
import sys
import unittest

from lab import MISSING, OK, TRUST, USAGE
from publisher import ROLES, Versions, pem, served


class Clone(Versions):
    def setUp(self):
        super().setUp()
        self.out = self.dir / "out"

    def clone(self, *more, where=None, root=None, expect=OK):
        where = where or f"file://{self.repo}"
        p = self.tool("clone", self.out, "--metadata-url", f"{where}/metadata", "--targets-url", f"{where}/targets", "--root",
                      root or self.repo / "metadata/1.root.json", "--json", *more, expect=expect)
        return json.loads(p.stdout)

    def next_root(self):
        self.tool("root", "rotate", self.repo)
        self.tool("root", "sign", self.repo, "--key", pem("root"))
        self.tool("root", "publish", self.repo)

    def test_file_then_update(self):
        n = len(list((self.repo / "targets").iterdir()))
        done = self.clone()
        self.assertEqual((done["targets_fetched"], done["targets_kept"]), (n, 0))
        for folder in ("metadata", "targets"):
            self.assertEqual({p.name: p.read_bytes() for p in (self.repo / folder).iterdir()},
                             {p.name: p.read_bytes() for p in (self.out / folder).iterdir()})
        self.next_root()
        self.add_version("1.2.0")
        self.tool("migration", "add", self.repo, "--from", "1.1.0", "--to", "1.2.0", self.dir / "step", "-q")
        self.publish()
        done = self.clone()
        self.assertEqual((done["targets_fetched"], done["root_version"], done["timestamp_version"]), (5, 2, 2))  # images, step, manifest
        damaged = next((self.out / "targets").glob("*loose.txt"))
        damaged.write_text("THIS is loose.txt\n")
        self.assertEqual(self.clone()["targets_fetched"], 1)
        self.assertEqual(damaged.read_text(), "this is loose.txt\n")
        self.assertEqual(self.clone()["targets_fetched"], 0)
        code, names, _ = self.check(self.out)
        self.assertEqual((code, names - {"threshold-one"}), (OK, set()))

    def test_http_and_a_host_behind_the_mirror(self):
        self.next_root()
        self.clone(where=served(self, self.repo), root=self.repo / "metadata/2.root.json")
        self.assertTrue((self.out / "metadata/1.root.json").exists())  # for hosts older than the root that was trusted
        c = self.client("c", where=served(self, self.out))
        c.refresh()
        c.download("a.md", "loose.txt", "manifest.json")
        self.assertEqual(c.version("root"), 2)

    def test_chosen_versions(self):
        self.clone("--version", "1.1.0", "--version", "v1.1.0")
        kinds = sorted(p.name.split(".", 1)[1] for p in (self.out / "targets").iterdir())
        self.assertEqual([k for k in kinds if "1.0.0" in k], [])
        self.assertEqual(len(kinds), 5, kinds)
        self.clone("--version", "9.9.9", expect=MISSING)
        self.clone("--metadata-only", "--version", "1.1.0", expect=USAGE)

    def test_metadata_only(self):
        self.clone("--metadata-only")
        self.assertEqual(list((self.out / "targets").iterdir()), [])
        self.client("c", where=f"file://{self.out}").refresh()

    def test_refused_leaves_the_mirror(self):
        self.clone()
        old = self.dir / "old"
        shutil.copytree(self.repo, old)
        self.tool("refresh", self.repo, "--timestamp-key", pem("timestamp"))
        self.clone()
        everything = lambda: {p: p.read_bytes() for p in self.out.rglob("*") if p.is_file() and p.name != "lock"}
        before = everything()
        self.clone(where=f"file://{old}", expect=TRUST)  # rollback
        self.tool("root", "init", self.dir / "stranger", *[x for r in ROLES for x in (f"--{r}-key", pem("stranger"))])
        self.clone(root=self.dir / "stranger/metadata/1.root.json", expect=TRUST)
        self.clone(root=self.repo / "metadata/timestamp.json", expect=TRUST)
        target = next((self.repo / "targets").glob("*loose.txt"))
        target.write_text("THIS is loose.txt\n")
        self.out_kept, self.out = self.out, self.dir / "fresh"
        self.clone(expect=TRUST)
        self.assertFalse((self.out / "metadata/timestamp.json").exists())
        self.now = "2027-01-22T04:00:00Z"
        self.out = self.out_kept
        self.clone(expect=TRUST)  # expired
        self.assertTrue(everything() == before)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
