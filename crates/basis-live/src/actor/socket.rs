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
