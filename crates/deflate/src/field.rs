//! The field `Sec-WebSocket-Extensions` (RFC 6455 §9.1).

/// One extension in the field, with its parameters in their order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) name: &'a str,
    pub(crate) parameters: Vec<(&'a str, Option<&'a str>)>,
}

/// The extensions that `value` lists; `None` if it is no list of extensions.
pub(crate) fn elements(value: &str) -> Option<Vec<Element<'_>>> {
    split(value, ',')?
        .into_iter()
        .filter(|element| !element.is_empty())
        .map(element)
        .collect()
}

fn element(text: &str) -> Option<Element<'_>> {
    let mut pieces = split(text, ';')?.into_iter();
    let name = pieces.next().filter(|name| is_token(name))?;
    let parameters = pieces.map(parameter).collect::<Option<_>>()?;
    Some(Element { name, parameters })
}

fn parameter(text: &str) -> Option<(&str, Option<&str>)> {
    let (name, value) = match text.split_once('=') {
        None => (text, None),
        Some((name, value)) => {
            let value = value.trim_matches([' ', '\t']);
            let quoted = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
            // Quoted or not, a value is a token.
            let value = quoted.unwrap_or(value);
            (name.trim_matches([' ', '\t']), Some(value))
        }
    };
    (is_token(name) && value.is_none_or(is_token)).then_some((name, value))
}

/// The pieces of `text` between the `separator`s that stand outside quotes,
/// trimmed; `None` if a quote does not end.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut quoted = false;
    let pieces = text
        .split(|it| {
            quoted ^= it == '"';
            it == separator && !quoted
        })
        .map(|piece| piece.trim_matches([' ', '\t']))
        .collect();
    (!quoted).then_some(pieces)
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    let tchar = |o: u8| o.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&o);
    !text.is_empty() && text.bytes().all(tchar)
}

/// The window that a parameter names: 8 to 15 without a leading zero
/// (RFC 7692 §7.1.2.1).
pub(crate) fn window_bits(value: &str) -> Option<u8> {
    let canonical = !value.starts_with('0') && value.bytes().all(|o| o.is_ascii_digit());
    let bits = value.parse().ok().filter(|_| canonical)?;
    (8..=15).contains(&bits).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parameters_and_values_are_told_apart() {
        let value = "a; b ; c=1,  d;e = \"x\" ,, f";
        let all = elements(value).unwrap();
        let names: Vec<_> = all.iter().map(|it| it.name).collect();
        assert_eq!(names, ["a", "d", "f"]);
        assert_eq!(all[0].parameters, [("b", None), ("c", Some("1"))]);
        assert_eq!(all[1].parameters, [("e", Some("x"))]);
        assert_eq!(elements(""), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for value in [
            "a b",
            "a;",
            ";a",
            "a; b=",
            "a; =b",
            "a; b=\"x",
            "a; b=\"x,y\"",
            "ä",
        ] {
            assert_eq!(elements(value), None, "{value}");
        }
    }

    #[test]
    fn windows_are_8_to_15_in_plain_digits() {
        for (value, bits) in [("8", Some(8)), ("15", Some(15)), ("10", Some(10))] {
            assert_eq!(window_bits(value), bits);
        }
        for value in ["7", "16", "08", "+9", "", "9.0", "265", "-9"] {
            assert_eq!(window_bits(value), None, "{value}");
        }
    }
}
