//! Against the scripted provider's file doors: read once, kept, deleted, and every failure.

use super::*;
use crate::{http::Http, keys::Keys, provider::Providers};
use exai_protocol::UnixMillis;
use exai_testkit::provider::{Dialect, Provider, Reply, Request, Route};

const SOON: Duration = Duration::from_secs(20);
const CANARY: &str = "sk-canary-0123456789";

struct World {
    provider: Provider,
    home: tempfile::TempDir,
    files: Files,
    live: Arc<Live>,
}

async fn world(more: &str) -> World {
    let provider = Provider::start().await;
    let home = tempfile::tempdir().unwrap();
    let url = provider.url(Dialect::OpenAiChat);
    let text = format!("[providers.kimi]\nbase_url = '{url}'\n{more}");
    let providers = Providers::with("mine", &text).unwrap();
    let env = |name: &str| (name == "KIMI_API_KEY").then(|| CANARY.to_owned());
    let all = providers.resolve(&env);
    let resolved = all.into_iter().find(|one| one.name == "kimi").unwrap();
    let live = Live::new(
        resolved,
        Http::new("test").unwrap(),
        Arc::new(Keys::new(home.path().to_owned(), Arc::new(env))),
        Arc::new(|| UnixMillis(1000)),
        Arc::new(|_| ()),
    );
    let files = Files::new(home.path().join("files"), Arc::new(|| UnixMillis(1000)));
    World {
        provider,
        home,
        files,
        live,
    }
}

impl World {
    async fn read(&self, bytes: &'static str) -> Result<Extracted, Fault> {
        let bytes = Bytes::from_static(bytes.as_bytes());
        let by = Instant::now() + SOON;
        let name = "/home/me/notes.txt";
        self.files
            .extract(&self.live, name, bytes, "text/plain", by)
            .await
    }

    fn uploads(&self) -> usize {
        let all = self.provider.requests();
        all.iter().filter(|request| is_upload(request)).count()
    }
}

fn is_upload(request: &Request) -> bool {
    request.method == "POST" && request.route == Route::Files
}

fn is_content(request: &Request) -> bool {
    request.route == Route::FileContent
}

#[tokio::test]
async fn a_file_is_read_once_and_does_not_stay_at_the_provider() {
    let world = world("").await;
    let first = world.read("Grüße").await.unwrap();
    assert_eq!((first.text.as_str(), first.cached), ("Grüße", false));
    let upload = world.provider.requests().into_iter().next().unwrap();
    assert_eq!(
        upload.header("authorization"),
        Some(&*format!("Bearer {CANARY}"))
    );
    let form = String::from_utf8_lossy(&upload.raw).into_owned();
    assert!(
        form.contains("file-extract") && form.contains("filename=\"notes.txt\""),
        "{form}"
    );
    assert!(!form.contains("/home/me"));
    let again = world.read("Grüße").await.unwrap();
    assert_eq!((again.text.as_str(), again.cached), ("Grüße", true));
    let other = world.read("Anderes").await.unwrap();
    assert!(!other.cached);
    assert_eq!(world.uploads(), 2);
    world.files.settle().await;
    assert_eq!(world.provider.uploads(), []);
    // A restart remembers; forgetting does not.
    let files = Files::new(
        world.home.path().join("files"),
        Arc::new(|| UnixMillis(2000)),
    );
    let world = World { files, ..world };
    assert!(world.read("Grüße").await.unwrap().cached);
    world.files.forget().await;
    assert!(!world.read("Grüße").await.unwrap().cached);
}

#[tokio::test]
async fn it_may_stay_if_a_person_says_so() {
    let world = world("files.delete_after = false\n").await;
    world.read("text").await.unwrap();
    world.files.settle().await;
    let kept = world.provider.uploads();
    assert_eq!((kept.len(), kept[0].name.as_str()), (1, "notes.txt"));
    let by = Instant::now() + SOON;
    Files::delete(&world.live, &kept[0].id, by).await.unwrap();
    assert_eq!(world.provider.uploads(), []);
    // One that is gone already is gone.
    Files::delete(&world.live, &kept[0].id, by).await.unwrap();
}

#[tokio::test]
async fn many_who_want_the_same_file_send_it_once() {
    let world = Arc::new(world("").await);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let world = Arc::clone(&world);
        tasks.spawn(async move { world.read("same").await.unwrap().text });
    }
    let texts = tasks.join_all().await;
    assert!(texts.iter().all(|text| text == "same"));
    assert_eq!(world.uploads(), 1);
}

#[tokio::test]
async fn many_who_want_the_same_file_share_its_failure() {
    let world = Arc::new(world("").await);
    world.provider.always(
        is_upload,
        Reply::status(401)
            .message("no such key")
            .slow_headers(Duration::from_millis(5)),
    );
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let world = Arc::clone(&world);
        tasks.spawn(async move { world.read("same").await.unwrap_err() });
    }
    for fault in tasks.join_all().await {
        assert_eq!(fault.class, FaultClass::Auth);
        assert!(!fault.detail.contains(CANARY));
    }
    assert_eq!(world.uploads(), 1);
}

#[tokio::test]
async fn a_text_that_is_not_ready_is_waited_for() {
    let world = world("").await;
    let busy = || Reply::status(503).message("not ready");
    world
        .provider
        .when(is_content, [busy(), Reply::status(404).message("not yet")]);
    assert_eq!(world.read("text").await.unwrap().text, "text");
    world
        .provider
        .always(is_content, Reply::status(400).message("unreadable"));
    let fault = world.read("other").await.unwrap_err();
    assert_eq!(fault.class, FaultClass::BadRequest);
    // What could not be read is not kept, neither here nor there.
    world.files.settle().await;
    assert_eq!(world.provider.uploads(), []);
    assert_eq!(world.uploads(), 2);
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_anything_is_sent() {
    let world = world("files.max_bytes = 5\n").await;
    let class = |fault: Result<Extracted, Fault>| fault.unwrap_err().class;
    assert_eq!(class(world.read("123456").await), FaultClass::TooLarge);
    assert_eq!(class(world.read("").await), FaultClass::Unsupported);
    assert!(world.provider.requests().is_empty());
    assert!(Files::reads(&world.live));
    world
        .provider
        .always(is_content, Reply::body(200, "text/plain", " \n"));
    assert_eq!(class(world.read("1234").await), FaultClass::BadRequest);
}

#[tokio::test]
async fn one_who_gives_up_leaves_nothing_at_the_provider() {
    let world = world("").await;
    world
        .provider
        .always(is_content, Reply::status(503).message("never"));
    let bytes = Bytes::from_static(b"text");
    let soon = Instant::now() + Duration::from_millis(300);
    let late = world
        .files
        .extract(&world.live, "a", bytes.clone(), "text/plain", soon)
        .await;
    assert!(late.is_err());
    {
        let by = Instant::now() + SOON;
        let read = world
            .files
            .extract(&world.live, "a", bytes, "text/plain", by);
        let until = async {
            while world
                .provider
                .requests()
                .iter()
                .filter(|one| is_content(one))
                .count()
                < 2
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            _ = read => panic!("it was read"),
            () = until => {}
        }
    }
    world.files.settle().await;
    assert_eq!(world.provider.uploads(), []);
}
