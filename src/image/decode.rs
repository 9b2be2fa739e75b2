//! Bytes of a picture file → pixels, and pixels → PNG: the one place that knows file formats.
//!
//! PNG, JPEG, WebP, GIF (first frame) and BMP. EXIF orientation is applied, transparency is laid on white, 16-bit values
//! are rounded to 8, and a colour profile is ignored, as training does. The header is judged before any pixel is decoded.

use std::io::{Cursor, ErrorKind as Io};

use image::error::ImageError;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use super::sniff::{Kind, kind};
use super::{Rgb, Size};
use crate::error::{Error, Result};

/// The most pixels a picture may have.
pub const MOST_PIXELS: u64 = 100_000_000;

/// Bytes a decoder may allocate: eight for each pixel that is allowed (16-bit RGBA).
const MOST_BYTES: u64 = MOST_PIXELS * 8;

/// What to do about a file that is not read here.
const READ: &str = "use a PNG, JPEG, WebP, GIF or BMP picture";

/// The pixels of a picture file.
///
/// # Errors
/// A picture error with one sentence: empty, not a picture, a format that is not read, too large, cut short, or damaged.
pub fn decode(bytes: &[u8]) -> Result<Rgb> {
    let (format, name) = format(bytes)?;
    if format == ImageFormat::Jpeg && !jpeg_ends(bytes) {
        return Err(cut_short(name));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| explain(error, name))?;
    let (width, height) = decoder.dimensions();
    check_size(u64::from(width), u64::from(height))?;
    let orientation = orientation(&mut decoder, bytes, format);
    let colour = decoder.color_type();
    let image = DynamicImage::from_decoder(decoder).map_err(|error| explain(error, name))?;
    let rgb = if colour.has_alpha() { on_white(image) } else { image.into_rgb8() };
    Ok(orient(rgb, orientation))
}

/// Pixels that somebody else decoded: `[height, width, 4]` bytes, alpha not multiplied in, as a canvas gives them.
///
/// # Errors
/// A picture error when there are none, too many, or not as many as the sides ask for.
pub fn from_rgba(width: u32, height: u32, bytes: &[u8]) -> Result<Rgb> {
    check_size(u64::from(width), u64::from(height))?;
    let expected = Size::new(width, height).area() * 4;
    if bytes.len() as u64 != expected {
        return Err(Error::picture(format!(
            "{} bytes came for a picture of {width} × {height} pixels, which takes {expected}; send it again.",
            bytes.len()
        )));
    }
    Rgb::new(width, height, bytes.as_chunks().0.iter().flat_map(|&pixel| over_white(pixel)).collect())
}

/// The bytes of a PNG file.
///
/// # Errors
/// An internal error when the picture has no pixels.
pub fn to_png(picture: &Rgb) -> Result<Vec<u8>> {
    let mut png = Cursor::new(Vec::new());
    let (width, height) = (picture.width, picture.height);
    image::write_buffer_with_format(&mut png, &picture.pixels, width, height, ColorType::Rgb8, ImageFormat::Png)
        .map_err(|error| Error::internal("A picture could not be written as PNG; report this.").because(error))?;
    Ok(png.into_inner())
}

fn format(bytes: &[u8]) -> Result<(ImageFormat, &'static str)> {
    let refuse = |why: String| Err(Error::picture(why));
    match kind(bytes) {
        Kind::Png => Ok((ImageFormat::Png, "PNG")),
        Kind::Jpeg => Ok((ImageFormat::Jpeg, "JPEG")),
        Kind::WebP => Ok((ImageFormat::WebP, "WebP")),
        Kind::Gif => Ok((ImageFormat::Gif, "GIF")),
        Kind::Bmp => Ok((ImageFormat::Bmp, "BMP")),
        _ if bytes.is_empty() => refuse(format!("The file is empty; {READ}.")),
        Kind::Other("PDF") => refuse("This is a PDF document; save the page you mean as PNG or JPEG.".into()),
        Kind::Other("video") => refuse(format!("This is a video, not a picture; {READ}.")),
        Kind::Other(name @ ("AVIF" | "HEIC" | "HEIF" | "SVG")) => {
            refuse(format!("{name} pictures can only be read by a browser that knows them; convert it to PNG or JPEG."))
        }
        Kind::Other(name) => refuse(format!("{name} pictures are not read; convert it to PNG or JPEG.")),
        Kind::Text => refuse(format!("This file holds text, not a picture, whatever its name; {READ}.")),
        Kind::Unknown => refuse(format!("This file is not a picture of any known format; {READ}.")),
    }
}

fn check_size(width: u64, height: u64) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(Error::picture("The picture has no pixels; choose another."));
    }
    let pixels = width.saturating_mul(height);
    if pixels > MOST_PIXELS {
        return Err(Error::picture(format!(
            "The picture has {width} × {height} pixels, {} megapixels, and at most {} are read; make it smaller first.",
            pixels.div_ceil(1_000_000),
            MOST_PIXELS / 1_000_000
        )));
    }
    Ok(())
}

fn cut_short(name: &str) -> Error {
    Error::picture(format!("The {name} picture is cut short; get the whole file again."))
}

fn explain(error: ImageError, name: &str) -> Error {
    let plain = match &error {
        ImageError::IoError(io) if io.kind() == Io::UnexpectedEof => cut_short(name),
        ImageError::Limits(_) => {
            Error::picture(format!("The {name} picture needs too much memory to open; make it smaller first."))
        }
        ImageError::Unsupported(_) => Error::picture(format!(
            "This kind of {name} picture is not read; save it again as an ordinary PNG or JPEG."
        )),
        _ => Error::picture(format!("The {name} picture is damaged; get the file again or save it anew.")),
    };
    plain.because(error)
}

/// Whether a JPEG has its end marker behind its last scan. The decoder would paint what is missing grey, and a model would
/// answer about the grey.
fn jpeg_ends(bytes: &[u8]) -> bool {
    let mut at = 2;
    loop {
        // Within a scan 0xff is followed by 0 or by a restart marker; anything else ends it. Fill bytes may precede markers.
        let Some(next) = bytes.get(at..).and_then(|rest| {
            rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff | 0xd0..=0xd7))
        }) else {
            return false;
        };
        at += next;
        if bytes[at + 1] == 0xd9 {
            return true;
        }
        let Some(&[high, low]) = bytes.get(at + 2..).and_then(|rest| rest.first_chunk()) else { return false };
        at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
    }
}

/// How the picture must be turned, by its EXIF data; as it is, when there is none that can be read.
fn orientation(decoder: &mut impl ImageDecoder, bytes: &[u8], format: ImageFormat) -> Orientation {
    let exif = match decoder.exif_metadata() {
        Ok(Some(exif)) => Some(exif),
        _ if format == ImageFormat::Png => png_exif(bytes).map(<[u8]>::to_vec),
        _ => None,
    };
    // Some writers leave JPEG's own prefix in the other formats.
    let exif = exif.as_deref().map(|exif| exif.strip_prefix(b"Exif\0\0").unwrap_or(exif));
    exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms)
}

/// The eXIf chunk of a PNG, which may come after the pixels.
fn png_exif(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.get(8..)?;
    loop {
        let length = u32::from_be_bytes(*rest.first_chunk()?) as usize;
        let data = rest.get(8..)?.get(..length)?;
        if rest.get(4..8) == Some(b"eXIf") {
            return Some(data);
        }
        rest = rest.get(8 + length..)?.get(4..)?;
    }
}

/// Lays transparency on white.
fn on_white(image: DynamicImage) -> RgbImage {
    let image = image.into_rgba8();
    let (width, height) = image.dimensions();
    let mut rgb = RgbImage::new(width, height);
    for (to, from) in rgb.pixels_mut().zip(image.pixels()) {
        to.0 = over_white(from.0);
    }
    rgb
}

fn over_white([red, green, blue, alpha]: [u8; 4]) -> [u8; 3] {
    let alpha = u32::from(alpha);
    [red, green, blue].map(|value| ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8)
}

fn orient(rgb: RgbImage, orientation: Orientation) -> Rgb {
    let mut image = DynamicImage::ImageRgb8(rgb);
    image.apply_orientation(orientation);
    let rgb = image.into_rgb8();
    Rgb { width: rgb.width(), height: rgb.height(), pixels: rgb.into_raw() }
}
