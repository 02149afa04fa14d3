//! A file over plain HTTP through the tunnel, with its rate.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::mesh::MeshHost;

const PORT: u16 = 8000;
const CHUNK: usize = 64 << 10;

/// Moves `bytes` from `server` to `client` and gives MiB per second. Every byte is checked.
pub(crate) fn measure(client: &MeshHost, server: &MeshHost, bytes: usize) -> anyhow::Result<f64> {
    let address = server.address().context("the server of the file has joined")?;
    let listener = server.lab().thread(move || TcpListener::bind((address, PORT))).join()??;
    let serving = server.lab().thread(move || serve(&listener, bytes));
    let took = client.lab().thread(move || fetch(address, bytes)).join()??;
    serving.join()?.context("serving the file")?;
    Ok(bytes as f64 / f64::from(1 << 20) / took.as_secs_f64())
}

fn serve(listener: &TcpListener, bytes: usize) -> std::io::Result<()> {
    let (mut stream, _) = listener.accept()?;
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && request.len() < 4096 {
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\nConnection: close\r\n\r\n")?;
    for start in (0..bytes).step_by(CHUNK) {
        stream.write_all(&content(start, CHUNK.min(bytes - start)))?;
    }
    Ok(())
}

fn fetch(address: IpAddr, bytes: usize) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(address, PORT), Duration::from_secs(10))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET /file HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let mut answer = Vec::with_capacity(bytes + 256);
    stream.read_to_end(&mut answer)?;
    let took = started.elapsed();
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").context("no HTTP answer")? + 4;
    let body = &answer[head..];
    ensure!(body.len() == bytes, "{} of {bytes} bytes arrived", body.len());
    ensure!(
        body.chunks(CHUNK).enumerate().all(|(index, chunk)| chunk == content(index * CHUNK, chunk.len())),
        "bytes changed on their way"
    );
    Ok(took)
}

/// Bytes that differ at every place, so that a shifted or repeated block shows.
fn content(start: usize, length: usize) -> Vec<u8> {
    (start..start + length).map(|at| (at ^ at >> 8 ^ at >> 16) as u8).collect()
}
