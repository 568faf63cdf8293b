//! What the contract holds both sides to. The caller checks before it sends, the provider before it acts.

/// The most bytes of a statement's text, or of a batch's: a quarter of a message, so that parameters have room beside it.
pub const STATEMENT_LEN_MAX: usize = 1024 * 1024;

/// The most parameters of a statement: PostgreSQL's protocol counts them in 16 bits.
pub const PARAMS_MAX: usize = 65_535;

/// The most bytes of a prepared statement's token.
pub const TOKEN_LEN_MAX: usize = 64;

/// Why this cannot be a statement, if it cannot.
pub fn statement_fault(text: &str) -> Option<String> {
    let len = text.len();
    (len > STATEMENT_LEN_MAX).then(|| {
        format!("too-large: statement of {len} bytes, the limit is {STATEMENT_LEN_MAX}: pass values as parameters")
    })
}

/// Why these cannot be a statement's parameters, if they cannot.
pub fn params_fault(params: usize) -> Option<String> {
    (params > PARAMS_MAX)
        .then(|| format!("{params} parameters, the limit is {PARAMS_MAX}: pass arrays"))
}
