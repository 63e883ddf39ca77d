#!/usr/bin/env python3
"""gpctl against a capturing agent, over its socket and over TCP: what it prints, changes and may not change.

GOPROBE, GOQUERY, GPKEY, GPCTL; sensor.py; exit 77 without root.
"""
import json
import os
import re
import subprocess
import sys
import unittest

import sensor

GPCTL = os.environ["GPCTL"]
TCP = "127.0.0.1:8145"
CONFIG = """db: {path: %(tmp)s/db, sync: none}
capture: {max_flows: 1024}
logging: {level: debug}
api: {addr: ['ipc://%(tmp)s/sock', 'tcp://127.0.0.1:8145'], key_file: %(tmp)s/agent.key, trusted_keys: %(tmp)s/trusted}
audit: {file: %(tmp)s/audit}
"""
MANY_PORTS = """
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('', 40001))
for port in range(20000, 26000):
    s.sendto(b'x', ('10.77.0.1', port))
    if port % 50 == 49:
        time.sleep(0.001)
"""
DURATION = r"(?:\d+h)?(?:\d+m)?\d+s"
COUNT = r"\d+\.\d\d (?: |[kMGTPE])"


class Agent(sensor.Agent):
    """With an audit log, a socket and a port; keys: all (may everything), look (status), none, part (lo), other (hosts)."""

    def make_keys(self):
        sensor.run(sensor.GPKEY, "-q", "new", "agent", "sensor", "-o", self.tmp + "/agent.key")
        sensor.run(sensor.GPKEY, "-q", "trust", self.tmp + "/agent.pub", "--into", self.tmp + "/agents")
        every = "query,live,status,config.read,config.write"
        for name, roles, more in (("all", every, ()), ("look", "status", ()), ("none", "query", ()),
                                  ("part", every, ("--ifaces", "lo")), ("other", every, ("--hosts", "fw-*"))):
            sensor.run(sensor.GPKEY, "-q", "new", "user", name, "-o", "%s/%s.key" % (self.tmp, name))
            sensor.run(sensor.GPKEY, "-q", "trust", "%s/%s.pub" % (self.tmp, name), "--into", self.tmp + "/trusted", "--roles",
                     roles, *more)

    def write(self, name, text):
        with open(os.path.join(self.tmp, name), "w") as f:
            f.write(text)
        return os.path.join(self.tmp, name)


class Gpctl(unittest.TestCase):
    maxDiff = None
    agent = None

    def ctl(self, *args, key=None, code=0, env=None, out=""):
        """Standard output; standard error of a refusal, which prints out. key: over TCP with it, else over the socket."""
        where = ["-s", "unix:" + self.agent.sock]
        if key:
            where = ["-s", TCP, "--identity.key", "%s/%s.key" % (self.agent.tmp, key), "--identity.trusted_keys",
                     self.agent.tmp + "/agents"]
        if env:
            where = []
        p = subprocess.run(["ip", "netns", "exec", sensor.SENSOR, GPCTL, *args, *where], capture_output=True, text=True,
                           timeout=60, check=False, env=dict({"PATH": os.environ["PATH"], "TZ": "UTC"}, **(env or {})))
        self.assertEqual(p.returncode, code, p.stdout + p.stderr)
        if code:
            self.assertEqual(p.stdout, out)
            self.assertRegex(p.stderr, r"^gpctl: .+\n$")
        return p.stderr if code else p.stdout

    def received(self):
        return json.loads(self.ctl("status", "--json"))["statuses"]["a0"]["received_total"]

    def test_1_status(self):
        sensor.send("10.77.0.1", 7001, 2000, 100)
        sensor.until(lambda: self.received() >= 2000, "packets")
        self.assertEqual(self.ctl("interfaces", "--names"), "a0\n")
        text = self.ctl("status")
        lines = text.splitlines()
        self.assertEqual(lines[0], "")
        want = [r"╭─+╮", r"│ +Interface Statuses +│", r"├─+(?:┬─+){7}┤",
                r"│       │ +total │ +│ +total │ +│ +total │ +│ active +│",
                r"│ iface │ received │ \+ received │ processed │ \+ processed │ dropped │ \+ dropped │ for +│",
                r"├─+(?:┼─+){7}┤", r"│ a0    (?:│ +%s ){6}│ %s +│" % (COUNT, DURATION), r"╰─+(?:┴─+){7}╯"]
        for line, pattern in zip(lines[1:], want):
            self.assertRegex(line, "^" + pattern + "$")
            self.assertEqual(len(line), len(lines[1]))
        stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
        self.assertRegex("\n".join(lines[9:]) + "\n", "^" + "\n".join([
            "", "Runtime info:", "", "            Running since: %s \\(%s ago\\)" % (stamp, DURATION),
            r"  Last scheduled writeout: (?:- \(- ago\)|%s \(%s ago\))" % (stamp, DURATION), "", "Totals:", "", "    Packets",
            r"       Received: %s / \+ %s" % (COUNT, COUNT), r"      Processed: %s / \+ %s" % (COUNT, COUNT),
            r"        Dropped: %s / \+ %s" % (COUNT, COUNT), "", ""]) + "$")
        detailed = self.ctl("status", "a0", "-v").splitlines()
        self.assertRegex(detailed[4], r"│ +parsing errors +│$")
        self.assertRegex(detailed[5], r"│ packet fragmented │ invalid IP header │ packet truncated │$")
        self.assertEqual(len({len(line) for line in detailed[1:9]}), 1)
        self.assertIn('no interface "nope"', self.ctl("status", "nope", code=1))

    def test_2_status_json(self):
        r = json.loads(self.ctl("status", "--json", key="look"))
        self.assertEqual(r["status_code"], 200)
        a0 = r["statuses"]["a0"]
        self.assertEqual(set(a0), {"started_at", "received", "received_total", "processed", "processed_total", "dropped",
                                   "dropped_total", "parsing_errors"})
        self.assertEqual(len(a0["parsing_errors"]), 3)
        self.assertRegex(r["started_at"], r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
        # Q16: to look changes nothing: what came since the last rotation is still there
        again = json.loads(self.ctl("status", "--json", key="look"))
        if again.get("last_writeout") == r.get("last_writeout"):
            self.assertGreaterEqual(again["statuses"]["a0"]["received"], a0["received"])

    def test_3_interfaces_top(self):
        self.assertRegex(self.ctl("interfaces"), r"│ a0 +│ capturing │ +%s │" % DURATION)
        one, = json.loads(self.ctl("interfaces", "--json", key="look"))
        self.assertEqual((one["name"], one["state"], one["ring_bytes"]), ("a0", "capturing", 4 << 20))
        self.assertGreater(one["flows"], 0)
        self.assertIn("│ a0 ", self.ctl("top", "-i", "100ms"))
        looks = [json.loads(x) for x in self.ctl("top", "-i", "100ms", "-n", "2", "--json", key="look").splitlines()]
        self.assertEqual([list(x["ifaces"]) for x in looks], [["a0"], ["a0"]])

    def test_4_config(self):
        self.assertEqual(self.ctl("config"), (
            "╭─────────────────────────────────────────────╮\n"
            "│           Interface Configuration           │\n"
            "├───────┬─────────┬─────────────┬─────────────┤\n"
            "│       │         │ ring buffer │ ring buffer │\n"
            "│ iface │ promisc │  block size │ num blocks  │\n"
            "├───────┼─────────┼─────────────┼─────────────┤\n"
            "│ a0    │ false   │     1048576 │ 4           │\n"
            "╰───────┴─────────┴─────────────┴─────────────╯\n"))
        r = json.loads(self.ctl("config", "--json", key="all"))
        self.assertEqual(r, {"status_code": 200, "ifaces": {"a0": {
            "ignore_vlans": False, "promisc": False, "ring_buffer": {"block_size": 1048576, "num_blocks": 4},
            "extra_bpf_filters": None, "disable": False}}})

    def test_5_change(self):
        path = self.agent.write("other.yaml", "interfaces:\n  a0: %s\n  lo: %s\n" % (sensor.RING, sensor.RING))
        before = self.received()
        self.assertEqual(self.ctl("config", "--file", path),
                         "\n     Enabled: [lo]\n     Updated: []\n    Disabled: []\n\n")
        self.assertRegex(self.ctl("config"), r"│ lo +│ false +│ +1048576 │ 4 +│")
        self.assertGreaterEqual(self.received(), before)  # a0 went on
        self.assertEqual(list(json.loads(self.ctl("status", "--json", key="part"))["statuses"]), ["lo"])
        gone = self.agent.write("gone.yaml", "interfaces:\n" + "".join("  %s: %s\n" % (i, sensor.RING) for i in ("a0", "lo", "no0")))
        self.assertRegex(self.ctl("config", "--file", gone, code=1, out=(
            "\n     Enabled: [] (FAILED: [no0])\n     Updated: []\n    Disabled: []\n\n")), "^gpctl: no0: .+\n$")
        self.assertRegex(self.ctl("status"), r"\nNot captured:\n\n    no0: .+\n\n$")
        self.assertIn("no0: not captured", self.ctl("flush", "a0", "no0", code=1))
        # no0 was never captured, so nothing of it ends
        self.assertEqual(self.ctl("config", "--file", path), "\n     Enabled: []\n     Updated: []\n    Disabled: []\n\n")
        self.assertEqual(self.ctl("config", "--file", path, "--silent"), "")
        self.assertIn("gpctl: no0: ", self.ctl("config", "--file", gone, "--silent", code=1))
        self.ctl("config", "--file", path, "--silent")
        self.assertEqual(json.loads(self.ctl("config", "--reload", "--json", key="all")), {
            "status_code": 200, "enabled": [], "updated": [], "disabled": [{"name": "lo", "success": True}]})
        self.assertEqual(self.ctl("config", "--reload", "--silent"), "")
        bad = self.agent.write("bad.yaml", "interfaces:\n  a0:\n    ring_buffer: {block_size: 1048576, num_blocks: -4}\n")
        self.assertRegex(self.ctl("config", "--file", bad, code=1), r"^gpctl: \S+/bad\.yaml:3: a0\.ring_buffer\.num_blocks: ")
        odd = self.agent.write("odd.yaml", "interfaces:\n  a0:\n    %s\n    promiscuous: true\n" % sensor.RING[1:-1])
        self.assertRegex(self.ctl("config", "--file", odd, code=1), r"^gpctl: \S+/odd\.yaml:4: a0\.promiscuous: unknown key")
        off = self.agent.write("off.yaml", "interfaces:\n  a0: {disable: true}\n")
        self.assertRegex(self.ctl("config", "--file", off, code=1), r"/off\.yaml: no interfaces to capture on")
        self.assertIn("exclude each other", self.ctl("config", "--file", path, "--reload", code=1))
        self.assertEqual(list(json.loads(self.ctl("config", "--json"))["ifaces"]), ["a0"])

    def test_6_flush(self):
        path = self.agent.db + "/a0"
        late = bool(sensor.blocks(path))  # a scheduled write-out has been meanwhile
        self.assertEqual(self.ctl("flush", "a0"), "written: a0\n")
        if not late:  # and to be seen at once
            p = sensor.run(sensor.GOQUERY, "-d", self.agent.db, "-i", "a0", "-f", "-5m", "-e", "csv", "dport", "-c", "dport = 7001")
            self.assertIn("7001,", p.stdout)
        self.assertGreater(len(sensor.blocks(path)), 0)
        if not late:  # the whole of test_1
            self.assertEqual(sensor.stored(self.agent.db)[("10.77.0.2", "10.77.0.1", 7001, 17)], (2000, 0, 2000 * 142, 0))
        self.assertEqual(json.loads(self.ctl("flush", "--json", key="all")), {"written": ["a0"]})
        self.assertIn("no1", self.ctl("flush", "a0", "no1", code=1))
        # a flush is no scheduled write-out; there may have been one of these meanwhile
        self.assertRegex(self.ctl("status"), r"Last scheduled writeout: (?:- |\S+ \S+:[0-5][05]:00 )\(")

    def test_6b_overflow(self):
        sensor.ns(sensor.PEER, sys.executable, "-c", MANY_PORTS)
        sensor.until(lambda: self.received() >= 6000, "packets")
        sensor.until(lambda: "flow table full" in self.ctl("status"), "overflow")
        self.assertRegex(self.ctl("status"), r"\nPackets that found the flow table full \(capture\.max_flows\):\n\n"
                         r"    a0: %s / \+ %s\n\n$" % (COUNT, COUNT))
        a0 = json.loads(self.ctl("status", "--json"))["statuses"]["a0"]
        self.assertGreater(a0["overflow_total"], 0)
        self.assertIn("overflow", a0)

    def test_7_refused(self):
        for key, calls in (("none", (["status"], ["interfaces"], ["top"], ["config"], ["flush"])),
                           ("look", (["config"], ["config", "--reload"], ["flush"])), ("part", (["config", "--reload"],)),
                           ("other", (["status"], ["config"], ["config", "--reload"], ["flush"]))):
            for call in calls:
                with self.subTest(key=key, call=call):
                    self.assertRegex(self.ctl(*call, key=key, code=1), "not allowed|denied|role|limited")
        self.assertIn('no interface "a0"', self.ctl("status", "a0", key="part", code=1))

    def test_8_where(self):
        env = {"GPCTL_SERVER_ADDR": "ipc://" + self.agent.sock}
        self.assertIn("a0", self.ctl("config", env=env))
        self.agent.write(".gpctl.yaml", "server: {addr: 'unix:%s'}\n" % self.agent.sock)
        self.assertIn("a0", self.ctl("config", env={"HOME": self.agent.tmp}))
        self.assertIn("which agent?", self.ctl("config", code=1, env={"HOME": "/nonexistent"}))
        self.assertIn("nowhere", self.ctl("config", "-t", "300ms", code=1, env={"GPCTL_SERVER_ADDR": "unix:/nowhere"}))

    def test_9_audit(self):
        self.agent.stop()
        with open(self.agent.tmp + "/audit") as f:
            said = [r for r in map(json.loads, f) if r["event"] == "config"]
        got = {(re.sub(r"^uid 0$", "root", r["by"]), r["what"], r["status"]) for r in said}
        for want in (("root", "interfaces", "ok"), ("root", "interfaces", "failed"), ("all", "configuration file", "ok"),
                     ("root", "configuration file", "ok"), ("root", "flush", "ok"), ("all", "flush", "ok"),
                     ("part", "configuration file", "failed")):
            self.assertIn(want, got)
        sensor.run(sensor.GPKEY, "audit", "verify", self.agent.tmp + "/audit", "--key", self.agent.tmp + "/agent.pub")


def main():
    with sensor.rig("gpctl") as tmp:
        Gpctl.agent = Agent(tmp)
        Gpctl.agent.configure("a0", text=CONFIG)
        Gpctl.agent.start()
        done = unittest.main(verbosity=2, exit=False)
        if not done.result.wasSuccessful():
            sys.exit(1)


main()
