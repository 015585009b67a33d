//! The HTTP API and the web page.
//!
//! - `server`: listens and serves connections; `connections`: how many; `pace`: how slow they may be
//! - `memory`: gives back what a flood of requests took
//! - `peer`: the client of a connection
//! - `router`: routes, limits, time-outs and the layers that every request passes
//! - `context`: what handlers can ask for as axum state
//! - `access`, `tokens`: authentication and authorization; `tls`, `certificate`, `machine`: encryption
//! - `headers`: security and cache headers of responses
//! - `problem`, `problem_responses`: errors as RFC 9457 problem details, and their descriptions
//! - `health`, `device`, `models`, `log_tail`: the appliance and its state
//! - `button`: remote button presses
//! - `viewfinder`, `region`: the live picture
//! - `events`: server-sent events
//! - `metrics`: metrics for Prometheus
//! - `records`, `cells`, `notes`, `export`: recorded slides, fields and cells
//! - `classify`, `inference`, `upload`: uploaded images
//! - `openapi`, `binary`: the OpenAPI document
//! - `page`: the web page's files
//! - `blocking`: file and database work outside the event loop

mod access;
mod binary;
mod blocking;
mod button;
mod calibration;
mod camera;
mod cells;
pub(crate) mod certificate;
mod classify;
mod connections;
mod context;
mod device;
mod drift;
mod events;
mod export;
mod headers;
mod health;
mod inference;
mod log_tail;
mod machine;
mod memory;
mod metrics;
mod models;
mod notes;
mod openapi;
mod pace;
mod page;
mod peer;
mod problem;
mod problem_responses;
mod records;
mod region;
mod router;
mod server;
mod tls;
pub(crate) mod tokens;
pub(crate) mod upload;
mod viewfinder;

pub(crate) use server::Server;
