//! `smearscope selftest`: its report and its exit code.

use predicates::prelude::*;

use crate::support::*;

#[test]
fn a_whole_bench_passes() {
    smearscope(["selftest", "--board", "sim", "--engine", "openvino"])
        .assert()
        .success()
        .stdout(predicate::str::contains("golden"))
        .stdout(predicate::str::contains("openvino"))
        .stdout(predicate::str::contains("camera"));
}

#[test]
fn a_damaged_model_fails() {
    let model = copy_of_demo_model();
    std::fs::remove_dir_all(model.path().join("golden")).unwrap();
    smearscope(["selftest", "--board", "sim", "--model"])
        .arg(model.path())
        .assert()
        .failure()
        .stdout(predicate::str::contains("golden"));
}
