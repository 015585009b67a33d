//! The Debian package: its contents, and what remains after its removal.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use smearscope_artifacts::testing::skip;

use crate::support::browser::Browser;
use crate::support::confinement::{directives, unit};
use crate::support::name_space::unshare;
use crate::support::*;

const CONFIG: &str = "etc/smearscope/config.toml";
const ENABLED: [&str; 2] = [
    "etc/systemd/system/multi-user.target.wants/smearscope.service",
    "etc/systemd/system/timers.target.wants/smearscope-verify.timer",
];

fn is_there(program: &str, argument: &str) -> bool {
    let output = Command::new(program).arg(argument).output();
    let is_there = output.is_ok_and(|output| output.status.success());
    if !is_there {
        skip(format_args!(
            "{program} is missing; run scripts/setup --python"
        ));
    }
    is_there
}

/// Builds the package with the binary under test.
fn package() -> PathBuf {
    let output = Command::new(root().join("scripts/package"))
        .arg("--binary")
        .arg(built("smearscope"))
        .env("DEBFULLNAME", "A Laboratory")
        .env("DEBEMAIL", "laboratory@example.org")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    stdout.lines().last().expect("where it is").into()
}

/// The root folder of a system without any package.
struct System(tempfile::TempDir);

impl System {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for path in ["etc", "usr", "var/lib/dpkg/info", "var/lib/dpkg/updates"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        fs::write(folder.path().join("var/lib/dpkg/status"), "").unwrap();
        Self(folder)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Runs dpkg as root of a name space, without a service manager in sight. Returns its warnings.
    fn dpkg(&self, action: &str, what: &Path) -> String {
        let output = unshare()
            .expect("a name space, as before")
            .args(["sh", "-ec"])
            .arg("mount -t tmpfs tmpfs /run; exec dpkg \"$@\"")
            .arg("dpkg")
            .arg(format!("--root={}", self.0.path().display()))
            .args(["--force-script-chrootless", "--force-depends"])
            .arg(action)
            .arg(what)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success(),
            "{}{stderr}",
            String::from_utf8_lossy(&output.stdout)
        );
        stderr
    }

    /// Every file and link except those of dpkg and its helpers.
    fn files(&self) -> Vec<String> {
        let mut files: Vec<_> = walk(self.0.path())
            .into_iter()
            .map(|path| path.strip_prefix(self.0.path()).unwrap().to_owned())
            .filter(|path| !path.starts_with("var/lib"))
            .map(|path| path.to_str().unwrap().to_owned())
            .collect();
        files.sort();
        files
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap());
    entries
        .flat_map(|entry| {
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path())
            } else {
                vec![entry.path()]
            }
        })
        .collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "the life of a package, step by step")]
fn the_package_is_installed_works_and_goes_without_a_trace() {
    let helpers = [
        ("dpkg", "--version"),
        ("dpkg-shlibdeps", "--version"),
        ("systemd-sysusers", "--version"),
        ("deb-systemd-helper", "--help"),
    ];
    let are_there = helpers
        .iter()
        .all(|(program, argument)| is_there(program, argument));
    if !are_there || unshare().is_none() {
        return;
    }
    let package = package();
    let system = System::new();
    let before = system.files();
    system.dpkg("--install", &package);

    let files = system.files();
    for expected in [
        "usr/bin/smearscope",
        "usr/lib/modules-load.d/smearscope.conf",
        "usr/lib/systemd/system/smearscope.service",
        "usr/lib/systemd/system/smearscope.service.d/00-hardening.conf",
        "usr/lib/systemd/system/smearscope-verify.service",
        "usr/lib/systemd/system/smearscope-verify.service.d/00-hardening.conf",
        "usr/lib/systemd/system/smearscope-verify.timer",
        "usr/share/bash-completion/completions/smearscope",
        "usr/share/fish/vendor_completions.d/smearscope.fish",
        "usr/share/man/man1/smearscope.1.gz",
        "usr/share/zsh/vendor-completions/_smearscope",
        "usr/lib/sysusers.d/smearscope.conf",
        "usr/lib/udev/rules.d/99-smearscope.rules",
        "usr/share/polkit-1/rules.d/60-smearscope.rules",
        "usr/share/doc/smearscope/changelog.Debian.gz",
        "usr/share/doc/smearscope/copyright",
        "usr/share/smearscope/models/smear-demo/manifest.toml",
        CONFIG,
        ENABLED[0],
        ENABLED[1],
    ] {
        assert!(files.contains(&expected.into()), "{expected}: {files:#?}");
    }
    let status = fs::read_to_string(system.path("var/lib/dpkg/status")).unwrap();
    let maintainer = "Maintainer: A Laboratory <laboratory@example.org>";
    assert!(status.contains(maintainer), "{status}");
    assert!(status.contains("libc6 (>= "), "{status}");
    let passwd = fs::read_to_string(system.path("etc/passwd")).unwrap();
    assert!(passwd.contains("smearscope:"), "{passwd}");
    let groups = fs::read_to_string(system.path("etc/group")).unwrap();
    for group in ["video", "i2c", "gpio", "plugdev", "smearscope"] {
        assert!(groups.contains(&format!("{group}:")), "{group}: {groups}");
    }

    let installed = |args: &[&str]| {
        let output = Command::new(system.path("usr/bin/smearscope"))
            .args(args)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let config = system.path(CONFIG);
    let config = config.to_str().unwrap();
    installed(&["config", "check", config]);
    let shown = installed(&["config", "show", config]);
    for setting in [
        "board = \"pi\"",
        "state = \"/var/lib/smearscope\"",
        "switch_off = [\"systemctl\", \"poweroff\"]",
    ] {
        assert!(shown.contains(setting), "{setting}");
    }
    let model = system.path("usr/share/smearscope/models/smear-demo");
    let verified = installed(&[
        "model",
        "verify",
        "--engine",
        "embedded",
        model.to_str().unwrap(),
    ]);
    assert!(verified.contains("files verified"));

    // An administrator's changes survive an upgrade and a removal.
    let own = format!("# ours\n{}", fs::read_to_string(config).unwrap());
    fs::write(config, &own).unwrap();
    let warnings = system.dpkg("--install", &package);
    assert!(!warnings.contains("WARNING"), "{warnings}");
    // A start ignores what it does not know.
    fs::write(config, format!("colour = \"red\"\n{own}")).unwrap();
    let warnings = system.dpkg("--install", &package);
    assert!(!warnings.contains("WARNING"), "{warnings}");
    // An upgrade succeeds although the new version refuses the configuration, and says so.
    fs::write(config, format!("colour\n{own}")).unwrap();
    let warnings = system.dpkg("--install", &package);
    for part in ["WARNING", "line 1", "The service was not restarted"] {
        assert!(warnings.contains(part), "{warnings}");
    }
    fs::write(config, &own).unwrap();
    system.dpkg("--remove", Path::new("smearscope"));
    assert_eq!(fs::read_to_string(config).unwrap(), own);
    assert!(!system.path("usr/bin/smearscope").exists());
    system.dpkg("--purge", Path::new("smearscope"));
    let left = system.files();
    let users = [
        "etc/passwd",
        "etc/shadow",
        "etc/group",
        "etc/gshadow",
        "etc/.pwd.lock",
    ];
    let unexpected: Vec<_> = left
        .iter()
        .filter(|path| !before.contains(path))
        // Debian's policy keeps the users.
        .filter(|path| !users.iter().any(|users| path.starts_with(users)))
        .collect();
    assert_eq!(unexpected, Vec::<&String>::new());
}

/// Whether polkit allows an action to a user by the package's rule alone. The browser runs the rule.
fn is_allowed(browser: &Browser, user: &str, action: &str) -> bool {
    let rule = root().join("firmware/systemd/60-smearscope.rules");
    let script = format!(
        "const polkit = {{ Result: {{ YES: 'yes', NOT_HANDLED: null }}, addRule(rule) {{ this.rule = rule; }} }};
         {}
         return polkit.rule({{ id: {action:?} }}, {{ user: {user:?} }}) === polkit.Result.YES;",
        fs::read_to_string(rule).unwrap()
    );
    browser.run(&script) == true
}

#[test]
fn the_services_user_may_switch_the_machine_off_and_nothing_else() {
    let rule = fs::read_to_string(root().join("firmware/systemd/60-smearscope.rules")).unwrap();
    assert_eq!(directives(&unit(), "User"), ["smearscope"]);
    let quoted: Vec<_> = rule.split('"').skip(1).step_by(2).collect();
    let power_off = [
        "org.freedesktop.login1.power-off",
        "org.freedesktop.login1.power-off-multiple-sessions",
    ];
    assert_eq!(quoted, ["smearscope", power_off[0], power_off[1]]);
    assert_eq!(rule.matches("Result.YES").count(), 1);
    let Some(browser) = Browser::start() else {
        return;
    };
    for action in power_off {
        assert!(is_allowed(&browser, "smearscope", action), "{action}");
        assert!(!is_allowed(&browser, "pi", action), "{action}");
    }
    for action in [
        "org.freedesktop.login1.reboot",
        "org.freedesktop.login1.power-off-ignore-inhibit",
        "org.freedesktop.systemd1.manage-units",
    ] {
        assert!(!is_allowed(&browser, "smearscope", action), "{action}");
    }
}

#[test]
fn the_services_may_do_little() {
    if !is_there("systemd-analyze", "--version") {
        return;
    }
    // Each release of systemd adds a few checks.
    for (service, limit) in [("smearscope", 2.0), ("smearscope-verify", 1.3)] {
        let units = tempfile::tempdir().unwrap();
        let unit = units.path().join(format!("{service}.service"));
        let more = units.path().join(format!("{service}.service.d"));
        fs::create_dir(&more).unwrap();
        let systemd = root().join("firmware/systemd");
        fs::copy(systemd.join(unit.file_name().unwrap()), &unit).unwrap();
        fs::copy(
            systemd.join("hardening.conf"),
            more.join("00-hardening.conf"),
        )
        .unwrap();
        let output = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager"])
            .arg(&unit)
            .env("SYSTEMD_EMOJI", "0")
            .output()
            .unwrap();
        let report = String::from_utf8(output.stdout).unwrap();
        let exposure: f64 = report
            .lines()
            .find_map(|line| line.split_once(&format!("{service}.service: ")))
            .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
            .unwrap_or_else(|| panic!("no score: {report}"));
        assert!(exposure <= limit, "{report}");
    }
}

#[test]
fn a_part_may_be_plugged_in_after_the_service_started() {
    // systemd looks names up when the service starts. These numbers are fixed (Linux's devices.txt); gpiochip and dma_heap
    // are parts of the kernel itself, and the module that adds media is loaded before.
    let allowed = directives(&unit(), "DeviceAllow");
    let (classes, files): (Vec<_>, Vec<_>) = allowed
        .iter()
        .map(|device| device.strip_suffix(" rw").unwrap())
        .partition(|device| device.starts_with("char-"));
    assert_eq!(
        classes,
        [
            "char-81",
            "char-89",
            "char-189",
            "char-gpiochip",
            "char-media",
            "char-dma_heap"
        ]
    );
    assert_eq!(directives(&unit(), "After")[1], "modprobe@mc.service");
    // Since the Raspberry Pi 5, one for each bank of lines.
    let memories = ["", "0", "1", "2", "3", "4"].map(|number| format!("/dev/gpiomem{number}"));
    assert_eq!(files, memories);
}

#[test]
fn the_service_starts_again_unless_that_is_useless() {
    let unit = unit();
    assert_eq!(directives(&unit, "Restart"), ["always"]);
    assert_eq!(directives(&unit, "RestartPreventExitStatus"), ["0 2 3"]);
    let reload = directives(&unit, "ExecReload");
    assert_eq!(
        reload,
        [
            "/usr/bin/smearscope config check --service",
            "/bin/kill -HUP $MAINPID"
        ],
        "an invalid configuration fails the reload"
    );
}
