//! Reads a policy request: the one that both plug-ins send, octet by octet if
//! need be.
//!
//! Flash ends it with a NUL and Silverlight does not, so that on a port where
//! either may ask, a request without a NUL is Silverlight's only once nothing
//! more came for a moment. Silverlight waits; Flash sends its NUL at once.

use std::io;

use bytes::{BufMut, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Duration, timeout},
};

use crate::config::Plugin;

/// What is asked, by both; in Flash's a NUL follows.
pub(crate) const REQUEST: &[u8] = b"<policy-file-request/>";

/// How long Flash's NUL may take. 100 ms: it leaves with the rest, so that
/// only a lost segment parts them, and nobody sees that Silverlight waits.
const NUL_DELAY: Duration = Duration::from_millis(100);

/// What came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Policy(Plugin),
    /// Something else.
    Malformed,
    /// A beginning of it, or nothing, and no more in time.
    Late,
    /// The peer has gone before the end.
    Gone,
}

/// Reads a request, of which `read` may hold the beginning, for at most
/// `patience` and the moment that a NUL may take. `alone` is who asks, where
/// that is known; it then does not matter what follows the request.
pub(crate) async fn read(
    io: &mut (impl AsyncRead + Unpin),
    read: &mut BytesMut,
    alone: Option<Plugin>,
    patience: Duration,
) -> Asked {
    match timeout(patience, whole(io, read)).await {
        Err(_) => return Asked::Late,
        Ok(Err(asked)) => return asked,
        Ok(Ok(())) => {}
    }
    if let Some(plugin) = alone {
        return Asked::Policy(plugin);
    }
    if read.len() == REQUEST.len() {
        // Silence, the end of their half, a reset: no NUL comes.
        let _ = timeout(NUL_DELAY, more(io, read)).await;
    }
    match read.get(REQUEST.len()) {
        None => Asked::Policy(Plugin::Silverlight),
        Some(0) => Asked::Policy(Plugin::Flash),
        Some(_) => Asked::Malformed,
    }
}

/// Reads until `read` begins with the request.
async fn whole(io: &mut (impl AsyncRead + Unpin), read: &mut BytesMut) -> Result<(), Asked> {
    loop {
        let count = read.len().min(REQUEST.len());
        if read[..count] != REQUEST[..count] {
            return Err(Asked::Malformed);
        }
        if count == REQUEST.len() {
            return Ok(());
        }
        match more(io, read).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return Err(Asked::Gone),
        }
    }
}

/// Reads on, not beyond the octet behind the request.
async fn more(io: &mut (impl AsyncRead + Unpin), read: &mut BytesMut) -> io::Result<usize> {
    let left = (REQUEST.len() + 1).saturating_sub(read.len());
    io.read_buf(&mut read.limit(left)).await
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncWriteExt, duplex},
        time::{Instant, sleep},
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);
    const FLASH: &[u8] = b"<policy-file-request/>\0";

    /// What is read of parts that come one after the other, and how long that
    /// took; after the last one `end` closes the other half.
    async fn asked(
        ahead: &[u8],
        parts: &[&[u8]],
        apart: Duration,
        end: bool,
        alone: Option<Plugin>,
    ) -> (Asked, Duration) {
        let (mut ours, mut theirs) = duplex(64);
        let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
        let peer = async move {
            for part in parts {
                sleep(apart).await;
                theirs.write_all(&part).await.unwrap();
            }
            match end {
                true => drop(theirs),
                false => std::future::pending().await,
            }
        };
        let began = Instant::now();
        let mut octets = BytesMut::from(ahead);
        let asked = tokio::select! {
            asked = read(&mut ours, &mut octets, alone, PATIENCE) => asked,
            () = async { peer.await; std::future::pending().await } => unreachable!(),
        };
        assert!(octets.len() <= FLASH.len().max(ahead.len()));
        (asked, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_cut_anywhere_is_the_same_request() {
        let apart = NUL_DELAY / 2;
        for (request, plugin) in [(FLASH, Plugin::Flash), (REQUEST, Plugin::Silverlight)] {
            for cut in 1..request.len() {
                let (ahead, rest) = request.split_at(cut);
                for end in [false, true] {
                    let (asked, _) = asked(ahead, &[rest], apart, end, None).await;
                    assert_eq!(asked, Asked::Policy(plugin), "{cut} {end}");
                }
            }
            let (asked, _) = asked(request, &[], apart, false, None).await;
            assert_eq!(asked, Asked::Policy(plugin));
            let octets: Vec<&[u8]> = request.chunks(1).collect();
            let (asked, _) = self::asked(b"", &octets, apart, false, None).await;
            assert_eq!(asked, Asked::Policy(plugin), "octet by octet");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silverlight_is_known_when_no_nul_follows_and_no_sooner() {
        let (asked, took) = asked(REQUEST, &[], PATIENCE, false, None).await;
        assert_eq!(asked, Asked::Policy(Plugin::Silverlight));
        assert_eq!(took, NUL_DELAY);
        let (asked, took) = self::asked(REQUEST, &[], PATIENCE, true, None).await;
        assert_eq!(asked, Asked::Policy(Plugin::Silverlight));
        assert_eq!(took, Duration::ZERO, "the end of their half says it, too");
    }

    #[tokio::test(start_paused = true)]
    async fn where_one_plug_in_is_known_to_ask_nothing_is_waited_for() {
        for plugin in [Plugin::Flash, Plugin::Silverlight] {
            for request in [FLASH, REQUEST, b"<policy-file-request/>\r\n"] {
                let (asked, took) =
                    asked(b"", &[request], Duration::ZERO, false, Some(plugin)).await;
                assert_eq!(asked, Asked::Policy(plugin));
                assert!(took <= Duration::from_millis(1), "{took:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_dribbles_ends_in_time() {
        let octets: Vec<&[u8]> = REQUEST.chunks(1).collect();
        let (asked, took) = asked(b"", &octets, PATIENCE / 10, false, None).await;
        assert_eq!((asked, took), (Asked::Late, PATIENCE));
        let (asked, took) = self::asked(b"", &[], PATIENCE, false, Some(Plugin::Flash)).await;
        assert_eq!((asked, took), (Asked::Late, PATIENCE));
    }

    #[tokio::test(start_paused = true)]
    async fn anything_else_is_refused_at_its_first_wrong_octet() {
        for cut in 0..FLASH.len() {
            for wrong in [b'x', b'<', b' ', 0x80] {
                let mut octets = FLASH[..cut].to_vec();
                if FLASH[cut] == wrong {
                    continue;
                }
                octets.push(wrong);
                let (asked, took) = asked(&octets, &[], PATIENCE, false, None).await;
                assert_eq!((asked, took), (Asked::Malformed, Duration::ZERO), "{cut}");
            }
        }
        for cut in 0..REQUEST.len() {
            let (asked, _) = asked(&FLASH[..cut], &[], PATIENCE, true, None).await;
            assert_eq!(asked, Asked::Gone, "{cut}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_follows_flashs_nul_does_not_matter() {
        let (asked, _) = asked(b"<policy-file-request/>\0more", &[], PATIENCE, false, None).await;
        assert_eq!(asked, Asked::Policy(Plugin::Flash));
    }
}
