//! Extensions: the operations of the API, which the command line also uses while no server runs,
//! and their handlers.

pub mod range;
pub mod sheet;
mod state;

pub(crate) use state::on_list;

use crate::access::Principal;
use crate::audit::{Author, EXTENSIONS, Editor, Kept, KeptExtension};
use crate::conventions::{Patch, merged, unreadable};
use crate::outside::Fields;
use crate::resource::{
    AddRequest, Change, Credentials, Extension, ExtensionNow, Failure, NewExtension,
    PasswordRequest,
};
use crate::{Edit, Office, provisioning, supplementary};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use pbx::dialplan::rows::DEFAULT_PLAN;
use pbx::directory::AllowedAddress;
use pbx::id::TenantId;
use pbx::language::Text;
use pbx::supplementary::{Forwarding, PhoneChange, PhoneRecord};
use pbx::text;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use store::db::{self, ExtensionProfile, StoredExtension};
use store::password::NewPassword;
use store::{Db, StoreError};

/// Most extensions made by one request.
pub const EXTENSIONS_PER_REQUEST_MAX: usize = 100_000;

/// All extensions, by number.
pub async fn list(db: &Db) -> Result<Vec<Extension>, Failure> {
    let found = db.extensions(TenantId::default()).await?;
    let mut shown: Vec<_> = found.into_iter().map(Extension::from).collect();
    with_phones(&mut shown, &db.phone_settings().await?);
    Ok(shown)
}

/// Extensions in the order of their numbers, with what their phones have set.
fn with_phones(shown: &mut [Extension], phones: &[PhoneRecord]) {
    for phone in phones {
        let at = shown.binary_search_by(|it| (*it.number).cmp(&phone.extension));
        if let Some(it) = at.ok().and_then(|at| shown.get_mut(at)) {
            supplementary::show(it, &phone.settings);
        }
    }
}

pub async fn show(db: &Db, number: &str) -> Result<Extension, Failure> {
    with_set(db, number, &[]).await
}

/// What will be shown: what is set in the place of phones the core has at once, the database with the journal's next batch.
pub(crate) async fn with_set(
    db: &Db,
    number: &str,
    changes: &[PhoneChange],
) -> Result<Extension, Failure> {
    let mut shown = Extension::from(db.extension(TenantId::default(), number).await?);
    let mut settings = db.phone(TenantId::default(), number).await?;
    changes.iter().cloned().for_each(|it| settings.apply(it));
    supplementary::show(&mut shown, &settings);
    Ok(shown)
}

/// Adds all of them or none, while no server runs. The answer is the only place where the passwords
/// are ever shown.
pub async fn add(author: Author<'_>, request: AddRequest) -> Result<Vec<Credentials>, Failure> {
    let author = author.edit();
    let (made, phones) = added(author.db(), request).await?;
    author.added(&numbers(&made), &phones).await?;
    for (number, changes) in phones {
        supplementary::set_stored(author.db(), &number, changes).await?;
    }
    author.commit().await?;
    Ok(made)
}

fn numbers(made: &[Credentials]) -> Vec<String> {
    made.iter().map(|it| it.number.clone()).collect()
}

/// What is to be set in the place of the phones of an extension.
pub(crate) type ByPhone = (String, Vec<PhoneChange>);

/// The same without what phones could have set.
async fn added(db: &Db, request: AddRequest) -> Result<(Vec<Credentials>, Vec<ByPhone>), Failure> {
    let extensions = each(request.extensions)?;
    let mut rows = Vec::with_capacity(extensions.len());
    let mut credentials = Vec::with_capacity(extensions.len());
    let mut phones = Vec::new();
    let settings = db.settings(TenantId::default()).await?;
    for (new, of_range) in extensions {
        if (of_range || request.skip_emergency) && settings.emergency_number(&new.number).is_some()
        {
            continue;
        }
        let number = new.number.clone();
        let about = |it: Failure| it.about(number.clone());
        let changes = supplementary::by_phone(&number, &new.change).map_err(about)?;
        if !changes.is_empty() {
            phones.push((number.clone(), changes));
        }
        let (row, made) = prepare(new, request.allow_weak).map_err(about)?;
        credentials.push(Credentials { number, password: made });
        rows.push(row);
    }
    db.insert_extensions(TenantId::default(), rows).await?;
    Ok((credentials, phones))
}

/// Every one of them, those of a range marked.
fn each(asked: Vec<NewExtension>) -> Result<Vec<(NewExtension, bool)>, Failure> {
    let mut all = Vec::with_capacity(asked.len());
    let mut seen = HashSet::new();
    for new in asked {
        let number = new.number.clone();
        let numbers = range::numbers(&number)
            .map_err(|what| Failure::new(422, "invalid", what).at("number").about(&*number))?;
        if all.len() + numbers.len() > EXTENSIONS_PER_REQUEST_MAX {
            return Err(too_many());
        }
        if let Some(twice) = numbers.iter().find(|it| !seen.insert(String::clone(it))) {
            return Err(is_twice(twice));
        }
        let of_range = numbers.len() > 1;
        let one = |number| (NewExtension { number, ..new.clone() }, of_range);
        all.extend(numbers.into_iter().map(one));
    }
    Ok(all)
}

/// Not that it exists already: there may be none yet.
fn is_twice(number: &str) -> Failure {
    let detail = text!("extension {number} is in the list twice", "列表中分机{number}重复");
    Failure::new(422, "invalid", detail).at("number").about(number)
}

fn too_many() -> Failure {
    let detail = text!(
        "at most {EXTENSIONS_PER_REQUEST_MAX} extensions at a time",
        "一次最多{EXTENSIONS_PER_REQUEST_MAX}个分机"
    );
    Failure::new(422, "too_many", detail)
}

/// Changes an extension while no server runs.
pub async fn set(author: Author<'_>, number: &str, change: Change) -> Result<Extension, Failure> {
    let author = author.edit();
    let db = author.db();
    let before = show(db, number).await?;
    let changes = stored(db, number, change).await?;
    supplementary::set_stored(db, number, changes).await?;
    let after = show(db, number).await?;
    author.changed(EXTENSIONS, number, Some(&before), Some(&after)).await?;
    author.commit().await?;
    Ok(after)
}

/// Changes what the database decides, and returns the rest.
async fn stored(db: &Db, number: &str, change: Change) -> Result<Vec<PhoneChange>, Failure> {
    let changes = supplementary::by_phone(number, &change)?;
    let stored = db.extension(TenantId::default(), number).await?;
    let profile = changed(stored.profile, change)?;
    db.update_extension(TenantId::default(), profile).await?;
    Ok(changes)
}

/// Removes an extension that no external line names.
pub async fn delete(author: Author<'_>, number: &str) -> Result<(), Failure> {
    let author = author.edit();
    let before = show(author.db(), number).await?;
    let kept = KeptExtension::of(author.db(), number).await?;
    must_be_unused(author.db(), number).await?;
    author.db().delete_extensions(TenantId::default(), &[number.to_owned()]).await?;
    author.gone(EXTENSIONS, number, &before, kept.map(Kept::extension)).await?;
    author.commit().await
}

/// Refuses where an external line names it.
pub(crate) async fn must_be_unused(db: &Db, number: &str) -> Result<(), Failure> {
    let users = db.lines_naming(TenantId::default(), number).await?;
    if !users.is_empty() {
        let head = text!(
            "Extension {number} is in use. Change or delete these first:",
            "分机{number}正在使用中。请先修改或删除："
        );
        let user = |(account, field)| {
            text!("External line, row {account}, {field}", "外线，记录{account}，{field}")
        };
        let lines = std::iter::once(head).chain(users.into_iter().map(user));
        return Err(Failure::new(409, "in_use", Text::lines(lines)));
    }
    Ok(())
}

/// Sets a password, or makes one.
pub async fn passwd(
    author: Author<'_>,
    number: &str,
    request: PasswordRequest,
) -> Result<Credentials, Failure> {
    let password = password(number, request.password.as_deref(), request.allow_weak)?;
    let author = author.edit();
    put_password(&author, number, &password).await?;
    author.commit().await?;
    let password = Some(password.reveal().to_owned());
    Ok(Credentials { number: number.to_owned(), password })
}

async fn put_password(
    author: &Editor<'_>,
    number: &str,
    password: &NewPassword,
) -> Result<(), Failure> {
    let was = KeptExtension::of(author.db(), number).await?;
    author.db().set_password(TenantId::default(), number, Some(password)).await?;
    author.password(EXTENSIONS, number, was.map(Kept::extension)).await
}

fn prepare(
    new: NewExtension,
    allow_weak: bool,
) -> Result<(db::NewExtension, Option<String>), Failure> {
    let profile = changed(ExtensionProfile::new(&new.number), new.change)?;
    let by_address = !profile.addresses.is_empty();
    let password = match new.password {
        None if by_address => None,
        text => Some(password(&new.number, text.as_deref(), allow_weak)?),
    };
    let shown = password.as_ref().map(|it| it.reveal().to_owned());
    Ok((db::NewExtension { profile, password }, shown))
}

/// Says what would be refused of a password.
pub(crate) fn check_password(number: &str, text: &str) -> Result<(), Failure> {
    password(number, Some(text), false).map(|_| ())
}

fn password(number: &str, text: Option<&str>, allow_weak: bool) -> Result<NewPassword, Failure> {
    let password = match text {
        None => NewPassword::generate(),
        Some(text) if allow_weak => NewPassword::allow_weak(number, text),
        Some(text) => NewPassword::checked(number, text),
    };
    password.map_err(|error| Failure::from(StoreError::Password(error)).at("password"))
}

fn changed(mut profile: ExtensionProfile, change: Change) -> Result<ExtensionProfile, Failure> {
    supplementary::grant(&mut profile.services, &change);
    if let Some(name) = change.name {
        profile.name = name;
    }
    match change.devices {
        Some(0) => {
            let detail = text!(
                "devices = 0: must be 1 (no right) or more",
                "devices = 0：取值应为1（无一号多机权限）或更大"
            );
            return Err(Failure::new(422, "invalid", detail).at("devices"));
        }
        // One device needs no right: the newest replaces the one before.
        Some(1) => profile.devices_max = None,
        Some(devices) => profile.devices_max = Some(devices),
        None => {}
    }
    profile.calls_max = change.calls.unwrap_or(profile.calls_max);
    profile.relay = change.relay.unwrap_or(profile.relay);
    profile.media_source = change.media_source.unwrap_or(profile.media_source);
    profile.digest_without_qop = change.digest_without_qop.unwrap_or(profile.digest_without_qop);
    profile.levels = change.levels.unwrap_or(profile.levels);
    if let Some(plan) = change.plan {
        profile.plan = (plan != DEFAULT_PLAN).then_some(plan);
    }
    if let Some(addresses) = change.addresses {
        let parsed: Result<_, Failure> = addresses.iter().map(|it| address(it)).collect();
        profile.addresses = parsed?;
    }
    Ok(profile)
}

/// `192.168.1.9`, `192.168.1.9:5062`, `192.168.1.0/24`, and the same for IPv6.
pub fn address(text: &str) -> Result<AllowedAddress, Failure> {
    let host = |ip: IpAddr| ip.to_canonical().into();
    let parsed = if let Ok(ip) = text.parse::<IpAddr>() {
        Some(AllowedAddress { network: host(ip), port: None })
    } else if let Ok(socket) = text.parse::<SocketAddr>() {
        Some(AllowedAddress { network: host(socket.ip()), port: Some(socket.port()) })
    } else {
        text.parse().ok().map(|network| AllowedAddress { network, port: None })
    };
    parsed.ok_or_else(|| {
        let detail = text!(
            "address = {text}: must be an address, address:port or network/length",
            "address = {text}：应为地址、地址:端口或网络/前缀长度"
        );
        Failure::new(422, "invalid", detail).at("addresses")
    })
}

fn address_text(address: &AllowedAddress) -> String {
    match (address.host(), address.port) {
        (Some(ip), Some(port)) => SocketAddr::new(ip, port).to_string(),
        (Some(ip), None) => ip.to_string(),
        (None, _) => address.network.to_string(),
    }
}

impl From<StoredExtension> for Extension {
    fn from(it: StoredExtension) -> Self {
        let profile = it.profile;
        Self {
            addresses: profile.addresses.iter().map(address_text).collect(),
            number: profile.number,
            name: profile.name,
            devices: profile.devices_max.unwrap_or(1),
            calls: profile.calls_max,
            relay: profile.relay,
            media_source: profile.media_source,
            digest_without_qop: profile.digest_without_qop,
            plan: profile.plan.unwrap_or_else(|| DEFAULT_PLAN.to_owned()),
            levels: profile.levels,
            may_forward: profile.services.may_forward,
            ring_s: profile.services.ring_s,
            forward: BTreeMap::new(),
            do_not_disturb: false,
            call_waiting: profile.services.call_waiting,
            calls_in: profile.services.calls_in_max,
            calls_out: profile.services.calls_out_max,
            pickup_group: profile.services.pickup_group,
            has_password: it.has_password,
            weak_password: it.weak_password,
        }
    }
}

pub(crate) async fn on_show(
    State(office): State<Office>,
    Path(number): Path<String>,
) -> Result<Json<ExtensionNow>, Failure> {
    Ok(Json(state::one(&office, show(&office.db, &number).await?)))
}

/// As [`add`], and the running server knows it at once.
pub(crate) async fn add_live(
    office: &Office,
    author: Author<'_>,
    request: AddRequest,
) -> Result<Vec<Credentials>, Failure> {
    let author = author.edit();
    let (made, phones) = added(author.db(), request).await?;
    author.added(&numbers(&made), &phones).await?;
    author.commit().await?;
    office.running.changed(Edit::Extensions(numbers(&made))).await?;
    for (number, changes) in phones {
        set_by_phone(office, &number, changes).await?;
    }
    Ok(made)
}

/// As [`set`], and the running server knows it at once.
pub(crate) async fn set_live(
    office: &Office,
    author: Author<'_>,
    number: &str,
    change: Change,
) -> Result<Extension, Failure> {
    let author = author.edit();
    let db = author.db();
    let before = show(db, number).await?;
    let changes = stored(db, number, change).await?;
    let extension = with_set(db, number, &changes).await?;
    author.changed(EXTENSIONS, number, Some(&before), Some(&extension)).await?;
    author.commit().await?;
    office.running.changed(Edit::Extensions(vec![number.to_owned()])).await?;
    set_by_phone(office, number, changes).await?;
    Ok(extension)
}

/// As [`delete`], and the running server knows it at once.
pub(crate) async fn delete_live(
    office: &Office,
    author: Author<'_>,
    number: &str,
) -> Result<(), Failure> {
    delete(author, number).await?;
    office.running.changed(Edit::Extensions(vec![number.to_owned()])).await
}

pub(crate) async fn on_add(
    State(office): State<Office>,
    principal: Principal,
    Json(request): Json<AddRequest>,
) -> Result<Json<Vec<Credentials>>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    add_live(&office, Author::of(&office, &principal), request).await.map(Json)
}

pub(crate) async fn on_set(
    State(office): State<Office>,
    principal: Principal,
    Path(number): Path<String>,
    Json(patch): Json<Patch<Change>>,
) -> Result<Json<ExtensionNow>, Failure> {
    let change = patched(patch.fields)?;
    let _one_at_a_time = office.edits.lock().await;
    let set = set_live(&office, Author::of(&office, &principal), &number, change).await?;
    Ok(Json(state::one(&office, set)))
}

/// What follows from other fields, or cannot be set.
const DERIVED: [&str; 3] = ["number", "has_password", "weak_password"];

/// These fields of an extension as `fields` has them, as a change to that.
pub(crate) fn change_to(fields: &Fields, names: &[String]) -> Result<Change, Failure> {
    let mut change = Fields::new();
    for name in names.iter().filter(|it| !DERIVED.contains(&it.as_str())) {
        change.insert(name.clone(), fields.get(name).cloned().unwrap_or_default());
    }
    if let Some(Value::Object(forward)) = change.get_mut("forward") {
        for when in Forwarding::ALL {
            // None is an empty number.
            forward.entry(when.as_str()).or_insert_with(|| "".into());
        }
    }
    serde_json::from_value(Value::Object(change))
        .map_err(|error| Failure::new(500, "damaged", Text::same(error.to_string())))
}

/// A merge patch as a change: `null` is what a new extension has, and no forwarding is an empty number.
fn patched(mut fields: Fields) -> Result<Change, Failure> {
    let none = || Forwarding::ALL.map(|it| (it.as_str().to_owned(), Value::from(""))).into_iter();
    match fields.get_mut("forward") {
        Some(Value::Object(forward)) => {
            forward.values_mut().filter(|it| it.is_null()).for_each(|it| *it = "".into());
        }
        Some(it) if it.is_null() => *it = Value::Object(none().collect()),
        Some(_) | None => {}
    }
    merged(fields, &defaults())
}

/// What is shown of one that nothing is said of.
pub(crate) fn defaults() -> Fields {
    let profile = ExtensionProfile::default();
    let new = StoredExtension { profile, has_password: false, weak_password: false };
    match serde_json::to_value(Extension::from(new)) {
        Ok(Value::Object(defaults)) => defaults,
        // A struct of plain values is an object.
        Ok(_) | Err(_) => Fields::new(),
    }
}

/// The running server is the one who writes what phones set.
/// In the place of a phone: the core has it at once. The database gets it from the journal; it is written here too, so
/// that who looks right behind sees it, and what comes from the journal is the same or newer.
async fn set_by_phone(
    office: &Office,
    number: &str,
    changes: Vec<PhoneChange>,
) -> Result<(), Failure> {
    for change in changes.iter().cloned() {
        if !office.running.set_by_phone(number, change) {
            let detail = text!(
                "the server is too busy: {number} keeps its forwarding; try again",
                "服务器繁忙，{number}的呼叫转移未改变，请重试"
            );
            return Err(Failure::new(503, "busy", detail));
        }
    }
    supplementary::set_stored(&office.db, number, changes).await
}

pub(crate) async fn on_delete(
    State(office): State<Office>,
    principal: Principal,
    Path(number): Path<String>,
) -> Result<Json<()>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    delete_live(&office, Author::of(&office, &principal), &number).await.map(Json)
}

/// `POST …/{number}:passwd` and `:provisioning-token`.
pub(crate) async fn on_verb(
    office: State<Office>,
    principal: Principal,
    Path(number): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    if let Some(number) = number.strip_suffix(":passwd") {
        let asked = on_passwd(office, principal, Path(number.to_owned()), read(&body)?);
        return asked.await.map(IntoResponse::into_response);
    }
    if let Some(number) = number.strip_suffix(":provisioning-token") {
        let asked = provisioning::on_token(office, Path(number.to_owned()), read(&body)?);
        return asked.await.map(IntoResponse::into_response);
    }
    Err(Failure::new(404, "not_found", text!("there is no such verb", "没有这种操作")))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<Json<T>, Failure> {
    Json::from_bytes(body).map_err(|error| unreadable(error.status(), &error.body_text()))
}

pub(crate) async fn on_passwd(
    State(office): State<Office>,
    principal: Principal,
    Path(number): Path<String>,
    Json(request): Json<PasswordRequest>,
) -> Result<Json<Credentials>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    let author = Author::of(&office, &principal);
    let credentials = passwd(author, &number, request).await?;
    office.running.changed(Edit::Extensions(vec![number])).await?;
    Ok(Json(credentials))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_are_read_and_written_alike() {
        let same =
            ["192.168.1.9", "192.168.1.9:5062", "10.0.0.0/8", "2001:db8::7", "[2001:db8::7]:5060"];
        for text in same {
            assert_eq!(address_text(&address(text).unwrap()), text);
        }
        let error = address("office").unwrap_err();
        assert_eq!((error.status, error.code.as_str()), (422, "invalid"));
    }

    #[test]
    fn a_change_touches_only_what_it_names() {
        let profile = ExtensionProfile {
            devices_max: Some(3),
            name: "Hall".to_owned(),
            ..ExtensionProfile::new("100")
        };
        let same = changed(profile.clone(), Change::default()).unwrap();
        assert_eq!(same, profile);
        let one =
            changed(profile.clone(), Change { devices: Some(1), ..Change::default() }).unwrap();
        assert_eq!((one.devices_max, one.name.as_str()), (None, "Hall"));
        assert!(changed(profile, Change { devices: Some(0), ..Change::default() }).is_err());
    }

    #[test]
    fn who_is_in_the_list_twice_is_named() {
        let new = |number: &str| NewExtension { number: number.into(), ..NewExtension::default() };
        #[rustfmt::skip]
        let table: [(&[&str], Option<&str>); 4] = [
            (&["100", "101"],           None),
            (&["100", "101", "100"],    Some("extension 100 is in the list twice")),
            (&["100-109", "105"],       Some("extension 105 is in the list twice")),
            (&["100-109", "108-112"],   Some("extension 108 is in the list twice")),
        ];
        for (numbers, expected) in table {
            let failure = each(numbers.iter().map(|it| new(it)).collect()).err();
            assert_eq!(failure.as_ref().map(|it| &*it.detail_en), expected, "{numbers:?}");
            assert!(failure.is_none_or(|it| it.field.as_deref() == Some("number")));
        }
    }

    #[test]
    fn an_extension_by_address_needs_no_password() {
        let by_address =
            Change { addresses: Some(vec!["10.0.0.1".to_owned()]), ..Change::default() };
        let new = NewExtension { number: "100".to_owned(), password: None, change: by_address };
        assert_eq!(prepare(new, false).unwrap().1, None);
        let new = NewExtension { number: "100".to_owned(), ..NewExtension::default() };
        assert!(prepare(new, false).unwrap().1.is_some());
        let weak = NewExtension {
            number: "100".to_owned(),
            password: Some("100".to_owned()),
            change: Change::default(),
        };
        assert_eq!(prepare(weak, false).map(|it| it.1).unwrap_err().code, "weak_password");
    }
}
