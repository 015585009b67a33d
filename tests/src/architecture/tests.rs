//! The check of imports on made-up packages.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Package, PackageError, imports, rings, rules};

fn package(name: &str, files: &[(&str, &str)]) -> Package {
    let sources: BTreeMap<_, _> = files
        .iter()
        .map(|(file, text)| (PathBuf::from(file), (*text).to_owned()))
        .collect();
    Package::parse(&sources, name, false).expect("sources that parse")
}

/// Each import as `from -> to: name`.
fn import_lines(files: &[(&str, &str)]) -> Vec<String> {
    imports(&package("made-up", files))
        .iter()
        .map(|import| {
            let (from, to) = (import.from.display(), import.to.display());
            format!("{from} -> {to}: {}", import.name)
        })
        .collect()
}

fn ring_lines(files: &[(&str, &str)]) -> Vec<String> {
    rings(&imports(&package("made-up", files)))
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn forbidden_lines(files: &[(&str, &str)]) -> Vec<String> {
    rules::forbidden_imports("smearscope", &imports(&package("smearscope", files)))
}

#[test]
fn a_ring_of_two_names_the_files_and_what_they_import() {
    let rings = ring_lines(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::Name;\npub struct Other;"),
        ("b.rs", "use super::a::Other;\npub struct Name;"),
    ]);
    assert_eq!(
        rings,
        ["ring: a.rs uses b.rs (Name), b.rs uses a.rs (Other)"]
    );
}

#[test]
fn a_longer_ring_is_found_once() {
    let rings = ring_lines(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use crate::c::C; pub struct B;"),
        ("c.rs", "use crate::{a::A, d::D}; pub struct C;"),
        ("d.rs", "pub struct D;"),
    ]);
    assert_eq!(
        rings,
        ["ring: a.rs uses b.rs (B), b.rs uses c.rs (C), c.rs uses a.rs (A)"]
    );
}

#[test]
fn nested_renamed_and_inline_paths_are_imports() {
    let found = import_lines(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        (
            "a.rs",
            "use crate::{
                 b::{self, One as First, deep::{Two, three}},
                 c,
             };
             fn f() -> u8 { c::four() + crate::b::five::<u8>() + b::six() }",
        ),
        (
            "b/mod.rs",
            "pub mod deep; pub struct One; pub fn five<T>() {} pub fn six() {}",
        ),
        ("b/deep.rs", "pub struct Two; pub fn three() {}"),
        ("c.rs", "pub fn four() {}"),
    ]);
    assert_eq!(
        found,
        [
            "a.rs -> b/deep.rs: Two",
            "a.rs -> b/deep.rs: three",
            "a.rs -> b/mod.rs: One",
            "a.rs -> b/mod.rs: five",
            "a.rs -> b/mod.rs: six",
            "a.rs -> c.rs: four",
        ]
    );
}

#[test]
fn macros_and_attributes_hold_paths_and_strings_and_comments_do_not() {
    let found = import_lines(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        (
            "a.rs",
            "//! crate::c::in_a_doc
             // use crate::c::InAComment;
             use crate::b;
             #[serde(with = \"crate::b::time\", rename = \"crate::c::in_a_sentence is text\")]
             struct S;
             #[derive(crate::b::Derived)]
             struct T;
             fn f() { println!(\"{} crate::c::text\", b::shown(x.c)); vec![crate::b::made!()]; }",
        ),
        ("b.rs", "pub mod time {} pub fn shown() {}"),
        ("c.rs", ""),
    ]);
    assert_eq!(
        found,
        [
            "a.rs -> b.rs: Derived",
            "a.rs -> b.rs: made",
            "a.rs -> b.rs: shown",
            "a.rs -> b.rs: time",
        ]
    );
}

#[test]
fn a_name_from_a_facade_counts_for_the_file_that_defines_it() {
    // The parent hands out what its children define, and one child uses the other's through it.
    let files = [
        ("lib.rs", "mod room;"),
        (
            "room/mod.rs",
            "mod one; mod two; pub use one::One; pub(crate) use two::*;",
        ),
        ("room/one.rs", "pub struct One;"),
        ("room/two.rs", "use super::One; pub struct Two(One);"),
    ];
    assert_eq!(import_lines(&files), ["room/two.rs -> room/one.rs: One"]);
    assert!(ring_lines(&files).is_empty());
}

#[test]
fn a_parent_that_uses_the_child_that_uses_it_is_a_ring() {
    let rings = ring_lines(&[
        ("lib.rs", "mod room;"),
        (
            "room.rs",
            "mod child; pub use child::Child; pub struct Shared; fn f() { Child::new(); }",
        ),
        (
            "room/child.rs",
            "use super::Shared; pub struct Child(Shared);",
        ),
    ]);
    assert_eq!(
        rings,
        ["ring: room/child.rs uses room.rs (Shared), room.rs uses room/child.rs (Child)"]
    );
}

#[test]
fn a_glob_import_leads_to_what_is_used_through_it() {
    let found = import_lines(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::*; fn f() -> Deep { Own }"),
        ("b.rs", "pub use crate::c::Deep; pub struct Own;"),
        ("c.rs", "pub struct Deep;"),
    ]);
    assert_eq!(
        found,
        [
            "a.rs -> b.rs: *",
            "a.rs -> b.rs: Own",
            "a.rs -> c.rs: Deep",
            "b.rs -> c.rs: Deep",
        ]
    );
}

#[test]
fn test_code_does_not_count() {
    let found = import_lines(&[
        ("lib.rs", "mod a; mod b; #[cfg(test)] mod absent;"),
        (
            "a.rs",
            "#[cfg(test)] use crate::b::One;
             #[cfg(all(test, unix))] mod tests { use crate::b::Two; }
             #[cfg(fuzzing)] mod fuzzing { use crate::b::Two; }
             #[cfg(any(test, feature = \"test-support\"))] pub mod testing { use crate::b::Three; }
             struct S;
             impl S { #[cfg(test)] fn f() { crate::b::four(); } }
             fn g() { #[cfg(test)] let five = crate::b::five(); }
             #[cfg(not(test))] use crate::b::Six;
             #[cfg(any(test, unix))] use crate::b::Seven;",
        ),
        (
            "b.rs",
            "pub struct One; pub struct Two; pub struct Three; pub fn four() {} pub fn five() {}
             pub struct Six; pub struct Seven;",
        ),
    ]);
    assert_eq!(found, ["a.rs -> b.rs: Seven", "a.rs -> b.rs: Six"]);
}

#[test]
fn inline_modules_belong_to_their_file_and_a_path_attribute_leads_to_another() {
    let found = import_lines(&[
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "mod inner { use super::Own; use super::super::b::B; } pub struct Own;",
        ),
        (
            "b.rs",
            "#[path = \"elsewhere.rs\"] mod e; pub struct B(e::E);",
        ),
        ("elsewhere.rs", "pub struct E;"),
    ]);
    assert_eq!(found, ["a.rs -> b.rs: B", "b.rs -> elsewhere.rs: E"]);
}

#[test]
fn a_program_imports_its_library() {
    let found = import_lines(&[
        ("lib.rs", "pub mod a;"),
        ("a.rs", "pub fn run() {}"),
        ("main.rs", "fn main() { made_up::a::run() }"),
    ]);
    assert_eq!(found, ["main.rs -> a.rs: run"]);
}

#[test]
fn a_ring_of_reexports_ends() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub use crate::b::Thing; pub use crate::b::*;"),
        ("b.rs", "pub use crate::a::Thing; pub use crate::a::*;"),
    ];
    assert!(!ring_lines(&files).is_empty());
}

#[test]
fn a_module_without_a_file_is_an_error() {
    let sources = BTreeMap::from([(PathBuf::from("lib.rs"), "mod gone;".to_owned())]);
    let error = Package::parse(&sources, "made-up", false).expect_err("no file");
    assert!(matches!(&error, PackageError::Missing { name, .. } if name == "gone"));
}

#[test]
fn forbidden_imports_name_both_files() {
    let found = forbidden_lines(&[
        (
            "lib.rs",
            "pub mod cli; mod config; mod http; mod mqtt; mod records; mod system;",
        ),
        ("cli/mod.rs", "use crate::config::Config; pub fn date() {}"),
        (
            "config/mod.rs",
            "mod env; pub use env::Env; pub struct Config;",
        ),
        (
            "config/env.rs",
            "use super::Config; use crate::system::clock; use serde::Deserialize; pub struct Env;",
        ),
        ("http.rs", "use crate::mqtt::topic; use crate::cli::date;"),
        (
            "mqtt.rs",
            "use crate::{http, config::Env}; pub fn topic() {}",
        ),
        ("records.rs", "pub use crate::http::Figure;"),
        ("system.rs", "pub fn clock() {}"),
    ]);
    assert_eq!(
        found,
        [
            "forbidden: config/env.rs imports system.rs (clock); config imports nothing above it",
            "forbidden: http.rs imports cli/mod.rs (date); only main.rs and lib.rs import cli",
            "forbidden: http.rs imports mqtt.rs (topic); protocols do not import each other",
            "forbidden: mqtt.rs imports http.rs (http); protocols do not import each other",
            "forbidden: records.rs imports http.rs (Figure); records import no protocol and no command",
        ]
    );
}

#[test]
fn a_forbidden_room_is_also_forbidden_as_a_way() {
    let found = forbidden_lines(&[
        ("lib.rs", "mod cli; mod http; mod records; mod report;"),
        ("cli.rs", ""),
        ("http.rs", "pub use crate::report::Figure;"),
        ("records.rs", "use crate::http::Figure;"),
        ("report.rs", "pub struct Figure;"),
    ]);
    assert_eq!(
        found,
        [
            "forbidden: records.rs imports report.rs (Figure); records import no protocol and no command"
        ]
    );
}

#[test]
fn a_room_that_a_rule_names_must_exist() {
    let firmware = package("smearscope", &[("lib.rs", "mod cli {} mod config {}")]);
    let missing = rules::missing_rooms("smearscope", &firmware).join("\n");
    assert!(missing.contains("no module records"), "{missing}");
    assert!(!missing.contains("no module config"), "{missing}");
}

#[test]
fn crates_depend_in_one_direction() {
    let found = |manifest: &str| {
        rules::forbidden_dependencies(&toml::from_str(manifest).expect("a manifest"))
    };
    assert_eq!(
        found(
            "package.name = 'smearscope-hardware'
             [dependencies]
             log.workspace = true
             [dev-dependencies]
             models = { package = 'smearscope-artifacts', path = '..' }
             [target.'cfg(unix)'.dependencies]
             smearscope = { path = '..' }"
        ),
        [
            "forbidden: smearscope-hardware depends on smearscope",
            "forbidden: smearscope-hardware depends on smearscope-artifacts",
        ]
    );
    assert!(
        found(
            "package.name = 'smearscope'
             [dependencies]
             smearscope-artifacts.workspace = true
             smearscope-hardware.workspace = true"
        )
        .is_empty()
    );
}
