//! Money in micros of a currency, and what use of a machine costs. Whole numbers only: a price times
//! a time is rounded once, where it becomes a line of an invoice, and an invoice's total once more,
//! to what the currency can pay.
//!
//! Rounding is half to even (IEEE 754, section 4.3.1), so that it leans to nobody's side.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Micros of one unit of a currency.
pub const MICROS: i64 = 1_000_000;
/// Microseconds of an hour, which prices are for.
pub const HOUR_MICROSECONDS: i128 = 3_600_000_000;
/// The highest price of a GPU for an hour, in micros: a million units of the currency.
pub const PRICE_MAX_MICROS: i64 = 1_000_000 * MICROS;
/// The largest amount that one request may move, in micros: a thousand million units.
pub const AMOUNT_MAX_MICROS: i64 = 1_000_000_000 * MICROS;

/// A currency that money is paid in (ISO 4217), its code three capital letters on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

/// Why a text is no currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the code of a currency that can be paid in (ISO 4217)")]
pub struct NotACurrency;

impl Currency {
    /// What accounts are kept in where nobody said otherwise.
    pub const DEFAULT: Self = Self(iso_currency::Currency::USD);

    /// Digits of the smallest amount that can be paid: 2 for USD, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }

    /// The smallest amount that can be paid, in micros.
    pub fn minor_unit_micros(self) -> i64 {
        MICROS / 10_i64.pow(self.exponent().min(6))
    }

    /// The code.
    pub fn code(self) -> &'static str {
        self.0.code()
    }
}

impl FromStr for Currency {
    type Err = NotACurrency;

    fn from_str(code: &str) -> Result<Self, NotACurrency> {
        let known = iso_currency::Currency::from_code(code).ok_or(NotACurrency)?;
        // Metals, funds and the codes for tests have no smallest amount; finer ones than micros
        // cannot be counted.
        let payable = known.exponent().is_some_and(|digits| digits <= 6);
        payable.then_some(Self(known)).ok_or(NotACurrency)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        code.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount, as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    pub amount_micros: i64,
    pub currency: Currency,
}

impl fmt::Display for Money {
    /// Such as `USD 12.340000`, every micro of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.amount_micros < 0 { "-" } else { "" };
        let (micros, unit) = (self.amount_micros.unsigned_abs(), MICROS.unsigned_abs());
        let (whole, rest) = (micros / unit, micros % unit);
        write!(f, "{} {sign}{whole}.{rest:06}", self.currency)
    }
}

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an amount is a currency and a number with at most six decimals, such as USD 2.50")]
pub struct NotMoney;

impl FromStr for Money {
    type Err = NotMoney;

    /// Reads what [`Money`] displays, with fewer decimals or none as well.
    fn from_str(text: &str) -> Result<Self, NotMoney> {
        let (code, number) = text.split_once(' ').ok_or(NotMoney)?;
        let (minus, digits) = match number.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", number),
        };
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(decimals) || decimals.len() > 6 {
            return Err(NotMoney);
        }
        let micros = format!("{minus}{whole}{decimals:0<6}");
        Ok(Self {
            amount_micros: micros.parse().map_err(|_| NotMoney)?,
            currency: code.parse().map_err(|NotACurrency| NotMoney)?,
        })
    }
}

/// More than can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the amount is too large to be counted in micros")]
pub struct TooMuch;

/// What some use costs, in micros: `gpu_microseconds` GPUs times microseconds, at a price for one
/// GPU and hour. Negative where use is taken back.
pub fn charge(gpu_microseconds: i128, price_micros: i64) -> Result<i64, TooMuch> {
    let product = gpu_microseconds.checked_mul(price_micros.into());
    micros(product.ok_or(TooMuch)?)
}

/// What micros an hour times microseconds come to, in micros.
pub fn micros(product: i128) -> Result<i64, TooMuch> {
    i64::try_from(half_even(product, HOUR_MICROSECONDS)).map_err(|_| TooMuch)
}

/// An amount rounded to what the currency can pay.
pub fn payable(amount_micros: i64, currency: Currency) -> Result<i64, TooMuch> {
    let unit = currency.minor_unit_micros();
    let units = half_even(amount_micros.into(), unit.into());
    i64::try_from(units * i128::from(unit)).map_err(|_| TooMuch)
}

/// `numerator / denominator`, which is positive, to the nearest whole number, to the even one of two
/// that are as near.
fn half_even(numerator: i128, denominator: i128) -> i128 {
    let (quotient, rest) = (
        numerator.div_euclid(denominator),
        numerator.rem_euclid(denominator),
    );
    match (rest * 2).cmp(&denominator) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + quotient.rem_euclid(2),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn halves_go_to_the_even_side() {
        for (numerator, rounded) in [(-5, -2), (-3, -2), (-1, 0), (1, 0), (3, 2), (5, 2), (7, 4)] {
            assert_eq!(half_even(numerator, 2), rounded, "{numerator}/2");
        }
    }

    #[test]
    fn totals_can_be_paid() {
        for (code, amount, paid) in [
            ("USD", 1_234_567, 1_230_000),
            ("USD", 1_235_000, 1_240_000),
            ("USD", 1_245_000, 1_240_000),
            ("JPY", 1_500_000, 2_000_000),
            ("JPY", 2_500_000, 2_000_000),
            ("KWD", 1_234_567, 1_235_000),
            ("USD", -1_235_000, -1_240_000),
        ] {
            let currency: Currency = code.parse().expect("a currency");
            assert_eq!(payable(amount, currency), Ok(paid), "{amount} {code}");
        }
    }

    #[test]
    fn amounts_read_as_people_write_them() {
        let currency = Currency::DEFAULT;
        for (amount_micros, text) in [
            (12_340_000, "USD 12.340000"),
            (-1, "USD -0.000001"),
            (0, "USD 0.000000"),
        ] {
            let money = Money {
                amount_micros,
                currency,
            };
            assert_eq!(money.to_string(), text);
            assert_eq!(text.parse(), Ok(money));
        }
        for (text, micros) in [
            ("USD 2.5", 2_500_000),
            ("JPY 7", 7_000_000),
            ("USD -0.1", -100_000),
        ] {
            assert_eq!(
                text.parse::<Money>().map(|money| money.amount_micros),
                Ok(micros),
                "{text}"
            );
        }
        for bad in [
            "",
            "USD",
            "2.50",
            "USD ",
            "USD .5",
            "USD 1.",
            "USD 1.0000001",
            "USD +1",
            "USD 1e3",
            "XXX 1",
            "USD 99999999999999999999",
            "USD  1",
        ] {
            assert_eq!(bad.parse::<Money>(), Err(NotMoney), "{bad}");
        }
    }

    #[test]
    fn only_what_can_be_paid_in_is_a_currency() {
        for code in ["", "usd", "US", "XAU", "XXX", "XTS", "ABC", "USDT"] {
            assert_eq!(code.parse::<Currency>(), Err(NotACurrency), "{code}");
        }
        assert_eq!(Currency::DEFAULT.minor_unit_micros(), 10_000);
    }

    proptest! {
        #[test]
        fn a_charge_is_the_nearest_micro(use_ in -1_000_000_000_000_000_i128..1_000_000_000_000_000, price in 0..PRICE_MAX_MICROS) {
            if let Ok(charged) = charge(use_, price) {
                let error = i128::from(charged) * HOUR_MICROSECONDS - use_ * i128::from(price);
                prop_assert!(error.abs() * 2 <= HOUR_MICROSECONDS);
                prop_assert_eq!(charge(-use_, price), Ok(-charged));
            }
        }

        #[test]
        fn a_total_is_within_half_of_the_smallest_amount(amount in -AMOUNT_MAX_MICROS..AMOUNT_MAX_MICROS) {
            for code in ["USD", "JPY", "KWD"] {
                let currency: Currency = code.parse().expect("a currency");
                let (paid, unit) = (payable(amount, currency).expect("it fits"), currency.minor_unit_micros());
                prop_assert_eq!(paid % unit, 0);
                prop_assert!((paid - amount).abs() * 2 <= unit);
            }
        }
    }
}
