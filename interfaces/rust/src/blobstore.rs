//! Objects of any size: `wasi:blobstore`, whichever store the actor is linked to.

use std::{fmt, io};

use crate::{
    bindings::blobstore::{blobstore, container, types},
    http::{Body, BodyWriter},
};
pub use types::{ContainerMetadata, ObjectMetadata};

/// The end of an object, whatever its length.
const TO_THE_END: u64 = u64::MAX;

/// Names that are asked for at once.
const PAGE_LEN: u64 = 1_000;

/// What the store said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// A container of objects.
#[derive(Debug)]
pub struct Container(container::Container);

/// Opens a container that is there.
pub fn open(name: &str) -> Result<Container, Error> {
    Ok(Container(blobstore::get_container(name)?))
}

/// Opens a container, which is made where it is not there.
pub fn open_or_create(name: &str) -> Result<Container, Error> {
    match blobstore::container_exists(name)? {
        true => open(name),
        false => Ok(Container(blobstore::create_container(name)?)),
    }
}

/// Deletes a container with all that is in it.
pub fn delete_container(name: &str) -> Result<(), Error> {
    Ok(blobstore::delete_container(name)?)
}

impl Container {
    /// An object's bytes, to read as they come.
    pub fn read(&self, name: &str) -> Result<Body, Error> {
        self.read_range(name, 0, TO_THE_END)
    }

    /// Some of an object's bytes, `start` and `end` both included.
    pub fn read_range(&self, name: &str, start: u64, end: u64) -> Result<Body, Error> {
        let value = self.0.get_data(name, start, end)?;
        Ok(Body::of_stream(types::IncomingValue::incoming_value_consume_async(value)?))
    }

    /// Puts an object of any length in place of any that is there, written while it is stored. It is the object when this returns
    /// without an error; where `write` fails, nothing has changed.
    pub fn write(
        &self,
        name: &str,
        write: impl FnOnce(&mut BodyWriter) -> io::Result<()>,
    ) -> Result<(), Error> {
        let value = types::OutgoingValue::new_outgoing_value();
        self.0.write_data(name, &value)?;
        let stream = value
            .outgoing_value_write_body()
            .map_err(|()| Error("a new value still has its stream".to_owned()))?;
        let mut writer = BodyWriter::new(stream);
        write(&mut writer)?;
        io::Write::flush(&mut writer)?;
        drop(writer); // a child of the value, which can only be finished without it
        Ok(types::OutgoingValue::finish(value)?)
    }

    /// Puts an object of these bytes.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.write(name, |out| io::Write::write_all(out, bytes))
    }

    /// Deletes an object, whether or not it is there.
    pub fn delete(&self, name: &str) -> Result<(), Error> {
        Ok(self.0.delete_object(name)?)
    }

    /// Whether an object is there.
    pub fn has(&self, name: &str) -> Result<bool, Error> {
        Ok(self.0.has_object(name)?)
    }

    /// What is known of an object.
    pub fn info(&self, name: &str) -> Result<ObjectMetadata, Error> {
        Ok(self.0.object_info(name)?)
    }

    /// All names, in the order of their bytes.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        let listing = self.0.list_objects()?;
        let mut all = Vec::new();
        loop {
            let (names, last) = listing.read_stream_object_names(PAGE_LEN)?;
            all.extend(names);
            if last {
                return Ok(all);
            }
        }
    }
}
