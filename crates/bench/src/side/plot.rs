//! Curves as SVG, by plotters: what grows on a logarithmic scale, cost on a linear
//! one that begins at zero, so that what looks flat is flat. plotters writes colours
//! as attributes, which a style sheet overrides: so a plot is light on a light page
//! and dark on a dark one, with a ground of its own on either.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::growth::{Curve, Line};
use crate::table::{quantity, thousands};

const SIZE: (u32, u32) = (720, 360);

/// Told apart by people who see colours differently, and on either ground.
const INKS: [RGBColor; 3] = [
    RGBColor(0x1f, 0x77, 0xb4),
    RGBColor(0xd9, 0x5f, 0x02),
    RGBColor(0x3c, 0x94, 0x55),
];

/// Ground, words and grid on a light page; a dark one replaces them.
const GROUND: RGBColor = RGBColor(0xff, 0xff, 0xff);
const WORDS: RGBColor = RGBColor(0x24, 0x29, 0x2f);
const GRID: RGBColor = RGBColor(0xd8, 0xde, 0xe4);
const DARK: &str = "<style>@media (prefers-color-scheme: dark) {\n\
    [fill=\"#FFFFFF\"] { fill: #0d1117 }\n[fill=\"#24292F\"] { fill: #d1d7e0 }\n\
    [stroke=\"#24292F\"] { stroke: #d1d7e0 }\n[stroke=\"#D8DEE4\"] { stroke: #2b3138 }\n}</style>\n";

/// The curve as a file.
///
/// # Errors
/// plotters' own, in words: none that is known for text.
pub(crate) fn svg(curve: &Curve) -> Result<String, String> {
    let mut text = String::new();
    draw(curve, &mut text).map_err(|e| e.to_string())?;
    // Behind the first tag, which is that of the whole.
    let at = text
        .find('>')
        .and_then(|xml| Some(xml + text[xml + 1..].find('\n')? + 2));
    text.insert_str(at.unwrap_or(0), DARK);
    Ok(text)
}

fn draw(curve: &Curve, text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let lines: Vec<Vec<(f64, f64)>> = curve.lines.iter().map(points).collect();
    let all = || lines.iter().flatten();
    let least = all().map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
    let most = all().map(|(x, _)| *x).fold(1.0, f64::max);
    let highest = all().map(|(_, y)| *y).fold(0.0, f64::max) * 1.15;

    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    root.fill(&GROUND)?;
    let words = |size: u32| ("sans-serif", size).into_font().color(&WORDS);
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .margin_right(36)
        .caption(&curve.title, words(16))
        .x_label_area_size(44)
        .y_label_area_size(84)
        .build_cartesian_2d((least..most).log_scale(), 0.0..highest)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(WORDS)
        .label_style(words(12))
        .axis_desc_style(words(13))
        .x_labels(0)
        .x_label_formatter(&|_| String::new())
        .set_tick_mark_size(LabelAreaPosition::Bottom, 0)
        .y_labels(6)
        .x_desc(&curve.of)
        .y_desc(&curve.what)
        .y_label_formatter(&|value| in_unit(*value, highest, &curve.unit))
        .draw()?;
    // Where something was measured, which is not where plotters would put its marks.
    let below = Pos::new(HPos::Center, VPos::Top);
    for (at, _) in &lines[0] {
        let (x, y) = chart.backend_coord(&(*at, 0.0));
        let label = Text::new(thousands(*at), (x, y + 6), words(12).pos(below));
        root.draw(&label)?;
    }
    for ((line, points), ink) in curve.lines.iter().zip(&lines).zip(INKS) {
        let drawn = LineSeries::new(points.iter().copied(), ink.stroke_width(2)).point_size(3);
        chart
            .draw_series(drawn)?
            .label(&line.label)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], ink.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(GROUND)
        .border_style(GRID)
        .label_font(words(12))
        .draw()?;
    root.present()?;
    Ok(())
}

/// Every mark of an axis in the unit that fits its highest.
fn in_unit(value: f64, highest: f64, unit: &str) -> String {
    match unit {
        "ns" if highest >= 1e4 => format!("{:.0} µs", value / 1e3),
        unit => quantity(value, unit),
    }
}

fn points(line: &Line) -> Vec<(f64, f64)> {
    let medians = line.medians().into_iter();
    medians.map(|(at, value)| (at as f64, value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::tests::curve;

    #[test]
    fn a_plot_is_well_formed_and_says_what_it_shows() {
        let svg = svg(&curve("connections")).unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let root = document.root_element();
        assert_eq!(root.tag_name().name(), "svg");
        let texts: Vec<&str> = document
            .descendants()
            .filter_map(|node| node.text())
            .collect();
        for text in ["Echo & more", "connections", "raw <tokio>", "1,000"] {
            assert!(
                texts.iter().any(|other| other.trim() == text),
                "{text}: {texts:?}"
            );
        }
        let lines = document
            .descendants()
            .filter(|node| node.has_tag_name("polyline"));
        assert!(lines.count() >= 2, "one for each line");
    }

    #[test]
    fn a_dark_page_finds_every_colour_that_it_replaces() {
        let svg = svg(&curve("connections")).unwrap();
        for ink in ["\"#FFFFFF\"", "\"#24292F\"", "\"#D8DEE4\""] {
            assert!(svg.matches(ink).count() > 1, "{ink}");
        }
    }
}
