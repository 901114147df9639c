//! The one spelling of every value: numbers, ids and times to and from bytes, without allocation.

use chrono::{DateTime, Datelike as _, NaiveDate, Timelike as _, Utc};
use rust_decimal::Decimal;

use super::Fault;
use crate::id::{AccountId, DeploymentId, ModuleId};
use crate::money::{Amount, Credits, CreditsPerUnit, Currency, Rate};
use crate::revenue::{Bucket, BurnOrder, EntryKey, LotSource, Reason, ReversalCause, Rounding};
use crate::source::{CommitId, Digest};

/// Why bytes are not a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// They are written otherwise.
    Form,
    /// It is too large or too small.
    Range,
    /// Nothing has this name.
    Name,
}

impl Flaw {
    /// What an error calls it, where `wanted` should be.
    pub(super) const fn fault(self, wanted: &'static str) -> Fault {
        match self {
            Self::Form => Fault::Malformed { wanted },
            Self::Range => Fault::OutOfRange { wanted },
            Self::Name => Fault::Unknown { wanted },
        }
    }
}

/// A value with one spelling.
pub(super) trait Cell: Sized {
    /// What is wanted, as a person would write it.
    const WANTED: &'static str;

    /// Reads what [`write`](Self::write) writes, and nothing else.
    fn parse(bytes: &[u8]) -> Result<Self, Flaw>;

    /// Appends the value.
    fn write(&self, out: &mut Vec<u8>);
}

macro_rules! unsigned {
    ($($type:ty, $wanted:literal;)*) => {$(
        impl Cell for $type {
            const WANTED: &'static str = $wanted;

            fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
                Self::try_from(digits(bytes)?).map_err(|_| Flaw::Range)
            }

            fn write(&self, out: &mut Vec<u8>) {
                put_digits(u64::from(*self), 1, out);
            }
        }
    )*};
}

unsigned! {
    u64, "a whole number from 0 to 18446744073709551615";
    u32, "a whole number from 0 to 4294967295";
}

macro_rules! fixed {
    ($($type:ty, $decimals:literal, $from:expr, $to:expr, $wanted:literal;)*) => {$(
        impl Cell for $type {
            const WANTED: &'static str = $wanted;

            fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
                $from(decimal::<$decimals>(bytes)?)
            }

            fn write(&self, out: &mut Vec<u8>) {
                put_decimal::<$decimals>($to(*self), out);
            }
        }
    )*};
}

fixed! {
    i64, 0, narrow, |number| number, "a whole number from -9223372036854775808 to 9223372036854775807";
    Credits, 6, |micros| Ok(Self::from_micros(micros)), Self::micros,
        "credits with at most 6 decimals from -9223372036854.775808 to 9223372036854.775807";
    Amount, 6, |micros| Ok(Self::from_micros(micros)), Self::micros,
        "an amount with at most 6 decimals from -9223372036854.775808 to 9223372036854.775807";
    Rate, 2, |points| narrow(points).and_then(|points| Self::from_basis_points(points).map_err(|_| Flaw::Range)),
        |rate: Self| i64::from(rate.basis_points()), "a percentage with at most 2 decimals from 0 to 100";
    CreditsPerUnit, 2, |price| narrow(price).and_then(|price| Self::from_hundredths(price).map_err(|_| Flaw::Range)),
        |price: Self| i64::from(price.hundredths()), "credits for one unit with at most 2 decimals from 0.01 to 1000000";
}

fn narrow<T: TryFrom<i64>>(number: i64) -> Result<T, Flaw> {
    T::try_from(number).map_err(|_| Flaw::Range)
}

macro_rules! uuids {
    ($($type:ty),*) => {$(
        impl Cell for $type {
            const WANTED: &'static str = "a UUID in lower case such as 018f3c5e-7a00-7000-8000-000000000001";

            fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
                uuid(bytes).map(Self::from_bytes).ok_or(Flaw::Form)
            }

            fn write(&self, out: &mut Vec<u8>) {
                let [a, b, c, d, e, f, g, h, node @ ..] = self.as_bytes();
                for (place, group) in [&[*a, *b, *c, *d][..], &[*e, *f], &[*g, *h]].into_iter().enumerate() {
                    if place > 0 {
                        out.push(b'-');
                    }
                    put_hex(group, out);
                }
                let (clock, node) = node.split_at(2);
                out.push(b'-');
                put_hex(clock, out);
                out.push(b'-');
                put_hex(node, out);
            }
        }
    )*};
}

uuids!(AccountId, ModuleId);

macro_rules! hexadecimal {
    ($($type:ty, $from:expr, $bytes:expr, $wanted:literal;)*) => {$(
        impl Cell for $type {
            const WANTED: &'static str = $wanted;

            fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
                hex(bytes).map($from).ok_or(Flaw::Form)
            }

            fn write(&self, out: &mut Vec<u8>) {
                put_hex($bytes(self), out);
            }
        }
    )*};
}

hexadecimal! {
    EntryKey, Self::from_bytes, Self::as_bytes, "32 hexadecimal digits in lower case";
    [u8; 16], |bytes| bytes, |bytes| bytes, "32 hexadecimal digits in lower case";
    Digest, Self::from_bytes, Self::as_bytes, "64 hexadecimal digits in lower case";
}

macro_rules! names {
    ($($type:ty, $wanted:literal: $($value:ident $name:literal)*;)*) => {$(
        impl Cell for $type {
            const WANTED: &'static str = $wanted;

            fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
                $(if bytes == $name { return Ok(Self::$value); })*
                Err(Flaw::Name)
            }

            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(match self { $(Self::$value => $name,)* });
            }
        }
    )*};
}

names! {
    LotSource, "signup, referral, admin_award, purchase, subscription, partner_allowance or adjustment":
        Signup b"signup" Referral b"referral" AdminAward b"admin_award" Purchase b"purchase"
        Subscription b"subscription" PartnerAllowance b"partner_allowance" Adjustment b"adjustment";
    Bucket, "awarded or purchased": Awarded b"awarded" Purchased b"purchased";
    BurnOrder, "awarded_first, purchased_only or purchased_first":
        AwardedFirst b"awarded_first" PurchasedOnly b"purchased_only" PurchasedFirst b"purchased_first";
    Rounding, "floor_then_largest_remainder": FloorThenLargestRemainder b"floor_then_largest_remainder";
    ReversalCause, "payment_refund or dispute_lost":
        PaymentRefund b"payment_refund" DisputeLost b"dispute_lost";
}

macro_rules! texts {
    ($($type:ty, $flaw:expr, $wanted:literal;)*) => {$(
        impl Cell for $type {
            const WANTED: &'static str = $wanted;

            fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
                let text = std::str::from_utf8(bytes).map_err(|_| Flaw::Form)?;
                text.parse().map_err(|_| $flaw)
            }

            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(self.as_str().as_bytes());
            }
        }
    )*};
}

texts! {
    DeploymentId, Flaw::Form, "12 lower-case letters and digits, the first a letter";
    CommitId, Flaw::Form, "40 or 64 hexadecimal digits in lower case";
    Currency, Flaw::Name, "an active code of ISO 4217, such as USD";
}

impl Cell for Reason {
    const WANTED: &'static str = "1 to 500 bytes of text without control characters, @, or blanks around it";

    fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
        let text = std::str::from_utf8(bytes).map_err(|_| Flaw::Form)?;
        let reason = Self::new(text).map_err(|_| Flaw::Form)?;
        // What is read must be what was hashed: nothing is trimmed away here.
        if reason.as_str() == text { Ok(reason) } else { Err(Flaw::Form) }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let text = self.as_str().as_bytes();
        if !text.contains(&b',') && !text.contains(&b'"') {
            return out.extend_from_slice(text);
        }
        out.push(b'"');
        for byte in text {
            if *byte == b'"' {
                out.push(b'"');
            }
            out.push(*byte);
        }
        out.push(b'"');
    }
}

impl Cell for Decimal {
    const WANTED: &'static str =
        "a decimal number with at most 28 digits, without an exponent or zeros at the end";

    fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
        let text = std::str::from_utf8(bytes).map_err(|_| Flaw::Form)?;
        let number = Self::from_str_exact(text).map_err(|_| Flaw::Form)?;
        if number.normalize().to_string() == text { Ok(number) } else { Err(Flaw::Form) }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.normalize().to_string().as_bytes());
    }
}

impl Cell for DateTime<Utc> {
    const WANTED: &'static str = "a time in UTC with six decimals such as 2026-10-01T08:00:00.250000Z";

    fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
        match <&[u8; 27]>::try_from(bytes) {
            Ok(bytes) => time(bytes).ok_or(Flaw::Form)?.ok_or(Flaw::Range),
            Err(_) => far_time(bytes),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let (date, time) = (self.date_naive(), self.time());
        match u64::try_from(date.year()) {
            Ok(year @ 0..=9_999) => put_digits(year, 4, out),
            _ => return out.extend_from_slice(self.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string().as_bytes()),
        }
        let parts = [
            (b'-', date.month()),
            (b'-', date.day()),
            (b'T', time.hour()),
            (b':', time.minute()),
            (b':', time.second()),
        ];
        for (mark, number) in parts {
            out.push(mark);
            put_digits(number.into(), 2, out);
        }
        out.push(b'.');
        put_digits(self.timestamp_subsec_micros().into(), 6, out);
        out.push(b'Z');
    }
}

/// A time of the years 0000 to 9999; `Some(None)` where the calendar has no such day or the day no such time.
fn time(bytes: &[u8; 27]) -> Option<Option<DateTime<Utc>>> {
    let [
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
        b'.',
        f @ ..,
        b'Z',
    ] = bytes
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u32, |sum, digit| {
            let digit = digit.wrapping_sub(b'0');
            if digit > 9 { None } else { Some(sum.wrapping_mul(10).wrapping_add(digit.into())) }
        })
    };
    let year = number(&[*y1, *y2, *y3, *y4])?;
    let (month, day) = (number(&[*m1, *m2])?, number(&[*d1, *d2])?);
    let (hour, minute, second) = (number(&[*h1, *h2])?, number(&[*n1, *n2])?, number(&[*s1, *s2])?);
    let micros = number(f)?;
    let date = i32::try_from(year).ok().and_then(|year| NaiveDate::from_ymd_opt(year, month, day));
    Some(
        date.and_then(|date| date.and_hms_micro_opt(hour, minute, second, micros)).map(|time| time.and_utc()),
    )
}

/// A time of another year, which has a sign and perhaps more digits.
#[cold]
fn far_time(bytes: &[u8]) -> Result<DateTime<Utc>, Flaw> {
    let text = std::str::from_utf8(bytes).map_err(|_| Flaw::Form)?;
    if !text.starts_with(['+', '-']) || text.len() > 40 {
        return Err(Flaw::Form);
    }
    let at: DateTime<Utc> = text.parse().map_err(|_| Flaw::Range)?;
    let mut written = Vec::new();
    at.write(&mut written);
    if written == bytes { Ok(at) } else { Err(Flaw::Form) }
}

/// A whole number without a sign or zeros before it.
fn digits(bytes: &[u8]) -> Result<u64, Flaw> {
    if bytes.is_empty() || (bytes.len() > 1 && bytes.starts_with(b"0")) {
        return Err(Flaw::Form);
    }
    append(0, bytes)
}

/// The number whose decimal digits are those of `number` and then these.
fn append(number: u64, digits: &[u8]) -> Result<u64, Flaw> {
    let mut number = Some(number);
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return Err(Flaw::Form);
        }
        number = number.and_then(|number| number.checked_mul(10)?.checked_add(digit.into()));
    }
    number.ok_or(Flaw::Range)
}

/// A decimal number times 10 to the power of `DECIMALS`.
fn decimal<const DECIMALS: usize>(bytes: &[u8]) -> Result<i64, Flaw> {
    let (negative, unsigned) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    let point = unsigned.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = match point.and_then(|point| unsigned.split_at_checked(point)) {
        Some((whole, [_, fraction @ ..])) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return Err(Flaw::Form),
        None => (unsigned, &[][..]),
    };
    let zeros = DECIMALS.checked_sub(fraction.len()).ok_or(Flaw::Form)?;
    if fraction.ends_with(b"0") {
        return Err(Flaw::Form);
    }
    let number = append(digits(whole)?, fraction)?;
    let scale = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000_u64];
    let scale = scale.get(zeros).copied().ok_or(Flaw::Form)?;
    let number = number.checked_mul(scale).ok_or(Flaw::Range)?;
    match (negative, number) {
        (true, 0) => Err(Flaw::Form),
        (true, number) => 0_i64.checked_sub_unsigned(number).ok_or(Flaw::Range),
        (false, number) => i64::try_from(number).map_err(|_| Flaw::Range),
    }
}

fn put_decimal<const DECIMALS: u32>(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    let scale = 10_u64.saturating_pow(DECIMALS);
    let number = number.unsigned_abs();
    let (whole, mut fraction) =
        (number.checked_div(scale).unwrap_or(0), number.checked_rem(scale).unwrap_or(0));
    put_digits(whole, 1, out);
    if fraction == 0 {
        return;
    }
    let mut width = DECIMALS as usize;
    while fraction.is_multiple_of(10) {
        fraction = fraction.wrapping_div(10);
        width = width.saturating_sub(1);
    }
    out.push(b'.');
    put_digits(fraction, width, out);
}

/// Appends a number in at least so many digits.
fn put_digits(mut number: u64, width: usize, out: &mut Vec<u8>) {
    let mut buffer = [b'0'; 20];
    let mut used = 0_usize;
    for place in buffer.iter_mut().rev() {
        if number == 0 {
            break;
        }
        *place = b"0123456789".get((number % 10) as usize).copied().unwrap_or(b'0');
        number /= 10;
        used = used.saturating_add(1);
    }
    let begin = buffer.len().saturating_sub(used.max(width));
    out.extend_from_slice(buffer.get(begin..).unwrap_or_default());
}

/// So many bytes from twice as many digits.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    let mut all = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (nibble(*high), nibble(*low));
        all |= high | low;
        *byte = high.wrapping_shl(4) | low;
    }
    (all < 16).then_some(bytes)
}

/// What a hexadecimal digit in lower case stands for; 255 for what is none.
const fn nibble(digit: u8) -> u8 {
    let (number, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
    if number < 10 {
        number
    } else if letter < 6 {
        letter.wrapping_add(10)
    } else {
        u8::MAX
    }
}

/// 16 bytes from 32 digits with hyphens where RFC 9562 puts them.
fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    const PAIRS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    let text = <&[u8; 36]>::try_from(text).ok()?;
    if [8, 13, 18, 23].iter().any(|place| text.get(*place) != Some(&b'-')) {
        return None;
    }
    let mut bytes = [0; 16];
    let mut all = 0;
    for (byte, place) in bytes.iter_mut().zip(PAIRS) {
        let (high, low) = (nibble(*text.get(place)?), nibble(*text.get(place.saturating_add(1))?));
        all |= high | low;
        *byte = high.wrapping_shl(4) | low;
    }
    (all < 16).then_some(bytes)
}

fn put_hex(bytes: &[u8], out: &mut Vec<u8>) {
    let digit = |nibble: u8| b"0123456789abcdef".get(usize::from(nibble)).copied().unwrap_or(b'0');
    for byte in bytes {
        out.push(digit(byte.wrapping_shr(4)));
        out.push(digit(byte & 15));
    }
}
