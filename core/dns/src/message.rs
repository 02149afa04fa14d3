//! Replies: how what was found is put into bytes.

use std::net::IpAddr;
use std::str::FromStr;

use domain::base::iana::Rcode;
use domain::base::message_builder::{AnswerBuilder, PushError};
use domain::base::name::ParsedName;
use domain::base::{Message, MessageBuilder, Name, StaticCompressor, Ttl};
use domain::rdata::{A, Aaaa, Ptr, Soa};

use crate::Transport;
use crate::limits::{
    NEGATIVE_TTL_SECONDS, POSITIVE_TTL_SECONDS, TCP_REPLY_BYTES_MAX, UDP_REPLY_BYTES, UDP_REPLY_BYTES_MAX,
};

/// Bytes of the OPT record that a reply ends with when the query had one.
const OPT_BYTES: usize = 11;

type Target = StaticCompressor<Vec<u8>>;
type OwnedName = Name<Vec<u8>>;

/// What a reply says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'a> {
    /// Addresses of the name that was asked for, of which those of the kind count.
    Addresses {
        /// All that the name has.
        of_name: &'a [IpAddr],
        /// A, AAAA, or both.
        kind: AddressKind,
    },
    /// The name of the address that was asked for.
    Name(&'a str),
    /// The name exists (or not, by the code) and has nothing of this kind; the suffix is ours.
    Nothing {
        /// The suffix.
        zone: &'a str,
        /// NOERROR or NXDOMAIN.
        rcode: Rcode,
    },
    /// We do not answer that.
    Refusal(Rcode),
}

/// Which addresses were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressKind {
    V4,
    V6,
    Both,
}

impl AddressKind {
    pub(crate) const fn includes(self, address: IpAddr) -> bool {
        match self {
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
            Self::Both => true,
        }
    }
}

/// Builds the reply to a query. It is never longer than the asker can take: an answer that does not fit is left out,
/// and the reply says so, so that the asker comes back over TCP.
pub(crate) fn reply(
    query: &Message<[u8]>,
    owner: Option<&ParsedName<&[u8]>>,
    found: Found<'_>,
    transport: Transport,
) -> Vec<u8> {
    let rcode = match found {
        Found::Addresses { .. } | Found::Name(_) => Rcode::NOERROR,
        Found::Nothing { rcode, .. } | Found::Refusal(rcode) => rcode,
    };
    let opt = query.opt();
    let room = reply_bytes_max(transport, opt.as_ref().map(|opt| usize::from(opt.udp_payload_size())));
    // A buffer that grows cannot refuse a header: the error type is empty.
    let Ok(mut builder) = MessageBuilder::from_target(Target::new(Vec::new()));
    builder.set_push_limit(if opt.is_some() { room - OPT_BYTES } else { room });
    let mut answer = builder.start_error(query, rcode);
    answer.header_mut().set_ra(true);
    answer.header_mut().set_aa(!matches!(found, Found::Refusal(_)));
    if let Some(owner) = owner
        && push_answers(&mut answer, owner, found).is_err()
    {
        answer.rewind();
        answer.header_mut().set_tc(true);
    }
    let mut authority = answer.authority();
    if let Found::Nothing { zone, .. } = found
        && let Some((zone, soa)) = start_of_authority(zone)
        && authority.push((zone, Ttl::from_secs(NEGATIVE_TTL_SECONDS), soa)).is_err()
    {
        // Without it the asker does not cache the answer, and nothing else.
        authority.rewind();
    }
    let mut additional = authority.additional();
    if opt.is_some() {
        additional.as_builder_mut().clear_push_limit();
        let size = u16::try_from(UDP_REPLY_BYTES_MAX).unwrap_or(u16::MAX);
        let pushed = additional.opt(|opt| {
            opt.set_udp_payload_size(size);
            Ok(())
        });
        if pushed.is_err() {
            additional.rewind();
        }
    }
    additional.finish().into_target()
}

fn push_answers(
    answer: &mut AnswerBuilder<Target>,
    owner: &ParsedName<&[u8]>,
    found: Found<'_>,
) -> Result<(), PushError> {
    let ttl = Ttl::from_secs(POSITIVE_TTL_SECONDS);
    match found {
        Found::Addresses { of_name, kind } => {
            let mut wanted = of_name.iter().filter(|address| kind.includes(**address));
            wanted.try_for_each(|address| match address {
                IpAddr::V4(address) => answer.push((owner, ttl, A::new(*address))),
                IpAddr::V6(address) => answer.push((owner, ttl, Aaaa::new(*address))),
            })
        }
        Found::Name(name) => match OwnedName::from_str(name) {
            Ok(name) => answer.push((owner, ttl, Ptr::new(name))),
            // Control sent a name that DNS cannot carry.
            Err(_) => Ok(()),
        },
        Found::Nothing { .. } | Found::Refusal(_) => Ok(()),
    }
}

fn reply_bytes_max(transport: Transport, asker_takes: Option<usize>) -> usize {
    match transport {
        Transport::Tcp => TCP_REPLY_BYTES_MAX,
        Transport::Udp => asker_takes.unwrap_or(UDP_REPLY_BYTES).clamp(UDP_REPLY_BYTES, UDP_REPLY_BYTES_MAX),
    }
}

/// What lets resolvers cache "no" (RFC 2308): the lesser of the record's TTL and its last field counts.
fn start_of_authority(zone: &str) -> Option<(OwnedName, Soa<OwnedName>)> {
    let zone = OwnedName::from_str(zone).ok()?;
    let [refresh, retry, expire, minimum] = [3600, 600, 86_400, NEGATIVE_TTL_SECONDS].map(Ttl::from_secs);
    let soa = Soa::new(zone.clone(), zone.clone(), 1.into(), refresh, retry, expire, minimum);
    Some((zone, soa))
}
