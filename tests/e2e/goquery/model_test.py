"""model_test.py - random queries on the reference's test database, byte for byte against a model.

The model works on the flow dump and is written from query.md 1, 3.9, 4.6, 5 and 6 alone: conditions, keys,
direction filter, bins, order, limit, covered span, text and CSV with their layout, JSON. TEST_ROUNDS
(default 1) times 60 queries, TEST_SEED. Needs ../shared/corpus (exit 77 where it is absent).
"""
import csv
import datetime
import ipaddress
import json
import os
import random
import re
import sys
import zoneinfo

import model_conditions
import support

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "..", "shared",
                      "corpus")
DB = os.path.join(CORPUS, "upstream-testdb")
FIRST, LAST = 1456428875, 1456472675  # block times of the database
QUERIES = 60

SHORTHANDS = {"talk_src": "sip", "talk_dst": "dip", "talk_conv": "sip,dip",
              "apps_port": "dport,proto", "agg_talk_port": "sip,dip,dport,proto",
              "raw": "time,host,hostid,iface,sip,dip,dport,proto"}
ALIASES = {"src": "sip", "dst": "dip", "port": "dport", "protocol": "proto", "ipproto": "proto",
           "hostname": "host"}
LABELS = ["time", "host", "hostid", "iface"]
ATTRS = ["sip", "dip", "dport", "proto"]  # as they stand in a flow and in a key
KEEPS = {"": lambda pr, ps: True, "in": lambda pr, ps: pr > 0 and ps == 0,
         "out": lambda pr, ps: ps > 0 and pr == 0, "uni": lambda pr, ps: (pr > 0) != (ps > 0),
         "bi": lambda pr, ps: pr > 0 and ps > 0}


def load():
    """Flows as (time, iface, (sip, dip, dport, proto), (pr, ps, br, bs)); block times by day."""
    flows, days = [], {}
    with open(DB + "-flows.csv", encoding="utf-8") as f:
        for t, iface, sip, dip, dport, proto, *counters in list(csv.reader(f))[1:]:
            flows.append((int(t), iface, (ipaddress.ip_address(sip), ipaddress.ip_address(dip),
                                          int(dport), int(proto)), [int(c) for c in counters]))
    with open(DB + "-blocks.tsv", encoding="utf-8") as f:
        for line in f.read().splitlines()[1:]:
            iface, day, _, time = line.split("\t")[:4]
            days.setdefault(iface, {}).setdefault(int(day), []).append(int(time))
    return flows, days


# ---- numbers (6.2) ----

def scaled(v, step, units, beyond):
    x, i, n = float(v), v, 0
    while beyond(i, step):
        i, x, n = i // step, x / step, n + 1
    return "%.2f %s" % (x, units[n])


def count(v):
    return "%d  " % v if v < 1000 else scaled(v, 1000, " kMGTPE", lambda i, s: i >= s)


def size(v):
    units = [" B", "kB", "MB", "GB", "TB", "PB", "EB"]
    return "%d   " % v if v <= 1024 else scaled(v, 1024, units, lambda i, s: i > s)


def percent(part, total, as_text):
    p = 100.0 * part / total if total else 0.0
    return "0" if as_text and p == 0 else "%.2f" % p


def duration(s):
    """Rounded to minutes, half away from zero."""
    minutes, sign = (abs(s) + 30) // 60, "-" if s < 0 else ""
    days, minutes = (0, minutes) if minutes < 1440 else divmod(minutes, 1440)
    text = "%dh%dm0s" % divmod(minutes, 60) if minutes >= 60 else "%dm0s" % minutes if minutes else "0s"
    return "%s%s%s" % ("%dd" % days if days else "", sign if minutes else "", text)


# ---- the answer ----

def address_order(a):
    return (0, 0) if a is None else (a.version, int(a))


class Answer:
    def __init__(self, q, flows, days):
        self.q, self.attrs, self.labels = q, [], set()
        for element in q["query"].split(","):
            for name in SHORTHANDS.get(element, element).split(","):
                name = ALIASES.get(name, name)
                if name in LABELS:
                    self.labels.add(name)
                elif name not in self.attrs:
                    self.attrs.append(name)
        if len(q["selected"]) > 1 or "," in q["ifaces"] or q["ifaces"][0] == "/":
            self.labels.add("iface")
        self.timed = "time" in self.labels
        rows = self.binned(self.groups(flows))
        self.sort = "time" if self.timed else q["sort"]
        self.ascending = self.timed or q["ascending"]
        rows.sort(key=self.order, reverse=not self.ascending)
        self.totals = [sum(c[i] for _, c in rows) for i in range(4)]
        self.hits, self.rows = len(rows), rows[:q["limit"]]
        self.span(days)

    def groups(self, flows):
        q, groups = self.q, {}
        for time, iface, attrs, counters in flows:
            if iface not in q["selected"] or not q["first"] <= time <= q["last"]:
                continue
            if q["family"] and attrs[0].version != q["family"] or not q["match"](attrs):
                continue
            shown = tuple(v if a in self.attrs else None for a, v in zip(ATTRS, attrs))
            sums = groups.setdefault((iface, time if self.timed else 0, shown), [0] * 4)
            for i, c in enumerate(counters):
                sums[i] += c
        return {k: c for k, c in groups.items() if KEEPS[q["direction"]](c[0], c[1])}

    def binned(self, groups):
        width = self.q["width"] if self.timed else 300
        if width == 300:
            return list(groups.items())
        bins = {}
        for (iface, time, shown), counters in groups.items():
            sums = bins.setdefault((iface, -(-time // width) * width, shown), [0] * 4)
            for i, c in enumerate(counters):
                sums[i] += c
        return list(bins.items())

    def shown(self, c):
        """(packets, bytes) that count for order and percentages."""
        return {"in": (c[0], c[2]), "out": (c[1], c[3])}.get(self.q["flag"],
                                                             (c[0] + c[1], c[2] + c[3]))

    def order(self, row):
        (iface, time, (sip, dip, dport, proto)), c = row
        packets, volume = self.shown(c)
        return ({"bytes": volume, "packets": packets, "time": time}[self.sort], address_order(sip),
                address_order(dip), proto or 0, dport or 0, time, iface)

    def span(self, days):
        q, firsts, lasts = self.q, [], []
        for iface in q["selected"]:
            hit = [d for d in sorted(days[iface]) if q["first"] < d + 86400 and d < q["last"] + 300]
            if hit:
                firsts.append(max(q["first"], days[iface][hit[0]][0]) - 300)
                lasts.append(min(q["last"], days[iface][hit[-1]][-1]))
        self.data = bool(firsts)
        self.first = min(firsts, default=q["first"])
        self.last = max(lasts, default=q["last"])

    # ---- printers (6.3 to 6.6) ----

    def columns(self):
        return [x for x in LABELS if x in self.labels] + self.attrs

    def cells(self, key, as_text):
        iface, time, shown = key
        values = dict(zip(ATTRS, shown), iface=iface, host=self.q["host"], hostid=self.q["hostid"])
        values["time"] = self.local(time) if as_text else time
        values["proto"] = model_conditions.PROTOCOLS.get(values["proto"], values["proto"])
        return [str(values[c]) for c in self.columns()]

    def local(self, time):
        when = datetime.datetime.fromtimestamp(time, zoneinfo.ZoneInfo(self.q["zone"]))
        return when.strftime("%Y-%m-%d %H:%M:%S")

    def sorted_by(self):
        what = {"in": "received only", "out": "sent only"}.get(self.q["flag"], "sent and received")
        return {"time": "first packet time", "packets": "accumulated packets (%s)" % what,
                "bytes": "accumulated data volume (%s)" % what}[self.sort]

    def counters(self, c, as_text):
        packets, volume = self.shown(c)
        p, v = (count, size) if as_text else (str, str)
        shares = [percent(a, b, as_text) for a, b in zip((packets, volume), self.shown(self.totals))]
        if self.q["flag"]:
            return [p(packets), shares[0], v(volume), shares[1]]
        return [p(c[0]), p(c[1]), shares[0], v(c[2]), v(c[3]), shares[1]]

    def table(self):
        both, names = not self.q["flag"], self.columns()
        blank, lines = [""] * len(names), []
        if self.hits:
            name = {"sum": "in+out"}.get(self.q["flag"], self.q["flag"])
            lines.append(blank + (["packets", "packets", "", "bytes", "bytes", ""] if both
                                  else ["packets", "", "bytes", ""]))
            lines.append(names + (["in", "out", "%"] if both else [name, "%"]) * 2)
        lines += [self.cells(k, True) + self.counters(c, True) for k, c in self.rows]
        if not self.rows:
            return lines
        dots = "..." if len(self.rows) < self.hits else ""
        lines.append(blank + ([dots, dots, ""] if both else [dots, ""]) * 2)
        totals = self.counters(self.totals, True)
        lines.append(blank + ["" if i % (3 if both else 2) == (2 if both else 1) else t
                              for i, t in enumerate(totals)])
        if both:
            packets, volume = self.shown(self.totals)
            lines.append([""] * (len(names) + 5))
            lines.append(["Totals:"] + blank[1:] + ["", count(packets), "", "", size(volume), ""])
        return lines

    @staticmethod
    def laid_out(lines):
        out = [""] * len(lines)
        for c in range(max(map(len, lines), default=0)):
            at = 0
            while at < len(lines):
                end = at
                while end < len(lines) and len(lines[end]) > c:
                    end += 1
                width = max((len(lines[i][c]) for i in range(at, end)), default=0) + 2
                for i in range(at, end):
                    out[i] += lines[i][c].rjust(width)
                at = end + 1
        return "".join(line + "\n" for line in out)

    def txt(self):
        q = self.q
        ifaces = "%d queried" % len(q["selected"]) if "iface" in self.labels else q["selected"][0]
        footer = [("Timespan", "[%s, %s] (%s)" % (self.local(self.first), self.local(self.last),
                                                  duration(self.last - self.first))),
                  ("Interface", ifaces), ("Sorted by", self.sorted_by())]
        if q["canonical"]:
            footer.append(("Conditions", q["canonical"]))
        shown, total = count(len(self.rows)).rstrip(), count(self.hits).rstrip()
        footer.append(("Query stats", "displayed top %s hits out of %s in TIME" % (shown, total)))
        width = max(len(k) for k, _ in footer) + 1
        status = "" if self.hits else 'Status "empty": query returned no results\n'
        return "%s\n%s%s%s\n" % (status, self.laid_out(self.table()), "\n" if self.rows else "",
                                 "".join("%s: %s\n" % (k.ljust(width), v) for k, v in footer))

    def csv(self):
        t, shown = self.totals, self.shown(self.totals)
        lines = [self.columns() + (["packets", "%", "data vol.", "%"] if self.q["flag"] else
                                   ["packets received", "packets sent", "%", "data vol. received",
                                    "data vol. sent", "%"])]
        lines += [self.cells(k, False) + self.counters(c, False) for k, c in self.rows]
        if self.q["flag"]:
            lines += [["Overall packets", shown[0]], ["Overall data volume (bytes)", shown[1]]]
        else:
            lines += [["Received packets", t[0]], ["Sent packets", t[1]],
                      ["Received data volume (bytes)", t[2]], ["Sent data volume (bytes)", t[3]]]
        ifaces = ",".join(self.q["selected"])
        lines += [["Sorting and flow direction", self.sorted_by()],
                  ["Interface", '"%s"' % ifaces if "," in ifaces else ifaces]]
        return "".join(",".join(map(str, line)) + "\n" for line in lines)

    def json(self):
        zone = zoneinfo.ZoneInfo(self.q["zone"])

        def stamp(t):
            return datetime.datetime.fromtimestamp(t, zone).isoformat().replace("+00:00", "Z")

        def some(names, values):
            return {k: v for k, v in zip(names, values) if v}
        rows = []
        for (iface, time, (sip, dip, dport, proto)), (pr, ps, br, bs) in self.rows:
            labels = some(["timestamp", "iface", "host", "host_id"],
                          [self.timed and stamp(time), iface, self.q["host"], self.q["hostid"]])
            attributes = some(["sip", "dip", "proto", "dport"],
                              [sip and str(sip), dip and str(dip), proto, dport])
            rows.append({"labels": labels, "attributes": attributes,
                         "counters": some(["br", "bs", "pr", "ps"], [br, bs, pr, ps])})
        pr, ps, br, bs = self.totals
        status = {"code": "ok"} if self.hits else {"code": "empty",
                                                   "message": "query returned no results"}
        summary = {"interfaces": self.q["selected"], "time_first": stamp(self.first),
                   "time_last": stamp(self.last),
                   "totals": some(["br", "bs", "pr", "ps"], [br, bs, pr, ps]), "timings": None,
                   "hits": {"displayed": len(rows), "total": self.hits}, "data_available": True,
                   "stats": None}
        query = {"attributes": self.attrs}
        if self.q["canonical"]:
            query["condition"] = self.q["canonical"]
        return {"hostname": self.q["host"], "status": status,
                "hosts_statuses": {self.q["host"]: status}, "summary": summary, "query": query,
                "rows": rows}


# ---- random queries ----

def random_ifaces(rng, names):
    """(argument, names selected)"""
    some = sorted(rng.sample(names, rng.randint(2, 4)))
    return rng.choice([
        (some[0], some[:1]), (some[1], some[1:2]), (",".join(reversed(some)), some),
        (",".join(some + ["nosuch"]), some), ("any", names), ("ANY", names),
        ("any,!" + some[0], [n for n in names if n != some[0]]),
        ("/eth[01]/", ["eth0", "eth1"]), ("/^t_/", [n for n in names if n.startswith("t_")])])


def random_resolution(rng, seconds):
    """(argument, width in seconds)"""
    text, width = rng.choice([("", 300), ("5m", 300), ("10m", 600), ("1h", 3600), ("1h30m", 5400),
                              ("24h", 86400), ("auto", 0)])
    return text, width or max(300, -(-(seconds * 10**9 // 288) // (300 * 10**9)) * 300)


def random_query(rng, names, addresses):
    q = {"query": ",".join(rng.choice([*SHORTHANDS, *ALIASES, *LABELS, *ATTRS, "time"])
                           for _ in range(rng.randint(1, 4)))}
    q["ifaces"], q["selected"] = random_ifaces(rng, names)
    q["first"] = rng.choice([0, FIRST, FIRST - 300, rng.randint(FIRST - 90000, LAST)])
    q["last"] = max(q["first"], rng.choice([LAST, LAST + 300, rng.randint(FIRST, LAST + 90000)]))
    q["resolution"], q["width"] = random_resolution(rng, q["last"] - q["first"])
    q.update(model_conditions.random_condition(rng, addresses))
    q["flag"] = rng.choice(["", "", "in", "out", "sum"])
    q["sort"] = rng.choice(["bytes", "packets", "time"])
    q["ascending"] = rng.random() < .3
    q["limit"] = rng.choice([1, 2, 5, 25, 1000, 100000])
    q["format"] = rng.choice(["txt", "csv", "json"])
    q["zone"] = rng.choice(["UTC", "Europe/Zurich", "America/New_York", "Asia/Kolkata"])
    return q


def command(q):
    args = ["-d", DB, "-i", q["ifaces"], "-f", str(q["first"]), "-l", str(q["last"]),
            "-n", str(q["limit"]), "-e", q["format"], "-s", q["sort"]]
    args += ["-c", q["condition"]] if q["condition"] else []
    args += ["-a"] if q["ascending"] else []
    args += ["--" + q["flag"]] if q["flag"] else []
    args += ["--query.time-resolution", q["resolution"]] if q["resolution"] else []
    return args + [q["query"]]


class Model(support.Case):
    def answer(self, q, host, hostid):
        """What goquery printed, with the times of the run taken out."""
        env = support.environment(TZ=q["zone"])
        out = self.ok(*command(q), env=env)
        if q["format"] != "json":
            return re.sub(r"(hits out of [^\n]*?) *in [0-9.hms]+\n", r"\1 in TIME\n", out)
        got = json.loads(out)
        self.assertEqual(out.count("\n"), 1)
        got["summary"]["timings"] = got["summary"]["stats"] = None
        return json.dumps(got)  # keeps the order of members

    def test_random(self):
        flows, days = load()
        names = sorted(days)
        addresses = sorted({a for f in flows for a in f[2][:2]}, key=address_order)
        seed = int(os.environ.get("TEST_SEED", "1"))
        first = json.loads(self.ok("-d", DB, "-i", "eth0", "-f", "0", "-e", "json", "-n", "1", "sip"))
        labels = first["rows"][0]["labels"]
        for i in range(QUERIES * int(os.environ.get("TEST_ROUNDS", "1"))):
            q = random_query(random.Random(seed * 1000003 + i), names, addresses)
            q["host"], q["hostid"] = labels["host"], labels["host_id"]
            a = Answer(q, flows, days)
            if not a.data:
                continue  # the status line says in our words where data is
            want = {"txt": a.txt, "csv": a.csv}.get(q["format"], lambda: json.dumps(a.json()))()
            self.assertEqual(self.answer(q, labels["host"], labels["host_id"]), want,
                             "TZ=%s goquery %s" % (q["zone"], command(q)))


if __name__ == "__main__":
    if not os.path.isdir(DB):
        print("skipped: no corpus at %s" % os.path.normpath(DB))
        sys.exit(77)
    support.main()
