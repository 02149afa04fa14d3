-- Every policy that was in force, newest last. The highest number is in force.
CREATE TABLE policy_revisions (
    number BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    author TEXT NOT NULL,
    note TEXT NOT NULL,
    -- Bytes of the text, so that lists and limits need not read it.
    size BIGINT NOT NULL,
    text TEXT NOT NULL
);

INSERT INTO policy_revisions (number, at, author, note, size, text)
SELECT 1, CAST(strftime('%s', 'now') AS BIGINT) * 1000000, '', 'in force before revisions were kept',
    LENGTH(CAST(text AS BLOB)), text
FROM policy;

DROP TABLE policy;
