#!/usr/bin/env python3
"""goprobe is killed (kill -9) while it captures; what its last checkpoint held is stored exactly once.

GOPROBE, GOQUERY, GPKEY: the programs. Needs root (network namespaces); exit 77 without.
"""
import collections
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

import live_test as live
from live_test import GOPROBE, GOQUERY, PEER, SENSOR, until

CONFIG = """
db: {path: %s, checkpoint: 1s, interval: 1h}
logging: {level: debug}
interfaces:
  a0: {ring_buffer: {block_size: 1048576, num_blocks: 4}}
"""
PORTS = (7001, 7002)


class Agent:
    def __init__(self, tmp):
        self.tmp, self.db, self.runs, self.p = tmp, tmp + "/db", 0, None
        self.file = self.db + "/a0/.checkpoint"
        with open(tmp + "/c.yaml", "w") as f:
            f.write(CONFIG % self.db)

    def start(self):
        self.runs += 1
        self.log = "%s/log%d" % (self.tmp, self.runs)
        with open(self.log, "w") as log:
            self.p = subprocess.Popen(["ip", "netns", "exec", SENSOR, GOPROBE, "-c",
                                       self.tmp + "/c.yaml"], stderr=log)
        until(lambda: "capture started" in self.text(), "start")
        time.sleep(0.05)  # packets of the first millisecond are not ours yet

    def text(self):
        with open(self.log) as f:
            return f.read()

    def kill(self):
        self.p.send_signal(signal.SIGKILL)  # "ip netns exec" has become goprobe
        self.p.wait()

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        if self.p.wait(timeout=60) != 0:
            raise AssertionError("exit code:\n" + self.text())

    def saved(self):
        """Packets received by port in the checkpoint, read as docs/godb-format.md 8 has it."""
        try:
            with open(self.file, "rb") as f:
                b = f.read()
        except FileNotFoundError:
            return {}
        magic, _, _, _, v4, v6, _ = struct.unpack_from("<8sqqQIIQ", b)
        assert magic == b"GPCK\2\0\0\0" and len(b) == 48 + 43 * v4 + 67 * v6, (magic, len(b))
        out = collections.Counter()
        for k in range(v4 + v6):
            at, addr = (48 + 43 * k, 8) if k < v4 else (48 + 43 * v4 + 67 * (k - v4), 32)
            out[struct.unpack_from(">H", b, at + addr)[0]] += struct.unpack_from("<Q", b, at + addr + 3 + 16)[0]
        return {d: p for d, p in out.items() if d in PORTS}

    def stored(self):
        p = live.run(GOQUERY, "-d", self.db, "-i", "a0", "-f", "1600000000", "-l",
                     str(int(time.time()) + 600), "-n", "1000", "-e", "json", "sip,dip,dport,proto")
        return {k[2]: v for k, v in live.rows(p.stdout).items() if k[2] in PORTS}

    def want(self, n, m, what):
        got = self.stored()
        sent = {7001: (n, 0, n * 142, 0), 7002: (m, 0, m * 562, 0)}
        if got != {k: v for k, v in sent.items() if v[0]}:
            raise AssertionError("%s: stored %s, sent %s\n%s" % (what, got, sent, self.text()))


def send(dst, port, n, size):
    live.ns(PEER, sys.executable, "-c", live.UDP_SEND, dst, str(port), str(n), str(size))


def crashes(a):
    a.start()
    send("10.77.0.1", 7001, 300, 100)
    send("fd77::1", 7002, 200, 500)
    until(lambda: a.saved() == {7001: 300, 7002: 200}, "first checkpoint: %s" % a.saved())
    a.kill()

    a.start()  # stored at once, and not a second time by the next crash and the clean end
    if "flows recovered from a checkpoint" not in a.text():
        raise AssertionError("not recovered:\n" + a.text())
    a.want(300, 200, "after the first crash")
    send("10.77.0.1", 7001, 100, 100)
    until(lambda: a.saved() == {7001: 100}, "second checkpoint: %s" % a.saved())
    a.kill()
    a.start()
    a.want(400, 200, "after the second crash")
    send("fd77::1", 7002, 50, 500)
    until(lambda: a.saved() == {7002: 50}, "third checkpoint: %s" % a.saved())
    a.stop()
    if os.path.exists(a.file):
        raise AssertionError("a clean end leaves a checkpoint")
    a.want(400, 250, "after a clean end")

    # a torn file is said once and costs only what it held
    with open(a.file, "wb") as f:
        f.write(b"GPCK\2\0\0\0" + bytes(60))
    a.start()
    a.stop()
    if a.text().count("checkpoint ignored") != 1 or os.path.exists(a.file):
        raise AssertionError("torn file:\n" + a.text())
    a.want(400, 250, "after a torn file")


def main():
    tmp = tempfile.mkdtemp(prefix="fleetprobe-crash-")
    a = None
    try:
        if not live.setup():
            return 77
        a = Agent(tmp)
        left = 3600 - time.time() % 3600
        if left < 60:  # no scheduled write-out in between
            time.sleep(left)
        crashes(a)
        print("ok: three runs, nothing lost and nothing twice")
        return 0
    finally:
        if a and a.p and a.p.poll() is None:
            a.p.kill()
            a.p.wait()
        if a and sys.exc_info()[0]:
            print(a.text(), file=sys.stderr)
        for n in (SENSOR, PEER):
            live.run("ip", "netns", "del", n, check=False)
        shutil.rmtree(tmp, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
