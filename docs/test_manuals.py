"""What keeps manuals, --help and completion the same. Each program is asked; nothing is listed here but where programs and pages are.

FLIPSIDE_BUILD names the build folder, FLIPSIDE_PROGRAMS the programs, separated by blanks.
"""
import functools
import os
import pathlib
import re
import subprocess
import unittest

BUILD = pathlib.Path(os.environ["FLIPSIDE_BUILD"])
SOURCE = pathlib.Path(__file__).resolve().parent.parent
MAN = SOURCE / "docs/man"
COMPLETION = SOURCE / "docs/completion/flipside.bash"

# Program: its folder in the build, its page.
HOMES = {
    "flipside": ("updater", "flipside.8"),
    "signpost": ("updater", "signpost.8"),
    "tufclient": ("tuf", "tufclient.1"),
    "flipside-repo": ("tools", "flipside-repo.1"),
    "bootsim": ("tools", "bootsim.1"),
}
PROGRAMS = os.environ["FLIPSIDE_PROGRAMS"].split()
ONE_FAILURE = {"tufclient"}  # ends with 1 on every failure


def executable(name):
    return BUILD / HOMES[name][0] / name


def run(name, *args, **kw):
    return subprocess.run([executable(name), *args], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL, **kw)


@functools.cache
def help_of(name, *verb):
    return run(name, *verb, "--help").stdout


def unwrap(lines):
    """Rows of help: the name's part begins at column 2 (or 6: an option without a letter), the phrase goes on at column 26."""
    rows = []
    for line in lines:
        if re.match(r"  \S|      -", line):
            rows.append(line.rstrip())
        else:
            rows[-1] += "  " + line.strip()
    return rows


def section(text, heading):
    """The lines below a heading of help, to the next empty one; none if there is no such heading."""
    lines = text.splitlines()
    if heading + ":" not in lines:
        return []
    start = lines.index(heading + ":") + 1
    end = lines.index("", start) if "" in lines[start:] else len(lines)
    return lines[start:end]


def left(row):
    return re.split(r"\s{2,}", row.strip(), maxsplit=1)[0]


def help_verbs(text):
    return {left(row) for row in unwrap(section(text, "Verbs"))}


def help_options(text):
    return {left(row) for row in unwrap(section(text, "Options"))}


def verb_words(verb):
    """Of 'key new FILE': key and new."""
    return re.split(r" (?=[A-Z\[])", verb)[0].split()


def man_section(page, heading):
    text = (MAN / page).read_text()
    m = re.search(rf"^\.Sh {heading}\n(.*?)(?=^\.Sh |\Z)", text, re.M | re.S)
    return m.group(1) if m else ""


def plain(item):
    """An .It line's macros as they are typed: 'Fl i , Fl -image Ar VERSION' is '-i, --image VERSION'."""
    item = re.sub(r" ,", ",", re.sub(r"\b(Cm|Ar) ", "", re.sub(r"Fl (-?)", r"-\1", item)))
    return re.sub(r"Op (\S+)", r"[\1]", item).strip()


def man_items(page, heading):
    return {plain(i) for i in re.findall(r"^\.It ((?:Cm|Fl) .*)$", man_section(page, heading), re.M)}


def config_table():
    """Key: default, by section, as updater/config_keys.c has them."""
    text = (SOURCE / "updater/config_keys.c").read_text()
    string = r'"((?:[^"\\]|\\.)*)"'
    keys = {}
    for m in re.finditer(rf'^\tKEY\({string}, \w+, \w+, (\w+), {string},', text, re.M):
        keys[m[1], m[2]] = m[3]
    for m in re.finditer(rf'^\t{{ {string}, {string}, \w+, \w+, {string},', text, re.M):
        keys[m[1], m[2]] = m[3]
    for m in re.finditer(rf'^\tGUID\({string},', text, re.M):
        keys["host", m[1]] = ""
    return keys


def config_page():
    keys = {}
    for name in ("updates", "network", "host"):
        for item in re.split(r"^\.It ", man_section("flipside.conf.5", name.upper()), flags=re.M)[1:]:
            key = re.match(r"Va (\S+) No = Ar [A-Z]+\n", item)
            default = re.search(r"^Default:(?: (empty)\.|\n\.Ql (\S+) \.)$", item, re.M)
            keys[name, key and key[1]] = None if not default else "" if default[1] else default[2]
    return keys


class Help(unittest.TestCase):
    def test_help_fits(self):
        for name in PROGRAMS:
            with self.subTest(name):
                whole = run(name, "--help").stdout
                for args in [[]] + [verb_words(v) for v in help_verbs(whole)]:
                    p = run(name, *args, "--help")
                    self.assertEqual((p.returncode, p.stderr), (0, ""), args)
                    self.assertIn(f"usage: {' '.join([name, *args])}", p.stdout)
                    self.assertEqual([line for line in p.stdout.splitlines() if len(line) > 80], [], args)

    def test_version(self):
        for name in PROGRAMS:
            with self.subTest(name):
                p = run(name, "--version")
                self.assertEqual((p.returncode, p.stderr), (0, ""))
                self.assertRegex(p.stdout, rf"\A{name} \d+\.\d+\.\d+\n\Z")

    def test_misuse(self):
        for name in PROGRAMS:
            with self.subTest(name):
                for args in (["--no-such-option"], ["no-such-verb", "and", "more", "words", "than", "any"]):
                    p = run(name, *args)
                    self.assertEqual(p.returncode, 1 if name in ONE_FAILURE else 2, args)
                    self.assertEqual(p.stdout, "", args)
                    sentence, usage = p.stderr.split("\n", 1)
                    self.assertRegex(sentence, rf"\A{name}: \S", args)
                    self.assertRegex(usage, rf"\Ausage: {name} ", args)


class Pages(unittest.TestCase):
    maxDiff = None

    def test_verbs(self):
        for name in PROGRAMS:
            with self.subTest(name):
                page, text = HOMES[name][1], help_of(name)
                self.assertEqual(help_verbs(text), man_items(page, "VERBS"))
                self.assertTrue(help_verbs(text) or f"usage: {name} [OPTIONS]" in text)

    def test_options(self):
        for name in PROGRAMS:
            with self.subTest(name):
                page, text = HOMES[name][1], help_of(name)
                options = help_options(text)
                # A program whose verbs have a --version of their own says both in one entry.
                if "--version VERSION" in options:
                    options.discard("--version")
                self.assertEqual(options, man_items(page, "OPTIONS"))
                self.assertIn("--help", options)

    def test_sections(self):
        for name in PROGRAMS:
            with self.subTest(name):
                page = HOMES[name][1]
                for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "FILES", "EXIT STATUS", "EXAMPLES", "SEE ALSO"):
                    self.assertTrue(man_section(page, heading).strip(), heading)
                self.assertRegex(man_section(page, "NAME"), rf"\A\.Nm {name}\n\.Nd \S")

    def test_exit_status(self):
        table = (SOURCE / "base/err.c").read_text()
        codes = {m[1] for m in re.finditer(r'\[ERR_\w+\]\s*=\s*{ (\d+), "\w+" }', table)}
        self.assertIn("9", codes)
        for name in PROGRAMS:
            with self.subTest(name):
                page = HOMES[name][1]
                if name not in ONE_FAILURE:
                    self.assertEqual(codes, set(re.findall(r"^\.It (\d+)$", man_section(page, "EXIT STATUS"), re.M)))

    def test_config(self):
        table = config_table()
        count = re.search(r"#define CONFIG_N_KEYS (\d+)", (SOURCE / "updater/config.h").read_text())
        self.assertEqual(len(table), int(count[1]))
        self.assertEqual(table, config_page())

    def test_lint(self):
        pages = sorted(MAN.iterdir())
        self.assertTrue(pages)
        # Our own pages are not installed where this runs; test_references looks at them.
        p = subprocess.run(["mandoc", "-T", "lint", *pages], capture_output=True, text=True)
        found = [line for line in (p.stdout + p.stderr).splitlines() if "referenced manual not found" not in line]
        self.assertEqual(found, [])

    def test_references(self):
        for page in MAN.iterdir():
            for name, number in re.findall(r"^\.Xr (\S+) (\d)", page.read_text(), re.M):
                with self.subTest(page.name):
                    self.assertTrue((MAN / f"{name}.{number}").exists(), name)

    def test_wide_lines(self):
        for page in MAN.iterdir():
            for line in page.read_text().splitlines():
                with self.subTest(page.name):
                    self.assertLessEqual(len(line), 80, line)


def complete(name, cases):
    """What bash offers for the last word of each case, a list of words: a set for each."""
    script = """. "$1"; program=$2; spec=$(complete -p "${program##*/}"); f=${spec#*-F }; f=${f%% *}
        while IFS= read -r line; do
            mapfile -d "|" -t COMP_WORDS < <(printf %s "$program|$line|"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            "$f" "$program" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; echo "${COMPREPLY[@]}"
        done"""
    p = subprocess.run(["bash", "--norc", "-c", script, "bash", COMPLETION, executable(name)], capture_output=True, text=True,
                       timeout=60, cwd=MAN, input="".join("|".join(words) + "\n" for words in cases))
    assert p.returncode == 0 and not p.stderr, p.stderr
    offers = [sorted(line.split()) for line in p.stdout.splitlines()]
    assert len(offers) == len(cases), p.stdout
    return offers


def long_options(text):
    return set(re.findall(r"--[a-z-]+", " ".join(help_options(text))))


class Completion(unittest.TestCase):
    def check(self, name, cases):
        """Cases: words, and what has to be offered."""
        for (words, want), got in zip(cases, complete(name, [words for words, _ in cases])):
            with self.subTest(" ".join([name, *words])):
                self.assertEqual([o for o in got if words[-1] != "-" or o.startswith("--")], sorted(want))

    def test_options(self):
        for name in PROGRAMS:
            verbs = [verb_words(v) for v in help_verbs(help_of(name))]
            cases = [(["-"], long_options(help_of(name))), (["--versio"], ["--version"])]
            cases += [([*v, "--"], long_options(help_of(name, *v))) for v in verbs]
            self.check(name, cases)

    def test_verbs(self):
        for name in PROGRAMS:
            verbs = [verb_words(v) for v in help_verbs(help_of(name))]
            if not verbs:
                continue
            first = {v[0] for v in verbs}
            cases = [([""], first), (["zzz", ""], [])]
            cases += [([w[:-1]], {v for v in first if v.startswith(w[:-1])}) for w in first]
            cases += [([w, ""], {v[1] for v in verbs if v[0] == w}) for w in {v[0] for v in verbs if len(v) == 2}]
            self.check(name, cases)

    def test_behind_a_value(self):
        if "flipside" in PROGRAMS:
            self.check("flipside", [
                (["--config", "x", "hist"], ["history"]),
                (["--config", "=", "x", "hist"], ["history"]),
                (["--json", "hist"], ["history"]),
                (["--config", "flipside.c"], ["flipside.conf.5"]),
                (["--config", "=", "flipside.c"], ["flipside.conf.5"]),
            ])


if __name__ == "__main__":
    unittest.main()
