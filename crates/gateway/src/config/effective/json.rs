//! The configuration in effect as JSON, for programs that compare or collect
//! it: tables are objects, and each value stands beside who said so.

use serde_json::{Map, Value as Json, json};

use super::{super::shown::Shown, Effective, Key, Section};

pub(super) fn print(effective: &Effective, changed: bool) -> Json {
    let top = effective.sections.first();
    let values = top.map(|top| section(effective, top, changed));
    json!({
        "configuration": effective.name,
        "secrets": effective.secrets(),
        "values": values.unwrap_or_default(),
    })
}

fn section(effective: &Effective, one: &Section, changed: bool) -> Map<String, Json> {
    let keys = one.keys.iter().filter(|key| key.counts(changed));
    let mut entries: Map<String, Json> = keys.map(|key| (key.name.to_owned(), held(key))).collect();
    for child in effective.children(one) {
        let inner = section(effective, child, changed);
        let name = child.at.rsplit('.').next().unwrap_or_default();
        let (name, is_element) = match name.split_once('[') {
            Some((name, _)) => (name, true),
            None => (name, false),
        };
        if inner.is_empty() && !(is_element && child.is_there) {
            continue;
        }
        if !is_element {
            entries.insert(name.to_owned(), Json::Object(inner));
            continue;
        }
        let elements = entries.entry(name).or_insert_with(|| json!([]));
        if let Some(elements) = elements.as_array_mut() {
            elements.push(Json::Object(inner));
        }
    }
    entries
}

fn held(key: &Key) -> Json {
    let from = key.from.to_string();
    match &key.shown {
        Shown::Is(value) | Shown::Follows(value) => json!({ "value": value, "from": from }),
        Shown::Secret => json!({ "secret": true, "from": from }),
        Shown::Unset | Shown::Meaningless => json!({ "value": null, "from": from }),
    }
}
