"""watch_test.py - --watch: a table that is redrawn, repeats on a pipe, a clean end by Ctrl-C."""
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import support


class Watch(support.Case):
    def args(self, *more):
        return [support.GOQUERY, "-d", self.db, "-i", "eth0", *self.RANGE, *more]

    def start(self, *args, **kw):
        return subprocess.Popen(self.args(*args), env=support.environment(TERM="xterm"), **kw)

    def collect(self, fd, enough, timeout=30):
        """Bytes from fd until enough(text)."""
        out, end = b"", time.monotonic() + timeout
        while not enough(out.decode()):
            left = end - time.monotonic()
            self.assertGreater(left, 0, out)
            if select.select([fd], [], [], left)[0]:
                part = os.read(fd, 65536)
                self.assertTrue(part, out)
                out += part
        return out.decode()

    def test_pipe(self):
        for sig in (signal.SIGINT, signal.SIGTERM):
            with self.start("--watch", "50ms", "-e", "csv", "sip", stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE) as p:
                out = self.collect(p.stdout.fileno(), lambda s: s.count("Interface,eth0") >= 3)
                p.send_signal(sig)
                rest, err = p.communicate(timeout=30)
            self.assertEqual((p.returncode, err), (0, b""))
            out += rest.decode()
            parts = out.split("sip,packets")
            self.assertTrue(all(part == parts[1] for part in parts[1:-1]), out)
            self.assertNotIn("\033", out)

    def test_reader_leaves(self):
        with self.start("--watch", "10ms", "sip", stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
            self.collect(p.stdout.fileno(), lambda s: "Timespan" in s)
            p.stdout.close()
            self.assertEqual(p.stderr.read(), b"")
            self.assertEqual(p.wait(timeout=30), -signal.SIGPIPE)

    def test_terminal(self):
        main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 18, 120, 0, 0))
        p = self.start("--watch=50ms", "--color=never", "sip,dip", stdin=side, stdout=side, stderr=side)
        os.close(side)
        out = self.collect(main, lambda s: s.count("\033[H") >= 3)
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(timeout=30), 0)
        os.close(main)
        # lines longer than the window end at its edge, and only while the table is drawn
        self.assertTrue(out.startswith("\033[H\033[?7l"), out[:40])
        first = out.split("\033[H\033[?7l")[1]
        self.assertTrue(first.endswith("\033[J\033[?7h"), first)
        lines = first.replace("\r\n", "\n").split("\n")
        self.assertLessEqual(len(lines), 18)
        self.assertTrue(all(line.endswith("\033[K") for line in lines[:-1]))
        # a screen of 18 lines has 4 rows of results, of 6
        self.assertIn("displayed top 4 hits out of 6", first)

    def test_resized(self):
        """A window that grows shows more rows; a stored query's limit still holds."""
        stored = self.path("q.json", '{"query":"sip,dip","num_results":5}')
        main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 18, 120, 0, 0))
        p = self.start("--watch=50ms", "--stored-query", stored, stdin=side, stdout=side, stderr=side)
        self.collect(main, lambda s: "displayed top 4 hits out of 6" in s)
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.collect(main, lambda s: "displayed top 5 hits out of 6" in s)
        p.send_signal(signal.SIGINT)
        self.assertEqual(p.wait(timeout=30), 0)
        os.close(side)
        os.close(main)

    def test_new_data_appears(self):
        db = self.path("growing")
        support.make_db(db, "1700000100,eth0,10.0.0.1,10.0.0.2,80,6,1,1,1,1\n")
        p = subprocess.Popen([support.GOQUERY, "-d", db, "-i", "eth0", *self.RANGE, "--watch", "50ms", "-e", "ndjson",
                              "sip"], stdout=subprocess.PIPE, env=support.environment())
        with p:
            self.collect(p.stdout.fileno(), lambda s: "10.0.0.1" in s)
            support.make_db(db, "1700000400,eth0,10.9.9.9,10.0.0.2,80,6,1,1,1,1\n")
            self.collect(p.stdout.fileno(), lambda s: "10.9.9.9" in s)
            p.send_signal(signal.SIGINT)
        self.assertEqual(p.returncode, 0)

    def test_errors(self):
        self.fails("-d", self.db, "-i", "eth0", "--watch", "1s", "nonsense", text="unknown attribute")
        self.fails("-d", self.db, "-i", "eth0", "--watch", "often", "sip", text="expected a duration")


if __name__ == "__main__":
    support.main()
