//! Metadata values of a GGUF file.

/// One metadata value. Integers of every width are widened; arrays hold one kind only.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// u8 … u64 and non-negative i8 … i64.
    Unsigned(u64),
    /// Negative i8 … i64.
    Signed(i64),
    /// f32 and f64.
    Float(f64),
    /// bool.
    Bool(bool),
    /// UTF-8 text; bytes that are not UTF-8 are replaced.
    Text(String),
    /// An array.
    Array(Vec<Value>),
}

impl Value {
    /// The value as an unsigned integer.
    pub fn unsigned(&self) -> Option<u64> {
        match self {
            Self::Unsigned(v) => Some(*v),
            _ => None,
        }
    }

    /// The value as a signed integer.
    pub fn signed(&self) -> Option<i64> {
        match self {
            Self::Unsigned(v) => i64::try_from(*v).ok(),
            Self::Signed(v) => Some(*v),
            _ => None,
        }
    }

    /// The value as a number.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Unsigned(v) => Some(*v as f64),
            Self::Signed(v) => Some(*v as f64),
            Self::Float(v) => Some(*v),
            _ => None,
        }
    }

    /// The value as a truth value.
    pub fn bool(&self) -> Option<bool> {
        match self {
            Self::Bool(v) => Some(*v),
            _ => None,
        }
    }

    /// The value as text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(v) => Some(v),
            _ => None,
        }
    }

    /// The value as an array.
    pub fn array(&self) -> Option<&[Value]> {
        match self {
            Self::Array(v) => Some(v),
            _ => None,
        }
    }
}
