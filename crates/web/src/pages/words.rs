//! The words of the pages: for each page a struct with a constant of every language, so that a page cannot be built
//! without its Chinese. The glossary in CONTRIBUTING.md is binding.

/// Declares the words of a page: its name, then field, English, Chinese.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $( $field:ident: $en:literal, $zh:literal; )* }) => {
        $(#[$about])*
        pub(crate) struct $name {
            $( pub(crate) $field: &'static str, )*
        }

        impl $name {
            const EN: Self = Self { $( $field: $en, )* };
            const ZH: Self = Self { $( $field: $zh, )* };

            pub(crate) fn of(language: ::pbx::language::Language) -> &'static Self {
                const {
                    $( assert!(
                        $en.is_ascii() && !$zh.is_ascii(),
                        concat!(stringify!($field), ": English first, then Chinese"),
                    ); )*
                }
                match language {
                    ::pbx::language::Language::En => &Self::EN,
                    ::pbx::language::Language::Zh => &Self::ZH,
                }
            }
        }
    };
}

pub(crate) use words;

words! {
    /// What stands on every page.
    Frame {
        skip: "Skip to the content", "跳到正文";
        menu: "Menu", "菜单";
        live_calls: "Live calls", "实时呼叫数";
        help: "Help", "帮助";
        log_out: "Sign out", "退出";
        standby: "Standby: after a restore no line registers and no trunk is used. The other machine may still be running.", "待命：恢复后外线不注册，中继不使用。原机器可能仍在运行。";
        standby_off: "End standby", "结束待命";
    }
}

words! {
    /// The pages that say what went wrong.
    Trouble {
        title: "This did not work", "操作未完成";
        home: "Home", "首页";
        status: "HTTP status", "HTTP状态";
    }
}
