//! Answers held to a form: whatever a model would like to say, it says JSON of the schema, a match, or one of the choices.

#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use loupe::{
    ErrorKind, Session, Source,
    gguf::File,
    protocol::{Answer, AskOptions, Event, Finish, Format},
};
use serde_json::{Value, json};

/// A model of random weights that has been shown a picture: it would say anything.
fn session() -> Session {
    let file = |name: &str| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stages").join(name);
        File::read(&fs::read(path).unwrap()[..]).unwrap()
    };
    let mut session = Session::open(file("micro-f32.gguf"), file("mmproj-micro-f32.gguf")).unwrap();
    let pixels = (0..48 * 32 * 4).map(|i| (i * 7) as u8).collect();
    session.see(1, Source::Rgba { width: 48, height: 32, pixels });
    session
}

fn ask(session: &mut Session, options: AskOptions) -> Result<Answer, (ErrorKind, String)> {
    session.forget(false);
    session.ask(1, "What is it?", options);
    while let Some(events) = pollster::block_on(session.step()) {
        for event in events {
            match event {
                Event::Done { answer, .. } => return Ok(answer),
                Event::Failed { kind, message, .. } => return Err((kind, message)),
                _ => {}
            }
        }
    }
    panic!("no answer came")
}

/// The model's wildest answer of a form.
fn wild(format: Format, seed: u32) -> AskOptions {
    AskOptions { max_tokens: 200, temperature: 2.0, seed, format, ..AskOptions::default() }
}

/// Numbers that depend on nothing but where they begin.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// A schema of every kind that small models are asked for, nested up to so deep.
fn schema(dice: &mut Dice, depth: u32) -> Value {
    let kinds = if depth == 0 { 7 } else { 10 };
    match dice.below(kinds) {
        0 => json!({ "type": "boolean" }),
        1 => json!({ "type": "null" }),
        2 => {
            let least = dice.below(200) as i64 - 100;
            json!({ "type": "integer", "minimum": least, "maximum": least + dice.below(50) as i64 })
        }
        3 => {
            let least = dice.below(9) + 1;
            json!({ "type": "string", "minLength": least, "maxLength": least + dice.below(6) })
        }
        4 => {
            json!({ "enum": (0..=dice.below(3)).map(|i| [json!("red"), json!(7), json!(null), json!("two words")][i as usize].clone()).collect::<Vec<_>>() })
        }
        5 => json!({ "const": { "kind": "circle", "n": [1, 2] } }),
        6 => json!({ "type": "string", "pattern": "^[A-Z]{2}-[0-9]{1,3}$" }),
        7 => {
            json!({ "type": "array", "items": schema(dice, depth - 1), "minItems": dice.below(2), "maxItems": 1 + dice.below(2) })
        }
        8 => json!({ "anyOf": [schema(dice, depth - 1), { "type": "boolean" }] }),
        _ => {
            let names = ["colour", "count", "where", "é \"quoted\""];
            let some = &names[..1 + dice.below(4) as usize];
            let properties = some.iter().map(|name| ((*name).to_owned(), schema(dice, depth - 1)));
            let properties = properties.collect::<serde_json::Map<_, _>>();
            let required = &some[..dice.below(some.len() as u64 + 1) as usize];
            json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
        }
    }
}

/// Whether a value is one that a schema of [`schema`]'s kinds describes. Written for this test, and sharing nothing with what is tested.
fn fits(value: &Value, schema: &Value) -> bool {
    if let Some(either) = schema["anyOf"].as_array() {
        return either.iter().any(|schema| fits(value, schema));
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.contains(value);
    }
    if let Some(only) = schema.get("const") {
        return value == only;
    }
    let within = |n: i64, least: &Value, most: &Value| {
        least.as_i64().is_none_or(|least| least <= n) && most.as_i64().is_none_or(|most| n <= most)
    };
    match (schema["type"].as_str().unwrap(), value) {
        ("boolean", Value::Bool(_)) | ("null", Value::Null) => true,
        ("integer", Value::Number(n)) => n.as_i64().is_some_and(|n| within(n, &schema["minimum"], &schema["maximum"])),
        ("string", Value::String(text)) if schema.get("pattern").is_some() => {
            let (letters, digits) = text.split_once('-').unwrap_or_default();
            letters.len() == 2
                && letters.chars().all(|c| c.is_ascii_uppercase())
                && (1..=3).contains(&digits.len())
                && digits.chars().all(|c| c.is_ascii_digit())
        }
        ("string", Value::String(text)) => {
            within(text.chars().count() as i64, &schema["minLength"], &schema["maxLength"])
        }
        ("array", Value::Array(items)) => {
            within(items.len() as i64, &schema["minItems"], &schema["maxItems"])
                && items.iter().all(|item| fits(item, &schema["items"]))
        }
        ("object", Value::Object(fields)) => {
            let properties = schema["properties"].as_object().unwrap();
            schema["required"].as_array().unwrap().iter().all(|name| fields.contains_key(name.as_str().unwrap()))
                && fields.iter().all(|(name, field)| properties.get(name).is_some_and(|schema| fits(field, schema)))
        }
        _ => false,
    }
}

#[test]
fn a_thousand_answers_are_json_of_a_thousand_schemas() {
    let mut session = session();
    let mut dice = Dice(1);
    for seed in 0..1000 {
        let schema = schema(&mut dice, 3);
        let answer = ask(&mut session, wild(Format::Json { schema: schema.clone() }, seed)).unwrap();
        assert_eq!(answer.finish, Finish::Stop, "{schema} was not ended: {}", answer.text);
        let value: Value =
            serde_json::from_str(&answer.text).unwrap_or_else(|e| panic!("{schema}: {e}: {}", answer.text));
        assert!(fits(&value, &schema), "{schema} does not describe {}", answer.text);
    }
}

#[test]
fn the_same_seed_gives_the_same_json() {
    let format = || Format::Json { schema: json!({ "type": "string", "maxLength": 20 }) };
    let mut one = session();
    let first: Vec<_> = (0..20).map(|seed| ask(&mut one, wild(format(), seed)).unwrap().text).collect();
    let mut two = session();
    for (seed, text) in (0..).zip(&first) {
        assert_eq!(ask(&mut two, wild(format(), seed)).unwrap().text, *text);
    }
    assert!(first.iter().any(|text| *text != first[0]), "all seeds say the same");
}

#[test]
fn an_answer_matches_the_whole_expression() {
    let mut session = session();
    for seed in 0..50 {
        let pattern = r"[12]\d{3}-(0[1-9]|1[0-2])( \S+)?".to_owned();
        let answer =
            ask(&mut session, AskOptions { max_tokens: 400, ..wild(Format::Regex { pattern }, seed) }).unwrap();
        let (date, rest) = answer.text.split_at(7);
        let (year, month) = date.split_once('-').unwrap();
        assert!((1000..3000).contains(&year.parse::<u32>().unwrap()), "{}", answer.text);
        assert!((1..=12).contains(&month.parse::<u32>().unwrap()), "{}", answer.text);
        let word = rest.strip_prefix(' ').unwrap_or(rest);
        assert!(rest.is_empty() || !word.is_empty() && !word.contains(char::is_whitespace), "{}", answer.text);
    }
}

#[test]
fn an_answer_is_one_of_the_choices_and_each_can_be() {
    let mut session = session();
    let options = ["yes", "no", "a|b (both?)", "C:\\temp*", "ja, gern"].map(str::to_owned);
    let mut said = Vec::new();
    for seed in 0..200 {
        let answer = ask(&mut session, wild(Format::Choice { options: options.to_vec() }, seed)).unwrap();
        assert!(options.contains(&answer.text), "{}", answer.text);
        assert_eq!(answer.finish, Finish::Stop);
        said.push(answer.text);
    }
    assert!(options.iter().all(|option| said.contains(option)), "never said: one of {options:?}");
}

#[test]
fn what_cannot_be_followed_is_said_in_a_sentence_and_the_session_goes_on() {
    let mut session = session();
    for (format, word) in [
        (Format::Json { schema: json!({ "type": "strin" }) }, "JSON schema"),
        (Format::Json { schema: json!(3) }, "JSON schema"),
        (Format::Json { schema: json!(false) }, "JSON schema"),
        (Format::Json { schema: json!({ "$ref": "https://example.org/schema" }) }, "JSON schema"),
        (Format::Json { schema: json!({ "type": "integer", "minimum": 3, "maximum": 1 }) }, "JSON schema"),
        (Format::Regex { pattern: "(".into() }, "unclosed group"),
        (Format::Regex { pattern: "a(?=b)".into() }, "look-around"),
        (Format::Choice { options: vec![] }, "choose"),
        (Format::Choice { options: vec!["a".into(), String::new()] }, "choose"),
    ] {
        let (kind, message) = ask(&mut session, wild(format.clone(), 1)).unwrap_err();
        assert_eq!(kind, ErrorKind::Usage, "{format:?}: {message}");
        assert!(message.contains(word) && message.ends_with('.') && !message.contains('\n'), "{format:?}: {message}");
    }
    assert_eq!(ask(&mut session, wild(Format::Choice { options: vec!["on".into()] }, 1)).unwrap().text, "on");
}

#[test]
fn an_answer_ends_before_what_it_is_to_stop_at() {
    let mut session = session();
    let free = AskOptions { max_tokens: 40, temperature: 1.0, seed: 3, ..AskOptions::default() };
    let whole = ask(&mut session, free.clone()).unwrap().text;
    let middle: String = whole.chars().skip(9).take(3).collect();
    let before = &whole[..whole.find(&middle).unwrap()];
    let stop = vec!["never said".to_owned(), middle.clone()];
    let answer = ask(&mut session, AskOptions { stop, ..free.clone() }).unwrap();
    assert_eq!((answer.text.as_str(), answer.finish), (before, Finish::Stop), "stopped at {middle:?} of {whole:?}");
    assert_eq!(ask(&mut session, AskOptions { stop: vec![String::new()], ..free }).unwrap().text, whole);
}
