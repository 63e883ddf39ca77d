#!/usr/bin/env python3
"""kubernetes_test.py SOURCE_DIR BIN_DIR - deploy/kubernetes against the real programs.

The chart is rendered (chart.py; the plain manifest must be what it gives), references between the objects are followed,
keys come from make-secrets.sh, init containers run, and agent and aggregator run with the rendered configuration and
answer a query that names its hosts through the headless service. With DEPLOY_LINT=directory of node_modules the objects
are held against the schemas of Kubernetes (npm: kubernetes-models), with helm the chart is linted and rendered by it.
"""
import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

try:
    import yaml
except ImportError:
    print("skipped: python3-yaml is missing")
    sys.exit(77)

from chart import Chart
from kit import Fleet, own_network, page, until, write

SRC, BIN = sys.argv[1:3]
DIR = SRC + "/deploy/kubernetes/"
NODES = ["node-1", "node-2"]
ANSWERED = ("ok", "empty", "missing data")  # a fresh agent has written nothing
LINT = """
const K = require('kubernetes-models'), fs = require('fs');
for (const o of JSON.parse(fs.readFileSync(0))) {
  const [group, version] = o.apiVersion.includes('/') ? o.apiVersion.split('/') : ['', o.apiVersion];
  const at = require('kubernetes-models/' + (group ? group + '/' : '') + version);
  new at[o.kind](o).validate();
}
"""


def out(*cmd, **kw):
    return subprocess.run(cmd, capture_output=True, text=True, check=True, **kw).stdout


def render(**values):
    return list(yaml.safe_load_all(Chart(DIR + "fleetprobe", values, "fleetprobe").render()))


def check_plain():
    with open(DIR + "example-values.yaml") as f:
        text = Chart(DIR + "fleetprobe", yaml.safe_load(f), "fleetprobe").render()
    with open(DIR + "fleetprobe.yaml") as f:
        assert f.read() == text, "fleetprobe.yaml is not what the chart gives: run tests/e2e/deploy/chart.py"
    with open(DIR + "fleetprobe/Chart.yaml") as f:
        chart = yaml.safe_load(f)
    with open(SRC + "/CMakeLists.txt") as f:
        version = re.search(r"project\(\w+ VERSION ([\d.]+)", f.read())[1]
    assert chart["appVersion"] == version == Chart(DIR + "fleetprobe", {}, "x").values["agent"]["image"].split(":")[1]
    state = [v for d in render(trustedKeys="x", aggregator={"claim": "hub"}) if d["kind"] == "Deployment"
             for v in d["spec"]["template"]["spec"]["volumes"] if v["name"] == "state"]
    assert state == [{"name": "state", "persistentVolumeClaim": {"claimName": "hub"}}], state
    try:
        render(nodes={})
    except ValueError as e:
        assert "trustedKeys" in str(e)
    else:
        raise AssertionError("rendered without trustedKeys")


class Objects:
    def __init__(self, docs):
        self.by = {(d["kind"], d["metadata"]["name"]): d for d in docs}
        assert len(self.by) == len(docs), "an object stands twice"
        self.workloads = [d for d in docs if d["kind"] in ("DaemonSet", "Deployment")]

    def pods(self):
        return [d["spec"]["template"] for d in self.workloads]

    def volume(self, pod, name):
        return [v for v in pod["spec"]["volumes"] if v["name"] == name][0]


def check_pod(o, pod):
    spec = pod["spec"]
    ctx = spec["securityContext"]
    assert ctx["runAsNonRoot"] and ctx["runAsUser"] == ctx["runAsGroup"] == ctx["fsGroup"] == 8145
    assert spec["automountServiceAccountToken"] is False
    names, used = {v["name"] for v in spec["volumes"]}, set()
    for c in spec["initContainers"] + spec["containers"]:
        used |= {m["name"] for m in c["volumeMounts"]}
        sec = c["securityContext"]
        assert sec["readOnlyRootFilesystem"] and sec["capabilities"]["drop"] == ["ALL"], c["name"]
        root, raw = sec.get("runAsUser") == 0, "NET_RAW" in sec["capabilities"].get("add", [])
        assert not root or (c["name"], sec["runAsNonRoot"]) == ("database", False), c["name"]
        assert sec["allowPrivilegeEscalation"] == raw == (c["name"] == "goprobe"), c["name"]
    assert used == names, "volumes %s" % (used ^ names)
    for v in spec["volumes"]:
        if "configMap" in v:
            assert ("ConfigMap", v["configMap"]["name"]) in o.by, v
        if "secret" in v:
            assert ("Secret", v["secret"]["secretName"]) in o.by, v
    main = spec["containers"][0]
    ports = {p["name"]: p["containerPort"] for p in main["ports"]}
    for probe in ("readinessProbe", "livenessProbe"):
        assert main[probe]["httpGet"]["port"] in ports, probe
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(ports["metrics"])


def check_references(o):
    pods = o.pods()
    for w in o.workloads:
        want = w["spec"]["selector"]["matchLabels"]
        assert want.items() <= w["spec"]["template"]["metadata"]["labels"].items(), w["metadata"]["name"]
    for pod in pods:
        check_pod(o, pod)
    for (kind, name), d in o.by.items():
        assert kind == "Namespace" or d["metadata"]["namespace"] == "fleetprobe", name
        select = d["spec"]["selector"] if kind == "Service" else \
            d["spec"]["podSelector"]["matchLabels"] if kind == "NetworkPolicy" else None
        if select is None:
            continue
        hit = [p for p in pods if select.items() <= p["metadata"]["labels"].items()]
        assert len(hit) == 1, "%s %s selects %d workloads" % (kind, name, len(hit))
        have = {p["name"]: p["containerPort"] for p in hit[0]["spec"]["containers"][0]["ports"]}
        if kind == "Service":
            for p in d["spec"]["ports"]:
                assert have[p["targetPort"]] == p["port"], name
        else:
            inward = {p["port"] for r in d["spec"]["ingress"] for p in r["ports"]}
            assert inward == set(have.values()), "%s lets in %s" % (name, inward)
            outward = {p["port"] for r in d["spec"]["egress"] for p in r["ports"]}
            assert outward == {8145, 53}, outward
    assert o.by["Service", "fleetprobe-agents"]["spec"]["clusterIP"] == "None"


class Files:
    """The volumes of a pod as directories: where["/etc/fleetprobe/config"] = a directory here."""

    def __init__(self, o, pod, tmp):
        self.root, self.pod, self.where = tmp, pod, {}
        for v in pod["spec"]["volumes"]:
            path = "%s/%s" % (tmp, v["name"])
            os.makedirs(path)
            if "configMap" in v:
                for name, text in o.by["ConfigMap", v["configMap"]["name"]]["data"].items():
                    write(path + "/" + name, text)
            if "secret" in v:
                for name, data in o.by["Secret", v["secret"]["secretName"]]["data"].items():
                    with open(path + "/" + name, "wb") as f:
                        f.write(base64.b64decode(data))
                    os.chmod(path + "/" + name, 0o440)

    def mount(self, container, text):
        """Text with the container's paths as they are here; a path on no volume is an error."""
        mounts = {m["mountPath"]: m["name"] for m in container["volumeMounts"]}
        for path in re.findall(r"(?:/etc|/var/lib|/run)/fleetprobe[\w./-]*|/secret\b", text):
            assert any(path == m or path.startswith(m + "/") for m in mounts), "%s: %s is on no volume" % (
                container["name"], path)
        points = "|".join(re.escape(m) for m in sorted(mounts, key=len, reverse=True))
        return re.sub(points, lambda m: "%s/%s" % (self.root, mounts[m[0]]), text)

    def run_init(self, node):
        for c in self.pod["spec"]["initContainers"]:
            cmd = [self.mount(c, w) for w in c["command"]]
            if c["securityContext"].get("runAsUser") == 0 and os.getuid() != 0:
                continue
            env = {**os.environ, "NODE_NAME": node}
            p = subprocess.run(cmd, env=env, capture_output=True, text=True, check=False)
            assert p.returncode == 0, "%s: %s" % (c["name"], p.stderr)

    def configure(self):
        """Configuration files with paths of this machine; the command line of the main container."""
        c = self.pod["spec"]["containers"][0]
        for name in os.listdir(self.root + "/config"):
            with open("%s/config/%s" % (self.root, name)) as f:
                text = self.mount(c, f.read())
            if name == "dns.yaml":
                text += "servers: [127.0.0.1]\n"
            write("%s/config/%s" % (self.root, name), text)
        return [BIN + "/" + c["name"]] + [self.mount(c, a) for a in c["args"]]

    def state(self):
        """STATE_DIRECTORY of the image, which must be on a volume."""
        c = self.pod["spec"]["containers"][0]
        with open(SRC + "/deploy/docker/Dockerfile") as f:
            stage = re.search(r"^COPY --from=build /src/build/bin/%s .*?^ENTRYPOINT" % c["name"], f.read(), re.M | re.S)
        return self.mount(c, re.search(r"^ENV STATE_DIRECTORY=(\S+)$", stage[0], re.M)[1])


def start(o, fleet):
    for pod, node in zip(o.pods(), (NODES[0], "")):
        name = pod["spec"]["containers"][0]["name"]
        files = Files(o, pod, "%s/%s" % (fleet.tmp, name))
        if node:
            bad = [c["command"] for c in pod["spec"]["initContainers"] if c["name"] == "key"][0]
            p = subprocess.run(bad, env={**os.environ, "NODE_NAME": "other"}, capture_output=True, text=True,
                               check=False)
            assert p.returncode == 1 and "no key for node other" in p.stderr, p.stderr
        files.run_init(node)
        cmd = files.configure()
        p = subprocess.run(cmd + ["--check-config"], capture_output=True, text=True, check=False)
        said = p.stdout + p.stderr
        assert p.returncode == 0 and "fine" in said and "warn" not in said and "unknown" not in said, said
        fleet.start(name, "env", "STATE_DIRECTORY=" + files.state(), *cmd)


def check_audit(fleet):
    """Every query stands in the audit logs, which are on volumes."""
    for log in ("goprobe/database/agent.audit", "global-query/state/aggregator.audit"):
        path = fleet.tmp + "/" + log
        with open(path) as f:
            assert f.read().count('"event":"query"') == 3, log
        out(BIN + "/gpkey", "audit", "verify", path)


def use(fleet):
    """As a user: the fleet is seen, and a query answered."""
    user = fleet.tmp + "/keys/user/"
    ask = [BIN + "/goquery", "--identity.key", user + "user.key", "--query.server.addr", "127.0.0.1:8146"]

    def seen():
        p = subprocess.run(ask[:1] + ["hosts"] + ask[1:], capture_output=True, text=True, check=False)
        return re.search(r"node-1 .*connected", p.stdout)

    until(seen, "the aggregator sees its agent")
    until(lambda: page(9146, "/-/ready"), "ready")
    health = subprocess.run(["bash", SRC + "/deploy/docker/healthcheck", "9146"], check=False)
    assert health.returncode == 0, "health check"
    dead = subprocess.run(["bash", SRC + "/deploy/docker/healthcheck", "9"], stderr=subprocess.DEVNULL, check=False)
    assert dead.returncode != 0, "health check of nothing"
    gone = [user + "gone.key" if w == user + "user.key" else w for w in ask]
    p = subprocess.run(gone + ["-i", "any", "sip", "-q", "any"], capture_output=True, text=True, check=False)
    assert p.returncode != 0 and re.search("revoked|not trusted", p.stdout + p.stderr), p.stdout + p.stderr
    for where in (["node-1"], ["any"], ["fleetprobe-agents", "--query.hosts-resolver-type", "dns"]):
        p = subprocess.run(ask + ["-i", "any", "-e", "json", "sip", "-q"] + where, capture_output=True, text=True,
                           check=False)
        hosts = json.loads(p.stdout or "{}").get("hosts_statuses")
        assert hosts and list(hosts) == ["node-1"] and hosts["node-1"]["code"] in ANSWERED, p.stdout + p.stderr


def name_server():
    """The cluster's: fleetprobe-agents in our namespace is 127.0.0.1, and nothing else is known."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 53))

    def answer():
        while True:
            q, peer = s.recvfrom(512)
            end = q.index(b"\0", 12) + 1
            known = q[12:end] == b"\x11fleetprobe-agents\x0afleetprobe\x03svc\x07cluster\x05local\0"
            a = known and q[end:end + 2] == b"\0\1"
            record = b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4\x7f\0\0\1" if a else b""
            s.sendto(q[:2] + (b"\x85\x80" if known else b"\x85\x83") + b"\0\1\0" + bytes([a]) + b"\0\0\0\0" +
                     q[12:end + 4] + record, peer)

    threading.Thread(target=answer, daemon=True).start()


def lint(docs):
    modules = os.environ.get("DEPLOY_LINT")
    if not modules:
        return
    p = subprocess.run(["node", "-e", LINT], input=json.dumps(docs), text=True, capture_output=True,
                       env={**os.environ, "NODE_PATH": modules}, check=False)
    assert p.returncode == 0, p.stderr


def helm(values):
    """helm, where it is, finds nothing to say and makes the same objects as chart.py."""
    if not shutil.which("helm"):
        return
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        yaml.safe_dump(values, f)
        f.flush()
        out("helm", "lint", "--strict", DIR + "fleetprobe", "-f", f.name)
        text = out("helm", "template", "fleetprobe", DIR + "fleetprobe", "-n", "fleetprobe", "-f", f.name)
    made = {(d["kind"], d["metadata"]["name"]): d for d in yaml.safe_load_all(text)}
    assert made == Objects(render(**values)).by, "helm and chart.py differ"


def main():
    own_network()
    out("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "veth0")
    out("ip", "link", "set", "eth0", "up")
    name_server()
    check_plain()
    with Fleet() as fleet:
        env = {**os.environ, "PATH": BIN + ":" + os.environ["PATH"], "ISSUER": "1"}
        secrets = out("sh", DIR + "make-secrets.sh", fleet.tmp + "/keys", *NODES, env=env)
        assert secrets == out("sh", DIR + "make-secrets.sh", fleet.tmp + "/keys", *NODES, env=env), "second run"
        assert secrets == out("sh", DIR + "make-secrets.sh", fleet.tmp + "/keys", NODES[0], env=env), "others are dropped"
        key = [BIN + "/gpkey", "-q"]
        out(*key, "issue", "user", "gone", "--by", fleet.tmp + "/keys/fleet/fleet.key", "-o", fleet.tmp + "/keys/user/gone.key")
        out(*key, "revoke", fleet.tmp + "/keys/user/gone.pub", "--by", fleet.tmp + "/keys/fleet/fleet.key", "--list",
            fleet.tmp + "/revoked")
        with open(fleet.tmp + "/revoked") as f:
            revoked = f.read()
        with open(fleet.tmp + "/keys/fleet/trusted_keys") as f:
            trusted = f.read()
        values = {"nodes": {"node-1": "127.0.0.1"}, "trustedKeys": trusted, "revoked": revoked, "createNamespace": True,
                  "agent": {"metricsPort": 18146}, "aggregator": {"issuer": True}}
        docs = render(**values)
        helm(values)
        helm({**values, "nodes": {}, "aggregator": {"claim": "hub"}, "networkPolicy": {"enabled": False}})
        docs += yaml.safe_load_all(secrets)
        lint(docs)
        o = Objects(docs)
        check_references(o)
        start(o, fleet)
        use(fleet)
        check_audit(fleet)
        fleet.end()
    print("1 passed, 0 failed")


main()
