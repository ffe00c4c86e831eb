//! HTTP/1.1 as far as clients of a venue need it: one request after the other, bodies with their length.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use basis_core::transport::{Request, Response};
use basis_sim::server::ServedVenue;

use super::{Shared, websocket};

/// The longest head and the longest body that are read.
const HEAD_BYTES_MAX: usize = 64 << 10;
const BODY_BYTES_MAX: usize = 1 << 20;

/// Serves a connection until either side ends it.
pub(super) fn serve<V: ServedVenue>(shared: &Shared<V>, connection: TcpStream) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut writer = connection;
    while let Some(request) = read_request(&mut reader)? {
        if header(&request, "upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket")) {
            return websocket::serve(shared, &request, reader, writer);
        }
        let is_last =
            header(&request, "connection").is_some_and(|c| c.eq_ignore_ascii_case("close"));
        let Some(response) = shared.answer(request) else {
            return Ok(());
        };
        write_response(&mut writer, &response)?;
        if is_last {
            return Ok(());
        }
    }
    Ok(())
}

pub(super) fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let mut headers = request.headers.iter();
    let found = headers.find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))?;
    Some(found.1.as_str())
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// Reads a request; `None` when the client has closed in between.
fn read_request(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let room = u64::try_from(HEAD_BYTES_MAX - head.len()).unwrap_or(0);
        if reader.by_ref().take(room).read_until(b'\n', &mut head)? == 0 {
            if head.is_empty() {
                return Ok(None);
            }
            return Err(invalid("the head of a request is cut or too long"));
        }
    }
    let head = String::from_utf8(head).map_err(|_bytes| invalid("a head that is no text"))?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let known = ["GET", "POST", "PUT", "DELETE"];
    let method = known.into_iter().find(|known| *known == method);
    let headers = lines.filter_map(|line| line.split_once(':'));
    let mut request = Request {
        method: method.ok_or_else(|| invalid("an unknown method"))?,
        url: target.to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect(),
        body: Vec::new(),
    };
    let length = header(&request, "content-length").map_or(Ok(0), str::parse);
    let length: usize = length.map_err(|_text| invalid("a length that is no number"))?;
    if length > BODY_BYTES_MAX {
        return Err(invalid("a body that is too long"));
    }
    request.body = vec![0; length];
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}

/// Writes an answer with its length.
pub(super) fn write_response(writer: &mut TcpStream, response: &Response) -> io::Result<()> {
    let mut head = format!(
        "HTTP/1.1 {} {}\r\n",
        response.status,
        reason(response.status)
    );
    for (name, value) in &response.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", response.body.len());
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&response.body);
    writer.write_all(&bytes)
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        409 => "Conflict",
        418 => "I'm a teapot",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}
