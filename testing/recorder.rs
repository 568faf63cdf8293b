//! The example of a capability of one's own, which also keeps what it was asked and what it answered: each call's bytes, as they
//! came over the socket, in a file `calls` of the folder that its host gives it.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use wattle_label_printer::LabelPrinter;
use wattle_sdk::{
    CallError, Context, IncomingCall, LinkDetail, LinkError, LinkGrant, Provider, Reply, StartError,
};

fn main() -> ExitCode {
    wattle_sdk::main::<Recorder>()
}

struct Recorder {
    printer: Arc<LabelPrinter>,
    calls: Mutex<File>,
}

impl Provider for Recorder {
    const CONSTRAINTS: &'static [&'static str] = LabelPrinter::CONSTRAINTS;

    async fn start(context: Context) -> Result<Self, StartError> {
        let folder = context.start.config.get("data-dir");
        let folder = folder.ok_or_else(|| StartError::new("it has no folder"))?;
        let calls = File::options().create(true).append(true).open(Path::new(folder).join("calls"));
        let calls = Mutex::new(calls.map_err(|error| StartError::new(error.to_string()))?);
        Ok(Self { printer: Arc::new(LabelPrinter::start(context).await?), calls })
    }

    async fn put_link(&self, link: LinkGrant) -> Result<LinkDetail, LinkError> {
        self.printer.put_link(link).await
    }

    async fn delete_link(&self, link: u32) {
        self.printer.delete_link(link).await;
    }

    fn call(
        self: &Arc<Self>,
        call: IncomingCall,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let this = Arc::clone(self);
        async move {
            let asked = format!("{} {} {}", call.interface, call.function, hex(&call.params));
            let reply = this.printer.call(call).await?;
            let mut calls = this.calls.lock().unwrap_or_else(PoisonError::into_inner);
            // A line that is missing fails the test.
            let _: std::io::Result<()> = writeln!(calls, "{asked} {}", hex(&reply.result));
            Ok(reply)
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
