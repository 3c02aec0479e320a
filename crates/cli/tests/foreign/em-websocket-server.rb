#!/usr/bin/ruby
# frozen_string_literal: true

# Echo server of hixie-75, hixie-76 and hybi-13: Debian's em-websocket 0.5.1.
# Prints `PORT n`, one JSON line per connection and its end, and stops when
# stdin closes.
#
# It waits for key3 in the segment of the head, hangs on `Content-Length: 8`,
# and aborts when a frame arrives together with the opening.

require 'em-websocket'
require 'json'
require 'socket'

DRAFTS = { 75 => 'hixie-75', 76 => 'hixie-76', 13 => 'hybi-13' }.freeze

def print_line(line)
  $stdout.syswrite("#{line}\n")
end

def event(fields)
  print_line(JSON.generate(fields))
end

EM.run do
  server = EM::WebSocket.run(host: '127.0.0.1', port: 0) do |peer|
    peer.onopen do |opening|
      draft = DRAFTS.fetch(opening.protocol_version, opening.protocol_version)
      event(event: 'open', draft: draft)
    end
    peer.onmessage { |text| peer.send_text(text) }
    peer.onbinary { |octets| peer.send_binary(octets) }
    peer.onclose { |close| event(event: 'close', code: close && close[:code]) }
    peer.onerror { |error| event(event: 'error', reason: error.message) }
  end
  port, = Socket.unpack_sockaddr_in(EM.get_sockname(server))
  print_line("PORT #{port}")
  Thread.new do
    $stdin.read
    EM.next_tick { EM.stop }
  end
end
