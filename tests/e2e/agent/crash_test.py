#!/usr/bin/env python3
"""goprobe is killed (kill -9) while it captures; what its last checkpoint held is stored exactly once.

GOPROBE, GOQUERY, GPKEY as in sensor.py; exit 77 without root.
"""
import collections
import os
import struct
import time

import sensor
from sensor import send, until

CONFIG = """
db: {path: %(tmp)s/db, checkpoint: 1s, interval: 1h}
logging: {level: debug}
"""
PORTS = (7001, 7002)


class Agent(sensor.Agent):
    def __init__(self, tmp):
        super().__init__(tmp)
        self.configure("a0", text=CONFIG)
        self.file = self.db + "/a0/.checkpoint"

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

    def want(self, n, m, what):
        got = {k[2]: v for k, v in sensor.stored(self.db).items() if k[2] in PORTS}
        sent = {7001: (n, 0, n * 142, 0), 7002: (m, 0, m * 562, 0)}
        if got != {k: v for k, v in sent.items() if v[0]}:
            raise AssertionError("%s: stored %s, sent %s\n%s" % (what, got, sent, self.text()))


def crashes(a):
    a.start()
    send("10.77.0.1", 7001, 300, 100)
    send("fd77::1", 7002, 200, 500)
    until(lambda: a.saved() == {7001: 300, 7002: 200}, lambda: "first checkpoint: %s" % a.saved())
    a.kill()

    a.start()  # stored at once, and not a second time by the next crash and the clean end
    if "flows recovered from a checkpoint" not in a.text():
        raise AssertionError("not recovered:\n" + a.text())
    a.want(300, 200, "after the first crash")
    send("10.77.0.1", 7001, 100, 100)
    until(lambda: a.saved() == {7001: 100}, lambda: "second checkpoint: %s" % a.saved())
    a.kill()
    a.start()
    a.want(400, 200, "after the second crash")
    send("fd77::1", 7002, 50, 500)
    until(lambda: a.saved() == {7002: 50}, lambda: "third checkpoint: %s" % a.saved())
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
    with sensor.rig("crash") as tmp:
        left = 3600 - time.time() % 3600
        if left < 60:  # no scheduled write-out in between
            time.sleep(left)
        crashes(Agent(tmp))
        print("ok: three runs, nothing lost and nothing twice")


main()
