//! A router that opens ports when it is asked: `miniupnpd`, which speaks PCP, NAT-PMP and UPnP IGD, in front of the router's
//! own rules.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::{Lab, LabError, Process, Router, tools};

/// miniupnpd refuses to open ports at addresses that are set apart for tests, so a router that opens ports has one more
/// address, of a network that amateur radio kept for tests. It is routed in the lab and nowhere else.
const PUBLIC: [u8; 2] = [44, 128];
/// Where miniupnpd of Debian is.
const PROGRAM: &str = "/usr/sbin/miniupnpd";

/// The running daemon. Dropping it ends it; what it opened stays open until the end of the lab.
#[derive(Debug)]
pub struct PortMapping {
    _process: Process,
    router: Router,
    address: Ipv4Addr,
    folder: PathBuf,
}

impl PortMapping {
    /// Starts it on a router of the public network.
    pub fn start(lab: &Lab, router: &Router) -> Result<Self, LabError> {
        if !std::path::Path::new(PROGRAM).exists() {
            return Err(LabError::MissingTool { program: "miniupnpd", package: "miniupnpd-nftables" });
        }
        let (namespace, number) = (router.namespace(), router.number);
        let outer = router.address().ok_or(LabError::NoFour)?;
        let [first, second] = PUBLIC;
        let address = Ipv4Addr::new(first, second, number, 1);
        tools::ip(&format!("-n {namespace} addr replace {address}/32 dev wan"))?;
        tools::ip(&format!("-n {} route replace {address}/32 via {outer}", lab.internet()))?;
        forget(namespace)?;
        let folder = PathBuf::from(format!("/run/wattle-lab-{namespace}"));
        let os = |source| LabError::os(format!("writing in {}", folder.display()), source);
        fs::create_dir_all(&folder).map_err(os)?;
        let config = folder.join("miniupnpd.conf");
        let pid = folder.join("pid");
        let text = format!(
            "ext_ifname=wan\nlistening_ip=lan\next_ip={address}\nport=5000\nenable_natpmp=yes\nenable_upnp=yes\n\
             secure_mode=yes\nsystem_uptime=yes\nuuid=00000000-0000-0000-0000-00000000{number:04x}\n\
             upnp_table_name=labmap\nupnp_nat_table_name=labmap\nupnp_forward_chain=miniupnpd\n\
             upnp_nat_chain=prerouting_miniupnpd\nupnp_nat_postrouting_chain=postrouting_miniupnpd\n\
             min_lifetime=60\nmax_lifetime=86400\nallow 1024-65535 192.168.0.0/16 1024-65535\n\
             deny 0-65535 0.0.0.0/0 0-65535\n"
        );
        fs::write(&config, text).map_err(os)?;
        let log = File::create(folder.join("log")).map_err(os)?;
        let mut command = router.command(PROGRAM);
        command.arg("-d").arg("-f").arg(&config).arg("-P").arg(&pid);
        command.stdout(log.try_clone().map_err(os)?).stderr(log);
        let child = command.stdin(std::process::Stdio::null()).spawn();
        let child = child.map_err(|source| LabError::os(format!("starting {command:?}"), source))?;
        Ok(Self { _process: Process::new(child), router: router.clone(), address, folder })
    }

    /// The address outside that it opens ports at.
    pub const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// What it says, for a person.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Restarts it as a router that lost its memory does: what was open is closed.
    pub fn restart(self, lab: &Lab) -> Result<Self, LabError> {
        let router = self.router.clone();
        drop(self);
        Self::start(lab, &router)
    }
}

impl Drop for PortMapping {
    fn drop(&mut self) {
        // Nothing can be done about files that stay.
        let _stays = fs::remove_dir_all(&self.folder);
    }
}

/// An empty table for it to work in.
fn forget(namespace: &str) -> Result<(), LabError> {
    tools::nft(
        namespace,
        "table inet labmap {}
         delete table inet labmap
         table inet labmap {
           chain forward { type filter hook forward priority 0; jump miniupnpd
           }
           chain miniupnpd { }
           chain prerouting { type nat hook prerouting priority -101; jump prerouting_miniupnpd
           }
           chain postrouting { type nat hook postrouting priority 99; jump postrouting_miniupnpd
           }
           chain prerouting_miniupnpd { }
           chain postrouting_miniupnpd { }
         }",
    )
}
