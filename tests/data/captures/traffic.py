#!/usr/bin/env python3
"""Small servers and clients for record.sh: what the host's own programs do not offer.

traffic.py dns ADDR              answers A, AAAA and PTR queries on port 53, UDP and TCP
traffic.py web ADDR PORT [CERT]  HTTP server (HTTPS with CERT): /NUMBER gives that many bytes
traffic.py echo ADDR PORT        UDP: sends every datagram back
traffic.py stream SRC DST PORT N PERIOD_MS SIZE   UDP: N datagrams at a steady pace
traffic.py bind-send SRC SPORT DST DPORT N        UDP from a fixed source port, waits for echoes
traffic.py mcast SRC GROUP PORT N                 UDP to a multicast group
traffic.py scan DST FIRST LAST   TCP connects to a range of ports
"""
import http.server
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time

BIG = b"fleetprobe " * 100000


def family(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


def dns_answer(q):
    if len(q) < 17:
        return b""
    end = 12
    while end < len(q) and q[end]:
        end += q[end] + 1
    question = q[12:end + 5]
    qtype = struct.unpack(">H", q[end + 1:end + 3])[0]
    rdata = {1: socket.inet_aton("198.51.100.80"),
             28: socket.inet_pton(socket.AF_INET6, "2001:db8:99::80"),
             12: b"\x03www\x07example\x00"}.get(qtype)
    head = q[:2] + b"\x85\x80\x00\x01" + (b"\x00\x01" if rdata else b"\x00\x00") + b"\x00" * 4
    rr = b"\xc0\x0c" + struct.pack(">HHIH", qtype, 1, 300, len(rdata)) + rdata if rdata else b""
    return head + question + rr


def dns(addr):
    class Udp(socketserver.BaseRequestHandler):
        def handle(self):
            self.request[1].sendto(dns_answer(self.request[0]), self.client_address)

    class Tcp(socketserver.StreamRequestHandler):
        def handle(self):
            n = struct.unpack(">H", self.rfile.read(2))[0]
            a = dns_answer(self.rfile.read(n))
            self.wfile.write(struct.pack(">H", len(a)) + a)

    for base in (socketserver.ThreadingUDPServer, socketserver.ThreadingTCPServer):
        cls = type("S", (base,), {"address_family": family(addr), "allow_reuse_address": True})
        srv = cls((addr, 53), Udp if "UDP" in base.__name__ else Tcp)
        threading.Thread(target=srv.serve_forever).start()


def web(addr, port, cert=None):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            digits = self.path.strip("/")
            body = BIG[:int(digits) if digits.isdigit() else 1000]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    cls = type("S", (http.server.ThreadingHTTPServer,), {"address_family": family(addr)})
    srv = cls((addr, int(port)), Handler)
    if cert:
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(cert)
        srv.socket = ctx.wrap_socket(srv.socket, server_side=True)
    srv.serve_forever()


def echo(addr, port):
    s = socket.socket(family(addr), socket.SOCK_DGRAM)
    s.bind((addr, int(port)))
    while True:
        data, peer = s.recvfrom(65535)
        s.sendto(data, peer)


def stream(src, dst, port, n, period_ms, size):
    s = socket.socket(family(dst), socket.SOCK_DGRAM)
    s.bind((src, 0))
    for _ in range(int(n)):
        s.sendto(b"\x80" * int(size), (dst, int(port)))
        time.sleep(int(period_ms) / 1000)


def bind_send(src, sport, dst, dport, n):
    s = socket.socket(family(dst), socket.SOCK_DGRAM)
    s.bind((src, int(sport)))
    s.settimeout(1)
    for _ in range(int(n)):
        s.sendto(b"\x1b" + b"\0" * 47, (dst, int(dport)))
        try:
            s.recv(1000)
        except socket.timeout:
            pass


def mcast(src, group, port, n):
    s = socket.socket(family(group), socket.SOCK_DGRAM)
    s.bind((src, int(port)))
    for _ in range(int(n)):
        s.sendto(b"\0" * 12 + b"\x05_http\x04_tcp\x05local\0\0\x0c\0\x01", (group, int(port)))
        time.sleep(0.5)


def scan(dst, first, last):
    for port in range(int(first), int(last) + 1):
        s = socket.socket(family(dst), socket.SOCK_STREAM)
        s.settimeout(0.2)
        s.connect_ex((dst, port))
        s.close()


COMMANDS = {"dns": dns, "web": web, "echo": echo, "stream": stream, "bind-send": bind_send,
            "mcast": mcast, "scan": scan}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    COMMANDS[sys.argv[1]](*sys.argv[2:])
