-- Who users are at their identity providers, what those say of them, and who may take part.
ALTER TABLE users ADD COLUMN provider TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN email TEXT;
ALTER TABLE users ADD COLUMN picture_url TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN suspended BIGINT;
ALTER TABLE users ADD COLUMN last_sign_in BIGINT;
ALTER TABLE users ADD COLUMN second_factor BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE identities (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_of_user ON identities (user_id);

-- Nodes that are in were let in before anybody had to approve them.
ALTER TABLE nodes ADD COLUMN approved BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE auth_keys ADD COLUMN preapproved BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
