//! The desk over a real event loop and store, with a small tailnet: alice (owner) has `laptop` and `phone`, bob has
//! `desktop`, and `db` is tagged.

use wattle_coordinator::{Command, Config, Coordinator, Dice, NewAuthKey, Register, Reply};
use wattle_keys::{MachinePrivate, NodePrivate};
use wattle_netmap::{DerpMap, HostFacts, NodeId, UserId};
use wattle_store::Store;

use super::*;
use crate::event_loop;

/// Names, policy and lines of these tests.
pub(crate) const POLICY: &str = r#"{
    // who may do what
    "tagOwners": {"tag:db": ["alice@"]},
    "acls": [
        {"action": "accept", "src": ["alice@"], "dst": ["tag:db:22,5432"]},
        {"action": "accept", "src": ["bob@"], "dst": ["tag:db:5432"]},
    ],
    "tests": [
        {"src": "bob@", "accept": ["tag:db:5432"], "deny": ["tag:db:22"]},
    ],
}
"#;

pub(crate) struct Lab {
    pub(crate) desk: PolicyDesk,
    pub(crate) tailnet: LoopHandle,
    history: PolicyHistory,
    pub(crate) folder: tempfile::TempDir,
}

impl Lab {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("control.db")).await.unwrap();
        let config = Config::new("test.internal".to_owned(), DerpMap::default());
        let coordinator = Coordinator::new(config, store.load().await.unwrap(), event_loop::now()).unwrap();
        let history = store.policy_history();
        let (tailnet, _running) = event_loop::spawn(coordinator, store, Dice::new([7; 32]), |_| {});
        let desk = PolicyDesk::new(tailnet.clone(), history.clone(), None);
        let lab = Self { desk, tailnet, history, folder };
        let (alice, bob) = (lab.user("alice").await, lab.user("bob").await);
        for (number, name, user) in [(1, "laptop", alice), (2, "phone", alice), (3, "desktop", bob), (4, "db", alice)] {
            lab.join(number, name, user).await;
        }
        let tags = vec!["tag:db".to_owned()];
        lab.tailnet.ask(Command::SetTags { node: NodeId(4), tags }).await.unwrap();
        lab
    }

    pub(crate) fn desk_with_file(&self, path: &std::path::Path) -> PolicyDesk {
        PolicyDesk::new(self.tailnet.clone(), self.history.clone(), Some(path.to_owned()))
    }

    async fn user(&self, name: &str) -> UserId {
        let create = Command::CreateUser { login_name: name.to_owned(), display_name: String::new() };
        let Ok(Reply::UserCreated(user)) = self.tailnet.ask(create).await else { panic!("no user") };
        user
    }

    pub(crate) async fn join(&self, number: u8, name: &str, user: UserId) {
        let wanted = NewAuthKey { user: Some(user), ..NewAuthKey::default() };
        let Ok(Reply::AuthKeyCreated { secret, .. }) = self.tailnet.ask(Command::CreateAuthKey(wanted)).await else {
            panic!("no key")
        };
        let request = Register {
            machine: MachinePrivate::from_bytes([number; 32]).public(),
            node_key: NodePrivate::from_bytes([number + 100; 32]).public(),
            old_node_key: None,
            auth_key: Some(secret),
            followup: None,
            expiry: None,
            ephemeral: false,
            host: HostFacts { hostname: name.to_owned(), ..HostFacts::default() },
            capability_version: 120,
        };
        self.tailnet.ask(Command::Register(Box::new(request))).await.unwrap();
    }

    pub(crate) async fn set(&self, text: &str) -> Result<PolicySetDocument, DeskError> {
        let request = PolicyRequest { text: text.to_owned(), author: "alice".to_owned(), ..PolicyRequest::default() };
        self.desk.set(request).await
    }

    async fn explain(&self, from: &str, to: &str) -> Result<ExplainDocument, DeskError> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.desk.explain(ExplainRequest { from, to, ..ExplainRequest::default() }).await
    }
}

#[tokio::test]
async fn a_policy_in_force_is_told_with_who_when_and_why() {
    let lab = Lab::new().await;
    assert_eq!(lab.desk.head().await.unwrap().revision, 0);
    let request = PolicyRequest { note: "first".to_owned(), ..PolicyRequest::default() };
    let request = PolicyRequest { text: POLICY.to_owned(), author: "alice".to_owned(), ..request };
    assert_eq!(lab.desk.set(request).await.unwrap().revision, 1);
    let head = lab.desk.head().await.unwrap();
    assert_eq!((head.text.as_str(), head.author.as_str(), head.note.as_str()), (POLICY, "alice", "first"));
    assert!(head.current && head.at.is_some());
    // The same text again is no change.
    assert_eq!(lab.set(POLICY).await.unwrap().revision, 1);
}

#[tokio::test]
async fn a_difference_is_told_in_sentences() {
    let lab = Lab::new().await;
    lab.set(POLICY).await.unwrap();
    let text = POLICY.replace(r#""bob@"], "dst": ["tag:db:5432"]"#, r#""bob@"], "dst": ["tag:db:22"]"#);
    let asked = DifferenceRequest { text: Some(text), ..DifferenceRequest::default() };
    let difference = lab.desk.difference(asked).await.unwrap();
    let sentences: Vec<&str> = difference.gains.iter().map(|gain| gain.sentence.as_str()).collect();
    assert!(sentences.contains(&"bob gains tag:db on port 22"), "{sentences:?}");
    assert!(sentences.contains(&"bob loses tag:db on port 5432"), "{sentences:?}");
    assert!(!difference.locks_out && !difference.same_text && difference.against == 1);
}

#[tokio::test]
async fn ssh_rules_that_change_are_told_besides() {
    let lab = Lab::new().await;
    lab.set(POLICY).await.unwrap();
    let ssh = r#""ssh": [{"action": "accept", "src": ["alice@"], "dst": ["tag:db"], "users": ["root"]}],
    "tests""#;
    let asked = DifferenceRequest { text: Some(POLICY.replace("\"tests\"", ssh)), ..DifferenceRequest::default() };
    let difference = lab.desk.difference(asked).await.unwrap();
    assert!(difference.gains.is_empty(), "{difference:?}");
    assert_eq!(difference.also, ["the SSH rules change on db"]);
}

#[tokio::test]
async fn a_policy_that_locks_every_administrator_out_is_to_be_confirmed() {
    let lab = Lab::new().await;
    lab.set(POLICY).await.unwrap();
    let without_alice = POLICY.replace(r#"{"action": "accept", "src": ["alice@"], "dst": ["tag:db:22,5432"]},"#, "");
    assert!(matches!(lab.set(&without_alice).await, Err(DeskError::LocksOut)));
    assert_eq!(lab.desk.head().await.unwrap().revision, 1);
    let request = PolicyRequest { text: without_alice.clone(), confirm_lockout: true, ..PolicyRequest::default() };
    assert_eq!(lab.desk.set(request).await.unwrap().revision, 2);
    // Who is out already cannot be locked out again.
    assert_eq!(lab.set(&without_alice.replace("who may", "who shall")).await.unwrap().revision, 3);
}

#[tokio::test]
async fn a_revision_can_be_put_in_force_again() {
    let lab = Lab::new().await;
    lab.set(POLICY).await.unwrap();
    let second = POLICY.replace("who may do what", "second");
    lab.set(&second).await.unwrap();
    let request = RestoreRequest { revision: 1, ..RestoreRequest::default() };
    assert_eq!(lab.desk.restore(request).await.unwrap().revision, 3);
    let revisions = lab.desk.revisions().await.unwrap();
    let numbers: Vec<(u64, bool)> = revisions.iter().map(|revision| (revision.number, revision.current)).collect();
    assert_eq!(numbers, [(3, true), (2, false), (1, false)]);
    assert_eq!(revisions[0].note, "restored from revision 1");
    assert_eq!(lab.desk.head().await.unwrap().text, POLICY);
    assert_eq!(lab.desk.revision(2).await.unwrap().text, second);
    let nowhere = RestoreRequest { revision: 9, ..RestoreRequest::default() };
    assert!(matches!(lab.desk.restore(nowhere).await, Err(DeskError::NoRevision(9))));
}

#[tokio::test]
async fn whoever_saw_an_older_revision_is_refused() {
    let lab = Lab::new().await;
    lab.set(POLICY).await.unwrap();
    let text = POLICY.replace("who may", "who must");
    let request = PolicyRequest { text, if_revision: Some(0), ..PolicyRequest::default() };
    let refused = lab.desk.set(request).await.unwrap_err();
    assert!(matches!(refused, DeskError::Ask(AskError::Refused(Refusal::PolicyMoved { .. }))), "{refused}");
}

#[tokio::test]
async fn failing_tests_refuse_a_policy_and_are_told_with_their_lines() {
    let lab = Lab::new().await;
    lab.set(POLICY).await.unwrap();
    let broken = POLICY.replace(r#""dst": ["tag:db:5432"]"#, r#""dst": ["tag:db:5433"]"#);
    let tests = lab.desk.test(Some(broken.clone())).await.unwrap();
    assert_eq!((tests.tests, tests.failures.len(), tests.failures[0].line), (1, 1, 9));
    let refused = lab.set(&broken).await.unwrap_err();
    let DeskError::Ask(AskError::Refused(refusal)) = &refused else { panic!("{refused}") };
    assert_eq!(failed_tests(refusal, &broken).unwrap()[0].line, 9);
    assert!(lab.desk.test(None).await.unwrap().failures.is_empty());
}

#[tokio::test]
async fn an_explanation_names_the_rule_and_its_line() {
    let lab = Lab::new().await;
    lab.set(POLICY).await.unwrap();
    let answer = lab.explain("laptop", "db:22").await.unwrap();
    assert!(answer.allowed, "{answer:?}");
    assert_eq!(answer.sentence, "laptop (alice) may reach db (tag:db) on tcp 22");
    assert_eq!((answer.rules[0].rule.name.as_str(), answer.rules[0].rule.line), ("acls[0]", Some(5)));
    let answer = lab.explain("bob@", "tag:db:22").await.unwrap();
    assert!(!answer.allowed && !answer.missed.is_empty());
    assert_eq!(answer.missed[0].rule.line, Some(5));
    assert!(answer.sentence.ends_with("no rule allows it"), "{}", answer.sentence);
    let answer = lab.explain("db", "100.64.0.1").await.unwrap();
    assert!(!answer.allowed && answer.replies_only && answer.sentence.contains("only answers"), "{answer:?}");
    assert!(matches!(lab.explain("nobody", "db").await, Err(DeskError::Unknown(_))));
    assert!(matches!(lab.explain("db", "elsewhere:22").await, Err(DeskError::Unknown(_))));
    let odd =
        ExplainRequest { from: "db".to_owned(), to: "laptop".to_owned(), protocol: "nonsense".to_owned(), text: None };
    assert!(matches!(lab.desk.explain(odd).await, Err(DeskError::Question(_))));
}

#[tokio::test]
async fn the_matrix_can_be_searched() {
    let lab = Lab::new().await;
    lab.set(POLICY).await.unwrap();
    let all = lab.desk.matrix(MatrixQuery::default()).await.unwrap();
    assert_eq!((all.cells.len(), all.revision), (2, 1), "{all:?}");
    let query = MatrixQuery { who: "BOB".to_owned(), whom: "db".to_owned() };
    let bob = lab.desk.matrix(query).await.unwrap();
    let [cell] = bob.cells.as_slice() else { panic!("{bob:?}") };
    assert_eq!((cell.who.in_words().as_str(), cell.access.as_str()), ("bob", "port 5432"));
    assert_eq!(cell.rules, [crate::admin::documents::RuleDocument { name: "acls[1]".to_owned(), line: Some(6) }]);
    let none = MatrixQuery { who: "carol".to_owned(), ..MatrixQuery::default() };
    assert!(lab.desk.matrix(none).await.unwrap().cells.is_empty());
}
