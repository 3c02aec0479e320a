"""permessage-deflate and deflate-frame, as far as it takes to read what they compressed.

Written from RFC 7692 and from what is said of deflate-frame; not for service.
"""

import zlib

TAIL = b"\0\0\xff\xff"
FLAGS = {"server_no_context_takeover", "client_no_context_takeover", "no_context_takeover"}


class Inflater:
    def __init__(self, context):
        self.context, self.inflate = context, None

    def read(self, octets, ends, most):
        """What `octets` hold, up to one more than `most`; `None` if they are not DEFLATE."""
        out, rest = b"", octets + (TAIL if ends else b"")
        try:
            while True:
                self.inflate = self.inflate or zlib.decompressobj(-15)
                out += self.inflate.decompress(rest, most + 1 - len(out))
                if len(out) > most:
                    return out
                # The sender may end its stream and begin another one; in the tail nobody does.
                if not self.inflate.eof or self.inflate.unused_data in (b"", TAIL):
                    break
                rest, self.inflate = self.inflate.unused_data, None
        except zlib.error:
            return None
        if self.inflate.eof or ends and not self.context:
            self.inflate = None
        return out


class PerMessage(Inflater):
    """Compresses messages: only their first frame says so."""


class PerFrame(Inflater):
    """Compresses frames: each says so for itself."""


def parsed(element):
    name, *parameters = [part.strip() for part in element.split(";")]
    said = {}
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key in said:
            return name, None
        said[key] = value
    return name, said


def in_order(name, said, offer):
    """Whether an answer has parameters as it may have them."""
    if name == "permessage-deflate":
        windows = {"server_max_window_bits", "client_max_window_bits"}
        flags = FLAGS - {"no_context_takeover"}
    else:
        windows, flags = {"max_window_bits"}, {"no_context_takeover"}
    for key, value in said.items():
        bits = key in windows and value.isdigit() and 8 <= int(value) <= 15
        if not bits and not (key in flags and not value):
            return False
    if name != "permessage-deflate":
        return True
    return ("client_max_window_bits" not in said or "client_max_window_bits" in offer) and (
        "server_no_context_takeover" in said or "server_no_context_takeover" not in offer
    )


def agreed(offered, answered, role):
    """What reads the peer of `role` where both heads say that; `None` if they must not."""
    (name, said), *others = [parsed(element) for element in answered.split(",")]
    offers = dict(parsed(element) for element in offered.split(","))
    offer = offers.get(name)
    if others or said is None or offer is None or not in_order(name, said, offer):
        return None
    if name == "permessage-deflate":
        # Whose context it is that the peer gives up.
        peer = "client" if role == "server" else "server"
        return PerMessage(f"{peer}_no_context_takeover" not in said)
    if name in ("deflate-frame", "x-webkit-deflate-frame"):
        # Either side binds the other one.
        binds = said if role == "server" else offer
        return PerFrame("no_context_takeover" not in binds)
    return None
