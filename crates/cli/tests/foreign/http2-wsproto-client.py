"""h2 and wsproto as a client of RFC 8441: the streams of one connection, each with the
conversation of conversation.js in turns, wsproto framing, masking and compressing what h2
carries in its windows. URL STREAMS [--deflate].

One JSON line when all streams are open, and one for each stream when it has ended, in order. Exit code 0: everything
came back and every stream ended by its closes and END_STREAM; 1: it did not.
"""

import hashlib
import json
import socket
import ssl
import sys
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate

TURNS = [
    [TextMessage("Hello")],
    [TextMessage("")],
    [TextMessage("Grüße ✓ 𝄞")],
    [TextMessage("a" * 200)],
    [TextMessage("b" * 70_000)],
    [BytesMessage(bytes(range(256)))],
    [Ping(b"still there?")],
    [TextMessage("one"), TextMessage("two"), TextMessage("three")],
]


def tell(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


def need(condition, what):
    if not condition:
        tell("error", message=what)
        sys.exit(1)


def summary(kind, octets, text=None):
    if text is not None and len(octets) <= 64:
        return {"event": kind, "text": text}
    return {"event": kind, "length": len(octets), "sha1": hashlib.sha1(octets).hexdigest()}


class Stream:
    """One WebSocket."""

    def __init__(self, connection, number, deflate):
        self.connection, self.number = connection, number
        self.deflate = PerMessageDeflate() if deflate else None
        self.frames, self.waiting, self.turn, self.owed = None, b"", 0, 0
        self.told, self.pieces, self.ended = [], [], False

    def opened(self, head):
        fields = {name: value for name, value in head}
        need(fields[":status"] == "200", f"the answer is {fields[':status']}")
        need("sec-websocket-accept" not in fields and "connection" not in fields, "the answer is one of HTTP/1.1")
        agreed = fields.get("sec-websocket-extensions")
        need((agreed is not None) == (self.deflate is not None), f"the server agrees on {agreed}")
        extensions = []
        if self.deflate:
            self.deflate.finalize(agreed.partition(";")[2])
            extensions = [self.deflate]
        self.frames = Connection(ConnectionType.CLIENT, extensions)
        self.told.append({"event": "open", "subprotocol": fields.get("sec-websocket-protocol")})
        self.next()

    def next(self):
        if self.turn == len(TURNS):
            self.say(CloseConnection(1000))
            return
        for event in TURNS[self.turn]:
            self.say(event)
        self.owed = len(TURNS[self.turn])
        self.turn += 1

    def say(self, event):
        self.waiting += self.frames.send(event)
        self.flush()

    def flush(self):
        """Sends as much as the windows of stream and connection allow."""
        while self.waiting:
            room = self.connection.local_flow_control_window(self.number)
            piece = self.waiting[: min(room, self.connection.max_outbound_frame_size)]
            if not piece:
                return
            self.connection.send_data(self.number, piece)
            self.waiting = self.waiting[len(piece) :]

    def heard(self, octets):
        self.frames.receive_data(octets)
        for event in self.frames.events():
            if isinstance(event, (TextMessage, BytesMessage)):
                self.pieces.append(event.data)
                if not event.message_finished:
                    continue
                if isinstance(event, TextMessage):
                    text = "".join(self.pieces)
                    self.told.append(summary("message", text.encode(), text))
                else:
                    self.told.append(summary("binary", b"".join(self.pieces)))
                self.pieces = []
            elif isinstance(event, Pong):
                self.told.append({"event": "pong", "text": event.payload.decode()})
            elif isinstance(event, CloseConnection):
                self.told.append({"event": "close", "code": event.code})
                continue
            else:
                need(False, f"nobody asked for {event}")
            self.owed -= 1
            if self.owed == 0:
                self.next()

    def end(self):
        self.ended = True
        need(self.told[-1] == {"event": "close", "code": 1000}, f"it ended after {self.told[-1:]}")
        try:
            self.connection.end_stream(self.number)
        except h2.exceptions.StreamClosedError:
            # Both closes are there, and the server has said that it wants no more: NO_ERROR.
            pass


def main(url, count, *options):
    to = urlsplit(url)
    transport = socket.create_connection((to.hostname, to.port), timeout=10)
    if to.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        transport = context.wrap_socket(transport, server_hostname=to.hostname)
        need(transport.selected_alpn_protocol() == "h2", "ALPN does not choose h2")
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    streams, said = {}, False
    while not streams or not all(stream.ended for stream in streams.values()):
        transport.sendall(connection.data_to_send())
        octets = transport.recv(65_536)
        need(octets, "the connection ended")
        for event in connection.receive_data(octets):
            if isinstance(event, h2.events.RemoteSettingsChanged) and not streams:
                setting = event.changed_settings.get(SettingCodes.ENABLE_CONNECT_PROTOCOL)
                need(setting and setting.new_value == 1, "there is no CONNECT for WebSocket")
                for _ in range(int(count)):
                    stream = Stream(connection, connection.get_next_available_stream_id(), "--deflate" in options)
                    ask = [
                        (":method", "CONNECT"),
                        (":protocol", "websocket"),
                        (":scheme", to.scheme),
                        (":authority", to.netloc),
                        (":path", to.path),
                        ("sec-websocket-version", "13"),
                        ("sec-websocket-protocol", "chat.example"),
                    ]
                    if stream.deflate:
                        ask.append(("sec-websocket-extensions", f"permessage-deflate; {stream.deflate.offer()}"))
                    connection.send_headers(stream.number, ask)
                    streams[stream.number] = stream
            elif isinstance(event, h2.events.ResponseReceived):
                streams[event.stream_id].opened(event.headers)
                if not said and all(stream.frames for stream in streams.values()):
                    said = True
                    tell("open", streams=len(streams))
            elif isinstance(event, h2.events.DataReceived):
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if event.data:
                    streams[event.stream_id].heard(event.data)
            elif isinstance(event, h2.events.WindowUpdated):
                for stream in streams.values():
                    stream.flush()
            elif isinstance(event, h2.events.StreamEnded):
                streams[event.stream_id].end()
            elif isinstance(event, h2.events.StreamReset):
                need(streams[event.stream_id].ended and event.error_code == ErrorCodes.NO_ERROR, str(event))
            elif isinstance(event, h2.events.ConnectionTerminated):
                need(False, str(event))
    for stream in streams.values():
        tell("stream", told=stream.told)
    connection.close_connection()
    transport.sendall(connection.data_to_send())
    transport.close()


main(*sys.argv[1:])
