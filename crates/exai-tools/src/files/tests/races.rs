//! Links that are put in the way while files are read: the system itself is asked whether
//! anything outside was ever opened.

use super::*;
use rustix::fs::inotify;
use std::{
    os::unix::fs::symlink,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Hears of every file and folder that is opened there.
struct Watch(rustix::fd::OwnedFd);

impl Watch {
    fn over(folders: &[&Path]) -> Self {
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
        for folder in folders {
            inotify::add_watch(&watch, *folder, inotify::WatchFlags::OPEN).unwrap();
        }
        Self(watch)
    }

    fn heard(&self) -> bool {
        let mut buffer = [0_u8; 4096];
        rustix::io::read(&self.0, &mut buffer).is_ok_and(|count| count > 0)
    }
}

/// A place outside with a secret, and a folder inside that one thread makes a link again and
/// again, with `swap`, while another reads.
fn raced(asked: &[&str], swap: impl Fn(&Path, &Path) + Sync) {
    let folder = Folder::new();
    let outside = folder.dir.path().join("outside");
    fs::create_dir_all(outside.join("in")).unwrap();
    for name in ["f.txt", "in/f.txt"] {
        let mut file = fs::File::create(outside.join(name)).unwrap();
        file.write_all(b"canary").unwrap();
    }
    folder.file("real/f.txt", "mine");
    folder.file("real/in/f.txt", "mine");
    let watch = Watch::over(&[&outside, &outside.join("in")]);
    let (root, done) = (folder.root(), AtomicBool::new(false));
    let mut mine = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                swap(&root, &outside);
            }
        });
        // On a machine that is busy the reader wins late, and one that never does proves nothing.
        let end = Instant::now() + Duration::from_secs(30);
        let mut rounds = 0..400;
        while rounds.next().is_some() || (mine == 0 && Instant::now() < end) {
            let gathered = folder.gather(asked, asked, 1000);
            assert!(!gathered.text.contains("canary"), "{}", gathered.text);
            assert!(gathered.images.is_empty());
            mine += gathered.text.matches("mine").count();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(mine > 0, "the race was never won by the reader");
    assert!(!watch.heard(), "something outside was opened");
    // The watch is awake: what does open something is heard.
    assert_eq!(fs::read(outside.join("f.txt")).unwrap(), b"canary");
    assert!(watch.heard());
}

/// The name is the folder, then nothing, then a link out, then nothing.
fn folder_becomes_link(root: &Path, outside: &Path) {
    let (name, kept) = (root.join("turn"), root.join("real"));
    fs::rename(&kept, &name).unwrap();
    thread::yield_now();
    fs::rename(&name, &kept).unwrap();
    symlink(outside, &name).unwrap();
    thread::yield_now();
    fs::remove_file(&name).unwrap();
}

#[test]
fn p24_a_folder_that_becomes_a_link_leads_nowhere() {
    raced(&["turn/f.txt", "turn/in/f.txt"], folder_becomes_link);
}

#[test]
fn p24_a_folder_that_becomes_a_link_is_not_walked_either() {
    raced(&["turn", "turn/**/*.txt", "."], folder_becomes_link);
}

#[test]
fn p24_a_file_that_becomes_a_link_leads_nowhere() {
    raced(&["turn.txt", "real/f.txt"], |root, outside| {
        let name = root.join("turn.txt");
        fs::copy(root.join("real/f.txt"), &name).unwrap();
        thread::yield_now();
        fs::remove_file(&name).unwrap();
        symlink(outside.join("f.txt"), &name).unwrap();
        thread::yield_now();
        fs::remove_file(&name).unwrap();
    });
}
