//! The `tailscale` crate (0.6.1, see `lab/interop/rust-client`) joins and exchanges datagrams with a node of ours.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use tempfile::TempDir;
use wattle_interop::{Control, Member, Talker, eventually, have, tools};
use wattle_netns::{Host, Lab};

const PATIENCE: Duration = Duration::from_secs(90);
const WAIT: Duration = Duration::from_secs(2);

/// Sends a datagram from inside a host and gives what comes back.
fn exchange(host: &Host, to: SocketAddr, text: &'static str) -> Result<String, String> {
    let exchanged = host.thread(move || {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.set_read_timeout(Some(WAIT))?;
        socket.send_to(text.as_bytes(), to)?;
        let mut buffer = [0; 2048];
        let (length, from) = socket.recv_from(&mut buffer)?;
        Ok::<_, std::io::Error>((from, String::from_utf8_lossy(&buffer[..length]).into_owned()))
    });
    match exchanged.join().map_err(|error| error.to_string())? {
        Ok((from, text)) if from == to => Ok(text),
        Ok((from, text)) => Err(format!("{from} answered {text:?} for {to}")),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn the_rust_crate_exchanges_datagrams_with_our_node() {
    let Some(mut lab) = Lab::for_test() else { return };
    let Some(client) = have(tools::rust_client()) else { return };
    let server = lab.public_host("control").expect("a host");
    let Some(control) = have(Control::start(&server)) else { return };
    let key = control.key(None);
    let ours = lab.public_host("ours").expect("a host");
    let Some(member) = have(Member::join(&ours, &control, &key)) else { return };

    let theirs = lab.public_host("crate").expect("a host");
    let folder = TempDir::new().expect("a folder");
    let mut command = theirs.command(client);
    command.env("TS_CONTROL_URL", format!("{}/", control.url())).env("TS_AUTH_KEY", &key).env("TS_HOSTNAME", "crate");
    command.env("HOME", folder.path()).current_dir(folder.path());
    let mut talker = Talker::start("crate", folder.path(), &mut command);
    let joined = talker.hear(PATIENCE).unwrap_or_else(|why| panic!("the crate does not join: {why}"));
    let address = joined.strip_prefix("joined ").unwrap_or_else(|| panic!("it said {joined:?}"));
    let address: SocketAddr = format!("{address}:7").parse().expect("an address");
    eventually("our node sees it", PATIENCE, || member.peer("crate"));

    let echo = eventually("it echoes our datagram", PATIENCE, || {
        // The crate asks the kernel for several lists at once, is told EBUSY, and then knows its address only when the
        // kernel speaks of it again (ts_netmon 0.6.1). Nor can it use a relay whose certificate is pinned: it wants 64 bytes
        // of a SHA-256 (ts_derp 0.6.1, TlsValidationConfig). So it is told of its address, as a new lease would do.
        theirs.set_link(true).map_err(|error| error.to_string())?;
        exchange(&ours, address, "hello from wattle")
    });
    assert_eq!(echo, "echo:hello from wattle");

    // And the other way: it begins, towards a port where only we listen.
    let listening = ours.thread(|| UdpSocket::bind("0.0.0.0:7")).join().expect("a host").expect("a socket");
    listening.set_read_timeout(Some(WAIT)).expect("a timeout");
    let to = SocketAddr::from((member.address(), 7));
    let heard = eventually("we hear it", PATIENCE, || {
        talker.say(&to.to_string())?;
        let mut buffer = [0; 2048];
        let (length, from) = listening.recv_from(&mut buffer).map_err(|error| error.to_string())?;
        Ok((from, String::from_utf8_lossy(&buffer[..length]).into_owned()))
    });
    assert_eq!(heard, (address, "hello from the crate".to_owned()));
}
