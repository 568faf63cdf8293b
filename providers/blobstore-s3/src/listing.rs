//! Pages of names, as S3 writes them.

use quick_xml::{Reader, escape::unescape, events::Event};
use wattle_blobstore::{Failure, Page, name::check_object};

/// S3's answer to `ListObjectsV2`, as far as it is needed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Listed {
    keys: Vec<String>,
    is_truncated: bool,
}

/// A page's names, without those that the contract cannot say; others than this provider may have put such there. The cursor is the
/// page's last key.
pub(crate) fn page(xml: &str) -> Result<Page, Failure> {
    let failed = |reason: &str| Failure::backend(format!("S3 fails to list a bucket: {reason}"));
    let listed = read(xml).map_err(|error| failed(&error.to_string()))?;
    let listed = listed.ok_or_else(|| failed("its answer is something else"))?;
    let cursor = listed.keys.last().filter(|_| listed.is_truncated).cloned();
    let mut names = listed.keys;
    names.retain(|key| check_object(key).is_ok());
    Ok(Page { names, cursor })
}

/// Reads events, and not with serde: that trims texts, and a key may begin or end with a space. (S3 would write keys otherwise if
/// it was asked for `encoding-type`, but not all servers that say so then do so.)
fn read(xml: &str) -> Result<Option<Listed>, quick_xml::Error> {
    let mut reader = Reader::from_str(xml);
    let mut listed = Listed::default();
    let mut is_listing = false;
    loop {
        let start = match reader.read_event()? {
            Event::Start(start) => start,
            Event::Eof => return Ok(Some(listed).filter(|_| is_listing)),
            _ => continue,
        };
        match start.local_name().as_ref() {
            b"ListBucketResult" => is_listing = true,
            b"Key" => {
                let text = reader.read_text(start.name())?.decode()?.into_owned();
                listed.keys.push(unescape(&text)?.into_owned());
            }
            b"IsTruncated" => {
                let text = reader.read_text(start.name())?.decode()?.into_owned();
                listed.is_truncated = text.trim() == "true";
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_to_the_letter_and_those_that_no_name_says_are_passed_over() {
        let xml = "<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"http://s3/\"><Name>b</Name>\
            <IsTruncated>true</IsTruncated>\
            <Contents><Key> a/b &amp; c+%41&#xE4; </Key><Size>1</Size></Contents>\
            <Contents><Key>folder/</Key></Contents><Contents><Key>&#x1;</Key></Contents>\
            <Contents><Key>x//y</Key></Contents></ListBucketResult>";
        let page = page(xml).expect("S3 writes this");
        assert_eq!(page.names, [" a/b & c+%41ä "]);
        assert_eq!(page.cursor.as_deref(), Some("x//y"), "the next page begins behind it");
    }

    #[test]
    fn the_last_page_has_no_cursor_and_an_empty_one_no_names() {
        let xml = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
        assert_eq!(page(xml).expect("S3 writes this"), Page::default());
        let xml = "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>";
        assert_eq!(page(xml).expect("S3 writes this").cursor, None);
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for xml in
            ["", "<html></html>", "<a><Key>", "<Key>&nothing;</Key>", "<a></b>", "<Key>x</Other>"]
        {
            assert!(page(xml).is_err(), "{xml}");
        }
    }
}
