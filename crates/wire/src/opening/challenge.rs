//! hixie-76's proof: two keys with spaces in the head, eight octets after it,
//! and their MD5 (hixie-76 §1.3, §4.1, §5.2). hybi-01 to -03 kept it.

use byteorder::{BigEndian, ByteOrder};
use bytes::{Buf, BytesMut};
use draftgate_core::{Outbox, Violation};
use md5::{Digest, Md5};

use super::{Refusal, RefusalKind};
use crate::{KeySource, Proof};

/// Octets of key3, which follow the request's head.
pub const KEY3: usize = 8;

/// Octets of the answer, which follow the answer's head.
pub const ANSWER: usize = 16;

/// The numbers hidden in `Sec-WebSocket-Key1` and `-Key2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge {
    /// Key1's number divided by its spaces.
    pub number1: u32,
    /// Key2's number divided by its spaces.
    pub number2: u32,
}

impl Challenge {
    /// Reads both keys.
    ///
    /// # Errors
    /// [`RefusalKind::ChallengeKeyInvalid`], which says what is wrong with which key.
    pub fn from_keys(key1: &[u8], key2: &[u8]) -> Result<Self, Refusal> {
        let number = |name, key| {
            Hidden::in_key(key)
                .map(|hidden| hidden.number)
                .map_err(|why| {
                    let kind = RefusalKind::ChallengeKeyInvalid;
                    Refusal::with(kind, format!("Sec-WebSocket-{name} {why}"))
                })
        };
        Ok(Self {
            number1: number("Key1", key1)?,
            number2: number("Key2", key2)?,
        })
    }

    /// MD5 over both numbers, big-endian, and key3.
    pub fn answer(&self, key3: [u8; KEY3]) -> [u8; ANSWER] {
        let mut octets = [0; 16];
        BigEndian::write_u32(&mut octets[..4], self.number1);
        BigEndian::write_u32(&mut octets[4..8], self.number2);
        octets[8..].copy_from_slice(&key3);
        Md5::digest(octets).into()
    }
}

/// As a server: takes key3, writes the 16 octets.
impl Proof for Challenge {
    fn receive(&mut self, input: &mut BytesMut, out: &mut Outbox) -> Result<bool, Violation> {
        let Some(&key3) = input.first_chunk::<KEY3>() else {
            return Ok(false);
        };
        input.advance(KEY3);
        out.put(&self.answer(key3));
        Ok(true)
    }
}

/// The number that a key hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hidden {
    /// All digits of the key as one number.
    pub digits: u64,
    /// Its spaces.
    pub spaces: u64,
    /// The one divided by the other.
    pub number: u32,
}

impl Hidden {
    /// hixie-76 §5.2: all digits as one number, divided by the count of spaces.
    ///
    /// # Errors
    /// What is wrong with the key, to be put behind its name.
    pub fn in_key(key: &[u8]) -> Result<Self, &'static str> {
        let spaces = key.iter().filter(|o| **o == b' ').count() as u64;
        let mut digits = key.iter().filter(|o| o.is_ascii_digit()).peekable();
        if digits.peek().is_none() {
            return Err("holds no digit");
        }
        if spaces == 0 {
            // "This is a symptom of a cross-protocol attack."
            return Err("holds no space");
        }
        let digits = digits
            .try_fold(0_u64, |n, d| {
                n.checked_mul(10)?.checked_add(u64::from(d - b'0'))
            })
            .ok_or("holds a number above 64 bits")?;
        if digits % spaces != 0 {
            return Err("holds a number that is not a multiple of its spaces");
        }
        let number = u32::try_from(digits / spaces);
        Ok(Self {
            digits,
            spaces,
            number: number.map_err(|_| "gives a number above 32 bits")?,
        })
    }
}

/// As a client: a key and the number hidden in it (hixie-76 §4.1, steps 16 to 22).
pub fn make_key(keys: &mut dyn KeySource) -> (String, u32) {
    let spaces = keys.number(1, 12);
    let number = keys.number(0, u32::MAX / spaces);
    let mut key = (u64::from(number) * u64::from(spaces)).to_string();
    for _ in 0..keys.number(1, 12) {
        // 21–2F and 3A–7E: everything that prints but digits.
        let pick = keys.number(0, 14 + 69) as u8;
        let letter = if pick < 15 {
            0x21 + pick
        } else {
            0x3a + pick - 15
        };
        let at = keys.number(0, key.len() as u32) as usize;
        key.insert(at, char::from(letter));
    }
    for _ in 0..spaces {
        // Never first or last: HTTP would trim it away.
        let at = keys.number(1, key.len() as u32 - 1) as usize;
        key.insert(at, ' ');
    }
    (key, number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::FixedKeys;

    /// Key1, Key2, key3, both numbers, answer.
    type Worked = (
        &'static str,
        &'static str,
        &'static [u8; 8],
        (u32, u32),
        &'static [u8; 16],
    );

    /// hixie-76 §1.3 and §4.1.
    const WORKED: [Worked; 4] = [
        (
            "4 @1  46546xW%0l 1 5",
            "12998 5 Y3 1  .P00",
            b"^n:ds[4U",
            (829_309_203, 259_970_620),
            b"8jKS'y:G*Co,Wxa-",
        ),
        (
            "18x 6]8vM;54 *(5:  {   U1]8  z [  8",
            "1_ tx7X d  <  nw  334J702) 7]o}` 0",
            b"Tm[K T2u",
            (155_712_099, 173_347_027),
            b"fQJ,fN/4F4!~K~MH",
        ),
        (
            "3e6b263  4 17 80",
            "17  9 G`ZD9   2 2b 7X 3 /r90",
            b"WjN}|M(6",
            (906_585_445, 179_922_739),
            b"n`9eBk9z$R8pOtVb",
        ),
        (
            "P388 O503D&ul7 {K%gX( %7  15",
            "1 N ?|k UT0or 3o  4 I97N 5-S3O 31",
            b"G0\"-Z?GX",
            (777_007_543, 114_997_259),
            b"0st3Rl&q-2ZU^weu",
        ),
    ];

    #[test]
    fn the_four_worked_examples_of_the_text() {
        for (key1, key2, key3, (number1, number2), answer) in WORKED {
            let challenge = Challenge::from_keys(key1.as_bytes(), key2.as_bytes()).unwrap();
            assert_eq!(challenge, Challenge { number1, number2 });
            assert_eq!(challenge.answer(*key3), *answer, "{key1}");
        }
    }

    #[test]
    fn key3_is_taken_from_any_cut_and_nothing_more() {
        let challenge = Challenge::from_keys(WORKED[0].0.as_bytes(), WORKED[0].1.as_bytes());
        let octets = [&WORKED[0].2[..], b"\0Hi\xff"].concat();
        for cut in 0..=octets.len() {
            let mut proof = challenge.clone().unwrap();
            let (mut input, mut out) = (BytesMut::from(&octets[..cut]), Outbox::new());
            let early = proof.receive(&mut input, &mut out).unwrap();
            input.extend_from_slice(&octets[cut..]);
            assert!(early || proof.receive(&mut input, &mut out).unwrap());
            assert_eq!(
                (&input[..], &out.take_all()[..]),
                (&b"\0Hi\xff"[..], &WORKED[0].4[..])
            );
        }
    }

    #[test]
    fn what_is_no_key_is_refused_with_its_reason() {
        for (key, why) in [
            ("12345", "no space"),
            ("a b c", "no digit"),
            ("", "no digit"),
            ("1 0 1", "not a multiple"),
            ("99999999999999999999999 9", "above 64 bits"),
            ("4294967296 ", "above 32 bits"),
        ] {
            let refusal = Challenge::from_keys(key.as_bytes(), b"1 2").unwrap_err();
            assert_eq!(refusal.kind, RefusalKind::ChallengeKeyInvalid);
            assert!(refusal.to_string().contains(why), "{key}: {refusal}");
            assert!(refusal.to_string().contains("Key1"), "{refusal}");
        }
    }

    proptest! {
        #[test]
        fn a_key_that_was_made_hides_its_number(seed in prop::collection::vec(any::<u8>(), 64)) {
            let (key, hidden) = make_key(&mut FixedKeys::new(seed));
            prop_assert_eq!(Hidden::in_key(key.as_bytes()).map(|found| found.number), Ok(hidden));
            let digits: String = key.chars().filter(char::is_ascii_digit).collect();
            prop_assert!(digits.parse::<u32>().is_ok(), "{digits} is above 32 bits");
            prop_assert!(!key.starts_with(' ') && !key.ends_with(' '));
            prop_assert!(key.bytes().all(|o| (0x20..0x7f).contains(&o)));
        }

        #[test]
        fn any_octets_are_read_without_panic(key: Vec<u8>) {
            let _ = Challenge::from_keys(&key, &key);
        }
    }
}
