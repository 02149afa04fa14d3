//! Go's JSON habits: null for an empty slice or map, a date in year 1 for no time, an all-zero key for no key.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serializer, de};
use wattle_keys::{ChallengePublic, DiscoPublic, MachinePublic, NodePublic};

/// Whether Go's `omitempty` or `omitzero` would leave the field out.
pub(crate) fn omit<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Reads null as the empty value.
pub(crate) fn nullable<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Reads a map of lists in which the map or any list may be null.
pub(crate) fn nullable_lists<'de, K, V, D>(from: D) -> Result<BTreeMap<K, Vec<V>>, D::Error>
where
    K: Ord + Deserialize<'de>,
    V: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let map: Option<BTreeMap<K, Option<Vec<V>>>> = Option::deserialize(from)?;
    Ok(map.unwrap_or_default().into_iter().map(|(key, list)| (key, list.unwrap_or_default())).collect())
}

/// A public key whose all-zero value stands for none.
pub(crate) trait WireKey: FromStr<Err: Display> + Display {
    /// The key that stands for none.
    fn zero() -> Self;
    /// Whether this is it.
    fn is_none(&self) -> bool;
}

macro_rules! wire_key {
    ($($key:ty),*) => {$(
        impl WireKey for $key {
            fn zero() -> Self {
                Self::from_bytes([0; 32])
            }

            fn is_none(&self) -> bool {
                self.is_zero()
            }
        }
    )*};
}
wire_key!(MachinePublic, NodePublic, DiscoPublic, ChallengePublic);

/// `with`: a key text; null, empty and all zeros are `None`.
pub(crate) mod key {
    use super::*;

    pub(crate) fn serialize<K: WireKey, S: Serializer>(key: &Option<K>, to: S) -> Result<S::Ok, S::Error> {
        match key {
            Some(key) => to.collect_str(key),
            None => to.collect_str(&K::zero()),
        }
    }

    pub(crate) fn deserialize<'de, K: WireKey, D: Deserializer<'de>>(from: D) -> Result<Option<K>, D::Error> {
        let text: Option<std::borrow::Cow<'de, str>> = Option::deserialize(from)?;
        match text {
            Some(text) if !text.is_empty() => {
                let key: K = text.parse().map_err(de::Error::custom)?;
                Ok(Some(key).filter(|key| !key.is_none()))
            }
            Some(_) | None => Ok(None),
        }
    }
}

/// `with`: an RFC 3339 time; null, empty and year 1 are `None`.
pub(crate) mod time {
    use super::*;
    use wattle_time::UnixTime;

    pub(crate) fn serialize<S: Serializer>(time: &Option<UnixTime>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&time.unwrap_or(UnixTime::GO_ZERO))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<UnixTime>, D::Error> {
        let text: Option<std::borrow::Cow<'de, str>> = Option::deserialize(from)?;
        match text {
            Some(text) if !text.is_empty() => {
                let time: UnixTime = text.parse().map_err(de::Error::custom)?;
                Ok(Some(time).filter(|time| !time.is_go_zero()))
            }
            Some(_) | None => Ok(None),
        }
    }
}

/// `with`: an address text; null and empty are `None`.
pub(crate) mod address {
    use super::*;

    pub(crate) fn serialize<A: Display, S: Serializer>(address: &Option<A>, to: S) -> Result<S::Ok, S::Error> {
        match address {
            Some(address) => to.collect_str(address),
            None => to.serialize_str(""),
        }
    }

    pub(crate) fn deserialize<'de, A, D>(from: D) -> Result<Option<A>, D::Error>
    where
        A: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text: Option<std::borrow::Cow<'de, str>> = Option::deserialize(from)?;
        match text {
            Some(text) if !text.is_empty() => text.parse().map(Some).map_err(de::Error::custom),
            Some(_) | None => Ok(None),
        }
    }
}

/// `with`: bytes as base64; null is empty.
pub(crate) mod bytes {
    use super::*;
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        if bytes.is_empty() { to.serialize_none() } else { to.serialize_str(&BASE64_STANDARD.encode(bytes)) }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text: Option<std::borrow::Cow<'de, str>> = Option::deserialize(from)?;
        text.map_or(Ok(Vec::new()), |text| BASE64_STANDARD.decode(text.as_bytes()).map_err(de::Error::custom))
    }
}

/// `with`: a tailnet lock key. Ours has none yet, but official servers refuse a field that is not a key.
pub(crate) mod lock_key {
    use super::*;

    const NONE: &str = "nlpub:0000000000000000000000000000000000000000000000000000000000000000";

    pub(crate) fn serialize<S: Serializer>(key: &str, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(if key.is_empty() { NONE } else { key })
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
        let text: Option<String> = Option::deserialize(from)?;
        Ok(text.filter(|text| text != NONE).unwrap_or_default())
    }
}
