//! The two formats of metrics. The library writes OpenMetrics; readers that
//! do not ask for it get the older text of Prometheus, in which a counter's
//! family bears the name of its samples, and which ends without a mark.

use std::fmt::Write;

/// The media type of what [`super::scrape`] gives.
pub(crate) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// That of what [`classic`] makes of it.
pub(crate) const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `text` in the older format.
pub(crate) fn classic(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    let mut help = None;
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        // Writing to a String cannot fail.
        let _ = match words[..] {
            ["#", "EOF"] | ["#", "UNIT", ..] => Ok(()),
            // The type is on the next line, and the name depends on it.
            ["#", "HELP", _, words] => {
                help = Some(words);
                Ok(())
            }
            ["#", "TYPE", name, kind] => {
                let suffix = if kind == "counter" { "_total" } else { "" };
                if let Some(help) = help.take() {
                    let _ = writeln!(told, "# HELP {name}{suffix} {help}");
                }
                writeln!(told, "# TYPE {name}{suffix} {kind}")
            }
            _ => writeln!(told, "{line}"),
        };
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_bear_the_name_of_their_samples_in_the_older_format() {
        let open = "# HELP a_polls Polls of a.\n# TYPE a_polls counter\na_polls_total{b=\"# c\"} 1\n\
                    # HELP a Now.\n# TYPE a gauge\na 2.0\n# EOF\n";
        let classic = classic(open);
        assert_eq!(
            classic,
            "# HELP a_polls_total Polls of a.\n# TYPE a_polls_total counter\na_polls_total{b=\"# c\"} 1\n\
             # HELP a Now.\n# TYPE a gauge\na 2.0\n"
        );
    }
}
