"""A client of the protocol, written from docs/protocol.md and docs/security.md only. For tests."""
import base64
import socket
import struct

from nacl import bindings as nacl

from noise import NoiseXX
from sign import channel_key, sign, signing_key, verify

CALL, MSG, STATUS, CANCEL, CREDIT, PING, PONG, GOAWAY = range(1, 9)
START_CREDIT, OVERHEAD = 1 << 20, 64


class Key:
    """A key file, and the certificate beside it if there is one."""

    def __init__(self, path):
        magic, self.kind, self.name, seed = open(path).read().split()
        assert magic == "fleetprobe-key-v1"
        self.public, self.secret = signing_key(bytes.fromhex(seed))
        self.channel = channel_key(self.secret)
        self.chain = []
        try:
            for line in open(path.replace(".key", ".crt")):
                label, body = line.split()
                assert label == "fleetprobe-cert-v1"
                self.chain.append(base64.b64decode(body))
        except FileNotFoundError:
            pass


class Refused(Exception):
    pass


def field(kind, data):
    return struct.pack(">BH", kind, len(data)) + data


def hello(key=None, low=1, high=1):
    out = b"FPH1" + struct.pack(">BBHI", low, high, 0, 0)
    if key:
        dh = nacl.crypto_scalarmult_base(key.channel)
        out += field(1, key.public) + field(2, sign(key.secret, "dh-key", dh))
        for cert in key.chain:
            out += field(3, cert)
    return out


def parse_hello(data):
    assert data[:4] == b"FPH1"
    low, high, zero, _features = struct.unpack(">BBHI", data[4:12])
    assert zero == 0 and low <= 1 <= high
    fields, at = {}, 12
    while at < len(data):
        kind, n = struct.unpack(">BH", data[at:at + 3])
        fields.setdefault(kind, data[at + 3:at + 3 + n])
        at += 3 + n
    return fields


class Client:
    def __init__(self, address, key, server_public):
        host, port = address[len("tcp://"):].rsplit(":", 1)
        self.sock = socket.create_connection((host, int(port)), timeout=10)
        self.plain, self.next_id = b"", 1
        n = NoiseXX(True, key.channel, b"fleetprobe-noise-v1")
        self._send_block(n.write(hello()))
        fields = parse_hello(n.read(self._recv_block()))
        assert fields[1] == server_public, "another server"
        assert verify(fields[1], "dh-key", n.rs, fields[2])
        self._send_block(n.write(hello(key)))
        self.noise = n
        kind, code, stream, text = self.recv_frame()
        assert (kind, stream) == (STATUS, 0)
        if code:
            raise Refused(f"{code}: {text.decode()}")

    def _send_block(self, data):
        self.sock.sendall(struct.pack(">H", len(data)) + data)

    def _recv_exactly(self, n):
        out = b""
        while len(out) < n:
            part = self.sock.recv(n - len(out))
            if not part:
                raise ConnectionError("closed")
            out += part
        return out

    def _recv_block(self):
        return self._recv_exactly(struct.unpack(">H", self._recv_exactly(2))[0])

    def send_frame(self, kind, stream, payload=b"", code=0):
        data = struct.pack(">BBHII", kind, 0, code, stream, len(payload)) + payload
        for at in range(0, len(data), 65519):
            self._send_block(self.noise.tx.encrypt(b"", data[at:at + 65519]))

    def _need(self, n):
        while len(self.plain) < n:
            self.plain += self.noise.rx.decrypt(b"", self._recv_block())

    def recv_frame(self):
        self._need(12)
        kind, zero, code, stream, n = struct.unpack(">BBHII", self.plain[:12])
        assert zero == 0 and n <= 1 << 18
        self._need(12 + n)
        payload, self.plain = self.plain[12:12 + n], self.plain[12 + n:]
        return kind, code, stream, payload

    def call(self, method, request=b"", timeout_ms=10000):
        """The messages of one call, and its status as (code, text)."""
        stream, messages, used = self.next_id, [], 0
        self.next_id += 2
        head = struct.pack(">IB", timeout_ms, len(method)) + method.encode()
        self.send_frame(CALL, stream, head + request)
        while True:
            kind, code, on, payload = self.recv_frame()
            if kind == PING:
                self.send_frame(PONG, 0, payload)
            elif kind == MSG and on == stream:
                messages.append(payload)
                used += len(payload) + OVERHEAD
                if used >= START_CREDIT // 2:
                    self.send_frame(CREDIT, stream, struct.pack(">I", used))
                    used = 0
            elif kind == STATUS and on == stream:
                return messages, (code, payload.decode())

    def close(self):
        self.sock.close()
