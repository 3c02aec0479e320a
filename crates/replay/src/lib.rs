//! Replay of archived exchanges against codecs, servers and clients.
