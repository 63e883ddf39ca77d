#!/usr/bin/env python3
"""captures_test.py own|foreign GOPROBE - goprobe against pcap_flows.py, the independent reading.

own      every capture in tests/data/captures: flows printed by goprobe equal pcap_flows.py and the
         committed expected/*.csv, in both modes.
foreign  every file of ../shared/corpus/foreign-pcaps: no crash, no hang, and where goprobe reads a
         file to its end the flows and counters are the same. Exit 77 where the corpus is absent.
"""
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import pcap_flows  # noqa: E402

SOURCE = os.path.dirname(os.path.dirname(HERE))
FOREIGN = os.path.join(SOURCE, "..", "shared", "corpus", "foreign-pcaps", "pcaps.tar.zst")
COUNTS = ["frames", "received", "processed", "fragmented", "invalid", "truncated", "packets", "bytes"]


def goprobe(binary, path, *flags):
    """(exit code, CSV lines, counters, stderr)"""
    p = subprocess.run([binary, "--pcap", path, "--dump-flows", *flags], capture_output=True,
                       text=True, timeout=60, check=False)
    last = re.findall(r"(\w+)=(\d+)", p.stderr.splitlines()[-1]) if p.stderr else []
    found = {k: int(v) for k, v in last}
    return p.returncode, p.stdout.splitlines(), [found.get(k) for k in COUNTS], p.stderr


def compare(binary, path, compat):
    """Problem as text, or None."""
    flags = ["--compat"] if compat else []
    code, lines, counts, err = goprobe(binary, path, *flags)
    if code != 0:
        return "%s: exit code %d: %s" % (path, code, err)
    want, want_counts = pcap_flows.run(path, compat)
    want = [pcap_flows.HEAD] + want
    if lines != want:
        first = next((i for i, (a, b) in enumerate(zip(lines + [""], want + [""])) if a != b), 0)
        return "%s: line %d: got %r, want %r" % (path, first + 1, (lines + [""])[first],
                                                 (want + [""])[first])
    if counts != want_counts:
        return "%s: counters %s, want %s" % (path, counts, want_counts)
    return None


def own(binary):
    paths = sorted(glob.glob(os.path.join(SOURCE, "tests", "data", "captures", "*.pcap*")))
    problems = [] if paths else ["no captures in tests/data/captures"]
    for path in paths:
        problems += [p for p in (compare(binary, path, c) for c in (False, True)) if p]
        name = os.path.basename(path).split(".")[0]
        with open(os.path.join(os.path.dirname(path), "expected", name + ".csv")) as f:
            if f.read().splitlines() != goprobe(binary, path)[1]:
                problems.append("%s: flows differ from expected/%s.csv" % (path, name))
    return problems, len(paths)


def one_foreign(job):
    binary, path = job
    try:
        code, _, _, err = goprobe(binary, path)
    except subprocess.TimeoutExpired:
        return "%s: hangs" % path, 0
    if code not in (0, 1) or "Sanitizer" in err or "runtime error" in err:
        return "%s: exit code %d: %s" % (path, code, err[:2000]), 0
    if code == 1:
        return (None if "goprobe: " in err else "%s: no error text" % path), 0
    return compare(binary, path, False), 1


def foreign(binary):
    with tempfile.TemporaryDirectory() as tmp:
        tar = subprocess.Popen(["tar", "-x", "-C", tmp], stdin=subprocess.PIPE)
        subprocess.run(["zstd", "-dc", FOREIGN], stdout=tar.stdin, check=True)
        tar.stdin.close()
        if tar.wait() != 0:
            return ["cannot unpack"], 0
        jobs = [(binary, os.path.join(d, f)) for d, _, files in os.walk(tmp) for f in sorted(files)]
        with concurrent.futures.ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
            results = list(pool.map(one_foreign, jobs, chunksize=8))
    print("%d files, %d of them read to the end and compared" %
          (len(jobs), sum(r[1] for r in results)))
    return [r[0] for r in results if r[0]], len(jobs)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("own", "foreign"):
        raise SystemExit(__doc__)
    if sys.argv[1] == "foreign" and not os.path.exists(FOREIGN):
        print("skipped: no %s" % FOREIGN)
        return 77
    problems, n = own(sys.argv[2]) if sys.argv[1] == "own" else foreign(sys.argv[2])
    for p in problems[:20]:
        print("FAIL", p)
    print("%d files, %d problems" % (n, len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
