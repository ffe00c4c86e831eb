-- Instants are nanoseconds since 1970-01-01T00:00:00Z, decimals and ids are text, digests SHA-256.
-- Sequences begin at 1 and have no holes.

CREATE TABLE head (
  seq INTEGER PRIMARY KEY CHECK (seq = 1),
  book TEXT NOT NULL,
  mode TEXT NOT NULL,
  config TEXT NOT NULL,
  config_hash TEXT NOT NULL,
  digest BLOB NOT NULL
) STRICT;

CREATE TABLE starts (
  seq INTEGER PRIMARY KEY,
  epoch TEXT NOT NULL UNIQUE,
  at INTEGER NOT NULL,
  version TEXT NOT NULL,
  -- Commits before it.
  commits INTEGER NOT NULL,
  digest BLOB NOT NULL
) STRICT;

CREATE TABLE commits (
  seq INTEGER PRIMARY KEY,
  start INTEGER NOT NULL REFERENCES starts (seq),
  at INTEGER NOT NULL,
  calls TEXT NOT NULL,
  -- How many rows of each table it has; they follow those of the commit before.
  instructions INTEGER NOT NULL,
  events INTEGER NOT NULL,
  lines INTEGER NOT NULL,
  rows INTEGER NOT NULL,
  -- Of all parts of the state after it.
  state BLOB NOT NULL,
  -- Of the digest before it and of everything it has.
  digest BLOB NOT NULL
) STRICT;

CREATE TABLE instructions (
  seq INTEGER PRIMARY KEY,
  commit_seq INTEGER NOT NULL REFERENCES commits (seq),
  id TEXT NOT NULL,
  client_order_id TEXT NOT NULL UNIQUE,
  venue TEXT NOT NULL,
  submitted_at INTEGER NOT NULL,
  instruction TEXT NOT NULL
) STRICT;

CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  commit_seq INTEGER NOT NULL REFERENCES commits (seq),
  -- How many ledger lines it has; they follow those of the event before.
  lines INTEGER NOT NULL,
  key TEXT,
  venue TEXT NOT NULL,
  at INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  posted_at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  event TEXT NOT NULL,
  marks TEXT NOT NULL
) STRICT;

CREATE TABLE ledger (
  seq INTEGER PRIMARY KEY,
  event INTEGER NOT NULL REFERENCES events (seq),
  line INTEGER NOT NULL,
  -- The key it is posted under where that is not the key of its event.
  cause TEXT,
  at INTEGER NOT NULL,
  account TEXT NOT NULL,
  item TEXT NOT NULL,
  quantity TEXT NOT NULL,
  units TEXT NOT NULL,
  value TEXT NOT NULL,
  kind TEXT NOT NULL,
  instruction TEXT,
  reference_price TEXT NOT NULL
) STRICT;

CREATE TABLE rows (
  seq INTEGER PRIMARY KEY,
  commit_seq INTEGER NOT NULL REFERENCES commits (seq),
  kind TEXT NOT NULL CHECK (kind IN ('step', 'execution', 'log')),
  json TEXT NOT NULL
) STRICT;

CREATE TABLE state (
  name TEXT PRIMARY KEY,
  commit_seq INTEGER NOT NULL REFERENCES commits (seq),
  json TEXT NOT NULL
) STRICT;

CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY,
  instruction TEXT NOT NULL,
  at INTEGER NOT NULL,
  stage TEXT NOT NULL CHECK (stage IN ('signed', 'sent')),
  nonce INTEGER,
  hash TEXT,
  bytes BLOB NOT NULL,
  digest BLOB NOT NULL
) STRICT;

CREATE INDEX outbox_of_instruction ON outbox (instruction);

-- For reading by hand: instants as text, and with every line the key it is posted under.
CREATE VIEW event_log AS
SELECT seq, commit_seq,
  strftime('%Y-%m-%dT%H:%M:%S', at / 1000000000, 'unixepoch') || printf('.%09dZ', at % 1000000000) AS at,
  venue, kind, key, lines, event, marks
FROM events;

CREATE VIEW ledger_lines AS
SELECT l.seq, e.commit_seq,
  strftime('%Y-%m-%dT%H:%M:%S', l.at / 1000000000, 'unixepoch') || printf('.%09dZ', l.at % 1000000000) AS at,
  l.account, l.item, l.quantity, l.units, l.value, l.kind, l.instruction, l.reference_price,
  coalesce(l.cause, e.key) AS cause, l.line
FROM ledger l JOIN events e ON e.seq = l.event;
