-- What users may do, the groups that their identity provider says they are in, and the routes that nodes may serve.
ALTER TABLE users ADD COLUMN role TEXT NOT NULL DEFAULT 'member';
ALTER TABLE users ADD COLUMN groups TEXT NOT NULL DEFAULT '[]';
ALTER TABLE nodes ADD COLUMN approved_routes TEXT NOT NULL DEFAULT '[]';

-- Somebody must be in charge: the first one is who set the tailnet up.
UPDATE users SET role = 'owner' WHERE id = (SELECT MIN(id) FROM users);
