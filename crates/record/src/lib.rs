//! Recording of connections as archived exchanges.
