//! What handlers can ask for as axum state.
//!
//! A handler takes the parts that it needs, for example `State<Arc<Config>>`, and does not import this module.

use std::sync::Arc;

use axum::extract::FromRef;

use crate::analysis::pool::Pool;
use crate::appliance::handle::ApplianceHandle;
use crate::config::Config;
use crate::http::access::Access;
use crate::http::events::Hub;
use crate::http::export::Exports;
use crate::http::metrics::Metrics;
use crate::http::upload::Uploads;
use crate::http::viewfinder::Viewfinder;
use crate::report::diagnosis::Diagnoses;
use crate::system::shutdown::Shutdown;

/// Defines the context and lets handlers extract each of its parts.
macro_rules! context {
    ($($part:ident: $kind:ty,)*) => {
        /// All parts; cloned for each request.
        #[derive(Clone)]
        pub(crate) struct Context {
            $(pub(crate) $part: $kind,)*
        }

        $(impl FromRef<Context> for $kind {
            fn from_ref(context: &Context) -> Self {
                context.$part.clone()
            }
        })*
    };
}

context! {
    config: Arc<Config>,
    handle: ApplianceHandle,
    diagnoses: Diagnoses,
    hub: Arc<Hub>,
    pool: Arc<Pool>,
    uploads: Uploads,
    exports: Arc<Exports>,
    metrics: Arc<Metrics>,
    access: Arc<Access>,
    viewfinder: Arc<Viewfinder>,
    shutdown: Shutdown,
}
