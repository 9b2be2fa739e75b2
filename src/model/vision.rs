//! One view of a picture in, rows of the decoder out.

use super::{
    block::{Names, block, linear, norm},
    config::{Merger, VisionConfig, VlmConfig},
    connector::connector,
    inputs::{PATCHES, POSITIONS, WINDOWS, WITHOUT_CLASS},
};
use crate::{
    error::{Error, Result},
    graph::{Act, Builder, Graph, Mask, NormKind, Rows, Value},
};

/// The graph of a view of `rows × columns` patches: inputs [`PATCHES`] and those of
/// [`view_inputs`](super::view_inputs); output the rows `[connector rows, decoder width]`.
///
/// # Errors
/// A model error when the configuration's sizes do not fit together, or such a grid is not for this encoder.
pub fn view(c: &VlmConfig, [rows, columns]: [usize; 2]) -> Result<Graph> {
    let v = &c.vision;
    let merged = c.merged();
    if rows * columns == 0 || !rows.is_multiple_of(merged) || !columns.is_multiple_of(merged) {
        return Err(Error::model(format!(
            "The vision encoder merges {merged} × {merged} patches and cannot look at {rows} × {columns}; choose another slicing."
        )));
    }
    let mut count = rows * columns;
    let mut g = Builder::default();
    g.scope("v.patch_embd");
    let pixels = 3 * v.patch * v.patch;
    let x = g.input(PATCHES, Rows::Fixed(count), pixels);
    let mut x = linear(&mut g, x, "v.patch_embd", [v.layer.width, pixels], v.patch_bias);
    if v.class_token {
        let class = g.weight("v.class_embd", [1, v.layer.width]);
        let class = g.constant(class);
        x = g.concat(class, x);
    }
    let positions = g.input(POSITIONS, Rows::Fixed(count + usize::from(v.class_token)), v.layer.width);
    let mut x = g.add(x, positions);
    g.name(x, "v.embedded");
    if v.pre_norm {
        g.scope("v.pre_ln");
        x = norm(&mut g, x, NormKind::Layer, "v.pre_ln", v.layer.eps);
    }
    for index in 0..v.layers {
        x = block(&mut g, x, &v.layer, &names(v), index, None);
        if let Some(merger) = v.merger.filter(|merger| merger.after == index) {
            x = merge(&mut g, x, count, v, merger);
            count /= 4;
        }
    }
    if v.class_token {
        g.scope("v.patches");
        x = g.gather(x, WITHOUT_CLASS, Rows::Fixed(count));
    }
    if v.post_norm {
        g.scope("v.post_ln");
        x = norm(&mut g, x, v.layer.norm, "v.post_ln", v.layer.eps);
        g.name(x, "v.post_ln");
    }
    let out = connector(&mut g, x, count, &c.connector);
    g.finish(vec![out])
}

fn names(v: &VisionConfig) -> Names {
    let [ffn_up, ffn_down] = if v.swapped { ["ffn_down", "ffn_up"] } else { ["ffn_up", "ffn_down"] };
    Names { prefix: "v.blk", attention_norm: "ln1", attention_out: "attn_out", ffn_norm: "ln2", ffn_up, ffn_down }
}

/// Attention in windows of 2 × 2, then the four rows of a window become one: their mean, and what a network makes of them
/// side by side (transformers `minicpmv4_6`).
fn merge(g: &mut Builder, x: Value, rows: usize, v: &VisionConfig, merger: Merger) -> Value {
    g.scope("v.vit_merger");
    let (width, eps) = (v.layer.width, v.layer.eps);
    let square = [width, width];
    let x = g.gather(x, WINDOWS, Rows::Fixed(rows));
    let h = norm(g, x, NormKind::Layer, "v.vit_merger.ln1", eps);
    let qkv = ["q", "k", "v"].map(|part| linear(g, h, &format!("v.vit_merger.attn_{part}"), square, true));
    let a = g.attend(qkv, v.layer.heads, v.layer.heads, Mask::Windows(4));
    let a = linear(g, a, "v.vit_merger.attn_out", square, true);
    let x = g.add(x, a);

    let four = g.fold(x, 4);
    let [mut mean, b, c, d] = [0, 1, 2, 3].map(|at| g.columns(four, 1, at * width, width));
    for other in [b, c, d] {
        mean = g.add(mean, other);
    }
    let mean = g.scale(mean, 0.25);
    let h = norm(g, four, NormKind::Layer, "v.vit_merger.ds_ln", eps);
    let h = linear(g, h, "v.vit_merger.ds_ffn_up", [merger.inner, 4 * width], true);
    let h = g.act(h, Act::GeluTanh);
    let h = linear(g, h, "v.vit_merger.ds_ffn_down", [width, merger.inner], true);
    let y = g.add(mean, h);
    g.name(y, "v.vit_merger")
}
