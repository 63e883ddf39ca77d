"""support.py - running goquery on the micro database M of query-cases.md."""
import os
import subprocess
import sys
import tempfile
import unittest

GOQUERY = os.environ["GOQUERY"]
MAKE_DB = os.environ["MAKE_DB"]

# time, iface, sip, dip, dport, proto, pr, ps, br, bs
FLOWS_M = """\
1700000100,eth0,10.0.0.1,10.0.0.2,80,6,10,5,1000,500
1700000100,eth0,10.0.0.1,10.0.0.3,443,6,0,7,0,700
1700000100,eth0,32.1.13.184,10.0.0.2,53,17,1,1,60,60
1700000100,eth0,2001:db8::,2001:db8::5,80,6,3,3,300,300
1700000100,eth0,2001:db8::1,2001:db8::5,443,6,4,0,400,0
1700000100,eth0,2001:db8::1,2001:db8::6,0,58,2,0,208,0
1700000400,eth0,10.0.0.1,10.0.0.2,80,6,10,5,1000,500
1700000400,eth1,10.0.0.1,10.0.0.2,80,6,1,0,100000000000000000,0
1700000400,eth1,10.0.0.7,10.0.0.2,80,143,1,0,300000000000000000,0
"""


def make_db(root, flows):
    subprocess.run([MAKE_DB, root], input=flows, text=True, check=True, timeout=60)


def environment(**more):
    """A small, known environment; no DB_PATH or NO_COLOR of whoever runs the tests."""
    env = {"PATH": os.environ["PATH"], "TZ": "UTC", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"):
        if name in os.environ:
            env[name] = os.environ[name]
    env.update(more)
    return env


class Case(unittest.TestCase):
    """Tests with a fresh directory and, in self.db, the database M. All flows lie in RANGE."""

    RANGE = ["-f", "1699999000", "-l", "1700001000"]
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory(prefix="fleetprobe-e2e-")
        cls.dir = cls.tmp.name
        cls.db = os.path.join(cls.dir, "db")
        make_db(cls.db, FLOWS_M)

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    def path(self, name, content=None):
        path = os.path.join(self.dir, name)
        if content is not None:
            with open(path, "w", encoding="utf-8") as f:
                f.write(content)
        return path

    def run_raw(self, *args, stdin="", env=None, program=GOQUERY):
        """CompletedProcess of the program with these arguments."""
        return subprocess.run([program, *args], input=stdin, capture_output=True, text=True,
                              env=environment() if env is None else env, cwd=self.dir, timeout=60,
                              check=False)

    def ok(self, *args, **kw):
        """Standard output; fails unless the exit code is 0."""
        p = self.run_raw(*args, **kw)
        self.assertEqual(p.returncode, 0, "%s: %s%s" % (args, p.stdout, p.stderr))
        return p.stdout

    def query(self, *args, **kw):
        """ok() on database M, interface eth0, within RANGE, unless args say otherwise."""
        pre = ["-d", self.db, *self.RANGE]
        if "-i" not in args:
            pre += ["-i", "eth0"]
        return self.ok(*pre, *args, **kw)

    def fails(self, *args, text="", code=1, **kw):
        """Standard error; fails unless the exit code is 1, stdout is empty and text is in it."""
        p = self.run_raw(*args, **kw)
        self.assertEqual((p.returncode, p.stdout), (code, ""), "%s: %s" % (args, p.stderr))
        self.assertIn(text, p.stderr, args)
        return p.stderr


def main():
    unittest.main(verbosity=1, argv=[sys.argv[0]] + sys.argv[1:])
