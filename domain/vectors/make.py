#!/usr/bin/env python3
"""Writes golden/envelope_v1.json: the envelope as another implementation makes it.

Nothing of Berth is used: AES-256-GCM-SIV and HKDF are those of PyPI `cryptography` (OpenSSL 3.2 or
later), the format is taken from doc/architecture/Encryption_Envelope_Spec.md. Run it again only
when the specification gets a new version; what is here must open in every later release.
"""
import base64, hashlib, json, pathlib
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LABEL, ALG = "berth/enc/v1", "A256GCMSIV-HKDF-CMT"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def parts(*texts):
    return b"".join(len(t.encode()).to_bytes(2, "big") + t.encode() for t in texts)


def stream(name, number, length):
    """Bytes that look random and are the same everywhere."""
    out, block = b"", 0
    while len(out) < length:
        out += hashlib.sha256(f"berth/vectors/{name}/{number}/{block}".encode()).digest()
        block += 1
    return out[:length]


def hkdf(ikm, salt, info, length):
    return HKDF(hashes.SHA256(), length, salt, info).derive(ikm)


def envelope(number, plaintext):
    kek, dek = stream("kek", number, 32), stream("dek", number, 32)
    mid, nonce, kek_nonce = stream("mid", number, 16), stream("n", number, 12), stream("kn", number, 12)
    org = f"org_{stream('org', number, 16).hex()}"
    table, column = "allocations", "scheduler_metadata.scheduler_request_enc"
    row = f"alloc_{stream('row', number, 16).hex()}"
    binding = parts("berth", org, table, column, row)
    aad = parts(LABEL, ALG, b64(mid), org, table, column, row)
    okm = hkdf(dek, mid, (LABEL + ALG).encode(), 64)
    value = {
        "v": 1, "alg": ALG, "kp": "local", "kid": "cp-main", "kv": number + 1,
        "mid": b64(mid), "edk": b64(kek_nonce + AESGCMSIV(kek).encrypt(kek_nonce, dek, binding)),
        "n": b64(nonce), "cmt": b64(okm[32:]),
        "ct": b64(AESGCMSIV(okm[:32]).encrypt(nonce, plaintext, aad)),
    }
    return {
        "organization": org, "table": table, "column": column, "row": row,
        "plaintext_hex": plaintext.hex(), "kek_hex": kek.hex(), "dek_hex": dek.hex(),
        "binding_hex": binding.hex(), "aad_hex": aad.hex(), "okm_hex": okm.hex(),
        "envelope": value,
    }


def differential(count):
    """SHA-256 over the ciphertexts of `count` drawn cases: equal only if each of them is."""
    digest = hashlib.sha256()
    for i in range(count):
        key, nonce = stream("key", i, 32), stream("nonce", i, 12)
        aad, plaintext = stream("aad", i, i % 65), stream("text", i, i * 7 % 513)
        digest.update(AESGCMSIV(key).encrypt(nonce, plaintext, aad))
    return {"cases": count, "sha256": digest.hexdigest()}


texts = [b'{"partition":"gpu","qos":"high"}', b"x", bytes(range(256)), b"y" * 1000]
document = {
    "about": "Made by domain/vectors/make.py with another implementation of the ciphers.",
    "envelopes": [envelope(i, text) for i, text in enumerate(texts)],
    "differential": differential(10_000),
}
out = pathlib.Path(__file__).parent / "golden" / "envelope_v1.json"
out.write_text(json.dumps(document, indent=1) + "\n")
