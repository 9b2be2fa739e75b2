//! The examiner: what counts as right, how sure a rate is, and what a report says.
#![cfg(feature = "probe")]

use loupe::probe::exam::report::{Condition, Report, Tallies};
use loupe::probe::exam::score::{Tally, is_right, normalise};

#[test]
fn answers_are_compared_as_people_would() {
    for (said, right, expected) in [
        ("red", "red", true),
        ("Red.", "red", true),
        (" red ", "red", true),
        ("Three", "3", true),
        ("grey", "gray", true),
        ("There is no star", "There is no star.", true),
        ("top left", "top left", true),
        ("STOP", "stop", true),
        ("", "red", false),
        ("reddish", "red", false),
        ("red red", "red", false),
        ("left", "top left", false),
        ("30", "3", false),
        ("stop", "st0p", false),
    ] {
        assert_eq!(is_right(said, right), expected, "“{said}” for “{right}”, compared as {:?}", normalise(said));
    }
}

#[test]
fn intervals_are_wilsons() {
    // Values of R's binom.confint(method = "wilson"), four digits.
    for (right, all, low, high) in
        [(8, 10, 0.4902, 0.9433), (0, 20, 0.0, 0.1611), (20, 20, 0.8389, 1.0), (50, 100, 0.4038, 0.5962)]
    {
        let mut tally = Tally::default();
        (0..all).for_each(|i| tally.add(i < right));
        let rate = tally.rate().unwrap();
        assert!((rate.low - low).abs() < 1e-4 && (rate.high - high).abs() < 1e-4, "{right}/{all}: {rate:?}");
    }
    assert!(Tally::default().rate().is_none());
}

#[test]
fn a_report_shows_each_rate_beside_its_controls() {
    let mut tallies = Tallies::default();
    for i in 0..10 {
        let right = if i < 7 { "red" } else { "blue" };
        tallies.add("kind", "color", Condition::Picture, right, i < 9);
        tallies.add("kind", "color", Condition::Shuffled, right, i < 2);
    }
    tallies.add("kind", "read", Condition::Picture, "stop", true);
    let report = Report {
        model: "m".into(),
        hash: "0123".into(),
        seed_from: 1 << 31,
        scenes: 4,
        wanted: 8,
        controls_every: 1,
        questions: 21,
        seconds: 1.0,
        rows: tallies.rows(),
        mistakes: Vec::new(),
    };
    let text = report.markdown();
    assert!(text.contains("| color | 10 | **90.0** | 59.6–98.2 | – | 20.0 | 70.0 |"), "{text}");
    assert!(text.contains("| read | 1 | **100.0** |") && text.contains("8 scenes were wanted"), "{text}");
    assert!(serde_json::to_value(&report).unwrap()["rows"][0]["blind"].is_null());
}
