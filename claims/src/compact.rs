//! The text of tokens: JWTs in compact form, a leaf and its issuers joined by `~`.
