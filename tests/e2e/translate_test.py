#!/usr/bin/env python3
"""translate_test.py BIN_DIR - old configurations, through `gpctl config translate`, are what our daemons take.

Each of them: what is said about it is as expected; every key is in the new one with its value, or is named; and the
new one passes --check-config of its daemon without a warning.
"""
import os
import subprocess
import sys
import tempfile

try:
    import yaml
except ImportError:
    print("skipped: python3-yaml is missing")
    sys.exit(77)

BIN = sys.argv[1]
SIGNED = "api.addr: queries are signed: make api.key_file and api.trusted_keys (gpkey)"
RING = "ring_buffer: { block_size: 1048576, num_blocks: 4 }"

AGENTS = {
    "smallest": ("""
db: { path: DIR/flows }
interfaces: { eth0: { %s } }
""" % RING, []),
    "everything": ("""
# comments are not carried over
db:
  path: DIR/flows
  encoder_type: LZ4Cust
  permissions: 0640
interfaces:
  eth0:
    promisc: true
    ignore_vlans: yes
    ring_buffer:
      block_size: 2097152
      num_blocks: 0x10
    extra_bpf_filters:
      - {op: 0x28, jt: 0, jf: 0, k: 12}
      - {op: 6, jt: 0, jf: 0, k: 262144}
  "/^wg[0-9]+$/":
    ring_buffer: { block_size: 262144, num_blocks: 8 }
  eth9:
    disable: true
syslog_flows: true
local_buffers: {size_limit: 67108864, num_buffers: 1}
api:
  addr: 127.0.0.1:6060
  metrics: true
  disable_iface_metrics: true
  profiling: true
  request_timeout: 30
  keys: [0123456789abcdef0123456789abcdef]
  query_rate_limit: {max_req_per_sec: 2.5, max_burst: 10, max_concurrent: 4}
logging: {level: Debug, encoding: json, destination: DIR/goprobe.log}
tracing: {enabled: true, collector: {type: stdout}}
openapi: {spec-outfile: api.yaml}
""", ["db.encoder_type: lz4cust is historic, lz4 instead",
      "local_buffers: left out: capture goes on while flows are written", SIGNED,
      "api.metrics: metrics have an address of their own: api.metrics_addr",
      "api.profiling: left out: there are no profiling pages", "api.request_timeout: left out: it had no effect",
      "api.keys: left out: api.trusted_keys says who may ask", "tracing: left out: it had no effect",
      "openapi: left out: HTTP is not spoken here"]),
    "detected interfaces, any address": (r"""
db: {path: DIR/flows, encoder_type: zstd}
autodetection:
  enabled: true
  exclude: [lo, '/^(veth|docker)\d*/', "/^br-[0-9a-f]{12}$/"]
api: {addr: ":6060"}
logging: {level: WARN, destination: StdErr, encoding: plain}
""", [SIGNED]),
    "JSON, whose file mode is decimal": ("""
{"db": {"path": "DIR/flows", "encoder_type": "null", "permissions": 416},
 "interfaces": {"eth0": {"promisc": false, "ring_buffer": {"block_size": 1048576, "num_blocks": 4}}},
 "api": {"addr": "", "keys": []}, "logging": {"level": "panic", "destination": "devnull"}}
""", ["api.keys: left out: api.trusted_keys says who may ask", "logging.level: panic is not there, fatal instead"]),
    "a socket; names that look like other things": ("""
db: {path: "DIR/two words: #1"}
interfaces:
  any: { %s }
  "1": { %s }
  "true": { disable: true }
  eth0.100: { %s, extra_bpf_filters: [] }
api: {addr: "unix:DIR/probe.sock", metrics: false, query_rate_limit: {max_req_per_sec: 0, max_burst: 0}}
""" % (RING, RING, RING), [SIGNED]),
    "anchors, spelling of keys": ("""
Ring: &ring { block_size: 1048576, num_blocks: 4 }
DB: { Path: DIR/flows }
Interfaces:
  Eth0: { Promisc: on, Ring_Buffer: *ring }
  eth1: { ring_buffer: *ring }
""", ["Ring: left out: unknown key"]),
}
AGGREGATORS = {
    "smallest": ("""
querier: { config: DIR/endpoints.yaml }
""", []),
    "everything": ("""
hosts:
  resolver: {type: string}
querier:
  type: api
  config: DIR/endpoints.yaml
  max_concurrent: 64
server:
  addr: localhost:8145
  shutdownGracePeriod: 45s
  cors_origins: ["*"]
logging: {level: info, encoding: logfmt, destination: stdout}
tracing: {enabled: true, collector: {type: otel-grpc, endpoint: "localhost:4317"}}
profiling: {enabled: true}
openapi: {spec-outfile: ""}
""", ["querier.max_concurrent: left out: it had no effect; here it would have",
      "server.cors_origins: left out: HTTP is not spoken here",
      "logging.destination: left out: it had no effect; here it would have", "tracing: left out: traces are not sent",
      "profiling: left out: HTTP is not spoken here", "openapi: left out: HTTP is not spoken here"]),
    "a socket, two resolvers": ("""
server: {addr: "unix:DIR/hub.sock"}
querier: {type: api, config: DIR/endpoints.yaml}
hosts:
  resolvers:
    - {type: static, config: DIR/static.yaml}
    - {type: string}
""", []),
    "any address": ("""
server: {addr: ":8145"}
querier: {config: DIR/endpoints.yaml}
hosts: {resolvers: []}
""", []),
}
ENDPOINTS = ("""
fw-1: {addr: "unix:/run/fw1.sock", timeout: 5s}
fw-2: {addr: "192.0.2.2:8145", timeout: 1m30s, log: true, key: abc}
d5c1b6ce-0d5f-4f2a-9f70-2ab1e6d7b0aa: {addr: "https://sensor.example.net:6060"}
fw-3: {scheme: "http://", addr: "[2001:db8::1]:6060"}
""", ["fw-2.key: left out: hosts are known by the key of their certificate",
      "d5c1b6ce-0d5f-4f2a-9f70-2ab1e6d7b0aa.addr: without the scheme: the agent's own protocol is spoken",
      "fw-3.scheme: left out: the agent's own protocol is spoken"])


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def leaves(v, path=""):
    """{"a.b": text} of all values; keys in lower case, lists by number."""
    if not v or isinstance(v, str):
        return {path: v or ""}
    found = {}
    for k, below in v.items() if isinstance(v, dict) else enumerate(v):
        found.update(leaves(below, ("%s.%s" % (path, k)).lstrip(".").lower()))
    return found


def translate(what, old, expected):
    write("old.yaml", old)
    p = subprocess.run([BIN + "/gpctl", "config", "translate", "old.yaml"], capture_output=True, text=True, check=False)
    assert p.returncode == 0, "%s: %s" % (what, p.stderr)
    said = [line.split(": ", 1)[1] for line in p.stderr.splitlines()]
    assert said == expected, "%s: said %s" % (what, said)
    before, after = (leaves(yaml.load(text, yaml.BaseLoader)) for text in (old, p.stdout))
    named = [s.split(": ")[0].lower() for s in said]
    for key, value in before.items():
        if not any(key == n or key.startswith(n + ".") for n in named):
            assert after.get(key, "missing") == value, "%s: %s is %s" % (what, key, after.get(key))
    return p.stdout.replace("/etc/fleetprobe", os.getcwd())


def check(what, new, *daemon):
    write("new.yaml", new)
    p = subprocess.run([BIN + "/" + daemon[0], *daemon[1:], "--check-config", "-c", "new.yaml"],
                       capture_output=True, text=True, check=False)
    said = p.stdout + p.stderr
    assert p.returncode == 0 and said.startswith("configuration is fine") and said.count("\n") == 1, \
        "%s: %s\n%s" % (what, said, new)
    return said


def main():
    with tempfile.TemporaryDirectory() as tmp:
        os.chdir(tmp)
        for kind in "agent", "aggregator":
            subprocess.run([BIN + "/gpkey", "-q", "new", kind, "n", "-o", kind + ".key"], check=True)
        subprocess.run([BIN + "/gpkey", "-q", "trust", "agent.pub", "--into", "trusted_keys"], check=True)
        write("static.yaml", "ids: [fw-1, fw-2]\n")
        for what, (old, said) in AGENTS.items():
            check(what, translate(what, old.replace("DIR", tmp), said), "goprobe")
        write("endpoints.yaml", translate("endpoints", *ENDPOINTS))
        for what, (old, said) in AGGREGATORS.items():
            fine = check(what, translate(what, old.replace("DIR", tmp), said), "global-query", "server")
            assert ": 4 hosts" in fine, fine
    print("%d passed, 0 failed" % (len(AGENTS) + len(AGGREGATORS) + 1))


main()
