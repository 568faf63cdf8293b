//! What travels: frames of bytes.
