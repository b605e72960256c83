#!/usr/bin/env python3
"""Computes the vectors of this folder from docs/protocol.md, without any code of the project.

A second implementer's view: what is computed here was read in the protocol's clauses (cited in brackets) and in the RFCs
that they name. Needs Python 3.11, `cryptography` and `blake3`. Prints what it checked; ends with 1 at the first difference.
"""

import base64
import hashlib
import hmac
import sys
from pathlib import Path

from blake3 import blake3
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HERE = Path(__file__).parent
checked = 0


def load(name):
    """The values of a file: lines `name = hex`."""
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    pairs = (line.partition(" = ") for line in lines if not line.startswith("#"))
    return {key.removesuffix(" ="): bytes.fromhex(value) for key, _, value in pairs}


def same(what, ours, theirs):
    global checked
    if ours != theirs:
        sys.exit(f"{what} differs:\n  computed {ours.hex()}\n  vector   {theirs.hex()}")
    checked += 1


# ---- Bytes and hashes [W-7] ----


def number(value, length):
    return value.to_bytes(length, "big")


def parts(domain, *rest):
    """The domain string, then each part after its length in 8 bytes."""
    every = [domain.encode(), *rest]
    return b"".join(number(len(part), 8) + part for part in every)


def sha256(data):
    return hashlib.sha256(data).digest()


def hkdf(key, salt, info, length):
    secret = hmac.digest(salt, key, "sha256")
    return hkdf_expand(secret, info, length)


def hkdf_expand(secret, info, length):
    out, block = b"", b""
    while len(out) < length:
        block = hmac.digest(secret, block + info + bytes([len(out) // 32 + 1]), "sha256")
        out += block
    return out[:length]


# ---- Protobuf, as far as words need it [W-1, W-2] ----


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(tag, value):
    """A field; nothing if it has its default."""
    if isinstance(value, int):
        return varint(tag << 3) + varint(value) if value else b""
    return varint(tag << 3 | 2) + varint(len(value)) + value if value else b""


def fields(message):
    """The fields of a message: a list of values for each tag."""
    found, at = {}, 0

    def take():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = take()
        value = take()
        if key & 7 == 2:
            value, at = message[at : at + value], at + value
        found.setdefault(key >> 3, []).append(value)
    return found


def without(message, tag):
    """The message without one field."""
    kept = b""
    for other, values in sorted(fields(message).items()):
        for value in values:
            if other != tag:
                kept += field(other, value)
    return kept


# ---- Keys and envelopes [S-4, E-1, E-2, M-4] ----


def ed25519_public(seed):
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def key_name(suite, use, public):
    return sha256(parts("yiqiao/key/1", number(suite, 4) + number(use, 4), public))[:16]


def check_keys():
    keys = load("keys.txt")
    public = ed25519_public(keys["signing.seed"])
    same("public key", public, keys["signing.public"])
    for use in (1, 2, 3):
        same(f"key name of use {use}", key_name(1, use, public), keys[f"signing.id.{use}"])
    secret, public = x25519_of(keys["sealing.seed"])
    same("sealing key", public, keys["sealing.public"])
    same("name of the sealing key", key_name(1, 100, public), keys["sealing.id"])
    signer = Ed25519PrivateKey.from_private_bytes(keys["sealing.signer_seed"])
    same("name of its signer", key_name(1, 1, ed25519_public(keys["sealing.signer_seed"])), keys["sealing.signer"])
    signed = parts("yiqiao/sealing-key/1", keys["region"], keys["sealing.member"], number(1, 4), public)
    same("countersignature", signer.sign(signed), keys["sealing.countersignature"])


KINDS = {
    "member_list": 1,
    "entry": 2,
    "withdrawal": 3,
    "identity_statement": 4,
    "directive": 5,
    "revocation": 6,
    "credential": 7,
    "access_event": 8,
    "release": 9,
    "delivery": 10,
    "referral_step": 11,
    "pull_request": 12,
    "search_query": 13,
    "search_answer": 14,
    "lease": 15,
    "patient_query": 16,
}


def check_envelopes():
    words = load("words.txt")
    for name, kind in KINDS.items():
        payload, seed = words[f"{name}.payload"], words[f"{name}.signer_seed"]
        same(f"{name}: payload hash", sha256(payload), words[f"{name}.payload_hash"])
        key = key_name(1, 3 if name == "lease" else 1, ed25519_public(seed))
        signed = parts("yiqiao/envelope/1", words["region"], number(1, 4) + number(kind, 4), key, payload)
        signature = Ed25519PrivateKey.from_private_bytes(seed).sign(signed)
        envelope = field(1, 1) + field(2, key) + field(3, kind) + field(4, payload) + field(5, signature)
        same(f"{name}: envelope", envelope, words[f"{name}.envelope"])
    answer = words["search_answer.payload"]
    size = len(answer)
    if size < 4096 or size & (size - 1):
        sys.exit(f"an answer of {size} bytes is not padded to a power of two [Q-5]")
    # The hashes by which words name others [N-2, P-2, P-7].
    same("release names its request", fields(words["release.payload"])[1][0], words["pull_request.payload_hash"])
    same("release names its lease", fields(words["release.payload"])[14][0], words["lease.payload_hash"])
    same("delivery names its release", fields(words["delivery.payload"])[1][0], words["release.payload_hash"])
    same("answer names its query", fields(answer)[1][0], words["search_query.payload_hash"])


def check_entry():
    """One payload written from the schema alone."""
    words, hashes = load("words.txt"), load("hashes.txt")
    link = sha256(parts("yiqiao/link/1", b"\x51" * 32, number(1, 8), b"", b""))
    millis = 1_780_000_000_000
    values = [b"hospital", b"\xa1" * 32, link, b"\xe1" * 32, b"\xd1" * 32, 300_000, 4, 7, 2, 1, 16]
    values += [millis - 7_200_000, millis, millis - 3_600_000, 1, 1]
    payload = b"".join(field(tag, value) for tag, value in enumerate(values, start=1))
    same("payload of the entry", payload, words["entry.payload"])
    same("link names the entry", sha256(payload), hashes["link.previous"])


# ---- Hashes [N-2, N-3, C-8, A-3] ----


def check_hashes():
    values, words = load("hashes.txt"), load("words.txt")
    original = blake3(values["entry_id.original"]).digest()
    same("hash of the original", original, values["entry_id.original_hash"])
    names = [values[f"entry_id.{name}"] for name in ("organisation", "system", "source_id")]
    identifier = hmac.digest(values["entry_id.key"], parts("yiqiao/entry/1", *names, original), "sha256")
    same("entry id", identifier, values["entry_id"])
    link = [values[f"link.{name}"] for name in ("salt", "number", "previous", "replaces")]
    same("link", sha256(parts("yiqiao/link/1", *link)), values["link"])
    same("link in the withdrawal", fields(words["withdrawal.payload"])[3][0], values["link"])
    act = fields(words["directive.payload"])[1][0]
    same("act", act, values["challenge.act"])
    challenge = sha256(parts("yiqiao/act/1", values["region"], number(5, 4), act))
    same("challenge", challenge, values["challenge"])
    together = sorted([challenge, values["together.other"]])
    same("challenge of acts signed at once", sha256(parts("yiqiao/acts/1", *together)), values["together"])
    salted = sha256(parts("yiqiao/salted/1", values["salted.salt"], b"staff", b"7"))
    same("salted commitment", salted, values["salted"])


# ---- Log [L-2, L-3, L-5, L-6] and feed [F-2, C-10] ----


def tree_root(leaves):
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + tree_root(leaves[:split]) + tree_root(leaves[split:]))


def inclusion(place, leaves):
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if place < split:
        return inclusion(place, leaves[:split]) + [tree_root(leaves[split:])]
    return inclusion(place - split, leaves[split:]) + [tree_root(leaves[:split])]


def consistency(older, leaves, whole=True):
    if older == len(leaves):
        return [] if whole else [tree_root(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if older <= split:
        return consistency(older, leaves[:split], whole) + [tree_root(leaves[split:])]
    return consistency(older - split, leaves[split:], False) + [tree_root(leaves[:split])]


def check_log():
    log, words = load("log.txt"), load("words.txt")
    commitment = sha256(parts("yiqiao/leaf/1", log["salt"], words["entry.envelope"]))
    same("commitment", commitment, log["commitment"])
    hashes = []
    for seq in range(8):
        leaf = b"\x01" + log["region"].ljust(32, b"\0") + number(seq, 8) + number(3, 8) + number(2, 4)
        leaf += number(1_780_000_000_500, 8) + commitment
        same(f"leaf {seq}", leaf, log[f"leaf.{seq}"])
        hashes.append(sha256(b"\x00" + leaf))
        same(f"hash of leaf {seq}", hashes[-1], log[f"leaf_hash.{seq}"])
    for size in range(9):
        same(f"root of {size}", tree_root(hashes[:size]), log[f"root.{size}"])
    same("inclusion", b"".join(inclusion(2, hashes[:7])), log["inclusion.2.7"])
    same("consistency", b"".join(consistency(3, hashes)), log["consistency.3.8"])
    check_note(log)


def check_note(log):
    from base64 import b64encode

    name = b"yiqiao/demo/log-1"
    text = name + b"\n8\n" + b64encode(log["root.8"]) + b"\n"
    seed = log["checkpoint.seed"]
    short = sha256(name + b"\n\x01" + ed25519_public(seed))[:4]
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(text)
    note = text + b"\n\xe2\x80\x94 " + name + b" " + b64encode(short + signature) + b"\n"
    same("checkpoint", note, log["checkpoint.note"])


def check_feed():
    feed = load("feed.txt")
    chain = sha256(parts("yiqiao/feed/1", feed["region"], feed["member"]))
    same("chain before the feed", chain, feed["chain.0"])
    for item in range(1, 5):
        data = feed[f"item.{item}"]
        same(f"item {item} names the chain before it", fields(data)[2][0], chain)
        chain = sha256(parts("yiqiao/feed/1", chain, data))
        same(f"chain after item {item}", chain, feed[f"chain.{item}"])
    leaves = [
        sha256(b"\x00" + feed[f"head.directive.{at}.version"] + feed[f"head.directive.{at}.commitment"])
        for at in range(2)
    ]
    same("head", tree_root(leaves), feed["head.root"])
    same("empty head", tree_root([]), feed["head.empty_root"])


# ---- Sealed documents [Z-1 to Z-6] ----


def check_sealed():
    sealed = load("sealed.txt")
    key = sealed["key"]
    for name, length in (("two", 262_149), ("empty", 0)):
        header = sealed[f"{name}.header"]
        salt = header[20:52]
        commitment = hkdf(key, salt, b"yiqiao/sealed/commit/1", 32)
        ours = b"YQS1" + number(1, 4) + number(262_144, 4) + number(length, 8) + salt + commitment
        same(f"{name}: header", ours, header)
        cipher = AESGCM(hkdf(key, salt, b"yiqiao/sealed/key/1", 32))
        prefix = hkdf(key, salt, b"yiqiao/sealed/nonce/1", 7)
        plain = bytes(n % 251 for n in range(length))
        chunks = [plain[at : at + 262_144] for at in range(0, length, 262_144)] or [b""]
        hashes = []
        for at, chunk in enumerate(chunks):
            last = at + 1 == len(chunks)
            chunk = cipher.encrypt(prefix + number(at, 4) + number(last, 1), chunk, blake3(header).digest())
            hashes.append(blake3(chunk).digest())
            same(f"{name}: hash of chunk {at}", hashes[-1], sealed[f"{name}.chunk_hash.{at}"])
        same(f"{name}: last chunk", chunk, sealed[f"{name}.last_chunk"])
        same(f"{name}: document", blake3(header + b"".join(hashes)).digest(), sealed[f"{name}.document"])


# ---- HPKE, base mode (RFC 9180) [P-3, R-2] ----

KEM_SUITE = b"KEM" + number(0x20, 2)
HPKE_SUITE = b"HPKE" + number(0x20, 2) + number(1, 2) + number(2, 2)


def labeled_extract(suite, salt, label, value):
    return hmac.digest(salt, b"HPKE-v1" + suite + label + value, "sha256")


def labeled_expand(suite, secret, label, info, length):
    return hkdf_expand(secret, number(length, 2) + b"HPKE-v1" + suite + label + info, length)


def x25519_of(seed):
    """DeriveKeyPair of DHKEM(X25519)."""
    secret = labeled_expand(KEM_SUITE, labeled_extract(KEM_SUITE, b"", b"dkp_prk", seed), b"sk", b"", 32)
    return secret, X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def hpke_open(seed, sealed, info, bound):
    secret, public = x25519_of(seed)
    encapsulated, ciphertext = sealed[:32], sealed[32:]
    shared = X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(encapsulated))
    shared = labeled_extract(KEM_SUITE, b"", b"eae_prk", shared)
    shared = labeled_expand(KEM_SUITE, shared, b"shared_secret", encapsulated + public, 32)
    context = b"\x00" + labeled_extract(HPKE_SUITE, b"", b"psk_id_hash", b"")
    context += labeled_extract(HPKE_SUITE, b"", b"info_hash", info)
    secret = labeled_extract(HPKE_SUITE, shared, b"secret", b"")
    key = labeled_expand(HPKE_SUITE, secret, b"key", context, 32)
    nonce = labeled_expand(HPKE_SUITE, secret, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, ciphertext, bound)


def check_hpke():
    values, words = load("hpke.txt"), load("words.txt")
    wrapped = values["release.wrapped_key"]
    same("hash of the wrapped key", sha256(wrapped), values["release.wrapped_key_hash"])
    bound = without(words["release.payload"], 13)
    key = hpke_open(values["release.seed"], wrapped, values["release.info"], bound)
    same("document key", key, values["release.document_key"])
    bound = without(words["referral_step.payload"], 9)
    body = hpke_open(values["step.seed"], values["step.sealed_body"], values["step.info"], bound)
    same("body of the step", body, values["step.body"])


# ---- Tokens: VOPRF of RFC 9497 over ristretto255 (RFC 9496) [T-1 to T-4] ----

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
SQRT_AD_MINUS_ONE = 25063068953384623474111414158702152701244531502492656460079210482610430750235
INVSQRT_A_MINUS_D = 54469307008909316920995813868745141605393597292927456921205312896311721017578
CONTEXT = b"OPRFV1-\x01-ristretto255-SHA512"


def positive(x):
    return -x % P if x & 1 else x


def sqrt_ratio(u, v):
    root = u * v**3 * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * root * root % P
    square, flipped = check == u % P, check == -u % P
    if flipped or check == -u * SQRT_M1 % P:
        root = root * SQRT_M1 % P
    return square or flipped, positive(root)


def elligator(data):
    t = int.from_bytes(data, "little") % 2**255 % P
    r = SQRT_M1 * t * t % P
    u, v = (r + 1) * (1 - D * D) % P, (-1 - r * D) * (r + D) % P
    square, s = sqrt_ratio(u, v)
    c = -1 if square else r
    s = s if square else -positive(s * t % P) % P
    n = (c * (r - 1) * (D - 1) ** 2 - v) % P
    w = (2 * s * v % P, n * SQRT_AD_MINUS_ONE % P, (1 - s * s) % P, (1 + s * s) % P)
    return w[0] * w[3] % P, w[2] * w[1] % P, w[1] * w[3] % P, w[0] * w[2] % P


def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    left, right = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * D * t1 * t2 % P, 2 * z1 * z2 % P
    e, f, g, h = right - left, d - c, d + c, right + left
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar, point):
    total = (0, 1, 1, 0)
    for bit in bin(scalar)[2:]:
        total = add(total, total)
        total = add(total, point) if bit == "1" else total
    return total


def encode(point):
    x, y, z, t = point
    u1, u2 = (z + y) * (z - y) % P, x * y % P
    _, inverse = sqrt_ratio(1, u1 * u2 * u2 % P)
    d1, d2 = inverse * u1 % P, inverse * u2 % P
    z_inverse = d1 * d2 * t % P
    if t * z_inverse % P & 1:
        x, y, d2 = y * SQRT_M1 % P, x * SQRT_M1 % P, d1 * INVSQRT_A_MINUS_D % P
    if x * z_inverse % P & 1:
        y = -y % P
    return positive(d2 * (z - y) % P).to_bytes(32, "little")


def expand(message, tag):
    """expand_message_xmd of RFC 9380 with SHA-512, 64 bytes."""
    tag += bytes([len(tag)])
    first = hashlib.sha512(bytes(128) + message + number(64, 2) + b"\0" + tag).digest()
    return hashlib.sha512(first + b"\x01" + tag).digest()


def check_tokens():
    tokens = load("tokens.txt")
    info = b"yiqiao/token/1"
    derived = tokens["seed"] + number(len(info), 2) + info + b"\0"
    secret = int.from_bytes(expand(derived, b"DeriveKeyPair" + CONTEXT), "little") % ORDER
    y = 4 * pow(5, -1, P) % P
    _, x = sqrt_ratio(y * y - 1, D * y * y + 1)
    same("public token key", encode(multiply(secret, (x, y, 1, x * y % P))), tokens["public"])
    for person in ("resident", "card", "permit"):
        kind, identifier = tokens[f"{person}.kind"], tokens[f"{person}.identifier"]
        message = parts("yiqiao/token-input/1", tokens["region"], kind, number(1, 4), identifier)
        uniform = expand(message, b"HashToGroup-" + CONTEXT)
        element = encode(multiply(secret, add(elligator(uniform[:32]), elligator(uniform[32:]))))
        output = number(len(message), 2) + message + number(32, 2) + element + b"Finalize"
        token = sha256(parts("yiqiao/token/1", hashlib.sha512(output).digest()))
        same(f"token of the {person}", token, tokens[f"{person}.token"])


def check_calls():
    calls, words = load("calls.txt"), load("words.txt")
    same("range", field(1, b"\x11" * 32) + field(2, 16) + field(3, 16), calls["range_request"])
    receipt = field(1, 7) + field(2, 3) + field(3, 1_780_000_000_500) + field(4, b"\x5a" * 32)
    receipt += field(5, b"\x12" * 32) + field(5, b"\x13" * 32) + field(6, b"note")
    same("receipt", receipt, calls["receipt"])
    same("refusal", field(1, 8) + field(2, b"P-4"), calls["refused"])
    link = field(1, 1) + field(4, b"\x51" * 32)
    submitted = field(1, words["entry.envelope"]) + field(2, link)
    same("submission", field(1, submitted), calls["submit_request"])
    lease = field(1, b"\x83" * 32) + field(2, 3) + field(3, 2) + field(4, b"\x98" * 32)
    same("request for a lease", lease, calls["lease_request"])


def check_forms():
    """The bodies of a send and of another step, field by field [R-6]."""
    forms = load("forms.txt")
    text = lambda place, value: field(place, value.encode())
    token = field(1, 1) + field(2, b"\x71" * 32)
    listed = text(1, "hospital") + field(2, b"\xe1" * 32) + field(3, b"\xd1" * 32)
    listed += field(4, 300_000) + field(5, 4) + field(6, 7) + field(7, 2) + field(8, 1)
    listed += field(9, 1_780_000_000_000) + field(10, 1_780_000_001_000) + field(11, 1_780_000_002_000)
    listed += text(12, "血常规")
    form = field(1, field(1, 1) + text(2, "11010519491231002X")) + text(2, "张三") + field(3, 3)
    form += field(4, field(1, 1949) + field(2, 12) + field(3, 31)) + text(5, "13800000000") + field(6, token)
    form += text(7, "cardiology") + text(8, "李四") + text(9, "13900000000") + text(10, "general")
    form += field(11, 2) + field(12, 2) + text(13, "康复") + field(14, text(1, "冠心病") + text(2, "I25.1"))
    form += text(15, "胸痛\n三天") + text(16, "无") + text(17, "支架") + text(18, "随访")
    form += field(19, listed) + field(20, b"\xc1" * 32) + field(21, 1_780_000_003_000)
    same("form", form, forms["form"])
    reply = text(1, "床位") + field(2, 1_780_000_004_000) + text(3, "二楼") + text(4, "好转") + text(5, "8421")
    same("reply", reply, forms["reply"])


# ---- Passkeys [C-14, C-15; WebAuthn Level 3; RFC 9053] ----


def passkey_es256(passkeys):
    """P-256 with deterministic nonces (RFC 6979), so that the signature is one value."""
    key = ec.derive_private_key(int.from_bytes(passkeys["es256.secret"], "big"), ec.SECP256R1())
    point = key.public_key().public_numbers()
    x, y = number(point.x, 32), number(point.y, 32)
    cose = bytes.fromhex("a5010203262001215820") + x + bytes.fromhex("225820") + y
    return cose, lambda message: key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def passkey_rs256(passkeys):
    p, q = (int.from_bytes(passkeys[f"rs256.{prime}"], "big") for prime in "pq")
    e = 65_537
    d = rsa.rsa_recover_private_exponent(e, p, q)
    public = rsa.RSAPublicNumbers(e, p * q)
    parts_of_d = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    key = rsa.RSAPrivateNumbers(p, q, d, *parts_of_d, public).private_key()
    cose = bytes.fromhex("a40103033901002059") + number(256, 2) + number(p * q, 256) + bytes.fromhex("2143010001")
    return cose, lambda message: key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def passkey_eddsa(passkeys):
    key = Ed25519PrivateKey.from_private_bytes(passkeys["eddsa.secret"])
    cose = bytes.fromhex("a4010103272006215820") + key.public_key().public_bytes_raw()
    return cose, key.sign


def client_data(ceremony, passkeys):
    challenge = base64.urlsafe_b64encode(passkeys["challenge"]).rstrip(b"=").decode()
    origin = passkeys["origin"].decode()
    return f'{{"type":"{ceremony}","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}'.encode()


def passkey_values(passkeys):
    """What each passkey says when it is made and when it signs."""
    rp_id_hash = hashlib.sha256(passkeys["rp_id"]).digest()
    get, create = client_data("webauthn.get", passkeys), client_data("webauthn.create", passkeys)
    yield "client_data", get
    yield "create.client_data", create
    # User present and verified, backed up; no counter.
    authenticator = rp_id_hash + b"\x1d" + number(0, 4)
    yield "authenticator", authenticator
    for name, make in (("es256", passkey_es256), ("rs256", passkey_rs256), ("eddsa", passkey_eddsa)):
        cose, sign = make(passkeys)
        credential_id = passkeys["credential_id"]
        attested = b"\xaa" * 16 + number(len(credential_id), 2) + credential_id + cose
        yield f"{name}.cose", cose
        yield f"{name}.create.authenticator", rp_id_hash + b"\x5d" + number(0, 4) + attested
        yield f"{name}.signature", sign(authenticator + hashlib.sha256(get).digest())


def check_passkeys():
    passkeys = load("passkeys.txt")
    same("challenge of passkeys", load("hashes.txt")["challenge"], passkeys["challenge"])
    for name, value in passkey_values(passkeys):
        same(f"passkey {name}", value, passkeys[name])


for check in (
    check_keys,
    check_envelopes,
    check_entry,
    check_hashes,
    check_log,
    check_feed,
    check_sealed,
    check_hpke,
    check_tokens,
    check_calls,
    check_forms,
    check_passkeys,
):
    check()
print(f"{checked} values agree")
