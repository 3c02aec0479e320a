"""Echo server of hixie-75, hixie-76, hybi-08 and hybi-13: PyPI's eventlet 0.41.3.

Output and stdin are those of server.js. It gives a hixie-76 client any
subprotocol that it asks for, and "default" if it asks for none; a hixie-75
client gets none. It tells nobody of pongs: what handles them is wrapped.
"""

import json
import os
import struct
import sys
import warnings

warnings.filterwarnings("ignore")  # it says on import that it is old

import eventlet
import eventlet.hubs
import eventlet.websocket
import eventlet.wsgi

DRAFTS = {75: "hixie-75", 76: "hixie-76", 8: "hybi-08", 13: "hybi-13"}
OCTETS = bytes(range(256))

last = None


def say(line):
    os.write(1, (line + "\n").encode())


def event(**fields):
    say(json.dumps(fields))


def served(peer):
    global last
    last = peer
    event(event="open", draft=DRAFTS[peer.version], subprotocol=agreed(peer))
    while True:
        message = peer.wait()
        if message is None:
            break
        peer.send(message)
    told = getattr(peer, "_remote_close_data", b"")
    code = struct.unpack_from("!H", told)[0] if told else None
    event(event="close", code=code)


def agreed(peer):
    asked = peer.environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL")
    if peer.version == 76:
        return asked or "default"
    return peer.protocol or None


def heed_stdin():
    while True:
        eventlet.hubs.trampoline(0, read=True)
        lines = os.read(0, 4096)
        if not lines:
            os._exit(0)
        for line in lines.split():
            if line == b"ping":
                last.send(b"still there?", control_code=9)
            elif line == b"binary":
                last.send(OCTETS)
            elif line == b"close" and last.version in (8, 13):
                last._send_closing_frame(close_data=(1000, "bye"))
            elif line == b"close":
                last.close()


def tell_pongs():
    kind = eventlet.websocket.RFC6455WebSocket
    handle = kind._handle_control_frame

    def told(self, opcode, data):
        if opcode == 0xA:
            event(event="pong", text=bytes(data).decode())
        return handle(self, opcode, data)

    kind._handle_control_frame = told


def main():
    subprotocols = [sys.argv[2]] if sys.argv[1:2] == ["--subprotocol"] else []
    if len(sys.argv) != 1 + 2 * len(subprotocols):
        sys.exit("usage: eventlet-server.py [--subprotocol NAME]")
    tell_pongs()
    listener = eventlet.listen(("127.0.0.1", 0))
    say("PORT %d" % listener.getsockname()[1])
    eventlet.spawn(heed_stdin)
    application = eventlet.websocket.WebSocketWSGI.configured(
        served, supported_protocols=subprotocols, support_legacy_versions=True
    )
    eventlet.wsgi.server(listener, application, log_output=False)


main()
