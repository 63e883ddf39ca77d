"""report_test.py - goquery report: pages, directories, what can be wrong, exit codes, a real browser."""
import csv
import glob
import html.parser
import json
import os
import re
import shutil
import stat
import subprocess
import unittest
import xml.etree.ElementTree

import support

EXAMPLES = os.path.join(os.path.dirname(__file__), "../../../deploy/examples/reports")
TWO = """\
title: Test <b>&amp; "quotes"
description: Of <script>alert(1)</script>.
defaults:
  ifaces: eth0
queries:
  - title: Over time
    query: time
  - title: Pairs </h2><script>alert(2)</script>
    description: a & b
    query: talk_conv
    num_results: 2
"""
VOID = {"meta", "br", "link", "img", "hr"}


class Balanced(html.parser.HTMLParser):
    """Collects tags; fails on one that is not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.seen, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert not self.stack, self.stack

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack and self.stack[-1] == tag, (tag, self.stack)
        self.stack.pop()

    def handle_data(self, data):
        self.text += data


class Report(support.Case):
    def report(self, text, *args, code=0, name="r.yaml"):
        """(stdout, stderr) of a report on database M."""
        p = self.run_raw("report", self.path(name, text), "-d", self.db, *self.RANGE, *args)
        self.assertEqual(p.returncode, code, p.stdout + p.stderr)
        return p.stdout, p.stderr

    def slurp(self, *path):
        with open(os.path.join(self.dir, *path), encoding="utf-8") as f:
            return f.read()

    def test_output_stays_what_it_is(self):
        """A FIFO is written to, a link followed, the mode kept; nothing of that becomes a new file."""
        fifo, page, link = self.path("fifo"), self.path("private.html", ""), self.path("link.html")
        os.mkfifo(fifo)
        os.chmod(page, 0o600)
        os.symlink("private.html", link)
        fd = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, fd)
        self.report(TWO, "-e", "md", "-o", "fifo")
        self.assertEqual(os.read(fd, 9), b"# Test \\<")
        self.assertTrue(stat.S_ISFIFO(os.lstat(fifo).st_mode))
        self.assertTrue(self.report(TWO, "-e", "md", "-o", "-")[0].startswith("# Test"))
        self.report(TWO, "-o", "link.html")
        self.assertTrue(os.path.islink(link))
        self.assertEqual(os.stat(page).st_mode & 0o777, 0o600)
        self.assertIn("<title>", self.slurp("private.html"))

    def test_html(self):
        out, err = self.report(TWO)
        page = Balanced(out)
        self.assertRegex(err, r"^report .*r\.yaml: 2 queries, 0 failed, 4 rows, in \d+\.\d s\n$")
        self.assertIn("<title>Test &lt;b&gt;&amp;amp; &quot;quotes&quot;</title>", out)
        self.assertNotIn("<script", out)
        self.assertIn("Pairs </h2><script>alert(2)</script>", page.text)
        tags = [t for t, _ in page.seen]
        self.assertEqual((tags.count("svg"), tags.count("table"), tags.count("section")), (2, 1, 2))
        self.assertTrue(all(a.get("role") == "img" for t, a in page.seen if t == "svg"))
        # self-contained: nothing is loaded from elsewhere
        for tag, attrs in page.seen:
            self.assertNotIn("src", attrs)
            self.assertTrue(attrs.get("href", "#").startswith("#"), attrs)
            self.assertNotEqual(tag, "link")
        for svg in re.findall(r"<svg.*?</svg>", out, re.S):
            xml.etree.ElementTree.fromstring(svg)
        self.assertIn("displayed top 2 hits out of 6", page.text)

    def test_chart_values(self):
        out, _ = self.report("queries:\n  - {title: T, query: time, ifaces: eth0, table: true}\n")
        # two blocks: 1,968 and 1,000 bytes received, so the second step is about half as high
        path = re.search(r'<path class="in"[^>]* d="M90 230\.0V([\d.]+)H[\d.]+V([\d.]+)H', out)
        first, second = 230 - float(path.group(1)), 230 - float(path.group(2))
        self.assertAlmostEqual(second / first, 1000 / 1968, delta=0.002)
        self.assertIn('text-anchor="end">0 B</text>', out)
        self.assertIn(">11-14 22:10<", out)
        out, _ = self.report("queries:\n  - {title: T, query: sip, ifaces: eth0, sort_by: packets}\n")
        widths = re.findall(r'<rect class="in"[^>]* x="0" y="\d+" width="([\d.]+)" height="12"/><rect '
                            r'class="out"[^>]* width="([\d.]+)"', out)
        total = [round(float(a) + float(b)) for a, b in widths]
        self.assertEqual(len(total), 4)
        self.assertEqual(total, sorted(total, reverse=True))
        self.assertEqual(total[0], 790)
        self.assertIn("packets received", out)

    def test_markdown(self):
        out, _ = self.report(TWO, "-e", "md")
        self.assertTrue(out.startswith("# Test \\<b\\>\\&amp; \"quotes\"\n\n"), out[:80])
        self.assertIn("\n## Over time\n\n<svg ", out)
        self.assertIn("\n| sip | dip | packets in |", out)
        self.assertIsNone(re.search(r"(?<!\\)<script", out))
        self.assertEqual(out, self.write("r.md", out))

    def write(self, name, want):
        """The same page by -o; durations and the moment are left out."""
        def same(s):
            return re.sub(r"(in [\d.]+ ?m?s)|(Made (<time[^<]*</time>|\S+))", "", s)
        _, err = self.report(TWO, "-o", name)
        self.assertIn("written to " + name, err)
        got = self.slurp(name)
        self.assertEqual(same(got), same(want))
        return want

    def test_output_file(self):
        out, _ = self.report(TWO)
        self.write("page.html", out)
        _, err = self.report(TWO, "-o", "page.html", "--quiet")
        self.assertEqual(err, "")
        self.assertEqual([f for f in os.listdir(self.dir) if f.startswith("page")], ["page.html"])
        _, err = self.report(TWO, "-o", "nosuchdir/page.html", code=1)
        self.assertIn("nosuchdir", err)

    def test_directory(self):
        self.report(TWO, "-e", "csv", "-o", "csvs")
        self.assertEqual(sorted(os.listdir(self.path("csvs"))),
                         ["01-over-time.csv", "02-pairs-h2-script-alert-2-script.csv", "index.json"])
        rows = list(csv.reader(self.slurp("csvs", "01-over-time.csv").splitlines()))
        self.assertEqual(rows[0][0], "time")
        self.assertEqual([r[0] for r in rows[1:3]], ["1700000100", "1700000400"])
        index = json.loads(self.slurp("csvs", "index.json"))
        self.assertEqual([q["file"] for q in index["queries"]], sorted(os.listdir(self.path("csvs")))[:2])
        self.report(TWO, "--json", "-o", "jsons")
        result = json.loads(self.slurp("jsons", "01-over-time.json"))
        self.assertEqual(result["summary"]["hits"], {"displayed": 2, "total": 2})
        err = self.report(TWO, "-e", "csv", code=1)[1]
        self.assertIn("--output DIR", err)
        err = self.report(TWO, "-e", "ndjson", code=1)[1]
        self.assertIn("html, md, csv or json", err)

    def test_failed_query(self):
        text = TWO + "  - {title: Bad, query: sip, condition: dport ~ 1}\n"
        out, err = self.report(text, code=1)
        page = Balanced(out)
        self.assertIn("expected comparison operator", page.text)
        self.assertIn('class="failed" role="alert"', out)
        self.assertEqual(out.count("<svg"), 2)  # the others are there
        self.assertIn("query 3 (Bad): ", err)
        self.assertIn("3 queries, 1 failed", err)
        out, _ = self.report(text, "-e", "json", "-o", "failed", code=1)
        self.assertIn("error", json.loads(self.slurp("failed", "index.json"))["queries"][2])

    def test_stored(self):
        self.path("stored.json", '{"query": "dport", "ifaces": "eth1", "num_results": 1}')
        out, _ = self.report("queries:\n  - {title: S, stored: stored.json, sum: true}\n", "-e", "json", "-o", "st")
        self.assertEqual(out, "")
        rows = json.loads(self.slurp("st", "01-s.json"))
        self.assertEqual((rows["query"]["attributes"], rows["summary"]["interfaces"]), (["dport"], ["eth1"]))

    def test_range_of_the_command_line_wins(self):
        text = "defaults: {ifaces: eth0, first: 5, last: 6}\nqueries:\n  - {title: S, query: sip}\n"
        self.report(text, "-e", "json", "-o", "range")
        self.assertGreater(len(json.loads(self.slurp("range", "01-s.json"))["rows"]), 0)

    def test_bad_files(self):
        q = "queries:\n  - title: A\n    query: sip\n"
        for text, want in (
                (q + "    sortby: bytes\n", ":4: queries.0.sortby: unknown key (did you mean sort_by?)"),
                (q + "    sum: maybe\n", ":4: queries.0.sum: expected"),
                (q + "    num_results: 0\n", ":4: queries.0.num_results: expected"),
                (q + "    chart: pie\n", ":4: queries.0.chart: expected auto, none, time or bars, got \"pie\""),
                (q + "    stored: nosuch.json\n", ":4: queries.0.stored: "),
                ("titel: x\n" + q, ":1: titel: unknown key (did you mean title?)"),
                ("queries: []\n", ":1: queries: expected a list"),
                ("title: x\n", ": queries: expected a list"),
                ("queries:\n  - title: A\n", "query: expected a query type"),
                ("queries:\n  - query: sip\n", "title: expected a text"),
                ("queries:\n  - sip\n", "expected a query with title"),
                ("queries: [\n", "r.yaml:"),
        ):
            out, err = self.report(text, code=1)
            self.assertEqual(out, "", text)
            self.assertIn(want, err, text)
            self.assertEqual(len(err.splitlines()), 1, err)
        for args, want in ((["report"], "expected one report file"), (["report", "a", "b"], "expected one"),
                           (["report", "a"], "give the database"),
                           (["report", "nosuch.yaml", "-d", self.db], "nosuch.yaml")):
            self.fails(*args, text=want)

    def test_examples(self):
        files = sorted(glob.glob(EXAMPLES + "/*.yaml"))
        self.assertEqual(len(files), 3)
        for f in files:
            p = self.run_raw("report", f, "-d", self.db, *self.RANGE)
            self.assertEqual(p.returncode, 0, p.stderr)
            Balanced(p.stdout)
        for unit in ("service", "timer"):
            with open(os.path.join(EXAMPLES, "fleetprobe-report." + unit), encoding="utf-8") as f:
                self.assertIn("[Unit]\n", f.read())

    def test_full_disk_and_closed_pipe(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            p = subprocess.run([support.GOQUERY, "report", self.path("r.yaml", TWO), "-d", self.db, *self.RANGE],
                               stdout=full, stderr=subprocess.PIPE, text=True, env=support.environment(),
                               timeout=60, check=False)
        self.assertEqual(p.returncode, 1)
        self.assertIn("No space left on device", p.stderr)


BROWSER = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)


@unittest.skipUnless(os.environ.get("TEST_BROWSER"), "TEST_BROWSER=1 looks at pages with Chromium (tests/run.sh full)")
class Browser(support.Case):
    """The page in headless Chromium, light and dark: something is drawn, and nothing complains."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not BROWSER:
            raise AssertionError("no chromium is installed: sh deploy/setup.sh browser")

    def shot(self, url, name, *args):
        p = subprocess.run([BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                            "--enable-logging=stderr", "--window-size=900,1400", "--virtual-time-budget=2000",
                            "--user-data-dir=" + self.path("profile"), "--screenshot=" + self.path(name), *args,
                            url], capture_output=True, text=True, timeout=100, check=False)
        self.assertEqual(p.returncode, 0, p.stderr)
        with open(self.path(name), "rb") as f:
            return f.read(), "CONSOLE" in p.stderr

    def test_screenshot(self):
        p = self.run_raw("report", self.path("r.yaml", TWO), "-d", self.db, *self.RANGE, "-o", "page.html")
        self.assertEqual(p.returncode, 0, p.stderr)
        self.path("blank.html", "<!DOCTYPE html><title>x</title><script>nosuch()</script>")
        blank, complains = self.shot("file://" + self.path("blank.html"), "blank.png")
        self.assertTrue(complains)  # so that silence means something
        light, complains = self.shot("file://" + self.path("page.html"), "light.png")
        self.assertFalse(complains)
        dark, complains = self.shot("file://" + self.path("page.html"), "dark.png",
                                    "--blink-settings=preferredColorScheme=0")
        self.assertFalse(complains)
        # one colour packs to almost nothing
        self.assertGreater(len(light), 5 * len(blank))
        self.assertGreater(len(dark), 5 * len(blank))
        self.assertNotEqual(light, dark)


if __name__ == "__main__":
    support.main()
