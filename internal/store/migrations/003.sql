-- Version 3: bill notifications and cardholders.
ALTER TABLE bills ADD COLUMN notified_at TEXT;

CREATE TABLE cards (
    asset_id TEXT NOT NULL,
    account  TEXT NOT NULL REFERENCES accounts (account),
    PRIMARY KEY (asset_id, account)
) STRICT, WITHOUT ROWID;

INSERT INTO cards (asset_id, account) SELECT DISTINCT asset_id, account FROM bills WHERE asset_id IS NOT NULL AND withdrawn_at IS NULL;

CREATE TABLE inbox (
    notification_id  INTEGER PRIMARY KEY,
    account          TEXT,
    reason           TEXT NOT NULL,
    order_no         TEXT,
    bill_no          TEXT,
    transaction_time TEXT,
    asset_id         TEXT,
    last_update      TEXT,
    item_hash        TEXT NOT NULL,
    deliveries       INTEGER NOT NULL DEFAULT 1,
    sent_at          TEXT,
    received_at      TEXT NOT NULL,
    raw              TEXT NOT NULL,
    resolved_at      TEXT,
    accepted_at      TEXT,
    accepted_note    TEXT
) STRICT;

CREATE UNIQUE INDEX inbox_item ON inbox (item_hash, coalesce(account, ''));
CREATE INDEX inbox_waiting ON inbox (notification_id) WHERE resolved_at IS NULL AND accepted_at IS NULL;

CREATE TABLE cardholders (
    request_id       TEXT NOT NULL PRIMARY KEY,
    account          TEXT NOT NULL REFERENCES accounts (account),
    cardholder_type  TEXT NOT NULL,
    info_file        TEXT,
    info_salt        TEXT NOT NULL,
    info_hash        TEXT NOT NULL,
    sense_hash       TEXT NOT NULL,
    state            TEXT NOT NULL CHECK (state IN ('sending', 'waiting', 'answered', 'repeated', 'refused', 'failed')),
    attempts         INTEGER NOT NULL DEFAULT 0,
    setbacks         INTEGER NOT NULL DEFAULT 0,
    next_attempt_at  TEXT,
    last_code        TEXT,
    last_error       TEXT,
    order_id         TEXT,
    cardholder_id    TEXT,
    audit_status     TEXT,
    available_status TEXT,
    fail_code        TEXT,
    fail_message     TEXT,
    created_at       TEXT NOT NULL,
    sent_at          TEXT,
    answered_at      TEXT,
    refreshed_at     TEXT,
    accepted_at      TEXT,
    accepted_note    TEXT
) STRICT, WITHOUT ROWID;
