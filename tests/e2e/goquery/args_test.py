"""args_test.py - query-cases.md I and J: flags, configuration, stored queries, logs, errors."""
import datetime
import json
import os
import re
import subprocess
import time

import support


class Flags(support.Case):
    def test_errors(self):
        db = ["-d", self.db]
        self.fails(text="Error running query: no query type or command given")  # J01
        self.fails(*db, "-i", "eth0", text="no query type")  # J02
        self.fails("-i", "eth0", "sip", text="db.path is required")  # J03
        err = self.fails("-d", "nosuchdir", "-i", "eth0", "sip", text="No such file")  # J04
        self.assertTrue(err.startswith("Error running query: failed to execute query\n\n      Error: "))
        self.fails("--bogus", "sip", text="Error running query: unknown flag: --bogus\n")  # J05
        self.fails(*db, "-i", "eth0", "-n", "-5", "sip", text='invalid argument "-5" for "-n, ')  # J06
        self.fails(*db, "-i", "eth0", "--sum=maybe", "sip", text='for "--sum" flag')  # J12
        self.fails(*db, "-i", "eth0", "--sum", "true", text="\n    true\n    ^\n")  # J13
        self.fails(*db, "-i", "eth0", "-f", text="flag needs an argument: 'f' in -f")  # J15
        self.fails(*db, "-i", "eth0", "-k", "5", "sip", text="duration")  # J18
        self.fails("--logging.level", "foo", "version", text="unknown log level \"foo\"")  # J34
        self.fails(*db, "-i", "eth0", "list", text="unknown shorthand flag: 'i' in -i")  # J35
        self.fails(*db, "-i", "nosuch", "sip", text='Error: no interfaces provided: "nosuch" selects none of eth0, eth1\n')  # B08
        self.fails(*db, "-i", "eth0", "--color", "red", *self.RANGE, "sip", text='"--color" flag')
        self.fails("--results.limits", "5", text="(did you mean --results.limit?)")
        for flag in ("--query.timeout", "--max-wait", "--watch"):
            self.fails(*db, "-i", "eth0", flag, "-1ns", "sip", text='"%s" flag: expected a duration of 0 or more' % flag)
        for flag in ("--color", "--pager"):
            self.fails(*db, "-i", "eth0", flag, "foo", "-e", "csv", "sip",
                       text='"foo" for "%s" flag: expected auto, always or never' % flag)
        self.fails(*db, "-i", "eth0", "-n", "18446744073709551616", "sip", text="flag: out of range")
        for server in (db, ["--query.server.addr", "unix:/nonexistent", "-q", "any"]):
            self.fails(*server, "-i", "eth0", "--min-hosts", "65537", "sip",
                       text="--min-hosts 65537: a query has at most 65536 hosts\n")
        self.fails(*db, "-i", "eth0", "-l", "-60d", "sip", text="than the upper bound (not given, it is one month before now)\n")
        self.fails(*db, "-i", "eth0", "-l", "-2d", "time", text="than the upper bound (not given, it is one day before now)\n")

    def test_argument_errors(self):
        """The literal example of 7.1."""
        err = self.fails("-d", self.db, "-i", "wan0", "-c", "dport >= 80 & sipp = 10.1.1.1", "sip,dpt")
        want = """\
Error running query: failed to prepare query:

    query (value: sip,dpt)
    ----------------------
    invalid query type: 
    
    sip,dpt
        ^
    unknown attribute
    
    condition (value: dport >= 80 & sipp = 10.1.1.1)
    ------------------------------------------------
    invalid condition: 
    
    dport >= 80 & sipp = 10.1.1.1
                  ^
    expected attribute
"""
        self.assertEqual(err, want)

    def test_execution_error(self):
        """The shape of 7.1, byte for byte."""
        err = self.fails("-d", self.db, "-i", "wan0,wan1", "-c", "dport=80&(proto=tcp)", "-f", "1700000000",
                         "-l", "1700003600", "-n", "5", "-r", "src,dport")
        self.assertEqual(err, """\
Error running query: failed to execute query

      Error: no interfaces provided: "wan0,wan1" selects none of eth0, eth1
  Statement:

        query: src,dport
       ifaces: [wan0 wan1]
    
    condition: dport = 80 & ( proto = tcp )
\t\t
         from: Tue Nov 14 22:13:20 2023
           to: Tue Nov 14 23:13:20 2023
    
        limit: 5
    
          dns: true
    
""")

    def test_old_habits(self):
        p = self.run_raw("-d", self.db, *self.RANGE, "-in", "sip")
        self.assertEqual(p.returncode, 1)
        self.assertTrue(p.stderr.startswith("Warning: -in is read as -i n; the flag is written --in\n"))
        for old, new in (("-list", "there is a command for that: list"), ("-resolve", "the flag is now -r"),
                         ("-resolve-rows", "the flag is now --dns-resolution.max-rows"),
                         ("-resolve-timeout", "the flag is now --dns-resolution.timeout")):
            self.fails("-d", self.db, old, text="Warning: %s is read as %s %s; %s\n" % (old, old[:2], old[2:], new))

    def test_spellings(self):
        want = self.query("-n", "2", "-e", "csv", "sip")
        for args in (["-n=2", "-e=csv", "sip"], ["-n2", "-ecsv", "sip"],  # J09, J10
                     ["-n", "1", "-n", "2", "-e", "csv", "sip"],  # J11
                     ["sip", "--results.limit=2", "--results.format", "csv"],  # J14
                     ["-n2", "-ecsv", "sip", "dip"], ["-n2", "-ecsv", "--", "sip"],  # J17
                     ["-n", "0b10", "-e", "csv", "src"]):
            self.assertEqual(self.query(*args), want, args)
        self.assertIn("displayed", self.ok("-d", self.db, "-f", "-1d", "-i", "eth0", "sip"))  # J16
        self.assertEqual(self.ok("-d", "  %s  " % self.db, *self.RANGE, "-i", "eth0", "-n2", "-ecsv",
                                 "sip"), want)  # J28

    def test_version_and_help(self):
        for args in (["-v"], ["-v", "sip"], ["version"], ["--version"]):  # J19
            self.assertRegex(self.ok(*args), r"^goquery (devel\n|- )")
        root = self.ok("-h")
        for args in (["help"], ["help", "nosuch"], ["--help"], ["--bogus=1", "-h"][1:]):  # J20
            self.assertEqual(self.ok(*args).split("Times (")[0], root.split("Times (")[0], args)
        self.assertTrue(self.ok("--", "help").startswith(root.split("Times (")[0]))
        self.fails("-h", "--bogus", text="unknown flag: --bogus\n")
        self.assertIn("  goquery list [IFACE ...] [flags]\n", self.ok("help", "list"))
        self.assertEqual(self.ok("help", "list"), self.ok("list", "-h"))
        for text in (root, self.ok("list", "-h"), self.ok("examples")):
            self.assertLessEqual(max(len(x) for x in text.splitlines()), 100)
        self.assertTrue(self.ok("examples").endswith("\n\n"))

    def test_help_is_true(self):
        """Every sample of a time is one and means now; every operator works; so does where dir may stand."""
        root = self.ok("help")
        self.assertNotRegex(root, r"(?m) $")
        now = time.time()
        block = root.split("for the present time:\n\n")[1].split("\n\n")[0]
        samples = [s for line in block.splitlines() for s in re.split("  +", line.strip())]
        self.assertEqual(len(samples), 14)
        for s in samples:
            r = json.loads(self.ok("-d", self.db, "-i", "eth0", "-f", s, "-l", s, "-e", "json", "sip"))
            last = datetime.datetime.fromisoformat(r["summary"]["time_last"].replace("Z", "+00:00")).timestamp()
            self.assertTrue(now - 120 < last < now + 60, (s, r["summary"]))
        table = re.search(r"(?s)\n  =    == .*?\n\n", root).group()
        for line in table.split("\n")[1:4]:
            left, right = line[:31].split(), line[31:].split()
            for base, *others in (left, right):
                want = self.query("-e", "csv", "-c", "dport %s 80" % base, "dport")
                for op in others:
                    self.assertEqual(self.query("-e", "csv", "-c", "dport %s 80" % op, "dport"), want, op)
        shown = set(table.split())
        for word in "eq -eq equals == === ne -ne neq -neq lt -lt l -l less le -le leq -leq gt -gt g -g greater ge -ge geq " \
                    "-geq && and * || or + not [ { ] }".split():
            self.assertIn(word, shown)
        for ok in ("dir = in & dport = 80 & proto = 6", "(dport = 80 & proto = 6) & dir = in", "dir = in"):
            self.query("-c", ok, "sip")
        self.fails("-d", self.db, "-i", "eth0", "-c", "dport = 80 & proto = 6 & dir = in", "sip", text="misplaced")

    def test_every_flag(self):
        """Each flag of --help can be typed in each form it shows."""
        config = self.path("empty.yaml", "{}\n")
        stored = self.path("stored.json", '{"query":"sip"}')
        values = {"DURATION": "5s", "N": "5", "PERCENT": "50", "LIST": "eth0", "TIME": "1700000500",
                  "CONDITION": "dport = 80", "WIDTH": "10m", "KEY": "packets", "FORMAT": "csv",
                  "WHEN": "never", "HOSTS": "a", "NAME": "x", "FILE": "unused", "TYPE": "string", "LEVEL": "error",
                  "ID": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "ADDR": ""}
        special = {"first": "1700000000", "db.path": self.db, "config": config,
                   "stored-query": stored, "query.log": self.path("q.log"),
                   "profiling.output-dir": self.path("profile"),
                   "watch": "0s"}  # off: watch_test.py lets it run
        found = re.findall(r"^  (?:-(\w), |    )--([\w.-]+)(?: ([A-Z]+))?", self.ok("-h"), re.M)
        self.assertGreater(len(found), 40)
        for letter, name, value in found:
            base = ["-d", self.db, *self.RANGE, "-i", "eth0"]
            forms = [["--" + name]] + ([["-" + letter]] if letter else [])
            if value:
                text = special.get(name, values.get(value))
                forms = [["--%s=%s" % (name, text)], ["--" + name, text]]
                if letter:
                    forms += [["-%s%s" % (letter, text)], ["-" + letter, text],
                              ["-%s=%s" % (letter, text)]] if text else []
            for form in forms:
                if name == "live":  # known, but not for a database: fleet_test.py lets it run
                    self.fails(*base, *form, "sip", text="cannot run live query in local DB mode")
                    continue
                self.assertTrue(self.ok(*base, *form, "sip"), form)

    def test_completion(self):
        for shell, start in (("bash", "# bash completion for goquery\n"), ("zsh", "#compdef goquery\n"),
                             ("fish", "# fish"), ("powershell", "# PowerShell")):
            text = self.ok("completion", shell)
            self.assertTrue(text.startswith(start), shell)
            for flag in ("results.limit", "query.server.addr", "json"):
                self.assertIn(flag, text, shell)
        for args in ([], ["tcsh"]):
            self.assertIn("bash|zsh|fish|powershell", self.ok("completion", *args))

    def test_other_name(self):
        p = os.path.join(os.path.dirname(support.GOQUERY), "goQuery")
        self.assertTrue(self.run_raw("version", program=p).stdout.startswith("goQuery "))


class List(support.Case):
    def test_table(self):
        self.assertEqual(self.ok("-d", self.db, "list"), """\

    iface    packets      traffic     flows                   from                     to
    -----    -------      -------     -----                   ----                     --
     eth0    51.00        4.91 kB    7.00      2023-11-14 22:10:00    2023-11-14 22:20:00
     eth1     2.00      355.27 PB    2.00      2023-11-14 22:15:00    2023-11-14 22:20:00
                                                                                         
    Total    53.00      355.27 PB    9.00                                                

""")
        one = self.ok("-d", self.db, "list", "eth1", "nosuch", "-v")
        self.assertEqual(len(one.splitlines()), 8)
        self.assertIn("IPv6 flows", one)
        self.assertNotIn("eth0", one)
        self.assertEqual(self.ok("-d", self.db, "list", "-e", "csv"), self.ok("-d", self.db, "list"))

    def test_json(self):
        self.assertEqual(self.ok("-d", self.db, "-e", "json", "list", "eth1"),
                         '[{"iface":"eth1","time_first":"2023-11-14T22:15:00Z",'
                         '"time_last":"2023-11-14T22:20:00Z","counts":{"br":400000000000000000,'
                         '"pr":2},"traffic":{"num_v4_entries":2,"num_v6_entries":0,"num_drops":0}}]\n')
        self.assertEqual(self.ok("-d", self.db, "list", "nosuch", "--json"), "[]\n")  # J36

    def test_range(self):
        out = json.loads(self.ok("-d", self.db, "list", "-e", "json", "-l", "1700000100", "eth0"))
        self.assertEqual(out[0]["counts"]["pr"], 20)
        out = json.loads(self.ok("-d", self.db, "list", "-e", "json", "-f", "1700000101", "eth0"))
        self.assertEqual(out[0]["counts"]["pr"], 10)
        # no day in range: the range itself, and without --first that begins 300 s before 1970
        self.assertEqual(self.ok("-d", self.db, "list", "-f", "1800000000", "-l", "1800000900", "eth1"), """\

    iface    packets    traffic     flows                   from                     to
    -----    -------    -------     -----                   ----                     --
     eth1     0.00      0.00  B    0.00      2027-01-15 07:55:00    2027-01-15 08:15:00
                                                                                       
    Total     0.00      0.00  B    0.00                                                

""")
        out = json.loads(self.ok("-d", self.db, "list", "-e", "json", "-l", "1600000000", "eth1"))
        self.assertEqual(out, [{"iface": "eth1", "time_first": "1969-12-31T23:55:00Z",
                                "time_last": "2020-09-13T12:26:40Z", "counts": {},
                                "traffic": {"num_v4_entries": 0, "num_v6_entries": 0, "num_drops": 0}}])

    def test_errors(self):
        self.fails("list", text="db.path is required")
        self.fails("-d", "nosuch", "list", text="No such file")
        p = self.run_raw("-d", self.db, "list", "nosuch")
        self.assertEqual((p.returncode, p.stdout), (1, "\n"))  # J36
        self.assertTrue(p.stderr.endswith(': none of the interfaces "nosuch" is in %s (eth0, eth1)\n' % self.db), p.stderr)
        self.assertIn('interfaces "any", "eth" is in', self.run_raw("-d", self.db, "list", "any", "eth").stderr)
        self.fails("-d", self.db, "list", "-f", "foo", text="    first (value: foo)\n")
        self.fails("-d", self.db, "list", "-f", "5", "-l", "1", text="invalid time interval")
        empty = self.path("empty")
        os.makedirs(empty, exist_ok=True)
        for names in ([], ["eth0"]):
            p = self.run_raw("-d", empty, "list", *names)
            self.assertEqual((p.returncode, p.stdout), (1, "\n"))
            self.assertIn("no interfaces found in " + empty, p.stderr)
        self.fails("-d", empty, "-i", "any", "sip", text="no interfaces provided")


class Config(support.Case):
    def want(self, *args, env=None):
        text = self.ok("-i", "eth0", *self.RANGE, "-e", "csv", *args, "sip",
                       env=support.environment(**env) if env else None)
        self.assertEqual(len(text.splitlines()), 11, args)

    def test_formats(self):
        files = {
            "c.yaml": "db:\n  path: %s\nresults:\n  format: json\n",  # J23, J24
            "c.yml": "DB.Path: %s\nfoo: [1, {a: b}]\n",
            "c.json": '{"db": {"path": "%s"}, "query.timeout": "30s"}',
            "tabs.json": '{\n\t"DB": {"Path": "%s", "x": [1]},\n\t"results": null, "\\ud83d\\ude00": 1.5}\n',
            "c.toml": '# x\n[db] # y\npath = "%s"\n[[other]]\npath = "no"\n[query]\n'
                      'timeout = "45s"\nstats = true\nlist = [ "a", {b = 1} ]\n',
            "d.toml": "db.path = '%s'\n",
            "e.toml": 'db = { path = """%s""" }\n',
            "c.env": "# comment\nexport DB_PATH=%s\n",
            "d.dotenv": 'DB.PATH="%s" # x\n',
        }
        for name, text in files.items():
            self.want("--config", self.path(name, text % self.db))

    def test_example(self):
        """The example of 2.5: its server is asked, its log level holds."""
        path = self.path("example.yaml", """\
db:
  path: /srv/flows/db
query:
  server:
    addr: "unix:/run/flows/query.sock"
  timeout: 45s
  stats: true
logging:
  level: error
""")
        self.fails("--config", path, "-i", "eth0", "sip", text="list of target hosts is empty")
        self.fails("--config", path, "-i", "eth0", "-q", "any", "--query.timeout", "900ms", "sip", text="/run/flows/query.sock")
        self.fails("--config", path, "--query.server.addr", " ", "-i", "eth0", "sip",
                   text="/srv/flows/db")

    def test_errors(self):
        cases = {
            "bad.yaml": ("db: [\n", "bad.yaml"),
            "bad.json": ('{"db": ', "bad.json: line 1: not JSON"),
            "yaml.json": ("db.path: x\n", "yaml.json: line 1: not JSON"),
            "empty.json": ("", "empty.json"),
            "list.json": ("[]", "list.json: line 1: expected a JSON object"),
            "type.json": ('{"query": {"timeout": 45}}', "type.json: query.timeout: expected a duration"),
            "bad.toml": ("[db\n", "bad.toml: line 1: expected ]"),
            "str.toml": ('a = 1\ndb.path = "x\n', "str.toml: line 2: string is not closed"),
            "val.yaml": ("query:\n  timeout: soon\n", "val.yaml, line 2: query.timeout: expected a "
                                                      "duration"),
            "stats.toml": ("query.stats = 7\n", "stats.toml, line 1: query.stats: expected true"),
            "x.txt": ("db.path: /x\n", "unsupported type of configuration file \"txt\""),  # J22
            "noext": ("", "unsupported type"),
        }
        for name, (text, message) in cases.items():
            for args in (["sip"], ["version"], ["list"]):
                err = self.fails("--config", self.path(name, text), *args, text=message)
                self.assertNotIn("Error running query", err, name)
        self.fails("--config", "missing.yaml", "-v", text="missing.yaml")  # J21
        self.assertIn("Usage:", self.ok("--config", "missing.yaml", "--help"))

    def test_precedence(self):
        other = self.path("other")
        os.makedirs(other, exist_ok=True)
        good = self.path("good.yaml", "db.path: %s\n" % self.db)
        bad = self.path("wrong.yaml", "db.path: %s\n" % other)
        empty = self.path("empty.yaml", "")
        self.fails("-i", "eth0", "sip", env=support.environment(**{"DB.PATH": self.db}),
                   text="db.path is required")  # J25
        self.want("--config", empty, env={"DB.PATH": self.db})  # J26
        self.want("--config", bad, env={"DB.PATH": self.db})
        self.want("--config", bad, env={"DB_PATH": self.db})
        self.want("--config", bad, "-d", self.db, env={"DB.PATH": other})  # J27
        self.want("--config", good, env={"DB_PATH": ""})
        blank = self.path("blank.yaml", "db.path: '   '\n")
        self.fails("--config", blank, "-i", "eth0", "sip", text="db.path is required")
        stats = self.path("stats.yaml", "query: {stats: true}\n")
        self.assertIn("Workloads", self.query("--config", stats, "sip"))
        self.assertNotIn("Workloads", self.query("--config", stats, "--query.stats=false", "sip"))


    def test_every_key(self):
        """Each key of 2.3 that a file may set: file, environment (both spellings), flag; the later wins."""
        query = ["-i", "eth0", "-q", "any", *self.RANGE, "sip"]
        db = ["-d", self.db]
        keys = {  # key: (arguments, three values, what standard error says of the one that counts)
            "db.path": (query, ["/nonexistent/%s"] * 3, "database /nonexistent/%s:"),
            "query.server.addr": (query, ["http://%s"] * 3, 'got "http://%s"'),
            "query.timeout": (db + query, ["1ns", "2ns", "3ns"], "--query.timeout %s\n"),
            "query.log": (db + query, ["/nonexistent/%s"] * 3, "cannot open query log /nonexistent/%s:"),
            "stored-query": (db, ["/nonexistent/%s"] * 3, "could not open stored query /nonexistent/%s:"),
            "logging.level": (["version"], ["%s"] * 3, "unknown log level \"%s\""),
            "profiling.output-dir": (db + query, ["/proc/none-%s"] * 3, "cannot make directory /proc/none-%s:"),
            "traceparent": (db + query, ["%s"] * 3, "malformed traceparent ignored\" version=devel traceparent=%s"),
        }
        for key, (args, values, want) in keys.items():
            file, env, flag = [v % name if "%s" in v else v for v, name in zip(values, ("file", "env", "flag"))]
            shown = [v if "%s" not in values[0] else name for v, name in zip((file, env, flag), ("file", "env", "flag"))]
            config = self.path("key.yaml", "%s: '%s'\n" % (key, file))
            nested = self.path("nested.json", json.dumps({key.split(".")[0].upper(): {key.split(".", 1)[1]: file}}
                                                         if "." in key else {key: file}))
            names = [key.upper(), key.upper().replace(".", "_").replace("-", "_")]
            for conf, environment, more, which in (
                    (config, {}, [], 0), (nested, {}, [], 0), (config, {names[0]: env}, [], 1),
                    (config, {names[1]: env}, [], 1), (config, {n: env for n in names}, ["--%s=%s" % (key, flag)], 2)):
                p = self.run_raw("--config", conf, *more, *args, env=support.environment(**environment))
                self.assertIn(want % shown[which], p.stderr, (key, environment, more))
        for key in ("query.stats", "query.streaming"):
            name = key.upper().replace(".", "_")
            good, bad = self.path("good.yaml", key + ": false\n"), self.path("bad.yaml", key + ": file\n")
            self.fails("--config", bad, *db, *query, text='bad.yaml, line 1: %s: expected true or false, got "file"' % key)
            env = support.environment(**{name: "env"})
            self.fails("--config", good, *db, *query, env=env, text='%s: %s: expected true or false, got "env"' % (name, key))
            self.ok("--config", bad, *db, "--%s=1" % key, "-i", "eth0", *self.RANGE, "sip", env=env)
        # without a file the environment does not count
        for key in [*keys, "query.stats", "query.streaming"]:
            p = self.run_raw("version", env=support.environment(**{key.upper().replace(".", "_").replace("-", "_"): "x"}))
            self.assertEqual((p.returncode, p.stderr), (0, ""), key)


class Server(support.Case):
    def test_hosts(self):
        err = self.fails("--query.server.addr", "localhost:1", "-i", "eth0", "sip",
                         text="list of target hosts is empty")  # J30
        self.assertEqual(len(err.splitlines()), 2)
        # the server wins over a database path (J29)
        self.fails("-d", self.db, "--query.server.addr", "localhost:1", "-i", "eth0", "sip",
                   text="list of target hosts is empty")


class Stored(support.Case):
    QUERY = '{"query":"sip","ifaces":"eth0","first":"1699999000","last":"1700001000","format":"csv"%s}'

    def stored(self, more, *args, **kw):
        return self.ok("-d", self.db, "--stored-query", self.path("q.json", self.QUERY % more), *args,
                       **kw)

    def rows(self, text):
        return len(text.splitlines()) - 7

    def test_overlay(self):
        self.assertEqual(self.rows(self.stored(',"num_results":2', "-n", "3")), 2)  # I40
        self.assertEqual(self.rows(self.stored("", "-n", "3")), 3)  # I41
        self.assertEqual(self.stored("", "dport"), self.stored(""))  # I42
        self.assertEqual(self.rows(self.stored(',"NUM_Results":2')), 2)  # I36
        self.assertEqual(self.rows(self.stored(',"num_results":null,"bogus":[1]', "-n", "3")), 3)
        text = self.ok("-d", self.db, "--stored-query", "-", stdin=self.QUERY % "" + " trailing")  # I37
        self.assertEqual(self.rows(text), 4)
        self.assertEqual(self.rows(self.stored(
            ',"dns_resolution":{"enabled":false,"timeout":"1s"}')), 4)  # I39

    def test_errors(self):
        def bad(text, message):
            self.fails("-d", self.db, "--stored-query", self.path("bad.json", text), text=message)
        bad(self.QUERY % ',"num_results":-1', "could not decode stored query")  # I34
        bad('{"query":"sip","first":1456358400}', "first")  # I35
        for words in ([], ["sip"], ["raw"]):  # 2.8: the positional argument is ignored
            self.fails("-d", self.db, *words, "--stored-query", "-", stdin='{"ifaces":"eth0","first":"0"}',
                       text="\n    query (value: )\n")
        self.fails("-d", self.db, "sip", "--stored-query", "-", stdin="null", text="\n    query (value: )\n")
        bad(self.QUERY % ',"dns_resolution":{"max_rows":"x"}', "dns_resolution.max_rows: got a string")
        for text in ("[]", "", "nojson"):  # I38
            bad(text, "could not decode stored query")
        bad(self.QUERY % ',"live":true', "cannot run live query in local DB mode")  # I43
        self.fails("-d", self.db, "--stored-query", "nosuch.json", text="could not open stored query")


class Logs(support.Case):
    def test_closed_descriptors(self):
        """Nothing that is opened takes the place of a closed standard output or error."""
        log = self.path("closed.log")
        args = [support.GOQUERY, "-d", self.db, "-i", "eth0", *self.RANGE, "--query.log", log, "-e", "csv"]
        for query, fd, text in (("sip", 1, "Bad file descriptor"), ("nosuch", 2, "")):
            p = subprocess.run(["sh", "-c", 'exec "$@" %d>&-' % fd, "sh", *args, query], capture_output=True, text=True,
                               env=support.environment(), timeout=60, check=False)
            self.assertEqual((p.returncode, p.stdout), (1, ""), p.stderr)
            self.assertIn(text, p.stderr)
        with open(log, encoding="utf-8") as f:
            for line in f:
                self.assertIn("msg", json.loads(line))

    def test_query_log(self):
        path = self.path("query.log")
        self.query("--query.log", path, "-c", "dport=80", "sip")
        self.fails("-d", self.db, "--query.log", path, "-i", "eth0", "sipp")
        self.ok("-d", self.db, "--query.log", path, "list", "eth0")
        with open(path, encoding="utf-8") as f:
            lines = [json.loads(x) for x in f]
        self.assertEqual([x["msg"] for x in lines],
                         ["preparing query", "running query", "query finished", "preparing query",
                          "query finished", "listing interfaces", "interfaces listed"])
        for bound in ("first", "last"):  # 2.6: set before validation
            self.assertLess(abs(int(lines[3]["args"][bound]) - time.time()), 32 * 86400)
        self.assertNotIn("summary", lines[4])
        for x in lines:
            self.assertEqual((x["level"], x["version"] != ""), ("info", True))
            self.assertRegex(x["ts"], r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
        self.assertEqual(lines[0]["args"]["condition"], "dport=80")
        self.assertEqual(lines[0]["args"]["caller"], support.GOQUERY)  # argv[0]
        self.assertEqual(lines[1]["stmt"]["query_type"], "sip")
        self.assertEqual(lines[2]["summary"]["hits"], {"displayed": 2, "total": 2})
        self.assertEqual(lines[5]["args"], "eth0")

    def test_defaults(self):
        """F105 to F107: what is not said is in the log's arguments as it is used."""
        for query, seconds in (("sip", (28 * 86400, 31 * 86400)), ("time,sip", (86400, 86400)), ("raw", (86400, 86400))):
            path = self.path("defaults.log", "")
            self.ok("-d", self.db, "-i", "eth0", "--query.log", path, query)
            with open(path, encoding="utf-8") as f:
                args, stmt = [json.loads(x) for x in f][:2]
            self.assertEqual((args["args"]["first"], args["args"]["last"]),
                             (str(stmt["stmt"]["from"]), str(stmt["stmt"]["to"])))
            self.assertLessEqual(abs(int(args["args"]["last"]) - time.time()), 60)
            span = int(args["args"]["last"]) - int(args["args"]["first"])
            self.assertTrue(seconds[0] <= span <= seconds[1], (query, span))

    def test_special_files(self):
        p = self.run_raw("-d", self.db, "-i", "eth0", *self.RANGE, "--query.log", "StdErr", "sip")
        self.assertEqual([json.loads(x)["msg"] for x in p.stderr.splitlines()],
                         ["preparing query", "running query", "query finished"])
        self.assertEqual(self.run_raw("-d", self.db, "-i", "eth0", *self.RANGE, "--query.log", "devnull",
                                      "sip").stderr, "")
        p = self.run_raw("-d", self.db, "-i", "eth0", *self.RANGE, "--query.log", "/nonexistent/x", "sip")
        self.assertEqual(p.returncode, 0)
        self.assertIn("failed to open query log", p.stderr)
        self.assertIn("10.0.0.1", p.stdout)

    def test_keepalive(self):
        p = self.run_raw("-d", self.db, "-i", "eth0", *self.RANGE, "-k", "1ns", "--logging.level", "info",
                         "-e", "csv", "sip")
        self.assertEqual(len(p.stdout.splitlines()), 11)  # log lines stay out of the result (U14)

    def test_profile_and_trace(self):
        out = self.path("p/q")
        self.query("--profiling.output-dir", out, "sip")
        self.assertEqual(sorted(os.listdir(out)),
                         ["goquery_cpu_profile.pprof", "goquery_mem_profile.pprof"])
        self.assertEqual(os.stat(out).st_mode & 0o777, 0o750)
        text = self.query("--tracing.enabled", "--tracing.collector.type", "stdout", "--traceparent",
                          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "-e", "csv", "sip")
        span = json.loads(text.splitlines()[-1])
        self.assertEqual((span["trace_id"], span["parent_span_id"], span["status"]),
                         ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "ok"))


if __name__ == "__main__":
    support.main()
