//! Entries and states as bytes: the canonical form, which hashes cover, and a compact form, which ledgers keep what follows
//! from the entries in.
//!
//! Both write the fields of a value one after the other; they differ only in how long a number is. Every list of fields and
//! every table of codes stands once and gives writing and reading.

mod canonical;
mod compact;
mod source;
mod values;

use std::sync::Arc;

pub use compact::Compact;
pub use source::CodingError;

use self::source::Source;

/// Takes the bytes one after the other: a buffer, or a hash.
pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]);

    fn nat(&mut self, number: u64) {
        self.put(&number.to_be_bytes());
    }

    fn int(&mut self, number: i64) {
        self.put(&number.to_be_bytes());
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A value that is written to bytes and read back from them.
pub(super) trait Coded: Sized {
    fn write(&self, out: &mut impl Sink);

    /// # Errors
    /// Where the bytes end too soon or are no such value.
    fn read(from: &mut Source<'_>) -> Result<Self, CodingError>;
}

/// The fields of a struct, in their order.
macro_rules! fields {
    ($type:ident { $($field:ident),* $(,)? }) => {
        impl Coded for $type {
            fn write(&self, out: &mut impl Sink) {
                let Self { $($field),* } = self;
                $($field.write(out);)*
            }

            fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
                Ok(Self { $($field: from.field(concat!(stringify!($type), ".", stringify!($field)))?),* })
            }
        }
    };
}

/// The codes of an enum without fields.
macro_rules! codes {
    ($type:ident { $($variant:ident = $code:literal),* $(,)? }) => {
        impl Coded for $type {
            fn write(&self, out: &mut impl Sink) {
                out.put(&[match self { $(Self::$variant => $code),* }]);
            }

            fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
                match from.byte()? {
                    $($code => Ok(Self::$variant),)*
                    code => Err(from.no_code(stringify!($type), code)),
                }
            }
        }
    };
}

/// The codes of an enum whose variants each have one value, which follows the code.
macro_rules! variants {
    ($type:ident { $($variant:ident = $code:literal),* $(,)? }) => {
        impl Coded for $type {
            fn write(&self, out: &mut impl Sink) {
                match self {
                    $(Self::$variant(value) => {
                        out.put(&[$code]);
                        value.write(out);
                    })*
                }
            }

            fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
                match from.byte()? {
                    $($code => from.field(stringify!($variant)).map(Self::$variant),)*
                    code => Err(from.no_code(stringify!($type), code)),
                }
            }
        }
    };
}

use {codes, fields, variants};

impl<T: Coded> Coded for Option<T> {
    fn write(&self, out: &mut impl Sink) {
        match self {
            None => out.put(&[0]),
            Some(value) => {
                out.put(&[1]);
                value.write(out);
            }
        }
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        match from.byte()? {
            0 => Ok(None),
            1 => T::read(from).map(Some),
            code => Err(from.no_code("an option", code)),
        }
    }
}

impl<T: Coded> Coded for Vec<T> {
    fn write(&self, out: &mut impl Sink) {
        out.nat(self.len() as u64);
        self.iter().for_each(|item| item.write(out));
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        let count = from.nat()?;
        // A count is not believed before its items are there.
        let mut items = Self::new();
        for _ in 0..count {
            items.push(T::read(from)?);
        }
        Ok(items)
    }
}

impl<T: Coded> Coded for Box<T> {
    fn write(&self, out: &mut impl Sink) {
        (**self).write(out);
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        T::read(from).map(Self::new)
    }
}

impl<T: Coded> Coded for Arc<T> {
    fn write(&self, out: &mut impl Sink) {
        (**self).write(out);
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        T::read(from).map(Self::new)
    }
}

impl<A: Coded, B: Coded> Coded for (A, B) {
    fn write(&self, out: &mut impl Sink) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(from: &mut Source<'_>) -> Result<Self, CodingError> {
        Ok((A::read(from)?, B::read(from)?))
    }
}
