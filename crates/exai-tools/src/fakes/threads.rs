//! Conversations made of values: the port's promises without a file.

use exai_engine::{
    ports::{
        models::ModelFuture,
        threads::{
            Failure, Found, Imported, ListQuery, Listed, Open, Said, SearchQuery, Thread,
            ThreadError, ThreadRow, Threads, Turn,
        },
    },
    tool::ToolCall,
};
use exai_protocol::{Principal, UnixMillis};
use std::sync::{Arc, Mutex};

/// See the module. Whose they are is not asked here.
#[derive(Default)]
pub(crate) struct FakeThreads {
    pub(crate) all: Mutex<Vec<Thread>>,
    pub(crate) failures: Mutex<Vec<Failure>>,
    /// What keeping a turn fails with.
    pub(crate) broken: Option<ThreadError>,
}

impl FakeThreads {
    fn find(&self, id: &str) -> Result<Thread, ThreadError> {
        let all = self.all.lock().unwrap();
        let found = all.iter().find(|thread| thread.id == id).cloned();
        found.ok_or_else(|| ThreadError::Unknown(id.to_owned()))
    }

    fn rows(&self, workspaces: &[String]) -> Vec<ThreadRow> {
        let all = self.all.lock().unwrap();
        let here =
            |thread: &&Thread| workspaces.is_empty() || workspaces.contains(&thread.workspace);
        all.iter().filter(here).map(row).collect()
    }
}

fn row(thread: &Thread) -> ThreadRow {
    ThreadRow {
        id: thread.id.clone(),
        title: thread.title.clone(),
        workspace: thread.workspace.clone(),
        tool: "chat".to_owned(),
        created_at: thread.created_at,
        touched_at: thread.touched_at,
        turns: u32::try_from(thread.turns.len()).unwrap(),
        bytes: 100,
    }
}

/// The turns that lead to this one, or to the last one.
fn path(turns: &[Turn], head: Option<u32>) -> Vec<Turn> {
    let mut next = head.or_else(|| turns.last().map(|turn| turn.number));
    let mut path = Vec::new();
    for turn in turns.iter().rev() {
        if Some(turn.number) == next {
            next = turn.parent;
            path.push(turn.clone());
        }
    }
    path.reverse();
    path
}

impl Threads for FakeThreads {
    fn open<'a>(
        &'a self,
        call: &'a ToolCall,
        id: Option<&'a str>,
    ) -> ModelFuture<'a, Result<Open, ThreadError>> {
        let (id, head) = match id.and_then(|id| id.split_once('#')) {
            Some((id, head)) => (Some(id), head.parse().ok()),
            None => (id, None),
        };
        let opened = id.map(|id| self.find(id)).transpose();
        let new = format!("id-{}", self.all.lock().unwrap().len() + 1);
        Box::pin(async move {
            let thread = opened?.unwrap_or_else(|| Thread {
                id: new,
                ..Thread::default()
            });
            Ok(Open {
                id: thread.id.into(),
                principal: call.principal.clone(),
                workspace: thread.workspace,
                count: u32::try_from(thread.turns.len()).unwrap(),
                turns: path(&thread.turns, head).into(),
                lease: None,
            })
        })
    }

    fn append<'a>(
        &'a self,
        open: &'a Open,
        said: Said,
    ) -> ModelFuture<'a, Result<u32, ThreadError>> {
        Box::pin(async move {
            if let Some(error) = self.broken.clone() {
                return Err(error);
            }
            let mut all = self.all.lock().unwrap();
            if all.iter().all(|thread| thread.id != *open.id) {
                all.push(Thread {
                    id: open.id.to_string(),
                    title: said.question.clone(),
                    ..Thread::default()
                });
            }
            let found = all.iter_mut().find(|thread| thread.id == *open.id);
            let turns = &mut found.unwrap().turns;
            let number = u32::try_from(turns.len() + 1).unwrap();
            turns.push(Turn {
                number,
                parent: open.parent(),
                at: UnixMillis(0),
                said,
            });
            Ok(number)
        })
    }

    fn failed(&self, _: &Open, failure: Failure) {
        self.failures.lock().unwrap().push(failure);
    }

    fn list<'a>(
        &'a self,
        _: &'a Principal,
        query: ListQuery,
    ) -> ModelFuture<'a, Result<Listed, ThreadError>> {
        let mut rows = self.rows(&query.workspaces);
        let of = rows.len();
        rows.truncate(query.most);
        Box::pin(async move { Ok(Listed { rows, of }) })
    }

    fn search<'a>(
        &'a self,
        _: &'a Principal,
        query: SearchQuery,
    ) -> ModelFuture<'a, Result<Vec<Found>, ThreadError>> {
        let rows = self.rows(&query.workspaces).into_iter();
        let found = rows.filter(|row| row.title.contains(&query.words));
        let found = found.map(|thread| Found {
            turn: 1,
            snippet: format!("… {} …", query.words),
            thread,
        });
        let found = found.collect();
        Box::pin(async move { Ok(found) })
    }

    fn load<'a>(
        &'a self,
        _: &'a Principal,
        id: &'a str,
    ) -> ModelFuture<'a, Result<Thread, ThreadError>> {
        let found = self.find(id);
        Box::pin(async move { found })
    }

    fn rename<'a>(
        &'a self,
        _: &'a Principal,
        id: &'a str,
        title: &'a str,
    ) -> ModelFuture<'a, Result<(), ThreadError>> {
        let found = self.find(id).map(|_| {
            let mut all = self.all.lock().unwrap();
            let thread = all.iter_mut().find(|thread| thread.id == id);
            title.clone_into(&mut thread.unwrap().title);
        });
        Box::pin(async move { found })
    }

    fn delete<'a>(
        &'a self,
        _: &'a Principal,
        id: &'a str,
    ) -> ModelFuture<'a, Result<(), ThreadError>> {
        let found = self.find(id).map(|_| {
            self.all.lock().unwrap().retain(|thread| thread.id != id);
        });
        Box::pin(async move { found })
    }

    fn import<'a>(
        &'a self,
        _: &'a Principal,
        thread: Imported,
    ) -> ModelFuture<'a, Result<bool, ThreadError>> {
        let new = self.find(&thread.id).is_err();
        if new {
            self.all.lock().unwrap().push(Thread {
                id: thread.id,
                title: thread.title,
                workspace: thread.workspace,
                turns: thread.turns,
                ..Thread::default()
            });
        }
        Box::pin(async move { Ok(new) })
    }
}

/// Conversations nobody has begun.
pub(crate) fn none() -> Arc<dyn Threads> {
    Arc::new(FakeThreads::default())
}
