-- The database of billsync: every World Card bill of a company, and the proof
-- that none is missing.
--
-- How to read it
--
-- * Start with the views at the end: bill_details, monthly_spend, open_bills,
--   failures_by_reason, orders_with_several_bills, coverage; for the books
--   posting_details, monthly_books, merchant_books, card_books, monthly_failures,
--   closed_months; for the company's own ledger reconciliation_matches,
--   reconciliation_open_ledger, reconciliation_open_postings.
-- * Times are UTC text, 2026-01-31T08:00:00.000Z; they sort and compare as text.
--   Only transaction_date is in the report's time zone ([report] timezone).
-- * Amounts are whole numbers of the currency's smallest unit, the currency in
--   the neighbouring column: 1050 is USD 10.50 and is JPY 1050. Never add up
--   two currencies. The table currencies tells how many decimals each has.
-- * Columns that carry a field of the API bear its name in snake_case.
-- * Open it read-only while syncer works, or work on a copy:
--   sqlite3 'file:bills.db?mode=ro'.
--
-- SQLite 3.37 or newer reads it (STRICT tables).

PRAGMA application_id = 1464025683; -- "WCBS": how syncer knows its own file
PRAGMA user_version = 4;            -- the version of this schema

-- What the database knows of itself.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY, -- origin_host, origin_client_id, report_timezone, merchant_rules,
                                     -- unposted: from which bill_id to which the books are still to be made
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Whose bills these are. An account is the first part of every key.
CREATE TABLE accounts (
    account               TEXT NOT NULL PRIMARY KEY, -- the name in the configuration
    connected_customer_id TEXT NOT NULL,             -- as whom its bills are asked for; '' is the client's own
    connected_account_id  TEXT NOT NULL,
    history_start         TEXT NOT NULL,             -- its bills are complete from here, once proved
    created_at            TEXT NOT NULL,
    refreshed_at          TEXT,                      -- when the past was last read again; the first backfill counts
    refresh_wanted_at     TEXT,                      -- set while a refresh is under way: since when
    refused_at            TEXT,                      -- set while the API refuses this account
    refused_code          TEXT,
    refused_reason        TEXT                       -- the API's words and what to do
) STRICT, WITHOUT ROWID;

-- Currencies and the number of decimal places of their amounts. A currency
-- that is not here is shown in its smallest unit.
CREATE TABLE currencies (
    currency TEXT NOT NULL PRIMARY KEY,
    decimals INTEGER NOT NULL CHECK (decimals BETWEEN 0 AND 4)
) STRICT, WITHOUT ROWID;

-- Why a bill can fail. The 21 documented reasons are here from the start, in
-- the API document's own words; a code that is not documented is added when a
-- bill brings it.
CREATE TABLE fail_reasons (
    error_code TEXT NOT NULL PRIMARY KEY, -- billFailReason.errorCode
    error_desc TEXT NOT NULL,             -- the API document's words (spelling as documented)
    category   TEXT NOT NULL,             -- funds, limit, card, verification, risk, merchant, account, system, unknown
    advice     TEXT NOT NULL,             -- what a person can do about it
    documented INTEGER NOT NULL CHECK (documented IN (0, 1))
) STRICT, WITHOUT ROWID;

INSERT INTO fail_reasons (error_code, error_desc, category, advice, documented) VALUES
    ('WORLD_CARD_BALANCE_NOT_ENOUGH', 'Insufficient account balance.', 'funds',
     'Top up the balance or budget account that pays this card, then have the merchant try again.', 1),
    ('WORLD_CARD_OVER_LIMIT', 'Insufficient daily/monthly limit.', 'limit',
     'Raise the daily or monthly limit of the card, or wait until the limit starts anew.', 1),
    ('WORLD_CARD_AVS_RESULT', 'AVS verification failed.', 'verification',
     'The billing address given to the merchant differs from the one registered. Correct it at the merchant.', 1),
    ('WORLD_CARD_ASSERT_ERROR', 'The card has expired.', 'card',
     'Issue a new card and replace the old one at the merchant.', 1),
    ('WORLD_CARD_SECURITY_REJECT', 'Risk control rejection.', 'risk',
     'Risk control declined the payment. If it was genuine, ask WorldFirst support what is needed.', 1),
    ('WORLD_CARD_INVALID_MERCHANT', 'Invalid merchant.', 'merchant',
     'The card may not be used at this merchant. Check the merchant, or pay another way.', 1),
    ('UN_KNOWN_EXCEPTION', 'Unknow reason.', 'unknown',
     'No reason was given. If it happens again, send the order number to WorldFirst support.', 1),
    ('WORLD_CARD_INVALID_AMOUNT', 'Invalid payment amount.', 'merchant',
     'The merchant asked for an amount that cannot be charged. Ask the merchant to correct it.', 1),
    ('WORLD_CARD_INVALID_CARD_NUMBER', 'Invaild card number.', 'card',
     'The card number stored at the merchant is wrong. Enter it anew.', 1),
    ('WORLD_CARD_EXPIRED_CARD', 'Card expired.', 'card',
     'Issue a new card and replace the old one at the merchant.', 1),
    ('WORLD_CARD_INCORRECT_PIN', 'Incorrect PIN.', 'verification',
     'A wrong PIN was entered. Make sure the cardholder knows it, or set a new one.', 1),
    ('WORLD_CARD_INVALID_TRANSACTION', 'Abnormal transaction.', 'merchant',
     'The kind of transaction is not allowed. Ask the merchant to charge it in the ordinary way.', 1),
    ('WORLD_CARD_EXCEED_WITHDRAW_AMOUNT_LIMIT', 'Withdrawal amount limit exceeded.', 'limit',
     'Withdraw less, or raise the limit for cash withdrawals.', 1),
    ('WORLD_CARD_EXCEED_WITHDRAW_FREQUENCY_LIMIT', 'Withdrawal frequency limit exceeded.', 'limit',
     'Too many cash withdrawals in the period. Wait, or raise the limit.', 1),
    ('WORLD_CARD_VERIFICATION_FAILED', 'Verification failed.', 'verification',
     'The cardholder could not be verified. Try again with the right details.', 1),
    ('WORLD_CARD_EXCEED_PIN_ALLOW_NUMBER', 'Exceeded allowed PIN attempts.', 'verification',
     'The PIN is locked after too many tries. Unlock it or set a new one.', 1),
    ('WORLD_CARD_AUTHENTICATION_REQUIRED', 'Authentication required.', 'verification',
     'The merchant must ask the cardholder to confirm the payment (3-D Secure). Pay again and confirm.', 1),
    ('WORLD_CARD_CVV2_FAILURE', 'CVV2 verification failed.', 'verification',
     'The security code given to the merchant is wrong. Enter it anew.', 1),
    ('WORLD_CARD_INVALID_CARD', 'Invalid card.', 'card',
     'The card cannot be used: it may be frozen, cancelled or not yet active. Check its status.', 1),
    ('BALANCE_ACCOUNT_NOT_AVAILABLE', 'Account status abnormal.', 'account',
     'The account behind the card is not in order. Ask WorldFirst support to check it.', 1),
    ('SYSTEM_ERROR', 'System error.', 'system',
     'The card system had a fault; nothing was charged. Pay again later.', 1);

-- The bills, one row each, in their last known state. A bill that the API stops
-- listing stays, with withdrawn_at set. Earlier states are in bill_states and,
-- together with the present one, in the view bill_history.
CREATE TABLE bills (
    bill_id           INTEGER PRIMARY KEY,                    -- ours; it never changes for a bill
    account           TEXT NOT NULL REFERENCES accounts (account),
    order_no          TEXT NOT NULL,                          -- the order; several bills may share it
    bill_no           TEXT,                                   -- one authorisation of the order, where the API gives it
    ordinal           INTEGER NOT NULL,                       -- 0, 1, …: tells apart bills of one order at one second
    bill_type         TEXT,                                   -- CARD_PAYMENT, …
    bill_status       TEXT,                                   -- WAITING_CLEARANCE, SUCCESS, FAILED, …
    asset_id          TEXT,                                   -- the card
    masked_card_no    TEXT,                                   -- its masked number
    card_last4        TEXT,                                   -- the last four digits of that
    card_nick_name    TEXT,                                   -- the user's label for the card, as last seen
    transaction_time  TEXT NOT NULL,                          -- when the transaction was made, UTC
    transaction_date  TEXT NOT NULL,                          -- the day it belongs to, in the report's time zone
    merchant_name     TEXT,
    budget_account_id TEXT,
    trade_amount      INTEGER,                                -- in the merchant's currency; NULL also if unreadable
    trade_currency    TEXT,
    out_amount        INTEGER,                                -- money that left the card's account
    out_currency      TEXT,
    in_amount         INTEGER,                                -- money that came back
    in_currency       TEXT,
    exchange_rate     TEXT,                                   -- as received
    trade_country     TEXT,
    fail_code         TEXT REFERENCES fail_reasons (error_code), -- why it failed
    fail_desc         TEXT,                                   -- the reason's words on this bill
    last_update       TEXT,                                   -- the API's time of its last change, UTC
    metadata          TEXT,                                   -- JSON object
    first_seen_at     TEXT NOT NULL,                          -- when we first stored it
    changed_at        TEXT NOT NULL,                          -- since when this state is stored
    read_at           TEXT NOT NULL,                          -- when this state was asked for
    withdrawn_at      TEXT,                                   -- when the API was found to list it no longer
    notified_at       TEXT,                                   -- set while only a notification told of the bill: when it came
    run_id            INTEGER NOT NULL,                       -- the run that saw this state; 0: a notification brought it
    content_hash      TEXT NOT NULL,                          -- equal hashes: the API said the same
    raw               TEXT NOT NULL                           -- the JSON as received, full card numbers removed
) STRICT;

-- A bill without billNo is known by order, second and ordinal.
CREATE UNIQUE INDEX bills_identity ON bills (account, order_no, substr(transaction_time, 1, 19), ordinal);
CREATE UNIQUE INDEX bills_bill_no ON bills (account, bill_no) WHERE bill_no IS NOT NULL;
CREATE INDEX bills_time ON bills (account, transaction_time, withdrawn_at);
CREATE INDEX bills_failed ON bills (fail_code) WHERE fail_code IS NOT NULL;
-- Without IN: SQLite would build a table of the words for every row that is written.
CREATE INDEX bills_open ON bills (transaction_time)
    WHERE withdrawn_at IS NULL AND bill_status IS NOT 'SUCCESS' AND bill_status IS NOT 'FAILED' AND bill_status IS NOT 'REFUNDED'
      AND bill_status IS NOT 'CANCELLED' AND bill_status IS NOT 'PARTIAL_REFUND';
CREATE INDEX bills_unbilled ON bills (account, transaction_date) -- what the books cannot have
    WHERE withdrawn_at IS NULL AND out_amount IS NULL
      AND (bill_status = 'SUCCESS' OR bill_status = 'PARTIAL_CANCEL' OR bill_status = 'PARTIAL_REFUND' OR bill_status = 'REFUNDED');

-- The earlier states of bills, as they were. valid_to is when the next state
-- was stored. A row is added only when a value changed.
CREATE TABLE bill_states (
    state_id          INTEGER PRIMARY KEY,
    bill_id           INTEGER NOT NULL REFERENCES bills (bill_id),
    valid_from        TEXT NOT NULL,
    valid_to          TEXT NOT NULL,
    bill_no           TEXT,
    bill_type         TEXT,
    bill_status       TEXT,
    asset_id          TEXT,
    masked_card_no    TEXT,
    card_last4        TEXT,
    card_nick_name    TEXT,
    transaction_time  TEXT NOT NULL,
    transaction_date  TEXT NOT NULL,
    merchant_name     TEXT,
    budget_account_id TEXT,
    trade_amount      INTEGER,
    trade_currency    TEXT,
    out_amount        INTEGER,
    out_currency      TEXT,
    in_amount         INTEGER,
    in_currency       TEXT,
    exchange_rate     TEXT,
    trade_country     TEXT,
    fail_code         TEXT,
    fail_desc         TEXT,
    last_update       TEXT,
    metadata          TEXT,
    withdrawn_at      TEXT,
    run_id            INTEGER NOT NULL,
    content_hash      TEXT NOT NULL,
    raw               TEXT NOT NULL
) STRICT;

CREATE INDEX bill_states_bill ON bill_states (bill_id, valid_from);

-- The checkpoints. History is cut into windows that the API answers for at
-- once; neighbours overlap by a day, so do not add up total_count over them.
-- done means proved: what the API counts (total_count) is what is stored.
CREATE TABLE windows (
    window_id       INTEGER PRIMARY KEY,
    account         TEXT NOT NULL REFERENCES accounts (account),
    window_start    TEXT NOT NULL,          -- transaction times from here, UTC
    window_end      TEXT NOT NULL,          -- to here
    zone            TEXT NOT NULL,          -- in whose offset the API is asked
    open_end        INTEGER NOT NULL DEFAULT 0 CHECK (open_end IN (0, 1)), -- 1: the end is set when reading begins
    state           TEXT NOT NULL DEFAULT 'pending'
                    CHECK (state IN ('pending', 'reading', 'done', 'waiting', 'failed')),
    next_page       INTEGER NOT NULL DEFAULT 1, -- the first page not yet stored
    total_count     INTEGER,                -- what the API counts
    stored_count    INTEGER,                -- what the last finished pass found and stored
    attempts        INTEGER NOT NULL DEFAULT 0, -- answers of unknown outcome (U) in a row
    setbacks        INTEGER NOT NULL DEFAULT 0, -- requests without answer, or passes that did not add up, in a row
    next_attempt_at TEXT,                   -- not asked before; NULL while waiting: by the next run
    last_error      TEXT,                   -- what stands in the way
    proved_at       TEXT,                   -- when it was last proved
    missing         INTEGER NOT NULL DEFAULT 0, -- so many stored bills are listed no longer; a person must accept that
    missing_accepted INTEGER NOT NULL DEFAULT 0, -- so many a person agreed to mark as withdrawn
    accepted_at     TEXT,                   -- a person has accepted that it is not proved
    reread_at       TEXT,                   -- since when a proved window waits to be read again
    reread_failed_at TEXT,                  -- when that reading failed; the next refresh asks again
    UNIQUE (account, window_start, window_end)
) STRICT;

-- The newest part of each account's history: from where the windows end to two
-- minutes before the last sync. Every run reads its end again.
CREATE TABLE tails (
    account         TEXT NOT NULL PRIMARY KEY REFERENCES accounts (account),
    covered_from    TEXT NOT NULL,          -- where the windows end
    proved_until    TEXT,                   -- proved from covered_from to here
    state           TEXT NOT NULL DEFAULT 'pending'
                    CHECK (state IN ('pending', 'reading', 'done', 'waiting', 'failed')),
    next_page       INTEGER NOT NULL DEFAULT 1,
    total_count     INTEGER,
    stored_count    INTEGER,
    attempts        INTEGER NOT NULL DEFAULT 0,
    setbacks        INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TEXT,
    last_error      TEXT,
    proved_at       TEXT,
    missing         INTEGER NOT NULL DEFAULT 0, -- as in windows
    missing_accepted INTEGER NOT NULL DEFAULT 0,
    accepted_at     TEXT,
    missing_from    TEXT,                   -- where the reading began that missed them
    audited_at      TEXT,                   -- when it was last read from its beginning
    reread_at       TEXT                    -- since when it waits to be read from its beginning
) STRICT, WITHOUT ROWID;

-- The chase: how many bills of each status the API counts in a proved window
-- (window_id 0: in the older part of the tail), so that a change of an old bill
-- is noticed without reading the window again.
CREATE TABLE chases (
    account         TEXT NOT NULL REFERENCES accounts (account),
    window_id       INTEGER NOT NULL,
    counts          TEXT NOT NULL DEFAULT '{}', -- JSON: bills by status, '' is all; as the API counts
    counted_at      TEXT,                   -- when these counts differed from what was stored, and it was read in full
    state           TEXT NOT NULL DEFAULT 'pending'
                    CHECK (state IN ('pending', 'done', 'waiting', 'failed')),
    next_page       INTEGER NOT NULL DEFAULT 1,
    total_count     INTEGER,
    stored_count    INTEGER,
    attempts        INTEGER NOT NULL DEFAULT 0,
    setbacks        INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TEXT,
    last_error      TEXT,
    proved_at       TEXT,                   -- when it was last chased to the end
    missing         INTEGER NOT NULL DEFAULT 0,
    missing_accepted INTEGER NOT NULL DEFAULT 0,
    accepted_at     TEXT,
    PRIMARY KEY (account, window_id)
) STRICT, WITHOUT ROWID;

-- One reading of all pages of a window or of the tail, with frozen ends and
-- page size. The pass being read and the last finished one are kept.
CREATE TABLE passes (
    pass_id     INTEGER PRIMARY KEY,
    account     TEXT NOT NULL REFERENCES accounts (account),
    window_id   INTEGER REFERENCES windows (window_id), -- NULL: the tail
    state       TEXT NOT NULL CHECK (state IN ('reading', 'done')),
    span_start  TEXT NOT NULL,
    span_end    TEXT NOT NULL,
    zone        TEXT NOT NULL,
    page_size   INTEGER NOT NULL,           -- asked for
    run_id      INTEGER NOT NULL,           -- the run that began it
    begun_at    TEXT NOT NULL,
    touched_at  TEXT NOT NULL,              -- when its last page was stored
    next_page   INTEGER NOT NULL,
    total_count INTEGER NOT NULL,
    pages       INTEGER NOT NULL,           -- pages that make up the total; 0: not yet known
    page_items  INTEGER NOT NULL,           -- items a full page has
    items       INTEGER NOT NULL,           -- items received
    rejected    INTEGER NOT NULL,           -- of these, items that are no bills
    rereads     INTEGER NOT NULL            -- passes in a row before it that did not add up
) STRICT;

CREATE INDEX passes_window ON passes (account, window_id, state);

-- The pages a pass has stored, with the bills that were on them.
CREATE TABLE pages (
    pass_id     INTEGER NOT NULL REFERENCES passes (pass_id),
    page_number INTEGER NOT NULL,
    page_hash   TEXT NOT NULL,              -- of the bill list as received
    items       INTEGER NOT NULL,
    bill_ids    TEXT NOT NULL,              -- JSON array of bill_id
    read_at     TEXT NOT NULL,
    bills_hash  TEXT,                       -- of what the bills said then; NULL: it must be decoded again
    PRIMARY KEY (pass_id, page_number)
) STRICT, WITHOUT ROWID;

-- Items whose identity is settled when all pages of their pass are in: a bill
-- seen twice because pages moved, or two bills that look alike.
CREATE TABLE held_items (
    pass_id     INTEGER NOT NULL REFERENCES passes (pass_id),
    page_number INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    one_answer  INTEGER NOT NULL CHECK (one_answer IN (0, 1)), -- 1: all that looks like it came on the same page
    asked_at    TEXT NOT NULL,
    raw         TEXT NOT NULL,
    PRIMARY KEY (pass_id, page_number, position)
) STRICT, WITHOUT ROWID;

-- What could not be understood, as received with secrets removed. While a row
-- is neither accepted nor resolved, no run ends with exit code 0.
CREATE TABLE rejected_items (
    rejected_id   INTEGER PRIMARY KEY,
    account       TEXT NOT NULL REFERENCES accounts (account),
    bill_id       INTEGER REFERENCES bills (bill_id), -- set: the bill is stored, a part of it is unreadable
    order_no      TEXT,                     -- if that much was readable
    reason        TEXT NOT NULL,            -- what could not be understood
    item_hash     TEXT NOT NULL,
    occurrence    INTEGER NOT NULL,         -- 0, 1, …: of items alike in one pass
    raw           TEXT NOT NULL,
    window_id     INTEGER,                  -- where it was seen; NULL: the tail
    span_start    TEXT NOT NULL,
    span_end      TEXT NOT NULL,
    page_number   INTEGER NOT NULL,
    pass_id       INTEGER NOT NULL,         -- the pass that saw it last
    first_seen_at TEXT NOT NULL,
    last_seen_at  TEXT NOT NULL,
    accepted_at   TEXT,                     -- a person has looked at it
    accepted_note TEXT,
    resolved_at   TEXT,                     -- the API now lists it readable, or no longer
    UNIQUE (account, item_hash, occurrence)
) STRICT;

CREATE INDEX rejected_items_bill ON rejected_items (bill_id) WHERE bill_id IS NOT NULL;

-- For every window (or tail: window_id 0) that waits or failed: the last
-- request and answer, secrets removed, for the API's support.
CREATE TABLE evidence (
    account          TEXT NOT NULL REFERENCES accounts (account),
    window_id        INTEGER NOT NULL,
    run_id           INTEGER NOT NULL,
    outcome          TEXT NOT NULL,         -- no answer, unknown, refused, refused us
    code             TEXT NOT NULL,
    message          TEXT NOT NULL,
    sent_at          TEXT,
    answered_at      TEXT,
    http_status      INTEGER,
    request_line     TEXT,
    request_headers  TEXT,
    request_body     TEXT,
    response_headers TEXT,
    response_body    TEXT,
    PRIMARY KEY (account, window_id)
) STRICT, WITHOUT ROWID;

-- What a person has looked at and accepted, for good.
CREATE TABLE acceptances (
    acceptance_id INTEGER PRIMARY KEY,
    account       TEXT NOT NULL REFERENCES accounts (account),
    subject       TEXT NOT NULL,            -- item:12, window:7, tail
    span_start    TEXT,                     -- of the window or the tail
    span_end      TEXT,
    reason        TEXT NOT NULL,            -- what stood in the way
    note          TEXT NOT NULL,            -- the person's words
    accepted_at   TEXT NOT NULL
) STRICT;

-- Which accounts pay with which cards, as far as the bill list told.
CREATE TABLE cards (
    asset_id TEXT NOT NULL,
    account  TEXT NOT NULL REFERENCES accounts (account),
    PRIMARY KEY (asset_id, account)
) STRICT, WITHOUT ROWID;

-- Bill notifications that could not be stored as a bill when they came: whose
-- bill it is was not known, or which of several it is, or a part of it could not
-- be understood. The next reading of the bill list settles most of them.
CREATE TABLE inbox (
    notification_id  INTEGER PRIMARY KEY,
    account          TEXT,                   -- NULL: not known whose
    reason           TEXT NOT NULL,          -- why it waits
    order_no         TEXT,                   -- as far as it could be read
    bill_no          TEXT,
    transaction_time TEXT,
    asset_id         TEXT,
    last_update      TEXT,
    item_hash        TEXT NOT NULL,          -- of what it says: the same one delivered again is one row
    deliveries       INTEGER NOT NULL DEFAULT 1,
    sent_at          TEXT,                   -- its Request-Time, UTC
    received_at      TEXT NOT NULL,          -- when it came first
    raw              TEXT NOT NULL,          -- the JSON as received, full card numbers removed
    resolved_at      TEXT,                   -- when the bill list was found to hold it, or it could be stored
    accepted_at      TEXT,                   -- a person has looked at it
    accepted_note    TEXT
) STRICT;

CREATE UNIQUE INDEX inbox_item ON inbox (item_hash, coalesce(account, ''));
CREATE INDEX inbox_waiting ON inbox (notification_id) WHERE resolved_at IS NULL AND accepted_at IS NULL;

-- Cardholders that were registered from here. What identifies them is not kept,
-- only where the file with it is, so that an unanswered request can be repeated
-- with the same id and the same content.
CREATE TABLE cardholders (
    request_id       TEXT NOT NULL PRIMARY KEY, -- ours; the API takes equal ids for one request
    account          TEXT NOT NULL REFERENCES accounts (account),
    cardholder_type  TEXT NOT NULL,          -- INDIVIDUAL, EMPLOYEE, SHAREHOLDER
    info_file        TEXT,                   -- where its cardholderInfo was read; NULL: from standard input
    info_salt        TEXT NOT NULL,          -- equal contents have different hashes; who has the database can still confirm a guess of all of it
    info_hash        TEXT NOT NULL,          -- of cardholderInfo, byte for byte: only the same is sent again
    sense_hash       TEXT NOT NULL,          -- of cardholderInfo whatever its blanks and order: a file written anew says the same
    state            TEXT NOT NULL CHECK (state IN ('sending', 'waiting', 'answered', 'repeated', 'refused', 'failed')),
                                             -- sending: asked, and no answer stored; waiting: to be asked again;
                                             -- repeated: the API received it before and does not say what became of it
    attempts         INTEGER NOT NULL DEFAULT 0, -- answers of unknown outcome (U) in a row
    setbacks         INTEGER NOT NULL DEFAULT 0, -- requests without answer, in a row
    next_attempt_at  TEXT,                   -- not asked before
    last_code        TEXT,                   -- what the last request came to, if not an answer
    last_error       TEXT,
    order_id         TEXT,
    cardholder_id    TEXT,                   -- once approved
    audit_status     TEXT,                   -- APPROVED, PENDING, REJECTED
    available_status TEXT,                   -- T, F
    fail_code        TEXT,
    fail_message     TEXT,
    created_at       TEXT NOT NULL,
    sent_at          TEXT,                   -- when it was last asked
    answered_at      TEXT,
    refreshed_at     TEXT,                   -- when the list of cardholders was last asked about it
    accepted_at      TEXT,                   -- a person has looked at it and closed it: it is not sent again
    accepted_note    TEXT
) STRICT, WITHOUT ROWID;

-- The books: what bills did to them. Each posting is a movement of money with its
-- own date; postings are added and never changed. A bill's postings add up to what
-- its present state says: nothing while it waits, failed, was cancelled or is no
-- longer listed, else in_amount less out_amount.
--
-- A spend is posted when the bill first takes effect; a return when money comes
-- back; a reversal when a spend (positive) or a return (negative) was less after
-- all; an adjustment when a spend was more. What changes after its month is closed
-- is posted on the first day of the next open month.
CREATE TABLE postings (
    bill_id      INTEGER NOT NULL,          -- of bills; no foreign key, which would cost a look-up a posting: "syncer verify" compares
    line         INTEGER NOT NULL,          -- 1, 2, …: of the bill
    line_id      TEXT NOT NULL,             -- the same for ever, also in a database made anew: other programs know the posting by it
    kind         TEXT NOT NULL CHECK (kind = 'spend' OR kind = 'return' OR kind = 'reversal' OR kind = 'adjustment'),
    amount       INTEGER NOT NULL,          -- in the currency's smallest unit; negative: money left
    currency     TEXT NOT NULL,
    posting_date TEXT NOT NULL,             -- its day in the books, in the report's time zone
    effect_date  TEXT NOT NULL,             -- the day it belongs to: earlier, if that one's month was closed
    reason       TEXT NOT NULL,             -- which change of the bill brought it
    run_id       INTEGER NOT NULL,          -- the run that saw that change; 0: a notification told of it
    PRIMARY KEY (bill_id, line)
) STRICT, WITHOUT ROWID;

CREATE INDEX postings_date ON postings (posting_date);

-- What merchant, card and budget account of a posting in a closed month were when it
-- was closed, where the bill says something else by now.
CREATE TABLE kept_labels (
    bill_id           INTEGER NOT NULL,
    line              INTEGER NOT NULL,
    merchant_name     TEXT,
    asset_id          TEXT,
    budget_account_id TEXT,
    card_last4        TEXT,
    PRIMARY KEY (bill_id, line)
) STRICT, WITHOUT ROWID;

-- What a line_id begins with, of bills that are identified otherwise by now: no
-- other bill gets it.
CREATE TABLE kept_keys (
    line_key TEXT NOT NULL PRIMARY KEY,
    bill_id  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Months whose sums are not those of their postings and bills any more. Whoever
-- reads sums makes these anew first; they are made of the rows themselves, so
-- that nothing can drift.
CREATE TABLE dirty_months (
    month TEXT NOT NULL,                    -- YYYY-MM
    sums  TEXT NOT NULL CHECK (sums IN ('books', 'failures')),
    mark  TEXT NOT NULL DEFAULT (hex(randomblob(8))),                         -- another one whenever the month changes
    PRIMARY KEY (month, sums)
) STRICT, WITHOUT ROWID;

-- The books, summed: of each month by account, merchant, card and budget account,
-- per currency. Made of postings; see dirty_months. A closed month's never change.
CREATE TABLE book_sums (
    dimension TEXT NOT NULL CHECK (dimension = 'account' OR dimension = 'merchant' OR dimension = 'card' OR dimension = 'budget'),
    month     TEXT NOT NULL,                -- of posting_date
    account   TEXT NOT NULL,
    name      TEXT NOT NULL,                -- merchant_name, asset_id or budget_account_id; '' if there is none, and for accounts
    currency  TEXT NOT NULL,
    postings  INTEGER NOT NULL,             -- how many
    spends    INTEGER NOT NULL,             -- how many of them are spends
    spent     INTEGER NOT NULL,             -- sums of amounts, signed as in postings: of spends,
    returned  INTEGER NOT NULL,             -- of returns,
    reversed  INTEGER NOT NULL,             -- of reversals,
    adjusted  INTEGER NOT NULL,             -- of adjustments
    PRIMARY KEY (dimension, month, account, name, currency)
) STRICT, WITHOUT ROWID;

-- Failed payments, summed: of each month (of transaction_date) by account,
-- merchant and card. Tries to pay the same amount to the same merchant, each within
-- three days of the one before, are one purchase; a failure is settled by a success
-- within three days after it.
CREATE TABLE failure_sums (
    dimension TEXT NOT NULL CHECK (dimension = 'account' OR dimension = 'merchant' OR dimension = 'card'),
    month     TEXT NOT NULL,
    account   TEXT NOT NULL,
    name      TEXT NOT NULL,                -- as in book_sums
    fail_code TEXT NOT NULL,                -- '' if no reason was given
    currency  TEXT NOT NULL,                -- of trade_amount; '' if there is none
    failures  INTEGER NOT NULL,             -- payments that failed
    settled   INTEGER NOT NULL,             -- of these, followed by a success of the same purchase
    purchases INTEGER NOT NULL,             -- purchases whose first try is among them
    unpaid    INTEGER NOT NULL,             -- of these, how many were not paid within three days of the first try,
    unpaid_amount INTEGER NOT NULL,         -- and what they would have cost
    PRIMARY KEY (dimension, month, account, name, fail_code, currency)
) STRICT, WITHOUT ROWID;

-- Where the last four digits and the nick name of a card are read: of each month
-- and card, the last stored bill that is summed and tells one of them. Made with
-- the sums; see dirty_months.
CREATE TABLE card_bills (
    month    TEXT NOT NULL,
    sums     TEXT NOT NULL CHECK (sums IN ('books', 'failures')),
    asset_id TEXT NOT NULL,
    bill_id  INTEGER NOT NULL,
    PRIMARY KEY (month, sums, asset_id)
) STRICT, WITHOUT ROWID;

-- Merchants' names as the bills have them, and as people compare them. The rules
-- are listed by "syncer report merchants --rules".
CREATE TABLE merchants (
    merchant_name TEXT NOT NULL PRIMARY KEY,
    merchant      TEXT NOT NULL,            -- the name by rules; never a key
    rule          TEXT NOT NULL             -- which rules made it; '' if none did
) STRICT, WITHOUT ROWID;

-- Months that a person has closed: nothing is posted in them any more.
CREATE TABLE closes (
    month         TEXT NOT NULL PRIMARY KEY, -- YYYY-MM
    closed_at     TEXT NOT NULL,
    closed_by     TEXT NOT NULL,
    note          TEXT,
    forced        INTEGER NOT NULL CHECK (forced IN (0, 1)), -- 1: closed although it was not proved complete,
    open_points   TEXT,                     -- and what stood in the way
    postings      INTEGER NOT NULL,         -- how many postings it has
    postings_hash TEXT NOT NULL,            -- SHA-256 over all of them; "syncer close --check" makes it again
    proved_at     TEXT,                     -- since when all of it was proved
    program       TEXT NOT NULL,            -- the version that closed it
    last_bill_id  INTEGER NOT NULL,         -- the last rows of bills and bill_states then: what came later is told by them,
    last_state_id INTEGER NOT NULL          -- not by a clock, which may be wrong
) STRICT, WITHOUT ROWID;

-- What a closed month came to, per account and currency.
CREATE TABLE close_totals (
    month    TEXT NOT NULL REFERENCES closes (month),
    account  TEXT NOT NULL,
    currency TEXT NOT NULL,
    postings INTEGER NOT NULL,
    spends   INTEGER NOT NULL,
    spent    INTEGER NOT NULL,              -- as in book_sums
    returned INTEGER NOT NULL,
    reversed INTEGER NOT NULL,
    adjusted INTEGER NOT NULL,
    PRIMARY KEY (month, account, currency)
) STRICT, WITHOUT ROWID;

-- Exports to other programs that are remembered ("syncer export --new"): each
-- posting goes to a target once. Its lines are noted first, then the files are
-- written, then it is done; one that was interrupted is written again.
CREATE TABLE export_batches (
    batch_id   INTEGER PRIMARY KEY,
    target     TEXT NOT NULL,               -- which program gets it; a name of the user's
    format     TEXT NOT NULL,               -- ofx, xero-csv, …
    state      TEXT NOT NULL CHECK (state = 'choosing' OR state = 'writing' OR state = 'done'),
    created_at TEXT NOT NULL,               -- the time in its files
    filter     TEXT NOT NULL,               -- JSON: months, accounts, card
    options    TEXT NOT NULL,               -- JSON: how the files are written
    as_of      TEXT,                        -- JSON: which state of the bills they show; NULL: its lines are still being noted
    lines      INTEGER NOT NULL DEFAULT 0,  -- how many postings
    done_at    TEXT                         -- when its files were in place
) STRICT;

CREATE UNIQUE INDEX export_batches_open ON export_batches (target) WHERE state <> 'done';

-- Which postings went to which target, and in which batch.
CREATE TABLE export_lines (
    target   TEXT NOT NULL,
    bill_id  INTEGER NOT NULL,              -- of postings
    line     INTEGER NOT NULL,
    batch_id INTEGER NOT NULL,              -- of export_batches; no foreign key, which would cost a look-up a line
    PRIMARY KEY (target, bill_id, line)
) STRICT, WITHOUT ROWID;

-- The files of a batch, as they were written. "syncer export --repeat" writes the
-- same bytes again.
CREATE TABLE export_files (
    batch_id INTEGER NOT NULL REFERENCES export_batches (batch_id),
    name     TEXT NOT NULL,                 -- without the folder
    lines    INTEGER NOT NULL,
    bytes    INTEGER NOT NULL,
    sha256   TEXT NOT NULL,
    PRIMARY KEY (batch_id, name)
) STRICT, WITHOUT ROWID;

-- The company's own ledgers, as "syncer reconcile" read them. A file under the name of
-- an earlier one corrects it and takes its place.
CREATE TABLE ledgers (
    ledger_id    INTEGER PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    file         TEXT NOT NULL,              -- the name of the file that was read last
    content_hash TEXT NOT NULL,              -- SHA-256 of it
    mapping      TEXT NOT NULL,              -- JSON: how it was read, and the limits of matching
    accounts     TEXT,                       -- JSON: it is about these; NULL: about all
    period_from  TEXT NOT NULL,              -- days; postings of these have to be in it
    period_to    TEXT NOT NULL,
    skipped      INTEGER NOT NULL,           -- lines that could not be understood and were left out
    imported_at  TEXT NOT NULL,              -- when this file was read first
    matched_at   TEXT NOT NULL               -- when matching last came to something new
) STRICT;

-- Their lines.
CREATE TABLE ledger_lines (
    ledger_line_id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given out again: people name it
    ledger_id      INTEGER NOT NULL REFERENCES ledgers (ledger_id),
    line_key       TEXT NOT NULL,            -- of all that the line says, and how many alike are before it
    line           INTEGER NOT NULL,         -- in the file, the head included
    ledger_date    TEXT NOT NULL,
    amount         INTEGER NOT NULL,         -- in the currency's smallest unit; negative: money left
    currency       TEXT NOT NULL,
    reference      TEXT,
    payee          TEXT,
    ledger_account TEXT,                     -- as the ledger has it
    description    TEXT,
    open_code      TEXT,                     -- why it is not matched, for programs: zero, ambiguous, taken, rejected, differs, missing
    open_reason    TEXT,                     -- and for people; NULL: it is matched
    removed_at     TEXT,                     -- a corrected file no longer has it; it stays because of a decision about it
    UNIQUE (ledger_id, line_key)
) STRICT;

CREATE INDEX ledger_lines_amount ON ledger_lines (ledger_id, amount);

-- Which lines belong to which postings, one to one or one to several. A line or a
-- posting is in one match at most that is neither rejected nor withdrawn.
CREATE TABLE matches (
    match_id   INTEGER PRIMARY KEY AUTOINCREMENT, -- never given out again: people name it
    ledger_id  INTEGER NOT NULL REFERENCES ledgers (ledger_id),
    state      TEXT NOT NULL CHECK (state = 'matched' OR state = 'suggested' OR state = 'confirmed' OR state = 'rejected' OR state = 'withdrawn'),
                                             -- matched: by a rule; suggested: a person must decide;
                                             -- withdrawn: it was decided, and a corrected file no longer has a line of it
    rule       TEXT NOT NULL,                -- reference, amount, tolerance, sum, amount_merchant, reference_differs, manual
    reason     TEXT NOT NULL,
    made_at    TEXT NOT NULL,
    decided_at TEXT,
    decided_by TEXT,
    note       TEXT
) STRICT;

-- What is in a match: the first row has a line and a posting, further ones the rest
-- of the side that has several.
CREATE TABLE match_items (
    match_id       INTEGER NOT NULL REFERENCES matches (match_id),
    item           INTEGER NOT NULL,         -- 1, 2, …
    ledger_line_id INTEGER REFERENCES ledger_lines (ledger_line_id),
    bill_id        INTEGER,                  -- the posting
    line           INTEGER,
    live           INTEGER DEFAULT 1 CHECK (live = 1), -- NULL: the match is rejected or withdrawn
    PRIMARY KEY (match_id, item)
) STRICT, WITHOUT ROWID;

-- What is live is there once: rows with a NULL are different from each other.
CREATE UNIQUE INDEX match_items_line ON match_items (ledger_line_id, live) WHERE ledger_line_id IS NOT NULL;
CREATE UNIQUE INDEX match_items_posting ON match_items (bill_id, line, live) WHERE bill_id IS NOT NULL;

CREATE TRIGGER match_decided AFTER UPDATE OF state ON matches BEGIN
    UPDATE match_items SET live = iif(NEW.state IN ('rejected', 'withdrawn'), NULL, 1) WHERE match_id = NEW.match_id;
END;

-- The postings that come nearest to a line that is not matched.
CREATE TABLE candidates (
    ledger_line_id INTEGER NOT NULL REFERENCES ledger_lines (ledger_line_id),
    rank           INTEGER NOT NULL,         -- 1 is the nearest
    bill_id        INTEGER NOT NULL,
    line           INTEGER NOT NULL,
    reason         TEXT NOT NULL,            -- what speaks for it and what against
    PRIMARY KEY (ledger_line_id, rank)
) STRICT, WITHOUT ROWID;

CREATE INDEX candidates_posting ON candidates (bill_id, line);

-- What was done, when, and how it ended.
CREATE TABLE runs (
    run_id        INTEGER PRIMARY KEY,
    trigger       TEXT NOT NULL,            -- sync, schedule, refresh, retry
    started_at    TEXT NOT NULL,
    finished_at   TEXT,                     -- NULL: still running, or the process was killed
    outcome       TEXT NOT NULL
                  CHECK (outcome IN ('running', 'complete', 'incomplete', 'refused', 'interrupted', 'error')),
    requests      INTEGER NOT NULL DEFAULT 0, -- HTTP requests sent
    bills_read    INTEGER NOT NULL DEFAULT 0, -- items received
    bills_new     INTEGER NOT NULL DEFAULT 0,
    bills_changed INTEGER NOT NULL DEFAULT 0,
    bills_withdrawn INTEGER NOT NULL DEFAULT 0, -- found to be listed no longer
    bills_returned INTEGER NOT NULL DEFAULT 0, -- withdrawn before, and listed again
    error         TEXT                      -- why it is not complete
) STRICT;

-- Every state a bill has had; valid_to is NULL for the present one.
-- The books as of a moment: WHERE valid_from <= :t AND (valid_to IS NULL OR valid_to > :t).
CREATE VIEW bill_history AS
SELECT s.bill_id, b.account, b.order_no, s.bill_no, b.ordinal, s.bill_type, s.bill_status, s.asset_id, s.masked_card_no,
       s.card_last4, s.card_nick_name, s.transaction_time, s.transaction_date, s.merchant_name, s.budget_account_id,
       s.trade_amount, s.trade_currency, s.out_amount, s.out_currency, s.in_amount, s.in_currency, s.exchange_rate,
       s.trade_country, s.fail_code, s.fail_desc, s.last_update, s.metadata, s.withdrawn_at, s.raw,
       s.run_id, s.valid_from, s.valid_to
FROM bill_states s JOIN bills b ON b.bill_id = s.bill_id
UNION ALL
SELECT bill_id, account, order_no, bill_no, ordinal, bill_type, bill_status, asset_id, masked_card_no,
       card_last4, card_nick_name, transaction_time, transaction_date, merchant_name, budget_account_id,
       trade_amount, trade_currency, out_amount, out_currency, in_amount, in_currency, exchange_rate,
       trade_country, fail_code, fail_desc, last_update, metadata, withdrawn_at, raw,
       run_id, changed_at, NULL
FROM bills;

-- Live bills as people read them: decimal amounts as text, and what a failure
-- means. An amount in a currency that is not in currencies is shown in its
-- smallest unit.
CREATE VIEW bill_details AS
SELECT b.bill_id, b.account, b.order_no, b.bill_no, b.bill_type, b.bill_status, b.transaction_time, b.transaction_date,
       b.merchant_name, b.asset_id, b.card_last4, b.card_nick_name, b.budget_account_id,
       CASE WHEN b.trade_amount IS NULL THEN NULL
            WHEN tc.decimals = 2 THEN printf('%s%d.%02d', CASE WHEN b.trade_amount < 0 THEN '-' ELSE '' END, abs(b.trade_amount) / 100, abs(b.trade_amount) % 100)
            WHEN tc.decimals = 3 THEN printf('%s%d.%03d', CASE WHEN b.trade_amount < 0 THEN '-' ELSE '' END, abs(b.trade_amount) / 1000, abs(b.trade_amount) % 1000)
            ELSE CAST(b.trade_amount AS TEXT) END AS trade_decimal,
       b.trade_amount, b.trade_currency,
       CASE WHEN b.out_amount IS NULL THEN NULL
            WHEN oc.decimals = 2 THEN printf('%s%d.%02d', CASE WHEN b.out_amount < 0 THEN '-' ELSE '' END, abs(b.out_amount) / 100, abs(b.out_amount) % 100)
            WHEN oc.decimals = 3 THEN printf('%s%d.%03d', CASE WHEN b.out_amount < 0 THEN '-' ELSE '' END, abs(b.out_amount) / 1000, abs(b.out_amount) % 1000)
            ELSE CAST(b.out_amount AS TEXT) END AS out_decimal,
       b.out_amount, b.out_currency,
       CASE WHEN b.in_amount IS NULL THEN NULL
            WHEN ic.decimals = 2 THEN printf('%s%d.%02d', CASE WHEN b.in_amount < 0 THEN '-' ELSE '' END, abs(b.in_amount) / 100, abs(b.in_amount) % 100)
            WHEN ic.decimals = 3 THEN printf('%s%d.%03d', CASE WHEN b.in_amount < 0 THEN '-' ELSE '' END, abs(b.in_amount) / 1000, abs(b.in_amount) % 1000)
            ELSE CAST(b.in_amount AS TEXT) END AS in_decimal,
       b.in_amount, b.in_currency,
       b.exchange_rate, b.trade_country,
       b.fail_code, coalesce(b.fail_desc, f.error_desc) AS fail_desc, f.category AS fail_category, f.advice AS fail_advice,
       b.last_update, b.first_seen_at, b.changed_at
FROM bills b
LEFT JOIN currencies tc ON tc.currency = b.trade_currency
LEFT JOIN currencies oc ON oc.currency = b.out_currency
LEFT JOIN currencies ic ON ic.currency = b.in_currency
LEFT JOIN fail_reasons f ON f.error_code = b.fail_code
WHERE b.withdrawn_at IS NULL;

-- What was spent and what came back, per month and currency. Failed and
-- cancelled bills move no money and are left out; bills that have not cleared
-- are counted with the amounts known so far (uncleared tells how many). The net
-- is computed here, not by the API.
CREATE VIEW monthly_spend AS
WITH moves AS (
    SELECT account, substr(transaction_date, 1, 7) AS month, out_currency AS currency, 1 AS bill,
           bill_status IN ('WAITING_CLEARANCE', 'WAITING_DEDUCT', 'PARTIAL_CANCEL') AS uncleared,
           out_amount AS out_amount, 0 AS in_amount
    FROM bills
    WHERE withdrawn_at IS NULL AND out_amount IS NOT NULL AND coalesce(bill_status, '') NOT IN ('FAILED', 'CANCELLED')
    UNION ALL
    SELECT account, substr(transaction_date, 1, 7), in_currency, 0, 0, 0, in_amount
    FROM bills
    WHERE withdrawn_at IS NULL AND in_amount IS NOT NULL AND coalesce(bill_status, '') NOT IN ('FAILED', 'CANCELLED')
), sums AS (
    SELECT account, month, currency, sum(bill) AS bills, sum(uncleared) AS uncleared,
           sum(out_amount) AS out_amount, sum(in_amount) AS in_amount, sum(out_amount) - sum(in_amount) AS net_amount
    FROM moves GROUP BY account, month, currency
)
SELECT s.account, s.month, s.currency, s.bills, s.uncleared, s.out_amount, s.in_amount, s.net_amount,
       CASE WHEN s.net_amount IS NULL THEN NULL
            WHEN c.decimals = 2 THEN printf('%s%d.%02d', CASE WHEN s.net_amount < 0 THEN '-' ELSE '' END, abs(s.net_amount) / 100, abs(s.net_amount) % 100)
            WHEN c.decimals = 3 THEN printf('%s%d.%03d', CASE WHEN s.net_amount < 0 THEN '-' ELSE '' END, abs(s.net_amount) / 1000, abs(s.net_amount) % 1000)
            ELSE CAST(s.net_amount AS TEXT) END AS net_decimal
FROM sums s LEFT JOIN currencies c ON c.currency = s.currency;

-- Failed payments by reason, the most frequent first within an account.
CREATE VIEW failures_by_reason AS
SELECT b.account, b.fail_code, f.error_desc, f.category, f.advice, count(*) AS bills,
       count(DISTINCT b.asset_id) AS cards, count(DISTINCT b.merchant_name) AS merchants,
       min(b.transaction_time) AS first_time, max(b.transaction_time) AS last_time
FROM bills b LEFT JOIN fail_reasons f ON f.error_code = b.fail_code
WHERE b.withdrawn_at IS NULL AND b.bill_status = 'FAILED'
GROUP BY b.account, b.fail_code, f.error_desc, f.category, f.advice
ORDER BY b.account, count(*) DESC, b.fail_code;

-- Bills whose last word is not yet spoken, the oldest first: authorised but not
-- cleared, or in a status this program does not know. Decimal amounts are text,
-- as in bill_details.
CREATE VIEW open_bills AS
SELECT b.bill_id, b.account, b.order_no, b.bill_no, b.bill_status, b.transaction_time, b.transaction_date,
       CAST(julianday('now') - julianday(b.transaction_time) AS INTEGER) AS age_days,
       b.merchant_name, b.card_last4,
       CASE WHEN b.trade_amount IS NULL THEN NULL
            WHEN tc.decimals = 2 THEN printf('%s%d.%02d', CASE WHEN b.trade_amount < 0 THEN '-' ELSE '' END, abs(b.trade_amount) / 100, abs(b.trade_amount) % 100)
            WHEN tc.decimals = 3 THEN printf('%s%d.%03d', CASE WHEN b.trade_amount < 0 THEN '-' ELSE '' END, abs(b.trade_amount) / 1000, abs(b.trade_amount) % 1000)
            ELSE CAST(b.trade_amount AS TEXT) END AS trade_decimal,
       b.trade_amount, b.trade_currency,
       CASE WHEN b.out_amount IS NULL THEN NULL
            WHEN oc.decimals = 2 THEN printf('%s%d.%02d', CASE WHEN b.out_amount < 0 THEN '-' ELSE '' END, abs(b.out_amount) / 100, abs(b.out_amount) % 100)
            WHEN oc.decimals = 3 THEN printf('%s%d.%03d', CASE WHEN b.out_amount < 0 THEN '-' ELSE '' END, abs(b.out_amount) / 1000, abs(b.out_amount) % 1000)
            ELSE CAST(b.out_amount AS TEXT) END AS out_decimal,
       b.out_amount, b.out_currency
FROM bills b
LEFT JOIN currencies tc ON tc.currency = b.trade_currency
LEFT JOIN currencies oc ON oc.currency = b.out_currency
WHERE b.withdrawn_at IS NULL
  AND b.bill_status IS NOT 'SUCCESS' AND b.bill_status IS NOT 'FAILED' AND b.bill_status IS NOT 'REFUNDED'
  AND b.bill_status IS NOT 'CANCELLED' AND b.bill_status IS NOT 'PARTIAL_REFUND'
ORDER BY b.transaction_time;

-- Orders that hold more than one bill, such as an authorisation and its increments.
CREATE VIEW orders_with_several_bills AS
SELECT account, order_no, count(*) AS bills, min(transaction_time) AS first_time, max(transaction_time) AS last_time,
       group_concat(bill_status, ', ') AS statuses
FROM bills
WHERE withdrawn_at IS NULL
GROUP BY account, order_no
HAVING count(*) > 1;

-- The books, line by line: each posting with what it is about. Decimal amounts are
-- text, as in bill_details. closed is 1 if nothing can be posted in its month any
-- more; late is 1 if it belongs to an earlier month, which was closed. Merchant, card
-- and budget account of a line in a closed month are what they were when it was closed.
CREATE VIEW posting_details AS
SELECT p.line_id, p.bill_id, p.line, b.account, p.posting_date, p.effect_date, substr(p.posting_date, 1, 7) AS month, p.kind,
       CASE WHEN p.amount IS NULL THEN NULL
            WHEN c.decimals = 2 THEN printf('%s%d.%02d', CASE WHEN p.amount < 0 THEN '-' ELSE '' END, abs(p.amount) / 100, abs(p.amount) % 100)
            WHEN c.decimals = 3 THEN printf('%s%d.%03d', CASE WHEN p.amount < 0 THEN '-' ELSE '' END, abs(p.amount) / 1000, abs(p.amount) % 1000)
            ELSE CAST(p.amount AS TEXT) END AS amount_decimal,
       p.amount, p.currency, b.order_no, b.bill_no, b.transaction_date,
       CASE WHEN k.bill_id IS NULL THEN b.merchant_name ELSE k.merchant_name END AS merchant_name, coalesce(m.merchant, CASE WHEN k.bill_id IS NULL THEN b.merchant_name ELSE k.merchant_name END) AS merchant,
       CASE WHEN k.bill_id IS NULL THEN b.asset_id ELSE k.asset_id END AS asset_id, CASE WHEN k.bill_id IS NULL THEN b.card_last4 ELSE k.card_last4 END AS card_last4,
       CASE WHEN k.bill_id IS NULL OR k.asset_id IS b.asset_id THEN b.card_nick_name END AS card_nick_name,
       CASE WHEN k.bill_id IS NULL THEN b.budget_account_id ELSE k.budget_account_id END AS budget_account_id, b.bill_status, p.reason, p.run_id,
       EXISTS (SELECT 1 FROM closes x WHERE x.month = substr(p.posting_date, 1, 7)) AS closed,
       substr(p.effect_date, 1, 7) < substr(p.posting_date, 1, 7) AS late
FROM postings p JOIN bills b ON b.bill_id = p.bill_id
LEFT JOIN currencies c ON c.currency = p.currency
LEFT JOIN kept_labels k ON k.bill_id = p.bill_id AND k.line = p.line
LEFT JOIN merchants m ON m.merchant_name = CASE WHEN k.bill_id IS NULL THEN b.merchant_name ELSE k.merchant_name END;

-- What the books of each month came to, per account and currency. Read from sums,
-- so it answers at once over millions of bills; current is 0 while bills that
-- changed since the last sync are not in them yet (any report puts them in). A month
-- that was never summed is not here: ask books_state.
CREATE VIEW monthly_books AS
SELECT s.month, s.account, s.currency, s.postings, s.spends, s.spent, s.returned, s.reversed, s.adjusted,
       s.spent + s.returned + s.reversed + s.adjusted AS net,
       CASE WHEN (s.spent + s.returned + s.reversed + s.adjusted) IS NULL THEN NULL
            WHEN c.decimals = 2 THEN printf('%s%d.%02d', CASE WHEN (s.spent + s.returned + s.reversed + s.adjusted) < 0 THEN '-' ELSE '' END, abs((s.spent + s.returned + s.reversed + s.adjusted)) / 100, abs((s.spent + s.returned + s.reversed + s.adjusted)) % 100)
            WHEN c.decimals = 3 THEN printf('%s%d.%03d', CASE WHEN (s.spent + s.returned + s.reversed + s.adjusted) < 0 THEN '-' ELSE '' END, abs((s.spent + s.returned + s.reversed + s.adjusted)) / 1000, abs((s.spent + s.returned + s.reversed + s.adjusted)) % 1000)
            ELSE CAST((s.spent + s.returned + s.reversed + s.adjusted) AS TEXT) END AS net_decimal,
       EXISTS (SELECT 1 FROM closes x WHERE x.month = s.month) AS closed,
       NOT EXISTS (SELECT 1 FROM meta WHERE key = 'unposted') AND NOT EXISTS (SELECT 1 FROM dirty_months d WHERE d.month = s.month AND d.sums = 'books') AS current
FROM book_sums s LEFT JOIN currencies c ON c.currency = s.currency
WHERE s.dimension = 'account';

-- monthly_books by merchant, under the name that the rules give it.
CREATE VIEW merchant_books AS
SELECT s.month, s.account, coalesce(m.merchant, s.name) AS merchant, s.currency, sum(s.spends) AS spends,
       sum(s.spent) AS spent, sum(s.returned) AS returned, sum(s.reversed) AS reversed, sum(s.adjusted) AS adjusted,
       sum(s.spent + s.returned + s.reversed + s.adjusted) AS net,
       NOT EXISTS (SELECT 1 FROM meta WHERE key = 'unposted') AND NOT EXISTS (SELECT 1 FROM dirty_months d WHERE d.month = s.month AND d.sums = 'books') AS current
FROM book_sums s LEFT JOIN merchants m ON m.merchant_name = s.name
WHERE s.dimension = 'merchant'
GROUP BY s.month, s.account, coalesce(m.merchant, s.name), s.currency;

-- monthly_books by card.
CREATE VIEW card_books AS
SELECT s.month, s.account, s.name AS asset_id, s.currency, s.spends, s.spent, s.returned, s.reversed, s.adjusted,
       s.spent + s.returned + s.reversed + s.adjusted AS net,
       NOT EXISTS (SELECT 1 FROM meta WHERE key = 'unposted') AND NOT EXISTS (SELECT 1 FROM dirty_months d WHERE d.month = s.month AND d.sums = 'books') AS current
FROM book_sums s WHERE s.dimension = 'card';

-- Failed payments by month and reason, and what became of them; see failure_sums.
CREATE VIEW monthly_failures AS
SELECT s.month, s.account, s.fail_code, f.error_desc, f.category, f.advice, s.currency,
       s.failures, s.settled, s.purchases, s.unpaid, s.unpaid_amount,
       NOT EXISTS (SELECT 1 FROM meta WHERE key = 'unposted') AND NOT EXISTS (SELECT 1 FROM dirty_months d WHERE d.month = s.month AND d.sums = 'failures') AS current
FROM failure_sums s LEFT JOIN fail_reasons f ON f.error_code = s.fail_code
WHERE s.dimension = 'account';

-- Whether the four views above are up to date, and which months wait to be summed: a
-- month that has no sums at all yet is not in them. The next sync or report makes them.
CREATE VIEW books_state AS
SELECT NOT EXISTS (SELECT 1 FROM meta WHERE key = 'unposted') AND NOT EXISTS (SELECT 1 FROM dirty_months) AS current,
       (SELECT group_concat(month, ', ') FROM (SELECT DISTINCT month FROM dirty_months ORDER BY month)) AS waiting;

-- What closed months came to, per account and currency.
CREATE VIEW closed_months AS
SELECT x.month, x.closed_at, x.closed_by, x.note, x.forced, x.open_points, x.postings_hash, t.account, t.currency, t.postings, t.spends,
       t.spent, t.returned, t.reversed, t.adjusted, t.spent + t.returned + t.reversed + t.adjusted AS net,
       CASE WHEN (t.spent + t.returned + t.reversed + t.adjusted) IS NULL THEN NULL
            WHEN c.decimals = 2 THEN printf('%s%d.%02d', CASE WHEN (t.spent + t.returned + t.reversed + t.adjusted) < 0 THEN '-' ELSE '' END, abs((t.spent + t.returned + t.reversed + t.adjusted)) / 100, abs((t.spent + t.returned + t.reversed + t.adjusted)) % 100)
            WHEN c.decimals = 3 THEN printf('%s%d.%03d', CASE WHEN (t.spent + t.returned + t.reversed + t.adjusted) < 0 THEN '-' ELSE '' END, abs((t.spent + t.returned + t.reversed + t.adjusted)) / 1000, abs((t.spent + t.returned + t.reversed + t.adjusted)) % 1000)
            ELSE CAST((t.spent + t.returned + t.reversed + t.adjusted) AS TEXT) END AS net_decimal
FROM closes x LEFT JOIN close_totals t ON t.month = x.month LEFT JOIN currencies c ON c.currency = t.currency;

-- What was matched, suggested and decided when a ledger was reconciled: a row for each
-- line with its posting. Where one side has several, the other is empty from the
-- second row on.
CREATE VIEW reconciliation_matches AS
SELECT g.name AS ledger, m.match_id, i.item, m.state, m.rule, m.reason,
       l.line AS ledger_line, l.ledger_date,
       CASE WHEN l.amount IS NULL THEN NULL
            WHEN lc.decimals = 2 THEN printf('%s%d.%02d', CASE WHEN l.amount < 0 THEN '-' ELSE '' END, abs(l.amount) / 100, abs(l.amount) % 100)
            WHEN lc.decimals = 3 THEN printf('%s%d.%03d', CASE WHEN l.amount < 0 THEN '-' ELSE '' END, abs(l.amount) / 1000, abs(l.amount) % 1000)
            ELSE CAST(l.amount AS TEXT) END AS ledger_decimal,
       l.amount AS ledger_amount, l.currency AS ledger_currency, l.payee, l.reference, l.description,
       p.line_id, p.posting_date,
       CASE WHEN p.amount IS NULL THEN NULL
            WHEN pc.decimals = 2 THEN printf('%s%d.%02d', CASE WHEN p.amount < 0 THEN '-' ELSE '' END, abs(p.amount) / 100, abs(p.amount) % 100)
            WHEN pc.decimals = 3 THEN printf('%s%d.%03d', CASE WHEN p.amount < 0 THEN '-' ELSE '' END, abs(p.amount) / 1000, abs(p.amount) % 1000)
            ELSE CAST(p.amount AS TEXT) END AS posting_decimal,
       p.amount AS posting_amount, p.currency AS posting_currency, b.account, b.order_no, b.merchant_name,
       m.made_at, m.decided_at, m.decided_by, m.note, l.ledger_line_id, i.bill_id
FROM match_items i JOIN matches m ON m.match_id = i.match_id JOIN ledgers g ON g.ledger_id = m.ledger_id
LEFT JOIN ledger_lines l ON l.ledger_line_id = i.ledger_line_id
LEFT JOIN postings p ON p.bill_id = i.bill_id AND p.line = i.line
LEFT JOIN bills b ON b.bill_id = i.bill_id
LEFT JOIN currencies lc ON lc.currency = l.currency
LEFT JOIN currencies pc ON pc.currency = p.currency;

-- Lines of ledgers that are not matched: why, and which posting comes nearest.
CREATE VIEW reconciliation_open_ledger AS
SELECT g.name AS ledger, l.line AS ledger_line, l.ledger_date,
       CASE WHEN l.amount IS NULL THEN NULL
            WHEN lc.decimals = 2 THEN printf('%s%d.%02d', CASE WHEN l.amount < 0 THEN '-' ELSE '' END, abs(l.amount) / 100, abs(l.amount) % 100)
            WHEN lc.decimals = 3 THEN printf('%s%d.%03d', CASE WHEN l.amount < 0 THEN '-' ELSE '' END, abs(l.amount) / 1000, abs(l.amount) % 1000)
            ELSE CAST(l.amount AS TEXT) END AS ledger_decimal,
       l.amount AS ledger_amount, l.currency AS ledger_currency, l.payee, l.reference, l.description, l.open_code, l.open_reason,
       p.line_id AS nearest_line_id, p.posting_date AS nearest_date,
       CASE WHEN p.amount IS NULL THEN NULL
            WHEN pc.decimals = 2 THEN printf('%s%d.%02d', CASE WHEN p.amount < 0 THEN '-' ELSE '' END, abs(p.amount) / 100, abs(p.amount) % 100)
            WHEN pc.decimals = 3 THEN printf('%s%d.%03d', CASE WHEN p.amount < 0 THEN '-' ELSE '' END, abs(p.amount) / 1000, abs(p.amount) % 1000)
            ELSE CAST(p.amount AS TEXT) END AS nearest_decimal,
       p.amount AS nearest_amount, b.merchant_name AS nearest_merchant, b.order_no AS nearest_order_no, c.reason AS nearest_reason,
       l.ledger_line_id, l.ledger_id
FROM ledger_lines l JOIN ledgers g ON g.ledger_id = l.ledger_id
LEFT JOIN candidates c ON c.ledger_line_id = l.ledger_line_id AND c.rank = 1
LEFT JOIN postings p ON p.bill_id = c.bill_id AND p.line = c.line
LEFT JOIN bills b ON b.bill_id = c.bill_id
LEFT JOIN currencies lc ON lc.currency = l.currency
LEFT JOIN currencies pc ON pc.currency = p.currency
WHERE l.open_code IS NOT NULL AND l.removed_at IS NULL;

-- Postings of the days of a ledger that none of its lines is matched with, nor one of
-- another ledger. open_code: rejected: a match with it was; ambiguous: with a line that
-- could not choose; differs: a line comes near; taken: the line of its amount is matched
-- with another posting; missing: no open line comes near.
CREATE VIEW reconciliation_open_postings AS
SELECT ledger, line_id, posting_date, kind, posting_decimal, posting_amount, posting_currency, account, order_no, merchant_name, card_last4,
       substr(why, 1, instr(why, ' ') - 1) AS open_code, substr(why, instr(why, ' ') + 1) AS open_reason,
       near_lines, nearest_ledger_line, bill_id, line, ledger_id
FROM (
    SELECT g.name AS ledger, p.line_id, p.posting_date, p.kind,
           CASE WHEN p.amount IS NULL THEN NULL
                WHEN pc.decimals = 2 THEN printf('%s%d.%02d', CASE WHEN p.amount < 0 THEN '-' ELSE '' END, abs(p.amount) / 100, abs(p.amount) % 100)
                WHEN pc.decimals = 3 THEN printf('%s%d.%03d', CASE WHEN p.amount < 0 THEN '-' ELSE '' END, abs(p.amount) / 1000, abs(p.amount) % 1000)
                ELSE CAST(p.amount AS TEXT) END AS posting_decimal,
           p.amount AS posting_amount, p.currency AS posting_currency, b.account, b.order_no, b.merchant_name, b.card_last4,
           coalesce(
               (SELECT 'rejected match ' || m.match_id || ' with it was rejected'
                FROM match_items i JOIN matches m ON m.match_id = i.match_id
                WHERE i.bill_id = p.bill_id AND i.line = p.line AND m.ledger_id = g.ledger_id AND m.state = 'rejected'
                ORDER BY m.match_id LIMIT 1),
               (SELECT iif(l.open_code = 'ambiguous', 'ambiguous', 'differs') || ' line ' || l.line || ' has its amount within the days: ' || l.open_reason
                FROM ledger_lines l
                WHERE l.ledger_id = g.ledger_id AND l.amount = p.amount AND (l.currency = p.currency OR g.yuan AND l.currency = 'CNY' AND p.currency = 'CNH')
                  AND l.open_code IS NOT NULL AND l.removed_at IS NULL
                  AND l.ledger_date BETWEEN date(p.posting_date, -g.days_to || ' days') AND date(p.posting_date, -g.days_from || ' days')
                ORDER BY l.line LIMIT 1),
               (SELECT iif(l.open_code = 'ambiguous', 'ambiguous', 'differs') || ' line ' || l.line || ' comes near: ' || c.reason
                FROM candidates c JOIN ledger_lines l ON l.ledger_line_id = c.ledger_line_id
                WHERE c.bill_id = p.bill_id AND c.line = p.line AND l.ledger_id = g.ledger_id AND l.open_code IS NOT NULL
                ORDER BY c.rank, l.line LIMIT 1),
               (SELECT 'taken line ' || l.line || ' has its amount within the days, and is matched with another posting'
                FROM ledger_lines l
                WHERE l.ledger_id = g.ledger_id AND l.amount = p.amount AND (l.currency = p.currency OR g.yuan AND l.currency = 'CNY' AND p.currency = 'CNH')
                  AND l.open_code IS NULL AND l.removed_at IS NULL
                  AND l.ledger_date BETWEEN date(p.posting_date, -g.days_to || ' days') AND date(p.posting_date, -g.days_from || ' days')
                ORDER BY l.line LIMIT 1),
               'missing no open line comes near it' || iif(p.posting_date < date(g.period_from, g.days_to || ' days'),
                   '; one of a day before the ledger''s first may belong to it', '')) AS why,
           (SELECT count(*) FROM candidates c JOIN ledger_lines l ON l.ledger_line_id = c.ledger_line_id
            WHERE c.bill_id = p.bill_id AND c.line = p.line AND l.ledger_id = g.ledger_id) AS near_lines,
           (SELECT min(l.line) FROM candidates c JOIN ledger_lines l ON l.ledger_line_id = c.ledger_line_id
            WHERE c.bill_id = p.bill_id AND c.line = p.line AND l.ledger_id = g.ledger_id) AS nearest_ledger_line,
           p.bill_id, p.line, g.ledger_id
    FROM (SELECT ledger_id, name, accounts, period_from, period_to, json_extract(mapping, '$.cnh_as_cny') AS yuan,
                 json_extract(mapping, '$.days_from') AS days_from, json_extract(mapping, '$.days_to') AS days_to
          FROM ledgers) g
    JOIN postings p ON p.posting_date BETWEEN g.period_from AND g.period_to
    JOIN bills b ON b.bill_id = p.bill_id
    LEFT JOIN currencies pc ON pc.currency = p.currency
    WHERE (g.accounts IS NULL OR b.account IN (SELECT value FROM json_each(g.accounts)))
      AND NOT EXISTS (SELECT 1 FROM match_items i JOIN matches m ON m.match_id = i.match_id
                      WHERE i.bill_id = p.bill_id AND i.line = p.line AND m.state IN ('matched', 'suggested', 'confirmed'))
);

-- Per account: since when and until when every bill is proved to be stored,
-- without a gap, and whether that reaches back to history_start with nothing
-- waiting, failed or unreadable. What a person has accepted does not count
-- against complete; accepted tells how many such windows there are.
CREATE VIEW coverage AS
WITH spans AS (
    SELECT account, window_start AS span_start, window_end AS span_end, state = 'done' AS proved
    FROM windows WHERE state = 'done' OR accepted_at IS NOT NULL
    UNION ALL
    SELECT account, covered_from, proved_until, 1 FROM tails WHERE proved_until IS NOT NULL
), marked AS (
    SELECT account, proved, span_start, span_end,
           coalesce(span_start > max(span_end) OVER (PARTITION BY account, proved ORDER BY span_start, span_end
                                                     ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS gap,
           coalesce(span_start > max(span_end) OVER (PARTITION BY account ORDER BY span_start, span_end
                                                     ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS hole
    FROM spans
), numbered AS (
    SELECT account, proved, span_start, span_end, hole,
           sum(gap) OVER (PARTITION BY account, proved ORDER BY span_start, span_end
                          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS block
    FROM marked
), blocks AS (
    SELECT account, block, min(span_start) AS proved_from, max(span_end) AS proved_to
    FROM numbered WHERE proved GROUP BY account, block
), whole AS (
    SELECT account, min(span_start) AS settled_from, max(hole) AS holes FROM numbered GROUP BY account
)
SELECT a.account, a.history_start, b.proved_from, b.proved_to,
       (SELECT count(*) FROM windows w WHERE w.account = a.account) AS windows,
       (SELECT count(*) FROM windows w WHERE w.account = a.account AND w.state = 'done') AS windows_proved,
       (SELECT count(*) FROM bills x WHERE x.account = a.account AND x.withdrawn_at IS NULL) AS bills,
       (SELECT count(*) FROM rejected_items r WHERE r.account = a.account AND r.accepted_at IS NULL AND r.resolved_at IS NULL)
           AS unreadable,
       (SELECT count(*) FROM windows w WHERE w.account = a.account AND (w.state <> 'done' OR w.reread_failed_at IS NOT NULL)
            AND w.accepted_at IS NOT NULL) AS accepted,
       coalesce(h.settled_from <= a.history_start
           AND NOT h.holes
           AND a.refused_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM windows w WHERE w.account = a.account AND (w.state <> 'done' OR w.reread_failed_at IS NOT NULL)
                           AND w.accepted_at IS NULL)
           AND NOT EXISTS (SELECT 1 FROM tails t WHERE t.account = a.account AND t.state IN ('waiting', 'failed'))
           AND NOT EXISTS (SELECT 1 FROM chases c WHERE c.account = a.account AND c.state IN ('waiting', 'failed') AND c.accepted_at IS NULL)
           AND NOT EXISTS (SELECT 1 FROM rejected_items r WHERE r.account = a.account AND r.accepted_at IS NULL AND r.resolved_at IS NULL),
           0) AS complete
FROM accounts a
LEFT JOIN whole h ON h.account = a.account
LEFT JOIN blocks b ON b.account = a.account
    AND b.block = (SELECT max(x.block) FROM blocks x WHERE x.account = a.account);
