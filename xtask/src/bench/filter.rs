//! The packet filter's figures as a table.

use comfy_table::Table;
use serde_json::Value;

use super::{growth, number};

/// One line for each number of rules.
pub(super) fn show(rows: &[Value]) -> Table {
    let mut table = Table::new();
    table.set_header([
        "rules",
        "node",
        "allowed packet, ns",
        "times the first",
        "refused packet, ns",
        "times the first",
        "compile, ms",
        "memory, KiB",
    ]);
    for row in rows {
        let first = rows.iter().find(|first| first["node"] == row["node"]).unwrap_or(row);
        table.add_row([
            row["rules"].to_string(),
            row["node"].as_str().unwrap_or_default().to_owned(),
            format!("{:.0}", number(row, "allowed_ns")),
            growth(first, row, "allowed_ns"),
            format!("{:.0}", number(row, "refused_ns")),
            growth(first, row, "refused_ns"),
            format!("{:.1}", number(row, "compile_ms")),
            format!("{:.0}", number(row, "bytes") / 1024.0),
        ]);
    }
    table
}
