//! keyvalue-redis
