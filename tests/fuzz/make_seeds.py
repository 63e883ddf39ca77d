#!/usr/bin/env python3
"""make_seeds.py - write the seeds of fuzzers whose inputs are binary, from docs/messages.md, security.md 5 and control.proto.

The results are in corpus/; run it again when a format changes. Seeds of the audit log are lines that e2e.audit wrote."""
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))
from query import DIP, DPORT, HOST, IFACE, PROTO, SIP, TIME, message  # noqa: E402


CERTIFICATE = b"FPC1" + bytes(200)  # not a good one; corpus/cert has one


def write(fuzzer, name, data):
    path = os.path.join(HERE, "corpus", fuzzer)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, name), "wb") as f:
        f.write(data)


def revocations():
    """First byte odd: the harness puts magic and fleet key in front and signs."""
    serial = struct.pack("B", 1) + bytes(range(16)) + bytes(16)
    key = struct.pack("B", 2) + bytes(range(32, 64))
    for name, number, entries in (("empty", 1, []), ("serial", 2, [serial]), ("both", 3, [serial, key])):
        body = struct.pack(">QQI", number, 1764288000, len(entries)) + b"".join(entries)
        write("revlist", name, b"\x01" + body)
        write("revlist", f"{name}-unsigned", b"\x00FPR1" + bytes(32) + body + bytes(64))


def control():
    counts = message(*((n, 1000 * n) for n in range(1, 11)))
    iface = message((1, "eth0"), (2, 1), (4, 1764288000 * 10**9), (5, counts), (6, counts), (7, 12), (8, 4096),
                    (9, 1 << 21), (10, 0), (11, 1764287700))
    waiting = message((1, "wg0"), (3, "no such device"))
    write("control", "request", message((1, "eth0"), (1, "wg0")))
    write("control", "status", message((1, 1), (2, 2), (3, 3), (4, 4), (5, 0), (6, 1), (7, 1), (8, "fw-1"),
                                       (9, "goprobe/0.1.0"), (10, iface), (10, waiting)))
    rule = message((1, 6), (2, 1), (3, 0), (4, 262144))
    write("control", "config", message((1, message((1, "eth0"), (2, 1), (3, 0), (4, 10), (5, 1 << 20), (6, 2), (7, rule)))))
    write("control", "config-set", message((1, "eth0:\n  promisc: true\n")))
    write("control", "changes", message((1, message((1, "eth0"), (2, 0), (3, 1))),
                                        (1, message((1, "eth1"), (2, 2), (4, "in use")))))


def channel():
    """First byte 2: records of an open channel; see the harness for what becomes of each."""
    def record(fate, text, way=0, in_place=0):
        return bytes((fate | way << 3 | in_place << 4, len(text))) + text
    fine = record(0, b"frame") + record(0, b"answer", way=1) + record(0, b"", in_place=1) + record(0, bytes(255), 1, 1)
    write("noise", "records", b"\x02" + fine)
    for name, fate in (("changed", 3), ("cut", 4), ("lost", 5), ("repeated", 6), ("invented", 7)):
        write("noise", name, b"\x02" + fine + record(fate, bytes(20)) + record(0, b"after") + record(0, b"back", way=1))


def symbol(n, bits):
    """A number of a batch; its open bits go to bits, a list of (value, how many)."""
    if n < 128:
        return n
    high = n.bit_length() - 1
    bits.append((n & ((1 << (high - 1)) - 1), high - 1))
    return 128 + 2 * (high - 7) + (n >> (high - 1) & 1)


def packed(bits):
    value = at = 0
    for v, n in bits:
        value |= v << at
        at += n
    return value.to_bytes((at + 7) // 8, "little")


def batch(family, columns, hosts, ifaces, body, numbers, counters):
    """Codec 0. numbers: columns before the addresses; counters: four values a row."""
    bits, rows = [], len(counters)
    raw = struct.pack("<HBBHH", rows, family, columns, len(hosts), len(ifaces))
    text = lambda s: bytes([len(s)]) + s.encode()  # noqa: E731
    raw += b"".join(text(h) + text(h + "-id") for h in hosts) + b"".join(map(text, ifaces))
    for column in numbers:
        raw += bytes(symbol(n, bits) for n in column)
    raw += body
    each = [[symbol(n, bits) for n in row] for row in counters]
    raw += b"".join(bytes(column) for column in zip(*each))
    extra = packed(bits)
    return struct.pack("<BBHII", 2, 0, 0, len(raw), len(extra)) + raw + extra


def batches():
    counters = [(1500, 60, 1, 1), (123456789, 127, 128, 1 << 40), (0, 0, 3, 0)]
    ports = b"\x01\x00\x20" + b"\xbb\x35\xfb"
    v4 = batch(4, HOST | IFACE | TIME | SIP | DIP | DPORT | PROTO, ["a", "b"], ["eth0", "wg0"],
               bytes([8, 8, 8, 8, 1, 1, 1, 1, 9, 9, 9, 9]) + ports + b"\x06\x11\x06",
               [(0, 1, 1), (1, 0, 1), (3528576000, 600, 0), (0x0a000001, 0, 256)], counters)
    address = bytes.fromhex("20010db8000000000000000000000001")
    v6 = batch(6, SIP | DPORT, ["a"], ["eth0"], bytes([0, 16, 15]) + address + b"\x02" + ports, [], counters)
    write("batch", "v4", v4)
    write("batch", "v6", v6)
    write("batch", "no-address", batch(0, PROTO, ["a"], [""], b"\x06\x11\x01", [], counters))
    return v4


def hello():
    """protocol.md, "Hello": with one field of each type, and with one that must be understood."""
    def field(kind, data):
        return struct.pack(">BH", kind, len(data)) + data
    head = b"FPH1" + struct.pack(">BBHI", 1, 1, 0, 7)
    fleet = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    body = field(1, bytes(range(32))) + field(2, bytes(64)) + field(4, fleet + struct.pack(">Q", 9))
    write("hello", "strangers", head + body)
    write("hello", "certificate", head + body + field(3, CERTIFICATE))
    write("hello", "unknown", head + field(0x81, b"x"))


def requests():
    args = message((1, "sip,dip"), (2, "eth0,/^wan/"), (3, "dport = 443 & proto = tcp"), (6, 1), (7, "1h"), (8, "bytes"),
                   (9, 1000), (10, 1), (11, 60), (13, 10**9), (14, "goquery"), (15, 1))
    body = message((1, bytes(range(16))), (2, 1750000000), (3, 60), (4, "acme"), (5, "fw-*,!fw-9,@dmz"), (6, "string"),
                   (7, "fw-1"), (7, "fw-2"), (8, 1749990000), (9, 1750000000), (10, args), (11, 1), (12, 1000), (13, 2))
    write("request", "body", body)
    write("request", "signed", message((1, body), (2, bytes(64)), (3, bytes(32)), (4, CERTIFICATE), (5, bytes(16)), (6, 1),
                                       (7, "fw-1,fw-2"), (8, 1)))


def answers(rows):
    counters = message((1, 1500), (2, 60), (3, 2), (4, 1))
    stats = message(*((n, 100 * n) for n in range(1, 7)))
    summary = message((1, 0), (2, "fine"), (3, counters), (4, 3), (5, stats), (6, 3499980000), (7, 3500000000), (8, "eth0"),
                      (9, 1), (10, 10**7), (11, "dport = 443"), (12, 3))
    trailer = message((1, bytes(range(16))), (2, "fw-1"), (3, "id"), (4, 0), (5, "fine"), (6, 3), (7, 3), (8, counters),
                      (9, bytes(32)), (10, stats), (11, 2), (12, 4), (13, "eth0"), (14, 1), (15, 10**7), (16, "dport = 443"))
    for name, number, value in (("header", 1, message((1, 1), (2, "fleetprobe/0.1.0"), (3, 2))), ("batch", 2, rows),
                                ("progress", 3, message(*((n, n) for n in range(1, 7)))),
                                ("host", 4, message((1, "fw-2"), (2, 6), (3, "timeout"), (4, "hub"))),
                                ("trailer", 5, message((1, trailer), (2, bytes(64)), (3, bytes(32)), (4, CERTIFICATE), (5, "hub"))),
                                ("partial", 6, message((1, summary), (2, rows), (3, 1), (4, 2))), ("summary", 7, summary)):
        write("answer", name, message((number, value)))
    info = message((1, "fw-1"), (2, "connected"), (3, "10.0.0.1:8145"), (4, "none"), (5, 900), (6, 1750000000), (7, "goprobe"))
    write("answer", "hosts", message((1, info), (1, info)))


revocations()
control()
channel()
hello()
requests()
answers(batches())
