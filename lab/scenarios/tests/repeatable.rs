//! One scenario gives one run, to the byte.

use wattle_scenarios::{Scenario, run};

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let digest = |seed| run(&Scenario::from_seed(seed)).trace_digest;
    for seed in 0..40 {
        assert_eq!(digest(seed), digest(seed), "two runs of seed {seed} differ");
        assert_ne!(digest(seed), digest(seed + 1), "seeds {seed} and the next look alike");
    }
}

#[test]
fn bytes_of_a_fuzzer_make_scenarios_that_run() {
    for length in [0, 1, 7, 64, 300] {
        let bytes: Vec<u8> = (0..length).map(|at| (at * 37 % 251) as u8).collect();
        let scenario = Scenario::from_bytes(&bytes);
        assert_eq!(run(&scenario), run(&scenario));
        assert_eq!(Scenario::parse(&scenario.to_string()).unwrap(), scenario);
    }
}
