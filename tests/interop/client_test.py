#!/usr/bin/env python3
"""client_test.py SERVER GPKEY - the client in Python against our server: keys, certificates, calls."""
import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
try:
    from client import Client, Key, Refused
except ImportError as e:
    print(f"skipped: {e} (package python3-nacl)")
    sys.exit(77)


def calls(address, key, server):
    c = Client(address, key, server)
    for size in (0, 1, 65507, 200000):
        body = os.urandom(size)
        assert c.call("echo", body) == ([body], (0, "")), size
    messages, status = c.call("count", struct.pack("<II", 40, 100000))
    assert status[0] == 0 and len(messages) == 40
    assert all(m == bytes([i]) * 100000 for i, m in enumerate(messages))
    assert c.call("nothing")[1][0] == 12
    assert c.call("write", b"x")[1][0] == 7
    c.close()


def main():
    server, gpkey = sys.argv[1:]
    with tempfile.TemporaryDirectory() as d:
        os.chdir(d)

        def run(*args):
            subprocess.run([gpkey, "-q", *args], check=True)

        run("new", "agent", "fw-1")
        run("new", "user", "alice")
        run("new", "user", "mallory")
        run("init", "acme")
        run("trust", "alice.pub", "acme.pub", "--into", "trusted_keys")
        run("issue", "issuer", "eu", "--by", "acme.key")
        run("issue", "user", "bob", "--by", "eu.key", "--roles", "query", "--days", "5")
        p = subprocess.Popen([server, "fw-1.key", "trusted_keys"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
        try:
            address, public = p.stdout.readline().strip(), Key("fw-1.key").public
            calls(address, Key("alice.key"), public)
            calls(address, Key("bob.key"), public)  # by certificate, through an issuing key
            try:
                Client(address, Key("mallory.key"), public)
                sys.exit("a stranger got in")
            except Refused as e:
                assert "not trusted" in str(e), e
        finally:
            p.stdin.close()
            p.wait(10)
    print("the client in Python works")


main()
