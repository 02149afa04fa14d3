//! On real interfaces, each in a network namespace of its own: a thread that leaves the namespace it came from takes
//! the new one with it when it ends, also when it panics.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use wattle_packet::SuperPacket;

use super::*;

/// Runs `test` in a fresh network namespace; says why when it cannot.
fn in_own_namespace(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => test(),
        Err(error) => println!("skipped: no network namespace of our own: {error}"),
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// An interface that is up and has fd7a:115c:a1e0::1/64; none (and the reason printed) without a TUN driver.
fn interface() -> Option<Tun> {
    match Tun::create("wattle-test0", MTU) {
        Ok(tun) => {
            tun.up().unwrap();
            tun.device.add_address_v6("fd7a:115c:a1e0::1", 64).unwrap();
            Some(tun)
        }
        Err(error @ (TunError::NoDevice | TunError::Permission)) => {
            println!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// A socket on the interface's address, once the kernel has made sure that nobody else has it.
fn socket() -> UdpSocket {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        match UdpSocket::bind("[fd7a:115c:a1e0::1]:5000") {
            Ok(socket) => return socket,
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable && std::time::Instant::now() < deadline => {
                std::thread::yield_now();
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Whether a packet is a UDP datagram: the host also says things (router solicitations) that nobody asked for.
fn is_datagram(packet: &[u8]) -> bool {
    packet[0] >> 4 == 6 && packet[6] == 17
}

/// The next datagram.
fn next_datagram(tun: &Tun, buffer: &mut [u8]) -> usize {
    let mut read = vec![0; READ_BYTES_MAX];
    loop {
        let length = tun.recv(&mut read).unwrap();
        // The kernel leaves the checksum of its own datagrams to us.
        let length = SuperPacket::parse(&read[..length]).unwrap().write(0, buffer).unwrap();
        if is_datagram(buffer) {
            return length;
        }
    }
}

#[test]
fn a_datagram_comes_out_and_its_answer_goes_in() {
    in_own_namespace(|| {
        let Some(tun) = interface() else { return };
        let socket = socket();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.send_to(b"ping", "[fd7a:115c:a1e0::2]:6000").unwrap();
        let mut packet = [0; 2048];
        let length = next_datagram(&tun, &mut packet);
        assert_eq!(length, 40 + 8 + 4);
        // Swapping the two ends keeps every checksum right.
        for at in 0..16 {
            packet.swap(8 + at, 24 + at);
        }
        packet.swap(40, 42);
        packet.swap(41, 43);
        tun.send(&packet[..length]).unwrap();
        tun.send_run(&[&packet[..length], &packet[..length]]).unwrap();
        for _ in 0..3 {
            let mut answer = [0; 16];
            let (length, from) = socket.recv_from(&mut answer).unwrap();
            assert_eq!((&answer[..length], from.to_string().as_str()), (&b"ping"[..], "[fd7a:115c:a1e0::2]:6000"));
        }
    });
}

#[test]
fn what_waits_is_read_without_blocking_until_nothing_waits() {
    in_own_namespace(|| {
        let Some(tun) = interface() else { return };
        let socket = socket();
        for _ in 0..3 {
            socket.send_to(b"x", "[fd7a:115c:a1e0::2]:6000").unwrap();
        }
        let mut buffer = vec![0; READ_BYTES_MAX];
        let mut seen = 0;
        while let Some(length) = tun.try_recv(&mut buffer).unwrap() {
            seen += usize::from(length == VNET_HEADER_LENGTH + 49 && is_datagram(&buffer[VNET_HEADER_LENGTH..]));
        }
        assert_eq!(seen, 3);
    });
}

#[test]
fn stopping_wakes_a_blocked_reader_for_good() {
    in_own_namespace(|| {
        let Some(tun) = interface().map(Arc::new) else { return };
        let reader = Arc::clone(&tun);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            loop {
                if let Err(error) = reader.recv(&mut buffer) {
                    return error;
                }
            }
        });
        tun.stop();
        assert!(matches!(thread.join().unwrap(), TunError::Stopped));
        let mut buffer = [0; 2048];
        while tun.try_recv(&mut buffer).unwrap().is_some() {}
        assert!(matches!(tun.recv(&mut buffer), Err(TunError::Stopped)));
    });
}

#[test]
fn a_second_interface_of_the_name_is_refused_as_busy() {
    in_own_namespace(|| {
        let Some(tun) = interface() else { return };
        let again = Tun::create(tun.name(), MTU);
        assert!(matches!(again, Err(TunError::Busy { .. })), "{again:?}");
    });
}

#[test]
fn packets_for_an_interface_that_is_down_are_dropped_quietly() {
    in_own_namespace(|| {
        let Some(tun) = interface() else { return };
        tun.down().unwrap();
        tun.send(&[0x45; 40]).unwrap();
        assert_eq!((tun.mtu(), tun.index() > 0), (MTU, true));
    });
}

#[test]
fn names_that_linux_would_refuse_are_refused_in_words() {
    for name in ["", ".", "..", "a name", "sixteen-letters-", "a/b", "wat:0", "eth%d"] {
        let outcome = Tun::create(name, MTU);
        assert!(matches!(outcome, Err(TunError::BadName { .. })), "{name}: {outcome:?}");
    }
}
