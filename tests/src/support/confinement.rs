//! What the package's unit forbids the service: system calls, address families and capabilities.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Child, Command};
use std::thread;

use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};
use smearscope_artifacts::testing::skip;
use syscalls::Sysno;

use super::project::root;

/// Linux's numbers of address families.
const FAMILIES: [(&str, u64); 4] = [
    ("AF_UNIX", 1),
    ("AF_INET", 2),
    ("AF_INET6", 10),
    ("AF_NETLINK", 16),
];

/// The package's unit, with what the package adds to it.
pub(crate) fn unit() -> String {
    let read = |name: &str| fs::read_to_string(root().join("firmware/systemd").join(name)).unwrap();
    read("smearscope.service") + &read("hardening.conf")
}

/// The values of a directive of the package's unit, in order.
pub(crate) fn directives(unit: &str, name: &str) -> Vec<String> {
    let lines = unit.lines().filter_map(|line| line.split_once('='));
    lines
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
        .collect()
}

/// The unit's confinement, for programs that a test starts.
pub(crate) struct Confinement(Vec<BpfProgram>);

impl Confinement {
    /// Reads the unit; skips and returns `None` where systemd, which knows the groups of system calls, is missing.
    pub(crate) fn of_the_unit() -> Option<Self> {
        let unit = unit();
        let groups = groups()?;
        let mut allowed = BTreeSet::new();
        for line in directives(&unit, "SystemCallFilter") {
            let (is_allowed, names) = match line.strip_prefix('~') {
                Some(names) => (false, names),
                None => (true, &*line),
            };
            assert!(is_allowed || !allowed.is_empty(), "the first line allows");
            for name in names.split_whitespace() {
                let calls = expanded(name, &groups);
                if is_allowed {
                    allowed.extend(calls);
                } else {
                    allowed.retain(|call| !calls.contains(call));
                }
            }
        }
        assert_eq!(directives(&unit, "SystemCallErrorNumber"), ["EPERM"]);
        // Names of other architectures have no number here.
        let allowed = allowed
            .iter()
            .filter_map(|name| name.parse::<Sysno>().ok())
            .map(|call| (i64::from(call.id()), Vec::new()))
            .collect();
        let refused = SeccompAction::Errno(rustix::io::Errno::PERM.raw_os_error().cast_unsigned());
        let calls = filter(allowed, refused, SeccompAction::Allow);
        // The filter of calls comes last: it allows no further filter.
        Some(Self(vec![families(&unit), calls]))
    }

    /// Starts a program that is confined like the service.
    pub(crate) fn spawn(&self, command: &mut Command) -> std::io::Result<Child> {
        // Filters and capabilities belong to a thread, and the program inherits them.
        thread::scope(|scope| {
            let confined = scope.spawn(|| {
                let none = CapabilitySet::empty();
                let none = CapabilitySets {
                    effective: none,
                    permitted: none,
                    inheritable: none,
                };
                set_capabilities(None, none)?;
                for filter in &self.0 {
                    apply_filter(filter).map_err(std::io::Error::other)?;
                }
                command.spawn()
            });
            confined.join().unwrap()
        })
    }
}

/// systemd's groups of system calls; skips and returns `None` where systemd is missing.
fn groups() -> Option<BTreeMap<String, Vec<String>>> {
    let listing = Command::new("systemd-analyze")
        .args(["--no-pager", "syscall-filter"])
        .output();
    let Ok(listing) = listing else {
        skip("systemd-analyze is missing; run scripts/setup --python");
        return None;
    };
    let listing = String::from_utf8(listing.stdout).unwrap();
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut group = None;
    for line in listing.lines() {
        if line.starts_with('@') {
            group = Some(groups.entry(line.to_owned()).or_default());
        } else if let Some(group) = &mut group {
            let name = line.trim();
            if !name.is_empty() && !name.starts_with('#') {
                group.push(name.to_owned());
            }
        }
    }
    Some(groups)
}

/// The system calls of a name in the unit: itself, or those of a group and of the groups in it.
fn expanded(name: &str, groups: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    if !name.starts_with('@') {
        return BTreeSet::from([name.to_owned()]);
    }
    let members = groups
        .get(name)
        .unwrap_or_else(|| panic!("{name} is no group"));
    members
        .iter()
        .flat_map(|member| expanded(member, groups))
        .collect()
}

/// Refuses sockets of families that the unit does not name.
fn families(unit: &str) -> BpfProgram {
    let families = directives(unit, "RestrictAddressFamilies").join(" ");
    let not_allowed = families.split_whitespace().map(|family| {
        let (_, number) = FAMILIES
            .iter()
            .find(|(name, _)| *name == family)
            .unwrap_or_else(|| panic!("{family} is not known here"));
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, *number).unwrap()
    });
    let other = SeccompRule::new(not_allowed.collect()).unwrap();
    let rules = BTreeMap::from([(i64::from(Sysno::socket.id()), vec![other])]);
    let error = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    let refused = SeccompAction::Errno(error.cast_unsigned());
    filter(rules, SeccompAction::Allow, refused)
}

fn filter(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> BpfProgram {
    let here = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, otherwise, matched, here).unwrap();
    filter.try_into().unwrap()
}
