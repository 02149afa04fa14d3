//! A slow cable between two namespaces: two TAP devices and a thread that carries frames from one to the other, later than
//! they came, or not at all. It stands in for netem, which not every kernel has.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sched::{CloneFlags, setns};
use nix::sys::time::TimeSpec;
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

use crate::LabError;

/// Frames on their way in one direction. A cable holds no more; what comes on top is lost.
const FRAMES_MAX: usize = 4096;
const FRAME_BYTES: usize = 2048;
/// How long the thread sleeps at most before it looks whether it should end.
const LOOK: Duration = Duration::from_millis(100);

/// How a cable is, in both directions.
#[derive(Clone, Copy, Debug, Default)]
pub struct WireConditions {
    /// Every frame is this long on its way,
    pub latency: Duration,
    /// and up to this much longer. Frames stay in order.
    pub jitter: Duration,
    /// Frames in a thousand that are lost.
    pub loss_per_mille: u16,
}

impl WireConditions {
    /// Late and otherwise perfect.
    pub const fn slow(latency: Duration) -> Self {
        Self { latency, jitter: Duration::ZERO, loss_per_mille: 0 }
    }
}

/// A cable. Dropping it pulls it out at both ends.
#[derive(Debug)]
pub struct Wire {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Wire {
    /// Lays a cable between two namespaces, each with the name of the device that it ends in there.
    pub(crate) fn lay(left: (&str, &str), right: (&str, &str), conditions: WireConditions) -> Result<Self, LabError> {
        let ends = [end_in(left.0, left.1)?, end_in(right.0, right.1)?];
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            // A device that is gone ends its cable.
            let _gone = carry(&ends, conditions, &stopped);
        });
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

/// Makes a TAP device in a namespace. Only the making must happen in there.
fn end_in(namespace: &str, name: &str) -> Result<SyncDevice, LabError> {
    let path = format!("/run/netns/{namespace}");
    let name = name.to_owned();
    let made = std::thread::spawn(move || -> io::Result<SyncDevice> {
        setns(File::open(path)?, CloneFlags::CLONE_NEWNET)?;
        let device = DeviceBuilder::new().name(name).layer(Layer::L2).mtu(1500).build_sync()?;
        device.set_nonblocking(true)?;
        Ok(device)
    });
    let made = made.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    made.map_err(|source| LabError::os(format!("making a TAP device in {namespace}"), source))
}

/// One direction.
#[derive(Default)]
struct Lane {
    frames: VecDeque<(Instant, Vec<u8>)>,
}

fn carry(ends: &[SyncDevice; 2], conditions: WireConditions, stop: &AtomicBool) -> io::Result<()> {
    let mut lanes = [Lane::default(), Lane::default()];
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut frame = [0; FRAME_BYTES];
    while !stop.load(Ordering::Relaxed) {
        let next = lanes.iter().filter_map(|lane| lane.frames.front()).map(|(due, _)| *due).min();
        let wait = next.map_or(LOOK, |due| due.saturating_duration_since(Instant::now()).min(LOOK));
        {
            let mut polled = ends.each_ref().map(|end| PollFd::new(end.as_fd(), PollFlags::POLLIN));
            ppoll(&mut polled, Some(TimeSpec::from_duration(wait)), None)?;
        }
        for (end, lane) in ends.iter().zip(&mut lanes) {
            lane.take_in(end, conditions, &mut dice, &mut frame)?;
        }
        for (end, lane) in ends.iter().rev().zip(&mut lanes) {
            lane.hand_out(end)?;
        }
    }
    Ok(())
}

impl Lane {
    fn take_in(
        &mut self,
        end: &SyncDevice,
        conditions: WireConditions,
        dice: &mut Dice,
        frame: &mut [u8],
    ) -> io::Result<()> {
        loop {
            let length = match end.recv(frame) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let lost = dice.below(1000) < u64::from(conditions.loss_per_mille);
            if lost || self.frames.len() >= FRAMES_MAX {
                continue;
            }
            let jitter_us = u64::try_from(conditions.jitter.as_micros()).unwrap_or(u64::MAX);
            let late = conditions.latency + Duration::from_micros(dice.below(jitter_us.saturating_add(1)));
            let due = Instant::now() + late;
            let due = self.frames.back().map_or(due, |(last, _)| due.max(*last));
            self.frames.push_back((due, frame[..length].to_vec()));
        }
    }

    fn hand_out(&mut self, end: &SyncDevice) -> io::Result<()> {
        let now = Instant::now();
        while let Some((_, frame)) = self.frames.pop_front_if(|(due, _)| *due <= now) {
            match end.send(&frame) {
                // The far end is down, or its queue is full: the frame is lost, as on any cable.
                Ok(_) => {}
                Err(error) if matches!(error.raw_os_error(), Some(5 | 11 | 105)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Xorshift: which frames are lost need not be good chance, only chance.
struct Dice(u64);

impl Dice {
    const fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        if limit == 0 { 0 } else { self.0 % limit }
    }
}
