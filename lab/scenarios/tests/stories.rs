//! Every story holds. A failing seed becomes one of them: `scenarios --show SEED > stories/what_it_shows.story`.

use wattle_scenarios::{Scenario, run};

fn play(text: &str) {
    let scenario = Scenario::parse(text).expect("the story makes sense");
    let report = run(&scenario);
    assert!(report.violations.is_empty(), "{}\n{:?}", report.violations.join("\n"), report.stalls);
}

macro_rules! stories {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            play(include_str!(concat!("../stories/", stringify!($name), ".story")));
        }
    )*

        #[test]
        fn every_story_is_played() {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/stories");
            let mut files: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .collect();
            files.sort();
            let mut played = vec![$(concat!(stringify!($name), ".story")),*];
            played.sort();
            assert_eq!(files, played);
        }
    };
}

stories! {
    blocked_from_the_start
    coordinator_dies_under_load
    data_blocked_disco_passes
    disco_blocked_data_passes
    hard_nat_on_one_side
    hard_nats_on_both_sides
    heard_at_a_dead_relay
    lan_without_internet
    nat_rebinds
    nat_reboot_under_an_idle_node
    neighbours
    one_side_stays_on_a_dead_path
    one_way_loss
    one_way_traffic
    person_pings
    policy_changes
    quiet_after_the_last_word
    relay_dies_beside_a_direct_path
    relay_dies_under_load
    relay_stalls
    restarted_node
    roaming_under_load
    shared_cgnat
    sleep_and_wake
    small_mtu
    two_regions_one_dies
    udp_cut_and_back
}
