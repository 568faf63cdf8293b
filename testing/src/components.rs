//! The components that tests run.

use std::path::Path;

use wattle_claims::module;

/// A guest that `cargo xtask test` built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    /// The example that says hello.
    Hello,
    /// The example that counts.
    Counter,
    /// The example that asks [`Guest::PriceList`] what things cost.
    Shop,
    /// The example that knows what things cost.
    PriceList,
    /// The example that [`Guest::PriceList`] asks for taxes.
    Tax,
    /// The example that prints labels.
    Parcels,
    /// The example that checks a page's links.
    LinkChecker,
    /// The example that keeps files.
    FileStore,
    /// The example that keeps a list of things to do.
    Todo,
    /// The example that takes orders.
    Orders,
    /// Writes a report of visits at its times, and shows the last (examples/scheduled-report).
    ScheduledReport,
    /// A route for everything that a test wants an actor to do (`testing/guests`).
    Kit,
    /// Answers HTTP by calling [`Guest::Back`].
    Front,
    /// Answers other actors over an interface of the tests' own.
    Back,
    /// Holds resources of a provider's.
    Holder,
    /// Asks PostgreSQL in its own types.
    Ledger,
    /// Watches the lattice and commands it.
    Steward,
    /// Uses published interfaces, and knows nothing of Wattle.
    Stranger,
    /// Is told of changes in a store, and copies them into its own.
    Watcher,
}

impl Guest {
    /// Its package's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hello => "http-hello",
            Self::Counter => "keyvalue-counter",
            Self::Shop => "shop",
            Self::PriceList => "price-list",
            Self::Tax => "tax",
            Self::Parcels => "parcels",
            Self::LinkChecker => "link-checker",
            Self::FileStore => "file-store",
            Self::Todo => "todo",
            Self::Orders => "orders",
            Self::ScheduledReport => "scheduled-report",
            Self::Kit => "kit",
            Self::Front => "front",
            Self::Back => "back",
            Self::Holder => "holder",
            Self::Ledger => "ledger",
            Self::Steward => "steward",
            Self::Stranger => "stranger",
            Self::Watcher => "watcher",
        }
    }

    /// The component without claims.
    ///
    /// # Panics
    /// If it was not built.
    pub fn component(self) -> Vec<u8> {
        let folder = match self {
            Self::Kit
            | Self::Front
            | Self::Back
            | Self::Holder
            | Self::Ledger
            | Self::Steward
            | Self::Stranger
            | Self::Watcher => "guests",
            _ => "../examples",
        };
        let name = self.name();
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(folder)
            .join(format!("{name}/build/{name}.signed.wasm"));
        let bytes = std::fs::read(&path)
            .unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask test`", path.display()));
        module::strip(&bytes).expect("what wattle build wrote is a component")
    }
}
