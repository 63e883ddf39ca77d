"""term_test.py - terminals and pipes: colours, pager, progress line, closed pipes, signals."""
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


class Pty:
    """A program with a pseudo-terminal as stdin, stdout and stderr; output as text."""

    def __init__(self, args, rows=24, **env):
        self.main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 120, 0, 0))
        self.p = subprocess.Popen([support.GOQUERY, *args], stdin=side, stdout=side, stderr=side,
                                  env=support.environment(TERM="xterm", **env), close_fds=True)
        os.close(side)

    def output(self, timeout=60):
        out, end = b"", time.monotonic() + timeout
        while time.monotonic() < end:
            if not select.select([self.main], [], [], 0.2)[0]:
                if self.p.poll() is not None:
                    break
                continue
            try:
                part = os.read(self.main, 65536)
            except OSError:  # Linux: EIO when the other side is closed
                break
            if not part:
                break
            out += part
        self.p.wait(timeout=10)
        os.close(self.main)
        return out.decode().replace("\r\n", "\n")


class Terminal(support.Case):
    def test_server_down(self):
        """Who waits for a server that is down is told (2.7)."""
        args = ["--query.server.addr", "unix:" + self.path("none"), "-q", "any", "-i", "any", "--query.timeout", "1900ms", "sip"]
        line = "unix:%s: no such socket; trying again in 1 s\n" % self.path("none")
        text = Pty(args).output()
        self.assertEqual(text.count(line), 1, text)
        self.assertEqual(text.count("trying again"), 1)  # not before a pause that is longer than what is left
        self.assertIn("Error running query: ", text)

    def args(self, *more):
        return ["-d", self.db, "-i", "eth0", *self.RANGE, *more]

    def test_color(self):
        bold = "\033[1m"
        self.assertIn(bold, Pty(self.args("sip")).output())
        self.assertNotIn(bold, Pty(self.args("sip"), NO_COLOR="1").output())
        self.assertIn(bold, Pty(self.args("sip"), NO_COLOR="").output())
        self.assertNotIn(bold, Pty(self.args("--color", "never", "sip")).output())
        self.assertIn(bold, Pty(self.args("--color", "always", "sip"), NO_COLOR="1").output())
        self.assertNotIn(bold, Pty(self.args("-e", "csv", "sip")).output())
        self.assertNotIn("\033", self.query("sip"))
        self.assertIn(bold, self.query("--color=always", "sip"))
        plain = self.query("--color=always", "--sum", "-n", "1", "sip").replace(bold, "")
        self.assertEqual(len(plain.replace("\033[0m", "").splitlines()),
                         len(self.query("--sum", "-n", "1", "sip").splitlines()))

    def test_pager(self):
        log = self.path("paged")
        pager = "cat > %s" % log

        def paged(rows, *more, **env):
            if os.path.exists(log):
                os.unlink(log)
            out = Pty(self.args(*more), rows=rows, PAGER=pager, **env).output()
            return os.path.exists(log), out
        self.assertFalse(paged(60, "sip")[0])
        self.assertTrue(paged(10, "sip")[0])
        with open(log, encoding="utf-8") as f:
            self.assertIn("10.0.0.1", f.read())
        self.assertFalse(paged(10, "--pager", "never", "sip")[0])
        self.assertTrue(paged(60, "--pager=always", "sip")[0])
        self.assertFalse(paged(10, "-e", "csv", "sip")[0])
        # a pager that does not exist, and one that quits at once
        p = Pty(self.args("sip"), rows=5, PAGER="/nonexistent/pager")
        p.output()
        self.assertEqual(p.p.returncode, 0)
        p = Pty(self.args("raw"), rows=5, PAGER="true")
        self.assertNotIn("Error", p.output())
        self.assertEqual(p.p.returncode, 0)
        self.assertEqual(self.query("--in", "sip", env=support.environment(PAGER="false"))[0], "\n")

    def test_hint(self):
        self.assertIn("IPv4 addresses only, so IPv6 flows are left out",
                      Pty(self.args("-c", "sip != 10.0.0.1", "sip")).output())
        self.assertNotIn("Hint", Pty(self.args("-c", "sip = 10.0.0.1", "sip")).output())

    def test_did_you_mean(self):
        """On a terminal behind the error; elsewhere errors have their shape (7.1) and nothing else."""
        wrong = self.args("-c", "dport >= 80 & sipp = 10.1.1.1", "sip,dpt")
        self.assertTrue(Pty(wrong).output().endswith('did you mean "dst" instead of "dpt"?\n'
                                                     'did you mean "sip" instead of "sipp"?\n'))
        self.assertTrue(self.fails(*wrong, text="unknown attribute").endswith("\n    expected attribute\n"))
        for typed, meant in (("lst", "list"), ("reprot", "report")):
            out = Pty(["-d", self.db, typed]).output()
            self.assertIn('\ndid you mean the command "%s"?\n' % meant, out)
            self.assertNotIn("did you mean", self.fails("-d", self.db, typed, text="unknown attribute"))
        self.assertNotIn("command", Pty(self.args("sipp")).output())


class Big(support.Case):
    """A database that takes a moment: 2 million flows."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.big = os.path.join(cls.dir, "big")
        subprocess.run([support.MAKE_DB, cls.big, "random", "eth0", "1700000100", "20", "100000"],
                       check=True, timeout=120)

    def args(self, *more):
        return ["-d", self.big, "-i", "eth0", "-f", "1699999000", "-l", "1700900000", *more]

    def test_closed_pipe(self):
        for fmt in ("json", "csv", "txt", "ndjson", "html"):
            with subprocess.Popen([support.GOQUERY, *self.args("-n", "100000", "-e", fmt, "sip,dport")],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=support.environment()) as p:
                self.assertTrue(p.stdout.read(10))
                p.stdout.close()
                err = p.stderr.read()
                p.wait(timeout=60)
            self.assertEqual((p.returncode, err), (-signal.SIGPIPE, b""), fmt)

    def test_full_disk(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            p = subprocess.run([support.GOQUERY, *self.args("-n", "10", "sip")], stdout=full,
                               stderr=subprocess.PIPE, text=True, env=support.environment(), timeout=60,
                               check=False)
        self.assertEqual(p.returncode, 1)
        self.assertEqual(p.stderr, "Error running query: cannot write the result: No space left on device\n")

    def test_deadline(self):
        err = self.fails(*self.args("--query.timeout", "1ms", "raw"), text="deadline exceeded")
        self.assertIn("--query.timeout 1ms", err)
        # names in the condition are within the limit, not on top of it
        self.fails(*self.args("--query.timeout", "1ns", "-c", "sip = foo.invalid", "sip"),
                   text="deadline exceeded: not finished within --query.timeout 1ns")

    def test_memory(self):
        # 1 % of the memory of any machine that runs this holds 4 million groups, so only the check
        # of the flag can be seen here; the budget itself is tested in the engine's room
        self.fails(*self.args("--memory.max-pct", "0", "sip"),
                   text="invalid max memory percentage: must be in (0, 100]")

    def test_signals(self):
        """SIGINT and SIGTERM while the engine works: nothing but an error, exit code 1."""
        for sig in (signal.SIGINT, signal.SIGTERM):
            for attempt in range(10):  # on a busy machine the engine may be done before we are
                code, out, err = self.signalled(sig, self.path("log%d-%d" % (sig, attempt)))
                if code == 1:
                    break
            self.assertEqual((code, out), (1, b""), err)
            self.assertIn(b"query cancelled by a signal", err)

    def signalled(self, sig, log):
        """Send the signal as soon as the engine works: (exit code, stdout, stderr)."""
        with subprocess.Popen([support.GOQUERY, *self.args("--query.log", log, "-n", "2000000", "raw")],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=support.environment()) as p:
            self.wait_running(log)
            time.sleep(0.005)  # the handler is set right after that line
            p.send_signal(sig)
            out, err = p.communicate(timeout=60)
        return p.returncode, out, err

    def wait_running(self, log):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if os.path.exists(log) and "running query" in self.slurp(log):
                return
            time.sleep(0.0005)
        self.fail("the query did not start")

    def test_progress(self):
        """After a second of work a line on the terminal says how far it is; it is gone at the end."""
        for attempt in range(10):  # on a busy machine the engine may be done before we stop it
            log = self.path("progress%d.log" % attempt)
            t = Pty(self.args("--query.log", log, "-n", "1", "-e", "csv", "sip,dip,dport"))
            self.wait_running(log)
            t.p.send_signal(signal.SIGSTOP)  # a slow machine, so to say
            time.sleep(1.1)
            t.p.send_signal(signal.SIGCONT)
            out = t.output()
            self.assertEqual(t.p.returncode, 0)
            head = out[:out.index("sip,dip")]
            if head:
                break
        self.assertRegex(head, r"\r\033\[K.*of .* blocks, .* rows/s")
        self.assertTrue(head.endswith("\r\033[K"))
        p = self.run_raw(*self.args("-e", "csv", "-n", "1", "sip,dip,dport"))
        self.assertEqual(p.stderr, "")  # none without a terminal

    @staticmethod
    def slurp(path):
        with open(path, encoding="utf-8") as f:
            return f.read()


if __name__ == "__main__":
    support.main()
