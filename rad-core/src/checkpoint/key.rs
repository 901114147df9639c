//! The key that signs checkpoints, and the one that checks them.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature as Ed25519Signature, Signer, SigningKey as Ed25519Key, VerifyingKey};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::id::ParseIdError;

/// The key that signs checkpoints (Ed25519, RFC 8032). Its memory is overwritten when it is dropped.
pub struct SigningKey(Ed25519Key);

impl SigningKey {
    /// The key made from 32 secret bytes, written as 64 hexadecimal digits: as they stand in a file or an environment
    /// variable. White space around them is left out.
    ///
    /// # Errors
    /// [`NotAKey`] unless it is that.
    pub fn from_hex(secret: &SecretString) -> Result<Self, NotAKey> {
        let bytes = Zeroizing::new(unhex(secret.expose_secret().trim()).ok_or(NotAKey)?);
        Ok(Self(Ed25519Key::from_bytes(&bytes)))
    }

    /// What others check signatures of this key by.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> Signature {
        Signature(self.0.sign(bytes).to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {})", self.public())
    }
}

/// A secret that is no key. It does not say what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key for checkpoints is not 64 hexadecimal digits: make one with `openssl rand -hex 32`")]
pub struct NotAKey;

/// Whom a checkpoint is signed by: an Ed25519 public key, printed as 64 lower-case hexadecimal digits.
///
/// ```
/// use rad_core::checkpoint::SigningKey;
///
/// let key = SigningKey::from_hex(&"07".repeat(32).into())?;
/// assert!(key.public().to_string().starts_with("ea4a6c63e29c520a"));
/// # Ok::<(), rad_core::checkpoint::NotAKey>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

/// An Ed25519 signature, printed as 128 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl PublicKey {
    /// Whether the signature is this key's over these bytes. Keys and signatures that several messages could share are
    /// refused.
    pub(super) fn is_by(&self, signature: &Signature, bytes: &[u8]) -> bool {
        let signature = Ed25519Signature::from_bytes(&signature.0);
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| key.verify_strict(bytes, &signature).is_ok())
    }
}

/// Fixed bytes that are written in hexadecimal digits.
macro_rules! hexadecimal {
    ($type:ident, $length:literal) => {
        impl $type {
            /// The one with these bytes, which need not be valid: checking a signature tells.
            pub const fn from_bytes(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self)
            }
        }

        impl FromStr for $type {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                unhex(text).map(Self).ok_or_else(|| ParseIdError::new(stringify!($type), text))
            }
        }

        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hexadecimal!(PublicKey, 32);
hexadecimal!(Signature, 64);

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N.checked_mul(2)? {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_shown_nowhere() {
        let secret = "0123456789abcdef".repeat(4);
        let key = SigningKey::from_hex(&secret.clone().into()).unwrap();
        assert!(!format!("{key:?}").contains(&secret));
        let wrong = SigningKey::from_hex(&secret.replace('f', "g").into()).unwrap_err();
        assert!(!wrong.to_string().contains("01234"), "{wrong}");
    }

    /// RFC 8032, section 7.1, test 2.
    #[test]
    fn it_signs_as_the_standard_does() {
        let secret = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        let key = SigningKey::from_hex(&secret.to_owned().into()).unwrap();
        assert_eq!(key.public().to_string(), public);
        assert_eq!(key.sign(&[0x72]).to_string(), signature);
        assert!(key.public().is_by(&key.sign(&[0x72]), &[0x72]));
        assert!(!key.public().is_by(&key.sign(&[0x72]), &[0x73]));
    }
}
