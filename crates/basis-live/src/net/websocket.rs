//! A WebSocket connection: whole text frames, pings that are answered, bounds of size and time.

use std::fmt;

use basis_core::secret::Secret;
use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::{Duplex, Origin, Settings, dial};

/// The longest frame that is read: a private frame has some hundred bytes, a book of a thousand levels 100 KiB.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// A stream to a venue.
pub struct WebSocket(WebSocketStream<Box<dyn Duplex>>);

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebSocket")
    }
}

/// What comes on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebSocketFrame {
    /// A text frame, whole.
    Text(String),
    /// A ping, which is answered.
    Ping,
    /// The other side ended it, for this reason.
    Closed(String),
}

impl WebSocket {
    /// Connects to `url`, as `wss://fstream.binance.com/private/ws/KEY`.
    ///
    /// # Errors
    /// Why not; the text never holds more of the URL than its origin.
    pub async fn connect(url: &Secret, settings: &Settings) -> Result<Self, String> {
        let (origin, _path) =
            split(url.expose()).ok_or("a stream's URL begins with neither wss:// nor ws://")?;
        let origin = Origin::parse(&origin).map_err(|e| e.to_string())?;
        origin.check(settings).map_err(|e| e.to_string())?;
        let limit = settings.connect_timeout;
        let opening = async {
            let stream = dial(&origin, settings).await?;
            let mut config = WebSocketConfig::default();
            config.max_message_size = Some(FRAME_BYTES_MAX);
            config.max_frame_size = Some(FRAME_BYTES_MAX);
            let opened = client_async_with_config(url.expose(), stream, Some(config)).await;
            let (socket, _answer) = opened.map_err(|e| refused(&origin, &e))?;
            Ok(Self(socket))
        };
        match timeout(limit, opening).await {
            Ok(opened) => opened,
            Err(_elapsed) => Err(format!("{}: no stream within {limit:?}", origin.text)),
        }
    }

    /// Waits for what comes next. May be dropped and called again: nothing is lost.
    ///
    /// # Errors
    /// How the connection ended.
    pub async fn next(&mut self) -> Result<WebSocketFrame, String> {
        loop {
            let message = match self.0.next().await {
                Some(Ok(message)) => message,
                Some(Err(e)) => return Err(e.to_string()),
                None => return Err("the connection ended".to_owned()),
            };
            match message {
                Message::Text(text) => return Ok(WebSocketFrame::Text(text.as_str().to_owned())),
                // Its answer lies ready and leaves with the next read or write.
                Message::Ping(_) => return Ok(WebSocketFrame::Ping),
                Message::Close(frame) => {
                    let reason = frame.map_or_else(
                        || "closed without a code".to_owned(),
                        |frame| format!("closed with {} {}", frame.code, frame.reason),
                    );
                    return Ok(WebSocketFrame::Closed(reason));
                }
                Message::Binary(_) => return Err("a binary frame".to_owned()),
                Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Sends a text frame.
    ///
    /// # Errors
    /// How the connection ended.
    pub async fn send(&mut self, text: &Secret) -> Result<(), String> {
        let message = Message::text(text.expose());
        self.0.send(message).await.map_err(|e| e.to_string())
    }

    /// Ends the connection with a close frame; what it says no longer matters.
    pub async fn close(mut self) {
        self.0.close(None).await.ok();
    }
}

/// Origin in the words of HTTP, and the rest.
fn split(url: &str) -> Option<(String, &str)> {
    let (scheme, rest) = match (url.strip_prefix("wss://"), url.strip_prefix("ws://")) {
        (Some(rest), _) => ("https", rest),
        (None, Some(rest)) => ("http", rest),
        (None, None) => return None,
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Some((format!("{scheme}://{host}"), path))
}

/// Why an upgrade was refused, without the URL.
fn refused(origin: &Origin, e: &Error) -> String {
    match e {
        Error::Http(answer) => {
            format!("{} answers {} to the upgrade", origin.text, answer.status())
        }
        Error::Url(_) | Error::HttpFormat(_) => {
            format!("{}: the stream's URL is none", origin.text)
        }
        other => format!("{}: {other}", origin.text),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;
    use tokio_tungstenite::tungstenite::protocol::CloseFrame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(future)
    }

    fn settings() -> Settings {
        Settings {
            tls: None,
            connect_timeout: Duration::from_millis(500),
            answer_timeout: Duration::from_secs(5),
        }
    }

    async fn listener() -> (TcpListener, Secret) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = Secret::new(format!("ws://{address}/private/ws/thelistenkey"));
        (listener, url)
    }

    #[test]
    fn frames_go_both_ways_and_pings_are_answered() {
        run(async {
            let (listener, url) = listener().await;
            let server = async {
                let (stream, _) = listener.accept().await.unwrap();
                let mut socket = accept_async(stream).await.unwrap();
                socket.send(Message::Ping("7".into())).await.unwrap();
                socket.send(Message::text("first")).await.unwrap();
                let mut seen = Vec::new();
                while seen.len() < 2 {
                    seen.push(socket.next().await.unwrap().unwrap());
                }
                let code = CloseCode::Away;
                let reason = "maintenance".into();
                let frame = CloseFrame { code, reason };
                socket.close(Some(frame)).await.unwrap();
                seen
            };
            let client = async {
                let mut socket = WebSocket::connect(&url, &settings()).await.unwrap();
                assert_eq!(socket.next().await, Ok(WebSocketFrame::Ping));
                let first = WebSocketFrame::Text("first".to_owned());
                assert_eq!(socket.next().await, Ok(first));
                socket
                    .send(&Secret::new("subscribe".to_owned()))
                    .await
                    .unwrap();
                socket.next().await
            };
            let (seen, end) = futures_util::future::join(server, client).await;
            assert!(seen.contains(&Message::Pong("7".into())), "{seen:?}");
            assert!(seen.contains(&Message::text("subscribe")), "{seen:?}");
            let Ok(WebSocketFrame::Closed(reason)) = end else {
                panic!("{end:?}");
            };
            assert!(
                reason.contains("1001") && reason.contains("maintenance"),
                "{reason}"
            );
        });
    }

    #[test]
    fn a_frame_beyond_the_bound_ends_the_stream() {
        run(async {
            let (listener, url) = listener().await;
            let server = async {
                let (stream, _) = listener.accept().await.unwrap();
                let mut socket = accept_async(stream).await.unwrap();
                let long = "x".repeat(FRAME_BYTES_MAX + 1);
                // The other side may be gone before all of it is written.
                socket.send(Message::text(long)).await.ok();
            };
            let client = async {
                let mut socket = WebSocket::connect(&url, &settings()).await.unwrap();
                socket.next().await
            };
            let ((), end) = futures_util::future::join(server, client).await;
            assert!(end.is_err(), "{end:?}");
        });
    }

    #[test]
    fn what_cannot_be_opened_says_why_and_never_where_to() {
        run(async {
            let (listener, url) = listener().await;
            let refusing = async {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = [0; 1_024];
                let length = stream.read(&mut head).await.unwrap();
                assert!(length > 0);
                let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).await.unwrap();
            };
            let settings = settings();
            let opening = WebSocket::connect(&url, &settings);
            let ((), refused) = futures_util::future::join(refusing, opening).await;
            // Nobody answers the next one.
            let late = WebSocket::connect(&url, &settings).await;
            let key = "thelistenkey";
            let cases = [
                (refused, "503"),
                (late, "no stream within"),
                (
                    connect(&format!("ws://192.0.2.1/{key}")).await,
                    "this machine alone",
                ),
                (
                    connect(&format!("wss://127.0.0.1:1/{key}")).await,
                    "certificates",
                ),
                (
                    connect(&format!("http://127.0.0.1:1/{key}")).await,
                    "neither wss:// nor ws://",
                ),
                (
                    connect(&format!("ws://127.0.0.1:1/{key} x")).await,
                    "127.0.0.1:1",
                ),
            ];
            for (result, why) in cases {
                let text = result.unwrap_err();
                assert!(text.contains(why) && !text.contains(key), "{text}");
            }
        });
    }

    async fn connect(url: &str) -> Result<WebSocket, String> {
        WebSocket::connect(&Secret::new(url.to_owned()), &settings()).await
    }
}
