//! Passwords of administrators: what is taken, how it is stored, how it is checked.

use crate::failure::no_random_numbers;
use crate::resource::Failure;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Argon2, PasswordHash};
use pbx::language::Text;
use pbx::text;
use std::collections::BTreeSet;
use store::password::weakness;
use tokio::sync::Mutex;

const CHARS_MIN: usize = 10;
/// Nobody types more, and hashing has a price. Unit: octets.
const BYTES_MAX: usize = 1024;
/// Fewer different characters are a pattern.
const DIFFERENT_MIN: usize = 5;

/// Hashes one password at a time: each takes 19 MiB and tens of milliseconds, which calls would miss.
#[derive(Debug, Default)]
pub struct Hasher {
    turn: Mutex<()>,
}

impl Hasher {
    /// Argon2id with a salt of its own, in the PHC string format.
    pub async fn hash(&self, password: String) -> Result<String, Failure> {
        self.run(move || hashed(&password)).await?
    }

    /// Takes as long where there is nobody to compare with: the time tells no names.
    pub(super) async fn is_right(
        &self,
        password: String,
        stored: Option<String>,
    ) -> Result<bool, Failure> {
        self.run(move || match stored {
            Some(stored) => {
                Argon2::default().verify_password(password.as_bytes(), &*stored).is_ok()
            }
            None => hashed(&password).is_err(),
        })
        .await
    }

    /// A key made of a password, the same with the same salt.
    pub(crate) async fn derive(&self, password: String, salt: String) -> Result<[u8; 32], Failure> {
        let derived = self.run(move || {
            let mut key = [0; 32];
            let made = Argon2::default().hash_password_into(
                password.as_bytes(),
                salt.as_bytes(),
                &mut key,
            );
            made.map(|()| key).map_err(|error| error.to_string())
        });
        derived.await?.map_err(|error| Failure::new(500, "fault", Text::same(error)))
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let _one_at_a_time = self.turn.lock().await;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Failure::new(500, "fault", Text::same(error.to_string())))
    }
}

fn hashed(password: &str) -> Result<String, Failure> {
    let hash: Result<PasswordHash, _> = Argon2::default().hash_password(password.as_bytes());
    // With the usual parameters and a text of this length it fails for want of random numbers only.
    hash.map(|it| it.to_string())
        .map_err(|error| Failure::new(500, "random", no_random_numbers(error)))
}

/// Refuses what is guessed first.
pub fn check(name: &str, password: &str) -> Result<(), Failure> {
    let refused = |what| Err(Failure::new(422, "weak_password", what).at("password"));
    if password.chars().count() < CHARS_MIN {
        return refused(text!(
            "The password is shorter than {CHARS_MIN} characters.",
            "密码少于{CHARS_MIN}个字符。"
        ));
    }
    if password.len() > BYTES_MAX {
        return refused(text!(
            "The password is longer than {BYTES_MAX} bytes.",
            "密码超过{BYTES_MAX}字节。"
        ));
    }
    if let Some(weakness) = weakness(&name.to_ascii_lowercase(), password) {
        return refused(weakness.text());
    }
    if password.chars().collect::<BTreeSet<_>>().len() < DIFFERENT_MIN {
        return refused(text!(
            "The password has fewer than {DIFFERENT_MIN} different characters.",
            "密码中不同的字符少于{DIFFERENT_MIN}个。"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn strength_table() {
        #[rustfmt::skip]
        let table = [
            ("ann", "correct horse",   true),
            ("ann", "好的密码要足够长才行吧", true),
            ("ann", "k7mfx2pqa",       false),
            ("ann", "1234567890",      false),
            ("ann", "aaaaaaaaaaaa",    false),
            ("ann", "ababababababab",  false),
            ("administrator", "Administrator1", false),
            ("ann", "administrator",   false),
        ];
        for (name, password, good) in table {
            assert_eq!(check(name, password).is_ok(), good, "{name} {password}");
        }
        assert!(check("ann", &"correct horse ".repeat(100)).is_err());
    }

    #[tokio::test]
    async fn only_the_right_one_is_right() {
        let hasher = Hasher::default();
        let stored = hasher.hash("correct horse".to_owned()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        let is_right = async |password: &str, stored: Option<&str>| {
            hasher.is_right(password.to_owned(), stored.map(str::to_owned)).await.unwrap()
        };
        assert!(is_right("correct horse", Some(&stored)).await);
        assert!(!is_right("correct house", Some(&stored)).await);
        assert!(!is_right("correct horse", None).await);
        assert!(!is_right("", Some("")).await);
    }
}
