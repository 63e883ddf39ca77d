#!/usr/bin/env python3
"""memory.py BUILD-DIR [FLOWS [RATE [SECONDS]]] - resident memory of goprobe with a million live flows.

packetgen sends them over a veth pair at RATE packets/s while intervals of 40 s end and checkpoints are taken every 5 s;
printed are memory every other second and the peak. Needs root.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import live


def status(pid, key):
    with open("/proc/%d/status" % pid) as f:
        return int([line.split()[1] for line in f if line.startswith(key)][0]) / 1024


def watch(build, tmp, flows, rate, seconds):
    with open(tmp + "/c.yaml", "w") as f:
        f.write("db: {path: %s/db, sync: none, interval: 40s, checkpoint: 5s}\n"
                "interfaces: {a0: {ring_buffer: {block_size: 1048576, num_blocks: 4}}}\n" % tmp)
    p = subprocess.Popen(["ip", "netns", "exec", live.NS, build + "/bin/goprobe", "-c", tmp + "/c.yaml"],
                         stderr=subprocess.DEVNULL)
    time.sleep(1.0)
    with subprocess.Popen(["ip", "netns", "exec", live.NS, build + "/bench/packetgen", "b0", flows, rate, seconds],
                          stdout=subprocess.DEVNULL) as gen:
        begin = time.monotonic()
        while gen.poll() is None:
            time.sleep(2)
            print("%4.0f s %5.0f MiB" % (time.monotonic() - begin, status(p.pid, "VmRSS")), flush=True)
    print("%s flows at %s packets/s: at most %.0f MiB" % (flows, rate, status(p.pid, "VmHWM")))
    p.send_signal(signal.SIGTERM)
    p.wait()


def main():
    build = os.path.abspath(sys.argv[1])
    flows, rate, seconds = (sys.argv[2:] + ["1000000", "60000", "100"][len(sys.argv) - 2:])[:3]
    tmp = tempfile.mkdtemp(prefix="fleetprobe-bench-")
    try:
        live.veth()
        watch(build, tmp, flows, rate, seconds)
    finally:
        subprocess.run(["ip", "netns", "del", live.NS], check=False)
        shutil.rmtree(tmp, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main()
