//! The web page: files from `firmware/web`, embedded in the program.
//!
//! There is no build step. The page uses the public API with the user's token; the files themselves contain nothing
//! about the appliance and need no token.

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use smearscope_artifacts::sha256;

/// Allows resources of this server only, and images that the page makes from answers.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file of the page.
#[derive(Clone, Copy)]
struct File {
    path: &'static str,
    kind: &'static str,
    content: &'static str,
}

macro_rules! files {
    ($($kind:ident $path:literal = $name:literal,)*) => {
        &[$(File {
            path: $path,
            kind: $kind,
            content: include_str!(concat!("../../web/", $name)),
        }),*]
    };
}

const FILES: &[File] = files! {
    HTML "/" = "index.html",
    SVG "/page/icon.svg" = "icon.svg",
    CSS "/page/style.css" = "style.css",
    SCRIPT "/page/api.js" = "api.js",
    SCRIPT "/page/app.js" = "app.js",
    SCRIPT "/page/bench.js" = "bench.js",
    SCRIPT "/page/camera.js" = "camera.js",
    SCRIPT "/page/cells.js" = "cells.js",
    SCRIPT "/page/count.js" = "count.js",
    SCRIPT "/page/device.js" = "device.js",
    SCRIPT "/page/dom.js" = "dom.js",
    SCRIPT "/page/drift.js" = "drift.js",
    SCRIPT "/page/field.js" = "field.js",
    SCRIPT "/page/finder.js" = "finder.js",
    SCRIPT "/page/gallery.js" = "gallery.js",
    SCRIPT "/page/images.js" = "images.js",
    SCRIPT "/page/judged.js" = "judged.js",
    SCRIPT "/page/keys.js" = "keys.js",
    SCRIPT "/page/live.js" = "live.js",
    SCRIPT "/page/micrometer.js" = "micrometer.js",
    SCRIPT "/page/peaking.js" = "peaking.js",
    SCRIPT "/page/picture.js" = "picture.js",
    SCRIPT "/page/slides.js" = "slides.js",
    SCRIPT "/page/theme.js" = "theme.js",
    SCRIPT "/page/upload.js" = "upload.js",
    SCRIPT "/page/uploads.js" = "uploads.js",
    SCRIPT "/page/verdict.js" = "verdict.js",
    SCRIPT "/page/viewer.js" = "viewer.js",
    SCRIPT "/page/zoom.js" = "zoom.js",
};

/// Whether this path is a file of the page.
pub(crate) fn has(path: &str) -> bool {
    FILES.iter().any(|file| file.path == path)
}

/// The routes of all files.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.iter().fold(Router::new(), |router, file| {
        let file = *file;
        let tag = format!("\"{}\"", sha256(file.content.as_bytes()));
        let answer = async move |headers: HeaderMap| file.answer(&tag, &headers);
        router.route(file.path, get(answer))
    })
}

impl File {
    /// The file, or 304 if the browser has it already. Browsers ask every time, so that all files have one version.
    fn answer(self, tag: &str, request: &HeaderMap) -> Response {
        let headers: [(HeaderName, &str); 4] = [
            (CONTENT_TYPE, self.kind),
            (CONTENT_SECURITY_POLICY, POLICY),
            (CACHE_CONTROL, "no-cache"),
            (ETAG, tag),
        ];
        let is_known = request
            .get(IF_NONE_MATCH)
            .is_some_and(|known| known.as_bytes() == tag.as_bytes());
        if is_known {
            (StatusCode::NOT_MODIFIED, headers).into_response()
        } else {
            (headers, self.content).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use smearscope_artifacts::IMAGE_EXTENSIONS;

    #[test]
    fn the_page_takes_the_images_that_the_command_line_takes() {
        let list = format!("const EXTENSIONS = {IMAGE_EXTENSIONS:?};");
        assert!(
            include_str!("../../web/upload.js").contains(&list),
            "{list}"
        );
    }
}
