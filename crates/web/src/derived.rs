//! What follows from the directory in force is found out once for each of its versions, however often somebody looks.

use crate::resource::Failure;
use pbx::directory::Directory;
use pbx::language::Text;
use pbx::time::UnixMillis;
use std::sync::{Arc, Weak};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// What the time says may be as old as this. Unit: milliseconds.
const HOUR: u64 = 60 * 60 * 1000;

/// A value derived from a directory, and the moment.
pub(crate) struct Derived<T>(Mutex<Option<Last<T>>>);

struct Last<T> {
    /// It keeps no directory that nobody else needs.
    of: Weak<Directory>,
    hour: u64,
    value: Arc<T>,
}

impl<T> Default for Derived<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Send + Sync + 'static> Derived<T> {
    /// `make` may read all of a long table: others are served meanwhile, but for those who ask for the same.
    pub(crate) async fn get(
        &self,
        directory: &Arc<Directory>,
        now: UnixMillis,
        make: impl FnOnce(&Directory) -> T + Send + 'static,
    ) -> Result<Arc<T>, Failure> {
        let mut last = self.0.lock().await;
        let (of, hour) = (Arc::downgrade(directory), now.0 / HOUR);
        if let Some(last) = last.as_ref().filter(|it| it.of.ptr_eq(&of) && it.hour == hour) {
            return Ok(Arc::clone(&last.value));
        }
        let read = Arc::clone(directory);
        let made = spawn_blocking(move || make(&read)).await;
        let made =
            made.map_err(|error| Failure::new(500, "fault", Text::same(error.to_string())))?;
        let value = Arc::new(made);
        *last = Some(Last { of, hour, value: Arc::clone(&value) });
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn it_is_made_once_for_each_directory_and_hour() {
        let derived = Derived::default();
        let (one, other) = (Arc::new(Directory::default()), Arc::new(Directory::default()));
        let get = async |directory: &Arc<Directory>, hour: u64, made: u32| {
            *derived.get(directory, UnixMillis(hour * HOUR), move |_| made).await.unwrap()
        };
        assert_eq!(get(&one, 1, 1).await, 1);
        assert_eq!(get(&one, 1, 2).await, 1, "it is known");
        assert_eq!(get(&one, 2, 3).await, 3, "an hour later");
        assert_eq!(get(&other, 2, 4).await, 4, "another directory of the same content");
    }
}
