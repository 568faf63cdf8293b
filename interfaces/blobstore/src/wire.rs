//! Parameters and results as they travel: MessagePack maps with the WIT's names. Results are `result<T, error>`.
//!
//! What is read is borrowed from the message.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, SeqAccess, Visitor},
};

use crate::{Error, limit::DELETE_NAMES_MAX};

/// What every function answers.
pub type Outcome<T> = Result<T, Error>;

/// Parameters of the functions on a container as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Container<'a> {
    /// The container.
    #[serde(borrow)]
    pub container: Cow<'a, str>,
}

/// Parameters of the functions on one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Object<'a> {
    /// The container.
    #[serde(borrow)]
    pub container: Cow<'a, str>,
    /// The object.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
}

/// Parameters of [`GET_DATA`](crate::operation::GET_DATA).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GetData<'a> {
    /// The container.
    #[serde(borrow)]
    pub container: Cow<'a, str>,
    /// The object.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// The first byte.
    pub start: u64,
    /// The last byte, which is included; behind the object's last it means that one.
    pub end: u64,
}

/// Parameters of [`LIST_OBJECTS`](crate::operation::LIST_OBJECTS).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ListObjects<'a> {
    /// The container.
    #[serde(borrow)]
    pub container: Cow<'a, str>,
    /// Where the page before this one ended, in the store's own words; nothing for the first page.
    #[serde(borrow)]
    pub cursor: Option<Cow<'a, str>>,
    /// The most names to answer with; a store answers with fewer where that is past its own limit.
    pub limit: u32,
}

/// One page of a container's objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ObjectNames {
    /// Names in the order of their bytes. A page may be empty although there are more.
    pub names: Vec<String>,
    /// What to ask for the next page with; nothing after the last.
    pub cursor: Option<String>,
}

/// Parameters of [`DELETE_OBJECTS`](crate::operation::DELETE_OBJECTS).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeleteObjects<'a> {
    /// The container.
    #[serde(borrow)]
    pub container: Cow<'a, str>,
    /// The objects.
    #[serde(borrow, deserialize_with = "names")]
    pub names: Vec<Text<'a>>,
}

/// A name in a list. (Serde borrows a `Cow` only where it is a field of its own.)
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// An object, wherever it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ObjectId<'a> {
    /// The container.
    #[serde(borrow)]
    pub container: Cow<'a, str>,
    /// The object.
    #[serde(borrow)]
    pub object: Cow<'a, str>,
}

impl<'a> ObjectId<'a> {
    /// The object of this name in this container.
    pub fn new(container: &'a str, object: &'a str) -> Self {
        Self { container: container.into(), object: object.into() }
    }
}

/// Parameters of [`COPY_OBJECT`](crate::operation::COPY_OBJECT) and [`MOVE_OBJECT`](crate::operation::MOVE_OBJECT).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Transfer<'a> {
    /// What to copy.
    #[serde(borrow)]
    pub src: ObjectId<'a>,
    /// Where to.
    #[serde(borrow)]
    pub dest: ObjectId<'a>,
}

/// What is known of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ContainerMetadata {
    /// Its name.
    pub name: String,
    /// When it was made, in seconds since 1970; 0 where the store does not say.
    pub created_at: u64,
}

/// What is known of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ObjectMetadata {
    /// Its name.
    pub name: String,
    /// Its container.
    pub container: String,
    /// When its bytes were written, in seconds since 1970.
    pub created_at: u64,
    /// Its length in bytes.
    pub size: u64,
}

/// Stops reading where a list is past its limit, so that a short message of millions of empty names costs nothing.
fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Text<'de>>, D::Error> {
    deserializer.deserialize_seq(Names(PhantomData))
}

struct Names<'a>(PhantomData<Text<'a>>);

impl<'de> Visitor<'de> for Names<'de> {
    type Value = Vec<Text<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {DELETE_NAMES_MAX} names")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut read = Vec::with_capacity(entries.size_hint().unwrap_or(0).min(DELETE_NAMES_MAX));
        while let Some(entry) = entries.next_element()? {
            if read.len() == DELETE_NAMES_MAX {
                return Err(A::Error::custom(format_args!("more than {DELETE_NAMES_MAX} names")));
            }
            read.push(entry);
        }
        Ok(read)
    }
}
