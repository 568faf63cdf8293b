//! keyvalue-embedded
