-- How far the fields have been delivered, by destination. Where a destination is, is no part of what was
-- recorded: this table is not in the chain, and its rows change.

CREATE TABLE deliveries (
    destination TEXT NOT NULL PRIMARY KEY,
    seq         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
