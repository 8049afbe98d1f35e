//! What is wrong with a line or trunk, in words that mean one thing everywhere.
//!
//! Where a call would end for the same reason it is the [`ReleaseCode`]; what no call ends with, such
//! as a setting that could be better, stands here. The trunk doctor and the states of lines and
//! trunks use them; `docs/release-codes.md` lists both.

use crate::language::Text;
use crate::release::ReleaseCode;

/// Declares once what no call ends with: variant, text, English, Chinese.
macro_rules! findings {
    ($($variant:ident $code:literal $en:literal $zh:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Finding {
            Release(ReleaseCode),
            $($variant,)*
        }

        impl Finding {
            /// Those that no call ends with.
            pub const OTHERS: &[Self] = &[$(Self::$variant,)*];

            /// The stable text.
            pub fn as_str(self) -> &'static str {
                match self {
                    Self::Release(code) => code.as_str(),
                    $(Self::$variant => $code,)*
                }
            }

            /// What it means, as a sentence.
            pub fn sentence(self) -> Text {
                match self {
                    Self::Release(code) => code.sentence(),
                    $(Self::$variant => const { Text::fixed($en, $zh) },)*
                }
            }
        }
    };
}

findings! {
    LineOff "line.off" "The line is switched off." "该外线已停用。";
    LineNoOptions "line.no_options" "It does not answer OPTIONS, but it answers other requests. Nothing is wrong with that." "对端不应答OPTIONS，但应答其他请求。这不影响使用。";
    LineTransport "line.transport" "The carrier answers by another transport only." "运营商仅支持另一种传输协议。";
    LineTooBrief "line.too_brief" "The carrier wants longer registrations (423)." "运营商要求更长的注册有效期（423）。";
    LineEndless "line.endless" "The registration came to no end." "注册始终没有结果。";
    LineBinding "line.binding" "The carrier does not say that it stored our Contact." "运营商没有表明已保存本服务器的Contact。";
    LineMinSe "line.min_se" "The carrier wants longer sessions (422)." "运营商要求更长的会话时长（422）。";
    LineReliable "line.reliable" "The carrier wants reliable provisional responses (100rel) otherwise than they are set." "运营商对临时响应可靠性（100rel）的要求与设置不符。";
    LineDnsPartly "line.dns_partly" "The name of the carrier also leads to a server that has no address, or where nobody answers." "运营商的域名还指向没有地址或无人应答的服务器。";
    LineDnsStale "line.dns_stale" "The name of the carrier is not resolved any more; its last addresses are used." "运营商的域名已无法解析，暂用上次得到的地址。";
    TrunkDnsStale "trunk.dns_stale" "The name of the other server is not resolved any more; its last addresses are used." "对端服务器的域名已无法解析，暂用上次得到的地址。";
}

impl From<ReleaseCode> for Finding {
    fn from(code: ReleaseCode) -> Self {
        Self::Release(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_means_one_thing() {
        for it in Finding::OTHERS {
            let word = it.as_str();
            assert_eq!(ReleaseCode::from_code(word), None, "{word} is a release code too");
            assert_eq!(Finding::OTHERS.iter().filter(|it| it.as_str() == word).count(), 1);
            assert!(it.sentence().en.ends_with('.') && it.sentence().zh.ends_with('。'), "{word}");
        }
    }
}
