//! The route set of a dialog (RFC 3261 §12.1) and what it makes of a request (§12.2.1.1).

use crate::message::{HeaderName, Headers, Uri, Writer};

/// Most routes kept; a longer Record-Route is cut, since no honest path is that long.
pub const ROUTES_MAX: usize = 16;

/// The routes of a dialog in the order they are visited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteSet(Vec<Box<str>>);

impl RouteSet {
    /// For the side that got the request: Record-Route as it stands.
    pub fn of_request(headers: &Headers<'_>) -> Self {
        Self(headers.values(HeaderName::RecordRoute).take(ROUTES_MAX).map(Into::into).collect())
    }

    /// For the side that sent the request: Record-Route of the response, reversed.
    pub fn of_response(headers: &Headers<'_>) -> Self {
        let Self(mut routes) = Self::of_request(headers);
        routes.reverse();
        Self(routes)
    }

    /// A set that was stored.
    pub fn of_routes(routes: Vec<Box<str>>) -> Self {
        Self(routes)
    }

    pub fn routes(&self) -> &[Box<str>] {
        &self.0
    }

    /// The URI of the first route.
    pub fn first_uri(&self) -> Option<&str> {
        self.0.first().map(|it| uri_of(it))
    }

    /// The Request-URI for a request to `target`: the target itself behind loose routers, the
    /// first route before a strict one.
    pub fn request_uri<'a>(&'a self, target: &'a str) -> &'a str {
        match self.0.first() {
            Some(first) if !is_loose(first) => uri_of(first),
            _ => target,
        }
    }

    /// Writes the Route headers that go with [`RouteSet::request_uri`].
    pub fn write(&self, target: &str, writer: &mut Writer) {
        let strict = self.0.first().is_some_and(|first| !is_loose(first));
        for route in self.0.iter().skip(usize::from(strict)) {
            writer.header("Route", route);
        }
        if strict {
            writer.header("Route", format_args!("<{target}>"));
        }
    }
}

fn uri_of(route: &str) -> &str {
    let inner = route.split_once('<').map_or(route, |(_, rest)| rest);
    inner.split_once('>').map_or(inner, |(uri, _)| uri)
}

fn is_loose(route: &str) -> bool {
    Uri::parse(uri_of(route)).is_ok_and(|uri| uri.lr())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Method;

    fn request(routes: &[&str]) -> String {
        let set = RouteSet(routes.iter().map(|&it| it.into()).collect());
        let mut writer = Writer::request(Method::Bye, set.request_uri("sip:bob@192.0.2.4"));
        set.write("sip:bob@192.0.2.4", &mut writer);
        String::from_utf8_lossy(&writer.finish()).into_owned()
    }

    #[test]
    fn loose_and_strict_routes() {
        assert!(request(&[]).starts_with("BYE sip:bob@192.0.2.4 SIP/2.0\r\nContent-Length"));
        let loose = request(&["<sip:p1.example;lr>", "<sip:p2.example;lr>"]);
        assert!(
            loose.starts_with("BYE sip:bob@192.0.2.4 SIP/2.0\r\nRoute: <sip:p1.example;lr>\r\n")
        );
        let strict = request(&["<sip:p1.example>", "<sip:p2.example;lr>"]);
        assert!(strict.starts_with("BYE sip:p1.example SIP/2.0\r\nRoute: <sip:p2.example;lr>\r\n"));
        assert!(strict.contains("Route: <sip:bob@192.0.2.4>\r\n"), "{strict}");
    }
}
