//! `From` and `To`: who a request says it is from, and for whom (RFC 3261 §20.20, §20.39).

use std::ops::Deref;

use super::{NameAddr, TypedHeader};
use crate::message::name::HeaderName;

/// The From header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct From<'a>(pub NameAddr<'a>);

/// The To header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct To<'a>(pub NameAddr<'a>);

impl<'a> TypedHeader<'a> for From<'a> {
    const NAME: HeaderName = HeaderName::From;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        NameAddr::parse(value).map(Self)
    }
}

impl<'a> TypedHeader<'a> for To<'a> {
    const NAME: HeaderName = HeaderName::To;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        NameAddr::parse(value).map(Self)
    }
}

impl<'a> Deref for From<'a> {
    type Target = NameAddr<'a>;

    fn deref(&self) -> &NameAddr<'a> {
        &self.0
    }
}

impl<'a> Deref for To<'a> {
    type Target = NameAddr<'a>;

    fn deref(&self) -> &NameAddr<'a> {
        &self.0
    }
}
