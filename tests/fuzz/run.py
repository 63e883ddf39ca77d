"""run.py - run every libFuzzer harness until it has used SECONDS of CPU time; new inputs are not kept.

Usage: run.py BUILD_DIR SECONDS [JOBS [--yield-while FILE]]
Seeds: tests/fuzz/corpus/<name>/ and, where it exists, the dictionary tests/fuzz/corpus/<name>.dict.
CPU time, not time on the clock: as long as FILE exists, harnesses stand back (nice 15) and live on
what other work leaves idle, and still every harness does as much as alone on the machine.
"""
import argparse
import base64
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TICKS = os.sysconf("SC_CLK_TCK")
NICE = 15
UNIT_TIMEOUT_S = 60  # one input, on the clock, while others have the processors: 10 when alone


def cpu_seconds(pid):
    """CPU seconds of a process; 0 once it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / TICKS


class Runner:
    """Takes harnesses from a list; used by several threads."""

    def __init__(self, harnesses, seconds, busy, work):
        self.left = list(reversed(harnesses))
        self.seconds, self.busy, self.work = seconds, busy, work
        self.lock = threading.Lock()
        self.children, self.stopped, self.failed = set(), False, []

    def yielding(self):
        return bool(self.busy) and os.path.exists(self.busy)

    def loop(self):
        while True:
            with self.lock:
                if self.stopped or not self.left:
                    return
                harness = self.left.pop()
            self.one(harness)

    def one(self, harness):
        name = os.path.basename(harness)[len("fuzz_"):]
        home = os.path.join(self.work, name)
        os.makedirs(os.path.join(home, "corpus"))
        args = [harness, os.path.join(home, "corpus")]
        seeds = os.path.join(TOP, "tests/fuzz/corpus", name)
        args += [seeds] if os.path.isdir(seeds) else []
        args += [f"-dict={seeds}.dict"] if os.path.isfile(seeds + ".dict") else []
        args += ["-max_total_time=86400", "-rss_limit_mb=2048", "-print_final_stats=1",
                 f"-timeout={UNIT_TIMEOUT_S if self.busy else 10}", f"-artifact_prefix={home}/"]
        with open(os.path.join(home, "log"), "wb") as log:
            with self.lock:
                if self.stopped:
                    return
                child = subprocess.Popen((["nice", "-n", str(NICE)] if self.yielding() else []) + args,
                                         stdout=log, stderr=subprocess.STDOUT)
                self.children.add(child)
            used = self.watch(child)
        self.report(name, home, child.returncode, used)

    def watch(self, child):
        """Wait for the end, which comes when the time is used up."""
        niced, used = self.yielding(), 0
        while child.poll() is None:
            time.sleep(0.2)
            used = max(used, cpu_seconds(child.pid))
            if used >= self.seconds:
                child.send_signal(signal.SIGUSR1)  # libFuzzer ends in order: statistics, exit code 0
            if niced and not self.yielding():
                niced = False
                subprocess.run(["renice", "-n", "0", "-p", str(child.pid)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, check=False)  # only root may
        with self.lock:
            self.children.discard(child)
        return used

    def report(self, name, home, code, used):
        with open(os.path.join(home, "log"), encoding="utf-8", errors="replace") as f:
            log = f.read()
        if self.stopped:
            return
        if code == 0:
            execs = re.search(r"^stat::number_of_executed_units: *(\d+)", log, re.M)
            print(f"fuzz {name}: ok, {execs.group(1) if execs else '?'} inputs, {used:.0f} s", flush=True)
            return
        lines = log.splitlines()[-40:]
        for kind in ("crash", "timeout", "oom", "leak"):
            for path in glob.glob(f"{home}/{kind}-*"):
                with open(path, "rb") as f:
                    lines += ["input (base64):", base64.b64encode(f.read(2048)).decode()]
        with self.lock:
            self.failed.append(name)
            print("\n".join(lines + [f"fuzz {name}: FAILED"]), flush=True)

    def stop(self, *_):
        self.stopped = True
        for child in list(self.children):
            child.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("seconds", type=float)
    parser.add_argument("jobs", type=int, nargs="?", default=1)
    parser.add_argument("--yield-while", metavar="FILE")
    args = parser.parse_args()
    harnesses = sorted(h for h in glob.glob(os.path.join(os.path.abspath(args.build), "fuzz", "fuzz_*"))
                       if os.access(h, os.X_OK))
    if not harnesses:
        sys.exit(f"run.py: no harness in {args.build}/fuzz")
    work = tempfile.mkdtemp()
    try:
        runner = Runner(harnesses, args.seconds, args.yield_while, work)
        signal.signal(signal.SIGTERM, runner.stop)
        signal.signal(signal.SIGINT, runner.stop)
        threads = [threading.Thread(target=runner.loop) for _ in range(args.jobs)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(1 if runner.failed or runner.stopped else 0)


if __name__ == "__main__":
    main()
