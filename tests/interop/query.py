"""Queries and their answers, written from docs/messages.md only. For tests."""
import hashlib
import ipaddress
import os
import struct
import subprocess
import time

from sign import sign, verify

HOST, IFACE, TIME, SIP, DIP, DPORT, PROTO = (1 << i for i in range(7))
HEADER, BATCH, PROGRESS, HOST_STATUS, TRAILER, PARTIAL, SUMMARY = range(1, 8)


# ---- protobuf: the three wire types that the messages use ----

def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def message(*fields):
    """Pairs of number and value; None is left out."""
    out = b""
    for number, value in fields:
        if value is None:
            continue
        if isinstance(value, str):
            value = value.encode()
        if isinstance(value, bytes):
            out += varint(number << 3 | 2) + varint(len(value)) + value
        else:
            out += varint(number << 3) + varint(int(value))
    return out


def parse(data):
    """Number -> list of values (int or bytes)."""
    fields, at = {}, 0

    def number():
        nonlocal at
        n = shift = 0
        while True:
            byte = data[at]
            at += 1
            n |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return n

    while at < len(data):
        tag = number()
        if tag & 7 == 0:
            value = number()
        else:
            assert tag & 7 == 2, tag
            n = number()
            value = data[at:at + n]
            assert len(value) == n
            at += n
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def one(fields, number, default=0):
    return fields.get(number, [default])[-1]


def text(fields, number):
    return one(fields, number, b"").decode()


def counters(data):
    fields = parse(data)
    return tuple(one(fields, n) for n in (1, 2, 3, 4))


# ---- section 4: batches ----

class Reader:
    def __init__(self, data, open_bits):
        self.data, self.at = data, 0
        self.open, self.bit = open_bits, 0

    def take(self, n):
        out = self.data[self.at:self.at + n]
        assert len(out) == n, "batch is cut"
        self.at += n
        return out

    def name(self):
        return self.take(self.take(1)[0]).decode()

    def bits(self, n):
        """The next n open bits, the lowest first."""
        value = int.from_bytes(self.open, "little") >> self.bit & (1 << n) - 1
        self.bit += n
        assert self.bit <= 8 * len(self.open), "bits are cut"
        return value

    def number(self, symbol):
        if symbol < 128:
            return symbol
        high = 7 + (symbol - 128) // 2
        assert high < 64, symbol
        return 1 << high | (symbol & 1) << high - 1 | self.bits(high - 1)

    def numbers(self, rows):
        return [self.number(symbol) for symbol in self.take(rows)]


def addresses6(reader, rows):
    shared, out, last = reader.take(rows), [], bytes(16)
    for n in shared:
        last = last[:n] + reader.take(16 - n)
        out.append(last)
    return out


def sums(deltas, modulus):
    out, last = [], 0
    for d in deltas:
        last = (last + d) % modulus
        out.append(last)
    return out


def zigzag(n):
    return n >> 1 ^ -(n & 1)


def batch_rows(data):
    """Rows as (host, iface, time, sip, dip, dport, proto, br, bs, pr, ps); absent columns are None."""
    version, codec, zero, raw_len, bits_len = struct.unpack("<BBHII", data[:12])
    assert (version, zero) == (2, 0) and codec in (0, 1)
    raw, bits = data[12:len(data) - bits_len], data[len(data) - bits_len:]
    if codec:
        raw = subprocess.run(["zstd", "-dcq"], input=raw, capture_output=True, check=True).stdout
    assert len(raw) == raw_len
    r = Reader(raw, bits)
    rows, family, columns, n_hosts, n_ifaces = struct.unpack("<HBBHH", r.take(8))
    hosts = [(r.name(), r.name()) for _ in range(n_hosts)]
    ifaces = [r.name() for _ in range(n_ifaces)]
    absent = [None] * rows

    def labels(bit, names):
        if columns & bit:
            return [names[i] for i in r.numbers(rows)]
        return [names[0]] * rows if names else absent

    host = labels(HOST, [name for name, _ in hosts])
    iface = labels(IFACE, ifaces)
    times = sums(map(zigzag, r.numbers(rows)), 1 << 64) if columns & TIME else absent
    sip, dip, dport, proto = absent, absent, absent, absent
    if columns & SIP and family == 4:
        sip = [ipaddress.IPv4Address(v) for v in sums(r.numbers(rows), 1 << 32)]
    elif columns & SIP:
        sip = [ipaddress.IPv6Address(v) for v in addresses6(r, rows)]
    if columns & DIP and family == 4:
        dip = [ipaddress.IPv4Address(r.take(4)) for _ in range(rows)]
    elif columns & DIP:
        dip = [ipaddress.IPv6Address(v) for v in addresses6(r, rows)]
    if columns & DPORT:
        high, low = r.take(rows), r.take(rows)
        dport = [h << 8 | l for h, l in zip(high, low)]
    if columns & PROTO:
        proto = list(r.take(rows))
    symbols = [r.take(rows) for _ in range(4)]
    values = zip(*[[r.number(s) for s in row] for row in zip(*symbols)])
    assert r.at == len(raw) and len(bits) == (r.bit + 7) // 8, "bytes behind the batch"
    return list(zip(host, iface, times, sip, dip, dport, proto, *values))


# ---- sections 2 and 3: one query ----

def request(key, hosts, first, last, query, ifaces, condition=None, limit=1 << 40, issued=None):
    """A SignedRequest, and the query's id."""
    args = message((1, query), (2, ifaces), (3, condition), (9, limit), (14, "python"))
    query_id = os.urandom(16)
    body = message((1, query_id), (2, issued or int(time.time())), (3, 30), (5, hosts), (8, first), (9, last), (10, args))
    return message((1, body), (2, sign(key.secret, "query", body)), (3, key.public)), query_id


class Answer:
    """Rows, totals and hosts of one answer, every trailer checked against keys (host name -> public key)."""

    def __init__(self, messages, query_id, keys):
        self.rows, self.hosts, self.totals = [], {}, [0] * 4
        self.summary = None
        digest, sent = hashlib.blake2b(digest_size=32), 0
        trailers = []
        for m in messages:
            assert self.summary is None, "something after the summary"
            for kind, (value, *_) in parse(m).items():
                if kind == BATCH:
                    digest.update(struct.pack("<I", len(value)) + value)
                    rows = batch_rows(value)
                    sent += len(rows)
                    self.rows += rows
                elif kind == TRAILER:
                    trailers.append(self._trailer(parse(value), query_id, keys))
                elif kind == SUMMARY:
                    self.summary = parse(value)
        if self.summary is None:  # an agent's own answer: its one trailer covers the batches
            assert len(trailers) == 1
            assert trailers[0][1:] == (digest.digest(), sent), "not the batches that were signed"
        else:
            assert list(counters(one(self.summary, 3, b""))) == self.totals

    def _trailer(self, t, query_id, keys):
        data = one(t, 1)
        body = parse(data)
        host = text(body, 2)
        assert keys[host] == one(t, 3), "signed by another key"
        assert verify(keys[host], "trailer", data, one(t, 2)), "bad signature"
        assert one(body, 1) == query_id and host not in self.hosts
        self.hosts[host] = one(body, 4)
        self.totals = [a + b for a, b in zip(self.totals, counters(one(body, 8, b"")))]
        return host, one(body, 9), one(body, 6)
