-- What people wrote about slides. A note is never changed: another one follows it.

CREATE TABLE notes (
    seq        INTEGER PRIMARY KEY,
    body       TEXT NOT NULL,
    previous   TEXT NOT NULL,
    hash       TEXT NOT NULL UNIQUE,
    slide      TEXT NOT NULL AS (body ->> '$.slide') REFERENCES slides (id),
    written_at TEXT NOT NULL AS (body ->> '$.written_at')
) STRICT;

CREATE INDEX notes_by_slide ON notes (slide);

CREATE TRIGGER notes_stay BEFORE UPDATE ON notes BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
CREATE TRIGGER notes_remain BEFORE DELETE ON notes BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;

DROP VIEW chain;

CREATE VIEW chain AS
    SELECT seq, 'slide' AS kind, body, previous, hash FROM slides
    UNION ALL SELECT seq, 'field', body, previous, hash FROM fields
    UNION ALL SELECT seq, 'export', body, previous, hash FROM exports
    UNION ALL SELECT seq, 'removal', body, previous, hash FROM removals
    UNION ALL SELECT seq, 'note', body, previous, hash FROM notes;
