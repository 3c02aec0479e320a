//! `draftgate proxy` as a process, between the program's own echo and its own
//! client, in every draft on either side.

use std::fs;

use crate::{
    child::{directory, draftgate},
    serve::{drafts, gateway},
};

#[test]
fn every_draft_reaches_a_server_of_any_draft() {
    for far in drafts() {
        let echo = gateway(&["echo", "--drafts", far]);
        let url = format!("ws://{}", echo.address);
        let proxy = gateway(&["proxy", "--upstream-draft", far, &url]);
        for near in drafts() {
            let url = format!("ws://{}/any/path?a=b", proxy.address);
            let flags = [
                "--draft",
                near,
                "--count",
                "1",
                "--origin",
                "http://localhost",
            ];
            let arguments = ["connect"].into_iter().chain(flags).chain([url.as_str()]);
            let mut client = draftgate(arguments).start();
            client.write("Grüße\n");
            // Its input is still open: it ends by the message that came.
            let ended = client.finish();
            ended.expect(0, &[]);
            assert_eq!(ended.stdout, "Grüße\n", "{near} to {far}");
        }
        proxy.stop();
        echo.stop();
    }
}

#[test]
fn auto_goes_down_to_what_the_server_speaks_and_remembers_it() {
    let echo = gateway(&["echo", "--drafts", "hybi-07"]);
    let url = format!("ws://{}", echo.address);
    let mut proxy = gateway(&["proxy", &url]);
    for text in ["one\n", "two\n"] {
        let url = format!("ws://{}/", proxy.address);
        let mut client = draftgate(["connect", "--count", "1", &url]).start();
        client.write(text);
        let ended = client.finish();
        ended.expect(0, &[]);
        assert_eq!(ended.stdout, text);
    }
    let learned = proxy.process.stderr.line_with("upstream speaks this draft");
    assert!(learned.contains("hybi-07"), "{learned}");
    proxy.process.signal("TERM");
    let ended = proxy.process.finish();
    ended.expect(0, &[]);
    let told = ended.stderr.matches("speaks this draft").count();
    assert_eq!(told, 1, "{}", ended.stderr);
    // Twice three for the first, 13, 8 and 7, and one for the second.
    echo.process.signal("TERM");
    let ended = echo.process.finish();
    let refused = ended.stderr.matches("\"refused: ").count();
    assert_eq!(refused, 1, "{}", ended.stderr);
}

#[test]
fn connections_are_recorded() {
    let echo = gateway(&["echo"]);
    let (url, dir) = (format!("ws://{}", echo.address), directory());
    let proxy = gateway(&["proxy", "--record", dir.to_str().unwrap(), &url]);
    let url = format!("ws://{}/", proxy.address);
    let mut client = draftgate(["connect", "--draft", "hixie-76", "--count", "1", &url]).start();
    client.write("Hello\n");
    client.finish().expect(0, &[]);
    proxy.stop();
    echo.stop();
    let files: Vec<_> = fs::read_dir(dir).unwrap().collect();
    assert_eq!(files.len(), 1);
    let text = fs::read_to_string(files[0].as_ref().unwrap().path()).unwrap();
    assert!(text.contains("hixie-76"), "{text}");
}

#[test]
fn a_server_that_is_not_there_and_a_url_that_is_none_are_explained() {
    draftgate(["proxy", "http://127.0.0.1"])
        .run()
        .expect(2, &["did you mean `ws://`?"]);
    draftgate(["proxy"]).run().expect(2, &["<URL>"]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let proxy = gateway(&["proxy", &format!("ws://{closed}")]);
    let url = format!("ws://{}/", proxy.address);
    let ended = draftgate(["connect", &url]).run();
    assert_ne!(ended.code, Some(0));
    for says in ["502", "upstream-unreachable"] {
        assert!(ended.stderr.contains(says), "{says}: {}", ended.stderr);
    }
    proxy.process.signal("TERM");
    let ended = proxy.process.finish();
    assert!(
        ended
            .stderr
            .contains(&format!("cannot connect to {closed}")),
        "{}",
        ended.stderr
    );
}
