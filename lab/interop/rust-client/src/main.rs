//! A node made of the `tailscale` crate, for the interop tests: it joins, prints its address, sends one datagram to each
//! address that it reads from standard input, and echoes every datagram that it gets.

#![forbid(unsafe_code)]

use std::io::BufRead;
use std::net::SocketAddr;
use std::sync::Arc;

use tailscale::{Config, Device};

const PORT: u16 = 7;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    // URL, key and host name come from TS_CONTROL_URL, TS_AUTH_KEY and TS_HOSTNAME.
    let device = Device::new(&Config::default_from_env(), tailscale::config::auth_key_from_env()).await?;
    let address = device.ipv4_addr().await?;
    let socket = Arc::new(device.udp_bind((address, PORT).into()).await?);
    println!("joined {address}");

    let (asked, mut questions) = tokio::sync::mpsc::unbounded_channel::<SocketAddr>();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match line.parse() {
                Ok(address) => drop(asked.send(address)),
                Err(error) => eprintln!("{line:?}: {error}"),
            }
        }
    });
    let sender = Arc::clone(&socket);
    tokio::spawn(async move {
        while let Some(to) = questions.recv().await {
            if let Err(error) = sender.send_to(to, b"hello from the crate").await {
                eprintln!("sending to {to}: {error}");
            }
        }
    });
    let mut buffer = [0; 2048];
    loop {
        let (from, length) = socket.recv_from(&mut buffer).await?;
        println!("received {}", String::from_utf8_lossy(&buffer[..length]));
        if !buffer[..length].starts_with(b"echo:") {
            let reply = [b"echo:", &buffer[..length]].concat();
            socket.send_to(from, &reply).await?;
        }
    }
}
