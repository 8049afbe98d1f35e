//! A registered device as the API shows it.

use super::Registration;
use crate::moment::rfc3339;
use pbx::record::Binding;
use pbx::time::UnixMillis;

impl Registration {
    pub fn of(binding: &Binding, now: UnixMillis) -> Self {
        Self {
            extension: binding.key.extension.to_string(),
            contact: binding.contact.to_string(),
            transport: binding.flow.transport.uri_name().to_owned(),
            source: binding.flow.remote.to_string(),
            user_agent: binding.user_agent.to_string(),
            device: binding.key.device.to_string(),
            registered_at: rfc3339(binding.registered_at),
            expires_at: rfc3339(binding.expires_at),
            expires_in_s: binding.expires_at.since(now).as_secs(),
        }
    }
}
