#!/usr/bin/ruby
# frozen_string_literal: true

# Client of hixie-75, hixie-76, hybi-03, hybi-07, hybi-08 and hybi-13:
# Debian's websocket-ruby 1.2.9. The package frames and checks; the socket and the
# closing are written here. Conversations, output and exit codes are those of
# conversation.js.
#
# It takes the head of hixie-76's answer, and of hybi-03's, for the whole
# of it: the sixteen octets are awaited here.

require 'digest/sha1'
require 'json'
require 'optparse'
require 'socket'
require 'timeout'
require 'websocket'

VERSIONS = {
  'hixie-75' => 75, 'hixie-76' => 76, 'hybi-03' => 3,
  'hybi-07' => 7, 'hybi-08' => 8, 'hybi-13' => 13
}.freeze
CHALLENGED = %w[hixie-76 hybi-03].freeze
TEXTS = ['Hello', '', 'Grüße ✓ 𝄞', 'a' * 200, 'b' * 70_000].freeze
OCTETS = (0..255).to_a.pack('C*').freeze
AT_ONCE = %w[one two three].freeze

def event(fields)
  $stdout.syswrite("#{JSON.generate(fields)}\n")
end

def failed(reason, status = 1)
  event(event: 'error', reason: reason)
  exit!(status)
end

def usage(problem)
  warn("#{problem}\nusage: websocket-ruby-client.rb ws://HOST:PORT/PATH [--draft DRAFT] [--subprotocol NAME]" \
       ' [--up-to OCTETS] [--binary] [--ping] [--at-once COUNT] [--say TEXT [--expect TEXT]...]')
  exit(2)
end

# One connection and the conversation on it.
class Client
  def initialize(url, options)
    @options = options
    @coded = VERSIONS[options[:draft]].between?(7, 13)
    @patience = options[:say] ? 60 : 10
    @opening = WebSocket::Handshake::Client.new(
      url: url, version: VERSIONS[options[:draft]], origin: 'http://127.0.0.1',
      protocols: [options[:subprotocol]].compact
    )
    failed("#{options[:draft]}: #{@opening.error}") if @opening.error
    @socket = TCPSocket.new(@opening.host, @opening.port)
  end

  def open
    @socket.write(@opening.to_s)
    answer = String.new
    wanted = CHALLENGED.include?(@options[:draft]) ? 16 : 0
    answer << receive until answer.b =~ /\r\n\r\n/ && $'.bytesize >= wanted
    head, rest = answer.b.split("\r\n\r\n", 2)
    @opening << "#{head}\r\n\r\n".b + rest.byteslice(0, wanted)
    failed("the answer is not valid: #{@opening.error}") unless @opening.valid?
    @frames = WebSocket::Frame::Incoming::Client.new(version: @opening.version)
    @frames << rest.byteslice(wanted..)
    agreed = @opening.headers[@coded || wanted.positive? ? 'sec-websocket-protocol' : 'websocket-protocol']
    event(event: 'open', draft: @options[:draft], subprotocol: agreed)
    failed("subprotocol #{agreed}, asked for #{@options[:subprotocol]}") if agreed != @options[:subprotocol]
  end

  def echoes
    TEXTS.select { |text| text.bytesize <= @options[:up_to] }.each do |text|
      send_frame(:text, text)
      expect(:text, text)
    end
    if @options[:binary]
      send_frame(:binary, OCTETS)
      expect(:binary, OCTETS)
    end
    if @options[:ping]
      send_frame(:ping, 'still there?')
      expect(:pong, 'still there?')
    end
    @options[:at_once].each { |text| send_frame(:text, text) }
    @options[:at_once].each { |text| expect(:text, text) }
  end

  def say_and_expect
    loop do
      while (frame = buffered)
        left(frame) if frame.type == :close
        tell(frame) if @options[:expect].include?(frame.to_s.dup.force_encoding('UTF-8'))
      end
      readable, = IO.select([@socket, $stdin], nil, nil, @patience)
      failed("nothing happened for #{@patience} s", 3) if readable.nil?
      left(nil) if readable.include?(@socket) && @options[:draft] == 'hixie-75' && @socket.eof?
      @frames << receive if readable.include?(@socket)
      next unless readable.include?($stdin)

      lines = $stdin.readpartial(4096)
      send_frame(:text, @options[:say]) if lines =~ /^go$/
      return if lines =~ /^bye$/
    end
  end

  # hybi: close 1000 and the answer to it; 76: FF 00 both ways; 75: only TCP ends.
  def close
    code = nil
    if @options[:draft] == 'hixie-75'
      @socket.close_write
    else
      send_frame(:close, '')
      frame = next_frame
      failed("#{frame.type} came instead of the answer to a close") if frame.type != :close
      code = frame.code
    end
    nil while @socket.read(4096)
    event(event: 'close', code: code)
  end

  private

  # The server closed first: `frame` is answered, and TCP is its to end.
  def left(frame)
    send_frame(:close, '', frame.code) if frame
    nil while @socket.read(4096)
    event(event: 'left', code: frame&.code)
    exit
  end

  def send_frame(type, data, code = type == :close && @coded ? 1000 : nil)
    frame = WebSocket::Frame::Outgoing::Client.new(
      version: @opening.version, data: data, type: type, code: code
    )
    @socket.write(frame.to_s)
  end

  def expect(type, content)
    frame = next_frame
    tell(frame)
    failed("not the #{type} that was expected") if frame.type != type || frame.to_s.b != content.b
  end

  def tell(frame)
    octets = frame.to_s.b
    text = octets.dup.force_encoding('UTF-8')
    name = { text: 'message' }.fetch(frame.type, frame.type.to_s)
    if frame.type != :binary && text.length <= 100
      event(event: name, text: text)
    else
      event(event: name, length: octets.bytesize, sha1: Digest::SHA1.hexdigest(octets))
    end
  end

  def next_frame
    frame = nil
    @frames << receive until (frame = buffered)
    frame
  end

  # What has been received next; a ping is answered on the way.
  def buffered
    while (frame = @frames.next)
      return frame unless frame.type == :ping

      send_frame(:pong, frame.to_s)
      event(event: 'ping')
    end
    failed("a frame is not valid: #{@frames.error}") if @frames.error
  end

  def receive
    failed("nothing happened for #{@patience} s", 3) unless @socket.wait_readable(@patience)
    @socket.readpartial(65_536)
  rescue EOFError
    failed('the connection ended in the middle of the conversation')
  end
end

options = { draft: 'hybi-13', up_to: Float::INFINITY, at_once: AT_ONCE, expect: [] }
OptionParser.new do |flags|
  flags.on('--draft DRAFT', VERSIONS.keys) { |draft| options[:draft] = draft }
  flags.on('--subprotocol NAME') { |name| options[:subprotocol] = name }
  flags.on('--up-to OCTETS', Integer) { |octets| options[:up_to] = octets }
  flags.on('--binary') { options[:binary] = true }
  flags.on('--ping') { options[:ping] = true }
  flags.on('--at-once COUNT', Integer) { |count| options[:at_once] = (1..count).map(&:to_s) }
  flags.on('--say TEXT') { |text| options[:say] = text }
  flags.on('--expect TEXT') { |text| options[:expect] << text }
end.parse!
usage('no ws:// URL given') unless ARGV.length == 1 && ARGV[0].start_with?('ws://')

client = Client.new(ARGV[0], options)
client.open
options[:say] ? client.say_and_expect : client.echoes
client.close
