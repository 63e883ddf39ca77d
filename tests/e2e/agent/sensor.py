"""sensor.py - what the tests of the daemon share: two network namespaces, a veth pair between them, goprobe in one.

GOPROBE, GOQUERY, GPKEY: the programs. Needs root (network namespaces); tests exit with 77 without.
"""
import contextlib
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
RING = "{ring_buffer: {block_size: 1048576, num_blocks: 4}}"
CONFIG = """db: {path: %(tmp)s/db, sync: none}
logging: {level: debug}
api: {addr: 'ipc://%(tmp)s/sock', key_file: %(tmp)s/agent.key, trusted_keys: %(tmp)s/trusted}
"""
agents = []  # that were made, for rig()
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


def run(*args, check=True, timeout=30):
    p = subprocess.run(args, capture_output=True, text=True, timeout=timeout, check=False)
    if check and p.returncode != 0:
        raise AssertionError("%s: %d: %s%s" % (" ".join(args), p.returncode, p.stdout, p.stderr))
    return p


def ns(name, *args, **kw):
    return run("ip", "netns", "exec", name, *args, **kw)


def named(*ifaces):
    """The section interfaces."""
    return "interfaces:\n" + "".join("  %s: %s\n" % (i, RING) for i in ifaces)


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


def until(what, text, seconds=60):
    """text: what was waited for, or a function that says it, with what there is instead."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return
        time.sleep(0.1)
    raise AssertionError("not in %d s: %s" % (seconds, text() if callable(text) else text))


class Agent:
    """goprobe in SENSOR; everything of it is below tmp."""

    def __init__(self, tmp):
        self.tmp, self.db, self.sock, self.p = tmp, tmp + "/db", tmp + "/sock", None
        self.config, self.log = tmp + "/c.yaml", tmp + "/log"
        agents.append(self)
        self.make_keys()
        self.configure("a0")

    def make_keys(self):
        run(GPKEY, "-q", "new", "agent", "sensor", "-o", self.tmp + "/agent.key")
        run(GPKEY, "-q", "new", "user", "me", "-o", self.tmp + "/user.key")
        run(GPKEY, "-q", "trust", self.tmp + "/user.pub", "--into", self.tmp + "/trusted")

    def configure(self, *ifaces, text=CONFIG, **more):
        """Replace the file by rename; text: with %(tmp)s and what more there is."""
        with open(self.tmp + "/new", "w") as f:
            f.write(text % {"tmp": self.tmp, **more} + named(*ifaces))
        os.rename(self.tmp + "/new", self.config)

    def start(self):
        """Anew, with a new log."""
        if os.path.exists(self.log):
            os.unlink(self.log)
        with open(self.log, "a") as log:
            self.p = subprocess.Popen(["ip", "netns", "exec", SENSOR, GOPROBE, "-c", self.config], stderr=log)
        until(lambda: "capture started" in self.text() or self.p.poll() is not None, "start")
        if self.p.poll() is not None:
            raise AssertionError("exit code %d at the start" % self.p.returncode)
        time.sleep(0.05)  # packets of the first millisecond are not ours yet

    def text(self):
        """The log."""
        try:
            with open(self.log) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def kill(self):
        self.p.kill()  # "ip netns exec" has become goprobe
        self.p.wait()

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


@contextlib.contextmanager
def rig(name):
    """A directory, and the namespaces; afterwards nothing is left of them and of agents, whose logs a failure shows."""
    tmp = tempfile.mkdtemp(prefix="fleetprobe-%s-" % name)
    try:
        if not setup():
            sys.exit(77)
        yield tmp
    except BaseException:
        for a in agents:
            print(a.text(), file=sys.stderr)
        raise
    finally:
        for a in agents:
            if a.p and a.p.poll() is None:
                a.kill()
        for n in (SENSOR, PEER):
            run("ip", "netns", "del", n, check=False)
        shutil.rmtree(tmp, ignore_errors=True)


def send(dst, port, n, size):
    """n datagrams from the peer, of size + 42 bytes (IPv4) or size + 62 (IPv6)."""
    ns(PEER, sys.executable, "-c", UDP_SEND, dst, str(port), str(n), str(size))


def stored(db, iface="a0"):
    """Rows of the database, the block included that is stamped one second ahead (capture.md 4.6)."""
    p = run(GOQUERY, "-d", db, "-i", iface, "-f", "1600000000", "-l", str(int(time.time()) + 600), "-n", "1000", "-e",
            "json", "sip,dip,dport,proto")
    return rows(p.stdout)


def rows(text):
    out = {}
    for r in json.loads(text).get("rows") or []:
        a, c = r["attributes"], r["counters"]
        key = (a["sip"], a["dip"], a.get("dport", 0), a.get("proto", 0))
        out[key] = (c.get("pr", 0), c.get("ps", 0), c.get("br", 0), c.get("bs", 0))
    return out


def blocks(db):
    return [d for d, _, files in os.walk(db) if ".blockmeta" in files]
