//! `wattle nats init server`: one server, closed to all but those who have one of its credentials.

use wattle_core::LatticeName;

use super::{Access, Written, config, files::Folder, tls::Certificate};

const CONFIG: &str = "server.conf";

pub(super) fn write(access: &Access, lattice: &LatticeName) -> anyhow::Result<Written> {
    let folder = Folder::open(&access.out, access.force)?;
    folder.is_free(CONFIG)?;
    let certificate = Certificate::establish(&folder, &access.listen)?;
    let text = [
        config::head("server", "wattle"),
        config::clients(access, &certificate),
        config::jetstream(None),
        config::authorization(&folder, access, lattice, None)?,
    ];
    folder.write(CONFIG, &text.concat())?;
    let next = config::next(&folder, CONFIG, access, &certificate, None);
    Ok(Written { folder, config: CONFIG, next })
}
