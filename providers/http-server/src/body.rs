//! Both streams of an exchange: a client's body on its way to the host, and the answer's on its way to the client.

mod download;
mod unread;
mod upload;

pub(crate) use download::Download;
pub(crate) use upload::{Upload, UploadFailure, UploadWatch};
