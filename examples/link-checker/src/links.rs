//! The links in a page's HTML. This looks for `href="…"`, which is what most pages are made of, and is no parser of HTML.

/// Each link once, in the order of the page; those without a scheme belong to the page's own site.
pub(crate) fn of(page: &str, html: &str) -> Vec<String> {
    let mut links = Vec::new();
    for after in html.split("href=").skip(1) {
        let Some(quote) = after.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
            continue;
        };
        let Some((target, _)) = after[1..].split_once(quote) else { continue };
        if let Some(link) = absolute(page, target)
            && !links.contains(&link)
        {
            links.push(link);
        }
    }
    links
}

fn absolute(page: &str, target: &str) -> Option<String> {
    let target = target.split('#').next().filter(|target| !target.is_empty())?;
    let (scheme, rest) = page.split_once("://")?;
    let site_end = rest.find(['/', '?']).map_or(page.len(), |end| scheme.len() + 3 + end);
    let site = &page[..site_end];
    if target.starts_with("http://") || target.starts_with("https://") {
        return Some(target.to_owned());
    }
    if let Some(elsewhere) = target.strip_prefix("//") {
        return Some(format!("{scheme}://{elsewhere}"));
    }
    if target.starts_with('/') {
        return Some(format!("{site}{target}"));
    }
    // mailto:, javascript: and the like.
    if target.split(['/', '?']).next().is_some_and(|first| first.contains(':')) {
        return None;
    }
    let folder = page[site_end..].split('?').next().and_then(|path| path.rsplit_once('/'));
    Some(format!("{site}{}/{target}", folder.map_or("", |(folder, _)| folder)))
}
