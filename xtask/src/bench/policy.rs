//! The policy engine's figures as a table.

use comfy_table::Table;
use serde_json::Value;

use super::{growth, number};

/// One line for each number of nodes.
pub(super) fn show(rows: &[Value]) -> Table {
    let mut table = Table::new();
    table.set_header([
        "nodes",
        "rules",
        "self",
        "classes",
        "parse, ms",
        "classes, ms",
        "whole compile, ms",
        "times the first",
        "one node: class, us",
        "one node: all, us",
        "times the first",
        "nodes told",
    ]);
    for row in rows {
        let first = rows.iter().find(|first| first["self"] == row["self"]).unwrap_or(row);
        table.add_row([
            row["nodes"].to_string(),
            row["rules"].to_string(),
            row["self"].to_string(),
            row["classes"].to_string(),
            format!("{:.1}", number(row, "parse_ms")),
            format!("{:.1}", number(row, "classes_ms")),
            format!("{:.1}", number(row, "compile_ms")),
            growth(first, row, "compile_ms"),
            format!("{:.0}", number(row, "class_us")),
            format!("{:.0}", number(row, "change_us")),
            growth(first, row, "change_us"),
            row["told"].to_string(),
        ]);
    }
    table
}
