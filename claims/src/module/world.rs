//! What a component imports and exports.

use std::collections::BTreeSet;

use wasmparser::{BinaryReaderError, ComponentExternName, Parser, Payload};

use super::{ModuleError, section};
use crate::error::shortened;

/// What a component imports and exports: names as WIT writes them, interfaces with their versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// What it imports.
    pub imports: BTreeSet<String>,
    /// What it exports.
    pub exports: BTreeSet<String>,
}

/// What the outermost component imports and exports; of what is nested in it, nothing counts.
pub fn world(component: &[u8]) -> Result<World, ModuleError> {
    section::all(component)?;
    let malformed = |error: BinaryReaderError| ModuleError::Malformed(shortened(error.message()));
    let mut world = World::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(malformed)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 0 => {
                for import in imports {
                    world.imports.insert(interface(import.map_err(malformed)?.name)?);
                }
            }
            Payload::ComponentExportSection(exports) if depth == 0 => {
                for export in exports {
                    world.exports.insert(interface(export.map_err(malformed)?.name)?);
                }
            }
            _ => {}
        }
    }
    Ok(world)
}

/// An import under a name of its own may say which interface it implements: that one counts, not the name it chose.
fn interface(name: ComponentExternName<'_>) -> Result<String, ModuleError> {
    let name = name.implements.unwrap_or(name.name);
    if name.chars().any(char::is_control) {
        let why = format!("a name with control characters: {}", shortened(name));
        return Err(ModuleError::Malformed(why));
    }
    Ok(name.to_owned())
}
