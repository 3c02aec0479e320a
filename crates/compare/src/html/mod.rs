//! One self-contained HTML page: the octets of each draft, the fields below
//! them, and a script that lights the one when the other is pointed at.
//!
//! Nothing is loaded from anywhere; without the script the page still says all.

use std::fmt::{self, Display, Write};

use draftgate_wire::dissect::{Field, Unit, What};

use crate::{
    Grid,
    cells::{Cell, Shown, cells, elided},
    palette::{self, INKS},
    table::{Row, Table, Unsaid},
    text::{cannot, labels, lead, lead_kind, names, size, upper},
    what::thousands,
};

const CSS: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The most octets of one field that are drawn.
const OCTETS: usize = 24;

/// Text in HTML and SVG.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                // XML has no way to write most control characters.
                control if control.is_control() && control != '\n' => f.write_char('\u{fffd}')?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// A page with this title, and `body` in its main part.
pub(crate) fn page(title: &str, sub: &str, legend: bool, body: &str) -> String {
    let mut inks = String::new();
    let mut dark = String::new();
    let mut list = String::new();
    for ink in &INKS {
        let (class, [ground, text]) = (ink.class, ink.light);
        let _ = writeln!(
            inks,
            ".i-{class} {{ background: {ground}; color: {text}; }} .l-{class} {{ color: {text}; }} tr.i-{class} {{ background: none; color: inherit; }} tr.i-{class} td.name {{ border-left-color: {text}; }}"
        );
        let [ground, text] = ink.dark;
        let _ = writeln!(
            dark,
            ".i-{class} {{ background: {ground}; color: {text}; }} .l-{class} {{ color: {text}; }} tr.i-{class} td.name {{ border-left-color: {text}; }}"
        );
        if legend && body.contains(&format!("octet i-{class}\"")) {
            let _ = write!(list, "<li class=\"i-{class}\">{}</li>", ink.meaning);
        }
    }
    let list = match list.is_empty() {
        true => String::new(),
        false => format!("<ul class=\"legend\" aria-label=\"Colours\">{list}</ul>\n"),
    };
    let title = Escaped(title);
    let sub = match sub.is_empty() {
        true => String::new(),
        false => format!("<p class=\"soft\">{}</p>\n", Escaped(sub)),
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>\n{CSS}{inks}@media (prefers-color-scheme: dark) {{\n{dark}}}\n</style>\n</head>\n\
         <body>\n<header>\n<h1>{title}</h1>\n{sub}{list}</header>\n\
         <main>\n{body}</main>\n\
         <footer>Made by <code>draftgate compare</code>: the octets are those that its codecs write.</footer>\n\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    )
}

impl Table {
    /// One self-contained page.
    pub fn to_html(&self) -> String {
        let mut body = String::new();
        for (at, group) in self.groups().into_iter().enumerate() {
            card(&mut body, at, &group);
        }
        let sub =
            "Point at a field, and its octets light up; point at an octet, and its fields do.";
        let heading = self.heading();
        let (title, masks) = heading.split_once("; ").unwrap_or((&heading, ""));
        let masks = match masks.is_empty() {
            true => String::new(),
            false => format!("{}. ", upper(masks)),
        };
        page(title, &format!("{masks}{sub}"), true, &body)
    }
}

fn card(body: &mut String, at: usize, group: &[&Row]) {
    let row = group[0];
    let names = names(group);
    let names = Escaped(&names);
    let id = format!("row-{at}");
    let (class, about) = match &row.said {
        Ok(said) => ("card", size(said)),
        Err(unsaid) => ("card cannot", cannot(unsaid)),
    };
    let _ = writeln!(
        body,
        "<section class=\"{class}\" aria-labelledby=\"{id}\">\n<header><h2 id=\"{id}\">{names}</h2>\
         <span class=\"soft\">{}</span></header>",
        Escaped(&about)
    );
    if let Some(note) = &row.note {
        let _ = writeln!(body, "<p class=\"soft\">{}</p>", Escaped(note));
    }
    match &row.said {
        Ok(said) => {
            for (at, unit) in said.units.iter().enumerate() {
                let title = (said.units.len() > 1)
                    .then(|| format!("frame {} of {}", at + 1, said.units.len()));
                scope(body, unit, title.as_deref(), true);
            }
        }
        Err(unsaid) => instead(body, unsaid),
    }
    body.push_str("</section>\n");
}

fn instead(body: &mut String, unsaid: &Unsaid) {
    let lead = lead(unsaid);
    let _ = writeln!(
        body,
        "<p>{}</p>\n<ul class=\"instead\">",
        Escaped(&lead).to_string().replace('`', "")
    );
    for instead in &unsaid.instead {
        let value = instead.value.unwrap_or_default();
        let badge = match instead.default && instead.value.is_some() {
            true => " <span class=\"badge\">default</span>",
            false => "",
        };
        let _ = writeln!(
            body,
            "<li><span class=\"choice\">{value}</span>{badge} {}",
            Escaped(&instead.does).to_string().replace('`', "")
        );
        if let Some(said) = &instead.said {
            for unit in &said.units {
                scope(body, unit, None, false);
            }
        }
        body.push_str("</li>\n");
    }
    body.push_str("</ul>\n");
}

/// Octets and their fields, which light each other.
pub(crate) fn scope(body: &mut String, unit: &Unit, title: Option<&str>, with_table: bool) {
    body.push_str("<div class=\"scope\">\n");
    if let Some(title) = title {
        let _ = writeln!(body, "<h3>{}</h3>", Escaped(title));
    }
    match unit.what {
        What::Request | What::Answer => head(body, unit),
        _ => {
            body.push_str("<div class=\"octets\">\n");
            for cell in cells(unit) {
                draw(body, &cell);
            }
            body.push_str("</div>\n");
        }
    }
    if with_table {
        table(body, unit);
    }
    body.push_str("</div>\n");
}

/// A head as text, its fields as they stand.
fn head(body: &mut String, unit: &Unit) {
    body.push_str("<pre>");
    for (at, field) in unit.fields.iter().enumerate() {
        let text = String::from_utf8_lossy(unit.octets_of(field));
        let line = text.trim_end_matches(['\r', '\n']);
        let ink = palette::of(field.kind).class;
        let shown = if line.is_empty() { "↵" } else { line };
        let _ = writeln!(
            body,
            "<span class=\"i-{ink}\" data-f=\"{at}\">{}</span>",
            Escaped(shown)
        );
    }
    body.push_str("</pre>\n");
}

fn draw(body: &mut String, cell: &Cell<'_>) {
    let places: Vec<String> = (cell.first..cell.first + cell.fields.len())
        .map(|at| at.to_string())
        .collect();
    let places = places.join(" ");
    let ink = palette::of(lead_kind(cell.fields)).class;
    let words: Vec<String> = labels(cell).into_iter().map(|(_, label)| label).collect();
    let _ = writeln!(
        body,
        "<div class=\"cell\" tabindex=\"0\" role=\"group\" aria-label=\"{}\" data-f=\"{places}\"><div class=\"run\">",
        Escaped(&words.join(", "))
    );
    for shown in elided(cell.wire.len(), OCTETS) {
        match shown {
            Shown::Gap(count) => {
                let _ = writeln!(
                    body,
                    "<span class=\"gap\">… {} more …</span>",
                    thousands(count)
                );
            }
            Shown::Octet(at) => octet(body, cell, at, &places, ink),
        }
    }
    body.push_str("</div><div class=\"labels\">");
    label(body, cell);
    body.push_str("</div></div>\n");
}

fn octet(body: &mut String, cell: &Cell<'_>, at: usize, places: &str, ink: &str) {
    let (wire, plain) = (cell.wire[at], cell.plain.get(at).copied());
    let _ = write!(
        body,
        "<span class=\"octet i-{ink}\" data-f=\"{places}\">{wire:02x}"
    );
    let plain = plain.unwrap_or(wire);
    if plain != wire {
        let printed = match plain {
            0x21..=0x7e if cell.fields.len() == 1 => format!("{plain:02x} {}", char::from(plain)),
            _ => format!("{plain:02x}"),
        };
        let _ = write!(
            body,
            "<small title=\"unmasked\">{}</small>",
            Escaped(&printed)
        );
    } else if let (0x21..=0x7e, [only]) = (plain, cell.fields)
        && only.value.starts_with('"')
    {
        let character = char::from(plain).to_string();
        let _ = write!(body, "<small>{}</small>", Escaped(&character));
    }
    if cell.fields.len() > 1 {
        body.push_str("<span class=\"bits\">");
        for (place, field) in cell.fields.iter().enumerate() {
            let begin = 8 * (cell.begin + at) as u64;
            for bit in (begin..begin + 8)
                .filter(|bit| (field.start_bit..field.start_bit + field.len_bits).contains(bit))
            {
                let set = plain >> (7 - (bit - begin)) & 1;
                let _ = write!(body, "<b data-f=\"{}\">{set}</b>", cell.first + place);
            }
        }
        body.push_str("</span>");
    }
    body.push_str("</span>\n");
}

fn label(body: &mut String, cell: &Cell<'_>) {
    // Reserved bits have one label together, which is lit for each of them.
    let mut at = cell.first;
    for (kind, label) in labels(cell) {
        let ink = palette::of(kind).class;
        let of: Vec<usize> = match cell.fields {
            [_] => vec![at],
            fields => {
                let from = at - cell.first;
                let count = match label.contains('-') && label.starts_with("RSV") {
                    true => fields[from..].iter().take_while(|f| f.kind == kind).count(),
                    false => 1,
                };
                (at..at + count).collect()
            }
        };
        let places: Vec<String> = of.iter().map(usize::to_string).collect();
        let _ = write!(
            body,
            "<span class=\"l-{ink}\" data-f=\"{}\">{}</span>",
            places.join(" "),
            Escaped(&label)
        );
        if cell.fields.len() > 1 {
            at += of.len();
        }
    }
}

fn table(body: &mut String, unit: &Unit) {
    body.push_str(
        "<div class=\"wide\"><table class=\"fields\"><thead><tr><th scope=\"col\">field</th><th scope=\"col\">value</th>\
         <th scope=\"col\">where</th><th scope=\"col\" class=\"note\">note</th></tr></thead><tbody>\n",
    );
    for (at, field) in unit.fields.iter().enumerate() {
        let _ = writeln!(
            body,
            "<tr class=\"i-{}\" tabindex=\"0\" data-f=\"{at}\"><td class=\"name\">{}</td>\
             <td class=\"value\">{}</td><td class=\"bits-at\">{}</td><td class=\"note\">{}</td></tr>",
            palette::of(field.kind).class,
            Escaped(&field.name),
            Escaped(&field.value),
            place(field),
            Escaped(field.note.as_deref().unwrap_or_default()),
        );
    }
    body.push_str("</tbody></table></div>\n");
}

/// `octet 0, bit 4 to 7`, `octets 2 to 5`.
pub(crate) fn place(field: &Field) -> String {
    let (begin, len) = (field.start_bit, field.len_bits);
    let octet = begin / 8;
    match (begin % 8, len) {
        (_, 0) => format!("octet {octet}, empty"),
        (0, 8) => format!("octet {octet}"),
        (0, len) if len % 8 == 0 => format!("octets {octet} to {}", octet + len / 8 - 1),
        (bit, 1) => format!("octet {octet}, bit {bit}"),
        (bit, len) => format!("octet {octet}, bits {bit} to {}", bit + len - 1),
    }
}

impl Grid {
    /// One self-contained page.
    pub fn to_html(&self) -> String {
        page(&self.title, "", false, &self.fragment())
    }

    pub(crate) fn fragment(&self) -> String {
        let mut body = String::from("<div class=\"grid wide\"><table><thead><tr>");
        for (at, column) in self.columns.iter().enumerate() {
            let class = if at >= self.numbers_from {
                " class=\"number\""
            } else {
                ""
            };
            let _ = write!(body, "<th scope=\"col\"{class}>{}</th>", Escaped(column));
        }
        body.push_str("</tr></thead><tbody>\n");
        for row in &self.rows {
            body.push_str("<tr>");
            for (at, cell) in row.iter().enumerate() {
                let class = if at >= self.numbers_from {
                    " class=\"number\""
                } else {
                    ""
                };
                let cell = Escaped(cell).to_string().replace('\n', "<br>");
                let _ = write!(body, "<td{class}>{cell}</td>");
            }
            body.push_str("</tr>\n");
        }
        body.push_str("</tbody></table></div>\n");
        body
    }
}
