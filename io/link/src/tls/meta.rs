//! The certificate by which a relay tells its key during the TLS handshake, and what a client makes of it.
//!
//! It is the last of the chain and no authority stands behind it: the server that sends it is proven by the first one, and
//! in TLS 1.3 the chain is part of what that one signs. Source: tailscale `derp/derpserver initMetacert`,
//! `derp/derphttp parseMetaCert`.

use rustls::ProtocolVersion;
use rustls::pki_types::CertificateDer;
use wattle_keys::NodePublic;
use wattle_wire::derp::PROTOCOL_VERSION;

use super::identity::TlsError;

/// Before the key in the subject's common name.
const PREFIX: &[u8] = b"derpkey";
const HEX_LENGTH: usize = 64;

pub(super) fn meta_certificate(relay: &NodePublic) -> Result<CertificateDer<'static>, TlsError> {
    let made = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).and_then(|key| {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let name = format!("{}{}", String::from_utf8_lossy(PREFIX), relay.to_hex());
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.serial_number = Some(rcgen::SerialNumber::from(u64::from(PROTOCOL_VERSION)));
        // Nobody looks at its dates, as nobody trusts it.
        params.not_before = rcgen::date_time_ymd(2024, 1, 1);
        params.not_after = rcgen::date_time_ymd(2099, 1, 1);
        params.self_signed(&key)
    });
    made.map(|certificate| certificate.der().clone()).map_err(|error| TlsError::Unfit(error.to_string()))
}

/// The relay's key, if the chain tells it and the version of TLS makes that trustworthy.
pub(crate) fn relay_key(version: Option<ProtocolVersion>, chain: Option<&[CertificateDer<'_>]>) -> Option<NodePublic> {
    let (first, more) = chain?.split_first()?;
    let last = more.last().filter(|last| *last != first)?;
    // The text stands in the certificate as it is. Its structure does not matter, since it proves nothing.
    let start = last.windows(PREFIX.len()).position(|window| window == PREFIX)? + PREFIX.len();
    let text = std::str::from_utf8(last.get(start..start + HEX_LENGTH)?).ok()?;
    NodePublic::from_hex(text).ok().filter(|_| version == Some(ProtocolVersion::TLSv1_3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_reads_back_from_the_end_of_a_chain_and_in_tls_1_3_only() {
        let key = NodePublic::from_bytes([0x5a; 32]);
        let meta = meta_certificate(&key).unwrap();
        let own = CertificateDer::from(vec![1, 2, 3]);
        let chain = [own.clone(), meta.clone()];
        assert_eq!(relay_key(Some(ProtocolVersion::TLSv1_3), Some(&chain)), Some(key));
        assert_eq!(relay_key(Some(ProtocolVersion::TLSv1_2), Some(&chain)), None);
        assert_eq!(relay_key(Some(ProtocolVersion::TLSv1_3), Some(&[meta])), None);
        assert_eq!(relay_key(Some(ProtocolVersion::TLSv1_3), Some(&[own.clone(), own])), None);
        assert_eq!(relay_key(Some(ProtocolVersion::TLSv1_3), None), None);
    }
}
