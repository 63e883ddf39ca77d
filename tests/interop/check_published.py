#!/usr/bin/env python3
"""Check the Python implementation against the published vectors; exit 77 when they are absent."""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
try:
    from noise import NAME, NoiseXX
except ImportError as e:
    print(f"skipped: {e} (package python3-nacl)")
    sys.exit(77)

PATH = os.path.join(HERE, "../../../shared/corpus/noise-vectors.json")


def main():
    if not os.path.exists(PATH):
        print(f"skipped: no {PATH}")
        sys.exit(77)
    done = 0
    for source, vectors in json.load(open(PATH)).items():
        for v in vectors:
            if v["protocol_name"] != NAME.decode():
                continue
            unhex = bytes.fromhex
            a = NoiseXX(True, unhex(v["init_static"]), unhex(v["init_prologue"]),
                        unhex(v["init_ephemeral"]))
            b = NoiseXX(False, unhex(v["resp_static"]), unhex(v["resp_prologue"]),
                        unhex(v["resp_ephemeral"]))
            for i, m in enumerate(v["messages"]):
                payload, want = unhex(m["payload"]), unhex(m["ciphertext"])
                writer, reader = (a, b) if i % 2 == 0 else (b, a)
                got = writer.write(payload) if i < 3 else writer.tx.encrypt(b"", payload)
                assert got == want, f"{source}: message {i}"
                back = reader.read(got) if i < 3 else reader.rx.decrypt(b"", got)
                assert back == payload
            if v.get("handshake_hash"):
                assert a.h.hex() == v["handshake_hash"]
            done += 1
    assert done >= 2, f"only {done} vectors"
    print(f"{done} published vectors pass")


main()
