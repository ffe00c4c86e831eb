//! The same bytes without us: over a bare socket, and over hyper alone.

use std::error::Error;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use basis_core::transport::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::runtime::Runtime;

type Failed = Box<dyn Error>;

/// Path and query of a request to `address`.
fn target(request: &Request, address: SocketAddr) -> &str {
    let origin = format!("http://{address}");
    request.url.strip_prefix(&origin).unwrap_or(&request.url)
}

/// A request as it goes over the wire.
pub(crate) fn bytes(request: &Request, address: SocketAddr) -> Vec<u8> {
    let mut text = format!(
        "{} {} HTTP/1.1\r\nhost: {address}\r\n",
        request.method,
        target(request, address)
    );
    for (name, value) in &request.headers {
        text.push_str(&format!("{}: {value}\r\n", name.to_ascii_lowercase()));
    }
    text.push_str("content-length: 0\r\n\r\n");
    text.into_bytes()
}

/// A request as hyper takes it.
pub(crate) fn request(
    request: &Request,
    address: SocketAddr,
) -> Result<hyper::Request<Empty<Bytes>>, Failed> {
    let mut built = hyper::Request::builder()
        .method(request.method)
        .uri(target(request, address))
        .header("host", address.to_string());
    for (name, value) in &request.headers {
        built = built.header(name, value);
    }
    Ok(built.body(Empty::new())?)
}

/// A socket that waits.
pub(crate) struct BareSocket(TcpStream);

impl BareSocket {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self, Failed> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Writes a request and reads its answer to the end of the body, which is JSON of one object.
    pub(crate) fn exchange(&mut self, request: &[u8]) -> Result<(), Failed> {
        self.0.write_all(request)?;
        let (mut buffer, mut held) = ([0; 4_096], 0);
        loop {
            let room = buffer.get_mut(held..).unwrap_or_default();
            let read = self.0.read(room)?;
            held += read;
            if read == 0 {
                return Err("the answer is cut short".into());
            }
            let answer = buffer.get(..held).unwrap_or_default();
            if answer.ends_with(b"\"NONE\"}") {
                black_box(answer);
                return Ok(());
            }
        }
    }
}

/// A connection of hyper's.
pub(crate) struct Hyper(SendRequest<Empty<Bytes>>);

impl Hyper {
    pub(crate) fn connect(runtime: &Runtime, address: SocketAddr) -> Result<Self, Failed> {
        runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(async move { connection.await.ok() });
            Ok(Self(sender))
        })
    }

    pub(crate) fn exchange(
        &mut self,
        runtime: &Runtime,
        request: hyper::Request<Empty<Bytes>>,
    ) -> Result<(), Failed> {
        runtime.block_on(async {
            self.0.ready().await?;
            let answer = self.0.send_request(request).await?;
            black_box(answer.into_body().collect().await?.to_bytes());
            Ok(())
        })
    }
}
