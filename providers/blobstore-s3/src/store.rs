//! The contract over S3.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, path::Path};
use tokio::sync::Semaphore;
use wattle_blobstore::{
    Failure, Page, Range, Store,
    limit::PAGE_NAMES_MAX,
    store::At,
    wire::{ContainerMetadata, ObjectMetadata},
};

use crate::{
    account::Account,
    error::{failed, is_missing},
    journal::Journal,
    listing,
    reading::Reading,
    signed::Copied,
    writing::{LINK_PARTS, Writing},
};

/// One link's store.
#[derive(Debug)]
pub(crate) struct S3Store {
    account: Account,
    journal: Journal,
    places: Arc<Semaphore>,
}

impl S3Store {
    pub(crate) fn new(account: Account, journal: Journal) -> Self {
        Self { account, journal, places: Arc::new(Semaphore::new(LINK_PARTS)) }
    }
}

impl Store for S3Store {
    type Reading = Reading;
    type Writing = Writing;

    async fn create_container(&self, name: &str) -> Result<(), Failure> {
        let (account, name) = (self.account.clone(), name.to_owned());
        self.account.io.run(async move { account.make_bucket(&name).await }).await
    }

    /// What others put there under names that the contract cannot say stays, and the bucket with it: S3 then says that it is not
    /// empty.
    async fn delete_container(&self, name: &str) -> Result<(), Failure> {
        let (account, name) = (self.account.clone(), name.to_owned());
        let deleted = self.account.io.run(async move {
            let mut cursor: Option<String> = None;
            loop {
                let xml = account.page(&name, "", cursor.as_deref(), PAGE_NAMES_MAX).await?;
                let page = listing::page(&xml)?;
                delete(&account, &name, &page.names).await?;
                cursor = page.cursor;
                if cursor.is_none() {
                    return account.delete_bucket(&name).await;
                }
            }
        });
        deleted.await
    }

    async fn container_exists(&self, name: &str) -> Result<bool, Failure> {
        let (account, name) = (self.account.clone(), name.to_owned());
        self.account.io.run(async move { account.has_bucket(&name).await }).await
    }

    /// When a bucket was made S3 says only to those who may list all buckets; so it is not said.
    async fn container_info(&self, name: &str) -> Result<ContainerMetadata, Failure> {
        self.must_exist(name).await?;
        Ok(ContainerMetadata { name: name.to_owned(), created_at: 0 })
    }

    async fn open(
        &self,
        container: &str,
        name: &str,
        range: Range,
    ) -> Result<(u64, Reading), Failure> {
        let (account, container, name) = self.owned(container, name);
        let opened = self.account.io.run(async move {
            let objects = account.objects(&container)?;
            match Reading::open(&objects, &path(&name)?, range).await? {
                Some(found) => Ok(found),
                None => {
                    account.must_have_bucket(&container).await?;
                    Err(Failure::no_object(&container, &name))
                }
            }
        });
        opened.await
    }

    async fn create(&self, container: &str, name: &str) -> Result<Writing, Failure> {
        self.must_exist(container).await?;
        Writing::new(&self.account, &self.journal, &self.places, container, path(name)?)
    }

    async fn list(
        &self,
        container: &str,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page, Failure> {
        let (account, container, prefix) = self.owned(container, prefix);
        let cursor = cursor.map(str::to_owned);
        let listed = self.account.io.run(async move {
            let xml = account.page(&container, &prefix, cursor.as_deref(), limit).await?;
            listing::page(&xml)
        });
        listed.await
    }

    async fn object_info(
        &self,
        container: &str,
        name: &str,
    ) -> Result<Option<ObjectMetadata>, Failure> {
        let (account, container, name) = self.owned(container, name);
        let info = self.account.io.run(async move {
            let found = look(&account, &container, &name).await?;
            Ok(found.map(|meta| {
                let created_at = u64::try_from(meta.last_modified.timestamp()).unwrap_or(0);
                ObjectMetadata { name, container, created_at, size: meta.size }
            }))
        });
        info.await
    }

    async fn delete(&self, container: &str, names: &[&str]) -> Result<(), Failure> {
        let (account, container) = (self.account.clone(), container.to_owned());
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let deleted = self.account.io.run(async move {
            account.must_have_bucket(&container).await?;
            delete(&account, &container, &names).await
        });
        deleted.await
    }

    async fn copy(&self, src: At<'_>, dest: At<'_>) -> Result<(), Failure> {
        if self.is_same(src, dest)? {
            return self.must_be_there(src).await;
        }
        let (account, from, name) = self.owned(src.container, src.name);
        let (_, to, new_name) = self.owned(dest.container, dest.name);
        let copied = self.account.io.run(async move {
            copy_version(&account, (&from, &name), (&to, &new_name), None).await
        });
        copied.await
    }

    /// S3 has no such thing: a copy of one version, and then that is deleted. Between the two, both are there. Whatever is written
    /// under the first name meanwhile stays there, and the move fails: only what comes in the moment between the last look and
    /// the deletion is not noticed.
    async fn rename(&self, src: At<'_>, dest: At<'_>) -> Result<(), Failure> {
        if self.is_same(src, dest)? {
            return self.must_be_there(src).await;
        }
        let (account, from, name) = self.owned(src.container, src.name);
        let (_, to, new_name) = self.owned(dest.container, dest.name);
        let moved = self.account.io.run(async move {
            let Some(version) = look(&account, &from, &name).await? else {
                return Err(Failure::no_object(&from, &name));
            };
            let e_tag = version.e_tag.as_deref();
            copy_version(&account, (&from, &name), (&to, &new_name), e_tag).await?;
            match look(&account, &from, &name).await? {
                Some(still) if still == version => delete(&account, &from, &[name]).await,
                Some(_) => Err(changed(&from, &name)),
                None => Ok(()),
            }
        });
        moved.await
    }
}

impl S3Store {
    fn owned(&self, container: &str, name: &str) -> (Account, String, String) {
        (self.account.clone(), container.to_owned(), name.to_owned())
    }

    /// Whether two containers are the same bucket, by their aliases, and the names are the same, too.
    fn is_same(&self, one: At<'_>, other: At<'_>) -> Result<bool, Failure> {
        let settings = &self.account.settings;
        let same_bucket = settings.bucket(one.container)? == settings.bucket(other.container)?;
        Ok(same_bucket && one.name == other.name)
    }

    async fn must_be_there(&self, at: At<'_>) -> Result<(), Failure> {
        let found = self.object_info(at.container, at.name).await?;
        found.map(drop).ok_or_else(|| Failure::no_object(at.container, at.name))
    }

    async fn must_exist(&self, container: &str) -> Result<(), Failure> {
        let (account, container) = (self.account.clone(), container.to_owned());
        self.account.io.run(async move { account.must_have_bucket(&container).await }).await
    }
}

/// The version of an object that is there now, if one is.
async fn look(
    account: &Account,
    container: &str,
    name: &str,
) -> Result<Option<ObjectMeta>, Failure> {
    match account.objects(container)?.head(&path(name)?).await {
        Ok(meta) => Ok(Some(meta)),
        // The answer to HEAD has no body, so it does not say what is missing.
        Err(error) if is_missing(&error) => {
            account.must_have_bucket(container).await.map(|()| None)
        }
        Err(error) => Err(failed("look at an object", &error)),
    }
}

async fn copy_version(
    account: &Account,
    src: (&str, &str),
    dest: (&str, &str),
    e_tag: Option<&str>,
) -> Result<(), Failure> {
    match account.copy(src, dest, e_tag).await? {
        Copied::Done => Ok(()),
        Copied::Changed => Err(changed(src.0, src.1)),
        Copied::Missing => {
            account.must_have_bucket(src.0).await?;
            account.must_have_bucket(dest.0).await?;
            Err(Failure::no_object(src.0, src.1))
        }
    }
}

/// What a move says that somebody came between.
fn changed(container: &str, name: &str) -> Failure {
    Failure::other(format!(
        "object {name:?} in container {container:?} was written again while it was moved, and stays"
    ))
}

/// Deletes objects, a thousand with each request.
async fn delete(account: &Account, container: &str, names: &[String]) -> Result<(), Failure> {
    let paths = names.iter().map(|name| path(name)).collect::<Result<Vec<_>, _>>()?;
    let objects = account.objects(container)?;
    let deleted = objects.delete_stream(futures::stream::iter(paths.into_iter().map(Ok)).boxed());
    let deleted = deleted.try_for_each(|_| async { Ok(()) }).await;
    deleted.map_err(|error| failed("delete an object", &error))
}

/// A name that the contract allows is one of `object_store`'s, too, letter for letter.
pub(crate) fn path(name: &str) -> Result<Path, Failure> {
    let path = Path::parse(name).ok().filter(|path| path.as_ref() == name);
    path.ok_or_else(|| Failure::other(format!("{name:?} cannot be an object's name in S3")))
}
