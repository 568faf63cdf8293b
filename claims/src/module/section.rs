//! The sections of the outermost binary, read no further than their lengths and a custom section's name.

use std::ops::Range;

use wasmparser::Parser;

use super::{MODULE_LEN_MAX, ModuleError, SECTION};

/// Bytes ahead of the first section: magic number, version and layer.
pub(super) const PREAMBLE_LEN: usize = 8;

/// The preamble of a component.
const PREAMBLE: [u8; PREAMBLE_LEN] = *b"\0asm\x0d\0\x01\0";

/// The preamble of a core module.
const CORE_PREAMBLE: [u8; PREAMBLE_LEN] = *b"\0asm\x01\0\0\0";

/// The id of custom sections, in modules and in components.
const CUSTOM: u8 = 0;

/// One section.
pub(super) struct Section<'a> {
    /// All its bytes, its id and length included.
    pub(super) range: Range<usize>,
    /// What is in it behind its name, if it is a claims section.
    pub(super) content: Option<&'a [u8]>,
}

impl Section<'_> {
    pub(super) fn is_claims(&self) -> bool {
        self.content.is_some()
    }
}

/// The component's sections; together with the preamble they are all its bytes.
pub(super) fn all(wasm: &[u8]) -> Result<Vec<Section<'_>>, ModuleError> {
    if wasm.len() > MODULE_LEN_MAX {
        return Err(ModuleError::TooLarge { len: wasm.len() });
    }
    match wasm.get(..PREAMBLE_LEN) {
        Some(start) if start == PREAMBLE => {}
        Some(start) if start == CORE_PREAMBLE => {
            let why = "it is a core module: build for wasm32-wasip2, or make a component of it";
            return Err(ModuleError::Malformed(why.into()));
        }
        _ => return Err(ModuleError::Malformed("it does not start as one".into())),
    }
    let mut sections = Vec::new();
    let mut at = PREAMBLE_LEN;
    while at < wasm.len() {
        let section = next(wasm, at)
            .ok_or_else(|| ModuleError::Malformed(format!("a broken section at byte {at}")))?;
        at = section.range.end;
        sections.push(section);
    }
    Ok(sections)
}

fn next(wasm: &[u8], start: usize) -> Option<Section<'_>> {
    let id = *wasm.get(start)?;
    let (len, body) = leb(wasm, start + 1)?;
    let end = body.checked_add(len).filter(|end| *end <= wasm.len())?;
    let content = match id {
        CUSTOM => {
            let (name_len, name) = leb(&wasm[..end], body)?;
            let content = name.checked_add(name_len).filter(|at| *at <= end)?;
            (&wasm[name..content] == SECTION.as_bytes()).then(|| &wasm[content..end])
        }
        _ => None,
    };
    Some(Section { range: start..end, content })
}

/// The unsigned LEB128 number of at most 32 bits at `at`, and where it ends. Longer spellings than needed are read too: whether
/// one is allowed is not decided here.
fn leb(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    const BYTES_MAX: usize = 5;
    let mut value = 0_u64;
    for (index, byte) in bytes.get(at..)?.iter().take(BYTES_MAX).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).ok()?;
            return Some((usize::try_from(value).ok()?, at + index + 1));
        }
    }
    None
}

/// The claims section of this token, lengths in their shortest spelling.
pub(super) fn claims(token: &str) -> Vec<u8> {
    let mut body = Vec::with_capacity(SECTION.len() + token.len() + 1);
    push_leb(&mut body, SECTION.len());
    body.extend_from_slice(SECTION.as_bytes());
    body.extend_from_slice(token.as_bytes());
    let mut section = vec![CUSTOM];
    push_leb(&mut section, body.len());
    section.extend_from_slice(&body);
    section
}

fn push_leb(bytes: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

/// Whether a claims section stands anywhere in it, nested or not: to say so in the refusal.
pub(super) fn is_mentioned(wasm: &[u8]) -> bool {
    Parser::new(0).parse_all(wasm).map_while(Result::ok).any(|payload| {
        matches!(payload, wasmparser::Payload::CustomSection(section) if section.name() == SECTION)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_length_survives_the_trip(value: u32) {
            let mut bytes = Vec::new();
            push_leb(&mut bytes, value as usize);
            prop_assert_eq!(leb(&bytes, 0), Some((value as usize, bytes.len())));
            prop_assert_eq!(leb(&bytes[..bytes.len() - 1], 0), None);
        }

        #[test]
        fn any_bytes_are_sections_or_a_refusal(bytes: Vec<u8>) {
            let wasm = [PREAMBLE.as_slice(), &bytes].concat();
            if let Ok(sections) = all(&wasm) {
                let len: usize = sections.iter().map(|section| section.range.len()).sum();
                prop_assert_eq!(len, bytes.len());
            }
            let _ = is_mentioned(&wasm);
        }
    }

    #[test]
    fn a_length_beyond_32_bits_is_refused() {
        assert_eq!(leb(&[0xff, 0xff, 0xff, 0xff, 0x0f], 0), Some((u32::MAX as usize, 5)));
        assert_eq!(leb(&[0xff, 0xff, 0xff, 0xff, 0x1f], 0), None);
        assert_eq!(leb(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00], 0), None);
    }
}
