#!/usr/bin/env python3
"""Makes the golden repositories and canonical JSON vectors beside this file with python-tuf, an independent implementation.

Needs the packages `tuf` (5.1) and `securesystemslib` (1.4) of PyPI, and `cryptography`; nothing that is built or tested from the
data needs them. Keys and times are fixed, but ECDSA and RSA-PSS signatures are random, so a new run changes bytes and not meaning.
Every repository is read back by python-tuf's own client before it is written.

One file for each repository, so that odd names need no odd files here:

    {"metadata": {name in metadata/: text}, "targets": {name in targets/: text},
     "find": {target path: text}, "absent": [target paths that no client may find], "roles": {role: number of its targets}}

All names are as on a server's disk: role names percent-encoded, target paths as they are.
"""
import copy
import functools
import hashlib
import json
import pathlib
import random
import tempfile
from datetime import datetime
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import DownloadHTTPError
from tuf.api.metadata import (
    DelegatedRole, Delegations, Metadata, MetaFile, Root, Snapshot, SuccinctRoles, TargetFile, Targets, Timestamp)
from tuf.api.serialization.json import JSONSerializer
from tuf.ngclient import FetcherInterface, Updater

HERE = pathlib.Path(__file__).resolve().parent
EXPIRES = datetime(2096, 1, 1)


def prime(source, bits):
    """The next prime of a fixed row of random numbers, by Fermat's test: enough where nobody attacks."""
    while True:
        n = source.getrandbits(bits) | 1 | 3 << (bits - 2)
        if all(pow(base, n - 1, n) == 1 for base in (2, 3, 5, 7)) and (n - 1) % 65537:
            return n


@functools.lru_cache
def rsa_key(seed):
    source = random.Random(seed)
    p, q, e = prime(source, 1024), prime(source, 1024), 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()


def ed25519(n):
    return CryptoSigner(Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32))


def p256(n):
    return CryptoSigner(ec.derive_private_key(n, ec.SECP256R1()))


def rsa_pss(n):
    return CryptoSigner(rsa_key(n))


class Repo:
    """Roles with the signers of each; publish() makes the files."""

    def __init__(self, consistent=True, compact=False, list_hashes=True):
        self.consistent, self.list_hashes = consistent, list_hashes
        self.serializer = JSONSerializer(compact=compact)
        self.root = Root(expires=EXPIRES, consistent_snapshot=consistent)
        self.signed = {"timestamp": Timestamp(expires=EXPIRES), "snapshot": Snapshot(expires=EXPIRES), "targets": Targets(expires=EXPIRES)}
        self.signers = {"root": [], "timestamp": [], "snapshot": [], "targets": []}
        self.outer = {}  # unsigned members beside `signed`, by role
        self.metadata, self.files = {}, {}
        self.find, self.absent = {}, []

    def keys(self, role, signers, threshold=1):
        """These keys, and no others, for a top-level role."""
        for keyid in list(self.root.roles[role].keyids):
            self.root.revoke_key(keyid, role)
        for signer in signers:
            self.root.add_key(signer.public_key, role)
        self.root.roles[role].threshold = threshold
        self.signers[role] = list(signers)

    def simple_keys(self):
        for n, role in enumerate(["root", "timestamp", "snapshot", "targets"], 1):
            self.keys(role, [ed25519(n)])
        return self

    def target(self, role, path, text, custom=None, algorithms=("sha256",)):
        data = text.encode()
        info = TargetFile.from_data(path, data, list(algorithms))
        if custom is not None:
            info.unrecognized_fields["custom"] = custom
        self.signed[role].targets[path] = info
        folder, slash, name = path.rpartition("/")
        for value in info.hashes.values() if self.consistent else [None]:
            self.files[folder + slash + (f"{value}.{name}" if value else name)] = text

    def delegate(self, parent, name, signers, threshold=1, terminating=False, paths=None, prefixes=None):
        at = self.signed[parent]
        if at.delegations is None:
            at.delegations = Delegations({}, {})
        at.delegations.roles[name] = DelegatedRole(name, [], threshold, terminating, paths, prefixes)
        for signer in signers:
            at.add_key(signer.public_key, name)
        self.signed.setdefault(name, Targets(expires=EXPIRES))
        self.signers[name] = list(signers)

    def bins(self, parent, signers, bits, prefix):
        succinct = SuccinctRoles([], 1, bits, prefix)
        self.signed[parent].delegations = Delegations({}, succinct_roles=succinct)
        for signer in signers:
            self.signed[parent].add_key(signer.public_key)
        for name in succinct.get_roles():
            self.signed[name] = Targets(expires=EXPIRES)
            self.signers[name] = list(signers)
        return succinct

    def put(self, role, number, signed, signers):
        md = Metadata(signed, unrecognized_fields=self.outer.get(role))
        for signer in signers:
            md.sign(signer, append=True)
        data = md.to_bytes(self.serializer)
        prefix = f"{number}." if number else ""
        self.metadata[f"{prefix}{quote(role, '')}.json"] = data.decode()
        return data

    def publish_root(self, also=()):
        """Signed by the keys of the root role and those in `also`; then the next version is begun."""
        self.put("root", self.root.version, self.root, [*self.signers["root"], *also])
        self.root = copy.deepcopy(self.root)
        self.root.version += 1

    def meta(self, signed, data):
        return MetaFile(signed.version, len(data), {"sha256": hashlib.sha256(data).hexdigest()}) if self.list_hashes else MetaFile(signed.version)

    def publish(self):
        snapshot, timestamp = self.signed["snapshot"], self.signed["timestamp"]
        for role, signed in self.signed.items():
            if role not in ("snapshot", "timestamp"):
                data = self.put(role, signed.version if self.consistent else None, signed, self.signers[role])
                meta = self.meta(signed, data)
                meta.unrecognized_fields = snapshot.meta.get(f"{role}.json", meta).unrecognized_fields
                snapshot.meta[f"{role}.json"] = meta
        data = self.put("snapshot", snapshot.version if self.consistent else None, snapshot, self.signers["snapshot"])
        timestamp.snapshot_meta = self.meta(snapshot, data)
        self.put("timestamp", None, timestamp, self.signers["timestamp"])

    def check(self):
        """What python-tuf's client makes of it."""
        with tempfile.TemporaryDirectory() as store, tempfile.TemporaryDirectory() as folder:
            pathlib.Path(store, "root.json").write_text(self.metadata["1.root.json"])
            client = Updater(store, "repo:/metadata/", folder, "repo:/targets/", Reader(self))
            client.refresh()
            for path, text in self.find.items():
                info = client.get_targetinfo(path)
                assert info, path
                assert pathlib.Path(client.download_target(info)).read_text() == text, path
            for path in self.absent:
                assert client.get_targetinfo(path) is None, path

    def write(self, name):
        self.check()
        roles = {role: len(signed.targets) for role, signed in self.signed.items() if isinstance(signed, Targets)}
        doc = {"metadata": self.metadata, "targets": self.files, "find": self.find, "absent": self.absent, "roles": roles}
        (HERE / f"{name}.json").write_text(json.dumps(doc, indent=1) + "\n")


class Reader(FetcherInterface):
    def __init__(self, repo):
        self.repo = repo

    def _fetch(self, url):
        kind, _, name = url.removeprefix("repo:/").partition("/")
        names = self.repo.metadata if kind == "metadata" else self.repo.files
        if name not in names:
            raise DownloadHTTPError(url, 404)
        return iter([names[name].encode()])


def found(repo, role, path, text, **kw):
    repo.target(role, path, text, **kw)
    repo.find[path] = text


def key_types():
    """Every type of key in every place where one can be."""
    r = Repo()
    three = [ed25519(1), rsa_pss(2), p256(3)]
    r.keys("root", three, 3)
    r.keys("timestamp", [p256(4)])
    r.keys("snapshot", [rsa_pss(5)])
    r.keys("targets", [ed25519(6), p256(7)], 2)
    found(r, "targets", "one.txt", "one\n")
    found(r, "targets", "two.txt", "two\n", algorithms=("sha256", "sha512"))
    found(r, "targets", "three.txt", "three\n", algorithms=("sha512",))
    found(r, "targets", "empty", "")
    for n, (name, signer) in enumerate(zip(["ed", "rsa", "p256"], three)):
        r.delegate("targets", name, [signer], paths=[f"{name}/*"])
        found(r, name, f"{name}/file", f"signed by {name}\n" * n)
    r.publish_root()
    r.publish()
    r.write("key_types")


def thresholds():
    """More signers than needed, as many as needed, and strangers beside them; no lengths or hashes in meta."""
    r = Repo(compact=True, list_hashes=False)
    for n, role in enumerate(["root", "timestamp", "snapshot", "targets"]):
        keys = [ed25519(10 * (n + 1) + k) for k in range(5)]
        r.keys(role, keys, 2 + n % 3)
        r.signers[role] = [*keys[n % 2: 4 + n % 2], ed25519(99)]
    found(r, "targets", "one.txt", "one\n")
    r.delegate("targets", "team", [ed25519(60), p256(61), ed25519(62)], threshold=2, paths=["team/*"])
    r.signers["team"] = [ed25519(62), p256(61)]
    found(r, "team", "team/a", "of the team\n")
    r.publish_root()
    r.publish()
    r.write("thresholds")


def rotations():
    """Three more roots: another type of key, a higher threshold with a lost key, and new keys for every other role."""
    r = Repo().simple_keys()
    r.publish_root()
    r.keys("root", [rsa_pss(2), p256(3), ed25519(5)], 2)
    r.signers["root"] = [rsa_pss(2), p256(3)]
    r.publish_root([ed25519(1)])
    r.keys("root", [p256(3), ed25519(5), ed25519(6), ed25519(7)], 3)
    r.signers["root"] = [p256(3), ed25519(5), ed25519(7)]
    r.publish_root()
    for n, role in enumerate(["timestamp", "snapshot", "targets"]):
        r.keys(role, [ed25519(20 + n)])
    r.signers["root"] = [ed25519(5), ed25519(6), ed25519(7)]
    r.publish_root()
    for n, signed in enumerate(r.signed.values()):
        signed.version = 3 + n
    found(r, "targets", "after all.txt", "after all\n")
    r.publish()
    r.write("rotations")


def delegations():
    """A tree with patterns, prefixes of hashes, priorities and terminating roles."""
    r = Repo().simple_keys()
    found(r, "targets", "top.txt", "top\n")
    r.delegate("targets", "first", [ed25519(11)], paths=["both/*", "a/*/c?.txt"])
    r.delegate("targets", "second", [p256(12)], paths=["both/*", "only/*"])
    r.delegate("targets", "ends", [ed25519(13)], terminating=True, paths=["cut/*"])
    r.delegate("targets", "never", [ed25519(14)], paths=["cut/*", "last/*"])
    found(r, "first", "both/shared", "from first\n")
    r.target("second", "both/shared", "from second, which comes too late\n")
    found(r, "second", "both/other", "from second\n")
    found(r, "first", "a/b/c1.txt", "deep\n")
    r.target("first", "a/b/d/c1.txt", "a star does not cross a slash\n")
    r.absent.append("a/b/d/c1.txt")
    found(r, "second", "only/second", "only second\n")
    found(r, "ends", "cut/here", "here\n")
    r.target("never", "cut/hidden", "behind a terminating role\n")
    r.absent.append("cut/hidden")
    found(r, "never", "last/one", "last\n")
    r.delegate("second", "below", [ed25519(15)], paths=["only/deep/*", "both/deep"])
    r.delegate("below", "bottom", [ed25519(16)], paths=["only/deep/*"])
    r.target("bottom", "only/deep/file", "second's own pattern does not cover it\n")
    r.absent.append("only/deep/file")
    found(r, "below", "both/deep", "two levels down\n")
    halves = [[format(n, "x") for n in range(8)], [format(n, "x") + format(k, "x") for n in range(8, 16) for k in range(16)]]
    for n, prefixes in enumerate(halves):
        r.delegate("never", f"half{n}", [ed25519(17 + n)], prefixes=prefixes)
    for n in range(6):
        path = f"last/hashed {n}"
        half = int(hashlib.sha256(path.encode()).hexdigest()[0], 16) >= 8
        found(r, f"half{int(half)}", path, f"{n}\n" * 3)
    r.publish_root()
    r.publish()
    r.write("delegations")


def hash_bins():
    r = Repo(compact=True).simple_keys()
    found(r, "targets", "top.txt", "top\n")
    succinct = r.bins("targets", [p256(30)], 3, "bin/of targets")
    for n in range(12):
        path = f"dir{n % 3}/file {n}"
        found(r, succinct.get_role_for_target(path), path, f"content {n}\n")
    r.publish_root()
    r.publish()
    r.write("hash_bins")


def plain_names():
    """Consistent snapshots off: no numbers and no digests in names."""
    r = Repo(consistent=False).simple_keys()
    found(r, "targets", "a.txt", "a\n")
    found(r, "targets", "d/e/f.txt", "f\n", algorithms=("sha512",))
    r.delegate("targets", "sub role", [ed25519(9)], paths=["sub/*"])
    found(r, "sub role", "sub/x", "x\n")
    r.publish_root()
    r.publish_root()
    r.publish()
    r.write("plain_names")


def odd_names():
    """Names that have to be encoded somewhere on their way."""
    r = Repo().simple_keys()
    for n, name in enumerate(["a b", "100%", "%41", "?query=1", "#part", "a+b&c;d=e", "'\"`", "back\\slash", "..dots", ".hidden", "~home",
                              "\u00fcn\u00efc\u00f6de", "\u65e5\u672c/\u8a9e.txt", "\U0001f600", "e\u0301 and \u00e9", "UPPER/lower",
                              "[a-z]*?", "{x,y}", "a:b@c", "x" * 120, "dir.d/under_score-dash.tar.gz"]):
        found(r, "targets", name, f"odd {n}\n")
    for n, role in enumerate(["a/b", "../up", "r\u00f6le", "role?x#y", "1.targets", "%2F", "sp ace"]):
        r.delegate("targets", role, [ed25519(40 + n)], paths=[f"role {n}/*"])
        found(r, role, f"role {n}/\u00e4", f"role {n}\n")
    r.publish_root()
    r.publish()
    r.write("odd_names")


def unknown_members():
    """Members that nobody knows at every level where they may be; all but the outermost are signed."""
    extra = {"x-text": "\u00e9\n\"\\/\x7f", "x-deep": {"b": [1, {"z": None, "a": [True, False, -1]}], "a": {}}, "x-big": 2 ** 62}
    r = Repo().simple_keys()
    r.delegate("targets", "sub", [p256(50)], paths=["sub/*"])
    found(r, "targets", "a.txt", "a\n", custom={"name": "value", "list": [1, 2, {"deep": "\u2028"}]})
    found(r, "sub", "sub/b", "b\n", custom={})
    for key in [*r.root.keys.values(), *r.signed["targets"].delegations.keys.values()]:
        key.unrecognized_fields.update(extra)
    for role in [*r.root.roles.values(), *r.signed["targets"].delegations.roles.values()]:
        role.unrecognized_fields.update(extra)
    r.signed["targets"].delegations.unrecognized_fields.update(extra)
    r.signed["targets"].targets["a.txt"].unrecognized_fields.update(extra)
    r.signed["snapshot"].meta["targets.json"] = MetaFile(1, unrecognized_fields=dict(extra))
    for signed in [r.root, *r.signed.values()]:
        signed.unrecognized_fields.update(extra)
    r.outer = {role: dict(extra) for role in ["root", *r.signed]}
    r.publish_root()
    r.publish()
    r.write("unknown_members")


def canonical():
    """Texts and what securesystemslib's canonical encoder makes of them; null where it refuses."""
    source = random.Random(1)
    alphabet = ["a", "b", "B", "_", " ", "!", "\"", "\\", "/", "\n", "\t", "\x01", "\x1f", "\x7f", "\u00e9", "e\u0301", "\u2028", "\uff5e",
                "\U0001f600", "0", "9", "-", "~", "\u0100"]

    def text():
        return "".join(source.choice(alphabet) for _ in range(source.randrange(6)))

    def value(depth):
        kind = source.randrange(9 if depth < 5 else 6)
        if kind < 2:
            return text()
        if kind == 2:
            return source.choice([0, 1, -1, 9, 10, -10, 2 ** 31, -2 ** 31, 2 ** 53 + 1, 2 ** 63 - 1, -2 ** 63, source.randrange(10 ** 12)])
        if kind < 6:
            return [True, False, None][kind - 3]
        if kind == 6:
            return [value(depth + 1) for _ in range(source.randrange(5))]
        return {text(): value(depth + 1) for _ in range(source.randrange(8))}

    vectors = []
    for n in range(120):
        tree = {text(): value(1) for _ in range(source.randrange(8))} if n % 4 else [value(1) for _ in range(source.randrange(6))]
        form = json.dumps(tree, ensure_ascii=n % 2 == 0, indent=[None, 1][n % 3 == 0])
        vectors.append({"text": form, "canonical": encode_canonical(tree).encode().hex()})
    for form in ["[1.5]", "[1.0]", "[1e2]", "{\"a\":{\"b\":[-0.0]}}"]:
        try:
            encode_canonical(json.loads(form))
        except Exception:
            vectors.append({"text": form, "canonical": None})
    (HERE / "canonical.json").write_text(json.dumps(vectors, indent=1) + "\n")


if __name__ == "__main__":
    for make in (key_types, thresholds, rotations, delegations, hash_bins, plain_names, odd_names, unknown_members, canonical):
        make()
