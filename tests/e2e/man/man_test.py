"""man_test.py - every program has a manual page, with every flag of --help and no other; --help fits."""
import glob
import os
import re
import shutil
import subprocess
import unittest

BIN_DIR = os.environ["BIN_DIR"]
MAN_DIR = os.environ["MAN_DIR"]
SCD_DIR = os.environ["SCD_DIR"]
LINKS = {"goQuery": "goquery", "goConvert": "gpdb", "goconvert": "gpdb"}  # other names of programs
PROGRAMS = sorted(p for p in os.listdir(BIN_DIR) if p not in LINKS and os.access(os.path.join(BIN_DIR, p), os.X_OK)
                  and os.path.isfile(os.path.join(BIN_DIR, p)))
# commands that --help does not list
HIDDEN = {"goprobe": [["serve"]]}
# flags that stand in another program's page: goconvert's, in gpdb(1)
FOREIGN = {"gpdb": {"-in", "-out", "-schema", "-iface", "-rows", "-encoder", "-permissions"}}
FLAG = re.compile(r"^ {2,6}(?:(-[\w?]), )?(--?[A-Za-z][\w.-]*)")


def help_of(program, *command):
    p = subprocess.run([os.path.join(BIN_DIR, program), *command, "--help"], capture_output=True, text=True,
                       env={"PATH": "/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C.UTF-8"}, timeout=20, check=False)
    assert p.returncode == 0, (program, command, p.stderr)
    return p.stdout


def commands_of(text):
    """Names below "Commands:"."""
    names, on = [], False
    for line in text.splitlines():
        if on and not line.startswith("  "):
            break
        if on and (m := re.match(r"^  ([a-z][a-z-]+) ", line)):
            names.append(m.group(1))
        on = on or line == "Commands:"
    return names


def all_help(program):
    """(command, text) of the program and all its commands."""
    root = help_of(program)
    yield (), root
    for c in [[n] for n in commands_of(root)] + HIDDEN.get(program, []):
        if c not in (["help"], ["version"], ["examples"]):
            yield tuple(c), help_of(program, *c)


def flags_of_help(program):
    """long -> letter or None."""
    flags = {}
    for _, text in all_help(program):
        for line in text.splitlines():
            m = FLAG.match(line)
            if m:
                flags.setdefault(m.group(2), set()).add(m.group(1))
    return flags


def flags_of_page(path):
    """Flags on the head lines of the page's source: *-x, --name* _VALUE_, *--other* ..."""
    flags = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            if re.match(r"^\t*\*(-[\w?], )?-", line):
                for m in re.finditer(r"\*(?:(-[\w?]), )?(--?[A-Za-z][\w.-]+)\*", line):
                    flags.setdefault(m.group(2), set()).add(m.group(1))
    return flags


class Man(unittest.TestCase):
    maxDiff = None

    def page(self, program):
        found = glob.glob(os.path.join(SCD_DIR, glob.escape(program) + ".[18].scd"))
        self.assertEqual(len(found), 1, "no manual page docs/man/%s.[18].scd" % program)
        return found[0]

    def test_flags(self):
        self.assertIn("goquery", PROGRAMS)
        for program in PROGRAMS:
            with self.subTest(program):
                page, spoken = flags_of_page(self.page(program)), flags_of_help(program)
                self.assertGreater(len(spoken), 1)
                page.pop("--help", None)  # everybody knows it; some pages explain it in a sentence
                spoken.pop("--help", None)
                foreign = FOREIGN.get(program, set())
                self.assertEqual(sorted(set(spoken) - set(page)), [], "not in the page")
                self.assertEqual(sorted(set(page) - set(spoken) - foreign), [], "not in --help")
                for name in set(page) & set(spoken) - foreign:
                    self.assertEqual(page[name], spoken[name], name)

    def test_width(self):
        for program in PROGRAMS:
            for command, text in all_help(program):
                for line in text.splitlines():
                    self.assertLessEqual(len(line), 100, (program, command, line))
                    self.assertNotIn("\t", line)

    def test_commands(self):
        """Each command has a place in the page."""
        for program in PROGRAMS:
            with open(self.page(program), encoding="utf-8") as f:
                text = f.read()
            for name in commands_of(help_of(program)):
                self.assertIn("*%s*" % name, text, program)

    @unittest.skipUnless(shutil.which("scdoc"), "scdoc is not installed")
    def test_built(self):
        sources = {os.path.basename(p)[:-4] for p in glob.glob(SCD_DIR + "/*.scd")}
        links = {name + ".1" for name in LINKS}
        self.assertEqual(sources | links, set(os.listdir(MAN_DIR)))
        self.assertEqual({s.rsplit(".", 1)[0] for s in sources}, set(PROGRAMS))
        for name, page in LINKS.items():
            self.assertTrue(os.path.islink(os.path.join(BIN_DIR, name)), name)
            with open(os.path.join(MAN_DIR, name + ".1"), encoding="utf-8") as f:
                self.assertEqual(f.read(), ".so man1/%s.1\n" % page)
            self.assertIn(page + ".1", sources)

    @unittest.skipUnless(shutil.which("scdoc"), "scdoc is not installed")
    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_lint(self):
        self.assertGreaterEqual(len(os.listdir(MAN_DIR)), len(PROGRAMS))
        for page in glob.glob(MAN_DIR + "/*"):
            if os.path.basename(page)[:-2] in LINKS:
                continue
            p = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True,
                               timeout=20, check=False)
            # scdoc ends each paragraph with .PP, also where none follows
            said = [line for line in (p.stdout + p.stderr).splitlines() if "skipping paragraph macro" not in line]
            self.assertEqual(said, [], page)


if __name__ == "__main__":
    unittest.main(verbosity=2)
