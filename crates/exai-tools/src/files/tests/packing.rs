//! The sums, over any files and any room.

use super::*;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn p24_whatever_is_asked_for_is_included_cut_or_omitted(
        sizes in prop::collection::vec(0_usize..400, 1..12),
        gone in 0_usize..3,
        room in 0_u64..2000,
        whole_folder in any::<bool>(),
    ) {
        let folder = Folder::new();
        let mut asked = Vec::new();
        for (at, lines) in sizes.iter().enumerate() {
            folder.file(&format!("d/{at}.txt"), "some line\n".repeat(*lines));
            asked.push(format!("d/{at}.txt"));
        }
        if whole_folder {
            asked = vec!["d".to_owned()];
        }
        for at in 0..gone {
            asked.push(format!("gone{at}"));
        }
        let names: Vec<&str> = asked.iter().map(String::as_str).collect();
        let gathered = folder.gather(&names, &[], room);
        let sums = Packing::of(&gathered.entries);
        prop_assert_eq!(sums.asked, sizes.len() + gone);
        prop_assert_eq!(sums.included + sums.cut + sums.omitted, sums.asked);
        prop_assert!(sums.tokens <= room);
        prop_assert!(sums.omitted >= gone);
        let sent = gathered.entries.iter().filter(|entry| entry.sent()).count();
        prop_assert_eq!(sent, sums.included + sums.cut);
        prop_assert_eq!(gathered.sent.len(), sent, "each of them is remembered");
        for (entry, kept) in gathered.entries.iter().filter(|e| e.sent()).zip(&gathered.sent) {
            prop_assert_eq!(entry.sha256.len(), 64);
            prop_assert_eq!(&entry.sha256, &kept.sha256);
        }
        // What the marks say is what follows them.
        let lines = gathered.text.lines().filter(|line| line.ends_with("| some line")).count();
        let told: u64 = gathered.sent.iter().map(|sent| sent.lines).sum();
        prop_assert_eq!(lines as u64, told);
    }
}
