//! Checks the links of a web page: `GET /?page=https://example.com/` answers with a line for each.

mod links;

use std::{io::Write as _, time::Duration};

use wattle::{Request, Response, Result, http};

wattle::http!(check);

/// What is read of a page, in bytes.
const PAGE_LEN_MAX: usize = 1024 * 1024;

/// Links of one page that are looked at: the answer should not take for ever.
const LINKS_MAX: usize = 50;

const TIMEOUT: Duration = Duration::from_secs(5);

fn check(request: Request) -> Result<Response> {
    let Some(page) = request.query("page") else {
        return Ok(Response::text("which page? /?page=https://example.com/\n").status(400));
    };
    let answer = match http::get(page).timeout(TIMEOUT).send() {
        Ok(answer) => answer,
        Err(error) => return Ok(Response::text(format!("{page}: {error}\n")).status(502)),
    };
    if answer.status() != 200 {
        return Ok(Response::text(format!("{page}: {}\n", answer.status())).status(502));
    }
    let html = String::from_utf8_lossy(&answer.body().bytes(PAGE_LEN_MAX)?).into_owned();
    let links = links::of(page, &html);
    let (checked, left) = links.split_at(links.len().min(LINKS_MAX));
    Ok(Response::stream({
        let (checked, left) = (checked.to_vec(), left.len());
        move |out| {
            for link in checked {
                writeln!(out, "{} {link}", verdict(&link))?;
            }
            if left > 0 {
                writeln!(out, "and {left} more")?;
            }
            Ok(())
        }
    })
    .header("content-type", "text/plain; charset=utf-8"))
}

/// The status that a link answers with, or why it does not.
fn verdict(link: &str) -> String {
    match http::Outgoing::new("HEAD", link).timeout(TIMEOUT).send() {
        Ok(answer) if answer.status() < 400 => format!("fine {}", answer.status()),
        Ok(answer) => format!("dead {}", answer.status()),
        Err(http::SendError::Code(http::ErrorCode::HttpRequestDenied)) => "skip denied".to_owned(),
        Err(error) => format!("dead {error}"),
    }
}
