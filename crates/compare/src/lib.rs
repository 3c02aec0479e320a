//! One message in every draft, octet by octet.
