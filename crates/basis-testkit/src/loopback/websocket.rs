//! WebSocket (RFC 6455) as far as a venue's streams need it: whole text frames, pings, close.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::Receiver;
use std::thread;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use basis_core::transport::Request;
use basis_sim::server::{ConnectionId, ServedVenue};

use super::http::{header, write_response};
use super::{Frame, Shared};

/// What the handshake appends to the client's key.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The longest frame that is read.
const FRAME_BYTES_MAX: u64 = 1 << 20;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Answers the upgrade and serves the stream until either side ends it.
pub(super) fn serve<V: ServedVenue>(
    shared: &Shared<V>,
    request: &Request,
    mut reader: BufReader<TcpStream>,
    mut writer: TcpStream,
) -> io::Result<()> {
    let (id, sender, frames) = match shared.open(&request.url) {
        Ok(opened) => opened,
        Err(response) => return write_response(&mut writer, &response),
    };
    let key = header(request, "sec-websocket-key").unwrap_or_default();
    let hash = digest(
        &SHA1_FOR_LEGACY_USE_ONLY,
        format!("{key}{MAGIC}").as_bytes(),
    );
    let accept = base64(hash.as_ref());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \
         {accept}\r\n\r\n"
    );
    writer.write_all(head.as_bytes())?;
    let closing = writer.try_clone()?;
    let writing = thread::spawn(move || write_frames(&mut writer, &frames));
    let result = read_frames(shared, id, &mut reader, &sender);
    shared.with(|state, now| {
        state.server.disconnect(now, id);
        state.streams.remove(&id);
    });
    drop(sender);
    drop(writing.join());
    // The other side may have closed already.
    drop(closing.shutdown(Shutdown::Both));
    result
}

fn read_frames<V: ServedVenue>(
    shared: &Shared<V>,
    id: ConnectionId,
    reader: &mut BufReader<TcpStream>,
    sender: &std::sync::mpsc::Sender<Frame>,
) -> io::Result<()> {
    loop {
        let (kind, payload) = read_frame(reader)?;
        match kind {
            TEXT => {
                let text = String::from_utf8_lossy(&payload).into_owned();
                shared.with(|state, now| state.server.send_text(now, id, &text));
            }
            PING => drop(sender.send(Frame::Pong(payload))),
            PONG => shared.with(|state, now| state.server.pong(now, id)),
            _ => return Ok(()),
        }
    }
}

/// Reads one whole frame of a client: these are masked and, here, not in pieces.
fn read_frame(reader: &mut BufReader<TcpStream>) -> io::Result<(u8, Vec<u8>)> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut two = [0; 2];
    reader.read_exact(&mut two)?;
    let [first, second] = two;
    if first & 0x80 == 0 || second & 0x80 == 0 {
        return Err(invalid("a frame in pieces or without a mask"));
    }
    let length = match second & 0x7f {
        126 => {
            let mut bytes = [0; 2];
            reader.read_exact(&mut bytes)?;
            u64::from(u16::from_be_bytes(bytes))
        }
        127 => {
            let mut bytes = [0; 8];
            reader.read_exact(&mut bytes)?;
            u64::from_be_bytes(bytes)
        }
        short => u64::from(short),
    };
    if length > FRAME_BYTES_MAX {
        return Err(invalid("a frame that is too long"));
    }
    let mut mask = [0; 4];
    reader.read_exact(&mut mask)?;
    let length = usize::try_from(length).map_err(|_wide| invalid("a frame that is too long"))?;
    let mut payload = vec![0; length];
    reader.read_exact(&mut payload)?;
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    Ok((first & 0x0f, payload))
}

/// Writes frames until the venue closes, or nobody has any more.
fn write_frames(writer: &mut TcpStream, frames: &Receiver<Frame>) -> io::Result<()> {
    while let Ok(frame) = frames.recv() {
        match frame {
            Frame::Text(text) => write_frame(writer, TEXT, text.as_bytes())?,
            Frame::Ping(payload) => write_frame(writer, PING, &payload)?,
            Frame::Pong(payload) => write_frame(writer, PONG, &payload)?,
            Frame::Close(code) => {
                write_frame(writer, CLOSE, &code.to_be_bytes())?;
                return writer.shutdown(Shutdown::Both);
            }
        }
    }
    Ok(())
}

fn write_frame(writer: &mut TcpStream, kind: u8, payload: &[u8]) -> io::Result<()> {
    let mut bytes = vec![0x80 | kind];
    let length = payload.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => bytes.push(short),
        (_, Ok(length)) => {
            bytes.push(126);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            bytes.push(127);
            let length = u64::try_from(length).unwrap_or(u64::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    writer.write_all(&bytes)
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut word = 0_usize;
        for at in 0..3 {
            word = word << 8 | usize::from(chunk.get(at).copied().unwrap_or(0));
        }
        for at in 0..4 {
            let letter = char::from(ALPHABET[word >> (18 - 6 * at) & 63]);
            text.push(if at > chunk.len() { '=' } else { letter });
        }
    }
    text
}
