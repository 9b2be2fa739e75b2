//! Which token to say next.
//!
//! candle-transformers' sampler leaves the order of equally likely tokens to the platform's sort and has no min-p, so this
//! is our own: every step is ordered by (likelihood, id), and one seed gives one answer natively and in wasm.

use std::cmp::Ordering;

use crate::error::{Error, Result};

/// How to choose. The steps are applied in this order, as transformers applies them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the positive logits of tokens already said, and multiplies the negative ones (CTRL); 1 leaves them.
    pub repetition_penalty: f32,
    /// Divides the logits; 0 takes the likeliest token, of equally likely ones that of the lowest id.
    pub temperature: f32,
    /// Keeps this many of the likeliest tokens; 0 keeps all.
    pub top_k: u32,
    /// Keeps the likeliest tokens that together hold this share of the probability; 1 keeps all.
    pub top_p: f32,
    /// Drops tokens less likely than this share of the likeliest; 0 keeps all.
    pub min_p: f32,
    /// The same seed gives the same choices.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { repetition_penalty: 1.0, temperature: 0.0, top_k: 0, top_p: 1.0, min_p: 0.0, seed: 0 }
    }
}

/// Chooses tokens, one after another.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    random: SplitMix,
}

/// A token that may be chosen.
#[derive(Clone, Copy)]
struct Candidate {
    id: u32,
    logit: f32,
    /// Of being chosen, up to a factor; the likeliest has 1.
    weight: f64,
}

impl Sampler {
    /// A sampler at the beginning of its random numbers.
    ///
    /// # Errors
    /// A usage error that names the option which is out of its range.
    pub fn new(sampling: Sampling) -> Result<Self> {
        let Sampling { repetition_penalty, temperature, top_p, min_p, .. } = sampling;
        let in_range = [
            ("temperature", temperature, 0.0..=100.0),
            ("top-p", top_p, 0.0..=1.0),
            ("min-p", min_p, 0.0..=1.0),
            ("repetition penalty", repetition_penalty, 0.01..=100.0),
        ];
        for (name, value, range) in in_range {
            if !range.contains(&value) {
                let (least, most) = range.into_inner();
                return Err(Error::usage(format!("The {name} is {value}; give one from {least} to {most}.")));
            }
        }
        Ok(Self { sampling, random: SplitMix(sampling.seed) })
    }

    /// Whether the largest logit decides, whatever the others are and whatever was said.
    pub fn takes_the_likeliest(&self) -> bool {
        self.sampling.temperature == 0.0 && self.sampling.repetition_penalty == 1.0
    }

    /// The id of the next token, from the logits of all and the ids of those already said.
    ///
    /// # Errors
    /// An internal error when there is no logit to choose by, or one that is not a number.
    pub fn choose(&mut self, logits: &[f32], said: &[u32]) -> Result<u32> {
        let mut candidates: Vec<_> =
            (0..).zip(logits).map(|(id, &logit)| Candidate { id, logit, weight: 0.0 }).collect();
        self.penalise(&mut candidates, said);
        let Some(best) = candidates.iter().copied().min_by(likelier) else {
            return Err(Error::internal("The model gave no logits; report this."));
        };
        let is_number = candidates.iter().all(|candidate| !candidate.logit.is_nan());
        checked(best.id, if is_number { best.logit } else { f32::NAN })?;
        if self.sampling.temperature == 0.0 {
            return Ok(best.id);
        }
        let temperature = f64::from(self.sampling.temperature);
        for candidate in &mut candidates {
            candidate.weight = ((f64::from(candidate.logit) - f64::from(best.logit)) / temperature).exp();
        }
        self.keep_likeliest(&mut candidates);
        let total: f64 = candidates.iter().map(|candidate| candidate.weight).sum();
        let mut left = self.random.unit() * total;
        let chosen = candidates.iter().find(|candidate| {
            left -= candidate.weight;
            left < 0.0
        });
        // Rounding can leave a crumb behind the last one.
        Ok(chosen.unwrap_or(&best).id)
    }

    fn penalise(&self, candidates: &mut [Candidate], said: &[u32]) {
        let penalty = self.sampling.repetition_penalty;
        let mut said = said.to_vec();
        said.sort_unstable();
        said.dedup();
        for id in said {
            if let Some(Candidate { logit, .. }) = candidates.get_mut(id as usize) {
                *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
            }
        }
    }

    /// Drops what top-k, top-p and min-p drop; at least the likeliest stays.
    fn keep_likeliest(&self, candidates: &mut Vec<Candidate>) {
        let Sampling { top_k, top_p, min_p, .. } = self.sampling;
        let top_k = top_k as usize;
        if (1..candidates.len()).contains(&top_k) {
            candidates.select_nth_unstable_by(top_k - 1, likelier);
            candidates.truncate(top_k);
        }
        candidates.sort_unstable_by(likelier);
        if top_p < 1.0 {
            let total: f64 = candidates.iter().map(|candidate| candidate.weight).sum();
            let mut share = 0.0;
            let enough = candidates.iter().position(|candidate| {
                share += candidate.weight / total;
                share >= f64::from(top_p)
            });
            candidates.truncate(enough.map_or(candidates.len(), |last| last + 1));
        }
        candidates.retain(|candidate| candidate.weight >= f64::from(min_p));
    }
}

/// The id of the likeliest token, for which its logit must speak.
///
/// # Errors
/// An internal error when that is not a number.
pub fn checked(id: u32, logit: f32) -> Result<u32> {
    if logit.is_finite() {
        return Ok(id);
    }
    Err(Error::internal("The model's logits are not numbers; try another model, or report this."))
}

/// Likeliest first, of equally likely ones the lowest id. The sum with zero makes −0 and 0 the same.
fn likelier(a: &Candidate, b: &Candidate) -> Ordering {
    (b.logit + 0.0).total_cmp(&(a.logit + 0.0)).then(a.id.cmp(&b.id))
}

/// Random numbers the same on every machine. Source: Steele, Lea and Flood, “Fast splittable pseudorandom number
/// generators”, 2014.
#[derive(Clone, Debug)]
struct SplitMix(u64);

impl SplitMix {
    /// From 0 inclusive to 1 exclusive.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}
