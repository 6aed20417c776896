"""Runs the guides: every block marked sh, in order, in one shell that stops at the first failure.

FLIPSIDE_BUILD names the build folder; test-fixtures/ is on the path.
"""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from lab import BOOTSIM, BUILD, FLIPSIDE, MIB, SIGNPOST, Lab, make_image

DOCS = pathlib.Path(__file__).resolve().parent


def script(name):
    blocks = re.findall(r"^```sh\n(.*?)^```$", (DOCS / name).read_text(), re.M | re.S)
    assert blocks, name
    return "set -euo pipefail\n" + "".join(blocks)


def follow(name, cwd, *folders):
    """Runs the blocks of a guide with programs from these folders. Returns what was printed, both streams in order."""
    env = dict(os.environ, PATH=":".join([*map(str, folders), os.environ["PATH"], "/usr/sbin:/sbin"]))
    p = subprocess.run(["bash", "-x", "-c", script(name)], cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=120)
    assert p.returncode == 0, f"{name}: exit {p.returncode}\n{p.stdout}"
    return p.stdout


class Guides(unittest.TestCase):
    def test_release_engineering(self):
        with tempfile.TemporaryDirectory(prefix="flipside-guide-") as dir:
            make_image(f"{dir}/root.erofs", MIB, "root")
            make_image(f"{dir}/boot.erofs", MIB // 4, "boot")
            printed = follow("release-engineering.md", dir, BUILD / "tools", BUILD / "tuf")
            self.assertIn("manifest.json: verified", printed)
            self.assertRegex(printed, r"\nupdate    demo x86_64 1\.1\.0, max 1\.1\.0, 7 waves\n")
            served = {f: sorted(os.listdir(f"{dir}/mirror/{f}")) for f in ("metadata", "targets")}
            self.assertIn("timestamp.json", served["metadata"])
            self.assertEqual(len([t for t in served["targets"] if t.endswith(".zst")]), 3)

    def test_operating(self):
        with Lab() as lab:
            lab.add_version("1.0.1", migrations_from="1.0.0")
            host = Host(lab)
            printed = follow("operating.md", lab.dir, host.bin)
            self.assertIn("State:    Staged", printed)
            self.assertEqual(re.findall(r"^booting set (.)", printed, re.M), ["B", "A", "B"])
            self.assertIn("Active:  Set B", printed.rsplit("+ signpost status", 1)[1])


    def test_messages(self):
        """What a guide says that a program says is in the programs' source, but for what stands for '...'."""
        folders = [DOCS.parent / name for name in ("base", "tuf", "partitions", "updater")]
        source = "".join(f.read_text() for folder in folders for f in folder.glob("*.[ch]"))
        table = (DOCS / "operating.md").read_text().split("## What to do when", 1)[1]
        cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| ")][1:]
        texts = [text for cell in cells for text in re.findall(r"`([^`]+)`", cell)]
        self.assertGreater(len(texts), 5)
        for piece in (piece.strip() for text in texts for piece in text.split("...")):
            with self.subTest(piece):
                self.assertIn(piece, source)


class Host:
    """A host's commands for a lab's disk: the real programs with its configuration, and a reboot by the boot selector's code."""

    def __init__(self, lab):
        self.bin = lab.dir / "bin"
        self.bin.mkdir()
        conf = lab.dir / "flipside.conf"
        self.put("flipside", f'exec "{FLIPSIDE}" --config "{conf}" "$@"')
        self.put("signpost", f'exec "{SIGNPOST}" --config "{conf}" "$@"')
        # What boots next is in force from then on: which set is active, and the version that os-release tells.
        self.put("systemctl", f"""[ "$*" = reboot ]
            was=$(sed -n 's/^active_set = //p' "{conf}")
            cp "{lab.dir}/os-release" "{lab.dir}/os-release.$was"
            said=$("{BOOTSIM}" "{lab.disk}")
            echo "$said"
            set=${{said#booting set }}
            set=${{set%% *}}
            sed -i "s/^active_set = .*/active_set = $set/" "{conf}"
            [ -e "{lab.dir}/os-release.$set" ] || sed "s/1\\.0\\.0/1.0.1/" "{lab.dir}/os-release" >"{lab.dir}/os-release.$set"
            cp "{lab.dir}/os-release.$set" "{lab.dir}/os-release\"""")

    def put(self, name, body):
        path = self.bin / name
        path.write_text(f"#!/bin/bash\nset -e\n{body}\n")
        path.chmod(0o755)


if __name__ == "__main__":
    unittest.main()
