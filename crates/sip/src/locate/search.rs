//! From a name to its servers: the questions in their order and what follows from the answers
//! (RFC 3263 §4.1, §4.2).

use super::{
    Answer, Kind, Lack, Naptr, Place, Question, Records, SIP_PORT, Srv, TRANSPORTS, plain,
};
use crate::flow::Transport;
use std::net::IpAddr;

/// Most services of one name; further ones are not asked for.
pub const SERVICES_MAX: usize = 16;

/// Most addresses of one service; further ones are left out.
pub const ADDRESSES_MAX: usize = 16;

/// What was found for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// By their ranks.
    pub services: Vec<Service>,
    /// Servers that SRV records name and that have no address: there for whoever examines the name.
    pub lost: Vec<Box<str>>,
}

/// One server and its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub transport: Transport,
    pub port: u16,
    /// The lowest is tried first; among equals the weights decide.
    pub rank: u16,
    /// Its share among those of its rank (RFC 2782).
    pub weight: u16,
    pub addresses: Vec<IpAddr>,
}

/// How far a search has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These must be answered first; they may be asked at once.
    Ask(Vec<Question>),
    Done(Result<Located, Lack>),
}

/// The servers of a name, as far as the answers go that are there: `answered` gives those.
pub fn locate<'a>(place: &Place, answered: &dyn Fn(&Question) -> Option<&'a Answer>) -> Step {
    let mut search = Search { answered, missing: Vec::new() };
    let found = search.run(place);
    if !search.missing.is_empty() {
        return Step::Ask(search.missing);
    }
    Step::Done(found)
}

struct Search<'s, 'a> {
    answered: &'s dyn Fn(&Question) -> Option<&'a Answer>,
    missing: Vec<Question>,
}

/// Where SRV records were found, and the transport they are for.
type Servers<'a> = Vec<(Transport, &'a [Srv])>;

impl<'a> Search<'_, 'a> {
    /// Without meaning while answers are missing.
    fn run(&mut self, place: &Place) -> Result<Located, Lack> {
        let transport = place.transport.unwrap_or(Transport::Udp);
        if let Some(port) = place.port {
            return self.at_port(&place.name, transport, port);
        }
        let servers = match place.transport {
            Some(transport) => self.servers(&[(transport, service(transport, &place.name))])?,
            None => {
                let services = self.services(&place.name);
                if !self.missing.is_empty() {
                    return Err(Lack::NoAnswer);
                }
                self.servers(&services)?
            }
        };
        if !self.missing.is_empty() {
            return Err(Lack::NoAnswer);
        }
        if servers.is_empty() {
            return self.at_port(&place.name, transport, SIP_PORT);
        }
        self.locate_servers(&servers)
    }

    /// The transports of a name without one, by preference, and where their servers are listed.
    fn services(&mut self, name: &str) -> Vec<(Transport, Box<str>)> {
        let naptr = match self.ask(name, Kind::Naptr) {
            Some(Ok(Records::Naptr(records))) => spoken(records),
            // Some servers of DNS never answer this question; the others are asked all the same.
            Some(_) | None => Vec::new(),
        };
        if !naptr.is_empty() {
            return naptr;
        }
        TRANSPORTS.map(|it| (it, service(it, name))).into()
    }

    /// The servers of all these services. Which of them are missing cannot be guessed: without an
    /// answer nothing was found.
    fn servers(&mut self, services: &[(Transport, Box<str>)]) -> Result<Servers<'a>, Lack> {
        let answers: Vec<_> = services
            .iter()
            .map(|(transport, name)| (*transport, self.ask(name, Kind::Srv)))
            .collect();
        let mut servers = Servers::new();
        let mut lack = None;
        for (transport, answer) in answers {
            match answer {
                Some(Ok(Records::Srv(records))) => servers.push((transport, records)),
                Some(Err(Lack::NoAnswer)) => lack = Some(Lack::NoAnswer),
                Some(Ok(_) | Err(Lack::NoSuchName | Lack::NoRecords)) | None => {}
            }
        }
        match lack {
            Some(lack) if servers.is_empty() => Err(lack),
            Some(_) | None => Ok(servers),
        }
    }

    fn locate_servers(&mut self, servers: &Servers<'a>) -> Result<Located, Lack> {
        let mut services = Vec::new();
        let mut lost = Vec::new();
        let mut lack = Lack::NoRecords;
        let mut rank = 0;
        for (transport, records) in servers {
            // "." says that the service is decidedly not available (RFC 2782).
            let mut records: Vec<&Srv> =
                records.iter().filter(|it| !plain(&it.target).is_empty()).collect();
            records.sort_by_key(|it| it.priority);
            let mut priority = None;
            for it in records.into_iter().take(SERVICES_MAX - services.len().min(SERVICES_MAX)) {
                if priority.is_some_and(|priority| priority != it.priority) {
                    rank += 1;
                }
                priority = Some(it.priority);
                match self.addresses(&plain(&it.target)) {
                    Ok(addresses) => services.push(Service {
                        transport: *transport,
                        port: it.port,
                        rank,
                        weight: it.weight,
                        addresses,
                    }),
                    Err(why) => {
                        lack = why;
                        // Without an answer nothing is known of it.
                        if why != Lack::NoAnswer && lost.len() < SERVICES_MAX {
                            lost.push(plain(&it.target));
                        }
                    }
                }
            }
            rank += 1;
        }
        if services.is_empty() { Err(lack) } else { Ok(Located { services, lost }) }
    }

    fn at_port(&mut self, name: &str, transport: Transport, port: u16) -> Result<Located, Lack> {
        let addresses = self.addresses(name)?;
        let services = vec![Service { transport, port, rank: 0, weight: 0, addresses }];
        Ok(Located { services, lost: vec![] })
    }

    /// Both families: which of them we have is not DNS's business.
    fn addresses(&mut self, name: &str) -> Result<Vec<IpAddr>, Lack> {
        let answers = [Kind::Aaaa, Kind::A].map(|kind| self.ask(name, kind));
        let mut addresses = Vec::new();
        let mut lack = Lack::NoSuchName;
        for answer in answers.into_iter().flatten() {
            match answer {
                Ok(Records::Addresses(found)) => addresses.extend(found),
                Ok(Records::Naptr(_) | Records::Srv(_)) => lack = Lack::NoRecords,
                Err(Lack::NoAnswer) => lack = Lack::NoAnswer,
                Err(why) if lack == Lack::NoSuchName => lack = *why,
                Err(_) => {}
            }
        }
        addresses.truncate(ADDRESSES_MAX);
        if addresses.is_empty() { Err(lack) } else { Ok(addresses) }
    }

    fn ask(&mut self, name: &str, kind: Kind) -> Option<&'a Answer> {
        let question = Question { name: name.into(), kind };
        let answer = (self.answered)(&question);
        if answer.is_none() && !self.missing.contains(&question) {
            self.missing.push(question);
        }
        answer
    }
}

/// Where the servers of a name are listed for a transport (RFC 3263 §4.2).
fn service(transport: Transport, name: &str) -> Box<str> {
    format!("_sip._{}.{name}", transport.uri_name()).into()
}

/// The services that can be used: those of the lowest order that has any, by preference
/// (RFC 3403 §4.1). What leads elsewhere than to SRV records is not for SIP (RFC 3263 §4.1).
fn spoken(records: &[Naptr]) -> Vec<(Transport, Box<str>)> {
    let mut usable: Vec<_> = records
        .iter()
        .filter(|it| it.flags.eq_ignore_ascii_case("s") && it.regexp.is_empty())
        .filter_map(|it| Some((it, transport_of(&it.services)?, plain(&it.replacement))))
        .filter(|it| !it.2.is_empty())
        .collect();
    usable.sort_by_key(|it| (it.0.order, it.0.preference));
    let order = usable.first().map(|it| it.0.order);
    usable.retain(|it| Some(it.0.order) == order);
    usable.truncate(SERVICES_MAX);
    usable.into_iter().map(|(_, transport, name)| (transport, name)).collect()
}

/// RFC 3263 §4.1. `SIPS+D2T` is not there, as there is no TLS.
fn transport_of(services: &str) -> Option<Transport> {
    match services.to_ascii_uppercase().as_str() {
        "SIP+D2U" => Some(Transport::Udp),
        "SIP+D2T" => Some(Transport::Tcp),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
