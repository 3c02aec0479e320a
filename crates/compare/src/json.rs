//! The model as JSON. The keys are a promise: they are documented in
//! docs/comparing.md, and only ever added to.

use draftgate_core::Message;
use draftgate_wire::dissect::Field;
use serde_json::{Value, json};

use crate::{
    ends::Masks,
    palette,
    table::{Row, Said, Table},
    text::cannot,
    what::{Say, What, hex},
};

impl Table {
    /// The model as JSON, indented.
    pub fn to_json(&self) -> String {
        pretty(&json!({
            "format": 1,
            "what": what(&self.what),
            "mask": mask(self.masks),
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
        }))
    }
}

/// With a line break at the end.
pub(crate) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

pub(crate) fn mask(masks: Masks) -> Value {
    match masks {
        Masks::Fixed(key) => hex(&key).into(),
        Masks::Random => "random".into(),
    }
}

fn what(what: &What) -> Value {
    let mut value = json!({
        "kind": what.kind(),
        "hex": hex(what.octets()),
        "octets": what.octets().len(),
        "fragments": what.fragments,
    });
    match &what.say {
        Say::Message(Message::Text(text)) => value["text"] = text.as_str().into(),
        Say::Close(close) => {
            value["code"] = close.code.into();
            value["reason"] = close.reason.as_str().into();
        }
        Say::Message(Message::Binary(_)) | Say::Ping(_) => {}
    }
    value
}

pub(crate) fn row(row: &Row) -> Value {
    let mut value = json!({
        "draft": row.draft.name(),
        "alias": row.draft.alias(),
        "direction": row.direction.name(),
        "note": row.note,
    });
    match &row.said {
        Ok(octets) => add_said(&mut value, octets),
        Err(unsaid) => {
            value["bytes"] = Value::Null;
            value["cannot"] = cannot(unsaid).into();
            let instead = unsaid.instead.iter().map(|instead| {
                let mut value = json!({
                    "key": instead.key,
                    "value": instead.value,
                    "default": instead.default,
                    "does": instead.does,
                });
                match &instead.said {
                    Some(octets) => add_said(&mut value, octets),
                    None => value["bytes"] = Value::Null,
                }
                value
            });
            value["instead"] = instead.collect();
        }
    }
    value
}

fn add_said(value: &mut Value, said: &Said) {
    value["bytes"] = hex(&said.bytes()).into();
    value["overhead"] = said.overhead().into();
    value["frames"] = said
        .units
        .iter()
        .map(|unit| json!({"start_bit": 8 * unit.offset, "len_bits": 8 * unit.octets.len()}))
        .collect();
    value["fields"] = said.fields().map(|f| field(&f)).collect();
}

pub(crate) fn field(field: &Field) -> Value {
    json!({
        "name": field.name,
        "kind": palette::word(field.kind),
        "start_bit": field.start_bit,
        "len_bits": field.len_bits,
        "value": field.value,
        "note": field.note,
    })
}
