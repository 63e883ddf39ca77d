#!/usr/bin/env python3
"""Typed signatures and key conversion as docs/security.md says; prints known answers for tests."""
import hashlib

from nacl import bindings as nacl


def signing_key(seed):
    return nacl.crypto_sign_seed_keypair(seed)  # public, secret


def channel_key(secret_signing_key):
    return nacl.crypto_sign_ed25519_sk_to_curve25519(secret_signing_key)


def to_sign(kind, data):
    return b"fleetprobe-v1 " + kind.encode() + b"\0" + hashlib.blake2b(data).digest()


def sign(secret, kind, data):
    return nacl.crypto_sign(to_sign(kind, data), secret)[:64]


def verify(public, kind, data, sig):
    try:
        nacl.crypto_sign_open(sig + to_sign(kind, data), public)
        return True
    except Exception:
        return False


if __name__ == "__main__":
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    pk, sk = signing_key(seed)
    print("sign pk", pk.hex())
    print("dh pk  ", nacl.crypto_scalarmult_base(channel_key(sk)).hex())
    print("sig    ", sign(sk, "query", b"hello").hex())
