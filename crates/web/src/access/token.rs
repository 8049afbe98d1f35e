//! Random secrets and the hashes that are stored in their place.

use crate::failure::no_random_numbers;
use crate::resource::Failure;
use sha2::{Digest as _, Sha256};

/// Of sessions and keys.
pub(super) const SECRET_BYTES: usize = 32;
/// Of their names, which people read.
pub(super) const ID_BYTES: usize = 6;

/// So many random bytes in hexadecimal digits.
pub(super) fn random(bytes: usize) -> Result<String, Failure> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random)
        .map_err(|error| Failure::new(500, "random", no_random_numbers(error)))?;
    Ok(hex(&random))
}

/// What is stored of a secret. It has 256 bits of chance: nobody finds it by trying, so a fast hash will do.
pub(super) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// Follows from the session's token and does not lead back to it.
pub(super) fn csrf(token: &str) -> String {
    hex(&Sha256::digest(format!("csrf {token}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn secrets_differ_and_so_do_what_follows_from_them() {
        let (one, two) = (random(SECRET_BYTES).unwrap(), random(SECRET_BYTES).unwrap());
        assert_eq!(one.len(), 2 * SECRET_BYTES);
        assert_ne!(one, two);
        assert_ne!(csrf(&one), csrf(&two));
        assert_ne!(csrf(&one), hex(&hash(&one)));
    }
}
