#!/usr/bin/ruby
# frozen_string_literal: true

# Echo server of hixie-75, hixie-76, hybi-02, hybi-03, hybi-05 to hybi-08 and
# hybi-13: Debian's em-websocket 0.5.1. Output and stdin are those of server.js,
# but that it knows no subprotocols.
#
# It waits for key3 in the segment of the head, hangs on `Content-Length: 8`,
# and aborts when a frame arrives together with the opening.

require 'em-websocket'
require 'json'
require 'socket'

DRAFTS = {
  75 => 'hixie-75', 76 => 'hixie-76', 2 => 'hybi-02', 3 => 'hybi-03', 5 => 'hybi-05',
  6 => 'hybi-06', 7 => 'hybi-07', 8 => 'hybi-08', 13 => 'hybi-13'
}.freeze

def print_line(line)
  $stdout.syswrite("#{line}\n")
end

def event(fields)
  print_line(JSON.generate(fields))
end

EM.run do
  last = nil
  server = EM::WebSocket.run(host: '127.0.0.1', port: 0) do |peer|
    peer.onopen do |opening|
      last = peer
      draft = DRAFTS.fetch(opening.protocol_version, opening.protocol_version)
      event(event: 'open', draft: draft)
    end
    peer.onmessage { |text| peer.send_text(text) }
    peer.onbinary { |octets| peer.send_binary(octets) }
    peer.onpong { |text| event(event: 'pong', text: text) }
    peer.onclose { |close| event(event: 'close', code: close && close[:code]) }
    peer.onerror { |error| event(event: 'error', reason: error.message) }
  end
  port, = Socket.unpack_sockaddr_in(EM.get_sockname(server))
  print_line("PORT #{port}")
  Thread.new do
    $stdin.each_line(chomp: true) do |line|
      EM.next_tick { last.close(1000, 'bye') } if line == 'close'
      EM.next_tick { last.ping('still there?') } if line == 'ping'
      EM.next_tick { last.send_binary((0..255).to_a.pack('C*')) } if line == 'binary'
    end
    EM.next_tick { EM.stop }
  end
end
