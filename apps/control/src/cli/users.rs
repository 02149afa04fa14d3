//! `wattle-control users`.

use clap::{Args, Subcommand};
use hyper::Method;

use super::door::{Door, Failure, part};
use super::{Form, table};
use crate::admin::documents::{DoneDocument, KeyDocument, NodeDocument, RoleRequest, UserDocument, UserRequest};

pub(super) const EXAMPLES: &str = "Examples:
  wattle-control users create alice
  wattle-control users create alice@example.com --display-name Alice
  wattle-control users list
  wattle-control users rename alice alice@example.com
  wattle-control users role alice admin
  wattle-control users suspend alice                       out at once, with all their machines; nothing is lost
  wattle-control users restore alice
  wattle-control users delete alice
  wattle-control users delete alice --with-nodes --yes";

/// `users`
#[derive(Args)]
pub(crate) struct Users {
    #[command(flatten)]
    form: Form,
    #[command(subcommand)]
    verb: UsersVerb,
}

#[derive(Subcommand)]
enum UsersVerb {
    /// Make a user known
    Create {
        /// As policies and lists name them, for example an email address
        name: String,
        /// As they are called
        #[arg(long, default_value = "")]
        display_name: String,
    },
    /// Show all users
    List,
    /// Give a user another name
    Rename {
        /// The user's name or number
        user: String,
        /// The new name
        name: String,
    },
    /// Say what a user may do: owner, admin, it-admin, network-admin, billing-admin, auditor or member
    Role {
        /// The user's name or number
        user: String,
        /// The role from now on
        role: String,
    },
    /// Keep a user out, and their machines, until they are restored
    Suspend {
        /// The user's name or number
        user: String,
    },
    /// Let a suspended user back in, with their machines as they were
    Restore {
        /// The user's name or number
        user: String,
    },
    /// Remove a user and their auth keys. Says first what goes, and asks
    Delete {
        /// The user's name or number
        user: String,
        /// Remove their machines too; else a user who has some is kept
        #[arg(long)]
        with_nodes: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

impl Users {
    pub(super) async fn run(self, door: &Door) -> anyhow::Result<()> {
        match self.verb {
            UsersVerb::Create { name: login_name, display_name } => {
                let request = UserRequest { login_name, display_name };
                let user: UserDocument = door.send(Method::POST, "/users", &request).await?;
                self.form.show(&user, |user| format!("User {} is known (number {}).", user.login_name, user.id))
            }
            UsersVerb::List => {
                let users: Vec<UserDocument> = door.read("/users").await?;
                self.form.show(&users, |users| listed(users))
            }
            UsersVerb::Rename { user, name: login_name } => {
                let request = UserRequest { login_name, display_name: String::new() };
                let renamed: UserDocument =
                    door.send(Method::PATCH, &format!("/users/{}", part(&user)), &request).await?;
                self.form.show(&renamed, |renamed| format!("User {user} is now {}.", renamed.login_name))
            }
            UsersVerb::Role { user, role } => {
                let path = format!("/users/{}/role", part(&user));
                let changed: UserDocument = door.send(Method::POST, &path, &RoleRequest { role }).await?;
                self.form.show(&changed, |changed| format!("{} is {} now.", changed.login_name, changed.role))
            }
            UsersVerb::Suspend { user } => {
                let changed: UserDocument = alter(door, &user, "suspend").await?;
                self.form.show(&changed, |changed| {
                    format!("{} is suspended, and {} with them.", changed.login_name, machines(changed.nodes))
                })
            }
            UsersVerb::Restore { user } => {
                let changed: UserDocument = alter(door, &user, "restore").await?;
                self.form.show(&changed, |changed| {
                    format!("{} is back, and {} with them.", changed.login_name, machines(changed.nodes))
                })
            }
            UsersVerb::Delete { user, with_nodes, yes } => {
                let gone = Belongings::of(door, &user).await?;
                if gone.may_go(with_nodes) && !gone.is_nothing() {
                    eprintln!("{}", gone.sentence());
                    if !yes && !confirmed()? {
                        return Err(Failure::undecided("nothing was deleted: answer yes, or say --yes").into());
                    }
                }
                door.remove(&format!("/users/{}?with_nodes={with_nodes}", part(&user))).await?;
                self.form.show(&DoneDocument {}, |_| format!("User {user} is deleted."))
            }
        }
    }
}

async fn alter(door: &Door, user: &str, what: &str) -> anyhow::Result<UserDocument> {
    door.send(Method::POST, &format!("/users/{}/{what}", part(user)), &DoneDocument {}).await
}

fn machines(number: usize) -> String {
    match number {
        0 => "no machine".to_owned(),
        1 => "1 machine".to_owned(),
        number => format!("{number} machines"),
    }
}

/// What goes with a user.
struct Belongings {
    user: String,
    nodes: Vec<String>,
    keys: usize,
}

impl Belongings {
    async fn of(door: &Door, user: &str) -> anyhow::Result<Self> {
        let users: Vec<UserDocument> = door.read("/users").await?;
        let number = user.parse().ok();
        let found = users.into_iter().find(|known| known.login_name == user || Some(known.id) == number);
        // Whom the server does not know either, it says so itself.
        let user = found.map_or_else(|| user.to_owned(), |found| found.login_name);
        let nodes: Vec<NodeDocument> = door.read("/nodes").await?;
        let keys: Vec<KeyDocument> = door.read("/keys").await?;
        let nodes = nodes.into_iter().filter(|node| node.user.as_ref() == Some(&user)).map(|node| node.name).collect();
        let keys = keys.iter().filter(|key| key.user.as_ref() == Some(&user)).count();
        Ok(Self { user, nodes, keys })
    }

    fn is_nothing(&self) -> bool {
        self.nodes.is_empty() && self.keys == 0
    }

    /// Whether the server will do it: else it says why not, and nobody needs to be asked.
    fn may_go(&self, with_nodes: bool) -> bool {
        with_nodes || self.nodes.is_empty()
    }

    fn sentence(&self) -> String {
        let names =
            self.nodes.iter().take(SHOWN_NODES).map(|name| table::printable(name)).collect::<Vec<_>>().join(", ");
        let named = match self.nodes.len() {
            0 => String::new(),
            1..=SHOWN_NODES => format!(" ({names})"),
            more => format!(" ({names} and {} more)", more - SHOWN_NODES),
        };
        let plural = if self.keys == 1 { "" } else { "s" };
        format!("With {} go {}{named} and {} auth key{plural}.", self.user, machines(self.nodes.len()), self.keys)
    }
}

/// Machines that are named before their user is deleted.
const SHOWN_NODES: usize = 10;

/// Asks the person at the terminal. Where nobody sits, the answer is no.
fn confirmed() -> anyhow::Result<bool> {
    use std::io::{IsTerminal, Write};
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("Delete all that? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn state(user: &UserDocument) -> &'static str {
    match (&user.suspended, &user.last_sign_in, &user.provider) {
        (Some(_), _, _) => "suspended",
        (None, Some(_), _) | (None, None, Some(_)) => "active",
        (None, None, None) => "made here",
    }
}

fn listed(users: &[UserDocument]) -> String {
    let rows = users.iter().map(|user| {
        let nodes = user.nodes.to_string();
        [
            user.id.to_string(),
            user.login_name.clone(),
            user.display_name.clone(),
            user.role.clone(),
            nodes,
            state(user).to_owned(),
            user.provider.clone().unwrap_or_else(|| "-".to_owned()),
            table::when(user.last_sign_in.as_deref(), "never"),
            user.second_factor.map_or("-", |used| if used { "yes" } else { "no" }).to_owned(),
            table::when(Some(&user.created), ""),
        ]
    });
    table::table(
        ["NUMBER", "NAME", "CALLED", "ROLE", "NODES", "STATE", "PROVIDER", "SIGNED IN", "2ND FACTOR", "CREATED"],
        rows,
        "No users yet: wattle-control users create NAME",
    )
}
