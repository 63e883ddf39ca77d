#!/usr/bin/env python3
"""Write tests/data/noise/own-vectors.json with our Python implementation (deterministic).

Run: /usr/bin/python3 tests/interop/make_vectors.py [--check]   (needs python3-nacl)
The format is that of the published vectors (cacophony).
"""
import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
try:
    from noise import NAME, NoiseXX
except ImportError as e:
    print(f"skipped: {e} (package python3-nacl)")
    sys.exit(77)

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../data/noise/own-vectors.json")
# Payload sizes of the messages.
CASES = [
    ("", [0, 0, 0, 0, 0]),
    ("fleetprobe-noise-v1", [12, 111, 111, 1, 12, 300, 16, 17, 15, 64, 63, 65]),
    ("x" * 300, [1, 2, 3, 5, 8, 13, 21]),
    ("big", [100, 700, 700, 2000, 1024, 1, 4095]),
]


def stream(seed, n):
    out, i = b"", 0
    while len(out) < n:
        out += hashlib.sha256(f"{seed}/{i}".encode()).digest()
        i += 1
    return out[:n]


def vector(number, prologue, sizes):
    keys = [stream(f"{number} key {i}", 32) for i in range(4)]
    a = NoiseXX(True, keys[0], prologue.encode(), keys[1])
    b = NoiseXX(False, keys[2], prologue.encode(), keys[3])
    messages = []
    for i, size in enumerate(sizes):
        payload = stream(f"{number} payload {i}", size)
        writer, reader = (a, b) if i % 2 == 0 else (b, a)
        if i < 3:
            cipher = writer.write(payload)
            assert reader.read(cipher) == payload
        else:
            cipher = writer.tx.encrypt(b"", payload)
            assert reader.rx.decrypt(b"", cipher) == payload
        messages.append({"payload": payload.hex(), "ciphertext": cipher.hex()})
    assert a.h == b.h
    return {
        "protocol_name": NAME.decode(),
        "init_prologue": prologue.encode().hex(), "init_static": keys[0].hex(),
        "init_ephemeral": keys[1].hex(), "resp_prologue": prologue.encode().hex(),
        "resp_static": keys[2].hex(), "resp_ephemeral": keys[3].hex(),
        "handshake_hash": a.h.hex(), "messages": messages,
    }


def main():
    text = json.dumps({"own": [vector(i, *c) for i, c in enumerate(CASES)]}, indent=1) + "\n"
    if "--check" in sys.argv:
        with open(PATH) as f:
            if f.read() != text:
                sys.exit("own-vectors.json differs from what this script makes")
        return
    with open(PATH, "w") as f:
        f.write(text)


if __name__ == "__main__":
    main()
