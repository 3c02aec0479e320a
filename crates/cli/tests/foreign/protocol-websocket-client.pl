#!/usr/bin/perl
# Client of hixie-75, hixie-76, hybi-08 and hybi-13: Debian's
# Protocol::WebSocket 0.26.
# The package frames and checks; the socket and the closing are written here.
# Conversations, output and exit codes are those of conversation.js.
#
# Its hixie-76 request carries `Content-Length: 8`, as no browser's does:
# --without-content-length takes the line out before the request is sent.
use strict;
use warnings;
use utf8;
use Digest::SHA qw(sha1_hex);
use Encode qw(encode decode);
use Getopt::Long;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Protocol::WebSocket::Frame;
use Protocol::WebSocket::Handshake::Client;

my %VERSION = (
    'hixie-75' => 'draft-hixie-75',
    'hixie-76' => 'draft-ietf-hybi-00',
    'hybi-08'  => 'draft-ietf-hybi-10',
    'hybi-13'  => 'draft-ietf-hybi-17',
);
my @TEXTS = ('Hello', '', 'Grüße ✓ 𝄞', 'a' x 200, 'b' x 70_000);

my $OCTETS = join '', map { chr } 0 .. 255;

my %option = (draft => 'hybi-13', 'up-to' => 1e9, expect => []);
GetOptions(\%option, 'draft=s', 'subprotocol=s', 'up-to=i', 'binary', 'ping', 'say=s', 'expect=s@',
    'at-once=i', 'without-content-length')
  or usage('unknown option');
my $url = shift @ARGV // usage('no ws:// URL given');
my ($host, $port) = $url =~ m{^ws://([^:/]+):(\d+)/} or usage("not ws://HOST:PORT/PATH: $url");
my $draft = $option{draft};
my $version = $VERSION{$draft} or usage('this peer speaks ' . join ', ', sort keys %VERSION);
my $coded = $draft =~ /^hybi/;
$_ = decode('UTF-8', $_) for grep { defined } $option{say}, @{ $option{expect} };

my $bus = defined $option{say};
my $patience = $bus ? 60 : 10;
$SIG{ALRM} = sub { failed("nothing happened for $patience s", 3) };
$SIG{PIPE} = 'IGNORE';
alarm $patience;

my $socket = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port)
  or failed("cannot connect to $host:$port: $@");
my $leftover = open_connection();
my $frames = Protocol::WebSocket::Frame->new(version => $version, max_payload_size => undef);
$bus ? say_and_expect() : echoes();
close_connection();

sub open_connection {
    my $opening = Protocol::WebSocket::Handshake::Client->new(url => $url, version => $version);
    $opening->req->subprotocol($option{subprotocol}) if defined $option{subprotocol};
    my $request = $opening->to_string;
    $request =~ s/Content-Length: 8\x0d\x0a// if $option{'without-content-length'};
    $socket->syswrite($request);

    my $octets = '';
    until ($opening->is_done) {
        $socket->sysread($octets, 65536) or failed('the connection ended during the opening');
        $opening->parse($octets) or failed($opening->error);
    }
    my $spoken = $opening->res->version;    # the package calls them all "hybi-10" in answers
    failed("asked for $version, answered as $spoken")
      if !$coded && $spoken ne $version;
    my ($got, $wanted) = ($opening->res->subprotocol, $option{subprotocol});
    event(event => 'open', draft => $draft, subprotocol => $got);
    failed('subprotocol ' . ($got // 'none') . ', asked for ' . ($wanted // 'none'))
      if ($got // '') ne ($wanted // '');
    return $octets;
}

sub echoes {
    for my $text (grep { length encode('UTF-8', $_) <= $option{'up-to'} } @TEXTS) {
        send_frame(type => 'text', buffer => encode('UTF-8', $text));
        expect('message', $text);
    }
    if ($option{binary}) {
        send_frame(type => 'binary', buffer => $OCTETS);
        expect('binary', $OCTETS);
    }
    if ($option{ping}) {
        send_frame(type => 'ping', buffer => 'still there?');
        expect('pong', 'still there?');
    }
    my @at_once = $option{'at-once'} ? (1 .. $option{'at-once'}) : ('one', 'two', 'three');
    send_frame(type => 'text', buffer => $_) for @at_once;
    expect('message', $_) for @at_once;
}

sub expect {
    my ($kind, $content) = @_;
    my @next;
    until (@next = buffered()) { receive() or ended_early() }
    event(event => $next[0], summary(@next));
    failed("not the $kind that was expected") if $next[0] ne $kind || $next[1] ne $content;
    alarm $patience;
}

sub say_and_expect {
    my $sources = IO::Select->new($socket, \*STDIN);
    my $lines = '';
    while (1) {
        while (my ($kind, $text) = buffered()) {
            event(event => $kind, summary($kind, $text)) if grep { $_ eq $text } @{ $option{expect} };
        }
        for my $ready ($sources->can_read) {
            if ($ready == $socket) { receive() or left(); next }
            sysread(STDIN, $lines, 4096, length $lines) or failed('stdin ended before "bye"');
            send_frame(type => 'text', buffer => encode('UTF-8', $option{say})) if $lines =~ s/^go\n//m;
            return if $lines =~ /^bye$/m;
        }
    }
}

# hybi: close 1000 and the answer to it; 76: FF 00 both ways; 75: only TCP ends.
sub close_connection {
    if ($draft eq 'hixie-75') {
        $socket->shutdown(1);
    }
    else {
        send_frame(type => 'close', buffer => $coded ? pack('n', 1000) : '');
        1 while buffered(1) || (!$frames->is_close && receive());
        ended_early() unless $frames->is_close;
    }
    1 while receive();
    event(event => 'close', code => $coded ? close_code() : undef);
    exit 0;
}

my $close_payload;

# What has been received next: its kind and content, or nothing. A ping is
# answered on the way.
sub buffered {
    my ($closing) = @_;
    $frames->append($leftover);
    while (defined(my $payload = $frames->next_bytes)) {
        if ($frames->is_close) {
            $close_payload = $payload;
            return if $closing;
            ended_early() unless $bus;
            send_frame(type => 'close', buffer => $payload);
            1 while receive();
            left();
        }
        if ($frames->is_ping) {
            send_frame(type => 'pong', buffer => $payload);
            event(event => 'ping');
            next;
        }
        return ('pong', $payload) if $frames->is_pong;
        return ('binary', $payload) if $frames->is_binary;
        return ('message', decode('UTF-8', $payload, Encode::FB_CROAK));
    }
    return;
}

sub close_code { return length $close_payload >= 2 ? unpack('n', $close_payload) : undef }

sub receive { return $socket->sysread($leftover, 65536, length $leftover) }

sub send_frame {
    my $octets = Protocol::WebSocket::Frame->new(
        version => $version, masked => 1, max_payload_size => undef, @_)->to_bytes;
    while (length $octets) {
        my $written = $socket->syswrite($octets) // failed("cannot write: $!");
        substr $octets, 0, $written, '';
    }
}

sub summary {
    my ($kind, $content) = @_;
    return (text => $content) if $kind ne 'binary' && length $content <= 100;
    my $octets = $kind eq 'binary' ? $content : encode('UTF-8', $content);
    return (length => length $octets, sha1 => sha1_hex($octets));
}

sub event { syswrite STDOUT, JSON::PP->new->utf8->canonical->encode({@_}) . "\n" }

sub left {
    ended_early() if $draft ne 'hixie-75' && !$frames->is_close;
    event(event => 'left', code => $coded ? close_code() : undef);
    exit 0;
}

sub ended_early { failed('the connection ended in the middle of the conversation') }

sub failed {
    my ($reason, $status) = @_;
    event(event => 'error', reason => "$reason");
    exit($status // 1);
}

sub usage {
    my ($problem) = @_;
    print STDERR "$problem\nusage: protocol-websocket-client.pl ws://HOST:PORT/PATH"
      . ' [--draft hixie-75|hixie-76|hybi-08|hybi-13] [--subprotocol NAME] [--up-to OCTETS]'
      . ' [--binary] [--ping] [--at-once COUNT] [--say TEXT [--expect TEXT]...]'
      . " [--without-content-length]\n";
    exit 2;
}
