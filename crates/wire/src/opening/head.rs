//! An answer's head with exact letter case and order.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderValue;

use super::{Refusal, RefusalKind};

/// The head of an HTTP answer, written as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// The reason phrase; hixie-75 clients compare it.
    pub reason: Cow<'static, str>,
    /// The fields in their order, names in their letter case.
    pub fields: Vec<(Cow<'static, str>, HeaderValue)>,
}

impl Head {
    /// A head with no fields yet.
    pub fn new(status: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            reason: reason.into(),
            fields: Vec::new(),
        }
    }

    /// Appends a field.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: HeaderValue) {
        self.fields.push((name.into(), value));
    }

    /// Appends a field whose value is a text.
    ///
    /// # Errors
    /// [`RefusalKind::UnechoableField`] if the value may not stand in a head.
    pub fn push_text(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        value: &str,
    ) -> Result<(), Refusal> {
        let value = HeaderValue::from_str(value).map_err(|_| RefusalKind::UnechoableField)?;
        self.push(name, value);
        Ok(())
    }

    /// The octets, empty line included. A `HeaderValue` holds no line break,
    /// so nothing a client sent can add a field.
    pub fn to_bytes(&self) -> Bytes {
        let mut octets = BytesMut::with_capacity(256);
        octets.put_slice(b"HTTP/1.1 ");
        match self.status {
            // Three digits, of nearly every answer these.
            101 => octets.put_slice(b"101"),
            status => octets.put_slice(status.to_string().as_bytes()),
        }
        octets.put_slice(b" ");
        octets.put_slice(self.reason.as_bytes());
        octets.put_slice(b"\r\n");
        for (name, value) in &self.fields {
            octets.put_slice(name.as_bytes());
            octets.put_slice(b": ");
            octets.put_slice(value.as_bytes());
            octets.put_slice(b"\r\n");
        }
        octets.put_slice(b"\r\n");
        octets.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_order_are_kept() {
        let mut head = Head::new(101, "Web Socket Protocol Handshake");
        head.push("Upgrade", HeaderValue::from_static("WebSocket"));
        head.push("WebSocket-Origin", HeaderValue::from_static("http://a"));
        assert_eq!(
            &head.to_bytes()[..],
            b"HTTP/1.1 101 Web Socket Protocol Handshake\r\nUpgrade: WebSocket\r\nWebSocket-Origin: http://a\r\n\r\n"
        );
    }
}
