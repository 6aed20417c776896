#!/usr/bin/env python3
"""What tufclient costs with a large repository: CPU time, time and memory, as medians. Not a test.

    tools/bench/tuf_bench.py BUILD [RUNS]        BUILD: a release build on a quiet machine

Needs the openssl program, which signs. Everything lies in a temporary folder in memory, so no time goes into a disk's fsync.
"""
import functools
import hashlib
import http.server
import json
import multiprocessing
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

EXPIRES = "2096-01-01T00:00:00Z"
MIB = 1 << 20


def canonical(value):
    """Enough for the plain ASCII names here."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


class Key:
    def __init__(self, folder, name):
        self.pem = folder / f"{name}.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.pem], check=True)
        der = subprocess.run(["openssl", "pkey", "-in", self.pem, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        self.public = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": der[-32:].hex()}}
        self.id = hashlib.sha256(canonical(self.public)).hexdigest()

    def envelope(self, signed):
        message = self.pem.with_suffix(".msg")
        message.write_bytes(canonical(signed))
        sig = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.pem, "-in", message], check=True, capture_output=True)
        return json.dumps({"signatures": [{"keyid": self.id, "sig": sig.stdout.hex()}], "signed": signed}, indent=1).encode()


def head(role, **members):
    return {"_type": role, "spec_version": "1.0.31", "version": 1, "expires": EXPIRES, **members}


def make_repository(folder, n_targets, min_bytes=0):
    """Top-level roles with @n_targets, or so many that targets.json has about @min_bytes; in @folder/repo, their number in @folder/count."""
    keys = {role: Key(folder, role) for role in ("root", "timestamp", "snapshot", "targets")}
    repo = folder / "repo"
    (repo / "metadata").mkdir(parents=True)
    (repo / "targets").mkdir()
    content = b"the content of the one target that is downloaded\n"
    digest = hashlib.sha256(content).hexdigest()
    targets = {"wanted": {"length": len(content), "hashes": {"sha256": digest}}}
    (repo / "targets" / f"{digest}.wanted").write_bytes(content)
    size = 0
    while len(targets) < n_targets or size < min_bytes:
        n = len(targets)
        name = f"packages/group-{n % 97}/package-{n:06}.tar.zst"
        targets[name] = {"length": 1000 + n, "hashes": {"sha256": hashlib.sha256(name.encode()).hexdigest()}}
        size += 180
    files = {
        "1.root.json": keys["root"].envelope(head(
            "root", consistent_snapshot=True, keys={k.id: k.public for k in keys.values()},
            roles={role: {"keyids": [k.id], "threshold": 1} for role, k in keys.items()})),
        "1.targets.json": keys["targets"].envelope(head("targets", targets=targets)),
    }
    big = files["1.targets.json"]
    listed = {"version": 1, "length": len(big), "hashes": {"sha256": hashlib.sha256(big).hexdigest()}}
    files["1.snapshot.json"] = keys["snapshot"].envelope(head("snapshot", meta={"targets.json": listed}))
    files["timestamp.json"] = keys["timestamp"].envelope(head("timestamp", meta={"snapshot.json": {"version": 1}}))
    for name, data in files.items():
        (repo / "metadata" / name).write_bytes(data)
    (folder / "count").write_text(f"{len(targets)}")


class Handler(http.server.SimpleHTTPRequestHandler):
    requests = 0

    def log_message(self, *args):
        pass

    def do_GET(self):
        Handler.requests += 1
        super().do_GET()


class Host:
    def __init__(self, program, repo, url):
        self.program, self.repo, self.url = program, repo, url
        self.store = repo.parent / "store"
        self.got = repo.parent / "got"
        self.forget()

    def forget(self):
        for folder in (self.store, self.got):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        self.run("init", self.repo / "metadata/1.root.json")

    def run(self, *args):
        """(CPU seconds, seconds, peak bytes) of one run."""
        argv = [self.program, "--quiet", "--metadata-dir", self.store, "--metadata-url", self.url + "/metadata", "--target-base-url",
                self.url + "/targets", "--target-dir", self.got, *args]
        began = time.monotonic()
        pid = os.posix_spawn(self.program, argv, {**os.environ, "no_proxy": "127.0.0.1"})
        _, status, usage = os.wait4(pid, 0)
        if status:
            sys.exit(f"tufclient {args[0]} ended with {status}")
        return usage.ru_utime + usage.ru_stime, time.monotonic() - began, usage.ru_maxrss * 1024


def report(what, host, runs, *args, fresh=False):
    results = []
    for _ in range(runs):
        if fresh:
            host.forget()
        else:
            shutil.rmtree(host.got)
            host.got.mkdir()
        before = Handler.requests
        results.append((*host.run(*args), Handler.requests - before))
    cpu, wall, peak, requests = (statistics.median(column) for column in zip(*results))
    print(f"  {what:44} {cpu * 1000:8.1f} ms CPU {wall * 1000:8.1f} ms {peak / MIB:7.1f} MiB {requests:3.0f} requests")


def bench(program, runs, n_targets, min_bytes):
    memory = "/dev/shm"
    folder = pathlib.Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
    try:
        # By another process: a child's peak is never told as less than that of the process which it was forked from.
        maker = multiprocessing.get_context("fork").Process(target=make_repository, args=(folder, n_targets, min_bytes))
        maker.start()
        maker.join()
        repo = folder / "repo"
        big = repo / "metadata/1.targets.json"
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=repo))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        n_targets = int((folder / "count").read_text())
        print(f"{n_targets} targets, targets.json of {big.stat().st_size / MIB:.1f} MiB")
        for url in (f"http://127.0.0.1:{server.server_port}", repo.as_uri()):
            host = Host(program, repo, url)
            scheme = url.partition(":")[0]
            report(f"{scheme}: first refresh", host, max(3, runs // 4), "refresh", fresh=True)
            report(f"{scheme}: refresh, nothing new", host, runs, "refresh")
            report(f"{scheme}: refresh and one target", host, max(3, runs // 4), "--target-name", "wanted", "download")
        server.shutdown()
    finally:
        shutil.rmtree(folder)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program = str(pathlib.Path(sys.argv[1]) / "tuf/tufclient")
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    bench(program, runs, 10, 0)
    bench(program, runs, 0, 10 * MIB)
    bench(program, max(4, runs // 4), 100000, 0)


if __name__ == "__main__":
    main()
