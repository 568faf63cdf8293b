//! Options with a number that become variables which a test reads.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// Sets the variable of each option that is given; options come with their variables' names.
pub(crate) fn pass(
    cargo: &mut Command,
    arguments: &[String],
    options: &[(&str, &str)],
) -> Result<()> {
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let Some((_, variable)) = options.iter().find(|(option, _)| option == name) else {
            let known: Vec<&str> = options.iter().map(|(option, _)| *option).collect();
            bail!("there is no option {name}; {} are", known.join(" and "));
        };
        let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
        let number: u64 = value.parse().with_context(|| format!("{name} {value}"))?;
        cargo.env(variable, number.to_string());
    }
    Ok(())
}
