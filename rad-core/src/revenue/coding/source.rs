//! Reading bytes one after the other, never past their end.

use super::Coded;

/// Bytes that are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {problem}")]
pub struct CodingError {
    at: usize,
    problem: String,
}

/// Where reading has come to.
#[derive(Debug)]
pub(in crate::revenue) struct Source<'a> {
    rest: &'a [u8],
    whole: usize,
    /// Whether numbers are of the compact form.
    is_compact: bool,
    /// The field that is read, for messages.
    field: &'static str,
}

impl<'a> Source<'a> {
    pub(super) const fn canonical(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, whole: bytes.len(), is_compact: false, field: "" }
    }

    pub(super) const fn compact(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, whole: bytes.len(), is_compact: true, field: "" }
    }

    /// Reads a field, which messages name.
    #[inline]
    pub(super) fn field<T: Coded>(&mut self, name: &'static str) -> Result<T, CodingError> {
        self.field = name;
        T::read(self)
    }

    /// Reads a value that must be all there is.
    pub(super) fn all<T: Coded>(mut self) -> Result<T, CodingError> {
        let value = T::read(&mut self)?;
        if self.rest.is_empty() { Ok(value) } else { Err(self.error("more follows than belongs there")) }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], CodingError> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.error("the bytes end too soon")),
        }
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], CodingError> {
        match self.rest.split_first_chunk() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(self.error("the bytes end too soon")),
        }
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, CodingError> {
        self.array().map(|[byte]| byte)
    }

    #[inline]
    pub(super) fn nat(&mut self) -> Result<u64, CodingError> {
        if self.is_compact { self.variable() } else { self.array().map(u64::from_be_bytes) }
    }

    #[inline]
    pub(super) fn int(&mut self) -> Result<i64, CodingError> {
        if self.is_compact {
            self.variable().map(super::compact::unfold)
        } else {
            self.array().map(i64::from_be_bytes)
        }
    }

    /// A number of seven bits a byte, least significant first; the eighth bit says that another byte follows.
    fn variable(&mut self) -> Result<u64, CodingError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit; a last byte of zero could have been left out.
            if (shift == 63 && bits > 1) || (shift > 0 && byte == 0) {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.error("a number is too long"))
    }

    pub(super) fn no_code(&self, what: &'static str, code: u8) -> CodingError {
        self.error(format!("{code} is no code of {what}"))
    }

    pub(super) fn error(&self, problem: impl std::fmt::Display) -> CodingError {
        let at = self.whole.saturating_sub(self.rest.len());
        let problem = match self.field {
            "" => problem.to_string(),
            field => format!("{field}: {problem}"),
        };
        CodingError { at, problem }
    }
}
