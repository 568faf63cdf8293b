//! The contract in its simplest form: a map of maps.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use wattle_blobstore::{
    Failure, Page, Range, Reading, Store, Writing,
    store::At,
    wire::{ContainerMetadata, ObjectMetadata},
};

type Objects = BTreeMap<String, Bytes>;

/// Bytes that are read at once.
const READ_LEN: usize = 64 * 1024;

/// A moment in 2024: these objects do not know when they came.
const CREATED_AT: u64 = 1_720_000_000;

/// Containers of objects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    containers: Arc<Mutex<BTreeMap<String, Objects>>>,
    readings: Arc<AtomicUsize>,
}

impl Memory {
    fn with<T>(&self, run: impl FnOnce(&mut BTreeMap<String, Objects>) -> T) -> T {
        run(&mut self.containers.lock().expect("no test panics with it"))
    }

    /// Objects that are being read.
    pub(crate) fn readings(&self) -> usize {
        self.readings.load(Ordering::Relaxed)
    }

    fn within<T>(
        &self,
        container: &str,
        run: impl FnOnce(&mut Objects) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.with(|all| {
            run(all.get_mut(container).ok_or_else(|| Failure::no_container(container))?)
        })
    }

    fn object(&self, container: &str, name: &str) -> Result<Bytes, Failure> {
        self.within(container, |objects| {
            objects.get(name).cloned().ok_or_else(|| Failure::no_object(container, name))
        })
    }
}

pub(crate) struct Left {
    bytes: Bytes,
    readings: Arc<AtomicUsize>,
}

impl Reading for Left {
    async fn read(&mut self) -> Result<Option<Bytes>, Failure> {
        let next = self.bytes.split_to(self.bytes.len().min(READ_LEN));
        Ok(Some(next).filter(|next| !next.is_empty()))
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        self.readings.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(crate) struct Growing {
    store: Memory,
    container: String,
    name: String,
    data: Vec<u8>,
}

impl Writing for Growing {
    async fn write(&mut self, chunk: Bytes) -> Result<(), Failure> {
        self.data.extend_from_slice(&chunk);
        Ok(())
    }

    async fn commit(self) -> Result<(), Failure> {
        let Self { store, container, name, data } = self;
        store.within(&container, |objects| {
            objects.insert(name, data.into());
            Ok(())
        })
    }
}

impl Store for Memory {
    type Reading = Left;
    type Writing = Growing;

    async fn create_container(&self, name: &str) -> Result<(), Failure> {
        self.with(|all| match all.contains_key(name) {
            true => Err(Failure::container_exists(name)),
            false => {
                all.insert(name.to_owned(), Objects::new());
                Ok(())
            }
        })
    }

    async fn delete_container(&self, name: &str) -> Result<(), Failure> {
        let gone = self.with(|all| all.remove(name));
        gone.map(drop).ok_or_else(|| Failure::no_container(name))
    }

    async fn container_exists(&self, name: &str) -> Result<bool, Failure> {
        Ok(self.with(|all| all.contains_key(name)))
    }

    async fn container_info(&self, name: &str) -> Result<ContainerMetadata, Failure> {
        let info = ContainerMetadata { name: name.to_owned(), created_at: CREATED_AT };
        self.within(name, |_| Ok(info))
    }

    async fn open(
        &self,
        container: &str,
        name: &str,
        range: Range,
    ) -> Result<(u64, Left), Failure> {
        let data = self.object(container, name)?;
        let len = range.len_in(data.len() as u64);
        let start = usize::try_from(range.start.min(data.len() as u64)).expect("within the data");
        let end = start + usize::try_from(len).expect("within the data");
        self.readings.fetch_add(1, Ordering::Relaxed);
        Ok((len, Left { bytes: data.slice(start..end), readings: Arc::clone(&self.readings) }))
    }

    async fn create(&self, container: &str, name: &str) -> Result<Growing, Failure> {
        self.within(container, |_| Ok(()))?;
        let (container, name) = (container.to_owned(), name.to_owned());
        Ok(Growing { store: self.clone(), container, name, data: Vec::new() })
    }

    async fn list(
        &self,
        container: &str,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page, Failure> {
        self.within(container, |objects| {
            let after = cursor.map_or(Bound::Unbounded, Bound::Excluded);
            let behind = objects.range::<str, _>((after, Bound::Unbounded));
            let mut names = behind.map(|(name, _)| name).filter(|name| name.starts_with(prefix));
            let page: Vec<String> = names.by_ref().take(limit).cloned().collect();
            let cursor = names.next().and(page.last()).cloned();
            Ok(Page { names: page, cursor })
        })
    }

    async fn object_info(
        &self,
        container: &str,
        name: &str,
    ) -> Result<Option<ObjectMetadata>, Failure> {
        let size = self.within(container, |all| Ok(all.get(name).map(Bytes::len)))?;
        Ok(size.map(|size| ObjectMetadata {
            name: name.to_owned(),
            container: container.to_owned(),
            created_at: CREATED_AT,
            size: size as u64,
        }))
    }

    async fn delete(&self, container: &str, names: &[&str]) -> Result<(), Failure> {
        self.within(container, |objects| {
            names.iter().for_each(|&name| drop(objects.remove(name)));
            Ok(())
        })
    }

    async fn copy(&self, src: At<'_>, dest: At<'_>) -> Result<(), Failure> {
        let data = self.object(src.container, src.name)?;
        self.within(dest.container, |objects| {
            objects.insert(dest.name.to_owned(), data);
            Ok(())
        })
    }

    async fn rename(&self, src: At<'_>, dest: At<'_>) -> Result<(), Failure> {
        self.copy(src, dest).await?;
        self.delete(src.container, &[src.name]).await
    }
}
