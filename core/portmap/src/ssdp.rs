//! How UPnP devices are found (UPnP Device Architecture 1.1, section 1.3).

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::limits::TEXT_BYTES_MAX;

/// Where devices are asked all at once.
pub const MULTICAST: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
/// Where they listen.
pub const PORT: u16 = 1900;

/// What is looked for: routers by name, then everything, for routers that know their name badly.
pub(crate) const WANTED: [&str; 2] = ["urn:schemas-upnp-org:device:InternetGatewayDevice:1", "ssdp:all"];

/// Asks devices of one kind to say where their description is.
pub(crate) fn search(wanted: &str) -> Vec<u8> {
    format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: {MULTICAST}:{PORT}\r\nST: {wanted}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n\r\n"
    )
    .into()
}

/// An address of a page at the router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) at: SocketAddrV4,
    pub(crate) path: String,
}

/// Where a device that answers has its description, if that is a router's.
pub(crate) fn read(bytes: &[u8]) -> Option<Page> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.split("\r\n");
    if !lines.next()?.starts_with("HTTP/1.1 200") {
        return None;
    }
    let (mut location, mut is_router) = (None, false);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("location") {
            location = Page::parse(value);
        } else if name.eq_ignore_ascii_case("st") {
            is_router = value.contains("InternetGatewayDevice") || value.contains("WANIPConnection");
        }
    }
    location.filter(|_| is_router)
}

impl Page {
    /// A URL of plain HTTP at an IPv4 address, as routers have them.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("http://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let at = authority.parse().ok().or_else(|| Some(SocketAddrV4::new(authority.parse().ok()?, 80)))?;
        let path = if path.is_empty() { "/" } else { path };
        Self::new(at, path)
    }

    /// A path at the place where this page is, or a whole URL.
    pub(crate) fn relative(&self, to: &str) -> Option<Self> {
        if to.starts_with("http://") {
            return Self::parse(to);
        }
        if to.starts_with('/') {
            return Self::new(self.at, to);
        }
        let folder = self.path.rfind('/').map_or("/", |end| self.path.get(..=end).unwrap_or("/"));
        Self::new(self.at, &format!("{folder}{to}"))
    }

    /// What goes into a request line must not be able to end it.
    fn new(at: SocketAddrV4, path: &str) -> Option<Self> {
        let fits = path.len() <= TEXT_BYTES_MAX && path.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self { at, path: path.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(at: &str, path: &str) -> Page {
        Page { at: at.parse().unwrap(), path: path.to_owned() }
    }

    #[test]
    fn a_router_says_where_its_description_is() {
        let answer = b"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLocation: http://192.168.1.1:5000/rootDesc.xml\r\n\r\n";
        assert_eq!(read(answer), Some(page("192.168.1.1:5000", "/rootDesc.xml")));
        let printer = b"HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:Printer:1\r\nLocation: http://192.168.1.8/d.xml\r\n\r\n";
        assert_eq!(read(printer), None);
        assert_eq!(read(b"NOTIFY * HTTP/1.1\r\n\r\n"), None);
    }

    #[test]
    fn pages_are_whole_urls_or_paths_and_cannot_smuggle_headers() {
        let base = page("192.168.1.1:5000", "/igd/desc.xml");
        assert_eq!(base.relative("/ctl"), Some(page("192.168.1.1:5000", "/ctl")));
        assert_eq!(base.relative("ctl"), Some(page("192.168.1.1:5000", "/igd/ctl")));
        assert_eq!(base.relative("http://10.0.0.1/x"), Some(page("10.0.0.1:80", "/x")));
        assert_eq!(Page::parse("http://10.0.0.1"), Some(page("10.0.0.1:80", "/")));
        for bad in ["https://10.0.0.1/", "http://router/", "http://10.0.0.1/a b", "http://10.0.0.1/a\r\nX: y"] {
            assert_eq!(Page::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not(text: String) {
            let _read = (read(text.as_bytes()), Page::parse(&text), page("10.0.0.1:1", "/").relative(&text));
        }
    }
}
