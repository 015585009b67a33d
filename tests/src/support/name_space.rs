//! Name spaces in which a test may mount disks; the mounts vanish with the name space.

use std::process::Command;
use std::sync::LazyLock;

use smearscope_artifacts::testing::skip;

/// `unshare` with the options that make a name space of mounts here; `None` where it cannot.
static OPTIONS: LazyLock<Option<&[&str]>> = LazyLock::new(|| {
    // A user without rights becomes root of a user name space; root may lack the right to make one
    // and still make one of mounts alone.
    let ways: [&[&str]; 2] = [&["--map-root-user", "--mount"], &["--mount"]];
    ways.into_iter().find(|options| {
        let mut trial = Command::new("unshare");
        trial.args(*options);
        let output = trial
            .args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"])
            .output();
        output.is_ok_and(|output| output.status.success())
    })
});

/// A command that runs the program in its arguments as root of a new name space; if the kernel
/// or the container allows none, skips and returns `None`.
pub(crate) fn unshare() -> Option<Command> {
    let Some(options) = *OPTIONS else {
        skip("this container allows no mount name spaces (it needs CAP_SYS_ADMIN)");
        return None;
    };
    let mut command = Command::new("unshare");
    command.args(options);
    Some(command)
}
