//! As little HTTP as two hosts of the lab need to talk to each other.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wattle_netns::Host;

const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks for a caller.
const PAUSE: Duration = Duration::from_millis(20);
const PAGE_BYTES_MAX: u64 = 1 << 20;

/// A page that is served until this is dropped.
#[derive(Debug)]
pub struct Page {
    gone: Arc<AtomicBool>,
}

/// Serves one text at every path on this port of a host.
///
/// # Panics
/// When the port is taken.
pub fn serve(host: &Host, port: u16, text: &str) -> Page {
    let gone = Arc::new(AtomicBool::new(false));
    let (ended, text) = (Arc::clone(&gone), text.to_owned());
    let open = host.thread(move || {
        let listener = TcpListener::bind(("0.0.0.0", port))?;
        listener.set_nonblocking(true)?;
        Ok::<_, std::io::Error>(listener)
    });
    // A socket stays in the namespace where it was made.
    let listener = open.join().expect("the host is there").expect("the port is free");
    std::thread::spawn(move || {
        while !ended.load(Ordering::Relaxed) {
            match listener.accept() {
                // A caller that goes away in the middle is the caller's affair.
                Ok((stream, _)) => drop(answer(stream, &text)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
                Err(_) => return,
            }
        }
    });
    Page { gone }
}

fn answer(mut stream: TcpStream, text: &str) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            length => request.extend_from_slice(&buffer[..length]),
        }
    }
    let length = text.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}")
}

impl Drop for Page {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

/// Fetches a page from inside a host; what is not a page with status 200 is an error.
pub fn fetch(host: &Host, address: SocketAddr, path: &str, name: &str) -> Result<String, String> {
    let request = format!("GET {path} HTTP/1.0\r\nHost: {name}\r\nConnection: close\r\n\r\n");
    let fetched = host.thread(move || {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut page = Vec::new();
        stream.take(PAGE_BYTES_MAX).read_to_end(&mut page)?;
        Ok::<_, std::io::Error>(page)
    });
    let page = fetched.join().map_err(|error| error.to_string())?;
    let page = page.map_err(|error| format!("fetching from {address}: {error}"))?;
    let page = String::from_utf8_lossy(&page);
    match page.split_once("\r\n\r\n") {
        Some((head, body)) if head.split(' ').nth(1) == Some("200") => Ok(body.to_owned()),
        Some((head, body)) => Err(format!("{address} says {head:?} {body:?}")),
        None => Err(format!("{address} sent no page")),
    }
}
