//! What a route does for the two programs that are known to have spoken hello-00.

use toml::de::DeValue;

use super::{
    reader::{Table, Value, Wrong},
    shown::Shown,
};

/// What a route does beyond the draft for clients of hello-00.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hello {
    /// Take the method `WEBSOCKET`, which Resin's client sends. Off: whatever
    /// looks for odd methods in front of a server would stop it anyway.
    pub websocket_method: bool,
    /// The server's nonce, always the same: Microsoft's test client knows one. Off:
    /// with it a recorded HELLO of a client is right again.
    pub nonce: Option<Nonce>,
}

impl Hello {
    /// Whether anything is done.
    pub(super) fn is_said(&self) -> bool {
        *self != Self::default()
    }
}

/// The 8 octets that a server draws for its HELLO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; 8]);

impl Value for Nonce {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        const WHAT: &str = "16 hexadecimal digits";
        let digits = value.as_str().ok_or_else(|| Wrong::must_be(WHAT, value))?;
        let is_whole = digits.len() == 16 && digits.bytes().all(|it| it.is_ascii_hexdigit());
        let number = u64::from_str_radix(digits, 16).ok().filter(|_| is_whole);
        let number = number.ok_or_else(|| {
            Wrong::must_be(WHAT, value)
                .help("Microsoft's test client was written for \"15F0D2278BCD457F\"")
        })?;
        Ok(Self(number.to_be_bytes()))
    }

    fn show(&self) -> Shown {
        Shown::text(format!("{:016X}", u64::from_be_bytes(self.0)))
    }
}

/// Reads the table of a route.
pub(super) fn read(route: &mut Table<'_>, hello: &mut Hello) {
    let mut table = route.table("hello-00", "routes.hello-00");
    table.set("websocket-method", &mut hello.websocket_method);
    hello.nonce = table.value("nonce");
    table.finish();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_sixteen_digits_and_is_shown_as_it_is_read() {
        let read = |text: &str| Nonce::read(&DeValue::String(text.to_owned().into()));
        let nonce = read("15f0d2278bCD457F").unwrap();
        assert_eq!(nonce.0, [0x15, 0xf0, 0xd2, 0x27, 0x8b, 0xcd, 0x45, 0x7f]);
        for bad in [
            "",
            "15f0d2278bcd457",
            "+5f0d2278bcd457f",
            "15f0d2278bcd457f0",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
