//! Names that stand for addresses: `4.3.2.1.in-addr.arpa` and its longer sister.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address that a name in lowercase asks about; `None`: it is no such name, or only a part of one.
pub(crate) fn address_in(name: &str) -> Option<IpAddr> {
    if let Some(octets) = name.strip_suffix(".in-addr.arpa") {
        let mut parts = octets.split('.').map(decimal);
        let [d, c, b, a] = [parts.next()??, parts.next()??, parts.next()??, parts.next()??];
        return parts.next().is_none().then_some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)));
    }
    let nibbles = name.strip_suffix(".ip6.arpa")?;
    let mut bits = 0u128;
    let mut count = 0;
    for nibble in nibbles.split('.') {
        let [digit] = nibble.as_bytes() else { return None };
        let value = char::from(*digit).to_digit(16)?;
        if count == 32 {
            return None;
        }
        bits |= u128::from(value) << (4 * count);
        count += 1;
    }
    (count == 32).then(|| IpAddr::V6(Ipv6Addr::from_bits(bits)))
}

/// As people write it: no signs, no leading zeros.
fn decimal(text: &str) -> Option<u8> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
pub(crate) fn name_for(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let nibbles: Vec<String> = (0..32).map(|at| format!("{:x}", address.to_bits() >> (4 * at) & 15)).collect();
            format!("{}.ip6.arpa", nibbles.join("."))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_of_reverse_names_are_no_addresses() {
        for name in [
            "in-addr.arpa",
            "1.in-addr.arpa",
            "1.2.3.4.5.in-addr.arpa",
            "+1.2.3.4.in-addr.arpa",
            "01.2.3.4.in-addr.arpa",
            "1.ip6.arpa",
            "x.ip6.arpa",
        ] {
            assert_eq!(address_in(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn reverse_names_round_trip(address: IpAddr) {
            prop_assert_eq!(address_in(&name_for(address)), Some(address));
        }

        #[test]
        fn any_text_is_handled(text in ".{0,80}") {
            let _ignored = address_in(&format!("{text}.ip6.arpa"));
            let _ignored = address_in(&format!("{text}.in-addr.arpa"));
        }
    }
}
