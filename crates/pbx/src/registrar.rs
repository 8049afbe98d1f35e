//! The registrar (RFC 3261 §10.3): which devices are where. No socket, no clock, no database.

use crate::directory::Extension;
use crate::id::TenantId;
use crate::record::{Binding, BindingKey, ByKey};
use crate::settings::Settings;
use crate::time::{Now, UnixMillis};
use sip::message::{
    Contact, Essentials, Expires, HeaderName, Message, NameAddr, TypedHeader, Uri, uri_equivalent,
};
use sip::target::{Reach, flow_to_contact};
use sip::{ConnectionId, Flow};
use smallvec::SmallVec;
use smol_str::SmolStr;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most Contacts one REGISTER may carry; more is 400.
pub const CONTACTS_MAX: usize = 10;
/// Longest Contact URI kept, in octets; longer is 400.
pub const CONTACT_LENGTH_MAX: usize = 1024;
/// Longest User-Agent kept, in octets; the rest is cut.
pub const USER_AGENT_LENGTH_MAX: usize = 128;

/// Why a REGISTER is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    #[error("{0}")]
    BadRequest(&'static str),
    #[error("Interval Too Brief")]
    IntervalTooBrief { min: Duration },
    #[error("CSeq Out Of Order")]
    OutOfOrder,
}

impl Reject {
    /// The only place where a reason becomes a status.
    pub fn status(&self) -> u16 {
        match self {
            Self::BadRequest(_) => 400,
            Self::IntervalTooBrief { .. } => 423,
            // RFC 3261 §10.3 step 7: "the request fails"; as §12.2.2 does for dialogs.
            Self::OutOfOrder => 500,
        }
    }
}

/// What a REGISTER changes, all or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub bound: SmallVec<[Binding; 1]>,
    pub removed: Vec<BindingKey>,
    /// Removed to make room, not because the phone asked.
    pub replaced: Vec<BindingKey>,
    /// What the same phone had bound before it started anew.
    pub restarted: Vec<BindingKey>,
}

/// How long one contact stays bound.
#[derive(Debug, PartialEq, Eq)]
pub enum Expiry {
    Grant(Duration),
    Remove,
    TooBrief(Duration),
}

/// Decides how long one contact stays bound (RFC 3261 §10.3 step 7).
///
/// The contact's own `expires` wins over the `Expires` header. More than the maximum is shortened,
/// never refused.
pub fn grant_expiry(contact: Option<u32>, header: Option<u32>, settings: &Settings) -> Expiry {
    let seconds = |it: u32| Duration::from_secs(it.into());
    match contact.or(header).unwrap_or(settings.expires_default_s) {
        0 => Expiry::Remove,
        asked if asked < settings.expires_min_s => {
            Expiry::TooBrief(seconds(settings.expires_min_s))
        }
        asked => Expiry::Grant(seconds(asked.min(settings.expires_max_s))),
    }
}

/// Reads an authenticated REGISTER against what is bound and decides what changes. Pure.
pub fn decide(
    tenant: TenantId,
    extension: &Extension,
    bound: &[Bound],
    (message, it): (&Message<'_>, &Essentials<'_>),
    flow: Flow,
    settings: &Settings,
    now: UnixMillis,
) -> Result<Changes, Reject> {
    let header = match message.headers.find::<Expires>() {
        Ok(found) => found.map(|it| it.0),
        Err(_) => return Err(Reject::BadRequest("bad Expires")),
    };
    let contacts = contacts(message)?;
    let Some(contacts) = contacts else { return remove_all(bound, header, it) };
    let mut changes = Changes::default();
    for (index, contact) in contacts.iter().enumerate() {
        let key = BindingKey {
            tenant,
            extension: extension.number.clone(),
            device: device(bound, contact, it, index),
        };
        let known = bound.iter().map(|it| &*it.binding).find(|it| it.key == key);
        if let Some(known) = known
            && *known.call_id == *it.call_id
        {
            match it.cseq.number.cmp(&known.cseq) {
                std::cmp::Ordering::Less => return Err(Reject::OutOfOrder),
                // A resend: the same answer from what is bound.
                std::cmp::Ordering::Equal => continue,
                std::cmp::Ordering::Greater => {}
            }
        }
        let before = before_its_restart(bound, &key, contact, flow);
        match grant_expiry(contact_expires(contact), header, settings) {
            Expiry::TooBrief(min) => return Err(Reject::IntervalTooBrief { min }),
            Expiry::Remove => {
                // The Call-ID names the phone, but what it removes is this Contact, whoever bound it
                // (RFC 3261 §10.3 step 7).
                let bindings = bound.iter().map(|it| &*it.binding);
                let removed = bindings.filter(|it| same_contact(it, contact));
                changes.removed.extend(removed.map(|it| it.key.clone()));
            }
            Expiry::Grant(expires) => {
                let registered_at = known.map_or(now, |it| it.registered_at);
                let binding = binding(known, key, contact, (message, it), flow, registered_at);
                changes.bound.push(Binding { expires_at: now.after(expires), ..binding });
                changes.restarted.extend(before);
            }
        }
    }
    make_room(extension, bound, &mut changes);
    Ok(changes)
}

/// `*` removes all, and only with Expires: 0 (RFC 3261 §10.3 step 6).
fn remove_all(
    bound: &[Bound],
    header: Option<u32>,
    it: &Essentials<'_>,
) -> Result<Changes, Reject> {
    if header != Some(0) {
        return Err(Reject::BadRequest("Contact * needs Expires: 0"));
    }
    let newer = |known: &Binding| *known.call_id == *it.call_id && known.cseq > it.cseq.number;
    if bound.iter().any(|known| newer(&known.binding)) {
        return Err(Reject::OutOfOrder);
    }
    let removed = bound.iter().map(|it| it.binding.key.clone()).collect();
    Ok(Changes { removed, ..Changes::default() })
}

/// What the same phone had bound before: one without an instance that restarts has a new Call-ID
/// and the same Contact.
fn before_its_restart(
    bound: &[Bound],
    key: &BindingKey,
    contact: &NameAddr<'_>,
    flow: Flow,
) -> Vec<BindingKey> {
    let same_phone = |other: &&Binding| {
        other.key != *key
            && same_contact(other, contact)
            && other.flow.remote.ip() == flow.remote.ip()
    };
    let bindings = bound.iter().map(|it| &*it.binding);
    bindings.filter(same_phone).map(|it| it.key.clone()).collect()
}

/// Whether a binding is of this Contact: by its instance, else by its URI (RFC 3261 §19.1.4).
fn same_contact(known: &Binding, contact: &NameAddr<'_>) -> bool {
    let instance = Contact::Addr(*contact).instance();
    let equivalent = |one: &str, other: &str| match (Uri::parse(one), Uri::parse(other)) {
        (Ok(one), Ok(other)) => uri_equivalent(&one, &other),
        _ => false,
    };
    instance.is_some_and(|it| known.key.device.eq_ignore_ascii_case(it))
        || equivalent(&known.contact, contact_text(contact))
}

/// Drops the oldest devices beyond what the extension may have: the newest one always gets in, so
/// that nobody locks himself out.
fn make_room(extension: &Extension, bound: &[Bound], changes: &mut Changes) {
    if changes.bound.is_empty() {
        return;
    }
    let most = usize::from(extension.devices_max.unwrap_or(1)).max(1);
    if changes.bound.len() > most {
        changes.bound.drain(..changes.bound.len() - most);
    }
    let new = |key: &BindingKey| changes.bound.iter().any(|it| it.key == *key);
    let mut others: Vec<&Binding> = bound
        .iter()
        .map(|it| &*it.binding)
        .filter(|it| {
            let gone = [&changes.removed, &changes.restarted];
            !new(&it.key) && !gone.iter().any(|gone| gone.contains(&it.key))
        })
        .collect();
    others.sort_by_key(|it| it.registered_at);
    let surplus = (others.len() + changes.bound.len()).saturating_sub(most);
    changes.replaced.extend(others.iter().take(surplus).map(|it| it.key.clone()));
}

/// Nearly always one.
type Contacts<'a> = SmallVec<[NameAddr<'a>; 1]>;

/// The Contacts of a REGISTER; `None` for `*`.
fn contacts<'a>(message: &Message<'a>) -> Result<Option<Contacts<'a>>, Reject> {
    let mut list = Contacts::new();
    for value in message.headers.values(HeaderName::Contact) {
        match Contact::parse(value) {
            Ok(Contact::Star) if list.is_empty() => {
                let more = message.headers.values(HeaderName::Contact).count() > 1;
                return if more {
                    Err(Reject::BadRequest("Contact * stands alone"))
                } else {
                    Ok(None)
                };
            }
            Ok(Contact::Star) => return Err(Reject::BadRequest("Contact * stands alone")),
            Ok(Contact::Addr(address)) if address.uri_text.len() <= CONTACT_LENGTH_MAX => {
                if list.len() == CONTACTS_MAX {
                    return Err(Reject::BadRequest("too many Contacts"));
                }
                list.push(address);
            }
            Ok(Contact::Addr(_)) | Err(_) => return Err(Reject::BadRequest("bad Contact")),
        }
    }
    Ok(Some(list))
}

/// What names a device: `+sip.instance`, else the Call-ID its REGISTERs share.
fn device(bound: &[Bound], contact: &NameAddr<'_>, it: &Essentials<'_>, index: usize) -> SmolStr {
    let mut known = bound.iter().map(|it| &it.binding.key.device);
    match (Contact::Addr(*contact).instance(), index) {
        // A URN: its case means nothing (RFC 8141 §3.1, RFC 9562 §4).
        (Some(instance), _) => known
            .find(|it| it.eq_ignore_ascii_case(instance))
            .cloned()
            .unwrap_or_else(|| instance.to_ascii_lowercase().into()),
        (None, 0) => same(known.find(|known| **known == *it.call_id), it.call_id),
        // Several contacts in one REGISTER are several devices.
        (None, index) => format!("{}#{index}", it.call_id).into(),
    }
}

/// The Contact's URI without headers, which would end up in our requests (RFC 3261 §19.1.1).
fn contact_text<'a>(contact: &NameAddr<'a>) -> &'a str {
    contact.uri_text.split('?').next().unwrap_or_default()
}

fn contact_expires(contact: &NameAddr<'_>) -> Option<u32> {
    Contact::Addr(*contact).expires()
}

/// A text as it is bound already, so that a refreshed binding shares it, else anew.
fn same(known: Option<&SmolStr>, text: &str) -> SmolStr {
    known.filter(|known| **known == *text).cloned().unwrap_or_else(|| text.into())
}

fn binding(
    known: Option<&Binding>,
    key: BindingKey,
    contact: &NameAddr<'_>,
    (message, it): (&Message<'_>, &Essentials<'_>),
    flow: Flow,
    registered_at: UnixMillis,
) -> Binding {
    let uri = contact_text(contact);
    let agent = message.headers.get(HeaderName::UserAgent).unwrap_or_default();
    let end = agent.floor_char_boundary(USER_AGENT_LENGTH_MAX);
    Binding {
        key,
        contact: same(known.map(|it| &it.contact), uri),
        flow: flow_to_contact(flow, it, uri, Reach::AnyHost),
        call_id: same(known.map(|it| &it.call_id), it.call_id),
        cseq: it.cseq.number,
        q: Contact::Addr(*contact).q().unwrap_or(1000),
        user_agent: same(known.map(|it| &it.user_agent), &agent[..end]),
        registered_at,
        expires_at: registered_at,
    }
}

/// A binding and when it ends by the clock that never steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Shared with the journal and the readers of events.
    pub binding: Arc<Binding>,
    pub until: Instant,
}

/// The bindings of one extension; most have one phone.
type Devices = SmallVec<[Bound; 1]>;

/// All bindings.
#[derive(Debug, Default)]
pub struct Registrar {
    bindings: HashMap<TenantId, HashMap<SmolStr, Devices, ahash::RandomState>, ahash::RandomState>,
    by_expiry: BTreeSet<(Instant, ByKey)>,
    by_connection: HashMap<ConnectionId, Vec<Arc<Binding>>, ahash::RandomState>,
    /// When the last device of an extension left; one entry at most for each that was ever here.
    left: HashMap<TenantId, HashMap<SmolStr, UnixMillis, ahash::RandomState>, ahash::RandomState>,
}

impl Registrar {
    /// The live bindings of an extension, the least recently refreshed first.
    pub fn bindings(&self, tenant: TenantId, number: &str) -> &[Bound] {
        let devices = self.bindings.get(&tenant).and_then(|it| it.get(number));
        devices.map_or(&[], |it| it.as_slice())
    }

    /// A device is gone. Where it was the last one of its extension, the time is remembered.
    pub fn leaves(&mut self, key: &BindingKey, at: UnixMillis) {
        if self.bindings(key.tenant, &key.extension).is_empty() {
            self.left.entry(key.tenant).or_default().insert(key.extension.clone(), at);
        }
    }

    /// When the last device of an extension left; not known of those that left before the start.
    pub fn left_at(&self, tenant: TenantId, number: &str) -> Option<UnixMillis> {
        self.left.get(&tenant)?.get(number).copied()
    }

    pub fn len(&self) -> usize {
        self.by_expiry.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_expiry.is_empty()
    }

    /// Adds a binding or replaces the one with its key.
    pub fn put(&mut self, binding: Arc<Binding>, now: Now) {
        let until = now.instant + binding.expires_at.since(now.utc);
        let devices = self.devices(&binding.key);
        let known = devices.and_then(|it| take(it, &binding.key));
        if let Some(known) = &known {
            self.unlink(known);
        }
        self.insert(Bound { binding, until });
    }

    pub fn remove(&mut self, key: &BindingKey) -> Option<Bound> {
        let devices = self.devices(key)?;
        let bound = take(devices, key)?;
        if devices.is_empty()
            && let Some(numbers) = self.bindings.get_mut(&key.tenant)
        {
            numbers.remove(&key.extension);
        }
        self.unlink(&bound);
        Some(bound)
    }

    fn devices(&mut self, key: &BindingKey) -> Option<&mut Devices> {
        self.bindings.get_mut(&key.tenant)?.get_mut(&key.extension)
    }

    /// A binding leaves the indices.
    fn unlink(&mut self, bound: &Bound) {
        self.by_expiry.remove(&(bound.until, ByKey(Arc::clone(&bound.binding))));
        if let Some(connection) = bound.binding.flow.connection
            && let Some(list) = self.by_connection.get_mut(&connection)
        {
            list.retain(|it| !Arc::ptr_eq(it, &bound.binding));
            if list.is_empty() {
                self.by_connection.remove(&connection);
            }
        }
    }

    /// Takes one binding that has expired.
    pub fn pop_expired(&mut self, now: Instant) -> Option<Arc<Binding>> {
        let (at, ByKey(binding)) = self.by_expiry.first()?;
        if *at > now {
            return None;
        }
        let binding = Arc::clone(binding);
        self.remove(&binding.key).map(|it| it.binding)
    }

    /// When the next binding expires.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.by_expiry.first().map(|&(at, _)| at)
    }

    /// A stream is gone: its bindings stay, but their flow is lost.
    pub fn lose_connection(&mut self, connection: ConnectionId) {
        for binding in self.by_connection.get(&connection).cloned().unwrap_or_default() {
            self.change(&binding.key, |it| it.flow.connection = None);
        }
    }

    /// A stream to the device was opened anew.
    pub fn set_flow(&mut self, key: &BindingKey, flow: Flow) {
        self.change(key, |it| it.flow = flow);
    }

    /// Forgets all devices of a deleted extension.
    pub fn forget(&mut self, tenant: TenantId, number: &str) -> Vec<Arc<Binding>> {
        self.left.get_mut(&tenant).and_then(|it| it.remove(number));
        let list = self.bindings(tenant, number).iter();
        let bindings: Vec<_> = list.map(|it| Arc::clone(&it.binding)).collect();
        bindings.iter().filter_map(|it| self.remove(&it.key)).map(|it| it.binding).collect()
    }

    /// The bindings behind one, with their ends, in the order of these.
    pub fn behind(
        &self,
        last: Option<&(Instant, ByKey)>,
    ) -> impl Iterator<Item = &(Instant, ByKey)> {
        let start = last.map_or(Unbounded, Excluded);
        self.by_expiry.range((start, Unbounded))
    }

    /// Every extension that has a binding.
    pub fn extensions(&self) -> BTreeSet<(TenantId, SmolStr)> {
        let keys = self.by_expiry.iter().map(|(_, it)| &it.0.key);
        keys.map(|it| (it.tenant, it.extension.clone())).collect()
    }

    fn change(&mut self, key: &BindingKey, change: impl FnOnce(&mut Binding)) {
        if let Some(mut bound) = self.remove(key) {
            change(Arc::make_mut(&mut bound.binding));
            self.insert(bound);
        }
    }

    fn insert(&mut self, bound: Bound) {
        let binding = &bound.binding;
        self.by_expiry.insert((bound.until, ByKey(Arc::clone(binding))));
        if let Some(connection) = binding.flow.connection {
            self.by_connection.entry(connection).or_default().push(Arc::clone(binding));
        }
        let numbers = self.bindings.entry(binding.key.tenant).or_default();
        match numbers.get_mut(&binding.key.extension) {
            Some(devices) => devices.push(bound),
            None => {
                let number = binding.key.extension.clone();
                numbers.insert(number, SmallVec::from_elem(bound, 1));
            }
        }
    }
}

/// Takes a device out of its extension's. The place of the extension stays, for the newer binding.
fn take(devices: &mut Devices, key: &BindingKey) -> Option<Bound> {
    let index = devices.iter().position(|it| it.binding.key == *key)?;
    Some(devices.remove(index))
}

/// Where a device whose stream is lost might be reached: its Contact, but only at the address it
/// spoke from, lest a Contact make us connect to somebody else.
pub fn reconnect_address(contact: &str, flow: Flow) -> Option<std::net::SocketAddr> {
    let uri = Uri::parse(contact).ok()?;
    let address = uri.host()?.ip()?.to_canonical();
    let port = uri.port().unwrap_or(5060);
    (address == flow.remote.ip().to_canonical() && port != 0).then(|| (address, port).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_table() {
        let secs = Duration::from_secs;
        let settings = Settings::default();
        #[rustfmt::skip]
        let table = [
            // contact    header      decision
            (None,        None,       Expiry::Grant(secs(3600))),
            (None,        Some(600),  Expiry::Grant(secs(600))),
            (Some(120),   Some(600),  Expiry::Grant(secs(120))),
            (Some(86400), None,       Expiry::Grant(secs(7200))),
            (Some(60),    None,       Expiry::Grant(secs(60))),
            (Some(59),    None,       Expiry::TooBrief(secs(60))),
            (Some(0),     Some(600),  Expiry::Remove),
            (None,        Some(0),    Expiry::Remove),
        ];
        for (contact, header, expected) in table {
            let got = grant_expiry(contact, header, &settings);
            assert_eq!(got, expected, "contact={contact:?} header={header:?}");
        }
    }
}
