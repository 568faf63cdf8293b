-- Words that SQLite and PostgreSQL both understand.
CREATE TABLE todo (
    id BIGINT PRIMARY KEY,
    title TEXT NOT NULL CHECK (title <> ''),
    done BOOLEAN NOT NULL DEFAULT FALSE
);
