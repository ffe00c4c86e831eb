//! The network: one HTTP/1.1 connection per origin and purpose, and nothing that sends twice.
//!
//! A request is serialised at most once. What failed before its first byte was handed to the socket is
//! [`TransportError::NotSent`]; everything after it is [`TransportError::Unanswered`], and the connection is
//! thrown away: a late answer can never be taken for that of the next request. There is no pool, no retry and
//! no redirect. Streams ([`WebSocket`]) are connections of their own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use basis_core::transport::{BoxFuture, Request, Response, Transport, TransportError};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

#[cfg(test)]
mod tests;
mod websocket;

pub use self::websocket::{WebSocket, WebSocketFrame};

/// The largest answer that is read: exchange information has some 10 MiB.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// How connections are made.
#[derive(Clone)]
pub struct Settings {
    /// Certificates that are trusted for `https`; without them only `http` to this machine is spoken.
    pub tls: Option<Arc<ClientConfig>>,
    /// How long connecting and the TLS handshake may take together.
    pub connect_timeout: Duration,
    /// How long an answer may take, from the request's first byte to the answer's last.
    pub answer_timeout: Duration,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("tls", &self.tls.is_some())
            .field("connect_timeout", &self.connect_timeout)
            .field("answer_timeout", &self.answer_timeout)
            .finish()
    }
}

/// No certificate of this machine can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this machine has no certificates to trust (package ca-certificates): {0}")]
pub struct NoCertificates(String);

/// Trusts what this machine trusts.
///
/// # Errors
/// [`NoCertificates`] when there are none.
pub fn system_certificates() -> Result<Arc<ClientConfig>, NoCertificates> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _unusable) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let reasons: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        return Err(NoCertificates(reasons.join("; ")));
    }
    trusting(roots)
}

/// Trusts `roots` alone.
fn trusting(roots: RootCertStore) -> Result<Arc<ClientConfig>, NoCertificates> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| NoCertificates(e.to_string()))?;
    Ok(Arc::new(
        builder.with_root_certificates(roots).with_no_client_auth(),
    ))
}

/// A transport to one origin, over one connection: requests wait for one another.
#[derive(Debug)]
pub struct HttpTransport {
    origin: Origin,
    settings: Settings,
    connection: Mutex<Option<Sender>>,
}

/// The sending half of a connection whose other half a task of its own drives.
struct Sender(SendRequest<Full<Bytes>>);

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

/// Scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    text: String,
    secure: bool,
    host: String,
    port: u16,
}

/// An origin that is none, or that cannot be spoken to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{origin}`: {reason}")]
pub struct OriginError {
    /// What was given.
    pub origin: String,
    /// Why not.
    pub reason: &'static str,
}

/// What bytes go over, encrypted or not.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

impl Origin {
    /// Refuses `https` without certificates, and plain `http` to another machine.
    fn check(&self, settings: &Settings) -> Result<(), OriginError> {
        let refuse = |reason| OriginError {
            origin: self.text.clone(),
            reason,
        };
        if self.secure && settings.tls.is_none() {
            return Err(refuse("https needs certificates to trust"));
        }
        if !self.secure && !matches!(self.host.as_str(), "127.0.0.1" | "localhost") {
            return Err(refuse("plain http is for this machine alone"));
        }
        Ok(())
    }

    fn parse(text: &str) -> Result<Self, OriginError> {
        let refuse = |reason| OriginError {
            origin: text.to_owned(),
            reason,
        };
        let (secure, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(refuse("it begins with neither https:// nor http://")),
        };
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()),
            None => (rest, Some(if secure { 443 } else { 80 })),
        };
        let port = port.ok_or_else(|| refuse("its port is no number"))?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
        if host.is_empty() || !host.chars().all(is_name) {
            return Err(refuse("its host is no name and no address"));
        }
        Ok(Self {
            text: text.to_owned(),
            secure,
            host: host.to_owned(),
            port,
        })
    }
}

impl HttpTransport {
    /// A transport to `origin`, as `https://api.binance.com`; it connects with the first request.
    ///
    /// # Errors
    /// [`OriginError`] for what is no origin, for `https` without certificates, and for plain `http` to another
    /// machine.
    pub fn new(origin: &str, settings: Settings) -> Result<Self, OriginError> {
        let origin = Origin::parse(origin)?;
        origin.check(&settings)?;
        Ok(Self {
            origin,
            settings,
            connection: Mutex::new(None),
        })
    }

    async fn exchange(&self, request: Request) -> Result<Response, TransportError> {
        let request = self.serialise(request)?;
        // Held until the answer is whole: one request at a time, and the next one sees what became of it.
        let mut connection = self.connection.lock().await;
        let mut sender = match connection.take().filter(|sender| !sender.0.is_closed()) {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let until = Instant::now() + self.settings.answer_timeout;
        match timeout_at(until, sender.0.ready()).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => {
                return Err(TransportError::NotSent(format!(
                    "the connection is gone: {e}"
                )));
            }
            Err(_elapsed) => {
                return Err(TransportError::NotSent(
                    "the connection takes nothing".to_owned(),
                ));
            }
        }
        let sent = timeout_at(until, sender.0.try_send_request(request)).await;
        let answer = match sent {
            Err(_elapsed) => return Err(self.late()),
            Ok(Ok(answer)) => answer,
            Ok(Err(mut e)) => {
                // It comes back exactly when it was never serialised.
                let never_sent = e.take_message().is_some();
                let text = e.into_error().to_string();
                return Err(if never_sent {
                    TransportError::NotSent(text)
                } else {
                    TransportError::Unanswered(text)
                });
            }
        };
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX);
        let body = match timeout_at(until, body.collect()).await {
            Err(_elapsed) => return Err(self.late()),
            Ok(Err(e)) => return Err(TransportError::Unanswered(e.to_string())),
            Ok(Ok(body)) => body.to_bytes(),
        };
        // Only a connection whose answer was read whole may carry another request.
        *connection = Some(sender);
        let headers = head.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        });
        Ok(Response {
            status: head.status.as_u16(),
            headers: headers.collect(),
            body: body.to_vec(),
        })
    }

    fn late(&self) -> TransportError {
        let limit = self.settings.answer_timeout;
        TransportError::Unanswered(format!("no answer within {limit:?}"))
    }

    /// Turns a request into what the connection takes; its target must be of this transport's origin.
    fn serialise(&self, request: Request) -> Result<hyper::Request<Full<Bytes>>, TransportError> {
        // No reason quotes the request: its query and headers hold key and signature.
        let refuse =
            |reason: &str| TransportError::NotSent(format!("{}: {reason}", self.origin.text));
        let target = request.url.strip_prefix(&self.origin.text);
        let target = target.filter(|target| target.starts_with('/'));
        let target = target.ok_or_else(|| refuse("the request is for another origin"))?;
        let mut built = hyper::Request::builder().method(request.method).uri(target);
        let host = format!("{}:{}", self.origin.host, self.origin.port);
        let is_default = self.origin.port == if self.origin.secure { 443 } else { 80 };
        let host = if is_default { &self.origin.host } else { &host };
        built = built.header(HOST, host);
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = HeaderValue::from_str(value);
            let (Ok(name), Ok(mut value)) = (name, value) else {
                return Err(refuse("a header is none"));
            };
            value.set_sensitive(true);
            built = built.header(name, value);
        }
        let built = built.body(Full::new(Bytes::from(request.body)));
        built.map_err(|_e| refuse("method, target or a header is none"))
    }

    async fn connect(&self) -> Result<Sender, TransportError> {
        let limit = self.settings.connect_timeout;
        let connecting = tokio::time::timeout(limit, self.handshake()).await;
        let late = |_elapsed| TransportError::NotSent(format!("no connection within {limit:?}"));
        connecting.map_err(late)?
    }

    async fn handshake(&self) -> Result<Sender, TransportError> {
        let stream = dial(&self.origin, &self.settings).await;
        let stream = stream.map_err(TransportError::NotSent)?;
        let failed = |e| TransportError::NotSent(unreachable(&self.origin, &e));
        drive(stream).await.map_err(failed)
    }
}

fn unreachable(origin: &Origin, e: &dyn fmt::Display) -> String {
    format!("{} cannot be reached: {e}", origin.text)
}

/// Connects, with TLS where the origin has it.
async fn dial(origin: &Origin, settings: &Settings) -> Result<Box<dyn Duplex>, String> {
    let failed = |e: &dyn fmt::Display| unreachable(origin, e);
    let address = (origin.host.as_str(), origin.port);
    let stream = TcpStream::connect(address).await.map_err(|e| failed(&e))?;
    stream.set_nodelay(true).map_err(|e| failed(&e))?;
    match (&settings.tls, origin.secure) {
        (Some(tls), true) => {
            let name = ServerName::try_from(origin.host.clone()).map_err(|e| failed(&e))?;
            let connector = TlsConnector::from(Arc::clone(tls));
            let connected = connector.connect(name, stream).await;
            Ok(Box::new(connected.map_err(|e| failed(&e))?))
        }
        _ => Ok(Box::new(stream)),
    }
}

/// Gives a connection a task of its own; it ends with the connection.
async fn drive(stream: Box<dyn Duplex>) -> Result<Sender, hyper::Error> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // What ends the connection is told to the request that was on it.
    tokio::spawn(async move { connection.await.ok() });
    Ok(Sender(sender))
}

impl Transport for HttpTransport {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(self.exchange(request))
    }
}
