//! A picture that was looked at, as bytes: whoever keeps them need not have it looked at again.
//!
//! A line that names the form, a line with the SHA-256 of all that follows, a line of JSON, then the rows as little-endian f32. The bytes are of use to the model alone that
//! made them, and are refused by any other.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{look::Picture, open::Model};
use crate::{
    error::{Error, ErrorKind, Result},
    protocol::Layout,
    text::prompt::PictureShape,
};

const MAGIC: &[u8] = b"loupe picture 1\n";

#[derive(Serialize, Deserialize)]
struct Head {
    /// Of the model's files.
    model: String,
    /// How the model cut pictures then.
    slicing: String,
    layout: Layout,
    /// Columns and rows of slices, rows of a slice and of the overview.
    shape: [u32; 4],
}

/// The picture as bytes.
pub fn write(picture: &Picture, model: &Model) -> Vec<u8> {
    let rows: Vec<u8> = picture.rows.iter().flat_map(|x| x.to_le_bytes()).collect();
    let PictureShape { columns, rows: slice_rows, slice, overview } = picture.shape;
    let head = Head {
        model: model.info.hash.clone(),
        slicing: format!("{:?}", model.slicing),
        layout: picture.layout.clone(),
        shape: [columns, slice_rows, slice, overview],
    };
    let head = serde_json::to_vec(&head).unwrap_or_default();
    let content = [&head, &b"\n"[..], &rows].concat();
    [MAGIC, hex(&content).as_bytes(), b"\n", &content].concat()
}

/// The picture that `bytes` are.
///
/// # Errors
/// Of kind [`Damaged`](ErrorKind::Damaged) when they are not whole, or not of this model.
pub fn read(id: u32, bytes: &[u8], model: &Model) -> Result<Picture> {
    let damaged = || {
        Error::of_kind(
            ErrorKind::Damaged,
            "What was remembered of the picture is damaged, or of another model; look at the picture again.",
        )
    };
    let (hash, rest) = bytes.strip_prefix(MAGIC).and_then(|rest| rest.split_at_checked(65)).ok_or_else(damaged)?;
    if hash != [hex(rest).as_bytes(), b"\n"].concat() {
        return Err(damaged());
    }
    let end = rest.iter().position(|&byte| byte == b'\n').ok_or_else(damaged)?;
    let head: Head = serde_json::from_slice(&rest[..end]).map_err(|e| damaged().because(e))?;
    let rows = &rest[end + 1..];
    let [columns, slice_rows, slice, overview] = head.shape;
    let shape = PictureShape { columns, rows: slice_rows, slice, overview };
    let count = u64::from(columns) * u64::from(slice_rows) * u64::from(slice) + u64::from(overview);
    let length = count.checked_mul(model.config.text.layer.width as u64 * 4);
    let ours = head.model == model.info.hash && head.slicing == format!("{:?}", model.slicing);
    if !ours || length != Some(rows.len() as u64) {
        return Err(damaged());
    }
    let rows = rows.as_chunks().0.iter().map(|x| f32::from_le_bytes(*x)).collect();
    Ok(Picture { id, tokens: head.layout.tokens, layout: head.layout, shape, rows })
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
