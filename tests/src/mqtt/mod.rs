//! What brokers receive.

mod brokers;
