//! How long pages and lists take on a system of 50,000 extensions, each registered, and 1,000,000 call records: the
//! wait of one client that asks again and again, and of four at a time. The rows are put into the database before the
//! server starts: calls that make them would take hours.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use interop::clock;
use interop::http::Request;
use interop::report::Context;
use interop::server::Server;
use serde_json::json;

use crate::candidate::SETTINGS;
use crate::table::{Figure, Report};

const EXTENSIONS: u32 = 50_000;
const FIRST: u32 = 100_000;
const RECORDS: u32 = 1_000_000;
const PASSWORD: &str = "Tea-41-lantern";

/// Requests of the one client, and of each of several.
const REQUESTS: usize = 100;
const CLIENTS: usize = 4;
const REQUESTS_EACH: usize = 25;

/// The promises. Units: milliseconds, octets.
const P99_MAX_MS: f64 = 50.0;
const FIRST_PAGE_MAX: f64 = 100_000.0;

const PATHS: [&str; 40] = [
    "/",
    "/calls",
    "/extensions",
    "/extensions?after=130000",
    "/extensions?q=4999",
    "/extensions?q=nobody",
    "/extensions?state=offline",
    "/extensions/125000",
    "/registrations",
    "/registrations?after=130000/d",
    "/registrations?q=149999",
    "/registrations?q=nobody",
    "/call-records",
    "/call-records?q=125000",
    "/call-records?q=nobody",
    "/call-records?result=failed",
    "/call-records?way=5678",
    "/call-records?code=media.timeout",
    "/call-records?from=2026-11-01&to=2026-11-02",
    "/calls/00000000-0000-7000-8000-000000010000",
    "/calls/c-0000010000",
    "/external-lines",
    "/external-lines/new",
    "/sip-trunks",
    "/dial-plan",
    "/dial-plan/analyze-called",
    "/feature-codes",
    "/settings",
    "/audit",
    "/administrators",
    "/api-keys",
    "/api/v1/status",
    "/api/v1/extensions?limit=100",
    "/api/v1/extensions/125000",
    "/api/v1/registrations?limit=100",
    "/api/v1/external-lines?limit=100",
    "/api/v1/call-records?limit=100",
    "/api/v1/call-records:search",
    "/api/v1/audit-entries",
    "/api/v1/openapi.json",
];

pub(super) fn run() -> Result<Report> {
    let folder = tempfile::Builder::new().prefix("dialtone-bench-").tempdir()?;
    let context = Context::new(folder.path().to_owned());
    let mut server = Server::stopped(&context, &SETTINGS)?;
    fill(&mut server, &context)?;
    server.run()?;
    let browser = Browser::log_in(server.http_address())?;
    let registered = server.json(&["status"])?["registrations"].as_u64();
    ensure!(registered == Some(EXTENSIONS.into()), "{registered:?} registered");
    let mut figures = vec![];
    for path in PATHS {
        figures.push(measure(&browser, path)?);
    }
    let worst = figures.iter().filter_map(|it| it.wait_ms).map(|it| it.1).fold(0.0, f64::max);
    let octets = browser.first_page()?;
    let mut report = Report::of(figures);
    report.promise("ms, the highest p99 of one client", worst, P99_MAX_MS);
    report.promise("octets of the first page, compressed", octets, FIRST_PAGE_MAX);
    Ok(report)
}

/// Extensions and an administrator by the command line, the rest as rows.
fn fill(server: &mut Server, context: &Context) -> Result<()> {
    server.run()?;
    server.add(&format!("{FIRST}-{}", FIRST + EXTENSIONS - 1), &[])?;
    let password = context.folder.join("password");
    std::fs::write(&password, PASSWORD)?;
    server.json(&["admin", "add", "ann", "--password-file", &password.to_string_lossy()])?;
    server.json(&["line", "add", "5678", "--domain", "127.0.0.1", "--register", "false"])?;
    server.terminate()?;
    server.execute(&format!(
        "INSERT INTO bindings (tenant_id, extension, device, contact, transport, local, remote,
            connection, call_id, cseq, q, user_agent, registered_at, expires_at)
        SELECT tenant_id, number, 'd-' || number, 'sip:' || number || '@127.0.0.1:5062', transport,
            '127.0.0.1:5060', '127.0.0.1:' || (1024 + number % 60000), NULL, 'c-' || number, 1, 1000,
            'Yealink SIP-T46U 108.86.0.20', at, at + 86400000
        FROM extensions, (SELECT 'udp' AS transport, unixepoch() * 1000 AS at);
        WITH RECURSIVE calls(at) AS
            (SELECT 0 UNION ALL SELECT at + 1 FROM calls WHERE at + 1 < {RECORDS})
        INSERT INTO call_records (call_id, tenant_id, direction, started_at, ringing_at, answered_at,
            ended_at, duration_ms, billable_ms, caller_number, caller_name, caller_extension,
            caller_device, dialled_number, sent_number, callee_number, callee_extension, callee_device,
            line, dial_plan, route, sip_status, q850_cause, released_by, release_code, fci,
            codec_caller, codec_callee, video, relayed, caller_rtp_packets_in, caller_rtp_bytes_in,
            caller_rtp_lost_in, caller_rtp_jitter_ms_in, caller_rtp_packets_out, callee_rtp_packets_in,
            callee_rtp_bytes_in, callee_rtp_lost_in, callee_rtp_jitter_ms_in, callee_rtp_packets_out,
            journal_seq)
        SELECT printf('00000000-0000-7000-8000-%012d', at), (SELECT min(tenant_id) FROM tenants),
            iif(at % 5 = 0, 'outgoing', 'internal'), began, began, iif(at % 3 = 0, NULL, began), began,
            30000, iif(at % 3 = 0, 0, 28000), caller, '', caller, 'sip:phone', callee, callee, callee,
            iif(at % 5 = 0, NULL, callee), 'sip:phone', iif(at % 5 = 0, '5678', NULL), 'default',
            'local-user', iif(at % 3 = 0, 486, 200), 16, 'caller',
            iif(at % 3 = 0, 'callee.busy', 'caller.hangup'), '', 'PCMA', 'PCMA', 0, 1,
            1400, 240000, 3, 2, 1400, 1400, 240000, 1, 2, 1400, at + 1
        FROM (SELECT at, strftime('%Y-%m-%dT%H:%M:%fZ', unixepoch() - ({RECORDS} - at) * 30, 'unixepoch')
            AS began, CAST({FIRST} + at * 7919 % {EXTENSIONS} AS TEXT) AS caller,
            CAST({FIRST} + at * 104729 % {EXTENSIONS} AS TEXT) AS callee FROM calls);"
    ))
}

/// Who is signed in.
struct Browser {
    server: SocketAddr,
    cookie: String,
}

impl Browser {
    fn log_in(server: SocketAddr) -> Result<Self> {
        let who = json!({ "name": "ann", "password": PASSWORD });
        let answer = Request::new(server, "POST", "/api/v1/sessions").json(&who).send()?;
        let cookie = answer.header("set-cookie").context("no cookie")?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(Self { server, cookie })
    }

    /// How long the answer took, and its octets.
    fn ask(&self, path: &str) -> Result<(Duration, usize)> {
        let started = clock::now();
        let answer = self.get(path).send()?;
        let took = started.elapsed();
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.body);
        Ok((took, answer.octets))
    }

    fn get(&self, path: &str) -> Request {
        let request = Request::new(self.server, "GET", path).with("Cookie", &self.cookie);
        request.with("Accept-Encoding", "gzip")
    }

    /// All that a browser loads at first.
    fn first_page(&self) -> Result<f64> {
        let page = Request::new(self.server, "GET", "/").with("Cookie", &self.cookie).send()?;
        let parts = page.body.split(['"', '\'']).filter(|it| it.starts_with("/assets/"));
        let mut octets = self.ask("/")?.1;
        for part in parts {
            octets += self.ask(part)?.1;
        }
        Ok(f64::from(u32::try_from(octets)?))
    }
}

fn measure(browser: &Browser, path: &'static str) -> Result<Figure> {
    let octets = browser.ask(path)?.1;
    let alone = waits(browser, path, REQUESTS)?;
    let several: Result<Vec<Vec<Duration>>> = std::thread::scope(|scope| {
        let client = || scope.spawn(|| waits(browser, path, REQUESTS_EACH));
        let clients: Vec<_> = (0..CLIENTS).map(|_| client()).collect();
        let joined = clients.into_iter().map(|it| it.join().ok().context("a client fell over")?);
        joined.collect()
    });
    let (p50, p99) = quantiles(alone);
    let (of_four, last_of_four) = quantiles(several?.concat());
    let size = f64::from(u32::try_from(octets)?) / 1024.0;
    Ok(Figure {
        candidate: "dialtone",
        what: path.to_owned(),
        value: p99,
        unit: "ms p99",
        wait_ms: Some((p50, p99)),
        detail: format!("{size:.1} KiB; {CLIENTS} clients {of_four:.2}/{last_of_four:.2} ms"),
        problem: None,
    })
}

fn waits(browser: &Browser, path: &str, count: usize) -> Result<Vec<Duration>> {
    (0..count).map(|_| Ok(browser.ask(path)?.0)).collect()
}

/// Median and 99th percentile. Unit: milliseconds.
fn quantiles(mut waits: Vec<Duration>) -> (f64, f64) {
    waits.sort();
    let at = |percent: usize| {
        let found = waits.get((waits.len() * percent / 100).min(waits.len().saturating_sub(1)));
        found.map_or(0.0, |it| it.as_secs_f64() * 1e3)
    };
    (at(50), at(99))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_table() {
        let millis = |all: &[u64]| all.iter().map(|it| Duration::from_millis(*it)).collect();
        assert_eq!(quantiles(millis(&[3, 1, 2])), (2.0, 3.0));
        assert_eq!(quantiles(vec![]), (0.0, 0.0));
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(quantiles(millis(&hundred)), (51.0, 100.0));
    }
}
