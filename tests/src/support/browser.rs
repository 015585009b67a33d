//! Headless Chromium, driven by the `WebDriver` protocol.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use data_encoding::BASE64;
use serde_json::{Value, json};
use smearscope_artifacts::testing::skip;
use tempfile::TempDir;

use super::http::{PATIENCE, agent};
use super::project::root;

/// The key of an element's id in an answer (`WebDriver`, section 12.2).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A session of Chromium and its driver.
pub(crate) struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser; the driver keeps running.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Browser {
    /// Starts one; if its driver is missing, skips and returns `None`.
    pub(crate) fn start() -> Option<Self> {
        let Ok(mut driver) = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
        else {
            skip("chromedriver is missing; run scripts/setup --python");
            return None;
        };
        let mut said = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = said
            .find_map(|line| {
                let line = line.unwrap();
                let port = line.split_once("started successfully on port ")?.1;
                Some(port.trim_end_matches('.').to_owned())
            })
            .expect("the driver says where it listens");
        // The driver blocks on a full pipe.
        std::thread::spawn(move || said.for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let mut args = vec![
            "--headless=new".to_owned(),
            "--hide-scrollbars".into(),
            "--no-first-run".into(),
            "--disable-background-networking".into(),
            "--disable-component-update".into(),
            "--disable-dev-shm-usage".into(),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        if rustix::process::geteuid().is_root() {
            // Chromium's sandbox refuses root, the user of most containers.
            args.push("--no-sandbox".into());
        }
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": args},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let mut browser = Self {
            driver,
            session: format!("http://127.0.0.1:{port}/session"),
            agent: agent(),
            _profile: profile,
        };
        let session = browser.post("", &wanted);
        browser.session = format!(
            "{}/{}",
            browser.session,
            session["sessionId"].as_str().unwrap()
        );
        Some(browser)
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        let mut response = self
            .agent
            .post(format!("{}{command}", self.session))
            .header("content-type", "application/json")
            .send(body.to_string())
            .unwrap();
        let answer = response.body_mut().read_to_vec().unwrap();
        let mut answer: Value = serde_json::from_slice(&answer).unwrap();
        assert!(response.status().is_success(), "{command}: {answer}");
        answer["value"].take()
    }

    /// Opens an address.
    pub(crate) fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Runs a function body in the page and returns its result.
    pub(crate) fn run(&self, body: &str) -> Value {
        self.post("/execute/sync", &json!({"script": body, "args": []}))
    }

    /// Waits until an expression is true.
    pub(crate) fn until(&self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.run(&format!("return Boolean({expression})")) != true {
            assert!(
                Instant::now() < deadline,
                "never {expression}; the page says: {}; the console: {:?}",
                self.run("return document.body.innerText"),
                self.log("browser"),
            );
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// The visible text of the first element that matches a selector.
    pub(crate) fn text(&self, selector: &str) -> String {
        let text = self.run(&format!(
            "return document.querySelector({selector:?})?.innerText ?? ''"
        ));
        text.as_str().unwrap().to_owned()
    }

    fn element(&self, selector: &str) -> String {
        let found = self.post(
            "/element",
            &json!({"using": "css selector", "value": selector}),
        );
        format!("/element/{}", found[ELEMENT].as_str().unwrap())
    }

    /// Clicks an element; a covered element cannot be clicked.
    pub(crate) fn click(&self, selector: &str) {
        // The page's header may cover what the driver scrolls into view.
        self.run(&format!(
            "document.querySelector({selector:?})?.scrollIntoView({{ block: 'center' }})"
        ));
        self.post(&format!("{}/click", self.element(selector)), &json!({}));
    }

    /// Clicks at a place of an element, in screen pixels from its corner.
    pub(crate) fn click_at(&self, selector: &str, x: f64, y: f64) {
        self.drag(selector, [x, y], [0.0, 0.0]);
    }

    /// Presses the mouse at a place of an element, in screen pixels from its corner, moves it and releases it.
    pub(crate) fn drag(&self, selector: &str, [x, y]: [f64; 2], [across, down]: [f64; 2]) {
        let corner = self.run(&format!(
            "const element = document.querySelector({selector:?}); element.scrollIntoView({{ block: 'center' }}); \
             const {{ left, top }} = element.getBoundingClientRect(); return [left, top]"
        ));
        let [left, top] = [0, 1].map(|index| corner[index].as_f64().unwrap());
        let steps = [
            ("mousePressed", 0.0),
            ("mouseMoved", 0.5),
            ("mouseMoved", 1.0),
            ("mouseReleased", 1.0),
        ];
        for (kind, way) in steps {
            let (x, y) = (left + x + way * across, top + y + way * down);
            self.devtools(
                "Input.dispatchMouseEvent",
                &json!({"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}),
            );
        }
    }

    /// Types text into an element, or file names into a file input.
    pub(crate) fn enter(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.post(&format!("{element}/value"), &json!({ "text": text }));
    }

    /// Chooses files in a file input.
    pub(crate) fn choose(&self, selector: &str, files: &[PathBuf]) {
        // The driver accepts only canonical paths.
        let paths = files.iter().map(|file| file.canonicalize().unwrap());
        let paths: Vec<_> = paths
            .map(|file| file.to_str().unwrap().to_owned())
            .collect();
        self.enter(selector, &paths.join("\n"));
    }

    /// Runs a command of the Chrome `DevTools` Protocol.
    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.post("/goog/cdp/execute", &body)
    }

    /// Sets the size of the window and the colour scheme.
    pub(crate) fn look(&self, width: u32, height: u32, theme: &str) {
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}),
        );
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({"features": [
                {"name": "prefers-color-scheme", "value": theme},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ]}),
        );
    }

    /// Writes a picture of the whole page.
    pub(crate) fn photograph(&self, path: &Path) {
        let picture = self.devtools(
            "Page.captureScreenshot",
            &json!({"captureBeyondViewport": true}),
        );
        let picture = BASE64
            .decode(picture["data"].as_str().unwrap().as_bytes())
            .unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, picture).unwrap();
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        let mut log = self.post("/se/log", &json!({ "type": kind }));
        log.as_array_mut().map(std::mem::take).unwrap()
    }

    /// Loads axe, which finds obstacles for people with a screen reader or weak eyes; if it is missing, skips and
    /// returns `false`.
    pub(crate) fn audits(&self) -> bool {
        let libraries = std::fs::read_dir(root().join(".venv/lib"))
            .into_iter()
            .flatten();
        let axe = libraries
            .map(|python| {
                python
                    .unwrap()
                    .path()
                    .join("site-packages/axe_core_python/axe.min.js")
            })
            .find_map(|file| std::fs::read_to_string(file).ok());
        let Some(axe) = axe else {
            skip("axe is missing; run scripts/setup --python");
            return false;
        };
        self.run(&axe);
        true
    }

    /// Checks the page against levels A and AA of WCAG 2.1 with axe.
    pub(crate) fn audit(&self, what: &str) {
        let found = self.run(
            "return axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }).then(({ violations, passes }) => \
             ({ passes: passes.length, violations: violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => [html, failureSummary])]) }))",
        );
        assert_eq!(found["violations"], json!([]), "{what}: {found:#}");
        assert!(found["passes"].as_u64() > Some(10), "{what}: {found}");
    }

    /// Checks the browser's logs: no errors except those that contain one of `expected`, and no requests except to
    /// `url`.
    pub(crate) fn check(self, url: &str, expected: &[&str]) {
        for entry in self.log("browser") {
            let message = entry["message"].as_str().unwrap();
            let is_expected = expected.iter().any(|part| message.contains(part));
            assert!(entry["level"] != "SEVERE" || is_expected, "{message}");
        }
        let mut asked = 0;
        for entry in self.log("performance") {
            let event: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            if event["message"]["method"] != "Network.requestWillBeSent" {
                continue;
            }
            let asks = &event["message"]["params"];
            if asks["documentURL"].as_str().unwrap().starts_with("chrome") {
                // The browser's own start page.
                continue;
            }
            let target = asks["request"]["url"].as_str().unwrap();
            // Pictures that the page or the browser makes need no request.
            let is_own = [url, &format!("blob:{url}"), "data:", "about:blank"]
                .iter()
                .any(|origin| target.starts_with(origin));
            assert!(is_own, "a request to another server: {target}");
            asked += 1;
        }
        assert!(asked > 10, "only {asked} requests were noted");
    }
}
