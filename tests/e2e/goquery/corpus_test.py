"""corpus_test.py - answers on the reference's own test database against sums made from its flow dump.

Needs ../shared/corpus (exit 77 where it is absent); the dump was made by an independent decoder.
"""
import collections
import csv
import os
import sys

import support

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "..", "shared",
                      "corpus")
DB = os.path.join(CORPUS, "upstream-testdb")
FLOWS = os.path.join(CORPUS, "upstream-testdb-flows.csv")
RANGE = ["-f", "1456428000", "-l", "1456480000"]
COUNTERS = ("packets received", "packets sent", "data vol. received", "data vol. sent")
NAMES = {0: "HOPOPT", 1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 50: "IPSEC-ESP", 51: "IPSEC-AH",
         58: "IPv6-ICMP", 103: "PIM", 112: "VRRP", 47: "GRE", 89: "OSPFIGP", 41: "IPv6"}


def load():
    with open(FLOWS, encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    names = {k.lower(): k for k in rows[0]}

    def pick(*candidates):
        return next(names[c] for c in candidates if c in names)
    keys = {"time": pick("time"), "iface": pick("iface"), "sip": pick("sip"), "dip": pick("dip"),
            "dport": pick("dport"), "proto": pick("proto")}
    counters = {COUNTERS[0]: pick("packets received", "pkts_rcvd"),
                COUNTERS[1]: pick("packets sent", "pkts_sent"),
                COUNTERS[2]: pick("data vol. received", "bytes_rcvd"),
                COUNTERS[3]: pick("data vol. sent", "bytes_sent")}
    return [({k: r[c] for k, c in keys.items()}, tuple(int(r[counters[c]]) for c in COUNTERS))
            for r in rows]


class Corpus(support.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.flows = load()

    def want(self, ifaces, fields, where):
        sums = collections.defaultdict(lambda: [0, 0, 0, 0])
        for key, counters in self.flows:
            if key["iface"] in ifaces and where(key):
                k = (key["iface"],) + tuple(key[f] for f in fields)
                sums[k] = [a + b for a, b in zip(sums[k], counters)]
        return {k: tuple(v) for k, v in sums.items()}

    def got(self, ifaces, fields, condition):
        text = self.ok("-d", DB, *RANGE, "-i", ",".join(ifaces), "-n", "1000000", "-e", "csv", "-c",
                       condition, ",".join(["iface"] + [f for f in fields]))
        lines = text.splitlines()
        head = lines[0].split(",")
        at = {name: head.index(name) for name in list(fields) + ["iface"] + list(COUNTERS)}
        rows = {}
        for line in lines[1:]:
            cells = line.split(",")
            if len(cells) != len(head):
                break
            key = [cells[at["iface"]]]
            for f in fields:
                v = cells[at[f]]
                key.append(str({n: p for p, n in NAMES.items()}.get(v, v)) if f == "proto" else v)
            self.assertNotIn(tuple(key), rows)
            rows[tuple(key)] = tuple(int(cells[at[c]]) for c in COUNTERS)
        return rows

    def test_sums(self):
        every = sorted({k["iface"] for k, _ in self.flows})
        self.assertEqual(len(every), 7)
        cases = [
            (every, ["sip"], "", lambda k: True),
            (["eth0"], ["sip", "dip"], "", lambda k: True),
            (["eth0", "eth1"], ["dport", "proto"], "proto = 6", lambda k: k["proto"] == "6"),
            (["eth1"], ["dip", "sip", "dport", "proto"], "", lambda k: True),
            (every, ["time"], "", lambda k: True),
            (every, ["dport"], "dport >= 1024 and not proto = udp",
             lambda k: int(k["dport"]) >= 1024 and k["proto"] != "17"),
            (["eth0"], ["time", "sip", "dport"], "sip = 125.167.76.152 & dport < 1024",
             lambda k: k["sip"] == "125.167.76.152" and int(k["dport"]) < 1024),
            (["eth0"], ["sip"], "snet = 125.167.0.0/16",
             lambda k: k["sip"].startswith("125.167.")),
            (["eth1"], ["sip", "proto"], "host = 125.167.76.152 | dport = 443",
             lambda k: ":" not in k["sip"] and ("125.167.76.152" in (k["sip"], k["dip"])
                                                or k["dport"] == "443")),
        ]
        for ifaces, fields, condition, where in cases:
            self.assertEqual(self.got(ifaces, fields, condition), self.want(ifaces, fields, where),
                             (ifaces, fields, condition))

    def test_list(self):
        """The totals of upstream-testdb.md."""
        self.assertEqual(self.ok("-d", DB, "list", "-v", "eth0", "eth1"), """\

             packets    packets       bytes      bytes          # of          # of                                                        
    iface         in        out          in        out    IPv4 flows    IPv6 flows     drops                   from                     to
    -----    -------    -------       -----      -----    ----------    ----------     -----                   ----                     --
     eth0     5.31 M     2.31 M     5.80 GB    1.74 GB       11.41 k        0.00      1.29 M    2016-02-25 19:29:35    2016-02-26 07:44:35
     eth1     4.76 M     8.20 M     4.61 GB    7.26 GB        7.79 k       26.00      2.44 M    2016-02-25 19:29:35    2016-02-26 07:44:35
                                                                                                                                          
    Total    10.07 M    10.51 M    10.41 GB    9.00 GB       19.20 k       26.00      3.74 M                                              

""")

    def test_table(self):
        text = self.ok("-d", DB, *RANGE, "-i", "eth0", "-n", "2", "talk_conv")
        self.assertEqual(text[:text.index("Query stats")], """\

                                   packets   packets            bytes      bytes       
             sip             dip        in       out      %        in        out      %
  121.18.119.116  125.167.76.152    3.91 M  867.39 k  62.78   4.90 GB  658.72 MB  73.59
  125.167.76.152  237.147.182.13  308.75 k  576.81 k  11.63  17.71 MB  805.53 MB  10.67
                                       ...       ...              ...        ...       
                                    5.31 M    2.31 M          5.80 GB    1.74 GB       
                                                                                
         Totals:                              7.62 M                     7.54 GB  

Timespan    : [2016-02-25 19:29:35, 2016-02-26 07:44:35] (12h15m0s)
Interface   : eth0
Sorted by   : accumulated data volume (sent and received)
""")


if __name__ == "__main__":
    if not os.path.exists(FLOWS):
        print("skipped: no corpus at %s" % os.path.normpath(CORPUS))
        sys.exit(77)
    support.main()
