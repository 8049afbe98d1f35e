//! A value that its owner goes on changing while others still read what it was.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Readers get the value as it is by [`Shared::share`], without a copy. The first change after that
/// copies it, unless they have let go of it by then.
#[derive(Debug)]
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }

    pub fn share(&self) -> Arc<T> {
        Arc::clone(&self.0)
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_keeps_what_it_was_given() {
        let mut number = Shared::new(1);
        let before = number.share();
        *number += 1;
        assert_eq!((*before, *number), (1, 2));
        let same = Arc::as_ptr(&number.share());
        *number += 1;
        assert_eq!(Arc::as_ptr(&number.share()), same, "nobody reads it: nothing is copied");
    }
}
