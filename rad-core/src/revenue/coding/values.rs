//! Numbers, times, ids, amounts and texts as bytes.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::super::{EntryKey, Reason};
use super::{Coded, CodingError, Sink, Source};
use crate::id::{AccountId, DeploymentId, ModuleId};
use crate::money::{Amount, Credits, CreditsPerUnit, Currency, Money, Rate};
use crate::source::CommitId;

impl Coded for u64 {
    fn write(&self, out: &mut impl Sink) {
        out.nat(*self);
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        from.nat()
    }
}

impl Coded for i64 {
    fn write(&self, out: &mut impl Sink) {
        out.int(*self);
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        from.int()
    }
}

impl Coded for u32 {
    fn write(&self, out: &mut impl Sink) {
        out.put(&self.to_be_bytes());
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        from.array().map(Self::from_be_bytes)
    }
}

impl Coded for bool {
    fn write(&self, out: &mut impl Sink) {
        out.put(&[u8::from(*self)]);
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        match from.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            code => Err(from.no_code("yes or no", code)),
        }
    }
}

impl Coded for [u8; 16] {
    fn write(&self, out: &mut impl Sink) {
        out.put(self);
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        from.array()
    }
}

macro_rules! ids {
    ($($id:ident),*) => {$(
        impl Coded for $id {
            fn write(&self, out: &mut impl Sink) {
                out.put(self.as_bytes());
            }

            fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
                from.array().map(Self::from_bytes)
            }
        }
    )*};
}

ids!(AccountId, ModuleId, EntryKey);

macro_rules! micros {
    ($($quantity:ident),*) => {$(
        impl Coded for $quantity {
            fn write(&self, out: &mut impl Sink) {
                out.int(self.micros());
            }

            fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
                from.int().map(Self::from_micros)
            }
        }
    )*};
}

micros!(Credits, Amount);

impl Coded for DateTime<Utc> {
    fn write(&self, out: &mut impl Sink) {
        out.int(self.timestamp_micros());
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        let micros = from.int()?;
        Self::from_timestamp_micros(micros).ok_or_else(|| from.error(format!("{micros} is no time")))
    }
}

impl Coded for DeploymentId {
    fn write(&self, out: &mut impl Sink) {
        out.put(self.as_bytes());
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        let bytes = from.take(Self::LEN)?;
        parsed(from, bytes)
    }
}

impl Coded for Currency {
    fn write(&self, out: &mut impl Sink) {
        out.put(self.as_bytes());
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        let bytes = from.take(3)?;
        parsed(from, bytes)
    }
}

impl Coded for Money {
    fn write(&self, out: &mut impl Sink) {
        self.amount().write(out);
        self.currency().write(out);
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        Ok(Self::of(Amount::read(from)?, Currency::read(from)?))
    }
}

impl Coded for Rate {
    fn write(&self, out: &mut impl Sink) {
        out.put(&self.basis_points().to_be_bytes());
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        let points = from.array().map(u16::from_be_bytes)?;
        Self::from_basis_points(points).map_err(|error| from.error(error))
    }
}

impl Coded for CreditsPerUnit {
    fn write(&self, out: &mut impl Sink) {
        self.hundredths().write(out);
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        let hundredths = u32::read(from)?;
        Self::from_hundredths(hundredths).map_err(|error| from.error(error))
    }
}

impl Coded for CommitId {
    fn write(&self, out: &mut impl Sink) {
        text(self.as_str(), out);
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        let bytes = text_bytes(from)?;
        parsed(from, bytes)
    }
}

impl Coded for Reason {
    fn write(&self, out: &mut impl Sink) {
        text(self.as_str(), out);
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        let bytes = text_bytes(from)?;
        let reason: Self = parsed(from, bytes)?;
        // What is read must be what was hashed: nothing is trimmed away here.
        if reason.as_str().as_bytes() == bytes {
            Ok(reason)
        } else {
            Err(from.error("white space around it"))
        }
    }
}

impl Coded for Decimal {
    fn write(&self, out: &mut impl Sink) {
        let value = self.normalize();
        out.put(&value.mantissa().to_be_bytes());
        out.put(&value.scale().to_be_bytes());
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        let (digits, scale) = (from.array().map(i128::from_be_bytes)?, u32::read(from)?);
        let value = Self::try_from_i128_with_scale(digits, scale).map_err(|error| from.error(error))?;
        let normal = value.normalize();
        let is_normal = (normal.mantissa(), normal.scale()) == (digits, scale);
        if is_normal { Ok(value) } else { Err(from.error("a decimal has trailing zeros")) }
    }
}

fn text(text: &str, out: &mut impl Sink) {
    out.nat(text.len() as u64);
    out.put(text.as_bytes());
}

fn text_bytes<'a>(from: &mut Source<'a>) -> Result<&'a [u8], CodingError> {
    let length = from.nat()?;
    from.take(usize::try_from(length).unwrap_or(usize::MAX))
}

fn parsed<T: FromStr>(from: &Source<'_>, bytes: &[u8]) -> Result<T, CodingError>
where
    T::Err: std::fmt::Display,
{
    let text = std::str::from_utf8(bytes).map_err(|error| from.error(error))?;
    text.parse().map_err(|error| from.error(error))
}
