//! `Route` and `Record-Route`: the hops of a dialog (RFC 3261 §20.30, §20.34).

use std::ops::Deref;

use super::{NameAddr, TypedHeader};
use crate::message::name::HeaderName;

/// One element of a Route header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<'a>(pub NameAddr<'a>);

/// One element of a Record-Route header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRoute<'a>(pub NameAddr<'a>);

impl<'a> TypedHeader<'a> for Route<'a> {
    const NAME: HeaderName = HeaderName::Route;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        NameAddr::parse(value).map(Self)
    }
}

impl<'a> TypedHeader<'a> for RecordRoute<'a> {
    const NAME: HeaderName = HeaderName::RecordRoute;

    fn parse(value: &'a str) -> Result<Self, &'static str> {
        NameAddr::parse(value).map(Self)
    }
}

impl<'a> Deref for Route<'a> {
    type Target = NameAddr<'a>;

    fn deref(&self) -> &NameAddr<'a> {
        &self.0
    }
}

impl<'a> Deref for RecordRoute<'a> {
    type Target = NameAddr<'a>;

    fn deref(&self) -> &NameAddr<'a> {
        &self.0
    }
}
