//! What `/metrics` says of HTTP's own side: webhooks and the certificate. The rest comes from the server.

use crate::Office;
use std::fmt::Write as _;

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
    }
}
