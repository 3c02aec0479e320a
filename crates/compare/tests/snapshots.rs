//! What people and programs are shown, compared with stored files beside this
//! one; `WRITE_SNAPSHOTS=1` writes them anew.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{env, fs, path::Path};

use draftgate_compare::{Diff, Handshake, Look, Options, Sizes, Table, What};
use draftgate_core::{Draft, Role};

#[track_caller]
fn is(name: &str, seen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/snapshots")
        .join(name);
    if env::var_os("WRITE_SNAPSHOTS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, seen).unwrap();
        return;
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == seen,
        "{name} is not what is stored; if it should be so, run with WRITE_SNAPSHOTS=1:\n{seen}"
    );
}

fn table(what: What) -> Table {
    Table::of(&what, &Options::default()).unwrap()
}

fn hello() -> Table {
    table(What::text("Hello").unwrap())
}

const DRAFTS: [Draft; 2] = [Draft::Hybi06, Draft::Hybi13];

#[test]
fn hello_is_as_stored_in_every_form() {
    let hello = hello();
    is("hello.txt", &hello.to_string());
    is("hello-bits.txt", &hello.to_bits(Look::plain(100)));
    is("hello.json", &hello.to_json());
    is("hello.html", &hello.to_html());
    is("hello.svg", &hello.to_svg());
}

#[test]
fn hello_in_colour_and_in_a_narrow_window_is_as_stored() {
    let coloured = Look {
        width: 48,
        colour: true,
    };
    is("hello-narrow.ansi", &hello().to_text(coloured));
}

#[test]
fn headings_fit_a_narrow_window() {
    let options = Options::default();
    let what = What::text("Hello").unwrap();
    let diff = Diff::of(&what, DRAFTS, &options).unwrap();
    let look = Look::plain(40);
    for text in [
        diff.grid().to_text(look),
        Sizes::of(&options).unwrap().grid().to_text(look),
        Handshake::of(&options).unwrap().to_text(look),
        hello().to_text(look),
        hello().to_bits(look),
    ] {
        let first = text.lines().next().unwrap();
        assert!(first.chars().count() <= 40, "{text}");
    }
}

#[test]
fn fragments_are_as_stored() {
    let what = What::text("Grüße & <more>")
        .unwrap()
        .in_fragments(3)
        .unwrap();
    let fragments = table(what);
    is("fragments.txt", &fragments.to_string());
    is("fragments.json", &fragments.to_json());
    is("fragments.svg", &fragments.to_svg());
}

#[test]
fn what_drafts_cannot_say_is_as_stored() {
    let binary = table(What::binary(&b"\xca\xfe"[..]).unwrap());
    is("binary.txt", &binary.to_string());
    is("binary.json", &binary.to_json());
    is("binary.html", &binary.to_html());
    is("binary.svg", &binary.to_svg());
    is("ping.txt", &table(What::ping("").unwrap()).to_string());
    let close = table(What::close(1011, "disk full").unwrap());
    is("close.txt", &close.to_string());
    is("close.json", &close.to_json());
}

#[test]
fn a_wide_payload_is_elided_in_what_is_drawn() {
    let what = What::text("0123456789".repeat(7000)).unwrap();
    let options = Options {
        directions: vec![Role::Client],
        ..Options::default()
    };
    let wide = Table::of(&what, &options).unwrap();
    for (name, drawn) in [
        ("wide.txt", wide.to_string()),
        ("wide-bits.txt", wide.to_bits(Look::plain(100))),
        ("wide.html", wide.to_html()),
        ("wide.svg", wide.to_svg()),
    ] {
        assert!(drawn.len() < 50_000, "{name} has {} octets", drawn.len());
        is(name, &drawn);
    }
    let json: String = wide.to_json();
    assert!(json.len() > 3 * 70_000, "programs get every octet");
}

#[test]
fn sizes_are_as_stored() {
    let sizes = Sizes::of(&Options::default()).unwrap();
    is("sizes.txt", &sizes.to_string());
    is("sizes.json", &sizes.to_json());
    is("sizes.html", &sizes.grid().to_html());
    is("sizes.svg", &sizes.grid().to_svg());
}

#[test]
fn openings_are_as_stored() {
    let opened = Handshake::of(&Options::default()).unwrap();
    is("handshake.txt", &opened.to_string());
    is("handshake.json", &opened.to_json());
    is("handshake.html", &opened.to_html());
    is("handshake.svg", &opened.to_svg());
}

#[test]
fn differences_are_as_stored() {
    let what = What::text("Hello").unwrap();
    let diff = Diff::of(&what, DRAFTS, &Options::default()).unwrap();
    is("diff.txt", &diff.to_string());
    is("diff.json", &diff.to_json());
    is("diff.svg", &diff.grid().to_svg());
    is("diff.html", &diff.grid().to_html());
    let hixie = [Draft::Hixie76, Draft::Hybi13];
    let opened = Diff::of_handshakes(hixie, &Options::default()).unwrap();
    is("diff-handshake.txt", &opened.to_string());
    let ping = What::ping("").unwrap();
    let unsaid = Diff::of(&ping, hixie, &Options::default()).unwrap();
    is("diff-unsaid.txt", &unsaid.to_string());
}

/// A page or a drawing that loads something shows nothing where there is no net.
#[test]
fn pages_and_drawings_stand_alone() {
    let opened = Handshake::of(&Options::default()).unwrap();
    for drawn in [hello().to_html(), hello().to_svg(), opened.to_html()] {
        for loads in ["src=", "href=", "@import", "url("] {
            assert!(!drawn.contains(loads), "{loads}: {drawn}");
        }
    }
}

/// What stands in a message is text in a page, and never markup.
#[test]
fn a_message_never_becomes_markup() {
    let what = What::text("<script>alert(1)</script>\"'&\u{1b}[31m\0").unwrap();
    let table = table(what);
    for drawn in [table.to_html(), table.to_svg()] {
        assert!(!drawn.contains("<script>alert"), "{drawn}");
        assert!(drawn.contains("&lt;script&gt;"), "{drawn}");
        let bare = |c: char| c.is_control() && c != '\n';
        assert!(!drawn.contains(bare), "{drawn}");
    }
    let text = table.to_string();
    assert!(!text.contains('\u{1b}') && !text.contains('\0'), "{text}");
}
