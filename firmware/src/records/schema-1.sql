-- The rows are never changed. What a row says is its `body`, JSON; the other columns are read out of
-- it, so that they cannot say something else. `seq` counts over all tables, from 1 without gaps; `hash`
-- covers `previous`, the kind of row, `seq` and `body`.

CREATE TABLE slides (
    seq        INTEGER PRIMARY KEY,
    body       TEXT NOT NULL,
    previous   TEXT NOT NULL,
    hash       TEXT NOT NULL UNIQUE,
    id         TEXT NOT NULL UNIQUE AS (body ->> '$.id'),
    number     INTEGER NOT NULL AS (body ->> '$.number'),
    started_at TEXT NOT NULL AS (body ->> '$.started_at')
) STRICT;

CREATE TABLE fields (
    seq               INTEGER PRIMARY KEY,
    body              TEXT NOT NULL,
    previous          TEXT NOT NULL,
    hash              TEXT NOT NULL UNIQUE,
    id                TEXT NOT NULL UNIQUE AS (body ->> '$.id'),
    slide             TEXT NOT NULL AS (body ->> '$.slide') REFERENCES slides (id),
    number            INTEGER NOT NULL AS (body ->> '$.number'),
    captured_at       TEXT NOT NULL AS (body ->> '$.captured_at'),
    source            TEXT NOT NULL AS (body ->> '$.source'),
    verdict           TEXT NOT NULL AS (body ->> '$.verdict'),
    reason            TEXT AS (body ->> '$.reason'),
    probability       REAL AS (body ->> '$.probability'),
    log_odds          REAL AS (body ->> '$.log_odds'),
    quality           TEXT NOT NULL AS (body ->> '$.quality'),
    slide_verdict     TEXT NOT NULL AS (body ->> '$.standing.verdict'),
    slide_probability REAL AS (body ->> '$.standing.probability'),
    model             TEXT NOT NULL AS (body ->> '$.model.name'),
    model_version     TEXT NOT NULL AS (body ->> '$.model.version'),
    model_sha256      TEXT NOT NULL AS (body ->> '$.model.manifest_sha256'),
    engine            TEXT NOT NULL AS (body ->> '$.engine.name'),
    device            TEXT NOT NULL AS (body ->> '$.engine.device'),
    image             TEXT NOT NULL AS (body ->> '$.image.path'),
    image_sha256      TEXT NOT NULL AS (body ->> '$.image.sha256'),
    overlay           TEXT AS (body ->> '$.overlay.path'),
    overlay_sha256    TEXT AS (body ->> '$.overlay.sha256')
) STRICT;

CREATE INDEX fields_by_time ON fields (captured_at);
CREATE INDEX fields_by_slide ON fields (slide);

CREATE TABLE exports (
    seq         INTEGER PRIMARY KEY,
    body        TEXT NOT NULL,
    previous    TEXT NOT NULL,
    hash        TEXT NOT NULL UNIQUE,
    field       TEXT NOT NULL AS (body ->> '$.field') REFERENCES fields (id),
    exported_at TEXT NOT NULL AS (body ->> '$.exported_at')
) STRICT;

CREATE INDEX exports_by_field ON exports (field);

CREATE TABLE removals (
    seq        INTEGER PRIMARY KEY,
    body       TEXT NOT NULL,
    previous   TEXT NOT NULL,
    hash       TEXT NOT NULL UNIQUE,
    field      TEXT NOT NULL UNIQUE AS (body ->> '$.field') REFERENCES fields (id),
    removed_at TEXT NOT NULL AS (body ->> '$.removed_at')
) STRICT;

CREATE VIEW chain AS
    SELECT seq, 'slide' AS kind, body, previous, hash FROM slides
    UNION ALL SELECT seq, 'field', body, previous, hash FROM fields
    UNION ALL SELECT seq, 'export', body, previous, hash FROM exports
    UNION ALL SELECT seq, 'removal', body, previous, hash FROM removals;

CREATE TRIGGER slides_stay BEFORE UPDATE ON slides BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
CREATE TRIGGER slides_remain BEFORE DELETE ON slides BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;
CREATE TRIGGER fields_stay BEFORE UPDATE ON fields BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
CREATE TRIGGER fields_remain BEFORE DELETE ON fields BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;
CREATE TRIGGER exports_stay BEFORE UPDATE ON exports BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
CREATE TRIGGER exports_remain BEFORE DELETE ON exports BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;
CREATE TRIGGER removals_stay BEFORE UPDATE ON removals BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
CREATE TRIGGER removals_remain BEFORE DELETE ON removals BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;
