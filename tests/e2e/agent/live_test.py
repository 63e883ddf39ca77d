#!/usr/bin/env python3
"""goprobe captures real traffic between two network namespaces; what it stores is what was sent.

GOPROBE, GOQUERY, GPKEY: the programs. Needs root (network namespaces); exit 77 without.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

GOPROBE, GOQUERY, GPKEY = (os.environ[n] for n in ("GOPROBE", "GOQUERY", "GPKEY"))
ID = "fpe2e%d" % os.getpid()
SENSOR, PEER = ID + "s", ID + "p"
UDP_SEND = """
import socket, sys, time
dst, port, n, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
s = socket.socket(socket.AF_INET6 if ':' in dst else socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('', 40000))
for i in range(n):
    s.sendto(b'x' * size, (dst, port))
    if i % 50 == 49:
        time.sleep(0.001)
"""
TCP_SERVER = """
import socket, sys, threading
s = socket.create_server((sys.argv[1], 8088), family=socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
print('ready', flush=True)
while True:
    c, _ = s.accept()
    c.recv(100)
    c.sendall(b'y' * 100000)
    c.close()
"""
TCP_CLIENT = """
import socket, sys
s = socket.create_connection((sys.argv[1], 8088), timeout=5)
s.sendall(b'get')
n = 0
while True:
    b = s.recv(65536)
    if not b:
        break
    n += len(b)
assert n == 100000, n
"""


def run(*args, check=True, timeout=30):
    p = subprocess.run(args, capture_output=True, text=True, timeout=timeout, check=False)
    if check and p.returncode != 0:
        raise AssertionError("%s: %d: %s%s" % (" ".join(args), p.returncode, p.stdout, p.stderr))
    return p


def ns(name, *args, **kw):
    return run("ip", "netns", "exec", name, *args, **kw)


def setup():
    try:
        for n in (SENSOR, PEER):
            run("ip", "netns", "add", n)
            run("ip", "-n", n, "link", "set", "lo", "up")
        run("ip", "link", "add", "a0", "netns", SENSOR, "type", "veth", "peer", "name", "b0", "netns",
            PEER)
    except (AssertionError, FileNotFoundError) as e:
        print("skipped: no network namespaces here: %s" % e)
        return False
    up()
    return True


def up():
    for n, dev, host in ((SENSOR, "a0", 1), (PEER, "b0", 2)):
        run("ip", "-n", n, "addr", "replace", "10.77.0.%d/24" % host, "dev", dev)
        run("ip", "-n", n, "addr", "replace", "fd77::%d/64" % host, "dev", dev, "nodad")
        run("ip", "-n", n, "link", "set", dev, "up")
    until(lambda: ns(PEER, "ping", "-q", "-c", "1", "-W", "1", "10.77.0.1", check=False).returncode
          == 0, "link")


def until(what, text, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return
        time.sleep(0.1)
    raise AssertionError("not in %d s: %s" % (seconds, text))


class Agent:
    def __init__(self, tmp):
        self.tmp, self.db, self.sock = tmp, tmp + "/db", tmp + "/sock"
        run(GPKEY, "-q", "new", "agent", "sensor", "-o", tmp + "/agent.key")
        run(GPKEY, "-q", "new", "user", "me", "-o", tmp + "/user.key")
        run(GPKEY, "-q", "trust", tmp + "/user.pub", "--into", tmp + "/trusted")
        self.write_config("a0")
        self.log = open(tmp + "/log", "w")
        self.p = subprocess.Popen(["ip", "netns", "exec", SENSOR, GOPROBE, "-c", tmp + "/c.yaml"],
                                  stderr=self.log)
        until(lambda: "capture started" in self.text(), "start:\n" + self.text())

    def write_config(self, *ifaces):
        ring = "{ring_buffer: {block_size: 1048576, num_blocks: 4}}"
        with open(self.tmp + "/new", "w") as f:
            f.write("db: {path: %s, sync: none}\nlogging: {level: debug}\n" % self.db)
            f.write("api: {addr: 'ipc://%s', key_file: %s/agent.key, trusted_keys: %s/trusted}\n" %
                    (self.sock, self.tmp, self.tmp))
            f.write("interfaces:\n" + "".join("  %s: %s\n" % (i, ring) for i in ifaces))
        os.rename(self.tmp + "/new", self.tmp + "/c.yaml")

    def text(self):
        with open(self.tmp + "/log") as f:
            return f.read()

    def live(self, condition=""):
        """Rows of a live query, database and running interval, keyed by (sip, dip, dport, proto)."""
        q = {"query": "sip,dip,dport,proto", "ifaces": "a0", "live": True, "query_hosts": "any",
             "condition": condition, "first": "1600000000", "num_results": 1000,
             "last": "9223371974719179007"}  # live queries have no end
        with open(self.tmp + "/q.json", "w") as f:
            json.dump(q, f)
        p = run(GOQUERY, "--stored-query", self.tmp + "/q.json", "--query.server.addr",
                "ipc://" + self.sock, "-e", "json")
        return rows(p.stdout)

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        code = self.p.wait(timeout=60)
        if code != 0:
            raise AssertionError("exit code %d:\n%s" % (code, self.text()))


def rows(text):
    out = {}
    for r in json.loads(text).get("rows") or []:
        a, c = r["attributes"], r["counters"]
        key = (a["sip"], a["dip"], a.get("dport", 0), a.get("proto", 0))
        out[key] = (c.get("pr", 0), c.get("ps", 0), c.get("br", 0), c.get("bs", 0))
    return out


def blocks(db):
    return [d for d, _, files in os.walk(db) if ".blockmeta" in files]


def expect(got, want, what):
    for key, value in want.items():
        if got.get(key) != value:
            raise AssertionError("%s: %s: got %s, want %s\nall: %s" %
                                 (what, key, got.get(key), value, got))


def scenario(agent):
    # 300 + 200 datagrams to the sensor, 100 from it: header bytes are 42 (IPv4) and 62 (IPv6)
    ns(PEER, sys.executable, "-c", UDP_SEND, "10.77.0.1", "7001", "300", "100")
    ns(PEER, sys.executable, "-c", UDP_SEND, "fd77::1", "7002", "200", "500")
    ns(SENSOR, sys.executable, "-c", UDP_SEND, "10.77.0.2", "7003", "100", "50")
    want = {("10.77.0.2", "10.77.0.1", 7001, 17): (300, 0, 300 * 142, 0),
            ("fd77::2", "fd77::1", 7002, 17): (200, 0, 200 * 562, 0),
            ("10.77.0.1", "10.77.0.2", 7003, 17): (0, 100, 0, 100 * 92)}
    until(lambda: all(agent.live().get(k) == v for k, v in want.items()),
          "live rows: %s" % agent.live())
    if "rotation done" not in agent.text() and blocks(agent.db):
        raise AssertionError("live rows must come from memory: %s" % blocks(agent.db))

    # a real TCP transfer in both families, during queries
    for addr in ("10.77.0.1", "fd77::1"):
        srv = subprocess.Popen(["ip", "netns", "exec", SENSOR, sys.executable, "-c", TCP_SERVER,
                                addr], stdout=subprocess.PIPE, text=True)
        srv.stdout.readline()
        ns(PEER, sys.executable, "-c", TCP_CLIENT, addr)
        srv.kill()
        srv.wait()

    # the configuration changes under traffic: lo comes, then a0 is kept without a gap
    agent.write_config("a0", "lo")
    until(lambda: "iface=lo action=enabled" in agent.text(), "reload by inotify")
    # link down and up: capture goes on, what was counted stays
    run("ip", "-n", SENSOR, "link", "set", "a0", "down")
    time.sleep(0.3)
    up()
    ns(PEER, sys.executable, "-c", UDP_SEND, "10.77.0.1", "7001", "100", "100")
    want[("10.77.0.2", "10.77.0.1", 7001, 17)] = (400, 0, 400 * 142, 0)
    until(lambda: agent.live().get(("10.77.0.2", "10.77.0.1", 7001, 17)) ==
          want[("10.77.0.2", "10.77.0.1", 7001, 17)], "after the link came back: %s" % agent.live())
    # an invalid file changes nothing (D-26)
    with open(agent.tmp + "/c.yaml", "w") as f:
        f.write("interfaces: [\n")
    until(lambda: "the old one stays" in agent.text(), "refused reload")
    agent.p.send_signal(signal.SIGHUP)
    return want


def main():
    tmp = tempfile.mkdtemp(prefix="fleetprobe-live-")
    agent = None
    try:
        if not setup():
            return 77
        agent = Agent(tmp)
        time.sleep(0.05)
        want = scenario(agent)
        agent.stop()
        # the last block is stamped one second ahead (capture.md 4.6)
        p = run(GOQUERY, "-d", agent.db, "-i", "a0", "-f", "1600000000", "-l",
                str(int(time.time()) + 60), "-n", "1000", "-e", "json", "sip,dip,dport,proto")
        stored = rows(p.stdout)
        expect(stored, want, "stored")
        for v6, a, b in ((0, "10.77.0.2", "10.77.0.1"), (1, "fd77::2", "fd77::1")):
            pr, ps, br, bs = stored[(a, b, 8088, 6)]
            head = 54 + 20 * v6  # at least: Ethernet, IP, TCP without options
            if bs < 100000 + head * ps or br < head * pr or ps < 3 or pr < 3:
                raise AssertionError("TCP: %s" % ((pr, ps, br, bs),))
        if "level=error" in agent.text().replace("configuration not reloaded", ""):
            errors = [x for x in agent.text().splitlines() if "level=error" in x]
            if [x for x in errors if "the old one stays" not in x]:
                raise AssertionError("errors in the log:\n" + "\n".join(errors))
        print("ok: %d flows stored, %d checked exactly" % (len(stored), len(want)))
        return 0
    finally:
        if agent:
            agent.log.flush()
            if sys.exc_info()[0]:
                print(agent.text(), file=sys.stderr)
            if agent.p.poll() is None:
                agent.p.kill()
                agent.p.wait()
        for n in (SENSOR, PEER):
            run("ip", "netns", "del", n, check=False)
        shutil.rmtree(tmp, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
