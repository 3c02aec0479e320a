//! The log's lines in JSON, one object each: octet for octet what the JSON
//! format of `tracing-subscriber` writes with its events flattened.
//!
//! Every connection leaves a line. That format has each line's fragments
//! checked and copied one by one, and its time formatted by the library's own
//! means, which took a quarter of all the instructions of an opening; the same
//! serializers into one buffer take a third of that.

use std::{fmt, time::SystemTime};

use serde::{Serializer as _, ser::SerializeMap};
use time::OffsetDateTime;
use tracing::{Event, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_serde::{AsSerde, SerdeMapVisitor};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// What most lines have room in.
const LINE: usize = 768;

/// Formats events so. We have no spans, and none is shown.
#[derive(Debug)]
pub(crate) struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Vec::with_capacity(LINE);
        write(&mut line, SystemTime::now().into(), event).map_err(|_| fmt::Error)?;
        line.push(b'\n');
        writer.write_str(std::str::from_utf8(&line).map_err(|_| fmt::Error)?)
    }
}

fn write(line: &mut Vec<u8>, now: OffsetDateTime, event: &Event<'_>) -> serde_json::Result<()> {
    // What a library says through `log` stands there as if it used `tracing`.
    let normal = event.normalized_metadata();
    let about = normal.as_ref().unwrap_or_else(|| event.metadata());
    let mut json = serde_json::Serializer::new(line);
    let mut object = json.serialize_map(None)?;
    let at = timestamp(now);
    object.serialize_entry("timestamp", std::str::from_utf8(&at).unwrap_or_default())?;
    object.serialize_entry("level", &about.level().as_serde())?;
    let mut fields = SerdeMapVisitor::new(object);
    event.record(&mut fields);
    let mut object = fields.take_serializer()?;
    object.serialize_entry("target", about.target())?;
    object.end()
}

/// `2026-01-02T03:04:05.678901Z`.
fn timestamp(now: OffsetDateTime) -> [u8; 27] {
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    let mut put = |from: usize, width: usize, mut number: u32| {
        for octet in text[from..from + width].iter_mut().rev() {
            *octet = b'0' + (number % 10) as u8;
            number /= 10;
        }
    };
    put(0, 4, now.year().unsigned_abs());
    put(5, 2, u8::from(now.month()).into());
    put(8, 2, now.day().into());
    put(11, 2, now.hour().into());
    put(14, 2, now.minute().into());
    put(17, 2, now.second().into());
    put(20, 6, now.microsecond());
    text
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use tracing::{Level, event};
    use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt};

    use super::*;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Kept {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn a_line_is_what_the_library_writes() {
        let (ours, theirs) = (Kept::default(), Kept::default());
        let both = tracing_subscriber::registry()
            .with(
                tracing_subscriber::fmt::layer()
                    .event_format(JsonLines)
                    .with_writer(ours.clone()),
            )
            .with(
                tracing_subscriber::fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_writer(theirs.clone()),
            );
        tracing::subscriber::with_default(both, || {
            let text = "a \"b\" \\ \u{1} \u{7f} \u{2028} é 𝄞\r\n";
            let peer: std::net::SocketAddr = ([127, 0, 0, 1], 80).into();
            event!(target: "draftgate::access", Level::INFO, id = text, %peer, via = Option::<u64>::None, code = Some(1000), "opened {text}");
            event!(Level::WARN, seconds = 1.5, whole = 2.0, odd = f64::NAN, below = -7, yes = true, what = ?Some(text), "{}", 1);
            event!(Level::ERROR, big = u64::MAX, wide = u128::MAX);
            event!(Level::DEBUG, r#type = 1, "");
        });
        let lines = |kept: &Kept| {
            let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
            let without_time = |line: &str| {
                let (begin, rest) = line.split_at(b"{\"timestamp\":\"".len());
                assert_eq!(rest.as_bytes()[26], b'Z', "{line}");
                format!("{begin}{}", &rest[27..])
            };
            text.lines().map(without_time).collect::<Vec<_>>()
        };
        assert_eq!(lines(&ours).len(), 4);
        assert_eq!(lines(&ours), lines(&theirs));
    }

    #[test]
    fn times_are_written_to_the_microsecond() {
        for (nanoseconds, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_827_696_007_008_999, "2000-02-29T12:34:56.007008Z"),
        ] {
            let at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap();
            assert_eq!(std::str::from_utf8(&timestamp(at)).unwrap(), text);
        }
    }
}
