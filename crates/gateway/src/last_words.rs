//! How a peer is left that gets no connection: it is told why, and TCP is kept
//! until it had the time to read that.

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{Duration, timeout},
};

/// Answers `tcp` before anything was read of it.
pub(crate) async fn turn_away(mut tcp: TcpStream, answer: &[u8]) {
    say_last(&mut tcp, answer, 0).await;
}

/// Writes `answer` and closes, so that the peer gets to read it.
pub(crate) async fn say_last(
    tcp: &mut (impl AsyncRead + AsyncWrite + Unpin),
    answer: &[u8],
    read: usize,
) {
    // The peer may take its time to read, but not for ever.
    if let Ok(Ok(())) = timeout(LINGER, tcp.write_all(answer)).await {
        linger(tcp, read).await;
    }
}

const LINGER: Duration = Duration::from_secs(2);

/// What is thrown away at most of what a refused peer still sends: what it may
/// have had under way and in its buffers.
const DISCARDED: usize = 4 << 20;

/// Closes our half and reads on for a moment: TCP answers octets that nobody
/// reads with a reset, which would take our last words with it.
pub(crate) async fn linger(tcp: &mut (impl AsyncRead + AsyncWrite + Unpin), mut read: usize) {
    let _ = tcp.shutdown().await;
    let discard = async {
        // On the heap: an array would be part of every connection's task.
        let mut octets = vec![0; 16 << 10];
        while let Ok(count @ 1..) = tcp.read(&mut octets).await {
            read += count;
            if read > DISCARDED {
                return;
            }
        }
    };
    let _ = timeout(LINGER, discard).await;
}
