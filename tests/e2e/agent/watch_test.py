#!/usr/bin/env python3
"""goquery --watch --live: flows in the memory of a running agent, on a pipe and on a terminal.

GOPROBE, GOQUERY, GPKEY as in sensor.py; exit 77 without root.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import sensor


def command(agent, *more):
    return [sensor.GOQUERY, "--query.server.addr", "ipc://" + agent.sock, "-q", "any", "-i", "a0", "--live",
            "--watch", "100ms", *more]


class Screen:
    """Output of a program that goes on; wait() looks at what came since the last wait()."""

    def __init__(self, fd):
        self.fd = fd

    def wait(self, pattern, seconds=60):
        text, end = "", time.monotonic() + seconds
        while True:
            found = re.search(pattern, text)
            if found:
                return text
            if time.monotonic() > end:
                raise AssertionError("not in %d s: %s\n%s" % (seconds, pattern, text[-3000:]))
            if select.select([self.fd], [], [], 0.5)[0]:
                part = os.read(self.fd, 65536).decode()
                if not part:
                    raise AssertionError("ended before %s\n%s" % (pattern, text[-3000:]))
                text += part.replace("\r\n", "\n")


def stop(p, what):
    p.send_signal(signal.SIGINT)
    if p.wait(timeout=30) != 0:
        raise AssertionError("%s: exit code %d after Ctrl-C" % (what, p.returncode))


def on_a_pipe(agent):
    p = subprocess.Popen(command(agent, "-e", "csv", "--in", "-c", "dport = 7001", "dport"), stdout=subprocess.PIPE)
    with p:
        out = Screen(p.stdout.fileno())
        sensor.send("10.77.0.1", 7001, 50, 100)
        out.wait(r"\n(a0,)?7001,50,100\.00,7100,100\.00\n")
        sensor.send("10.77.0.1", 7001, 25, 100)
        out.wait(r"\n(a0,)?7001,75,100\.00,10650,100\.00\n")
        stop(p, "pipe")


def on_a_terminal(agent):
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 80, 0, 0))
    p = subprocess.Popen(command(agent, "--color", "never", "-c", "dport = 7001", "talk_conv"), stdin=side, stdout=side,
                         stderr=side, env=dict(os.environ, TERM="xterm"), close_fds=True)
    os.close(side)
    out = Screen(main)
    text = out.wait(r"10\.77\.0\.2  10\.77\.0\.1 +75 +0 (?s:.*)\033\[J\033\[\?7h")
    if not re.search(r"Timespan +: \[", text) or "Error" in text:
        raise AssertionError(text)
    sensor.send("10.77.0.1", 7001, 5, 100)
    out.wait(r"10\.77\.0\.2  10\.77\.0\.1 +80 +0 ")
    stop(p, "terminal")
    os.close(main)


def main():
    with sensor.rig("watch") as tmp:
        agent = sensor.Agent(tmp)
        agent.start()
        on_a_pipe(agent)
        on_a_terminal(agent)
        agent.stop()


main()
