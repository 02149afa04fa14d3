//! Documents as official programs write and read them.

use super::*;

#[test]
fn only_what_is_set_changes_preferences() {
    let masked: MaskedPrefs =
        serde_json::from_str(r#"{"WantRunning":true,"Hostname":"ignored","WantRunningSet":true,"ExitNodeIP":""}"#)
            .unwrap();
    let mut prefs = Prefs { hostname: "kept".to_owned(), ..Prefs::default() };
    masked.apply_to(&mut prefs);
    assert_eq!((prefs.want_running, prefs.hostname.as_str()), (true, "kept"));
}

#[test]
fn masked_preferences_round_trip() {
    let masked = MaskedPrefs {
        prefs: Prefs { control_url: "http://192.0.2.1:8080".to_owned(), corp_dns: false, ..Prefs::default() },
        control_url_set: true,
        corp_dns_set: true,
        ..MaskedPrefs::default()
    };
    let text = serde_json::to_string(&masked).unwrap();
    assert!(text.contains(r#""ControlURLSet":true"#) && text.contains(r#""CorpDNSSet":true"#), "{text}");
    assert_eq!(serde_json::from_str::<MaskedPrefs>(&text).unwrap(), masked);
}

#[test]
fn states_are_numbers_in_events() {
    let event: Notify = serde_json::from_str(r#"{"Version":"1","State":6,"NetMap":null,"ErrMessage":null}"#).unwrap();
    assert_eq!(event.state, Some(State::Running));
    assert!(serde_json::from_str::<Notify>(r#"{"State":99}"#).is_err());
    let finished = Notify { login_finished: Some(LoginFinished {}), ..Notify::default() };
    assert_eq!(serde_json::to_string(&finished).unwrap(), r#"{"Version":"","LoginFinished":{}}"#);
}

#[test]
fn peers_stand_under_their_keys() {
    let key = wattle_keys::NodePublic::from_bytes([7; 32]);
    let peer = PeerStatus { public_key: Some(key), host_name: "ash".to_owned(), ..PeerStatus::default() };
    let status = Status { peer: [(key, peer)].into(), ..Status::default() };
    let text = serde_json::to_string(&status).unwrap();
    assert!(text.contains(&format!(r#""Peer":{{"{key}":{{"ID":"""#)), "{text}");
    assert!(text.contains(r#""LastHandshake":"0001-01-01T00:00:00Z""#), "{text}");
    assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status);
}
