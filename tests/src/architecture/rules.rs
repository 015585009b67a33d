//! Imports that the design forbids: between the rooms of the firmware, and between crates.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::Import;
use super::package::Package;

/// What a room of the firmware may not import.
struct Rule {
    room: &'static str,
    forbids: Forbids,
    reason: &'static str,
}

enum Forbids {
    Rooms(&'static [&'static str]),
    /// Everything but the room itself and other crates.
    AllOthers,
}

const FIRMWARE: [Rule; 4] = [
    Rule {
        room: "config",
        forbids: Forbids::AllOthers,
        reason: "config imports nothing above it",
    },
    Rule {
        room: "records",
        forbids: Forbids::Rooms(&["http", "mqtt", "cli"]),
        reason: "records import no protocol and no command",
    },
    Rule {
        room: "http",
        forbids: Forbids::Rooms(&["mqtt"]),
        reason: "protocols do not import each other",
    },
    Rule {
        room: "mqtt",
        forbids: Forbids::Rooms(&["http"]),
        reason: "protocols do not import each other",
    },
];

/// The crates of the workspace, and those of them that each may depend on.
const CRATES: [(&str, &[&str]); 4] = [
    (
        "smearscope",
        &["smearscope-hardware", "smearscope-artifacts"],
    ),
    ("smearscope-hardware", &[]),
    ("smearscope-artifacts", &[]),
    ("smearscope-trainer", &["smearscope-artifacts"]),
];

/// The rooms that the rules of the firmware name.
const FIRMWARE_ROOMS: [&str; 5] = ["cli", "config", "http", "mqtt", "records"];

/// The forbidden imports of the package `name`, one sentence each.
pub fn forbidden_imports(name: &str, imports: &BTreeSet<Import>) -> Vec<String> {
    let rules: &[Rule] = if name == "smearscope" { &FIRMWARE } else { &[] };
    let mut found = BTreeSet::new();
    for import in imports {
        let mut refuse = |reason| {
            found.insert(format!(
                "forbidden: {} imports {} ({}); {reason}",
                import.from.display(),
                import.to.display(),
                import.name,
            ));
        };
        // The root of a crate may import its commands, and nothing else may.
        let starts_commands = import.room.is_empty() || import.room == "cli";
        if name != "smearscope-tests" && !starts_commands && import.through.contains("cli") {
            refuse("only main.rs and lib.rs import cli");
        }
        for rule in rules.iter().filter(|rule| rule.room == import.room) {
            let breaks = match rule.forbids {
                Forbids::Rooms(rooms) => rooms.iter().any(|room| import.through.contains(*room)),
                Forbids::AllOthers => {
                    !import.to.starts_with(rule.room) && import.to.with_extension("") != *rule.room
                }
            };
            if breaks {
                refuse(rule.reason);
            }
        }
    }
    found.into_iter().collect()
}

/// The rooms that the rules name and the firmware does not have, without which they hold nothing.
pub fn missing_rooms(name: &str, package: &Package) -> Vec<String> {
    let rooms: &[&str] = if name == "smearscope" {
        &FIRMWARE_ROOMS
    } else {
        &[]
    };
    rooms
        .iter()
        .filter(|room| !package.has_room(room))
        .map(|room| format!("missing: {name} has no module {room}, which the rules name"))
        .collect()
}

/// The name in a package's Cargo.toml.
pub fn package_name(manifest: &toml::Table) -> &str {
    manifest
        .get("package")
        .and_then(|package| package.get("name"))
        .and_then(toml::Value::as_str)
        .unwrap_or_default()
}

/// The forbidden dependencies in a package's Cargo.toml, one sentence each.
pub fn forbidden_dependencies(manifest: &toml::Table) -> Vec<String> {
    let name = package_name(manifest);
    let crates = BTreeMap::from(CRATES);
    let Some(allowed) = crates.get(name) else {
        return Vec::new();
    };
    dependencies(manifest)
        .into_iter()
        .filter(|dependency| {
            dependency != name
                && crates.contains_key(dependency.as_str())
                && !allowed.contains(&dependency.as_str())
        })
        .map(|dependency| format!("forbidden: {name} depends on {dependency}"))
        .collect()
}

/// The packages in all tables of dependencies, also those of one platform.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (key, value) in manifest {
        let Some(table) = value.as_table() else {
            continue;
        };
        if key.ends_with("dependencies") {
            found.extend(table.iter().map(|(name, dependency)| {
                let package = dependency.get("package").and_then(toml::Value::as_str);
                package.unwrap_or(name).to_owned()
            }));
        } else if key == "target" {
            let platforms = table.values().filter_map(toml::Value::as_table);
            found.extend(platforms.flat_map(dependencies));
        }
    }
    found
}
