"""A whole cycle of the real programs, recorded: what the tests of power cuts replay. See docs/testing.md."""
import os
import pathlib
import random
import re
import shutil
import struct

from lab import BUILD, Failed, Lab, MIB, MKDISK, OK, ROLES, make_image, run

HERE = BUILD / "test-fixtures/powercut"
REPLAY = HERE / "replay_cuts"

# What is installed over each version to show that an update still works.
ANOTHER = {"1.0.0": "1.1.0", "1.1.0": "1.2.0", "1.2.0": "1.1.0"}


def text(bits):
    return "%d/%d/%d" % bits


def state(a, version_a, b, version_b, record="-"):
    """A legal state, as the replayer reads it."""
    return f"{text(a)} {version_a} {text(b)} {version_b} {record}"


class Host(Lab):
    """Version 1.0.0 runs from set A, 1.1.0 and 1.2.0 are published, and something bootable but unknown lies in set B."""

    def __init__(self):
        super().__init__(disk=False)
        run(MKDISK, self.disk, "--esp-mib", 1, "--private-mib", 1, "--root-mib", 5, "--boot-mib", 1, "--hash-mib", 1,
            "--set-a", "0/0/0", "--set-b", "1/0/1")
        self.fill_set_b()
        for version, before in (("1.0.0", "0.9.0"), ("1.1.0", "1.0.0"), ("1.2.0", "1.1.0")):
            # Not a whole number of sectors, so that its end goes through the page cache.
            boot = self.dir / f"boot-{version}.img"
            make_image(boot, 300 * 1024 + 100, f"boot {version}")
            self.add_version(version, images={"boot": boot}, migrations_from=before, publish=version == "1.2.0")
        self.versions = []
        for u in self.manifest()["updates"]:
            d = self.dir / "versions" / u["version"]
            d.mkdir(parents=True)
            for role in ("root", "boot"):
                os.link(self.dir / f"{role}-{u['version']}.img", d / f"{role}.img")
            (d / "root-hash").write_text(u["verity"]["root_hash"])
            self.versions.append(d)
        self.boot("B", "0.9.0")
        self.flipside("update-image", "--quiet", "--image", "1.0.0")
        self.flipside("update-apply")
        assert self.power_on() == "A"
        self.boot("A", "1.0.0")
        self.signpost("mark-successful-boot")
        shutil.copy(self.disk, self.dir / "start.img")
        shutil.copytree(self.dir / "state", self.dir / "start-state")

    def fill_set_b(self):
        g = self.gpt()
        with open(self.disk, "r+b") as f:
            for i, role in enumerate(ROLES):
                offset, size = g.range("B", role)
                f.seek(offset)
                f.write(random.Random(i).randbytes(size))

    def boot(self, name, version):
        self.active = name
        self.write_config()
        self.write_os_release(version)

    def restore(self, disk, state_dir):
        shutil.copy(disk, self.disk)
        shutil.rmtree(self.dir / "state")
        shutil.copytree(state_dir, self.dir / "state")

    def version_in(self, name):
        """The version whose root image lies in a set; None: no whole one."""
        root = self.read_partition(name, "root")
        for d in self.versions:
            image = (d / "root.img").read_bytes()
            if root[:len(image)] == image:
                return d.name
        return None

    def root_hash(self, version):
        return (self.dir / "versions" / version / "root-hash").read_text()


class Recording:
    """Programs run on a host's disk, their writes and flushes in a log. `programs` replaces some of them by wrong builds."""

    def __init__(self, host, name, start=None, programs=None, cached=False, disk=None):
        self.host, self.programs = host, programs or {}
        self.disk = disk or host.disk
        self.start, self.log = start or host.dir / "start.img", host.dir / f"{name}.log"
        self.final, self.states = host.dir / f"{name}.final", host.dir / f"{name}.states"
        self.n_steps = 0
        self.log.write_bytes(b"")
        self.state_dirs = {}
        self.env = dict(os.environ, FLIPSIDE_RECORD_LOG=str(self.log), FLIPSIDE_RECORD_DISK=str(self.disk))
        if cached:
            self.env["FLIPSIDE_RECORD_CACHED"] = "1"
        host.restore(self.start, host.dir / "start-state")
        host.boot("A", "1.0.0")
        self.now = state((2, 0, 1), "1.0.0", (1, 0, 1), "-")

    def mark(self, name, running, legal):
        data = "\n".join([f"{name} {running}"] + legal).encode()
        with open(self.log, "ab") as f:
            f.write(struct.pack("=BBHIIIQ", ord("M"), 0, 0, 0, 0, len(data), 0) + data)

    def save_state_dir(self, name):
        to = self.host.dir / "state-dirs" / f"{self.log.stem}-{name}"
        shutil.copytree(self.host.dir / "state", to, dirs_exist_ok=True)
        return to

    def step(self, name, program, *args, after, during=(), running=None):
        """One program. `during`: legal states between the one before and the one after; when it has ended only that is."""
        self.n_steps += 1
        name = f"{self.n_steps}-{name}"
        running = running or self.host.active
        self.mark(name, running, [self.now, *during, after])
        before = self.save_state_dir(name)
        if program != "bootsim":
            args = ("--config", self.host.dir / "flipside.conf", *args)
        run(HERE / f"{self.programs.get(program, program)}-recording", *args, env=self.env)
        self.now = after
        self.mark(f"after-{name}", running, [after])
        self.state_dirs[name] = [before, self.save_state_dir(f"after-{name}")]
        self.state_dirs[f"after-{name}"] = self.state_dirs[name][1:]

    def stage(self):
        """Version 1.1.0 into set B."""
        self.step("update-image", "flipside", "update-image", "--quiet", "--image", "1.1.0",
                  during=[state((2, 0, 1), "1.0.0", (0, 0, 0), "-")],
                  after=state((2, 0, 1), "1.0.0", (0, 1, 0), "1.1.0", "B:1.1.0"))

    def apply(self):
        self.step("update-apply", "flipside", "update-apply", after=state((1, 0, 1), "1.0.0", (2, 1, 0), "1.1.0", "B:1.1.0"))

    def power_on(self, name, version, after):
        self.step("boot", "bootsim", self.disk, running="-", after=after)
        self.host.boot(name, version)

    def cycle(self):
        """A to B, back to A, then by hand to B again: all changes of bits that there are."""
        self.stage()
        self.apply()
        self.step("update-revert", "flipside", "update-revert", after=state((2, 0, 1), "1.0.0", (0, 1, 0), "1.1.0", "B:1.1.0"))
        self.apply()
        self.power_on("B", "1.1.0", state((1, 0, 1), "1.0.0", (2, 0, 0), "1.1.0"))
        self.step("mark-successful-boot", "signpost", "mark-successful-boot",
                  after=state((1, 0, 1), "1.0.0", (2, 0, 1), "1.1.0"))
        self.step("update-image", "flipside", "update-image", "--quiet",
                  during=[state((0, 0, 0), "-", (2, 0, 1), "1.1.0")],
                  after=state((0, 1, 0), "1.2.0", (2, 0, 1), "1.1.0", "A:1.2.0"))
        self.step("update-apply", "flipside", "update-apply", after=state((2, 1, 0), "1.2.0", (1, 0, 1), "1.1.0", "A:1.2.0"))
        self.power_on("A", "1.2.0", state((2, 0, 0), "1.2.0", (1, 0, 1), "1.1.0"))
        self.step("mark-successful-boot", "signpost", "mark-successful-boot",
                  after=state((2, 0, 1), "1.2.0", (1, 0, 1), "1.1.0"))
        self.step("rollback", "signpost", "rollback-to-inactive", after=state((1, 0, 1), "1.2.0", (2, 0, 1), "1.1.0"))
        return self.end()

    def install(self):
        self.stage()
        self.apply()
        return self.end()

    def end(self):
        shutil.copy(self.disk, self.final)
        return self

    def replay(self, *options, expect=OK, fault=None):
        """Judges all cuts. Returns the replayer's process; .distinct is the number of disks that differed."""
        if fault:
            options += ("--fault", fault)
        else:
            options += ("--final", self.final)
        p = run(REPLAY, *options, self.start, self.log, *self.host.versions, expect=expect, timeout=3000)
        found = re.search(r"(\d+) states judged, (\d+) distinct", p.stdout)
        p.states, p.distinct = (int(found.group(1)), int(found.group(2))) if found else (0, 0)
        return p

    def keep_states(self, every, seed=1):
        """Replays and keeps a state of each N-th moment: [(disk, step, set that boots)]."""
        self.states.mkdir()
        p = self.replay("--keep", self.states, "--keep-every", every, "--seed", seed, "--samples", 50)
        return [(pathlib.Path(a), b, c) for a, b, c in re.findall(r"^state (\S+) (\S+) (\S+)$", p.stdout, re.M)]


def update_again(recording, disk, step, expected, rng):
    """What a host does that comes up with the disk of a cut: boots, confirms, installs another version. The files beside the disk
    are those before or after the program that was cut, the staged record that of the cut."""
    host = recording.host
    host.restore(disk, rng.choice(recording.state_dirs[step]))
    record, kept = host.dir / "state/staged.json", pathlib.Path(f"{disk}.staged")
    record.unlink(missing_ok=True)
    if kept.exists():
        shutil.copy(kept, record)
    name = host.power_on()
    version = host.version_in(name)
    if name != expected or not version:
        raise Failed(f"{step}: the boot selector starts {name} with version {version}, not {expected}")
    host.veritysetup_verify(name, host.root_hash(version))
    host.boot(name, version)
    if not host.gpt().bits(name)[2]:
        host.signpost("mark-successful-boot")
    other, running = "AB".replace(name, ""), host.digest_of_set(name)
    host.flipside("update-image", "--quiet", "--image", ANOTHER[version])
    if host.gpt().bits(other) != (0, 1, 0) or host.version_in(other) != ANOTHER[version]:
        raise Failed(f"{step}: set {other} holds {host.version_in(other)} with {host.gpt().bits(other)}")
    host.veritysetup_verify(other, host.root_hash(ANOTHER[version]))
    if host.digest_of_set(name) != running:
        raise Failed(f"{step}: the running set {name} was changed")
    host.sgdisk_verify()
