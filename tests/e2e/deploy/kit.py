"""kit.py - what the tests of deploy/ share: a network of their own, daemons that end with the test, pages."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request


def own_network():
    """Go on in a network namespace of our own; skip where that is not allowed."""
    if os.environ.get("DEPLOY_TEST_NETNS"):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    if subprocess.run(["unshare", "-n", "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("skipped: no network namespaces here")
        sys.exit(77)
    os.environ["DEPLOY_TEST_NETNS"] = "1"
    os.execvp("unshare", ["unshare", "-n", sys.executable] + sys.argv)


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def page(port, path="/metrics"):
    with urllib.request.urlopen("http://127.0.0.1:%d%s" % (port, path), timeout=5) as r:
        return r.read().decode()


def until(what, text, seconds=60):
    end = time.monotonic() + seconds
    while True:
        try:
            got = what()
            if got:
                return got
        except OSError:
            pass
        if time.monotonic() > end:
            raise AssertionError("not in %d s: %s" % (seconds, text))
        time.sleep(0.1)


class Fleet:
    """A temporary directory and the daemons started in it; with an error their logs are shown."""

    def __init__(self):
        self.tmp, self.daemons = tempfile.mkdtemp(), []

    def start(self, name, *cmd):
        with open("%s/%s.log" % (self.tmp, name), "w") as log:
            self.daemons.append(subprocess.Popen(cmd, stdout=log, stderr=log, cwd=self.tmp))

    def end(self):
        """All end by themselves when asked to."""
        for p in self.daemons:
            p.terminate()
        for p in self.daemons:
            assert p.wait(60) == 0, "exit code %d" % p.returncode

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for p in self.daemons:
            if p.poll() is None:
                p.kill()
                p.wait()
        for log in glob.glob(self.tmp + "/*.log") if kind else []:
            with open(log) as f:
                print(log + ":\n" + f.read())
        shutil.rmtree(self.tmp)
