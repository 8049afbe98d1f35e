//! Feature codes, on the running server or in its database.

use super::{Backend, author};
use crate::cli::Result;
use hyper::Method;
use web::features;
use web::resource::{FeatureCode, FeatureCodeRequest};

const FEATURE_CODES: &str = "/api/v1/feature-codes";

impl Backend {
    pub(in crate::cli) async fn feature_codes(&mut self) -> Result<Vec<FeatureCode>> {
        match self {
            Self::Online(client) => client.get(FEATURE_CODES).await,
            Self::Offline(store) => Ok(features::list(&store.db).await?),
        }
    }

    pub(in crate::cli) async fn set_feature_code(
        &mut self,
        feature: &str,
        code: String,
    ) -> Result<FeatureCode> {
        match self {
            Self::Online(client) => {
                client.send(Method::PATCH, &path(feature), &FeatureCodeRequest { code }).await
            }
            Self::Offline(store) => {
                let author = author(store).edit();
                let done =
                    author.tables(features::set(author.db(), feature, &code, author.now)).await?;
                author.commit().await?;
                Ok(done)
            }
        }
    }

    pub(in crate::cli) async fn reset_feature_code(
        &mut self,
        feature: &str,
    ) -> Result<FeatureCode> {
        match self {
            Self::Online(client) => client.send(Method::DELETE, &path(feature), &()).await,
            Self::Offline(store) => {
                let author = author(store).edit();
                let done = author.tables(features::reset(author.db(), feature, author.now)).await?;
                author.commit().await?;
                Ok(done)
            }
        }
    }
}

/// Names are small letters and `-`. The characters that would end a path become one that no name has.
fn path(feature: &str) -> String {
    let plain = |it: char| if it.is_ascii_alphanumeric() || it == '-' { it } else { '_' };
    format!("{FEATURE_CODES}/{}", feature.chars().map(plain).collect::<String>())
}
