//! The contract over a folder of containers.

use std::{collections::BTreeSet, fs::File, io, sync::Arc};

use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, fsync, unlinkat},
    io::Errno,
};
use tracing::warn;
use wattle_blobstore::{
    Failure, Page, Range, Store, Writing as _,
    store::At,
    wire::{ContainerMetadata, ObjectMetadata},
};

use crate::{
    disk::Disk,
    listing,
    reading::Reading,
    root::{Root, check_place, created_at},
    tree::{self, failed},
    writing::Writing,
};

/// One link's store.
#[derive(Debug)]
pub(crate) struct FileStore {
    disk: Disk,
}

impl FileStore {
    pub(crate) fn new(root: Arc<Root>) -> Self {
        Self { disk: Disk::new(root) }
    }
}

impl Store for FileStore {
    type Reading = Reading;
    type Writing = Writing;

    async fn create_container(&self, name: &str) -> Result<(), Failure> {
        let name = name.to_owned();
        self.disk.run(move |root| root.make_container(&name)).await
    }

    /// It is gone when this answers; the room that it took is free a little later.
    async fn delete_container(&self, name: &str) -> Result<(), Failure> {
        let name = name.to_owned();
        let trash = self.disk.run(move |root| root.take_container(&name)).await?;
        let disk = self.disk.clone();
        tokio::spawn(async move {
            let removed = disk.run(move |root| {
                root.staging.remove(&trash).map_err(|errno| failed("remove a tree", errno))
            });
            if let Err(failure) = removed.await {
                warn!(%failure, "a deleted container still takes room until the next start");
            }
        });
        Ok(())
    }

    async fn container_exists(&self, name: &str) -> Result<bool, Failure> {
        let name = name.to_owned();
        let found = self.disk.run(move |root| match root.container(&name) {
            Ok(_) => Ok(true),
            Err(Failure::Store(_)) => Ok(false),
            Err(failure) => Err(failure),
        });
        found.await
    }

    async fn container_info(&self, name: &str) -> Result<ContainerMetadata, Failure> {
        let name = name.to_owned();
        let info = self.disk.run(move |root| {
            let folder = File::from(root.container(&name)?);
            let created_at = created_at(&folder).map_err(|error| cannot_look(&error))?;
            Ok(ContainerMetadata { name, created_at })
        });
        info.await
    }

    async fn open(
        &self,
        container: &str,
        name: &str,
        range: Range,
    ) -> Result<(u64, Reading), Failure> {
        let file = self.file(container, name).await?;
        Reading::new(self.disk.clone(), file, range).map_err(|error| cannot_look(&error))
    }

    async fn create(&self, container: &str, name: &str) -> Result<Writing, Failure> {
        let (within, place) = (container.to_owned(), name.to_owned());
        self.disk.run(move |root| check_place(&root.container(&within)?, &place)).await?;
        Writing::begin(self.disk.clone(), container, name).await
    }

    async fn list(
        &self,
        container: &str,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page, Failure> {
        let (container, prefix) = (container.to_owned(), prefix.to_owned());
        let cursor = cursor.map(str::to_owned);
        let page = self.disk.run(move |root| {
            let listed =
                listing::list(&root.container(&container)?, &prefix, cursor.as_deref(), limit);
            listed.map_err(|errno| failed("list a container", errno))
        });
        page.await
    }

    async fn object_info(
        &self,
        container: &str,
        name: &str,
    ) -> Result<Option<ObjectMetadata>, Failure> {
        let (container, name) = (container.to_owned(), name.to_owned());
        let info = self.disk.run(move |root| {
            let Some(file) = open(root, &container, &name)? else { return Ok(None) };
            let size = file.metadata().map_err(|error| cannot_look(&error))?.len();
            let created_at = created_at(&file).map_err(|error| cannot_look(&error))?;
            Ok(Some(ObjectMetadata { name, container, created_at, size }))
        });
        info.await
    }

    async fn delete(&self, container: &str, names: &[&str]) -> Result<(), Failure> {
        let container = container.to_owned();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let deleted = self.disk.run(move |root| {
            let container = root.container(&container)?;
            delete(&container, &names).map_err(|errno| failed("delete an object", errno))
        });
        deleted.await
    }

    async fn copy(&self, src: At<'_>, dest: At<'_>) -> Result<(), Failure> {
        let file = self.file(src.container, src.name).await?;
        let mut copy = self.create(dest.container, dest.name).await?;
        copy.copy(file).await?;
        copy.commit().await
    }

    async fn rename(&self, src: At<'_>, dest: At<'_>) -> Result<(), Failure> {
        let (from, name) = (src.container.to_owned(), src.name.to_owned());
        let (to, new_name) = (dest.container.to_owned(), dest.name.to_owned());
        let moved = self.disk.run(move |root| {
            check_place(&root.container(&to)?, &new_name)?;
            rename(root, (&from, &name), (&to, &new_name))
        });
        moved.await
    }
}

impl FileStore {
    async fn file(&self, container: &str, name: &str) -> Result<File, Failure> {
        let (container, name) = (container.to_owned(), name.to_owned());
        let opened = self.disk.run(move |root| {
            let file = open(root, &container, &name)?;
            file.ok_or_else(|| Failure::no_object(&container, &name))
        });
        opened.await
    }
}

fn open(root: &Root, container: &str, name: &str) -> Result<Option<File>, Failure> {
    let container = root.container(container)?;
    tree::open_file(&container, name).map_err(|errno| failed("open an object", errno))
}

/// Deletes files, then syncs each folder once and removes those that are empty.
fn delete(container: &OwnedFd, names: &[String]) -> Result<(), Errno> {
    let mut touched = BTreeSet::new();
    for name in names {
        let (folders, file) = tree::split(name);
        let Some(parent) = tree::found(tree::walk(container, folders))? else { continue };
        if tree::is_file(&parent, file)? {
            tree::found(unlinkat(&parent, file, AtFlags::empty()))?;
            touched.insert(folders);
        }
    }
    for folders in touched.into_iter().rev() {
        clean(container, folders)?;
    }
    Ok(())
}

/// Makes durable that files have left a folder, and removes it where it is empty.
fn clean(container: &OwnedFd, folders: Option<&str>) -> Result<(), Errno> {
    if let Some(parent) = tree::found(tree::walk(container, folders))? {
        fsync(parent)?;
    }
    folders.map_or(Ok(()), |folders| tree::prune(container, folders))
}

fn rename(root: &Root, src: (&str, &str), dest: (&str, &str)) -> Result<(), Failure> {
    let container = root.container(src.0)?;
    let (folders, file) = tree::split(src.1);
    let cannot = |errno| failed("move an object", errno);
    let parent = tree::found(tree::walk(&container, folders)).map_err(cannot)?;
    let Some(parent) = parent else { return Err(Failure::no_object(src.0, src.1)) };
    if !tree::is_file(&parent, file).map_err(cannot)? {
        return Err(Failure::no_object(src.0, src.1));
    }
    root.rename((&parent, file), dest.0, dest.1)?;
    clean(&container, folders).map_err(cannot)
}

fn cannot_look(error: &io::Error) -> Failure {
    Failure::backend(format!("the file system does not say what an object is: {error}"))
}
