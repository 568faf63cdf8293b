//! The provider: what label-printer does when it is called.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use serde_bytes::ByteBuf;
use tracing::info;
use wattle_sdk::{
    CallContext, CallError, Context, ErrorKind, Handles, IncomingCall, LinkDetail, LinkError,
    LinkGrant, Provider, Reply, Side, StartError,
};

use crate::{
    Label,
    connection::Connection,
    contract::{
        self, Failure,
        printer::{self, Element, Error, LabelHandle, Receipt, Size, State},
    },
    settings::{COPIES, Settings},
    zpl,
};

/// The provider label-printer: each link is a way to one printer.
#[derive(Debug)]
pub struct LabelPrinter {
    label_handles: Handles<Label>,
    printers: RwLock<BTreeMap<u32, Arc<Connection>>>,
}

impl Provider for LabelPrinter {
    const CONSTRAINTS: &'static [&'static str] = &[COPIES];

    async fn start(_context: Context) -> Result<Self, StartError> {
        Ok(Self { label_handles: Handles::new("label"), printers: RwLock::default() })
    }

    async fn put_link(&self, link: LinkGrant) -> Result<LinkDetail, LinkError> {
        if link.side == Side::Source {
            return Err(LinkError::new("label-printer is called, it does not call"));
        }
        let settings = Settings::new(&link).map_err(|error| LinkError::new(error.to_string()))?;
        // A printer that is off today prints tomorrow: the link holds.
        let printer = Arc::new(Connection::new(settings));
        let mut printers = self.printers.write().unwrap_or_else(PoisonError::into_inner);
        printers.insert(link.link, printer);
        Ok(LinkDetail::default())
    }

    async fn delete_link(&self, link: u32) {
        self.printers.write().unwrap_or_else(PoisonError::into_inner).remove(&link);
        contract::delete_link(self, link);
    }

    fn call(
        self: &Arc<Self>,
        call: IncomingCall,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let provider = Arc::clone(self);
        async move { contract::answer(&*provider, call).await }
    }
}

impl LabelPrinter {
    fn printer(&self, call: &CallContext) -> Result<Arc<Connection>, CallError> {
        let printers = self.printers.read().unwrap_or_else(PoisonError::into_inner);
        let found = printers.get(&call.link).cloned();
        found.ok_or_else(|| CallError::new(ErrorKind::Denied, "this link does not hold any more"))
    }

    async fn print(
        &self,
        call: &CallContext,
        label: &Label,
        copies: u16,
    ) -> Result<Receipt, Failure<Error>> {
        let printer = self.printer(call)?;
        let most = printer.settings.copies_max;
        if copies == 0 || copies > most {
            let what = format!("{copies} copies: the link allows 1 to {most}");
            return Err(Error::Denied(what).into());
        }
        let zpl = zpl::write(label, printer.settings.dots_per_mm, copies);
        printer.print(&zpl, call.deadline).await?;
        info!(call = %call.id, copies, bytes = zpl.len(), "label printed");
        Ok(Receipt { copies, bytes: u32::try_from(zpl.len()).unwrap_or(u32::MAX) })
    }
}

impl printer::Printer for LabelPrinter {
    type Label = Label;

    fn label_handles(&self) -> &Handles<Label> {
        &self.label_handles
    }

    async fn new_label(&self, _call: &CallContext, size: Size) -> Result<Label, Failure<Error>> {
        Ok(Label::new(size)?)
    }

    async fn label_add(
        &self,
        _call: &CallContext,
        label: Arc<Label>,
        elements: Vec<Element>,
    ) -> Result<u32, Failure<Error>> {
        let count = label.add(elements)?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    async fn label_copy(&self, _call: &CallContext, label: Arc<Label>) -> Result<Label, CallError> {
        Ok(label.copy())
    }

    async fn label_preview(
        &self,
        call: &CallContext,
        label: Arc<Label>,
    ) -> Result<ByteBuf, CallError> {
        let printer = self.printer(call)?;
        Ok(zpl::write(&label, printer.settings.dots_per_mm, 1).into_bytes().into())
    }

    async fn label_print(
        &self,
        call: &CallContext,
        label: Arc<Label>,
        copies: Option<u16>,
    ) -> Result<Receipt, Failure<Error>> {
        self.print(call, &label, copies.unwrap_or(1)).await
    }

    async fn print_all(
        &self,
        call: &CallContext,
        labels: Vec<LabelHandle>,
    ) -> Result<Vec<Result<Receipt, Error>>, CallError> {
        // All of them are ours before the first is printed: one that is not there fails the call while nothing has happened.
        let taken = labels.iter().map(|label| self.label_handles.take(call.link, label.0));
        let taken: Vec<Arc<Label>> = taken.collect::<Result<_, _>>()?;
        let mut printed = Vec::with_capacity(taken.len());
        for label in taken {
            printed.push(match self.print(call, &label, 1).await {
                Ok(receipt) => Ok(receipt),
                Err(Failure::Answer(error)) => Err(error),
                Err(Failure::Call(error)) => return Err(error),
            });
        }
        Ok(printed)
    }

    async fn status(&self, call: &CallContext) -> Result<State, Failure<Error>> {
        self.printer(call)?.state(call.deadline).await
    }
}
