//! Both streams of a request: the actor's body on its way out, and the response's on its way back.

mod download;
mod upload;

pub(crate) use download::Download;
pub(crate) use upload::{Rest, Upload, UploadError};
