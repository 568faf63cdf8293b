//! Settings of providers that come with Wattle: each is one that the provider knows, or is named as not honoured.

use wattle_core::link::ConfigValue;

use super::{Reader, shipped};
use crate::manifest::{Component, Config, Finding, Placed, Properties};

/// Those that a provider has for itself.
pub(super) fn own(reader: &mut Reader, components: &mut [Component]) {
    for component in components {
        if let Some(provider) = shipped(component) {
            honour(reader, provider.name, provider.settings, &mut component.config);
        }
    }
}

/// wasmCloud's providers know their settings in any case, ours in lower case.
pub(super) fn honour(reader: &mut Reader, provider: &str, known: &[&str], configs: &mut [Config]) {
    for properties in configs.iter_mut().filter_map(|config| config.properties.as_mut()) {
        let mut honoured = Properties::new();
        let mut port_alone = None;
        for (key, setting) in std::mem::take(properties) {
            let lower = key.to_ascii_lowercase();
            let is_port = lower == "port" && known.contains(&"address");
            let before = match is_port {
                true => port_alone.as_ref(),
                false => honoured.get(&lower),
            };
            if let Some(Placed { place, .. }) = before {
                let what = format!("{key} is {lower}, which is in line {}, too", place.line);
                reader.findings.push(Finding::error(&setting.place, what));
            } else if is_port {
                port_alone = Some(setting);
            } else if known.contains(&lower.as_str()) {
                honoured.insert(lower, setting);
            } else {
                let what = format!("{provider} has no setting {key:?} here: it is not honoured");
                let help = format!("it has {}", known.join(", "));
                reader.findings.push(Finding::warning(&setting.place, what).with_help(help));
            }
        }
        if let Some(setting) = port_alone {
            port(reader, &mut honoured, setting);
        }
        *properties = honoured;
    }
}

/// An http-server's port alone, as wasmCloud's first versions had it, is one of this machine.
fn port(reader: &mut Reader, honoured: &mut Properties, setting: Placed<ConfigValue>) {
    let port = match &setting.value {
        ConfigValue::Plain(port) => port.as_str(),
        ConfigValue::Secret { .. } => "a secret",
    };
    let finding = match port.parse::<u16>() {
        Err(_) => Finding::error(&setting.place, format!("{port:?} is not a port")),
        Ok(_) if honoured.contains_key("address") => {
            Finding::warning(&setting.place, "address says the port, too: port is not honoured")
        }
        Ok(port) => {
            let address = format!("127.0.0.1:{port}");
            let what = format!("port is read as the address {address}");
            let value = ConfigValue::Plain(address);
            honoured.insert("address".to_owned(), Placed { value, place: setting.place.clone() });
            Finding::warning(&setting.place, what)
        }
    };
    reader.findings.push(finding);
}
