//! Extensions: the operations of the API, which the command line also uses while no server runs,
//! and their handlers.

use crate::resource::{
    AddRequest, Change, Credentials, Extension, Failure, NewExtension, PasswordRequest,
};
use crate::{Edit, Office};
use axum::Json;
use axum::extract::{Path, State};
use pbx::dialplan::rows::DEFAULT_PLAN;
use pbx::directory::AllowedAddress;
use pbx::id::TenantId;
use pbx::text;
use std::net::{IpAddr, SocketAddr};
use store::db::{self, ExtensionProfile, StoredExtension};
use store::password::NewPassword;
use store::{Db, StoreError};

/// Most extensions made by one request.
pub const EXTENSIONS_PER_REQUEST_MAX: usize = 100_000;

/// All extensions, by number.
pub async fn list(db: &Db) -> Result<Vec<Extension>, Failure> {
    let found = db.extensions(TenantId::default()).await?;
    Ok(found.into_iter().map(Extension::from).collect())
}

pub async fn show(db: &Db, number: &str) -> Result<Extension, Failure> {
    Ok(db.extension(TenantId::default(), number).await?.into())
}

/// Adds all of them or none. The answer is the only place where the passwords are ever shown.
pub async fn add(db: &Db, request: AddRequest) -> Result<Vec<Credentials>, Failure> {
    if request.extensions.len() > EXTENSIONS_PER_REQUEST_MAX {
        let detail = text!(
            "at most {EXTENSIONS_PER_REQUEST_MAX} extensions at a time",
            "一次最多{EXTENSIONS_PER_REQUEST_MAX}个分机"
        );
        return Err(Failure::new(422, "too_many", detail));
    }
    let mut rows = Vec::with_capacity(request.extensions.len());
    let mut credentials = Vec::with_capacity(request.extensions.len());
    for new in request.extensions {
        let number = new.number.clone();
        let (row, made) =
            prepare(new, request.allow_weak).map_err(|it| it.about(number.clone()))?;
        credentials.push(Credentials { number, password: made });
        rows.push(row);
    }
    db.insert_extensions(TenantId::default(), rows).await?;
    Ok(credentials)
}

pub async fn set(db: &Db, number: &str, change: Change) -> Result<Extension, Failure> {
    let stored = db.extension(TenantId::default(), number).await?;
    let profile = changed(stored.profile, change)?;
    db.update_extension(TenantId::default(), profile).await?;
    show(db, number).await
}

pub async fn delete(db: &Db, number: &str) -> Result<(), Failure> {
    Ok(db.delete_extension(TenantId::default(), number).await?)
}

/// Sets a password, or makes one.
pub async fn passwd(
    db: &Db,
    number: &str,
    request: PasswordRequest,
) -> Result<Credentials, Failure> {
    let password = password(number, request.password.as_deref(), request.allow_weak)?;
    db.set_password(TenantId::default(), number, &password).await?;
    let password = Some(password.reveal().to_owned());
    Ok(Credentials { number: number.to_owned(), password })
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

fn password(number: &str, text: Option<&str>, allow_weak: bool) -> Result<NewPassword, Failure> {
    let password = match text {
        None => NewPassword::generate(),
        Some(text) if allow_weak => NewPassword::allow_weak(number, text),
        Some(text) => NewPassword::checked(number, text),
    };
    Ok(password.map_err(StoreError::Password)?)
}

fn changed(mut profile: ExtensionProfile, change: Change) -> Result<ExtensionProfile, Failure> {
    if let Some(name) = change.name {
        profile.name = name;
    }
    match change.devices {
        Some(0) => {
            let detail = text!(
                "devices = 0: must be 1 (no right) or more",
                "devices = 0：取值应为1（无一号多机权限）或更大"
            );
            return Err(Failure::new(422, "invalid", detail));
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
        Failure::new(422, "invalid", detail)
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
            has_password: it.has_password,
            weak_password: it.weak_password,
        }
    }
}

pub(crate) async fn on_list(State(office): State<Office>) -> Result<Json<Vec<Extension>>, Failure> {
    list(&office.db).await.map(Json)
}

pub(crate) async fn on_show(
    State(office): State<Office>,
    Path(number): Path<String>,
) -> Result<Json<Extension>, Failure> {
    show(&office.db, &number).await.map(Json)
}

pub(crate) async fn on_add(
    State(office): State<Office>,
    Json(request): Json<AddRequest>,
) -> Result<Json<Vec<Credentials>>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    let made = add(&office.db, request).await?;
    let numbers = made.iter().map(|it| it.number.clone()).collect();
    office.running.changed(Edit::Extensions(numbers)).await?;
    Ok(Json(made))
}

pub(crate) async fn on_set(
    State(office): State<Office>,
    Path(number): Path<String>,
    Json(change): Json<Change>,
) -> Result<Json<Extension>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    let extension = set(&office.db, &number, change).await?;
    office.running.changed(Edit::Extensions(vec![number])).await?;
    Ok(Json(extension))
}

pub(crate) async fn on_delete(
    State(office): State<Office>,
    Path(number): Path<String>,
) -> Result<Json<()>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    delete(&office.db, &number).await?;
    office.running.changed(Edit::Extensions(vec![number])).await?;
    Ok(Json(()))
}

/// `POST …/{number}:passwd`.
pub(crate) async fn on_verb(
    State(office): State<Office>,
    Path(number): Path<String>,
    Json(request): Json<PasswordRequest>,
) -> Result<Json<Credentials>, Failure> {
    let Some(number) = number.strip_suffix(":passwd") else {
        return Err(Failure::new(404, "not_found", text!("there is no such verb", "没有这种操作")));
    };
    let _one_at_a_time = office.edits.lock().await;
    let credentials = passwd(&office.db, number, request).await?;
    office.running.changed(Edit::Extensions(vec![number.to_owned()])).await?;
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
