#!/usr/bin/env python3
"""query_test.py SOURCE_DIR BIN_DIR - the client in Python asks real agents and an aggregator; goquery on the same
databases says what is right."""
import json
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
try:
    from client import Client, Key
except ImportError as e:
    print(f"skipped: {e} (package python3-nacl)")
    sys.exit(77)
from query import BATCH, Answer, one, parse, request

FIRST, LAST = 1700000000, 4000000000
QUERIES = [
    ("time,iface,sip,dip,dport,proto", None),
    ("sip,dip", "dport = 443"),
    ("dip,proto", "proto = udp or proto = icmp"),
    ("sip", "snet = 2001:db8::/32"),
    ("dport,proto", None),
    ("iface", None),
    ("sip,dip", "dport = 9"),  # nothing
]


class Fleet:
    def __init__(self, source, programs):
        self.source, self.bin, self.processes, self.started = source, programs, {}, 0

    def run(self, *args):
        return subprocess.run([os.path.join(self.bin, args[0]), *args[1:]], check=True, capture_output=True).stdout

    def start(self, *args):
        """Run a daemon; returns where it listens."""
        self.started += 1
        log = open(f"{args[0]}-{self.started}.log", "w+b")
        p = subprocess.Popen([os.path.join(self.bin, args[0]), *args[1:]], stdout=log, stderr=log)
        for _ in range(300):
            found = re.search(rb"tcp://127\.0\.0\.1:[1-9]\d*", open(log.name, "rb").read())
            if found:
                self.processes[found[0].decode()] = p, args, log.name
                return found[0].decode()
            assert p.poll() is None, open(log.name).read()
            time.sleep(0.1)
        raise TimeoutError(args[0])

    def restart(self, listens):
        """End the daemon that listens there and run it again; returns where it listens now."""
        p, args, _ = self.processes.pop(listens)
        p.terminate()
        assert p.wait(30) == 0
        return self.start(*args)

    def stop(self):
        """End all of them; what one that failed has written (a sanitizer's report) is printed."""
        running = [p for p, _, _ in self.processes.values()]
        for p in running:
            p.terminate()
        codes = [p.wait(30) for p in running]
        for code, (_, args, log) in zip(codes, self.processes.values()):
            if code != 0:
                print(f"{' '.join(args)} ended with {code}:\n{open(log, errors='replace').read()}")
        return codes


def want(fleet, hosts, query, condition):
    """Sorted rows of goquery on the databases of hosts, in the form of Answer.rows."""
    rows, attributes = [], query.split(",")
    for host in hosts:
        args = ["goquery", "-d", f"{host}.db", "-i", "any", "-f", str(FIRST), "-l", str(LAST), "-e", "json",
                "-n", "1000000", query]
        result = json.loads(fleet.run(*args, *(["-c", condition] if condition else [])))
        for r in result["rows"] or []:
            a, c = r["attributes"], r["counters"]
            rows.append((host, r["labels"]["iface"], r["labels"].get("timestamp"), a.get("sip"), a.get("dip"),
                         a.get("dport", 0) if "dport" in attributes else None,
                         a.get("proto", 0) if "proto" in attributes else None,
                         *(c.get(k, 0) for k in ("br", "bs", "pr", "ps"))))
    return sorted(rows, key=str)


def got(answer, query):
    rows, attributes = [], query.split(",")
    for host, iface, at, sip, dip, dport, proto, *values in answer.rows:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) if at else None
        rows.append((host, iface, stamp, sip and str(sip), dip and str(dip),
                     (dport or 0) if "dport" in attributes else None,
                     (proto or 0) if "proto" in attributes else None, *values))
    return sorted(rows, key=str)


def check(fleet, client, user, keys, hosts, selector):
    n = 0
    for query, condition in QUERIES:
        body, query_id = request(user, selector, FIRST, LAST, query, "any", condition)
        messages, status = client.call("query", body)
        assert status[0] == 0, (query, status)
        answer = Answer(messages, query_id, keys)
        expected = want(fleet, hosts, query, condition)
        assert got(answer, query) == expected, f"{query} {condition}: {got(answer, query)[:3]} want {expected[:3]}"
        assert sorted(answer.hosts) == sorted(hosts)
        assert answer.totals == [sum(r[i] for r in expected) for i in (7, 8, 9, 10)]
        n += len(expected)
    return n


def refusals(client, user, mallory):
    """Each is refused with a status and no message: replayed, altered, too old, by a stranger."""
    def ask(body, code, text):
        messages, status = client.call("query", body)
        assert (messages, status[0]) == ([], code) and text in status[1], (messages, status, text)

    body, _ = request(user, "any", FIRST, LAST, "sip", "any")
    assert client.call("query", body)[1][0] == 0
    ask(body, 7, "seen before")
    broken = bytearray(request(user, "any", FIRST, LAST, "sip", "any")[0])
    broken[30] ^= 1  # within the signed body
    ask(bytes(broken), 7, "signature")
    ask(request(user, "any", FIRST, LAST, "sip", "any", issued=int(time.time()) - 3600)[0], 7, "expired")
    ask(request(mallory, "any", FIRST, LAST, "sip", "any")[0], 7, "not trusted")


def replays(fleet, addresses, hub, user, keys):
    """A request that went through once is refused for ever after, wherever its exact bytes are sent again: at the
    aggregator, by who read it there at the agent, and at the agent after it forgot what it had seen."""
    def send(address, public, body):
        client = Client(address, user, public)
        messages, status = client.call("query", body)
        client.close()
        return messages, status

    body, query_id = request(user, "office", FIRST, LAST, "sip", "any")
    messages, status = send(hub, Key("hub.key").public, body)
    assert status[0] == 0 and list(Answer(messages, query_id, keys).hosts) == ["office"], status
    messages, _ = send(hub, Key("hub.key").public, body)  # the aggregator keeps no ids: it tells what the host said
    assert any(b"seen before" in m for m in messages) and not any(BATCH in parse(m) for m in messages), messages
    messages, status = send(addresses["office"], keys["office"], body)
    assert (messages, status[0]) == ([], 7) and "seen before" in status[1], (messages, status)

    while int(time.time()) <= parse(one(parse(body), 1))[2][0]:  # clocks count whole seconds here
        time.sleep(0.05)
    again = fleet.restart(addresses["office"])
    messages, status = send(again, keys["office"], body)
    assert (messages, status[0]) == ([], 7) and "before this process started" in status[1], (messages, status)
    body, query_id = request(user, "office", FIRST, LAST, "sip", "any")
    messages, status = send(again, keys["office"], body)
    assert status[0] == 0 and Answer(messages, query_id, keys).rows, status  # a fresh one is served


def main():
    fleet = Fleet(*sys.argv[1:])
    os.environ["TZ"] = "UTC"
    with tempfile.TemporaryDirectory() as d:
        os.chdir(d)
        hosts = ("office", "edge")
        for kind, name in (("agent", "office"), ("agent", "edge"), ("aggregator", "hub"), ("user", "alice"), ("user", "mallory")):
            fleet.run("gpkey", "-q", "new", kind, name)
        fleet.run("gpkey", "-q", "trust", "alice.pub", "hub.pub", "office.pub", "edge.pub", "--into", "trusted_keys")
        keys = {h: Key(f"{h}.key").public for h in hosts}
        try:
            addresses = {}
            for h in hosts:
                fleet.run("goprobe", "--pcap", os.path.join(fleet.source, f"tests/data/captures/{h}.pcap.gz"), "--iface",
                          "eth0", "--db", f"{h}.db", "--local", "10.20.0.0/16")
                addresses[h] = fleet.start("goprobe", "serve", "--db", f"{h}.db", "--listen", "tcp://127.0.0.1:0",
                                           "--key", f"{h}.key", "--trusted-keys", "trusted_keys")
            with open("hosts.yaml", "w") as f:
                f.write("".join(f"{h}: {{addr: '{a}'}}\n" for h, a in addresses.items()))
            hub = fleet.start("global-query", "server", "--server.addr", "127.0.0.1:0", "--identity.key", "hub.key",
                              "--identity.trusted_keys", "trusted_keys", "--querier.config", "hosts.yaml")
            user, mallory = Key("alice.key"), Key("mallory.key")
            client = Client(addresses["office"], user, keys["office"])
            n = check(fleet, client, user, keys, ["office"], "office")
            refusals(client, user, mallory)
            client.close()
            client = Client(hub, user, Key("hub.key").public)
            n += check(fleet, client, user, keys, hosts, "any")
            client.close()
            replays(fleet, addresses, hub, user, keys)
        finally:
            codes = fleet.stop()
        assert codes == [0, 0, 0], codes
    print(f"the client in Python got {n} rows as goquery has them")


main()
