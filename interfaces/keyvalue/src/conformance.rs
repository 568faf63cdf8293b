//! What every provider of the contract must do, run by each against its real backend.
