-- Version 4: the books.
CREATE INDEX bills_open ON bills (transaction_time)
    WHERE withdrawn_at IS NULL AND bill_status IS NOT 'SUCCESS' AND bill_status IS NOT 'FAILED' AND bill_status IS NOT 'REFUNDED'
      AND bill_status IS NOT 'CANCELLED' AND bill_status IS NOT 'PARTIAL_REFUND';

CREATE INDEX bills_unbilled ON bills (account, transaction_date)
    WHERE withdrawn_at IS NULL AND out_amount IS NULL
      AND (bill_status = 'SUCCESS' OR bill_status = 'PARTIAL_CANCEL' OR bill_status = 'PARTIAL_REFUND' OR bill_status = 'REFUNDED');

CREATE TABLE postings (
    bill_id      INTEGER NOT NULL,
    line         INTEGER NOT NULL,
    line_id      TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind = 'spend' OR kind = 'return' OR kind = 'reversal' OR kind = 'adjustment'),
    amount       INTEGER NOT NULL,
    currency     TEXT NOT NULL,
    posting_date TEXT NOT NULL,
    effect_date  TEXT NOT NULL,
    reason       TEXT NOT NULL,
    run_id       INTEGER NOT NULL,
    PRIMARY KEY (bill_id, line)
) STRICT, WITHOUT ROWID;

CREATE INDEX postings_date ON postings (posting_date);

CREATE TABLE kept_labels (
    bill_id           INTEGER NOT NULL,
    line              INTEGER NOT NULL,
    merchant_name     TEXT,
    asset_id          TEXT,
    budget_account_id TEXT,
    card_last4        TEXT,
    PRIMARY KEY (bill_id, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE kept_keys (
    line_key TEXT NOT NULL PRIMARY KEY,
    bill_id  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE dirty_months (
    month TEXT NOT NULL,
    sums  TEXT NOT NULL CHECK (sums IN ('books', 'failures')),
    mark  TEXT NOT NULL DEFAULT (hex(randomblob(8))),
    PRIMARY KEY (month, sums)
) STRICT, WITHOUT ROWID;

CREATE TABLE book_sums (
    dimension TEXT NOT NULL CHECK (dimension = 'account' OR dimension = 'merchant' OR dimension = 'card' OR dimension = 'budget'),
    month     TEXT NOT NULL,
    account   TEXT NOT NULL,
    name      TEXT NOT NULL,
    currency  TEXT NOT NULL,
    postings  INTEGER NOT NULL,
    spends    INTEGER NOT NULL,
    spent     INTEGER NOT NULL,
    returned  INTEGER NOT NULL,
    reversed  INTEGER NOT NULL,
    adjusted  INTEGER NOT NULL,
    PRIMARY KEY (dimension, month, account, name, currency)
) STRICT, WITHOUT ROWID;

CREATE TABLE failure_sums (
    dimension TEXT NOT NULL CHECK (dimension = 'account' OR dimension = 'merchant' OR dimension = 'card'),
    month     TEXT NOT NULL,
    account   TEXT NOT NULL,
    name      TEXT NOT NULL,
    fail_code TEXT NOT NULL,
    currency  TEXT NOT NULL,
    failures  INTEGER NOT NULL,
    settled   INTEGER NOT NULL,
    purchases INTEGER NOT NULL,
    unpaid    INTEGER NOT NULL,
    unpaid_amount INTEGER NOT NULL,
    PRIMARY KEY (dimension, month, account, name, fail_code, currency)
) STRICT, WITHOUT ROWID;

CREATE TABLE card_bills (
    month    TEXT NOT NULL,
    sums     TEXT NOT NULL CHECK (sums IN ('books', 'failures')),
    asset_id TEXT NOT NULL,
    bill_id  INTEGER NOT NULL,
    PRIMARY KEY (month, sums, asset_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE merchants (
    merchant_name TEXT NOT NULL PRIMARY KEY,
    merchant      TEXT NOT NULL,
    rule          TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE closes (
    month         TEXT NOT NULL PRIMARY KEY,
    closed_at     TEXT NOT NULL,
    closed_by     TEXT NOT NULL,
    note          TEXT,
    forced        INTEGER NOT NULL CHECK (forced IN (0, 1)),
    open_points   TEXT,
    postings      INTEGER NOT NULL,
    postings_hash TEXT NOT NULL,
    proved_at     TEXT,
    program       TEXT NOT NULL,
    last_bill_id  INTEGER NOT NULL,
    last_state_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE close_totals (
    month    TEXT NOT NULL REFERENCES closes (month),
    account  TEXT NOT NULL,
    currency TEXT NOT NULL,
    postings INTEGER NOT NULL,
    spends   INTEGER NOT NULL,
    spent    INTEGER NOT NULL,
    returned INTEGER NOT NULL,
    reversed INTEGER NOT NULL,
    adjusted INTEGER NOT NULL,
    PRIMARY KEY (month, account, currency)
) STRICT, WITHOUT ROWID;

CREATE TABLE export_batches (
    batch_id   INTEGER PRIMARY KEY,
    target     TEXT NOT NULL,
    format     TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state = 'choosing' OR state = 'writing' OR state = 'done'),
    created_at TEXT NOT NULL,
    filter     TEXT NOT NULL,
    options    TEXT NOT NULL,
    as_of      TEXT,
    lines      INTEGER NOT NULL DEFAULT 0,
    done_at    TEXT
) STRICT;

CREATE UNIQUE INDEX export_batches_open ON export_batches (target) WHERE state <> 'done';

CREATE TABLE export_lines (
    target   TEXT NOT NULL,
    bill_id  INTEGER NOT NULL,
    line     INTEGER NOT NULL,
    batch_id INTEGER NOT NULL,
    PRIMARY KEY (target, bill_id, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE export_files (
    batch_id INTEGER NOT NULL REFERENCES export_batches (batch_id),
    name     TEXT NOT NULL,
    lines    INTEGER NOT NULL,
    bytes    INTEGER NOT NULL,
    sha256   TEXT NOT NULL,
    PRIMARY KEY (batch_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledgers (
    ledger_id    INTEGER PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    file         TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    mapping      TEXT NOT NULL,
    accounts     TEXT,
    period_from  TEXT NOT NULL,
    period_to    TEXT NOT NULL,
    skipped      INTEGER NOT NULL,
    imported_at  TEXT NOT NULL,
    matched_at   TEXT NOT NULL
) STRICT;

CREATE TABLE ledger_lines (
    ledger_line_id INTEGER PRIMARY KEY AUTOINCREMENT,
    ledger_id      INTEGER NOT NULL REFERENCES ledgers (ledger_id),
    line_key       TEXT NOT NULL,
    line           INTEGER NOT NULL,
    ledger_date    TEXT NOT NULL,
    amount         INTEGER NOT NULL,
    currency       TEXT NOT NULL,
    reference      TEXT,
    payee          TEXT,
    ledger_account TEXT,
    description    TEXT,
    open_code      TEXT,
    open_reason    TEXT,
    removed_at     TEXT,
    UNIQUE (ledger_id, line_key)
) STRICT;

CREATE INDEX ledger_lines_amount ON ledger_lines (ledger_id, amount);

CREATE TABLE matches (
    match_id   INTEGER PRIMARY KEY AUTOINCREMENT,
    ledger_id  INTEGER NOT NULL REFERENCES ledgers (ledger_id),
    state      TEXT NOT NULL CHECK (state = 'matched' OR state = 'suggested' OR state = 'confirmed' OR state = 'rejected' OR state = 'withdrawn'),
    rule       TEXT NOT NULL,
    reason     TEXT NOT NULL,
    made_at    TEXT NOT NULL,
    decided_at TEXT,
    decided_by TEXT,
    note       TEXT
) STRICT;

CREATE TABLE match_items (
    match_id       INTEGER NOT NULL REFERENCES matches (match_id),
    item           INTEGER NOT NULL,
    ledger_line_id INTEGER REFERENCES ledger_lines (ledger_line_id),
    bill_id        INTEGER,
    line           INTEGER,
    live           INTEGER DEFAULT 1 CHECK (live = 1),
    PRIMARY KEY (match_id, item)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX match_items_line ON match_items (ledger_line_id, live) WHERE ledger_line_id IS NOT NULL;
CREATE UNIQUE INDEX match_items_posting ON match_items (bill_id, line, live) WHERE bill_id IS NOT NULL;

CREATE TRIGGER match_decided AFTER UPDATE OF state ON matches BEGIN
    UPDATE match_items SET live = iif(NEW.state IN ('rejected', 'withdrawn'), NULL, 1) WHERE match_id = NEW.match_id;
END;

CREATE TABLE candidates (
    ledger_line_id INTEGER NOT NULL REFERENCES ledger_lines (ledger_line_id),
    rank           INTEGER NOT NULL,
    bill_id        INTEGER NOT NULL,
    line           INTEGER NOT NULL,
    reason         TEXT NOT NULL,
    PRIMARY KEY (ledger_line_id, rank)
) STRICT, WITHOUT ROWID;

CREATE INDEX candidates_posting ON candidates (bill_id, line);

-- What is stored already is posted by the program, some bills at a time.
INSERT INTO meta (key, value) SELECT 'unposted', '1 ' || max(bill_id) FROM bills HAVING count(*) > 0;
