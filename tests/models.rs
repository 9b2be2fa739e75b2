//! The graphs against candle-transformers' models of the same tiny random weights, and a prompt read in any portions
//! against the same prompt read at once.

#![allow(clippy::unwrap_used)]

use std::{collections::HashMap, f32::consts::PI};

use candle_core::{DType, Device, Module, Tensor as Matrix};
use candle_nn::{Activation, VarBuilder};
use candle_transformers::models::{llama, siglip};
use loupe::{
    exec::{Executor, Input, Reference},
    gguf::{GgmlType, Tensor},
    graph::{Act, Graph, Live, NormKind, Plan, RopeKind, Trace},
    model::{
        self, Bias, ConnectorConfig, LayerConfig, Mixer, Positions, Projector, ResamplerPositions, Rope, TextConfig,
        ViewInput, VisionConfig, VlmConfig,
    },
};

const VOCABULARY: usize = 96;
const WIDTH: usize = 64;

/// f32 sums of a few hundred terms through a few layers: differences stay below this share of the largest value.
const BOUND: f32 = 2e-5;

fn text_config(kv_heads: usize) -> TextConfig {
    TextConfig {
        layer: LayerConfig {
            width: WIDTH,
            inner: 96,
            heads: 4,
            kv_heads,
            head_dim: 16,
            norm: NormKind::Rms,
            eps: 1e-5,
            // candle follows Hugging Face, whose weights pair channels by halves.
            rope: Some(Rope { kind: RopeKind::Halves, turned: 16, base: 10_000.0, factors: None }),
            head_norm: false,
            gated_heads: false,
            bias: Bias::None,
            residual_scale: None,
            act: Act::Silu,
            gated: true,
        },
        mixers: vec![Mixer::Attention; 2],
        vocabulary: VOCABULARY,
        context: 256,
        tied: true,
        embedding_scale: None,
        logit_scale: None,
        ffn_norm: "ffn_norm",
        output_norm: "output_norm",
    }
}

fn vision_config() -> VlmConfig {
    let text = text_config(4);
    VlmConfig {
        vision: VisionConfig {
            layer: LayerConfig {
                width: 48,
                inner: 80,
                heads: 3,
                kv_heads: 3,
                norm: NormKind::Layer,
                eps: 1e-6,
                rope: None,
                bias: Bias::All,
                act: Act::GeluTanh,
                gated: false,
                ..text.layer.clone()
            },
            layers: 2,
            projector: Projector::Resampler,
            swapped: false,
            patch: 14,
            patch_bias: true,
            side: 56,
            table_side: 4,
            positions: Positions::Bicubic,
            class_token: false,
            pre_norm: false,
            post_norm: true,
            merger: None,
            mean: [0.5; 3],
            std: [0.5; 3],
        },
        connector: ConnectorConfig::Resampler {
            queries: 4,
            heads: 4,
            positions: ResamplerPositions::Spread { extent: 4 },
            width: WIDTH,
            eps: 1e-6,
        },
        text,
    }
}

/// Random weights by our names, and a norm's scale near one.
fn weights(graphs: &[&Graph]) -> HashMap<String, Matrix> {
    let mut all = HashMap::new();
    for weight in graphs.iter().flat_map(|g| &g.weights) {
        let [rows, cols] = weight.shape;
        let mean = if weight.name.contains("norm") || weight.name.contains("ln") { 1.0 } else { 0.0 };
        let spread = if rows == 1 { 0.1 } else { 1.0 / (cols as f32).sqrt() };
        all.entry(weight.name.clone())
            .or_insert_with(|| Matrix::randn(mean, spread, (rows, cols), &Device::Cpu).unwrap());
    }
    all
}

fn load(executor: &mut Reference, weights: &HashMap<String, Matrix>) {
    for (name, w) in weights {
        let data = w.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().flat_map(|v| v.to_le_bytes()).collect();
        let tensor = Tensor { shape: w.dims().to_vec(), ggml_type: GgmlType::F32, data };
        executor.load(name, tensor).unwrap();
    }
}

/// The weights under other names, vectors as vectors.
fn renamed(weights: &HashMap<String, Matrix>, theirs: impl Fn(&str) -> Option<String>) -> VarBuilder<'static> {
    let tensors = weights.iter().filter_map(|(name, w)| {
        let w = if w.dim(0).unwrap() == 1 { w.squeeze(0).unwrap() } else { w.clone() };
        Some((theirs(name)?, w))
    });
    VarBuilder::from_tensors(tensors.collect(), DType::F32, &Device::Cpu)
}

fn parts(name: &str, table: &[(&str, &str)], layers: &str) -> Option<String> {
    let mut name = name.to_owned();
    for (ours, theirs) in table {
        name = name.replace(ours, theirs);
    }
    Some(name.replace("blk.", layers))
}

#[track_caller]
fn close(name: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{name}: elements");
    let scale = want.iter().fold(0f32, |m, v| m.max(v.abs()));
    for (at, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= BOUND * scale, "{name}: element {at} is {g}, should be {w}");
    }
}

struct Decoder {
    executor: Reference,
    prefill: Plan,
    decode: Plan,
}

impl Decoder {
    fn new(config: &TextConfig, weights: &HashMap<String, Matrix>) -> Self {
        let mut executor = Reference::default();
        load(&mut executor, weights);
        let (prefill, decode) = (model::prefill(config).unwrap(), model::decode(config).unwrap());
        Self { executor, prefill: Plan::new(prefill), decode: Plan::new(decode) }
    }

    /// Logits after a chunk of tokens at `position`.
    fn read(&mut self, ids: &[u32], position: usize) -> Vec<f32> {
        self.read_mixed(ids, &[], &(0..ids.len() as u32).collect::<Vec<_>>(), position)
    }

    fn read_mixed(&mut self, ids: &[u32], pictures: &[f32], order: &[u32], position: usize) -> Vec<f32> {
        let live = Live { tokens: ids.len(), pictures: pictures.len() / WIDTH, position };
        let inputs = [
            (model::IDS, Input::Index(ids)),
            (model::PICTURES, Input::Matrix(pictures)),
            (model::ORDER, Input::Index(order)),
            (model::LAST, Input::Index(&[order.len() as u32 - 1])),
        ];
        self.executor.run(&self.prefill, &live, &inputs, None).unwrap();
        pollster::block_on(self.executor.read(0)).unwrap()
    }

    fn step(&mut self, id: u32, position: usize) -> Vec<f32> {
        let live = Live { tokens: 1, pictures: 0, position };
        self.executor.run(&self.decode, &live, &[(model::IDS, Input::Index(&[id]))], None).unwrap();
        pollster::block_on(self.executor.read(0)).unwrap()
    }
}

/// What Llama 3 divides the angles of a head of 16 channels by, as the converter writes it: nothing for short waves, all for
/// long ones, and something between for those between.
fn llama_3_factors(c: &llama::Llama3RopeConfig) -> Matrix {
    let turns = |i: i32| c.original_max_position_embeddings as f32 * 10_000f32.powf(-i as f32 / 8.0) / (2.0 * PI);
    let factor = |i: i32| {
        let between = (turns(i) - c.low_freq_factor) / (c.high_freq_factor - c.low_freq_factor);
        1.0 / ((1.0 - between.clamp(0.0, 1.0)) / c.factor + between.clamp(0.0, 1.0))
    };
    Matrix::from_vec((0..8).map(factor).collect(), (1, 8), &Device::Cpu).unwrap()
}

#[test]
fn the_decoder_equals_candles_llama() {
    let stretched = || llama::Llama3RopeConfig {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 64,
        rope_type: llama::Llama3RopeType::Llama3,
    };
    for (kv_heads, rope_scaling) in [(4, None), (2, None), (1, None), (2, Some(stretched()))] {
        let mut config = text_config(kv_heads);
        config.layer.rope.as_mut().unwrap().factors = rope_scaling.is_some().then_some("rope_freqs.weight");
        let mut weights = weights(&[&model::prefill(&config).unwrap()]);
        weights.extend(rope_scaling.as_ref().map(|c| ("rope_freqs.weight".to_owned(), llama_3_factors(c))));
        let names = [
            ("token_embd", "model.embed_tokens"),
            ("output_norm", "model.norm"),
            ("attn_norm", "input_layernorm"),
            ("ffn_norm", "post_attention_layernorm"),
            ("attn_output", "self_attn.o_proj"),
            ("attn_q", "self_attn.q_proj"),
            ("attn_k", "self_attn.k_proj"),
            ("attn_v", "self_attn.v_proj"),
            ("ffn_gate", "mlp.gate_proj"),
            ("ffn_up", "mlp.up_proj"),
            ("ffn_down", "mlp.down_proj"),
        ];
        let theirs = llama::Config {
            hidden_size: WIDTH,
            intermediate_size: 96,
            vocab_size: VOCABULARY,
            num_hidden_layers: 2,
            num_attention_heads: 4,
            num_key_value_heads: kv_heads,
            use_flash_attn: false,
            rms_norm_eps: 1e-5,
            rope_theta: 10_000.0,
            bos_token_id: None,
            eos_token_id: None,
            rope_scaling,
            max_position_embeddings: 256,
            tie_word_embeddings: true,
        };
        let vb = renamed(&weights, |name| parts(name, &names, "model.layers."));
        let llama = llama::Llama::load(vb, &theirs).unwrap();
        let mut cache = llama::Cache::new(true, DType::F32, &theirs, &Device::Cpu).unwrap();
        let mut ours = Decoder::new(&config, &weights);

        let prompt: Vec<u32> = (0..37).map(|i| i * 29 % VOCABULARY as u32).collect();
        let input = Matrix::new(&prompt[..], &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let want = llama.forward(&input, 0, &mut cache).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        close("prompt", &ours.read(&prompt, 0), &want);
        for (position, id) in (prompt.len()..).zip([5, 77, 0]) {
            let input = Matrix::new(&[id][..], &Device::Cpu).unwrap().unsqueeze(0).unwrap();
            let want = llama.forward(&input, position, &mut cache).unwrap().flatten_all().unwrap();
            close("step", &ours.step(id, position), &want.to_vec1::<f32>().unwrap());
        }
    }
}

#[test]
fn a_prompt_reads_the_same_in_any_portions() {
    let config = text_config(2);
    let weights = weights(&[&model::prefill(&config).unwrap()]);
    let mut ours = Decoder::new(&config, &weights);
    let prompt: Vec<u32> = (0..29).map(|i| i * 31 % VOCABULARY as u32).collect();
    let want = ours.read(&prompt, 0);
    for chunk in [1, 2, 7, 28] {
        let mut logits = Vec::new();
        for (at, part) in prompt.chunks(chunk).enumerate() {
            logits = ours.read(part, at * chunk);
        }
        close("chunks", &logits, &want);
    }
    let mut logits = Vec::new();
    for (at, &id) in prompt.iter().enumerate() {
        logits = ours.step(id, at);
    }
    close("token by token", &logits, &want);

    // The rows of some tokens given as pictures: nothing but the order tells them from tokens.
    let table = weights["token_embd.weight"].to_vec2::<f32>().unwrap();
    let (mut ids, mut pictures, mut order) = (vec![], vec![], vec![]);
    let is_picture = |at: usize| (4..9).contains(&at) || at == 20;
    let tokens = (0..prompt.len()).filter(|&at| !is_picture(at)).count();
    for (at, &id) in prompt.iter().enumerate() {
        if is_picture(at) {
            order.push((tokens + pictures.len() / WIDTH) as u32);
            pictures.extend(&table[id as usize]);
        } else {
            order.push(ids.len() as u32);
            ids.push(id);
        }
    }
    close("pictures among tokens", &ours.read_mixed(&ids, &pictures, &order, 0), &want);
}

#[test]
fn the_vision_encoder_equals_candles_siglip() {
    let config = vision_config();
    let (v, side) = (&config.vision, config.vision.table_side);
    let graph = model::view(&config, [side, side]).unwrap();
    let mut weights = weights(&[&graph]);
    let names = [
        ("v.blk.", "encoder.layers."),
        ("v.patch_embd", "embeddings.patch_embedding"),
        ("v.position_embd", "embeddings.position_embedding"),
        ("v.post_ln", "post_layernorm"),
        ("ln1", "layer_norm1"),
        ("ln2", "layer_norm2"),
        ("attn_out", "self_attn.out_proj"),
        ("attn_q", "self_attn.q_proj"),
        ("attn_k", "self_attn.k_proj"),
        ("attn_v", "self_attn.v_proj"),
        ("ffn_up", "mlp.fc1"),
        ("ffn_down", "mlp.fc2"),
    ];
    let table = Matrix::randn(0f32, 0.5, (side * side, v.layer.width), &Device::Cpu).unwrap();
    weights.insert("v.position_embd.weight".into(), table.clone());
    let theirs = siglip::VisionConfig {
        hidden_size: v.layer.width,
        intermediate_size: v.layer.inner,
        num_hidden_layers: v.layers,
        num_attention_heads: v.layer.heads,
        num_channels: 3,
        image_size: side * v.patch,
        patch_size: v.patch,
        hidden_act: Activation::GeluPytorchTanh,
        layer_norm_eps: 1e-6,
    };
    let kernel = weights["v.patch_embd.weight"].reshape((v.layer.width, 3, v.patch, v.patch)).unwrap();
    let mut their_weights = weights.clone();
    their_weights.insert("v.patch_embd.weight".into(), kernel);
    let vb = renamed(&their_weights, |name| name.starts_with("v.").then(|| parts(name, &names, "")).flatten());
    let siglip = siglip::VisionModel::new(&theirs, false, vb).unwrap();

    let pixels = Matrix::randn(0f32, 1.0, (3, side * v.patch, side * v.patch), &Device::Cpu).unwrap();
    let want = siglip.forward(&pixels.unsqueeze(0).unwrap()).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();

    // [3, rows, patch, columns, patch] → [rows, columns, 3, patch, patch]
    let patches = pixels.reshape((3, side, v.patch, side, v.patch)).unwrap().permute((1, 3, 0, 2, 4)).unwrap();
    let patches = patches.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let table = table.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let given = model::view_inputs(&config, &table, [side, side]);
    let matrix = |input: &ViewInput| if let ViewInput::Matrix(numbers) = input { numbers.clone() } else { vec![] };
    close("an uninterpolated table", &matrix(&given[0].1), &table);
    let mut executor = Reference::default();
    load(&mut executor, &weights);
    let given: Vec<_> = given.iter().map(|(name, input)| (*name, matrix(input))).collect();
    let mut inputs = vec![(model::PATCHES, Input::Matrix(&patches))];
    inputs.extend(given.iter().map(|(name, numbers)| (*name, Input::Matrix(numbers))));
    let mut trace = Trace::with_values();
    executor.run(&Plan::new(graph), &Live::default(), &inputs, Some(&mut trace)).unwrap();
    close("post_ln", trace.values("v.post_ln").unwrap(), &want);
}
