//! The HTTP API and the web page.

mod access;
mod contract;
mod device;
mod images;
mod page;
mod records;
mod viewfinder;
