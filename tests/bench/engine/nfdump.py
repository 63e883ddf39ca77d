#!/usr/bin/env python3
"""nfdump.py - the queries of engine.c on the same rows in nfdump.

    engine --db DIR --days 3 --csv rows.csv; python3 nfdump.py rows.csv

The rows go to nfcapd as NetFlow 9 over loopback, with both directions' counters, so that nfdump reads
a file that its own collector wrote (lz4). Compared is the best of two runs of nfdump on that file, one
process, first 1,000 groups by bytes. nfdump has no key with the block's time. Needs the Debian package
nfdump. What is lost on the way is said: the rates are of the rows that arrived.
"""
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

PORT = 19995
# type, length: addresses, dport, proto, packets and bytes both ways, first and last in uptime ms
COMMON = [(11, 2), (4, 1), (2, 4), (1, 8), (24, 4), (23, 8), (22, 4), (21, 4)]
TEMPLATES = {256: [(8, 4), (12, 4)] + COMMON, 257: [(27, 16), (28, 16)] + COMMON}
TAIL = struct.Struct('>HBIQIQII')
ROWS = 30  # records a packet

QUERIES = [
    ('dport,proto', 'dstport,proto', ''),
    ('sip', 'srcip', ''),
    ('sip,dip', 'srcip,dstip', ''),
    ('sip,dip,dport,proto', 'srcip,dstip,dstport,proto', ''),
    ('sip,dip | dport = 443', 'srcip,dstip', 'dst port 443'),
    ('dport,proto | dport = 443', 'dstport,proto', 'dst port 443'),
    ('sip,dip | sip = 10.17.0.121', 'srcip,dstip', 'src ip 10.17.0.121'),
]


def template_set():
    body = b''
    for number, fields in TEMPLATES.items():
        body += struct.pack('>HH', number, len(fields))
        body += b''.join(struct.pack('>HH', *f) for f in fields)
    return struct.pack('>HH', 0, 4 + len(body)) + body


class Sender:
    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect(('127.0.0.1', PORT))
        self.sequence = 0
        self.bucket = {256: [], 257: []}

    def packet(self, sets, count):
        now = int(time.time())
        head = struct.pack('>HHIIII', 9, count, 86400000, now, self.sequence, 1)
        self.sock.send(head + sets)
        self.sequence += 1
        if self.sequence % 32 == 0:  # loopback has no flow control: leave the collector its time
            time.sleep(0.002)

    def flush(self, number):
        rows = self.bucket[number]
        if rows:
            body = b''.join(rows)
            body += bytes(-len(body) % 4)
            self.packet(struct.pack('>HH', number, 4 + len(body)) + body, len(rows))
            rows.clear()

    def row(self, line):
        t, sh, sl, dh, dl, dport, proto, br, bs, pr, ps = map(int, line.split(','))
        number = 257 if sh or dh else 256
        pair = struct.pack('>QQQQ', sh, sl, dh, dl) if sh or dh else struct.pack('>II', sl, dl)
        ms = t % 86400 * 1000
        self.bucket[number].append(pair + TAIL.pack(dport, proto, pr, br, ps, bs, ms, ms))
        if len(self.bucket[number]) == ROWS:
            self.flush(number)


def collect(path, to):
    daemon = subprocess.Popen(['nfcapd', '-w', to, '-p', str(PORT), '-b', '127.0.0.1', '-y',
                               '-t', '86400', '-B', '30000000'],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1)
    sender, sent = Sender(), 0
    sender.packet(template_set(), len(TEMPLATES))
    with open(path, encoding='ascii') as rows:
        for line in rows:
            sender.row(line)
            sent += 1
    for number in TEMPLATES:
        sender.flush(number)
    time.sleep(2)
    daemon.terminate()
    daemon.wait()
    return sent


def measure(command):
    """Seconds, CPU seconds, peak KiB and output of a command."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out = child.stdout.read()
    _, _, use = os.wait4(child.pid, 0)
    child.returncode = 0  # it was waited for
    return time.monotonic() - start, use.ru_utime + use.ru_stime, use.ru_maxrss, out.decode()


def main():
    with tempfile.TemporaryDirectory() as to:
        sent = collect(sys.argv[1], to)
        files = [os.path.join(to, f) for f in sorted(os.listdir(to))]
        info = measure(['nfdump', '-I', '-R', to])[3]
        rows = sum(int(n) for n in re.findall(r'^Flows: (\d+)', info, re.M))
        size = sum(os.path.getsize(f) for f in files)
        print(f'{sent} rows sent, {rows} arrived, {size / max(rows, 1):.1f} bytes a row')
        print(f'{"query | condition":32} {"ms":>9} {"Mrows/s":>9} {"cpu s":>8} {"MiB peak":>9}')
        for name, keys, condition in QUERIES:
            command = ['nfdump', '-R', to, '-A', keys, '-O', 'bytes', '-n', '1000', '-q', '-o',
                       'fmt:%sa %da %dp %pr %byt %pkt'] + ([condition] if condition else [])
            wall, cpu, peak, _ = min(measure(command) for _ in range(2))
            print(f'{name:32} {wall * 1e3:9.0f} {rows / wall / 1e6:9.1f} {cpu:8.2f} {peak / 1024:9.0f}')


main()
