"""fleet_test.py - goquery's server mode with real daemons: two agents, an aggregator, keys, failures."""
import json
import os
import re
import select
import signal
import socket
import subprocess
import time

import support

BIN = os.path.dirname(support.GOQUERY)
ETH0 = "\n".join(x for x in support.FLOWS_M.splitlines() if ",eth0," in x) + "\n"
ETH1 = "\n".join(x for x in support.FLOWS_M.splitlines() if ",eth1," in x) + "\n"


class Daemon:
    """A program that says "listening on ADDR" on standard output."""

    def __init__(self, log, *args):
        self.log = open(log, "wb")
        self.p = subprocess.Popen([os.path.join(BIN, args[0]), *args[1:]], stdout=subprocess.PIPE,
                                  stderr=self.log, env=support.environment())
        self.addr, text, end = None, b"", time.monotonic() + 20
        while self.addr is None and time.monotonic() < end:
            if not select.select([self.p.stdout], [], [], 0.5)[0]:
                continue
            part = os.read(self.p.stdout.fileno(), 4096)
            text += part
            found = re.search(rb"listening on (\S+)\n", text)
            if found:
                self.addr = found[1].decode()
            if not part:
                break
        if self.addr is None:
            self.stop()
            with open(log, encoding="utf-8", errors="replace") as f:
                raise AssertionError("%s did not start: %s" % (args[0], f.read()))

    def stop(self):
        self.p.send_signal(signal.SIGCONT)
        self.p.terminate()
        try:
            self.p.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
        self.p.stdout.close()
        self.log.close()


class Fleet(support.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemons = []
        cls.addClassCleanup(cls.stop_all)
        pubs = []
        for kind, name in (("agent", "edge-7"), ("agent", "edge-8"), ("aggregator", "agg"),
                           ("aggregator", "top"), ("user", "alice"), ("user", "mallory")):
            key = os.path.join(cls.dir, name + ".key")
            subprocess.run([os.path.join(BIN, "gpkey"), "-q", "new", kind, name, "-o", key], check=True,
                           env=support.environment(), timeout=30)
            if name != "mallory":
                pubs.append(key[:-4] + ".pub" if os.path.exists(key[:-4] + ".pub") else key + ".pub")
        cls.trusted = os.path.join(cls.dir, "trusted_keys")
        subprocess.run([os.path.join(BIN, "gpkey"), "-q", "trust", *pubs, "--into", cls.trusted],
                       check=True, env=support.environment(), timeout=30, cwd=cls.dir)
        table = ""
        for name, flows in (("edge-7", ETH0), ("edge-8", ETH1)):
            db = os.path.join(cls.dir, "db-" + name)
            support.make_db(db, flows)
            d = Daemon(os.path.join(cls.dir, name + ".log"), "goprobe", "serve", "--db", db, "--key",
                       os.path.join(cls.dir, name + ".key"), "--trusted-keys", cls.trusted, "--host-id",
                       "id-" + name, "--listen", "tcp://127.0.0.1:0")
            cls.daemons.append(d)
            table += "%s:\n  addr: %s\n" % (name, d.addr)
        table += "edge-9:\n  addr: tcp://127.0.0.1:1\n"
        endpoints = os.path.join(cls.dir, "endpoints.yaml")
        with open(endpoints, "w", encoding="utf-8") as f:
            f.write(table)
        cls.agg = Daemon(os.path.join(cls.dir, "agg.log"), "global-query", "server", "--server.addr",
                         "tcp://127.0.0.1:0", "--identity.key", os.path.join(cls.dir, "agg.key"),
                         "--identity.trusted_keys", cls.trusted, "--querier.config", endpoints)
        cls.daemons.append(cls.agg)
        above, names = os.path.join(cls.dir, "above.yaml"), os.path.join(cls.dir, "names")
        with open(above, "w", encoding="utf-8") as f:
            f.write("agg: {addr: '%s', kind: aggregator, hosts: 'edge-[7-9]'}\n" % cls.agg.addr)
        with open(names, "w", encoding="utf-8") as f:
            f.write("@good: edge-[7-8]\nagg\n")
        conf = os.path.join(cls.dir, "top.yaml")
        with open(conf, "w", encoding="utf-8") as f:
            f.write("hosts: {resolvers: [{type: file, config: %s}]}\n" % names)
        cls.top = Daemon(os.path.join(cls.dir, "top.log"), "global-query", "server", "-c", conf, "--server.addr",
                         "tcp://127.0.0.1:0", "--identity.key", os.path.join(cls.dir, "top.key"),
                         "--identity.trusted_keys", cls.trusted, "--querier.config", above)
        cls.daemons.append(cls.top)

    @classmethod
    def stop_all(cls):
        for d in reversed(cls.daemons):
            d.stop()

    def args(self, *more, user="alice", addr=None):
        return ["--query.server.addr", addr or self.agg.addr, "--identity.key",
                self.path(user + ".key"), "--identity.trusted_keys", self.trusted, *more]

    def ask(self, *more, **kw):
        return self.ok(*self.args("-i", "any", *self.RANGE, *more), **kw)

    def test_table(self):
        """Hosts get their column by themselves; a dead host is one line, and no failure."""
        text = self.ask("-q", "edge-7,edge-8,edge-9", "--in", "-n", "3", "-c", "dport = 80", "apps_port")
        text = re.sub(r" in [0-9.]+m?s\n", " in 1ms\n", text)
        first, rest = text.split("\n", 1)
        self.assertRegex(first, r'^Host edge-9 returned with error "unreachable": .')
        self.assertEqual(rest, """\

                               packets             bytes       
    host  iface  dport  proto       in      %         in      %
  edge-8   eth1     80    143      1     4.00  266.45 PB  75.00
  edge-8   eth1     80    TCP      1     4.00   88.82 PB  25.00
  edge-7   eth0     80    TCP     23    92.00    2.25 kB   0.00
                                                               
                                  25           355.27 PB       

Timespan           : [2023-11-14 22:10:00, 2023-11-14 22:20:00] (10m0s)
Interfaces / Hosts : 2 queried on 3 hosts: 2 ok / 0 empty / 1 error
Sorted by          : accumulated data volume (received only)
Conditions         : dport = 80
Query stats        : displayed top 3 hits out of 3 in 1ms

""")

    def test_formats(self):
        csv = self.ask("-q", "any,!edge-9", "-e", "csv", "--sum", "talk_src")
        self.assertEqual(csv.splitlines()[0], "iface,sip,packets,%,data vol.,%")
        r = json.loads(self.ask("-q", "edge-7,edge-8", "-e", "json", "sip"))
        self.assertNotIn("hostname", r)
        self.assertEqual(r["hosts_statuses"], {"edge-7": {"code": "ok"}, "edge-8": {"code": "ok"}})
        self.assertEqual(r["summary"]["interfaces"], ["eth0", "eth1"])
        self.assertEqual(r["summary"]["totals"],
                         {"br": 400000000000002968, "bs": 2060, "pr": 32, "ps": 21})
        self.assertEqual({(x["labels"]["host"], x["labels"]["host_id"]) for x in r["rows"]},
                         {("edge-7", "id-edge-7"), ("edge-8", "id-edge-8")})
        # a key of the user's that lies in the usual place needs no flags
        home = self.path("home")
        os.makedirs(os.path.join(home, ".config", "fleetprobe"), exist_ok=True)
        for a, b in (("alice.key", "user.key"), ("trusted_keys", "trusted_keys")):
            link = os.path.join(home, ".config", "fleetprobe", b)
            if not os.path.exists(link):
                os.symlink(self.path(a), link)
        same = self.ok("--query.server.addr", self.agg.addr, "-i", "any", *self.RANGE, "-q",
                       "any,!edge-9", "-e", "csv", "--sum", "talk_src",
                       env=support.environment(HOME=home))
        self.assertEqual(same, csv)

    def test_merge_hosts(self):
        csv = self.ask("-q", "edge-7,edge-8", "--merge-hosts", "-e", "csv", "--sum", "-c", "proto = tcp",
                       "iface,proto")
        self.assertEqual(csv.splitlines()[1:3], ["eth1,TCP,1,2.08,100000000000000000,100.00",
                                                 "eth0,TCP,47,97.92,4700,0.00"])
        self.assertNotIn("host", self.ask("-q", "edge-7,edge-8", "--merge-hosts", "sip").split("\n\n")[0])

    def test_empty(self):
        text = self.ask("-q", "edge-7", "-c", "dport = 9", "sip")
        self.assertTrue(text.startswith('Status "empty": query returned no results\n\nTimespan'), text)
        text = self.ok(*self.args("-q", "edge-7", "-i", "eth0", "-f", "1600000000", "-l", "1600000300",
                                  "sip"))
        self.assertTrue(text.startswith('Status "missing data": no data available'), text)

    def test_exit_codes(self):
        p = self.run_raw(*self.args("-i", "any", *self.RANGE, "-q", "edge-7,edge-9", "--strict", "-e",
                                    "csv", "sip"))
        self.assertEqual(p.returncode, 3)
        self.assertIn('Host edge-9 returned with error "unreachable"', p.stderr)
        self.assertIn("10.0.0.1", p.stdout)
        self.assertEqual(self.run_raw(*self.args("-i", "any", *self.RANGE, "-q", "edge-7", "--strict",
                                                 "sip")).returncode, 0)
        # without the interface is not without an answer; nobody to ask is, and it is said
        for hosts, iface, code, text in (("edge-7,edge-8", "eth0", 0, "no interface matches"),
                                         ("edge-7,edge-8,edge-9", "eth0", 3, "unreachable"),
                                         ("z*", "any", 3, 'no host matches "z*"\n')):
            args = self.args("-i", iface, *self.RANGE, "-q", hosts, "-e", "csv")
            p = self.run_raw(*args, "--strict", "sip")
            self.assertEqual(p.returncode, code, p.stderr)
            self.assertIn(text, p.stderr)
            p = self.run_raw(*args, "sip")
            self.assertEqual(p.returncode, 0)
            self.assertIn(text, p.stderr)
            yaml = self.path("strict.yaml", "queries:\n  - {title: T, query: sip, ifaces: %s}\n" % iface)
            p = self.run_raw("report", yaml, "-q", hosts, *self.args(*self.RANGE, "--strict"))
            self.assertEqual(p.returncode, code, p.stderr)
        self.fails(*self.args("-i", "any", *self.RANGE, "-q", "edge-7,edge-9", "--min-hosts", "2", "sip"),
                   text="failed to execute query")

    def test_refusals(self):
        base = ["-i", "any", *self.RANGE, "-q", "edge-7", "sip"]
        err = self.fails(*self.args(*base, user="mallory"), text="failed to execute query")
        self.assertIn("\n      Error: ", err)
        self.fails("--query.server.addr", self.agg.addr, *base, text="--identity.key")
        self.fails("--query.server.addr", "http://localhost:1", *base, text="HTTP is not spoken")
        self.fails(*self.args(*base, "--query.timeout", "900ms", addr="tcp://127.0.0.1:1"), text="127.0.0.1:1")
        self.fails("--query.server.addr", self.agg.addr, "--identity.key", "nosuch.key", *base,
                   text="nosuch.key")

    def test_one_agent(self):
        """An agent speaks the same language as an aggregator."""
        r = json.loads(self.ok(*self.args("-i", "eth0", *self.RANGE, "-q", "edge-7", "-e", "json", "sip",
                                          addr=self.daemons[0].addr)))
        self.assertEqual(len(r["rows"]), 4)

    def test_long_condition(self):
        """The longest that can be sent: 64 KiB as asked, 160 KiB as the answers have it."""
        cond = " | ".join(["net = ::/0"] * 5040)
        self.assertIn(len(cond), range(65500, 65537))
        want = json.loads(self.query("-i", "any", "-e", "json", "-c", cond, "sip"))
        for addr in (self.daemons[0].addr, self.agg.addr, self.top.addr):
            r = json.loads(self.ok(*self.args("-i", "any", *self.RANGE, "-q", "edge-7", "-e", "json", "-c", cond, "sip",
                                              addr=addr)))
            self.assertEqual(r["query"]["condition"], want["query"]["condition"], addr)
            self.assertEqual(len(r["rows"]), 2, addr)
        self.fails(*self.args("-i", "any", "-q", "any", "-c", cond + " | " + cond[:101], "sip", addr="tcp://127.0.0.1:1"),
                   text="Error: condition of 65621 bytes: at most 65536 can be sent to a server\n")

    def test_hosts(self):
        table = self.ok(*self.args("hosts"))
        self.assertRegex(table, r"\n +edge-7 +\w+ +tcp://127")
        v = json.loads(self.ok(*self.args("hosts", "edge-8", "-e", "json")))
        self.assertEqual([x["host"] for x in v], ["edge-8"])
        self.fails("hosts", text="--query.server.addr")
        # several words are one selector; a reason begins under its heading
        v = self.ok(*self.args("hosts", "edge-9", "edge-8", "-e", "ndjson")).splitlines()
        self.assertEqual([json.loads(x)["host"] for x in v], ["edge-8", "edge-9"])
        head, down = self.ok(*self.args("hosts", "edge-9")).splitlines()
        self.assertRegex(down[head.index("detail"):], r"^\w+")
        self.assertEqual(down[head.index("detail") - 2:][:2], "  ")
        head, up = self.ok(*self.args("hosts", "edge-7", "-e", "csv")).splitlines()
        self.assertEqual(head, "host,state,address,rtt_us,since,detail,software")
        self.assertRegex(up, r"^edge-7,\w+,tcp://127\.0\.0\.1:\d+,\d*,[^,]*,")
        self.assertIn("\n|---|---|---|---:|---|---|\n| edge-7 |", self.ok(*self.args("hosts", "edge-7", "-e", "md")))
        self.fails(*self.args("hosts", "-e", "foo"), text='txt, json, csv, ndjson or md, not "foo"')

        self.assertIn("--query.hosts-resolver-type", self.ok("hosts", "--help"))
        v = json.loads(self.ok(*self.args("hosts", "any,edge-7", "-e", "json", addr=self.top.addr)))
        self.assertEqual([(x["host"], x["detail"]) for x in v],
                         [("agg", "aggregator of edge-[7-9]"), ("edge-7", "behind agg, which is connected")])
        v = json.loads(self.ok(*self.args("hosts", "@good", "--query.hosts-resolver-type", "file", "-e", "json",
                                          addr=self.top.addr)))
        self.assertEqual([x["host"] for x in v], ["edge-7", "edge-8"])

    def test_tree(self):
        """Through an aggregator above the other: what a selector means, and what the agents check."""
        def hosts(selector, *more):
            out = self.ok(*self.args("-i", "any", *self.RANGE, "-q", selector, *more, "-e", "csv", "--sum", "host",
                                     addr=self.top.addr))
            return sorted(re.findall(r"^edge-\d", out, re.M))
        both = ["edge-7", "edge-8"]
        for selector, want, more in (
                ("any", both, ()), ("agg", both, ()), ("agg,!edge-7", ["edge-8"], ()), ("edge-*", both, ()),
                ("edge-8", ["edge-8"], ()), ("any,!agg", [], ()), ("any,!edge-8", ["edge-7"], ()),
                ("@good", both, ("--query.hosts-resolver-type", "file")),
                ("agg", both, ("--query.hosts-resolver-type", "file")),
                ("agg,!edge-7", ["edge-8"], ("--query.hosts-resolver-type", "file"))):
            self.assertEqual(hosts(selector, *more), want, selector)
        text = self.ok(*self.args("-i", "any", *self.RANGE, "-q", "agg,!edge-7", "--query.hosts-resolver-type", "file", "sip",
                                  addr=self.top.addr))
        self.assertNotIn("edge-7", text)
        text = self.ok(*self.args("-i", "any", *self.RANGE, "-q", "any", "sip", addr=self.top.addr))
        self.assertRegex(text, r'^Host edge-9 returned with error "unreachable": .*via agg\n')
        # an aggregator that the user did not name can't ask in the name of another
        p = self.run_raw(*self.args("-i", "any", *self.RANGE, "-q", "top", "sip"))
        self.assertIn('Host top returned with error "not found": unknown host', p.stdout)

    def test_lone_failure(self):
        """U32: a host that fails alone is named; one that has nothing needs no second line (U31: JSON says so)."""
        text = self.ask("-q", "edge-9", "sip")
        self.assertRegex(text, r'^Status "missing data": .*\nHost edge-9 returned with error "unreachable": .')
        self.assertNotIn("Host", self.ask("-q", "edge-7", "-c", "dport = 9", "sip").split("\n\n")[0])
        r = json.loads(self.ask("-q", "edge-7,edge-8", "-c", "dport = 443", "-e", "json", "sip"))
        self.assertEqual(r["summary"]["data_available"], True)
        for host, status in r["hosts_statuses"].items():
            rows = [x for x in r["rows"] or [] if x["labels"]["host"] == host]
            self.assertEqual(status["code"], "ok" if rows else "empty", host)

    def test_wrong_server(self):
        """A server that has no such method says what it is; a socket that is not there says that."""
        agent, gpctl = self.daemons[0].addr, os.path.join(BIN, "gpctl")
        self.fails(*self.args("hosts", addr=agent), text=agent + " is an agent, which knows no other hosts")
        keys = ["--identity.key", self.path("alice.key"), "--identity.trusted_keys", self.trusted]
        for addr in (agent, self.agg.addr):
            for command in (["status"], ["config"], ["config", "--reload"], ["interfaces"], ["flush"], ["top"]):
                p = self.run_raw(*command, "-s", addr, *keys, program=gpctl)
                self.assertEqual(p.returncode, 1)
                self.assertRegex(p.stderr, "^gpctl: %s does not capture .*\n$" % addr)
        stale = self.path("stale")
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(stale)
        for path, text in (("/nosuch", "no such socket"), (stale, "nobody listens on this socket")):
            p = self.run_raw("status", "-t", "900ms", "-s", "unix:" + path, program=gpctl)
            self.assertEqual(p.stderr, "gpctl: unix:%s: %s\n" % (path, text))

    def test_config(self):
        path = self.path("fleet.yaml", "query:\n  server.addr: %s\nidentity:\n  key: %s\n"
                                       "  trusted_keys: %s\n" % (self.agg.addr, self.path("alice.key"),
                                                                 self.trusted))
        text = self.ok("--config", path, "-q", "edge-8", "-i", "any", *self.RANGE, "-e", "csv", "sip")
        self.assertIn("10.0.0.7", text)

    def test_watch(self):
        """--watch goes on when a host fails and when it comes back, and ends with Ctrl-C."""
        p = subprocess.Popen([support.GOQUERY, *self.args(
            "-i", "any", *self.RANGE, "-q", "edge-7,edge-8", "--max-wait", "300ms", "--watch", "50ms", "-e", "csv",
            "--sum", "host")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=support.environment())

        def collect(stream, enough):
            out, end = "", time.monotonic() + 30
            while not enough(out):
                self.assertGreater(end, time.monotonic(), out)
                if select.select([stream], [], [], 0.5)[0]:
                    part = os.read(stream.fileno(), 65536).decode()
                    self.assertTrue(part, out)
                    out += part
            return out
        with p:
            collect(p.stdout, lambda s: s.count("\nedge-7,") >= 2 and s.count("\nedge-8,") >= 2)
            self.daemons[1].p.send_signal(signal.SIGSTOP)
            try:
                collect(p.stderr, lambda s: re.search(r"^Host edge-8 returned with error", s, re.M))
                collect(p.stdout, lambda s: "\nedge-7," in s)
            finally:
                self.daemons[1].p.send_signal(signal.SIGCONT)
            collect(p.stdout, lambda s: "\nedge-8," in s)
            p.send_signal(signal.SIGINT)
            p.communicate(timeout=30)
        self.assertEqual(p.returncode, 0)

    def test_report(self):
        """The three examples against the aggregator, and against one agent."""
        examples = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../deploy/examples/reports")
        for name, queries in (("daily-traffic", 5), ("fleet-weekly", 4), ("security-review", 5)):
            path = os.path.join(examples, name + ".yaml")
            for addr, hosts in ((None, ["-q", "edge-7,edge-8"]), (self.daemons[0].addr, [])):
                p = self.run_raw("report", path, *self.args(*hosts, *self.RANGE, "--strict", addr=addr))
                self.assertEqual(p.returncode, 0, (name, addr, p.stderr))
                self.assertIn(": %d queries, 0 failed, " % queries, p.stderr)
                self.assertTrue(p.stdout.endswith("</html>\n"))
                self.assertEqual(p.stdout.count("<section"), queries)
        # rows of different hosts must not look alike: on a page they get the host, charts too
        yaml = self.path("hosts.yaml", "queries:\n  - {title: T, query: sip, ifaces: any, chart: bars}\n"
                                       "  - {title: M, query: sip, ifaces: any, merge_hosts: true}\n")
        p = self.run_raw("report", yaml, *self.args("-q", "edge-7,edge-8", *self.RANGE, "-e", "md"))
        self.assertEqual(p.returncode, 0, p.stderr)
        apart, merged = p.stdout.split("## M")
        self.assertIn("\n| host | iface | sip |", apart)
        self.assertIn("\n| edge-8 | eth1 | ", apart)
        self.assertRegex(apart, r"<text [^>]*>edge-7 eth0 10\.")
        self.assertIn("\n| iface | sip |", merged)
        # what the page and the exit code say about a host that is down
        weekly = os.path.join(examples, "fleet-weekly.yaml")
        p = self.run_raw("report", weekly, *self.args(*self.RANGE, "--strict"))
        self.assertEqual(p.returncode, 3, p.stderr)
        self.assertIn("0 failed", p.stderr)
        self.assertIn("4 answers of hosts missing", p.stderr)
        self.assertEqual(p.stdout.count("Host edge-9 returned with error"), 4)
        self.assertIn("edge-7", p.stdout)
        p = self.run_raw("report", weekly, *self.args("-q", "edge-7,edge-8", *self.RANGE, "-e", "json", "-o", "weekly"))
        self.assertEqual(p.returncode, 0, p.stderr)
        with open(self.path("weekly/01-traffic-by-host.json"), encoding="utf-8") as f:
            rows = json.load(f)["rows"]
        self.assertEqual([(x["labels"]["host"], x["counters"]) for x in rows],
                         [("edge-8", {"br": 400000000000000000, "pr": 2}),
                          ("edge-7", {"br": 2968, "bs": 2060, "pr": 30, "ps": 21})])
        # nobody answers at all: the page says so, and it is a failure
        p = self.run_raw("report", weekly, *self.args(*self.RANGE, "--query.timeout", "900ms", addr="tcp://127.0.0.1:1"))
        self.assertEqual(p.returncode, 1)
        self.assertIn("4 queries, 4 failed", p.stderr)

    def test_stopped_host(self):
        """A host that does not answer costs --max-wait, not for ever."""
        self.daemons[1].p.send_signal(signal.SIGSTOP)
        try:
            start = time.monotonic()
            p = self.run_raw(*self.args("-i", "any", *self.RANGE, "-q", "edge-7,edge-8", "--max-wait",
                                        "700ms", "-e", "csv", "sip"))
            self.assertLess(time.monotonic() - start, 15)
        finally:
            self.daemons[1].p.send_signal(signal.SIGCONT)
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertRegex(p.stderr, r'Host edge-8 returned with error "(timeout|unreachable)"')
        self.assertIn("10.0.0.1", p.stdout)


if __name__ == "__main__":
    support.main()
