//! An object's bytes on their way to a guest, and from it.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};
use wattle_blobstore::{Download, Failure, Upload};
use wattle_wire::{Body, StreamError};

use super::{Answer, answer, types};
use crate::actors::{
    instance::Instance,
    streams::{BodyReader, BodyWriter, Writing},
};

/// Outgoing values that an instance may have at once: each holds a window of bytes outside of its memory.
const UPLOADS_MAX: usize = 16;

/// Bytes that a guest gets at once, ahead of its own limit saying whether it has room for them; more is for a stream.
const AT_ONCE_BYTES_MAX: usize = 16 << 20;

/// Bytes that a store sends.
#[allow(unreachable_pub, reason = "the generated bindings name it as public")]
pub struct Incoming {
    size: u64,
    body: Body,
}

impl Incoming {
    pub(super) fn new(Download { size, body }: Download) -> Self {
        Self { size, body }
    }
}

/// Bytes that a guest sends: written into one end of a pipe, whose other end `write-data` hands to the store.
#[allow(unreachable_pub, reason = "the generated bindings name it as public")]
pub struct Outgoing {
    /// Shared with the stream that the guest writes to, which it may drop at any time; the value's own `finish` ends it.
    writing: Writing,
    written: bool,
    body: Option<Body>,
    upload: Option<Upload>,
}

impl Outgoing {
    fn new() -> Self {
        let (sender, body) = Body::channel();
        Self { writing: Writing::new(sender), written: false, body: Some(body), upload: None }
    }

    /// What the store is to read.
    pub(super) fn begin(&mut self) -> Result<Body, String> {
        let body = self.body.take().ok_or("the value is written to an object already")?;
        self.writing.read();
        Ok(body)
    }

    /// The store reads.
    pub(super) fn begun(&mut self, upload: Upload) {
        self.upload = Some(upload);
    }
}

impl types::HostOutgoingValue for &mut Instance {
    async fn new_outgoing_value(&mut self) -> wasmtime::Result<Resource<Outgoing>> {
        self.uploads += 1;
        if self.uploads > UPLOADS_MAX {
            let text = format!("more than {UPLOADS_MAX} outgoing values in one call");
            return Err(wasmtime::Error::msg(text));
        }
        Ok(self.table.push(Outgoing::new())?)
    }

    async fn outgoing_value_write_body(
        &mut self,
        value: Resource<Outgoing>,
    ) -> wasmtime::Result<Result<Resource<DynOutputStream>, ()>> {
        let outgoing = self.table.get_mut(&value)?;
        if std::mem::replace(&mut outgoing.written, true) {
            return Ok(Err(()));
        }
        let writer: DynOutputStream = Box::new(BodyWriter::new(&outgoing.writing));
        // Not the value's child: a guest may finish the value before it lets go of the stream, which is closed then.
        Ok(Ok(self.table.push(writer)?))
    }

    async fn finish(&mut self, value: Resource<Outgoing>) -> Answer<()> {
        let Outgoing { writing, upload, .. } = self.table.delete(value)?;
        self.uploads -= 1;
        let Some(upload) = upload else {
            return answer(Err(Failure::other("the value was not written to any object")));
        };
        writing.finish().await;
        answer(upload.finish().await)
    }

    async fn drop(&mut self, value: Resource<Outgoing>) -> wasmtime::Result<()> {
        self.table.delete(value)?;
        self.uploads -= 1;
        Ok(())
    }
}

impl types::HostIncomingValue for &mut Instance {
    async fn incoming_value_consume_sync(&mut self, value: Resource<Incoming>) -> Answer<Vec<u8>> {
        let Incoming { mut body, .. } = self.table.delete(value)?;
        let bytes = body.collect(AT_ONCE_BYTES_MAX).await.map_err(|error| match error {
            StreamError::TooLarge => Failure::too_large(format!(
                "more than {AT_ONCE_BYTES_MAX} bytes at once: take them as a stream"
            )),
            error => error.into(),
        });
        answer(bytes.map(Vec::from))
    }

    async fn incoming_value_consume_async(
        &mut self,
        value: Resource<Incoming>,
    ) -> Answer<Resource<DynInputStream>> {
        let Incoming { body, .. } = self.table.delete(value)?;
        let reader: DynInputStream = Box::new(BodyReader::new(body));
        Ok(Ok(self.table.push(reader)?))
    }

    async fn size(&mut self, value: Resource<Incoming>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&value)?.size)
    }

    async fn drop(&mut self, value: Resource<Incoming>) -> wasmtime::Result<()> {
        self.table.delete(value)?;
        Ok(())
    }
}
