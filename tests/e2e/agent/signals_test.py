#!/usr/bin/env python3
"""Start, signals and end of goprobe, with the defects of capture.md 11 that they are about.

GOPROBE, GOQUERY, GPKEY; sensor.py; exit 77 without root.
"""
import os
import signal
import socket
import subprocess

import sensor

CONFIG = """db: {path: %(tmp)s/db, sync: none}
logging: {level: debug, destination: %(tmp)s/log}
api: {addr: 'ipc://%(tmp)s/sock', key_file: %(tmp)s/agent.key, trusted_keys: %(tmp)s/trusted, metrics: true}
"""


def want(condition, what):
    if not condition:
        raise AssertionError(what)


def d28_address_in_use(agent):
    """An address in use ends the start before anything is captured; a socket left by a crash does not."""
    agent.start()
    agent.kill()
    want(os.path.exists(agent.sock), "a killed agent leaves its socket")
    agent.start()
    want(agent.live() is not None, "asked over the socket")
    # a second agent on the same socket does not take it away from the first
    p = sensor.ns(sensor.SENSOR, sensor.GOPROBE, "-c", agent.tmp + "/c.yaml", "--db.path", agent.tmp + "/other",
                "--api.metrics_addr", "127.0.0.1:8147", "--logging.destination", "stderr", check=False)
    want(p.returncode == 1 and "sock" in p.stderr, "second agent: %d %s" % (p.returncode, p.stderr))
    want("interface opened" not in p.stderr, "captured before the address was bound: " + p.stderr)
    want(agent.live() is not None, "the first one is still asked")
    agent.stop()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        p = sensor.run(sensor.GOPROBE, "-c", agent.tmp + "/c.yaml", "--db.path", agent.tmp + "/other", "--api.addr",
                     "tcp://127.0.0.1:%d" % s.getsockname()[1], "--logging.destination", "stderr", check=False)
    want(p.returncode == 1 and "interface opened" not in p.stderr, "port in use: %d %s" % (p.returncode, p.stderr))
    want(not os.path.exists(agent.tmp + "/other/a0"), "a database was begun")


def d39_log_is_reopened(agent):
    """SIGHUP opens the log file anew, so it can be moved away."""
    os.rename(agent.tmp + "/log", agent.tmp + "/log.1")
    agent.p.send_signal(signal.SIGHUP)
    sensor.until(lambda: "trusted keys read again" in agent.text(), "new log")
    with open(agent.tmp + "/log.1") as f:
        old = f.read()
    want("trusted keys read again" not in old, "written to the old file: " + old)


def d40_hup_reloads(agent):
    """SIGHUP reads the configuration again and ends nothing."""
    with open(agent.tmp + "/c.yaml", "a") as f:  # not renamed: the watch sees it, too; either way once is enough
        f.write(sensor.named("lo").split("\n", 1)[1])
    agent.p.send_signal(signal.SIGHUP)
    sensor.until(lambda: "iface=lo action=enabled" in agent.text(), "reload")
    want(agent.p.poll() is None, "SIGHUP ended it")
    want("iface=a0" not in agent.text(), "a0 was not left alone: " + agent.text())


def d42_last_writeout(agent):
    """At the end flows are written before anything waits for those who ask; who never ends its handshake is not waited for."""
    sensor.send("10.77.0.1", 7001, 100, 100)
    key = ("10.77.0.2", "10.77.0.1", 7001, 17)
    sensor.until(lambda: agent.live().get(key, (0,))[0] == 100, "packets")
    hanging = []
    for _ in range(3):
        s = socket.socket(socket.AF_UNIX)
        s.connect(agent.sock)
        hanging.append(s)
    p = subprocess.Popen([sensor.GOQUERY, "--query.server.addr", "ipc://" + agent.sock, "-q", "any", "-i", "a0", "--live",
                          "--watch", "100ms", "-e", "csv", "dport"], stdout=subprocess.PIPE)
    p.stdout.readline()
    p.send_signal(signal.SIGSTOP)
    try:
        agent.p.send_signal(signal.SIGTERM)
        sensor.until(lambda: [d for d in sensor.blocks(agent.db) if "/a0/" in d], "the block, whoever hangs", seconds=4)
    finally:
        for s in hanging:
            s.close()
        p.kill()
        p.wait()
    agent.p.wait(timeout=60)
    want(agent.p.returncode == 0, "exit code %d" % agent.p.returncode)
    text = agent.text()
    want(text.index("iface=a0 time=") < text.index('msg="stopped"'), text)
    rows = sensor.stored(agent.db)
    want(rows.get(key) == (100, 0, 14200, 0), rows)


def main():
    with sensor.rig("signals") as tmp:
        agent = sensor.Agent(tmp)
        agent.configure("a0", text=CONFIG)
        d28_address_in_use(agent)
        agent.start()
        d39_log_is_reopened(agent)
        d40_hup_reloads(agent)
        d42_last_writeout(agent)


main()
