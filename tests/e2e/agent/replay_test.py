#!/usr/bin/env python3
"""goprobe --pcap as a user runs it: what it writes, and that no option is ignored silently; starts that fail.

GOPROBE, GPDB: the programs. No root needed.
"""
import os
import re
import stat
import struct
import subprocess
import tempfile
import unittest

GOPROBE, GPDB = os.environ["GOPROBE"], os.environ["GPDB"]
T0 = 1700000100


def capture(path, *times):
    """One UDP packet at each of these times."""
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 32, 0, 0, 64, 17, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
    frame = b"\x02" * 12 + b"\x08\0" + ip + struct.pack(">HHHH", 40000, 53, 12, 0) + b"abcd"
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for t in times:
            f.write(struct.pack("<IIII", t, 0, len(frame), len(frame)) + frame)
    return path


class Replay(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="fleetprobe-replay-")
        self.addCleanup(self.dir.cleanup)
        self.db = os.path.join(self.dir.name, "db")
        self.pcap = capture(os.path.join(self.dir.name, "a.pcap"), T0)

    def goprobe(self, *args, code=0, env=None):
        p = subprocess.run([GOPROBE, *args], capture_output=True, text=True, timeout=60, check=False,
                           env=dict({"PATH": os.environ["PATH"]}, **(env or {})))
        self.assertEqual(p.returncode, code, p.stdout + p.stderr)
        return p.stdout if code == 0 else p.stderr

    def replay(self, *args, pcap=None, **kw):
        return self.goprobe("--pcap", pcap or self.pcap, "--iface", "eth0", "--db", self.db, *args, **kw)

    def files(self):
        return {n: stat.S_IMODE(os.stat(os.path.join(d, n)).st_mode) for d, _, names in os.walk(self.db)
                for n in names if n.endswith(".gpf") or n == ".blockmeta"}

    def test_permissions(self):
        self.replay("--db.permissions", "0600", "--db.sync", "none", "--db.encoder_type", "zstd")
        self.assertGreater(len(self.files()), 0)
        self.assertEqual(set(self.files().values()), {0o600})

    def test_environment(self):
        self.replay(env={"GOPROBE_DB_PERMISSIONS": "0640"})
        self.assertEqual(set(self.files().values()), {0o640})

    def test_refused(self):
        for args, says in ((["--capture.compat"], "use --compat"), (["--capture.fragments"], "use --fragments"),
                           (["--db.path", "x"], "use --db"), (["--capture.max_flows", "2000"], "--capture.max_flows"),
                           (["--api.addr", "tcp://127.0.0.1:1"], "--api.addr"), (["-c", "/nonexistent.yaml"], "no configuration"),
                           (["--check-config"], "no configuration"), (["--compat", "--fragments"], "exclude each other")):
            with self.subTest(args=args):
                self.assertIn(says, self.replay(*args, code=64))
                self.assertFalse(os.path.exists(self.db))
        for args in (["--db.permissions", "0600"], ["--db", self.db]):
            self.assertIn("--dump-flows", self.goprobe("--pcap", self.pcap, "--dump-flows", *args, code=64))
        self.assertIn("db.permissions", self.replay("--db.permissions", "7", code=1))
        self.assertIn("db.sync", self.replay("--db.sync", "often", code=1))
        self.assertFalse(os.path.exists(self.db))

    def test_flags_of_the_reference(self):
        key = "5f0c7a1e9b3d4862a7c1e5f9d2b84603"
        flags = {"api.keys": key, "api.request_timeout": "30", "local_buffers.size_limit": "67108864",
                 "local_buffers.num_buffers": "2", "api.profiling": "true"}
        p = subprocess.run([GOPROBE, "--check-config", "--db.path", self.db, "--autodetection.enabled",
                            *("--%s=%s" % kv for kv in flags.items())],
                           capture_output=True, text=True, timeout=60, check=True)
        for name in flags:
            self.assertRegex(p.stderr, r"(?m)^goprobe: warning: .*%s: no effect" % re.escape(name))
        self.assertNotIn(key, p.stderr)
        self.assertNotIn("local_buffers", self.goprobe("--help"))

    def test_failed_start(self):
        said = self.goprobe("--db.path", self.pcap + "/db", "--autodetection.enabled", "--autodetection.exclude", "/./",
                            code=1)
        self.assertIn("goprobe: ", said)
        self.assertNotIn("stopped", said)

    def test_nothing_left_behind(self):
        self.assertIn("none.pcap", self.replay(pcap=self.dir.name + "/none.pcap", code=1))
        self.assertIn("1970", self.replay(pcap=capture(self.dir.name + "/late.pcap", 0xfffffff0), code=1))
        self.assertFalse(os.path.exists(self.db))

    def test_empty(self):
        empty = capture(self.dir.name + "/empty.pcap")
        self.assertRegex(self.goprobe("--pcap", empty, "--dump-flows"), r"\Asip,dip,dport,proto,packets[a-z,_]+\n\Z")
        self.assertIn("flows=0 ", self.replay(pcap=empty))
        self.assertEqual(self.files(), {})

    def test_times(self):
        said = self.replay(pcap=capture(self.dir.name + "/odd.pcap", 0xfffffff0, T0, T0 + 300, T0 + 1))
        self.assertRegex(said, r" late=2 \(.*1970 and 2100")
        listed = subprocess.run([GPDB, "list", self.db], capture_output=True, text=True, timeout=60, check=True).stdout
        self.assertNotIn("1970", listed)


unittest.main(verbosity=2)
