//! A packet with room around it, so that a tunnel can seal it where it lies.

/// One packet. In memory: room in front for a tunnel header, the packet, room behind for padding and tag.
#[derive(Clone, Debug)]
pub struct PacketBuffer {
    bytes: Box<[u8]>,
    length: usize,
}

impl PacketBuffer {
    /// Room in front: a WireGuard data header has 16 bytes, and a TUN's offload header or a relay's may need more.
    pub const HEADROOM: usize = 32;
    /// Room behind: up to 15 bytes of padding and a tag of 16.
    pub const TAILROOM: usize = 32;

    /// An empty one for packets of up to this length.
    pub fn with_capacity(packet_bytes_max: usize) -> Self {
        let bytes = vec![0; Self::HEADROOM + packet_bytes_max + Self::TAILROOM].into_boxed_slice();
        Self { bytes, length: 0 }
    }

    /// How long a packet may be.
    pub const fn capacity(&self) -> usize {
        self.bytes.len() - Self::HEADROOM - Self::TAILROOM
    }

    /// The packet.
    pub fn packet(&self) -> &[u8] {
        &self.bytes[Self::HEADROOM..][..self.length]
    }

    /// The packet, to change it.
    pub fn packet_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[Self::HEADROOM..][..self.length]
    }

    /// All the room for a packet, to read one into. Say with [`Self::set_length`] how long it is.
    pub fn space_mut(&mut self) -> &mut [u8] {
        let capacity = self.capacity();
        &mut self.bytes[Self::HEADROOM..][..capacity]
    }

    /// The packet is so long now; cut to the capacity.
    pub fn set_length(&mut self, length: usize) {
        self.length = length.min(self.capacity());
    }

    /// Copies a packet in; says whether it fits.
    pub fn fill(&mut self, packet: &[u8]) -> bool {
        let fits = packet.len() <= self.capacity();
        if fits {
            self.space_mut()[..packet.len()].copy_from_slice(packet);
            self.length = packet.len();
        }
        fits
    }

    /// Everything, room included. The packet starts at [`Self::HEADROOM`] and has the length of [`Self::packet`].
    pub fn whole_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_lies_between_its_rooms() {
        let mut buffer = PacketBuffer::with_capacity(100);
        assert!(buffer.fill(&[7; 100]) && !buffer.fill(&[8; 101]));
        assert_eq!(buffer.packet(), [7; 100]);
        buffer.set_length(1000);
        assert_eq!(buffer.packet().len(), 100);
        let whole = buffer.whole_mut();
        assert_eq!(whole.len(), 164);
        assert_eq!((whole[31], whole[32], whole[131], whole[132]), (0, 7, 7, 0));
    }
}
