//! What Wattle promises, shown on real processes: each test has a lattice of its own in a temporary folder.

mod applications;
mod bridge;
mod chaos;
mod commands;
mod denials;
mod faults;
mod files;
mod garbage;
mod hosts;
mod limits;
mod many_hosts;
mod messages;
mod nats;
mod one_machine;
mod overload;
mod own_nats;
mod partitions;
mod redis;
mod serving;
mod small_machine;
mod sql;
mod streams;
mod tampering;
mod time;
mod traces;
mod web;
