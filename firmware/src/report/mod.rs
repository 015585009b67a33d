//! JSON that the command line, HTTP and MQTT share.

pub(crate) mod answer;
pub(crate) mod decision_limits;
pub(crate) mod diagnosis;
pub(crate) mod finding;
pub(crate) mod models;
pub(crate) mod picture;
pub(crate) mod state;
