//! Call flows as ladders, run on the real core in virtual time (see `testkit::ladder`).

mod basic;
mod carriers;
mod devices;
mod dialog;
mod echo;
mod ends;
mod forward;
mod forwarding;
mod line_calls;
mod line_changes;
mod lines;
mod loss;
mod media;
mod message;
mod races;
mod refusals;
mod register;
mod reliable;
mod requests;
mod security;
mod streams;
mod surroundings;
mod timer;
mod transfer;
mod trunks;
mod update;
