#!/usr/bin/env python3
"""goprobe captures real traffic between two network namespaces; what it stores is what was sent.

GOPROBE, GOQUERY, GPKEY as in sensor.py; exit 77 without root.
"""
import signal
import subprocess
import sys
import time

import sensor
from sensor import PEER, SENSOR, UDP_SEND, ns, send, until

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


def expect(got, want, what):
    for key, value in want.items():
        if got.get(key) != value:
            raise AssertionError("%s: %s: got %s, want %s\nall: %s" %
                                 (what, key, got.get(key), value, got))


def scenario(agent):
    # 300 + 200 datagrams to the sensor, 100 from it: header bytes are 42 (IPv4) and 62 (IPv6)
    send("10.77.0.1", 7001, 300, 100)
    send("fd77::1", 7002, 200, 500)
    ns(SENSOR, sys.executable, "-c", UDP_SEND, "10.77.0.2", "7003", "100", "50")
    want = {("10.77.0.2", "10.77.0.1", 7001, 17): (300, 0, 300 * 142, 0),
            ("fd77::2", "fd77::1", 7002, 17): (200, 0, 200 * 562, 0),
            ("10.77.0.1", "10.77.0.2", 7003, 17): (0, 100, 0, 100 * 92)}
    until(lambda: all(agent.live().get(k) == v for k, v in want.items()),
          lambda: "live rows: %s" % agent.live())
    if "rotation done" not in agent.text() and sensor.blocks(agent.db):
        raise AssertionError("live rows must come from memory: %s" % sensor.blocks(agent.db))

    # a real TCP transfer in both families, during queries
    for addr in ("10.77.0.1", "fd77::1"):
        srv = subprocess.Popen(["ip", "netns", "exec", SENSOR, sys.executable, "-c", TCP_SERVER,
                                addr], stdout=subprocess.PIPE, text=True)
        srv.stdout.readline()
        ns(PEER, sys.executable, "-c", TCP_CLIENT, addr)
        srv.kill()
        srv.wait()

    # the configuration changes under traffic: lo comes, then a0 is kept without a gap
    agent.configure("a0", "lo")
    until(lambda: "iface=lo action=enabled" in agent.text(), "reload by inotify")
    # link down and up: capture goes on, what was counted stays
    sensor.run("ip", "-n", SENSOR, "link", "set", "a0", "down")
    time.sleep(0.3)
    sensor.up()
    send("10.77.0.1", 7001, 100, 100)
    want[("10.77.0.2", "10.77.0.1", 7001, 17)] = (400, 0, 400 * 142, 0)
    until(lambda: agent.live().get(("10.77.0.2", "10.77.0.1", 7001, 17)) ==
          want[("10.77.0.2", "10.77.0.1", 7001, 17)], lambda: "after the link came back: %s" % agent.live())
    # an invalid file changes nothing (D-26)
    with open(agent.tmp + "/c.yaml", "w") as f:
        f.write("interfaces: [\n")
    until(lambda: "the old one stays" in agent.text(), "refused reload")
    agent.p.send_signal(signal.SIGHUP)
    return want


def main():
    with sensor.rig("live") as tmp:
        agent = sensor.Agent(tmp)
        agent.start()
        want = scenario(agent)
        agent.stop()
        stored = sensor.stored(agent.db)
        expect(stored, want, "stored")
        for v6, a, b in ((0, "10.77.0.2", "10.77.0.1"), (1, "fd77::2", "fd77::1")):
            pr, ps, br, bs = stored[(a, b, 8088, 6)]
            head = 54 + 20 * v6  # at least: Ethernet, IP, TCP without options
            if bs < 100000 + head * ps or br < head * pr or ps < 3 or pr < 3:
                raise AssertionError("TCP: %s" % ((pr, ps, br, bs),))
        errors = [x for x in agent.text().splitlines() if "level=error" in x and "the old one stays" not in x]
        if errors:
            raise AssertionError("errors in the log:\n" + "\n".join(errors))
        print("ok: %d flows stored, %d checked exactly" % (len(stored), len(want)))


main()
