#!/usr/bin/env python3
"""A second verifier for hoop's recordings: Python's standard library only, and no code of the first one.

    python3 verify.py TARGET [--key KEY|FILE] [--checkpoint FILE] [--witness FILE] [--receipts DIR]

TARGET is a file of `hoop sessions export` or a data directory of a gateway that has stopped (its journal is not read). The verdicts, their
order and their exit codes are those of docs/verify.md; the formats are those of docs/recording-format.md. One line of JSON is printed.
"""
import argparse, base64, hashlib, json, os, re, struct, sys, zlib

EXITS = {'VALID': 0, 'VALID_OPEN': 0, 'VALID_ERASED': 0, 'REMOVED': 20, 'UNWITNESSED': 21, 'UNPINNED': 22, 'STALE': 30, 'UNLOGGED': 28,
         'GAP': 24, 'TRUNCATED': 25, 'ALTERED': 23, 'MISSING_SESSION': 27, 'LOG_ROLLBACK': 29, 'FORK': 26}
WEIGHT = list(EXITS)
MIB = 1 << 20
ANCHORS = ('open', 'head', 'close', 'interrupted')


class Found(Exception):
    """A verdict that ends the judging of what is at hand."""
    def __init__(self, verdict, at=None, why=''):
        self.verdict, self.at, self.why = verdict, at, why


def sha(*parts):
    return hashlib.sha256(b''.join(parts)).digest()


# ── Ed25519 (RFC 8032, section 5.1), verification only ──────────────────────
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def point(data):
    """Decodes a point (x, y, z, x·y); None when it is none."""
    y = int.from_bytes(data, 'little')
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, p):
    total = (0, 1, 1, 0)
    while n:
        if n & 1:
            total = add(total, p)
        p, n = add(p, p), n >> 1
    return total


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, 'little'))


def signature_holds(key, text, signature):
    a, r = point(key), point(signature[:32])
    s = int.from_bytes(signature[32:], 'little')
    if len(signature) != 64 or not a or not r or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), 'little') % L
    left, right = times(s, BASE), add(r, times(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# ── notes, keys, checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature) ──
def strict_base64(text):
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError('not base64')
    return data


def parse_key(line):
    """(name, type, id, public key) of `<name>+<id>+<key>`; None when it is none."""
    match = re.fullmatch(r'([^\s\0-\x1f\x7f-\x9f+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)', line.strip())
    try:
        data = strict_base64(match[3])
    except (TypeError, ValueError):
        return None
    key_id = sha(match[1].encode(), b'\n', data)[:4]
    return (match[1], data[0], key_id, data[1:]) if len(data) == 33 and data[0] in (1, 4) and key_id.hex() == match[2] else None


def parse_keys(text):
    lines = [line.strip() for line in text.split('\n')]
    keys = [parse_key(line) for line in lines if line and not line.startswith('#')]
    if not keys or None in keys:
        sys.exit('that is no verifier key (name+id+key)')
    return keys


class Checkpoint:
    def __init__(self, text):
        split = text.rfind('\n\n')
        if split < 0 or not text.endswith('\n') or re.search(r'[\0-\x09\x0b-\x1f\x7f-\x9f]', text):
            raise ValueError('no note')
        self.text, self.signatures = text[:split + 1], []
        for line in text[split + 2:-1].split('\n'):
            match = re.fullmatch(r'— ([^\s+]+) ([A-Za-z0-9+/]+=*)', line)
            data = strict_base64(match[2]) if match else b''
            if len(data) < 5:
                raise ValueError('no signature')
            self.signatures.append((match[1], data[:4], data[4:]))
        lines = self.text.split('\n') + ['', '']
        self.origin, self.size, self.root = lines[0], int(lines[1]), strict_base64(lines[2])
        if not self.origin or not re.fullmatch(r'0|[1-9][0-9]{0,15}', lines[1]) or len(self.root) != 32:
            raise ValueError('no checkpoint')

    def signed_by(self, key):
        name, kind, key_id, public = key
        return kind == 1 and any(signature_holds(public, self.text.encode(), data)
                                 for signer, signer_id, data in self.signatures if (signer, signer_id) == (name, key_id))

    def cosigned_by(self, key):
        name, kind, key_id, public = key
        return kind == 4 and any(
            len(data) == 72 and signature_holds(public, b'cosignature/v1\ntime %d\n' % struct.unpack('>Q', data[:8]) + self.text.encode(), data[8:])
            for signer, signer_id, data in self.signatures if (signer, signer_id) == (name, key_id))


def follow_rollovers(key, proofs):
    """The keys that followed the trusted one, each with the size of the last checkpoint that it signed, and those checkpoints: a key is
    followed where its last checkpoint has the next one's leaf."""
    keys, last = [[key, None]], []
    while len(last) < 1000:
        steps = [step for step in (rollover_from(keys[-1][0], proof) for proof in proofs) if step and all(step[1].text != old.text for old in last)]
        if not steps:
            return keys, last
        public, checkpoint = steps[0]
        keys[-1][1] = checkpoint.size
        last.append(checkpoint)
        keys.append([(key[0], 1, sha(key[0].encode(), b'\n\1', public)[:4], public), None])
    return keys, last


def rollover_from(key, proof):
    try:
        data, index, hashes, text = parse_proof(proof)
        checkpoint, leaf = Checkpoint(text), Leaf(data)
    except ValueError:
        return None
    holds = (leaf.kind == 'key' and leaf.digest != key[3] and checkpoint.origin == key[0] and checkpoint.signed_by(key)
             and inclusion_holds(leaf_hash(data), index, checkpoint.size, hashes, checkpoint.root))
    return (leaf.digest, checkpoint) if holds else None


def signed_in_time(checkpoint, keys):
    return any(checkpoint.origin == key[0] and checkpoint.signed_by(key) and (until is None or checkpoint.size <= until) for key, until in keys)


def read_receipt(proof, keys):
    """(leaf, the checkpoint that has it) of what somebody was given about a session; None when it proves nothing."""
    try:
        data, index, hashes, text = parse_proof(proof)
        checkpoint, leaf = Checkpoint(text), Leaf(data, index)
    except ValueError:
        return None
    holds = inclusion_holds(leaf_hash(data), index, checkpoint.size, hashes, checkpoint.root) and signed_in_time(checkpoint, keys)
    return (leaf, checkpoint) if holds else None


def with_receipts(leaves, receipts, session_id):
    """The leaves about a session that receipts add to those of the log: none, unless that is another log."""
    known = {leaf.data for leaf in leaves}
    return leaves + [leaf for leaf, _ in receipts if leaf.subject == session_id and leaf.data not in known]


def judge_checkpoint(text, trust, found, rollovers):
    try:
        checkpoint = Checkpoint(text)
    except ValueError:
        found.append(Found('UNPINNED', why='there is no checkpoint'))
        return None
    held, checkpoint.receipts = trust.held, []
    keys, checkpoint.rollovers = follow_rollovers(trust.key, rollovers) if trust.key else ([], [])
    for proof in trust.receipts:
        receipt = read_receipt(proof, keys)
        checkpoint.receipts += [receipt] if receipt else []
    if not signed_in_time(checkpoint, keys):
        found.append(Found('UNPINNED', why='not signed by a key that you trust'))
    if held and keys and not signed_in_time(held, keys):
        found.append(Found('UNPINNED', why='the checkpoint that you hold is not signed by the key that you trust'))
    if held and held.origin != checkpoint.origin:
        found.append(Found('FORK', why='the checkpoint that you hold is another log’s'))
    if trust.seen and trust.seen.origin != checkpoint.origin:
        found.append(Found('FORK', why='the agent has cosigned another log'))
    return checkpoint


# ── witnesses ───────────────────────────────────────────────────────────────
def parse_witness(text):
    """(keys, checkpoint that was cosigned, heads by session id) of an agent's own list; of verifier keys alone, those."""
    if not text.lstrip().startswith('{'):
        return parse_keys(text), None, {}
    keys, checkpoint, heads = [], None, {}
    for line in text[:text.rfind('\n') + 1].split('\n'):
        said = json.loads(line) if line else {}
        if 'key' in said:
            keys += parse_keys(said['key'])
        elif 'checkpoint' in said:
            checkpoint = Checkpoint(said['checkpoint'])
        elif 'session' in said:
            heads.setdefault(parse_id(said['session']), []).append((said['seq'], bytes.fromhex(said['hash']), said['sealed']))
    return keys, checkpoint, heads


def cosigned_sizes(trust, notes, own, found):
    """How many leaves of the log each witness has cosigned; `own`: the agent's list names a checkpoint that is part of this log."""
    sizes = {}
    for witness in trust.witnesses:
        held = [note.size for note in notes if note.cosigned_by(witness)] + ([trust.seen.size] if own and witness in trust.listed else [])
        if held:
            sizes[witness] = max(held)
        else:
            found.append(Found('UNWITNESSED', why='no cosignature of ' + witness[0]))
    return sizes


def witnessed(result, leaves, trust, sizes, younger=float('inf')):
    """Every witness has to have cosigned the log up to the session's end (while it runs: its beginning), unless that is very young."""
    anchor = next((leaf for leaf in leaves if leaf.kind in ('close', 'interrupted')), None) or next((leaf for leaf in leaves if leaf.kind == 'open'), None)
    missing = [key for key in trust.witnesses if anchor and sizes.get(key, 0) <= anchor.index and anchor.micros <= younger]
    return Found('UNWITNESSED', why=missing[0][0] + ' has not cosigned it') if missing and EXITS[result.verdict] == 0 else result


# ── the Merkle tree (RFC 6962; proofs as RFC 9162, 2.1.3.2 and 2.1.4.2) ─────
def leaf_hash(leaf):
    return sha(b'\0', leaf)


def node_hash(left, right):
    return sha(b'\1', left, right)


def root_of(hashes):
    """The root over leaf hashes: complete subtrees are joined from the left, the rest from the right."""
    stack = []
    for count, item in enumerate(hashes, 1):
        stack.append(item)
        while count % 2 == 0:
            right = stack.pop()
            stack[-1] = node_hash(stack[-1], right)
            count //= 2
    root = stack.pop() if stack else sha()
    while stack:
        root = node_hash(stack.pop(), root)
    return root


def inclusion_holds(leaf, index, size, proof, root):
    if index >= size:
        return False
    node, last, value = index, size - 1, leaf
    for other in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            value = node_hash(other, value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = node_hash(value, other)
        node, last = node >> 1, last >> 1
    return last == 0 and value == root


def consistency_holds(before, size, proof, root_before, root):
    if before == size:
        return not proof and root_before == root
    if before == 0:
        return not proof and root_before == sha()
    path = ([root_before] if before & (before - 1) == 0 else []) + list(proof)
    if not path:
        return False
    node, last = before - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for other in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(other, old), node_hash(other, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, other)
        node, last = node >> 1, last >> 1
    return last == 0 and old == root_before and new == root


# ── leaves, bundles, proofs ─────────────────────────────────────────────────
KINDS = ['open', 'head', 'close', 'interrupted', 'erased', 'removed', 'boot', 'key', 'agent', 'admin']


class Leaf:
    def __init__(self, data, index=None):
        self.data, self.index = data, index
        if len(data) != 72 or data[0] != 1 or not 1 <= data[1] <= len(KINDS) or any(data[2:8]):
            raise ValueError('no leaf of this version')
        self.kind, self.subject, self.digest = KINDS[data[1] - 1], data[16:32], data[40:]
        self.micros, self.number = struct.unpack('>Q', data[8:16])[0], struct.unpack('>Q', data[32:40])[0]
        if max(self.micros, self.number) >= 2**53:
            raise ValueError('an integer above 2^53')


def parse_proof(text):
    """(leaf, index, hashes, checkpoint) of a C2SP tlog-proof."""
    head, split, checkpoint = text.partition('\n\n')
    lines = head.split('\n')
    extra = b''
    if not split or lines.pop(0) != 'c2sp.org/tlog-proof@v1':
        raise ValueError('no tlog-proof')
    if lines and lines[0].startswith('extra '):
        extra = strict_base64(lines.pop(0)[6:])
    match = re.fullmatch(r'index (0|[1-9][0-9]{0,15})', lines.pop(0) if lines else '')
    hashes = [strict_base64(line) for line in lines]
    if not match or len(hashes) > 63 or any(len(item) != 32 for item in hashes):
        raise ValueError('no tlog-proof')
    return extra, int(match[1]), hashes, checkpoint


# ── sealed recordings ───────────────────────────────────────────────────────
class Sealed:
    """One file of a sealed recording. ValueError and zlib.error: not as the writer makes it."""
    def __init__(self, data, magic):
        self.data = data
        if data[:8] != magic or data[8:10] != b'\0\1':
            raise ValueError('magic or version')
        footer = data[-80:]
        index_at, index_bytes, index_crc, self.entries, self.bytes = struct.unpack('>QIIQQ', footer[:32])
        index, self.head, self.session = data[index_at:index_at + index_bytes], footer[32:64], data[16:32]
        if zlib.crc32(footer[:68]) != struct.unpack('>I', footer[68:72])[0] or index_at + index_bytes + 80 != len(data):
            raise ValueError('footer')
        if zlib.crc32(index) != index_crc or index[:8] != b'hoopidx\n':
            raise ValueError('index')
        self.members = [struct.unpack('>QII', index[at:at + 16]) for at in range(8, len(index) - 31, 32)]
        self.index_at, self.rest, self.next, self.taken = index_at, b'', 0, 0

    def expect_nothing_else(self):
        at = 32
        for offset, packed, _ in self.members:
            if offset != at or self.data[at:at + 9] != b'\x1f\x8b\x08' + bytes(6):
                raise ValueError('something else stands between the members')
            at += packed
        if any(self.data[10:16]) or at != self.index_at or sum(member[2] for member in self.members) != self.bytes:
            raise ValueError('something else stands in the file')

    def take(self, count):
        while len(self.rest) < count:
            if self.next == len(self.members):
                raise ValueError('it ends inside an entry')
            offset, packed, unpacked = self.members[self.next]
            inflate = zlib.decompressobj(31)
            piece = inflate.decompress(self.data[offset:offset + packed], MIB + 1)
            if not inflate.eof or len(piece) != unpacked or unpacked > MIB:
                raise ValueError('a member cannot be decompressed')
            self.rest, self.next = self.rest + piece, self.next + 1
        taken, self.rest = self.rest[:count], self.rest[count:]
        self.taken += count
        return taken


def fields_of(payload):
    fields, at = {}, 0
    while at < len(payload):
        tag, size = struct.unpack('>HI', payload[at:at + 6])
        fields[tag], at = payload[at + 6:at + 6 + size], at + 6 + size
    return fields


class Session:
    """Walks one session's chain and compares it with what the log says of it."""
    def __init__(self, session_id, leaves, seen=()):
        self.id, self.leaves, self.seen, self.hashes, self.due, self.erased = session_id, leaves, seen, {}, 0, []
        self.ordinal = self.micros = None
        self.sealed = False

    def judge(self, chain, payload):
        try:
            self.contradiction()
            self.walk(chain, payload)
            return max(self.compared_with_seen() + [self.compared()], key=lambda each: WEIGHT.index(each.verdict))
        except Found as found:
            return found
        except (ValueError, struct.error, zlib.error, KeyError) as error:
            return Found('ALTERED', self.due, str(error))

    def contradiction(self):
        seen = {}
        for leaf in self.leaves:
            if leaf.kind not in ANCHORS:
                continue
            key = leaf.kind if leaf.kind == 'open' else 'end' if leaf.kind in ('close', 'interrupted') else leaf.number
            if key in seen and (key in ('open', 'end') or seen[key] != leaf.digest):
                raise Found('FORK', leaf.number, 'two leaves that cannot both be')
            seen[key] = leaf.digest

    def walk(self, chain, payload):
        for data in (chain, payload):
            if len(data) < 112 or data[-8:] != b'hoopend\n':
                raise Found('TRUNCATED', 0, 'a file has lost its end')
        headers, payloads = Sealed(chain, b'hoopchn\n'), Sealed(payload, b'hooppay\n')
        if (headers.session, headers.entries, headers.head) != (payloads.session, payloads.entries, payloads.head):
            raise ValueError('the two files belong to different recordings')
        headers.expect_nothing_else()
        payloads.expect_nothing_else()
        if headers.bytes != 92 * headers.entries:
            raise ValueError('the chain file has another length than its entries')
        previous = sha(b'hoop session v1\n', self.id)
        for _ in range(headers.entries):
            header, (length,) = headers.take(92), struct.unpack('>I', payloads.take(4))
            body = None if length == 0xffffffff else payloads.take(16 + length)
            previous = self.follow(self.due, header, body, previous)
        if not headers.entries:
            raise Found('TRUNCATED', 0, 'there is no entry')
        if headers.head != previous or payloads.taken != payloads.bytes:
            raise ValueError('the footer is another recording’s')

    def follow(self, seq, header, body, previous):
        version, kind, further, _, number, micros = struct.unpack('>BBHIQQ', header[:24])
        if version != 1 or not 1 <= kind <= 14 or (kind == 14) != (further > 0) or max(number, micros) >= 2**53:
            raise ValueError('no header of this version')
        if number > seq:
            raise Found('GAP', seq, 'entry %d stands here' % number)
        if number < seq or self.sealed or header[60:92] != previous or (seq == 0) != (kind == 1):
            raise Found('ALTERED', seq, 'it does not follow')
        if body is None:
            self.erased.append(seq)
            if not any(leaf.kind == 'erased' and leaf.number == seq and leaf.digest == header[28:60] for leaf in self.leaves):
                raise Found('ALTERED', seq, 'its payload is gone')
        elif sha(b'hoop payload v1\n', body) != header[28:60]:
            raise Found('ALTERED', seq, 'its payload is not the one that was committed to')
        elif seq == 0:
            fields = fields_of(body[16:])
            if fields[70] != self.id:
                raise Found('ALTERED', 0, 'the genesis entry is another session’s')
            self.ordinal, self.micros = struct.unpack('>Q', fields[72])[0], micros
        self.sealed = kind == 12
        self.hashes[seq], self.due = sha(b'hoop entry v1\n', header), seq + 1 + further
        return self.hashes[seq]

    def compared_with_seen(self):
        for seq, digest, sealed in self.seen:
            if seq >= self.due:
                return [Found('TRUNCATED', self.due, 'the agent has seen entry %d' % seq)]
            if self.hashes.get(seq) != digest:
                return [Found('ALTERED', seq, 'it, or one before it, is not the one that the agent has seen')]
            if sealed and self.due > seq + 1:
                return [Found('ALTERED', seq + 1, 'the agent has seen the seal before it')]
        return []

    def compared(self):
        opened = [leaf for leaf in self.leaves if leaf.kind == 'open']
        if not opened:
            return Found('UNLOGGED', why='the log has no leaf that opens this session')
        if self.ordinal is not None and opened[0].number != self.ordinal:
            return Found('ALTERED', 0, 'another ordinal')
        for leaf in self.leaves:
            seq = 0 if leaf.kind == 'open' else leaf.number
            if leaf.kind in ANCHORS and seq >= self.due:
                return Found('TRUNCATED', self.due, 'the log has entry %d' % seq)
            if leaf.kind in ANCHORS and self.hashes.get(seq) != leaf.digest:
                return Found('ALTERED', seq, 'it, or one before it, is not the one that was logged')
        end = next((leaf for leaf in self.leaves if leaf.kind in ('close', 'interrupted')), None)
        if not end:
            return Found('VALID_OPEN', why='the log has no end of this session yet')
        if self.due > end.number + 1:
            return Found('ALTERED', end.number + 1, 'the log has ended before it')
        if not self.sealed:
            return Found('ALTERED', end.number, 'the log says that it is the seal')
        return Found('VALID_ERASED', why=str(self.erased)) if self.erased else Found('VALID', why='whole, and logged to its end')


# ── what can be verified ────────────────────────────────────────────────────
def read_tar(data):
    """The members of a file of `hoop sessions export`, and nothing else in it."""
    if len(data) % 512 or data[-1024:] != bytes(1024):
        raise Found('TRUNCATED', why='the file has lost its end')
    members, at, end = [], 0, len(data) - 1024
    while at < end:
        header = data[at:at + 512]
        name, size = header[:100].rstrip(b'\0'), int(header[124:135], 8)
        plain = (name.ljust(100, b'\0') + b'0000444\0' + b'0000000\0' * 2 + b'%011o\0' % size + b'00000000000\0' + b' ' * 8 + b'0').ljust(257, b'\0')
        plain = (plain + b'ustar\x0000').ljust(512, b'\0')
        if header != plain[:148] + b'%06o\0 ' % sum(plain) + plain[156:]:
            raise ValueError('no member begins at byte %d' % at)
        start, at = at + 512, at + 512 + size + -size % 512
        if at > end:
            raise Found('TRUNCATED', why='a member is not whole')
        if any(data[start + size:at]):
            raise ValueError('something stands behind a member')
        members.append((name.decode('ascii', 'replace'), data[start:start + size]))
    return members


def verify_export(path, trust, found):
    members = read_tar(open(path, 'rb').read())
    files = {name: data for name, data in reversed(members) if name.startswith('recording.')}
    texts = {name: data for name, data in members if name not in ('recording.chain', 'recording.payload')}
    if any(len(data) > 65536 for data in texts.values()):
        raise ValueError('a member is too large')
    texts = {name: data.decode('utf8', 'replace') for name, data in texts.items()}
    rollovers = [data for name, data in texts.items() if name.startswith('keys/')]
    checkpoint = judge_checkpoint(texts.get('checkpoint', ''), trust, found, rollovers)
    if not checkpoint:
        return
    text = texts.get('key', '')
    key = parse_key(text) if text == text.strip() + '\n' else None
    if not key or not checkpoint.signed_by(key):
        found.append(Found('UNPINNED', why='the key inside is not the one that signed'))
    if trust.held:
        found.extend(tied_to(trust.held, checkpoint, texts.get('consistency', '')))
    for last in checkpoint.rollovers:
        if last.size <= checkpoint.size and all(tied_to(last, checkpoint, text) for text in rollovers):
            found.append(Found('FORK', last.size, 'the log does not begin with what an earlier key has signed'))
    seen = tied_to(trust.seen, checkpoint, texts.get('consistency', '')) if trust.seen else [Found('STALE')]
    found.extend(each for each in seen if each.verdict == 'FORK')
    sizes = cosigned_sizes(trust, [note for note in (checkpoint, trust.held) if note], not seen, found)
    leaves = []
    for name in sorted(name for name in texts if name.startswith('proofs/')):
        try:
            data, index, hashes, text = parse_proof(texts[name])
            if text != texts['checkpoint'] or not inclusion_holds(leaf_hash(data), index, checkpoint.size, hashes, checkpoint.root):
                raise ValueError('not proven')
            leaves.append(Leaf(data, index))
        except ValueError:
            found.append(Found('UNLOGGED', why=name + ' does not prove its leaf'))
    chain, payload = files.get('recording.chain'), files.get('recording.payload')
    session_id = chain[16:32] if chain and len(chain) >= 32 else leaves[0].subject if leaves else None
    if session_id is None:
        raise ValueError('there is no recording in the file')
    if chain is None or payload is None:
        found.append(Found('REMOVED' if any(leaf.kind == 'removed' for leaf in leaves) else 'MISSING_SESSION'))
        return
    about = [leaf for leaf in leaves if leaf.subject == session_id]
    receipts = [(leaf, note) for leaf, note in checkpoint.receipts if leaf.index < checkpoint.size]
    if any(note.size == checkpoint.size and note.root != checkpoint.root for _, note in checkpoint.receipts):
        found.append(Found('FORK', checkpoint.size, 'a receipt was signed over another log'))
    result = Session(session_id, with_receipts(about, receipts, session_id), trust.heads.get(session_id, ())).judge(chain, payload)
    found.append(witnessed(result, about, trust, sizes))


def tied_to(held, checkpoint, text):
    if held.size > checkpoint.size:
        return [Found('STALE', checkpoint.size, 'older than the checkpoint that you hold')]
    lines, hashes = text.split('\n'), []
    if held.size < checkpoint.size:
        try:
            hashes = [strict_base64(line) for line in lines[1:-1]]
        except ValueError:
            lines = []
        if len(lines) < 2 or lines[0] != str(held.size) or lines[-1] != '' or any(len(item) != 32 for item in hashes):
            return [Found('STALE', held.size, 'no proof from the checkpoint that you hold')]
    if consistency_holds(held.size, checkpoint.size, hashes, held.root, checkpoint.root):
        return []
    return [Found('FORK', held.size, 'the log does not begin with the checkpoint that you hold')]


def tile_path(index):
    groups, index = ['%03d' % (index % 1000)], index // 1000
    while index:
        groups, index = ['x%03d' % (index % 1000)] + groups, index // 1000
    return '/'.join(groups)


def read_leaves(folder):
    index = 0
    while True:
        path = os.path.join(folder, 'tile/entries', tile_path(index))
        widths = [int(name) for name in (os.listdir(path + '.p') if os.path.isdir(path + '.p') else []) if re.fullmatch(r'[1-9][0-9]{0,2}', name)]
        width = 256 if os.path.exists(path) else max(widths, default=0)
        if not width:
            return
        data, count, at = open(path if width == 256 else '%s.p/%d' % (path, width), 'rb').read(), 0, 0
        while at < len(data):
            size = struct.unpack('>H', data[at:at + 2])[0]
            if at + 2 + size > len(data):
                raise ValueError('a bundle ends inside an entry')
            count += 1
            yield data[at + 2:at + 2 + size]
            at += 2 + size
        if count != width:
            raise ValueError('a bundle of another width')
        if width < 256:
            return
        index += 1


def verify_data_dir(path, trust, found):
    import time
    try:
        text = open(os.path.join(path, 'log/checkpoint'), encoding='utf8', newline='').read()
    except OSError:
        text = ''
    proofs, keys = [], os.path.join(path, 'log/keys')
    for name in sorted(os.listdir(keys)) if os.path.isdir(keys) else ():
        if re.fullmatch(r'[1-9][0-9]{0,3}\.tlog-proof', name):
            proofs.append(open(os.path.join(keys, name), encoding='utf8', newline='').read())
    checkpoint, leaves, hashes = judge_checkpoint(text, trust, found, proofs), [], []
    kept, folder = [], os.path.join(path, 'log/cosigned')
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        try:
            kept += [Checkpoint(open(os.path.join(folder, name), encoding='utf8', newline='').read())] if re.fullmatch('[0-9a-f]{16}', name) else []
        except ValueError:
            pass
    notes = [note for note in (checkpoint, trust.held, *kept) if note and any(note.cosigned_by(key) for key in trust.witnesses)]
    signed = [each for each in (checkpoint, trust.held, trust.seen, *checkpoint.rollovers, *notes, *{note.text: note for _, note in checkpoint.receipts}.values()) if each] if checkpoint else []
    sizes = cosigned_sizes(trust, notes, trust.seen, found) if checkpoint else {}
    try:
        for data in read_leaves(os.path.join(path, 'log')) if checkpoint else ():
            if len(hashes) < checkpoint.size:
                leaves.append(Leaf(data, len(hashes)))
            hashes.append(leaf_hash(data))
    except (ValueError, struct.error) as error:
        found.append(Found('FORK', len(hashes), str(error)))
    for each in signed:
        if each.size > len(hashes):
            found.append(Found('LOG_ROLLBACK', len(hashes), '%d leaves were signed' % each.size))
        elif root_of(hashes[:each.size]) != each.root:
            found.append(Found('FORK', each.size, 'the leaves are not those that were signed'))
    about = {}
    for leaf in leaves:
        if leaf.kind == 'open':
            about[leaf.subject] = []
        about.get(leaf.subject, []).append(leaf)
    recordings = {}
    for folder, _, names in os.walk(os.path.join(path, 'recordings')):
        for name in names:
            if re.fullmatch(r'[0-9]{10}-[0-9a-z]{26}\.chain', name):
                recordings[parse_id(name[11:37])] = os.path.join(folder, name[:37])
    receipts = checkpoint.receipts if checkpoint else []
    for session_id in {**about, **recordings, **trust.heads, **{leaf.subject: None for leaf, _ in receipts}}:
        place, known = recordings.get(session_id), about.get(session_id, [])
        if not place:
            found.append(Found('REMOVED' if any(leaf.kind == 'removed' for leaf in known) else 'MISSING_SESSION', why=session_id.hex()))
            continue
        try:
            chain, payload = open(place + '.chain', 'rb').read(), open(place + '.payload', 'rb').read()
        except OSError:
            found.append(Found('TRUNCATED', 0, 'one of its two files is missing'))
            continue
        session = Session(session_id, with_receipts(known, receipts, session_id), trust.heads.get(session_id, ()))
        result = session.judge(chain, payload)
        is_young = session.micros is not None and session.micros > (time.time() - 5) * 1e6
        result = Found('VALID_OPEN', why='begun just now') if result.verdict == 'UNLOGGED' and is_young else result
        found.append(witnessed(result, known, trust, sizes, (time.time() - 10) * 1e6))


def parse_id(text):
    value = 0
    for letter in text:
        value = value << 5 | '0123456789abcdefghjkmnpqrstvwxyz'.index(letter)
    return (value >> 2).to_bytes(16, 'big')


def main():
    parser = argparse.ArgumentParser(description='Verifies recordings of hoop; see docs/verify.md.')
    parser.add_argument('target')
    for flag in ('--key', '--checkpoint', '--witness', '--receipts'):
        parser.add_argument(flag)
    trust, found = parser.parse_args(), []
    read = lambda path: open(path, encoding='utf8', newline='').read()
    given = ([parse_key(trust.key)] if parse_key(trust.key) else parse_keys(read(trust.key))) if trust.key else []
    trust.key = next((key for key in given if key[1] == 1), None)
    trust.listed, trust.seen, trust.heads = parse_witness(read(trust.witness)) if trust.witness else ([], None, {})
    trust.witnesses = [key for key in given if key[1] == 4] + trust.listed
    trust.held = Checkpoint(read(trust.checkpoint)) if trust.checkpoint else None
    names = sorted(os.listdir(trust.receipts)) if trust.receipts else []
    trust.receipts = [read(os.path.join(trust.receipts, name)) for name in names if name.endswith('.tlog-proof')]
    try:
        (verify_data_dir if os.path.isdir(trust.target) else verify_export)(trust.target, trust, found)
    except Found as cut:
        found = [cut]
    except (ValueError, struct.error) as error:
        found = [Found('ALTERED', why=str(error))]
    worst = max(found, key=lambda each: WEIGHT.index(each.verdict)) if found else Found('VALID', why='the log is whole')
    print(json.dumps({'verdict': worst.verdict, 'at': worst.at, 'why': worst.why}))
    sys.exit(EXITS[worst.verdict])


if __name__ == '__main__':
    main()
