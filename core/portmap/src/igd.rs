//! UPnP Internet gateway devices: their description, and the calls by which ports are mapped
//! (WANIPConnection:1 and :2, Open Connectivity Foundation).
//!
//! Not an XML parser: what is looked for are a few elements without attributes, in documents that the router's firmware
//! makes from fixed texts.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddrV4};

use crate::limits::{DESCRIPTION_BYTES_MAX, SERVICES_MAX, TEXT_BYTES_MAX};
use crate::ssdp::Page;

/// Services that map ports, best first.
const SERVICES: [&str; 3] = [
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
];

/// The service of a router that maps ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Igd {
    pub(crate) control: Page,
    service: &'static str,
}

/// What to do there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    ExternalAddress,
    Map { own: SocketAddrV4, external_port: u16, lifetime: u32 },
    Unmap { external_port: u16 },
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Address(Ipv4Addr),
    /// With the port that the router chose, if it does that.
    Mapped(Option<u16>),
    /// The router's number for what is wrong.
    Fault(u32),
}

/// Only mappings without an end are made (fault 725).
pub(crate) const ONLY_PERMANENT: u32 = 725;
/// Somebody else has the port (fault 718).
pub(crate) const CONFLICT: u32 = 718;
/// The answer was no answer.
pub(crate) const NO_ANSWER: u32 = 0;

impl Igd {
    /// Finds the service in a description.
    pub(crate) fn find(description: &[u8], page: &Page) -> Option<Self> {
        let text = std::str::from_utf8(description.get(..DESCRIPTION_BYTES_MAX).unwrap_or(description)).ok()?;
        let mut found: Option<(usize, Self)> = None;
        for block in text.split("<service>").skip(1).take(SERVICES_MAX) {
            let (Some(kind), Some(url)) = (element(block, "serviceType"), element(block, "controlURL")) else {
                continue;
            };
            let Some(rank) = SERVICES.iter().position(|service| *service == kind) else { continue };
            if found.as_ref().is_none_or(|(best, _)| rank < *best)
                && let (Some(control), Some(service)) = (page.relative(url), SERVICES.get(rank))
            {
                found = Some((rank, Self { control, service }));
            }
        }
        // A router that sends us elsewhere could make us talk to others in its name.
        found.map(|(_, igd)| igd).filter(|igd| igd.control.at.ip() == page.at.ip())
    }

    /// The `SOAPAction` header and the body of a call.
    pub(crate) fn request(&self, call: Call) -> (String, String) {
        let chooses_port = self.service == SERVICES[0];
        let (name, arguments) = match call {
            Call::ExternalAddress => ("GetExternalIPAddress", String::new()),
            Call::Map { own, external_port, lifetime } => (
                if chooses_port { "AddAnyPortMapping" } else { "AddPortMapping" },
                [
                    ("NewRemoteHost", String::new()),
                    ("NewExternalPort", external_port.to_string()),
                    ("NewProtocol", "UDP".to_owned()),
                    ("NewInternalPort", own.port().to_string()),
                    ("NewInternalClient", own.ip().to_string()),
                    ("NewEnabled", "1".to_owned()),
                    ("NewPortMappingDescription", "wattle".to_owned()),
                    ("NewLeaseDuration", lifetime.to_string()),
                ]
                .map(|(name, value)| format!("<{name}>{value}</{name}>"))
                .concat(),
            ),
            Call::Unmap { external_port } => (
                "DeletePortMapping",
                format!(
                    "<NewRemoteHost></NewRemoteHost><NewExternalPort>{external_port}</NewExternalPort><NewProtocol>UDP</NewProtocol>"
                ),
            ),
        };
        let service = self.service;
        let mut body = String::from(
            "<?xml version=\"1.0\"?>\r\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>",
        );
        // Writing to a string does not fail.
        _ = write!(body, "<u:{name} xmlns:u=\"{service}\">{arguments}</u:{name}></s:Body></s:Envelope>");
        (format!("\"{service}#{name}\""), body)
    }
}

impl Outcome {
    /// Reads an answer.
    pub(crate) fn read(answer: &[u8]) -> Self {
        let Ok(text) = std::str::from_utf8(answer.get(..DESCRIPTION_BYTES_MAX).unwrap_or(answer)) else {
            return Self::Fault(NO_ANSWER);
        };
        if let Some(code) = element(text, "errorCode") {
            return Self::Fault(code.parse().unwrap_or(NO_ANSWER));
        }
        if let Some(address) = element(text, "NewExternalIPAddress") {
            return address.parse().map_or(Self::Fault(NO_ANSWER), Self::Address);
        }
        match element(text, "NewReservedPort") {
            Some(port) => port.parse().map_or(Self::Fault(NO_ANSWER), |port| Self::Mapped(Some(port))),
            None if text.contains("PortMappingResponse") => Self::Mapped(None),
            None => Self::Fault(NO_ANSWER),
        }
    }
}

/// The text of the first element of this name.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let start = text.find(&format!("<{name}>"))? + name.len() + 2;
    let rest = text.get(start..)?;
    let value = rest.get(..rest.find('<')?)?.trim();
    (!value.is_empty() && value.len() <= TEXT_BYTES_MAX).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DESCRIPTION: &str = "<root><device><serviceList><service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType><controlURL>/ctl/L3F</controlURL></service></serviceList><deviceList><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>\n<controlURL> /ctl/IPConn </controlURL></service></deviceList></device></root>";

    fn page() -> Page {
        Page::parse("http://192.168.1.1:5000/rootDesc.xml").unwrap()
    }

    #[test]
    fn the_service_is_found_in_a_description() {
        let igd = Igd::find(DESCRIPTION.as_bytes(), &page()).unwrap();
        assert_eq!((igd.control, igd.service), (page().relative("/ctl/IPConn").unwrap(), SERVICES[1]));
        let elsewhere = DESCRIPTION.replace(" /ctl/IPConn ", "http://203.0.113.5/steal");
        assert_eq!(Igd::find(elsewhere.as_bytes(), &page()), None);
        assert_eq!(Igd::find(b"<root/>", &page()), None);
    }

    #[test]
    fn newer_routers_choose_the_port_and_older_ones_take_ours() {
        let call = Call::Map { own: "192.168.1.9:41641".parse().unwrap(), external_port: 41641, lifetime: 7200 };
        for (service, name) in [(SERVICES[0], "AddAnyPortMapping"), (SERVICES[1], "AddPortMapping")] {
            let (action, body) = Igd { control: page(), service }.request(call);
            assert_eq!(action, format!("\"{service}#{name}\""));
            assert!(body.contains("<NewInternalClient>192.168.1.9</NewInternalClient>"), "{body}");
            assert!(body.contains("<NewLeaseDuration>7200</NewLeaseDuration>"), "{body}");
        }
    }

    #[test]
    fn answers_are_read() {
        let read = |text: &str| Outcome::read(text.as_bytes());
        assert_eq!(
            read("<NewExternalIPAddress>203.0.113.7</NewExternalIPAddress>"),
            Outcome::Address([203, 0, 113, 7].into())
        );
        assert_eq!(read("<u:AddPortMappingResponse xmlns:u=\"x\"></u:AddPortMappingResponse>"), Outcome::Mapped(None));
        assert_eq!(
            read("<u:AddAnyPortMappingResponse><NewReservedPort>99</NewReservedPort>"),
            Outcome::Mapped(Some(99))
        );
        assert_eq!(read("<s:Fault><errorCode>725</errorCode></s:Fault>"), Outcome::Fault(ONLY_PERMANENT));
        assert_eq!(read("<html>login</html>"), Outcome::Fault(NO_ANSWER));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not(text: String, cut in 0usize..400) {
            let _read = Outcome::read(text.as_bytes());
            let _found = Igd::find(text.as_bytes(), &page());
            let _found = Igd::find(DESCRIPTION.as_bytes().get(..cut).unwrap_or_default(), &page());
        }
    }
}
