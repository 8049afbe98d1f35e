//! Passwords of extensions: made well, and weak ones refused with a reason.

use pbx::language::Text;
use pbx::text;
use zeroize::Zeroizing;

/// Length of a generated password: 59 bits of chance.
const GENERATED_CHARS: usize = 12;
/// Small letters and digits, without those that look alike: typed on the keys of a desk phone.
const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// Shorter ones are weak.
const CHARS_MIN: usize = 8;
/// Longer ones do not fit the phones.
const CHARS_MAX: usize = 64;
/// Those that password crackers of SIP servers try first, beside the number itself.
const COMMON: &[&str] = &[
    "password",
    "passw0rd",
    "asterisk",
    "freeswitch",
    "dialtone",
    "changeme",
    "letmein",
    "welcome",
    "qwertyui",
    "qwerty123",
    "admin123",
    "administrator",
    "default",
    "extension",
    "telephone",
    "voip1234",
    "test1234",
    "abcd1234",
    "1q2w3e4r",
    "iloveyou",
    "11223344",
    "88888888",
    "a1b2c3d4",
];

/// A password as it may be stored: checked, and marked where it is weak.
#[derive(Clone)]
pub struct NewPassword {
    text: Zeroizing<String>,
    weak: bool,
}

impl std::fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewPassword(..)")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("{}", .0.text().en)]
    Weak(Weakness),
    #[error("a password has 1 to {CHARS_MAX} printable ASCII characters and no space")]
    Unusable,
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// Why a password is guessed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    EqualsNumber,
    TooShort,
    AllSame,
    Sequence,
    Common,
}

impl Weakness {
    pub fn text(self) -> Text {
        match self {
            Self::EqualsNumber => {
                text!("The password contains little more than the number.", "密码与号码几乎相同。")
            }
            Self::TooShort => {
                text!("The password is shorter than 8 characters.", "密码少于8个字符。")
            }
            Self::AllSame => {
                text!("The password repeats one character.", "密码由同一个字符重复组成。")
            }
            Self::Sequence => text!(
                "The password is a sequence such as 12345678.",
                "密码是连续字符，例如12345678。"
            ),
            Self::Common => text!(
                "The password is one of those that are tried first.",
                "密码属于最常被猜测的密码。"
            ),
        }
    }
}

impl NewPassword {
    /// A fresh random one.
    pub fn generate() -> Result<Self, PasswordError> {
        let mut text = Zeroizing::new(String::with_capacity(GENERATED_CHARS));
        // Above this a byte would prefer the first letters of the alphabet.
        let fair = u8::MAX - u8::MAX % 31;
        const { assert!(ALPHABET.len() == 31) };
        while text.len() < GENERATED_CHARS {
            let mut bytes = [0; GENERATED_CHARS];
            getrandom::fill(&mut bytes).map_err(PasswordError::Random)?;
            let wanted = GENERATED_CHARS - text.len();
            let fair = bytes.iter().filter(|&&byte| byte < fair).take(wanted);
            text.extend(fair.map(|&byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])));
        }
        Ok(Self { text, weak: false })
    }

    /// A chosen password for this number; a weak one is refused.
    pub fn checked(number: &str, text: &str) -> Result<Self, PasswordError> {
        let password = Self::allow_weak(number, text)?;
        match weakness(number, text) {
            Some(weakness) => Err(PasswordError::Weak(weakness)),
            None => Ok(password),
        }
    }

    /// A chosen password that may be weak: then it is marked so, and accepted from private
    /// sources only.
    pub fn allow_weak(number: &str, text: &str) -> Result<Self, PasswordError> {
        let usable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if !usable || !(1..=CHARS_MAX).contains(&text.len()) {
            return Err(PasswordError::Unusable);
        }
        let weak = weakness(number, text).is_some();
        Ok(Self { text: Zeroizing::new(text.to_owned()), weak })
    }

    /// To be shown once, when it is made.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    pub fn is_weak(&self) -> bool {
        self.weak
    }
}

/// Why this password is weak for this number; `None` where it is not.
pub fn weakness(number: &str, password: &str) -> Option<Weakness> {
    let lower = password.to_ascii_lowercase();
    let beside_number =
        if number.is_empty() { lower.len() } else { lower.replace(number, "").len() };
    if beside_number == 0 {
        Some(Weakness::EqualsNumber)
    } else if lower.len() < CHARS_MIN {
        Some(Weakness::TooShort)
    } else if steps(&lower).all(|it| it == 0) {
        Some(Weakness::AllSame)
    } else if steps(&lower).all(|it| it == 1) || steps(&lower).all(|it| it == -1) {
        Some(Weakness::Sequence)
    } else if COMMON.contains(&lower.as_str()) {
        Some(Weakness::Common)
    } else if beside_number < CHARS_MIN / 2 {
        Some(Weakness::EqualsNumber)
    } else {
        None
    }
}

/// From each character to the next; after 9 comes 0.
fn steps(text: &str) -> impl Iterator<Item = i16> + '_ {
    text.as_bytes().windows(2).map(|pair| match pair {
        b"90" => 1,
        b"09" => -1,
        _ => i16::from(pair[1]) - i16::from(pair[0]),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn weakness_table() {
        #[rustfmt::skip]
        let table = [
            ("100",  "100",          Some(Weakness::EqualsNumber)),
            ("1001", "10011001",     Some(Weakness::EqualsNumber)),
            ("1001", "abc1001001",   None),
            ("1001", "1001abc1001",  Some(Weakness::EqualsNumber)),
            ("100",  "1234",         Some(Weakness::TooShort)),
            ("100",  "k7mfx2p",      Some(Weakness::TooShort)),
            ("100",  "77777777",     Some(Weakness::AllSame)),
            ("100",  "12345678",     Some(Weakness::Sequence)),
            ("100",  "1234567890",   Some(Weakness::Sequence)),
            ("100",  "87654321",     Some(Weakness::Sequence)),
            ("100",  "abcdefgh",     Some(Weakness::Sequence)),
            ("100",  "Password",     Some(Weakness::Common)),
            ("100",  "k7mfx2pq",     None),
            ("",     "k7mfx2pq",     None),
        ];
        for (number, password, expected) in table {
            assert_eq!(weakness(number, password), expected, "{number} {password}");
        }
    }

    #[test]
    fn a_weak_one_is_refused_with_a_reason_or_marked() {
        let error = NewPassword::checked("100", "100").unwrap_err();
        assert_eq!(error, PasswordError::Weak(Weakness::EqualsNumber));
        assert!(error.to_string().contains("number"));
        assert!(NewPassword::allow_weak("100", "100").unwrap().is_weak());
        assert!(!NewPassword::checked("100", "k7mfx2pq").unwrap().is_weak());
        for unusable in ["", "with space", "line\nend", "密码密码密码", &"x".repeat(65)] {
            let error = NewPassword::allow_weak("100", unusable).unwrap_err();
            assert_eq!(error, PasswordError::Unusable, "{unusable:?}");
        }
    }

    #[test]
    fn generated_ones_differ_and_are_readable() {
        let one = NewPassword::generate().unwrap();
        let two = NewPassword::generate().unwrap();
        assert_ne!(one.reveal(), two.reveal());
        for password in [one, two] {
            assert_eq!(password.reveal().len(), GENERATED_CHARS);
            assert!(password.reveal().bytes().all(|it| ALPHABET.contains(&it)));
            assert_eq!(weakness("100", password.reveal()), None);
        }
    }
}
