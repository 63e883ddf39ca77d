#!/usr/bin/env python3
"""What changes while goprobe runs: interfaces that come and go, a configuration behind swapped links, days that get old;
and what it may not do (system calls), and `gpctl top` on a terminal.

GOPROBE, GOQUERY, GPKEY, GPCTL, GPDB; network namespaces of sensor.py; exit 77 without root.
"""
import codecs
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

import sensor

GPCTL, GPDB = os.environ["GPCTL"], os.environ["GPDB"]
CONFIG = """db: {path: %(tmp)s/db, sync: none, retention: {max_age: 90d, interval: 1s}}
logging: {level: debug}
api: {addr: 'ipc://%(tmp)s/sock', key_file: %(tmp)s/agent.key, trusted_keys: %(tmp)s/trusted,
  metrics: true}
"""
DETECT = "autodetection: {enabled: true, exclude: [lo]}\n"


class Agent(sensor.Agent):
    """Its configuration is mounted as Kubernetes does it: conf/c.yaml -> ..data/c.yaml, ..data -> ..1."""
    version = 0

    def configure(self, *ifaces, text=CONFIG, **more):
        self.mount(sensor.named(*ifaces, "'/^hot/'"))

    def mount(self, text):
        self.version += 1
        conf = self.tmp + "/conf/"
        os.makedirs(conf + "..%d" % self.version)
        with open(conf + "..%d/c.yaml" % self.version, "w") as f:
            f.write(CONFIG % {"tmp": self.tmp} + text)
        os.symlink("..%d" % self.version, conf + "..data_tmp")
        os.rename(conf + "..data_tmp", conf + "..data")

    def ask(self, iface, code=0):
        """Live rows of an interface as a user asks for them; standard error of a refusal."""
        p = sensor.run(sensor.GOQUERY, "--query.server.addr", "ipc://" + self.sock, "-q", "any", "-i", iface, "--live", "-e",
                     "json", "-n", "1000", "sip,dip,dport,proto", check=False)
        if p.returncode != code:
            raise AssertionError("%d: %s%s" % (p.returncode, p.stdout, p.stderr))
        return p.stdout + p.stderr if code else sensor.rows(p.stdout)

    def status(self):
        return json.loads(sensor.run(GPCTL, "interfaces", "--json", "-s", "unix:" + self.sock).stdout)


def old_day(tmp):
    """A day of 2023 in the database, that nothing has touched since."""
    with open(tmp + "/old.csv", "w") as f:
        f.write("time,iface,sip,dip,dport,proto,packets received,packets sent,data vol. received,data vol. sent\n"
                "1699999800,a0,10.0.0.1,10.0.0.2,443,6,1,1,100,100\n")
    sensor.run(GPDB, "import", tmp + "/old.csv", tmp + "/db")
    sensor.run("find", tmp + "/db", "-exec", "touch", "-d", "@1700000000", "{}", "+")
    if not sensor.blocks(tmp + "/db"):
        raise AssertionError("no old day")


def ip(*args):
    sensor.run("ip", "-n", sensor.SENSOR, *args)


def sandbox(agent):
    if os.environ.get("GOPROBE_SECURITY_SECCOMP") == "false":
        return
    with open("/proc/%d/status" % agent.p.pid) as f:
        text = f.read()
    for want in (r"Seccomp:\t2", r"NoNewPrivs:\t1"):
        if not re.search(want, text):
            raise AssertionError("%s not in\n%s" % (want, text))


def retention(agent):
    sensor.until(lambda: "day deleted" in agent.text(), "retention")
    if [d for d in sensor.blocks(agent.db) if "/2023/" in d]:
        raise AssertionError(sensor.blocks(agent.db))
    for t in os.listdir("/proc/%d/task" % agent.p.pid):
        with open("/proc/%d/task/%s/stat" % (agent.p.pid, t)) as f:
            name, rest = re.search(r"\((.*)\) (.*)", f.read()).groups()
        if name == "retention":
            break
    else:
        raise AssertionError("no thread of retention")
    said = sensor.run("ionice", "-p", t).stdout
    if not said.startswith("idle") or rest.split()[16] != "15":
        raise AssertionError("ionice %s, nice %s" % (said, rest.split()[16]))


def hot(agent):
    if "hot0" not in agent.ask("hot0", code=1):
        raise AssertionError("hot0 is known before it exists")
    ip("link", "add", "hot0", "type", "veth", "peer", "name", "b1", "netns", sensor.PEER)
    ip("addr", "add", "10.78.0.1/24", "dev", "hot0")
    sensor.run("ip", "-n", sensor.PEER, "addr", "add", "10.78.0.2/24", "dev", "b1")
    sensor.run("ip", "-n", sensor.PEER, "link", "set", "b1", "up")
    ip("link", "set", "hot0", "up")
    # perhaps after "cannot capture": it was seen before it was up
    sensor.until(lambda: re.search(r'msg="interface opened".* iface=hot0\b', agent.text()), "hot0")
    sensor.until(lambda: sensor.ns(sensor.PEER, "ping", "-q", "-c", "1", "-W", "1", "10.78.0.1", check=False).returncode == 0,
               "link")
    sensor.send("10.78.0.1", 7005, 70, 100)
    key, want = ("10.78.0.2", "10.78.0.1", 7005, 17), (70, 0, 70 * 142, 0)
    sensor.until(lambda: agent.ask("hot0").get(key) == want, "live rows of hot0")
    sensor.until(lambda: agent.ask("any").get(key) == want, "live rows of any")
    if "iface=\"hot0\"" not in page("/metrics")[1]:
        raise AssertionError("no metrics of hot0")
    ip("link", "del", "hot0")
    sensor.until(lambda: "hot0" in os.listdir(agent.db), "its last block")
    sensor.until(lambda: agent.ask("hot0").get(key) == want, "stored rows of hot0")
    ip("link", "add", "x0", "type", "veth", "peer", "name", "x1")  # an event after which gone interfaces are forgotten
    sensor.until(lambda: [i["name"] for i in agent.status()] == ["a0"], lambda: "hot0 is forgotten: %s" % agent.status())
    if agent.ask("hot0").get(key) != want:
        raise AssertionError("stored rows of hot0: %s" % agent.ask("hot0"))


def page(what):
    """Status code and text of a page of the metrics address."""
    p = sensor.ns(sensor.SENSOR, "curl", "-s", "-w", "%{http_code}", "http://127.0.0.1:9145" + what)
    return int(p.stdout[-3:]), p.stdout[:-3]


def health(agent):
    if page("/-/health")[0] != 200 or page("/-/ready")[0] != 200:
        raise AssertionError("%s %s" % (page("/-/health"), page("/-/ready")))
    text = page("/metrics")[1]
    if 'iface="a0"' not in text or 'iface="hot0"' in text:
        raise AssertionError("metrics of a0 only: " + text)
    agent.mount(sensor.named("nosuch0"))
    sensor.until(lambda: page("/-/health")[0] == page("/-/ready")[0] == 503, "nothing is captured")


def reload(agent):
    agent.mount(sensor.named("a0", "lo"))
    sensor.until(lambda: "iface=lo action=enabled" in agent.text(), "swap of ..data")
    agent.mount(DETECT)
    sensor.until(lambda: "iface=lo action=disabled" in agent.text(), "second swap of ..data")
    if "iface=a0 action" in agent.text().split("iface=lo action=enabled")[1]:
        raise AssertionError("a0 did not simply go on")
    with open(agent.tmp + "/only.yaml", "w") as f:
        f.write(sensor.named("lo"))
    p = sensor.run(GPCTL, "config", "-f", agent.tmp + "/only.yaml", "-s", "unix:" + agent.sock, check=False)
    if p.returncode != 1 or "autodetection is on" not in p.stderr:
        raise AssertionError("%d %s%s" % (p.returncode, p.stdout, p.stderr))


def top(agent, end):
    """On a terminal, ended by a key or a signal; the terminal is as before afterwards."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    before, utf8 = termios.tcgetattr(side), codecs.getincrementaldecoder("utf-8")()
    p = subprocess.Popen([GPCTL, "top", "-i", "100ms", "-s", "unix:" + agent.sock], stdin=side, stdout=side, stderr=side,
                         env=dict(os.environ, TERM="xterm"), start_new_session=True,
                         preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    text, sent, until = "", False, time.monotonic() + 30
    while p.poll() is None and time.monotonic() < until:
        if select.select([main], [], [], 0.1)[0]:
            text += utf8.decode(os.read(main, 65536))
        if not sent and text.count("Interface Traffic") >= 3:
            os.write(main, end)
            sent = True
    while select.select([main], [], [], 0.1)[0]:  # a terminal hands out its lines in parts
        text += utf8.decode(os.read(main, 65536))
    if p.poll() is None:
        p.kill()
    if p.wait() != 0 or not sent or "│ a0 " not in text:
        raise AssertionError("top, %s: code %s\n%s" % (end, p.returncode, text))
    if termios.tcgetattr(side) != before:
        raise AssertionError("top, %s: the terminal is not as before" % end)
    if not re.search(r"╯\r\n(\^C)?$", text):
        raise AssertionError("top, %s: not at the start of a line: %r" % (end, text[-200:]))
    os.close(main)
    os.close(side)


def main():
    with sensor.rig("changes") as tmp:
        agent = Agent(tmp)
        agent.config = tmp + "/conf/c.yaml"
        os.symlink("..data/c.yaml", agent.config)
        old_day(tmp)
        agent.start()
        sandbox(agent)
        retention(agent)
        hot(agent)
        reload(agent)
        for end in (b"q", b"\x03"):
            top(agent, end)
        health(agent)
        agent.stop()


main()
