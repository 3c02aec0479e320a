#!/usr/bin/ruby
# frozen_string_literal: true

# Echo server of hixie-75, hixie-76, hybi-03, hybi-07, hybi-08 and
# hybi-13: Debian's websocket-ruby 1.2.9. Output and stdin are those of server.js. One connection
# after the other.
#
# It strips what it takes for white space off key3: if such an octet stands at
# either end, its answer is wrong. The event "stripped" says that it was so.

require 'json'
require 'socket'
require 'websocket'

DRAFTS = {
  75 => 'hixie-75', 76 => 'hixie-76', 3 => 'hybi-03',
  7 => 'hybi-07', 8 => 'hybi-08', 13 => 'hybi-13'
}.freeze
SUBPROTOCOL = ARGV[1]
unless ARGV.empty? || (ARGV.length == 2 && ARGV[0] == '--subprotocol')
  warn('usage: websocket-ruby-server.rb [--subprotocol NAME]')
  exit(2)
end

def print_line(line)
  $stdout.syswrite("#{line}\n")
end

def event(fields)
  print_line(JSON.generate(fields))
end

# Until `handle` can be read, or lines come on stdin, which are returned. The end
# of stdin is the end of the server.
def wait_for(handle)
  readable, = IO.select([handle, $stdin])
  readable.include?($stdin) ? $stdin.readpartial(4096) : ''
rescue EOFError
  exit
end

# One connection.
class Served
  def initialize(socket)
    @socket = socket
  end

  def run
    return unless open

    code = nil
    loop do
      while (frame = @frames.next)
        code = frame.code
        return event(event: 'close', code: code) if answer(frame) == :closed
      end
      break event(event: 'error', reason: @frames.error.to_s) if @frames.error

      lines = wait_for(@socket)
      send_frame(:ping, 'still there?') if lines =~ /^ping$/
      close if lines =~ /^close$/
      send_frame(:binary, (0..255).to_a.pack('C*')) if lines =~ /^binary$/
      @frames << @socket.readpartial(65_536) if lines.empty?
    end
  rescue EOFError, SystemCallError
    event(event: 'close', code: nil)
  ensure
    @socket.close
  end

  private

  def open
    request = String.new
    request << receive until request.b.include?("\r\n\r\n")
    wanted = request =~ /^sec-websocket-key1:/i ? 8 : 0
    request << receive while request.b.split("\r\n\r\n", 2)[1].bytesize < wanted
    @opening = WebSocket::Handshake::Server.new(protocols: [SUBPROTOCOL].compact)
    @opening << request.b
    unless @opening.valid?
      event(event: 'error', reason: @opening.error.to_s)
      return false
    end
    @socket.write(@opening.to_s)
    # What it takes for key3, and what is.
    if wanted.positive? && @opening.leftovers.bytesize < wanted
      event(event: 'stripped')
      return false
    end
    @frames = WebSocket::Frame::Incoming::Server.new(version: @opening.version)
    @frames << request.b.split("\r\n\r\n", 2)[1].byteslice(wanted..)
    agreed = @opening.to_s[/^(?:Sec-)?WebSocket-Protocol: (.*)\r/i, 1]
    event(event: 'open', draft: DRAFTS.fetch(@opening.version, @opening.version), subprotocol: agreed)
    true
  end

  def answer(frame)
    case frame.type
    when :text, :binary then send_frame(frame.type, frame.to_s)
    when :ping then send_frame(:pong, frame.to_s)
    when :pong then event(event: 'pong', text: frame.to_s)
    when :close
      send_frame(:close, '', frame.code) unless @closing
      :closed
    end
  end

  def close
    @closing = true
    case @opening.version
    when 75 then @socket.close_write
    when 76, 3 then send_frame(:close, '')
    else send_frame(:close, 'bye', 1000)
    end
  end

  def send_frame(type, data, code = nil)
    frame = WebSocket::Frame::Outgoing::Server.new(
      version: @opening.version, data: data, type: type, code: code
    )
    @socket.write(frame.to_s)
  end

  def receive
    wait_for(@socket)
    @socket.readpartial(65_536)
  end
end

listener = TCPServer.new('127.0.0.1', 0)
print_line("PORT #{listener.addr[1]}")
loop do
  wait_for(listener)
  Served.new(listener.accept).run
end
