//! No secret in anything that is kept, reported or printed.

use crate::plan::Plan;
use crate::process::{InMemory, Store};
use crate::schedules::Run;
use crate::venue::{KEY, SECRET};

#[test]
fn no_secret_in_journals_events_notices_and_debug_output() {
    for seed in 0..20 {
        let plan = Plan::random(seed);
        let mut run = Run::new(InMemory::new(), &plan);
        run.carry_out(&plan);
        let commits = run.store.commits();
        let mut text = format!("{commits:?}");
        for commit in &commits {
            for taken in &commit.events {
                text.push_str(&serde_json::to_string(taken).unwrap());
            }
        }
        let process = run.process();
        text.push_str(&format!("{:?}", process.driver.machine));
        text.push_str(&format!("{:?}", process.mailbox.take_notices()));
        text.push_str(&format!("{:?}", process.mailbox.account()));
        text.push_str(&format!("{:?}", process.driver.network.sent));
        let sent = &process.driver.network.sent;
        assert!(
            sent.iter()
                .any(|(_, request)| request.url.contains("signature="))
        );
        assert!(!text.contains(KEY) && !text.contains(SECRET), "seed {seed}");
        for url in &process.driver.network.urls {
            if let Some((_, key)) = url.split_once("/private/ws/") {
                assert!(!key.is_empty() && !text.contains(key), "seed {seed}");
            }
        }
        for (_, request) in sent {
            let Some((_, signature)) = request.url.split_once("signature=") else {
                continue;
            };
            assert!(!text.contains(signature), "seed {seed}");
        }
    }
}
