-- Version 2: withdrawal, chase, audit and what a person accepts.
DROP INDEX bills_time;
CREATE INDEX bills_time ON bills (account, transaction_time, withdrawn_at);

ALTER TABLE windows ADD COLUMN missing INTEGER NOT NULL DEFAULT 0;
ALTER TABLE windows ADD COLUMN missing_accepted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE windows ADD COLUMN accepted_at TEXT;
ALTER TABLE windows ADD COLUMN reread_failed_at TEXT;

ALTER TABLE tails ADD COLUMN missing INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tails ADD COLUMN missing_accepted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tails ADD COLUMN accepted_at TEXT;
ALTER TABLE tails ADD COLUMN missing_from TEXT;
ALTER TABLE tails ADD COLUMN audited_at TEXT;
ALTER TABLE tails ADD COLUMN reread_at TEXT;

CREATE INDEX rejected_items_bill ON rejected_items (bill_id) WHERE bill_id IS NOT NULL;

CREATE TABLE chases (
    account         TEXT NOT NULL REFERENCES accounts (account),
    window_id       INTEGER NOT NULL,
    counts          TEXT NOT NULL DEFAULT '{}',
    counted_at      TEXT,
    state           TEXT NOT NULL DEFAULT 'pending'
                    CHECK (state IN ('pending', 'done', 'waiting', 'failed')),
    next_page       INTEGER NOT NULL DEFAULT 1,
    total_count     INTEGER,
    stored_count    INTEGER,
    attempts        INTEGER NOT NULL DEFAULT 0,
    setbacks        INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TEXT,
    last_error      TEXT,
    proved_at       TEXT,
    missing         INTEGER NOT NULL DEFAULT 0,
    missing_accepted INTEGER NOT NULL DEFAULT 0,
    accepted_at     TEXT,
    PRIMARY KEY (account, window_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE acceptances (
    acceptance_id INTEGER PRIMARY KEY,
    account       TEXT NOT NULL REFERENCES accounts (account),
    subject       TEXT NOT NULL,
    span_start    TEXT,
    span_end      TEXT,
    reason        TEXT NOT NULL,
    note          TEXT NOT NULL,
    accepted_at   TEXT NOT NULL
) STRICT;

ALTER TABLE pages ADD COLUMN bills_hash TEXT;

ALTER TABLE runs ADD COLUMN bills_withdrawn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN bills_returned INTEGER NOT NULL DEFAULT 0;
