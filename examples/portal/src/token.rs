//! Secrets that a browser holds: of a session, and the proof in its forms that they came from our own page.

use std::fmt;

use rad_core::source::Digest;
use subtle::ConstantTimeEq;

/// 256 random bits in a cookie.
#[derive(Clone)]
pub(crate) struct Token([u8; 32]);

impl Token {
    /// A fresh token from the operating system's randomness.
    ///
    /// # Errors
    /// If the machine gives none.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The token that a cookie holds.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.parse::<Digest>().ok().map(|digest| Self(*digest.as_bytes()))
    }

    /// The text for the cookie.
    pub(crate) fn reveal(&self) -> String {
        Digest::from_bytes(self.0).to_string()
    }

    /// What the session store knows the token by.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// What forms carry to prove that they came from a page shown to the holder of this token.
    pub(crate) fn form_proof(&self) -> String {
        let mut bytes = b"form".to_vec();
        bytes.extend_from_slice(&self.0);
        Digest::of(&bytes).to_string()
    }

    /// Whether `proof` is the one of this token, compared in constant time.
    pub(crate) fn accepts(&self, proof: &str) -> bool {
        self.form_proof().as_bytes().ct_eq(proof.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_takes_only_its_own_proof_and_shows_itself_nowhere() {
        let (one, two) = (Token::random().unwrap(), Token::random().unwrap());
        assert!(one.accepts(&one.form_proof()));
        assert!(!one.accepts(&two.form_proof()));
        assert!(!one.accepts(&one.reveal()) && !one.accepts(""));
        assert_eq!(Token::parse(&one.reveal()).unwrap().digest(), one.digest());
        assert!(Token::parse("abc").is_none());
        assert!(!format!("{one:?}").contains(&one.reveal()[..8]));
        assert_ne!(one.form_proof(), one.digest().to_string());
    }
}
