"""A release engineer, a mirror and a host in one temporary folder, for end-to-end tests through the real programs.

Judges are independent of the code under test: a GPT reader of its own, sgdisk, veritysetup. FLIPSIDE_BUILD names the build folder.
"""
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import tempfile
import zlib

BUILD = pathlib.Path(os.environ["FLIPSIDE_BUILD"])
REPO = BUILD / "tools/flipside-repo"
FLIPSIDE = BUILD / "updater/flipside"
SIGNPOST = BUILD / "updater/signpost"
BOOTSIM = BUILD / "tools/bootsim"
MKDISK = BUILD / "test-fixtures/mkdisk"
ARCH = os.uname().machine
MIB = 1 << 20

# The exit codes, one table for all programs.
OK, BUG, USAGE, STATE, BUSY, MISSING, NETWORK, FORMAT, TRUST, SYSTEM = range(10)

BOOT_TYPE = "6b636168-7420-6568-2070-6c616e657421"
ROOT_TYPE = "5526016a-1a97-4ea4-b39a-b7c8c6ca4502"
HASH_TYPE = "598f10af-c955-4456-6a99-7720068a6cea"
ROLES = {"boot": BOOT_TYPE, "root": ROOT_TYPE, "hash": HASH_TYPE}


class Failed(AssertionError):
    """A program ended otherwise than the test says."""


def run(*argv, expect=OK, env=None, timeout=600, **kw):
    """Runs a program; its exit code must be `expect` (None: any). Returns the finished process with text output."""
    p = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=timeout, env=env, **kw)
    if expect is not None and p.returncode != expect:
        raise Failed(f"{pathlib.Path(str(argv[0])).name} {' '.join(map(str, argv[1:]))}: exit {p.returncode}, not {expect}\n"
                     f"stdout: {p.stdout}\nstderr: {p.stderr}")
    return p


def guid_text(b):
    a, c, d = struct.unpack("<IHH", b[:8])
    return f"{a:08x}-{c:04x}-{d:04x}-{b[8:10].hex()}-{b[10:].hex()}"


class Gpt:
    """Both copies of a disk image's partition table, read by the UEFI specification."""

    def __init__(self, path, sector=512):
        with open(path, "rb") as f:
            f.seek(0, 2)
            last = f.tell() // sector - 1
            self.copies = {"primary": self._copy(f, 1, sector), "backup": self._copy(f, last, sector)}
        self.sector = sector
        good = [c for c in self.copies.values() if c]
        self.entries = good[0] if good else None

    @staticmethod
    def _copy(f, lba, sector):
        f.seek(lba * sector)
        h = bytearray(f.read(92))
        if h[:8] != b"EFI PART" or struct.unpack_from("<Q", h, 24)[0] != lba:
            return None
        crc, = struct.unpack_from("<I", h, 16)
        h[16:20] = bytes(4)
        array_lba, n, size, array_crc = struct.unpack_from("<QIII", h, 72)
        if zlib.crc32(h) != crc or n * size > MIB:
            return None
        f.seek(array_lba * sector)
        array = f.read(n * size)
        if zlib.crc32(array) != array_crc:
            return None
        out = []
        for i in range(n):
            e = array[i * size:(i + 1) * size]
            if any(e[:16]):
                first, last, attributes = struct.unpack_from("<QQQ", e, 32)
                out.append((i + 1, guid_text(e[:16]), first, last, attributes))
        return out

    def equal(self):
        return self.copies["primary"] is not None and self.copies["primary"] == self.copies["backup"]

    def partitions(self, role):
        return [e for e in self.entries if e[1] == ROLES[role]]

    def entry(self, name, role):
        return self.partitions(role)["AB".index(name)]

    def range(self, name, role):
        _, _, first, last, _ = self.entry(name, role)
        return first * self.sector, (last - first + 1) * self.sector

    def bits(self, name):
        a = self.entry(name, "boot")[4]
        return (a >> 48 & 15, a >> 52 & 15, a >> 56 & 1)


def make_image(path, size, seed):
    """A file that compresses to about a half: runs of noise, of text and of zeros."""
    r = random.Random(seed)
    with open(path, "wb") as f:
        left = size
        while left:
            kind = r.randrange(3)
            n = min(left, 1 + r.randrange(64 * 1024))
            f.write(r.randbytes(n) if kind == 0 else (b"the quick brown fox %d\n" % r.randrange(99) * (n // 20 + 1))[:n]
                    if kind == 1 else bytes(n))
            left -= n


class Lab:
    """repo/ (published), disk.img, os-release and flipside.conf below one folder that goes with the object."""

    def __init__(self, root_mib=8, boot_mib=2, hash_mib=1, root_size=None, disk=True, thresholds=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="flipside-lab-"))
        self.repo, self.disk = self.dir / "repo", self.dir / "disk.img"
        self.root_size = root_size or 4 * MIB + 4096 * 3
        self.server = None
        self.settings = {}
        self.metadata_url = f"file://{self.repo}/metadata"
        self.targets_url = f"file://{self.repo}/targets"
        self.active, self.version = "A", "1.0.0"
        for role in ("root", "targets", "snapshot", "timestamp"):
            run(REPO, "key", "new", self.dir / f"{role}.pem")
        run(REPO, "root", "init", self.repo, *self.role_keys("root", "targets", "snapshot", "timestamp"),
            "--expires", "in 52 weeks")
        shutil.copy(self.repo / "metadata/1.root.json", self.dir / "trusted-root.json")
        if disk:
            run(MKDISK, self.disk, "--root-mib", root_mib, "--boot-mib", boot_mib, "--hash-mib", hash_mib)
            self.fill_set_a()
        self.write_os_release("1.0.0")
        self.write_config()

    def close(self):
        self.stop_server()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # The release engineer

    def role_keys(self, *roles):
        return [x for r in roles for x in (f"--{r}-key", self.dir / f"{r}.pem")]

    def add_version(self, version, compress="zstd", images=None, migrations_from=None, publish=True, size=None, more=()):
        """Images of a version, a manifest entry, and (if asked) an empty migration step and publication."""
        images = images or {}
        for role, n in (("root", size or self.root_size), ("boot", 300 * 1024)):
            if role not in images:
                images[role] = self.dir / f"{role}-{version}.img"
                make_image(images[role], n, f"{role} {version}")
        run(REPO, "image", "add", self.repo, "--variant", "demo", "--arch", ARCH, "--version", version, "--name", "demo",
            "--root", images["root"], "--boot", images["boot"], "--compress", compress, *more)
        run(REPO, "update", "add", self.repo, "--variant", "demo", "--arch", ARCH, "--version", version)
        if migrations_from:
            run(REPO, "migration", "add", self.repo, "--from", migrations_from, "--to", version)
        if publish:
            self.publish()

    def publish(self, *more, expect=OK):
        return run(REPO, "publish", self.repo, *self.role_keys("targets", "snapshot", "timestamp"), *more, expect=expect)

    def manifest(self):
        newest = self.newest_target("manifest.json")
        return json.loads(newest.read_text())

    def newest_target(self, name):
        """The published file of a target, by the newest targets metadata."""
        best = max((self.repo / "metadata").glob("*.targets.json"), key=lambda p: int(p.name.split(".")[0]))
        t = json.loads(best.read_text())["signed"]["targets"][name]
        return self.repo / "targets" / f"{t['hashes']['sha256']}.{name}"

    def image_target(self, version, role):
        u = next(u for u in self.manifest()["updates"] if u["version"] == version)
        return self.newest_target(u["images"][role])

    # The mirror

    def serve(self):
        self.server = subprocess.Popen([str(REPO), "serve", str(self.repo), "--port", "0"], stdout=subprocess.PIPE, text=True)
        line = self.server.stdout.readline()
        url = re.search(r"http://[0-9.:]+", line).group(0)
        self.metadata_url, self.targets_url = url + "/metadata", url + "/targets"
        self.write_config()
        return url

    def stop_server(self):
        if self.server:
            self.server.terminate()
            self.server.wait()
            self.server.stdout.close()
            self.server = None

    # The host

    def write_os_release(self, version, variant="demo"):
        self.version = version
        (self.dir / "os-release").write_text(
            f'PRETTY_NAME="Demo OS {version}"\nVARIANT_ID={variant}\nVERSION_ID={version}\n')

    def write_config(self, **settings):
        """Keys of the [host], [network] and [updates] sections over the lab's own; they stay for later calls."""
        self.settings.update(settings)
        sections = {
            "updates": {"metadata_base_url": self.metadata_url, "targets_base_url": self.targets_url, "seed": 17},
            "network": {"allow_http": "true", "idle_timeout": "2s"},
            "host": {"disk": self.disk, "active_set": self.active, "os_release": self.dir / "os-release",
                     "trusted_root": self.dir / "trusted-root.json", "state_dir": self.dir / "state",
                     "metadata_dir": self.dir / "state/metadata", "migrations_dir": self.dir / "state/migrations",
                     "lock_file": self.dir / "state/lock"},
        }
        homes = {"version_lock": "updates", "ignore_waves": "updates", "enabled": "updates", "send_query": "updates"}
        for key, value in self.settings.items():
            home = next((s for s, keys in sections.items() if key in keys), homes.get(key, "host"))
            sections[home][key] = value
        text = "".join(f"[{s}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()) + "\n" for s, keys in sections.items())
        (self.dir / "flipside.conf").write_text(text)

    def flipside(self, *args, expect=OK, **kw):
        return run(FLIPSIDE, "--config", self.dir / "flipside.conf", *args, expect=expect, **kw)

    def signpost(self, *args, expect=OK):
        return run(SIGNPOST, "--config", self.dir / "flipside.conf", *args, expect=expect)

    def power_on(self, expect=OK):
        """What firmware and boot selector do: the set that runs from now on, or None. Its os-release is for the test to write."""
        p = run(BOOTSIM, self.disk, "--json", expect=expect)
        if expect != OK:
            return None
        self.active = json.loads(p.stdout)["set"]
        self.write_config()
        return self.active

    # Judges

    def gpt(self):
        return Gpt(self.disk)

    def bits(self):
        g = self.gpt()
        return g.bits("A"), g.bits("B")

    def read_partition(self, name, role):
        offset, size = self.gpt().range(name, role)
        with open(self.disk, "rb") as f:
            f.seek(offset)
            return f.read(size)

    def digest_of_set(self, name):
        h = hashlib.sha256()
        for role in ROLES:
            h.update(self.read_partition(name, role))
        return h.hexdigest()

    def fill_set_a(self):
        """Something to keep safe in the set that runs."""
        self.fill_set("A", 0)

    def fill_set(self, name, seed):
        g = self.gpt()
        with open(self.disk, "r+b") as f:
            for i, role in enumerate(ROLES):
                offset, size = g.range(name, role)
                f.seek(offset)
                f.write(random.Random(i + seed).randbytes(min(size, MIB)))

    def sgdisk_verify(self):
        out = run("sgdisk", "--verify", self.disk).stdout
        if "No problems found" not in out:
            raise Failed(out)

    def veritysetup_verify(self, name, root_hash):
        files = {}
        for role in ("root", "hash"):
            files[role] = self.dir / f"judge-{role}.img"
            files[role].write_bytes(self.read_partition(name, role))
        run("veritysetup", "verify", files["root"], files["hash"], root_hash)
