//! The current fault, which a test sets while the program runs.

/// A fault of the stick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No stick is plugged in.
    NoDevice,
    /// The stick disappears during an inference.
    Lost,
    /// Another program uses the stick.
    Busy,
    /// The stick ignores the requested precision.
    WrongPrecision,
    /// The stick reports success and does nothing.
    Silent,
}

/// The fault in the file that `SMEARSCOPE_BRIDGE_FAULT` names; none without such a file.
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
