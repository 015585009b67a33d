-- When and why slides were closed. A closed slide gets no more fields. Earlier versions recorded no closings.

CREATE TABLE closings (
    seq       INTEGER PRIMARY KEY,
    body      TEXT NOT NULL,
    previous  TEXT NOT NULL,
    hash      TEXT NOT NULL UNIQUE,
    slide     TEXT NOT NULL UNIQUE AS (body ->> '$.slide') REFERENCES slides (id),
    closed_at TEXT NOT NULL AS (body ->> '$.closed_at'),
    reason    TEXT NOT NULL AS (body ->> '$.reason')
) STRICT;

CREATE TRIGGER closings_stay BEFORE UPDATE ON closings BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
CREATE TRIGGER closings_remain BEFORE DELETE ON closings BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;

DROP VIEW chain;

CREATE VIEW chain AS
    SELECT seq, 'slide' AS kind, body, previous, hash FROM slides
    UNION ALL SELECT seq, 'field', body, previous, hash FROM fields
    UNION ALL SELECT seq, 'export', body, previous, hash FROM exports
    UNION ALL SELECT seq, 'removal', body, previous, hash FROM removals
    UNION ALL SELECT seq, 'note', body, previous, hash FROM notes
    UNION ALL SELECT seq, 'closing', body, previous, hash FROM closings;
