//! The streams of a machine on sockets: a task for each, which ends with it.

use std::collections::BTreeMap;
use std::future::Future;

use basis_core::secret::Secret;
use futures_util::future::{Either, select};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{StreamId, StreamNews};
use crate::net::{Settings, WebSocket, WebSocketFrame};

/// Texts that wait for a socket: more is one that takes nothing.
const TEXTS_MAX: usize = 16;

/// Where the news of streams go. Sending waits for room, and so does the socket: nothing is dropped.
pub(super) trait News: Clone + Send + Sync + 'static {
    /// Leaves news of a stream; whether anybody still takes any.
    fn tell(&self, id: StreamId, news: StreamNews) -> impl Future<Output = bool> + Send;
}

/// The streams that are open or being opened.
pub(super) struct Streams<N> {
    settings: Settings,
    news: N,
    texts: BTreeMap<StreamId, Sender<Secret>>,
}

impl<N: News> Streams<N> {
    pub(super) const fn new(settings: Settings, news: N) -> Self {
        Self {
            settings,
            news,
            texts: BTreeMap::new(),
        }
    }

    pub(super) fn open(&mut self, id: StreamId, url: Secret) {
        let (sender, texts) = channel(TEXTS_MAX);
        self.texts.insert(id, sender);
        let (settings, news) = (self.settings.clone(), self.news.clone());
        tokio::spawn(async move {
            let reason = converse(&settings, &url, (id, &news), texts).await;
            if let Some(reason) = reason {
                news.tell(id, StreamNews::Closed(reason)).await;
            }
        });
    }

    /// Sends a text; a stream that takes none is closed and says so.
    pub(super) fn send(&mut self, id: StreamId, text: Secret) {
        let taken = self
            .texts
            .get(&id)
            .is_some_and(|texts| texts.try_send(text).is_ok());
        if !taken && self.texts.remove(&id).is_some() {
            let news = self.news.clone();
            let reason = "the socket takes nothing".to_owned();
            tokio::spawn(async move { news.tell(id, StreamNews::Closed(reason)).await });
        }
    }

    /// Closes a stream: its task sees that nobody has a text for it any more.
    pub(super) fn close(&mut self, id: StreamId) {
        self.texts.remove(&id);
    }
}

/// Opens a stream and passes everything on until it ends. Returns why it ended, and nothing where the machine
/// closed it or is gone.
async fn converse<N: News>(
    settings: &Settings,
    url: &Secret,
    (id, news): (StreamId, &N),
    mut texts: Receiver<Secret>,
) -> Option<String> {
    let mut socket = match WebSocket::connect(url, settings).await {
        Ok(socket) => socket,
        Err(reason) => return Some(reason),
    };
    if !news.tell(id, StreamNews::Opened).await {
        return None;
    }
    loop {
        let next = {
            let text = std::pin::pin!(texts.recv());
            let frame = std::pin::pin!(socket.next());
            match select(text, frame).await {
                Either::Left((text, _)) => Either::Left(text),
                Either::Right((frame, _)) => Either::Right(frame),
            }
        };
        let frame = match next {
            Either::Left(Some(text)) => match socket.send(&text).await {
                Ok(()) => continue,
                Err(reason) => return Some(reason),
            },
            Either::Left(None) => {
                socket.close().await;
                return None;
            }
            Either::Right(frame) => frame,
        };
        let told = match frame {
            Ok(WebSocketFrame::Text(text)) => news.tell(id, StreamNews::Frame(text)).await,
            Ok(WebSocketFrame::Ping) => news.tell(id, StreamNews::Pinged).await,
            Ok(WebSocketFrame::Closed(reason)) | Err(reason) => return Some(reason),
        };
        if !told {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{SinkExt, StreamExt};
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;
    use tokio_tungstenite::tungstenite::Message;

    use super::*;

    type Told = (StreamId, StreamNews);

    impl News for Sender<Told> {
        async fn tell(&self, id: StreamId, news: StreamNews) -> bool {
            self.send((id, news)).await.is_ok()
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(future)
    }

    fn streams() -> (Streams<Sender<Told>>, Receiver<Told>) {
        let (sender, news) = channel(4);
        let settings = Settings {
            tls: None,
            connect_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(5),
        };
        (Streams::new(settings, sender), news)
    }

    async fn listener() -> (TcpListener, Secret) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, Secret::new(format!("ws://{address}/ws")))
    }

    fn text(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_stream_tells_all_that_happens_on_it_and_takes_texts() {
        run(async {
            let (listener, url) = listener().await;
            let (mut streams, mut news) = streams();
            streams.open(7, url);
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = accept_async(stream).await.unwrap();
            assert_eq!(news.recv().await, Some((7, StreamNews::Opened)));
            streams.send(7, text("subscribe"));
            let said = socket.next().await.unwrap().unwrap();
            assert_eq!(said, Message::text("subscribe"));
            // More than the queue of news has room for: all of it arrives, in order.
            let frames = async {
                for number in 0..50 {
                    socket
                        .send(Message::text(number.to_string()))
                        .await
                        .unwrap();
                }
                drop(socket);
            };
            let told = async {
                let mut told = Vec::new();
                while told.len() < 51 {
                    told.push(news.recv().await.unwrap().1);
                }
                told
            };
            let ((), told) = futures_util::future::join(frames, told).await;
            for (number, news) in told.iter().take(50).enumerate() {
                assert_eq!(*news, StreamNews::Frame(number.to_string()));
            }
            assert!(
                matches!(told.last(), Some(StreamNews::Closed(_))),
                "{told:?}"
            );
        });
    }

    #[test]
    fn a_stream_that_the_machine_closes_is_closed_and_says_nothing_more() {
        run(async {
            let (listener, url) = listener().await;
            let (mut streams, mut news) = streams();
            streams.open(1, url);
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = accept_async(stream).await.unwrap();
            assert_eq!(news.recv().await, Some((1, StreamNews::Opened)));
            streams.close(1);
            assert!(matches!(socket.next().await, Some(Ok(Message::Close(_)))));
            drop(streams);
            assert_eq!(news.recv().await, None);
        });
    }

    #[test]
    fn a_socket_that_takes_nothing_is_closed_and_says_so() {
        run(async {
            let (_listener, url) = listener().await;
            let (mut streams, mut news) = streams();
            streams.open(1, url);
            for _ in 0..=TEXTS_MAX {
                streams.send(1, text("one more"));
            }
            let Some((1, StreamNews::Closed(reason))) = news.recv().await else {
                panic!("no news");
            };
            assert!(reason.contains("takes nothing"), "{reason}");
        });
    }
}
