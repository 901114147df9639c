//! A writer of canonical bytes from the columns of the CSV, after `FORMAT.md` alone: text in, bytes out, nothing of the
//! crate's own.

use std::collections::HashMap;

use chrono::DateTime;
use rust_decimal::Decimal;

/// The canonical bytes of the entry in a row.
pub(super) fn canonical(row: &HashMap<String, String>) -> Vec<u8> {
    let mut bytes = Bytes { row, out: Vec::new() };
    bytes.hex("account");
    bytes.whole("seq");
    bytes.time("at");
    bytes.hex("key");
    bytes.option("actor", |bytes| bytes.hex("actor"));
    bytes.kind();
    bytes.out
}

struct Bytes<'a> {
    row: &'a HashMap<String, String>,
    out: Vec<u8>,
}

impl<'a> Bytes<'a> {
    fn text(&self, column: &str) -> &'a str {
        &self.row[column]
    }

    fn kind(&mut self) {
        let kinds = [
            "grant",
            "hold",
            "capture",
            "release",
            "refund",
            "freeze",
            "unfreeze",
            "reversal",
            "expiry",
            "project_debit",
            "adjustment",
            "share_rules",
        ];
        let kind = kinds.iter().position(|kind| *kind == self.text("kind")).unwrap();
        self.out.push(kind as u8 + 1);
        match kinds[kind] {
            "grant" => self.grant(),
            "hold" => {
                self.micros("credits");
                self.code("burn", &["awarded_first", "purchased_only", "purchased_first"], 0);
                self.option("expires", |bytes| bytes.time("expires"));
                self.option("deployment", |bytes| bytes.ascii("deployment"));
                self.option("module", |bytes| bytes.hex("module"));
            }
            "capture" => {
                self.whole("hold");
                self.micros("credits");
                self.ascii("deployment");
                self.terms();
            }
            "release" => self.whole("hold"),
            "refund" => {
                self.whole("charge");
                self.micros("credits");
                self.long_text("reason");
            }
            "reversal" => {
                self.whole("lot");
                self.micros("credits");
                self.code("cause", &["payment_refund", "dispute_lost"], 1);
            }
            "project_debit" => {
                self.micros("credits");
                self.hex("project");
                self.option("deployment", |bytes| bytes.ascii("deployment"));
            }
            "adjustment" => {
                self.code("bucket", &["awarded", "purchased"], 1);
                self.micros("credits");
                self.long_text("reason");
            }
            "share_rules" => self.share_rules(),
            _ => self.whole("lot"),
        }
    }

    fn grant(&mut self) {
        let sources = [
            "signup",
            "referral",
            "admin_award",
            "purchase",
            "subscription",
            "partner_allowance",
            "adjustment",
        ];
        self.code("source", &sources, 1);
        self.code("bucket", &["awarded", "purchased"], 1);
        self.micros("credits");
        self.micros("cost");
        self.option("paid_amount", |bytes| {
            bytes.micros("paid_amount");
            bytes.ascii("paid_currency");
            let rate: Decimal = bytes.text("paid_rate").parse().unwrap();
            bytes.out.extend(rate.mantissa().to_be_bytes());
            bytes.out.extend(rate.scale().to_be_bytes());
        });
        self.option("expires", |bytes| bytes.time("expires"));
        self.option("reference", |bytes| bytes.hex("reference"));
    }

    fn terms(&mut self) {
        self.hex("module");
        self.long_text("commit");
        self.option("publisher", |bytes| bytes.hex("publisher"));
        self.option("agent", |bytes| bytes.hex("agent"));
        self.hundredths::<2>("partner_share");
        self.hundredths::<2>("agent_share");
        self.version();
        self.basis();
        self.ascii("currency");
        self.code("rounding", &["floor_then_largest_remainder"], 1);
    }

    fn share_rules(&mut self) {
        self.version();
        self.time("effective");
        self.ascii("currency");
        self.hundredths::<2>("partner_share");
        self.hundredths::<2>("agent_share");
        let overrides: Vec<&str> = self.text("overrides").split_whitespace().collect();
        self.out.extend((overrides.len() as u64).to_be_bytes());
        for (partner, share) in overrides.iter().map(|own| own.split_once(':').unwrap()) {
            self.put_hex(partner);
            self.put_hundredths::<2>(share);
        }
        self.basis();
        self.code("rounding", &["floor_then_largest_remainder"], 1);
    }

    fn basis(&mut self) {
        self.code("basis", &["lot_cost", "credits_per_unit"], 0);
        if !self.text("unit_price").is_empty() {
            self.hundredths::<4>("unit_price");
        }
        self.option("allowance_earns", |bytes| bytes.hundredths::<4>("allowance_earns"));
    }

    fn option(&mut self, column: &str, write: impl FnOnce(&mut Self)) {
        let present = !self.text(column).is_empty();
        self.out.push(present.into());
        if present {
            write(self);
        }
    }

    fn code(&mut self, column: &str, names: &[&str], first: u8) {
        let place = names.iter().position(|name| *name == self.text(column)).unwrap();
        self.out.push(place as u8 + first);
    }

    fn hex(&mut self, column: &str) {
        self.put_hex(self.text(column));
    }

    fn put_hex(&mut self, text: &str) {
        let digits = text.replace('-', "");
        self.out.extend(u128::from_str_radix(&digits, 16).unwrap().to_be_bytes());
    }

    fn whole(&mut self, column: &str) {
        let number: u64 = self.text(column).parse().unwrap();
        self.out.extend(number.to_be_bytes());
    }

    fn version(&mut self) {
        let number: u32 = self.text("rule_version").parse().unwrap();
        self.out.extend(number.to_be_bytes());
    }

    fn micros(&mut self, column: &str) {
        self.out.extend((decimal(self.text(column), 6) as i64).to_be_bytes());
    }

    fn hundredths<const BYTES: usize>(&mut self, column: &str) {
        self.put_hundredths::<BYTES>(self.text(column));
    }

    fn put_hundredths<const BYTES: usize>(&mut self, text: &str) {
        let bytes = decimal(text, 2).to_be_bytes();
        self.out.extend(&bytes[bytes.len() - BYTES..]);
    }

    fn time(&mut self, column: &str) {
        let at = DateTime::parse_from_rfc3339(self.text(column)).unwrap();
        self.out.extend(at.timestamp_micros().to_be_bytes());
    }

    fn ascii(&mut self, column: &str) {
        self.out.extend(self.row[column].bytes());
    }

    fn long_text(&mut self, column: &str) {
        self.out.extend((self.text(column).len() as u64).to_be_bytes());
        self.ascii(column);
    }
}

/// A decimal number without its point, with so many digits behind it.
fn decimal(text: &str, digits: usize) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<digits$}").parse().unwrap()
}
