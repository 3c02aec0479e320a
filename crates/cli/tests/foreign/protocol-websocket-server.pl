#!/usr/bin/perl
# Echo server of hixie-75, hixie-76, hybi-08 and hybi-13: Debian's
# Protocol::WebSocket 0.26. Output and stdin are those of server.js. One
# connection after the other.
#
# Its hixie-75 answer says "WebSocket Protocol Handshake" where the draft has
# "Web Socket": a client that compares octets refuses it.
# --web-socket-with-a-space writes it as the draft does.
use strict;
use warnings;
use Getopt::Long;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use Protocol::WebSocket::Frame;
use Protocol::WebSocket::Handshake::Server;

my %DRAFT = (
    'draft-hixie-75'     => 'hixie-75',
    'draft-ietf-hybi-00' => 'hixie-76',
    'draft-ietf-hybi-10' => 'hybi-08',
    'draft-ietf-hybi-17' => 'hybi-13',
);

my %option;
GetOptions(\%option, 'subprotocol=s', 'web-socket-with-a-space') && !@ARGV or do {
    print STDERR 'usage: protocol-websocket-server.pl [--subprotocol NAME]',
      " [--web-socket-with-a-space]\n";
    exit 2;
};
$SIG{PIPE} = 'IGNORE';
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 5)
  or die "cannot listen on 127.0.0.1: $@\n";
say_line('PORT ' . $listener->sockport);
while (1) {
    wait_for($listener);
    serve($listener->accept);
}

sub serve {
    my ($socket) = @_;
    my ($opening, $leftover) = answer($socket) or return;
    my $draft = $DRAFT{$opening->version} // $opening->version;
    event(event => 'open', draft => $draft, subprotocol => $opening->res->subprotocol);

    my $frames = $opening->build_frame(buffer => $leftover, max_payload_size => undef);
    my $send = sub {
        send_all($socket, $opening->build_frame(@_, max_payload_size => undef)->to_bytes);
    };
    my ($code, $closing);
    RECEIVE: while (1) {
        while (defined(my $payload = $frames->next_bytes)) {
            if ($frames->is_pong) { event(event => 'pong', text => $payload); next }
            my $type =
                $frames->is_close  ? 'close'
              : $frames->is_ping   ? 'pong'
              : $frames->is_binary ? 'binary'
              :                      'text';
            $send->(type => $type, buffer => $payload) unless $closing;
            next if $type ne 'close';
            $code = unpack 'n', $payload if length $payload >= 2;
            last RECEIVE;
        }
        my $lines = wait_for($socket);
        $send->(type => 'ping', buffer => 'still there?') if $lines =~ /^ping$/m;
        $send->(type => 'binary', buffer => join '', map { chr } 0 .. 255) if $lines =~ /^binary$/m;
        if ($lines =~ /^close$/m) {
            $closing = 1;
            if ($draft eq 'hixie-75') { $socket->shutdown(1); next }
            $send->(type => 'close', buffer => $draft eq 'hixie-76' ? '' : pack('n', 1000) . 'bye');
        }
        next if $lines;
        $socket->sysread(my $octets, 65536) or last;
        $frames->append($octets);
    }
    event(event => 'close', code => $code);
}

# Reads the request and answers it; what followed it is given back.
sub answer {
    my ($socket) = @_;
    my $opening = Protocol::WebSocket::Handshake::Server->new;
    my $octets = '';
    until ($opening->is_done) {
        wait_for($socket);
        $socket->sysread($octets, 65536) or return;
        next if $opening->parse($octets);
        event(event => 'error', reason => $opening->error);
        return;
    }
    my ($asked, $spoken) = ($opening->req->subprotocol, $option{subprotocol});
    $opening->res->subprotocol($spoken)
      if defined $spoken && grep { $_ eq $spoken } split /\s*,\s*/, $asked // '';
    my $head = $opening->to_string;
    $head =~ s/101 WebSocket/101 Web Socket/
      if $option{'web-socket-with-a-space'} && $opening->version eq 'draft-hixie-75';
    send_all($socket, $head);
    return ($opening, $octets);
}

# Until `handle` can be read, or lines come on stdin, which are returned. The end
# of stdin is the end of the server.
sub wait_for {
    my ($handle) = @_;
    my @ready = IO::Select->new($handle, \*STDIN)->can_read;
    return '' unless grep { $_ != $handle } @ready;
    sysread(STDIN, my $lines, 4096) or exit 0;
    return $lines;
}

sub send_all {
    my ($socket, $octets) = @_;
    while (length $octets) {
        my $written = $socket->syswrite($octets) // return;
        substr $octets, 0, $written, '';
    }
}

sub event { say_line(JSON::PP->new->utf8->canonical->encode({@_})) }

sub say_line { syswrite STDOUT, "$_[0]\n" }
