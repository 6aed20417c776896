"""The recorder against another one: QEMU's blklogwrites, below a FUSE export that the programs have as their disk."""
import os
import shutil
import signal
import struct
import subprocess
import time
import unittest

from powercut import Host, Recording

SECTOR, MAGIC = 512, 0x6a736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8


def missing():
    if not shutil.which("qemu-storage-daemon"):
        return "qemu-storage-daemon is not installed"
    if "fuse" not in subprocess.run(["qemu-storage-daemon", "--help"], capture_output=True, text=True).stdout:
        return "this qemu-storage-daemon has no FUSE exports"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as e:
        return f"/dev/fuse: {e.strerror}"
    return None


class Export:
    """`path` becomes an export of a copy of itself, and all that is written to it is logged."""

    def __init__(self, path, folder):
        self.path, self.file, self.log = path, folder / "exported.img", folder / "exported.log"
        shutil.copy(path, self.file)
        self.log.write_bytes(b"")
        inode = os.stat(path).st_ino, os.stat(path).st_dev
        self.daemon = subprocess.Popen([
            "qemu-storage-daemon", "--blockdev", f"driver=file,node-name=file,filename={self.file}",
            "--blockdev", f"driver=file,node-name=log,filename={self.log}",
            "--blockdev", "driver=blklogwrites,node-name=logged,file=file,log=log,log-sector-size=512",
            "--export", f"type=fuse,id=export,node-name=logged,mountpoint={path},writable=on"])
        for _ in range(200):
            if (os.stat(path).st_ino, os.stat(path).st_dev) != inode:
                return
            time.sleep(0.05)
        self.close()
        raise RuntimeError("the export does not come up")

    def close(self):
        if self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(30)

    def entries(self):
        """(offset, data) of each write; None of each flush. The numbers are dm-log-writes', little-endian."""
        b = self.log.read_bytes()
        magic, _, n, sector = struct.unpack_from("<QQQI", b, 0)
        assert magic == MAGIC and sector == SECTOR, "not a log of writes"
        at, out = SECTOR, []
        for _ in range(n):
            first, count, flags, _ = struct.unpack_from("<QQQQ", b, at)
            at += SECTOR
            assert not flags & (DISCARD | MARK), "an entry that no program here makes"
            if flags & FLUSH and not count:
                out.append(None)
            else:
                out.append((first * SECTOR, b[at:at + count * SECTOR]))
                at += count * SECTOR
                if flags & (FLUSH | FUA):
                    out.append(None)
        return out


def recorded(path):
    """The same of our own log. A write counts from its end on."""
    b, at, out, begun = path.read_bytes(), 0, [], {}
    while at < len(b):
        kind, _, _, _, ident, n, offset = struct.unpack_from("=BBHIIIQ", b, at)
        at += 24
        if chr(kind) in "WRUM":
            if chr(kind) == "W":
                begun[ident] = (offset, b[at:at + n])
            at += n
        elif chr(kind) == "w":
            offset, data = begun.pop(ident)
            if n:
                out.append((offset, data[:n]))
        elif chr(kind) == "f" and n:
            out.append(None)
    return out


class SameLog(unittest.TestCase):
    def setUp(self):
        why = missing()
        if why:
            self.skipTest(why)
        self.host = Host()
        self.addCleanup(self.host.close)

    def test_same_disk_at_each_flush(self):
        """QEMU sees flushes of its own at each close, but each of ours must be there, with the same disk below it."""
        for cached in (False, True):
            with self.subTest(cached=cached):
                recording = Recording(self.host, f"export-{cached}", cached=cached)
                export = Export(self.host.disk, self.host.dir)
                try:
                    recording.cycle()
                finally:
                    export.close()
                ours, theirs = recorded(recording.log), iter(export.entries())
                start = recording.start.read_bytes()
                our_disk, their_disk = bytearray(start), bytearray(start)
                n_flushes = n_theirs = 0
                written = False
                for event in ours:
                    if event:
                        our_disk[event[0]:event[0] + len(event[1])] = event[1]
                        written = True
                        continue
                    if not written:  # QEMU passes over a flush with nothing to flush
                        continue
                    written = False
                    n_flushes += 1
                    while True:
                        entry = next(theirs, "end")
                        self.assertNotEqual(entry, "end", f"flush {n_flushes} is not in QEMU's log with the same disk")
                        if entry:
                            their_disk[entry[0]:entry[0] + len(entry[1])] = entry[1]
                            continue
                        n_theirs += 1
                        if our_disk == their_disk:
                            break
                for entry in theirs:
                    if entry:
                        their_disk[entry[0]:entry[0] + len(entry[1])] = entry[1]
                self.assertEqual(our_disk, their_disk, "QEMU has seen a write that was not recorded")
                self.assertEqual(bytes(their_disk), recording.final.read_bytes())
                self.assertGreater(n_flushes, 50)
                print(f"cached={cached}: {n_flushes} flushes recorded, {n_theirs} seen below up to the last", flush=True)


if __name__ == "__main__":
    unittest.main()
