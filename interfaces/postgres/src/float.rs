//! Floating point numbers as the contract has them: mantissa, exponent of two, sign.
//!
//! A number is `sign × mantissa × 2^exponent`. Numbers are taken apart as Rust's `integer_decode` once did: zero has mantissa 0 and
//! keeps its sign; infinity is the power of two past the largest number; NaN is the same exponent with further bits set in the
//! mantissa, and its sign and payload are lost. So every number comes back as it was, and every NaN as a NaN.

/// The WIT's `hashable-f64` and `hashable-f32`.
pub type Hashable = (u64, i16, i8);

/// Exponent of infinity and NaN in double precision: the field's 2047, less bias and mantissa's bits.
const F64_SPECIAL: i16 = 2_047 - 1_075;

/// The same in single precision.
const F32_SPECIAL: i16 = 255 - 150;

/// Past this every mantissa of 64 bits is zero or infinite, in either direction; its half is an ordinary number's exponent.
const EXPONENT_MAX: i32 = 2_000;

/// Takes a number apart.
pub fn from_f64(number: f64) -> Hashable {
    let bits = number.to_bits();
    let exponent = i16::try_from((bits >> 52) & 0x7ff).expect("11 bits");
    let fraction = bits & ((1 << 52) - 1);
    let mantissa = if exponent == 0 { fraction << 1 } else { fraction | 1 << 52 };
    (mantissa, exponent - 1_075, sign(number.is_sign_negative()))
}

/// Takes a number of single precision apart.
pub fn from_f32(number: f32) -> Hashable {
    let bits = number.to_bits();
    let exponent = i16::try_from((bits >> 23) & 0xff).expect("8 bits");
    let fraction = u64::from(bits & ((1 << 23) - 1));
    let mantissa = if exponent == 0 { fraction << 1 } else { fraction | 1 << 23 };
    (mantissa, exponent - 150, sign(number.is_sign_negative()))
}

/// Puts a number together; what lies between two numbers becomes the nearer one. None where the sign is neither 1 nor -1.
pub fn to_f64((mantissa, exponent, sign): Hashable) -> Option<f64> {
    if !matches!(sign, 1 | -1) {
        return None;
    }
    if exponent == F64_SPECIAL && mantissa >> 52 == 1 && mantissa != 1 << 52 {
        return Some(f64::NAN);
    }
    #[expect(clippy::cast_precision_loss, reason = "mantissas that were taken apart have 53 bits")]
    let magnitude = scaled(mantissa as f64, i32::from(exponent));
    Some(if sign < 0 { -magnitude } else { magnitude })
}

/// Puts a number of single precision together.
pub fn to_f32((mantissa, exponent, sign): Hashable) -> Option<f32> {
    if exponent == F32_SPECIAL && mantissa >> 23 == 1 && mantissa != 1 << 23 {
        return matches!(sign, 1 | -1).then_some(f32::NAN);
    }
    #[expect(clippy::cast_possible_truncation, reason = "to the nearest is what is wanted")]
    to_f64((mantissa, exponent, sign)).map(|number| number as f32)
}

/// In two steps, because the power alone may be too small for a number where the product is not.
fn scaled(number: f64, exponent: i32) -> f64 {
    let exponent = exponent.clamp(-EXPONENT_MAX, EXPONENT_MAX);
    let half = exponent / 2;
    number * power_of_two(half) * power_of_two(exponent - half)
}

fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(u64::try_from(exponent + 1_023).expect("half of the largest exponent") << 52)
}

fn sign(negative: bool) -> i8 {
    if negative { -1 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_apart_as_integer_decode_does() {
        assert_eq!(from_f64(1.0), (1 << 52, -52, 1));
        assert_eq!(from_f64(-0.0), (0, -1_075, -1));
        assert_eq!(from_f64(f64::INFINITY), (1 << 52, 972, 1));
        assert_eq!(from_f32(-2.5), (10_485_760, -22, -1));
        assert_eq!(from_f32(f32::NEG_INFINITY), (1 << 23, 105, -1));
    }

    #[test]
    fn odd_numbers_are_put_together_or_refused() {
        assert_eq!(to_f64((5, 1, -1)), Some(-10.0));
        assert_eq!(to_f64((0, i16::MAX, 1)), Some(0.0));
        assert_eq!(to_f64((1, i16::MAX, 1)), Some(f64::INFINITY));
        assert_eq!(to_f64((u64::MAX, i16::MIN, 1)), Some(0.0));
        assert_eq!((to_f64((1, 0, 0)), to_f32((1, 0, 3))), (None, None));
        assert!(to_f64(from_f64(f64::NAN)).is_some_and(f64::is_nan));
        assert!(to_f32(from_f32(f32::NAN)).is_some_and(f32::is_nan));
    }
}
