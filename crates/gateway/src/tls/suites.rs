//! Names of the cipher suites that clients of 2000 to 2012 offer, for the log:
//! whoever reads that a device offered 0x0004 wants to know that it is RC4.
//! Those of today need no name here, because they are served.

/// Number and OpenSSL's name.
const NAMES: [(u16, &str); 19] = [
    (0x0003, "EXP-RC4-MD5"),
    (0x0004, "RC4-MD5"),
    (0x0005, "RC4-SHA"),
    (0x0006, "EXP-RC2-CBC-MD5"),
    (0x0008, "EXP-DES-CBC-SHA"),
    (0x0009, "DES-CBC-SHA"),
    (0x000A, "DES-CBC3-SHA"),
    (0x0013, "DHE-DSS-DES-CBC3-SHA"),
    (0x0015, "DHE-RSA-DES-CBC-SHA"),
    (0x0016, "DHE-RSA-DES-CBC3-SHA"),
    (0x002F, "AES128-SHA"),
    (0x0032, "DHE-DSS-AES128-SHA"),
    (0x0033, "DHE-RSA-AES128-SHA"),
    (0x0035, "AES256-SHA"),
    (0x0039, "DHE-RSA-AES256-SHA"),
    (0x003C, "AES128-SHA256"),
    (0xC011, "ECDHE-RSA-RC4-SHA"),
    (0xC012, "ECDHE-RSA-DES-CBC3-SHA"),
    (0xC013, "ECDHE-RSA-AES128-SHA"),
];

/// That many are told.
const TOLD: usize = 8;

/// What are no suites, but signals among them.
const SIGNALS: [u16; 2] = [0x00FF, 0x5600];

/// `suites` by name, those without one as number; the first few of them.
pub(super) fn named(suites: &[u16]) -> String {
    let real: Vec<u16> = suites
        .iter()
        .copied()
        .filter(|suite| !SIGNALS.contains(suite))
        .collect();
    let told = real.iter().take(TOLD).map(|suite| {
        let name = NAMES.iter().find(|(number, _)| number == suite);
        name.map_or_else(|| format!("0x{suite:04X}"), |(_, name)| (*name).to_owned())
    });
    let mut text = told.collect::<Vec<_>>().join(", ");
    if real.len() > TOLD {
        text += &format!(" and {} more", real.len() - TOLD);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_told_by_name_and_long_lists_are_cut() {
        assert_eq!(named(&[0x0004, 0x000A, 0x00FF]), "RC4-MD5, DES-CBC3-SHA");
        assert_eq!(named(&[0xCAFE]), "0xCAFE");
        assert_eq!(named(&[]), "");
        assert!(named(&[0x0005; 10]).ends_with("RC4-SHA and 2 more"));
    }
}
