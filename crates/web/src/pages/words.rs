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
        log_out: "Sign out", "退出";
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
