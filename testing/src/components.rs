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
    /// The example that checks a page's links.
    LinkChecker,
    /// The example that keeps files.
    FileStore,
    /// The example that keeps a list of things to do.
    Todo,
    /// The example that takes orders.
    Orders,
    /// A route for everything that a test wants an actor to do (`testing/guests`).
    Kit,
    /// Answers HTTP by calling [`Guest::Back`].
    Front,
    /// Answers other actors over an interface of the tests' own.
    Back,
}

impl Guest {
    /// Its package's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hello => "http-hello",
            Self::Counter => "keyvalue-counter",
            Self::Shop => "shop",
            Self::PriceList => "price-list",
            Self::LinkChecker => "link-checker",
            Self::FileStore => "file-store",
            Self::Todo => "todo",
            Self::Orders => "orders",
            Self::Kit => "kit",
            Self::Front => "front",
            Self::Back => "back",
        }
    }

    /// The component without claims.
    ///
    /// # Panics
    /// If it was not built.
    pub fn component(self) -> Vec<u8> {
        let folder = match self {
            Self::Kit | Self::Front | Self::Back => "guests",
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
