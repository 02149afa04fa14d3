//! `wattle-control users`.

use clap::{Args, Subcommand};
use hyper::Method;

use super::door::{Door, part};
use super::{Form, table};
use crate::admin::documents::{DoneDocument, RoleRequest, UserDocument, UserRequest};

pub(super) const EXAMPLES: &str = "Examples:
  wattle-control users create alice
  wattle-control users create alice@example.com --display-name Alice
  wattle-control users list
  wattle-control users rename alice alice@example.com
  wattle-control users role alice admin
  wattle-control users delete alice";

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
    /// Remove a user who has no nodes, and their auth keys
    Delete {
        /// The user's name or number
        user: String,
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
            UsersVerb::Delete { user } => {
                door.remove(&format!("/users/{}", part(&user))).await?;
                self.form.show(&DoneDocument {}, |_| format!("User {user} is deleted."))
            }
        }
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
            table::when(Some(&user.created), ""),
        ]
    });
    table::table(
        ["NUMBER", "NAME", "CALLED", "ROLE", "NODES", "CREATED"],
        rows,
        "No users yet: wattle-control users create NAME",
    )
}
