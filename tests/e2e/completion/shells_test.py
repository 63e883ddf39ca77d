"""shells_test.py - the completion scripts, run by real shells: bash always, zsh and fish if installed."""
import os
import pty
import select
import shutil
import subprocess
import tempfile
import time
import unittest

BIN_DIR = os.environ["BIN_DIR"]
COMPLETIONS = os.environ["COMPLETIONS"]
PROGRAMS = sorted(os.listdir(os.path.join(COMPLETIONS, "bash")))
ENV = {"PATH": BIN_DIR + ":/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "TERM": "dumb"}


def script(shell, program):
    name = {"bash": program, "zsh": "_" + program, "fish": program + ".fish"}[shell]
    return os.path.join(COMPLETIONS, shell, name)


class Shells(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory(prefix="fleetprobe-e2e-")
        for name in ("eth0", "eth1", "tun0"):
            os.makedirs(os.path.join(cls.tmp.name, "db", name))

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    def env(self):
        return {**ENV, "HOME": self.tmp.name, "PATH": os.path.join(self.tmp.name, "bin") + ":" + ENV["PATH"]}

    def fake_gpctl(self):
        """A gpctl that knows the interfaces of the agent at unix:/x."""
        path = os.path.join(self.tmp.name, "bin")
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, "gpctl"), "w") as f:
            f.write("#!/bin/sh\n[ \"$*\" = '-s unix:/x interfaces --names --timeout 1s' ] && printf 'eth0\\neth1\\nwg0\\n'\n")
        os.chmod(f.name, 0o755)

    def run_shell(self, *argv, **kw):
        p = subprocess.run(argv, capture_output=True, text=True, cwd=self.tmp.name, env=self.env(), timeout=60,
                           check=False, **kw)
        self.assertEqual((p.returncode, p.stderr), (0, ""), argv)
        return p.stdout

    def test_programs(self):
        self.assertIn("goquery", PROGRAMS)
        self.assertIn("goQuery", PROGRAMS)

    # ---- bash ----

    def bash(self, words, program="goquery"):
        line = " ".join(words)
        quoted = " ".join("'%s'" % w.replace("'", "'\\''") for w in words)
        code = (". %s\nCOMP_WORDS=(%s)\nCOMP_CWORD=%d COMP_LINE=%s COMP_POINT=%d\n"
                "f=$(complete -p %s)\nf=${f#*-F }\n${f%%%% *}\n"
                "[ ${#COMPREPLY[@]} = 0 ] || printf '%%s\\n' \"${COMPREPLY[@]}\"" %
                (script("bash", program), quoted, len(words) - 1, "'%s'" % line.replace("'", "'\\''"),
                 len(line), program))
        return self.run_shell("bash", "--norc", "--noprofile", "-c", code).splitlines()

    def test_bash(self):
        for p in PROGRAMS:
            self.run_shell("bash", "-n", script("bash", p))
        self.assertEqual(self.bash(["goquery", "talk"]), ["talk_conv", "talk_src", "talk_dst"])
        self.assertEqual(self.bash(["goQuery", "talk"], "goQuery"), ["talk_conv", "talk_src", "talk_dst"])
        self.assertEqual(self.bash(["goquery", "-d", "db", "-i", "t"])[0], "tun0")
        self.assertEqual(self.bash(["goquery", "-d", "d"]), ["db"])
        self.assertEqual(self.bash(["goquery", "-c", "'dir = in"]), ["dir = in", "dir = inbound"])
        self.assertEqual(self.bash(["goquery", "l"]), ["list"])
        self.assertIn("list", self.bash(["goquery", ""]))
        self.assertIn("sip", self.bash(["goquery", ""]))
        self.assertEqual(self.bash(["goquery", "list", "--det"]), ["--detailed"])
        self.assertEqual(self.bash(["goquery", "list", "-e", "j"]), ["json"])
        self.assertEqual(self.bash(["goquery", "list", "-d", "db", ""]), ["eth0", "eth1", "tun0"])
        self.assertEqual(self.bash(["goquery", "-d", "db", "list", "eth0", "t"]), ["tun0"])
        self.assertEqual(self.bash(["goquery", "list", "-d", "d"]), ["db"])
        self.assertEqual(self.bash(["gpkey", "s"], "gpkey"), ["show", "sign-csr", "seal"])
        self.assertEqual(self.bash(["gpctl", "st"], "gpctl"), ["status"])
        self.assertEqual(self.bash(["gpctl", "config", "--re"], "gpctl"), ["--reload"])
        self.fake_gpctl()
        self.assertEqual(self.bash(["gpctl", "-s", "unix:/x", "status", "et"], "gpctl"), ["eth0", "eth1"])
        self.assertEqual(self.bash(["gpctl", "-s", "unix:/x", "status", "eth0", "w"], "gpctl"), ["wg0"])
        self.assertEqual(self.bash(["gpctl", "-s", "unix:/other", "top", "et"], "gpctl"), [])

    # ---- fish ----

    def fish(self, line, program="goquery"):
        out = self.run_shell("fish", "--no-config", "-c", "source %s; complete -C '%s'" %
                             (script("fish", program), line))
        return [x.split("\t")[0] for x in out.splitlines()]

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish(self):
        for p in PROGRAMS:
            self.run_shell("fish", "-n", script("fish", p))
        self.assertEqual(self.fish("goquery -e j"), ["json"])
        self.assertEqual(sorted(self.fish("goquery talk")), ["talk_conv", "talk_dst", "talk_src"])
        self.assertEqual(sorted(self.fish("goquery -d db -i e")), ["eth0", "eth1"])
        self.assertEqual(self.fish("goquery lis"), ["list"])
        self.assertEqual(sorted(self.fish("goquery -d db list e")), ["eth0", "eth1"])
        self.assertIn("--db.path", self.fish("goquery list --db"))
        self.assertEqual(self.fish("gpkey sho", "gpkey"), ["show"])
        self.fake_gpctl()
        self.assertEqual(self.fish("gpctl -s unix:/x flush et", "gpctl"), ["eth0", "eth1"])

    # ---- zsh ----

    def zsh(self, line, program="goquery"):
        """The line after TAB, typed into an interactive zsh."""
        end = "@END@"
        setup = ("PS1='> '; autoload -Uz compinit; compinit -u -D; fpath=(); . %s; cd %s; echo re''ady\n" %
                 (script("zsh", program), self.tmp.name))
        pid, fd = pty.fork()
        if pid == 0:
            os.execvpe("zsh", ["zsh", "-f", "-i"], self.env())
        try:
            self.type(fd, setup, "ready")
            # instead of running the line print it
            self.type(fd, "accept() { print -r -- \"=$BUFFER%s\"; BUFFER=''; zle .accept-line }; "
                          "zle -N accept-line accept; echo o''k\n" % end, "ok")
            out = self.type(fd, line + "\t", None)
            out = self.type(fd, "\n", end)
            return out[out.rindex("=", 0, out.rindex(end)) + 1:out.rindex(end)] if "=" in out else out
        finally:
            os.close(fd)
            os.waitpid(pid, 0)

    def type(self, fd, text, wait_for):
        """Type and read until a text appears, or for a second."""
        os.write(fd, text.encode())
        out, end = "", time.monotonic() + (30 if wait_for else 1)
        while time.monotonic() < end and not (wait_for and wait_for in out):
            if select.select([fd], [], [], 0.1)[0]:
                out += os.read(fd, 65536).decode(errors="replace")
        if wait_for:
            self.assertIn(wait_for, out)
        return out

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh(self):
        for p in PROGRAMS:
            self.run_shell("zsh", "-n", script("zsh", p))
        self.assertEqual(self.zsh("goquery -e js").strip(), "goquery -e json")
        self.assertEqual(self.zsh("goquery talk_c").strip(), "goquery talk_conv")
        self.assertEqual(self.zsh("goquery -d db -i tu").strip()[:24], "goquery -d db -i tun0")
        self.assertEqual(self.zsh("goquery lis").strip(), "goquery list")
        self.assertEqual(self.zsh("goquery list -d db t").strip(), "goquery list -d db tun0")
        self.assertEqual(self.zsh("gpkey sho", "gpkey").strip(), "gpkey show")
        self.fake_gpctl()
        self.assertEqual(self.zsh("gpctl -s unix:/x status w", "gpctl").strip(), "gpctl -s unix:/x status wg0")


if __name__ == "__main__":
    unittest.main(verbosity=2)
