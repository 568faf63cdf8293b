//! What the WIT says, in Rust: types, a trait for each interface, and the way from a call to its function.
//!
//! Written by `wattle new contract` from `wit/`; what is changed here is lost when it writes again.

#![allow(clippy::all, rustdoc::all, reason = "names and shapes are those of the WIT")]

use wattle_sdk::{CallError, IncomingCall, Reply};

/// Answers a call: the whole of what a provider of these interfaces does in `Provider::call`.
pub async fn answer<P>(provider: &P, call: IncomingCall) -> Result<Reply, CallError>
where
    P: printer::Printer,
{
    let (context, function, params) = (call.context(), &*call.function, &*call.params);
    match &*call.interface {
        printer::INTERFACE => printer::answer(provider, &context, function, params).await,
        other => Err(wattle_sdk::unknown_function(other, function)),
    }
}

/// Drops the resources that a link's caller still has: part of `Provider::delete_link`.
pub fn delete_link<P: printer::Printer>(provider: &P, link: u32) {
    printer::Printer::label_handles(provider).delete_link(link);
}

/// Why a function failed whose WIT has an error for that.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure<E> {
    /// It answers with this error, which its caller sees.
    Answer(E),
    /// It does not answer: the actor that called ends with this.
    Call(CallError),
}

impl<E> Failure<E> {
    fn outcome<T>(given: Result<T, Self>) -> Result<Result<T, E>, CallError> {
        match given {
            Ok(given) => Ok(Ok(given)),
            Err(Self::Answer(error)) => Ok(Err(error)),
            Err(Self::Call(error)) => Err(error),
        }
    }
}

impl<E> From<CallError> for Failure<E> {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<printer::Error> for Failure<printer::Error> {
    fn from(error: printer::Error) -> Self {
        Self::Answer(error)
    }
}

/// Labels, and the printer that prints them.
pub mod printer {
    use wattle_sdk::{CallContext, CallError, Reply};

    /// Its name on the wire.
    pub const INTERFACE: &str = "example:labels/printer";

    /// Answers `example:labels/printer`: many calls at once, each dropped when its caller
    /// goes away or its time is up.
    pub trait Printer: Send + Sync + 'static {
        /// A label in the making.
        ///
        /// Calls share one; it is dropped with the last that uses it after its caller has let go of it.
        type Label: Send + Sync + 'static;

        /// Those that callers have of `label`: a field of the provider.
        fn label_handles(&self) -> &wattle_sdk::Handles<Self::Label>;

        /// The WIT's `[constructor]label`.
        fn new_label(
            &self,
            call: &CallContext,
            size: Size,
        ) -> impl Future<Output = Result<Self::Label, super::Failure<Error>>> + Send;

        /// Adds what is to be on it, all or nothing, and gives how many elements it has then.
        fn label_add(
            &self,
            call: &CallContext,
            label: std::sync::Arc<Self::Label>,
            elements: Vec<Element>,
        ) -> impl Future<Output = Result<u32, super::Failure<Error>>> + Send;

        /// Another one that is the same so far.
        fn label_copy(
            &self,
            call: &CallContext,
            label: std::sync::Arc<Self::Label>,
        ) -> impl Future<Output = Result<Self::Label, CallError>> + Send;

        /// What the printer would be sent.
        fn label_preview(
            &self,
            call: &CallContext,
            label: std::sync::Arc<Self::Label>,
        ) -> impl Future<Output = Result<serde_bytes::ByteBuf, CallError>> + Send;

        /// Prints it: once, if nothing else is said.
        fn label_print(
            &self,
            call: &CallContext,
            label: std::sync::Arc<Self::Label>,
            copies: Option<u16>,
        ) -> impl Future<Output = Result<Receipt, super::Failure<Error>>> + Send;

        /// Prints several, in order, each once, and lets go of them.
        fn print_all(
            &self,
            call: &CallContext,
            labels: Vec<LabelHandle>,
        ) -> impl Future<Output = Result<Vec<Result<Receipt, Error>>, CallError>> + Send;

        /// How it stands with the printer.
        fn status(
            &self,
            call: &CallContext,
        ) -> impl Future<Output = Result<State, super::Failure<Error>>> + Send;
    }

    /// From the label's top left corner, in tenths of a millimetre.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct Place {
        /// The WIT's `x`.
        pub x: u16,
        /// The WIT's `y`.
        pub y: u16,
    }

    /// In tenths of a millimetre.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct Size {
        /// The WIT's `width`.
        pub width: u16,
        /// The WIT's `height`.
        pub height: u16,
    }

    /// The WIT's flags `style`.
    pub type Style = std::collections::BTreeSet<StyleFlag>;

    /// One of [`Style`].
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum StyleFlag {
        /// White where what lies below it is black.
        Inverted,
        /// From top to bottom.
        Turned,
    }

    /// The WIT's record `text`.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct Text {
        /// The WIT's `at`.
        pub at: Place,
        /// Of a capital letter, in tenths of a millimetre.
        pub height: u16,
        /// The WIT's `style`.
        pub style: Style,
        /// The WIT's `content`.
        pub content: String,
    }

    /// The WIT's enum `symbology`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Symbology {
        /// The WIT's `code128`.
        Code128,
        /// Twelve digits; the printer adds the thirteenth.
        Ean13,
        /// The WIT's `qr`.
        Qr,
    }

    /// The WIT's record `code`.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct Code {
        /// The WIT's `at`.
        pub at: Place,
        /// The WIT's `symbology`.
        pub symbology: Symbology,
        /// Of the bars, in tenths of a millimetre; a code of squares has none.
        pub height: Option<u16>,
        /// The WIT's `content`.
        pub content: String,
    }

    /// The WIT's record `picture`.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct Picture {
        /// The WIT's `at`.
        pub at: Place,
        /// In dots, eight of which are a byte; a multiple of eight.
        pub width: u16,
        /// Rows from above, a bit for each dot, black where it is set.
        pub dots: serde_bytes::ByteBuf,
    }

    /// The WIT's variant `element`.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Element {
        /// The WIT's `text`.
        Text(Text),
        /// The WIT's `code`.
        Code(Code),
        /// The WIT's `picture`.
        Picture(Picture),
        /// A line or a frame: where it begins, and how large it is.
        Frame((Place, Size)),
    }

    /// The WIT's flags `condition`.
    pub type Condition = std::collections::BTreeSet<ConditionFlag>;

    /// One of [`Condition`].
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum ConditionFlag {
        /// The WIT's `paper-out`.
        PaperOut,
        /// The WIT's `ribbon-out`.
        RibbonOut,
        /// The WIT's `head-open`.
        HeadOpen,
        /// The WIT's `paused`.
        Paused,
    }

    /// The WIT's record `state`.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct State {
        /// Why it does not print, if it does not.
        pub condition: Condition,
        /// Labels that it has, and has not printed.
        pub waiting: u32,
    }

    /// The WIT's variant `error`.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Error {
        /// It cannot be printed, for this reason.
        Invalid(String),
        /// The link does not allow it.
        Denied(String),
        /// The printer was not reached: it may be tried again.
        Offline(String),
        /// The printer does not print: somebody has to go there.
        Stopped(Condition),
        /// The printer was lost under way: it may have printed.
        Interrupted(String),
    }

    /// The WIT's record `receipt`.
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct Receipt {
        /// The WIT's `copies`.
        pub copies: u16,
        /// What the printer was sent.
        pub bytes: u32,
    }

    /// The WIT's resource `label`, as a caller has it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
    pub struct LabelHandle(pub wattle_sdk::Handle);

    /// Parameters as they are on the wire.
    pub mod params {
        /// Those of `[constructor]label`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct NewLabel {
            /// The WIT's `size`.
            pub size: super::Size,
        }

        /// Those of `[method]label.add`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct LabelAdd {
            /// The WIT's `self`.
            #[serde(rename = "self")]
            pub label: super::LabelHandle,
            /// The WIT's `elements`.
            pub elements: Vec<super::Element>,
        }

        /// Those of `[method]label.copy`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct LabelCopy {
            /// The WIT's `self`.
            #[serde(rename = "self")]
            pub label: super::LabelHandle,
        }

        /// Those of `[method]label.preview`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct LabelPreview {
            /// The WIT's `self`.
            #[serde(rename = "self")]
            pub label: super::LabelHandle,
        }

        /// Those of `[method]label.print`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct LabelPrint {
            /// The WIT's `self`.
            #[serde(rename = "self")]
            pub label: super::LabelHandle,
            /// The WIT's `copies`.
            pub copies: Option<u16>,
        }

        /// Those of `print-all`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct PrintAll {
            /// The WIT's `labels`.
            pub labels: Vec<super::LabelHandle>,
        }

        /// Those of `status`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub struct Status {}
    }

    pub(super) async fn answer<P: Printer>(
        provider: &P,
        call: &CallContext,
        function: &str,
        params: &[u8],
    ) -> Result<Reply, CallError> {
        match function {
            "[constructor]label" => {
                let params::NewLabel { size } = wattle_sdk::decode_params(params)?;
                let given = Printer::new_label(provider, call, size).await;
                let given = match super::Failure::outcome(given)? {
                    Ok(made) => Ok(Printer::label_handles(provider).insert(call.link, made)?),
                    Err(error) => Err(error),
                };
                wattle_sdk::encode_result(&given)
            }
            "[method]label.add" => {
                let params::LabelAdd { label, elements } = wattle_sdk::decode_params(params)?;
                let label = Printer::label_handles(provider).get(call.link, label.0)?;
                let given = Printer::label_add(provider, call, label, elements).await;
                let given = super::Failure::outcome(given)?;
                wattle_sdk::encode_result(&given)
            }
            "[method]label.copy" => {
                let params::LabelCopy { label } = wattle_sdk::decode_params(params)?;
                let label = Printer::label_handles(provider).get(call.link, label.0)?;
                let given = Printer::label_copy(provider, call, label).await?;
                let given = Printer::label_handles(provider).insert(call.link, given)?;
                wattle_sdk::encode_result(&given)
            }
            "[method]label.preview" => {
                let params::LabelPreview { label } = wattle_sdk::decode_params(params)?;
                let label = Printer::label_handles(provider).get(call.link, label.0)?;
                let given = Printer::label_preview(provider, call, label).await?;
                wattle_sdk::encode_result(&given)
            }
            "[method]label.print" => {
                let params::LabelPrint { label, copies } = wattle_sdk::decode_params(params)?;
                let label = Printer::label_handles(provider).get(call.link, label.0)?;
                let given = Printer::label_print(provider, call, label, copies).await;
                let given = super::Failure::outcome(given)?;
                wattle_sdk::encode_result(&given)
            }
            "print-all" => {
                let params::PrintAll { labels } = wattle_sdk::decode_params(params)?;
                let given = Printer::print_all(provider, call, labels).await?;
                wattle_sdk::encode_result(&given)
            }
            "status" => {
                let params::Status {} = wattle_sdk::decode_params(params)?;
                let given = Printer::status(provider, call).await;
                let given = super::Failure::outcome(given)?;
                wattle_sdk::encode_result(&given)
            }
            "[resource-drop]label" => Printer::label_handles(provider).dropped(call.link, params),
            _ => Err(wattle_sdk::unknown_function(INTERFACE, function)),
        }
    }
}
