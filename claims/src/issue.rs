//! Who may issue what: the one table of authority.
