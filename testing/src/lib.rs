//! Real lattices for tests.
