"""result_test.py - query-cases.md E and parts of J, M: what queries on database M answer."""
import json
import os
import re

import support


def sums(csv):
    """{key columns: (packets, bytes)} in order, from CSV made with --sum."""
    lines = csv.splitlines()
    head = lines[0].split(",")
    n = head.index("packets")
    rows = []
    for line in lines[1:]:
        if line.startswith("Overall packets"):
            return rows
        cells = line.split(",")
        rows.append("/".join(cells[:n] + [cells[n], cells[n + 2]]))
    raise AssertionError(csv)


class Evaluation(support.Case):
    ALL = ["10.0.0.1/80/30/3000", "10.0.0.1/443/7/700", "2001:db8::/80/6/600",
           "2001:db8::1/443/4/400", "2001:db8::1/0/2/208", "32.1.13.184/53/2/120"]
    CASES = [
        ("E01", "", ALL),
        ("E02", "dport = 80", [ALL[0], ALL[2]]),
        ("E03", "dport = 443", [ALL[1], ALL[3]]),
        ("E04", "snet = 10.0.0.0/8", ALL[:2]),
        ("E05", "dnet = 2001:db8::/32", ALL[2:5]),
        ("E06", "host = 2001:db8::5", ALL[2:4]),
        ("E07", "proto = ipv6-icmp", [ALL[4]]),
        ("E08", "sip != 10.0.0.1", [ALL[5]]),
        ("E09", "! sip = 2001:db8::1", [ALL[2]]),
        ("E10", "dport = 443 | sip = 2001:db8::1", ALL[3:5]),
        ("E11", "dport = 53 | sip = 10.0.0.1", [ALL[0], ALL[1], ALL[5]]),
        ("E12", "sip = 10.0.0.1 | sip = 2001:db8::1", [ALL[0], ALL[1], ALL[3], ALL[4]]),
        ("E13", "snet = 32.0.0.0/8 | sip = ::1", [ALL[5]]),
        ("E14", "snet = 172.16.0.0/12 | sip = 32.1.13.184", [ALL[5]]),
        ("E15", "sip = 32.1.13.184 | snet = 172.16.0.0/12", [ALL[5]]),
        ("E16", "snet = 10.0.0.0/8 | snet = 2001:db8::/36", ALL[:5]),
        ("E17", "net != 10.0.0.0/8", []),
        ("E18", "dir = in", ALL[3:5]),
        ("E19", "dir = out", [ALL[1]]),
        ("E20", "dir = uni", [ALL[1], ALL[3], ALL[4]]),
        ("E21", "dir = bi", [ALL[0], ALL[2], ALL[5]]),
        ("E22", "dir = bi & snet = 10.0.0.0/8", [ALL[0]]),
    ]

    def test_conditions(self):
        for name, condition, want in self.CASES:
            got = sums(self.query("--sum", "-e", "csv", "-c", condition, "sip,dport"))
            self.assertEqual(got, want, name)

    def test_other(self):
        def rows(*args):
            return sums(self.query("--sum", "-e", "csv", *args))
        self.assertEqual(rows("dport"), ["80/36/3600", "443/11/1100", "0/2/208", "53/2/120"], "E30")
        self.assertEqual(rows("time"), ["1700000100/36/3528", "1700000400/15/1500"], "E31")
        self.assertEqual(self.query("-e", "csv", "-c", "dir = in", "sip").splitlines()[1],
                         "2001:db8::1,6,0,100.00,608,0,100.00", "E32")
        self.assertEqual(rows("-c", "dir = out", "sip"), [], "E33")
        self.assertEqual(self.query("-i", "eth1", "--sum", "-e", "csv", "proto").splitlines()[1:3],
                         ["143,1,50.00,300000000000000000,75.00",
                          "TCP,1,50.00,100000000000000000,25.00"], "E34")
        self.assertEqual(rows("-i", "any", "dport"),
                         ["eth1/80/2/400000000000000000", "eth0/80/36/3600", "eth0/443/11/1100",
                          "eth0/0/2/208", "eth0/53/2/120"], "E35")
        self.assertEqual(rows("--query.time-resolution", "10m", "time"),
                         ["1700000400/51/5028"], "E40")

    def test_ranges(self):
        def ask(first, last, *args):
            return self.ok("-d", self.db, "-i", "eth0", "-f", first, "-l", last, *args)
        r = json.loads(ask("1700000101", "1700000400", "-e", "json", "time"))
        self.assertEqual([x["labels"]["timestamp"] for x in r["rows"]], ["2023-11-14T22:20:00Z"])
        self.assertEqual((r["summary"]["time_first"], r["summary"]["time_last"]),
                         ("2023-11-14T22:10:01Z", "2023-11-14T22:20:00Z"), "E36")
        r = json.loads(ask("1700000100", "1700000399", "-e", "json", "time"))
        self.assertEqual([x["labels"]["timestamp"] for x in r["rows"]], ["2023-11-14T22:15:00Z"])
        self.assertEqual((r["summary"]["time_first"], r["summary"]["time_last"]),
                         ("2023-11-14T22:10:00Z", "2023-11-14T22:19:59Z"), "E37")
        r = json.loads(ask("1700000101", "1700000399", "-e", "json", "sip"))
        self.assertEqual((r["status"]["code"], r["rows"]), ("empty", []), "E38")
        r = json.loads(ask("1800000000", "1800000300", "-e", "json", "sip"))
        self.assertEqual(r["status"]["code"], "missing data", "E39")
        self.assertEqual((r["summary"]["time_first"], r["summary"]["time_last"]),
                         ("2027-01-15T08:00:00Z", "2027-01-15T08:05:00Z"), "E39")

    def test_limits(self):
        text = self.query("-n", "1", "sip")
        self.assertIn("displayed top 1 hits out of 4 in", text, "E41")
        self.assertRegex(text, r"\n +\.\.\. +\.\.\. +\.\.\. +\.\.\. +\n", "E41")
        self.assertIn("displayed top 1 hits out of 2 in", self.query("-n", "1", "time"), "E42")
        for n, want in (("0x2", 2), ("010", 4), ("2", 2)):  # 4 rows in all: J07, J08
            self.assertEqual(len(sums(self.query("-n", n, "--sum", "-e", "csv", "sip"))), want, n)
        got = sums(self.query("-a", "-n", "3", "--sum", "-e", "csv", "sip"))
        self.assertEqual(got, ["32.1.13.184/2/120", "2001:db8::/6/600", "2001:db8::1/6/608"], "J44")


class Tables(support.Case):
    """Whole outputs; the run time is the only thing that varies."""

    @staticmethod
    def timeless(text):
        return re.sub(r" in [0-9.]+m?s\n", " in 1ms\n", text)

    def test_both(self):
        self.assertEqual(self.timeless(self.query("-n", "2", "sip,proto")), """\

                     packets  packets           bytes    bytes       
         sip  proto       in      out      %       in      out      %
    10.0.0.1    TCP     20       17    72.55  1.95 kB  1.66 kB  73.59
  2001:db8::    TCP      3        3    11.76   300      300     11.93
                         ...      ...             ...      ...       
                        30       21           2.90 kB  2.01 kB       
                                                              
     Totals:                     51                    4.91 kB  

Timespan    : [2023-11-14 22:10:00, 2023-11-14 22:20:00] (10m0s)
Interface   : eth0
Sorted by   : accumulated data volume (sent and received)
Query stats : displayed top 2 hits out of 5 in 1ms

""")

    def test_interfaces(self):
        self.assertEqual(self.timeless(self.query("-i", "ANY", "--in", "-s", "packets", "dport")), """\

                packets             bytes        
  iface  dport       in      %         in       %
   eth0     80     23    71.88    2.25 kB    0.00
   eth0    443      4    12.50     400       0.00
   eth1     80      2     6.25  355.27 PB  100.00
   eth0      0      2     6.25     208       0.00
   eth0     53      1     3.12      60       0.00
                                                 
                   32           355.27 PB        

Timespan    : [2023-11-14 22:10:00, 2023-11-14 22:20:00] (10m0s)
Interface   : 2 queried
Sorted by   : accumulated packets (received only)
Query stats : displayed top 5 hits out of 5 in 1ms

""")

    def test_time(self):
        got = self.query("--sum", "-c", "proto=17|dport=443", "time,proto")
        self.assertEqual(self.timeless(got), """\

                              packets           bytes       
                 time  proto   in+out      %   in+out      %
  2023-11-14 22:15:00    TCP     11    84.62  1.07 kB  90.16
  2023-11-14 22:15:00    UDP      2    15.38   120      9.84
                                                            
                                 13           1.19 kB       

Timespan    : [2023-11-14 22:10:00, 2023-11-14 22:20:00] (10m0s)
Interface   : eth0
Sorted by   : first packet time
Conditions  : (proto = 17 | dport = 443)
Query stats : displayed top 2 hits out of 2 in 1ms

""")

    def test_empty(self):
        self.assertEqual(self.timeless(self.query("-c", "dport = 1", "sip")), """\
Status "empty": query returned no results

Timespan    : [2023-11-14 22:10:00, 2023-11-14 22:20:00] (10m0s)
Interface   : eth0
Sorted by   : accumulated data volume (sent and received)
Conditions  : dport = 1
Query stats : displayed top 0 hits out of 0 in 1ms

""")

    def test_missing(self):
        """A range without data says where data is."""
        first = self.ok("-d", self.db, "-i", "eth0", "-f", "1800000000", "-l", "1800000300", "sip")
        self.assertEqual(first.splitlines()[0],
                         'Status "missing data": no data available for the specified interface(s) / time '
                         'range; eth0 has data from 2023-11-14 22:10:00 to 2023-11-14 22:20:00')

    def test_csv_notes(self):
        p = self.run_raw("-d", self.db, "-i", "eth0", *self.RANGE, "-e", "csv",
                         "-c", "sip = 255.255.255.255", "sip")
        self.assertEqual(p.stdout, """\
sip,packets received,packets sent,%,data vol. received,data vol. sent,%
Received packets,0
Sent packets,0
Received data volume (bytes),0
Sent data volume (bytes),0
Sorting and flow direction,accumulated data volume (sent and received)
Interface,eth0
""", "J39")
        self.assertEqual(p.stderr, 'Status "empty": query returned no results\n')

    def test_json(self):
        text = self.query("-e", "json", "-c", "dport = 80 & proto = 6", "sip")
        self.assertEqual(text.count("\n"), 1)
        self.assertIn('"condition":"(dport = 80 \\u0026 proto = 6)"', text, "J41")
        r = json.loads(text)
        self.assertEqual(list(r), ["hostname", "status", "hosts_statuses", "summary", "query", "rows"])
        self.assertEqual(r["rows"][0]["attributes"], {"sip": "10.0.0.1"})
        self.assertEqual(r["rows"][0]["counters"], {"br": 2000, "bs": 1000, "pr": 20, "ps": 10})
        self.assertEqual(r["summary"]["totals"], {"br": 2300, "bs": 1300, "pr": 23, "ps": 13})
        self.assertEqual(self.query("--json", "sip").count("\n"), 1)
        lines = self.query("-e", "ndjson", "sip").splitlines()
        self.assertEqual([json.loads(x)["attributes"]["sip"] for x in lines],
                         ["10.0.0.1", "2001:db8::1", "2001:db8::", "32.1.13.184"])

    def test_fragments(self):
        md = self.query("-e", "md", "--in", "-c", "dport < 100", "proto")
        self.assertIn("| proto | packets in | packets % | bytes in | bytes % |\n", md)
        self.assertIn("- Conditions: dport &lt; 100\n", md)
        html = self.query("-e", "html", "--in", "-c", "dport < 100", "proto")
        self.assertIn("<dd>dport &lt; 100</dd>", html)
        self.assertIn("<td>TCP</td>", html)

    def test_directions(self):
        both = self.timeless(self.query("sip"))
        self.assertEqual(self.timeless(self.query("--in", "--out", "sip")), both, "J42")
        total = self.timeless(self.query("--sum", "sip"))
        self.assertEqual(self.timeless(self.query("--sum", "--in", "sip")), total, "J43")
        self.assertIn("Sorted by   : first packet time\n", self.query("-s", "time", "sip"), "J45")
        rows = sums(self.query("-s", "time", "--sum", "-e", "csv", "sip"))
        self.assertEqual([x.split("/")[0] for x in rows],
                         ["2001:db8::1", "2001:db8::", "32.1.13.184", "10.0.0.1"], "J45")

    def test_stats(self):
        text = self.query("--query.stats", "sip")
        self.assertRegex(text, r"\nBytes loaded          : \d+\n")
        self.assertIn("\nBlocks processed      : 2.00  \n", text)
        self.assertIn("\nDirectories processed : 1\n", text)


class Names(support.Case):
    """Reverse lookups, with the hosts file only: nothing leaves this machine."""

    def setUp(self):
        if not os.path.exists("/etc/hosts"):
            self.skipTest("no /etc/hosts")
        with open("/etc/hosts", encoding="utf-8") as f:
            if not re.search(r"^127\.0\.0\.1\s+localhost\b", f.read(), re.M):
                self.skipTest("/etc/hosts does not know 127.0.0.1 as localhost")
        self.local = self.path("local-db")
        if not os.path.exists(self.local):
            support.make_db(self.local, "1700000100,eth0,127.0.0.1,127.0.0.1,80,6,1,2,3,4\n")

    def ask(self, *args):
        return self.ok("-d", self.local, "-i", "eth0", *self.RANGE, *args)

    def test_tables(self):
        self.assertIn("\n  localhost  localhost     80 ", self.ask("-r", "sip,dip,dport"))
        self.assertIn("\nlocalhost,80,", self.ask("-r", "-e", "csv", "sip,dport"))
        self.assertIn("| localhost |", self.ask("-r", "-e", "md", "dip"))
        self.assertIn('"sip":"127.0.0.1"', self.ask("-r", "-e", "json", "sip"))
        self.assertIn("\n  127.0.0.1 ", self.ask("sip"))
        self.assertIn(" TCP ", self.ask("-r", "proto"))

    def test_conditions(self):
        text = self.ask("-c", "host = localhost", "sip")
        # on its own, or among others: Debian's installer also gives ::1 that name
        self.assertRegex(text, r"Conditions  : \(.*sip = 127\.0\.0\.1\b.*\bdip = 127\.0\.0\.1\b")
        self.fails("-d", self.local, "-i", "eth0", "--dns-resolution.timeout", "0s", "-c",
                   "sip = localhost", "sip", text="timeout while resolving hostnames in conditional")
        self.fails("-d", self.local, "-i", "eth0", "-r", "--dns-resolution.timeout", "0s",
                   "--dns-resolution.max-rows", "0", "sip", text="invalid resolution timeout")


class Zones(support.Case):
    """TZ, and the days on which clocks change (query.md 4.1)."""

    def test_output(self):
        text = self.query("time", env=support.environment(TZ="Europe/Zurich"))
        self.assertIn("  2023-11-14 23:15:00  ", text)
        self.assertIn("[2023-11-14 23:10:00, 2023-11-14 23:20:00]", text)
        r = json.loads(self.query("-e", "json", "time", env=support.environment(TZ="Asia/Kolkata")))
        self.assertEqual(r["rows"][0]["labels"]["timestamp"], "2023-11-15T03:45:00+05:30")

    def test_clock_changes(self):
        cases = [("Europe/Zurich", "2030-03-31 02:30", "2030-03-31T03:30:00+02:00"),
                 ("Europe/Zurich", "2030-10-27 02:30", "2030-10-27T02:30:00+01:00"),
                 ("America/New_York", "2030-03-10 02:30", "2030-03-10T01:30:00-05:00"),
                 ("America/New_York", "2030-11-03 01:30", "2030-11-03T01:30:00-04:00")]
        for zone, first, want in cases:
            r = json.loads(self.ok("-d", self.db, "-i", "eth0", "-f", first, "-l", "2000000000",
                                   "-e", "json", "sip", env=support.environment(TZ=zone)))
            self.assertEqual(r["summary"]["time_first"], want, (zone, first))


if __name__ == "__main__":
    support.main()
