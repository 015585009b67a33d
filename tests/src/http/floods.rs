//! Clients that take places and give none back keep nobody else out.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::http::*;

/// Asks for a public file again and again, and reads none of the answers.
fn never_read(stream: TcpStream) -> TcpStream {
    stream.set_nonblocking(true).unwrap();
    let request = b"GET /page/live.js HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    // As much as is accepted.
    let _ = (&stream).write_all(&request);
    stream
}

/// Reads the beginning of the first answer: the file is sent, and there is more of it than was read.
fn has_begun(mut stream: &TcpStream) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        read.extend(byte);
    }
    let head = String::from_utf8(read).unwrap().to_lowercase();
    assert!(head.starts_with("http/1.1 200 ok"), "{head}");
    let (_, length) = head.split_once("content-length: ").expect(&head);
    let length: usize = length.lines().next().unwrap().parse().unwrap();
    assert!(length > head.len(), "{head}");
}

/// Asks until the answer has this status.
fn ask_until(status: u16, ask: impl Fn() -> Answer) -> Answer {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask();
        if answer.status == status {
            return answer;
        }
        assert!(Instant::now() < deadline, "{answer:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn connections_without_a_token_make_room_for_those_with_one() {
    let served = Served::start("access = \"token\"\nheader_s = 600\nstall_s = 600\n");
    let bearer = format!("Bearer {}", served.token("viewer"));
    let first = never_read(served.connect_from([127, 0, 0, 6]));
    has_begun(&first);
    // More than there are places, from several addresses.
    let flood: Vec<_> = (2..6)
        .flat_map(|last| [[127, 0, 0, last]; 20])
        .map(|address| never_read(served.connect_from(address)))
        .collect();
    assert_eq!(served.get("/v1/health/live").status, 200);
    let device = || served.send("GET", "/v1/device", &[("authorization", &bearer)], b"");
    ask_until(200, device);
    drop((first, flood));
}

#[test]
fn exports_that_are_not_read_are_given_up() {
    let served = Served::start("stall_s = 0.3\n").ready();
    let mut bytes = 0;
    // More than the system holds for a client.
    while bytes < 600_000 {
        let finding = served.capture("").json();
        let image = format!("/v1/fields/{}/image", finding["record"].as_str().unwrap());
        bytes += served.get(&image).body.len();
    }
    let export = "/v1/records/export?format=zip";
    let ignored: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = served.connect_from([127, 0, 0, 1]);
            write!(stream, "GET {export} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            stream.set_nonblocking(false).unwrap();
            let mut begun = [0; "HTTP/1.1 200".len()];
            stream.read_exact(&mut begun).unwrap();
            assert_eq!(&begun, b"HTTP/1.1 200");
            stream
        })
        .collect();
    // It is refused while both are sent.
    ask_until(200, || served.get(export));
    drop(ignored);
}
