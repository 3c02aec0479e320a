//! The JSON Schema of the format, made of the table that the loader checks by,
//! so that the two agree. Only what one value means for another is written down
//! here again; hashes, order and octets no schema can say, and docs/vectors.md
//! lists them.

use serde_json::{Map, Value, json};

use crate::{
    keys::VECTOR,
    shape::{Key, MOST, Shape, Table},
};

/// The JSON Schema (draft 2020-12) of the data that a file of format 1 holds.
pub fn json_schema() -> String {
    let mut tables = Map::new();
    let mut schema = object(&VECTOR, &mut tables);
    schema.insert(
        "$schema".to_owned(),
        "https://json-schema.org/draft/2020-12/schema".into(),
    );
    schema.insert(
        "title".to_owned(),
        "An archived WebSocket exchange, format 1".into(),
    );
    schema.insert("description".to_owned(), "The data of a TOML file, as a TOML parser gives it. Lengths, hashes, the order of steps and the octets of placeholders cannot be said here; docs/vectors.md lists them.".into());
    schema.insert("$defs".to_owned(), tables.into());
    format!("{:#}\n", Value::from(schema))
}

fn object(table: &Table, tables: &mut Map<String, Value>) -> Map<String, Value> {
    let mut properties = Map::new();
    for key in table.keys {
        let mut value = value(&key.shape, tables);
        value["description"] = key.says.into();
        properties.insert(key.name.to_owned(), value);
    }
    let needed = table.keys.iter().filter(|key| key.needed);
    let needed: Vec<_> = needed.map(|key| key.name).collect();
    let mut object = Map::new();
    object.insert("type".to_owned(), "object".into());
    object.insert("properties".to_owned(), properties.into());
    object.insert("required".to_owned(), needed.into());
    object.insert("additionalProperties".to_owned(), false.into());
    if !table.one_of.is_empty() {
        let one = table.one_of.iter().map(|one| json!({ "required": [one] }));
        object.insert("oneOf".to_owned(), one.collect());
    }
    if let Some(rules) = between(table) {
        object.insert("allOf".to_owned(), rules);
    }
    object
}

fn value(shape: &Shape, tables: &mut Map<String, Value>) -> Value {
    match shape {
        Shape::Any => json!({ "type": "string" }),
        Shape::Form(form) => json!({ "type": "string", "pattern": (form.pattern)() }),
        Shape::Words(words) => json!({ "enum": words() }),
        Shape::Whole(least, MOST) => json!({ "type": "integer", "minimum": least }),
        Shape::Whole(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Shape::True => json!({ "const": true }),
        Shape::List(shape) => json!({ "type": "array", "items": value(shape, tables) }),
        Shape::Table(table) => reference(table, tables),
        Shape::Map(shape) => {
            json!({ "type": "object", "additionalProperties": value(shape, tables) })
        }
        Shape::Either(words, table) => {
            json!({ "anyOf": [{ "enum": words }, reference(table, tables)] })
        }
    }
}

fn reference(table: &'static Table, tables: &mut Map<String, Value>) -> Value {
    let name = name(table);
    if !tables.contains_key(&name) {
        let object = object(table, tables);
        tables.insert(name.clone(), object.into());
    }
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// What a table is called among the definitions.
fn name(table: &Table) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = table.title.chars().map(letter).collect();
    name.trim_matches('-').to_owned()
}

/// What one value of a table means for another. Types are said once more, for
/// there are validators that want them beside each of their keywords.
fn between(table: &Table) -> Option<Value> {
    Some(match name(table).as_str() {
        "the-file" => json!([
            role(
                "client",
                json!({ "type": "object", "required": ["client"], "properties": { "server": false } })
            ),
            role(
                "server",
                json!({ "type": "object", "required": ["server"], "properties": { "client": false } })
            ),
            role(
                "both",
                json!({ "type": "object", "required": ["client", "server"] })
            ),
        ]),
        "about" => json!([
            only_with("kind", "reconstructed", "attested"),
            only_with("kind", "constructed", "basis"),
            { "properties": {
                "attested": { "type": "object", "required": ["order"] },
                "tags": { "type": "array", "uniqueItems": true },
            } },
        ]),
        "step" => json!([{ "dependentRequired": { "as": ["file"] } }]),
        "close" => json!([{ "dependentRequired": { "reason": ["code"] } }]),
        "refused" => json!([{ "properties": { "rules": { "type": "array", "minItems": 1 } } }]),
        "expect-server" | "expect-client" => expectation(table.keys),
        _ => return None,
    })
}

fn role(role: &str, expect: Value) -> Value {
    json!({
        "if": { "properties": { "about": {
            "type": "object",
            "properties": { "role": { "const": role } },
        } } },
        "then": { "properties": { "expect": expect } },
    })
}

/// `needed` stands where `key` is `value`, and nowhere else.
fn only_with(key: &str, value: &str, needed: &str) -> Value {
    json!({
        "if": { "required": [key], "properties": { key: { "const": value } } },
        "then": { "required": [needed] },
        "else": { "properties": { needed: false } },
    })
}

fn expectation(keys: &[Key]) -> Value {
    let others = keys.iter().filter(|key| key.name != "unstated");
    let others: Map<_, _> = others
        .map(|key| (key.name.to_owned(), false.into()))
        .collect();
    let open = ["violation", "mid-frame", "open", "closed"];
    json!([
        {
            "if": { "required": ["unstated"] },
            "then": { "properties": others },
            "else": { "required": ["events", "ends"] },
        },
        only_with("ends", "refused", "refused"),
        only_with("ends", "violation", "violation"),
        {
            "if": { "required": ["ends"], "properties": { "ends": { "enum": open } } },
            "then": { "properties": { "events": {
                "type": "array",
                "minItems": 1,
                "prefixItems": [{ "const": "opened" }],
                "items": { "not": { "const": "opened" } },
            } } },
            "else": { "properties": { "events": { "type": "array", "maxItems": 0 } } },
        },
        {
            "if": { "required": ["ends"], "properties": { "ends": { "const": "closed" } } },
            "then": { "properties": { "events": {
                "type": "array",
                "contains": { "type": "object", "required": ["close"] },
                "maxContains": 1,
            } } },
            "else": { "properties": { "events": {
                "type": "array",
                "items": { "not": { "type": "object", "required": ["close"] } },
            } } },
        },
    ])
}
