//! Whoever answers: a thread for each connection, which says of every order that it has filled.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

const NAME: &str = "newClientOrderId=";

/// A port that takes orders.
pub(crate) struct Counterpart {
    pub(crate) address: SocketAddr,
}

impl Counterpart {
    /// Listens for as long as the process lives.
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || serve(stream));
            }
        });
        Ok(Self { address })
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Answers until the other side closes.
fn serve(mut stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let (mut buffer, mut held) = ([0; 4_096], 0);
    loop {
        let read = stream.read(buffer.get_mut(held..)?).ok()?;
        held += read;
        let head = buffer.get(..held)?;
        if read == 0 {
            return None;
        }
        if head.ends_with(b"\r\n\r\n") {
            let answer = answer(str::from_utf8(head).ok()?);
            stream.write_all(answer.as_bytes()).ok()?;
            held = 0;
        }
    }
}

/// A fill of everything, in the form and length of Binance's.
fn answer(head: &str) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let (_, rest) = head.split_once(NAME).unwrap_or_default();
    let client = rest.split(['&', ' ']).next().unwrap_or_default();
    let body = format!(
        r#"{{"symbol":"BTCUSDT","orderId":{number},"orderListId":-1,"clientOrderId":"{client}","transactTime":1704067200123,"price":"50000.00000000","origQty":"0.01000000","executedQty":"0.01000000","origQuoteOrderQty":"0.00000000","cummulativeQuoteQty":"500.00000000","status":"FILLED","timeInForce":"IOC","type":"LIMIT","side":"BUY","workingTime":1704067200123,"fills":[{{"price":"50000.00000000","qty":"0.01000000","commission":"0.00001000","commissionAsset":"BTC","tradeId":{number}}}],"selfTradePreventionMode":"NONE"}}"#
    );
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\nX-MBX-USED-WEIGHT-1M: 3\r\n\
         X-MBX-ORDER-COUNT-10S: 1\r\nX-MBX-ORDER-COUNT-1D: 1\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
