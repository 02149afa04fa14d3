//! Tests of the Noise stream over in-memory streams.

use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use wattle_keys::{ChallengePublic, MachinePrivate};
use wattle_noise::{Initiator, early, respond};

use super::*;

/// A node's and a server's end of one channel.
fn pair(below: usize) -> (NoiseStream<DuplexStream>, NoiseStream<DuplexStream>) {
    let (node, server) = (MachinePrivate::from_bytes([1; 32]), MachinePrivate::from_bytes([2; 32]));
    let (initiator, initiation) = Initiator::new(&node, &server.public(), 130, [3; 32]).unwrap();
    let accepted = respond(&server, &initiation, [4; 32]).unwrap();
    let channel = initiator.finish(&accepted.response).unwrap();
    let (near, far) = tokio::io::duplex(below);
    (NoiseStream::dialed(near, channel), NoiseStream::accepted(far, accepted.channel, &[]))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future)
}

/// Counts the writes that reach the stream below.
struct CountingWriter(usize, usize);

impl AsyncWrite for CountingWriter {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0 += 1;
        self.1 += bytes.len();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn many_small_writes_are_one_write_below() {
    let (node, _) = pair(1);
    let mut stream = NoiseStream { below: CountingWriter(0, 0), inbound: node.inbound, outbound: node.outbound };
    block_on(async {
        for _ in 0..100 {
            stream.write_all(b"a small frame").await.unwrap();
        }
        stream.flush().await.unwrap();
    });
    assert_eq!((stream.below.0, stream.below.1), (1, 100 * 13 + wattle_noise::SEALED_OVERHEAD));
}

#[test]
fn an_early_payload_is_taken_out_and_its_absence_is_fine() {
    block_on(async {
        let (mut node, mut server) = pair(8);
        let task = tokio::spawn(async move {
            server.write_all(&early::encode(&ChallengePublic::from_bytes([9; 32]))).await.unwrap();
            server.write_all(b"settings").await.unwrap();
            server.flush().await.unwrap();
            server
        });
        let mut read = [0; 8];
        node.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"settings");
        drop(task.await);

        let (mut node, mut server) = pair(1000);
        server.write_all(b"settings").await.unwrap();
        server.flush().await.unwrap();
        node.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"settings");
    });
}

#[test]
fn a_silent_peer_and_one_that_takes_nothing_are_cut() {
    block_on(async {
        let (mut node, _server) = pair(100);
        let silent = node.read_u8().await.unwrap_err();
        assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
        node.write_all(&[0; 1000]).await.unwrap();
        let stalled = node.flush().await.unwrap_err();
        assert_eq!(stalled.kind(), io::ErrorKind::TimedOut);
    });
}

#[test]
fn a_peer_that_drips_bytes_is_waited_for_only_while_it_drips() {
    block_on(async {
        let (mut node, server) = pair(100_000);
        let mut record = Vec::new();
        let NoiseStream { mut below, mut outbound, .. } = server;
        outbound.sealer.seal(&[7; 50], &mut record).unwrap();
        let dripping = tokio::spawn(async move {
            for byte in &record[..record.len() - 1] {
                below.write_u8(*byte).await.unwrap();
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
            std::future::pending::<()>().await;
        });
        let error = node.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        dripping.abort();
    });
}

#[test]
fn a_stream_that_ends_inside_a_record_is_an_error() {
    block_on(async {
        let (mut node, server) = pair(1000);
        let NoiseStream { mut below, mut outbound, .. } = server;
        let mut record = Vec::new();
        outbound.sealer.seal(b"text", &mut record).unwrap();
        below.write_all(&record[..10]).await.unwrap();
        drop(below);
        assert_eq!(node.read_u8().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    });
}

#[test]
fn garbage_is_an_error_and_stays_one() {
    block_on(async {
        let (mut node, server) = pair(1000);
        let NoiseStream { mut below, .. } = server;
        below.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        for _ in 0..2 {
            assert_eq!(node.read_u8().await.unwrap_err().kind(), io::ErrorKind::InvalidData);
            below.write_all(b"more").await.unwrap();
        }
    });
}

#[test]
fn an_idle_stream_holds_no_buffers() {
    block_on(async {
        let (mut node, mut server) = pair(100_000);
        server.write_all(&[1; 20_000]).await.unwrap();
        server.flush().await.unwrap();
        node.read_exact(&mut [0; 20_000]).await.unwrap();
        assert_eq!(server.outbound.sealed.capacity() + server.outbound.gathered.capacity(), 0);
        assert_eq!(node.inbound.plain.capacity() + node.inbound.partial.capacity(), 0);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_written_is_read(below in 1usize..9000, sizes in prop::collection::vec(1usize..30_000, 1..6), read_size in 1usize..9000) {
        block_on(async {
            let (mut node, mut server) = pair(below);
            let expected: Vec<u8> = sizes.iter().enumerate().flat_map(|(at, size)| vec![at as u8 + 1; *size]).collect();
            let writing = tokio::spawn(async move {
                for (at, size) in sizes.into_iter().enumerate() {
                    server.write_all(&vec![at as u8 + 1; size]).await.unwrap();
                }
                server.shutdown().await.unwrap();
            });
            let (mut read, mut space) = (Vec::new(), vec![0; read_size]);
            loop {
                let length = node.read(&mut space).await.unwrap();
                if length == 0 {
                    break;
                }
                read.extend_from_slice(&space[..length]);
            }
            writing.await.unwrap();
            assert_eq!(read, expected);
        });
    }
}
