-- The cells of fields, for fields whose cells were looked at: they are apart from the fields, so that lists of fields stay
-- fast.

CREATE TABLE cells (
    seq      INTEGER PRIMARY KEY,
    body     TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash     TEXT NOT NULL UNIQUE,
    field    TEXT NOT NULL UNIQUE AS (body ->> '$.field') REFERENCES fields (id)
) STRICT;

CREATE TRIGGER cells_stay BEFORE UPDATE ON cells BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
CREATE TRIGGER cells_remain BEFORE DELETE ON cells BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;

DROP VIEW chain;

CREATE VIEW chain AS
    SELECT seq, 'slide' AS kind, body, previous, hash FROM slides
    UNION ALL SELECT seq, 'field', body, previous, hash FROM fields
    UNION ALL SELECT seq, 'export', body, previous, hash FROM exports
    UNION ALL SELECT seq, 'removal', body, previous, hash FROM removals
    UNION ALL SELECT seq, 'note', body, previous, hash FROM notes
    UNION ALL SELECT seq, 'closing', body, previous, hash FROM closings
    UNION ALL SELECT seq, 'cells', body, previous, hash FROM cells;
