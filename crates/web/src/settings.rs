//! Settings of the office: the operations of the API, which the command line also uses while no server runs, and their
//! handlers.

use crate::access::Principal;
use crate::audit::Author;
use crate::nearest::nearest;
use crate::resource::{Failure, Setting, SettingRequest};
use crate::{Edit, Office};
use axum::Json;
use axum::extract::{Path, State};
use pbx::id::TenantId;
use pbx::settings::{KEYS, Key, OutOfRange, Settings};
use pbx::text;
use serde_json::{Map, Value};
use store::{Db, StoreError};

/// All settings, in the order they are declared.
pub async fn list(db: &Db) -> Result<Vec<Setting>, Failure> {
    Ok(described(&db.settings(TenantId::default()).await?))
}

pub async fn show(db: &Db, key: &str) -> Result<Setting, Failure> {
    let key = known(key)?;
    Ok(one(key, &object(&db.settings(TenantId::default()).await?)))
}

pub async fn set(db: &Db, key: &str, value: Value) -> Result<Setting, Failure> {
    let key = known(key)?;
    let before = db.settings(TenantId::default()).await?;
    let settings = with(&before, key, value)?;
    db.set_settings(TenantId::default(), settings).await?;
    show(db, key.name).await
}

/// Back to the default.
pub async fn reset(db: &Db, key: &str) -> Result<Setting, Failure> {
    let key = known(key)?;
    set(db, key.name, one(key, &Map::new()).default).await
}

/// Every setting with its value in `settings`.
pub fn described(settings: &Settings) -> Vec<Setting> {
    let values = object(settings);
    KEYS.iter().map(|key| one(key, &values)).collect()
}

/// What the value is written like on a command line; [`set`] reads it back.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(","),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

fn one(key: &Key, values: &Map<String, Value>) -> Setting {
    let default = object(&Settings::default()).remove(key.name).unwrap_or_default();
    Setting {
        key: key.name.to_owned(),
        value: values.get(key.name).unwrap_or(&default).clone(),
        default,
        unit: key.unit.clone(),
        range: key.range.clone(),
        help: key.help.clone(),
    }
}

/// The settings with another value of one key.
fn with(settings: &Settings, key: &'static Key, value: Value) -> Result<Settings, Failure> {
    let mut object = object(settings);
    let before = object.get(key.name);
    let is_no_text = !value.is_string() && matches!(before, Some(Value::String(_)));
    let value = match (value, before) {
        (Value::String(text), Some(before)) => read(&text, before),
        (value, _) => value,
    };
    let tried = if is_no_text { text_of(&value).into() } else { value.clone() };
    object.insert(key.name.to_owned(), tried);
    // All else is as it was, so what does not fit is the new value.
    match serde_json::from_value(Value::Object(object)) {
        Ok(_) if is_no_text => Err(no_text(key.name, &value)),
        Ok(settings) => Ok(settings),
        Err(_) => Err(StoreError::Setting(OutOfRange::new(key.name, &text_of(&value))).into()),
    }
}

/// Its rule would say nothing, as the same is legal as a text.
fn no_text(name: &str, value: &Value) -> Failure {
    let detail = text!("{name} = {value}: it must be a text", "{name} = {value}：应为文本");
    Failure::new(422, "invalid", detail)
}

/// A text in the type that the setting has.
fn read(text: &str, like: &Value) -> Value {
    let text = text.trim();
    match like {
        Value::Number(_) => text.parse::<u64>().map_or_else(|_| text.into(), Value::from),
        Value::Array(_) => {
            text.split(',').map(str::trim).filter(|it| !it.is_empty()).map(Value::from).collect()
        }
        Value::Bool(_) => text.parse::<bool>().map_or_else(|_| text.into(), Value::from),
        Value::Null | Value::String(_) | Value::Object(_) => text.into(),
    }
}

/// By their names, as the database stores them.
fn object(settings: &Settings) -> Map<String, Value> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(object)) => object,
        // A struct of plain values is an object.
        Ok(_) | Err(_) => Map::new(),
    }
}

fn known(name: &str) -> Result<&'static Key, Failure> {
    pbx::settings::key(name).ok_or_else(|| {
        let nearest = nearest(name, KEYS.iter().map(|it| it.name));
        let detail = text!("there is no setting {name}{}", "没有设置项{name}{}", nearest);
        Failure::new(404, "not_found", detail)
    })
}

pub(crate) async fn on_list(State(office): State<Office>) -> Result<Json<Vec<Setting>>, Failure> {
    list(&office.db).await.map(Json)
}

pub(crate) async fn on_show(
    State(office): State<Office>,
    Path(key): Path<String>,
) -> Result<Json<Setting>, Failure> {
    show(&office.db, &key).await.map(Json)
}

pub(crate) async fn on_set(
    State(office): State<Office>,
    principal: Principal,
    Path(key): Path<String>,
    Json(request): Json<SettingRequest>,
) -> Result<Json<Setting>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    let author = Author::of(&office, &principal).edit();
    let setting = author.setting(&key, set(author.db(), &key, request.value)).await?;
    author.commit().await?;
    office.running.changed(Edit::Settings).await?;
    Ok(Json(setting))
}

pub(crate) async fn on_reset(
    State(office): State<Office>,
    principal: Principal,
    Path(key): Path<String>,
) -> Result<Json<Setting>, Failure> {
    let _one_at_a_time = office.edits.lock().await;
    let author = Author::of(&office, &principal).edit();
    let setting = author.setting(&key, reset(author.db(), &key)).await?;
    author.commit().await?;
    office.running.changed(Edit::Settings).await?;
    Ok(Json(setting))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_setting_is_described_and_reads_back_what_it_shows() {
        let settings = Settings::default();
        let described = described(&settings);
        assert_eq!(described.len(), object(&settings).len());
        for setting in described {
            let text = text_of(&setting.value);
            let read = with(&settings, known(&setting.key).unwrap(), text.into()).unwrap();
            assert_eq!(read, settings, "{}", setting.key);
            assert!(setting.help.en.ends_with('.') && setting.help.zh.ends_with('。'));
        }
    }

    #[test]
    fn error_table() {
        #[rustfmt::skip]
        let table: [(&str, Value, &str); 7] = [
            ("no_answer_s",       "soon".into(),  "no_answer_s = \"soon\": must be 5 to 600 seconds"),
            ("no_answer_s",       (-1).into(),    "no_answer_s = \"-1\": must be 5 to 600 seconds"),
            ("realm",             5.into(),       "realm = 5: it must be a text"),
            ("language",          "fr".into(),    "language = \"fr\": must be en or zh"),
            ("digest_algorithms", true.into(),    "digest_algorithms = \"true\": must be MD5, SHA-256 or both"),
            ("noanswer_s",        60.into(),      "there is no setting noanswer_s; the nearest is no_answer_s"),
            ("reaml_of_office",   "x".into(),     "there is no setting reaml_of_office"),
        ];
        for (key, value, expected) in table {
            let got = known(key).and_then(|key| with(&Settings::default(), key, value));
            assert_eq!(&*got.unwrap_err().detail_en, expected);
        }
    }

    #[test]
    fn lists_are_read_with_and_without_spaces() {
        let key = known("digest_algorithms").unwrap();
        for value in [Value::from("SHA-256, MD5"), Value::from(vec!["SHA-256", "MD5"])] {
            let settings = with(&Settings::default(), key, value).unwrap();
            assert_eq!(settings.digest_algorithms, ["SHA-256", "MD5"]);
        }
    }
}
