#!/usr/bin/env python3
"""enrol_test.py SOURCE_DIR BIN_DIR - deploy/enrol.sh takes hosts into a fleet, again and again, and says what is wrong.

ssh and systemctl are scripts: ssh runs the command here with the directories of the host that is meant, systemctl starts
and stops the real programs. All in a network namespace of its own.
"""
import os
import re
import signal
import subprocess
import sys
import time

from kit import Fleet, own_network, until, write

SRC, BIN = sys.argv[1:3]
SSH = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift 2; done
dest=$1; shift
[ -d "%(tmp)s/$dest" ] || { echo "ssh: connect to host $dest port 22: No route to host" >&2; exit 255; }
echo "$dest" >>%(tmp)s/ssh.calls
cd / && exec env -i HOME=/ HOST="$dest" PATH="%(tmp)s/bin:%(bin)s:$PATH" sh -c "$*"
"""
SYSTEMCTL = """#!/bin/sh
# one unit a host: its process id is in HOST/pid
d=%(tmp)s/$HOST
echo "$*" >>$d/calls
stop() { [ ! -f $d/pid ] || { kill "$(cat $d/pid)"; while kill -0 "$(cat $d/pid)" 2>/dev/null; do sleep 0.1; done; rm $d/pid; }; }
case $1 in
is-active) [ -f $d/pid ] ;;
restart) stop; goprobe -c $d/etc/goprobe.yaml >>%(tmp)s/$HOST.log 2>&1 </dev/null & echo $! >$d/pid ;;
stop) stop ;;
reload) kill -HUP "$(cat $d/pid)" ;;
esac
"""
SUDO = """#!/bin/sh
[ "$1" = -n ] && shift && echo "$HOST" >>%(tmp)s/sudo.calls && exec "$@"
"""
SHIPPED = """# goprobe.yaml - as the package ships it
db:
  path: %s/db
# api:
#   addr: ['tcp://0.0.0.0:8145']
autodetection: { enabled: true, exclude: [lo] }
"""


class World:
    def __init__(self, fleet):
        self.tmp = fleet.tmp
        self.env = {**os.environ, "PATH": BIN + ":" + os.environ["PATH"], "SSH": self.tmp + "/bin/ssh"}
        os.makedirs(self.tmp + "/bin")
        for name, text in (("ssh", SSH), ("systemctl", SYSTEMCTL), ("sudo", SUDO)):
            write("%s/bin/%s" % (self.tmp, name), text % {"tmp": self.tmp, "bin": BIN})
            os.chmod("%s/bin/%s" % (self.tmp, name), 0o755)
        self.key("init", "acme")
        self.key("trust", "acme.pub", "--into", "trusted_keys")
        self.key("issue", "aggregator", "hub", "--by", "acme.key")
        self.key("issue", "user", "me", "--by", "acme.key")
        for host in ("fw-1", "fw-2", "hub"):
            self.add_host(host)
        write(self.tmp + "/hub/endpoints.yaml", "# who answers where\n{}\n")

    def add_host(self, host):
        os.makedirs("%s/%s/etc" % (self.tmp, host))
        write("%s/%s/etc/goprobe.yaml" % (self.tmp, host), SHIPPED % (self.tmp + "/" + host))

    def key(self, *args):
        subprocess.run([BIN + "/gpkey", "-q", *args], cwd=self.tmp, check=True)

    def enrol(self, name, *args, code=0, want="", **kw):
        flags = {"--by": self.tmp + "/acme.key", "--server": "127.0.0.1:8146", "--hub": "hub", "--owner": "root",
                 "--etc": "%s/%s/etc" % (self.tmp, name), "--identity.key": self.tmp + "/me.key",
                 "--endpoints": self.tmp + "/hub/endpoints.yaml", **{"--" + k: v for k, v in kw.items()}}
        cmd = ["sh", SRC + "/deploy/enrol.sh", name, *args] + [x for k, v in flags.items() if v is not None for x in (k, v)]
        p = subprocess.run(cmd, env=self.env, cwd=self.tmp, capture_output=True, text=True, check=False, timeout=120)
        said = p.stdout + p.stderr
        assert p.returncode == code and want in said, "%s\n%d: %s" % (" ".join(cmd), p.returncode, said)
        assert code == 0 or p.stderr.startswith("enrol.sh: ") or "\nenrol.sh: " in p.stderr, said
        return said

    def read(self, path):
        with open(self.tmp + "/" + path) as f:
            return f.read()

    def files(self, host):
        return {n: (self.read("%s/etc/%s" % (host, n)), os.stat("%s/%s/etc/%s" % (self.tmp, host, n)).st_mtime_ns)
                for n in os.listdir("%s/%s/etc" % (self.tmp, host))}


def mistakes(w):
    w.enrol("fw-1", by=None, code=1, want="--by: the key of the fleet is needed")
    w.enrol("fw-1", by="missing.key", code=1, want="missing.key: cannot be read")
    w.enrol("fw 1", code=1, want="names have letters")
    w.enrol("fw-1", "--what", "x", code=1, want="unknown flag --what")
    w.enrol("fw-1", days="many", code=1, want="--days and --wait are whole numbers")
    w.enrol("fw-1", "fw-2", code=1, want="one host at a time: fw-1 or fw-2")
    w.enrol("fw-1", server=None, code=1, want="--server: where does the aggregator listen")
    w.enrol("fw-1", addr="nowhere", code=1, want="expected HOST:PORT or dial-in")
    w.enrol("fw-1", ssh="gone", code=1, want="No route to host\nenrol.sh: gone cannot be reached")
    w.enrol("fw-1", owner="nobody-of-that-name", code=1, want="fw-1: there is no user nobody-of-that-name (is the package")
    w.enrol("fw-1", root=w.tmp + "/nothing", code=1, want="/nothing: no such directory")
    w.enrol("fw-1", **{"trusted-keys": w.tmp + "/hub/endpoints.yaml"}, code=1, want="has no line of a fleet's key")
    assert set(os.listdir(w.tmp + "/fw-1/etc")) == {"goprobe.yaml"}, "a refused call left something"


def first(w):
    said = w.enrol("fw-1", addr="127.0.0.1:8145", groups="dmz,edge")
    for want in ("key and certificate are new", "goprobe.yaml has the query service", "entered in", "aggregator sees it"):
        assert want in said, said
    assert os.stat(w.tmp + "/fw-1/etc/agent.key").st_mode & 0o777 == 0o600
    assert not [f for _, _, names in os.walk(w.tmp + "/fw-1") for f in names if f.endswith(".new")]
    assert w.read("hub/endpoints.yaml") == \
        "# who answers where\nfw-1: { addr: '127.0.0.1:8145', groups: [dmz,edge] }\n", w.read("hub/endpoints.yaml")
    assert w.read("ssh.calls").count("hub") == 2 and not os.path.exists(w.tmp + "/fw-1.key")
    p = subprocess.run([BIN + "/goquery", "hosts", "@edge", "--query.server.addr", "127.0.0.1:8146", "--identity.key",
                        w.tmp + "/me.key"], capture_output=True, text=True, check=False)
    assert "fw-1" in p.stdout, p.stdout + p.stderr


def again(w):
    before, calls = w.files("fw-1"), w.read("fw-1/calls")
    w.enrol("fw-1", addr="127.0.0.1:8145", groups="dmz,edge", want="are as they should be")
    assert w.files("fw-1") == before, "the second run changed something"
    assert "restart" not in w.read("fw-1/calls")[len(calls):], "restarted without need"
    assert w.read("hub/endpoints.yaml").count("fw-1") == 1
    without = w.read("ssh.calls").count("fw-1")
    w.enrol("fw-1", "--sudo", addr="127.0.0.1:8145", groups="dmz,edge", want="are as they should be")
    assert w.read("sudo.calls").count("fw-1") == w.read("ssh.calls").count("fw-1") - without
    w.enrol("fw-1", addr="127.0.0.1:9999", want="has another entry for it, which stays")
    w.enrol("fw-1", endpoints=w.tmp + "/hub/none.yaml", code=1, want="is not there or cannot be written on hub")


def dials_in(w):
    w.enrol("fw-2", addr="dial-in", want="the aggregator sees it")
    assert "dial_out: ['tcp://127.0.0.1:8146']" in w.read("fw-2/etc/goprobe.yaml")
    os.kill(int(w.read("fw-2/pid")), signal.SIGTERM)  # systemctl still thinks that it runs
    until(lambda: not os.path.exists("/proc/" + w.read("fw-2/pid").strip()) or "Z" in open(
        "/proc/%s/stat" % w.read("fw-2/pid").strip()).read().split()[2], "end of fw-2")
    w.enrol("fw-2", addr="dial-in", wait="2", code=1, want="does not see it after 2 s")
    os.remove(w.tmp + "/fw-2/pid")


def image(w):
    """A directory tree instead of ssh: nothing is started, no aggregator is asked."""
    for d in ("etc", "usr/bin"):
        os.makedirs("%s/image/%s" % (w.tmp, d))
    write(w.tmp + "/image/etc/passwd", "root:x:0:0::/:/bin/sh\nfleetprobe:x:%d:%d::/:/bin/sh\n" % (
        os.getuid(), os.getgid()))
    kw = {"root": w.tmp + "/image", "etc": None, "owner": None, "server": None, "hub": None}
    w.enrol("fw-3", code=1, want="there is no user other", **{**kw, "owner": "other"})
    os.symlink(BIN + "/goprobe", w.tmp + "/image/usr/bin/goprobe")
    w.enrol("fw-3", days="10", want="not started", **kw)
    etc = w.tmp + "/image/etc/fleetprobe/"
    text = w.read("image/etc/fleetprobe/goprobe.yaml")
    assert "key_file: /etc/fleetprobe/agent.key" in text, text
    write(etc + "check.yaml", text.replace("/etc/fleetprobe/", etc).replace("/var/lib/fleetprobe", w.tmp))
    subprocess.run([BIN + "/goprobe", "--check-config", "-c", etc + "check.yaml"], check=True, stdout=subprocess.DEVNULL)
    key, crt = w.read("image/etc/fleetprobe/agent.key"), w.read("image/etc/fleetprobe/agent.crt")
    w.enrol("fw-3", days="10", want="as they should be", **kw)
    w.enrol("fw-3", want="certificate renewed", **kw)
    assert key == w.read("image/etc/fleetprobe/agent.key") and crt != w.read("image/etc/fleetprobe/agent.crt")
    w.enrol("fw-4", code=1, want="this host has the certificate of fw-3", **kw)
    write(w.tmp + "/fw-3.crt", crt)
    os.remove(etc + "agent.crt")
    w.enrol("fw-3", code=1, want="has a key without a certificate", **kw)


def packaged(w):
    """goprobe.yaml as the package has it, and others with an api section."""
    etc = w.tmp + "/image/etc/fleetprobe/"
    for f in os.listdir(etc):
        os.remove(etc + f)
    with open(SRC + "/deploy/systemd/goprobe.yaml") as f:
        shipped = f.read()
    kw = {"root": w.tmp + "/image", "etc": None, "owner": None, "endpoints": "none"}

    def config(text, want, **more):
        write(etc + "goprobe.yaml", text)
        w.enrol("fw-5", want=want, **{**kw, **more})
        got = w.read("image/etc/fleetprobe/goprobe.yaml")
        write(etc + "check.yaml", got.replace("/etc/fleetprobe/", etc).replace("/var/lib/fleetprobe", w.tmp))
        subprocess.run([BIN + "/goprobe", "--check-config", "-c", etc + "check.yaml"], check=True, stdout=subprocess.DEVNULL)
        return got

    dials = "dial_out: ['tcp://127.0.0.1:8146']"
    assert config(shipped, "key and certificate are new") == shipped, "changed without need"
    got = config(shipped, "goprobe.yaml has " + dials + " now", addr="dial-in")
    assert got == shipped.replace("\napi:\n", "\napi:\n  %s # by enrol.sh\n" % dials), got
    assert config(got, "as they should be", addr="dial-in") == got
    other = got.replace("127.0.0.1:8146", "hub:8146")
    assert config(other, "dials out to others than 127.0.0.1:8146, which stays", addr="dial-in") == other
    got = config(shipped, "goprobe.yaml has api.addr at port 9999 now", addr="192.0.2.5:9999")
    assert got == shipped.replace("0.0.0.0:8145", "0.0.0.0:9999"), got
    assert config(got, "as they should be", addr="192.0.2.5:9999") == got
    own = shipped.replace("0.0.0.0:8145", "192.0.2.5:8145")
    assert config(own, "right if that is forwarded", addr="192.0.2.9:9999") == own
    write(etc + "goprobe.yaml", "api: {key_file: '/etc/fleetprobe/agent.key'}\n")
    w.enrol("fw-5", code=1, want="put this into the api section of /etc/fleetprobe/goprobe.yaml: " + dials, addr="dial-in", **kw)
    w.enrol("fw-5", code=1, want="a host that dials in must know where", addr="dial-in", **{**kw, "server": None})


def lost(w):
    """The public half that stays here revokes a host, whatever was renewed; that of one before it is kept."""
    assert w.read("fw-1.pub").startswith("agent fw-1 ")
    w.key("revoke", "fw-3.pub", "--by", "acme.key", "--list", "lost.revoked")
    p = subprocess.run([BIN + "/gpkey", "renew", w.tmp + "/fw-3.crt", "--by", w.tmp + "/acme.key", "--list",
                        w.tmp + "/lost.revoked"], capture_output=True, text=True, check=False)
    assert p.returncode == 1 and "was revoked" in p.stderr, p.stderr
    old = w.read("fw-5.pub")
    for name in ("agent.key", "agent.crt", "goprobe.yaml"):
        os.remove(w.tmp + "/image/etc/fleetprobe/" + name)
    w.enrol("fw-5", want="fw-5.pub revokes the key", **{"root": w.tmp + "/image", "etc": None, "owner": None, "server": None})
    assert w.read("fw-5.pub.~1~") == old != w.read("fw-5.pub")


def stop_agents(w):
    for host in ("fw-1", "fw-2"):
        path = "%s/%s/pid" % (w.tmp, host)
        if os.path.exists(path):
            pid = int(w.read(host + "/pid"))
            os.kill(pid, signal.SIGTERM)
            end = time.monotonic() + 30
            while os.path.exists("/proc/%d" % pid) and time.monotonic() < end:
                if re.search(r"\) Z", open("/proc/%d/stat" % pid).read()):
                    break
                time.sleep(0.1)


def main():
    own_network()
    with Fleet() as fleet:
        w = World(fleet)
        fleet.start("hub", BIN + "/global-query", "server", "--server.addr", "127.0.0.1:8146", "--identity.key", "hub.key",
                    "--identity.trusted_keys", "trusted_keys", "--querier.config", "hub/endpoints.yaml")
        write(w.tmp + "/hub/pid", str(fleet.daemons[0].pid))
        until(lambda: "listening" in w.read("hub.log"), "the aggregator")
        try:
            mistakes(w)
            first(w)
            again(w)
            dials_in(w)
            image(w)
            packaged(w)
            lost(w)
        finally:
            stop_agents(w)
        fleet.end()
    print("1 passed, 0 failed")


main()
