//! Conversations as everybody here keeps them, and a word to their owner's windows when one
//! comes, goes or gets another name: it is in the list of what an MCP client may read.

use exai_engine::{
    Engine,
    ports::{
        models::ModelFuture,
        threads::{
            Failure, Found, Imported, ListQuery, Listed, Open, Said, SearchQuery, Thread,
            ThreadError, Threads,
        },
    },
    sessions::Push,
    tool::ToolCall,
};
use exai_protocol::Principal;
use std::sync::{Arc, OnceLock, Weak};

/// See the module.
pub(crate) struct Announced {
    threads: Arc<dyn Threads>,
    engine: OnceLock<Weak<Engine>>,
}

impl Announced {
    pub(crate) fn new(threads: Arc<dyn Threads>) -> Arc<Self> {
        Arc::new(Self {
            threads,
            engine: OnceLock::new(),
        })
    }

    /// Set by the composition alone, before anybody calls.
    pub(crate) fn join(&self, engine: &Arc<Engine>) {
        let _ = self.engine.set(Arc::downgrade(engine));
    }

    fn tell(&self, whose: &Principal) {
        if let Some(engine) = self.engine.get().and_then(Weak::upgrade) {
            engine.sessions().push(whose, None, &Push::ResourcesChanged);
        }
    }
}

impl Threads for Announced {
    fn open<'a>(
        &'a self,
        call: &'a ToolCall,
        id: Option<&'a str>,
    ) -> ModelFuture<'a, Result<Open, ThreadError>> {
        self.threads.open(call, id)
    }

    fn append<'a>(
        &'a self,
        open: &'a Open,
        said: Said,
    ) -> ModelFuture<'a, Result<u32, ThreadError>> {
        Box::pin(async move {
            let turn = self.threads.append(open, said).await?;
            if open.count == 0 {
                self.tell(&open.principal);
            }
            Ok(turn)
        })
    }

    fn failed(&self, open: &Open, failure: Failure) {
        self.threads.failed(open, failure);
    }

    fn list<'a>(
        &'a self,
        who: &'a Principal,
        query: ListQuery,
    ) -> ModelFuture<'a, Result<Listed, ThreadError>> {
        self.threads.list(who, query)
    }

    fn search<'a>(
        &'a self,
        who: &'a Principal,
        query: SearchQuery,
    ) -> ModelFuture<'a, Result<Vec<Found>, ThreadError>> {
        self.threads.search(who, query)
    }

    fn load<'a>(
        &'a self,
        who: &'a Principal,
        id: &'a str,
    ) -> ModelFuture<'a, Result<Thread, ThreadError>> {
        self.threads.load(who, id)
    }

    fn rename<'a>(
        &'a self,
        who: &'a Principal,
        id: &'a str,
        title: &'a str,
    ) -> ModelFuture<'a, Result<(), ThreadError>> {
        Box::pin(async move {
            self.threads.rename(who, id, title).await?;
            self.tell(who);
            Ok(())
        })
    }

    fn delete<'a>(
        &'a self,
        who: &'a Principal,
        id: &'a str,
    ) -> ModelFuture<'a, Result<(), ThreadError>> {
        Box::pin(async move {
            self.threads.delete(who, id).await?;
            self.tell(who);
            Ok(())
        })
    }

    fn import<'a>(
        &'a self,
        who: &'a Principal,
        thread: Imported,
    ) -> ModelFuture<'a, Result<bool, ThreadError>> {
        Box::pin(async move {
            let is_new = self.threads.import(who, thread).await?;
            if is_new {
                self.tell(who);
            }
            Ok(is_new)
        })
    }
}
