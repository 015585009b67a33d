//! Prints the rings of modules and the forbidden imports of each crate.
//!
//! `module_rings [CHECKOUT]` reads the checkout in the current folder or the one that is named.

use std::path::PathBuf;
use std::process::ExitCode;

use smearscope_tests::architecture::{PACKAGES, check};

fn main() -> ExitCode {
    let checkout = std::env::args_os().nth(1).map_or(".".into(), PathBuf::from);
    let mut clean = true;
    for (folder, with_tests) in PACKAGES {
        match check(&checkout, folder, with_tests) {
            Ok(findings) => {
                clean &= findings.is_empty();
                println!("{findings}");
            }
            Err(error) => {
                clean = false;
                eprintln!("{folder}: {error}");
            }
        }
    }
    if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
