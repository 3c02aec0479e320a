//! The table as one SVG for documents: boxes of octets with their labels
//! below, on a ground of its own, so that it reads on any page, light or dark.

use std::fmt::Write;

use draftgate_wire::dissect::{Kind, Unit};
use unicode_width::UnicodeWidthStr;

use crate::{
    Grid,
    cells::{Cell, Shown, cells, clipped, elided},
    html::Escaped,
    palette::{self, INKS},
    table::{Said, Table},
    text::{cannot, choice, labels, lead, lead_kind, names, size},
    what::{hex, thousands},
};

/// The most octets of one field that are drawn.
const OCTETS: usize = 16;

const WIDTH: f64 = 880.0;
const MARGIN: f64 = 24.0;
const OCTET: f64 = 30.0;
const BETWEEN: f64 = 2.0;
const GAP: f64 = 12.0;
/// A character of a label, and of the text beside it.
const LABEL: f64 = 6.75;
const LINE: f64 = 14.5;
const GUTTER: f64 = 62.0;
/// The widest label below few octets, in characters.
const LABEL_CHARACTERS: usize = 30;

/// The drawing as it grows downwards.
struct Canvas {
    marks: String,
    y: f64,
    used: Vec<&'static str>,
}

impl Canvas {
    fn new() -> Self {
        Self {
            marks: String::new(),
            y: MARGIN,
            used: Vec::new(),
        }
    }

    fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        let _ = writeln!(
            self.marks,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" xml:space=\"preserve\">{}</text>",
            Escaped(text)
        );
    }

    /// Text in lines of the drawing's width, each lower than the last.
    fn paragraph(&mut self, class: &str, x: f64, character: f64, line: f64, text: &str) {
        let room = ((WIDTH - MARGIN - x) / character) as usize;
        let mut row = String::new();
        for word in text.split(' ') {
            if !row.is_empty() && row.width() + 1 + word.width() > room {
                self.y += line;
                let (y, done) = (self.y, std::mem::take(&mut row));
                self.text(class, x, y, &done);
            }
            if !row.is_empty() {
                row.push(' ');
            }
            row.push_str(word);
        }
        self.y += line;
        let y = self.y;
        self.text(class, x, y, &row);
    }

    fn done(self, title: &str, description: &str) -> String {
        let height = self.y + MARGIN;
        let style = style(&self.used);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" \
             width=\"{WIDTH:.0}\" height=\"{height:.0}\" role=\"img\" aria-labelledby=\"title desc\">\n\
             <title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n<style>\n{style}</style>\n\
             <rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"12\"/>\n{}</svg>\n",
            Escaped(title),
            Escaped(description),
            WIDTH - 1.0,
            height.floor() - 1.0,
            self.marks,
        )
    }
}

fn style(used: &[&str]) -> String {
    let mut style = String::from(
        "text { font-family: ui-monospace, \"SF Mono\", \"Cascadia Mono\", \"DejaVu Sans Mono\", Menlo, Consolas, monospace; fill: #1d1d24; }\n\
         .page { fill: #ffffff; stroke: #dedee6; }\n\
         .title { font-size: 17px; font-weight: 700; }\n\
         .head { font-size: 13px; font-weight: 700; }\n\
         .soft { font-size: 11px; fill: #5d5d69; }\n\
         .octet { font-size: 13px; text-anchor: middle; }\n\
         .plain { font-size: 11px; text-anchor: middle; }\n\
         .label { font-size: 11px; }\n\
         .rule { stroke: #dedee6; }\n",
    );
    let mut dark = String::from(
        "text { fill: #ececf2; } .page { fill: #1d1d23; stroke: #33333d; } .soft { fill: #a2a2b0; } .rule { stroke: #33333d; }\n",
    );
    for ink in INKS.iter().filter(|ink| used.contains(&ink.class)) {
        let (class, [ground, text]) = (ink.class, ink.light);
        let _ = writeln!(
            style,
            ".g-{class} {{ fill: {ground}; }} .t-{class} {{ fill: {text}; }}"
        );
        let [ground, text] = ink.dark;
        let _ = writeln!(
            dark,
            ".g-{class} {{ fill: {ground}; }} .t-{class} {{ fill: {text}; }}"
        );
    }
    format!("{style}@media (prefers-color-scheme: dark) {{\n{dark}}}\n")
}

impl Table {
    /// One drawing.
    pub fn to_svg(&self) -> String {
        let mut canvas = Canvas::new();
        let heading = self.heading();
        let (title, masks) = heading.split_once("; ").unwrap_or((&heading, ""));
        canvas.paragraph("title", MARGIN, 10.3, 18.0, title);
        if !masks.is_empty() {
            canvas.paragraph("soft", MARGIN, LABEL, 17.0, masks);
        }
        let mut words = vec![masks.to_owned()];
        for group in self.groups() {
            let about = match &group[0].said {
                Ok(said) => size(said),
                Err(unsaid) => cannot(unsaid),
            };
            rule(&mut canvas);
            canvas.paragraph("head", MARGIN, 7.9, 17.0, &names(&group));
            canvas.paragraph("soft", MARGIN, LABEL, 15.0, &about);
            if let Some(note) = &group[0].note {
                canvas.paragraph("soft", MARGIN, LABEL, 15.0, note);
            }
            let mut word = format!("{}: {about}", names(&group));
            match &group[0].said {
                Ok(said) => {
                    for (at, unit) in said.units.iter().enumerate() {
                        if said.units.len() > 1 {
                            let number = format!("frame {} of {}", at + 1, said.units.len());
                            canvas.y += 6.0;
                            canvas.paragraph("soft", MARGIN, LABEL, 15.0, &number);
                        }
                        unit_at(&mut canvas, MARGIN, unit);
                    }
                    word += &described(said);
                }
                Err(unsaid) => {
                    canvas.paragraph("soft", MARGIN, LABEL, 16.0, &lead(unsaid).replace('`', ""));
                    for instead in &unsaid.instead {
                        let does = match choice(instead) {
                            none if none.is_empty() => instead.does.clone(),
                            choice => format!("{choice}: {}", instead.does),
                        };
                        let does = does.replace('`', "");
                        canvas.y += 3.0;
                        canvas.paragraph("label", MARGIN + 14.0, LABEL, 15.0, &does);
                        word += &format!("; {does}");
                        if let Some(said) = &instead.said {
                            for unit in &said.units {
                                unit_at(&mut canvas, MARGIN + 28.0, unit);
                            }
                        }
                    }
                }
            }
            words.push(word);
        }
        words.retain(|word| !word.is_empty());
        canvas.done(title, &format!("{}.", words.join(". ")))
    }
}

/// The octets and fields in words, for who does not see the drawing.
fn described(said: &Said) -> String {
    let mut words = String::new();
    for unit in &said.units {
        let shown = unit.octets.get(..OCTETS * 2).unwrap_or(&unit.octets);
        let more = if shown.len() < unit.octets.len() {
            " …"
        } else {
            ""
        };
        let fields: Vec<String> = unit
            .fields
            .iter()
            .filter(|field| field.kind != Kind::Reserved)
            .map(|field| format!("{} {}", field.name, clipped(&field.value, 40)))
            .collect();
        let _ = write!(words, "; {}{more} ({})", hex(shown), fields.join(", "));
    }
    words
}

fn rule(canvas: &mut Canvas) {
    canvas.y += 14.0;
    let (y, end) = (canvas.y, WIDTH - MARGIN);
    let _ = writeln!(
        canvas.marks,
        "<path class=\"rule\" d=\"M{MARGIN} {y:.1}H{end}\"/>"
    );
    canvas.y += 4.0;
}

struct Placed<'a> {
    cell: Cell<'a>,
    shown: Vec<Shown>,
    labels: Vec<(Kind, String)>,
    width: f64,
}

fn unit_at(canvas: &mut Canvas, x: f64, unit: &Unit) {
    let masked = unit.fields.iter().any(|f| f.kind == Kind::MaskingKey);
    let left = if masked { x + GUTTER } else { x };
    let mut line: Vec<Placed<'_>> = Vec::new();
    let mut used = left;
    for cell in cells(unit) {
        let placed = placed(cell);
        if !line.is_empty() && used + placed.width > WIDTH - MARGIN {
            draw(canvas, x, left, masked, &line);
            line.clear();
            used = left;
        }
        used += placed.width + GAP;
        line.push(placed);
    }
    draw(canvas, x, left, masked, &line);
}

fn placed(cell: Cell<'_>) -> Placed<'_> {
    let shown = elided(cell.wire.len(), OCTETS);
    let octets: f64 = shown.iter().map(|shown| width(*shown) + BETWEEN).sum();
    let most = ((octets / LABEL) as usize).max(LABEL_CHARACTERS);
    let labels: Vec<(Kind, String)> = labels(&cell)
        .into_iter()
        .map(|(kind, label)| (kind, clipped(&label, most)))
        .collect();
    let widest = labels.iter().map(|(_, label)| label.width()).max();
    Placed {
        width: octets.max(widest.unwrap_or(0) as f64 * LABEL),
        cell,
        shown,
        labels,
    }
}

fn width(shown: Shown) -> f64 {
    match shown {
        Shown::Octet(_) => OCTET,
        Shown::Gap(count) => gap_text(count).width() as f64 * LABEL + 8.0,
    }
}

fn gap_text(count: usize) -> String {
    format!("… {} more …", thousands(count))
}

fn draw(canvas: &mut Canvas, x: f64, left: f64, masked: bool, line: &[Placed<'_>]) {
    canvas.y += 9.0;
    let top = canvas.y;
    let below = line
        .iter()
        .any(|placed| placed.cell.plain != placed.cell.wire);
    let height = if below { 40.0 } else { 24.0 };
    if masked {
        canvas.text("soft", x, top + 16.5, "wire");
        if below {
            canvas.text("soft", x, top + 33.0, "unmasked");
        }
    }
    let mut at = left;
    for placed in line {
        let ink = palette::of(lead_kind(placed.cell.fields)).class;
        canvas.used.push(ink);
        let mut octet_at = at;
        for shown in &placed.shown {
            let (width, middle) = (width(*shown), octet_at + width(*shown) / 2.0);
            match *shown {
                Shown::Gap(count) => {
                    canvas.text("soft", octet_at + 4.0, top + 16.5, &gap_text(count));
                }
                Shown::Octet(octet) => {
                    let (wire, plain) = (placed.cell.wire[octet], placed.cell.plain[octet]);
                    let covered = placed.cell.plain != placed.cell.wire;
                    let tall = if covered { height } else { 24.0 };
                    let _ = writeln!(
                        canvas.marks,
                        "<rect class=\"g-{ink}\" x=\"{octet_at:.1}\" y=\"{top:.1}\" width=\"{width:.0}\" height=\"{tall:.0}\" rx=\"5\"/>"
                    );
                    canvas.text(
                        &format!("octet t-{ink}"),
                        middle,
                        top + 16.5,
                        &format!("{wire:02x}"),
                    );
                    if covered {
                        canvas.text(
                            &format!("plain t-{ink}"),
                            middle,
                            top + 33.0,
                            &format!("{plain:02x}"),
                        );
                    }
                }
            }
            octet_at += width + BETWEEN;
        }
        for (nth, (kind, label)) in placed.labels.iter().enumerate() {
            let ink = palette::of(*kind).class;
            canvas.used.push(ink);
            let y = top + height + LINE * (nth as f64 + 1.0) - 1.5;
            canvas.text(&format!("label t-{ink}"), at, y, label);
        }
        at += placed.width + GAP;
    }
    let lines = line
        .iter()
        .map(|placed| placed.labels.len())
        .max()
        .unwrap_or(0);
    canvas.y = top + height + LINE * lines as f64 + 2.0;
}

impl Grid {
    /// One drawing.
    pub fn to_svg(&self) -> String {
        let mut canvas = Canvas::new();
        canvas.paragraph("title", MARGIN, 10.3, 18.0, &self.title);
        canvas.y += 6.0;
        let room = ((WIDTH - 2.0 * MARGIN) / LABEL) as usize;
        for (at, (new, lines)) in self.laid(room).into_iter().enumerate() {
            if new {
                canvas.y -= 6.0;
                rule(&mut canvas);
                canvas.y -= 2.0;
            }
            for line in lines {
                canvas.y += 17.0;
                let y = canvas.y;
                canvas.text(if at == 0 { "soft" } else { "label" }, MARGIN, y, &line);
            }
        }
        let rows: Vec<String> = self.rows.iter().map(|row| row.join(", ")).collect();
        canvas.done(&self.title, &rows.join(". "))
    }
}
