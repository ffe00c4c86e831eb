//! The network seam: every byte that leaves passes here.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// A boxed future that may cross threads. Futures live below this seam alone: none reaches the engine,
/// the market or a simulated venue.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One request, as it will be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: &'static str,
    /// Scheme, host, path and query, exactly as signed.
    pub url: String,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// The body, exactly as signed.
    pub body: Vec<u8>,
}

impl fmt::Debug for Request {
    /// Method and path only: query, headers and body may hold keys and signatures.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.url.split(['?', '#']).next().unwrap_or_default();
        write!(f, "Request {{ {} {path} }}", self.method)
    }
}

/// One answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Response {{ status: {}, {} bytes }}",
            self.status,
            self.body.len()
        )
    }
}

/// Why there is no answer, split by whether the request may have arrived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Not one byte was sent: trying again is free.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Something may have been sent: the outcome is unknown.
    #[error("sent, but no answer: {0}")]
    Unanswered(String),
}

/// Sends requests.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends `request` and waits for the answer, bounded in time by the implementation.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let request = Request {
            method: "GET",
            url: "https://127.0.0.1/api/order?signature=SECRET".to_owned(),
            headers: vec![("X-KEY".to_owned(), "SECRET".to_owned())],
            body: b"SECRET".to_vec(),
        };
        let text = format!("{request:?}");
        assert!(
            text.contains("/api/order") && !text.contains("SECRET"),
            "{text}"
        );
    }
}
