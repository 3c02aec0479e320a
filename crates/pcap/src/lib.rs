//! Archived exchanges from packet captures, and back.
