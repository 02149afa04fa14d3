//! Names, asked of the resolver inside the tunnel as any program of the host would.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::str::FromStr;
use std::time::Duration;

use domain::base::{Message, MessageBuilder, Name, Rtype};
use domain::rdata::A;
use wattle_netns::Host;

const RESOLVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(100, 100, 100, 100)), 53);
const PATIENCE: Duration = Duration::from_secs(2);

/// The addresses of a name.
pub fn resolve(host: &Host, name: &str) -> Result<Vec<Ipv4Addr>, String> {
    let query = query(name).ok_or_else(|| format!("{name:?} is no name"))?;
    let asked = host.thread(move || {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.send_to(&query, RESOLVER)?;
        let mut reply = vec![0; 4096];
        let length = socket.recv(&mut reply)?;
        reply.truncate(length);
        Ok::<_, std::io::Error>(reply)
    });
    let reply = asked.join().map_err(|error| error.to_string())?;
    let reply = reply.map_err(|error| format!("asking {RESOLVER} for {name}: {error}"))?;
    let reply = Message::from_octets(reply).map_err(|error| error.to_string())?;
    let answers = reply.answer().map_err(|error| error.to_string())?;
    let addresses: Vec<Ipv4Addr> =
        answers.limit_to::<A>().filter_map(Result::ok).map(|record| record.data().addr()).collect();
    if addresses.is_empty() {
        return Err(format!("{name} has no address: {}", reply.header().rcode()));
    }
    Ok(addresses)
}

fn query(name: &str) -> Option<Vec<u8>> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_rd(true);
    let mut question = builder.question();
    question.push((Name::<Vec<u8>>::from_str(name).ok()?, Rtype::A)).ok()?;
    Some(question.finish())
}
