-- One tailnet. Times are microseconds since 1970, keys are their 32 bytes, lists are JSON.
-- Types are those that PostgreSQL has too: BIGINT, TEXT, BOOLEAN; only BLOB is BYTEA there.

CREATE TABLE numbers (
    kind TEXT PRIMARY KEY,
    next BIGINT NOT NULL
);

CREATE TABLE users (
    id BIGINT PRIMARY KEY,
    login_name TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE auth_keys (
    id BIGINT PRIMARY KEY,
    prefix TEXT NOT NULL UNIQUE,
    hash BLOB NOT NULL,
    user_id BIGINT REFERENCES users (id),
    tags TEXT NOT NULL,
    reusable BOOLEAN NOT NULL,
    ephemeral BOOLEAN NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT,
    used BIGINT,
    revoked BIGINT
);

CREATE TABLE nodes (
    id BIGINT PRIMARY KEY,
    stable_id TEXT NOT NULL UNIQUE,
    machine_key BLOB NOT NULL,
    node_key BLOB NOT NULL UNIQUE,
    user_id BIGINT REFERENCES users (id),
    tags TEXT NOT NULL,
    tags_by_admin BOOLEAN NOT NULL,
    label TEXT NOT NULL UNIQUE,
    label_by_admin BOOLEAN NOT NULL,
    ipv4 TEXT NOT NULL UNIQUE,
    ipv6 TEXT NOT NULL UNIQUE,
    created BIGINT NOT NULL,
    key_expiry BIGINT,
    ephemeral BOOLEAN NOT NULL,
    -- No reference: a node outlives the key that let it in.
    auth_key_id BIGINT,
    host TEXT NOT NULL,
    capability_version BIGINT NOT NULL
);

-- Where nodes were last known to be: written now and then, lost without harm.
CREATE TABLE reach (
    node_id BIGINT PRIMARY KEY REFERENCES nodes (id) ON DELETE CASCADE,
    disco BLOB,
    endpoints TEXT NOT NULL,
    home_region BIGINT,
    last_seen BIGINT,
    host TEXT NOT NULL
);

CREATE TABLE policy (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    text TEXT NOT NULL
);
