//! A bounded little-endian reader over the bytes of a header that have come so far.

use super::Value;

/// Why reading stopped.
#[derive(Debug, PartialEq)]
pub enum Stop {
    /// The header goes on past the bytes at hand.
    Incomplete,
    /// The header is damaged; the sentence says where.
    Damaged(String),
}

pub type Read<T> = Result<T, Stop>;

/// No name, text or array in an honest header is longer than this; a larger count is damage, not a reason to wait.
const MOST: u64 = 1 << 28;
/// Arrays of arrays do not occur; this bounds what a hostile file can nest.
const DEEPEST: usize = 4;

pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    pub fn take(&mut self, n: usize) -> Read<&'a [u8]> {
        let end = self.at.checked_add(n).ok_or(Stop::Incomplete)?;
        let slice = self.bytes.get(self.at..end).ok_or(Stop::Incomplete)?;
        self.at = end;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    pub fn u32(&mut self) -> Read<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Read<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count that an honest file could hold.
    pub fn count(&mut self, what: &str) -> Read<usize> {
        let n = self.u64()?;
        if n > MOST {
            return Err(Stop::Damaged(format!("it claims {n} {what}")));
        }
        Ok(n as usize)
    }

    pub fn text(&mut self) -> Read<String> {
        let n = self.count("bytes of text")?;
        Ok(String::from_utf8_lossy(self.take(n)?).into_owned())
    }

    pub fn value(&mut self) -> Read<Value> {
        let kind = self.u32()?;
        self.value_of(kind, 0)
    }

    fn value_of(&mut self, kind: u32, depth: usize) -> Read<Value> {
        Ok(match kind {
            0 => Value::Unsigned(self.array::<1>()?[0].into()),
            1 => signed(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.array()?).into()),
            3 => signed(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Unsigned(self.u32()?.into()),
            5 => signed(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Bool(self.array::<1>()?[0] != 0),
            8 => Value::Text(self.text()?),
            9 if depth < DEEPEST => {
                let kind = self.u32()?;
                let n = self.count("array elements")?;
                // Grown as elements are read: the claimed length is not trusted with an allocation.
                let mut values = Vec::new();
                for _ in 0..n {
                    values.push(self.value_of(kind, depth + 1)?);
                }
                Value::Array(values)
            }
            10 => Value::Unsigned(self.u64()?),
            11 => signed(i64::from_le_bytes(self.array()?)),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            _ => return Err(Stop::Damaged(format!("a value has the unknown kind {kind}"))),
        })
    }
}

fn signed(v: i64) -> Value {
    u64::try_from(v).map_or(Value::Signed(v), Value::Unsigned)
}
