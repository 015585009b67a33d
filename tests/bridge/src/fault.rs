//! What goes wrong, as a test says while the program runs.

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No stick is plugged in.
    NoDevice,
    /// The stick goes in mid-inference.
    Lost,
    /// Something else uses it.
    Busy,
    /// It ignores which precision is asked for.
    WrongPrecision,
    /// It says that it is done, and has done nothing.
    Silent,
}

/// What the file that `SMEARSCOPE_BRIDGE_FAULT` names says now; nothing where there is no such file.
pub(crate) fn now() -> Option<Fault> {
    let file = std::env::var_os("SMEARSCOPE_BRIDGE_FAULT")?;
    let name = std::fs::read_to_string(file).ok()?;
    Some(match name.trim() {
        "no device" => Fault::NoDevice,
        "lost" => Fault::Lost,
        "busy" => Fault::Busy,
        "wrong precision" => Fault::WrongPrecision,
        "silent" => Fault::Silent,
        other => panic!("no fault is called {other}"),
    })
}
