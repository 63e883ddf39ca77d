#!/usr/bin/env python3
"""monitoring_test.py SOURCE_DIR BIN_DIR - dashboard and alert rules use only what the daemons export.

Starts an agent that captures and an aggregator, in a network namespace of their own, and holds every
metric, label and label value of deploy/monitoring against their /metrics pages. With promtool
(Debian's prometheus) the rules are also run on made-up series: alerts_test.yaml.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time

try:
    import yaml
except ImportError:
    print("skipped: python3-yaml is missing")
    sys.exit(77)

from kit import Fleet, own_network, page, until, write

SRC, BIN = sys.argv[1:3]
DIR = SRC + "/deploy/monitoring/"
TARGET_LABELS = {"job", "instance"}  # Prometheus adds them to whatever it scrapes
METRIC = re.compile(r"\b((?:goprobe|global_query|process|rpc)_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
GROUPING = re.compile(r"\b(?:by|on|ignoring|without|group_left|group_right)\s*\(([^)]*)\)")
AGENT = """
db: {path: %(tmp)s/db, sync: none}
interfaces: {lo: {ring_buffer: {block_size: 1048576, num_blocks: 2}}}
api: {addr: ['tcp://127.0.0.1:18145'], key_file: %(tmp)s/fw.key, trusted_keys: %(tmp)s/trusted_keys,
      metrics: true, metrics_addr: '0.0.0.0:18146', metrics_allow_remote: true}
"""
HUB = """
server: {addr: '127.0.0.1:18147'}
identity: {key: %(tmp)s/hub.key, trusted_keys: %(tmp)s/trusted_keys}
querier: {config: %(tmp)s/hosts.yaml}
metrics: {addr: '127.0.0.1:18148'}
"""


def samples(text):
    """{metric: {label: set of values}} of an exposition page."""
    out = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels = re.match(r"([\w:]+)(?:\{(.*)\})? ", line).groups()
        have = out.setdefault(name, {})
        for k, _, v in MATCHER.findall(labels or ""):
            have.setdefault(k, set()).add(v)
    return out


def scrape(fleet):
    tmp = fleet.tmp

    def gpkey(*args):
        subprocess.run([BIN + "/gpkey", "-q", *args], cwd=tmp, check=True)

    gpkey("init", "acme")
    gpkey("trust", "acme.pub", "--into", "trusted_keys")
    for kind, name, days in (("agent", "fw", "30"), ("aggregator", "hub", "7"), ("user", "me", "5")):
        gpkey("issue", kind, name, "--by", "acme.key", "--days", days)
    write(tmp + "/agent.yaml", AGENT % {"tmp": tmp})
    write(tmp + "/hub.yaml", HUB % {"tmp": tmp})
    write(tmp + "/hosts.yaml", "fw: {addr: '127.0.0.1:18145'}\n")
    fleet.start("agent", BIN + "/goprobe", "-c", "agent.yaml")
    fleet.start("hub", BIN + "/global-query", "server", "-c", "hub.yaml")
    until(lambda: 'state="connected"} 1\n' in page(18148), "the aggregator has its host")
    until(lambda: 'interfaces_capturing_total 1\n' in page(18146), "the agent captures")
    until(lambda: page(18146, "/-/ready"), "ready")
    text = page(18146) + page(18148)
    for name, days in (("goprobe", 30), ("global_query", 7)):
        end = float(re.search("^%s_certificate_not_after_seconds (.*)$" % name, text, re.M)[1])
        assert abs(end - time.time() - days * 86400) < 3600, (name, end)
    return samples(text)


def used_labels(expr, labels, where, have):
    """Matchers of one metric: label and value must exist."""
    for label, _, value in MATCHER.findall(labels or ""):
        if label in TARGET_LABELS:
            continue
        assert label in have, "%s: no label %s: %s" % (where, label, expr)
        for v in value.split("|"):
            assert "$" in v or v in have[label], "%s: no %s=\"%s\": %s" % (where, label, v, expr)


def check(expr, where, metrics):
    """Every metric and label of an expression is exported; returns the labels its series can have."""
    found = METRIC.findall(expr)
    assert found or re.search(r"\bup\b", expr), "%s: no metric: %s" % (where, expr)
    assert expr.count("(") == expr.count(")"), "%s: parentheses: %s" % (where, expr)
    known = set(TARGET_LABELS)
    for name, labels in found:
        assert name in metrics, "%s: %s is not exported: %s" % (where, name, expr)
        used_labels(expr, labels, where, metrics[name])
        known |= set(metrics[name])
    for group in GROUPING.findall(expr):
        for label in filter(None, re.split(r"[,\s]+", group)):
            assert label in known, "%s: no metric has %s: %s" % (where, label, expr)
    by = re.findall(r"\bby\s*\(([^)]*)\)", expr)
    return set(re.split(r"[,\s]+", by[0])) if by else known


def check_rules(metrics):
    with open(DIR + "alerts.yaml") as f:
        rules = [r for g in yaml.safe_load(f)["groups"] for r in g["rules"]]
    names = [r["alert"] for r in rules]
    assert len(set(names)) == len(names), "an alert stands twice"
    for r in rules:
        labels = check(r["expr"], r["alert"], metrics)
        assert r["labels"]["severity"] in ("warning", "critical"), r["alert"]
        for text in r["annotations"].values():
            for label in re.findall(r"\$labels\.(\w+)", text):
                assert label in labels, "%s: no label %s in the result" % (r["alert"], label)
    for want in ("Dropped", "WriteErrors", "Stale", "HostsAway", "CertificateExpires"):
        assert any(want in n for n in names), "no rule for " + want
    return len(rules)


def check_dashboard(metrics):
    with open(DIR + "dashboard.json") as f:
        board = json.load(f)
    ids, places, n = set(), set(), 0
    for p in board["panels"]:
        assert p["id"] not in ids, "panel id %d stands twice" % p["id"]
        ids.add(p["id"])
        g = p["gridPos"]
        cells = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
        assert g["x"] + g["w"] <= 24 and not cells & places, "panel \"%s\" overlaps" % p["title"]
        places |= cells
        for t in p.get("targets", []):
            known = check(t["expr"], p["title"], metrics)
            for label in re.findall(r"\{\{(\w+)\}\}", t["legendFormat"]):
                assert label in known, "%s: legend without %s" % (p["title"], label)
            n += 1
    variables = {v["name"] for v in board["templating"]["list"]}
    text = json.dumps(board)
    for v in re.findall(r"\$\{?(\w+)", text):
        assert v in variables or v.startswith("__"), "variable $%s is not defined" % v
    for name in re.findall(r"label_values\((\w+)", text):
        assert name in metrics, name
    return n


def check_jobs():
    with open(DIR + "prometheus.yaml") as f:
        jobs = {j["job_name"] for j in yaml.safe_load(f)["scrape_configs"]}
    for file in ("alerts.yaml", "dashboard.json"):
        with open(DIR + file) as f:
            used = set(re.findall(r"fleetprobe-(?:agents|aggregators)\b", f.read()))
        assert jobs == used, "%s: jobs %s, prometheus.yaml has %s" % (file, used, jobs)


def promtool():
    tool = shutil.which("promtool")
    if not tool:
        print("promtool is missing: rules are not run on series")
        return
    here = os.path.dirname(os.path.abspath(__file__))
    for args in (["check", "config", DIR + "prometheus.yaml"], ["test", "rules", here + "/alerts_test.yaml"]):
        p = subprocess.run([tool, *args], capture_output=True, text=True, check=False)
        assert p.returncode == 0, "promtool %s:\n%s%s" % (" ".join(args), p.stdout, p.stderr)


def main():
    own_network()
    with Fleet() as fleet:
        metrics = scrape(fleet)
        rules, panels = check_rules(metrics), check_dashboard(metrics)
        check_jobs()
        promtool()
        print("%d rules, %d expressions of the dashboard" % (rules, panels))
        fleet.end()
    print("1 passed, 0 failed")


main()
