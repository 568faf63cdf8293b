//! A file service on objects: `PUT`, `GET` and `DELETE /NAME`, and `GET /` lists the names. Files of any size stream through.

use std::io::Write as _;

use wattle::{Request, Response, Result, blobstore};

wattle::http!(serve);

const CONTAINER: &str = "files";

fn serve(request: Request) -> Result<Response> {
    let files = blobstore::open_or_create(CONTAINER)?;
    let name = request.path().trim_start_matches('/').to_owned();
    match (request.method().as_str(), name.as_str()) {
        ("GET", "") => Ok(Response::text(lines(files.names()?))),
        ("GET", _) if !files.has(&name)? => Ok(Response::text("no such file\n").status(404)),
        ("GET", _) => download(&files, &name),
        ("PUT", name) if !name.is_empty() => upload(&files, name, &request),
        ("DELETE", name) if !name.is_empty() => {
            files.delete(name)?;
            Ok(Response::new("").status(204))
        }
        _ => Ok(Response::text("GET, PUT or DELETE /NAME\n").status(405)),
    }
}

fn download(files: &blobstore::Container, name: &str) -> Result<Response> {
    let size = files.info(name)?.size;
    let mut body = files.read(name)?;
    let response = Response::stream(move |out| {
        while let Some(chunk) = body.chunk()? {
            out.write_all(&chunk)?;
        }
        Ok(())
    });
    Ok(response.header("content-length", size.to_string()))
}

/// The file is there when this has answered, whole; an upload that breaks off leaves what was there before.
fn upload(files: &blobstore::Container, name: &str, request: &Request) -> Result<Response> {
    let mut body = request.body();
    let stored = files.write(name, |out| {
        while let Some(chunk) = body.chunk()? {
            out.write_all(&chunk)?;
        }
        Ok(())
    });
    match stored {
        Ok(()) => Ok(Response::new("").status(201)),
        Err(error) => Ok(Response::text(format!("{error}\n")).status(422)),
    }
}

fn lines(names: Vec<String>) -> String {
    names.into_iter().map(|name| name + "\n").collect()
}
