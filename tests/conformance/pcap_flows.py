#!/usr/bin/env python3
"""pcap_flows.py FILE [--compat] [--counts] [--blocks] - flows of a capture, from the specification.

An independent reading of capture.md 1 to 3 for tests: shares no code with goprobe, keeps whole
5-tuples in a dict and looks up both directions literally as section 2.2 says. Prints the columns of
`goprobe --dump-flows`; --counts prints frames, received, processed, the three errors, packets and
bytes instead; --blocks prints flows per five-minute block (end time first) with carry-over as in 4.3.
Reads pcap and pcapng, gzip-compressed or not.
"""
import gzip
import ipaddress
import struct
import sys

TCP_COMMON, UDP_COMMON = {53, 80, 443, 445, 8080}, {53, 443}
IP6_EXT = {0, 43, 60, 135, 139, 140}


class Bad(Exception):
    """What spec 1.8 counts; the argument is the index."""


def records(data):
    """(link type, time in s, captured bytes, length on the wire) of every record."""
    magic = data[:4]
    if magic == b"\x0a\x0d\x0d\x0a":
        yield from pcapng(data)
        return
    order = {b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">", b"\xd4\xc3\xb2\xa1": "<",
             b"\x4d\x3c\xb2\xa1": "<"}[magic]
    link = struct.unpack(order + "I", data[20:24])[0] & 0xffff
    pos = 24
    while pos + 16 <= len(data):
        sec, _, cap, wire = struct.unpack(order + "IIII", data[pos:pos + 16])
        pos += 16
        yield link, sec, data[pos:pos + cap], wire
        pos += cap


def pcapng(data):
    pos, order, ifaces = 0, "<", []
    while pos + 12 <= len(data):
        kind = data[pos:pos + 4]
        if kind == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[pos + 8:pos + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            ifaces = []
        kind, size = struct.unpack(order + "II", data[pos:pos + 8])
        body = data[pos + 8:pos + size - 4]
        if kind == 1:
            link, _, snap = struct.unpack(order + "HHI", body[:8])
            ifaces.append((link, snap, ticks(body[8:], order)))
        elif kind == 6:
            n, hi, lo, cap, wire = struct.unpack(order + "IIIII", body[:20])
            yield ifaces[n][0], (hi << 32 | lo) // ifaces[n][2], body[20:20 + cap], wire
        elif kind == 2:
            n, _, hi, lo, cap, wire = struct.unpack(order + "HHIIII", body[:20])
            yield ifaces[n][0], (hi << 32 | lo) // ifaces[n][2], body[20:20 + cap], wire
        elif kind == 3:
            wire = struct.unpack(order + "I", body[:4])[0]
            cap = min(wire, ifaces[0][1] or wire)
            yield ifaces[0][0], 0, body[4:4 + cap], wire
        pos += size


def ticks(options, order):
    while len(options) >= 4:
        code, n = struct.unpack(order + "HH", options[:4])
        if code == 9:
            v = options[4]
            return 2 ** (v & 0x7f) if v & 0x80 else 10 ** v
        if code == 0:
            break
        options = options[4 + (n + 3) // 4 * 4:]
    return 10 ** 6


def u16(b, i):
    return b[i] << 8 | b[i + 1]


def ip_layer(link, f):
    """IP bytes and what to take off the length; None if the frame is not considered (1.2)."""
    less = 0
    if link == 1:
        if len(f) < 14:
            return None
        kind, f = u16(f, 12), f[14:]
    elif link == 113:
        if len(f) < 16 or u16(f, 2) in (770, 803, 824):
            return None
        kind, f, less = u16(f, 14), f[16:], 16
    elif link == 276:
        if len(f) < 20 or u16(f, 8) in (770, 803, 824):
            return None
        kind, f, less = u16(f, 0), f[20:], 20
    elif link in (0, 108):
        if len(f) < 4:
            return None
        af = struct.unpack(">I", f[:4])[0]
        af = af if af <= 0xffff else struct.unpack("<I", f[:4])[0]
        return (f[4:], 4) if af in (2, 10, 24, 28, 30) else None
    elif link in (12, 101, 228, 229):
        return (f, 0) if f and f[0] >> 4 in (4, 6) else None
    else:
        raise SystemExit("link type %d" % link)
    tags = 0
    if kind in (0x8100, 0x88a8, 0x9100):
        less += 4
    while kind in (0x8100, 0x88a8, 0x9100):
        if tags == 8 or len(f) < 4:
            return None
        kind, f, tags = u16(f, 2), f[4:], tags + 1
    if kind == 0x8864:
        if len(f) < 8 or f[0] != 0x11 or f[1] != 0:
            return None
        return (f[8:], less) if u16(f, 6) in (0x21, 0x57) else None
    return (f, less) if kind in (0x0800, 0x86dd) else None


def walk_v6(ip):
    """Final protocol and transport bytes, through extension headers (D-6)."""
    proto, rest = ip[6], ip[40:]
    for _ in range(8):
        if proto == 44:
            if len(rest) < 8:
                raise Bad(2)
            middle = u16(rest, 2) >> 3
            proto, rest = rest[0], rest[8:]
            if middle:
                if proto != 50:
                    raise Bad(0)
                return proto, b""
        elif proto in IP6_EXT:
            if len(rest) < 8:
                raise Bad(2)
            proto, rest = rest[0], rest[(rest[1] + 1) * 8:]
        else:
            break
    return proto, rest


def parse(ip, compat):
    """(source, destination, protocol, ports or None, flags or type, IP version)."""
    if not ip or ip[0] >> 4 not in (4, 6):
        raise Bad(1)
    v = ip[0] >> 4
    if len(ip) < (20 if v == 4 else 40):
        raise Bad(2)
    if v == 4:
        head = 20 if compat else (ip[0] & 15) * 4
        if head < 20:
            raise Bad(1)
        src, dst, proto, l4 = ip[12:16], ip[16:20], ip[9], ip[head:]
        if u16(ip, 6) & 0x1fff and proto != 50:
            raise Bad(0)
    else:
        src, dst = ip[8:24], ip[24:40]
        proto, l4 = (ip[6], ip[40:]) if compat else walk_v6(ip)
    need = {6: 14, 17: 4}.get(proto, 1 if (proto, v) in ((1, 4), (58, 6)) else 0)
    if len(l4) < need:
        raise Bad(2)
    ports = (u16(l4, 0), u16(l4, 2)) if proto in (6, 17) else (0, 0)
    aux = l4[13] if proto == 6 else l4[0] if need == 1 else 0
    return src, dst, proto, ports, aux, v


def blank(proto, ports, compat):
    common = TCP_COMMON if proto == 6 else UDP_COMMON if proto == 17 else set()
    s, d = ports
    if s in common and d in common and not compat:
        return s, d
    return (0 if d in common else s), (0 if s in common else d)


def multicast(dst, v, compat):
    if v == 6:
        return dst[0] == 255
    if dst == b"\xff\xff\xff\xff":
        return True
    if compat:
        return dst[:3] in (b"\xe0\0\0", b"\xe0\0\1")
    return 224 <= dst[0] <= 239


def evidence(proto, aux, v):
    """'keep', 'reverse' or None, from flags and types alone."""
    if proto == 6 and aux & 2:
        return "reverse" if aux & 16 else "keep"
    table = {(1, 4): ((8, 13), (0, 3, 11, 12, 14)), (58, 6): ((128,), (129, 1, 3, 4))}.get((proto, v))
    if table:
        return "keep" if aux in table[0] else "reverse" if aux in table[1] else None
    return None


def classify(dst, proto, ports, aux, v, compat):
    """(direction, sure) of spec 3 and 3.6."""
    if (proto == 17 or (proto, v) == (58, 6)) and multicast(dst, v, compat):
        return "keep", True
    e = evidence(proto, aux, v)
    if e:
        return e, True
    if proto in (6, 17):
        s, d = ports
        s_eph, d_eph = (s >= 32768 or s == 0), (d >= 32768 or d == 0)
        if s_eph != d_eph:
            return ("keep" if s_eph else "reverse"), False
        return ("reverse" if s < d else "keep"), False
    return "keep", False


class Table:
    """key (src, sport, dst, dport, proto) -> [fwd packets, fwd bytes, rev packets, rev bytes, sure]"""

    def __init__(self, compat):
        self.e, self.compat = {}, compat

    def add(self, src, dst, proto, ports, aux, v, n):
        k = (src, ports[0], dst, ports[1], proto)
        r = (dst, ports[1], src, ports[0], proto)
        if k not in self.e and r not in self.e:
            way, sure = classify(dst, proto, ports, aux, v, self.compat)
            self.e[r if way == "reverse" else k] = [0, 0, 0, 0, sure]
        at = k if k in self.e else r
        found = evidence(proto, aux, v)
        want = {None: at, "keep": k, "reverse": r}[found]
        if not self.compat and found and not self.e[at][4]:
            c = self.e.pop(at)
            if want != at:
                c = [c[2], c[3], c[0], c[1], True]
            c[4], at = True, want
            self.e[at] = c
        off = 0 if at == k else 2
        self.e[at][off] += 1
        self.e[at][off + 1] += n

    def flows(self):
        out = {}
        for (src, _, dst, dport, proto), c in self.e.items():
            if not c[0] and not c[2]:
                continue
            f = out.setdefault((len(src), src, dst, dport, proto), [0] * 5)
            for i in range(4):
                f[i] += c[i]
            f[4] += 1
        return sorted(out.items())

    def rotate(self):
        """Spec 4.3: idle entries go, the others stay with counters at zero."""
        self.e = {k: [0, 0, 0, 0, c[4]] for k, c in self.e.items() if c[0] or c[2]}


def line(key, f):
    _, src, dst, dport, proto = key
    return "%s,%s,%d,%d,%d,%d,%d,%d,%d,%d,%d" % (
        ipaddress.ip_address(src), ipaddress.ip_address(dst), dport, proto, f[0] + f[2],
        f[1] + f[3], f[0], f[1], f[2], f[3], f[4])


def read(path):
    with open(path, "rb") as f:
        data = f.read()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def run(path, compat=False, blocks=False):
    """(lines of flows, counters)"""
    table, count, out, end = Table(compat), [0] * 8, [], 0
    for link, sec, frame, wire in records(read(path)):
        count[0] += 1
        got = ip_layer(link, frame)
        if got is None:
            continue
        count[1] += 1
        try:
            src, dst, proto, ports, aux, v = parse(got[0], compat)
        except Bad as e:
            count[3 + e.args[0]] += 1
            count[2] += e.args[0] != 0
            continue
        here = (sec // 300 + 1) * 300
        if blocks and here > end:
            if end:
                out += ["%d,%s" % (end, line(k, f)) for k, f in table.flows()]
                table.rotate()
                if here > end + 300:
                    table.rotate()
            end = here
        n = max(wire - got[1], 0)
        count[2] += 1
        count[6] += 1
        count[7] += n
        table.add(src, dst, proto, blank(proto, ports, compat), aux, v, n)
    prefix = "%d," % end if blocks else ""
    out += [prefix + line(k, f) for k, f in table.flows()]
    return out, count


HEAD = "sip,dip,dport,proto,packets,bytes,fwd_packets,fwd_bytes,rev_packets,rev_bytes,entries"


def main(argv):
    paths = [a for a in argv if not a.startswith("--")]
    if len(paths) != 1:
        raise SystemExit(__doc__)
    flows, count = run(paths[0], "--compat" in argv, "--blocks" in argv)
    if "--counts" in argv:
        print("frames=%d received=%d processed=%d fragmented=%d invalid=%d truncated=%d packets=%d "
              "bytes=%d" % tuple(count))
        return
    print(("time," if "--blocks" in argv else "") + HEAD)
    for text in flows:
        print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
