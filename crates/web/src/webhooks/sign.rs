//! The headers that prove where a message comes from (Standard Webhooks 1.0).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What a secret begins with, as people see it.
pub(super) const PREFIX: &str = "whsec_";
/// Of a secret that is made here.
const SECRET_BYTES: usize = 32;
/// Of a secret that somebody brings along.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A new secret.
pub(super) fn generate() -> Result<String, getrandom::Error> {
    let mut random = [0; SECRET_BYTES];
    getrandom::fill(&mut random)?;
    Ok(format!("{PREFIX}{}", STANDARD.encode(random)))
}

/// The octets of a secret; `None` where it is none.
pub(super) fn key(secret: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    BYTES.contains(&key.len()).then_some(key)
}

/// `webhook-signature` of a message by each of the secrets.
pub(super) fn signature(secrets: &[&str], id: &str, timestamp: u64, body: &str) -> String {
    let one = |secret: &&str| {
        // An HMAC takes a key of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&key(secret)?).ok()?;
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    };
    secrets.iter().filter_map(one).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn the_known_message_has_its_known_signature() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed = signature(
            &[secret],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_secrets_sign_while_one_takes_the_place_of_the_other() {
        let (one, two) = (generate().unwrap(), generate().unwrap());
        let both = signature(&[&one, &two], "1-1", 1, "{}");
        let each = [&one, &two].map(|it| signature(&[it], "1-1", 1, "{}"));
        assert_eq!(both, each.join(" "));
        assert_ne!(each[0], each[1]);
    }

    #[test]
    fn secret_table() {
        let table = [
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false),
            ("whsec_c2hvcnQ=", false),
            ("whsec_", false),
            ("whsec_not base64 at all, is it now?", false),
        ];
        for (secret, valid) in table {
            assert_eq!(key(secret).is_some(), valid, "{secret}");
        }
    }
}
