//! What the next model sees of a conversation.

use super::*;
use exai_engine::ports::{models::Carry, threads::Said};
use std::{fs, io::Write as _};

fn turn(number: u32, question: &str, answer: &str) -> Turn {
    Turn {
        number,
        parent: number.checked_sub(1).filter(|parent| *parent > 0),
        said: Said {
            tool: "chat".to_owned(),
            question: question.to_owned(),
            answer: (!answer.is_empty()).then(|| answer.to_owned()),
            ..Said::default()
        },
        ..Turn::default()
    }
}

fn receiver(room: u64) -> Receiver {
    Receiver {
        tool: "chat",
        roots: Folders::default(),
        room,
    }
}

/// Every message as `u:` or `a:` and its text.
fn lines(history: &History) -> Vec<String> {
    let line = |message: &Message| match message {
        Message::User(parts) => {
            let text = parts.iter().map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Image(_) => "(picture)",
            });
            format!("u:{}", text.collect::<Vec<_>>().join("|"))
        }
        Message::Assistant(turn) => format!("a:{}", turn.text),
        other => format!("{other:?}"),
    };
    history.messages.iter().map(line).collect()
}

#[test]
fn p16_each_turn_stands_there_once_oldest_first_and_grows_by_itself_only() {
    let mut sizes = Vec::new();
    for count in 1..=30_u32 {
        let turns: Vec<Turn> = (1..=count)
            .map(|at| turn(at, &format!("question <{at}>"), &format!("answer <{at}>")))
            .collect();
        let history = render(&turns, &receiver(100_000));
        let all = lines(&history).join("\n");
        for at in 1..=count {
            assert_eq!(all.matches(&format!("question <{at}>")).count(), 1);
            assert_eq!(all.matches(&format!("answer <{at}>")).count(), 1);
        }
        assert_eq!(history.messages.len(), 2 * count as usize);
        sizes.push(all.len());
    }
    let steps: Vec<usize> = sizes.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (least, most) = (steps.iter().min().unwrap(), steps.iter().max().unwrap());
    assert!(most - least <= 2, "linear: {steps:?}");
}

#[test]
fn the_newest_turns_stay_where_room_is_tight_and_it_is_said() {
    let turns: Vec<Turn> = (1..=10)
        .map(|at| turn(at, &format!("q{at} {}", "x".repeat(300)), &format!("a{at}")))
        .collect();
    let history = render(&turns, &receiver(400));
    let lines = lines(&history);
    assert!(history.tokens <= 400);
    assert_eq!(lines.len(), 6, "{lines:?}");
    assert!(lines[0].starts_with("u:[The first 7 turns of this conversation are left out"));
    assert!(lines[0].contains("q8 ") && lines[5] == "a:a10");
    let note = &history.notes[0];
    assert!(note.starts_with("the first 7 turns"), "{note}");
    assert!(render(&turns, &receiver(0)).messages.is_empty());
}

#[test]
fn a_newest_turn_that_is_too_large_is_cut_and_says_so() {
    let turns = [
        turn(1, "short?", &"ß".repeat(20_000)),
        turn(2, "and?", &"ü".repeat(20_000)),
    ];
    let history = render(&turns, &receiver(1000));
    let lines = lines(&history);
    assert_eq!(lines.len(), 2);
    assert!(lines[0].ends_with("and?") && lines[0].contains("first 1 turn of"));
    assert!(lines[1].ends_with("[CUT here for lack of room.]"));
    assert!(lines.iter().map(String::len).sum::<usize>() < 3200);
    assert_eq!(history.notes.len(), 2, "{:?}", history.notes);
}

#[test]
fn turns_of_other_tools_say_whose_they_are_and_hand_everything_over() {
    let mut review = turn(1, "step 1", "it leaks");
    review.said.tool = "codereview".to_owned();
    review.said.findings = Some("a leak in x.rs".to_owned());
    review.said.expert = Some("agreed".to_owned());
    let mut plan = turn(2, "plan it", "");
    plan.said.tool = "planner".to_owned();
    let history = render(&[review, plan, turn(3, "why?", "so")], &receiver(10_000));
    assert_eq!(
        lines(&history),
        [
            "u:[codereview] step 1\n\nFound out so far:\na leak in x.rs",
            "a:it leaks\n\nExpert's verdict:\nagreed",
            "u:[planner] plan it|why?",
            "a:so",
        ]
    );
}

#[test]
fn what_a_provider_wants_back_goes_back_with_its_own_turn() {
    let mut one = turn(1, "q", "a");
    let carry = Carry {
        dialect: "d".to_owned(),
        endpoint: "e".to_owned(),
        model: "m".to_owned(),
        items: serde_json::json!(["signature"]),
    };
    one.said.carry = Some(carry.clone());
    let history = render(&[one], &receiver(1000));
    let Message::Assistant(turn) = &history.messages[1] else {
        panic!("{history:?}")
    };
    assert_eq!(turn.carry, Some(carry));
}

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        let written = fs::File::create(path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.unwrap();
    }

    fn wanted(&self, files: &[&str], known: Vec<Known>) -> files::Wanted {
        files::Wanted {
            roots: self.roots(),
            files: files.iter().map(|&file| file.to_owned()).collect(),
            tokens: 10_000,
            known,
            ..files::Wanted::default()
        }
    }

    fn roots(&self) -> Folders {
        vec![self.dir.path().to_string_lossy().into_owned()].into()
    }

    fn receiver(&self, room: u64) -> Receiver {
        Receiver {
            roots: self.roots(),
            ..receiver(room)
        }
    }

    /// A turn that sent these files, and the text its model got.
    fn asked(&self, files: &[&str]) -> (Turn, String) {
        let gathered = files::gather(&self.wanted(files, Vec::new()));
        let sent = files::before("q", &gathered.text, &Fence::of(&gathered.mark));
        let mut turn = turn(1, "q", "a");
        turn.said.files = gathered.sent;
        turn.said.mark = Some(gathered.mark);
        (turn, sent)
    }
}

#[test]
fn files_that_did_not_change_are_sent_as_they_were_and_once() {
    let place = Place::new();
    place.write("a.rs", "fn canary() {}\n");
    let (first, sent) = place.asked(&["a.rs"]);
    let history = render(std::slice::from_ref(&first), &place.receiver(10_000));
    assert_eq!(lines(&history)[0], format!("u:{sent}"), "byte for byte");
    assert!(history.notes.is_empty(), "{:?}", history.notes);
    // Named again, it is not sent again.
    let again = files::gather(&place.wanted(&["a.rs"], history.known));
    assert!(!again.text.contains("canary"), "{}", again.text);
    assert!(again.text.contains("unchanged, it stands above"));
    let told = again.entries[0].to_string();
    assert_eq!(told, "a.rs: unchanged since turn 1, sent once");
    assert!(again.entries[0].sent() && again.sent.is_empty());
    // In two turns, it stands in one.
    let mut second = first.clone();
    second.number = 2;
    let both = lines(&render(&[first, second], &place.receiver(10_000))).join("\n");
    assert_eq!(both.matches("canary").count(), 1, "{both}");
}

#[test]
fn a_file_that_changed_or_may_not_be_read_any_more_is_not_sent_again_and_named() {
    let place = Place::new();
    place.write("a.rs", "fn canary() {}\n");
    let (turn, _) = place.asked(&["a.rs"]);
    let nowhere = render(std::slice::from_ref(&turn), &receiver(10_000));
    assert!(!lines(&nowhere)[0].contains("canary"));
    let note = &nowhere.notes[0];
    assert!(note.contains("this client named no folder"), "{note}");
    place.write("a.rs", "fn canary_two() {}\n");
    let history = render(&[turn], &place.receiver(10_000));
    let text = &lines(&history)[0];
    assert!(!text.contains("canary"), "{text}");
    assert!(
        text.contains("a.rs: NOT REPEATED: it has changed"),
        "{text}"
    );
    let note = "not repeated from turn 1: a.rs: it has changed since";
    assert_eq!(history.notes, [note]);
    // Named again, it is sent as it is now.
    let now = files::gather(&place.wanted(&["a.rs"], history.known));
    assert!(now.text.contains("canary_two"), "{}", now.text);
}

#[test]
fn files_give_way_to_words() {
    let place = Place::new();
    place.write("a.rs", &"a line of text\n".repeat(500));
    let (turn, _) = place.asked(&["a.rs"]);
    let history = render(&[turn], &place.receiver(400));
    assert!(history.tokens <= 400, "{}", history.tokens);
    let lines = lines(&history);
    assert!(lines[0].ends_with('q') && lines[1] == "a:a", "{lines:?}");
    assert!(history.known.is_empty(), "what is cut is not known whole");
}
