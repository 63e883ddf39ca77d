"""Noise_XX_25519_ChaChaPoly_BLAKE2b, written from the specification (revision 34) only.

An independent second implementation for tests: PyNaCl for X25519 and ChaCha20-Poly1305, the standard
library for BLAKE2b and HMAC. It shares nothing with proto/auth/noise.c.
"""
import hashlib
import hmac
import struct

from nacl import bindings as nacl

NAME = b"Noise_XX_25519_ChaChaPoly_BLAKE2b"
HASHLEN = 64


def blake2b(data):
    return hashlib.blake2b(data).digest()


def hkdf(chaining_key, ikm, outputs):
    temp = hmac.new(chaining_key, ikm, hashlib.blake2b).digest()
    out, last = [], b""
    for i in range(1, outputs + 1):
        last = hmac.new(temp, last + bytes([i]), hashlib.blake2b).digest()
        out.append(last)
    return out


class CipherState:
    def __init__(self, key=None):
        self.key, self.nonce = key, 0

    def _iv(self):
        return b"\0\0\0\0" + struct.pack("<Q", self.nonce)

    def encrypt(self, ad, plain):
        if self.key is None:
            return plain
        out = nacl.crypto_aead_chacha20poly1305_ietf_encrypt(plain, ad, self._iv(), self.key)
        self.nonce += 1
        return out

    def decrypt(self, ad, cipher):
        if self.key is None:
            return cipher
        out = nacl.crypto_aead_chacha20poly1305_ietf_decrypt(cipher, ad, self._iv(), self.key)
        self.nonce += 1
        return out


class NoiseXX:
    """One side of a handshake. static and ephemeral are 32-byte secrets; ephemeral None = random."""

    PATTERN = [["e"], ["e", "ee", "s", "es"], ["s", "se"]]

    def __init__(self, initiator, static, prologue, ephemeral=None):
        self.initiator = initiator
        self.s, self.e = static, ephemeral or nacl.randombytes(32)
        self.rs = self.re = None
        self.h = NAME.ljust(HASHLEN, b"\0")
        self.ck = self.h
        self.cipher = CipherState()
        self.step = 0
        self._mix_hash(prologue)

    def _mix_hash(self, data):
        self.h = blake2b(self.h + data)

    def _mix_key(self, ikm):
        self.ck, temp = hkdf(self.ck, ikm, 2)
        self.cipher = CipherState(temp[:32])

    def _dh(self, token):
        """ee, es, se: the first letter is the initiator's key, the second the responder's."""
        mine = token[0] if self.initiator else token[1]
        theirs = token[1] if self.initiator else token[0]
        secret = self.e if mine == "e" else self.s
        public = self.re if theirs == "e" else self.rs
        self._mix_key(nacl.crypto_scalarmult(secret, public))

    def _encrypt_and_hash(self, plain):
        out = self.cipher.encrypt(self.h, plain)
        self._mix_hash(out)
        return out

    def _decrypt_and_hash(self, cipher):
        out = self.cipher.decrypt(self.h, cipher)
        self._mix_hash(cipher)
        return out

    def write(self, payload=b""):
        out = b""
        for token in self.PATTERN[self.step]:
            if token == "e":
                pub = nacl.crypto_scalarmult_base(self.e)
                out += pub
                self._mix_hash(pub)
            elif token == "s":
                out += self._encrypt_and_hash(nacl.crypto_scalarmult_base(self.s))
            else:
                self._dh(token)
        out += self._encrypt_and_hash(payload)
        self._next()
        return out

    def read(self, message):
        for token in self.PATTERN[self.step]:
            if token == "e":
                self.re, message = message[:32], message[32:]
                self._mix_hash(self.re)
            elif token == "s":
                n = 32 + (16 if self.cipher.key else 0)
                self.rs = self._decrypt_and_hash(message[:n])
                message = message[n:]
            else:
                self._dh(token)
        payload = self._decrypt_and_hash(message)
        self._next()
        return payload

    def _next(self):
        self.step += 1
        if self.step == 3:
            k1, k2 = hkdf(self.ck, b"", 2)
            first, second = CipherState(k1[:32]), CipherState(k2[:32])
            self.tx, self.rx = (first, second) if self.initiator else (second, first)
