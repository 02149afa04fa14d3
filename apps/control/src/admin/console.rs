//! `/console/token`: an invitation to the console, for one browser.

use axum::extract::State;

use super::documents::ConsoleDocument;
use super::json::Json;
use super::problem::Problem;
use crate::web::Console;

pub(super) async fn token(State(console): State<Console>) -> Result<Json<ConsoleDocument>, Problem> {
    let url = console.invite().map_err(|error| Problem::invalid(error.to_string()))?;
    Ok(Json(ConsoleDocument { url }))
}
