//! The web page, in a real browser.

use std::path::{Path, PathBuf};

use image::imageops::{FilterType, blur, crop_imm, resize};
use image::{Rgb, RgbImage};
use rustix::process::Signal;
use serde_json::Value;
use smearscope_artifacts::all_idb_label;
use smearscope_artifacts::testing::micrographs;

use crate::support::browser::Browser;
use crate::support::http::*;
use crate::support::pictures::assert_shows;
use crate::support::*;

/// The page is connected, and nothing moves its buttons any more: the live picture and its figures are there, or the words
/// that there is none.
const CONNECTED: &str = "document.querySelector('#lost').hidden && !document.querySelector('#capture').disabled \
     && (document.querySelector('.watched .figure') ? document.querySelector('.preview img')?.naturalWidth > 0 \
         : document.querySelector('.preview').innerText.startsWith('No live picture'))";

/// By how many pixels the buttons of the live view move when the live picture appears.
const BUTTONS_MOVE: &str = "const top = () => document.querySelector('#capture').getBoundingClientRect().top; \
     const parts = ['.preview', '.watched'].map((part) => document.querySelector(part)); \
     const [before, held] = [top(), parts.map((part) => [...part.childNodes])]; \
     parts[0].replaceChildren('Waiting for the live picture …'); \
     parts[1].replaceChildren(); \
     const moved = top() - before; \
     parts.forEach((part, index) => part.replaceChildren(...held[index])); \
     return moved";

/// The verdicts of `smearscope classify` on these images.
fn local(images: &[PathBuf]) -> Vec<Value> {
    let output = smearscope(["classify", "--json", "--engine", "embedded"])
        .args(images)
        .output()
        .unwrap();
    json_lines(&output.stdout)
}

/// A percentage as the page formats it.
fn percent(probability: &Value) -> String {
    match probability.as_f64() {
        None => "–".into(),
        Some(p) if p > 0.999 => "> 99.9 %".into(),
        Some(p) if p < 0.001 => "< 0.1 %".into(),
        Some(p) => format!("{:.1} %", p * 100.0),
    }
}

/// The lamps of a verdict: red, amber, green.
fn lamps_of(verdict: &str) -> [&'static str; 3] {
    match verdict {
        "Positive" => ["on", "off", "off"],
        "Negative" => ["off", "off", "blink"],
        _ => ["off", "on", "off"],
    }
}

/// Waits until the page shows these LEDs: red, amber, green.
fn lamps(browser: &Browser, lit: [&str; 3]) {
    browser.until(&format!(
        "[...document.querySelectorAll('.lamp')].map((lamp) => lamp.classList[2]).join() === '{}'",
        lit.join(",")
    ));
}

#[test]
fn its_files_need_no_token_run_nothing_from_elsewhere_and_are_sent_once() {
    let served = Served::start("access = \"token\"\n");
    let page = served.get("/");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    let policy = page.header("content-security-policy");
    for rule in [
        "default-src 'none'",
        "script-src 'self';",
        "style-src 'self';",
        "connect-src 'self';",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(rule), "{policy}");
    }
    let html = String::from_utf8(page.body.clone()).unwrap();
    assert!(html.contains("Research use only: not for diagnosis or treatment."));
    let mut files = 0;
    for reference in html.split('"').filter(|part| part.starts_with("/page/")) {
        let file = served.get(reference);
        assert_eq!(file.status, 200, "{reference}");
        let known = [("if-none-match", file.header("etag"))];
        let again = served.send("GET", reference, &known, b"");
        assert_eq!((again.status, again.body.len()), (304, 0), "{reference}");
        files += 1;
    }
    assert!(files >= 4);
    served.get("/page/nothing.js").problem(401);
}

#[test]
fn what_the_button_does_the_page_does_and_no_verdict_outlives_the_connection() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let mut served = Served::start("").ready();
    browser.open(&served.url);
    browser.until(CONNECTED);
    assert!(browser.text("#notice").contains("Research use only"));
    browser.until("document.querySelector('#demo').innerText.startsWith('Demo model')");
    assert!(browser.text("#model").contains("smear-demo"));
    lamps(&browser, ["off", "off", "on"]);
    assert_eq!(
        browser.run("return document.querySelectorAll('main .badge').length"),
        0
    );

    browser.click("#capture");
    browser.until("document.querySelector('.verdict .badge')");
    let expected = &local(&demo_fields()[..1])[0];
    let verdict = expected["verdict"].as_str().unwrap();
    assert!(browser.text(".verdict").contains(&verdict.to_uppercase()));
    lamps(&browser, lamps_of(verdict));
    // The field's probability, and the slide's, which caps each field at 99:1.
    let probability = &expected["probability"];
    let row = browser.text(".row .what");
    assert_eq!(row, format!("p(ALL) {}", percent(probability)));
    let slide = probability.as_f64().unwrap().clamp(0.01, 0.99).into();
    assert_eq!(
        browser.text(".probability .p"),
        format!("p(ALL) {}", percent(&slide))
    );
    let spoken = browser.text("[aria-live]");
    assert!(spoken.starts_with(verdict), "{spoken}");
    let figures = browser.text("[aria-labelledby=quality-title] .figures");
    assert!(
        figures.contains("Focus") && figures.contains("min 1.2"),
        "{figures}"
    );
    assert_eq!(
        browser.run("return document.querySelectorAll('.row').length"),
        1
    );
    assert_eq!(served.get("/v1/device").json()["state"]["fields"], 1);

    // A page that opens later shows the same.
    browser.open("about:blank");
    browser.open(&served.url);
    browser.until("document.querySelector('.verdict .badge')");
    assert!(browser.text(".verdict").contains(&verdict.to_uppercase()));

    browser.click("#repeat");
    browser
        .until("document.querySelector('.status').innerText === 'Showing the last verdict again'");
    assert!(browser.text(".verdict").contains(&verdict.to_uppercase()));

    browser.click("#next");
    browser.until("document.querySelector('.answer').innerText.includes('Slide 2 is next')");
    assert_eq!(served.get("/v1/device").json()["state"]["slide"], 2);
    browser.until("document.querySelector('#fields-title').innerText === 'Fields of slide 2'");
    browser.until(CONNECTED);
    browser.click("#capture");
    browser.until("document.querySelector('.place')?.innerText.startsWith('Slide 2 · 1 field')");

    browser.click("#off");
    browser.until("document.querySelector('#confirm').open");
    browser.click("#confirm .buttons :last-child");
    browser.until("!document.querySelector('#confirm').open");
    assert_eq!(served.get("/v1/health/live").status, 200);
    browser.click("#off");
    browser.click("#confirm-off");
    let url = served.url.clone();
    assert_eq!(served.ended().and_then(|status| status.code()), Some(0));
    browser.until("!document.querySelector('#ended').hidden");
    assert!(
        browser.run("return document.querySelector('#lost').hidden") == true,
        "it was wanted"
    );
    assert_eq!(browser.text(".status"), "Switched off");
    assert_eq!(
        browser.run("return document.querySelectorAll('main .badge').length"),
        0
    );
    assert!(browser.text("main").contains("while disconnected"));
    assert_eq!(
        browser.run("return document.querySelector('#capture').disabled"),
        true
    );

    let address = url.strip_prefix("http://").unwrap();
    let again = Served::start(&format!("listen = {address:?}\n")).ready();
    browser.until(CONNECTED);
    browser.until("document.querySelector('#fields-title').innerText === 'Fields of slide 1'");
    assert_eq!(
        browser.run("return document.querySelectorAll('main .badge').length"),
        0
    );
    browser.click("#capture");
    browser.until("document.querySelector('.place')?.innerText.startsWith('Slide 1 · 1 field')");
    drop(again);
    browser.check(
        &url,
        &[
            // A live picture that was requested during the switch-off.
            "503",
            "ERR_CONNECTION_REFUSED",
            "ERR_INCOMPLETE_CHUNKED",
            "ERR_EMPTY",
        ],
    );
}

#[test]
fn the_page_shows_the_lamps_of_the_appliance() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let fields = tempfile::tempdir().unwrap();
    // The camera delivers nothing until someone writes to the pipe.
    let pipe = fields.path().join("1.jpg");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let timing = "[timing]\ncapture_s = 600\nselftest_s = 0.1\n";
    let served = Served::start_with("", timing, fields.path()).ready();
    browser.open(&served.url);
    browser.until(CONNECTED);
    lamps(&browser, ["off", "off", "on"]);
    browser.click("#capture");
    lamps(&browser, ["off", "blink", "off"]);
    std::fs::write(&pipe, "no picture").unwrap();
    lamps(&browser, ["blink", "off", "off"]);
    assert!(browser.text(".status").contains("Fault"));
    // There is no live picture, and the capture fails.
    browser.check(&served.url, &["503"]);
}

#[test]
fn uploaded_images_get_the_verdicts_of_the_command_line_and_are_counted_by_their_labels() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let served = Served::start("queue = 0\n").ready();
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("=broken_1.jpg");
    std::fs::write(&broken, "no image").unwrap();
    let mut images = labelled_fields(folder.path());
    images.extend(micrographs().into_iter().take(5));
    browser.open(&format!("{}/#/upload", served.url));
    browser.until("document.querySelector('#files')");
    browser.choose("#files", &[images.as_slice(), &[broken]].concat());
    browser.until("document.querySelector('main [role=status]').innerText.endsWith('finished.')");

    let answers = local(&images);
    let (summary, answers) = answers.split_last().unwrap();
    let rows = browser.run(
        "return [...document.querySelectorAll('tbody tr')].map((row) => [...row.children].map((cell) => cell.innerText))",
    );
    for ((image, answer), row) in images.iter().zip(answers).zip(rows.as_array().unwrap()) {
        assert_eq!(row[0], image.file_name().unwrap().to_str().unwrap());
        let verdict = row[2].as_str().unwrap();
        assert!(
            verdict.ends_with(answer["verdict"].as_str().unwrap()),
            "{row}"
        );
        assert_eq!(row[3], percent(&answer["probability"]), "{row}");
    }
    let refused = rows.as_array().unwrap().last().unwrap();
    assert!(refused[2].as_str().unwrap().contains("error"), "{refused}");

    let sums = |selector: &str| {
        browser.run(&format!(
            "return Object.fromEntries([...document.querySelectorAll({selector:?})].map((sum) => \
             [sum.lastChild.innerText, Number(sum.firstChild.innerText)]))"
        ))
    };
    let (all, labelled) = (sums("#sums .sum"), sums("#labelled .sum"));
    for key in ["positive", "negative", "inconclusive"] {
        assert_eq!(all[key], summary["summary"][key], "{key}");
    }
    assert_eq!(all["errors"], 1);
    for key in ["TP", "FP", "TN", "FN", "inconclusive"] {
        assert_eq!(labelled[key], summary["summary"]["labelled"][key], "{key}");
    }
    assert!(browser.text("main").contains("Sensitivity 3 of 3, 100 %"));

    // The table survives a change of view, and the exported file has the same rows without formulas.
    browser.click("nav a[href='#/device']");
    browser.click("nav a[href='#/upload']");
    let table = browser.run(
        "return (async () => { const { csv } = await import('/page/upload.js'); \
         return csv([{ name: '=a/Im001_1.png', result: { verdict: 'Negative', probability: 0.25, reason: 'a \"b\", c' } }]); })()",
    );
    let line = table.as_str().unwrap().lines().nth(1).unwrap().to_owned();
    assert!(
        line.starts_with("'=a/Im001_1.png,1,Negative,0.25,,,,FN,\"a \"\"b\"\", c\","),
        "{line}"
    );
    let count = browser.run("return document.querySelectorAll('tbody tr').length");
    assert_eq!(count.as_u64(), Some(images.len() as u64 + 1));
    browser.check(&served.url, &["/v1/classify"]);
}

#[test]
fn the_work_for_an_uploaded_image_does_not_grow_with_the_number_of_images() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let served = Served::start("");
    browser.open(&format!("{}/#/upload", served.url));
    browser.until("document.querySelector('#files')");
    // The page's own work: the answers are made up, and nothing is sent.
    browser.run(
        "const answer = JSON.stringify({ verdict: 'Positive', probability: 0.9, reason: null, hint: null });
         window.fetch = async () => new Response(answer);
         window.drawn = 0;
         new MutationObserver((changes) => changes.forEach(({ addedNodes }) => (window.drawn += addedNodes.length)))
             .observe(document.querySelector('tbody'), { childList: true });
         const files = new DataTransfer();
         for (let n = 0; n < 300; n += 1) files.items.add(new File(['x'], `Im${n}_1.jpg`));
         const input = document.querySelector('#files');
         input.files = files.files;
         input.dispatchEvent(new Event('change'));",
    );
    browser.until("document.querySelector('main [role=status]').innerText === '300 of 300 files done; finished.'");
    // A row is drawn when its page is turned to, while the image is analysed, and with its verdict.
    let drawn = browser.run("return window.drawn");
    assert!((600..=900).contains(&drawn.as_u64().unwrap()), "{drawn}");
    assert_eq!(browser.text("tbody tr:first-child th"), "Im200_1.jpg");
    browser.run("[...document.querySelectorAll('main button')].find(({ innerText }) => innerText === 'Earlier').click()");
    assert_eq!(
        browser.run("return document.querySelectorAll('tbody .badge').length"),
        200
    );
    assert!(browser.text("main").contains("Sensitivity 300 of 300"));
    browser.check(&served.url, &[]);
}

#[test]
fn uploads_go_on_after_an_outage_and_after_the_page_was_loaded_again() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let said = |start: &str| {
        browser.until(&format!(
            "document.querySelector('main [role=status]')?.innerText.startsWith({start:?})"
        ));
    };
    let verdicts = || browser.run("return document.querySelectorAll('tbody .badge').length");
    let served = Served::start("").ready();
    let url = served.url.clone();
    let view = format!("{url}/#/upload");
    browser.open(&view);
    browser.until("document.querySelector('#files')");
    served.end();
    let images = demo_fields();
    browser.choose("#files", &images[..2]);
    said("0 of 2 files done. Paused: the appliance does not answer.");
    let address = url.strip_prefix("http://").unwrap();
    let served = Served::start(&format!("listen = {address:?}\n")).ready();
    said("2 of 2 files done; finished.");

    // The page is closed while an image is being sent.
    browser.run("window.fetch = () => new Promise(() => {})");
    browser.choose("#files", &images[2..3]);
    browser.until("document.querySelector('tbody').innerText.includes('analysing')");
    browser.open("about:blank");
    browser.open(&view);
    said("2 of 3 files done; 1 not sent");
    assert_eq!(verdicts(), 2);
    assert!(
        browser
            .text("tbody tr:last-child")
            .contains("choose this image again")
    );
    // All three are to be stored now, also the two that were not at first.
    browser.click("#keep");
    browser.choose("#files", &images[..3]);
    said("5 of 5 files done; finished.");
    assert_eq!(verdicts(), 5);
    assert_eq!(sources(&served), names(&images[..3]));

    browser.choose("#files", &images[3..4]);
    said("6 of 6 files done; finished.");
    assert_eq!(sources(&served), names(&images[..4]));
    browser.check(&url, &["beforeunload", "ERR_", "503"]);
}

/// The file names of images, sorted.
fn names(images: &[PathBuf]) -> Vec<String> {
    let name = |image: &PathBuf| image.file_name().unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<_> = images.iter().map(name).collect();
    names.sort();
    names
}

/// The names with which images are recorded, sorted.
fn sources(served: &Served) -> Vec<String> {
    let slides = served.get("/v1/slides").json();
    let source = |slide: &Value| {
        let slide = served.get(&format!("/v1/slides/{}", slide["id"].as_str().unwrap()));
        let source = &slide.json()["fields"][0]["source"];
        source.as_str().unwrap().to_owned()
    };
    let mut sources: Vec<_> = slides["slides"]
        .as_array()
        .unwrap()
        .iter()
        .map(source)
        .collect();
    sources.sort();
    sources
}

/// Lets the page send its images to `classify`, an asynchronous function in JavaScript, instead of the appliance.
fn instead_of_classify(browser: &Browser, classify: &str) {
    browser.run(&format!(
        "const real = window.fetch;
         window.sent = 0;
         window.answer = () => new Response('{{\"verdict\": \"Positive\", \"probability\": 0.9}}');
         window.fetch = async (path, options) => {{
             if (!String(path).startsWith('/v1/classify')) return real(path, options);
             window.sent += 1;
             return ({classify})();
         }};
         window.choose = (...files) => {{
             const chosen = new DataTransfer();
             for (const [name, content] of files) chosen.items.add(new File([content], name, {{ lastModified: 1 }}));
             const input = document.querySelector('#files');
             input.files = chosen.files;
             input.dispatchEvent(new Event('change'));
         }};"
    ));
}

#[test]
fn an_image_is_told_by_more_than_its_name_and_what_may_be_stored_is_not_sent_again() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let served = Served::start("");
    let view = format!("{}/#/upload", served.url);
    let open = || {
        browser.open("about:blank");
        browser.open(&view);
        browser.until("document.querySelector('#files')");
    };
    let said = |text: &str| {
        browser.until(&format!(
            "document.querySelector('main [role=status]').innerText.startsWith({text:?})"
        ));
    };
    open();
    instead_of_classify(&browser, "() => new Promise(() => {})");
    browser.run("choose(['x.jpg', '1'], ['y.jpg', '1'])");
    browser.until("document.querySelector('tbody').innerText.includes('analysing')");
    open();
    said("0 of 2 files done; 2 not sent");

    instead_of_classify(&browser, "async () => (await window.gate, window.answer())");
    browser.run("window.gate = new Promise((resolve) => (window.pass = resolve))");
    browser.run("choose(['x.jpg', 'other'], ['y.jpg', '1'])");
    said("0 of 3 files done");
    // Chosen while another is sent, it is neither skipped nor taken for the one of its name.
    browser.run("choose(['x.jpg', '1'], ['y.jpg', '1'])");
    assert_eq!(
        browser.text(".drop [aria-live]"),
        "1 file passed over. 1 already in the list: y.jpg."
    );
    browser.run("window.pass()");
    said("3 of 3 files done; finished.");
    assert_eq!(browser.run("return window.sent"), 3);

    instead_of_classify(&browser, "async () => { throw new TypeError('it broke'); }");
    browser.click("#keep");
    browser.run("choose(['z.jpg', '1'])");
    said("4 of 4 files done; finished.");
    let doubt = || browser.text("tbody tr:last-child");
    assert!(doubt().contains("perhaps stored"), "{}", doubt());
    assert_eq!(browser.run("return window.sent"), 1);
    let hidden = browser.run(
        "return [...document.querySelectorAll('main button')].find(({ textContent }) => textContent.startsWith('Retry')).hidden",
    );
    assert_eq!(hidden, true);
    open();
    said("4 of 4 files done; finished.");
    assert!(doubt().contains("perhaps stored"), "{}", doubt());
    browser.check(&served.url, &["beforeunload", "ERR_"]);
}

#[test]
fn an_appliance_that_hangs_is_noticed_within_seconds() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let served = Served::start("").ready();
    browser.open(&served.url);
    browser.until(CONNECTED);
    browser.click("#capture");
    browser.until("document.querySelector('.verdict .badge')");
    let silence = browser.run("return (async () => (await import('/page/bench.js')).SILENCE)()");
    assert_eq!(silence, 5_000);
    served.signal(Signal::STOP);
    browser.until("!document.querySelector('#lost').hidden");
    assert_eq!(
        browser.run("return document.querySelectorAll('main .badge').length"),
        0
    );
    served.signal(Signal::CONT);
    browser.until(CONNECTED);
    browser.until("document.querySelector('.verdict .badge')");
    browser.check(&served.url, &["ERR_", "503"]);
}

#[test]
fn labels_are_read_as_the_command_line_reads_them() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let served = Served::start("");
    browser.open(&format!("{}/#/device", served.url));
    let names = [
        "Im006_1.jpg",
        "Im035_0.jpg",
        "IM011_1.JPG",
        "a/Im035_0.png",
        "Im035_1",
        "capture_1.jpg",
        "field01_1.jpg",
        "Im005__1.jpg",
        "Im003_1 (1).jpg",
        "Im004_1_rot90.jpg",
        "Im004_1.tar.gz",
        "Im035.jpg",
        "Im_1.jpg",
        "1.jpg",
    ];
    let labels = browser.run(&format!(
        "return (async () => {{ const {{ label }} = await import('/page/upload.js'); return {names:?}.map(label); }})()",
    ));
    let expected = names.map(|name| all_idb_label(Path::new(name)));
    assert_eq!(expected.iter().flatten().count(), 5);
    assert_eq!(labels, serde_json::json!(expected));
    browser.check(&served.url, &[]);
}

#[test]
fn a_token_opens_the_page_is_kept_in_the_tab_and_allows_what_its_role_does() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let served = Served::start("access = \"token\"\n");
    let (viewer, operator) = (served.token("viewer"), served.token("operator"));
    browser.open(&served.url);
    browser.until("document.querySelector('#login').open");
    assert_eq!(browser.run("return document.activeElement.id"), "token");
    assert_eq!(
        browser.run("return document.querySelectorAll('main .badge').length"),
        0
    );
    browser.enter("#token", "AAAA");
    browser.click("#login button");
    browser.until("document.querySelector('#login-problem').innerText.includes('unknown token')");
    browser.run("document.querySelector('#token').value = ''");
    // With the screen's hyphens, and as people type it.
    browser.enter("#token", &viewer.replace('-', " ").to_lowercase());
    browser.click("#login button");
    browser.until(CONNECTED);
    browser.click("#capture");
    browser.until("document.querySelector('.answer').innerText.includes('may only view')");

    let kept = browser.run("return [location.href, JSON.stringify(localStorage), document.cookie]");
    assert_eq!(
        kept,
        serde_json::json!([format!("{}/", served.url), "{}", ""])
    );
    browser.click("nav a[href='#/device']");
    browser.until("document.querySelector('main').innerText.includes('Forget the token')");
    browser.run("[...document.querySelectorAll('main button')].find((b) => b.innerText === 'Forget the token').click()");
    browser.until("document.querySelector('#login').open");
    assert_eq!(browser.run("return sessionStorage.length"), 0);
    browser.enter("#token", &operator);
    browser.click("#login button");
    browser.until("!document.querySelector('#login').open");
    browser.click("nav a[href='#/live']");
    browser.until(CONNECTED);
    browser.click("#capture");
    browser.until("document.querySelector('.verdict .badge')");

    // The QR code on the screen is such a link; its token does not stay in the address.
    browser.run("sessionStorage.clear()");
    browser.open("about:blank");
    browser.open(&format!("{}/#{}", served.url, operator.replace('-', "")));
    browser.until(CONNECTED);
    assert_eq!(
        browser.run("return location.href"),
        format!("{}/#/live", served.url)
    );
    browser.check(&served.url, &["401", "403"]);
}

#[test]
fn turning_the_focus_shows_its_effect() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let fields = tempfile::tempdir().unwrap();
    let sharp = image::open(&demo_fields()[0]).unwrap();
    let soft = sharp.blur(0.01 * sharp.width() as f32);
    soft.save(fields.path().join("1.png")).unwrap();
    sharp.save(fields.path().join("2.png")).unwrap();
    let served = Served::start_with("", "", fields.path()).ready();
    browser.open(&served.url);
    browser.until("document.querySelector('.preview img')?.naturalWidth > 0");
    browser.until(
        "document.querySelector('.warning').innerText === 'out of focus: turn the fine focus'",
    );
    let names = browser.run(
        "return [...document.querySelectorAll('.watched .figure .name')].map((name) => name.innerText)",
    );
    assert_eq!(
        names,
        serde_json::json!(["Focus", "Brightness", "Clipped pixels", "Evenness of light"])
    );
    browser.until(CONNECTED);
    browser.click("#capture");
    browser.until("document.querySelector('.verdict .badge')?.innerText.includes('INCONCLUSIVE')");
    browser.until("document.querySelector('.warning').innerText === ''");
    assert_eq!(
        browser.run("return document.querySelectorAll('.watched .failed').length"),
        0
    );
    browser.check(&served.url, &[]);
}

#[test]
fn the_live_picture_is_zoomed_to_its_pixels_and_only_that_region_is_sent() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let fields = tempfile::tempdir().unwrap();
    let field = image::open(&demo_fields()[0]).unwrap().to_rgb8();
    let field = resize(&field, 2560, 1920, FilterType::CatmullRom);
    field.save(fields.path().join("1.png")).unwrap();
    let served = Served::start_with("", "", fields.path()).ready();
    browser.look(1280, 1000, "light");
    browser.open(&served.url);
    browser.until("document.querySelector('.preview img')?.naturalWidth > 0");
    browser.run(
        "const real = window.fetch; window.asked = []; \
         window.fetch = (path, options) => { if (String(path).includes('snapshot')) asked.push(path.split('region=')[1] ?? ''); return real(path, options); }",
    );
    let region = |condition: &str| {
        browser.until(&format!(
            "(([x, y, width, height]) => {condition})(asked.at(-1)?.split(',').map(Number) ?? [])"
        ));
        let asked = browser.run("return asked.at(-1).split(',').map(Number)");
        [0, 1, 2, 3].map(|index| asked[index].as_u64().unwrap())
    };
    let width = browser.run("return document.querySelector('.preview img').naturalWidth");
    assert_eq!(width, 800, "all of it, reduced");
    browser.click(".enlarge");
    browser.until("document.querySelector('.tools').innerText.includes('reduced')");
    browser.click(".tools [aria-label^='1:1']");
    let [x, y, across, down] = region("width > 0 && width <= 800");
    assert!((2 * x + across).abs_diff(2560) <= 2, "in the middle: {x}");
    browser.until(&format!(
        "document.querySelector('.preview img').naturalWidth === {across} \
         && document.querySelector('.tools').innerText.includes('full resolution')"
    ));
    // What is shown are the pixels of that region.
    let snapshot = served.get(&format!(
        "/v1/camera/snapshot?region={x},{y},{across},{down}"
    ));
    let [left, top, width, height] = [x, y, across, down].map(|length| length as u32);
    let pixels = crop_imm(&field, left, top, width, height).to_image();
    assert_shows(&snapshot.body, &pixels);
    let key = |key: &str| {
        browser.run(&format!(
            "document.querySelector('.preview .frame').dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}', bubbles: true, cancelable: true }}))"
        ));
    };
    key("ArrowRight");
    let moved = region(&format!("x > {x}"));
    assert_eq!((moved[1], moved[2], moved[3]), (y, across, down));
    browser.drag(".preview .frame", [300.0, 200.0], [100.0, 60.0]);
    region(&format!("x === {} && y === {}", moved[0] - 100, y - 60));
    key("+");
    region(&format!("width < {across}"));
    key("0");
    browser.until(
        "asked.at(-1) === '' && document.querySelector('.preview img').naturalWidth === 800",
    );
    key("-");
    browser.click(".enlarge");
    browser.until("!document.querySelector('.preview.large') && document.querySelector('.preview .frame').tabIndex === -1");
    browser.check(&served.url, &[]);
}

#[test]
fn focus_peaking_paints_sharp_edges_and_neither_soft_ones_nor_flat_ground() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let fields = tempfile::tempdir().unwrap();
    // Two equal discs on grainy ground, the right one out of focus.
    let radius = |x: u32, y: u32, centre: f64| (f64::from(x) - centre).hypot(f64::from(y) - 240.0);
    let sharp = RgbImage::from_fn(640, 480, |x, y| {
        let is_disc = radius(x, y, 160.0) < 60.0 || radius(x, y, 480.0) < 60.0;
        Rgb(if is_disc { [150, 110, 160] } else { [228; 3] })
    });
    let soft = blur(&sharp, 4.0);
    let field = RgbImage::from_fn(640, 480, |x, y| {
        let source = if x < 320 { &sharp } else { &soft };
        let grain = (x * 7919 + y * 104_729) % 9;
        Rgb(source
            .get_pixel(x, y)
            .0
            .map(|sample| sample - 4 + grain as u8))
    });
    field.save(fields.path().join("1.png")).unwrap();
    let served = Served::start_with("", "", fields.path()).ready();
    browser.open(&served.url);
    browser.until("document.querySelector('.preview img')?.naturalWidth > 0");
    browser.click(".enlarge");
    let canvas = "document.querySelector('.preview canvas')";
    assert_eq!(browser.run(&format!("return {canvas}.hidden")), true);
    browser.click(".tools input");
    browser.until(&format!("!{canvas}.hidden && {canvas}.width === 640"));
    let painted = browser.run(&format!(
        "const canvas = {canvas}; const {{ data }} = canvas.getContext('2d').getImageData(0, 0, 640, 480); \
         const painted = []; for (let i = 0; i < 640 * 480; i += 1) if (data[4 * i + 3] > 0) painted.push([i % 640, Math.floor(i / 640)]); \
         return painted"
    ));
    let painted: Vec<_> = painted
        .as_array()
        .unwrap()
        .iter()
        .map(|place| {
            let [x, y] = [0, 1].map(|index| place[index].as_u64().unwrap() as u32);
            radius(x, y, 160.0)
        })
        .collect();
    // The circle is 377 pixels long.
    assert!(painted.len() > 377, "{}", painted.len());
    for distance in painted {
        assert!((57.0..63.0).contains(&distance), "{distance}");
    }
    browser.photograph(&pictures().join("peaking.png"));
    browser.check(&served.url, &[]);
}

#[test]
fn slides_are_listed_shown_and_exported() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let served = Served::start("").ready();
    browser.open(&served.url);
    for fields in 1..=2 {
        browser.until(CONNECTED);
        browser.click("#capture");
        browser.until(&format!(
            "document.querySelectorAll('.row').length === {fields}"
        ));
    }
    browser.until("!document.querySelector('#next').disabled");
    browser.click("#next");
    browser.until("document.querySelector('#fields-title').innerText === 'Fields of slide 2'");
    browser.until(CONNECTED);
    browser.click("#capture");
    browser.until("document.querySelector('.place')?.innerText.startsWith('Slide 2 · 1 field')");

    browser.click("nav a[href='#/slides']");
    browser.until("document.querySelectorAll('main .row').length === 2");
    let slides = served.get("/v1/slides").json()["slides"].clone();
    let badges = "return [...document.querySelectorAll('main .row .badge')].map((badge) => badge.lastChild.textContent)";
    let verdicts: Vec<_> = slides
        .as_array()
        .unwrap()
        .iter()
        .map(|slide| slide["standing"]["verdict"].clone())
        .collect();
    assert_eq!(browser.run(badges), Value::Array(verdicts.clone()));
    for verdict in ["Positive", "Negative", "Inconclusive"] {
        let count = verdicts.iter().filter(|one| **one == verdict).count();
        browser.run(&format!(
            "const choice = document.querySelector('main select'); choice.value = '{verdict}'; choice.dispatchEvent(new Event('input'))"
        ));
        browser.until(&format!(
            "document.querySelectorAll('main .row').length === {count} && \
             [...document.querySelectorAll('main .row .badge')].every((badge) => badge.lastChild.textContent === '{verdict}')"
        ));
    }
    browser.run(
        "const choice = document.querySelector('main select'); choice.value = ''; choice.dispatchEvent(new Event('input'))",
    );
    // Dates use the browser's time zone.
    let choose = |input: usize, days: i32| {
        browser.run(&format!(
            "const day = new Date(); day.setDate(day.getDate() + {days}); \
             const input = document.querySelectorAll('main input[type=date]')[{input}]; \
             input.value = [day.getFullYear(), day.getMonth() + 1, day.getDate()].map((part) => String(part).padStart(2, '0')).join('-'); \
             input.dispatchEvent(new Event('input'))"
        ));
    };
    for (since, until, count) in [(1, 1, 0), (0, 0, 2), (-1, -1, 0), (-1, 0, 2)] {
        choose(0, since);
        choose(1, until);
        browser.until(&format!(
            "document.querySelector('main [role=status]').innerText === '{count} slides' && \
             document.querySelectorAll('main .row').length === {count}"
        ));
    }

    browser.click("main li:last-child .row");
    browser.until("document.querySelectorAll('main ol .row').length === 2");
    browser.click("main ol li:first-child .row");
    browser.until("document.querySelectorAll('main .stack img').length === 2");
    browser.until("[...document.querySelectorAll('main .stack img')].every((image) => image.naturalWidth > 0)");
    let opacity = browser.run(
        "const slider = document.querySelector('main input[type=range]'); slider.value = 100; \
         slider.dispatchEvent(new Event('input')); return document.querySelector('main .above').style.opacity",
    );
    assert_eq!(opacity, "1");
    browser.run("history.back()");
    browser.until("document.querySelectorAll('main ol .row').length === 2");

    browser.enter("#note", "Found in the feathered edge; <b>look</b> again.");
    browser.click("form button");
    browser.until("document.querySelectorAll('.notes p').length === 1");
    let note = "Found in the feathered edge; <b>look</b> again.";
    assert_eq!(browser.text(".notes p"), note);
    let id = slides[1]["id"].as_str().unwrap();
    let written = served.get(&format!("/v1/slides/{id}")).json()["notes"].clone();
    assert_eq!(
        (&written[0]["text"], &written[1]),
        (&note.into(), &Value::Null)
    );

    browser.run(
        "window.saved = []; const make = URL.createObjectURL; \
         URL.createObjectURL = (blob) => { saved.push(blob); return make.call(URL, blob); }",
    );
    for (number, format) in ["csv", "json", "zip"].into_iter().enumerate() {
        let expected = served.get(&format!("/v1/records/export?format={format}&slide={id}"));
        assert_eq!(expected.status, 200);
        browser.click(&format!("main .buttons button:nth-of-type({})", number + 1));
        browser.until(&format!("saved.length === {}", number + 1));
        if format == "zip" {
            // Each archive has other timestamps.
            let size = browser.run(&format!("return saved[{number}].size"));
            assert_eq!(size.as_u64(), Some(expected.body.len() as u64));
        } else {
            let text = browser.run(&format!("return saved[{number}].text()"));
            assert_eq!(text.as_str().unwrap().as_bytes(), expected.body, "{format}");
        }
    }
    browser.check(&served.url, &[]);
}

#[test]
fn images_are_dropped_chosen_by_the_folder_and_wait_where_others_do() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let served = Served::start("analyses = 1\nqueue = 0\n").ready();
    browser.open(&format!("{}/#/upload", served.url));
    browser.until("document.querySelector('.drop')");
    // A request without a body occupies the only place.
    let slow = served.occupy();
    let field = &demo_fields()[0];
    let bytes = data_encoding::BASE64.encode(&std::fs::read(field).unwrap());
    browser.run(&format!(
        "const bytes = Uint8Array.from(atob('{bytes}'), (letter) => letter.charCodeAt(0)); \
         const dataTransfer = new DataTransfer(); dataTransfer.items.add(new File([bytes], 'dropped_1.jpg')); \
         document.querySelector('.drop').dispatchEvent(new DragEvent('drop', {{ dataTransfer, cancelable: true }}))"
    ));
    browser.until(
        "document.querySelector('main [role=status]')?.innerText.includes('the queue is full')",
    );
    drop(slow);
    browser.until(
        "document.querySelector('main [role=status]').innerText === '1 of 1 file done; finished.'",
    );

    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(field, folder.path().join("in_folder_1.jpg")).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "no image").unwrap();
    browser.enter(
        "#folder",
        folder.path().canonicalize().unwrap().to_str().unwrap(),
    );
    browser.until(
        "document.querySelector('main [role=status]').innerText === '2 of 2 files done; finished.'",
    );
    let rows = browser.run(
        "return [...document.querySelectorAll('tbody tr')].map((row) => [...row.children].slice(1, 5).map((cell) => cell.innerText))",
    );
    assert_eq!(rows[0], rows[1], "the same picture");
    let name = browser.text("tbody tr:last-child th");
    assert!(name.ends_with("/in_folder_1.jpg"), "{name}");
    let omitted = browser.text(".drop [aria-live]");
    assert!(
        omitted.starts_with("1 file passed over. 1 not an image by its name: ")
            && omitted.ends_with("/notes.txt."),
        "{omitted}"
    );
    browser.check(&served.url, &["429"]);
}

#[test]
fn every_view_fits_a_phone_and_a_desk_in_both_themes() {
    let Some(browser) = Browser::start() else {
        return;
    };
    // The verdict stays on the page while all views are visited.
    let timing = "[timing]\nselftest_s = 0.1\nhold_s = 600\n";
    let served = Served::start_with("", timing, &root().join("hardware/fields")).ready();
    browser.open(&served.url);
    browser.until(CONNECTED);
    for fields in 1..=3 {
        browser.until(CONNECTED);
        browser.click("#capture");
        browser.until(&format!("document.querySelectorAll('.row').length === {fields} && document.querySelector('.verdict .badge')"));
    }
    browser.click("nav a[href='#/upload']");
    let folder = tempfile::tempdir().unwrap();
    browser.choose("#files", &labelled_fields(folder.path()));
    browser.until("document.querySelector('main [role=status]').innerText.endsWith('finished.')");
    let is_audited = browser.audits();
    let views = [
        (
            "live",
            "nav a[href='#/live']",
            "document.querySelector('.verdict .badge') && document.querySelector('.preview img')?.naturalWidth > 0 \
             && document.querySelector('.watched .figure')",
        ),
        (
            "large",
            ".enlarge",
            "document.querySelector('.preview.large img')?.naturalWidth > 0",
        ),
        ("off", "#off", "document.querySelector('#confirm').open"),
        (
            "slides",
            "nav a[href='#/slides']",
            "document.querySelector('main ul .row')",
        ),
        (
            "slide",
            "main ul .row",
            "document.querySelectorAll('main ol .row').length === 3",
        ),
        (
            "field",
            "main ol .row",
            "[...document.querySelectorAll('main .stack img')].filter((image) => image.naturalWidth > 0).length === 2",
        ),
        (
            "upload",
            "nav a[href='#/upload']",
            "document.querySelector('#labelled')",
        ),
        (
            "device",
            "nav a[href='#/device']",
            "!document.querySelector('main').innerText.includes('Loading')",
        ),
        (
            "micrometer",
            "[aria-labelledby=camera-title] button:nth-of-type(2)",
            "document.querySelector('.micrometer .preview img')?.naturalWidth > 0",
        ),
    ];
    for theme in ["light", "dark"] {
        for (width, height) in [(1280, 800), (390, 844)] {
            browser.look(width, height, theme);
            for (view, link, is_there) in views {
                browser.click(link);
                browser.until(is_there);
                let excess =
                    browser.run("return document.documentElement.scrollWidth - innerWidth");
                assert!(excess.as_i64() <= Some(0), "{view} at {width}: {excess}");
                let notice = browser.run(
                    "scrollTo(0, document.body.scrollHeight); \
                     const { top, bottom } = document.querySelector('#notice').getBoundingClientRect(); \
                     return top >= 0 && bottom <= innerHeight && document.querySelector('#demo').innerText.length > 0",
                );
                assert_eq!(notice, true, "the notice is in sight: {view} at {width}");
                browser.run("scrollTo(0, 0)");
                if view == "live" {
                    let moved = browser.run(BUTTONS_MOVE).as_f64().unwrap();
                    assert!(moved.abs() < 1.0, "by {moved} at {width}");
                }
                browser.photograph(&pictures().join(format!("{view}-{width}-{theme}.png")));
                if is_audited {
                    browser.audit(&format!("{view} at {width}, {theme}"));
                }
                browser.run(
                    "document.querySelectorAll('dialog[open]').forEach((dialog) => dialog.close())",
                );
            }
        }
    }
    browser.check(&served.url, &[]);
}

#[test]
fn a_counted_slide_is_seen_cell_by_cell() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let fields = tempfile::tempdir().unwrap();
    panorama_fields(fields.path());
    let more = format!(
        "[timing]\nselftest_s = 0.1\nhold_s = 600\n[camera]\num_per_pixel = {PANORAMA_UM_PER_PIXEL}\n\
         [model]\nengine = \"embedded\"\nfolder = {:?}\n",
        cells_model()
    );
    let served = Served::start_with("", &more, fields.path()).ready();
    browser.open(&served.url);
    browser.look(390, 844, "light");
    for fields in 1..=2 {
        browser.until(CONNECTED);
        // The space bar captures.
        browser.run("document.dispatchEvent(new KeyboardEvent('keydown', { key: ' ', code: 'Space', bubbles: true }))");
        browser.until(&format!(
            "document.querySelectorAll('.row').length === {fields} && document.querySelector('.verdict .badge')"
        ));
    }
    let slides = served.get("/v1/slides").json();
    let slide = &slides["slides"][0];
    let words = slide["standing"]["count"]["words"].as_str().unwrap();
    assert_eq!(browser.text("main .count"), words);
    let rule = browser.text(".measures p").to_lowercase();
    let shown = smearscope(["model", "show"])
        .arg(cells_model())
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains(rule.trim_end_matches('.')),
        "{rule}: {shown}"
    );
    let in_sight = browser.run(
        "scrollTo(0, 0); return ['.verdict .badge', 'main .count'].every((part) => { \
         const { top, bottom } = document.querySelector(part).getBoundingClientRect(); return top >= 0 && bottom <= innerHeight; })",
    );
    assert_eq!(in_sight, true, "without scrolling on a phone");
    browser.photograph(&pictures().join("cells-live-390.png"));

    // Beside the verdict stands the picture that was judged, with its cells.
    browser.look(1440, 900, "light");
    let id = slide["id"].as_str().unwrap();
    let recorded = served.get(&format!("/v1/slides/{id}")).json();
    let last = recorded["fields"][1]["id"].as_str().unwrap();
    let cells = served.get(&format!("/v1/fields/{last}")).json()["cells"].clone();
    let cells = cells.as_array().unwrap();
    browser.until(&format!(
        "document.querySelectorAll('.judged .marks .mark').length === {}",
        cells.len()
    ));
    browser.until("document.querySelector('.gallery-card .tile')");
    browser.photograph(&pictures().join("cells-live-1440.png"));
    let is_seen = browser.run(
        "scrollTo(0, 0); return document.querySelector('.gallery-card .tile').getBoundingClientRect().top < innerHeight",
    );
    assert_eq!(is_seen, true, "the first row of the gallery");

    // Its first cell leads to its place in the field, under an address of its own.
    browser.click(".gallery-card .tile");
    browser.until(&format!(
        "location.hash.startsWith('#/fields/{last}/cells/') && document.querySelector('main .marks .mark.selected')"
    ));
    browser.photograph(&pictures().join("cells-field-1440.png"));
    let address = browser.run("return location.hash");
    browser.run(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true }))",
    );
    browser.until(&format!("location.hash !== {address}"));
    // The other field of the slide.
    browser.run(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }))",
    );
    let first = recorded["fields"][0]["id"].as_str().unwrap();
    browser.until(&format!("location.hash === '#/fields/{first}'"));

    // The slide's gallery has each cell once.
    browser.run(&format!("location.hash = '#/slides/{id}'"));
    let gallery = served.get(&format!("/v1/slides/{id}/cells")).json();
    browser.until(&format!(
        "document.querySelectorAll('.tile').length === {}",
        gallery["total"]
    ));
    browser.photograph(&pictures().join("cells-slide-1440.png"));
    if browser.audits() {
        browser.audit("a counted slide");
    }
    browser.check(&served.url, &[]);
}

/// Pictures of the page for visual inspection, in the build output.
fn pictures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/page")
}
