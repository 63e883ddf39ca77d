#!/usr/bin/env python3
"""soak.py BUILD-DIR [SECONDS [RATE [FLOWS]]] - an agent under a steady rate, with a live query and a status call every second.

Every second: processed (status) <= packets in database and memory (live query) <= processed (status again), nothing
dropped. At the end: the stored total is what packetgen sent; memory and open files have not grown after the first third.
Default: 600 s, 20,000 packets/s, 10,000 flows, intervals of 10 s. Needs root.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

NS = "fpsoak%d" % os.getpid()
RING = "{block_size: 4194304, num_blocks: 8}"
GROWTH = 1.15  # of memory, from the highest of the second third to the highest of the last
CONFIG = """db: {path: %(tmp)s/db, sync: none, interval: 10s}
api: {addr: 'ipc://%(tmp)s/sock', key_file: %(tmp)s/agent.key, trusted_keys: %(tmp)s/trusted}
interfaces: {a0: {ring_buffer: %(ring)s}}
"""


class Soak:
    def __init__(self, build, tmp):
        self.build, self.tmp = build, tmp
        self.run("gpkey", "-q", "new", "agent", "sensor", "-o", tmp + "/agent.key")
        self.run("gpkey", "-q", "new", "user", "me", "-o", tmp + "/user.key")
        self.run("gpkey", "-q", "trust", tmp + "/user.pub", "--into", tmp + "/trusted")
        with open(tmp + "/c.yaml", "w") as f:
            f.write(CONFIG % {"tmp": tmp, "ring": RING})
        self.log = open(tmp + "/log", "w")
        self.p = subprocess.Popen(["ip", "netns", "exec", NS, build + "/bin/goprobe", "-c", tmp + "/c.yaml"],
                                  stderr=self.log)
        while "capture started" not in self.text():
            if self.p.poll() is not None:
                raise AssertionError(self.text())
            time.sleep(0.1)

    def run(self, program, *args):
        return subprocess.run([self.build + "/bin/" + program, *args], check=True, capture_output=True, text=True,
                              timeout=60).stdout

    def text(self):
        with open(self.tmp + "/log") as f:
            return f.read()

    def status(self):
        s = json.loads(self.run("gpctl", "status", "--json", "-s", "unix:" + self.tmp + "/sock"))["statuses"]["a0"]
        if s["dropped_total"]:
            raise AssertionError("dropped: %s" % s)
        return s["processed_total"]

    @staticmethod
    def total(text):
        t = json.loads(text)["summary"]["totals"]
        return t.get("pr", 0) + t.get("ps", 0)

    def live(self):
        return self.total(self.run("goquery", "--query.server.addr", "ipc://" + self.tmp + "/sock", "-q", "any", "-i", "a0",
                                   "--live", "-n", "1", "-e", "json", "proto"))

    def stored(self):
        return self.total(self.run("goquery", "-d", self.tmp + "/db", "-i", "a0", "-f", "-2d", "-l",
                                   str(int(time.time()) + 60), "-n", "1", "-e", "json", "proto"))

    def resources(self):
        with open("/proc/%d/status" % self.p.pid) as f:
            rss = int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) / 1024
        return rss, len(os.listdir("/proc/%d/fd" % self.p.pid))

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        code = self.p.wait(timeout=120)
        if code != 0 or "level=error" in self.text():
            raise AssertionError("exit code %d\n%s" % (code, self.text()))


def thirds(v, pick):
    n = len(v) // 3
    return pick(v[n:2 * n]), pick(v[2 * n:])


def soak(s, seconds, rate, flows):
    gen = subprocess.Popen(["ip", "netns", "exec", NS, "nice", s.build + "/bench/packetgen", "b0", flows, rate, seconds],
                           stdout=subprocess.PIPE, text=True)
    seen, looks = [], 0
    while gen.poll() is None:
        before, live, after = s.status(), s.live(), s.status()
        if not before <= live <= after:
            raise AssertionError("total: %d processed, then %d in flows, then %d processed" % (before, live, after))
        seen.append(s.resources())
        looks += 1
        time.sleep(1)
    sent = int(gen.stdout.read().split()[0])
    end = time.monotonic() + 30
    while s.status() != sent and time.monotonic() < end:
        time.sleep(0.2)
    if (s.status(), s.live()) != (sent, sent):
        raise AssertionError("sent %d, processed %d, in flows %d" % (sent, s.status(), s.live()))
    s.stop()
    if s.stored() != sent:
        raise AssertionError("sent %d, stored %d" % (sent, s.stored()))
    # files that a write-out or a call has open at the moment are no growth: the fewest count
    (rss, rss_end), (fds, fds_end) = thirds([x[0] for x in seen], max), thirds([x[1] for x in seen], min)
    print("%d packets in %s s, none lost, %d queries with the right total; %d write-outs; memory %.0f, then %.0f MiB; "
          "files %d, then %d" % (sent, seconds, looks, s.text().count("rotation done"), rss, rss_end, fds, fds_end))
    if rss_end > rss * GROWTH or fds_end > fds:
        raise AssertionError("grows")


def main():
    args = sys.argv[1:] + ["", "600", "20000", "10000"][len(sys.argv) - 1:]
    tmp = tempfile.mkdtemp(prefix="fleetprobe-soak-")
    s = None
    subprocess.run(["ip", "netns", "add", NS], check=True)
    try:
        for line in ("link set lo up", "link add a0 type veth peer name b0", "link set a0 addrgenmode none",
                     "link set b0 addrgenmode none", "link set a0 up", "link set b0 up"):
            subprocess.run(["ip", "-n", NS, *line.split()], check=True)
        s = Soak(os.path.abspath(args[0]), tmp)
        soak(s, *args[1:4])
    finally:
        if s and s.p.poll() is None:
            s.p.kill()
            s.p.wait()
        subprocess.run(["ip", "netns", "del", NS], check=False)
        shutil.rmtree(tmp, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main()
