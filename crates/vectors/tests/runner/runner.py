"""A runner for the archive of WebSocket exchanges, of Python's standard library alone.

Written from docs/vectors.md; it shares nothing with draftgate. For every file it checks
lengths, hashes and placeholders; for RFC 6455, hixie-75 and hixie-76 also what a server and
a client make of the streams, fed whole and octet by octet (drafts.py and extensions.py beside this file).
Exit code 1: something differs.

    python3 runner.py interop-vectors
"""

import hashlib
import re
import sys
import tomllib
from collections import Counter
from pathlib import Path

from drafts import Head, Reader

NOTICES = {"unsolicited-pong", "discarded", "repaired", "tolerated", "after-close"}
# What depends on a server's configuration or clock, not on the octets alone.
NOT_OURS = {
    "channel-invalid", "path-unknown", "origin-refused", "method-not-allowed",
    "head-timeout", "key3-timeout", "head-too-large", "uri-too-long", "answer-too-long",
}
FORMS = {
    "key": rb"[A-Za-z0-9+/]{22}==", "accept": rb"[A-Za-z0-9+/]{27}=", "key3": rb"(?s).{8}",
    "digest": rb"(?s).{16}", "mask": rb"(?s).{4}", "masked": rb"(?s).*", "redacted": rb"[^\r\n]*",
    "nonce": rb"(?s).{8}|[0-9A-Fa-f]{16}|[A-Za-z0-9+/]{22}==", "date": rb"[^\r\n]*\d\d:\d\d:\d\d[^\r\n]*",
    "key1": rb"[^\r\n]+", "key2": rb"[^\r\n]+", "server": rb"[^\r\n]+",
}
# A literal, an escape, or a placeholder: name and recorded value.
TEXT = re.compile(r"\$([$}])|\$\{([a-z0-9]+)=((?:[^$}]|\$[$}]|\$(?![{$}]))*)\}|(\$\{)|(.)", re.S)
HEX = re.compile(r"\$\{([a-z0-9]+)=([^}]*)\}|([^$]+)|(.)", re.S)


class Wrong(Exception):
    """The file does not say what the format allows."""


def octets_of(step, folder):
    """The recorded octets of a step, and its placeholders with their values."""
    out, slots = b"", []
    if "file" in step:
        out = (folder / step["file"]).read_bytes()
        if "as" in step:
            slots.append((step["as"], out))
    for escaped, name, recorded, unclosed, plain in TEXT.findall(step.get("text", "")):
        if unclosed:
            raise Wrong("a placeholder without an end")
        value = re.sub(r"\$([$}])", r"\1", recorded).encode()
        if name:
            slots.append((name, value))
        out += value + (escaped + plain).encode()
    for name, recorded, digits, stray in HEX.findall(step.get("hex", "")):
        if stray:
            raise Wrong("a `$` in hexadecimal")
        value = bytes.fromhex(recorded)
        if name:
            slots.append((name, value))
        out += value + bytes.fromhex(digits)
    return out, slots


def streams_of(exchange, folder):
    """Both streams, checked against what the file says of them."""
    streams, masked = {"client": b"", "server": b""}, set()
    for step in exchange.get("step", []):
        side = step["from"]
        octets, slots = octets_of(step, folder)
        streams[side] += octets
        for name, value in slots:
            if not re.fullmatch(FORMS[name], value):
                raise Wrong(f"{value!r} cannot be a {name}")
            if name == "mask":
                masked.add(side)
            if name == "masked" and side not in masked:
                raise Wrong("`masked` before any `mask`")
    for side, octets in streams.items():
        stated = exchange["about"]["streams"].get(side, {"octets": 0, "sha256": None})
        if len(octets) != stated["octets"]:
            raise Wrong(f"the {side}'s stream has {len(octets)} octets")
        if stated["sha256"] not in (None, hashlib.sha256(octets).hexdigest()):
            raise Wrong(f"the {side}'s stream has another hash")
    return streams


def expected_events(expect, folder):
    for event in expect["events"]:
        if isinstance(event, str):
            yield event
            continue
        (name, value), = event.items()
        if name.endswith("-file"):
            name, start = name[:-5], value.get("offset", 0)
            whole = (folder / value["file"]).read_bytes()
            value = whole[start : start + value.get("octets", len(whole))]
            value = value.decode() if name == "text" else value
        elif name in ("binary", "ping", "pong"):
            value = bytes.fromhex(value)
        elif name == "close" and value:
            value = {"code": value["code"], "reason": value.get("reason", "")}
        yield {name: value}


def judge(draft, role, expect, streams, folder):
    """What differs from what is expected of `role`, or nothing."""
    events = list(expected_events(expect, folder))
    ends = expect["ends"]
    if ends == "violation":
        ends += f": {expect['violation']['rule']}"
    stream = streams["client" if role == "server" else "server"]
    head, end, key3 = streams["client"].partition(b"\r\n\r\n")
    request = Head(head + end) if role == "client" else None
    answer, end, _ = streams["server"].partition(b"\r\n\r\n")
    recorded = Head(answer + end) if role == "server" and answer.startswith(b"HTTP/1.1 101") and end else None
    for size in {len(stream) or 1, 1 if len(stream) < 100_000 else 997}:
        reader = Reader(draft, role, request, key3[:8], recorded)
        for at in range(0, len(stream), size):
            reader.feed(stream[at : at + size])
        seen = [event for event in reader.events if name_of(event) not in NOTICES or event in events]
        if (seen, reader.ends) != (events, ends):
            return f"in pieces of {size}: expected {events!s:.200} and {ends}, got {seen!s:.200} and {reader.ends}"
        for name, fact in expect.get("answer", {}).items():
            fact = bytes.fromhex(fact) if name == "md5" else fact
            # An opening that is not finished has no answer yet.
            if "opened" in seen and name != "subprotocol" and reader.facts.get(name) != fact:
                return f"the answer's {name} is {fact!r}, computed {reader.facts.get(name)!r}"
    return None


def name_of(event):
    return event if isinstance(event, str) else next(iter(event))


def main(archive):
    done, differ = Counter(), 0
    for path in sorted(Path(archive).rglob("*.toml")):
        exchange = tomllib.loads(path.read_text(encoding="utf-8"))
        about, name = exchange["about"], path.relative_to(archive).with_suffix("")
        try:
            if exchange["format"] != 1:
                raise Wrong("another format")
            streams = streams_of(exchange, path.parent)
        except (Wrong, OSError, ValueError, KeyError) as error:
            print(f"{name}: {error}")
            differ += 1
            continue
        done["files"] += 1
        for role, expect in exchange["expect"].items():
            rules = set(expect.get("refused", {}).get("rules", []))
            if about["draft"] not in ("hixie-75", "hixie-76", "hybi-13"):
                done["other drafts"] += 1
            elif "unstated" in expect or "partial" in about or rules & NOT_OURS or (
                role == "client" and b"\r\n\r\n" not in streams["client"]
            ):
                done["not to be judged from octets"] += 1
            elif problem := judge(about["draft"], role, expect, streams, path.parent):
                print(f"{name}, as the {role}: {problem}")
                differ += 1
            else:
                done["roles as expected"] += 1
    print(", ".join(f"{count} {what}" for what, count in done.items()) + f", {differ} differ")
    return 1 if differ or not done["roles as expected"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "interop-vectors"))
