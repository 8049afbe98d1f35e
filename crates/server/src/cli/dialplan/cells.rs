//! A row of a table as the cells of a CSV file, and back: each cell in the type of its field.
//!
//! An empty cell is the default. A field of a table within the row is a column `interop.codecs`; a list has spaces
//! between its items; a choice and what is chosen stand as `external-line:line:5678`. A cell that a spreadsheet would
//! run as a formula, or take for a date or number and write back in another way, begins with `'`.

use pbx::dialplan::time::TimeCondition;
use pbx::language::Text;
use pbx::text;
use serde::Serialize;
use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;
use std::fmt;
use std::net::Ipv6Addr;

/// What a cell begins with that is a text, whatever it looks like.
const GUARD: char = '\'';
/// Spreadsheets take these for the beginning of a formula, the wide ones where people write Chinese.
const FORMULA: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', GUARD];
/// A longer number comes back from a spreadsheet as 1.38E+12.
const DIGITS_MAX: usize = 11;
/// The items of this column contain commas: `host:port,priority`.
const SERVERS: &str = "addresses";
/// This column has rules that are worth naming.
const TIME: &str = "time";

type Names = &'static [&'static str];

/// What is wrong with one cell, and the way out.
#[derive(Debug)]
pub(super) struct BadCell {
    /// `None`: of the row as a whole.
    pub(super) column: Option<String>,
    pub(super) reason: Text,
}

/// The columns of a table, from the fields of its row.
pub(super) fn columns<T: DeserializeOwned>() -> Vec<String> {
    let fields = |probed: Result<T, Probed>| probed.err().map_or(&[][..], |it| it.0);
    let nested = |field: &'static str| {
        let row = MapDeserializer::new(std::iter::once((field, Probe)));
        match fields(T::deserialize(row)) {
            [] => vec![field.to_owned()],
            inner => inner.iter().map(|it| format!("{field}.{it}")).collect(),
        }
    };
    fields(T::deserialize(Probe)).iter().flat_map(|it| nested(it)).collect()
}

/// The cells of a row in these columns.
pub(super) fn write(
    row: &impl Serialize,
    columns: &[String],
) -> Result<Vec<String>, serde_json::Error> {
    let row = serde_json::to_value(row)?;
    let cell = |column: &String| {
        let value = column.split('.').try_fold(&row, |it, key| it.get(key));
        value.map_or_else(String::new, guarded)
    };
    Ok(columns.iter().map(cell).collect())
}

fn guarded(value: &Value) -> String {
    let text = plain(value);
    match value {
        // These are numbers for a spreadsheet too.
        Value::Null | Value::Bool(_) | Value::Number(_) => text,
        Value::String(_) | Value::Array(_) | Value::Object(_) if !is_changed(&text) => text,
        Value::String(_) | Value::Array(_) | Value::Object(_) => format!("{GUARD}{text}"),
    }
}

/// Whether a spreadsheet would run the text, or write it back in another way.
fn is_changed(text: &str) -> bool {
    let is_kept = text.bytes().all(|it| it.is_ascii_digit())
        && text.len() <= DIGITS_MAX
        && (text == "0" || !text.starts_with('0'));
    text.starts_with(FORMULA) || (text.starts_with(|it: char| it.is_ascii_digit()) && !is_kept)
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        Value::Object(it) => match (it.get("host"), it.get("port"), it.get("priority")) {
            (Some(Value::String(host)), Some(port), Some(priority)) => {
                format!("{host}:{port},{priority}")
            }
            _ => {
                let choice = it.iter().map(|(key, it)| format!("{key}:{}", plain(it)));
                choice.collect::<Vec<_>>().join(" ")
            }
        },
    }
}

/// A row of its cells, or everything that is wrong with them.
pub(super) fn read<T: DeserializeOwned>(cells: &[(&str, &str)]) -> Result<T, Vec<BadCell>> {
    let mut cells: Vec<Cell<'_>> = cells
        .iter()
        .filter(|(_, text)| !text.trim().is_empty())
        .map(|(column, text)| Cell { column, text: text.strip_prefix(GUARD).unwrap_or(text) })
        .collect();
    let mut bad: Vec<BadCell> = vec![];
    loop {
        let error = match T::deserialize(Row::new(&cells)) {
            Ok(row) if bad.is_empty() => return Ok(row),
            Ok(_) => return Err(bad),
            Err(error) => error.bad_cell(),
        };
        // Without the bad cell the row may have another one.
        let before = cells.len();
        cells.retain(|it| Some(it.column) != error.column.as_deref());
        if bad.iter().all(|it| it.column != error.column) {
            bad.push(error);
        }
        if cells.len() == before {
            return Err(bad);
        }
    }
}

/// Cells as a map, those of a table within the row as a map of its own.
struct Row<'a> {
    fields: std::vec::IntoIter<(&'a str, Node<'a>)>,
    value: Option<Node<'a>>,
}

/// The value of one field.
enum Node<'a> {
    Cell(Cell<'a>),
    Table(Vec<Cell<'a>>),
}

impl<'a> Row<'a> {
    fn new(cells: &[Cell<'a>]) -> Self {
        let mut fields: Vec<(&str, Node<'_>)> = vec![];
        for cell in cells {
            match cell.column.split_once('.') {
                None => fields.push((cell.column, Node::Cell(*cell))),
                Some((table, _)) => match fields.iter_mut().find(|(it, _)| *it == table) {
                    Some((_, Node::Table(inner))) => inner.push(*cell),
                    Some(_) | None => fields.push((table, Node::Table(vec![*cell]))),
                },
            }
        }
        Self { fields: fields.into_iter(), value: None }
    }

    /// The fields of a table within a row.
    fn within(cells: Vec<Cell<'a>>) -> Self {
        let field = |cell: Cell<'a>| {
            let name = cell.column.split_once('.').map_or(cell.column, |it| it.1);
            (name, Node::Cell(cell))
        };
        Self { fields: cells.into_iter().map(field).collect::<Vec<_>>().into_iter(), value: None }
    }
}

impl<'de> de::MapAccess<'de> for Row<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((name, value)) = self.fields.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(StrDeserializer::<Fault>::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        match self.value.take() {
            None => Err(de::Error::custom("a value without a field")),
            Some(Node::Table(cells)) => seed.deserialize(Row::within(cells)),
            // What a type says of its text names no cell: here it gets one.
            Some(Node::Cell(cell)) => seed.deserialize(cell).map_err(|it| it.of(cell)),
        }
    }
}

impl<'de> de::Deserializer<'de> for Row<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A cell, or the part of it that is one item or what is chosen.
#[derive(Clone, Copy)]
struct Cell<'a> {
    column: &'a str,
    text: &'a str,
}

impl Cell<'_> {
    fn number<N: std::str::FromStr>(self, most: impl fmt::Display) -> Result<N, Fault> {
        let text = self.text.trim();
        text.parse().map_err(|_| {
            Fault::Reason(text!(
                "\"{text}\" is no whole number from 0 to {most}. Write one",
                "“{text}”不是0至{most}的整数。请填写整数"
            ))
        })
    }
}

impl<'de> de::Deserializer<'de> for Cell<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(self.text)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let text = self.text.trim();
        match text.to_ascii_lowercase().as_str() {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => Err(Fault::Reason(text!(
                "\"{text}\" is neither true nor false. Write one of them",
                "“{text}”既不是true也不是false。请填写其中之一"
            ))),
        }
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_u8(self.number(u8::MAX)?)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_u16(self.number(u16::MAX)?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_u32(self.number(u32::MAX)?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let parts = |it: char| it.is_whitespace() || (it == ',' && self.column != SERVERS);
        let items = self.text.split(parts).filter(|it| !it.is_empty());
        let items = items.map(|text| Self { text, ..self });
        visitor.visit_seq(SeqDeserializer::new(items))
    }

    /// A server of a trunk is the one item with fields of its own.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: Names,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_map(MapDeserializer::new(server(self).into_iter()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: Names,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let text = self.text.trim();
        let (name, chosen) = text.split_once(':').map_or((text, None), |(a, b)| (a, Some(b)));
        if !variants.contains(&name) {
            let variants = variants.join(", ");
            return Err(Fault::Reason(text!(
                "\"{name}\" is unknown. Write one of {variants}",
                "“{name}”未知。请填写其中之一：{variants}"
            )));
        }
        visitor.visit_enum(Choice { name, chosen, column: self.column })
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple tuple_struct map
        identifier ignored_any
    }
}

impl<'a> IntoDeserializer<'a, Fault> for Cell<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// `host:port,priority`; port and priority may be absent, and an address of IPv6 stands in brackets.
fn server(cell: Cell<'_>) -> Vec<(&'static str, Cell<'_>)> {
    let part = |text| Cell { text, ..cell };
    let (server, priority) = match cell.text.split_once(',') {
        Some((server, priority)) => (server, Some(priority)),
        None => (cell.text, None),
    };
    let has_port =
        !server.ends_with(']') && (priority.is_some() || server.parse::<Ipv6Addr>().is_err());
    let (host, port) = match server.rsplit_once(':').filter(|_| has_port) {
        Some((host, port)) => (host, Some(port)),
        None => (server, None),
    };
    let rest = [("port", port), ("priority", priority)];
    let rest = rest.into_iter().filter_map(|(name, text)| Some((name, part(text?))));
    std::iter::once(("host", part(host))).chain(rest).collect()
}

/// A choice, and what is chosen of it.
struct Choice<'a> {
    name: &'a str,
    chosen: Option<&'a str>,
    column: &'a str,
}

impl<'de> de::EnumAccess<'de> for Choice<'de> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let name = StrDeserializer::<Fault>::new(self.name);
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Choice<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        let Self { name, .. } = self;
        match self.chosen {
            None | Some("") => Ok(()),
            Some(rest) => Err(Fault::Reason(text!(
                "nothing may stand after {name}, and there is \"{rest}\". Delete it",
                "{name}之后不能有内容，但有“{rest}”。请删除"
            ))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        let Self { name, column, .. } = self;
        match self.chosen {
            Some(text) if !text.is_empty() => seed.deserialize(Cell { column, text }),
            _ => Err(Fault::Reason(text!(
                "{name} is not complete. Write what is chosen after it, as {name}:…",
                "{name}不完整。请在其后填写所选内容，例如{name}:…"
            ))),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Fault> {
        Err(de::Error::custom("a list"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: Names, _: V) -> Result<V::Value, Fault> {
        Err(de::Error::custom("a table"))
    }
}

/// What went wrong, as far as it is known where it did.
#[derive(Debug)]
enum Fault {
    Bad(BadCell),
    /// With the way out, but without the column.
    Reason(Text),
    /// The field's type says what it is not.
    NotTaken(String),
}

impl Fault {
    /// Of this cell.
    fn of(self, cell: Cell<'_>) -> Self {
        let Cell { column, text } = cell;
        let reason = match self {
            Self::Bad(_) => return self,
            Self::Reason(reason) => reason,
            Self::NotTaken(what) => match text.parse::<TimeCondition>() {
                Err(bad) if column == TIME => bad.text(),
                _ => text!(
                    "\"{text}\" cannot be used: {what}. Write another value",
                    "“{text}”不可用：{what}。请修改"
                ),
            },
        };
        Self::Bad(BadCell { column: Some(column.to_owned()), reason })
    }

    fn bad_cell(self) -> BadCell {
        match self {
            Self::Bad(bad) => bad,
            Self::Reason(reason) => BadCell { column: None, reason },
            Self::NotTaken(what) => BadCell { column: None, reason: Text::same(what) },
        }
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::NotTaken(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        let reason = text!("the cell is empty. Fill it in", "单元格为空。请填写");
        Self::Bad(BadCell { column: Some(field.to_owned()), reason })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Fault {}

/// Asks a type for its fields.
#[derive(Clone, Copy)]
struct Probe;

/// The fields it has; none where it is no table.
#[derive(Debug)]
struct Probed(Names);

impl<'de> de::Deserializer<'de> for Probe {
    type Error = Probed;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Probed> {
        Err(Probed(&[]))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: Names,
        _: V,
    ) -> Result<V::Value, Probed> {
        Err(Probed(fields))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl IntoDeserializer<'_, Probed> for Probe {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl de::Error for Probed {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }
}

impl fmt::Display for Probed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Probed {}
