//! `smearscope config import-hias`: copies a HIAS agent's credentials into the section `[hias]` of a configuration,
//! and the address of its HTTP server into `http.listen`.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value;
use smearscope_artifacts::read_text;
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use crate::cli::exit::Failure;
use crate::config::secret::Secret;
use crate::config::{DEFAULT_PATH, Raw};
use crate::system::files::replace_contents;

/// Copy a HIAS agent's credentials into the sections [hias] and [http] of a configuration.
#[derive(Debug, Args)]
#[command(
    after_help = "Reads iotJumpWay{host, port, location, zone, entity, name, un, up} and, if present, \
    server{ip, port}; all other keys are ignored. The rest of the configuration is kept, with its comments. If \
    anything is missing or invalid, the file is not changed; a file that does not exist is created. Each changed setting is printed, the password \
    hidden."
)]
pub(crate) struct ImportHiasArgs {
    /// The agent's credentials.json.
    #[arg(value_name = "CREDENTIALS")]
    credentials: PathBuf,
}

impl ImportHiasArgs {
    /// Changes the named configuration, or the default one; creates it if it does not exist.
    pub(crate) fn run(&self, config: Option<&Path>, out: &mut impl Write) -> Result<(), Failure> {
        let config = config.unwrap_or(Path::new(DEFAULT_PATH));
        import(&self.credentials, config, out).map_err(Failure::configuration)
    }
}

/// Largest credentials, in bytes; usually they have some hundred.
const MAX_BYTES: u64 = 64 << 10;
const SECTION: &str = "iotJumpWay";
/// Section with the address of the agent's HTTP server.
const SERVER: &str = "server";
/// HIAS's name of a setting, and the name in `[hias]`.
const TEXTS: [(&str, &str); 7] = [
    ("host", "host"),
    ("location", "location"),
    ("zone", "zone"),
    ("entity", "entity"),
    ("name", "name"),
    ("un", "user"),
    ("up", "password"),
];

/// A setting from the credentials: its section and name in the configuration, and its value.
type Setting = (&'static str, &'static str, toml_edit::Value);

/// Copies the settings from `credentials` into `config`, keeps the rest of it, and prints what changed.
///
/// # Errors
/// If anything is missing or invalid; then `config` is not changed.
fn import(credentials: &Path, config: &Path, out: &mut impl Write) -> Result<()> {
    let named = || credentials.display().to_string();
    let json = read(credentials).with_context(named)?;
    let (settings, listen) = settings(&json).with_context(named)?;
    let before = match fs::read_to_string(config) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be read", config.display()));
        }
    };
    let (after, changes) =
        merge(&before, settings).with_context(|| config.display().to_string())?;
    let invalid = || {
        format!(
            "{} would become invalid and is not changed",
            config.display()
        )
    };
    Raw::parse(&after)
        .and_then(Raw::validate)
        .with_context(invalid)?;
    if changes.is_empty() {
        writeln!(out, "{} has these settings already", config.display())?;
        return Ok(());
    }
    replace_contents(config, after.as_bytes()).with_context(|| {
        format!(
            "{} cannot be written; run the command as a user who may write there",
            config.display()
        )
    })?;
    for change in changes {
        writeln!(out, "{change}")?;
    }
    writeln!(
        out,
        "{} changed; apply it with `systemctl reload smearscope`. It contains a password: restrict who can read it.",
        config.display()
    )?;
    if listen.is_some_and(|listen| !listen.ip().is_loopback()) {
        writeln!(
            out,
            "Other machines can connect with TLS and a token. http.inference_from names a proxy whose requests to \
             /Inference need no token."
        )?;
    }
    Ok(())
}

fn read(credentials: &Path) -> Result<Value> {
    let text = read_text(credentials, MAX_BYTES).context("it cannot be read")?;
    serde_json::from_str(&text).context("it is not valid JSON")
}

/// Merges credentials into a configuration. Returns the new text and a line for each change.
#[cfg(any(fuzzing, test))]
pub(crate) fn merged(credentials: &str, configuration: &str) -> Result<(String, Vec<String>)> {
    let (settings, _) = settings(&serde_json::from_str(credentials)?)?;
    merge(configuration, settings)
}

/// All settings from the credentials, and the address of the agent's HTTP server.
fn settings(json: &Value) -> Result<(Vec<Setting>, Option<SocketAddr>)> {
    let mut settings = broker(json)?;
    let listen = server(json)?;
    settings.extend(listen.map(|listen| ("http", "listen", listen.to_string().into())));
    Ok((settings, listen))
}

/// A text that is not empty, or a number as text.
fn text(value: Option<&Value>) -> Option<String> {
    match value {
        Some(Value::String(text)) if !text.trim().is_empty() => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    }
}

fn port(section: &str, text: &str) -> Result<u16> {
    let port = text.parse().ok().filter(|port| *port > 0);
    port.with_context(|| format!("{section}.port = {text} is not a port; use 1 to 65535"))
}

/// The address of the agent's HTTP server, if it has one.
fn server(json: &Value) -> Result<Option<SocketAddr>> {
    let Some(section) = json.get(SERVER) else {
        return Ok(None);
    };
    let (ip, number) = (text(section.get("ip")), text(section.get("port")));
    let (Some(ip), Some(number)) = (ip, number) else {
        bail!("{SERVER}.ip or {SERVER}.port is missing; give both, or remove {SERVER}");
    };
    let address: IpAddr = ip.parse().ok().with_context(|| {
        format!("{SERVER}.ip = {ip} is not an address; use one of this machine, such as 127.0.0.1")
    })?;
    Ok(Some(SocketAddr::new(address, port(SERVER, &number)?)))
}

/// The settings for the broker.
fn broker(json: &Value) -> Result<Vec<Setting>> {
    let Some(section) = json.get(SECTION).and_then(Value::as_object) else {
        bail!("{SECTION} is missing; give the credentials.json of a HIAS agent");
    };
    let text = |key: &str| text(section.get(key));
    let missing: Vec<_> = TEXTS
        .iter()
        .map(|(theirs, _)| *theirs)
        .chain(["port"])
        .filter(|key| text(key).is_none())
        .map(|key| format!("{SECTION}.{key}"))
        .collect();
    ensure!(
        missing.is_empty(),
        "{} missing; download the agent's credentials from the HIAS server again",
        missing.join(", ") + if missing.len() == 1 { " is" } else { " are" }
    );
    let port = port(SECTION, &text("port").unwrap_or_default())?;
    let mut settings = vec![("hias", "port", i64::from(port).into())];
    settings.extend(
        TEXTS
            .iter()
            .filter_map(|(theirs, ours)| Some(("hias", *ours, text(theirs)?.into()))),
    );
    Ok(settings)
}

/// The configuration with these settings, and a line for each change.
fn merge(before: &str, settings: Vec<Setting>) -> Result<(String, Vec<String>)> {
    let mut document: DocumentMut = before.parse().context("it is not valid TOML")?;
    let mut changes = Vec::new();
    for (name, key, new) in settings {
        let section = section(&mut document, name)?;
        let shown = |value: &toml_edit::Value| match key {
            "password" => Secret::from(value.to_string()).to_string(),
            _ => value.clone().decorated("", "").to_string(),
        };
        let old = section.get(key).and_then(Item::as_value);
        if old.is_some_and(|old| same(old, &new)) {
            continue;
        }
        let was = old.map_or_else(String::new, |old| format!(" (was {})", shown(old)));
        changes.push(format!("{name}.{key} = {}{was}", shown(&new)));
        // Keep what surrounds the old value, such as a comment.
        let decor = old.map(|old| old.decor().clone());
        let mut item = value(new);
        if let (Some(decor), Some(new)) = (decor, item.as_value_mut()) {
            *new.decor_mut() = decor;
        }
        section.insert(key, item);
    }
    // A configuration must not have two passwords.
    let section = section(&mut document, "hias")?;
    if let Some(file) = section.get("password_file").and_then(Item::as_str)
        && !file.is_empty()
    {
        changes.push(format!("hias.password_file = \"\" (was {file:?})"));
        section.insert("password_file", value(""));
    }
    Ok((document.to_string(), changes))
}

fn section<'a>(document: &'a mut DocumentMut, name: &str) -> Result<&'a mut dyn TableLike> {
    let section = document
        .entry(name)
        .or_insert_with(|| Item::Table(Table::new()));
    section
        .as_table_like_mut()
        .with_context(|| format!("`{name}` is not a section; write it as [{name}]"))
}

fn same(old: &toml_edit::Value, new: &toml_edit::Value) -> bool {
    old.as_str() == new.as_str() && old.as_integer() == new.as_integer()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    const CREDENTIALS: &str = r#"{
        "iotJumpWay": {"host": "hias.example", "port": 8883, "location": "1", "zone": "2", "entity": "ALL",
                       "name": "Classifier", "un": "user", "up": "hunter2", "ipinfo": "token"},
        "server": {"ip": "127.0.0.1", "port": 1234}, "more": []
    }"#;

    fn imported(credentials: &str, config: &str) -> Result<(String, String)> {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("c.json"), folder.path().join("c.toml"));
        fs::write(&from, credentials).unwrap();
        fs::write(&to, config).unwrap();
        let mut out = Vec::new();
        let result = import(&from, &to, &mut out);
        let after = fs::read_to_string(&to).unwrap();
        if result.is_err() {
            assert_eq!(after, config);
        }
        result.map(|()| (after, String::from_utf8(out).unwrap()))
    }

    #[test]
    fn credentials_become_a_section_and_the_rest_stays() {
        let config = "# mine\nboard = \"sim\" # here\n\n[hias] # theirs\nport = 1 # old\nlatitude = 1.5\n\n[log]\nlevel = \"warn\"\n";
        let (after, told) = imported(CREDENTIALS, config).unwrap();
        assert!(after.starts_with(
            "# mine\nboard = \"sim\" # here\n\n[hias] # theirs\nport = 8883 # old\nlatitude = 1.5\n"
        ));
        assert!(
            after.ends_with("\n[log]\nlevel = \"warn\"\n\n[http]\nlisten = \"127.0.0.1:1234\"\n"),
            "{after}"
        );
        assert!(told.contains("hias.port = 8883 (was 1)"), "{told}");
        assert!(told.contains("hias.location = \"1\"\n"), "{told}");
        assert!(told.contains("hias.password = (hidden)"), "{told}");
        assert!(
            !told.contains("hunter2") && !told.contains("token"),
            "{told}"
        );
        let hias = Raw::parse(&after)
            .and_then(Raw::validate)
            .unwrap()
            .hias
            .unwrap();
        assert!(!told.contains("Other machines"), "{told}");
        assert_eq!(hias.base, "1/Agents/2/ALL");
        assert_eq!(hias.broker.login.unwrap().1.reveal(), "hunter2");
        // As an editor of Windows saves it.
        let marked = format!("\u{feff}{CREDENTIALS}");
        let (again, told) = imported(&marked, &after).unwrap();
        assert_eq!(again, after);
        assert!(told.contains("has these settings already"), "{told}");
    }

    #[test]
    fn a_server_for_other_machines_prints_what_they_need() {
        let others = CREDENTIALS.replace("127.0.0.1", "0.0.0.0");
        let state = "[storage]\nstate = \"/var/lib/smearscope\"\n";
        let (after, told) = imported(&others, state).unwrap();
        assert!(told.contains("http.listen = \"0.0.0.0:1234\"\n"), "{told}");
        assert!(told.contains("http.inference_from"), "{told}");
        let http = Raw::parse(&after).and_then(Raw::validate).unwrap().http;
        assert!(http.unwrap().needs_token());
        // Without a place for tokens, other machines cannot connect.
        let error = imported(&others, "").unwrap_err();
        assert!(format!("{error:#}").contains("storage.state"), "{error:#}");
        let without = CREDENTIALS.replace("server", "other");
        let (after, _) = imported(&without, "").unwrap();
        assert!(!after.contains("[http]"), "{after}");
    }

    #[test]
    fn only_this_user_can_read_a_new_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("c.json"), folder.path().join("c.toml"));
        fs::write(&from, CREDENTIALS).unwrap();
        import(&from, &to, &mut Vec::new()).unwrap();
        assert_eq!(to.metadata().unwrap().mode() & 0o777, 0o600);
        fs::set_permissions(&to, fs::Permissions::from_mode(0o640)).unwrap();
        fs::write(&from, CREDENTIALS.replace("hunter2", "hunter3")).unwrap();
        import(&from, &to, &mut Vec::new()).unwrap();
        assert_eq!(to.metadata().unwrap().mode() & 0o777, 0o640);
    }

    #[test]
    fn missing_and_invalid_settings_are_named_and_nothing_is_changed() {
        for (from, to, message) in [
            ("\"zone\": \"2\", ", "", "iotJumpWay.zone is missing"),
            (
                "\"un\": \"user\"",
                "\"un\": \" \"",
                "iotJumpWay.un is missing",
            ),
            ("8883", "\"many\"", "iotJumpWay.port = many"),
            ("iotJumpWay", "iot", "iotJumpWay is missing"),
            ("{", "", "not valid JSON"),
            ("\"2\"", "\"#\"", "hias.zone"),
            ("127.0.0.1", "example", "server.ip = example"),
            ("1234", "70000", "server.port = 70000"),
            (", \"port\": 1234", "", "server.port is missing"),
        ] {
            let credentials = CREDENTIALS.replacen(from, to, 1);
            let error = imported(&credentials, "# mine\n").unwrap_err();
            assert!(
                format!("{error:#}").contains(message),
                "{message}: {error:#}"
            );
        }
        let error = imported(CREDENTIALS, "hias = 3\n").unwrap_err();
        assert!(format!("{error:#}").contains("not a section"), "{error:#}");
        let error = imported(CREDENTIALS, "[hias]\nport = 0\nhoust = 1\n").unwrap_err();
        assert!(format!("{error:#}").contains("did you mean"), "{error:#}");
    }
}
