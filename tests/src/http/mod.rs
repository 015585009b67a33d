//! The HTTP API and the web page.

mod access;
mod calibration;
mod contract;
mod device;
mod drift;
mod floods;
mod images;
mod page;
mod proxy;
mod records;
mod viewfinder;
