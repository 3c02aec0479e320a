//! What was agreed on in an opening that somebody else held, for whoever reads
//! what followed.

use draftgate_core::{Draft, Role};
use draftgate_wire::{
    Agreed,
    opening::{AnswerChecks, Judge, Refusal},
};

use crate::{agreed::Agreement, client::Offers, name::Name, settings::Settings};

/// An agreement as each of its sides has it.
#[derive(Debug)]
pub struct Recorded {
    name: Name,
    /// As the client has it: it reads what the server sends.
    pub client: Box<dyn Agreed>,
    /// As the server has it: it reads what the client sends.
    pub server: Box<dyn Agreed>,
}

/// What was agreed on where the request `offered` and the server `answered`, each
/// as it stands in `Sec-WebSocket-Extensions`.
///
/// # Errors
/// [`RefusalKind::AnswerExtension`](draftgate_wire::opening::RefusalKind::AnswerExtension):
/// it was not offered, or not like that, so that nobody could follow it.
pub fn recorded(offered: &str, answered: &str) -> Result<Recorded, Refusal> {
    let mut judge = Judge {
        checks: AnswerChecks::Lenient,
        ..Judge::default()
    };
    let client = Offers::RECORDED.agreement(offered, answered, &mut judge)?;
    let server = Agreement {
        name: client.name,
        field: client.field.clone(),
        ours: client.theirs,
        theirs: client.ours,
        settings: client.settings,
    };
    Ok(Recorded {
        name: client.name,
        client: Box::new(client),
        server: Box::new(server),
    })
}

impl Recorded {
    /// As it is for whoever reads what `from` sends: the other side.
    pub fn reading(&self, from: Role) -> &dyn Agreed {
        match from {
            Role::Client => &*self.server,
            Role::Server => &*self.client,
        }
    }

    /// Whether it is an extension of `draft`.
    pub fn is_of(&self, draft: Draft) -> bool {
        self.name.goes_with(draft)
    }
}

impl Offers {
    /// Those of a client that was recorded: whatever its request says.
    pub const RECORDED: Self = Self {
        settings: Settings {
            level: 6,
            least: 128,
            window_bits: 15,
            takeover: true,
            stream: true,
        },
    };
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use draftgate_wire::{Opcode, Rest};

    use super::*;

    /// What `agreed` reads where one payload after the other comes.
    fn read(agreed: &dyn Agreed, payloads: [&[u8]; 2]) -> Vec<Option<Vec<u8>>> {
        let mut extension = agreed.extension().unwrap();
        let one = |payload: &[u8]| {
            let mut input = BytesMut::from(payload);
            assert_eq!(extension.begin(Opcode::Text, 0x40), Ok(true));
            let mut all = Vec::new();
            while let Some(run) = extension.decode(&mut input, Rest::Message).ok()? {
                all.extend_from_slice(&run);
            }
            Some(all)
        };
        payloads.map(one).into()
    }

    #[test]
    fn each_side_reads_as_the_other_one_writes() {
        // RFC 7692 §7.2.3.2: the second refers to the first.
        let hello = [
            &b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
            b"\xf2\x00\x11\x00\x00",
        ];
        let both = vec![Some(b"Hello".to_vec()); 2];
        let first = vec![Some(b"Hello".to_vec()), None];
        for (offered, answered, by_client, by_server) in [
            ("permessage-deflate", "permessage-deflate", &both, &both),
            (
                "permessage-deflate",
                "permessage-deflate; client_no_context_takeover",
                &first,
                &both,
            ),
            (
                "permessage-deflate",
                "permessage-deflate; server_no_context_takeover",
                &both,
                &first,
            ),
            (
                "deflate-frame",
                "deflate-frame; no_context_takeover",
                &first,
                &both,
            ),
            (
                "x-webkit-deflate-frame; no_context_takeover",
                "x-webkit-deflate-frame",
                &both,
                &first,
            ),
        ] {
            let Recorded { client, server, .. } = recorded(offered, answered).unwrap();
            assert_eq!(&read(&*server, hello), by_client, "{answered}");
            assert_eq!(&read(&*client, hello), by_server, "{answered}");
            assert_eq!(
                (client.field(), server.field()),
                (answered.into(), answered.into())
            );
        }
        assert!(recorded("deflate-frame", "permessage-deflate").is_err());
        assert!(recorded("", "permessage-deflate").is_err());
    }

    #[test]
    fn a_stream_is_read_in_pieces() {
        let agreed = recorded("deflate-stream", "deflate-stream").unwrap().server;
        assert!(agreed.extension().is_none());
        let mut unpack = agreed.unpacker().unwrap();
        let mut plain = Vec::new();
        for octet in b"\x6a\x64\xf5\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff" {
            let mut input = BytesMut::from(&[*octet][..]);
            while let Some(run) = unpack.unpack(&mut input).unwrap() {
                plain.extend_from_slice(&run);
            }
        }
        assert_eq!(plain, b"\x81\x05Hello");
        assert!(
            unpack
                .unpack(&mut BytesMut::from(&b"\xff\xff"[..]))
                .is_err()
        );
    }
}
