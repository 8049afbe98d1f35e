//! Who may administer: administrators and their sessions, and the keys of programs.

mod keys;
pub(crate) mod totp;
mod users;

pub(crate) use keys::{on_key_add, on_key_revoke, on_keys};
pub(crate) use users::{
    on_add, on_delete, on_delete_form, on_end_session, on_password, on_password_form, on_users,
};
