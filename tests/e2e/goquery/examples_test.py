"""examples_test.py - the literal examples of query.md 2.9 and "no matching rows" of 6.4, from a database.

The others are no answers (totals that do not add up, ties in another order): tests/unit/result feeds them to the printer.
"""
import calendar
import os
import re

import support


def at(text):
    """"2031-03-04 08:05" as epoch seconds."""
    day, clock = text.split()
    return calendar.timegm(tuple(int(x) for x in day.split("-") + clock.split(":")) + (0,))


def flows(iface, times, v4, v6, counters, drops=0):
    """Lines for make_db: v4 + v6 flows at these times in turn; the first has what the others (0) lack."""
    out = []
    for i in range(v4 + v6):
        ip = "10.%d.%d.%d" if i < v4 else "2001:db8::%x:%x:%x"
        ip = ip % (i >> 16, i >> 8 & 255, i & 255)
        sums = counters if i == 0 else (0, 0, 0, 0)
        out.append("%d,%s,%s,%s,443,6,%d,%d,%d,%d,%d\n" % (
            (times[min(i, len(times) - 1)], iface, ip, ip) + sums + (drops if i == 0 else 0,)))
    return "".join(out)


class List(support.Case):
    """2.9, and "no matching rows" of 6.4 on the same interfaces."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lists = os.path.join(cls.dir, "lists")
        end = at("2031-03-05 09:30")
        first = at("2031-03-01 00:00")
        support.make_db(cls.lists, flows("lan1", (first, end), 4100, 12, (900100, 870, 880123456, 120500))
                        + flows("wan0", (at("2031-03-04 08:05"), end), 650, 1300,
                                (411300, 1391990, 49100000, 1907500000), 17))

    def test_plain(self):
        self.assertEqual(self.ok("-d", self.lists, "-l", "2031-03-06 00:00", "list"), """\

    iface     packets      traffic     flows                   from                     to
    -----     -------      -------     -----                   ----                     --
     lan1    900.97 k    839.47 MB    4.11 k    2031-02-28 23:55:00    2031-03-05 09:30:00
     wan0      1.80 M      1.82 GB    1.95 k    2031-03-04 08:00:00    2031-03-05 09:30:00
                                                                                          
    Total      2.70 M      2.64 GB    6.06 k                                              

""")

    def test_detailed(self):
        self.assertEqual(self.ok("-d", self.lists, "-l", "2031-03-06 00:00", "list", "-v"), """\

              packets     packets        bytes        bytes          # of          # of                                                         
    iface          in         out           in          out    IPv4 flows    IPv6 flows      drops                   from                     to
    -----     -------     -------        -----        -----    ----------    ----------      -----                   ----                     --
     lan1    900.10 k    870.00      839.35 MB    117.68 kB        4.10 k       12.00       0.00      2031-02-28 23:55:00    2031-03-05 09:30:00
     wan0    411.30 k      1.39 M     46.83 MB      1.78 GB      650.00          1.30 k    17.00      2031-03-04 08:00:00    2031-03-05 09:30:00
                                                                                                                                                
    Total      1.31 M      1.39 M    886.18 MB      1.78 GB        4.75 k        1.31 k    17.00                                                

""")

    def test_json(self):
        self.assertEqual(self.ok("-d", self.lists, "-l", "2031-03-06 00:00", "list", "-e", "json", "lan1"), (
            '[{"iface":"lan1","time_first":"2031-02-28T23:55:00Z","time_last":"2031-03-05T09:30:00Z",'
            '"counts":{"br":880123456,"bs":120500,"pr":900100,"ps":870},'
            '"traffic":{"num_v4_entries":4100,"num_v6_entries":12,"num_drops":0}}]\n'))

    def test_no_rows(self):
        got = self.ok("-d", self.lists, "-i", "wan0", "-f", "1930000000", "-l", "2031-03-05 09:30", "-c", "dport = 1", "sip")
        self.assertEqual(re.sub(r" in [0-9.]+m?s\n", " in 4ms\n", got), """\
Status "empty": query returned no results

Timespan    : [2031-03-04 08:00:00, 2031-03-05 09:30:00] (1d1h30m0s)
Interface   : wan0
Sorted by   : accumulated data volume (sent and received)
Conditions  : dport = 1
Query stats : displayed top 0 hits out of 0 in 4ms

""")


if __name__ == "__main__":
    support.main()
