//! What went wrong, as the API says it: the one place where an error of the store becomes a status, a code, and a
//! sentence in both languages for the person who must act.

use crate::resource::Failure;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use pbx::dialplan::lint::finding::Finding;
use pbx::language::Text;
use pbx::text;
use std::io::{self, ErrorKind};
use store::StoreError;
use store::lock::LockError;
use store::password::PasswordError;
use store::secret::KeyError;

/// How many attempts are left, and when there are more (draft-ietf-httpapi-ratelimit-headers).
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

impl Failure {
    pub fn new(status: u16, code: &str, detail: Text) -> Self {
        let Text { en, zh } = detail;
        Self {
            status,
            code: code.to_owned(),
            detail_en: en.into(),
            detail_zh: zh.into(),
            subject: None,
            field: None,
            retry_after_s: None,
            findings: Box::default(),
        }
    }

    /// Names the field that is wrong, as the API calls it.
    #[must_use]
    pub fn at(self, field: &str) -> Self {
        Self { field: Some(field.into()), ..self }
    }

    /// Says how long to wait before it is tried again.
    #[must_use]
    pub fn after(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// Names the input that is meant.
    #[must_use]
    pub fn about(self, subject: impl Into<Box<str>>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }

    pub fn detail(self) -> Text {
        Text { en: String::from(self.detail_en).into(), zh: String::from(self.detail_zh).into() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // What is too busy now is not for long.
        let soon = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        let retry_after_s = self.retry_after_s.or(soon);
        let mut response = (status, axum::Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
            if status == StatusCode::TOO_MANY_REQUESTS
                && let Ok(none_left) = format!("\"attempts\";r=0;t={seconds}").parse()
            {
                headers.insert(RATE_LIMIT, none_left);
            }
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The same for a person with a browser, before any page may be shown.
pub(crate) fn plain(failure: &Failure) -> Response {
    let status = StatusCode::from_u16(failure.status);
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    let text = format!("{}\n{}\n", failure.detail_en, failure.detail_zh);
    (status, kind, text).into_response()
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let (status, code) = match &error {
            StoreError::NoExtension(_) | StoreError::NoTenant(_) => (404, "not_found"),
            StoreError::ExtensionExists(_) => (409, "exists"),
            StoreError::Password(PasswordError::Weak(_)) => (422, "weak_password"),
            StoreError::Password(PasswordError::Unusable)
            | StoreError::Invalid { .. }
            | StoreError::Setting(_) => (422, "invalid"),
            StoreError::Refused(_) => (422, "refused"),
            StoreError::Lock(_) => (409, "locked"),
            StoreError::DiskFull => (507, "disk_full"),
            StoreError::Io { source, .. } if source.kind() == ErrorKind::StorageFull => {
                (507, "disk_full")
            }
            StoreError::Password(PasswordError::Random(_))
            | StoreError::Sql(_)
            | StoreError::Io { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::Key(_)
            | StoreError::Unfinished
            | StoreError::Damaged { .. } => (500, "store"),
        };
        let subject = if let StoreError::ExtensionExists(number) = &error {
            Some(number.as_str().into())
        } else {
            None
        };
        let findings = if let StoreError::Refused(findings) = &error {
            findings.iter().map(From::from).collect()
        } else {
            Box::default()
        };
        let field = if let StoreError::Invalid { field, .. } = &error {
            Some((*field).into())
        } else if let StoreError::ExtensionExists(_) = &error {
            Some("number".into())
        } else if let StoreError::Password(_) = &error {
            Some("password".into())
        } else {
            None
        };
        Self { subject, field, findings, ..Self::new(status, code, of_store(error)) }
    }
}

fn of_store(error: StoreError) -> Text {
    match error {
        StoreError::DiskFull => text!(
            "the disk is full: the database cannot be written. Nothing was changed",
            "磁盘已满，无法写入数据库。未作任何改动"
        ),
        StoreError::Sql(error) => text!("the database failed: {error}", "数据库出错：{error}"),
        StoreError::Io { path, source } => {
            let path = path.display();
            text!("{path}: {}", "{path}：{}", of_io(&source))
        }
        StoreError::NewerSchema { found, known } => text!(
            "the database was written by a newer version (its schema is {found}, this program knows {known}): \
             install that version again, or restore the backup made before the upgrade",
            "数据库由更新的版本写入（其结构版本为{found}，本程序支持到{known}）：\
             请重新安装该版本，或恢复升级前的备份"
        ),
        StoreError::Key(error) => of_key(error),
        StoreError::Lock(error) => of_lock(error),
        StoreError::Password(error) => of_password(error),
        StoreError::Setting(error) => error.text(),
        StoreError::NoExtension(number) => {
            text!("there is no extension {number}", "分机{number}不存在")
        }
        StoreError::ExtensionExists(number) => {
            text!("extension {number} exists already", "分机{number}已存在")
        }
        StoreError::Unfinished => text!(
            "the edit ended amid its operations: nothing of it is in force. Try again",
            "操作未完成，未作任何改动，请重试"
        ),
        StoreError::NoTenant(tenant) => text!("there is no tenant {tenant}", "租户{tenant}不存在"),
        StoreError::Invalid { field, value, rule } => {
            text!("{field} = {value}: {}", "{field} = {value}：{}", rule)
        }
        StoreError::Refused(findings) => Text::lines(findings.iter().map(Finding::text)),
        StoreError::Damaged { what, reason } => text!(
            "the database holds {what} that cannot be read: {reason}",
            "数据库中有无法读取的内容（{what}）：{reason}"
        ),
    }
}

fn of_key(error: KeyError) -> Text {
    match error {
        KeyError::Missing(path) => {
            let path = path.display();
            text!(
                "the key file {path} is missing, but the database holds secrets sealed with it: \
                 put it back from your backup",
                "密钥文件{path}不存在，而数据库中有用它加密的内容：请从备份中恢复该文件"
            )
        }
        KeyError::Malformed(path) => {
            let path = path.display();
            text!("the key file {path} is not a key of this program", "{path}不是本程序的密钥文件")
        }
        KeyError::Exposed { path, mode } => {
            let path = path.display();
            text!(
                "the key file {path} can be read by others (mode {mode:04o}): make it yours alone \
                 with chmod 600 {path}",
                "其他用户可以读取密钥文件{path}（权限{mode:04o}）：请执行 chmod 600 {path}"
            )
        }
        KeyError::Wrong(path) => {
            let path = path.display();
            text!(
                "the key file {path} does not belong to this database: put the right one back \
                 from your backup",
                "密钥文件{path}不属于该数据库：请从备份中恢复正确的密钥文件"
            )
        }
        KeyError::Io { path, source } => {
            let path = path.display();
            text!("the key file {path}: {}", "密钥文件{path}：{}", of_io(&source))
        }
        KeyError::Random(error) => no_random_numbers(error),
        KeyError::CannotSeal => {
            text!("a secret of this size cannot be sealed", "无法加密这样长度的内容")
        }
    }
}

fn of_lock(error: LockError) -> Text {
    match error {
        LockError::Held { dir, holder } => {
            let dir = dir.display();
            text!("{dir} is in use by {holder}", "{dir}正由{holder}使用")
        }
        LockError::Io { path, source } => {
            let path = path.display();
            text!("cannot lock {path}: {}", "无法锁定{path}：{}", of_io(&source))
        }
    }
}

/// Why a password is not taken.
pub fn of_password(error: PasswordError) -> Text {
    match error {
        PasswordError::Weak(weakness) => weakness.text(),
        PasswordError::Unusable => text!(
            "a password has 1 to 64 printable ASCII characters and no space",
            "密码应为1至64个可打印的ASCII字符，且不含空格"
        ),
        PasswordError::Random(error) => no_random_numbers(error),
    }
}

/// The system cannot be trusted with secrets then.
pub fn no_random_numbers(error: impl std::fmt::Display) -> Text {
    text!("the system gives no random numbers: {error}", "系统无法提供随机数：{error}")
}

/// The system speaks English; this is what people meet most.
const SYSTEM: [(ErrorKind, &str); 10] = [
    (ErrorKind::NotFound, "文件或目录不存在"),
    (ErrorKind::PermissionDenied, "没有权限"),
    (ErrorKind::AlreadyExists, "文件已存在"),
    (ErrorKind::AddrInUse, "地址已被占用"),
    (ErrorKind::AddrNotAvailable, "本机没有该地址"),
    (ErrorKind::StorageFull, "磁盘已满"),
    (ErrorKind::ReadOnlyFilesystem, "文件系统只读"),
    (ErrorKind::IsADirectory, "这是一个目录"),
    (ErrorKind::NotADirectory, "路径中有一部分不是目录"),
    (ErrorKind::InvalidData, "内容不是UTF-8文本"),
];

/// What the system said.
pub fn of_io(error: &io::Error) -> Text {
    let english = error.to_string();
    match SYSTEM.iter().find(|(kind, _)| *kind == error.kind()) {
        Some((_, chinese)) => Text { en: english.into(), zh: (*chinese).into() },
        None => Text::same(english),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::password::Weakness;

    #[test]
    fn failure_table() {
        #[rustfmt::skip]
        let table = [
            (StoreError::NoExtension("9".into()),                               404, "there is no extension 9",     "分机9不存在"),
            (StoreError::ExtensionExists("9".into()),                           409, "extension 9 exists already",  "分机9已存在"),
            (StoreError::Password(PasswordError::Weak(Weakness::TooShort)),     422, "The password is shorter than 8 characters.", "密码少于8个字符。"),
            (StoreError::Key(KeyError::Malformed("k".into())),                  500, "the key file k is not a key of this program", "k不是本程序的密钥文件"),
            (StoreError::DiskFull,                                              507, "the disk is full: the database cannot be written. Nothing was changed", "磁盘已满，无法写入数据库。未作任何改动"),
            (StoreError::Io { path: "p".into(), source: ErrorKind::StorageFull.into() }, 507, "p: no storage space", "p：磁盘已满"),
            (StoreError::Io { path: "p".into(), source: ErrorKind::NotFound.into() }, 500, "p: entity not found",   "p：文件或目录不存在"),
        ];
        for (error, status, en, zh) in table {
            let failure = Failure::from(error);
            let got = (failure.status, &*failure.detail_en, &*failure.detail_zh);
            assert_eq!(got, (status, en, zh));
        }
    }
}
