//! What `/metrics` says of HTTP's own side: webhooks and the certificate. The rest comes from the server.

use crate::Office;
use std::fmt::Write as _;
use std::time::Duration;
use store::db::LIMITS_US;

/// In the text format of Prometheus.
pub(crate) fn of_office(office: &Office) -> String {
    let mut text = head("webhook_deliveries_total", "counter", "What became of deliveries.");
    for (result, count) in office.webhooks.results() {
        // A text takes whatever is written.
        let _ = writeln!(text, "dialtone_webhook_deliveries_total{{result=\"{result}\"}} {count}");
    }
    if let Some(certificate) = &office.certificate {
        let left = certificate.shown().seconds_left(office.running.now());
        text += &head("cert_expiry_seconds", "gauge", "How long the certificate still lasts.");
        let _ = writeln!(text, "dialtone_cert_expiry_seconds{{name=\"https\"}} {left}");
    }
    text += &queries(office);
    text
}

/// Of pages, the API and the command line; what the journal brings has figures of its own.
fn queries(office: &Office) -> String {
    const NAME: &str = "db_query_seconds";
    let durations = office.db.durations();
    let mut text = head(NAME, "histogram", "How long operations kept a database connection.");
    let seconds = |us: &u64| Duration::from_micros(*us).as_secs_f64().to_string();
    let limits = LIMITS_US.iter().map(seconds).chain(["+Inf".to_owned()]);
    let up_to = durations.up_to();
    for (limit, count) in limits.zip(up_to) {
        let _ = writeln!(text, "dialtone_{NAME}_bucket{{le=\"{limit}\"}} {count}");
    }
    let (sum, count) = (durations.sum().as_secs_f64(), up_to.last().copied().unwrap_or_default());
    let _ = writeln!(text, "dialtone_{NAME}_sum {sum}\ndialtone_{NAME}_count {count}");
    text
}

fn head(name: &str, kind: &str, help: &str) -> String {
    format!("# HELP dialtone_{name} {help}\n# TYPE dialtone_{name} {kind}\n")
}

#[cfg(test)]
mod tests {
    use crate::scene::Scene;
    use store::db::DeliveryState;

    #[tokio::test]
    async fn deliveries_are_counted_by_what_became_of_them() {
        let scene = Scene::new().await;
        for state in [DeliveryState::Waiting, DeliveryState::Waiting, DeliveryState::Delivered] {
            scene.office.webhooks.tried(state);
        }
        let text = scene.get("/metrics").send().await.body;
        for (result, count) in [("delivered", 1), ("failed", 2), ("given_up", 0), ("dropped", 0)] {
            let line =
                format!("dialtone_webhook_deliveries_total{{result=\"{result}\"}} {count}\n");
            assert!(text.contains(&line), "{text}");
        }
        assert!(text.contains("dialtone_db_query_seconds_bucket{le=\"0.0005\"} "), "{text}");
        let count = text.lines().find_map(|it| it.strip_prefix("dialtone_db_query_seconds_count "));
        assert!(count.is_some_and(|it| it.parse::<u64>().is_ok_and(|it| it > 0)), "{text}");
    }
}
