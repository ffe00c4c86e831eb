//! Against servers of this machine that behave as told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nRetry-After: 7\r\n\r\n{}";

/// What a server does with one request that it has read whole.
#[derive(Clone, Copy)]
enum Act {
    Answer(&'static str),
    /// Writes this and closes.
    AnswerAndClose(&'static str),
    /// Keeps the connection open and says nothing.
    Hang,
}

/// A server of `connections`, each with what it does with its requests; it returns the requests it saw.
fn serve(connections: Vec<Vec<Act>>) -> (String, JoinHandle<Vec<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let mut hung = Vec::new();
        let mut seen = Vec::new();
        for acts in connections {
            let (stream, _) = listener.accept().unwrap();
            let (requests, open) = converse(stream, &acts);
            seen.push(requests);
            hung.push(open);
        }
        seen
    });
    (origin, server)
}

fn converse(stream: TcpStream, acts: &[Act]) -> (Vec<String>, TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    let mut seen = Vec::new();
    for act in acts {
        let Some(request) = read_request(&mut reader) else {
            break;
        };
        seen.push(request);
        match act {
            Act::Answer(text) => writer.write_all(text.as_bytes()).unwrap(),
            Act::AnswerAndClose(text) => {
                writer.write_all(text.as_bytes()).unwrap();
                writer.shutdown(std::net::Shutdown::Both).unwrap();
            }
            Act::Hang => {}
        }
    }
    (seen, writer)
}

fn read_request(reader: &mut impl BufRead) -> Option<String> {
    let mut text = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        text.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    text.push_str(std::str::from_utf8(&body).unwrap());
    Some(text)
}

fn settings() -> Settings {
    Settings {
        tls: None,
        connect_timeout: Duration::from_secs(5),
        answer_timeout: Duration::from_secs(5),
    }
}

fn request(origin: &str) -> Request {
    Request {
        method: "POST",
        url: format!("{origin}/api/v3/order?a=%2B&signature=thesecretitself"),
        headers: vec![("X-MBX-APIKEY".to_owned(), "thekeysname".to_owned())],
        body: b"body".to_vec(),
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}

#[test]
fn requests_go_out_as_they_are_over_one_connection() {
    let (origin, server) = serve(vec![vec![Act::Answer(OK), Act::Answer(OK)]]);
    let transport = HttpTransport::new(&origin, settings()).unwrap();
    run(async {
        for _ in 0..2 {
            let answer = transport.send(request(&origin)).await.unwrap();
            assert_eq!((answer.status, &answer.body[..]), (200, &b"{}"[..]));
            assert!(
                answer
                    .headers
                    .contains(&("retry-after".to_owned(), "7".to_owned()))
            );
        }
    });
    drop(transport);
    let seen = server.join().unwrap();
    let host = origin.strip_prefix("http://").unwrap();
    let wanted = format!(
        "POST /api/v3/order?a=%2B&signature=thesecretitself HTTP/1.1\r\nhost: {host}\r\n\
         x-mbx-apikey: thekeysname\r\ncontent-length: 4\r\n\r\nbody"
    );
    assert_eq!(seen, [[wanted.clone(), wanted]]);
}

#[test]
fn what_cannot_connect_was_not_sent() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let origin = format!("http://{closed}");
    let transport = HttpTransport::new(&origin, settings()).unwrap();
    let e = run(transport.send(request(&origin))).unwrap_err();
    assert!(
        matches!(&e, TransportError::NotSent(text) if text.contains(&origin)),
        "{e:?}"
    );
}

#[test]
fn a_request_without_a_whole_answer_is_unanswered_and_is_not_sent_again() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{\"half\":";
    for broken in ["", cut, "HTTP/1.1 200", "<html>nonsense</html>\r\n\r\n"] {
        let (origin, server) = serve(vec![
            vec![Act::AnswerAndClose(broken)],
            vec![Act::Answer(OK)],
        ]);
        let transport = HttpTransport::new(&origin, settings()).unwrap();
        run(async {
            let e = transport.send(request(&origin)).await.unwrap_err();
            assert!(
                matches!(e, TransportError::Unanswered(_)),
                "{broken}: {e:?}"
            );
            // The next one is another request over another connection.
            assert_eq!(transport.send(request(&origin)).await.unwrap().status, 200);
        });
        let counts: Vec<_> = server.join().unwrap().iter().map(Vec::len).collect();
        assert_eq!(counts, [1, 1], "{broken}");
    }
}

#[test]
fn a_late_answer_is_never_taken_for_that_of_the_next_request() {
    let (origin, server) = serve(vec![vec![Act::Hang], vec![Act::Answer(OK)]]);
    let short = Settings {
        answer_timeout: Duration::from_millis(50),
        ..settings()
    };
    let transport = HttpTransport::new(&origin, short).unwrap();
    run(async {
        let e = transport.send(request(&origin)).await.unwrap_err();
        assert!(
            matches!(&e, TransportError::Unanswered(text) if text.contains("50ms")),
            "{e:?}"
        );
        assert_eq!(transport.send(request(&origin)).await.unwrap().status, 200);
    });
    assert_eq!(server.join().unwrap().len(), 2);
}

#[test]
fn a_connection_that_the_server_ended_is_replaced() {
    let close = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    let (origin, server) = serve(vec![
        vec![Act::AnswerAndClose(close)],
        vec![Act::Answer(OK)],
    ]);
    let transport = HttpTransport::new(&origin, settings()).unwrap();
    run(async {
        for _ in 0..2 {
            assert_eq!(transport.send(request(&origin)).await.unwrap().status, 200);
        }
    });
    assert_eq!(server.join().unwrap().len(), 2);
}

#[test]
fn what_is_for_somebody_else_or_no_request_does_not_leave() {
    let transport = HttpTransport::new("http://127.0.0.1:1", settings()).unwrap();
    let mut wrong = vec![
        request("http://127.0.0.1:2"),
        request("http://127.0.0.1:11"),
    ];
    wrong.push(Request {
        headers: vec![("X-KEY".to_owned(), "thekeysname\r\nX: 1".to_owned())],
        ..request("http://127.0.0.1:1")
    });
    wrong.push(Request {
        url: "http://127.0.0.1:1/a b?signature=thesecretitself".to_owned(),
        ..request("")
    });
    for request in wrong {
        let e = run(transport.send(request)).unwrap_err();
        let text = format!("{e} {e:?} {transport:?}");
        assert!(matches!(e, TransportError::NotSent(_)), "{text}");
        assert!(
            !text.contains("thesecretitself") && !text.contains("thekeysname"),
            "{text}"
        );
    }
}

#[test]
fn origins_are_checked() {
    let refused = |origin: &str| HttpTransport::new(origin, settings()).unwrap_err().reason;
    assert_eq!(
        refused("ftp://127.0.0.1"),
        "it begins with neither https:// nor http://"
    );
    assert_eq!(refused("http://127.0.0.1:port"), "its port is no number");
    assert_eq!(
        refused("http://user@127.0.0.1"),
        "its host is no name and no address"
    );
    assert_eq!(
        refused("http://127.0.0.1/path"),
        "its host is no name and no address"
    );
    assert_eq!(
        refused("https://127.0.0.1"),
        "https needs certificates to trust"
    );
    assert_eq!(
        refused("http://192.0.2.1"),
        "plain http is for this machine alone"
    );
}

/// Serves one connection over TLS with the certificate of the tests.
fn serve_tls() -> (String, JoinHandle<Option<String>>) {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("https://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        let mut first = [0; 4096];
        let read = stream.read(&mut first).ok()?;
        stream.write_all(OK.as_bytes()).unwrap();
        Some(String::from_utf8_lossy(&first[..read]).into_owned())
    });
    (origin, server)
}

#[test]
fn https_is_spoken_with_who_is_trusted_alone() {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(include_bytes!("tls/authority.pem")).unwrap())
        .unwrap();
    let trusting = |roots| Settings {
        tls: Some(super::trusting(roots).unwrap()),
        ..settings()
    };
    let (origin, server) = serve_tls();
    let transport = HttpTransport::new(&origin, trusting(roots)).unwrap();
    assert_eq!(run(transport.send(request(&origin))).unwrap().status, 200);
    assert!(
        server
            .join()
            .unwrap()
            .unwrap()
            .starts_with("POST /api/v3/order?")
    );

    let (origin, server) = serve_tls();
    let transport = HttpTransport::new(&origin, trusting(RootCertStore::empty())).unwrap();
    let e = run(transport.send(request(&origin))).unwrap_err();
    assert!(
        matches!(&e, TransportError::NotSent(text) if text.contains("certificate")),
        "{e:?}"
    );
    assert_eq!(server.join().unwrap(), None);
}
