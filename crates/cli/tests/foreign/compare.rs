//! The page of `draftgate compare` in today's Chromium: who points at a field
//! sees its octets light up, and the other way round, with mouse, finger and
//! keyboard. What should be lit is taken from the JSON of the same command.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::child::Child;
use crate::programs::{chromium, folder};

/// Several fields to an octet, octets to a field, a header below a mask.
const ARGUMENTS: [&str; 5] = ["compare", "Hello", "--mask", "37fa213d", "--format"];

fn compare(format: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_draftgate"))
        .args(ARGUMENTS)
        .arg(format)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A strip of the page: octets and fields that are its own.
struct Strip {
    octets: Vec<String>,
    fields: Vec<Value>,
}

/// The strips of the page: rows that agree are one.
fn strips(model: &Value) -> Vec<Strip> {
    let mut strips: Vec<(Value, Strip)> = Vec::new();
    for row in model["rows"].as_array().unwrap() {
        if strips.iter().any(|(bytes, _)| *bytes == row["bytes"]) {
            continue;
        }
        let octets = row["bytes"].as_str().unwrap().split(' ');
        let strip = Strip {
            octets: octets.map(str::to_owned).collect(),
            fields: row["fields"].as_array().unwrap().clone(),
        };
        strips.push((row["bytes"].clone(), strip));
    }
    strips.into_iter().map(|(_, strip)| strip).collect()
}

impl Strip {
    /// The octets that `field` has a bit of.
    fn octets_of(&self, field: &Value) -> String {
        let begin = field["start_bit"].as_u64().unwrap();
        let end = begin + field["len_bits"].as_u64().unwrap();
        let range = (begin / 8) as usize..end.div_ceil(8) as usize;
        self.octets[range].join(" ")
    }

    /// The names of all fields in the octets of `field`.
    fn beside(&self, field: &Value) -> Vec<Value> {
        let place = |field: &Value| {
            let begin = field["start_bit"].as_u64().unwrap();
            let end = begin + field["len_bits"].as_u64().unwrap();
            (begin / 8, end.div_ceil(8))
        };
        let (begin, end) = place(field);
        let fields = self.fields.iter();
        let beside = fields.filter(|other| place(other).0 < end && begin < place(other).1);
        beside.map(|other| other["name"].clone()).collect()
    }
}

#[test]
fn foreign_chromium_lights_octets_when_a_field_is_pointed_at_and_back() {
    let page = folder().join("compare.html");
    fs::write(&page, compare("html")).unwrap();
    let picture = folder().join("compare.png");
    let _ = fs::remove_file(&picture);
    let model: Value = serde_json::from_str(&compare("json")).unwrap();
    let strips = strips(&model);
    assert!(strips.len() >= 5, "{model}");

    let mut command = chromium("chromium-compare.js");
    let mut browser = Child::start("Chromium", command.arg(&page).arg(&picture));
    for (at, strip) in strips.iter().enumerate() {
        let mut lit = |by: &str| {
            let event = browser.event("lit");
            assert_eq!((&event["by"], &event["scope"]), (&json!(by), &json!(at)));
            (
                event["octets"].clone(),
                event["fields"].clone(),
                event["bits"].clone(),
            )
        };
        let dark = (json!(""), json!([]), json!(""));
        assert_eq!(lit("nothing"), dark);
        for field in &strip.fields {
            let name = field["name"].as_str().unwrap();
            let (octets, fields, bits) = lit(&format!("field {name}"));
            assert_eq!(octets, strip.octets_of(field), "{name}");
            assert_eq!(fields, json!([name]));
            if strip.beside(field).len() > 1 {
                let count = field["len_bits"].as_u64().unwrap();
                assert_eq!(bits.as_str().unwrap().len() as u64, count, "{name}");
            }
        }
        let (first, last) = (&strip.fields[0], strip.fields.last().unwrap());
        let (octets, fields, _) = lit("last octet");
        assert_eq!(octets, strip.octets_of(last));
        assert_eq!(fields, json!(strip.beside(last)));
        if let Some(shared) = strip.fields.iter().find(|f| strip.beside(f).len() > 1) {
            let (octets, fields, bits) = lit("first bit");
            assert_eq!(octets, strip.octets_of(shared));
            assert_eq!(
                (fields, bits),
                (json!([shared["name"]]), shared["value"].clone())
            );
        }
        assert_eq!(lit("focus on the first field").0, strip.octets_of(first));
        assert_eq!(lit("Tab").1, json!([strip.fields[1]["name"]]));
        assert_eq!(
            lit("focus on the first octets").1,
            json!(strip.beside(first))
        );
        assert_eq!(lit("Escape"), dark);
        assert_eq!(lit("tap on the last field").0, strip.octets_of(last));
    }
    let narrow = browser.event("narrow");
    assert_eq!(
        narrow["wide"], narrow["room"],
        "a telephone need not scroll sideways"
    );
    browser.end_well();
    assert!(picture.exists());
}
