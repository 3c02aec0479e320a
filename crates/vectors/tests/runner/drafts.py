"""RFC 6455, hixie-75 and hixie-76 in as little code as it takes to judge their streams.

The implementation that runner.py tests, so to speak: it is fed octets, says what it was
told, and stops where its draft is broken. Written from the drafts; not for service.
"""

import base64
import codecs
import hashlib
import re

from extensions import PerFrame, PerMessage, agreed

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = r"[A-Za-z0-9+/]{22}=="
# What the archive takes for granted where it expects `…-too-big`, `too-many-fragments`.
LIMIT = 16 << 20
FRAGMENTS = 65_536


class Refused(Exception):
    """The opening breaks a rule."""


class Violation(Exception):
    """A frame breaks the rule that is named."""


class Head:
    """First line and fields of a request or an answer."""

    def __init__(self, octets):
        self.text = octets.decode("latin-1")
        self.first, *lines = self.text[:-4].split("\r\n")
        self.fields = {}
        for line in lines:
            name, colon, value = line.partition(":")
            need(colon and re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) and "\n" not in line)
            self.fields.setdefault(name.lower(), []).append(value.strip(" \t"))

    def one(self, name):
        need(len(self.fields.get(name, [])) == 1)
        return self.fields[name][0]

    def all(self, name):
        return ", ".join(self.fields.get(name, []))

    def words(self, name):
        return [word.strip().lower() for word in self.all(name).split(",")]


def need(condition):
    if not condition:
        raise Refused


def number(key):
    """What a key of hixie-76 stands for."""
    digits, spaces = "".join(re.findall(r"[0-9]", key)), key.count(" ")
    need(digits and spaces and int(digits) % spaces == 0 and int(digits) // spaces < 2**32)
    return (int(digits) // spaces).to_bytes(4, "big")


def check_request(draft, head):
    method, _, version = (head.first.split(" ") + ["", ""])[:3]
    need(method == "GET" and version == "HTTP/1.1" and head.first.count(" ") == 2)
    need(head.one("host") and "websocket" in head.words("upgrade"))
    need("upgrade" in head.words("connection"))
    if draft == "hybi-13":
        key = head.one("sec-websocket-key")
        need(re.fullmatch(KEY, key) and head.one("sec-websocket-version") == "13")
        origins = set(head.fields.get("origin", []) + head.fields.get("sec-websocket-origin", []))
        need(len(origins) < 2)
    else:
        head.one("origin")
    if draft == "hixie-76":
        number(head.one("sec-websocket-key1")), number(head.one("sec-websocket-key2"))
        need(head.all("sec-websocket-draft") in ("", "0", "1", "2", "3"))
    need(head.all("content-length") in ("", "0", "8" if draft == "hixie-76" else "0"))


def answer_to(draft, head, key3):
    """What an answer to this request has to say."""
    if draft == "hybi-13":
        key = head.one("sec-websocket-key").encode()
        return {"accept": base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()}
    target, host = head.first.split(" ")[1], head.one("host").lower()
    facts = {"origin": head.one("origin"), "location": f"ws://{host}{target}"}
    if draft == "hixie-76":
        keys = [number(head.one(f"sec-websocket-key{n}")) for n in (1, 2)]
        facts["md5"] = hashlib.md5(b"".join(keys) + key3).digest()
    return facts


def check_answer(draft, head, request, facts):
    asked = [word.strip() for word in request.all(prefix(draft) + "protocol").split(",")]
    if draft == "hixie-75":
        start = "HTTP/1.1 101 Web Socket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        need(head.text.startswith(start))
    need(re.match(r"HTTP/1\.1 101( |$)", head.first))
    if draft == "hybi-13":
        need(head.one("upgrade").lower() == "websocket" and "upgrade" in head.words("connection"))
        need(head.one("sec-websocket-accept") == facts["accept"])
        need(all(chosen in asked for chosen in head.fields.get("sec-websocket-protocol", [])))
        return
    need(head.one("upgrade") == "WebSocket" and head.one("connection").lower() == "upgrade")
    need(head.one(prefix(draft) + "origin").lower() == facts["origin"].lower())
    need(head.one(prefix(draft) + "location") == facts["location"])
    if asked != [""]:
        need(head.one(prefix(draft) + "protocol") in asked)


def prefix(draft):
    return "websocket-" if draft == "hixie-75" else "sec-websocket-"


class Reader:
    """One role, fed octets in any pieces. `work` waits where octets are missing."""

    def __init__(self, draft, role, request, key3, answer=None):
        self.draft, self.role, self.request, self.key3 = draft, role, request, key3
        self.answer, self.inflater = answer, None
        self.buffer, self.events, self.ends, self.facts = bytearray(), [], "nothing", {}
        self.work = self.connection()

    def agree(self, request, answer):
        """What compresses the peer's messages, by both heads."""
        if self.draft != "hybi-13" or not answer.all("sec-websocket-extensions"):
            return
        self.inflater = agreed(request.all("sec-websocket-extensions"), answer.all("sec-websocket-extensions"), self.role)
        need(self.inflater)

    def feed(self, octets):
        self.buffer += octets
        try:
            next(self.work)
        except StopIteration:
            pass
        except Refused:
            self.ends = "refused"
        except Violation as rule:
            self.ends = f"violation: {rule}"

    def take(self, many):
        while len(self.buffer) < many:
            yield
        octets = bytes(self.buffer[:many])
        del self.buffer[:many]
        return octets

    def upto(self, mark):
        start = 0
        while (at := self.buffer.find(mark, start)) < 0:
            start = max(0, len(self.buffer) - len(mark) + 1)
            yield
        return (yield from self.take(at + len(mark)))

    def connection(self):
        yield from self.begin("mid-head")
        if self.role == "client" and not (yield from self.begins(b"HTTP/1.1 ")):
            raise Refused
        head = Head((yield from self.upto(b"\r\n\r\n")))
        if self.role == "server":
            check_request(self.draft, head)
            if self.draft == "hixie-76":
                self.ends = "mid-challenge"
                self.key3 = yield from self.take(8)
            self.facts = answer_to(self.draft, head, self.key3)
            if self.answer:
                # Whether to compress is a server's own choice: as it was recorded.
                self.agree(head, self.answer)
        else:
            facts = answer_to(self.draft, self.request, self.key3)
            self.agree(self.request, head)
            check_answer(self.draft, head, self.request, facts)
            if self.draft == "hixie-76":
                self.ends = "mid-challenge"
                need((yield from self.take(16)) == facts["md5"])
        self.events.append("opened")
        yield from self.frames13() if self.draft == "hybi-13" else self.frames75()

    def begin(self, ends):
        while not self.buffer:
            yield
        self.ends = ends

    def begins(self, with_what):
        """Whether the stream begins so; a line of LF alone is none either."""
        while len(self.buffer) < len(with_what) and with_what.startswith(self.buffer):
            yield
        while b"\n" not in self.buffer:
            yield
        return self.buffer.startswith(with_what) and self.buffer[self.buffer.find(b"\n") - 1] == 13

    def frames75(self):
        while True:
            self.ends = "open"
            yield from self.begin("mid-frame")
            kind = (yield from self.take(1))[0]
            if kind < 0x80:
                body = (yield from self.upto(b"\xff"))[:-1]
                if kind:
                    self.events.append({"discarded": {"frame-type": kind, "octets": len(body)}})
                    continue
                text = body.decode(errors="replace")
                mended = text.count("\ufffd") - body.count("\ufffd".encode())
                if mended:
                    self.events.append({"repaired": {"replacements": mended}})
                self.events.append({"text": text})
                continue
            length, more = 0, True
            while more:
                octet = (yield from self.take(1))[0]
                length, more = length << 7 | octet & 0x7F, octet & 0x80
            limit("length-out-of-range", length < 2**63)
            limit("frame-too-big", length <= LIMIT)
            if self.draft == "hixie-76" and (kind, length) == (0xFF, 0):
                self.events.append({"close": {}})
                self.ends = "closed"
                return
            yield from self.take(length)
            self.events.append({"discarded": {"frame-type": kind, "octets": length}})

    def frames13(self):
        message, kind, count, text, packed = b"", None, 0, None, False
        while True:
            self.ends = "mid-frame" if kind else "open"
            yield from self.begin("mid-frame")
            first, second = yield from self.take(2)
            opcode, length = first & 15, second & 127
            rsv1 = 0x40 if self.inflater and opcode in (0, 1, 2) else 0
            limit("reserved-bits", not first & 0x70 & ~rsv1)
            limit("unknown-opcode", opcode in (0, 1, 2, 8, 9, 10))
            limit("mask-missing", second & 128 or self.role == "client")
            limit("mask-unexpected", not second & 128 or self.role == "server")
            if opcode > 7:
                limit("control-fragmented", first & 128)
                limit("control-too-long", length < 126)
            elif opcode:
                limit("interleaved-message", kind is None)
            else:
                limit("continuation-without-start", kind is not None)
            if length > 125:
                least, many = (126, 2) if length == 126 else (65_536, 8)
                length = int.from_bytes((yield from self.take(many)), "big")
                limit("length-out-of-range", length < 2**63)
                limit("length-not-minimal", length >= least)
            limit("frame-too-big", length <= LIMIT)
            if opcode < 8:
                if isinstance(self.inflater, PerMessage) and not opcode:
                    limit("reserved-bits", not first & 0x40)
                else:
                    packed = bool(first & 0x40)
                limit("message-too-big", len(message) + length <= LIMIT)
            mask = (yield from self.take(4)) if second & 128 else bytes(4)
            body = unmasked(mask, (yield from self.take(length)))
            if opcode == 8:
                limit("close-body-too-short", len(body) != 1)
                code = int.from_bytes(body[:2], "big")
                limit("close-code", not body or code in (*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)))
                reason = decoded(body[2:], "close-reason-not-utf8")
                self.events.append({"close": {"code": code, "reason": reason} if body else {}})
                self.ends = "closed"
                return
            if opcode > 8:
                # A reader that sends no ping was not waiting for any pong.
                self.events.append({"ping": body} if opcode == 9 else "unsolicited-pong")
                continue
            if opcode:
                kind, message, count = opcode, b"", 0
                text = codecs.getincrementaldecoder("utf-8")() if opcode == 1 else None
            if packed:
                ends = first & 128 or isinstance(self.inflater, PerFrame)
                body = self.inflater.read(body, ends, LIMIT - len(message))
                limit("not-deflate", body is not None)
                limit("message-too-big", len(message) + len(body) <= LIMIT)
            message, count = message + body, count + 1
            limit("too-many-fragments", count <= FRAGMENTS)
            try:
                _ = text and text.decode(body, bool(first & 128))
            except UnicodeDecodeError:
                raise Violation("not-utf8") from None
            if first & 128:
                self.events.append({"text": message.decode()} if kind == 1 else {"binary": message})
                kind, message = None, b""


def limit(rule, kept):
    if not kept:
        raise Violation(rule)


def unmasked(mask, octets):
    key = (mask * (len(octets) // 4 + 1))[: len(octets)]
    return (int.from_bytes(octets, "big") ^ int.from_bytes(key, "big")).to_bytes(len(octets), "big")


def decoded(octets, rule):
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise Violation(rule) from None
