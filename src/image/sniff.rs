//! What kind of file some bytes are, by how they begin. A name's ending is never believed.

/// A kind of file, as far as pictures are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    WebP,
    /// GIF.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// A picture format that is known but not read here, by its name.
    Other(&'static str),
    /// Text of some sort.
    Text,
    /// None of these.
    Unknown,
}

/// Formats told by their first bytes.
const MAGIC: [(&[u8], Kind); 15] = [
    (b"\x89PNG\r\n\x1a\n", Kind::Png),
    (b"\xff\xd8\xff", Kind::Jpeg),
    (b"GIF87a", Kind::Gif),
    (b"GIF89a", Kind::Gif),
    (b"BM", Kind::Bmp),
    (b"%PDF", Kind::Other("PDF")),
    (b"II*\0", Kind::Other("TIFF")),
    (b"MM\0*", Kind::Other("TIFF")),
    (b"8BPS", Kind::Other("Photoshop")),
    (b"\xff\x0a", Kind::Other("JPEG XL")),
    (b"\0\0\0\x0cJXL ", Kind::Other("JPEG XL")),
    (b"\0\0\0\x0cjP  ", Kind::Other("JPEG 2000")),
    (b"\0\0\x01\0", Kind::Other("ICO")),
    (b"qoif", Kind::Other("QOI")),
    (b"gimp xcf", Kind::Other("GIMP")),
];

/// Brands of the ISO container, which holds AVIF and HEIC.
const BRANDS: [(&[u8], &str); 7] = [
    (b"avif", "AVIF"),
    (b"avis", "AVIF"),
    (b"heic", "HEIC"),
    (b"heix", "HEIC"),
    (b"hevc", "HEIC"),
    (b"mif1", "HEIF"),
    (b"msf1", "HEIF"),
];

/// The kind of a file's bytes.
pub fn kind(bytes: &[u8]) -> Kind {
    if let Some(&(_, kind)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return kind;
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Kind::WebP;
    }
    if let (Some(b"ftyp"), Some(brand)) = (bytes.get(4..8), bytes.get(8..12)) {
        let found = BRANDS.iter().find(|(known, _)| *known == brand);
        return Kind::Other(found.map_or("video", |&(_, name)| name));
    }
    let head = &bytes[..bytes.len().min(1024)];
    if !reads_as_text(head) {
        return Kind::Unknown;
    }
    if head.windows(4).any(|window| window == b"<svg") { Kind::Other("SVG") } else { Kind::Text }
}

/// UTF-8 without control characters, but for a character cut off by the end.
fn reads_as_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && !text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\x0c'))
}
