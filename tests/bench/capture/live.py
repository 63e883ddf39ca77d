#!/usr/bin/env python3
"""live.py BUILD-DIR [SECONDS] - goprobe beside tcpdump, softflowd and nfpcapd on a veth pair.

packetgen sends on one end, the program captures on the other. Printed per rate: packets sent, packets
the program lost, its CPU time per packet (user and system of the process; the kernel's softirq work
belongs to the sender on veth). Needs root; programs that are not installed are left out.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

NS = "fpbench%d" % os.getpid()


def ns(*args, **kw):
    return subprocess.run(["ip", "netns", "exec", NS, *args], check=True, **kw)


def cpu(pid):
    """Seconds of CPU time of a process and its children, all threads, to the nanosecond (ticks are too coarse)."""
    total = 0
    for p in os.listdir("/proc"):
        if not p.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % p) as f:
                parent = int(f.read().rsplit(") ", 1)[1].split()[1])
            if pid not in (int(p), parent):
                continue
            for t in os.listdir("/proc/%s/task" % p):
                with open("/proc/%s/task/%s/schedstat" % (p, t)) as f:
                    total += int(f.read().split()[0])
        except OSError:
            continue
    return total / 1e9


def rss(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) / 1024


def goprobe_lost(_):
    text = ns("curl", "-s", "127.0.0.1:9145/metrics", capture_output=True, text=True).stdout
    return sum(int(m) for m in re.findall(r"packets_dropped_total\{[^}]*\} (\d+)", text))


def goprobe_seen(_):
    text = ns("curl", "-s", "127.0.0.1:9145/metrics", capture_output=True, text=True).stdout
    return sum(int(m) for m in re.findall(r"packets_processed_total\{[^}]*\} (\d+)", text))


def programs(build, tmp):
    with open(tmp + "/c.yaml", "w") as f:
        f.write("db: {path: %s/db, sync: none, interval: 1h}\napi: {metrics: true}\n"
                "interfaces: {a0: {ring_buffer: {block_size: 4194304, num_blocks: 8}}}\n" % tmp)
    yield "goprobe", [build + "/bin/goprobe", "-c", tmp + "/c.yaml"]
    yield "tcpdump -w /dev/null", ["tcpdump", "-i", "a0", "-n", "-B", "32768", "-s", "160", "-Z", "root",
                                   "-w", "/dev/null", "ip or ip6"]
    yield "softflowd", ["softflowd", "-d", "-i", "a0", "-n", "127.0.0.1:9995", "-m", "2000000", "-c",
                        tmp + "/sf.ctl", "-p", tmp + "/sf.pid"]
    yield "nfpcapd", ["nfpcapd", "-i", "a0", "-w", tmp, "-t", "3600", "-s", "160"]


def measure(name, argv, gen, flows, rate, seconds):
    said = tempfile.TemporaryFile("w+")  # not a pipe: who fills it would wait for us
    p = subprocess.Popen(["ip", "netns", "exec", NS, *argv], stdout=said, stderr=said)
    time.sleep(1.0)
    if p.poll() is not None:
        said.seek(0)
        print("%-22s does not run: %s" % (name, said.read(200)))
        return
    before = cpu(p.pid)
    sent = int(ns(gen, "b0", str(flows), str(rate), str(seconds), capture_output=True,
                  text=True).stdout.split()[0])
    time.sleep(2)  # goprobe publishes its counters once a second
    used, mem = cpu(p.pid) - before, rss(p.pid)
    lost = goprobe_lost(p) if name == "goprobe" else None
    seen = goprobe_seen(p) if name == "goprobe" else None
    p.send_signal(signal.SIGINT)
    try:
        p.wait(timeout=30)
    except subprocess.TimeoutExpired:
        p.kill()
        p.wait()
    with said:
        said.seek(0)
        text = said.read()
    for theirs, dropped, got in (("tcpdump", r"(\d+) packets? dropped by kernel", r"(\d+) packets? captured"),
                                 ("nfpcapd", r"dropped by OS/Buffer: (\d+)", r"Total: Processed: (\d+)"),
                                 ("softflowd", r"packets dropped by libpcap: (\d+)", r"packets processed: (\d+)")):
        if name.startswith(theirs):
            lost, seen = (int(m.group(1)) if m else None for m in (re.search(dropped, text), re.search(got, text)))
    print("%-22s %8d flows %10.0f packets/s  sent %9d  seen %9s  lost %8s  %6.1f ns CPU/packet  %5.0f MiB"
          % (name, flows, sent / seconds, sent, seen, lost, used * 1e9 / max(sent, 1), mem), flush=True)


def veth():
    """a0 and b0, joined, in a network namespace."""
    subprocess.run(["ip", "netns", "add", NS], check=True)
    for line in ("link set lo up", "link add a0 type veth peer name b0", "link set a0 addrgenmode none",
                 "link set b0 addrgenmode none", "link set a0 up", "link set b0 up"):
        subprocess.run(["ip", "-n", NS, *line.split()], check=True)


def main():
    build = os.path.abspath(sys.argv[1])
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    tmp = tempfile.mkdtemp(prefix="fleetprobe-bench-")
    try:
        veth()
        for flows, rate in ((10000, 100000), (10000, 300000), (10000, 0), (1000000, 0)):
            for name, argv in programs(build, tmp):
                if flows > 10000 and name != "goprobe":
                    continue
                if os.path.exists(argv[0]) or shutil.which(argv[0]):
                    measure(name, argv, build + "/bench/packetgen", flows, rate,
                            seconds if flows == 10000 else max(10, seconds))
    finally:
        subprocess.run(["ip", "netns", "del", NS], check=False)
        shutil.rmtree(tmp, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main()
