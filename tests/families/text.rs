//! The decoders: each layer and the logits equal the original's, and a prompt reads the same in any portions.

use loupe::{
    ErrorKind,
    exec::{AnyExecutor, Executor, Input},
    gguf::{Header, TensorInfo},
    graph::{Live, Plan, Trace},
    model::{self, TextConfig},
};

use crate::{
    adapter::rounding,
    fixture::{FAMILIES, Family, executors, three_rows},
};

/// Both sides round each product and sum to f32. Over a dot product of n terms, errors of random sign grow as √n·2⁻²⁴; the
/// longest has 64 terms, a value passes through about eight such sums in each of four layers, and each side errs on its own.
pub const BOUND: f32 = 2.0 * 32.0 * 8.0 * 5.96e-8;

/// All executors but the reference keep keys and values as halves: an error of 2⁻¹² of each, in four layers. Scores of the fixtures are around
/// ten, so that the weights of attention err by twice as much; outliers among thousands of elements are three times the mean.
pub const HALVES: f32 = BOUND + 3.0 * 2.0 * 4.0 / 4096.0;

struct Decoder {
    executor: AnyExecutor,
    config: TextConfig,
    prefill: Plan,
    decode: Plan,
}

impl Decoder {
    fn new(family: &Family, mut executor: AnyExecutor) -> Self {
        let file = family.file("text");
        let config = TextConfig::read(&file.header).unwrap();
        let (prefill, decode) = (model::prefill(&config).unwrap(), model::decode(&config).unwrap());
        for graph in [&prefill, &decode] {
            model::check(graph, |name| file.header.tensors.iter().find(|t| t.name == name)).unwrap();
        }
        for (name, tensor) in file.tensors {
            executor.load(&name, tensor).unwrap();
        }
        Self { executor, config, prefill: Plan::new(prefill), decode: Plan::new(decode) }
    }

    /// Logits after some tokens at `position`.
    fn read(&mut self, ids: &[u32], position: usize, trace: Option<&mut Trace>) -> Vec<f32> {
        let live = Live { tokens: ids.len(), pictures: 0, position };
        let order: Vec<u32> = (0..ids.len() as u32).collect();
        let inputs = [
            (model::IDS, Input::Index(ids)),
            (model::PICTURES, Input::Matrix(&[])),
            (model::ORDER, Input::Index(&order)),
            (model::LAST, Input::Index(&[ids.len() as u32 - 1])),
        ];
        self.executor.run(&self.prefill, &live, &inputs, trace).unwrap();
        pollster::block_on(self.executor.read(0)).unwrap()
    }

    fn step(&mut self, id: u32, position: usize) -> Vec<f32> {
        let live = Live { tokens: 1, pictures: 0, position };
        self.executor.run(&self.decode, &live, &[(model::IDS, Input::Index(&[id]))], None).unwrap();
        pollster::block_on(self.executor.read(0)).unwrap()
    }

    fn bound(&self) -> f32 {
        let halves = if matches!(self.executor, AnyExecutor::Reference(_)) { BOUND } else { HALVES };
        halves + rounding(&self.executor)
    }
}

fn largest(logits: &[f32]) -> u32 {
    (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap() as u32
}

/// What is wrong with a header, if anything.
fn refusal(header: &Header) -> Option<String> {
    let config = TextConfig::read(header);
    let checked = config.and_then(|config| {
        let graph = model::prefill(&config)?;
        model::check(&graph, |name| header.tensors.iter().find(|t| t.name == name))?;
        model::check_leftover(&graph, config.mixers.len(), header.tensors.iter())
    });
    checked.err().map(|error| {
        assert_eq!(error.kind(), ErrorKind::Model, "{error}");
        error.to_string()
    })
}

/// Every family's decoder on every executor.
fn decoders() -> impl Iterator<Item = (Family, Decoder)> {
    FAMILIES.into_iter().flat_map(|name| {
        executors().into_iter().map(move |executor| {
            let family = Family::load(name);
            let decoder = Decoder::new(&family, executor);
            (family, decoder)
        })
    })
}

#[test]
fn words_read_as_the_original_reads_them() {
    for (family, mut decoder) in decoders() {
        let case = family.case("words");
        let mut trace = Trace::with_values();
        let logits = decoder.read(&case.ids, 0, Some(&mut trace));
        let bound = decoder.bound();
        for layer in 0..decoder.config.mixers.len() {
            let rows = three_rows(trace.values(&format!("blk.{layer}")).unwrap(), decoder.config.layer.width);
            family.check(&format!("words.text.{layer}"), &rows, bound);
        }
        family.check("words.logits", &logits, bound);

        let wanted = case.answer.as_deref().unwrap();
        let (mut answer, mut logits) = (vec![], logits);
        for position in (case.ids.len()..).take(wanted.len()) {
            let id = largest(&logits);
            answer.push(id);
            logits = decoder.step(id, position);
        }
        assert_eq!(answer, wanted, "{} on {}", family.name, decoder.executor.description());
    }
}

#[test]
fn a_prompt_reads_the_same_in_any_portions() {
    for (family, mut decoder) in decoders() {
        let ids = &family.case("words").ids;
        let bound = decoder.bound();
        for portion in [1, 2, 7, ids.len() - 1] {
            let mut logits = Vec::new();
            for (at, part) in ids.chunks(portion).enumerate() {
                logits = decoder.read(part, at * portion, None);
            }
            family.check("words.logits", &logits, bound);
        }
        let mut logits = Vec::new();
        for (at, &id) in ids.iter().enumerate() {
            logits = decoder.step(id, at);
        }
        family.check("words.logits", &logits, bound);
    }
}

#[test]
fn a_kept_state_goes_on_where_it_was() {
    for (family, mut decoder) in decoders() {
        let ids = &family.case("words").ids;
        let (head, tail) = ids.split_at(ids.len() / 2);
        decoder.read(head, 0, None);
        decoder.executor.keep(0).unwrap();
        // Another question, then the first one again.
        for tail in [&[7, 8, 9][..], tail] {
            decoder.executor.restore(0).unwrap();
            let logits = decoder.read(tail, head.len(), None);
            if tail.len() > 3 {
                let bound = decoder.bound();
                family.check("words.logits", &logits, bound);
            }
        }
    }
}

#[test]
fn headers_that_do_not_fit_are_refused_by_name() {
    for name in FAMILIES {
        let header = Family::load(name).file("text").header;
        assert_eq!(refusal(&header), None, "{name}");
        for at in 0..header.tensors.len() {
            let tensor = header.tensors[at].name.clone();
            let named = |header: &Header, what: &str| {
                let why = refusal(header).unwrap_or_else(|| panic!("{name} is accepted with {tensor} {what}"));
                assert!(why.contains(&tensor), "{name}, {tensor} {what}: {why}");
            };
            // The embedding table says how many tokens there are.
            if tensor != "token_embd.weight" {
                let mut wider = header.clone();
                wider.tensors[at].shape[0] += 2;
                named(&wider, "wider");
            }
            let mut without = header.clone();
            without.tensors.remove(at);
            // Without an output layer the embedding table serves as one.
            if tensor != "output.weight" {
                named(&without, "missing");
            }
        }
        let mut more = header.clone();
        more.tensors.push(TensorInfo { name: "blk.0.attn_q.scale".into(), ..header.tensors[0].clone() });
        assert!(refusal(&more).unwrap().contains("blk.0.attn_q.scale"), "{name}");
    }
}

/// A family's header with another value, of this type, for a key.
fn header_with(family: &str, key: &str, kind: u32, value: &[u8]) -> Header {
    let mut bytes = Family::load(FAMILIES.into_iter().find(|name| *name == family).unwrap()).bytes("text");
    // The key that is there, if any, gets another name.
    if let Some(at) = bytes.windows(key.len()).position(|w| w == key.as_bytes()) {
        bytes[at] = b'-';
    }
    // The count of metadata follows that of tensors; after it comes the first entry.
    let count = u64::from_le_bytes(bytes[16..24].try_into().unwrap()) + 1;
    bytes[16..24].copy_from_slice(&count.to_le_bytes());
    let entry = [&(key.len() as u64).to_le_bytes()[..], key.as_bytes(), &kind.to_le_bytes(), value].concat();
    bytes.splice(24..24, entry);
    Header::parse(&bytes).unwrap().unwrap()
}

fn text_value(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

#[test]
fn what_is_not_run_is_refused_by_name() {
    let kind = header_with("smolvlm", "general.architecture", 8, &text_value("gemma3"));
    let why = refusal(&kind).unwrap();
    assert!(why.contains("`gemma3`") && why.contains("`qwen35`"), "{why}");
    let yarn = header_with("minicpmv-qwen3", "qwen3.rope.scaling.type", 8, &text_value("yarn"));
    assert!(refusal(&yarn).unwrap().contains("`yarn`"));
    // Of three layers, heads for two that differ.
    let list = [&4u32.to_le_bytes()[..], &3u64.to_le_bytes(), &[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]].concat();
    let uneven = header_with("lfm2vl", "lfm2.attention.head_count_kv", 9, &list);
    assert!(refusal(&uneven).unwrap().contains("`lfm2.attention.head_count_kv`"));
}

#[test]
fn long_rope_takes_its_short_factors() {
    let mut header = header_with("minicpmv-minicpm", "minicpm.rope.scaling.type", 8, &text_value("longrope"));
    assert!(refusal(&header).unwrap().contains("rope_factors_short.weight"), "they are not there");
    let pairs = header.size("minicpm.attention.key_length").unwrap() / 2;
    let tensor = header.tensors[0].clone();
    header.tensors.push(TensorInfo { name: "rope_factors_short.weight".into(), shape: vec![pairs], ..tensor });
    assert_eq!(refusal(&header), None);
    let config = TextConfig::read(&header).unwrap();
    assert_eq!(config.layer.rope.unwrap().factors, Some("rope_factors_short.weight"));
}
