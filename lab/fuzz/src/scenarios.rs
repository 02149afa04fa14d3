//! Whole nodes in a simulated internet: bytes are taken for the chance that a scenario is made of. Whatever happens, the
//! invariants of `lab/scenarios` hold. Bytes that begin with a letter are taken for the text of one, which is read only.

use wattle_scenarios::{Scenario, run as play};

/// So many inputs are played twice, to see that nothing but them decides what happens.
const TWICE_IN: usize = 8;

/// Plays a scenario, or reads one.
pub fn run(input: &[u8]) {
    if input.first().is_some_and(u8::is_ascii_lowercase) {
        return read(input);
    }
    let scenario = Scenario::from_bytes(input);
    let report = play(&scenario);
    assert!(report.violations.is_empty(), "{}\n{scenario}", report.violations.join("\n"));
    if input.len().is_multiple_of(TWICE_IN) {
        assert_eq!(report, play(&scenario), "played again, it goes otherwise:\n{scenario}");
    }
}

fn read(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(scenario) = Scenario::parse(text) else { return };
    let written = scenario.to_string();
    let again = Scenario::parse(&written).unwrap_or_else(|error| panic!("written and refused: {error}\n{written}"));
    assert_eq!(again.to_string(), written, "written and read again, it is another");
}
