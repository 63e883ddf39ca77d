"""gpdb_test.py - gpdb and goconvert as a user runs them: output, files, exit codes."""
import fcntl
import gzip
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

GPDB = os.environ["GPDB"]
GOQUERY = os.environ["GOQUERY"]
SHARED = os.environ.get("SHARED_DIR", "/nonexistent")

HEAD = ("time,iface,sip,dip,dport,proto,packets received,packets sent,"
        "data vol. received,data vol. sent\n")
FLOWS = HEAD + """\
1700000100,eth0,10.0.0.1,192.0.2.1,53,17,0,1,0,72
1700000100,eth0,10.0.0.1,192.0.2.1,443,6,4,5,600,300
1700000100,eth0,2001:db8::1,2001:db8::2,22,6,1,1,255,256
1700000100,wan1,10.9.9.9,192.0.2.7,80,6,1,0,100,0
1700000400,eth0,10.0.0.9,198.51.100.1,80,6,1,0,1001,0
1700100000,eth0,10.0.0.9,198.51.100.1,80,6,2,0,2002,0
"""
COMMANDS = ("import", "export", "merge", "list", "inspect", "check", "repair", "retain", "index")


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        tmp = tempfile.TemporaryDirectory(prefix="fleetprobe-gpdb-")
        self.addCleanup(tmp.cleanup)
        self.dir = tmp.name
        self.db = os.path.join(self.dir, "db")

    def path(self, name, content=None):
        path = os.path.join(self.dir, name)
        if content is not None:
            with open(path, "wb") as f:
                f.write(content if isinstance(content, bytes) else content.encode())
        return path

    def run_raw(self, *args, stdin="", program=GPDB, tz="UTC"):
        env = {"PATH": os.environ["PATH"], "TZ": tz, "LC_ALL": "C.UTF-8"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                env[name] = os.environ[name]
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        p = subprocess.run([program, *args], input=data, capture_output=True, env=env, cwd=self.dir,
                           timeout=60, check=False)
        return p.returncode, p.stdout.decode(), p.stderr.decode()

    def ok(self, *args, **kw):
        code, out, err = self.run_raw(*args, **kw)
        self.assertEqual(code, 0, "%s: %s%s" % (args, out, err))
        return out

    def fails(self, want, text, *args, **kw):
        code, out, err = self.run_raw(*args, **kw)
        self.assertEqual(code, want, "%s: %s%s" % (args, out, err))
        self.assertIn(text, err)
        return out, err

    def fill(self, db=None, flows=FLOWS):
        self.ok("import", "-q", "-", db or self.db, stdin=flows)

    def dump(self, db=None):
        return self.ok("export", "-q", db or self.db)

    def day_dir(self, iface="eth0", day="1699920000", db=None):
        month = os.path.join(db or self.db, iface, "2023", "11")
        names = [n for n in os.listdir(month) if n.startswith(day)]
        self.assertEqual(len(names), 1)
        return os.path.join(month, names[0])


class General(Case):
    def test_help(self):
        for cmd in COMMANDS:
            out = self.ok(cmd, "--help")
            self.assertIn("Examples:\n  gpdb " + cmd, out)
            self.assertIn("--json", out)
            self.assertLessEqual(max(map(len, out.splitlines())), 100)
        self.assertIn("Exit codes", self.ok("--help"))
        self.assertIn("gpdb", self.ok("--version"))

    def test_manual_page_has_every_flag(self):
        with open(os.path.join(os.path.dirname(__file__), "../../../docs/man/gpdb.1.scd"), encoding="utf-8") as f:
            page = f.read()
        for cmd in COMMANDS:
            start = page.index("\n*%s* [flags]" % cmd)
            own = re.split(r"\n\*[a-z]+\* |\n# ", page[start + 1:].replace("*inspect* [flags] _DAY", ""))[0]
            help_text = self.ok(cmd, "--help").split("Flags of all commands:")[0]
            flags = re.findall(r"^ {2,6}(?:-., )?(--[a-z-]+)", help_text, re.M)
            self.assertTrue(flags, cmd)
            for flag in flags:
                self.assertRegex(own, re.escape(flag) + r"\*", "%s %s" % (cmd, flag))
            for flag in re.findall(r"(?<![a-z])(--[a-z-]+)\*", own):
                self.assertIn(flag, flags, "%s: in the page, not in --help" % cmd)

    def test_usage(self):
        for text, args in ((" expected a CSV file", ["import"]), ("expected a CSV", ["import", "x"]),
                           ("unknown command 'foo'", ["foo"]), ("which database", ["check"]),
                           ("which limit", ["retain", self.db]), ("unknown flag: --bogus", ["check", "--bogus"]),
                           ("expected a source and a destination", ["merge", "a"]),
                           ("unexpected word 'x'", ["export", self.db, "x"]),
                           ("is no age", ["retain", self.db, "--max-age", "5x"]),
                           ("--sync always", ["import", "--sync", "always", "-", self.db]),
                           ("unknown codec 'zip'", ["import", "-c", "zip", "-", self.db]),
                           ("--mode 9", ["import", "-m", "9z", "-", self.db])):
            _, err = self.fails(2, text, *args, stdin=FLOWS)
            self.assertIn("See: gpdb", err)
        self.assertFalse(os.path.exists(self.db))

    def test_missing_database(self):
        for cmd in ("export", "check", "index", "list"):
            self.fails(1, "No such file", cmd, self.db)
        self.fails(1, "No such file", "retain", self.db, "--max-age", "1d")
        self.fails(1, "No such file", "merge", self.db, self.path("x"))


class Import(Case):
    def test_round_trip(self):
        out = self.ok("import", self.path("in.csv", FLOWS), self.db)
        self.assertIn("6 of 6 rows imported; 4 blocks of 2 interfaces", out)
        self.assertEqual(self.dump(), FLOWS)

    def test_compressed_and_pipes(self):
        zst = subprocess.run(["zstd", "-qc"], input=FLOWS.encode(), capture_output=True, check=True).stdout
        for i, data in enumerate((FLOWS.encode(), gzip.compress(FLOWS.encode()), zst,
                                  gzip.compress(FLOWS.encode()[:200]) + gzip.compress(FLOWS.encode()[200:]))):
            db = self.path("db%d" % i)
            self.ok("import", "-d", db, "-q", "-", stdin=data)
            self.ok("import", "-q", self.path("f", data), db + "f")
            self.assertEqual(self.dump(db), FLOWS)
            self.assertEqual(self.dump(db + "f"), FLOWS)

    def test_bad_compressed(self):
        data = gzip.compress((FLOWS + "".join("1700100000,e,1.1.%d.%d,2.2.2.2,%d,6,1,1,1,1\n" % (
            i % 200, i * 7 % 250, i) for i in range(2000))).encode())
        self.fails(1, "ends in the middle", "import", self.path("a.gz", data[:-20]), self.db)
        self.fails(1, "xz is not supported", "import", self.path("a.xz", b"\xfd7zXZ\0abc"), self.db)
        self.fails(1, "damaged gzip", "import", self.path("b.gz", data[:30] + b"xxxxxxxx" + data[38:]), self.db)

    def test_options(self):
        self.ok("import", "-q", "-i", "lan", "-s", "time,sip,dport", "-n", "2", "-c", "zstd", "-m", "0640", "-",
                self.db, stdin="600,1.2.3.4,7\n600,1.2.3.5,8\n600,1.2.3.6,9\n")
        self.assertEqual(self.dump(), HEAD + "600,lan,1.2.3.4,0.0.0.0,7,0,0,0,0,0\n"
                         "600,lan,1.2.3.5,0.0.0.0,8,0,0,0,0,0\n")
        month = os.path.join(self.db, "lan", "1970", "01")
        day = os.path.join(month, os.listdir(month)[0])
        self.assertEqual(os.stat(os.path.join(day, ".blockmeta")).st_mode & 0o777, 0o640)
        self.assertEqual(os.stat(self.db).st_mode & 0o777, 0o750)
        self.fails(1, "cannot be written", "import", "-c", "lz4cust", "-", self.path("x"), stdin=FLOWS)

    def test_skips_and_errors(self):
        bad = FLOWS.replace("1700000400", "x") + "".join("1700100000,eth0,bad,1.1.1.1,1,6,0,0,0,0\n" for _ in range(9))
        code, out, err = self.run_raw("import", self.path("bad.csv", bad), self.db)
        self.assertEqual(code, 0)
        self.assertIn("bad.csv:6: time is not a time in Unix seconds; row skipped", err)
        self.assertEqual(err.count("row skipped"), 5)
        self.assertIn("5 more rows skipped", err)
        self.assertIn("10 skipped", out)
        _, err = self.fails(1, "bad.csv:9: time goes back from 1700100000 to 1700000100 in row 7", "import",
                            self.path("bad.csv", FLOWS + "\n" + FLOWS[len(HEAD):]), self.path("db2"))
        self.assertEqual(len(err.splitlines()), 1)
        self.fails(1, "not later than the last one", "import", self.path("in.csv", FLOWS), self.db)
        self.fails(1, "is a directory", "import", self.dir, self.db)

    def test_json(self):
        out = json.loads(self.ok("import", "--json", self.path("in.csv", FLOWS + "x\n"), self.db))
        self.assertEqual((out["status"], out["rows_read"], out["rows_imported"], out["rows_skipped"]), ("ok", 7, 6, 1))
        self.assertEqual((out["blocks"], out["interfaces"], out["first_skipped_line"]), (4, 2, 8))
        out, _ = self.fails(1, "not later", "import", "--json", self.path("in.csv"), self.db)
        self.assertEqual(json.loads(out)["status"], "error")

    def test_interrupt(self):
        """What is complete is kept; the time being read is not."""
        with subprocess.Popen([GPDB, "import", "-d", self.db, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env={"TZ": "UTC"}) as p:
            p.stdin.write(FLOWS.encode())
            p.stdin.flush()
            time.sleep(0.5)
            p.send_signal(signal.SIGINT)
            _, err = p.communicate(timeout=30)
            self.assertEqual(p.returncode, 1, err)
        self.assertIn(b"cancelled; complete blocks were kept", err)
        self.assertEqual(self.dump(), FLOWS.rsplit("1700100000", 1)[0])

    def test_progress_line(self):
        """On a terminal, after a second; and nothing of it is left."""
        master, slave = pty.openpty()
        with subprocess.Popen([GPDB, "import", "-d", self.db, "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=slave, env={"TZ": "UTC"}) as p:
            os.close(slave)
            for i in range(12):
                p.stdin.write(("time,iface\n" if i == 0 else "%d,e\n" % (300 * i)).encode())
                p.stdin.flush()
                time.sleep(0.2)
            p.stdin.close()
            self.assertEqual(p.wait(timeout=30), 0)
        seen = b""
        try:
            while True:
                seen += os.read(master, 4096)
        except OSError:
            pass
        os.close(master)
        self.assertIn(b"rows/s", seen)
        self.assertTrue(seen.endswith(b"\r\x1b[K"), seen)

    def test_goconvert(self):
        link = os.path.join(os.path.dirname(GPDB), "goconvert")
        many = "time,iface,dport\n" + "".join("600,e,%d\n" % i for i in range(1500))
        code, _, err = self.run_raw("-in", self.path("m.csv", many), "-out", self.db, program=link)
        self.assertEqual(code, 0)
        self.assertIn("stopped after 1000 rows", err)
        self.assertEqual(self.dump().count("\n"), 1001)
        self.ok("-in=" + self.path("m.csv"), "--out", self.path("db2"), "-rows", "0", "-encoder", "2",
                "-permissions", "420", program=link)
        self.assertEqual(self.dump(self.path("db2")).count("\n"), 1501)
        self.ok("-in", "-", "-out", self.path("db3"), "-iface", "x", "-schema", "time,dport", program=link,
                stdin="600,1\n")
        self.assertIn("600,x,0.0.0.0", self.dump(self.path("db3")))
        self.fails(2, "expected -in FILE", "-out", self.db, program=link)
        self.assertIn("goconvert -in", self.ok("-help", program=link))


class Export(Case):
    def test_selection(self):
        self.fill()
        self.assertEqual(self.ok("export", "-q", self.db, "-i", "wan1", "--no-header").count("\n"), 1)
        self.assertEqual(self.ok("export", "-q", self.db, "-i", "!wan1", "--no-header").count("\n"), 5)
        self.assertEqual(self.ok("export", "-q", self.db, "-i", "/^w/", "--no-header").count("\n"), 1)
        self.assertEqual(self.ok("export", "-q", self.db, "-f", "1700000400", "-l", "1700000400", "--no-header"),
                         "1700000400,eth0,10.0.0.9,198.51.100.1,80,6,1,0,1001,0\n")
        self.fails(1, "no interface 'eth7'", "export", self.db, "-i", "eth0,eth7")
        self.fails(1, "is later than", "export", self.db, "-f", "600", "-l", "300")

    def test_file(self):
        self.fill()
        out = self.ok("export", self.db, "-o", self.path("out.csv"))
        self.assertIn("6 rows of 4 blocks", out)
        with open(self.path("out.csv"), encoding="ascii") as f:
            self.assertEqual(f.read(), FLOWS)
        os.chmod(self.path("out.csv"), 0o600)
        os.symlink("out.csv", self.path("link.csv"))
        self.ok("export", self.db, "-i", "wan1", "-o", "link.csv")
        self.assertTrue(os.path.islink(self.path("link.csv")))
        self.assertEqual((os.stat(self.path("out.csv")).st_mode & 0o777, os.path.getsize(self.path("out.csv"))),
                         (0o600, len(HEAD + FLOWS.splitlines(True)[4])))
        self.assertEqual(json.loads(self.ok("export", self.db, "--json", "-o", "/dev/null"))["rows"], 6)
        self.fails(1, "cannot create /nonexistent/x: No such file", "export", self.db, "-o", "/nonexistent/x")
        self.fails(1, "No space left", "export", self.db, "-o", "/dev/full")

    def test_closed_pipe(self):
        rows = "".join("600,e,%d.%d.1.1,9.9.9.9,80,6,1,1,1,1\n" % (i // 200 + 1, i % 200) for i in range(20000))
        self.fill(flows=HEAD + rows)
        p = subprocess.run("'%s' export -q '%s' | head -n 1" % (GPDB, self.db), shell=True, capture_output=True,
                           timeout=60, check=False)
        self.assertEqual((p.returncode, p.stdout.decode(), p.stderr), (0, HEAD, b""))

    def test_damage(self):
        self.fill()
        with open(os.path.join(self.day_dir(), "pkts_rcvd.gpf"), "r+b") as f:
            f.write(b"\x09")
        out, err = self.fails(3, "1 block and 0 days could not be read", "export", self.db)
        self.assertEqual(out.count("\n"), 4)


class Merge(Case):
    def test_merge(self):
        a, b = self.path("a"), self.path("b")
        self.fill(a)
        dry = self.ok("merge", "-n", a, b)
        self.assertIn("rebuild eth0 2023-11-14 (source incomplete, destination absent)", dry)
        self.assertIn("dry run: 2 interfaces: 0 days copied, 3 rebuilt, 0 skipped", dry)
        self.assertEqual(os.listdir(b), [])
        self.assertIn("3 rebuilt", self.ok("merge", a, b))
        self.assertEqual(self.dump(b), FLOWS)
        out = json.loads(self.ok("merge", "--json", "--overwrite", "-i", "wan1", a, b))
        self.assertEqual((out["conflicts_source"], out["days_rebuilt"], len(out["days"])), (1, 1, 1))
        self.fails(1, "no interface 'x'", "merge", "-i", "x", a, b)
        self.fails(1, "are the same", "merge", a, a)
        self.ok("merge", "-q", "-d", self.path("c"), a)
        self.assertEqual(self.dump(self.path("c")), FLOWS)

    def test_tolerance(self):
        a = self.path("a")
        self.fill(a, HEAD + "1699920200,e,1.1.1.1,1.1.1.1,1,6,1,1,1,1\n1699963300,e,1.1.1.1,1.1.1.1,1,6,1,1,1,1\n")
        self.assertIn("rebuild", self.ok("merge", "-n", a, self.db))
        self.assertIn("copy ", self.ok("merge", "-n", "-t", "200.9s", a, self.db))
        self.assertIn("copy ", self.ok("merge", "-n", "--tolerance", "5m", a, self.db))


class Look(Case):
    def test_list_is_that_of_goquery(self):
        self.fill()
        for args in ([], ["-v"], ["eth0"], ["-f", "1700050000", "-l", "1800000000"]):  # without -l it may say "until now"
            self.assertEqual(self.ok("list", self.db, *args),
                             self.ok("list", "-d", self.db, *args, program=GOQUERY))
        self.assertEqual(self.ok("list", "--json", self.db), self.ok("list", "--json", "-d", self.db, program=GOQUERY))

    def test_stray_directories_are_named(self):
        self.fill()
        table = self.ok("list", self.db)
        for stray in ("eth0/lost+found", "eth0/2023/xx", "eth0/2023/11/old"):
            os.mkdir(os.path.join(self.db, stray))
        out, err = self.fails(3, "3 directories left out: ", "list", self.db)
        self.assertEqual(out, table)
        for stray in ("eth0/lost+found: not the name of a year", "eth0/2023/xx: not the name of a month",
                      "eth0/2023/11/old: not the name of a day"):
            self.assertIn(stray, err)
        code, out, err = self.run_raw("list", "-d", self.db, program=GOQUERY)
        self.assertEqual((code, out), (0, table))
        self.assertIn("eth0/lost+found", err)

    def test_numbers_have_units(self):
        self.fill(flows=HEAD + "1700000100,eth0,10.0.0.1,192.0.2.1,53,17,0,1,0,72\n")
        self.assertIn("1 day of 1 interface, 1 block, 1 row, 19 B (raw 19 B)", self.ok("check", self.db))
        self.assertIn("1 block, 1 IPv4 and 0 IPv6 rows, 0 dropped packets, received 0 B, sent 72 B",
                      self.ok("inspect", self.db, "eth0", "2023-11-14"))
        self.assertIn("72 B    19 B", self.ok("inspect", self.db, "eth0"))
        self.assertIn("1 day, 1 in order", self.ok("repair", self.db))
        self.assertIn("1 day: 0 indexes written, 0 blocks added; ", self.ok("index", self.db))
        self.assertIn("0 days copied", self.ok("merge", self.db, self.path("b")))

    def test_inspect(self):
        self.fill()
        days = self.ok("inspect", self.db, "eth0").splitlines()
        self.assertEqual([line.split()[0] for line in days], ["day", "2023-11-14", "2023-11-15", "2023-11-16"][:1] +
                         ["2023-11-14", "2023-11-16"])
        table = self.ok("inspect", self.db, "eth0", "2023-11-14").splitlines()
        self.assertIn("day 2023-11-14, 2 blocks, 3 IPv4 and 1 IPv6 rows", table[0])
        self.assertEqual(table[2].split()[:7], ["0", "2023-11-14", "22:15:00", "1700000100", "2", "1", "0"])
        self.assertEqual(len(table), 4)
        a = self.ok("inspect", "--json", self.db, "eth0", "1700000000")
        self.assertEqual(a, self.ok("inspect", "--json", self.day_dir()))
        day = json.loads(a)
        self.assertEqual([b["time"] for b in day["blocks"]], [1700000100, 1700000400])
        self.assertEqual(day["blocks"][1]["columns"]["sip"], {"codec": "null", "offset": 36, "stored": 4, "raw": 4}
                         if day["blocks"][0]["columns"]["sip"]["stored"] == 36 else day["blocks"][1]["columns"]["sip"])
        self.assertEqual(len(json.loads(self.ok("inspect", "--json", "-d", self.db, "eth0"))), 2)
        self.fails(1, "has no day 2023-11-15", "inspect", self.db, "eth0", "2023-11-15")
        self.fails(1, "no days of interface 'nope'", "inspect", self.db, "nope")
        self.fails(2, "is no day", "inspect", self.db, "eth0", "tuesday")

    def test_output_that_ends(self):
        rows = "".join("%d,e,1.1.1.1,9.9.9.9,80,6,1,1,1,1\n" % (i * 300 + 300) for i in range(280))
        self.fill(flows=HEAD + rows)
        for args in (["inspect", self.db, "e", "1970-01-01", "--json"], ["inspect", self.db, "e", "1970-01-01"]):
            p = subprocess.run("'%s' %s | head -c 1" % (GPDB, shlex.join(args)), shell=True, capture_output=True,
                               timeout=60, check=False)
            self.assertEqual((len(p.stdout), p.stderr), (1, b""))
        for args in (["list", self.db], ["inspect", self.db, "e"], ["inspect", "--json", self.db, "e", "600"]):
            with open("/dev/full", "w", encoding="ascii") as full:
                p = subprocess.run([GPDB] + args, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
            self.assertEqual((p.returncode, p.stderr.count(b"\n")), (1, 1), p.stderr)

    def test_check(self):
        self.fill()
        self.assertIn("no problems", self.ok("check", self.db))
        self.assertEqual(json.loads(self.ok("check", "--json", self.db))["status"], "ok")
        with open(os.path.join(self.day_dir(), "dport.gpf"), "r+b") as f:
            f.truncate(3)
        out, _ = self.fails(3, "", "check", self.db)
        self.assertIn("error ", out)
        self.assertIn("dport.gpf", out)
        found = json.loads(self.fails(3, "", "check", "--json", self.db)[0])
        self.assertEqual(found["status"], "error")
        self.assertTrue(any(f["severity"] == "error" and "1699920000" in f["path"] for f in found["findings"]))
        self.assertFalse([f["text"] for f in found["findings"] if f["path"] in f["text"]])
        self.assertIn("no problems", self.ok("check", self.db, "-i", "wan1"))
        os.remove(os.path.join(self.day_dir("wan1"), "dip.gpf"))
        self.assertIn(": block 0: dip.gpf: No such file", self.fails(3, "", "check", self.db, "-i", "wan1")[0])

    def test_index(self):
        self.ok("import", "-q", "--no-index", "-", self.db, stdin=FLOWS)
        out = json.loads(self.ok("index", "--json", self.db))
        self.assertEqual(out["days"], 3)
        self.assertEqual(out["days_failed"], 0)
        self.assertEqual(json.loads(self.ok("index", "--json", self.db))["days_changed"], 0)
        self.ok("check", self.db)


class Repair(Case):
    def test_repair(self):
        self.fill()
        self.assertIn("nothing to do", self.ok("repair", self.db))
        with open(os.path.join(self.day_dir(), "pkts_rcvd.gpf"), "r+b") as f:
            f.write(b"\x09")  # first block
        left = self.ok("export", "-q", self.db, "-f", "1700000101")
        out, _ = self.fails(3, "", "repair", self.db)
        self.assertIn("would rebuild eth0/2023/11/1699920000", out)
        self.assertEqual(out.count("eth0/2023/11/1699920000"), 1)
        self.assertIn("add --apply to do it", out)
        self.fails(3, "", "check", self.db)
        found = json.loads(self.fails(3, "", "repair", "--json", "--yes", self.db)[0])
        self.assertEqual((found["blocks_kept"], found["blocks_lost"], found["failed"]), (1, 1, 0))
        self.ok("check", self.db)
        self.assertEqual(self.ok("export", "-q", self.db, "-i", "eth0"), left)
        self.assertTrue(os.listdir(self.db + ".quarantine"))

    def test_repair_of_a_lost_day(self):
        self.fill()
        os.truncate(os.path.join(self.day_dir("wan1"), ".blockmeta"), 10)
        out, _ = self.fails(3, "", "repair", "--apply", self.db)
        self.assertIn("quarantine wan1/2023/11/1699920000", out)
        self.assertIn("1 action done", out)
        self.ok("repair", self.db)

    def test_what_is_no_database(self):
        good = os.path.join(self.db, "flows", "good")
        os.makedirs(os.path.dirname(good))
        self.fill(good)
        os.makedirs(os.path.join(self.db, "home", "alice"))
        for cmd in ("check",), ("repair",), ("repair", "--apply"):
            self.fails(1, "is not a goDB", *cmd, self.db)
            self.fails(1, "is not a goDB", *cmd, os.path.join(good, "eth0"))
        self.ok("check", good)
        self.assertTrue(os.path.isdir(os.path.join(self.db, "home", "alice")))
        self.assertFalse(os.path.exists(self.db + ".quarantine"))

    def test_import_beside_damage(self):
        """Every damaged day that an import moves away is named with its place; the code is 3."""
        self.fill()
        for iface in "eth0", "wan1":
            os.truncate(os.path.join(self.day_dir(iface), ".blockmeta"), 0)
        more = HEAD + "".join("1700000700,%s,10.0.0.3,192.0.2.1,53,17,0,1,0,72\n" % i for i in ("eth0", "wan1"))
        code, out, err = self.run_raw("import", "--json", "-", self.db, stdin=more)
        self.assertEqual(code, 3, err)
        self.assertIn("2 of 2 rows", self.fails(0, "", "import", "-", self.path("new"), stdin=more)[0])
        notes = json.loads(out)["notes"]
        self.assertEqual([n.split("/")[0] for n in notes], ["eth0", "wan1"])
        for note in notes:
            self.assertIn(note, err)
            self.assertTrue(os.path.isdir(re.search(r"it is now in (.+)$", note)[1]), note)

    def test_what_repair_leaves(self):
        """Two good directories of a day: named, code 3 before and after, and the way out that is named works."""
        self.fill()
        day = self.day_dir()
        apart = os.path.join(self.dir, "apart")
        self.fill(apart, flows=HEAD + "1700000700,eth0,10.0.0.3,192.0.2.1,53,17,0,1,0,72\n")
        twin = os.path.join(os.path.dirname(day), "1699920000")
        shutil.copytree(self.day_dir(db=apart), twin)
        for flag in (), ("--apply",):
            out, _ = self.fails(3, "", "repair", *flag, self.db)
            self.assertIn("left alone eth0/2023/11/1699920000_", out)
            self.assertIn("nothing else to do, 1 left alone", out)
            found = json.loads(self.fails(3, "", "repair", "--json", *flag, self.db)[0])
            self.assertEqual((found["kinds"], found["actions"][0]["done"]), ({"leave": 1}, False))
        shutil.rmtree(self.day_dir(db=apart))
        os.rename(twin, os.path.join(apart, "eth0", "2023", "11", "1699920000"))
        self.ok("merge", apart, self.db)
        self.ok("check", self.db)
        self.assertIn("1700000700", self.dump())

    def test_repair_beside_a_writer(self):
        self.fill()
        os.rename(self.day_dir(), os.path.join(self.db, "eth0", "2023", "11", "1699920000_0-0-0-0-0-0-0"))
        fd = os.open(os.path.join(self.db, "eth0"), os.O_RDONLY)
        self.addCleanup(os.close, fd)
        fcntl.flock(fd, fcntl.LOCK_EX)
        out, _ = self.fails(1, "gpdb repair: eth0 is left alone: another process writes", "repair", "--apply", self.db)
        self.assertIn("1 day, 1 in order: nothing else to do, 1 failed", out)

    @unittest.skipUnless(os.path.isdir(SHARED), "no ../shared")
    def test_displaced(self):
        subprocess.run(["cp", "-r", os.path.join(SHARED, "corpus", "d1-displaced", "db"), self.db], check=True)
        before = self.dump()
        self.ok("repair", "--apply", self.db)
        self.ok("check", self.db)
        self.assertEqual(self.dump(), before)


class Retain(Case):
    def test_retain(self):
        self.fill()
        subprocess.run(["find", self.db, "-exec", "touch", "-d", "@1700000000", "{}", "+"], check=True)
        out = self.ok("retain", self.db, "--max-age", "1y")
        self.assertEqual(out.count("would delete"), 4)
        self.assertIn("add --apply to do it", out)
        self.assertEqual(self.dump(), FLOWS)
        out = json.loads(self.ok("retain", self.db, "--json", "--max-size", "1", "-i", "eth0"))
        self.assertEqual((out["dry_run"], out["days_deleted"], out["bytes_missing"]), (True, 2, 0))
        self.assertIn("deleted wan1 2023-11-14", self.ok("retain", self.db, "-i", "wan1", "--max-age", "52w", "--apply"))
        self.assertEqual(self.dump().count("wan1"), 0)
        # More than any disk has: a share would be reached on an otherwise empty tmpfs.
        kept = self.dump()
        self.fails(3, "something else fills the disk", "retain", "-y", self.db, "--min-free", "900000T")
        self.assertEqual(self.dump(), kept)
        self.ok("retain", "-q", "-y", "-d", self.db, "--max-age", "1d")
        self.assertEqual(self.dump(), HEAD)
        self.fails(3, "there are no more days to delete", "retain", self.db, "--min-free", "900000T")

    def test_what_is_fresh_stays(self):
        self.fill()
        self.fails(3, "days that changed in the last ten minutes or ended less than an hour ago are kept", "retain", self.db, "--max-size", "1")


class Corpus(Case):
    @unittest.skipUnless(os.path.isdir(SHARED), "no ../shared")
    def test_upstream(self):
        flows = os.path.join(SHARED, "corpus", "upstream-testdb-flows.csv")
        with open(flows, encoding="ascii") as f:
            want = f.read()
        self.ok("import", "-q", flows, self.db)
        self.assertEqual(self.dump(), want)
        self.assertEqual(self.dump(os.path.join(SHARED, "corpus", "upstream-testdb")), want)

    @unittest.skipUnless(os.path.isdir(SHARED), "no ../shared")
    def test_displaced(self):
        """The damaged database says what its flows say: a later row with the same key replaces."""
        root = os.path.join(SHARED, "corpus", "d1-displaced")
        self.ok("import", "-q", "-i", "eth0", os.path.join(root, "flows.csv"), self.db)
        self.assertEqual(self.dump(os.path.join(root, "db")), self.dump())
        out, _ = self.fails(3, "", "check", os.path.join(root, "db"))
        self.assertIn("defect D1", out)


if __name__ == "__main__":
    unittest.main()
