#!/usr/bin/env python3
"""Times a full verified update of a real root image against what the machine can do and against other ways to do the job.

    FLIPSIDE_BUILD=build PYTHONPATH=test-fixtures tools/bench/update_bench.py [--mib 1024] [--rounds 5] [--json FILE] [--formats zstd,...]

Everything is made below a temporary folder (--dir), served on 127.0.0.1, and run in turn within each round, so that a machine whose
speed drifts is fair to all. Medians are printed, and ratios of each round's pair. Contenders whose programs are not installed are left
out with a word: casync, rauc and swupdate are Debian packages. Build with -Dbuildtype=release. Nothing here is a test.
"""
import argparse
import contextlib
import functools
import hashlib
import http.server
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from lab import MIB, Lab

TREES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/gcc", "/usr/bin", "/usr/share", "/usr/lib")


def sh(command, **kw):
    return subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          executable="/bin/bash", **kw)


class Timed:
    """Wall time, CPU time of children and their peak memory."""

    def __init__(self, run):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        run()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.wall = time.monotonic() - start
        self.cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def real_tree(target, mib, seed):
    """Files of this machine up to `mib` MiB; of every fifteenth a few bytes differ with the seed: versions some per cent apart."""
    left, n = mib * MIB, 0
    for top in TREES:
        for path in sorted(p for p in pathlib.Path(top).rglob("*") if p.is_file() and not p.is_symlink()):
            size = path.stat().st_size
            if size == 0 or size > left:
                continue
            copy = target / str(path)[1:]
            with contextlib.suppress(OSError):
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
                n += 1
                if n % 15 == 0:
                    with open(copy, "r+b") as f:
                        f.seek(size // 2)
                        f.write(hashlib.sha256(f"{seed} {path}".encode()).digest()[:min(32, size - size // 2)])
                left -= size
            if left < 64 * 1024:
                return


def make_root(folder, mib, version):
    tree, image = folder / "tree", folder / f"root-{version}.img"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    real_tree(tree, mib * 4 // 5, version)
    sh(f"mkfs.ext4 -q -F -b 4096 -m 0 -i 4096 -O ^has_journal -d {tree} {image} {mib}M")
    shutil.rmtree(tree)
    return image


def serve(folder):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def limits(host, image):
    """What the machine can do: each stage alone, in MiB/s of unpacked data."""
    size, out = image.stat().st_size / MIB, {}
    packed = host.image_target("1.1.0", "root")
    scratch = host.dir / "scratch.img"
    probes = {
        "sha256 of the target": f"openssl dgst -sha256 {packed}",
        "decompress": f"zstd -d -c {packed} | cat > /dev/null",
        "hash tree": f"veritysetup format --hash sha256 {image} {host.dir}/tree.img",
        "direct write": f"dd if=/dev/zero of={scratch} bs=4M count={int(size) // 4} oflag=direct conv=fsync",
        "direct read": f"dd if={scratch} of=/dev/null bs=4M iflag=direct",
    }
    for name, command in probes.items():
        runs = [Timed(lambda: sh(command)) for _ in range(3)]
        out[name] = {"seconds": statistics.median(r.wall for r in runs), "cpu_seconds": statistics.median(r.cpu for r in runs),
                     "mib_per_second": size / statistics.median(r.wall for r in runs)}
    scratch.unlink()
    return out


def reset(host):
    """The next update starts from nothing staged."""
    with contextlib.suppress(OSError):
        (host.dir / "state/staged.json").unlink()
    host.signpost("clear-inactive")


def flipside_update(host):
    host.flipside("update-image", "--quiet", timeout=900)


def pipe_update(host, url, verity):
    scratch = host.dir / "pipe.img"
    sh(f"set -o pipefail; curl -s {url} | zstd -d -c | dd of={scratch} bs=4M oflag=direct iflag=fullblock conv=notrunc; sync {scratch}")
    if verity:
        sh(f"veritysetup format {scratch} {host.dir}/pipe-hash.img; sync {host.dir}/pipe-hash.img")


def casync_update(host, base, folder):
    sh(f"casync extract --store={base}/casync.castr {base}/root.caibx {host.dir}/casync.img; sync {host.dir}/casync.img")


def contenders(host, base, image):
    target = host.image_target("1.1.0", "root")
    url = f"{base}/repo/targets/{target.name}"
    found, missing = {
        "flipside": lambda: flipside_update(host),
        "curl | zstd | dd": lambda: pipe_update(host, url, False),
        "curl | zstd | dd, veritysetup": lambda: pipe_update(host, url, True),
    }, {}
    if shutil.which("casync"):
        sh(f"casync make --store={host.dir}/casync.castr {host.dir}/root.caibx {image}")
        found["casync"] = lambda: casync_update(host, base, host.dir)
    else:
        missing["casync"] = "not installed"
    return found, missing


def table(results, baseline):
    rows = []
    for name, runs in results.items():
        ratios = [a.wall / b.wall for a, b in zip(runs, results[baseline])]
        rows.append({"name": name, "wall_seconds": statistics.median(r.wall for r in runs),
                     "cpu_seconds": statistics.median(r.cpu for r in runs), "ratio": statistics.median(ratios)})
    return rows


def bench(options, compress):
    with Lab(root_mib=options.mib + 8, hash_mib=options.mib // 100 + 2) as host:
        image = make_root(host.dir, options.mib, "1.1.0")
        host.add_version("1.1.0", compress=compress, images={"root": image}, migrations_from="1.0.0")
        base = serve(host.dir)
        host.metadata_url, host.targets_url = f"{base}/repo/metadata", f"{base}/repo/targets"
        host.write_config()
        out = {"format": compress, "mib": options.mib}
        if compress != "zstd":
            runs = []
            for _ in range(options.rounds):
                reset(host)
                runs.append(Timed(lambda: flipside_update(host)))
            out["results"] = table({"flipside": runs}, "flipside")
            return out
        out["limits"] = limits(host, image)
        found, out["left_out"] = contenders(host, base, image)
        results = {name: [] for name in found}
        for _ in range(options.rounds):
            for name, run in found.items():
                reset(host)
                results[name].append(Timed(run))
        out["results"] = table(results, "curl | zstd | dd")
        return out


def show(run):
    print(f"\n{run['mib']} MiB root, {run['format']}")
    for name, limit in run.get("limits", {}).items():
        print(f"  limit  {name:32} {limit['seconds']:8.2f} s {limit['cpu_seconds']:8.2f} s CPU {limit['mib_per_second']:9.0f} MiB/s")
    for row in run["results"]:
        print(f"  median {row['name']:32} {row['wall_seconds']:8.2f} s {row['cpu_seconds']:8.2f} s CPU  x {row['ratio']:.2f}")
    for name, why in run.get("left_out", {}).items():
        print(f"  left out: {name}: {why}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--mib", type=int, default=1024, help="size of the root image")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--formats", default="zstd,gzip,xz,lz4")
    p.add_argument("--dir", default=None, help="where to work (default: the system's temporary folder)")
    p.add_argument("--json", default=None, help="file for the figures")
    options = p.parse_args()
    tempfile.tempdir = options.dir
    runs = []
    for compress in options.formats.split(","):
        runs.append(bench(options, compress))
        show(runs[-1])
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({"processors": os.cpu_count(), "runs": runs}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
