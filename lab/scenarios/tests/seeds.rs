//! Some seeds in every test run. `cargo xtask test` plays ten thousand.

use wattle_scenarios::{Scenario, run};

#[test]
fn the_first_seeds_hold() {
    for seed in 0..200 {
        let report = run(&Scenario::from_seed(seed));
        assert!(report.violations.is_empty(), "seed {seed}: {}", report.violations.join("\n"));
    }
}
